"""UNIT: what the two divisions mean."""

from __future__ import annotations

from perpref.units import ceil_div, floor_div, sign
from proofs.executor import all_of, assume, claim, fresh_int
from proofs.registry import theorem


@theorem("T-UNIT", "UNIT-3", subject="floor_div")
def a_floor_is_the_largest_integer_below() -> None:
    """`floor_div(a, b)` is the only q with b*q <= a < b*q + b."""
    dividend, divisor, other = fresh_int("dividend"), fresh_int("divisor"), fresh_int("other")
    assume(divisor > 0)
    quotient = floor_div(dividend, divisor)
    claim("below", divisor * quotient <= dividend)
    claim("the largest", dividend < divisor * quotient + divisor)
    assume(all_of(divisor * other <= dividend, dividend < divisor * other + divisor))
    claim("the only one", other == quotient)


@theorem("T-UNIT", "UNIT-3", subject="ceil_div")
def a_ceiling_is_the_smallest_integer_above() -> None:
    """`ceil_div(a, b)` is the smallest q with a <= b*q."""
    dividend, divisor = fresh_int("dividend"), fresh_int("divisor")
    assume(divisor > 0)
    quotient = ceil_div(dividend, divisor)
    claim("above", dividend <= divisor * quotient)
    claim("the smallest", divisor * quotient < dividend + divisor)


@theorem("T-UNIT", "UNIT-3", subject="sign")
def a_sign_times_its_number_is_the_absolute_value() -> None:
    """`sign(n) * n` is `abs(n)`, and a sign is -1, 0 or 1."""
    number = fresh_int("number")
    claim("absolute", sign(number) * number == abs(number))
    claim("bounded", all_of(sign(number) >= -1, sign(number) <= 1))
