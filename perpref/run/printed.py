"""A scenario that was carried out: as text for people, and as JSON for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from perpref.checker.wire import to_wire
from perpref.files.scenario import Scenario
from perpref.machine import Command
from perpref.outcome import Event
from perpref.run.ledger_report import Cause, Money
from perpref.run.play import Play, Played, Surprise, stages
from perpref.run.tell import Teller
from perpref.units import AccountId

WIDTH = 100


def print_play(console: Console, play: Play, money: Money) -> None:
    """The story, where the money went, who paid, and the pot."""
    teller = Teller(play.scenario.names)
    width = min(WIDTH, console.width)

    def say(text: str, indent: str = "", hang: str = "", style: str = "") -> None:
        for line in textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=hang):
            console.print(line, markup=False, highlight=False, soft_wrap=True, style=style or None)

    say(play.scenario.title, style="bold")
    for paragraph in play.scenario.prose.split("\n\n"):
        console.print()
        say(" ".join(paragraph.split()))
    for number, played in enumerate(play.steps, start=1):
        console.print()
        told, consequences = teller.step(played)
        if played.step.say:
            say(played.step.say, f"{number:>2}  ", "    ", style="bold")
            say(f"{told}.", "    ", "      ")
        else:
            say(f"{told}.", f"{number:>2}  ", "      ")
        for line in consequences:
            say(f"- {line}", "    ", "      ", style=colour(line))
    print_money(console, play, money, say)


def colour(line: str) -> str:
    """The stage of the waterfall, on a terminal also by colour."""
    word = line.split(":")[0].split(",")[0]
    colours = {"book": "cyan", "vault": "blue", "deleverage": "magenta", "residual": "red"}
    return {**colours, "REFUSED": "yellow"}.get(word, "")


def print_money(console: Console, play: Play, money: Money, say: Any) -> None:
    teller = Teller(play.scenario.names)
    console.print()
    say("Where the money went", style="bold")
    say(
        "From the double entries; a fill counts by how far it was from the mark, and trading also "
        "counts every move of the mark."
    )
    console.print(money_table(teller, money), soft_wrap=True)
    say("Who paid", style="bold")
    for line in who_paid(teller, money):
        say(line, "  ", "    ")
    console.print()
    did = ", ".join(stage.value for stage in play.stages)
    say(f"Stages of the waterfall that did something: {did or 'none'}.")
    for line in money.contradictions():
        say(f"DOES NOT ADD UP: {line}.", style="red")
    say(pot(money), style="bold")


def money_table(teller: Teller, money: Money) -> Table:
    """A row for each account, a column for each cause, and the totals."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_footer=True)
    table.add_column("", footer="all", no_wrap=True)
    causes = money.causes()
    for cause in causes:
        total = f"{money.total(cause):,}"
        table.add_column(cause.value, footer=total, justify="right", no_wrap=True)
    equities = f"{sum(money.equities.values()):,}"
    table.add_column("equity now", footer=equities, justify="right", no_wrap=True)
    for account, equity in sorted(money.equities.items()):
        gains = (money.gain(account, cause) for cause in causes)
        table.add_row(
            teller.who(account), *(f"{gain:,}" if gain else "" for gain in gains), f"{equity:,}"
        )
    return table


def who_paid(teller: Teller, money: Money) -> Iterator[str]:
    """For each cause, who is poorer by it and who is richer."""
    for cause in money.causes():
        if cause is Cause.PAID_IN:
            continue
        gains = {account: money.gain(account, cause) for account in sorted(money.equities)}
        paid = [f"{teller.who(a)} {-gain:,}" for a, gain in gains.items() if gain < 0]
        got = [f"{teller.who(a)} {gain:,}" for a, gain in gains.items() if gain > 0]
        yield f"{cause.value}: paid by {', '.join(paid)}; got by {', '.join(got)}"


def pot(money: Money) -> str:
    out = f", {money.cash_out:,} went out" if money.cash_out else ""
    return (
        f"The pot is unchanged: {money.cash_in:,} came in{out}, the pot holds {money.custody:,}, "
        f"and all equities together are {sum(money.equities.values()):,}."
    )


# For programs.


def play_json(play: Play, money: Money) -> dict[str, Any]:
    """Everything that `print_play` tells; numbers are decimal strings."""
    scenario = play.scenario
    return {
        "format": "1",
        "file": scenario.path,
        "title": scenario.title,
        "terms": to_wire(scenario.terms),
        "accounts": {name: str(number) for name, number in scenario.names.accounts.items()},
        "markets": {name: str(number) for name, number in scenario.names.markets.items()},
        "steps": [step_json(scenario, played) for played in play.steps],
        "stages": [stage.value for stage in play.stages],
        "money": [account_json(scenario, money, account) for account in sorted(money.equities)],
        "totals": {key(cause): str(money.total(cause)) for cause in Cause},
        "custody": str(money.custody),
        "contradictions": money.contradictions(),
        "surprises": [surprise_json(one) for one in play.all_surprises()],
    }


def step_json(scenario: Scenario, played: Played) -> dict[str, Any]:
    told, consequences = Teller(scenario.names).step(played)
    refused = played.refused
    result: dict[str, Any] = (
        {"done": {"events": [to_wire(event, Event) for event in played.events]}}
        if refused is None
        else {"refused": to_wire(refused)}
    )
    return {
        "line": str(played.step.line),
        "say": played.step.say,
        "command": to_wire(played.step.command, Command),
        "result": result,
        "stages": [stage.value for stage in stages(played.events)],
        "told": [told, *consequences],
    }


def account_json(scenario: Scenario, money: Money, account: AccountId) -> dict[str, str]:
    return {
        "account": scenario.names.account(account),
        **{key(cause): str(money.gain(account, cause)) for cause in Cause},
        "equity": str(money.equities[account]),
    }


def surprise_json(surprise: Surprise) -> dict[str, str]:
    return {
        "line": str(surprise.line),
        "what": surprise.what,
        "expected": surprise.expected,
        "found": surprise.found,
    }


def key(cause: Cause) -> str:
    return cause.name.lower()
