"""What happens to an account that is due, in sentences: a rulebook's waterfall as one tells it."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from perpref.checker.rulebook_card import IN_WORDS, is_unpublished, percent
from perpref.checker.rulebook_file import Venue
from perpref.state import (
    Chooser,
    ForcedPrice,
    FundTrigger,
    LiquidationLimit,
    LiquidationSize,
    Ranking,
    Rulebook,
    Sharing,
    Stage,
)
from perpref.units import PARTS

PICTURE = 74
"""How wide a stage of the picture is."""


def in_sentence(rulebook: Rulebook, stage: Stage) -> str:
    """What one stage does under a rulebook, in one sentence without its full stop."""
    return ", ".join(PHRASES[stage](rulebook))


def _book(rulebook: Rulebook) -> Iterator[str]:
    yield _SIZES[rulebook.liquidation_size] + " is offered to whoever rests on the book"
    if rulebook.liquidation_share < PARTS:
        above = f"{rulebook.liquidation_whole:,} quanta"
        yield f"of one worth more than {above} {percent(rulebook.liquidation_share)} first"
    if rulebook.liquidation_buffer:
        yield f"until equity is the margin and {percent(rulebook.liquidation_buffer)} of notional"
    if rulebook.block_portion < PARTS or rulebook.block_notional:
        yield "so much and no more at one time by the clock"
    match rulebook.liquidation_limit:
        case LiquidationLimit.BANKRUPTCY:
            yield "at the bankruptcy price or better"
        case LiquidationLimit.FILLABLE:
            yield "at a limit that walks away from the mark as equity shrinks"
            yield "and the vault makes good what a fill lacks"
        case LiquidationLimit.AUCTION:
            steps, period = rulebook.auction_steps, rulebook.auction_period
            yield f"at a limit that walks to the bankruptcy price in {steps:,} steps of {period:,}"
    if rulebook.liquidation_surplus:
        part = percent(rulebook.liquidation_surplus)
        yield f"and {part} of what it gives beyond the bankruptcy price is the vault's"


_SIZES = {
    LiquidationSize.WHOLE: "each position",
    LiquidationSize.TO_BUFFER: "as little of each position as makes the account safe",
    LiquidationSize.TIER_STEP: "each position, down to the next lower tier at a time,",
    LiquidationSize.EQUAL_SHARE: "the same share of every position, and then the rest,",
}


def _vault(rulebook: Rulebook) -> Iterator[str]:
    yield f"the insurance vault takes over at {IN_WORDS[rulebook.takeover_price]}"
    if rulebook.vault_trigger < PARTS:
        yield f"once equity is below {percent(rulebook.vault_trigger)} of the maintenance margin"
    yield "as far as its cap, its own margin and its boundary allow"
    if rulebook.vault_notional_cap:
        part = percent(rulebook.vault_notional_cap)
        yield f"with a notional of at most {part} of its equity in all"


def _volunteers(rulebook: Rulebook) -> Iterator[str]:
    yield "who has volunteered takes lots at its edge or better"
    yield f"at most {percent(rulebook.volunteer_edge)} from the mark"
    yield "as far as it can bear them"


def _deleverage(rulebook: Rulebook) -> Iterator[str]:
    if rulebook.deleverage_only_insolvent:
        yield "only of an insolvent account"
    if rulebook.fund_trigger is not FundTrigger.NONE:
        yield f"only {IN_WORDS[rulebook.fund_trigger]}"
    price = IN_WORDS[rulebook.deleverage_price]
    if rulebook.deleverage_sharing is Sharing.QUEUE:
        yield f"the other side is closed one after the other at {price}"
        yield _turns(rulebook)
    else:
        yield f"the other side is closed in proportion to {IN_WORDS[rulebook.deleverage_weight]}"
        yield f"at {price}"
    yield "as far as each stays solvent"
    if rulebook.deleverage_never_riskier:
        yield "and no riskier than it was"
    if rulebook.deleverage_cancels_orders:
        yield "and loses its resting orders"


def _turns(rulebook: Rulebook) -> str:
    if rulebook.counterparty is Chooser.ENGINE:
        return "in whatever order the venue chooses"
    if rulebook.deleverage_ranking is Ranking.UNRANKED:
        return "on a walk round all of it that ranks nobody"
    return f"in the order of a score ({IN_WORDS[rulebook.deleverage_ranking]})"


def _residual(rulebook: Rulebook) -> Iterator[str]:
    yield "what is left is closed at the mark"
    if rulebook.carry_bad_debt:
        yield "and the vault carries the deficit as a debt"
    else:
        yield f"and the deficit is shared {IN_WORDS[rulebook.loss_sharing]}"
    if rulebook.withdrawal_gate:
        yield f"no cash leaves for {rulebook.withdrawal_gate:,} by the clock"
    if rulebook.halt_on_loss:
        yield "all markets pause"


PHRASES = {
    Stage.BOOK: _book,
    Stage.VAULT: _vault,
    Stage.VOLUNTEERS: _volunteers,
    Stage.DELEVERAGE: _deleverage,
    Stage.RESIDUAL: _residual,
}


def who_pays(rulebook: Rulebook) -> str:
    """Who bears what an insolvent account lacks, once book and vault have taken what they would."""
    last = "the vault, as a debt" if rulebook.carry_bad_debt else "everybody who shares the loss"
    if Stage.DELEVERAGE not in rulebook.waterfall:
        return f"no winner is closed: {last}"
    match rulebook.deleverage_price:
        case ForcedPrice.BANKRUPTCY | ForcedPrice.MARGIN:
            return f"the winners who are closed, as far as they can; then {last}"
        case ForcedPrice.BANKRUPTCY_UNLESS_FAR:
            return f"the winners who are closed, unless the price is far from the mark; then {last}"
        case ForcedPrice.MARK | ForcedPrice.PREVIOUS_MARK | ForcedPrice.INDEX:
            price = IN_WORDS[rulebook.deleverage_price]
            return f"{last}: the winners who are closed get {price}, whatever is missing"


def vault_line(rulebook: Rulebook) -> str:
    """Which ways of a vault the keys of a rulebook make, as one line; the page on the vault has a
    table of them.
    """
    ways = [says for stands, says in _ways_of_a_vault(rulebook) if stands]
    return f"vault: {'; '.join(ways) or 'none'}"


def _ways_of_a_vault(rulebook: Rulebook) -> Iterator[tuple[bool, str]]:
    stages = rulebook.waterfall
    lenient = rulebook.liquidation_limit is LiquidationLimit.FILLABLE
    makes_good = lenient and Stage.BOOK in stages
    yield makes_good, "pays what a fill lacks of the bankruptcy price (VLT-8)"
    yield rulebook.liquidators, "liquidators from outside take positions first (VLT-9)"
    price = IN_WORDS[rulebook.takeover_price]
    yield Stage.VAULT in stages, f"takes positions over at {price} (VLT-22)"
    yield Stage.VOLUNTEERS in stages, "volunteers take positions at an edge (VLT-10)"


def waterfall_picture(venue: Venue) -> list[str]:
    """The waterfall as a picture of text: each stage further to the right than the one before."""
    lines = ["equity below maintenance margin: its orders are cancelled"]
    for place, stage in enumerate(venue.rulebook.waterfall):
        indent = "   " * place
        first, *more = wrap(f"{stage.value}: {_at(venue, stage)}", PICTURE)
        below = "  |" if place + 1 < len(venue.rulebook.waterfall) else "   "
        lines += [f"{indent}  |", f"{indent}  +- {first}"]
        lines += [f"{indent}   {below}  {line}" for line in more]
    return lines


def side_by_side(one: Venue, other: Venue) -> list[tuple[str, str, str]]:
    """What each stage of either does at both venues, and who pays in the end."""
    stages = (stage for stage in Stage if any(stage in v.rulebook.waterfall for v in (one, other)))
    rows = [(stage.value, _at(one, stage), _at(other, stage)) for stage in stages]
    return [*rows, ("who pays in the end", who_pays(one.rulebook), who_pays(other.rulebook))]


def _at(venue: Venue, stage: Stage) -> str:
    if stage not in venue.rulebook.waterfall:
        return "there is no such stage"
    said = in_sentence(venue.rulebook, stage)
    silent = stage is Stage.RESIDUAL and is_unpublished(venue, "loss_sharing")
    note = "how a deficit is shared is not published; this is the textbook's way"
    return f"{said} ({note})" if silent else said
