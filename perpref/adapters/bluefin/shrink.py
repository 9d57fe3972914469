"""Shorten a story: delta debugging over the list of commands, then rounder amounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from attrs import AttrsInstance, evolve, fields, has

T = TypeVar("T")
C = TypeVar("C", bound=AttrsInstance)


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


def roundest(story: list[C], shows: Callable[[list[C]], bool]) -> list[C]:
    """The same story with amounts of fewer digits, where it still shows it.

    An amount that stands in several commands is the same one: a price stays the oracle's.
    """
    for number in sorted(set().union(*map(_numbers, story))):
        for rounder in _rounder(number):
            told = [_with(command, number, rounder) for command in story]
            if shows(told):
                story = told
                break
    return story


def _numbers(command: Any) -> set[int]:
    """Every amount that a command names, its orders' too."""
    found: set[int] = set()
    for field in fields(type(command)):
        value = getattr(command, field.name)
        if has(type(value)):
            found |= _numbers(value)
        elif isinstance(value, int) and not isinstance(value, bool) and field.name != "salt":
            found.add(value)
    return found


def _rounder(number: int) -> Iterator[int]:
    """The number with one digit, two digits and so on, as long as that is another number."""
    digits = str(abs(number))
    for kept in range(1, min(len(digits), 6)):
        unit = 10 ** (len(digits) - kept)
        rounded = abs(number) // unit * unit
        if rounded != abs(number):
            yield rounded if number > 0 else -rounded


def _with(command: Any, old: int, new: int) -> Any:
    """The command with one amount in the place of another, wherever it stands."""
    changes: dict[str, Any] = {}
    for field in fields(type(command)):
        value = getattr(command, field.name)
        if has(type(value)):
            changes[field.name] = _with(value, old, new)
        elif field.name != "salt" and not isinstance(value, bool) and value == old:
            changes[field.name] = new
    return evolve(command, **changes) if changes else command
