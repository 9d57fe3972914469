"""Stories that aim at the laws under the terms of a published deployment, and no others.

A break under the terms of test tables, where funding may be a thousandfold and fees are percents,
could be a break of the terms. These stories show which breaks need no such terms: rates, fees,
bounds, leverages and open interest are those of the deployment file, the oracle starts at 1,500.
"""

from __future__ import annotations

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.commands import ONE, Order
from perpref.adapters.bluefin.staging import HOUR, Scenario, exactly, funded
from perpref.adapters.bluefin.terms import published_terms

TOP_RATE = ONE // 1_000
"""The largest funding rate per hour that the deployment allows."""


def deployment_scenarios(build: str) -> list[Scenario]:
    """Every such story that is played on a build."""
    published = published_terms(build)
    told: list[Scenario] = []

    def tell(name: str, asks: str, *commands: c.Command) -> None:
        told.append(Scenario(name, asks, commands, published))

    money = funded("alice", "bob", "cat", "dog", "eve", amount=200_000)
    # Longs at 20x have 75 of margin per unit, and are bankrupt at 1,425.
    thin = (*money, exactly("alice", "bob", 10 * ONE, 1_500 * ONE, (20, 1), 0))
    tell(
        "a deployment: liquidating oneself",
        "What does an account gain that liquidates itself?",
        *thin,
        c.SetOracle(1_467 * ONE),
        c.Liquidate("alice", "alice", 10 * ONE, 20 * ONE, True),
        c.Liquidate("alice", "alice", 10 * ONE, 20 * ONE, True),
    )
    tell(
        "a deployment: two orders of one side",
        "Do positions balance when the operator matches two buyers?",
        *money,
        c.Fill(
            Order("alice", True, ONE, 1_500 * ONE, ONE),
            Order("bob", True, ONE, 1_500 * ONE, ONE),
            ONE,
            1_500 * ONE,
        ),
    )
    tell(
        "a deployment: bad debt at delisting",
        "Who is paid when the market ends with a position under water?",
        *thin,
        exactly("alice", "cat", 10 * ONE, 1_500 * ONE, (20, 1), 1),
        c.SetOracle(1_300 * ONE),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("bob"),
        c.ClosePosition("cat"),
        c.ClosePosition("alice"),
    )
    tell(
        "a deployment: funding that runs on after delisting",
        "Is funding still zero-sum when one side has left?",
        *thin,
        exactly("cat", "dog", 10 * ONE, 1_500 * ONE, (1, 1), 1),
        c.Advance(HOUR),
        c.SetFunding(TOP_RATE),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("alice"),
        c.ClosePosition("cat"),
        c.Advance(24 * HOUR),
        c.SetFunding(0),
        c.ClosePosition("bob"),
        c.ClosePosition("dog"),
    )
    tell(
        "a deployment: a winner that owes more funding than margin, at delisting",
        "Can a winner get out after delisting that owes more funding than it has margin?",
        *thin,
        c.Advance(HOUR),
        c.SetFunding(TOP_RATE),
        c.Advance(55 * HOUR),
        c.SetFunding(0),
        c.SetOracle(1_600 * ONE),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("alice"),
        c.ClosePosition("bob"),
    )
    # A short at 20x owes 1,575 of margin and entry value per unit after 1,050 hours.
    tell(
        "a deployment: funding beyond margin and entry value, then deleveraging",
        "Who pays the funding that a short is let off?",
        *money,
        exactly("bob", "alice", 10 * ONE, 1_500 * ONE, (1, 20), 0),
        exactly("cat", "dog", 10 * ONE, 1_500 * ONE, (1, 1), 1),
        c.Advance(HOUR),
        c.SetFunding(-TOP_RATE),
        c.Advance(1_200 * HOUR),
        c.SetFunding(0),
        c.Deleverage("alice", "cat", 10 * ONE, True, True),
    )
    tell(
        "a deployment: a position without entry value at delisting",
        "Can a short whose entry value funding has eaten be closed after delisting?",
        *money,
        exactly("bob", "alice", 10 * ONE, 1_500 * ONE, (1, 2), 0),
        exactly("cat", "dog", 10 * ONE, 1_500 * ONE, (1, 1), 1),
        c.Advance(HOUR),
        c.SetFunding(-TOP_RATE),
        c.Advance(1_200 * HOUR),
        c.SetFunding(0),
        c.Deleverage("alice", "cat", 5 * ONE, True, True),
        c.SetOracle(750 * ONE),
        c.SetOracle(700 * ONE),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("alice"),
    )
    tell(
        "a deployment: a winner takes profit that the loser cannot pay",
        "Can a winner leave at the market while the loser is under water?",
        *money,
        exactly("bob", "alice", 10 * ONE, 1_500 * ONE, (20, 20), 0),
        c.SetOracle(1_725 * ONE),
        c.CollectFees(),
        exactly("eve", "bob", 10 * ONE, 1_725 * ONE, (20, 20), 1),
        c.Deleverage("alice", "bob", 10 * ONE, True),
    )
    # At 1,658.1 the winner's profit is just more than what both sides and the buyer put in.
    tell(
        "a deployment: a winner is paid out of accrued fees",
        "Are the fees that accrued in the perpetual safe from it, and can others still leave?",
        *money,
        exactly("bob", "alice", 10 * ONE, 1_500 * ONE, (20, 20), 0),
        c.SetOracle(16_581 * ONE // 10),
        exactly("eve", "bob", 10 * ONE, 16_581 * ONE // 10, (20, 20), 1),
        c.CollectFees(),
        c.Delist(0, c.ANY_PRICE),
        c.ClosePosition("eve"),
    )
    # The short's margin runs out 0.00009 per unit below the long's bankruptcy price of 1,425.
    tell(
        "a deployment: the tolerance of deleveraging",
        "What does a counterparty get away with that loses a little more than its margin?",
        *money,
        exactly("alice", "bob", 100 * ONE, 1_500 * ONE, (20, 1), 0),
        c.SetOracle(13_571 * ONE // 10),
        exactly("dog", "cat", 100 * ONE, 13_571 * ONE // 10, (1, 20), 1),
        c.AddMargin("cat", 4_491 * ONE // 1_000),
        c.Deleverage("alice", "cat", 100 * ONE, False, True),
    )
    tell(
        "a deployment: leverage beyond the list of bounds",
        "How far may a position grow at a leverage that initial margin allows and no bound names?",
        *funded("alice", "bob", amount=400_000),
        exactly("alice", "bob", 100 * ONE, 1_500 * ONE, (21, 1), 0),
        exactly("alice", "bob", 100 * ONE, 1_500 * ONE, (21, 1), 1),
    )
    return told
