"""FUND: cash between the sides, and the dust to the vault."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.machine import SettleFunding
from perpref.outcome import Outcome, Paid
from perpref.rule_registry import Refusal
from perpref.rules import funding
from perpref.rules.funding import funding_due, require_funding_rate, settle_funding
from perpref.state import VAULT, Exchange
from perpref.units import PARTS, AccountId, Rounding
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
    refuses,
    rules,
)


@pytest.mark.parametrize("rate", [-750, -1, 0, 1, 750])
def test_rates_up_to_the_cap_are_allowed(rate: int) -> None:
    before = exchange({ANN: holds(1_000, (1, 100))}, rulebook=rules(funding_cap=750))
    require_funding_rate(before, rate)
    assert isinstance(settle_funding(before, ANN, GOLD, rate), Outcome)


@pytest.mark.parametrize("rate", [-751, 751])
def test_rates_beyond_the_cap_are_refused(rate: int) -> None:
    before = exchange({ANN: holds(1_000, (1, 100))}, rulebook=rules(funding_cap=750))
    with refuses(funding.RATE_OUT_OF_BOUNDS, rate, 750):
        require_funding_rate(before, rate)
    with refuses(funding.RATE_OUT_OF_BOUNDS, rate, 750):
        settle_funding(before, ANN, GOLD, rate)


@pytest.mark.parametrize(
    ("size", "mark", "rate", "due"),
    [
        (10, 100, 1_000, 1),  # a thousandth of 1,000
        (10, 101, 1_000, 2),  # 1.01: the payer pays a whole quantum
        (-10, 100, 1_000, -1),
        (-10, 101, 1_000, -1),  # -1.01: the receiver gets none for the part
        (-10, 99, 1_000, 0),  # -0.99
        (10, 101, -1_000, -1),
        (-10, 101, -1_000, 2),
        (0, 101, 1_000, 0),
        (10, 101, 0, 0),
    ],
)
def test_what_is_due_is_rounded_against_the_account(
    size: int, mark: int, rate: int, due: int
) -> None:
    assert funding_due(size, mark, rate) == due


@given(st.integers(-99, 99), st.integers(1, 9_999), st.integers(-(10**5), 10**5))
def test_what_is_due_is_the_exact_part_rounded_up(size: int, mark: int, rate: int) -> None:
    assert funding_due(size, mark, rate) == ceil(Fraction(size * mark * rate, 10**6))


def test_a_payer_pays_the_vault() -> None:
    before = exchange({ANN: holds(1_000, (10, 1_000))}, market(101))
    outcome = settle_funding(before, ANN, GOLD, 1_000)
    assert outcome.events == (Paid(ANN, VAULT, 2, "FUND-3"),)
    assert (collateral(outcome.exchange, ANN), collateral(outcome.exchange, VAULT)) == (998, 2)


def test_the_vault_pays_a_receiver() -> None:
    before = exchange({VAULT: holds(7), ANN: holds(1_000, (-10, -1_000))}, market(101))
    outcome = settle_funding(before, ANN, GOLD, 1_000)
    assert outcome.events == (Paid(VAULT, ANN, 1, "FUND-3"),)
    assert (collateral(outcome.exchange, ANN), collateral(outcome.exchange, VAULT)) == (1_001, 6)


def test_a_payment_of_nothing_is_one_by_the_account() -> None:
    # -0.99 rounds up to nothing
    before = exchange({ANN: holds(1_000, (-10, -1_000))}, market(99))
    assert settle_funding(before, ANN, GOLD, 1_000).events == (Paid(ANN, VAULT, 0, "FUND-3"),)


def test_somebody_flat_pays_nothing() -> None:
    before = exchange({ANN: holds(1_000, (0, 0), (5, 500))})
    assert collateral(settle_funding(before, ANN, GOLD, 1_000).exchange, ANN) == 1_000


@pytest.mark.parametrize(
    ("rate", "ann", "bob", "cy", "vault"),
    [
        # Ann is long 10, Bob short 7, Cy short 3, at 101: 1.01, -0.707, -0.303 at 1,000 ppm
        (1_000, 2, 0, 0, 2),
        # 10.1 up to 11; 7.07 down to 7; 3.03 down to 3
        (10_000, 11, -7, -3, 1),
        # received 10; paid 8 and 4
        (-10_000, -10, 8, 4, 2),
    ],
)
def test_the_whole_market_settles_and_the_dust_stays_with_the_vault(
    rate: int, ann: int, bob: int, cy: int, vault: int
) -> None:
    before = exchange(
        {
            VAULT: holds(50),
            ANN: holds(1_000, (10, 1_010)),
            BOB: holds(1_000, (-7, -707)),
            CY: holds(1_000, (-3, -303), (1, 100)),
        },
        market(101),
    )
    after = done(before, SettleFunding(GOLD, rate)).exchange
    assert collateral(after, ANN) == 1_000 - ann
    assert collateral(after, BOB) == 1_000 - bob
    assert collateral(after, CY) == 1_000 - cy
    assert collateral(after, VAULT) == 50 + vault
    assert position(after, CY, OIL) == (1, 100)


def test_accounts_settle_in_account_order_and_the_vault_with_nobody() -> None:
    before = exchange(
        {
            VAULT: holds(5_000, (3, 300)),
            BOB: holds(1_000, (-7, -700)),
            ANN: holds(1_000, (4, 400)),
            CY: holds(1_000),
        }
    )
    outcome = done(before, SettleFunding(GOLD, 10_000))
    assert outcome.events == (Paid(ANN, VAULT, 4, "FUND-3"), Paid(VAULT, BOB, 7, "FUND-3"))


@given(
    sizes=st.lists(st.integers(-30, 30), min_size=1, max_size=5),
    mark=st.integers(1, 500),
    rate=st.integers(-(10**5), 10**5),
)
def test_what_the_vault_keeps_is_dust(sizes: list[int], mark: int, rate: int) -> None:
    dues = [funding_due(size, mark, rate) for size in (*sizes, -sum(sizes))]
    assert 0 <= sum(dues) < len(dues)


@pytest.mark.parametrize(
    ("bid", "ask", "premium"),
    [(1_010, 1_011, 10_000), (999, 1_001, 0), (980, 990, -10_000), (1_000, 1_000, 0)],
)
def test_a_premium_is_what_the_book_is_beyond_the_index(bid: int, ask: int, premium: int) -> None:
    assert funding.premium(1_000, bid, ask) == premium


def test_a_premium_is_rounded_towards_zero_on_both_sides() -> None:
    assert funding.premium(3, 4, 4) == 333_333
    assert funding.premium(3, 2, 2) == -333_333
    assert funding.average_premium(-7, 2, 3) == -2
    assert funding.average_premium(7, 2, 3) == 2


@given(st.integers(-(10**6), 10**6), st.lists(st.integers(-(10**4), 10**4), max_size=6))
def test_the_index_saves_at_most_a_quantum_for_each_settlement(size: int, rates: list[int]) -> None:
    """Settled each time at a mark of 997, or once for all by the index."""
    eagerly = sum(funding_due(size, 997, rate) for rate in rates)
    index = sum(funding.index_step(997, rate, 8, 8) for rate in rates)
    lazily = funding.funding_by_index(size, 0, index)
    assert lazily <= eagerly <= lazily + len(rates)


def test_a_premium_is_sampled_within_its_bounds() -> None:
    before = exchange({ANN: holds(1)})
    for premium in (-PARTS, PARTS):
        sampled = funding.sample_premium(before, GOLD, premium).exchange.markets[GOLD]
        assert (sampled.premiums, sampled.samples) == (premium, 1)
    for premium in (-PARTS - 1, PARTS + 1):
        with refuses(funding.PREMIUM_OUT_OF_BOUNDS, premium, PARTS):
            funding.sample_premium(before, GOLD, premium)
    ended = evolve(before.markets[GOLD], settling=True)
    with pytest.raises(Refusal):
        funding.sample_premium(evolve(before, markets=before.markets.put(GOLD, ended)), GOLD, 1)


@pytest.mark.parametrize(
    ("premium", "rate"),
    [(0, 107), (600, 107), (601, 108), (-400, 107), (-401, 106), (9_999, 1_000), (-9_999, -1_000)],
)
def test_an_offset_is_added_to_what_the_damper_leaves(premium: int, rate: int) -> None:
    """An interest of 100, a damper of 500, an offset of 7, a cap of 1,000."""
    assert funding.funding_rate(premium, funding.FundingTerms(100, 500, 7, 1_000)) == rate


def test_caps_and_impacts_are_rounded_down() -> None:
    assert funding.margin_cap(6_000_000, 50_000, 30_000) == 120_000
    assert funding.margin_cap(1_500_000, 50_001, 50_000) == 1
    assert funding.impact_notional(500, 30_000) == 16_666
    assert funding.impact_notional(501, 30_000) == 16_700


def test_an_index_of_smaller_units_moves_by_their_part() -> None:
    assert funding.index_step(1_000, 7, 3_600, 28_800) == 875
    assert funding.index_step(1_000, 7, 3_600, 28_800, 100) == 8
    assert funding.index_step(1_000, -7, 3_600, 28_800, 100) == -8
    assert funding.funding_by_index(3, 100_000, 600_001) == 2, "1.500003 is 2"
    assert funding.funding_by_index(-3, 100_000, 600_001) == -1


def test_an_index_moves_by_mark_times_rate_and_no_cash() -> None:
    before = exchange({ANN: holds(50, (1, 100))}, rulebook=rules(funding_cap=750))
    outcome = funding.accrue(before, GOLD, -750)
    assert outcome.events == ()
    assert outcome.exchange.accounts == before.accounts
    assert outcome.exchange.markets[GOLD] == evolve(before.markets[GOLD], funding_index=-75_000)
    assert outcome.exchange.markets[OIL] == before.markets[OIL]
    with refuses(funding.RATE_OUT_OF_BOUNDS, 751, 750):
        funding.accrue(before, GOLD, 751)


@pytest.mark.parametrize(
    ("size", "since", "index", "paid"),
    [
        (3, 0, 500_000, [Paid(ANN, VAULT, 2, "FUND-12")]),
        (-3, 0, 500_000, [Paid(VAULT, ANN, 1, "FUND-12")]),
        (3, 500_000, 500_000, []),
        (3, 500_000, 500_001, [Paid(ANN, VAULT, 1, "FUND-12")]),
        (-3, 500_000, 500_001, []),
    ],
)
def test_a_touch_pays_what_has_accrued(size: int, since: int, index: int, paid: list[Paid]) -> None:
    before = exchange({ANN: holds(50, (size, size * 100))})
    noted = evolve(before.accounts[ANN], funded=before.accounts[ANN].funded.put(GOLD, since))
    moved = evolve(before.markets[GOLD], funding_index=index)
    before = evolve(
        before,
        accounts=before.accounts.put(ANN, noted),
        markets=before.markets.put(GOLD, moved),
    )
    outcome = funding.touch(before, ANN, GOLD)
    assert list(outcome.events) == paid
    assert outcome.exchange.accounts[ANN].funded[GOLD] == index
    assert position(outcome.exchange, ANN) == (size, size * 100)


UP, DOWN, TOWARDS_ZERO = Rounding.UP, Rounding.DOWN, Rounding.TOWARDS_ZERO


@pytest.mark.parametrize(
    ("rounding", "long", "short"), [(UP, 1, 0), (DOWN, 0, -1), (TOWARDS_ZERO, 0, 0)]
)
def test_a_part_of_a_quantum_is_rounded_as_the_rulebook_says(
    rounding: Rounding, long: int, short: int
) -> None:
    # 7 lots at 1,001 and 125 millionths are 0.875875
    assert funding_due(7, 1_001, 125, rounding) == long
    assert funding_due(-7, 1_001, 125, rounding) == short
    assert funding.funding_by_index(7, 0, 1_001 * 125, rounding) == long
    assert funding.funding_by_index(-7, 0, 1_001 * 125, rounding) == short


@pytest.mark.parametrize("rounding", Rounding)
def test_settling_and_touching_round_as_the_rulebook_says(rounding: Rounding) -> None:
    terms = evolve(rules(funding_cap=PARTS), funding_rounding=rounding)
    before = exchange({VAULT: holds(9), ANN: holds(9, (-10, -1_000))}, market(101), rulebook=terms)
    # -1.01
    gets = {UP: 1, DOWN: 2, TOWARDS_ZERO: 1}[rounding]
    settled = settle_funding(before, ANN, GOLD, 1_000)
    assert settled.events == (Paid(VAULT, ANN, gets, "FUND-3"),)
    touched = funding.touch(funding.accrue(before, GOLD, 1_000).exchange, ANN, GOLD)
    assert touched.events == (Paid(VAULT, ANN, gets, "FUND-12"),)


@given(
    sizes=st.lists(st.integers(-30, 30), min_size=1, max_size=5),
    mark=st.integers(1, 500),
    rate=st.integers(-(10**5), 10**5),
    rounding=st.sampled_from(Rounding),
)
def test_the_vault_has_less_dust_than_there_are_accounts(
    sizes: list[int], mark: int, rate: int, rounding: Rounding
) -> None:
    dues = [funding_due(size, mark, rate, rounding) for size in (*sizes, -sum(sizes))]
    assert abs(sum(dues)) < len(dues)
    assert sum(dues) >= 0 or rounding is not UP
    assert sum(dues) <= 0 or rounding is not DOWN


@pytest.mark.parametrize(
    ("equity", "boundary", "paid", "pot"), [(8, 5, 6, 9), (5, 5, 6, 6), (4, 5, 6, 6), (-3, 0, 6, 6)]
)
def test_there_is_what_was_paid_and_what_the_vault_has_beyond_its_boundary(
    equity: int, boundary: int, paid: int, pot: int
) -> None:
    assert funding.funding_pot(equity, boundary, paid) == pot


@pytest.mark.parametrize(
    ("due", "pot", "part"),
    [(7, 10, 7), (7, 11, 7), (7, 9, 6), (3, 9, 2), (7, 0, 0), (0, 9, 0), (10, 9, 9)],
)
def test_a_receiver_gets_its_part_of_what_there_is(due: int, pot: int, part: int) -> None:
    # all together are due 10
    assert funding.receiver_part(due, pot, 10) == part


def capped(spare: int) -> Exchange:
    """The vault is long by 4 lots, so far above its boundary of 500; a quantum is due a lot."""
    accounts = {
        VAULT: holds(500 + spare, (4, 4_000)),
        ANN: holds(2_000, (6, 6_000)),
        BOB: holds(2_000, (-7, -7_000)),
        CY: holds(2_000, (-3, -3_000)),
    }
    terms = evolve(rules(boundary=500, funding_cap=PARTS), funding_receivers_capped=True)
    return exchange(accounts, market(1_000), rulebook=terms)


@pytest.mark.parametrize(
    ("spare", "bob", "cy"), [(4, 7, 3), (5, 7, 3), (3, 6, 2), (0, 4, 1), (-1, 4, 1), (-5, 4, 1)]
)
def test_receivers_get_no_more_than_there_is(spare: int, bob: int, cy: int) -> None:
    outcome = done(capped(spare), SettleFunding(GOLD, 1_000))
    assert outcome.events[:3] == (
        Paid(ANN, VAULT, 6, "FUND-3"),
        Paid(VAULT, BOB, bob, "FUND-14"),
        Paid(VAULT, CY, cy, "FUND-14"),
    )
    assert collateral(outcome.exchange, VAULT) >= 500 + min(spare, 0)


def test_where_the_others_receive_payers_still_come_first() -> None:
    # the vault receives: 4 lots of its own are paid for by nobody
    outcome = done(capped(0), SettleFunding(GOLD, -1_000))
    assert outcome.events[:3] == (
        Paid(BOB, VAULT, 7, "FUND-3"),
        Paid(CY, VAULT, 3, "FUND-3"),
        Paid(VAULT, ANN, 6, "FUND-14"),
    )
    assert collateral(outcome.exchange, VAULT) == 500 + 4


@pytest.mark.parametrize("rate", [-PARTS - 1, PARTS + 1])
def test_nobody_is_paid_at_a_rate_beyond_the_cap(rate: int) -> None:
    with refuses(funding.RATE_OUT_OF_BOUNDS, rate, PARTS):
        funding.pay_receiver(capped(0), BOB, GOLD, rate, 1, 1)


def test_who_is_due_nothing_is_paid_nothing() -> None:
    paid = funding.pay_receiver(capped(9), ANN, GOLD, 1_000, 15, 10)
    assert paid.events == (Paid(VAULT, ANN, 0, "FUND-14"),)
    terms = evolve(capped(9).rulebook, funding_rounding=DOWN)
    part = funding.pay_receiver(evolve(capped(9), rulebook=terms), CY, GOLD, 333, 9, 9)
    assert part.events == (Paid(VAULT, CY, 1, "FUND-14"),), "0.999"


@given(
    sizes=st.lists(st.integers(-30, 30), min_size=1, max_size=5),
    rate=st.integers(-(10**5), 10**5),
    cash=st.integers(0, 200),
    rounding=st.sampled_from(Rounding),
)
def test_a_capped_settlement_leaves_the_vault_its_boundary(
    sizes: list[int], rate: int, cash: int, rounding: Rounding
) -> None:
    sizes = [*sizes, -sum(sizes)]
    held = {AccountId(10 + n): holds(10**6, (s, s * 500)) for n, s in enumerate(sizes) if s}
    terms = evolve(
        rules(boundary=50, funding_cap=PARTS),
        funding_receivers_capped=True,
        funding_rounding=rounding,
    )
    before = exchange({VAULT: holds(cash), **held}, market(500), rulebook=terms)
    after = done(before, SettleFunding(GOLD, rate)).exchange
    assert collateral(after, VAULT) >= min(cash, 50)
    for account, kept in held.items():
        due = funding_due(position(before, account)[0], 500, rate, rounding)
        got = collateral(after, account) - kept.collateral
        assert got == -due if due >= 0 else 0 <= got <= -due
