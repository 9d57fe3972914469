"""VLT: volunteers take over what they pledged, at their edge or better, before winners pay."""

from __future__ import annotations

import pytest
from attrs import evolve

from perpref import machine, scheduler
from perpref.outcome import Filled
from perpref.rules import ledger, liquidation, mark, vault, volunteers
from perpref.rules.margin import equity
from perpref.rules.volunteers import assign, assigned_price, volunteer
from perpref.state import NO_PLEDGE, VAULT, Account, Exchange, Pledge, Stage
from perpref.table import Table
from perpref.units import MAX_LOTS, PARTS, AccountId, MarketId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    GOLD,
    OIL,
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

WATERFALL = (Stage.BOOK, Stage.VAULT, Stage.VOLUNTEERS, Stage.DELEVERAGE, Stage.RESIDUAL)


def hunted(
    cash: int = 40,
    *,
    size: int = 10,
    taker: Account | None = None,
    pledge: Pledge = Pledge(10),  # noqa: B008
    edge: int = PARTS,
) -> Exchange:
    """Ann is due, with 10 lots at 100 and 4 a lot behind them; Bob has volunteered."""
    terms = evolve(rules(waterfall=WATERFALL), volunteer_edge=edge)
    accounts = {ANN: holds(cash, (size, 100 * size)), BOB: taker or holds(500)}
    gold = evolve(market(100), pledges=Table([(BOB, pledge)]))
    return exchange(accounts, gold, rulebook=terms)


def pledged(exchange: Exchange, account: AccountId = BOB) -> Pledge:
    return exchange.markets[GOLD].pledges.get(account, NO_PLEDGE)


@pytest.mark.parametrize(("size", "price"), [(10, 96), (-10, 104)])
@pytest.mark.parametrize("lots", [1, 9, 10])
def test_it_takes_lots_at_the_bankruptcy_price(size: int, price: int, lots: int) -> None:
    outcome = assign(hunted(size=size), ANN, BOB, GOLD, lots)
    buyer, seller = (BOB, ANN) if size > 0 else (ANN, BOB)
    assert outcome.events == (Filled(buyer, seller, GOLD, lots, price, "VLT-10"),)
    assert equity(outcome.exchange, BOB) == 500 + 4 * lots
    assert pledged(outcome.exchange).lots == 10 - lots
    assert (BOB in outcome.exchange.markets[GOLD].pledges) is (lots < 10)
    require_lawful(outcome.exchange)


@pytest.mark.parametrize(
    ("mark", "size", "bankruptcy", "most", "price"),
    [
        (100, 1, 96, PARTS, 96),
        (100, -1, 104, PARTS, 104),
        (100, 1, 96, 30_000, 97),
        (100, -1, 104, 30_000, 103),
        (100, 1, 96, 0, 100),
        (100, 1, 100, PARTS, 100),
        (101, 1, 90, 49_999, 96),
        (1, 1, 1, PARTS, 1),
    ],
)
def test_the_price_is_no_further_than_the_venues_edge(
    mark: int, size: int, bankruptcy: int, most: int, price: int
) -> None:
    assert assigned_price(mark, size, bankruptcy, most) == price


def test_what_is_beyond_the_venues_edge_stays_with_the_account() -> None:
    after = assign(hunted(edge=30_000), ANN, BOB, GOLD, 10).exchange
    assert (collateral(after, ANN), equity(after, BOB)) == (10, 530)


def test_a_volunteer_gets_its_edge_or_nothing() -> None:
    assert position(assign(hunted(pledge=Pledge(10, 40_000)), ANN, BOB, GOLD, 10).exchange, BOB)[0]
    with refuses(volunteers.EDGE_TOO_SMALL, 4, 5):
        assign(hunted(pledge=Pledge(10, 50_000)), ANN, BOB, GOLD, 10)
    assert position(assign(hunted(0), ANN, BOB, GOLD, 10).exchange, BOB)[0] == 10
    with refuses(volunteers.EDGE_TOO_SMALL, -1, 0):
        assign(hunted(-10), ANN, BOB, GOLD, 10)


def test_only_what_was_pledged_of_somebody_elses_that_is_due() -> None:
    for lots in (0, 4):
        with refuses(vault.MORE_THAN_THERE_IS, lots, 3):
            assign(hunted(pledge=Pledge(3)), ANN, BOB, GOLD, lots)
    with refuses(vault.MORE_THAN_THERE_IS, 11, 10):
        assign(hunted(pledge=Pledge(20)), ANN, BOB, GOLD, 11)
    with refuses(vault.MORE_THAN_THERE_IS, 1, 0):
        assign(hunted(), ANN, VAULT, GOLD, 1)
    with refuses(volunteers.OWN_LIQUIDATION, ANN):
        assign(hunted(), ANN, ANN, GOLD, 1)
    with refuses(liquidation.NOT_DUE, 50, 50):
        assign(hunted(50), ANN, BOB, GOLD, 1)
    with refuses(liquidation.NO_POSITION, OIL):
        assign(hunted(), ANN, BOB, OIL, 1)


