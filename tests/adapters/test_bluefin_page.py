"""The page in the book tells what is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tests.adapters.needed")

from perpref.adapters import bluefin
from perpref.adapters.bluefin import model
from perpref.adapters.bluefin.known import known
from perpref.adapters.bluefin.page import PAGE, parts, put


def test_the_page_is_what_the_searches_find(folder: Path) -> None:
    """Written anew by `python -m perpref.adapters.bluefin.page`."""
    page = PAGE.read_text("utf-8")
    reports = {build: bluefin.laws(build, 1, folder=folder) for build in bluefin.builds()}
    for name, text in parts(reports).items():
        assert text
        assert put(page, name, text) == page, name


def test_the_page_tells_every_law_that_is_known_to_break() -> None:
    page = PAGE.read_text("utf-8")
    for build in bluefin.builds():
        for law, rule in known(build):
            assert f"### {law[0].upper()}{law[1:]}, by `{rule}`" in page
    assert f"a model of {len(model.rules())} rules" in page
    assert f"{len(model.rules()) - len(model.observed())} of the rules are stated as" in page


def test_a_part_without_a_place_is_noticed() -> None:
    assert put("<!-- a: begin -->old<!-- a: end -->", "a", "x\\1") == (
        "<!-- a: begin -->\nx\\1\n<!-- a: end -->"
    )
    with pytest.raises(ValueError, match="no one place for the part 'b'"):
        put("<!-- a: begin --><!-- a: end -->", "b", "new")
