"""ADL: who is closed first, at which price, and how far."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.forced_closing import closing, loss_of, most_bearable
from perpref.outcome import Filled, Outcome, Paid
from perpref.rule_registry import Refusal
from perpref.rules import adl, adl_margin, adl_sharing, liquidation, vault
from perpref.rules.adl import (
    Standing,
    bearable,
    deleverage,
    outranks,
    require_opposite,
    score,
    standing,
)
from perpref.rules.margin import Health, equity, health
from perpref.scheduler import queue
from perpref.state import Account, Exchange, ForcedPrice, Ranking, ShareWeight
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
    needs = [health(before, BOB).maintenance, liquidation.share_of_equity(before, BOB, GOLD)]
    gold = Standing(BOB, 120, 520, 400, 160, -4, needs[1], 30, needs[0])
    assert standing(before, BOB, GOLD) == gold
    behind = liquidation.share_of_equity(before, BOB, OIL)
    assert standing(before, BOB, OIL) == Standing(BOB, 10, 150, 160, 160, 2, behind, 30, needs[0])
    assert needs[1] + behind in (159, 160)


def stands(
    account: AccountId = BOB,
    profit: int = 0,
    cost: int = 1,
    notional: int = 1,
    equity: int = 1,
    size: int = 1,
    margin: int = 1,
    collateral: int = 1,
    maintenance: int = 1,
) -> Standing:
    return Standing(account, profit, cost, notional, equity, size, margin, collateral, maintenance)


def value(standing: Standing, ranking: Ranking) -> Fraction:
    numerator, denominator = score(standing, ranking)
    assert denominator > 0
    return Fraction(numerator, denominator)


@pytest.mark.parametrize(
    ("worth", "base"), [(160, 83_200), (2, 1_040), (1, 520), (0, 520), (-7, 520)]
)
def test_the_score_is_profit_ratio_times_leverage(worth: int, base: int) -> None:
    # 120/520 times 400/worth; an equity below 1 counts as 1
    one = stands(profit=120, cost=520, notional=400, equity=worth, size=-4)
    assert score(one, Ranking.LEVERAGED_RETURN) == (48_000, base)


@pytest.mark.parametrize(
    ("profit", "cost", "notional", "margin", "expected"),
    [
        # BitMEX's formula: entry 1000, mark 1200, bankruptcy 900: a return of 1/5 at leverage 4
        (200, 1_000, 1_200, 300, Fraction(4, 5)),
        # short at 1000, mark 800, bankruptcy 1100: 1/5 at 8/3
        (200, 1_000, 800, 300, Fraction(8, 15)),
        # a loser: -1/20 divided by a leverage of 19
        (-50, 1_000, 950, 50, Fraction(-1, 380)),
        (-50, 1_000, 950, 0, Fraction(-1, 20) / 950),
        (0, 1_000, 1_000, 100, Fraction(0)),
    ],
)
def test_the_signed_return_divides_a_loss_by_leverage(
    profit: int, cost: int, notional: int, margin: int, expected: Fraction
) -> None:
    one = stands(profit=profit, cost=cost, notional=notional, margin=margin)
    assert value(one, Ranking.SIGNED_RETURN) == expected


@pytest.mark.parametrize(
    ("profit", "collateral", "maintenance", "expected"),
    [
        (500, 1_000, 50, Fraction(1, 60)),
        (-10, 1_000, 50, Fraction(0)),
        (50, 0, 10, Fraction(50) * Fraction(10, 50)),  # a collateral below 1 counts as 1
        (100, -200, 20, Fraction(0)),  # no equity
        (100, -99, 20, Fraction(100) * 20),
        (100, -100, 20, Fraction(0)),
    ],
)
def test_the_margined_return_is_profit_over_collateral_times_the_margin_ratio(
    profit: int, collateral: int, maintenance: int, expected: Fraction
) -> None:
    one = stands(
        profit=profit, collateral=collateral, equity=collateral + profit, maintenance=maintenance
    )
    assert value(one, Ranking.MARGINED_RETURN) == expected


def test_mark_to_entry_is_turned_round_for_shorts_and_literally_it_is_not() -> None:
    # two shorts at a mark of 100, sold at 200 and at 110
    better = stands(ANN, cost=2_000, notional=1_000, equity=1_000, size=-10, profit=1_000)
    worse = stands(BOB, cost=1_100, notional=1_000, equity=1_000, size=-10, profit=100)
    sided, literal = Ranking.MARK_TO_ENTRY, Ranking.MARK_TO_ENTRY_LITERAL
    assert [value(better, sided), value(worse, sided)] == [2, Fraction(11, 10)]
    assert [value(better, literal), value(worse, literal)] == [Fraction(1, 2), Fraction(10, 11)]
    assert outranks(better, worse, sided)
    assert outranks(worse, better, literal)
    # longs at a mark of 120, bought at 100 with 500 and at 80 with 1000: 2.88 and 1.8
    thin = stands(ANN, cost=1_000, notional=1_200, equity=500, size=10)
    thick = stands(BOB, cost=800, notional=1_200, equity=1_000, size=10)
    for ranking in (sided, literal):
        found = [value(thin, ranking), value(thick, ranking)]
        assert found == [Fraction(288, 100), Fraction(18, 10)]
    assert value(stands(cost=10, notional=10, equity=0, size=10), sided) == 10


STANDINGS = st.builds(
    Standing,
    st.integers(2, 5).map(AccountId),
    st.integers(-3, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(-2, 4),
    st.integers(-3, 3).filter(bool),
    st.integers(-2, 4),
    st.integers(-2, 4),
    st.integers(1, 3),
)


@given(STANDINGS, STANDINGS, st.sampled_from(Ranking))
def test_the_rank_is_by_score_then_size_then_account(
    first: Standing, second: Standing, ranking: Ranking
) -> None:
    def place(one: Standing) -> tuple[Fraction, int, int]:
        return -value(one, ranking), -abs(one.size), one.account

    assert outranks(first, second, ranking) is (place(first) < place(second))


def test_ties_go_to_the_larger_position_then_to_the_lower_account() -> None:
    def ahead(first: Standing, second: Standing) -> bool:
        return outranks(first, second, Ranking.LEVERAGED_RETURN)

    high, even = stands(BOB, 3), stands(CY, 2, size=5)
    assert ahead(high, even)
    assert not ahead(even, high)
    large, small = stands(DAN, 4, 2, size=-2), stands(CY, 2)
    assert ahead(large, small)
    assert not ahead(small, large)
    # the same score, 2/1 and 4/2, however it is written
    assert ahead(stands(DAN, 2, size=5), stands(CY, 4, 2, size=2))
    assert not ahead(stands(CY, 4, 2, size=2), stands(DAN, 2, size=5))
    lower, upper = stands(BOB, 2, 7), stands(CY, 2, 7)
    assert ahead(lower, upper)
    assert not ahead(upper, lower)
    assert not ahead(lower, lower)


def test_the_smallest_profit_equity_and_size_count() -> None:
    won = stands(profit=1, cost=10, notional=20, margin=5, collateral=3, equity=4, maintenance=2)
    assert value(won, Ranking.SIGNED_RETURN) == Fraction(1, 10) * Fraction(20, 5)
    assert value(won, Ranking.MARGINED_RETURN) == Fraction(1, 3) * Fraction(2, 4)
    long = stands(cost=10, notional=20, equity=1, size=1)
    short = stands(cost=10, notional=20, equity=1, size=-1)
    assert value(long, Ranking.MARK_TO_ENTRY) == Fraction(20, 10) * 20
    assert value(short, Ranking.MARK_TO_ENTRY) == Fraction(10, 20) * 20


@pytest.mark.parametrize("side", [1, -1])
def test_of_two_on_one_side_the_larger_goes_first(side: int) -> None:
    large, small = stands(DAN, size=5 * side), stands(CY, size=2 * side)
    assert outranks(large, small, Ranking.LEVERAGED_RETURN)
    assert not outranks(small, large, Ranking.LEVERAGED_RETURN)
    lower, upper = stands(BOB, size=5 * side), stands(CY, size=5 * side)
    assert outranks(lower, upper, Ranking.LEVERAGED_RETURN)
    assert not outranks(upper, lower, Ranking.LEVERAGED_RETURN)


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


# What a rulebook chooses: the price, when, and what a counterparty is spared.


def under(exchange: Exchange, **choices: Any) -> Exchange:
    """The exchange under another rulebook."""
    return evolve(exchange, rulebook=evolve(exchange.rulebook, **choices))


def closed_at(exchange: Exchange) -> int:
    """The price of one lot of Ann's that is closed against Bob."""
    (filled,) = deleverage(exchange, ANN, BOB, GOLD, 1).events
    assert isinstance(filled, Filled)
    return filled.price


