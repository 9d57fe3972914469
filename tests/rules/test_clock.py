"""CLK: the clock only goes forward, and only when it is told."""

from __future__ import annotations

import pytest
from attrs import evolve

from perpref.rules import clock
from perpref.units import MAX_TIME
from tests.exchanges import ANN, exchange, holds, refuses


@pytest.mark.parametrize("later", [6, 7, MAX_TIME])
def test_nothing_but_the_time_changes(later: int) -> None:
    before = evolve(exchange({ANN: holds(5)}), now=5)
    outcome = clock.advance(before, later)
    assert outcome.exchange == evolve(before, now=later)
    assert outcome.events == ()


@pytest.mark.parametrize("early", [0, 4, 5])
def test_it_neither_stands_still_nor_goes_back(early: int) -> None:
    before = evolve(exchange({ANN: holds(5)}), now=5)
    with refuses(clock.NOT_LATER, early, 5):
        clock.advance(before, early)


@pytest.mark.parametrize("wrong", [-1, MAX_TIME + 1])
def test_a_time_has_bounds(wrong: int) -> None:
    with refuses(clock.TIME_OUT_OF_BOUNDS, wrong, MAX_TIME):
        clock.advance(exchange({ANN: holds(5)}), wrong)
