"""Both solvers are asked, and neither is believed alone."""

from __future__ import annotations

import pytest
import z3  # type: ignore[import-untyped]

from proofs.executor import (
    Answer,
    Model,
    Obligation,
    Status,
    Verdict,
    assume,
    claim,
    counterexample,
    explore,
    fresh_int,
    obligation,
    obligations,
    prove,
)
from proofs.executor.prove import Opinion


def shares(total: int, parts: tuple[int, ...]) -> list[int]:
    whole = sum(parts)
    return [total * part // whole for part in parts]


def split() -> None:
    """Shares rounded down: never too much in sum, and never a unit per part too little."""
    total, a, b = fresh_int("total"), fresh_int("a"), fresh_int("b")
    assume(total >= 0)
    assume(a >= 0)
    assume(b > 0)
    given = sum(shares(total, (a, b)))
    claim("never more", given <= total)
    claim("dust below two", total - given < 2)
    claim("no dust", given == total)


def test_z3_and_cvc5_agree_on_true_and_on_false_claims() -> None:
    found = {verdict.name: verdict for verdict in prove(obligations(explore(split)))}
    assert found["never more"].status is found["dust below two"].status is Status.PROVED
    false = found["no dust"]
    assert (false.z3.answer, false.cvc5.answer) == (Answer.REFUTED, Answer.REFUTED)
    assert false.model is not None
    total, a, b = (int(false.model[name]) for name in ("total", "a", "b"))
    assert sum(shares(total, (a, b))) != total


def test_a_counterexample_is_small() -> None:
    (false,) = (one for one in obligations(explore(split)) if one.name == "no dust")
    model = counterexample(false)
    assert model is not None
    assert all(abs(value) <= 8 for value in model.values.values())


def test_a_goal_at_the_end_of_a_path() -> None:
    def program() -> int:
        a = fresh_int("a")
        return a if a > 0 else -a

    paths = explore(program)
    found = prove(obligation(path, "positive", path.result >= 0) for path in paths)  # type: ignore[operator]
    assert [one.status for one in found] == [Status.PROVED] * 2
    found = prove(obligation(path, "positive", path.result > 0) for path in paths)  # type: ignore[operator]
    assert {one.status for one in found} == {Status.PROVED, Status.REFUTED}


def test_the_verdicts_come_in_the_order_of_the_obligations() -> None:
    def program() -> None:
        a = fresh_int("a")
        for bound in range(6):
            if bound == 3:
                assume(a > 4)
            claim(f"{bound}", a > bound)

    wanted = obligations(explore(program))
    found = prove(wanted)
    assert [one.obligation for one in found] == wanted
    assert [one.status is Status.PROVED for one in found] == [False] * 3 + [True] * 2 + [False]


def test_smtlib_text_is_what_another_solver_can_read() -> None:
    for one in obligations(explore(split)):
        text = one.smtlib()
        assert text.startswith("(set-logic ALL)")
        solver = z3.Solver()
        solver.from_string(text)
        assert solver.check() == (z3.sat if one.name == "no dust" else z3.unsat)


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (Answer.PROVED, Answer.PROVED, Status.PROVED),
        (Answer.PROVED, Answer.UNKNOWN, Status.ONE_SOLVER),
        (Answer.UNKNOWN, Answer.PROVED, Status.ONE_SOLVER),
        (Answer.PROVED, Answer.NOT_ASKED, Status.ONE_SOLVER),
        (Answer.REFUTED, Answer.UNKNOWN, Status.REFUTED),
        (Answer.UNKNOWN, Answer.REFUTED, Status.REFUTED),
        (Answer.UNKNOWN, Answer.UNKNOWN, Status.UNKNOWN),
        (Answer.PROVED, Answer.REFUTED, Status.DISAGREE),
        (Answer.REFUTED, Answer.PROVED, Status.DISAGREE),
    ],
)
def test_the_status_needs_both(first: Answer, second: Answer, status: Status) -> None:
    (path,) = explore(lambda: None)
    one = Obligation("any", (), z3.BoolVal(True), path)
    assert Verdict(one, Opinion(first), Opinion(second)).status is status


def test_what_no_solver_can_tell_is_unknown_and_not_proved() -> None:
    def program() -> None:
        a, b, c = (fresh_int(name) for name in "abc")
        assume(a > 2)
        assume(b > 2)
        assume(c > 2)
        claim("fermat", a * a * a + b * b * b != c * c * c)

    (verdict,) = prove(obligations(explore(program)), timeout=0.5)
    assert verdict.status is Status.UNKNOWN
    assert verdict.model is None


def test_an_identity_needs_no_hypotheses() -> None:
    def program() -> None:
        a, b, c = (fresh_int(name) for name in "abc")
        assume(a * b * c * (a + b) > 7 * c * c * c)
        claim("expands", (a + b) * (a - b) * c == a * a * c - b * b * c)
        claim("does not", (a + b) * (a - b) * c == a * a * c - b * b * c + 1)

    found = {one.name: one.status for one in prove(obligations(explore(program)))}
    assert found == {"expands": Status.PROVED, "does not": Status.REFUTED}


def test_a_model_gives_a_value_to_every_unknown_of_the_obligation() -> None:
    def program() -> None:
        a, unused = fresh_int("a"), fresh_int("unused")
        assume(unused > 3)
        claim("wrong", a > 0)

    (verdict,) = prove(obligations(explore(program)))
    assert isinstance(verdict.model, Model)
    assert verdict.model["a"] <= 0
    assert verdict.model["unused"] > 3
