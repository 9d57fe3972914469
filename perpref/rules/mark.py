"""MARK: the price at which everything is valued, from an oracle or from an index."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Marked, Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.state import Exchange, Market, MarkPolicy, Rulebook
from perpref.units import MAX_PRICE, PARTS, MarketId, clamp, floor_div, trunc_div

UNKNOWN_MARKET = refusal("MARK-1", "unknown_market", Phase.VALIDATE, "There is no market {value}")
PRICE_OUT_OF_BOUNDS = refusal(
    "UNIT-2",
    "price_out_of_bounds",
    Phase.VALIDATE,
    "The price {value} is not between 1 and {limit}",
)
SETTLING = refusal("SET-1", "settling", Phase.VALIDATE, "Market {value} is being settled")
MARK_IS_COMPUTED = refusal(
    "MARK-6", "mark_is_computed", Phase.VALIDATE, "The mark of market {value} follows its index"
)
PAUSED = refusal("SET-4", "paused", Phase.PAUSE, "Market {value} is paused")
STALE = refusal(
    "MARK-7", "stale", Phase.PAUSE, "The mark is {value} old by the clock, more than {limit}"
)


def require_market(exchange: Exchange, market: MarketId) -> None:
    """Refuse a market that the exchange does not list (MARK-1)."""
    require(market in exchange.markets, UNKNOWN_MARKET, market)


@rule("SET-1")
def require_trading(exchange: Exchange, market: MarketId) -> None:
    """Refuse a market that is not listed (MARK-1) or that has come to its end."""
    require_market(exchange, market)
    require(not exchange.markets[market].settling, SETTLING, market)


@rule("SET-4")
def require_open(exchange: Exchange, market: MarketId) -> None:
    """Refuse a market that is paused, or whose mark is too old (MARK-7)."""
    require(not exchange.markets[market].paused, PAUSED, market)
    require_fresh(exchange, market)


@rule("MARK-7")
def require_fresh(exchange: Exchange, market: MarketId) -> None:
    """Refuse to go on at a mark that is older than the rulebook allows."""
    age, most = exchange.now - exchange.markets[market].marked_at, exchange.rulebook.mark_age
    require(age <= most or most == 0, STALE, age, most)


@rule("UNIT-2")
def require_price(price: int) -> None:
    """Refuse a price that is not between 1 and MAX_PRICE (UNIT-2)."""
    require(1 <= price <= MAX_PRICE, PRICE_OUT_OF_BOUNDS, price, MAX_PRICE)


@rule("MARK-1")
def set_mark(exchange: Exchange, market: MarketId, price: int) -> Outcome:
    """Value a market at this price from now on, and keep the one before. No cash moves.

    While the market is paused the price waits, and nothing else changes (SET-4).
    """
    require_trading(exchange, market)
    require_price(price)
    listed = evolve(exchange.markets[market], marked_at=exchange.now)
    if listed.paused:
        waiting = evolve(listed, next_mark=price)
        return Outcome(evolve(exchange, markets=exchange.markets.put(market, waiting)))
    marked = evolve(listed, mark=price, previous_mark=listed.mark)
    return Outcome(
        evolve(exchange, markets=exchange.markets.put(market, marked)),
        (Marked(market, price, "MARK-1"),),
    )


# Where the mark follows from an index.


@rule("MARK-5")
def set_index(exchange: Exchange, market: MarketId, index: int, price: int) -> Outcome:
    """Take note of the index, and of how far the market is above it. That alone moves no mark.

    Args:
        index: of other venues' prices, in ticks; `price` is what the market itself trades at.
    """
    require_trading(exchange, market)
    require_price(index)
    require_price(price)
    listed = exchange.markets[market]
    basis = averaged(listed.basis, price - index, exchange.rulebook.mark_weight)
    told = evolve(listed, index=index, basis=basis)
    return Outcome(evolve(exchange, markets=exchange.markets.put(market, told)))


@rule("MARK-6")
def require_oracle(exchange: Exchange, market: MarketId) -> None:
    """Refuse a mark by word of the oracle where it follows from the index."""
    require_trading(exchange, market)
    told = exchange.rulebook.mark_policy is MarkPolicy.ORACLE
    require(told, MARK_IS_COMPUTED, market)


@rule("MARK-6")
def computed_mark(rulebook: Rulebook, listed: Market, price: int) -> int:
    """The mark that follows from the index under the rulebook, in ticks, within bounds.

    Args:
        price: what the market itself trades at.
    """
    based = clamp(listed.index + listed.basis, 1, MAX_PRICE)
    match rulebook.mark_policy:
        case MarkPolicy.ORACLE:
            return listed.mark
        case MarkPolicy.INDEX:
            return listed.index
        case MarkPolicy.CLAMPED:
            return clamped(price, listed.index, rulebook.mark_band)
        case MarkPolicy.BASIS:
            return based
        case MarkPolicy.MEDIAN:
            return median(price, listed.index, based)


@rule("MARK-2")
def clamped(price: int, index: int, band: int) -> int:
    """A price brought within a band around the index, in ticks.

    Args:
        band: how far from the index, in parts per million of it; the distance is rounded down, so
            that a price within the band never leaves it.
    """
    distance = floor_div(index * band, PARTS)
    return clamp(price, max(1, index - distance), index + distance)


@rule("MARK-3")
def median(first: int, second: int, third: int) -> int:
    """The one of three prices that is neither above nor below both others, in ticks."""
    return max(min(first, second), min(max(first, second), third))


@rule("MARK-4")
def averaged(average: int, sample: int, weight: int) -> int:
    """A moving average of the basis, in ticks, one sample later; it never jumps past a sample.

    The basis is a price less the index. The average moves by a part of the distance, rounded
    towards zero: it stays between what it was and the sample, and no fraction is ever kept.

    Args:
        weight: the part of the distance, in parts per million.
    """
    return average + trunc_div((sample - average) * weight, PARTS)
