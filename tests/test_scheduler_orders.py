"""Orders that fill in full or not at all, and what goes when an account meets itself."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import astuple, evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from perpref import machine
from perpref.machine import AdvanceClock, Cancel, Place, Replace, Transfer, Withdraw
from perpref.outcome import Cancelled, Filled, Outcome, Refused, Rested
from perpref.scheduler import count_of_orders
from perpref.state import VAULT, Exchange, Kind, Order, SelfTrade, Side
from perpref.units import AccountId, MarketId, OrderId
from tests.exchanges import ANN, BOB, CY, GOLD, OIL, buys, exchange, holds, market, rules, sells


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


def instead(placed: Place, of: int) -> Replace:
    return Replace(OrderId(of), *astuple(placed, recurse=False))


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(95, 105)), max_size=4),
    st.sampled_from(Kind),
    st.sampled_from(Side),
    st.sampled_from(SelfTrade),
    st.data(),
)
def test_replacing_is_cancelling_and_placing_or_neither(
    offers: list[tuple[int, int]], kind: Kind, side: Side, mode: SelfTrade, data: st.DataObject
) -> None:
    """Whatever becomes of the order when it is placed after a cancellation, becomes of it here."""
    lots, price = data.draw(st.integers(0, 12)), data.draw(st.integers(94, 106))
    resting = [sells(n, (BOB, ANN)[n % 2], *offer) for n, offer in enumerate(offers, 2)]
    before = exchange(
        {ANN: holds(data.draw(st.sampled_from((0, 60, 10_000)))), BOB: holds(10_000)},
        market(100, sells(1, ANN, 4, 107), *resting),
        rulebook=evolve(rules(), self_trade=mode),
        last_order=8,
    )
    placed = Place(OrderId(9), ANN, GOLD, side, kind, lots, price)
    cancelled = machine.apply(before, Cancel(ANN, GOLD, OrderId(1)))
    assert isinstance(cancelled, Outcome)
    alone = machine.apply(cancelled.exchange, placed)
    outcome = machine.apply(before, instead(placed, of=1))
    if isinstance(alone, Refused):
        assert outcome == alone
    else:
        assert isinstance(outcome, Outcome)
        assert outcome.exchange == alone.exchange
        assert outcome.events == (Cancelled(GOLD, OrderId(1), ANN, 4, "BOOK-16"), *alone.events)


def smaller(lots: int, keeps: bool, kind: Kind = Kind.LIMIT, **changes: Any) -> Outcome:
    """Ann's offer of 5, ahead of Bob's at 100, gives way to another."""
    before = exchange(
        {ANN: holds(10_000), BOB: holds(10_000)},
        market(100, sells(1, ANN, 5, 100), sells(2, BOB, 5, 100)),
        rulebook=evolve(rules(), smaller_keeps_place=keeps),
        last_order=2,
    )
    placed = Place(OrderId(9), ANN, GOLD, Side.SELL, kind, lots, 100)
    outcome = machine.apply(before, instead(evolve(placed, **changes), of=1))
    assert isinstance(outcome, Outcome)
    assert outcome.exchange.last_order == 9
    return outcome


@pytest.mark.parametrize("kind", [Kind.LIMIT, Kind.POST_ONLY])
@pytest.mark.parametrize("lots", [1, 5])
def test_an_order_that_only_gets_smaller_keeps_its_place(lots: int, kind: Kind) -> None:
    outcome = smaller(lots, keeps=True, kind=kind)
    left = sells(1, ANN, lots, 100)
    assert outcome.events == (Rested(GOLD, left, "BOOK-17"),)
    assert outcome.exchange.markets[GOLD].orders[OrderId(1)] == left
    filled = machine.apply(
        outcome.exchange, Place(OrderId(10), BOB, GOLD, Side.BUY, Kind.IOC, 1, 100)
    )
    assert isinstance(filled, Outcome)
    assert isinstance(filled.events[0], Filled) and filled.events[0].seller == ANN


@pytest.mark.parametrize(
    ("lots", "keeps", "kind", "changes"),
    [
        (4, False, Kind.LIMIT, {}),
        (6, True, Kind.LIMIT, {}),
        (4, True, Kind.IOC, {}),
        (4, True, Kind.LIMIT, {"price": 101}),
        (4, True, Kind.LIMIT, {"side": Side.BUY, "price": 99}),
    ],
)
def test_any_other_replacement_is_placed_anew(
    lots: int, keeps: bool, kind: Kind, changes: dict[str, Any]
) -> None:
    outcome = smaller(lots, keeps, kind, **changes)
    assert outcome.events[0] == Cancelled(GOLD, OrderId(1), ANN, 5, "BOOK-16")
    assert OrderId(1) not in outcome.exchange.markets[GOLD].orders


def test_an_order_that_only_gets_smaller_must_be_what_a_new_order_must_be() -> None:
    before = exchange(
        {ANN: holds(10_000)},
        evolve(market(100, sells(1, ANN, 5, 100)), least_notional=200),
        rulebook=evolve(rules(), smaller_keeps_place=True),
        last_order=2,
    )
    for number, lots, code in ((3, 1, "too_small"), (2, 4, "order_id_not_new"), (3, 2, "")):
        placed = Place(OrderId(number), ANN, GOLD, Side.SELL, Kind.LIMIT, lots, 100)
        outcome = machine.apply(before, instead(placed, of=1))
        assert (outcome.code if isinstance(outcome, Refused) else "") == code


def test_reduce_only_is_part_of_what_an_order_is() -> None:
    resting = sells(1, ANN, 5, 100)
    before = exchange(
        {ANN: holds(10_000, (9, 900))},
        market(100, resting),
        rulebook=evolve(rules(), smaller_keeps_place=True),
        last_order=2,
    )
    placed = Place(OrderId(9), ANN, GOLD, Side.SELL, Kind.LIMIT, 4, 100, reduce_only=True)
    outcome = machine.apply(before, instead(placed, of=1))
    assert isinstance(outcome, Outcome)
    assert outcome.exchange.markets[GOLD].orders[OrderId(9)].reduce_only


@given(
    st.lists(
        st.tuples(
            st.sampled_from((ANN, BOB)),
            st.sampled_from(Side),
            st.sampled_from(Kind),
            st.integers(1, 4),
            st.integers(97, 103),
            st.booleans(),
        ),
        max_size=12,
    ),
    st.integers(1, 3),
)
def test_nobody_ever_has_more_orders_resting_than_the_rulebook_says(
    asked: list[tuple[AccountId, Side, Kind, int, int, bool]], most: int
) -> None:
    """Whatever is asked; and what cannot rest is never refused for it."""
    now = exchange(
        {ANN: holds(10_000, (5, 500)), BOB: holds(10_000, (-5, -500))},
        market(100),
        rulebook=evolve(rules(), most_orders=most),
    )
    for number, (account, side, kind, lots, price, only) in enumerate(asked, 1):
        placed = Place(OrderId(number), account, GOLD, side, kind, lots, price, only)
        full = count_of_orders(now, GOLD, account) == most
        outcome = machine.apply(now, placed)
        if isinstance(outcome, Refused):
            assert outcome.code != "too_many_orders" or (full and kind.rests)
            continue
        assert not (full and kind.rests)
        now = outcome.exchange
        assert all(count_of_orders(now, GOLD, account) <= most for account in (ANN, BOB))


@given(
    st.lists(st.tuples(st.sampled_from((GOLD, OIL)), st.integers(0, 9)), max_size=6),
    st.lists(st.integers(1, 12), max_size=4),
)
def test_orders_rest_until_their_time_and_no_longer(
    asked: list[tuple[MarketId, int]], times: list[int]
) -> None:
    """Nothing is cancelled early, late, twice, or out of the order of markets and identifiers."""
    now = exchange({ANN: holds(10_000)})
    for number, (where, expires) in enumerate(asked, 1):
        placed = Place(OrderId(number), ANN, where, Side.BUY, Kind.LIMIT, 1, 99, expires=expires)
        outcome = machine.apply(now, placed)
        assert isinstance(outcome, Outcome)
        now = outcome.exchange
    left = dict(enumerate(asked, 1))
    for time in sorted(set(times)):
        outcome = machine.apply(now, AdvanceClock(time))
        assert isinstance(outcome, Outcome)
        over = sorted((where, n) for n, (where, expires) in left.items() if 0 < expires <= time)
        assert outcome.events == tuple(
            Cancelled(where, OrderId(n), ANN, 1, "BOOK-21") for where, n in over
        )
        left = {n: order for n, order in left.items() if (order[0], n) not in over}
        now = outcome.exchange
        rests = {n for where in (GOLD, OIL) for n in now.markets[where].orders}
        assert rests == set(left)


def test_orders_expire_before_anybody_is_liquidated() -> None:
    """Ann is due, and Bob's bid would save her; but its time comes with the clock."""
    bid = evolve(buys(1, BOB, 10, 100), expires=5)
    before = exchange(
        {ANN: holds(0, (10, 1_000)), BOB: holds(10_000), VAULT: holds(10_000)}, market(100, bid)
    )
    for time, rule in ((4, "LIQ-6"), (5, "VLT-1")):
        outcome = machine.apply(before, AdvanceClock(time))
        assert isinstance(outcome, Outcome)
        assert [event.rule for event in outcome.events if isinstance(event, Filled)] == [rule]


