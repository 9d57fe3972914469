"""From a command to the actions that the rulebook's policy picks.

The rules say what is legal; this module says what happens. Every loop here is a fold of an
action of `perpref.rules`, and the only state that it keeps is the exchange and what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cmp_to_key
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from attrs import evolve, frozen

from perpref import allotment
from perpref.forced_closing import closing, most_bearable
from perpref.outcome import Cancelled, Event, Filled, Outcome
from perpref.rule_registry import Refusal, require, rule
from perpref.rules import (
    adl,
    adl_sharing,
    admission,
    book,
    clock,
    funding,
    isolated,
    isolated_margin,
    ledger,
    liquidation,
    liquidation_size,
    liquidation_time,
    liquidator,
    loss,
    loss_trigger,
    margin,
    mark,
    settlement,
    vault,
    vault_shares,
    volunteers,
)
from perpref.state import (
    NEVER,
    NOBODY,
    VAULT,
    Exchange,
    FundTrigger,
    Kind,
    LiquidationLimit,
    LiquidationOrder,
    LiquidationPosition,
    LiquidationSize,
    LossSharing,
    MarkPolicy,
    Order,
    Ranking,
    SelfTrade,
    Sharing,
    Side,
    Stage,
)
from perpref.units import MAX_LOTS, AccountId, MarketId, OrderId

P = ParamSpec("P")
T = TypeVar("T")


class Choices(Protocol):
    """The choices that the rules leave open. Whoever makes them, the guards judge them."""

    def price(self, taker: Order, maker: Order) -> int:
        """The price of a fill between two orders that cross (BOOK-3)."""
        ...

    def counterparties(
        self, exchange: Exchange, account: AccountId, market: MarketId
    ) -> Iterator[AccountId]:
        """Whom to close against, one after the other (ADL-2)."""
        ...


class ByRulebook:
    """The textbook's own choices: the maker's price, and the queue."""

    def price(self, taker: Order, maker: Order) -> int:
        return maker.price

    def counterparties(
        self, exchange: Exchange, account: AccountId, market: MarketId
    ) -> Iterator[AccountId]:
        return iter(queue(exchange, account, market))


BY_RULEBOOK = ByRulebook()


class Run:
    """A command on its way: the exchange so far, and what happened to it so far."""

    def __init__(self, exchange: Exchange, choices: Choices = BY_RULEBOOK) -> None:
        self.exchange = exchange
        self.choices = choices
        self.events: list[Event] = []
        self.began = 0

    @property
    def has_acted(self) -> bool:
        """Whether anything has happened since the order that is being placed came (BOOK-6).

        That accounts were settled on touch does not count (FUND-12).
        """
        return any(event.rule != "FUND-12" for event in self.events[self.began :])

    def do(
        self, action: Callable[Concatenate[Exchange, P], Outcome], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Take one action. Raises Refusal, and then nothing has changed."""
        outcome = action(self.exchange, *args, **kwargs)
        self.exchange = outcome.exchange
        self.events.extend(outcome.events)

    def outcome(self) -> Outcome:
        return Outcome(self.exchange, tuple(self.events))


# Placing an order.


@rule("BOOK-6")
def place(
    run: Run, market: MarketId, order: Order, kind: Kind, replaced: Order | None = None
) -> None:
    """Match an order against the book, then let the rest of it rest, or go.

    An order that changes nothing because its account cannot bear the first fill is refused; one
    that has changed something is done, and what is left of it is cancelled. `replaced` is gone.
    """
    if kind is Kind.MARKET:
        order = evolve(order, price=book.UNPRICED[order.side])
    admit(run, market, order)
    require_terms(run.exchange, market, order, kind)
    if kind.rests:
        resting = count_of_orders(run.exchange, market, order.account)
        admission.require_room(run.exchange.rulebook, resting)
    if run.exchange.rulebook.order_margin:
        touch(run, order.account)
        reserve(run.exchange, market, order, replaced)
    trade(run, market, order, kind)


def admit(run: Run, market: MarketId, order: Order) -> None:
    """Accept an order; from here on it has acted, or not."""
    run.began = len(run.events)
    run.do(book.accept, market, order)


def trade(run: Run, market: MarketId, order: Order, kind: Kind) -> None:
    """Match an order that was accepted; what is left of it rests, or goes."""
    if kind is Kind.POST_ONLY:
        require_no_crossing(run.exchange, market, order)
    touch(run, order.account)
    left, stopped = match_against_book(run, market, order)
    if left.lots == 0:
        return
    if kind is Kind.FOK:
        require_filled(order, left)
    if stopped or not kind.rests:
        run.events.append(Cancelled(market, left.id, left.account, left.lots, "BOOK-6"))
    else:
        run.do(book.rest, market, left)


@rule("MRG-8")
def reserve(exchange: Exchange, market: MarketId, order: Order, replaced: Order | None) -> None:
    """Refuse an order for which there is not the initial margin, whatever of it would fill."""
    before = needed(exchange, order.account, market, replaced)
    after = needed(exchange, order.account, market, order)
    margin.require_order_margin(margin.equity(exchange, order.account), before, after)


@rule("MRG-8")
def keep_reserve(run: Run, account: AccountId) -> None:
    """Refuse that cash leaves which an account's positions and orders need."""
    if run.exchange.rulebook.order_margin:
        free = ledger.withdrawable(run.exchange, account)
        worth = free + margin.health(run.exchange, account).initial
        margin.require_order_margin(worth, 0, needed(run.exchange, account))


