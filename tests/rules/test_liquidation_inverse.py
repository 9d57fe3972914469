"""LIQ: inverse contracts, by the figures of venues and by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from perpref.rules import liquidation_inverse as inverse
from perpref.units import PARTS, Rounding


def test_an_inverse_long_gains_less_and_less_as_the_price_rises() -> None:
    """1,000 of face at 10 are 100 coins: at 20 they have gained 50, at 1,000 no more than 99."""
    assert inverse.coins(1_000, 10) == (1_000, 10)
    for price, gained in ((20, 50), (1_000, 99), (5, -100)):
        assert Fraction(*inverse.profit_in_coins(1_000, 10, price)) == gained
        assert Fraction(*inverse.profit_in_coins(-1_000, 10, price)) == -gained


@pytest.mark.parametrize(
    ("face", "rate", "behind", "price"),
    [
        (1_000, 0, 125, 8),  # nothing but the coins at entry: the entry
        (1_000, 0, 200, 5),
        (1_000, 100_000, 200, Fraction(11, 2)),
        (-1_000, 0, -50, 20),
        (-1_000, 100_000, -50, 18),
        (1_000, 0, 0, None),
        (1_000, 0, -1, None),
        (-1_000, 0, 0, None),  # a short covered coin for coin
        (-1_000, 0, 1, None),
        (-1_000, PARTS, -1, None),
    ],
)
def test_the_price_at_which_inverse_contracts_are_due(
    face: int, rate: int, behind: int, price: Fraction | None
) -> None:
    found = inverse.inverse_due_price(face, rate, behind)
    assert (found and Fraction(*found)) == price


@pytest.mark.parametrize(
    ("rounding", "price"), [(Rounding.UP, 105), (Rounding.DOWN, 100), (Rounding.TOWARDS_ZERO, 100)]
)
def test_a_price_is_told_on_a_tick(rounding: Rounding, price: int) -> None:
    assert inverse.on_tick((1_001, 10), 5, rounding) == price
    assert inverse.on_tick((100, 1), 5, rounding) == 100
    assert inverse.on_tick((1, 100), 5, rounding) == 5
