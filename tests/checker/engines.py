"""Terms, connections and faults that the tests of the checker share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perpref.checker.engine import InProcess
from perpref.checker.pipe import Pipe
from perpref.checker.reference_engine import Fault, Manners, ReferenceEngine
from perpref.checker.wire import Choice, Comparison, MarketTerms, Terms
from perpref.machine import Deposit, Place, SetMark
from perpref.scheduler import BY_RULEBOOK, Choices
from perpref.state import Kind, Rulebook, Side, Stage
from perpref.units import AccountId, MarketId, OrderId

RULES = Rulebook(
    name="plain",
    maker_fee=200,
    taker_fee=500,
    liquidation_fee=10_000,
    funding_cap=7_500,
    vault_boundary=0,
    waterfall=(Stage.BOOK, Stage.VAULT, Stage.DELEVERAGE, Stage.RESIDUAL),
)
GOLD = MarketId(1)
ANN, BOB = AccountId(2), AccountId(3)
TERMS = Terms(RULES, {GOLD: MarketTerms(100_000, 50_000, 100, 1_000)})

REFERENCE = [sys.executable, "-m", "perpref.checker.reference_engine"]


def misbehaving(manner: str, after: int = 0, timeout: float = 5.0) -> Pipe:
    """The reference behind a pipe, with bad manners after so many replies."""
    script = Path(__file__).with_name("misbehave.py")
    return Pipe([sys.executable, str(script), manner, str(after)], timeout)


def faulty(original: Callable[..., Any], instead: Callable[..., Any]) -> InProcess:
    """The reference in process, with one function exchanged."""
    fault = Fault(original, instead)
    return InProcess(lambda: ReferenceEngine(Manners(fault)))


def mannered(
    compare: Comparison | None = None,
    chooses: tuple[Choice, ...] = (),
    choices: Choices = BY_RULEBOOK,
    commands: tuple[str, ...] | None = None,
) -> InProcess:
    """The reference in process, compared otherwise or choosing for itself."""
    manners = Manners(None, compare or Comparison(), chooses=chooses, choices=choices)
    if commands is not None:
        manners = Manners(None, compare or Comparison(), commands, chooses, choices)
    return InProcess(lambda: ReferenceEngine(manners))


def sell(order: int, account: AccountId, lots: int, price: int) -> Place:
    return Place(OrderId(order), account, GOLD, Side.SELL, Kind.LIMIT, lots, price)


def buy(order: int, account: AccountId, lots: int, price: int) -> Place:
    return Place(OrderId(order), account, GOLD, Side.BUY, Kind.LIMIT, lots, price)


TRADE = (Deposit(ANN, 5_000), Deposit(BOB, 5_000), sell(1, ANN, 5, 1_000), buy(2, BOB, 5, 1_000))
"""Ann sells five lots of gold to Bob at 1,000."""

CRASH = (*TRADE, SetMark(GOLD, 10))
"""And the mark falls so far that Bob is liquidated."""
