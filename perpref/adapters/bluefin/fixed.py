"""The contracts' arithmetic: fixed point at 10^18, every division towards zero."""

from __future__ import annotations

from perpref.adapters.bluefin.commands import ONE


def towards_zero(dividend: int, divisor: int) -> int:
    """A quotient as the contracts' machine divides: the fraction is dropped."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def times(left: int, right: int) -> int:
    """A product of two fixed-point numbers, towards zero (BaseMath.sol, baseMul)."""
    return towards_zero(left * right, ONE)


def times_up(left: int, right: int) -> int:
    """A product of two numbers that are not negative, rounded up (baseMulRoundUp)."""
    return -(-(left * right) // ONE)


def over(left: int, right: int) -> int:
    """A quotient of two fixed-point numbers, towards zero (BaseMath.sol, baseDiv)."""
    return towards_zero(left * ONE, right)


def round_to_tick(price: int, tick: int) -> int:
    """A price at the nearest tick, half a tick upwards (_roundPrice)."""
    raised = price + tick * 5 // 10
    return raised - raised % tick


def whole(leverage: int) -> int:
    """A leverage without its fraction."""
    return leverage // ONE * ONE
