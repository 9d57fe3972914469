"""A scenario as a file: named accounts, a list of steps, and what is expected of them.

    title = "Two traders"
    rulebook = "textbook"
    market = "BTC"                       # where a step names none

    [accounts]                           # who is who; the vault and the treasury are always there
    ann = "thinks that the price will rise"
    ben = "thinks that it will fall"

    [[step]]
    say = "Both bring cash."
    deposit = [{ account = "ann", amount = 1_000 }, { account = "ben", amount = 1_000 }]

    [[step]]
    place = [
        { account = "ben", side = "sell", lots = 1, price = 6_000 },
        { account = "ann", side = "buy", lots = 1, kind = "market" },
    ]
    expect.position.BTC = { ann = 1, ben = -1 }

A step is one kind of command, once or several times; `expect` holds after the last of them, and at
the end of the file, as `[expect]`, after the last step. A story of something that happened says so:

    [incident]
    id = "S3"
    venue = "Hyperliquid"
    when = "26 March 2025"
    scale = "a quantum is a dollar"
    cannot = ["what the rules have no words for"]           # may be left out
    mends = "incident-hyperliquid-jelly"                    # the story that this one is told beside
    sources = ["where the numbers are from"]

and may say of laws (`perpref.checker.scenario_laws`) which it expects to hold, `held = ["pot"]`,
and which not, `broke = ["bystanders"]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from attrs import astuple, define, field, frozen

from perpref import machine
from perpref.checker.files import (
    Document,
    Value,
    find,
    guess,
    is_path,
    one_of,
    read_document,
    shipped,
)
from perpref.checker.rulebook_file import Venue, load_venue, overridden
from perpref.checker.scenario_laws import Law
from perpref.machine import Command
from perpref.rule_registry import functions, refusals
from perpref.state import TREASURY, VAULT, Kind, Side, Stage
from perpref.units import (
    MAX_CASH,
    MAX_LOTS,
    MAX_PRICE,
    MAX_SHARES,
    MAX_TIME,
    PARTS,
    AccountId,
    MarketId,
    OrderId,
)

ALWAYS_THERE = {"vault": VAULT, "treasury": TREASURY}
"""Accounts that no scenario declares."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,15}\Z")

SIDES = {"buy": Side.BUY, "sell": Side.SELL}
KINDS = {kind.value: kind for kind in Kind}
STAGES = {stage.value: stage for stage in Stage}
LAWS = {law.value: law for law in Law}

INCIDENT = re.compile(r"S[1-9][0-9]?\Z")

MAX_EXPECTED = 10**30
"""The largest sum that can be expected: that of many deposits."""


# What can be expected.


@frozen
class RefusedWith:
    """The command is refused with this code."""

    code: str


@frozen
class StagesReached:
    """These stages of the waterfall act, in the order in which each acts for the first time."""

    stages: tuple[Stage, ...]


@frozen
class LiquidatedAre:
    """These accounts are liquidated, in this order."""

    accounts: tuple[AccountId, ...]


@frozen
class EquityIs:
    account: AccountId
    amount: int


@frozen
class CollateralIs:
    account: AccountId
    amount: int


@frozen
class PositionIs:
    account: AccountId
    market: MarketId
    lots: int


@frozen
class CustodyIs:
    amount: int


@frozen
class PaidInAll:
    """All that one account pays another under a rule comes to this amount."""

    payer: AccountId
    payee: AccountId
    amount: int
    rule: str


@frozen
class FilledInAll:
    """All lots that pass from seller to buyer at a price under a rule come to this number."""

    buyer: AccountId
    seller: AccountId
    market: MarketId
    lots: int
    price: int
    rule: str


@frozen
class LawHeld:
    """A law held at every command, or it did not."""

    law: Law
    held: bool


What = (
    RefusedWith
    | StagesReached
    | LiquidatedAre
    | EquityIs
    | CollateralIs
    | PositionIs
    | CustodyIs
    | PaidInAll
    | FilledInAll
    | LawHeld
)


