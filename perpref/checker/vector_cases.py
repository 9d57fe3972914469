"""The definitions of the published vectors: one short story each, per chapter of the spec.

A story says of each command whether it must be carried out or refused, and with which code; it
is not written unless that is so, and unless the rules that it is about were put to use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from perpref import machine
from perpref.checker.vectors import FORMAT, Vector, exercised, run
from perpref.checker.wire import (
    AccountView,
    Done,
    MarketTerms,
    MarketView,
    Terms,
    View,
    view,
)
from perpref.state import (
    TREASURY,
    VAULT,
    BankruptcyPrice,
    FeeBound,
    ForcedPrice,
    FundTrigger,
    Kind,
    LiquidationLimit,
    LiquidationOrder,
    LiquidationPosition,
    LiquidationSize,
    LossSharing,
    MarkPolicy,
    Position,
    Ranking,
    Rulebook,
    SelfTrade,
    ShareWeight,
    Sharing,
    Side,
    Stage,
    TakeoverPrice,
    Tier,
)
from perpref.units import (
    MAX_CASH,
    MAX_ID,
    MAX_LOTS,
    MAX_PRICE,
    AccountId,
    MarketId,
    OrderId,
    Rounding,
)

ANN, BOB, CY, DAN, EVE = (AccountId(number) for number in range(2, 7))
APART, OTHER = AccountId(20), AccountId(21)
"""Isolated accounts."""

GOLD, OIL, NOWHERE = MarketId(1), MarketId(2), MarketId(3)

FREE = Rulebook(
    "free of charge",
    maker_fee=0,
    taker_fee=0,
    liquidation_fee=0,
    funding_cap=20_000,
    vault_boundary=0,
    waterfall=(Stage.BOOK, Stage.VAULT, Stage.DELEVERAGE, Stage.RESIDUAL),
)
PLAIN = MarketTerms(initial_rate=100_000, maintenance_rate=50_000, vault_cap=1_000, mark=100)


def terms(
    gold: MarketTerms = PLAIN,
    oil: MarketTerms = PLAIN,
    *,
    maker: int = 0,
    taker: int = 0,
    liquidation: int = 0,
    boundary: int = 0,
) -> Terms:
    """Two markets at 100 with margins of ten and five per cent, and no fees, unless it is said."""
    book = evolve(
        FREE,
        maker_fee=maker,
        taker_fee=taker,
        liquidation_fee=liquidation,
        vault_boundary=boundary,
    )
    return Terms(book, {GOLD: gold, OIL: oil})


def deleveraging(**choices: Any) -> Terms:
    """The same terms, with another way to deleverage."""
    usual = terms()
    return evolve(usual, rulebook=evolve(usual.rulebook, **choices))


def capped(lots: int) -> MarketTerms:
    return evolve(PLAIN, vault_cap=lots)


class Story:
    """Commands in the making, and what each must lead to: a refusal code, or "" for none."""

    def __init__(self, under: Terms, start: View | None = None) -> None:
        self.terms = under
        self.start = start
        self.commands: list[machine.Command] = []
        self.expected: list[str] = []
        self._order = 0

    def do(self, command: machine.Command, code: str = "") -> None:
        self.commands.append(command)
        self.expected.append(code)

    def deposit(self, account: AccountId, amount: int, code: str = "") -> None:
        self.do(machine.Deposit(account, amount), code)

    def withdraw(self, account: AccountId, amount: int, code: str = "") -> None:
        self.do(machine.Withdraw(account, amount), code)

    def transfer(self, payer: AccountId, payee: AccountId, amount: int, code: str = "") -> None:
        self.do(machine.Transfer(payer, payee, amount), code)

    def isolates(
        self,
        owner: AccountId,
        account: AccountId,
        amount: int,
        market: MarketId = GOLD,
        code: str = "",
    ) -> None:
        self.do(machine.Isolate(owner, account, market, amount), code)

    def mark(self, price: int, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.SetMark(market, price), code)

    def fund(self, rate: int, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.SettleFunding(market, rate), code)

    def buys(
        self,
        account: AccountId,
        lots: int,
        price: int = 1,
        kind: Kind = Kind.LIMIT,
        *,
        market: MarketId = GOLD,
        only: bool = False,
        till: int = 0,
        code: str = "",
    ) -> OrderId:
        return self._place(account, market, Side.BUY, kind, lots, price, only, till, code)

    def sells(
        self,
        account: AccountId,
        lots: int,
        price: int = 1,
        kind: Kind = Kind.LIMIT,
        *,
        market: MarketId = GOLD,
        only: bool = False,
        till: int = 0,
        code: str = "",
    ) -> OrderId:
        return self._place(account, market, Side.SELL, kind, lots, price, only, till, code)

    def _place(
        self,
        account: AccountId,
        market: MarketId,
        side: Side,
        kind: Kind,
        lots: int,
        price: int,
        only: bool,
        till: int,
        code: str,
    ) -> OrderId:
        self._order += 1
        order = OrderId(self._order)
        placed = machine.Place(order, account, market, side, kind, lots, price, only, till)
        self.do(placed, code)
        return order

    def trade(
        self,
        buyer: AccountId,
        seller: AccountId,
        lots: int,
        price: int = 100,
        market: MarketId = GOLD,
    ) -> None:
        """Two accounts trade, the seller as the maker."""
        self.sells(seller, lots, price, market=market)
        self.buys(buyer, lots, price, Kind.IOC, market=market)

    def replaces(
        self,
        account: AccountId,
        replaced: int,
        side: Side,
        lots: int,
        price: int,
        kind: Kind = Kind.LIMIT,
        *,
        code: str = "",
    ) -> OrderId:
        self._order += 1
        old, order = OrderId(replaced), OrderId(self._order)
        command = machine.Replace(old, order, account, GOLD, side, kind, lots, price)
        self.do(command, code)
        return order

    def cancel(
        self, account: AccountId, order: int, market: MarketId = GOLD, code: str = ""
    ) -> None:
        self.do(machine.Cancel(account, market, OrderId(order)), code)

    def unwind(self, market: MarketId = GOLD, code: str = "") -> None:
        self._order += 1
        self.do(machine.Unwind(market, OrderId(self._order)), code)

    def premium(self, premium: int, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.SamplePremium(market, premium), code)

    def fund_by_premium(self, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.SettlePremium(market), code)

    def trade_refused(self, account: AccountId, code: str) -> None:
        """An order that its market no longer takes."""
        self.buys(account, 1, code=code)

    def clock(self, now: int, code: str = "") -> None:
        self.do(machine.AdvanceClock(now), code)

    def index(self, index: int, price: int, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.SetIndex(market, index, price), code)

    def pause(self, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.PauseMarket(market), code)

    def resume(self, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.ResumeMarket(market), code)

    def contributes(self, account: AccountId, amount: int, code: str = "") -> None:
        self.do(machine.ContributeToVault(account, amount), code)

    def redeems(self, account: AccountId, shares: int, code: str = "") -> None:
        self.do(machine.RedeemFromVault(account, shares), code)

    def requests(self, account: AccountId, shares: int, code: str = "") -> None:
        self.do(machine.RequestRedemption(account, shares), code)

    def liquidates(
        self,
        taker: AccountId,
        account: AccountId,
        lots: int,
        market: MarketId = GOLD,
        code: str = "",
    ) -> None:
        self.do(machine.Liquidate(taker, account, market, lots), code)

    def volunteers(
        self,
        account: AccountId,
        lots: int,
        edge: int = 0,
        market: MarketId = GOLD,
        code: str = "",
    ) -> None:
        self.do(machine.Volunteer(account, market, lots, edge), code)

    def recapitalises(self, amount: int, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.Recapitalise(market, amount), code)

    def recalls(self, amount: int, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.RecallCapital(market, amount), code)

    def settle(self, market: MarketId = GOLD, code: str = "") -> None:
        self.do(machine.SettleMarket(market), code)


Tell = Callable[[Story], None]
_stories: list[tuple[str, tuple[str, ...], Terms, View | None, Tell]] = []


def about(
    chapter: str, *rules: str, under: Terms | None = None, start: View | None = None
) -> Callable[[Tell], Tell]:
    """Make a function a vector: its name is the vector's, its docstring says what it shows."""

    def take(tell: Tell) -> Tell:
        _stories.append((chapter, rules, under or terms(), start, tell))
        return tell

    return take


def all_vectors() -> list[Vector]:
    """Every vector, told, run, and found to be what its definition says."""
    return [_told(*story) for story in _stories]


def _told(
    chapter: str, rules: tuple[str, ...], under: Terms, start: View | None, tell: Tell
) -> Vector:
    story = Story(under, start)
    tell(story)
    commands = tuple(story.commands)
    results, end = run(under, start, commands)
    for number, (result, code) in enumerate(zip(results, story.expected, strict=True)):
        got = "" if isinstance(result, Done) else getattr(result, "code", "?")
        if got != code:
            raise ValueError(f"{tell.__name__}: command {number} ends with {got!r}, not {code!r}")
    said = " ".join((tell.__doc__ or "").split())
    vector = Vector(
        FORMAT, chapter, tell.__name__, said, rules, under, start, commands, results, view(end)
    )
    idle = set(rules) - exercised(vector).rules
    if idle:
        raise ValueError(f"{tell.__name__}: {', '.join(sorted(idle))} had nothing to do")
    return vector


# LED.


@about("ledger", "LED-1", "LED-5", "UNIT-2", "UNIT-4")
def deposits_within_bounds(story: Story) -> None:
    """Amounts from 1 to 10^24 and identifiers from 0 to 10^18 are taken, and nothing beyond."""
    story.deposit(ANN, 1)
    story.deposit(ANN, MAX_CASH)
    story.deposit(AccountId(MAX_ID), 5)
    story.deposit(VAULT, 5)
    story.deposit(TREASURY, 5)
    story.deposit(ANN, 0, "amount_out_of_bounds")
    story.deposit(ANN, -1, "amount_out_of_bounds")
    story.deposit(ANN, MAX_CASH + 1, "amount_out_of_bounds")
    story.deposit(AccountId(-1), 5, "id_out_of_bounds")
    story.deposit(AccountId(MAX_ID + 1), 5, "id_out_of_bounds")


@about("ledger", "LED-4", "LED-6", "LED-7")
def withdrawal_up_to_what_is_free(story: Story) -> None:
    """5 lots at 100 need 50 of 1,000: 950 may leave and 951 may not."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 5)
    story.withdraw(ANN, 951, "not_withdrawable")
    story.withdraw(ANN, 0, "amount_out_of_bounds")
    story.withdraw(CY, 1, "unknown_account")
    story.withdraw(ANN, 950)
    story.withdraw(ANN, 1, "not_withdrawable")


@about("ledger", "LED-6")
def unrealised_profit_does_not_leave_but_loss_stays(story: Story) -> None:
    """At 110 Ann is 50 up and Bob 50 down; the initial margin of each is 55."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 5)
    story.mark(110)
    story.withdraw(ANN, 946, "not_withdrawable")
    story.withdraw(ANN, 945)
    story.withdraw(BOB, 896, "not_withdrawable")
    story.withdraw(BOB, 895)


@about("ledger", "LED-6", "MRG-4")
def withdrawable_nets_markets_and_rounds_margin_up(story: Story) -> None:
    """At 93 and 106: 7 down and 12 up is no loss; margins of 9.3 and 21.2 are 10 and 22."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 1)
    story.trade(ANN, BOB, 2, market=OIL)
    story.mark(93)
    story.mark(106, OIL)
    story.withdraw(ANN, 969, "not_withdrawable")
    story.withdraw(ANN, 968)


@about("ledger", "LED-2", "LED-8")
def transfer_up_to_what_is_free(story: Story) -> None:
    """A transfer opens the payee's account, and passes at most what is withdrawable."""
    story.deposit(ANN, 100)
    story.transfer(ANN, BOB, 101, "not_withdrawable")
    story.transfer(ANN, BOB, 0, "amount_out_of_bounds")
    story.transfer(CY, BOB, 1, "unknown_account")
    story.transfer(ANN, AccountId(-1), 1, "id_out_of_bounds")
    story.transfer(ANN, BOB, 60)
    story.transfer(ANN, ANN, 40)
    story.transfer(ANN, VAULT, 40)
    story.transfer(ANN, BOB, 1, "not_withdrawable")


@about(
    "ledger",
    "LED-7",
    start=View(
        60,
        {BOB: AccountView(100), CY: AccountView(-40)},
        {GOLD: MarketView(100), OIL: MarketView(100)},
    ),
)
def the_pot_pays_what_it_holds(story: Story) -> None:
    """Cy owes 40, so that of Bob's 100 only 60 are in the pot."""
    story.withdraw(BOB, 61, "pot_too_small")
    story.withdraw(BOB, 60)


# POS.


@about("position", "POS-1", "POS-3", "LED-3", under=terms(evolve(PLAIN, mark=4)))
def cost_is_exact_and_its_release_rounded_up_for_a_long(story: Story) -> None:
    """3 lots for 3 + 3 + 4 = 10; one sold at 5 releases 10/3, that is 4, and gains 1."""
    for account in (ANN, BOB, CY):
        story.deposit(account, 1_000)
    story.trade(ANN, BOB, 2, 3)
    story.trade(ANN, BOB, 1, 4)
    story.trade(CY, ANN, 1, 5)
    story.trade(CY, ANN, 2, 5)


@about("position", "POS-2", under=terms(evolve(PLAIN, mark=4)))
def release_is_rounded_up_for_a_short(story: Story) -> None:
    """3 lots sold for 10; one bought back at 5 releases -10/3, that is -3, and loses 2."""
    for account in (ANN, BOB, CY):
        story.deposit(account, 1_000)
    story.trade(BOB, ANN, 2, 3)
    story.trade(BOB, ANN, 1, 4)
    story.trade(ANN, CY, 1, 5)


@about("position", "POS-2", "POS-3")
def flips_from_long_to_short_and_back(story: Story) -> None:
    """5 long at 100; 8 sold at 103 close 5 with a profit of 15 and open 3; and back."""
    for account in (ANN, BOB):
        story.deposit(account, 1_000)
    story.trade(ANN, BOB, 5)
    story.trade(BOB, ANN, 8, 103)
    story.trade(ANN, BOB, 3, 101)
    story.trade(ANN, BOB, 2, 100)


