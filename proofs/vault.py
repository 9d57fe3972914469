"""VLT: the vault never takes what it cannot carry."""

from __future__ import annotations

from attrs import evolve

from perpref.rules import liquidation, liquidator, vault, vault_shares, volunteers
from perpref.rules.margin import Health, equity, health, notional, position_of
from perpref.rules.vault_shares import shares_out
from perpref.state import NO_PLEDGE, VAULT, Exchange, LiquidationSize, TakeoverPrice
from perpref.units import MAX_CASH, MAX_PRICE, PARTS, AccountId, MarketId
from proofs.contracts import MARGINS, PRICED
from proofs.executor import (
    all_of,
    any_of,
    assume,
    choose,
    claim,
    fresh_bool,
    fresh_int,
    implies,
    ite,
    negation,
)
from proofs.laws import QUIET, SOLVENCY, Step, action, attempt, of, take
from proofs.ledger import any_account
from proofs.liquidation import any_due, any_target
from proofs.registry import Strength, tested, theorem
from proofs.world import any_exchange, between

TAKING_OVER = (*PRICED, "takeover_terms", "is_within_notional_cap")


@action(
    *("VLT-1", "VLT-2", "VLT-3", "VLT-4", "VLT-5", "VLT-7", "VLT-22", "VLT-23", "LIQ-5"),
    keeps=SOLVENCY,
    assumes=TAKING_OVER,
)
def take_over() -> Step:
    exchange, account, market = any_target()
    after = take(vault.take_over, exchange, account, market, fresh_int("lots"))
    return Step(exchange, after, (account, exchange.markets[market].vault), market)


@of(take_over, "T-VAULT", "VLT-2", "VLT-3", "VLT-4", "VLT-17", assumes=TAKING_OVER)
def the_vault_stays_within_its_cap_its_margin_and_its_boundary(step: Step) -> None:
    """After a takeover the vault holds at most its cap, with initial margin, above its boundary."""
    assert step.market is not None
    listed = step.before.markets[step.market]
    now = health(step.after, listed.vault)
    held = position_of(step.after, listed.vault, step.market).size
    claim("cap", abs(held) <= listed.vault_cap)
    claim("margin", now.equity >= now.initial)
    claim("boundary", now.equity >= liquidation.vault_boundary(step.before, step.market))


@of(take_over, "T-VAULT", "VLT-1", "VLT-5", "VLT-17", "LIQ-1", assumes=TAKING_OVER)
def the_vault_takes_only_what_is_due_and_never_its_own(step: Step) -> None:
    """The account is due, is not the vault, and loses exactly the lots that the vault gains."""
    assert step.market is not None
    account, insurer = step.accounts
    was = health(step.before, account)
    claim("due", was.equity < was.maintenance)
    claim("not its own", account != insurer)
    before, now = (position_of(ex, account, step.market).size for ex in (step.before, step.after))
    claim("lots", all_of(abs(before) > abs(now), before * now >= 0))
    held, holds = (position_of(ex, insurer, step.market).size for ex in (step.before, step.after))
    claim("gained", holds - held == before - now)


@of(take_over, "T-VAULT", "VLT-7", assumes=TAKING_OVER)
def the_vault_takes_nothing_before_its_trigger(step: Step) -> None:
    """After a takeover: the account's equity was below the trigger's part of its margin."""
    account, _ = step.accounts
    was, trigger = health(step.before, account), step.before.rulebook.vault_trigger
    claim("below", was.equity * PARTS < was.maintenance * trigger)


@of(take_over, "T-VAULT", "VLT-22", assumes=TAKING_OVER)
def what_a_vault_gains_by_a_takeover_the_account_loses(step: Step) -> None:
    """At the mark, and a solvent account never more than the equity behind the position."""
    assert step.market is not None
    account, insurer = step.accounts
    was, now = equity(step.before, account), equity(step.after, account)
    had, has = equity(step.before, insurer), equity(step.after, insurer)
    claim("between them", was - now == has - had)
    behind = liquidation.share_of_equity(step.before, account, step.market)
    claim("no more than is behind", implies(was >= 0, all_of(now <= was, was - now <= behind)))


