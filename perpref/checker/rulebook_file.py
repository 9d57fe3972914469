"""A rulebook as a file: what a venue chose, and where one can read that it did.

name = "textbook"
title = "The waterfall as the book tells it"
maker_fee = { value = 200, source = "…", status = "published" }
…
[market.BTC]
id = 1
initial_rate = { value = 100_000, source = "…", status = "published" }
…
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from perpref.checker.files import Document, Value, find, one_of, read_document
from perpref.checker.wire import MarketTerms, Terms
from perpref.rounding import FIXED, Division
from perpref.rules.adl import is_price_safe
from perpref.rules.liquidation_size import SMALLEST_STEP
from perpref.state import (
    BankruptcyPrice,
    Chooser,
    FeeBound,
    ForcedPrice,
    FundTrigger,
    LiquidationLimit,
    LiquidationOrder,
    LiquidationPosition,
    LiquidationSize,
    LossSharing,
    MarkPolicy,
    Ranking,
    Rulebook,
    SelfTrade,
    ShareWeight,
    Sharing,
    Stage,
    TakeoverPrice,
    Tier,
)
from perpref.units import MAX_CASH, MAX_ID, MAX_LOTS, MAX_PRICE, MAX_TIME, PARTS, MarketId, Rounding

STATUSES = {
    "published": "the venue says so",
    "inferred": "seen in what the venue does",
    "unpublished": "not known; a value of ours stands for it",
    "chosen": "ours: the rulebook is not a venue's",
}
"""How far a value can be relied on."""

MAX_FEE = 100_000
"""The highest fee: a tenth of the notional."""

MAX_FUNDING = PARTS
"""The highest funding cap: all of the notional."""

Reader = Callable[[Value], Any]


def _waterfall(value: Value) -> tuple[Stage, ...]:
    """The stages, of which each but the last may be left out; their order is fixed."""
    known = {stage.value: stage for stage in Stage}
    order = list(Stage)
    allowed = f"some of {', '.join(known)}, in this order, residual last"
    stages: list[Stage] = []
    for item in value.items():
        stage = item.one_of(known, "a stage", "LIQ-7")
        if stage in stages:
            raise item.bad("a stage that is there already", allowed, "LIQ-7")
        if stages and order.index(stage) < order.index(stages[-1]):
            raise item.bad(f"a stage after {stages[-1].value}", allowed, "LIQ-7")
        stages.append(stage)
    if not stages or stages[-1] is not Stage.RESIDUAL:
        wrong = "does not end with residual" if stages else "no stages"
        raise value.bad(wrong, allowed, "LIQ-7")
    return tuple(stages)


def _integer(lowest: int, highest: int, rule: str) -> Reader:
    return lambda value: value.integer(lowest, highest, rule)


def _one_of(kind: type[Enum], what: str, rule: str) -> Reader:
    known = {member.value: member for member in kind}
    return lambda value: value.one_of(known, what, rule)


RULES: dict[str, Reader] = {
    "maker_fee": _integer(0, MAX_FEE, "FEE-2"),
    "taker_fee": _integer(0, MAX_FEE, "FEE-3"),
    "liquidation_fee": _integer(0, MAX_FEE, "FEE-4"),
    "funding_cap": _integer(0, MAX_FUNDING, "FUND-1"),
    "vault_boundary": _integer(0, MAX_CASH, "VLT-4"),
    "waterfall": _waterfall,
    "counterparty": _one_of(Chooser, "a chooser", "ADL-5"),
    "price": _one_of(Chooser, "a chooser", "BOOK-3"),
}
"""The keys that a rulebook needs besides its name."""

POLICIES: dict[str, Reader] = {
    "deleverage_ranking": _one_of(Ranking, "a ranking", "ADL-2"),
    "deleverage_price": _one_of(ForcedPrice, "a price", "ADL-3"),
    "deleverage_gap": _integer(0, PARTS, "ADL-3"),
    "deleverage_only_insolvent": Value.flag,
    "deleverage_never_riskier": Value.flag,
    "vault_trigger": _integer(1, PARTS, "VLT-7"),
    "takeover_price": _one_of(TakeoverPrice, "a price", "VLT-22"),
    "vault_notional_cap": _integer(0, MAX_CASH, "VLT-23"),
    "liquidation_fee_bound": _one_of(FeeBound, "a bound", "FEE-10"),
    "liquidation_surplus": _integer(0, PARTS, "FEE-9"),
    "bankruptcy_price": _one_of(BankruptcyPrice, "a definition", "LIQ-20"),
    "liquidation_share": _integer(1, PARTS, "LIQ-10"),
    "liquidation_whole": _integer(0, MAX_CASH, "LIQ-10"),
    "liquidation_limit": _one_of(LiquidationLimit, "a limit", "LIQ-11"),
    "liquidation_adjustment": _integer(0, MAX_CASH, "LIQ-11"),
    "liquidation_spread": _integer(0, PARTS, "LIQ-11"),
    "withdraw_profit": Value.flag,
    "funding_interest": _integer(-PARTS, PARTS, "FUND-6"),
    "funding_damper": _integer(0, PARTS, "FUND-6"),
    "funding_offset": _integer(-PARTS, PARTS, "FUND-6"),
    "funding_samples": _integer(0, MAX_LOTS, "FUND-5"),
    "funding_on_touch": Value.flag,
    "funding_rounding": _one_of(Rounding, "a direction", "FUND-13"),
    "funding_receivers_capped": Value.flag,
    "fee_rounding": _one_of(Rounding, "a direction", "FEE-8"),
    "deleverage_sharing": _one_of(Sharing, "a way to share", "ADL-8"),
    "loss_sharing": _one_of(LossSharing, "a way to share", "LOSS-10"),
    "self_trade": _one_of(SelfTrade, "an order", "BOOK-11"),
    "mark_policy": _one_of(MarkPolicy, "a way to a mark", "MARK-6"),
    "mark_band": _integer(0, PARTS, "MARK-2"),
    "mark_weight": _integer(0, PARTS, "MARK-4"),
    "mark_age": _integer(0, MAX_TIME, "MARK-7"),
    "smaller_keeps_place": Value.flag,
    "liquidation_size": _one_of(LiquidationSize, "a size", "LIQ-15"),
    "liquidation_buffer": _integer(0, PARTS, "LIQ-12"),
    "liquidation_step": _integer(SMALLEST_STEP, PARTS, "LIQ-13"),
    "liquidation_target": _integer(1, PARTS, "LIQ-13"),
    "liquidation_order": _one_of(LiquidationOrder, "an order", "LIQ-19"),
    "liquidation_position": _one_of(LiquidationPosition, "an order", "LIQ-40"),
    "liquidation_seed": _integer(0, MAX_ID, "LIQ-19"),
    "auction_steps": _integer(1, MAX_LOTS, "LIQ-14"),
    "auction_period": _integer(1, MAX_TIME, "LIQ-14"),
    "liquidation_cooldown": _integer(0, MAX_TIME, "LIQ-17"),
    "block_portion": _integer(1, PARTS, "LIQ-18"),
    "block_least": _integer(0, MAX_CASH, "LIQ-18"),
    "block_notional": _integer(0, MAX_CASH, "LIQ-18"),
    "band_both_sides": Value.flag,
    "most_orders": _integer(0, MAX_LOTS, "BOOK-20"),
    "deleverage_weight": _one_of(ShareWeight, "a weight", "ADL-9"),
    "deleverage_seed": _integer(0, MAX_ID, "ADL-12"),
    "deleverage_cancels_orders": Value.flag,
    "liquidators": Value.flag,
    "liquidator_fee": _integer(0, PARTS, "VLT-9"),
    "volunteer_edge": _integer(0, PARTS, "VLT-10"),
    "vault_least_shares": _integer(1, MAX_CASH, "VLT-13"),
    "vault_lockup": _integer(0, MAX_TIME, "VLT-15"),
    "vault_notice": _integer(0, MAX_TIME, "VLT-16"),
    "fund_trigger": _one_of(FundTrigger, "a trigger", "LOSS-11"),
    "fund_begins": _integer(0, PARTS, "LOSS-6"),
    "fund_ends": _integer(0, PARTS, "LOSS-6"),
    "fund_window": _integer(0, MAX_TIME, "LOSS-11"),
    "carry_bad_debt": Value.flag,
    "withdrawal_gate": _integer(0, MAX_TIME, "LOSS-13"),
    "withdrawal_haircut": Value.flag,
    "halt_on_loss": Value.flag,
    "note_paid_in": Value.flag,
    "order_margin": Value.flag,
}
"""The keys that may be left out; the textbook's choice then stands."""


