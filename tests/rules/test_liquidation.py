"""LIQ: who is due, the bankruptcy price, and the first stage, the book."""

from __future__ import annotations

from fractions import Fraction

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from perpref.outcome import Filled, Paid
from perpref.rules import book, liquidation, liquidation_size
from perpref.rules.ledger import fill
from perpref.rules.liquidation import (
    bankruptcy_price,
    closing_side,
    is_due,
    liquidate,
    require_due,
    share_of_equity,
)
from perpref.rules.margin import equity
from perpref.state import TREASURY, VAULT, Account, BankruptcyPrice, Exchange, Order, Side, Tier
from perpref.units import PARTS
from tests.exchanges import (
    ANN,
    BOB,
    GOLD,
    OIL,
    REST,
    buys,
    collateral,
    exchange,
    holds,
    market,
    orders,
    position,
    refuses,
    require_lawful,
    rules,
    sells,
)


@pytest.mark.parametrize(("cash", "due"), [(51, False), (50, False), (49, True), (-1, True)])
@pytest.mark.parametrize("size", [10, -10])
def test_an_account_is_due_strictly_below_maintenance(size: int, cash: int, due: bool) -> None:
    # 10 lots at 100: maintenance 50
    before = exchange({ANN: holds(cash, (size, 100 * size))})
    assert is_due(before, ANN) is due
    if due:
        require_due(before, ANN, GOLD)
    else:
        with refuses(liquidation.NOT_DUE, cash, 50):
            require_due(before, ANN, GOLD)


def test_maintenance_is_over_all_markets() -> None:
    # 50 for gold and 4 for oil
    accounts = {ANN: holds(53, (10, 1_000), (1, 80))}
    assert is_due(exchange(accounts, market(100), market(80)), ANN)
    assert not is_due(
        exchange({ANN: holds(54, (10, 1_000), (1, 80))}, market(100), market(80)), ANN
    )


def test_only_what_is_there_can_be_closed() -> None:
    before = exchange({ANN: holds(49, (10, 1_000))})
    with refuses(liquidation.NO_POSITION, OIL):
        require_due(before, ANN, OIL)


def test_what_cost_nothing_can_be_closed_too() -> None:
    # 1,000 up, and 960 in debt
    require_due(exchange({ANN: holds(-960, (10, 0))}), ANN, GOLD)


def test_nobody_without_positions_is_due_unless_in_debt() -> None:
    before = exchange({ANN: holds(0), BOB: holds(-1)})
    assert not is_due(before, ANN)
    assert is_due(before, BOB)


@pytest.mark.parametrize(
    ("cash", "gold", "oil"),
    [
        # maintenance 50 and 4: of 27, 25 and 2 exactly
        (27, 25, 2),
        # of 28: 25.9 and 2.07
        (28, 25, 2),
        # of -28: -25.9 and -2.07, rounded down
        (-28, -26, -3),
        (0, 0, 0),
    ],
)
def test_equity_is_shared_by_maintenance_margin(cash: int, gold: int, oil: int) -> None:
    before = exchange({ANN: holds(cash, (10, 1_000), (-1, -80))}, market(100), market(80))
    assert share_of_equity(before, ANN, GOLD) == gold
    assert share_of_equity(before, ANN, OIL) == oil


@pytest.mark.parametrize(
    ("size", "cash", "price"),
    [
        (10, 40, 96),  # 40 stand behind 10 lots: 4 each
        (10, 45, 96),  # 4.5 each: up, to the advantage of the long
        (10, 49, 96),
        (10, 0, 100),
        (10, -1, 101),  # a tenth each beyond the mark: up
        (10, -10, 101),
        (10, -11, 102),
        (-10, 40, 104),
        (-10, 45, 104),  # down, to the advantage of the short
        (-10, -1, 99),
        (-10, -10, 99),
        (-10, -11, 98),
    ],
)
def test_the_bankruptcy_price_favours_the_account(size: int, cash: int, price: int) -> None:
    before = exchange({ANN: holds(cash, (size, 100 * size))})
    assert bankruptcy_price(before, ANN, GOLD) == price
    # closing in full there leaves less than a quantum per lot
    buyer, seller = (REST, ANN) if size > 0 else (ANN, REST)
    closed = fill(before, buyer, seller, GOLD, 10, price, "LIQ-6").exchange
    assert 0 <= collateral(closed, ANN) < 10