@frozen
class Claim:
    """One thing that is expected, and where the file says so."""

    what: What
    line: int
    key: str


@frozen
class Step:
    """Commands of one kind, what the file says of them, and what is expected of them."""

    number: int
    line: int
    say: str
    commands: tuple[Command, ...]
    claims: tuple[Claim, ...]


@frozen
class Incident:
    """What happened at a venue, of which a story shows the mechanism."""

    id: str
    venue: str
    when: str
    scale: str
    cannot: tuple[str, ...]
    sources: tuple[str, ...]
    mends: str | None = None


@frozen
class Scenario:
    """A story that can be carried out."""

    name: str
    file: str
    title: str
    prose: str
    venue: Venue
    changes: tuple[str, ...]
    accounts: Mapping[str, AccountId]
    about: Mapping[AccountId, str]
    steps: tuple[Step, ...]
    claims: tuple[Claim, ...]
    incident: Incident | None = None

    def who(self, account: AccountId) -> str:
        """An account by its name."""
        if account in (VAULT, TREASURY):
            return "the vault" if account == VAULT else "the treasury"
        return next(name for name, known in self.accounts.items() if known == account)

    def where(self, market: MarketId) -> str:
        """A market by its name."""
        return next(name for name, known in self.venue.markets.items() if known == market)


def load_scenario(name: str) -> Scenario:
    """The scenario of a shipped name or a path, checked from end to end.

    Raises:
        BadInput: there is no such file, or something in it is not allowed.
    """
    return read_scenario(read_document(find("scenarios", name)))


def read_scenario(document: Document) -> Scenario:
    """The scenario in a document. Raises BadInput."""
    return _Reading(document).scenario()


