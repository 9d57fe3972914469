"""How the rulebook's ADL closes one account against another: at a price, or with its margin.

There are two actions for it. Whoever closes, chooses counterparties or judges a closing asks here,
and nobody else has to know which of the two a rulebook means.
"""

from __future__ import annotations

from collections.abc import Callable

from perpref.outcome import Outcome
from perpref.rules.adl import bearable, deleverage, loss_of_closing
from perpref.rules.adl_margin import bearable_with_margin, deleverage_with_margin
from perpref.rules.liquidation import margin_transferred, share_of_equity
from perpref.rules.margin import position_of
from perpref.state import Exchange, ForcedPrice
from perpref.units import AccountId, MarketId


def with_margin(exchange: Exchange) -> bool:
    """Whether the rulebook passes margin along instead of closing at a price (ADL-13)."""
    return exchange.rulebook.deleverage_price is ForcedPrice.MARGIN


Closing = Callable[[Exchange, AccountId, AccountId, MarketId, int], Outcome]


def closing(exchange: Exchange) -> Closing:
    """The action by which the rulebook closes lots of an account against a counterparty."""
    return deleverage_with_margin if with_margin(exchange) else deleverage


def most_bearable(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId
) -> int:
    """The most lots that the counterparty can be closed by and stay solvent (ADL-4)."""
    most = bearable_with_margin if with_margin(exchange) else bearable
    return most(exchange, account, counterparty, market)


def loss_of(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> int:
    """What closing `lots` costs a counterparty at the mark, in quanta; a gain when negative."""
    if not with_margin(exchange):
        return loss_of_closing(exchange, account, counterparty, market, lots)
    size = position_of(exchange, account, market).size
    return -margin_transferred(share_of_equity(exchange, account, market), lots, size)
