"""LIQ: auctions, cooldowns and caps, and who may wait for them."""

from __future__ import annotations

from perpref.rules import liquidation_time
from perpref.state import NEVER
from perpref.units import MAX_CASH, MAX_LOTS, MAX_PRICE, MAX_TIME, PARTS
from proofs.contracts import MARGINS
from proofs.executor import (
    all_of,
    any_of,
    assume,
    claim,
    fresh_int,
    implies,
    negation,
)
from proofs.laws import QUIET, Step, action, of, take
from proofs.ledger import any_account
from proofs.registry import tested, theorem
from proofs.world import any_exchange, between


@theorem("T-LIQ", "LIQ-14", subject="offered_limit")
def an_auction_walks_from_the_mark_to_the_bankruptcy_price() -> None:
    """Each offer is between the two, none goes back, and the last one is the bankruptcy price."""
    mark, end = between("mark", 1, MAX_PRICE), between("bankruptcy", 1, MAX_PRICE)
    steps = between("steps", 1, MAX_LOTS)
    step, later = between("step", 0, MAX_LOTS), between("later", 0, MAX_LOTS)
    assume(step <= later)
    now, then = (liquidation_time.offered_limit(mark, end, at, steps) for at in (step, later))
    claim("begins", implies(step == 0, now == mark))
    claim("ends", implies(step >= steps, now == end))
    if end >= mark:
        claim("up", all_of(mark <= now, now <= then, then <= end))
    else:
        claim("down", all_of(mark >= now, now >= then, then >= end))


@theorem("T-LIQ", "LIQ-14", subject="offered_limit")
def an_auction_gives_as_much_away_for_a_long_as_for_a_short() -> None:
    """With its bankruptcy price as far above the mark it offers as far above as else below."""
    mark, end = between("mark", 1, MAX_PRICE), between("bankruptcy", 1, MAX_PRICE)
    step, steps = between("step", 0, MAX_LOTS), between("steps", 1, MAX_LOTS)
    below = mark - liquidation_time.offered_limit(mark, end, step, steps)
    above = liquidation_time.offered_limit(mark, 2 * mark - end, step, steps) - mark
    claim("as far", below == above)


@theorem("T-LIQ", "LIQ-14", subject="auction_step")
def an_auction_goes_forward_with_the_clock_and_ends() -> None:
    """It stands at its first step when it begins, never goes back, and ends after its time."""
    since, period = between("since", 0, MAX_TIME), between("period", 1, MAX_TIME)
    steps = between("steps", 1, MAX_LOTS)
    now, later = between("now", 0, MAX_TIME), between("later", 0, MAX_TIME)
    assume(now <= later)
    first, second = (liquidation_time.auction_step(at, since, period, steps) for at in (now, later))
    claim("begins", implies(now == since, first == 0))
    claim("forward", all_of(0 <= first, first <= second, second <= steps))
    claim("ends", implies(later >= since + steps * period, second == steps))
    claim("not begun", liquidation_time.auction_step(now, NEVER, period, steps) == 0)


@theorem("T-LIQ", "LIQ-16", subject="has_time")
def only_the_solvent_wait() -> None:
    """And where the vault has a trigger below the margin, only above it."""
    worth, needs = fresh_int("equity"), fresh_int("maintenance")
    trigger = between("trigger", 1, PARTS)
    assume(needs >= 0)
    waits = liquidation_time.has_time(worth, needs, trigger)
    claim("solvent", implies(waits, worth >= 0))
    claim("above", implies(all_of(waits, trigger < PARTS), worth * PARTS >= needs * trigger))
    claim("at its margin", implies(worth >= needs, waits))


@theorem("T-LIQ", "LIQ-18", subject="capped_lots")
def a_cap_leaves_something_to_close_and_never_more_than_there_is() -> None:
    """At least a lot; no more than the portion, but for a lot, or than what may go in any case."""
    size, mark = fresh_int("size"), between("mark", 1, MAX_PRICE)
    portion, least = between("portion", 1, PARTS), between("least", 0, MAX_CASH)
    assume(any_of(size > 0, size < 0))
    lots = liquidation_time.capped_lots(size, mark, portion, least)
    claim("something", all_of(1 <= lots, lots <= abs(size)))
    within = any_of((lots - 1) * PARTS < abs(size) * portion, lots * mark <= least)
    claim("capped", within)
    claim("all", implies(portion == PARTS, lots == abs(size)))