# MRG.


@about("margin", "MRG-1", "MRG-2", "MRG-4", "MRG-5")
def initial_margin_to_the_quantum(story: Story) -> None:
    """10 lots at 100 need 100: 99 are not enough for a taker, nor for a maker."""
    story.deposit(ANN, 99)
    story.deposit(BOB, 99)
    story.deposit(CY, 1_000)
    story.sells(CY, 10, 100)
    story.buys(ANN, 10, 100, code="taker_cannot_bear")
    story.deposit(ANN, 1)
    story.buys(ANN, 10, 100)
    story.sells(BOB, 10, 100)
    story.buys(CY, 10, 100, Kind.IOC)
    story.deposit(BOB, 1)
    story.sells(BOB, 10, 100)
    story.buys(CY, 10, 100, Kind.IOC)


@about("margin", "MRG-3", "MRG-4", under=terms(evolve(PLAIN, mark=101)))
def margins_are_rounded_up(story: Story) -> None:
    """One lot at 101 needs 10.1, that is 11. At 95 it has 5 for 4.75, at 94 it has 4 for 4.7."""
    story.deposit(ANN, 10)
    story.deposit(BOB, 1_000)
    story.sells(BOB, 1, 101)
    story.buys(ANN, 1, 101, code="taker_cannot_bear")
    story.deposit(ANN, 1)
    story.buys(ANN, 1, 101, Kind.IOC)
    story.mark(95)
    story.mark(94)


@about("margin", "MRG-5")
def reducing_is_allowed_unless_cover_gets_worse(story: Story) -> None:
    """At 95 Ann has 100 on 95; she may sell 4 of 20 at 90, which leaves 80 on 76, not at 89."""
    story.deposit(ANN, 200)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 20)
    story.mark(95)
    story.buys(BOB, 4, 89)
    story.sells(ANN, 4, 89, Kind.IOC, code="taker_cannot_bear")
    story.cancel(BOB, 3)
    story.buys(BOB, 4, 90)
    story.sells(ANN, 4, 90, Kind.IOC)


@about("margin", "MRG-1", "MRG-3")
def margin_is_over_all_markets(story: Story) -> None:
    """Ann's profit in oil keeps her gold alive."""
    story.deposit(ANN, 200)
    story.deposit(BOB, 5_000)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, BOB, 10, market=OIL)
    story.mark(115, OIL)
    story.mark(75)
    story.mark(74)


# MARK.


@about("mark", "MARK-1", "UNIT-2")
def a_mark_moves_value_and_no_cash(story: Story) -> None:
    """Prices from 1 to 10^12, in markets that are listed."""
    story.mark(0, code="price_out_of_bounds")
    story.mark(-1, code="price_out_of_bounds")
    story.mark(MAX_PRICE + 1, code="price_out_of_bounds")
    story.mark(100, NOWHERE, "unknown_market")
    story.mark(1)
    story.mark(MAX_PRICE)


# FEE.


@about("fee", "FEE-1", "FEE-2", "FEE-3", under=terms(maker=1_000, taker=5_000))
def fees_are_rounded_up_and_go_to_the_treasury(story: Story) -> None:
    """10 at 101: a thousandth is 1.01, that is 2; five thousandths are 5.05, that is 6."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 10, 101)
    story.trade(BOB, ANN, 10, 100)


@about("fee", "FEE-3", "MRG-5", under=terms(taker=10_000))
def the_fee_counts_for_margin(story: Story) -> None:
    """10 lots at 100 need 100, and the fee is 10."""
    story.deposit(ANN, 109)
    story.deposit(BOB, 1_000)
    story.sells(BOB, 10, 100)
    story.buys(ANN, 10, 100, code="taker_cannot_bear")
    story.deposit(ANN, 1)
    story.buys(ANN, 10, 100)


def fall(story: Story, bid: int) -> None:
    """Ann holds 10 at 100 with 100; at 94 her 40 stand behind 4 each: the limit is 90."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, bid)
    story.mark(94)


@about("fee", "FEE-4", "FEE-5", under=terms(liquidation=10_000))
def a_liquidation_fee_is_a_rate_of_notional(story: Story) -> None:
    """A hundredth of 10 * 93 is 9.3, that is 10; the book gave 30 beyond the limit."""
    fall(story, 93)


@about("fee", "FEE-4", under=terms(liquidation=30_000))
def a_liquidation_fee_is_at_most_what_the_book_gave(story: Story) -> None:
    """Three hundredths of 10 * 91 are 27.3; the book gave 10 beyond the limit."""
    fall(story, 91)


@about("fee", "FEE-4", under=terms(liquidation=30_000))
def without_a_better_price_there_is_no_liquidation_fee(story: Story) -> None:
    """Filled at the limit."""
    fall(story, 90)


@about("fee", "FEE-4", under=terms(liquidation=100_000))
def a_liquidation_fee_is_at_most_what_is_left(story: Story) -> None:
    """At 87 Ann owes 30: the limit is 90. 6 at 93 beat it by 18 and leave 6, which is the fee."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 6, 93)
    story.mark(87)


# BOOK.


def crowd(story: Story, cash: int = 1_000) -> None:
    for account in (ANN, BOB, CY, DAN):
        story.deposit(account, cash)


@about("book", "BOOK-1", "BOOK-9", "UNIT-2")
def orders_within_bounds(story: Story) -> None:
    """Sizes, prices and identifiers have bounds, and an identifier is used once."""
    story.deposit(ANN, 10)
    place = machine.Place
    for lots, price, code in (
        (0, 100, "lots_out_of_bounds"),
        (MAX_LOTS + 1, 100, "lots_out_of_bounds"),
        (1, 0, "price_out_of_bounds"),
        (1, MAX_PRICE + 1, "price_out_of_bounds"),
    ):
        story.do(place(OrderId(1), ANN, GOLD, Side.BUY, Kind.LIMIT, lots, price), code)
    story.do(place(OrderId(1), BOB, GOLD, Side.BUY, Kind.LIMIT, 1, 100), "unknown_account")
    story.do(place(OrderId(1), ANN, NOWHERE, Side.BUY, Kind.LIMIT, 1, 100), "unknown_market")
    story.do(place(OrderId(0), ANN, GOLD, Side.BUY, Kind.LIMIT, 1, 100), "order_id_not_new")
    story.do(place(OrderId(7), ANN, GOLD, Side.BUY, Kind.LIMIT, MAX_LOTS, 1))
    story.do(place(OrderId(7), ANN, GOLD, Side.BUY, Kind.LIMIT, 1, 1), "order_id_not_new")
    story.do(place(OrderId(6), ANN, OIL, Side.BUY, Kind.LIMIT, 1, 1), "order_id_not_new")
    story.do(place(OrderId(MAX_ID), ANN, OIL, Side.SELL, Kind.LIMIT, 1, MAX_PRICE))
    story.do(place(OrderId(MAX_ID + 1), ANN, OIL, Side.SELL, Kind.LIMIT, 1, 5), "id_out_of_bounds")


@about("book", "BOOK-2", "BOOK-3")
def price_then_time_among_asks(story: Story) -> None:
    """The lowest ask is first, then the earlier of two; the fill is at the maker's price."""
    crowd(story)
    story.sells(BOB, 2, 100)
    story.sells(CY, 2, 100)
    story.sells(DAN, 2, 99)
    story.buys(ANN, 5, 101)


@about("book", "BOOK-2", "BOOK-3", "BOOK-6")
def price_then_time_among_bids(story: Story) -> None:
    """The highest bid is first, then the earlier of two."""
    crowd(story)
    story.buys(BOB, 2, 100)
    story.buys(CY, 2, 100)
    story.buys(DAN, 2, 101)
    story.sells(ANN, 5, 100, Kind.IOC)


@about("book", "BOOK-2", "BOOK-9")
def a_partial_fill_keeps_its_place(story: Story) -> None:
    """2 of Bob's 5 fill; his other 3 are still before Cy's 5."""
    crowd(story)
    story.sells(BOB, 5, 100)
    story.sells(CY, 5, 100)
    story.buys(ANN, 2, 100)
    story.buys(ANN, 4, 100)


@about("book", "BOOK-3", "BOOK-9")
def what_a_limit_order_leaves_rests(story: Story) -> None:
    """3 of 5 fill at 99, the limit being 100; an ask at 101 is not met."""
    crowd(story)
    story.sells(BOB, 3, 99)
    story.sells(CY, 3, 101)
    story.buys(ANN, 5, 100)


@about("book", "BOOK-6")
def what_an_ioc_and_a_market_order_leave_goes(story: Story) -> None:
    """The rest is cancelled; a market order takes any price, and its own means nothing."""
    crowd(story)
    story.sells(BOB, 3, 99)
    story.buys(ANN, 5, 100, Kind.IOC)
    story.buys(BOB, 3, 90)
    story.sells(ANN, 5, 0, Kind.MARKET)
    story.buys(ANN, 5, 100, Kind.IOC)


@about("book", "BOOK-8")
def post_only(story: Story) -> None:
    """A post-only order rests one tick away, and is refused where it would meet an order."""
    crowd(story)
    story.sells(BOB, 3, 100)
    story.buys(ANN, 1, 101, Kind.POST_ONLY, code="post_only_would_cross")
    story.buys(ANN, 1, 100, Kind.POST_ONLY, code="post_only_would_cross")
    story.buys(ANN, 1, 99, Kind.POST_ONLY)
    story.sells(CY, 1, 99, Kind.POST_ONLY, code="post_only_would_cross")
    story.sells(CY, 1, 100, Kind.POST_ONLY)


@about("book", "BOOK-8")
def post_only_that_would_meet_ones_own(story: Story) -> None:
    """It is refused like any, and the order of one's own that it would meet stays."""
    crowd(story)
    story.sells(ANN, 3, 100)
    story.buys(ANN, 1, 100, Kind.POST_ONLY, code="post_only_would_cross")
    story.buys(ANN, 1, 99, Kind.POST_ONLY)
    story.sells(ANN, 1, 99, Kind.POST_ONLY, code="post_only_would_cross")


@about("book", "BOOK-7", "BOOK-6")
def reduce_only_takers(story: Story) -> None:
    """3 of 5 close the position and the rest goes; with nothing to close it is refused."""
    crowd(story)
    story.sells(ANN, 5, 100, Kind.IOC, only=True, code="nothing_to_reduce")
    story.trade(ANN, BOB, 3)
    story.buys(ANN, 5, 100, only=True, code="nothing_to_reduce")
    story.buys(CY, 9, 100)
    story.sells(ANN, 5, 100, only=True)
    story.sells(ANN, 5, 100, only=True, code="nothing_to_reduce")


@about("book", "BOOK-7")
def reduce_only_makers(story: Story) -> None:
    """A maker fills as far as it closes; what is left of its order goes when it is met."""
    crowd(story)
    story.trade(ANN, BOB, 3)
    story.sells(ANN, 5, 100, only=True)
    story.sells(DAN, 5, 101)
    story.buys(CY, 6, 101)


@about("book", "BOOK-11")
def nobody_trades_with_oneself(story: Story) -> None:
    """One's own resting order is cancelled, and the taker goes on."""
    crowd(story)
    story.sells(ANN, 2, 98)
    story.sells(BOB, 2, 99)
    story.buys(ANN, 3, 100)


@about("book", "BOOK-5")
def a_maker_that_cannot_bear_the_fill_is_cancelled(story: Story) -> None:
    """Bob's 10 lots would need 100 of his 99; the taker goes on to Cy."""
    crowd(story)
    story.withdraw(BOB, 901)
    story.sells(BOB, 10, 100)
    story.sells(CY, 10, 101)
    story.buys(ANN, 10, 101)


@about("book", "BOOK-4", "BOOK-6")
def a_taker_stops_at_the_fill_that_it_cannot_bear(story: Story) -> None:
    """With 20 Ann can hold 2 lots; the first fill takes 1, the second would take 4."""
    crowd(story)
    story.withdraw(ANN, 980)
    story.sells(BOB, 1, 100)
    story.sells(CY, 4, 100)
    story.buys(ANN, 9, 100)
    story.buys(ANN, 9, 100, code="taker_cannot_bear")


@about("book", "BOOK-10")
def cancelling(story: Story) -> None:
    """One's own order, while it rests."""
    crowd(story)
    story.sells(BOB, 4, 101)
    story.cancel(ANN, 1, code="not_your_order")
    story.cancel(BOB, 2, code="unknown_order")
    story.cancel(BOB, 1, OIL, code="unknown_order")
    story.cancel(BOB, 1, NOWHERE, code="unknown_market")
    story.cancel(BOB, 1)
    story.cancel(BOB, 1, code="unknown_order")


# FUND.


def three_holders(story: Story) -> None:
    """Ann long 10, Bob short 7, Cy short 3, at 101."""
    crowd(story)
    story.deposit(VAULT, 100)
    story.trade(ANN, BOB, 7)
    story.trade(ANN, CY, 3)
    story.mark(101)


@about("funding", "FUND-2", "FUND-3")
def longs_pay_and_the_dust_stays_with_the_vault(story: Story) -> None:
    """10.1 is 11, -7.07 is -7, -3.03 is -3; a thousandth: 1.01 is 2, -0.707 and -0.303 are 0."""
    three_holders(story)
    story.fund(10_000)
    story.fund(1_000)


@about("funding", "FUND-2", "FUND-3")
def shorts_pay_at_a_negative_rate(story: Story) -> None:
    """-10.1 is -10, 7.07 is 8, 3.03 is 4."""
    three_holders(story)
    story.fund(-10_000)


@about("funding", "FUND-1")
def funding_within_the_cap(story: Story) -> None:
    """The cap is 20,000 parts per million, either way."""
    three_holders(story)
    story.fund(20_001, code="funding_rate_out_of_bounds")
    story.fund(-20_001, code="funding_rate_out_of_bounds")
    story.fund(100, NOWHERE, "unknown_market")
    story.fund(20_000)
    story.fund(-20_000)
    story.fund(0)


