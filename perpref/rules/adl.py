"""ADL: the last resort. Winners are closed in order of rank, at the rulebook's price."""

from __future__ import annotations

from attrs import frozen

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, formula, refusal, require, rule
from perpref.rules.liquidation import bankruptcy_price, require_due, share_of_equity
from perpref.rules.loss_trigger import has_fallen, require_fallen
from perpref.rules.margin import (
    Health,
    equity,
    health,
    notional,
    position_of,
    position_value,
)
from perpref.rules.vault import MORE_THAN_THERE_IS, transfer_position
from perpref.state import Exchange, ForcedPrice, Ranking, Rulebook
from perpref.units import PARTS, AccountId, MarketId, ceil_div, clamp, floor_div, sign

NOT_OPPOSITE = refusal(
    "ADL-1",
    "not_opposite",
    Phase.VALIDATE,
    "The counterparty holds {value} lots, on no other side than {limit}",
)
CANNOT_BEAR = refusal(
    "ADL-4",
    "counterparty_cannot_bear",
    Phase.MARGIN,
    "The counterparty cannot bear that its equity goes from {limit} to {value}",
)
ONLY_INSOLVENT = refusal(
    "ADL-6",
    "only_insolvent",
    Phase.VALIDATE,
    "The equity of {value} is not below {limit}: only an insolvent account is closed by ADL",
)


@frozen
class Standing:
    """What decides about an account's place in the queue, in quanta and lots (ADL-2).

    `profit`, `cost`, `notional`, `margin` (the equity behind it, LIQ-4) and `size` are those of
    its position in the market; `collateral`, `equity` and `maintenance` are the account's.
    """

    account: AccountId
    profit: int
    cost: int
    notional: int
    equity: int
    size: int
    margin: int
    collateral: int
    maintenance: int


def standing(exchange: Exchange, account: AccountId, market: MarketId) -> Standing:
    """Where an account that holds a position in this market stands."""
    position = position_of(exchange, account, market)
    listed = exchange.markets[market]
    now = health(exchange, account)
    return Standing(
        account,
        position_value(position, listed),
        abs(position.cost),
        notional(position, listed),
        now.equity,
        position.size,
        share_of_equity(exchange, account, market),
        exchange.accounts[account].collateral,
        now.maintenance,
    )


Score = tuple[int, int]
"""A numerator and a positive denominator."""


def leveraged_return(standing: Standing) -> Score:
    """Profit over cost, times notional over equity: profit ratio times effective leverage."""
    return standing.profit * standing.notional, standing.cost * max(standing.equity, 1)


def signed_return(standing: Standing) -> Score:
    """Profit ratio times leverage for a winner, divided by leverage for a loser.

    Leverage is notional over the equity behind the position, as at BitMEX: the distance from the
    mark value to the value at the bankruptcy price.
    """
    margin = max(standing.margin, 1)
    if standing.profit > 0:
        return standing.profit * standing.notional, standing.cost * margin
    return standing.profit * margin, standing.cost * standing.notional


def margined_return(standing: Standing, unit: int = 1) -> Score:
    """Profit over collateral, times maintenance margin over equity, as at Binance.

    No profit and no equity both score 0; a collateral below a unit counts as one. The machine's
    unit is a quantum.
    """
    if standing.profit <= 0 or standing.equity <= 0:
        return 0, 1
    return (
        standing.profit * standing.maintenance,
        max(standing.collateral, unit) * standing.equity,
    )


def mark_to_entry(standing: Standing) -> Score:
    """Mark over entry for a long, entry over mark for a short, times notional over equity."""
    if standing.size > 0:
        return mark_to_entry_literal(standing)
    return standing.cost, max(standing.equity, 1)


def mark_to_entry_literal(standing: Standing) -> Score:
    """Mark over entry, times notional over equity, whatever the side.

    That is what Hyperliquid's page says, read literally: of two shorts it puts the one with less
    profit first.
    """
    return standing.notional * standing.notional, standing.cost * max(standing.equity, 1)


@rule("ADL-2")
def score(standing: Standing, ranking: Ranking) -> Score:
    """The score by which the rulebook ranks, as a numerator and a positive denominator.

    An equity below one quantum counts as one.
    """
    match ranking:
        case Ranking.LEVERAGED_RETURN:
            return leveraged_return(standing)
        case Ranking.SIGNED_RETURN:
            return signed_return(standing)
        case Ranking.MARGINED_RETURN:
            return margined_return(standing)
        case Ranking.MARK_TO_ENTRY:
            return mark_to_entry(standing)
        case Ranking.MARK_TO_ENTRY_LITERAL:
            return mark_to_entry_literal(standing)
        case Ranking.UNRANKED:
            return 0, 1


@rule("ADL-2")
def outranks(first: Standing, second: Standing, ranking: Ranking) -> bool:
    """Whether the first is closed before the second: by score, then size, then account order.

    Scores are compared by cross-multiplication, so nothing is rounded.
    """
    ours, our_base = score(first, ranking)
    theirs, their_base = score(second, ranking)
    if ours * their_base != theirs * our_base:
        return ours * their_base > theirs * our_base
    if abs(first.size) != abs(second.size):
        return abs(first.size) > abs(second.size)
    return first.account < second.account


