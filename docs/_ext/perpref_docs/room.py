"""A room of a card: a line that says what is inside, and the inside, which can be folded away."""

from __future__ import annotations

from collections.abc import Sequence

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from perpref_docs.sources import Code

TALL = 45
"""Source with more lines than this is folded away at first."""


class room(nodes.Element, nodes.General):  # noqa: N801 (docutils finds visitors by this name)
    """`summary` and what it sums up; open or folded at first."""


class summary(nodes.TextElement, nodes.General):  # noqa: N801
    """The line of a room that is always seen."""


def make_room(
    kind: str, line: Sequence[nodes.Node], inside: Sequence[nodes.Node], is_open: bool
) -> room:
    """A room of this kind (its CSS class)."""
    made = room(classes=["room", f"room-{kind}"], open=is_open)
    made += summary("", "", *line)
    made += list(inside)
    return made


def code_room(code: Code, *, fold: bool = False, label: str = "Code") -> room:
    """A room that shows a piece of source."""
    listing = nodes.literal_block(code.text, code.text, language="python")
    line = [
        nodes.inline("", label, classes=["room-label"]),
        nodes.Text(" "),  # where a narrow page may break the line
        nodes.literal("", code.short_name),
        nodes.inline("", f"{code.path}:{code.line}", classes=["room-place"]),
    ]
    return make_room("code", line, [listing], not fold and code.text.count("\n") < TALL)


def _visit_room(writer: HTML5Translator, node: room) -> None:
    tag = writer.starttag(node, "details", "")
    writer.body.append(tag.replace("<details", "<details open", 1) if node["open"] else tag)


def _depart_room(writer: HTML5Translator, _node: room) -> None:
    writer.body.append("</details>\n")


def _visit_summary(writer: HTML5Translator, node: summary) -> None:
    writer.body.append(writer.starttag(node, "summary", ""))


def _depart_summary(writer: HTML5Translator, _node: summary) -> None:
    writer.body.append("</summary>\n")


def _pass(_writer: object, _node: nodes.Node) -> None:
    """Other builders show the contents alone."""


def setup(app: Sphinx) -> None:
    """Register the two nodes."""
    other = dict.fromkeys(("latex", "text", "man", "texinfo"), (_pass, _pass))
    app.add_node(room, html=(_visit_room, _depart_room), **other)  # type: ignore[arg-type]
    app.add_node(summary, html=(_visit_summary, _depart_summary), **other)  # type: ignore[arg-type]
