"""MRG: what an account is worth, and what it must be worth to hold its positions."""

from __future__ import annotations

from attrs import frozen

from perpref.rule_registry import rule
from perpref.state import FLAT, Exchange, Market, Position
from perpref.units import PARTS, AccountId, MarketId, ceil_div


@rule("MRG-1")
def position_value(position: Position, market: Market) -> int:
    """Unrealised profit of a position at the mark, in quanta, exact."""
    return position.size * market.mark - position.cost


@rule("MRG-2")
def notional(position: Position, market: Market) -> int:
    """Absolute size times mark, in quanta, exact."""
    return abs(position.size) * market.mark


@rule("MRG-3")
def maintenance_margin(position: Position, market: Market) -> int:
    """What a position needs in order not to be liquidated: a rate of notional, rounded up."""
    return ceil_div(notional(position, market) * market.maintenance_rate, PARTS)


@rule("MRG-4")
def initial_margin(position: Position, market: Market) -> int:
    """What a position needs in order to be opened: a rate of notional, rounded up."""
    return ceil_div(notional(position, market) * market.initial_rate, PARTS)


@frozen
class Health:
    """The three numbers that decide about an account, in quanta."""

    equity: int
    maintenance: int
    initial: int


def unrealised_profit(exchange: Exchange, account: AccountId) -> int:
    """Sum of the values of the account's positions at the mark (MRG-1)."""
    positions = exchange.accounts[account].positions
    return positions.total_against(exchange.markets, position_value)


@rule("MRG-1")
def equity(exchange: Exchange, account: AccountId) -> int:
    """Collateral plus unrealised profit over all markets: cross margin."""
    return exchange.accounts[account].collateral + unrealised_profit(exchange, account)


def health(exchange: Exchange, account: AccountId) -> Health:
    """Equity and both margins of an account over all its markets."""
    positions = exchange.accounts[account].positions
    return Health(
        equity(exchange, account),
        positions.total_against(exchange.markets, maintenance_margin),
        positions.total_against(exchange.markets, initial_margin),
    )


def position_of(exchange: Exchange, account: AccountId, market: MarketId) -> Position:
    """What an account holds in a market; flat when it never traded there."""
    return exchange.accounts[account].positions.get(market, FLAT)


def reduces(before: Position, after: Position) -> bool:
    """Fewer lots on the same side, or none."""
    if before.size > 0:
        return 0 <= after.size < before.size
    return before.size < after.size <= 0


@rule("MRG-5")
def bears_fill(before: Health, after: Health, reducing: bool) -> bool:
    """Whether an account may end a fill in this health.

    It meets initial margin, or it reduces, is solvent, and its equity covers its maintenance
    margin no worse than before. "Reducing is always allowed" would let an account close so far
    from the mark that it loses more than it has.
    """
    if after.equity >= after.initial:
        return True
    covers = after.equity * before.maintenance >= before.equity * after.maintenance
    return reducing and after.equity >= 0 and covers
