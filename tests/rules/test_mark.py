"""MARK: the oracle's price, within bounds, and no cash moves."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.outcome import Marked
from perpref.rules import mark, settlement
from perpref.rules.margin import equity
from perpref.rules.mark import require_market, require_price, set_mark
from perpref.state import Exchange, MarkPolicy
from perpref.units import MAX_PRICE, PARTS, MarketId
from tests.exchanges import ANN, BOB, GOLD, OIL, buys, exchange, holds, market, refuses, rules


def test_a_mark_moves_value_and_no_cash() -> None:
    resting = buys(1, ANN, 1, 90)
    before = exchange({ANN: holds(50, (3, 300)), BOB: holds(50, (-3, -300))}, market(100, resting))
    outcome = set_mark(before, GOLD, 103)
    after = outcome.exchange
    assert (equity(after, ANN), equity(after, BOB)) == (59, 41)
    assert after.accounts == before.accounts
    assert after.custody == before.custody
    assert after.markets[GOLD] == evolve(before.markets[GOLD], mark=103, previous_mark=100)
    assert after.markets[OIL] == before.markets[OIL]
    assert outcome.events == (Marked(GOLD, 103, "MARK-1"),)


@pytest.mark.parametrize("price", [1, MAX_PRICE])
def test_prices_up_to_the_bounds_are_prices(price: int) -> None:
    require_price(price)
    assert set_mark(exchange({}), GOLD, price).exchange.markets[GOLD].mark == price


@pytest.mark.parametrize("price", [0, -1, MAX_PRICE + 1])
def test_prices_out_of_bounds_are_refused(price: int) -> None:
    with refuses(mark.PRICE_OUT_OF_BOUNDS, price, 10**12):
        set_mark(exchange({}), GOLD, price)


def test_a_market_that_is_not_listed_is_refused() -> None:
    with refuses(mark.UNKNOWN_MARKET, 3):
        set_mark(exchange({}), MarketId(3), 100)
    require_market(exchange({}), OIL)


@pytest.mark.parametrize(
    ("price", "index", "band", "clamped"),
    [
        (103, 100, 50_000, 103),
        (106, 100, 50_000, 105),
        (94, 100, 50_000, 95),
        (106, 119, 50_000, 114),  # 5.95 is a distance of 5
        (200, 119, 50_000, 124),
        (1, 1, 1_000_000, 1),
        (5, 1, 1_000_000, 2),
        (1, 2, 1_000_000, 1),  # the distance would reach 0
    ],
)
def test_a_price_is_brought_near_its_index(price: int, index: int, band: int, clamped: int) -> None:
    assert mark.clamped(price, index, band) == clamped


@pytest.mark.parametrize("prices", list(permutations((95, 100, 300))))
def test_the_median_is_the_one_between(prices: tuple[int, int, int]) -> None:
    assert mark.median(*prices) == 100


@given(st.integers(-1_000, 1_000), st.integers(-1_000, 1_000), st.integers(0, PARTS))
def test_an_average_moves_by_its_part_and_keeps_no_fraction(
    average: int, sample: int, weight: int
) -> None:
    exact = Fraction((sample - average) * weight, PARTS)
    moved = mark.averaged(average, sample, weight) - average
    assert moved == int(exact), "towards zero"


def test_a_market_that_is_settled_keeps_its_mark() -> None:
    before = exchange({ANN: holds(50)})
    ended = evolve(before.markets[GOLD], settling=True)
    before = evolve(before, markets=before.markets.put(GOLD, ended))
    with refuses(mark.SETTLING, GOLD):
        set_mark(before, GOLD, 101)
    assert set_mark(before, OIL, 101).exchange.markets[OIL].mark == 101


def test_a_clamped_price_is_never_below_the_lowest_price() -> None:
    assert mark.clamped(0, 3, PARTS) == 1
    assert mark.clamped(2, 3, PARTS) == 2


def under(**terms: object) -> Exchange:
    """Gold at a mark of 100 under a rulebook with these terms."""
    changed: dict[str, Any] = dict(terms)
    return exchange({ANN: holds(50)}, rulebook=evolve(rules(), **changed))


@pytest.mark.parametrize(
    ("policy", "index", "basis", "price", "computed"),
    [
        (MarkPolicy.ORACLE, 90, 5, 140, 100),
        (MarkPolicy.INDEX, 90, 5, 140, 90),
        (MarkPolicy.CLAMPED, 90, 5, 140, 94),
        (MarkPolicy.CLAMPED, 90, 5, 88, 88),
        (MarkPolicy.BASIS, 90, 5, 140, 95),
        (MarkPolicy.BASIS, 3, -9, 140, 1),
        (MarkPolicy.BASIS, MAX_PRICE, 5, 140, MAX_PRICE),
        (MarkPolicy.MEDIAN, 90, 5, 140, 95),
        (MarkPolicy.MEDIAN, 90, 5, 93, 93),
        (MarkPolicy.MEDIAN, 90, 5, 9, 90),
        (MarkPolicy.MEDIAN, 90, -5, 9, 85),
    ],
)
def test_the_mark_follows_as_the_rulebook_says(
    policy: MarkPolicy, index: int, basis: int, price: int, computed: int
) -> None:
    before = under(mark_policy=policy, mark_band=50_000)
    listed = evolve(before.markets[GOLD], index=index, basis=basis)
    assert mark.computed_mark(before.rulebook, listed, price) == computed


def test_an_index_moves_the_basis_and_no_mark() -> None:
    before = under(mark_weight=500_000)
    outcome = mark.set_index(before, GOLD, 90, 111)
    assert outcome.events == ()
    told = outcome.exchange.markets[GOLD]
    assert told == evolve(before.markets[GOLD], index=90, basis=10)
    again = mark.set_index(outcome.exchange, GOLD, 100, 95).exchange.markets[GOLD]
    assert (again.index, again.basis) == (100, 3), "10 and half of 15 back, towards zero"


@pytest.mark.parametrize(("index", "price"), [(0, 1), (1, 0), (MAX_PRICE + 1, 1)])
def test_an_index_and_a_price_are_prices(index: int, price: int) -> None:
    with refuses(mark.PRICE_OUT_OF_BOUNDS, price if 1 <= index <= MAX_PRICE else index, MAX_PRICE):
        mark.set_index(under(), GOLD, index, price)
    with refuses(mark.UNKNOWN_MARKET, 3):
        mark.set_index(under(), MarketId(3), 1, 1)


def test_the_oracle_says_no_mark_that_is_computed() -> None:
    mark.require_oracle(under(), GOLD)
    with refuses(mark.MARK_IS_COMPUTED, GOLD):
        mark.require_oracle(under(mark_policy=MarkPolicy.INDEX), GOLD)


@pytest.mark.parametrize(("now", "fresh"), [(7, True), (12, True), (13, False)])
def test_a_mark_grows_old_by_the_clock(now: int, fresh: bool) -> None:
    before = set_mark(evolve(under(mark_age=5), now=7), GOLD, 100).exchange
    assert before.markets[GOLD].marked_at == 7
    later = evolve(before, now=now)
    if fresh:
        mark.require_open(later, GOLD)
    else:
        with refuses(mark.STALE, now - 7, 5):
            mark.require_open(later, GOLD)


def test_without_an_age_no_mark_is_too_old() -> None:
    mark.require_fresh(evolve(under(mark_age=0), now=10**18), GOLD)


def test_a_mark_said_during_a_pause_waits() -> None:
    before = evolve(settlement.pause(under(), GOLD).exchange, now=4)
    outcome = set_mark(before, GOLD, 60)
    assert outcome.events == ()
    listed = outcome.exchange.markets[GOLD]
    assert listed == evolve(before.markets[GOLD], next_mark=60, marked_at=4)
    with refuses(mark.PAUSED, GOLD):
        mark.require_open(outcome.exchange, GOLD)
