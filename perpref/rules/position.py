"""POS: what a fill does to one position."""

from __future__ import annotations

from perpref.rule_registry import rule
from perpref.state import Position
from perpref.units import ceil_div, sign


@rule("POS-1")
def opened(position: Position, lots: int, price: int) -> Position:
    """The position after signed `lots` were added to it at `price`; the cost is exact."""
    return Position(position.size + lots, position.cost + price * lots)


@rule("POS-2")
def closed(position: Position, lots: int, price: int) -> tuple[Position, int]:
    """The position after `lots` (positive, at most its size) of it were closed, and the profit.

    The closed lots release their part of the cost, rounded up; the profit is what is left of
    the price. So whatever the rounding does to the profit, it undoes in the remaining cost.
    """
    direction = sign(position.size)
    released = ceil_div(position.cost * lots, abs(position.size))
    remaining = Position(position.size - direction * lots, position.cost - released)
    return remaining, direction * lots * price - released


@rule("POS-3")
def traded(position: Position, lots: int, price: int) -> tuple[Position, int]:
    """The position after signed `lots` at `price`, and the realised profit in quanta.

    Lots of the other sign close first; what is left opens the other way (a flip).
    """
    if sign(position.size) * sign(lots) >= 0:
        return opened(position, lots, price), 0
    closing = min(abs(lots), abs(position.size))
    remaining, profit = closed(position, closing, price)
    return opened(remaining, lots - sign(lots) * closing, price), profit
