"""BOOK: what an order must be to be taken."""

from __future__ import annotations

import pytest
from attrs import evolve

from perpref.rules import admission
from perpref.rules.clock import TIME_OUT_OF_BOUNDS
from perpref.state import Order
from perpref.units import MAX_TIME
from tests.exchanges import ANN, GOLD, buys, exchange, holds, market, refuses, rules, sells


@pytest.mark.parametrize(("price", "tick"), [(1, 1), (7, 1), (10, 5), (5, 5), (999, 333)])
def test_a_whole_number_of_ticks_is_taken(price: int, tick: int) -> None:
    before = exchange({ANN: holds(5)}, evolve(market(100), tick=tick))
    admission.require_on_tick(before, GOLD, buys(1, ANN, 1, price))


@pytest.mark.parametrize(("price", "tick"), [(1, 2), (4, 5), (6, 5), (11, 10), (998, 333)])
def test_anything_between_two_ticks_is_refused(price: int, tick: int) -> None:
    before = exchange({ANN: holds(5)}, evolve(market(100), tick=tick))
    with refuses(admission.OFF_TICK, price, tick):
        admission.require_on_tick(before, GOLD, sells(1, ANN, 1, price))


@pytest.mark.parametrize(
    ("mark", "width", "lowest", "highest"),
    [
        (100, 50_000, 95, 105),
        (101, 50_000, 96, 106),
        (1, 999_999, 1, 1),
        (3, 1_000_000, 0, 6),
        (1_000, 1, 1_000, 1_000),
    ],
)
def test_the_band_is_rounded_towards_the_mark(
    mark: int, width: int, lowest: int, highest: int
) -> None:
    assert admission.band_of(evolve(market(mark), price_band=width)) == (lowest, highest)


def judged(order: Order, width: int = 50_000, both: bool = False) -> None:
    """At a mark of 101 five per cent go from 96 to 106."""
    before = exchange(
        {ANN: holds(5)},
        evolve(market(101), price_band=width),
        rulebook=evolve(rules(), band_both_sides=both),
    )
    admission.require_in_band(before, GOLD, order)


@pytest.mark.parametrize(
    ("order", "both"),
    [
        (buys(1, ANN, 1, 106), False),
        (buys(1, ANN, 1, 1), False),
        (buys(1, ANN, 1, 96), True),
        (buys(1, ANN, 1, 200, only=True), True),
        (sells(1, ANN, 1, 96), False),
        (sells(1, ANN, 1, 900), False),
        (sells(1, ANN, 1, 106), True),
        (sells(1, ANN, 1, 1, only=True), False),
    ],
)
def test_within_the_band_and_where_it_does_not_bind(order: Order, both: bool) -> None:
    judged(order, both=both)


@pytest.mark.parametrize(
    ("order", "both", "limit"),
    [
        (buys(1, ANN, 1, 107), False, 106),
        (buys(1, ANN, 1, 107), True, 106),
        (buys(1, ANN, 1, 95), True, 96),
        (sells(1, ANN, 1, 95), False, 96),
        (sells(1, ANN, 1, 95), True, 96),
        (sells(1, ANN, 1, 107), True, 106),
    ],
)
def test_beyond_the_band(order: Order, both: bool, limit: int) -> None:
    with refuses(admission.BEYOND_BAND, order.price, limit):
        judged(order, both=both)
    judged(order, width=0, both=both)


def test_how_many_orders_may_rest() -> None:
    two = evolve(rules(), most_orders=2)
    admission.require_room(two, 0)
    admission.require_room(two, 1)
    for resting in (2, 3):
        with refuses(admission.TOO_MANY_ORDERS, resting, 2):
            admission.require_room(two, resting)
    admission.require_room(rules(), 10**6)


@pytest.mark.parametrize(
    ("expires", "now", "live"),
    [(0, 0, True), (0, 9, True), (6, 5, True), (5, 5, False), (4, 5, False), (1, 0, True)],
)
def test_an_order_is_live_before_its_time(expires: int, now: int, live: bool) -> None:
    order = evolve(buys(1, ANN, 1, 100), expires=expires)
    assert admission.is_live(order, now) is live
    before = evolve(exchange({ANN: holds(5)}), now=now)
    if live:
        admission.require_time_left(before, order)
    else:
        with refuses(admission.EXPIRED, expires, now):
            admission.require_time_left(before, order)


@pytest.mark.parametrize("wrong", [-1, MAX_TIME + 1])
def test_a_time_has_bounds(wrong: int) -> None:
    order = evolve(buys(1, ANN, 1, 100), expires=wrong)
    with refuses(TIME_OUT_OF_BOUNDS, wrong, MAX_TIME):
        admission.require_time_left(exchange({ANN: holds(5)}), order)
    latest = evolve(order, expires=MAX_TIME)
    admission.require_time_left(exchange({ANN: holds(5)}), latest)
