"""LOSS: closing at the mark, and sharing what nobody can bear."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perpref.outcome import Filled, Paid
from perpref.rules import adl, ledger, liquidation, loss, loss_trigger, vault
from perpref.rules.loss import close_out, lots_open, share_of_loss, socialise
from perpref.rules.margin import equity
from perpref.scheduler import Run, socialise_deficit
from perpref.state import VAULT, Account, LossSharing, Position
from perpref.units import AccountId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    DAN,
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

# Closing at the mark.


@pytest.mark.parametrize("size", [10, -10])
def test_closing_at_the_mark_changes_nobodys_equity(size: int) -> None:
    before = exchange(
        {ANN: holds(-30, (size, 103 * size)), BOB: holds(1, (-size, -97 * size))}, market(100)
    )
    outcome = close_out(before, ANN, BOB, GOLD, 4)
    after = outcome.exchange
    for account in (ANN, BOB):
        assert equity(after, account) == equity(before, account)
    assert (position(after, ANN)[0], position(after, BOB)[0]) == (size * 6 // 10, -size * 6 // 10)
    buyer, seller = (BOB, ANN) if size > 0 else (ANN, BOB)
    assert outcome.events == (Filled(buyer, seller, GOLD, 4, 100, "LOSS-1"),)
    require_lawful(after)


def test_what_may_not_be_closed_at_the_mark() -> None:
    before = exchange({ANN: holds(-30, (10, 1_000)), BOB: holds(9, (-4, -400)), CY: holds(9)})
    with refuses(adl.NOT_OPPOSITE, 0, 10):
        close_out(before, ANN, CY, GOLD, 1)
    with refuses(vault.MORE_THAN_THERE_IS, 5, 4):
        close_out(before, ANN, BOB, GOLD, 5)
    large = exchange({ANN: holds(-30, (10, 1_000)), BOB: holds(9, (-40, -4_000))})
    with refuses(vault.MORE_THAN_THERE_IS, 11, 10):
        close_out(large, ANN, BOB, GOLD, 11)
    with refuses(liquidation.NO_POSITION, OIL):
        close_out(before, ANN, BOB, OIL, 1)
    well = exchange({ANN: holds(50, (10, 1_000)), BOB: holds(9, (-4, -400))})
    with refuses(liquidation.NOT_DUE, 50, 50):
        close_out(well, ANN, BOB, GOLD, 1)


# One share.


@pytest.mark.parametrize(
    ("deficit", "weight", "weights", "share"),
    [(10, 3, 9, 4), (9, 3, 9, 3), (10, 9, 9, 10), (1, 1, 1_000, 1), (7, 2, 7, 2), (8, 2, 7, 3)],
)
def test_a_share_is_rounded_up(deficit: int, weight: int, weights: int, share: int) -> None:
    assert share_of_loss(deficit, weight, weights) == share


def shares_in_turn(deficit: int, weights: list[int]) -> list[int]:
    shares, left = [], sum(weights)
    for weight in weights:
        share = share_of_loss(deficit, weight, left)
        shares.append(share)
        deficit -= share
        left -= weight
    return shares


def require_proration(deficit: int, weights: list[int]) -> None:
    shares = shares_in_turn(deficit, weights)
    assert sum(shares) == deficit
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))
    assert all(first >= second for first, second in itertools.pairwise(shares))


def test_shares_are_exact_bounded_and_in_order_for_all_small_weights() -> None:
    for count in range(1, 5):
        for weights in itertools.combinations_with_replacement(range(6, 0, -1), count):
            for deficit in range(sum(weights) + 1):
                require_proration(deficit, list(weights))


@given(st.lists(st.integers(1, 10**30), min_size=1, max_size=9), st.data())
def test_shares_are_exact_bounded_and_in_order(weights: list[int], data: st.DataObject) -> None:
    require_proration(data.draw(st.integers(0, sum(weights))), sorted(weights, reverse=True))


# One payment.


def test_one_payer_pays_its_share() -> None:
    # of 8, three ninths are 2.67
    before = exchange({ANN: holds(-8), BOB: holds(3), CY: holds(6)})
    outcome = socialise(before, ANN, BOB, 9)
    assert outcome.events == (Paid(BOB, ANN, 3, "LOSS-3"),)
    assert (collateral(outcome.exchange, ANN), collateral(outcome.exchange, BOB)) == (-5, 0)


def test_the_weight_is_equity_and_not_collateral() -> None:
    # Bob's collateral is 1, his position is 5 up; Cy has the rest of 20
    before = exchange({ANN: holds(-10), BOB: holds(1, (1, 95)), CY: holds(14)})
    assert socialise(before, ANN, BOB, 20).events == (Paid(BOB, ANN, 3, "LOSS-3"),)


@pytest.mark.parametrize(("gold", "lots"), [((1, 100), 1), ((-3, -300), 3)])
def test_a_debtor_with_open_lots_is_not_yet_in_deficit(gold: tuple[int, int], lots: int) -> None:
    with refuses(loss.NOT_FLAT, lots):
        socialise(exchange({ANN: holds(-10, gold), BOB: holds(99)}), ANN, BOB, 99)


def test_open_lots_of_opposite_sides_do_not_cancel() -> None:
    assert (lots_open(Position(3, 1)), lots_open(Position(-3, 1))) == (3, 3)
    before = exchange({ANN: holds(-10, (2, 200), (-2, -200)), BOB: holds(99)})
    with refuses(loss.NOT_FLAT, 4):
        socialise(before, ANN, BOB, 99)


def test_without_a_deficit_nobody_pays() -> None:
    for cash in (0, 1):
        with refuses(loss.NO_DEFICIT, cash):
            socialise(exchange({ANN: holds(cash), BOB: holds(99)}), ANN, BOB, 99)
    assert socialise(exchange({ANN: holds(-1), BOB: holds(99)}), ANN, BOB, 99).events == (
        Paid(BOB, ANN, 1, "LOSS-3"),
    )


def test_a_deficit_is_at_most_what_is_there() -> None:
    before = exchange({ANN: holds(-10), BOB: holds(10)})
    assert collateral(socialise(before, ANN, BOB, 10).exchange, ANN) == 0
    before = exchange({ANN: holds(-11), BOB: holds(10)})
    with refuses(loss.MORE_THAN_THE_POT, 11, 10):
        socialise(before, ANN, BOB, 10)


@pytest.mark.parametrize("cash", [0, -1, 21])
def test_who_has_nothing_or_more_than_all_does_not_share(cash: int) -> None:
    with refuses(loss.CANNOT_SHARE, cash, 20):
        socialise(exchange({ANN: holds(-10), BOB: holds(cash)}), ANN, BOB, 20)


@pytest.mark.parametrize(("cash", "paid"), [(1, 1), (20, 10)])
def test_who_has_one_quantum_or_all_of_it_shares(cash: int, paid: int) -> None:
    before = exchange({ANN: holds(-10), BOB: holds(cash)})
    assert socialise(before, ANN, BOB, 20).events == (Paid(BOB, ANN, paid, "LOSS-3"),)


def test_the_debtor_does_not_pay_itself() -> None:
    with refuses(loss.CANNOT_SHARE, -10, 20):
        socialise(exchange({ANN: holds(-10), BOB: holds(20)}), ANN, ANN, 20)


# The whole deficit.


def test_a_deficit_is_shared_largest_first_then_by_account() -> None:
    before = exchange(
        {VAULT: holds(2), ANN: holds(-10), BOB: holds(5), CY: holds(8), DAN: holds(5)}
    )
    run = Run(before)
    socialise_deficit(run, ANN)
    # 10 over 8, 5, 5, 2 of 20: 4; then 6 * 5/12 is 2.5, so 3; 3 * 5/7 is 2.1, so 3; nothing left
    assert run.events == [
        Paid(CY, ANN, 4, "LOSS-3"),
        Paid(BOB, ANN, 3, "LOSS-3"),
        Paid(DAN, ANN, 3, "LOSS-3"),
    ]
    assert collateral(run.exchange, ANN) == 0


@given(
    cash=st.lists(st.integers(-5, 30), min_size=1, max_size=6),
    owed=st.integers(1, 40),
)
def test_a_debtor_ends_at_nothing_and_nobody_pays_more_than_it_has(
    cash: list[int], owed: int
) -> None:
    accounts: dict[AccountId, Account] = {AccountId(10 + n): holds(c) for n, c in enumerate(cash)}
    if sum(c for c in cash if c > 0) < owed:
        return
    before = exchange(accounts | {ANN: holds(-owed)})
    run = Run(before)
    socialise_deficit(run, ANN)
    assert collateral(run.exchange, ANN) == 0
    for account, holder in accounts.items():
        now = collateral(run.exchange, account)
        if holder.collateral > 0:
            assert 0 <= now <= holder.collateral
        else:
            assert now == holder.collateral
    require_lawful(run.exchange)


@pytest.mark.parametrize(
    ("fall", "active", "drawn"),
    [
        (299, False, False), (300, False, True), (301, False, True),
        (300, True, True), (250, True, True), (249, True, False), (-5, False, False),
    ],
)  # fmt: skip
def test_a_drawdown_begins_deep_and_ends_shallow(fall: int, active: bool, drawn: bool) -> None:
    assert loss_trigger.is_drawn_down(fall, 1_000, 300_000, 250_000, active) is drawn


@pytest.mark.parametrize(("fall", "borne"), [(0, 0), (300, 0), (301, 1), (1_000, 700)])
def test_winners_bear_what_is_beyond_the_limit(fall: int, borne: int) -> None:
    assert loss_trigger.borne_by_winners(fall, 1_000, 300_000) == borne
    assert loss_trigger.borne_by_winners(fall, 1_001, 300_000) == max(fall - 300, 0), "300.3 is 300"


def test_a_fund_may_fall_by_the_larger_of_a_part_and_an_amount() -> None:
    assert loss_trigger.fund_floor(1_000, 300_000, 50) == 700
    assert loss_trigger.fund_floor(1_000, 300_000, 301) == 699
    assert loss_trigger.fund_floor(999, 300_000, 0) == 999 - 299


def test_what_is_exactly_the_part_of_a_pool_does_not_exceed_it() -> None:
    assert not loss_trigger.exceeds_pool(100, 1_000, 100_000)
    assert loss_trigger.exceeds_pool(101, 1_000, 100_000)
    assert not loss_trigger.exceeds_pool(-1, 0, 0)
    assert not loss_trigger.overcorrects(100, 1_000, 100_000)
    assert loss_trigger.overcorrects(99, 1_000, 100_000)
    assert loss_trigger.is_exhausted(0)
    assert not loss_trigger.is_exhausted(1)


@given(st.integers(0, 10**6), st.integers(1, 500))
def test_a_charge_covers_the_loss_and_less_than_a_quantum_a_lot_more(owed: int, lots: int) -> None:
    charged = loss.charge_per_lot(owed, lots)
    assert owed <= charged * lots < owed + lots


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6), st.data())
def test_what_a_pot_lacks_is_missing_from_every_claim_alike(
    claims: list[int], data: st.DataObject
) -> None:
    assume(sum(claims) > 0)
    pot = data.draw(st.integers(1, sum(claims)))
    lack = sum(claims) - pot
    paid = [ledger.paid_out(claim, pot, lack) for claim in claims]
    assert sum(paid) <= pot
    for claim, part in zip(claims, paid, strict=True):
        assert 0 <= Fraction(claim * pot, pot + lack) - part < 1


@pytest.mark.parametrize(
    ("gain", "backed", "paid"), [(60, 100, 60), (60, 50, 30), (60, 51, 30), (60, -1, 0), (0, 50, 0)]
)
def test_a_gain_pays_the_part_that_is_backed(gain: int, backed: int, paid: int) -> None:
    """All gains together are 100."""
    assert loss.paid_gain(gain, backed, 100) == paid


@pytest.mark.parametrize(
    ("sharing", "weight"),
    [
        (LossSharing.EQUITY, 0),
        (LossSharing.NOTIONAL, 900),
        (LossSharing.GAINS, 40),
        (LossSharing.LOTS, 9),
    ],
)
def test_what_counts_in_a_loss(sharing: LossSharing, weight: int) -> None:
    assert loss.weight_of_loss(sharing, -5, 900, 40, 9) == weight
    assert loss.weight_of_loss(LossSharing.GAINS, 7, 900, -40, 9) == 0
    assert loss.weight_of_loss(LossSharing.EQUITY, 7, 900, -40, 9) == 7


def test_a_charge_is_within_what_is_owed_and_what_there_is() -> None:
    before = exchange({ANN: holds(-50), BOB: holds(30)})
    after = loss.charge(before, ANN, BOB, 30).exchange
    assert (equity(after, ANN), equity(after, BOB)) == (-20, 0)
    with refuses(loss.CANNOT_SHARE, 31, 30):
        loss.charge(before, ANN, BOB, 31)
    for amount in (0, 51):
        with refuses(loss.MORE_THAN_THE_POT, amount, 50):
            loss.charge(before, ANN, BOB, amount)
    with refuses(loss.NO_DEFICIT, 30):
        loss.charge(before, BOB, ANN, 1)


def test_a_charge_needs_a_debtor_that_is_flat_and_owes() -> None:
    flat = exchange({ANN: holds(-1), BOB: holds(30)})
    after = loss.charge(flat, ANN, BOB, 1).exchange
    assert equity(after, ANN) == 0
    with refuses(loss.NO_DEFICIT, 0):
        loss.charge(after, ANN, BOB, 1)
    open_still = exchange({ANN: holds(-1, (2, 200)), BOB: holds(30)})
    with refuses(loss.NOT_FLAT, 2):
        loss.charge(open_still, ANN, BOB, 1)
    owing = exchange({ANN: holds(-5), BOB: holds(30)})
    assert equity(loss.charge(owing, ANN, BOB, 5).exchange, BOB) == 25


def test_nothing_backed_pays_nothing() -> None:
    assert loss.paid_gain(100, 0, 100) == 0