@define
class _Reading:
    """What is known so far of a scenario that is being read."""

    document: Document
    accounts: dict[str, AccountId] = field(factory=lambda: dict(ALWAYS_THERE))
    about: dict[AccountId, str] = field(factory=dict)
    markets: Mapping[str, MarketId] = field(factory=dict)
    usual_market: MarketId | None = None
    orders: dict[str, tuple[OrderId, MarketId]] = field(factory=dict)
    last_order: OrderId = OrderId(0)

    def scenario(self) -> Scenario:
        root = self.document.root
        root.allow(
            *("title", "prose", "incident", "rulebook", "override", "market", "accounts"),
            *("step", "expect"),
        )
        title = root.need("title").text()
        prose, incident = root.get("prose"), root.get("incident")
        venue, changes = self._venue(root)
        self.markets = venue.markets
        self._accounts(root.need("accounts", "a table [accounts] of names, each with a word on it"))
        usual = root.get("market")
        self.usual_market = self._market(usual) if usual is not None else None
        steps = tuple(
            self._step(number, value)
            for number, value in enumerate(root.need("step", "a [[step]] or more").items(), start=1)
        )
        if not steps:
            raise root.need("step").bad("no steps", "a [[step]] or more")
        at_end = root.get("expect")
        return Scenario(
            name=self.document.path.stem,
            file=self.document.name,
            title=title,
            prose=prose.text() if prose is not None else "",
            venue=venue,
            changes=changes,
            accounts=self.accounts,
            about=self.about,
            steps=steps,
            claims=tuple(self._claims(at_end)) if at_end is not None else (),
            incident=_incident(incident) if incident is not None else None,
        )

    def _venue(self, root: Value) -> tuple[Venue, tuple[str, ...]]:
        """The rulebook, and what the scenario changes in it, in words."""
        named = root.need("rulebook", f"{one_of(shipped('rulebooks'))}; or the path of a file")
        name = named.text()
        near, known = self.document.path.parent, shipped("rulebooks")
        if is_path(name) and not (near / name).is_file():
            raise named.bad("no such file", "a path from where this file is")
        if not is_path(name) and name not in known:
            raise named.bad("no such rulebook", f"{guess(name, known)}; or the path of a file")
        venue = load_venue(name, near)
        changes = root.get("override")
        if changes is None:
            return venue, ()
        return overridden(venue, changes), tuple(_leaves(changes, len(changes.path)))

    def _accounts(self, value: Value) -> None:
        for entry in value.entries():
            if entry.name in ALWAYS_THERE:
                raise entry.bad("is always there and is not declared", shown=False)
            if not NAME.match(entry.name):
                allowed = "a letter, then letters, digits, _ and -, at most 16 in all"
                raise entry.bad("not a name for an account", allowed, shown=False)
            account = AccountId(len(self.accounts))
            self.accounts[entry.name] = account
            self.about[account] = entry.text()

    # Steps.

    def _step(self, number: int, value: Value) -> Step:
        value.allow("say", "expect", *COMMANDS)
        kinds = [entry for entry in value.entries() if entry.name in COMMANDS]
        if len(kinds) != 1:
            wrong = "more than one command" if kinds else "no command"
            said = ", ".join(kind.name for kind in kinds)
            raise value.bad(
                wrong + (f", {said}" if said else ""), f"one of {', '.join(COMMANDS)}", shown=False
            )
        (kind,) = kinds
        read = COMMANDS[kind.name]
        given = list(kind.items()) if isinstance(kind.raw, list) else [kind]
        if not given:
            raise kind.bad("no command", "a table, or a list of tables")
        say, expect = value.get("say"), value.get("expect")
        return Step(
            number=number,
            line=value.line,
            say=say.text() if say is not None else "",
            commands=tuple(read(self, one) for one in given),
            claims=tuple(self._claims(expect, len(given))) if expect is not None else (),
        )

    def _deposit(self, value: Value) -> Command:
        value.allow("account", "amount")
        return machine.Deposit(self._account(value.need("account")), _amount(value.need("amount")))

    def _withdraw(self, value: Value) -> Command:
        value.allow("account", "amount")
        return machine.Withdraw(self._account(value.need("account")), _amount(value.need("amount")))

    def _transfer(self, value: Value) -> Command:
        value.allow("payer", "payee", "amount")
        return machine.Transfer(
            self._account(value.need("payer")),
            self._account(value.need("payee")),
            _amount(value.need("amount")),
        )

    def _isolate(self, value: Value) -> Command:
        value.allow("owner", "account", "market", "amount")
        return machine.Isolate(
            self._account(value.need("owner")),
            self._account(value.need("account")),
            self._market_of(value),
            _amount(value.need("amount")),
        )

    def _place(self, value: Value) -> Command:
        value.allow("market", *ORDER_KEYS)
        return self._placed(value, self._market_of(value))

    def _replace(self, value: Value) -> Command:
        value.allow("replaced", *ORDER_KEYS)
        replaced, market = value.need("replaced").one_of(self.orders, "an order", "BOOK-10")
        placed = self._placed(value, market)
        return machine.Replace(replaced, *astuple(placed, recurse=False))

    def _placed(self, value: Value, market: MarketId) -> machine.Place:
        account = self._account(value.need("account"))
        side = value.need("side").one_of(SIDES, "a side", "BOOK-6")
        lots = value.need("lots").integer(1, MAX_LOTS)
        given = value.get("kind")
        kind = given.one_of(KINDS, "a kind", "BOOK-6") if given is not None else Kind.LIMIT
        price = value.get("price")
        if kind is Kind.MARKET and price is not None:
            raise price.bad("a market order names no price", "no price", "BOOK-6")
        reduce_only, expires = value.get("reduce_only"), value.get("expires")
        order = self._order(value.get("name"), market)
        return machine.Place(
            order,
            account,
            market,
            side,
            kind,
            lots,
            1 if kind is Kind.MARKET else _price(value.need("price")),
            reduce_only.flag() if reduce_only is not None else False,
            expires.integer(1, MAX_TIME, "BOOK-21") if expires is not None else 0,
        )

    def _cancel(self, value: Value) -> Command:
        value.allow("account", "order")
        account = self._account(value.need("account"))
        order, market = value.need("order").one_of(self.orders, "an order", "BOOK-10")
        return machine.Cancel(account, market, order)

    def _set_mark(self, value: Value) -> Command:
        value.allow("market", "price")
        return machine.SetMark(self._market_of(value), _price(value.need("price")))

    def _settle_funding(self, value: Value) -> Command:
        value.allow("market", "rate")
        rate = value.need("rate").integer(-PARTS, PARTS, "FUND-1")
        return machine.SettleFunding(self._market_of(value), rate)

    def _unwind(self, value: Value) -> Command:
        value.allow("market", "name")
        market = self._market_of(value)
        return machine.Unwind(market, self._order(value.get("name"), market))

    def _sample_premium(self, value: Value) -> Command:
        value.allow("market", "premium")
        premium = value.need("premium").integer(-PARTS, PARTS, "FUND-10")
        return machine.SamplePremium(self._market_of(value), premium)

    def _settle_premium(self, value: Value) -> Command:
        value.allow("market")
        return machine.SettlePremium(self._market_of(value))

    def _settle_market(self, value: Value) -> Command:
        value.allow("market")
        return machine.SettleMarket(self._market_of(value))

    def _advance_clock(self, value: Value) -> Command:
        value.allow("now")
        return machine.AdvanceClock(value.need("now").integer(0, MAX_TIME, "UNIT-2"))

    def _set_index(self, value: Value) -> Command:
        value.allow("market", "index", "price")
        index = _price(value.need("index"))
        return machine.SetIndex(self._market_of(value), index, _price(value.need("price")))

    def _pause_market(self, value: Value) -> Command:
        value.allow("market")
        return machine.PauseMarket(self._market_of(value))

    def _resume_market(self, value: Value) -> Command:
        value.allow("market")
        return machine.ResumeMarket(self._market_of(value))

    def _contribute(self, value: Value) -> Command:
        value.allow("account", "amount")
        account = self._account(value.need("account"))
        return machine.ContributeToVault(account, _amount(value.need("amount")))

    def _redeem(self, value: Value) -> Command:
        return machine.RedeemFromVault(*self._shares(value))

    def _request_redemption(self, value: Value) -> Command:
        return machine.RequestRedemption(*self._shares(value))

    def _shares(self, value: Value) -> tuple[AccountId, int]:
        value.allow("account", "shares")
        account = self._account(value.need("account"))
        return account, value.need("shares").integer(1, MAX_SHARES, "UNIT-2")

    def _liquidate(self, value: Value) -> Command:
        value.allow("liquidator", "account", "market", "lots")
        return machine.Liquidate(
            self._account(value.need("liquidator")),
            self._account(value.need("account")),
            self._market_of(value),
            value.need("lots").integer(1, MAX_LOTS),
        )

    def _volunteer(self, value: Value) -> Command:
        value.allow("account", "market", "lots", "edge")
        return machine.Volunteer(
            self._account(value.need("account")),
            self._market_of(value),
            value.need("lots").integer(0, MAX_LOTS),
            value.need("edge").integer(0, PARTS, "VLT-20"),
        )

    def _recapitalise(self, value: Value) -> Command:
        return machine.Recapitalise(*self._capital(value))

    def _recall_capital(self, value: Value) -> Command:
        return machine.RecallCapital(*self._capital(value))

    def _capital(self, value: Value) -> tuple[MarketId, int]:
        value.allow("market", "amount")
        return self._market_of(value), _amount(value.need("amount"))

    def _order(self, name: Value | None, market: MarketId) -> OrderId:
        """The next identifier, under a name if it has one."""
        self.last_order = OrderId(self.last_order + 1)
        if name is not None:
            if name.text() in self.orders:
                raise name.bad("the name of an order that is there already", "a new name")
            self.orders[name.text()] = (self.last_order, market)
        return self.last_order

    def _account(self, value: Value) -> AccountId:
        return value.one_of(self.accounts, "an account", "LED-4")

    def _market(self, value: Value) -> MarketId:
        return value.one_of(self.markets, "a market", "MARK-1")

    def _market_of(self, value: Value) -> MarketId:
        """The market that a table names, or the usual one."""
        given = value.get("market")
        if given is None and self.usual_market is not None:
            return self.usual_market
        return self._market(value.need("market"))

    # Expectations.

    def _claims(self, value: Value, commands: int = 0) -> Iterator[Claim]:
        value.allow(*(("refused",) if commands else ()), *CLAIMS)
        refused = value.get("refused")
        if refused is not None:
            if commands > 1:
                raise refused.bad("which of the commands is refused?", "a step of its own")
            code = refused.one_of(refusals(), "a refusal code").code
            yield Claim(RefusedWith(code), refused.line, refused.key)
        for key, read in CLAIMS.items():
            given = value.get(key)
            if given is not None:
                for place, what in read(self, given):
                    yield Claim(what, place.line, place.key)

    def _stages(self, value: Value) -> Iterator[tuple[Value, What]]:
        stages = tuple(item.one_of(STAGES, "a stage", "LIQ-7") for item in value.items())
        yield value, StagesReached(stages)

    def _liquidated(self, value: Value) -> Iterator[tuple[Value, What]]:
        yield value, LiquidatedAre(tuple(self._account(item) for item in value.items()))

    def _equity(self, value: Value) -> Iterator[tuple[Value, What]]:
        for entry in value.entries():
            yield entry, EquityIs(self._named_account(entry), _sum(entry))

    def _collateral(self, value: Value) -> Iterator[tuple[Value, What]]:
        for entry in value.entries():
            yield entry, CollateralIs(self._named_account(entry), _sum(entry))

    def _position(self, value: Value) -> Iterator[tuple[Value, What]]:
        for entry in value.entries():
            if entry.name not in self.markets:
                raise entry.bad(
                    "no such market", guess(entry.name, self.markets), "MARK-1", shown=False
                )
            for holding in entry.entries():
                account = self._named_account(holding)
                yield holding, PositionIs(account, self.markets[entry.name], _sum(holding))

    def _custody(self, value: Value) -> Iterator[tuple[Value, What]]:
        yield value, CustodyIs(value.integer(0, MAX_EXPECTED))

    def _paid(self, value: Value) -> Iterator[tuple[Value, What]]:
        for item in value.items():
            item.allow("payer", "payee", "amount", "rule")
            yield (
                item,
                PaidInAll(
                    self._account(item.need("payer")),
                    self._account(item.need("payee")),
                    item.need("amount").integer(0, MAX_EXPECTED),
                    _rule(item.need("rule")),
                ),
            )

    def _filled(self, value: Value) -> Iterator[tuple[Value, What]]:
        for item in value.items():
            item.allow("buyer", "seller", "market", "lots", "price", "rule")
            yield (
                item,
                FilledInAll(
                    self._account(item.need("buyer")),
                    self._account(item.need("seller")),
                    self._market_of(item),
                    item.need("lots").integer(0, MAX_EXPECTED),
                    _price(item.need("price")),
                    _rule(item.need("rule")),
                ),
            )

    def _held(self, value: Value) -> Iterator[tuple[Value, What]]:
        for item in value.items():
            yield item, LawHeld(item.one_of(LAWS, "a law"), True)

    def _broke(self, value: Value) -> Iterator[tuple[Value, What]]:
        for item in value.items():
            yield item, LawHeld(item.one_of(LAWS, "a law"), False)

    def _named_account(self, entry: Value) -> AccountId:
        """The account that a key names."""
        if entry.name not in self.accounts:
            raise entry.bad(
                "no such account", guess(entry.name, self.accounts), "LED-4", shown=False
            )
        return self.accounts[entry.name]


