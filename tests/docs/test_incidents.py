"""The page of incidents: all of them are on it, with what came of carrying them out."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from perpref.state import Stage
from perpref_docs.incidents import Story, fates, picture, stories
from tests.docs.test_rules import build

ROOT = Path(__file__).parents[2]
FOUND = stories()
TOLD = [story for told in FOUND.values() for story in told]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    html, warnings = build(tmp_path_factory.mktemp("book"), "```{incidents}\n```", complete=False)
    # The small book states none of the rules that the page refers to.
    assert [line for line in warnings if not re.search("WARNING: no card states", line)] == []
    return html


def plain(html: str) -> str:
    """The words of a page, with quotation marks as they were typed."""
    text = unescape(re.sub(r"<[^>]+>", "", html))
    return " ".join(text.replace("\u2019", "'").split())


def test_there_are_sixteen_in_their_order() -> None:
    assert list(FOUND) == [f"S{number}" for number in range(1, 17)]
    for told in FOUND.values():
        assert [story.incident.mends for story in told] == [None] + [told[0].name] * (len(told) - 1)


def test_the_page_has_all_sixteen(page: str) -> None:
    text = plain(page)
    for number, told in FOUND.items():
        assert f"{number}. {told[0].play.scenario.title}" in text


@pytest.mark.parametrize("story", TOLD, ids=lambda story: story.name)
def test_the_page_tells_each(story: Story, page: str) -> None:
    begin = page.index(f'<section id="{story.name}">')
    text = plain(page[begin:])
    assert f"perpref run {story.name}" in text
    assert text.index(story.play.scenario.title) < 20
    assert " ".join(story.play.scenario.prose.split()[:8]) in text
    assert picture(story.play) in page
    for source in story.incident.sources:
        assert " ".join(source.split()) in plain(page)


@pytest.mark.parametrize("story", TOLD, ids=lambda story: story.name)
def test_the_picture_is_what_happened(story: Story) -> None:
    assert story.play.missed == ()
    drawn = ET.fromstring(picture(story.play))
    words = [node.text for node in drawn.iter() if node.tag.endswith("text")]
    kinds = [node.get("class") for node in drawn.iter() if node.tag.endswith("rect")]
    assert len([kind for kind in kinds if kind in ("incident-gain", "incident-loss")]) == len(
        [fate for fate in fates(story.play) if fate.gain]
    )
    rulebook = story.play.start.rulebook.waterfall
    for stage in Stage:
        assert (stage.value in words) == (stage in rulebook)
    for fate in fates(story.play):
        assert fate.name in words
        assert f"{fate.brought:,} → {fate.has:,}" in words


@pytest.mark.parametrize("story", TOLD, ids=lambda story: story.name)
def test_what_some_gained_others_lost(story: Story) -> None:
    assert sum(fate.gain for fate in fates(story.play)) == 0


def test_the_page_is_in_the_book() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert "\nvenues\nincidents\n" in index
    assert "```{incidents}" in (ROOT / "docs" / "incidents.md").read_text(encoding="utf-8")
