"""ISO: margin set apart, used in one market, and given back."""

from __future__ import annotations

import pytest
from attrs import evolve

from perpref import machine
from perpref.machine import (
    Cancel,
    Deposit,
    Isolate,
    PauseMarket,
    Place,
    SetMark,
    SettleMarket,
    Transfer,
)
from perpref.outcome import Cancelled, Filled, Outcome, Paid, Refused
from perpref.rules import book, isolated, isolated_margin, ledger, liquidator, volunteers
from perpref.rules.margin import equity
from perpref.state import (
    CROSS,
    TREASURY,
    VAULT,
    Account,
    Exchange,
    Isolation,
    Kind,
    Order,
    SelfTrade,
    Side,
)
from perpref.units import MAX_ID, AccountId, MarketId, OrderId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    DAN,
    EVE,
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
    refuses,
    require_nobody_due,
    rules,
    sells,
)

OF_ANN = Isolation(ANN, GOLD)
MARS = AccountId(77)
"""Nobody's account."""


def apart(account: Account, isolation: Isolation = OF_ANN) -> Account:
    """The same account as an isolated one, of Ann's in gold unless it is said."""
    return evolve(account, isolation=isolation)


def family(dan: Account | None = None, ann: int = 500, *resting: Order) -> Exchange:
    """Ann with cash, Dan who is her isolated account, and Bob who has cash too."""
    accounts = {ANN: holds(ann), BOB: holds(10_000), DAN: apart(dan or holds(100))}
    return exchange(accounts, market(100, *resting), last_order=len(resting))


def order(
    number: int, account: AccountId, side: Side, lots: int, price: int, kind: Kind = Kind.LIMIT
) -> Place:
    return Place(OrderId(number), account, GOLD, side, kind, lots, price)


# Opening one (ISO-1).


def test_all_that_is_withdrawable_may_be_set_apart_and_no_quantum_more() -> None:
    before = exchange({ANN: holds(150, (10, 1_000))})
    with refuses(ledger.NOT_WITHDRAWABLE, 51, 50):
        isolated_margin.isolate(before, ANN, DAN, GOLD, 51)
    outcome = isolated_margin.isolate(before, ANN, DAN, GOLD, 50)
    assert outcome.events == (Paid(ANN, DAN, 50, "ISO-1"),)
    assert outcome.exchange.accounts[DAN] == apart(holds(50))
    assert collateral(outcome.exchange, ANN) == 100
    assert outcome.exchange.custody == before.custody


def test_who_may_own_one_and_which_number_it_may_have() -> None:
    before = family(ann=50)
    rich = evolve(before, accounts=before.accounts.put(TREASURY, holds(9)).put(VAULT, holds(9)))
    for house in (VAULT, TREASURY, DAN):
        with refuses(isolated_margin.CANNOT_OWN, house):
            isolated_margin.isolate(rich, house, EVE, GOLD, 1)
    with refuses(isolated_margin.CANNOT_OWN, ANN):
        isolated_margin.isolate(rich, ANN, EVE, GOLD, 1, True)
    with refuses(ledger.UNKNOWN_ACCOUNT, CY):
        isolated_margin.isolate(rich, CY, EVE, GOLD, 1)
    for known in (ANN, BOB, DAN, VAULT):
        with refuses(isolated_margin.ACCOUNT_EXISTS, known):
            isolated_margin.isolate(rich, ANN, known, GOLD, 1)
    for number in (-1, MAX_ID + 1):
        with refuses(ledger.ID_OUT_OF_BOUNDS, number, MAX_ID):
            isolated_margin.isolate(rich, ANN, AccountId(number), GOLD, 1)
    isolated_margin.isolate(rich, ANN, AccountId(MAX_ID), GOLD, 1)


def test_a_child_of_the_vault_owns_none() -> None:
    own = evolve(market(100), vault=CY)
    before = exchange({CY: holds(50), ANN: holds(50)}, own)
    said = machine.apply(before, Isolate(CY, DAN, OIL, 5))
    assert isinstance(said, Refused) and said.code == "cannot_own"
    done(before, Isolate(ANN, DAN, GOLD, 5))


