"""What a rulebook says, in words: a card of one venue, and how two venues differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from attrs import frozen

from perpref.checker.rulebook_file import (
    CHAPTERS,
    FORMULAS,
    MARKET,
    RULES,
    Beyond,
    Source,
    Venue,
)
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
    SelfTrade,
    ShareWeight,
    Sharing,
    Stage,
    TakeoverPrice,
    Tier,
)
from perpref.units import PARTS, Rounding

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
    TakeoverPrice.BANKRUPTCY: "the bankruptcy price",
    TakeoverPrice.MARK: "the mark, without any margin",
    TakeoverPrice.WITH_MARGIN: "the mark, and the margin behind the lots goes along",
    BankruptcyPrice.EQUITY_SHARE: "a share of equity by maintenance margin",
    BankruptcyPrice.WHOLE_EQUITY: "all of the equity, anew for each position",
    BankruptcyPrice.ENTRY: "the initial margin of its entry, as far as there is equity",
    FeeBound.SURPLUS: "what the book gave",
    FeeBound.EQUITY: "all the equity that is left",
    LiquidationLimit.BANKRUPTCY: "the bankruptcy price",
    LiquidationOrder.ACCOUNT: "the account with the smaller number",
    LiquidationOrder.WORST_FIRST: "the account whose equity covers least of its margin",
    LiquidationOrder.SEEDED: "an account that nobody picks, and round from it",
    LiquidationPosition.LARGEST_FIRST: "the position with the largest margin",
    LiquidationPosition.SEEDED: "a position that nobody picks, and round from it",
    LiquidationLimit.AUCTION: "an auction, from the mark to the bankruptcy price",
    LiquidationLimit.FILLABLE: "a price that walks away from the mark; the vault pays the rest",
    LiquidationSize.WHOLE: "the whole position",
    LiquidationSize.TO_BUFFER: "the fewest lots that make the account safe",
    LiquidationSize.TIER_STEP: "down to the next lower tier",
    LiquidationSize.EQUAL_SHARE: "the same share of every position first",
    SelfTrade.RESTING: "the resting order",
    SelfTrade.INCOMING: "the incoming order",
    SelfTrade.BOTH: "both orders",
    MarkPolicy.ORACLE: "the oracle's word",
    MarkPolicy.INDEX: "the index",
    MarkPolicy.CLAMPED: "the market's price, within a band around the index",
    MarkPolicy.BASIS: "the index and the average basis",
    MarkPolicy.MEDIAN: "the median of index, index with average basis, and the market's price",
    Sharing.QUEUE: "one after the other",
    Sharing.PRO_RATA: "everybody in proportion, then the queue for the rest",
    Sharing.LARGEST_REMAINDER: "everybody in proportion, the largest remainders rounded up",
    Sharing.CAPPED: "everybody in proportion as far as it stays margined, then the queue",
    ShareWeight.LOTS: "its lots",
    ShareWeight.EQUITY: "its equity",
    ShareWeight.LEVERED_PROFIT: "its profit, times its leverage",
    Ranking.UNRANKED: "nobody: a walk round all, from one that nobody picks",
    ForcedPrice.MARGIN: "the mark, and the margin behind the lots goes along",
    ForcedPrice.INDEX: "the index",
    LossSharing.PER_LOT: "by the same charge on every lot, then by equity for the rest",
    LossSharing.PROFIT: "by the same cut of everybody's profit, then by equity for the rest",
    LossSharing.LOTS: "by the lots of all positions, on both sides, then by equity for the rest",
    FundTrigger.NONE: "after book and vault, whatever the fund has",
    FundTrigger.EMPTY: "when the fund has nothing left",
    FundTrigger.DRAWDOWN: "when the fund is drawn down",
    LossSharing.EQUITY: "by equity",
    LossSharing.NOTIONAL: "by the notional of all positions, then by equity for the rest",
    LossSharing.GAINS: "by open profit, then by equity for the rest",
    Rounding.UP: "up, for whoever is paid",
    Rounding.DOWN: "down, for whoever pays",
    Rounding.TOWARDS_ZERO: "towards zero, for whoever gives cash away",
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
    Term("withdraw_profit", "unrealised profit may leave", "LED-6", "ledger"),
    Term("mark_policy", "where the mark comes from", "MARK-6", "mark"),
    Term("mark_band", "mark: band around the index", "MARK-2", "mark"),
    Term("mark_weight", "mark: weight of a sample of the basis", "MARK-4", "mark"),
    Term("mark_age", "mark: too old after, by the clock", "MARK-7", "mark"),
    Term("order_margin", "resting orders reserve initial margin", "MRG-8", "margin"),
    Term("maker_fee", "fee of the maker", "FEE-2", "fee"),
    Term("taker_fee", "fee of the taker", "FEE-3", "fee"),
    Term("liquidation_fee", "liquidation fee, of the notional", "FEE-4", "fee"),
    Term("liquidation_fee_bound", "liquidation fee: out of", "FEE-10", "fee"),
    Term("liquidation_surplus", "surplus: to the vault, of what the fee leaves", "FEE-9", "fee"),
    Term("fee_rounding", "fee: a part of a quantum is rounded", "FEE-8", "fee"),
    Term("price", "price of a fill within both limits chosen by", "BOOK-3", "book"),
    Term("self_trade", "who would meet itself loses", "BOOK-11", "book"),
    Term("smaller_keeps_place", "a smaller order keeps its place", "BOOK-17", "book"),
    Term("band_both_sides", "price band: on both sides of the mark", "BOOK-18", "book"),
    Term("most_orders", "orders of an account in a market, 0 any", "BOOK-20", "book"),
    Term("funding_cap", "cap of the funding rate", "FUND-1", "funding"),
    Term("funding_interest", "funding: what the rate is drawn to", "FUND-6", "funding"),
    Term("funding_damper", "funding: by how much at most", "FUND-6", "funding"),
    Term("funding_offset", "funding: what is added", "FUND-6", "funding"),
    Term("funding_samples", "funding: premiums expected in a period", "FUND-5", "funding"),
    Term("funding_on_touch", "funding: an account is settled when touched", "FUND-11", "funding"),
    Term("funding_rounding", "funding: a part of a quantum is rounded", "FUND-13", "funding"),
    Term(
        "funding_receivers_capped",
        "funding: receivers get no more than there is",
        "FUND-14",
        "funding",
    ),
    Term("waterfall", "stages of a liquidation", "LIQ-7", "liquidation"),
    Term("bankruptcy_price", "what stands behind a position", "LIQ-20", "liquidation"),
    Term("liquidation_share", "first order: of a large position", "LIQ-10", "liquidation"),
    Term("liquidation_whole", "closed at once up to, in quanta", "LIQ-10", "liquidation"),
    Term("liquidation_order", "liquidated first", "LIQ-19", "liquidation"),
    Term("liquidation_position", "of its positions first", "LIQ-40", "liquidation"),
    Term("liquidation_seed", "seed of a walk to liquidate", "LIQ-19", "liquidation"),
    Term("liquidation_size", "closed at a time", "LIQ-15", "liquidation"),
    Term("liquidation_buffer", "closed until margin and, of notional", "LIQ-12", "liquidation"),
    Term("liquidation_step", "share of all positions, in steps of", "LIQ-13", "liquidation"),
    Term("liquidation_target", "until margin is below, of equity", "LIQ-13", "liquidation"),
    Term("liquidation_limit", "limit of the order", "LIQ-11", "liquidation"),
    Term("liquidation_adjustment", "how fast the limit walks", "LIQ-11", "liquidation"),
    Term("liquidation_spread", "how far, of the margin", "LIQ-11", "liquidation"),
    Term("auction_steps", "steps of an auction", "LIQ-14", "liquidation"),
    Term("auction_period", "time of a step, by the clock", "LIQ-14", "liquidation"),
    Term(
        "liquidation_cooldown",
        "after a part the rest follows for, by the clock",
        "LIQ-17",
        "liquidation",
    ),
    Term("block_portion", "closed at one time, of a position", "LIQ-18", "liquidation"),
    Term("block_least", "or, in quanta", "LIQ-18", "liquidation"),
    Term(
        "block_notional",
        "closed at one time of an account, in quanta, 0 any",
        "LIQ-18",
        "liquidation",
    ),
    Term("vault_boundary", "equity that the vault keeps, in quanta", "VLT-4", "vault"),
    Term("vault_trigger", "vault: steps in below, of the margin", "VLT-7", "vault"),
    Term("takeover_price", "vault: takes positions over at", "VLT-22", "vault"),
    Term("vault_notional_cap", "vault: notional, of its equity, 0 any", "VLT-23", "vault"),
    Term("liquidators", "liquidators from outside take what is due", "VLT-9", "vault"),
    Term("liquidator_fee", "liquidators: the mark less", "VLT-9", "vault"),
    Term("volunteer_edge", "volunteers: from the mark at most", "VLT-10", "vault"),
    Term("vault_least_shares", "vault: fewest shares of a contribution", "VLT-13", "vault"),
    Term("vault_lockup", "vault: shares are locked for, by the clock", "VLT-15", "vault"),
    Term("vault_notice", "vault: shares are redeemed at notice of", "VLT-16", "vault"),
    Term("deleverage_ranking", "ADL: who is first", "ADL-2", "adl"),
    Term("counterparty", "ADL: the next counterparty chosen by", "ADL-5", "adl"),
    Term("deleverage_sharing", "ADL: how many at a time", "ADL-8", "adl"),
    Term("deleverage_weight", "ADL: in proportion to", "ADL-9", "adl"),
    Term("deleverage_seed", "ADL: seed of the walk", "ADL-12", "adl"),
    Term("deleverage_cancels_orders", "ADL: whoever is closed loses its orders", "ADL-14", "adl"),
    Term("deleverage_price", "ADL: closed at", "ADL-3", "adl"),
    Term("deleverage_gap", "ADL: how far apart is far, of the mark", "ADL-3", "adl"),
    Term("deleverage_only_insolvent", "ADL: only against the insolvent", "ADL-6", "adl"),
    Term("deleverage_never_riskier", "ADL: spares whom it would leave riskier", "ADL-4", "adl"),
    Term("fund_trigger", "winners are closed only", "LOSS-11", "loss"),
    Term("fund_begins", "fund: drawn down from a fall of", "LOSS-6", "loss"),
    Term("fund_ends", "fund: until a fall of less than", "LOSS-6", "loss"),
    Term("fund_window", "fund: its best within, by the clock", "LOSS-11", "loss"),
    Term("carry_bad_debt", "a loss that is left is carried by the vault", "LOSS-12", "loss"),
    Term("withdrawal_gate", "no cash leaves after a loss for", "LOSS-13", "loss"),
    Term("withdrawal_haircut", "withdrawals are cut while the vault owes", "LOSS-8", "loss"),
    Term("halt_on_loss", "a loss pauses all markets", "LOSS-14", "loss"),
    Term("note_paid_in", "realised profit counts among gains", "LED-10", "loss"),
    Term("loss_sharing", "a loss that is left is shared", "LOSS-10", "loss"),
)
"""Every choice of a rulebook, in the order of the chapters."""

MARKET_TERMS = (
    Term("initial_rate", "initial margin, of notional", "MRG-4", "margin"),
    Term("maintenance_rate", "maintenance margin, of notional", "MRG-3", "margin"),
    Term("vault_cap", "lots that the vault holds at most", "VLT-2", "vault"),
    Term("mark", "opening mark, in ticks", "MARK-1", "mark"),
)
"""Every term that a market needs."""

MARKET_POLICY_TERMS = (
    Term("tiers", "higher rates above, in quanta", "MRG-6", "margin"),
    Term("scaled_from", "initial margin grows from, in quanta", "MRG-7", "margin"),
    Term("scaled_to", "up to, in quanta", "MRG-7", "margin"),
    Term("least_notional", "smallest order, in quanta", "BOOK-15", "book"),
    Term("price_band", "price band, of the mark", "BOOK-18", "book"),
    Term("tick", "prices are multiples of, in ticks", "BOOK-19", "book"),
    Term("vault", "account that takes over, 0 the vault", "VLT-17", "vault"),
    Term("vault_boundary", "equity that a vault of its own keeps", "VLT-17", "vault"),
    Term("due_at_maintenance", "due at just the maintenance margin", "MRG-9", "liquidation"),
)
"""Every term of a market that may be left out; shown where it is not."""

FORMULA_TERMS = (
    Term("impact_margin", "margin of the impact notional, in quanta", "FUND-4", "funding"),
    Term("funding_cap_factor", "cap, times what initial exceeds", "FUND-7", "funding"),
    Term("funding_period", "period of a rate, in seconds", "FUND-8", "funding"),
    Term("funding_spread_part", "spread at most one part of", "FUND-6", "funding"),
    Term("price_figures", "significant figures of a price", "BOOK-12", "book"),
    Term("price_decimals", "decimals of a price and a size", "BOOK-12", "book"),
    Term("liquidation_buffer", "closed until margin and", "LIQ-12", "liquidation"),
    Term("share_step", "share of all positions, in steps of", "LIQ-13", "liquidation"),
    Term("share_fee", "penalty, of the margin that is freed", "LIQ-13", "liquidation"),
    Term("share_target", "margin below this part of equity", "LIQ-13", "liquidation"),
    Term("small_shortage", "liquidated at once below, in quanta", "LIQ-10", "liquidation"),
    Term("insurance_fee_part", "the insurer's part of what is left", "FEE-6", "fee"),
    Term("liquidator_grace", "grace of a liquidator, in slots", "FEE-7", "fee"),
    Term("liquidator_fee_growth", "growth of its fee in a slot", "FEE-7", "fee"),
    Term("drawdown_begins", "winners closed from a fall of", "LOSS-6", "loss"),
    Term("drawdown_ends", "until a fall of less than", "LOSS-6", "loss"),
    Term("fund_fall", "or when the fund falls by", "LOSS-6", "loss"),
    Term("fund_fall_least", "but at least by, in quanta", "LOSS-6", "loss"),
    Term("score_unit", "collateral counts as at least, in quanta", "ADL-2", "adl"),
)
"""Every number of a venue's own formulas; shown where a venue has it."""

