"""Where the money went: every equity explained from the double entries alone.

A fill at a price other than the mark makes one side richer by what it makes the other poorer; a
mark that moves does the same to everybody who holds a position, and sizes cancel. So every cause
but cash from outside adds up to zero, and all causes together make up the equity of an account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import Enum

from attrs import frozen

from perpref.outcome import CashMoved, Event, Filled, Marked, Paid
from perpref.run.play import Play
from perpref.units import AccountId, MarketId


class Cause(Enum):
    """Why an account has more or less than before; the value is the head of a column."""

    PAID_IN = "paid in"
    TRANSFERS = "transfers"
    FEES = "fees"
    FUNDING = "funding"
    TRADING = "trading"
    LIQUIDATION = "liquidation"
    TAKEOVER = "takeover"
    DELEVERAGING = "deleveraging"
    SOCIALISED = "socialised"


CAUSES = {
    "LED-5": Cause.PAID_IN,
    "LED-7": Cause.PAID_IN,
    "LED-8": Cause.TRANSFERS,
    "FEE-2": Cause.FEES,
    "FEE-3": Cause.FEES,
    "FEE-5": Cause.LIQUIDATION,
    "FUND-3": Cause.FUNDING,
    "BOOK-3": Cause.TRADING,
    "MARK-1": Cause.TRADING,
    "LIQ-6": Cause.LIQUIDATION,
    "VLT-1": Cause.TAKEOVER,
    "ADL-3": Cause.DELEVERAGING,
    "LOSS-1": Cause.SOCIALISED,
    "LOSS-3": Cause.SOCIALISED,
}
"""The cause of a double entry, by the rule that it names."""


@frozen
class Money:
    """What each account gained by each cause, and what it has, in quanta."""

    gains: Mapping[AccountId, Mapping[Cause, int]]
    equities: Mapping[AccountId, int]
    custody: int
    cash_in: int
    cash_out: int

    def gain(self, account: AccountId, cause: Cause) -> int:
        return self.gains.get(account, {}).get(cause, 0)

    def total(self, cause: Cause) -> int:
        """All accounts together: custody for cash from outside, zero for every other cause."""
        return sum(self.gain(account, cause) for account in self.equities)

    def causes(self) -> list[Cause]:
        """The causes that did something, cash from outside in any case."""
        return [
            cause
            for cause in Cause
            if cause is Cause.PAID_IN or any(self.gain(a, cause) for a in self.equities)
        ]

    def contradictions(self) -> list[str]:
        """What does not add up. Nothing, unless a rule is broken."""
        found = [
            f"account {account} has {equity}, its entries say {said}"
            for account, equity in self.equities.items()
            if (said := sum(self.gain(account, cause) for cause in Cause)) != equity
        ]
        for cause in Cause:
            due = self.custody if cause is Cause.PAID_IN else 0
            if self.total(cause) != due:
                found.append(f"{cause.value} adds up to {self.total(cause)}, not to {due}")
        if sum(self.equities.values()) != self.custody:
            found.append(f"equities are {sum(self.equities.values())}, the pot is {self.custody}")
        return found


def money_of(play: Play) -> Money:
    """Where the money of a scenario went."""
    start = {market: terms.mark for market, terms in play.scenario.terms.markets.items()}
    end = play.exchange
    cash = [event.amount for event in play.events if isinstance(event, CashMoved)]
    return Money(
        gains_of(play.events, start),
        {account: equity_of(play, account) for account in end.accounts},
        end.custody,
        sum(amount for amount in cash if amount > 0),
        -sum(amount for amount in cash if amount < 0),
    )


def equity_of(play: Play, account: AccountId) -> int:
    """What an account has at the end, from the state and not from the entries."""
    holder = play.exchange.accounts[account]
    open_value = sum(
        position.size * play.exchange.markets[market].mark - position.cost
        for market, position in holder.positions.items()
    )
    return holder.collateral + open_value


def gains_of(
    events: Iterable[Event], start: Mapping[MarketId, int]
) -> dict[AccountId, dict[Cause, int]]:
    """What each account gained by each cause, from the events alone, at the marks of the time."""
    marks = dict(start)
    sizes: defaultdict[MarketId, defaultdict[AccountId, int]] = defaultdict(
        lambda: defaultdict(int)
    )
    gains: defaultdict[AccountId, defaultdict[Cause, int]] = defaultdict(lambda: defaultdict(int))
    for event in events:
        match event:
            case CashMoved(account, amount, rule):
                gains[account][CAUSES[rule]] += amount
            case Paid(payer, payee, amount, rule):
                gains[payer][CAUSES[rule]] -= amount
                gains[payee][CAUSES[rule]] += amount
            case Filled(buyer, seller, market, lots, price, rule):
                better = lots * (marks[market] - price)
                gains[buyer][CAUSES[rule]] += better
                gains[seller][CAUSES[rule]] -= better
                sizes[market][buyer] += lots
                sizes[market][seller] -= lots
            case Marked(market, price, rule):
                for account, size in sizes[market].items():
                    gains[account][CAUSES[rule]] += size * (price - marks[market])
                marks[market] = price
    return {account: dict(by_cause) for account, by_cause in gains.items()}
