"""Protocol version 1: JSON lines, numbers as decimal strings, and their Python values.

One set of attrs classes, converted by cattrs; `spec/protocol.md` says what the messages mean
and `spec/schema/protocol-1.json` what they look like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin

import cattrs
from attrs import evolve, field, fields, frozen, has
from cattrs.gen import make_dict_unstructure_fn, override

from perpref import machine, outcome
from perpref.state import (
    CROSS,
    FLAT,
    NEVER,
    NO_STAKE,
    VAULT,
    Account,
    Exchange,
    Isolation,
    Market,
    Order,
    Pledge,
    Position,
    Rulebook,
    Side,
    Stake,
    Tier,
)
from perpref.table import Table
from perpref.units import AccountId, MarketId, OrderId

T = TypeVar("T")

VERSION = 1

DECIMAL = re.compile(r"(0|-?[1-9][0-9]{0,39})\Z")
"""How a number is written: no exponent, no fraction, no leading zero, at most 40 digits."""


class Unreadable(Exception):
    """A message is not what the protocol says; the text says where and why."""

    def __init__(self, why: str, *path: str) -> None:
        super().__init__(why, *path)
        self.why = why
        self.path = path

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}: {self.why}" if self.path else self.why

    def inside(self, key: object) -> Unreadable:
        """The same, seen from one level further out."""
        return Unreadable(self.why, str(key), *self.path)


# What an engine says of itself.


class Refusals(Enum):
    """How far two refusals must agree."""

    EXACT = "exact"
    CLASS = "class"
    IGNORED = "ignored"


class Observable(Enum):
    """A part of the state, or of what happened, that an engine can show."""

    CUSTODY = "custody"
    COLLATERAL = "collateral"
    POSITIONS = "positions"
    ORDERS = "orders"
    MARKS = "marks"
    EVENTS = "events"
    SHARES = "shares"


class Choice(Enum):
    """A choice that an engine makes itself, and reports."""

    COUNTERPARTY = "counterparty"
    PRICE = "price"


@frozen
class Comparison:
    """How an engine asks to be compared; the report prints it."""

    refusals: Refusals = Refusals.EXACT
    within: int = 0
    observe: tuple[Observable, ...] = tuple(Observable)


@frozen
class Hello:
    """The reply to `start`: who the engine is, what it can do, how it is to be compared."""

    version: int
    engine: str
    commands: tuple[str, ...]
    release: str = ""
    load: bool = False
    chooses: tuple[Choice, ...] = ()
    compare: Comparison = field(factory=Comparison)


# What an engine says of a command.


@frozen
class ChosenCounterparty:
    """The engine closed `account` against `counterparty`, in this order of its choosing."""

    account: AccountId
    market: MarketId
    counterparty: AccountId


@frozen
class ChosenPrice:
    """The engine filled `taker` against `maker` at this price of its choosing."""

    taker: OrderId
    maker: OrderId
    price: int


Chosen = ChosenCounterparty | ChosenPrice


@frozen
class Done:
    """The command was carried out. `events` is what it did, for an engine that can show it."""

    events: tuple[outcome.Event, ...] = ()
    choices: tuple[Chosen, ...] = ()


@frozen
class RefusedBy:
    """The command changed nothing, and why, with the spec's code, phase and rule if known."""

    code: str = ""
    phase: str = ""
    rule: str = ""


@frozen
class Skipped:
    """The engine has no such command; nothing happened."""

    why: str = ""


@frozen
class Errored:
    """The engine failed; nobody should rely on its state."""

    why: str = ""


@frozen
class Unknown:
    """The engine cannot tell whether the command took effect."""

    why: str = ""


Result = Done | RefusedBy | Skipped | Errored | Unknown


# What can be seen of an exchange.


@frozen
class MarketView:
    """A market's mark and resting orders; the mark before is 0 where it is not told apart."""

    mark: int
    orders: tuple[Order, ...] = ()
    previous_mark: int = 0
    settling: bool = False
    premiums: int = 0
    samples: int = 0
    index: int = 0
    basis: int = 0
    marked_at: int = 0
    paused: bool = False
    next_mark: int = 0
    funding_index: int = 0
    pledges: dict[AccountId, Pledge] = field(factory=dict)


