"""MRG: what an account is worth, and what it must be worth to hold its positions."""

from __future__ import annotations

from attrs import frozen

from perpref.rule_registry import Phase, refusal, require, rule
from perpref.state import FLAT, Exchange, Market, Position, Tier
from perpref.units import PARTS, AccountId, MarketId, ceil_div, clamp, floor_div

ORDERS_NEED_MARGIN = refusal(
    "MRG-8",
    "orders_need_margin",
    Phase.MARGIN,
    "Positions and orders would need {limit} of initial margin, and there is {value}",
)


@rule("MRG-1")
def position_value(position: Position, market: Market) -> int:
    """Unrealised profit of a position at the mark, in quanta, exact."""
    return position.size * market.mark - position.cost


@rule("MRG-2")
def notional(position: Position, market: Market) -> int:
    """Absolute size times mark, in quanta, exact."""
    return abs(position.size) * market.mark


def above_tier(margin: int, rate: int, notional: int, above: int, higher: int) -> tuple[int, int]:
    """The margin and the rate so far, once the notional above an amount has the higher rate."""
    extra = max(higher - rate, 0)
    return margin + extra * max(notional - above, 0), rate + extra


@rule("MRG-6")
def tiered(notional: int, rate: int, tiers: tuple[tuple[int, int], ...]) -> int:
    """A notional times its rate, in millionths of a quantum: each part has its tier's rate.

    The same as the notional times the rate of its tier, less a deduction that makes the margin
    continuous where a tier begins.

    Args:
        tiers: from which notional on, in quanta, which rate holds; lowest first.
    """
    margin = rate * notional
    for above, higher in tiers:
        margin, rate = above_tier(margin, rate, notional, above, higher)
    return margin


def maintenance_rates(tiers: tuple[Tier, ...]) -> tuple[tuple[int, int], ...]:
    """From which notional on which maintenance rate holds."""
    return tuple((tier.above, tier.maintenance_rate) for tier in tiers)


def initial_rates(tiers: tuple[Tier, ...]) -> tuple[tuple[int, int], ...]:
    """From which notional on which initial rate holds."""
    return tuple((tier.above, tier.initial_rate) for tier in tiers)


@rule("MRG-7")
def scaled_rate(rate: int, interest: int, scaled_from: int, scaled_to: int) -> int:
    """An initial rate that grows with the open notional to all of the notional, rounded down.

    Args:
        interest: the open notional, in quanta, as are the bounds; without growth both are 0.
    """
    if scaled_to <= scaled_from:
        return rate
    grown = clamp(interest - scaled_from, 0, scaled_to - scaled_from)
    return rate + floor_div((PARTS - rate) * grown, scaled_to - scaled_from)


@rule("MRG-3", "MRG-9")
def maintenance_margin(position: Position, market: Market) -> int:
    """What a position needs in order not to be liquidated: a rate of notional, rounded up.

    Where who has just that is due, it is a whole quantum above it when there is nothing to round.
    """
    tiers = maintenance_rates(market.tiers)
    exact = tiered(notional(position, market), market.maintenance_rate, tiers)
    above = min(exact, 1) if market.due_at_maintenance else 0
    return ceil_div(exact + above, PARTS)


@rule("MRG-4")
def initial_margin(position: Position, market: Market) -> int:
    """What a position needs in order to be opened: a rate of notional, rounded up."""
    interest = market.open_interest * market.mark
    rate = scaled_rate(market.initial_rate, interest, market.scaled_from, market.scaled_to)
    return ceil_div(tiered(notional(position, market), rate, initial_rates(market.tiers)), PARTS)


@rule("MRG-8")
def exposed(size: int, buys: int, sells: int) -> int:
    """The largest size, in lots, that a position and its orders could become, on either side."""
    return max(size + buys, sells - size)


@rule("MRG-8")
def order_margin(size: int, buys: int, sells: int, market: Market) -> int:
    """What a position and its orders need in a market, in quanta: for the largest they may become.

    Args:
        buys, sells: the lots of all orders but reduce-only ones, which make no position larger.
    """
    return initial_margin(Position(exposed(size, buys, sells), 0), market)


@rule("MRG-8")
def require_order_margin(worth: int, before: int, after: int) -> None:
    """Refuse what makes positions and orders need more than there is, in quanta.

    What does not raise the need is not refused, so an account short of margin can still get out.

    Args:
        before, after: what they need over all markets, before and after.
    """
    require(worth >= after or after <= before, ORDERS_NEED_MARGIN, worth, after)


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
