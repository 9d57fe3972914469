"""All paths are found, impossible ones are not, and nothing is left out in silence."""

from __future__ import annotations

from itertools import count

import pytest

from proofs.executor import (
    NoRunError,
    TooManyPathsError,
    VacuousError,
    assume,
    choose,
    claim,
    explore,
    fresh_bool,
    fresh_int,
    obligations,
    witness,
)
from proofs.executor.explore import ReplayError


class Refused(Exception):
    """A lawful refusal of the programs in these tests."""


def test_every_combination_of_forks_is_a_path() -> None:
    paths = explore(lambda: [bool(fresh_bool(f"b{i}")) for i in range(5)])
    assert len({tuple(path.result or ()) for path in paths}) == len(paths) == 32


def test_impossible_sides_are_not_followed() -> None:
    def program() -> list[bool]:
        a = fresh_int("a")
        return [a > bound for bound in range(10) if a > bound]

    paths = explore(program, limit=11)
    assert sorted(len(path.result or []) for path in paths) == list(range(11))


def test_a_decision_is_known_in_all_its_forms() -> None:
    def program() -> None:
        a, b = fresh_int("a"), fresh_int("b")
        if a >= b and a >= 5:
            assert b <= a and not a < b and not b > a
            five = 5
            assert a > 4 and not a <= 4 and not five > a and not a < 5

        elif a == b:
            assert b == a
            assert not bool(b != a)

    assert [len(path.decisions) for path in explore(program)] == [2, 3, 3, 2]


def test_assumptions_prune_before_and_after_the_fork() -> None:
    def program() -> str:
        a = fresh_int("a")
        assume(a != 0)
        side = "positive" if a > 0 else "negative"
        assume(a > -1)
        return side

    (path,) = explore(program)
    assert path.result == "positive"
    assert len(path.conditions) == 1
    assert len(path.assumptions) == 2


def test_refusals_end_a_path_lawfully() -> None:
    def program() -> int:
        a = fresh_int("a")
        if a < 0:
            raise Refused("negative")
        return a

    accepted, refused = sorted(explore(program, refusals=(Refused,)), key=lambda p: bool(p.refusal))
    assert accepted.refusal is None
    assert str(refused.refusal) == "negative"
    assert refused.result is None
    assert "refused: negative" in str(refused)


def test_any_other_exception_names_its_path() -> None:
    def program() -> None:
        if fresh_int("a") > 41:
            raise KeyError("lost")

    with pytest.raises(KeyError, match="lost") as caught:
        explore(program, refusals=(Refused,))
    assert any("a > 41" in note for note in caught.value.__notes__)


def test_an_exception_on_an_impossible_path_is_no_exception() -> None:
    def program() -> str:
        a = fresh_int("a")
        assume(a * a * a < 0)
        assume(a > 0)
        raise KeyError

    with pytest.raises(VacuousError):
        explore(program)


def test_too_many_paths_and_endless_loops_are_errors() -> None:
    with pytest.raises(TooManyPathsError, match="more than 31 paths"):
        explore(lambda: [bool(fresh_bool(f"b{i}")) for i in range(5)], limit=31)

    def endless() -> None:
        a = fresh_int("a")
        while a > 0:
            a -= 1

    with pytest.raises(TooManyPathsError, match="more than 20 decisions"):
        explore(endless, longest=20)


def test_contradicting_assumptions_do_not_pass_for_a_proof() -> None:
    def program() -> None:
        a = fresh_int("a")
        assume(a > 0)
        assume(a < 1)
        claim("anything", a == 7)

    with pytest.raises(VacuousError):
        explore(program)


def test_a_program_that_is_not_deterministic_is_found_out() -> None:
    calls = count()

    def program() -> bool:
        return fresh_int("a") > next(calls)

    with pytest.raises(ReplayError):
        explore(lambda: [bool(program()) for _ in range(2)])


def test_names_are_unique_and_the_same_on_every_replay() -> None:
    def program() -> bool:
        fresh_int("a")
        return fresh_int("a") > fresh_int("a")

    paths = explore(lambda: bool(program()))
    assert [list(path.symbols) for path in paths] == [["a", "a.2", "a.3"]] * 2


def test_the_order_of_paths_is_stable() -> None:
    def program() -> tuple[bool, ...]:
        return tuple(fresh_int("a") > bound for bound in (3, 1, 2) if fresh_int("b") > bound)

    first, second = ([path.signature for path in explore(program)] for _ in range(2))
    assert first == second == sorted(first, reverse=True)


def test_choose_offers_every_option() -> None:
    assert sorted(path.result or "" for path in explore(lambda: choose("side", "xyz"))) == [*"xyz"]


def test_every_path_can_be_reached_and_has_a_witness() -> None:
    def program() -> int:
        a, b = fresh_int("a"), fresh_int("b")
        assume(b > 0)
        return 1 if a // b > a else 2 if a * b > 100 else 3

    for path in explore(program):
        model = witness(path)
        assert path.reachable
        assert model is not None
        a, b = model["a"], model["b"]
        assert path.result == (1 if a // b > a else 2 if a * b > 100 else 3)


def test_a_claim_made_before_a_fork_is_one_obligation() -> None:
    def program() -> bool:
        a = fresh_int("a")
        claim("early", a * 0 == 0)
        positive = a > 0
        late = bool(positive)
        claim("late", positive)
        return late

    names = [one.name for one in obligations(explore(program))]
    assert sorted(names) == ["early", "late", "late"]


def test_a_claim_does_not_lean_on_what_is_assumed_later() -> None:
    def program() -> None:
        a = fresh_int("a")
        claim("positive", a > 0)
        assume(a > 0)

    (one,) = obligations(explore(program))
    assert one.hypotheses == ()


def test_unknowns_exist_only_in_a_run() -> None:
    with pytest.raises(NoRunError):
        fresh_int("a")
