"""Tell a story to the engine and to the model at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import evolve

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin import model
from perpref.adapters.bluefin.commands import ONE, Order
from perpref.adapters.bluefin.compare import disagreement, genesis
from perpref.adapters.bluefin.engine import Engine
from perpref.adapters.bluefin.staging import wild_terms
from perpref.adapters.bluefin.state import State
from perpref.adapters.bluefin.terms import Terms, exact
from perpref.adapters.bluefin.view import View

NAMES = ("alice", "bob", "cat", "dog", "eve")


class Play:
    """An engine and a model that are told the same, and must agree at every step."""

    def __init__(
        self, build: str, folder: Path, terms: Terms, accounts: tuple[str, ...] = NAMES
    ) -> None:
        self.engine = Engine(build, terms, folder, accounts)
        self.state: State = genesis(terms, self.engine.accounts)
        self._salt = 0

    def tell(self, *commands: c.Command) -> None:
        """Both accept every command."""
        for command in commands:
            assert self.refusal(command) is None, str(command)

    def refusal(self, command: c.Command) -> str | None:
        """What the contracts say to a command, when both refuse it."""
        point = self.engine.snapshot()
        reason = self.engine.apply(command)
        self.engine.restore(point)
        self.state, found, _ = disagreement(self.engine, self.state, command, model.step)
        assert found is None, found
        return reason

    def fund(self, accounts: Iterable[str], amount: int) -> None:
        """Deposit the same amount for several accounts."""
        self.tell(*(c.Deposit(account, amount * ONE) for account in accounts))

    def trade(self, maker: str, taker: str, size: int, price: int, leverage: int) -> None:
        """The maker opens a signed size, the taker the other side of it, at one leverage."""
        self._salt += 1
        quantity = abs(size) * ONE
        order = Order(maker, size > 0, quantity, price * ONE, leverage * ONE, salt=self._salt)
        other = evolve(order, account=taker, is_buy=size < 0)
        self.tell(c.Fill(order, other, quantity, price * ONE))

    @property
    def seen(self) -> View:
        """What the engine shows."""
        return self.engine.observe()


def table_terms(build: str, **changes: Any) -> Terms:
    """The terms of the published tables, with some changes."""
    return evolve(wild_terms(build), **changes)


def published(amount: int, places: int) -> int:
    """An amount as a table prints it: rounded half up to some decimals, in that unit."""
    unit: int = 10 ** (18 - places)
    return (amount + unit // 2) // unit


def fact(text: str, places: int) -> int:
    """A printed figure in the same unit."""
    return published(int(exact(text)), places)
