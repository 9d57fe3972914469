"""From commands to actions: matching, the waterfall, and the order of everything."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from perpref import machine
from perpref.machine import (
    Place,
    SamplePremium,
    SetMark,
    SettleFunding,
    SettleMarket,
    SettlePremium,
    Unwind,
)
from perpref.outcome import Cancelled, Event, Filled, Marked, Outcome, Paid, Refused, Rested
from perpref.rules import liquidation
from perpref.rules.adl import is_price_safe
from perpref.rules.margin import equity
from perpref.scheduler import (
    Progress,
    Run,
    advance,
    cancel_all_orders,
    closable,
    close_against_winners,
    close_at_mark,
    close_into_vault,
    close_on_book,
    largest_first,
    liquidate_account,
    liquidate_all_due,
    open_lots,
)
from perpref.state import (
    TREASURY,
    VAULT,
    Account,
    BankruptcyPrice,
    Exchange,
    FeeBound,
    ForcedPrice,
    FundTrigger,
    Kind,
    LiquidationLimit,
    LiquidationSize,
    LossSharing,
    Order,
    Ranking,
    Rulebook,
    ShareWeight,
    Sharing,
    Side,
    Stage,
    TakeoverPrice,
    Tier,
)
from perpref.units import MAX_PRICE, AccountId, MarketId, OrderId, Rounding
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    DAN,
    EVE,
    GOLD,
    OIL,
    REST,
    buys,
    collateral,
    done,
    exchange,
    holds,
    market,
    orders,
    position,
    refused,
    require_lawful,
    require_nobody_due,
    rules,
    sells,
)


def place(
    side: Side,
    lots: int,
    price: int = 1,
    kind: Kind = Kind.LIMIT,
    *,
    who: AccountId = ANN,
    only: bool = False,
) -> Place:
    return Place(OrderId(9), who, GOLD, side, kind, lots, price, only)


def bid(lots: int, price: int = 1, kind: Kind = Kind.LIMIT, *, only: bool = False) -> Place:
    return place(Side.BUY, lots, price, kind, only=only)


def ask(lots: int, price: int = 1, kind: Kind = Kind.LIMIT, *, only: bool = False) -> Place:
    return place(Side.SELL, lots, price, kind, only=only)


def with_book(*resting: Order, **held: Account) -> Exchange:
    """Ann, Bob, Cy and Dan with 10,000 each, unless it is said, and a book."""
    names = {"ann": ANN, "bob": BOB, "cy": CY, "dan": DAN}
    accounts = {account: held.get(name, holds(10_000)) for name, account in names.items()}
    return exchange(accounts, market(100, *resting), last_order=8)


def of(events: tuple[Event, ...] | list[Event], rule: str) -> list[Event]:
    return [event for event in events if event.rule == rule]


# Matching.


def test_an_order_that_meets_nobody_rests() -> None:
    outcome = done(with_book(sells(1, BOB, 5, 101)), bid(3, 100))
    assert outcome.events == (Rested(GOLD, buys(9, ANN, 3, 100), "BOOK-9"),)
    assert outcome.exchange.last_order == 9
    assert orders(outcome.exchange) == {1: 5, 9: 3}


def test_the_better_price_fills_first_then_the_earlier_order() -> None:
    before = with_book(
        sells(1, BOB, 2, 100), sells(2, CY, 2, 100), sells(3, DAN, 2, 99), sells(4, BOB, 9, 101)
    )
    outcome = done(before, bid(5, 100))
    assert [event for event in outcome.events if isinstance(event, Filled)] == [
        Filled(ANN, DAN, GOLD, 2, 99, "BOOK-3"),
        Filled(ANN, BOB, GOLD, 2, 100, "BOOK-3"),
        Filled(ANN, CY, GOLD, 1, 100, "BOOK-3"),
    ]
    assert orders(outcome.exchange) == {2: 1, 4: 9}


def test_bids_fill_from_the_highest() -> None:
    before = with_book(buys(1, BOB, 2, 98), buys(2, CY, 2, 99), buys(3, DAN, 2, 97))
    outcome = done(before, ask(3, 98))
    assert [event.seller for event in outcome.events if isinstance(event, Filled)] == [ANN, ANN]
    assert [event.price for event in outcome.events if isinstance(event, Filled)] == [99, 98]


def test_what_a_limit_order_leaves_rests_at_its_price() -> None:
    outcome = done(with_book(sells(1, BOB, 2, 99)), bid(5, 100))
    assert outcome.events[-1] == Rested(GOLD, buys(9, ANN, 3, 100), "BOOK-9")
    assert orders(outcome.exchange) == {9: 3}


@pytest.mark.parametrize("kind", [Kind.IOC, Kind.MARKET])
def test_what_an_ioc_or_a_market_order_leaves_goes(kind: Kind) -> None:
    outcome = done(with_book(sells(1, BOB, 2, 99)), bid(5, 100, kind))
    assert outcome.events[-1] == Cancelled(GOLD, OrderId(9), ANN, 3, "BOOK-6")
    assert position(outcome.exchange, ANN) == (2, 198)
    assert orders(outcome.exchange) == {}


@pytest.mark.parametrize("kind", [Kind.IOC, Kind.MARKET])
def test_one_that_meets_nobody_goes_as_a_whole(kind: Kind) -> None:
    outcome = done(with_book(), bid(5, 100, kind))
    assert outcome.events == (Cancelled(GOLD, OrderId(9), ANN, 5, "BOOK-6"),)


@pytest.mark.parametrize("kind", [Kind.LIMIT, Kind.IOC, Kind.MARKET])
def test_what_is_filled_in_full_leaves_nothing(kind: Kind) -> None:
    outcome = done(with_book(sells(1, BOB, 5, 99)), bid(5, 100, kind))
    assert [type(event) for event in outcome.events] == [Filled, Paid, Paid]
    assert orders(outcome.exchange) == {}


def test_a_market_order_takes_any_price() -> None:
    dear, cheap = sells(1, BOB, 1, MAX_PRICE), buys(2, CY, 1, 1)
    rich = holds(10**16)
    before = with_book(dear, ann=rich)
    assert position(done(before, bid(1, 1, Kind.MARKET)).exchange, ANN) == (1, MAX_PRICE)
    before = with_book(cheap, ann=rich)
    assert position(done(before, ask(1, 999, Kind.MARKET)).exchange, ANN) == (-1, -1)


def test_the_price_of_a_market_order_means_nothing() -> None:
    assert position(done(with_book(sells(1, BOB, 1, 99)), bid(1, 0, Kind.MARKET)).exchange, ANN)
    assert refused(with_book(), bid(1, 0)).code == "price_out_of_bounds"


@pytest.mark.parametrize(("price", "rests"), [(99, True), (100, False), (101, False)])
def test_a_post_only_bid_must_not_meet_an_ask(price: int, rests: bool) -> None:
    before = with_book(sells(1, BOB, 5, 100))
    if rests:
        assert orders(done(before, bid(5, price, Kind.POST_ONLY)).exchange) == {1: 5, 9: 5}
    else:
        said = refused(before, bid(5, price, Kind.POST_ONLY))
        assert (said.code, said.phase, said.rule) == ("post_only_would_cross", "match", "BOOK-8")
        assert (
            said.message
            == f"A post-only order at {price} would meet a resting order at 100 (BOOK-8)"
        )


@pytest.mark.parametrize(("price", "rests"), [(101, True), (100, False), (99, False)])
def test_a_post_only_ask_must_not_meet_a_bid(price: int, rests: bool) -> None:
    before = with_book(buys(1, BOB, 5, 100))
    outcome = machine.apply(before, ask(5, price, Kind.POST_ONLY))
    assert isinstance(outcome, Outcome) is rests


def test_a_post_only_order_rests_on_an_empty_book() -> None:
    assert orders(done(with_book(), bid(5, 100, Kind.POST_ONLY)).exchange) == {9: 5}


def test_an_order_of_ones_own_is_taken_off_and_the_taker_goes_on() -> None:
    before = with_book(sells(1, ANN, 2, 98), sells(2, BOB, 2, 99))
    outcome = done(before, bid(3, 100))
    assert outcome.events[0] == Cancelled(GOLD, OrderId(1), ANN, 2, "BOOK-11")
    assert outcome.events[1] == Filled(ANN, BOB, GOLD, 2, 99, "BOOK-3")
    assert orders(outcome.exchange) == {9: 1}


def test_an_order_of_ones_own_beyond_the_limit_stays() -> None:
    assert orders(done(with_book(sells(1, ANN, 2, 101)), bid(3, 100)).exchange) == {1: 2, 9: 3}


def test_a_maker_that_cannot_bear_the_fill_is_taken_off_and_the_taker_goes_on() -> None:
    # Bob's 4 lots need 40
    before = with_book(sells(1, BOB, 4, 99), sells(2, CY, 4, 100), bob=holds(43))
    outcome = done(before, bid(4, 100))
    # sold at 99 he would have 39
    assert outcome.events[0] == Cancelled(GOLD, OrderId(1), BOB, 4, "BOOK-5")
    assert position(outcome.exchange, CY) == (-4, -400)
    assert position(done(with_book(sells(1, BOB, 4, 99), bob=holds(44)), bid(4, 100)).exchange, BOB)


def test_a_reduce_only_maker_with_nothing_to_reduce_is_taken_off() -> None:
    before = with_book(sells(1, BOB, 4, 99, only=True), sells(2, CY, 4, 100))
    outcome = done(before, bid(4, 100))
    assert outcome.events[0] == Cancelled(GOLD, OrderId(1), BOB, 4, "BOOK-7")
    assert position(outcome.exchange, CY) == (-4, -400)


def test_a_reduce_only_maker_fills_as_far_as_it_holds_and_then_goes() -> None:
    before = with_book(
        sells(1, BOB, 4, 99, only=True), sells(2, CY, 4, 100), bob=holds(10_000, (3, 300))
    )
    outcome = done(before, bid(5, 100))
    assert outcome.events[0] == Filled(ANN, BOB, GOLD, 3, 99, "BOOK-3")
    assert outcome.events[3] == Cancelled(GOLD, OrderId(1), BOB, 1, "BOOK-7")
    assert outcome.events[4] == Filled(ANN, CY, GOLD, 2, 100, "BOOK-3")


def test_a_reduce_only_order_fills_as_far_as_it_closes_and_the_rest_goes() -> None:
    before = with_book(sells(1, BOB, 9, 99), ann=holds(10_000, (-3, -300)))
    outcome = done(before, bid(5, 100, only=True))
    assert position(outcome.exchange, ANN) == (0, 0)
    assert outcome.events[-1] == Cancelled(GOLD, OrderId(9), ANN, 2, "BOOK-6")
    assert orders(outcome.exchange) == {1: 6}


def test_a_reduce_only_order_rests_as_a_whole() -> None:
    before = with_book(ann=holds(10_000, (-3, -300)))
    resting = done(before, bid(5, 100, only=True)).exchange.markets[GOLD].orders[OrderId(9)]
    assert resting == buys(9, ANN, 5, 100, only=True)


@pytest.mark.parametrize("size", [0, 3])
def test_a_reduce_only_order_with_nothing_to_reduce_is_refused(size: int) -> None:
    before = with_book(ann=holds(10_000, (size, 100 * size)))
    said = refused(before, bid(5, 100, only=True))
    assert (said.code, said.rule) == ("nothing_to_reduce", "BOOK-7")


def test_a_taker_that_cannot_bear_its_first_fill_is_refused() -> None:
    before = with_book(sells(1, BOB, 9, 101), ann=holds(10))
    said = refused(before, bid(1, 101))
    # bought at 101 it has 9 and needs 10
    assert said == Refused(
        "taker_cannot_bear",
        "margin",
        "BOOK-4",
        "After the fill the taker's equity would be 9, its initial margin 10 (BOOK-4)",
    )


def test_a_taker_that_cannot_bear_a_later_fill_stops_there() -> None:
    # with 20 it can hold 2 lots at 100; the order fills 1, then would fill 4 more
    before = with_book(sells(1, BOB, 1, 100), sells(2, CY, 4, 100), ann=holds(20))
    outcome = done(before, bid(9, 100))
    assert position(outcome.exchange, ANN) == (1, 100)
    assert outcome.events[-1] == Cancelled(GOLD, OrderId(9), ANN, 8, "BOOK-6")
    assert orders(outcome.exchange) == {2: 4}


def test_a_taker_that_has_only_cleared_the_book_stops_too() -> None:
    before = with_book(sells(1, ANN, 1, 99), sells(2, CY, 4, 100), ann=holds(20))
    outcome = done(before, bid(9, 100))
    assert outcome.events == (
        Cancelled(GOLD, OrderId(1), ANN, 1, "BOOK-11"),
        Cancelled(GOLD, OrderId(9), ANN, 9, "BOOK-6"),
    )


def test_a_flip_needs_margin_for_the_other_side() -> None:
    # Ann is long 5 with 50; selling 15 leaves her short 10, which needs 100
    def flip(cash: int) -> Outcome | Refused:
        before = with_book(buys(1, BOB, 15, 100), ann=holds(cash, (5, 500)))
        return machine.apply(before, ask(15, 100))

    outcome = flip(100)
    assert isinstance(outcome, Outcome)
    assert position(outcome.exchange, ANN) == (-10, -1_000)
    assert isinstance(flip(99), Refused)


def test_an_order_in_an_unknown_market_is_refused() -> None:
    said = refused(with_book(), Place(OrderId(9), ANN, MarketId(7), Side.BUY, Kind.LIMIT, 1, 100))
    assert said.code == "unknown_market"


def test_open_lots() -> None:
    before = with_book(sells(1, BOB, 9, 99))
    assert open_lots(before, GOLD, OrderId(1)) == 9
    assert open_lots(before, GOLD, OrderId(2)) == 0


# Who is due, and when.


def test_a_mark_that_makes_nobody_due_only_moves() -> None:
    before = with_book(ann=holds(60, (10, 1_000)))
    # at 99: 50 of 49.5
    assert done(before, SetMark(GOLD, 99)).events == (Marked(GOLD, 99, "MARK-1"),)
    # at 98: 40 of 49
    assert len(done(before, SetMark(GOLD, 98)).events) > 1


def test_funding_can_make_somebody_due() -> None:
    before = with_book(ann=holds(51, (10, 1_000)))
    assert len(done(before, SettleFunding(GOLD, 1_000)).events) == 2
    outcome = done(before, SettleFunding(GOLD, 2_000))
    assert of(outcome.events, "ADL-3")
    require_nobody_due(outcome.exchange)


def test_accounts_are_visited_in_order_and_the_vault_last() -> None:
    before = exchange(
        {
            VAULT: holds(10, (10, 1_000)),
            DAN: holds(10, (10, 1_000)),
            BOB: holds(10, (10, 1_000)),
            EVE: holds(100_000, (-30, -3_000)),
        }
    )
    run = Run(before)
    liquidate_all_due(run)
    sellers = [event.seller for event in run.events if isinstance(event, Filled)]
    assert sellers == [BOB, DAN, VAULT]
    require_nobody_due(run.exchange)


def test_a_visit_is_repeated_until_nobody_is_due() -> None:
    # Bob's loss takes the vault's cash, Cy's too; whoever is made due by that is seen later
    before = exchange(
        {
            ANN: holds(3, (1, 100)),
            BOB: holds(-90, (10, 1_000)),
            CY: holds(52, (-10, -1_000)),
            DAN: holds(1_000, (-1, -100)),
        }
    )
    run = Run(before)
    liquidate_all_due(run)
    require_lawful(run.exchange)
    require_nobody_due(run.exchange)


@given(
    cash=st.lists(st.integers(-40, 120), min_size=4, max_size=4),
    sizes=st.lists(st.integers(-10, 10), min_size=4, max_size=4),
    vault=st.integers(0, 200),
)
def test_who_is_visited_is_who_the_naive_definition_calls_due(
    cash: list[int], sizes: list[int], vault: int
) -> None:
    who = [ANN, BOB, CY, DAN]
    held = {a: holds(c, (s, 100 * s)) for a, c, s in zip(who, cash, sizes, strict=True)}
    before = exchange({VAULT: holds(vault)} | held)
    assume(before.custody >= 0)
    # five per cent of |size| * 100 is 5 * |size|
    due = [a for a, c, s in zip(who, cash, sizes, strict=True) if c < 5 * abs(s)]
    assert [a for a in who if liquidation.is_due(before, a)] == due
    run = Run(before)
    liquidate_all_due(run)
    require_lawful(run.exchange)
    require_nobody_due(run.exchange)
    if not due:
        assert run.exchange == before
        assert run.events == []
    elif sizes[who.index(due[0])]:
        first = next(e for e in run.events if isinstance(e, Filled))
        assert due[0] in (first.buyer, first.seller)


# One liquidation.


def test_all_orders_of_the_account_go_first() -> None:
    before = exchange(
        {ANN: holds(40, (10, 1_000)), BOB: holds(10_000)},
        market(100, buys(5, ANN, 1, 90), sells(2, ANN, 3, 110), buys(3, BOB, 1, 80)),
        market(100, buys(4, ANN, 2, 90)),
    )
    run = Run(before)
    cancel_all_orders(run, ANN)
    assert run.events == [
        Cancelled(GOLD, OrderId(2), ANN, 3, "LIQ-2"),
        Cancelled(GOLD, OrderId(5), ANN, 1, "LIQ-2"),
        Cancelled(OIL, OrderId(4), ANN, 2, "LIQ-2"),
    ]
    assert orders(run.exchange) == {3: 1}
    run = Run(before)
    liquidate_account(run, ANN)
    assert [event.rule for event in run.events[:4]] == ["LIQ-2", "LIQ-2", "LIQ-2", "ADL-3"]


@pytest.mark.parametrize("cancels", [False, True])
def test_whoever_is_closed_by_an_adl_may_lose_its_orders_there(cancels: bool) -> None:
    """Ann owes 1. Bob gives 4 of 5 lots; his bids for gold go, not his for oil, and not Cy's."""
    held = {ANN: holds(-1, (4, 400)), BOB: holds(900, (-5, -600)), CY: holds(900, (-5, -500))}
    gold = market(100, buys(1, BOB, 1, 50), buys(2, CY, 1, 50), buys(3, BOB, 2, 40))
    book_rules = evolve(
        rules(), deleverage_cancels_orders=cancels, waterfall=(Stage.DELEVERAGE, Stage.RESIDUAL)
    )
    run = Run(exchange(held, gold, market(100, buys(4, BOB, 1, 50)), rulebook=book_rules))
    liquidate_account(run, ANN)
    assert position(run.exchange, BOB)[0] == -1
    assert position(run.exchange, CY)[0] == -5
    gone = [
        event.order
        for event in run.events
        if isinstance(event, Cancelled) and event.rule == "ADL-14"
    ]
    assert gone == ([1, 3] if cancels else [])
    assert orders(run.exchange) == ({2: 1} if cancels else {1: 1, 2: 1, 3: 2})
    assert orders(run.exchange, OIL) == {4: 1}


