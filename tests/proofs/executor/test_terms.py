"""Symbolic integers behave as integers, and never in silence as anything else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import z3  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from perpref.units import ceil_div, floor_div
from proofs.executor import (
    DivisorError,
    NoRunError,
    SymBool,
    SymInt,
    all_of,
    any_of,
    assume,
    claim,
    explore,
    fresh_int,
    implies,
    ite,
    negation,
    obligations,
    prove,
    witness,
)
from proofs.executor.prove import Status

NUMBERS = st.integers(-(10**12), 10**12)
DIVISORS = st.integers(1, 10**6)


def value_of(program: Callable[[], Any]) -> int:
    """The one value that a program with fully pinned unknowns can have."""
    (path,) = explore(program)
    assert path.result is not None
    solver = z3.Solver()
    solver.add(*path.facts)
    answer = z3.Int("answer")
    solver.add(answer == path.result.term)
    assert solver.check() == z3.sat
    found = solver.model()[answer].as_long()
    solver.add(answer != found)
    assert solver.check() == z3.unsat, "the value is not determined"
    return int(found)


def pinned(name: str, number: int) -> int:
    unknown = fresh_int(name)
    assume(unknown == number)
    return unknown


@settings(max_examples=60, deadline=None)
@given(NUMBERS, DIVISORS)
def test_floor_division_is_pythons_also_for_negative_dividends(over: int, under: int) -> None:
    assert value_of(lambda: pinned("n", over) // under) == over // under


@settings(max_examples=60, deadline=None)
@given(NUMBERS, DIVISORS)
def test_floor_division_by_an_unknown_is_pythons(over: int, under: int) -> None:
    assert value_of(lambda: over // pinned("d", under)) == over // under


@settings(max_examples=60, deadline=None)
@given(NUMBERS, DIVISORS)
def test_ceiling_and_remainder_are_pythons(over: int, under: int) -> None:
    assert value_of(lambda: ceil_div(pinned("n", over), under)) == -(-over // under)
    assert value_of(lambda: pinned("n", over) % under) == over % under


def test_an_absolute_value_takes_the_sign_that_the_path_knows() -> None:
    def program() -> None:
        a = fresh_int("a")
        before = abs(a)
        if a > 0:
            claim("positive", abs(a) == a)
        elif a < 0:
            claim("negative", abs(a) == -a)
        claim("the same", abs(a) == before)
        claim("never negative", abs(a) >= 0)

    paths = explore(program)
    assert len(paths) == 3
    assert {verdict.status for verdict in prove(obligations(paths))} == {Status.PROVED}


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS)
def test_the_other_operations_are_pythons(left: int, right: int) -> None:
    def program() -> int:
        a, b = pinned("a", left), pinned("b", right)
        return 3 * abs(a - b) - (5 - a) * b + (-b) + (+a) * 0

    assert value_of(program) == 3 * abs(left - right) - (5 - left) * right - right


def test_the_same_division_gives_the_same_quotient() -> None:
    def program() -> None:
        a, d = fresh_int("a"), fresh_int("d")
        assume(d > 0)
        claim("same", (a + 1) // d == (1 + a) // d)

    (path,) = explore(program)
    assert [name for name in path.symbols if name.startswith("quotient")] == ["quotient"]
    assert [verdict.status for verdict in prove(obligations([path]))] == [Status.PROVED]


@pytest.mark.parametrize("divisor", [0, -3])
def test_a_divisor_that_is_not_positive_is_refused(divisor: int) -> None:
    with pytest.raises(DivisorError, match="not positive"):
        explore(lambda: fresh_int("a") // divisor)


def test_a_divisor_that_is_not_provably_positive_is_refused() -> None:
    def program(least: int) -> int:
        d = fresh_int("d")
        assume(d >= least)
        return fresh_int("a") // d

    with pytest.raises(DivisorError, match="provably"):
        explore(lambda: program(0))
    assert len(explore(lambda: program(1))) == 1


def test_a_divisor_of_which_the_solver_cannot_tell_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That this divisor is positive is Fermat's theorem for cubes."""

    def program() -> int:
        a, b, c = (fresh_int(name) for name in "abc")
        for number in (a, b, c):
            assume(number > 0)
        gap = a * a * a + b * b * b - c * c * c
        return 1 // (gap * gap)

    monkeypatch.setattr(sys.modules[explore.__module__], "ENTAILMENT_EFFORT", 200_000)
    with pytest.raises(DivisorError, match="provably"):
        explore(program)


def test_a_guard_on_the_divisor_makes_it_positive_on_its_own_path() -> None:
    paths = explore(lambda: floor_div(fresh_int("a"), fresh_int("d")), refusals=(ValueError,))
    assert sorted(path.refusal is None for path in paths) == [False, True]


@pytest.mark.parametrize(
    "misuse",
    [
        bool,
        hash,
        int,
        float,
        range,
        lambda x: [1, 2, 3][x],
        lambda x: {x: 1},
        lambda x: x in {1, 2},
        lambda x: x / 2,
        lambda x: 1 / x,
        lambda x: x + 0.5,
        lambda x: x + True,
        lambda x: x + (x > 0),
        lambda x: x == True,  # noqa: E712
        lambda x: hash(x == 0),
        lambda x: x & 1,
        lambda x: all_of(~(1 > 2), x > 0),
        lambda x: assume(x),
    ],
)
def test_a_symbolic_integer_is_nothing_but_an_integer(misuse: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        explore(lambda: misuse(fresh_int("x")))


def test_a_comparison_outside_of_a_run_is_never_silently_false() -> None:
    a = SymInt(z3.Int("a"))
    with pytest.raises(NoRunError):
        bool(a == a + 1)


def test_an_if_on_equality_takes_both_ways() -> None:
    """z3's own terms would answer False here, without an error."""

    def program() -> str:
        return "equal" if fresh_int("a") == fresh_int("b") else "different"

    assert sorted(path.result for path in explore(program) if path.result) == ["different", "equal"]


def test_a_chained_comparison_and_a_tuple_comparison_fork() -> None:
    assert len(explore(lambda: bool(0 < fresh_int("a") < 10))) == 3
    assert len(explore(lambda: bool((fresh_int("a"), 1) == (fresh_int("b"), 1)))) == 2


def test_combining_conditions_does_not_fork() -> None:
    def program() -> None:
        a, b = fresh_int("a"), fresh_int("b")
        both = (a > 0) & (b > 0)
        claim("and", implies(both, all_of(a > 0, True, b > 0)))
        claim("or", implies(a > 0, any_of(a > 0, b > 0) & ((b > 0) | (a > 0))))
        claim("not", negation(both) == any_of(a <= 0, b <= 0))
        claim("ite", ite(a > b, a, b) >= b)

    (path,) = explore(program)
    assert not path.decisions
    assert {verdict.status for verdict in prove(obligations([path]))} == {Status.PROVED}


def test_min_and_max_are_pythons_own() -> None:
    def program() -> None:
        a, b = fresh_int("a"), fresh_int("b")
        claim("sum", min(a, b) + max(a, b) == a + b)
        claim("order", min(a, b) <= max(a, b))

    paths = explore(program)
    assert {verdict.status for verdict in prove(obligations(paths))} == {Status.PROVED}
    assert all(witness(path) is not None for path in paths)


def test_a_message_may_format_an_unknown_like_a_number() -> None:
    assert f"{SymInt(z3.Int('amount')):,}" == "amount"
    assert repr(SymBool(z3.Int("amount") > 3)) == "amount > 3"
