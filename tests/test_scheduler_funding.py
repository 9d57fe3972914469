"""Funding that is settled when an account is touched, and not before (FUND-11, FUND-12)."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref import machine
from perpref.machine import (
    Deposit,
    Place,
    SamplePremium,
    SetMark,
    SettleFunding,
    SettleMarket,
    SettlePremium,
    Transfer,
    Withdraw,
)
from perpref.outcome import Filled, Outcome, Paid, Refused
from perpref.rules.margin import equity, health
from perpref.state import VAULT, Exchange, Kind, SelfTrade, Side
from perpref.units import PARTS, AccountId, OrderId, Rounding
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
    rules,
    sells,
)

LAZY = evolve(rules(funding_cap=PARTS), funding_on_touch=True)


def three(**terms: object) -> Exchange:
    """Ann is long by 7 lots, against Bob's 4 and Cy's 3, at a mark of 100."""
    held = {ANN: holds(900, (7, 700)), BOB: holds(900, (-4, -400)), CY: holds(900, (-3, -300))}
    changed: dict[str, object] = dict(terms)
    return exchange(held, market(100), rulebook=evolve(LAZY, **changed))  # type: ignore[arg-type]


def by_touch(outcome: Outcome) -> list[Paid]:
    return [e for e in outcome.events if isinstance(e, Paid) and e.rule == "FUND-12"]


def test_nobody_pays_before_he_is_touched() -> None:
    before = three()
    outcome = done(before, SettleFunding(GOLD, 10_000))
    assert outcome.events == ()
    assert outcome.exchange.accounts == before.accounts
    assert outcome.exchange.markets[GOLD].funding_index == 100 * 10_000
    taken = done(outcome.exchange, Withdraw(ANN, 5))
    assert by_touch(taken) == [Paid(ANN, VAULT, 7, "FUND-12")]
    assert collateral(taken.exchange, ANN) == 900 - 7 - 5
    assert collateral(taken.exchange, BOB) == 900
    again = done(taken.exchange, Withdraw(ANN, 5))
    assert by_touch(again) == [], "settled to the index of now"


def test_who_pays_cash_out_is_touched_and_who_gets_it_is_not() -> None:
    before = done(three(), SettleFunding(GOLD, 10_000)).exchange
    outcome = done(before, Transfer(BOB, ANN, 1))
    assert by_touch(outcome) == [Paid(VAULT, BOB, 4, "FUND-12")]


def test_cash_that_is_owed_does_not_leave() -> None:
    before = done(three(), SettleFunding(GOLD, 500_000)).exchange
    free = health(before, ANN)
    refused = machine.apply(before, Withdraw(ANN, free.equity - free.initial))
    assert isinstance(refused, Refused)
    assert refused.code == "not_withdrawable"


def test_to_touch_the_vault_is_to_touch_everybody_itself_last() -> None:
    start = three()
    start = evolve(start, accounts=start.accounts.put(VAULT, holds(100)), custody=2_800)
    before = done(start, SettleFunding(GOLD, 10_000)).exchange
    outcome = done(before, Withdraw(VAULT, 1))
    assert [(e.payer, e.payee, e.amount) for e in by_touch(outcome)] == [
        (ANN, VAULT, 7),
        (VAULT, BOB, 4),
        (VAULT, CY, 3),
    ]
    assert outcome.exchange.accounts[VAULT].funded[GOLD] == 10**6
    assert OIL not in outcome.exchange.accounts[ANN].funded, "its index has not moved"


def test_both_sides_are_touched_before_they_trade() -> None:
    start = three()
    resting = sells(1, BOB, 2, 100)
    listed = evolve(start.markets[GOLD], orders=start.markets[GOLD].orders.put(OrderId(1), resting))
    start = evolve(start, markets=start.markets.put(GOLD, listed), last_order=OrderId(1))
    before = done(start, SettleFunding(GOLD, 10_000)).exchange
    bid = Place(OrderId(2), ANN, GOLD, Side.BUY, Kind.LIMIT, 2, 100)
    outcome = done(before, bid)
    kinds = [(type(e), e.rule) for e in outcome.events if not isinstance(e, Paid) or e.amount]
    assert kinds == [(Paid, "FUND-12"), (Paid, "FUND-12"), (Filled, "BOOK-3")]
    later = done(outcome.exchange, SetMark(GOLD, 100))
    assert [e.payer for e in by_touch(later)] == [VAULT], "only Cy is left"
    assert collateral(later.exchange, ANN) == 900 - 7, "the new lots owe nothing of before"


def test_a_touch_alone_is_no_act_of_an_order() -> None:
    """It meets its own account's order, which is kept: refused, and the touch is undone too."""
    start = three(self_trade=SelfTrade.INCOMING)
    listed = evolve(
        start.markets[GOLD], orders=start.markets[GOLD].orders.put(OrderId(1), buys(1, ANN, 1, 100))
    )
    start = evolve(start, markets=start.markets.put(GOLD, listed), last_order=OrderId(1))
    before = done(start, SettleFunding(GOLD, 10_000)).exchange
    refused = machine.apply(before, Place(OrderId(2), ANN, GOLD, Side.SELL, Kind.LIMIT, 1, 100))
    assert isinstance(refused, Refused)
    assert refused.code == "self_trade"