def test_the_last_stage_leaves_orders_alone() -> None:
    """Bob has nothing to bear a loss with, and is closed at the mark."""
    held = {ANN: holds(-9, (4, 400)), BOB: holds(0, (-4, -400)), CY: holds(900)}
    book_rules = evolve(
        rules(), deleverage_cancels_orders=True, waterfall=(Stage.DELEVERAGE, Stage.RESIDUAL)
    )
    run = Run(exchange(held, market(100, buys(1, BOB, 1, 50)), rulebook=book_rules))
    liquidate_account(run, ANN)
    assert "LOSS-1" in [event.rule for event in run.events]
    assert orders(run.exchange) == {1: 1}


def test_the_position_that_needs_most_goes_first() -> None:
    small = exchange({ANN: holds(1, (2, 200), (-3, -300))})
    assert largest_first(small, ANN) == (OIL, GOLD)
    even = exchange({ANN: holds(1, (3, 300), (-3, -300))})
    assert largest_first(even, ANN) == (GOLD, OIL)
    # by margin and not by lots: 2 * 100 against 3 * 50
    dear = exchange({ANN: holds(1, (2, 200), (-3, -150))}, market(100), market(50))
    assert largest_first(dear, ANN) == (GOLD, OIL)


def test_a_liquidation_ends_when_the_account_is_no_longer_due() -> None:
    # gold 10 at 100 and oil 2 at 100: maintenance 60; 55 is too little. Bob bids for 3 of gold.
    before = exchange(
        {ANN: holds(55, (10, 1_000), (2, 200)), BOB: holds(10_000)},
        market(100, buys(1, BOB, 3, 100)),
    )
    run = Run(before)
    liquidate_account(run, ANN)
    assert position(run.exchange, ANN) == (7, 700)
    assert position(run.exchange, ANN, OIL) == (2, 200)
    assert not closable(run.exchange, ANN, GOLD)


