"""MRG: what margins are, and that a fill which an account bears leaves it in good health."""

from __future__ import annotations

from attrs import evolve

from perpref.rules import margin, position
from perpref.rules.margin import (
    Health,
    above_tier,
    bears_fill,
    exposed,
    initial_margin,
    maintenance_margin,
    notional,
    order_margin,
    position_value,
    reduces,
    require_order_margin,
    scaled_rate,
    tiered,
)
from perpref.state import Market, Position, Tier
from perpref.units import MAX_CASH, MAX_LOTS, PARTS, MarketId
from proofs.executor import (
    all_of,
    any_of,
    assume,
    choose,
    claim,
    fresh_bool,
    fresh_int,
    implies,
)
from proofs.registry import Strength, theorem
from proofs.world import any_exchange, any_position, between


def any_market() -> Market:
    """Any market, without tiers or with one; `a_tier_keeps_margins_in_order` adds any other."""
    market = any_exchange().markets[MarketId(fresh_int("market"))]
    tiers = tuple(any_tier(f"tier {place}") for place in range(choose("tiers", (0, 1))))
    for tier in tiers:
        assume(implies(market.due_at_maintenance, tier.initial_rate > tier.maintenance_rate))
    return evolve(market, tiers=tiers)


def any_tier(name: str) -> Tier:
    tier = Tier(*(fresh_int(f"{name}.{part}") for part in ("above", "initial", "maintenance")))
    assume(all_of(tier.above >= 0, tier.maintenance_rate >= 1, tier.initial_rate <= PARTS))
    assume(tier.initial_rate >= tier.maintenance_rate)
    return tier


@theorem("T-MRG", "MRG-2", "MRG-3", "MRG-4", subject="maintenance_margin", assumes=("scaled_rate",))
def margins_are_ordered_and_within_the_notional() -> None:
    """0 <= maintenance <= initial <= notional, and an open position needs at least a quantum."""
    position, market = any_position("position"), any_market()
    maintenance = maintenance_margin(position, market)
    initial = initial_margin(position, market)
    claim("ordered", all_of(0 <= maintenance, maintenance <= initial))
    claim("within the notional", initial <= notional(position, market))
    claim("open needs margin", implies(position.size != 0, maintenance >= 1))


@theorem("T-MRG", "MRG-6", subject="tiered")
def a_tier_keeps_margins_in_order() -> None:
    """By one tier more maintenance stays within initial margin, and initial within the notional.

    What one tier keeps, any number of them keeps. The order lives on because the part of a
    notional above the next tier is no more than the part above this one. Where each initial rate
    is above its maintenance rate, so is the initial margin above the other (MRG-9).
    """
    worth, above, following = (fresh_int(name) for name in ("notional", "above", "following"))
    least, low, most, high = (fresh_int(name) for name in ("least", "low", "most", "high"))
    part = max(worth - above, 0)
    assume(all_of(worth >= 0, 0 <= above, above <= following))
    assume(all_of(1 <= low, low <= high, high <= PARTS))
    assume(all_of(least >= worth, least <= most, most <= high * worth))
    assume(most - least >= (high - low) * part)
    tier, apart = any_tier("tier"), all_of(worth >= 1, low < high, least < most)
    room = all_of(apart, tier.maintenance_rate < tier.initial_rate)
    least, low = above_tier(least, low, worth, following, tier.maintenance_rate)
    most, high = above_tier(most, high, worth, following, tier.initial_rate)
    claim("rates", all_of(1 <= low, low <= high, high <= PARTS))
    claim("open needs margin", least >= worth)
    claim("ordered", least <= most)
    claim("apart", implies(room, all_of(low < high, least < most)))
    claim("within the notional", most <= high * worth)
    claim("order lives on", most - least >= (high - low) * max(worth - following, 0))


@theorem("T-MRG", "MRG-6", subject="tiered")
def a_tier_is_a_rate_less_a_deduction_and_continuous() -> None:
    """Above its bound a tier takes its rate less a deduction, and at the bound nothing jumps."""
    worth, rate = fresh_int("notional"), fresh_int("rate")
    above, higher = fresh_int("above"), fresh_int("higher")
    assume(all_of(worth >= 0, above >= 0, rate >= 1, higher >= rate))
    margin = tiered(worth, rate, ((above, higher),))
    claim("above", implies(worth >= above, margin == higher * worth - above * (higher - rate)))
    claim("up to it", implies(worth <= above, margin == rate * worth))


