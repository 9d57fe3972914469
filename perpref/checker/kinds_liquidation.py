"""Worked examples about liquidations, vaults and what else stands before the winners."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from perpref.checker.example_kinds import (
    CENTS,
    FIRST,
    ONE,
    closing_lots,
    dydx_account,
    dydx_setup,
    exchange,
    holding,
    kind,
    listed,
    number_of,
    rules_of,
    side_of,
    whole,
)
from perpref.checker.worked_examples import (
    Example,
    Kind,
    Nearest,
    NotExpressible,
    exact,
    power_of_ten,
    quanta,
    rate,
)
from perpref.rule_registry import require
from perpref.rules import (
    adl,
    fee,
    liquidation,
    liquidation_inverse,
    liquidation_size,
    liquidation_time,
    liquidator,
    margin,
    vault,
    volunteers,
)
from perpref.rules.ledger import pay
from perpref.state import VAULT, Account, Position
from perpref.table import Table
from perpref.units import PARTS, AccountId, MarketId, Rounding, floor_div

UNLIMITED = 2**64 - 1
"""What Drift's test says for "all there is"."""


def fillable_price(example: Example) -> Mapping[str, object]:
    """dYdX: the limit of a liquidation order, for one base quantum."""
    state, market, lot = dydx_account(example, example.inputs["liquidated_market"])
    position, now = margin.position_of(state, FIRST, market), margin.health(state, FIRST)
    require(position.size != 0, liquidation.NO_POSITION, market)
    weight = margin.maintenance_margin(position, state.markets[market])
    finer = now.maintenance * PARTS * PARTS * abs(position.size)  # then nothing is rounded
    price = liquidation.fillable_price(
        state.markets[market].mark * finer,
        position.size,
        weight * finer,
        now.equity * finer,
        now.maintenance * finer,
        int(example.number("bankruptcy_adjustment_ppm")),
        int(example.number("spread_to_mmr_ratio_ppm")),
    )
    return {
        "price_quote_quantums_per_base_quantum": Fraction(price, lot * finer),
        "because": "LIQ-11 keeps a price above 0",
    }


