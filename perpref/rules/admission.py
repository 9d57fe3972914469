"""BOOK: what an order must be to be taken: on the tick, within the band, not one too many."""

from __future__ import annotations

from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.clock import TIME_OUT_OF_BOUNDS
from perpref.state import Exchange, Market, Order, Rulebook, Side
from perpref.units import MAX_TIME, PARTS, MarketId, ceil_div, floor_div

BEYOND_BAND = refusal(
    "BOOK-18",
    "beyond_band",
    Phase.VALIDATE,
    "The price {value} is beyond {limit}, where the band around the mark ends",
)
OFF_TICK = refusal(
    "BOOK-19", "off_tick", Phase.VALIDATE, "The price {value} is no multiple of the tick, {limit}"
)
TOO_MANY_ORDERS = refusal(
    "BOOK-20",
    "too_many_orders",
    Phase.VALIDATE,
    "The account has {value} resting orders in this market; it may have {limit}",
)

EXPIRED = refusal(
    "BOOK-21", "expired", Phase.VALIDATE, "The order was good until {value}; it is {limit} now"
)


@rule("BOOK-21")
def is_live(order: Order, now: int) -> bool:
    """Whether an order is still good: till it is cancelled, or till a time that has not come."""
    return (order.expires == 0) | (order.expires > now)  # no `or`: a proof need not tell them apart


@rule("BOOK-21")
def require_time_left(exchange: Exchange, order: Order) -> None:
    """Refuse an order whose time is out of bounds, or is not after the clock's."""
    in_bounds = 0 <= order.expires <= MAX_TIME
    require(in_bounds, TIME_OUT_OF_BOUNDS, order.expires, MAX_TIME)
    require(is_live(order, exchange.now), EXPIRED, order.expires, exchange.now)


@rule("BOOK-19")
def require_on_tick(exchange: Exchange, market: MarketId, order: Order) -> None:
    """Refuse a limit that is not a whole number of the market's ticks."""
    tick = exchange.markets[market].tick
    require(floor_div(order.price, tick) * tick == order.price, OFF_TICK, order.price, tick)


@rule("BOOK-18")
def band_of(listed: Market) -> tuple[int, int]:
    """The lowest and the highest price of the band around the mark, both within it.

    A bound that is not whole is rounded towards the mark, which allows the same prices.
    """
    width = listed.price_band
    lowest = ceil_div(listed.mark * (PARTS - width), PARTS)
    return lowest, floor_div(listed.mark * (PARTS + width), PARTS)


@rule("BOOK-18")
def require_in_band(exchange: Exchange, market: MarketId, order: Order) -> None:
    """Refuse a limit beyond the band, of an order that may open something.

    A buy may not be above it and a sell not below; neither on either side where the rulebook says.
    """
    listed, both = exchange.markets[market], exchange.rulebook.band_both_sides
    if listed.price_band == 0 or order.reduce_only:
        return
    lowest, highest = band_of(listed)
    if both or order.side is Side.BUY:
        require(order.price <= highest, BEYOND_BAND, order.price, highest)
    if both or order.side is Side.SELL:
        require(order.price >= lowest, BEYOND_BAND, order.price, lowest)


@rule("BOOK-20")
def require_room(rulebook: Rulebook, resting: int) -> None:
    """Refuse one more order of an account that has as many resting in this market as it may.

    Args:
        resting: how many it has, whatever their side.
    """
    most = rulebook.most_orders
    require(most == 0 or resting < most, TOO_MANY_ORDERS, resting, most)
