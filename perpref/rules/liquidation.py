"""LIQ: who is liquidated, from which price on, and the first stage, the order book."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, formula, refusal, require, rule
from perpref.rules.book import (
    LOTS_OUT_OF_BOUNDS,
    MAKER_CANNOT_REDUCE,
    SELF_TRADE,
    crosses,
    fill_from_book,
    reducible,
    require_maker_bears,
)
from perpref.rules.fee import charge_liquidated, charge_maker
from perpref.rules.ledger import pay
from perpref.rules.liquidation_equity import equity_behind, part_of_equity
from perpref.rules.liquidation_size import safe_margin
from perpref.rules.liquidation_time import auction_step, has_time, offered_limit
from perpref.rules.margin import (
    Health,
    equity,
    health,
    maintenance_margin,
    maintenance_rates,
    notional,
    position_of,
    position_value,
    tiered,
)
from perpref.state import VAULT, Exchange, LiquidationLimit, Order, Position, Rulebook, Side
from perpref.units import (
    MAX_LOTS,
    PARTS,
    AccountId,
    MarketId,
    clamp,
    floor_div,
    sign,
)

NOT_DUE = refusal(
    "LIQ-1",
    "not_due",
    Phase.VALIDATE,
    "The equity of {value} covers the maintenance margin of {limit}",
)
NO_POSITION = refusal(
    "LIQ-3", "no_position", Phase.VALIDATE, "The account holds nothing in market {value}"
)
WORSE_THAN_BANKRUPTCY = refusal(
    "LIQ-6",
    "worse_than_bankruptcy",
    Phase.MATCH,
    "The price {value} is worse than the limit of {limit}",
)
FUND_CANNOT_PAY = refusal(
    "VLT-8",
    "fund_cannot_pay",
    Phase.MARGIN,
    "To make good the fill would leave the vault {value}, its boundary is {limit}",
)


@rule("LIQ-1")
def is_due(exchange: Exchange, account: AccountId) -> bool:
    """Whether an account is to be liquidated: equity strictly below maintenance margin."""
    now = health(exchange, account)
    return now.equity < now.maintenance


@rule("LIQ-19")
def is_worse(first: Health, second: Health) -> bool:
    """Whether the equity of one account covers less of its maintenance margin than another's.

    Without a margin, equity counts as if the margin were a quantum.
    """
    return first.equity * max(second.maintenance, 1) < second.equity * max(first.maintenance, 1)


def require_due(exchange: Exchange, account: AccountId, market: MarketId) -> None:
    """Refuse to close by force what is not due (LIQ-1) or not there (LIQ-3)."""
    now = health(exchange, account)
    require(now.equity < now.maintenance, NOT_DUE, now.equity, now.maintenance)
    require(position_of(exchange, account, market).size != 0, NO_POSITION, market)


def require_unsafe(exchange: Exchange, account: AccountId, market: MarketId) -> None:
    """Refuse to go on with a liquidation that is over (LIQ-12), or where nothing is (LIQ-3)."""
    now, safe = equity(exchange, account), safe_margin(exchange, account)
    require(now < safe, NOT_DUE, now, safe)
    require(position_of(exchange, account, market).size != 0, NO_POSITION, market)


@rule("LIQ-4", "LIQ-20")
def share_of_equity(exchange: Exchange, account: AccountId, market: MarketId) -> int:
    """The part of an account's equity that stands behind one position.

    In the textbook equity is shared among positions by their maintenance margin. The share
    of a single position is all of it. Negative when the account is insolvent.
    """
    now = health(exchange, account)
    position, listed = position_of(exchange, account, market), exchange.markets[market]
    return equity_behind(
        exchange.rulebook.bankruptcy_price,
        now.equity,
        maintenance_margin(position, listed),
        now.maintenance,
        position_value(position, listed),
        position.cost,
        listed.initial_rate,
    )


@rule("ADL-13")
def margin_transferred(margin: int, lots: int, size: int) -> int:
    """The cash that goes along with `lots` of a position: their part of what stands behind it.

    In quanta, rounded down, so that what stands behind the other lots is no less; all of it with
    the last ones. Negative is what the other side brings along.

    Args:
        margin: the equity behind the position (LIQ-4).
    """
    return floor_div(margin * lots, abs(size))


@formula("LIQ-33")
def value_without(mark: int, closed: int, share: int) -> int:
    """What closing lots brings an account when it gives up a share of its equity, in quanta.

    Args:
        closed: positive for a long that is sold, negative for a short that is bought back; then
            so is what it brings.
    """
    return closed * mark - share


@rule("LIQ-5")
def price_without(mark: int, size: int, share: int) -> int:
    """The price, in ticks, at which closing `size` lots uses up a share of equity.

    Rounded in favour of the account: up for a long, down for a short, so that closing in full
    leaves 0 to size - 1 quanta. A price is never below 1; what that leaves open is a loss.
    """
    return max(1, mark - sign(size) * floor_div(share, abs(size)))


@rule("LIQ-5")
def bankruptcy_price(exchange: Exchange, account: AccountId, market: MarketId) -> int:
    """The price at which closing a position uses up exactly the equity behind it, in ticks."""
    size = position_of(exchange, account, market).size
    share = share_of_equity(exchange, account, market)
    return price_without(exchange.markets[market].mark, size, share)


@formula("LIQ-33")
def bankruptcy_value(exchange: Exchange, account: AccountId, market: MarketId, lots: int) -> int:
    """What closing `lots` of a position at the bankruptcy price brings an account, in quanta.

    Of all of them together, not of each: so less than a quantum is rounded, in favour of the
    account, and it may be negative. The lots take the part of equity that their margin was.

    Args:
        lots: at least 1, at most as many as there are.
    """
    listed, held = exchange.markets[market], position_of(exchange, account, market)
    closed = sign(held.size) * lots
    now = health(exchange, account)
    left = maintenance_margin(Position(held.size - closed, 0), listed)
    freed = maintenance_margin(held, listed) - left
    return value_without(listed.mark, closed, part_of_equity(now.equity, freed, now.maintenance))


def closing_side(size: int) -> Side:
    """The side of an order that closes a position of this size."""
    return Side.SELL if size > 0 else Side.BUY


@rule("LIQ-11")
def limit_price(
    rulebook: Rulebook,
    bankruptcy: int,
    mark: int,
    size: int,
    weight: int,
    equity: int,
    weights: int,
    now: int,
    since: int,
) -> int:
    """The limit of a liquidation order under the rulebook, in ticks.

    Args:
        bankruptcy: the bankruptcy price of the position (LIQ-5); for the rest see
            `fillable_price`.
        now: the time by the clock, and `since` when the auction began, if it did (LIQ-14); for an
            account that may not wait (LIQ-16) it is at its end.
    """
    match rulebook.liquidation_limit:
        case LiquidationLimit.BANKRUPTCY:
            return bankruptcy
        case LiquidationLimit.FILLABLE:
            adjustment, spread = rulebook.liquidation_adjustment, rulebook.liquidation_spread
            return fillable_price(mark, size, weight, equity, weights, adjustment, spread)
        case LiquidationLimit.AUCTION:
            step = steps = rulebook.auction_steps
            if has_time(equity, weights, rulebook.vault_trigger):
                step = auction_step(now, since, rulebook.auction_period, steps)
            return offered_limit(mark, bankruptcy, step, steps)


@rule("LIQ-11")
def liquidation_limit(exchange: Exchange, account: AccountId, market: MarketId) -> int:
    """The limit at which an account's position is offered to the book, in ticks.

    Where it is worse than the bankruptcy price the vault makes good the rest (VLT-8); nobody does
    that for the vault, whose own limit is its bankruptcy price.
    """
    bankruptcy = bankruptcy_price(exchange, account, market)
    listed, position = exchange.markets[market], position_of(exchange, account, market)
    if account == listed.vault:
        return bankruptcy
    weight, now = maintenance_margin(position, listed), health(exchange, account)
    return limit_price(
        exchange.rulebook,
        bankruptcy,
        listed.mark,
        position.size,
        weight,
        now.equity,
        now.maintenance,
        exchange.now,
        exchange.accounts[account].offered_since,
    )


@rule("VLT-8")
def lacking(better: int) -> int:
    """What a fill that beats the bankruptcy price by so much, or less than nothing, lacks of it."""
    return max(-better, 0)


@rule("VLT-4", "VLT-17")
def boundary_of(vault: AccountId, main: int, own: int) -> int:
    """The equity, in quanta, that a market's vault keeps: a child's is the market's own."""
    return main if vault == VAULT else own


