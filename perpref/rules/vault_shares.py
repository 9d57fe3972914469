"""VLT: shares of the vault, which whoever brings it cash holds and gives back for cash."""

from __future__ import annotations

from attrs import evolve, frozen

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.isolated import require_cross
from perpref.rules.ledger import (
    NOT_WITHDRAWABLE,
    hand_over,
    require_account,
    require_amount,
    require_open_gate,
    withdrawable,
)
from perpref.rules.margin import equity
from perpref.rules.vault import UNDER_BOUNDARY
from perpref.state import VAULT, Account, Exchange, Stake
from perpref.units import MAX_SHARES, AccountId, floor_div

VAULT_HOLDS_ITSELF = refusal(
    "VLT-12", "vault_holds_itself", Phase.VALIDATE, "The shares of the vault itself stay"
)
VAULT_IS_WORTHLESS = refusal(
    "VLT-12",
    "vault_is_worthless",
    Phase.VALIDATE,
    "The vault is worth {value}, with {limit} shares out: a share has no price",
)
TOO_FEW_SHARES = refusal(
    "VLT-13",
    "too_few_shares",
    Phase.VALIDATE,
    "The contribution is worth {value} shares; at least {limit} are asked",
)
TOO_MANY_SHARES = refusal(
    "UNIT-2", "too_many_shares", Phase.VALIDATE, "The vault would have {value} shares out"
)
SHARES_OUT_OF_BOUNDS = refusal(
    "VLT-14",
    "shares_out_of_bounds",
    Phase.VALIDATE,
    "{value} shares are not between 1 and {limit}",
)
SHARES_LOCKED = refusal(
    "VLT-15", "shares_locked", Phase.VALIDATE, "The shares are locked until {value}; it is {limit}"
)
NO_NOTICE = refusal(
    "VLT-16", "no_notice", Phase.VALIDATE, "{limit} shares are on notice, not {value}"
)
NOTICE_RUNS = refusal(
    "VLT-16", "notice_runs", Phase.VALIDATE, "The notice runs until {value}; it is {limit}"
)
NO_NOTICE_ASKED = refusal(
    "VLT-16", "no_notice_asked", Phase.VALIDATE, "Shares are redeemed here without notice"
)


def shares_of(account: Account) -> int:
    """How many shares of the vault an account has."""
    return account.stake.shares


@rule("VLT-12")
def shares_out(exchange: Exchange) -> int:
    """How many shares of the vault there are, the house's included."""
    return exchange.accounts.total(shares_of)


@rule("VLT-12")
def house_shares(worth: int, out: int) -> int:
    """The shares that the house gets for what is in the vault before anybody has shares of it."""
    return worth if out == 0 else 0


@rule("VLT-13")
def shares_for(amount: int, worth: int, out: int) -> int:
    """The shares that a contribution brings, rounded down: one a quantum while there are none.

    Args:
        worth: of the vault before it, in quanta; positive when there are shares out.
    """
    return amount if out == 0 else floor_div(amount * out, worth)


@rule("VLT-14")
def worth_of(shares: int, worth: int, out: int) -> int:
    """What shares are worth, in quanta and rounded down, so that who stays loses nothing.

    Args:
        worth: of the vault, in quanta, zero or more; `out` is at least the shares.
    """
    return floor_div(shares * worth, out)


def with_stake(exchange: Exchange, account: AccountId, stake: Stake) -> Exchange:
    """The exchange in which an account has this stake."""
    holder = evolve(exchange.accounts[account], stake=stake)
    return evolve(exchange, accounts=exchange.accounts.put(account, holder))


def issue_to_house(exchange: Exchange, shares: int) -> Exchange:
    """The exchange in which the house has so many shares more."""
    held = exchange.accounts[VAULT].stake
    return with_stake(exchange, VAULT, evolve(held, shares=held.shares + shares))


@frozen
class Children:
    """What is known of the children of the vault: their equities in all, in quanta, and whether
    the account that acts is one of them (VLT-17)."""

    worth: int = 0
    acting: bool = False


CHILDLESS = Children()


@rule("VLT-12")
def vault_worth(exchange: Exchange, children: Children) -> int:
    """What the vault is worth, in quanta: its own equity, and that of its children."""
    return equity(exchange, VAULT) + children.worth


def require_holder(exchange: Exchange, account: AccountId, children: Children) -> None:
    """Refuse who has no account (LED-4) or an isolated one (ISO-3), and the vaults themselves."""
    require_account(exchange, account)
    require_cross(exchange, account)
    require(account != VAULT and not children.acting, VAULT_HOLDS_ITSELF)


