"""Stories that exercise, for certain, the rules that the other stories leave to chance."""

from __future__ import annotations

from attrs import evolve

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.commands import ONE, Order
from perpref.adapters.bluefin.staging import (
    HOUR,
    Scenario,
    exactly,
    funded,
    funding,
    meet,
    wild_terms,
)
from perpref.adapters.bluefin.terms import Terms, published_terms

BAR = 100 * ONE


def rule_scenarios(build: str) -> list[Scenario]:
    """Every such story that is played on a build."""
    wild = wild_terms(build)
    return [
        _bounds(wild),
        _margin(wild),
        _halts(wild),
        _short_of_margin(wild),
        _owing(wild),
        _sampled(wild),
        _gas(published_terms(build)),
    ]


def _bounds(terms: Terms) -> Scenario:
    def trade(salt: int, quantity: int, price: int) -> c.Fill:
        return exactly("alice", "bob", quantity, price, (1, 1), salt)

    ask = Order("bob", False, ONE, BAR, ONE, salt=20)
    bid = Order("alice", True, ONE, BAR, ONE, salt=20)
    dear = 151 * ONE
    return Scenario(
        "prices and quantities out of bounds",
        "Which trades does the market not allow?",
        (
            *funded("alice", "bob"),
            trade(1, ONE, 9 * ONE // 10),
            trade(2, ONE, 1_001 * ONE),
            trade(3, ONE, BAR + 1),
            trade(4, ONE // 100, BAR),
            trade(5, 500_001 * ONE, BAR),
            trade(6, 40_001 * ONE, BAR),
            trade(7, ONE + 1, BAR),
            c.Fill(evolve(ask, price=dear), evolve(bid, price=dear), ONE, dear),
            c.Fill(evolve(bid, price=99 * ONE), ask, ONE, BAR),
            c.Fill(evolve(bid, salt=21), evolve(ask, quantity=2 * ONE), 2 * ONE, BAR),
            c.SetOracle(200 * ONE),
        ),
        terms,
    )


def _margin(terms: Terms) -> Scenario:
    return Scenario(
        "margin and leverage that are not in order",
        "What is refused to the owner of a position, and to one who has none?",
        (
            *funded("alice", "bob"),
            c.AddMargin("alice", 0),
            c.AddMargin("alice", ONE),
            c.RemoveMargin("alice", 0),
            meet("alice", "bob", 10, 100, (4, 1)),
            c.AddMargin("alice", 10**9 * ONE),
            c.RemoveMargin("alice", 10**9 * ONE),
            c.AdjustLeverage("alice", ONE // 2),
            c.AdjustLeverage("cat", 3 * ONE),
        ),
        terms,
    )


def _halts(terms: Terms) -> Scenario:
    return Scenario(
        "before, during and after",
        "What is refused while something is halted, before the end and after it?",
        (
            *funded("alice", "bob", "cat"),
            c.SetWithdrawals(False),
            c.Withdraw("alice", ONE),
            c.SetWithdrawals(True),
            c.SetTrading(False),
            meet("alice", "bob", 10, 100, (4, 1)),
            c.SetTrading(True),
            meet("alice", "bob", 10, 100, (4, 1), 1),
            meet("bob", "cat", 15, 100, (1, 1), 2),
            c.ClosePosition("alice"),
            c.Delist(0, ONE),
            c.Delist(c.ANY_PRICE, 10 * c.ANY_PRICE),
            c.Delist(0, c.ANY_PRICE),
            meet("alice", "bob", 10, 100, (4, 1), 3),
            c.ClosePosition("alice"),
            c.ClosePosition("alice"),
        ),
        terms,
    )


def _short_of_margin(terms: Terms) -> Scenario:
    return Scenario(
        "trades of those who are short of margin",
        "What may an account do between maintenance and initial margin?",
        (
            *funded("alice", "bob", "dog", "eve"),
            exactly("dog", "eve", ONE, 140 * ONE, (16, 1), 0),
            meet("alice", "bob", 10, 100, (4, 1)),
            c.SetOracle(79 * ONE),
            exactly("alice", "bob", ONE, 110 * ONE, (4, 1), 1),
            exactly("bob", "alice", 5 * ONE, 60 * ONE, (1, 4), 2),
        ),
        terms,
    )


def _owing(terms: Terms) -> Scenario:
    return Scenario(
        "funding beyond margin, then liquidated",
        "Who pays the funding that a liquidated account cannot?",
        (
            *funded("alice", "bob", "eve"),
            meet("alice", "bob", 10, 100, (4, 1)),
            *funding(30 * ONE, 100),
            c.Liquidate("alice", "eve", 5 * ONE, ONE, True),
        ),
        terms,
    )


def _sampled(terms: Terms) -> Scenario:
    return Scenario(
        "a rate from trades, and trades between two rates",
        "Does a trade look at the rate, and the rate at a trade?",
        (
            *funded("alice", "bob"),
            c.Advance(HOUR),
            c.SetFunding(ONE // 100),
            c.Advance(HOUR // 2),
            meet("alice", "bob", 10, 100, (4, 1)),
            c.SetFundingSource(True),
            meet("alice", "bob", 1, 101, (4, 1), 1),
            c.Advance(HOUR),
            c.SampleFunding(),
        ),
        terms,
    )


def _gas(terms: Terms) -> Scenario:
    return Scenario(
        "gas for small orders and for large ones",
        "Whose order pays for gas?",
        (
            *funded("alice", "bob"),
            evolve(exactly("alice", "bob", ONE, 1_500 * ONE, (1, 1), 0), gas=ONE),
            evolve(exactly("alice", "bob", 10 * ONE, 1_500 * ONE, (1, 1), 1), gas=ONE),
        ),
        terms,
    )
