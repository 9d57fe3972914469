"""The model agrees with the bytecode, and the search would notice if it did not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("tests.adapters.needed")

from attrs import evolve

from perpref.adapters import bluefin
from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin import compare, model
from perpref.adapters.bluefin.shrink import roundest, shortest
from perpref.adapters.bluefin.state import Refused, State
from perpref.adapters.bluefin.terms import published_terms

COMMANDS = 5_000


@pytest.fixture(scope="module")
def reports(folder: Path) -> dict[str, bluefin.Report]:
    return {
        build: bluefin.differential(build, COMMANDS, folder=folder) for build in bluefin.builds()
    }


def test_the_model_agrees_with_the_bytecode_to_the_last_quantum(
    build: str, reports: dict[str, bluefin.Report]
) -> None:
    report = reports[build]
    assert report.deviations == ()
    assert report.commands >= COMMANDS
    assert report.tolerance == "0 quanta"


def test_every_rule_that_applies_is_exercised(
    build: str, reports: dict[str, bluefin.Report]
) -> None:
    report = reports[build]
    assert report.unreached == ()
    terms = published_terms(build)
    assert set(report.reach) == {rule for rule in model.rules() if model.applies(rule, terms)}
    together = set(reports["arbitrum"].reach) | set(reports["boba"].reach)
    assert together == set(model.rules())


def test_no_rule_is_left_to_chance(build: str, folder: Path) -> None:
    """The stories alone exercise every rule, whatever the seed."""
    told: list[tuple[int, int]] = []
    report = bluefin.differential(
        build, 1, folder=folder, progress=lambda done, total: told.append((done, total))
    )
    assert report.unreached == ()
    assert report.deviations == ()
    assert told == [(done, 1) for done in range(1, report.commands + 1)]


def test_the_search_gets_somewhere(build: str, reports: dict[str, bluefin.Report]) -> None:
    report = reports[build]
    assert report.accepted * 3 > report.commands
    for kind in ("Fill", "Liquidate", "Deleverage", "SetFunding", "SampleFunding", "ClosePosition"):
        assert report.counts[f"{kind} accepted"] >= 20, kind
        assert report.counts[f"{kind} refused"] >= 20, kind


def test_a_report_survives_json(reports: dict[str, bluefin.Report]) -> None:
    plain = reports["boba"].as_json()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["deviations"] == []


def test_the_same_seed_tells_the_same_stories(folder: Path) -> None:
    first, second = (bluefin.differential("boba", 750, 3, folder) for _ in range(2))
    assert evolve(first, milliseconds=0) == evolve(second, milliseconds=0)
    other = bluefin.differential("boba", 750, 4, folder)
    assert evolve(other, milliseconds=0, seed=3) != evolve(first, milliseconds=0)


def rounds_up(left: int, right: int) -> int:
    return -(-(left * right) // c.ONE)


def rounds_down(left: int, right: int) -> int:
    return left * right // c.ONE


FAULTS: dict[str, tuple[str, Callable[..., object]]] = {
    "products are rounded up": ("times", rounds_up),
    "negative products are rounded down": ("times", rounds_down),
    "quotients are rounded up": ("over", lambda left, right: -(-(left * c.ONE) // right)),
    "funding debts are rounded down": ("times_up", rounds_down),
    "oracle prices are not rounded to a tick": ("round_to_tick", lambda price, _tick: price),
    "leverage keeps its fraction": ("whole", lambda leverage: leverage),
    "everybody has margin enough": ("check_margin", lambda state, _name, _was, _why: state),
    "open interest is unbounded": ("check_open_interest", lambda _terms, _position: None),
    "nobody need be solvent to close": ("require_equity", lambda _state, _deal, _extra=0: 10**40),
    "no funding is settled": ("settle_funding", lambda state, _name, _why, _by: state),
    "gas is free": ("gas_charges", lambda _state, _fill: (0, 0)),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_error_is_caught(
    fault: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, wrong = FAULTS[fault]
    monkeypatch.setattr(model, name, wrong)
    report = compare.differential("arbitrum", 6_000, folder=folder, stop_at=1)
    assert report.deviations, "the search did not notice"
    found = report.deviations[0]
    assert found.story[-1] == found.command
    assert len(found.story) <= 20
    assert found.engine != found.model or found.money


def test_a_deviation_says_who_has_how_much_more(folder: Path) -> None:
    """A model in which the taker's fee is one quantum per unit too high."""

    def step(state: State, command: c.Command) -> State | Refused:
        outcome = model.step(state, command)
        if isinstance(outcome, State) and isinstance(command, c.Deposit):
            return evolve(outcome, cash=outcome.cash.set("fee pool", outcome.has("fee pool") + 1))
        return outcome

    report = compare.differential("arbitrum", 500, folder=folder, step=step, stop_at=1)
    (found,) = report.deviations
    assert found.kind == "the numbers differ"
    assert found.money == {"fee_pool": (0, 1)}
    assert len(found.story) == 1
    assert report.as_json()["deviations"][0]["money"] == {"fee_pool": [0, 1]}


def test_a_story_is_shortened_to_what_matters() -> None:
    story = list(range(100))
    assert shortest(story, lambda told: {7, 63} <= set(told)) == [7, 63]
    assert shortest([1], lambda told: 1 in told) == [1]


def test_amounts_become_round_everywhere_at_once() -> None:
    bid = c.Order("alice", True, 17, 1_507, 1, salt=99)
    told: list[c.Command] = [
        c.SetOracle(1_507),
        c.Deposit("alice", 123_456),
        c.Fill(bid, c.Order("bob", False, 17, 0, 1), 17, 1_507),
    ]

    def shows(story: list[c.Command]) -> bool:
        oracle, deposit, fill = story
        assert isinstance(oracle, c.SetOracle)
        assert isinstance(deposit, c.Deposit)
        assert isinstance(fill, c.Fill)
        assert fill.maker.price == fill.price == oracle.price
        assert fill.maker.quantity == fill.taker.quantity == fill.quantity
        assert fill.maker.salt == 99
        return deposit.amount >= 120_000 and oracle.price > 1_500

    oracle, deposit, fill = roundest(told, shows)
    assert (oracle, deposit) == (c.SetOracle(1_507), c.Deposit("alice", 120_000))
    assert isinstance(fill, c.Fill)
    assert fill.quantity == 10