def test_the_stages_follow_one_another() -> None:
    # Ann: 10 lots with 40, bankruptcy price 96. Bob's bid takes 2, the vault may hold 3, and
    # Cy, who ranks first among the shorts, is closed for the rest.
    before = exchange(
        {
            VAULT: holds(1_000),
            ANN: holds(40, (10, 1_000)),
            BOB: holds(1_000),
            CY: holds(200, (-10, -1_000)),
        },
        market(100, buys(1, BOB, 2, 97), cap=3),
    )
    run = Run(before)
    liquidate_account(run, ANN)
    # after Bob's fill 34 are left of 8 lots: 4 each
    fills = [event for event in run.events if isinstance(event, Filled)]
    assert fills[0] == Filled(BOB, ANN, GOLD, 2, 97, "LIQ-6")
    # then the account is due still: 34 of 40; the price of 8 lots is 96 (34 / 8 is 4.25)
    assert fills[1] == Filled(VAULT, ANN, GOLD, 3, 96, "VLT-1")
    # 22 are left of 5 lots: 4 each
    assert fills[2] == Filled(CY, ANN, GOLD, 5, 96, "ADL-3")
    assert position(run.exchange, ANN) == (0, 0)
    assert collateral(run.exchange, ANN) == 2


@pytest.mark.parametrize(
    ("stages", "rule"),
    [
        ((Stage.VAULT, Stage.RESIDUAL), "VLT-1"),
        ((Stage.DELEVERAGE, Stage.RESIDUAL), "ADL-3"),
        ((Stage.RESIDUAL,), "LOSS-1"),
        ((Stage.BOOK, Stage.RESIDUAL), "LIQ-6"),
    ],
)
def test_the_rulebook_says_which_stages_there_are(stages: tuple[Stage, ...], rule: str) -> None:
    before = exchange(
        {VAULT: holds(1_000), ANN: holds(40, (10, 1_000)), BOB: holds(5_000, (-10, -1_000))},
        market(100, buys(1, BOB, 10, 97)),
        rulebook=rules(waterfall=stages),
    )
    run = Run(before)
    liquidate_account(run, ANN)
    assert run.events[0].rule == rule
    assert {event.rule for event in run.events if isinstance(event, Filled)} == {rule}


