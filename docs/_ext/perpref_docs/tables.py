"""Tables that nobody keeps by hand: all rules, all refusals, the property ledger.

    ```{rule-index}
    ```

`{refusal-index}` and `{property-ledger}` work the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from perpref.rounding import DIVISIONS
from perpref_docs import sources
from perpref_docs.room import code_room
from perpref_docs.rules import (
    Stated,
    anchor_of,
    badge,
    commas,
    holds_for,
    in_order,
    marked_up,
    reference,
    rule_domain,
    says,
    together,
)
from perpref_docs.sources import Theorem

Cell = Sequence[nodes.Node]

STRENGTHS = ("Theorem", "Bounded", "Tested", "Claim", "Refuted")
"""How a property can be held, the strongest first."""


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], kind: str) -> nodes.Node:
    """A table with a head; `kind` is its CSS class."""
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", _row([[nodes.Text(word)] for word in head]))
    group += nodes.tbody("", *(_row(row) for row in rows))
    made = nodes.table("", group, classes=[kind])
    return nodes.container("", made, classes=["table-wide"])


def _row(cells: Sequence[Cell]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))


class rules_table(nodes.General, nodes.Element):  # noqa: N801 (a docutils node)
    """Stands for the table of all rules until every card has been read."""


class RuleIndexDirective(SphinxDirective):
    """All rules: id, title, code, theorems."""

    def run(self) -> list[nodes.Node]:
        return [rules_table()]


def _fill_rules_tables(app: Sphinx, document: nodes.document, docname: str) -> None:
    for place in list(document.findall(rules_table)):
        domain = rule_domain(app.env)
        known = sources.of(app.env)
        rows: list[Sequence[Cell]] = []
        for rule, stated in domain.cards().items():
            theorems = together(known.theorems_of(rule))
            counts = [
                nodes.inline(
                    "",
                    f"{len(list(same))} {strength}",
                    classes=["badge", f"badge-{strength.lower()}"],
                )
                for strength, same in groupby(
                    sorted((same[0].strength for same in theorems), key=STRENGTHS.index)
                )
            ]
            rows.append(
                [
                    [_link(app, docname, rule, stated)],
                    [word.deepcopy() for word in domain.shown[rule].title],
                    commas(nodes.literal("", code.short_name) for code in domain.shown[rule].code),
                    counts or [nodes.Text("–")],
                ]
            )
        place.replace_self(table(["Rule", "Title", "Code", "Held by"], rows, "rules"))


def _link(app: Sphinx, docname: str, rule: str, stated: Stated) -> nodes.Node:
    link = nodes.reference("", "", internal=True)
    link["refuri"] = app.builder.get_relative_uri(docname, stated.docname) + "#" + stated.anchor
    link += nodes.inline("", rule, classes=["rule-link"])
    return link


class RefusalIndexDirective(SphinxDirective):
    """All refusal codes: phase, rule, sentence."""

    def run(self) -> list[nodes.Node]:
        rows: list[Sequence[Cell]] = []
        found = sorted(
            sources.of(self.env).refusals, key=lambda known: (in_order(known.rule), known.code)
        )
        for refusal in found:
            anchor = nodes.make_id(f"refusal-{refusal.code}")
            name = nodes.literal("", refusal.code, ids=[anchor])
            rule_domain(self.env).note(
                "refusal", refusal.code, Stated(self.env.docname, anchor, refusal.says, self.lineno)
            )
            rows.append(
                [
                    [name],
                    [nodes.Text(refusal.phase)],
                    [self.refer(refusal.rule)],
                    says(refusal.says),
                ]
            )
        return [table(["Code", "Phase", "Rule", "What it says"], rows, "refusals")]

    def refer(self, rule: str) -> nodes.Node:
        return reference("rule", rule)


class DivisionTableDirective(SphinxDirective):
    """Every division of the rules: its direction, its dust, whose that is, and the theorem."""

    def run(self) -> list[nodes.Node]:
        rows: list[Sequence[Cell]] = []
        for division in DIVISIONS:
            key = division.choice or division.key
            default = division.directions[0].value
            chosen = f", {default} by default" if division.choice else ""
            rows.append(
                [
                    [nodes.Text(division.step)],
                    [reference("rule", division.rule)],
                    [nodes.Text(", ".join(by.value for by in division.directions) + chosen)],
                    [nodes.literal("", key)],
                    [nodes.Text(division.dust)],
                    [nodes.Text(division.owner)],
                    [reference("theorem", division.theorem)],
                ]
            )
        head = ["Step", "Rule", "Direction", "Key", "Dust", "Whose", "Held by"]
        return [table(head, rows, "divisions")]


class PropertyLedgerDirective(SphinxDirective):
    """Every property by its id: the sentence, how it is held, for which functions and rules."""

    def run(self) -> list[nodes.Node]:
        made: list[nodes.Node] = []
        stated = sorted(sources.of(self.env).theorems, key=lambda theorem: theorem.family)
        for name, theorems in groupby(stated, key=lambda theorem: theorem.family):
            section = nodes.section(names=[name.lower()], classes=["ledger"])
            self.state.document.note_explicit_target(section)
            section += nodes.title("", name)
            section += [self.entry(same) for same in together(theorems)]
            made.append(section)
        return made

    def entry(self, same: list[Theorem]) -> nodes.Node:
        """One property, with its proof folded away."""
        first = same[0]
        anchor = anchor_of(first)
        domain = rule_domain(self.env)
        if domain.stated.get(("theorem", first.name)) is None:
            domain.note(
                "theorem",
                first.name,
                Stated(self.env.docname, anchor, first.sentence, self.lineno),
            )
        box = nodes.container(classes=["ledger-entry"], ids=[anchor])
        rules = sorted({rule for theorem in same for rule in theorem.rules}, key=in_order)
        box += nodes.paragraph(
            "", "", badge(first), nodes.strong("", first.sentence), classes=["ledger-name"]
        )
        box += nodes.paragraph("", "", *marked_up(first.statement))
        line = holds_for(same)
        if rules:
            line += [nodes.Text("; "), *commas(reference("rule", rule) for rule in rules)]
        box += nodes.paragraph("", "", *line, classes=["holds-for"])
        if first.proof is not None:
            box += code_room(first.proof, fold=True, label="Proof")
        return box


class PropertyCountDirective(SphinxDirective):
    """How many properties are held in which way."""

    def run(self) -> list[nodes.Node]:
        theorems = sorted(
            sources.of(self.env).theorems, key=lambda theorem: STRENGTHS.index(theorem.strength)
        )
        rows: list[Sequence[Cell]] = []
        for _, found in groupby(theorems, key=lambda theorem: theorem.strength):
            same = list(found)
            rows.append([[badge(same[0])], [nodes.Text(str(len(same)))]])
        return [table(["How it is held", "Properties"], rows, "property-count")]


def setup(app: Sphinx) -> None:
    """Register the tables."""
    app.add_node(rules_table)
    app.add_directive("rule-index", RuleIndexDirective)
    app.add_directive("refusal-index", RefusalIndexDirective)
    app.add_directive("division-table", DivisionTableDirective)
    app.add_directive("property-ledger", PropertyLedgerDirective)
    app.add_directive("property-count", PropertyCountDirective)
    app.connect("doctree-resolved", _fill_rules_tables)