def fund_delta(example: Example) -> Mapping[str, object]:
    """dYdX: what a fill brings the fund, or costs it, against the value at bankruptcy."""
    setup = dydx_setup(example.inputs["market_setup"])
    held = example.inputs["positions"]
    name = str(example.inputs.get("market", held[0]["market"] if held else "BTC"))
    filled = whole(example.number("fill_base_quantums"), "the fill")
    state, market, lot = dydx_account(example, name, filled)
    size = margin.position_of(state, FIRST, market).size
    buys = example.inputs.get("is_buy", size < 0)
    lots = closing_lots(state, market, filled // lot * (1 if buys else -1))
    ten = power_of_ten(setup.resolutions[name])
    value = (-1 if buys else 1) * int(filled * example.number("subticks") * ten)
    at_bankruptcy = liquidation.bankruptcy_value(state, FIRST, market, lots)
    cap = int(example.number("max_liquidation_fee_ppm"))
    delta = vault.fund_delta(value, at_bankruptcy, cap)
    return {"insurance_fund_delta_quote_quantums": delta}


def fund_after_a_fill(example: Example) -> Mapping[str, object]:
    """BitMEX: the fund gets what a fill beats the bankruptcy price by, and pays what it lacks.

    What it cannot pay is not filled: the next one is closed against winners.
    """
    at, price, fund, size = (
        example.number(key) for key in ("bankruptcy_price", "fill", "fund", "size")
    )
    unit, side = quanta(at * size, price * size, fund), side_of(example)
    value, least = (side * int(one * abs(size) * unit) for one in (price, at))
    after = int(fund * unit) + vault.fund_delta(value, least, PARTS)
    lacks = after < 0
    return {"fund_after": fund if lacks else Fraction(after, unit), "adl": lacks}


def surplus_of_a_lot(example: Example) -> Mapping[str, object]:
    """BTCMEX: all that a fill beats the bankruptcy price by goes to the fund."""
    at, price = (example.number(key) for key in ("bankruptcy_price", "fill"))
    unit, side = quanta(at, price), side_of(example)
    delta = vault.fund_delta(side * int(price * unit), side * int(at * unit), PARTS)
    return {"fund_delta": Fraction(delta, unit)}


# How much is closed.


def part_sent(example: Example) -> Mapping[str, object]:
    """Hyperliquid: the part of a position that the first order closes."""
    worth = abs(example.number("position_value"))
    unit = quanta(worth) * CENTS
    rulebook = rules_of(example.venue)
    share, most = rulebook.liquidation_share, rulebook.liquidation_whole * unit // CENTS
    again = bool(example.inputs["in_cooldown"])
    closing = liquidation_size.first_lots(PARTS, int(worth * unit), share, most, again)
    return {"fraction_sent": Fraction(closing, PARTS)}


def stage_reached(example: Example) -> Mapping[str, object]:
    """Hyperliquid: who may act on an account of this equity, the last one that may."""
    needs = example.number("mm")
    found = []
    several = isinstance(example.inputs["equity"], list)
    for said in example.inputs["equity"] if several else [example.inputs["equity"]]:
        worth = exact(said, "an equity")
        unit = quanta(needs, worth)
        lots = int(needs * unit)
        state = exchange(
            rules_of(example.venue),
            {ONE: listed(1, PARTS)},
            {FIRST: holding(int(worth * unit), one=(lots, lots))},
        )
        now = margin.health(state, FIRST)
        stage = "none"
        if liquidation.is_due(state, FIRST):
            stage = "book"
            if vault.steps_in(now.equity, now.maintenance, state.rulebook.vault_trigger):
                stage = "backstop"
            if adl.triggered(state, FIRST):
                stage = "adl"
        found.append(stage)
    return {"stage": found if several else found[0]}


def stepped_down(example: Example) -> Mapping[str, object]:
    """OKX: a position steps down to the largest size of the first tier."""
    held, most = (example.number(key) for key in ("swaps_held", "tier1_max"))
    parts = quanta(held, most)
    closed = liquidation_size.lots_above(int(held * parts), int(most * parts))
    return {"swaps_closed": Fraction(closed, parts)}


def share_closed(example: Example) -> Mapping[str, object]:
    """Paradex: what closing a share of everything costs and leaves."""
    worth, needs = (example.number(key) for key in ("account_value", "mmr"))
    share = rate(example.number("share"), "the share")
    unit = quanta(worth, needs) * 10**6
    fee_rate = number_of(example.venue, "share_fee")
    costs = Fraction(liquidation_size.penalty(int(needs * unit), share, fee_rate), unit)
    left, needed = worth - costs, needs * (1 - Fraction(share, PARTS))
    values: dict[str, object] = {
        "new_mmr": needed,
        "penalty": costs,
        "new_account_value": left,
    }
    return values if left <= 0 else {**values, "margin_ratio": Nearest(needed / left)}


def share_chosen(example: Example) -> Mapping[str, object]:
    """Paradex: the smallest share of all positions that makes an account safe again."""
    put, least = example.number("collateral"), rate(example.number("mmf"), "the maintenance rate")
    held = {
        name: tuple(exact(said, name) for said in row)
        for name, row in example.inputs["positions"].items()
    }
    parts = quanta(*(size for size, _, _ in held.values())) * 10
    unit = quanta(put, *(price / parts for row in held.values() for price in row[1:])) * 10**6
    markets, positions = {}, {}
    for place, (size, entry, mark) in enumerate(held.values(), 1):
        markets[MarketId(place)] = listed(int(mark / parts * unit), least)
        lots = int(size * parts)
        positions[MarketId(place)] = Position(lots, lots * int(entry / parts * unit))
    account = Account(int(put * unit), Table(positions.items()))
    state = exchange(rules_of(example.venue), markets, {FIRST: account})
    now = margin.health(state, FIRST)
    step, fee_rate, target = (
        number_of(example.venue, key) for key in ("share_step", "share_fee", "share_target")
    )
    share = liquidation_size.smallest_share(now.equity, now.maintenance, step, fee_rate, target)
    costs = liquidation_size.penalty(now.maintenance, share, fee_rate)
    for market, position in list(state.accounts[FIRST].positions.items()):
        lots = whole(Fraction(abs(position.size) * share, PARTS), "the lots to close")
        price = state.markets[market].mark
        moved = vault.transfer_position(state, FIRST, VAULT, market, lots, price, "LIQ-13")
        state = moved.exchange
    state = pay(state, FIRST, VAULT, costs, "LIQ-13").exchange
    left: dict[str, object] = {
        f"{name}_after": Fraction(margin.position_of(state, FIRST, market).size, parts)
        for name, market in zip(held, markets, strict=True)
    }
    return {
        "upnl": Fraction(now.equity, unit) - put,
        "account_value": Fraction(now.equity, unit),
        "mmr": Fraction(now.maintenance, unit),
        "share": Fraction(share, PARTS),
        "collateral_after": Fraction(state.accounts[FIRST].collateral, unit),
        **left,
    }


# An outside liquidator, as at Drift.

E6, E9 = 10**6, 10**9


def lots_to_cover(example: Example) -> Mapping[str, object]:
    """Drift: how much base covers a shortage of margin. A lot is a billionth of the base."""
    shortage, ratio, fee_rate, insured, price, collateral = (
        int(example.inputs[key])
        for key in (
            "margin_shortage_1e6",
            "margin_ratio_1e4",
            "liquidator_fee_1e6",
            "if_fee_1e6",
            "oracle_price_1e6",
            "quote_price_1e6",
        )
    )
    lots = liquidation_size.lots_to_cover(
        shortage * E9, price, collateral, ratio * 100, fee_rate, insured
    )
    return {"base_1e9": UNLIMITED if lots is None else lots}


def insurance_fee(example: Example) -> Mapping[str, object]:
    """Drift: what the insurer charges at most."""
    shortage, base, ratio, fee_rate, price, collateral, most = (
        int(example.inputs[key])
        for key in (
            "margin_shortage_1e6",
            "base_1e9",
            "margin_ratio_1e4",
            "liquidator_fee_1e6",
            "oracle_1e6",
            "quote_price_1e6",
            "max_if_fee_1e6",
        )
    )
    part = number_of(example.venue, "insurance_fee_part")
    worth = base * price * collateral
    found = fee.insurance_fee_rate(shortage * E9 * E6, worth, ratio * 100, fee_rate, part, most)
    return {"if_fee_1e6": found}


def growing_fee(example: Example) -> Mapping[str, object]:
    """Drift: a liquidator's fee grows while nobody comes."""
    base, most, elapsed = (
        int(example.inputs[key]) for key in ("base_fee_1e6", "max_fee_1e6", "slots_elapsed")
    )
    grace, growth = (
        number_of(example.venue, key) for key in ("liquidator_grace", "liquidator_fee_growth")
    )
    return {"fee_1e6": fee.liquidator_fee(base, most, elapsed, grace, growth)}


def throttle(example: Example) -> Mapping[str, object]:
    """Drift: what may be liquidated so far; a small shortage is dealt with at once."""
    needed = example.number("margin_shortage")
    unit = quanta(needed) * CENTS
    shortage = int(needed * unit)
    small = number_of(example.venue, "small_shortage") * unit // CENTS
    elapsed, duration = (int(example.number(key)) for key in ("slot", "duration_slots"))
    initial = int(example.number("initial_pct_1e4")) * 100
    share = liquidation_time.freed_by_now(elapsed, duration, initial)
    closing = liquidation_size.first_lots(PARTS, shortage, share, small - 1, False)
    return {"pct_1e4": floor_div(closing, 100)}  # a percentage of a percent, rounded down


def taken_by_a_liquidator(example: Example) -> Mapping[str, object]:
    """Drift: a position passes to a liquidator, as much as covers what is lacking."""
    base, quote, oracle = (example.number(key) for key in ("base", "quote", "oracle"))
    deposit = example.number("deposit") if "deposit" in example.inputs else Fraction(0)
    fee_rate, most = (rate(example.number(key), key) for key in ("liquidator_fee", "if_fee"))
    parts = 10**9
    unit = quanta(oracle / parts, quote, deposit) * 10**3
    lots, at = int(base * parts), int(oracle / parts * unit)
    put = int((quote + deposit) * unit) + lots * at
    taker = AccountId(FIRST + 1)
    least = rate(example.number("mmr"), "the maintenance rate") if "mmr" in example.inputs else most
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(at, least)},
        {FIRST: holding(put, one=(lots, lots * at)), taker: holding(10**9 * unit)},
    )
    had = state.accounts[taker].collateral
    buffer = rate(example.number("buffer"), "the buffer") if "buffer" in example.inputs else 0
    safe = least + buffer
    needed = margin.maintenance_margin(Position(lots, 0), listed(at, safe))
    shortage = needed - margin.equity(state, FIRST)
    part = number_of(example.venue, "insurance_fee_part")
    worth = abs(lots) * at
    charged = fee.insurance_fee_rate(shortage, worth, safe, fee_rate, part, most)
    covering = liquidation_size.lots_to_cover(shortage, at, PARTS, safe, fee_rate, charged)
    moved = abs(lots) if covering is None else min(covering, abs(lots))
    price = liquidator.liquidator_price(at, lots, fee_rate)
    state = vault.transfer_position(state, FIRST, taker, ONE, moved, price, "VLT-9").exchange
    insured = fee.trading_fee(moved, at, charged)
    state = pay(state, FIRST, VAULT, insured, "FEE-6").exchange
    left, took = (margin.position_of(state, holder, ONE) for holder in (FIRST, taker))
    worth = abs(left.size) * at
    values: dict[str, object] = {
        "user_base": Fraction(left.size, parts),
        "user_quote": Fraction(state.accounts[FIRST].collateral - left.cost, unit) - deposit,
        "liquidator_base": Fraction(took.size, parts),
        "liquidator_quote": Fraction(state.accounts[taker].collateral - took.cost - had, unit),
        "if_fee_charged": Fraction(insured, unit),
        "if_fee": Fraction(insured, unit),
    }
    if worth:
        values["margin_ratio_after"] = Fraction(margin.equity(state, FIRST), worth)
    return values


