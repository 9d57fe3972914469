"""Laws that a story is held to, command by command: which of them held in it, and which did not.

The first three hold of every story that the reference carries out, and are looked at all the same.
The others are choices: a rulebook with deleveraging gives up `not_deleveraged`, one that shares a
loss gives up `nothing_shared` and, as the weights of LOSS-4 are, `bystanders`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from attrs import frozen

from perpref.outcome import CashMoved, Event, Filled, Paid
from perpref.rules.margin import equity
from perpref.scheduler import vault_children
from perpref.state import TREASURY, VAULT, Exchange


class Law(Enum):
    """A law, by the name that a scenario gives it."""

    POT = "pot"
    BALANCE = "balance"
    SOLVENT = "solvent"
    BYSTANDERS = "bystanders"
    NOTHING_SHARED = "nothing_shared"
    NOT_DELEVERAGED = "not_deleveraged"


SENTENCES = {
    Law.POT: "The pot changed by what came in and went out, and all equities add up to it.",
    Law.BALANCE: "In every market the longs and the shorts balanced.",
    Law.SOLVENT: "No account was left with a negative equity.",
    Law.BYSTANDERS: "Nobody without a position paid for somebody else.",
    Law.NOTHING_SHARED: "No loss was shared.",
    Law.NOT_DELEVERAGED: "No winner was closed who had not asked for it.",
}
"""What each law says when it held."""


@frozen
class Change:
    """The state before a command and after it, and what the command did."""

    before: Exchange
    after: Exchange
    events: tuple[Event, ...]


def _pot(change: Change) -> bool:
    moved = sum(event.amount for event in change.events if isinstance(event, CashMoved))
    claims = sum(equity(change.after, account) for account in change.after.accounts)
    return change.after.custody - change.before.custody == moved and claims == change.after.custody


def _balance(change: Change) -> bool:
    sums = dict.fromkeys(change.after.markets, 0)
    for _, account in change.after.accounts.items():
        for market, position in account.positions.items():
            sums[market] += position.size
    return not any(sums.values())


def _solvent(change: Change) -> bool:
    return all(equity(change.after, account) >= 0 for account in change.after.accounts)


def _bystanders(change: Change) -> bool:
    """The vault and the treasury are no bystanders: they are the venue's."""
    return all(
        event.payer in (VAULT, TREASURY, *vault_children(change.before))
        or bool(change.before.accounts[event.payer].positions)
        for event in _shares(change)
    )


def _nothing_shared(change: Change) -> bool:
    return not _shares(change)


def _not_deleveraged(change: Change) -> bool:
    return not any(isinstance(event, Filled) and event.rule == "ADL-3" for event in change.events)


def _shares(change: Change) -> list[Paid]:
    return [
        event
        for event in change.events
        if isinstance(event, Paid) and event.rule in ("LOSS-3", "LOSS-10") and event.amount
    ]


_HOLDS: dict[Law, Callable[[Change], bool]] = {
    Law.POT: _pot,
    Law.BALANCE: _balance,
    Law.SOLVENT: _solvent,
    Law.BYSTANDERS: _bystanders,
    Law.NOTHING_SHARED: _nothing_shared,
    Law.NOT_DELEVERAGED: _not_deleveraged,
}


def held(changes: Iterable[Change]) -> dict[Law, bool]:
    """Of each law, whether it held at every one of these changes."""
    everything = list(changes)
    return {law: all(holds(change) for change in everything) for law, holds in _HOLDS.items()}
