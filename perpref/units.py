"""UNIT: integers, rounding and bounds.

Every amount is an `int`. A price is in ticks of the quote currency per lot, a size is in lots
(positive long, negative short), cash is in quote quanta, and the units are chosen so that
`price * lots` is cash, exactly. A rate is in parts per million. Nothing here is a float, and no
rule divides with `//`: the direction of a rounding stands in the name of the function.
"""

from __future__ import annotations

from enum import Enum
from typing import NewType

AccountId = NewType("AccountId", int)
MarketId = NewType("MarketId", int)
OrderId = NewType("OrderId", int)

PARTS = 1_000_000
"""Denominator of every rate: a rate of 10_000 is one per cent (UNIT-3)."""

MAX_CASH = 10**24
"""Largest amount of cash that one command may name, in quanta (UNIT-2)."""

MAX_PRICE = 10**12
"""Largest price, in ticks per lot (UNIT-2). The smallest is 1: a price is positive."""

MAX_LOTS = 10**12
"""Largest size that one order may name, in lots (UNIT-2)."""

MAX_SHARES = 10**36
"""Most shares that a vault may have out (UNIT-2)."""

MAX_TIME = 10**18
"""Latest time that a clock may show (UNIT-2)."""

MAX_ID = 10**18
"""Largest account, market or order identifier (UNIT-4)."""


def floor_div(dividend: int, divisor: int) -> int:
    """Quotient rounded towards minus infinity; the divisor must be positive (UNIT-3).

    Raises:
        ValueError: the divisor is not positive. Integer division by a negative number means
            different things in different languages, so no rule may do it.
    """
    if divisor <= 0:
        raise ValueError(f"UNIT-3: the divisor must be positive, not {divisor}")
    return dividend // divisor


def ceil_div(dividend: int, divisor: int) -> int:
    """Quotient rounded towards plus infinity; the divisor must be positive (UNIT-3).

    Raises:
        ValueError: the divisor is not positive.
    """
    if divisor <= 0:
        raise ValueError(f"UNIT-3: the divisor must be positive, not {divisor}")
    return -(-dividend // divisor)


def trunc_div(dividend: int, divisor: int) -> int:
    """Quotient rounded towards zero, so that the sign changes nothing (UNIT-3).

    Raises:
        ValueError: the divisor is not positive.
    """
    return floor_div(dividend, divisor) if dividend >= 0 else ceil_div(dividend, divisor)


class Rounding(Enum):
    """What becomes of the part of a quantum: a policy with three directions (UNIT-5)."""

    DOWN = "down"
    UP = "up"
    TOWARDS_ZERO = "towards_zero"


def divided(dividend: int, divisor: int, rounding: Rounding) -> int:
    """Quotient rounded as the policy says, less than one away from the exact one (UNIT-5)."""
    match rounding:
        case Rounding.DOWN:
            return floor_div(dividend, divisor)
        case Rounding.UP:
            return ceil_div(dividend, divisor)
        case Rounding.TOWARDS_ZERO:
            return trunc_div(dividend, divisor)


def clamp(number: int, least: int, most: int) -> int:
    """The number, or the bound that it is beyond."""
    return max(least, min(number, most))


def sign(lots: int) -> int:
    """+1 for a long, -1 for a short, 0 when flat."""
    if lots > 0:
        return 1
    if lots < 0:
        return -1
    return 0
