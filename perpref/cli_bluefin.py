"""`perpref check bluefin:BUILD`: Bluefin's contracts, held to their rules and to the laws."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import asdict
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from perpref.adapters.bluefin import (
    LAWS,
    BluefinUnavailable,
    BrokenLaw,
    Deviation,
    Report,
    builds,
    differential,
    laws,
)
from perpref.adapters.bluefin.install import integrity, package
from perpref.adapters.bluefin.known import known
from perpref.adapters.bluefin.model import observed
from perpref.adapters.bluefin.report import Progress as Tell
from perpref.adapters.bluefin.textbook import Standing, Stands, standings
from perpref.adapters.bluefin.wording import ending_lines, repeated_line, step_lines

Unavailable = BluefinUnavailable

WIDTH = 100


def check(
    console: Console, build: str, commands: int, seed: int, quiet: bool
) -> tuple[int, dict[str, Any]]:
    """Search for deviations and for broken laws; how many were found, and the whole report.

    Raises:
        Unavailable: there is no such build, or what it needs is not here.
    """
    if build not in builds():
        raise Unavailable(f"there is no such build; there are {', '.join(builds())}")
    with _progress(console, quiet, "its rules") as tell:
        compared = differential(build, commands, seed, progress=tell)
    with _progress(console, quiet, "the laws") as tell:
        judged = laws(build, commands, seed, progress=tell)
    lines = [] if quiet else [*_heading(build, seed), "", *_compared(compared), ""]
    lines += [] if quiet else _textbook(compared)
    for number, deviation in enumerate(compared.deviations, 1):
        lines += ["", *_deviation(number, deviation)]
    lines += [] if quiet else ["", *_judged(judged)]
    for number, law in enumerate(judged.broken, 1):
        lines += ["", *_law(number, law, judged, build)]
    lines += ["", *_verdict(compared, judged, build)]
    for line in lines[1:] if lines[0] == "" else lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    reports = {
        "package": package(),
        "integrity": integrity(),
        "textbook": [asdict(entry) for entry in standings()],
        "differential": compared.as_json(),
        "laws": judged.as_json(),
    }
    return len(compared.deviations) + len(judged.broken), reports


@contextmanager
def _progress(console: Console, quiet: bool, what: str) -> Iterator[Tell]:
    """A bar on a terminal, nothing elsewhere."""
    if quiet or not console.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} of {task.total:,} commands"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=1)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=max(done, total))

        yield tell


# What was checked -------------------------------------------------------------------------------


def _heading(build: str, seed: int) -> Iterator[str]:
    yield f"bluefin:{build}, seed {seed}"
    yield f"  the bytecode in npm package {package()},"
    yield f"  {integrity()},"
    yield "  deployed in an EVM in this process, with an oracle, a token and operators of ours"


def _run(report: Report) -> str:
    seconds = max(report.milliseconds, 1) / 1000
    return (
        f"  {report.commands:,} commands in {report.episodes:,} episodes, {seconds:.1f} s: "
        f"{report.accepted:,} accepted, {report.refused:,} refused"
    )


def _compared(report: Report) -> Iterator[str]:
    """How it stands to its own rules."""
    yield "ITS OWN RULES: after every command its model must agree, on every number and refusal"
    yield _run(report)
    reached = len(report.reach) - len(report.unreached)
    yield f"  {reached} of {len(report.reach)} rules exercised; tolerance {report.tolerance}"
    seen = len(observed() & set(report.reach))
    yield f"  {seen} of them were observed on this bytecode, and say no more than that it does so"
    yield from (f"  NOT REACHED {missing}" for missing in report.unreached)
    if not report.deviations:
        yield "  CONFORMS, as far as was searched"


def _textbook(report: Report) -> Iterator[str]:
    """How it stands to the textbook, and how often this run saw that."""
    yield "THE TEXTBOOK'S RULES (spec/rulebooks/bluefin.toml)"
    yield "  in brackets: in how many commands of this run its own rule was seen"
    for stands in (Stands.KEEPS, Stands.LACKS):
        rules = [rule for entry in standings() if entry.stands is stands for rule in entry.rules]
        yield from _wrapped(f"{stands} {', '.join(rules)}", "  ")
    for entry in standings():
        if entry.stands is Stands.DEVIATES:
            said = f"{entry.stands} {', '.join(entry.rules)}: {entry.says} {_seen(entry, report)}"
            yield from _wrapped(said, "  ")


def _seen(entry: Standing, report: Report) -> str:
    return ", ".join(
        f"{rule} ({report.reach[rule]:,})" if rule in report.reach else f"{rule} (not this build)"
        for rule in entry.by
    )


def _judged(report: Report) -> Iterator[str]:
    """How it stands to the laws."""
    yield "THE LAWS: after every command they are put to the contracts' own numbers"
    yield "  a story: what the perpetual holds, and owes (accrued charges and equities, less debts)"
    yield _run(report)
    broken = {entry.law for entry in report.broken}
    for law, says in LAWS.items():
        yield f"  {'BROKEN' if law in broken else 'held  '} {law}: {says}"


def _verdict(compared: Report, judged: Report, build: str) -> Iterator[str]:
    """Everything in one line, and what of it is new."""
    found = {entry.key for entry in judged.broken}
    new, gone = found - known(build), known(build) - found
    yield (
        f"bluefin:{build}: {_count(len(compared.deviations), 'deviation')} from its own rules; "
        f"{_count(len(judged.broken), 'way')} to break a law, {len(found - new)} of them known "
        "(docs/bluefin.md)"
    )
    yield from (f"  NEW: {law}, by {rule}" for law, rule in sorted(new))
    yield from (f"  NO LONGER FOUND: {law}, by {rule}" for law, rule in sorted(gone))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# Findings ---------------------------------------------------------------------------------------


def _deviation(number: int, found: Deviation) -> Iterator[str]:
    yield f"DEVIATION {number}, {found.rule}: {found.kind}"
    yield from (f"  {at}. {line}" for at, line in enumerate(found.story, 1))
    yield f"  engine: {found.engine}"
    yield f"  model:  {found.model}"
    for whose, (theirs, ours) in found.money.items():
        yield f"  {whose}: engine {theirs:,}, model {ours:,}, difference {theirs - ours:,}"


def _law(number: int, found: BrokenLaw, report: Report, build: str) -> Iterator[str]:
    """A broken law: what it is, the story, and who is the poorer for it."""
    new = "" if found.key in known(build) else " (NEW)"
    yield f"LAW BROKEN {number} of {len(report.broken)}: {found.law}, by {found.rule}{new}"
    yield from _wrapped(found.says)
    yield from _wrapped(f"What it is: {found.verdict}. What it needs: {found.needs}.")
    seen = _count(found.times, "time")
    told = f"Here: {found.detail}. Under {found.terms} terms. Seen {seen}, seed {report.seed}."
    yield from _wrapped(told)
    yield from step_lines(found)
    yield from _wrapped(repeated_line(found))
    if found.endings:
        yield "  Had the market ended there, and everybody left in the order of names:"
        yield from ending_lines(found)


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    """A sentence over as many lines as it needs."""
    deeper = indent + "    " if text.startswith(tuple(Stands)) else indent
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=deeper)