# Volunteers.


def assignment(example: Example) -> Mapping[str, object]:
    """Kraken: the prices at which a volunteer is assigned a position."""
    least, most = (
        rate(example.number(key) / 10_000, key) for key in ("default_min_bps", "max_bps")
    )
    side = 1 if "long_position_mark" in example.inputs else -1
    mark = example.number("long_position_mark" if side > 0 else "short_position_mark")
    unit = quanta(mark) * PARTS
    window = volunteers.assignment_window(int(mark * unit), side, least, most)
    return {"price_range": [Fraction(price, unit) for price in window]}


def assigned_rest(example: Example) -> Mapping[str, object]:
    """Kraken: volunteers are assigned what the book has left of a position.

    What one of many gets follows from its pledge; without pledges the rules do not say it.
    """
    keys = [key for key in example.inputs if key.endswith(("_long", "_short"))]
    if len(keys) != 1:
        raise NotExpressible("not one position is named")
    (key,) = keys
    side = 1 if key.endswith("_long") else -1
    held = abs(whole(example.number(key), "the position"))
    filled = whole(example.number("filled_on_book"), "what is filled")
    taker, last = AccountId(FIRST + 1), AccountId(FIRST + 2)
    mark = PARTS
    held_at = holding(0, one=(side * held, side * held * mark))
    rich = holding(held * mark * 10)
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(mark, PARTS // 10)},
        {FIRST: held_at, taker: rich, last: rich},
    )
    if filled:
        booked = vault.transfer_position(state, FIRST, last, ONE, filled, mark, "LIQ-6")
        state = booked.exchange
    left = abs(margin.position_of(state, FIRST, ONE).size)
    assigned = 0
    if left:
        state = volunteers.volunteer(state, taker, ONE, left, 0).exchange
        state = volunteers.assign(state, FIRST, taker, ONE, left).exchange
        assigned = abs(margin.position_of(state, taker, ONE).size)
    return {"assigned": assigned, "because": "what one of several gets follows from its pledge"}


