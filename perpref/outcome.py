"""What an action did: the next state, and the double entries and book events that led to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from attrs import frozen

from perpref.state import Exchange, Order
from perpref.units import AccountId, MarketId, OrderId

P = ParamSpec("P")


@frozen
class CashMoved:
    """Cash came into the pot for an account (`amount` > 0) or left it (`amount` < 0)."""

    account: AccountId
    amount: int
    rule: str


@frozen
class Paid:
    """One account paid another; the pot did not change."""

    payer: AccountId
    payee: AccountId
    amount: int
    rule: str


@frozen
class Filled:
    """`lots` of a market passed from seller to buyer at `price`."""

    buyer: AccountId
    seller: AccountId
    market: MarketId
    lots: int
    price: int
    rule: str


@frozen
class Rested:
    """An order, or what was left of it, went onto the book."""

    market: MarketId
    order: Order
    rule: str


@frozen
class Cancelled:
    """An order, or what was left of it, left the book or never reached it."""

    market: MarketId
    order: OrderId
    account: AccountId
    lots: int
    rule: str


@frozen
class Marked:
    """The mark price of a market moved."""

    market: MarketId
    price: int
    rule: str


Event = CashMoved | Paid | Filled | Rested | Cancelled | Marked


@frozen
class Outcome:
    """The next state and, in order, what led to it."""

    exchange: Exchange
    events: tuple[Event, ...] = ()

    def then(
        self,
        action: Callable[Concatenate[Exchange, P], Outcome],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Outcome:
        """This outcome followed by one more action."""
        following = action(self.exchange, *args, **kwargs)
        return Outcome(following.exchange, self.events + following.events)


@frozen
class Refused:
    """A command changed nothing, and why: a stable code, how far it came, and the rule."""

    code: str
    phase: str
    rule: str
    message: str
