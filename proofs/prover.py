"""Runs the theorems: every path, every obligation, two solvers, and a witness for every path.

The result is the property ledger. A row is held when z3 proves every obligation of it, cvc5
refutes none, and its paths are possible: each path of an action has a witness, plain integers
that take the same path through the real code and end in the same state or the same refusal.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from itertools import groupby
from multiprocessing import get_context
from time import perf_counter
from typing import Any

import z3  # type: ignore[import-untyped]
from attrs import evolve, field, frozen

from perpref.rule_registry import Refusal
from proofs.contracts import assuming, calls, exactly
from proofs.executor import (
    Model,
    NotReplayedError,
    Obligation,
    Path,
    Status,
    Verdict,
    concretise,
    counterexample,
    explore,
    prove,
    replay,
    witness,
)
from proofs.executor.explore import running
from proofs.executor.facts import FactStack
from proofs.executor.prove import Answer
from proofs.executor.witness import read_model
from proofs.laws import Attempt, attempt
from proofs.registry import Strength, Theorem, theorems
from proofs.world import given, worlds

SECONDS = 10.0
"""How long z3 may think about one obligation."""

SECOND_SECONDS = 0.3
"""How long cvc5 may: it proves what it proves in a few milliseconds, or not at all."""

WITNESS_SECONDS = 1.0
"""How long to look for integers that take a path, at the largest bound."""

MOST_PATHS = 5_000


@frozen
class Row:
    """One line of the property ledger: how a property of a subject is held.

    `z3` and `cvc5` count the obligations that each has proved; `replayed` the paths whose
    witness took the same path through the real code. `witness` is the counterexample of a
    refuted property, in words; `problem` says why a row is not held as it should be.
    """

    property: str
    name: str
    statement: str
    chapter: str
    subject: str
    rules: tuple[str, ...]
    strength: str
    paths: int = 0
    obligations: int = 0
    z3: int = 0
    cvc5: int = 0
    disagree: int = 0
    replayed: int = 0
    seconds: float = 0.0
    where: str = ""
    witness: str = ""
    problem: str = ""
    unknown: tuple[str, ...] = field(factory=tuple)


@frozen(eq=False)
class Trial:
    """How one path ended: what was tried, what came of it, and which claims belong to whom."""

    attempt: Attempt | None
    step: Any
    refusal: str
    claims: tuple[str, ...]
    exact: tuple[Any, ...]
    worlds: tuple[Any, ...]


def prove_all(
    select: Callable[[Theorem], bool] = lambda _: True,
    *,
    workers: int = 2,
    replay: bool = True,
    second_opinion: bool = True,
    done: Callable[[list[Row]], None] = lambda _: None,
) -> list[Row]:
    """The property ledger of all selected theorems, in the order of the chapters.

    Args:
        select: which theorems.
        workers: how many processes; theorems of one program share one exploration.
        replay: whether each path's witness is replayed on the real code.
        second_opinion: whether cvc5 is asked.
        done: told of every finished group of rows.
    """
    stated = [theorem for theorem in theorems() if select(theorem)]
    groups = [list(group) for _, group in groupby(stated, key=_program)]
    finished: dict[int, list[Row]] = {}
    for place, found in _run(groups, workers, (replay, second_opinion)):
        done(found)
        finished[place] = found
    return [row for place in sorted(finished) for row in finished[place]]


def _program(theorem: Theorem) -> object:
    return theorem.program or theorem.name


def _run(
    groups: list[list[Theorem]], workers: int, how: tuple[bool, bool]
) -> Iterator[tuple[int, list[Row]]]:
    """The rows of each group with its place, as they are finished, the longest first."""
    places = sorted(range(len(groups)), key=lambda place: -_length(groups[place]))
    if workers == 1:
        yield from ((place, prove_group(groups[place], *how)) for place in places)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = {}
        for place in places:
            first = groups[place][0]
            job = (first.chapter, first.subject, first.name, how)
            jobs[pool.submit(_in_worker, job)] = place
        for job_done in as_completed(jobs):
            yield jobs[job_done], job_done.result()


def _length(group: list[Theorem]) -> int:
    """A guess at how long a group takes: actions with many contracts have many paths."""
    return len(group) * (1 + len(group[0].assumes))


def _in_worker(job: tuple[str, str, str, tuple[bool, bool]]) -> list[Row]:
    gc.set_threshold(200_000)  # terms hardly ever form cycles; looking for them takes a fifth
    chapter, subject, name, how = job
    stated = theorems()
    first = next(
        one for one in stated if (one.chapter, one.subject, one.name) == (chapter, subject, name)
    )
    return prove_group([one for one in stated if _program(one) == _program(first)], *how)


def prove_group(
    group: list[Theorem], replay: bool = True, second_opinion: bool = True
) -> list[Row]:
    """The rows of the theorems that share one program."""
    first = group[0]
    if first.program is None:
        return [_row(theorem) for theorem in group]
    start = perf_counter()
    paths = explore(_trial_of(group), limit=MOST_PATHS)
    second = second_opinion and first.strength is not Strength.REFUTED
    verdicts = prove(
        _obligations(paths), SECONDS, second_opinion=second, second_timeout=SECOND_SECONDS
    )
    rows = [_judged(theorem, paths, verdicts, first) for theorem in group]
    if replay:
        replayed, problem = _replay(group, paths)
        rows = [evolve(row, replayed=replayed, problem=row.problem or problem) for row in rows]
    share = (perf_counter() - start) / len(rows)
    return [evolve(row, seconds=share) for row in rows]


def _row(theorem: Theorem) -> Row:
    return Row(
        theorem.property,
        theorem.name,
        theorem.statement,
        theorem.chapter,
        theorem.subject,
        theorem.rules,
        theorem.strength.value,
        where=theorem.where,
    )


# -- one program, all its paths -------------------------------------------------------------------


def _trial_of(group: list[Theorem]) -> Callable[[], Trial]:
    """The program of a group of theorems, with what each of them claims of its result."""
    first = group[0]
    program = first.program
    assert program is not None

    def trial() -> Trial:
        owners: list[str] = []
        step, refusal = None, ""
        with assuming(*first.assumes) if first.assumes else nullcontext():
            try:
                step = program()
            except Refusal as refused:
                refusal = refused.code.code
            _owned(owners, first.name)
            for theorem in group:
                if theorem.law is not None and step is not None:
                    theorem.law(step)
                    _owned(owners, theorem.name)
            exact = calls()
        tried = attempt() if first.law else None
        return Trial(tried, step, refusal, tuple(owners), exact, worlds())

    return trial


def _owned(owners: list[str], name: str) -> None:
    """Everything that was claimed since the last time belongs to this theorem."""
    owners.extend([name] * (len(running().claims) - len(owners)))


def _obligations(paths: Iterable[Path[Trial]]) -> list[Obligation]:
    """Every claim of every path once, named by its theorem."""
    found: dict[tuple[object, ...], Obligation] = {}
    for path in paths:
        assert path.result is not None
        facts = [fact.get_id() for fact in path.facts]
        for owner, claimed in zip(path.result.claims, path.claims, strict=True):
            known = facts[: len(claimed.hypotheses)]
            key = (owner, claimed.name, claimed.goal.get_id(), *known)
            if key not in found:
                name = f"{owner}|{claimed.name}"
                found[key] = Obligation(name, claimed.hypotheses, claimed.goal, path)
    return list(found.values())


def _judged(
    theorem: Theorem, paths: list[Path[Trial]], verdicts: list[Verdict], first: Theorem
) -> Row:
    mine = [verdict for verdict in verdicts if verdict.name.startswith(f"{theorem.name}|")]
    refuted = [verdict for verdict in mine if verdict.z3.answer is Answer.REFUTED]
    open_ones = [verdict for verdict in mine if verdict.z3.answer is Answer.UNKNOWN]
    row = evolve(
        _row(theorem),
        paths=len(paths),
        obligations=len(mine),
        z3=sum(verdict.z3.answer is Answer.PROVED for verdict in mine),
        cvc5=sum(verdict.cvc5.answer is Answer.PROVED for verdict in mine),
        disagree=sum(verdict.status is Status.DISAGREE for verdict in mine),
        unknown=tuple(
            sorted({v.name.partition("|")[2] for v in mine if v.cvc5.answer is Answer.UNKNOWN})
        ),
    )
    if theorem.strength is Strength.REFUTED:
        shown, real = _counterexample(theorem, refuted)
        problem = "" if real else "there is no counterexample that the real code confirms"
        return evolve(row, witness=shown, problem=problem)
    if not mine:
        return evolve(row, problem="nothing is claimed on any path")
    if refuted:
        problem = f"refuted: {refuted[0].name.partition('|')[2]}"
        return evolve(row, problem=problem, witness=_counterexample(theorem, refuted[:1])[0])
    if row.disagree:
        return evolve(row, problem="the solvers disagree")
    if open_ones:
        return evolve(row, problem=f"not proved: {open_ones[0].name.partition('|')[2]}")
    return row


def _counterexample(theorem: Theorem, refuted: list[Verdict]) -> tuple[str, bool]:
    """The numbers of a counterexample, and whether the real code confirms it."""
    shown = ""
    for verdict in refuted:
        model = counterexample(verdict.obligation) or verdict.model
        if model is None:
            continue
        numbers = {
            name: value
            for name, value in model.values.items()
            if value and not name.startswith(("quotient", "rest of")) and "any key" not in name
        }
        shown = ", ".join(f"{name} = {value}" for name, value in numbers.items())
        if _breaks(theorem, verdict.obligation, model):
            return shown, True
    return shown, False


# -- witnesses ------------------------------------------------------------------------------------


EVERYDAY = {
    "mark": 1_000,
    "price": 1_000,
    "maintenance_rate": 50_000,
    "initial_rate": 100_000,
    "maker_fee": 1_000,
    "taker_fee": 1_000,
    "liquidation_fee": 1_000,
}
"""Plain numbers to try first: with the factors of products given, the rest is nearly linear."""


def _witness(stack: FactStack, path: Path[Trial], really: list[Any]) -> Model | None:
    """Integers that take the path, everyday ones if there are any.

    A solver that still knows the neighbouring path is quick; one of its own finds more.
    """
    everyday = [
        symbol == EVERYDAY[name]
        for known, symbol in path.symbols.items()
        if (name := known.rpartition(".")[2]) in EVERYDAY and symbol.sort() == z3.IntSort()
    ]
    stack.limit(milliseconds=int(WITNESS_SECONDS * 60))
    stack.hold(path.facts)
    verdict, model = stack.check(*everyday, *really, *(rest == 0 for rest in path.rests))
    if verdict == "sat":
        return read_model(model, path.symbols, closed=True)
    for hints, seconds in ((everyday, WITNESS_SECONDS / 5), ([], WITNESS_SECONDS)):
        found = witness(path, *really, *hints, seconds=seconds, small=False)
        if found is not None:
            return found
    return None


def _replay(group: list[Theorem], paths: list[Path[Trial]]) -> tuple[int, str]:
    """How many paths were replayed on the real code, and what went wrong with the first bad one.

    A path that no integers take is one that only contracts allow; it is not counted, and there
    must be others that end the same way.
    """
    ends: Counter[str] = Counter()
    impossible: set[str] = set()
    stack = FactStack()
    for path in paths:
        trial = path.result
        assert trial is not None
        found = _witness(stack, path, [exactly(call) for call in trial.exact])
        if found is None or not found.closed:
            impossible.add(trial.refusal)
            continue
        again = _replay_action if trial.attempt is not None else _replay_program
        problem = again(group[0], trial, found)
        if problem:
            return ends.total(), problem
        ends[trial.refusal] += 1
    unreached = impossible - set(ends)
    if unreached:
        names = ", ".join(sorted(end or "accepted" for end in unreached))
        return ends.total(), f"no integers reach: {names}"
    return ends.total(), ""


def _replay_action(_: Theorem, trial: Trial, found: Model) -> str:
    """Take the action with plain integers and compare with what the path says of its end."""
    assert trial.attempt is not None
    tried = concretise(trial.attempt.exchange, found)
    args = concretise(trial.attempt.args, found)
    expected: object = trial.refusal or concretise(trial.step.after, found)
    got: object
    try:
        got = trial.attempt.action(tried, *args).exchange
    except Refusal as refused:
        got = refused.code.code
    return "" if got == expected else f"a witness took another path: {got} is not {expected}"


def _replay_program(theorem: Theorem, trial: Trial, found: Model) -> str:
    """Run the whole program with plain integers: it must end the same way, its claims be true."""
    assert theorem.program is not None
    with given([concretise(exchange, found) for exchange in trial.worlds]):
        plain = replay(theorem.program, found, refusals=(Refusal,))
    refusal = plain.refusal.code.code if isinstance(plain.refusal, Refusal) else ""
    if refusal != trial.refusal:
        return f"a witness ended with {refusal or 'acceptance'}, not {trial.refusal}"
    false = [name for name, true in plain.claims if not true]
    if false and theorem.strength is not Strength.REFUTED:
        return f"a witness makes false: {false[0]}"
    return ""


def _breaks(theorem: Theorem, obligation: Obligation, found: Model) -> bool:
    """Whether a counterexample makes a claim false with plain integers on the real code."""
    trial = obligation.path.result
    if trial is None or not found.closed or theorem.program is None or theorem.law is not None:
        return False
    try:
        with given([concretise(exchange, found) for exchange in trial.worlds]):
            plain = replay(theorem.program, found, refusals=(Refusal,))
    except NotReplayedError:  # numbers that only the contracts allow
        return False
    return any(not true for _, true in plain.claims)