PARTS_OF = {
    *("funding_cap", "deleverage_gap", "vault_trigger", "liquidation_share"),
    *("liquidation_adjustment", "liquidation_spread", "liquidation_buffer"),
    *("liquidation_step", "liquidation_target", "block_portion"),
    *("funding_interest", "funding_damper", "funding_offset", "funding_cap_factor"),
    *("share_step", "share_target", "insurance_fee_part", "liquidator_fee_growth"),
    *("price_band", "volunteer_edge", "vault_notional_cap", "liquidation_surplus"),
    *("mark_band", "mark_weight", "fund_begins", "fund_ends"),
    *("drawdown_begins", "drawdown_ends", "fund_fall"),
    *(key for key in (*RULES, *MARKET, *FORMULAS) if key.endswith(("_fee", "_rate"))),
}
"""Keys whose values are parts per million."""


CHOSEN = "chosen"
"""The status of a value that is ours because the rulebook is not a venue's."""

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
    if venue.formulas:
        yield (
            "formulas of its own",
            [
                Line(
                    term,
                    in_words(term.key, venue.formulas[term.key]),
                    venue.sources[f"formula.{term.key}"],
                )
                for term in FORMULA_TERMS
                if term.key in venue.formulas
            ],
        )
    for name, market in venue.markets.items():
        prefix = f"market.{name}."
        terms = venue.terms[market]
        given = [term for term in MARKET_POLICY_TERMS if prefix + term.key in venue.sources]
        shown = [*MARKET_TERMS, *given]
        yield f"market {name}", [_line(venue, term, terms, prefix) for term in shown]


