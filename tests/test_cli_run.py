"""The command `perpref run`, and the group that it belongs to: exit codes and what is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from perpref import cli
from perpref.checker.files import shipped

ROOT = Path(__file__).parents[1]

MINE = """\
title = "Mine"
rulebook = "textbook"
market = "BTC"

[accounts]
ann = "brings cash"

[[step]]
deposit = { account = "ann", amount = 1_000 }

[expect]
equity = { ann = 1_000 }
"""


def perpref(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, list(arguments), catch_exceptions=False)


def spoilt(folder: Path, old: str, new: str) -> str:
    assert old in MINE
    path = folder / "mine.toml"
    path.write_text(MINE.replace(old, new), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", shipped("scenarios"))
def test_a_shipped_scenario_is_told(name: str) -> None:
    result = perpref("run", name)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert "Where the money went, from the double entries" in lines
    assert lines[-1].startswith("As expected: ")
    assert "nothing else changed it" in result.stdout
    assert "\x1b" not in result.stdout
    assert max(len(line) for line in lines) <= 100
    assert [line for line in lines if line != line.rstrip() and "cash in" not in line] == []


def test_the_table_of_the_overbooked_flight() -> None:
    lines = perpref("run", "overbooked-flight").stdout.splitlines()
    at = lines.index("Where the money went, from the double entries")
    assert [line.split() for line in lines[at + 2 : at + 9]] == [
        ["the", "vault", "70", "20", "-10", ".", "80"],
        ["the", "treasury", ".", ".", ".", ".", "0"],
        ["lena", "200", "-240", "18", "22", "0"],
        ["sam", "-100", "120", ".", "-20", "0"],
        ["tess", "300", "88", ".", "-2", "386"],
        ["vera", "100", "12", "-8", ".", "104"],
        ["walt", "1,000", ".", ".", ".", "1,000"],
    ]
    assert lines[at + 9].split() == ["together", "1,570", "0", "0", "0", "1,570"]


def test_quietly() -> None:
    result = perpref("run", "calm-day", "--quiet")
    assert result.exit_code == 0
    assert result.output.startswith("As expected: ")
    assert len(result.output.splitlines()) == 1


def test_for_a_program() -> None:
    result = perpref("run", "residual-loss", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["pot"] == "0"
    assert told["missed"] == []
    assert told["names"]["accounts"]["hugo"] == "2"
    assert told["steps"][4]["stages"] == ["deleverage", "residual"]
    (command,) = told["steps"][3]["commands"]
    assert command["command"] == {"withdraw": {"account": "4", "amount": "1"}}
    assert command["refused"]["code"] == "not_withdrawable"
    assert command["refused"]["rule"] == "LED-6"
    (fall,) = told["steps"][4]["commands"]
    assert {"paid": {"payer": "5", "payee": "2", "amount": "62", "rule": "LOSS-3"}} in fall[
        "events"
    ]
    assert told["money"]["hugo"]["shared loss"] == "182"
    for column in ("fees", "trading", "deleveraging", "shared loss", "cash in", "equity"):
        assert sum(int(row[column]) for row in told["money"].values()) == 0
    assert not [n for n in _numbers(told) if not isinstance(n, bool)]


def _numbers(value: object) -> list[object]:
    """Every number in a JSON value; there should be none."""
    if isinstance(value, dict):
        return [n for below in value.values() for n in _numbers(below)]
    if isinstance(value, list):
        return [n for below in value for n in _numbers(below)]
    return [value] if isinstance(value, int | float) else []


def test_what_is_not_as_expected_is_exit_code_1(tmp_path: Path) -> None:
    path = spoilt(tmp_path, "{ ann = 1_000 }", "{ ann = 999 }")
    line = f"{path}:12: expect.equity.ann: expected 999, got 1,000\n"
    for option in ((), ("--quiet",), ("--json",)):
        result = perpref("run", path, *option)
        assert result.exit_code == 1
        assert result.stderr == line
    told = perpref("run", path)
    assert told.stdout.splitlines()[-1] == ("NOT AS EXPECTED: 1 of what mine says does not hold.")
    assert json.loads(perpref("run", path, "--json").stdout)["missed"] == [line.rstrip()]


CASH = "an integer from 1 to 1_000_000_000_000_000_000_000_000"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "amount = 1_000",
            "amount = 1.5",
            f":9: step[1].deposit.amount: a floating-point number (1.5); {CASH} [UNIT-1]",
        ),
        (
            "amount = 1_000",
            "amount = 0",
            f":9: step[1].deposit.amount: out of bounds (0); {CASH} [UNIT-2]",
        ),
        (
            'account = "ann"',
            'account = "anna"',
            (
                ':9: step[1].deposit.account: no such account ("anna"); did you mean ann? '
                "one of vault, treasury, ann [LED-4]"
            ),
        ),
        ("[accounts]", "[accounts", ":5: not TOML: Expected ']' at the end of a table declaration"),
        (
            '"textbook"',
            '"text.toml"',
            ':2: rulebook: no such file ("text.toml"); a path from where this file is',
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = spoilt(tmp_path, old, new)
    result = perpref("run", path)
    assert result.exit_code == 2
    assert result.stderr == f"{path}{message}\n"
    assert result.stdout == ""


def test_nothing_is_carried_out_before_all_is_read(tmp_path: Path) -> None:
    """The mistake is in the last line; nothing was printed."""
    path = spoilt(tmp_path, "{ ann = 1_000 }", "{ ann = 1_000.0 }")
    for option in ((), ("--json",), ("--quiet",)):
        result = perpref("run", path, *option)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"{path}:12: expect.equity.ann: a floating-point number")


def test_no_such_scenario() -> None:
    result = perpref("run", "overbooked-fligth")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "overbooked-fligth: no such scenario; did you mean overbooked-flight? or the path of a "
        "file\n"
    )


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "calm-day", "--no"], ["run", "calm-day", "more"], ["rnu"]]
)
def test_a_misuse_of_the_command_is_exit_code_2(arguments: list[str]) -> None:
    result = perpref(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert "Traceback" not in result.output


def test_the_list() -> None:
    result = perpref("run", "--list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(shipped("scenarios"))
    assert "The overbooked flight" in result.stdout


def test_help_that_teaches() -> None:
    everything = perpref("--help")
    assert everything.exit_code == 0
    for words in ("pot of cash", "perpref run overbooked-flight", "perpref prove", "check"):
        assert words in everything.stdout
    of_run = perpref("run", "--help")
    assert of_run.exit_code == 0
    for words in ("Examples:", "perpref run --list", "my-bad-day.toml", "Exit status:"):
        assert words in of_run.stdout


def test_every_command_is_there_under_its_name() -> None:
    context = click.Context(cli.main)
    for name in cli.main.list_commands(context):
        command = cli.main.get_command(context, name)
        assert command is not None and command.name == name
        assert cli.COMMANDS[name][1] in perpref("--help").stdout
    assert "run" in cli.main.list_commands(context)


def test_a_command_that_is_not_installed_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "prove", ("perpref.cli_of_nobody", "Nothing."))
    assert "prove" not in cli.main.list_commands(click.Context(cli.main))
    assert perpref("prove").exit_code == 2


def test_as_a_program_of_its_own(tmp_path: Path) -> None:
    """Bad input in another process: no traceback, from whatever folder."""
    spoilt(tmp_path, "amount = 1_000", "amount = true")
    done = subprocess.run(
        [sys.executable, "-m", "perpref.cli", "run", "mine.toml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"mine.toml:9: step[1].deposit.amount: not an integer (true); {CASH} [UNIT-1]\n"
    )
