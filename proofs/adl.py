"""ADL: a total order of winners, and none of them is ruined."""

from __future__ import annotations

from perpref.rule_registry import Refusal
from perpref.rules import adl
from perpref.rules.adl import Standing
from perpref.rules.liquidation import bankruptcy_price
from perpref.rules.margin import equity, position_of
from perpref.rules.vault import transfer_position
from perpref.units import AccountId, MarketId
from proofs.contracts import CLOSING
from proofs.executor import all_of, assume, claim, fresh_int, implies
from proofs.laws import SOLVENCY, Step, action, take
from proofs.ledger import any_account
from proofs.liquidation import any_due, any_target
from proofs.registry import Strength, tested, theorem
from proofs.world import any_exchange


@action("ADL-1", "ADL-3", "ADL-4", "LIQ-5", keeps=SOLVENCY, assumes=CLOSING)
def deleverage() -> Step:
    exchange, account, market = any_target()
    counterparty = any_account("counterparty")
    after = take(adl.deleverage, exchange, account, counterparty, market, fresh_int("lots"))
    return Step(exchange, after, (account, counterparty), market)


@theorem("T-ADL", "ADL-4", subject="deleverage", assumes=CLOSING)
def deleveraging_never_bankrupts_the_counterparty() -> None:
    """A counterparty that was solvent is solvent after it was deleveraged."""
    exchange, account, market = any_due()
    counterparty = any_account("counterparty")
    after = adl.deleverage(exchange, account, counterparty, market, fresh_int("lots")).exchange
    was, now = equity(exchange, counterparty), equity(after, counterparty)
    claim("solvent", implies(was >= 0, now >= 0))
    claim("no worse", implies(was < 0, now >= was))


@theorem("T-ADL", "ADL-4", subject="bearable", assumes=CLOSING)
def what_is_bearable_is_never_refused() -> None:
    """Any number of lots up to `bearable` passes the guards of `deleverage`."""
    exchange, account, market = any_due()
    counterparty, lots = any_account("counterparty"), fresh_int("lots")
    size = position_of(exchange, account, market).size
    other = position_of(exchange, counterparty, market).size
    assume(implies(size > 0, other < 0))
    assume(implies(size < 0, other > 0))
    bearable = adl.bearable(exchange, account, counterparty, market)
    assume(all_of(lots >= 1, lots <= abs(size), lots <= bearable))
    accepted = True
    try:
        adl.deleverage(exchange, account, counterparty, market, lots)
    except Refusal:
        accepted = False
    claim("accepted", accepted)


@theorem("T-ADL", "ADL-4", subject="bearable", assumes=CLOSING)
def what_is_more_than_bearable_would_ruin_the_counterparty() -> None:
    """One lot more than a counterparty can bear, if it has it, leaves it insolvent."""
    exchange, account, market = any_due()
    counterparty = any_account("counterparty")
    size = position_of(exchange, account, market).size
    other = position_of(exchange, counterparty, market).size
    assume(implies(size > 0, other < 0))
    assume(implies(size < 0, other > 0))
    lots = adl.bearable(exchange, account, counterparty, market) + 1
    assume(all_of(lots <= abs(size), lots <= abs(other), equity(exchange, counterparty) >= 0))
    price = bankruptcy_price(exchange, account, market)
    closed = transfer_position(exchange, account, counterparty, market, lots, price, "ADL-3")
    claim("insolvent", equity(closed.exchange, counterparty) < 0)


