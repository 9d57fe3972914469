"""The kinds of worked examples that the rules can say, each through the functions that run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from math import gcd

from attrs import evolve, frozen

from perpref.checker.rulebook_file import Venue, load_venue
from perpref.checker.worked_examples import (
    Example,
    Kind,
    NotExpressible,
    exact,
    power_of_ten,
    quanta,
    rate,
)
from perpref.machine import require_valid
from perpref.outcome import Filled
from perpref.rule_registry import Refusal
from perpref.rules import adl, liquidation, margin, settlement, vault
from perpref.scheduler import ByRulebook, Run, close_against_winners, queue
from perpref.state import (
    TREASURY,
    VAULT,
    Account,
    Exchange,
    Market,
    Position,
    Ranking,
    Rulebook,
)
from perpref.table import Table
from perpref.units import PARTS, AccountId, MarketId, OrderId

FIRST = AccountId(2)
"""The account that most examples are about."""

ONE, OTHER, REST = MarketId(1), MarketId(2), MarketId(3)


RULEBOOKS = {
    "bitmex-style": "bitmex",
    "drift-v2": "drift",
    "gmx-v2": "gmx",
    "kraken-futures": "kraken",
}
"""The rulebooks of venues that examples name otherwise."""


@cache
def venue_of(venue: str) -> Venue:
    """The shipped rulebook of an example's venue."""
    return load_venue(RULEBOOKS.get(venue, venue))


def rules_of(venue: str) -> Rulebook:
    """What an example's venue chose, as it is shipped."""
    return venue_of(venue).rulebook


def number_of(venue: str, key: str) -> int:
    """A number of the venue's own formulas, from its rulebook."""
    found = venue_of(venue).formulas.get(key)
    if found is None:
        raise NotExpressible(f"the rulebook of the venue has no {key}")
    return found


def terms_of(venue: str, market: str) -> Market:
    """A market of the venue's rulebook."""
    shipped = venue_of(venue)
    return shipped.terms[shipped.markets[market]].opened()


def exchange(
    rulebook: Rulebook, markets: Mapping[MarketId, Market], accounts: Mapping[AccountId, Account]
) -> Exchange:
    """An exchange in a given state, under valid terms. Its pot holds what the accounts claim."""
    require_valid(rulebook, markets.items())
    holders = {VAULT: Account(0, Table()), TREASURY: Account(0, Table()), **accounts}
    claims = (
        holder.collateral - sum(position.cost for _, position in holder.positions.items())
        for holder in holders.values()
    )
    return Exchange(
        rulebook, Table(markets.items()), Table(holders.items()), sum(claims), OrderId(0)
    )


def holding(collateral: int, **positions: tuple[int, int]) -> Account:
    """An account with (size, cost) in markets named one, other and rest."""
    markets = {"one": ONE, "other": OTHER, "rest": REST}
    held = ((markets[name], Position(*position)) for name, position in positions.items())
    return Account(collateral, Table((market, p) for market, p in held if p.size != 0))


def listed(mark: int, maintenance: int, initial: int | None = None) -> Market:
    """A market at a mark, with margins in parts per million."""
    return Market(initial or maintenance, maintenance, 0, mark)


def whole(number: Fraction, what: str) -> int:
    """An integer, or the reason why there is none."""
    if number.denominator != 1:
        raise NotExpressible(f"{what} is no whole number of quanta")
    return int(number)


def kind(venue: str, *inputs: str) -> tuple[str, frozenset[str]]:
    """A kind of example: its venue, and the inputs that it needs."""
    return venue, frozenset(inputs)


# Who is first in an ADL.


