"""The law with isolated accounts beside cross ones, whatever happens."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from perpref.machine import Deposit, Isolate, Place, SetMark, Transfer
from perpref.outcome import Cancelled, CashMoved, Filled, Outcome, Paid
from perpref.rules.isolated import is_isolated, isolation_of, same_trader
from perpref.rules.ledger import EMPTY
from perpref.state import NO_STAKE, NOBODY, Exchange, Kind, Side
from perpref.units import AccountId, MarketId, OrderId
from tests.exchanges import ANN, BOB, CY, DAN
from tests.test_machine import SIDES, WHERE, WHO, Life

FIRST = 50
"""Isolated accounts have the numbers from here on."""

BETWEEN_OWNER = ("ISO-1", "ISO-5", "LED-8")
APART = st.integers(FIRST, FIRST + 1).map(AccountId)


def somebody_else(owner: AccountId) -> AccountId:
    return next(account for account in (ANN, BOB, CY, DAN) if account != owner)


class LifeApart(Life):
    """The same life, in which people set margin apart and trade with it."""

    @rule(owner=WHO, where=WHERE, amount=st.integers(10, 150), tenths=st.integers(3, 10))
    def isolate(self, owner: AccountId, where: MarketId, amount: int, tenths: int) -> None:
        """Somebody sets margin apart, and takes a position with it."""
        known = sum(is_isolated(held) for _, held in self.exchange.accounts.items())
        account, other = AccountId(FIRST + known), somebody_else(owner)
        self.take(Deposit(owner, amount))
        self.take(Isolate(owner, account, where, amount))
        if account in self.exchange.accounts:
            self.take(Deposit(other, 2 * amount))
            self.trade([other, account], where, tenths)

    @rule(account=APART)
    def close_apart(self, account: AccountId) -> None:
        """An isolated position is closed at the mark, if its account can bear that."""
        owner, _ = isolation_of(self.exchange, account)
        for where, held in list(self.exchange.accounts.get(account, EMPTY).positions.items()):
            closing = Side.SELL if held.size > 0 else Side.BUY
            self.take(Deposit(somebody_else(owner), 400))
            self.trade_apart_at(account, where, closing, abs(held.size), Kind.IOC)

    @rule(account=APART, amount=st.integers(1, 90), adds=st.booleans())
    def pass_margin(self, account: AccountId, amount: int, adds: bool) -> None:
        owner, _ = isolation_of(self.exchange, account)
        pair = (owner, account) if adds else (account, owner)
        if owner != NOBODY:
            self.take(Transfer(*pair, amount))

    @rule(account=APART, side=SIDES, lots=st.integers(1, 9), kind=st.sampled_from(Kind))
    def trade_apart(self, account: AccountId, side: Side, lots: int, kind: Kind) -> None:
        """Somebody offers, an isolated account takes it."""
        owner, where = isolation_of(self.exchange, account)
        if owner == NOBODY:
            return
        self.trade_apart_at(account, where, side, lots, kind)

    def trade_apart_at(
        self, account: AccountId, where: MarketId, side: Side, lots: int, kind: Kind
    ) -> None:
        mark = self.exchange.markets[where].mark
        other = somebody_else(isolation_of(self.exchange, account)[0])
        for who, what, how in ((other, side.opposite, Kind.LIMIT), (account, side, kind)):
            self.number += 1
            self.take(Place(OrderId(self.number), who, where, what, how, lots, mark, False))

    @rule(account=APART, by=st.integers(3, 14))
    def crash_apart(self, account: AccountId, by: int) -> None:
        """The mark moves against an isolated position."""
        for market, held in list(self.exchange.accounts.get(account, EMPTY).positions.items()):
            mark = self.exchange.markets[market].mark
            off = mark * by // 100 * (1 if held.size > 0 else -1)
            self.take(SetMark(market, max(1, mark - off)))

    def require_bystanders_untouched(self, before: Exchange, outcome: Outcome) -> None:
        super().require_bystanders_untouched(before, outcome)
        for event in outcome.events:
            if isinstance(event, CashMoved):
                assert isolation_of(outcome.exchange, event.account)[0] == NOBODY
            if isinstance(event, Paid) and event.rule in BETWEEN_OWNER:
                family = same_trader(outcome.exchange, event.payer, event.payee)
                apart = (isolation_of(outcome.exchange, a)[0] for a in (event.payer, event.payee))
                assert family or all(owner == NOBODY for owner in apart)

            if isinstance(event, Filled):
                self.require_given_back(outcome.exchange, event.buyer)
                self.require_given_back(outcome.exchange, event.seller)
            if isinstance(event, Cancelled):
                self.require_given_back(outcome.exchange, event.account)

    def require_given_back(self, exchange: Exchange, account: AccountId) -> None:
        """Who has traded or lost an order, and has neither lots nor orders now, has no cash."""
        holder = exchange.accounts[account]
        books = (listed.orders for _, listed in exchange.markets.items())
        rests = any(order.account == account for book in books for _, order in book.items())
        if is_isolated(holder) and not len(holder.positions) and not rests:
            assert holder.collateral == 0

    @invariant()
    def isolated_accounts_are_in_one_market_and_have_nothing_else(self) -> None:
        for account, holder in self.exchange.accounts.items():
            if not is_isolated(holder):
                continue
            assert set(holder.positions) <= {holder.isolation.market}
            assert holder.stake == NO_STAKE
            assert not is_isolated(self.exchange.accounts[holder.isolation.owner])
            for market, listed in self.exchange.markets.items():
                assert account not in listed.pledges
                owners = {order.account for _, order in listed.orders.items()}
                assert account not in owners or market == holder.isolation.market


def test_the_law_holds_with_isolated_accounts() -> None:
    LifeApart.happened.clear()
    run_state_machine_as_test(
        LifeApart,
        settings=settings(
            max_examples=80, stateful_step_count=30, derandomize=True, database=None, deadline=None
        ),
    )
    for reached in ("ISO-1", "ISO-5", "LIQ-6", "VLT-1", "ADL-3"):
        assert LifeApart.happened[reached] > 0, reached
