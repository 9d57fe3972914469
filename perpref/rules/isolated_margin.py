"""ISO: an isolated account is opened, and what is left of it goes back to its owner."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.isolated import is_isolated
from perpref.rules.ledger import (
    EMPTY,
    ID_OUT_OF_BOUNDS,
    NOT_WITHDRAWABLE,
    hand_over,
    note_paid_in,
    pay,
    require_account,
    require_amount,
    require_open_gate,
    withdrawable,
)
from perpref.rules.margin import position_of
from perpref.rules.mark import require_trading
from perpref.state import NOBODY, TREASURY, VAULT, Exchange, Isolation
from perpref.units import MAX_ID, AccountId, MarketId

CANNOT_OWN = refusal(
    "ISO-1",
    "cannot_own",
    Phase.VALIDATE,
    "Account {value} is a vault, the treasury or isolated itself",
)
ACCOUNT_EXISTS = refusal(
    "ISO-1", "account_exists", Phase.VALIDATE, "There is an account {value} already"
)
NOT_ISOLATED = refusal(
    "ISO-5", "not_isolated", Phase.VALIDATE, "Account {value} is not an isolated one"
)
STILL_OPEN = refusal(
    "ISO-5",
    "still_open",
    Phase.VALIDATE,
    "The account still holds {value} lots, and has {limit} resting orders",
)
NOTHING_LEFT = refusal(
    "ISO-5", "nothing_left", Phase.MARGIN, "Of the account {value} is left, which is nothing"
)


@rule("ISO-1")
def require_owner(exchange: Exchange, owner: AccountId, is_child: bool) -> None:
    """Refuse an owner that has no account, that is a vault or the treasury, or isolated."""
    require_account(exchange, owner)
    house = is_child or owner in (VAULT, TREASURY)
    require(not house and not is_isolated(exchange.accounts[owner]), CANNOT_OWN, owner)


@rule("ISO-1")
def isolate(
    exchange: Exchange,
    owner: AccountId,
    account: AccountId,
    market: MarketId,
    amount: int,
    is_child: bool = False,
) -> Outcome:
    """Open an isolated account of a market, with margin of its owner: at most what may leave it.

    Args:
        is_child: whether the owner is some market's own vault (VLT-17).
    """
    require(0 <= account <= MAX_ID, ID_OUT_OF_BOUNDS, account, MAX_ID)
    require_amount(amount)
    require_trading(exchange, market)
    require_owner(exchange, owner, is_child)
    require(account not in exchange.accounts, ACCOUNT_EXISTS, account)
    require_open_gate(exchange)
    free = withdrawable(exchange, owner)
    require(amount <= free, NOT_WITHDRAWABLE, amount, free)
    opened = evolve(EMPTY, isolation=Isolation(owner, market))
    beside = evolve(exchange, accounts=exchange.accounts.put(account, opened))
    return hand_over(beside, owner, account, amount, "ISO-1")


@rule("ISO-5")
def release(exchange: Exchange, account: AccountId, resting: int) -> Outcome:
    """Give what is left of a closed isolated position back to its owner, with what it gained.

    Args:
        resting: how many orders the account has on the book.
    """
    holder = exchange.accounts[account]
    owner, market = holder.isolation.owner, holder.isolation.market
    require(owner != NOBODY, NOT_ISOLATED, account)
    size = position_of(exchange, account, market).size
    require(size == 0 and resting == 0, STILL_OPEN, size, resting)
    left = withdrawable(exchange, account)
    require(left > 0, NOTHING_LEFT, left)
    paid_in = holder.paid_in
    returned = pay(exchange, account, owner, left, "ISO-5").then(note_paid_in, account, -paid_in)
    return returned.then(note_paid_in, owner, paid_in)
