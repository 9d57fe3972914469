"""`perpref check bluefin:BUILD`: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tests.adapters.needed")

from click.testing import CliRunner
from rich.console import Console

from perpref import cli_bluefin
from perpref.adapters.bluefin import known as knowing
from perpref.adapters.bluefin.known import known
from perpref.cli import main


@pytest.fixture(scope="module")
def told(folder: Path) -> tuple[int, str, dict[str, Any]]:
    """A short check: what it found, what it printed, what it would write."""
    paper = StringIO()
    findings, report = cli_bluefin.check(Console(file=paper), "boba", 1, 7, quiet=False)
    return findings, paper.getvalue(), report


def test_it_says_what_was_checked_and_how(told: tuple[int, str, dict[str, Any]]) -> None:
    _, text, report = told
    assert f"the bytecode in npm package {report['package']}" in text
    assert report["integrity"] in text
    assert "in an EVM in this process, with an oracle, a token and operators of ours" in text
    assert "CONFORMS, as far as was searched" in text
    assert "held   conservation" in text
    assert "BROKEN backing" in text


def test_it_tells_every_broken_law_side_by_side(told: tuple[int, str, dict[str, Any]]) -> None:
    findings, text, report = told
    broken = report["laws"]["broken"]
    assert findings == len(broken) == len(known("boba"))
    for number, entry in enumerate(broken, 1):
        head = f"LAW BROKEN {number} of {findings}: {entry['law']}, by {entry['rule']}\n"
        assert text.count(head) == 1
    assert "command  " in text and "holds  " in text and "owes  the contracts" in text
    assert "Had the market ended there" in text
    assert "seed 7" in text
    assert f"{findings} of them known" in text


def test_the_report_is_compared_with_what_is_known(
    told: tuple[int, str, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, report = tmp_path / "boba.json", json.loads(json.dumps(told[2]))
    path.write_text(json.dumps(report), "utf-8")
    assert knowing.main([str(path)]) == (1 if report["differential"]["unreached"] else 0)
    report["differential"]["unreached"] = []
    path.write_text(json.dumps(report), "utf-8")
    capsys.readouterr()
    assert knowing.main([str(path)]) == 0
    assert "it breaks the 10 laws that it is known to break, no more" in capsys.readouterr().out

    first = report["laws"]["broken"].pop(0)
    report["laws"]["broken"][0]["rule"] = "BF-NEW-1"
    path.write_text(json.dumps(report), "utf-8")
    assert knowing.main([str(path)]) == 1
    said = capsys.readouterr().out
    assert "not known:" in said and "by BF-NEW-1" in said
    assert f"no longer found: {first['law']}, by {first['rule']}" in said


def test_no_report_no_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.json"
    assert knowing.main([str(path)]) == 2
    path.write_text("{}", "utf-8")
    assert knowing.main([str(path)]) == 2
    assert knowing.main([]) == 2
    assert "this is no report of a check of Bluefin" in capsys.readouterr().err


def test_another_build_is_a_misuse() -> None:
    done = CliRunner().invoke(main, ["check", "bluefin:optimism"])
    assert done.exit_code == 2
    assert "there is no such build; there are arbitrum, boba" in done.output


def test_without_npm_it_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(main, ["check", "bluefin:boba"])
    assert done.exit_code == 2
    assert done.output.splitlines() == [
        "perpref check: bluefin:boba: npm is not installed; it is needed once, to fetch the engine"
    ]
    assert list(tmp_path.iterdir()) == []


def test_findings_are_exit_status_1_and_quiet_leaves_little_else(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    arguments = ["check", "bluefin:boba", "--seed", "7", "--examples", "1", "--quiet"]
    done = CliRunner().invoke(main, [*arguments, "--json", str(path)])
    assert done.exit_code == 1
    assert done.output.startswith("LAW BROKEN 1 of")
    assert "THE TEXTBOOK" not in done.output
    report = json.loads(path.read_text("utf-8"))
    assert done.output.count("LAW BROKEN") == len(report["laws"]["broken"])
    assert report["laws"]["seed"] == 7
    assert {entry["stands"] for entry in report["textbook"]} == {"keeps", "deviates", "lacks"}
