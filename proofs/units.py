"""UNIT: what the divisions mean."""

from __future__ import annotations

from perpref.units import Rounding, ceil_div, clamp, divided, floor_div, sign, trunc_div
from proofs.executor import all_of, assume, choose, claim, fresh_int, implies
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


@theorem("T-UNIT", "UNIT-3", "UNIT-5", subject="divided")
def a_rounding_errs_by_less_than_one_in_its_own_direction() -> None:
    """Down never gives more than the exact quotient, up never less, and none errs by a whole one.

    Towards zero is down for what is positive and up for what is negative.
    """
    dividend, divisor = fresh_int("dividend"), fresh_int("divisor")
    assume(divisor > 0)
    rounding = choose("rounding", tuple(Rounding))
    error = divided(dividend, divisor, rounding) * divisor - dividend
    claim("less than one", all_of(error < divisor, error > -divisor))
    if rounding is not Rounding.UP:
        claim("not more", implies(dividend >= 0, error <= 0))
    if rounding is not Rounding.DOWN:
        claim("not less", implies(dividend <= 0, error >= 0))
    if rounding is Rounding.DOWN:
        claim("never more", error <= 0)
    if rounding is Rounding.UP:
        claim("never less", error >= 0)


@theorem("T-UNIT", "UNIT-3", subject="trunc_div")
def rounding_towards_zero_knows_no_sign() -> None:
    """The quotient of the opposite is the opposite of the quotient."""
    dividend, divisor = fresh_int("dividend"), fresh_int("divisor")
    assume(divisor > 0)
    claim("opposite", trunc_div(-dividend, divisor) == -trunc_div(dividend, divisor))


@theorem("T-UNIT", "UNIT-3", subject="clamp")
def a_clamp_is_within_its_bounds_and_changes_nothing_within_them() -> None:
    """It is within the bounds; and it is the number itself, or the bound that it was beyond."""
    number, least, most = fresh_int("number"), fresh_int("least"), fresh_int("most")
    assume(least <= most)
    found = clamp(number, least, most)
    claim("within", all_of(least <= found, found <= most))
    claim("below", implies(number <= least, found == least))
    claim("above", implies(number >= most, found == most))
    claim("itself", implies(all_of(least <= number, number <= most), found == number))
