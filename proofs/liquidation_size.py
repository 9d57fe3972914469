"""LIQ: how much of a position is closed at a time, and what that restores."""

from __future__ import annotations

from attrs import evolve

from perpref.rules import liquidation, liquidation_size
from perpref.rules.margin import (
    above_tier,
    maintenance_margin,
)
from perpref.state import Market, Position
from perpref.units import MAX_CASH, MAX_PRICE, PARTS, MarketId
from proofs.executor import (
    all_of,
    any_of,
    assume,
    choose,
    claim,
    fresh_bool,
    fresh_int,
    implies,
    negation,
)
from proofs.margin import any_market, any_tier
from proofs.registry import Strength, tested, theorem
from proofs.world import any_exchange, between


@theorem("T-LIQ", "LIQ-10", subject="first_lots")
def a_first_order_closes_something_and_never_more_than_there_is() -> None:
    """At least a lot and at most all; all of what is small or was closed in part just before."""
    size, worth, whole = fresh_int("size"), fresh_int("notional"), fresh_int("whole")
    share, again = between("share", 1, PARTS), fresh_bool("again")
    assume(any_of(size > 0, size < 0))
    lots = liquidation_size.first_lots(size, worth, share, whole, again)
    claim("something", all_of(lots >= 1, lots <= abs(size)))
    claim("all", implies(any_of(again, worth <= whole, share == PARTS), lots == abs(size)))


@theorem("T-LIQ", "LIQ-12", subject="with_buffer")
def a_buffer_is_on_top_of_the_maintenance_margin() -> None:
    """It is its part of the notional, rounded up; without one it is the maintenance margin."""
    needs, worth, buffer = (fresh_int(name) for name in ("maintenance", "notional", "buffer"))
    assume(all_of(worth >= 0, buffer >= 0))
    safe = liquidation_size.with_buffer(needs, worth, buffer)
    on_top = (safe - needs) * PARTS
    claim("rounded up", all_of(worth * buffer <= on_top, on_top < worth * buffer + PARTS))
    claim("on top", all_of(safe >= needs, implies(buffer == 0, safe == needs)))


@theorem("T-LIQ", "MRG-6", "LIQ-12", subject="tiered")
def a_tier_keeps_margins_growing_with_the_notional() -> None:
    """By one tier more, the margin of a larger notional is still no less than that of a smaller."""
    small, large = fresh_int("small"), fresh_int("large")
    least, most, rate = (fresh_int(name) for name in ("least", "most", "rate"))
    assume(all_of(0 <= small, small <= large, least <= most))
    tier = any_tier("tier")
    least, _ = above_tier(least, rate, small, tier.above, tier.maintenance_rate)
    most, _ = above_tier(most, rate, large, tier.above, tier.maintenance_rate)
    claim("no less", least <= most)


@theorem("T-LIQ", "MRG-3", "LIQ-12", subject="maintenance_margin")
def a_smaller_position_needs_no_more_margin() -> None:
    """So what suffices does so with more lots, and the fewest are found by halving.

    Without tiers or with one, and with any by the step above.
    """
    market, lots = any_market(), fresh_int("lots")
    large, small = (Position(fresh_int(f"{name}.size"), 0) for name in ("large", "small"))
    assume(all_of(lots >= 0, large.size > 0, small.size == large.size - lots, small.size >= 0))
    claim("no more", maintenance_margin(small, market) <= maintenance_margin(large, market))


@theorem("T-LIQ", "LIQ-12", subject="with_buffer")
def less_margin_and_less_notional_need_no_more_equity() -> None:
    """The other half of it: a buffer grows with the margin and with the notional."""
    needs, worth, buffer = (fresh_int(name) for name in ("maintenance", "notional", "buffer"))
    less, lower = fresh_int("less"), fresh_int("lower")
    assume(all_of(less <= needs, lower <= worth, buffer >= 0))
    safe = liquidation_size.with_buffer(needs, worth, buffer)
    claim("no more", liquidation_size.with_buffer(less, lower, buffer) <= safe)


def _without_tiers() -> Market:
    return evolve(any_exchange().markets[MarketId(fresh_int("market"))], tiers=())


tested(
    "T-LIQ",
    "the_fewest_lots_that_make_an_account_safe_are_closed_at_a_time",
    "At the mark they leave equity at maintenance margin and buffer, and a lot less would not.",
    "LIQ-12",
    "LIQ-15",
    chapter="liquidation",
    where="tests/rules/test_liquidation_size.py::test_the_fewest_lots_that_make_safe",
)


