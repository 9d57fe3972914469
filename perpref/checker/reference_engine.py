"""The reference, served as an engine: the checker held against itself.

With a fault planted in one of its rules it also shows what the checker can find.
Run `python -m perpref.checker.reference_engine` for the same over a pipe.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from attrs import field, frozen

from perpref import machine
from perpref.checker.choices import Recording, leaves_choice
from perpref.checker.serve import serve
from perpref.checker.wire import (
    COMMANDS,
    VERSION,
    Choice,
    Comparison,
    Done,
    Hello,
    RefusedBy,
    Result,
    Skipped,
    Terms,
    View,
    exchange_of,
    view,
)
from perpref.outcome import Refused
from perpref.scheduler import BY_RULEBOOK, Choices
from perpref.state import Exchange


class Fault:
    """Another function in the place of one of ours, wherever it was imported, while `active`."""

    def __init__(self, original: Callable[..., Any], instead: Callable[..., Any]) -> None:
        self._original = original
        self._instead = instead
        self._places: list[tuple[dict[Any, Any], Any]] = []
        for name, module in list(sys.modules.items()):
            if name.startswith("perpref") and not name.startswith("perpref.checker"):
                for held in (vars(module), vars(module).get("STAGES", {})):
                    self._places.extend((held, k) for k, v in held.items() if v is original)

    @contextmanager
    def active(self) -> Iterator[None]:
        """The fault, for as long as this context lasts."""
        for held, key in self._places:
            held[key] = self._instead
        try:
            yield
        finally:
            for held, key in self._places:
                held[key] = self._original


@frozen
class Manners:
    """How the reference presents itself when it plays the engine."""

    fault: Fault | None = None
    compare: Comparison = field(factory=Comparison)
    commands: tuple[str, ...] = tuple(COMMANDS)
    chooses: tuple[Choice, ...] = ()
    choices: Choices = BY_RULEBOOK


class ReferenceEngine:
    """The reference as an `Engine`."""

    def __init__(self, manners: Manners | None = None) -> None:
        self._manners = manners or Manners()
        self._terms: Terms | None = None
        self._exchange: Exchange | None = None

    def start(self) -> Hello:
        return Hello(
            VERSION,
            "reference",
            self._manners.commands,
            load=True,
            chooses=self._manners.chooses,
            compare=self._manners.compare,
        )

    def rulebook(self, terms: Terms) -> str | None:
        self._terms = terms
        return None

    def reset(self) -> None:
        assert self._terms is not None, "a rulebook comes before a reset"
        self._exchange = self._terms.opened()

    def apply(self, commands: Sequence[machine.Command]) -> list[Result]:
        with self._faulty():
            return [self._take(command) for command in commands]

    def observe(self) -> View:
        return view(self._now())

    def load(self, state: View) -> str | None:
        assert self._terms is not None, "a rulebook comes before a state"
        self._exchange = exchange_of(self._terms, state)
        return None

    def stop(self) -> None:
        self._exchange = None

    def _now(self) -> Exchange:
        assert self._exchange is not None, "a reset comes before everything else"
        return self._exchange

    def _faulty(self) -> AbstractContextManager[None]:
        fault = self._manners.fault
        return nullcontext() if fault is None else fault.active()

    def _take(self, command: machine.Command) -> Result:
        now = self._now()
        if _NAMES[type(command)] not in self._manners.commands:
            return Skipped()
        choices = Recording(self._manners.choices) if leaves_choice(now) else BY_RULEBOOK
        outcome = machine.apply(now, command, choices)
        if isinstance(outcome, Refused):
            return RefusedBy(outcome.code, outcome.phase, outcome.rule)
        self._exchange = outcome.exchange
        if isinstance(choices, Recording):
            book = now.rulebook
            return Done(outcome.events, choices.made(outcome, book.price, book.counterparty))
        return Done(outcome.events)


_NAMES = {kind: name for name, kind in COMMANDS.items()}


if __name__ == "__main__":
    serve(ReferenceEngine(), iter(partial(sys.stdin.buffer.readline), b""), sys.stdout.buffer)