@about("funding", "FUND-3", "LIQ-8")
def funding_can_make_somebody_due(story: Story) -> None:
    """At 96 Ann has 60 and needs 48: she can pay 12, but not 19.2 more, that is 20."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 10)
    story.mark(96)
    story.fund(12_500)
    story.fund(20_000)


# LIQ.


@about("liquidation", "LIQ-1", "LIQ-6", "LIQ-7", "LIQ-8")
def the_book_takes_a_position_at_its_bankruptcy_price(story: Story) -> None:
    """At 95 50 cover 47.5, that is 48; at 94 40 do not cover 47. The limit is 90; 89 is worse."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 4, 90)
    story.buys(CY, 6, 89)
    story.mark(95)
    story.mark(94)


@about("liquidation", "LIQ-5", "LIQ-6")
def the_limit_on_the_book_is_that_of_the_moment(story: Story) -> None:
    """At 92 20 stand behind 10 lots: the limit is 90. 5 go at the mark, and then it is 88."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 5, 92)
    story.buys(CY, 5, 88)
    story.mark(92)


@about("liquidation", "LIQ-3", "LIQ-6")
def the_book_closes_no_more_than_is_needed(story: Story) -> None:
    """At 94 4 lots at 93 leave 36 behind 6, which need 29: the other bid at 93 is left alone."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 4, 93)
    story.buys(CY, 6, 93)
    story.mark(94)


@about("liquidation", "LIQ-5")
def the_bankruptcy_price_of_a_long_is_rounded_up(story: Story) -> None:
    """45 stand behind 10 lots at 94: 4.5 each, the limit is 89.5, that is 90."""
    story.deposit(ANN, 105)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 90)
    story.buys(CY, 10, 89)
    story.mark(94)


@about("liquidation", "LIQ-5")
def the_bankruptcy_price_of_a_short_is_rounded_down(story: Story) -> None:
    """45 stand behind 10 lots at 106: 4.5 each, the limit is 110.5, that is 110."""
    story.deposit(ANN, 105)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(BOB, ANN, 10)
    story.sells(CY, 10, 110)
    story.sells(CY, 10, 111)
    story.mark(106)


TEN = evolve(PLAIN, mark=10)


@about("liquidation", "LIQ-5", "LOSS-3", under=terms(TEN, TEN))
def a_bankruptcy_price_is_never_below_one(story: Story) -> None:
    """Ann is short of both; oil at 1,000 is closed at 21, and 94 are owed behind 10 of gold.

    Gold at 10 would be bought back at 0 (9.4 each, rounded down); it is 1, and 4 are left.
    """
    story.deposit(ANN, 20)
    story.deposit(BOB, 50_000)
    story.trade(BOB, ANN, 10, 10)
    story.trade(BOB, ANN, 10, 10, OIL)
    story.fund(-20_000)
    story.fund(-20_000, OIL)
    story.mark(1_000, OIL)


@about("liquidation", "LIQ-2", "LIQ-3", "LIQ-4")
def orders_go_first_then_the_largest_position(story: Story) -> None:
    """At 110 oil needs 55 and gold 20; 44 of the 60 stand behind oil, which is closed first."""
    story.deposit(ANN, 160)
    story.deposit(BOB, 9_000)
    story.deposit(CY, 9_000)
    story.trade(ANN, BOB, 4)
    story.trade(BOB, ANN, 10, market=OIL)
    story.buys(ANN, 3, 80)
    story.sells(ANN, 2, 140, market=OIL)
    story.buys(CY, 4, 60)
    story.sells(CY, 3, 113, market=OIL)
    story.mark(110, OIL)


@about("liquidation", "LIQ-6", "BOOK-5", "BOOK-7")
def makers_that_cannot_are_passed_over(story: Story) -> None:
    """Cy may only reduce and holds nothing, Dan cannot bear the fill; Bob, who reduces, takes 2."""
    story.deposit(ANN, 100)
    for account in (BOB, CY, DAN):
        story.deposit(account, 1_000)
    story.trade(ANN, BOB, 10)
    story.trade(BOB, CY, 1)
    story.buys(CY, 10, 92, only=True)
    story.trade(CY, BOB, 1)
    story.buys(DAN, 10, 92)
    story.withdraw(DAN, 950)
    story.buys(BOB, 2, 91)
    story.mark(94)


@about("liquidation", "LIQ-8")
def accounts_are_closed_in_account_order(story: Story) -> None:
    """Two are due at once; the one bid goes to the lower account."""
    for account in (ANN, BOB):
        story.deposit(account, 100)
    story.deposit(CY, 9_000)
    story.deposit(DAN, 9_000)
    story.trade(BOB, CY, 10)
    story.trade(ANN, CY, 10)
    story.buys(DAN, 10, 92)
    story.mark(94)


@about("liquidation", "LIQ-8")
def who_becomes_due_by_a_liquidation_is_visited_again(story: Story) -> None:
    """Dan's debt of 200 takes 13 a lot from Ann, who had her turn: 9 are left behind 2 lots.

    They need 10, so a second visit liquidates her.
    """
    story.deposit(ANN, 139)
    story.deposit(BOB, 1_000)
    story.deposit(DAN, 200)
    story.trade(DAN, BOB, 10)
    story.trade(DAN, ANN, 10, market=OIL)
    story.trade(BOB, ANN, 2, market=OIL)
    story.mark(60)


# VLT.


def falls_to_the_vault(story: Story, vault: int, mark: int = 94) -> None:
    """Ann holds 10 at 100 with 100; at 94 the price is 90, at 87 it is 90, and she owes 30."""
    story.deposit(VAULT, vault)
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.trade(ANN, BOB, 10)
    story.mark(mark)


@about("vault", "VLT-1", "VLT-6")
def the_vault_takes_over_and_unwinds_at_a_profit(story: Story) -> None:
    """Bought at 90 when the mark is 94; sold at the mark or better, never below."""
    falls_to_the_vault(story, 500)
    story.unwind()
    story.mark(99)
    story.deposit(CY, 1_000)
    story.buys(CY, 4, 98)
    story.unwind()
    story.buys(CY, 4, 99)
    story.buys(CY, 3, 101)
    story.unwind()


@about("vault", "VLT-6")
def a_vault_without_a_position_does_not_unwind(story: Story) -> None:
    """There is nothing to offer, and not in a market that is not there."""
    story.deposit(VAULT, 500)
    story.unwind(code="nothing_to_reduce")
    story.unwind(NOWHERE, code="unknown_market")


@about("vault", "VLT-2", under=terms(capped(7)))
def the_vault_stops_at_its_cap(story: Story) -> None:
    """It may hold 7 of the 10; the rest is deleveraged."""
    falls_to_the_vault(story, 500)


@about("vault", "VLT-2", under=terms(capped(0)))
def a_cap_of_nothing_takes_nothing(story: Story) -> None:
    """All 10 are deleveraged."""
    falls_to_the_vault(story, 500)


@about("vault", "VLT-3")
def the_vault_stops_at_its_margin(story: Story) -> None:
    """A lot at 94 needs 9.4 and brings 4: with 48 the vault takes 8, for 9 need 84.6 of 84."""
    falls_to_the_vault(story, 48)


@about("vault", "VLT-3")
def a_vault_with_just_enough_margin(story: Story) -> None:
    """10 lots need 94 and bring 40: 54 are enough."""
    falls_to_the_vault(story, 54)


@about("vault", "VLT-1", "VLT-3")
def a_takeover_that_reduces_needs_margin_too(story: Story) -> None:
    """The vault is 10 short of gold and 10 long of oil, at 86: it has 110 and needs 186.

    Of Ann's 10 gold, at 96, it may not take one: 114 would be there for 176. That 6 would be well,
    134 for 126, is no help. Bob, who is 12 short, is deleveraged.
    """
    story.deposit(VAULT, 250)
    story.deposit(ANN, 230)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(CY, VAULT, 10)
    story.trade(CY, BOB, 2)
    story.trade(VAULT, BOB, 10, market=OIL)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, BOB, 10, market=OIL)
    story.mark(86, OIL)


@about("vault", "VLT-4", under=terms(boundary=500))
def the_vault_stops_at_its_boundary(story: Story) -> None:
    """At 87 a lot costs the vault 3; from 520 it can take 6 and stay at 502."""
    falls_to_the_vault(story, 520, 87)


@about("vault", "VLT-4", under=terms(boundary=500))
def a_vault_at_its_boundary(story: Story) -> None:
    """From 530 it can take all 10 and ends at 500."""
    falls_to_the_vault(story, 530, 87)


@about("vault", "VLT-5", "LIQ-8")
def the_vault_is_liquidated_like_anyone(story: Story) -> None:
    """It takes over 10 lots with little cash; the mark falls on, and its own turn has no vault."""
    falls_to_the_vault(story, 60)
    story.mark(86)
    story.mark(84)


# ADL.


@about("adl", "ADL-1", "ADL-2", "ADL-3", "ADL-5")
def the_highest_score_goes_first(story: Story) -> None:
    """Cy and Dan hold the same; Dan has less equity, so more leverage, and is closed first."""
    story.deposit(ANN, 100)
    story.deposit(CY, 1_000)
    story.deposit(DAN, 500)
    story.trade(ANN, CY, 4)
    story.trade(ANN, DAN, 4)
    story.mark(90)


@about("adl", "ADL-2", "ADL-5")
def a_tie_goes_to_the_larger_position(story: Story) -> None:
    """Twice the lots with twice the equity is the same score; Dan's 4 go first, and are enough."""
    story.deposit(ANN, 65)
    story.deposit(CY, 200)
    story.deposit(DAN, 400)
    story.trade(ANN, CY, 2)
    story.trade(ANN, DAN, 4)
    story.deposit(BOB, 900)
    story.buys(BOB, 1, 92)
    story.mark(92)


@about("adl", "ADL-2", "ADL-5", under=terms(capped(1)))
def a_tie_of_size_goes_to_the_lower_account(story: Story) -> None:
    """Cy and Dan are the same in everything; the vault takes one lot, so Dan keeps one."""
    story.deposit(VAULT, 100)
    story.deposit(ANN, 65)
    story.deposit(DAN, 200)
    story.deposit(CY, 200)
    story.trade(ANN, DAN, 3)
    story.trade(ANN, CY, 3)
    story.mark(92)


@about("adl", "ADL-3", "ADL-5")
def several_are_closed_and_the_last_in_part(story: Story) -> None:
    """Ann's 10 close Cy's 4 and 6 of Bob's 8, who sold the 2 others to Dan."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 100)
    story.deposit(DAN, 1_000)
    story.trade(ANN, CY, 4)
    story.trade(ANN, BOB, 6)
    story.trade(DAN, BOB, 2)
    story.mark(92)


def contagion(story: Story, dan: int) -> None:
    """Ann is long 10 of gold and 10 of oil; gold falls to 60, and her debt of 200 falls on oil too.

    The margins are 30 and 50, so oil bears floor(-200 * 50 / 80) = -125: its price is 113. Dan,
    short of oil, gains nothing and loses 13 a lot.
    """
    story.deposit(ANN, 200)
    story.deposit(BOB, 1_000)
    story.deposit(DAN, dan)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, DAN, 10, market=OIL)
    story.mark(60)


@about("adl", "ADL-4")
def a_counterparty_is_closed_as_far_as_it_can_bear(story: Story) -> None:
    """With 100 Dan bears 7 of the 10 lots; the other 3 close at the mark."""
    contagion(story, 100)


@about("adl", "ADL-4")
def a_counterparty_that_can_just_bear_all(story: Story) -> None:
    """With 130 Dan bears all 10 lots and ends at nothing."""
    contagion(story, 130)


@about("adl", "ADL-4")
def a_counterparty_that_lacks_one_quantum(story: Story) -> None:
    """With 129 Dan bears 9 lots."""
    contagion(story, 129)


# LOSS.


def late_contagion(story: Story) -> None:
    """Ann is long 10 of gold and 5 of oil; gold falls to 60, and she owes 250.

    Gold needs 30 and is first: Bob's price is 74, and 110 are still owed behind 5 lots of oil.
    Their price is 122; Dan with 60 bears 2 of them, 3 close at the mark, and 66 are left.
    """
    story.deposit(ANN, 150)
    story.deposit(BOB, 1_000)
    story.deposit(DAN, 60)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, DAN, 5, market=OIL)
    story.mark(60)


def short_of_forty(story: Story) -> None:
    """Ann, long by 10 at 100 with 100, is 40 short at a mark of 86; her bankruptcy price is 90."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 200)
    story.deposit(CY, 1_000)
    story.trade(ANN, BOB, 6)
    story.trade(ANN, CY, 4)
    story.mark(96)
    story.mark(86)


@about("adl", "ADL-3", under=deleveraging(deleverage_price=ForcedPrice.MARK))
def a_deleveraging_at_the_mark(story: Story) -> None:
    """Nobody pays for what Ann lacks when she is closed at 86; so all share it afterwards."""
    short_of_forty(story)


@about(
    "adl",
    "ADL-3",
    "ADL-6",
    under=deleveraging(deleverage_price=ForcedPrice.PREVIOUS_MARK, deleverage_only_insolvent=True),
)
def a_deleveraging_at_the_previous_mark(story: Story) -> None:
    """At 96, the mark before, Ann is left with 60, which others have lost."""
    short_of_forty(story)


@about("adl", "ADL-6", under=deleveraging(deleverage_only_insolvent=True))
def only_the_insolvent_are_deleveraged(story: Story) -> None:
    """At 94 Ann is due and solvent: her position is closed at the mark. At 86 Dan is not."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.trade(ANN, BOB, 10)
    story.mark(94)
    story.deposit(DAN, 100)
    story.trade(DAN, BOB, 10, 94)
    story.mark(80)


@about(
    "adl",
    "ADL-3",
    under=deleveraging(deleverage_price=ForcedPrice.BANKRUPTCY_UNLESS_FAR, deleverage_gap=46_511),
)
def a_bankruptcy_price_that_is_too_far_from_the_mark(story: Story) -> None:
    """90 is 4 from 86, that is 46,511.6 parts per million of it: one more than is allowed."""
    short_of_forty(story)


@about("adl", "ADL-4", under=deleveraging(deleverage_never_riskier=True))
def nobody_is_left_riskier(story: Story) -> None:
    """Closed at 90 with a mark of 78, Bob would have 244 for 93 where he has 364 for 132."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 400)
    story.deposit(CY, 1_000)
    story.deposit(DAN, 5_000)
    story.trade(BOB, DAN, 20, market=OIL)
    story.trade(ANN, BOB, 10)
    story.trade(CY, BOB, 2)
    story.trade(CY, DAN, 10)
    story.mark(96)
    story.mark(85, OIL)
    story.mark(78)


