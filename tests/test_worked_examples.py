"""Published numbers: each example by its id, and what the loader makes of a wrong file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from click.testing import CliRunner, Result

from perpref.checker.all_kinds import KINDS
from perpref.checker.worked_examples import Example, Outcome, Tried, agrees, attempt, read_examples
from perpref.cli_examples import examples

FILE = Path(__file__).parents[1] / "spec" / "worked-examples.json"
PUBLISHED = read_examples(FILE)

CONTRADICTED = {
    "drift-liqpx-doc": "it is due before",
    "paradex-sl-1": "its own formula by 5000",
}
"""Where the rules differ from the venue, and by which rule."""


def tried(example: Example) -> Tried:
    return attempt(example, KINDS)


def by_id(name: str) -> Example:
    return next(example for example in PUBLISHED if example.id == name)


@pytest.mark.parametrize("example", PUBLISHED, ids=lambda example: example.id)
def test_a_published_number(example: Example) -> None:
    result = tried(example)
    if result.outcome is Outcome.NOT_EXPRESSIBLE:
        pytest.xfail(result.why)
    if example.id in CONTRADICTED:
        assert result.outcome is Outcome.CONTRADICTED
        assert CONTRADICTED[example.id] in result.why
    else:
        assert result.outcome is Outcome.REPRODUCED, result.why


def test_no_example_is_lost_from_one_change_to_the_next() -> None:
    outcomes = Counter(tried(example).outcome for example in PUBLISHED)
    assert outcomes[Outcome.REPRODUCED] >= 179
    assert outcomes[Outcome.CONTRADICTED] == len(CONTRADICTED)
    assert sum(outcomes.values()) == len(PUBLISHED) == 182


def wrong(value: Any) -> Any:
    """Another value of the same shape."""
    if isinstance(value, dict):
        return {key: wrong(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [*map(wrong, value), "more"]
    if isinstance(value, int) and not isinstance(value, bool):
        return value + 1
    return f"1{value}" if str(value)[:1].isdigit() else f"-{value}x"


@pytest.mark.parametrize(
    "example",
    [one for one in PUBLISHED if tried(one).outcome is Outcome.REPRODUCED],
    ids=lambda example: example.id,
)
def test_another_number_would_be_contradicted(example: Example) -> None:
    """No kind echoes what it is asked. (That something is refused has no number to change.)"""
    if "error" in example.expected:
        altered: dict[str, Any] = {"price": "1"}
    else:
        altered = {key: wrong(value) for key, value in example.expected.items()}
    result = tried(evolve(example, expected=altered))
    assert result.outcome is Outcome.CONTRADICTED


def test_other_numbers_of_a_kind_are_tried_too() -> None:
    one = by_id("bitmex-rank-1")
    # long 3 at 250, mark 275, bankruptcy 225: a return of 1/10 at a leverage of 275/50
    other = evolve(
        one,
        id="mine",
        inputs={**one.inputs, "entry": "250", "mark": "275", "bankruptcy": "225", "qty": "3"},
        expected={"pnl_pct": "1/10", "eff_leverage": "11/2", "rank": "11/20"},
    )
    assert tried(other).outcome is Outcome.REPRODUCED


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"entry": "x"}, "entry is no number"),
        ({"entry": 1.5}, "entry is no number"),
        ({"side": "up"}, "a side is long or short, not up"),
        ({"mark": "90"}, "leverage has no bound"),
        ({"mark": "1e-90"}, "finer than any quantum"),
        ({"entry": None}, "entry is no number"),
    ],
)
def test_inputs_that_make_no_sense_are_said_so(inputs: dict[str, Any], why: str) -> None:
    one = by_id("bitmex-rank-1")
    result = tried(evolve(one, inputs={**one.inputs, **inputs}))
    assert result.outcome is Outcome.NOT_EXPRESSIBLE
    assert why in result.why


@pytest.mark.parametrize(
    ("published", "found", "same"),
    [
        ("0.5", 0.5, False),
        ("1/2", 1, False),
        ("2.50", 2, False),
        ("400 (mark)", 400, True),
        ("0.90909...", 1, False),
        (True, 1, False),
        (3, 3, True),
        (["a", "1"], ["a", 1], True),
        (["a"], ["a", "b"], False),
        ({"a": "1"}, {"b": 1}, False),
    ],
)
def test_what_agrees(published: object, found: object, same: bool) -> None:
    assert agrees(published, found) is same


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(examples, ["run", str(path), *options], catch_exceptions=False)


def test_the_report_counts_by_venue_and_names_what_is_contradicted() -> None:
    said = run(FILE)
    assert said.exit_code == 1
    rows = dict(line.split(maxsplit=1) for line in said.output.split("venue ")[1].splitlines()[1:])
    counts = Counter((one.example.venue, one.outcome) for one in map(tried, PUBLISHED))
    for venue, numbers in rows.items():
        if venue != "together":
            expected = [counts[venue, outcome] for outcome in Outcome]
            assert [int(number) for number in numbers.split()] == expected
    for name in CONTRADICTED:
        assert f"  {name}: " in said.output
    assert "the rules do not say: one_provider_gets" in " ".join(said.output.split())


def test_examples_that_come_out_end_with_success(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    entries = [entry for entry in json.loads(FILE.read_text()) if entry["venue"] == "lighter"]
    path.write_text(json.dumps(entries))
    said = run(path, "--json")
    assert said.exit_code == 0
    listed = json.loads(said.output)
    assert [entry["id"] for entry in listed] == [entry["id"] for entry in entries]
    assert {entry["outcome"] for entry in listed} == {"reproduced"}


GOOD = dict.fromkeys(("id", "venue", "rule", "source", "notes"), "x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", ":1: not JSON"),
        ("{}", ": not a list; a list of examples"),
        ("[1]", ": [1]: not an object; an object with id, venue"),
        (json.dumps([GOOD]), ": [1].inputs: missing; an object"),
        (json.dumps([{**GOOD, "inputs": 3, "expected": {}}]), ": [1].inputs: not as it must be"),
        (
            json.dumps([{**GOOD, "inputs": {}, "expected": {}, "more": 1}]),
            ": [1].more: unknown key",
        ),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    said = run(path)
    assert said.exit_code == 2
    assert said.output.count("\n") == 1
    assert f"{path}{says}" in said.output


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    said = run(tmp_path / "none.json")
    assert said.exit_code == 2
    assert "cannot be read: No such file or directory" in said.output
