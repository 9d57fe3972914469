"""A scenario carried out on the reference: every action with the state before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec

from attrs import field, frozen

from perpref import machine
from perpref.files.scenario import Expected, Names, Scenario, Step
from perpref.outcome import Event, Outcome, Refused
from perpref.rule_registry import Refusal
from perpref.rules.margin import equity, position_of
from perpref.scheduler import Run
from perpref.state import Exchange, Stage

P = ParamSpec("P")

STAGES = {
    "LIQ-6": Stage.BOOK,
    "VLT-1": Stage.VAULT,
    "ADL-3": Stage.DELEVERAGE,
    "LOSS-1": Stage.RESIDUAL,
    "LOSS-3": Stage.RESIDUAL,
}
"""The stage of the waterfall that an event shows to have done something, by the event's rule."""


@frozen
class Deed:
    """One action: its name, what it was asked, the state before it, and what happened."""

    name: str
    args: tuple[Any, ...]
    before: Exchange
    events: tuple[Event, ...]


class Recorded(Run):
    """A run that keeps every action that it took."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.deeds: list[Deed] = []
        self.covered = 0

    def do(
        self, action: Callable[Concatenate[Exchange, P], Outcome], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        self.cover("noted", (), self.exchange)
        before = self.exchange
        super().do(action, *args, **kwargs)
        self.cover(action.__name__, args, before)

    def cover(self, name: str, args: tuple[Any, ...], before: Exchange) -> None:
        """Make a deed of the events since the last one, if there are any."""
        events = tuple(self.events[self.covered :])
        if events:
            self.deeds.append(Deed(name, args, before, events))
            self.covered = len(self.events)


@frozen
class Surprise:
    """Something that was expected and did not happen."""

    line: int
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, found {self.found}"


@frozen
class Played:
    """A step that was carried out, or refused."""

    step: Step
    before: Exchange
    after: Exchange
    refused: Refused | None
    deeds: tuple[Deed, ...]
    surprises: tuple[Surprise, ...] = field(factory=tuple)

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(event for deed in self.deeds for event in deed.events)


@frozen
class Play:
    """A whole scenario, carried out."""

    scenario: Scenario
    steps: tuple[Played, ...]
    surprises: tuple[Surprise, ...]

    @property
    def exchange(self) -> Exchange:
        return self.steps[-1].after

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(event for step in self.steps for event in step.events)

    @property
    def stages(self) -> tuple[Stage, ...]:
        return stages(self.events)

    def all_surprises(self) -> tuple[Surprise, ...]:
        in_steps = (surprise for step in self.steps for surprise in step.surprises)
        return (*in_steps, *self.surprises)


def stages(events: tuple[Event, ...]) -> tuple[Stage, ...]:
    """The stages of the waterfall that did something, in their order."""
    reached = {STAGES[event.rule] for event in events if event.rule in STAGES}
    return tuple(stage for stage in Stage if stage in reached)


def play(scenario: Scenario) -> Play:
    """Carry out a scenario, whatever comes of it."""
    exchange = scenario.terms.opened()
    played = []
    for step in scenario.steps:
        done = carry_out(exchange, step, scenario.names)
        played.append(done)
        exchange = done.after
    events = tuple(event for step in played for event in step.events)
    found = surprises(scenario.expects, exchange, events, None, scenario.names)
    return Play(scenario, tuple(played), tuple(found))


def carry_out(exchange: Exchange, step: Step, names: Names) -> Played:
    """Carry out one step, as `perpref.machine.apply` does."""
    run = Recorded(exchange)
    refused: Refused | None = None
    try:
        machine.take(run, step.command)
        run.cover("noted", (), run.exchange)
    except Refusal as said:
        code = said.code
        refused = Refused(code.code, code.phase.value, code.rule, str(said))
        run = Recorded(exchange)
    deeds = tuple(run.deeds)
    events = tuple(event for deed in deeds for event in deed.events)
    found = surprises(step.expects, run.exchange, events, refused, names)
    return Played(step, exchange, run.exchange, refused, deeds, tuple(found))


def surprises(
    expects: tuple[Expected, ...],
    exchange: Exchange,
    events: tuple[Event, ...],
    refused: Refused | None,
    names: Names,
) -> Iterator[Surprise]:
    """What is not as it was expected."""
    for expected in expects:
        found = seen(expected, exchange, events, refused)
        if found != expected.value:
            yield Surprise(
                expected.line, called(expected, names), words(expected.value), words(found)
            )


def seen(
    expected: Expected,
    exchange: Exchange,
    events: tuple[Event, ...],
    refused: Refused | None,
) -> int | str | tuple[str, ...]:
    """What is there where something is expected."""
    if expected.account is None:
        match expected.what:
            case "refused":
                return refused.code if refused else "done"
            case "stages":
                return tuple(stage.value for stage in stages(events))
            case _:
                return exchange.custody
    if expected.account not in exchange.accounts:
        return "no such account yet"
    if expected.market is not None:
        return position_of(exchange, expected.account, expected.market).size
    if expected.what == "equity":
        return equity(exchange, expected.account)
    return exchange.accounts[expected.account].collateral


def called(expected: Expected, names: Names) -> str:
    """What is expected, in words."""
    if expected.account is None:
        return expected.what
    where = f" in {names.market(expected.market)}" if expected.market is not None else ""
    return f"{expected.what} of {names.account(expected.account)}{where}"


def words(value: int | str | tuple[str, ...]) -> str:
    match value:
        case int():
            return f"{value:,}"
        case tuple():
            return ", ".join(value) or "no stage"
        case _:
            return value
