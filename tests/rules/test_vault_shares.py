"""VLT: shares of the vault, bought and redeemed at what it is worth, in favour of who stays."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.outcome import Paid
from perpref.rule_registry import Refusal
from perpref.rules import ledger, vault, vault_shares
from perpref.rules.margin import equity
from perpref.rules.vault_shares import contribute, redeem, request_redemption, shares_out
from perpref.state import TREASURY, VAULT, Exchange, Stake
from perpref.units import MAX_CASH, MAX_SHARES, AccountId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    collateral,
    exchange,
    holds,
    refuses,
    require_lawful,
    rules,
)


def insured(
    safe: int,
    house: int = 0,
    *,
    ann: Stake | int = 0,
    bob: int = 0,
    size: int = 0,
    now: int = 0,
    **chosen: int,
) -> Exchange:
    """A vault with so much cash and so many shares out; Ann and Bob have 1,000 each."""
    terms: Any = chosen
    stake = Stake(ann) if isinstance(ann, int) else ann
    accounts = {
        VAULT: evolve(holds(safe, (size, 100 * size)), stake=Stake(house)),
        ANN: evolve(holds(1_000), stake=stake),
        BOB: evolve(holds(1_000), stake=Stake(bob)),
    }
    return evolve(exchange(accounts, rulebook=evolve(rules(), **terms)), now=now)


def shares(exchange: Exchange, account: AccountId) -> int:
    return exchange.accounts[account].stake.shares


def test_the_first_contribution_to_an_empty_vault_is_at_par() -> None:
    outcome = contribute(insured(0), ANN, 700)
    after = outcome.exchange
    assert (shares(after, ANN), shares(after, VAULT), shares_out(after)) == (700, 0, 700)
    assert (collateral(after, ANN), collateral(after, VAULT)) == (300, 700)
    assert outcome.events == (Paid(ANN, VAULT, 700, "VLT-13"),)
    require_lawful(after)


def test_what_was_there_before_is_the_houses() -> None:
    after = contribute(insured(300), ANN, 100).exchange
    assert (shares(after, VAULT), shares(after, ANN)) == (300, 100)
    later = contribute(after, BOB, 100).exchange
    assert (shares(later, VAULT), shares(later, BOB)) == (300, 100), "the house gets them once"


def test_what_the_last_one_leaves_behind_is_the_houses_too() -> None:
    left = insured(7, vault_lockup=0)
    again = contribute(left, ANN, 5).exchange
    assert (shares(again, VAULT), shares(again, ANN)) == (7, 5)


@pytest.mark.parametrize(("amount", "bought"), [(2, 1), (3, 1), (4, 2), (5, 3), (100, 60)])
def test_a_contribution_is_rounded_down(amount: int, bought: int) -> None:
    after = contribute(insured(500, 200, ann=100), BOB, amount).exchange
    assert shares(after, BOB) == bought
    assert shares(after, ANN) == 100


def test_shares_add_up() -> None:
    assert shares(contribute(insured(100, 60, ann=40), ANN, 10).exchange, ANN) == 50


def test_a_contribution_must_be_worth_a_share() -> None:
    with refuses(vault_shares.TOO_FEW_SHARES, 0, 1):
        contribute(insured(500, 200, ann=100), BOB, 1)
    asked = insured(500, 200, ann=100, vault_least_shares=60)
    assert shares(contribute(asked, BOB, 100).exchange, BOB) == 60
    with refuses(vault_shares.TOO_FEW_SHARES, 59, 60):
        contribute(asked, BOB, 99)


@pytest.mark.parametrize(
    ("safe", "house", "refused"), [(0, 0, False), (0, 1, True), (-1, 0, True), (1, 1, False)]
)
def test_a_share_needs_a_price(safe: int, house: int, refused: bool) -> None:
    if refused:
        with refuses(vault_shares.VAULT_IS_WORTHLESS, safe, house):
            contribute(insured(safe, house), ANN, 10)
    else:
        assert shares(contribute(insured(safe, house), ANN, 10).exchange, ANN) == 10


def test_there_is_a_most_of_shares() -> None:
    near = insured(1, MAX_SHARES - 10)
    with refuses(vault_shares.TOO_MANY_SHARES, MAX_SHARES - 10 + MAX_SHARES - 10):
        contribute(near, ANN, 1)
    at_the_most = insured(1, MAX_SHARES // 2)
    assert shares_out(contribute(at_the_most, ANN, 1).exchange) == MAX_SHARES


def test_nobody_contributes_more_than_is_free() -> None:
    assert collateral(contribute(insured(0), ANN, 1_000).exchange, ANN) == 0
    with refuses(ledger.NOT_WITHDRAWABLE, 1_001, 1_000):
        contribute(insured(0), ANN, 1_001)
    with refuses(ledger.AMOUNT_OUT_OF_BOUNDS, 0, MAX_CASH):
        contribute(insured(0), ANN, 0)
    with refuses(ledger.UNKNOWN_ACCOUNT, CY):
        contribute(insured(0), CY, 1)


def test_the_vault_has_only_the_houses_shares_and_the_treasury_may_have_some() -> None:
    before = insured(100, 100, vault_notice=1)
    for action in (contribute, redeem, request_redemption):
        with refuses(vault_shares.VAULT_HOLDS_ITSELF, None):
            action(before, VAULT, 1)
    rich = evolve(before, accounts=before.accounts.put(TREASURY, holds(5)))
    assert shares(contribute(rich, TREASURY, 5).exchange, TREASURY) == 5


def test_the_gate_holds_for_the_vault_as_well() -> None:
    closed = evolve(insured(100, 60, ann=40), gate_opens=1)
    for action in (contribute, redeem):
        with refuses(ledger.GATE_CLOSED, 1, 0):
            action(closed, ANN, 1)
        action(evolve(closed, now=1), ANN, 1)


@pytest.mark.parametrize(("given", "paid"), [(1, 1), (2, 3), (3, 5), (100, 166)])
def test_a_redemption_is_rounded_down(given: int, paid: int) -> None:
    outcome = redeem(insured(500, 200, ann=100), ANN, given)
    after = outcome.exchange
    assert outcome.events == (Paid(VAULT, ANN, paid, "VLT-14"),)
    assert (collateral(after, ANN), collateral(after, VAULT)) == (1_000 + paid, 500 - paid)
    assert (shares(after, ANN), shares_out(after)) == (100 - given, 300 - given)


@pytest.mark.parametrize("given", [0, -1, 41])
def test_only_shares_that_one_has(given: int) -> None:
    before = insured(100, 60, ann=40, vault_notice=1)
    for action in (redeem, request_redemption):
        with refuses(vault_shares.SHARES_OUT_OF_BOUNDS, given, 40):
            action(before, ANN, given)


def test_shares_of_nothing_bring_nothing_and_of_less_are_kept() -> None:
    assert collateral(redeem(insured(0, 60, ann=40), ANN, 40).exchange, ANN) == 1_000
    with refuses(vault_shares.VAULT_IS_WORTHLESS, -1, 100):
        redeem(insured(-1, 60, ann=40), ANN, 40)


def test_the_vault_pays_within_its_margin_and_its_boundary() -> None:
    # 6 lots at 100 need 60: 40 of its 100 are free
    assert collateral(redeem(insured(100, 60, ann=40, size=6), ANN, 40).exchange, ANN) == 1_040
    with refuses(ledger.NOT_WITHDRAWABLE, 40, 30):
        redeem(insured(100, 60, ann=40, size=7), ANN, 40)
    assert (
        equity(redeem(insured(100, 60, ann=40, vault_boundary=60), ANN, 40).exchange, VAULT) == 60
    )
    with refuses(vault.UNDER_BOUNDARY, 60, 61):
        redeem(insured(100, 60, ann=40, vault_boundary=61), ANN, 40)


def test_a_contribution_locks_all_shares_of_its_account() -> None:
    after = contribute(insured(100, 60, ann=40, now=5, vault_lockup=4), ANN, 10).exchange
    assert after.accounts[ANN].stake == Stake(50, 9)
    with refuses(vault_shares.SHARES_LOCKED, 9, 8):
        redeem(evolve(after, now=8), ANN, 1)
    assert redeem(evolve(after, now=9), ANN, 1).exchange.accounts[ANN].stake == Stake(49, 9)


def test_a_notice_is_kept_until_its_time_and_a_later_one_takes_its_place() -> None:
    noted = request_redemption(insured(100, 60, ann=40, now=5, vault_notice=4), ANN, 30)
    assert noted.events == ()
    assert noted.exchange.accounts[ANN].stake == Stake(40, 0, 30, 30, 9)
    later = evolve(noted.exchange, now=8)
    with refuses(vault_shares.NO_NOTICE, 29, 30):
        redeem(later, ANN, 29)
    with refuses(vault_shares.NOTICE_RUNS, 9, 8):
        redeem(later, ANN, 30)
    assert redeem(evolve(later, now=9), ANN, 30).exchange.accounts[ANN].stake == Stake(10)
    again = request_redemption(later, ANN, 10).exchange
    assert again.accounts[ANN].stake == Stake(40, 0, 10, 10, 12)


@pytest.mark.parametrize(("safe", "paid"), [(100, 30), (101, 30), (200, 30), (99, 29), (50, 15)])
def test_who_has_given_notice_bears_losses_and_gains_nothing(safe: int, paid: int) -> None:
    noted = Stake(40, 0, 30, 30, 9)
    before = insured(safe, 60, ann=noted, now=9, vault_notice=4)
    assert collateral(redeem(before, ANN, 30).exchange, ANN) == 1_000 + paid


def test_without_a_notice_none_is_taken() -> None:
    with refuses(vault_shares.NO_NOTICE_ASKED, None):
        request_redemption(insured(100, 60, ann=40), ANN, 1)


def test_a_notice_at_the_rate_of_the_moment_is_rounded_down() -> None:
    noted = request_redemption(insured(500, 200, ann=100, vault_notice=1), ANN, 2).exchange
    assert noted.accounts[ANN].stake.requested_worth == 3


def test_the_first_shareholder_rounds_the_next_contribution_into_its_own() -> None:
    """One share for one quantum, 99 given; the next 199 buy one share, and lose 49 of them."""
    bought = contribute(insured(0), ANN, 1).exchange
    dear = ledger.pay(bought, ANN, VAULT, 99, "LED-8").exchange
    after = contribute(dear, BOB, 199).exchange
    assert shares(after, BOB) == 1
    assert collateral(redeem(after, ANN, 1).exchange, ANN) == 1_000 - 100 + 149
    asked = evolve(dear, rulebook=evolve(dear.rulebook, vault_least_shares=100))
    with refuses(vault_shares.TOO_FEW_SHARES, 1, 100):
        contribute(asked, BOB, 199)


@given(
    safe=st.integers(1, 2_000),
    house=st.integers(0, 500),
    ann=st.integers(0, 500),
    amount=st.integers(1, 1_000),
    given_back=st.integers(1, 500),
)
def test_the_others_never_lose_by_it(
    safe: int, house: int, ann: int, amount: int, given_back: int
) -> None:
    before = insured(safe, house, ann=ann, bob=3)
    for action, account, number in ((contribute, ANN, amount), (redeem, ANN, given_back)):
        try:
            after = action(before, account, number).exchange
        except Refusal:
            continue
        worth = vault_shares.worth_of(3, equity(before, VAULT), shares_out(before))
        later = vault_shares.worth_of(3, equity(after, VAULT), shares_out(after))
        assert later >= worth
        require_lawful(after)


def test_nobody_hides_a_profit_in_the_vault() -> None:
    noted = evolve(rules(), note_paid_in=True)
    before = evolve(insured(1_000, 1_000), rulebook=noted)
    assert ledger.gained(before, ANN) == 1_000  # nothing was noted as paid in
    inside = contribute(before, ANN, 600).exchange
    assert ledger.gained(inside, ANN) == 1_000
    assert ledger.gained(inside, VAULT) == ledger.gained(before, VAULT)
    outside = redeem(inside, ANN, 600).exchange
    assert outside.accounts[ANN].paid_in == 0 == outside.accounts[VAULT].paid_in