@theorem("T-LIQ", "LIQ-12", subject="suffices", strength=Strength.REFUTED, assumes=())
def one_order_makes_an_account_safe_at_whatever_price_it_fills() -> None:
    """A fill away from the mark costs some of what it frees, so another order follows."""
    mark, worth = between("mark", 1, MAX_PRICE), fresh_int("equity")
    size, lots = fresh_int("size"), fresh_int("lots")
    listed = evolve(_without_tiers(), mark=mark)
    assume(all_of(1 <= lots, lots < size, worth >= 0))
    left = maintenance_margin(Position(size - lots, 0), listed)
    assume(worth >= left)
    assume(worth < maintenance_margin(Position(size, 0), listed))
    given = mark - liquidation.price_without(mark, size, worth)
    claim("safe", worth - given * lots >= left)


@theorem("T-LIQ", "LIQ-12", subject="tier_begins")
def the_tier_of_a_notional_is_the_last_that_begins_below_it() -> None:
    """It begins below the notional, and no other tier begins between the two; for two tiers."""
    worth = fresh_int("notional")
    first, second = any_tier("first"), any_tier("second")
    assume(all_of(worth >= 1, first.above >= 1, first.above < second.above))
    begins = liquidation_size.tier_begins(worth, (first, second))
    claim("below", all_of(0 <= begins, begins < worth))
    for tier in (first, second):
        claim("the last", implies(tier.above < worth, tier.above <= begins))
    claim("a tier", any_of(begins == 0, begins == first.above, begins == second.above))


@theorem("T-LIQ", "LIQ-12", subject="lots_above")
def what_steps_down_is_left_at_the_largest_size_of_the_tier() -> None:
    """What is left is within the tier, and what already was is not touched."""
    size, most = fresh_int("size"), fresh_int("most")
    assume(most >= 0)
    lots = liquidation_size.lots_above(size, most)
    claim("within", all_of(lots >= 0, abs(size) - lots <= most))
    claim("no more than needed", implies(lots > 0, abs(size) - lots == most))


@theorem("T-LIQ", "LIQ-12", "LIQ-15", subject="lots_of_tier")
def a_step_closes_something_and_leaves_the_tier() -> None:
    """At least one lot, at most all, and just so many that what is left is of the lower tier."""
    size, mark = fresh_int("size"), between("mark", 1, MAX_PRICE)
    begins = fresh_int("begins")
    assume(all_of(0 <= begins, begins < abs(size) * mark))
    lots = liquidation_size.lots_of_tier(size, mark, begins)
    left = (abs(size) - lots) * mark
    claim("something", all_of(1 <= lots, lots <= abs(size)))
    claim("leaves the tier", all_of(left <= begins, begins < left + mark))


@theorem("T-LIQ", "LIQ-12", subject="lots_to_cover")
def what_is_passed_on_covers_a_shortage_but_for_a_lot() -> None:
    """One lot more would free more margin than was lacking, and these lots free no more than it."""
    shortage, price = between("shortage", 0, MAX_CASH), between("price", 0, MAX_PRICE)
    collateral = between("collateral", 0, PARTS)
    rate, first, second = (between(name, 0, PARTS) for name in ("margin", "fee", "insurance"))
    lots = liquidation_size.lots_to_cover(shortage, price, collateral, rate, first, second)
    freed = price * (collateral * (rate - first) - PARTS * second)
    if lots is None:
        claim("nothing is freed", any_of(rate <= first, freed <= 0))
    else:
        claim("no more", lots * freed <= shortage * PARTS * PARTS)
        claim("but for a lot", (lots + 1) * freed > shortage * PARTS * PARTS)


@theorem("T-LIQ", "LIQ-13", subject="smallest_share")
def the_smallest_share_that_makes_an_account_safe_is_closed() -> None:
    """By steps of a fifth: it makes the account safe or is all, and a fifth less would not do."""
    worth, needs = fresh_int("equity"), fresh_int("maintenance")
    fee, target = between("fee", 0, PARTS), between("target", 1, PARTS)
    assume(needs >= 0)
    step = PARTS // 5
    share = liquidation_size.smallest_share(worth, needs, step, fee, target)

    def safe(part: int) -> bool:
        left = worth - liquidation_size.penalty(needs, part, fee)
        return needs * (PARTS - part) < target * left

    claim("a share", all_of(share >= step, share <= PARTS))
    claim("safe or all", any_of(share == PARTS, safe(share)))
    if share > step:
        claim("less would not do", negation(safe(share - step)))


