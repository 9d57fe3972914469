"""MARK: moving the mark moves no cash."""

from __future__ import annotations

from perpref.rules import mark
from perpref.units import MAX_PRICE, MarketId
from proofs.executor import all_of, claim, fresh_int
from proofs.laws import CONSERVATION, Step, action, take
from proofs.registry import theorem
from proofs.world import any_exchange


@action("MARK-1", keeps=CONSERVATION)
def set_mark() -> Step:
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    after = take(mark.set_mark, exchange, market, fresh_int("price"))
    return Step(exchange, after, (), market, remarks=True)


@theorem("T-MARK", "MARK-1", subject="set_mark")
def the_mark_is_the_price_given_and_in_bounds() -> None:
    """After a mark move the mark is the oracle's price, and that is between 1 and MAX_PRICE."""
    exchange, market, price = (
        any_exchange(missing=True),
        MarketId(fresh_int("market")),
        fresh_int("price"),
    )
    after = mark.set_mark(exchange, market, price).exchange
    claim("the price", after.markets[market].mark == price)
    claim("in bounds", all_of(price >= 1, price <= MAX_PRICE))
