"""LIQ: auctions, cooldowns and caps, and who may wait for them."""

from __future__ import annotations

import pytest
from attrs import evolve

from perpref.rules import liquidation_time
from perpref.rules.liquidation import limit_price, liquidation_limit
from perpref.state import NEVER, VAULT, Exchange, LiquidationLimit, Rulebook, Stage
from perpref.units import PARTS, AccountId
from tests.exchanges import ANN, GOLD, exchange, holds, market, rules


@pytest.mark.parametrize(
    ("step", "up", "down"), [(0, 100, 100), (1, 102, 98), (2, 105, 95), (3, 107, 93), (4, 110, 90)]
)
def test_an_auction_walks_to_the_bankruptcy_price(step: int, up: int, down: int) -> None:
    """Ten ticks in four steps, each 2.5, rounded towards the mark."""
    assert liquidation_time.offered_limit(100, 110, step, 4) == up
    assert liquidation_time.offered_limit(100, 90, step, 4) == down
    assert liquidation_time.offered_limit(100, 90, step + 4, 4) == 90


@pytest.mark.parametrize(
    ("now", "step"), [(50, 0), (100, 0), (106, 0), (107, 1), (113, 1), (114, 2), (121, 3), (999, 3)]
)
def test_an_auction_goes_with_the_clock(now: int, step: int) -> None:
    """It began at 100 and has three steps of 7; before it began it has gone nowhere."""
    assert liquidation_time.auction_step(now, 100, 7, 3) == step
    assert liquidation_time.auction_step(now, NEVER, 7, 3) == 0


def by_auction(**choices: int) -> Rulebook:
    book = evolve(rules(), liquidation_limit=LiquidationLimit.AUCTION, auction_steps=4)
    return evolve(book, **choices)  # type: ignore[arg-type]


def offered(
    cash: int, now: int, since: int = 0, who: AccountId = ANN, book: Rulebook | None = None
) -> Exchange:
    """Ten lots at 90 that cost 1,000: equity is 100 less than the cash, and 45 are needed."""
    held = evolve(holds(cash, (10, 1_000)), offered_since=since)
    before = exchange({who: held}, market(90), rulebook=book or by_auction())
    return evolve(before, now=now)


@pytest.mark.parametrize(
    ("cash", "now", "limit"),
    [
        (140, 0, 90),  # 40 behind ten lots: bankrupt at 86
        (140, 1, 89),
        (140, 3, 87),
        (140, 4, 86),
        (140, 9, 86),
        (100, 0, 90),  # nothing behind them
        (99, 0, 91),  # insolvent: at the end at once
        (80, 0, 92),
    ],
)
def test_the_limit_of_an_auction_is_that_of_its_step(cash: int, now: int, limit: int) -> None:
    assert liquidation_limit(offered(cash, now), ANN, GOLD) == limit


@pytest.mark.parametrize(("trigger", "limit"), [(PARTS, 90), (400_000, 90), (666_667, 88)])
def test_who_is_below_the_trigger_of_a_vault_that_waits_is_at_the_end(
    trigger: int, limit: int
) -> None:
    """20 of 45 are 444,444 parts of a million."""
    before = offered(120, 0, book=by_auction(vault_trigger=trigger))
    assert liquidation_limit(before, ANN, GOLD) == limit


def test_the_vault_holds_no_auction() -> None:
    assert liquidation_limit(offered(140, 0, who=VAULT), VAULT, GOLD) == 86


def test_an_auction_that_has_not_begun_is_at_its_first_step() -> None:
    assert limit_price(by_auction(), 86, 90, 10, 45, 40, 45, 10**6, NEVER) == 90


@pytest.mark.parametrize(
    ("now", "parted", "cooldown", "cooling"),
    [
        (10, 10, 30, False),
        (11, 10, 30, True),
        (39, 10, 30, True),
        (40, 10, 30, False),
        (1, 0, 30, True),
        (1, NEVER, 30, False),
        (0, NEVER, 30, False),
        (11, 10, 0, False),
    ],
)
def test_a_cooldown(now: int, parted: int, cooldown: int, cooling: bool) -> None:
    assert liquidation_time.is_cooling(now, parted, cooldown) is cooling


