"""Shorten a story: delta debugging over the list of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def shortest(story: list[T], shows: Callable[[list[T]], bool]) -> list[T]:
    """A story that still shows it, and of which no single command can be left out.

    `shows(story)` must hold to begin with.
    """
    size = max(len(story) // 2, 1)
    while True:
        at, shortened = 0, False
        while at < len(story):
            shorter = story[:at] + story[at + size :]
            if shorter and shows(shorter):
                story, shortened = shorter, True
            else:
                at += size
        if size > 1:
            size //= 2
        elif not shortened:
            return story