def vault_boundary(exchange: Exchange, market: MarketId) -> int:
    """The equity, in quanta, below which the vault of a market may not be brought."""
    listed = exchange.markets[market]
    return boundary_of(listed.vault, exchange.rulebook.vault_boundary, listed.vault_boundary)


@rule("VLT-8")
def make_good(exchange: Exchange, account: AccountId, market: MarketId, lacks: int) -> Outcome:
    """The market's vault pays what a fill lacks of the value at the bankruptcy price, if it can."""
    if lacks == 0:
        return Outcome(exchange)
    vault = exchange.markets[market].vault
    outcome = pay(exchange, vault, account, lacks, "VLT-8")
    left, boundary = equity(outcome.exchange, vault), vault_boundary(exchange, market)
    require(left >= boundary, FUND_CANNOT_PAY, left, boundary)
    return outcome


@rule("LIQ-6")
def fillable_lots(most: int, size: int, offered: int) -> int:
    """How many lots one fill closes: all that is left of the order, the position and the maker."""
    return min(most, abs(size), offered)


@rule("LIQ-6")
def liquidate(
    exchange: Exchange,
    account: AccountId,
    market: MarketId,
    maker: Order,
    most: int = MAX_LOTS,
) -> Outcome:
    """One fill of the liquidation order against a resting maker, at the maker's price.

    The order is an IOC for at most `most` lots, limited as the rulebook says, until the account is
    safe. The maker is a taker of risk like any other: it pays its fee and must bear the fill.
    """
    require_unsafe(exchange, account, market)
    require(1 <= most <= MAX_LOTS, LOTS_OUT_OF_BOUNDS, most, MAX_LOTS)
    require(maker.account != account, SELF_TRADE, account)
    position = position_of(exchange, account, market)
    bankruptcy = bankruptcy_price(exchange, account, market)
    limit = liquidation_limit(exchange, account, market)
    side = closing_side(position.size)
    require(crosses(side, limit, maker.price), WORSE_THAN_BANKRUPTCY, maker.price, limit)
    taken = position_of(exchange, maker.account, market)
    require(reducible(maker, taken) > 0, MAKER_CANNOT_REDUCE, taken.size)
    maker_before = health(exchange, maker.account)
    lots = fillable_lots(most, position.size, reducible(maker, taken))
    buyer, seller = (maker.account, account) if side is Side.SELL else (account, maker.account)
    filled = fill_from_book(exchange, buyer, seller, market, maker, lots, maker.price, "LIQ-6")
    better = sign(position.size) * (maker.price - bankruptcy) * lots
    lacks = lacking(better)
    paid = filled.then(make_good, account, market, lacks)
    left = equity(paid.exchange, account)
    outcome = paid.then(charge_maker, maker.account, lots, maker.price).then(
        charge_liquidated, account, market, lots, maker.price, better + lacks, left
    )
    require_maker_bears(exchange, outcome.exchange, market, maker.account, taken, maker_before)
    return outcome


