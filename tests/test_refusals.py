"""Every refusal code there is, provoked: by a command where a command can, else by the action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve, frozen

from perpref import machine
from perpref.machine import (
    AdvanceClock,
    Cancel,
    Command,
    ContributeToVault,
    Deposit,
    Isolate,
    Liquidate,
    PauseMarket,
    Place,
    Recapitalise,
    RedeemFromVault,
    RequestRedemption,
    ResumeMarket,
    SamplePremium,
    SetMark,
    SettleFunding,
    Transfer,
    Unwind,
    Volunteer,
    Withdraw,
)
from perpref.outcome import Outcome, Refused
from perpref.rule_registry import Refusal, functions, refusals
from perpref.rules import (
    adl,
    book,
    isolated_margin,
    ledger,
    liquidation,
    loss,
    settlement,
    vault,
    volunteers,
)
from perpref.state import (
    VAULT,
    Exchange,
    FundTrigger,
    Isolation,
    Kind,
    LiquidationLimit,
    LiquidationSize,
    MarkPolicy,
    Pledge,
    SelfTrade,
    Side,
    Stake,
)
from perpref.table import Table
from perpref.units import MAX_CASH, MAX_SHARES, PARTS, AccountId, MarketId, OrderId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    GOLD,
    OIL,
    buys,
    exchange,
    holds,
    market,
    rules,
    sells,
)

PLAIN = exchange(
    {ANN: holds(1_000), BOB: holds(1_000)},
    market(100, sells(1, BOB, 5, 100), buys(2, BOB, 5, 90)),
    rulebook=rules(funding_cap=10),
    last_order=2,
)


def bid(order: int, lots: int, price: int, kind: Kind = Kind.LIMIT, only: bool = False) -> Place:
    return Place(OrderId(order), ANN, GOLD, Side.BUY, kind, lots, price, only)


SET_APART = evolve(
    PLAIN,
    accounts=PLAIN.accounts.put(CY, evolve(holds(0, (1, 100)), isolation=Isolation(ANN, GOLD))),
)
"""Cy is Ann's isolated account in gold."""

ENDED = evolve(PLAIN, markets=PLAIN.markets.put(GOLD, evolve(PLAIN.markets[GOLD], settling=True)))
LENIENT = evolve(
    exchange(
        {VAULT: holds(29), ANN: holds(10, (10, 1_000)), BOB: holds(500, (-10, -1_000))},
        market(100, buys(1, BOB, 10, 96)),
    ),
    rulebook=evolve(
        rules(),
        liquidation_limit=LiquidationLimit.FILLABLE,
        liquidation_adjustment=PARTS,
        liquidation_spread=PARTS,
    ),
)
"""The limit of Ann's order is worse than her bankruptcy price, and the vault has little."""


ANNS = Stake(40)


def with_terms(**terms: Any) -> Exchange:
    """The plain exchange with other terms of its market."""
    return evolve(PLAIN, markets=PLAIN.markets.put(GOLD, evolve(PLAIN.markets[GOLD], **terms)))


def staked(*, safe: int = 100, shares: int = 60, stake: Stake = ANNS, **chosen: int) -> Exchange:
    """A vault of which the house has 60 shares and Ann 40, at time 5."""
    terms: Any = chosen
    accounts = {
        VAULT: evolve(holds(safe), stake=Stake(shares)),
        ANN: evolve(holds(50), stake=stake),
    }
    return evolve(exchange(accounts, rulebook=evolve(rules(), **terms)), now=5)


HUNTED = exchange(
    {ANN: holds(40, (10, 1_000)), BOB: holds(100), CY: holds(99)},
    rulebook=evolve(rules(), liquidators=True),
)
"""Ann is due, and may be liquidated from outside; who takes all needs 100."""

HELD_UP = evolve(PLAIN, markets=PLAIN.markets.put(GOLD, evolve(PLAIN.markets[GOLD], paused=True)))

