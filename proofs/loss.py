"""LOSS: a deficit is shared exactly, by those who can, and closing at the mark costs nobody."""

from __future__ import annotations

from perpref.rules import ledger, loss, loss_trigger
from perpref.rules.margin import equity, position_of
from perpref.state import VAULT, Exchange, FundTrigger, LossSharing
from perpref.units import MAX_CASH, PARTS, AccountId, MarketId
from proofs.contracts import CLOSING, MARGINS
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
from proofs.laws import CONSERVATION, QUIET, SOLVENCY, Step, action, of, take
from proofs.ledger import any_account
from proofs.liquidation import any_target
from proofs.registry import tested, theorem
from proofs.world import any_exchange, between


@action("LOSS-1", keeps=SOLVENCY, assumes=CLOSING)
def close_out() -> Step:
    exchange, account, market = any_target()
    counterparty = any_account("counterparty")
    after = take(loss.close_out, exchange, account, counterparty, market, fresh_int("lots"))
    return Step(exchange, after, (account, counterparty), market)


def any_sharing() -> tuple[Exchange, AccountId, AccountId]:
    """Any debtor and any payer; the debtor may hold a position, and then it is not flat."""
    exchange, debtor, payer = any_exchange(), any_account("debtor"), any_account("payer")
    position_of(exchange, debtor, MarketId(fresh_int("market")))
    return exchange, debtor, payer


@action("LOSS-2", "LOSS-3", "LOSS-4", keeps=SOLVENCY)
def socialise() -> Step:
    exchange, debtor, payer = any_sharing()
    after = take(loss.socialise, exchange, debtor, payer, fresh_int("weights"))
    return Step(exchange, after, (debtor, payer))


@action("LOSS-10", keeps=SOLVENCY)
def charge() -> Step:
    exchange, debtor, payer = any_sharing()
    after = take(loss.charge, exchange, debtor, payer, fresh_int("amount"))
    return Step(exchange, after, (debtor, payer))


@theorem("T-PRO", "LOSS-10", subject="weight_of_loss")
def a_weight_in_a_loss_is_never_negative() -> None:
    """By whatever it is shared: who has lost counts for nothing by gains, who owes by equity."""
    worth, profit = fresh_int("equity"), fresh_int("profit")
    notional = between("notional", 0, MAX_CASH)
    sharing = choose("sharing", tuple(LossSharing))
    weight = loss.weight_of_loss(sharing, worth, notional, profit, between("lots", 0, MAX_CASH))
    claim("not negative", weight >= 0)
    if sharing is LossSharing.GAINS:
        claim("losers", implies(profit <= 0, weight == 0))
    if sharing is LossSharing.EQUITY:
        claim("debtors", implies(worth <= 0, weight == 0))


@theorem("T-PRICE", "LOSS-1", subject="close_out", assumes=CLOSING)
def a_close_at_the_mark_changes_nobodys_equity() -> None:
    """Both parties are worth after a close-out exactly what they were worth before."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    account, counterparty = any_account("account"), any_account("counterparty")
    after = loss.close_out(exchange, account, counterparty, market, fresh_int("lots")).exchange
    for holder in (account, counterparty):
        claim("the same", equity(after, holder) == equity(exchange, holder))
        was, now = (
            position_of(exchange, holder, market).size,
            position_of(after, holder, market).size,
        )
        claim("fewer lots", abs(now) < abs(was))


@theorem("T-PRO", "LOSS-3", subject="share_of_loss")
def shares_are_bounded_and_the_rest_can_pay_the_rest() -> None:
    """Each share is at most its weight and the deficit, and what is left is within what is left.

    The step of the fold: so the last one, whose weight is all that is left, pays all that is
    left, and the shares sum to the deficit exactly.
    """
    deficit, weight, weights = fresh_int("deficit"), fresh_int("weight"), fresh_int("weights")
    assume(all_of(0 <= deficit, deficit <= weights, 1 <= weight, weight <= weights))
    share = loss.share_of_loss(deficit, weight, weights)
    claim("within", all_of(0 <= share, share <= weight, share <= deficit))
    claim("the rest can pay", deficit - share <= weights - weight)
    if weight == weights:
        claim("exact", share == deficit)


@theorem("T-PRO", "LOSS-3", subject="share_of_loss")
def a_share_is_pro_rata_rounded_up() -> None:
    """A share is its weight's part of the deficit, and less than a quantum more."""
    deficit, weight, weights = fresh_int("deficit"), fresh_int("weight"), fresh_int("weights")
    assume(all_of(0 <= deficit, deficit <= weights, 1 <= weight, weight <= weights))
    share = loss.share_of_loss(deficit, weight, weights)
    claim("not less", deficit * weight <= share * weights)
    claim("less than a quantum more", share * weights < deficit * weight + weights)


