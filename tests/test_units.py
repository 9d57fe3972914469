"""UNIT: rounding directions, signs and bounds."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpref import units
from perpref.units import ceil_div, floor_div, sign

WHOLE = st.integers(-(10**40), 10**40)
POSITIVE = st.integers(1, 10**20)


@given(WHOLE, POSITIVE)
def test_floor_div_rounds_towards_minus_infinity(dividend: int, divisor: int) -> None:
    assert floor_div(dividend, divisor) == floor(Fraction(dividend, divisor))


@given(WHOLE, POSITIVE)
def test_ceil_div_rounds_towards_plus_infinity(dividend: int, divisor: int) -> None:
    assert ceil_div(dividend, divisor) == ceil(Fraction(dividend, divisor))


@pytest.mark.parametrize(
    ("dividend", "down", "up"),
    [(7, 3, 4), (-7, -4, -3), (8, 4, 4), (-8, -4, -4), (0, 0, 0), (1, 0, 1), (-1, -1, 0)],
)
def test_directions_of_halves(dividend: int, down: int, up: int) -> None:
    assert floor_div(dividend, 2) == down
    assert ceil_div(dividend, 2) == up


@pytest.mark.parametrize("divide", [floor_div, ceil_div])
@pytest.mark.parametrize("divisor", [0, -1, -7])
def test_a_divisor_must_be_positive(divide: object, divisor: int) -> None:
    assert callable(divide)
    with pytest.raises(ValueError, match=rf"UNIT-3: .* not {divisor}$"):
        divide(1, divisor)


@pytest.mark.parametrize(("lots", "expected"), [(5, 1), (1, 1), (0, 0), (-1, -1), (-5, -1)])
def test_sign(lots: int, expected: int) -> None:
    assert sign(lots) == expected


def test_the_stated_bounds() -> None:
    assert units.PARTS == 10**6
    assert units.MAX_CASH == 10**24
    assert units.MAX_PRICE == units.MAX_LOTS == 10**12
    assert units.MAX_ID == 10**18