def test_a_step_runs_a_stage_or_goes_on_or_ends() -> None:
    before = exchange({ANN: holds(40, (10, 1_000)), BOB: holds(5_000, (-10, -1_000))})
    run = Run(before)
    step = Progress(ANN, (GOLD,))
    assert advance(run, step) == Progress(ANN, (GOLD,), 1)
    assert run.events == []  # no book
    assert advance(run, Progress(ANN, (GOLD,), 4)) == Progress(ANN, ())
    assert advance(run, Progress(ANN, ())) is None
    assert advance(run, Progress(ANN, (GOLD,), 2)) == Progress(ANN, (GOLD,), 3)
    assert [event.rule for event in run.events] == ["ADL-3"]
    assert advance(run, Progress(ANN, (GOLD,), 3)) == Progress(ANN, ())


def test_the_book_is_used_as_far_as_the_limit() -> None:
    # 40 behind 10 lots: the limit is 96. After 4 at 99, 36 are left behind 6 lots: it is 94.
    before = exchange(
        {ANN: holds(40, (10, 1_000)), BOB: holds(9_000), CY: holds(9_000)},
        market(100, buys(1, BOB, 4, 99), buys(2, CY, 9, 93), buys(3, BOB, 1, 94)),
    )
    run = Run(before)
    close_on_book(run, ANN, GOLD)
    fills = [event for event in run.events if isinstance(event, Filled)]
    # 36 on 600 is more than the maintenance of 30, so the account is safe after the first
    assert fills == [Filled(BOB, ANN, GOLD, 4, 99, "LIQ-6")]


