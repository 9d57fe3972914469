"""Which function carries which rule, and how a rule says no.

The spec, the proofs and the reports find code by rule id through this module alone, so that a
rule id that nobody carries, or that nobody explains, fails the build.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from attrs import frozen

F = TypeVar("F", bound=Callable[..., Any])

_functions: dict[str, list[Callable[..., Any]]] = {}
_formulas: set[str] = set()
_refusals: dict[str, RefusalCode] = {}


class Phase(Enum):
    """How far a command had come when it was refused."""

    VALIDATE = "validate"
    MARGIN = "margin"
    MATCH = "match"
    SETTLE = "settle"
    PAUSE = "pause"


@frozen
class RefusalCode:
    """A stable way of saying no. `says` is a sentence with `{value}` and `{limit}`."""

    code: str
    phase: Phase
    rule: str
    says: str


class Refusal(Exception):
    """A rule said no. The state is what it was before the command."""

    def __init__(self, code: RefusalCode, value: object = None, limit: object = None) -> None:
        super().__init__(code, value, limit)
        self.code = code
        self.value = value
        self.limit = limit

    def __str__(self) -> str:
        said = self.code.says.format(value=self.value, limit=self.limit)
        return f"{said} ({self.code.rule})"


def rule(*ids: str) -> Callable[[F], F]:
    """Mark a function as the one that carries these rules."""

    def carry(function: F) -> F:
        for rule_id in ids:
            _functions.setdefault(rule_id, []).append(function)
        return function

    return carry


def formula(*ids: str) -> Callable[[F], F]:
    """Mark a function as a rule that no action asks: a number of a venue that its users compute."""
    _formulas.update(ids)
    return rule(*ids)


def refusal(rule_id: str, code: str, phase: Phase, says: str) -> RefusalCode:
    """Declare a stable refusal code of a rule; a code is declared once."""
    if code in _refusals:
        raise ValueError(f"the refusal code {code} is declared twice")
    _refusals[code] = RefusalCode(code, phase, rule_id, says)
    return _refusals[code]


def require(condition: bool, code: RefusalCode, value: object = None, limit: object = None) -> None:
    """Refuse with `code` unless `condition` holds.

    Raises:
        Refusal: the condition does not hold.
    """
    if not condition:
        raise Refusal(code, value, limit)


def functions() -> dict[str, tuple[Callable[..., Any], ...]]:
    """Every rule id with the functions that carry it, in order of declaration."""
    return {rule_id: tuple(found) for rule_id, found in _functions.items()}


def formulas() -> frozenset[str]:
    """The ids of rules that no action asks; worked examples and theorems are about them."""
    return frozenset(_formulas)


def refusals() -> dict[str, RefusalCode]:
    """Every refusal code by its name."""
    return dict(_refusals)
