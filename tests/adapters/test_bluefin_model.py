"""The model by itself: its rules, its double entries, its refusals."""

from __future__ import annotations

import re
from random import Random

import pytest

pytest.importorskip("tests.adapters.needed")

from hypothesis import given, settings
from hypothesis import strategies as st

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin import compare, model
from perpref.adapters.bluefin.commands import ONE, Order, shown
from perpref.adapters.bluefin.driver import Driver
from perpref.adapters.bluefin.fixed import over, round_to_tick, times, times_up, towards_zero
from perpref.adapters.bluefin.install import HERE
from perpref.adapters.bluefin.scenarios import PROFILES, all_scenarios
from perpref.adapters.bluefin.state import OUTSIDE, POT, Position, Refused, State, bank, pay
from perpref.adapters.bluefin.terms import RULEBOOK, exact, published_terms

ID = re.compile(r"BF-[A-Z]+-\d+")
signed = st.integers(-(10**30), 10**30)
positive = st.integers(1, 10**30)


def test_every_rule_that_the_code_names_is_stated_once_and_sourced() -> None:
    stated = model.rules()
    text = (HERE / "model.py").read_text("utf-8") + (HERE / "state.py").read_text("utf-8")
    assert set(ID.findall(text)) == set(stated)
    for rule, sentence in stated.items():
        assert re.search(r"\.sol|\.test\.ts|bytecode", sentence), f"{rule} names no source"
    statements = re.findall(r"^\s*(BF-[A-Z]+-\d+): ", text, re.M)
    assert sorted(statements) == sorted(set(statements))


def test_every_parameter_has_a_source_and_a_status() -> None:
    import tomllib

    book = tomllib.loads(RULEBOOK.read_text("utf-8"))
    tables = [book["market"], book["code"], *book["build"].values()]
    for name, entry in (item for table in tables for item in table.items()):
        assert set(entry) == {"value", "source", "status"}, name
        assert entry["status"] in ("published", "inferred", "unpublished")
        assert entry["source"]


def test_decimals_are_read_exactly() -> None:
    assert exact("0.000000000000000001") == 1
    assert exact(["1", "2.5"]) == (ONE, 5 * ONE // 2)
    with pytest.raises(ValueError, match="eighteen"):
        exact("0.0000000000000000001")
    assert shown(-1) == "-0.000000000000000001"


@given(signed, positive)
def test_division_drops_the_fraction(dividend: int, divisor: int) -> None:
    quotient = towards_zero(dividend, divisor)
    assert abs(quotient) * divisor <= abs(dividend) < (abs(quotient) + 1) * divisor
    assert quotient == 0 or (quotient > 0) == (dividend > 0)
    assert towards_zero(-dividend, divisor) == -quotient


@given(positive, positive)
def test_the_two_products_are_at_most_a_quantum_apart(left: int, right: int) -> None:
    assert 0 <= times_up(left, right) - times(left, right) <= 1
    assert times(over(left, right), right) <= left


@given(positive, st.integers(1, 10**20))
def test_a_rounded_price_is_on_a_tick_and_near(price: int, tick: int) -> None:
    rounded = round_to_tick(price, tick)
    assert rounded % tick == 0
    assert abs(rounded - price) * 2 <= tick + 1


def some_state() -> State:
    state = compare.genesis(published_terms("arbitrum"))
    after = model.step(state, c.Deposit("alice", 10 * ONE))
    assert isinstance(after, State)
    return after


def test_a_payment_moves_and_makes_nothing() -> None:
    state = some_state()
    after = pay(state, bank("alice"), POT, 4 * ONE, "BF-TEST-1")
    assert after.has(bank("alice")) == 6 * ONE
    assert after.perpetual() == 4 * ONE
    assert after.entries[-1].amount == 4 * ONE
    with pytest.raises(ValueError, match="negative amount"):
        pay(state, bank("alice"), POT, -1, "BF-TEST-1")


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(["arbitrum", "boba"]), st.integers(0, 1))
def test_cash_is_only_moved_and_a_refusal_changes_nothing(
    seed: int, build: str, profile: int
) -> None:
    state = compare.genesis(PROFILES[profile](build))
    driver = Driver(Random(seed), state)
    plan = driver.begin()
    for _ in range(60):
        plan = plan or driver.more(state)
        before, outcome = state, model.step(state, plan.pop(0))
        if isinstance(outcome, Refused):
            assert ID.fullmatch(outcome.rule)
            assert outcome.rule in model.rules()
            continue
        state = outcome
        assert sum(state.cash.values()) == 0
        moved = {name: state.has(name) - before.has(name) for name in state.cash}
        for entry in state.entries:
            moved[entry.payer] += entry.amount
            moved[entry.payee] -= entry.amount
        assert set(moved.values()) <= {0}
        assert all(state.has(name) >= 0 for name in state.cash if name not in (POT, OUTSIDE))


def test_the_margin_ratio_of_a_position() -> None:
    long = Position(True, 10 * ONE, 1_000 * ONE, ONE // 4)
    assert model.margin_ratio(long, 250 * ONE, 75 * ONE) == 0
    assert model.margin_ratio(long, 250 * ONE, 100 * ONE) == ONE // 4
    short = Position(False, 10 * ONE, 1_000 * ONE, ONE // 4)
    assert model.margin_ratio(short, 250 * ONE, 125 * ONE) == 0
    assert model.margin_ratio(Position(), 0, 100 * ONE) == ONE


def test_stories_are_told_in_words() -> None:
    order = Order("alice", True, ONE, 0, 2 * ONE, True, ONE, 9, forged=True)
    said = "alice buys 1 @ market 2x, reduce-only, trigger 1, expires at 9, forged"
    assert str(order) == said
    for build in ("arbitrum", "boba"):
        for scenario in all_scenarios(build):
            assert all(c.story(scenario.commands))
            assert scenario.asks.endswith("?")
