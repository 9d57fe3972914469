"""What a search found, as values that can be printed or written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, field, frozen


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
class BrokenLaw:
    """A law that an accepted command broke, with the shortest story found.

    `verdict` says what kind of break it is: a deliberate rule, an unbacked claim, dust.
    """

    law: str
    rule: str
    verdict: str
    scenario: str
    amount: int
    detail: str
    story: tuple[str, ...]
    times: int = 1


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
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    return value
