"""Where two states, or two accounts of what happened, differ, as far as the engine can show it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from perpref.checker.finding import Difference
from perpref.checker.wire import AccountView, Comparison, MarketView, Observable, View
from perpref.outcome import CashMoved, Event, Paid
from perpref.state import FLAT, NO_PLEDGE, Order
from perpref.units import AccountId, MarketId

NOBODY = AccountView(0)


def state_differences(
    reference: View, engine: View, comparison: Comparison
) -> tuple[Difference, ...]:
    """All that differs between two states, sizes first, for they explain the rest."""
    if reference == engine:
        return ()
    shown = comparison.observe
    found: list[Difference] = []
    if Observable.POSITIONS in shown:
        found.extend(_positions(reference, engine, comparison.within))
    if Observable.COLLATERAL in shown:
        found.extend(_collateral(reference, engine, comparison.within))
    if Observable.SHARES in shown:
        found.extend(_shares(reference, engine))
    if Observable.CUSTODY in shown and reference.custody != engine.custody:
        found.append(Difference("custody", str(reference.custody), str(engine.custody)))
    if Observable.MARKS in shown:
        found.extend(_marks(reference, engine))
    if Observable.ORDERS in shown:
        found.extend(_orders(reference, engine))
    return tuple(found)


def _accounts(
    reference: View, engine: View
) -> Iterator[tuple[AccountId, AccountView, AccountView]]:
    for account in sorted(reference.accounts.keys() | engine.accounts.keys()):
        ours = reference.accounts.get(account, NOBODY)
        yield account, ours, engine.accounts.get(account, NOBODY)


def _positions(reference: View, engine: View, within: int) -> Iterator[Difference]:
    costs = []
    for account, ours, theirs in _accounts(reference, engine):
        for market in sorted(ours.positions.keys() | theirs.positions.keys()):
            our = ours.positions.get(market, FLAT)
            their = theirs.positions.get(market, FLAT)
            if our.size != their.size:
                yield Difference("size", str(our.size), str(their.size), account, market)
            if abs(our.cost - their.cost) > within:
                costs.append(Difference("cost", str(our.cost), str(their.cost), account, market))
    yield from costs


def _collateral(reference: View, engine: View, within: int) -> Iterator[Difference]:
    for account, ours, theirs in _accounts(reference, engine):
        if abs(ours.collateral - theirs.collateral) > within:
            yield Difference("collateral", str(ours.collateral), str(theirs.collateral), account)


def _shares(reference: View, engine: View) -> Iterator[Difference]:
    for account, ours, theirs in _accounts(reference, engine):
        for name in ("shares", "locked_until", "requested", "requested_worth", "notice_ends"):
            our, their = getattr(ours.stake, name), getattr(theirs.stake, name)
            if our != their:
                yield Difference(name.replace("_", " "), str(our), str(their), account)


def _marks(reference: View, engine: View) -> Iterator[Difference]:
    for market, listed in sorted(reference.markets.items()):
        their = engine.markets.get(market)
        if their is None or their.mark != listed.mark:
            mark = "no such market" if their is None else str(their.mark)
            yield Difference("mark", str(listed.mark), mark, market=market)


def _orders(reference: View, engine: View) -> Iterator[Difference]:
    closed = MarketView(0)
    for market in sorted(reference.markets.keys() | engine.markets.keys()):
        ours = {order.id: order for order in reference.markets.get(market, closed).orders}
        listed = engine.markets.get(market, closed).orders
        theirs = {order.id: order for order in listed}
        if len(theirs) != len(listed):
            yield Difference("orders", str(len(ours)), f"{len(listed)}, some twice", market=market)
        for order in sorted(ours.keys() | theirs.keys()):
            our, their = _order(ours.get(order)), _order(theirs.get(order))
            if our != their:
                yield Difference("order", our, their, market=market, order=order)
        shown = engine.markets.get(market, closed).pledges
        pledged = reference.markets.get(market, closed).pledges
        for account in sorted(pledged.keys() | shown.keys()):
            our_pledge = pledged.get(account, NO_PLEDGE)
            their_pledge = shown.get(account, NO_PLEDGE)
            if our_pledge != their_pledge:
                ours_said, theirs_said = (
                    f"{p.lots} lots at an edge of {p.edge}" for p in (our_pledge, their_pledge)
                )
                yield Difference("pledge", ours_said, theirs_said, account, market)
    if engine.last_order not in (0, reference.last_order):
        yield Difference("last order", str(reference.last_order), str(engine.last_order))


def _order(order: Order | None) -> str:
    if order is None:
        return "none"
    reduce_only = ", reduce-only" if order.reduce_only else ""
    return (
        f"account {order.account} {order.side.name.lower()}s {order.lots} at {order.price}"
        f"{reduce_only}"
    )


def laws_broken(engine: View, comparison: Comparison) -> tuple[str, ...]:
    """The laws that a state breaks by itself: conservation of cash, and balance of sizes."""
    shown = set(comparison.observe)
    broken = []
    if shown >= {Observable.CUSTODY, Observable.COLLATERAL, Observable.POSITIONS}:
        claims = sum(
            holder.collateral - sum(p.cost for p in holder.positions.values())
            for holder in engine.accounts.values()
        )
        values = sum(1 + len(holder.positions) for holder in engine.accounts.values())
        if abs(claims - engine.custody) > comparison.within * values:
            broken.append(
                f"cash is not conserved: the pot holds {engine.custody}, "
                f"the claims on it add up to {claims}"
            )
    if Observable.POSITIONS in shown:
        sizes: dict[MarketId, int] = {}
        for holder in engine.accounts.values():
            for market, position in holder.positions.items():
                sizes[market] = sizes.get(market, 0) + position.size
        broken.extend(
            f"longs and shorts do not balance in market {market}: the sizes add up to {total}"
            for market, total in sorted(sizes.items())
            if total != 0
        )
    return tuple(broken)


def telling(events: tuple[Event, ...], within: int) -> tuple[Event, ...]:
    """The events without payments of nothing, which may be shown or left out."""
    return tuple(e for e in events if not (isinstance(e, Paid) and abs(e.amount) <= within))


def same_event(ours: Event, theirs: Event, within: int) -> bool:
    """Whether two events agree, amounts of cash within so many quanta."""
    if ours == theirs:
        return True
    if within and isinstance(ours, Paid | CashMoved) and type(ours) is type(theirs):
        assert isinstance(theirs, Paid | CashMoved)
        close = abs(ours.amount - theirs.amount) <= within
        return close and evolve(ours, amount=theirs.amount) == theirs
    return False


def same_events(ours: tuple[Event, ...], theirs: tuple[Event, ...], within: int) -> bool:
    """Whether both sides say that the same happened, in the same order."""
    if ours == theirs:
        return True
    ours, theirs = telling(ours, within), telling(theirs, within)
    return len(ours) == len(theirs) and all(
        same_event(our, their, within) for our, their in zip(ours, theirs, strict=True)
    )
