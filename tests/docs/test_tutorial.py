"""The tutorial's adapter is run as the page says, and does what the page says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from click.testing import CliRunner

from perpref.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
ADAPTER, MENDED = map(str, re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
(SEED,) = re.findall(r"check 'python adapter.py' --seed (\d+) --json", PAGE)
CHECK = ("--seed", SEED, "--examples", "150")


def check(adapter: str, folder: Path, *options: str) -> tuple[int, str]:
    """The exit status of a check of this adapter, and what was printed."""
    path = folder / "adapter.py"
    path.write_text(adapter)
    ran = CliRunner().invoke(main, ["check", f"{sys.executable} {path}", *CHECK, *options])
    return ran.exit_code, ran.output


def mended() -> str:
    deposit, withdraw = "if amount < 1:", "if amount < 1 or account"
    body = MENDED.splitlines()
    assert ADAPTER.count(deposit) == ADAPTER.count(withdraw) == 1
    better = str(ADAPTER).replace(deposit, body[0])
    return better.replace(withdraw, "if not 1 <= amount <= 10**24 or account")


def test_the_adapter_is_found_to_break_the_rule_that_the_page_shows(tmp_path: Path) -> None:
    status, said = check(ADAPTER, tmp_path)
    story = re.search(r"FINDING UNIT-2.*?<- here they part\n", PAGE, re.DOTALL)
    assert story is not None
    assert status == 1
    assert story.group() in said


def test_the_mended_adapter_conforms(tmp_path: Path) -> None:
    status, said = check(mended(), tmp_path)
    assert status == 0
    assert said.splitlines()[-1] == "acme CONFORMS to textbook, as far as was compared."


def test_a_number_that_is_no_string_is_the_adapters_fault(tmp_path: Path) -> None:
    status, said = check(ADAPTER.replace("str(cash)", "cash"), tmp_path)
    assert status == 1
    assert "THE ADAPTER writes a reply that is not as the protocol says" in said
    expected = re.search(r"  Expected: a reply as spec/protocol.md says.*?(?=```)", PAGE, re.DOTALL)
    assert expected is not None
    assert expected.group() in said


def test_an_adapter_that_never_knows_is_told_what_is_missing(tmp_path: Path) -> None:
    (answer,) = re.findall(r"no more than `(return .*?)`", PAGE)
    begin = ADAPTER.index("    [(name, fields)]")
    end = ADAPTER.index("\n\n\ndef answer")
    status, said = check(f"{ADAPTER[:begin]}    {answer}{ADAPTER[end:]}", tmp_path)
    shown = re.search(r"THE ADAPTER answers.*?(?=```)", PAGE, re.DOTALL)
    assert shown is not None
    assert status == 1
    assert shown.group() in said


def test_the_finding_is_replayed_and_the_report_has_what_the_page_names(tmp_path: Path) -> None:
    report = tmp_path / "finding.json"
    check(ADAPTER, tmp_path, "--json", str(report))
    kept = json.loads(report.read_text())
    named = re.search(r"Keep\n`report.json`.*?again on any machine", PAGE, re.DOTALL)
    assert named is not None
    keys = set(re.findall(r"`(\w+)`", named.group()))
    assert keys == {"conforms", "seed", "reach", "finding", "story", "case"}
    assert keys <= set(kept)
    assert "account 2 deposits 5000000000000000000000000" in kept["story"]
    status, said = check(mended(), tmp_path, "--replay", str(report))
    assert status == 0
    (shown,) = re.findall(r"^acme CONFORMS in this one case.*$", PAGE, re.M)
    assert said.splitlines()[-1] == shown


def test_the_story_on_the_page_is_what_the_fault_gives() -> None:
    told = r"check '(python examples/engines/exchange.py --fault .*?)' --seed (\d+)"
    fault = re.search(told, PAGE)
    story = re.search(r"FINDING LIQ-5.*?In money.*?\.\n", PAGE, re.DOTALL)
    assert fault is not None
    assert story is not None
    command = fault.group(1).replace("python", sys.executable, 1)
    ran = CliRunner().invoke(main, ["check", command, "--seed", fault.group(2)])
    assert ran.exit_code == 1
    assert story.group() in ran.output