def _source(venue: Venue, key: str) -> Source:
    ours = all(source.status == CHOSEN for source in venue.sources.values())
    says = "not stated in the file: the textbook's choice stands"
    return venue.sources.get(key, Source(says, CHOSEN if ours else UNPUBLISHED))


def is_unpublished(venue: Venue, key: str) -> bool:
    """Whether a choice is the textbook's because nobody knows the venue's."""
    return _source(venue, key).status == UNPUBLISHED


def _line(venue: Venue, term: Term, holder: object, prefix: str) -> Line:
    source = _source(venue, prefix + term.key)
    return Line(term, in_words(term.key, getattr(holder, term.key)), source)


def in_words(key: str, value: Any) -> str:
    """A value as one would say it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(part.value if isinstance(part, Stage) else _tier(part) for part in value)
    if isinstance(value, Enum):
        return IN_WORDS[value]
    return percent(value) if key in PARTS_OF else f"{value:,}"


def _tier(tier: Tier) -> str:
    rates = f"{percent(tier.initial_rate)} and {percent(tier.maintenance_rate)}"
    return f"{tier.above:,}: {rates}"


def percent(parts: int) -> str:
    """Parts per million as per cent, exactly."""
    whole, rest = divmod(parts * 100, PARTS)
    digits = f"{rest:06d}".rstrip("0")
    return f"{whole}.{digits} %" if digits else f"{whole} %"


@frozen
class Difference:
    """A choice that two venues make otherwise."""

    term: Term
    one: Line
    other: Line


BY_WEIGHT = ("liquidation", "vault", "adl", "loss", "margin", "mark", "funding", "fee", "ledger")
"""Chapters as a reader of a difference wants them: first who is closed, and who pays for it."""


def by_chapter(found: Iterable[Difference]) -> list[tuple[str, list[Difference]]]:
    """Differences under their chapters, those that cost somebody most first."""
    listed = list(found)
    others = (chapter for chapter in CHAPTERS if chapter not in BY_WEIGHT)
    under = [
        (chapter, [one for one in listed if one.term.chapter == chapter])
        for chapter in (*BY_WEIGHT, *others)
    ]
    return [(chapter, differences) for chapter, differences in under if differences]


def _unsaid(line: Line) -> bool:
    return line.source.status == UNPUBLISHED


@frozen
class Comparison:
    """How two venues differ: in their choices, in nothing, and beyond the rules, by chapter.

    What one of them does not publish is no difference, and no likeness either: `one_sided` has what
    one alone says, `unpublished` what neither does.
    """

    differences: tuple[Difference, ...]
    one_sided: tuple[Difference, ...]
    alike: tuple[Line, ...]
    unpublished: tuple[Term, ...]
    beyond: Mapping[str, tuple[tuple[Beyond, ...], tuple[Beyond, ...]]]


def compare(one: Venue, other: Venue) -> Comparison:
    """What two venues choose otherwise, the rulebook alone: markets are of different sizes."""
    ours, theirs = (next(lines for _, lines in card(venue)) for venue in (one, other))
    both = list(zip(ours, theirs, strict=True))
    pairs = [pair for pair in both if not any(_unsaid(line) for line in pair)]
    beyond = {
        chapter: (
            tuple(entry for entry in one.beyond if entry.chapter == chapter),
            tuple(entry for entry in other.beyond if entry.chapter == chapter),
        )
        for chapter in CHAPTERS
    }
    return Comparison(
        tuple(Difference(a.term, a, b) for a, b in pairs if a.value != b.value),
        tuple(Difference(a.term, a, b) for a, b in both if _unsaid(a) is not _unsaid(b)),
        tuple(a for a, b in pairs if a.value == b.value),
        tuple(a.term for a, b in both if _unsaid(a) and _unsaid(b)),
        {chapter: notes for chapter, notes in beyond.items() if any(notes)},
    )