def needed(
    exchange: Exchange,
    account: AccountId,
    where: MarketId | None = None,
    incoming: Order | None = None,
) -> int:
    """What positions and orders of an account need in all markets, with one order more."""
    total = 0
    for market, listed in exchange.markets.items():
        orders = [order for _, order in listed.orders.items() if order.account == account]
        if market == where and incoming is not None:
            orders.append(incoming)
        buys, sells = (
            sum(order.lots for order in orders if order.side is side and not order.reduce_only)
            for side in (Side.BUY, Side.SELL)
        )
        size = margin.position_of(exchange, account, market).size
        total += margin.order_margin(size, buys, sells, listed)
    return total


def count_of_orders(exchange: Exchange, market: MarketId, account: AccountId) -> int:
    """How many orders of an account rest in a market (BOOK-20)."""
    orders = exchange.markets[market].orders
    return sum(1 for _, order in orders.items() if order.account == account)


def require_terms(exchange: Exchange, market: MarketId, order: Order, kind: Kind) -> None:
    """Refuse a limit that is off the tick or beyond the band, and an order without sense."""
    if kind is not Kind.MARKET:
        admission.require_on_tick(exchange, market, order)
        admission.require_in_band(exchange, market, order)
    require_sense(exchange, market, order, kind)


def require_sense(exchange: Exchange, market: MarketId, order: Order, kind: Kind) -> None:
    """Refuse an order that is too small (BOOK-15), or could only reduce what is not there."""
    price = exchange.markets[market].mark if kind is Kind.MARKET else order.price
    book.require_worth(exchange, market, order, price)
    held = margin.position_of(exchange, order.account, market)
    require(book.reducible(order, held) > 0, book.NOTHING_TO_REDUCE, held.size)


@rule("BOOK-16")
def replace(run: Run, market: MarketId, replaced: OrderId, order: Order, kind: Kind) -> None:
    """Place an order in the stead of a resting one of its account, which is then gone.

    When the new one is refused, so is the command, and the other rests as before.
    """
    resting = book.own_order(run.exchange, market, replaced, order.account)
    keeps = run.exchange.rulebook.smaller_keeps_place and kind.rests
    if keeps and book.only_smaller(resting, order):
        run.do(book.shrink, market, replaced, order)
        require_terms(run.exchange, market, order, kind)
        return
    run.do(book.cancel, market, replaced, order.account, "BOOK-16")
    place(run, market, order, kind, resting)


@rule("BOOK-14")
def require_filled(order: Order, left: Order) -> None:
    """Refuse an order that must fill at once and as a whole, and does not; nothing has happened."""
    require(left.lots == 0, book.NOT_FILLED, left.lots, order.lots)


@rule("BOOK-8")
def require_no_crossing(exchange: Exchange, market: MarketId, order: Order) -> None:
    """Refuse an order that would meet a resting order, whoever placed that one."""
    facing = book.best(exchange.markets[market], order.side.opposite)
    if facing is not None:
        crossing = book.crosses(order.side, order.price, facing.price)
        require(not crossing, book.WOULD_CROSS, order.price, facing.price)


TAKER_STOPS = (book.TAKER_CANNOT_BEAR, book.NOTHING_TO_REDUCE)
"""Refusals after which an order that has changed something goes no further (BOOK-6)."""


def match_against_book(run: Run, market: MarketId, order: Order) -> tuple[Order, bool]:
    """Fill an order while it crosses; what is left, and whether its account had to stop."""
    while order.lots > 0:
        maker = book.best(run.exchange.markets[market], order.side.opposite)
        if maker is None or not book.crosses(order.side, order.price, maker.price):
            return order, False
        if isolated.same_trader(run.exchange, maker.account, order.account):
            if meets_itself(run, market, order, maker):
                return order, True
            continue
        if cancelled_if_it_cannot_reduce(run, market, maker):
            continue
        touch(run, maker.account)
        try:
            price = run.choices.price(order, maker)
            run.do(book.match, market, order, maker, price)
        except Refusal as refusal:
            if refusal.code is book.MAKER_CANNOT_BEAR:
                run.do(book.cancel, market, maker.id, maker.account, "BOOK-5")
                continue
            if refusal.code in TAKER_STOPS and run.has_acted:
                return order, True
            raise
        filled = maker.lots - open_lots(run.exchange, market, maker.id)
        order = evolve(order, lots=order.lots - filled)
    return order, False


@rule("BOOK-11")
def meets_itself(run: Run, market: MarketId, order: Order, maker: Order) -> bool:
    """Take off what the rulebook says when an account would trade with itself; whether to stop.

    An incoming order that has changed nothing yet is refused.
    """
    mode = run.exchange.rulebook.self_trade
    if mode is SelfTrade.INCOMING:
        require(run.has_acted, book.SELF_TRADE, order.account)
    else:
        run.do(book.cancel, market, maker.id, maker.account, "BOOK-11")
    return mode is not SelfTrade.RESTING


def cancelled_if_it_cannot_reduce(run: Run, market: MarketId, maker: Order) -> bool:
    """Take a reduce-only maker with nothing left to reduce off the book (BOOK-7)."""
    if book.reducible(maker, margin.position_of(run.exchange, maker.account, market)) > 0:
        return False
    run.do(book.cancel, market, maker.id, maker.account, "BOOK-7")
    return True


def open_lots(exchange: Exchange, market: MarketId, order: OrderId) -> int:
    """How many lots of an order rest on the book."""
    orders = exchange.markets[market].orders
    return orders[order].lots if order in orders else 0


