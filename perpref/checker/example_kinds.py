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
    Nearest,
    NotExpressible,
    exact,
    power_of_ten,
    quanta,
    rate,
)
from perpref.machine import require_valid
from perpref.outcome import Filled
from perpref.rule_registry import require
from perpref.rules import adl, liquidation, liquidation_inverse, margin, settlement, vault
from perpref.scheduler import ByRulebook, Run, close_against_winners, queue
from perpref.state import (
    FLAT,
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
from perpref.units import MAX_PRICE, PARTS, AccountId, MarketId, OrderId, Rounding

FIRST = AccountId(2)
"""The account that most examples are about."""

CENTS = 100
"""The quanta of a rulebook are cents."""

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
    """An exchange in a given state, under valid terms. Its pot holds what the accounts claim.

    An example's quanta may be finer than a machine's; its marks are then beyond UNIT-2, and only
    that is let pass.
    """
    within = {
        market: evolve(
            terms,
            mark=min(terms.mark, MAX_PRICE),
            previous_mark=min(terms.previous_mark, MAX_PRICE),
        )
        for market, terms in markets.items()
    }
    require_valid(rulebook, within.items())
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

    A short can have any profit; its notional is so many times its margin that it can have the
    loss too.
    """
    profit, wallet, needs = (example.number(k) for k in ("upnl", "wallet", "maintenance_margin"))
    if needs <= 0:
        raise NotExpressible("an account with a position needs a margin")
    unit = quanta(profit, wallet, needs)
    times = 1
    while needs * times + profit <= 0 and times < PARTS:
        times *= 10
    mark = int(needs * unit) * times
    cost = -mark - int(profit * unit)
    if cost >= 0:
        raise NotExpressible("the loss is more than a position of this margin can make")
    state = exchange(
        rules_of(example.venue),
        {ONE: listed(mark, PARTS // times)},
        {FIRST: holding(int(wallet * unit), one=(-1, cost))},
    )
    stands = adl.standing(state, FIRST, ONE)
    least = unit * number_of(example.venue, "score_unit") // CENTS
    score = Fraction(*adl.margined_return(stands, least))
    returned = Fraction(max(stands.profit, 0), max(stands.collateral, least))
    ratio = Fraction(stands.maintenance, stands.equity) if stands.equity > 0 else Fraction(0)
    return {"pnl_percent": returned, "margin_ratio": ratio, "leverage_pnl": score}


def signed_return(example: Example) -> Mapping[str, object]:
    """BitMEX: a position from its entry, mark and bankruptcy price, ranked by ADL-2."""
    entry, mark, bankruptcy = (example.number(key) for key in ("entry", "mark", "bankruptcy"))
    size, side = example.number("qty"), side_of(example)
    if mark == bankruptcy:
        raise NotExpressible("at the bankruptcy price leverage has no bound")
    lots = abs(size.numerator)
    entry, mark, bankruptcy = (price / size.denominator for price in (entry, mark, bankruptcy))
    unit = quanta(entry, mark, bankruptcy)
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
    side = 1 if "longs" in example.inputs else -1
    entries = example.inputs["longs" if side == 1 else "shorts"]
    names = [entry["id"] for entry in entries]
    numbers = {
        (entry["id"], part): exact(entry[part], part)
        for entry in entries
        for part in ("entry", "size", "account_value")
    }
    mark = example.number("mark")
    parts = quanta(*(numbers[name, "size"] for name in names))
    unit = quanta(*(number / parts for number in (mark, *numbers.values())))
    at = int(mark / parts * unit)
    accounts = {}
    for place, name in enumerate(names):
        size = side * abs(int(numbers[name, "size"] * parts))
        cost = int(numbers[name, "entry"] / parts * unit) * size
        worth = int(numbers[name, "account_value"] * unit)
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
    """Lighter: one lot at the mark; what else the account must hold is a market of its own.

    Quanta are so fine that no margin is rounded; a price in ticks is, as the circuit does.
    """
    ticks = "mark_ticks" in example.inputs
    mark, worth, needs = (
        example.number(key)
        for key in ("mark_ticks" if ticks else "mark", "account_value", "total_mmr")
    )
    given = example.number("size") if "size" in example.inputs else None
    size, side = given or Fraction(1), side_of(example)
    if needs <= 0:
        raise NotExpressible("an account with a position needs a margin")
    least = rate(example.number("mmf"), "the maintenance rate")
    while given is None and needs * PARTS < mark * size * least:
        size /= 10
    unit = quanta(mark * size, worth, needs) * PARTS
    at, equity = int(mark * size * unit), int(worth * unit)
    market = listed(at, least)
    rest = int(needs * unit) - margin.maintenance_margin(Position(side, at), market)
    if rest < 0:
        raise NotExpressible("the position alone needs more than the account does")
    positions = {"one": (side, side * at)}
    markets = {ONE: market}
    if rest:
        markets[REST] = listed(rest, PARTS)
        positions["rest"] = (1, rest)
    state = exchange(rules_of(example.venue), markets, {FIRST: holding(equity, **positions)})
    price = Fraction(liquidation.bankruptcy_price(state, FIRST, ONE), unit) / size
    rounding = Rounding.UP if side > 0 else Rounding.DOWN
    whole_ticks = liquidation_inverse.on_tick((price.numerator, price.denominator), 1, rounding)
    quote = Nearest(price * size)
    return {"zero_price_ticks": whole_ticks, "zero_price": Nearest(price), "quote": quote}


MARKET = re.compile(r"([A-Z][A-Z0-9]*) oracle ([\d.,]*\d)(?: \(atomic resolution (-?\d+)\))?")
MARGINS = re.compile(r"IMF (?:([\d.]+)%, MMF|= MMF =) ([\d.]+)%")
QUOTE_QUANTA = 10**6


@frozen
class Setup:
    """The markets of a dYdX test, told in words."""

    prices: Mapping[str, Fraction]
    resolutions: Mapping[str, int]
    initial: int
    maintenance: int

    def market_id(self, name: object) -> MarketId:
        """The market of this name, if there is one."""
        if name not in self.prices:
            raise NotExpressible(f"the setup has no market {name}")
        return MarketId(1 + list(self.prices).index(str(name)))

    def markets(self, lots: Mapping[str, Fraction]) -> dict[MarketId, Market]:
        """The markets, where a lot is so much of each unit of base currency."""
        found = {}
        for name, price in self.prices.items():
            per_lot = price * QUOTE_QUANTA * lots[name]
            mark = whole(per_lot, "a price")
            found[self.market_id(name)] = listed(mark, self.maintenance, self.initial)
        return found

    def in_quantums(self, lot: int) -> dict[str, Fraction]:
        """A lot of so many base quantums, in each market."""
        return {name: lot * power_of_ten(ten) for name, ten in self.resolutions.items()}


def dydx_setup(said: object) -> Setup:
    """The markets and margins that a text names."""
    margins = MARGINS.search(str(said))
    found = MARKET.findall(str(said))
    if margins is None or not found:
        raise NotExpressible("the setup does not name its markets and margins")
    initial, maintenance = margins.group(1) or margins.group(2), margins.group(2)
    return Setup(
        {name: exact(price, "a price") for name, price, _ in found},
        {name: int(ten) if ten else -10 for name, _, ten in found},
        rate(exact(initial, "IMF") / 100, "IMF"),
        rate(exact(maintenance, "MMF") / 100, "MMF"),
    )


def dydx_holder(
    setup: Setup, markets: Mapping[MarketId, Market], lots: Mapping[str, int], balance: int
) -> Account:
    """An account. A dYdX balance is what is left after the positions were paid for."""
    held = {}
    for name, size in lots.items():
        market = setup.market_id(name)
        if size:
            held[market] = Position(size, size * markets[market].mark)
    worth = balance + sum(position.cost for position in held.values())
    return Account(worth, Table(held.items()))


def cash(value: object) -> int:
    """Dollars as text, in quote quanta."""
    return whole(exact(value, "a balance") * QUOTE_QUANTA, "a balance")


def bankruptcy_quote(example: Example) -> Mapping[str, object]:
    """dYdX: what closing a part of a position is worth at the bankruptcy price, signed."""
    delta = whole(example.number("delta_base_quantums"), "the delta")
    state, market, lot = dydx_account(example, example.inputs["closing_market"], delta)
    lots = closing_lots(state, market, delta // lot)
    return {"bankruptcy_quote_quantums": liquidation.bankruptcy_value(state, FIRST, market, lots)}


def closing_lots(state: Exchange, market: MarketId, delta: int) -> int:
    """How many lots a delta closes; refused when it closes none, or more than there are."""
    size = margin.position_of(state, FIRST, market).size
    lots = -delta if size > 0 else delta
    require(1 <= lots <= abs(size), vault.MORE_THAN_THERE_IS, lots, abs(size))
    return lots


def dydx_account(example: Example, name: object, *others: int) -> tuple[Exchange, MarketId, int]:
    """One account, the market that an example is about, and how many base quantums a lot is."""
    setup = dydx_setup(example.inputs["market_setup"])
    if "positions" in example.inputs:
        positions = {
            str(entry["market"]): whole(exact(entry["base_quantums"], "a size"), "a size")
            for entry in example.inputs["positions"]
        }
    else:
        size = whole(example.number("position_base_quantums"), "the position")
        positions = {str(name): size}
    lot = gcd(*positions.values(), *others) or 1
    markets = setup.markets(setup.in_quantums(lot))
    lots = {market: quantums // lot for market, quantums in positions.items()}
    holder = dydx_holder(setup, markets, lots, cash(example.inputs["usdc_balance"]))
    state = exchange(rules_of(example.venue), markets, {FIRST: holder})
    return state, setup.market_id(name), lot


def linear_bankruptcy(example: Example) -> Mapping[str, object]:
    """Bybit: the bankruptcy price of a linear position, and at what ADL then closes it."""
    entry, mark, put, wallet, size = (
        example.number(key) for key in ("entry", "mark", "position_margin", "wallet", "size")
    )
    lots, side = abs(size.numerator), side_of(example)
    entry, mark = entry / size.denominator, mark / size.denominator
    unit = quanta(entry, mark, put / lots, wallet / lots)
    account = holding(
        int((put + wallet) * unit), one=(side * lots, int(side * entry * unit * lots))
    )
    state = exchange(rules_of(example.venue), {ONE: listed(int(mark * unit), 1)}, {FIRST: account})
    tick = Fraction(size.denominator, unit)
    return {
        "bankruptcy_price": Nearest(liquidation.bankruptcy_price(state, FIRST, ONE) * tick),
        "adl_price": Nearest(adl.deleveraging_price(state, FIRST, ONE) * tick),
    }


# One deleveraging.


def at_any_time(rulebook: Rulebook) -> Rulebook:
    """The rulebook without ADL-6: dYdX tests the fill by itself, whoever is solvent."""
    return evolve(rulebook, deleverage_only_insolvent=False)


SIDES = ("liquidated", "offsetting")


def deleveraging(example: Example) -> Mapping[str, object]:
    """dYdX: one account is closed against another, in quanta; or it is refused."""
    delta = whole(example.number("delta_base_quantums_of_liquidated"), "the delta")
    setup = dydx_setup(example.inputs["market_setup"])
    sizes = {side: _quantums(example.inputs[side], "btc_base_quantums") for side in SIDES}
    cash = {side: _quantums(example.inputs[side], "usdc_quote_quantums") for side in SIDES}
    lot = gcd(delta, *sizes.values()) or 1
    markets = setup.markets(setup.in_quantums(lot))
    accounts = {
        AccountId(FIRST + place): dydx_holder(
            setup, markets, {"BTC": sizes[side] // lot}, cash[side]
        )
        for place, side in enumerate(SIDES)
    }
    state = exchange(at_any_time(rules_of(example.venue)), markets, accounts)
    market, close = setup.market_id("BTC"), adl.deleverage
    if "final" in example.rule.lower():
        state, close = settlement.begin_settlement(state, market).exchange, settlement.settle
    lots = closing_lots(state, market, delta // lot)
    outcome = close(state, FIRST, AccountId(FIRST + 1), market, lots)
    (filled,) = outcome.events
    assert isinstance(filled, Filled)
    signed = filled.lots * filled.price * (1 if delta < 0 else -1)
    exactly = liquidation.bankruptcy_value(state, FIRST, market, lots)
    because = f"LIQ-5 rounds the price of one lot; at dYdX all {lots} lots bring {exactly}"
    left = dict(_left(outcome.exchange, market, sizes, lot))
    return {"fill_quote_quantums": signed, **left, "because": because}


def _quantums(said: Mapping[str, object], key: str) -> int:
    return whole(exact(said.get(key, 0), key), key)


def _left(
    state: Exchange, market: MarketId, sides: Mapping[str, int], lot: int
) -> Iterator[tuple[str, object]]:
    """What each side is left with, as dYdX shows it: cash after all positions were paid for."""
    for place, side in enumerate(sides):
        position = margin.position_of(state, AccountId(FIRST + place), market)
        yield (
            side,
            {
                "usdc_quote_quantums": paid_up(state, AccountId(FIRST + place)),
                "btc_base_quantums": position.size * lot,
            },
        )


def paid_up(state: Exchange, account: AccountId) -> int:
    """The cash of an account after all positions were paid for, as dYdX shows it."""
    holder = state.accounts[account]
    return holder.collateral - sum(position.cost for _, position in holder.positions.items())


def invalid_delta(example: Example) -> Mapping[str, object]:
    """dYdX: nothing to close, nothing to close with, or the wrong side."""
    delta = whole(example.number("delta_base_quantums"), "the delta")
    state, market, lot = dydx_account(example, example.inputs.get("market", "BTC"), delta)
    closing_lots(state, market, delta // lot)
    return {}


HOLDING = re.compile(r"(long|short) ([\d.]+)(?: ([A-Z][A-Z0-9]*))?(?: only)?")
CASH = re.compile(r"(-?[\d.]+)(?: USDC)?")


def _told(text: str) -> tuple[dict[str, Fraction], Fraction]:
    """Positions and cash that a text names, as in "short 1 BTC, long 1 ETH, 47000 USDC"."""
    positions: dict[str, Fraction] = {}
    balance = Fraction(0)
    for part in text.split(", "):
        held, paid = HOLDING.fullmatch(part), CASH.fullmatch(part)
        if held is not None:
            side, size, name = held.groups()
            signed = exact(size, "a size") * (1 if side == "long" else -1)
            positions[name or "BTC"] = signed
        elif paid is not None:
            balance = exact(paid.group(1), "a balance")
        else:
            raise NotExpressible(f"{part!r} is neither a position nor a balance")
    return positions, balance


def walk(example: Example) -> Mapping[str, object]:
    """dYdX: candidates in their order, each closed as far as it may be, others passed over."""
    setup = dydx_setup(example.inputs["setup"])
    said = {"liquidated": str(example.inputs["liquidated"])}
    for candidate in example.inputs["candidates"]:
        name, _, rest = str(candidate).partition(" ")
        if name in said:
            raise NotExpressible(f"{name} is named twice")
        said[name] = rest
    told = {name: _told(text) for name, text in said.items()}
    sizes = [size for positions, _ in told.values() for size in positions.values()]
    parts = quanta(*sizes)
    names = {name for positions, _ in told.values() for name in positions}
    prices = {name: setup.prices.get(name, next(iter(setup.prices.values()))) for name in names}
    setup = evolve(setup, prices={**setup.prices, **prices})
    markets = setup.markets(dict.fromkeys(setup.prices, Fraction(1, parts)))
    accounts, called = {}, {}
    for place, (name, (positions, balance)) in enumerate(told.items()):
        lots = {market: int(size * parts) for market, size in positions.items()}
        account = AccountId(FIRST + place)
        accounts[account] = dydx_holder(setup, markets, lots, cash(str(balance)))
        called[account] = name
    market = setup.market_id(next(iter(told["liquidated"][0]), "BTC"))
    longs = sum(max(who.positions.get(market, FLAT).size, 0) for who in accounts.values())
    markets[market] = evolve(markets[market], open_interest=longs)
    state = exchange(at_any_time(rules_of(example.venue)), markets, accounts)
    run = Run(state, InOrder(tuple(account for account in called if account != FIRST)))
    close_against_winners(run, FIRST, market)
    fills = [event for event in run.outcome().events if isinstance(event, Filled)]
    left = abs(margin.position_of(run.exchange, FIRST, market).size)
    values: dict[str, object] = {
        "fills": [
            [
                called[fill.buyer if fill.seller == FIRST else fill.seller],
                Fraction(fill.lots, parts),
            ]
            for fill in fills
        ],
        "remaining": Fraction(left, parts),
        "open_interest": Fraction(run.exchange.markets[market].open_interest, parts),
    }
    if fills:
        values["price"] = Fraction(fills[0].price * parts, QUOTE_QUANTA)
    for account, name in called.items():
        values[f"{name}_usdc"] = Fraction(paid_up(run.exchange, account), QUOTE_QUANTA)
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
