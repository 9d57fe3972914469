"""SET: a market ends, and nobody is richer or poorer by it."""

from __future__ import annotations

import pytest

from perpref.outcome import Filled
from perpref.rule_registry import Refusal
from perpref.rules import mark, settlement
from perpref.rules.margin import equity
from perpref.rules.vault import MORE_THAN_THERE_IS
from perpref.state import Exchange
from perpref.units import MarketId
from tests.exchanges import ANN, BOB, CY, GOLD, OIL, exchange, holds, market, position, refuses


def ending(ann: int, bob: int) -> Exchange:
    before = exchange(
        {ANN: holds(ann, (5, 600)), BOB: holds(bob, (-3, -300)), CY: holds(9, (-2, -200))},
        market(110),
    )
    return settlement.begin_settlement(before, GOLD).exchange


def test_a_market_ends_once_and_alone() -> None:
    after = ending(100, 100)
    assert after.markets[GOLD].settling
    assert not after.markets[OIL].settling
    with refuses(mark.SETTLING, GOLD):
        settlement.begin_settlement(after, GOLD)
    with refuses(mark.UNKNOWN_MARKET, MarketId(7)):
        settlement.begin_settlement(after, MarketId(7))
    with refuses(settlement.NOT_SETTLING, OIL):
        settlement.settle(after, ANN, BOB, OIL, 1)
    with refuses(mark.UNKNOWN_MARKET, MarketId(7)):
        settlement.settle(after, ANN, BOB, MarketId(7), 1)


def test_two_sides_are_closed_at_the_last_mark() -> None:
    before = ending(100, 100)
    outcome = settlement.settle(before, ANN, BOB, GOLD, 3)
    assert outcome.events == (Filled(BOB, ANN, GOLD, 3, 110, "SET-2"),)
    assert position(outcome.exchange, ANN) == (2, 240)
    assert position(outcome.exchange, BOB) == (0, 0)
    for account in (ANN, BOB, CY):
        assert equity(outcome.exchange, account) == equity(before, account)
    with refuses(MORE_THAN_THERE_IS, 4, 3):
        settlement.settle(before, ANN, BOB, GOLD, 4)


@pytest.mark.parametrize(("ann", "bob", "owes"), [(49, 100, -1), (100, 29, -1)])
def test_who_owes_is_not_settled(ann: int, bob: int, owes: int) -> None:
    """Ann has lost 50, Bob 30."""
    with refuses(settlement.INSOLVENT, owes):
        settlement.settle(ending(ann, bob), ANN, BOB, GOLD, 1)
    settlement.settle(ending(50, 30), ANN, BOB, GOLD, 1)


def test_a_winner_and_a_winner_do_not_close_each_other() -> None:
    before = ending(100, 100)
    with pytest.raises(Refusal):
        settlement.settle(before, BOB, CY, GOLD, 1)
