"""ADL: the ways to share lots among winners, what each of them keeps and what it does not."""

from __future__ import annotations

from perpref.allotment import allotted
from perpref.rules import adl, adl_sharing, loss
from perpref.rules.adl_sharing import Claim
from perpref.rules.margin import health
from perpref.rules.vault import transfer_position
from perpref.state import ShareWeight
from perpref.units import MAX_CASH
from proofs.adl import any_standing
from proofs.contracts import CLOSING
from proofs.executor import (
    all_of,
    any_of,
    assume,
    choose,
    claim,
    fresh_int,
    implies,
)
from proofs.ledger import any_account
from proofs.liquidation import any_due
from proofs.registry import Strength, tested, theorem
from proofs.world import between

# In proportion, rounded in turn.


@theorem("T-PRO", "ADL-8", subject="part_in_proportion")
def a_part_in_proportion_is_less_than_a_lot_from_the_exact_one() -> None:
    """And never more than the position, nor less than nothing."""
    lots, before, size, total = (fresh_int(name) for name in ("lots", "before", "size", "total"))
    assume(all_of(0 <= lots, lots <= total, 0 <= before, 1 <= size, before + size <= total))
    part = adl_sharing.part_in_proportion(lots, before, size, total)
    error = part * total - lots * size
    claim("less than a lot", all_of(error < total, error > -total))
    claim("no more than it holds", all_of(0 <= part, part <= size))


@theorem("T-PRO", "ADL-8", subject="part_in_proportion")
def the_first_in_proportion_closes_no_less_than_its_part() -> None:
    """What falls to those who come first is rounded up: nothing is put off to later ones."""
    lots, size, total = (fresh_int(name) for name in ("lots", "size", "total"))
    assume(all_of(0 <= lots, lots <= total, 1 <= size, size <= total))
    part = adl_sharing.part_in_proportion(lots, 0, size, total)
    claim("no less", part * total >= lots * size)


@theorem("T-PRO", "ADL-8", subject="part_in_proportion")
def two_parts_in_proportion_are_one_part_of_both() -> None:
    """So all parts together are the lots, whoever stands in between: rounding loses nothing."""
    lots, before, first, second, total = (
        fresh_int(name) for name in ("lots", "before", "first", "second", "total")
    )
    assume(all_of(0 <= lots, lots <= total, 0 <= before, 1 <= first, 1 <= second))
    assume(before + first + second <= total)
    one = adl_sharing.part_in_proportion(lots, before, first, total)
    other = adl_sharing.part_in_proportion(lots, before + first, second, total)
    claim(
        "both", one + other == adl_sharing.part_in_proportion(lots, before, first + second, total)
    )
    claim("all", adl_sharing.part_in_proportion(lots, 0, total, total) == lots)


@theorem("T-ADL", "ADL-8", subject="part_in_proportion")
def in_proportion_a_larger_position_is_closed_by_no_less() -> None:
    """But for a lot of rounding: who holds more gives more."""
    lots, total = fresh_int("lots"), fresh_int("total")
    before, small, after, large = (
        fresh_int(name) for name in ("before", "small", "after", "large")
    )
    assume(all_of(0 <= lots, lots <= total, before >= 0, after >= 0, 1 <= small, small <= large))
    assume(all_of(before + small <= total, after + large <= total))
    less = adl_sharing.part_in_proportion(lots, before, small, total)
    more = adl_sharing.part_in_proportion(lots, after, large, total)
    claim("no less, but for a lot", more >= less - 1)


@theorem("T-ADL", "ADL-8", subject="part_in_proportion", strength=Strength.REFUTED, assumes=())
def in_proportion_at_most_one_position_is_closed_in_part() -> None:
    """That is the queue's: in proportion nearly everybody keeps something."""
    lots, one, other = fresh_int("lots"), fresh_int("one"), fresh_int("other")
    assume(all_of(1 <= lots, lots <= one + other, 1 <= one, 1 <= other))
    first = adl_sharing.part_in_proportion(lots, 0, one, one + other)
    second = adl_sharing.part_in_proportion(lots, one, other, one + other)
    whole = any_of(first == one, second == other, first == 0, second == 0)
    claim("one is closed or spared", whole)


