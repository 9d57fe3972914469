"""Around a loss: a fund that must have fallen, a debt that is carried, gates and halts."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from perpref import machine
from perpref.machine import AdvanceClock, Deposit, ResumeMarket, SetMark, Transfer, Withdraw
from perpref.outcome import CashMoved, Filled, Paid, Refused
from perpref.rule_registry import Refusal
from perpref.rules import ledger, loss
from perpref.rules.margin import equity
from perpref.state import VAULT, Exchange, ForcedPrice, FundTrigger, Stage
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
    rules,
)

NO_VAULT = (Stage.BOOK, Stage.DELEVERAGE, Stage.RESIDUAL)


def owes(vault: int = 0, **terms: Any) -> Exchange:
    """Ann is long by 10 lots at 100 with 120 behind them, Bob short of them; Cy has cash."""
    held = {
        VAULT: holds(vault),
        ANN: holds(120, (10, 1_000)),
        BOB: holds(130, (-10, -1_000)),
        CY: holds(500),
    }
    chosen = evolve(rules(waterfall=NO_VAULT), **terms)
    return exchange(held, market(100), rulebook=chosen)


def closed_by(before: Exchange) -> set[str]:
    """The rules by which lots were closed when gold falls to 60: Ann then owes 280."""
    outcome = done(before, SetMark(GOLD, 60))
    return {event.rule for event in outcome.events if isinstance(event, Filled)}


@pytest.mark.parametrize(
    ("trigger", "vault", "rule"),
    [
        (FundTrigger.NONE, 500, "ADL-3"),
        (FundTrigger.EMPTY, 0, "ADL-3"),
        (FundTrigger.EMPTY, 1, "LOSS-1"),
        (FundTrigger.DRAWDOWN, 1, "LOSS-1"),
    ],
)
def test_winners_are_closed_when_the_fund_has_fallen(
    trigger: FundTrigger, vault: int, rule: str
) -> None:
    before = owes(vault, fund_trigger=trigger, fund_begins=300_000, fund_ends=200_000)
    assert rule in closed_by(before)
    assert closed_by(before) <= {"ADL-3", "LOSS-1"}


@pytest.mark.parametrize(("taken", "rule"), [(299, "LOSS-1"), (300, "ADL-3")])
def test_a_drawdown_is_measured_from_the_best_of_the_window(taken: int, rule: str) -> None:
    terms = {"fund_begins": 300_000, "fund_ends": 200_000, "fund_window": 10}
    before = owes(1_000, fund_trigger=FundTrigger.DRAWDOWN, **terms)
    before = done(before, SetMark(GOLD, 100)).exchange
    assert (before.fund_best, before.fund_drawn_down) == (1_000, False)
    before = done(before, Withdraw(VAULT, taken)).exchange
    assert rule in closed_by(before)
    later = done(before, AdvanceClock(11)).exchange
    assert later.fund_best == 1_000 - taken, "another window"
    assert "ADL-3" not in closed_by(later)


def test_a_drawdown_ends_shallower_than_it_begins() -> None:
    terms = {"fund_begins": 300_000, "fund_ends": 200_000, "fund_window": 10}
    state = owes(1_000, fund_trigger=FundTrigger.DRAWDOWN, **terms)
    seen = []
    for change in (0, -300, 99, 1, 1):
        if change:
            command = Deposit(VAULT, change) if change > 0 else Withdraw(VAULT, -change)
            state = done(state, command).exchange
        state = done(state, SetMark(GOLD, 100)).exchange
        seen.append(state.fund_drawn_down)
    assert seen == [False, True, True, True, False], "a fall of 201, of 200, and of 199"


AT_MARK: dict[str, Any] = {"deleverage_price": ForcedPrice.MARK}
"""Winners keep their gains, so that all that Ann lacks is left at the end."""


def carried() -> Exchange:
    """Gold has fallen to 60, and the vault carries what Ann could not pay."""
    before = owes(100, carry_bad_debt=True, withdrawal_haircut=True, **AT_MARK)
    return done(before, SetMark(GOLD, 60)).exchange


def test_a_loss_is_carried_by_the_vault_and_by_nobody_else() -> None:
    before = owes(100, carry_bad_debt=True, **AT_MARK)
    outcome = done(before, SetMark(GOLD, 60))
    after = outcome.exchange
    (paid,) = (event for event in outcome.events if isinstance(event, Paid))
    assert (paid.payer, paid.payee, paid.rule) == (VAULT, ANN, "LOSS-12")
    assert equity(after, ANN) == 0
    assert equity(after, VAULT) == 100 - paid.amount < 0
    assert equity(after, CY) == 500
    again = done(after, SetMark(GOLD, 60))
    assert not any(isinstance(event, Paid) for event in again.events), "the vault is not due"
    assert loss.is_carried(after, VAULT)
    assert not loss.is_carried(after, CY)


def test_where_a_debt_is_carried_not_everybody_can_withdraw_at_once() -> None:
    after = done(owes(100, carry_bad_debt=True, **AT_MARK), SetMark(GOLD, 60)).exchange
    free = {who: ledger.withdrawable(after, who) for who in (BOB, CY)}
    assert sum(free.values()) > after.custody
    gone = done(after, Withdraw(BOB, free[BOB])).exchange
    refused = machine.apply(gone, Withdraw(CY, free[CY]))
    assert isinstance(refused, Refused)
    assert refused.code == "pot_too_small"


def test_a_cut_on_withdrawals_lets_everybody_withdraw_and_mends_the_vault() -> None:
    after = carried()
    debt = -equity(after, VAULT)
    asked = ledger.withdrawable(after, CY)
    outcome = done(after, Withdraw(CY, asked))
    kept, left = outcome.events
    assert isinstance(kept, Paid)
    assert isinstance(left, CashMoved)
    assert -left.amount == asked * after.custody // (after.custody + debt)
    assert (kept.payee, kept.amount, kept.rule) == (VAULT, asked + left.amount, "LOSS-8")
    assert equity(outcome.exchange, VAULT) == kept.amount - debt
    last = done(outcome.exchange, Withdraw(BOB, ledger.withdrawable(outcome.exchange, BOB)))
    assert last.exchange.custody >= 0
    assert equity(last.exchange, VAULT) <= 0


def test_without_a_debt_nothing_is_cut() -> None:
    before = owes(100, withdrawal_haircut=True)
    assert done(before, Withdraw(CY, 7)).events == (CashMoved(CY, -7, "LED-7"),)


def test_a_loss_closes_the_gate_for_its_time() -> None:
    before = done(owes(withdrawal_gate=50, **AT_MARK), AdvanceClock(5)).exchange
    assert done(before, Withdraw(CY, 1)).exchange.gate_opens == 0
    after = done(before, SetMark(GOLD, 60)).exchange
    assert after.gate_opens == 55
    for command in (Withdraw(CY, 1), Transfer(CY, BOB, 1)):
        refused = machine.apply(done(after, AdvanceClock(54)).exchange, command)
        assert isinstance(refused, Refused)
        assert (refused.code, refused.phase) == ("gate_closed", "pause")
        done(done(after, AdvanceClock(55)).exchange, command)
    done(after, Deposit(CY, 1))


def test_a_gate_never_opens_earlier_than_it_would_have() -> None:
    state = evolve(owes(withdrawal_gate=3), gate_opens=9)
    assert loss.close_gate(state).exchange.gate_opens == 9
    assert loss.close_gate(evolve(state, now=7)).exchange.gate_opens == 10


def test_a_loss_halts_all_markets_until_they_resume() -> None:
    after = done(owes(halt_on_loss=True, **AT_MARK), SetMark(GOLD, 60)).exchange
    assert position(after, ANN) == (0, 0), "the liquidation is completed"
    assert [listed.paused for _, listed in after.markets.items()] == [True, True]
    assert not done(after, ResumeMarket(OIL)).exchange.markets[OIL].paused


def test_without_a_loss_nothing_is_closed_or_halted() -> None:
    """At 89 Ann has 10 left: she is due, and owes nothing."""
    calm = done(owes(withdrawal_gate=50, halt_on_loss=True), SetMark(GOLD, 89)).exchange
    assert position(calm, ANN) == (0, 0)
    assert calm.gate_opens == 0
    assert not calm.markets[OIL].paused


def test_only_a_flat_debtor_with_a_deficit_is_carried() -> None:
    state = exchange({ANN: holds(-5, (1, 100)), BOB: holds(7), CY: holds(-5)})
    with pytest.raises(Refusal, match="LOSS-2"):
        loss.carry(state, ANN)
    with pytest.raises(Refusal, match="LOSS-2"):
        loss.carry(state, BOB)
    assert collateral(loss.carry(state, CY).exchange, CY) == 0