@frozen
class AccountView:
    collateral: int
    positions: dict[MarketId, Position] = field(factory=dict)
    funded: dict[MarketId, int] = field(factory=dict)
    stake: Stake = NO_STAKE
    offered_since: int = NEVER
    parted_at: int = NEVER
    paid_in: int = 0
    isolation: Isolation = CROSS


@frozen
class View:
    """The observable state. Accounts without cash and positions may be left out."""

    custody: int
    accounts: dict[AccountId, AccountView]
    markets: dict[MarketId, MarketView]
    last_order: OrderId = OrderId(0)
    now: int = 0
    gate_opens: int = 0
    fund_best: int = 0
    fund_best_at: int = 0
    fund_drawn_down: bool = False


@frozen
class MarketTerms:
    """What a market is set up with."""

    initial_rate: int
    maintenance_rate: int
    vault_cap: int
    mark: int
    tiers: tuple[Tier, ...] = ()
    scaled_from: int = 0
    scaled_to: int = 0
    least_notional: int = 0
    price_band: int = 0
    tick: int = 1
    vault: AccountId = VAULT
    vault_boundary: int = 0
    due_at_maintenance: bool = False

    def opened(self) -> Market:
        """The market before anything has happened in it."""
        return Market(
            self.initial_rate,
            self.maintenance_rate,
            self.vault_cap,
            self.mark,
            tiers=self.tiers,
            scaled_from=self.scaled_from,
            scaled_to=self.scaled_to,
            least_notional=self.least_notional,
            price_band=self.price_band,
            tick=self.tick,
            vault=self.vault,
            vault_boundary=self.vault_boundary,
            due_at_maintenance=self.due_at_maintenance,
        )


@frozen
class Terms:
    """A rulebook and its markets, as they go to an engine."""

    rulebook: Rulebook
    markets: dict[MarketId, MarketTerms]

    def opened(self) -> Exchange:
        """The reference under these terms."""
        return machine.opened(
            self.rulebook, ((market, terms.opened()) for market, terms in self.markets.items())
        )


def view(exchange: Exchange) -> View:
    """What can be seen of the reference."""
    return View(
        exchange.custody,
        {
            account: AccountView(
                holder.collateral,
                dict(holder.positions.items()),
                dict(holder.funded.items()),
                holder.stake,
                holder.offered_since,
                holder.parted_at,
                holder.paid_in,
                holder.isolation,
            )
            for account, holder in exchange.accounts.items()
        },
        {
            market: MarketView(
                listed.mark,
                tuple(order for _, order in listed.orders.items()),
                listed.previous_mark,
                listed.settling,
                listed.premiums,
                listed.samples,
                listed.index,
                listed.basis,
                listed.marked_at,
                listed.paused,
                listed.next_mark,
                listed.funding_index,
                dict(listed.pledges.items()),
            )
            for market, listed in exchange.markets.items()
        },
        exchange.last_order,
        exchange.now,
        exchange.gate_opens,
        exchange.fund_best,
        exchange.fund_best_at,
        exchange.fund_drawn_down,
    )


def exchange_of(terms: Terms, seen: View) -> Exchange:
    """The reference in a given state; the inverse of `view`."""
    start = terms.opened()
    accounts = start.accounts
    for account, holder in seen.accounts.items():
        accounts = accounts.put(
            account,
            Account(
                holder.collateral,
                Table(holder.positions.items()),
                Table(holder.funded.items()),
                holder.stake,
                holder.offered_since,
                holder.parted_at,
                holder.paid_in,
                holder.isolation,
            ),
        )
    markets = start.markets
    for market, listed in seen.markets.items():
        orders = Table((order.id, order) for order in listed.orders)
        opening = markets[market]
        before = listed.previous_mark or listed.mark
        held = (holder.positions.get(market, FLAT).size for holder in seen.accounts.values())
        markets = markets.put(
            market,
            evolve(
                opening,
                mark=listed.mark,
                orders=orders,
                previous_mark=before,
                settling=listed.settling,
                premiums=listed.premiums,
                samples=listed.samples,
                index=listed.index,
                basis=listed.basis,
                marked_at=listed.marked_at,
                paused=listed.paused,
                next_mark=listed.next_mark,
                funding_index=listed.funding_index,
                pledges=Table(listed.pledges.items()),
                open_interest=sum(size for size in held if size > 0),
            ),
        )
    return Exchange(
        start.rulebook,
        markets,
        accounts,
        seen.custody,
        seen.last_order,
        seen.now,
        seen.gate_opens,
        seen.fund_best,
        seen.fund_best_at,
        seen.fund_drawn_down,
    )


