"""BOOK: priority is a total order, and a fill hurts nobody who cannot bear it."""

from __future__ import annotations

from attrs import evolve

from perpref.rules import admission, book
from perpref.rules.margin import position_of
from perpref.state import TREASURY, Exchange, Order, Side
from perpref.units import (
    MAX_LOTS,
    MAX_PRICE,
    PARTS,
    AccountId,
    MarketId,
    OrderId,
    floor_div,
)
from proofs.contracts import ALL_CONTRACTS, MARGINS
from proofs.executor import all_of, any_of, assume, claim, fresh_int, implies
from proofs.laws import QUIET, Step, action, take
from proofs.registry import Strength, tested, theorem
from proofs.world import any_exchange, any_order, between


@theorem("T-BOOK", "BOOK-2", subject="ahead")
def priority_is_a_strict_total_order() -> None:
    """Of two different orders exactly one is ahead, and whoever is ahead of the second is first."""
    for side in Side:
        first, second, third = (any_order(f"{side.name} {n}", side) for n in "abc")
        assume(all_of(first.id != second.id, second.id != third.id, first.id != third.id))
        one, other = bool(book.ahead(first, second)), bool(book.ahead(second, first))
        claim("exactly one", one is not other)
        if one and book.ahead(second, third):
            claim("transitive", book.ahead(first, third))


@theorem("T-BOOK", "BOOK-2", subject="ahead")
def a_better_price_comes_first_and_then_the_earlier_order() -> None:
    """A higher bid or a lower offer is ahead; at one price the earlier order is."""
    for side in Side:
        first, second = any_order(f"{side.name} a", side), any_order(f"{side.name} b", side)
        is_better = first.price > second.price if side is Side.BUY else first.price < second.price
        claim("price", implies(is_better, book.ahead(first, second)))
        claim(
            "time",
            implies(
                all_of(first.price == second.price, first.id < second.id), book.ahead(first, second)
            ),
        )


@theorem("T-BOOK", "BOOK-3", "BOOK-9", subject="crosses")
def an_order_that_does_not_meet_the_best_meets_nobody() -> None:
    """What does not cross the order that is ahead does not cross those behind it.

    So an order that rests after matching leaves the book uncrossed.
    """
    for side in Side:
        best, behind = any_order("best", side), any_order("behind", side)
        assume(book.ahead(best, behind))
        price = between("price", 1, MAX_PRICE)
        if not book.crosses(side.opposite, price, best.price):
            claim("nobody", not book.crosses(side.opposite, price, behind.price))


@theorem("T-BOOK", "BOOK-3", subject="crosses")
def two_orders_cross_when_the_buyer_bids_what_the_seller_asks() -> None:
    """A buyer crosses offers up to its limit, a seller bids down to its limit, both included."""
    ours, theirs = between("ours", 1, MAX_PRICE), between("theirs", 1, MAX_PRICE)
    claim("a buyer", bool(book.crosses(Side.BUY, ours, theirs)) is bool(theirs <= ours))
    claim("a seller", bool(book.crosses(Side.SELL, ours, theirs)) is bool(theirs >= ours))


@theorem("T-BOOK", "BOOK-7", subject="reducible")
def a_reduce_only_order_never_fills_more_than_the_position() -> None:
    """It fills at most its lots and at most the lots of the position that it closes."""
    for side in Side:
        order = any_order("order", side)
        exchange, market = any_exchange(), MarketId(fresh_int("market"))
        position = position_of(exchange, order.account, market)
        lots = book.reducible(order, position)
        closes = position.size if side is Side.SELL else -position.size
        claim("at most its lots", all_of(lots >= 0, lots <= order.lots))
        if order.reduce_only:
            claim("at most the position", lots <= max(closes, 0))
        else:
            claim("all", lots == order.lots)


