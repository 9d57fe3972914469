"""VLT: the vault takes over only within its cap, its margin and its boundary."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref import machine, scheduler
from perpref.outcome import Filled, Paid
from perpref.rule_registry import Refusal
from perpref.rules import ledger, liquidation, liquidator, mark, vault, volunteers
from perpref.rules.margin import health
from perpref.rules.vault import take_over, transfer_position
from perpref.scheduler import largest_takeover, may_take_over
from perpref.state import TREASURY, VAULT, Account, Exchange, LiquidationLimit, TakeoverPrice
from perpref.units import MAX_CASH, PARTS, MarketId, OrderId
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
    refused,
    refuses,
    require_lawful,
    rules,
)


def victim(
    safe: Account, cash: int = 40, *, size: int = 10, cap: int = 1_000, boundary: int = 0
) -> Exchange:
    """Ann is due, with 10 lots at 100; the vault holds this."""
    return exchange(
        {VAULT: safe, ANN: holds(cash, (size, 100 * size))},
        market(100, cap=cap),
        rulebook=rules(boundary=boundary),
    )


@pytest.mark.parametrize(("size", "price"), [(10, 96), (-10, 104)])
@pytest.mark.parametrize("lots", [1, 4, 10])
def test_the_vault_takes_lots_at_the_bankruptcy_price(size: int, price: int, lots: int) -> None:
    before = victim(holds(500), size=size)
    direction = 1 if size > 0 else -1
    outcome = take_over(before, ANN, GOLD, lots)
    assert position(outcome.exchange, VAULT) == (direction * lots, direction * lots * price)
    assert position(outcome.exchange, ANN)[0] == size - direction * lots
    buyer, seller = (VAULT, ANN) if size > 0 else (ANN, VAULT)
    assert outcome.events == (Filled(buyer, seller, GOLD, lots, price, "VLT-1"),)
    require_lawful(outcome.exchange)


def test_a_full_takeover_uses_up_the_account() -> None:
    after = take_over(victim(holds(500)), ANN, GOLD, 10).exchange
    assert collateral(after, ANN) == 0


@pytest.mark.parametrize("lots", [0, -1, 11])
def test_only_lots_that_are_there(lots: int) -> None:
    with refuses(vault.MORE_THAN_THERE_IS, lots, 10):
        take_over(victim(holds(500)), ANN, GOLD, lots)
    with refuses(vault.MORE_THAN_THERE_IS, lots, 10):
        take_over(victim(holds(500), size=-10), ANN, GOLD, lots)


def test_the_cap_counts_what_the_vault_holds_already() -> None:
    safe = holds(5_000, (3, 300))
    assert position(take_over(victim(safe, cap=13), ANN, GOLD, 10).exchange, VAULT)[0] == 13
    with refuses(vault.OVER_CAP, 13, 12):
        take_over(victim(safe, cap=12), ANN, GOLD, 10)


def test_the_cap_holds_for_shorts() -> None:
    safe = holds(5_000, (-3, -300))
    assert (
        position(take_over(victim(safe, size=-10, cap=13), ANN, GOLD, 10).exchange, VAULT)[0] == -13
    )
    with refuses(vault.OVER_CAP, 13, 12):
        take_over(victim(safe, size=-10, cap=12), ANN, GOLD, 10)


def test_a_takeover_that_closes_the_vaults_own_lots_counts_what_is_left() -> None:
    safe = holds(5_000, (-7, -700))
    assert position(take_over(victim(safe, cap=3), ANN, GOLD, 10).exchange, VAULT)[0] == 3
    with refuses(vault.OVER_CAP, 3, 2):
        take_over(victim(safe, cap=2), ANN, GOLD, 10)


def test_the_vault_needs_initial_margin_afterwards() -> None:
    # 10 lots need 100; bought at 96 they bring 40
    assert position(take_over(victim(holds(60)), ANN, GOLD, 10).exchange, VAULT)[0] == 10
    with refuses(vault.UNDER_MARGIN, 99, 100):
        take_over(victim(holds(59)), ANN, GOLD, 10)


def test_the_vaults_margin_is_over_all_its_markets() -> None:
    # oil: 5 lots at 100 need 50 more
    assert position(take_over(victim(holds(110, oil=(5, 500))), ANN, GOLD, 10).exchange, VAULT)
    with refuses(vault.UNDER_MARGIN, 149, 150):
        take_over(victim(holds(109, oil=(5, 500))), ANN, GOLD, 10)


def test_the_vaults_equity_stays_above_its_boundary() -> None:
    # Ann owes 30, so the price is 103, which costs 30
    before = victim(holds(530), -30, boundary=500)
    assert position(take_over(before, ANN, GOLD, 10).exchange, VAULT) == (10, 1_030)
    with refuses(vault.UNDER_BOUNDARY, 499, 500):
        take_over(victim(holds(529), -30, boundary=500), ANN, GOLD, 10)


def test_who_is_not_due_is_not_taken_over() -> None:
    with refuses(liquidation.NOT_DUE, 50, 50):
        take_over(victim(holds(500), 50), ANN, GOLD, 1)
    with refuses(liquidation.NO_POSITION, OIL):
        take_over(victim(holds(500)), ANN, OIL, 1)


def test_the_vault_does_not_take_over_from_itself() -> None:
    before = exchange({VAULT: holds(40, (10, 1_000))})
    with refuses(vault.VAULT_IS_LIQUIDATED, None):
        take_over(before, VAULT, GOLD, 1)


def test_a_position_passes_to_anybody_at_any_price() -> None:
    before = exchange({ANN: holds(40, (10, 1_000)), BOB: holds(7)})
    outcome = transfer_position(before, ANN, BOB, GOLD, 4, 88, "ADL-3")
    assert position(outcome.exchange, BOB) == (4, 352)
    assert position(outcome.exchange, ANN) == (6, 600)
    assert outcome.events == (Filled(BOB, ANN, GOLD, 4, 88, "ADL-3"),)


# At which price, and with what.


@pytest.mark.parametrize("size", [10, -10])
@pytest.mark.parametrize(
    ("cash", "choice", "price", "left", "gained"),
    [
        (43, TakeoverPrice.BANKRUPTCY, 96, 3, 40),
        (43, TakeoverPrice.MARK, 100, 43, 0),
        (43, TakeoverPrice.WITH_MARGIN, 100, 0, 43),
        (-33, TakeoverPrice.BANKRUPTCY, 104, 7, -40),
        (-33, TakeoverPrice.MARK, 100, -33, 0),
        (-33, TakeoverPrice.WITH_MARGIN, 100, 0, -33),
        (0, TakeoverPrice.WITH_MARGIN, 100, 0, 0),
    ],
)
def test_what_is_left_and_what_the_vault_gains(
    size: int, cash: int, choice: TakeoverPrice, price: int, left: int, gained: int
) -> None:
    # Ann has, or owes, so much at the mark of 100; the vault has 500
    before = victim(holds(500), cash, size=size)
    after = take_over(priced(before, choice), ANN, GOLD, 10).exchange
    paid = price if size > 0 else 200 - price
    assert position(after, VAULT) == (size, size * (100 if choice is MARGIN else paid))
    assert health(after, ANN).equity == left
    assert health(after, VAULT).equity == 500 + gained
    require_lawful(after)


MARGIN = TakeoverPrice.WITH_MARGIN


def priced(before: Exchange, choice: TakeoverPrice, cap: int = 0) -> Exchange:
    chosen = evolve(before.rulebook, takeover_price=choice, vault_notional_cap=cap)
    return evolve(before, rulebook=chosen)


def test_the_margin_is_paid_after_the_fill_and_not_when_it_is_nothing() -> None:
    filled = Filled(VAULT, ANN, GOLD, 4, 100, "VLT-1")
    after = take_over(priced(victim(holds(500), 43), MARGIN), ANN, GOLD, 4)
    assert after.events == (filled, Paid(ANN, VAULT, 16, "VLT-22"))
    brings = take_over(priced(victim(holds(500), -33), MARGIN), ANN, GOLD, 4)
    assert brings.events == (filled, Paid(VAULT, ANN, 16, "VLT-22"))
    nothing = take_over(priced(victim(holds(500), 0), MARGIN), ANN, GOLD, 4)
    assert nothing.events == (filled,)


@pytest.mark.parametrize(
    ("margin", "lots", "size", "along"),
    [
        (43, 1, 10, 4),
        (43, 9, 10, 36),
        (43, 10, 10, 43),
        (43, 10, -10, 43),
        (-33, 1, 10, -4),
        (-33, 9, -10, -36),
        (-33, 10, 10, -33),
        (3, 2, 5, 0),
    ],
)
def test_the_margin_of_lots(margin: int, lots: int, size: int, along: int) -> None:
    assert vault.margin_taken(margin, lots, size) == along


def test_only_the_margin_behind_the_position_goes_along() -> None:
    # 10 gold and 10 oil at 100 have the same margin, so half of the equity stands behind each
    before = exchange(
        {VAULT: holds(5_000), ANN: holds(61, (10, 1_000), (10, 1_000))}, rulebook=rules()
    )
    after = take_over(priced(before, MARGIN), ANN, GOLD, 10).exchange
    assert health(after, ANN).equity == 31
    assert health(take_over(after, ANN, OIL, 10).exchange, ANN).equity == 0


def test_the_vault_may_hold_a_notional_of_a_part_of_its_equity() -> None:
    # 10 lots bought at 96 are a notional of 1,000; 460 and 40 are half of it
    before = victim(holds(460))
    after = take_over(priced(before, TakeoverPrice.BANKRUPTCY, 2 * PARTS), ANN, GOLD, 10)
    assert position(after.exchange, VAULT)[0] == 10
    with refuses(vault.OVER_NOTIONAL_CAP, 1_000, 500):
        take_over(priced(before, TakeoverPrice.BANKRUPTCY, 2 * PARTS - 1), ANN, GOLD, 10)
    with refuses(vault.OVER_NOTIONAL_CAP, 1_000, 499):
        take_over(priced(victim(holds(459)), TakeoverPrice.BANKRUPTCY, 2 * PARTS), ANN, GOLD, 10)


def test_the_notional_is_over_all_markets_whatever_the_side() -> None:
    # 5 short of oil are 500 more
    before = victim(holds(710, oil=(-5, -500)))
    after = take_over(priced(before, TakeoverPrice.BANKRUPTCY, 2 * PARTS), ANN, GOLD, 10)
    assert position(after.exchange, VAULT)[0] == 10
    with refuses(vault.OVER_NOTIONAL_CAP, 1_500, 749):
        less = victim(holds(709, oil=(-5, -500)))
        take_over(priced(less, TakeoverPrice.BANKRUPTCY, 2 * PARTS), ANN, GOLD, 10)


# How much the vault takes.


def allowed_by_trying(exchange: Exchange, lots: int) -> list[int]:
    allowed = []
    for size in range(1, lots + 1):
        try:
            take_over(exchange, ANN, GOLD, size)
        except Refusal:
            continue
        allowed.append(size)
    return allowed


def test_the_whole_position_may_be_allowed_where_a_lot_less_is_not() -> None:
    # A lot at 5 needs half a quantum. Ann's one quantum goes along with the last of her 10 lots:
    # 8 lots need 4, 9 need 5, and 10 need 5 and bring 1.
    before = exchange({VAULT: holds(4), ANN: holds(1, (10, 50))}, market(5))
    taken = priced(before, MARGIN)
    assert allowed_by_trying(taken, 10) == [*range(1, 9), 10]
    assert largest_takeover(taken, ANN, GOLD) == 8


@given(
    cash=st.integers(-60, 49),
    size=st.sampled_from([10, -10, 7, -3]),
    safe=st.integers(-20, 160),
    held=st.integers(-12, 12),
    oil=st.integers(-4, 4),
    cost=st.integers(-30, 30),
    cap=st.integers(0, 14),
    boundary=st.integers(0, 120),
    choice=st.sampled_from(TakeoverPrice),
    part=st.sampled_from([0, 0, PARTS, 5 * PARTS, 9_999_999]),
    mark=st.sampled_from([100, 100, 5]),
)
def test_bisection_finds_what_trying_all_sizes_finds(
    cash: int,
    size: int,
    safe: int,
    held: int,
    oil: int,
    cost: int,
    cap: int,
    boundary: int,
    choice: TakeoverPrice,
    part: int,
    mark: int,
) -> None:
    before = exchange(
        {
            VAULT: holds(safe, (held, mark * held + cost), (oil, 100 * oil)),
            ANN: holds(cash * abs(size) * mark // 1_000, (size, mark * size)),
        },
        market(mark, cap=cap),
        rulebook=rules(boundary=boundary),
    )
    before = priced(before, choice, part)
    if health(before, ANN).equity >= health(before, ANN).maintenance:
        return
    allowed = allowed_by_trying(before, abs(size))
    if choice is TakeoverPrice.WITH_MARGIN and abs(size) - 1 not in allowed:
        allowed = [lots for lots in allowed if lots < abs(size)]  # with the last lot goes the rest
    assert allowed == list(range(1, len(allowed) + 1)) or 1 not in allowed, "there is no gap"
    assert largest_takeover(before, ANN, GOLD) == (len(allowed) if 1 in allowed else 0)
    assert may_take_over(before, ANN, GOLD, 1) == (1 in allowed)


@pytest.mark.parametrize(
    ("safe", "cap", "lots"),
    [
        (holds(500), 1_000, 10),
        (holds(500), 10, 10),
        (holds(500), 9, 9),
        (holds(500), 1, 1),
        (holds(500), 0, 0),
        # each lot needs 10 and brings 4: 6 each
        (holds(60), 1_000, 10),
        (holds(59), 1_000, 9),
        (holds(6), 1_000, 1),
        (holds(5), 1_000, 0),
    ],
)
def test_the_largest_takeover(safe: Account, cap: int, lots: int) -> None:
    assert largest_takeover(victim(safe, cap=cap), ANN, GOLD) == lots


@pytest.mark.parametrize(
    ("equity", "steps"), [(-1, True), (65, True), (66, True), (67, False), (99, False)]
)
def test_a_vault_that_waits_for_two_thirds(equity: int, steps: bool) -> None:
    assert vault.steps_in(equity, 100, 666_667) is steps
    assert vault.steps_in(equity, 100, PARTS)


@pytest.mark.parametrize(
    ("value", "delta"), [(1_000, 0), (1_004, 4), (1_005, 5), (1_006, 5), (997, -3), (0, -1_000)]
)
def test_a_fund_gets_what_is_more_up_to_its_rate(value: int, delta: int) -> None:
    """At bankruptcy 1,000; half a per cent of the fill at most."""
    assert vault.fund_delta(value, 1_000, 5_000) == delta


def test_liquidators_and_volunteers_are_paid_from_the_accounts_side_of_the_mark() -> None:
    assert liquidator.liquidator_price(1_050, 7, 10_000) == 1_040
    assert liquidator.liquidator_price(1_050, -7, 10_000) == 1_060
    assert liquidator.liquidator_price(1, 7, PARTS) == 1
    assert volunteers.assignment_window(10_000, 1, 7_500, 25_000) == (9_750, 9_925)
    assert volunteers.assignment_window(10_000, -1, 7_500, 25_000) == (10_075, 10_250)


def test_a_pool_is_not_short_on_the_way_when_the_fund_pays_first() -> None:
    """20 are there, 30 are given back, and the fund pays 10."""
    assert vault.pool_on_the_way(20, 10, 30) == (30, 0)
    assert vault.pool_on_the_way(20, 9, 30)[1] == -1


def test_a_vault_that_waits_says_what_it_waits_for() -> None:
    """A maintenance margin of 50, an initial one of 100; a half of the first is 25."""
    rulebook = evolve(rules(), vault_trigger=500_000)
    for equity_left, waits in ((25, True), (24, False)):
        before = exchange(
            {VAULT: holds(5_000), ANN: holds(equity_left, (10, 1_000))}, rulebook=rulebook
        )
        if waits:
            with refuses(vault.VAULT_WAITS, equity_left, 50):
                vault.take_over(before, ANN, GOLD, 1)
        else:
            vault.take_over(before, ANN, GOLD, 1)


def test_a_fund_takes_a_single_quantum_and_a_rate_of_what_is_paid_too() -> None:
    assert vault.fund_delta(1_001, 1_000, 5_000) == 1
    assert vault.fund_delta(-1_000, -1_010, 5_000) == 5, "a buyer's fill is as large as a seller's"
    assert vault.fund_delta(0, 0, 5_000) == 0


def test_an_edge_is_rounded_towards_the_mark() -> None:
    assert volunteers.assignment_window(10_001, 1, 7_500, 25_000) == (9_751, 9_926)
    assert volunteers.assignment_window(10_001, 1, 25_000, 25_000) == (9_751, 9_751)


# A vault of a market's own.


def family(
    child: Account, cash: int = 40, *, safe: int = 500, boundary: int = 0, own: int = 0
) -> Exchange:
    """Gold's vault is Cy; the parent has 500. Ann is due, with 10 lots at 100."""
    gold = evolve(market(100), vault=CY, vault_boundary=own)
    accounts = {VAULT: holds(safe), CY: child, ANN: holds(cash, (10, 1_000))}
    return exchange(accounts, gold, rulebook=rules(boundary=boundary))


