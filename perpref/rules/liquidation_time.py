"""LIQ: what a liquidation may leave for later: an auction, a cooldown, caps by the clock."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Outcome
from perpref.rule_registry import formula, rule
from perpref.rules.margin import health
from perpref.state import NEVER, VAULT, Exchange, LiquidationLimit, Rulebook, Stage
from perpref.units import PARTS, AccountId, ceil_div, floor_div, trunc_div

# An auction.


@rule("LIQ-14")
def offered_limit(mark: int, bankruptcy: int, step: int, steps: int) -> int:
    """The limit of an auction at one of its steps: it walks from the mark to the bankruptcy price.

    The airline raises its offer step by step; each limit is within the two, and the last one is
    the bankruptcy price. Rounded towards the mark.
    """
    return mark + trunc_div((bankruptcy - mark) * min(step, steps), steps)


@rule("LIQ-14")
def auction_step(now: int, since: int, period: int, steps: int) -> int:
    """At which of its steps an auction stands, from 0 to `steps`.

    Args:
        since: when it began by the clock, NEVER when it has not: then it stands at its first.
        period: how long a step takes by the clock, at least 1.
    """
    if since == NEVER:
        return 0
    return min(floor_div(max(now - since, 0), period), steps)


@rule("LIQ-14")
def is_offered(exchange: Exchange, account: AccountId) -> bool:
    """Whether the auction of an account's positions is not at its end."""
    rulebook, since = exchange.rulebook, exchange.accounts[account].offered_since
    if rulebook.liquidation_limit is not LiquidationLimit.AUCTION:
        return False
    steps = rulebook.auction_steps
    return auction_step(exchange.now, since, rulebook.auction_period, steps) < steps


@rule("LIQ-14")
def begin_auction(exchange: Exchange, account: AccountId) -> Outcome:
    """Note by the clock when the positions of an account were first offered."""
    return _noted(exchange, account, exchange.now)


@rule("LIQ-14")
def end_auction(exchange: Exchange, account: AccountId) -> Outcome:
    """Forget when that was; the next auction begins anew."""
    return _noted(exchange, account, NEVER)


def _noted(exchange: Exchange, account: AccountId, since: int) -> Outcome:
    holder = evolve(exchange.accounts[account], offered_since=since)
    return Outcome(evolve(exchange, accounts=exchange.accounts.put(account, holder)))


# A part at a time.


@formula("LIQ-34")
def freed_by_now(elapsed: int, duration: int, initial: int) -> int:
    """The share of what is lacking that may be covered so far, in parts per million, rounded down.

    Args:
        elapsed: how long the liquidation has gone on; after `duration` all may be covered.
        initial: the share that may be covered at once, in parts per million.
    """
    if duration <= 0:
        return PARTS
    return min(floor_div(elapsed * PARTS, duration) + initial, PARTS)


@rule("LIQ-17")
def is_cooling(now: int, parted_at: int, cooldown: int) -> bool:
    """Whether a part was closed so short a time ago that the next order closes all."""
    return parted_at != NEVER and parted_at < now < parted_at + cooldown


@rule("LIQ-18")
def capped_lots(size: int, mark: int, portion: int, least: int) -> int:
    """How many lots of a position are closed at one time: a portion, rounded up, or what is small.

    Args:
        portion: of the lots, in parts per million, at least 1.
        least: a notional that may be closed in any case, in quanta.
    """
    return min(abs(size), max(ceil_div(abs(size) * portion, PARTS), floor_div(least, mark)))


@rule("LIQ-18")
def lots_within(lots: int, mark: int, budget: int) -> int:
    """As many of these lots as a budget of notional is good for, rounded down.

    Args:
        budget: what the account may still have closed at this time, in quanta.
    """
    return min(lots, floor_div(budget, mark))


@rule("LIQ-17")
def note_part(exchange: Exchange, account: AccountId) -> Outcome:
    """Note by the clock that a part of an account's positions was closed."""
    holder = evolve(exchange.accounts[account], parted_at=exchange.now)
    return Outcome(evolve(exchange, accounts=exchange.accounts.put(account, holder)))


def goes_by_parts(rulebook: Rulebook) -> bool:
    """Whether anything of this rulebook closes a part now and the next one later."""
    capped = rulebook.block_portion < PARTS or rulebook.block_notional > 0
    return rulebook.liquidation_cooldown > 0 or capped


@rule("LIQ-17")
def had_its_part(exchange: Exchange, account: AccountId) -> bool:
    """Whether a part was closed at this very time, so that the next waits for the clock."""
    parted_at = exchange.accounts[account].parted_at
    return goes_by_parts(exchange.rulebook) and parted_at == exchange.now


# Who may wait.


@rule("LIQ-16")
def has_time(equity: int, maintenance: int, trigger: int) -> bool:
    """Whether an account stands well enough to wait: it is solvent, and the vault waits as well.

    Args:
        trigger: below which part of the maintenance margin a vault that waits steps in, in parts
            per million (VLT-7); a vault whose trigger is all of it waits for nobody, and is not
            asked while others wait.
    """
    return equity >= 0 and (trigger == PARTS or equity * PARTS >= maintenance * trigger)


@rule("LIQ-16")
def is_patient(exchange: Exchange, account: AccountId) -> bool:
    """Whether an account may be given time: it stands well enough, and is not the vault.

    Without a book, and without liquidators from outside, there is nobody to wait for.
    """
    rulebook = exchange.rulebook
    offered = Stage.BOOK in rulebook.waterfall or rulebook.liquidators
    if account == VAULT or not offered:
        return False
    now = health(exchange, account)
    return has_time(now.equity, now.maintenance, rulebook.vault_trigger)


@rule("LIQ-16")
def may_wait(exchange: Exchange, account: AccountId) -> bool:
    """Whether an account that is due may be left so: until the clock moves, or somebody comes."""
    rulebook = exchange.rulebook
    parted = is_offered(exchange, account) or had_its_part(exchange, account)
    return (rulebook.liquidators or parted) and is_patient(exchange, account)