@theorem("T-BOOK", "BOOK-3", subject="parties")
def who_bids_buys_and_who_asks_sells() -> None:
    """The buyer of a fill is the account whose order bids, be it the taker's or the maker's."""
    for side in Side:
        taker, maker = any_order("taker", side), any_order("maker", side.opposite)
        bids, asks = (taker, maker) if side is Side.BUY else (maker, taker)
        buyer, seller = book.parties(taker, maker)
        claim("buyer", buyer == bids.account)
        claim("seller", seller == asks.account)


def any_match(side: Side) -> tuple[Exchange, MarketId, Order, Order, int]:
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    taker, maker = any_order("taker", side), any_order("maker", side.opposite)
    return exchange, market, taker, maker, between("price", 1, MAX_PRICE)


def _match(side: Side) -> Step:
    exchange, market, taker, maker, price = any_match(side)
    after = take(book.match, exchange, market, taker, maker, price)
    named = (taker.account, maker.account, TREASURY)
    return Step(exchange, after, named, market)


@action(
    "BOOK-3", "BOOK-4", "BOOK-5", "BOOK-7", "BOOK-11", "MRG-5", keeps=QUIET, assumes=ALL_CONTRACTS
)
def match_buyer() -> Step:
    return _match(Side.BUY)


@action(
    "BOOK-3", "BOOK-4", "BOOK-5", "BOOK-7", "BOOK-11", "MRG-5", keeps=QUIET, assumes=ALL_CONTRACTS
)
def match_seller() -> Step:
    return _match(Side.SELL)


@action("BOOK-9", keeps=QUIET, assumes=MARGINS)
def rest() -> Step:
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    after = take(book.rest, exchange, market, any_order("order"))
    return Step(exchange, after, (), market)


@action("BOOK-10", keeps=QUIET, assumes=MARGINS)
def cancel() -> Step:
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    order = any_order("order")
    after = take(book.cancel, exchange, market, order.id, order.account, "BOOK-10")
    return Step(exchange, after, (), market)


@action("BOOK-17", keeps=QUIET, assumes=MARGINS)
def shrink() -> Step:
    exchange, market, order, replaced = _any_replacement()
    after = take(book.shrink, exchange, market, replaced, order)
    return Step(exchange, after, (), market)


def _any_replacement() -> tuple[Exchange, MarketId, Order, OrderId]:
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    return exchange, market, any_order("order"), OrderId(fresh_int("replaced"))


@theorem("T-BOOK", "BOOK-17", subject="shrink")
def an_order_that_shrinks_keeps_all_but_its_lots() -> None:
    """It has the lots of the other, if those are fewer; its identifier, price and owner stay."""
    exchange, market, order, replaced = _any_replacement()
    before = exchange.markets[market].orders
    after = book.shrink(exchange, market, replaced, order).exchange
    was, now = before[replaced], after.markets[market].orders[replaced]
    claim("the same order", all_of(now.id == was.id, now.account == was.account))
    claim("at its price", now.price == was.price)
    claim("fewer lots", all_of(now.lots <= was.lots, now.lots <= order.lots, now.lots >= 1))
    claim("as many as were asked for", implies(order.lots <= was.lots, now.lots == order.lots))
    claim("the identifier is taken", after.last_order == order.id)


@theorem("T-BOOK", "BOOK-17", subject="only_smaller")
def an_order_that_only_gets_smaller_is_the_same_but_for_its_lots() -> None:
    """It has the same price, may reduce only or not as before, and asks for no more lots."""
    for side in Side:
        resting, order = any_order(f"{side.name} resting", side), any_order(f"{side.name} new")
        order = evolve(order, side=side)
        if book.only_smaller(resting, order):
            claim("price", order.price == resting.price)
            claim("lots", order.lots <= resting.lots)
            claim("time", order.expires == resting.expires)
            claim("reduce-only", bool(order.reduce_only) is bool(resting.reduce_only))
        claim("the other side", not book.only_smaller(resting, evolve(order, side=side.opposite)))


@action("BOOK-1", keeps=QUIET, assumes=MARGINS)
def accept() -> Step:
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    order = any_order("order")
    loose = evolve(
        order,
        lots=fresh_int("lots"),
        price=fresh_int("price"),
        id=OrderId(fresh_int("id")),
        expires=fresh_int("expires"),
    )
    return Step(exchange, take(book.accept, exchange, market, loose), (), market)


