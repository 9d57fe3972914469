"""The laws of conservation and backing, and a search that tries to break them.

After every accepted command the engine's own numbers are put to these laws:

- *conservation*: the balances in the bank add up to the tokens that the bank holds;
- *balance*: signed positions add up to zero, while the market is listed;
- *backing*: no command changes by more than dust what the perpetual holds beyond the accrued fees
  and gas charges and all equities together, where an account under water counts as a debt. A
  command that lowers it has given away money that backs somebody's claim;
- *custody of fees*: the perpetual holds at least the fees and gas charges that accrued in it;
- *exit*: who has something left can get it out: a trade is not refused because the perpetual
  cannot pay, a final withdrawal is not refused, and pays what the position is worth;
- *closing*: an account under water can be closed against a solvent counterparty.

An open position under water is no break by itself: it is what liquidation and deleveraging are
for. The search first plays the scenarios, then random episodes aimed by the driver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import perf_counter_ns

from attrs import evolve, frozen

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin import model
from perpref.adapters.bluefin.commands import ONE, shown
from perpref.adapters.bluefin.compare import EPISODE, genesis
from perpref.adapters.bluefin.driver import Driver
from perpref.adapters.bluefin.engine import Engine
from perpref.adapters.bluefin.report import BrokenLaw, Report
from perpref.adapters.bluefin.scenarios import PROFILES, Scenario, all_scenarios
from perpref.adapters.bluefin.shrink import shortest
from perpref.adapters.bluefin.state import Refused, State
from perpref.adapters.bluefin.terms import Terms
from perpref.adapters.bluefin.view import Holding, View

DUST = 10**9
"""What counts as dust in one command, in quanta: a thousand-millionth of one unit of cash."""

UNBACKED = "an unbacked claim"
DELIBERATE = "a deliberate rule that leaves a claim unbacked"
LEFT_OVER = "money that nobody can claim"
LOCKED = "money that cannot be got out"

ADL_PARTS = 10_000
"""A deleveraging lets off a loss of up to one part in so many, of a unit of cash per unit."""

VERDICTS = (
    ("BF-LIQ-11", UNBACKED, "an account that liquidates itself is paid and keeps its position"),
    ("BF-ORD-10", UNBACKED, "two orders of one side are matched; positions do not balance"),
    ("BF-FND-8", DELIBERATE, "funding beyond a short's entry value is forgiven in a deleveraging"),
    ("BF-ADL-7", DELIBERATE, "a loss beyond margin, within the tolerance, is forgiven"),
    ("BF-END-2", UNBACKED, "funding accrues against a side that has left after delisting"),
    ("BF-END-6", DELIBERATE, "bad debt is borne by whoever comes last"),
    ("BF-POS-1", LOCKED, "rounding has used up what the last one to leave should get"),
    ("BF-BANK-5", LOCKED, "the perpetual cannot pay a winner while a loser is under water"),
    ("BF-FND-5", LOCKED, "an account that owes more funding than it has margin is shut in"),
    ("BF-ARI-1", LOCKED, "a position without an entry value cannot be closed"),
    ("BF-ARI-2", LOCKED, "the perpetual holds less than the fees that accrued in it"),
    ("BF-POS-3", LOCKED, "a deleveraging is refused because of rounding"),
)
"""What to make of a break, by the rule that the command met."""


def equity(view: View, name: str) -> int:
    """What an account could claim from its position: margin, profit, and pending funding."""
    holding = view.accounts[name]
    if holding.quantity == 0:
        return 0
    price = view.delisting_price if view.delisted else view.oracle
    value = holding.quantity * price // ONE
    entry = holding.oi_open if holding.quantity > 0 else -holding.oi_open
    return holding.margin + value - entry - pending_funding(view, holding)


def pending_funding(view: View, holding: Holding) -> int:
    """Funding that a position owes and has not settled."""
    if holding.index_time == view.index_time:
        return 0
    return (view.index - holding.index) * holding.quantity // ONE


def surplus(view: View) -> int:
    """What the perpetual holds beyond accrued charges and all equities together."""
    owed = sum(equity(view, name) for name in view.accounts)
    return view.perpetual - view.accrued_fees - view.accrued_gas - owed


@frozen
class Break:
    """A law that a command broke."""

    law: str
    rule: str
    amount: int
    detail: str

    @property
    def verdict(self) -> str:
        """What kind of break it is."""
        if self.amount < -DUST:
            return LEFT_OVER
        for rule, verdict, _ in VERDICTS:
            if rule == self.rule:
                return verdict
        return UNBACKED

    @property
    def key(self) -> tuple[str, str]:
        """What makes two breaks the same."""
        return self.law, self.rule


def judge(
    was: View, now: View, command: c.Command, accepted: bool, rules: Sequence[str]
) -> list[Break]:
    """The laws that a command broke, given the engine's state before and after it.

    `rules` are those that the command exercised, or the one that refused it.
    """
    if not accepted:
        return _judge_refusal(was, command, rules)
    found = []
    if now.bank_total() != now.custody:
        found.append(Break("conservation", "", now.custody - now.bank_total(), "balances differ"))
    tilt = _tilt(now)
    if tilt and not now.delisted:
        if tilt != _tilt(was):
            rule = "BF-ORD-10" if "BF-ORD-10" in rules else ""
            detail = f"positions add up to {shown(tilt)}"
            found.append(Break("balance", rule, abs(tilt), detail))
        return found
    lost = surplus(was) - surplus(now)
    if abs(lost) > DUST and not isinstance(command, c.ClosePosition):
        rule = _blame(command, now.delisted, lost, rules)
        found.append(Break("backing", rule, lost, _backing(lost)))
    accrued = now.accrued_fees + now.accrued_gas
    if now.perpetual < accrued and was.perpetual >= was.accrued_fees + was.accrued_gas:
        missing = accrued - now.perpetual
        detail = f"{shown(missing)} of the accrued charges is gone"
        rule = "BF-POS-1" if missing <= DUST else "BF-BANK-5"
        found.append(Break("custody of fees", rule, missing, detail))
    if isinstance(command, c.ClosePosition):
        found += _judge_exit(was, now, command)
    return found


def _tilt(view: View) -> int:
    """What the signed positions add up to."""
    return sum(holding.quantity for holding in view.accounts.values())


def _backing(lost: int) -> str:
    if lost > 0:
        return f"{shown(lost)} that backed a claim is gone"
    return f"{shown(-lost)} is left over that nobody can claim"


def _blame(command: c.Command, delisted: bool, lost: int, rules: Sequence[str]) -> str:
    """The rule that explains a loss, or none."""
    for rule in ("BF-LIQ-11", "BF-FND-8"):
        if rule in rules:
            return rule
    if delisted:
        return "BF-END-2"
    if isinstance(command, c.Deleverage) and 0 < lost <= command.quantity // ADL_PARTS + DUST:
        return "BF-ADL-7"
    return ""


def _judge_exit(was: View, now: View, command: c.ClosePosition) -> list[Break]:
    """A final withdrawal pays what the position is worth."""
    worth = equity(evolve(was, index=now.index, index_time=now.index_time), command.account)
    paid = now.accounts[command.account].bank - was.accounts[command.account].bank
    short = max(worth, 0) - paid
    found = []
    if short > DUST:
        detail = f"{command.account} is owed {shown(worth)} and gets {shown(paid)}"
        found.append(Break("exit", "BF-END-6", short, detail))
    moved = surplus(was) - surplus(evolve(was, index=now.index, index_time=now.index_time))
    if abs(moved) > DUST:
        found.append(Break("backing", "BF-END-2", moved, _backing(moved)))
    return found


def _judge_refusal(was: View, command: c.Command, rules: Sequence[str]) -> list[Break]:
    """A refusal that keeps somebody from money that is theirs, or keeps a debt open."""
    rule = rules[0] if rules else ""
    if isinstance(command, c.ClosePosition) and was.delisted:
        worth = equity(was, command.account)
        if was.accounts[command.account].quantity and worth > DUST:
            detail = f"{command.account} cannot get {shown(worth)} out"
            return [Break("exit", rule, worth, detail)]
    if rule == "BF-BANK-5" and _is_at_market(was, command):
        return _judge_poverty(was)
    if isinstance(command, c.Deleverage) and rule == "BF-POS-3":
        maker, taker = was.accounts[command.maker], was.accounts[command.taker]
        settled = all(pending_funding(was, holding) == 0 for holding in (maker, taker))
        if settled and taker.quantity and _rounding_stands_in_the_way(maker, taker):
            return [Break("closing", rule, 1, "one quantum of rounding refuses the deleveraging")]
    return []


def _is_at_market(was: View, command: c.Command) -> bool:
    """Whether a trade or a change of margin is one that the market has no reason to refuse."""
    if isinstance(command, c.Fill):
        return abs(command.price - was.oracle) * 100 <= was.oracle
    return isinstance(command, c.Liquidate | c.Deleverage | c.RemoveMargin | c.AdjustLeverage)


def _judge_poverty(was: View) -> list[Break]:
    """The perpetual cannot pay: because a loser has not paid yet, or because of rounding."""
    short = -surplus(was)
    debts = -sum(min(equity(was, name), 0) for name in was.accounts)
    if debts <= DUST and 0 < short <= DUST:
        return [Break("exit", "BF-POS-1", short, f"the perpetual is short of {short} quanta")]
    if debts <= DUST:
        return []
    holds = shown(was.perpetual)
    detail = f"the perpetual holds {holds} and cannot pay, while {shown(debts)} is owed to it"
    return [Break("exit", "BF-BANK-5", debts, detail)]


def _rounding_stands_in_the_way(maker: Holding, taker: Holding) -> bool:
    """Whether the counterparty is solvent at the exact bankruptcy price of the maker."""
    side = 1 if maker.quantity > 0 else -1
    debt = maker.oi_open - side * maker.margin
    value = debt * abs(taker.quantity) // abs(maker.quantity)
    return taker.margin + side * (taker.oi_open - value) > 10**6


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
        self._seen = engine.observe()
        self.refused = False
        self.rules: tuple[str, ...] = ()

    def hear(self, command: c.Command) -> list[Break]:
        """Carry a command out and judge it."""
        reason = self._engine.apply(command)
        outcome = model.step(self.state, command)
        if isinstance(outcome, Refused):
            self.rules = (outcome.rule,)
        else:
            self.rules = (*outcome.rules, *(entry.rule for entry in outcome.entries))
            self.state = outcome
        self.refused = reason is not None
        was, self._seen = self._seen, self._engine.observe()
        return judge(was, self._seen, command, reason is None, self.rules)

    def lost(self) -> int:
        """What the perpetual is short of, all equities together."""
        return -surplus(self._seen)


def _breaks(engine: Engine, terms: Terms, story: Sequence[c.Command]) -> list[Break]:
    """Every break of a story, told to a fresh engine."""
    point = engine.snapshot()
    court = Court(engine, terms)
    try:
        return [found for command in story for found in court.hear(command)]
    finally:
        engine.restore(point)


def _told_short(build: str, found: Found, folder: Path | None, times: int) -> BrokenLaw:
    """A break with the shortest story that still shows it."""
    engine = Engine(build, found.terms, folder)
    key = found.broken.key

    def shows(story: list[c.Command]) -> bool:
        return any(entry.key == key for entry in _breaks(engine, found.terms, story))

    story = shortest(list(found.told), shows)
    broken = next(entry for entry in _breaks(engine, found.terms, story) if entry.key == key)
    why = next((text for rule, _, text in VERDICTS if rule == broken.rule), "")
    return BrokenLaw(
        law=broken.law,
        rule=broken.rule,
        verdict=broken.verdict,
        scenario=found.name,
        amount=broken.amount,
        detail=f"{broken.detail}: {why} ({broken.rule})" if why else broken.detail,
        story=c.story(story),
        times=times,
    )


class Search:
    """The search: what was told, what broke."""

    def __init__(self, build: str, folder: Path | None) -> None:
        self._build = build
        self._folder = folder
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
        self.refused += court.refused
        self.reach.update(set(court.rules))
        for broken in found:
            self.times[broken.key] += 1
            if broken.key not in self.first:
                self.first[broken.key] = Found(broken, name, terms, tuple(told))
        return {broken.law for broken in found}

    def verdicts(self) -> tuple[BrokenLaw, ...]:
        """Every law that was broken, once for each rule that broke it."""
        return tuple(
            _told_short(self._build, found, self._folder, self.times[key])
            for key, found in sorted(self.first.items())
        )


def laws(build: str, commands: int = 5_000, seed: int = 0, folder: Path | None = None) -> Report:
    """Try to break the laws on a build: the scenarios, then random episodes."""
    began = perf_counter_ns()
    random = Random(f"laws {build} {seed}")
    search = Search(build, folder)
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
