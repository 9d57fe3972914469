"""Carry out a scenario on the reference, and hold it to what it expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Concatenate, ParamSpec

from attrs import frozen

from perpref import machine
from perpref.checker.files import bad_input
from perpref.checker.money import Money, where_it_went
from perpref.checker.scenario_file import (
    Claim,
    CollateralIs,
    CustodyIs,
    EquityIs,
    FilledInAll,
    LawHeld,
    LiquidatedAre,
    PaidInAll,
    PositionIs,
    RefusedWith,
    Scenario,
    StagesReached,
    Step,
)
from perpref.checker.scenario_laws import Change, Law, held
from perpref.machine import Command
from perpref.outcome import Event, Filled, Outcome, Paid, Refused
from perpref.rules import adl, adl_margin, liquidation, loss, vault, volunteers
from perpref.rules.ledger import EMPTY
from perpref.rules.margin import equity
from perpref.scheduler import Run
from perpref.state import FLAT, Exchange, Stage
from perpref.units import AccountId, MarketId

P = ParamSpec("P")

STAGE_OF: dict[Callable[..., Outcome], Stage] = {
    liquidation.liquidate: Stage.BOOK,
    vault.take_over: Stage.VAULT,
    volunteers.assign: Stage.VOLUNTEERS,
    adl.deleverage: Stage.DELEVERAGE,
    adl_margin.deleverage_with_margin: Stage.DELEVERAGE,
    loss.close_out: Stage.RESIDUAL,
    loss.charge: Stage.RESIDUAL,
    loss.socialise: Stage.RESIDUAL,
    loss.carry: Stage.RESIDUAL,
}
"""The actions of the waterfall; the account that is liquidated is the first argument of each."""


@frozen
class Act:
    """One action of the rules: with which arguments, on what state, and what it did.

    `action` is None for what the scheduler noted by itself: what is left of an order goes.
    """

    action: Callable[..., Outcome] | None
    args: tuple[Any, ...]
    before: Exchange
    events: tuple[Event, ...]

    @property
    def stage(self) -> Stage | None:
        """The stage of the waterfall that this is a part of."""
        return STAGE_OF.get(self.action) if self.action is not None else None

    @property
    def victim(self) -> AccountId | None:
        """The account that is liquidated."""
        return AccountId(self.args[0]) if self.stage is not None else None


class _Watched(Run):
    """A run of which every action is noted."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.acts: list[Act] = []
        self._noted = 0

    def do(
        self, action: Callable[Concatenate[Exchange, P], Outcome], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        self.note(None, (), self.exchange)
        before = self.exchange
        super().do(action, *args, **kwargs)
        self.note(action, args, before)

    def note(
        self, action: Callable[..., Outcome] | None, args: tuple[Any, ...], before: Exchange
    ) -> None:
        """Take down the events since the last note."""
        events = tuple(self.events[self._noted :])
        self._noted = len(self.events)
        if events or action is not None:
            self.acts.append(Act(action, args, before, events))


@frozen
class Played:
    """A command that was carried out, or refused, and the actions that it led to."""

    command: Command
    before: Exchange
    outcome: Outcome | Refused
    acts: tuple[Act, ...]

    @property
    def after(self) -> Exchange:
        return self.outcome.exchange if isinstance(self.outcome, Outcome) else self.before

    @property
    def events(self) -> tuple[Event, ...]:
        return self.outcome.events if isinstance(self.outcome, Outcome) else ()


def play_command(exchange: Exchange, command: Command) -> Played:
    """Carry out one command."""
    outcome = machine.apply(exchange, command)
    if isinstance(outcome, Refused):
        return Played(command, exchange, outcome, ())
    run = _Watched(exchange)
    machine.take(run, command)
    run.note(None, (), run.exchange)
    return Played(command, exchange, outcome, tuple(run.acts))


@frozen
class PlayedStep:
    """A step of a scenario with all its commands."""

    step: Step
    played: tuple[Played, ...]


@frozen
class Play:
    """A scenario that was carried out, and in one line each what was not as expected."""

    scenario: Scenario
    start: Exchange
    steps: tuple[PlayedStep, ...]
    money: Money
    missed: tuple[str, ...]

    @property
    def end(self) -> Exchange:
        return self.steps[-1].played[-1].after

    @property
    def claims(self) -> int:
        """How many things were expected."""
        return len(self.scenario.claims) + sum(len(one.step.claims) for one in self.steps)


def play(scenario: Scenario) -> Play:
    """Carry out a scenario."""
    exchange = start = scenario.venue.as_terms.opened()
    steps: list[PlayedStep] = []
    missed: list[str] = []
    for step in scenario.steps:
        played: list[Played] = []
        for command in step.commands:
            played.append(play_command(exchange, command))
            exchange = played[-1].after
        steps.append(PlayedStep(step, tuple(played)))
        missed += _missed(scenario, step.claims, played)
        missed += _refused_unexpectedly(scenario, step, played)
    everything = [played for step in steps for played in step.played]
    missed += _missed(scenario, scenario.claims, everything)
    marks = {market: listed.mark for market, listed in start.markets.items()}
    events = [event for played in everything for event in played.events]
    money = where_it_went(exchange.accounts, marks, events)
    missed += _unlawful(scenario, exchange, money)
    return Play(scenario, start, tuple(steps), money, tuple(missed))


def stages_of(played: Iterable[Played]) -> tuple[Stage, ...]:
    """The stages that acted, in the order in which each acted for the first time."""
    stages = [act.stage for one in played for act in one.acts if act.stage is not None]
    return tuple(dict.fromkeys(stages))


def liquidated_in(played: Iterable[Played]) -> tuple[AccountId, ...]:
    """The accounts that were liquidated, in the order in which each was for the first time."""
    victims = [act.victim for one in played for act in one.acts if act.victim is not None]
    return tuple(dict.fromkeys(victims))


def laws_of(played: Iterable[Played]) -> dict[Law, bool]:
    """Of each law, whether it held at every one of these commands."""
    return held(Change(one.before, one.after, one.events) for one in played)


# What was not as expected.


def _missed(scenario: Scenario, claims: Iterable[Claim], played: Sequence[Played]) -> list[str]:
    lines = []
    for claim in claims:
        expected, got = _both(scenario, claim, played)
        if expected != got:
            where = f"{scenario.file}:{claim.line}"
            lines.append(str(bad_input(where, claim.key, f"expected {expected}, got {got}")))
    return lines


def _both(scenario: Scenario, claim: Claim, played: Sequence[Played]) -> tuple[str, str]:
    """What was expected and what was found, in words."""
    end = played[-1].after
    match claim.what:
        case RefusedWith(code):
            outcome = played[-1].outcome
            refused = outcome.code if isinstance(outcome, Refused) else ""
            return f"the refusal {code}", f"the refusal {refused}" if refused else "no refusal"
        case StagesReached(stages):
            return _stages(stages), _stages(stages_of(played))
        case LiquidatedAre(accounts):
            return _accounts(scenario, accounts), _accounts(scenario, liquidated_in(played))
        case EquityIs(account, amount):
            there = account in end.accounts
            return f"{amount:,}", f"{equity(end, account) if there else 0:,}"
        case CollateralIs(account, amount):
            return f"{amount:,}", f"{end.accounts.get(account, EMPTY).collateral:,}"
        case PositionIs(account, market, lots):
            held = end.accounts.get(account, EMPTY).positions.get(market, FLAT)
            return f"{lots:,}", f"{held.size:,}"
        case CustodyIs(amount):
            return f"{amount:,}", f"{end.custody:,}"
        case PaidInAll(payer, payee, amount, rule):
            return f"{amount:,}", f"{_paid(played, payer, payee, rule):,}"
        case FilledInAll(buyer, seller, market, lots, price, rule):
            found = _filled(played, buyer, seller, market, price, rule)
            return f"{lots:,} lots", f"{found:,} lots"
        case LawHeld(law, kept):
            words = {True: f"that {law.value} held", False: f"that {law.value} was broken"}
            return words[kept], words[laws_of(played)[law]]


def _paid(played: Sequence[Played], payer: AccountId, payee: AccountId, rule: str) -> int:
    return sum(
        event.amount
        for one in played
        for event in one.events
        if isinstance(event, Paid)
        and (event.payer, event.payee, event.rule) == (payer, payee, rule)
    )


def _filled(
    played: Sequence[Played],
    buyer: AccountId,
    seller: AccountId,
    market: MarketId,
    price: int,
    rule: str,
) -> int:
    wanted = (buyer, seller, market, price, rule)
    return sum(
        event.lots
        for one in played
        for event in one.events
        if isinstance(event, Filled)
        and (event.buyer, event.seller, event.market, event.price, event.rule) == wanted
    )


def _stages(stages: Iterable[Stage]) -> str:
    return ", ".join(stage.value for stage in stages) or "no stage"


def _accounts(scenario: Scenario, accounts: Iterable[AccountId]) -> str:
    return ", ".join(scenario.who(account) for account in accounts) or "nobody"


def _refused_unexpectedly(scenario: Scenario, step: Step, played: Sequence[Played]) -> list[str]:
    """A refusal that nobody expects is a mistake of the scenario."""
    if any(isinstance(claim.what, RefusedWith) for claim in step.claims):
        return []
    where = f"{scenario.file}:{step.line}"
    return [
        str(bad_input(where, f"step[{step.number}]", f"refused: {one.outcome.message}"))
        for one in played
        if isinstance(one.outcome, Refused)
    ]


def _unlawful(scenario: Scenario, end: Exchange, money: Money) -> list[str]:
    """The law, once more from the entries: every equity, and the pot."""
    lines = []
    for account in end.accounts:
        found, added = equity(end, account), money.equity(account)
        if found != added:
            wrong = f"{scenario.who(account)} has {found:,}, the double entries say {added:,}"
            lines.append(str(bad_input(scenario.file, "", wrong)))
    claims = sum(equity(end, account) for account in end.accounts)
    if claims != end.custody:
        wrong = f"the pot holds {end.custody:,}, the claims on it are {claims:,}"
        lines.append(str(bad_input(scenario.file, "", wrong)))
    return lines
