"""Messages show terms as one would write them, and stay short."""

from __future__ import annotations

from time import perf_counter

import pytest
import z3  # type: ignore[import-untyped]

from proofs.executor.show import LONGEST, show

a, b, c = z3.Ints("a b c")


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (a + b * 2 - c, "a + b * 2 - c"),
        (a - (b - c), "a - (b - c)"),
        ((a + b) * -c, "(a + b) * -c"),
        (-(a + b) <= -3, "-(a + b) <= -3"),
        (z3.Not(a <= b), "a > b"),
        (z3.Not(a == b), "a != b"),
        (z3.Not(z3.And(a > b, z3.Or(b > c, a == 1))), "not (a > b and (b > c or a == 1))"),
        (z3.If(a > 0, a, -a), "if(a > 0, a, -a)"),
        (z3.Int("cash[1, b]") > 0, "cash[1, b] > 0"),
    ],
)
def test_a_term_reads_like_code(term: object, text: str) -> None:
    assert show(term) == text


def test_a_huge_term_is_cut_short_in_no_time() -> None:
    term = a
    for _ in range(60):
        term = term * (term + b)
    start = perf_counter()
    assert len(show(term)) <= LONGEST + 4
    assert perf_counter() - start < 1