@pytest.mark.parametrize(
    ("cash", "price"), [(-980, 2), (-981, 1), (-990, 1), (-991, 1), (-2_000, 1)]
)
def test_a_bankruptcy_price_is_never_below_1(cash: int, price: int) -> None:
    # a short of 10 at 100 that owes 98 each closes at 2, and at 1 whatever it owes beyond
    before = exchange({ANN: holds(cash, (-10, -1_000))})
    assert bankruptcy_price(before, ANN, GOLD) == price


def defined(before: Exchange, definition: BankruptcyPrice) -> Exchange:
    return evolve(before, rulebook=evolve(before.rulebook, bankruptcy_price=definition))


@pytest.mark.parametrize("cash", [27, 0, -28])
def test_the_whole_equity_may_stand_behind_each_position(cash: int) -> None:
    accounts = {ANN: holds(cash, (10, 1_000), (-1, -80))}
    before = defined(exchange(accounts, market(100), market(80)), BankruptcyPrice.WHOLE_EQUITY)
    assert share_of_equity(before, ANN, GOLD) == cash
    assert share_of_equity(before, ANN, OIL) == cash


@pytest.mark.parametrize(
    ("size", "paid", "cash", "behind", "price"),
    [
        # bought at 105 for 1,050, a tenth of which is 105: 50 are lost at 100
        (10, 1_050, 90, 40, 96),  # all that there is: 90 less the loss of 50
        (10, 1_050, 104, 54, 95),
        (10, 1_050, 105, 55, 95),  # 5.5 a lot: 94.5 is rounded up
        (10, 1_050, 106, 55, 95),  # the rest is not of this position
        (10, 1_050, 999, 55, 95),
        (10, 1_050, 49, -1, 101),  # insolvent
        (-10, -950, 94, 44, 104),  # sold at 95: a margin of 95
        (-10, -950, 95, 45, 104),
        (-10, -950, 999, 45, 104),
        (10, 1_120, 500, 0, 100),  # 120 lost of a margin of 112: the account pays the rest
        (10, 1_111, 500, 0, 100),  # 111 lost of 111.1: 0 left
        (10, 1_110, 500, 1, 100),  # 110 lost of 111
        (10, 1_109, 500, 1, 100),  # 109 lost of 110.9: the margin is rounded down
        (10, 900, 10, 110, 89),  # 100 gained
        (10, 900, 90, 190, 81),  # 190 are left of equity and of the margin of its own
        (10, 900, 91, 190, 81),
    ],
)
def test_the_margin_of_the_entry_stands_behind_a_position_as_far_as_it_is_there(
    size: int, paid: int, cash: int, behind: int, price: int
) -> None:
    before = defined(exchange({ANN: holds(cash, (size, paid))}), BankruptcyPrice.ENTRY)
    assert share_of_equity(before, ANN, GOLD) == behind
    assert bankruptcy_price(before, ANN, GOLD) == price


@pytest.mark.parametrize("mark", [92, 94, 99, 103])
def test_the_price_of_an_entry_does_not_move_with_the_mark(mark: int) -> None:
    # bought at 100 at a margin of ten per cent: 90
    before = defined(exchange({ANN: holds(120, (10, 1_000))}, market(mark)), BankruptcyPrice.ENTRY)
    assert bankruptcy_price(before, ANN, GOLD) == 90


def test_the_surplus_of_a_fill_may_be_the_vaults() -> None:
    # the limit is 96; at 99 the book gave 30, of which a thousandth of 990 is the fee
    maker = buys(1, BOB, 10, 99)
    before = victim(40, maker, fee=1_000)
    before = evolve(before, rulebook=evolve(before.rulebook, liquidation_surplus=PARTS))
    outcome = liquidate(before, ANN, GOLD, maker)
    assert outcome.events[-1] == Paid(ANN, VAULT, 30, "FEE-5")
    assert collateral(outcome.exchange, ANN) == 0