@about("adl", "ADL-2", under=deleveraging(deleverage_ranking=Ranking.MARK_TO_ENTRY_LITERAL))
def read_literally_the_less_profitable_short_goes_first(story: Story) -> None:
    """Cy sold at 110, Bob at 100, each is worth as much: Bob has gained less and is closed."""
    story.deposit(ANN, 340)
    story.deposit(BOB, 1_100)
    story.deposit(CY, 1_000)
    story.trade(ANN, CY, 10, 110)
    story.trade(ANN, BOB, 10)
    story.mark(89)


@about("loss", "LOSS-1", "LOSS-2", "LOSS-3", "LOSS-4", "LOSS-5")
def what_is_left_is_shared(story: Story) -> None:
    """Dan bears a part; what closes at the mark leaves a debt, which all with equity share."""
    story.deposit(VAULT, 7)
    story.deposit(TREASURY, 30)
    late_contagion(story)


@about("loss", "LOSS-3", "LOSS-5")
def shares_are_rounded_up_largest_first(story: Story) -> None:
    """As before, with several that have the same."""
    for account in (AccountId(20), AccountId(21), AccountId(22)):
        story.deposit(account, 400)
    late_contagion(story)


def _state(accounts: dict[AccountId, AccountView]) -> View:
    custody = sum(
        account.collateral - sum(p.cost for p in account.positions.values())
        for account in accounts.values()
    )
    return View(custody, accounts, {GOLD: MarketView(100), OIL: MarketView(100)})


@about(
    "loss",
    "LOSS-2",
    "LOSS-5",
    start=_state(
        {
            VAULT: AccountView(2),
            ANN: AccountView(-10),
            BOB: AccountView(5),
            CY: AccountView(8),
            DAN: AccountView(5),
        }
    ),
)
def a_debt_without_positions_is_shared_at_once(story: Story) -> None:
    """10 over 8, 5, 5, 2: 4, then 6 * 5/12 is 3, then 3 * 5/7 is 3, and the last pays nothing."""
    story.mark(100)


@about(
    "loss",
    "LOSS-4",
    start=_state({ANN: AccountView(-10), BOB: AccountView(10), CY: AccountView(0)}),
)
def a_debt_may_take_all_there_is(story: Story) -> None:
    """The deficit is the whole of what Bob has."""
    story.mark(100)


@about(
    "loss",
    "LOSS-1",
    start=_state(
        {
            ANN: AccountView(-30, {GOLD: Position(10, 1_000)}),
            BOB: AccountView(2, {GOLD: Position(-6, -600)}),
            CY: AccountView(1, {GOLD: Position(-4, -400)}),
            TREASURY: AccountView(30),
        }
    ),
)
def nobody_can_bear_a_lot(story: Story) -> None:
    """The price is 103, and neither Bob nor Cy can bear 3: all closes at the mark, 100."""
    story.mark(100)


# Other ways to liquidate, to withdraw and to fund.


def choosing(gold: MarketTerms = PLAIN, **choices: Any) -> Terms:
    """The plain terms, with other choices of the rulebook."""
    usual = terms(gold)
    return evolve(usual, rulebook=evolve(usual.rulebook, **choices))


@about("isolated", "ISO-1", "LED-6")
def margin_is_set_apart(story: Story) -> None:
    """Ann may set apart what she could withdraw; no vault and no isolated account may."""
    for account in (ANN, VAULT, TREASURY):
        story.deposit(account, 500)
    story.settle(OIL)
    story.isolates(ANN, AccountId(-1), 100, code="id_out_of_bounds")
    story.isolates(ANN, APART, 0, code="amount_out_of_bounds")
    story.isolates(ANN, APART, 100, NOWHERE, code="unknown_market")
    story.isolates(ANN, APART, 100, OIL, code="settling")
    story.isolates(BOB, APART, 100, code="unknown_account")
    story.isolates(VAULT, APART, 100, code="cannot_own")
    story.isolates(TREASURY, APART, 100, code="cannot_own")
    story.isolates(ANN, ANN, 100, code="account_exists")
    story.isolates(ANN, APART, 501, code="not_withdrawable")
    story.isolates(ANN, APART, 400)
    story.isolates(ANN, APART, 100, code="account_exists")
    story.isolates(APART, OTHER, 100, code="cannot_own")
    story.isolates(ANN, OTHER, 100)


@about("isolated", "ISO-2", "LED-8")
def isolated_margin_is_its_owners(story: Story) -> None:
    """It comes from Ann and goes to Ann, as far as the 2 lots leave it."""
    for account in (ANN, BOB):
        story.deposit(account, 500)
    story.isolates(ANN, APART, 30)
    story.deposit(APART, 5, code="only_with_owner")
    story.withdraw(APART, 5, code="only_with_owner")
    story.transfer(BOB, APART, 5, code="only_with_owner")
    story.transfer(APART, BOB, 5, code="only_with_owner")
    story.transfer(APART, APART, 5, code="only_with_owner")
    story.transfer(APART, CY, 5, code="only_with_owner")
    story.trade(APART, BOB, 2)
    story.transfer(ANN, APART, 7)
    story.transfer(APART, ANN, 18, code="not_withdrawable")
    story.transfer(APART, ANN, 17)


@about("isolated", "ISO-3", under=choosing(liquidators=True))
def an_isolated_account_is_for_one_market(story: Story) -> None:
    """In another market it takes nothing, and from others neither positions nor shares."""
    for account in (ANN, BOB, CY):
        story.deposit(account, 500)
    story.isolates(ANN, APART, 300)
    story.sells(BOB, 1, 100, market=OIL)
    story.buys(APART, 1, 100, market=OIL, code="other_market")
    story.volunteers(APART, 1, code="is_isolated")
    story.contributes(APART, 10, code="is_isolated")
    story.redeems(APART, 1, code="is_isolated")
    story.liquidates(APART, CY, 1, code="is_isolated")
    story.sells(BOB, 1, 100)
    story.buys(APART, 1, 100)


@about("isolated", "ISO-1", "LIQ-1", "LIQ-8", under=terms(evolve(PLAIN, vault_cap=0)))
def an_isolated_loss_stops_at_its_margin(story: Story) -> None:
    """The 10 lots with 100 are lost at 90. Ann's other 10, with 500, are what they were."""
    for account in (ANN, BOB):
        story.deposit(account, 600)
    story.isolates(ANN, APART, 100)
    story.trade(APART, BOB, 10)
    story.trade(ANN, BOB, 10)
    story.mark(95)
    story.mark(94)
    story.mark(90)


@about("isolated", "ISO-1", "LIQ-1", "LIQ-8")
def an_owner_is_liquidated_and_its_isolated_position_is_not(story: Story) -> None:
    """Ann has 100 for 10 lots in oil; her isolated lot of gold has 400 and keeps them."""
    for account in (ANN, BOB):
        story.deposit(account, 500)
    story.isolates(ANN, APART, 400)
    story.trade(APART, BOB, 1)
    story.trade(ANN, BOB, 10, market=OIL)
    story.mark(94, OIL)
    story.mark(94)


@about("isolated", "ISO-5", "LED-6", under=terms(taker=10_000, maker=5_000))
def what_is_left_goes_back(story: Story) -> None:
    """Not with the first of 2 lots, nor while an order rests; then all that is left does."""
    for account in (ANN, BOB):
        story.deposit(account, 500)
    story.isolates(ANN, APART, 50)
    story.trade(APART, BOB, 2)
    resting = story.sells(APART, 1, 120, only=True)
    story.mark(105)
    story.trade(BOB, APART, 1, 105)
    story.trade(BOB, APART, 1, 105)
    story.cancel(APART, resting)
    story.transfer(ANN, APART, 30)
    story.buys(APART, 1, 90, Kind.IOC)


@about("isolated", "ISO-5", "SET-3")
def what_a_settlement_leaves_goes_back(story: Story) -> None:
    """Two isolated positions of Ann's, in account order; what was never used stays."""
    for account in (ANN, BOB):
        story.deposit(account, 500)
    story.isolates(ANN, OTHER, 50)
    story.isolates(ANN, APART, 60)
    story.isolates(ANN, AccountId(22), 70)
    story.trade(OTHER, BOB, 2)
    story.trade(BOB, APART, 3)
    story.mark(104)
    story.settle()
    story.transfer(AccountId(22), ANN, 70)


def _meets_a_relative(story: Story) -> None:
    for account in (ANN, BOB):
        story.deposit(account, 500)
    story.isolates(ANN, APART, 100)
    story.isolates(ANN, OTHER, 100)


@about("isolated", "ISO-6", "BOOK-11")
def an_owner_does_not_trade_with_its_own(story: Story) -> None:
    """Ann's bid, then her isolated one, is cancelled by the next of her offers; Bob's is met."""
    _meets_a_relative(story)
    story.buys(BOB, 1, 98)
    story.buys(ANN, 1, 99)
    story.sells(APART, 2, 98)
    story.buys(OTHER, 1, 98)
    story.sells(ANN, 1, 120)
    story.buys(APART, 1, 120, Kind.IOC)


@about("isolated", "ISO-6", "BOOK-11", under=choosing(self_trade=SelfTrade.INCOMING))
def two_isolated_accounts_of_one_owner_are_one_trader(story: Story) -> None:
    """Where the incoming order goes, it is refused."""
    _meets_a_relative(story)
    story.buys(OTHER, 1, 98)
    story.sells(APART, 2, 98, code="self_trade")
    story.sells(ANN, 2, 98, code="self_trade")
    story.sells(BOB, 1, 98)


@about("ledger", "LED-6", under=choosing(withdraw_profit=True))
def profit_may_leave_where_the_rulebook_says_so(story: Story) -> None:
    """Ann has 150 and has won 300, which nobody has realised: all but her margin of 130 may go."""
    story.deposit(ANN, 150)
    story.deposit(BOB, 400)
    story.trade(ANN, BOB, 10)
    story.mark(130)
    story.withdraw(ANN, 321, "not_withdrawable")
    story.withdraw(ANN, 320)


TIERED = evolve(PLAIN, tiers=(Tier(1_000, 200_000, 100_000), Tier(2_000, 500_000, 250_001)))


@about("margin", "MRG-6", under=terms(TIERED))
def a_large_position_needs_the_rates_of_its_tiers(story: Story) -> None:
    """25 lots at 100 need 100 + 200 + 250 to be opened, and one quantum less is refused."""
    story.deposit(ANN, 549)
    story.deposit(BOB, 5_000)
    story.sells(BOB, 25, 100)
    story.buys(ANN, 25, 100, Kind.IOC, code="taker_cannot_bear")
    story.deposit(ANN, 1)
    story.buys(ANN, 25, 100, Kind.IOC)
    story.mark(91)
    story.mark(89)


@about("margin", "MRG-9", "LIQ-1", under=terms(evolve(PLAIN, due_at_maintenance=True)))
def who_has_just_the_maintenance_margin_is_due(story: Story) -> None:
    """With 10 lots Ann has 55 at 91 and needs 46; at 90 she has 45, and 45 is the rate."""
    story.deposit(ANN, 145)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 90)
    story.mark(91)
    story.mark(90)


SCALED = evolve(PLAIN, scaled_from=1_000, scaled_to=2_001)


@about("margin", "MRG-7", under=terms(SCALED))
def initial_margin_grows_with_open_interest(story: Story) -> None:
    """With 10 lots open 5 more make 1,500: the rate is 549,550, so Cy needs 275 and has 274."""
    story.deposit(ANN, 5_000)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 274)
    story.trade(ANN, BOB, 10)
    story.sells(BOB, 5, 100)
    story.buys(CY, 5, 100, Kind.IOC, code="taker_cannot_bear")
    story.deposit(CY, 1)
    story.buys(CY, 5, 100, Kind.IOC)


@about("liquidation", "LIQ-10", under=choosing(liquidation_share=200_001, liquidation_whole=900))
def a_large_position_is_closed_by_a_share_first(story: Story) -> None:
    """Of 10 lots 3 are sold first; Ann is no longer due and keeps 7."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 95)
    story.mark(94)


@about("liquidation", "LIQ-10", under=choosing(liquidation_share=100_000))
def the_rest_follows_at_once_where_a_share_is_not_enough(story: Story) -> None:
    """One lot at 90 leaves Ann due, and then all that Cy bids for is sold."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 90)
    story.mark(92)


FREQUENT = choosing(
    liquidation_size=LiquidationSize.TO_BUFFER,
    liquidation_buffer=20_000,
)


@about("liquidation", "LIQ-12", "LIQ-15", under=FREQUENT)
def the_fewest_lots_up_to_a_buffer_are_closed(story: Story) -> None:
    """At 94 Ann has 40: 5 lots need 24 and a buffer of 10, and 6 would need 29 and 12."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 94)
    story.mark(94)


@about("liquidation", "LIQ-12", "LIQ-15", under=FREQUENT)
def an_account_that_is_not_due_any_more_is_closed_up_to_its_buffer(story: Story) -> None:
    """Five lots at 92 leave 30 against 24 and a buffer of 10: one more makes 28 against 27."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 92)
    story.mark(94)
    story.mark(93)


@about(
    "liquidation",
    "LIQ-12",
    "LIQ-15",
    under=choosing(
        evolve(PLAIN, tiers=(Tier(500, 200_000, 100_000),)),
        liquidation_size=LiquidationSize.TIER_STEP,
    ),
)
def a_position_steps_down_to_the_lower_tier(story: Story) -> None:
    """At 91 five lots are worth 455, within 500; they need 23 of Ann's 60. Later all go."""
    story.deposit(ANN, 150)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 20, 80)
    story.buys(CY, 5, 91)
    story.mark(91)
    story.mark(82)


