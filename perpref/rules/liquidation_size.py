"""LIQ: how much of a position is closed at a time, and when that is enough."""

from __future__ import annotations

from perpref.rule_registry import rule
from perpref.rules.margin import equity, health, maintenance_margin, notional, position_of
from perpref.state import Exchange, Position, Tier
from perpref.units import PARTS, AccountId, MarketId, ceil_div, floor_div, sign

SMALLEST_STEP = 10_000
"""The smallest step between two shares of all positions: a hundredth (LIQ-13)."""


@rule("LIQ-10")
def first_lots(size: int, notional: int, share: int, whole: int, again: bool) -> int:
    """How many lots the first order closes: all, or of a large position a share, rounded up.

    Args:
        share: of the size, in parts per million, at least 1.
        whole: the largest notional that is closed at once, in quanta.
        again: whether a part was closed just before; then the rest follows at once.
    """
    if again or notional <= whole:
        return abs(size)
    return ceil_div(abs(size) * share, PARTS)


# Until there is a buffer.


@rule("LIQ-12")
def with_buffer(maintenance: int, notional: int, buffer: int) -> int:
    """A maintenance margin and a part of the notional above it, in quanta, rounded up.

    Args:
        buffer: of the notional, in parts per million.
    """
    return maintenance + ceil_div(notional * buffer, PARTS)


@rule("LIQ-12")
def safe_margin(exchange: Exchange, account: AccountId) -> int:
    """The equity, in quanta, from which on a liquidation that has begun goes no further."""
    positions, markets = exchange.accounts[account].positions, exchange.markets
    needs = positions.total_against(markets, maintenance_margin)
    worth = positions.total_against(markets, notional)
    return with_buffer(needs, worth, exchange.rulebook.liquidation_buffer)


@rule("LIQ-12")
def is_safe(exchange: Exchange, account: AccountId) -> bool:
    """Whether an account stands so well that its liquidation is over."""
    return equity(exchange, account) >= safe_margin(exchange, account)


@rule("LIQ-12")
def suffices(exchange: Exchange, account: AccountId, market: MarketId, lots: int) -> bool:
    """Whether an account would be safe if its position had so many lots less, closed at the mark.

    Args:
        lots: from 0 to as many as the position has. If some suffice, so do more.
    """
    listed, held = exchange.markets[market], position_of(exchange, account, market)
    left = Position(held.size - sign(held.size) * lots, 0)
    positions, markets = exchange.accounts[account].positions, exchange.markets
    freed = maintenance_margin(held, listed) - maintenance_margin(left, listed)
    needs = positions.total_against(markets, maintenance_margin) - freed
    worth = positions.total_against(markets, notional) - lots * listed.mark
    safe = with_buffer(needs, worth, exchange.rulebook.liquidation_buffer)
    return equity(exchange, account) >= safe


# Down to the next tier.


@rule("LIQ-12")
def tier_begins(notional: int, tiers: tuple[Tier, ...]) -> int:
    """Above which notional, in quanta, the tier of a notional begins; 0 below all tiers."""
    begins = 0
    for tier in tiers:
        begins = tier.above if notional > tier.above else begins
    return begins


@rule("LIQ-12")
def lots_above(size: int, most: int) -> int:
    """How many lots to close so that a position steps down to the largest size of a tier."""
    return max(abs(size) - most, 0)


@rule("LIQ-12")
def lots_of_tier(size: int, mark: int, begins: int) -> int:
    """How many lots take a position out of its tier: those above the largest size below it.

    Args:
        begins: above which notional its tier begins, in quanta, and less than its own; below all
            tiers that is 0, and all lots are closed.
    """
    return lots_above(size, floor_div(begins, mark))


# As many as a shortage takes, as outside liquidators are allowed.


@rule("LIQ-12")
def lots_to_cover(
    shortage: int,
    price: int,
    collateral: int,
    margin_rate: int,
    liquidator_fee: int,
    insurance_fee: int,
) -> int | None:
    """How many lots, rounded down, free as much margin as an account lacks; None: no number does.

    Each lot that is passed on frees its margin, less what the liquidator and the insurer take. A
    formula of venues where anybody may liquidate; no action asks it.

    Args:
        shortage: of margin, buffer included, in quanta.
        collateral: the worth of a unit of collateral, in millionths of it.
    """
    if margin_rate <= liquidator_fee:
        return None
    freed = price * (collateral * (margin_rate - liquidator_fee) - PARTS * insurance_fee)
    return floor_div(shortage * PARTS * PARTS, freed) if freed > 0 else None


# The same share of everything.


@rule("LIQ-13")
def penalty(maintenance: int, share: int, fee: int) -> int:
    """What closing a share of all positions costs: a fee of the margin that it frees, rounded up.

    Args:
        share: of every position, and `fee` of their margin, in parts per million.
    """
    return ceil_div(maintenance * share * fee, PARTS * PARTS)


@rule("LIQ-13")
def smallest_share(equity: int, maintenance: int, step: int, fee: int, target: int) -> int:
    """The smallest multiple of a step of all positions that makes an account safe, or all of it.

    Safe is a maintenance margin below `target` of the equity that the penalty leaves; share,
    step, fee and target are in parts per million.
    """
    share = step
    while share < PARTS:
        left = equity - penalty(maintenance, share, fee)
        if maintenance * (PARTS - share) < target * left:
            return share
        share += step
    return PARTS


@rule("LIQ-13")
def equal_share(exchange: Exchange, account: AccountId) -> int:
    """The share of every position, in parts per million, that a liquidation closes first."""
    now, rulebook = health(exchange, account), exchange.rulebook
    step, target = rulebook.liquidation_step, rulebook.liquidation_target
    return smallest_share(now.equity, now.maintenance, step, 0, target)


@rule("LIQ-13")
def lots_of_share(size: int, share: int) -> int:
    """How many lots a share of a position is, rounded up.

    Args:
        share: in parts per million, from 1 to all of it.
    """
    return ceil_div(abs(size) * share, PARTS)
