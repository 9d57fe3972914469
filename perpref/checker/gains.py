"""Who is richer in the engine than in the reference, and by how much."""

from __future__ import annotations

from perpref.checker.wire import Comparison, Observable, View
from perpref.units import AccountId, MarketId


def gains(reference: View, engine: View, comparison: Comparison) -> dict[AccountId, int]:
    """Equity in the engine less equity in the reference, both at the reference's marks.

    Empty when the engine does not show what equity is made of.
    """
    if not {Observable.COLLATERAL, Observable.POSITIONS} <= set(comparison.observe):
        return {}
    marks = {market: listed.mark for market, listed in reference.markets.items()}
    ours, theirs = _equities(reference, marks), _equities(engine, marks)
    differences = {
        account: theirs.get(account, 0) - ours.get(account, 0)
        for account in sorted(ours.keys() | theirs.keys())
    }
    return {account: gain for account, gain in differences.items() if gain != 0}


def _equities(seen: View, marks: dict[MarketId, int]) -> dict[AccountId, int]:
    return {
        account: holder.collateral
        + sum(p.size * marks.get(market, 0) - p.cost for market, p in holder.positions.items())
        for account, holder in seen.accounts.items()
    }