def test_a_child_takes_over_where_the_market_says_so() -> None:
    outcome = take_over(family(holds(500)), ANN, GOLD, 10)
    assert outcome.events == (Filled(CY, ANN, GOLD, 10, 96, "VLT-1"),)
    assert position(outcome.exchange, CY) == (10, 960)
    assert position(outcome.exchange, VAULT) == (0, 0)
    require_lawful(outcome.exchange)


def test_a_childs_margin_is_its_own() -> None:
    with refuses(vault.UNDER_MARGIN, 99, 100):
        take_over(family(holds(59)), ANN, GOLD, 10)


def test_a_child_keeps_the_markets_boundary_and_not_the_rulebooks() -> None:
    before = family(holds(530), -30, boundary=10_000, own=500)
    assert position(take_over(before, ANN, GOLD, 10).exchange, CY) == (10, 1_030)
    with refuses(vault.UNDER_BOUNDARY, 499, 500):
        take_over(family(holds(529), -30, own=500), ANN, GOLD, 10)


def test_a_market_without_a_child_keeps_the_rulebooks_boundary() -> None:
    before = victim(holds(529), -30, boundary=500)
    own = evolve(before.markets[GOLD], vault_boundary=0)
    with refuses(vault.UNDER_BOUNDARY, 499, 500):
        take_over(evolve(before, markets=before.markets.put(GOLD, own)), ANN, GOLD, 10)