def test_the_limit_moves_with_what_is_left() -> None:
    # 20 behind 10 lots: 98. After 2 at 99 there are 18 behind 8: 2 each, 98 again.
    before = exchange(
        {ANN: holds(20, (10, 1_000)), BOB: holds(9_000), CY: holds(9_000)},
        market(100, buys(1, BOB, 2, 99), buys(2, CY, 9, 97), buys(3, BOB, 1, 98)),
    )
    run = Run(before)
    close_on_book(run, ANN, GOLD)
    fills = [event for event in run.events if isinstance(event, Filled)]
    assert fills == [
        Filled(BOB, ANN, GOLD, 2, 99, "LIQ-6"),
        Filled(BOB, ANN, GOLD, 1, 98, "LIQ-6"),
    ]
    assert orders(run.exchange) == {2: 9}


def test_makers_that_cannot_are_taken_off_during_a_liquidation() -> None:
    before = exchange(
        {ANN: holds(20, (10, 1_000)), BOB: holds(0), CY: holds(9_000), DAN: holds(9_000)},
        market(100, buys(1, BOB, 9, 100), buys(2, CY, 9, 99, only=True), buys(3, DAN, 9, 98)),
    )
    run = Run(before)
    close_on_book(run, ANN, GOLD)
    assert run.events[0] == Cancelled(GOLD, OrderId(1), BOB, 9, "BOOK-5")
    assert run.events[1] == Cancelled(GOLD, OrderId(2), CY, 9, "BOOK-7")
    assert run.events[2] == Filled(DAN, ANN, GOLD, 9, 98, "LIQ-6")


def test_the_vault_takes_what_it_may_and_nothing_when_it_may_not() -> None:
    accounts = {VAULT: holds(1_000), ANN: holds(40, (10, 1_000))}
    run = Run(exchange(accounts, market(100, cap=7)))
    close_into_vault(run, ANN, GOLD)
    assert run.events == [Filled(VAULT, ANN, GOLD, 7, 96, "VLT-1")]
    run = Run(exchange(accounts, market(100, cap=0)))
    close_into_vault(run, ANN, GOLD)
    assert run.events == []


def test_a_deficit_that_the_vault_left_at_the_mark_goes_on_to_the_last_stage() -> None:
    # Ann owes 30. The vault takes her 10 lots at 100, and she still owes 30: Bob and the vault
    # share it by their equities of 500 and 1,000.
    before = exchange(
        {VAULT: holds(1_000), ANN: holds(-30, (10, 1_000)), BOB: holds(500, (-10, -1_000))},
        rulebook=evolve(rules(), takeover_price=TakeoverPrice.MARK),
    )
    run = Run(before)
    liquidate_account(run, ANN)
    assert run.events == [
        Filled(VAULT, ANN, GOLD, 10, 100, "VLT-1"),
        Paid(VAULT, ANN, 20, "LOSS-3"),
        Paid(BOB, ANN, 10, "LOSS-3"),
    ]


def test_a_vault_that_carries_no_more_of_a_deficit_leaves_the_rest_to_the_winners() -> None:
    # Each lot lacks 3. With 200 the vault brings 3 and needs 10 for each: 15 lots and no more.
    before = exchange(
        {VAULT: holds(200), ANN: holds(-60, (20, 2_000)), BOB: holds(5_000, (-20, -2_000))},
        rulebook=evolve(rules(), takeover_price=TakeoverPrice.WITH_MARGIN),
    )
    run = Run(before)
    liquidate_account(run, ANN)
    assert run.events == [
        Filled(VAULT, ANN, GOLD, 15, 100, "VLT-1"),
        Paid(VAULT, ANN, 45, "VLT-22"),
        Filled(BOB, ANN, GOLD, 5, 103, "ADL-3"),
    ]


