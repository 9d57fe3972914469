"""LIQ: contracts that are worth an amount of quote currency and settled in coin."""

from __future__ import annotations

from perpref.rule_registry import formula
from perpref.rules.liquidation import Exact
from perpref.units import PARTS, Rounding, divided


@formula("LIQ-30")
def coins(face: int, price: int) -> Exact:
    """What inverse contracts are worth in coin at a price, exact; negative for a short.

    Args:
        face: what the contracts are worth in quote currency, negative for a short.
    """
    return face, price


@formula("LIQ-30")
def profit_in_coins(face: int, entry: int, price: int) -> Exact:
    """What inverse contracts have gained in coin since their entry, exact: $F/e - F/p$."""
    return face * (price - entry), entry * price


@formula("LIQ-31")
def inverse_due_price(face: int, rate: int, behind: int) -> Exact | None:
    """The price at which what is behind inverse contracts is just what they need, exact.

    A long is due below it and a short above it. None when no price parts the two: a long with
    nothing behind it, and a short that is covered at any price. With a rate of 0 and no needs it
    is the bankruptcy price.

    Args:
        face: what the contracts are worth in quote currency, negative for a short.
        rate: of their worth in coin that is needed, in parts per million: margin or closing fee.
        behind: collateral and the worth in coin at entry, less what is needed whatever the price.
    """
    needed = face * PARTS + rate * abs(face)
    if needed > 0 and behind > 0:
        return needed, behind * PARTS
    if needed < 0 and behind < 0:
        return -needed, -behind * PARTS
    return None


@formula("LIQ-32")
def on_tick(price: Exact, tick: int, rounding: Rounding) -> int:
    """An exact price as a whole number of ticks, rounded as the venue says; at least one tick."""
    numerator, denominator = price
    return max(divided(numerator, denominator * tick, rounding), 1) * tick
