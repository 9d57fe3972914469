"""The engine and the reference, step by step, until they part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

from attrs import field, frozen

from perpref import machine
from perpref.checker import blame
from perpref.checker.choices import IllegalChoice, apply_chosen
from perpref.checker.differences import laws_broken, same_events, state_differences
from perpref.checker.engine import Connection, EngineFailure, Step
from perpref.checker.finding import Case, Difference, Finding, Kind
from perpref.checker.gains import gains
from perpref.checker.stopwatch import Part, Stopwatch
from perpref.checker.wire import (
    Comparison,
    Done,
    Errored,
    Observable,
    Refusals,
    RefusedBy,
    Result,
    Skipped,
    Unknown,
    View,
    view,
)
from perpref.outcome import Outcome, Refused
from perpref.state import Exchange

MOST_WORLDS = 16
"""How many states the engine may be in, after results `unknown`, before we forget some."""

Watcher = Callable[[Exchange, machine.Command, Outcome | Refused], None]
"""Told of every step on which both sides agreed and which the engine carried out or refused."""


@frozen
class Tally:
    """What was compared, and how: the report prints it."""

    counts: Counter[str] = field(factory=Counter)

    def add(self, what: str) -> None:
        self.counts[what] += 1


@frozen
class Candidate:
    """One thing that may have happened: what the reference makes of it, and the state after."""

    expected: Outcome | Refused | None
    after: Exchange
    problem: Kind | None = None
    illegal: IllegalChoice | None = None


@frozen
class Judge:
    """Compares an engine's steps with the reference's, in the way that the engine asked for."""

    comparison: Comparison
    tally: Tally = field(factory=Tally)
    watch: Stopwatch = field(factory=Stopwatch)
    watcher: Watcher | None = None

    def examine(self, connection: Connection, case: Case) -> Finding | None:
        """Carry out a case on the engine; the first step at which it departs, if any."""
        step = 0
        try:
            why = connection.begin(case.terms)
            if why is not None:
                self.tally.add("terms not taken")
                return None
            steps = connection.steps(case.commands)
            worlds = [case.terms.opened()]
            for step, (command, said) in enumerate(zip(case.commands, steps, strict=True)):
                found = self.follow(worlds, command, said, step)
                if isinstance(found, Finding):
                    with suppress(EngineFailure):
                        for _ in steps:  # read what is on its way, so that nothing is out of order
                            pass
                    return found
                worlds = found
                step += 1
        except EngineFailure as failure:
            connection.kill()
            return Finding(
                Kind.FAILURE,
                "",
                failure.detail,
                min(step, max(len(case.commands) - 1, 0)),
                failure=failure.kind.value,
                stderr=failure.stderr,
            )
        return None

    def follow(
        self, worlds: list[Exchange], command: machine.Command, said: Step, step: int
    ) -> list[Exchange] | Finding:
        """The states that the engine may be in after a step, or why it cannot be in any."""
        result, seen = said
        matching: list[Exchange] = []
        first: tuple[Exchange, Candidate, tuple[Difference, ...]] | None = None
        for world in worlds:
            for candidate in self._candidates(world, command, result):
                differences = self._differences(candidate.after, seen)
                if candidate.problem is None and not differences:
                    if candidate.after not in matching:
                        matching.append(candidate.after)
                    if len(worlds) == 1 and candidate.expected is not None:
                        self._agreed(world, command, candidate.expected)
                elif first is None:
                    first = world, candidate, differences
        if matching:
            self.tally.add(_name(result))
            return matching[:MOST_WORLDS]
        assert first is not None
        return self._finding(*first, command, said, step)

    def _agreed(
        self, world: Exchange, command: machine.Command, expected: Outcome | Refused
    ) -> None:
        if self.watcher is not None:
            self.watcher(world, command, expected)

    def _differences(self, after: Exchange, seen: View) -> tuple[Difference, ...]:
        return state_differences(view(after), seen, self.comparison)

    def _candidates(
        self, world: Exchange, command: machine.Command, result: Result
    ) -> Iterator[Candidate]:
        if isinstance(result, Skipped):
            yield Candidate(None, world)
            return
        chosen, events = (result.choices, result.events) if isinstance(result, Done) else ((), ())
        try:
            with self.watch.on(Part.REFERENCE):
                expected = apply_chosen(world, command, chosen, events)
        except IllegalChoice as illegal:
            yield from self._unjudged(world, result, illegal)
            return
        after = expected.exchange if isinstance(expected, Outcome) else world
        match result:
            case Done():
                yield Candidate(expected, after, self._problem_done(expected, result))
            case RefusedBy():
                yield Candidate(expected, after, self._problem_refused(expected, result))
            case Errored():
                yield Candidate(expected, after, Kind.ERRORED)
            case Unknown():
                yield Candidate(expected, after)
                yield Candidate(None, world)

    def _unjudged(
        self, world: Exchange, result: Result, illegal: IllegalChoice
    ) -> Iterator[Candidate]:
        """Without the engine's choice the reference cannot say what a refusal should have been."""
        match result:
            case RefusedBy() | Unknown():
                self.tally.add("not judged: no choice to go by")
                yield Candidate(None, world)
            case Errored():
                yield Candidate(None, world, Kind.ERRORED)
            case _:
                yield Candidate(None, world, Kind.CHOICE, illegal)

    def _problem_done(self, expected: Outcome | Refused, result: Done) -> Kind | None:
        if isinstance(expected, Refused):
            return Kind.REFUSAL
        shows = Observable.EVENTS in self.comparison.observe
        if shows and not same_events(expected.events, result.events, self.comparison.within):
            return Kind.EVENTS
        return None

    def _problem_refused(self, expected: Outcome | Refused, result: RefusedBy) -> Kind | None:
        if isinstance(expected, Outcome):
            return Kind.REFUSAL
        match self.comparison.refusals:
            case Refusals.EXACT:
                agreed = result.code == expected.code
                agreed = agreed and result.phase in ("", expected.phase)
                return None if agreed and result.rule in ("", expected.rule) else Kind.REFUSAL
            case Refusals.CLASS:
                return None if result.phase == expected.phase else Kind.REFUSAL
            case Refusals.IGNORED:
                self.tally.add("both refused, reasons not compared")
                return None

    def _finding(
        self,
        world: Exchange,
        candidate: Candidate,
        differences: tuple[Difference, ...],
        command: machine.Command,
        said: Step,
        step: int,
    ) -> Finding:
        result, seen = said
        kind = candidate.problem or Kind.STATE
        if (
            isinstance(result, RefusedBy)
            and isinstance(candidate.expected, Refused)
            and differences
        ):
            kind = Kind.CHANGED
        clues = blame.Clues(
            kind,
            world,
            command,
            candidate.expected,
            result,
            differences,
            Observable.EVENTS in self.comparison.observe,
            self.comparison.within,
        )
        if candidate.illegal is not None:
            rule, what, because = candidate.illegal.rule, candidate.illegal.what, ""
        elif kind is Kind.ERRORED:  # no rule says that an engine may not fail
            rule, what, because = "", _what(kind, result, candidate.expected), ""
        else:
            rule, what = blame.blamed(clues), _what(kind, result, candidate.expected)
            because = blame.guard_sentence(clues)
            if isinstance(candidate.expected, Refused):
                because = candidate.expected.message
        return Finding(
            kind,
            rule,
            what,
            step,
            differences,
            laws_broken(seen, self.comparison),
            gains(view(candidate.after), seen, self.comparison),
            because,
            expected=candidate.expected,
            got=result,
        )


def _name(result: Result) -> str:
    return {Done: "done", RefusedBy: "refused", Skipped: "skipped", Unknown: "unknown"}[
        type(result)
    ]


def _what(kind: Kind, result: Result, expected: Outcome | Refused | None) -> str:
    """A sentence that says how the two sides part."""
    match kind, result, expected:
        case Kind.REFUSAL, RefusedBy(), Refused():
            return "Both refuse, for different reasons"
        case Kind.REFUSAL, RefusedBy(), _:
            return "The engine refuses what the rules allow"
        case Kind.REFUSAL, _, _:
            return "The engine does what the rules forbid"
        case Kind.CHANGED, _, _:
            return "The engine refuses, and changes its state all the same"
        case Kind.EVENTS, _, _:
            return "The engine does something else than the rules say"
        case Kind.ERRORED, Errored(why), _:
            return f"The engine failed: {why}" if why else "The engine failed"
        case Kind.STATE, Skipped(), _:
            return "The engine skips the command, and changes its state all the same"
        case Kind.STATE, Unknown(), _:
            return "The engine does not know whether it acted, and its state is neither"
        case _:
            return "The engine's state is not what the rules make of it"