def test_a_volunteer_needs_initial_margin() -> None:
    assert position(assign(hunted(taker=holds(60)), ANN, BOB, GOLD, 10).exchange, BOB)[0] == 10
    with refuses(volunteers.VOLUNTEER_CANNOT_BEAR, 99, 100):
        assign(hunted(taker=holds(59)), ANN, BOB, GOLD, 10)
    reducing = holds(40, (-12, -1_200))
    with refuses(volunteers.VOLUNTEER_CANNOT_BEAR, 44, 110):
        assign(hunted(taker=reducing), ANN, BOB, GOLD, 1)


@pytest.mark.parametrize(
    ("taker", "pledge", "lots"),
    [
        (holds(500), Pledge(10), 10),
        (holds(500), Pledge(99), 10),
        (holds(500), Pledge(3), 3),
        (holds(59), Pledge(10), 9),
        (holds(6), Pledge(10), 1),
        (holds(5), Pledge(10), 0),
        (holds(500), Pledge(10, 50_000), 0),
    ],
)
def test_the_largest_assignment(taker: Account, pledge: Pledge, lots: int) -> None:
    before = hunted(taker=taker, pledge=pledge)
    assert scheduler.largest_assignment(before, ANN, BOB, GOLD) == lots


def test_a_pledge_takes_the_place_of_an_earlier_one_and_none_ends_it() -> None:
    before = exchange({ANN: holds(5)})
    made = volunteer(before, ANN, GOLD, MAX_LOTS, PARTS)
    assert made.events == ()
    assert pledged(made.exchange, ANN) == Pledge(MAX_LOTS, PARTS)
    later = volunteer(made.exchange, ANN, GOLD, 2, 0).exchange
    assert pledged(later, ANN) == Pledge(2)
    assert volunteer(later, ANN, GOLD, 0, 7).exchange == before


def test_what_a_pledge_may_be() -> None:
    before = exchange({ANN: holds(5)})
    for lots in (-1, MAX_LOTS + 1):
        with refuses(volunteers.PLEDGE_OUT_OF_BOUNDS, lots, MAX_LOTS):
            volunteer(before, ANN, GOLD, lots, 0)
    for edge in (-1, PARTS + 1):
        with refuses(volunteers.PLEDGE_OUT_OF_BOUNDS, edge, PARTS):
            volunteer(before, ANN, GOLD, 1, edge)
    with refuses(ledger.UNKNOWN_ACCOUNT, BOB):
        volunteer(before, BOB, GOLD, 1, 0)
    with refuses(mark.UNKNOWN_MARKET, MarketId(3)):
        volunteer(before, ANN, MarketId(3), 1, 0)
    ended = before.markets.put(GOLD, evolve(before.markets[GOLD], settling=True))
    with refuses(mark.SETTLING, GOLD):
        volunteer(evolve(before, markets=ended), ANN, GOLD, 1, 0)


def test_volunteers_come_after_the_vault_and_before_winners_in_account_order() -> None:
    """The vault may hold 2 of the 10, Bob pledged 3 and Cy 4; one lot is left for the winners."""
    pledges = Table([(CY, Pledge(4)), (BOB, Pledge(3))])
    gold = evolve(market(100, cap=2), pledges=pledges)
    terms = evolve(rules(waterfall=WATERFALL), volunteer_edge=PARTS)
    accounts = {VAULT: holds(500), ANN: holds(100, (10, 1_000)), BOB: holds(500), CY: holds(500)}
    before = exchange(accounts, gold, rulebook=terms)
    fills = [
        (fill.buyer, fill.lots, fill.rule)
        for fill in done(before, machine.SetMark(GOLD, 92)).events
        if isinstance(fill, Filled)
    ]
    assert fills[:3] == [(VAULT, 2, "VLT-1"), (BOB, 3, "VLT-10"), (CY, 4, "VLT-10")]
    assert [(lots, rule) for _, lots, rule in fills[3:]] == [(1, "ADL-3")]


def test_without_the_stage_nobody_is_assigned_anything() -> None:
    gold = evolve(market(100, cap=0), pledges=Table([(BOB, Pledge(10))]))
    before = exchange({ANN: holds(100, (10, 1_000)), BOB: holds(500)}, gold)
    after = done(before, machine.SetMark(GOLD, 92)).exchange
    assert position(after, BOB) == (0, 0)


def test_a_volunteer_that_is_liquidated_is_not_assigned_its_own() -> None:
    terms = evolve(rules(waterfall=WATERFALL), volunteer_edge=PARTS)
    gold = evolve(market(100, cap=0), pledges=Table([(ANN, Pledge(10)), (BOB, Pledge(4))]))
    before = exchange({ANN: holds(100, (10, 1_000)), BOB: holds(500)}, gold, rulebook=terms)
    after = done(before, machine.SetMark(GOLD, 92)).exchange
    assert position(after, BOB)[0] == 4
