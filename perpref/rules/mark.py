"""MARK: the price at which everything is valued. The textbook takes it from an oracle."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Marked, Outcome
from perpref.rule_registry import Phase, formula, refusal, require, rule
from perpref.state import Exchange
from perpref.units import MAX_PRICE, PARTS, MarketId, clamp, floor_div, trunc_div

UNKNOWN_MARKET = refusal("MARK-1", "unknown_market", Phase.VALIDATE, "There is no market {value}")
PRICE_OUT_OF_BOUNDS = refusal(
    "UNIT-2",
    "price_out_of_bounds",
    Phase.VALIDATE,
    "The price {value} is not between 1 and {limit}",
)
SETTLING = refusal("SET-1", "settling", Phase.VALIDATE, "Market {value} is being settled")


def require_market(exchange: Exchange, market: MarketId) -> None:
    """Refuse a market that the exchange does not list (MARK-1)."""
    require(market in exchange.markets, UNKNOWN_MARKET, market)


@rule("SET-1")
def require_trading(exchange: Exchange, market: MarketId) -> None:
    """Refuse a market that is not listed (MARK-1) or that has come to its end."""
    require_market(exchange, market)
    require(not exchange.markets[market].settling, SETTLING, market)


@rule("UNIT-2")
def require_price(price: int) -> None:
    """Refuse a price that is not between 1 and MAX_PRICE (UNIT-2)."""
    require(1 <= price <= MAX_PRICE, PRICE_OUT_OF_BOUNDS, price, MAX_PRICE)


@rule("MARK-1")
def set_mark(exchange: Exchange, market: MarketId, price: int) -> Outcome:
    """Value a market at the oracle's price from now on, and keep the one before. No cash moves."""
    require_trading(exchange, market)
    require_price(price)
    listed = exchange.markets[market]
    marked = evolve(listed, mark=price, previous_mark=listed.mark)
    return Outcome(
        evolve(exchange, markets=exchange.markets.put(market, marked)),
        (Marked(market, price, "MARK-1"),),
    )


@formula("MARK-2")
def clamped(price: int, index: int, band: int) -> int:
    """A price brought within a band around the index, in ticks.

    Args:
        band: how far from the index, in parts per million of it; the distance is rounded down, so
            that a price within the band never leaves it.
    """
    distance = floor_div(index * band, PARTS)
    return clamp(price, max(1, index - distance), index + distance)


@formula("MARK-3")
def median(first: int, second: int, third: int) -> int:
    """The one of three prices that is neither above nor below both others, in ticks."""
    return max(min(first, second), min(max(first, second), third))


@formula("MARK-4")
def averaged(average: int, sample: int, weight: int) -> int:
    """A moving average of the basis, in ticks, one sample later; it never jumps past a sample.

    The basis is a price less the index. The average moves by a part of the distance, rounded
    towards zero: it stays between what it was and the sample, and no fraction is ever kept.

    Args:
        weight: the part of the distance, in parts per million.
    """
    return average + trunc_div((sample - average) * weight, PARTS)
