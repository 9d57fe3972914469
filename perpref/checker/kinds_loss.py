"""Worked examples about queues, triggers, and who bears what is left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from perpref.checker.example_kinds import (
    FIRST,
    ONE,
    at_any_time,
    cash,
    exchange,
    holding,
    kind,
    listed,
    number_of,
    rules_of,
    whole,
)
from perpref.checker.worked_examples import (
    Example,
    Kind,
    Nearest,
    NotExpressible,
    exact,
    quanta,
    rate,
)
from perpref.outcome import Filled
from perpref.rule_registry import Refusal
from perpref.rules import adl, ledger, loss, loss_trigger, margin
from perpref.rules.ledger import pay
from perpref.scheduler import Run, close_against_winners, queue
from perpref.state import VAULT, Account
from perpref.units import PARTS, AccountId


def ranked_queue(example: Example) -> Mapping[str, object]:
    """BitMEX: a queue of longs against one short; the higher the rank the lower the entry."""
    price = int(example.inputs["bankruptcy_price"])
    rows = [(str(name), int(lots), int(rank)) for name, lots, rank in example.inputs["longs"]]
    names = {AccountId(FIRST + 1 + place): row[0] for place, row in enumerate(rows)}
    accounts: dict[AccountId, Account] = {}
    for account, (_, lots, rank) in zip(names, rows, strict=True):
        cost = lots * (price - rank)
        accounts[account] = holding(cost - lots * price // 2, one=(lots, cost))
    short = int(example.inputs["liquidated_short"])
    total = sum(lots for _, lots, _ in rows)
    others = AccountId(FIRST + len(rows) + 1)
    rest = total - short
    accounts[others] = holding(rest * price * 2, one=(-rest, -rest * price))
    accounts[FIRST] = holding(0, one=(-short, -short * price))
    rulebook = at_any_time(rules_of(example.venue))
    state = exchange(rulebook, {ONE: listed(price, PARTS // 10)}, accounts)
    order = [account for account in queue(state, FIRST, ONE) if account in names]
    ahead, percentile = 0, {}
    for account in order:
        ahead += margin.position_of(state, account, ONE).size
        percentile[names[account]] = 20 * adl.queue_indicator(ahead, total)
    run = Run(state)
    close_against_winners(run, FIRST, ONE)
    fills = [event for event in run.outcome().events if isinstance(event, Filled)]
    touched = [fill.seller for fill in fills]
    return {
        "order": [names[account] for account in order],
        "percentile": percentile,
        "fills": [[names[fill.seller], fill.lots] for fill in fills],
        "left": {
            names[account]: margin.position_of(run.exchange, account, ONE).size
            for account in touched
        },
        "price": fills[0].price,
    }


def several_positions(example: Example) -> Mapping[str, object]:
    """dYdX: one of two positions is closed; it takes its part of the equity."""
    setup = str(example.inputs["market_setup"])
    marks = {name: int(price) for name, price in re.findall(r"(BTC|ETH) oracle (\d+)", setup)}
    least = re.search(r"MMF (\d+)%", setup)
    if least is None or set(marks) != {"BTC", "ETH"}:
        raise NotExpressible("the setup is told in other words")
    delta, name = str(example.inputs["delta"]).split(" ")
    unit = 10**6
    markets = {ONE: listed(marks["BTC"] * unit, int(least.group(1)) * 10_000)}
    other = type(ONE)(ONE + 1)
    markets[other] = listed(marks["ETH"] * unit, int(least.group(1)) * 10_000)
    if name != "BTC":
        raise NotExpressible("the position that is closed is another")

    def account(said: Mapping[str, object]) -> Account:
        lots = {key: whole(exact(said.get(key, "0"), key), key) for key in marks}
        worth = cash(said["usdc"]) + sum(lots[key] * marks[key] * unit for key in marks)
        held = {
            "one": (lots["BTC"], lots["BTC"] * marks["BTC"] * unit),
            "other": (lots["ETH"], lots["ETH"] * marks["ETH"] * unit),
        }
        return holding(worth, **held)

    sides = ("liquidated", "offsetting")
    accounts = {
        AccountId(FIRST + place): account(example.inputs[side]) for place, side in enumerate(sides)
    }
    state = exchange(at_any_time(rules_of(example.venue)), markets, accounts)
    outcome = adl.deleverage(state, FIRST, AccountId(FIRST + 1), ONE, abs(int(delta)))
    (filled,) = (event for event in outcome.events if isinstance(event, Filled))
    values: dict[str, object] = {"fill_price": Fraction(filled.price, unit)}
    for place, side in enumerate(sides):
        holder = outcome.exchange.accounts[AccountId(FIRST + place)]
        paid = holder.collateral - sum(position.cost for _, position in holder.positions.items())
        values[f"{side}_usdc_after"] = Fraction(paid, unit)
    return values


# When winners are closed.


def drawdown(example: Example) -> Mapping[str, object]:
    """Bybit: a market's fall in the window against the fund's best balance in it."""
    fund = example.number("pool_8h_max")
    best = example.number("symbol_pnl_8h_max")
    if "symbol_loss" in example.inputs:
        fall = example.number("symbol_loss")
    else:
        fall = best - example.number("symbol_pnl_now")
    begins, ends = (number_of(example.venue, key) for key in ("drawdown_begins", "drawdown_ends"))
    unit = quanta(fall, fund)
    return {
        "pnl_ratio": -fall / fund,
        "adl": loss_trigger.is_drawn_down(int(fall * unit), int(fund * unit), begins, ends, False),
        "borne_by_adl": Fraction(
            loss_trigger.borne_by_winners(int(fall * unit), int(fund * unit), begins), unit
        ),
    }


def exhausted(example: Example) -> Mapping[str, object]:
    """Bybit: a fund without a balance."""
    balance = example.number("pool_balance")
    return {"adl": loss_trigger.is_exhausted(int(balance * quanta(balance)))}


def fund_fall(example: Example) -> Mapping[str, object]:
    """OKX: the fund falls below its reference by a part, or by an amount."""
    now, reference = example.number("fund_now"), example.number("fund_8h_average")
    unit = max(quanta(now, reference), 100)  # the rulebook's quanta are cents
    part, least = (number_of(example.venue, key) for key in ("fund_fall", "fund_fall_least"))
    floor = loss_trigger.fund_floor(int(reference * unit), part, least * unit // 100)
    return {"threshold": Fraction(floor, unit), "adl": now * unit < floor}


POOL = re.compile(r"(\d+) ETH(?: at (\d+))?")


def pool_factor(example: Example) -> Mapping[str, object]:
    """GMX: one side's profit against the pool that pays it; a close takes both down."""
    said = POOL.fullmatch(str(example.inputs["pool"]))
    if said is None:
        raise NotExpressible("the pool is told in other words")
    entry, price, size = (example.number(key) for key in ("entry_price", "price", "long_size_usd"))
    pool = int(said.group(1)) * (Fraction(said.group(2)) if said.group(2) else price)
    profit = size * (price - entry) / entry
    most = rate(example.number("max_factor"), "the highest factor")
    unit = quanta(pool, profit)
    enabled = loss_trigger.exceeds_pool(int(profit * unit), int(pool * unit), most)
    values: dict[str, object] = {
        "adl_enabled": enabled,
        "pnl_factor": profit / pool,
        "factor_before": profit / pool,
    }
    if "adl_size_usd" in example.inputs:
        closed = example.number("adl_size_usd")
        paid = profit * closed / size
        left, paying = profit - paid, pool - paid
        least = rate(example.number("min_factor_after"), "the lowest factor")
        finer = quanta(left, paying)
        still = loss_trigger.exceeds_pool(int(left * finer), int(paying * finer), least)
        values |= {
            "executed": enabled and left / paying < profit / pool and still,
            "factor_after_approx": Nearest(left / paying),
        }
    return values


