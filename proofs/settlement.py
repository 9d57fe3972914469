"""SET: a market ends without making anybody richer or poorer."""

from __future__ import annotations

from perpref.rules import settlement
from perpref.rules.margin import equity, position_of
from perpref.units import MarketId
from proofs.contracts import CLOSING, MARGINS
from proofs.executor import claim, fresh_int, implies, ite, negation
from proofs.laws import CONSERVATION, QUIET, SOLVENCY, Step, action, of, take
from proofs.ledger import any_account
from proofs.liquidation import any_target
from proofs.registry import tested
from proofs.world import any_exchange


@action("SET-1", keeps=QUIET, assumes=MARGINS)
def begin_settlement() -> Step:
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    after = take(settlement.begin_settlement, exchange, market)
    return Step(exchange, after, (), market)


@action("SET-4", keeps=QUIET, assumes=MARGINS)
def pause() -> Step:
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    after = take(settlement.pause, exchange, market)
    return Step(exchange, after, (), market)


@action("SET-5", keeps=CONSERVATION, assumes=MARGINS)
def resume() -> Step:
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    after = take(settlement.resume, exchange, market)
    return Step(exchange, after, (), market, remarks=True)


@of(resume, "T-SET", "SET-5", assumes=MARGINS)
def a_market_goes_on_at_the_last_word_of_the_oracle(step: Step) -> None:
    """It is fresh, and what waited is the mark; with nothing waiting the mark is what it was."""
    assert step.market is not None
    was, now = step.before.markets[step.market], step.after.markets[step.market]
    most = step.before.rulebook.mark_age
    claim("paused before", was.paused)
    claim("goes on", negation(now.paused))
    claim("fresh", implies(most > 0, step.before.now - was.marked_at <= most))
    claim("the last word", now.mark == ite(was.next_mark != 0, was.next_mark, was.mark))
    claim("nothing waits", now.next_mark == 0)


@action("SET-2", keeps=SOLVENCY, assumes=CLOSING)
def settle() -> Step:
    exchange, account, market = any_target()
    counterparty = any_account("counterparty")
    after = take(settlement.settle, exchange, account, counterparty, market, fresh_int("lots"))
    return Step(exchange, after, (account, counterparty), market)


@of(settle, "T-PRICE", "SET-2", assumes=CLOSING)
def a_settlement_changes_nobodys_equity(step: Step) -> None:
    """Both are solvent, are worth what they were worth before, and hold fewer lots."""
    assert step.market is not None
    for holder in step.accounts:
        claim("solvent", equity(step.before, holder) >= 0)
        claim("the same", equity(step.after, holder) == equity(step.before, holder))
        was, now = (
            position_of(state, holder, step.market).size for state in (step.before, step.after)
        )
        claim("fewer lots", abs(now) < abs(was))


@of(settle, "T-SET", "SET-1", "SET-2", assumes=CLOSING)
def only_a_market_at_its_end_is_settled(step: Step) -> None:
    """It was on its way to its end, and still is."""
    assert step.market is not None
    claim("ending", step.before.markets[step.market].settling)
    claim("still", step.after.markets[step.market].settling)


tested(
    "T-SET",
    "a_settled_market_holds_no_position_and_no_order",
    "After a settlement nobody holds anything in the market, and nobody is richer or poorer.",
    "SET-3",
    chapter="settlement",
    where="tests/test_scheduler.py::test_a_settled_market_holds_no_position_and_no_order",
)
