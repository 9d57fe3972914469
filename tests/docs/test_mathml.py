"""Formulas become MathML, and what is not understood is said so."""

from __future__ import annotations

import pytest

from perpref_docs.mathml import NotUnderstood, mathml


def test_floor_and_ceiling_are_operators() -> None:
    made = mathml(r"\lfloor a \rfloor", display=False)
    assert '<mo stretchy="false">⌊</mo>' in made
    assert '<mo stretchy="false">⌋</mo>' in made


def test_aligned_lines_are_a_table_without_numbers() -> None:
    made = mathml(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", display=True)
    assert made.count("<mtr>") == 2
    assert "(1)" not in made


def test_less_than_stays_escaped() -> None:
    assert "<mo>&#60;</mo>" in mathml("a < b", display=False)


@pytest.mark.parametrize("formula", [r"\nonsense{x}", r"\frac{a}{", "a & b"])
def test_what_is_no_latex_is_refused(formula: str) -> None:
    with pytest.raises(NotUnderstood):
        mathml(formula, display=False)