@pytest.mark.parametrize(
    ("size", "portion", "least", "lots"),
    [
        (10, 100_000, 0, 1),
        (-11, 100_000, 0, 2),  # rounded up
        (10, 1, 0, 1),
        (10, PARTS, 0, 10),
        (10, 100_000, 299, 2),  # 299 are worth two lots at 100
        (10, 100_000, 300, 3),
        (10, 500_000, 300, 5),
        (2, 100_000, 9_999, 2),  # no more than there are
    ],
)
def test_a_cap_of_a_position(size: int, portion: int, least: int, lots: int) -> None:
    assert liquidation_time.capped_lots(size, 100, portion, least) == lots


@pytest.mark.parametrize(("budget", "lots"), [(0, 0), (99, 0), (100, 1), (450, 4), (10**6, 7)])
def test_a_budget(budget: int, lots: int) -> None:
    assert liquidation_time.lots_within(7, 100, budget) == lots


@pytest.mark.parametrize(
    ("equity", "trigger", "waits"),
    [
        (40, PARTS, True),
        (0, PARTS, True),
        (-1, PARTS, False),
        (30, 666_667, False),
        (20, 444_444, True),
        (20, 444_445, False),
        (-1, 1, False),
        (0, 1, False),
    ],
)
def test_who_has_time(equity: int, trigger: int, waits: bool) -> None:
    """Of a margin of 45."""
    assert liquidation_time.has_time(equity, 45, trigger) is waits


def test_the_vault_is_not_patient_and_nobody_is_without_a_book() -> None:
    assert liquidation_time.is_patient(offered(140, 0), ANN)
    assert not liquidation_time.is_patient(offered(140, 0, who=VAULT), VAULT)
    bookless = by_auction()
    bookless = evolve(bookless, waterfall=(Stage.VAULT, Stage.RESIDUAL))
    assert not liquidation_time.is_patient(offered(140, 0, book=bookless), ANN)


@pytest.mark.parametrize(
    ("now", "cash", "waits"), [(0, 140, True), (3, 140, True), (4, 140, False), (0, 99, False)]
)
def test_who_waits_while_an_auction_lasts(now: int, cash: int, waits: bool) -> None:
    assert liquidation_time.may_wait(offered(cash, now), ANN) is waits
    assert liquidation_time.is_offered(offered(cash, now), ANN) is (now < 4)
    other = evolve(rules(), auction_steps=4)
    assert not liquidation_time.is_offered(offered(cash, now, book=other), ANN)


@pytest.mark.parametrize(
    ("choices", "parts"),
    [
        ({}, False),
        ({"liquidation_cooldown": 1}, True),
        ({"block_portion": PARTS - 1}, True),
        ({"block_notional": 1}, True),
        ({"block_least": 10**6}, False),
    ],
)
def test_what_closes_a_part_at_a_time(choices: dict[str, int], parts: bool) -> None:
    book = evolve(rules(), **choices)  # type: ignore[arg-type]
    assert liquidation_time.goes_by_parts(book) is parts
    before = offered(140, 5, book=book)
    assert not liquidation_time.had_its_part(before, ANN)
    noted = liquidation_time.note_part(before, ANN).exchange
    assert noted.accounts[ANN] == evolve(before.accounts[ANN], parted_at=5)
    assert liquidation_time.had_its_part(noted, ANN) is parts
    assert liquidation_time.may_wait(noted, ANN) is parts
    later = evolve(noted, now=6)
    assert not liquidation_time.had_its_part(later, ANN)


def test_an_auction_is_noted_and_forgotten() -> None:
    before = offered(140, 5, NEVER)
    begun = liquidation_time.begin_auction(before, ANN)
    assert begun.exchange.accounts[ANN].offered_since == 5
    assert begun.events == ()
    assert liquidation_time.end_auction(begun.exchange, ANN).exchange == before


@pytest.mark.parametrize(
    ("elapsed", "share"), [(0, 100_000), (1, 433_333), (2, 766_666), (3, PARTS), (9, PARTS)]
)
def test_a_shortage_is_covered_in_time(elapsed: int, share: int) -> None:
    """A tenth at once, and a third of all with each unit of time; without a time all at once."""
    assert liquidation_time.freed_by_now(elapsed, 3, 100_000) == share
    assert liquidation_time.freed_by_now(elapsed, 0, 100_000) == PARTS
