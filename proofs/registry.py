"""What is to be proved: one place that knows every theorem, by chapter and by name.

A theorem is a program for the executor: it makes an arbitrary exchange, runs shipped functions
of `perpref`, and claims what must hold. Its name is the requirement, as a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from importlib import import_module
from typing import Any

from attrs import frozen

CHAPTERS = (
    "units",
    "position",
    "ledger",
    "margin",
    "isolated",
    "mark",
    "fee",
    "book",
    "funding",
    "liquidation",
    "vault",
    "adl",
    "loss",
    "settlement",
    "clock",
)

PARTS = ("liquidation_size", "liquidation_time", "liquidation_inverse", "adl_sharing", "adl_margin")
"""Chapters in more than one module: the others, each named after its chapter."""


class Strength(Enum):
    """How a property is held."""

    THEOREM = "Theorem"
    BOUNDED = "Bounded"
    TESTED = "Tested"
    CLAIM = "Claim"
    REFUTED = "Refuted"


@frozen
class Theorem:
    """One property of one action or function.

    `property` is the id of DESIGN.md's list (T-ZERO ...), `name` the requirement as a sentence,
    `subject` the action or function that it is about, `program` what the executor runs, and
    `law` what is claimed of its result when the program claims nothing itself; `assumes` names
    the functions that run as their proved contracts (`proofs.contracts`). For REFUTED the claim
    must fail, with a witness. For TESTED, `where` names the test.
    """

    property: str
    name: str
    statement: str
    chapter: str
    subject: str
    rules: tuple[str, ...]
    strength: Strength
    program: Callable[[], object] | None = None
    where: str = ""
    law: Callable[[Any], None] | None = None
    assumes: tuple[str, ...] = ()


_theorems: list[Theorem] = []


def register(theorem: Theorem) -> None:
    """Add a theorem; a property of a subject is stated once."""
    for known in _theorems:
        if (known.name, known.subject) == (theorem.name, theorem.subject):
            raise ValueError(f"{theorem.name} of {theorem.subject} is stated twice")
    _theorems.append(theorem)


def theorem(
    property_id: str,
    *rules: str,
    subject: str,
    strength: Strength = Strength.THEOREM,
    assumes: tuple[str, ...] = (),
) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """State the decorated program as a theorem: its name and docstring are the requirement."""

    def state(program: Callable[[], object]) -> Callable[[], object]:
        register(
            Theorem(
                property_id,
                program.__name__,
                _first_sentence(program),
                chapter_of(program),
                subject,
                rules,
                strength,
                program,
                assumes=assumes,
            )
        )
        return program

    return state


def chapter_of(program: Callable[[], object]) -> str:
    """The chapter of the module that a program stands in."""
    return program.__module__.rpartition(".")[2].partition("_")[0]


def tested(
    property_id: str, name: str, statement: str, *rules: str, chapter: str, where: str
) -> None:
    """State a property that is tested and not proved; `where` is the test's node id."""
    register(
        Theorem(
            property_id, name, statement, chapter, "machine", rules, Strength.TESTED, None, where
        )
    )


def _first_sentence(program: Callable[[], object]) -> str:
    return " ".join((program.__doc__ or "").split("\n\n")[0].split())


def theorems() -> list[Theorem]:
    """Every theorem, in the order of the chapters; those of one program stand together."""
    for module in (*CHAPTERS, *PARTS):
        import_module(f"proofs.{module}")
    first: dict[object, int] = {}
    for place, stated in enumerate(_theorems):
        first.setdefault(stated.program or stated.name, place)
    return sorted(
        _theorems, key=lambda one: (CHAPTERS.index(one.chapter), first[one.program or one.name])
    )