ORDER_KEYS = ("account", "side", "lots", "kind", "price", "reduce_only", "expires", "name")
"""What says what an order is."""

COMMANDS: Mapping[str, Callable[[_Reading, Value], Command]] = {
    "deposit": _Reading._deposit,
    "withdraw": _Reading._withdraw,
    "transfer": _Reading._transfer,
    "isolate": _Reading._isolate,
    "place": _Reading._place,
    "cancel": _Reading._cancel,
    "set_mark": _Reading._set_mark,
    "settle_funding": _Reading._settle_funding,
    "unwind": _Reading._unwind,
    "sample_premium": _Reading._sample_premium,
    "settle_premium": _Reading._settle_premium,
    "settle_market": _Reading._settle_market,
    "advance_clock": _Reading._advance_clock,
    "set_index": _Reading._set_index,
    "pause_market": _Reading._pause_market,
    "resume_market": _Reading._resume_market,
    "replace": _Reading._replace,
    "contribute_to_vault": _Reading._contribute,
    "redeem_from_vault": _Reading._redeem,
    "request_redemption": _Reading._request_redemption,
    "recapitalise": _Reading._recapitalise,
    "recall_capital": _Reading._recall_capital,
    "liquidate": _Reading._liquidate,
    "volunteer": _Reading._volunteer,
}
"""What a step can do."""

