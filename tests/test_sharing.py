"""An ADL that closes everybody in proportion, and losses that are shared by other weights."""

from __future__ import annotations

from fractions import Fraction

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.machine import InvalidTerms, opened
from perpref.outcome import Filled, Paid
from perpref.rules.margin import equity, unrealised_profit
from perpref.scheduler import Run, close_against_winners, socialise_deficit
from perpref.state import Chooser, Exchange, LossSharing, Sharing
from perpref.units import AccountId
from tests.exchanges import ANN, GOLD, exchange, holds, market, position, rules

FIRST = 10
PRO_RATA = evolve(rules(), deleverage_sharing=Sharing.PRO_RATA)


def facing(long: int, shorts: list[int], cash: int, owes: int = 1) -> Exchange:
    """Ann is long and owes so much a lot; others are short by so many lots, and one balances."""
    others = {AccountId(FIRST + i): holds(cash, (-n, -n * 100)) for i, n in enumerate(shorts)}
    rest = sum(shorts) - long
    balance = {AccountId(999): holds(10**9, (rest, rest * 100))} if rest else {}
    return evolve(
        exchange({ANN: holds(-long * owes, (long, long * 100)), **others, **balance}, market(100)),
        rulebook=PRO_RATA,
    )


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.data())
def test_everybody_is_closed_in_proportion_as_far_as_it_can_bear(
    shorts: list[int], data: st.DataObject
) -> None:
    long = data.draw(st.integers(1, sum(shorts)))
    run = Run(facing(long, shorts, 10**6))
    close_against_winners(run, ANN, GOLD)
    assert position(run.exchange, ANN)[0] == 0
    for place, size in enumerate(shorts):
        left = -position(run.exchange, AccountId(FIRST + place))[0]
        exact = Fraction(long * size, sum(shorts))
        assert abs(size - left - exact) < 1, "less than a lot from its exact part"


def test_what_somebody_cannot_bear_is_for_the_queue() -> None:
    """Ann owes 50 for 10 lots, 5 on each; the first has 10 and bears 2 of its half."""
    before = facing(10, [10, 10], 1_000, owes=5)
    poor = before.accounts[AccountId(FIRST)]
    before = evolve(
        before, accounts=before.accounts.put(AccountId(FIRST), evolve(poor, collateral=10))
    )
    run = Run(before)
    close_against_winners(run, ANN, GOLD)
    closed = [(e.buyer, e.lots) for e in run.outcome().events if isinstance(e, Filled)]
    assert closed[0] == (AccountId(FIRST), 2)
    assert sum(lots for who, lots in closed if who == AccountId(FIRST + 1)) == 8
    assert equity(run.exchange, AccountId(FIRST)) == 0


def test_in_proportion_nobody_chooses() -> None:
    with pytest.raises(InvalidTerms, match="ADL-8"):
        opened(evolve(PRO_RATA, counterparty=Chooser.ENGINE), [])


holders = st.lists(st.tuples(st.integers(-200, 500), st.integers(-9, 9)), min_size=1, max_size=7)


@given(holders, st.sampled_from((LossSharing.NOTIONAL, LossSharing.GAINS)), st.data())
def test_a_policy_shares_a_loss_first_and_equity_what_is_left(
    accounts: list[tuple[int, int]], sharing: LossSharing, data: st.DataObject
) -> None:
    """Lots cost 100 and are worth 120: longs have gained, shorts lost. The lot count balances."""
    net = sum(size for _, size in accounts)
    held = {
        AccountId(FIRST + i): holds(max(cash, 0) + 200 * (size < 0), (size, size * 100))
        for i, (cash, size) in enumerate(accounts)
    }
    held[AccountId(999)] = holds(50_000, (-net, -net * 100))
    has = sum(holder.collateral for holder in held.values())
    deficit = data.draw(st.integers(1, has))
    before = evolve(
        exchange({ANN: holds(-deficit), **held}, market(120)),
        rulebook=evolve(rules(), loss_sharing=sharing),
    )
    run = Run(before)
    socialise_deficit(run, ANN)
    assert equity(run.exchange, ANN) == 0
    paid = [event for event in run.outcome().events if isinstance(event, Paid)]
    assert sum(event.amount for event in paid) == deficit
    first = [event.rule == "LOSS-10" for event in paid]
    assert first == sorted(first, reverse=True), "what is left comes last"
    for event in paid:
        was = equity(before, event.payer)
        assert event.amount <= was
        assert equity(run.exchange, event.payer) >= 0
        if event.rule == "LOSS-10" and sharing is LossSharing.GAINS:
            assert unrealised_profit(before, event.payer) > 0
    gains = {a: max(unrealised_profit(before, a), 0) for a in held}
    enough = all(equity(before, a) >= gains[a] for a in held)
    if sharing is LossSharing.GAINS and enough and deficit <= sum(gains.values()):
        assert all(event.rule == "LOSS-10" for event in paid), "profits alone suffice"
