"""Every number in the examples of the book, computed by the reference and looked for on its page.

What a test says is made of computed values, in the words of the page: neither can change alone.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from attrs import evolve

from perpref import machine
from perpref.machine import Deposit, Place, SetMark, SettleFunding, Unwind, Withdraw
from perpref.outcome import Cancelled, Event, Filled, Outcome, Paid, Refused, Rested
from perpref.rules import adl, fee, ledger, liquidation, loss, margin, position
from perpref.rules.margin import equity, health
from perpref.scheduler import queue
from perpref.state import TREASURY, VAULT, Exchange, Kind, Market, Position, Side
from perpref.units import AccountId, OrderId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    DAN,
    GOLD,
    OIL,
    buys,
    exchange,
    holds,
    market,
    rules,
)

SPEC = Path(__file__).parents[2] / "spec"

TERMS = rules(maker=100, taker=300, liquidation=5_000, funding_cap=10_000)
"""What spec/index.md says the examples are told with."""


@cache
def page(name: str) -> str:
    """A chapter with its line breaks undone and its thin spaces gone."""
    text = (SPEC / f"{name}.md").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", text.replace("\\,", " ").replace("−", "-"))


def says(name: str, *phrases: str) -> None:
    """Insist that the page says all this."""
    for phrase in phrases:
        assert re.sub(r"\s+", " ", phrase) in page(name), phrase


def n(number: int) -> str:
    """A number with commas, as in a table."""
    return f"{number:,}"


def at(mark: int, *orders: object, **rates: int) -> Market:
    return market(mark, *orders, **rates)  # type: ignore[arg-type]


def played(before: Exchange, *commands: machine.Command) -> tuple[Exchange, list[Event]]:
    """The exchange after commands that are all done, and the events of the last."""
    events: list[Event] = []
    for command in commands:
        outcome = machine.apply(before, command)
        assert isinstance(outcome, Outcome), outcome
        before, events = outcome.exchange, list(outcome.events)
    return before, events


def opened(mark: int = 1_000) -> Exchange:
    return machine.opened(TERMS, [(GOLD, at(mark)), (OIL, at(mark))])


def place(
    number: int, account: AccountId, side: Side, lots: int, price: int, kind: Kind = Kind.LIMIT
) -> Place:
    return Place(OrderId(number), account, GOLD, side, kind, lots, price)


def test_the_terms_are_the_ones_that_the_index_names() -> None:
    says(
        "index",
        f"a maker fee of {TERMS.maker_fee}, a taker fee of {TERMS.taker_fee} and a liquidation fee "
        f"of {n(TERMS.liquidation_fee)} parts per million, a funding cap of {n(TERMS.funding_cap)}",
    )


def test_position() -> None:
    long, profit = position.closed(Position(3, 301), 1, 110)
    released = 301 - long.cost
    short, lost = position.closed(Position(-3, -301), 1, 110)
    flipped, realised = position.traded(Position(3, 301), -5, 110)
    says(
        "position",
        rf"$r = \lceil 301/3 \rceil = {released}$, profit {profit}, and {long.size} lots with a "
        f"cost of {long.cost} stay.",
        rf"$r = \lceil -301/3 \rceil = {-301 - short.cost}$, profit ${lost}$, and {-short.size} "
        f"lots with a cost of ${short.cost}$ stay.",
        f"it realises {realised}, and a short of {-flipped.size} lots with a cost of "
        f"${flipped.cost}$ is left.",
    )


def test_margin() -> None:
    seven, listed = Position(7, 7_000), at(1_001)
    says(
        "margin",
        rf"$\lceil 350.35 \rceil = {margin.maintenance_margin(seven, listed)}$",
        rf"$\lceil 700.7 \rceil = {margin.initial_margin(seven, listed)}$",
    )
    for price, verdict in ((901, "it may"), (900, "refused: {refusal}`taker_cannot_bear`")):
        offers = buys(1, BOB, 4, price)
        before = exchange(
            {ANN: holds(1_000, (10, 10_000)), BOB: holds(9_000)},
            at(960, offers),
            rulebook=TERMS,
            last_order=1,
        )
        was = health(before, ANN)
        sold = machine.apply(before, place(2, ANN, Side.SELL, 4, price, Kind.IOC))
        assert isinstance(sold, Outcome) is (verdict == "it may")
        forced = ledger.fill(before, BOB, ANN, GOLD, 4, price, "BOOK-3")
        now = health(forced.then(fee.charge_taker, ANN, 4, price).exchange, ANN)
        says(
            "margin",
            f"| {price} | {now.equity} | {now.initial} | {now.maintenance} | "
            f"{n(now.equity * was.maintenance)} | {n(was.equity * now.maintenance)} | {verdict} |",
            f"its equity is {was.equity}, its maintenance margin {was.maintenance}, its initial "
            f"margin {was.initial}.",
        )


def test_fee() -> None:
    says("fee", rf"$\lceil 2.1021 \rceil = {fee.trading_fee(7, 1_001, 300)}$")
    before = exchange(
        {ANN: holds(1_000, (10, 10_000)), CY: holds(50_000)},
        at(940, buys(1, CY, 4, 930)),
        rulebook=TERMS,
        last_order=1,
    )
    price = liquidation.bankruptcy_price(before, ANN, GOLD)
    maker = before.markets[GOLD].orders[OrderId(1)]
    outcome = liquidation.liquidate(before, ANN, GOLD, maker)
    _, by_maker, by_ann = outcome.events
    assert isinstance(by_maker, Paid)
    assert isinstance(by_ann, Paid)
    left = equity(before, ANN) - 40
    says(
        "fee",
        f"with an equity of {equity(before, ANN)} at a mark of 940, so that $z = {price}$",
        rf"\lceil 18.6 \rceil = {fee.trading_fee(4, 930, 5_000)}$",
        rf"$4 \cdot 30 = {4 * (930 - price)}$; the equity left is {left}.",
        f"account 2 pays {by_ann.amount} to the vault",
        rf"the maker $\lceil 0.372 \rceil = {by_maker.amount}$ to the treasury",
    )
    assert equity(outcome.exchange, ANN) == left - by_ann.amount


def test_ledger_and_mark() -> None:
    traded, _ = played(
        opened(),
        Deposit(ANN, 5_000),
        Deposit(BOB, 5_000),
        place(1, ANN, Side.SELL, 4, 1_000),
        place(2, BOB, Side.BUY, 4, 1_000, Kind.IOC),
    )
    moved, _ = played(traded, SetMark(GOLD, 1_100))
    for when, now in (("the fill", traded), ("the mark", moved)):
        for account in (ANN, BOB):
            held = margin.position_of(now, account, GOLD)
            row = (
                now.accounts[account].collateral,
                held.size,
                held.cost,
                margin.unrealised_profit(now, account),
                health(now, account).initial,
                ledger.withdrawable(now, account),
            )
            first = when if account == ANN else ""
            says(
                "ledger",
                f"| {first} | {account} | {' | '.join(map(n, row))} |".replace("|  |", "| |"),
            )
        worth = [equity(now, account) for account in (TREASURY, ANN, BOB)]
        mark = now.markets[GOLD].mark
        total = sum(worth)
        says("mark", f"| {' | '.join(map(n, (mark, *worth, total, now.custody)))} |")
    free = ledger.withdrawable(moved, ANN)
    gone, _ = played(moved, Withdraw(ANN, free))
    says(
        "ledger",
        f"When 2 withdraws the {n(free)} that it may, custody falls from {n(moved.custody)} to "
        f"{n(gone.custody)}",
        f"$3 + ({gone.accounts[ANN].collateral} + 4000) + (4998 - 4000) = {gone.custody}$",
    )
    refused = machine.apply(moved, Withdraw(ANN, free + 1))
    assert isinstance(refused, Refused)


def test_funding() -> None:
    for rate in (125, -125):
        before = exchange(
            {
                ANN: holds(5_000, (-7, -7_000)),
                BOB: holds(5_000, (4, 4_000)),
                CY: holds(5_000, (3, 3_000)),
            },
            at(1_000),
            rulebook=TERMS,
        )
        after, _ = played(before, SettleFunding(GOLD, rate))
        paid = [
            before.accounts[who].collateral - after.accounts[who].collateral
            for who in (ANN, BOB, CY)
        ]
        kept = after.accounts[VAULT].collateral
        left = " | ".join(str(max(amount, 0)) for amount in paid)
        assert sum(paid) == kept
        says("funding", f"| {rate} | {left} | {kept} |")
    too_much = machine.apply(opened(), SettleFunding(GOLD, TERMS.funding_cap + 1))
    assert isinstance(too_much, Refused)
    says("funding", f"| {n(TERMS.funding_cap + 1)} | refused: {{refusal}}`{too_much.code}`")


def test_liquidation() -> None:
    prices = [
        liquidation.price_without(1_001, size, share) for share in (50, -50) for size in (7, -7)
    ]
    says(
        "liquidation",
        rf"$1001 - \lfloor 50/7 \rfloor = {prices[0]}$ and a short of 7 lots ${prices[1]}$.",
        f"$1001 + {prices[2] - 1_001} = {prices[2]}$ and the short ${prices[3]}$",
    )
    before = exchange(
        {ANN: holds(1_000, (10, 10_000)), CY: holds(50_000)},
        at(948, buys(1, ANN, 1, 800), buys(2, CY, 4, 930), buys(3, CY, 10, 890)),
        rulebook=TERMS,
        last_order=3,
    )
    fine = health(before, ANN)
    due = health(evolve(before, markets=before.markets.put(GOLD, at(940))), ANN)
    after, events = played(before, SetMark(GOLD, 940))
    _, cancelled, filled, maker_fee, taker_fee = events
    assert isinstance(cancelled, Cancelled)
    assert isinstance(filled, Filled)
    assert isinstance(maker_fee, Paid)
    assert isinstance(taker_fee, Paid)
    now = health(after, ANN)
    assert (cancelled.rule, cancelled.account) == ("LIQ-2", ANN)
    says(
        "liquidation",
        f"the equity of {fine.equity} covers the maintenance margin of {fine.maintenance}",
        f"an equity of {due.equity} against {due.maintenance}, so account 2 is due",
        f"{filled.lots} lots go to account 4 at {filled.price}; account 4 pays a fee of "
        f"{maker_fee.amount}, account 2 one of {taker_fee.amount}",
        f"Account 2 now has an equity of {now.equity} and needs {now.maintenance}.",
        f"keeps its {margin.position_of(after, ANN, GOLD).size} lots",
    )


def test_two_positions_share_one_equity() -> None:
    before = exchange(
        {ANN: holds(300, (10, 8_800), (-25, -5_500)), BOB: holds(0)},
        at(880),
        at(220),
        rulebook=TERMS,
    )
    shares = [liquidation.share_of_equity(before, ANN, m) for m in (GOLD, OIL)]
    prices = [liquidation.bankruptcy_price(before, ANN, m) for m in (GOLD, OIL)]
    closed = ledger.fill(before, BOB, ANN, GOLD, 10, prices[0], "LIQ-6").exchange
    again = liquidation.bankruptcy_price(closed, ANN, OIL)
    flat = ledger.fill(closed, ANN, BOB, OIL, 25, again, "LIQ-6").exchange
    says(
        "liquidation",
        rf"$\lfloor 300 \cdot 440 / 715 \rfloor = {shares[0]}$",
        rf"$\lfloor 300 \cdot 275 / 715 \rfloor = {shares[1]}$",
        f"$880 - {880 - prices[0]} = {prices[0]}$ and $220 + {prices[1] - 220} = {prices[1]}$",
        f"$300 - 180 = {equity(closed, ANN)}$",
        rf"$220 + \lfloor {equity(closed, ANN)}/25 \rfloor = {again}$",
        f"and {equity(flat, ANN)} quanta are left.",
    )


def test_vault() -> None:
    start, _ = played(
        opened(),
        Deposit(VAULT, 700),
        Deposit(ANN, 1_003),
        Deposit(BOB, 20_001),
        Deposit(CY, 20_000),
        place(1, BOB, Side.SELL, 10, 1_000),
        place(2, ANN, Side.BUY, 10, 1_000, Kind.IOC),
    )
    surplus = start.accounts[ANN].collateral - 1_000
    start, _ = played(start, Withdraw(ANN, surplus)) if surplus else (start, [])
    after, events = played(start, SetMark(GOLD, 880))
    taken, closed = (event for event in events if isinstance(event, Filled))
    held = taken.lots
    says(
        "vault",
        f"That allows {held} lots ({700 - 20 * held} against {88 * held}) and not {held + 1} "
        f"({700 - 20 * (held + 1)} against {88 * (held + 1)}). It takes {held}; the remaining "
        f"{closed.lots} are closed against account 3, also at {closed.price}.",
        f"Account 2 is flat with {equity(after, ANN)}.",
    )
    assert taken.price == closed.price
    sold, events = played(
        after,
        SetMark(GOLD, 950),
        place(3, CY, Side.BUY, 3, 955),
        place(4, CY, Side.BUY, 5, 945),
        Unwind(GOLD, OrderId(5)),
    )
    filled = next(event for event in events if isinstance(event, Filled))
    paid = next(event for event in events if isinstance(event, Paid) and event.payer == VAULT)
    gone = next(event for event in events if isinstance(event, Cancelled))
    vault = sold.accounts[VAULT]
    says(
        "vault",
        f"it sells {filled.lots} lots at {filled.price} and pays a fee of {paid.amount}",
        f"the other {gone.lots} lots of its order",
        f"It has {vault.collateral} quanta, {vault.positions[GOLD].size} lots that cost "
        f"{n(vault.positions[GOLD].cost)}, and an equity of {n(equity(sold, VAULT))}",
        f"richer by {equity(sold, VAULT) - 700}.",
    )


def test_adl() -> None:
    before = exchange(
        {
            ANN: holds(1_000, (10, 10_000)),
            BOB: holds(400, (-4, -4_000)),
            CY: holds(3_000, (-8, -8_000)),
            DAN: holds(5_000, (2, 2_000)),
        },
        at(880),
        rulebook=TERMS,
    )
    price = liquidation.bankruptcy_price(before, ANN, GOLD)
    says("adl", f"equity of ${equity(before, ANN)}$", rf"\rfloor = {price}$: whoever is closed")
    assert queue(before, ANN, GOLD) == [BOB, CY]
    for account, shown in ((BOB, "0.12 \\cdot 4 = 0.48"), (CY, "0.12 \\cdot 1.78 = 0.21")):
        one = adl.standing(before, account, GOLD)
        held = margin.position_of(before, account, GOLD)
        over, under = adl.score(one, TERMS.deleverage_ranking)
        assert f"{over / under:.2f}" == shown.split()[-1]
        per_lot = price - 880
        could = equity(before, account) // per_lot
        row = (account, held.size, one.profit, held.cost, one.notional, one.equity)
        bears = adl.bearable(before, account=ANN, counterparty=account, market=GOLD)
        says("adl", f"| {' | '.join(map(n, row))} | ${shown}$ | {could}, so {bears} |")
    after, events = played(before, SetMark(GOLD, 880))
    first, second = (event for event in events if isinstance(event, Filled))
    assert (first.buyer, second.buyer) == (BOB, CY)
    left = -margin.position_of(after, CY, GOLD).size
    gave = [equity(before, who) - equity(after, who) for who in (BOB, CY)]
    says(
        "adl",
        f"It goes first: {first.lots} lots at {first.price}. The remaining {second.lots} are "
        f"closed against account 4, which keeps {left}.",
        f"Account 3 has {equity(after, BOB)} and account 4 an equity of {n(equity(after, CY))} "
        f"left, where both had {gave[0]} and {gave[1]} more; account 2 has exactly "
        f"{equity(after, ANN)}.",
    )


def test_loss() -> None:
    weights, deficit, shares = [7, 5, 3, 1], 10, []
    for place_, weight in enumerate(weights):
        shares.append(loss.share_of_loss(deficit, weight, sum(weights[place_:])))
        deficit -= shares[-1]
    says("loss", "is shared as {}, {}, {} and {}.".format(*shares))
    before = exchange(
        {
            TREASURY: holds(12),
            ANN: holds(3_000, (10, 10_000), (100, 20_000)),
            BOB: holds(1_000, (-10, -10_000)),
            CY: holds(4_000, (0, 0), (-100, -20_000)),
            DAN: holds(2_000),
        },
        at(1_000),
        at(200),
        rulebook=TERMS,
    )
    after, events = played(before, SetMark(OIL, 140))
    by_rule = {
        rule: [event for event in events if getattr(event, "rule", "") == rule]
        for rule in ("ADL-3", "LOSS-1", "LOSS-3")
    }
    oil, gold = by_rule["ADL-3"]
    (rest,) = by_rule["LOSS-1"]
    assert isinstance(oil, Filled)
    assert isinstance(gold, Filled)
    assert isinstance(rest, Filled)
    paid = [event for event in by_rule["LOSS-3"] if isinstance(event, Paid)]
    amounts = [event.amount for event in paid]
    assert [event.payer for event in paid] == [CY, DAN, BOB]
    says(
        "loss",
        f"$140 + {oil.price - 140} = {oil.price}$, at which account 4 can bear all {oil.lots} lots",
        f"the bankruptcy price is $1000 + {gold.price - 1_000} = {gold.price}$.",
        rf"$\lfloor 1000/120 \rfloor = {gold.lots}$",
        f"The last {rest.lots} lots are closed against account 3 at the mark of {n(rest.price)}.",
        f"Account 2 owes {sum(amounts)}.",
        rf"= {amounts[0]}$, account 5 (2,000) pays",
        rf"= {amounts[1]}$, account 3 (40) pays",
        rf"= {amounts[2]}$, and the treasury is not asked any more.",
        f"The pot holds {n(after.custody)} before and after.",
        f"Account 5 traded nothing, and has paid {2_000 - equity(after, DAN)}.",
    )
    assert before.custody == after.custody


def test_book() -> None:
    start, _ = played(
        opened(),
        *(Deposit(who, 50 if who == BOB else 5_000) for who in (ANN, BOB, CY, DAN)),
        place(1, ANN, Side.SELL, 5, 1_002),
        place(2, BOB, Side.SELL, 5, 1_001),
        place(3, CY, Side.SELL, 3, 1_002),
        place(4, DAN, Side.SELL, 2, 1_002),
    )
    refused = machine.apply(start, place(5, CY, Side.BUY, 9, 1_002, Kind.POST_ONLY))
    assert isinstance(refused, Refused)
    says("book", f"A post-only bid at 1,002 is refused ({{refusal}}`{refused.code}`)")
    _, events = played(start, place(5, CY, Side.BUY, 9, 1_002))
    poor, first, taker, maker, own, second, other, last, rests = events
    assert isinstance(poor, Cancelled)
    assert isinstance(first, Filled)
    assert isinstance(taker, Paid)
    assert isinstance(maker, Paid)
    assert isinstance(own, Cancelled)
    assert isinstance(second, Filled)
    assert isinstance(other, Paid)
    assert isinstance(last, Paid)
    assert isinstance(rests, Rested)
    assert other.amount == last.amount
    says(
        "book",
        f"| order {poor.order} is cancelled with its {poor.lots} lots |",
        f"| {first.lots} lots from account {first.seller} at {n(first.price)}; {taker.payer} pays "
        f"a fee of {taker.amount}, then {maker.payer} a fee of {maker.amount} |",
        f"| order {own.order} is cancelled with its {own.lots} lots |",
        f"| {second.lots} lots from account {second.seller} at {n(second.price)}; each pays a fee "
        f"of {other.amount} |",
        f"| order {rests.order.id} rests with {rests.order.lots} lots at {n(rests.order.price)} |",
    )
