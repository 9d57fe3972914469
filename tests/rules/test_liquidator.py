"""VLT: somebody from outside takes over what is due, at the mark less a fee."""

from __future__ import annotations

import pytest
from attrs import evolve

from perpref import machine
from perpref.outcome import Filled, Refused
from perpref.rules import liquidation, liquidator, vault
from perpref.rules.liquidator import covers_no_worse, take_position
from perpref.rules.margin import Health, equity, health
from perpref.state import FLAT, VAULT, Account, Exchange, Kind, LiquidationSize, Side, Stage
from perpref.units import PARTS, OrderId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    GOLD,
    OIL,
    buys,
    collateral,
    done,
    exchange,
    holds,
    market,
    position,
    refuses,
    require_lawful,
    rules,
)


def hunted(
    cash: int = 40, *, size: int = 10, taker: Account | None = None, fee: int = 10_000
) -> Exchange:
    """Ann is due, with 10 lots at 100; Bob would take them, and gets 1 a lot."""
    terms = evolve(rules(), liquidators=True, liquidator_fee=fee)
    accounts = {ANN: holds(cash, (size, 100 * size)), BOB: taker or holds(500)}
    return exchange(accounts, rulebook=terms)


@pytest.mark.parametrize(("size", "price"), [(10, 99), (-10, 101)])
@pytest.mark.parametrize("lots", [1, 4, 10])
def test_it_takes_lots_at_the_mark_less_a_fee(size: int, price: int, lots: int) -> None:
    outcome = take_position(hunted(size=size), BOB, ANN, GOLD, lots)
    buyer, seller = (BOB, ANN) if size > 0 else (ANN, BOB)
    assert outcome.events == (Filled(buyer, seller, GOLD, lots, price, "VLT-9"),)
    assert equity(outcome.exchange, BOB) == 500 + lots
    assert equity(outcome.exchange, ANN) == 40 - lots
    require_lawful(outcome.exchange)


def test_only_where_the_rulebook_says_so() -> None:
    before = hunted()
    with refuses(liquidator.NO_LIQUIDATORS, None):
        take_position(
            evolve(before, rulebook=evolve(before.rulebook, liquidators=False)), BOB, ANN, GOLD, 1
        )


def test_only_somebody_elses_position_that_is_due() -> None:
    with refuses(liquidator.OWN_POSITION, ANN):
        take_position(hunted(), ANN, ANN, GOLD, 1)
    with refuses(liquidation.NOT_DUE, 50, 50):
        take_position(hunted(50), BOB, ANN, GOLD, 1)
    with refuses(liquidation.NO_POSITION, OIL):
        take_position(hunted(), BOB, ANN, OIL, 1)
    for lots in (0, 11):
        with refuses(vault.MORE_THAN_THERE_IS, lots, 10):
            take_position(hunted(), BOB, ANN, GOLD, lots)


def test_the_account_is_left_no_less_safe() -> None:
    """40 for 50 are four fifths; a lot less needs 5 less, so that it may cost 4 and not 5."""
    assert equity(take_position(hunted(fee=40_000), BOB, ANN, GOLD, 5).exchange, ANN) == 20
    with refuses(liquidator.NOT_SAFER, 15, 25):
        take_position(hunted(fee=50_000), BOB, ANN, GOLD, 5)
    with refuses(liquidator.NOT_SAFER, -1, 45):
        take_position(hunted(-1, fee=0), BOB, ANN, GOLD, 1)
    assert equity(take_position(hunted(0, fee=0), BOB, ANN, GOLD, 1).exchange, ANN) == 0


@pytest.mark.parametrize(("buffer", "needed"), [(0, 2), (10_000, 4), (PARTS, 10)])
def test_no_more_is_taken_than_makes_the_account_safe(buffer: int, needed: int) -> None:
    """40 are 5 a lot for 8 lots, and 6 a lot for 6; with all of it nothing would do but all."""
    terms = evolve(rules(), liquidators=True, liquidation_buffer=buffer)
    to_buffer = evolve(terms, liquidation_size=LiquidationSize.TO_BUFFER)
    before = evolve(hunted(), rulebook=to_buffer)
    taken = take_position(before, BOB, ANN, GOLD, needed).exchange
    assert taken.accounts[ANN].positions.get(GOLD, FLAT).size == 10 - needed
    if needed < 10:
        with refuses(liquidator.MORE_THAN_NEEDED, needed + 1):
            take_position(before, BOB, ANN, GOLD, needed + 1)
    take_position(evolve(before, rulebook=terms), BOB, ANN, GOLD, 10)


