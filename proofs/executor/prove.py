"""Obligations, and two solvers that judge them independently.

z3 looks for a counterexample first. The same obligation is then written as SMT-LIB 2 text and
given to cvc5, which shares no code with z3. When one calls proved what the other refutes, that
is a verdict of its own, and a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from time import perf_counter
from typing import Any

import cvc5  # type: ignore[import-untyped]
import z3  # type: ignore[import-untyped]
from attrs import frozen

from proofs.executor.explore import Path
from proofs.executor.facts import FactStack
from proofs.executor.structure import unknowns
from proofs.executor.terms import BoolTerm, to_condition
from proofs.executor.witness import Model, read_model, witness


class Answer(Enum):
    """What one solver says of one obligation."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNKNOWN = "unknown"
    NOT_ASKED = "not asked"


class Status(Enum):
    """What both solvers say together."""

    PROVED = "proved"
    ONE_SOLVER = "proved by one solver only"
    REFUTED = "refuted"
    UNKNOWN = "unknown"
    DISAGREE = "the solvers disagree"


@frozen(eq=False)
class Obligation:
    """The goal must hold whenever all the hypotheses do. `path` is a path that claims it."""

    name: str
    hypotheses: tuple[BoolTerm, ...]
    goal: BoolTerm
    path: Path[Any]

    @property
    def is_identity(self) -> bool:
        """Whether expanding the goal makes it true, whatever the hypotheses."""
        return bool(z3.is_true(z3.simplify(self.goal, som=True)))

    def smtlib(self) -> str:
        """The obligation as SMT-LIB 2 text: "unsat" means that it is proved."""
        return _smtlib(*self.hypotheses, z3.Not(self.goal))


@frozen
class Opinion:
    """The answer of one solver and how long it took."""

    answer: Answer
    seconds: float = 0.0


@frozen(eq=False)
class Verdict:
    """What became of an obligation; `model` is a counterexample where z3 found one."""

    obligation: Obligation
    z3: Opinion
    cvc5: Opinion
    model: Model | None = None

    @property
    def name(self) -> str:
        return self.obligation.name

    @property
    def status(self) -> Status:
        answers = {self.z3.answer, self.cvc5.answer}
        if answers >= {Answer.PROVED, Answer.REFUTED}:
            return Status.DISAGREE
        if Answer.REFUTED in answers:
            return Status.REFUTED
        if answers == {Answer.PROVED}:
            return Status.PROVED
        return Status.ONE_SOLVER if Answer.PROVED in answers else Status.UNKNOWN


def obligations(paths: Iterable[Path[Any]], prefix: str = "") -> list[Obligation]:
    """The claims of all paths, each once: paths share what was claimed before they parted."""
    found: dict[tuple[object, ...], Obligation] = {}
    for path in paths:
        for claim in path.claims:
            key = (claim.name, claim.goal.get_id(), *(fact.get_id() for fact in claim.hypotheses))
            if key not in found:
                found[key] = Obligation(prefix + claim.name, claim.hypotheses, claim.goal, path)
    return list(found.values())


def obligation(path: Path[Any], name: str, goal: object) -> Obligation:
    """A goal that must follow from everything known at the end of the path."""
    return Obligation(name, path.facts, to_condition(goal), path)


def counterexample(refuted: Obligation) -> Model | None:
    """Integers that take the path and break the goal, small and closed ones if there are any."""
    return witness(refuted.path, z3.Not(refuted.goal))


def prove(
    wanted: Iterable[Obligation],
    timeout: float = 10,
    *,
    second_opinion: bool = True,
    second_timeout: float | None = None,
) -> list[Verdict]:
    """A verdict for each obligation, in their order.

    Args:
        wanted: what is to be proved; neighbours that share hypotheses are cheapest.
        timeout: seconds that each solver may spend on one obligation.
        second_opinion: whether cvc5 is asked as well.
        second_timeout: seconds that cvc5 may spend, if it is not the same.
    """
    stack = FactStack()
    verdicts: list[Verdict] = []
    for group in _by_path(wanted):
        firsts = [_ask_z3(stack, one, timeout) for one in group]
        seconds = (
            _ask_cvc5(group, second_timeout or timeout)
            if second_opinion
            else [Opinion(Answer.NOT_ASKED) for _ in group]
        )
        for one, (first, model), second in zip(group, firsts, seconds, strict=True):
            verdicts.append(Verdict(one, first, second, model))
    return verdicts