def _held(division: Division) -> Reader:
    """The direction of a rounding that a theorem needs: it may be stated, but no other."""
    (direction,) = division.directions
    known = {member.value: member for member in Rounding}
    name = division.theorem.replace("_", " ")

    def read(value: Value) -> Rounding:
        given = value.one_of(known, "a direction", division.rule)
        if given is not direction:
            raise value.bad(
                "not the direction that a law needs",
                f"{direction.value}, since {name}",
                division.rule,
            )
        return direction

    return read


ROUNDINGS: Mapping[str, Reader] = {division.key: _held(division) for division in FIXED}
"""The keys of roundings that are no choice: whoever states one must state what the rules do."""

MARKET: Mapping[str, Reader] = {
    "initial_rate": _integer(1, PARTS, "MRG-4"),
    "maintenance_rate": _integer(1, PARTS, "MRG-3"),
    "vault_cap": _integer(0, MAX_LOTS, "VLT-2"),
    "mark": _integer(1, MAX_PRICE, "UNIT-2"),
}
"""The keys of a market besides its identifier."""


def _tiers(value: Value) -> tuple[Tier, ...]:
    """Rows of a notional in quanta and both rates, each above the one before."""
    tiers: list[Tier] = []
    for row in value.items():
        cells = list(row.items())
        if len(cells) != 3:
            raise row.bad("not three numbers", "[above, initial_rate, maintenance_rate]", "MRG-6")
        last = tiers[-1].above + 1 if tiers else 1
        initial = cells[1].integer(1, PARTS, "MRG-6")
        tiers.append(
            Tier(
                cells[0].integer(last, MAX_CASH, "MRG-6"),
                initial,
                cells[2].integer(1, initial, "MRG-6"),
            )
        )
    return tuple(tiers)


