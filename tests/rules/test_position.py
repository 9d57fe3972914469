"""POS: cost basis, realised profit, and the rounding between them."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpref.rules.position import closed, opened, traded
from perpref.state import Position

LOTS = st.integers(1, 60)
PRICES = st.integers(1, 200)


def test_opening_adds_price_times_lots_to_the_cost() -> None:
    assert opened(Position(3, 301), 2, 99) == Position(5, 301 + 198)


def test_opening_short_takes_price_times_lots_off_the_cost() -> None:
    assert opened(Position(-3, -301), -2, 99) == Position(-5, -301 - 198)


@pytest.mark.parametrize(
    ("before", "lots", "price", "after", "profit"),
    [
        # 10/3 of the cost is released as 4, so 6 stay; profit 5 - 4
        (Position(3, 10), 1, 5, Position(2, 6), 1),
        # -10/3 is released as -3 (towards plus infinity), so -7 stay; profit -5 + 3
        (Position(-3, -10), 1, 5, Position(-2, -7), -2),
        # 20/3 is released as 7; profit 10 - 7
        (Position(3, 10), 2, 5, Position(1, 3), 3),
        # exact: 9/3 = 3; profit 5 - 3
        (Position(3, 9), 1, 5, Position(2, 6), 2),
        (Position(-3, -9), 1, 5, Position(-2, -6), -2),
        # closing in full releases the whole cost
        (Position(3, 10), 3, 5, Position(0, 0), 5),
        (Position(-3, -10), 3, 5, Position(0, 0), -5),
        # a short that gained: sold at 10 each, bought at 4
        (Position(-3, -30), 3, 4, Position(0, 0), 18),
    ],
)
def test_closing(before: Position, lots: int, price: int, after: Position, profit: int) -> None:
    assert closed(before, lots, price) == (after, profit)


@given(size=LOTS, cost=st.integers(-9_000, 9_000), long=st.booleans(), price=PRICES, data=st.data())
def test_the_released_cost_is_the_exact_part_rounded_up(
    size: int, cost: int, long: bool, price: int, data: st.DataObject
) -> None:
    lots = data.draw(st.integers(1, size))
    signed = size if long else -size
    after, profit = closed(Position(signed, cost), lots, price)
    released = ceil(Fraction(cost * lots, size))
    assert after == Position(signed - lots if long else signed + lots, cost - released)
    assert profit == (lots * price if long else -lots * price) - released


@pytest.mark.parametrize(
    ("before", "lots", "after", "profit"),
    [
        # from nothing
        (Position(0, 0), 4, Position(4, 48), 0),
        (Position(0, 0), -4, Position(-4, -48), 0),
        # more of the same
        (Position(3, 30), 4, Position(7, 78), 0),
        (Position(-3, -30), -4, Position(-7, -78), 0),
        # less: 2 of 3 at 12, of which 20 were paid
        (Position(3, 30), -2, Position(1, 10), 4),
        (Position(-3, -30), 2, Position(-1, -10), -4),
        # none
        (Position(3, 30), -3, Position(0, 0), 6),
        (Position(-3, -30), 3, Position(0, 0), -6),
        # a flip: 3 close with a profit of 36 - 30, 2 open at 12
        (Position(3, 30), -5, Position(-2, -24), 6),
        (Position(-3, -30), 5, Position(2, 24), -6),
    ],
)
def test_a_trade_at_12(before: Position, lots: int, after: Position, profit: int) -> None:
    assert traded(before, lots, 12) == (after, profit)


@given(
    size=st.integers(-60, 60),
    cost=st.integers(-9_000, 9_000),
    lots=st.integers(-90, 90).filter(bool),
    price=PRICES,
)
def test_a_trade_moves_collateral_less_cost_by_exactly_what_was_paid(
    size: int, cost: int, lots: int, price: int
) -> None:
    before = Position(size, cost if size else 0)
    after, profit = traded(before, lots, price)
    assert after.size == before.size + lots
    assert profit - after.cost == -before.cost - price * lots
    if after.size == 0:
        assert after.cost == 0


def test_a_trade_of_opposite_sign_in_two_steps_is_never_better_than_in_one() -> None:
    # 10 over 3 lots: closing one by one releases 4, then 3, then 3, which is all of it
    first, gain = closed(Position(3, 10), 1, 5)
    second, more = closed(first, 1, 5)
    third, last = closed(second, 1, 5)
    assert (gain, more, last) == (1, 2, 2)
    assert third == Position(0, 0)
