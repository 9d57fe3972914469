"""ADL: who is closed first, at which price, and how far."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpref.outcome import Filled
from perpref.rule_registry import Refusal
from perpref.rules import adl, liquidation, vault
from perpref.rules.adl import (
    Standing,
    bearable,
    deleverage,
    outranks,
    require_opposite,
    score,
    standing,
)
from perpref.rules.margin import equity
from perpref.scheduler import queue
from perpref.state import Account, Exchange
from perpref.units import AccountId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    DAN,
    EVE,
    GOLD,
    OIL,
    REST,
    collateral,
    exchange,
    holds,
    market,
    position,
    refuses,
    require_lawful,
)

# The queue.


def test_where_somebody_stands() -> None:
    # short 4 sold for 520 at a mark of 100: 120 up; oil 2 bought for 150 at 80: 10 up
    before = exchange({BOB: holds(30, (-4, -520), (2, 150))}, market(100), market(80))
    assert standing(before, BOB, GOLD) == Standing(BOB, 120, 520, 400, 160, 4)
    assert standing(before, BOB, OIL) == Standing(BOB, 10, 150, 160, 160, 2)


@pytest.mark.parametrize(
    ("worth", "base"), [(160, 83_200), (2, 1_040), (1, 520), (0, 520), (-7, 520)]
)
def test_the_score_is_profit_ratio_times_leverage(worth: int, base: int) -> None:
    # 120/520 times 400/worth; an equity below 1 counts as 1
    assert score(Standing(BOB, 120, 520, 400, worth, 4)) == (48_000, base)


STANDINGS = st.builds(
    Standing,
    st.integers(2, 5).map(AccountId),
    st.integers(-3, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(-2, 4),
    st.integers(1, 3),
)


@given(STANDINGS, STANDINGS)
def test_the_rank_is_by_score_then_size_then_account(first: Standing, second: Standing) -> None:
    def place(one: Standing) -> tuple[Fraction, int, int]:
        leverage = Fraction(one.notional, max(one.equity, 1))
        return -Fraction(one.profit, one.cost) * leverage, -one.size, one.account

    assert outranks(first, second) is (place(first) < place(second))


def test_ties_go_to_the_larger_position_then_to_the_lower_account() -> None:
    high, even = Standing(BOB, 3, 1, 1, 1, 1), Standing(CY, 2, 1, 1, 1, 5)
    assert outranks(high, even)
    assert not outranks(even, high)
    large, small = Standing(DAN, 4, 2, 1, 1, 2), Standing(CY, 2, 1, 1, 1, 1)
    assert outranks(large, small)
    assert not outranks(small, large)
    # the same score, 2/1 and 4/2, however it is written
    assert outranks(Standing(DAN, 2, 1, 1, 1, 5), Standing(CY, 4, 2, 1, 1, 2))
    assert not outranks(Standing(CY, 4, 2, 1, 1, 2), Standing(DAN, 2, 1, 1, 1, 5))
    lower, upper = Standing(BOB, 2, 7, 1, 1, 1), Standing(CY, 2, 7, 1, 1, 1)
    assert outranks(lower, upper)
    assert not outranks(upper, lower)
    assert not outranks(lower, lower)


def test_the_queue_is_all_of_the_other_side_in_order() -> None:
    before = exchange(
        {
            ANN: holds(-30, (10, 1_000)),
            BOB: holds(500, (-2, -200)),  # no profit: 0
            CY: holds(400, (-2, -300)),  # 100/300 * 200/500
            DAN: holds(100, (-2, -300)),  # 100/300 * 200/200: first
            EVE: holds(100, (-4, -300)),  # -100/300 * 400/0, that is 400/1: last
        }
    )
    assert queue(before, ANN, GOLD) == [DAN, CY, BOB, EVE]
    assert queue(before, DAN, GOLD) == [ANN]


def test_the_queue_breaks_ties_by_size_and_account() -> None:
    before = exchange(
        {
            ANN: holds(-30, (8, 800)),
            BOB: holds(100, (-1, -100)),
            CY: holds(100, (-3, -300)),
            DAN: holds(100, (-3, -300)),
            EVE: holds(100, (-1, -100)),
        }
    )
    assert queue(before, ANN, GOLD) == [CY, DAN, BOB, EVE]


# One deleveraging.


def victim(
    cash: int, bob: Account, *, size: int = 10, mark: int = 100, cy: Account | None = None
) -> Exchange:
    """Ann holds 10 lots at the mark and this much cash."""
    accounts = {ANN: holds(cash, (size, mark * size)), BOB: bob}
    return exchange(accounts | ({CY: cy} if cy else {}), market(mark))


@pytest.mark.parametrize(("size", "price"), [(10, 96), (-10, 104)])
def test_both_are_closed_at_the_bankruptcy_price(size: int, price: int) -> None:
    before = victim(40, holds(500, (-size, -100 * size)), size=size)
    outcome = deleverage(before, ANN, BOB, GOLD, 4)
    after = outcome.exchange
    assert position(after, ANN)[0] == size * 6 // 10
    assert position(after, BOB)[0] == -size * 6 // 10
    assert collateral(after, ANN) == 40 - 16
    assert collateral(after, BOB) == 500 + 16
    buyer, seller = (BOB, ANN) if size > 0 else (ANN, BOB)
    assert outcome.events == (Filled(buyer, seller, GOLD, 4, price, "ADL-3"),)
    require_lawful(after)


def test_the_counterparty_must_hold_the_other_side() -> None:
    before = victim(40, holds(500, (5, 500)), cy=holds(500))
    with refuses(adl.NOT_OPPOSITE, 5, 10):
        deleverage(before, ANN, BOB, GOLD, 1)
    with refuses(adl.NOT_OPPOSITE, 0, 10):
        deleverage(before, ANN, CY, GOLD, 1)
    with refuses(adl.NOT_OPPOSITE, 10, 10):
        deleverage(before, ANN, ANN, GOLD, 1)
    short = victim(40, holds(500, (-5, -500)), size=-10)
    with refuses(adl.NOT_OPPOSITE, -5, -10):
        require_opposite(short, ANN, BOB, GOLD, 1)


def test_no_more_than_both_hold() -> None:
    before = victim(40, holds(500, (-4, -400)))
    assert position(deleverage(before, ANN, BOB, GOLD, 4).exchange, BOB) == (0, 0)
    for lots in (5, 11):
        with refuses(vault.MORE_THAN_THERE_IS, lots, 4):
            deleverage(before, ANN, BOB, GOLD, lots)
    with refuses(vault.MORE_THAN_THERE_IS, 0, 10):
        deleverage(before, ANN, BOB, GOLD, 0)
    large = victim(40, holds(5_000, (-40, -4_000)))
    with refuses(vault.MORE_THAN_THERE_IS, 11, 10):
        deleverage(large, ANN, BOB, GOLD, 11)


def test_only_who_is_due() -> None:
    with refuses(liquidation.NOT_DUE, 50, 50):
        deleverage(victim(50, holds(500, (-4, -400))), ANN, BOB, GOLD, 1)
    with refuses(liquidation.NO_POSITION, OIL):
        deleverage(victim(40, holds(500, (-4, -400))), ANN, BOB, OIL, 1)


@pytest.mark.parametrize("size", [10, -10])
def test_the_counterparty_stays_solvent(size: int) -> None:
    # Ann owes 30 on 10 lots, so each lot costs Bob 3; with 20 he can bear 6
    before = victim(-30, holds(20, (-size, -100 * size)), size=size)
    assert bearable(before, ANN, BOB, GOLD) == 6
    assert equity(deleverage(before, ANN, BOB, GOLD, 6).exchange, BOB) == 2
    with refuses(adl.CANNOT_BEAR, -1, 20):
        deleverage(before, ANN, BOB, GOLD, 7)


def test_to_end_at_nothing_is_to_be_solvent() -> None:
    before = victim(-30, holds(21, (-10, -1_000)))
    assert bearable(before, ANN, BOB, GOLD) == 7
    assert equity(deleverage(before, ANN, BOB, GOLD, 7).exchange, BOB) == 0
    with refuses(adl.CANNOT_BEAR, -3, 21):
        deleverage(before, ANN, BOB, GOLD, 8)


def test_a_counterparty_bears_no_more_than_it_holds() -> None:
    assert bearable(victim(-30, holds(5_000, (-4, -400))), ANN, BOB, GOLD) == 4


def test_an_insolvent_counterparty_may_gain_and_may_not_lose() -> None:
    gains = victim(40, holds(-50, (-10, -1_000)))
    assert bearable(gains, ANN, BOB, GOLD) == 10
    assert equity(deleverage(gains, ANN, BOB, GOLD, 10).exchange, BOB) == -10
    even = victim(0, holds(-50, (-10, -1_000)))
    assert bearable(even, ANN, BOB, GOLD) == 10
    assert equity(deleverage(even, ANN, BOB, GOLD, 10).exchange, BOB) == -50
    loses = victim(-1, holds(-50, (-10, -1_000)))
    assert bearable(loses, ANN, BOB, GOLD) == 0
    with refuses(adl.CANNOT_BEAR, -51, -50):
        deleverage(loses, ANN, BOB, GOLD, 1)


def test_a_counterparty_may_lose_all_that_its_position_gained_and_more() -> None:
    # Bob sold at 103, 3 up per lot, and is closed at 105
    before = victim(-50, holds(30, (-10, -1_030)))
    assert collateral(deleverage(before, ANN, BOB, GOLD, 10).exchange, BOB) == 30 - 20


@given(
    cash=st.integers(-80, 49),
    size=st.sampled_from([10, -10]),
    bob=st.integers(-30, 60),
    lots=st.integers(1, 12),
    cost=st.integers(80, 120),
    oil=st.integers(-2, 2),
    mark=st.sampled_from([100, 20, 5]),
)
def test_as_many_as_are_bearable_are_accepted_and_one_more_is_not(
    cash: int, size: int, bob: int, lots: int, cost: int, oil: int, mark: int
) -> None:
    other = -lots if size > 0 else lots
    before = victim(
        cash * mark // 100, holds(bob, (other, other * cost), (oil, 90 * oil)), size=size, mark=mark
    )
    if not liquidation.is_due(before, ANN):
        return
    accepted, codes = [], set()
    for number in range(1, min(lots, 10) + 1):
        try:
            deleverage(before, ANN, BOB, GOLD, number)
        except Refusal as refusal:
            codes.add(refusal.code)
        else:
            accepted.append(number)
    found = bearable(before, ANN, BOB, GOLD)
    assert accepted == list(range(1, min(found, 10) + 1))
    assert codes <= {adl.CANNOT_BEAR}


def test_bystanders_are_left_alone() -> None:
    before = victim(-30, holds(20, (-10, -1_000)), cy=holds(7, (-3, -300)))
    after = deleverage(before, ANN, BOB, GOLD, 6).exchange
    assert after.accounts[CY] == before.accounts[CY]
    assert after.accounts[REST] == before.accounts[REST]
