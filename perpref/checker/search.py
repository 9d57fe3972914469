"""The search: a Hypothesis state machine that thinks up commands and holds the engine to them.

Its rules draw a few bytes and turn them into commands that are interesting where the reference
stands now. An example is thought up on the reference alone and then carried out on the engine in
one go, so that an engine behind a pipe is never waited for between two commands.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from time import monotonic

from attrs import frozen
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from perpref.checker import isolated_scenes, moves, scenes, vault_scenes
from perpref.checker.compare import Judge
from perpref.checker.dice import BYTES, TERM_BYTES, Dice
from perpref.checker.drawing import BACKEND
from perpref.checker.engine import Connection
from perpref.checker.finding import Case, Finding, Kind
from perpref.checker.reach import Reach
from perpref.checker.variants import varied
from perpref.checker.wire import COMMANDS, Terms
from perpref.checker.world import World
from perpref.rules.liquidation_time import goes_by_parts
from perpref.state import VAULT, LiquidationSize, Rulebook, Stage
from perpref.units import AccountId

ROUND = 100
"""Examples that share one state of the generator; each round has its own seed."""

PATIENCE = 60
"""So many examples after the first finding no further one is waited for."""

DRAWN = st.binary(min_size=BYTES, max_size=BYTES)
TERMS = st.binary(min_size=TERM_BYTES, max_size=TERM_BYTES)


Act = Callable[[World, Dice], None]
"""Something that a search may do: it adds commands to a world."""


@frozen
class Budget:
    """How long to search: so many examples, or so many seconds, whichever ends first.

    It ends at the finding of this number, and `PATIENCE` examples after the first one at the
    latest.
    """

    examples: int = 1_000
    seconds: float | None = None
    steps: int = 20
    findings: int = 1


class _Stop(BaseException):
    """Ends a round. Not an Exception, for Hypothesis would take that for a failing test."""


class Search:
    """Examples until enough is found or the budget is used up."""

    def __init__(
        self,
        connection: Connection,
        judge: Judge,
        base: Terms,
        budget: Budget,
        supported: tuple[str, ...] = tuple(COMMANDS),
        reach: Reach | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.base = base
        self.supported = supported
        self.judge = judge
        self.examples = 0
        self.commands = 0
        self.findings: list[tuple[Case, Finding]] = []
        self._connection = connection
        self._budget = budget
        self._reach = reach
        self._progress = progress
        self._last = budget.examples
        self._deadline = None if budget.seconds is None else monotonic() + budget.seconds

    def run(self, number: int) -> list[tuple[Case, Finding]]:
        """Search from this seed; what was found, each with the case that shows it."""
        rounds = 1 + -(-self._budget.examples // ROUND)  # one more, for examples without commands
        for index in range(rounds):
            examples = min(ROUND, self._budget.examples - self.examples)
            chosen = settings(
                backend=BACKEND,
                max_examples=examples,
                stateful_step_count=self._budget.steps,
                phases=[Phase.generate],
                deadline=None,
                database=None,
                derandomize=False,
                verbosity=Verbosity.quiet,
                suppress_health_check=list(HealthCheck),
            )
            machine_class = seed(number * 1_000_003 + index)(_machine(self))
            try:
                run_state_machine_as_test(machine_class, settings=chosen)
            except _Stop:
                break
        return self.findings

    def end_example(self, world: World) -> None:
        """Carry an example out on the engine; stop when enough is found, or when time is up."""
        case = Case(world.terms, tuple(world.commands))
        self.examples += 1
        self.commands += len(case.commands)
        if self._reach is not None:
            self._reach.begin(self.examples)
        finding = self.judge.examine(self._connection, case)
        if self._progress is not None:
            self._progress(self.examples, self.commands)
        if finding is not None:
            if not self.findings:
                self._last = min(self._last, self.examples + PATIENCE)
            shown = case.terms, case.commands[: finding.step + 1]
            if all((c.terms, c.commands[: f.step + 1]) != shown for c, f in self.findings):
                self.findings.append((case, finding))
            if finding.kind is Kind.FAILURE or len(self.findings) == self._budget.findings:
                raise _Stop
        late = self._deadline is not None and monotonic() > self._deadline
        if late or self.examples >= self._last:
            raise _Stop


def _machine(search: Search) -> type[RuleBasedStateMachine]:
    """The state machine of one search."""

    class Exchanges(RuleBasedStateMachine):
        world: World | None = None

        @initialize(drawn=TERMS, people=st.integers(2, 6))
        def open(self, drawn: bytes, people: int) -> None:
            dice = Dice(drawn)
            terms = varied(search.base, dice, search.supported)
            step = dice.pick((1, 1, 3))
            accounts = [AccountId(2 + step * index) for index in range(people)]
            self.world = World(terms, accounts, search.supported, search.judge.watch)
            shown = fitting(terms)
            if shown and dice.below(2):
                dice.pick(shown)(self.world, dice)
            elif dice.below(3):
                scenes.open_interest(self.world, dice)

        def teardown(self) -> None:
            if self.world is not None and self.world.commands:
                search.end_example(self.world)

    for act in (*ACTS, *SCENES):
        setattr(Exchanges, act.__name__, _rule(act))
    return Exchanges


def fitting(terms: Terms) -> tuple[Act, ...]:
    """The scenes that show what these terms have chosen."""
    book = terms.rulebook
    own_vaults = any(listed.vault != VAULT for listed in terms.markets.values())
    shown = (
        (closes_bit_by_bit(book), scenes.bit_by_bit),
        (Stage.DELEVERAGE not in book.waterfall, scenes.loss_among_holders),
        (book.deleverage_cancels_orders, scenes.winners_with_orders),
        (Stage.VOLUNTEERS in book.waterfall, vault_scenes.volunteers_step_in),
        (book.liquidators, vault_scenes.outsider_liquidates),
        (own_vaults, vault_scenes.capital_for_a_child),
        (book.vault_lockup + book.vault_notice > 0, vault_scenes.shares_come_and_go),
    )
    return tuple(scene for chosen, scene in shown if chosen)


def closes_bit_by_bit(rulebook: Rulebook) -> bool:
    """Whether a liquidation may close less than a position at a time, or take its time."""
    whole = rulebook.liquidation_size is LiquidationSize.WHOLE
    return not whole or goes_by_parts(rulebook)


def _rule(act: Act) -> Callable[..., None]:
    def take(self, drawn: bytes) -> None:  # type: ignore[no-untyped-def]
        act(self.world, Dice(drawn))

    take.__name__ = act.__name__
    decorated: Callable[..., None] = rule(drawn=DRAWN)(take)
    return decorated


ACTS = (
    moves.deposit,
    moves.withdraw,
    moves.transfer,
    moves.place,
    moves.cancel,
    moves.replace,
    moves.move_mark,
    moves.settle_funding,
    moves.unwind,
    moves.settle_premium,
    moves.settle_market,
    moves.advance_clock,
    moves.set_index,
    moves.pause_market,
    moves.contribute_to_vault,
    moves.redeem_from_vault,
    moves.capital,
    moves.liquidate,
    moves.volunteer,
    moves.wrong,
)
"""Rules that add one command."""

SCENES = (
    scenes.open_interest,
    scenes.twins,
    scenes.market_departs,
    scenes.feed_vault,
    scenes.starve_vault,
    scenes.vault_takes_over,
    scenes.vault_could_reduce,
    scenes.vault_unwinds,
    scenes.vault_is_liquidated,
    scenes.crash,
    scenes.loss_among_holders,
    scenes.winners_with_orders,
    scenes.bids_for_a_victim,
    scenes.limit_moves,
    scenes.bit_by_bit,
    vault_scenes.shares_come_and_go,
    vault_scenes.capital_for_a_child,
    vault_scenes.outsider_liquidates,
    vault_scenes.volunteers_step_in,
    isolated_scenes.isolated_position,
    scenes.late_counterparty,
    scenes.contagion,
    scenes.second_visit,
    scenes.queue_at_a_price,
    scenes.second_helping,
    scenes.second_thoughts,
    scenes.too_late,
    scenes.meets_itself,
    scenes.orphaned_reduce_only,
    scenes.broke_maker,
    scenes.reduce_under_water,
    scenes.profit_tries_to_leave,
    scenes.flip,
    scenes.funding_spell,
)
"""Rules that add a few commands, towards states that single ones seldom reach."""


def short_case(random: Random, base: Terms, supported: tuple[str, ...]) -> Case:
    """A scene or two, thought up without a search: what they lead to needs few commands."""
    dice = Dice(random.randbytes(TERM_BYTES))
    people = [AccountId(2 + index) for index in range(dice.pick((3, 3, 4)))]
    world = World(varied(base, dice, supported), people, supported)
    shown = fitting(world.terms)
    if shown and dice.below(2):
        dice.pick(shown)(world, Dice(random.randbytes(BYTES)))
    for _ in range(dice.pick((1, 1, 2, 3))):
        act = dice.pick((*SCENES, *SCENES, *ACTS))
        act(world, Dice(random.randbytes(BYTES)))
    return Case(world.terms, tuple(world.commands))
