"""All paths of an ordinary program on symbolic values.

`explore` runs the program again and again. Each run replays the decisions of an earlier one and
then takes, at its first new fork, the other side. A side that contradicts what is already known
is not followed. When the solver cannot tell, the side *is* followed: a path too many costs time
and never soundness, because whatever is claimed on an impossible path is true.

The program must be deterministic; a replay that meets another question than before is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import z3  # type: ignore[import-untyped]
from attrs import field, frozen

from proofs.executor.facts import FactStack
from proofs.executor.show import show
from proofs.executor.terms import (
    AnyChoice,
    BoolTerm,
    DivisorError,
    ExecutorError,
    IntTerm,
    NoRunError,
    SymBool,
    SymInt,
    _current,
    all_of,
    to_condition,
)

T = TypeVar("T")

FEASIBILITY_EFFORT = 2_000_000
"""z3 steps for one feasibility check: about 0.2 s on a machine of 2026."""

ENTAILMENT_EFFORT = 50_000_000
"""z3 steps for one question whose answer the executor relies on: about 5 s."""


class TooManyPathsError(ExecutorError):
    """The program has more paths, or longer ones, than the caller allowed."""


class ReplayError(ExecutorError):
    """The program did not do the same thing twice."""


class VacuousError(ExecutorError):
    """No path of the program is possible: whatever is proved of it says nothing."""


class _Infeasible(BaseException):
    """The current path contradicts itself. Not an Exception, so that no program catches it."""


@frozen(eq=False)
class Decision:
    """One question that a run asked, and the answer that this path takes."""

    question: BoolTerm
    answer: bool


@frozen(eq=False)
class Claim:
    """What the program claims at some point, with all the facts that it knew there."""

    name: str
    goal: BoolTerm
    hypotheses: tuple[BoolTerm, ...]


@frozen(eq=False)
class Path(Generic[T]):
    """One way through the program.

    `facts` holds everything known on the path, in order: `conditions` came from forks,
    `assumptions` from `assume` and from the definitions of quotients. `reachable` says that the
    solver has shown some integers to take this path; it is False when it could not tell.
    """

    decisions: tuple[Decision, ...]
    facts: tuple[BoolTerm, ...]
    conditions: tuple[BoolTerm, ...]
    assumptions: tuple[BoolTerm, ...]
    symbols: dict[str, Any]
    rests: tuple[IntTerm, ...]
    claims: tuple[Claim, ...]
    result: T | None
    refusal: Exception | None
    reachable: bool

    @property
    def signature(self) -> str:
        """The answers of the path as letters, stable from run to run."""
        return "".join("T" if decision.answer else "F" for decision in self.decisions)

    def __str__(self) -> str:
        end = f"refused: {self.refusal}" if self.refusal else "accepted"
        return "\n".join([end, *(f"  {show(condition)}" for condition in self.conditions)])


@frozen(eq=False)
class _Start:
    """Where a run begins: the decisions to replay, and a model of them if one is known."""

    decisions: tuple[Decision, ...] = ()
    model: Any = None


@frozen(eq=False)
class _Search:
    """What the runs of one exploration share."""

    stack: FactStack
    effort: int
    longest: int
    pending: list[_Start] = field(factory=list)
    keys: dict[int, tuple[BoolTerm, BoolTerm, tuple[object, ...], bool]] = field(factory=dict)

    def key(self, condition: BoolTerm) -> tuple[BoolTerm, tuple[object, ...], bool]:
        """The condition simplified, and its key; runs ask the same things again and again."""
        found = self.keys.get(condition.get_id())
        if found is None:
            simple = z3.simplify(condition)
            found = (condition, simple, *_key(simple))
            self.keys[condition.get_id()] = found  # and so its terms stay alive: ids are theirs
        return found[1:]


class Run:
    """One run of the program: what is known so far, and the decisions that led here."""

    def __init__(self, start: _Start, search: _Search) -> None:
        self._search = search
        self._replay = start.decisions
        self._model_after_replay = start.model
        self._model: Any = None
        self._decisions: list[Decision] = []
        self._known: dict[tuple[object, ...], bool] = {}
        self._quotients: dict[tuple[int, int], tuple[IntTerm, IntTerm, IntTerm]] = {}
        self.facts: list[BoolTerm] = []
        self.conditions: list[BoolTerm] = []
        self.assumptions: list[BoolTerm] = []
        self.claims: list[Claim] = []
        self.symbols: dict[str, Any] = {}
        self.rests: list[Callable[[], IntTerm]] = []

    # -- unknowns -----------------------------------------------------------------------------

    def fresh_int(self, name: str) -> Any:
        return SymInt(self._fresh(name, z3.Int))

    def fresh_bool(self, name: str) -> Any:
        return SymBool(self._fresh(name, z3.Bool))

    def any_choice(self, name: str, example: T) -> T:
        return cast(T, AnyChoice(name, example))

    def _fresh(self, name: str, make: Callable[[str], Any]) -> Any:
        unique, count = name, 1
        while unique in self.symbols:
            count += 1
            unique = f"{name}.{count}"
        self.symbols[unique] = make(unique)
        return self.symbols[unique]

    def quotient(self, dividend: IntTerm, divisor: IntTerm) -> IntTerm:
        """The floor of `dividend / divisor` as an unknown with its definition.

        The same division gives the same unknown. A definition by two inequalities is easier
        for solvers than their own `div`, and is Python's floor as long as the divisor is
        positive, which must be provable here.
        """
        key = (dividend.get_id(), divisor.get_id())
        if key not in self._quotients:
            if not self.entails(divisor > 0):
                raise DivisorError(
                    f"the divisor of {show(dividend)} // {show(divisor)} is not "
                    "provably positive on this path"
                )
            quotient = self._fresh("quotient", z3.Int)
            if self._model is not None:
                over, under = (self._in_model(term).as_long() for term in (dividend, divisor))
                self._model.update_value(quotient, z3.IntVal(over // under))
            self._assume(divisor * quotient <= dividend)
            self._assume(dividend < divisor * quotient + divisor)
            self._quotients[key] = (dividend, divisor, quotient)
        return self._quotients[key][2]

    # -- knowledge ----------------------------------------------------------------------------

    def assume(self, condition: object) -> None:
        self._assume(to_condition(condition))

    def claim(self, name: str, goal: object) -> None:
        self.claims.append(Claim(name, to_condition(goal), tuple(self.facts)))

    def known(self, condition: BoolTerm) -> bool | None:
        """The truth of a condition if it can be told at a glance, else None."""
        simple, key, positive = self._search.key(condition)
        if z3.is_true(simple) or z3.is_false(simple):
            return bool(z3.is_true(simple))
        answer = self._known.get(key)
        return None if answer is None else answer == positive

    def decide(self, condition: BoolTerm) -> bool:
        """Whether the condition holds on this path, forking when both answers are possible."""
        known = self.known(condition)
        if known is not None:
            return known
        answer = self._answer(condition, self._choose)
        fact = condition if answer else z3.Not(condition)
        self._add(fact, self.conditions)
        return answer

    def entails(self, condition: BoolTerm) -> bool:
        """Whether the condition holds for all integers that take this path. Never forks."""
        known = self.known(condition)
        return known if known is not None else self._answer(condition, self._prove)

    def _answer(self, question: BoolTerm, ask: Callable[[BoolTerm], bool]) -> bool:
        """Answer as the replayed path did, or else ask; either way write it down."""
        position = len(self._decisions)
        if position >= self._search.longest:
            raise TooManyPathsError(
                f"a path took more than {position} decisions: prove a loop by its step"
            )
        if position < len(self._replay):
            decision = self._replay[position]
            if not decision.question.eq(question):
                raise ReplayError(
                    f"the program asked {show(question)} where it had asked "
                    f"{show(decision.question)} before"
                )
        else:
            decision = Decision(question, ask(question))
        self._decisions.append(decision)
        if position + 1 == len(self._replay):
            self._model = self._model_after_replay
        return decision.answer

    def _choose(self, condition: BoolTerm) -> bool:
        """The side to follow; the other side is queued unless it is impossible."""
        if self._model is None and not self._find_model():
            verdict, other_model = self._check(condition)
            if verdict == "unsat":
                return False
            self._model = other_model
            preferred = True
        else:
            preferred = bool(z3.is_true(self._in_model(condition)))
        verdict, other_model = self._check(z3.Not(condition) if preferred else condition)
        if verdict != "unsat":
            other = (*self._decisions, Decision(condition, not preferred))
            self._search.pending.append(_Start(other, other_model))
        return preferred

    def _prove(self, condition: BoolTerm) -> bool:
        if self._model is not None and z3.is_false(self._in_model(condition)):
            return False
        return self._check(z3.Not(condition), ENTAILMENT_EFFORT)[0] == "unsat"

    def _find_model(self) -> bool:
        """Look for integers that take this path. Raises _Infeasible when there are none."""
        verdict, self._model = self._check(z3.BoolVal(True))
        if verdict == "unsat":
            raise _Infeasible
        return verdict == "sat"

    def _check(self, condition: BoolTerm, effort: int | None = None) -> tuple[str, Any]:
        stack = self._search.stack
        stack.limit(effort=effort or self._search.effort)
        stack.hold(self.facts)
        return stack.check(condition)

    def _in_model(self, term: Any) -> Any:
        return self._model.eval(term, model_completion=True)

    def _assume(self, condition: BoolTerm) -> None:
        known = self.known(condition)
        if known is False:
            raise _Infeasible
        if known is None:
            self._add(condition, self.assumptions)

    def _add(self, fact: BoolTerm, kind: list[BoolTerm]) -> None:
        """Know a fact from here on; a conjunction is known as a whole and by its parts."""
        _, key, positive = self._search.key(fact)
        self._known[key] = positive
        if z3.is_and(fact):
            for part in fact.children():
                self._add(part, kind)
            return
        self.facts.append(fact)
        kind.append(fact)
        if self._model is not None and not z3.is_true(self._in_model(fact)):
            self._model = None

    # -- the end of the run -------------------------------------------------------------------

    def path(self, result: T | None, refusal: Exception | None) -> Path[T]:
        """This run as a path. Raises _Infeasible when nothing can take it."""
        reachable = self._model is not None or self._find_model()
        return Path(
            decisions=tuple(self._decisions),
            facts=tuple(self.facts),
            conditions=tuple(self.conditions),
            assumptions=tuple(self.assumptions),
            symbols=dict(self.symbols),
            rests=tuple(rest() for rest in self.rests),
            claims=tuple(self.claims),
            result=result,
            refusal=refusal,
            reachable=reachable,
        )

    def possible(self) -> bool:
        """Whether anything can take this path, asked with patience."""
        return self._check(z3.BoolVal(True), ENTAILMENT_EFFORT)[0] != "unsat"


def explore(
    program: Callable[[], T],
    *,
    refusals: tuple[type[Exception], ...] = (),
    limit: int = 1000,
    longest: int = 500,
    effort: int = FEASIBILITY_EFFORT,
) -> list[Path[T]]:
    """Every path of `program`, in a stable order.

    Args:
        program: called once per path; makes its unknowns with `fresh_int` and tables.
        refusals: exceptions that end a path lawfully.
        limit: the most paths that may be followed.
        longest: the most decisions that one path may take.
        effort: z3 steps for one feasibility check.

    Raises:
        TooManyPathsError: a limit was met. Paths are never left out in silence.
        VacuousError: there is no possible path.
        Exception: whatever else the program raised, with a note that names the path.
    """
    search = _Search(FactStack(), effort, longest)
    search.pending.append(_Start())
    paths: list[Path[T]] = []
    runs = 0
    while search.pending:
        runs += 1
        if runs > limit:
            raise TooManyPathsError(f"the program has more than {limit} paths")
        path = _follow(program, Run(search.pending.pop(), search), refusals)
        if path is not None:
            paths.append(path)
    if not paths:
        raise VacuousError("no path of the program is possible: its assumptions contradict")
    return sorted(paths, key=lambda path: path.signature, reverse=True)


def _follow(
    program: Callable[[], T], run: Run, refusals: tuple[type[Exception], ...]
) -> Path[T] | None:
    """The path that one run takes, or None when it turns out to be impossible."""
    result: T | None = None
    refusal: Exception | None = None
    token = _current.set(run)
    try:
        try:
            result = program()
        except refusals as refused:
            refusal = refused
        return run.path(result, refusal)
    except _Infeasible:
        return None
    except Exception as error:
        if not isinstance(error, ExecutorError) and not run.possible():
            return None
        error.add_note(f"on the path where\n{_lines(run.facts)}")
        raise
    finally:
        _current.reset(token)


# -- what a program says to its run ---------------------------------------------------------------


def running() -> Run:
    """The run that is going on. Raises NoRunError when there is none."""
    run = _current.get()
    if not isinstance(run, Run):
        raise NoRunError("only inside explore() is there a run to ask")
    return run


def fresh_int(name: str) -> int:
    """An unknown integer. Typed as the `int` that it stands for; it is a SymInt."""
    return cast(int, running().fresh_int(name))


def fresh_bool(name: str) -> bool:
    """An unknown truth. Typed as the `bool` that it stands for; it is a SymBool."""
    return cast(bool, running().fresh_bool(name))


def any_choice(name: str, example: T) -> T:
    """Any one of some options, of which nothing is known and nothing may be asked: no forks."""
    return running().any_choice(name, example)


def choose(name: str, options: Sequence[T]) -> T:
    """Any one of the options: the run forks over them."""
    index = running().fresh_int(name)
    assume(all_of(index >= 0, index < len(options)))
    for position, option in enumerate(options[:-1]):
        if index == position:
            return option
    return options[-1]


def assume(condition: object) -> None:
    """Take a condition for granted on this path."""
    running().assume(condition)


def claim(name: str, goal: object) -> None:
    """Write down that `goal` must follow from all that is known at this point."""
    running().claim(name, goal)


# -- reading conditions ---------------------------------------------------------------------------


def _key(simple: BoolTerm) -> tuple[tuple[object, ...], bool]:
    """A name for a simplified condition that its negation and its mirror image share."""
    positive = True
    while z3.is_not(simple):
        simple, positive = simple.arg(0), not positive
    if z3.is_eq(simple):
        ids = sorted(child.get_id() for child in simple.children())
        return ("=", *ids), positive
    if z3.is_le(simple) or z3.is_ge(simple):
        low, high = simple.children() if z3.is_le(simple) else reversed(simple.children())
        if z3.is_int_value(high):
            return ("at most", low.get_id(), high.as_long()), positive
        if z3.is_int_value(low):  # c <= a is the same as not a <= c - 1
            return ("at most", high.get_id(), low.as_long() - 1), not positive
        return ("<=", low.get_id(), high.get_id()), positive
    return ("", simple.get_id()), positive


def _lines(facts: Sequence[BoolTerm]) -> str:
    return "\n".join(f"  {show(fact)}" for fact in facts) or "  (nothing is assumed)"