def test_it_may_be_opened_while_its_market_is_paused_but_not_at_its_end() -> None:
    before = exchange({ANN: holds(50)})
    paused = done(before, PauseMarket(GOLD)).exchange
    done(paused, Isolate(ANN, DAN, GOLD, 5))
    ended = done(before, SettleMarket(GOLD)).exchange
    said = machine.apply(ended, Isolate(ANN, DAN, GOLD, 5))
    assert isinstance(said, Refused) and said.code == "settling"
    done(ended, Isolate(ANN, DAN, OIL, 5))


def test_margin_that_orders_need_is_not_set_apart() -> None:
    resting = market(100, buys(1, ANN, 3, 100))
    before = exchange(
        {ANN: holds(50)}, resting, rulebook=evolve(rules(), order_margin=True), last_order=1
    )
    said = machine.apply(before, Isolate(ANN, DAN, GOLD, 21))
    assert isinstance(said, Refused) and said.code == "orders_need_margin"
    done(before, Isolate(ANN, DAN, GOLD, 20))


def test_no_margin_is_set_apart_while_the_gate_is_closed() -> None:
    before = evolve(exchange({ANN: holds(50)}), gate_opens=4, now=3)
    with refuses(ledger.GATE_CLOSED, 4, 3):
        isolated_margin.isolate(before, ANN, DAN, GOLD, 1)
    isolated_margin.isolate(evolve(before, now=4), ANN, DAN, GOLD, 1)


# Its margin (ISO-2).


def test_cash_passes_between_an_isolated_account_and_its_owner_alone() -> None:
    before = family()
    with refuses(isolated.ONLY_WITH_OWNER, DAN):
        ledger.deposit(before, DAN, 1)
    with refuses(isolated.ONLY_WITH_OWNER, DAN):
        ledger.withdraw(before, DAN, 1)
    for payer, payee in ((BOB, DAN), (DAN, BOB), (DAN, DAN), (DAN, EVE), (VAULT, DAN)):
        with refuses(isolated.ONLY_WITH_OWNER, DAN):
            ledger.transfer(before, payer, payee, 1)
    assert collateral(ledger.transfer(before, ANN, DAN, 500).exchange, DAN) == 600
    assert collateral(ledger.transfer(before, DAN, ANN, 100).exchange, ANN) == 600


def test_two_isolated_accounts_of_one_owner_pay_each_other_nothing() -> None:
    accounts = {ANN: holds(9), DAN: apart(holds(9)), EVE: apart(holds(9))}
    with refuses(isolated.ONLY_WITH_OWNER, DAN):
        ledger.transfer(exchange(accounts), DAN, EVE, 1)


def test_margin_is_removed_as_far_as_the_position_leaves_it() -> None:
    before = family(holds(150, (10, 1_000)))
    with refuses(ledger.NOT_WITHDRAWABLE, 51, 50):
        ledger.transfer(before, DAN, ANN, 51)
    ledger.transfer(before, DAN, ANN, 50)


# Its market (ISO-3).


def test_an_isolated_account_has_no_order_in_another_market() -> None:
    before = family()
    with refuses(isolated.OTHER_MARKET, OIL, GOLD):
        book.accept(before, OIL, buys(1, DAN, 1, 100))
    book.accept(before, GOLD, buys(1, DAN, 1, 100))
    book.accept(before, OIL, buys(1, ANN, 1, 100))


def test_an_isolated_account_takes_nothing_over() -> None:
    before = family()
    with refuses(isolated.IS_ISOLATED, DAN, GOLD):
        volunteers.volunteer(before, DAN, GOLD, 1, 0)
    open_to_all = evolve(before, rulebook=evolve(rules(), liquidators=True))
    with refuses(isolated.IS_ISOLATED, DAN, GOLD):
        liquidator.take_position(open_to_all, DAN, BOB, GOLD, 1)


# It stands and falls alone (ISO-4).


def beside(dan: int, ann: int) -> Exchange:
    """Ann and Dan are long by 10 each, from 100, and the vault takes nothing."""
    accounts = {ANN: holds(ann, (10, 1_000)), DAN: apart(holds(dan, (10, 1_000)))}
    return exchange(accounts, market(100, cap=0))


def test_an_isolated_loss_stops_at_its_own_margin() -> None:
    """At 94 Dan has 40 for 47; at 89 he has -10, which the other side pays."""
    for price, size, left in ((95, 10, 50), (94, 0, 0), (89, 0, 0)):
        after = done(beside(100, 500), SetMark(GOLD, price)).exchange
        assert (position(after, DAN)[0], equity(after, DAN)) == (size, left)
        assert (collateral(after, ANN), position(after, ANN)) == (500, (10, 1_000))
        require_nobody_due(after)


