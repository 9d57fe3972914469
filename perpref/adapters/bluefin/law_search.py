"""A search that tries to break the laws of `perpref.adapters.bluefin.law`.

It first plays the scenarios, then random episodes aimed by the driver. The model stands beside the
engine only to say by which rule a command went through; the laws are put to the engine's own
numbers. What breaks one is told again, as short as it gets, with what it means in money.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import perf_counter_ns

from attrs import frozen

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin import model
from perpref.adapters.bluefin.compare import EPISODE, genesis
from perpref.adapters.bluefin.driver import Driver
from perpref.adapters.bluefin.engine import Engine
from perpref.adapters.bluefin.law import DUST, Break, debts, judge, surplus
from perpref.adapters.bluefin.report import BrokenLaw, Progress, Report
from perpref.adapters.bluefin.retelling import endings, repeated, retold
from perpref.adapters.bluefin.scenarios import PROFILES, all_scenarios
from perpref.adapters.bluefin.shrink import roundest, shortest
from perpref.adapters.bluefin.staging import Scenario
from perpref.adapters.bluefin.state import Refused, State
from perpref.adapters.bluefin.terms import Terms, published_terms
from perpref.adapters.bluefin.view import View

PUBLISHED = "a published deployment's"
TABLES = "the engine's own test tables'"


def terms_called(terms: Terms, build: str) -> str:
    """Whose terms these are."""
    return PUBLISHED if terms == published_terms(build) else TABLES


@frozen
class Found:
    """A break, where it happened, and the story that led there."""

    broken: Break
    name: str
    terms: Terms
    told: tuple[c.Command, ...]


class Court:
    """One engine with the model beside it, which says by which rule a command went through."""

    def __init__(self, engine: Engine, terms: Terms) -> None:
        self._engine = engine
        self.state: State = genesis(terms, engine.accounts)
        self.seen: View = engine.observe()
        self.reason: str | None = None
        self.rules: tuple[str, ...] = ()

    def hear(self, command: c.Command) -> list[Break]:
        """Carry a command out and judge it."""
        self.reason = self._engine.apply(command)
        outcome = model.step(self.state, command)
        if isinstance(outcome, Refused):
            self.rules = (outcome.rule,)
        else:
            self.rules = (*outcome.rules, *(entry.rule for entry in outcome.entries))
            self.state = outcome
        was, self.seen = self.seen, self._engine.observe()
        return judge(was, self.seen, command, self.reason is None, self.rules)

    @property
    def refused(self) -> bool:
        """Whether the engine refused the last command."""
        return self.reason is not None

    def lost(self) -> int:
        """What the perpetual is short of, all equities together."""
        return -surplus(self.seen)


def breaks(engine: Engine, terms: Terms, story: Sequence[c.Command]) -> list[Break]:
    """Every break of a story, told to a fresh engine, which is then as it was."""
    point = engine.snapshot()
    court = Court(engine, terms)
    try:
        return [found for command in story for found in court.hear(command)]
    finally:
        engine.restore(point)


def _told_short(build: str, found: Found, folder: Path | None, times: int) -> BrokenLaw:
    """A break with the shortest story that still shows it, in the roundest amounts."""
    engine = Engine(build, found.terms, folder)
    key = found.broken.key

    def shows(story: list[c.Command]) -> bool:
        return any(entry.key == key for entry in breaks(engine, found.terms, story))

    def largest(story: list[c.Command]) -> int:
        amounts = [e.amount for e in breaks(engine, found.terms, story) if e.key == key]
        return max(amounts, default=0)

    story = shortest(list(found.told), shows)
    least = largest(story) // 2
    story = roundest(story, lambda told: shows(told) and largest(told) >= least)
    broken = next(entry for entry in breaks(engine, found.terms, story) if entry.key == key)
    steps = retold(engine, story)
    return BrokenLaw(
        law=broken.law,
        rule=broken.rule,
        verdict=broken.verdict,
        says=broken.meaning.says,
        needs=broken.meaning.needs,
        terms=terms_called(found.terms, build),
        scenario=found.name,
        amount=broken.amount,
        detail=broken.detail,
        story=c.story(story),
        steps=steps,
        endings=endings(engine, story),
        repeated=repeated(engine, story),
        times=times,
        commands=tuple(story),
        under=found.terms,
    )


class Search:
    """The search: what was told, what broke."""

    def __init__(self, build: str, folder: Path | None, total: int, progress: Progress) -> None:
        self._build = build
        self._folder = folder
        self._total = total
        self._progress = progress
        self.first: dict[tuple[str, str], Found] = {}
        self.times: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        self.reach: Counter[str] = Counter()
        self.told = self.refused = self.episodes = 0

    def play(self, scenario: Scenario) -> None:
        """Tell a scenario to the end."""
        court = self._court(scenario.terms)
        for number, command in enumerate(scenario.commands, 1):
            self._hear(court, command, scenario.name, scenario.terms, scenario.commands[:number])
        lost = court.lost()
        self.counts[f"{scenario.name}: quanta lost by the perpetual"] = lost

    def roam(self, random: Random, terms: Terms) -> None:
        """Tell an episode that the driver draws, up to its first break in the books."""
        court = self._court(terms)
        driver = Driver(random, court.state)
        plan, story, ended = driver.begin(), list[c.Command](), False
        while plan or not ended:
            if not plan:
                ended = len(story) > EPISODE
                plan = driver.end(court.state) if ended else driver.more(court.state)
            story.append(plan.pop(0))
            if self._hear(court, story[-1], "random", terms, story) & {"balance", "backing"}:
                return

    def _court(self, terms: Terms) -> Court:
        self.episodes += 1
        return Court(Engine(self._build, terms, self._folder), terms)

    def _hear(
        self, court: Court, command: c.Command, name: str, terms: Terms, told: Sequence[c.Command]
    ) -> set[str]:
        found = court.hear(command)
        self.told += 1
        self._progress(self.told, self._total)
        self.refused += court.refused
        self.reach.update(set(court.rules))
        self.counts["commands after which an account was under water"] += debts(court.seen) > DUST
        for broken in found:
            self.times[broken.key] += 1
            new = Found(broken, name, terms, tuple(told))
            if self._is_better(new, self.first.get(broken.key)):
                self.first[broken.key] = new
        return {broken.law for broken in found}

    def _is_better(self, new: Found, old: Found | None) -> bool:
        """Whether a break is the one to tell: published terms first, then what came first."""
        if old is None:
            return True
        published = published_terms(self._build)
        return new.terms == published != old.terms

    def verdicts(self) -> tuple[BrokenLaw, ...]:
        """Every law that was broken, once for each rule that broke it; the gravest first."""
        told = [
            _told_short(self._build, found, self._folder, self.times[key])
            for key, found in sorted(self.first.items())
        ]
        return tuple(sorted(told, key=lambda entry: entry.gravity))


def laws(
    build: str,
    commands: int = 5_000,
    seed: int = 0,
    folder: Path | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Try to break the laws on a build: the scenarios, then random episodes."""
    began = perf_counter_ns()
    random = Random(f"laws {build} {seed}")
    search = Search(build, folder, commands, progress)
    for scenario in all_scenarios(build):
        search.play(scenario)
    while search.told < commands:
        search.roam(random, PROFILES[search.episodes % len(PROFILES)](build))
    broken = search.verdicts()
    return Report(
        engine="bluefin",
        build=build,
        search="laws",
        seed=seed,
        commands=search.told,
        accepted=search.told - search.refused,
        refused=search.refused,
        episodes=search.episodes,
        milliseconds=(perf_counter_ns() - began) // 1_000_000,
        tolerance=f"{DUST} quanta of 10^-18 in one command",
        reach=dict(sorted(search.reach.items())),
        counts=dict(sorted(search.counts.items())),
        broken=broken,
    )