# Conversion.

COMMANDS: dict[str, type[machine.Command]] = {
    "deposit": machine.Deposit,
    "withdraw": machine.Withdraw,
    "transfer": machine.Transfer,
    "isolate": machine.Isolate,
    "place": machine.Place,
    "cancel": machine.Cancel,
    "set_mark": machine.SetMark,
    "settle_funding": machine.SettleFunding,
    "unwind": machine.Unwind,
    "sample_premium": machine.SamplePremium,
    "settle_premium": machine.SettlePremium,
    "settle_market": machine.SettleMarket,
    "advance_clock": machine.AdvanceClock,
    "set_index": machine.SetIndex,
    "pause_market": machine.PauseMarket,
    "resume_market": machine.ResumeMarket,
    "replace": machine.Replace,
    "contribute_to_vault": machine.ContributeToVault,
    "redeem_from_vault": machine.RedeemFromVault,
    "request_redemption": machine.RequestRedemption,
    "recapitalise": machine.Recapitalise,
    "recall_capital": machine.RecallCapital,
    "liquidate": machine.Liquidate,
    "volunteer": machine.Volunteer,
}

EVENTS: dict[str, type[outcome.Event]] = {
    "cash_moved": outcome.CashMoved,
    "paid": outcome.Paid,
    "filled": outcome.Filled,
    "rested": outcome.Rested,
    "cancelled": outcome.Cancelled,
    "marked": outcome.Marked,
}

RESULTS: dict[str, type[Result]] = {
    "done": Done,
    "refused": RefusedBy,
    "skipped": Skipped,
    "errored": Errored,
    "unknown": Unknown,
}

CHOICES: dict[str, type[Chosen]] = {
    "counterparty": ChosenCounterparty,
    "price": ChosenPrice,
}


def decimal(text: object, _: Any = None) -> int:
    """The integer that a decimal string stands for.

    Raises:
        Unreadable: not a string, or not an integer of at most 40 digits.
    """
    if not isinstance(text, str):
        raise Unreadable(f"a number is a decimal string, not {_short(text)} (UNIT-1)")
    if not DECIMAL.match(text):
        raise Unreadable(f"{_short(text)} is not an integer of at most 40 digits (UNIT-1)")
    return int(text)


def _flag(value: object, _: Any) -> bool:
    if not isinstance(value, bool):
        raise Unreadable(f"a flag is true or false, not {_short(value)}")
    return value


def _text(value: object, _: Any) -> str:
    if not isinstance(value, str):
        raise Unreadable(f"a text was expected, not {_short(value)}")
    return value