CLAIMS: Mapping[str, Callable[[_Reading, Value], Iterator[tuple[Value, What]]]] = {
    "stages": _Reading._stages,
    "liquidated": _Reading._liquidated,
    "equity": _Reading._equity,
    "collateral": _Reading._collateral,
    "position": _Reading._position,
    "custody": _Reading._custody,
    "paid": _Reading._paid,
    "filled": _Reading._filled,
    "held": _Reading._held,
    "broke": _Reading._broke,
}
"""What can be expected, besides `refused` of a single command."""


def _incident(value: Value) -> Incident:
    value.allow("id", "venue", "when", "scale", "cannot", "sources", "mends")
    named = value.need("id")
    if not INCIDENT.match(named.text()):
        raise named.bad("not the number of an incident", "S and a number from 1 to 99")
    cannot, mends = value.get("cannot"), value.get("mends")
    sources = value.need("sources", "a list of where the numbers are from")
    if sources.raw == []:
        raise sources.bad("no source", "a list of where the numbers are from", shown=False)
    return Incident(
        id=named.text(),
        venue=value.need("venue").text(),
        when=value.need("when").text(),
        scale=value.need("scale").text(),
        cannot=tuple(item.text() for item in cannot.items()) if cannot is not None else (),
        sources=tuple(item.text() for item in sources.items()),
        mends=_told_beside(mends) if mends is not None else None,
    )


def _told_beside(value: Value) -> str:
    return value.one_of({name: name for name in shipped("scenarios")}, "a scenario")


def _amount(value: Value) -> int:
    return value.integer(1, MAX_CASH)


def _price(value: Value) -> int:
    return value.integer(1, MAX_PRICE)


def _sum(value: Value) -> int:
    return value.integer(-MAX_EXPECTED, MAX_EXPECTED)


def _rule(value: Value) -> str:
    known = {rule: rule for rule in functions()}
    text = value.text()
    if text not in known:
        raise value.bad("no such rule", "the rule of an event, such as BOOK-3, ADL-3 or LOSS-3")
    return text


def _leaves(value: Value, skip: int) -> Iterator[str]:
    """Every value below this one, by its keys without the first ones."""
    if isinstance(value.raw, dict):
        for entry in value.entries():
            yield from _leaves(entry, skip)
        return
    raw = value.raw
    text = " > ".join(map(str, raw)) if isinstance(raw, list) else str(raw)
    if isinstance(raw, int):
        text = f"{raw:,}"
    yield f"{'.'.join(map(str, value.path[skip:]))} {text}"
