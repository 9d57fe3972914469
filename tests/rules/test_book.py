"""BOOK: orders, who is first, and one fill between two of them."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.outcome import Cancelled, Filled, Paid, Rested
from perpref.rules import book, ledger, mark
from perpref.rules.book import (
    UNPRICED,
    accept,
    ahead,
    best,
    better,
    cancel,
    crosses,
    fill_from_book,
    match,
    only_smaller,
    parties,
    reducible,
    require_maker_bears,
    rest,
    shrink,
)
from perpref.rules.margin import Health
from perpref.state import TREASURY, Account, Exchange, Order, Position, Side
from perpref.units import MAX_ID, MAX_LOTS, MAX_PRICE, MarketId, OrderId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    GOLD,
    OIL,
    buys,
    collateral,
    exchange,
    holds,
    market,
    orders,
    position,
    refuses,
    require_lawful,
    rules,
    sells,
)

# Taking note of an order.


@pytest.mark.parametrize(
    "taken",
    [
        buys(8, ANN, 1, 1),
        buys(8, ANN, MAX_LOTS, MAX_PRICE),
        sells(9, ANN, 5, 7),
        sells(MAX_ID, ANN, 5, 7),
    ],
)
def test_an_order_within_bounds_is_noted(taken: Order) -> None:
    before = exchange({ANN: holds(10)}, last_order=7)
    outcome = accept(before, GOLD, taken)
    after = outcome.exchange
    assert outcome.events == ()
    assert after.last_order == taken.id
    assert (after.accounts, after.markets) == (before.accounts, before.markets)


def test_an_order_out_of_bounds_is_refused() -> None:
    before = exchange({ANN: holds(10)}, last_order=7)
    with refuses(mark.UNKNOWN_MARKET, 3):
        accept(before, MarketId(3), buys(8, ANN, 1, 1))
    with refuses(ledger.UNKNOWN_ACCOUNT, BOB):
        accept(before, GOLD, buys(8, BOB, 1, 1))
    for price in (0, MAX_PRICE + 1):
        with refuses(mark.PRICE_OUT_OF_BOUNDS, price, 10**12):
            accept(before, GOLD, buys(8, ANN, 1, price))
    for lots in (0, -1, MAX_LOTS + 1):
        with refuses(book.LOTS_OUT_OF_BOUNDS, lots, 10**12):
            accept(before, GOLD, buys(8, ANN, lots, 1))
    with refuses(ledger.ID_OUT_OF_BOUNDS, MAX_ID + 1, 10**18):
        accept(before, GOLD, buys(MAX_ID + 1, ANN, 1, 1))
    for number in (7, 6, 0, -1):
        with refuses(book.ORDER_ID_NOT_NEW, number, 7):
            accept(before, GOLD, buys(number, ANN, 1, 1))


# Who is first.


def test_the_better_price_is_first_then_the_earlier_order() -> None:
    assert ahead(buys(2, ANN, 1, 101), buys(1, BOB, 1, 100))
    assert not ahead(buys(1, BOB, 1, 100), buys(2, ANN, 1, 101))
    assert ahead(sells(2, ANN, 1, 99), sells(1, BOB, 1, 100))
    assert not ahead(sells(1, BOB, 1, 100), sells(2, ANN, 1, 99))
    assert ahead(buys(1, ANN, 1, 100), buys(2, BOB, 1, 100))
    assert not ahead(buys(2, BOB, 1, 100), buys(1, ANN, 1, 100))
    assert not ahead(buys(1, ANN, 1, 100), buys(1, ANN, 1, 100))


@pytest.mark.parametrize(
    ("side", "price", "other", "expected"),
    [
        (Side.BUY, 101, 100, True),
        (Side.BUY, 100, 100, False),
        (Side.BUY, 99, 100, False),
        (Side.SELL, 99, 100, True),
        (Side.SELL, 100, 100, False),
        (Side.SELL, 101, 100, False),
    ],
)
def test_a_better_price(side: Side, price: int, other: int, expected: bool) -> None:
    assert better(side, price, other) is expected


@given(
    side=st.sampled_from(Side),
    prices=st.lists(st.integers(1, 4), min_size=1, max_size=9),
    other=st.integers(1, 4),
)
def test_the_best_order_is_the_first_by_price_and_time(
    side: Side, prices: list[int], other: int
) -> None:
    ours = [Order(OrderId(n), ANN, side, p, 1) for n, p in enumerate(prices, 1)]
    theirs = Order(OrderId(50), BOB, side.opposite, other, 1)
    found = best(market(100, *ours, theirs), side)
    assert found == min(ours, key=lambda o: (-o.price if side is Side.BUY else o.price, o.id))


def test_an_empty_side_has_no_best_order() -> None:
    assert best(market(100, buys(1, ANN, 1, 90)), Side.SELL) is None
    assert best(market(100), Side.BUY) is None


@pytest.mark.parametrize(
    ("side", "price", "maker_price", "expected"),
    [
        (Side.BUY, 100, 99, True),
        (Side.BUY, 100, 100, True),
        (Side.BUY, 100, 101, False),
        (Side.SELL, 100, 101, True),
        (Side.SELL, 100, 100, True),
        (Side.SELL, 100, 99, False),
    ],
)
def test_crossing(side: Side, price: int, maker_price: int, expected: bool) -> None:
    assert crosses(side, price, maker_price) is expected


def test_a_market_order_takes_any_price() -> None:
    assert UNPRICED == {Side.BUY: 10**12, Side.SELL: 1}


@pytest.mark.parametrize(
    ("wanted", "size", "lots"),
    [
        (buys(1, ANN, 5, 9), 7, 5),  # not reduce-only
        (buys(1, ANN, 5, 9, only=True), -7, 5),
        (buys(1, ANN, 5, 9, only=True), -5, 5),
        (buys(1, ANN, 5, 9, only=True), -4, 4),
        (buys(1, ANN, 5, 9, only=True), -1, 1),
        (buys(1, ANN, 5, 9, only=True), 0, 0),
        (buys(1, ANN, 5, 9, only=True), 7, 0),
        (sells(1, ANN, 5, 9, only=True), 7, 5),
        (sells(1, ANN, 5, 9, only=True), 4, 4),
        (sells(1, ANN, 5, 9, only=True), 1, 1),
        (sells(1, ANN, 5, 9, only=True), 0, 0),
        (sells(1, ANN, 5, 9, only=True), -7, 0),
    ],
)
def test_a_reduce_only_order_fills_as_far_as_it_closes(wanted: Order, size: int, lots: int) -> None:
    assert reducible(wanted, Position(size, 0)) == lots


# One fill.


def two_traders(
    *resting: Order,
    ann: Account | None = None,
    bob: Account | None = None,
    maker_fee: int = 0,
    taker_fee: int = 0,
) -> Exchange:
    return exchange(
        {ANN: ann or holds(1_000), BOB: bob or holds(1_000)},
        market(100, *resting),
        rulebook=rules(maker=maker_fee, taker=taker_fee),
    )


@pytest.mark.parametrize(("wanted", "lots"), [(3, 3), (4, 4), (5, 4)])
def test_a_fill_takes_the_lots_that_both_have(wanted: int, lots: int) -> None:
    maker = sells(1, BOB, 4, 98)
    outcome = match(two_traders(maker), GOLD, buys(2, ANN, wanted, 101), maker, 98)
    after = outcome.exchange
    assert position(after, ANN) == (lots, 98 * lots)
    assert position(after, BOB) == (-lots, -98 * lots)
    assert orders(after) == ({1: 4 - lots} if lots < 4 else {})
    assert outcome.events[0] == Filled(ANN, BOB, GOLD, lots, 98, "BOOK-3")
    require_lawful(after)


def test_a_taker_that_sells_meets_a_bid() -> None:
    maker = buys(1, BOB, 4, 102)
    after = match(two_traders(maker), GOLD, sells(2, ANN, 3, 100), maker, 102).exchange
    assert position(after, ANN) == (-3, -306)
    assert position(after, BOB) == (3, 306)
    assert after.markets[GOLD].orders[OrderId(1)] == buys(1, BOB, 1, 102)


def test_buyer_and_seller_follow_from_the_takers_side() -> None:
    assert parties(buys(2, ANN, 1, 1), sells(1, BOB, 1, 1)) == (ANN, BOB)
    assert parties(sells(2, ANN, 1, 1), buys(1, BOB, 1, 1)) == (BOB, ANN)


def test_the_taker_pays_first_then_the_maker() -> None:
    maker = sells(1, BOB, 4, 100)
    before = two_traders(maker, maker_fee=1_000, taker_fee=10_000)
    # of 400: a hundredth, and a thousandth rounded up
    outcome = match(before, GOLD, buys(2, ANN, 4, 100), maker, 100)
    assert outcome.events[1:] == (Paid(ANN, TREASURY, 4, "FEE-3"), Paid(BOB, TREASURY, 1, "FEE-2"))
    assert collateral(outcome.exchange, TREASURY) == 5


@pytest.mark.parametrize("price", [97, 98, 99, 100, 101])
def test_a_price_within_both_limits_may_be_agreed(price: int) -> None:
    maker = sells(1, BOB, 4, 97)
    after = match(two_traders(maker), GOLD, buys(2, ANN, 4, 101), maker, price).exchange
    assert position(after, ANN) == (4, 4 * price)


@pytest.mark.parametrize(("price", "limit"), [(96, 97), (102, 101)])
def test_a_price_beyond_a_limit_is_refused(price: int, limit: int) -> None:
    seller = sells(1, BOB, 4, 97)
    with refuses(book.PRICE_NOT_AGREED, price, limit):
        match(two_traders(seller), GOLD, buys(2, ANN, 4, 101), seller, price)
    buyer = buys(1, BOB, 4, 101)
    with refuses(book.PRICE_NOT_AGREED, price, limit):
        match(two_traders(buyer), GOLD, sells(2, ANN, 4, 97), buyer, price)


def test_nobody_trades_with_oneself() -> None:
    maker = sells(1, ANN, 4, 100)
    with refuses(book.SELF_TRADE, ANN):
        match(two_traders(maker), GOLD, buys(2, ANN, 4, 100), maker, 100)


def test_a_reduce_only_taker_stops_at_flat() -> None:
    maker = buys(1, BOB, 9, 100)
    before = two_traders(maker, ann=holds(1_000, (3, 300)))
    after = match(before, GOLD, sells(2, ANN, 9, 100, only=True), maker, 100).exchange
    assert position(after, ANN) == (0, 0)
    assert orders(after) == {1: 6}


@pytest.mark.parametrize("size", [0, -3])
def test_a_reduce_only_taker_with_nothing_to_close_is_refused(size: int) -> None:
    maker = buys(1, BOB, 9, 100)
    before = two_traders(maker, ann=holds(1_000, (size, 100 * size)))
    with refuses(book.NOTHING_TO_REDUCE, size):
        match(before, GOLD, sells(2, ANN, 9, 100, only=True), maker, 100)


def test_a_reduce_only_maker_stops_at_flat_and_keeps_the_rest_of_its_order() -> None:
    maker = sells(1, BOB, 9, 100, only=True)
    before = two_traders(maker, bob=holds(1_000, (3, 300)))
    after = match(before, GOLD, buys(2, ANN, 9, 100), maker, 100).exchange
    assert position(after, BOB) == (0, 0)
    assert orders(after) == {1: 6}


@pytest.mark.parametrize("size", [0, -3])
def test_a_reduce_only_maker_with_nothing_to_close_is_refused(size: int) -> None:
    maker = sells(1, BOB, 9, 100, only=True)
    before = two_traders(maker, bob=holds(1_000, (size, 100 * size)))
    with refuses(book.MAKER_CANNOT_REDUCE, size):
        match(before, GOLD, buys(2, ANN, 9, 100), maker, 100)


@pytest.mark.parametrize(("side", "limit"), [(Side.BUY, 100), (Side.SELL, 100)])
def test_initial_margin_is_needed_by_both(side: Side, limit: int) -> None:
    # 10 lots at 100: initial margin 100, fees 10 (taker, a hundredth) and 1 (maker, a thousandth)
    taker = Order(OrderId(2), ANN, side, limit, 10)
    maker = Order(OrderId(1), BOB, side.opposite, 100, 10)

    def fill(ann: int, bob: int) -> Exchange:
        before = two_traders(
            maker, ann=holds(ann), bob=holds(bob), maker_fee=1_000, taker_fee=10_000
        )
        return match(before, GOLD, taker, maker, 100).exchange

    after = fill(110, 101)
    assert (collateral(after, ANN), collateral(after, BOB)) == (100, 100)
    with refuses(book.TAKER_CANNOT_BEAR, 99, 100):
        fill(109, 101)
    with refuses(book.MAKER_CANNOT_BEAR, 99, 100):
        fill(110, 100)
    with refuses(book.TAKER_CANNOT_BEAR, 99, 100):
        fill(109, 100)


def test_reducing_is_allowed_below_initial_margin() -> None:
    # equity 60 on 10 lots (initial 100, maintenance 50), closing 5 at the mark: 60 on 25
    maker = buys(1, BOB, 5, 100)
    before = two_traders(maker, ann=holds(60, (10, 1_000)))
    after = match(before, GOLD, sells(2, ANN, 5, 100), maker, 100).exchange
    assert position(after, ANN) == (5, 500)


def test_reducing_far_from_the_mark_is_refused_when_cover_gets_worse() -> None:
    # equity 60 on 50; closing 2 of 10 at 94 loses 12: 48 on 40, as good; at 93 it is 46 on 40
    for price, equity in ((94, None), (93, 46)):
        maker = buys(1, BOB, 2, price)
        before = two_traders(maker, ann=holds(60, (10, 1_000)))
        taker = sells(2, ANN, 2, price)
        if equity is None:
            assert position(match(before, GOLD, taker, maker, price).exchange, ANN)[0] == 8
        else:
            with refuses(book.TAKER_CANNOT_BEAR, equity, 80):
                match(before, GOLD, taker, maker, price)


def test_a_maker_that_reduces_is_judged_as_one_that_reduces() -> None:
    # as above, with the parts exchanged
    for price, equity in ((94, None), (93, 46)):
        maker = sells(1, BOB, 2, price)
        before = two_traders(maker, bob=holds(60, (10, 1_000)))
        taker = buys(2, ANN, 2, price)
        if equity is None:
            assert position(match(before, GOLD, taker, maker, price).exchange, BOB)[0] == 8
        else:
            with refuses(book.MAKER_CANNOT_BEAR, equity, 80):
                match(before, GOLD, taker, maker, price)


def test_who_bears_as_a_maker_depends_on_the_position_before() -> None:
    after = exchange({BOB: holds(46, (8, 800))})
    # reducing from 10 to 8: 46 on 40 against 57 on 50 is better
    require_maker_bears(after, after, GOLD, BOB, Position(10, 1_000), Health(57, 50, 100))
    # not reducing: it was 8 before
    with refuses(book.MAKER_CANNOT_BEAR, 46, 80):
        require_maker_bears(after, after, GOLD, BOB, Position(8, 800), Health(57, 50, 100))


def test_a_fill_from_the_book_carries_its_reason() -> None:
    maker = sells(1, BOB, 4, 98)
    outcome = fill_from_book(two_traders(maker), ANN, BOB, GOLD, maker, 1, 99, "LIQ-6")
    assert outcome.events == (Filled(ANN, BOB, GOLD, 1, 99, "LIQ-6"),)
    assert outcome.exchange.markets[GOLD].orders[OrderId(1)] == sells(1, BOB, 3, 98)


# Resting and cancelling.


def test_an_order_rests_without_margin() -> None:
    before = exchange({ANN: holds(0)})
    resting = buys(4, ANN, 1_000, 99)
    outcome = rest(before, GOLD, resting)
    assert outcome.exchange.markets[GOLD].orders[OrderId(4)] == resting
    assert outcome.exchange.markets[OIL] == before.markets[OIL]
    assert outcome.exchange.accounts == before.accounts
    assert outcome.events == (Rested(GOLD, resting, "BOOK-9"),)


def test_one_cancels_ones_own_order() -> None:
    before = two_traders(buys(1, ANN, 4, 98), buys(2, BOB, 5, 97))
    outcome = cancel(before, GOLD, OrderId(1), ANN, "BOOK-10")
    assert orders(outcome.exchange) == {2: 5}
    assert outcome.events == (Cancelled(GOLD, OrderId(1), ANN, 4, "BOOK-10"),)


def test_what_may_not_be_cancelled() -> None:
    before = two_traders(buys(1, ANN, 4, 98))
    with refuses(mark.UNKNOWN_MARKET, 3):
        cancel(before, MarketId(3), OrderId(1), ANN, "BOOK-10")
    with refuses(book.UNKNOWN_ORDER, 2):
        cancel(before, GOLD, OrderId(2), ANN, "BOOK-10")
    with refuses(book.UNKNOWN_ORDER, 1):
        cancel(before, OIL, OrderId(1), ANN, "BOOK-10")
    with refuses(book.NOT_YOUR_ORDER, CY, ANN):
        cancel(before, GOLD, OrderId(1), CY, "BOOK-10")


@pytest.mark.parametrize(
    ("price", "tick"),
    [(1, 1), (99_999, 1), (100_000, 10), (999_999, 10), (1_000_000, 100), (10**9, 1_000)],
)
def test_a_tick_leaves_five_figures(price: int, tick: int) -> None:
    assert book.tick_at(price, 5, 1, 1_000) == tick
    assert book.is_on_tick(price - price % tick, 5, 1, 1_000)


def test_a_whole_unit_is_always_on_its_tick() -> None:
    assert book.is_on_tick(123_456_000, 5, 1, 1_000)
    assert not book.is_on_tick(123_456_500, 5, 1, 1_000)
    assert book.is_on_tick(123_450, 5, 1, 1_000)
    assert not book.is_on_tick(123_456, 5, 1, 1_000)


def test_below_initial_margin_only_what_reduces_may_rest() -> None:
    """A short of 5: the bids nearest to being filled, as long as they fit."""
    far, near, same = buys(1, ANN, 3, 90), buys(2, ANN, 2, 95), buys(3, ANN, 2, 95)
    offer = sells(4, ANN, 1, 110)
    assert book.kept(-5, (far, near, same, offer)) == (near, same)
    assert book.kept(-7, (far, near, same, offer)) == (far, near, same)
    assert book.kept(-3, (far, near, same, offer)) == (near,)
    assert book.kept(1, (far, near, same, offer)) == (offer,)


@pytest.mark.parametrize("now", [5, 6])
def test_a_resting_order_does_not_fill_at_its_time_or_later(now: int) -> None:
    maker = evolve(sells(1, BOB, 2, 100), expires=5)
    before = exchange({ANN: holds(500), BOB: holds(500)}, market(100, maker))
    late = evolve(before, now=now)
    with refuses(book.MAKER_EXPIRED, 5, now):
        fill_from_book(late, ANN, BOB, GOLD, maker, 1, 100, "LIQ-6")
    filled = fill_from_book(evolve(before, now=4), ANN, BOB, GOLD, maker, 1, 100, "LIQ-6")
    assert orders(filled.exchange) == {1: 1}


# An order that only gets smaller.

RESTING = evolve(sells(1, BOB, 5, 100), expires=7)


@pytest.mark.parametrize("lots", [1, 4, 5])
def test_the_same_with_no_more_lots_is_only_smaller(lots: int) -> None:
    assert only_smaller(RESTING, evolve(RESTING, id=OrderId(9), lots=lots))


@pytest.mark.parametrize(
    "other",
    [
        evolve(RESTING, lots=6),
        evolve(RESTING, price=99),
        evolve(RESTING, side=Side.BUY),
        evolve(RESTING, reduce_only=True),
        evolve(RESTING, expires=8),
        evolve(RESTING, expires=0),
    ],
)
def test_with_more_lots_or_otherwise_different_it_is_another(other: Order) -> None:
    assert not only_smaller(RESTING, other)


def test_a_shrunk_order_keeps_all_but_its_lots() -> None:
    before = exchange({ANN: holds(500), BOB: holds(500)}, market(100, RESTING), last_order=3)
    outcome = shrink(before, GOLD, OrderId(1), evolve(RESTING, id=OrderId(4), lots=2))
    left = evolve(RESTING, lots=2)
    assert outcome.events == (Rested(GOLD, left, "BOOK-17"),)
    assert dict(outcome.exchange.markets[GOLD].orders.items()) == {1: left}
    assert outcome.exchange.last_order == 4
    grown = shrink(before, GOLD, OrderId(1), evolve(RESTING, id=OrderId(4), lots=9)).exchange
    assert orders(grown) == {1: 5}


def test_only_an_own_order_that_rests_is_shrunk() -> None:
    before = exchange({ANN: holds(500), BOB: holds(500)}, market(100, RESTING), last_order=3)
    with refuses(book.NOT_YOUR_ORDER, ANN, BOB):
        shrink(before, GOLD, OrderId(1), sells(4, ANN, 2, 100))
    with refuses(book.UNKNOWN_ORDER, 2):
        shrink(before, GOLD, OrderId(2), sells(4, BOB, 2, 100))
    with refuses(book.ORDER_ID_NOT_NEW, 3, 3):
        shrink(before, GOLD, OrderId(1), sells(3, BOB, 2, 100))


# What an order is worth, and a market that is paused.


@pytest.mark.parametrize(
    ("order", "price", "enough"),
    [
        (buys(1, ANN, 10, 50), 50, True),
        (buys(1, ANN, 10, 50), 49, False),
        (sells(1, ANN, 9, 50), 56, True),
        (sells(1, ANN, 9, 50), 55, False),
        (sells(1, ANN, 1, 1, only=True), 1, True),
    ],
)
def test_an_order_that_may_open_is_worth_five_hundred(
    order: Order, price: int, enough: bool
) -> None:
    before = exchange({ANN: holds(500)}, evolve(market(100), least_notional=500))
    if enough:
        book.require_worth(before, GOLD, order, price)
    else:
        with refuses(book.TOO_SMALL, order.lots * price, 500):
            book.require_worth(before, GOLD, order, price)


def test_a_paused_market_accepts_no_order() -> None:
    before = exchange({ANN: holds(500)}, evolve(market(100), paused=True))
    with refuses(mark.PAUSED, GOLD):
        accept(before, GOLD, buys(1, ANN, 1, 100))