SHARING = choosing(liquidation_size=LiquidationSize.EQUAL_SHARE, liquidation_step=200_000)


@about("liquidation", "LIQ-13", under=SHARING)
def the_same_share_of_every_position_is_closed(story: Story) -> None:
    """With 80 behind margins of 50 and 44 a fifth of both is enough: 40 and 36 are left."""
    story.deposit(ANN, 200)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, BOB, 10, market=OIL)
    story.buys(CY, 10, 88)
    story.buys(CY, 10, 100, market=OIL)
    story.mark(88)


@about("liquidation", "LIQ-13", under=SHARING)
def a_share_of_a_position_is_rounded_up(story: Story) -> None:
    """With 44 behind a margin of 49 a fifth is enough; of 11 lots that is 3."""
    story.deposit(ANN, 165)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 11)
    story.buys(CY, 11, 89)
    story.mark(89)


@about("liquidation", "LIQ-13", under=SHARING)
def a_share_that_is_not_enough_is_followed_by_the_rest(story: Story) -> None:
    """The vault takes a fifth of each at the bankruptcy price, which restores nothing; then all."""
    story.deposit(VAULT, 5_000)
    story.deposit(ANN, 200)
    story.deposit(BOB, 5_000)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, BOB, 10, market=OIL)
    story.mark(88)


AUCTION = choosing(liquidation_limit=LiquidationLimit.AUCTION, auction_steps=4, auction_period=10)


@about("liquidation", "LIQ-14", "LIQ-16", under=AUCTION)
def an_auction_walks_with_the_clock(story: Story) -> None:
    """With 40 behind 10 lots the limit goes down from 94 by steps of 1; Cy bids 92."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 92)
    story.clock(3)
    story.mark(94)
    story.clock(13)
    story.clock(22)
    story.clock(23)


@about("liquidation", "LIQ-14", "LIQ-16", under=AUCTION)
def an_auction_ends_and_the_vault_takes_over(story: Story) -> None:
    """Nobody bids: at the end, after 40, the vault takes all at 90. Bob's is forgotten before."""
    story.deposit(VAULT, 5_000)
    story.deposit(ANN, 100)
    story.deposit(BOB, 160)
    story.trade(ANN, BOB, 10)
    story.mark(112)
    story.mark(94)
    story.clock(39)
    story.clock(40)


@about("liquidation", "LIQ-14", "LIQ-16", under=AUCTION)
def who_becomes_insolvent_waits_no_longer(story: Story) -> None:
    """At 89 Ann owes 10: she is offered at 90 at once, and the vault takes what Cy does not."""
    story.deposit(VAULT, 5_000)
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 3, 90)
    story.mark(94)
    story.mark(89)


@about(
    "liquidation",
    "LIQ-10",
    "LIQ-17",
    under=choosing(liquidation_share=200_000, liquidation_whole=500, liquidation_cooldown=30),
)
def a_part_now_and_the_rest_in_its_cooldown(story: Story) -> None:
    """At 92 two lots at 90 leave Ann due: no more is sold at that time, and all at the next."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 20, 90)
    story.clock(100)
    story.mark(92)
    story.mark(92)
    story.clock(129)


@about(
    "liquidation",
    "LIQ-17",
    "LIQ-18",
    under=choosing(block_portion=100_000, block_least=150, block_notional=250),
)
def caps_by_the_clock(story: Story) -> None:
    """Of ten lots each one is closed at a time, and no more than a notional of 250 in all."""
    story.deposit(ANN, 200)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, BOB, 10, market=OIL)
    story.buys(CY, 10, 87)
    story.buys(CY, 10, 99, market=OIL)
    story.mark(88)
    story.mark(88)
    story.clock(1)
    story.clock(2)
    story.mark(70)


@about("liquidation", "LIQ-19", under=choosing(liquidation_order=LiquidationOrder.WORST_FIRST))
def the_worst_account_is_visited_first(story: Story) -> None:
    """Ann has 32 of 47, Bob and Dan 24 of 38 each: Bob is worse than Ann, and as bad as Dan."""
    for account, cash in ((ANN, 102), (BOB, 80), (DAN, 80), (CY, 5_000), (EVE, 5_000)):
        story.deposit(account, cash)
    for account in (ANN, BOB, DAN):
        lots = 10 if account == ANN else 8
        story.trade(account, CY, lots)
    story.buys(EVE, 10, 94)
    story.mark(93)


SEEDED = choosing(liquidation_order=LiquidationOrder.SEEDED, liquidation_seed=2)


@about("liquidation", "LIQ-19", under=SEEDED)
def accounts_are_visited_round_from_one_that_nobody_picks(story: Story) -> None:
    """Two accounts are due, and Eve bids for one of them; the last order says who is first."""
    for account, cash in ((ANN, 80), (BOB, 80), (CY, 5_000), (EVE, 5_000)):
        story.deposit(account, cash)
    for account in (ANN, BOB):
        story.trade(account, CY, 8)
    story.buys(EVE, 8, 94)
    story.mark(93)


@about(
    "liquidation",
    "LIQ-40",
    under=choosing(liquidation_position=LiquidationPosition.SEEDED, liquidation_seed=1),
)
def the_first_position_is_one_that_nobody_picks(story: Story) -> None:
    """Gold needs more margin than oil, and is first by margin; the last order says otherwise."""
    for account, cash in ((ANN, 200), (BOB, 5_000), (EVE, 5_000)):
        story.deposit(account, cash)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, BOB, 4, market=OIL)
    story.buys(EVE, 10, 84)
    story.buys(EVE, 4, 99, market=OIL)
    story.mark(84)


LENIENT = choosing(
    liquidation_limit=LiquidationLimit.FILLABLE,
    liquidation_adjustment=1_000_000,
    liquidation_spread=1_000_000,
)


@about("liquidation", "LIQ-11", "VLT-8", under=LENIENT)
def the_vault_pays_for_a_fill_beyond_the_bankruptcy_price(story: Story) -> None:
    """At 88 Ann owes 20: her bankruptcy price is 90 and her limit 84, so the vault pays 60."""
    story.deposit(VAULT, 100)
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 84)
    story.mark(88)


@about("liquidation", "LIQ-11", "VLT-8", under=LENIENT)
def a_vault_without_cash_ends_the_book_stage(story: Story) -> None:
    """The same with an empty vault: nothing is filled, and the winners are closed."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 84)
    story.mark(88)


OWNED = choosing(liquidation_fee=10_000, liquidation_surplus=500_000)


@about("fee", "FEE-9", under=OWNED)
def half_of_the_surplus_is_the_vaults(story: Story) -> None:
    """10 at 93 beat the limit by 30; the fee is 10, and half of the 20 that are left is 10 more."""
    fall(story, 93)


@about("fee", "FEE-9", under=choosing(liquidation_surplus=1_000_000))
def a_surplus_is_taken_as_far_as_it_is_left(story: Story) -> None:
    """At 87 Ann owes 30: the limit is 90. 6 at 93 beat it by 18 and leave 6, all the vault's."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 6, 93)
    story.mark(87)


LEFT = choosing(liquidation_fee=10_000, liquidation_fee_bound=FeeBound.EQUITY)


@about("fee", "FEE-10", under=LEFT)
def a_fee_out_of_equity_does_not_ask_what_the_book_gave(story: Story) -> None:
    """4 at the limit of 90 leave 29 of 45; the book gave nothing, and the fee is 3.6, that is 4."""
    story.deposit(ANN, 105)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 4, 90)
    story.mark(94)


WHOLE = choosing(bankruptcy_price=BankruptcyPrice.WHOLE_EQUITY)


@about("liquidation", "LIQ-20", under=WHOLE)
def all_of_the_equity_stands_behind_each_position(story: Story) -> None:
    """All 40 are behind 10 of oil: the limit is 96, not 98. Nothing is left behind gold, at 84."""
    story.deposit(VAULT, 5_000)
    story.deposit(ANN, 200)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, BOB, 10, market=OIL)
    story.buys(CY, 10, 96, market=OIL)
    story.mark(84)


ENTRY = choosing(bankruptcy_price=BankruptcyPrice.ENTRY)


@about("liquidation", "LIQ-20", "LIQ-21", under=ENTRY)
def an_isolated_position_is_bankrupt_at_its_entry_less_its_margin(story: Story) -> None:
    """Of 45 at 93 only 30 are left of the margin of 100: the limit is 90, and 89 is worse."""
    story.deposit(VAULT, 5_000)
    story.deposit(ANN, 115)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.buys(CY, 10, 89)
    story.mark(93)


@about("liquidation", "LIQ-21", under=ENTRY)
def the_margin_of_an_entry_counts_as_far_as_it_is_there(story: Story) -> None:
    """Of gold's margin of 100 there are 35, so that 97 is the limit; of oil's 100 170 are lost.

    Gold leaves 5, and oil, with nothing of its own behind it, goes at the mark of 83.
    """
    story.deposit(VAULT, 5_000)
    story.deposit(ANN, 205)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, BOB, 10, market=OIL)
    story.buys(CY, 10, 97)
    story.mark(83, OIL)


@about("vault", "VLT-7", under=choosing(vault_trigger=500_000))
def a_vault_that_waits_leaves_a_mild_case_to_the_winners(story: Story) -> None:
    """At 94 Ann has 40 and needs 47; at 88 Dan has 10 and needs 44, and the vault comes."""
    story.deposit(VAULT, 5_000)
    story.deposit(ANN, 100)
    story.deposit(BOB, 5_000)
    story.deposit(DAN, 130)
    story.trade(ANN, BOB, 10)
    story.trade(DAN, BOB, 10)
    story.mark(94)
    story.mark(88)


@about("vault", "VLT-22", under=choosing(takeover_price=TakeoverPrice.MARK))
def a_vault_that_takes_over_at_the_mark_leaves_what_is_there(story: Story) -> None:
    """At 94 the vault takes Ann's 10, and she keeps her 40."""
    falls_to_the_vault(story, 500)


@about("vault", "VLT-22", "LOSS-3", under=choosing(takeover_price=TakeoverPrice.MARK))
def a_vault_that_takes_over_at_the_mark_insures_nobody(story: Story) -> None:
    """At 87 Ann owes 30, takeover or not; all who have something share it, the vault as well."""
    falls_to_the_vault(story, 500, 87)


@about("vault", "VLT-22", under=choosing(takeover_price=TakeoverPrice.WITH_MARGIN))
def a_vault_takes_the_margin_as_well(story: Story) -> None:
    """At 94 the vault takes Ann's 10 at the mark, and her 43; she is left with nothing."""
    story.deposit(VAULT, 500)
    story.deposit(ANN, 103)
    story.deposit(BOB, 5_000)
    story.trade(ANN, BOB, 10)
    story.mark(94)


@about("vault", "VLT-22", under=choosing(takeover_price=TakeoverPrice.WITH_MARGIN))
def a_vault_that_takes_a_part_takes_as_much_margin_with_each_lot(story: Story) -> None:
    """A lot at 94 needs 9.4 and 4 of Ann's 43 go along: with 48 the vault takes 8 and 32."""
    story.deposit(VAULT, 48)
    story.deposit(ANN, 103)
    story.deposit(BOB, 5_000)
    story.trade(ANN, BOB, 10)
    story.mark(94)


@about("vault", "VLT-22", under=choosing(takeover_price=TakeoverPrice.WITH_MARGIN))
def a_vault_brings_the_margin_that_is_lacking(story: Story) -> None:
    """At 86 Ann owes 37, which the vault brings."""
    story.deposit(VAULT, 500)
    story.deposit(ANN, 103)
    story.deposit(BOB, 5_000)
    story.trade(ANN, BOB, 10)
    story.mark(86)


@about("vault", "VLT-23", under=choosing(vault_notional_cap=1_000_000))
def a_vaults_notional_stops_at_its_equity(story: Story) -> None:
    """A lot at 94 is a notional of 94 and brings 4: from 540 it takes 6 (564 for 564), not 7."""
    falls_to_the_vault(story, 540)


PREMIUMS = choosing(funding_interest=100, funding_damper=500, funding_samples=4)


@about("funding", "FUND-5", "FUND-6", "FUND-10", under=PREMIUMS)
def a_rate_is_made_of_premiums(story: Story) -> None:
    """Premiums of 9,999 and 10,000 and two that are missing: 4,999, drawn by 500 to 4,499."""
    story.deposit(ANN, 50_000)
    story.deposit(BOB, 50_000)
    story.trade(ANN, BOB, 1_000)
    story.premium(9_999)
    story.premium(10_000)
    story.premium(1_000_001, code="premium_out_of_bounds")
    story.fund_by_premium()
    story.fund_by_premium()


@about("settlement", "SET-1", "SET-2", "SET-3")
def a_market_ends(story: Story) -> None:
    """Ann's long of 7 is closed with Bob's short of 4 and Cy's of 3, at the last mark."""
    for holder in (ANN, BOB, CY):
        story.deposit(holder, 1_000)
    story.trade(ANN, BOB, 4)
    story.trade(ANN, CY, 3, 101)
    story.sells(CY, 2, 130)
    story.mark(110)
    story.settle()
    story.mark(120, code="settling")
    story.premium(1, code="settling")
    story.settle(code="settling")
    story.trade_refused(ANN, "settling")
    story.withdraw(ANN, 1_067)


@about("vault", "VLT-12", "VLT-13", "VLT-14")
def shares_of_the_vault(story: Story) -> None:
    """300 are the house's; 150 buy half as many shares, which then a gift makes dearer."""
    for account in (ANN, BOB):
        story.deposit(account, 1_000)
    story.deposit(VAULT, 300)
    story.contributes(ANN, 1_001, code="not_withdrawable")
    story.contributes(CY, 10, code="unknown_account")
    story.contributes(VAULT, 10, code="vault_holds_itself")
    story.contributes(ANN, 0, code="amount_out_of_bounds")
    story.contributes(ANN, 150)
    story.deposit(VAULT, 301)
    story.contributes(BOB, 1, code="too_few_shares")
    story.contributes(BOB, 100)
    story.redeems(BOB, 60, code="shares_out_of_bounds")
    story.redeems(BOB, 59)
    story.redeems(VAULT, 300, code="vault_holds_itself")
    story.redeems(ANN, 150)
    story.redeems(ANN, 1, code="shares_out_of_bounds")