@of(take_over, "T-VAULT", "VLT-23", assumes=TAKING_OVER)
def a_vault_holds_no_more_notional_than_its_part_of_equity(step: Step) -> None:
    """After a takeover, over all markets, where the rulebook has such a cap."""
    _, insurer = step.accounts
    cap = step.before.rulebook.vault_notional_cap
    positions = step.after.accounts[insurer].positions
    held = positions.total_against(step.after.markets, notional)
    claim("within", implies(cap > 0, held * PARTS <= cap * equity(step.after, insurer)))


@theorem("T-VAULT", "VLT-22", subject="takeover_terms")
def a_takeover_takes_no_more_margin_than_there_is() -> None:
    """At the bankruptcy price or the mark nothing goes along; with its margin a whole position
    leaves nothing behind.
    """
    choice = choose("takeover_price", tuple(TakeoverPrice))
    bankruptcy, mark = (between(name, 1, MAX_PRICE) for name in ("bankruptcy", "mark"))
    margin, lots, size = fresh_int("margin"), fresh_int("lots"), fresh_int("size")
    assume(all_of(lots >= 1, any_of(size >= lots, size <= -lots)))
    price, along = vault.takeover_terms(choice, bankruptcy, mark, margin, lots, size)
    claim("terms", any_of(all_of(price == bankruptcy, along == 0), price == mark))
    claim("within", implies(margin >= 0, all_of(along >= 0, along <= margin)))
    claim("of a debt", implies(margin < 0, along <= 0))
    if choice is TakeoverPrice.WITH_MARGIN:
        whole = any_of(size == lots, size == -lots)
        claim("all of it", implies(whole, all_of(price == mark, along == margin)))
    if choice is TakeoverPrice.MARK:
        claim("kept", all_of(price == mark, along == 0))


@theorem("T-VAULT", "VLT-22", subject="transfer_to_vault", assumes=PRICED)
def who_is_taken_over_keeps_at_the_mark_what_it_has_and_with_its_margin_nothing() -> None:
    """At the mark nobody gains or loses, a deficit stays; with its margin just what is behind the
    position passes to the vault, and the equity behind the other positions stays.
    """
    exchange, account, market = any_due()
    choice = choose("takeover_price", (TakeoverPrice.MARK, TakeoverPrice.WITH_MARGIN))
    exchange = evolve(exchange, rulebook=evolve(exchange.rulebook, takeover_price=choice))
    insurer, lots = exchange.markets[market].vault, fresh_int("lots")
    assume(any_of(account > insurer, account < insurer))
    size = position_of(exchange, account, market).size
    behind, had = liquidation.share_of_equity(exchange, account, market), equity(exchange, account)
    fund = equity(exchange, insurer)
    after = vault.transfer_to_vault(exchange, account, market, lots).exchange
    left = equity(after, account)
    claim("between them", had - left == equity(after, insurer) - fund)
    if choice is TakeoverPrice.MARK:
        claim("what it has", left == had)
    else:
        whole = any_of(size == lots, size == -lots)
        claim("all that is behind", implies(whole, left == had - behind))


@theorem("T-VAULT", "VLT-1", "VLT-22", subject="margin_taken")
def the_margin_of_each_lot_is_alike_and_the_last_one_brings_no_less() -> None:
    """Below the whole position what a vault has is a straight line, so what it may take there has
    no gaps.
    """
    margin, lots, size = fresh_int("margin"), fresh_int("lots"), fresh_int("size")
    assume(all_of(lots >= 1, any_of(size > lots, size < -lots)))
    each, many, more = (vault.margin_taken(margin, n, size) for n in (1, lots, lots + 1))
    claim("a straight line", many == lots * each)
    claim("no less", more - many >= each)
    claim("only the last", implies(any_of(size > lots + 1, size < -lots - 1), more - many == each))