@given(
    size=st.integers(-40, 40).filter(bool),
    cash=st.integers(-3_000, 100),
    oil=st.integers(-5, 5),
    mark=st.integers(50, 200),
)
def test_closing_in_full_at_the_bankruptcy_price_uses_up_the_share(
    size: int, cash: int, oil: int, mark: int
) -> None:
    before = exchange({ANN: holds(cash, (size, 100 * size), (oil, 90 * oil))}, market(mark))
    price = bankruptcy_price(before, ANN, GOLD)
    assume(price > 1)
    share = share_of_equity(before, ANN, GOLD)
    buyer, seller = (REST, ANN) if size > 0 else (ANN, REST)
    closed = fill(before, buyer, seller, GOLD, abs(size), price, "LIQ-6").exchange
    assert 0 <= equity(closed, ANN) - (equity(before, ANN) - share) < abs(size)


def test_a_long_is_closed_by_selling() -> None:
    assert closing_side(1) is Side.SELL
    assert closing_side(-1) is Side.BUY


# One fill of the liquidation order.


def victim(
    cash: int,
    *resting: Order,
    size: int = 10,
    bob: Account | None = None,
    maker_fee: int = 0,
    fee: int = 0,
) -> Exchange:
    """Ann is due, with 10 lots at 100; Bob rests orders."""
    return exchange(
        {ANN: holds(cash, (size, 100 * size)), BOB: bob or holds(10_000)},
        market(100, *resting),
        rulebook=rules(maker=maker_fee, taker=50_000, liquidation=fee),
    )


def test_the_whole_position_goes_at_the_makers_price() -> None:
    # 40 behind 10 lots: the limit is 96; closed at 97, 30 less
    maker = buys(1, BOB, 12, 97)
    outcome = liquidate(victim(40, maker), ANN, GOLD, maker)
    after = outcome.exchange
    assert position(after, ANN) == (0, 0)
    assert collateral(after, ANN) == 10
    assert position(after, BOB) == (10, 970)
    assert orders(after) == {1: 2}
    assert outcome.events == (
        Filled(BOB, ANN, GOLD, 10, 97, "LIQ-6"),
        Paid(BOB, TREASURY, 0, "FEE-2"),
        Paid(ANN, VAULT, 0, "FEE-5"),
    )
    require_lawful(after)


def test_a_short_is_bought_back() -> None:
    maker = sells(1, BOB, 12, 103)
    outcome = liquidate(victim(40, maker, size=-10), ANN, GOLD, maker)
    assert outcome.events[0] == Filled(ANN, BOB, GOLD, 10, 103, "LIQ-6")
    assert collateral(outcome.exchange, ANN) == 10
    assert position(outcome.exchange, BOB) == (-10, -1_030)


def test_the_side_follows_from_the_size_and_not_from_the_cost() -> None:
    # 10 lots that cost -50 are 1,050 up, and 1,010 are owed: 40 stand behind them
    maker = buys(1, BOB, 12, 97)
    before = exchange(
        {ANN: holds(-1_010, (10, -50)), BOB: holds(10_000)},
        market(100, maker),
        rulebook=rules(liquidation=20_000),
    )
    outcome = liquidate(before, ANN, GOLD, maker)
    assert outcome.events[0] == Filled(BOB, ANN, GOLD, 10, 97, "LIQ-6")
    # 19.4 of the 10 that the book gave beyond 96
    assert outcome.events[-1] == Paid(ANN, VAULT, 10, "FEE-5")


def test_a_small_order_takes_a_part() -> None:
    maker = buys(1, BOB, 3, 97)
    after = liquidate(victim(40, maker), ANN, GOLD, maker).exchange
    assert position(after, ANN) == (7, 700)
    assert orders(after) == {}


def test_a_price_worse_than_bankruptcy_is_refused() -> None:
    limit = buys(1, BOB, 10, 96)
    assert collateral(liquidate(victim(40, limit), ANN, GOLD, limit).exchange, ANN) == 0
    worse = buys(1, BOB, 10, 95)
    with refuses(liquidation.WORSE_THAN_BANKRUPTCY, 95, 96):
        liquidate(victim(40, worse), ANN, GOLD, worse)
    limit = sells(1, BOB, 10, 104)
    assert collateral(liquidate(victim(40, limit, size=-10), ANN, GOLD, limit).exchange, ANN) == 0
    worse = sells(1, BOB, 10, 105)
    with refuses(liquidation.WORSE_THAN_BANKRUPTCY, 105, 104):
        liquidate(victim(40, worse, size=-10), ANN, GOLD, worse)


