"""The reference exchange: a state, and what each command makes of it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from perpref import scheduler
from perpref.outcome import Outcome, Refused
from perpref.rule_registry import Refusal
from perpref.rules import book, ledger
from perpref.rules.ledger import EMPTY
from perpref.scheduler import BY_RULEBOOK, Choices, Run
from perpref.state import TREASURY, VAULT, Exchange, Kind, Market, Order, Rulebook, Side
from perpref.table import Table
from perpref.units import AccountId, MarketId, OrderId


@frozen
class Deposit:
    """Bring cash in (LED-5)."""

    account: AccountId
    amount: int


@frozen
class Withdraw:
    """Take cash out (LED-7)."""

    account: AccountId
    amount: int


@frozen
class Transfer:
    """Pass cash to another account (LED-8)."""

    payer: AccountId
    payee: AccountId
    amount: int


@frozen
class Place:
    """Place an order (BOOK-6). A market order names no price: its `price` is 1."""

    order: OrderId
    account: AccountId
    market: MarketId
    side: Side
    kind: Kind
    lots: int
    price: int = 1
    reduce_only: bool = False


@frozen
class Cancel:
    """Take one's own order off the book (BOOK-10)."""

    account: AccountId
    market: MarketId
    order: OrderId


@frozen
class SetMark:
    """The oracle speaks (MARK-1); whoever is due is liquidated (LIQ-8)."""

    market: MarketId
    price: int


@frozen
class SettleFunding:
    """Funding at a rate in parts per million (FUND-3); whoever is due is liquidated (LIQ-8)."""

    market: MarketId
    rate: int


@frozen
class Unwind:
    """The vault offers what it took over (VLT-6)."""

    market: MarketId
    order: OrderId


Command = Deposit | Withdraw | Transfer | Place | Cancel | SetMark | SettleFunding | Unwind


def opened(rulebook: Rulebook, markets: Iterable[tuple[MarketId, Market]]) -> Exchange:
    """A new exchange: an empty pot, a vault and a treasury without cash."""
    accounts = Table([(VAULT, EMPTY), (TREASURY, EMPTY)])
    return Exchange(rulebook, Table(markets), accounts, custody=0, last_order=OrderId(0))


def apply(
    exchange: Exchange, command: Command, choices: Choices = BY_RULEBOOK
) -> Outcome | Refused:
    """What a command makes of an exchange: the next state and what led to it, or a refusal."""
    run = Run(exchange, choices)
    try:
        take(run, command)
    except Refusal as refused:
        code = refused.code
        return Refused(code.code, code.phase.value, code.rule, str(refused))
    return run.outcome()


def take(run: Run, command: Command) -> None:
    """Carry out a command. Raises Refusal when a rule says no."""
    match command:
        case Deposit(account, amount):
            run.do(ledger.deposit, account, amount)
        case Withdraw(account, amount):
            run.do(ledger.withdraw, account, amount)
        case Transfer(payer, payee, amount):
            run.do(ledger.transfer, payer, payee, amount)
        case Place(order, account, market, side, kind, lots, price, reduce_only):
            placed = Order(order, account, side, price, lots, reduce_only)
            scheduler.place(run, market, placed, kind)
        case Cancel(account, market, order):
            run.do(book.cancel, market, order, account, "BOOK-10")
        case SetMark(market, price):
            scheduler.move_mark(run, market, price)
        case SettleFunding(market, rate):
            scheduler.fund(run, market, rate)
        case Unwind(market, order):
            scheduler.unwind(run, market, order)