@pytest.mark.parametrize("kind", [Kind.IOC, Kind.FOK, Kind.MARKET, Kind.LIMIT])
def test_every_kind_may_have_a_time_that_has_not_come(kind: Kind) -> None:
    before = evolve(
        exchange({ANN: holds(10_000), BOB: holds(10_000)}, market(100, sells(1, BOB, 9, 100))),
        now=5,
    )
    for expires, code in ((4, "expired"), (5, "expired"), (6, ""), (0, "")):
        outcome = machine.apply(before, evolve(buying(3, 100, kind), expires=expires))
        assert (outcome.code if isinstance(outcome, Refused) else "") == code


@given(
    st.integers(0, 400),
    st.integers(-9, 9),
    st.lists(
        st.tuples(st.sampled_from(Side), st.integers(1, 9), st.booleans()), min_size=1, max_size=6
    ),
    st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 12)), max_size=4),
)
def test_an_order_with_margin_always_fills_at_the_mark(
    cash: int,
    size: int,
    asked: list[tuple[Side, int, bool]],
    hits: list[tuple[Side, int]],
) -> None:
    """All of Ann's orders are at the mark, one side at a time; Bob hits them in any order.

    She has margin for what she holds: an order that reserves nothing more is taken without.
    """
    assume(cash >= 10 * abs(size))
    now = exchange(
        {ANN: holds(cash, (size, size * 100)), BOB: holds(10**6)},
        market(100),
        rulebook=evolve(rules(), order_margin=True, self_trade=SelfTrade.INCOMING),
    )
    for number, (side, lots, only) in enumerate(asked, 1):
        placed = Place(OrderId(number), ANN, GOLD, side, Kind.POST_ONLY, lots, 100, only)
        outcome = machine.apply(now, placed)
        now = outcome.exchange if isinstance(outcome, Outcome) else now
    for number, (side, lots) in enumerate(hits, 100):
        outcome = machine.apply(now, Place(OrderId(number), BOB, GOLD, side, Kind.IOC, lots, 100))
        assert isinstance(outcome, Outcome)
        assert all(event.rule != "BOOK-5" for event in outcome.events)
        now = outcome.exchange