def test_what_has_accrued_liquidates_when_the_mark_is_said() -> None:
    held = {ANN: holds(100, (8, 800)), BOB: holds(900, (-8, -800))}
    before = exchange(held, market(100), rulebook=LAZY)
    for _ in range(8):
        before = done(before, SettleFunding(GOLD, 10_000)).exchange
    assert position(before, ANN) == (8, 800)
    after = done(before, SetMark(GOLD, 100)).exchange
    assert position(after, ANN) == (0, 0)


def test_a_market_ends_without_anything_outstanding() -> None:
    """Ann owes 120 of her 100: she is liquidated, and nobody is paid out of nothing."""
    held = {ANN: holds(100, (8, 800)), BOB: holds(900, (-8, -800))}
    before = exchange(held, market(100), rulebook=LAZY)
    for _ in range(15):
        before = done(before, SettleFunding(GOLD, 10_000)).exchange
    after = done(before, SettleMarket(GOLD)).exchange
    assert 0 <= equity(after, ANN) < 8, "dust"
    assert position(after, BOB) == (0, 0)
    assert sum(collateral(after, who) for who in (ANN, BOB, VAULT)) == 1_000


RATES = st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=6)


@given(RATES, st.lists(st.sampled_from([ANN, BOB, CY, None]), max_size=6))
def test_settling_on_touch_is_settling_at_once_but_for_a_quantum_each(
    rates: list[int], touched: list[AccountId | None]
) -> None:
    lazy, eager = three(), three(funding_on_touch=False)
    for at, rate in enumerate(rates):
        lazy = done(lazy, SettleFunding(GOLD, rate)).exchange
        eager = done(eager, SettleFunding(GOLD, rate)).exchange
        who = touched[at] if at < len(touched) else None
        if who is not None:
            lazy = done(lazy, Withdraw(who, 1)).exchange
            eager = done(eager, Withdraw(who, 1)).exchange
    lazy, eager = (done(state, SetMark(GOLD, 100)).exchange for state in (lazy, eager))
    for account in (ANN, BOB, CY):
        saved = collateral(lazy, account) - collateral(eager, account)
        assert 0 <= saved <= len(rates) - 1
    assert lazy.custody == eager.custody


def backed(**terms: object) -> Exchange:
    """The same, with a vault that can pay the dust."""
    return done(three(**terms), Deposit(VAULT, 100)).exchange


@given(RATES, st.sampled_from(Rounding))
def test_in_any_direction_touching_and_settling_at_once_part_by_a_quantum_each(
    rates: list[int], rounding: Rounding
) -> None:
    lazy, eager = (
        backed(funding_rounding=rounding, funding_on_touch=late) for late in (True, False)
    )
    for rate in rates:
        lazy = done(lazy, SettleFunding(GOLD, rate)).exchange
        eager = done(eager, SettleFunding(GOLD, rate)).exchange
    lazy, eager = (done(state, SetMark(GOLD, 100)).exchange for state in (lazy, eager))
    for account in (ANN, BOB, CY):
        saved = collateral(lazy, account) - collateral(eager, account)
        assert abs(saved) <= len(rates) - 1
        assert saved >= 0 or rounding is not Rounding.UP
        assert saved <= 0 or rounding is not Rounding.DOWN


def test_towards_zero_touching_may_cost_either_side_of_settling_at_once() -> None:
    # 0.7 and 0.7 are 1.4, a quantum more than nothing twice, to be paid or to be received
    for rates, more in (([1_000, 1_000], 1), ([-1_000, -1_000], -1)):
        lazy, eager = (
            backed(funding_rounding=Rounding.TOWARDS_ZERO, funding_on_touch=late)
            for late in (True, False)
        )
        for rate in rates:
            lazy = done(lazy, SettleFunding(GOLD, rate)).exchange
            eager = done(eager, SettleFunding(GOLD, rate)).exchange
        lazy = done(lazy, SetMark(GOLD, 100)).exchange
        assert collateral(eager, ANN) - collateral(lazy, ANN) == more


def test_capped_funding_by_premium_pays_receivers_last() -> None:
    before = three(funding_on_touch=False, funding_receivers_capped=True, funding_cap=10_000)
    before = done(before, SamplePremium(GOLD, -10_000)).exchange
    events = done(before, SettlePremium(GOLD)).events
    paid = [event for event in events if isinstance(event, Paid)]
    assert paid == [
        Paid(BOB, VAULT, 4, "FUND-3"),
        Paid(CY, VAULT, 3, "FUND-3"),
        Paid(VAULT, ANN, 7, "FUND-14"),
    ]
