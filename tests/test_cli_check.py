"""The command `perpref check`: exit codes, what it prints, and what it writes down."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from perpref.cli_check import check

MISBEHAVE = Path(__file__).parent / "checker" / "misbehave.py"
REFERENCE = shlex.join([sys.executable, "-m", "perpref.checker.reference_engine"])

FAULTY = """
from functools import partial
import sys
from perpref.checker.reference_engine import Fault, Manners, ReferenceEngine
from perpref.checker.serve import serve
from perpref.rules import fee
from perpref.units import PARTS, floor_div

fault = Fault(fee.trading_fee, lambda lots, price, rate, _: floor_div(lots * price * rate, PARTS))
requests = iter(partial(sys.stdin.buffer.readline), b"")
serve(ReferenceEngine(Manners(fault)), requests, sys.stdout.buffer)
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(check, list(arguments), catch_exceptions=False)


def misbehaving(manner: str, after: int = 0) -> str:
    return shlex.join([sys.executable, str(MISBEHAVE), manner, str(after)])


@pytest.fixture
def faulty(tmp_path: Path) -> str:
    """An engine that rounds fees down."""
    script = tmp_path / "faulty engine.py"
    script.write_text(FAULTY, encoding="utf-8")
    return shlex.join([sys.executable, str(script)])


@pytest.mark.parametrize("engine", ["reference", REFERENCE])
def test_an_engine_that_conforms(engine: str) -> None:
    result = run(engine, "--seed", "4", "--examples", "20")
    assert result.exit_code == 0, result.output
    assert "reference CONFORMS to textbook" in result.output
    assert "refusals exact; amounts exact; compared: custody, collateral" in result.output
    assert "seed   4" in result.output
    assert "20 examples" in result.output
    assert "commands per second" in result.output
    assert "VLT-3" in result.output


def test_quietly() -> None:
    result = run("reference", "--seed", "3", "--examples", "5", "--quiet")
    assert result.exit_code == 0
    assert "seed" not in result.output
    assert result.output.splitlines()[-1].startswith("reference CONFORMS")


def test_a_seed_is_drawn_and_printed() -> None:
    outputs = {run("reference", "--examples", "1").output for _ in range(3)}
    assert all("seed" in output for output in outputs)
    assert len({output.split("seed")[1].split()[0] for output in outputs}) > 1


def test_a_finding_is_told_written_down_and_replayed(faulty: str, tmp_path: Path) -> None:
    report = tmp_path / "finding.json"
    found = run(faulty, "--seed", "1", "--json", str(report))
    assert found.exit_code == 1
    assert "FINDING FEE-1" in found.output
    assert f"perpref check {shlex.quote(faulty)} --replay {report}" in found.output
    written = json.loads(report.read_text(encoding="utf-8"))
    assert written["finding"]["rule"] == "FEE-1"
    assert written["conforms"] is False
    assert len(written["case"]["commands"]) <= 10
    assert written["story"] in found.output or "FINDING FEE-1" in written["story"]

    again = run(faulty, "--replay", str(report))
    assert again.exit_code == 1
    assert "FINDING FEE-1" in again.output
    good = run("reference", "--replay", str(report))
    assert good.exit_code == 0
    assert "CONFORMS" in good.output


def test_the_same_seed_finds_the_same(faulty: str) -> None:
    first, second = (run(faulty, "--seed", "5", "--quiet").output for _ in range(2))
    assert first == second
    assert "--seed 5" in first


def test_the_report_of_an_engine_that_conforms(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert run("reference", "--examples", "5", "--json", str(report)).exit_code == 0
    written = json.loads(report.read_text(encoding="utf-8"))
    assert written["conforms"] is True
    assert {row["rule"] for row in written["reach"]} > {"LIQ-1", "ADL-2", "LOSS-3"}
    assert "case" not in written


@pytest.mark.parametrize(
    ("manner", "after", "says"),
    [
        ("garbage", 0, "THE ADAPTER writes something that is not a reply"),
        ("forget", 0, "THE ADAPTER does not reset"),
        ("crash", 500, "FINDING, crash: the engine exited with status 1"),
        ("garbage", 500, "FINDING, garbage: not JSON"),
        ("order", 500, "FINDING, out of order"),
        ("close", 500, "FINDING, closed pipe"),
    ],
)
def test_an_engine_that_does_not_keep_the_protocol(manner: str, after: int, says: str) -> None:
    result = run(misbehaving(manner, after), "--seed", "1", "--examples", "40", "--timeout", "2")
    assert result.exit_code == 1
    assert says in result.output
    assert "Traceback (most recent call last):\n" not in result.output


def test_an_engine_that_hangs() -> None:
    result = run(misbehaving("hang", 8), "--timeout", "0.5", "--examples", "5")
    assert result.exit_code == 1
    assert "0.5 seconds" in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/no/such/engine"], "cannot be started: No such file"),
        ([str(MISBEHAVE)], "cannot be started: Permission denied"),
        (["an 'unclosed quote"], "cannot be read"),
        ([""], "empty"),
        (["reference", "--rulebook", "no-such-rulebook"], "no-such-rulebook"),
        (["reference", "--replay", "/no/such/file"], "/no/such/file: cannot be read"),
        (["reference", "--replay", __file__], "not JSON"),
        (["bluefin:mars"], "bluefin:mars"),
    ],
)
def test_a_misuse_is_one_line_and_exit_code_2(arguments: list[str], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [[], ["reference", "--seed", "minus"], ["reference", "--examples", "0"], ["reference", "--no"]],
)
def test_a_wrong_option_is_exit_code_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "there is no case in it"),
        ([], "there is no case in it"),
        ({"version": "2", "commands": []}, "version: '2' is not '1'"),
        ({"version": "1", "terms": {}, "commands": []}, "terms"),
    ],
)
def test_a_file_that_is_no_case(content: object, says: str, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    result = run("reference", "--replay", str(path))
    assert result.exit_code == 2
    assert f"{path}: " in result.stderr
    assert says in result.stderr


def test_a_wrong_command_in_a_case_is_named(tmp_path: Path, faulty: str) -> None:
    report = tmp_path / "finding.json"
    run(faulty, "--seed", "1", "--json", str(report))
    written = json.loads(report.read_text(encoding="utf-8"))
    written["case"]["commands"][1] = {"deposit": {"account": "2", "amount": 1.5}}
    report.write_text(json.dumps(written), encoding="utf-8")
    result = run("reference", "--replay", str(report))
    assert result.exit_code == 2
    assert "command 2: deposit.amount: a number is a decimal string, not 1.5" in result.stderr


def test_the_help_teaches_by_examples() -> None:
    text = run("--help").output
    for expected in ("perpref check reference", "--replay", "Exit status", "a misuse"):
        assert expected in text


@pytest.mark.parametrize(
    "option",
    ["--steps=3", "--seconds=9", "--rulebook=textbook", "--replay=case.json", "--timeout=1"],
)
def test_an_option_that_means_nothing_for_bluefin_is_a_misuse(option: str) -> None:
    result = run("bluefin:arbitrum", option)
    assert result.exit_code == 2
    name = option.partition("=")[0]
    assert result.output == f"perpref check: {name} means nothing for bluefin:arbitrum\n"
