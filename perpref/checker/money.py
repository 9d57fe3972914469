"""Where the money went, from the double entries alone.

Every entry is a payment or a fill, and each has a rule. A payment is a loss of one and a gain of
another. A fill away from the mark is one too: who sells above the mark gains what the buyer loses.
And when the mark moves, longs gain what shorts lose. So each column adds up to zero, except cash
that came in, which adds up to the pot; and each row adds up to an equity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from attrs import frozen

from perpref.outcome import CashMoved, Event, Filled, Marked, Paid
from perpref.units import AccountId, MarketId


class Column(Enum):
    """What an entry is for."""

    CASH = "cash in"
    TRANSFERS = "transfers"
    FEES = "fees"
    FUNDING = "funding"
    TRADING = "trading"
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"
    SHARED_LOSS = "shared loss"


FORCED = (Column.LIQUIDATION, Column.DELEVERAGING, Column.SHARED_LOSS)
"""What nobody chose."""

PURPOSE = {
    "LED-5": Column.CASH,
    "LED-7": Column.CASH,
    "LED-8": Column.TRANSFERS,
    "ISO-1": Column.TRANSFERS,
    "ISO-5": Column.TRANSFERS,
    "VLT-13": Column.TRANSFERS,
    "VLT-14": Column.TRANSFERS,
    "VLT-18": Column.TRANSFERS,
    "VLT-19": Column.TRANSFERS,
    "FEE-2": Column.FEES,
    "FEE-3": Column.FEES,
    "FEE-5": Column.LIQUIDATION,
    "FUND-3": Column.FUNDING,
    "FUND-14": Column.FUNDING,
    "FUND-12": Column.FUNDING,
    "BOOK-3": Column.TRADING,
    "SET-2": Column.TRADING,
    "LIQ-6": Column.LIQUIDATION,
    "VLT-1": Column.LIQUIDATION,
    "ADL-3": Column.DELEVERAGING,
    "ADL-13": Column.DELEVERAGING,
    "VLT-8": Column.LIQUIDATION,
    "VLT-9": Column.LIQUIDATION,
    "VLT-10": Column.LIQUIDATION,
    "VLT-22": Column.LIQUIDATION,
    "LOSS-1": Column.DELEVERAGING,
    "LOSS-3": Column.SHARED_LOSS,
    "LOSS-8": Column.SHARED_LOSS,
    "LOSS-10": Column.SHARED_LOSS,
    "LOSS-12": Column.SHARED_LOSS,
}
"""What the entries of a rule are for."""


@frozen
class Entry:
    """What one account gained, or lost, in quanta, and what for."""

    account: AccountId
    column: Column
    amount: int


def entries(marks: Mapping[MarketId, int], events: Iterable[Event]) -> Iterator[Entry]:
    """What each event was worth to each account, from a start without positions.

    Args:
        marks: the mark of each market at the start.
    """
    mark = dict(marks)
    sizes: dict[tuple[AccountId, MarketId], int] = {}
    for event in events:
        match event:
            case CashMoved(account, amount, rule):
                yield Entry(account, PURPOSE[rule], amount)
            case Paid(payer, payee, amount, rule):
                yield Entry(payer, PURPOSE[rule], -amount)
                yield Entry(payee, PURPOSE[rule], amount)
            case Filled(buyer, seller, market, lots, price, rule):
                for account, signed in ((buyer, lots), (seller, -lots)):
                    sizes[account, market] = sizes.get((account, market), 0) + signed
                    yield Entry(account, PURPOSE[rule], signed * (mark[market] - price))
            case Marked(market, price):
                for (account, held), size in sizes.items():
                    if held == market:
                        yield Entry(account, Column.TRADING, size * (price - mark[market]))
                mark[market] = price


@frozen
class Money:
    """The sums of the entries, by account and column."""

    sums: Mapping[AccountId, Mapping[Column, int]]

    def of(self, account: AccountId, column: Column) -> int:
        return self.sums.get(account, {}).get(column, 0)

    def equity(self, account: AccountId) -> int:
        """What all entries leave an account with."""
        return sum(self.sums.get(account, {}).values())

    def total(self, column: Column) -> int:
        """The sum of a column: the pot for cash, and otherwise zero."""
        return sum(row.get(column, 0) for row in self.sums.values())

    def used(self) -> list[Column]:
        """The columns in which something stands."""
        return [c for c in Column if any(row.get(c, 0) != 0 for row in self.sums.values())]

    def who_paid(self, column: Column) -> list[tuple[AccountId, int]]:
        """Who lost by something, the most first, with positive amounts."""
        losses = [(account, -self.of(account, column)) for account in sorted(self.sums)]
        return sorted((pair for pair in losses if pair[1] > 0), key=lambda pair: -pair[1])


def where_it_went(
    accounts: Iterable[AccountId], marks: Mapping[MarketId, int], events: Iterable[Event]
) -> Money:
    """Add up the entries; every one of `accounts` has a row, if of zeros."""
    sums: dict[AccountId, dict[Column, int]] = {account: {} for account in accounts}
    for entry in entries(marks, events):
        row = sums.setdefault(entry.account, {})
        row[entry.column] = row.get(entry.column, 0) + entry.amount
    return Money(sums)