@theorem("T-PRO", "LOSS-3", "LOSS-5", subject="share_of_loss")
def a_larger_weight_never_pays_less() -> None:
    """Asked in the order of their weights, nobody pays more than somebody with a larger weight."""
    deficit, weights = fresh_int("deficit"), fresh_int("weights")
    larger, smaller = fresh_int("larger"), fresh_int("smaller")
    assume(all_of(0 <= deficit, deficit <= weights, larger >= smaller, smaller >= 1))
    assume(larger + smaller <= weights)
    first = loss.share_of_loss(deficit, larger, weights)
    second = loss.share_of_loss(deficit - first, smaller, weights - larger)
    claim("order", second <= first)


@theorem("T-PRO", "LOSS-2", "LOSS-3", "LOSS-4", subject="socialise")
def a_payer_never_pays_more_than_it_has_or_than_is_owed() -> None:
    """The debtor ends at 0 or below, never above, and the payer stays solvent."""
    exchange, debtor, payer = any_sharing()
    after = loss.socialise(exchange, debtor, payer, fresh_int("weights")).exchange
    claim("the debtor", equity(after, debtor) <= 0)
    claim("no worse", equity(after, debtor) >= equity(exchange, debtor))
    claim("the payer", equity(after, payer) >= 0)


tested(
    "T-PRO",
    "a_shared_deficit_is_paid_exactly",
    "After the largest equities were asked in turn the account with the deficit has exactly 0.",
    "LOSS-5",
    chapter="loss",
    where="tests/test_scheduler.py::"
    "test_what_nobody_can_bear_is_closed_at_the_mark_and_the_loss_is_shared",
)


@theorem("T-LOSS", "LOSS-6", subject="is_drawn_down")
def what_ends_later_than_it_begins_does_not_flicker() -> None:
    """What has begun goes on at the fall at which it began, and what is over does not begin."""
    fall, fund = fresh_int("fall"), between("fund", 0, MAX_CASH)
    begins, ends = between("begins", 1, PARTS), between("ends", 1, PARTS)
    assume(ends <= begins)
    if loss_trigger.is_drawn_down(fall, fund, begins, ends, False):
        claim("goes on", loss_trigger.is_drawn_down(fall, fund, begins, ends, True))
    if not loss_trigger.is_drawn_down(fall, fund, begins, ends, True):
        claim("is over", negation(loss_trigger.is_drawn_down(fall, fund, begins, ends, False)))


@theorem("T-LOSS", "LOSS-6", subject="borne_by_winners")
def winners_bear_what_a_fund_may_not_lose() -> None:
    """Nothing while the fall is within the limit; beyond it all of the rest, but for a quantum."""
    fall, fund = between("fall", 0, MAX_CASH), between("fund", 0, MAX_CASH)
    begins = between("begins", 1, PARTS)
    borne = loss_trigger.borne_by_winners(fall, fund, begins)
    claim("within", all_of(borne >= 0, borne <= fall))
    claim("the rest", (fall - borne) * PARTS <= begins * fund)
    claim("no more", implies(borne > 0, (fall - borne + 1) * PARTS > begins * fund))


@theorem("T-LOSS", "LOSS-6", subject="fund_floor")
def a_fund_may_fall_by_its_part_or_by_the_least_fall() -> None:
    """The floor is as far below the reference as the larger of the two."""
    reference, least = between("reference", 0, MAX_CASH), between("least", 0, MAX_CASH)
    part = between("part", 0, PARTS)
    fall = reference - loss_trigger.fund_floor(reference, part, least)
    claim("the least", fall >= least)
    claim("the part", (fall + 1) * PARTS > reference * part)
    claim("one of them", any_of(fall == least, fall * PARTS <= reference * part))


