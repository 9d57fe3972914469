"""Venues: each shipped rulebook as a card, how two of them differ, and the published numbers.

```{rulebooks}
```

```{rulebook-diff} hyperliquid binance
```

```{worked-examples} ../spec/worked-examples.json
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from perpref.checker.all_kinds import KINDS
from perpref.checker.files import shipped
from perpref.checker.rulebook_card import UNPUBLISHED, Difference, Line, by_chapter, card, compare
from perpref.checker.rulebook_file import Beyond, Venue, load_venue
from perpref.checker.waterfall_words import side_by_side, waterfall_picture
from perpref.checker.worked_examples import Outcome, Tried, attempt, read_examples
from perpref_docs.rules import marked_up, reference
from perpref_docs.tables import Cell, table
from proofs.venues import Answer, answers


def text(words: str) -> Cell:
    return [nodes.Text(words)]


def section(title: str, anchor: str) -> nodes.section:
    made = nodes.section(ids=[anchor])
    made += nodes.title("", title)
    return made


class _Dated(SphinxDirective):
    """A directive whose page is made anew when a rulebook changes."""

    def venue(self, name: str) -> Venue:
        self.env.note_dependency(str(shipped("rulebooks")[name]))
        return load_venue(name)


class RulebooksDirective(_Dated):
    """Every shipped rulebook as a card."""

    def run(self) -> list[nodes.Node]:
        return [self.card(name) for name in shipped("rulebooks")]

    def card(self, name: str) -> nodes.Node:
        venue = self.venue(name)
        made = section(venue.title, f"rulebook-{nodes.make_id(name)}")
        made += nodes.paragraph("", "", nodes.literal("", f"perpref rulebook show {name}"))
        picture = "\n".join(waterfall_picture(venue))
        made += nodes.literal_block(picture, picture, language="text")
        for heading, lines in card(venue):
            made += nodes.rubric("", heading)
            made += table(["Choice", "Rule", "Value", "Status", "Source"], _rows(lines), "card")
        if venue.beyond:
            made += nodes.rubric("", "What else it does, which these rules cannot say yet")
            rows = [
                [text(entry.chapter), marked_up(entry.says), text(entry.source)]
                for entry in venue.beyond
            ]
            made += table(["Chapter", "What it does", "Source"], rows, "beyond")
        return made


def _rows(lines: Iterable[Line]) -> Iterator[Sequence[Cell]]:
    for line in lines:
        yield [
            text(line.term.label),
            [reference("rule", line.term.rule)],
            text(line.value),
            text(line.source.status),
            text(line.source.source),
        ]


class RulebookDiffDirective(_Dated):
    """How two rulebooks differ, as a table."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        one, other = (self.venue(name) for name in self.arguments)
        names = [venue.rulebook.name for venue in (one, other)]
        found, stages = compare(one, other), side_by_side(one, other)
        told = [[text(what), text(ours), text(theirs)] for what, ours, theirs in stages]
        made: list[nodes.Node] = [table(["When an account is due", *names], told, "beyond")]
        for chapter, differences in by_chapter(found.differences):
            made.append(nodes.rubric("", f"They differ: {chapter}"))
            made.append(table(["Choice", *names], _values(differences), "card"))
        for chapter, differences in by_chapter(found.one_sided):
            made.append(nodes.rubric("", f"Said by one of them alone: {chapter}"))
            made.append(table(["Choice", *names], _values(differences), "card"))
        alike = "; ".join(f"{line.term.label}: {line.value}" for line in found.alike)
        made.append(nodes.paragraph("", f"Alike: {alike or 'nothing'}."))
        if found.unpublished:
            unknown = "; ".join(term.label for term in found.unpublished)
            made.append(nodes.paragraph("", f"Published by neither: {unknown}."))
        beyond = [
            [text(chapter), _said(ours), _said(theirs)]
            for chapter, (ours, theirs) in found.beyond.items()
        ]
        if beyond:
            made.append(nodes.rubric("", "Beyond these rules"))
            made.append(table(["Chapter", *names], beyond, "beyond"))
        return made


