"""A few drawn bytes, spent one by one on small decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

BYTES = 32
"""How many bytes a rule of the search draws. A rule that needs more starts over with them."""

TERM_BYTES = 128
"""How many bytes terms are drawn from, which have many choices: none should follow another."""


class Dice:
    """Decides among few possibilities, always in the same way for the same bytes."""

    def __init__(self, drawn: bytes) -> None:
        self._drawn = drawn
        self._at = 0

    def below(self, count: int) -> int:
        """A number from 0 to count - 1."""
        byte = self._drawn[self._at % len(self._drawn)] + self._at // len(self._drawn)
        self._at += 1
        return byte % count

    def pick(self, choices: Sequence[T]) -> T:
        """One of several."""
        return choices[self.below(len(choices))]

    def one_in(self, count: int) -> bool:
        """True once in `count` times."""
        return self.below(count) == count - 1

    def shuffled(self, choices: Sequence[T]) -> list[T]:
        """All of them, in some order."""
        left = list(choices)
        return [left.pop(self.below(len(left))) for _ in range(len(left))]

    def near(self, number: int) -> int:
        """The number, or one more or one less: a threshold and both its sides."""
        return number + self.pick((0, 0, 1, -1))