# Moving the mark and settling funding, which alone can make an account due.


def move_mark(run: Run, market: MarketId, price: int) -> None:
    """Set the mark, then liquidate whoever is due."""
    mark.require_oracle(run.exchange, market)
    run.do(mark.set_mark, market, price)
    liquidate_all_due(run)


@rule("MARK-5")
def move_index(run: Run, market: MarketId, index: int, price: int) -> None:
    """Set the index; where the mark follows from it, set that too and liquidate whoever is due."""
    run.do(mark.set_index, market, index, price)
    listed, rulebook = run.exchange.markets[market], run.exchange.rulebook
    if rulebook.mark_policy is not MarkPolicy.ORACLE:
        run.do(mark.set_mark, market, mark.computed_mark(rulebook, listed, price))
        liquidate_all_due(run)


def fund(run: Run, market: MarketId, rate: int) -> None:
    """Settle the funding of every account in account order, then liquidate whoever is due.

    The vault settles with itself: what it would pay, it would receive.
    Where receivers are capped they come after whoever pays.
    """
    mark.require_market(run.exchange, market)
    mark.require_open(run.exchange, market)
    funding.require_funding_rate(run.exchange, rate)
    if run.exchange.rulebook.funding_on_touch:
        run.do(funding.accrue, market, rate)
        return
    holders = [
        account
        for account in run.exchange.accounts
        if account != VAULT and margin.position_of(run.exchange, account, market).size != 0
    ]
    if run.exchange.rulebook.funding_receivers_capped:
        fund_capped(run, holders, market, rate)
    else:
        for account in holders:
            run.do(funding.settle_funding, account, market, rate)
    liquidate_all_due(run)


@rule("FUND-14")
def fund_capped(run: Run, holders: Sequence[AccountId], market: MarketId, rate: int) -> None:
    """Let everybody pay who is to pay, then pay the receivers out of what there is for them."""
    rules, mark_price = run.exchange.rulebook, run.exchange.markets[market].mark
    dues = {
        account: funding.funding_due(
            margin.position_of(run.exchange, account, market).size,
            mark_price,
            rate,
            rules.funding_rounding,
        )
        for account in holders
    }
    paid = sum(due for due in dues.values() if due > 0)
    owed = -sum(due for due in dues.values() if due < 0)
    pot = funding.funding_pot(margin.equity(run.exchange, VAULT), rules.vault_boundary, paid)
    for account, due in dues.items():
        if due >= 0:
            run.do(funding.settle_funding, account, market, rate)
    for account, due in dues.items():
        if due < 0:
            run.do(funding.pay_receiver, account, market, rate, pot, owed)


@rule("FUND-12")
def touch(run: Run, account: AccountId) -> None:
    """Settle what an account has accrued, before anybody asks what it is worth.

    The vault is the other side of all funding: to touch it is to touch everybody.
    """
    if not run.exchange.rulebook.funding_on_touch:
        return
    everybody = [*(a for a in run.exchange.accounts if a != VAULT), VAULT]
    for touched in everybody if account == VAULT else [account]:
        if touched not in run.exchange.accounts:
            continue
        for market, listed in run.exchange.markets.items():
            settled_to = run.exchange.accounts[touched].funded.get(market, 0)
            if settled_to != listed.funding_index:
                run.do(funding.touch, touched, market)


@rule("FUND-10")
def fund_by_premium(run: Run, market: MarketId) -> None:
    """Settle funding at the rate that the period's premiums make, and begin the next period."""
    mark.require_trading(run.exchange, market)
    mark.require_open(run.exchange, market)
    rate = funding.rate_of_period(run.exchange, market)
    run.do(funding.close_period, market)
    fund(run, market, rate)


def resume_market(run: Run, market: MarketId) -> None:
    """Let a market go on, then liquidate whoever is due by what its mark has become (SET-5)."""
    run.do(settlement.resume, market)
    liquidate_all_due(run)


@rule("SET-3")
def settle_market(run: Run, market: MarketId) -> None:
    """End a market: its orders go, and the first long is closed with the first short until all are.

    Between commands nobody is insolvent (LIQ-8), so nobody is refused.
    """
    run.do(settlement.begin_settlement, market)
    if run.exchange.rulebook.funding_on_touch:
        liquidate_all_due(run)
    for order_id, order in run.exchange.markets[market].orders.items():
        run.do(book.cancel, market, order_id, order.account, "SET-3")
    sizes = {a: margin.position_of(run.exchange, a, market).size for a in run.exchange.accounts}
    longs = [account for account, size in sizes.items() if size > 0]
    shorts = [account for account, size in sizes.items() if size < 0]
    while longs and shorts:
        lots = min(sizes[longs[0]], -sizes[shorts[0]])
        run.do(settlement.settle, longs[0], shorts[0], market, lots)
        sizes[longs[0]] -= lots
        sizes[shorts[0]] += lots
        longs = longs if sizes[longs[0]] else longs[1:]
        shorts = shorts if sizes[shorts[0]] else shorts[1:]


def advance_clock(run: Run, now: int) -> None:
    """Move the clock, let happen what waited for the time, then liquidate whoever is due."""
    run.do(clock.advance, now)
    cancel_expired(run)
    liquidate_all_due(run)


