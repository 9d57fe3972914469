"""SET: a market ends, and nobody is richer or poorer by it."""

from __future__ import annotations

import pytest
from attrs import evolve

from perpref.outcome import Filled, Marked
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


def test_a_pause_comes_once() -> None:
    before = exchange({ANN: holds(50)})
    paused = settlement.pause(before, GOLD).exchange
    assert paused.markets[GOLD] == evolve(before.markets[GOLD], paused=True)
    assert paused.markets[OIL] == before.markets[OIL]
    with refuses(mark.PAUSED, GOLD):
        settlement.pause(paused, GOLD)
    with refuses(settlement.NOT_PAUSED, OIL):
        settlement.resume(paused, OIL)
    with refuses(mark.SETTLING, GOLD):
        settlement.pause(ending(100, 100), GOLD)
    with refuses(mark.SETTLING, GOLD):
        settlement.resume(settlement.begin_settlement(paused, GOLD).exchange, GOLD)


def test_a_market_goes_on_at_the_last_word() -> None:
    before = settlement.pause(exchange({ANN: holds(50)}), GOLD).exchange
    told = mark.set_mark(mark.set_mark(before, GOLD, 70).exchange, GOLD, 60).exchange
    outcome = settlement.resume(told, GOLD)
    listed = outcome.exchange.markets[GOLD]
    assert (listed.mark, listed.previous_mark, listed.next_mark) == (60, 100, 0)
    assert not listed.paused
    assert outcome.events == (Marked(GOLD, 60, "SET-5"),)


def test_without_a_word_it_goes_on_as_it_was() -> None:
    start = exchange({ANN: holds(50)})
    outcome = settlement.resume(settlement.pause(start, GOLD).exchange, GOLD)
    assert outcome.exchange == start
    assert outcome.events == ()


def test_it_does_not_go_on_at_an_old_mark() -> None:
    start = exchange({ANN: holds(50)})
    start = evolve(start, rulebook=evolve(start.rulebook, mark_age=5))
    paused = evolve(settlement.pause(start, GOLD).exchange, now=6)
    with refuses(mark.STALE, 6, 5):
        settlement.resume(paused, GOLD)
    settlement.resume(mark.set_mark(paused, GOLD, 100).exchange, GOLD)
