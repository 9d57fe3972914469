"""What a check came to, for a terminal and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from perpref.checker.case_file import case_to_wire
from perpref.checker.check import Checked
from perpref.checker.finding import Finding
from perpref.checker.reach import DEEP_STATES
from perpref.checker.stopwatch import Part
from perpref.checker.story import Story
from perpref.checker.titles import TITLES
from perpref.checker.wire import Comparison, Hello, to_wire


def story_of(checked: Checked, again: str) -> str:
    """The finding as a story; empty when there is none."""
    if checked.found is None or checked.hello is None:
        return ""
    case, finding = checked.found
    story = Story(case, finding, checked.base, checked.hello.compare, checked.seed, again)
    return story.text() + (f"\n\nNote: {checked.note}" if checked.note else "")


def mode(hello: Hello) -> str:
    """How the engine asked to be compared, in a sentence."""
    comparison: Comparison = hello.compare
    parts = [
        f"refusals {comparison.refusals.value}",
        f"amounts within {comparison.within} quanta" if comparison.within else "amounts exact",
        f"compared: {', '.join(part.value for part in comparison.observe) or 'nothing'}",
    ]
    if hello.chooses:
        parts.append(f"the engine chooses: {', '.join(choice.value for choice in hello.chooses)}")
    return "; ".join(parts)


def counts(checked: Checked) -> str:
    """What was compared, in a sentence."""
    done = [f"{count:,} {what}" for what, count in sorted(checked.tally.counts.items())]
    return (
        f"{checked.examples:,} examples, {checked.commands:,} commands: {', '.join(done) or 'none'}"
    )


def votes(checked: Checked) -> str:
    """Which rules the findings blame, of which one is told; empty when there is but one."""
    if sum(count for _, count in checked.blamed) < 2:
        return ""
    shown = ", ".join(f"{rule or 'no rule'} {count} times" for rule, count in checked.blamed)
    return f"blamed: {shown}; the shortest story of the first"


def speed(checked: Checked) -> str:
    """How fast it went, and where the time was spent."""
    total = sum(checked.seconds.values())
    if total == 0:
        return ""
    shares = ", ".join(
        f"{part.value} {100 * checked.seconds[part] / total:.0f} %"
        for part in (Part.REFERENCE, Part.ENGINE, Part.HARNESS)
    )
    return f"{checked.commands / total:,.0f} commands per second in {total:.1f} s ({shares})"


def printable(text: str) -> str:
    """A text in which nothing that an engine wrote can act on a terminal."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1]
        for letter in text.expandtabs(4)
    )


def print_report(console: Console, checked: Checked, again: str, quiet: bool = False) -> None:
    """The whole report. When quiet, no more than the verdict and a finding."""

    def say(text: str = "") -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    if checked.fault is not None:
        say(checked.fault.text())
        return
    hello = checked.hello
    assert hello is not None
    if not quiet:
        say(f"{hello.engine} {hello.release}".rstrip())
        say(f"  mode   {mode(hello)}")
        say(f"  seed   {checked.seed if checked.seed is not None else 'none, this is a replay'}")
        say(f"  done   {counts(checked)}")
        say(f"  speed  {speed(checked)}")
        if votes(checked):
            say(f"  found  {votes(checked)}")
        say()
    if checked.found is not None:
        say(story_of(checked, again))
        return
    if not quiet and checked.reach.examples:
        console.print(reach_table(checked))
        console.print(deep_table(checked))
    insists = checked.insists_on_reach
    if checked.not_reached and checked.examples > 1 and (insists or not quiet):
        say("NOT REACHED" if insists else "Not reached, the run was too short to insist on it:")
        for missing in checked.not_reached:
            say(f"  {missing}")
        if insists:
            return
    if checked.seed is None:
        say(f"{hello.engine} CONFORMS in this one case, as far as was compared.")
    else:
        say(f"{hello.engine} CONFORMS to {checked.base.rulebook.name}, as far as was compared.")


def reach_table(checked: Checked) -> RichTable:
    """How often each rule acted, said no, and was asked."""
    table = RichTable(
        "rule", "acted", "refused", "asked*", "what it is about", box=None, pad_edge=False
    )
    for column in table.columns[1:4]:
        column.justify = "right"
    for row in checked.reach.rows():
        numbers = [f"{n:,}" if n else "." for n in (row.acted, row.refused, row.asked)]
        table.add_row(row.rule, *numbers, TITLES.get(row.rule, row.title))
    table.caption = "* calls of the rule's function, in one of ten examples"
    return table


def deep_table(checked: Checked) -> RichTable:
    """How often each deep state was seen."""
    table = RichTable("rule", "seen", "deep state", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for state in DEEP_STATES:
        table.add_row(state.rule, f"{checked.reach.deep[state]:,}", state.name)
    return table


def to_json(checked: Checked, again: str) -> dict[str, Any]:
    """The report for a machine; a finding's `case` can be replayed."""
    report: dict[str, Any] = {
        "conforms": checked.conforms,
        "seed": None if checked.seed is None else str(checked.seed),
        "examples": str(checked.examples),
        "commands": str(checked.commands),
        "engine": to_wire(checked.hello) if checked.hello else None,
        "rulebook": checked.base.rulebook.name,
        "counts": {what: str(count) for what, count in sorted(checked.tally.counts.items())},
        "milliseconds": {p.value: str(round(1000 * s)) for p, s in checked.seconds.items()},
        "reach": [
            {
                "rule": row.rule,
                "acted": str(row.acted),
                "refused": str(row.refused),
                "asked": str(row.asked),
            }
            for row in checked.reach.rows()
        ],
        "deep": {state.name: str(checked.reach.deep[state]) for state in DEEP_STATES},
        "blamed": {rule: str(count) for rule, count in checked.blamed},
        "not_reached": list(checked.not_reached),
    }
    if checked.fault is not None:
        report["adapter"] = {"what": checked.fault.what, "expected": checked.fault.expected}
    if checked.found is not None:
        case, finding = checked.found
        report["case"] = case_to_wire(case)
        report["finding"] = _finding(finding)
        report["story"] = story_of(checked, again)
    return report


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "rule": finding.rule,
        "what": finding.what,
        "step": str(finding.step + 1),
        "because": finding.because,
        "failure": finding.failure,
        "laws": list(finding.laws),
        "gains": {str(account): str(gain) for account, gain in finding.gains.items()},
        "differences": [
            {"where": d.where, "reference": d.reference, "engine": d.engine}
            for d in finding.differences
        ],
        "stderr": finding.stderr,
    }
