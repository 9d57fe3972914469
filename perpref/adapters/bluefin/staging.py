"""What the scenarios are told with: the terms, the trades, the money, the funding."""

from __future__ import annotations

from attrs import evolve, frozen

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.commands import ONE, Order
from perpref.adapters.bluefin.terms import Terms, published_terms

HOUR = 3600
RICH = 2_000_000


@frozen
class Scenario:
    """A story with a name, the question it puts, and the terms it is played under."""

    name: str
    asks: str
    commands: tuple[c.Command, ...]
    terms: Terms


def wild_terms(build: str) -> Terms:
    """Terms under which rare things are common: those of the engine's own test tables.

    ADLTrades.test.ts, initState, and the defaults of its deployment helper.
    """
    return evolve(
        published_terms(build),
        initial_margin=ONE * 625 // 10_000,
        maintenance_margin=ONE * 5 // 100,
        maker_fee=ONE * 2 // 100,
        taker_fee=ONE * 5 // 100,
        min_price=ONE,
        max_price=1_000 * ONE,
        tick_size=10**12,
        min_quantity=ONE // 10,
        max_quantity_limit=500_000 * ONE,
        max_quantity_market=40_000 * ONE,
        step_size=10**14,
        take_bound_long=ONE // 2,
        take_bound_short=ONE // 2,
        insurance_share=ONE // 10,
        max_funding_rate=1_000 * ONE,
        first_oracle=100 * ONE,
        oracle_max_move=ONE * 9 // 10,
        gasless_order_value=0,
    )


def meet(
    buyer: str,
    seller: str,
    quantity: int,
    price: int,
    leverages: tuple[int, int] = (1, 1),
    salt: int = 0,
) -> c.Fill:
    """The buyer, as the maker, meets the seller; whole units, scaled here."""
    return exactly(buyer, seller, quantity * ONE, price * ONE, leverages, salt)


def exactly(
    buyer: str, seller: str, quantity: int, price: int, leverages: tuple[int, int], salt: int
) -> c.Fill:
    """The same at the contracts' scale."""
    bid = Order(buyer, True, quantity, price, leverages[0] * ONE, salt=salt)
    ask = Order(seller, False, quantity, price, leverages[1] * ONE, salt=salt)
    return c.Fill(bid, ask, quantity, price)


def funded(*accounts: str, amount: int = RICH) -> tuple[c.Command, ...]:
    """The accounts have money."""
    return tuple(c.Deposit(account, amount * ONE) for account in accounts)


def funding(per_unit: int, price: int) -> tuple[c.Command, ...]:
    """Longs come to owe about so much per unit, at a whole oracle price, in one hour."""
    return (
        c.Advance(HOUR),
        c.SetFunding(per_unit // price),
        c.Advance(HOUR),
        c.SetFunding(0),
    )