def test_a_child_does_not_insure_itself_but_it_insures_its_parent() -> None:
    before = family(holds(40, (10, 1_000)), 5_000)
    with refuses(vault.VAULT_IS_LIQUIDATED, None):
        take_over(before, CY, GOLD, 1)
    poor = evolve(before.accounts[VAULT], positions=before.accounts[ANN].positions, collateral=40)
    rich = before.accounts.put(VAULT, poor).put(CY, holds(5_000))
    assert position(take_over(evolve(before, accounts=rich), VAULT, GOLD, 10).exchange, CY)[0] == 10


def test_a_parent_gives_what_it_might_withdraw_above_its_boundary() -> None:
    outcome = vault.recapitalise(family(holds(7), safe=500, boundary=100), GOLD, 400)
    assert outcome.events == (Paid(VAULT, CY, 400, "VLT-18"),)
    after = outcome.exchange
    assert (collateral(after, VAULT), collateral(after, CY)) == (100, 407)
    with refuses(vault.UNDER_BOUNDARY, 99, 100):
        vault.recapitalise(family(holds(7), safe=500, boundary=100), GOLD, 401)
    with refuses(ledger.NOT_WITHDRAWABLE, 501, 500):
        vault.recapitalise(family(holds(7), safe=500), GOLD, 501)
    for wrong in (0, MAX_CASH + 1):
        with refuses(ledger.AMOUNT_OUT_OF_BOUNDS, wrong, MAX_CASH):
            vault.recapitalise(family(holds(7)), GOLD, wrong)


