"""How often each rule acted in a search, and which deep states it saw.

A search that never liquidates anybody proves nothing about liquidation; so what was not reached
is said, and fails a run that was long enough.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from enum import Enum
from types import CodeType, FrameType
from typing import Any

from attrs import NOTHING, fields, frozen

from perpref import machine
from perpref.checker.titles import PAGES, TITLES
from perpref.outcome import Filled, Outcome, Paid, Refused
from perpref.rule_registry import Refusal, formulas, functions, refusals
from perpref.rules.margin import position_of
from perpref.state import VAULT, Exchange, Rulebook, Stage
from perpref.units import sign

SAMPLED = 10
"""Of so many examples one is also carried out with a count of the functions it calls."""

SEVERAL_TIMES = 20
"""So often a command is counted in any case under a choice of the rulebook that it seldom meets."""

CHOICES = {part.name: part.default for part in fields(Rulebook) if part.default is not NOTHING}
"""The choices of a rulebook that may be left out, and what then stands."""

EXPECTED_EXAMPLES = 500
"""A search of so many examples or more is expected to reach everything."""


@frozen
class DeepState:
    """Something that a thorough search must have seen, the rule that it is about, and by which
    commands it comes about; where there are `stages`, in one of them."""

    name: str
    rule: str
    commands: frozenset[str]
    stages: frozenset[Stage] = frozenset()


_MARK = frozenset({"set_mark", "place"})
_FUND = frozenset({"settle_funding", "place"})

ON_THE_BOOK = DeepState("a liquidation that the book absorbs", "LIQ-6", _MARK)
TAKEN_IN_FULL = DeepState("a takeover of a whole position", "VLT-1", _MARK)
TAKEN_IN_PART = DeepState("a takeover of a part of a position", "VLT-1", _MARK)
VAULT_CLOSED = DeepState("a vault that is liquidated itself", "VLT-5", _MARK)
SEVERAL = DeepState("a deleveraging of several counterparties", "ADL-5", _MARK)
IN_PART = DeepState("a last counterparty that is closed in part", "ADL-5", _MARK)
AT_MARK = DeepState("a close-out at the mark, when nobody can bear more", "LOSS-1", _MARK)
SOCIALISED = DeepState("a deficit shared by several accounts", "LOSS-5", _MARK)
CLAMPED = DeepState(
    "a bankruptcy price that would fall below 1",
    "LIQ-5",
    _MARK,
    frozenset({Stage.VAULT, Stage.DELEVERAGE}),
)
FLIPPED = DeepState("a position that flips", "POS-3", frozenset({"place"}))
PAID_BY_LONGS = DeepState("funding paid to the vault", "FUND-3", _FUND)
PAID_TO_LONGS = DeepState("funding paid by the vault", "FUND-3", _FUND)
UNWOUND = DeepState(
    "a vault that unwinds through the book", "VLT-6", frozenset({"unwind", "place"})
)
CROSS = DeepState("an account with positions in two markets", "MRG-1", frozenset({"place"}))

DEEP_STATES = (
    ON_THE_BOOK,
    TAKEN_IN_FULL,
    TAKEN_IN_PART,
    VAULT_CLOSED,
    SEVERAL,
    IN_PART,
    AT_MARK,
    SOCIALISED,
    CLAMPED,
    FLIPPED,
    PAID_BY_LONGS,
    PAID_TO_LONGS,
    UNWOUND,
    CROSS,
)

MUST_LIMIT = ("VLT-2", "VLT-3", "VLT-4", "VLT-5")
"""Rules that must have said no at least once, if only to the scheduler that asked."""

_TRADING = (frozenset({"deposit", "place"}),)
_FORCED = (frozenset({"deposit", "place", "set_mark"}),)
_BY_PREMIUM = (frozenset({"sample_premium", "settle_premium"}),)
_SHARES = (frozenset({"deposit", "contribute_to_vault"}),)

NEEDS: dict[str, tuple[frozenset[str], ...]] = {
    "UNIT": (frozenset({"deposit"}),),
    "LED-1": (frozenset({"deposit"}),),
    "LED-2": (frozenset({"deposit", "transfer"}), *_TRADING),
    "LED-3": _TRADING,
    "LED-5": (frozenset({"deposit"}),),
    "LED-6": (frozenset({"deposit", "withdraw"}), frozenset({"deposit", "transfer"})),
    "LED-7": (frozenset({"deposit", "withdraw"}),),
    "LED-8": (frozenset({"deposit", "transfer"}),),
    "POS": _TRADING,
    "MRG": _TRADING,
    "ISO": (frozenset({"isolate"}),),
    "FEE": _TRADING,
    "FEE-4": _FORCED,
    "FEE-5": _FORCED,
    "FEE-9": _FORCED,
    "FEE-10": _FORCED,
    "BOOK": _TRADING,
    "BOOK-10": (frozenset({"cancel"}),),
    "BOOK-16": (frozenset({"deposit", "place", "replace"}),),
    "BOOK-21": (frozenset({"deposit", "place", "advance_clock"}),),
    "BOOK-17": (frozenset({"deposit", "place", "replace"}),),
    "MARK": (frozenset({"set_mark"}),),
    **dict.fromkeys((f"MARK-{n}" for n in range(2, 7)), (frozenset({"set_index"}),)),
    "MARK-7": (frozenset({"advance_clock", "place"}),),
    "FUND": (frozenset({"deposit", "place", "settle_funding"}),),
    "FUND-5": _BY_PREMIUM,
    "FUND-6": _BY_PREMIUM,
    "FUND-10": _BY_PREMIUM,
    "CLK": (frozenset({"advance_clock"}),),
    "SET": (frozenset({"deposit", "place", "settle_market"}),),
    "SET-4": (frozenset({"pause_market"}),),
    "SET-5": (frozenset({"pause_market", "resume_market"}),),
    "LIQ": _FORCED,
    "VLT": _FORCED,
    "VLT-6": (frozenset({"deposit", "place", "set_mark", "unwind"}),),
    "VLT-9": (frozenset({"deposit", "place", "set_mark", "liquidate"}),),
    "VLT-10": (frozenset({"deposit", "place", "set_mark", "volunteer"}),),
    "VLT-20": (frozenset({"deposit", "volunteer"}),),
    "VLT-18": (frozenset({"deposit", "recapitalise"}),),
    "VLT-19": (frozenset({"deposit", "recall_capital"}),),
    "VLT-12": _SHARES,
    "VLT-13": _SHARES,
    "VLT-14": (frozenset({"deposit", "contribute_to_vault", "redeem_from_vault"}),),
    "VLT-15": _SHARES,
    "VLT-16": (frozenset({"deposit", "contribute_to_vault", "request_redemption"}),),
    "ADL": _FORCED,
    "LOSS": _FORCED,
}
"""By rule, or by chapter: the commands, or other commands, without which it cannot be reached."""


def reachable(rule_id: str, supported: tuple[str, ...]) -> bool:
    """Whether an engine with these commands can be brought to this rule."""
    ways = NEEDS.get(rule_id) or NEEDS.get(rule_id.split("-")[0]) or (frozenset(),)
    return any(way <= set(supported) for way in ways)


@frozen
class Row:
    """What is known of one rule: it acted, said no, was asked; and its title."""

    rule: str
    title: str
    acted: int
    refused: int
    asked: int

    @property
    def reached(self) -> bool:
        """Whether the search has seen it at work."""
        if self.rule in MUST_LIMIT:
            return self.refused > 0
        return self.acted + self.refused + self.asked > 0


class Reach:
    """Counts, fed by the comparison, step by step."""

    def __init__(self) -> None:
        self.acted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.deep: Counter[DeepState] = Counter()
        self.examples = 0
        self._sampling = False
        self._seen: Counter[tuple[type, str, object]] = Counter()
        self._said_no: Counter[str] = Counter()

    def begin(self, example: int) -> None:
        """Another example starts; of every so many one is sampled."""
        self.examples = example
        self._sampling = example % SAMPLED == 1

    def watch(
        self, before: Exchange, command: machine.Command, expected: Outcome | Refused
    ) -> None:
        """Take note of a step on which the engine and the reference agreed."""
        events = () if isinstance(expected, Refused) else expected.events
        seldom = any(self.acted[event.rule] < SEVERAL_TIMES for event in events)
        if self._sampling or self._is_rare(before, command) or seldom:
            self._sample(before, command)
        if isinstance(expected, Refused):
            self.refused[expected.rule] += 1
            return
        self.acted.update({event.rule for event in expected.events})
        for state in deep_states(before, command, expected):
            self.deep[state] += 1

    def _is_rare(self, before: Exchange, command: machine.Command) -> bool:
        """Whether a command has seldom met one of the choices of this rulebook."""
        rare = False
        for name, usual in CHOICES.items():
            choice = getattr(before.rulebook, name)
            key = type(command), name, choice if isinstance(choice, Enum) else choice == usual
            if self._seen[key] < SEVERAL_TIMES:
                self._seen[key] += 1
                rare = True
        return rare

    def _sample(self, before: Exchange, command: machine.Command) -> None:
        """Carry out a step once more and count the functions of the rules."""
        sys.setprofile(self._profile)
        try:
            machine.apply(before, command)
        finally:
            sys.setprofile(None)

    def _profile(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code is _REFUSAL:
            self._said_no[frame.f_locals["code"].rule] += 1
        elif code in _CARRIED:
            self.asked.update(_CARRIED[code])

    def rows(self) -> list[Row]:
        """One row per rule, in the order of chapters."""
        carriers = functions()
        codes = [code.rule for code in refusals().values()]
        declared = [rule_id for rule_id in (*carriers, *codes) if rule_id not in formulas()]
        return [
            Row(
                rule_id,
                title(rule_id),
                self.acted[rule_id],
                self.refused[rule_id] + self._said_no[rule_id],
                self.asked[rule_id],
            )
            for rule_id in sorted(set(declared), key=_reading_order)
        ]

    def not_reached(
        self, supported: tuple[str, ...], waterfall: tuple[Stage, ...] = tuple(Stage)
    ) -> list[str]:
        """Rules and deep states that this search should have seen and did not."""
        rules = [
            f"{row.rule} {row.title}"
            for row in self.rows()
            if not row.reached and reachable(row.rule, supported) and in_play(row.rule, waterfall)
        ]
        states = [
            f"{state.rule} {state.name}"
            for state in DEEP_STATES
            if not self.deep[state]
            and state.commands <= set(supported)
            and in_play(state.rule, waterfall)
            and (not state.stages or state.stages & set(waterfall))
        ]
        return rules + states


STAGE_OF = {
    "LIQ-6": Stage.BOOK,
    "LIQ-10": Stage.BOOK,
    "LIQ-11": Stage.BOOK,
    "LIQ-15": Stage.BOOK,
    "LIQ-18": Stage.BOOK,
    "VLT-8": Stage.BOOK,
    "FEE-4": Stage.BOOK,
    "FEE-5": Stage.BOOK,
    "FEE-9": Stage.BOOK,
    "FEE-10": Stage.BOOK,
    "VLT": Stage.VAULT,
    "ADL": Stage.DELEVERAGE,
}
"""By rule, or by chapter: the stage of the waterfall without which it cannot be reached."""


def in_play(rule_id: str, waterfall: tuple[Stage, ...]) -> bool:
    """Whether a rulebook with these stages has any use for the rule."""
    stage = STAGE_OF.get(rule_id) or STAGE_OF.get(rule_id.partition("-")[0])
    return stage is None or stage in waterfall


_REFUSAL: CodeType = Refusal.__init__.__code__

CHAPTERS = tuple(PAGES)
"""In reading order."""


def _reading_order(rule_id: str) -> tuple[int, int]:
    chapter, number = rule_id.split("-")
    return CHAPTERS.index(chapter), int(number)


def _carried() -> dict[CodeType, tuple[str, ...]]:
    carried: dict[CodeType, tuple[str, ...]] = {}
    for rule_id, carriers in functions().items():
        for carrier in carriers:
            carried[carrier.__code__] = (*carried.get(carrier.__code__, ()), rule_id)
    return carried


_CARRIED = _carried()


def title(rule_id: str) -> str:
    """What a rule says, in one line.

    The last function that carries it alone says it best, for it stands on the others; then the
    title of its page.
    """
    carriers: tuple[Callable[..., Any], ...] = functions().get(rule_id, ())
    documented = [carrier for carrier in carriers if carrier.__doc__]
    first_lines = {c.__code__: (c.__doc__ or "").strip().splitlines()[0] for c in documented}
    alone = [line for code, line in first_lines.items() if _CARRIED[code] == (rule_id,)]
    return next(reversed(alone), TITLES.get(rule_id, ""))


# Deep states.


def deep_states(before: Exchange, command: machine.Command, outcome: Outcome) -> list[DeepState]:
    """Which deep states one step shows."""
    fills = [event for event in outcome.events if isinstance(event, Filled)]
    seen = []
    if isinstance(command, machine.SetMark | machine.SetIndex | machine.SettleFunding):
        seen += _of_liquidation(before, outcome, fills)
        seen += _of_funding(outcome)
    elif fills:
        if isinstance(command, machine.Unwind):
            seen.append(UNWOUND)
        seen += _of_trade(before, outcome, fills)
    return seen


def _of_trade(before: Exchange, outcome: Outcome, fills: list[Filled]) -> list[DeepState]:
    seen = []
    for fill in fills:
        for account in (fill.buyer, fill.seller):
            was = sign(position_of(before, account, fill.market).size)
            if was and sign(position_of(outcome.exchange, account, fill.market).size) == -was:
                seen.append(FLIPPED)
            if len(outcome.exchange.accounts[account].positions) > 1:
                seen.append(CROSS)
    return seen


def _of_liquidation(before: Exchange, outcome: Outcome, fills: list[Filled]) -> list[DeepState]:
    seen = []
    rules = Counter(fill.rule for fill in fills)
    if rules["LIQ-6"]:
        seen.append(ON_THE_BOOK)
    if rules["VLT-1"]:
        taken = [fill for fill in fills if fill.rule == "VLT-1"]
        for fill in taken:
            insurer = before.markets[fill.market].vault
            victim = fill.seller if fill.buyer == insurer else fill.buyer
            closed_later = any(
                later.rule in ("ADL-3", "LOSS-1")
                and victim in (later.buyer, later.seller)
                and later.market == fill.market
                for later in fills
            )
            open_still = position_of(outcome.exchange, victim, fill.market).size != 0
            seen.append(TAKEN_IN_PART if closed_later or open_still else TAKEN_IN_FULL)
    deleveraged = [fill for fill in fills if fill.rule == "ADL-3"]
    parties = Counter((a, fill.market) for fill in deleveraged for a in (fill.buyer, fill.seller))
    if any(count > 1 for count in parties.values()):
        seen.append(SEVERAL)
    if deleveraged:
        last = deleveraged[-1]
        left = (
            position_of(outcome.exchange, a, last.market).size for a in (last.buyer, last.seller)
        )
        if any(left):
            seen.append(IN_PART)
    if rules["LOSS-1"]:
        seen.append(AT_MARK)
    if sum(isinstance(e, Paid) and e.rule == "LOSS-3" for e in outcome.events) > 1:
        seen.append(SOCIALISED)
    if any(fill.price == 1 and fill.rule in ("VLT-1", "ADL-3") for fill in fills):
        seen.append(CLAMPED)
    if _vault_closed(before, fills):
        seen.append(VAULT_CLOSED)
    return seen


def _vault_closed(before: Exchange, fills: list[Filled]) -> bool:
    """Whether the vault's own position was closed by force: it lost lots, not as a taker-over."""
    return any(
        fill.rule in ("ADL-3", "LOSS-1", "LIQ-6")
        and (insurer := before.markets[fill.market].vault) in (fill.buyer, fill.seller)
        and position_of(before, insurer, fill.market).size * (1 if fill.seller == insurer else -1)
        > 0
        for fill in fills
    )


def _of_funding(outcome: Outcome) -> list[DeepState]:
    seen = []
    for event in outcome.events:
        if isinstance(event, Paid) and event.rule == "FUND-3" and event.amount > 0:
            seen.append(PAID_BY_LONGS if event.payee == VAULT else PAID_TO_LONGS)
    return seen