def closed_by_a_keeper(example: Example) -> Mapping[str, object]:
    """GMX: a keeper names how much of a position is closed, at the oracle price."""
    held, closing = (example.number(key) for key in ("size_before_usd", "adl_size_usd"))
    lots, less = whole(held, "the size"), whole(closing, "what is closed")
    winner = AccountId(FIRST + 1)
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(1, PARTS)},
        {FIRST: holding(lots - 1, one=(-lots, -lots)), winner: holding(lots, one=(lots, lots))},
    )
    after = loss.close_out(state, FIRST, winner, ONE, less).exchange
    left = margin.position_of(after, winner, ONE).size
    return {"size_after_usd": left, "positions_left": 1 if left else 0}


# Who bears it.


def charge_rate(example: Example) -> Mapping[str, object]:
    """Drift: what a unit of base of either side is charged; the index has three decimals more."""
    longs, shorts = (abs(example.number(key)) for key in ("base_long", "base_short"))
    parts = quanta(longs, shorts)
    lots = int((longs + shorts) * parts)
    try:
        charged = loss.charge_per_lot(-int(example.inputs["loss_1e6"]) * parts, lots)
    except Refusal as refusal:
        return {"error": refusal}
    return {"delta_1e9": charged * 1_000}


def bankruptcy(example: Example) -> Mapping[str, object]:
    """Drift: the fund and the fee pool pay first, and all open base of both sides the rest."""
    debt = -example.number("bankrupt_quote")
    longs, shorts, fund, pool = (
        example.number(key) for key in ("base_long", "base_short", "insurance_fund", "fee_pool")
    )
    parts = quanta(longs, shorts)
    unit = quanta(debt, fund, pool) * 10**6
    lots = {1: int(longs * parts), -1: int(shorts * parts)}
    mark = 100 * unit // parts
    holders = {
        AccountId(FIRST + 1): holding(0, one=(lots[1], lots[1] * mark)),
        AccountId(FIRST + 2): holding(0, one=(lots[-1], lots[-1] * mark)),
    }
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(mark, PARTS)},
        {
            FIRST: holding(-int(debt * unit)),
            VAULT: holding(int((fund + pool) * unit)),
            **holders,
        },
    )
    state = pay(
        state, VAULT, FIRST, min(int(debt * unit), int((fund + pool) * unit)), "VLT-8"
    ).exchange
    owed = -margin.equity(state, FIRST)
    charged = loss.charge_per_lot(owed, sum(abs(size) for size in lots.values()))
    before = {account: margin.equity(state, account) for account in holders}
    for account in holders:
        due = charged * abs(margin.position_of(state, account, ONE).size)
        state = pay(state, account, FIRST, due, "LOSS-7").exchange
    moved = Fraction(charged * parts, unit)
    start = Fraction(example.inputs.get("cum_funding_long", 1_000))
    values: dict[str, object] = {
        "cum_funding_long": start + moved,
        "cum_funding_short": -(start + moved),
        "total_social_loss": Fraction(owed, unit),
        "bankrupt_quote_after": Fraction(margin.equity(state, FIRST), unit),
    }
    for (account, worth), (side, size) in zip(
        before.items(), (("long", longs), ("short", shorts)), strict=True
    ):
        cost = Fraction(size * 100)
        paid = Fraction(margin.equity(state, account) - worth, unit)
        values[f"{side}_{abs(size)}_quote"] = [-cost, -cost + paid]
        values[f"{side}_{abs(size)}_funding"] = paid
    return values


