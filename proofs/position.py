"""POS: a fill moves value, and rounding never makes any."""

from __future__ import annotations

from perpref.rules.position import closed, traded
from perpref.units import MAX_PRICE
from proofs.executor import all_of, assume, claim, fresh_int, implies
from proofs.registry import theorem
from proofs.world import any_position, between, sound


@theorem("T-ZERO", "POS-1", "POS-2", "POS-3", subject="traded")
def a_fill_costs_an_account_exactly_the_price_of_its_lots() -> None:
    """Realised profit less cost changes by -price * lots, whatever was rounded on the way."""
    position, lots, price = any_position("position"), fresh_int("lots"), fresh_int("price")
    after, profit = traded(position, lots, price)
    claim("size", after.size == position.size + lots)
    claim("value", profit - after.cost == -position.cost - price * lots)


@theorem("T-SOUND", "POS-1", "POS-2", "POS-3", subject="traded")
def a_position_stays_sound() -> None:
    """Every open lot keeps a cost of at least 1 with the sign of its side; flat costs nothing."""
    position, lots = any_position("position"), fresh_int("lots")
    after, _ = traded(position, lots, between("price", 1, MAX_PRICE))
    claim("sound", sound(after))


@theorem("T-POS", "POS-2", subject="closed")
def closing_realises_the_average_profit_rounded_down() -> None:
    """The profit on k of n lots is k/n of the profit on all n at that price, rounded down."""
    position, lots = any_position("position"), fresh_int("lots")
    price = between("price", 1, MAX_PRICE)
    assume(all_of(position.size != 0, lots > 0, lots <= abs(position.size)))
    _, profit = closed(position, lots, price)
    whole = (price * position.size - position.cost) * lots
    claim("not more", profit * abs(position.size) <= whole)
    claim("less than a quantum less", whole < (profit + 1) * abs(position.size))


@theorem("T-POS", "POS-3", subject="traded")
def a_flip_costs_the_price_of_the_lots_that_it_opens() -> None:
    """After a fill that changes sides, what is open was bought or sold at the price of the fill."""
    held, lots, price = any_position("position"), fresh_int("lots"), between("price", 1, MAX_PRICE)
    after, _ = traded(held, lots, price)
    if (held.size > 0 and after.size < 0) or (held.size < 0 and after.size > 0):
        claim("cost", after.cost == price * after.size)
    if held.size == 0:
        claim("opening cost", after.cost == price * lots)


@theorem("T-POS", "POS-3", subject="traded")
def a_fill_never_leaves_two_sides_open() -> None:
    """A fill against a position first closes it: profit is realised or lots are added."""
    position, lots = any_position("position"), fresh_int("lots")
    after, profit = traded(position, lots, between("price", 1, MAX_PRICE))
    adds = abs(after.size) == abs(position.size) + abs(lots)
    claim("no profit while adding", implies(adds, profit == 0))
