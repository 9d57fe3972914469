"""Local actions of the reference at 10 to 1,000,000 accounts, and of its mutable twin.

The sizes take turns, so that a change of the machine's speed hits all of them; each figure is the
median over all actions of a kind, so that an interruption does not count. Accounts are drawn at
random, each time anew: nothing that is touched is in the cache, which is the worst case.
"""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable
from statistics import median
from time import perf_counter

from attrs import field, frozen

from bench.twin import Account as TwinAccount
from bench.twin import Twin
from perpref import machine
from perpref.outcome import Outcome
from perpref.state import (
    TREASURY,
    VAULT,
    Account,
    Exchange,
    Kind,
    Market,
    Position,
    Rulebook,
    Side,
    Stage,
)
from perpref.table import Table
from perpref.units import AccountId, MarketId, OrderId

SIZES = (10, 1_000, 100_000, 1_000_000)
ROUNDS = 15
STEPS = 200
"""Actions of a kind in one round, on one size."""

GOLD = MarketId(1)
CASH, MARK = 1_000_000, 100
ACTIONS = ("deposit", "transfer", "rest", "fill", "cancel")

BOOK = Rulebook(
    "bench", 200, 500, 10_000, 7_500, 0, (Stage.BOOK, Stage.VAULT, Stage.DELEVERAGE, Stage.RESIDUAL)
)


def memory() -> int:
    """Resident bytes of this process, 0 where that cannot be read."""
    try:
        with open("/proc/self/statm") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def built(size: int) -> Exchange:
    """An exchange with so many accounts, each with cash and a position of its own."""
    accounts: dict[AccountId, Account] = {
        VAULT: Account(CASH, Table()),
        TREASURY: Account(0, Table()),
    }
    for number in range(size):
        lots = 1 if number % 2 else -1
        accounts[AccountId(number + 2)] = Account(
            CASH, Table([(GOLD, Position(lots, lots * MARK))])
        )
    market = Market(100_000, 50_000, 1_000, MARK)
    custody = CASH * (size + 1)
    return Exchange(BOOK, Table([(GOLD, market)]), Table(accounts.items()), custody, OrderId(0))


def built_twin(size: int) -> Twin:
    twin = Twin(MARK, 100_000, 50_000, BOOK.maker_fee, BOOK.taker_fee)
    for number in range(size):
        lots = 1 if number % 2 else -1
        twin.accounts[number + 2] = TwinAccount(CASH, lots, lots * MARK)
    twin.custody = CASH * size
    return twin


class Reference:
    """The reference at one size, going on from step to step."""

    def __init__(self, size: int) -> None:
        self.now = built(size)
        self.size = size

    def do(self, command: machine.Command) -> None:
        outcome = machine.apply(self.now, command)
        assert isinstance(outcome, Outcome), outcome
        self.now = outcome.exchange

    def deposit(self, ann: int, _bob: int, _order: int) -> None:
        self.do(machine.Deposit(AccountId(ann), 5))

    def transfer(self, ann: int, bob: int, _order: int) -> None:
        self.do(machine.Transfer(AccountId(ann), AccountId(bob), 5))

    def rest(self, ann: int, _bob: int, order: int) -> None:
        self._place(order, ann, Side.SELL)

    def fill(self, _ann: int, bob: int, order: int) -> None:
        self._place(order, bob, Side.BUY)

    def cancel(self, ann: int, _bob: int, order: int) -> None:
        self.do(machine.Cancel(AccountId(ann), GOLD, OrderId(order)))

    def _place(self, order: int, account: int, side: Side) -> None:
        self.do(machine.Place(OrderId(order), AccountId(account), GOLD, side, Kind.LIMIT, 2, MARK))


class Plain:
    """The twin, likewise."""

    def __init__(self, size: int) -> None:
        self.twin = built_twin(size)
        self.size = size

    def deposit(self, ann: int, _bob: int, _order: int) -> None:
        self.twin.deposit(ann, 5)

    def transfer(self, ann: int, bob: int, _order: int) -> None:
        self.twin.transfer(ann, bob, 5)

    def rest(self, ann: int, _bob: int, order: int) -> None:
        self.twin.place(order, ann, -1, MARK, 2)

    def fill(self, _ann: int, bob: int, order: int) -> None:
        self.twin.place(order, bob, 1, MARK, 2)

    def cancel(self, ann: int, _bob: int, order: int) -> None:
        self.twin.cancel(ann, order)


@frozen
class Figures:
    """Seconds per action of one engine at one size, and what it took to build."""

    size: int
    build: float
    bytes: int
    seconds: dict[str, float] = field(factory=dict)

    @property
    def rate(self) -> float:
        """Steps per second over all kinds of action."""
        return len(self.seconds) / sum(self.seconds.values())


