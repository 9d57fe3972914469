"""Rulebooks: what a venue chose where the rules leave a choice, each value with its source.

name = "textbook"
title = "The textbook"
maker_fee = {value = 100, source = "where this is published", status = "published"}

[market.BTC]
id = 1
mark = {value = 1_000, source = "...", status = "unpublished"}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from attrs import frozen

from perpref.checker.wire import MarketTerms, Terms
from perpref.files.shipped import located
from perpref.files.source import Entry, listed, nearest, read_toml
from perpref.state import Chooser, Rulebook, Stage
from perpref.units import MAX_CASH, MAX_ID, MAX_LOTS, MAX_PRICE, PARTS, MarketId

Read = Callable[[Entry], Any]

STATUSES = ("published", "inferred", "unpublished", "chosen")
"""How sure a value is: the venue says so, it was seen in what the venue does, it is not known and
ours stands for it, or the rulebook is no venue's and it is ours altogether."""


def within(low: int, high: int, rule: str) -> Read:
    return lambda entry: entry.integer(low, high, rule)


def chooser(rule: str) -> Read:
    return lambda entry: Chooser(entry.one_of([one.value for one in Chooser], rule))


def waterfall(entry: Entry) -> tuple[Stage, ...]:
    """Stages in the one order in which they may stand, the last of them residual (LIQ-7)."""
    order = [stage.value for stage in Stage]
    allowed = f"some of {listed(order)}, in this order, the last of them residual"
    stages: list[str] = []
    for one in entry.entries():
        name = one.one_of(order, "LIQ-7")
        if name in stages:
            raise one.bad(f"{name} stands there twice", allowed, "LIQ-7")
        if stages and order.index(name) < order.index(stages[-1]):
            raise one.bad(f"{name} stands after {stages[-1]}", allowed, "LIQ-7")
        stages.append(name)
    if not stages or stages[-1] != Stage.RESIDUAL.value:
        what = f"it ends with {stages[-1]}" if stages else "it has no stage"
        raise entry.bad(what, allowed, "LIQ-7")
    return tuple(map(Stage, stages))


VALUES: dict[str, Read] = {
    "maker_fee": within(0, PARTS, "FEE-1"),
    "taker_fee": within(0, PARTS, "FEE-1"),
    "liquidation_fee": within(0, PARTS, "FEE-1"),
    "funding_cap": within(0, PARTS, "FUND-1"),
    "vault_boundary": within(0, MAX_CASH, "VLT-4"),
    "waterfall": waterfall,
    "counterparty": chooser("ADL-2"),
    "price": chooser("BOOK-3"),
}
"""What a rulebook decides, and how it is read."""

MARKET_VALUES: dict[str, Read] = {
    "initial_rate": within(1, PARTS, "MRG-4"),
    "maintenance_rate": within(1, PARTS, "MRG-3"),
    "vault_cap": within(0, MAX_LOTS, "VLT-2"),
    "mark": within(1, MAX_PRICE, "UNIT-2"),
}
"""What a market is set up with, and how it is read."""


@frozen
class Value:
    """A value of a rulebook: where it stands, where it comes from, and how sure that is."""

    value: Any
    entry: Entry
    source: str = ""
    status: str = ""


@frozen
class RulebookFile:
    """A rulebook as it is written: its values by their keys, and its markets by their names."""

    name: str
    title: str
    values: dict[str, Value]
    ids: dict[str, MarketId]
    markets: dict[str, dict[str, Value]]

    def terms(self) -> Terms:
        """What an exchange is set up with. Raises BadFile when values contradict each other."""
        chosen = {key: value.value for key, value in self.values.items()}
        markets = {}
        for name, number in sorted(self.ids.items(), key=lambda item: item[1]):
            require_rates_in_order(self.markets[name])
            settings = {key: value.value for key, value in self.markets[name].items()}
            markets[number] = MarketTerms(**settings)
        return Terms(Rulebook(self.name, **chosen), markets)


