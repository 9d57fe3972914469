"""LIQ: how much is closed at a time."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.outcome import Event, Filled
from perpref.rules import liquidation_size
from perpref.rules.liquidation import NOT_DUE, liquidate
from perpref.rules.margin import equity
from perpref.rules.vault import transfer_position
from perpref.scheduler import (
    Run,
    fewest_that_suffice,
    first_order,
    liquidate_account,
    next_order,
    offer_equal_shares,
    offerable,
)
from perpref.state import (
    VAULT,
    Exchange,
    LiquidationSize,
    Market,
    Order,
    Rulebook,
    Stage,
    Tier,
)
from perpref.units import PARTS
from tests.exchanges import (
    ANN,
    BOB,
    GOLD,
    OIL,
    REST,
    buys,
    exchange,
    holds,
    market,
    position,
    refuses,
    rules,
)

TIERS = (Tier(500, 200_000, 100_000), Tier(800, 400_000, 300_000))


def sized(size: LiquidationSize, **choices: Any) -> Rulebook:
    return evolve(rules(), liquidation_size=size, **choices)


def to_buffer(buffer: int) -> Rulebook:
    return sized(LiquidationSize.TO_BUFFER, liquidation_buffer=buffer)


def long(cash: int, book: Rulebook, listed: Market, lots: int = 10) -> Exchange:
    """Ann is long and Bob rich."""
    return exchange(
        {ANN: holds(cash, (lots, lots * 100)), BOB: holds(10**6)}, listed, rulebook=book
    )


def book_fills(events: list[Event]) -> list[tuple[int, int]]:
    return [(e.lots, e.price) for e in events if isinstance(e, Filled) and e.rule == "LIQ-6"]


# Until there is a buffer.


@pytest.mark.parametrize(
    ("needs", "worth", "buffer", "safe"),
    [(47, 940, 20_000, 66), (47, 950, 20_000, 66), (47, 951, 20_000, 67), (47, 940, 0, 47)],
)
def test_a_buffer_is_a_part_of_the_notional(needs: int, worth: int, buffer: int, safe: int) -> None:
    """Rounded up: two per cent of 940 is 18.8, and of 950 just 19."""
    assert liquidation_size.with_buffer(needs, worth, buffer) == safe


@pytest.mark.parametrize(("cash", "safe"), [(139, True), (138, False)])
def test_a_buffer_is_over_all_markets(cash: int, safe: bool) -> None:
    """At 100 ten lots need 50 and a buffer of 30; five of the other market 25 and 15: 120."""
    held = holds(cash - 19, (10, 1_000), (-5, -500))
    before = exchange({ANN: held}, rulebook=to_buffer(30_000))
    assert liquidation_size.safe_margin(before, ANN) == 120
    assert liquidation_size.is_safe(before, ANN) is safe
    assert offerable(before, ANN, GOLD) is not safe


def test_a_liquidation_goes_on_while_it_is_not_safe_though_not_due() -> None:
    maker = buys(1, BOB, 5, 100)
    before = long(55, to_buffer(10_000), market(100, maker))  # 50 are needed, and 10
    assert liquidate(before, ANN, GOLD, maker, 2).events
    safe = long(60, to_buffer(10_000), market(100, maker))
    with refuses(NOT_DUE, 60, 60):
        liquidate(safe, ANN, GOLD, maker, 2)
    assert not offerable(safe, ANN, GOLD)


@pytest.mark.parametrize(("lots", "enough"), [(4, False), (5, True), (6, True), (10, True)])
@pytest.mark.parametrize("side", [1, -1])
def test_lots_suffice_when_the_rest_is_safe(side: int, lots: int, enough: bool) -> None:
    """With 40 at 94: five lots need 24 and 10, six 29 and 12."""
    held = holds(40 + 1_000 * side - 940 * side - 60 * side, (side * 10, side * 940))
    before = exchange({ANN: held}, market(94), rulebook=to_buffer(20_000))
    assert equity(before, ANN) == 40
    assert liquidation_size.suffices(before, ANN, GOLD, lots) is enough
    assert fewest_that_suffice(before, ANN, GOLD) == next_order(before, ANN, GOLD) == 5


def test_what_other_positions_need_stays_needed() -> None:
    """The other position's 50 and 20 are more than the 60 there are: all of this one goes."""
    held = holds(60, (10, 1_000), (10, 1_000))
    before = exchange({ANN: held}, rulebook=to_buffer(20_000))
    assert not liquidation_size.suffices(before, ANN, GOLD, 10)
    assert fewest_that_suffice(before, ANN, GOLD) == 10


