"""Every number in the examples of the book, computed by the reference and looked for on its page.

What a test says is made of the values that it sets up and computes, in the words of the page:
neither can change alone. The last test asks whether any number of an example was left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal
from functools import cache
from pathlib import Path

from attrs import evolve

from perpref import machine
from perpref.allotment import allotted
from perpref.machine import Deposit, Place, SetMark, SettleFunding, Unwind, Withdraw
from perpref.outcome import Cancelled, Event, Filled, Outcome, Paid, Refused, Rested
from perpref.rules import (
    adl,
    fee,
    funding,
    ledger,
    liquidation,
    liquidation_equity,
    loss,
    margin,
    position,
)
from perpref.rules.adl_sharing import Claim
from perpref.rules.margin import equity, health
from perpref.scheduler import queue
from perpref.state import TREASURY, VAULT, BankruptcyPrice, Exchange, Kind, Market, Position, Side
from perpref.table import Table
from perpref.units import AccountId, MarketId, OrderId, Rounding
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


COVERED: dict[str, list[str]] = defaultdict(list)
"""By page, what the tests looked for."""


@cache
def page(name: str) -> str:
    """A chapter with its line breaks undone and its thin spaces gone."""
    text = (SPEC / f"{name}.md").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", text.replace("\\,", " ").replace("−", "-"))


def says(name: str, *phrases: str) -> None:
    """Insist that the page says all this."""
    for phrase in phrases:
        plain = re.sub(r"\s+", " ", phrase)
        assert plain in page(name), plain
        COVERED[name].append(plain)


def n(number: int) -> str:
    """A number with commas, as in a table."""
    return f"{number:,}"


def at(mark: int, *orders: object, **rates: int) -> Market:
    return market(mark, *orders, **rates)  # type: ignore[arg-type]


def size(exchange: Exchange, account: AccountId, market: MarketId = GOLD) -> int:
    return margin.position_of(exchange, account, market).size


def cost(exchange: Exchange, account: AccountId, market: MarketId = GOLD) -> int:
    return margin.position_of(exchange, account, market).cost


def cash(exchange: Exchange, account: AccountId) -> int:
    return exchange.accounts[account].collateral


def mark_of(exchange: Exchange, market: MarketId = GOLD) -> int:
    return exchange.markets[market].mark


def exact(number: int, parts: int) -> str:
    """A number of parts, as a decimal without zeros at its end."""
    return f"{Decimal(number) / parts:f}".rstrip("0").rstrip(".")


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
    assert TERMS.vault_boundary == 0
    assert (at(1).initial_rate, at(1).maintenance_rate) == (100_000, 50_000)


def test_position() -> None:
    lots, price = 1, 110
    for side, held in (("long", Position(3, 301)), ("short", Position(-3, -301))):
        left, profit = position.closed(held, lots, price)
        released = f"\\lceil {held.cost}/{abs(held.size)} \\rceil = {held.cost - left.cost}"
        signed = [f"${x}$" if x < 0 else str(x) for x in (held.cost, profit, left.cost)]
        says(
            "position",
            f"A {side} of {abs(held.size)} lots with a cost of {signed[0]} closes {lots} lot at "
            f"{price}: $r = {released}$, profit {signed[1]}, and {abs(left.size)} lots with a cost "
            f"of {signed[2]} stay.",
        )
    held, sold = Position(3, 301), 5
    flipped, realised = position.traded(held, -sold, price)
    says(
        "position",
        f"A long of {held.size} lots with a cost of {held.cost} sells {sold} lots at {price}: it "
        f"realises {realised}, and a short of {-flipped.size} lots with a cost of "
        f"${flipped.cost}$ is left.",
    )


def test_margin() -> None:
    lots, listed = 7, at(1_001)
    held = Position(lots, 7_000)
    for rate, needs in (
        (listed.maintenance_rate, margin.maintenance_margin(held, listed)),
        (listed.initial_rate, margin.initial_margin(held, listed)),
    ):
        unrounded = exact(lots * listed.mark * rate, 10**6)
        says(
            "margin",
            f"{lots} lots at a mark of {n(listed.mark)} and a rate of {n(rate)} need "
            rf"$\lceil {unrounded} \rceil = {needs}$.",
        )
    sells = 4
    for price, verdict in ((901, "it may"), (900, "refused: {refusal}`taker_cannot_bear`")):
        offers = buys(1, BOB, sells, price)
        before = exchange(
            {ANN: holds(1_000, (10, 10_000)), BOB: holds(9_000)},
            at(960, offers),
            rulebook=TERMS,
            last_order=1,
        )
        was = health(before, ANN)
        sold = machine.apply(before, place(2, ANN, Side.SELL, sells, price, Kind.IOC))
        assert isinstance(sold, Outcome) is (verdict == "it may")
        forced = ledger.fill(before, BOB, ANN, GOLD, sells, price, "BOOK-3")
        now = health(forced.then(fee.charge_taker, ANN, sells, price).exchange, ANN)
        says(
            "margin",
            f"| {price} | {now.equity} | {now.initial} | {now.maintenance} | "
            f"{n(now.equity * was.maintenance)} | {n(was.equity * now.maintenance)} | {verdict} |",
            f"An account with a collateral of {n(cash(before, ANN))} holds {size(before, ANN)} "
            f"lots that cost {n(cost(before, ANN))}. At a mark of {mark_of(before)} its equity is "
            f"{was.equity}, its maintenance margin {was.maintenance}, its initial margin "
            f"{was.initial}. It is not due, but it cannot open anything. It sells {sells} lots as "
            f"a taker, for a fee of {fee.trading_fee(sells, price, TERMS.taker_fee)}:",
        )
        assert was.initial > was.equity >= was.maintenance


def test_fee() -> None:
    lots, price, rate = 7, 1_001, 300
    says(
        "fee",
        f"{lots} lots at {n(price)} and a rate of {rate} cost "
        rf"$\lceil {exact(lots * price * rate, 10**6)} \rceil = "
        f"{fee.trading_fee(lots, price, rate)}$.",
    )
    before = exchange(
        {ANN: holds(1_000, (10, 10_000)), CY: holds(50_000)},
        at(940, buys(1, CY, 4, 930)),
        rulebook=TERMS,
        last_order=1,
    )
    bankrupt = liquidation.bankruptcy_price(before, ANN, GOLD)
    maker = before.markets[GOLD].orders[OrderId(1)]
    outcome = liquidation.liquidate(before, ANN, GOLD, maker)
    filled, by_maker, by_ann = outcome.events
    assert isinstance(filled, Filled)
    assert isinstance(by_maker, Paid)
    assert isinstance(by_ann, Paid)
    assert (by_maker.payer, by_maker.payee, by_ann.payer, by_ann.payee) == (
        CY,
        TREASURY,
        ANN,
        VAULT,
    )
    lots, price, rate = filled.lots, filled.price, TERMS.liquidation_fee
    lost = (mark_of(before) - price) * lots
    left = equity(before, ANN) - lost
    says(
        "fee",
        f"Account {ANN} is long by {size(before, ANN)} lots and due, with an equity of "
        f"{equity(before, ANN)} at a mark of {mark_of(before)}, so that $z = {bankrupt}$",
        f"The book takes {lots} of its lots at {price}, which costs it {lost} against the mark. "
        rf"The fee at a rate of {n(rate)} would be $\lceil {lots} \cdot {price} \cdot {rate} / D "
        rf"\rceil = \lceil {exact(lots * price * rate, 10**6)} \rceil = "
        f"{fee.trading_fee(lots, price, rate)}$",
        rf"the fill beat the bankruptcy price by ${lots} \cdot {price - bankrupt} = "
        f"{lots * (price - bankrupt)}$; the equity left is {left}. So account {ANN} pays "
        f"{by_ann.amount} to the vault, and the maker "
        rf"$\lceil {exact(lots * price * TERMS.maker_fee, 10**6)} \rceil = {by_maker.amount}$ to "
        "the treasury",
    )
    assert equity(outcome.exchange, ANN) == left - by_ann.amount


def test_ledger_and_mark() -> None:
    brought, lots, first, second = 5_000, 4, 1_000, 1_100
    traded, _ = played(
        opened(first),
        Deposit(ANN, brought),
        Deposit(BOB, brought),
        place(1, ANN, Side.SELL, lots, first),
        place(2, BOB, Side.BUY, lots, first, Kind.IOC),
    )
    moved, _ = played(traded, SetMark(GOLD, second))
    says(
        "ledger",
        f"Accounts {ANN} and {BOB} deposit {n(brought)} each. {BOB} buys {lots} lots from a "
        f"resting order of {ANN}, both at the mark of {n(first)}; then the mark moves to "
        f"{n(second)}. The treasury has the fees of {cash(traded, TREASURY)}.",
    )
    for when, now in (("the fill", traded), ("the mark", moved)):
        for account in (ANN, BOB):
            held = margin.position_of(now, account, GOLD)
            row = (
                cash(now, account),
                held.size,
                held.cost,
                margin.unrealised_profit(now, account),
                health(now, account).initial,
                ledger.withdrawable(now, account),
            )
            label = when if account == ANN else ""
            says(
                "ledger",
                f"| {label} | {account} | {' | '.join(map(n, row))} |".replace("|  |", "| |"),
            )
        worth = [equity(now, account) for account in (TREASURY, ANN, BOB)]
        total = sum(worth)
        says("mark", f"| {' | '.join(map(n, (mark_of(now), *worth, total, now.custody)))} |")
    gained = equity(moved, BOB) - equity(traded, BOB)
    says(
        "mark",
        f"the mark moves from {n(first)} to {n(second)} while account {ANN} is short and account "
        rf"{BOB} long by {lots} lots. Equity moves by ${lots} \cdot {gained // lots}$ from one to "
        "the other",
        f"| mark | treasury | account {ANN} | account {BOB} | sum of equities | custody |",
    )
    assert equity(moved, ANN) == equity(traded, ANN) - gained
    free = ledger.withdrawable(moved, ANN)
    gone, _ = played(moved, Withdraw(ANN, free))
    says(
        "ledger",
        f"Account {BOB} is richer by {gained} and may take out less than before: its profit is "
        f"account {ANN}'s collateral.",
        f"When {ANN} withdraws the {n(free)} that it may, custody falls from {n(moved.custody)} to "
        f"{n(gone.custody)}, and the law holds: ${cash(gone, TREASURY)} + ({cash(gone, ANN)} + "
        f"{-cost(gone, ANN)}) + ({cash(gone, BOB)} - {cost(gone, BOB)}) = {gone.custody}$",
    )
    assert ledger.withdrawable(moved, BOB) < ledger.withdrawable(traded, BOB)
    refused = machine.apply(moved, Withdraw(ANN, free + 1))
    assert isinstance(refused, Refused)


def test_funding() -> None:
    before = exchange(
        {
            ANN: holds(5_000, (-7, -7_000)),
            BOB: holds(5_000, (4, 4_000)),
            CY: holds(5_000, (3, 3_000)),
        },
        at(1_000),
        rulebook=TERMS,
    )
    everybody = (ANN, BOB, CY)
    lots = [abs(size(before, who)) for who in everybody]
    for rate in (125, -125):
        after, _ = played(before, SettleFunding(GOLD, rate))
        paid = [cash(before, who) - cash(after, who) for who in everybody]
        kept = cash(after, VAULT)
        left = " | ".join(str(max(amount, 0)) for amount in paid)
        assert sum(paid) == kept
        says("funding", f"| {rate} | {left} | {kept} |")
    shares = [f"${exact(of * mark_of(before) * 125, 10**6)}$" for of in lots]
    says(
        "funding",
        f"At a mark of {n(mark_of(before))}, account {ANN} is short by {lots[0]} lots, account "
        f"{BOB} long by {lots[1]} and account {CY} long by {lots[2]}. A rate of 125 makes "
        f"{shares[0]}, {shares[1]} and {shares[2]} quanta.",
        f"| rate | {ANN} pays | {BOB} pays | {CY} pays | left with the vault |",
    )
    too_much = machine.apply(opened(), SettleFunding(GOLD, TERMS.funding_cap + 1))
    assert isinstance(too_much, Refused)
    says(
        "funding",
        f"| {n(TERMS.funding_cap + 1)} | refused: {{refusal}}`{too_much.code}` (the cap is "
        f"{n(TERMS.funding_cap)}) |",
    )


def test_what_one_position_pays() -> None:
    mark, rate, lots = 1_001, 125, 7
    unrounded = exact(lots * mark * rate, 10**6)
    pays, receives = (funding.funding_due(of, mark, rate) for of in (lots, -lots))
    says(
        "funding",
        f"At a mark of {n(mark)} and a rate of {rate} a long of {lots} lots pays "
        rf"$\lceil {unrounded} \rceil = {pays}$, and a short of {lots} lots receives "
        rf"$-\lceil -{unrounded} \rceil = {-receives}$.",
    )


def test_the_surplus() -> None:
    better, charge, left, less, part = 30, 10, 60, 15, 500_000
    more, least = (fee.surplus_taken(part, better - charge, has - charge) for has in (left, less))
    says(
        "fee",
        f"A fill beats the bankruptcy price by {better}, the fee takes {charge}, and the equity "
        f"left is {left}. With {n(part)} the vault gets ${charge} + {more}$; if only {less} were "
        f"left, ${charge} + {least}$.",
    )


def test_the_margin_of_an_entry() -> None:
    lots, entry, rate, mark, later, has = 10, 100, 100_000, 92, 94, 15
    paid = lots * entry
    initial = liquidation_equity.margin_of_entry(0, paid, rate)
    own = liquidation_equity.margin_of_entry(lots * mark - paid, paid, rate)
    price = liquidation.price_without(mark, lots, own)
    again = liquidation_equity.margin_of_entry(lots * later - paid, paid, rate)
    assert liquidation.price_without(later, lots, again) == price == entry - entry // 10
    behind = liquidation_equity.equity_behind(
        BankruptcyPrice.ENTRY, has, 1, 1, lots * mark - paid, paid, rate
    )
    poorer = liquidation.price_without(mark, lots, behind)
    says(
        "liquidation",
        f"{lots} lots are bought at {entry}, at an initial rate of {n(rate)}: a margin of "
        f"{initial}. At a mark of {mark} there are "
        f"$i = {lots * mark} - {paid} + {initial} = {own}$ left, and the bankruptcy price is "
        f"${mark} - {mark - price} = {price}$, which is the entry less a tenth; it is {price} at "
        f"a mark of {later}, too. An account with an equity of {has} has the bankruptcy price "
        f"${mark} - {mark - poorer} = {poorer}$.",
    )


def test_the_bankruptcy_price() -> None:
    mark, share, lots = 1_001, 50, 7
    prices = [
        liquidation.price_without(mark, of, behind)
        for behind in (share, -share)
        for of in (lots, -lots)
    ]
    says(
        "liquidation",
        f"At a mark of {n(mark)}, with {share} quanta behind it, a long of {lots} lots has the "
        rf"bankruptcy price ${mark} - \lfloor {share}/{lots} \rfloor = {prices[0]}$ and a short of "
        f"{lots} lots ${prices[1]}$. With $-{share}$ behind it the long has "
        f"${mark} + {prices[2] - mark} = {prices[2]}$ and the short ${prices[3]}$",
    )


def test_liquidation() -> None:
    before = exchange(
        {ANN: holds(1_000, (10, 10_000)), CY: holds(50_000)},
        at(948, buys(1, ANN, 1, 800), buys(2, CY, 4, 930), buys(3, CY, 10, 890)),
        rulebook=TERMS,
        last_order=3,
    )
    own, near, far = (order for _, order in sorted(before.markets[GOLD].orders.items()))
    falls = 940
    fine = health(before, ANN)
    fallen = evolve(before, markets=before.markets.put(GOLD, evolve(at(falls), orders=Table([]))))
    due = health(fallen, ANN)
    bankrupt = liquidation.bankruptcy_price(fallen, ANN, GOLD)
    after, events = played(before, SetMark(GOLD, falls))
    _, cancelled, filled, maker_fee, taker_fee = events
    assert isinstance(cancelled, Cancelled)
    assert isinstance(filled, Filled)
    assert isinstance(maker_fee, Paid)
    assert isinstance(taker_fee, Paid)
    now = health(after, ANN)
    assert (cancelled.rule, cancelled.account) == ("LIQ-2", ANN)
    assert now.equity >= now.maintenance
    lots = size(before, ANN)
    says(
        "liquidation",
        f"Account {ANN} is long by {lots} lots that cost {n(cost(before, ANN))}, with a collateral "
        f"of {n(cash(before, ANN))} and an order to buy {own.lots} lot at {own.price}. Account "
        f"{CY} bids {near.price} for {near.lots} lots and {far.price} for {far.lots}. At a mark of "
        f"{mark_of(before)} the equity of {fine.equity} covers the maintenance margin of "
        f"{fine.maintenance}. The mark moves to {falls}: an equity of {due.equity} against "
        f"{due.maintenance}, so account {ANN} is due. The bankruptcy price is "
        rf"${falls} - \lfloor {due.equity}/{lots} \rfloor = {bankrupt}$.",
        f"1. Its order to buy is cancelled ({{rule}}`{cancelled.rule}`). 2. {filled.lots} lots go "
        f"to account {CY} at {filled.price}; account {CY} pays a fee of {maker_fee.amount}, "
        f"account {ANN} one of {taker_fee.amount} (worked out in [Fee](fee.md)). 3. Account {ANN} "
        f"now has an equity of {now.equity} and needs {now.maintenance}. It is no longer due, and "
        f"keeps its {size(after, ANN)} lots.",
    )


def test_two_positions_share_one_equity() -> None:
    before = exchange(
        {ANN: holds(300, (10, 8_800), (-25, -5_500)), BOB: holds(0)},
        at(880),
        at(220),
        rulebook=TERMS,
    )
    markets = (GOLD, OIL)
    marks = [mark_of(before, m) for m in markets]
    worth = equity(before, ANN)
    needs = [
        margin.maintenance_margin(margin.position_of(before, ANN, m), before.markets[m])
        for m in markets
    ]
    shares = [liquidation.share_of_equity(before, ANN, m) for m in markets]
    prices = [liquidation.bankruptcy_price(before, ANN, m) for m in markets]
    long, short = size(before, ANN, GOLD), -size(before, ANN, OIL)
    closed = ledger.fill(before, BOB, ANN, GOLD, long, prices[0], "LIQ-6").exchange
    then = equity(closed, ANN)
    again = liquidation.bankruptcy_price(closed, ANN, OIL)
    flat = ledger.fill(closed, ANN, BOB, OIL, short, again, "LIQ-6").exchange
    assert again == prices[1]
    says(
        "liquidation",
        f"an account with an equity of {worth} is long by {long} lots at a mark of {marks[0]} "
        f"(maintenance margin {needs[0]}) and, in another market, short by {short} lots at a mark "
        rf"of {marks[1]} ({needs[1]}). The shares are $\lfloor {worth} \cdot {needs[0]} / "
        rf"{sum(needs)} \rfloor = {shares[0]}$ and $\lfloor {worth} \cdot {needs[1]} / "
        rf"{sum(needs)} \rfloor = {shares[1]}$; the bankruptcy prices ${marks[0]} - "
        f"{marks[0] - prices[0]} = {prices[0]}$ and ${marks[1]} + {prices[1] - marks[1]} = "
        f"{prices[1]}$.",
        f"It is closed in full at {prices[0]} and leaves an equity of "
        f"${worth} - {worth - then} = {then}$, all of which now stands behind the second: its "
        rf"bankruptcy price is still ${marks[1]} + \lfloor {then}/{short} \rfloor = {again}$, and "
        f"{equity(flat, ANN)} quanta are left.",
    )


def test_vault() -> None:
    brought, lots, price, falls, rises = 700, 10, 1_000, 880, 950
    start, _ = played(
        opened(price),
        Deposit(VAULT, brought),
        Deposit(ANN, 1_003),
        Deposit(BOB, 20_001),
        Deposit(CY, 20_000),
        place(1, BOB, Side.SELL, lots, price),
        place(2, ANN, Side.BUY, lots, price, Kind.IOC),
    )
    fallen = evolve(start, markets=start.markets.put(GOLD, at(falls)))
    bankrupt = liquidation.bankruptcy_price(fallen, ANN, GOLD)
    worse, needs = bankrupt - falls, falls * at(falls).initial_rate // 10**6
    after, events = played(start, SetMark(GOLD, falls))
    taken, closed = (event for event in events if isinstance(event, Filled))
    held = taken.lots
    assert closed.seller == ANN
    assert closed.buyer == BOB
    says(
        "vault",
        f"The vault has {cash(start, VAULT)} quanta. Account {ANN} is long by {size(start, ANN)} "
        f"lots that cost {n(cost(start, ANN))}, with a collateral of {n(cash(start, ANN))}, and "
        f"account {BOB} is short by them. The mark falls to {falls} and the book is empty: account "
        f"{ANN} has an equity of ${equity(fallen, ANN)}$, its bankruptcy price is {taken.price}.",
        f"With $n$ lots bought at {bankrupt} the vault has an equity of ${brought} - {worse} n$ "
        f"and needs an initial margin of ${needs} n$. That allows {held} lots "
        f"({brought - worse * held} against {needs * held}) and not {held + 1} "
        f"({brought - worse * (held + 1)} against {needs * (held + 1)}). It takes {held}; the "
        f"remaining {closed.lots} are closed against account {BOB}, also at {closed.price}. "
        f"Account {ANN} is flat with {equity(after, ANN)}.",
    )
    best, low = (3, 955), (5, 945)
    sold, events = played(
        after,
        SetMark(GOLD, rises),
        place(3, CY, Side.BUY, *best),
        place(4, CY, Side.BUY, *low),
        Unwind(GOLD, OrderId(5)),
    )
    filled = next(event for event in events if isinstance(event, Filled))
    paid = next(event for event in events if isinstance(event, Paid) and event.payer == VAULT)
    gone = next(event for event in events if isinstance(event, Cancelled))
    says(
        "vault",
        f"The mark rises to {rises}. Account {CY} bids {best[1]} for {best[0]} lots and {low[1]} "
        f"for {low[0]}. The vault unwinds: it sells {filled.lots} lots at {filled.price} and pays "
        f"a fee of {paid.amount}; the bid at {low[1]} is below the mark, so the other {gone.lots} "
        f"lots of its order are cancelled. It has {cash(sold, VAULT)} quanta, {size(sold, VAULT)} "
        f"lots that cost {n(cost(sold, VAULT))}, and an equity of {n(equity(sold, VAULT))}: having "
        f"insured account {ANN} it is richer by {equity(sold, VAULT) - brought}.",
    )


def test_adl() -> None:
    traded = 1_000
    before = exchange(
        {
            ANN: holds(1_000, (10, 10 * traded)),
            BOB: holds(400, (-4, -4 * traded)),
            CY: holds(3_000, (-8, -8 * traded)),
            DAN: holds(5_000, (2, 2 * traded)),
        },
        at(880),
        rulebook=TERMS,
    )
    price, falls = liquidation.bankruptcy_price(before, ANN, GOLD), mark_of(before)
    lots, worth, per_lot = size(before, ANN), equity(before, ANN), price - mark_of(before)
    says(
        "adl",
        f"Everybody traded at {n(traded)}. The mark falls to {falls}, the book is empty and the "
        f"vault has no cash. Account {ANN}, long by {lots} lots with a collateral of "
        f"{n(cash(before, ANN))}, has an equity of ${worth}$ and the bankruptcy price "
        rf"${falls} - \lfloor {worth}/{lots} \rfloor = {price}$: whoever is closed gives up "
        f"{per_lot} per lot.",
        f"Account {BOB} won as much per lot as account {CY}, with less of its own behind it.",
        f"Account {DAN}, long by {size(before, DAN)} lots, was on the same side as account {ANN} "
        "and is not asked.",
    )
    assert queue(before, ANN, GOLD) == [BOB, CY]
    for account, shown in ((BOB, "0.12 \\cdot 4 = 0.48"), (CY, "0.12 \\cdot 1.78 = 0.21")):
        one = adl.standing(before, account, GOLD)
        held = margin.position_of(before, account, GOLD)
        over, under = adl.score(one, TERMS.deleverage_ranking)
        won, leverage = one.profit / abs(held.cost), one.notional / one.equity
        assert f"{won:.2f} \\cdot {leverage:.3g} = {over / under:.2f}" == shown
        could = equity(before, account) // per_lot
        row = (account, held.size, one.profit, held.cost, one.notional, one.equity)
        bears = adl.bearable(before, account=ANN, counterparty=account, market=GOLD)
        says("adl", f"| {' | '.join(map(n, row))} | ${shown}$ | {could}, so {bears} |")
    after, events = played(before, SetMark(GOLD, falls))
    first, second = (event for event in events if isinstance(event, Filled))
    assert (first.buyer, second.buyer) == (BOB, CY)
    gave = [equity(before, who) - equity(after, who) for who in (BOB, CY)]
    says(
        "adl",
        f"It goes first: {first.lots} lots at {first.price}. The remaining {second.lots} are "
        f"closed against account {CY}, which keeps {-size(after, CY)}. Account {BOB} has "
        f"{equity(after, BOB)} and account {CY} an equity of {n(equity(after, CY))} left, where "
        f"both had {gave[0]} and {gave[1]} more; account {ANN} has exactly {equity(after, ANN)}.",
    )


def test_parts_within_capacities() -> None:
    lots, takes = 12, 1
    first, second, third = allotted(lots, [Claim(1, takes), Claim(1, lots), Claim(1, lots)])
    assert first == takes
    says(
        "adl",
        f"Of {lots} lots {lots // 3} fall to each of three; the first may give only {takes}, so "
        f"{second} and {third} fall to the others: of two remainders of a half the first in the "
        "queue is rounded up.",
    )


def test_margin_goes_along() -> None:
    owes, lots, some = 100, 7, 3
    first = -liquidation.margin_transferred(-owes, some, lots)
    rest = -liquidation.margin_transferred(first - owes, lots - some, lots - some)
    price = liquidation.price_without(1_000, lots, -owes) - 1_000
    says(
        "adl",
        f"An account owes {owes} behind {lots} lots. With {some} of them "
        rf"$\lceil {owes * some}/{lots} \rceil = {first}$ are brought, with the other "
        f"{lots - some} the last {rest}; the bankruptcy price would have cost {price} for each "
        f"lot, {price * lots} in all.",
    )


def test_a_deficit_is_shared() -> None:
    weights, deficit = [7, 5, 3, 1], 10
    owed, shares = deficit, []
    for place_, weight in enumerate(weights):
        shares.append(loss.share_of_loss(owed, weight, sum(weights[place_:])))
        owed -= shares[-1]
    says(
        "loss",
        "A deficit of {} over the weights {}, {}, {} and {} is shared as {}, {}, {} and {}.".format(
            deficit, *weights, *shares
        ),
    )


def test_loss() -> None:
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
    falls = 140
    fallen = evolve(before, markets=before.markets.put(OIL, at(falls)))
    gold_lots, oil_lots = size(before, ANN, GOLD), size(before, ANN, OIL)
    needs = [
        margin.maintenance_margin(margin.position_of(fallen, ANN, m), fallen.markets[m])
        for m in (GOLD, OIL)
    ]
    says(
        "loss",
        f"Account {ANN} is long by {gold_lots} lots of market {GOLD} at {n(mark_of(before, GOLD))} "
        f"and by {oil_lots} lots of market {OIL} at {mark_of(before, OIL)}, with a collateral of "
        f"{n(cash(before, ANN))}. Account {BOB} is short by the {gold_lots} lots and has "
        f"{n(cash(before, BOB))}; account {CY} is short by the {oil_lots} lots and has "
        f"{n(cash(before, CY))}; account {DAN} holds nothing but {n(cash(before, DAN))} in cash; "
        f"the treasury has {cash(before, TREASURY)}; the vault nothing. Market {OIL} falls to "
        f"{falls} at once: account {ANN} has an equity of ${equity(fallen, ANN)}$, and maintenance "
        f"margins of {needs[0]} and {needs[1]}.",
    )
    after, events = played(before, SetMark(OIL, falls))
    by_rule = {
        rule: [event for event in events if getattr(event, "rule", "") == rule]
        for rule in ("ADL-3", "LOSS-1", "LOSS-3")
    }
    oil, gold = by_rule["ADL-3"]
    (rest,) = by_rule["LOSS-1"]
    assert isinstance(oil, Filled)
    assert isinstance(gold, Filled)
    assert isinstance(rest, Filled)
    oil_gone = ledger.fill(fallen, CY, ANN, OIL, oil.lots, oil.price, "ADL-3").exchange
    gold_gone = ledger.fill(oil_gone, BOB, ANN, GOLD, gold.lots, gold.price, "ADL-3").exchange
    per_lot = gold.price - mark_of(before, GOLD)
    says(
        "loss",
        f"1. Market {OIL} goes first. Its share is "
        f"${liquidation.share_of_equity(fallen, ANN, OIL)}$ and its bankruptcy price "
        f"${falls} + {oil.price - falls} = {oil.price}$, at which account {CY} can bear all "
        f"{oil.lots} lots, out of a profit of {mark_of(before, OIL) - falls} on each. Account "
        f"{ANN} has ${equity(oil_gone, ANN)}$ left. 2. Market {GOLD}: the bankruptcy price is "
        f"${mark_of(before, GOLD)} + {per_lot} = {gold.price}$. Account {BOB} loses {per_lot} per "
        rf"lot and can bear $\lfloor {equity(before, BOB)}/{per_lot} \rfloor = {gold.lots}$. It "
        f"has {equity(gold_gone, BOB)} left. 3. The last {rest.lots} lots are closed against "
        f"account {BOB} at the mark of {n(rest.price)}.",
    )
    paid = [event for event in by_rule["LOSS-3"] if isinstance(event, Paid)]
    assert [event.payer for event in paid] == [CY, DAN, BOB]
    had = [equity(gold_gone, event.payer) for event in paid]
    total = sum(had) + equity(gold_gone, TREASURY)
    owed = sum(event.amount for event in paid)
    says("loss", f"4. Account {ANN} owes {owed}. Account {CY} (equity {n(had[0])}) pays")
    ends = (
        f", account {DAN} ({n(had[1])}) pays",
        f", account {BOB} ({n(had[2])}) pays",
        ", and the treasury is not asked any more.",
    )
    for event, has, end in zip(paid, had, ends, strict=True):
        share = event.amount
        says("loss", rf"$\lceil {owed} \cdot {has} / {total} \rceil = {share}${end}")
        owed, total = owed - event.amount, total - has
    says(
        "loss",
        f"The pot holds {n(after.custody)} before and after.",
        f"Account {DAN} traded nothing, and has paid {2_000 - equity(after, DAN)}.",
    )
    assert before.custody == after.custody


def test_settlement() -> None:
    longs, shorts = {ANN: 7}, {BOB: 4, CY: 3}
    held = [(ANN, 7), (BOB, -4), (CY, -3)]
    before = exchange({who: holds(5_000, (size, size * 1_000)) for who, size in held}, at(1_000))
    after, events = played(before, machine.SettleMarket(GOLD))
    (first, second) = (event for event in events if isinstance(event, Filled))
    says(
        "settlement",
        f"At a mark of {n(mark_of(before))} account {ANN} is long by {longs[ANN]} lots, account "
        f"{BOB} short by {shorts[BOB]} and account {CY} short by {shorts[CY]}.",
        f"accounts {first.seller} and {first.buyer} close {first.lots} lots, accounts "
        f"{second.seller} and {second.buyer} close {second.lots}.",
    )
    for who, _ in held:
        assert equity(after, who) == equity(before, who) == cash(after, who)


def test_clock() -> None:
    later, _ = played(exchange({}), machine.AdvanceClock(5))
    assert later.now == 5
    for early in (3, later.now):
        refused = machine.apply(later, machine.AdvanceClock(early))
        assert isinstance(refused, Refused) and refused.code == "not_later"
    says(
        "clock",
        f"At time {exchange({}).now} the clock is set to {later.now}, then to 3: the second is "
        f"refused, since 3 is not after {later.now}. Setting it to {later.now} again is refused",
    )


def test_isolated() -> None:
    brought, put, lots, falls, rises = 10_000, 502, 5, 900, 1_100
    own = AccountId(9)
    start, _ = played(
        opened(),
        *(Deposit(who, brought) for who in (ANN, BOB)),
        Deposit(VAULT, brought),
        machine.Isolate(ANN, own, GOLD, put),
        place(1, BOB, Side.SELL, lots, mark_of(opened())),
        place(2, own, Side.BUY, lots, mark_of(opened())),
    )
    lost, events = played(start, SetMark(GOLD, falls))
    (taken,) = (event for event in events if isinstance(event, Filled))
    assert (taken.buyer, taken.seller, taken.rule) == (VAULT, own, "VLT-1")
    says(
        "isolated",
        f"Account {ANN} deposits {n(brought)} and isolates account {own} in market {GOLD} with "
        f"{put}. Account {own} buys {lots} lots at the mark of {n(mark_of(start))} from an order "
        f"of account {BOB}. The mark falls to {falls}, and nobody bids. At its bankruptcy price of "
        f"{taken.price} the vault has the {taken.lots} lots, and account {own} has "
        f"{cash(lost, own)} quanta left. Account {ANN} has its {n(cash(lost, ANN))}, as before.",
    )
    risen, _ = played(start, SetMark(GOLD, rises), place(3, BOB, Side.BUY, lots, rises))
    _, events = played(risen, place(4, own, Side.SELL, lots, rises))
    back = events[-1]
    assert isinstance(back, Paid)
    fee_paid = put - cash(start, own)
    profit = lots * (rises - mark_of(start))
    says(
        "isolated",
        f"When the mark rises to {n(rises)} instead, and account {own} sells its {lots} lots to "
        f"account {BOB} at that price, {back.amount} quanta go back to account {back.payee}: {put} "
        f"of margin and {profit} of profit, less {fee_paid} for each of its two fills.",
    )
    assert back.amount == put + profit - 2 * fee_paid


def test_book() -> None:
    brought = {ANN: 5_000, BOB: 50, CY: 5_000, DAN: 5_000}
    offers = [
        place(1, ANN, Side.SELL, 5, 1_002),
        place(2, BOB, Side.SELL, 5, 1_001),
        place(3, CY, Side.SELL, 3, 1_002),
        place(4, DAN, Side.SELL, 2, 1_002),
    ]
    start, _ = played(opened(), *(Deposit(who, amount) for who, amount in brought.items()), *offers)
    told = "; ".join(
        f"order {o.order} of account {o.account}, {o.lots} lots at {n(o.price)}" for o in offers
    )
    bid = place(5, CY, Side.BUY, 9, 1_002)
    refused = machine.apply(start, evolve(bid, kind=Kind.POST_ONLY))
    assert isinstance(refused, Refused)
    says(
        "book",
        f"On the book are offers, oldest first: {told}. Account {BOB} has no more than "
        f"{brought[BOB]} quanta, the others {n(brought[ANN])} each. A post-only bid at "
        f"{n(bid.price)} is refused ({{refusal}}`{refused.code}`), and then account {CY} bids "
        f"{n(bid.price)} for {bid.lots} lots with order {bid.order}:",
    )
    _, events = played(start, bid)
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
    needs = margin.initial_margin(Position(poor.lots, 0), start.markets[GOLD])
    says(
        "book",
        f"| order {poor.order} is cancelled with its {poor.lots} lots | it is the best offer, but "
        f"{poor.lots} lots need an initial margin of {needs} ({{rule}}`{poor.rule}`) |",
        f"| {first.lots} lots from account {first.seller} at {n(first.price)}; {taker.payer} pays "
        f"a fee of {taker.amount}, then {maker.payer} a fee of {maker.amount} | order "
        f"{offers[0].order} is the earliest at the next price",
        f"| order {own.order} is cancelled with its {own.lots} lots | it is account "
        f"{own.account}'s own ({{rule}}`{own.rule}`) |",
        f"| {second.lots} lots from account {second.seller} at {n(second.price)}; each pays a fee "
        f"of {other.amount} | order {offers[3].order} |",
        f"| order {rests.order.id} rests with {rests.order.lots} lots at {n(rests.order.price)} |",
    )


def test_roundings() -> None:
    lots, price = 7, 1_001
    up, down, zero = Rounding.UP, Rounding.DOWN, Rounding.TOWARDS_ZERO
    dear, cheap = (
        [fee.trading_fee(lots, price, rate, way) for way in (up, down)] for rate in (300, 100)
    )
    says(
        "fee",
        f"{lots} lots at {n(price)} and a rate of 300 cost {dear[0]} quanta up and {dear[1]} down. "
        f"At a rate of 100 it is {cheap[0]} and {cheap[1]}.",
    )
    pays = [funding.funding_due(lots, price, 125, way) for way in (up, down, zero)]
    gets = [-funding.funding_due(-lots, price, 125, way) for way in (up, down, zero)]
    says(
        "funding",
        f"At a mark of {n(price)} and a rate of 125 a long of {lots} lots pays {pays[0]}, "
        f"{pays[1]} and {pays[2]} quanta, and a short of {lots} lots receives {gets[0]}, "
        f"{gets[1]} and {gets[2]}.",
    )


def test_capped_receivers() -> None:
    boundary = 500
    before = exchange(
        {
            VAULT: holds(boundary + 3, (4, 4_000)),
            ANN: holds(5_000, (6, 6_000)),
            BOB: holds(5_000, (-7, -7_000)),
            CY: holds(5_000, (-3, -3_000)),
        },
        at(1_000),
        rulebook=evolve(TERMS, funding_receivers_capped=True, vault_boundary=boundary),
    )
    after, _ = played(before, SettleFunding(GOLD, 1_000))
    pays = cash(before, ANN) - cash(after, ANN)
    mine, other = (cash(after, who) - cash(before, who) for who in (BOB, CY))
    sizes = {who: abs(size(before, who)) for who in (VAULT, ANN, BOB, CY)}
    there = pays + margin.equity(before, VAULT) - boundary
    due = -sum(funding.funding_due(size(before, who), 1_000, 1_000) for who in (BOB, CY))
    parts = [rf"$\lfloor {sizes[who]} \cdot {there} / {due} \rfloor =" for who in (BOB, CY)]
    assert there - mine - other == 1
    says(
        "funding",
        f"The vault is long by {sizes[VAULT]} lots at a mark of {n(mark_of(before))} and has "
        f"{there - pays} quanta beyond its boundary; account {ANN} is long by {sizes[ANN]}, "
        f"account {BOB} short by {sizes[BOB]} and account {CY} by {sizes[CY]}. "
        f"At a rate of {n(1_000)} account {ANN} pays {pays}, and there are {there} for the {due} "
        f"that accounts {BOB} and {CY} are due: they get {parts[0]} {mine}$ and {parts[1]} "
        f"{other}$. One quantum is left, and the vault has "
        f"{margin.equity(after, VAULT) - boundary} beyond its boundary.",
    )


EXAMPLE = re.compile(r"## Example.*?(?= ## |$)|\*Example\.\*.*?(?= ```)|The examples are told.*?;")
NUMBER = re.compile(r"(?<![\w`])(?<![A-Z]-)\d(?:[\d,.]*\d)?")  # not that of a rule


def test_no_number_of_an_example_is_left_out() -> None:
    for name, test in list(globals().items()):
        if name.startswith("test_") and test is not test_no_number_of_an_example_is_left_out:
            test()
    left_out, seen = [], 0
    for path in sorted(SPEC.glob("*.md")):
        text = page(path.stem)
        covered = bytearray(len(text))
        for phrase in COVERED[path.stem]:
            for found in re.finditer(re.escape(phrase), text):
                covered[found.start() : found.end()] = b"\1" * len(phrase)
        for example in EXAMPLE.finditer(text):
            for number in NUMBER.finditer(text, *example.span()):
                seen += 1
                if not all(covered[number.start() : number.end()]):
                    left_out.append((path.stem, text[number.start() - 30 : number.end() + 10]))
    assert left_out == []
    assert seen > 300
