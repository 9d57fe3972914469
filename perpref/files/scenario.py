"""Scenarios: small stories in TOML, read and checked as a whole before anything is run.

title = "A calm day"
rulebook = "textbook"
accounts = ["alice", "bob"]

[[step]]
say = "Alice arrives."
deposit = {account = "alice", amount = 1_000}
expect = {alice = {equity = 1_000}}
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import field, frozen

from perpref import machine, rule_registry
from perpref.checker.wire import Terms
from perpref.files.rulebook import find_rulebook, overridden, require_known
from perpref.files.shipped import located
from perpref.files.source import Entry, listed, read_toml
from perpref.state import TREASURY, VAULT, Kind, Side, Stage
from perpref.units import MAX_CASH, MAX_LOTS, MAX_PRICE, PARTS, AccountId, MarketId, OrderId

RESERVED = {"vault": VAULT, "treasury": TREASURY}
FIRST = 2
"""The identifier of the first named account, after the vault and the treasury."""


@frozen
class Expected:
    """One number, code or list that a scenario expects, and the line on which it says so.

    `account` and `market` say whose and where; without an account it is about the exchange.
    """

    line: int
    what: str
    value: int | str | tuple[str, ...]
    account: AccountId | None = None
    market: MarketId | None = None


@frozen
class Step:
    """One command, what the story says of it, and what is expected of it."""

    line: int
    command: machine.Command
    say: str = ""
    expects: tuple[Expected, ...] = ()


@frozen
class Names:
    """What accounts, markets and orders are called in a story."""

    accounts: dict[str, AccountId] = field(factory=dict)
    markets: dict[str, MarketId] = field(factory=dict)
    orders: dict[OrderId, str] = field(factory=dict)

    def account(self, number: AccountId) -> str:
        return next((n for n, one in self.accounts.items() if one == number), f"account {number}")

    def market(self, number: MarketId) -> str:
        return next((n for n, one in self.markets.items() if one == number), f"market {number}")

    def order(self, number: OrderId) -> str:
        return self.orders.get(number, f"order {number}")


@frozen
class Scenario:
    """A story: the terms, who takes part, the steps, and what is expected at the end."""

    path: str
    title: str
    prose: str
    terms: Terms
    names: Names
    steps: tuple[Step, ...]
    expects: tuple[Expected, ...]


def load_scenario(said: str) -> Scenario:
    """The scenario that is meant by a path or by a shipped name. Raises BadFile."""
    path, name = located("scenario", said)
    return read_scenario(path, name)


def read_scenario(path: Path, name: str = "") -> Scenario:
    """A scenario from a file, every value of it checked. Raises BadFile."""
    top = read_toml(path, name)
    required, optional = ("title", "accounts", "step"), ("prose", "rulebook", "override", "expect")
    fields = top.fields(required, optional)
    terms, markets = terms_of(fields, path)
    reader = Reader(Names(accounts_of(fields["accounts"]), markets))
    steps = tuple(reader.step(entry) for entry in fields["step"].entries())
    if not steps:
        raise fields["step"].bad("there is no step", "one table [[step]] or more")
    return Scenario(
        top.source.name,
        fields["title"].text(),
        fields["prose"].text() if "prose" in fields else "",
        terms,
        reader.names,
        steps,
        reader.expects(fields["expect"]) if "expect" in fields else (),
    )


def terms_of(fields: dict[str, Entry], path: Path) -> tuple[Terms, dict[str, MarketId]]:
    """The rulebook of a scenario, with its overrides, and the names of its markets."""
    said = fields["rulebook"].text() if "rulebook" in fields else "textbook"
    book = find_rulebook(said, path.parent)
    if "override" in fields:
        book = overridden(book, fields["override"])
    return book.terms(), book.ids


def accounts_of(entry: Entry) -> dict[str, AccountId]:
    """The vault and the treasury, then the named accounts in order (UNIT-4)."""
    accounts: dict[str, AccountId] = dict(RESERVED)
    for at, one in enumerate(entry.entries()):
        name = one.text()
        if name in accounts:
            what = "is there without being named" if name in RESERVED else "stands there twice"
            raise one.bad(f"{name} {what}", "names of its own for each account")
        if name in ABOUT_EXCHANGE or not name.isprintable():
            raise one.bad(f"an account cannot be called {name!r}", "another name")
        accounts[name] = AccountId(FIRST + at)
    return accounts


ABOUT_EXCHANGE = ("refused", "custody", "stages")
ABOUT_ACCOUNT = ("equity", "collateral", "position")


class Reader:
    """Reads steps in order: orders are numbered, and may be called by name later."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.placed: dict[str, machine.Place] = {}
        self.last_order = 0
        self.commands: dict[str, Callable[[Entry], machine.Command]] = {
            "deposit": self.deposit,
            "withdraw": self.withdraw,
            "transfer": self.transfer,
            "place": self.place,
            "cancel": self.cancel,
            "set_mark": self.set_mark,
            "settle_funding": self.settle_funding,
            "unwind": self.unwind,
        }

    def step(self, entry: Entry) -> Step:
        """A step: exactly one command, with what is said and what is expected."""
        fields = entry.fields((), (*self.commands, "say", "expect"))
        given = [key for key in fields if key in self.commands]
        if len(given) != 1:
            what = f"a step has one command, not {' and '.join(given) if given else 'none'}"
            raise (fields[given[1]] if given else entry).bad(
                what, f"one of {listed(self.commands)}"
            )
        command = self.commands[given[0]](fields[given[0]])
        say = fields["say"].text() if "say" in fields else ""
        expects = self.expects(fields["expect"], in_step=True) if "expect" in fields else ()
        return Step(entry.line, command, say, expects)

    # What stands in a command.

    def account(self, entry: Entry) -> AccountId:
        name = entry.text()
        require_known(entry, name, self.names.accounts, "account")
        return self.names.accounts[name]

    def market(self, entry: Entry) -> MarketId:
        name = entry.text()
        require_known(entry, name, self.names.markets, "market")
        return self.names.markets[name]

    def next_order(self) -> OrderId:
        self.last_order += 1
        return OrderId(self.last_order)

    # The commands.

    def deposit(self, entry: Entry) -> machine.Command:
        fields = entry.fields(("account", "amount"))
        return machine.Deposit(self.account(fields["account"]), amount(fields["amount"]))

    def withdraw(self, entry: Entry) -> machine.Command:
        fields = entry.fields(("account", "amount"))
        return machine.Withdraw(self.account(fields["account"]), amount(fields["amount"]))

    def transfer(self, entry: Entry) -> machine.Command:
        fields = entry.fields(("payer", "payee", "amount"))
        payer, payee = self.account(fields["payer"]), self.account(fields["payee"])
        return machine.Transfer(payer, payee, amount(fields["amount"]))

    def place(self, entry: Entry) -> machine.Command:
        required = ("account", "market", "side", "lots")
        fields = entry.fields(required, ("kind", "price", "reduce_only", "as"))
        kind = Kind.LIMIT
        if "kind" in fields:
            kind = Kind(fields["kind"].one_of([one.value for one in Kind], "BOOK-6"))
        placed = machine.Place(
            self.next_order(),
            self.account(fields["account"]),
            self.market(fields["market"]),
            Side[fields["side"].one_of(("buy", "sell")).upper()],
            kind,
            fields["lots"].integer(1, MAX_LOTS, "UNIT-2"),
            limit(entry, fields, kind),
            "reduce_only" in fields and fields["reduce_only"].flag(),
        )
        if "as" in fields:
            self.call(placed, fields["as"])
        return placed

    def call(self, placed: machine.Place, entry: Entry) -> None:
        """Give an order a name."""
        name = entry.text()
        if name in self.placed:
            raise entry.bad(f"another order is called {name!r}", "a name of its own")
        self.placed[name] = placed
        self.names.orders[placed.order] = f"order {name!r}"

    def cancel(self, entry: Entry) -> machine.Command:
        fields = entry.fields(("account", "order"))
        name = fields["order"].text()
        require_known(fields["order"], name, self.placed, "order placed before")
        placed = self.placed[name]
        return machine.Cancel(self.account(fields["account"]), placed.market, placed.order)

    def set_mark(self, entry: Entry) -> machine.Command:
        fields = entry.fields(("market", "price"))
        return machine.SetMark(self.market(fields["market"]), price(fields["price"]))

    def settle_funding(self, entry: Entry) -> machine.Command:
        fields = entry.fields(("market", "rate"))
        rate = fields["rate"].integer(-PARTS, PARTS, "FUND-1")
        return machine.SettleFunding(self.market(fields["market"]), rate)

    def unwind(self, entry: Entry) -> machine.Command:
        fields = entry.fields(("market",))
        return machine.Unwind(self.market(fields["market"]), self.next_order())

    # What is expected.

    def expects(self, entry: Entry, *, in_step: bool = False) -> tuple[Expected, ...]:
        """Everything that is expected of a step, or at the end."""
        about = ABOUT_EXCHANGE if in_step else ABOUT_EXCHANGE[1:]
        found: list[Expected] = []
        for key, one in entry.fields((), (*about, *self.names.accounts)).items():
            if key == "refused":
                code = one.one_of(list(rule_registry.refusals()))
                found.append(Expected(one.line, key, code))
            elif key == "stages":
                stages = [stage.value for stage in Stage]
                reached = tuple(stage.one_of(stages, "LIQ-7") for stage in one.entries())
                found.append(Expected(one.line, key, reached))
            elif key == "custody":
                found.append(Expected(one.line, key, one.integer(None, None, "UNIT-1")))
            else:
                found.extend(self.expects_of(self.names.accounts[key], one))
        return tuple(found)

    def expects_of(self, account: AccountId, entry: Entry) -> list[Expected]:
        """What is expected of an account."""
        found = []
        for key, one in entry.fields((), ABOUT_ACCOUNT).items():
            if key != "position":
                value = one.integer(None, None, "UNIT-1")
                found.append(Expected(one.line, key, value, account))
                continue
            for name, size in one.table().items():
                require_known(size, name, self.names.markets, "market")
                lots, market = size.integer(None, None, "UNIT-1"), self.names.markets[name]
                found.append(Expected(size.line, key, lots, account, market))
        return found


def amount(entry: Entry) -> int:
    return entry.integer(1, MAX_CASH, "UNIT-2")


def price(entry: Entry) -> int:
    return entry.integer(1, MAX_PRICE, "UNIT-2")


def limit(entry: Entry, fields: dict[str, Entry], kind: Kind) -> int:
    """The price of an order; a market order names none (BOOK-6)."""
    if kind is not Kind.MARKET:
        if "price" not in fields:
            raise entry.bad("price missing", f"a price from 1 to {MAX_PRICE}", "UNIT-2")
        return price(fields["price"])
    if "price" in fields:
        raise fields["price"].bad("a market order names no price", "no price", "BOOK-6")
    return 1