def require_rates_in_order(market: dict[str, Value]) -> None:
    """Refuse a maintenance rate above the initial rate (MRG-3, MRG-4)."""
    initial, maintenance = market["initial_rate"], market["maintenance_rate"]
    if maintenance.value > initial.value:
        # Of two values in two files the one that was written last is at fault: an override.
        at = initial if initial.entry.path[0] == "override" else maintenance
        at = maintenance if maintenance.entry.path[0] == "override" else at
        what = f"maintenance rate {maintenance.value} is above initial rate {initial.value}"
        raise at.entry.bad(what, "0 < maintenance_rate <= initial_rate", "MRG-3, MRG-4")


def sourced(entry: Entry, read: Read) -> Value:
    """A value with its source."""
    if not isinstance(entry.value, dict):
        what = "a value stands with its source"
        raise entry.bad(what, "{value = ..., source = ..., status = ...}")
    fields = entry.fields(("value", "source", "status"))
    value = read(fields["value"])
    source = fields["source"].text()
    return Value(value, fields["value"], source, fields["status"].one_of(STATUSES))


def read_rulebook(path: Path, name: str = "") -> RulebookFile:
    """A rulebook from a file, every value of it checked. Raises BadFile."""
    fields = read_toml(path, name).fields(("name", "title", *VALUES, "market"))
    ids: dict[str, MarketId] = {}
    markets: dict[str, dict[str, Value]] = {}
    for market, table in fields["market"].table().items():
        settings = table.fields(("id", *MARKET_VALUES))
        number = MarketId(settings["id"].integer(0, MAX_ID, "UNIT-4"))
        if number in ids.values():
            what = f"another market has the identifier {number}"
            raise settings["id"].bad(what, "a number of its own", "UNIT-4")
        ids[market] = number
        markets[market] = {k: sourced(settings[k], read) for k, read in MARKET_VALUES.items()}
    if not ids:
        raise fields["market"].bad("there is no market", "one table [market.NAME] for each market")
    values = {key: sourced(fields[key], read) for key, read in VALUES.items()}
    book = RulebookFile(fields["name"].text(), fields["title"].text(), values, ids, markets)
    book.terms()
    return book


def overridden(book: RulebookFile, override: Entry) -> RulebookFile:
    """A rulebook with some of its values replaced by bare ones. Raises BadFile."""
    fields = override.fields((), (*VALUES, "market"))
    values = dict(book.values)
    values.update(bare(fields, VALUES))
    markets = dict(book.markets)
    if "market" in fields:
        for name, table in fields["market"].table().items():
            require_known(table, name, book.ids, "market")
            settings = table.fields((), tuple(MARKET_VALUES))
            markets[name] = {**markets[name], **bare(settings, MARKET_VALUES)}
    return RulebookFile(book.name, book.title, values, book.ids, markets)


def bare(fields: dict[str, Entry], reads: dict[str, Read]) -> dict[str, Value]:
    """The values that stand without a source, among the given keys."""
    found = ((key, read) for key, read in reads.items() if key in fields)
    return {key: Value(read(fields[key]), fields[key]) for key, read in found}


def require_known(entry: Entry, name: str, known: Iterable[str], kind: str) -> None:
    """Refuse a name that stands for nothing."""
    known = list(known)
    if name not in known:
        raise entry.bad(f"there is no {kind} {name!r}{nearest(name, known)}", listed(known))


def load_rulebook(path_or_name: str | Path) -> tuple[Terms, dict[str, MarketId]]:
    """What an exchange is set up with, and its markets by name, from a file or a shipped name.

    Raises:
        BadFile: there is no such file, or it is not a rulebook.
    """
    book = find_rulebook(str(path_or_name))
    return book.terms(), book.ids


def find_rulebook(said: str, beside: Path | None = None) -> RulebookFile:
    """The rulebook that is meant by a path (looked for `beside`) or by a shipped name."""
    return read_rulebook(*located("rulebook", said, beside))