@rule("BOOK-21")
def cancel_expired(run: Run) -> None:
    """Take all orders whose time has come off all books, in the order of markets and orders."""
    for market, listed in run.exchange.markets.items():
        for order_id, order in listed.orders.items():
            if not admission.is_live(order, run.exchange.now):
                run.do(book.cancel, market, order_id, order.account, "BOOK-21")


# The waterfall: an explicit state machine over the stages of the rulebook.


@rule("LIQ-8")
def liquidate_all_due(run: Run) -> None:
    """Visit all accounts in order, vaults last, until a visit finds nobody due.

    This is the one place that decides who is liquidated, and when. Who was visited and may wait is
    left as it is, due and solvent (LIQ-16).
    """
    touch(run, VAULT)
    watch_fund(run)
    quiet, waiting = False, set[AccountId]()
    while not quiet:
        quiet = True
        for account in visited(run.exchange):
            if not liquidation.is_due(run.exchange, account):
                continue
            waits = account in waiting and liquidation_time.may_wait(run.exchange, account)
            if not waits and not loss.is_carried(run.exchange, account):
                liquidate_account(run, account)
                waiting.add(account)
                quiet = False
    end_auctions(run)


@rule("LIQ-19", "VLT-17")
def visited(exchange: Exchange) -> list[AccountId]:
    """All accounts in the order in which they are visited, vaults last, the insurance vault after
    its children.

    By number, round from one that nobody picks, or worst first; of two that are alike the smaller
    number is first.
    """
    children = vault_children(exchange)
    others = [a for a in exchange.accounts if a != VAULT and a not in children]
    if exchange.rulebook.liquidation_order is LiquidationOrder.WORST_FIRST:
        stands = {account: margin.health(exchange, account) for account in others}

        def turn(one: AccountId, other: AccountId) -> int:
            worse = liquidation.is_worse
            return worse(stands[other], stands[one]) - worse(stands[one], stands[other])

        others.sort(key=cmp_to_key(turn))
    if exchange.rulebook.liquidation_order is LiquidationOrder.SEEDED:
        others = walk(exchange.rulebook.liquidation_seed, exchange.last_order, others)
    return [*others, *children, VAULT]


@rule("LIQ-14")
def end_auctions(run: Run) -> None:
    """Forget the auctions of those who are no longer due."""
    for account, holder in run.exchange.accounts.items():
        if holder.offered_since != NEVER and not liquidation.is_due(run.exchange, account):
            run.do(liquidation_time.end_auction, account)


@rule("VLT-17")
def vault_children(exchange: Exchange) -> list[AccountId]:
    """The vaults of markets' own, in account order."""
    vaults = {listed.vault for _, listed in exchange.markets.items()}
    return sorted(vaults - {VAULT})


@frozen
class Progress:
    """Where a liquidation stands: which positions are still to be visited, at which stage.

    `closed` is the notional that the book has closed so far, in quanta.
    """

    account: AccountId
    markets: tuple[MarketId, ...]
    stage: int = 0
    closed: int = 0


def liquidate_account(run: Run, account: AccountId) -> None:
    """Cancel the account's orders, then send its positions down the waterfall, one by one."""
    cancel_all_orders(run, account)
    begin_auction(run, account)
    if liquidation_time.had_its_part(run.exchange, account) and liquidation_time.is_patient(
        run.exchange, account
    ):
        return
    offer_equal_shares(run, account)
    progress: Progress | None = Progress(account, positions_in_turn(run.exchange, account))
    while progress is not None:
        progress = advance(run, progress)


def begin_auction(run: Run, account: AccountId) -> None:
    """Note when the account's positions are first offered, where that is by auction (LIQ-14)."""
    by_auction = run.exchange.rulebook.liquidation_limit is LiquidationLimit.AUCTION
    since = run.exchange.accounts[account].offered_since
    if by_auction and since == NEVER and account != VAULT:
        run.do(liquidation_time.begin_auction, account)


@rule("LIQ-7")
def advance(run: Run, progress: Progress) -> Progress | None:
    """One step of the waterfall: run a stage, or go on to the next position, or end.

    A position goes down the stages while it is open and its account is due; behind the book only
    when the account may not wait. When all positions are gone, a deficit that is left is
    socialised.
    """
    account = progress.account
    if not progress.markets:
        if margin.equity(run.exchange, account) < 0:
            socialise_deficit(run, account)
        return None
    market = progress.markets[0]
    waterfall = run.exchange.rulebook.waterfall
    if progress.stage == len(waterfall) or not closable(run.exchange, account, market):
        return evolve(progress, markets=progress.markets[1:], stage=0)
    stage = waterfall[progress.stage]
    if stage is Stage.BOOK:
        closed = offer_a_part(run, account, market, progress.closed)
        return evolve(progress, stage=progress.stage + 1, closed=progress.closed + closed)
    if liquidation_time.may_wait(run.exchange, account):
        return evolve(progress, markets=progress.markets[1:], stage=0)
    STAGES[stage](run, account, market)
    return evolve(progress, stage=progress.stage + 1)


@rule("LIQ-17")
def offer_a_part(run: Run, account: AccountId, market: MarketId, spent: int) -> int:
    """First stage: as many lots as are closed at this time, and the notional that was, in quanta.

    Where the book takes just so many, and not all, the account has had its part. Who then may not
    wait is offered as a whole.
    """
    most = lots_at_this_time(run.exchange, account, market, spent)
    before = abs(margin.position_of(run.exchange, account, market).size)
    if most != 0:
        close_on_book(run, account, market, most)
    closed = before - abs(margin.position_of(run.exchange, account, market).size)
    part = closed < before or run.exchange.rulebook.block_notional > 0
    if most is not None and 0 < most == closed and part:
        run.do(liquidation_time.note_part, account)
    if most is not None and not liquidation_time.may_wait(run.exchange, account):
        close_on_book(run, account, market)
    return closed * run.exchange.markets[market].mark


