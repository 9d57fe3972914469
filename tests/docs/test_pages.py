"""What README and CONTRIBUTING name exists, and what they quote is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from perpref.adapters.bluefin.known import known
from perpref.cli import main
from proofs.registry import Strength, theorems

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
OUTSIDE_THE_BOOK = ["README.md", "examples/engines/README.md"]
"""Sphinx looks at the links of the others."""

MADE_LATER = {"docs/_build/html/index.html"}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


@pytest.mark.parametrize("page", OUTSIDE_THE_BOOK)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/tutorial.md"])
def test_files_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text)) - MADE_LATER
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", [README, CONTRIBUTING, TUTORIAL])
def test_make_has_the_targets_that_are_named(page: str) -> None:
    named = set(re.findall(r"(?:`|\$ )make\s([a-z-]+)", page))
    assert named
    assert named <= TARGETS


def test_every_quotation_of_the_walk_through_is_in_the_file_that_it_names() -> None:
    walk = CONTRIBUTING[CONTRIBUTING.index("## One rule") : CONTRIBUTING.index("Three more places")]
    _, *steps = re.split(r"^\d\. \*\*", walk, flags=re.M)
    assert len(steps) == 5
    for step in steps:
        files = re.findall(r"`([\w/]+\.(?:md|py))`", step)
        quotes = re.findall(r"^   (`{3,4})\w+\n(.*?)^   \1$", step, re.M | re.S)
        assert files
        assert quotes
        sources = [(ROOT / name).read_text(encoding="utf-8") for name in files]
        for _, quote in quotes:
            plain = re.sub(r"^   ", "", quote, flags=re.M)
            assert any(plain in source for source in sources), quote


def test_the_vector_of_the_walk_through_is_about_the_rule() -> None:
    (name,) = re.findall(r"`(spec/vectors/\w+/\w+\.json)`", CONTRIBUTING)
    assert '"VLT-2"' in (ROOT / name).read_text(encoding="utf-8")


def test_the_scenario_is_told_as_the_readme_shows() -> None:
    ran = CliRunner().invoke(main, ["run", "overbooked-flight"])
    sixth, end, _ = re.findall(r"```text\n(.*?)```", README, re.S)
    assert ran.exit_code == 0
    assert sixth in ran.output
    assert ran.output.endswith(end)


def test_the_finding_of_the_readme_is_the_one_of_the_tutorial() -> None:
    """The tutorial's own test finds it again."""
    *_, finding = re.findall(r"```text\n(.*?)```", README, re.S)
    assert finding.startswith("FINDING ")
    assert finding in TUTORIAL


def test_what_the_readme_calls_proved_is_a_theorem_and_the_rest_is_not() -> None:
    begin = README.index("## Verified properties")
    proved, rest = README[begin : README.index("## Where to read on")].split("And what is not")
    named = {page: set(re.findall(r"T-[A-Z]+", page)) for page in (proved, rest)}
    held = {theorem.property for theorem in theorems() if theorem.strength is Strength.THEOREM}
    assert len(named[proved]) > 10
    assert named[proved] <= held
    assert named[rest]
    assert not named[rest] & held
    assert named[rest] <= {theorem.property for theorem in theorems()}


def test_the_readme_names_every_property_that_is_refuted() -> None:
    refuted = [theorem for theorem in theorems() if theorem.strength is Strength.REFUTED]
    said = README[README.index("*Refuted*") : README.index("*Tested*")]
    assert len(refuted) == len(re.findall(r"(?:: |And )that ", said))


def test_the_readme_counts_what_is_known_of_bluefin() -> None:
    """`make check` asks whether the findings are the known ones."""
    said = (
        f"{len(known('arbitrum'))} ways to break one are known in the build for Arbitrum and "
        f"{len(known('boba'))} in the one for Boba."
    )
    assert said in " ".join(README.split())


def test_the_changelog_counts_the_faults_of_the_example_engine() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "examples" / "engines" / "exchange.py", "--list-faults"],
        capture_output=True,
        check=True,
        text=True,
    )
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"with {len(ran.stdout.splitlines())} faults to plant" in changes
