"""The example engine conforms, knows nothing of `perpref`, and each of its faults is found."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from perpref.checker.check import Checked, check
from perpref.checker.finding import Kind
from perpref.checker.pipe import Pipe
from perpref.checker.rulebook_file import load_venue
from perpref.checker.search import Budget
from perpref.checker.stopwatch import Stopwatch
from perpref.checker.titles import TITLES
from perpref.cli_check import check as command

FOLDER = Path(__file__).parent.parent.parent / "examples" / "engines"
ENGINE = FOLDER / "exchange.py"
LISTED = json.loads(
    subprocess.run(
        [sys.executable, str(ENGINE), "--list-faults", "--json"],
        check=True,
        capture_output=True,
        timeout=30,
    ).stdout
)
RULE_OF = {row["name"]: row["rule"] for row in LISTED}
MOST_COMMANDS = 10
SEED = 1


def checked(*options: str, examples: int = 1_000, seed: int = SEED) -> Checked:
    """A whole check of the engine, behind a pipe, under the textbook's rules."""
    pipe = Pipe([sys.executable, str(ENGINE), *options], timeout=30)
    try:
        return check(pipe, load_venue("textbook").as_terms, seed, Budget(examples), Stopwatch())
    finally:
        pipe.kill()


def told(*arguments: str) -> Result:
    """What the command line makes of the engine with these options of `perpref check`."""
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False)


def engine(*options: str) -> str:
    return shlex.join([sys.executable, str(ENGINE), *options])


# What it is made of.


def test_it_imports_the_standard_library_alone() -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(ENGINE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            imported.add((node.module or "").split(".")[0])
    assert "json" in imported
    assert imported <= set(sys.stdlib_module_names)
    assert "perpref" not in imported
    assert "importlib" not in imported
    assert "__import__" not in ENGINE.read_text(encoding="utf-8")


def test_it_runs_where_perpref_is_not_installed() -> None:
    """`-I -S`: no environment, no site packages, nothing beside the script."""
    asked = '{"cmd":"start","version":"1"}\n{"cmd":"stop"}\n'
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(ENGINE)],
        input=asked,
        text=True,
        capture_output=True,
        timeout=30,
        check=True,
    )
    hello, goodbye = map(json.loads, ran.stdout.splitlines())
    assert hello["engine"] == "example"
    assert goodbye == {"ok": True}


def test_no_fault_hangs_on_a_number() -> None:
    """Where the source asks for a fault it compares nothing with a number but 0 and 1."""
    tree = ast.parse(ENGINE.read_text(encoding="utf-8"))
    asks = [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.BoolOp | ast.IfExp)]
    about_faults = [node for node in asks if "self.fault" in ast.unparse(_condition(node))]
    named = {name for name in RULE_OF for node in about_faults if name in ast.unparse(node)}
    for node in about_faults:
        for part in ast.walk(_condition(node)):
            if isinstance(part, ast.Constant) and isinstance(part.value, int):
                assert part.value in (0, 1), ast.unparse(node)
    assert len(named) > len(RULE_OF) // 2


def _condition(node: ast.If | ast.BoolOp | ast.IfExp) -> ast.expr:
    return node if isinstance(node, ast.BoolOp) else node.test


# Its faults, as a list and in words.


def test_there_are_faults_of_many_rules() -> None:
    assert len(LISTED) >= 12
    assert len(RULE_OF) == len(LISTED)
    assert set(RULE_OF.values()) <= set(TITLES)
    assert len(set(RULE_OF.values())) > 20


def test_the_page_has_the_table_of_faults() -> None:
    rows = [f"| `{row['name']}` | {row['rule']} | {row['does']} |" for row in LISTED]
    page = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in page if line.startswith("| `")] == rows


def test_a_fault_that_there_is_not_is_refused() -> None:
    ran = subprocess.run(
        [sys.executable, str(ENGINE), "--fault", "no-such-fault"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 2
    assert "no-such-fault" in ran.stderr


# What the checker finds.


def test_it_conforms() -> None:
    result = checked(examples=100)
    assert result.fault is None
    assert result.found is None
    assert result.examples == 100
    assert result.commands > 3_000
    assert {"LIQ-6", "VLT-1", "ADL-3", "FUND-3"} <= set(result.reach.acted)


@pytest.mark.parametrize("fault", sorted(RULE_OF))
def test_a_fault_is_found_and_the_rule_is_named(fault: str) -> None:
    """By the first search, or by two others: blame is judged from evidence, and may be misled."""
    first = checked("--fault", fault)
    others = (checked("--fault", fault, seed=SEED + more) for more in (1, 2))
    told = [first] if is_told(first, fault) else list(others)
    for result in told:
        assert is_told(result, fault), (result.found, first.blamed, result.blamed)
        assert result.note == ""


def is_told(result: Checked, fault: str) -> bool:
    """Whether a fault was found, by its rule, in a short story."""
    if result.found is None:
        return False
    case, finding = result.found
    assert finding.kind is not Kind.FAILURE
    return finding.rule == RULE_OF[fault] and len(case.commands) <= MOST_COMMANDS


# The command line.


def test_exit_status_0_when_it_conforms() -> None:
    result = told(engine(), "--seed", "2", "--examples", "20")
    assert result.exit_code == 0, result.output
    assert "example CONFORMS to textbook, as far as was compared." in result.output


def test_exit_status_1_and_a_story_when_it_does_not(tmp_path: Path) -> None:
    faulty, kept = engine("--fault", "maker-fee-at-taker-rate"), tmp_path / "finding.json"
    result = told(faulty, "--seed", "2", "--json", str(kept))
    assert result.exit_code == 1
    assert "FINDING FEE-2" in result.output
    assert "spec/fee.md" in result.output
    assert "Seed 2." in result.output
    again = told(faulty, "--replay", str(kept))
    assert again.exit_code == 1
    assert "FINDING FEE-2" in again.output
    mended = told(engine(), "--replay", str(kept))
    assert mended.exit_code == 0, mended.output


def test_exit_status_2_when_it_is_misused() -> None:
    result = told(engine(), "--rulebook", "no-such-venue")
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert "no-such-venue" in result.output