@rule("LIQ-18")
def lots_at_this_time(
    exchange: Exchange, account: AccountId, market: MarketId, spent: int
) -> int | None:
    """How many lots of a position are closed at this time by the clock; None for any number.

    Args:
        spent: the notional of the account that was closed just before, in quanta.
    """
    rulebook = exchange.rulebook
    patient = liquidation_time.is_patient(exchange, account)
    if not liquidation_time.goes_by_parts(rulebook) or not patient:
        return None
    size, mark = margin.position_of(exchange, account, market).size, exchange.markets[market].mark
    lots = liquidation_time.capped_lots(size, mark, rulebook.block_portion, rulebook.block_least)
    if rulebook.liquidation_cooldown > 0:
        lots = min(lots, first_order(exchange, account, market) or lots)
    if rulebook.block_notional == 0:
        return lots
    within = liquidation_time.lots_within(lots, mark, max(rulebook.block_notional - spent, 0))
    return within if liquidation_time.had_its_part(exchange, account) else max(within, 1)


@rule("LIQ-2")
def cancel_all_orders(run: Run, account: AccountId) -> None:
    """Take all orders of an account off all books, in the order of markets and orders."""
    for market, listed in run.exchange.markets.items():
        for order_id, order in listed.orders.items():
            if order.account == account:
                run.do(book.cancel, market, order_id, account, "LIQ-2")


@rule("LIQ-13")
def offer_equal_shares(run: Run, account: AccountId) -> None:
    """Offer the same share of every position to the book and then to the vault, where that is so.

    The share is that of the moment when the liquidation begins. What it does not close, or where it
    is not enough, goes down the waterfall afterwards.
    """
    rulebook = run.exchange.rulebook
    shares = rulebook.liquidation_size is LiquidationSize.EQUAL_SHARE
    if not shares or liquidation_time.goes_by_parts(rulebook):
        return
    share = liquidation_size.equal_share(run.exchange, account)
    for market in positions_in_turn(run.exchange, account):
        size = margin.position_of(run.exchange, account, market).size
        kept = abs(size) - liquidation_size.lots_of_share(size, share)
        for stage, offer in OFFERS.items():
            wanted = abs(margin.position_of(run.exchange, account, market).size) - kept
            waits = stage is not Stage.BOOK and liquidation_time.may_wait(run.exchange, account)
            offered = stage in rulebook.waterfall and not waits
            if wanted > 0 and offered and closable(run.exchange, account, market):
                offer(run, account, market, wanted)


@rule("LIQ-3")
def largest_first(exchange: Exchange, account: AccountId) -> tuple[MarketId, ...]:
    """The markets of an account's positions: largest maintenance margin first, then by market."""
    needs = {
        market: margin.maintenance_margin(position, exchange.markets[market])
        for market, position in exchange.accounts[account].positions.items()
    }
    return tuple(sorted(needs, key=lambda market: (-needs[market], market)))


@rule("LIQ-40")
def positions_in_turn(exchange: Exchange, account: AccountId) -> tuple[MarketId, ...]:
    """The markets of an account's positions in the order in which they are closed."""
    if exchange.rulebook.liquidation_position is LiquidationPosition.LARGEST_FIRST:
        return largest_first(exchange, account)
    markets = sorted(market for market, _ in exchange.accounts[account].positions.items())
    return tuple(walk(exchange.rulebook.liquidation_seed, exchange.last_order, markets))


def closable(exchange: Exchange, account: AccountId, market: MarketId) -> bool:
    """Whether a position is still open and its account still due."""
    position = margin.position_of(exchange, account, market)
    return position.size != 0 and liquidation.is_due(exchange, account)


def close_on_book(run: Run, account: AccountId, market: MarketId, most: int | None = None) -> None:
    """First stage: IOCs at the rulebook's limit (LIQ-6), each as large as the rulebook says.

    They follow one another until the account is safe, or no more than `most` lots are wanted.
    """
    ordered, wanted = first_order(run.exchange, account, market), most
    while offerable(run.exchange, account, market):
        size = margin.position_of(run.exchange, account, market).size
        side = liquidation.closing_side(size)
        maker = book.best(run.exchange.markets[market], side.opposite)
        limit = liquidation.liquidation_limit(run.exchange, account, market)
        if maker is None or not book.crosses(side, limit, maker.price):
            return
        if cancelled_if_it_cannot_reduce(run, market, maker):
            continue
        lots = ordered or next_order(run.exchange, account, market)
        lots = min(lots, MAX_LOTS) if wanted is None else min(lots, wanted, MAX_LOTS)
        try:
            run.do(liquidation.liquidate, account, market, maker, lots)
        except Refusal as refusal:
            if refusal.code is liquidation.FUND_CANNOT_PAY:
                return
            if refusal.code is not book.MAKER_CANNOT_BEAR:
                raise
            run.do(book.cancel, market, maker.id, maker.account, "BOOK-5")
        else:
            closed = abs(size) - abs(margin.position_of(run.exchange, account, market).size)
            ordered = max(ordered - closed, 0)
            wanted = None if wanted is None else wanted - closed
            if wanted == 0:
                return


