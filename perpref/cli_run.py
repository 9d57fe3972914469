"""`perpref run SCENARIO`: carry out a story, and say where the money went."""

from __future__ import annotations

import json
import sys
import textwrap
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from perpref.checker.files import BadInput, shipped
from perpref.checker.money import Column
from perpref.checker.scenario_file import Scenario, load_scenario
from perpref.checker.scenario_run import Play, Played, play, stages_of
from perpref.checker.telling import Line, pot, step_lines, who_paid
from perpref.checker.wire import to_wire
from perpref.machine import Command
from perpref.outcome import Event, Refused
from perpref.rules.margin import equity

WIDTH = 100
"""Lines are no longer than this, however wide the terminal."""

HELP = """Carry out SCENARIO on the reference, and tell what happened.

SCENARIO is the name of a story that comes with perpref, or the path of a TOML file of your own.
Every step is told in words with the rules behind it: fills and fees, refusals, who was liquidated,
at which bankruptcy price, and who took it (the book, the vault, a deleveraged counterparty, or
everybody). At the end stands where the money went, added up from the double entries, who paid,
and that the pot is unchanged.

What a scenario expects is checked, so that it is also a test.

\b
Examples:
  perpref run --list                       the stories that come with perpref
  perpref run overbooked-flight            one of them
  perpref run my-bad-day.toml              your own; copy one to begin with
  perpref run my-bad-day.toml --quiet      only whether it went as expected
  perpref run overbooked-flight --json     for a program; amounts are decimal strings

\b
Exit status:
  0  it went as expected
  1  something was not as expected; each such thing is one line: FILE:LINE: key: expected, got
  2  the file, or the command, is wrong; one line says where, what, and what is allowed
"""


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print what there is, and stop."""
    if not wanted or context.resilient_parsing:
        return
    try:
        stories = [(name, load_scenario(name).title) for name in shipped("scenarios")]
    except BadInput as error:
        _misuse(error)
    width = max((len(name) for name, _ in stories), default=0)
    for name, title in stories:
        click.echo(f"{name:<{width}}  {title}")
    context.exit()


@click.command(help=HELP, short_help="Carry out a scenario, and tell what happened.")
@click.argument("scenario")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, not as a story.")
@click.option("--quiet", is_flag=True, help="Say no more than whether it went as expected.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="List the scenarios that come with perpref.",
)
def run(scenario: str, as_json: bool, quiet: bool) -> None:
    try:
        told = load_scenario(scenario)
    except BadInput as error:
        _misuse(error)
    played = play(told)
    if as_json:
        click.echo(json.dumps(to_json(played), indent=1))
    else:
        _print(_console(), played, quiet)
    for line in played.missed:
        click.echo(line, err=True)
    sys.exit(1 if played.missed else 0)


def _misuse(error: BadInput) -> NoReturn:
    click.echo(str(error), err=True)
    sys.exit(2)


def _console() -> Console:
    """As wide as the terminal, within bounds; plain when it is not one."""
    console = Console(highlight=False)
    width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return Console(highlight=False, width=width)


# The story.


def _print(console: Console, played: Play, quiet: bool) -> None:
    scenario = played.scenario
    if not quiet:
        _print_head(console, scenario)
        for step in played.steps:
            for line in step_lines(played, step):
                _say(console, line)
        console.print()
        console.print(Text("Where the money went, from the double entries", style="bold"))
        console.print(money_table(played))
        console.print()
        _say(console, Line(0, who_paid(played)))
        _say(console, Line(0, pot(played)))
    _say(console, Line(0, verdict(played)))


def _print_head(console: Console, scenario: Scenario) -> None:
    console.print(Text(scenario.title, style="bold"))
    for paragraph in scenario.prose.split("\n\n"):
        if paragraph.strip():
            text = textwrap.fill(paragraph, console.width, break_on_hyphens=False)
            console.print(Text(f"\n{text}"), soft_wrap=True)
    console.print()
    book = scenario.venue.rulebook.name
    changed = f", with {'; '.join(scenario.changes)}" if scenario.changes else ""
    _say(console, Line(0, f"Rulebook: {book}{changed}."))
    for account, about in scenario.about.items():
        _say(console, Line(1, f"{scenario.who(account)}: {about}"))
    console.print()


def _say(console: Console, line: Line) -> None:
    """A line, wrapped so that what belongs to it stands under it."""
    indent = "   " * line.depth
    text = textwrap.fill(
        line.text,
        console.width,
        initial_indent=indent,
        subsequent_indent=indent + "   ",
        break_on_hyphens=False,
    )
    console.print(Text(text, style="bold" if line.strong else ""), soft_wrap=True)


def money_table(played: Play) -> Table:
    """What each account gained and lost, and what for; every column adds up."""
    money, scenario = played.money, played.scenario
    used = [column for column in Column if column is Column.CASH or column in money.used()]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for column in used:
        table.add_column(column.value, justify="right")
    table.add_column("equity", justify="right")
    for account in played.end.accounts:
        cells = [_amount(money.of(account, column)) for column in used]
        table.add_row(scenario.who(account), *cells, f"{money.equity(account):,}")
    sums = [f"{money.total(column):,}" for column in used]
    whole = sum(money.total(column) for column in used)
    table.add_row("together", *sums, f"{whole:,}", style="bold")
    return table


def _amount(amount: int) -> str:
    return f"{amount:,}" if amount else "."


def verdict(played: Play) -> str:
    """Whether all went as expected."""
    missed = len(played.missed)
    if missed:
        return f"NOT AS EXPECTED: {missed} of what {played.scenario.name} says does not hold."
    return f"As expected: {played.claims} of {played.claims} hold in {played.scenario.name}."


# For a program.


def to_json(played: Play) -> dict[str, Any]:
    """The result with decimal strings for numbers; the names of accounts and markets beside it."""
    scenario, money = played.scenario, played.money
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "rulebook": to_wire(scenario.venue.as_terms),
        "names": {
            "accounts": {name: str(account) for name, account in scenario.accounts.items()},
            "markets": {name: str(market) for name, market in scenario.venue.markets.items()},
        },
        "steps": [
            {
                "number": str(step.step.number),
                "line": str(step.step.line),
                "say": step.step.say,
                "stages": [stage.value for stage in stages_of(step.played)],
                "commands": [_command(one) for one in step.played],
            }
            for step in played.steps
        ],
        "money": {
            scenario.who(account): {
                **{column.value: str(money.of(account, column)) for column in Column},
                "equity": str(equity(played.end, account)),
            }
            for account in played.end.accounts
        },
        "pot": str(played.end.custody),
        "expected": str(played.claims),
        "missed": list(played.missed),
    }


def _command(one: Played) -> dict[str, Any]:
    """A command and how it ended."""
    said: dict[str, Any] = {"command": to_wire(one.command, Command)}
    if isinstance(one.outcome, Refused):
        refused = one.outcome
        said["refused"] = {
            "code": refused.code,
            "phase": refused.phase,
            "rule": refused.rule,
            "message": refused.message,
        }
    else:
        said["events"] = [to_wire(event, Event) for event in one.events]
    return said