def _short(value: object) -> str:
    """A value as JSON writes it, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 80 else f"{text[:80]}…"


# What a JSON value must be before it is looked into. Nothing is taken for something else: a text
# is no list of letters, an empty object no empty list.

Hook = Callable[[Any, Any], Any]


def _is_map(kind: Any) -> bool:
    return get_origin(kind) is dict


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _object(kind: Any, converter: cattrs.Converter) -> Hook:
    whole = converter.gen_structure_attrs_fromdict(kind)
    names = [part.name for part in fields(kind)]

    def structure(value: object, _: Any) -> Any:
        if not isinstance(value, dict):
            what = f"an object with {', '.join(names)}"
            raise Unreadable(f"{what} was expected, not {_short(value)}")
        try:
            return whole(value, kind)
        except cattrs.errors.ForbiddenExtraKeysError as error:
            extra = ", ".join(map(repr, sorted(error.extra_fields)))
            raise Unreadable(f"no field {extra} is known, but {', '.join(names)} are") from error
        except KeyError as missing:
            raise Unreadable(f"the field {missing} is missing in {_short(value)}") from missing
        except Unreadable as error:
            raise where(value, error) from error

    def where(value: dict[str, Any], error: Unreadable) -> Unreadable:
        """The error with the name of the field that it is in, found by a second look."""
        for part in fields(kind):
            if part.name in value:
                try:
                    converter.structure(value[part.name], part.type)
                except Unreadable as again:
                    return again.inside(part.name)
        return error

    return structure


def _map(kind: Any, converter: cattrs.Converter) -> Hook:
    key_kind, value_kind = get_args(kind)
    read_key = converter.get_structure_hook(key_kind)
    read_value = converter.get_structure_hook(value_kind)

    def structure(value: object, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Unreadable(f"an object was expected, not {_short(value)}")
        found = {}
        for key, inner in value.items():
            try:
                found[read_key(key, key_kind)] = read_value(inner, value_kind)
            except Unreadable as error:
                raise error.inside(key) from error
        return found

    return structure


def _list(kind: Any, converter: cattrs.Converter) -> Hook:
    of = get_args(kind)[0]
    read = converter.get_structure_hook(of)

    def structure(value: object, _: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise Unreadable(f"a list was expected, not {_short(value)}")
        found = []
        for at, inner in enumerate(value):
            try:
                found.append(read(inner, of))
            except Unreadable as error:
                raise error.inside(at) from error
        return tuple(found)

    return structure


def _one_of(kind: Any, _: cattrs.Converter) -> Hook:
    def structure(value: object, _: Any) -> Any:
        try:
            return kind(value)
        except ValueError as error:
            allowed = ", ".join(str(member.value) for member in kind)
            raise Unreadable(f"{_short(value)} is none of {allowed}") from error

    return structure


LEFT_OUT: dict[type[Any], str] = {
    Order: "expires",
    Rulebook: "vault_trigger",
    MarketTerms: "tiers",
    MarketView: "settling",
    Stake: "shares",
    AccountView: "funded",
    View: "now",
    machine.Place: "expires",
    machine.Replace: "expires",
}
"""From which field on a value is not written where it is the textbook's; inner classes first."""


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
    for suits, factory in ((has, _object), (_is_map, _map), (_is_list, _list), (_is_enum, _one_of)):
        converter.register_structure_hook_factory(suits, factory)
    converter.register_structure_hook(int, decimal)
    converter.register_unstructure_hook(int, str)
    converter.register_structure_hook(bool, _flag)
    converter.register_unstructure_hook(bool, lambda flag: flag)
    converter.register_structure_hook(str, _text)
    for identifier in (AccountId, MarketId, OrderId):
        converter.register_structure_hook(identifier, decimal)
        converter.register_unstructure_hook(identifier, str)
    converter.register_structure_hook(Side, _side)
    converter.register_unstructure_hook(Side, lambda side: side.name.lower())
    for union, tags in (
        (machine.Command, COMMANDS),
        (outcome.Event, EVENTS),
        (Result, RESULTS),
        (Chosen, CHOICES),
    ):
        _register_tagged(converter, union, tags)
    for kind, since in LEFT_OUT.items():
        names = [part.name for part in fields(kind)]
        unsaid: Any = override(omit_if_default=True)
        overrides: dict[str, Any] = dict.fromkeys(names[names.index(since) :], unsaid)
        hook = make_dict_unstructure_fn(kind, converter, **overrides)
        converter.register_unstructure_hook(kind, hook)
    return converter


def _side(value: object, _: Any) -> Side:
    if value not in ("buy", "sell"):
        raise Unreadable(f"a side is buy or sell, not {_short(value)}")
    return Side.BUY if value == "buy" else Side.SELL


def _register_tagged(converter: cattrs.Converter, union: Any, tags: dict[str, type[Any]]) -> None:
    names = {kind: tag for tag, kind in tags.items()}

    def structure(value: object, _: Any) -> Any:
        if not isinstance(value, dict) or len(value) != 1:
            one = f"an object with one key, one of {', '.join(tags)}"
            raise Unreadable(f"{one}, was expected, not {_short(value)}")
        ((tag, inner),) = value.items()
        if tag not in tags:
            raise Unreadable(f"{tag!r} is none of {', '.join(tags)}")
        try:
            return converter.structure(inner, tags[tag])
        except Unreadable as error:
            raise error.inside(tag) from error

    def unstructure(value: Any) -> dict[str, Any]:
        kind = type(value)
        return {names[kind]: converter.unstructure(value, unstructure_as=kind)}

    converter.register_structure_hook(union, structure)
    converter.register_unstructure_hook(union, unstructure)


_converter = _make_converter()


def to_wire(value: object, kind: Any = None) -> Any:
    """The JSON value of one of the classes above; `kind` names the union for tagged values."""
    return _converter.unstructure(value, unstructure_as=kind)


def from_wire(value: object, kind: type[T] | Any) -> Any:
    """The value that a JSON value stands for.

    Raises:
        Unreadable: it is not what the protocol says.
    """
    return _converter.structure(value, kind)
