"""ISO: what an isolated account may not do, and who trades with itself."""

from __future__ import annotations

from perpref.rule_registry import Phase, refusal, require, rule
from perpref.state import CROSS, NOBODY, Account, Exchange
from perpref.units import AccountId, MarketId

ONLY_WITH_OWNER = refusal(
    "ISO-2",
    "only_with_owner",
    Phase.VALIDATE,
    "Cash passes between an isolated account and its owner alone, and {value} is isolated",
)
OTHER_MARKET = refusal(
    "ISO-3", "other_market", Phase.VALIDATE, "The account trades in market {limit}, not in {value}"
)
IS_ISOLATED = refusal(
    "ISO-3", "is_isolated", Phase.VALIDATE, "Account {value} is isolated, in market {limit}"
)


@rule("ISO-1")
def is_isolated(holder: Account) -> bool:
    """Whether an account is an isolated one: it has an owner."""
    return holder.isolation.owner != NOBODY


def isolation_of(exchange: Exchange, account: AccountId) -> tuple[AccountId, MarketId]:
    """Who owns an account, and its market; nobody and nowhere where there is no such account."""
    if account not in exchange.accounts:
        return CROSS.owner, CROSS.market
    isolation = exchange.accounts[account].isolation
    return isolation.owner, isolation.market


@rule("ISO-2")
def require_no_owner(exchange: Exchange, account: AccountId) -> None:
    """Refuse that an isolated account has cash from outside, or pays it out."""
    owner, _ = isolation_of(exchange, account)
    require(owner == NOBODY, ONLY_WITH_OWNER, account)


@rule("ISO-2")
def require_in_family(exchange: Exchange, payer: AccountId, payee: AccountId) -> None:
    """Refuse that cash passes between an isolated account and anybody but its owner."""
    (gives, _), (takes, _) = isolation_of(exchange, payer), isolation_of(exchange, payee)
    # Two conditions and no `or`: a proof need not tell the cases apart.
    require((gives == NOBODY) | (gives == payee), ONLY_WITH_OWNER, payer)
    require((takes == NOBODY) | (takes == payer), ONLY_WITH_OWNER, payee)


@rule("ISO-3")
def require_own_market(exchange: Exchange, account: AccountId, market: MarketId) -> None:
    """Refuse an order of an isolated account in another market than its own."""
    owner, only = isolation_of(exchange, account)
    require((owner == NOBODY) | (only == market), OTHER_MARKET, market, only)


@rule("ISO-3")
def require_cross(exchange: Exchange, account: AccountId) -> None:
    """Refuse an isolated account what only one under cross margin may do."""
    owner, only = isolation_of(exchange, account)
    require(owner == NOBODY, IS_ISOLATED, account, only)


@rule("ISO-6")
def same_trader(exchange: Exchange, one: AccountId, other: AccountId) -> bool:
    """Whether two accounts are one trader's: the same, an owner and its own, or two of one owner.

    Written without `or`, so that a proof need not tell the cases apart.
    """
    owns, owned = (exchange.accounts[a].isolation.owner for a in (one, other))
    siblings = (owns == owned) & (owns != NOBODY)
    return (one == other) | (owns == other) | (owned == one) | siblings