def _by_path(wanted: Iterable[Obligation]) -> Iterator[list[Obligation]]:
    for _, group in groupby(wanted, key=lambda one: id(one.path)):
        yield list(group)


# -- z3 -------------------------------------------------------------------------------------------


def _ask_z3(stack: FactStack, one: Obligation, timeout: float) -> tuple[Opinion, Model | None]:
    """Simplify, then the shared incremental solver, then a solver of its own with all tactics."""
    start = perf_counter()

    def opinion(answer: Answer) -> Opinion:
        return Opinion(answer, perf_counter() - start)

    if one.is_identity:
        return opinion(Answer.PROVED), None
    milliseconds = int(timeout * 1000)
    stack.limit(milliseconds=milliseconds // 4)
    stack.hold(one.hypotheses)
    verdict, model = stack.check(z3.Not(one.goal))
    if verdict == "unknown":
        alone = z3.Solver()
        alone.set(timeout=milliseconds)
        alone.add(*one.hypotheses, z3.Not(one.goal))
        verdict = str(alone.check())
        model = alone.model() if verdict == "sat" else None
    if verdict == "sat":
        return opinion(Answer.REFUTED), read_model(model, unknowns(one.goal, *one.hypotheses))
    return opinion(Answer.PROVED if verdict == "unsat" else Answer.UNKNOWN), None


# -- cvc5 -----------------------------------------------------------------------------------------


def _smtlib(*conditions: BoolTerm) -> str:
    solver = z3.Solver()
    solver.add(*conditions)
    return "(set-logic ALL)\n" + str(solver.to_smt2())


def _ask_cvc5(group: Sequence[Obligation], timeout: float) -> list[Opinion]:
    """What cvc5 says of the obligations of one path, with as few queries as possible.

    An identity is tried without hypotheses, which is more to prove and yet easier: there is
    nothing to be misled by. What is not proved together is tried one by one.
    """
    answers: dict[Obligation, Opinion] = {}

    def ask(goals: Sequence[Obligation], conditions: Sequence[BoolTerm], final: bool) -> None:
        start = perf_counter()
        answer = _run_cvc5(_smtlib(*conditions), timeout)
        opinion = Opinion(answer, (perf_counter() - start) / len(goals))
        if final or answer is Answer.PROVED:
            answers.update((one, opinion) for one in goals)

    identities = [one for one in group if one.is_identity]
    others = [one for one in group if one not in identities]
    if identities:
        ask(identities, [_some_false(identities)], final=False)
    if len(others) > 1:
        ask(others, _some_fails(others), final=False)
    for one in group:
        if one not in answers:
            ask([one], [*one.hypotheses, z3.Not(one.goal)], final=True)
    return [answers[one] for one in group]


def _some_false(group: Sequence[Obligation]) -> BoolTerm:
    return z3.Or(*(z3.Not(one.goal) for one in group))


def _some_fails(group: Sequence[Obligation]) -> list[BoolTerm]:
    """What is true when one of the obligations does not hold, each facing its own hypotheses.

    On a path the later claims know all that the earlier ones did. So with the claims in their
    order: all that the first may use, and it is false, or else the further facts, and ...
    """
    ordered = sorted(group, key=lambda one: len(one.hypotheses))
    levels = [list(same) for _, same in groupby(ordered, key=lambda one: len(one.hypotheses))]
    fails: BoolTerm = z3.BoolVal(False)
    for place in range(len(levels) - 1, -1, -1):
        facts = levels[place][0].hypotheses
        before = levels[place - 1][0].hypotheses if place else ()
        if not all(fact.eq(same) for fact, same in zip(facts, before, strict=False)):
            raise ValueError("obligations of one path must share their facts, in their order")
        fails = z3.And(*facts[len(before) :], z3.Or(_some_false(levels[place]), fails))
    return list(fails.children())


def _run_cvc5(text: str, timeout: float) -> Answer:
    """What cvc5 answers to SMT-LIB 2 text. The logic ALL decides more than the exact one."""
    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    solver.setOption("tlimit-per", str(int(timeout * 1000)))
    symbols = cvc5.SymbolManager(terms)
    parser = cvc5.InputParser(solver, symbols)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligation")
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said += str(command.invoke(solver, symbols))
    return {"unsat": Answer.PROVED, "sat": Answer.REFUTED}.get(said.strip(), Answer.UNKNOWN)