def test_a_child_gives_back_what_it_might_withdraw_above_its_boundary() -> None:
    before = family(holds(150, (10, 1_000)), 5_000, own=110)
    outcome = vault.recall_capital(before, GOLD, 40)
    assert outcome.events == (Paid(CY, VAULT, 40, "VLT-19"),)
    assert collateral(outcome.exchange, VAULT) == 540
    with refuses(vault.UNDER_BOUNDARY, 109, 110):
        vault.recall_capital(before, GOLD, 41)
    with refuses(ledger.NOT_WITHDRAWABLE, 51, 50):
        vault.recall_capital(before, GOLD, 51)
    with refuses(ledger.AMOUNT_OUT_OF_BOUNDS, 0, MAX_CASH):
        vault.recall_capital(before, GOLD, 0)


def test_only_a_market_with_a_vault_of_its_own_has_a_child() -> None:
    for action in (vault.recapitalise, vault.recall_capital):
        with refuses(vault.NO_CHILD, OIL):
            action(family(holds(7)), OIL, 1)
        with refuses(mark.UNKNOWN_MARKET, MarketId(3)):
            action(family(holds(7)), MarketId(3), 1)


def test_the_gate_does_not_hold_up_a_recapitalisation() -> None:
    shut = evolve(family(holds(7)), gate_opens=1)
    assert collateral(vault.recapitalise(shut, GOLD, 1).exchange, CY) == 8
    assert collateral(vault.recall_capital(shut, GOLD, 1).exchange, CY) == 6


