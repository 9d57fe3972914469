"""The cards of the book, and the build that fails when spec, code and proofs disagree."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from proofs.registry import Strength, theorems

CARD = """
```{rule} ADL-4
:title: The counterparty stays *solvent*

Refused when it would leave $E_c < 0$.
```
"""


def build(
    folder: Path, chapter: str, sources: str = "agreed", *, complete: bool = True
) -> tuple[str, list[str]]:
    """The HTML of a book of one chapter, and the warnings."""
    source = folder / "source"
    source.mkdir()
    tables = "\n".join(
        f"```{{{name}}}\n```\n" for name in ("rule-index", "refusal-index", "property-ledger")
    )
    (source / "index.md").write_text(f"# A chapter\n\n{chapter}\n\n# Tables\n\n{tables}")
    warnings = StringIO()
    with patch_docutils(source), docutils_namespace():
        app = Sphinx(
            source,
            None,
            folder / "html",
            folder / "doctrees",
            "html",
            confoverrides={
                "extensions": ["myst_parser", "perpref_docs"],
                "myst_enable_extensions": ["dollarmath", "amsmath"],
                "html_math_renderer": "mathml",
                "html_theme": "basic",
                "perpref_sources": f"tests.docs.small_book:{sources}",
                "perpref_complete": complete,
            },
            status=None,
            warning=warnings,
            freshenv=True,
        )
        app.build()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", warnings.getvalue())
    return (folder / "html" / "index.html").read_text(), plain.splitlines()


def test_a_card_pulls_code_refusals_and_theorems_by_id(tmp_path: Path) -> None:
    html, warnings = build(tmp_path, CARD)
    assert warnings == []
    card = html[html.index('id="adl-4"') : html.index("</section>", html.index('id="adl-4"'))]
    assert "stays <em>solvent</em>" in card
    assert "perpref/rules/adl.py:88" in card
    assert "cannot_bear" in card
    assert "Deleveraging never bankrupts the counterparty" in card
    assert "<math" in card


def test_roles_link_to_the_card_the_refusal_and_the_theorem(tmp_path: Path) -> None:
    named = "deleveraging_never_bankrupts_the_counterparty"
    html, warnings = build(
        tmp_path, f"See {{rule}}`ADL-4`, {{refusal}}`cannot_bear`, {{theorem}}`{named}`.\n{CARD}"
    )
    assert warnings == []
    sentence = html[html.index("<p>See") : html.index("</p>", html.index("<p>See"))]
    assert 'href="#adl-4"' in sentence
    assert 'href="#refusal-cannot-bear"' in sentence
    assert 'href="#theorem-t-adl-deleveraging-never-bankrupts-the-counterparty"' in sentence


@pytest.mark.parametrize(
    ("chapter", "sources", "complaint"),
    [
        (CARD + CARD.replace("ADL-4", "ADL-7"), "agreed", "no code carries the rule ADL-7"),
        (CARD + "{rule}`ADL-7`", "agreed", "no card states the rule ADL-7"),
        (CARD + "{refusal}`never`", "agreed", "no table of refusals has never"),
        (CARD, "with_more_code", "the rule ADL-5 has no card in the spec"),
        (CARD, "with_a_stray_theorem", "names an unknown rule, ADL-9"),
        (CARD, "with_a_stray_refusal", "names an unknown rule, ADL-8"),
        (CARD + CARD, "agreed", "the rule ADL-4 is stated twice"),
        (CARD + "\n$\\nonsense{x}$", "agreed", "is not understood: what is"),
        (CARD.replace("ADL-4", "adl-four"), "agreed", "is no rule id"),
        (
            CARD.replace("title:", "carried-by: perpref.units.NOTHING\n:title:"),
            "agreed",
            "there is no perpref.units.NOTHING",
        ),
    ],
)
def test_a_disagreement_is_a_warning(
    tmp_path: Path, chapter: str, sources: str, complaint: str
) -> None:
    _, warnings = build(tmp_path, chapter, sources)
    assert any(complaint in warning for warning in warnings), warnings


def test_what_closes_a_formula_stays_on_its_line(tmp_path: Path) -> None:
    html, warnings = build(tmp_path, CARD + "\nA pot of $C$, and (of $D$). It has $E$ lots.\n")
    assert warnings == []
    said = html[html.index("<p>A pot") :]
    line = re.sub(r"<math.*?</math>", "+", said[: said.index("</p>")])
    assert line == (
        '<p>A pot of <span class="closed">+,</span> and (of <span class="closed">+).</span> '
        "It has + lots."
    )


def test_what_cannot_be_decorated_is_named_in_the_card(tmp_path: Path) -> None:
    card = CARD.replace("ADL-4", "UNIT-2").replace(
        "title:", "carried-by: perpref.units.MAX_CASH\n:title:"
    )
    html, warnings = build(tmp_path, CARD + card)
    assert warnings == []
    assert "units.MAX_CASH" in html


def test_while_chapters_are_missing_code_without_a_card_is_no_mistake(tmp_path: Path) -> None:
    _, warnings = build(tmp_path, CARD + "{rule}`ADL-5`", "with_more_code", complete=False)
    assert warnings == []


def test_the_help_of_every_command_is_shown(tmp_path: Path) -> None:
    html, warnings = build(
        tmp_path, CARD + "\n```{command-line} tests.docs.command:main\n:called: pot\n```\n"
    )
    assert warnings == []
    assert "Keeps the pot." in html
    assert "Usage: pot close [OPTIONS]" in html
    assert "--lots" in html


def test_a_schema_is_shown_as_tables_that_link_to_each_other(tmp_path: Path) -> None:
    schema = {
        "$defs": {
            "lots": {"type": "string", "pattern": "^[0-9]+$"},
            "order": {
                "description": "What is asked for.",
                "properties": {"size": {"$ref": "#/$defs/lots"}},
                "required": ["size"],
            },
        }
    }
    (tmp_path / "order.json").write_text(json.dumps(schema))
    html, warnings = build(tmp_path, CARD + "\n```{json-schema} ../order.json\n```\n")
    assert warnings == []
    assert "What is asked for." in html
    assert 'href="#order-lots"' in html
    assert 'id="order-lots"' in html
    assert "Required" in html
    assert "Meaning" not in html


def test_a_picture_is_put_into_the_page_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "pot.svg").write_text('<?xml version="1.0"?><svg viewBox="0 0 1 1"></svg>')
    html, warnings = build(
        tmp_path, CARD + '\n```{picture} ../pot.svg\n:alt: The "pot"\n\nOne pot.\n```\n'
    )
    assert warnings == []
    assert '<svg role="img" aria-label="The &quot;pot&quot;" viewBox="0 0 1 1">' in html
    assert "One pot." in html


def test_what_the_ways_of_adl_keep_is_held_as_their_table_says() -> None:
    page = (Path(__file__).parents[2] / "spec" / "adl.md").read_text(encoding="utf-8")
    begin = page.index("| | the queue, or the walk |")
    table = page[begin : page.index("\n\n", begin)]
    said = re.findall(r"(proved|bounded|refuted|tested)[^`|]*`(\w+)`", table)
    held = {one.name: one.strength for one in theorems()}
    strengths = {
        "proved": Strength.THEOREM,
        "bounded": Strength.BOUNDED,
        "refuted": Strength.REFUTED,
        "tested": Strength.TESTED,
    }
    assert len(said) == len(re.findall(r"`\w+_\w+_\w+_\w+`", table)) > 12
    for word, name in said:
        assert held[name] is strengths[word], name