def test_the_rulebook_names_the_price() -> None:
    # Ann's bankruptcy price is 104: she is 40 short of nothing with ten lots at a mark of 100
    before = victim(-40, holds(500, (-10, -1_200)))
    listed = evolve(before.markets[GOLD], previous_mark=109, index=106)
    before = evolve(before, markets=before.markets.put(GOLD, listed))
    prices = {
        ForcedPrice.BANKRUPTCY: 104,
        ForcedPrice.MARK: 100,
        ForcedPrice.PREVIOUS_MARK: 109,
        ForcedPrice.INDEX: 106,
    }
    for price, expected in prices.items():
        rulebook: dict[str, Any] = {"deleverage_price": price, "deleverage_only_insolvent": True}
        assert closed_at(under(before, **rulebook)) == expected


@pytest.mark.parametrize(("gap", "price"), [(40_000, 104), (39_999, 100), (0, 100)])
def test_far_from_the_mark_is_more_than_the_gap(gap: int, price: int) -> None:
    far: dict[str, Any] = {
        "deleverage_price": ForcedPrice.BANKRUPTCY_UNLESS_FAR,
        "deleverage_gap": gap,
    }
    assert closed_at(under(victim(-40, holds(500, (-10, -1_200))), **far)) == price
    # below the mark it is the same distance
    solvent = under(victim(40, holds(500, (-10, -1_200))), **far)
    assert closed_at(solvent) == (96 if price == 104 else 100)


