"""MRG: what margins are, and that a fill which an account bears leaves it in good health."""

from __future__ import annotations

from attrs import evolve

from perpref.rules.margin import (
    Health,
    bears_fill,
    initial_margin,
    maintenance_margin,
    notional,
    position_value,
    reduces,
)
from perpref.units import PARTS, MarketId
from proofs.executor import all_of, assume, claim, fresh_bool, fresh_int, implies
from proofs.registry import theorem
from proofs.world import any_exchange, any_position


@theorem("T-MRG", "MRG-2", "MRG-3", "MRG-4", subject="maintenance_margin")
def margins_are_ordered_and_within_the_notional() -> None:
    """0 <= maintenance <= initial <= notional, and an open position needs at least a quantum."""
    position = any_position("position")
    market = any_exchange().markets[MarketId(fresh_int("market"))]
    maintenance = maintenance_margin(position, market)
    initial = initial_margin(position, market)
    claim("ordered", all_of(0 <= maintenance, maintenance <= initial))
    claim("within the notional", initial <= notional(position, market))
    claim("open needs margin", implies(position.size != 0, maintenance >= 1))


@theorem("T-MRG", "MRG-3", "MRG-4", subject="maintenance_margin")
def a_margin_is_its_rate_of_notional_rounded_up() -> None:
    """A margin is the smallest number of quanta that is not below the rate of the notional."""
    position = any_position("position")
    market = any_exchange().markets[MarketId(fresh_int("market"))]
    exact = abs(position.size) * market.mark * market.maintenance_rate
    rounded = maintenance_margin(position, market) * PARTS
    claim("not below", exact <= rounded)
    claim("the smallest", rounded < exact + PARTS)
    exact = abs(position.size) * market.mark * market.initial_rate
    rounded = initial_margin(position, market) * PARTS
    claim("initial not below", exact <= rounded)
    claim("initial the smallest", rounded < exact + PARTS)


@theorem("T-MRG", "MRG-3", "MRG-4", subject="maintenance_margin")
def a_margin_depends_on_size_mark_and_rates_alone() -> None:
    """Two positions of one size have one margin, whatever they cost or rests on the book."""
    exchange, one = any_exchange(), any_position("one")
    market, other = exchange.markets[MarketId(fresh_int("market"))], any_position("other")
    elsewhere = evolve(
        exchange.markets[MarketId(fresh_int("other market"))],
        mark=market.mark,
        maintenance_rate=market.maintenance_rate,
        initial_rate=market.initial_rate,
    )
    assume(one.size == other.size)
    claim("maintenance", maintenance_margin(one, market) == maintenance_margin(other, elsewhere))
    claim("initial", initial_margin(one, market) == initial_margin(other, elsewhere))


@theorem("T-MRG", "MRG-1", "MRG-2", subject="position_value")
def the_value_of_a_position_is_size_times_mark_less_cost() -> None:
    """Bought at the mark it is worth nothing, and it gains its size with every tick."""
    position = any_position("position")
    market = any_exchange().markets[MarketId(fresh_int("market"))]
    value = position_value(position, market)
    claim("value", value + position.cost == position.size * market.mark)
    claim("notional", notional(position, market) == abs(position.size) * market.mark)


def any_health(name: str) -> Health:
    health = Health(
        fresh_int(f"{name}.equity"), fresh_int(f"{name}.maintenance"), fresh_int(f"{name}.initial")
    )
    assume(all_of(health.maintenance >= 0, health.initial >= health.maintenance))
    return health


@theorem("T-DUE", "MRG-5", subject="bears_fill")
def a_fill_that_is_borne_leaves_an_account_solvent_and_not_due() -> None:
    """After a fill that it bears an account is solvent, and not due unless it was due before.

    To reduce, it must have held a position, and then its maintenance margin was not zero.
    """
    before, after, reducing = any_health("before"), any_health("after"), fresh_bool("reducing")
    assume(implies(reducing, before.maintenance > 0))
    assume(bears_fill(before, after, reducing))
    claim("solvent", after.equity >= 0)
    claim(
        "not due",
        implies(before.equity >= before.maintenance, after.equity >= after.maintenance),
    )


@theorem("T-DUE", "MRG-5", subject="bears_fill")
def an_account_without_initial_margin_can_only_reduce() -> None:
    """A fill that does not reduce is borne only with initial margin."""
    before, after = any_health("before"), any_health("after")
    assume(bears_fill(before, after, False))
    claim("initial margin", after.equity >= after.initial)


@theorem("T-DUE", "MRG-5", subject="bears_fill")
def a_reduction_that_keeps_the_cover_is_always_borne() -> None:
    """A solvent account may reduce as long as equity over maintenance margin does not fall."""
    before, after = any_health("before"), any_health("after")
    assume(all_of(after.equity >= 0))
    assume(after.equity * before.maintenance >= before.equity * after.maintenance)
    claim("borne", bears_fill(before, after, True))


@theorem("T-DUE", "MRG-5", subject="reduces")
def reducing_is_fewer_lots_on_the_same_side() -> None:
    """A reduction leaves fewer lots and never another side; the same size is none."""
    before, after = any_position("before"), any_position("after")
    if reduces(before, after):
        claim("fewer", abs(after.size) < abs(before.size))
        claim(
            "same side",
            all_of(
                implies(before.size > 0, after.size >= 0), implies(before.size < 0, after.size <= 0)
            ),
        )
    else:
        claim(
            "not fewer, or another side",
            (abs(after.size) >= abs(before.size)) | (after.size * before.size < 0),
        )
