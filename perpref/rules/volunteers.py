"""VLT: volunteers are assigned what nobody else takes, before winners are closed."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.isolated import require_cross
from perpref.rules.ledger import require_account
from perpref.rules.liquidation import bankruptcy_price, require_due
from perpref.rules.margin import health, position_of
from perpref.rules.mark import require_trading
from perpref.rules.vault import MORE_THAN_THERE_IS, transfer_position
from perpref.state import NO_PLEDGE, Exchange, Pledge
from perpref.units import MAX_LOTS, PARTS, AccountId, MarketId, clamp, floor_div, sign

PLEDGE_OUT_OF_BOUNDS = refusal(
    "VLT-20", "pledge_out_of_bounds", Phase.VALIDATE, "{value} is not between 0 and {limit}"
)
OWN_LIQUIDATION = refusal(
    "VLT-10", "own_liquidation", Phase.VALIDATE, "Account {value} is the one that is liquidated"
)
EDGE_TOO_SMALL = refusal(
    "VLT-10",
    "edge_too_small",
    Phase.MATCH,
    "The bankruptcy price is {value} ticks better than the mark; the volunteer asks for {limit}",
)
VOLUNTEER_CANNOT_BEAR = refusal(
    "VLT-10",
    "volunteer_cannot_bear",
    Phase.MARGIN,
    "The volunteer's equity would be {value}, its initial margin {limit}",
)


@rule("VLT-20")
def volunteer(
    exchange: Exchange, account: AccountId, market: MarketId, lots: int, edge: int
) -> Outcome:
    """An account pledges to take up to so many lots of a market, at its edge; 0 lots end that.

    Args:
        edge: how much better than the mark its price has to be, in parts per million of it.
    """
    require_trading(exchange, market)
    require_account(exchange, account)
    require_cross(exchange, account)
    require(0 <= lots <= MAX_LOTS, PLEDGE_OUT_OF_BOUNDS, lots, MAX_LOTS)
    require(0 <= edge <= PARTS, PLEDGE_OUT_OF_BOUNDS, edge, PARTS)
    return Outcome(with_pledge(exchange, account, market, Pledge(lots, edge)))


def with_pledge(
    exchange: Exchange, account: AccountId, market: MarketId, pledge: Pledge
) -> Exchange:
    """The exchange in which an account has this pledge; one of no lots is not kept."""
    listed = exchange.markets[market]
    if pledge.lots == 0:
        pledges = listed.pledges.without(account)
    else:
        pledges = listed.pledges.put(account, pledge)
    kept = evolve(listed, pledges=pledges)
    return evolve(exchange, markets=exchange.markets.put(market, kept))


@rule("VLT-10")
def edge_in_ticks(mark: int, edge: int) -> int:
    """How far from the mark an edge is, in ticks, rounded down."""
    return floor_div(mark * edge, PARTS)


@rule("VLT-10")
def assignment_window(mark: int, size: int, least: int, most: int) -> tuple[int, int]:
    """The lowest and the highest price at which a volunteer is assigned a position, in ticks.

    A volunteer gets at least its own edge over the mark and at most the venue's.

    Args:
        least: the volunteer's edge, and `most` the venue's, in parts per million of the mark.
    """
    near, far = (mark - sign(size) * edge_in_ticks(mark, edge) for edge in (least, most))
    return min(near, far), max(near, far)


@rule("VLT-10")
def assigned_price(mark: int, size: int, bankruptcy: int, most: int) -> int:
    """The bankruptcy price, but no further from the mark than the venue's edge, in ticks.

    Asked only where the bankruptcy price is on the volunteer's better side of the mark.
    """
    given = clamp(sign(size) * (mark - bankruptcy), 0, edge_in_ticks(mark, most))
    return max(1, mark - sign(size) * given)


@rule("VLT-10")
def assign(
    exchange: Exchange, account: AccountId, taker: AccountId, market: MarketId, lots: int
) -> Outcome:
    """A volunteer takes `lots` of a position that is due, as far as it has pledged and can bear.

    Its price leaves it at least its edge, and the account what is behind the position.
    """
    require(taker != account, OWN_LIQUIDATION, account)
    require_due(exchange, account, market)
    listed, most = exchange.markets[market], exchange.rulebook.volunteer_edge
    pledge = listed.pledges.get(taker, NO_PLEDGE)
    require(1 <= lots <= pledge.lots, MORE_THAN_THERE_IS, lots, pledge.lots)
    size = position_of(exchange, account, market).size
    bankruptcy = bankruptcy_price(exchange, account, market)
    price = assigned_price(listed.mark, size, bankruptcy, most)
    better, asked = sign(size) * (listed.mark - bankruptcy), edge_in_ticks(listed.mark, pledge.edge)
    require(better >= asked, EDGE_TOO_SMALL, better, asked)
    outcome = transfer_position(exchange, account, taker, market, lots, price, "VLT-10")
    now = health(outcome.exchange, taker)
    require(now.equity >= now.initial, VOLUNTEER_CANNOT_BEAR, now.equity, now.initial)
    left = evolve(pledge, lots=pledge.lots - lots)
    return evolve(outcome, exchange=with_pledge(outcome.exchange, taker, market, left))
