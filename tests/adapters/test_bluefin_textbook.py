"""Where Bluefin stands to the textbook: every rule once, and every reason there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from perpref.adapters.bluefin import install as installer
from perpref.adapters.bluefin import model
from perpref.adapters.bluefin.terms import RULEBOOK
from perpref.adapters.bluefin.textbook import Stands, standings

SPEC = Path(__file__).parents[2] / "spec"
RULE = re.compile(r"^```\{rule\} ([A-Z]+-\d+)$", re.MULTILINE)


def test_every_rule_of_the_textbook_is_answered_once() -> None:
    stated = [rule for page in SPEC.glob("*.md") for rule in RULE.findall(page.read_text("utf-8"))]
    answered = [rule for entry in standings() for rule in entry.rules]
    assert len(stated) > 50
    assert sorted(answered) == sorted(stated)


def test_every_reason_is_a_rule_of_the_model() -> None:
    for entry in standings():
        assert set(entry.by) <= set(model.rules()), entry
        assert entry.by or entry.stands is Stands.LACKS
        assert entry.says.endswith(".")


def test_the_rulebook_names_the_package_that_is_pinned() -> None:
    venue = tomllib.loads(RULEBOOK.read_text("utf-8"))["venue"]
    assert venue["integrity"] == installer.integrity()
    assert venue["package"].startswith(installer.package())


def test_every_commit_that_a_source_names_is_given_in_full() -> None:
    text = RULEBOOK.read_text("utf-8")
    commits = tomllib.loads(text)["venue"]["commits"]
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in commits)
    for short in re.findall(r"at ([0-9a-f]{8})\b", text):
        assert [commit for commit in commits if commit.startswith(short)], short