@given(
    cash=st.integers(-50, 400),
    size=st.integers(1, 40),
    other=st.integers(-20, 20),
    buffer=st.sampled_from([0, 1, 20_000, 300_000]),
    mark=st.integers(1, 120),
    tiers=st.sampled_from([(), TIERS]),
    side=st.sampled_from([1, -1]),
)
def test_the_fewest_lots_that_make_safe(
    cash: int, size: int, other: int, buffer: int, mark: int, tiers: tuple[Tier, ...], side: int
) -> None:
    """Closed at the mark they do, a lot less does not, and if none do it is all."""
    held = holds(cash, (side * size, side * size * mark), (other, other * 100))
    listed = evolve(market(mark), tiers=tiers)
    before = exchange({ANN: held}, listed, rulebook=to_buffer(buffer))
    found = fewest_that_suffice(before, ANN, GOLD)
    assert 1 <= found <= size

    def safe_without(lots: int) -> bool:
        if lots == 0:
            return liquidation_size.is_safe(before, ANN)
        moved = transfer_position(before, ANN, REST, GOLD, lots, mark, "LIQ-12")
        return liquidation_size.is_safe(moved.exchange, ANN)

    for lots in range(size + 1):
        assert liquidation_size.suffices(before, ANN, GOLD, lots) is safe_without(lots)
    assert found == next((n for n in range(1, size + 1) if safe_without(n)), size)


@pytest.mark.parametrize(
    ("bid", "filled"),
    [
        (94, [(5, 94)]),  # 40 against 34
        (92, [(5, 92), (1, 92)]),  # 30 against 34, then 28 against 27
    ],
)
def test_orders_follow_one_another_until_the_account_is_safe(
    bid: int, filled: list[tuple[int, int]]
) -> None:
    run = Run(long(100, to_buffer(20_000), market(94, buys(1, BOB, 50, bid))))
    liquidate_account(run, ANN)
    assert book_fills(run.events) == filled
    assert all(event.rule == "LIQ-6" for event in run.events if isinstance(event, Filled))


def test_who_is_not_due_after_the_book_goes_no_further_down() -> None:
    """Three lots are all that the book takes: 40 against 33 and a buffer, which nobody forces."""
    run = Run(long(100, to_buffer(20_000), market(94, buys(1, BOB, 3, 94))))
    liquidate_account(run, ANN)
    assert position(run.exchange, ANN) == (7, 700)
    assert not liquidation_size.is_safe(run.exchange, ANN)


# Down to the next tier.


@pytest.mark.parametrize(
    ("notional", "begins"), [(1, 0), (500, 0), (501, 500), (800, 500), (801, 800), (10**9, 800)]
)
def test_a_tier_begins_below_its_notionals(notional: int, begins: int) -> None:
    assert liquidation_size.tier_begins(notional, TIERS) == begins
    assert liquidation_size.tier_begins(notional, ()) == 0


@pytest.mark.parametrize(
    ("size", "mark", "begins", "lots"),
    [
        (10, 91, 800, 2),  # eight are worth 728, nine 819
        (-10, 91, 800, 2),
        (8, 91, 500, 3),
        (10, 80, 500, 4),  # six are worth 480
        (10, 100, 500, 5),  # five just 500
        (5, 91, 0, 5),
        (1, 900, 800, 1),  # not a lot is within the lower tier
    ],
)
def test_a_step_leaves_the_largest_size_of_the_lower_tier(
    size: int, mark: int, begins: int, lots: int
) -> None:
    assert liquidation_size.lots_of_tier(size, mark, begins) == lots


def test_a_position_steps_down_while_its_account_is_due() -> None:
    """At 91: two lots to the middle tier, three to the lowest one, and there it is not due."""
    listed = evolve(market(91, buys(1, BOB, 50, 91)), tiers=TIERS)
    run = Run(long(130, sized(LiquidationSize.TIER_STEP), listed))
    liquidate_account(run, ANN)
    assert book_fills(run.events) == [(2, 91), (3, 91)]
    assert position(run.exchange, ANN) == (5, 500)


def test_a_step_goes_on_where_a_maker_has_too_little() -> None:
    """The step is two lots whoever takes them, and the whole position in the lowest tier."""
    listed = evolve(market(91, buys(1, BOB, 1, 91), buys(2, BOB, 50, 91)), tiers=TIERS)
    run = Run(long(60, sized(LiquidationSize.TIER_STEP), listed))  # insolvent
    liquidate_account(run, ANN)
    assert book_fills(run.events) == []
    listed = evolve(market(91, buys(1, BOB, 1, 97), buys(2, BOB, 50, 97)), tiers=TIERS)
    run = Run(long(60, sized(LiquidationSize.TIER_STEP), listed))
    liquidate_account(run, ANN)
    assert book_fills(run.events)[:3] == [(1, 97), (1, 97), (3, 97)]


# The same share of everything.


