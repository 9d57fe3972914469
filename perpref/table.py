"""The one container of the state: a persistent map that can be summed but not searched.

Rules read and write single entries and ask for totals; they never walk a table. That is what
lets a proof stand for any number of accounts and markets: a prover can answer `total` with the
entries that a rule touched plus one unknown number for all the others. Walking (`items`) is for
the scheduler and the checker, which choose, and not for the rules, which judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from immutables import Map

K = TypeVar("K", bound=int)
V = TypeVar("V")
W = TypeVar("W")


class Table(Generic[K, V]):
    """An immutable map from identifiers to values; a change costs the same at any size."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[tuple[K, V]] = ()) -> None:
        self._entries: Map[K, V] = Map(entries)

    @classmethod
    def _of(cls, entries: Map[K, V]) -> Table[K, V]:
        table = cls.__new__(cls)
        table._entries = entries
        return table

    def __getitem__(self, key: K) -> V:
        """The value at `key`. Raises KeyError when there is none."""
        return self._entries[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and bool(self._entries == other._entries)

    def __hash__(self) -> int:
        return hash(self._entries)

    def __repr__(self) -> str:
        return f"Table({list(self.items())!r})"

    def get(self, key: K, default: V) -> V:
        """The value at `key`, or `default` when there is none."""
        return self._entries.get(key, default)

    def put(self, key: K, value: V) -> Table[K, V]:
        """This table with `value` at `key`."""
        return self._of(self._entries.set(key, value))

    def without(self, key: K) -> Table[K, V]:
        """This table with nothing at `key`, which may be absent already."""
        return self._of(self._entries.delete(key)) if key in self._entries else self

    def total(self, measure: Callable[[V], int]) -> int:
        """Sum of `measure(value)` over all entries."""
        return sum(measure(value) for value in self._entries.values())

    def total_against(self, other: Table[K, W], measure: Callable[[V, W], int]) -> int:
        """Sum of `measure(value, other[key])` over all entries of this table."""
        return sum(measure(value, other[key]) for key, value in self._entries.items())

    def items(self) -> Iterator[tuple[K, V]]:
        """The entries in the order of their keys (UNIT-4). Not for rules."""
        return iter(sorted(self._entries.items()))

    def __iter__(self) -> Iterator[K]:
        """The keys in their order (UNIT-4). Not for rules."""
        return iter(sorted(self._entries))
