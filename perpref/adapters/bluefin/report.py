"""What a search found, as values that can be printed or written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import Attribute, asdict, field, frozen

from perpref.adapters.bluefin.commands import Command
from perpref.adapters.bluefin.law import GRAVITY
from perpref.adapters.bluefin.terms import Terms

Progress = Callable[[int, int], None]
"""Told how many commands are done, of how many."""

INTERNAL = {"internal": True}
"""What is kept to tell a story again, and is written down in a form of its own."""


@frozen
class Deviation:
    """Engine and model disagreed: at which step of a story, about what, by how much money."""

    kind: str
    rule: str
    step: int
    command: str
    engine: str
    model: str
    money: Mapping[str, tuple[int, int]]
    story: tuple[str, ...]


@frozen
class Told:
    """One command of a story: what the contract said, what the perpetual then holds and owes."""

    command: str
    answer: str
    holds: int
    owes: int


@frozen
class Ending:
    """What one account, or pool, has in the end, had the market ended at that moment.

    `without` is that before the last command of the story, `after` that after it, `due` what it
    would have after it if every claim were paid.
    """

    whose: str
    without: int
    after: int
    due: int


@frozen
class Repeated:
    """How often the last command is accepted again, what that costs, what the perpetual keeps."""

    times: int
    amount: int
    left: int


@frozen
class BrokenLaw:
    """A law that a command broke, with the shortest story found.

    `verdict` says what kind of break it is: a deliberate rule, an unbacked claim, money that
    cannot be got out. `terms` says under whose terms the story is told.
    """

    law: str
    rule: str
    verdict: str
    says: str
    needs: str
    terms: str
    scenario: str
    amount: int
    detail: str
    story: tuple[str, ...]
    steps: tuple[Told, ...]
    endings: tuple[Ending, ...]
    repeated: Repeated
    times: int
    commands: tuple[Command, ...] = field(repr=False, metadata=INTERNAL)
    under: Terms = field(repr=False, metadata=INTERNAL)

    @property
    def key(self) -> tuple[str, str]:
        """What makes two breaks the same."""
        return self.law, self.rule

    @property
    def gravity(self) -> tuple[int, int]:
        """How it is ordered among others: what kind it is, how much money it takes in all."""
        return GRAVITY.index(self.verdict), -(self.amount + self.repeated.amount)


@frozen
class Report:
    """The outcome of one search on one build."""

    engine: str
    build: str
    search: str
    seed: int
    commands: int
    accepted: int
    refused: int
    episodes: int
    milliseconds: int
    tolerance: str
    reach: Mapping[str, int] = field(factory=dict)
    unreached: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(factory=dict)
    deviations: tuple[Deviation, ...] = ()
    broken: tuple[BrokenLaw, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The report as plain values; large numbers are strings, as JSON's are not exact."""
        plain: dict[str, Any] = _plain(asdict(self, filter=_is_written))
        for entry, found in zip(plain["broken"], self.broken, strict=True):
            entry["commands"] = [_plain(_named(command)) for command in found.commands]
            entry["under"] = _plain(asdict(found.under))
        return plain


def _named(command: Command) -> dict[str, Any]:
    return {"command": type(command).__name__, **asdict(command)}


def _is_written(attribute: Attribute[Any], _value: Any) -> bool:
    return not attribute.metadata.get("internal", False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    return value
