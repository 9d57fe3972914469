"""Every fixed direction of a rounding is needed: the other one turns its theorem red."""

from __future__ import annotations

import inspect
from types import FunctionType

import pytest

import perpref.machine  # noqa: F401 (and with it every chapter)
from perpref.rounding import CHOSEN, FIXED, Division
from perpref.rule_registry import functions
from perpref.units import Rounding
from proofs.prover import prove_all
from tests.proofs.seeded_faults import Fault, planted

CALLS = {
    Rounding.DOWN: "floor_div(",
    Rounding.UP: "ceil_div(",
    Rounding.TOWARDS_ZERO: "trunc_div(",
}
OTHERS = [
    (division, other)
    for division in FIXED
    for other in (Rounding.DOWN, Rounding.UP)
    if other not in division.directions
]


def otherwise(division: Division, other: Rounding) -> Fault:
    """The function that divides, with the other direction in the place of its own."""
    carriers = functions()[division.rule]
    (function,) = (
        f for f in carriers if f"{f.__module__}.{f.__name__}".endswith(division.function)
    )
    assert isinstance(function, FunctionType)
    source = inspect.getsource(function)
    body, own = source[source.index("def ") :], CALLS[division.directions[0]]
    return Fault(division.key, function, body, body.replace(own, CALLS[other]), "", ())


@pytest.mark.parametrize(
    ("division", "other"), OTHERS, ids=lambda part: getattr(part, "function", None) or part.value
)
def test_another_direction_breaks_the_theorem_that_holds_it(
    division: Division, other: Rounding
) -> None:
    with planted(otherwise(division, other)):
        rows = prove_all(
            lambda one: one.name == division.theorem,
            workers=1,
            replay=False,
            second_opinion=False,
        )
    assert [row for row in rows if row.problem], f"{division.theorem} holds all the same"


def test_a_choice_has_all_directions() -> None:
    assert {division.directions for division in CHOSEN} == {
        (Rounding.UP, Rounding.DOWN, Rounding.TOWARDS_ZERO)
    }
