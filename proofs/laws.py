"""The laws that every action keeps, stated once and claimed of each.

An action is described by a `Step`: the exchange before and after, and what it names. The laws
compare the two; none of them knows which action it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from attrs import frozen

from perpref.outcome import Outcome
from perpref.rules.margin import equity, health
from perpref.state import CROSS, NO_STAKE, Account, Exchange, Isolation, Position, Stake
from perpref.table import Table
from perpref.units import AccountId, MarketId
from proofs.executor import (
    ABSENT,
    Change,
    all_of,
    any_of,
    changed,
    claim,
    delta,
    fresh_int,
    implies,
    touched,
)
from proofs.executor.explore import Run, running
from proofs.registry import Strength, Theorem, chapter_of, register
from proofs.world import sound


@frozen
class Step:
    """One action: what it made of an exchange, and what it was allowed to touch.

    `custody` is by how much the action says that the pot changes; `remarks` whether it may move
    the mark of its market, `ticks` whether it may move the clock, `stakes` whether it may
    change what accounts have in the vault, and `isolates` whether it may open an isolated account.
    """

    before: Exchange
    after: Exchange
    accounts: tuple[AccountId, ...]
    market: MarketId | None = None
    custody: int = 0
    remarks: bool = False
    ticks: bool = False
    stakes: bool = False
    isolates: bool = False


@frozen(eq=False)
class Attempt:
    """An action, the exchange that it was tried on, and its other arguments."""

    action: Callable[..., Outcome]
    exchange: Exchange
    args: tuple[Any, ...]


_attempts: WeakKeyDictionary[Run, Attempt] = WeakKeyDictionary()


def take(action: Callable[..., Outcome], exchange: Exchange, *args: Any) -> Exchange:
    """The exchange after an action, which is remembered so that a witness can be replayed.

    Raises:
        Refusal: the action refused.
    """
    _attempts[running()] = Attempt(action, exchange, args)
    return action(exchange, *args).exchange


def attempt() -> Attempt | None:
    """What was tried in the run that is going on."""
    return _attempts.get(running())


def cost(position: Position) -> int:
    return position.cost


def size(position: Position) -> int:
    return position.size


def in_the_pot(account: Account) -> int:
    """Collateral less cost: what an account has in the pot, whatever the mark."""
    return account.collateral - account.positions.total(cost)


def net_size(account: Account) -> int:
    return account.positions.total(size)


def owners(step: Step) -> Iterator[AccountId]:
    """The accounts that the action looked at and that exist; if it looked at none, any account."""
    keys = [entry.key for entry in touched(step.before.accounts)]
    for key in keys or [AccountId(fresh_int("bystander"))]:
        if key in step.after.accounts:
            yield key


def value_is_neither_created_nor_destroyed(step: Step) -> None:
    """What the accounts have in the pot changes by exactly what entered or left it."""
    moved = step.after.custody - step.before.custody
    claim(
        "accounts and pot move together",
        delta(step.before.accounts, step.after.accounts, in_the_pot) == moved,
    )
    claim("the pot moves by what the action says", moved == step.custody)


def longs_and_shorts_balance(step: Step) -> None:
    """In each market the sizes still sum to what they summed to before."""
    claim("sizes sum to the same", delta(step.before.accounts, step.after.accounts, net_size) == 0)
    for change in changed(step.before.accounts, step.after.accounts):
        for position in _changed_positions(step, change.key):
            in_market = False if step.market is None else position.key == step.market
            claim("only in the market named", implies(position.differs, in_market))


def an_action_leaves_bystanders_alone(step: Step) -> None:
    """Only the accounts and the market that the action names can change; marks and rates do not."""
    for change in changed(step.before.accounts, step.after.accounts):
        named = any_of(*(change.key == account for account in step.accounts))
        claim("only the accounts named", implies(change.differs, named))
        known = change.key in step.before.accounts
        had = _stake(change.before) if known else NO_STAKE
        kept = had is _stake(change.after)
        claim("the stakes stay", step.stakes or kept)
        bound = _isolation(change.before) if known else CROSS
        stays = bound is _isolation(change.after)
        claim("isolated accounts stay what they are", stays or (step.isolates and not known))
    for listed in changed(step.before.markets, step.after.markets):
        named = False if step.market is None else listed.key == step.market
        claim("only the market named", implies(listed.differs, named))
        claim("the terms stay", listed.before.initial_rate == listed.after.initial_rate)
        claim("the terms stay", listed.before.maintenance_rate == listed.after.maintenance_rate)
        claim("the terms stay", listed.before.vault_cap == listed.after.vault_cap)
        if not step.remarks:
            claim("the mark stays", listed.before.mark == listed.after.mark)
    claim("the clock stays", step.ticks or step.before.now is step.after.now)
    claim("the rulebook stays", step.before.rulebook is step.after.rulebook)


def _isolation(account: Any) -> Isolation:
    return CROSS if account is ABSENT else account.isolation


def _stake(account: Any) -> Stake:
    return NO_STAKE if account is ABSENT else account.stake


def a_solvent_account_stays_solvent(step: Step) -> None:
    """No account whose equity was not negative has a negative equity afterwards."""
    for account in owners(step):
        was = equity(step.before, account) if account in step.before.accounts else 0
        claim("solvent before, solvent after", implies(was >= 0, equity(step.after, account) >= 0))


def an_account_does_not_become_due(step: Step) -> None:
    """No account that was not due for liquidation is due afterwards."""
    for account in owners(step):
        now = health(step.after, account)
        if account in step.before.accounts:
            was = health(step.before, account)
            claim(
                "not due before, not due after",
                implies(was.equity >= was.maintenance, now.equity >= now.maintenance),
            )
        else:
            claim("a new account is not due", now.equity >= now.maintenance)


def an_action_keeps_positions_sound(step: Step) -> None:
    """Every lot still has a cost of at least 1 and the sign of its side, and flat costs nothing."""
    found = [
        position.after
        for change in changed(step.before.accounts, step.after.accounts)
        for position in _changed_positions(step, change.key)
    ]
    claim("sound", all_of(*(sound(position) for position in found if position is not ABSENT)))


def _changed_positions(step: Step, account: AccountId) -> list[Change]:
    positions = step.after.accounts[account].positions
    if account not in step.before.accounts:
        claim(
            "a new account holds no position", isinstance(positions, Table) and not len(positions)
        )
        return []
    return changed(step.before.accounts[account].positions, positions)


LAWS: dict[str, tuple[str, Callable[[Step], None]]] = {
    law.__name__: (property_id, law)
    for property_id, law in (
        ("T-ZERO", value_is_neither_created_nor_destroyed),
        ("T-BAL", longs_and_shorts_balance),
        ("T-FRAME", an_action_leaves_bystanders_alone),
        ("T-SOUND", an_action_keeps_positions_sound),
        ("T-SOLV", a_solvent_account_stays_solvent),
        ("T-DUE", an_account_does_not_become_due),
    )
}

CONSERVATION = ("T-ZERO", "T-BAL", "T-FRAME", "T-SOUND")
SOLVENCY = (*CONSERVATION, "T-SOLV")
QUIET = (*SOLVENCY, "T-DUE")


def action(
    *rules: str, keeps: tuple[str, ...], assumes: tuple[str, ...] = ()
) -> Callable[[Callable[[], Step]], Callable[[], Step]]:
    """State, for the action that the decorated program takes, each of the laws that it keeps."""

    def state(program: Callable[[], Step]) -> Callable[[], Step]:
        for name, (property_id, law) in LAWS.items():
            if property_id in keeps:
                register(
                    Theorem(
                        property_id,
                        name,
                        (law.__doc__ or "").strip(),
                        chapter_of(program),
                        program.__name__,
                        rules,
                        Strength.THEOREM,
                        program,
                        law=law,
                        assumes=assumes,
                    )
                )
        return program

    return state


def of(
    program: Callable[[], Step], property_id: str, *rules: str, assumes: tuple[str, ...] = ()
) -> Callable[[Callable[[Step], None]], Callable[[Step], None]]:
    """State the decorated claim of an action's step, in the same exploration as its laws."""

    def state(law: Callable[[Step], None]) -> Callable[[Step], None]:
        register(
            Theorem(
                property_id,
                law.__name__,
                " ".join((law.__doc__ or "").split()),
                chapter_of(program),
                program.__name__,
                rules,
                Strength.THEOREM,
                program,
                law=law,
                assumes=assumes,
            )
        )
        return law

    return state