MARKET_POLICIES: Mapping[str, Reader] = {
    "tiers": _tiers,
    "scaled_from": _integer(0, MAX_CASH, "MRG-7"),
    "scaled_to": _integer(0, MAX_CASH, "MRG-7"),
    "least_notional": _integer(0, MAX_CASH, "BOOK-15"),
    "price_band": _integer(0, PARTS, "BOOK-18"),
    "tick": _integer(1, MAX_PRICE, "BOOK-19"),
    "vault": _integer(0, MAX_ID, "VLT-17"),
    "vault_boundary": _integer(0, MAX_CASH, "VLT-17"),
    "due_at_maintenance": Value.flag,
}
"""The keys of a market that may be left out; margins are then the same for every size."""


FORMULAS: Mapping[str, Reader] = {
    "funding_period": _integer(1, 10**9, "FUND-8"),
    "funding_cap_factor": _integer(0, 10**9, "FUND-7"),
    "funding_spread_part": _integer(1, 10**6, "FUND-6"),
    "impact_margin": _integer(1, MAX_CASH, "FUND-4"),
    "price_figures": _integer(1, 12, "BOOK-12"),
    "price_decimals": _integer(0, 12, "BOOK-12"),
    "liquidation_buffer": _integer(0, PARTS, "LIQ-12"),
    "share_step": _integer(1, PARTS, "LIQ-13"),
    "share_fee": _integer(0, PARTS, "LIQ-13"),
    "share_target": _integer(1, PARTS, "LIQ-13"),
    "insurance_fee_part": _integer(0, PARTS, "FEE-6"),
    "liquidator_grace": _integer(0, 10**9, "FEE-7"),
    "liquidator_fee_growth": _integer(0, PARTS, "FEE-7"),
    "small_shortage": _integer(0, MAX_CASH, "LIQ-10"),
    "drawdown_begins": _integer(1, PARTS, "LOSS-6"),
    "drawdown_ends": _integer(1, PARTS, "LOSS-6"),
    "fund_fall": _integer(1, PARTS, "LOSS-6"),
    "fund_fall_least": _integer(0, MAX_CASH, "LOSS-6"),
    "score_unit": _integer(1, MAX_CASH, "ADL-2"),
}
"""Numbers of a venue's own formulas, in a table [formula]; a formula that it has not has none."""


