"""The card of a rule: its words, its code, its refusals and its theorems in one place.

    ```{rule} ADL-4
    :title: The counterparty stays solvent

    A deleveraging is refused when …
    ```

Cards are objects of a Sphinx domain of their own, and the domain checks that spec, code and proofs
speak of the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from typing import Any, ClassVar, cast

from attrs import frozen
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.domains import Domain, ObjType
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.nodes import make_refnode

from perpref_docs import sources
from perpref_docs.room import code_room, make_room
from perpref_docs.sources import Code, Theorem

logger = logging.getLogger(__name__)

RULE_ID = re.compile(r"[A-Z]+-[1-9][0-9]*")


@frozen
class Stated:
    """Where something with an id is stated, and under which title."""

    docname: str
    anchor: str
    title: str
    line: int


@frozen
class Card:
    """What the card of a rule shows: its code, and its title as parsed."""

    docname: str
    code: list[Code]
    title: list[nodes.Node]


def in_order(rule: str) -> tuple[str, int]:
    """Sorts rule ids by chapter, then by number."""
    chapter, _, number = rule.partition("-")
    return chapter, int(number) if number.isdecimal() else 0


def reference(kind: str, target: str, text: nodes.Node | None = None) -> addnodes.pending_xref:
    """A link to a rule, a refusal or a theorem, resolved when all pages have been read."""
    return addnodes.pending_xref(
        "",
        text if text is not None else nodes.inline("", target, classes=["rule-link"]),
        refdomain="perp",
        reftype=kind,
        reftarget=target,
        refexplicit=text is not None,
        refwarn=True,
    )


def commas(found: Iterable[nodes.Node]) -> list[nodes.Node]:
    """The nodes with commas between them."""
    joined: list[nodes.Node] = []
    for node in found:
        if joined:
            joined.append(nodes.Text(", "))
        joined.append(node)
    return joined


class RuleDirective(SphinxDirective):
    """The card of one rule."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "title": directives.unchanged_required,
        "carried-by": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        rule = self.arguments[0].strip()
        if not RULE_ID.fullmatch(rule):
            raise self.error(f"{rule!r} is no rule id: it reads like ADL-4")
        if "title" not in self.options:
            raise self.error(f"the card of {rule} has no title")
        title = self.options["title"]
        domain = rule_domain(self.env)
        known = sources.of(self.env)
        code = [*known.functions.get(rule, ()), *self.carriers(rule)]
        if not code:
            domain.complain(f"no code carries the rule {rule}", self.get_location())
        words, messages = self.parse_inline(title)
        domain.note_card(rule, Card(self.env.docname, code, words))

        card = nodes.section(classes=["rule-card"], names=[rule.lower()])
        self.state.document.note_explicit_target(card)
        domain.note("rule", rule, Stated(self.env.docname, card["ids"][0], title, self.lineno))
        heading = nodes.title("", "", nodes.inline("", rule, classes=["rule-id"]), nodes.Text(" "))
        heading += [word.deepcopy() for word in words]
        card += heading
        card += nodes.container("", *self.parse_content_to_nodes(), classes=["rule-words"])
        card += [code_room(piece) for piece in code]
        card += self.refusals(rule)
        card += self.theorems(rule)
        self.set_source_info(card)
        return [card, *messages]

    def carriers(self, rule: str) -> Iterator[Code]:
        """What `:carried-by:` names, for what cannot be decorated."""
        for dotted in self.options.get("carried-by", "").replace(",", " ").split():
            try:
                yield sources.code_named(dotted)
            except LookupError as error:
                rule_domain(self.env).complain(f"{rule}: {error}", self.get_location())

    def refusals(self, rule: str) -> list[nodes.Node]:
        """The ways in which the rule says no."""
        found = sources.of(self.env).refusals_of(rule)
        items = [
            nodes.definition_list_item(
                "",
                nodes.term(
                    "",
                    "",
                    reference("refusal", refusal.code, nodes.literal("", refusal.code)),
                    nodes.inline("", refusal.phase, classes=["phase"]),
                ),
                nodes.definition("", nodes.paragraph("", "", *says(refusal.says))),
            )
            for refusal in found
        ]
        if not items:
            return []
        line = [
            nodes.inline("", "Refusals" if len(items) > 1 else "Refusal", classes=["room-label"])
        ]
        return [make_room("refusals", line, [nodes.definition_list("", *items)], is_open=True)]

    def theorems(self, rule: str) -> list[nodes.Node]:
        """The theorems that cover the rule, each with its proof."""
        found = together(sources.of(self.env).theorems_of(rule))
        if not found:
            return []
        inside = [theorem_room(same) for same in found]
        line = [
            nodes.inline("", "Theorems" if len(found) > 1 else "Theorem", classes=["room-label"])
        ]
        return [make_room("theorems", line, inside, is_open=True)]