def test_a_child_gets_the_fee_makes_good_and_unwinds() -> None:
    """Ann is 10 under water at 89; Bob bids 88, and the fillable limit goes as far."""
    gold = evolve(market(89, buys(1, BOB, 10, 88)), vault=CY)
    fillable = evolve(
        rules(),
        liquidation_limit=LiquidationLimit.FILLABLE,
        liquidation_adjustment=PARTS,
        liquidation_spread=PARTS,
    )
    accounts = {VAULT: holds(500), CY: holds(500), ANN: holds(100, (10, 1_000)), BOB: holds(500)}
    before = exchange(accounts, gold, rulebook=fillable, last_order=1)
    after = done(before, machine.SetMark(GOLD, 89)).exchange
    assert collateral(after, VAULT) == 500
    assert collateral(after, CY) == 480
    bought = done(before, machine.SetMark(GOLD, 90)).exchange
    assert collateral(bought, VAULT) == 500


def test_the_vault_that_unwinds_is_the_markets() -> None:
    gold = evolve(market(100, buys(1, BOB, 10, 100)), vault=CY)
    accounts = {VAULT: holds(500), CY: holds(500, (10, 1_000)), BOB: holds(500)}
    before = exchange(accounts, gold, last_order=1)
    after = done(before, machine.Unwind(GOLD, OrderId(2))).exchange
    assert position(after, CY) == (0, 0)
    with_parent = evolve(before, markets=before.markets.put(GOLD, evolve(gold, vault=VAULT)))
    assert refused(with_parent, machine.Unwind(GOLD, OrderId(2))).code == "nothing_to_reduce"