# Inverse contracts.


def inverse_bankruptcy(example: Example) -> Mapping[str, object]:
    """Bybit: an isolated inverse position behind which its margin at entry stands."""
    entry, leverage = example.number("entry"), example.number("leverage")
    side = side_of(example) if "side" in example.inputs else 1
    face = Fraction(side) * leverage.numerator * entry.numerator
    behind = (face / entry) + abs(face) / entry / leverage
    unit = quanta(face, behind)
    found = liquidation_inverse.inverse_due_price(int(face * unit), 0, int(behind * unit))
    return {"exact": Nearest(_found(found)), "rounded": _ticked(found, example, side)}


def _found(price: tuple[int, int] | None) -> Fraction:
    if price is None:
        raise NotExpressible("no price is the one at which these contracts are due")
    return Fraction(*price)


def _ticked(price: tuple[int, int] | None, example: Example, side: int) -> Fraction:
    """In favour of the account, as at Bybit: up for a long."""
    tick = exact(example.inputs.get("tick", "0.5"), "the tick")
    units = _found(price) / tick
    rounding = Rounding.UP if side > 0 else Rounding.DOWN
    ticks = liquidation_inverse.on_tick((units.numerator, units.denominator), 1, rounding)
    return ticks * tick


def inverse_cross(example: Example) -> Mapping[str, object]:
    """Bybit: an inverse position under cross margin; closing at bankruptcy has a fee.

    Maintenance margin is of the worth at entry, and the fee of the worth at bankruptcy.
    """
    balance, qty, entry = (example.number(key) for key in ("balance_btc", "qty", "entry"))
    least, fee_rate = (rate(example.number(key), key) for key in ("mmr", "fee"))
    side = side_of(example) if "side" in example.inputs else (1 if qty > 0 else -1)
    face = side * abs(qty)
    unit = quanta(face, face / entry, balance)
    behind = balance + Fraction(*liquidation_inverse.coins(int(face * unit), 1)) / entry / unit
    broke = liquidation_inverse.inverse_due_price(int(face * unit), fee_rate, int(behind * unit))
    at = _found(broke)
    needs = (Fraction(least, PARTS) / entry + Fraction(fee_rate, PARTS) / at) * abs(face)
    finer = quanta(face, behind - needs)
    due = liquidation_inverse.inverse_due_price(int(face * finer), 0, int((behind - needs) * finer))
    return {
        "bankruptcy_price": Nearest(at),
        "exact": Nearest(_found(due)),
        "liq_price": _ticked(due, example, side),
    }


