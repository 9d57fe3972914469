"""MARK: moving the mark moves no cash."""

from __future__ import annotations

from attrs import evolve

from perpref.rules import mark
from perpref.state import MarkPolicy
from perpref.units import MAX_PRICE, PARTS, MarketId, clamp
from proofs.contracts import MARGINS
from proofs.executor import (
    all_of,
    assume,
    choose,
    claim,
    fresh_int,
    implies,
    ite,
    negation,
)
from proofs.laws import CONSERVATION, QUIET, Step, action, of, take
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
    now = after.markets[market]
    claim("the price", ite(now.paused, now.next_mark, now.mark) == price)
    claim("in bounds", all_of(price >= 1, price <= MAX_PRICE))


@action("MARK-5", keeps=QUIET, assumes=MARGINS)
def set_index() -> Step:
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    after = take(mark.set_index, exchange, market, fresh_int("index"), fresh_int("price"))
    return Step(exchange, after, (), market)


@of(set_index, "T-MARK", "MARK-5", assumes=MARGINS)
def an_index_and_its_basis_stay_in_bounds(step: Step) -> None:
    """The index is a price, and the basis no further from 0 than a price can be."""
    assert step.market is not None
    told = step.after.markets[step.market]
    claim("a price", all_of(told.index >= 1, told.index <= MAX_PRICE))
    claim("a basis", all_of(told.basis >= -MAX_PRICE, told.basis <= MAX_PRICE))


@theorem("T-MARK", "MARK-6", subject="computed_mark")
def a_computed_mark_is_a_price() -> None:
    """Under every policy the mark that follows from an index is between 1 and MAX_PRICE."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    listed = exchange.markets[market]
    assume(listed.index >= 1)
    rulebook = evolve(exchange.rulebook, mark_policy=choose("policy", tuple(MarkPolicy)))
    found = mark.computed_mark(rulebook, listed, between("price", 1, MAX_PRICE))
    claim("in bounds", all_of(found >= 1, found <= MAX_PRICE))


@theorem("T-MARK", "MARK-6", subject="computed_mark")
def the_market_alone_moves_no_mark_beyond_index_band_and_basis() -> None:
    """Whatever it trades at, the mark is within the band, or between index and index with basis."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    listed = exchange.markets[market]
    assume(listed.index >= 1)
    policies = (MarkPolicy.INDEX, MarkPolicy.CLAMPED, MarkPolicy.BASIS, MarkPolicy.MEDIAN)
    policy = choose("policy", policies)
    rulebook = evolve(exchange.rulebook, mark_policy=policy)
    found = mark.computed_mark(rulebook, listed, between("price", 1, MAX_PRICE))
    based = clamp(listed.index + listed.basis, 1, MAX_PRICE)
    if policy is MarkPolicy.CLAMPED:
        claim("band", abs(found - listed.index) * PARTS <= listed.index * rulebook.mark_band)
    else:
        claim("at least", (found >= listed.index) | (found >= based))
        claim("at most", (found <= listed.index) | (found <= based))


@theorem("T-MARK", "MARK-7", subject="require_fresh")
def a_market_that_goes_on_has_a_fresh_mark() -> None:
    """Whoever passes has a mark no older than the rulebook allows, if it says any age."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    mark.require_open(exchange, market)
    listed, most = exchange.markets[market], exchange.rulebook.mark_age
    claim("fresh", implies(most > 0, exchange.now - listed.marked_at <= most))
    claim("goes on", negation(listed.paused))


@of(set_mark, "T-MARK", "MARK-1", "SET-4", "MARK-7")
def a_mark_of_a_paused_market_waits(step: Step) -> None:
    """It stands still while the market is paused; the price dates from now either way."""
    assert step.market is not None
    was, now = step.before.markets[step.market], step.after.markets[step.market]
    claim("still", implies(was.paused, now.mark == was.mark))
    claim("waits", implies(was.paused, now.next_mark >= 1))
    claim("dated", now.marked_at == step.after.now)


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


@theorem("T-MARK", "MARK-4", subject="averaged")
def a_moving_average_favours_no_side() -> None:
    """What is as far on the other side moves it as far to the other side."""
    average, sample = fresh_int("average"), fresh_int("sample")
    weight = between("weight", 0, PARTS)
    opposite = mark.averaged(-average, -sample, weight)
    claim("opposite", opposite == -mark.averaged(average, sample, weight))


@theorem("T-MARK", "SET-1", subject="set_mark")
def the_mark_of_a_market_that_is_settled_is_final() -> None:
    """A mark moves only while its market trades."""
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    mark.set_mark(exchange, market, fresh_int("price"))
    claim("trades", negation(exchange.markets[market].settling))