@pytest.mark.parametrize(("cash", "closed"), [(-1, True), (0, False), (40, False)])
def test_where_only_the_insolvent_are_closed(cash: int, closed: bool) -> None:
    waits = under(victim(cash, holds(500, (-10, -1_000))), deleverage_only_insolvent=True)
    assert adl.triggered(waits, ANN) is closed
    if closed:
        deleverage(waits, ANN, BOB, GOLD, 1)
    else:
        with refuses(adl.ONLY_INSOLVENT, cash, 0):
            deleverage(waits, ANN, BOB, GOLD, 1)
    assert adl.triggered(under(waits, deleverage_only_insolvent=False), ANN)


@pytest.mark.parametrize(
    ("oil", "accepted"),
    [
        # with gold alone, closing halves both equity and margin at the mark and costs 20 more
        ((0, 0), False),
        # with as much margin elsewhere the loss weighs more than the margin that is released
        ((10, 800), True),
    ],
)
def test_where_nobody_is_left_riskier(oil: tuple[int, int], accepted: bool) -> None:
    bob = holds(30 if not accepted else 1_000, (-10, -1_000), oil)
    before = exchange({ANN: holds(-40, (10, 1_000)), BOB: bob}, market(100), market(80))
    was, needs = health(before, BOB).equity, health(before, BOB).maintenance
    spared = under(before, deleverage_never_riskier=True)
    after = deleverage(before, ANN, BOB, GOLD, 5).exchange
    now = health(after, BOB)
    assert (now.equity * needs >= was * now.maintenance) is accepted
    if accepted:
        assert deleverage(spared, ANN, BOB, GOLD, 5).exchange.accounts == after.accounts
    else:
        with refuses(adl.CANNOT_BEAR, now.equity, was):
            deleverage(spared, ANN, BOB, GOLD, 5)


def test_covered_as_well_as_before_is_no_riskier() -> None:
    before, half, less = Health(100, 40, 80), Health(50, 20, 40), Health(49, 20, 40)
    assert adl.bears_closing(before, half, True)
    assert not adl.bears_closing(before, less, True)
    assert adl.bears_closing(before, less, False)