def test_a_child_that_falls_is_closed_against_winners_and_its_parent_keeps_all() -> None:
    """Cy has taken 10 lots over at 96; at 80 it is 60 short, and its parent, with 500, waits."""
    after = take_over(family(holds(100)), ANN, GOLD, 10).exchange
    fallen = done(after, machine.SetMark(GOLD, 80)).exchange
    assert collateral(fallen, VAULT) == 500
    assert health(fallen, CY).equity == 0
    assert position(fallen, CY) == (0, 0)


def test_vaults_are_visited_last_and_the_parent_after_its_children() -> None:
    gold, oil = evolve(market(), vault=BOB), evolve(market(), vault=ANN)
    before = exchange({account: holds(1) for account in (ANN, BOB, CY)}, gold, oil)
    assert scheduler.vault_children(before) == [ANN, BOB]
    assert scheduler.visited(before) == [TREASURY, CY, ANN, BOB, VAULT]


def test_shares_of_the_parent_are_shares_of_its_children_and_no_child_has_any() -> None:
    before = evolve(family(holds(300), 5_000, safe=100), now=1)
    assert done(before, machine.ContributeToVault(ANN, 200)).exchange.accounts[ANN].stake.shares
    bought = done(before, machine.ContributeToVault(ANN, 200)).exchange
    assert (bought.accounts[VAULT].stake.shares, bought.accounts[ANN].stake.shares) == (400, 200)
    assert refused(before, machine.ContributeToVault(CY, 20)).code == "vault_holds_itself"
    back = done(bought, machine.RedeemFromVault(ANN, 200)).exchange
    assert collateral(back, ANN) == 5_000