@theorem("T-LIQ", "LIQ-13", subject="penalty")
def a_penalty_is_no_more_than_the_margin_that_is_freed() -> None:
    """It is rounded up, and a fee of the whole margin takes just what the share frees."""
    needs = between("maintenance", 0, MAX_CASH)
    share, fee = between("share", 0, PARTS), between("fee", 0, PARTS)
    costs = liquidation_size.penalty(needs, share, fee)
    claim("not less", costs * PARTS * PARTS >= needs * share * fee)
    claim("no more", (costs - 1) * PARTS < needs * share)


@theorem("T-LIQ", "LIQ-13", subject="lots_of_share")
def a_share_closes_something_and_never_more_than_there_is() -> None:
    """At least one lot, at most all, and less than a lot above the exact share."""
    size, share = fresh_int("size"), between("share", 1, PARTS)
    assume(any_of(size > 0, size < 0))
    lots = liquidation_size.lots_of_share(size, share)
    claim("something", all_of(1 <= lots, lots <= abs(size)))
    claim("rounded up", all_of(lots * PARTS >= abs(size) * share))
    claim("by less than a lot", (lots - 1) * PARTS < abs(size) * share)


def _cut(name: str, market: Market, share: int) -> tuple[int, int]:
    """The maintenance margins of any long before and after a share of it was closed."""
    held = Position(fresh_int(f"{name}.size"), 0)
    assume(held.size > 0)
    left = Position(held.size - liquidation_size.lots_of_share(held.size, share), 0)
    return maintenance_margin(held, market), maintenance_margin(left, market)


@theorem("T-LIQ", "LIQ-13", subject="lots_of_share")
def a_share_leaves_less_than_a_quantum_above_its_part_of_a_margin() -> None:
    """By steps of a fifth, without tiers: what is left needs no more than that."""
    share = choose("share", tuple(fifths * PARTS // 5 for fifths in range(1, 6)))
    before, after = _cut("held", _without_tiers(), share)
    claim("its part", (after - 1) * PARTS < before * (PARTS - share))


@theorem("T-LIQ", "LIQ-13", subject="equal_share")
def a_single_position_cut_by_its_share_at_the_mark_is_not_due() -> None:
    """Unless all of it is closed, equity covers the margin that is left."""
    worth = fresh_int("equity")
    share = choose("share", tuple(fifths * PARTS // 5 for fifths in range(1, 5)))
    before, after = _cut("held", _without_tiers(), share)
    assume(before * (PARTS - share) < PARTS * worth)  # as `smallest_share` finds it
    claim("not due", worth >= after)


@theorem("T-LIQ", "LIQ-13", subject="equal_share", strength=Strength.REFUTED, assumes=())
def several_positions_cut_by_their_share_at_the_mark_are_not_due() -> None:
    """Each margin that is left is rounded up, and together they may need a quantum more."""
    worth, share = fresh_int("equity"), PARTS // 5
    market = evolve(_without_tiers(), mark=1)
    before, after = (2 * maintenance_margin(Position(lots, 0), market) for lots in (5, 4))
    assume(liquidation_size.smallest_share(worth, before, share, 0, PARTS) == share)
    claim("not due", worth >= after)


@theorem("T-LIQ", "LIQ-13", subject="equal_share", strength=Strength.REFUTED, assumes=())
def a_share_closed_at_the_bankruptcy_price_makes_an_account_safe() -> None:
    """It takes its part of the equity along: what is left is as poor as the whole was."""
    size, mark, worth = fresh_int("size"), between("mark", 1, MAX_PRICE), fresh_int("equity")
    listed = evolve(_without_tiers(), mark=mark)
    assume(all_of(size >= 5, worth >= 1))
    needs = maintenance_margin(Position(size, 0), listed)
    share = liquidation_size.smallest_share(worth, needs, PARTS // 5, 0, PARTS)
    assume(all_of(worth < needs, share < PARTS))
    lots = liquidation_size.lots_of_share(size, share)
    given = mark - liquidation.price_without(mark, size, worth)
    left = maintenance_margin(Position(size - lots, 0), listed)
    claim("not due", worth - given * lots >= left)