def offerable(exchange: Exchange, account: AccountId, market: MarketId) -> bool:
    """Whether a position is still open and its account not yet safe (LIQ-12)."""
    position = margin.position_of(exchange, account, market)
    return position.size != 0 and not liquidation_size.is_safe(exchange, account)


@rule("LIQ-15")
def next_order(exchange: Exchange, account: AccountId, market: MarketId) -> int:
    """How many lots the next order closes under the rulebook: at least one, at most all."""
    position, listed = margin.position_of(exchange, account, market), exchange.markets[market]
    match exchange.rulebook.liquidation_size:
        case LiquidationSize.TO_BUFFER:
            return fewest_that_suffice(exchange, account, market)
        case LiquidationSize.TIER_STEP:
            begins = liquidation_size.tier_begins(margin.notional(position, listed), listed.tiers)
            return liquidation_size.lots_of_tier(position.size, listed.mark, begins)
        case LiquidationSize.WHOLE | LiquidationSize.EQUAL_SHARE:
            return abs(position.size)


@rule("LIQ-12")
def fewest_that_suffice(exchange: Exchange, account: AccountId, market: MarketId) -> int:
    """The fewest lots that make an account safe, closed at the mark, by bisection; or all."""
    lacking, enough = 0, abs(margin.position_of(exchange, account, market).size)
    while enough - lacking > 1:
        middle = (lacking + enough) >> 1
        if liquidation_size.suffices(exchange, account, market, middle):
            enough = middle
        else:
            lacking = middle
    return enough


@rule("LIQ-10")
def first_order(exchange: Exchange, account: AccountId, market: MarketId) -> int:
    """How many lots the first order closes, where positions are offered whole; otherwise 0."""
    if exchange.rulebook.liquidation_size is not LiquidationSize.WHOLE:
        return 0
    position, rulebook = margin.position_of(exchange, account, market), exchange.rulebook
    worth = margin.notional(position, exchange.markets[market])
    share, whole = rulebook.liquidation_share, rulebook.liquidation_whole
    parted_at, cooldown = exchange.accounts[account].parted_at, rulebook.liquidation_cooldown
    again = liquidation_time.is_cooling(exchange.now, parted_at, cooldown)
    return liquidation_size.first_lots(position.size, worth, share, whole, again)


def close_into_vault(
    run: Run, account: AccountId, market: MarketId, most: int | None = None
) -> None:
    """Second stage: the vault takes over as many lots as it can (VLT-1), or as many as wanted."""
    lots = largest_takeover(run.exchange, account, market)
    lots = lots if most is None else min(lots, most)
    if lots > 0:
        run.do(vault.take_over, account, market, lots)


def largest_takeover(exchange: Exchange, account: AccountId, market: MarketId) -> int:
    """The most lots that the vault may take over, by bisection; 0 when not even one.

    Each bound on the vault is met on an interval of sizes, so if one lot is allowed the allowed
    sizes are 1 to n: at every price of VLT-22 its equity is a straight line in the lots that it
    takes, while its margin and its notional are convex. Only with the last lot may the margin
    that goes along be some quanta more: then the whole position may be allowed though one lot less
    is not, but the whole is asked about only when one lot less is allowed.
    """
    allowed, refused = 0, abs(margin.position_of(exchange, account, market).size) + 1
    if not may_take_over(exchange, account, market, 1):
        return 0
    while refused - allowed > 1:
        middle = (allowed + refused) >> 1
        if may_take_over(exchange, account, market, middle):
            allowed = middle
        else:
            refused = middle
    return allowed


def may_take_over(exchange: Exchange, account: AccountId, market: MarketId, lots: int) -> bool:
    """Whether the guards of VLT allow a takeover of this size."""
    try:
        vault.take_over(exchange, account, market, lots)
    except Refusal:
        return False
    return True


@rule("VLT-10")
def close_into_volunteers(run: Run, account: AccountId, market: MarketId) -> None:
    """Volunteers, in account order, are assigned as many lots as each has pledged and can bear."""
    for taker, _ in run.exchange.markets[market].pledges.items():
        if not closable(run.exchange, account, market):
            return
        touch(run, taker)
        lots = largest_assignment(run.exchange, account, taker, market)
        if lots > 0:
            run.do(volunteers.assign, account, taker, market, lots)


def largest_assignment(
    exchange: Exchange, account: AccountId, taker: AccountId, market: MarketId
) -> int:
    """The most lots that a volunteer may be assigned, by bisection; 0 when not even one."""

    def may_assign(lots: int) -> bool:
        try:
            volunteers.assign(exchange, account, taker, market, lots)
        except Refusal:
            return False
        return True

    allowed, refused = 0, abs(margin.position_of(exchange, account, market).size) + 1
    if not may_assign(1):
        return 0
    while refused - allowed > 1:
        middle = (allowed + refused) >> 1
        if may_assign(middle):
            allowed = middle
        else:
            refused = middle
    return allowed


def close_against_winners(run: Run, account: AccountId, market: MarketId) -> None:
    """Third stage: the queue, each closed as far as needed and as far as it can bear (ADL-5).

    Only the last one, or one that could bear no more, is closed in part. One that would be left
    riskier is passed over where the rulebook spares it that. Where everybody is closed in
    proportion, that comes first, and this is for what is left (ADL-8).
    """
    watch_fund(run)
    close_in_proportion(run, account, market)
    for counterparty in run.choices.counterparties(run.exchange, account, market):
        if not closable(run.exchange, account, market) or not adl.triggered(run.exchange, account):
            return
        size = abs(margin.position_of(run.exchange, account, market).size)
        deleverage_by(run, account, counterparty, market, size)


