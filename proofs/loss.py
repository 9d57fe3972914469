"""LOSS: a deficit is shared exactly, by those who can, and closing at the mark costs nobody."""

from __future__ import annotations

from perpref.rules import loss
from perpref.rules.margin import equity, position_of
from perpref.state import Exchange
from perpref.units import AccountId, MarketId
from proofs.contracts import CLOSING
from proofs.executor import all_of, assume, claim, fresh_int
from proofs.laws import SOLVENCY, Step, action, take
from proofs.ledger import any_account
from proofs.liquidation import any_target
from proofs.registry import tested, theorem
from proofs.world import any_exchange


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
