"""VLT: the vault never takes what it cannot carry."""

from __future__ import annotations

from perpref.rules import vault
from perpref.rules.margin import health, position_of
from perpref.state import VAULT
from perpref.units import MAX_CASH, MAX_PRICE, PARTS, MarketId
from proofs.contracts import CLOSING
from proofs.executor import all_of, any_of, assume, claim, fresh_int, implies, ite
from proofs.laws import SOLVENCY, Step, action, take
from proofs.ledger import any_account
from proofs.liquidation import any_due, any_target
from proofs.registry import Strength, tested, theorem
from proofs.world import any_exchange, between


@action(
    "VLT-1", "VLT-2", "VLT-3", "VLT-4", "VLT-5", "VLT-7", "LIQ-5", keeps=SOLVENCY, assumes=CLOSING
)
def take_over() -> Step:
    exchange, account, market = any_target()
    after = take(vault.take_over, exchange, account, market, fresh_int("lots"))
    return Step(exchange, after, (account, VAULT), market)


@theorem("T-VAULT", "VLT-2", "VLT-3", "VLT-4", subject="take_over", assumes=CLOSING)
def the_vault_stays_within_its_cap_its_margin_and_its_boundary() -> None:
    """After a takeover the vault holds at most its cap, with initial margin, above its boundary."""
    exchange, account, market = any_due()
    after = vault.take_over(exchange, account, market, fresh_int("lots")).exchange
    now = health(after, VAULT)
    claim("cap", abs(position_of(after, VAULT, market).size) <= exchange.markets[market].vault_cap)
    claim("margin", now.equity >= now.initial)
    claim("boundary", now.equity >= exchange.rulebook.vault_boundary)


@theorem("T-VAULT", "VLT-1", "VLT-5", "LIQ-1", subject="take_over", assumes=CLOSING)
def the_vault_takes_only_what_is_due_and_never_its_own() -> None:
    """The account is due, is not the vault, and loses exactly the lots that the vault gains."""
    exchange, account, market = (
        any_exchange(),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    lots = fresh_int("lots")
    after = vault.take_over(exchange, account, market, lots).exchange
    was = health(exchange, account)
    claim("due", was.equity < was.maintenance)
    claim("not its own", account != VAULT)
    before, now = (
        position_of(exchange, account, market).size,
        position_of(after, account, market).size,
    )
    claim("lots", all_of(lots >= 1, abs(before) - abs(now) == lots))
    gained = position_of(after, VAULT, market).size - position_of(exchange, VAULT, market).size
    claim("gained", gained == before - now)


@theorem("T-VAULT", "VLT-11", subject="pool_on_the_way")
def insurance_before_the_pool_is_never_short_on_the_way() -> None:
    """If all is there at the end no step before is short; and the end is the same either way."""
    pool, insured = between("pool", 0, MAX_CASH), between("insured", 0, MAX_CASH)
    returned = between("returned", 0, MAX_CASH)
    first, last = vault.pool_on_the_way(pool, insured, returned)
    claim("never short", implies(last >= 0, first >= 0))
    claim("the same end", last == pool - returned + insured)


@theorem("T-VAULT", "VLT-11", subject="pool_on_the_way", strength=Strength.REFUTED, assumes=())
def the_pool_before_insurance_is_never_short_on_the_way() -> None:
    """With collateral given back first the pool goes below nothing, although the fund covers."""
    pool, insured = between("pool", 0, MAX_CASH), between("insured", 0, MAX_CASH)
    returned = between("returned", 0, MAX_CASH)
    _, last = vault.pool_on_the_way(pool, insured, returned)
    assume(last >= 0)
    too_early, _ = vault.pool_on_the_way(pool, -returned, -insured)
    claim("never short", too_early >= 0)


tested(
    "T-VAULT",
    "the_vault_unwinds_at_the_mark_or_better",
    "What the vault offers on command fills at the mark or better, and never opens a position.",
    "VLT-6",
    chapter="vault",
    where="tests/test_scheduler.py::test_the_vault_unwinds_at_the_mark_or_better",
)


@theorem("T-VAULT", "VLT-7", subject="steps_in")
def a_vault_that_waits_steps_in_only_for_who_is_due() -> None:
    """It never steps in for an account that is not due; by the textbook it always does."""
    worth, needs = fresh_int("equity"), fresh_int("maintenance")
    trigger = between("trigger", 1, PARTS)
    assume(needs >= 0)
    if vault.steps_in(worth, needs, trigger):
        claim("due", worth < needs)
    else:
        claim("waits", any_of(worth >= needs, trigger < PARTS))


@theorem("T-VAULT", "VLT-7", subject="take_over", assumes=CLOSING)
def the_vault_takes_nothing_before_its_trigger() -> None:
    """After a takeover: the account's equity was below the trigger's part of its margin."""
    exchange, account, market = any_due()
    vault.take_over(exchange, account, market, fresh_int("lots"))
    was, trigger = health(exchange, account), exchange.rulebook.vault_trigger
    claim("below", was.equity * PARTS < was.maintenance * trigger)


@theorem("T-VAULT", "VLT-8", subject="fund_delta")
def a_fund_makes_good_what_is_lacking_and_takes_only_what_is_more() -> None:
    """With the fund a fill brings the bankruptcy value or more, and just it where it fell short."""
    value, least = fresh_int("value"), fresh_int("bankruptcy value")
    rate = between("rate", 0, PARTS)
    delta = vault.fund_delta(value, least, rate)
    claim("at least", value - delta >= least)
    claim("made good", implies(value <= least, value - delta == least))
    claim("capped", implies(delta > 0, delta * PARTS <= abs(value) * rate))


@theorem("T-VAULT", "VLT-9", subject="liquidator_price")
def a_liquidator_pays_the_mark_less_no_more_than_its_fee() -> None:
    """The price is positive, on the account's worse side of the mark, within the fee of it."""
    mark, size = between("mark", 1, MAX_PRICE), fresh_int("size")
    rate = between("fee", 0, PARTS)
    assume(any_of(size > 0, size < 0))
    price = vault.liquidator_price(mark, size, rate)
    given = ite(size > 0, mark - price, price - mark)
    claim("a price", price >= 1)
    claim("within the fee", all_of(given >= 0, given * PARTS <= mark * rate))


@theorem("T-VAULT", "VLT-10", subject="assignment_window")
def a_volunteer_is_assigned_no_further_from_the_mark_than_the_venue_says() -> None:
    """The window is in order, on the volunteer's better side, and within the venue's edge."""
    mark, size = between("mark", 1, MAX_PRICE), fresh_int("size")
    least, most = between("least", 0, PARTS), between("most", 0, PARTS)
    assume(any_of(size > 0, size < 0))
    assume(least <= most)
    low, high = vault.assignment_window(mark, size, least, most)
    claim("in order", low <= high)
    claim("better", implies(size > 0, high <= mark) & implies(size < 0, low >= mark))
    for price in (low, high):
        claim("within", abs(price - mark) * PARTS <= mark * most)
