"""A smaller case with the same thing to blame: fewer commands, plainer terms, rounder numbers.

Every candidate is carried out anew. The same case always becomes the same smaller case, unless
time runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import monotonic
from typing import Any

from attrs import evolve, fields_dict

from perpref import machine
from perpref.checker.finding import Case, Finding
from perpref.checker.wire import MarketTerms, Terms
from perpref.state import TREASURY, VAULT
from perpref.units import AccountId, MarketId, OrderId

Examine = Callable[[Case], Finding | None]

NUMBERS = ("amount", "lots", "price", "rate")
ACCOUNTS = ("account", "payer", "payee", "owner")


class Minimiser:
    """Makes a case smaller as long as `examine` finds the same thing to blame."""

    def __init__(
        self, examine: Examine, base: Terms, seconds: float = 10.0, most: int = 6_000
    ) -> None:
        self._examine = examine
        self._base = base
        self._deadline = monotonic() + seconds
        self._left = most

    def minimise(self, case: Case, finding: Finding) -> tuple[Case, Finding]:
        """The smallest case that was found, and what it shows."""
        self._case = self._cut(case, finding)
        self._finding = finding
        passes = (
            self._fewer_commands,
            self._plainer_terms,
            self._merged_deposits,
            self._merged_orders,
            self._other_names,
            self._alike_numbers,
            self._rounder_numbers,
            self._fewer_pairs,
        )
        before = None
        while before != self._case and not self._exhausted():
            before = self._case
            for smaller in passes:
                smaller()
        return self._case, self._finding

    def _exhausted(self) -> bool:
        return self._left <= 0 or monotonic() > self._deadline

    def _try(self, case: Case) -> bool:
        """Keep a candidate if it shows the same."""
        if case == self._case or self._exhausted():
            return False
        self._left -= 1
        found = self._examine(case)
        if found is None or found.signature != self._finding.signature:
            return False
        self._case, self._finding = self._cut(case, found), found
        return True

    @staticmethod
    def _cut(case: Case, finding: Finding) -> Case:
        """Without the commands after the one that shows it."""
        return Case(case.terms, case.commands[: finding.step + 1])

    # Passes.

    def _fewer_commands(self) -> None:
        """Drop runs of commands, long ones first, from the end to the start."""
        length = len(self._case.commands) >> 1
        while length > 0:
            at = len(self._case.commands) - length
            while at >= 0:
                commands = self._case.commands
                at = min(at, len(commands) - length)
                if at < 0:
                    break
                self._try(Case(self._case.terms, commands[:at] + commands[at + length :]))
                at -= length
            length >>= 1

    def _fewer_pairs(self) -> None:
        """Drop two commands that need each other, wherever they stand."""
        first = 0
        while first < len(self._case.commands):
            second = first + 1
            while second < len(self._case.commands):
                commands = self._case.commands
                rest = (*commands[:first], *commands[first + 1 : second], *commands[second + 1 :])
                if not self._try(Case(self._case.terms, rest)):
                    second += 1
            first += 1

    def _plainer_terms(self) -> None:
        """Back to the base rulebook, all at once or value by value, and to one plain market."""
        base = self._base
        if self._case.terms == base:
            return
        if self._try(Case(base, self._case.commands)):
            return
        self._try_terms(evolve(self._case.terms, rulebook=base.rulebook))
        for name in fields_dict(type(base.rulebook)):
            plain = {name: getattr(base.rulebook, name)}
            rulebook = evolve(self._case.terms.rulebook, **plain)
            self._try_terms(evolve(self._case.terms, rulebook=rulebook))
        for market in sorted(self._case.terms.markets, reverse=True):
            self._plainer_market(market)

    def _plainer_market(self, market: MarketId) -> None:
        without = {m: t for m, t in self._case.terms.markets.items() if m != market}
        if without and self._try(
            Case(evolve(self._case.terms, markets=without), self._case.commands)
        ):
            return
        plain = self._base.markets.get(market, next(iter(self._base.markets.values())))
        for names in (tuple(fields_dict(MarketTerms)), *((n,) for n in fields_dict(MarketTerms))):
            values = {name: getattr(plain, name) for name in names}
            terms = self._case.terms
            changed = evolve(terms.markets[market], **values)
            self._try_terms(evolve(terms, markets={**terms.markets, market: changed}))

    def _try_terms(self, terms: Terms) -> None:
        """Unless they make no sense, as one value may not without another."""
        try:
            terms.opened()
        except machine.InvalidTerms:
            return
        self._try(Case(terms, self._case.commands))

    def _merged_deposits(self) -> None:
        """Two deposits of one account become one."""
        self._merge(_one_deposit)

    def _merged_orders(self) -> None:
        """Two orders that differ in their lots alone become one, at the place of the first."""
        self._merge(_one_order)

    def _merge(
        self, merged: Callable[[machine.Command, machine.Command], machine.Command | None]
    ) -> None:
        first = 0
        while first < len(self._case.commands):
            second = first + 1
            while second < len(self._case.commands):
                commands = self._case.commands
                both = merged(commands[first], commands[second])
                rest = (*commands[first + 1 : second], *commands[second + 1 :])
                if both is None or not self._try(
                    Case(self._case.terms, (*commands[:first], both, *rest))
                ):
                    second += 1
            first += 1

    def _other_names(self) -> None:
        """Accounts from 2 on and orders from 1 on, in their order."""
        accounts = {
            getattr(command, name)
            for command in self._case.commands
            for name in ACCOUNTS
            if hasattr(command, name)
        }
        vaults = {market.vault for market in self._case.terms.markets.values()}
        named = sorted(a for a in accounts if a > TREASURY and a not in vaults)
        renamed = {a: AccountId(2 + index) for index, a in enumerate(named)}
        renamed |= {a: a for a in accounts - set(named)} | {VAULT: VAULT}
        self._try_commands(partial(_with, names=ACCOUNTS, renamed=renamed))
        orders = sorted({c.order for c in self._case.commands if hasattr(c, "order")})
        numbers = {order: OrderId(1 + index) for index, order in enumerate(orders)}
        self._try_commands(partial(_with, names=("order", "replaced"), renamed=numbers))

    def _try_commands(self, change: Callable[[machine.Command], machine.Command]) -> None:
        self._try(Case(self._case.terms, tuple(map(change, self._case.commands))))

    def _alike_numbers(self) -> None:
        """The same number in all deposits; and a number that occurs often, changed everywhere."""
        deposits = [c.amount for c in self._case.commands if isinstance(c, machine.Deposit)]
        if deposits:
            most = 10 ** len(str(max(deposits)))
            for amount in (most, most // 10, max(deposits)):
                alike = dict.fromkeys(deposits, amount)
                self._try_commands(partial(_with, names=("amount",), renamed=alike))
        for name in NUMBERS:
            present = [getattr(c, name) for c in self._case.commands if hasattr(c, name)]
            for number in sorted({n for n in present if present.count(n) > 1}, reverse=True):
                for simpler in simpler_numbers(number):
                    self._try_commands(partial(_with, names=(name,), renamed={number: simpler}))

    def _rounder_numbers(self) -> None:
        """Each number of each command, from the simplest candidate on."""
        for at in range(len(self._case.commands)):
            for name in NUMBERS:
                if at < len(self._case.commands) and hasattr(self._case.commands[at], name):
                    self._round(at, name)

    def _round(self, at: int, name: str) -> None:
        command = self._case.commands[at]
        for simpler in simpler_numbers(getattr(command, name)):
            changed = _changed(command, {name: simpler})
            commands = self._case.commands
            if self._try(Case(self._case.terms, (*commands[:at], changed, *commands[at + 1 :]))):
                return


def _one_deposit(one: machine.Command, two: machine.Command) -> machine.Command | None:
    match one, two:
        case machine.Deposit(), machine.Deposit() if one.account == two.account:
            return evolve(one, amount=one.amount + two.amount)
    return None


def _one_order(one: machine.Command, two: machine.Command) -> machine.Command | None:
    match one, two:
        case machine.Place(), machine.Place():
            if evolve(one, order=two.order, lots=two.lots) == two:
                return evolve(one, lots=one.lots + two.lots)
    return None


def _with(
    command: machine.Command, names: tuple[str, ...], renamed: Mapping[Any, int]
) -> machine.Command:
    values = {
        name: renamed.get(getattr(command, name), getattr(command, name))
        for name in names
        if hasattr(command, name)
    }
    return _changed(command, values)


def _changed(command: machine.Command, values: dict[str, Any]) -> machine.Command:
    return evolve(command, **values)


def complexity(number: int) -> tuple[int, int, bool]:
    """How hard a number is to read: digits up to the trailing zeros, then size, then sign."""
    return len(str(abs(number)).rstrip("0")), abs(number), number < 0


def simpler_numbers(number: int) -> Iterator[int]:
    """Numbers near this one, or small, that are easier to read; the easiest first."""
    candidates = {1, 2, 3, 5, 10, 100, 1_000, 10_000, -1, number >> 1}
    magnitude = 1
    while magnitude <= abs(number):
        down = number - number % magnitude
        candidates |= {down, down + magnitude}
        magnitude *= 10
    candidates |= {magnitude if number > 0 else -magnitude}
    simpler = (c for c in candidates if c != 0 and complexity(c) < complexity(number))
    return iter(sorted(simpler, key=complexity))
