"""VLT: the insurance vault takes over what the book did not, within its own means."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, formula, refusal, require, rule
from perpref.rules.ledger import (
    NOT_WITHDRAWABLE,
    fill,
    hand_over,
    require_amount,
    withdrawable,
)
from perpref.rules.liquidation import bankruptcy_price, require_due, vault_boundary
from perpref.rules.margin import equity, health, position_of
from perpref.rules.mark import require_market
from perpref.state import VAULT, Exchange
from perpref.units import PARTS, AccountId, MarketId, floor_div

VAULT_IS_LIQUIDATED = refusal(
    "VLT-5", "vault_is_liquidated", Phase.VALIDATE, "The vault cannot take over from itself"
)
OVER_CAP = refusal(
    "VLT-2", "over_cap", Phase.MARGIN, "The vault would hold {value} lots, its cap is {limit}"
)
UNDER_MARGIN = refusal(
    "VLT-3",
    "vault_under_margin",
    Phase.MARGIN,
    "The vault's equity would be {value}, its initial margin {limit}",
)
UNDER_BOUNDARY = refusal(
    "VLT-4",
    "under_boundary",
    Phase.MARGIN,
    "The vault's equity would be {value}, its boundary is {limit}",
)
MORE_THAN_THERE_IS = refusal(
    "LIQ-3", "more_than_there_is", Phase.VALIDATE, "{value} lots are not between 1 and {limit}"
)
NO_CHILD = refusal("VLT-17", "no_child", Phase.VALIDATE, "Market {value} has no vault of its own")
VAULT_WAITS = refusal(
    "VLT-7",
    "vault_waits",
    Phase.VALIDATE,
    "The equity of {value} is not below the part of {limit} at which the vault steps in",
)


def transfer_position(
    exchange: Exchange,
    account: AccountId,
    receiver: AccountId,
    market: MarketId,
    lots: int,
    price: int,
    reason: str,
) -> Outcome:
    """Close `lots` of an account's position against a receiver, off the book."""
    size = position_of(exchange, account, market).size
    require(1 <= lots <= abs(size), MORE_THAN_THERE_IS, lots, abs(size))
    buyer, seller = (receiver, account) if size > 0 else (account, receiver)
    return fill(exchange, buyer, seller, market, lots, price, reason)


@rule("VLT-7")
def steps_in(equity: int, maintenance: int, trigger: int) -> bool:
    """Whether the vault takes over from an account: its equity is below a part of its margin.

    Args:
        trigger: the part of the maintenance margin, in parts per million.
    """
    return equity * PARTS < maintenance * trigger


def require_stepping_in(exchange: Exchange, account: AccountId) -> None:
    """Refuse a takeover that the rulebook's vault still waits with (VLT-7)."""
    now, trigger = health(exchange, account), exchange.rulebook.vault_trigger
    waits = not steps_in(now.equity, now.maintenance, trigger)
    require(not waits, VAULT_WAITS, now.equity, now.maintenance)


@rule("VLT-1", "VLT-2", "VLT-3", "VLT-4", "VLT-5")
def take_over(exchange: Exchange, account: AccountId, market: MarketId, lots: int) -> Outcome:
    """The market's vault takes `lots` of a position at its bankruptcy price, if it can.

    Afterwards its size is within the market's cap, its equity covers its initial margin over
    all markets, and its equity has not fallen below the boundary.
    """
    vault = exchange.markets[market].vault
    require(account != vault, VAULT_IS_LIQUIDATED)
    require_due(exchange, account, market)
    require_stepping_in(exchange, account)
    price = bankruptcy_price(exchange, account, market)
    outcome = transfer_position(exchange, account, vault, market, lots, price, "VLT-1")
    held = abs(position_of(outcome.exchange, vault, market).size)
    cap = exchange.markets[market].vault_cap
    require(held <= cap, OVER_CAP, held, cap)
    after = health(outcome.exchange, vault)
    require(after.equity >= after.initial, UNDER_MARGIN, after.equity, after.initial)
    boundary = vault_boundary(exchange, market)
    require(after.equity >= boundary, UNDER_BOUNDARY, after.equity, boundary)
    return outcome


# A vault of a market's own, and its parent.


def require_child(exchange: Exchange, market: MarketId) -> AccountId:
    """The vault of a market's own. Refuses a market that has none (VLT-17)."""
    require_market(exchange, market)
    child = exchange.markets[market].vault
    require(child != VAULT, NO_CHILD, market)
    return child


@rule("VLT-18")
def recapitalise(exchange: Exchange, market: MarketId, amount: int) -> Outcome:
    """The insurance vault gives a market's own vault cash, within its margin and boundary."""
    child = require_child(exchange, market)
    require_amount(amount)
    free = withdrawable(exchange, VAULT)
    require(amount <= free, NOT_WITHDRAWABLE, amount, free)
    left, boundary = equity(exchange, VAULT) - amount, exchange.rulebook.vault_boundary
    require(left >= boundary, UNDER_BOUNDARY, left, boundary)
    return hand_over(exchange, VAULT, child, amount, "VLT-18")


@rule("VLT-19")
def recall_capital(exchange: Exchange, market: MarketId, amount: int) -> Outcome:
    """A market's own vault gives the insurance vault cash, within its margin and boundary."""
    child = require_child(exchange, market)
    require_amount(amount)
    free = withdrawable(exchange, child)
    require(amount <= free, NOT_WITHDRAWABLE, amount, free)
    left, boundary = equity(exchange, child) - amount, vault_boundary(exchange, market)
    require(left >= boundary, UNDER_BOUNDARY, left, boundary)
    return hand_over(exchange, child, VAULT, amount, "VLT-19")


# What else stands between a liquidated account and the winners, at one venue or another.


@rule("VLT-8")
def fund_delta(value: int, bankruptcy_value: int, rate: int) -> int:
    """What a fill brings the insurance fund, in quanta; negative is what the fund has to pay.

    What is beyond the value at the bankruptcy price is the fund's, up to a rate of the fill,
    rounded down; what is short of it the fund makes good.

    Args:
        value: what the fill brings the account, negative when it pays.
        bankruptcy_value: the same at the bankruptcy price.
    """
    better = value - bankruptcy_value
    return min(better, floor_div(abs(value) * rate, PARTS)) if better > 0 else better


@formula("VLT-11")
def pool_on_the_way(pool: int, insured: int, returned: int) -> tuple[int, int]:
    """What a market's pool of collateral holds after the fund has paid in, and at the end.

    The fund pays first what an account lacks; only then does the pool give back the collateral of
    whoever leaves. The other way round it could be short on the way although nothing is missing.

    Args:
        insured: what the fund pays in, in quanta, and `returned` what leaves the pool.
    """
    after_the_fund = pool + insured
    return after_the_fund, after_the_fund - returned
