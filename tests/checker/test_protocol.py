"""The page, the schema and the code say the same of the protocol."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest
from jsonschema import Draft202012Validator, ValidationError

from perpref import machine, outcome
from perpref.checker import messages, wire
from perpref.checker.engine import EngineFailure
from perpref.checker.reference_engine import ReferenceEngine
from perpref.checker.serve import answer
from perpref.state import Order, Rulebook
from tests.checker.engines import CRASH, TERMS

SPEC = Path(__file__).parents[2] / "spec"
PAGE = (SPEC / "protocol.md").read_text(encoding="utf-8")


@cache
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SPEC / "schema" / "protocol-1.json").read_text())
    return loaded


def validator(part: str) -> Draft202012Validator:
    return Draft202012Validator({**schema(), "anyOf": [{"$ref": f"#/$defs/{part}"}]})


def session() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Requests and replies of a whole session with the reference."""
    engine = ReferenceEngine()
    lines = [messages.start(), messages.rulebook(TERMS), messages.reset()]
    lines += [messages.apply(1, CRASH), messages.observe(2)]
    lines += [messages.load(3, wire.view(TERMS.opened())), messages.stop()]
    return [(json.loads(line), answer(engine, json.loads(line))) for line in lines]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("at", range(7))
def test_a_session_is_as_the_schema_says(at: int) -> None:
    request, reply = session()[at]
    validator("request").validate(request)
    parts = ("hello", "ok", "ok", "applied", "observed", "loaded", "ok")
    validator(parts[at]).validate(reply)


def test_every_example_of_the_page_is_as_the_schema_says() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    shown = [json.loads(block) for block in blocks if "…" not in block]
    for message in shown:
        part = "result" if "done" in message else "request" if "cmd" in message else "reply"
        validator(part).validate(message)
    assert len(shown) >= 8


@pytest.mark.parametrize("part", ["command", "event", "result", "choice"])
def test_the_schema_names_every_kind(part: str) -> None:
    kinds: dict[str, type[attrs.AttrsInstance]] = {
        "command": wire.COMMANDS,
        "event": wire.EVENTS,
        "result": wire.RESULTS,
        "choice": wire.CHOICES,
    }[part]  # type: ignore[assignment]
    options = schema()["$defs"][part]["oneOf"]
    listed = {name: inner for option in options for name, inner in option["properties"].items()}
    assert listed.keys() == kinds.keys()
    for name, kind in kinds.items():
        assert set(listed[name]["properties"]) == {field.name for field in attrs.fields(kind)}
        optional = {f.name for f in attrs.fields(kind) if f.default is not attrs.NOTHING}
        assert set(listed[name].get("required", ())) == set(listed[name]["properties"]) - optional


@pytest.mark.parametrize(
    ("part", "kind"),
    [("hello", wire.Hello), ("state", wire.View), ("rulebook", Rulebook), ("order", Order)],
)
def test_the_schema_has_the_fields_of(part: str, kind: type[attrs.AttrsInstance]) -> None:
    fields = {field.name for field in attrs.fields(kind)}
    assert set(schema()["$defs"][part]["properties"]) == fields


def test_the_page_names_every_field_and_every_kind() -> None:
    for kinds in (wire.COMMANDS, wire.EVENTS, wire.RESULTS, wire.CHOICES):
        for name, kind in kinds.items():
            assert f"`{name}`" in PAGE
            for field in attrs.fields(kind):
                assert f"`{field.name}`" in PAGE, (name, field.name)