def withdrawal_haircut(example: Example) -> Mapping[str, object]:
    """Paradex: what a withdrawal gets while the fund lacks what an insolvent user owes."""
    fund, mark = example.number("insurance_fund"), example.number("mark")
    users = {name: exact(said, name) for name, said in example.inputs["users"].items()}
    size, entry = (exact(said, "a position") for said in example.inputs["alice_long"])
    owed = -(users["Alice"] + size * (mark - entry))
    pot = fund + sum(users.values())
    lack = max(owed - fund, Fraction(0))
    unit = quanta(pot, lack)
    paid = ledger.paid_out(int(500 * unit), int(pot * unit), int(lack * unit))
    factor = lack / (pot + lack)
    return {
        "bankruptcy_amount": owed,
        "exchange_bankruptcy": lack,
        "factor_formula": factor,
        "factor_in_example": factor,
        "charlie_withdraws_500_gets_in_example": Fraction(paid, unit),
        "because": "the page's example divides by 4000, its own formula by 5000",
    }


def fund_recovers(example: Example) -> Mapping[str, object]:
    """Paradex: a fund that is worth something again pays everybody in full."""
    size, entry = (exact(said, "a position") for said in example.inputs["position"])
    balance, mark = example.number("fund_balance_after_takeover"), example.number("mark")
    unit = quanta(balance, mark, entry, size)
    lots, at, cost = int(size * unit), int(mark * unit), int(size * unit * entry * unit)
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(at, 1)},
        {VAULT: holding(int(balance * unit * unit), one=(lots, cost))},
    )
    worth = Fraction(margin.equity(state, VAULT), unit * unit)
    lack = max(-worth, Fraction(0))
    pot = max(worth, Fraction(1))
    return {"fund_upnl": worth - balance, "fund_equity": worth, "factor": lack / (pot + lack)}


KINDS: Mapping[tuple[str, frozenset[str]], Kind] = {
    kind("bitmex", "longs", "liquidated_short", "bankruptcy_price"): ranked_queue,
    kind("dydx-v4", "liquidated", "offsetting", "delta"): several_positions,
    kind("bybit", "pool_8h_max", "symbol_pnl_8h_max"): drawdown,
    kind("bybit", "pool_balance", "all_pnl_ratios"): exhausted,
    kind("okx", "fund_now", "fund_8h_average"): fund_fall,
    kind("gmx-v2", "pool", "entry_price", "long_size_usd", "max_factor"): pool_factor,
    kind("gmx-v2", "size_before_usd", "adl_size_usd"): closed_by_a_keeper,
    kind("drift-v2", "loss_1e6", "base_long", "base_short"): charge_rate,
    kind("drift-v2", "bankrupt_quote", "base_long", "insurance_fund"): bankruptcy,
    kind("paradex", "insurance_fund", "users", "alice_long"): withdrawal_haircut,
    kind("paradex", "fund_balance_after_takeover", "position"): fund_recovers,
}
"""The kinds by venue and by the inputs that they need."""
