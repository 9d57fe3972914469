"""The reference as a whole: commands, refusals, and the law after every command."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, ClassVar

import pytest
from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from perpref import machine
from perpref.machine import (
    Cancel,
    Command,
    Deposit,
    Place,
    SetMark,
    SettleFunding,
    Transfer,
    Unwind,
    Withdraw,
)
from perpref.outcome import CashMoved, Filled, Marked, Outcome, Paid, Refused, Rested
from perpref.rules.book import best
from perpref.rules.ledger import EMPTY, withdrawable
from perpref.scheduler import ByRulebook
from perpref.state import (
    TREASURY,
    VAULT,
    Chooser,
    Exchange,
    Kind,
    LossSharing,
    Market,
    Order,
    Side,
    Stage,
    Tier,
)
from perpref.units import MAX_CASH, MAX_PRICE, AccountId, MarketId, OrderId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    DAN,
    GOLD,
    OIL,
    buys,
    collateral,
    done,
    exchange,
    holds,
    market,
    orders,
    position,
    refused,
    require_lawful,
    require_nobody_due,
    rules,
    sells,
)

# Commands.


def test_a_new_exchange_is_empty() -> None:
    fresh = machine.opened(rules(), [(GOLD, market())])
    assert (fresh.custody, fresh.last_order) == (0, 0)
    assert dict(fresh.accounts.items()) == {VAULT: EMPTY, TREASURY: EMPTY}
    assert list(fresh.markets) == [GOLD]
    require_lawful(fresh)


def test_each_command_does_what_it_says() -> None:
    before = exchange({ANN: holds(1_000), BOB: holds(1_000)}, last_order=4)
    assert done(before, Deposit(CY, 7)).events == (CashMoved(CY, 7, "LED-5"),)
    assert done(before, Withdraw(ANN, 7)).events == (CashMoved(ANN, -7, "LED-7"),)
    assert done(before, Transfer(ANN, BOB, 7)).events == (Paid(ANN, BOB, 7, "LED-8"),)
    assert done(before, SetMark(OIL, 7)).events == (Marked(OIL, 7, "MARK-1"),)
    assert done(before, SettleFunding(OIL, 7)).events == ()
    resting = Place(OrderId(5), ANN, OIL, Side.SELL, Kind.POST_ONLY, 3, 70, reduce_only=False)
    placed = done(before, resting)
    assert placed.events == (Rested(OIL, sells(5, ANN, 3, 70), "BOOK-9"),)
    cancelled = done(placed.exchange, Cancel(ANN, OIL, OrderId(5)))
    assert [event.rule for event in cancelled.events] == ["BOOK-10"]
    assert orders(cancelled.exchange, OIL) == {}


def test_reduce_only_is_passed_on() -> None:
    before = exchange({ANN: holds(1_000, (5, 500))})
    command = Place(OrderId(5), ANN, GOLD, Side.SELL, Kind.LIMIT, 3, 170, reduce_only=True)
    assert done(before, command).exchange.markets[GOLD].orders[OrderId(5)] == sells(
        5, ANN, 3, 170, only=True
    )


def test_unwinding_is_an_order_of_the_vault() -> None:
    before = exchange(
        {VAULT: holds(900, (5, 500)), BOB: holds(900)}, market(100, buys(1, BOB, 5, 100))
    )
    assert done(before, Unwind(GOLD, OrderId(9))).events[0] == Filled(
        BOB, VAULT, GOLD, 5, 100, "BOOK-3"
    )


def test_a_refusal_is_a_value_and_changes_nothing() -> None:
    before = exchange({ANN: holds(5)})
    kept = exchange({ANN: holds(5)})
    said = refused(before, Withdraw(ANN, 6))
    assert said == Refused(
        "not_withdrawable",
        "margin",
        "LED-6",
        "6 cannot leave: initial margin leaves 5 free (LED-6)",
    )
    assert before == kept


def test_a_refusal_half_way_changes_nothing() -> None:
    # accept has taken note of the order before the fill is refused
    before = exchange({ANN: holds(9), BOB: holds(99)}, market(100, sells(1, BOB, 1, 100)))
    refused(before, Place(OrderId(5), ANN, GOLD, Side.BUY, Kind.LIMIT, 1, 100))
    assert (
        done(before, Place(OrderId(5), ANN, GOLD, Side.BUY, Kind.LIMIT, 1, 99)).exchange.last_order
        == 5
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"maker_fee": -1}, "maker_fee: -1 is not between 0 and 1000000 (FEE-1)"),
        ({"maker_fee": 1_000_001}, "maker_fee: 1000001 is not between 0 and 1000000 (FEE-1)"),
        ({"taker_fee": -1}, "taker_fee: -1 is not between 0 and 1000000 (FEE-1)"),
        (
            {"liquidation_surplus": 1_000_001},
            "liquidation_surplus: 1000001 is not between 0 and 1000000 (FEE-9)",
        ),
        ({"liquidation_fee": -1}, "liquidation_fee: -1 is not between 0 and 1000000 (FEE-4)"),
        ({"funding_cap": 1_000_001}, "funding_cap: 1000001 is not between 0 and 1000000 (FUND-1)"),
        ({"vault_boundary": -1}, "vault_boundary: -1 is not between 0 and 1"),
        ({"most_orders": -1}, "most_orders: -1 is not between 0 and"),
        (
            {"liquidation_buffer": -1},
            "liquidation_buffer: -1 is not between 0 and 1000000 (LIQ-12)",
        ),
        ({"liquidation_step": 9_999}, "liquidation_step: 9999 is not between 10000 and 1000000"),
        ({"liquidation_target": 0}, "liquidation_target: 0 is not between 1 and 1000000 (LIQ-13)"),
        ({"loss_sharing": LossSharing.PROFIT}, "loss_sharing: profit is what is beside"),
        (
            {"funding_receivers_capped": True, "funding_on_touch": True},
            "so funding_on_touch must be false (FUND-14)",
        ),
        ({"waterfall": ()}, "waterfall: stages are"),
        ({"waterfall": (Stage.BOOK,)}, "waterfall: stages are"),
        ({"waterfall": (Stage.VAULT, Stage.BOOK, Stage.RESIDUAL)}, "waterfall: stages are"),
        ({"waterfall": (Stage.BOOK, Stage.BOOK, Stage.RESIDUAL)}, "waterfall: stages are"),
    ],
)
def test_a_rulebook_that_makes_no_sense_does_not_open(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(machine.InvalidTerms, match=re.escape(says)):
        machine.opened(evolve(rules(), **changes), [(GOLD, market())])


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        (market(maintenance=0), "maintenance_rate: 0 is not between 1 and 1000000 (MRG-3)"),
        (
            market(initial=49_999),
            "initial_rate: 49999 is not between 50000 and 1000000 (MRG-4)",
        ),
        (market(initial=1_000_001), "initial_rate: 1000001 is not between"),
        (market(cap=-1), "vault_cap: -1 is not between"),
        (evolve(market(), vault=AccountId(-1)), "vault: -1 is not between"),
        (evolve(market(), vault=TREASURY), "the treasury takes nothing over (VLT-17)"),
        (evolve(market(), vault_boundary=-1), "vault_boundary: -1 is not between"),
        (evolve(market(), vault_boundary=MAX_CASH + 1), "is not between 0 and"),
        (market(0), "mark: 0 is not between 1 and"),
        (evolve(market(), tick=0), "tick: 0 is not between 1 and"),
        (evolve(market(), price_band=1_000_001), "price_band: 1000001 is not between 0 and"),
        (
            evolve(market(initial=50_000), due_at_maintenance=True),
            "every initial rate must be above its maintenance rate",
        ),
        (
            evolve(market(), tiers=(Tier(9, 200_000, 200_000),), due_at_maintenance=True),
            "every initial rate must be above its maintenance rate",
        ),
        (market(MAX_PRICE + 1), "is not between 1 and 1000000000000 (UNIT-2)"),
    ],
)
def test_a_market_that_makes_no_sense_does_not_open(listed: Market, says: str) -> None:
    with pytest.raises(machine.InvalidTerms, match=re.escape(says)):
        machine.opened(rules(), [(GOLD, listed)])


def test_terms_at_their_bounds_open() -> None:
    book = rules(maker=10**6, taker=10**6, liquidation=10**6, funding_cap=10**6, boundary=10**24)
    listed = market(MAX_PRICE, initial=10**6, maintenance=10**6, cap=10**12)
    assert machine.opened(book, [(GOLD, listed)]).markets[GOLD] == listed
    least = market(1, initial=1, maintenance=1, cap=0)
    assert machine.opened(rules(funding_cap=0), [(GOLD, least)]).markets[GOLD] == least


class HalfWay(ByRulebook):
    """An engine that owns the price and takes the middle of both limits."""

    def price(self, taker: Order, maker: Order) -> int:
        return (taker.price + maker.price) >> 1


def test_whoever_chooses_the_price_is_judged_by_the_limits() -> None:
    before = exchange(
        {ANN: holds(900), BOB: holds(900)},
        market(100, sells(1, BOB, 1, 96)),
        rulebook=rules(price=Chooser.ENGINE),
    )
    command = Place(OrderId(5), ANN, GOLD, Side.BUY, Kind.LIMIT, 1, 100)
    outcome = machine.apply(before, command, HalfWay())
    assert isinstance(outcome, Outcome)
    assert position(outcome.exchange, ANN) == (1, 98)

    class TooDear(HalfWay):
        def price(self, taker: Order, maker: Order) -> int:
            return taker.price + 1

    said = machine.apply(before, command, TooDear())
    assert isinstance(said, Refused)
    assert said.code == "price_not_agreed"


def test_a_story_from_deposit_to_deleveraging() -> None:
    now = machine.opened(rules(), [(GOLD, market(100))])
    commands: list[Command] = [
        Deposit(ANN, 100),
        Deposit(BOB, 500),
        Place(OrderId(1), BOB, GOLD, Side.SELL, Kind.LIMIT, 10, 100),
        Place(OrderId(2), ANN, GOLD, Side.BUY, Kind.IOC, 10, 100),
        SetMark(GOLD, 93),
    ]
    for command in commands:
        now = done(now, command).exchange
    # Ann had 30 left behind 10 lots at 93: closed at 90, which leaves nothing
    assert (collateral(now, ANN), collateral(now, BOB)) == (0, 600)
    assert position(now, ANN) == position(now, BOB) == (0, 0)
    assert now.custody == 600


# The law, whatever happens.

WHO = st.sampled_from([ANN, BOB, CY, DAN])
ANYBODY = st.sampled_from([ANN, BOB, CY, DAN, VAULT, TREASURY])
WHERE = st.sampled_from([GOLD, OIL])
SIDES = st.sampled_from(Side)


class Life(RuleBasedStateMachine):
    """Any commands, in any order, on two markets."""

    happened: ClassVar[Counter[str]] = Counter()

    exchange: Exchange
    number: int = 0

    @initialize(
        fees=st.tuples(st.sampled_from([0, 700]), st.sampled_from([0, 3_100]), st.just(9_000)),
        boundary=st.sampled_from([0, 0, 50]),
        caps=st.tuples(st.sampled_from([0, 3, 100]), st.sampled_from([0, 3, 100])),
        vault=st.integers(0, 300),
        cash=st.lists(st.integers(20, 300), min_size=4, max_size=4),
        where=WHERE,
    )
    def open(
        self,
        fees: tuple[int, int, int],
        boundary: int,
        caps: tuple[int, int],
        vault: int,
        cash: list[int],
        where: MarketId,
    ) -> None:
        maker, taker, liquidation = fees
        book = rules(maker=maker, taker=taker, liquidation=liquidation, boundary=boundary)
        listed: list[tuple[MarketId, Market]] = [
            (GOLD, market(100, cap=caps[0])),
            (OIL, market(53, initial=200_000, maintenance=33_333, cap=caps[1])),
        ]
        self.exchange = machine.opened(book, listed)
        for account, amount in zip([ANN, BOB, CY, DAN], cash, strict=True):
            self.take(Deposit(account, amount))
        if vault:
            self.take(Deposit(VAULT, vault))
        self.trade([ANN, BOB], where, 9)
        self.trade([CY, DAN], where, 9)

    def take(self, command: Command) -> None:
        before = self.exchange
        outcome = machine.apply(before, command)
        if isinstance(outcome, Refused):
            self.happened[outcome.code] += 1
            return
        self.exchange = outcome.exchange
        self.happened.update({event.rule for event in outcome.events})
        moved = sum(e.amount for e in outcome.events if isinstance(e, CashMoved))
        assert self.exchange.custody == before.custody + moved
        assert all(e.amount >= 0 for e in outcome.events if isinstance(e, Paid))
        self.require_bystanders_untouched(before, outcome)

    def require_bystanders_untouched(self, before: Exchange, outcome: Outcome) -> None:
        named: set[AccountId] = set()
        for event in outcome.events:
            match event:
                case CashMoved(account):
                    named.add(account)
                case Paid(payer, payee):
                    named |= {payer, payee}
                case Filled(buyer, seller):
                    named |= {buyer, seller}
                case _:
                    pass
        for account, holder in before.accounts.items():
            if account not in named:
                assert outcome.exchange.accounts[account] == holder

    @rule(account=ANYBODY, amount=st.integers(-1, 80))
    def deposit(self, account: AccountId, amount: int) -> None:
        self.take(Deposit(account, amount))

    @rule(account=ANYBODY, amount=st.integers(0, 200))
    def withdraw(self, account: AccountId, amount: int) -> None:
        self.take(Withdraw(account, amount))

    @rule(payer=ANYBODY, payee=ANYBODY, amount=st.integers(0, 200))
    def transfer(self, payer: AccountId, payee: AccountId, amount: int) -> None:
        self.take(Transfer(payer, payee, amount))

    @rule(
        account=WHO,
        where=WHERE,
        side=SIDES,
        kind=st.sampled_from(Kind),
        lots=st.integers(0, 14),
        off=st.integers(-4, 4),
        only=st.sampled_from([False, False, False, True]),
    )
    def place(
        self,
        account: AccountId,
        where: MarketId,
        side: Side,
        kind: Kind,
        lots: int,
        off: int,
        only: bool,
    ) -> None:
        self.number += 1
        price = max(1, self.exchange.markets[where].mark + off)
        self.take(Place(OrderId(self.number), account, where, side, kind, lots, price, only))

    @rule(pair=st.permutations([ANN, BOB, CY, DAN]), where=WHERE, tenths=st.integers(1, 10))
    def trade(self, pair: list[AccountId], where: MarketId, tenths: int) -> None:
        """Two accounts trade, up to as many lots as the margin of both allows."""
        listed = self.exchange.markets[where]
        mark = listed.mark
        free = min(withdrawable(self.exchange, account) for account in pair[:2])
        lots = max(free, 0) * tenths * 10**5 // (mark * listed.initial_rate)
        if lots == 0:
            return
        for account, side in ((pair[0], Side.SELL), (pair[1], Side.BUY)):
            self.number += 1
            self.take(
                Place(OrderId(self.number), account, where, side, Kind.LIMIT, lots, mark, False)
            )

    @rule(account=WHO, where=WHERE, back=st.integers(0, 3))
    def cancel(self, account: AccountId, where: MarketId, back: int) -> None:
        self.take(Cancel(account, where, OrderId(self.number - back)))

    @rule(where=WHERE, change=st.integers(-30, 40))
    def set_mark(self, where: MarketId, change: int) -> None:
        mark = self.exchange.markets[where].mark
        self.take(SetMark(where, max(1, mark + mark * change // 100)))

    @rule(
        who=WHO,
        where=WHERE,
        side=SIDES,
        by=st.integers(4, 25),
        lots=st.integers(1, 9),
        off=st.integers(-2, 4),
    )
    def crash(
        self, who: AccountId, where: MarketId, side: Side, by: int, lots: int, off: int
    ) -> None:
        """Somebody rests an order near where the mark goes next."""
        mark = self.exchange.markets[where].mark
        after = max(1, mark - side.value * mark * by // 100)
        self.number += 1
        price = max(1, after + side.value * off)
        self.take(Place(OrderId(self.number), who, where, side, Kind.LIMIT, lots, price, False))
        self.take(SetMark(where, after))

    @rule(where=WHERE, rate=st.integers(-110_000, 110_000))
    def settle_funding(self, where: MarketId, rate: int) -> None:
        self.take(SettleFunding(where, rate))

    @rule(where=WHERE)
    def unwind(self, where: MarketId) -> None:
        self.number += 1
        self.take(Unwind(where, OrderId(self.number)))

    @invariant()
    def the_law_holds(self) -> None:
        require_lawful(self.exchange)

    @invariant()
    def nobody_is_due_and_everybody_is_solvent(self) -> None:
        require_nobody_due(self.exchange)

    @invariant()
    def no_book_is_crossed(self) -> None:
        for _, listed in self.exchange.markets.items():
            bid, ask = best(listed, Side.BUY), best(listed, Side.SELL)
            assert bid is None or ask is None or bid.price < ask.price


def test_the_law_holds_after_every_command() -> None:
    Life.happened.clear()
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=120, stateful_step_count=30, derandomize=True, database=None, deadline=None
        ),
    )
    # a machine that never liquidates says nothing about liquidation
    for reached in ("BOOK-3", "BOOK-9", "FUND-3", "LIQ-2", "LIQ-6", "VLT-1", "ADL-3", "LED-8"):
        assert Life.happened[reached] > 0, f"never saw {reached}"