Samples = dict[str, list[float]]


def round_of(engine: Reference | Plain, dice: random.Random, order: int, samples: Samples) -> None:
    """Time each action of a round by itself. Three orders are used up per step."""

    def timed(action: str, act: Callable[[int, int, int], None], *with_: int) -> None:
        since = perf_counter()
        act(*with_)
        samples[action].append(perf_counter() - since)

    for _ in range(STEPS):
        ann, bob = dice.sample(range(2, engine.size + 2), 2)
        timed("deposit", engine.deposit, ann, bob, 0)
        timed("transfer", engine.transfer, ann, bob, 0)
        timed("rest", engine.rest, ann, bob, order)
        timed("fill", engine.fill, ann, bob, order + 1)
        engine.rest(ann, bob, order + 2)
        timed("cancel", engine.cancel, ann, bob, order + 2)
        order += 3


def measured(kind: type[Reference] | type[Plain], sizes: tuple[int, ...]) -> list[Figures]:
    """One engine at all sizes, taking turns."""
    engines, built_in = [], []
    for size in sizes:
        gc.collect()
        held, since = memory(), perf_counter()
        engines.append(kind(size))
        took = perf_counter() - since
        gc.collect()
        built_in.append((took, memory() - held))
    gc.freeze()  # a million accounts are not walked again by the collector
    dice = random.Random(7)
    samples: list[Samples] = [{action: [] for action in ACTIONS} for _ in sizes]
    for number in range(ROUNDS + 1):
        for index, engine in enumerate(engines):
            warming: Samples = {action: [] for action in ACTIONS}
            kept = samples[index] if number > 0 else warming
            round_of(engine, dice, 1 + number * STEPS * 3, kept)
    gc.unfreeze()
    return [
        Figures(size, took, held, {a: median(samples[index][a]) for a in ACTIONS})
        for index, (size, (took, held)) in enumerate(zip(sizes, built_in, strict=True))
    ]


def require_same(size: int = 20, steps: int = 300) -> None:
    """Insist that the twin does what the reference does, or the comparison means nothing."""
    reference, plain, dice = Reference(size), Plain(size), random.Random(3)
    for number in range(steps):
        ann, bob = dice.sample(range(2, size + 2), 2)
        for engine in (reference, plain):
            engine.deposit(ann, bob, 0)
            engine.transfer(ann, bob, 0)
            engine.rest(ann, bob, 3 * number + 1)
            engine.fill(ann, bob, 3 * number + 2)
            engine.rest(ann, bob, 3 * number + 3)
            engine.cancel(ann, bob, 3 * number + 3)
    for number, twin in plain.twin.accounts.items():
        if number == VAULT:
            continue
        ours = reference.now.accounts[AccountId(number)]
        held = ours.positions.get(GOLD, Position(0, 0))
        assert (ours.collateral, held.size, held.cost) == (twin.collateral, twin.size, twin.cost)


def report() -> bool:
    """Print the figures; whether local actions are at most twice as dear at the largest size."""
    require_same()
    print("Local actions, microseconds each (medians; sizes take turns)")
    heading = f"{'':<10} {'accounts':>10} " + " ".join(f"{a:>9}" for a in ACTIONS)
    print(f"{heading} {'steps/s':>10} {'build s':>8} {'MB':>7}")
    reference = measured(Reference, SIZES)
    plain = measured(Plain, SIZES)
    for name, figures in (("reference", reference), ("twin", plain)):
        for one in figures:
            row = " ".join(f"{one.seconds[a] * 1e6:>9.1f}" for a in ACTIONS)
            print(
                f"{name:<10} {one.size:>10,} {row} {one.rate:>10,.0f} {one.build:>8.2f} "
                f"{one.bytes / 1e6:>7.0f}"
            )
    small, large = reference[0], reference[-1]
    dearer = {a: large.seconds[a] / small.seconds[a] for a in ACTIONS}
    print(ratios(f"reference, {large.size:,} against {small.size:,} accounts", dearer))
    for ours, theirs in zip(reference, plain, strict=True):
        slower = {a: ours.seconds[a] / theirs.seconds[a] for a in ACTIONS}
        print(ratios(f"reference against twin, {ours.size:,} accounts", slower))
    worst = max(dearer, key=lambda action: dearer[action])
    together = small.rate / large.rate
    print(
        f"At {large.size:,} accounts local actions together are {together:.2f} times as dear as at "
        f"{small.size:,}; the worst of them, {worst}, {dearer[worst]:.2f} times. 2 are allowed."
    )
    return together <= 2


def ratios(name: str, each: dict[str, float]) -> str:
    return f"{name}: " + ", ".join(f"{action} {ratio:.2f}x" for action, ratio in each.items())
