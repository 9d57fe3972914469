"""`perpref rulebook`: the rulebooks that come with perpref, as cards, compared, and one's own."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table

from perpref.checker.files import BadInput, own_models, shipped
from perpref.checker.own_model import OwnModel
from perpref.checker.rulebook_card import (
    UNPUBLISHED,
    Comparison,
    Difference,
    Line,
    by_chapter,
    card,
    compare,
    in_words,
)
from perpref.checker.rulebook_file import STATUSES, Beyond, Venue, load_venue
from perpref.checker.waterfall_words import side_by_side, vault_line, waterfall_picture

WIDTH = 100
"""Lines are no longer than this, however wide the terminal."""


@click.group()
def rulebook() -> None:
    """Show what venues chose, and how they differ.

    A rulebook is a TOML file: what a venue chose where the rules leave a choice, each value with
    its source and with how sure it is. What the venue does beyond that, and these rules cannot say
    yet, stands in the file as well, so that nobody takes the rulebook for the whole venue.

    \b
    Examples:
      perpref rulebook list                       the rulebooks that come with perpref
      perpref rulebook show hyperliquid           one of them as a card
      perpref rulebook diff hyperliquid binance   how two venues differ, in words
      perpref rulebook guarantees hyperliquid     what its choices guarantee, and what not
      perpref rulebook validate my-rules.toml     whether a file of your own makes sense

    \b
    Exit status:
      0  done
      2  the file, or the command, is wrong; one line says where, what, and what is allowed
    """


@rulebook.command("list")
def list_rulebooks() -> None:
    """List the rulebooks that come with perpref."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("rulebook", "stages", "ADL closes at", "values", "title"):
        table.add_column(heading, overflow="fold")
    for name in shipped("rulebooks"):
        venue = _loaded(name)
        book = venue.rulebook
        table.add_row(
            name,
            in_words("waterfall", book.waterfall),
            in_words("deleverage_price", book.deleverage_price),
            _counts(venue),
            venue.title,
        )
    for name, path in own_models().items():
        own = OwnModel.read(path)
        counts = _counted(status for _, _, status, _ in own.values)
        table.add_row(name, "a model of its own", "", counts, own.title)
    _console().print(table)


@rulebook.command()
@click.argument("name")
def show(name: str) -> None:
    """Show one rulebook as a card, with a picture of its waterfall."""
    if name in own_models():
        return _show_own(OwnModel.read(own_models()[name]))
    venue = _loaded(name)
    _say([venue.title, "", *waterfall_picture(venue), "", vault_line(venue.rulebook), ""])
    for heading, lines in card(venue):
        _say([heading])
        _console().print(_table(lines))
        _say([""])
    _say(_beyond_lines("What else it does, which these rules cannot say yet", venue.beyond))
    _say([f"{status}: {meaning}" for status, meaning in STATUSES.items()])
    return None


@rulebook.command()
@click.argument("one")
@click.argument("other")
def diff(one: str, other: str) -> None:
    """Say in words how two rulebooks differ."""
    first, second = _loaded(one), _loaded(other)
    _say([f"{first.rulebook.name}: {first.title}", f"{second.rulebook.name}: {second.title}", ""])
    _say(_told_together(first, second))
    _say(_differences(compare(first, second), first.rulebook.name, second.rulebook.name))


@rulebook.command()
@click.argument("name")
def guarantees(name: str) -> None:
    """Say what a rulebook guarantees, proved, and show with numbers what it does not."""
    from proofs.venues import answers

    venue = _loaded(name)
    market, terms = next(iter(venue.terms.items()))
    named = next(key for key, known in venue.markets.items() if known == market)
    _say([venue.title, f"What depends on its choices; margins are those of {named}.", ""])
    for answer in answers(venue.rulebook, terms.opened()):
        held = "holds" if answer.holds else "fails" if answer.asked else "no ADL"
        _say(_wrapped(f"{held:8}{answer.says}", ""))
        if answer.witness:
            _say(_wrapped(answer.witness, "        "))


@rulebook.command()
@click.argument("file")
def validate(file: str) -> None:
    """Say whether a rulebook makes sense, and how sure its values are."""
    venue = _loaded(file)
    markets = ", ".join(venue.markets)
    _say([f"{venue.rulebook.name} is valid, with {markets}; its values: {_counts(venue)}."])


def _loaded(name: str) -> Venue:
    try:
        return load_venue(name)
    except BadInput as error:
        _misuse(str(error))


