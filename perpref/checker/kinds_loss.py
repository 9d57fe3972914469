"""Worked examples about queues, triggers, and who bears what is left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from perpref.checker.example_kinds import (
    CENTS,
    FIRST,
    ONE,
    QUOTE_QUANTA,
    SIDES,
    at_any_time,
    cash,
    closing_lots,
    dydx_holder,
    dydx_setup,
    exchange,
    holding,
    kind,
    listed,
    number_of,
    paid_up,
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
    """BitMEX: a queue against one account; the higher the rank the better the entry."""
    side = 1 if "longs" in example.inputs else -1
    rows = [
        (str(name), whole(exact(lots, "a size"), "a size"), exact(rank, "a rank"))
        for name, lots, rank in example.inputs["longs" if side > 0 else "shorts"]
    ]
    closing = "liquidated_short" if side > 0 else "liquidated_long"
    at, closed = example.number("bankruptcy_price"), abs(whole(example.number(closing), closing))
    best = max(rank for _, _, rank in rows)
    if at <= 0:
        raise NotExpressible("the bankruptcy price is none")
    unit = quanta(at, *(rank for _, _, rank in rows)) * 2
    while best >= at * unit:
        unit *= 10
    price = int(at * unit)
    names = {AccountId(FIRST + 1 + place): row[0] for place, row in enumerate(rows)}
    accounts: dict[AccountId, Account] = {}
    for account, (_, lots, rank) in zip(names, rows, strict=True):
        cost = side * abs(lots) * (price - side * int(rank))
        worth = abs(lots) * price // 2
        held = (side * abs(lots), cost)
        accounts[account] = holding(worth - held[0] * price + cost, one=held)
    total = sum(abs(lots) for _, lots, _ in rows)
    rest = max(total - closed, 0)
    others = AccountId(FIRST + len(rows) + 1)
    accounts[others] = holding(rest * price * 2, one=(-side * rest, -side * rest * price))
    accounts[FIRST] = holding(0, one=(-side * closed, -side * closed * price))
    rulebook = at_any_time(rules_of(example.venue))
    state = exchange(rulebook, {ONE: listed(price, PARTS // 10)}, accounts)
    order = [account for account in queue(state, FIRST, ONE) if account in names]
    ahead, percentile = 0, {}
    for account in order:
        ahead += abs(margin.position_of(state, account, ONE).size)
        percentile[names[account]] = 20 * adl.queue_indicator(ahead, total)
    run = Run(state)
    close_against_winners(run, FIRST, ONE)
    fills = [event for event in run.outcome().events if isinstance(event, Filled)]
    touched = [fill.seller if side > 0 else fill.buyer for fill in fills]
    values: dict[str, object] = {
        "order": [names[account] for account in order],
        "percentile": percentile,
        "fills": [[names[who], fill.lots] for who, fill in zip(touched, fills, strict=True)],
        "left": {
            names[who]: abs(margin.position_of(run.exchange, who, ONE).size) for who in touched
        },
    }
    if fills:
        values["price"] = Fraction(fills[0].price, unit)
    return values


def several_positions(example: Example) -> Mapping[str, object]:
    """dYdX: one of several positions is closed; it takes its part of the equity."""
    setup = dydx_setup(example.inputs["market_setup"])
    said, _, name = str(example.inputs["delta"]).partition(" ")
    delta = exact(said, "the delta")
    sizes = {
        side: {key: exact(told, key) for key, told in example.inputs[side].items() if key != "usdc"}
        for side in SIDES
    }
    parts = quanta(delta, *(size for held in sizes.values() for size in held.values()))
    markets = setup.markets(dict.fromkeys(setup.prices, Fraction(1, parts)))
    accounts = {
        AccountId(FIRST + place): dydx_holder(
            setup,
            markets,
            {key: int(size * parts) for key, size in sizes[side].items()},
            cash(example.inputs[side].get("usdc", 0)),
        )
        for place, side in enumerate(SIDES)
    }
    state = exchange(at_any_time(rules_of(example.venue)), markets, accounts)
    market = setup.market_id(name)
    lots = closing_lots(state, market, int(delta * parts))
    outcome = adl.deleverage(state, FIRST, AccountId(FIRST + 1), market, lots)
    (filled,) = (event for event in outcome.events if isinstance(event, Filled))
    values: dict[str, object] = {"fill_price": Fraction(filled.price * parts, QUOTE_QUANTA)}
    for place, side in enumerate(SIDES):
        account = AccountId(FIRST + place)
        paid = Fraction(paid_up(outcome.exchange, account), QUOTE_QUANTA)
        values[f"{side}_usdc_after"] = paid
        for key in setup.prices:
            left = margin.position_of(outcome.exchange, account, setup.market_id(key)).size
            values[f"{side}_{key}_after"] = Fraction(left, parts)
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
    balance, threshold = (
        example.number(key) if key in example.inputs else other
        for key, other in (("pool_balance", fund), ("threshold", Fraction(0)))
    )
    if fund <= 0:
        raise NotExpressible("there was nothing in the fund to fall from")
    unit = quanta(fall, fund, balance)
    watched = balance > threshold
    active = bool(example.inputs.get("adl_active", False))
    drawn = loss_trigger.is_drawn_down(int(fall * unit), int(fund * unit), begins, ends, active)
    return {
        "pnl_ratio": -fall / fund,
        "adl": (drawn and watched) or loss_trigger.is_exhausted(int(balance * unit)),
        "borne_by_adl": Fraction(
            loss_trigger.borne_by_winners(int(fall * unit), int(fund * unit), begins), unit
        ),
    }


def exhausted(example: Example) -> Mapping[str, object]:
    """Bybit: a fund without a balance."""
    balance = example.number("pool_balance")
    return {"adl": loss_trigger.is_exhausted(balance.numerator)}


def fund_fall(example: Example) -> Mapping[str, object]:
    """OKX: the fund falls below its reference by a part, or by an amount."""
    now, reference = example.number("fund_now"), example.number("fund_8h_average")
    unit = quanta(now, reference) * CENTS
    part, least = (number_of(example.venue, key) for key in ("fund_fall", "fund_fall_least"))
    floor = loss_trigger.fund_floor(int(reference * unit), part, least * unit // CENTS)
    return {"threshold": Fraction(floor, unit), "adl": now * unit < floor}


POOL = re.compile(r"([\d.,]*\d) [A-Z]+(?: at ([\d.,]*\d))?")


def pool_factor(example: Example) -> Mapping[str, object]:
    """GMX: one side's profit against the pool that pays it; a close takes both down."""
    said = POOL.fullmatch(str(example.inputs["pool"]))
    if said is None:
        raise NotExpressible("the pool is told in other words")
    side = 1 if "long_size_usd" in example.inputs else -1
    entry, price, size = (
        example.number(key)
        for key in ("entry_price", "price", "long_size_usd" if side > 0 else "short_size_usd")
    )
    at = exact(said.group(2), "the pool's price") if said.group(2) else price
    pool = exact(said.group(1), "the pool") * at
    profit = side * size * (price - entry) / entry
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
        too_far = loss_trigger.overcorrects(int(left * finer), int(paying * finer), least)
        less = left * pool < profit * paying and closed <= size
        values |= {
            "executed": enabled and less and not too_far,
            "factor_after_approx": Nearest(left / paying),
        }
    return values