@about("vault", "VLT-13", "VLT-14")
def the_only_share_is_made_dear(story: Story) -> None:
    """One share for one quantum, 99 given: the next 199 buy one share, and lose 49 of them."""
    for account in (ANN, BOB):
        story.deposit(account, 1_000)
    story.contributes(ANN, 1)
    story.transfer(ANN, VAULT, 99)
    story.contributes(BOB, 199)
    story.redeems(ANN, 1)
    story.redeems(BOB, 1)


@about("vault", "VLT-13", under=choosing(vault_least_shares=100))
def a_contribution_must_be_worth_many_shares(story: Story) -> None:
    """100 shares at least: who makes them dear keeps the next contribution out."""
    for account in (ANN, BOB):
        story.deposit(account, 1_000)
    story.contributes(ANN, 99, code="too_few_shares")
    story.contributes(ANN, 100)
    story.transfer(ANN, VAULT, 100)
    story.contributes(BOB, 199, code="too_few_shares")
    story.contributes(BOB, 200)


@about("vault", "VLT-12", "VLT-13", "VLT-14", "VLT-4", under=choosing(vault_boundary=100))
def shares_of_a_vault_that_holds_a_position(story: Story) -> None:
    """It took over 10 lots at 90 and stands at 88: they keep 88 of its cash, the boundary 100."""
    for account, amount in ((VAULT, 10), (ANN, 100), (BOB, 100), (CY, 290)):
        story.deposit(account, amount)
    story.trade(ANN, BOB, 10)
    story.contributes(CY, 290)
    story.mark(92)
    story.mark(88)
    story.redeems(CY, 290, code="not_withdrawable")
    story.redeems(CY, 200, code="under_boundary")
    story.redeems(CY, 190)


@about(
    "vault",
    *("VLT-12", "VLT-13", "VLT-14"),
    under=choosing(carry_bad_debt=True, waterfall=(Stage.RESIDUAL,)),
)
def a_vault_that_owes_has_no_shares_to_give(story: Story) -> None:
    """Ann's loss of 200 is the vault's to carry: while it owes, nobody comes in or goes out."""
    for account in (ANN, BOB, CY):
        story.deposit(account, 100)
    story.contributes(CY, 50)
    story.trade(ANN, BOB, 10)
    story.mark(70)
    story.contributes(CY, 10, code="vault_is_worthless")
    story.redeems(CY, 50, code="vault_is_worthless")
    story.deposit(VAULT, 150)
    story.contributes(CY, 10, code="vault_is_worthless")
    story.redeems(CY, 50)
    story.contributes(CY, 10)


@about("vault", "VLT-15", under=choosing(vault_lockup=4))
def shares_are_locked_for_a_time(story: Story) -> None:
    """For 4 from the last contribution, and then all are free."""
    story.deposit(ANN, 100)
    story.contributes(ANN, 10)
    story.clock(3)
    story.contributes(ANN, 10)
    story.clock(6)
    story.redeems(ANN, 10, code="shares_locked")
    story.clock(7)
    story.redeems(ANN, 20)


@about("vault", "VLT-16", under=choosing(vault_notice=5))
def shares_are_redeemed_at_notice(story: Story) -> None:
    """5 after the notice: 10 shares, which bring no more than then, and less after a loss."""
    story.deposit(ANN, 100)
    story.contributes(ANN, 50)
    story.redeems(ANN, 10, code="no_notice")
    story.requests(ANN, 51, code="shares_out_of_bounds")
    story.requests(ANN, 10)
    story.deposit(VAULT, 50)
    story.redeems(ANN, 9, code="no_notice")
    story.clock(4)
    story.redeems(ANN, 10, code="notice_runs")
    story.clock(5)
    story.redeems(ANN, 10)
    story.requests(ANN, 40)
    story.transfer(VAULT, ANN, 45)
    story.clock(10)
    story.redeems(ANN, 40)
    story.redeems(ANN, 1, code="shares_out_of_bounds")


@about("vault", "VLT-16")
def no_notice_is_asked(story: Story) -> None:
    """By the textbook shares are redeemed at once."""
    story.deposit(ANN, 100)
    story.contributes(ANN, 50)
    story.requests(ANN, 50, code="no_notice_asked")
    story.redeems(ANN, 50)


HUNTED = choosing(liquidators=True, liquidator_fee=10_000, waterfall=(Stage.BOOK, Stage.RESIDUAL))


@about("vault", "VLT-9", "LIQ-16", under=HUNTED)
def somebody_from_outside_takes_what_is_due(story: Story) -> None:
    """At 93 Ann has 30 and needs 47: she waits. Cy can bear 4 of the lots, which is enough."""
    for account, amount in ((ANN, 100), (BOB, 100), (CY, 60), (DAN, 94)):
        story.deposit(account, amount)
    story.trade(ANN, BOB, 10)
    story.liquidates(CY, ANN, 10, code="not_due")
    story.mark(93)
    story.liquidates(EVE, ANN, 10, code="unknown_account")
    story.liquidates(CY, ANN, 10, NOWHERE, code="unknown_market")
    story.liquidates(ANN, ANN, 10, code="own_position")
    story.liquidates(CY, ANN, 10, OIL, code="no_position")
    story.liquidates(CY, ANN, 11, code="more_than_there_is")
    story.liquidates(CY, ANN, 10, code="liquidator_cannot_bear")
    story.liquidates(CY, ANN, 4)
    story.liquidates(BOB, ANN, 6, code="not_due")


@about("vault", "VLT-9", under=choosing(liquidators=True, liquidator_fee=50_000))
def a_liquidator_may_not_leave_the_account_less_safe(story: Story) -> None:
    """4 a lot for a margin of 4.65 are more than 30 of 46.5; at 88 the machine comes first."""
    for account, amount in ((ANN, 100), (BOB, 200), (CY, 200)):
        story.deposit(account, amount)
    story.trade(ANN, BOB, 10)
    story.mark(93)
    story.liquidates(CY, ANN, 10, code="not_safer")
    story.mark(88)
    story.liquidates(CY, ANN, 10, code="not_due")


@about(
    "vault",
    "VLT-21",
    "LIQ-12",
    under=choosing(
        liquidators=True, liquidation_size=LiquidationSize.TO_BUFFER, liquidation_buffer=10_000
    ),
)
def a_liquidator_takes_no_more_than_is_needed(story: Story) -> None:
    """At 93 Ann has 35, and 6 per cent of 7 lots are 40, of 6 are 34: so 4 are needed, not 5."""
    for account, amount in ((ANN, 105), (BOB, 200), (CY, 200)):
        story.deposit(account, amount)
    story.trade(ANN, BOB, 10)
    story.mark(93)
    story.liquidates(CY, ANN, 5, code="more_than_needed")
    story.liquidates(CY, ANN, 4)
    story.liquidates(CY, ANN, 1, code="not_due")


@about("vault", "VLT-9")
def nobody_from_outside_liquidates(story: Story) -> None:
    """By the textbook nobody does."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 100)
    story.liquidates(BOB, ANN, 1, code="no_liquidators")


PLEDGED = choosing(evolve(PLAIN, vault_cap=2), waterfall=tuple(Stage), volunteer_edge=10_000)


@about("vault", "VLT-10", "VLT-20", "LIQ-7", under=PLEDGED)
def volunteers_take_what_the_vault_leaves(story: Story) -> None:
    """At 92 Ann's price is 90: the vault takes 2, Bob 3 and Cy what it can bear, at 91."""
    for account, amount in ((VAULT, 100), (ANN, 100), (EVE, 1_000), (BOB, 50), (CY, 37), (DAN, 9)):
        story.deposit(account, amount)
    story.trade(ANN, EVE, 10)
    story.volunteers(AccountId(9), 1, code="unknown_account")
    story.volunteers(BOB, 1, 0, NOWHERE, code="unknown_market")
    story.volunteers(BOB, -1, code="pledge_out_of_bounds")
    story.volunteers(BOB, 1, 1_000_001, code="pledge_out_of_bounds")
    story.volunteers(BOB, 3, 20_000)
    story.volunteers(CY, 9)
    story.volunteers(DAN, 9, 50_000)
    story.mark(92)


@about("vault", "VLT-10", under=PLEDGED)
def no_volunteer_takes_from_the_insolvent(story: Story) -> None:
    """At 89 nothing is behind Ann's position: the vault takes what it may, and Eve is closed."""
    for account, amount in ((VAULT, 100), (ANN, 100), (EVE, 1_000), (BOB, 500)):
        story.deposit(account, amount)
    story.trade(ANN, EVE, 10)
    story.volunteers(BOB, 10)
    story.mark(89)


@about("vault", "VLT-20", under=PLEDGED)
def a_pledge_is_ended(story: Story) -> None:
    """Bob pledges, and thinks better of it; a market that has ended takes no pledge."""
    for account, amount in ((ANN, 100), (EVE, 1_000), (BOB, 500)):
        story.deposit(account, amount)
    story.trade(ANN, EVE, 10)
    story.volunteers(BOB, 10, 5)
    story.volunteers(BOB, 0)
    story.mark(92)
    story.settle()
    story.volunteers(BOB, 1, code="settling")


OWN = evolve(PLAIN, vault=EVE, vault_boundary=20)


def child_takes_over(story: Story) -> None:
    """Gold's vault is Eve, with 100 of the 500; Ann is long by 10 against Bob, and due at 92."""
    for account, amount in ((VAULT, 500), (ANN, 100), (BOB, 1_000)):
        story.deposit(account, amount)
    story.recapitalises(100)
    story.trade(ANN, BOB, 10)
    story.mark(92)


@about("vault", "VLT-17", "VLT-18", under=terms(OWN, boundary=300))
def a_child_takes_over_with_cash_of_its_own(story: Story) -> None:
    """The parent gives 100 and keeps its boundary of 300; the child takes all 10 lots over."""
    story.recapitalises(1, OIL, code="no_child")
    story.recapitalises(1, NOWHERE, code="unknown_market")
    child_takes_over(story)
    story.recapitalises(0, code="amount_out_of_bounds")
    story.recapitalises(401, code="not_withdrawable")
    story.recapitalises(101, code="under_boundary")
    story.recapitalises(100)


@about("vault", "VLT-17", under=terms(OWN))
def a_child_that_falls_leaves_its_parent_alone(story: Story) -> None:
    """At 75 the child is 50 short: Bob is closed at 80, and the parent still has its 400."""
    child_takes_over(story)
    story.mark(75)


@about("vault", "VLT-4", "VLT-17", under=terms(OWN))
def a_child_stops_at_its_own_boundary(story: Story) -> None:
    """At 80 in one step each lot costs it 10: with 100 it keeps 20 and needs 8 of margin a lot."""
    for account, amount in ((VAULT, 500), (ANN, 100), (BOB, 1_000)):
        story.deposit(account, amount)
    story.recapitalises(100)
    story.trade(ANN, BOB, 10)
    story.mark(80)


@about("vault", "VLT-17", "VLT-19", under=terms(OWN, boundary=900))
def a_child_gives_back_what_it_may(story: Story) -> None:
    """It keeps its own boundary and not its parent's, and the margin of what it took over."""
    story.deposit(EVE, 100)
    for account, amount in ((ANN, 100), (BOB, 1_000)):
        story.deposit(account, amount)
    story.recalls(1, OIL, code="no_child")
    story.recalls(1, NOWHERE, code="unknown_market")
    story.recalls(0, code="amount_out_of_bounds")
    story.recalls(101, code="not_withdrawable")
    story.recalls(81, code="under_boundary")
    story.trade(ANN, BOB, 10)
    story.mark(92)
    story.recalls(9, code="not_withdrawable")
    story.recalls(8)


@about("vault", "VLT-6", "VLT-17", under=terms(OWN))
def a_child_unwinds(story: Story) -> None:
    """Account 0 holds nothing; what is offered is Eve's."""
    child_takes_over(story)
    story.buys(BOB, 4, 92)
    story.unwind()
    story.unwind(OIL, code="nothing_to_reduce")


@about("vault", "VLT-12", "VLT-13", "VLT-14", "VLT-17", under=terms(OWN))
def shares_of_a_vault_with_a_child(story: Story) -> None:
    """The vault is worth what it and its child have, but pays out of its own cash alone."""
    for account, amount in ((VAULT, 100), (EVE, 300), (ANN, 1_000)):
        story.deposit(account, amount)
    story.contributes(EVE, 10, code="vault_holds_itself")
    story.contributes(ANN, 200)
    story.recapitalises(200)
    story.redeems(EVE, 10, code="vault_holds_itself")
    story.redeems(ANN, 200, code="not_withdrawable")
    story.redeems(ANN, 100)


@about("clock", "CLK-1")
def time_moves_forward(story: Story) -> None:
    """To 5, and not back to 3, nor to where it is, nor beyond its bounds."""
    story.clock(5)
    story.clock(3, code="not_later")
    story.clock(5, code="not_later")
    story.clock(10**18 + 1, code="time_out_of_bounds")
    story.clock(10**18)


@about("funding", "FUND-8", "FUND-9", "FUND-11", "FUND-12", under=choosing(funding_on_touch=True))
def an_account_is_settled_when_it_is_touched(story: Story) -> None:
    """Three fundings of 0.7 and 0.3 quanta: Ann pays 3, not one each time; Cy is never touched."""
    for holder in (ANN, BOB, CY):
        story.deposit(holder, 1_000)
    story.trade(ANN, BOB, 7)
    story.trade(CY, BOB, 3)
    for _ in range(3):
        story.fund(1_000)
    story.withdraw(ANN, 1)
    story.sells(BOB, 1, 100)
    story.buys(ANN, 1, 100)
    story.fund(-500)
    story.transfer(BOB, ANN, 1)