INVERSE = re.compile(r"inverse, ([\d.,]*\d) contracts of ([\d.,]*\d) USD, (long|short)")


def inverse_equity(example: Example) -> Mapping[str, object]:
    """Kraken: an inverse position, due below a part of its worth of the moment; prices cut off."""
    said = INVERSE.fullmatch(str(example.inputs["contract"]))
    if said is None:
        raise NotExpressible("the contract is told in other words")
    contracts, one = (exact(number, "a number") for number in said.groups()[:2])
    face = contracts * one * (1 if said.group(3) == "long" else -1)
    entry, put = example.number("entry"), example.number("margin_btc")
    behind = put + face / entry
    unit = quanta(face, behind)
    due, broke = (
        _found(liquidation_inverse.inverse_due_price(int(face * unit), part, int(behind * unit)))
        for part in (rate(example.number("mm_fraction"), "the margin"), 0)
    )
    return {
        key: liquidation_inverse.on_tick((at.numerator, at.denominator), 1, Rounding.DOWN)
        for key, at in (("liq_price", due), ("zero_equity_limit", broke))
    }


KINDS: Mapping[tuple[str, frozenset[str]], Kind] = {
    kind("dydx-v4", "bankruptcy_adjustment_ppm", "spread_to_mmr_ratio_ppm"): fillable_price,
    kind("dydx-v4", "fill_base_quantums", "subticks", "max_liquidation_fee_ppm"): fund_delta,
    kind("bitmex", "side", "size", "bankruptcy_price", "fill", "fund"): fund_after_a_fill,
    kind("bitmex-style", "side", "bankruptcy_price", "fill"): surplus_of_a_lot,
    kind("hyperliquid", "position_value", "in_cooldown"): part_sent,
    kind("hyperliquid", "mm", "equity"): stage_reached,
    kind("okx", "swaps_held", "tier1_max"): stepped_down,
    kind("paradex", "account_value", "mmr", "share"): share_closed,
    kind("paradex", "positions", "collateral", "mmf"): share_chosen,
    kind("drift-v2", "margin_shortage_1e6", "if_fee_1e6", "oracle_price_1e6"): lots_to_cover,
    kind("drift-v2", "margin_shortage_1e6", "base_1e9", "max_if_fee_1e6"): insurance_fee,
    kind("drift-v2", "base_fee_1e6", "slots_elapsed"): growing_fee,
    kind("drift-v2", "margin_shortage", "initial_pct_1e4"): throttle,
    kind("drift-v2", "base", "quote", "oracle", "liquidator_fee"): taken_by_a_liquidator,
    kind("kraken-futures", "default_min_bps", "max_bps"): assignment,
    kind("kraken-futures", "filled_on_book"): assigned_rest,
    kind("kraken-futures", "contract", "entry", "margin_btc", "mm_fraction"): inverse_equity,
    kind("bybit", "entry", "leverage", "contract"): inverse_bankruptcy,
    kind("bybit", "balance_btc", "qty", "entry", "mmr", "fee"): inverse_cross,
}
"""The kinds by venue and by the inputs that they need."""