@theorem("T-MRG", "MRG-7", subject="scaled_rate")
def an_initial_rate_grows_with_open_interest_up_to_the_whole_notional() -> None:
    """It is the market's own up to the lower bound, all of the notional from the upper one on."""
    rate, lower, upper = between("rate", 1, PARTS), fresh_int("lower"), fresh_int("upper")
    interest, more = fresh_int("interest"), fresh_int("more")
    assume(all_of(lower >= 0, upper >= 0, interest >= 0, more >= interest))
    scaled = scaled_rate(rate, interest, lower, upper)
    claim("between", all_of(rate <= scaled, scaled <= PARTS))
    claim("its own", implies(interest <= lower, scaled == rate))
    claim("all", implies(all_of(lower < upper, interest >= upper), scaled == PARTS))
    claim("never less", scaled <= scaled_rate(rate, more, lower, upper))


@theorem("T-MRG", "MRG-7", subject="scaled_rate")
def a_scaled_rate_is_never_above_its_line() -> None:
    """Between the bounds it is what the line from the own rate to the whole says, or below it."""
    rate, lower, upper = between("rate", 1, PARTS), fresh_int("lower"), fresh_int("upper")
    interest = fresh_int("interest")
    assume(all_of(0 <= lower, lower < upper, lower <= interest, interest <= upper))
    risen = (scaled_rate(rate, interest, lower, upper) - rate) * (upper - lower)
    claim("not above", risen <= (PARTS - rate) * (interest - lower))
    claim("less than a millionth", risen > (PARTS - rate) * (interest - lower) - (upper - lower))


@theorem("T-MRG", "MRG-8", subject="exposed")
def orders_expose_an_account_to_whatever_part_of_them_fills() -> None:
    """Whatever fills of its buys or of its sells, no more lots are held than it is exposed to."""
    size, buys, sells = fresh_int("size"), fresh_int("buys"), fresh_int("sells")
    bought, sold = between("bought", 0, buys), between("sold", 0, sells)
    assume(all_of(buys >= 0, sells >= 0))
    claim("covered", abs(size + bought - sold) <= exposed(size, buys, sells))


@theorem("T-MRG", "MRG-6", subject="above_tier")
def by_one_tier_more_a_larger_notional_still_needs_no_less() -> None:
    """What one tier keeps, any number of them keeps; both notionals go on at the same rate."""
    worth, more, above = (fresh_int(name) for name in ("notional", "more", "above"))
    small, large, rate = (fresh_int(name) for name in ("small", "large", "rate"))
    assume(all_of(0 <= worth, worth <= more, small <= large))
    tier = any_tier("tier")
    small, one = above_tier(small, rate, worth, above, tier.initial_rate)
    large, other = above_tier(large, rate, more, above, tier.initial_rate)
    claim("no less", small <= large)
    claim("one rate", one == other)


@theorem("T-MRG", "MRG-4", "MRG-8", subject="order_margin", assumes=("scaled_rate",))
def a_smaller_size_never_needs_more() -> None:
    """Of two sizes in one market, on whatever sides, the larger has at least the margin."""
    market = any_market()
    small, large = any_position("small"), any_position("large")
    worth, more = notional(small, market), notional(large, market)
    assume(worth <= more)
    assume(market.initial_rate * worth <= market.initial_rate * more)
    claim("no more", initial_margin(small, market) <= initial_margin(large, market))


def _filled_at(market: Market, price: int) -> bool:
    """Whether an account that has order margin bears what fills of its orders, all at one price.

    Its other markets need something, whatever it is; nobody asks for a fee.
    """
    held = any_position("held")
    buys, sells = between("buys", 0, MAX_LOTS), between("sells", 0, MAX_LOTS)
    lots = between("bought", 0, buys) - between("sold", 0, sells)
    others, worth = between("others", 0, MAX_CASH), fresh_int("worth")
    assume(lots != 0)
    reserved = order_margin(held.size, buys, sells, market)
    assume(worth >= others + reserved)
    after, profit = position.traded(held, lots, price)
    needs, most = margin.initial_margin(after, market), exposed(held.size, buys, sells)
    if abs(after.size) <= most:  # then a_smaller_size_never_needs_more
        assume(needs <= margin.initial_margin(Position(most, 0), market))
    gained = profit + position_value(after, market) - position_value(held, market)
    now = Health(worth + gained, 0, others + needs)
    return bears_fill(Health(worth, 0, others), now, False)


@theorem("T-MRG", "MRG-8", "MRG-5", subject="order_margin", assumes=("initial_margin",))
def whatever_fills_at_the_mark_is_borne_by_who_has_order_margin() -> None:
    """While the mark and the rates stay, no part of any orders is too much at the mark."""
    market = any_exchange().markets[MarketId(fresh_int("market"))]
    claim("borne", _filled_at(market, market.mark))


