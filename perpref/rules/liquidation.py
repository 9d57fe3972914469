"""LIQ: who is liquidated, from which price on, and the first stage, the order book."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.book import (
    MAKER_CANNOT_REDUCE,
    SELF_TRADE,
    crosses,
    fill_from_book,
    reducible,
    require_maker_bears,
)
from perpref.rules.fee import charge_liquidated, charge_maker
from perpref.rules.margin import equity, health, maintenance_margin, position_of
from perpref.state import Exchange, Order, Side
from perpref.units import AccountId, MarketId, floor_div, sign

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
    "The price {value} is worse than the bankruptcy price of {limit}",
)


@rule("LIQ-1")
def is_due(exchange: Exchange, account: AccountId) -> bool:
    """Whether an account is to be liquidated: equity strictly below maintenance margin."""
    now = health(exchange, account)
    return now.equity < now.maintenance


def require_due(exchange: Exchange, account: AccountId, market: MarketId) -> None:
    """Refuse to close by force what is not due (LIQ-1) or not there (LIQ-3)."""
    now = health(exchange, account)
    require(now.equity < now.maintenance, NOT_DUE, now.equity, now.maintenance)
    require(position_of(exchange, account, market).size != 0, NO_POSITION, market)


@rule("LIQ-4")
def part_of_equity(equity: int, weight: int, weights: int) -> int:
    """The part of an equity that falls to one weight of many, in quanta, rounded down."""
    return floor_div(equity * weight, weights)


@rule("LIQ-4")
def share_of_equity(exchange: Exchange, account: AccountId, market: MarketId) -> int:
    """The part of an account's equity that stands behind one position.

    Under cross margin equity is shared among positions by their maintenance margin. The share
    of a single position is all of it. Negative when the account is insolvent.
    """
    now = health(exchange, account)
    position = position_of(exchange, account, market)
    weight = maintenance_margin(position, exchange.markets[market])
    return part_of_equity(now.equity, weight, now.maintenance)


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


def closing_side(size: int) -> Side:
    """The side of an order that closes a position of this size."""
    return Side.SELL if size > 0 else Side.BUY


@rule("LIQ-6")
def liquidate(exchange: Exchange, account: AccountId, market: MarketId, maker: Order) -> Outcome:
    """One fill of the liquidation order against a resting maker, at the maker's price.

    The order is an IOC for the whole position, limited at the bankruptcy price of the moment.
    The maker is a taker of risk like any other: it pays its fee and must bear the fill.
    """
    require_due(exchange, account, market)
    require(maker.account != account, SELF_TRADE, account)
    position = position_of(exchange, account, market)
    limit = bankruptcy_price(exchange, account, market)
    side = closing_side(position.size)
    require(crosses(side, limit, maker.price), WORSE_THAN_BANKRUPTCY, maker.price, limit)
    taken = position_of(exchange, maker.account, market)
    require(reducible(maker, taken) > 0, MAKER_CANNOT_REDUCE, taken.size)
    maker_before = health(exchange, maker.account)
    lots = min(abs(position.size), reducible(maker, taken))
    buyer, seller = (maker.account, account) if side is Side.SELL else (account, maker.account)
    filled = fill_from_book(exchange, buyer, seller, market, maker, lots, maker.price, "LIQ-6")
    better = sign(position.size) * (maker.price - limit) * lots
    left = equity(filled.exchange, account)
    outcome = filled.then(charge_maker, maker.account, lots, maker.price).then(
        charge_liquidated, account, lots, maker.price, better, left
    )
    require_maker_bears(exchange, outcome.exchange, market, maker.account, taken, maker_before)
    return outcome