BY_COMMAND: dict[str, tuple[Exchange, Command]] = {
    "amount_out_of_bounds": (PLAIN, Deposit(ANN, MAX_CASH + 1)),
    "id_out_of_bounds": (PLAIN, Transfer(ANN, AccountId(-1), 1)),
    "unknown_account": (PLAIN, Withdraw(CY, 1)),
    "not_withdrawable": (PLAIN, Withdraw(ANN, 1_001)),
    "pot_too_small": (exchange({ANN: holds(50), BOB: holds(-20)}), Withdraw(ANN, 31)),
    "unknown_market": (PLAIN, SetMark(MarketId(3), 100)),
    "price_out_of_bounds": (PLAIN, SetMark(GOLD, 0)),
    "lots_out_of_bounds": (PLAIN, bid(3, 0, 100)),
    "order_id_not_new": (PLAIN, bid(2, 1, 100)),
    "nothing_to_reduce": (PLAIN, bid(3, 1, 100, only=True)),
    "post_only_would_cross": (PLAIN, bid(3, 1, 100, Kind.POST_ONLY)),
    "taker_cannot_bear": (
        exchange({ANN: holds(9), BOB: holds(99)}, market(100, sells(1, BOB, 1, 100)), last_order=1),
        bid(3, 1, 100),
    ),
    "cannot_own": (PLAIN, Isolate(VAULT, CY, GOLD, 1)),
    "account_exists": (PLAIN, Isolate(ANN, BOB, GOLD, 1)),
    "only_with_owner": (SET_APART, Deposit(CY, 1)),
    "other_market": (SET_APART, Place(OrderId(3), CY, OIL, Side.BUY, Kind.LIMIT, 1, 100)),
    "is_isolated": (SET_APART, Volunteer(CY, GOLD, 1, 0)),
    "unknown_order": (PLAIN, Cancel(ANN, GOLD, OrderId(3))),
    "not_your_order": (PLAIN, Cancel(ANN, GOLD, OrderId(1))),
    "funding_rate_out_of_bounds": (PLAIN, SettleFunding(GOLD, -11)),
    "premium_out_of_bounds": (PLAIN, SamplePremium(GOLD, PARTS + 1)),
    "self_trade": (
        evolve(PLAIN, rulebook=evolve(PLAIN.rulebook, self_trade=SelfTrade.INCOMING)),
        Place(OrderId(3), BOB, GOLD, Side.BUY, Kind.LIMIT, 1, 100),
    ),
    "not_filled": (PLAIN, bid(3, 6, 100, Kind.FOK)),
    "too_small": (
        evolve(
            PLAIN, markets=PLAIN.markets.put(GOLD, evolve(PLAIN.markets[GOLD], least_notional=101))
        ),
        bid(3, 1, 100),
    ),
    "expired": (
        evolve(PLAIN, now=7),
        evolve(bid(3, 1, 100), expires=7),
    ),
    "off_tick": (with_terms(tick=3), bid(3, 1, 100)),
    "beyond_band": (with_terms(price_band=10_000), bid(3, 1, 102)),
    "too_many_orders": (
        evolve(PLAIN, rulebook=evolve(PLAIN.rulebook, most_orders=2)),
        Place(OrderId(3), BOB, GOLD, Side.BUY, Kind.POST_ONLY, 1, 99),
    ),
    "orders_need_margin": (
        evolve(PLAIN, rulebook=evolve(PLAIN.rulebook, order_margin=True)),
        bid(3, 101, 1),
    ),
    "settling": (ENDED, SetMark(GOLD, 101)),
    "time_out_of_bounds": (PLAIN, AdvanceClock(-1)),
    "not_later": (PLAIN, AdvanceClock(0)),
    "gate_closed": (evolve(PLAIN, gate_opens=1), Withdraw(ANN, 1)),
    "paused": (HELD_UP, PauseMarket(GOLD)),
    "not_paused": (PLAIN, ResumeMarket(GOLD)),
    "stale": (
        evolve(HELD_UP, rulebook=evolve(PLAIN.rulebook, mark_age=5), now=6),
        ResumeMarket(GOLD),
    ),
    "mark_is_computed": (
        evolve(PLAIN, rulebook=evolve(PLAIN.rulebook, mark_policy=MarkPolicy.INDEX)),
        SetMark(GOLD, 100),
    ),
    "vault_holds_itself": (PLAIN, ContributeToVault(VAULT, 1)),
    "vault_is_worthless": (staked(safe=-1), ContributeToVault(ANN, 1)),
    "too_few_shares": (staked(safe=101), ContributeToVault(ANN, 1)),
    "too_many_shares": (staked(safe=1, shares=MAX_SHARES - 41), ContributeToVault(ANN, 2)),
    "shares_out_of_bounds": (staked(), RedeemFromVault(ANN, 41)),
    "shares_locked": (staked(stake=Stake(40, 6)), RedeemFromVault(ANN, 40)),
    "no_notice": (staked(vault_notice=3), RedeemFromVault(ANN, 40)),
    "notice_runs": (
        staked(stake=Stake(40, 0, 40, 40, 6), vault_notice=3),
        RedeemFromVault(ANN, 40),
    ),
    "no_notice_asked": (staked(), RequestRedemption(ANN, 40)),
    "no_liquidators": (PLAIN, Liquidate(ANN, BOB, GOLD, 1)),
    "own_position": (HUNTED, Liquidate(ANN, ANN, GOLD, 1)),
    "not_due": (HUNTED, Liquidate(ANN, BOB, GOLD, 1)),
    "no_position": (HUNTED, Liquidate(BOB, ANN, OIL, 1)),
    "more_than_there_is": (HUNTED, Liquidate(BOB, ANN, GOLD, 11)),
    "not_safer": (
        evolve(HUNTED, rulebook=evolve(HUNTED.rulebook, liquidator_fee=50_000)),
        Liquidate(BOB, ANN, GOLD, 10),
    ),
    "more_than_needed": (
        evolve(
            HUNTED,
            rulebook=evolve(HUNTED.rulebook, liquidation_size=LiquidationSize.TO_BUFFER),
        ),
        Liquidate(BOB, ANN, GOLD, 10),
    ),
    "liquidator_cannot_bear": (HUNTED, Liquidate(CY, ANN, GOLD, 10)),
    "pledge_out_of_bounds": (PLAIN, Volunteer(ANN, GOLD, -1, 0)),
    "no_child": (PLAIN, Recapitalise(GOLD, 1)),
    "under_boundary": (staked(vault_boundary=61), RedeemFromVault(ANN, 40)),
}

