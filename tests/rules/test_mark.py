"""MARK: the oracle's price, within bounds, and no cash moves."""

from __future__ import annotations

import pytest
from attrs import evolve

from perpref.outcome import Marked
from perpref.rules import mark
from perpref.rules.margin import equity
from perpref.rules.mark import require_market, require_price, set_mark
from perpref.units import MAX_PRICE, MarketId
from tests.exchanges import ANN, BOB, GOLD, OIL, buys, exchange, holds, market, refuses


def test_a_mark_moves_value_and_no_cash() -> None:
    resting = buys(1, ANN, 1, 90)
    before = exchange({ANN: holds(50, (3, 300)), BOB: holds(50, (-3, -300))}, market(100, resting))
    outcome = set_mark(before, GOLD, 103)
    after = outcome.exchange
    assert (equity(after, ANN), equity(after, BOB)) == (59, 41)
    assert after.accounts == before.accounts
    assert after.custody == before.custody
    assert after.markets[GOLD] == evolve(before.markets[GOLD], mark=103, previous_mark=100)
    assert after.markets[OIL] == before.markets[OIL]
    assert outcome.events == (Marked(GOLD, 103, "MARK-1"),)


@pytest.mark.parametrize("price", [1, MAX_PRICE])
def test_prices_up_to_the_bounds_are_prices(price: int) -> None:
    require_price(price)
    assert set_mark(exchange({}), GOLD, price).exchange.markets[GOLD].mark == price


@pytest.mark.parametrize("price", [0, -1, MAX_PRICE + 1])
def test_prices_out_of_bounds_are_refused(price: int) -> None:
    with refuses(mark.PRICE_OUT_OF_BOUNDS, price, 10**12):
        set_mark(exchange({}), GOLD, price)


def test_a_market_that_is_not_listed_is_refused() -> None:
    with refuses(mark.UNKNOWN_MARKET, 3):
        set_mark(exchange({}), MarketId(3), 100)
    require_market(exchange({}), OIL)
