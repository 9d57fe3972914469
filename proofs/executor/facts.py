"""One incremental solver that follows a list of facts.

Neighbouring paths share most of their facts. A `FactStack` keeps what two lists have in common
and only takes back and adds the rest, so that a solver is never filled twice with the same facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3  # type: ignore[import-untyped]

from proofs.executor.terms import BoolTerm


class FactStack:
    """A z3 solver that holds exactly the facts it was last given."""

    def __init__(self) -> None:
        self.solver = z3.Solver()
        self._held: list[BoolTerm] = []
        self._limits: dict[str, int] = {}

    def limit(self, *, effort: int = 0, milliseconds: int = 0) -> None:
        """Bound each check: `effort` is z3's own count of steps, the same on every machine."""
        limits = {"rlimit": effort, "timeout": milliseconds or 4_294_967_295}
        if limits != self._limits:
            self.solver.set(**limits)
            self._limits = limits

    def hold(self, facts: Sequence[BoolTerm]) -> None:
        """Hold exactly these facts, in this order."""
        same = 0
        for held, fact in zip(self._held, facts, strict=False):
            if held is not fact and not held.eq(fact):
                break
            same += 1
        if same < len(self._held):
            self.solver.pop(len(self._held) - same)
        for fact in facts[same:]:
            self.solver.push()
            self.solver.add(fact)
        self._held = list(facts)  # the very objects, which are quick to compare next time

    def check(self, *conditions: BoolTerm) -> tuple[str, Any]:
        """ "sat" with a model, "unsat" or "unknown": the facts held, and these conditions.

        The conditions are asserted, not assumed: z3 reasons better about an assertion.
        """
        self.solver.push()
        self.solver.add(*conditions)
        verdict = str(self.solver.check())
        model = self.solver.model() if verdict == "sat" else None
        self.solver.pop()
        return verdict, model