@theorem("T-LOSS", "LOSS-6", subject="overcorrects")
def a_pool_that_is_relieved_to_the_limit_is_not_overcorrected() -> None:
    """Strictly below the part is too far; with one limit nothing is too much and too far."""
    profit, pool = fresh_int("profit"), between("pool", 0, MAX_CASH)
    factor = between("factor", 0, PARTS)
    too_far = loss_trigger.overcorrects(profit, pool, factor)
    claim("strictly", implies(profit * PARTS == factor * pool, negation(too_far)))
    claim("not both", negation(all_of(too_far, loss_trigger.exceeds_pool(profit, pool, factor))))


@theorem("T-LOSS", "LOSS-6", subject="exceeds_pool")
def a_pool_is_exceeded_by_more_than_its_part_and_a_fund_exhausted_at_nothing() -> None:
    """At exactly the part nothing happens; a fund of exactly 0 is exhausted."""
    pool, factor = between("pool", 0, MAX_CASH), between("factor", 0, PARTS)
    profit, fund = fresh_int("profit"), fresh_int("fund")
    if loss_trigger.exceeds_pool(profit, pool, factor):
        claim("more", profit * PARTS > factor * pool)
    else:
        claim("not more", profit * PARTS <= factor * pool)
    if loss_trigger.is_exhausted(fund):
        claim("nothing", fund <= 0)
    else:
        claim("something", fund >= 1)


@theorem("T-LOSS", "LOSS-7", subject="charge_per_lot")
def a_charge_on_every_lot_covers_the_loss_and_less_than_a_quantum_more_on_each() -> None:
    """All lots together pay at least the loss, and less than one quantum more for each of them."""
    owed, lots = between("loss", 0, MAX_CASH), fresh_int("lots")
    charged = loss.charge_per_lot(owed, lots)
    claim("somebody pays", lots >= 1)
    claim("covers", charged * lots >= owed)
    claim("no more", charged * lots < owed + lots)


@theorem("T-LOSS", "LOSS-8", subject="paid_out")
def a_withdrawal_gets_no_more_than_it_asks_and_all_of_it_from_a_whole_pot() -> None:
    """Whatever lacks, it gets between nothing and what it asks."""
    amount, pot = between("amount", 1, MAX_CASH), between("pot", 0, MAX_CASH)
    lack = fresh_int("lack")
    paid = ledger.paid_out(amount, pot, lack)
    claim("between", all_of(paid >= 0, paid <= amount))
    claim("whole", implies(lack <= 0, paid == amount))


@theorem("T-LOSS", "LOSS-8", subject="paid_out")
def a_pot_that_lacks_cash_pays_every_claim_its_part() -> None:
    """Two claims that are all there are get no more than the pot, and nobody more than asked."""
    one, other, pot = (between(name, 0, MAX_CASH) for name in ("one", "other", "pot"))
    lack = between("lack", 0, MAX_CASH)
    assume(all_of(pot >= 1, one + other == pot + lack))
    first, second = ledger.paid_out(one, pot, lack), ledger.paid_out(other, pot, lack)
    claim("within the pot", first + second <= pot)
    claim("but for dust", first + second >= pot - 1)
    claim("no more than asked", all_of(0 <= first, first <= one))
    claim("whole again", implies(lack == 0, first == one))


@theorem("T-LOSS", "LOSS-7", "LOSS-9", "LOSS-10", subject="share_by_policy")
def a_share_of_a_loss_is_no_less_than_its_part() -> None:
    """By whatever is charged: so all together cover the loss, and a profit is cut by no more."""
    owed, weights = between("owed", 1, MAX_CASH), between("weights", 1, MAX_CASH)
    weight = fresh_int("weight")
    sharing = choose("sharing", (LossSharing.PER_LOT, LossSharing.PROFIT))
    assume(all_of(1 <= weight, weight <= weights))
    share = loss.share_by_policy(sharing, (owed, weights), (owed, weights), weight)
    claim("something", share >= 0)
    if sharing is LossSharing.PER_LOT:
        claim("its part", share * weights >= owed * weight)
        claim("a quantum a lot", share * weights < (owed + weights) * weight)
    else:
        claim("no more than gained", share <= weight)
        claim("its part", implies(owed <= weights, share * weights >= owed * weight))
        claim("a quantum", implies(owed <= weights, share * weights < owed * weight + weights))
        claim("all", implies(owed >= weights, share == weight))


