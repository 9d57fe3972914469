"""The same program with plain integers: what a witness says is tried on the real code.

In a replay `fresh_int` gives the integer that the model has for that unknown. Nothing is symbolic
any more, so nothing forks; what was assumed must hold, and each claim is simply true or false.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from attrs import frozen

from proofs.executor.explore import Run, _Search, _Start
from proofs.executor.facts import FactStack
from proofs.executor.terms import BoolTerm, ExecutorError, _current, to_condition
from proofs.executor.witness import Model

T = TypeVar("T")


class NotReplayedError(ExecutorError):
    """The plain integers do not satisfy what the program assumes, or leave something open."""


@frozen
class Replayed(Generic[T]):
    """How the program ended with plain integers, and which of its claims are true."""

    result: T | None
    refusal: Exception | None
    claims: tuple[tuple[str, bool], ...]


class _PlainRun(Run):
    """A run whose unknowns are known."""

    def __init__(self, model: Model) -> None:
        super().__init__(_Start(), _Search(FactStack(), effort=0, longest=0))
        self.model = model
        self.truths: list[tuple[str, bool]] = []

    def fresh_int(self, name: str) -> Any:
        return int(self.model.values.get(self._named(name), 0))

    def fresh_bool(self, name: str) -> Any:
        return bool(self.model.values.get(self._named(name), False))

    def any_choice(self, name: str, example: T) -> T:
        return example

    def _named(self, name: str) -> str:
        unique, count = name, 1
        while unique in self.symbols:
            count += 1
            unique = f"{name}.{count}"
        self.symbols[unique] = None
        return unique

    def decide(self, condition: BoolTerm) -> bool:
        known = self.known(condition)
        if known is None:
            raise NotReplayedError(f"plain integers leave open whether {condition}")
        return known

    def assume(self, condition: object) -> None:
        if not self.decide(to_condition(condition)):
            raise NotReplayedError(f"plain integers contradict {condition}")

    def claim(self, name: str, goal: object) -> None:
        self.truths.append((name, self.decide(to_condition(goal))))


def replay(
    program: Callable[[], T], model: Model, *, refusals: tuple[type[Exception], ...] = ()
) -> Replayed[T]:
    """Run a program with the integers of a model.

    Raises:
        NotReplayedError: the integers do not fit the program.
    """
    run = _PlainRun(model)
    result: T | None = None
    refusal: Exception | None = None
    token = _current.set(run)
    try:
        result = program()
    except refusals as refused:
        refusal = refused
    finally:
        _current.reset(token)
    return Replayed(result, refusal, tuple(run.truths))
