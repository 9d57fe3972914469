"""LED: the three double entries, and what may leave an account."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.outcome import CashMoved, Filled, Paid
from perpref.rules import ledger
from perpref.rules.ledger import deposit, fill, move_cash, pay, transfer, withdraw, withdrawable
from perpref.state import Account, Position
from perpref.table import Table
from perpref.units import MAX_CASH, MAX_ID, AccountId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    GOLD,
    OIL,
    collateral,
    exchange,
    holds,
    market,
    position,
    refuses,
    require_lawful,
)

# The three double entries.


def test_cash_moved_in_goes_to_the_pot_and_the_account() -> None:
    before = exchange({ANN: holds(10)})
    outcome = move_cash(before, ANN, 7, "LED-5")
    assert collateral(outcome.exchange, ANN) == 17
    assert outcome.exchange.custody == before.custody + 7
    assert outcome.events == (CashMoved(ANN, 7, "LED-5"),)


def test_cash_moved_out_leaves_the_pot_and_the_account() -> None:
    outcome = move_cash(exchange({ANN: holds(10)}), ANN, -7, "LED-7")
    assert collateral(outcome.exchange, ANN) == 3
    assert outcome.exchange.custody == 3


def test_cash_moved_leaves_positions_alone() -> None:
    before = exchange({ANN: holds(10, (3, 300))})
    assert position(move_cash(before, ANN, 7, "LED-5").exchange, ANN) == (3, 300)


def test_a_payment_leaves_the_pot_and_positions_alone() -> None:
    before = exchange({ANN: holds(10, (3, 300)), BOB: holds(5, (-3, -300))})
    outcome = pay(before, ANN, BOB, 4, "LED-8")
    assert (collateral(outcome.exchange, ANN), collateral(outcome.exchange, BOB)) == (6, 9)
    assert position(outcome.exchange, ANN) == (3, 300)
    assert position(outcome.exchange, BOB) == (-3, -300)
    assert outcome.exchange.custody == before.custody
    assert outcome.events == (Paid(ANN, BOB, 4, "LED-8"),)


def test_a_payment_opens_the_payee() -> None:
    outcome = pay(exchange({ANN: holds(10)}), ANN, BOB, 4, "LED-8")
    assert outcome.exchange.accounts[BOB] == holds(4)


def test_a_payment_to_oneself_changes_nothing() -> None:
    before = exchange({ANN: holds(10)})
    assert pay(before, ANN, ANN, 4, "LED-8").exchange == before


def test_a_fill_moves_lots_from_seller_to_buyer() -> None:
    before = exchange({ANN: holds(10), BOB: holds(5)})
    outcome = fill(before, ANN, BOB, GOLD, 3, 90, "BOOK-3")
    assert position(outcome.exchange, ANN) == (3, 270)
    assert position(outcome.exchange, BOB) == (-3, -270)
    assert (collateral(outcome.exchange, ANN), collateral(outcome.exchange, BOB)) == (10, 5)
    assert outcome.events == (Filled(ANN, BOB, GOLD, 3, 90, "BOOK-3"),)
    require_lawful(outcome.exchange)


def test_a_fill_realises_profit_into_collateral_and_keeps_no_flat_position() -> None:
    # bought 3 for 10, sold at 5: 15 - 10
    before = exchange({ANN: holds(10, (3, 10)), BOB: holds(5)})
    after = fill(before, BOB, ANN, GOLD, 3, 5, "BOOK-3").exchange
    assert collateral(after, ANN) == 15
    assert GOLD not in after.accounts[ANN].positions
    assert position(after, BOB) == (3, 15)


def test_a_position_that_cost_nothing_is_kept() -> None:
    # one lot that cost -100 and one for 100
    before = exchange({ANN: holds(10, (1, -100)), BOB: holds(5)})
    after = fill(before, ANN, BOB, GOLD, 1, 100, "BOOK-3").exchange
    assert after.accounts[ANN].positions[GOLD] == Position(2, 0)


def test_a_fill_leaves_other_markets_alone() -> None:
    before = exchange({ANN: holds(10, (3, 10), (2, 8)), BOB: holds(5)})
    after = fill(before, BOB, ANN, GOLD, 3, 5, "BOOK-3").exchange
    assert position(after, ANN, OIL) == (2, 8)


@given(
    sizes=st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
    costs=st.tuples(st.integers(-999, 999), st.integers(-999, 999)),
    lots=st.integers(1, 20),
    price=st.integers(1, 300),
)
def test_a_fill_keeps_the_law(
    sizes: tuple[int, int], costs: tuple[int, int], lots: int, price: int
) -> None:
    ann, bob = (holds(50, (size, cost)) for size, cost in zip(sizes, costs, strict=True))
    before = exchange({ANN: ann, BOB: bob})
    after = fill(before, ANN, BOB, GOLD, lots, price, "BOOK-3").exchange
    require_lawful(after)
    assert position(after, ANN)[0] == sizes[0] + lots
    assert position(after, BOB)[0] == sizes[1] - lots


# Deposits.


@pytest.mark.parametrize("amount", [1, 2, MAX_CASH])
def test_a_deposit_within_bounds_opens_the_account(amount: int) -> None:
    outcome = deposit(exchange({}), BOB, amount)
    assert outcome.exchange.accounts[BOB] == Account(amount, Table())
    assert outcome.exchange.custody == amount
    assert outcome.events == (CashMoved(BOB, amount, "LED-5"),)


def test_a_second_deposit_adds() -> None:
    assert collateral(deposit(exchange({ANN: holds(10)}), ANN, 5).exchange, ANN) == 15


@pytest.mark.parametrize("amount", [0, -1, MAX_CASH + 1])
def test_an_amount_out_of_bounds_is_refused(amount: int) -> None:
    before = exchange({ANN: holds(10**30), BOB: holds(0)})
    with refuses(ledger.AMOUNT_OUT_OF_BOUNDS, amount, 10**24):
        deposit(before, ANN, amount)
    with refuses(ledger.AMOUNT_OUT_OF_BOUNDS, amount, 10**24):
        withdraw(before, ANN, amount)
    with refuses(ledger.AMOUNT_OUT_OF_BOUNDS, amount, 10**24):
        transfer(before, ANN, BOB, amount)


@pytest.mark.parametrize("account", [0, MAX_ID])
def test_identifiers_up_to_the_bound_are_accounts(account: int) -> None:
    before = exchange({ANN: holds(10)})
    assert collateral(deposit(before, AccountId(account), 5).exchange, AccountId(account)) == 5
    assert (
        collateral(transfer(before, ANN, AccountId(account), 5).exchange, AccountId(account)) == 5
    )


@pytest.mark.parametrize("account", [-1, MAX_ID + 1])
def test_identifiers_out_of_bounds_are_refused(account: int) -> None:
    before = exchange({ANN: holds(10)})
    with refuses(ledger.ID_OUT_OF_BOUNDS, account, 10**18):
        deposit(before, AccountId(account), 5)
    with refuses(ledger.ID_OUT_OF_BOUNDS, account, 10**18):
        transfer(before, ANN, AccountId(account), 5)


# What may leave.


@pytest.mark.parametrize(
    ("gold", "oil", "free"),
    [
        # nothing open
        ((0, 0), (0, 0), 1_000),
        # 5 at 100, bought at 100: initial margin 50
        ((5, 500), (0, 0), 950),
        # bought at 80, so 100 up, which does not count
        ((5, 400), (0, 0), 950),
        # bought at 120, so 100 down, which does
        ((5, 600), (0, 0), 850),
        # short 5 sold at 80: 100 down
        ((-5, -400), (0, 0), 850),
        # 100 down in gold, 60 up in oil: 40 down in all; margins 50 + 20
        ((5, 600), (2, 140), 1_000 - 40 - 70),
        # 60 down in gold, 100 up in oil: nothing down in all; margins 50 + 20
        ((5, 560), (-2, -300), 1_000 - 70),
        # one lot at 101 has margin 10.1, which is 11
    ],
)
def test_withdrawable(gold: tuple[int, int], oil: tuple[int, int], free: int) -> None:
    assert withdrawable(exchange({ANN: holds(1_000, gold, oil)}), ANN) == free


def test_withdrawable_rounds_the_margin_up() -> None:
    # one lot at 101: a tenth is 10.1
    before = exchange({ANN: holds(1_000, (1, 101))}, market(101))
    assert withdrawable(before, ANN) == 989


def test_withdrawable_may_be_negative() -> None:
    assert withdrawable(exchange({ANN: holds(30, (5, 500))}), ANN) == -20


def test_a_withdrawal_leaves_the_pot() -> None:
    before = exchange({ANN: holds(1_000, (5, 500))})
    outcome = withdraw(before, ANN, 950)
    assert collateral(outcome.exchange, ANN) == 50
    assert outcome.exchange.custody == before.custody - 950
    assert outcome.events == (CashMoved(ANN, -950, "LED-7"),)


def test_one_quantum_more_than_is_free_is_refused() -> None:
    before = exchange({ANN: holds(1_000, (5, 500))})
    with refuses(ledger.NOT_WITHDRAWABLE, 951, 950):
        withdraw(before, ANN, 951)
    with refuses(ledger.NOT_WITHDRAWABLE, 951, 950):
        transfer(before, ANN, BOB, 951)


def test_what_the_pot_does_not_hold_cannot_leave() -> None:
    # Cy owes 40, so that of Bob's 100 only 60 are in the pot
    before = exchange({BOB: holds(100), CY: holds(-40)})
    assert withdraw(before, BOB, 60).exchange.custody == 0
    with refuses(ledger.POT_TOO_SMALL, 61, 60):
        withdraw(before, BOB, 61)


def test_a_transfer_leaves_the_pot_alone() -> None:
    before = exchange({ANN: holds(1_000, (5, 500))})
    outcome = transfer(before, ANN, BOB, 950)
    assert (collateral(outcome.exchange, ANN), collateral(outcome.exchange, BOB)) == (50, 950)
    assert outcome.exchange.custody == before.custody
    assert outcome.events == (Paid(ANN, BOB, 950, "LED-8"),)


def test_nothing_leaves_an_account_that_is_not_there() -> None:
    before = exchange({ANN: holds(10)})
    with refuses(ledger.UNKNOWN_ACCOUNT, BOB):
        withdraw(before, BOB, 1)
    with refuses(ledger.UNKNOWN_ACCOUNT, BOB):
        transfer(before, BOB, ANN, 1)


def test_a_refusal_leaves_the_state_alone() -> None:
    before = exchange({ANN: holds(10)})
    kept = evolve(before)
    with refuses(ledger.NOT_WITHDRAWABLE, 11, 10):
        withdraw(before, ANN, 11)
    assert before == kept


def test_a_position_is_a_size_and_a_cost() -> None:
    assert exchange({ANN: holds(0, (2, 7))}).accounts[ANN].positions[GOLD] == Position(2, 7)
