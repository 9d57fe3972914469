"""What a rulebook says, in words: a card of one venue, and how two venues differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from attrs import frozen

from perpref.checker.rulebook_file import CHAPTERS, MARKET, POLICIES, RULES, Beyond, Source, Venue
from perpref.state import Chooser, ForcedPrice, Ranking, Stage
from perpref.units import PARTS

STAGES = {
    Stage.BOOK: "whoever rests on the book, at the bankruptcy price or better",
    Stage.VAULT: "the insurance vault, at the bankruptcy price, as far as it can carry it",
    Stage.DELEVERAGE: "winners of the other side, in their order, as far as they can bear it",
    Stage.RESIDUAL: "the rest at the mark; a deficit is shared by all who have something",
}

IN_WORDS: Mapping[Enum, str] = {
    Ranking.LEVERAGED_RETURN: "profit ratio times leverage",
    Ranking.SIGNED_RETURN: "profit ratio times leverage, for losers divided by it",
    Ranking.MARGINED_RETURN: "profit over collateral times the margin ratio; losers score nothing",
    Ranking.MARK_TO_ENTRY: "mark over entry times leverage, turned round for shorts",
    Ranking.MARK_TO_ENTRY_LITERAL: "mark over entry times leverage, for shorts as well",
    ForcedPrice.BANKRUPTCY: "the bankruptcy price",
    ForcedPrice.MARK: "the mark",
    ForcedPrice.PREVIOUS_MARK: "the mark before the last one",
    ForcedPrice.BANKRUPTCY_UNLESS_FAR: "the bankruptcy price, or the mark when they are far apart",
    Chooser.RULEBOOK: "the rules",
    Chooser.ENGINE: "the engine, which reports it",
}


@frozen
class Term:
    """A choice of a rulebook: what it is about, its rule, and the chapter that it belongs to."""

    key: str
    label: str
    rule: str
    chapter: str


TERMS = (
    Term("maker_fee", "fee of the maker", "FEE-2", "fee"),
    Term("taker_fee", "fee of the taker", "FEE-3", "fee"),
    Term("liquidation_fee", "liquidation fee, out of what the book gave", "FEE-4", "fee"),
    Term("price", "price of a fill within both limits chosen by", "BOOK-3", "book"),
    Term("funding_cap", "cap of the funding rate", "FUND-1", "funding"),
    Term("waterfall", "stages of a liquidation", "LIQ-7", "liquidation"),
    Term("vault_boundary", "equity that the vault keeps, in quanta", "VLT-4", "vault"),
    Term("deleverage_ranking", "ADL: who is first", "ADL-2", "adl"),
    Term("counterparty", "ADL: the next counterparty chosen by", "ADL-5", "adl"),
    Term("deleverage_price", "ADL: closed at", "ADL-3", "adl"),
    Term("deleverage_gap", "ADL: how far apart is far, of the mark", "ADL-3", "adl"),
    Term("deleverage_only_insolvent", "ADL: only against the insolvent", "ADL-6", "adl"),
    Term("deleverage_never_riskier", "ADL: spares whom it would leave riskier", "ADL-4", "adl"),
)
"""Every choice of a rulebook, in the order of the chapters."""

MARKET_TERMS = (
    Term("initial_rate", "initial margin, of notional", "MRG-4", "margin"),
    Term("maintenance_rate", "maintenance margin, of notional", "MRG-3", "margin"),
    Term("vault_cap", "lots that the vault holds at most", "VLT-2", "vault"),
    Term("mark", "opening mark, in ticks", "MARK-1", "mark"),
)
"""Every term of a market."""

PARTS_OF = {"funding_cap", "deleverage_gap"} | {
    key for key in (*RULES, *POLICIES, *MARKET) if key.endswith(("_fee", "_rate"))
}
"""Keys whose values are parts per million."""


UNPUBLISHED = "unpublished"
"""The status of a value that is ours because the venue's is not known."""


@frozen
class Line:
    """One line of a card."""

    term: Term
    value: str
    source: Source


def card(venue: Venue) -> Iterator[tuple[str, list[Line]]]:
    """The lines of a venue by heading: the rulebook, then each market."""
    yield "the venue", [_line(venue, term, venue.rulebook, "") for term in TERMS]
    for name, market in venue.markets.items():
        prefix = f"market.{name}."
        terms = venue.terms[market]
        yield f"market {name}", [_line(venue, term, terms, prefix) for term in MARKET_TERMS]


def _line(venue: Venue, term: Term, holder: object, prefix: str) -> Line:
    unsaid = Source("not stated in the file: the textbook's choice stands", "chosen")
    source = venue.sources.get(prefix + term.key, unsaid)
    return Line(term, in_words(term.key, getattr(holder, term.key)), source)


def in_words(key: str, value: Any) -> str:
    """A value as one would say it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(stage.value for stage in value)
    if isinstance(value, Enum):
        return IN_WORDS[value]
    return percent(value) if key in PARTS_OF else f"{value:,}"


def percent(parts: int) -> str:
    """Parts per million as per cent, exactly."""
    whole, rest = divmod(parts * 100, PARTS)
    digits = f"{rest:06d}".rstrip("0")
    return f"{whole}.{digits} %" if digits else f"{whole} %"


def waterfall_picture(venue: Venue) -> list[str]:
    """The waterfall as a picture of text: each stage further to the right than the one before."""
    lines = ["equity below maintenance margin: its orders are cancelled"]
    for place, stage in enumerate(venue.rulebook.waterfall):
        indent = "   " * place
        lines += [f"{indent}  |", f"{indent}  +- {stage.value}: {STAGES[stage]}"]
    return lines


@frozen
class Difference:
    """A choice that two venues make otherwise."""

    term: Term
    one: Line
    other: Line


@frozen
class Comparison:
    """How two venues differ: in their choices, in nothing, and beyond the rules, by chapter.

    What one of them does not publish is no difference, and no likeness either.
    """

    differences: tuple[Difference, ...]
    alike: tuple[Line, ...]
    unpublished: tuple[Term, ...]
    beyond: Mapping[str, tuple[tuple[Beyond, ...], tuple[Beyond, ...]]]


def compare(one: Venue, other: Venue) -> Comparison:
    """What two venues choose otherwise, the rulebook alone: markets are of different sizes."""
    ours, theirs = (next(lines for _, lines in card(venue)) for venue in (one, other))
    both = list(zip(ours, theirs, strict=True))
    pairs = [pair for pair in both if not any(line.source.status == UNPUBLISHED for line in pair)]
    beyond = {
        chapter: (
            tuple(entry for entry in one.beyond if entry.chapter == chapter),
            tuple(entry for entry in other.beyond if entry.chapter == chapter),
        )
        for chapter in CHAPTERS
    }
    return Comparison(
        tuple(Difference(a.term, a, b) for a, b in pairs if a.value != b.value),
        tuple(a for a, b in pairs if a.value == b.value),
        tuple(a.term for a, b in both if (a, b) not in pairs),
        {chapter: notes for chapter, notes in beyond.items() if any(notes)},
    )
