"""What the checker found: the step, both sides, the rule, and the money."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from perpref import machine
from perpref.checker.wire import Result, Terms
from perpref.outcome import Outcome, Refused
from perpref.units import AccountId, MarketId, OrderId


class Kind(Enum):
    """In what way an engine departs from the reference."""

    REFUSAL = "refusal"
    CHANGED = "refused but changed"
    EVENTS = "events"
    STATE = "state"
    CHOICE = "choice"
    ERRORED = "errored"
    FAILURE = "engine failure"


ONE_FAULT = {"LIQ-4": "LIQ-5"}
"""Rules that cannot be told apart before a finding is small: with several positions a wrong
bankruptcy price may come from the share of equity (LIQ-4), with one it cannot."""


@frozen
class Difference:
    """One number of the state that differs: which, and what each side has there."""

    field: str
    reference: str
    engine: str
    account: AccountId | None = None
    market: MarketId | None = None
    order: OrderId | None = None

    @property
    def where(self) -> str:
        """Its name in words."""
        holders = (("account", self.account), ("market", self.market), ("order", self.order))
        named = ", ".join(f"{name} {number}" for name, number in holders if number is not None)
        return f"{named}: {self.field}" if named else self.field


@frozen
class Finding:
    """The first step at which an engine and the reference part.

    `rule` is the rule that is blamed, empty when the engine failed before any rule could be
    judged; `failure` then says how. `because` is what the guard says that forbids what the
    engine did. `laws` are the laws that the engine's own state breaks. `gains` is the equity that
    each account has in the engine beyond the reference's, at the reference's marks, in quanta.
    """

    kind: Kind
    rule: str
    what: str
    step: int
    differences: tuple[Difference, ...] = ()
    laws: tuple[str, ...] = ()
    gains: dict[AccountId, int] = field(factory=dict)
    because: str = ""
    failure: str = ""
    stderr: str = ""
    expected: Outcome | Refused | None = None
    got: Result | None = None

    @property
    def signature(self) -> tuple[str, str]:
        """What must stay the same while a finding is made smaller: what is to blame."""
        if self.kind in (Kind.FAILURE, Kind.ERRORED, Kind.CHOICE):
            return self.kind.value, self.failure or self.rule
        return "deviation", ONE_FAULT.get(self.rule, self.rule)


@frozen
class Case:
    """Terms and commands: all that is needed to see a finding again."""

    terms: Terms
    commands: tuple[machine.Command, ...]