def test_under_cross_margin_the_same_loss_is_borne() -> None:
    """All 20 lots with 600: 510 are left at 94, against a margin of 94."""
    before = exchange({ANN: holds(600, (20, 2_000))}, market(100, cap=0))
    after = done(before, SetMark(GOLD, 94)).exchange
    assert (collateral(after, ANN), position(after, ANN)) == (600, (20, 2_000))


def test_an_owner_is_liquidated_and_its_isolated_account_is_not() -> None:
    after = done(beside(500, 100), SetMark(GOLD, 94)).exchange
    assert position(after, ANN) == (0, 0)
    assert after.accounts[DAN] == apart(holds(500, (10, 1_000)))


# What is left goes back (ISO-5).


def test_the_last_lot_brings_it_back_and_not_the_one_before() -> None:
    resting = buys(1, BOB, 9, 110)
    before = family(holds(100, (3, 300)), 500, resting)
    partly = done(before, order(2, DAN, Side.SELL, 2, 110)).exchange
    assert collateral(partly, DAN) == 120
    outcome = done(partly, order(3, DAN, Side.SELL, 1, 110))
    assert outcome.events[-1] == Paid(DAN, ANN, 130, "ISO-5")
    assert (collateral(outcome.exchange, DAN), collateral(outcome.exchange, ANN)) == (0, 630)
    assert outcome.exchange.accounts[DAN].isolation == OF_ANN


def test_it_stays_while_an_order_rests_and_goes_with_that() -> None:
    before = family(holds(100, (1, 100)), 500, buys(1, BOB, 9, 110), buys(2, DAN, 1, 50))
    closed = done(before, order(3, DAN, Side.SELL, 1, 110)).exchange
    assert collateral(closed, DAN) == 110
    assert collateral(done(closed, Cancel(DAN, GOLD, OrderId(2))).exchange, DAN) == 0


def test_it_stays_until_it_was_used() -> None:
    before = done(exchange({ANN: holds(50), BOB: holds(99)}), Isolate(ANN, DAN, GOLD, 20)).exchange
    for quiet in (SetMark(GOLD, 90), Deposit(BOB, 5), order(1, BOB, Side.BUY, 1, 90)):
        assert collateral(done(before, quiet).exchange, DAN) == 20
    missed = done(before, order(1, DAN, Side.BUY, 1, 90, Kind.IOC))
    assert [type(event) for event in missed.events] == [Cancelled, Paid]
    assert collateral(missed.exchange, DAN) == 0


def test_a_liquidation_leaves_the_rest_to_the_owner() -> None:
    """Bob bids 94 for all 10: 40 of the 100 are left, and Ann has them."""
    before = family(holds(100, (10, 1_000)), 500, buys(1, BOB, 10, 94))
    outcome = done(before, SetMark(GOLD, 94))
    assert outcome.events[-1] == Paid(DAN, ANN, 40, "ISO-5")


def test_several_go_back_in_account_order_and_a_gate_does_not_hinder_them() -> None:
    accounts = {
        ANN: holds(0),
        BOB: holds(1_000, (-4, -400)),
        EVE: apart(holds(30, (1, 100))),
        DAN: apart(holds(40, (3, 300))),
    }
    before = evolve(exchange(accounts), gate_opens=9)
    events = done(before, SettleMarket(GOLD)).events
    returned = [event for event in events if isinstance(event, Paid)]
    assert returned == [Paid(DAN, ANN, 40, "ISO-5"), Paid(EVE, ANN, 30, "ISO-5")]


def test_nothing_that_is_left_is_not_paid() -> None:
    before = family(holds(0, (1, 100)), 500, buys(1, BOB, 9, 100))
    outcome = done(before, order(2, DAN, Side.SELL, 1, 100))
    assert not [e for e in outcome.events if isinstance(e, Paid) and e.rule == "ISO-5"]


