"""SET: how a market pauses, resumes and ends. At its end all is closed at one price, for good."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Marked, Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.adl import require_opposite
from perpref.rules.margin import equity
from perpref.rules.mark import PAUSED, require_fresh, require_market, require_trading
from perpref.rules.vault import transfer_position
from perpref.state import Exchange
from perpref.units import AccountId, MarketId

NOT_SETTLING = refusal(
    "SET-1", "not_settling", Phase.VALIDATE, "Market {value} is not being settled"
)
NOT_PAUSED = refusal("SET-5", "not_paused", Phase.VALIDATE, "Market {value} is not paused")
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


@rule("SET-4")
def pause(exchange: Exchange, market: MarketId) -> Outcome:
    """From now on the market takes no order and settles no funding, and its mark stands still."""
    require_trading(exchange, market)
    require(not exchange.markets[market].paused, PAUSED, market)
    paused = evolve(exchange.markets[market], paused=True)
    return Outcome(evolve(exchange, markets=exchange.markets.put(market, paused)))


@rule("SET-5")
def resume(exchange: Exchange, market: MarketId) -> Outcome:
    """Go on, at the last price that the oracle has said meanwhile, if that is not too old."""
    require_trading(exchange, market)
    listed = exchange.markets[market]
    require(listed.paused, NOT_PAUSED, market)
    require_fresh(exchange, market)
    resumed = evolve(listed, paused=False, next_mark=0)
    if listed.next_mark == 0:
        return Outcome(evolve(exchange, markets=exchange.markets.put(market, resumed)))
    marked = evolve(resumed, mark=listed.next_mark, previous_mark=listed.mark)
    return Outcome(
        evolve(exchange, markets=exchange.markets.put(market, marked)),
        (Marked(market, listed.next_mark, "SET-5"),),
    )
