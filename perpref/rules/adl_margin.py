"""ADL: lots that are closed at the mark, and the margin behind them that goes along."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import rule
from perpref.rules.adl import require_borne, require_closable
from perpref.rules.ledger import pay
from perpref.rules.liquidation import margin_transferred, share_of_equity
from perpref.rules.margin import equity, position_of
from perpref.rules.vault import transfer_position
from perpref.state import Exchange
from perpref.units import AccountId, MarketId, floor_div, sign


@rule("ADL-13")
def takeover_value(mark: int, lots: int, size: int, margin: int) -> int:
    """What `lots` are paid for when their part of the margin goes along, in quanta.

    Positive is what the one that takes a long over pays, negative what it is paid for a short.
    """
    return sign(size) * lots * mark - margin_transferred(margin, lots, size)


@rule("ADL-13")
def bearable_lots(equity: int, margin: int, size: int) -> int:
    """The most lots of a position whose margin a counterparty with this equity can bring along.

    Args:
        margin: the equity behind the position; where it is not negative any number can be borne.
    """
    if margin >= 0:
        return abs(size)
    return min(abs(size), floor_div(max(equity, 0) * abs(size), -margin))


@rule("ADL-4", "ADL-13")
def bearable_with_margin(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId
) -> int:
    """The most lots that the counterparty can be closed by with their margin, and stay solvent."""
    margin = share_of_equity(exchange, account, market)
    size = position_of(exchange, account, market).size
    held = abs(position_of(exchange, counterparty, market).size)
    return min(held, bearable_lots(equity(exchange, counterparty), margin, size))


@rule("ADL-1", "ADL-4", "ADL-6", "ADL-13")
def deleverage_with_margin(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> Outcome:
    """Close `lots` of an account against one of the other side at the mark, margin along.

    What stands behind the lots passes to the counterparty; what is missing behind them it brings.
    """
    require_closable(exchange, account, counterparty, market, lots)
    size, mark = position_of(exchange, account, market).size, exchange.markets[market].mark
    closed = transfer_position(exchange, account, counterparty, market, lots, mark, "ADL-3")
    along = margin_transferred(share_of_equity(exchange, account, market), lots, size)
    payer, payee = (account, counterparty) if along >= 0 else (counterparty, account)
    outcome = closed.then(pay, payer, payee, abs(along), "ADL-13")
    require_borne(exchange, outcome.exchange, counterparty)
    return outcome