@theorem("T-BOOK", "BOOK-21", subject="accept")
def an_order_is_taken_only_if_its_time_has_not_come() -> None:
    """It is good till cancelled, or till a time after now, and now is what the clock shows."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    order = evolve(any_order("order"), expires=fresh_int("expires"))
    after = book.accept(exchange, market, order).exchange
    claim("not yet", any_of(order.expires == 0, order.expires > after.now))


@theorem("T-BOOK", "BOOK-21", subject="fill_from_book", assumes=ALL_CONTRACTS)
def an_order_whose_time_has_come_never_fills() -> None:
    """Whoever meets a resting order, a taker or a liquidation, fills it before its time only."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    maker, lots = any_order("maker"), between("lots", 1, MAX_LOTS)
    assume(lots <= maker.lots)
    buyer, seller = (AccountId(fresh_int(name)) for name in ("buyer", "seller"))
    price = between("price", 1, MAX_PRICE)
    book.fill_from_book(exchange, buyer, seller, market, maker, lots, price, "BOOK-3")
    claim("not yet", any_of(maker.expires == 0, maker.expires > exchange.now))


tested(
    "T-BOOK",
    "an_order_matches_by_priority_and_then_rests_or_goes",
    "Placing an order matches it against the best while they meet; the rest rests, or goes.",
    "BOOK-6",
    "BOOK-8",
    chapter="book",
    where="tests/test_scheduler.py::test_the_better_price_fills_first_then_the_earlier_order",
)
tested(
    "T-BOOK",
    "a_command_that_changes_nothing_is_refused",
    "A taker that cannot bear its first fill is refused, and the state is what it was.",
    "BOOK-4",
    "BOOK-6",
    chapter="book",
    where="tests/test_scheduler.py::test_a_taker_that_cannot_bear_its_first_fill_is_refused",
)