@theorem("T-ADL", "ADL-8", subject="share_of_loss", strength=Strength.REFUTED, assumes=())
def rounding_up_what_is_left_each_time_stays_within_a_lot() -> None:
    """Two who are asked first are rounded up, and the third is left more than a lot short."""
    lots, one, two, three = (fresh_int(name) for name in ("lots", "one", "two", "three"))
    assume(all_of(1 <= one, one <= 9, 1 <= two, two <= 9, 1 <= three, three <= 9))
    total = one + two + three
    assume(all_of(0 <= lots, lots <= total))
    first = loss.share_of_loss(lots, one, total)
    second = loss.share_of_loss(lots - first, two, two + three)
    claim("within a lot", (lots - first - second) * total > lots * three - total)


tested(
    "T-ADL",
    "everybody_is_closed_in_proportion_as_far_as_it_can_bear",
    "In proportion nobody is closed by a lot more than its part, and the queue gets the rest.",
    "ADL-8",
    chapter="adl",
    where="tests/test_sharing.py::test_everybody_is_closed_in_proportion_as_far_as_it_can_bear",
)


@theorem("T-PRO", "ADL-9", subject="weight_of_winner")
def a_weight_in_an_adl_is_never_negative_and_profits_weigh_only_winners() -> None:
    """Who owes weighs nothing by equity, who has lost nothing by profit."""
    standing = any_standing("standing")
    assume(standing.notional >= 0)
    weight = choose("weight", tuple(ShareWeight))
    found = adl_sharing.weight_of_winner(weight, standing)
    claim("not negative", found >= 0)
    if weight is ShareWeight.EQUITY:
        claim("debtors", implies(standing.equity <= 0, found == 0))
    if weight is ShareWeight.LEVERED_PROFIT:
        claim("losers", implies(standing.profit <= 0, found == 0))


@theorem("T-PRO", "ADL-10", subject="whole_part")
def rounding_parts_down_leaves_fewer_lots_than_parts() -> None:
    """The step over all parts: what is left is the remainders, each less than a lot."""
    lots, weight, total = (fresh_int(name) for name in ("lots", "weight", "total"))
    assume(all_of(0 <= lots, 0 <= weight, weight <= total, 1 <= total))
    part = adl_sharing.whole_part(lots, weight, total)
    left = adl_sharing.remainder(lots, weight, total)
    claim("less than a lot", all_of(0 <= left, left < total))
    claim("all", part * total + left == lots * weight)
    claim("no more than there are", part <= lots)


@theorem("T-ADL", "ADL-10", subject="remainder")
def by_largest_remainders_a_larger_weight_never_gets_less() -> None:
    """A larger weight has a larger whole part, or the same and no smaller a remainder."""
    lots, total = fresh_int("lots"), fresh_int("total")
    small, large = fresh_int("small"), fresh_int("large")
    assume(all_of(0 <= lots, 0 <= small, small <= large, large <= total, 1 <= total))
    less, more = (adl_sharing.whole_part(lots, weight, total) for weight in (small, large))
    left, right = (adl_sharing.remainder(lots, weight, total) for weight in (small, large))
    claim("no less", any_of(more > less, all_of(more == less, right >= left)))


# Within capacities: for any number of claims, by the steps of the fold.


def any_level() -> tuple[int, int, int, int]:
    """Lots that are left, a weight, all weights that are not full, and a capacity."""
    lots, weight, total, capacity = (
        fresh_int(name) for name in ("lots", "weight", "total", "capacity")
    )
    assume(all_of(0 <= lots, 1 <= weight, weight <= total, 0 <= capacity))
    return lots, weight, total, capacity