@pytest.mark.parametrize(
    ("before", "after", "covers"),
    [
        ((4, 5), (4, 5), True),
        ((4, 5), (3, 4), False),
        ((4, 5), (0, 0), True),
        ((0, 5), (0, 4), True),
        ((-4, 5), (-3, 4), False),
        ((-4, 5), (0, 4), True),
    ],
)
def test_what_covers_no_worse(
    before: tuple[int, int], after: tuple[int, int], covers: bool
) -> None:
    was, now = (Health(worth, needs, 0) for worth, needs in (before, after))
    assert covers_no_worse(was, now) is covers


def test_the_liquidator_bears_it_like_a_fill() -> None:
    assert position(take_position(hunted(taker=holds(90)), BOB, ANN, GOLD, 10).exchange, BOB)[0]
    with refuses(liquidator.LIQUIDATOR_CANNOT_BEAR, 99, 100):
        take_position(hunted(taker=holds(89)), BOB, ANN, GOLD, 10)
    thin = holds(30, (-10, -1_000))
    assert position(take_position(hunted(taker=thin), BOB, ANN, GOLD, 5).exchange, BOB)[0] == -5


def test_who_is_due_waits_for_a_liquidator_as_long_as_he_is_solvent() -> None:
    terms = evolve(rules(waterfall=(Stage.RESIDUAL,)), liquidators=True)
    accounts = {ANN: holds(100, (10, 1_000)), BOB: holds(500)}
    before = exchange(accounts, rulebook=terms)
    due = machine.apply(before, machine.SetMark(GOLD, 92))
    assert not isinstance(due, Refused)
    now = health(due.exchange, ANN)
    assert 0 <= now.equity < now.maintenance
    taken = done(due.exchange, machine.Liquidate(BOB, ANN, GOLD, 10)).exchange
    assert position(taken, ANN) == (0, 0)
    broke = done(due.exchange, machine.SetMark(GOLD, 89)).exchange
    assert position(broke, ANN) == (0, 0)
    assert equity(broke, ANN) == 0


def test_a_vault_that_waits_too_says_how_long_a_liquidator_has() -> None:
    terms = evolve(rules(), liquidators=True, vault_trigger=500_000)
    accounts = {VAULT: holds(5_000), ANN: holds(100, (10, 1_000))}
    before = exchange(accounts, rulebook=terms)
    waits = machine.apply(before, machine.SetMark(GOLD, 93))
    assert not isinstance(waits, Refused)
    assert position(waits.exchange, ANN)[0] == 10
    assert position(done(before, machine.SetMark(GOLD, 92)).exchange, VAULT)[0] == 10


def test_the_book_comes_before_a_liquidator() -> None:
    terms = evolve(rules(), liquidators=True)
    gold = market(100, buys(1, BOB, 4, 95))
    accounts = {ANN: holds(100, (10, 1_000)), BOB: holds(500), CY: holds(500)}
    before = exchange(accounts, gold, rulebook=terms, last_order=1)
    due = machine.apply(before, machine.SetMark(GOLD, 94))
    assert not isinstance(due, Refused)
    assert position(due.exchange, BOB)[0] == 4


def test_who_waits_may_still_place_orders_that_reduce() -> None:
    terms = evolve(rules(waterfall=(Stage.RESIDUAL,)), liquidators=True)
    gold = market(100, buys(1, BOB, 10, 91))
    accounts = {ANN: holds(100, (10, 1_000)), BOB: holds(500)}
    before = exchange(accounts, gold, rulebook=terms, last_order=1)
    due = machine.apply(before, machine.SetMark(GOLD, 92))
    assert not isinstance(due, Refused)
    sold = machine.Place(OrderId(2), ANN, GOLD, Side.SELL, Kind.IOC, 10, 91)
    assert collateral(done(due.exchange, sold).exchange, ANN) == 10
