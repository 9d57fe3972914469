"""ADL: a total order of winners, and none of them is ruined."""

from __future__ import annotations

from functools import partial

from attrs import evolve

from perpref.rule_registry import Refusal
from perpref.rules import adl, loss_trigger
from perpref.rules.adl import Standing
from perpref.rules.liquidation import bankruptcy_price
from perpref.rules.margin import equity, position_of
from perpref.rules.vault import transfer_position
from perpref.state import BankruptcyPrice, ForcedPrice, Ranking
from perpref.units import MAX_PRICE, AccountId, MarketId
from proofs.contracts import CLOSING, MARGINS, PRICED
from proofs.executor import (
    all_of,
    any_of,
    assume,
    choose,
    claim,
    fresh_bool,
    fresh_int,
    implies,
    negation,
)
from proofs.laws import SOLVENCY, Step, action, take
from proofs.ledger import any_account
from proofs.liquidation import any_due, any_target
from proofs.margin import any_health
from proofs.registry import Strength, tested, theorem
from proofs.world import any_exchange, any_ranking, between


@action("ADL-1", "ADL-3", "ADL-4", "ADL-6", "LIQ-5", keeps=SOLVENCY, assumes=CLOSING)
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


@theorem("T-ADL", "ADL-4", subject="bearable", assumes=(*PRICED, "fund_has_fallen"))
def what_is_bearable_is_never_refused() -> None:
    """Up to `bearable` lots pass the guards, unless the rulebook spares counterparties more."""
    exchange, account, market = any_due()
    assume(negation(exchange.rulebook.deleverage_never_riskier))
    assume(negation(exchange.rulebook.deleverage_only_insolvent))
    assume(loss_trigger.has_fallen(exchange))
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
    price = adl.deleveraging_price(exchange, account, market)
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


@theorem("T-ADL", "ADL-3", "ADL-6", subject="forced_price")
def an_adl_closes_a_solvent_account_at_its_bankruptcy_price_or_at_the_mark() -> None:
    """Whatever the rulebook's price; any other price is for insolvent accounts only."""
    policy = choose("deleverage_price", tuple(ForcedPrice))
    rulebook = evolve(any_exchange().rulebook, deleverage_price=policy)
    assume(adl.is_price_safe(rulebook))
    bankruptcy, mark, previous = (
        between(name, 1, MAX_PRICE) for name in ("bankruptcy", "mark", "previous")
    )
    index = between("index", 0, MAX_PRICE)
    price = adl.forced_price(rulebook, bankruptcy, mark, previous, index)
    claim("a price", price >= 1)
    claim(
        "for the solvent",
        any_of(rulebook.deleverage_only_insolvent, price == bankruptcy, price == mark),
    )


@theorem("T-ADL", "ADL-6", subject="triggers")
def an_adl_may_wait_for_insolvency() -> None:
    """An account that is due is closed at once, or where the rulebook waits, when insolvent."""
    had, only_insolvent = fresh_int("equity"), fresh_bool("only_insolvent")
    if adl.triggers(had, only_insolvent):
        claim("insolvent", implies(only_insolvent, had < 0))
    else:
        claim("waits", all_of(only_insolvent, had >= 0))


@theorem("T-ADL", "ADL-4", subject="bears_closing")
def a_closing_that_is_borne_leaves_a_counterparty_solvent_or_no_worse() -> None:
    """And where the rulebook spares it risk, its equity covers its maintenance margin no worse."""
    before, after = any_health("before"), any_health("after")
    never_riskier = fresh_bool("never_riskier")
    if adl.bears_closing(before, after, never_riskier):
        claim("solvent or no worse", any_of(after.equity >= 0, after.equity >= before.equity))
        covers = after.equity * before.maintenance >= before.equity * after.maintenance
        claim("no riskier", implies(never_riskier, covers))
    else:
        ruined = all_of(after.equity < 0, after.equity < before.equity)
        claim("for a reason", any_of(never_riskier, ruined))


def any_standing(name: str) -> Standing:
    standing = Standing(
        AccountId(fresh_int(f"{name}.account")),
        fresh_int(f"{name}.profit"),
        fresh_int(f"{name}.cost"),
        fresh_int(f"{name}.notional"),
        fresh_int(f"{name}.equity"),
        fresh_int(f"{name}.size"),
        fresh_int(f"{name}.margin"),
        fresh_int(f"{name}.collateral"),
        fresh_int(f"{name}.maintenance"),
    )
    assume(all_of(standing.cost >= 1, standing.notional >= 1, standing.maintenance >= 1))
    assume(any_of(standing.size > 0, standing.size < 0))
    return standing


@theorem("T-ADL", "ADL-2", subject="outranks", assumes=("score",))
def of_two_counterparties_exactly_one_outranks_the_other() -> None:
    """Rank never ties: there is one queue, and it does not depend on who is compared first."""
    one, other = any_standing("one"), any_standing("other")
    assume(one.account != other.account)
    ranking = any_ranking()
    ahead = adl.outranks(one, other, ranking)
    claim("exactly one", bool(ahead) is not bool(adl.outranks(other, one, ranking)))


@theorem("T-ADL", "ADL-2", subject="score")
def a_score_has_a_positive_denominator() -> None:
    """By whatever is ranked: scores can be compared by cross-multiplication."""
    _, denominator = adl.score(any_standing("standing"), choose("ranking", tuple(Ranking)))
    claim("positive", denominator >= 1)


