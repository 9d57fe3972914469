"""`perpref examples run FILE`: published numbers, and whether the rules give them."""

from __future__ import annotations

import json
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import click

from perpref.checker.all_kinds import KINDS
from perpref.checker.files import BadInput
from perpref.checker.worked_examples import Outcome, Tried, attempt, read_examples, shown

WIDTH = 100


@click.group()
def examples() -> None:
    """Try worked examples: numbers that venues and their test suites publish.

    A file of examples is a JSON list of objects with id, venue, rule, source, inputs, expected and
    notes. Amounts are integers, or decimals as text. Each is tried under its venue's rulebook.

    \b
    Examples:
      perpref examples run cases.json           what comes out, by venue
      perpref examples run cases.json --all     with a line for each
      perpref examples run cases.json --json    for a program

    \b
    Exit status:
      0  whatever the rules can say came out as published
      1  something did not, and is named
      2  the file is wrong; one line says where, what, and what is allowed
    """


@examples.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--all", "every", is_flag=True, help="Name every example, not only what went wrong.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def run(file: Path, every: bool, as_json: bool) -> None:
    """Carry out the examples in FILE."""
    try:
        tried = [attempt(example, KINDS) for example in read_examples(file)]
    except BadInput as error:
        _misuse(str(error))
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in tried], indent=1))
    else:
        for line in _report(tried, every):
            click.echo(line)
    sys.exit(1 if any(one.outcome is Outcome.CONTRADICTED for one in tried) else 0)


def _misuse(text: str) -> NoReturn:
    """One line, and exit status 2."""
    click.echo(f"perpref examples: {' '.join(text.split())}", err=True)
    sys.exit(2)


def _as_json(one: Tried) -> dict[str, object]:
    return {
        "id": one.example.id,
        "venue": one.example.venue,
        "rule": one.example.rule,
        "outcome": one.outcome.value,
        "why": one.why,
        "expected": shown(one.example.expected),
        "got": dict(one.got),
    }


def _report(tried: Sequence[Tried], every: bool) -> Iterator[str]:
    for outcome in Outcome:
        if outcome is Outcome.REPRODUCED and not every:
            continue
        found = [one for one in tried if one.outcome is outcome]
        if found:
            yield f"{outcome.value}:"
        yield from _lines(found, every or outcome is Outcome.CONTRADICTED)
    yield ""
    yield from _by_rule(tried)
    yield ""
    yield from _table(tried)


def _lines(found: Sequence[Tried], each: bool) -> Iterator[str]:
    """A line for each, or one for all of a venue that are about the same and end the same way."""
    if each:
        for one in found:
            yield from _wrapped(f"{one.example.id}: {one.why or shown(dict(one.got))}")
        return
    alike = Counter((one.example.venue, one.example.rule, one.why) for one in found)
    for (venue, rule, why), count in alike.items():
        yield from _wrapped(f"{venue}, {count}: {rule}: {why}")


def _by_rule(tried: Sequence[Tried]) -> Iterator[str]:
    """How many of each rule came out, and how many did not, under each venue."""
    counts = Counter((one.example.venue, one.example.rule, one.outcome) for one in tried)
    rules = dict.fromkeys((one.example.venue, one.example.rule) for one in tried)
    for venue in sorted({venue for venue, _ in rules}):
        yield f"{venue}:"
        for rule in (rule for of, rule in rules if of == venue):
            said = [
                f"{counts[venue, rule, outcome]} {outcome.value}"
                for outcome in Outcome
                if counts[venue, rule, outcome]
            ]
            yield from _wrapped(f"{' '.join(rule.split())}: {', '.join(said)}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="     ")


def _table(tried: Sequence[Tried]) -> Iterator[str]:
    venues = sorted({one.example.venue for one in tried})
    counts = Counter((one.example.venue, one.outcome) for one in tried)
    yield f"{'venue':16}" + "".join(f"{outcome.value:>17}" for outcome in Outcome)
    for venue in venues:
        yield f"{venue:16}" + "".join(f"{counts[venue, outcome]:17}" for outcome in Outcome)
    together = Counter(one.outcome for one in tried)
    yield f"{'together':16}" + "".join(f"{together[outcome]:17}" for outcome in Outcome)
