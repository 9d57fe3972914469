"""Terms to search under: the given ones, and others near them, so that no fault hides in a round
number."""

from __future__ import annotations

from attrs import evolve

from perpref.checker.dice import Dice
from perpref.checker.wire import Choice, MarketTerms, Terms
from perpref.state import Chooser, Rulebook
from perpref.units import MarketId

FEES = (0, 1, 130, 333, 500, 1_999, 10_007, 33_333)
FUNDING_CAPS = (750, 7_500, 12_347, 100_000)
BOUNDARIES = (0, 0, 1, 5_003, 40_001)
MARKS = (1_000, 997, 101, 53, 12_345)
RATES = (
    (100_000, 50_000),
    (200_000, 30_000),
    (33_333, 11_111),
    (500_000, 62_501),
    (77_777, 77_777),
)
CAPS = (1_000, 100, 10, 7, 3, 1, 0)

STANDARD = MarketTerms(initial_rate=100_000, maintenance_rate=50_000, vault_cap=100, mark=1_000)


def base_terms(rulebook: Rulebook, chooses: tuple[Choice, ...] = ()) -> Terms:
    """The given rulebook with one plain market."""
    return Terms(_chosen(rulebook, chooses), {MarketId(1): STANDARD})


def _chosen(rulebook: Rulebook, chooses: tuple[Choice, ...]) -> Rulebook:
    """The rulebook, leaving open what the engine chooses itself."""
    if Choice.COUNTERPARTY in chooses:
        rulebook = evolve(rulebook, counterparty=Chooser.ENGINE)
    if Choice.PRICE in chooses:
        rulebook = evolve(rulebook, price=Chooser.ENGINE)
    return rulebook


def varied(base: Terms, dice: Dice) -> Terms:
    """The base terms, or a neighbour of them."""
    if dice.one_in(4):
        return base
    rulebook = base.rulebook
    if dice.one_in(2):
        rulebook = evolve(
            rulebook,
            maker_fee=dice.pick(FEES),
            taker_fee=dice.pick(FEES),
            liquidation_fee=dice.pick(FEES),
        )
    rulebook = evolve(
        rulebook,
        funding_cap=dice.pick((rulebook.funding_cap, *FUNDING_CAPS)),
        vault_boundary=dice.pick(BOUNDARIES),
    )
    markets = {MarketId(1 + index): _market(dice) for index in range(dice.pick((1, 2, 2, 3)))}
    return Terms(rulebook, markets)


def _market(dice: Dice) -> MarketTerms:
    initial, maintenance = dice.pick(RATES)
    return MarketTerms(initial, maintenance, dice.pick(CAPS), dice.pick(MARKS))