def deleverage_by(
    run: Run, account: AccountId, counterparty: AccountId, market: MarketId, most: int
) -> None:
    """Close at most so many lots against one counterparty: as far as it can bear, if at all."""
    bearable = most_bearable(run.exchange, account, counterparty, market)
    if bearable == 0:
        return
    try:
        run.do(closing(run.exchange), account, counterparty, market, min(most, bearable))
    except Refusal as refusal:
        if refusal.code is not adl.CANNOT_BEAR:
            raise
    else:
        cancel_orders_of_closed(run, counterparty, market)


@rule("ADL-14")
def cancel_orders_of_closed(run: Run, counterparty: AccountId, market: MarketId) -> None:
    """Take the orders in this market of whoever was closed off the book, where that is so."""
    if not run.exchange.rulebook.deleverage_cancels_orders:
        return
    for order_id, order in run.exchange.markets[market].orders.items():
        if order.account == counterparty:
            run.do(book.cancel, market, order_id, counterparty, "ADL-14")


@rule("ADL-8")
def close_in_proportion(run: Run, account: AccountId, market: MarketId) -> None:
    """Close everybody on the other side by its part, as far as each can bear.

    In the order of the queue. What one cannot bear is not shared anew.
    """
    if run.exchange.rulebook.deleverage_sharing is Sharing.QUEUE:
        return
    others = queue(run.exchange, account, market)
    parts = allotment.parts(run.exchange, account, market, others)
    for counterparty, part in zip(others, parts, strict=True):
        if not closable(run.exchange, account, market) or not adl.triggered(run.exchange, account):
            return
        if part > 0:
            held = abs(margin.position_of(run.exchange, counterparty, market).size)
            deleverage_by(run, account, counterparty, market, min(part, held))


def close_at_mark(run: Run, account: AccountId, market: MarketId) -> None:
    """Last stage: what is left of the position, against the queue, at the mark (LOSS-1)."""
    for counterparty in run.choices.counterparties(run.exchange, account, market):
        if not closable(run.exchange, account, market):
            return
        size = abs(margin.position_of(run.exchange, account, market).size)
        other = abs(margin.position_of(run.exchange, counterparty, market).size)
        run.do(loss.close_out, account, counterparty, market, min(size, other))


OFFERS: dict[Stage, Callable[[Run, AccountId, MarketId, int], None]] = {
    Stage.BOOK: close_on_book,
    Stage.VAULT: close_into_vault,
}
"""The stages at which a share of a position is enough (LIQ-13)."""

STAGES: dict[Stage, Callable[[Run, AccountId, MarketId], None]] = {
    Stage.BOOK: close_on_book,
    Stage.VAULT: close_into_vault,
    Stage.VOLUNTEERS: close_into_volunteers,
    Stage.DELEVERAGE: close_against_winners,
    Stage.RESIDUAL: close_at_mark,
}


@rule("ADL-5")
def queue(exchange: Exchange, account: AccountId, market: MarketId) -> list[AccountId]:
    """All accounts on the other side of a position, first in rank first (ADL-2)."""
    size = margin.position_of(exchange, account, market).size
    standings: list[adl.Standing] = [
        adl.standing(exchange, other, market)
        for other in exchange.accounts
        if margin.position_of(exchange, other, market).size * size < 0
    ]
    ranking = exchange.rulebook.deleverage_ranking
    if ranking is Ranking.UNRANKED:
        others = [standing.account for standing in standings]
        return walk(exchange.rulebook.deleverage_seed, exchange.last_order, others)

    def rank(first: adl.Standing, second: adl.Standing) -> int:
        return -1 if adl.outranks(first, second, ranking) else 1

    standings.sort(key=cmp_to_key(rank))
    return [standing.account for standing in standings]


@rule("ADL-12")
def walk(seed: int, last_order: int, others: list[T]) -> list[T]:
    """All in their order, round from one that nobody picks."""
    count = len(others)
    if count == 0:
        return others
    first = adl_sharing.first_of_walk(seed, last_order, count)
    return [others[adl_sharing.place_in_walk(first, turn, count)] for turn in range(count)]


@rule("LOSS-5")
def socialise_deficit(run: Run, debtor: AccountId) -> None:
    """Share a deficit over all positive equities, largest first, then in account order.

    Where the rulebook shares it otherwise, that comes first, and this is for what is left.
    """
    if run.exchange.rulebook.carry_bad_debt:
        if debtor != VAULT:
            run.do(loss.carry, debtor)
            after_a_loss(run)
        return
    charge_by_policy(run, debtor)
    share_by_equity(run, debtor)
    after_a_loss(run)


def share_by_equity(run: Run, debtor: AccountId) -> None:
    """Share what is left of a deficit over all positive equities (LOSS-5)."""
    equities = [(-margin.equity(run.exchange, a), a) for a in run.exchange.accounts]
    payers = sorted((negative, a) for negative, a in equities if negative < 0)
    weights = -sum(negative for negative, _ in payers)
    for negative, payer in payers:
        if margin.equity(run.exchange, debtor) == 0:
            return
        run.do(loss.socialise, debtor, payer, weights)
        weights += negative


@rule("LOSS-14")
def after_a_loss(run: Run) -> None:
    """Close the gate for a time, and pause all markets, where the rulebook says so."""
    if run.exchange.rulebook.withdrawal_gate:
        run.do(loss.close_gate)
    if run.exchange.rulebook.halt_on_loss:
        for market, listed in run.exchange.markets.items():
            if not listed.settling and not listed.paused:
                run.do(settlement.pause, market)