def _values(differences: Iterable[Difference]) -> Iterator[Sequence[Cell]]:
    """What both venues say to a choice."""
    for one in differences:
        yield [
            [*text(f"{one.term.label} "), reference("rule", one.term.rule)],
            text(_stated(one.one)),
            text(_stated(one.other)),
        ]


def _stated(line: Line) -> str:
    return "not published" if line.source.status == UNPUBLISHED else line.value


def _said(entries: Iterable[Beyond]) -> Cell:
    return text(" ".join(entry.says for entry in entries) or "nothing noted")


class WorkedExamplesDirective(SphinxDirective):
    """What came of the published numbers, by venue, and why where it is not what was published."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        tried = [attempt(example, KINDS) for example in read_examples(Path(path))]
        counts = Counter((one.example.venue, one.outcome) for one in tried)
        venues = sorted({one.example.venue for one in tried})
        rows = [
            [text(venue), *(text(str(counts[venue, outcome])) for outcome in Outcome)]
            for venue in venues
        ]
        together = Counter(one.outcome for one in tried)
        rows.append([text("together"), *(text(str(together[outcome])) for outcome in Outcome)])
        heads = ["Venue", *(outcome.value for outcome in Outcome)]
        made: list[nodes.Node] = [table(heads, rows, "counts")]
        for outcome in (Outcome.CONTRADICTED, Outcome.REPRODUCED, Outcome.NOT_EXPRESSIBLE):
            made.append(nodes.rubric("", outcome.value.capitalize()))
            listed = [one for one in tried if one.outcome is outcome]
            made.append(table(["Example", "About", "Why"], _told(listed), "examples"))
        return made


def _told(tried: Iterable[Tried]) -> Iterator[Sequence[Cell]]:
    for one in tried:
        yield [[nodes.literal("", one.example.id)], text(one.example.rule), text(one.why or "–")]


class GuaranteesDirective(_Dated):
    """What each shipped rulebook guarantees, proved while the page is made, and what not."""

    def run(self) -> list[nodes.Node]:
        found = {}
        for name in shipped("rulebooks"):
            venue = self.venue(name)
            market = next(iter(venue.terms.values())).opened()
            found[name] = list(answers(venue.rulebook, market))
        asked = next(iter(found.values()))
        heads = ["Rulebook", *(str(number) for number, _ in enumerate(asked, 1))]
        rows = [[text(name), *(text(_mark(one)) for one in said)] for name, said in found.items()]
        listed = nodes.enumerated_list()
        for place, answer in enumerate(asked):
            item = nodes.list_item("", nodes.paragraph("", answer.says))
            failing = [(name, said[place]) for name, said in found.items() if said[place].witness]
            if failing:
                item += nodes.paragraph("", "", *_witnesses(failing))
            listed += item
        return [table(heads, rows, "counts"), listed]


def _mark(answer: Answer) -> str:
    return "✓" if answer.holds else "✗" if answer.asked else "–"


def _witnesses(failing: Sequence[tuple[str, Answer]]) -> Iterator[nodes.Node]:
    """The rulebooks that fail alike, each group with its numbers."""
    grouped: dict[str, list[str]] = {}
    for name, answer in failing:
        grouped.setdefault(answer.witness, []).append(name)
    yield nodes.Text("Not so: ")
    for place, (witness, names) in enumerate(grouped.items()):
        if place:
            yield nodes.Text("; ")
        yield nodes.Text(f"{', '.join(names)} with ")
        yield nodes.literal("", witness)


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("rulebook-guarantees", GuaranteesDirective)
    app.add_directive("rulebooks", RulebooksDirective)
    app.add_directive("rulebook-diff", RulebookDiffDirective)
    app.add_directive("worked-examples", WorkedExamplesDirective)
