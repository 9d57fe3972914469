"""Liquidations that take time: what a visit leaves for later, and that it ends."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from perpref.machine import AdvanceClock, Command, Deposit, SetMark
from perpref.outcome import Event, Filled
from perpref.rules import liquidation, liquidation_time
from perpref.rules.margin import equity
from perpref.scheduler import (
    Run,
    liquidate_all_due,
    lots_at_this_time,
    positions_in_turn,
    visited,
)
from perpref.state import (
    NEVER,
    TREASURY,
    VAULT,
    BankruptcyPrice,
    Exchange,
    FeeBound,
    LiquidationLimit,
    LiquidationOrder,
    LiquidationPosition,
    LiquidationSize,
    Order,
    Rulebook,
    Tier,
)
from perpref.units import PARTS, OrderId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    DAN,
    GOLD,
    OIL,
    buys,
    done,
    exchange,
    holds,
    market,
    position,
    require_lawful,
    rules,
    sells,
)


def book(**choices: Any) -> Rulebook:
    return evolve(rules(), **choices)


AUCTION = book(liquidation_limit=LiquidationLimit.AUCTION, auction_steps=4, auction_period=10)


def ann(cash: int, mark: int, rulebook: Rulebook, *orders: Order, vault: int = 10**6) -> Exchange:
    """Ann is long by ten lots that cost 1,000; the vault could take all of them."""
    held = {VAULT: holds(vault), ANN: holds(cash, (10, 1_000)), BOB: holds(10**6)}
    return exchange(held, market(mark, *orders), rulebook=rulebook)


def fills(events: tuple[Event, ...]) -> list[tuple[int, int, str]]:
    return [(e.lots, e.price, e.rule) for e in events if isinstance(e, Filled)]


def after(before: Exchange, *commands: Command) -> list[list[tuple[int, int, str]]]:
    """What each command closes, the law checked after each."""
    closed = []
    for command in commands:
        outcome = done(before, command)
        before = outcome.exchange
        closed.append(fills(outcome.events))
    return closed


def test_an_auction_waits_for_its_price_and_then_takes_it() -> None:
    """At 94 with 40 behind ten lots: 94, 93, 92, 91, and 90 at the end."""
    before = ann(100, 100, AUCTION, buys(1, BOB, 4, 94), buys(2, BOB, 50, 92))
    closed = after(before, SetMark(GOLD, 94), AdvanceClock(10), AdvanceClock(19), AdvanceClock(20))
    # after four lots at the mark 40 stand against 29: no longer due, and no auction
    assert closed == [[(4, 94, "LIQ-6")], [], [], []]
    before = ann(100, 100, AUCTION, buys(2, BOB, 50, 92))
    closed = after(before, SetMark(GOLD, 94), AdvanceClock(10), AdvanceClock(19), AdvanceClock(20))
    assert closed == [[], [], [], [(10, 92, "LIQ-6")]]


def test_an_auction_that_nobody_answers_ends_at_the_bankruptcy_price() -> None:
    closed = after(ann(100, 100, AUCTION), SetMark(GOLD, 94), AdvanceClock(39), AdvanceClock(40))
    assert closed == [[], [], [(10, 90, "VLT-1")]]


def test_who_becomes_insolvent_in_an_auction_goes_down_at_once() -> None:
    before = ann(100, 100, AUCTION, buys(1, BOB, 3, 91))
    closed = after(before, SetMark(GOLD, 94), SetMark(GOLD, 89))
    assert closed == [[], [(3, 91, "LIQ-6"), (7, 90, "VLT-1")]]


def test_an_auction_that_is_over_is_forgotten() -> None:
    before = done(ann(100, 100, AUCTION), AdvanceClock(5)).exchange
    before = done(before, SetMark(GOLD, 94)).exchange
    assert before.accounts[ANN].offered_since == 5
    rescued = done(before, Deposit(ANN, 100)).exchange
    assert rescued.accounts[ANN].offered_since == 5, "nobody has looked yet"
    rescued = done(rescued, AdvanceClock(6)).exchange
    assert rescued.accounts[ANN].offered_since == NEVER
    again = done(rescued, SetMark(GOLD, 84)).exchange
    assert again.accounts[ANN].offered_since == 6
    assert done(again, AdvanceClock(45)).events == ()


def test_a_vault_that_waits_ends_the_waiting() -> None:
    """At 93 Ann has 30 of 47, which is less than two thirds: the book, then the vault."""
    waits = evolve(AUCTION, vault_trigger=666_667)
    before = ann(100, 100, waits, buys(1, BOB, 1, 91))
    closed = after(before, SetMark(GOLD, 94), SetMark(GOLD, 93))
    assert closed == [[], [(1, 91, "LIQ-6"), (9, 90, "VLT-1")]]


COOLING = book(liquidation_share=200_000, liquidation_cooldown=30)


def test_a_part_is_closed_and_the_rest_waits_for_the_clock() -> None:
    """At 92 with 20 behind: bids at 90 keep her due. Two lots, nothing more now, then all."""
    before = ann(100, 100, COOLING, buys(1, BOB, 50, 90))
    closed = after(before, SetMark(GOLD, 92), SetMark(OIL, 99), AdvanceClock(1))
    assert closed == [[(2, 90, "LIQ-6")], [], [(8, 90, "LIQ-6")]]


def test_after_the_cooldown_a_part_is_closed_again() -> None:
    before = ann(100, 100, COOLING, buys(1, BOB, 50, 94))
    parted = done(before, SetMark(GOLD, 94)).exchange  # 40 against 38
    assert position(parted, ANN) == (8, 800)
    assert parted.accounts[ANN].parted_at == 0
    soon = after(parted, AdvanceClock(29), SetMark(GOLD, 93))  # 32 against 38
    late = after(parted, AdvanceClock(30), SetMark(GOLD, 93))
    assert soon == [[], [(8, 94, "LIQ-6")]]
    assert late == [[], [(2, 94, "LIQ-6")]]


def test_a_part_that_the_book_does_not_take_is_no_reason_to_wait() -> None:
    before = ann(100, 100, COOLING, buys(1, BOB, 1, 90))
    assert after(before, SetMark(GOLD, 92)) == [[(1, 90, "LIQ-6"), (9, 90, "VLT-1")]]


def test_the_insolvent_do_not_wait_for_a_cooldown() -> None:
    before = ann(100, 100, COOLING, buys(1, BOB, 50, 90))
    closed = after(before, SetMark(GOLD, 92), SetMark(GOLD, 80))
    assert closed == [[(2, 90, "LIQ-6")], [(2, 90, "LIQ-6"), (6, 90, "LIQ-6")]]
    straight = after(ann(100, 100, COOLING, buys(1, BOB, 50, 91)), SetMark(GOLD, 89))
    assert straight == [[(2, 91, "LIQ-6"), (8, 91, "LIQ-6")]], "one after the other, at once"


def test_a_small_position_is_closed_at_once_and_is_no_part() -> None:
    small = evolve(COOLING, liquidation_whole=1_000)
    before = ann(100, 100, small, buys(1, BOB, 50, 90))
    outcome = done(before, SetMark(GOLD, 92))
    assert fills(outcome.events) == [(10, 90, "LIQ-6")]
    assert outcome.exchange.accounts[ANN].parted_at == NEVER


def test_caps_of_a_position_by_the_clock() -> None:
    """A tenth of the position at a time, rounded up: one lot of ten, and of nine, ..."""
    before = ann(100, 100, book(block_portion=100_000), buys(1, BOB, 50, 90))
    closed = after(before, SetMark(GOLD, 92), SetMark(GOLD, 92), AdvanceClock(1), AdvanceClock(2))
    assert closed == [[(1, 90, "LIQ-6")], [], [(1, 90, "LIQ-6")], [(1, 90, "LIQ-6")]]
    least = ann(100, 100, book(block_portion=100_000, block_least=300), buys(1, BOB, 50, 90))
    assert after(least, SetMark(GOLD, 92)) == [[(3, 90, "LIQ-6")]]


def two(rulebook: Rulebook, *oil: Order) -> Exchange:
    """Ann holds ten lots of both markets, at 92 and 100, with 50 behind: 46 and 50 are needed."""
    held = {ANN: holds(130, (10, 1_000), (10, 1_000)), BOB: holds(10**6)}
    return exchange(held, market(92, buys(1, BOB, 50, 90)), market(100, *oil), rulebook=rulebook)


@pytest.mark.parametrize(
    ("budget", "closed"),
    [
        (1, [(1, OIL)]),  # a lot in any case
        (491, [(4, OIL)]),
        (492, [(4, OIL), (1, GOLD)]),
        (500, [(5, OIL)]),
        (591, [(5, OIL)]),
        (592, [(5, OIL), (1, GOLD)]),
        (10**6, [(5, OIL), (5, GOLD)]),
    ],
)
def test_caps_of_an_account_by_the_clock(budget: int, closed: list[tuple[int, int]]) -> None:
    """Half of each position, oil first, and together no more than a notional."""
    before = two(book(block_portion=500_000, block_notional=budget), buys(2, BOB, 50, 98))
    run = Run(before)
    liquidate_all_due(run)
    fills = [(e.lots, e.market) for e in run.events if isinstance(e, Filled)]
    assert fills == closed
    assert {e.rule for e in run.events if isinstance(e, Filled)} == {"LIQ-6"}


def test_the_book_is_asked_even_when_a_budget_is_spent_on_too_few() -> None:
    """Oil finds a buyer of one lot alone; then one lot of gold is offered, and there is a buyer."""
    before = two(book(block_notional=120), buys(2, BOB, 1, 98))
    assert lots_at_this_time(before, ANN, OIL, 0) == 1
    assert lots_at_this_time(before, ANN, GOLD, 100) == 1
    noted = liquidation_time.note_part(before, ANN).exchange
    assert lots_at_this_time(noted, ANN, GOLD, 100) == 0
    assert lots_at_this_time(noted, ANN, GOLD, 0) == 1
    assert lots_at_this_time(noted, ANN, GOLD, 10**6) == 0


def test_who_may_not_wait_has_no_caps() -> None:
    insolvent = ann(79, 92, book(block_portion=100_000, liquidation_cooldown=5))
    assert lots_at_this_time(insolvent, ANN, GOLD, 0) is None
    solvent = ann(80, 92, book(block_portion=100_000, liquidation_cooldown=5))
    assert lots_at_this_time(solvent, ANN, GOLD, 0) == 1
    assert lots_at_this_time(ann(80, 92, rules()), ANN, GOLD, 0) is None


def test_a_step_by_tier_is_capped_as_well() -> None:
    stepwise = book(liquidation_size=LiquidationSize.TIER_STEP, block_portion=300_000)
    before = ann(100, 100, stepwise, buys(1, BOB, 50, 90))
    before = evolve(
        before,
        markets=before.markets.put(
            GOLD, evolve(before.markets[GOLD], tiers=(Tier(740, 60_000, 60_000),))
        ),
    )
    closed = after(before, SetMark(GOLD, 92))
    assert closed == [[(2, 90, "LIQ-6"), (1, 90, "LIQ-6")]]


def test_with_caps_no_equal_share_comes_first() -> None:
    shares = book(
        liquidation_size=LiquidationSize.EQUAL_SHARE,
        liquidation_step=500_000,
        block_portion=100_000,
    )
    run = Run(two(shares, buys(2, BOB, 50, 98)))
    liquidate_all_due(run)
    lots = [(e.lots, e.market) for e in run.events if isinstance(e, Filled)]
    assert lots == [(1, OIL), (1, GOLD)]


def test_while_an_auction_waits_the_vault_takes_no_share() -> None:
    shares = evolve(AUCTION, liquidation_size=LiquidationSize.EQUAL_SHARE, liquidation_step=500_000)
    before = ann(100, 100, shares)
    assert after(before, SetMark(GOLD, 94)) == [[]]


# Whose turn it is.


WORST = book(liquidation_order=LiquidationOrder.WORST_FIRST)


def test_the_worst_covered_account_is_visited_first() -> None:
    """At 100: Ann has 40 of 50, Bob 12 of 25, Cy 40 of 50, Dan less than nothing."""
    held = {
        VAULT: holds(-9),
        ANN: holds(40, (10, 1_000)),
        BOB: holds(12, (5, 500)),
        CY: holds(40, (-10, -1_000)),
        DAN: holds(-1),
    }
    before = exchange(held, rulebook=WORST)
    assert visited(before)[:5] == [DAN, TREASURY, BOB, ANN, CY]
    assert visited(before)[-1] == VAULT
    by_number = visited(evolve(before, rulebook=rules()))
    assert by_number == [*sorted(account for account in before.accounts if account != VAULT), VAULT]


def test_the_first_gets_what_is_bid() -> None:
    held = {ANN: holds(40, (10, 1_000)), BOB: holds(20, (8, 800)), CY: holds(10**6)}
    before = exchange(held, market(100, buys(1, CY, 8, 100)), rulebook=WORST)
    run = Run(before)
    liquidate_all_due(run)
    assert fills(tuple(run.events))[0] == (8, 100, "LIQ-6")
    assert position(run.exchange, BOB) == (0, 0)


def test_a_seed_says_who_is_visited_first_and_the_vault_stays_last() -> None:
    """Besides the vault there are the treasury, three accounts and who holds the other side."""
    held = {VAULT: holds(-9), ANN: holds(40, (10, 1_000)), BOB: holds(12), CY: holds(-1)}
    seeded = book(liquidation_order=LiquidationOrder.SEEDED)
    before = exchange(held, rulebook=seeded)
    by_number = visited(evolve(before, rulebook=rules()))[:-1]
    count = len(by_number)
    for seed in range(count + 1):
        turn = visited(evolve(before, rulebook=evolve(seeded, liquidation_seed=seed)))
        first = seed % count
        assert turn == [*by_number[first:], *by_number[:first], VAULT]
    one_order_later = visited(evolve(before, last_order=OrderId(1)))
    assert one_order_later[0] == by_number[1_000_003 % count]


def test_a_seed_says_which_position_is_closed_first() -> None:
    """Oil needs more margin; the first market is first at an even number, and at an odd one oil."""
    held = {ANN: holds(1, (2, 200), (-3, -300)), BOB: holds(5)}
    seeded = book(liquidation_position=LiquidationPosition.SEEDED)
    turns = [
        positions_in_turn(exchange(held, rulebook=evolve(seeded, liquidation_seed=seed)), ANN)
        for seed in range(3)
    ]
    assert turns == [(GOLD, OIL), (OIL, GOLD), (GOLD, OIL)]
    later = exchange(held, rulebook=seeded, last_order=1)
    assert positions_in_turn(later, ANN) == (OIL, GOLD)
    assert positions_in_turn(later, BOB) == ()
    assert positions_in_turn(exchange(held), ANN) == (OIL, GOLD)


# From anywhere.

TIMING: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    vault_trigger=st.sampled_from([1, 300_000, 666_667, PARTS]),
    bankruptcy_price=st.sampled_from(BankruptcyPrice),
    liquidation_fee=st.sampled_from([0, 20_000]),
    liquidation_fee_bound=st.sampled_from(FeeBound),
    liquidation_surplus=st.sampled_from([0, 500_000, 1_000_000]),
    liquidation_limit=st.sampled_from(LiquidationLimit),
    liquidation_adjustment=st.sampled_from([1, PARTS]),
    liquidation_spread=st.sampled_from([1, PARTS]),
    auction_steps=st.sampled_from([1, 3]),
    auction_period=st.sampled_from([1, 2]),
    liquidation_share=st.sampled_from([200_000, PARTS]),
    liquidation_whole=st.sampled_from([0, 300]),
    liquidation_cooldown=st.sampled_from([0, 1, 3]),
    block_portion=st.sampled_from([1, 300_000, PARTS]),
    block_least=st.sampled_from([0, 250]),
    block_notional=st.sampled_from([0, 1, 450]),
    liquidation_size=st.sampled_from(LiquidationSize),
    liquidation_order=st.sampled_from(LiquidationOrder),
    liquidation_position=st.sampled_from(LiquidationPosition),
    liquidation_seed=st.sampled_from([0, 1, 7]),
    liquidation_step=st.sampled_from([200_000, PARTS]),
    liquidation_buffer=st.sampled_from([0, 20_000]),
)


@given(
    cash=st.lists(st.integers(-150, 300), min_size=4, max_size=4),
    gold=st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    oil=st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    vault=st.integers(0, 150),
    bids=st.lists(st.tuples(st.integers(1, 4), st.integers(80, 110)), max_size=3),
    marks=st.lists(st.integers(70, 130), min_size=1, max_size=3),
    timing=TIMING,
)
def test_who_waits_is_solvent_and_does_not_wait_for_ever(
    cash: list[int],
    gold: list[int],
    oil: list[int],
    vault: int,
    bids: list[tuple[int, int]],
    marks: list[int],
    timing: dict[str, Any],
) -> None:
    """After every visit; and when the clock goes on long enough, nobody is due."""
    sizes = zip([*gold, -sum(gold)], [*oil, -sum(oil)], strict=True)
    held = {VAULT: holds(vault)}
    for who, money, (g, o) in zip([ANN, BOB, CY, DAN], cash, sizes, strict=True):
        held[who] = holds(money, (g, g * 100), (o, o * 100))
    orders = [buys(n, BOB, lots, price) for n, (lots, price) in enumerate(bids, 1)]
    before = exchange(held, market(100, *orders, sells(9, CY, 5, 111)), rulebook=book(**timing))
    assume(before.custody >= 0)
    now = before
    ticks: list[Command] = [AdvanceClock(time) for time in range(1, 80)]
    run = Run(now)
    liquidate_all_due(run)
    now = run.exchange
    require_waiting(now)
    for command in [*(SetMark(GOLD, mark) for mark in marks), *ticks]:
        now = done(now, command).exchange
        require_waiting(now)
    assert not any(liquidation.is_due(now, account) for account in now.accounts)
    assert all(holder.offered_since == NEVER for _, holder in now.accounts.items())


def require_waiting(exchange: Exchange) -> None:
    """Nobody is insolvent, and whoever is due may wait."""
    require_lawful(exchange)
    for account in exchange.accounts:
        assert equity(exchange, account) >= 0
        if liquidation.is_due(exchange, account):
            assert liquidation_time.may_wait(exchange, account)
