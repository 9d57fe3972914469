"""BOOK: resting orders, who is first, and one fill between two orders."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Cancelled, Outcome, Rested
from perpref.rule_registry import Phase, formula, refusal, require, rule
from perpref.rules.admission import is_live, require_time_left
from perpref.rules.fee import charge_maker, charge_taker
from perpref.rules.isolated import require_own_market, same_trader
from perpref.rules.ledger import ID_OUT_OF_BOUNDS, fill, require_account
from perpref.rules.margin import Health, bears_fill, health, position_of, reduces
from perpref.rules.mark import require_market, require_open, require_price, require_trading
from perpref.state import Exchange, Market, Order, Position, Side
from perpref.units import MAX_ID, MAX_LOTS, MAX_PRICE, AccountId, MarketId, OrderId, floor_div

LOTS_OUT_OF_BOUNDS = refusal(
    "UNIT-2", "lots_out_of_bounds", Phase.VALIDATE, "The size {value} is not between 1 and {limit}"
)
ORDER_ID_NOT_NEW = refusal(
    "BOOK-1",
    "order_id_not_new",
    Phase.VALIDATE,
    "The order {value} is not after the last one, {limit}",
)
NOTHING_TO_REDUCE = refusal(
    "BOOK-7", "nothing_to_reduce", Phase.MATCH, "The account holds {value} lots, none to reduce"
)
WOULD_CROSS = refusal(
    "BOOK-8",
    "post_only_would_cross",
    Phase.MATCH,
    "A post-only order at {value} would meet a resting order at {limit}",
)
PRICE_NOT_AGREED = refusal(
    "BOOK-3", "price_not_agreed", Phase.MATCH, "The price {value} is beyond the limit {limit}"
)
SELF_TRADE = refusal(
    "BOOK-11", "self_trade", Phase.MATCH, "Account {value} would trade with itself"
)
MAKER_CANNOT_REDUCE = refusal(
    "BOOK-7", "maker_cannot_reduce", Phase.MATCH, "The maker holds {value} lots, none to reduce"
)
MAKER_CANNOT_BEAR = refusal(
    "BOOK-5",
    "maker_cannot_bear",
    Phase.MARGIN,
    "After the fill the maker's equity would be {value}, its initial margin {limit}",
)
TAKER_CANNOT_BEAR = refusal(
    "BOOK-4",
    "taker_cannot_bear",
    Phase.MARGIN,
    "After the fill the taker's equity would be {value}, its initial margin {limit}",
)
MAKER_EXPIRED = refusal(
    "BOOK-21",
    "maker_expired",
    Phase.MATCH,
    "The resting order was good until {value}; it is {limit} now",
)
UNKNOWN_ORDER = refusal(
    "BOOK-10", "unknown_order", Phase.VALIDATE, "No order {value} rests on this book"
)
NOT_YOUR_ORDER = refusal(
    "BOOK-10", "not_your_order", Phase.VALIDATE, "The order belongs to account {limit}"
)

NOT_FILLED = refusal(
    "BOOK-14", "not_filled", Phase.MATCH, "{value} of {limit} lots would be left unfilled"
)
TOO_SMALL = refusal(
    "BOOK-15", "too_small", Phase.VALIDATE, "The order is worth {value}, less than {limit}"
)

UNPRICED = {Side.BUY: MAX_PRICE, Side.SELL: 1}
"""The limit of a market order: any price will do (BOOK-6)."""


@rule("BOOK-1")
def accept(exchange: Exchange, market: MarketId, order: Order) -> Outcome:
    """Check a new order and take note of its identifier.

    Identifiers grow, so the identifier of an order is also its time.
    """
    require_trading(exchange, market)
    require_open(exchange, market)
    require_account(exchange, order.account)
    require_own_market(exchange, order.account, market)
    require_price(order.price)
    require(1 <= order.lots <= MAX_LOTS, LOTS_OUT_OF_BOUNDS, order.lots, MAX_LOTS)
    require(order.id <= MAX_ID, ID_OUT_OF_BOUNDS, order.id, MAX_ID)
    require(order.id > exchange.last_order, ORDER_ID_NOT_NEW, order.id, exchange.last_order)
    require_time_left(exchange, order)
    return Outcome(evolve(exchange, last_order=order.id))


@rule("BOOK-15")
def require_worth(exchange: Exchange, market: MarketId, order: Order, price: int) -> None:
    """Refuse an order that may open something and is worth too little at a price."""
    least, worth = exchange.markets[market].least_notional, order.lots * price
    require(order.reduce_only or worth >= least, TOO_SMALL, worth, least)


@rule("BOOK-2")
def ahead(first: Order, second: Order) -> bool:
    """Whether of two orders of one side the first is matched before the second.

    The better price is first; at one price the earlier order is.
    """
    if first.price != second.price:
        return better(first.side, first.price, second.price)
    return first.id < second.id


def better(side: Side, price: int, other: int) -> bool:
    """Whether somebody on this side, as a maker, offers more with `price` than with `other`."""
    return price > other if side is Side.BUY else price < other


@rule("BOOK-3")
def crosses(side: Side, price: int, maker_price: int) -> bool:
    """Whether an order of this side at `price` meets a resting order at `maker_price`."""
    return maker_price <= price if side is Side.BUY else maker_price >= price


@rule("BOOK-7")
def reducible(order: Order, position: Position) -> int:
    """How many lots of an order may fill: all, or for a reduce-only order what it can close."""
    if not order.reduce_only:
        return order.lots
    opposite = -position.size if order.side is Side.BUY else position.size
    return min(order.lots, max(opposite, 0))


@rule("BOOK-3", "BOOK-4", "BOOK-11")
def match(exchange: Exchange, market: MarketId, taker: Order, maker: Order, price: int) -> Outcome:
    """One fill between a taker and a resting maker at `price`, with fees, both margins checked.

    It takes as many lots as both have left and may fill (BOOK-7), at a price within both
    limits; the price is the maker's unless the rulebook says that the engine owns it.
    """
    require(not same_trader(exchange, taker.account, maker.account), SELF_TRADE, taker.account)
    require(crosses(taker.side, taker.price, price), PRICE_NOT_AGREED, price, taker.price)
    require(crosses(maker.side, maker.price, price), PRICE_NOT_AGREED, price, maker.price)
    held = position_of(exchange, taker.account, market)
    taken = position_of(exchange, maker.account, market)
    require(reducible(taker, held) > 0, NOTHING_TO_REDUCE, held.size)
    require(reducible(maker, taken) > 0, MAKER_CANNOT_REDUCE, taken.size)
    lots = min(reducible(taker, held), reducible(maker, taken))
    taker_before = health(exchange, taker.account)
    maker_before = health(exchange, maker.account)
    buyer, seller = parties(taker, maker)
    outcome = (
        fill_from_book(exchange, buyer, seller, market, maker, lots, price, "BOOK-3")
        .then(charge_taker, taker.account, lots, price)
        .then(charge_maker, maker.account, lots, price)
    )
    after = outcome.exchange
    reducing = reduces(held, position_of(after, taker.account, market))
    taker_after = health(after, taker.account)
    require(
        bears_fill(taker_before, taker_after, reducing),
        TAKER_CANNOT_BEAR,
        taker_after.equity,
        taker_after.initial,
    )
    require_maker_bears(exchange, after, market, maker.account, taken, maker_before)
    return outcome


def parties(taker: Order, maker: Order) -> tuple[AccountId, AccountId]:
    """Buyer and seller of a fill between two orders."""
    if taker.side is Side.BUY:
        return taker.account, maker.account
    return maker.account, taker.account


def fill_from_book(
    exchange: Exchange,
    buyer: AccountId,
    seller: AccountId,
    market: MarketId,
    maker: Order,
    lots: int,
    price: int,
    reason: str,
) -> Outcome:
    """A fill against a resting order, of which `lots` leave the book, before its time (BOOK-21)."""
    require(is_live(maker, exchange.now), MAKER_EXPIRED, maker.expires, exchange.now)
    book = exchange.markets[market]
    left = evolve(maker, lots=maker.lots - lots)
    orders = book.orders.put(maker.id, left) if left.lots > 0 else book.orders.without(maker.id)
    listed = exchange.markets.put(market, evolve(book, orders=orders))
    return fill(evolve(exchange, markets=listed), buyer, seller, market, lots, price, reason)


@rule("BOOK-5")
def require_maker_bears(
    exchange: Exchange,
    after: Exchange,
    market: MarketId,
    maker: AccountId,
    taken: Position,
    before: Health,
) -> None:
    """Refuse a fill that the maker's account cannot bear; its order is checked only now."""
    reducing = reduces(taken, position_of(after, maker, market))
    now = health(after, maker)
    require(bears_fill(before, now, reducing), MAKER_CANNOT_BEAR, now.equity, now.initial)