@theorem(
    "T-VAULT",
    "VLT-1",
    "VLT-22",
    subject="margin_transferred",
    strength=Strength.REFUTED,
    assumes=(),
)
def rounded_at_once_the_margin_of_each_lot_is_alike() -> None:
    """Rounded as ADL-13 does, it is not: a vault might take 2 lots, not 3, and 4 again."""
    margin, lots, size = fresh_int("margin"), fresh_int("lots"), fresh_int("size")
    assume(all_of(lots >= 1, size > lots + 1))
    each, many = (liquidation.margin_transferred(margin, n, size) for n in (1, lots))
    claim("a straight line", many == lots * each)


@theorem("T-VAULT", "VLT-23", subject="is_within_notional_cap")
def a_cap_of_notional_is_a_part_of_equity() -> None:
    """Within it the notional is at most that part; without a cap nothing is beyond it."""
    held, worth, cap = fresh_int("notional"), fresh_int("equity"), between("cap", 0, MAX_CASH)
    if vault.is_within_notional_cap(held, worth, cap):
        claim("within", implies(cap > 0, held * PARTS <= cap * worth))
    else:
        claim("beyond", all_of(cap > 0, held * PARTS > cap * worth))


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
    price = liquidator.liquidator_price(mark, size, rate)
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
    low, high = volunteers.assignment_window(mark, size, least, most)
    claim("in order", low <= high)
    claim("better", implies(size > 0, high <= mark) & implies(size < 0, low >= mark))
    for price in (low, high):
        claim("within", abs(price - mark) * PARTS <= mark * most)


# Shares of the vault.


def any_holder() -> tuple[Exchange, AccountId]:
    """Any exchange with a vault, and any account in it."""
    exchange = any_exchange(missing=True)
    assume(VAULT in exchange.accounts)
    return exchange, any_account("account")


def any_children() -> vault_shares.Children:
    """Children of the vault that are worth any amount, and any account that acts."""
    return vault_shares.Children(fresh_int("children's worth"), fresh_bool("a child acts"))


@action("VLT-12", "VLT-13", "VLT-15", "LED-9", keeps=QUIET, assumes=MARGINS)
def contribute() -> Step:
    exchange, account = any_holder()
    amount = fresh_int("amount")
    after = take(vault_shares.contribute, exchange, account, amount, any_children())
    return Step(exchange, after, (account, VAULT), stakes=True)


@action("VLT-12", "VLT-14", "VLT-15", "VLT-16", "LED-9", keeps=QUIET, assumes=MARGINS)
def redeem() -> Step:
    exchange, account = any_holder()
    position_of(exchange, VAULT, MarketId(fresh_int("market")))  # what keeps cash in the vault
    after = take(vault_shares.redeem, exchange, account, fresh_int("shares"), any_children())
    return Step(exchange, after, (account, VAULT), stakes=True)


@action("VLT-12", "VLT-14", "VLT-16", keeps=QUIET, assumes=MARGINS)
def request_redemption() -> Step:
    exchange, account = any_holder()
    after = take(
        vault_shares.request_redemption, exchange, account, fresh_int("shares"), any_children()
    )
    return Step(exchange, after, (account,), stakes=True)


def children() -> vault_shares.Children:
    """The children that the action of this run was told of."""
    tried = attempt()
    assert tried is not None
    told: vault_shares.Children = tried.args[2]
    return told


def shares_stay_worth_what_they_were(step: Step) -> None:
    """The vault's worth by its shares is no less than before, as far as there are any."""
    worth, later = (vault_shares.vault_worth(ex, children()) for ex in (step.before, step.after))
    out, left = shares_out(step.before), shares_out(step.after)
    claim("a share's worth", implies(out > 0, later * out >= worth * left))
    claim("shares are not negative", left >= 0)


