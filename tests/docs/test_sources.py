"""What the book is made of is found by id, and shown where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpref_docs.sources import ROOT, Sources, code_named, read_project


@pytest.fixture(scope="module")
def project() -> Sources:
    return read_project()


def test_every_piece_of_code_is_where_the_book_says(project: Sources) -> None:
    pieces = [code for found in project.functions.values() for code in found]
    pieces += [theorem.proof for theorem in project.theorems if theorem.proof is not None]
    assert pieces
    for code in pieces:
        line = (ROOT / code.path).read_text(encoding="utf-8").splitlines()[code.line - 1]
        assert line.strip() == code.text.splitlines()[0].strip()


def test_theorem_names_read_as_sentences(project: Sources) -> None:
    assert all(theorem.sentence[0].isupper() for theorem in project.theorems)
    assert all("_" not in theorem.sentence for theorem in project.theorems)


def test_a_function_and_a_constant_are_found_by_name() -> None:
    function = code_named("perpref.units.floor_div")
    assert function.short_name == "units.floor_div"
    assert function.text.startswith("def floor_div(")
    constant = code_named("perpref.units.MAX_CASH")
    assert Path(constant.path) == Path("perpref/units.py")
    assert constant.text.startswith("MAX_CASH = ")
    assert constant.text.endswith('(UNIT-2)."""')


@pytest.mark.parametrize("name", ["perpref.units.NOTHING", "perpref.nowhere.X", "X"])
def test_a_name_that_stands_for_nothing_is_said_so(name: str) -> None:
    with pytest.raises(LookupError, match=name):
        code_named(name)
