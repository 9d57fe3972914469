"""Worked examples about liquidations, vaults and what else stands before the winners."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import gcd

from perpref.checker.example_kinds import (
    FIRST,
    ONE,
    OTHER,
    cash,
    dydx_account,
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
    NotExpressible,
    exact,
    quanta,
    rate,
)
from perpref.rules import (
    adl,
    fee,
    liquidation,
    liquidation_size,
    liquidator,
    margin,
    vault,
    volunteers,
)
from perpref.rules.ledger import pay
from perpref.state import VAULT, Position
from perpref.units import PARTS, AccountId

UNLIMITED = 2**64 - 1
"""What Drift's test says for "all there is"."""


def fillable_price(example: Example) -> Mapping[str, object]:
    """dYdX: the limit of a liquidation order, for one base quantum."""
    positions = {
        entry["market"]: int(entry["base_quantums"]) for entry in example.inputs["positions"]
    }
    name = str(example.inputs["liquidated_market"])
    lot = gcd(*positions.values())
    state = dydx_account(example, positions, lot, cash(example.inputs["usdc_balance"]))
    market = ONE if name == "BTC" else OTHER
    position, now = margin.position_of(state, FIRST, market), margin.health(state, FIRST)
    weight = margin.maintenance_margin(position, state.markets[market])
    finer = now.maintenance * PARTS * PARTS * abs(position.size)  # then nothing is rounded
    price = liquidation.fillable_price(
        state.markets[market].mark * finer,
        position.size,
        weight * finer,
        now.equity * finer,
        now.maintenance * finer,
        int(example.inputs["bankruptcy_adjustment_ppm"]),
        int(example.inputs["spread_to_mmr_ratio_ppm"]),
    )
    return {"price_quote_quantums_per_base_quantum": Fraction(price, lot * finer)}


def fund_delta(example: Example) -> Mapping[str, object]:
    """dYdX: what a fill brings the fund, or costs it, against the value at bankruptcy."""
    (held,) = example.inputs["positions"]
    size, filled = int(held["base_quantums"]), int(example.inputs["fill_base_quantums"])
    if abs(size) % filled:
        raise NotExpressible("the position is no multiple of the fill")
    state = dydx_account(
        example, {held["market"]: size}, filled, cash(example.inputs["usdc_balance"])
    )
    side = 1 if size > 0 else -1
    value = side * int(Fraction(filled * int(example.inputs["subticks"]), 10**8))
    market = ONE if held["market"] == "BTC" else OTHER
    at_bankruptcy = side * liquidation.bankruptcy_price(state, FIRST, market)
    cap = int(example.inputs["max_liquidation_fee_ppm"])
    return {
        "insurance_fund_delta_quote_quantums": vault.fund_delta(value, at_bankruptcy, cap),
        "because": f"LIQ-5 keeps the price of a lot, {abs(at_bankruptcy)} here, at 1 or above",
    }


def fund_after_a_fill(example: Example) -> Mapping[str, object]:
    """BitMEX: the fund gets what a fill beats the bankruptcy price by, and pays what it lacks."""
    at, price, fund = (example.number(key) for key in ("bankruptcy_price", "fill", "fund"))
    unit, side = quanta(at, price, fund), side_of(example)
    lots = whole(example.number("size"), "the size")
    value, least = (side * lots * int(one * unit) for one in (price, at))
    delta = vault.fund_delta(value, least, PARTS)
    after = int(fund * unit) + delta
    return {"fund_after": Fraction(after, unit), "adl": after < 0}


def surplus_of_a_lot(example: Example) -> Mapping[str, object]:
    """BTCMEX: all that a fill beats the bankruptcy price by goes to the fund."""
    at, price = (example.number(key) for key in ("bankruptcy_price", "fill"))
    unit, side = quanta(at, price), side_of(example)
    delta = vault.fund_delta(side * int(price * unit), side * int(at * unit), PARTS)
    return {"fund_delta": Fraction(delta, unit)}