@theorem("T-LIQ", "LIQ-18", subject="lots_within")
def a_budget_is_kept() -> None:
    """These lots are worth no more than it, and one more would be, if there is one."""
    lots, mark = fresh_int("lots"), between("mark", 1, MAX_PRICE)
    budget = between("budget", 0, MAX_CASH)
    assume(lots >= 1)
    kept = liquidation_time.lots_within(lots, mark, budget)
    claim("kept", all_of(0 <= kept, kept <= lots, kept * mark <= budget))
    claim("no less", any_of(kept == lots, (kept + 1) * mark > budget))


@theorem("T-LIQ", "LIQ-17", subject="is_cooling")
def a_cooldown_begins_after_the_part_and_ends() -> None:
    """Not at the time of the part itself, and not when the cooldown has passed."""
    now, parted_at = between("now", 0, MAX_TIME), between("parted", NEVER, MAX_TIME)
    cooldown = between("cooldown", 0, MAX_TIME)
    cooling = liquidation_time.is_cooling(now, parted_at, cooldown)
    claim("after", implies(cooling, all_of(parted_at >= 0, parted_at < now)))
    claim("ends", implies(cooling, now < parted_at + cooldown))
    claim(
        "all of it",
        implies(
            negation(cooling), any_of(parted_at < 0, now <= parted_at, now >= parted_at + cooldown)
        ),
    )


@action("LIQ-14", keeps=QUIET, assumes=MARGINS)
def begin_auction() -> Step:
    exchange, account = any_exchange(), any_account("account")
    return Step(exchange, take(liquidation_time.begin_auction, exchange, account), (account,))


@action("LIQ-14", keeps=QUIET, assumes=MARGINS)
def end_auction() -> Step:
    exchange, account = any_exchange(), any_account("account")
    return Step(exchange, take(liquidation_time.end_auction, exchange, account), (account,))


@action("LIQ-17", keeps=QUIET, assumes=MARGINS)
def note_part() -> Step:
    exchange, account = any_exchange(), any_account("account")
    return Step(exchange, take(liquidation_time.note_part, exchange, account), (account,))


@of(begin_auction, "T-LIQ", "LIQ-14", assumes=MARGINS)
@of(end_auction, "T-LIQ", "LIQ-14", assumes=MARGINS)
@of(note_part, "T-LIQ", "LIQ-17", assumes=MARGINS)
def a_note_of_the_time_moves_nothing(step: Step) -> None:
    """Neither cash nor position, and what is noted is the time or that it never was."""
    account = step.accounts[0]
    was, now = step.before.accounts[account], step.after.accounts[account]
    claim("no cash", was.collateral == now.collateral)
    claim("no position", was.positions is now.positions)
    for before, after in ((was.offered_since, now.offered_since), (was.parted_at, now.parted_at)):
        claim("a time", any_of(after == before, after == NEVER, after == step.before.now))


tested(
    "T-NEVER",
    "whoever_waits_is_solvent_and_does_not_wait_for_ever",
    "After any command who is due may wait, and is solvent; when the clock moves on nobody is due.",
    "LIQ-8",
    "LIQ-14",
    "LIQ-16",
    "LIQ-17",
    "LIQ-18",
    chapter="liquidation",
    where="tests/test_scheduler_waiting.py::test_who_waits_is_solvent_and_does_not_wait_for_ever",
)


@theorem("T-LIQ", "LIQ-34", subject="freed_by_now")
def a_shortage_is_covered_in_time_and_no_more_than_all_of_it() -> None:
    """What may be covered only grows, begins with the initial share, and ends with all."""
    duration, initial = between("duration", 0, MAX_TIME), between("initial", 0, PARTS)
    elapsed, later = between("elapsed", 0, MAX_TIME), between("later", 0, MAX_TIME)
    assume(elapsed <= later)
    now, then = (liquidation_time.freed_by_now(at, duration, initial) for at in (elapsed, later))
    claim("grows", all_of(initial <= now, now <= then, then <= PARTS))
    claim("ends", implies(later >= duration, then == PARTS))