@pytest.mark.parametrize(
    ("size", "share", "lots"),
    [(10, 200_000, 2), (-10, 200_000, 2), (11, 200_000, 3), (1, 1, 1), (7, PARTS, 7)],
)
def test_a_share_is_rounded_up(size: int, share: int, lots: int) -> None:
    assert liquidation_size.lots_of_share(size, share) == lots


@pytest.mark.parametrize(
    ("cash", "step", "target", "share"),
    [
        (81, 200_000, PARTS, 200_000),  # 80 of 100
        (80, 200_000, PARTS, 400_000),  # 80 is not below 80
        (80, 100_000, PARTS, 300_000),
        (80, 200_000, 900_000, 400_000),  # 60 are below 72
        (66, 200_000, 900_000, 600_000),  # 60 are not below 59.4
        (-1, 200_000, PARTS, PARTS),
        (80, 300_000, 1, PARTS),
    ],
)
def test_the_share_follows_the_rulebook(cash: int, step: int, target: int, share: int) -> None:
    book = sized(LiquidationSize.EQUAL_SHARE, liquidation_step=step, liquidation_target=target)
    before = exchange({ANN: holds(cash, (10, 1_000), (-10, -1_000))}, rulebook=book)
    assert liquidation_size.equal_share(before, ANN) == share


FIFTHS = sized(LiquidationSize.EQUAL_SHARE, liquidation_step=200_000)


def shared(cash: int, *orders: Order, oil: tuple[Order, ...] = (), vault: int = 0) -> Exchange:
    """Ten lots of each market, at 88 and 100: margins of 44 and 50."""
    held = {
        VAULT: holds(vault),
        ANN: holds(cash, (10, 1_000), (10, 1_000)),
        BOB: holds(10**6),
    }
    return exchange(held, market(88, *orders), market(100, *oil), rulebook=FIFTHS)


def test_every_position_is_cut_by_the_same_share() -> None:
    before = shared(200, buys(1, BOB, 50, 88), oil=(buys(2, BOB, 50, 100),))
    run = Run(before)
    liquidate_account(run, ANN)
    assert book_fills(run.events) == [(2, 100), (2, 88)]
    assert (position(run.exchange, ANN)[0], position(run.exchange, ANN, OIL)[0]) == (8, 8)


def test_a_share_is_cut_only_while_the_account_is_due() -> None:
    """Two lots of oil at 107 bring 14 above the mark: 94 against 84, and gold stays whole."""
    before = shared(200, buys(1, BOB, 50, 88), oil=(buys(2, BOB, 50, 107),))
    run = Run(before)
    liquidate_account(run, ANN)
    assert book_fills(run.events) == [(2, 107)]


def test_what_the_book_does_not_take_of_a_share_the_vault_does() -> None:
    before = shared(200, oil=(buys(2, BOB, 1, 100),), vault=10**6)
    run = Run(before)
    offer_equal_shares(run, ANN)
    fills = [(e.lots, e.market, e.rule) for e in run.events if isinstance(e, Filled)]
    assert fills == [(1, OIL, "LIQ-6"), (1, OIL, "VLT-1"), (2, GOLD, "VLT-1")]


def test_a_share_goes_only_where_the_waterfall_does() -> None:
    before = shared(200, buys(1, BOB, 50, 88), oil=(buys(2, BOB, 1, 100),), vault=10**6)
    book = evolve(FIFTHS, waterfall=(Stage.DELEVERAGE, Stage.RESIDUAL))
    run = Run(evolve(before, rulebook=book))
    offer_equal_shares(run, ANN)
    assert run.events == []


def test_a_share_that_is_not_enough_is_followed_by_the_whole() -> None:
    """Somebody bids the bankruptcy prices alone: no share of that restores anything."""
    before = shared(200, buys(1, BOB, 50, 85), oil=(buys(2, BOB, 50, 96),))
    run = Run(before)
    liquidate_account(run, ANN)
    assert book_fills(run.events)[:2] == [(2, 96), (2, 85)]
    assert book_fills(run.events)[2:] == [(8, 96), (8, 85)]


# The other sizes keep no share back, and ask for none first.


@pytest.mark.parametrize("size", list(LiquidationSize))
def test_a_first_share_is_of_positions_that_go_whole(size: LiquidationSize) -> None:
    before = long(40, sized(size, liquidation_share=200_000), market(100))
    assert first_order(before, ANN, GOLD) == (2 if size is LiquidationSize.WHOLE else 0)


@pytest.mark.parametrize("size", [LiquidationSize.WHOLE, LiquidationSize.EQUAL_SHARE])
@pytest.mark.parametrize("lots", [10, -10])
def test_a_whole_position_is_all_its_lots(size: LiquidationSize, lots: int) -> None:
    before = exchange({ANN: holds(40, (lots, lots * 100))}, rulebook=sized(size))
    assert next_order(before, ANN, GOLD) == 10