@theorem("T-BOOK", "BOOK-15", subject="require_worth")
def an_order_that_may_open_is_worth_the_least() -> None:
    """Whatever is not refused is reduce-only, or worth at least what its market asks."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    order, price = any_order("order"), between("price", 1, MAX_PRICE)
    book.require_worth(exchange, market, order, price)
    worth = order.lots * price
    claim("worth", any_of(order.reduce_only, worth >= exchange.markets[market].least_notional))


@theorem("T-BOOK", "BOOK-12", subject="is_on_tick")
def a_tick_leaves_no_more_figures_than_allowed_and_whole_units_always() -> None:
    """Five figures, from a tick of 1 to one of 1,000: what is on a tick has them, or is whole."""
    price = between("price", 1, MAX_PRICE)
    figures, coarsest = 5, 1_000
    tick = book.tick_at(price, figures, 1, coarsest)
    claim("a tick", all_of(tick >= 1, tick <= coarsest))
    claim("figures", any_of(price < tick * 10**figures, tick == coarsest))
    claim("as fine as possible", implies(tick > 1, price * 10 >= tick * 10**figures))
    whole = floor_div(price, coarsest) * coarsest
    claim(
        "whole units",
        implies(whole >= 1, book.is_on_tick(price, figures, 1, coarsest) | (price != whole)),
    )


@theorem("T-BOOK", "BOOK-13", subject="kept", strength=Strength.BOUNDED)
def what_is_kept_reduces_and_never_by_more_than_there_is() -> None:
    """Of two sells and a buy against a long: no buy is kept, and no more lots than it holds."""
    size = between("size", 1, MAX_LOTS)
    near, far = any_order("near", Side.SELL), any_order("far", Side.SELL)
    adding = any_order("adding", Side.BUY)
    assume(all_of(near.id < far.id, far.id < adding.id, near.price <= far.price))
    keeping = book.kept(size, (near, far, adding))
    claim("reduce", all(order.side is Side.SELL for order in keeping))
    claim("no more", sum(order.lots for order in keeping) <= size)
    claim("the nearest first", implies(near.lots <= size, len(keeping) >= 1))
    claim("all that fit", implies(near.lots + far.lots <= size, len(keeping) == 2))


tested(
    "T-BOOK",
    "an_order_that_must_fill_at_once_fills_or_changes_nothing",
    "A fill-or-kill order is filled in full, or refused with the state as it was.",
    "BOOK-14",
    chapter="book",
    where="tests/test_scheduler_orders.py::test_fill_or_kill_fills_in_full_or_changes_nothing",
)


tested(
    "T-BOOK",
    "a_replacement_that_is_refused_leaves_everything_as_it_was",
    "Replacing an order cancels it and places the other, or does neither.",
    "BOOK-16",
    chapter="book",
    where="tests/test_scheduler_orders.py::test_replacing_is_cancelling_and_placing_or_neither",
)


@theorem("T-BOOK", "BOOK-18", subject="require_in_band")
def no_order_that_may_open_gives_more_than_the_band_allows() -> None:
    """A buy is at most the mark and the band; where both sides count it is no further below."""
    _within_the_band(Side.BUY)


@theorem("T-BOOK", "BOOK-18", subject="require_in_band")
def no_order_that_may_open_asks_less_than_the_band_allows() -> None:
    """A sell is at least the mark less the band; where both sides count it is no further above."""
    _within_the_band(Side.SELL)


def _within_the_band(side: Side) -> None:
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    order = any_order("order", side)
    listed, both = exchange.markets[market], exchange.rulebook.band_both_sides
    admission.require_in_band(exchange, market, order)
    away = (order.price - listed.mark) * side.value
    unbound = any_of(order.reduce_only, listed.price_band == 0)
    width = listed.mark * listed.price_band
    claim("within", any_of(unbound, away * PARTS <= width))
    if both:
        claim("on both sides", any_of(unbound, -away * PARTS <= width))


@theorem("T-BOOK", "BOOK-18", subject="band_of")
def the_band_holds_the_mark_and_all_that_is_within_its_width() -> None:
    """A price is in the band just when its distance from the mark is at most the width."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    listed, price = exchange.markets[market], between("price", 1, MAX_PRICE)
    lowest, highest = admission.band_of(listed)
    width = listed.mark * listed.price_band
    below, above = (listed.mark - price) * PARTS, (price - listed.mark) * PARTS
    claim("the mark", all_of(lowest <= listed.mark, listed.mark <= highest))
    claim("from below", implies(below <= width, lowest <= price))
    claim("from above", implies(above <= width, price <= highest))
    claim("no more", implies(all_of(lowest <= price, price <= highest), below <= width))
    claim("nor above", implies(all_of(lowest <= price, price <= highest), above <= width))


@theorem("T-BOOK", "BOOK-19", subject="require_on_tick")
def a_limit_that_is_taken_is_a_whole_number_of_ticks() -> None:
    """Some whole number of ticks is just the price; and every such price is taken."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    order, tick = any_order("order"), exchange.markets[market].tick
    admission.require_on_tick(exchange, market, order)
    ticks = floor_div(order.price, tick)
    claim("whole", all_of(ticks >= 1, ticks * tick == order.price))


@theorem("T-BOOK", "BOOK-20", subject="require_room")
def an_account_never_has_more_orders_resting_than_it_may() -> None:
    """When it has room for one more it has, with that one, still no more than the rulebook says."""
    rulebook, resting = any_exchange().rulebook, between("resting", 0, MAX_LOTS)
    admission.require_room(rulebook, resting)
    claim("room", any_of(rulebook.most_orders == 0, resting + 1 <= rulebook.most_orders))


tested(
    "T-BOOK",
    "no_order_rests_at_its_time_or_later",
    "When the clock moves, all orders whose time has come are cancelled, and no others.",
    "BOOK-21",
    chapter="book",
    where="tests/test_scheduler_orders.py::test_orders_rest_until_their_time_and_no_longer",
)