@rule("VLT-12", "VLT-13", "VLT-15")
def contribute(
    exchange: Exchange, account: AccountId, amount: int, children: Children = CHILDLESS
) -> Outcome:
    """An account pays the vault and gets shares of it, which are locked as the rulebook says."""
    require_amount(amount)
    require_holder(exchange, account, children)
    require_open_gate(exchange)
    free = withdrawable(exchange, account)
    require(amount <= free, NOT_WITHDRAWABLE, amount, free)
    worth, out = vault_worth(exchange, children), shares_out(exchange)
    priced = worth > 0 or (worth == 0 and out == 0)
    require(priced, VAULT_IS_WORTHLESS, worth, out)
    house = house_shares(worth, out)
    shares = shares_for(amount, worth, out)
    least = exchange.rulebook.vault_least_shares
    require(shares >= least, TOO_FEW_SHARES, shares, least)
    after = out + house + shares
    require(after <= MAX_SHARES, TOO_MANY_SHARES, after)
    issued = issue_to_house(exchange, house)
    held = issued.accounts[account].stake
    locked = exchange.now + exchange.rulebook.vault_lockup
    staked = evolve(held, shares=held.shares + shares, locked_until=locked)
    return hand_over(with_stake(issued, account, staked), account, VAULT, amount, "VLT-13")


@rule("VLT-14")
def require_shares(exchange: Exchange, account: AccountId, shares: int, children: Children) -> None:
    """Refuse shares that an account has not, and a vault that is worth less than nothing."""
    held = exchange.accounts[account].stake.shares
    require(1 <= shares <= held, SHARES_OUT_OF_BOUNDS, shares, held)
    worth = vault_worth(exchange, children)
    require(worth >= 0, VAULT_IS_WORTHLESS, worth, shares_out(exchange))


@rule("VLT-16")
def request_redemption(
    exchange: Exchange, account: AccountId, shares: int, children: Children = CHILDLESS
) -> Outcome:
    """An account gives notice that it will redeem shares; an earlier notice is forgotten."""
    require_holder(exchange, account, children)
    notice = exchange.rulebook.vault_notice
    require(notice > 0, NO_NOTICE_ASKED)
    require_shares(exchange, account, shares, children)
    worth = worth_of(shares, vault_worth(exchange, children), shares_out(exchange))
    asked = evolve(
        exchange.accounts[account].stake,
        requested=shares,
        requested_worth=worth,
        notice_ends=exchange.now + notice,
    )
    return Outcome(with_stake(exchange, account, asked))


@rule("VLT-15", "VLT-16")
def require_time_to_redeem(exchange: Exchange, stake: Stake, shares: int) -> None:
    """Refuse shares that are locked, or of which no notice was given, or not for long enough."""
    now = exchange.now
    require(now >= stake.locked_until, SHARES_LOCKED, stake.locked_until, now)
    if exchange.rulebook.vault_notice > 0:
        require(shares == stake.requested, NO_NOTICE, shares, stake.requested)
        require(now >= stake.notice_ends, NOTICE_RUNS, stake.notice_ends, now)


@rule("VLT-16")
def paid_for(worth: int, requested_worth: int, notice: int) -> int:
    """What redeemed shares bring: what they are worth, and after a notice no more than then."""
    return min(worth, requested_worth) if notice > 0 else worth


@rule("VLT-14", "VLT-15", "VLT-16")
def redeem(
    exchange: Exchange, account: AccountId, shares: int, children: Children = CHILDLESS
) -> Outcome:
    """The vault pays an account for shares, within its own margin and boundary."""
    require_holder(exchange, account, children)
    require_open_gate(exchange)
    require_shares(exchange, account, shares, children)
    held, notice = exchange.accounts[account].stake, exchange.rulebook.vault_notice
    require_time_to_redeem(exchange, held, shares)
    worth = worth_of(shares, vault_worth(exchange, children), shares_out(exchange))
    amount = paid_for(worth, held.requested_worth, notice)
    free = withdrawable(exchange, VAULT)
    require(amount <= free, NOT_WITHDRAWABLE, amount, free)
    left, boundary = equity(exchange, VAULT) - amount, exchange.rulebook.vault_boundary
    require(left >= boundary, UNDER_BOUNDARY, left, boundary)
    kept = Stake(held.shares - shares, held.locked_until)
    return hand_over(with_stake(exchange, account, kept), VAULT, account, amount, "VLT-14")