def says(sentence: str) -> list[nodes.Node]:
    """What a refusal says, with its blanks set apart."""
    made: list[nodes.Node] = []
    for part in re.split(r"(\{\w+\})", sentence):
        if part.startswith("{"):
            made.append(nodes.inline("", part[1:-1], classes=["blank"]))
        elif part:
            made.append(nodes.Text(part))
    return made


def together(theorems: Iterable[Theorem]) -> list[list[Theorem]]:
    """Theorems that state the same of several functions, put together."""
    found: dict[tuple[str, str, str], list[Theorem]] = {}
    for theorem in theorems:
        found.setdefault((theorem.family, theorem.name, theorem.strength), []).append(theorem)
    return list(found.values())


def badge(theorem: Theorem) -> nodes.inline:
    """How a property is held, as a badge."""
    return nodes.inline(
        "", theorem.strength, classes=["badge", f"badge-{theorem.strength.lower()}"]
    )


def anchor_of(theorem: Theorem) -> str:
    """The anchor of a theorem in the property ledger."""
    return "theorem-" + nodes.make_id(f"{theorem.family}-{theorem.name}")


def theorem_room(same: list[Theorem]) -> nodes.Node:
    """One theorem: how it is held, its sentence, and its proof when that is written out."""
    first = same[0]
    sentence = reference("theorem", first.name, nodes.inline("", first.sentence))
    line: list[nodes.Node] = [badge(first), sentence]
    inside: list[nodes.Node] = [nodes.paragraph("", "", *marked_up(first.statement))]
    inside.append(nodes.paragraph("", "", *holds_for(same), classes=["holds-for"]))
    if first.proof is not None:
        inside.append(code_room(first.proof, label="Proof"))
    return make_room("theorem", line, inside, is_open=False)


def holds_for(same: list[Theorem]) -> list[nodes.Node]:
    """Of which functions it is stated, and where it is tested."""
    made: list[nodes.Node] = [nodes.Text(f"{same[0].family}, about ")]
    made += commas(nodes.literal("", theorem.subject) for theorem in same)
    if same[0].where:
        made += [nodes.Text("; see "), nodes.literal("", same[0].where)]
    return made


def marked_up(text: str) -> list[nodes.Node]:
    """A docstring's sentence: what stands between backticks is code."""
    parts = re.split(r"`+([^`]+)`+", text)
    return [
        nodes.literal("", part) if is_code % 2 else nodes.Text(part)
        for is_code, part in enumerate(parts)
        if part
    ]