def reserving(cash: int, *resting: Order, size: int = 0) -> Exchange:
    """At a mark of 100 a lot needs 10."""
    return exchange(
        {ANN: holds(cash, (size, size * 100)), BOB: holds(10**6)},
        market(100, *resting),
        rulebook=evolve(rules(), order_margin=True),
        last_order=8,
    )


@pytest.mark.parametrize(
    ("before", "placed", "code"),
    [
        (reserving(50), buying(5, 1, Kind.LIMIT), ""),
        (reserving(50), buying(6, 1, Kind.LIMIT), "orders_need_margin"),
        (reserving(50), buying(6, 1, Kind.IOC), "orders_need_margin"),
        (reserving(50), buying(6, 1, Kind.MARKET), "orders_need_margin"),
        (reserving(50, buys(1, ANN, 4, 90)), buying(2, 90, Kind.LIMIT), "orders_need_margin"),
        (reserving(50, sells(1, ANN, 5, 110)), buying(5, 90, Kind.LIMIT), ""),
        (reserving(50, buys(1, BOB, 5, 90)), buying(5, 90, Kind.LIMIT), ""),
        (reserving(50, size=-5), buying(10, 90, Kind.LIMIT), ""),
        (reserving(50, size=-5), buying(11, 90, Kind.LIMIT), "orders_need_margin"),
        (reserving(10, size=-5), buying(10, 90, Kind.LIMIT), ""),
        (reserving(10, size=-5), evolve(buying(9, 90, Kind.LIMIT), reduce_only=True), ""),
    ],
)
def test_resting_orders_reserve_margin(before: Exchange, placed: Place, code: str) -> None:
    outcome = machine.apply(before, placed)
    assert (outcome.code if isinstance(outcome, Refused) else "") == code