@of(contribute, "T-SHARE", "VLT-12", "VLT-13", assumes=MARGINS)
def a_contribution_costs_those_who_have_shares_nothing(step: Step) -> None:
    """No share is worth less after it, and the first one buys at one share a quantum."""
    shares_stay_worth_what_they_were(step)
    first = shares_out(step.before) == 0
    later = vault_shares.vault_worth(step.after, children())
    claim("at par", implies(first, shares_out(step.after) == later))
    (account, _) = step.accounts
    was, now = (ex.accounts[account].stake for ex in (step.before, step.after))
    claim("enough", now.shares - was.shares >= step.before.rulebook.vault_least_shares)
    claim("locked", now.locked_until == step.before.now + step.before.rulebook.vault_lockup)


@of(redeem, "T-SHARE", "VLT-14", assumes=MARGINS)
def a_redemption_costs_those_who_stay_nothing(step: Step) -> None:
    """No share is worth less after it, and the vault stays above its boundary."""
    shares_stay_worth_what_they_were(step)
    claim("boundary", equity(step.after, VAULT) >= step.before.rulebook.vault_boundary)


@of(redeem, "T-SHARE", "VLT-15", "VLT-16", assumes=MARGINS)
def nothing_is_redeemed_before_its_time(step: Step) -> None:
    """Neither while shares are locked nor before a notice ends, nor for more than at the notice."""
    (account, _) = step.accounts
    was, rulebook, now = step.before.accounts[account].stake, step.before.rulebook, step.before.now
    claim("not locked", now >= was.locked_until)
    paid = equity(step.before, VAULT) - equity(step.after, VAULT)
    ended = all_of(now >= was.notice_ends, paid <= was.requested_worth)
    claim("at notice", implies(rulebook.vault_notice > 0, ended))


def any_vault_and_contribution() -> tuple[int, int, int]:
    """A contribution to a vault that is worth something and has shares out."""
    amount, worth, out = (between(name, 1, MAX_CASH) for name in ("amount", "worth", "out"))
    return amount, worth, out


@theorem("T-SHARE", "VLT-13", "VLT-14", subject="shares_for")
def nobody_gains_by_going_in_and_out_or_loses_a_share_by_it() -> None:
    """Shares bought and redeemed at once bring at most their price, and a share's worth less."""
    amount, worth, out = any_vault_and_contribution()
    bought = vault_shares.shares_for(amount, worth, out)
    back = vault_shares.worth_of(bought, worth + amount, out + bought)
    claim("no gain", back <= amount)
    claim("less than a share and a quantum", (amount - back - 1) * (out + bought) < worth)


@theorem("T-SHARE", "VLT-13", subject="shares_for", strength=Strength.REFUTED, assumes=())
def a_contribution_can_be_taken_out_again_but_for_a_quantum() -> None:
    """Shares that are dear round a contribution down by more than a quantum."""
    amount, worth, out = any_vault_and_contribution()
    bought = vault_shares.shares_for(amount, worth, out)
    assume(bought >= 1)
    back = vault_shares.worth_of(bought, worth + amount, out + bought)
    claim("but for a quantum", amount - back <= 1)


@theorem("T-SHARE", "VLT-13", subject="shares_for", strength=Strength.REFUTED, assumes=())
def who_gives_the_vault_cash_before_another_contributes_never_gains() -> None:
    """The first shareholder gives the vault cash, and rounds the next contribution into its own."""
    amount, worth, out = any_vault_and_contribution()
    given = between("given", 1, MAX_CASH)
    bought = vault_shares.shares_for(amount, worth + given, out)
    assume(bought >= 1)
    has = vault_shares.worth_of(out, worth + given + amount, out + bought)
    claim("no gain", has <= worth + given)


@theorem("T-SHARE", "VLT-13", subject="shares_for")
def of_a_contribution_worth_many_shares_at_most_one_part_in_so_many_is_lost() -> None:
    """Where it must be worth n shares, rounding takes no more than an n-th of it and a quantum."""
    amount, worth, out = any_vault_and_contribution()
    least = between("least", 1, MAX_CASH)
    bought = vault_shares.shares_for(amount, worth, out)
    assume(bought >= least)
    back = vault_shares.worth_of(bought, worth + amount, out + bought)
    lost = amount - back - 1
    claim("paid for", bought * worth <= amount * out)
    claim("an n-th", lost * least <= amount)


