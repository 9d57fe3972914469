"""FUND: cash between the sides. The textbook is given the rate."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.ledger import pay
from perpref.rules.margin import position_of
from perpref.state import VAULT, Exchange
from perpref.units import PARTS, AccountId, MarketId, ceil_div

RATE_OUT_OF_BOUNDS = refusal(
    "FUND-1",
    "funding_rate_out_of_bounds",
    Phase.VALIDATE,
    "The funding rate {value} is beyond the cap of {limit} parts per million",
)


@rule("FUND-1")
def require_funding_rate(exchange: Exchange, rate: int) -> None:
    """Refuse a rate beyond the cap. A positive rate is paid by the longs."""
    cap = exchange.rulebook.funding_cap
    require(-cap <= rate <= cap, RATE_OUT_OF_BOUNDS, rate, cap)


@rule("FUND-2")
def funding_due(size: int, mark: int, rate: int) -> int:
    """What a position of `size` lots pays in quanta, negative when it receives.

    Rounded up: a payer pays a whole quantum for a part of one, a receiver gets none for it.
    """
    return ceil_div(size * mark * rate, PARTS)


@rule("FUND-3")
def settle_funding(exchange: Exchange, account: AccountId, market: MarketId, rate: int) -> Outcome:
    """Settle one account's funding with the vault, which keeps the dust."""
    require_funding_rate(exchange, rate)
    size = position_of(exchange, account, market).size
    due = funding_due(size, exchange.markets[market].mark, rate)
    if due >= 0:
        return pay(exchange, account, VAULT, due, "FUND-3")
    return pay(exchange, VAULT, account, -due, "FUND-3")