def test_the_vaults_own_waterfall_skips_the_vault() -> None:
    before = exchange({VAULT: holds(10, (10, 1_000)), BOB: holds(5_000, (-10, -1_000))})
    run = Run(before)
    liquidate_account(run, VAULT)
    assert [event.rule for event in run.events if isinstance(event, Filled)] == ["ADL-3"]


def test_winners_are_closed_in_order_each_as_far_as_it_can_bear() -> None:
    # Ann owes 30 on 10 lots: 103. Bob ranks first (7 up of 107 each, little equity), bears
    # floor(10 / 3) = 3; Cy, next, is asked for the other 7.
    before = exchange(
        {
            ANN: holds(-30, (10, 1_000)),
            BOB: holds(-25, (-5, -535)),
            CY: holds(1_000, (-20, -2_000)),
        },
        market(100),
    )
    assert equity(before, BOB) == 10
    run = Run(before)
    close_against_winners(run, ANN, GOLD)
    # 3 lots at 103 leave Ann at -21 on 7: 103 again
    assert run.events == [
        Filled(BOB, ANN, GOLD, 3, 103, "ADL-3"),
        Filled(CY, ANN, GOLD, 7, 103, "ADL-3"),
    ]


def test_who_can_bear_nothing_is_passed_over() -> None:
    before = exchange(
        {ANN: holds(-30, (10, 1_000)), BOB: holds(-33, (-5, -535)), CY: holds(9, (-5, -500))}
    )
    run = Run(before)
    close_against_winners(run, ANN, GOLD)
    assert run.events == [Filled(CY, ANN, GOLD, 3, 103, "ADL-3")]
    assert position(run.exchange, ANN) == (7, 700)


def test_what_nobody_can_bear_is_closed_at_the_mark_and_the_loss_is_shared() -> None:
    before = exchange(
        {
            TREASURY: holds(30),
            ANN: holds(-30, (10, 1_000)),
            BOB: holds(2, (-6, -600)),
            CY: holds(1, (-4, -400)),
        }
    )
    run = Run(before)
    liquidate_account(run, ANN)
    assert run.events == [
        Filled(BOB, ANN, GOLD, 6, 100, "LOSS-1"),
        Filled(CY, ANN, GOLD, 4, 100, "LOSS-1"),
        # 30 over 30, 2, 1: 27.3, then 2 * 2/3, then 0
        Paid(TREASURY, ANN, 28, "LOSS-3"),
        Paid(BOB, ANN, 2, "LOSS-3"),
    ]
    assert collateral(run.exchange, ANN) == 0


def test_at_the_mark_each_is_closed_as_far_as_it_holds() -> None:
    before = exchange(
        {ANN: holds(-30, (10, 1_000)), BOB: holds(2, (-6, -600)), CY: holds(1, (-9, -900))}
    )
    run = Run(before)
    close_at_mark(run, ANN, GOLD)
    assert [e.lots for e in run.events if isinstance(e, Filled)] == [9, 1]
    assert position(run.exchange, ANN) == (0, 0)


def test_nobody_is_closed_who_is_no_longer_due() -> None:
    # 48 on 10 lots: maintenance 50; at 100 Bob's closing of 4 leaves 48 on 30
    before = exchange(
        {ANN: holds(48, (10, 1_000)), BOB: holds(500, (-4, -400)), CY: holds(500, (-6, -600))},
        rulebook=rules(waterfall=(Stage.RESIDUAL,)),
    )
    run = Run(before)
    liquidate_account(run, ANN)
    assert position(run.exchange, ANN)[0] > 0
    assert len([e for e in run.events if isinstance(e, Filled)]) == 1


# Unwinding.


@pytest.mark.parametrize(
    ("size", "maker", "filled"),
    [
        (10, buys(1, BOB, 4, 100), 4),
        (10, buys(1, BOB, 4, 101), 4),
        (10, buys(1, BOB, 4, 99), 0),
        (-10, sells(1, BOB, 4, 100), 4),
        (-10, sells(1, BOB, 4, 99), 4),
        (-10, sells(1, BOB, 4, 101), 0),
        (10, buys(1, BOB, 40, 100), 10),
    ],
)
def test_the_vault_unwinds_at_the_mark_or_better(size: int, maker: Order, filled: int) -> None:
    before = exchange(
        {VAULT: holds(1_000, (size, 100 * size)), BOB: holds(10_000)}, market(100, maker)
    )
    outcome = done(before, Unwind(GOLD, OrderId(5)))
    assert abs(position(outcome.exchange, VAULT)[0]) == 10 - filled
    if filled < 10:
        left = Cancelled(GOLD, OrderId(5), VAULT, 10 - filled, "BOOK-6")
        assert outcome.events[-1] == left
    assert 5 not in orders(outcome.exchange)


def test_the_vault_offers_no_more_than_an_order_may_name() -> None:
    size = 10**12 + 7
    before = exchange({VAULT: holds(10**30, (size, 100 * size))})
    outcome = done(before, Unwind(GOLD, OrderId(5)))
    assert outcome.events == (Cancelled(GOLD, OrderId(5), VAULT, 10**12, "BOOK-6"),)


def test_a_vault_without_a_position_has_nothing_to_unwind() -> None:
    said = refused(exchange({}), Unwind(GOLD, OrderId(5)))
    assert said.code == "nothing_to_reduce"
    assert "0 lots" in said.message
    assert refused(exchange({}), Unwind(MarketId(7), OrderId(5))).code == "unknown_market"