def margined_return(example: Example) -> Mapping[str, object]:
    """Binance and Aster: profit over wallet times the margin ratio, through ADL-2.

    A short whose notional is its maintenance margin can have any profit.
    """
    profit, wallet, needs = (example.number(k) for k in ("upnl", "wallet", "maintenance_margin"))
    unit = quanta(profit, wallet, needs)
    if wallet < 1 and unit != 1:
        raise NotExpressible(
            "a wallet of less than one unit of currency counts as one; in ADL-2 one quantum does"
        )
    mark = whole(needs * unit, "the margin")
    cost = -mark - whole(profit * unit, "the profit")
    if cost >= 0:
        raise NotExpressible("the loss is more than a position of this margin can make")
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(mark, PARTS)},
        {FIRST: holding(whole(wallet * unit, "the wallet"), one=(-1, cost))},
    )
    stands = adl.standing(state, FIRST, ONE)
    score = Fraction(*adl.score(stands, state.rulebook.deleverage_ranking))
    returned = Fraction(max(stands.profit, 0), max(stands.collateral, 1))
    ratio = Fraction(stands.maintenance, stands.equity) if stands.equity > 0 else Fraction(0)
    return {"pnl_percent": returned, "margin_ratio": ratio, "leverage_pnl": score}


def signed_return(example: Example) -> Mapping[str, object]:
    """BitMEX: a position from its entry, mark and bankruptcy price, ranked by ADL-2."""
    entry, mark, bankruptcy = (example.number(key) for key in ("entry", "mark", "bankruptcy"))
    unit = quanta(entry, mark, bankruptcy)
    lots, side = whole(example.number("qty"), "the size"), side_of(example)
    at_entry, at_mark, at_bankruptcy = (int(p * unit) for p in (entry, mark, bankruptcy))
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(at_mark, 1)},
        {
            FIRST: holding(
                side * (at_entry - at_bankruptcy) * lots, one=(side * lots, side * at_entry * lots)
            )
        },
    )
    if liquidation.bankruptcy_price(state, FIRST, ONE) != at_bankruptcy:
        raise NotExpressible("the bankruptcy price does not follow from the account")
    stands = adl.standing(state, FIRST, ONE)
    return {
        "pnl_pct": Fraction(stands.profit, stands.cost),
        "eff_leverage": Fraction(stands.notional, stands.margin),
        "rank": Fraction(*adl.score(stands, state.rulebook.deleverage_ranking)),
    }


def side_of(example: Example) -> int:
    """+1 for a long, -1 for a short, however the example says it."""
    sides = {"long": 1, "short": -1, 1: 1, -1: -1}
    side = example.inputs["side"]
    if side not in sides:
        raise NotExpressible(f"a side is long or short, not {side}")
    return sides[side]


def mark_to_entry(example: Example) -> Mapping[str, object]:
    """Hyperliquid: the published index, read literally and with regard to the side."""
    key = "longs" if "longs" in example.inputs else "shorts"
    entries = example.inputs[key]
    names = [entry["id"] for entry in entries]
    numbers = {
        (entry["id"], part): exact(entry[part], part)
        for entry in entries
        for part in ("entry", "size", "account_value")
    }
    mark = example.number("mark")
    unit = quanta(mark, *numbers.values())
    at = int(mark * unit)
    accounts = {}
    for place, name in enumerate(names):
        size = whole(numbers[name, "size"], "a size")
        cost = whole(numbers[name, "entry"] * unit * size, "a cost")
        worth = whole(numbers[name, "account_value"] * unit, "a value")
        accounts[AccountId(FIRST + place)] = holding(worth - size * at + cost, one=(size, cost))
    state = exchange(rules_of(example.venue), {ONE: listed(at, 1)}, accounts)
    ranking = state.rulebook.deleverage_ranking
    literal = Ranking.MARK_TO_ENTRY_LITERAL
    index = {
        name: Fraction(*adl.score(adl.standing(state, account, ONE), literal))
        for name, account in zip(names, accounts, strict=True)
    }
    loser = AccountId(FIRST + len(names))
    size = -sum(holder.positions[ONE].size for holder in accounts.values())
    opposite = holding(0, one=(size, size * at))
    faced = exchange(state.rulebook, {ONE: listed(at, 1)}, {**accounts, loser: opposite})

    def first(by: Ranking) -> str:
        book = evolve(faced.rulebook, deleverage_ranking=by)
        return str(names[queue(evolve(faced, rulebook=book), loser, ONE)[0] - FIRST])

    return {
        "index": index,
        "literal_index": index,
        "first": first(ranking),
        "literal_first": first(literal),
        "side_aware_first": first(Ranking.MARK_TO_ENTRY),
    }


