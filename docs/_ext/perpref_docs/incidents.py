"""Incidents: every scenario that tells something that happened, carried out, as a page.

```{incidents}
```

The stages, the laws and all sums on the page are what came of carrying the scenario out; only what
the file says in words is taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from attrs import frozen
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from perpref.checker.files import shipped
from perpref.checker.scenario_file import Incident, load_scenario
from perpref.checker.scenario_laws import SENTENCES, Law
from perpref.checker.scenario_run import (
    Play,
    Played,
    laws_of,
    liquidated_in,
    play,
    stages_of,
)
from perpref.checker.telling import who_paid
from perpref.checker.titles import PAGES
from perpref.outcome import CashMoved, Refused
from perpref.rules.margin import equity
from perpref.state import TREASURY, VAULT, Stage
from perpref.units import AccountId
from perpref_docs.rules import reference
from perpref_docs.tables import Cell, table

RULE = re.compile(r"\b([A-Z]+-[1-9][0-9]*)\b")


@frozen
class Fate:
    """What an account brought, and what it has, with what it took home."""

    account: AccountId
    name: str
    brought: int
    has: int

    @property
    def gain(self) -> int:
        return self.has - self.brought


@frozen
class Story:
    """An incident's scenario that was carried out."""

    name: str
    incident: Incident
    play: Play

    @property
    def played(self) -> list[Played]:
        return [one for step in self.play.steps for one in step.played]

    @property
    def broke(self) -> list[str]:
        return [law.value for law, kept in laws_of(self.played).items() if not kept]


def stories() -> dict[str, list[Story]]:
    """All incidents by their number, in its order; the scenario that others mend comes first."""
    found: dict[str, list[Story]] = {}
    for name in shipped("scenarios"):
        scenario = load_scenario(name)
        if scenario.incident is not None:
            story = Story(name, scenario.incident, play(scenario))
            found.setdefault(scenario.incident.id, []).append(story)
    numbered = sorted(found.items(), key=lambda pair: int(pair[0][1:]))
    return {
        number: sorted(told, key=lambda story: (story.incident.mends is not None, story.name))
        for number, told in numbered
    }


def fates(told: Play) -> list[Fate]:
    """One for each account that was ever worth something, the vault first."""
    moved: dict[AccountId, list[int]] = {account: [] for account in told.end.accounts}
    for step in told.steps:
        for one in step.played:
            for event in one.events:
                if isinstance(event, CashMoved):
                    moved[event.account].append(event.amount)
    return [
        Fate(account, told.scenario.who(account), brought, has)
        for account, amounts in moved.items()
        for brought in [sum(amount for amount in amounts if amount > 0)]
        for has in [equity(told.end, account) - sum(amount for amount in amounts if amount < 0)]
        if account not in (VAULT, TREASURY) or brought or has
    ]


# The picture.

WIDTH, ROW, NAMES, SUMS = 680, 22, 100, 250
STAGE_WIDTH, STAGE_HEIGHT, TOP = 140, 30, 58


def picture(told: Play) -> str:
    """The stages of the waterfall, the ones that acted filled; below, what each account gained."""
    reached = stages_of(one for step in told.steps for one in step.played)
    rows = fates(told)
    height = TOP + ROW * len(rows) + 6
    words = escape(_in_words(reached, rows), quote=True)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
    return "\n".join(
        [
            f'<svg role="img" aria-label="{words}" class="incident" {size}>',
            *_stages(told.start.rulebook.waterfall, reached),
            *_bars(rows),
            "</svg>",
        ]
    )


def _in_words(reached: Sequence[Stage], rows: Sequence[Fate]) -> str:
    stages = ", ".join(stage.value for stage in reached) or "none"
    return f"Stages that acted: {stages}. " + " ".join(
        f"{row.name} brought {row.brought:,} and has {row.has:,}." for row in rows
    )


def _stages(waterfall: Sequence[Stage], reached: Sequence[Stage]) -> Iterator[str]:
    for at, stage in enumerate(Stage):
        left = at * (STAGE_WIDTH + 40)
        kind = "acted" if stage in reached else "idle" if stage in waterfall else "absent"
        if at:
            middle = 4 + STAGE_HEIGHT // 2
            yield (f'<path class="incident-line" d="M{left - 36} {middle} h30 m-6 -4 l6 4 l-6 4"/>')
        yield (
            f'<rect class="incident-{kind}" x="{left + 1}" y="4" rx="4" '
            f'width="{STAGE_WIDTH - 2}" height="{STAGE_HEIGHT}"/>'
        )
        said = stage.value if kind != "absent" else f"({stage.value})"
        yield (
            f'<text class="incident-{kind}-word" x="{left + STAGE_WIDTH // 2}" y="24" '
            f'text-anchor="middle">{said}</text>'
        )


def _bars(rows: Sequence[Fate]) -> Iterator[str]:
    """A bar to the right is a gain, one to the left a loss, on one scale."""
    first = NAMES + SUMS
    middle = first + (WIDTH - first) // 2
    room = (WIDTH - first) // 2 - 4
    most = max((abs(row.gain) for row in rows), default=0)
    yield (f'<path class="incident-line" d="M{middle} {TOP - 8} V{TOP + ROW * len(rows)}"/>')
    for at, row in enumerate(rows):
        top = TOP + ROW * at
        length = abs(row.gain) * room // most if most else 0
        if row.gain:
            length = max(1, length)
            left = middle if row.gain > 0 else middle - length
            kind = "gain" if row.gain > 0 else "loss"
            yield (
                f'<rect class="incident-{kind}" x="{left}" y="{top - 2}" '
                f'width="{length}" height="14"/>'
            )
        yield f'<text x="0" y="{top + 10}">{escape(row.name)}</text>'
        yield (
            f'<text x="{first - 16}" y="{top + 10}" text-anchor="end">'
            f"{row.brought:,} → {row.has:,}</text>"
        )


