"""Who is being liquidated, and which numbers of a liquidation a rule would have given otherwise.

Helps to tell a rule that was broken from the rules that only show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from perpref.checker.trace import Traced
from perpref.outcome import Cancelled, Event, Filled, Paid
from perpref.rules import liquidation, liquidation_equity, liquidation_size, margin
from perpref.scheduler import visited
from perpref.state import BankruptcyPrice, Exchange
from perpref.units import PARTS, AccountId, MarketId

FORCED = ("LIQ-6", "VLT-1", "ADL-3", "LOSS-1")
"""The fills of a liquidation, stage by stage."""


def place_in_visit(now: Exchange, account: AccountId) -> int:
    """Sorts accounts as a visit does: in account order, vaults last (LIQ-8)."""
    return visited(now).index(account)


def parties_by_part(now: Exchange, event: Filled) -> tuple[AccountId, AccountId]:
    """Who of the two parties of a forced fill was liquidated, and the other one."""
    pair = event.buyer, event.seller
    if event.rule == "VLT-1":
        insurer = now.markets[event.market].vault
        return pair if event.seller == insurer else (event.seller, event.buyer)
    due = [a for a in pair if a in now.accounts and liquidation.is_due(now, a)]
    due = due or [a for a in pair if a in now.accounts and not liquidation_size.is_safe(now, a)]
    if not due:
        return event.seller, event.buyer
    victim = min(due, key=lambda account: place_in_visit(now, account))
    return victim, event.seller if victim == event.buyer else event.buyer


def victim_of(now: Exchange, event: Event | None) -> AccountId | None:
    """Whom an event liquidates, if it belongs to a liquidation and says so."""
    match event:
        case Filled() if event.rule in FORCED:
            return parties_by_part(now, event)[0]
        case Cancelled(rule="LIQ-2"):
            return event.account
        case Paid(rule="LOSS-3"):
            return event.payee
    return None


def last_victim(traced: Iterable[Traced]) -> AccountId | None:
    """Whom the last of these events liquidates that liquidates anybody."""
    victims = (victim_of(t.before, t.event) for t in traced)
    return next((v for v in reversed([*victims]) if v is not None), None)


def due_by_rounding(now: Exchange, account: AccountId) -> bool:
    """Whether an account is due only because its maintenance margins are rounded up (MRG-3)."""
    health = margin.health(now, account)
    return _margins_rounded_down(now, account) <= health.equity < health.maintenance


def _margins_rounded_down(now: Exchange, account: AccountId) -> int:
    positions = now.accounts[account].positions
    return sum(_margin_rounded_down(now, account, market) for market in positions)


def _margin_rounded_down(now: Exchange, account: AccountId, market: MarketId) -> int:
    listed = now.markets[market]
    notional = margin.notional(margin.position_of(now, account, market), listed)
    return notional * listed.maintenance_rate // PARTS


def price_by_rounding(now: Exchange, account: AccountId, market: MarketId) -> int | None:
    """The bankruptcy price if the margins that share equity were rounded down (MRG-3).

    None when that leaves a position without any, or where margins do not share equity (LIQ-20):
    then it is not a matter of rounding.
    """
    if now.rulebook.bankruptcy_price is not BankruptcyPrice.EQUITY_SHARE:
        return None
    positions = now.accounts[account].positions
    weights = {held: _margin_rounded_down(now, account, held) for held in positions}
    if not all(weights.values()):
        return None
    worth, all_weights = margin.equity(now, account), sum(weights.values())
    share = liquidation_equity.part_of_equity(worth, weights[market], all_weights)
    size = margin.position_of(now, account, market).size
    return liquidation.price_without(now.markets[market].mark, size, share)


def earlier_fills(
    traced: Iterable[Traced], victim: AccountId, market: MarketId
) -> Iterator[tuple[Exchange, Filled]]:
    """The fills on the book of this liquidation, and the exchange before each."""
    for one in traced:
        match one.event:
            case Filled(rule="LIQ-6") as fill:
                if fill.market == market and victim in (fill.buyer, fill.seller):
                    yield one.before, fill