def test_the_page_lists_every_reason_that_an_event_can_have() -> None:
    engine = ReferenceEngine()
    engine.rulebook(TERMS)
    engine.reset()
    results = engine.apply(CRASH)
    reasons = {e.rule for r in results if isinstance(r, wire.Done) for e in r.events}
    assert {"FEE-2", "FEE-3", "BOOK-3", "MARK-1"} < reasons
    assert all(reason in PAGE for reason in reasons)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seq": 1, "state": {"custody": "0", "accounts": {}, "markets": {}}},
        {"seq": "1", "state": {"custody": 0, "accounts": {}, "markets": {}}},
        {"seq": "1", "state": {"custody": "1.5", "accounts": {}, "markets": {}}},
        {"seq": "1", "state": {"custody": "01", "accounts": {}, "markets": {}}},
        {"seq": "1", "state": {"custody": "0", "accounts": {"x": {}}, "markets": {}}},
        {"seq": "1", "state": {"custody": "0", "accounts": {}, "markets": {}, "more": "1"}},
        {"seq": "1", "state": {"accounts": {}, "markets": {}}},
    ],
)
def test_what_the_schema_refuses_the_checker_refuses_too(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validator("observed").validate(wrong)
    with pytest.raises(EngineFailure):
        messages.state(json.dumps(wrong).encode(), 1)


ORDERS = "in the reply to observe: markets.1.orders"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            {"accounts": {"2": {"collateral": "1", "positions": {"1": {"size": "1"}}}}},
            (
                "in the reply to observe: accounts.2.positions.1: the field 'cost' is missing in "
                '{"size": "1"}'
            ),
        ),
        (
            {"accounts": {"2": {"collateral": "1", "positions": []}}},
            "in the reply to observe: accounts.2.positions: an object was expected, not []",
        ),
        (
            {"accounts": {"2": None}},
            (
                "in the reply to observe: accounts.2: an object with collateral, positions, "
                "funded, stake, offered_since, parted_at, paid_in, isolation was "
                "expected, not null"
            ),
        ),
        (
            {"accounts": {"2": {"colateral": "1", "collateral": "1"}}},
            (
                "in the reply to observe: accounts.2: no field 'colateral' is known, but "
                "collateral, positions, funded, stake, offered_since, parted_at, paid_in, "
                "isolation are"
            ),
        ),
        (
            {"markets": {"1": {"mark": "1", "orders": {}}}},
            f"{ORDERS}: a list was expected, not {{}}",
        ),
        (
            {"markets": {"1": {"mark": "1", "orders": "no"}}},
            f'{ORDERS}: a list was expected, not "no"',
        ),
        (
            {"markets": {"1": {"mark": 7, "orders": []}}},
            "in the reply to observe: markets.1.mark: a number is a decimal string, not 7 (UNIT-1)",
        ),
    ],
)
def test_what_is_wrong_in_a_state_is_named_with_its_place(state: dict[str, Any], said: str) -> None:
    reply = {"seq": "1", "state": {"custody": "0", "accounts": {}, "markets": {}, **state}}
    with pytest.raises(ValidationError):
        validator("observed").validate(reply)
    with pytest.raises(EngineFailure) as failure:
        messages.state(json.dumps(reply).encode(), 1)
    assert failure.value.detail == said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"commands": "deposit"}, 'commands: a list was expected, not "deposit"'),
        ({"chooses": ["luck"]}, 'chooses.0: "luck" is none of counterparty, price'),
        ({"compare": {"refusals": "maybe"}}, 'refusals: "maybe" is none of exact, class, ignored'),
        ({"compare": {"within": "-1"}}, "compare.within: less than 0"),
        ({"load": "yes"}, 'load: a flag is true or false, not "yes"'),
        ({"engine": 5}, "engine: a text was expected, not 5"),
    ],
)
def test_what_is_wrong_in_a_hello_is_named_with_its_place(wrong: dict[str, Any], said: str) -> None:
    reply = {"version": "1", "engine": "x", "commands": ["deposit"], **wrong}
    with pytest.raises(ValidationError):
        validator("hello").validate(reply)
    with pytest.raises(EngineFailure) as failure:
        messages.hello(json.dumps(reply).encode())
    assert said in failure.value.detail


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("done", "an object with one key, one of done, refused, skipped, errored, unknown, was"),
        ({"done": None}, "done: an object with events, choices was expected, not null"),
        ({"done": {"events": {}}}, "done.events: a list was expected, not {}"),
        ({"done": {"events": [{"payd": {}}]}}, "done.events.0: 'payd' is none of cash_moved, paid"),
        (
            {"done": {"events": [{"cash_moved": {"account": "1", "amount": 5, "rule": "LED-5"}}]}},
            "done.events.0.cash_moved.amount: a number is a decimal string, not 5 (UNIT-1)",
        ),
    ],
)
def test_what_is_wrong_in_a_result_is_named_with_its_place(wrong: object, said: str) -> None:
    reply = {"seq": "1", "results": [wrong]}
    with pytest.raises(ValidationError):
        validator("applied").validate(reply)
    with pytest.raises(EngineFailure) as failure:
        messages.results(json.dumps(reply).encode(), 1, 1)
    assert said in failure.value.detail


def test_commands_and_events_survive_the_wire() -> None:
    exchange = TERMS.opened()
    for command in CRASH:
        assert wire.from_wire(wire.to_wire(command, machine.Command), machine.Command) == command
        made = machine.apply(exchange, command)
        assert isinstance(made, outcome.Outcome)
        exchange = made.exchange
        done = wire.Done(made.events)
        assert wire.from_wire(wire.to_wire(done, wire.Result), wire.Result) == done
    assert wire.exchange_of(TERMS, wire.view(exchange)) == exchange
