"""SET: how a market ends. All that is open in it is closed at one price, for good."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.adl import require_opposite
from perpref.rules.margin import equity
from perpref.rules.mark import require_market, require_trading
from perpref.rules.vault import transfer_position
from perpref.state import Exchange
from perpref.units import AccountId, MarketId

NOT_SETTLING = refusal(
    "SET-1", "not_settling", Phase.VALIDATE, "Market {value} is not being settled"
)
INSOLVENT = refusal(
    "SET-2", "insolvent", Phase.SETTLE, "The equity of {value} is below 0: liquidate it first"
)


@rule("SET-1")
def begin_settlement(exchange: Exchange, market: MarketId) -> Outcome:
    """From now on nothing opens in this market: its last mark is the settlement price."""
    require_trading(exchange, market)
    ending = evolve(exchange.markets[market], settling=True)
    return Outcome(evolve(exchange, markets=exchange.markets.put(market, ending)))


@rule("SET-2")
def settle(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> Outcome:
    """Close `lots` of two solvent accounts against each other at the settlement price.

    Nobody's equity changes. Who is insolvent has no such right: a liquidation comes first.
    """
    require_market(exchange, market)
    require(exchange.markets[market].settling, NOT_SETTLING, market)
    require_opposite(exchange, account, counterparty, market, lots)
    for holder in (account, counterparty):
        worth = equity(exchange, holder)
        require(worth >= 0, INSOLVENT, worth)
    price = exchange.markets[market].mark
    return transfer_position(exchange, account, counterparty, market, lots, price, "SET-2")
