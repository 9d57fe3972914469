"""Where the time of a check goes: into the reference, the engine, or the checker itself."""

from __future__ import annotations

from enum import Enum
from time import perf_counter
from types import TracebackType


class Part(Enum):
    """Who uses the time."""

    REFERENCE = "reference"
    ENGINE = "engine"
    HARNESS = "harness"


class Stopwatch:
    """Time per part. What nobody claims between start and now is the harness's own."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self._spent = {Part.REFERENCE: 0.0, Part.ENGINE: 0.0}

    def on(self, part: Part) -> _Lap:
        """A context whose time counts for `part`. Contexts do not nest."""
        return _Lap(self._spent, part)

    def total(self) -> float:
        """Seconds since the stopwatch was made."""
        return perf_counter() - self._started

    def shares(self) -> dict[Part, float]:
        """Seconds per part."""
        rest = self.total() - sum(self._spent.values())
        return {**self._spent, Part.HARNESS: max(rest, 0.0)}


class _Lap:
    """One run of the watch; a class, because a generator context costs ten times as much."""

    __slots__ = ("_part", "_since", "_spent")

    def __init__(self, spent: dict[Part, float], part: Part) -> None:
        self._spent = spent
        self._part = part

    def __enter__(self) -> None:
        self._since = perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spent[self._part] += perf_counter() - self._since
