"""CLK: the exchange's own clock, which only a command moves."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.state import Exchange
from perpref.units import MAX_TIME

TIME_OUT_OF_BOUNDS = refusal(
    "UNIT-2", "time_out_of_bounds", Phase.VALIDATE, "The time {value} is not between 0 and {limit}"
)
NOT_LATER = refusal(
    "CLK-1", "not_later", Phase.VALIDATE, "The time {value} is not after the clock's {limit}"
)


@rule("CLK-1")
def advance(exchange: Exchange, now: int) -> Outcome:
    """Move the clock forward. No cash moves, no position and no mark.

    Args:
        now: in any unit of time that the venue keeps to: blocks, seconds, milliseconds.
    """
    require(0 <= now <= MAX_TIME, TIME_OUT_OF_BOUNDS, now, MAX_TIME)
    require(now > exchange.now, NOT_LATER, now, exchange.now)
    return Outcome(evolve(exchange, now=now))