@theorem("T-LOSS", "LOSS-9", subject="paid_gain")
def profits_that_are_not_backed_are_cut_alike_and_never_more_paid_than_there_is() -> None:
    """Two profits that are all there are get no more than what backs them, in proportion."""
    one, other = between("one", 0, MAX_CASH), between("other", 0, MAX_CASH)
    backed, gains = fresh_int("backed"), one + other
    assume(gains >= 1)
    first, second = (loss.paid_gain(gain, backed, gains) for gain in (one, other))
    there = ite(backed > 0, backed, 0)
    claim("within", first + second <= there)
    claim("no more than gained", all_of(0 <= first, first <= one))
    claim("all of it", implies(backed >= gains, first == one))
    claim("order", implies(one >= other, first >= second))


tested(
    "T-PRO",
    "a_policy_shares_a_loss_first_and_equity_what_is_left",
    "A loss is charged by notional or gains as far as each can pay, and by equity for the rest.",
    "LOSS-10",
    chapter="loss",
    where="tests/test_sharing.py::test_a_policy_shares_a_loss_first_and_equity_what_is_left",
)


@action("LOSS-11", keeps=QUIET, assumes=MARGINS)
def watch_fund() -> Step:
    exchange = any_exchange()
    after = take(loss_trigger.watch_fund, exchange)
    return Step(exchange, after, ())


@of(watch_fund, "T-LOSS", "LOSS-6", "LOSS-11", assumes=MARGINS)
def the_best_of_a_window_is_never_below_what_the_fund_has(step: Step) -> None:
    """It never falls within a window, and a fund at its best is not drawn down unless empty."""
    worth, before, after = equity(step.before, VAULT), step.before, step.after
    over = before.now - before.fund_best_at > before.rulebook.fund_window
    claim("best", after.fund_best >= worth)
    claim("never falls", implies(negation(over), after.fund_best >= before.fund_best))
    claim("anew", implies(over, after.fund_best == worth))
    begins = before.rulebook.fund_begins
    at_best = all_of(worth == after.fund_best, worth > 0, begins > 0, before.rulebook.fund_ends > 0)
    claim("at its best", implies(at_best, negation(after.fund_drawn_down)))


@theorem("T-LOSS", "LOSS-11", subject="fund_has_fallen")
def an_empty_fund_has_fallen_under_every_trigger_but_a_drawdown() -> None:
    """And a drawdown is what was noted, whatever the fund has now."""
    trigger = choose("trigger", tuple(FundTrigger))
    fund, drawn_down = fresh_int("fund"), fresh_bool("drawn_down")
    fallen = bool(loss_trigger.fund_has_fallen(trigger, fund, drawn_down))
    if trigger is FundTrigger.DRAWDOWN:
        claim("as noted", fallen is bool(drawn_down))
    elif not fallen:
        claim("stands", all_of(fund > 0))


@action("LOSS-2", "LOSS-12", keeps=CONSERVATION)
def carry() -> Step:
    exchange, debtor, _ = any_sharing()
    after = take(loss.carry, exchange, debtor)
    return Step(exchange, after, (debtor, VAULT))


@of(carry, "T-LOSS", "LOSS-12")
def only_the_vault_carries_a_loss_and_exactly_the_loss(step: Step) -> None:
    """The debtor ends at zero, the vault is poorer by the deficit, and nobody else pays."""
    (debtor, _) = step.accounts
    assume(debtor != VAULT)
    deficit = -equity(step.before, debtor)
    claim("ends at zero", equity(step.after, debtor) == 0)
    claim("carried", equity(step.after, VAULT) == equity(step.before, VAULT) - deficit)


@action("LOSS-13", keeps=QUIET, assumes=MARGINS)
def close_gate() -> Step:
    exchange = any_exchange()
    after = take(loss.close_gate, exchange)
    return Step(exchange, after, ())


@of(close_gate, "T-LOSS", "LOSS-13", assumes=MARGINS)
def a_gate_stays_closed_for_its_time_and_no_shorter_than_before(step: Step) -> None:
    """It opens no earlier than it would have, and no earlier than the rulebook's time from now."""
    before, opens = step.before, step.after.gate_opens
    claim("no earlier", opens >= before.gate_opens)
    claim("its time", opens >= before.now + before.rulebook.withdrawal_gate)


tested(
    "T-LOSS",
    "a_loss_halts_all_markets_and_nothing_else_does",
    "When a deficit was shared or carried all markets are paused, where the rulebook says so.",
    "LOSS-14",
    chapter="loss",
    where="tests/test_scheduler_loss.py::test_a_loss_halts_all_markets_until_they_resume",
)
