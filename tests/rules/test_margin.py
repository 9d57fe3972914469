"""MRG: equity, both margins, and who may end a fill how."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.rules.margin import (
    ORDERS_NEED_MARGIN,
    Health,
    bears_fill,
    equity,
    exposed,
    health,
    initial_margin,
    maintenance_margin,
    notional,
    order_margin,
    position_of,
    position_value,
    reduces,
    require_order_margin,
    scaled_rate,
    tiered,
    unrealised_profit,
)
from perpref.state import FLAT, Position, Tier
from perpref.units import PARTS
from tests.exchanges import ANN, BOB, GOLD, OIL, exchange, holds, market, refuses


@pytest.mark.parametrize(
    ("held", "value"),
    [(Position(3, 290), 10), (Position(-3, -290), -10), (Position(3, 310), -10), (FLAT, 0)],
)
def test_the_value_of_a_position_at_100(held: Position, value: int) -> None:
    assert position_value(held, market(100)) == value


def test_notional_is_the_same_long_and_short() -> None:
    assert notional(Position(3, 1), market(101)) == 303
    assert notional(Position(-3, -1), market(101)) == 303


@pytest.mark.parametrize("size", [1, -1])
@pytest.mark.parametrize(("mark", "maintenance", "initial"), [(100, 5, 10), (101, 6, 11)])
def test_margins_are_rounded_up(size: int, mark: int, maintenance: int, initial: int) -> None:
    # 5% and 10% of 100 are exact, of 101 they are 5.05 and 10.1
    held = Position(size, 0)
    assert maintenance_margin(held, market(mark)) == maintenance
    assert initial_margin(held, market(mark)) == initial


@given(
    size=st.integers(-99, 99),
    mark=st.integers(1, 9_999),
    rates=st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)),
)
def test_margins_are_the_exact_part_rounded_up(
    size: int, mark: int, rates: tuple[int, int]
) -> None:
    held, listed = Position(size, 0), market(mark, maintenance=rates[0], initial=rates[1])
    worth = abs(size) * mark
    assert maintenance_margin(held, listed) == ceil(Fraction(worth * rates[0], 10**6))
    assert initial_margin(held, listed) == ceil(Fraction(worth * rates[1], 10**6))


def test_equity_is_collateral_and_profit_over_all_markets() -> None:
    # gold: 3 bought for 290 at a mark of 100: +10; oil: 2 sold for 150 at a mark of 80: -10 - ...
    before = exchange({ANN: holds(50, (3, 290), (-2, -150))}, market(100), market(81))
    # oil: -162 + 150 = -12
    assert unrealised_profit(before, ANN) == 10 - 12
    assert equity(before, ANN) == 48


def test_health_adds_up_both_margins_over_all_markets() -> None:
    before = exchange({ANN: holds(50, (3, 290), (-2, -150))}, market(100), market(81))
    # gold 300: 15 and 30; oil 162: 8.1 and 16.2, rounded up for each market by itself
    assert health(before, ANN) == Health(48, 15 + 9, 30 + 17)


def test_the_position_of_somebody_who_never_traded_is_flat() -> None:
    before = exchange({ANN: holds(50, (3, 290)), BOB: holds(1)})
    assert position_of(before, ANN, GOLD) == Position(3, 290)
    assert position_of(before, ANN, OIL) == FLAT
    assert position_of(before, BOB, GOLD) == Position(0, 0)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (5, 4, True),
        (5, 0, True),
        (5, 5, False),
        (5, 6, False),
        (5, -1, False),
        (-5, -4, True),
        (-5, 0, True),
        (-5, -5, False),
        (-5, -6, False),
        (-5, 1, False),
        (0, 0, False),
        (0, 1, False),
        (0, -1, False),
        (1, 0, True),
        (-1, 0, True),
    ],
)
def test_fewer_lots_on_the_same_side_or_none_is_reducing(
    before: int, after: int, expected: bool
) -> None:
    assert reduces(Position(before, 0), Position(after, 0)) is expected


@pytest.mark.parametrize(
    ("before", "after", "reducing", "expected"),
    [
        # initial margin is met exactly, or missed by one
        (Health(100, 50, 100), Health(100, 50, 100), False, True),
        (Health(100, 50, 100), Health(99, 50, 100), False, False),
        (Health(0, 0, 0), Health(0, 0, 0), False, True),
        # reducing: 60 of 50 before, 48 of 40 after is as good; 47 is worse
        (Health(60, 50, 100), Health(48, 40, 80), True, True),
        (Health(60, 50, 100), Health(47, 40, 80), True, False),
        # the same without reducing
        (Health(60, 50, 100), Health(48, 40, 80), False, False),
        # solvent: from below zero to zero is allowed, to less than zero is not
        (Health(-10, 50, 100), Health(0, 40, 80), True, True),
        (Health(-10, 50, 100), Health(-1, 40, 80), True, False),
        (Health(0, 50, 100), Health(0, 40, 80), True, True),
    ],
)
def test_who_bears_a_fill(before: Health, after: Health, reducing: bool, expected: bool) -> None:
    assert bears_fill(before, after, reducing) is expected


@given(
    before=st.builds(Health, st.integers(-99, 99), st.integers(1, 99), st.just(100)),
    after=st.builds(Health, st.integers(-99, 99), st.integers(1, 99), st.just(100)),
)
def test_covering_no_worse_is_a_comparison_of_ratios(before: Health, after: Health) -> None:
    ratio = Fraction(before.equity, before.maintenance)
    expected = after.equity >= 0 and Fraction(after.equity, after.maintenance) >= ratio
    assert bears_fill(before, after, reducing=True) is expected
    assert bears_fill(before, after, reducing=False) is False


TIERS = ((1_000, 100_000), (3_000, 250_000))


@pytest.mark.parametrize(
    ("worth", "millions"), [(0, 0), (1_000, 50), (1_001, 50.1), (3_000, 250), (3_004, 251)]
)
def test_each_part_of_a_notional_has_its_tiers_rate(worth: int, millions: float) -> None:
    """5 per cent, 10 from 1,000 on, 25 from 3,000 on."""
    assert tiered(worth, 50_000, TIERS) == Fraction(str(millions)) * PARTS


@given(st.integers(0, 10**6))
def test_a_tier_is_its_rate_less_a_deduction(worth: int) -> None:
    rate, deduction = 50_000, 0
    for above, higher in TIERS:
        if worth > above:
            deduction += above * (higher - rate)
            rate = higher
    assert tiered(worth, 50_000, TIERS) == rate * worth - deduction


@pytest.mark.parametrize(
    ("interest", "rate"),
    [
        (0, 200_000),
        (100, 200_000),
        (101, 204_000),
        (150, 400_000),
        (299, 996_000),
        (300, PARTS),
        (900, PARTS),
    ],
)
def test_an_initial_rate_grows_with_open_interest(interest: int, rate: int) -> None:
    assert scaled_rate(200_000, interest, 100, 300) == rate
    assert scaled_rate(200_000, interest, 300, 300) == 200_000
    assert scaled_rate(200_000, interest, 100, 100 + 300 * 7) <= rate


@given(st.integers(-20, 20), st.integers(0, 20), st.integers(0, 20), st.data())
def test_orders_expose_to_the_worst_that_may_fill(
    size: int, buys: int, sells: int, data: st.DataObject
) -> None:
    bought, sold = data.draw(st.integers(0, buys)), data.draw(st.integers(0, sells))
    most = exposed(size, buys, sells)
    assert abs(size + bought - sold) <= most
    assert most in (abs(size), abs(size + buys), abs(size - sells))


def test_a_tier_with_the_same_or_a_lower_rate_changes_nothing() -> None:
    assert tiered(5_000, 50_000, ((1_000, 50_000),)) == 5_000 * 50_000
    tiers = ((1_000, 40_000), (2_000, 60_000))
    assert tiered(5_000, 50_000, tiers) == 5_000 * 50_000 + 3_000 * 10_000


def test_both_margins_of_a_position_know_its_tiers_and_its_open_interest() -> None:
    """20 lots at 100: 1,000 at 10 and 5 per cent, 1,000 at 40 and 20; 500 lots are open."""
    listed = evolve(market(100), tiers=(Tier(1_000, 400_000, 200_000),), open_interest=500)
    held = Position(20, 2_000)
    assert initial_margin(held, listed) == 500
    assert maintenance_margin(held, listed) == 250
    scaled = evolve(listed, scaled_from=40_000, scaled_to=60_000)  # 50,000 are open: half way
    assert initial_margin(held, scaled) == 1_100, "55 per cent of all of it"
    assert maintenance_margin(held, scaled) == 250
    assert scaled_rate(1, 50_001, 40_000, 60_000) == 500_050, "rounded down: 500,050.5"


@pytest.mark.parametrize(
    ("lots", "below", "at"), [(0, 0, 0), (1, 5, 6), (-2, 10, 11), (25, 125, 126)]
)
def test_just_the_maintenance_margin_is_a_quantum_short_where_the_market_says_so(
    lots: int, below: int, at: int
) -> None:
    held, listed = Position(lots, 100 * lots), market(100)
    assert maintenance_margin(held, listed) == below
    assert maintenance_margin(held, evolve(listed, due_at_maintenance=True)) == at
    odd = evolve(listed, maintenance_rate=50_001, due_at_maintenance=True)
    assert maintenance_margin(held, odd) == at, "where something is rounded it is the same"
    assert initial_margin(held, odd) == initial_margin(held, listed)


def test_a_position_without_orders_is_exposed_on_its_own_side() -> None:
    assert (exposed(-7, 3, 0), exposed(7, 0, 3), exposed(-7, 0, 0)) == (7, 7, 7)


def test_orders_need_the_margin_of_the_largest_size_they_may_lead_to() -> None:
    """Ten per cent at 100: long by 4, buying 3 and selling 9, it could be 7 long or 5 short."""
    listed = market(100)
    assert order_margin(4, 3, 9, listed) == 70
    assert order_margin(4, 0, 12, listed) == 80
    assert order_margin(-4, 3, 2, listed) == 60
    assert order_margin(0, 0, 0, listed) == 0
    tiered_market = evolve(listed, tiers=(Tier(500, 400_000, 200_000),))
    assert order_margin(4, 3, 9, tiered_market) == 50 + 80


@pytest.mark.parametrize(
    ("worth", "before", "after", "refused"),
    [
        (10, 0, 10, False),
        (10, 0, 11, True),
        (10, 11, 11, False),
        (10, 12, 11, False),
        (10, 10, 11, True),
        (-5, 0, 0, False),
        (-5, 0, 1, True),
    ],
)
def test_what_raises_the_need_is_covered(
    worth: int, before: int, after: int, refused: bool
) -> None:
    if refused:
        with refuses(ORDERS_NEED_MARGIN, worth, after):
            require_order_margin(worth, before, after)
    else:
        require_order_margin(worth, before, after)