@rule("BOOK-9")
def rest(exchange: Exchange, market: MarketId, order: Order) -> Outcome:
    """Put an order, or what is left of it, on the book. It is judged again when it fills."""
    book = exchange.markets[market]
    resting = evolve(book, orders=book.orders.put(order.id, order))
    return Outcome(
        evolve(exchange, markets=exchange.markets.put(market, resting)),
        (Rested(market, order, "BOOK-9"),),
    )


@rule("BOOK-10")
def cancel(
    exchange: Exchange, market: MarketId, order: OrderId, account: AccountId, reason: str
) -> Outcome:
    """Take a resting order off the book, on behalf of the account that placed it."""
    resting = own_order(exchange, market, order, account)
    book = exchange.markets[market]
    emptied = evolve(book, orders=book.orders.without(order))
    return Outcome(
        evolve(exchange, markets=exchange.markets.put(market, emptied)),
        (Cancelled(market, order, account, resting.lots, reason),),
    )


def own_order(exchange: Exchange, market: MarketId, order: OrderId, account: AccountId) -> Order:
    """The resting order of this identifier, which must be this account's (BOOK-10)."""
    require_market(exchange, market)
    book = exchange.markets[market]
    require(order in book.orders, UNKNOWN_ORDER, order)
    resting = book.orders[order]
    require(resting.account == account, NOT_YOUR_ORDER, account, resting.account)
    return resting


