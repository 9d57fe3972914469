"""LOSS: what is left when nobody can be deleveraged any more."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.adl import require_opposite
from perpref.rules.ledger import pay
from perpref.rules.liquidation import require_due
from perpref.rules.margin import equity
from perpref.rules.vault import transfer_position
from perpref.state import VAULT, Exchange, LossSharing, Position
from perpref.units import AccountId, MarketId, ceil_div, clamp, floor_div

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
def weight_of_loss(sharing: LossSharing, equity: int, notional: int, profit: int, lots: int) -> int:
    """What counts for an account when a loss is shared, in quanta or lots, zero or more.

    Args:
        notional: of all its positions; `profit` is what all of them have gained so far, and `lots`
            how many they are, on either side.
    """
    match sharing:
        case LossSharing.EQUITY:
            return max(equity, 0)
        case LossSharing.NOTIONAL:
            return notional
        case LossSharing.GAINS | LossSharing.PROFIT:
            return max(profit, 0)
        case LossSharing.LOTS | LossSharing.PER_LOT:
            return lots


@rule("LOSS-10")
def share_by_policy(
    sharing: LossSharing, left: tuple[int, int], at_first: tuple[int, int], weight: int
) -> int:
    """What falls to a weight when a loss is shared, in quanta and rounded up.

    Args:
        left: what is still owed, and the weights of all who have not been asked.
        at_first: the same before anybody was asked.
    """
    deficit, weights = at_first
    match sharing:
        case LossSharing.PER_LOT:
            return charge_per_lot(deficit, weights) * weight
        case LossSharing.PROFIT:
            return weight - paid_gain(weight, weights - deficit, weights)
        case LossSharing.EQUITY | LossSharing.NOTIONAL | LossSharing.GAINS | LossSharing.LOTS:
            owed, open_weights = left
            return share_of_loss(owed, weight, open_weights)


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


@rule("LOSS-12")
def carry(exchange: Exchange, debtor: AccountId) -> Outcome:
    """The vault takes a flat account's deficit on as its own, and may then have less than none."""
    open_lots = exchange.accounts[debtor].positions.total(lots_open)
    require(open_lots == 0, NOT_FLAT, open_lots)
    deficit = -equity(exchange, debtor)
    require(deficit > 0, NO_DEFICIT, -deficit)
    return pay(exchange, VAULT, debtor, deficit, "LOSS-12")


@rule("LOSS-12")
def is_carried(exchange: Exchange, account: AccountId) -> bool:
    """Whether what an account owes is carried: it is the vault, and holds no position."""
    if account != VAULT or not exchange.rulebook.carry_bad_debt:
        return False
    return exchange.accounts[VAULT].positions.total(lots_open) == 0


@rule("LOSS-13")
def close_gate(exchange: Exchange) -> Outcome:
    """After a loss that was shared or carried, no cash leaves an account for a time (LED-9)."""
    opens = exchange.now + exchange.rulebook.withdrawal_gate
    return Outcome(evolve(exchange, gate_opens=max(exchange.gate_opens, opens)))


# Other ways to share a loss.


@rule("LOSS-7")
def charge_per_lot(loss: int, lots: int) -> int:
    """What each lot of both sides pays, in quanta and rounded up, so that a loss is covered.

    Args:
        lots: of all longs and all shorts together.
    """
    require(lots > 0, NOBODY_TO_CHARGE, lots)
    return ceil_div(loss, lots)


@rule("LOSS-9")
def paid_gain(gain: int, backed: int, gains: int) -> int:
    """What a profit pays when not all profits are backed: the same part of each, rounded down.

    What was paid in is senior; only profit is cut.

    Args:
        backed: the cash that is there for profits, in quanta.
        gains: all profits together, in quanta, positive.
    """
    return floor_div(gain * clamp(backed, 0, gains), gains)