@pytest.mark.parametrize("price", ForcedPrice)
@pytest.mark.parametrize("only_insolvent", [True, False])
def test_the_previous_mark_is_for_the_insolvent(price: ForcedPrice, only_insolvent: bool) -> None:
    terms = under(
        exchange({}), deleverage_price=price, deleverage_only_insolvent=only_insolvent
    ).rulebook
    far = price in (ForcedPrice.PREVIOUS_MARK, ForcedPrice.INDEX)
    safe = only_insolvent or not far
    assert adl.is_price_safe(terms) is safe


def test_bystanders_are_left_alone() -> None:
    before = victim(-30, holds(20, (-10, -1_000)), cy=holds(7, (-3, -300)))
    after = deleverage(before, ANN, BOB, GOLD, 6).exchange
    assert after.accounts[CY] == before.accounts[CY]
    assert after.accounts[REST] == before.accounts[REST]


@pytest.mark.parametrize(("ahead", "lamps"), [(1, 1), (20, 1), (21, 2), (80, 4), (81, 5), (100, 5)])
def test_the_lamps_of_a_queue(ahead: int, lamps: int) -> None:
    assert adl.queue_indicator(ahead, 100) == lamps


@given(st.lists(st.integers(1, 50), min_size=1, max_size=9), st.data())
def test_parts_in_proportion_are_the_lots_exactly(sizes: list[int], data: st.DataObject) -> None:
    lots, total = data.draw(st.integers(0, sum(sizes))), sum(sizes)
    parts = [
        adl_sharing.part_in_proportion(lots, sum(sizes[:place]), size, total)
        for place, size in enumerate(sizes)
    ]
    assert sum(parts) == lots
    for part, size in zip(parts, sizes, strict=True):
        assert 0 <= part <= size
        assert abs(part - Fraction(lots * size, total)) < 1


def test_before_the_first_index_an_adl_at_the_index_is_at_the_mark() -> None:
    before = under(
        victim(-40, holds(500, (-10, -1_200))),
        deleverage_price=ForcedPrice.INDEX,
        deleverage_only_insolvent=True,
    )
    assert closed_at(before) == 100


def test_a_walk_goes_round_from_where_nobody_picks() -> None:
    assert [adl_sharing.first_of_walk(seed, 0, 3) for seed in range(4)] == [0, 1, 2, 0]
    assert adl_sharing.first_of_walk(2, 4, 7) == (2 + 4 * 1_000_003) % 7
    assert [adl_sharing.place_in_walk(2, turn, 3) for turn in range(3)] == [2, 0, 1]
    assert adl_sharing.place_in_walk(0, 0, 1) == 0


@given(st.integers(1, 40), st.data())
def test_a_walk_comes_to_each_place_once(count: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, count - 1))
    places = [adl_sharing.place_in_walk(first, turn, count) for turn in range(count)]
    assert sorted(places) == list(range(count))
    assert places[0] == first


@pytest.mark.parametrize(
    ("margin", "lots", "size", "along", "value"),
    [
        (100, 3, 10, 30, 270),
        (101, 3, 10, 30, 270),
        (-101, 3, 10, -31, 331),
        (101, 3, -10, 30, -330),
        (-100, 4, 7, -58, 458),
    ],
)
def test_margin_goes_along_with_lots(
    margin: int, lots: int, size: int, along: int, value: int
) -> None:
    """At a mark of 100."""
    assert liquidation.margin_transferred(margin, lots, size) == along
    assert adl_margin.takeover_value(100, lots, size, margin) == value


@pytest.mark.parametrize(
    ("weight", "expected"),
    [(ShareWeight.LOTS, 10), (ShareWeight.EQUITY, 300), (ShareWeight.LEVERED_PROFIT, 666)],
)
def test_what_counts_when_lots_are_shared_out(weight: ShareWeight, expected: int) -> None:
    """Bob is short by 10 from 120 with 100: 200 won, 1,000 at the mark, an equity of 300."""
    before = victim(-40, holds(100, (-10, -1_200)))
    assert adl_sharing.weight_of_winner(weight, adl.standing(before, BOB, GOLD)) == expected
    broke = victim(-40, holds(-300, (-10, -900)))
    poor = adl.standing(broke, BOB, GOLD)
    assert adl_sharing.weight_of_winner(weight, poor) == (10 if weight is ShareWeight.LOTS else 0)