@theorem("T-PRO", "ADL-11", subject="is_full")
def who_is_full_takes_no_more_than_is_left_and_lowers_nobodys_part() -> None:
    """The lots that are left for each weight that is left are no fewer: the level only rises.

    The step of the fold: so whoever was full stays full, and all parts together are the lots.
    """
    lots, weight, total, capacity = any_level()
    if adl_sharing.is_full(lots, weight, total, capacity):
        claim("no more than is left", capacity <= lots)
        claim("rises", (lots - capacity) * total >= lots * (total - weight))
    else:
        claim("not yet", lots * weight < capacity * total)


@theorem("T-PRO", "ADL-11", subject="is_full")
def after_the_first_that_is_not_full_nobody_is() -> None:
    """In the order of filling, so the fold may stop there."""
    lots, weight, total, capacity = any_level()
    later = Claim(fresh_int("later.weight"), fresh_int("later.capacity"))
    assume(all_of(later.weight >= 1, later.weight <= total, later.capacity >= 0))
    before = adl_sharing.fills_before(later, Claim(weight, capacity))
    if not before and not adl_sharing.is_full(lots, weight, total, capacity):
        full = adl_sharing.is_full(lots, later.weight, total, later.capacity)
        claim("not full", not full)


@theorem("T-PRO", "ADL-10", "ADL-11", subject="whole_part")
def a_part_and_a_lot_more_are_within_the_capacity_of_whoever_is_not_full() -> None:
    """So the lot more for a large remainder never makes a part too large."""
    lots, weight, total, capacity = any_level()
    part = adl_sharing.whole_part(lots, weight, total)
    if not adl_sharing.is_full(lots, weight, total, capacity):
        claim("within", all_of(0 <= part, part + 1 <= capacity))


@theorem("T-ADL", "ADL-10", subject="whole_part")
def two_parts_rounded_down_are_one_part_of_both_but_for_a_lot() -> None:
    """Whoever splits a weight changes what it gives by rounding alone."""
    lots, one, total, _ = any_level()
    other = fresh_int("other")
    assume(all_of(other >= 1, one + other <= total))
    both = adl_sharing.whole_part(lots, one + other, total)
    parts = adl_sharing.whole_part(lots, one, total) + adl_sharing.whole_part(lots, other, total)
    claim("but for a lot", all_of(both - 1 <= parts, parts <= both))


@theorem("T-ADL", "ADL-10", "ADL-11", subject="whole_part")
def only_the_proportion_of_weights_counts() -> None:
    """Twice or three times all weights give the same parts and fill at the same level."""
    lots, weight, total, capacity = any_level()
    times = choose("times", (2, 3))
    once = adl_sharing.whole_part(lots, weight, total)
    claim("parts", adl_sharing.whole_part(lots, weight * times, total * times) == once)
    over = adl_sharing.remainder(lots, weight, total)
    more = adl_sharing.remainder(lots, weight * times, total * times)
    claim("remainders", more == over * times)
    if adl_sharing.is_full(lots, weight, total, capacity):
        claim("full", adl_sharing.is_full(lots, weight * times, total * times, capacity))


@theorem("T-ADL", "ADL-11", subject="stays_margined", assumes=CLOSING)
def who_is_closed_within_its_capacity_is_not_due_by_it() -> None:
    """Its equity covers its maintenance margin after it was closed by what it takes at most."""
    exchange, account, market = any_due()
    counterparty, lots = any_account("counterparty"), fresh_int("lots")
    adl.require_opposite(exchange, account, counterparty, market, lots)
    loss = adl.loss_of_closing(exchange, account, counterparty, market, lots)
    assume(adl_sharing.stays_margined(exchange, counterparty, market, lots, loss))
    price = adl.deleveraging_price(exchange, account, market)
    closed = transfer_position(exchange, account, counterparty, market, lots, price, "ADL-3")
    after = health(closed.exchange, counterparty)
    claim("margined", after.equity >= after.maintenance)


# The folds as a whole: bounded, or refuted with a witness that the shipped fold itself gives.


def claims_of(*sizes: int) -> list[Claim]:
    """What counts is what they hold, and they take all of it."""
    return [Claim(size, size) for size in sizes]