@frozen
class Source:
    """Where a value comes from, and how far it can be relied on."""

    source: str
    status: str


CHAPTERS = (
    "ledger",
    "margin",
    "isolated",
    "mark",
    "fee",
    "book",
    "funding",
    "liquidation",
    "vault",
    "adl",
    "loss",
    "settlement",
    "clock",
)
"""The chapters in which a venue may do what the rules cannot say."""


@frozen
class Beyond:
    """What a venue does that the rules cannot say, and where one can read that it does."""

    chapter: str
    says: str
    source: str


@frozen
class Venue:
    """A rulebook with its markets by name, and the sources of its values by key.

    `beyond` is what else the venue does: as far as that matters, the rulebook is not the venue.
    """

    title: str
    rulebook: Rulebook
    markets: Mapping[str, MarketId]
    terms: Mapping[MarketId, MarketTerms]
    sources: Mapping[str, Source]
    beyond: tuple[Beyond, ...] = ()
    formulas: Mapping[str, int] = field(factory=dict)

    @property
    def as_terms(self) -> Terms:
        """The same for an engine, to which names mean nothing."""
        return Terms(self.rulebook, dict(self.terms))


def load_rulebook(name: str) -> Rulebook:
    """The rulebook of a shipped name or a path, without markets. Raises BadInput."""
    return load_venue(name).rulebook


def load_venue(name: str, near: Path | None = None) -> Venue:
    """The rulebook of a shipped name, or of a path from `near`, with its markets.

    Raises:
        BadInput: there is no such file, or something in it is not allowed.
    """
    return read_venue(read_document(find("rulebooks", name, near)))


def read_venue(document: Document) -> Venue:
    """The venue in a document. Raises BadInput."""
    root = document.root
    root.allow("name", "title", *RULES, *POLICIES, *ROUNDINGS, "formula", "market", "beyond")
    name, title = root.need("name").text(), root.need("title").text()
    sources: dict[str, Source] = {}
    rules = {key: _sourced(root.need(key), reader, sources) for key, reader in RULES.items()}
    for key, reader in POLICIES.items():
        if (given := root.get(key)) is not None:
            rules[key] = _sourced(given, reader, sources)
    for key, reader in ROUNDINGS.items():
        if (given := root.get(key)) is not None:
            _sourced(given, reader, sources)
    rulebook = Rulebook(name, **rules)
    require_safe_price(root, rulebook)
    require_nobody_chooses(root, rulebook)
    require_noted(root, rulebook)
    require_settled_at_once(root, rulebook)
    markets: dict[str, MarketId] = {}
    terms: dict[MarketId, MarketTerms] = {}
    for market in root.need("market", "a table [market.NAME] for each market").entries():
        identifier = _market_id(market, markets)
        markets[market.name] = identifier
        terms[identifier] = _market_terms(market, sources)
    if not markets:
        raise root.need("market").bad("no markets", "a table [market.NAME] for each market")
    formula = root.get("formula")
    formulas = _formulas(formula, sources) if formula is not None else {}
    given = root.get("beyond")
    beyond = tuple(_beyond(entry) for entry in given.items()) if given is not None else ()
    return Venue(title, rulebook, markets, terms, sources, beyond, formulas)