def test_funding_is_checked_before_anybody_pays() -> None:
    before = exchange({}, rulebook=rules(funding_cap=10))
    assert refused(before, SettleFunding(MarketId(7), 10)).code == "unknown_market"
    assert refused(before, SettleFunding(GOLD, 11)).code == "funding_rate_out_of_bounds"
    assert done(before, SettleFunding(GOLD, 10)).events == ()


# The end of a market.


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(-9, 9)), min_size=1, max_size=7),
    st.integers(90, 110),
)
def test_a_settled_market_holds_no_position_and_no_order(
    holders: list[tuple[int, int]], price: int
) -> None:
    accounts = {
        AccountId(10 + i): holds(cash + 200, (size, size * price), (1, 100))
        for i, (cash, size) in enumerate(holders)
    }
    before = exchange(
        accounts, market(100, buys(1, ANN, 2, 90), sells(2, BOB, 3, 120)), market(100)
    )
    outcome = done(before, SettleMarket(GOLD))
    after = outcome.exchange
    assert all(position(after, account) == (0, 0) for account in after.accounts)
    assert len(after.markets[GOLD].orders) == 0
    assert after.markets[GOLD].open_interest == 0
    for account in before.accounts:
        assert equity(after, account) == equity(before, account)
        assert position(after, account, OIL) == position(before, account, OIL)
    gone = [(e.order, e.rule) for e in outcome.events if isinstance(e, Cancelled)]
    assert gone == [(1, "SET-3"), (2, "SET-3")]
    fills = [event for event in outcome.events if isinstance(event, Filled)]
    assert all((fill.price, fill.rule) == (100, "SET-2") for fill in fills)
    sellers = [fill.seller for fill in fills]
    assert sellers == sorted(sellers), "the first long first"
    assert refused(after, SettleMarket(GOLD)).code == "settling"


# A liquidation in parts, and the vault behind each fill.


def closing(**choices: Any) -> Rulebook:
    return evolve(rules(), **choices)


@pytest.mark.parametrize(
    ("share", "whole", "sold"),
    [
        (1_000_000, 0, [10]),
        (200_000, 0, [2, 8]),
        (200_001, 0, [3, 7]),  # a share is rounded up
        (1, 0, [1, 9]),
        (1, 920, [10]),  # 10 lots at 92 are worth just so much
        (1, 919, [1, 9]),
    ],
)
def test_a_share_is_sold_first_and_then_the_rest(share: int, whole: int, sold: list[int]) -> None:
    """At 92 Ann is due, and 90 is what she can just pay: one order stays due after any part."""
    before = exchange(
        {ANN: holds(100, (10, 1_000)), BOB: holds(5_000)},
        market(92, buys(1, BOB, 50, 90)),
        rulebook=closing(liquidation_share=share, liquidation_whole=whole),
    )
    run = Run(before)
    liquidate_account(run, ANN)
    assert [event.lots for event in run.events if isinstance(event, Filled)] == sold


def test_after_the_first_part_an_account_that_is_no_longer_due_keeps_the_rest() -> None:
    before = exchange(
        {ANN: holds(100, (10, 1_000)), BOB: holds(5_000)},
        market(94, buys(1, BOB, 50, 94)),
        rulebook=closing(liquidation_share=200_000),
    )
    run = Run(before)
    liquidate_account(run, ANN)
    assert position(run.exchange, ANN) == (8, 800)  # 40 against 37.6


@pytest.mark.parametrize(("vault", "paid"), [(60, 60), (59, 0)])
def test_the_vault_stands_behind_a_fill_as_far_as_it_has_cash(vault: int, paid: int) -> None:
    """At 88 Ann owes 20: bankrupt at 90, limit at 88 - 4; ten lots at 84 lack 60."""
    before = exchange(
        {VAULT: holds(vault), ANN: holds(100, (10, 1_000)), BOB: holds(5_000)},
        market(88, buys(1, BOB, 50, 84), cap=0),
        rulebook=closing(
            liquidation_limit=LiquidationLimit.FILLABLE,
            liquidation_adjustment=1_000_000,
            liquidation_spread=1_000_000,
        ),
    )
    run = Run(before)
    liquidate_account(run, ANN)
    made_good = [e.amount for e in run.events if isinstance(e, Paid) and e.rule == "VLT-8"]
    assert made_good == ([paid] if paid else [])
    assert equity(run.exchange, VAULT) == vault - paid
    fills = {e.rule for e in run.events if isinstance(e, Filled)}
    assert fills == ({"LIQ-6"} if paid else {"ADL-3"})


def test_a_vault_that_is_liquidated_is_offered_at_its_bankruptcy_price() -> None:
    before = exchange(
        {VAULT: holds(100, (10, 1_000)), BOB: holds(5_000)},
        market(92, buys(1, BOB, 5, 89), buys(2, BOB, 5, 90)),
        rulebook=closing(
            liquidation_limit=LiquidationLimit.FILLABLE,
            liquidation_adjustment=9_000_000,
            liquidation_spread=1_000_000,
        ),
    )
    run = Run(before)
    liquidate_account(run, VAULT)
    book_fills = [e for e in run.events if isinstance(e, Filled) and e.rule == "LIQ-6"]
    assert [(fill.price, fill.lots) for fill in book_fills] == [(90, 5)]


# Funding by premium.