def test_a_replacement_is_weighed_against_what_it_replaces() -> None:
    """Ann has 10, and an order for 5 that needs 50, from better days."""
    before = reserving(10, buys(1, ANN, 5, 90))
    for lots, code in ((6, "orders_need_margin"), (5, ""), (3, "")):
        outcome = machine.apply(before, instead(buying(lots, 91, Kind.LIMIT), of=1))
        assert (outcome.code if isinstance(outcome, Refused) else "") == code


def test_margin_in_all_markets_is_one_sum() -> None:
    before = reserving(90, buys(1, ANN, 5, 90))
    listed = before.markets.put(OIL, market(200, sells(2, ANN, 1, 250)))
    both = evolve(before, markets=listed)
    for lots, code in ((2, ""), (3, "orders_need_margin")):
        outcome = machine.apply(both, buying(lots, 90, Kind.LIMIT))
        assert (outcome.code if isinstance(outcome, Refused) else "") == code


def test_cash_that_orders_need_does_not_leave() -> None:
    before = reserving(50, buys(1, ANN, 3, 90))
    for amount, code in ((20, ""), (21, "orders_need_margin"), (51, "not_withdrawable")):
        for command in (Withdraw(ANN, amount), Transfer(ANN, BOB, amount)):
            outcome = machine.apply(before, command)
            assert (outcome.code if isinstance(outcome, Refused) else "") == code
    assert isinstance(machine.apply(before, Transfer(ANN, ANN, 20)), Outcome)


def test_profit_that_nobody_has_realised_covers_orders_and_does_not_let_cash_leave() -> None:
    """At 120 Ann has 60 and a profit of 40, and needs 60 for her 2 lots and her bid for 3."""
    before = reserving(60, buys(1, ANN, 3, 90), size=2)
    raised = evolve(
        before, markets=before.markets.put(GOLD, evolve(before.markets[GOLD], mark=120))
    )
    assert isinstance(machine.apply(raised, Withdraw(ANN, 1)), Refused)
    for lots, code in ((3, ""), (4, "orders_need_margin")):
        outcome = machine.apply(raised, buying(lots, 90, Kind.LIMIT))
        assert (outcome.code if isinstance(outcome, Refused) else "") == code