# Margin that goes along.

MARGIN: dict[str, Any] = {"deleverage_price": ForcedPrice.MARGIN}


def closed_with_margin(before: Exchange, lots: int) -> Outcome:
    """Lots of Ann's that are closed against Bob, as the rulebook says."""
    return closing(before)(before, ANN, BOB, GOLD, lots)


@pytest.mark.parametrize("size", [10, -10])
@pytest.mark.parametrize(("cash", "along"), [(41, 12), (0, 0), (-41, -13)])
def test_at_the_mark_the_margin_goes_along(size: int, cash: int, along: int) -> None:
    before = under(victim(cash, holds(500, (-size, -100 * size)), size=size), **MARGIN)
    outcome = closed_with_margin(before, 3)
    filled, paid = outcome.events
    assert isinstance(filled, Filled)
    assert (filled.price, filled.lots, filled.rule) == (100, 3, "ADL-3")
    payer, payee = (ANN, BOB) if along >= 0 else (BOB, ANN)
    assert paid == Paid(payer, payee, abs(along), "ADL-13")
    assert equity(outcome.exchange, ANN) == cash - along
    assert equity(outcome.exchange, BOB) == 500 + along
    require_lawful(outcome.exchange)


def test_with_the_last_lots_all_of_the_margin_is_gone() -> None:
    before = under(victim(-41, holds(500, (-10, -1_000))), **MARGIN)
    for lots in (3, 3, 4):
        before = closed_with_margin(before, lots).exchange
    assert equity(before, ANN) == 0
    assert equity(before, BOB) == 459


@pytest.mark.parametrize(("cash", "lots"), [(12, 2), (13, 3), (40, 9), (41, 10), (0, 0), (-5, 0)])
def test_a_counterparty_brings_as_much_as_it_has(cash: int, lots: int) -> None:
    """Ann is 41 short of nothing on 10 lots, 4.1 on each."""
    before = under(victim(-41, holds(cash, (-10, -1_000))), **MARGIN)
    assert most_bearable(before, ANN, BOB, GOLD) == lots
    if lots:
        assert equity(closed_with_margin(before, lots).exchange, BOB) >= 0
    if lots < 10:
        with refuses(adl.CANNOT_BEAR, cash + (-41 * (lots + 1)) // 10, cash):
            closed_with_margin(before, lots + 1)


def test_whoever_is_solvent_gives_and_anybody_can_take() -> None:
    before = under(victim(41, holds(-9, (-4, -400))), **MARGIN)
    assert most_bearable(before, ANN, BOB, GOLD) == 4
    assert loss_of(before, ANN, BOB, GOLD, 4) == -16
    assert loss_of(under(before, deleverage_price=ForcedPrice.MARK), ANN, BOB, GOLD, 4) == 0
    assert loss_of(victim(-30, holds(20, (-10, -1_000))), ANN, BOB, GOLD, 2) == 6


def test_with_margin_the_same_guards_hold() -> None:
    fine = under(victim(50, holds(500, (-4, -400))), **MARGIN)
    with refuses(liquidation.NOT_DUE, 50, 50):
        closed_with_margin(fine, 1)
    wrong = under(victim(40, holds(500, (5, 500))), **MARGIN)
    with refuses(adl.NOT_OPPOSITE, 5, 10):
        closed_with_margin(wrong, 1)
    many = under(victim(40, holds(500, (-4, -400))), **MARGIN)
    with refuses(vault.MORE_THAN_THERE_IS, 5, 4):
        closed_with_margin(many, 5)
    riskier = under(victim(-40, holds(30, (-10, -1_000))), **MARGIN, deleverage_never_riskier=True)
    with refuses(adl.CANNOT_BEAR, 10, 30):
        closed_with_margin(riskier, 5)