@theorem("T-ADL", "ADL-1", "ADL-3", subject="deleverage", assumes=CLOSING)
def deleveraging_closes_both_sides_by_the_same_lots() -> None:
    """Both positions shrink by the lots named and neither changes sides: nothing is opened."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    account, counterparty, lots = (
        any_account("account"),
        any_account("counterparty"),
        fresh_int("lots"),
    )
    after = adl.deleverage(exchange, account, counterparty, market, lots).exchange
    for holder in (account, counterparty):
        was, now = (
            position_of(exchange, holder, market).size,
            position_of(after, holder, market).size,
        )
        claim("closed", abs(was) - abs(now) == lots)
        claim("same side", all_of(implies(was > 0, now >= 0), implies(was < 0, now <= 0)))


def any_standing(name: str) -> Standing:
    standing = Standing(
        AccountId(fresh_int(f"{name}.account")),
        fresh_int(f"{name}.profit"),
        fresh_int(f"{name}.cost"),
        fresh_int(f"{name}.notional"),
        fresh_int(f"{name}.equity"),
        fresh_int(f"{name}.size"),
    )
    assume(all_of(standing.cost >= 1, standing.notional >= 1, standing.size >= 1))
    return standing


@theorem("T-ADL", "ADL-2", subject="outranks")
def of_two_counterparties_exactly_one_outranks_the_other() -> None:
    """Rank never ties: there is one queue, and it does not depend on who is compared first."""
    first, second = any_standing("first"), any_standing("second")
    assume(first.account != second.account)
    claim("exactly one", bool(adl.outranks(first, second)) is not bool(adl.outranks(second, first)))


@theorem("T-ADL", "ADL-2", subject="score")
def a_score_has_a_positive_denominator() -> None:
    """The denominator of a score is positive, and the score has the sign of the profit."""
    standing = any_standing("standing")
    numerator, denominator = adl.score(standing)
    claim("positive", denominator >= 1)
    claim("sign", implies(standing.profit > 0, numerator > 0))
    claim("no profit", implies(standing.profit <= 0, numerator <= 0))


@theorem("T-ADL", "ADL-2", subject="outranks", assumes=("score",))
def rank_is_transitive() -> None:
    """Whoever outranks one that outranks a third outranks the third: the queue is an order."""
    first, second, third = (any_standing(name) for name in ("first", "second", "third"))
    if adl.outranks(first, second) and adl.outranks(second, third):
        claim("transitive", adl.outranks(first, third))


@theorem("T-ADL", "ADL-2", subject="outranks")
def more_profit_more_leverage_more_size_come_first() -> None:
    """All else equal, a higher profit, a lower positive equity or a larger size comes first."""
    first, second = any_standing("first"), any_standing("second")
    assume(all_of(first.cost == second.cost, first.notional == second.notional))
    if first.profit > second.profit and first.equity == second.equity:
        claim("profit", adl.outranks(first, second))
    same_profit = all_of(first.profit == second.profit, first.profit > 0)
    if same_profit and 0 < first.equity < second.equity:
        claim("leverage", adl.outranks(first, second))
    if same_profit and first.equity == second.equity and first.size > second.size:
        claim("size", adl.outranks(first, second))


@theorem("T-ADL", "ADL-4", subject="deleverage", strength=Strength.REFUTED, assumes=())
def an_unguarded_deleveraging_never_bankrupts_the_counterparty() -> None:
    """Without the guard ADL-4 a close at the bankruptcy price can ruin a thin counterparty."""
    exchange, account, market = any_due()
    counterparty, lots = any_account("counterparty"), fresh_int("lots")
    adl.require_opposite(exchange, account, counterparty, market, lots)
    price = bankruptcy_price(exchange, account, market)
    closed = transfer_position(exchange, account, counterparty, market, lots, price, "ADL-3")
    was, now = equity(exchange, counterparty), equity(closed.exchange, counterparty)
    claim("solvent", implies(was >= 0, now >= 0))


tested(
    "T-ADL",
    "winners_are_closed_in_order_each_as_far_as_it_can_bear",
    "At most one counterparty is closed in part because no more was needed, and nobody before it.",
    "ADL-5",
    chapter="adl",
    where="tests/test_scheduler.py::test_winners_are_closed_in_order_each_as_far_as_it_can_bear",
)
