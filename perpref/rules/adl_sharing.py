"""ADL: how the lots that must be closed are shared out, where not the queue alone decides."""

from __future__ import annotations

from attrs import frozen

from perpref.rule_registry import rule
from perpref.rules.adl import Standing
from perpref.rules.margin import equity, maintenance_margin, position_of
from perpref.state import Exchange, Position, ShareWeight
from perpref.units import AccountId, MarketId, ceil_div, floor_div


@rule("ADL-9")
def weight_of_winner(weight: ShareWeight, standing: Standing) -> int:
    """What counts for a counterparty when lots are shared out, zero or more."""
    match weight:
        case ShareWeight.LOTS:
            return abs(standing.size)
        case ShareWeight.EQUITY:
            return max(standing.equity, 0)
        case ShareWeight.LEVERED_PROFIT:
            return floor_div(max(standing.profit, 0) * standing.notional, max(standing.equity, 1))


@rule("ADL-8")
def part_in_proportion(lots: int, before: int, weight: int, total: int) -> int:
    """How many of `lots` fall to a weight when all are closed in proportion: whole lots.

    What falls to it and to all before it together is rounded up, so every part is less than a lot
    from its exact one, and all of them are the lots exactly.

    Args:
        before: the weights of all that come first, and `total` those of all.
    """
    return ceil_div(lots * (before + weight), total) - ceil_div(lots * before, total)


@frozen
class Claim:
    """What a counterparty counts when lots are shared out, and how many of them it takes at most.

    `weight` is zero or more (ADL-9); `capacity` is in lots (ADL-11).
    """

    weight: int
    capacity: int


@rule("ADL-10")
def whole_part(lots: int, weight: int, total: int) -> int:
    """The whole lots of a part in proportion, rounded down."""
    return floor_div(lots * weight, total)


@rule("ADL-10")
def remainder(lots: int, weight: int, total: int) -> int:
    """What rounding a part down leaves out: of two parts, the larger one is rounded up first.

    In parts of a lot, of which `total` are one.
    """
    return lots * weight - whole_part(lots, weight, total) * total


@rule("ADL-11")
def fills_before(first: Claim, second: Claim) -> bool:
    """Whether a claim is full at a lower level than another: at fewer lots for its weight."""
    return first.capacity * second.weight < second.capacity * first.weight


@rule("ADL-11")
def is_full(lots: int, weight: int, total: int, capacity: int) -> bool:
    """Whether all that a claim takes falls to it, of the lots that are left.

    Args:
        total: the weights of this claim and of all that are not full at a lower level.
    """
    return lots * weight >= capacity * total


@rule("ADL-11")
def stays_margined(
    exchange: Exchange, counterparty: AccountId, market: MarketId, lots: int, loss: int
) -> bool:
    """Whether a counterparty's equity covers its maintenance margin after it was closed by `lots`.

    Args:
        lots: from 0 to as many as its position has.
        loss: what closing so many costs it at the mark, in quanta; a gain when negative.
    """
    listed, held = exchange.markets[market], position_of(exchange, counterparty, market)
    left = Position(held.size + (lots if held.size < 0 else -lots), 0)
    positions, markets = exchange.accounts[counterparty].positions, exchange.markets
    freed = maintenance_margin(held, listed) - maintenance_margin(left, listed)
    needs = positions.total_against(markets, maintenance_margin) - freed
    return equity(exchange, counterparty) - loss >= needs


@rule("ADL-12")
def first_of_walk(seed: int, last_order: int, count: int) -> int:
    """Where a walk round `count` accounts begins: any of them, by a number that nobody picks.

    Args:
        seed: the rulebook's; with the last order it is another one for each liquidation.
    """
    drawn = seed + 1_000_003 * last_order
    return drawn - floor_div(drawn, count) * count


@rule("ADL-12")
def place_in_walk(first: int, turn: int, count: int) -> int:
    """Whose turn it is in a walk round `count` that begins at `first`; all are counted from 0."""
    place = first + turn
    return place if place < count else place - count