# A vault of a market's own, and its parent.


def any_child() -> tuple[Exchange, MarketId]:
    """Any exchange with a vault, and any market, the vault of which exists."""
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    assume(VAULT in exchange.accounts)
    if market in exchange.markets:
        assume(exchange.markets[market].vault in exchange.accounts)
    return exchange, market


@action("VLT-17", "VLT-18", keeps=QUIET, assumes=MARGINS)
def recapitalise() -> Step:
    exchange, market = any_child()
    after = take(vault.recapitalise, exchange, market, fresh_int("amount"))
    return Step(exchange, after, (VAULT, exchange.markets[market].vault))


@action("VLT-17", "VLT-19", keeps=QUIET, assumes=MARGINS)
def recall_capital() -> Step:
    exchange, market = any_child()
    after = take(vault.recall_capital, exchange, market, fresh_int("amount"))
    return Step(exchange, after, (VAULT, exchange.markets[market].vault))


@of(recapitalise, "T-VAULT", "VLT-18", assumes=MARGINS)
def a_parent_gives_a_child_what_it_says_and_keeps_its_boundary(step: Step) -> None:
    """The parent is poorer and the child richer by just the amount, and the parent keeps enough."""
    parent, child = step.accounts
    amount = equity(step.before, parent) - equity(step.after, parent)
    claim("given", amount >= 1)
    claim("got", equity(step.after, child) - equity(step.before, child) == amount)
    claim("boundary", equity(step.after, parent) >= step.before.rulebook.vault_boundary)
    now = health(step.after, parent)
    claim("margin", now.equity >= now.initial)


@of(recall_capital, "T-VAULT", "VLT-19", assumes=MARGINS)
def a_child_gives_back_within_its_own_margin_and_boundary(step: Step) -> None:
    """What a child gives back leaves it with its initial margin and above its own boundary."""
    _, child = step.accounts
    now = health(step.after, child)
    claim("margin", now.equity >= now.initial)
    tried = attempt()
    assert tried is not None
    market: MarketId = tried.args[0]
    claim("boundary", now.equity >= liquidation.vault_boundary(step.before, market))


@theorem("T-VAULT", "VLT-4", "VLT-17", subject="boundary_of")
def the_main_vault_keeps_the_rulebooks_boundary_and_a_child_its_markets() -> None:
    """Which boundary is asked depends on whose vault it is, and on nothing else."""
    insurer, main, own = any_account("vault"), fresh_int("main"), fresh_int("own")
    kept = liquidation.boundary_of(insurer, main, own)
    claim("main", implies(insurer == VAULT, kept == main))
    claim("child", implies(insurer != VAULT, kept == own))


# Somebody from outside.


TAKING = (
    *PRICED,
    "liquidator_price",
    "covers_no_worse",
    "reduces",
    "bears_fill",
    "with_buffer",
    "is_too_much",
)


@action("VLT-9", "LIQ-1", "MRG-5", keeps=QUIET, assumes=TAKING)
def take_position() -> Step:
    exchange, account, market = any_target()
    taker, lots = any_account("liquidator"), fresh_int("lots")
    after = take(liquidator.take_position, exchange, taker, account, market, lots)
    return Step(exchange, after, (taker, account), market)


@of(take_position, "T-LIQ", "VLT-9", "LIQ-1", assumes=TAKING)
def a_liquidator_takes_only_what_is_due_from_somebody_else(step: Step) -> None:
    """The account was due, is another one, and has fewer lots on the same side, or none."""
    assert step.market is not None
    taker, account = step.accounts
    was = health(step.before, account)
    claim("due", was.equity < was.maintenance)
    claim("somebody else", taker != account)
    claim("enabled", step.before.rulebook.liquidators)
    before, now = (position_of(ex, account, step.market).size for ex in (step.before, step.after))
    claim("lots", all_of(abs(before) > abs(now), before * now >= 0))