# The page.


class IncidentsDirective(SphinxDirective):
    """All incidents: a table of them, and a section for each."""

    def run(self) -> list[nodes.Node]:
        for path in (*shipped("scenarios").values(), *shipped("rulebooks").values()):
            self.env.note_dependency(str(path))
        found = stories()
        heads = ["", "What happened", "Stages that acted", "Laws that did not hold"]
        laws: list[Sequence[Cell]] = [
            [[nodes.literal("", law.value)], [nodes.Text(SENTENCES[law])]] for law in Law
        ]
        made: list[nodes.Node] = [
            table(["Law", "What it says when it holds"], laws, "laws"),
            table(heads, _overview(found), "incidents"),
        ]
        for number, told in found.items():
            made.append(_section(number, told))
        return made


def _overview(found: dict[str, list[Story]]) -> Iterator[Sequence[Cell]]:
    for number, told in found.items():
        for story in told:
            link = nodes.reference("", "", internal=True, refid=_anchor(story))
            link += nodes.inline("", story.play.scenario.title)
            stages = ", ".join(stage.value for stage in stages_of(story.played)) or "none"
            shown = number if story is told[0] else ""
            broke = [nodes.literal("", law) for law in story.broke]
            yield [[nodes.Text(shown)], [link], [nodes.Text(stages)], _listed(broke)]


def _listed(words: Sequence[nodes.Node]) -> list[nodes.Node]:
    made: list[nodes.Node] = []
    for at, word in enumerate(words):
        made += [nodes.Text(", "), word] if at else [word]
    return made or [nodes.Text("–")]


def _anchor(story: Story) -> str:
    return nodes.make_id(story.name)


def _section(number: str, told: Sequence[Story]) -> nodes.section:
    first, *others = told
    made = nodes.section(ids=[_anchor(first)])
    made += nodes.title("", f"{number}. {first.play.scenario.title}")
    made += _told(first)
    for story in others:
        beside = nodes.section(ids=[_anchor(story)])
        beside += nodes.title("", story.play.scenario.title)
        beside += _told(story)
        made += beside
    made += nodes.rubric("", "Sources")
    sources = dict.fromkeys(source for story in told for source in story.incident.sources)
    made += _bullets([[nodes.Text(_flat(source))] for source in sources])
    return made


def _told(story: Story) -> list[nodes.Node]:
    """One scenario: how to run it, its prose, the picture, the laws, what cannot be said."""
    told, incident = story.play, story.incident
    made: list[nodes.Node] = []
    made.append(nodes.paragraph("", "", nodes.literal("", f"perpref run {story.name}")))
    for paragraph in told.scenario.prose.split("\n\n"):
        made.append(nodes.paragraph("", "", *_linked(_flat(paragraph))))
    figure = nodes.figure(classes=["picture"])
    figure += nodes.raw("", picture(told), format="html")
    caption = "What each brought, and what each has in the end, cash taken home included."
    figure += nodes.caption("", caption)
    made.append(figure)
    made.append(_facts(story))
    if incident.cannot:
        made.append(nodes.paragraph("", "", nodes.strong("", "What these rules cannot say")))
        made.append(_bullets([_linked(_flat(words)) for words in incident.cannot]))
    return made


def _facts(story: Story) -> nodes.Node:
    told, incident, scenario = story.play, story.incident, story.play.scenario
    held = laws_of(story.played)
    refused = [
        reference("refusal", one.outcome.code)
        for one in story.played
        if isinstance(one.outcome, Refused)
    ]
    codes = list({node["reftarget"]: node for node in refused}.values())
    victims = ", ".join(scenario.who(account) for account in liquidated_in(story.played))
    stages = ", ".join(stage.value for stage in stages_of(story.played))
    changes = "; ".join(scenario.changes)
    facts: list[tuple[str, list[nodes.Node]]] = [
        ("Where, and when", [nodes.Text(f"{incident.venue}, {incident.when}")]),
        ("Scale", _linked(_flat(incident.scale))),
        (
            "Rulebook",
            [
                nodes.literal("", scenario.venue.rulebook.name),
                nodes.Text(f", with {changes}" if changes else ""),
            ],
        ),
        ("Stages that acted", [nodes.Text(stages or "none")]),
        ("Liquidated", [nodes.Text(victims or "nobody")]),
        ("Refused", _listed(codes)),
        ("Who paid", [nodes.Text(_paid(told))]),
        ("Held", _listed(_named(held, True))),
        ("Did not hold", _listed(_named(held, False))),
    ]
    rows: list[Sequence[Cell]] = [[[nodes.Text(label)], said] for label, said in facts]
    return table(["", ""], rows, "incident-facts")


def _paid(told: Play) -> str:
    return who_paid(told).removeprefix("Who paid: ")


def _named(held: dict[Law, bool], which: bool) -> list[nodes.Node]:
    return [nodes.literal("", law.value) for law, kept in held.items() if kept is which]


def _bullets(items: Sequence[Sequence[nodes.Node]]) -> nodes.bullet_list:
    return nodes.bullet_list(
        "", *(nodes.list_item("", nodes.paragraph("", "", *item)) for item in items)
    )


def _flat(text: str) -> str:
    return " ".join(text.split())


def _linked(text: str) -> list[nodes.Node]:
    """Text in which the id of a rule is a link to it."""
    made: list[nodes.Node] = []
    for at, part in enumerate(RULE.split(text)):
        if at % 2 and part.split("-")[0] in PAGES:
            made.append(reference("rule", part))
        elif part:
            made.append(nodes.Text(part))
    return made


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("incidents", IncidentsDirective)
