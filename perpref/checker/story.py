"""A finding as a story: the shortest command list, the step that differs, the rule, the money."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from attrs import fields, frozen

from perpref.checker import words
from perpref.checker.differences import same_event, telling
from perpref.checker.finding import Case, Finding, Kind
from perpref.checker.reach import title
from perpref.checker.titles import TITLES, page
from perpref.checker.wire import Comparison, Done, MarketTerms, Terms, to_wire
from perpref.outcome import Event, Outcome
from perpref.state import Rulebook

WIDTH = 100
COLUMN = 42
MOST_DIFFERENCES = 12


@frozen
class Story:
    """A finding, the case that shows it, and how to see it again."""

    case: Case
    finding: Finding
    base: Terms
    comparison: Comparison
    seed: int | None
    again: str

    def text(self) -> str:
        """The story, ready to print."""
        parts = (
            self._headline(),
            self._commands(),
            self._side_by_side(),
            self._rule(),
            self._money(),
            self._laws(),
            self._stderr(),
            self._terms(),
            self._how_again(),
        )
        return "\n\n".join("\n".join(part) for part in parts if part)

    def _headline(self) -> list[str]:
        finding = self.finding
        if finding.kind is Kind.FAILURE:
            return _wrapped(f"FINDING, {finding.failure}: {finding.what.rstrip('.:')}.")
        rule = f" {finding.rule}" if finding.rule else ""
        return _wrapped(f"FINDING{rule}: {finding.what}.")

    def _commands(self) -> list[str]:
        step = self.finding.step
        failed = self.finding.kind is Kind.FAILURE
        here = "   <- here the engine failed" if failed else "   <- here they part"
        return [
            f"{'>' if at == step else ' '} {at + 1:>2}  {words.command(command)}"
            + (here if at == step else "")
            for at, command in enumerate(self.case.commands[: step + 1])
        ]

    def _side_by_side(self) -> list[str]:
        if self.finding.kind is Kind.FAILURE or self.finding.got is None:
            return []
        rows = [("", "reference", "engine")]
        rows.append(
            ("result", words.expected(self.finding.expected), words.result(self.finding.got))
        )
        rows.extend(self._event_rows())
        differences = self.finding.differences
        rows.extend((d.where, d.reference, d.engine) for d in differences[:MOST_DIFFERENCES])
        lines = list(_table(rows))
        if len(differences) > MOST_DIFFERENCES:
            lines.append(f"and {len(differences) - MOST_DIFFERENCES} more differences")
        return lines

    def _event_rows(self) -> Iterator[tuple[str, str, str]]:
        ours, theirs = self._events()
        if self.finding.kind is not Kind.EVENTS:
            return
        within = self.comparison.within
        for at in range(max(len(ours), len(theirs))):
            our = ours[at] if at < len(ours) else None
            their = theirs[at] if at < len(theirs) else None
            if our is None or their is None or not same_event(our, their, within):
                yield f"event {at + 1}", words.event(our), words.event(their)
                return

    def _events(self) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
        finding, within = self.finding, self.comparison.within
        ours = finding.expected.events if isinstance(finding.expected, Outcome) else ()
        theirs = finding.got.events if isinstance(finding.got, Done) else ()
        return telling(ours, within), telling(theirs, within)

    def _rule(self) -> list[str]:
        if not self.finding.rule:
            return []
        rule = self.finding.rule
        called, says = TITLES.get(rule, ""), title(rule)
        more = f": {says}" if says not in ("", called) else "."
        lines = _wrapped(f"{rule}, {called} ({page(rule)}){more}")
        if self.finding.because:
            lines += _wrapped(f"  The rules say: {self.finding.because}")
        return lines

    def _money(self) -> list[str]:
        gains = self.finding.gains
        if not gains:
            return []
        said = [
            f"{words.who(account)} {'gains' if gain > 0 else 'loses'} {abs(gain)}"
            for account, gain in sorted(gains.items(), key=lambda item: (-abs(item[1]), item[0]))
        ]
        return _wrapped(f"In money, in the engine, at the reference's marks: {', '.join(said)}.")

    def _laws(self) -> list[str]:
        return [line for law in self.finding.laws for line in _wrapped(f"A LAW IS BROKEN: {law}.")]

    def _stderr(self) -> list[str]:
        if not self.finding.stderr:
            failed = self.finding.kind is Kind.FAILURE
            return ["The engine wrote nothing to standard error."] if failed else []
        tail = self.finding.stderr.rstrip().splitlines()
        return ["The engine's last words on standard error:", *(f"  | {line}" for line in tail)]

    def _terms(self) -> list[str]:
        changed = list(changed_terms(self.base, self.case.terms))
        name = self.base.rulebook.name
        return (
            _wrapped(f"Terms, where they differ from {name}: {', '.join(changed)}.")
            if changed
            else []
        )

    def _how_again(self) -> list[str]:
        seed = f"Seed {self.seed}. " if self.seed is not None else ""
        return [f"{seed}Again: {self.again}"]


def changed_terms(base: Terms, terms: Terms) -> Iterator[str]:
    """Every value of the terms that is not the base's."""
    for field in fields(Rulebook):
        value, plain = getattr(terms.rulebook, field.name), getattr(base.rulebook, field.name)
        if value != plain:
            yield f"{field.name} {_value(value)}"
    standard = next(iter(base.markets.values()))
    for market, listed in sorted(terms.markets.items()):
        plain_market = base.markets.get(market, standard)
        for market_field in fields(MarketTerms):
            value = getattr(listed, market_field.name)
            if value != getattr(plain_market, market_field.name):
                yield f"{market_field.name} {value} in market {market}"
    extra = [str(market) for market in sorted(terms.markets) if market not in base.markets]
    if extra:
        yield f"market {' and '.join(extra)} besides"


def _value(value: object) -> str:
    wired = to_wire(value)
    return ", ".join(map(str, wired)) if isinstance(wired, list | tuple) else str(wired)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ")


def _table(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Three columns, the last two wrapped."""
    names = max(len(row[0]) for row in rows)
    for name, left, right in rows:
        lefts = textwrap.wrap(left, COLUMN) or [""]
        rights = textwrap.wrap(right, COLUMN) or [""]
        for at in range(max(len(lefts), len(rights))):
            first = name if at == 0 else ""
            one = lefts[at] if at < len(lefts) else ""
            two = rights[at] if at < len(rights) else ""
            yield f"  {first:<{names}}  {one:<{COLUMN}}  {two}".rstrip()
