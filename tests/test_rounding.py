"""The list of divisions is what the code divides and what the theorems hold."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from attrs import fields_dict

import perpref.machine  # noqa: F401 (and with it every chapter)
from perpref import rules as chapters
from perpref.rounding import CHOSEN, COUNTS, DIVISIONS, FIXED, Division
from perpref.rule_registry import functions
from perpref.state import Rulebook
from perpref.units import Rounding
from proofs.registry import theorems

BY = {
    "floor_div": {Rounding.DOWN},
    "ceil_div": {Rounding.UP},
    "trunc_div": {Rounding.TOWARDS_ZERO},
    "divided": set(Rounding),
}


def divided() -> dict[str, set[Rounding]]:
    """Every function of the rules that divides, and the directions that it names."""
    found: dict[str, set[Rounding]] = {}
    for path in Path(chapters.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                called = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
                for name in called & set(BY):
                    found.setdefault(f"{path.stem}.{node.name}", set()).update(BY[name])
    return found


def test_every_division_of_the_rules_is_in_the_list_once() -> None:
    named = [division.function for division in DIVISIONS]
    assert len(set(named)) == len(named)
    assert set(named) | COUNTS == set(divided())
    assert not set(named) & COUNTS


@pytest.mark.parametrize("division", DIVISIONS, ids=lambda division: division.function)
def test_a_division_has_the_direction_that_the_list_says(division: Division) -> None:
    assert divided()[division.function] == set(division.directions)
    carriers = {f"{f.__module__}.{f.__name__}" for f in functions()[division.rule]}
    assert f"perpref.rules.{division.function}" in carriers


@pytest.mark.parametrize("division", DIVISIONS, ids=lambda division: division.function)
def test_a_theorem_about_the_rule_holds_the_direction(division: Division) -> None:
    rules = {rule for one in theorems() if one.name == division.theorem for rule in one.rules}
    assert division.rule in rules


def test_what_is_chosen_is_a_field_of_the_rulebook_and_nothing_else_is() -> None:
    known = fields_dict(Rulebook)
    assert {division.choice for division in CHOSEN} == {
        name for name, part in known.items() if isinstance(part.default, Rounding)
    }
    assert not {division.key for division in FIXED} & set(known)
    assert len({division.key for division in FIXED}) == len(FIXED)
