"""A command carried out once more, with the state from which each event came."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Concatenate, ParamSpec

from attrs import frozen

from perpref import machine
from perpref.checker.choices import IllegalChoice, Reported
from perpref.checker.wire import Chosen
from perpref.outcome import Event, Outcome
from perpref.rule_registry import Refusal
from perpref.scheduler import Run
from perpref.state import Exchange

P = ParamSpec("P")


@frozen
class Traced:
    """One event, and the exchange before the action that led to it."""

    before: Exchange
    event: Event


class _TracingRun(Run):
    """A run that remembers the exchange before each of its events."""

    def __init__(self, exchange: Exchange, reported: Reported) -> None:
        super().__init__(exchange, reported)
        self.befores: list[Exchange] = []
        reported.run = self

    def do(
        self, action: Callable[Concatenate[Exchange, P], Outcome], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        before = self.exchange
        self.pad(before)
        super().do(action, *args, **kwargs)
        self.pad(before)

    def pad(self, before: Exchange) -> None:
        self.befores.extend([before] * (len(self.events) - len(self.befores)))


def trace(
    exchange: Exchange,
    command: machine.Command,
    chosen: tuple[Chosen, ...] = (),
    shown: tuple[Event, ...] = (),
) -> tuple[tuple[Traced, ...], Exchange]:
    """Every event of a command with the state before it, and the state in the end.

    When the command is refused, this is how far it came.
    """
    run = _TracingRun(exchange, Reported(exchange, chosen, shown))
    with suppress(Refusal, IllegalChoice):
        machine.take(run, command)
    run.pad(run.exchange)
    pairs = zip(run.befores, run.events, strict=True)
    return tuple(Traced(before, event) for before, event in pairs), run.exchange
