"""FEE: what trading costs, rounded up, and who gets it."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.outcome import Paid
from perpref.rules import fee
from perpref.rules.fee import (
    charge_liquidated,
    charge_maker,
    charge_taker,
    liquidation_charge,
    liquidation_fee,
    surplus_taken,
    trading_fee,
)
from perpref.state import TREASURY, VAULT, FeeBound
from perpref.units import PARTS, Rounding
from tests.exchanges import ANN, GOLD, collateral, exchange, holds, rules


@pytest.mark.parametrize(
    ("lots", "price", "rate", "fee"),
    [
        (1, 1, 1, 1),  # a millionth of a quantum is a quantum
        (10, 100, 1_000, 1),  # a thousandth of 1,000
        (10, 101, 1_000, 2),  # of 1,010 it is 1.01
        (10, 99, 1_000, 1),  # of 990 it is 0.99
        (7, 13, 0, 0),
        (2, 50, 1_000_000, 100),
    ],
)
def test_a_fee_is_rounded_up(lots: int, price: int, rate: int, fee: int) -> None:
    assert trading_fee(lots, price, rate) == fee


@given(st.integers(1, 999), st.integers(1, 9_999), st.integers(0, 10**6))
def test_a_fee_is_the_exact_part_rounded_up(lots: int, price: int, rate: int) -> None:
    assert trading_fee(lots, price, rate) == ceil(Fraction(lots * price * rate, 10**6))


FEES = rules(maker=1_000, taker=5_000, liquidation=10_000)


def test_the_maker_pays_the_maker_fee_to_the_treasury() -> None:
    # a thousandth of 10 * 101, rounded up
    outcome = charge_maker(exchange({ANN: holds(50)}, rulebook=FEES), ANN, 10, 101)
    assert outcome.events == (Paid(ANN, TREASURY, 2, "FEE-2"),)
    assert collateral(outcome.exchange, ANN) == 48
    assert collateral(outcome.exchange, TREASURY) == 2


def test_the_taker_pays_the_taker_fee_to_the_treasury() -> None:
    # five thousandths of 10 * 101 are 5.05
    outcome = charge_taker(exchange({ANN: holds(50)}, rulebook=FEES), ANN, 10, 101)
    assert outcome.events == (Paid(ANN, TREASURY, 6, "FEE-3"),)
    assert collateral(outcome.exchange, ANN) == 44
    assert collateral(outcome.exchange, TREASURY) == 6


@pytest.mark.parametrize(
    ("better", "left", "fee"),
    [
        (50, 60, 11),  # a hundredth of 10 * 101 is 10.1, and there is enough
        (11, 11, 11),
        (10, 60, 10),  # only what the book gave
        (0, 60, 0),
        (50, 9, 9),  # only what is left
        (50, 0, 0),
        (50, -1, 0),
        (50, 1, 1),
        (8, 9, 8),
        (9, 8, 8),
    ],
)
def test_the_liquidation_fee_is_the_least_of_three(better: int, left: int, fee: int) -> None:
    assert liquidation_fee(10, 101, 10_000, better, left) == fee


def test_the_liquidated_pays_the_vault() -> None:
    outcome = charge_liquidated(
        exchange({ANN: holds(50)}, rulebook=FEES), ANN, GOLD, 10, 101, 30, 20
    )
    assert outcome.events == (Paid(ANN, VAULT, 11, "FEE-5"),)
    assert collateral(outcome.exchange, ANN) == 39
    assert collateral(outcome.exchange, VAULT) == 11


def test_the_liquidated_pays_out_of_what_the_book_gave() -> None:
    before = exchange({ANN: holds(50)}, rulebook=FEES)
    assert collateral(charge_liquidated(before, ANN, GOLD, 10, 101, 3, 20).exchange, VAULT) == 3
    assert collateral(charge_liquidated(before, ANN, GOLD, 10, 101, 20, 3).exchange, VAULT) == 3


@pytest.mark.parametrize(
    ("shortage", "notional", "most", "rate"),
    [
        (1_000, 1_000_000, 50_000, 37_050),  # 95 % of 50,000 - 10,000 - 1,000
        (1_000, 1_000_000, 37_049, 37_049),
        (1, 3, 10**6, 0),  # the shortage is more than there is
        (1, 30, 10**6, 6_332),  # 33,333.3 is 33,334; 95 % of 6,666 is 6,332.7
        (40_000, 1_000_000, 50_000, 0),
        (0, 1, 50_000, 38_000),
        (0, 0, 50_000, 0),
        (5, 0, 50_000, 0),
        (10**9, 1_000, 50_000, 0),
    ],
)
def test_an_insurer_takes_its_part_of_what_is_left(
    shortage: int, notional: int, most: int, rate: int
) -> None:
    assert fee.insurance_fee_rate(shortage, notional, 50_000, 10_000, 950_000, most) == rate


@pytest.mark.parametrize(
    ("elapsed", "rate"),
    [(0, 20_000), (1_499, 20_000), (1_500, 21_500), (30_000, 50_000), (30_001, 50_000)],
)
def test_a_liquidators_fee_grows_after_its_grace(elapsed: int, rate: int) -> None:
    assert fee.liquidator_fee(20_000, 50_000, elapsed, 1_500, 1) == rate
    assert fee.liquidator_fee(60_000, 50_000, elapsed, 1_500, 1) == 50_000
    assert fee.liquidator_fee(20_000, 50_000, 2_000, 1_500, 3) == 26_000


@pytest.mark.parametrize(
    ("rounding", "maker", "taker", "liquidated"),
    [
        (Rounding.UP, 2, 6, 11),  # 1.01, 5.05 and 10.1
        (Rounding.DOWN, 1, 5, 10),
        (Rounding.TOWARDS_ZERO, 1, 5, 10),
    ],
)
def test_fees_are_rounded_as_the_rulebook_says(
    rounding: Rounding, maker: int, taker: int, liquidated: int
) -> None:
    before = exchange({ANN: holds(50)}, rulebook=evolve(FEES, fee_rounding=rounding))
    assert charge_maker(before, ANN, 10, 101).events == (Paid(ANN, TREASURY, maker, "FEE-2"),)
    assert charge_taker(before, ANN, 10, 101).events == (Paid(ANN, TREASURY, taker, "FEE-3"),)
    charged = charge_liquidated(before, ANN, GOLD, 10, 101, 50, 60)
    assert charged.events == (Paid(ANN, VAULT, liquidated, "FEE-5"),)
    assert trading_fee(10, 100, 1_000, rounding) == 1, "exactly"
    assert trading_fee(1, 1, 1, rounding) == (rounding is Rounding.UP)


@pytest.mark.parametrize(
    ("rate", "better", "left", "taken"),
    [
        (0, 20, 60, 0),
        (500_000, 20, 60, 10),
        (500_000, 21, 60, 10),  # 10.5: rounded down
        (500_000, 1, 60, 0),
        (PARTS, 20, 60, 20),
        (PARTS, 20, 20, 20),
        (PARTS, 20, 19, 19),  # only what is left
        (PARTS, 20, 0, 0),
        (PARTS, 20, -1, 0),
        (PARTS, -5, 60, 0),  # the fee took more than the book gave
    ],
)
def test_a_part_of_the_surplus_is_the_vaults(rate: int, better: int, left: int, taken: int) -> None:
    assert surplus_taken(rate, better, left) == taken


@pytest.mark.parametrize(
    ("bound", "part", "better", "left", "charge"),
    [
        # a hundredth of 10 * 101 is 10.1, that is 11
        (FeeBound.SURPLUS, 0, 30, 60, 11),
        (FeeBound.SURPLUS, PARTS, 30, 60, 30),  # 11, and 19 are left of the surplus
        (FeeBound.SURPLUS, 500_000, 30, 60, 20),  # 11, and half of 19 is 9
        (FeeBound.SURPLUS, PARTS, 8, 60, 8),  # the fee takes all of it
        (FeeBound.SURPLUS, PARTS, 30, 15, 15),
        (FeeBound.EQUITY, 0, 0, 60, 11),  # whatever the book gave
        (FeeBound.EQUITY, 0, 0, 11, 11),
        (FeeBound.EQUITY, 0, 0, 10, 10),  # only what is left
        (FeeBound.EQUITY, 0, 30, -1, 0),
        (FeeBound.EQUITY, PARTS, 8, 60, 11),  # nothing is left of the surplus
        (FeeBound.EQUITY, PARTS, 30, 60, 30),
    ],
)
def test_what_is_charged_is_the_fee_and_a_part_of_the_surplus(
    bound: FeeBound, part: int, better: int, left: int, charge: int
) -> None:
    book = evolve(FEES, liquidation_fee_bound=bound, liquidation_surplus=part)
    assert liquidation_charge(book, 10, 101, better, left) == charge
    before = exchange({ANN: holds(50)}, rulebook=book)
    outcome = charge_liquidated(before, ANN, GOLD, 10, 101, better, left)
    assert outcome.events == (Paid(ANN, VAULT, charge, "FEE-5"),)