@pytest.mark.parametrize(
    ("premiums", "expected", "rate"),
    [
        ([], 0, 100),  # no premium: drawn to the interest
        ([1_000], 0, 500),  # 1,000 less a damper of 500
        ([1_000, 1_001], 0, 500),  # the mean 1,000.5 is rounded towards zero
        ([-1_000, -1_001], 0, -500),
        ([1_000], 2, 100),  # one is missing: 500, within 500 of the interest
        ([100_000], 0, 7_500),  # the cap
        ([-100_000], 0, -7_500),
    ],
)
def test_premiums_make_a_rate(premiums: list[int], expected: int, rate: int) -> None:
    book = closing(
        funding_cap=7_500, funding_interest=100, funding_damper=500, funding_samples=expected
    )
    held = {ANN: holds(10**6, (1_000, 100_000)), BOB: holds(10**6, (-1_000, -100_000))}
    before = exchange(held, market(100), rulebook=book)
    for premium in premiums:
        before = done(before, SamplePremium(GOLD, premium)).exchange
    assert before.markets[GOLD].samples == len(premiums)
    settled = done(before, SettlePremium(GOLD))
    at_once = done(exchange(held, market(100), rulebook=book), SettleFunding(GOLD, rate))
    assert settled.events == at_once.events
    assert settled.exchange.markets == at_once.exchange.markets, "a new period begins"


# From anywhere.

ENTRIES = st.integers(60, 140)

DELEVERAGING: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    deleverage_ranking=st.sampled_from(Ranking),
    deleverage_price=st.sampled_from(ForcedPrice),
    deleverage_gap=st.sampled_from([0, 50_000, 300_000]),
    deleverage_only_insolvent=st.booleans(),
    deleverage_never_riskier=st.booleans(),
)
"""Any way to deleverage, safe or not."""

LIQUIDATING: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    vault_trigger=st.sampled_from([1, 300_000, 666_667, 1_000_000]),
    takeover_price=st.sampled_from(TakeoverPrice),
    vault_notional_cap=st.sampled_from([0, 1_000_000, 5_000_000]),
    liquidation_share=st.sampled_from([1, 200_000, 1_000_000]),
    liquidation_whole=st.sampled_from([0, 300]),
    liquidation_size=st.sampled_from(LiquidationSize),
    liquidation_buffer=st.sampled_from([0, 20_000, 500_000]),
    liquidation_step=st.sampled_from([200_000, 1_000_000]),
    liquidation_target=st.sampled_from([900_000, 1_000_000]),
    bankruptcy_price=st.sampled_from(BankruptcyPrice),
    liquidation_fee=st.sampled_from([0, 20_000]),
    liquidation_fee_bound=st.sampled_from(FeeBound),
    liquidation_surplus=st.sampled_from([0, 500_000, 1_000_000]),
    liquidation_limit=st.sampled_from(LiquidationLimit),
    liquidation_adjustment=st.sampled_from([1, 1_000_000, 5_000_000]),
    liquidation_spread=st.sampled_from([1, 100_000, 1_000_000]),
    deleverage_sharing=st.sampled_from(Sharing),
    deleverage_weight=st.sampled_from(ShareWeight),
    fund_trigger=st.sampled_from(FundTrigger),
    fund_begins=st.sampled_from([0, 300_000]),
    halt_on_loss=st.booleans(),
    withdrawal_gate=st.sampled_from([0, 7]),
    loss_sharing=st.sampled_from(LossSharing),
    note_paid_in=st.just(True),
    fee_rounding=st.sampled_from(Rounding),
)
"""Any way to liquidate, and to share what is left."""

TIERS = ((), (Tier(300, 500_000, 250_000),), (Tier(100, 200_000, 60_000), Tier(500, 10**6, 10**6)))


@given(
    cash=st.lists(st.integers(-150, 200), min_size=4, max_size=4),
    gold=st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    oil=st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    entries=st.lists(st.tuples(ENTRIES, ENTRIES), min_size=4, max_size=4),
    vault=st.integers(0, 150),
    cap=st.sampled_from([0, 4, 50]),
    bid=st.integers(80, 110),
    ask=st.integers(90, 120),
    before_last=st.integers(50, 150),
    way=st.one_of(st.just({}), DELEVERAGING),
    closing=st.one_of(st.just({}), LIQUIDATING),
    tiers=st.sampled_from(TIERS),
)
def test_the_waterfall_leaves_everybody_solvent_and_nobody_due(
    cash: list[int],
    gold: list[int],
    oil: list[int],
    entries: list[tuple[int, int]],
    vault: int,
    cap: int,
    bid: int,
    ask: int,
    before_last: int,
    way: dict[str, Any],
    closing: dict[str, Any],
    tiers: tuple[Tier, ...],
) -> None:
    """From any lawful state, however bad, however closed, over two markets with a book."""
    rulebook = evolve(rules(maker=200, liquidation=10_000), **way, **closing)
    assume(is_price_safe(rulebook))
    sizes = zip([*gold, -sum(gold)], [*oil, -sum(oil)], strict=True)
    held = {VAULT: holds(vault)}
    for who, money, (g, o), (entry, other) in zip(
        [ANN, BOB, CY, DAN], cash, sizes, entries, strict=True
    ):
        held[who] = holds(money, (g, g * entry), (o, o * other))
    gold_market = market(100, buys(1, BOB, 5, bid), sells(2, CY, 5, max(ask, bid + 1)), cap=cap)
    before = exchange(
        held,
        evolve(gold_market, previous_mark=before_last, tiers=tiers),
        market(77, initial=150_000, maintenance=66_667, cap=cap),
        rulebook=rulebook,
    )
    assume(before.custody >= 0)
    assert all(account != REST for account in before.accounts)
    run = Run(before)
    liquidate_all_due(run)
    require_lawful(run.exchange)
    require_nobody_due(run.exchange)
    assert run.exchange.custody == before.custody
    for account in before.accounts:
        if equity(before, account) >= 0:
            continue
        # a debtor ends with nothing, or with the dust of its rounding and what the book gave
        assert equity(run.exchange, account) >= 0
    shared = [event for event in run.events if event.rule == "LOSS-3"]
    assert all(isinstance(event, Paid) and event.amount > 0 for event in shared)