# How much is closed.


def part_sent(example: Example) -> Mapping[str, object]:
    """Hyperliquid: the part of a position that the first order closes; a lot is a quantum's."""
    worth = example.number("position_value")
    unit = 100  # the rulebook's quanta are cents
    lots = whole(worth * unit, "the value")
    rulebook = rules_of(example.venue)
    share, most = rulebook.liquidation_share, rulebook.liquidation_whole
    closing = liquidation_size.first_lots(lots, lots, share, most, example.inputs["in_cooldown"])
    return {"fraction_sent": Fraction(closing, lots)}


def stage_reached(example: Example) -> Mapping[str, object]:
    """Hyperliquid: who may act on an account of this equity, the last one that may."""
    needs = example.number("mm")
    found = []
    for said in example.inputs["equity"]:
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
    return {"stage": found}


def stepped_down(example: Example) -> Mapping[str, object]:
    """OKX: a position steps down to the largest size of the first tier."""
    held, most = (int(example.inputs[key]) for key in ("swaps_held", "tier1_max"))
    return {"swaps_closed": liquidation_size.lots_above(held, most)}


def share_closed(example: Example) -> Mapping[str, object]:
    """Paradex: what closing a share of everything costs and leaves."""
    worth, needs = (example.number(key) for key in ("account_value", "mmr"))
    share = rate(example.number("share"), "the share")
    unit = quanta(worth, needs) * 10**6
    fee_rate = number_of(example.venue, "share_fee")
    costs = Fraction(liquidation_size.penalty(int(needs * unit), share, fee_rate), unit)
    left, needed = worth - costs, needs * (1 - Fraction(share, PARTS))
    ratio = needed / left
    return {
        "new_mmr": needed,
        "penalty": costs,
        "new_account_value": left,
        "margin_ratio": Fraction(int(ratio * 1_000 + Fraction(1, 2)), 1_000),
    }


def share_chosen(example: Example) -> Mapping[str, object]:
    """Paradex: the smallest share of all positions that makes an account safe again."""
    put, least = example.number("collateral"), rate(example.number("mmf"), "the maintenance rate")
    held = {
        name: tuple(exact(said, name) for said in row)
        for name, row in example.inputs["positions"].items()
    }
    if len(held) > 2:
        raise NotExpressible("an example holds at most two positions")
    parts = max(quanta(size) for size, _, _ in held.values()) * 10
    unit = quanta(put, *(price / parts for row in held.values() for price in row[1:])) * 10**6
    markets, positions = {}, {}
    for place, (size, entry, mark) in zip(("one", "other"), held.values(), strict=False):
        market = ONE if place == "one" else OTHER
        markets[market] = listed(int(mark / parts * unit), least)
        lots = int(size * parts)
        positions[place] = (lots, lots * int(entry / parts * unit))
    account = holding(int(put * unit), **positions)
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
    unit = 100  # the rulebook's quanta are cents
    shortage = whole(example.number("margin_shortage") * unit, "the shortage")
    small = number_of(example.venue, "small_shortage")
    elapsed, duration = (int(example.inputs[key]) for key in ("slot", "duration_slots"))
    share = min(PARTS, elapsed * PARTS // duration + int(example.inputs["initial_pct_1e4"]) * 100)
    closing = liquidation_size.first_lots(PARTS, shortage, share, small - 1, False)
    return {"pct_1e4": Fraction(closing, 100)}


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
    """Kraken: the prices at which a volunteer is assigned a long."""
    least, most = (int(example.inputs[key]) * 100 for key in ("default_min_bps", "max_bps"))
    mark = example.number("long_position_mark")
    unit = quanta(mark) * 10**4
    window = volunteers.assignment_window(int(mark * unit), 1, least, most)
    return {"price_range": [Fraction(price, unit) for price in window]}


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
}
"""The kinds by venue and by the inputs that they need."""
