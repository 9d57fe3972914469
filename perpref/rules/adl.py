"""ADL: the last resort. Winners are closed at the loser's bankruptcy price, in order of rank."""

from __future__ import annotations

from attrs import frozen

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.liquidation import bankruptcy_price, require_due
from perpref.rules.margin import equity, notional, position_of, position_value
from perpref.rules.vault import MORE_THAN_THERE_IS, transfer_position
from perpref.state import Exchange
from perpref.units import AccountId, MarketId, floor_div, sign

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
    "The counterparty's equity would fall from {limit} to {value}",
)


@frozen
class Standing:
    """What decides about an account's place in the queue, in quanta and lots (ADL-2)."""

    account: AccountId
    profit: int
    cost: int
    notional: int
    equity: int
    size: int


def standing(exchange: Exchange, account: AccountId, market: MarketId) -> Standing:
    """Where an account that holds a position in this market stands."""
    position = position_of(exchange, account, market)
    listed = exchange.markets[market]
    return Standing(
        account,
        position_value(position, listed),
        abs(position.cost),
        notional(position, listed),
        equity(exchange, account),
        abs(position.size),
    )


@rule("ADL-2")
def score(standing: Standing) -> tuple[int, int]:
    """Profit over cost, times notional over equity, as a numerator and a positive denominator.

    That is profit ratio times effective leverage. An equity below one quantum counts as one.
    """
    return standing.profit * standing.notional, standing.cost * max(standing.equity, 1)


@rule("ADL-2")
def outranks(first: Standing, second: Standing) -> bool:
    """Whether the first is closed before the second: by score, then size, then account order.

    Scores are compared by cross-multiplication, so nothing is rounded.
    """
    ours, our_base = score(first)
    theirs, their_base = score(second)
    if ours * their_base != theirs * our_base:
        return ours * their_base > theirs * our_base
    if first.size != second.size:
        return first.size > second.size
    return first.account < second.account


def require_opposite(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> None:
    """Refuse a counterparty that does not hold `lots` on the other side (ADL-1)."""
    size = position_of(exchange, account, market).size
    other = position_of(exchange, counterparty, market).size
    require(sign(size) == -sign(other), NOT_OPPOSITE, other, size)
    require(lots <= abs(other), MORE_THAN_THERE_IS, lots, abs(other))


@rule("ADL-4")
def bearable(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId
) -> int:
    """The most lots that the counterparty can be closed by and stay solvent.

    While the account that is liquidated is solvent, its bankruptcy price is to the
    counterparty's advantage, and all its lots can be closed.
    """
    price = bankruptcy_price(exchange, account, market)
    other = position_of(exchange, counterparty, market).size
    loss = sign(other) * (exchange.markets[market].mark - price)
    if loss <= 0:
        return abs(other)
    return min(abs(other), floor_div(max(equity(exchange, counterparty), 0), loss))


@rule("ADL-1", "ADL-3", "ADL-4")
def deleverage(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId, lots: int
) -> Outcome:
    """Close `lots` of an account against one counterparty of the other side.

    The price is the bankruptcy price. The counterparty may lose what its position has gained,
    and more, but it stays solvent, or is no worse than before.
    """
    require_due(exchange, account, market)
    require_opposite(exchange, account, counterparty, market, lots)
    price = bankruptcy_price(exchange, account, market)
    before = equity(exchange, counterparty)
    outcome = transfer_position(exchange, account, counterparty, market, lots, price, "ADL-3")
    after = equity(outcome.exchange, counterparty)
    require(after >= 0 or after >= before, CANNOT_BEAR, after, before)
    return outcome
