"""LOSS: when a loss is no longer the fund's, and winners are closed."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.margin import equity
from perpref.state import VAULT, Exchange, FundTrigger
from perpref.units import PARTS, floor_div

FUND_STANDS = refusal(
    "LOSS-11",
    "fund_stands",
    Phase.VALIDATE,
    "With an equity of {value} the fund has not fallen so far that winners are closed",
)


@rule("LOSS-6")
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


@rule("LOSS-6")
def borne_by_winners(fall: int, fund: int, begins: int) -> int:
    """The part of a fall that winners bear: what is beyond the limit, in quanta, rounded up."""
    return max(fall - floor_div(fund * begins, PARTS), 0)


@rule("LOSS-6")
def fund_floor(reference: int, part: int, least: int) -> int:
    """The balance, in quanta, below which winners are closed: a part below a reference, or more.

    Args:
        part: of the reference, in parts per million; `least` is the smallest fall, in quanta.
    """
    return reference - max(floor_div(reference * part, PARTS), least)


@rule("LOSS-6")
def is_exhausted(fund: int) -> bool:
    """Whether a fund has nothing left."""
    return fund <= 0


@rule("LOSS-6")
def exceeds_pool(profit: int, pool: int, factor: int) -> bool:
    """Whether a side's profit is more than a part of the pool that pays it: strictly more.

    Args:
        factor: the part, in parts per million.
    """
    return profit * PARTS > factor * pool


@rule("LOSS-6")
def overcorrects(profit: int, pool: int, factor: int) -> bool:
    """Whether closing a winner leaves a side's profit below a part of the pool, strictly.

    Args:
        factor: the part, in parts per million.
    """
    return profit * PARTS < factor * pool


@rule("LOSS-11")
def watch_fund(exchange: Exchange) -> Outcome:
    """Take note of the vault's best equity in the window, and whether it is drawn down since.

    A window begins anew when its time is over, with the equity of then. No cash moves.
    """
    worth, rulebook = equity(exchange, VAULT), exchange.rulebook
    over = exchange.now - exchange.fund_best_at > rulebook.fund_window
    best = worth if over else max(exchange.fund_best, worth)
    began = exchange.now if over else exchange.fund_best_at
    drawn = is_drawn_down(
        best - worth,
        max(best, 0),
        rulebook.fund_begins,
        rulebook.fund_ends,
        exchange.fund_drawn_down,
    )
    return Outcome(evolve(exchange, fund_best=best, fund_best_at=began, fund_drawn_down=drawn))


@rule("LOSS-11")
def fund_has_fallen(trigger: FundTrigger, fund: int, drawn_down: bool) -> bool:
    """Whether winners may be closed, as far as it is for the fund to say.

    Args:
        fund: the vault's equity, in quanta.
    """
    match trigger:
        case FundTrigger.NONE:
            return True
        case FundTrigger.EMPTY:
            return is_exhausted(fund)
        case FundTrigger.DRAWDOWN:
            return drawn_down


def has_fallen(exchange: Exchange) -> bool:
    """Whether the vault has fallen so far that the rulebook closes winners (LOSS-11)."""
    worth, trigger = equity(exchange, VAULT), exchange.rulebook.fund_trigger
    return fund_has_fallen(trigger, worth, exchange.fund_drawn_down)


def require_fallen(exchange: Exchange) -> None:
    """Refuse to close winners while the fund is there for it (LOSS-11)."""
    require(has_fallen(exchange), FUND_STANDS, equity(exchange, VAULT))
