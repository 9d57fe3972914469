"""`perpref check bluefin:BUILD`: Bluefin's contracts, held to their rules and to the laws."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from perpref.adapters.bluefin import (
    BluefinUnavailable,
    BrokenLaw,
    Deviation,
    Report,
    builds,
    differential,
    laws,
)

Unavailable = BluefinUnavailable


def check(
    console: Console, build: str, commands: int, seed: int, quiet: bool
) -> tuple[int, dict[str, Any]]:
    """Search for deviations and for broken laws; how many were found, and the whole report.

    Raises:
        Unavailable: there is no such build, or what it needs is not here.
    """
    if build not in builds():
        raise Unavailable(f"there is no such build; there are {', '.join(builds())}")
    compared = differential(build, commands, seed)
    broken = laws(build, commands, seed)
    for report in (compared, broken):
        _print(console, report, quiet)
    reports = {"differential": compared.as_json(), "laws": broken.as_json()}
    return len(compared.deviations) + len(broken.broken), reports


def _print(console: Console, report: Report, quiet: bool) -> None:
    lines = [] if quiet else list(_summary(report))
    for deviation in report.deviations:
        lines += _deviation(deviation)
    for law in report.broken:
        lines += _law(law)
    if not report.deviations and not report.broken:
        lines.append(f"{report.engine}:{report.build} CONFORMS, as far as was searched.")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _summary(report: Report) -> tuple[str, ...]:
    seconds = max(report.milliseconds, 1) / 1000
    return (
        f"{report.engine}:{report.build}, {report.search}, seed {report.seed}",
        f"  {report.commands:,} commands in {report.episodes:,} episodes, {seconds:.1f} s",
        f"  {report.accepted:,} accepted, {report.refused:,} refused",
        f"  compared: {report.tolerance}",
        *(f"  NOT REACHED {missing}" for missing in report.unreached),
    )


def _deviation(found: Deviation) -> list[str]:
    money = [
        f"  {whose}: engine {ours}, model {theirs}" for whose, (ours, theirs) in found.money.items()
    ]
    return [
        f"FINDING {found.rule}: {found.kind}",
        *(f"  {line}" for line in found.story),
        f"  engine: {found.engine}",
        f"  model:  {found.model}",
        *money,
    ]


def _law(found: BrokenLaw) -> list[str]:
    return [
        f"A LAW IS BROKEN, {found.law}: {found.verdict} ({found.times} times; {found.scenario})",
        *(f"  {line}" for line in found.story),
        f"  {found.detail}",
    ]