@theorem("T-MRG", "MRG-8", subject="order_margin", strength=Strength.REFUTED, assumes=())
def whatever_fills_at_its_limit_is_borne_by_who_has_order_margin() -> None:
    """At a price worse than the mark a fill takes equity that nobody has reserved."""
    market = evolve(any_exchange().markets[MarketId(fresh_int("market"))], tiers=())
    assume(all_of(market.scaled_to == 0, market.initial_rate == 100_000, market.mark == 100))
    claim("borne", _filled_at(market, between("price", 90, 110)))


@theorem("T-MRG", "MRG-8", subject="require_order_margin")
def orders_are_taken_with_their_margin_or_when_they_need_no_more() -> None:
    """What is not refused leaves enough for what may fill, or needs no more than was needed."""
    worth, before, after = (fresh_int(name) for name in ("worth", "before", "after"))
    require_order_margin(worth, before, after)
    claim("enough, or no more", any_of(worth >= after, after <= before))


@theorem("T-MRG", "MRG-3", "MRG-4", subject="maintenance_margin")
def a_margin_is_its_rate_of_notional_rounded_up() -> None:
    """A margin is the smallest number of quanta that is not below the rate of the notional."""
    position = any_position("position")
    market = evolve(any_exchange().markets[MarketId(fresh_int("market"))], tiers=())
    assume(market.scaled_to <= market.scaled_from)
    exact = abs(position.size) * market.mark * market.maintenance_rate
    rounded = maintenance_margin(position, evolve(market, due_at_maintenance=False)) * PARTS
    claim("not below", exact <= rounded)
    claim("the smallest", rounded < exact + PARTS)
    exact = abs(position.size) * market.mark * market.initial_rate
    rounded = initial_margin(position, market) * PARTS
    claim("initial not below", exact <= rounded)
    claim("initial the smallest", rounded < exact + PARTS)


@theorem("T-MRG", "MRG-9", "LIQ-1", subject="maintenance_margin")
def who_has_just_the_rate_of_its_notional_is_due_where_the_market_says_so() -> None:
    """Of one position: equity is below the margin when it is below the rate, or no more than it."""
    position, worth = any_position("position"), fresh_int("equity")
    market = evolve(any_exchange().markets[MarketId(fresh_int("market"))], tiers=())
    assume(position.size != 0)
    rate = abs(position.size) * market.mark * market.maintenance_rate
    at, below = (evolve(market, due_at_maintenance=due) for due in (True, False))
    short, no_more = worth < maintenance_margin(position, at), worth * PARTS <= rate
    claim("at it", all_of(implies(short, no_more), implies(no_more, short)))
    short, less = worth < maintenance_margin(position, below), worth * PARTS < rate
    claim("below it", all_of(implies(short, less), implies(less, short)))


@theorem(
    "T-MRG", "MRG-9", "LIQ-1", subject="maintenance_margin", strength=Strength.REFUTED, assumes=()
)
def who_has_two_positions_is_due_only_at_the_rates_of_both_together() -> None:
    """Each is rounded by itself, so the account is due a quantum above."""
    one, two, worth = any_position("one"), any_position("two"), fresh_int("equity")
    market = evolve(any_exchange().markets[MarketId(fresh_int("market"))], tiers=())
    assume(all_of(market.due_at_maintenance, one.size != 0, two.size != 0))
    rate = (abs(one.size) + abs(two.size)) * market.mark * market.maintenance_rate
    assume(worth < maintenance_margin(one, market) + maintenance_margin(two, market))
    claim("at the rates", worth * PARTS <= rate)


@theorem("T-MRG", "MRG-3", "MRG-4", subject="maintenance_margin", assumes=("scaled_rate",))
def a_margin_depends_on_size_mark_and_rates_alone() -> None:
    """Two positions of one size have one margin, whatever they cost or rests on the book."""
    one, other = any_position("one"), any_position("other")
    market = any_market()
    elsewhere = evolve(
        any_exchange().markets[MarketId(fresh_int("other market"))],
        mark=market.mark,
        maintenance_rate=market.maintenance_rate,
        initial_rate=market.initial_rate,
        tiers=market.tiers,
        due_at_maintenance=market.due_at_maintenance,
    )
    assume(one.size == other.size)
    claim("maintenance", maintenance_margin(one, market) == maintenance_margin(other, elsewhere))
    scaling = ("open_interest", "scaled_from", "scaled_to")
    as_open = {part: getattr(market, part) for part in scaling}
    elsewhere = evolve(elsewhere, **as_open)
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