def closed_by_a_keeper(example: Example) -> Mapping[str, object]:
    """GMX: a keeper names how much of a position is closed, at the oracle price."""
    held, closing = (example.number(key) for key in ("size_before_usd", "adl_size_usd"))
    parts = quanta(held, closing)
    lots, less = int(held * parts), int(closing * parts)
    winner = AccountId(FIRST + 1)
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(1, PARTS)},
        {FIRST: holding(lots - 1, one=(-lots, -lots)), winner: holding(lots, one=(lots, lots))},
    )
    after = loss.close_out(state, FIRST, winner, ONE, less).exchange
    left = margin.position_of(after, winner, ONE).size
    return {"size_after_usd": Fraction(left, parts), "positions_left": 1 if left else 0}


# Who bears it.


def charge_rate(example: Example) -> Mapping[str, object]:
    """Drift: what a unit of base of either side is charged; the index has three decimals more."""
    longs, shorts = (abs(example.number(key)) for key in ("base_long", "base_short"))
    parts = quanta(longs, shorts)
    lots = int((longs + shorts) * parts)
    try:
        charged = loss.charge_per_lot(abs(int(example.number("loss_1e6"))) * parts, lots)
    except Refusal as refusal:
        return {"error": refusal}
    return {"delta_1e9": charged * 1_000}


