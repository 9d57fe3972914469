"""MARK: the price at which everything is valued. The textbook takes it from an oracle."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Marked, Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.state import Exchange
from perpref.units import MAX_PRICE, MarketId

UNKNOWN_MARKET = refusal("MARK-1", "unknown_market", Phase.VALIDATE, "There is no market {value}")
PRICE_OUT_OF_BOUNDS = refusal(
    "UNIT-2",
    "price_out_of_bounds",
    Phase.VALIDATE,
    "The price {value} is not between 1 and {limit}",
)


def require_market(exchange: Exchange, market: MarketId) -> None:
    """Refuse a market that the exchange does not list (MARK-1)."""
    require(market in exchange.markets, UNKNOWN_MARKET, market)


@rule("UNIT-2")
def require_price(price: int) -> None:
    """Refuse a price that is not between 1 and MAX_PRICE (UNIT-2)."""
    require(1 <= price <= MAX_PRICE, PRICE_OUT_OF_BOUNDS, price, MAX_PRICE)


@rule("MARK-1")
def set_mark(exchange: Exchange, market: MarketId, price: int) -> Outcome:
    """Value a market at the oracle's price from now on, and keep the one before. No cash moves."""
    require_market(exchange, market)
    require_price(price)
    listed = exchange.markets[market]
    marked = evolve(listed, mark=price, previous_mark=listed.mark)
    return Outcome(
        evolve(exchange, markets=exchange.markets.put(market, marked)),
        (Marked(market, price, "MARK-1"),),
    )