def _misuse(text: str) -> NoReturn:
    """One line, and exit status 2."""
    click.echo(f"perpref rulebook: {' '.join(text.split())}", err=True)
    sys.exit(2)


def _console() -> Console:
    return Console(width=min(Console().width, WIDTH) if Console().is_terminal else WIDTH)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _show_own(own: OwnModel) -> None:
    """What an engine with rules of its own is set up with, and how it stands to the textbook's."""
    _say(
        [
            own.title,
            "",
            "Its rules are a model of their own; `perpref check` holds the engine to it.",
        ]
    )
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for ratio in (30, 12, 12, 46):
        table.add_column(overflow="fold", ratio=ratio)
    for row in own.values:
        table.add_row(*row)
    _console().print(table)
    _say(["", "How it stands to the textbook's rules"])
    for rules, stands, says in own.standings:
        _say(_wrapped(f"{rules}: {stands}. {says}", "  "))


def _counts(venue: Venue) -> str:
    return _counted(source.status for source in venue.sources.values())


def _counted(found: Iterable[str]) -> str:
    statuses = list(found)
    counts = ((statuses.count(status), status) for status in STATUSES)
    return ", ".join(f"{count} {status}" for count, status in counts if count)


def _table(lines: Iterable[Line]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for ratio in (30, 8, 30, 12, 40):
        table.add_column(overflow="fold", ratio=ratio)
    for line in lines:
        term, source = line.term, line.source
        table.add_row(term.label, term.rule, line.value, source.status, source.source)
    return table


def _told_together(first: Venue, second: Venue) -> Iterator[str]:
    """What happens to an account that is due, stage by stage at both venues."""
    yield "When an account is due"
    for what, ours, theirs in side_by_side(first, second):
        yield f"   {what}"
        if ours == theirs:
            yield from _wrapped(f"both: {ours}", "      ")
            continue
        for name, said in ((first.rulebook.name, ours), (second.rulebook.name, theirs)):
            yield from _wrapped(f"{name}: {said}", "      ")
    yield ""


def _both_said(difference: Difference, one: str, other: str) -> Iterator[str]:
    """A choice with both values and both sources."""
    yield f"   {difference.term.label} ({difference.term.rule})"
    for name, line in ((one, difference.one), (other, difference.other)):
        yield from _wrapped(f"{name}: {line.value}", "      ")
        yield from _wrapped(f"{line.source.status}: {line.source.source}", "         ")


def _one_said(difference: Difference, one: str, other: str) -> Iterator[str]:
    """A choice with the value and the source of the venue that says it."""
    for name, line in ((one, difference.one), (other, difference.other)):
        if line.source.status != UNPUBLISHED:
            said = f"{difference.term.label} ({difference.term.rule}), {name}: {line.value}"
            yield from _wrapped(said, "   ")
            yield from _wrapped(f"{line.source.status}: {line.source.source}", "      ")


def _differences(found: Comparison, one: str, other: str) -> Iterator[str]:
    if not found.differences:
        yield "They make the same choices wherever the rules leave one."
    for chapter, differences in by_chapter(found.differences):
        yield f"They differ: {chapter}"
        for difference in differences:
            yield from _both_said(difference, one, other)
        yield ""
    for chapter, differences in by_chapter(found.one_sided):
        yield f"Said by one of them alone: {chapter}"
        for difference in differences:
            yield from _one_said(difference, one, other)
        yield ""
    alike = "; ".join(f"{line.term.label}: {line.value}" for line in found.alike)
    yield from _wrapped(f"Alike: {alike or 'nothing'}.", "")
    if found.unpublished:
        yield ""
        labels = "; ".join(term.label for term in found.unpublished)
        yield from _wrapped(f"Published by neither: {labels}.", "")
    for chapter, (ours, theirs) in found.beyond.items():
        yield ""
        yield f"Beyond these rules, {chapter}"
        for name, entries in ((one, ours), (other, theirs)):
            for entry in entries:
                yield from _wrapped(f"{name}: {entry.says}", "   ")
                yield from _wrapped(entry.source, "      ")
            if not entries:
                yield f"   {name}: nothing noted"


def _beyond_lines(heading: str, entries: Iterable[Beyond]) -> Iterator[str]:
    entries = tuple(entries)
    if not entries:
        return
    yield heading
    for entry in entries:
        yield from _wrapped(f"{entry.chapter}: {entry.says}", "  ")
        yield from _wrapped(entry.source, "     ")
    yield ""


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