LOSER = exchange(
    {
        VAULT: holds(1_000),
        ANN: holds(-30, (10, 1_000)),
        BOB: holds(2, (-10, -1_000)),
        CY: holds(-50),
    },
    market(
        100,
        buys(1, BOB, 1, 90),
        buys(2, ANN, 1, 103),
        buys(3, CY, 1, 103),
        buys(4, CY, 1, 103, only=True),
    ),
)


def offered(number: int) -> Callable[[Exchange], Outcome]:
    """Ann's liquidation order meets a resting one."""
    maker = LOSER.markets[GOLD].orders[OrderId(number)]
    return lambda before: liquidation.liquidate(before, ANN, GOLD, maker)


@frozen
class Provocation:
    """An action that its rule refuses. No command gets so far: the scheduler asks first."""

    exchange: Exchange
    action: Callable[[Exchange], Outcome]


def capped(cap: int, boundary: int = 0, safe: int = 1_000) -> Exchange:
    return exchange(
        {VAULT: holds(safe), ANN: holds(-30, (10, 1_000)), BOB: holds(2, (-10, -1_000))},
        market(100, cap=cap),
        rulebook=rules(boundary=boundary),
    )


def charged(before: Exchange, quanta: int) -> Outcome:
    """What a charge on every lot would lead to, if there were a lot."""
    return ledger.pay(before, BOB, ANN, quanta, "LOSS-7")


PLEDGED = evolve(
    HUNTED,
    markets=HUNTED.markets.put(
        GOLD,
        evolve(HUNTED.markets[GOLD], pledges=Table([(CY, Pledge(10)), (BOB, Pledge(9, 50_000))])),
    ),
)
"""Ann's bankruptcy price is 96. Cy pledged all, but needs 100; Bob asks for 5 ticks."""