def test_who_is_not_due_is_not_liquidated() -> None:
    maker = buys(1, BOB, 10, 97)
    with refuses(liquidation.NOT_DUE, 50, 50):
        liquidate(victim(50, maker), ANN, GOLD, maker)


def test_an_order_of_ones_own_is_refused() -> None:
    maker = buys(1, ANN, 10, 97)
    with refuses(book.SELF_TRADE, ANN):
        liquidate(victim(40, maker), ANN, GOLD, maker)


def test_a_reduce_only_maker_closes_what_it_has() -> None:
    maker = buys(1, BOB, 9, 97, only=True)
    before = victim(40, maker, bob=holds(10_000, (-4, -400)))
    after = liquidate(before, ANN, GOLD, maker).exchange
    assert position(after, ANN) == (6, 600)
    assert position(after, BOB) == (0, 0)
    assert orders(after) == {1: 5}


@pytest.mark.parametrize("size", [0, 4])
def test_a_reduce_only_maker_with_nothing_to_close_is_refused(size: int) -> None:
    maker = buys(1, BOB, 9, 97, only=True)
    before = victim(40, maker, bob=holds(10_000, (size, 100 * size)))
    with refuses(book.MAKER_CANNOT_REDUCE, size):
        liquidate(before, ANN, GOLD, maker)


def test_the_new_holder_posts_margin_and_pays_its_fee() -> None:
    # Bob buys 10 at 97, worth 100 each: 30 up, initial margin 100, a maker fee of 9.7
    maker = buys(1, BOB, 10, 97)
    after = liquidate(victim(40, maker, bob=holds(80), maker_fee=10_000), ANN, GOLD, maker).exchange
    assert collateral(after, BOB) == 70
    assert collateral(after, TREASURY) == 10
    with refuses(book.MAKER_CANNOT_BEAR, 99, 100):
        liquidate(victim(40, maker, bob=holds(79), maker_fee=10_000), ANN, GOLD, maker)


def test_a_maker_that_reduces_may_do_so_below_initial_margin() -> None:
    # Bob is short 20 (maintenance 100, initial 200) with 110, and buys 10 at 97: 30 up
    maker = buys(1, BOB, 10, 97)
    after = liquidate(victim(40, maker, bob=holds(110, (-20, -2_000))), ANN, GOLD, maker).exchange
    assert position(after, BOB) == (-10, -1_000)


@pytest.mark.parametrize(
    ("size", "price", "rate", "paid"),
    [
        # the limit is 96; at 97 the book gave 10, 10 are left
        (10, 97, 1_000, 1),  # 0.97
        (10, 97, 10_000, 10),  # 9.7
        (10, 97, 20_000, 10),  # 19.4, but the book gave 10
        (10, 99, 20_000, 20),  # 19.8 of 30
        (10, 96, 20_000, 0),  # the book gave nothing
        (-10, 103, 1_000, 2),  # 1.03
        (-10, 103, 20_000, 10),
        (-10, 101, 20_000, 21),  # 20.2 of 30
        (-10, 104, 20_000, 0),
    ],
)
def test_the_liquidation_fee_comes_out_of_what_the_book_gave(
    size: int, price: int, rate: int, paid: int
) -> None:
    maker = (buys if size > 0 else sells)(1, BOB, 10, price)
    outcome = liquidate(victim(40, maker, size=size, fee=rate), ANN, GOLD, maker)
    assert outcome.events[-1] == Paid(ANN, VAULT, paid, "FEE-5")
    better = abs(price - (96 if size > 0 else 104)) * 10
    assert collateral(outcome.exchange, ANN) == better - paid


def test_the_liquidation_fee_leaves_the_account_solvent() -> None:
    # The account owes 25 on 10 lots: the limit is 102.5, which is 103. Three lots go at 105.
    # That gains 15 and leaves -10, so nothing is taken, although the book gave 6.
    maker = buys(1, BOB, 3, 105)
    outcome = liquidate(victim(-25, maker, fee=100_000), ANN, GOLD, maker)
    assert outcome.events[-1] == Paid(ANN, VAULT, 0, "FEE-5")
    # Six gain 30 and leave 5, so that 5 of the 12 are taken.
    maker = buys(1, BOB, 6, 105)
    outcome = liquidate(victim(-25, maker, fee=100_000), ANN, GOLD, maker)
    assert outcome.events[-1] == Paid(ANN, VAULT, 5, "FEE-5")
    assert collateral(outcome.exchange, ANN) == 0