def require_opposite(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> None:
    """Refuse a counterparty that does not hold `lots` on the other side (ADL-1)."""
    size = position_of(exchange, account, market).size
    other = position_of(exchange, counterparty, market).size
    require(sign(size) == -sign(other), NOT_OPPOSITE, other, size)
    require(lots <= abs(other), MORE_THAN_THERE_IS, lots, abs(other))


@rule("ADL-6")
def triggers(equity: int, only_insolvent: bool) -> bool:
    """Whether an account that is due may be closed by ADL: at once, or only when insolvent."""
    return equity < 0 if only_insolvent else True


def triggered(exchange: Exchange, account: AccountId) -> bool:
    """Whether this account may be closed by ADL under the rulebook (ADL-6, LOSS-11)."""
    return is_insolvent_enough(exchange, account) and has_fallen(exchange)


def is_insolvent_enough(exchange: Exchange, account: AccountId) -> bool:
    """Whether this account is as far gone as the rulebook wants it for an ADL (ADL-6)."""
    return triggers(equity(exchange, account), exchange.rulebook.deleverage_only_insolvent)


@rule("ADL-6")
def is_price_safe(rulebook: Rulebook) -> bool:
    """Whether no choice of price can ruin a solvent account that is closed by ADL.

    The previous mark and the index are any price at all, seen from the mark: they are for insolvent
    accounts only.
    """
    if rulebook.deleverage_price in (ForcedPrice.PREVIOUS_MARK, ForcedPrice.INDEX):
        return rulebook.deleverage_only_insolvent
    return True


@rule("ADL-3")
def forced_price(
    rulebook: Rulebook, bankruptcy: int, mark: int, previous_mark: int, index: int
) -> int:
    """The price at which the rulebook's ADL closes, in ticks, exact.

    Where margin goes along, that is what is paid beside it (ADL-13).

    Args:
        bankruptcy: the bankruptcy price of the account that is liquidated (LIQ-5).
        index: 0 while none has been said; the mark then stands for it.
    """
    match rulebook.deleverage_price:
        case ForcedPrice.BANKRUPTCY:
            return bankruptcy
        case ForcedPrice.MARK | ForcedPrice.MARGIN:
            return mark
        case ForcedPrice.PREVIOUS_MARK:
            return previous_mark
        case ForcedPrice.INDEX:
            return index if index > 0 else mark
        case ForcedPrice.BANKRUPTCY_UNLESS_FAR:
            far = abs(mark - bankruptcy) * PARTS > rulebook.deleverage_gap * mark
            return mark if far else bankruptcy


def deleveraging_price(exchange: Exchange, account: AccountId, market: MarketId) -> int:
    """The price of an ADL against this account, as things stand (ADL-3)."""
    listed = exchange.markets[market]
    price = bankruptcy_price(exchange, account, market)
    return forced_price(exchange.rulebook, price, listed.mark, listed.previous_mark, listed.index)


def loss_of_closing(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> int:
    """What a counterparty loses at the mark when it is closed by `lots` (ADL-3), in quanta."""
    price = deleveraging_price(exchange, account, market)
    other = position_of(exchange, counterparty, market).size
    return sign(other) * (exchange.markets[market].mark - price) * lots


@rule("ADL-4")
def bearable(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId
) -> int:
    """The most lots that the counterparty can be closed by and stay solvent.

    While the account that is liquidated is solvent, its bankruptcy price is to the
    counterparty's advantage, and all its lots can be closed.
    """
    other = position_of(exchange, counterparty, market).size
    loss = loss_of_closing(exchange, account, counterparty, market, 1)
    if loss <= 0:
        return abs(other)
    return min(abs(other), floor_div(max(equity(exchange, counterparty), 0), loss))


@rule("ADL-4")
def bears_closing(before: Health, after: Health, never_riskier: bool) -> bool:
    """Whether a counterparty may end in this health: solvent, or no worse than before.

    Where the rulebook spares it risk, its equity must also cover its maintenance margin no worse.
    """
    if after.equity < 0 and after.equity < before.equity:
        return False
    if never_riskier:
        return after.equity * before.maintenance >= before.equity * after.maintenance
    return True


@rule("ADL-1", "ADL-3", "ADL-4", "ADL-6")
def deleverage(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> Outcome:
    """Close `lots` of an account against one counterparty of the other side.

    The price is the rulebook's. The counterparty may lose what its position has gained, and
    more, but it stays solvent, or is no worse than before.
    """
    require_closable(exchange, account, counterparty, market, lots)
    price = deleveraging_price(exchange, account, market)
    outcome = transfer_position(exchange, account, counterparty, market, lots, price, "ADL-3")
    require_borne(exchange, outcome.exchange, counterparty)
    return outcome


def require_closable(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> None:
    """Refuse to close who is not due for it, or against somebody who is on no other side."""
    require_due(exchange, account, market)
    require(is_insolvent_enough(exchange, account), ONLY_INSOLVENT, equity(exchange, account), 0)
    require_fallen(exchange)
    require_opposite(exchange, account, counterparty, market, lots)


def require_borne(before: Exchange, after: Exchange, counterparty: AccountId) -> None:
    """Refuse what a counterparty cannot bear (ADL-4)."""
    was, now = health(before, counterparty), health(after, counterparty)
    borne = bears_closing(was, now, before.rulebook.deleverage_never_riskier)
    require(borne, CANNOT_BEAR, now.equity, was.equity)


@formula("ADL-7")
def queue_indicator(ahead: int, total: int) -> int:
    """The lamps that a position shows, 1 to 5: in which fifth of all contracts it stands.

    Args:
        ahead: the contracts of the position and of all that are closed before it.
        total: of all positions on its side.
    """
    return clamp(ceil_div(5 * ahead, total), 1, 5)
