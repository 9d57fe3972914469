"""Orders that fill in full or not at all, and what goes when an account meets itself."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref import machine
from perpref.machine import Place
from perpref.outcome import Cancelled, Filled, Outcome, Refused
from perpref.state import Exchange, Kind, SelfTrade, Side
from perpref.units import OrderId
from tests.exchanges import ANN, BOB, CY, GOLD, exchange, holds, market, rules, sells


def buying(lots: int, price: int, kind: Kind = Kind.FOK) -> Place:
    return Place(OrderId(9), ANN, GOLD, Side.BUY, kind, lots, price)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(95, 105)), max_size=5), st.data())
def test_fill_or_kill_fills_in_full_or_changes_nothing(
    offers: list[tuple[int, int]], data: st.DataObject
) -> None:
    """What may rest of a limit order is just what makes a fill-or-kill order fail."""
    lots, price = data.draw(st.integers(1, 30)), data.draw(st.integers(94, 106))
    resting = [sells(n, BOB, *offer) for n, offer in enumerate(offers, 1)]
    before = exchange({ANN: holds(10_000), BOB: holds(10_000)}, market(100, *resting))
    there = sum(size for size, at in offers if at <= price)
    outcome = machine.apply(before, buying(lots, price))
    if there < lots:
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.rule) == ("not_filled", "BOOK-14")
    else:
        assert isinstance(outcome, Outcome)
        fills = [event for event in outcome.events if isinstance(event, Filled)]
        assert sum(fill.lots for fill in fills) == lots
        assert outcome == machine.apply(before, buying(lots, price, Kind.LIMIT))


def test_a_maker_that_was_cancelled_on_the_way_is_back() -> None:
    """Bob cannot bear the fill and would be cancelled; Cy alone is not enough."""
    before = exchange(
        {ANN: holds(10_000), BOB: holds(1), CY: holds(10_000)},
        market(100, sells(1, BOB, 5, 99), sells(2, CY, 5, 100)),
    )
    assert isinstance(machine.apply(before, buying(6, 100)), Refused)
    done = machine.apply(before, buying(5, 100))
    assert isinstance(done, Outcome)
    assert [type(event) for event in done.events][:2] == [Cancelled, Filled]


def meeting(mode: SelfTrade) -> Exchange:
    """Bob offers 2, and Ann 3 behind him."""
    return evolve(
        exchange(
            {ANN: holds(10_000), BOB: holds(10_000)},
            market(100, sells(1, BOB, 2, 99), sells(2, ANN, 3, 100), sells(3, BOB, 4, 101)),
        ),
        rulebook=evolve(rules(), self_trade=mode),
    )


@pytest.mark.parametrize(
    ("mode", "filled", "gone", "rest"),
    [
        (SelfTrade.RESTING, 5, [(2, 3, "BOOK-11")], {3: 1}),
        (SelfTrade.INCOMING, 2, [(9, 3, "BOOK-6")], {2: 3, 3: 4}),
        (SelfTrade.BOTH, 2, [(2, 3, "BOOK-11"), (9, 3, "BOOK-6")], {3: 4}),
    ],
)
def test_which_order_goes_when_an_account_meets_itself(
    mode: SelfTrade, filled: int, gone: list[tuple[int, int, str]], rest: dict[int, int]
) -> None:
    outcome = machine.apply(meeting(mode), buying(5, 101, Kind.LIMIT))
    assert isinstance(outcome, Outcome)
    events = outcome.events
    assert sum(event.lots for event in events if isinstance(event, Filled)) == filled
    cancelled = [(e.order, e.lots, e.rule) for e in events if isinstance(e, Cancelled)]
    assert cancelled == gone
    book = outcome.exchange.markets[GOLD].orders
    assert {number: order.lots for number, order in book.items()} == rest


@pytest.mark.parametrize(("price", "lots", "only", "refused"), [
    (100, 9, False, True), (100, 10, False, False), (101, 9, False, True), (100, 9, True, False),
])  # fmt: skip
def test_an_order_that_may_open_is_worth_the_least(
    price: int, lots: int, only: bool, refused: bool
) -> None:
    listed = evolve(market(100), least_notional=1_000)
    before = exchange({ANN: holds(10_000, (-20, -2_000)), BOB: holds(9_999, (20, 2_000))}, listed)
    placed = Place(OrderId(9), ANN, GOLD, Side.BUY, Kind.LIMIT, lots, price, only)
    assert isinstance(machine.apply(before, placed), Refused) is refused


def test_a_market_order_is_worth_its_lots_at_the_mark() -> None:
    listed = evolve(market(100), least_notional=1_000)
    before = exchange({ANN: holds(10_000), BOB: holds(10_000)}, listed)
    for lots, code in ((9, "too_small"), (10, "")):
        outcome = machine.apply(before, buying(lots, 1, Kind.MARKET))
        assert (outcome.code if isinstance(outcome, Refused) else "") == code
