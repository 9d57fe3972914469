"""CLK: the clock moves forward, and nothing with it."""

from __future__ import annotations

from perpref.rules import clock
from perpref.units import MAX_TIME
from proofs.contracts import MARGINS
from proofs.executor import all_of, claim, fresh_int
from proofs.laws import QUIET, Step, action, of, take
from proofs.world import any_exchange


@action("CLK-1", keeps=QUIET, assumes=MARGINS)
def advance() -> Step:
    exchange = any_exchange(missing=True)
    after = take(clock.advance, exchange, fresh_int("now"))
    return Step(exchange, after, (), ticks=True)


@of(advance, "T-CLK", "CLK-1", assumes=MARGINS)
def time_never_stands_still_or_goes_back(step: Step) -> None:
    """Afterwards it is later than before, and within the bounds of a time."""
    claim("later", step.after.now > step.before.now)
    claim("in bounds", all_of(step.after.now >= 0, step.after.now <= MAX_TIME))
