"""LOSS: what is left when nobody can be deleveraged any more."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.adl import require_opposite
from perpref.rules.ledger import pay
from perpref.rules.liquidation import require_due
from perpref.rules.margin import equity
from perpref.rules.vault import transfer_position
from perpref.state import Exchange, Position
from perpref.units import AccountId, MarketId, ceil_div

NO_DEFICIT = refusal(
    "LOSS-2", "no_deficit", Phase.VALIDATE, "The account has an equity of {value}, no deficit"
)
NOT_FLAT = refusal(
    "LOSS-2", "not_flat", Phase.VALIDATE, "The account still holds {value} lots over all markets"
)
MORE_THAN_THE_POT = refusal(
    "LOSS-3",
    "more_than_the_pot",
    Phase.SETTLE,
    "The deficit of {value} is more than the {limit} that those who are asked have",
)
CANNOT_SHARE = refusal(
    "LOSS-4", "cannot_share", Phase.SETTLE, "An equity of {value} is not within 1 and {limit}"
)


@rule("LOSS-1")
def close_out(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> Outcome:
    """Close `lots` of an account against the other side at the mark: nobody's equity changes."""
    require_due(exchange, account, market)
    require_opposite(exchange, account, counterparty, market, lots)
    mark = exchange.markets[market].mark
    return transfer_position(exchange, account, counterparty, market, lots, mark, "LOSS-1")


def lots_open(position: Position) -> int:
    """How many lots a position holds, on either side."""
    return abs(position.size)


@rule("LOSS-3")
def share_of_loss(deficit: int, weight: int, weights: int) -> int:
    """The share of a deficit, in quanta and rounded up, that falls to one weight of many.

    Asked in turn, largest weight first, each for its share of what is then left, all together
    pay the deficit exactly and nobody pays more than its weight.
    """
    return ceil_div(deficit * weight, weights)


@rule("LOSS-2", "LOSS-4")
def socialise(exchange: Exchange, debtor: AccountId, payer: AccountId, weights: int) -> Outcome:
    """One account pays its share of a flat account's deficit, by its equity.

    Args:
        weights: the equities of the payer and of all who are still to be asked, in quanta.
    """
    open_lots = exchange.accounts[debtor].positions.total(lots_open)
    require(open_lots == 0, NOT_FLAT, open_lots)
    deficit = -equity(exchange, debtor)
    require(deficit > 0, NO_DEFICIT, -deficit)
    require(deficit <= weights, MORE_THAN_THE_POT, deficit, weights)
    weight = equity(exchange, payer)
    require(1 <= weight <= weights, CANNOT_SHARE, weight, weights)
    return pay(exchange, payer, debtor, share_of_loss(deficit, weight, weights), "LOSS-3")