# The bankruptcy price.


def zero_price(example: Example) -> Mapping[str, object]:
    """Lighter: one lot at the mark; what else the account must hold is a market of its own."""
    mark_key = "mark_ticks" if "mark_ticks" in example.inputs else "mark"
    mark, worth, needs = (example.number(k) for k in (mark_key, "account_value", "total_mmr"))
    size = example.number("size") if "size" in example.inputs else Fraction(1)
    notional = mark * size
    if needs <= 0:
        raise NotExpressible("an account with a position needs a margin")
    unit = quanta(notional, worth, needs)
    at, equity = int(notional * unit), int(worth * unit)
    market = listed(at, rate(example.number("mmf"), "the maintenance rate"))
    side = side_of(example)
    while "size" not in example.inputs and needs * unit < at:  # a smaller lot: finer quanta
        unit, equity = unit * 10, equity * 10
    rest = int(needs * unit) - margin.maintenance_margin(Position(side, at), market)
    if rest < 0:
        raise NotExpressible("the position alone needs more than the account does")
    positions = {"one": (side, side * at)}
    markets = {ONE: market}
    if rest:
        markets[REST] = listed(rest, PARTS)
        positions["rest"] = (1, rest)
    state = exchange(rules_of(example.venue), markets, {FIRST: holding(equity, **positions)})
    price = liquidation.bankruptcy_price(state, FIRST, ONE) * notional / at
    return {"zero_price_ticks": price, "zero_price": price / size, "quote": price}


SETUP = re.compile(r"(BTC|ETH) oracle (\d+) \(atomic resolution (-\d+)\)")
MARGINS = re.compile(r"IMF (\d+)%, MMF (\d+)%")
QUOTE_QUANTA = 10**6


def _dydx_markets(example: Example, lot: int) -> dict[str, Market]:
    """The markets of a setup in words; a lot is so many base quanta."""
    said = str(example.inputs["market_setup"])
    margins = MARGINS.search(said)
    if margins is None:
        raise NotExpressible("the setup does not name its margins")
    initial, maintenance = (int(percent) * 10_000 for percent in margins.groups())
    markets = {}
    for name, price, resolution in SETUP.findall(said):
        per_lot = Fraction(int(price) * QUOTE_QUANTA * lot) * power_of_ten(int(resolution))
        markets[name] = listed(whole(per_lot, "a price"), maintenance, initial)
    return markets


def cash(value: object) -> int:
    """Dollars as text, in quote quanta."""
    return whole(exact(value, "a balance") * QUOTE_QUANTA, "a balance")


def bankruptcy_quote(example: Example) -> Mapping[str, object]:
    """dYdX: what closing a part of a position is worth at the bankruptcy price, signed."""
    positions = {
        entry["market"]: int(entry["base_quantums"]) for entry in example.inputs["positions"]
    }
    closing, delta = (
        str(example.inputs["closing_market"]),
        int(example.inputs["delta_base_quantums"]),
    )
    lot = gcd(delta, *positions.values())
    state = dydx_account(example, positions, lot, cash(example.inputs["usdc_balance"]))
    price = liquidation.bankruptcy_price(state, FIRST, ONE if closing == "BTC" else OTHER)
    because = (
        f"LIQ-5 rounds the price of one lot, {price} here, and keeps it at 1 or above; dYdX rounds "
        f"the value of all {abs(delta) // lot} lots, which may be negative"
    )
    return {"bankruptcy_quote_quantums": -delta // lot * price, "because": because}


def dydx_account(
    example: Example, positions: Mapping[str, int], lot: int, balance: int
) -> Exchange:
    """One account. A dYdX balance is what is left after the positions were paid for."""
    markets = _dydx_markets(example, lot)
    held = {}
    for name, quantums in positions.items():
        lots = quantums // lot
        held["one" if name == "BTC" else "other"] = (lots, lots * markets[name].mark)
    worth = balance + sum(cost for _, cost in held.values())
    return exchange(
        rules_of(example.venue),
        {ONE: markets["BTC"], OTHER: markets["ETH"]},
        {FIRST: holding(worth, **held)},
    )


def linear_bankruptcy(example: Example) -> Mapping[str, object]:
    """Bybit: the bankruptcy price of a linear position, and at what ADL then closes it."""
    entry, mark, put, wallet = (
        example.number(key) for key in ("entry", "mark", "position_margin", "wallet")
    )
    unit = quanta(entry, mark, put, wallet)
    lots, side = whole(example.number("size"), "the size"), side_of(example)
    at = int(mark * unit)
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(at, 1)},
        {
            FIRST: holding(
                int((put + wallet) * unit), one=(side * lots, int(side * entry * unit * lots))
            )
        },
    )
    return {
        "bankruptcy_price": Fraction(liquidation.bankruptcy_price(state, FIRST, ONE), unit),
        "adl_price": Fraction(adl.deleveraging_price(state, FIRST, ONE), unit),
    }