def bankruptcy(example: Example) -> Mapping[str, object]:
    """Drift: the fund and the fee pool pay first, and all open base of both sides the rest."""
    debt = abs(example.number("bankrupt_quote"))
    longs, shorts, fund, pool = (
        example.number(key) for key in ("base_long", "base_short", "insurance_fund", "fee_pool")
    )
    parts = quanta(longs, shorts)
    unit = 10**6 * parts  # so that what a unit of base pays is rounded, as at Drift
    lots = {1: int(longs * parts), -1: int(shorts * parts)}
    for amount in (debt, fund, pool):
        whole(amount * 10**6, "an amount")
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


HOLDS = re.compile(r"(\w+)_(long|short)")
ASKS = re.compile(r"(\w+)_withdraws_(\d+)_gets.*")


def withdrawal_haircut(example: Example) -> Mapping[str, object]:
    """Paradex: what a withdrawal gets while the fund lacks what an insolvent user owes."""
    fund, mark = example.number("insurance_fund"), example.number("mark")
    users = {name.lower(): exact(said, name) for name, said in example.inputs["users"].items()}
    owed = Fraction(0)
    for key, said in example.inputs.items():
        held = HOLDS.fullmatch(key)
        if held is None:
            continue
        size, entry = (exact(number, "a position") for number in said)
        side = 1 if held.group(2) == "long" else -1
        owed += max(-(users[held.group(1)] + side * abs(size) * (mark - entry)), Fraction(0))
    pot = fund + sum(users.values())
    lack = max(owed - fund, Fraction(0))
    factor = lack / (pot + lack)
    values: dict[str, object] = {
        "bankruptcy_amount": owed,
        "exchange_bankruptcy": lack,
        "factor_formula": factor,
        "factor_in_example": factor,
        "because": f"the page's example divides by {pot}, its own formula by {pot + lack}",
    }
    for key in example.expected:
        asked = ASKS.fullmatch(key)
        if asked is not None:
            amount = int(asked.group(2))
            unit = quanta(pot, lack) * 10**6
            paid = ledger.paid_out(amount * unit, int(pot * unit), int(lack * unit))
            values[key] = Nearest(Fraction(paid, unit))
    return values


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
    kind("bitmex", "shorts", "liquidated_long", "bankruptcy_price"): ranked_queue,
    kind("dydx-v4", "liquidated", "offsetting", "delta"): several_positions,
    kind("bybit", "pool_8h_max", "symbol_pnl_8h_max"): drawdown,
    kind("bybit", "pool_balance", "all_pnl_ratios"): exhausted,
    kind("okx", "fund_now", "fund_8h_average"): fund_fall,
    kind("gmx-v2", "pool", "entry_price", "long_size_usd", "max_factor"): pool_factor,
    kind("gmx-v2", "pool", "entry_price", "short_size_usd", "max_factor"): pool_factor,
    kind("gmx-v2", "size_before_usd", "adl_size_usd"): closed_by_a_keeper,
    kind("drift-v2", "loss_1e6", "base_long", "base_short"): charge_rate,
    kind("drift-v2", "bankrupt_quote", "base_long", "insurance_fund"): bankruptcy,
    kind("paradex", "insurance_fund", "users", "mark"): withdrawal_haircut,
    kind("paradex", "fund_balance_after_takeover", "position"): fund_recovers,
}
"""The kinds by venue and by the inputs that they need."""