def watch_fund(run: Run) -> None:
    """Take note of the vault's best, where the rulebook looks at how far it has fallen."""
    if run.exchange.rulebook.fund_trigger is FundTrigger.DRAWDOWN:
        run.do(loss_trigger.watch_fund)


@rule("LOSS-10")
def charge_by_policy(run: Run, debtor: AccountId) -> None:
    """Charge a deficit by the rulebook's weight, as far as each can pay, largest weight first."""
    if run.exchange.rulebook.loss_sharing is LossSharing.EQUITY:
        return
    others = (account for account in run.exchange.accounts if account != debtor)
    weighed = [(-weight_in_loss(run.exchange, account), account) for account in others]
    weights = -sum(negative for negative, _ in weighed)
    sharing, at_first = (
        run.exchange.rulebook.loss_sharing,
        (-margin.equity(run.exchange, debtor), weights),
    )
    for negative, payer in sorted(weighed):
        deficit = -margin.equity(run.exchange, debtor)
        if negative == 0 or deficit == 0:
            return
        share = loss.share_by_policy(sharing, (deficit, weights), at_first, -negative)
        amount = min(share, deficit, margin.equity(run.exchange, payer))
        if amount > 0:
            run.do(loss.charge, debtor, payer, amount)
        weights += negative


def weight_in_loss(exchange: Exchange, account: AccountId) -> int:
    """What counts for an account under the rulebook when a loss is shared."""
    positions = exchange.accounts[account].positions
    return loss.weight_of_loss(
        exchange.rulebook.loss_sharing,
        margin.equity(exchange, account),
        positions.total_against(exchange.markets, margin.notional),
        ledger.gained(exchange, account),
        positions.total(loss.lots_open),
    )


@rule("VLT-9")
def liquidate_from_outside(
    run: Run, taker: AccountId, account: AccountId, market: MarketId, lots: int
) -> None:
    """Let somebody from outside take a position over, at a mark that is fresh."""
    mark.require_trading(run.exchange, market)
    mark.require_open(run.exchange, market)
    for named in (taker, account):
        ledger.require_account(run.exchange, named)
        touch(run, named)
    run.do(liquidator.take_position, taker, account, market, lots)
    end_auctions(run)


def contribute_to_vault(run: Run, account: AccountId, amount: int) -> None:
    """Settle what has accrued, then let an account pay for shares of the vault."""
    touch(run, VAULT)
    run.do(vault_shares.contribute, account, amount, children_beside(run.exchange, account))


def redeem_from_vault(run: Run, account: AccountId, shares: int) -> None:
    """Settle what has accrued, then let the vault pay for shares."""
    touch(run, VAULT)
    run.do(vault_shares.redeem, account, shares, children_beside(run.exchange, account))


def request_redemption(run: Run, account: AccountId, shares: int) -> None:
    """Settle what has accrued, then take a notice of shares."""
    touch(run, VAULT)
    run.do(vault_shares.request_redemption, account, shares, children_beside(run.exchange, account))


def children_beside(exchange: Exchange, account: AccountId) -> vault_shares.Children:
    """What the vault's children are worth in all, and whether this account is one."""
    children = vault_children(exchange)
    worth = sum(margin.equity(exchange, child) for child in children)
    return vault_shares.Children(worth, account in children)


def isolate(run: Run, owner: AccountId, account: AccountId, market: MarketId, amount: int) -> None:
    """Settle what the owner has accrued, then open an isolated account with its margin (ISO-1)."""
    touch(run, owner)
    is_child = owner in vault_children(run.exchange)
    run.do(isolated_margin.isolate, owner, account, market, amount, is_child)
    keep_reserve(run, owner)


@rule("ISO-5")
def release_closed(run: Run) -> None:
    """Give back, in account order, what is left of isolated positions that this command closed.

    Such are those who traded, or had an order taken off, and now hold no lots and no order.
    """
    for account in sorted(who_acted(run.events)):
        owner, market = isolated.isolation_of(run.exchange, account)
        if owner == NOBODY:
            continue
        resting = count_of_orders(run.exchange, market, account)
        flat = margin.position_of(run.exchange, account, market).size == 0
        if flat and resting == 0 and ledger.withdrawable(run.exchange, account) > 0:
            run.do(isolated_margin.release, account, resting)


def who_acted(events: list[Event]) -> set[AccountId]:
    """The accounts that traded or had an order taken off, willingly or not."""
    acted: set[AccountId] = set()
    for event in events:
        match event:
            case Filled(buyer, seller):
                acted |= {buyer, seller}
            case Cancelled():
                acted.add(event.account)
    return acted


@rule("VLT-6")
def unwind(run: Run, market: MarketId, order: OrderId) -> None:
    """The vault sells what it took over: a reduce-only IOC, at the mark or better."""
    mark.require_market(run.exchange, market)
    seller = run.exchange.markets[market].vault
    size = margin.position_of(run.exchange, seller, market).size
    require(size != 0, book.NOTHING_TO_REDUCE, size)
    limit = run.exchange.markets[market].mark
    side = liquidation.closing_side(size)
    lots = min(abs(size), MAX_LOTS)
    offered = Order(order, seller, side, limit, lots, reduce_only=True)
    admit(run, market, offered)
    trade(run, market, offered, Kind.IOC)