# What an account is told: the price at which it will be due.


Exact = tuple[int, int]
"""An exact number: a numerator and a positive denominator."""


@formula("LIQ-9")
def due_price(size: int, rate: int, deduction: int, behind: int) -> Exact | None:
    """The mark, in ticks, at which what is behind a position is its maintenance margin, exact.

    A long is due below it and a short above it; margins are not rounded here. None when the mark
    does not matter: a long that needs all of its notional as margin.

    Args:
        rate: of the maintenance margin, in parts per million, in the tier that holds there.
        deduction: of that tier, in millionths of a quantum (MRG-6).
        behind: equity at a mark of 0 less what the account's other positions need, in quanta.
    """
    per_tick = size * PARTS - rate * abs(size)
    if per_tick == 0:
        return None
    lacking = -(behind * PARTS + deduction)
    return (lacking, per_tick) if per_tick > 0 else (-lacking, -per_tick)


@formula("LIQ-9")
def liquidation_price(exchange: Exchange, account: AccountId, market: MarketId) -> Exact | None:
    """The mark of a market at which an account would be due, all other marks as they are.

    Within the tier of the position's present notional; see `due_price` for which side is due.
    """
    listed, position = exchange.markets[market], position_of(exchange, account, market)
    now = health(exchange, account)
    at_zero = now.equity - position.size * listed.mark
    elsewhere = now.maintenance - maintenance_margin(position, listed)
    worth, rate = notional(position, listed), listed.maintenance_rate
    for tier in listed.tiers:
        rate = tier.maintenance_rate if worth > tier.above else rate
    tiers = maintenance_rates(listed.tiers)
    deduction = rate * worth - tiered(worth, listed.maintenance_rate, tiers)
    return due_price(position.size, rate, deduction, at_zero - elsewhere)


@rule("LIQ-11")
def fillable_price(
    mark: int, size: int, weight: int, equity: int, weights: int, adjustment: int, spread: int
) -> int:
    """A limit that walks from the mark towards bankruptcy as the equity of an account shrinks.

    At most a part of the position's maintenance margin is given away; rounded in favour of the
    account, and never below 1.

    Args:
        weight: the maintenance margin of the position, in quanta.
        weights: that of the account, in quanta, positive.
        adjustment: how fast the limit walks, in parts per million.
        spread: the most that is given away, of the position's margin, in parts per million.
    """
    walked = clamp(adjustment * (weights - equity), 0, weights * PARTS)
    given = floor_div(walked * spread * weight, weights * PARTS * PARTS * abs(size))
    return max(1, mark - sign(size) * given)