class ShortRole(SphinxRole):
    """`{rule}`, `{refusal}` and `{theorem}` without the domain's name in front."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        link = reference(self.name, self.text.strip())
        link["refdoc"] = self.env.docname
        self.set_source_info(link)
        return [link], []


class RuleDomain(Domain):
    """Rules, refusals and theorems: where each is stated, and whether all agree."""

    name = "perp"
    label = "perpref"
    object_types: ClassVar[dict[str, ObjType]] = {
        kind: ObjType(kind, kind) for kind in ("rule", "refusal", "theorem")
    }
    roles: ClassVar[dict[str, Any]] = {
        kind: XRefRole(warn_dangling=True) for kind in ("rule", "refusal", "theorem")
    }
    dangling_warnings: ClassVar[dict[str, str]] = {
        "rule": "no card states the rule %(target)s",
        "refusal": "no table of refusals has %(target)s",
        "theorem": "no property ledger has %(target)s",
    }
    initial_data: ClassVar[dict[str, Any]] = {"stated": {}, "shown": {}}

    @property
    def stated(self) -> dict[tuple[str, str], Stated]:
        return cast(dict[tuple[str, str], Stated], self.data["stated"])

    @property
    def shown(self) -> dict[str, Card]:
        return cast(dict[str, Card], self.data["shown"])

    @property
    def is_complete(self) -> bool:
        """Whether every chapter is written, so that what has no card is a mistake."""
        return bool(self.env.config.perpref_complete)

    def complain(self, message: str, location: Any = None) -> None:
        """Warn; with `-W` the build fails."""
        logger.warning(message, location=location, type="perpref")

    def note(self, kind: str, name: str, stated: Stated) -> None:
        """Remember where something is stated; a second statement is a mistake."""
        before = self.stated.get((kind, name))
        if before is not None:
            self.complain(
                f"the {kind} {name} is stated twice, first in {before.docname}",
                (stated.docname, stated.line),
            )
        self.stated[kind, name] = stated

    def note_card(self, rule: str, card: Card) -> None:
        """Remember what the card of a rule shows."""
        self.shown[rule] = card

    def cards(self) -> dict[str, Stated]:
        """Every card by rule id, in order."""
        found = {name: stated for (kind, name), stated in self.stated.items() if kind == "rule"}
        return {rule: found[rule] for rule in sorted(found, key=in_order)}

    def clear_doc(self, docname: str) -> None:
        self.data["stated"] = {
            key: stated for key, stated in self.stated.items() if stated.docname != docname
        }
        self.data["shown"] = {
            rule: card for rule, card in self.shown.items() if card.docname != docname
        }

    def merge_domaindata(self, docnames: Set[str], otherdata: dict[str, Any]) -> None:
        for key, stated in otherdata["stated"].items():
            if stated.docname in docnames:
                self.stated[key] = stated
        self.shown.update(otherdata["shown"])

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        for (kind, name), stated in self.stated.items():
            yield name, f"{name} {stated.title}", kind, stated.docname, stated.anchor, 1

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: addnodes.pending_xref,
        contnode: nodes.Element,
    ) -> nodes.reference | None:
        """Link to the card; while chapters are missing, a rule that code carries goes unlinked."""
        stated = self.stated.get((typ, target))
        if stated is not None:
            return make_refnode(
                builder, fromdocname, stated.docname, stated.anchor, contnode, stated.title
            )
        if not self.is_complete and (typ != "rule" or target in sources.of(env).named()):
            return cast(nodes.reference, contnode)
        return None

    def resolve_any_xref(self, *_: Any) -> list[tuple[str, nodes.reference]]:
        return []

    def check_consistency(self) -> None:
        """Spec, code and proofs must speak of the same rules."""
        known = sources.of(self.env)
        ids = {rule for rule, found in known.functions.items() if found}
        ids |= {rule for rule, card in self.shown.items() if card.code}
        if not self.is_complete:
            without = sorted(ids - self.cards().keys(), key=in_order)
            logger.info("rules without a card yet: %s", ", ".join(without) or "none")
            return
        for rule in sorted(ids - self.cards().keys(), key=in_order):
            places = ", ".join(f"{code.path}:{code.line}" for code in known.functions[rule])
            self.complain(f"the rule {rule} has no card in the spec; its code is at {places}")
        for refusal in known.refusals:
            if refusal.rule not in ids:
                self.complain(f"the refusal {refusal.code} names an unknown rule, {refusal.rule}")
        for theorem in known.theorems:
            for rule in theorem.rules:
                if rule not in ids:
                    self.complain(f"the theorem {theorem.name} names an unknown rule, {rule}")


def rule_domain(env: BuildEnvironment) -> RuleDomain:
    """The domain of the book that is being built."""
    return cast(RuleDomain, env.get_domain("perp"))


def setup(app: Sphinx) -> None:
    """Register the directive, the domain and the short roles."""
    app.add_config_value("perpref_complete", True, "env", bool)
    app.add_domain(RuleDomain)
    app.add_directive("rule", RuleDirective)
    for kind in ("rule", "refusal", "theorem"):
        app.add_role(kind, ShortRole())