BY_ACTION: dict[str, Provocation] = {
    "own_liquidation": Provocation(PLEDGED, lambda x: volunteers.assign(x, ANN, ANN, GOLD, 1)),
    "edge_too_small": Provocation(PLEDGED, lambda x: volunteers.assign(x, ANN, BOB, GOLD, 1)),
    "volunteer_cannot_bear": Provocation(
        PLEDGED, lambda x: volunteers.assign(x, ANN, CY, GOLD, 10)
    ),
    "price_not_agreed": Provocation(
        PLAIN, lambda x: book.match(x, GOLD, buys(3, ANN, 1, 100), sells(1, BOB, 5, 100), 101)
    ),
    "maker_expired": Provocation(
        evolve(PLAIN, now=7),
        lambda x: book.match(
            x, GOLD, buys(3, ANN, 1, 100), evolve(sells(1, BOB, 5, 100), expires=7), 100
        ),
    ),
    "maker_cannot_reduce": Provocation(LOSER, offered(4)),
    "maker_cannot_bear": Provocation(LOSER, offered(3)),
    "worse_than_bankruptcy": Provocation(LOSER, offered(1)),
    "vault_is_liquidated": Provocation(LOSER, lambda x: vault.take_over(x, VAULT, GOLD, 1)),
    "vault_waits": Provocation(
        evolve(
            exchange(
                {VAULT: holds(999), ANN: holds(40, (10, 1_000)), BOB: holds(9, (-10, -1_000))}
            ),
            rulebook=evolve(rules(), vault_trigger=1),
        ),
        lambda x: vault.take_over(x, ANN, GOLD, 1),
    ),
    "fund_cannot_pay": Provocation(
        LENIENT,
        lambda x: liquidation.liquidate(x, ANN, GOLD, LENIENT.markets[GOLD].orders[OrderId(1)]),
    ),
    "not_settling": Provocation(LOSER, lambda x: settlement.settle(x, ANN, BOB, GOLD, 1)),
    "insolvent": Provocation(
        evolve(LOSER, markets=LOSER.markets.put(GOLD, evolve(LOSER.markets[GOLD], settling=True))),
        lambda x: settlement.settle(x, ANN, BOB, GOLD, 1),
    ),
    "nobody_to_charge": Provocation(LOSER, lambda x: charged(x, loss.charge_per_lot(1, 0))),
    "over_cap": Provocation(capped(9), lambda x: vault.take_over(x, ANN, GOLD, 10)),
    "over_notional_cap": Provocation(
        evolve(capped(10), rulebook=evolve(rules(), vault_notional_cap=1)),
        lambda x: vault.take_over(x, ANN, GOLD, 10),
    ),
    "vault_under_margin": Provocation(
        capped(10, safe=129), lambda x: vault.take_over(x, ANN, GOLD, 10)
    ),
    "not_opposite": Provocation(LOSER, lambda x: adl.deleverage(x, ANN, CY, GOLD, 1)),
    "only_insolvent": Provocation(
        evolve(
            exchange({ANN: holds(30, (10, 1_000)), BOB: holds(500, (-10, -1_000))}, market(100)),
            rulebook=evolve(rules(), deleverage_only_insolvent=True),
        ),
        lambda x: adl.deleverage(x, ANN, BOB, GOLD, 1),
    ),
    "fund_stands": Provocation(
        evolve(LOSER, rulebook=evolve(LOSER.rulebook, fund_trigger=FundTrigger.EMPTY)),
        lambda x: adl.deleverage(x, ANN, BOB, GOLD, 1),
    ),
    "counterparty_cannot_bear": Provocation(LOSER, lambda x: adl.deleverage(x, ANN, BOB, GOLD, 1)),
    "not_isolated": Provocation(SET_APART, lambda x: isolated_margin.release(x, ANN, 0)),
    "still_open": Provocation(SET_APART, lambda x: isolated_margin.release(x, CY, 0)),
    "nothing_left": Provocation(
        evolve(
            PLAIN,
            accounts=PLAIN.accounts.put(CY, evolve(holds(0), isolation=Isolation(ANN, GOLD))),
        ),
        lambda x: isolated_margin.release(x, CY, 0),
    ),
    "no_deficit": Provocation(LOSER, lambda x: loss.socialise(x, VAULT, BOB, 2)),
    "not_flat": Provocation(LOSER, lambda x: loss.socialise(x, ANN, VAULT, 1_000)),
    "more_than_the_pot": Provocation(LOSER, lambda x: loss.socialise(x, CY, BOB, 49)),
    "cannot_share": Provocation(LOSER, lambda x: loss.socialise(x, CY, ANN, 1_000)),
}


def test_every_code_is_provoked_somewhere() -> None:
    assert set(BY_COMMAND) | set(BY_ACTION) == set(refusals())
    assert not set(BY_COMMAND) & set(BY_ACTION)


@pytest.mark.parametrize("code", BY_COMMAND)
def test_a_command_is_refused_with_its_code_phase_and_rule(code: str) -> None:
    before, command = BY_COMMAND[code]
    declared = refusals()[code]
    said = machine.apply(before, command)
    assert isinstance(said, Refused)
    assert (said.code, said.phase, said.rule) == (code, declared.phase.value, declared.rule)
    assert said.message.endswith(f"({declared.rule})")
    assert "{" not in said.message
    assert "None" not in said.message


@pytest.mark.parametrize("code", BY_ACTION)
def test_an_action_is_refused_with_its_code(code: str) -> None:
    provocation = BY_ACTION[code]
    with pytest.raises(Refusal) as got:
        provocation.action(provocation.exchange)
    assert got.value.code is refusals()[code]
    assert str(got.value).endswith(f"({got.value.code.rule})")
    if "{value}" in got.value.code.says:
        assert "None" not in str(got.value)


def test_an_unwinding_without_a_position_is_refused_like_an_order() -> None:
    said = machine.apply(PLAIN, Unwind(GOLD, OrderId(3)))
    assert isinstance(said, Refused)
    assert said.code == "nothing_to_reduce"


def test_phases_and_rules_of_codes_are_known() -> None:
    chapters = {rule.split("-")[0] for rule in functions()} | {"UNIT"}
    for code in refusals().values():
        assert code.rule.split("-")[0] in chapters
        assert code.says[0].isupper() or code.says[0] == "{"
