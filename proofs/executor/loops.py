"""A loop is proved by its step: what holds before any one step holds after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from proofs.executor.explore import assume, claim, explore
from proofs.executor.prove import Obligation, obligations

S = TypeVar("S")


def induct(
    name: str,
    *,
    fresh_state: Callable[[], S],
    invariant: Callable[[S], bool],
    step: Callable[[S], S],
    start: Callable[[], S] | None = None,
    variant: Callable[[S], int] | None = None,
    refusals: tuple[type[Exception], ...] = (),
) -> list[Obligation]:
    """What must be proved so that `invariant` holds after any number of steps.

    Args:
        name: begins the names of the obligations.
        fresh_state: an arbitrary state of the loop; it may hold the item of the step as well.
        invariant: what is claimed of every state.
        step: one turn of the shipped loop. A step that refuses leaves the loop.
        start: the states in which the loop may begin; without it there is no base case.
        variant: a number that never is negative and that every step makes smaller, so that
            the loop ends.
        refusals: exceptions with which a step may leave the loop.
    """

    def begin() -> None:
        assert start is not None
        claim("base", invariant(start()))

    def turn() -> None:
        before = fresh_state()
        assume(invariant(before))
        if variant is not None:
            claim("bounded", variant(before) >= 0)
        after = step(before)
        claim("step", invariant(after))
        if variant is not None:
            claim("decreases", variant(after) < variant(before))

    base = explore(begin, refusals=refusals) if start is not None else []
    return obligations([*base, *explore(turn, refusals=refusals)], f"{name}: ")
