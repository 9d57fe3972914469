"""LIQ: what of an account's equity stands behind one of its positions."""

from __future__ import annotations

from perpref.rule_registry import rule
from perpref.state import BankruptcyPrice
from perpref.units import PARTS, floor_div


@rule("LIQ-4")
def part_of_equity(equity: int, weight: int, weights: int) -> int:
    """The part of an equity that falls to one weight of many, in quanta, rounded down."""
    return floor_div(equity * weight, weights)


@rule("LIQ-21")
def margin_of_entry(profit: int, cost: int, rate: int) -> int:
    """What a position would have left if it stood alone with its initial margin at entry.

    In quanta; the initial margin is rounded down, in favour of the account. Negative when the
    position has lost more than that.
    """
    return profit + floor_div(abs(cost) * rate, PARTS)


@rule("LIQ-20")
def equity_behind(
    definition: BankruptcyPrice,
    equity: int,
    weight: int,
    weights: int,
    profit: int,
    cost: int,
    rate: int,
) -> int:
    """What of an account's equity stands behind a position, as the rulebook defines it, in quanta.

    Never more than the equity of a solvent account, and never less than 0 there.

    Args:
        weight: the maintenance margin of the position, and `weights` the account's, in quanta.
        profit: unrealised, of the position, and `cost` what its lots cost, in quanta.
        rate: of its initial margin at entry, in parts per million.
    """
    match definition:
        case BankruptcyPrice.EQUITY_SHARE:
            return part_of_equity(equity, weight, weights)
        case BankruptcyPrice.WHOLE_EQUITY:
            return equity
        case BankruptcyPrice.ENTRY:
            return min(max(margin_of_entry(profit, cost, rate), 0), equity)
