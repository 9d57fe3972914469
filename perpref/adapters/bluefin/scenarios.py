"""Stories that aim at the laws: what could make the perpetual owe more than it has.

Each is a list of commands with the terms it is played under. They are written for the terms of
the engine's own test tables (`wild_terms`), where the oracle starts at 100, unless they say
otherwise; the accounts that trade are alice, bob, cat and dog, eve liquidates.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from attrs import evolve

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.commands import ONE, Order
from perpref.adapters.bluefin.deployment_scenarios import deployment_scenarios
from perpref.adapters.bluefin.rule_scenarios import rule_scenarios
from perpref.adapters.bluefin.staging import (
    HOUR,
    RICH,
    Scenario,
    exactly,
    funded,
    funding,
    meet,
    wild_terms,
)
from perpref.adapters.bluefin.terms import Terms, published_terms


def all_scenarios(build: str) -> list[Scenario]:
    """Every scenario that is played on a build."""
    wild, published = wild_terms(build), published_terms(build)
    free = evolve(wild, maker_fee=0, taker_fee=0)
    told: list[Scenario] = []

    def tell(name: str, asks: str, *commands: c.Command, terms: Terms = wild) -> None:
        told.append(Scenario(name, asks, commands, terms))

    # Alice is long 10 at 100 with 250 of margin: bankrupt at 75.
    thin = (*funded("alice", "bob", "cat", "dog", "eve"), meet("alice", "bob", 10, 100, (4, 1)))
    tell(
        "a gap beyond bankruptcy, deleveraged in parts",
        "Does a partial deleveraging at the bankruptcy price leave the rest backed?",
        *thin,
        c.SetOracle(60 * ONE),
        c.Deleverage("alice", "bob", 4 * ONE, False),
        c.SetOracle(50 * ONE),
        c.Deleverage("alice", "bob", 3 * ONE, False),
        c.Deleverage("alice", "bob", 3 * ONE, False, True),
    )
    tell(
        "a liquidation with more loss than margin, in parts",
        "Who bears the loss of a position that is taken over under water?",
        *thin,
        c.SetOracle(70 * ONE),
        c.Liquidate("alice", "eve", 3 * ONE, ONE, True),
        c.Liquidate("alice", "eve", 30 * ONE, ONE, True),
    )
    tell(
        "liquidating oneself",
        "What does an account gain that liquidates itself?",
        *thin,
        c.SetOracle(78 * ONE),
        c.Liquidate("alice", "alice", 10 * ONE, 4 * ONE, True),
        c.Liquidate("alice", "alice", 10 * ONE, 4 * ONE, True),
        c.Withdraw("alice", 1_999_740 * ONE),
    )
    tell(
        "liquidating oneself under the published terms",
        "And under the terms of a deployment?",
        *funded("alice", "bob"),
        exactly("alice", "bob", 100 * ONE, 1_500 * ONE, (20, 1), 0),
        c.SetOracle(1_467 * ONE),
        *[c.Liquidate("alice", "alice", 30 * ONE, 20 * ONE, True) for _ in range(10)],
        terms=published,
    )
    tell(
        "liquidating nobody",
        "What becomes of a liquidation or a deleveraging of an account without a position?",
        *thin,
        c.SetOracle(70 * ONE),
        c.Liquidate("cat", "eve", ONE, ONE, False),
        c.Deleverage("cat", "bob", ONE, True),
        c.Deleverage("alice", "cat", ONE, False),
    )
    tell(
        "two orders of one side",
        "Do positions balance when the operator matches two buyers?",
        *funded("alice", "bob"),
        c.Fill(
            Order("alice", True, ONE, 100 * ONE, ONE),
            Order("bob", True, ONE, 100 * ONE, ONE),
            ONE,
            100 * ONE,
        ),
    )
    tell(
        "funding beyond margin and entry value, then deleveraging",
        'Table "#8 - Short Position + Full ADL + Funding > (Margin + oiOpen)": who pays the rest?',
        *funded("alice", "bob", "cat", "dog"),
        meet("bob", "alice", 10, 100, (4, 4)),
        meet("cat", "dog", 10, 100, (1, 1)),
        *funding(-155 * ONE, 100),
        c.Deleverage("alice", "cat", 10 * ONE, True, True),
    )
    tell(
        "funding beyond margin, deleveraged before and after it is known",
        "Does it matter whether deleveraging comes before or after funding?",
        *thin,
        meet("dog", "cat", 10, 100, (4, 1)),
        c.SetOracle(70 * ONE),
        c.Deleverage("alice", "cat", 5 * ONE, False),
        *funding(30 * ONE, 70),
        c.Deleverage("alice", "cat", 5 * ONE, False),
        c.Deleverage("dog", "bob", 10 * ONE, False),
    )
    tell(
        "a position without entry value at delisting",
        "Can a short whose entry value funding has eaten be closed after delisting?",
        *funded("alice", "bob", "cat", "dog"),
        meet("bob", "alice", 10, 100, (4, 4)),
        meet("cat", "dog", 10, 100, (1, 1)),
        *funding(-155 * ONE, 100),
        c.Deleverage("alice", "cat", 5 * ONE, True, True),
        c.SetOracle(11 * ONE),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("alice"),
    )
    tell(
        "the tolerance of deleveraging",
        "What does a counterparty get away with that loses a little more than its margin?",
        *funded("alice", "bob", "cat", "dog"),
        meet("alice", "bob", 10_000, 100, (4, 1)),
        c.SetOracle(70 * ONE),
        meet("dog", "cat", 10_000, 70, (1, 16)),
        c.AddMargin("cat", 6_249 * ONE + ONE // 10),
        c.Deleverage("alice", "cat", 10_000 * ONE, False, True),
        terms=evolve(wild, max_open_interest=()),
    )
    tell(
        "bad debt at delisting",
        "Who is paid when the market ends with a position under water?",
        *funded("alice", "bob", "cat", "dog"),
        meet("alice", "bob", 10, 100, (4, 1)),
        meet("alice", "cat", 10, 100, (4, 1), 1),
        c.SetOracle(50 * ONE),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("bob"),
        c.ClosePosition("cat"),
        c.ClosePosition("alice"),
    )
    tell(
        "funding beyond margin at delisting",
        "Can a winner that owes more funding than it has margin get out after delisting?",
        *funded("alice", "bob"),
        meet("alice", "bob", 10, 100, (4, 1)),
        *funding(26 * ONE, 100),
        c.SetOracle(130 * ONE),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("alice"),
        c.ClosePosition("bob"),
    )
    tell(
        "funding that runs on after delisting",
        "Is funding still zero-sum when one side has left?",
        *funded("alice", "bob"),
        meet("alice", "bob", 10, 100, (4, 1)),
        c.Advance(HOUR),
        c.SetFunding(ONE // 100),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("alice"),
        c.Advance(10 * HOUR),
        c.SetFunding(0),
        c.ClosePosition("bob"),
    )
    tell(
        "a winner takes profit that the loser cannot pay",
        "Whose money pays the first winner to leave, while a loser is under water?",
        *funded("alice", "bob", "cat", "dog", "eve"),
        meet("bob", "alice", 100, 100, (10, 10)),
        meet("cat", "dog", 100, 100, (1, 1)),
        c.SetOracle(150 * ONE),
        meet("eve", "bob", 100, 150, (10, 10), 1),
        meet("eve", "cat", 100, 150, (10, 1), 2),
        meet("dog", "eve", 100, 150, (1, 10), 3),
    )
    tell(
        "a winner is paid out of accrued fees",
        "Are the fees that accrued in the perpetual safe from it?",
        *funded("alice", "bob", "cat", "dog", "eve"),
        meet("bob", "alice", 100, 100, (10, 10)),
        c.SetOracle(140 * ONE),
        meet("eve", "bob", 100, 140, (10, 10), 1),
        c.CollectFees(),
        c.CollectGas(),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("eve"),
    )
    tell(
        "deleveraging at a bankruptcy price that does not come out even",
        "Does the rounding of the bankruptcy price stand in the way?",
        *funded("alice", "bob"),
        exactly("alice", "bob", 17 * ONE // 100, 15_265 * ONE // 10, (15, 1), 0),
        c.SetOracle(1_410 * ONE),
        c.Deleverage("alice", "bob", 17 * ONE // 100, False),
        terms=published,
    )
    tell(
        "too large for its leverage",
        "How far may a position grow at 20x?",
        *funded("alice", "bob"),
        exactly("alice", "bob", 100 * ONE, 1_500 * ONE, (20, 1), 0),
        exactly("alice", "bob", 100 * ONE, 1_500 * ONE, (20, 1), 1),
        terms=published,
    )
    tell(
        "everybody leaves",
        "Can the last two accounts close, at the price at which they opened?",
        *funded("alice", "bob"),
        exactly("alice", "bob", 9_999 * ONE // 100, 15_007 * ONE // 10, (7, 13), 0),
        exactly("bob", "alice", 9_999 * ONE // 100, 15_007 * ONE // 10, (13, 7), 1),
        terms=published,
    )
    tell(
        "rounding, harvested",
        "Can somebody gain by rounding in many small fills without fees?",
        *funded("alice", "bob"),
        *_harvest(),
        terms=free,
    )
    tell(
        "rounding, harvested in large fills",
        "And in large ones?",
        *funded("alice", "bob", amount=10**9),
        *_harvest(39_999 * ONE + 7 * 10**14, 999 * ONE + 999_999 * 10**12 // 7),
        terms=evolve(free, max_open_interest=(), first_oracle=999 * ONE),
    )
    told += _edges(wild, published) + _refusals(wild, published)
    return told + deployment_scenarios(build) + rule_scenarios(build)


def _edges(wild: Terms, published: Terms) -> list[Scenario]:
    """Stories that go exactly up to a bound, and over it."""
    money = funded("alice", "bob", "cat", "dog")
    cautious = (meet("alice", "bob", 10, 190, (2, 1)), c.SetOracle(200 * ONE))
    return [
        Scenario(
            "exactly at maintenance margin",
            "On which side of the bound is an account that is exactly on it?",
            (
                *money,
                c.SetOracle(190 * ONE),
                *cautious,
                c.SetOracle(100 * ONE),
                c.Liquidate("alice", "cat", ONE, ONE, True),
                c.SetOracle(190 * ONE),
                c.SetOracle(200 * ONE),
                c.RemoveMargin("alice", 45 * ONE // 10),
                c.SetOracle(100 * ONE),
                exactly("alice", "dog", ONE // 10, 100 * ONE, (2, 1), 1),
            ),
            wild,
        ),
        Scenario(
            "exactly bankrupt",
            "Who may still trade, deleverage or be deleveraged with an equity of exactly nothing?",
            (
                *money,
                meet("alice", "bob", 10, 100, (4, 1)),
                c.SetOracle(60 * ONE),
                meet("cat", "dog", 10, 60, (1, 4)),
                c.SetOracle(75 * ONE),
                c.Deleverage("alice", "dog", ONE, False),
                meet("bob", "alice", 5, 75, (1, 4), 1),
                c.Deleverage("alice", "bob", ONE, False),
                c.Liquidate("alice", "cat", ONE, ONE, True),
            ),
            wild,
        ),
        Scenario(
            "exactly at the bounds of price and size",
            "Is a bound itself allowed?",
            (
                *funded("alice", "bob", amount=20 * RICH),
                exactly("alice", "bob", ONE, 1_470 * ONE, (1, 1), 0),
                exactly("alice", "bob", ONE, 14_699 * ONE // 10, (1, 1), 1),
                c.Fill(
                    Order("bob", False, ONE, 1_530 * ONE, ONE, salt=2),
                    Order("alice", True, ONE, 1_530 * ONE, ONE, salt=2),
                    ONE,
                    1_530 * ONE,
                ),
                c.SetOracle(2_000 * ONE),
                c.AdjustLeverage("alice", 20 * ONE),
                exactly("alice", "bob", 98 * ONE - ONE // 2, 2_000 * ONE, (20, 1), 3),
                exactly("alice", "bob", ONE // 10, 2_000 * ONE, (20, 1), 4),
            ),
            published,
        ),
        Scenario(
            "exactly at the largest and the smallest price",
            "How far do prices reach?",
            (
                *money,
                *(c.SetOracle(price * ONE) for price in (190, 361, 650, 1_000)),
                meet("alice", "bob", 1, 1_000),
                *(c.SetOracle(price * ONE) for price in (100, 10, 1)),
                meet("cat", "dog", 1, 1),
            ),
            wild,
        ),
        Scenario(
            "too large at 1x",
            "How far may a position grow without leverage?",
            (
                *funded("alice", "bob", amount=10 * RICH),
                meet("alice", "bob", 40_000, 100),
                meet("alice", "bob", 10_000, 100, salt=1),
                exactly("alice", "bob", ONE // 10, 100 * ONE, (1, 1), 2),
            ),
            wild,
        ),
        Scenario(
            "exactly at twenty times leverage",
            "Is the bound on open interest itself allowed?",
            (
                *money,
                c.SetOracle(2_000 * ONE),
                exactly("alice", "bob", 100 * ONE, 2_000 * ONE, (20, 1), 0),
                exactly("alice", "bob", ONE // 100, 2_000 * ONE, (20, 1), 1),
            ),
            published,
        ),
    ]


def _refusals(wild: Terms, published: Terms) -> list[Scenario]:
    """Stories that meet, for certain, refusals which random commands meet seldom."""
    bid = Order("alice", True, ONE, 100 * ONE, ONE, salt=1)
    ask = Order("bob", False, ONE, 100 * ONE, ONE, salt=1)

    def fill(maker: Order, taker: Order = ask) -> c.Fill:
        return c.Fill(maker, taker, ONE, 100 * ONE)

    orders = (
        fill(evolve(bid, salt=9), evolve(ask, account="alice", salt=9)),
        fill(evolve(bid, forged=True)),
        fill(evolve(bid, expires=1)),
        fill(evolve(bid, leverage=0)),
        fill(evolve(bid, reduce_only=True)),
        fill(evolve(bid, trigger=200 * ONE)),
        fill(evolve(bid, price=99 * ONE)),
        fill(bid, evolve(ask, is_buy=True, leverage=2 * ONE)),
        fill(evolve(bid, salt=2), evolve(ask, price=0, salt=2)),
        fill(evolve(bid, salt=2), evolve(ask, salt=3)),
        fill(evolve(bid, salt=4, leverage=3 * ONE), evolve(ask, salt=4)),
        c.CancelOrder(evolve(bid, salt=5)),
        fill(evolve(bid, salt=5), evolve(ask, salt=5)),
    )
    return [
        Scenario(
            "orders that are not in order",
            "Which orders are not filled?",
            (*funded("alice", "bob"), *orders),
            wild,
        ),
        Scenario(
            "liquidations and deleveragings that are not in order",
            "Which are refused although they are due?",
            (
                *funded("alice", "bob", "cat", "dog", "eve"),
                meet("alice", "bob", 10, 100, (4, 1)),
                meet("cat", "dog", 10, 100, (1, 1)),
                c.SetOracle(70 * ONE),
                c.Liquidate("alice", "eve", 11 * ONE, ONE, True, True),
                c.Liquidate("alice", "eve", ONE, ONE, False),
                c.Liquidate("alice", "cat", ONE, 2 * ONE, True),
                c.Liquidate("alice", "eve", ONE, 0, True),
                c.Deleverage("alice", "bob", 11 * ONE, False, True),
                c.Deleverage("alice", "cat", ONE, False),
                c.Deleverage("alice", "bob", ONE, True),
                c.Deleverage("bob", "alice", ONE, True),
                c.Deleverage("alice", "eve", ONE, False),
                exactly("dog", "alice", ONE, 76 * ONE, (1, 4), 7),
            ),
            wild,
        ),
        Scenario(
            "funding that does not come out even",
            "Who gets the rest of a quantum?",
            (
                *funded("alice", "bob"),
                exactly("alice", "bob", 10_007 * 10**14, 100 * ONE, (3, 7), 0),
                c.Advance(HOUR),
                c.SetFunding(ONE // 777),
                c.Advance(HOUR + 13),
                c.SetFunding(0),
                c.AddMargin("alice", ONE),
                c.AddMargin("bob", ONE),
            ),
            wild,
        ),
        Scenario(
            "a rate too early, too large, twice",
            "When may the funding rate be set?",
            (
                c.SetFunding(0),
                c.Advance(HOUR),
                c.SetFunding(published.max_funding_rate + 1),
                c.SetFunding(published.max_funding_rate),
                c.SetFunding(0),
                c.SampleFunding(),
                c.SetFundingSource(True),
                c.SetFunding(0),
                c.SampleFunding(),
                c.Advance(HOUR),
                c.SampleFunding(),
                c.Advance(HOUR),
                c.SetFundingSource(True),
                c.SampleFunding(),
            ),
            published,
        ),
    ]


def _harvest(
    quantity: int = ONE // 10 + 10**14, price: int = 100 * ONE + 333_333 * 10**12
) -> list[c.Command]:
    """Open at a leverage whose inverse is not exact, and close again, many times."""
    price, number = price // 10**12 * 10**12, count(1)
    story: list[c.Command] = []
    for _ in range(40):
        story.append(exactly("alice", "bob", quantity, price, (7, 13), next(number)))
        story.append(exactly("bob", "alice", quantity, price, (13, 7), next(number)))
    return story


PROFILES: tuple[Callable[[str], Terms], ...] = (published_terms, wild_terms)