@rule("BOOK-17")
def only_smaller(resting: Order, order: Order) -> bool:
    """Whether an order asks for what a resting one does, but for fewer lots, or as many."""
    alike = resting.side is order.side and resting.price == order.price
    alike = alike and resting.reduce_only == order.reduce_only
    return alike and resting.expires == order.expires and order.lots <= resting.lots


@rule("BOOK-17")
def shrink(exchange: Exchange, market: MarketId, replaced: OrderId, order: Order) -> Outcome:
    """Leave a resting order in its place, with the lots of the one that would replace it.

    The new identifier is taken note of, and stands for nothing.
    """
    resting = own_order(exchange, market, replaced, order.account)
    outcome = accept(exchange, market, order)
    book = exchange.markets[market]
    smaller = evolve(resting, lots=min(order.lots, resting.lots))
    listed = exchange.markets.put(market, evolve(book, orders=book.orders.put(replaced, smaller)))
    return Outcome(evolve(outcome.exchange, markets=listed), (Rested(market, smaller, "BOOK-17"),))


def best(book: Market, side: Side) -> Order | None:
    """The resting order of a side that is ahead of all others (BOOK-2), if there is one."""
    first: Order | None = None
    for _, order in book.orders.items():
        if order.side is side and (first is None or ahead(order, first)):
            first = order
    return first


@formula("BOOK-12")
def tick_at(price: int, figures: int, finest: int, coarsest: int) -> int:
    """The tick at a price: as fine as its significant figures allow, within two bounds.

    Args:
        figures: how many significant figures a price may have.
        finest: the smallest tick, a power of ten.
        coarsest: the tick that is always allowed, such as a whole unit of currency.
    """
    tick = finest
    while tick < coarsest and price >= tick * 10**figures:
        tick *= 10
    return tick


@formula("BOOK-12")
def is_on_tick(price: int, figures: int, finest: int, coarsest: int) -> bool:
    """Whether a price is a whole number of ticks."""
    tick = tick_at(price, figures, finest, coarsest)
    return floor_div(price, tick) * tick == price


@formula("BOOK-13")
def kept(size: int, orders: tuple[Order, ...]) -> tuple[Order, ...]:
    """The orders that an account may keep once it is below initial margin.

    Those that would add to its position go, and of those that reduce it the most passive, until
    all together reduce no more than there is.
    """
    side = Side.SELL if size > 0 else Side.BUY
    reducing = [order for order in orders if order.side is side]
    left, keeping = abs(size), []
    for order in sorted(reducing, key=lambda order: (-side.value * order.price, order.id)):
        left -= order.lots
        if left < 0:
            break
        keeping.append(order)
    return tuple(order for order in orders if order in keeping)
