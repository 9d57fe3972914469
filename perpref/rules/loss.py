"""LOSS: what is left when nobody can be deleveraged any more."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, formula, refusal, require, rule
from perpref.rules.adl import require_opposite
from perpref.rules.ledger import pay
from perpref.rules.liquidation import require_due
from perpref.rules.margin import equity
from perpref.rules.vault import transfer_position
from perpref.state import Exchange, LossSharing, Position
from perpref.units import PARTS, AccountId, MarketId, ceil_div, clamp, floor_div

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
NOBODY_TO_CHARGE = refusal(
    "LOSS-7", "nobody_to_charge", Phase.SETTLE, "A loss falls to open lots, and there are {value}"
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


@rule("LOSS-10")
def weight_of_loss(sharing: LossSharing, equity: int, notional: int, profit: int) -> int:
    """What counts for an account when a loss is shared, in quanta, zero or more.

    Args:
        notional: of all its positions; `profit` is what all of them have gained so far.
    """
    match sharing:
        case LossSharing.EQUITY:
            return max(equity, 0)
        case LossSharing.NOTIONAL:
            return notional
        case LossSharing.GAINS:
            return max(profit, 0)


@rule("LOSS-10")
def charge(exchange: Exchange, debtor: AccountId, payer: AccountId, amount: int) -> Outcome:
    """One account pays a part of a flat account's deficit, at most what it has and what is owed."""
    open_lots = exchange.accounts[debtor].positions.total(lots_open)
    require(open_lots == 0, NOT_FLAT, open_lots)
    deficit = -equity(exchange, debtor)
    require(deficit > 0, NO_DEFICIT, -deficit)
    require(1 <= amount <= deficit, MORE_THAN_THE_POT, amount, deficit)
    has = equity(exchange, payer)
    require(amount <= has, CANNOT_SHARE, amount, has)
    return pay(exchange, payer, debtor, amount, "LOSS-10")


# When a loss is no longer the fund's, and other ways to share it.


@formula("LOSS-6")
def is_drawn_down(fall: int, fund: int, begins: int, ends: int, active: bool) -> bool:
    """Whether a fund has fallen so far that winners are closed: it begins deep and ends shallow.

    Args:
        fall: of a market's result since its best in the window, in quanta, positive.
        fund: the highest balance in the window, in quanta.
        begins: a fall of this part of the fund begins it, and less than `ends` ends it, in parts
            per million.
        active: whether it has begun.
    """
    limit = ends if active else begins
    return fall * PARTS >= limit * fund


@formula("LOSS-6")
def borne_by_winners(fall: int, fund: int, begins: int) -> int:
    """The part of a fall that winners bear: what is beyond the limit, in quanta, rounded up."""
    return max(fall - floor_div(fund * begins, PARTS), 0)


@formula("LOSS-6")
def fund_floor(reference: int, part: int, least: int) -> int:
    """The balance, in quanta, below which winners are closed: a part below a reference, or more.

    Args:
        part: of the reference, in parts per million; `least` is the smallest fall, in quanta.
    """
    return reference - max(floor_div(reference * part, PARTS), least)


@formula("LOSS-6")
def is_exhausted(fund: int) -> bool:
    """Whether a fund has nothing left."""
    return fund <= 0


@formula("LOSS-6")
def exceeds_pool(profit: int, pool: int, factor: int) -> bool:
    """Whether a side's profit is more than a part of the pool that pays it: strictly more.

    Args:
        factor: the part, in parts per million.
    """
    return profit * PARTS > factor * pool


@formula("LOSS-7")
def charge_per_lot(loss: int, lots: int) -> int:
    """What each lot of both sides pays, in quanta and rounded up, so that a loss is covered.

    Args:
        lots: of all longs and all shorts together.
    """
    require(lots > 0, NOBODY_TO_CHARGE, lots)
    return ceil_div(loss, lots)


@formula("LOSS-8")
def paid_out(amount: int, pot: int, lack: int) -> int:
    """What a withdrawal gets while a pot lacks cash: the part that the pot can pay to everybody.

    Rounded down, so that the pot lasts for all claims. Whoever waits until the pot is whole again
    loses nothing.
    """
    return floor_div(amount * pot, pot + lack)


@formula("LOSS-9")
def paid_gain(gain: int, backed: int, gains: int) -> int:
    """What a profit pays when not all profits are backed: the same part of each, rounded down.

    What was paid in is senior; only profit is cut.

    Args:
        backed: the cash that is there for profits, in quanta.
        gains: all profits together, in quanta, positive.
    """
    return floor_div(gain * clamp(backed, 0, gains), gains)