def test_what_is_left_is_measured_after_the_fill() -> None:
    # At 97 with 40 behind 10 lots, the fill costs 30: 10 are left, and 10 is what the book gave;
    # with 45 the limit is still 96, 15 are left and the book gave 10.
    maker = buys(1, BOB, 10, 97)
    outcome = liquidate(victim(45, maker, fee=100_000), ANN, GOLD, maker)
    assert outcome.events[-1] == Paid(ANN, VAULT, 10, "FEE-5")
    assert collateral(outcome.exchange, ANN) == 5


@pytest.mark.parametrize(("size", "due_side"), [(10, -1), (-10, 1)])
def test_an_account_is_due_just_beyond_its_liquidation_price(size: int, due_side: int) -> None:
    """With another position, and in a tier of its own."""
    tiers = (Tier(500, 200_000, 100_000),)
    listed = evolve(market(1_000), tiers=tiers)
    before = exchange(
        {ANN: holds(3_000, (size, size * 1_000), (3, 300))}, listed, market(100, maintenance=70_000)
    )
    found = liquidation.liquidation_price(before, ANN, GOLD)
    assert found is not None
    at = Fraction(*found)
    assert at.denominator != 1
    for price in (int(at), int(at) + 1):
        there = evolve(before, markets=before.markets.put(GOLD, evolve(listed, mark=price)))
        beyond = (price - at) * due_side > 0
        assert liquidation.is_due(there, ANN) is beyond


def test_a_long_that_needs_all_its_notional_has_no_liquidation_price() -> None:
    assert liquidation.due_price(5, PARTS, 0, -100) is None
    assert liquidation.due_price(-5, PARTS, 0, 100) == (100 * PARTS, 10 * PARTS)


@pytest.mark.parametrize(
    ("equity", "price"), [(50, 1_000), (60, 1_000), (49, 1_000), (40, 999), (0, 995), (-30, 995)]
)
def test_a_fillable_price_walks_with_what_is_lacking(equity: int, price: int) -> None:
    """10 lots at 1,000, a margin of 50 that may be given away whole: 5 on each lot at the end."""
    assert liquidation.fillable_price(1_000, 10, 50, equity, 50, PARTS, PARTS) == price
    short = liquidation.fillable_price(1_000, -10, 50, equity, 50, PARTS, PARTS)
    assert short == 2_000 - price


@pytest.mark.parametrize(
    ("equity", "share"), [(1_000, 200_000), (556, 200_000), (89, 400_000), (40, PARTS), (-5, PARTS)]
)
def test_the_smallest_share_that_makes_safe(equity: int, share: int) -> None:
    """A margin of 100, a fee of a half, safe below 90 per cent."""
    assert liquidation_size.smallest_share(equity, 100, 200_000, 500_000, 900_000) == share


@pytest.mark.parametrize(("lots", "value"), [(1, 98), (3, 292), (10, 971)])
def test_lots_are_rounded_together_at_their_bankruptcy_value(lots: int, value: int) -> None:
    """Ten lots at 100 with 29 behind them: 2.9 a lot, rounded down for all together."""
    before = exchange({ANN: holds(29, (10, 1_000))}, market(100, maintenance=50_000))
    assert liquidation.bankruptcy_value(before, ANN, GOLD, lots) == value


def test_what_a_short_brings_at_bankruptcy_is_what_it_pays() -> None:
    """It pays 100 a lot and the 29 behind them; a long with more than its worth brings less."""
    short = exchange({ANN: holds(29, (-10, -1_000))}, market(100, maintenance=50_000))
    assert liquidation.bankruptcy_value(short, ANN, GOLD, 10) == -1_029
    rich = exchange({ANN: holds(1_200, (10, 1_000))}, market(100, maintenance=50_000))
    assert liquidation.bankruptcy_value(rich, ANN, GOLD, 10) == -200