# One deleveraging.


def at_any_time(rulebook: Rulebook) -> Rulebook:
    """The rulebook without ADL-6: dYdX tests the fill by itself, whoever is solvent."""
    return evolve(rulebook, deleverage_only_insolvent=False)


def deleveraging(example: Example) -> Mapping[str, object]:
    """dYdX: one account is closed against another, in quanta; or it is refused."""
    delta = int(example.inputs["delta_base_quantums_of_liquidated"])
    sides = ("liquidated", "offsetting")
    sizes = {side: int(example.inputs[side]["btc_base_quantums"]) for side in sides}
    cash = {side: int(example.inputs[side]["usdc_quote_quantums"]) for side in sides}
    return _deleveraged(example, delta, sizes, cash)


def _deleveraged(
    example: Example, delta: int, sizes: Mapping[str, int], cash: Mapping[str, int]
) -> Mapping[str, object]:
    lot = gcd(delta, *sizes.values())
    market = _dydx_markets(example, lot)["BTC"]
    accounts = {}
    for place, side in enumerate(sizes):
        lots = sizes[side] // lot
        cost = lots * market.mark
        accounts[AccountId(FIRST + place)] = holding(cash[side] + cost, one=(lots, cost))
    state = exchange(at_any_time(rules_of(example.venue)), {ONE: market}, accounts)
    close = adl.deleverage
    if example.rule.startswith("final-settlement"):
        state, close = settlement.begin_settlement(state, ONE).exchange, settlement.settle
    try:
        outcome = close(state, FIRST, AccountId(FIRST + 1), ONE, abs(delta) // lot)
    except Refusal as refusal:
        return {"error": refusal}
    (filled,) = outcome.events
    assert isinstance(filled, Filled)
    signed = filled.lots * filled.price * (1 if delta < 0 else -1)
    return {"fill_quote_quantums": signed, **dict(_left(outcome.exchange, sizes, lot))}


def _left(state: Exchange, sides: Mapping[str, int], lot: int) -> Iterator[tuple[str, object]]:
    """What each side is left with, as dYdX shows it: cash after all positions were paid for."""
    for place, side in enumerate(sides):
        holder = state.accounts[AccountId(FIRST + place)]
        position = margin.position_of(state, AccountId(FIRST + place), ONE)
        yield (
            side,
            {
                "usdc_quote_quantums": holder.collateral - position.cost,
                "btc_base_quantums": position.size * lot,
            },
        )


def invalid_delta(example: Example) -> Mapping[str, object]:
    """dYdX: nothing to close, nothing to close with, or the wrong side."""
    size = int(example.inputs["position_base_quantums"])
    delta = int(example.inputs["delta_base_quantums"])
    lot = gcd(size, delta)
    held = {"BTC": size} if size else {}
    state = dydx_account(example, held, lot, cash(example.inputs["usdc_balance"]))
    mark = state.markets[ONE].mark
    try:
        closing = -delta // lot if size > 0 else delta // lot
        vault.transfer_position(state, FIRST, VAULT, ONE, closing, mark, "ADL-3")
    except Refusal as refusal:
        return {"error": refusal}
    return {}


CANDIDATE = re.compile(r"(\w+) (long|short) ([\d.]+)(?: (BTC|ETH))?(?: only)?(?:, (-?[\d.]+))?")
VICTIM = re.compile(r"short 1 BTC, (\d+)")
ORACLE = re.compile(r"BTC oracle (\d+), IMF = MMF = 100%")


def walk(example: Example) -> Mapping[str, object]:
    """dYdX: candidates in their order, each closed as far as it may be, others passed over."""
    oracle = ORACLE.search(str(example.inputs["setup"]))
    victim = VICTIM.search(str(example.inputs["liquidated"]))
    found = [CANDIDATE.fullmatch(str(said)) for said in example.inputs["candidates"]]
    if oracle is None or victim is None or None in found:
        raise NotExpressible("the story is told in other words")
    mark, unit, lots = (
        int(oracle.group(1)),
        10,
        10,
    )  # a lot is a tenth, a quantum a tenth of a dollar
    accounts = {
        FIRST: holding(int(victim.group(1)) * unit - mark * unit, one=(-lots, -mark * unit))
    }
    names = {}
    for place, one in enumerate(filter(None, found), 1):
        name, side, size, market, cash = one.groups()
        held = whole(Fraction(size) * lots, "a size") * (1 if side == "long" else -1)
        cost = held * mark
        worth = whole(exact(cash or "0", "a balance") * unit, "a balance")
        where = "other" if market == "ETH" else "one"
        accounts[AccountId(FIRST + place)] = holding(worth + cost, **{where: (held, cost)})
        names[AccountId(FIRST + place)] = name
    markets = {ONE: listed(mark, PARTS), OTHER: listed(mark, PARTS)}
    state = exchange(at_any_time(rules_of(example.venue)), markets, accounts)
    run = Run(state, InOrder(tuple(names)))
    close_against_winners(run, FIRST, ONE)
    fills = [event for event in run.outcome().events if isinstance(event, Filled)]
    left = abs(margin.position_of(run.exchange, FIRST, ONE).size)
    values: dict[str, object] = {
        "fills": [[names[fill.seller], Fraction(fill.lots, lots)] for fill in fills],
        "remaining": Fraction(left, lots),
        "open_interest": Fraction(left, lots),
    }
    if fills:
        values["price"] = Fraction(fills[0].price * lots, unit)
    for account, name in names.items():
        position = margin.position_of(run.exchange, account, ONE)
        cash_left = run.exchange.accounts[account].collateral - position.cost
        values[f"{name}_usdc"] = Fraction(cash_left, unit)
    return values


@frozen
class InOrder(ByRulebook):
    """Counterparties in an order that somebody else gave, the other side only."""

    order: tuple[AccountId, ...]

    def counterparties(
        self, exchange: Exchange, account: AccountId, market: MarketId
    ) -> Iterator[AccountId]:
        opposite = set(queue(exchange, account, market))
        return (other for other in self.order if other in opposite)


# Margins, fees and funding.


KINDS: Mapping[tuple[str, frozenset[str]], Kind] = {
    kind("binance", "upnl", "wallet", "maintenance_margin"): margined_return,
    kind("aster", "upnl", "wallet", "maintenance_margin"): margined_return,
    kind("bitmex", "side", "entry", "mark", "bankruptcy", "qty"): signed_return,
    kind("hyperliquid", "longs", "mark"): mark_to_entry,
    kind("hyperliquid", "shorts", "mark"): mark_to_entry,
    kind("lighter", "mmf", "account_value", "total_mmr", "side"): zero_price,
    kind("bybit", "entry", "position_margin", "wallet", "mark"): linear_bankruptcy,
    kind("dydx-v4", "positions", "closing_market", "delta_base_quantums"): bankruptcy_quote,
    kind("dydx-v4", "position_base_quantums", "delta_base_quantums"): invalid_delta,
    kind("dydx-v4", "delta_base_quantums_of_liquidated"): deleveraging,
    kind("dydx-v4", "setup", "liquidated", "candidates"): walk,
}
"""The kinds of examples by venue and by the inputs that they need."""