def _formulas(table: Value, sources: dict[str, Source]) -> dict[str, int]:
    table.allow(*FORMULAS)
    given = {key: table.get(key) for key in FORMULAS}
    return {
        key: _sourced(value, FORMULAS[key], sources)
        for key, value in given.items()
        if value is not None
    }


def _beyond(entry: Value) -> Beyond:
    entry.allow("chapter", "says", "source")
    chapter = entry.need("chapter").one_of({name: name for name in CHAPTERS}, "a chapter")
    return Beyond(chapter, entry.need("says").text(), entry.need("source").text())


def require_safe_price(root: Value, rulebook: Rulebook) -> None:
    """Refuse a price of ADL that could ruin a solvent account (ADL-6)."""
    if not is_price_safe(rulebook):
        waits = root.get("deleverage_only_insolvent") or root.need("deleverage_price")
        raise waits.bad(
            "a solvent account could be ruined at the previous mark or the index",
            "deleverage_only_insolvent must be true with this price",
            "ADL-6",
            shown=False,
        )


def require_noted(root: Value, rulebook: Rulebook) -> None:
    """Refuse to cut profits of which nobody knows what they are (LOSS-9)."""
    if rulebook.loss_sharing is LossSharing.PROFIT and not rulebook.note_paid_in:
        cuts = root.get("loss_sharing") or root.need("note_paid_in")
        raise cuts.bad(
            "profit is what is beside what was paid in, which is not noted",
            "note_paid_in must be true with it",
            "LOSS-9",
            shown=False,
        )


def require_settled_at_once(root: Value, rulebook: Rulebook) -> None:
    """Refuse to cap what receivers get where nobody knows yet what they are due (FUND-14)."""
    if rulebook.funding_receivers_capped and rulebook.funding_on_touch:
        raise root.need("funding_receivers_capped").bad(
            "an index pays whoever is touched, before it is known what all receivers are due",
            "funding_on_touch must be false with it",
            "FUND-14",
            shown=False,
        )


def require_nobody_chooses(root: Value, rulebook: Rulebook) -> None:
    """Refuse that an engine chooses whom to close where everybody is closed (ADL-8)."""
    shared = rulebook.deleverage_sharing is not Sharing.QUEUE
    if shared and rulebook.counterparty is Chooser.ENGINE:
        shares = root.get("deleverage_sharing") or root.need("counterparty")
        raise shares.bad(
            "in proportion everybody is closed, and the engine has nobody to choose",
            "counterparty must be rulebook with it",
            "ADL-8",
            shown=False,
        )


def _market_id(market: Value, known: Mapping[str, MarketId]) -> MarketId:
    market.allow("id", *MARKET, *MARKET_POLICIES)
    given = market.need("id")
    identifier = MarketId(given.integer(0, MAX_ID, "UNIT-4"))
    for name, other in known.items():
        if other == identifier:
            raise given.bad(f"the identifier of {name}", "one of its own", "UNIT-4")
    return identifier


def _market_terms(market: Value, sources: dict[str, Source]) -> MarketTerms:
    values = {key: _sourced(market.need(key), reader, sources) for key, reader in MARKET.items()}
    for key, reader in MARKET_POLICIES.items():
        if (given := market.get(key)) is not None:
            values[key] = _sourced(given, reader, sources)
    terms = MarketTerms(**values)
    require_rates(market.need("maintenance_rate").need("value"), terms)
    require_rising(market, terms)
    require_room_above_maintenance(market, terms)
    return terms