FEES_OF_PARTS: dict[str, Any] = {"maker_fee": 1_000, "taker_fee": 5_000, "liquidation_fee": 10_000}


@about("fee", "FEE-8", "FEE-1", under=choosing(fee_rounding=Rounding.DOWN, **FEES_OF_PARTS))
def fees_may_be_rounded_down(story: Story) -> None:
    """10 at 101: a thousandth is 1.01, that is 1; five thousandths are 5.05, that is 5."""
    fees_are_rounded_up_and_go_to_the_treasury(story)


@about("fee", "FEE-8", "FEE-4", under=choosing(fee_rounding=Rounding.TOWARDS_ZERO, **FEES_OF_PARTS))
def a_liquidation_fee_may_be_rounded_down(story: Story) -> None:
    """Ann is due at 93, and Bob bids 92: of 920 the liquidation fee is 9.2, that is 9."""
    story.deposit(ANN, 110)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 10)
    story.buys(BOB, 10, 92)
    story.mark(93)


@about("funding", "FUND-13", "FUND-2", under=choosing(funding_rounding=Rounding.DOWN))
def a_receiver_may_get_a_quantum_for_a_part(story: Story) -> None:
    """1.01 is 1, -0.707 and -0.303 are -1 each: the vault pays a quantum of dust."""
    three_holders(story)
    story.fund(1_000)
    story.fund(-1_000)


@about("funding", "FUND-13", "FUND-2", under=choosing(funding_rounding=Rounding.TOWARDS_ZERO))
def nobody_pays_or_gets_anything_for_a_part(story: Story) -> None:
    """1.01 is 1, -0.707 and -0.303 are nothing; 10.1 is 10, -7.07 is -7, -3.03 is -3."""
    three_holders(story)
    story.fund(1_000)
    story.fund(10_000)


@about(
    "funding",
    "FUND-13",
    "FUND-9",
    under=choosing(funding_rounding=Rounding.DOWN, funding_on_touch=True),
)
def who_is_touched_may_be_rounded_down_to(story: Story) -> None:
    """Three fundings of 0.7 and 0.3 quanta: Ann pays 2 of 2.1, and Bob then none of 0.55."""
    an_account_is_settled_when_it_is_touched(story)


@about(
    "funding",
    "FUND-14",
    "FUND-3",
    under=choosing(funding_receivers_capped=True, vault_boundary=60),
)
def receivers_get_what_payers_paid_and_the_vault_has(story: Story) -> None:
    """The vault took Ann's 4 lots over and has 76: Dan pays 12, and Bob and Cy are due 13 and 5.

    16 are beyond the boundary, then 10, then 4: of 16 there are 11 and 4 for them. The quantum that
    is left is there the next time: of 13 it is 9 and 3.
    """
    story.deposit(VAULT, 60)
    story.deposit(ANN, 40)
    for holder in (BOB, CY, DAN):
        story.deposit(holder, 1_000)
    story.trade(ANN, BOB, 4)
    story.trade(DAN, BOB, 3)
    story.trade(DAN, CY, 3)
    story.mark(94)
    story.fund(20_000)
    story.fund(20_000)
    story.fund(20_000)
    story.fund(20_000)
    story.fund(-20_000)


@about(
    "funding",
    "FUND-14",
    "FUND-13",
    under=choosing(funding_receivers_capped=True, funding_rounding=Rounding.DOWN),
)
def an_empty_vault_pays_no_dust(story: Story) -> None:
    """-0.7 and -0.3 are a quantum each, and Ann pays 1: Bob and Cy are due 2 and get nothing."""
    for holder in (ANN, BOB, CY):
        story.deposit(holder, 1_000)
    story.trade(ANN, BOB, 7)
    story.trade(ANN, CY, 3)
    story.fund(1_000)
    story.fund(10_000)


@about("funding", "FUND-12", "LIQ-8", under=choosing(funding_on_touch=True))
def everybody_is_touched_before_anybody_is_liquidated(story: Story) -> None:
    """Nobody feels 64 quanta of funding until the mark is said again: then Ann is due."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 8)
    for _ in range(8):
        story.fund(10_000)
    story.mark(100)


@about("funding", "FUND-12", "SET-3", under=choosing(funding_on_touch=True))
def a_market_ends_with_its_funding_settled(story: Story) -> None:
    """What is outstanding is settled, and Ann, who owes more than she has, liquidated."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 8)
    for _ in range(15):
        story.fund(10_000)
    story.withdraw(ANN, 100, code="not_withdrawable")
    story.settle()


@about("adl", "LOSS-6", "LOSS-11", under=choosing(fund_trigger=FundTrigger.EMPTY))
def winners_are_closed_only_when_the_fund_is_empty(story: Story) -> None:
    """The vault has a quantum, too little for a lot: Ann is closed at the mark."""
    story.deposit(VAULT, 1)
    late_contagion(story)


@about(
    "loss",
    "LOSS-6",
    "LOSS-11",
    under=choosing(
        fund_trigger=FundTrigger.DRAWDOWN, fund_begins=300_000, fund_ends=200_000, fund_window=10
    ),
)
def winners_are_closed_while_the_fund_is_drawn_down(story: Story) -> None:
    """From 100 the vault falls to 70, and no further up than 79: it is still drawn down."""
    story.deposit(VAULT, 100)
    story.mark(100)
    story.withdraw(VAULT, 30)
    story.mark(100)
    story.deposit(VAULT, 9)
    story.mark(100)
    story.withdraw(VAULT, 79)
    late_contagion(story)
    story.clock(11)
    story.clock(12)


@about("loss", "LOSS-12", under=choosing(carry_bad_debt=True))
def a_loss_is_carried_by_the_vault(story: Story) -> None:
    """The vault pays what Ann owes and has less than nothing; the next mark finds nobody due."""
    late_contagion(story)
    story.mark(60)
    story.deposit(VAULT, 10)


@about("loss", "LOSS-8", "LOSS-12", under=choosing(carry_bad_debt=True, withdrawal_haircut=True))
def withdrawals_are_cut_while_the_vault_owes(story: Story) -> None:
    """Bob gets his part of 400 quanta; what he does not get is the vault's."""
    late_contagion(story)
    story.withdraw(BOB, 400)
    story.deposit(VAULT, 1_000)
    story.withdraw(BOB, 400)


@about("ledger", "LED-9", "LOSS-13", under=choosing(withdrawal_gate=50))
def a_loss_closes_the_gate(story: Story) -> None:
    """No cash leaves before 55, and deposits pass."""
    story.clock(5)
    story.deposit(CY, 500)
    late_contagion(story)
    story.clock(54)
    story.withdraw(CY, 1, code="gate_closed")
    story.transfer(CY, BOB, 1, code="gate_closed")
    story.deposit(CY, 1)
    story.clock(55)
    story.withdraw(CY, 1)


@about("loss", "LOSS-14", under=choosing(halt_on_loss=True))
def a_loss_halts_all_markets(story: Story) -> None:
    """Ann is closed and her loss shared; then nothing trades until a market resumes."""
    late_contagion(story)
    story.buys(BOB, 1, 60, code="paused")
    story.resume()
    story.buys(BOB, 1, 60)


def two_sides(story: Story) -> None:
    """Ann is long by 8 lots and Bob short, both with little."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 100)
    story.trade(ANN, BOB, 8)


@about("mark", "MARK-5")
def an_index_alone_moves_no_mark(story: Story) -> None:
    """Under the textbook's rulebook an index within bounds is kept; the oracle says the mark."""
    two_sides(story)
    story.index(120, 90)
    story.index(0, 90, code="price_out_of_bounds")
    story.index(120, 10**12 + 1, code="price_out_of_bounds")
    story.mark(101)


@about("mark", "MARK-6", under=choosing(mark_policy=MarkPolicy.INDEX))
def the_index_is_the_mark(story: Story) -> None:
    """At an index of 88 Ann is due; the oracle may not say a mark beside it."""
    two_sides(story)
    story.mark(101, code="mark_is_computed")
    story.index(88, 140)


@about("mark", "MARK-2", "MARK-6", under=choosing(mark_policy=MarkPolicy.CLAMPED, mark_band=50_000))
def a_mark_near_its_index(story: Story) -> None:
    """140 counts as 105, 96 as itself, and 10 as 114, which is 5 % of 119 below."""
    two_sides(story)
    story.index(100, 140)
    story.index(100, 96)
    story.index(119, 10)


@about(
    "mark", "MARK-4", "MARK-6", under=choosing(mark_policy=MarkPolicy.BASIS, mark_weight=333_333)
)
def a_mark_with_the_average_basis(story: Story) -> None:
    """A basis of 10 counts for 3, then one of -20 moves it back by 7, rounded to zero."""
    two_sides(story)
    story.index(100, 110)
    story.index(100, 80)
    story.index(3, 1)
    story.index(1, 1)


@about(
    "mark", "MARK-3", "MARK-6", under=choosing(mark_policy=MarkPolicy.MEDIAN, mark_weight=500_000)
)
def a_mark_between_three_prices(story: Story) -> None:
    """The market at 140 draws the mark no further than to the index with half of the basis."""
    two_sides(story)
    story.index(100, 140)
    story.index(100, 60)
    story.index(100, 104)


@about("mark", "MARK-7", under=choosing(mark_age=10))
def nothing_opens_at_an_old_mark(story: Story) -> None:
    """At the age of 10 the market trades, at 11 not; Ann may cancel, and a new mark is fresh."""
    two_sides(story)
    story.clock(10)
    order = story.buys(ANN, 1, 90)
    story.clock(11)
    story.buys(ANN, 1, 90, code="stale")
    story.premium(5, code="stale")
    story.fund_by_premium(code="stale")
    story.fund(10, code="stale")
    story.cancel(ANN, order)
    story.mark(100)
    story.buys(ANN, 1, 90)


@about("settlement", "SET-4", "SET-5", under=choosing(mark_age=10))
def a_market_pauses_and_goes_on(story: Story) -> None:
    """The mark of 60 is the last word of two, and stands for nothing until the market goes on."""
    two_sides(story)
    story.resume(code="not_paused")
    story.pause()
    story.pause(code="paused")
    story.buys(ANN, 1, 90, code="paused")
    story.premium(5, code="paused")
    story.fund_by_premium(code="paused")
    story.fund(10, code="paused")
    story.mark(200)
    story.mark(60)
    story.withdraw(ANN, 20)
    story.clock(11)
    story.resume(code="stale")
    story.mark(88)
    story.resume()


@about("settlement", "SET-5")
def a_market_goes_on_as_it_was(story: Story) -> None:
    """Nobody has said a price meanwhile: the mark is what it was. Time does no harm here."""
    two_sides(story)
    story.pause()
    story.clock(10**9)
    story.resume()
    story.buys(ANN, 1, 90)


@about("settlement", "SET-3", "SET-4")
def a_paused_market_ends(story: Story) -> None:
    """It is settled at the mark that stands; what the oracle said meanwhile is forgotten."""
    two_sides(story)
    story.pause()
    story.mark(60)
    story.settle()


def many_shorts(story: Story) -> None:
    """Ann is long by 10 against Bob's 5, Cy's 3 and Dan's 2, and owes 20 at a mark of 88."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.deposit(DAN, 40)
    story.deposit(EVE, 5_000)
    story.trade(ANN, BOB, 5)
    story.trade(ANN, CY, 3)
    story.trade(ANN, DAN, 2)
    story.trade(EVE, BOB, 10)
    story.mark(88)


@about("adl", "ADL-8", under=choosing(deleverage_sharing=Sharing.PRO_RATA))
def everybody_is_closed_in_proportion(story: Story) -> None:
    """Of 20 short lots half are needed: Dan gives 1 of 2, Bob 8 of 15, and Cy 1 of 3."""
    many_shorts(story)


@about("adl", "ADL-8", under=choosing(deleverage_sharing=Sharing.PRO_RATA))
def what_one_cannot_bear_is_for_the_queue(story: Story) -> None:
    """At 113 Dan can bear 9 of 10 lots; the queue comes to him again, at the price of then."""
    contagion(story, 129)


@about(
    "adl",
    "ADL-9",
    "ADL-10",
    under=choosing(
        deleverage_sharing=Sharing.LARGEST_REMAINDER, deleverage_weight=ShareWeight.LOTS
    ),
)
def the_largest_remainders_are_rounded_up(story: Story) -> None:
    """Of 10 lots 7.5, 1.5 and 1 fall to 15, 3 and 2: the first of the queue has the last half."""
    many_shorts(story)


@about(
    "adl",
    "ADL-9",
    under=choosing(deleverage_sharing=Sharing.PRO_RATA, deleverage_weight=ShareWeight.EQUITY),
)
def the_wealthy_give_more(story: Story) -> None:
    """Bob has most, and gives most; Dan, who has little, gives nothing."""
    many_shorts(story)


@about(
    "adl",
    "ADL-9",
    under=choosing(
        deleverage_sharing=Sharing.PRO_RATA, deleverage_weight=ShareWeight.LEVERED_PROFIT
    ),
)
def profit_and_leverage_give_more(story: Story) -> None:
    """Dan has gained on all that he has, and gives more than his lots alone would say."""
    many_shorts(story)


@about("adl", "ADL-11", under=choosing(deleverage_sharing=Sharing.CAPPED))
def who_is_not_left_margined_is_for_the_queue(story: Story) -> None:
    """At 113 Dan can bear 9 of 10 lots, but none that leaves it margined: the queue closes it."""
    contagion(story, 129)


@about("adl", "ADL-11", under=choosing(deleverage_sharing=Sharing.CAPPED))
def who_is_left_margined_gives_its_part(story: Story) -> None:
    """Of 10 lots 3.75 fall to Dan's 6, who stays margined with 3; Cy, who holds 10, gives 7."""
    story.deposit(ANN, 200)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 9_000)
    story.deposit(DAN, 60)
    story.deposit(EVE, 9_000)
    story.trade(ANN, BOB, 10)
    story.trade(ANN, DAN, 6, market=OIL)
    story.trade(ANN, CY, 4, market=OIL)
    story.trade(EVE, CY, 6, market=OIL)
    story.mark(60)