@theorem("T-ADL", "ADL-2", subject="score")
def a_score_of_returns_has_the_sign_of_the_profit() -> None:
    """Ranked by return, winners score above zero and losers do not."""
    standing = any_standing("standing")
    numerator, _ = adl.score(
        standing, choose("ranking", (Ranking.LEVERAGED_RETURN, Ranking.SIGNED_RETURN))
    )
    claim("sign", implies(standing.profit > 0, numerator > 0))
    claim("no profit", implies(standing.profit <= 0, numerator <= 0))


@theorem("T-ADL", "ADL-2", subject="outranks", assumes=("score",))
def rank_is_transitive() -> None:
    """Whoever outranks one that outranks a third outranks the third: the queue is an order."""
    first, second, third = (any_standing(name) for name in ("first", "second", "third"))
    ranking = any_ranking()
    if adl.outranks(first, second, ranking) and adl.outranks(second, third, ranking):
        claim("transitive", adl.outranks(first, third, ranking))


@theorem("T-ADL", "ADL-2", subject="outranks")
def more_profit_more_leverage_more_size_come_first() -> None:
    """All else equal, a higher profit, a lower positive equity or a larger size comes first."""
    first, second = any_standing("first"), any_standing("second")
    ahead = partial(adl.outranks, first, second, Ranking.LEVERAGED_RETURN)
    assume(all_of(first.cost == second.cost, first.notional == second.notional))
    if first.profit > second.profit and first.equity == second.equity:
        claim("profit", ahead())
    same_profit = all_of(first.profit == second.profit, first.profit > 0)
    if same_profit and 0 < first.equity < second.equity:
        claim("leverage", ahead())
    if same_profit and first.equity == second.equity and abs(first.size) > abs(second.size):
        claim("size", ahead())


def _of_two_shorts_the_one_with_more_profit_comes_first(ranking: Ranking) -> None:
    """Two shorts of one size and one equity, sold at different prices."""
    first, second = any_standing("first"), any_standing("second")
    for short in (first, second):
        assume(
            all_of(short.size < 0, short.equity >= 1, short.profit == short.cost - short.notional)
        )
    assume(all_of(first.size == second.size, first.notional == second.notional))
    assume(all_of(first.equity == second.equity, first.profit > second.profit))
    claim("first", adl.outranks(first, second, ranking))


@theorem("T-ADL", "ADL-2", subject="outranks")
def by_mark_to_entry_the_short_with_more_profit_comes_first() -> None:
    """Of two shorts that differ only in what they were sold for, the better sold one is first."""
    _of_two_shorts_the_one_with_more_profit_comes_first(Ranking.MARK_TO_ENTRY)


@theorem("T-ADL", "ADL-2", subject="outranks", strength=Strength.REFUTED, assumes=())
def by_mark_to_entry_read_literally_the_short_with_more_profit_comes_first() -> None:
    """Mark over entry puts the *less* profitable short first: the formula is meant for longs."""
    _of_two_shorts_the_one_with_more_profit_comes_first(Ranking.MARK_TO_ENTRY_LITERAL)


@theorem("T-ADL", "ADL-4", subject="deleverage", strength=Strength.REFUTED, assumes=MARGINS)
def an_unguarded_deleveraging_never_bankrupts_the_counterparty() -> None:
    """Without the guard ADL-4 a close at the bankruptcy price can ruin a thin counterparty."""
    exchange, account, market = any_due()
    shared = evolve(exchange.rulebook, bankruptcy_price=BankruptcyPrice.EQUITY_SHARE)
    exchange = evolve(exchange, rulebook=shared)
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

tested(
    "T-ADL",
    "an_adl_cancels_the_orders_of_whoever_it_closes_where_the_rulebook_says_so",
    "Those in that market, after the closing; by the textbook none.",
    "ADL-14",
    chapter="adl",
    where="tests/test_scheduler.py::test_whoever_is_closed_by_an_adl_may_lose_its_orders_there",
)


@theorem("T-ADL", "ADL-2", subject="outranks", strength=Strength.REFUTED, assumes=())
def half_a_position_stands_where_the_whole_one_stood() -> None:
    """Whoever splits a position stands behind a rival with the same score, and may be spared."""
    whole, rival = any_standing("whole"), any_standing("rival")
    half = evolve(
        whole,
        profit=fresh_int("half.profit"),
        cost=fresh_int("half.cost"),
        notional=fresh_int("half.notional"),
        equity=fresh_int("half.equity"),
        size=fresh_int("half.size"),
    )
    for part in ("profit", "cost", "notional", "equity", "size"):
        assume(getattr(whole, part) == 2 * getattr(half, part))
    assume(all_of(half.equity >= 1, half.profit >= 1, whole.account != rival.account))
    assume(all_of(half.size > 0, half.cost >= 1, half.notional >= 1))
    assume(adl.outranks(whole, rival, Ranking.LEVERAGED_RETURN))
    claim("still before", adl.outranks(half, rival, Ranking.LEVERAGED_RETURN))


@theorem("T-ADL", "ADL-7", subject="queue_indicator")
def the_lamps_of_a_queue_are_one_to_five_and_rise_towards_its_end() -> None:
    """Whoever stands further back shows no fewer lamps; the last one shows all five."""
    ahead, further, total = fresh_int("ahead"), fresh_int("further"), fresh_int("total")
    assume(all_of(1 <= ahead, ahead <= further, further <= total))
    now, then = adl.queue_indicator(ahead, total), adl.queue_indicator(further, total)
    claim("lamps", all_of(1 <= now, now <= then, then <= 5))
    claim("the fifth", all_of(5 * ahead <= now * total, (now - 1) * total < 5 * ahead))
    claim("all", implies(ahead == total, now == 5))
