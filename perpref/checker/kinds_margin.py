"""Worked examples about margins, liquidation prices and ticks."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import lcm

from attrs import evolve

from perpref.checker.example_kinds import (
    FIRST,
    ONE,
    REST,
    exchange,
    holding,
    kind,
    listed,
    number_of,
    rules_of,
    side_of,
    terms_of,
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
from perpref.outcome import Outcome
from perpref.rule_registry import Refusal
from perpref.rules import book, liquidation, margin
from perpref.state import Exchange, Market, Order, Position, Side, Tier
from perpref.units import (
    PARTS,
    AccountId,
    OrderId,
    Rounding,
    ceil_div,
    divided,
)


def scaled_initial_rate(example: Example) -> Mapping[str, object]:
    """dYdX: the initial rate grows with open interest."""
    base, interest, lower, upper = (
        int(example.inputs[key])
        for key in ("base_imf_ppm", "open_notional", "oi_lower_cap", "oi_upper_cap")
    )
    return {"imf_ppm": margin.scaled_rate(base, interest, lower, upper)}


def initial_margin(example: Example) -> Mapping[str, object]:
    """dYdX: a rate of notional, rounded up, in a market with this open interest.

    A lot is a quantum's worth, so that open notional and open interest are one number.
    """
    lots = int(example.inputs["notional_quote_quantums"])
    market = Market(
        int(example.inputs["base_imf_ppm"]),
        1,
        0,
        1,
        open_interest=int(example.inputs["open_notional"]),
        scaled_from=int(example.inputs["oi_lower_cap"]),
        scaled_to=int(example.inputs["oi_upper_cap"]),
    )
    return {"imr_quote_quantums": margin.initial_margin(Position(lots, lots), market)}


def net_notional(example: Example) -> Mapping[str, object]:
    """dYdX: a value that is no whole number of quanta is rounded towards zero."""
    ten = power_of_ten(
        int(example.inputs["atomic_resolution"]) + int(example.inputs["price_exponent"]) + 6
    )
    value = int(example.inputs["base_quantums"]) * int(example.inputs["price"]) * ten
    return {"net_notional": divided(value.numerator, value.denominator, Rounding.TOWARDS_ZERO)}


# Liquidation prices.


def alone(
    example: Example,
    equity: Fraction,
    size: Fraction,
    mark: Fraction,
    needs: Fraction,
    market: Market,
) -> tuple[Exchange, Fraction]:
    """One account with one position and what its other positions need; a tick in their currency."""
    parts = quanta(size)
    unit = quanta(equity, needs, mark / parts) if needs else quanta(equity, mark / parts)
    lots, at = whole(size * parts, "the size"), whole(mark / parts * unit, "the mark")
    rest = whole(needs * unit, "what the other positions need")
    markets = {ONE: evolve(market, mark=at, previous_mark=at, tiers=_in_quanta(market, unit))}
    positions = {"one": (lots, lots * at)}
    if rest:
        markets[REST] = listed(rest, PARTS)
        positions["rest"] = (1, rest)
    account = holding(whole(equity * unit, "the equity"), **positions)
    state = exchange(rules_of(example.venue), markets, {FIRST: account})
    return state, Fraction(parts, unit)


def _in_quanta(market: Market, unit: int) -> tuple[Tier, ...]:
    return tuple(evolve(tier, above=tier.above * unit) for tier in market.tiers)


def due_at(state: Exchange, tick: Fraction) -> Fraction:
    """The liquidation price of the one position, in currency."""
    found = liquidation.liquidation_price(state, FIRST, ONE)
    if found is None:
        raise NotExpressible("the price does not matter to this account")
    return Fraction(*found) * tick


def dydx_liquidation_price(example: Example) -> Mapping[str, object]:
    """dYdX: one position, or one of several, and the equity that is left at its price."""
    equity, size, price = (example.number(key) for key in ("equity", "size", "price"))
    needs = example.number("other_mmr") if "other_mmr" in example.inputs else Fraction(0)
    market = listed(1, rate(example.number("mmf"), "the maintenance rate"))
    at = due_at(*alone(example, equity, size, price, needs, market))
    return {"liq_price": Nearest(at), "equity_at_liq": Nearest(equity + size * (at - price))}


def leverage_liquidation_price(example: Example) -> Mapping[str, object]:
    """Hyperliquid: an isolated position, margin half of what the highest leverage leaves."""
    price, size, put = (example.number(key) for key in ("price", "size", "isolated_margin"))
    half = ceil_div(PARTS, 2 * int(example.number("max_leverage")))
    signed = size * side_of(example)
    state, tick = alone(example, put, signed, price, Fraction(0), listed(1, half))
    now = margin.health(state, FIRST)
    unit = Fraction(now.equity) / put
    return {
        "maintenance_required": Fraction(now.maintenance) / unit,
        "margin_available": Fraction(now.equity - now.maintenance) / unit,
        "liq_price": Nearest(due_at(state, tick)),
    }


def tier_liquidation_price(example: Example) -> Mapping[str, object]:
    """Binance: the wallet, what else the account holds, and the deduction of the tier."""
    wallet, size, entry = (example.number(key) for key in ("wallet_balance", "size", "entry"))
    needs, profit = (example.number(key) for key in ("other_mm", "other_upnl"))
    if example.inputs["mode"] == "isolated":
        needs = profit = Fraction(0)
    least = rate(example.number("mmr"), "the maintenance rate")
    amount = example.number("maintenance_amount")
    signed = size * side_of(example)
    parts = quanta(size)
    behind = wallet + profit - needs - signed * entry
    unit = quanta(behind, amount)
    found = liquidation.due_price(
        int(signed * parts), least, int(amount * unit) * PARTS, int(behind * unit)
    )
    if found is None:
        raise NotExpressible("the price does not matter to this account")
    return {"liq_price": Nearest(Fraction(*found) * Fraction(parts, unit))}


def entry_liquidation_price(example: Example) -> Mapping[str, object]:
    """Bybit: an isolated position whose margins stay what they were at the entry price."""
    entry, size, extra = (example.number(key) for key in ("entry", "size", "extra_margin"))
    worth, side = entry * abs(size), side_of(example)
    least_rate = rate(example.number("mmr"), "the maintenance rate")
    put = 1 / example.number("leverage")
    unit = quanta(worth, extra)
    parts = quanta(size)
    initial = Fraction(margin.tiered(int(worth * unit), put.numerator, ()), put.denominator)
    least = Fraction(margin.tiered(int(worth * unit), least_rate, ()), PARTS)
    behind = initial + extra * unit - side * worth * unit - least
    finer = quanta(behind)
    found = liquidation.due_price(side * int(abs(size) * parts), 0, 0, int(behind * finer))
    assert found is not None
    return {
        "im": Nearest(initial / unit),
        "mm": Nearest(least / unit),
        "liq_price": Nearest(Fraction(*found) * Fraction(parts, unit * finer)),
    }


def bought_liquidation_price(example: Example) -> Mapping[str, object]:
    """Drift: a deposit and a long bought with it."""
    deposit, size, entry = (example.number(key) for key in ("deposit", "long_base", "entry"))
    market = listed(1, rate(example.number("mmf"), "the maintenance rate"))
    at = due_at(*alone(example, deposit, size, entry, Fraction(0), market))
    return {
        "exact_price": Nearest(at),
        "doc_price": Nearest(at),
        "because": _at_the_page(example, deposit, size, entry),
    }


def _at_the_page(example: Example, deposit: Fraction, size: Fraction, entry: Fraction) -> str:
    """What the account has and needs at the price that the page names."""
    said = exact(str(example.expected.get("doc_price", entry)).split(" ")[0], "a price")
    has, needs = deposit + size * (said - entry), abs(size) * said * example.number("mmf")
    when = "before" if has < needs else "after"
    at, margin_then, equity_then = (f"{float(number):.10g}" for number in (said, needs, has))
    return f"at {at} its margin is {margin_then} and its equity {equity_then}: it is due {when}"


# Tiers.


def _leverages(example: Example) -> tuple[Fraction, ...]:
    return tuple(Fraction(1, 2 * int(most)) for most in example.inputs["max_leverage"])


def tier_margin(example: Example) -> Mapping[str, object]:
    """Hyperliquid: two tiers by the highest leverage; maintenance margin is half of it.

    A half of a third is no whole number of millionths; MRG-6 is exact in any parts, so the parts
    are such that both rates are whole.
    """
    low, high = _leverages(example)
    bound, worth = example.number("tier_bound"), example.number("notional")
    unit, parts = quanta(bound, worth), lcm(low.denominator, high.denominator)
    tiers = ((int(bound * unit), int(high * parts)),)
    needed = Fraction(margin.tiered(int(worth * unit), int(low * parts), tiers), parts * unit)
    ratio = high if worth > bound else low
    return {"rate": ratio, "maintenance": needed, "deduction": ratio * worth - needed}


def margin_of_leverage(example: Example) -> Mapping[str, object]:
    """Hyperliquid: the maintenance margin of a notional of one, by highest leverage."""
    found = []
    for most in example.inputs["max_leverage"]:
        initial = ceil_div(PARTS, int(most))
        market = listed(1, ceil_div(initial, 2), initial)
        needed = margin.maintenance_margin(Position(PARTS, PARTS), market)
        found.append(Nearest(Fraction(needed, PARTS)))
    return {"mm_fraction": found}


def listed_tiers(example: Example) -> Mapping[str, object]:
    """Binance: rate and amount of the tiers that its rulebook lists."""
    low, high = (exact(said, "a notional") for said in example.inputs["btcusdt_notional"])
    market = terms_of(example.venue, "BTC")
    unit = 100

    def rate_at(worth: Fraction) -> int:
        held = int(worth * unit)
        one, two = (
            margin.tiered(n, market.maintenance_rate, _rates(market)) for n in (held, held + 1)
        )
        return two - one

    lots = int(high * unit)
    at = rate_at(high)
    amount = at * lots - margin.tiered(lots, market.maintenance_rate, _rates(market))
    return {
        f"mmr_at_{low}": Fraction(rate_at(low), PARTS),
        f"maintenance_amount_at_{high}": Fraction(amount, PARTS * unit),
    }


def _rates(market: Market) -> tuple[tuple[int, int], ...]:
    return margin.maintenance_rates(market.tiers)


def order_margin(example: Example) -> Mapping[str, object]:
    """Paradex: open orders need margin, on the worse side."""
    size, buys, sells = (example.number(key) for key in ("position", "buy_orders", "sell_orders"))
    parts = quanta(size, buys, sells)
    initial = rate(example.number("imf"), "the initial rate")
    mark = example.number("mark") / parts
    unit = quanta(mark) * PARTS
    held, buying, selling = (int(lots * parts) for lots in (size, buys, sells))
    needed = margin.order_margin(held, buying, selling, listed(int(mark * unit), 1, initial))
    return {
        "buy_open": size + buys,
        "sell_open": sells - size,
        "net_imr": Fraction(needed, unit),
    }


# Orders and ticks.


def kept_orders(example: Example) -> Mapping[str, object]:
    """Paradex: which orders an account keeps below initial margin."""
    said = {
        Side.BUY: example.inputs["buy_orders"],
        Side.SELL: example.inputs["sell_orders"],
    }
    numbers = [exact(n, "an order") for rows in said.values() for row in rows for n in row]
    position = example.number("position")
    unit = quanta(position, *numbers)
    orders: list[Order] = []
    names: dict[OrderId, list[str]] = {}
    for side, listed_orders in said.items():
        for lots, price in listed_orders:
            order_id = OrderId(len(orders) + 1)
            names[order_id] = [lots, price]
            at, many = (int(exact(number, "an order") * unit) for number in (price, lots))
            orders.append(Order(order_id, FIRST, side, at, many))
    kept = book.kept(int(position * unit), tuple(orders))
    return {"kept": [names[order.id] for order in kept]}


def price_tick(example: Example) -> Mapping[str, object]:
    """Hyperliquid: significant figures and decimals of a price; integers are always allowed."""
    figures, most = (number_of(example.venue, key) for key in ("price_figures", "price_decimals"))
    decimals = most - int(example.inputs["szDecimals"])
    price = example.number("price")
    step = power_of_ten(-decimals)
    finer = max(quanta(price), step.denominator)
    finest = int(min(finer * step, Fraction(finer)))
    return {"valid": book.is_on_tick(int(price * finer), figures, finest, finer)}


def size_lot(example: Example) -> Mapping[str, object]:
    """Hyperliquid: a size is a whole number of lots, or there is no such order."""
    lots = example.number("size") * power_of_ten(int(example.inputs["szDecimals"]))
    state = exchange(rules_of(example.venue), {ONE: listed(1, 1)}, {FIRST: holding(1)})
    if lots.denominator != 1:
        return {"valid": False}
    order = Order(OrderId(1), AccountId(FIRST), Side.BUY, 1, int(lots))
    try:
        accepted = book.accept(state, ONE, order)
    except Refusal:
        return {"valid": False}
    return {"valid": isinstance(accepted, Outcome)}


KINDS: Mapping[tuple[str, frozenset[str]], Kind] = {
    kind("dydx-v4", "base_imf_ppm", "notional_quote_quantums"): initial_margin,
    kind("dydx-v4", "base_imf_ppm", "oi_lower_cap", "open_notional"): scaled_initial_rate,
    kind("dydx-v4", "base_quantums", "price", "price_exponent"): net_notional,
    kind("dydx-v4", "equity", "size", "price", "mmf"): dydx_liquidation_price,
    kind("hyperliquid", "price", "size", "isolated_margin"): leverage_liquidation_price,
    kind("binance", "wallet_balance", "maintenance_amount", "mmr"): tier_liquidation_price,
    kind("bybit", "entry", "leverage", "mmr", "extra_margin"): entry_liquidation_price,
    kind("drift-v2", "deposit", "long_base", "entry", "mmf"): bought_liquidation_price,
    kind("hyperliquid", "tier_bound", "max_leverage", "notional"): tier_margin,
    kind("hyperliquid", "max_leverage"): margin_of_leverage,
    kind("binance", "btcusdt_notional"): listed_tiers,
    kind("paradex", "position", "buy_orders", "imf"): order_margin,
    kind("paradex", "position", "buy_orders", "sell_orders"): kept_orders,
    kind("hyperliquid", "price", "szDecimals"): price_tick,
    kind("hyperliquid", "size", "szDecimals"): size_lot,
}
"""The kinds by venue and by the inputs that they need."""
