"""VLT: the insurance vault takes over what the book did not, within its own means."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.ledger import fill
from perpref.rules.liquidation import bankruptcy_price, require_due
from perpref.rules.margin import health, position_of
from perpref.state import VAULT, Exchange
from perpref.units import AccountId, MarketId

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


@rule("VLT-1", "VLT-2", "VLT-3", "VLT-4", "VLT-5")
def take_over(exchange: Exchange, account: AccountId, market: MarketId, lots: int) -> Outcome:
    """The vault takes `lots` of a position at its bankruptcy price, if it can.

    Afterwards its size is within the market's cap, its equity covers its initial margin over
    all markets, and its equity has not fallen below the boundary.
    """
    require(account != VAULT, VAULT_IS_LIQUIDATED)
    require_due(exchange, account, market)
    price = bankruptcy_price(exchange, account, market)
    outcome = transfer_position(exchange, account, VAULT, market, lots, price, "VLT-1")
    held = abs(position_of(outcome.exchange, VAULT, market).size)
    cap = exchange.markets[market].vault_cap
    require(held <= cap, OVER_CAP, held, cap)
    after = health(outcome.exchange, VAULT)
    require(after.equity >= after.initial, UNDER_MARGIN, after.equity, after.initial)
    boundary = exchange.rulebook.vault_boundary
    require(after.equity >= boundary, UNDER_BOUNDARY, after.equity, boundary)
    return outcome
