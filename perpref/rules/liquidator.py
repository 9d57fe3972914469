"""VLT: somebody from outside takes a position over that is due."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.isolated import require_cross
from perpref.rules.liquidation import require_due
from perpref.rules.liquidation_size import suffices
from perpref.rules.margin import Health, bears_fill, health, position_of, reduces
from perpref.rules.vault import transfer_position
from perpref.state import Exchange, LiquidationSize
from perpref.units import PARTS, AccountId, MarketId, floor_div, sign

NO_LIQUIDATORS = refusal(
    "VLT-9", "no_liquidators", Phase.VALIDATE, "Nobody from outside liquidates here"
)
OWN_POSITION = refusal(
    "VLT-9", "own_position", Phase.VALIDATE, "Account {value} cannot liquidate itself"
)
NOT_SAFER = refusal(
    "VLT-9",
    "not_safer",
    Phase.MARGIN,
    "The account would have an equity of {value} against a maintenance margin of {limit}, "
    "which covers it no better",
)
MORE_THAN_NEEDED = refusal(
    "VLT-21",
    "more_than_needed",
    Phase.MARGIN,
    "With one lot less than {value} the account would have its maintenance margin and a buffer",
)
LIQUIDATOR_CANNOT_BEAR = refusal(
    "VLT-9",
    "liquidator_cannot_bear",
    Phase.MARGIN,
    "The liquidator would have an equity of {value}, its initial margin would be {limit}",
)


@rule("VLT-9")
def liquidator_price(mark: int, size: int, fee: int) -> int:
    """The price, in ticks, at which an outside liquidator takes a position: the mark less a fee.

    The distance is rounded down, in favour of the account that is liquidated; never below 1.
    """
    return max(1, mark - sign(size) * floor_div(mark * fee, PARTS))


@rule("VLT-9")
def covers_no_worse(before: Health, after: Health) -> bool:
    """Whether an account is solvent and its equity covers its margin no worse than before."""
    covers = after.equity * before.maintenance >= before.equity * after.maintenance
    return after.equity >= 0 and covers


@rule("VLT-21")
def is_too_much(size: LiquidationSize, fewer_suffice: bool) -> bool:
    """Whether a liquidator asks for more than it may, if fewer lots would make the account safe."""
    return size is LiquidationSize.TO_BUFFER and fewer_suffice


@rule("VLT-9", "VLT-21", "MRG-5")
def take_position(
    exchange: Exchange, liquidator: AccountId, account: AccountId, market: MarketId, lots: int
) -> Outcome:
    """A liquidator takes `lots` of a position that is due, at the mark less a fee.

    It leaves the account no less safe, and is borne by the liquidator like any fill. Where
    liquidations close the fewest lots that make safe, it may take no more (LIQ-12).
    """
    require(exchange.rulebook.liquidators, NO_LIQUIDATORS)
    require_cross(exchange, liquidator)
    require(liquidator != account, OWN_POSITION, account)
    require_due(exchange, account, market)
    mark, fee = exchange.markets[market].mark, exchange.rulebook.liquidator_fee
    price = liquidator_price(mark, position_of(exchange, account, market).size, fee)
    was, had = health(exchange, liquidator), position_of(exchange, liquidator, market)
    due = health(exchange, account)
    outcome = transfer_position(exchange, account, liquidator, market, lots, price, "VLT-9")
    fewer = suffices(exchange, account, market, lots - 1)
    size = exchange.rulebook.liquidation_size
    require(not is_too_much(size, fewer), MORE_THAN_NEEDED, lots)
    left = health(outcome.exchange, account)
    require(covers_no_worse(due, left), NOT_SAFER, left.equity, left.maintenance)
    after = outcome.exchange
    now, has = health(after, liquidator), position_of(after, liquidator, market)
    borne = bears_fill(was, now, reduces(had, has))
    require(borne, LIQUIDATOR_CANNOT_BEAR, now.equity, now.initial)
    return outcome
