"""The figures that the engine's own tests publish hold for the bytecode and for the model."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import pytest

pytest.importorskip("tests.adapters.needed")

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.commands import ONE
from perpref.adapters.bluefin.terms import exact
from perpref.adapters.bluefin.view import View
from tests.adapters.bluefin_play import Play, fact, published, table_terms
from tests.adapters.bluefin_tables import (
    ADL,
    DELISTING,
    LIQUIDATION,
    MORE_LOSS,
    AdlTable,
    After,
    DelistingTable,
    LiquidationTable,
    Opened,
    RefusedLiquidation,
)

named = attrgetter("name")


def opens(play: Play, maker: str, taker: str, trade: Opened) -> None:
    play.tell(c.SetOracle(int(exact(trade.oracle))))
    play.trade(maker, taker, trade.size, 100, trade.leverage)


def is_as_published(view: View, account: str, after: After) -> None:
    holding = view.accounts[account]
    assert published(holding.bank, 6) == fact(after.bank, 6)
    assert holding.quantity == after.quantity * ONE
    assert published(holding.margin, 3) == fact(after.margin, 3)
    assert published(holding.oi_open, 3) == fact(after.oi_open, 3)


def system_is(view: View, fees: str, insurance: str, perpetual: str) -> None:
    """The pools, wherever the build keeps its fees meanwhile."""
    assert published(view.fee_pool + view.accrued_fees, 6) == fact(fees, 6)
    assert published(view.insurance_pool, 6) == fact(insurance, 6)
    assert published(view.perpetual - view.accrued_fees, 6) == fact(perpetual, 6)


@pytest.mark.parametrize("table", ADL, ids=named)
def test_deleveraging_pays_what_the_tables_say(table: AdlTable, build: str, folder: Path) -> None:
    play = Play(build, folder, table_terms(build))
    play.fund(("alice", "bob"), 2_000)
    play.fund(("cat", "dog"), 5_000)
    rate = int(exact(table.rate))
    play.tell(c.Advance(3_600), c.SetFunding(rate))
    opens(play, "alice", "bob", table.alice)
    opens(play, "cat", "dog", table.cat)
    play.tell(c.SetOracle(int(exact(table.oracle))), c.Advance(3_600), c.SetFunding(rate))
    play.tell(c.Deleverage("alice", "cat", table.size * ONE, table.alice.size < 0, True))
    is_as_published(play.seen, "alice", table.alice_after)
    is_as_published(play.seen, "cat", table.cat_after)
    system_is(play.seen, table.fees, "0", table.perpetual)


@pytest.mark.parametrize("table", LIQUIDATION, ids=named)
def test_liquidation_pays_what_the_tables_say(
    table: LiquidationTable, build: str, folder: Path
) -> None:
    play = Play(build, folder, table_terms(build))
    play.fund(("alice", "bob"), 2_000)
    play.fund(("eve",), 5_000)
    opens(play, "alice", "bob", table.alice)
    play.tell(c.SetOracle(int(exact(table.oracle))))
    play.tell(c.Liquidate("alice", "eve", table.size * ONE, ONE, table.alice.size > 0, True))
    is_as_published(play.seen, "alice", table.alice_after)
    is_as_published(play.seen, "eve", table.liquidator_after)
    system_is(play.seen, "70", table.insurance, table.perpetual)


@pytest.mark.parametrize("table", MORE_LOSS, ids=named)
def test_a_liquidator_is_refused_as_the_tables_say(
    table: RefusedLiquidation, build: str, folder: Path
) -> None:
    terms = table_terms(
        build,
        first_oracle=table.price * ONE,
        max_price=10**7 * ONE,
        oracle_max_move=100_000 * ONE,
    )
    play = Play(build, folder, terms)
    play.fund(("alice", "bob", "cat"), 2_000_000)
    play.fund(("eve",), 5_000_000)
    play.trade("alice", "bob", table.size, table.price, table.leverage)
    price, size = table.liquidator_price, table.liquidator_size
    play.tell(c.SetOracle(price * ONE))
    play.trade("eve", "cat", size, price, table.liquidator_leverage)
    play.tell(c.SetOracle(table.oracle * ONE))
    leverage = table.liquidator_leverage * ONE
    command = c.Liquidate("alice", "eve", abs(table.size) * ONE, leverage, table.size > 0, True)
    assert play.refusal(command) == table.error


@pytest.mark.parametrize("table", DELISTING, ids=named)
def test_a_delisted_market_pays_what_the_tables_say(
    table: DelistingTable, build: str, folder: Path
) -> None:
    terms = table_terms(
        build,
        maker_fee=ONE // 100,
        taker_fee=ONE // 50,
        max_price=2_000 * ONE,
        first_oracle=1_000 * ONE,
    )
    play = Play(build, folder, terms, tuple("abcdefgh"))
    play.fund("abcdefgh", 6_000)
    for maker, taker, price, size, leverage in table.trades:
        play.tell(c.SetOracle(price * ONE))
        play.trade(maker, taker, size, price, leverage)
    play.tell(
        c.SetOracle(table.oracle * ONE),
        c.RemoveMargin("c", table.removes * ONE),
        c.AddMargin("d", table.adds * ONE),
        c.SetOracle(table.delisted_at * ONE),
        c.Delist(table.delisted_at * ONE, table.delisted_at * ONE),
    )
    for account, bank in table.leave:
        play.tell(c.ClosePosition(account))
        assert published(play.seen.accounts[account].bank, 6) == fact(bank, 6)