def require_room_above_maintenance(market: Value, terms: MarketTerms) -> None:
    """Refuse that who opens a position may be due at once (MRG-9)."""
    rates = ((tier.initial_rate, tier.maintenance_rate) for tier in terms.tiers)
    equal = any(one == two for one, two in ((terms.initial_rate, terms.maintenance_rate), *rates))
    if terms.due_at_maintenance and equal:
        raise market.need("due_at_maintenance").bad(
            "who opens a position may be due at once",
            "every initial rate must be above its maintenance rate with it",
            "MRG-9",
            shown=False,
        )


def require_rising(market: Value, terms: MarketTerms) -> None:
    """Refuse tiers whose rates do not rise from the market's own rates on (MRG-6)."""
    low, least = terms.initial_rate, terms.maintenance_rate
    for tier in terms.tiers:
        if tier.initial_rate < low or tier.maintenance_rate < least:
            raise market.need("tiers").bad(
                f"a tier from {tier.above:_} on with lower rates than the one before",
                "rates that rise",
                "MRG-6",
                shown=False,
            )
        low, least = tier.initial_rate, tier.maintenance_rate


def require_rates(maintenance: Value, terms: MarketTerms) -> None:
    """Refuse a maintenance rate above the initial rate (MRG-4)."""
    if terms.maintenance_rate > terms.initial_rate:
        raise maintenance.bad(
            f"more than the initial rate of {terms.initial_rate:_}",
            f"an integer from 1 to {terms.initial_rate:_}",
            "MRG-4",
        )


def _sourced(value: Value, reader: Reader, sources: dict[str, Source]) -> Any:
    """A value and its source; both must be there."""
    if not isinstance(value.raw, dict):
        allowed = f'{{ value = …, source = "…", status = {one_of(STATUSES)} }}'
        raise value.bad("a value without its source", allowed)
    value.allow("value", "source", "status")
    read = reader(value.need("value"))
    source = value.need("source", "where the value can be read").text()
    status = value.need("status", one_of(STATUSES))
    status.one_of(STATUSES, "a status")
    sources[value.key] = Source(source, status.text())
    return read


def overridden(venue: Venue, changes: Value) -> Venue:
    """The venue with plain values of a scenario in place of its own; it may add markets.

    Raises:
        BadInput: a value is not allowed.
    """
    changes.allow(*RULES, *POLICIES, "market")
    rules = {
        key: reader(value)
        for key, reader in (RULES | POLICIES).items()
        if (value := changes.get(key)) is not None
    }
    markets, terms = dict(venue.markets), dict(venue.terms)
    given = changes.get("market")
    for market in given.entries() if given is not None else ():
        known = market.name in markets
        identifier = markets[market.name] if known else _market_id(market, markets)
        markets[market.name] = identifier
        terms[identifier] = _changed(market, terms[identifier] if known else None)
    rulebook = evolve(venue.rulebook, **rules)
    require_safe_price(changes, rulebook)
    require_nobody_chooses(changes, rulebook)
    require_noted(changes, rulebook)
    return evolve(venue, rulebook=rulebook, markets=markets, terms=terms)


def _changed(market: Value, terms: MarketTerms | None) -> MarketTerms:
    """A market's terms after the changes; a new market needs all of them."""
    market.allow(*MARKET, *MARKET_POLICIES, *(() if terms is not None else ("id",)))
    kept = terms if terms is not None else MarketTerms(1, 1, 0, 1)
    values = {
        key: reader(value) if (value := market.get(key)) is not None else getattr(kept, key)
        for key, reader in MARKET_POLICIES.items()
    }
    for key, reader in MARKET.items():
        value = market.get(key) if terms is not None else market.need(key)
        values[key] = reader(value) if value is not None else getattr(terms, key)
    changed = MarketTerms(**values)
    require_rates(market.get("maintenance_rate") or market.get("initial_rate") or market, changed)
    require_rising(market, changed)
    return changed
