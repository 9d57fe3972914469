"""Small exchanges to test on, written down as who holds what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from attrs import evolve

from perpref import machine
from perpref.outcome import Outcome, Refused
from perpref.rule_registry import Refusal, RefusalCode
from perpref.rules import liquidation_time
from perpref.rules.margin import equity, health
from perpref.state import (
    TREASURY,
    VAULT,
    Account,
    Chooser,
    Exchange,
    Market,
    Order,
    Position,
    Rulebook,
    Side,
    Stage,
)
from perpref.table import Table
from perpref.units import AccountId, MarketId, OrderId

ANN, BOB, CY, DAN, EVE = (AccountId(number) for number in range(2, 7))
REST = AccountId(99)
"""Holds, and richly, whatever the named accounts leave open: sizes always sum to zero."""

GOLD, OIL = MarketId(1), MarketId(2)

TEXTBOOK = (Stage.BOOK, Stage.VAULT, Stage.DELEVERAGE, Stage.RESIDUAL)


def rules(
    *,
    maker: int = 0,
    taker: int = 0,
    liquidation: int = 0,
    funding_cap: int = 100_000,
    boundary: int = 0,
    waterfall: tuple[Stage, ...] = TEXTBOOK,
    price: Chooser = Chooser.RULEBOOK,
) -> Rulebook:
    """A rulebook in which nothing costs anything, unless it is said."""
    return Rulebook(
        "test", maker, taker, liquidation, funding_cap, boundary, waterfall, price=price
    )


def market(
    mark: int = 100,
    *orders: Order,
    initial: int = 100_000,
    maintenance: int = 50_000,
    cap: int = 1_000,
) -> Market:
    """A market at a mark of 100 with margins of ten and five per cent, unless it is said."""
    return Market(initial, maintenance, cap, mark, Table((o.id, o) for o in orders))


def holds(
    collateral: int, gold: tuple[int, int] = (0, 0), oil: tuple[int, int] = (0, 0)
) -> Account:
    """An account with collateral, and (size, cost) in two markets."""
    positions = ((GOLD, Position(*gold)), (OIL, Position(*oil)))
    return Account(collateral, Table((m, p) for m, p in positions if p.size != 0))


def exchange(
    accounts: Mapping[AccountId, Account],
    gold: Market | None = None,
    oil: Market | None = None,
    *,
    rulebook: Rulebook | None = None,
    last_order: int = 0,
) -> Exchange:
    """An exchange that keeps the law: REST holds the other side of what is open."""
    markets = Table([(GOLD, gold or market()), (OIL, oil or market())])
    everybody = Table([(VAULT, holds(0)), (TREASURY, holds(0)), *accounts.items()])
    others = {
        m: -sum(a.positions.get(m, Position(0, 0)).size for _, a in everybody.items())
        for m in markets
    }
    if any(others.values()):
        open_lots = ((m, Position(n, n * markets[m].mark)) for m, n in others.items() if n != 0)
        everybody = everybody.put(REST, Account(10**9, Table(open_lots)))
    custody = everybody.total(lambda a: a.collateral - a.positions.total(lambda p: p.cost))
    for m, listed in markets.items():
        markets = markets.put(m, evolve(listed, open_interest=held_long(everybody, m)))
    return Exchange(rulebook or rules(), markets, everybody, custody, OrderId(last_order))


def held_long(accounts: Table[AccountId, Account], market: MarketId) -> int:
    """The sum of all long sizes in a market: its open interest."""
    sizes = (a.positions.get(market, Position(0, 0)).size for _, a in accounts.items())
    return sum(size for size in sizes if size > 0)


def order(
    number: int,
    account: AccountId,
    side: Side,
    lots: int,
    price: int,
    *,
    reduce_only: bool = False,
) -> Order:
    return Order(OrderId(number), account, side, price, lots, reduce_only)


def buys(number: int, account: AccountId, lots: int, price: int, *, only: bool = False) -> Order:
    """An order to buy; `only` when it may only reduce."""
    return order(number, account, Side.BUY, lots, price, reduce_only=only)


def sells(number: int, account: AccountId, lots: int, price: int, *, only: bool = False) -> Order:
    """An order to sell; `only` when it may only reduce."""
    return order(number, account, Side.SELL, lots, price, reduce_only=only)


@contextmanager
def refuses(code: RefusalCode, value: object, limit: object = None) -> Iterator[None]:
    """Insist that a rule says no, with this code and these numbers."""
    with pytest.raises(Refusal) as got:
        yield
    assert got.value.code is code
    assert (got.value.value, got.value.limit) == (value, limit)


def done(exchange: Exchange, command: machine.Command) -> Outcome:
    """What a command made of an exchange that must not refuse it, law and solvency checked."""
    outcome = machine.apply(exchange, command)
    assert isinstance(outcome, Outcome), outcome
    require_lawful(outcome.exchange)
    return outcome


def refused(exchange: Exchange, command: machine.Command) -> Refused:
    """How an exchange refused a command that it must refuse."""
    refusal = machine.apply(exchange, command)
    assert isinstance(refusal, Refused), refusal
    return refusal


def collateral(exchange: Exchange, account: AccountId) -> int:
    return exchange.accounts[account].collateral


def position(exchange: Exchange, account: AccountId, market: MarketId = GOLD) -> tuple[int, int]:
    """(size, cost) of what an account holds; (0, 0) when nothing is kept of it."""
    held = exchange.accounts[account].positions.get(market, Position(0, 0))
    return held.size, held.cost


def orders(exchange: Exchange, market: MarketId = GOLD) -> dict[int, int]:
    """The lots of each resting order."""
    return {int(number): o.lots for number, o in exchange.markets[market].orders.items()}


def require_lawful(exchange: Exchange) -> None:
    """Insist on the law: claims add up to the pot, sizes to zero, nothing empty is kept."""
    claims = exchange.accounts.total(lambda a: a.collateral - a.positions.total(lambda p: p.cost))
    assert claims == exchange.custody
    for listed in exchange.markets:
        sizes = (a.positions.get(listed, Position(0, 0)).size for _, a in exchange.accounts.items())
        assert sum(sizes) == 0
        assert exchange.markets[listed].open_interest == held_long(exchange.accounts, listed)
    for _, account in exchange.accounts.items():
        assert all(p.size != 0 for _, p in account.positions.items())
    for _, listed_market in exchange.markets.items():
        assert all(o.lots > 0 for _, o in listed_market.orders.items())


def require_nobody_due(exchange: Exchange) -> None:
    """Insist that everybody is solvent and covers maintenance margin, or may wait (LIQ-16)."""
    for account in exchange.accounts:
        now = health(exchange, account)
        waits = liquidation_time.may_wait(exchange, account)
        assert now.equity >= (0 if waits else max(0, now.maintenance))
    assert sum(equity(exchange, a) for a in exchange.accounts) == exchange.custody