@theorem("T-PRO", "ADL-11", subject="allotted", strength=Strength.BOUNDED)
def all_lots_are_allotted_and_none_beyond_a_capacity() -> None:
    """To two claims of any capacity with weights of 1 to 3, by the whole fold."""
    lots = fresh_int("lots")
    claims = [
        Claim(choose(f"weight {place}", (1, 2, 3)), fresh_int(f"capacity {place}"))
        for place in (1, 2)
    ]
    assume(all_of(lots >= 0, *(one.capacity >= 0 for one in claims)))
    there = claims[0].capacity + claims[1].capacity
    first, second = allotted(lots, claims)
    claim("all", any_of(first + second == lots, all_of(lots > there, first + second == there)))
    for part, one in zip((first, second), claims, strict=True):
        claim("within", all_of(0 <= part, part <= one.capacity))


@theorem("T-ADL", "ADL-10", subject="allotted", strength=Strength.REFUTED, assumes=())
def by_largest_remainders_two_halves_give_what_the_whole_gives() -> None:
    """Who splits a position may give a lot less, or more, than who does not."""
    lots = between("lots", 1, 7)
    (whole, *_) = allotted(lots, claims_of(4, 3))
    first, second, *_ = allotted(lots, claims_of(2, 2, 3))
    claim("the same", first + second == whole)


@theorem("T-ADL", "ADL-10", subject="allotted", strength=Strength.REFUTED, assumes=())
def with_more_lots_to_close_nobody_gives_fewer() -> None:
    """A lot more to close may take the lot from somebody's largest remainder (Alabama)."""
    claims, lots = claims_of(6, 6, 2), between("lots", 1, 13)
    now, more = allotted(lots, claims), allotted(lots + 1, claims)
    for part, larger in zip(now, more, strict=True):
        claim("no fewer", part <= larger)


@theorem("T-ADL", "ADL-11", subject="allotted", strength=Strength.REFUTED, assumes=())
def with_capacities_a_larger_weight_is_closed_by_no_less() -> None:
    """Who holds more and can take less gives less: only among those not full is it so."""
    claims = [Claim(3, between("takes", 0, 3)), Claim(2, 2)]
    more, less = allotted(between("lots", 1, 5), claims)
    claim("no less", more >= less)


@theorem("T-ADL", "ADL-11", subject="allotted", strength=Strength.REFUTED, assumes=())
def within_capacities_at_most_one_is_closed_in_part() -> None:
    """As in proportion, nearly everybody who is not full keeps something."""
    first, second = allotted(between("lots", 1, 5), claims_of(3, 2))
    claim("one is closed or spared", any_of(first == 3, second == 2, first == 0, second == 0))


@theorem("T-ADL", "ADL-12", subject="first_of_walk")
def a_walk_begins_at_one_of_those_there_are() -> None:
    """Whatever the seed and the last order; and one order later somewhere else, if seldom not."""
    seed, last_order = between("seed", 0, MAX_CASH), between("last_order", 0, MAX_CASH)
    count = between("count", 1, MAX_CASH)
    first = adl_sharing.first_of_walk(seed, last_order, count)
    claim("one of them", all_of(0 <= first, first < count))


@theorem("T-ADL", "ADL-12", "LIQ-19", "LIQ-40", subject="place_in_walk")
def a_walk_comes_to_everybody_once() -> None:
    """As many turns as there are places: each turn is at a place, and no two at the same one."""
    count = between("count", 1, MAX_CASH)
    first, turn = between("first", 0, MAX_CASH), between("turn", 0, MAX_CASH)
    later = between("later", 0, MAX_CASH)
    assume(all_of(first < count, turn < later, later < count))
    now = adl_sharing.place_in_walk(first, turn, count)
    then = adl_sharing.place_in_walk(first, later, count)
    claim("a place", all_of(0 <= now, now < count, 0 <= then, then < count))
    claim("not twice", now != then)
    claim("begins at the first", adl_sharing.place_in_walk(first, 0, count) == first)
