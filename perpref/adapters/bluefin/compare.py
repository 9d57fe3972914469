"""The model against the bytecode, command by command, to the last quantum.

After every command both must agree on accepted or refused, on the reason when refused, and on
every balance, position, index and price. The tolerance is zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from time import perf_counter_ns

from attrs import evolve, frozen

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin import model
from perpref.adapters.bluefin.driver import Driver
from perpref.adapters.bluefin.engine import ACCOUNTS, GENESIS, START_DELAY, Engine
from perpref.adapters.bluefin.report import Deviation, Progress, Report
from perpref.adapters.bluefin.scenarios import PROFILES, all_scenarios
from perpref.adapters.bluefin.shrink import shortest
from perpref.adapters.bluefin.staging import Scenario
from perpref.adapters.bluefin.state import Refused, State, view_of
from perpref.adapters.bluefin.terms import Terms, published_terms
from perpref.adapters.bluefin.view import differences

EPISODE = 140
STORIES = 4
TOLERANCE = "0 quanta"

Step = Callable[[State, c.Command], State | Refused]


def genesis(terms: Terms, accounts: tuple[str, ...] = ACCOUNTS) -> State:
    """The model's state that goes with a freshly deployed engine."""
    return model.genesis(terms, accounts, GENESIS + START_DELAY)


def disagreement(
    engine: Engine, state: State, command: c.Command, step: Step
) -> tuple[State, Deviation | None, str | None]:
    """Give both a command; the model's next state, where they disagree, and the refusing rule."""
    reason = engine.apply(command)
    outcome = step(state, command)
    refused = outcome if isinstance(outcome, Refused) else None
    after = state if isinstance(outcome, Refused) else outcome
    theirs = "accepted" if reason is None else f"refused: {reason}"
    ours = "accepted" if refused is None else f"refused by {refused.rule}: {refused.reason}"
    rule = refused.rule if refused else ",".join(after.rules)
    seen = engine.observe()
    kind = ""
    if (reason is None) != (refused is None):
        kind = "one accepts, the other refuses"
    elif refused is not None and reason != refused.reason:
        kind = "both refuse, for different reasons"
    money = differences(seen, view_of(after))
    if not kind and money:
        kind = "the numbers differ"
    rule_id = refused.rule if refused else None
    if not kind:
        return after, None, rule_id
    found = Deviation(kind, rule, 0, str(command), theirs, ours, money, ())
    return after, found, rule_id


@frozen
class Difference:
    """What makes two deviations the same, while a story is being shortened."""

    kind: str
    command: str
    engine: str


def _signature(deviation: Deviation, command: c.Command) -> Difference:
    return Difference(deviation.kind, type(command).__name__, deviation.engine)


def replay(
    engine: Engine, terms: Terms, commands: Sequence[c.Command], step: Step
) -> tuple[Deviation, c.Command] | None:
    """The first disagreement of a story, told to a fresh engine."""
    point = engine.snapshot()
    state = genesis(terms, engine.accounts)
    try:
        for number, command in enumerate(commands):
            state, found, _ = disagreement(engine, state, command, step)
            if found is not None:
                return evolve(found, step=number), command
        return None
    finally:
        engine.restore(point)


def _shorten(
    build: str, terms: Terms, folder: Path | None, told: list[c.Command], step: Step
) -> Deviation:
    """The deviation with the shortest story that still shows it."""
    engine = Engine(build, terms, folder)
    first = replay(engine, terms, told, step)
    assert first is not None, "a story that was told once does not replay"
    wanted = _signature(*first)

    def shows(commands: list[c.Command]) -> bool:
        found = replay(engine, terms, commands, step)
        return found is not None and _signature(*found) == wanted

    story = shortest(told, shows)
    found = replay(engine, terms, story, step)
    assert found is not None
    return evolve(found[0], story=c.story(story))


def differential(
    build: str,
    commands: int = 5_000,
    seed: int = 0,
    folder: Path | None = None,
    step: Step = model.step,
    stop_at: int = STORIES,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Search for a disagreement; stops early when `stop_at` of them are found."""
    began = perf_counter_ns()
    random = Random(f"{build} {seed}")
    reach: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    deviations: list[Deviation] = []
    told = episodes = accepted = 0
    scripted: list[Scenario] = all_scenarios(build)
    while (told < commands or scripted) and len(deviations) < stop_at:
        scenario = scripted.pop(0) if scripted else None
        terms = scenario.terms if scenario else PROFILES[episodes % len(PROFILES)](build)
        episodes += 1
        engine, state = Engine(build, terms, folder), genesis(terms)
        driver = Driver(random, state)
        story: list[c.Command] = []
        plan = list(scenario.commands) if scenario else driver.begin()
        ended = scenario is not None
        while plan or not ended:
            if not plan:
                ended = len(story) > EPISODE
                plan = driver.end(state) if ended else driver.more(state)
            command = plan.pop(0)
            story.append(command)
            state, found, refusing = disagreement(engine, state, command, step)
            told += 1
            progress(told, commands)
            accepted += refusing is None
            _count(reach, counts, state, command, refusing)
            if found is not None:
                deviations.append(_shorten(build, terms, folder, story, step))
                break
    every = [rule for rule in model.rules() if model.applies(rule, published_terms(build))]
    return Report(
        engine="bluefin",
        build=build,
        search="differential",
        seed=seed,
        commands=told,
        accepted=accepted,
        refused=told - accepted,
        episodes=episodes,
        milliseconds=(perf_counter_ns() - began) // 1_000_000,
        tolerance=TOLERANCE,
        reach={rule: reach[rule] for rule in every},
        unreached=tuple(rule for rule in every if not reach[rule]),
        counts=dict(sorted(counts.items())),
        deviations=tuple(deviations),
    )


def _count(
    reach: Counter[str],
    counts: Counter[str],
    state: State,
    command: c.Command,
    refusing: str | None,
) -> None:
    """Note which rules a command exercised, and what became of it."""
    name = type(command).__name__
    if refusing is not None:
        reach[refusing] += 1
        counts[f"{name} refused"] += 1
        return
    counts[f"{name} accepted"] += 1
    entries = {entry.rule for entry in state.entries}
    for rule in set(state.rules) | entries:
        reach[rule] += 1
