"""LIQ: contracts that are worth an amount of quote currency and settled in coin."""

from __future__ import annotations

from perpref.rules import liquidation_inverse
from perpref.units import MAX_CASH, MAX_PRICE, PARTS, Rounding
from proofs.executor import all_of, any_of, assume, choose, claim, fresh_int, implies, negation
from proofs.registry import theorem
from proofs.world import between


@theorem("T-LIQ", "LIQ-30", subject="profit_in_coins")
def an_inverse_long_gains_when_the_price_rises_and_never_more_than_it_cost() -> None:
    """A short gains just what a long loses."""
    face = between("face", 1, MAX_CASH)
    entry, price = between("entry", 1, MAX_PRICE), between("price", 1, MAX_PRICE)
    gained, base = liquidation_inverse.profit_in_coins(face, entry, price)
    lost, other = liquidation_inverse.profit_in_coins(-face, entry, price)
    claim("a base", all_of(base >= 1, base == other))
    claim("zero sum", gained + lost == 0)
    claim("gains", all_of(implies(price >= entry, gained >= 0), implies(price < entry, gained < 0)))
    then, at_entry = liquidation_inverse.coins(face, entry)
    claim("no more", implies(gained > 0, gained * at_entry <= then * base))


@theorem("T-LIQ", "LIQ-31", subject="inverse_due_price")
def an_inverse_liquidation_price_parts_the_prices_at_which_an_account_is_due() -> None:
    """A long is due just below it and a short just above it; where there is none, at all or none.

    At a price the contracts take their worth in coin from what is behind them, and need a rate of
    it.
    """
    face, behind = fresh_int("face"), fresh_int("behind")
    rate, at = between("rate", 0, PARTS), between("price", 1, MAX_PRICE)
    assume(any_of(face > 0, face < 0))
    found = liquidation_inverse.inverse_due_price(face, rate, behind)
    due = behind * PARTS * at < face * PARTS + rate * abs(face)
    if found is None:
        if face > 0:
            claim("a long is due at any price", due)
        else:
            claim("a short at none", implies(rate < PARTS, negation(due)))
        return
    numerator, denominator = found
    claim("a price", all_of(numerator >= 1, denominator >= 1))
    below, above = at * denominator < numerator, at * denominator > numerator
    if face > 0:
        claim("a long", all_of(implies(due, below), implies(below, due)))
    else:
        claim("a short", all_of(implies(due, above), implies(above, due)))


@theorem("T-LIQ", "LIQ-32", subject="on_tick")
def a_price_on_a_tick_is_less_than_a_tick_away() -> None:
    """On the side that the venue says, unless that were no price."""
    numerator, denominator = between("numerator", 1, MAX_CASH), between("denominator", 1, MAX_CASH)
    tick, rounding = between("tick", 1, MAX_PRICE), choose("rounding", tuple(Rounding))
    price = liquidation_inverse.on_tick((numerator, denominator), tick, rounding)
    claim("a tick", price >= tick)
    if rounding is Rounding.UP:
        claim("up", all_of(price * denominator >= numerator))
        claim("near", (price - tick) * denominator < numerator)
    else:
        claim("down", any_of(price == tick, price * denominator <= numerator))
        claim("near", (price + tick) * denominator > numerator)
