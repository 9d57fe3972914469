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


SIBLINGS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # a long walk, more than one position, and open interest that somebody else holds
    (
        "dydx-offset-1",
        {"liquidated": "long 1 BTC, -45001", "candidates": ["Carl0 short 1 BTC, 54999"]},
        {"fills": [["Carl0", "1"]], "price": "45001", "Carl0_usdc": "9998", "remaining": "0"},
    ),
    (
        "dydx-offset-1",
        {
            "setup": "BTC oracle 50000, ETH oracle 3000, IMF = MMF = 100%",
            "liquidated": "short 1 BTC, long 1 ETH, 47000",
            "candidates": ["Dave0 long 1 BTC, 50000"],
        },
        {"price": "50000", "Dave0_usdc": "100000", "liquidated_usdc": "-3000"},
    ),
    (
        "dydx-offset-1",
        {
            "liquidated": "short 1 BTC, 50000",
            "candidates": ["Dave0 long 1 BTC, -50001", "Dave1 long 0.25, 50000"],
        },
        {"fills": [["Dave1", "0.25"]], "remaining": "0.75", "Dave1_usdc": "62500"},
    ),
    # the other position is closed: 800 of equity, 3,000 of 8,000 of margin
    (
        "dydx-delev-15",
        {"offsetting": {"usdc": "50000", "ETH": "10"}, "delta": "+10 ETH"},
        {"fill_price": "3030", "liquidated_usdc_after": "50500", "offsetting_usdc_after": "80300"},
    ),
    (  # the wrong side
        "dydx-delev-02",
        {"delta_base_quantums_of_liquidated": -100_000_000},
        {"error": "invalid delta"},
    ),
    # a short, rounded for all lots: -(21,347 * 500) - floor(-7 * 1,067,350 / 5,000,000,000)
    (
        "dydx-bkpx-12",
        {
            "usdc_balance": "49999.999993",
            "positions": [{"market": "BTC", "base_quantums": -100_000_000}],
            "delta_base_quantums": 21_347,
        },
        {"bankruptcy_quote_quantums": -10_673_499},
    ),
    # a third of a position: 500 a quantum, and nothing behind it
    (
        "dydx-ifdelta-01",
        {"usdc_balance": "-5000", "fill_base_quantums": 3_333_333, "subticks": 49_000_000_000},
        {"insurance_fund_delta_quote_quantums": -33_333_330},
    ),
    # the tier of the example says its deduction, whatever the size
    (
        "binance-liqpx-1",
        {"wallet_balance": "100", "maintenance_amount": "50", "size": "1", "entry": "1000"},
        {"liq_price": "944.44"},
    ),
    ("hl-fund-2", {"funding_rate_8h": "0.5"}, {"hourly_rate": "0.04", "long_pays": "4000"}),
    ("hl-backstop", {"mm": "900", "equity": "600"}, {"stage": "book"}),
    ("hl-tick-1", {"price": "123456.0", "szDecimals": 6}, {"valid": True}),
    ("bybit-liqpx-1", {"side": -1, "leverage": 3, "size": "2"}, {"liq_price": "26566.67"}),
    ("bybit-bkpx-inv", {"side": "short", "leverage": 10}, {"rounded": "8766.50"}),
    ("binance-adl-2", {"upnl": "-300", "wallet": "1000"}, {"leverage_pnl": "0"}),
    ("drift-cover-1", {"oracle_price_1e6": 0}, {"base_1e9": 2**64 - 1}),
    ("drift-liqfee-1", {"slots_elapsed": 1_500}, {"fee_1e6": 21_500}),
    ("drift-maxpct", {"margin_shortage": "50", "duration_slots": 3}, {"pct_1e4": 4_333}),
    ("bitmex-adl-queue", {"bankruptcy_price": "5"}, {"fills": [["2", 10], ["5", 10]]}),
    ("bitmex-if-2", {"fill": "98"}, {"fund_after": "0.25", "adl": True}),
    ("gmx-adl-1", {"adl_size_usd": "3000000"}, {"executed": False}),
    ("lighter-zeropx-1", {"account_value": "499.5"}, {"zero_price_ticks": 45_005}),
    ("kraken-pas-1", {"filled_on_book": 0}, {"assigned": 1_760_000}),
]
"""Others of the same kinds, worked out by hand or found in the venue's tests."""


@pytest.mark.parametrize(("name", "inputs", "expected"), SIBLINGS)
def test_a_sibling_comes_out_too(
    name: str, inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    one = by_id(name)
    result = tried(evolve(one, inputs={**one.inputs, **inputs}, expected=expected))
    assert result.outcome is Outcome.REPRODUCED, result.why


ODD: list[Any] = ["", "x", "1e99", "-1", "0", "1/3", 0, -1, 10**90, True, [], {}, [[]], "∞"]


@pytest.mark.parametrize("example", PUBLISHED, ids=lambda example: example.id)
def test_odd_inputs_never_end_in_a_traceback(example: Example) -> None:
    for key in example.inputs:
        for odd in ODD:
            found = tried(evolve(example, inputs={**example.inputs, key: odd}))
            assert found.outcome in Outcome
        less = {other: value for other, value in example.inputs.items() if other != key}
        assert tried(evolve(example, inputs=less)).outcome in Outcome


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
    rows = dict(
        line.split(maxsplit=1) for line in said.output.split("\nvenue ")[1].splitlines()[1:]
    )
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
        ("[]", ": an empty list; a list of at least one example"),
        ("[NaN]", ": NaN is no number; an integer, or a decimal as text"),
        ("[" * 100_000, ": nested too deep"),
        ("[" + "9" * 5_000 + "]", ": Exceeds the limit"),
        ('[{"id": "a", "id": "b"}]', ": the key 'id' stands twice in one object"),
        (
            json.dumps([{**GOOD, "inputs": {}, "expected": {"a": "1"}}] * 2),
            ": [2].id: 'x' is the id of [1] too; an id of its own",
        ),
        (
            json.dumps([{**GOOD, "inputs": {"a": [1, 2.5]}, "expected": {}}]),
            ": [1].inputs.a[2]: 2.5 is a float; an integer, or a decimal as text",
        ),
        (
            json.dumps([{**GOOD, "inputs": {}, "expected": {"a": 10**100}}]),
            ": [1].expected.a: a number too large; at most 100 digits",
        ),
        (
            json.dumps([{**GOOD, "inputs": {"a": None}, "expected": {}}]),
            ": [1].inputs.a: nothing; an amount",
        ),
        (
            json.dumps([{**GOOD, "inputs": {}, "expected": {}}]),
            ": [1].expected: an empty object; at least one published value",
        ),
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


def test_a_file_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.json"
    path.write_bytes(b'["\xe9"]')
    said = run(path)
    assert (said.exit_code, said.output.count("\n")) == (2, 1)
    assert f"{path}: not UTF-8" in said.output


def test_a_venue_that_nobody_knows_is_not_expressible(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    entry = {**GOOD, "venue": "nowhere", "inputs": {"a": 1}, "expected": {"b": 1}}
    path.write_text(json.dumps([entry]))
    said = run(path)
    assert said.exit_code == 0
    assert "there is no venue 'nowhere' here" in said.output


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    said = run(tmp_path / "none.json")
    assert said.exit_code == 2
    assert "cannot be read: No such file or directory" in said.output