def test_what_it_gained_is_its_owners_gain() -> None:
    """Of 100 that came in, 130 go back: Ann has paid in what she had, and gained 30."""
    notes = evolve(rules(), note_paid_in=True)
    ann, dan = evolve(holds(400), paid_in=400), evolve(holds(100, (1, 100)), paid_in=100)
    before = exchange(
        {ANN: ann, BOB: holds(999), DAN: apart(dan)},
        market(100, buys(1, BOB, 1, 130)),
        rulebook=notes,
        last_order=1,
    )
    after = done(before, order(2, DAN, Side.SELL, 1, 130)).exchange
    assert (after.accounts[ANN].paid_in, after.accounts[DAN].paid_in) == (500, 0)
    assert (ledger.gained(after, ANN), ledger.gained(after, DAN)) == (30, 0)


def test_what_is_not_closed_is_not_released() -> None:
    before = family(holds(100, (1, 100)))
    with refuses(isolated_margin.NOT_ISOLATED, ANN):
        isolated_margin.release(before, ANN, 0)
    with refuses(isolated_margin.STILL_OPEN, 1, 0):
        isolated_margin.release(before, DAN, 0)
    with refuses(isolated_margin.STILL_OPEN, 0, 1):
        isolated_margin.release(family(), DAN, 1)
    with refuses(isolated_margin.NOTHING_LEFT, 0):
        isolated_margin.release(family(holds(0)), DAN, 0)
    assert isolated_margin.release(family(), DAN, 0).events == (Paid(DAN, ANN, 100, "ISO-5"),)


# One trader (ISO-6).


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (ANN, ANN, True),
        (ANN, DAN, True),
        (DAN, ANN, True),
        (DAN, EVE, True),
        (ANN, BOB, False),
        (DAN, BOB, False),
        (DAN, CY, False),
        (CY, BOB, True),
    ],
)
def test_an_owner_and_its_isolated_accounts_are_one_trader(
    one: AccountId, other: AccountId, same: bool
) -> None:
    accounts = {
        ANN: holds(9),
        BOB: holds(9),
        DAN: apart(holds(9)),
        EVE: apart(holds(9), Isolation(ANN, OIL)),
        CY: apart(holds(9), Isolation(BOB, GOLD)),
    }
    assert isolated.same_trader(exchange(accounts), one, other) is same


def test_a_fill_between_an_owner_and_its_own_is_refused() -> None:
    before = family(holds(100), 500, sells(1, ANN, 1, 100))
    with refuses(book.SELF_TRADE, DAN):
        book.match(before, GOLD, buys(2, DAN, 1, 100), sells(1, ANN, 1, 100), 100)


@pytest.mark.parametrize("mode", SelfTrade)
def test_which_order_goes_when_an_owner_meets_its_own(mode: SelfTrade) -> None:
    before = family(holds(100), 500, sells(1, ANN, 1, 100), sells(2, BOB, 1, 101))
    before = evolve(before, rulebook=evolve(before.rulebook, self_trade=mode))
    outcome = machine.apply(before, order(3, DAN, Side.BUY, 1, 101))
    if mode is SelfTrade.INCOMING:
        assert isinstance(outcome, Refused) and outcome.code == "self_trade"
        return
    assert isinstance(outcome, Outcome)
    assert outcome.events[0] == Cancelled(GOLD, OrderId(1), ANN, 1, "BOOK-11")
    filled = any(isinstance(event, Filled) for event in outcome.events)
    assert filled is (mode is SelfTrade.RESTING)
    assert orders(outcome.exchange) == ({} if filled else {2: 1})


def test_in_a_forced_closing_an_owner_is_like_anybody_else() -> None:
    """Ann's bid takes the lots of her isolated account that is liquidated."""
    before = family(holds(100, (10, 1_000)), 5_000, buys(1, ANN, 10, 94))
    after = done(before, SetMark(GOLD, 94)).exchange
    assert position(after, ANN) == (10, 940)
    assert collateral(after, ANN) == 5_040


def test_an_account_under_cross_margin_is_bound_to_nothing() -> None:
    outcome = done(exchange({}), Deposit(ANN, 5))
    assert outcome.exchange.accounts[ANN].isolation is CROSS
    after = done(outcome.exchange, Transfer(ANN, BOB, 2)).exchange
    assert not isolated.is_isolated(after.accounts[BOB])
    assert isolated.isolation_of(after, MARS) == (CROSS.owner, CROSS.market)
    assert isolated.isolation_of(after, ANN) == (CROSS.owner, MarketId(-1))
