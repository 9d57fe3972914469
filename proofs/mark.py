"""MARK: moving the mark moves no cash."""

from __future__ import annotations

from perpref.rules import mark
from perpref.units import MAX_PRICE, PARTS, MarketId
from proofs.executor import all_of, claim, fresh_int, implies, negation
from proofs.laws import CONSERVATION, Step, action, take
from proofs.registry import theorem
from proofs.world import any_exchange, between


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


@theorem("T-MARK", "MARK-2", subject="clamped")
def a_clamped_price_stays_within_its_band_of_the_index() -> None:
    """It is positive and no further from the index than the band; a price within stays itself."""
    price, index = between("price", 1, MAX_PRICE), between("index", 1, MAX_PRICE)
    band = between("band", 0, PARTS)
    found = mark.clamped(price, index, band)
    claim("positive", found >= 1)
    claim("within", abs(found - index) * PARTS <= index * band)
    claim("itself", implies(abs(price - index) * PARTS <= index * band, found == price))


@theorem("T-MARK", "MARK-3", subject="median")
def one_price_alone_cannot_move_a_median_beyond_the_others() -> None:
    """Whatever one of three prices is, the median lies between the other two."""
    wild, one, other = (fresh_int(name) for name in ("wild", "one", "other"))
    for found in (
        mark.median(wild, one, other),
        mark.median(one, wild, other),
        mark.median(one, other, wild),
    ):
        claim("at least", (found >= one) | (found >= other))
        claim("at most", (found <= one) | (found <= other))
        claim("one of them", (found == one) | (found == other) | (found == wild))


@theorem("T-MARK", "MARK-4", subject="averaged")
def a_moving_average_goes_towards_a_sample_and_never_past_it() -> None:
    """With any weight up to the whole it stays between what it was and the sample."""
    average, sample = fresh_int("average"), fresh_int("sample")
    weight = between("weight", 0, PARTS)
    found = mark.averaged(average, sample, weight)
    claim("rising", implies(sample >= average, all_of(average <= found, found <= sample)))
    claim("falling", implies(sample <= average, all_of(sample <= found, found <= average)))
    claim("whole", implies(weight == PARTS, found == sample))


@theorem("T-MARK", "SET-1", subject="set_mark")
def the_mark_of_a_market_that_is_settled_is_final() -> None:
    """A mark moves only while its market trades."""
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    mark.set_mark(exchange, market, fresh_int("price"))
    claim("trades", negation(exchange.markets[market].settling))