@theorem("T-LIQ", "VLT-21", "LIQ-12", subject="is_too_much")
def a_liquidator_is_stopped_only_where_fewer_lots_suffice() -> None:
    """And where that is how much a liquidation closes; elsewhere it may take all."""
    size, fewer = choose("size", tuple(LiquidationSize)), fresh_bool("fewer suffice")
    too_much = liquidator.is_too_much(size, fewer)
    claim("fewer suffice", implies(too_much, fewer))
    if size is LiquidationSize.TO_BUFFER:
        claim("stopped", implies(fewer, too_much))
    else:
        claim("never", negation(too_much))


@theorem("T-LIQ", "VLT-9", subject="covers_no_worse")
def who_covers_no_worse_is_solvent_and_no_less_safe() -> None:
    """Its equity is not negative, and no smaller a part of its maintenance margin than before."""
    before, after = (Health(fresh_int("equity"), fresh_int("maintenance"), 0) for _ in range(2))
    if liquidator.covers_no_worse(before, after):
        claim("solvent", after.equity >= 0)
        held = after.equity * before.maintenance
        claim("no worse", held >= before.equity * after.maintenance)


# Volunteers.


ASSIGNING = (*PRICED, "assigned_price")


@action("VLT-10", "LIQ-1", keeps=QUIET, assumes=ASSIGNING)
def assign() -> Step:
    exchange, account, market = any_target()
    taker, lots = any_account("volunteer"), fresh_int("lots")
    after = take(volunteers.assign, exchange, account, taker, market, lots)
    return Step(exchange, after, (account, taker), market)


@of(assign, "T-LIQ", "VLT-10", "LIQ-1", assumes=ASSIGNING)
def a_volunteer_is_assigned_only_what_is_due_and_never_loses_by_it(step: Step) -> None:
    """At the mark it is worth no less than before, has initial margin, and pledged as much."""
    assert step.market is not None
    account, taker = step.accounts
    was, now = health(step.before, account), health(step.after, taker)
    claim("due", was.equity < was.maintenance)
    claim("somebody else", taker != account)
    claim("no loss", now.equity >= equity(step.before, taker))
    claim("margin", now.equity >= now.initial)
    before, left = (position_of(ex, account, step.market).size for ex in (step.before, step.after))
    listed = step.before.markets[step.market]
    pledge, taken = listed.pledges.get(taker, NO_PLEDGE), abs(before) - abs(left)
    claim("pledged", all_of(taken >= 1, taken <= pledge.lots))
    bankruptcy = liquidation.bankruptcy_price(step.before, account, step.market)
    better = ite(before > 0, listed.mark - bankruptcy, bankruptcy - listed.mark)
    claim("its edge", better >= volunteers.edge_in_ticks(listed.mark, pledge.edge))


@action("VLT-20", keeps=QUIET, assumes=MARGINS)
def volunteer() -> Step:
    exchange, account = any_holder()
    market, lots = MarketId(fresh_int("market")), fresh_int("lots")
    after = take(volunteers.volunteer, exchange, account, market, lots, fresh_int("edge"))
    return Step(exchange, after, (), market)


@theorem("T-LIQ", "VLT-10", subject="assigned_price")
def a_volunteer_is_given_no_more_than_is_behind_the_position() -> None:
    """The price is on its better side of the mark, within the venue's edge and the bankruptcy."""
    mark, size = between("mark", 1, MAX_PRICE), fresh_int("size")
    bankruptcy, most = between("bankruptcy", 1, MAX_PRICE), between("most", 0, PARTS)
    assume(any_of(size > 0, size < 0))
    price = volunteers.assigned_price(mark, size, bankruptcy, most)
    given, behind = (ite(size > 0, mark - at, at - mark) for at in (price, bankruptcy))
    claim("a price", price >= 1)
    claim("better", given >= 0)
    claim("bankruptcy", implies(behind >= 0, given <= behind))
    claim("of all lots", implies(behind >= 0, given * abs(size) <= behind * abs(size)))
    claim("the venue's edge", given * PARTS <= mark * most)
