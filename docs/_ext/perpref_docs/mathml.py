"""Formulas as MathML, made when the book is built: to show one takes no script and no font."""

from __future__ import annotations

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

ENVIRONMENTS = {"aligned": "align*", "align": "align*", "gathered": "gather*", "split": "align*"}
"""Environments that latex2mathml does not know or would number, and what stands in for them."""

AS_OPERATORS = "".join(map(chr, (0x230A, 0x230B, 0x2308, 0x2309, 0x27E8, 0x27E9, 0x27FA, 0x27F9)))
"""Signs that latex2mathml takes for identifiers: floor, ceiling, angle brackets, long arrows."""

CLOSES = re.compile(r"[,.;:!?)\]’”]+")
"""Signs that do not begin a line."""


class NotUnderstood(ValueError):
    """A formula that cannot be shown as it is meant."""


def mathml(formula: str, *, display: bool) -> str:
    """The MathML of a LaTeX formula.

    Raises:
        NotUnderstood: the formula has something that is not LaTeX, or that is not known here.
    """
    for name, stand_in in ENVIRONMENTS.items():
        for edge in ("begin", "end"):
            formula = formula.replace(f"\\{edge}{{{name}}}", f"\\{edge}{{{stand_in}}}")
    try:
        made = convert(formula.strip(), display="block" if display else "inline")
    except Exception as error:  # latex2mathml has no common exception
        raise NotUnderstood(f"{type(error).__name__}: {error}") from error
    made = re.sub(r"&#x0*([0-9A-Fa-f]+);", lambda found: _character(int(found[1], 16)), made)
    unknown = re.search(r"\\[A-Za-z]+|>&<", made)
    if unknown:
        raise NotUnderstood(f"what is {unknown[0].strip('<>')!r}?")
    made = re.sub(f"<mi>([{AS_OPERATORS}])</mi>", r'<mo stretchy="false">\1</mo>', made)
    # A bar is a fence (`\mid` is the relation); the name of a function stands close to its bracket.
    made = re.sub(
        r'<mo(?: stretchy="false")?>\|</mo>',
        '<mo stretchy="false" lspace="0" rspace="0">|</mo>',
        made,
    )
    return re.sub(r"<mo>([A-Za-z]{2,})</mo>", r"<mi>\1</mi>", made)


def _character(point: int) -> str:
    return f"&#{point};" if chr(point) in "<>&\"'" else chr(point)


def _show(writer: HTML5Translator, node: nodes.math | nodes.math_block, display: bool) -> None:
    formula = node.astext()
    try:
        writer.body.append(mathml(formula, display=display))
    except NotUnderstood as error:
        logger.warning("the formula %r is not understood: %s", formula, error, location=node)
        writer.body.append(f"<code>{writer.encode(formula)}</code>")


def _visit_math(writer: HTML5Translator, node: nodes.math) -> None:
    _show(writer, node, display=False)
    raise nodes.SkipNode


def _visit_display(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(writer.starttag(node, "div", "", CLASS="math"))
    _show(writer, node, display=True)
    if node.get("number"):
        writer.body.append(f'<span class="eqno">({node["number"]})')
        writer.add_permalink_ref(node, "Link to this formula")
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise nodes.SkipNode


class KeepWhatCloses(SphinxPostTransform):
    """A comma stays on the line of the formula before it; browsers would break between the two."""

    default_priority = 500

    def run(self, **_: object) -> None:
        for formula in list(self.document.findall(nodes.math)):
            after = formula.next_node(descend=False, siblings=True)
            if not isinstance(after, nodes.Text) or (closes := CLOSES.match(after)) is None:
                continue
            formula.parent.replace(after, nodes.Text(after[closes.end() :]))
            together = nodes.inline("", "", classes=["closed"])
            formula.replace_self(together)
            together += [formula, nodes.Text(closes[0])]


def setup(app: Sphinx) -> None:
    """Register the renderer as `mathml`."""
    app.add_post_transform(KeepWhatCloses)
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_display, None))