@about(
    "adl",
    "ADL-11",
    under=choosing(deleverage_sharing=Sharing.CAPPED, deleverage_weight=ShareWeight.EQUITY),
)
def a_small_position_is_full_and_the_others_share_the_rest(story: Story) -> None:
    """Dan is rich and holds 2: he gives both, and Bob and Cy the rest by what they have."""
    story.deposit(DAN, 9_000)
    many_shorts(story)


@about("adl", "ADL-13", under=choosing(deleverage_price=ForcedPrice.MARGIN))
def margin_goes_along(story: Story) -> None:
    """Ann owes 20 behind 10 lots: 2 are brought for each, and at last nothing is left."""
    many_shorts(story)


@about("adl", "ADL-13", under=choosing(deleverage_price=ForcedPrice.MARGIN))
def a_counterparty_brings_what_it_has(story: Story) -> None:
    """125 are missing behind 10 lots of oil; Dan, who has 129, can bring them, and keeps 4."""
    contagion(story, 129)


@about("adl", "ADL-12", under=choosing(deleverage_ranking=Ranking.UNRANKED, deleverage_seed=1))
def a_walk_that_nobody_ranks(story: Story) -> None:
    """Three accounts stand on the other side; the last order says where the walk begins."""
    many_shorts(story)


@about("adl", "ADL-14", under=choosing(deleverage_cancels_orders=True))
def whoever_is_closed_loses_its_orders(story: Story) -> None:
    """Dan is closed in whole and Bob in part; their bids go, and those of Cy and Eve stay."""
    story.deposit(ANN, 100)
    for account, cash in ((BOB, 1_000), (CY, 5_000), (DAN, 60), (EVE, 5_000)):
        story.deposit(account, cash)
    story.trade(ANN, BOB, 8)
    story.trade(ANN, DAN, 2)
    story.trade(EVE, CY, 2)
    for account in (BOB, CY, DAN, EVE):
        story.buys(account, 1, 50)
    story.mark(88)


@about("loss", "LOSS-10", under=choosing(loss_sharing=LossSharing.LOTS))
def a_loss_is_shared_by_lots(story: Story) -> None:
    """Every lot of either side pays the same, as far as its holder can."""
    others_are_open(story)


@about("loss", "LOSS-7", "LOSS-10", under=choosing(loss_sharing=LossSharing.PER_LOT))
def every_lot_is_charged_the_same(story: Story) -> None:
    """What is owed is charged to the open lots, rounded up for each; the last one pays less."""
    others_are_open(story)


JUNIOR = choosing(loss_sharing=LossSharing.PROFIT, note_paid_in=True)


@about("loss", "LED-10", "LOSS-9", "LOSS-10", under=JUNIOR)
def every_profit_is_cut_alike(story: Story) -> None:
    """Bob, who was closed on the way and has realised his gain, is cut like those who are open."""
    others_are_open(story)


@about("ledger", "LED-10", under=JUNIOR)
def what_was_paid_in_is_noted(story: Story) -> None:
    """Deposits, withdrawals and transfers count; what is won or lost by trading does not."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.trade(ANN, BOB, 1)
    story.mark(110)
    story.withdraw(ANN, 300)
    story.transfer(BOB, CY, 50)


@about(
    "adl",
    "ADL-3",
    "ADL-6",
    under=choosing(deleverage_price=ForcedPrice.INDEX, deleverage_only_insolvent=True),
)
def a_deleveraging_at_the_index(story: Story) -> None:
    """Ann is closed at the index of 89 while the mark is 86; before the first index at the mark."""
    story.index(89, 90)
    short_of_forty(story)


def others_are_open(story: Story) -> None:
    """Cy is short and Eve long by 4 of gold, while Ann's gold falls to 60; then as before."""
    story.deposit(CY, 400)
    story.deposit(EVE, 1_000)
    story.trade(EVE, CY, 4)
    late_contagion(story)


@about("loss", "LOSS-10", under=choosing(loss_sharing=LossSharing.GAINS))
def a_loss_is_shared_by_gains(story: Story) -> None:
    """Only whoever has an open profit is charged for what Ann owes."""
    others_are_open(story)


@about("loss", "LOSS-10", under=choosing(loss_sharing=LossSharing.NOTIONAL))
def a_loss_is_shared_by_notional(story: Story) -> None:
    """Whoever holds more pays more, on both sides, and nobody more than it has."""
    others_are_open(story)


# Other orders.


@about("book", "BOOK-14")
def an_order_that_must_fill_as_a_whole(story: Story) -> None:
    """Of 5 lots 3 are offered at 100: refused, and nothing happened; at 101 there are 5."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.sells(BOB, 3, 100)
    story.sells(BOB, 2, 101)
    story.buys(ANN, 5, 100, Kind.FOK, code="not_filled")
    story.buys(ANN, 5, 101, Kind.FOK)


@about("book", "BOOK-11", under=choosing(self_trade=SelfTrade.INCOMING))
def an_incoming_order_that_meets_its_own_account_stops(story: Story) -> None:
    """Refused while it has changed nothing; after a fill what is left of it is cancelled."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.sells(ANN, 2, 100)
    story.buys(ANN, 2, 100, code="self_trade")
    story.sells(BOB, 1, 99)
    story.buys(ANN, 2, 100)


@about("book", "BOOK-11", under=choosing(self_trade=SelfTrade.BOTH))
def both_orders_of_an_account_that_meets_itself_go(story: Story) -> None:
    """The resting order is cancelled, and the incoming one does not rest."""
    story.deposit(ANN, 1_000)
    story.sells(ANN, 2, 100)
    story.buys(ANN, 2, 100)


@about("book", "BOOK-15", under=terms(evolve(PLAIN, least_notional=500)))
def an_order_is_worth_at_least_so_much(story: Story) -> None:
    """5 lots at 100 are worth 500, at 99 less; to reduce, any number will do."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.sells(BOB, 5, 99, code="too_small")
    story.sells(BOB, 6, 100)
    story.buys(ANN, 4, 100, code="too_small")
    story.buys(ANN, 5, 100)
    story.buys(BOB, 1, 100, only=True)


# Orders that give way to others.


@about("book", "BOOK-16")
def an_order_is_replaced_or_stays(story: Story) -> None:
    """Refused while it would cross, is another's or is not there; then it stands behind Bob's."""
    for account in (ANN, BOB, CY):
        story.deposit(account, 1_000)
    story.buys(ANN, 5, 99)
    story.buys(BOB, 5, 99)
    story.sells(BOB, 5, 101)
    story.replaces(ANN, 1, Side.BUY, 5, 101, Kind.POST_ONLY, code="post_only_would_cross")
    story.replaces(ANN, 1, Side.BUY, 6, 101, Kind.FOK, code="not_filled")
    story.replaces(ANN, 2, Side.BUY, 5, 99, code="not_your_order")
    story.replaces(ANN, 9, Side.BUY, 5, 99, code="unknown_order")
    behind = story.replaces(ANN, 1, Side.BUY, 4, 99)
    story.sells(CY, 2, 99, Kind.IOC)
    story.replaces(ANN, behind, Side.SELL, 1, 99, Kind.IOC)


@about("book", "BOOK-16", "BOOK-17", under=choosing(smaller_keeps_place=True))
def an_order_that_gets_smaller_keeps_its_place(story: Story) -> None:
    """From 5 to 4 it is still ahead of Bob's; to 6, or at another price, it is behind."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.buys(ANN, 5, 99)
    story.buys(BOB, 5, 99)
    story.replaces(ANN, 1, Side.BUY, 4, 99)
    story.sells(CY, 2, 99, Kind.IOC)
    story.replaces(ANN, 1, Side.BUY, 6, 99)
    story.sells(CY, 2, 99, Kind.IOC)
    story.replaces(BOB, 2, Side.BUY, 3, 98)


# What an order must be.


@about("book", "BOOK-18", under=terms(evolve(PLAIN, price_band=50_000)))
def a_limit_is_within_the_band_around_the_mark(story: Story) -> None:
    """Buys up to 105 and sells down to 95; further away on the other side they may wait."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.buys(ANN, 1, 106, code="beyond_band")
    story.sells(ANN, 1, 94, code="beyond_band")
    story.sells(BOB, 3, 140)
    story.buys(BOB, 3, 60)
    story.sells(BOB, 1, 105)
    story.buys(ANN, 1, 105)
    story.buys(ANN, 1, 90, Kind.MARKET)
    story.mark(130)
    story.sells(ANN, 1, 10, only=True)


@about("book", "BOOK-18", under=choosing(evolve(PLAIN, price_band=50_000), band_both_sides=True))
def a_band_on_both_sides(story: Story) -> None:
    """Neither a buy nor a sell is below 95 or above 105, whoever waits for it."""
    story.deposit(ANN, 1_000)
    story.buys(ANN, 1, 94, code="beyond_band")
    story.buys(ANN, 1, 106, code="beyond_band")
    story.sells(ANN, 1, 94, code="beyond_band")
    story.sells(ANN, 1, 106, code="beyond_band")
    story.buys(ANN, 1, 95)
    story.sells(ANN, 1, 105)


@about("book", "BOOK-18", "LIQ-6", under=terms(evolve(PLAIN, price_band=10_000)))
def a_liquidation_is_not_bound_by_the_band(story: Story) -> None:
    """At a mark of 72 Ann's lots go at Bob's bid of 70; who wants to open sells at 72 or more."""
    story.deposit(ANN, 600)
    story.deposit(BOB, 5_000)
    story.deposit(CY, 5_000)
    story.trade(ANN, CY, 20)
    story.buys(BOB, 20, 70)
    story.mark(72)
    story.sells(CY, 1, 71, code="beyond_band")


@about("book", "BOOK-19", "VLT-6", under=terms(evolve(PLAIN, tick=5)))
def a_limit_is_a_multiple_of_the_tick(story: Story) -> None:
    """101 and 4 are refused, 5 and 100 are not; market orders and the vault's need none."""
    story.deposit(ANN, 200)
    story.deposit(BOB, 5_000)
    story.deposit(VAULT, 5_000)
    story.buys(ANN, 1, 101, code="off_tick")
    story.buys(ANN, 1, 4, code="off_tick")
    story.buys(ANN, 1, 5)
    story.trade(ANN, BOB, 10)
    story.sells(ANN, 1, 101, only=True, code="off_tick")
    story.sells(BOB, 1, 105)
    story.buys(ANN, 1, 101, Kind.MARKET)
    story.mark(83)
    story.buys(BOB, 10, 85)
    story.unwind()


@about("book", "BOOK-20", "BOOK-16", under=choosing(most_orders=2))
def an_account_has_only_so_many_orders_resting(story: Story) -> None:
    """Two on both sides of one market; an IOC, one in another market, or a replacement is taken."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.buys(ANN, 1, 99)
    story.sells(ANN, 1, 101)
    story.buys(ANN, 1, 98, code="too_many_orders")
    story.buys(ANN, 1, 98, Kind.POST_ONLY, code="too_many_orders")
    story.buys(ANN, 1, 98, market=OIL)
    story.buys(ANN, 1, 98, Kind.IOC)
    story.replaces(ANN, 1, Side.BUY, 1, 98)
    story.sells(BOB, 1, 98, Kind.IOC)
    story.buys(ANN, 1, 97)


@about("book", "BOOK-21", "CLK-1")
def an_order_is_good_till_its_time(story: Story) -> None:
    """At time 5 an order till 5 is refused, or gone; one till 6 fills, and one without a time."""
    story.deposit(ANN, 1_000)
    story.deposit(BOB, 1_000)
    story.buys(ANN, 1, 100, till=5)
    story.buys(ANN, 2, 100, till=6)
    story.buys(ANN, 3, 100, market=OIL, till=4)
    story.buys(BOB, 4, 99)
    story.clock(5)
    story.buys(ANN, 1, 100, till=5, code="expired")
    story.buys(ANN, 1, 100, till=10**18 + 1, code="time_out_of_bounds")
    story.sells(BOB, 1, 100, Kind.IOC, till=6)
    story.sells(BOB, 1, 100, Kind.FOK, till=4, code="expired")
    story.clock(100)
    story.sells(ANN, 1, 99, Kind.IOC)


@about("book", "BOOK-21", "LIQ-6", "LIQ-8")
def orders_expire_before_a_liquidation(story: Story) -> None:
    """The clock moves, Bob's bid is gone, and what Ann owes is nobody's to take at that price."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.deposit(CY, 1_000)
    story.trade(ANN, CY, 10)
    story.buys(BOB, 10, 94, till=7)
    story.buys(BOB, 4, 93, till=8)
    story.clock(7)
    story.mark(93)


@about("margin", "MRG-8", "BOOK-16", under=choosing(order_margin=True))
def resting_orders_reserve_margin(story: Story) -> None:
    """Of 100 a bid for 6 takes 60; an offer of as many takes nothing more; 40 may leave."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.buys(ANN, 6, 99)
    story.buys(ANN, 5, 98, code="orders_need_margin")
    story.buys(ANN, 5, 100, Kind.IOC, code="orders_need_margin")
    story.sells(ANN, 6, 101)
    story.sells(ANN, 5, 102, code="orders_need_margin")
    story.withdraw(ANN, 41, "orders_need_margin")
    story.transfer(ANN, BOB, 41, "orders_need_margin")
    story.withdraw(ANN, 30)
    story.replaces(ANN, 1, Side.BUY, 8, 99, code="orders_need_margin")
    story.replaces(ANN, 1, Side.BUY, 7, 99)
    story.sells(BOB, 7, 99, Kind.IOC)
    story.sells(ANN, 7, 99)
    story.sells(ANN, 3, 97, only=True)


@about("margin", "MRG-8", "BOOK-5", under=choosing(order_margin=True))
def reserved_margin_is_not_all_that_a_fill_may_take(story: Story) -> None:
    """The mark falls, and what was reserved for Ann's bid is not there any more."""
    story.deposit(ANN, 100)
    story.deposit(BOB, 1_000)
    story.buys(ANN, 10, 100)
    story.mark(91)
    story.sells(BOB, 10, 91, Kind.IOC)
