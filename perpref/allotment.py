"""By how many lots each winner is closed, when an ADL closes more than one at a time.

One interface for every way to share: what each counterparty counts and how many lots it takes at
most go in, whole lots come out. Each loop here is a fold of a rule of `perpref.rules.adl_sharing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key

from perpref.forced_closing import loss_of
from perpref.rule_registry import rule
from perpref.rules import adl
from perpref.rules.adl_sharing import (
    Claim,
    fills_before,
    is_full,
    part_in_proportion,
    remainder,
    stays_margined,
    weight_of_winner,
    whole_part,
)
from perpref.rules.margin import position_of
from perpref.state import Exchange, Sharing
from perpref.units import AccountId, MarketId


def parts(
    exchange: Exchange, account: AccountId, market: MarketId, others: Sequence[AccountId]
) -> list[int]:
    """By how many lots each of the others is to be closed, under the rulebook's sharing.

    Args:
        others: all accounts on the other side, in the order of the queue.
    """
    lots = abs(position_of(exchange, account, market).size)
    claims = [claim_of(exchange, account, other, market) for other in others]
    match exchange.rulebook.deleverage_sharing:
        case Sharing.QUEUE:
            return [0] * len(claims)
        case Sharing.PRO_RATA:
            return rounded_in_turn(lots, claims)
        case Sharing.LARGEST_REMAINDER | Sharing.CAPPED:
            return allotted(lots, claims)


def claim_of(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId
) -> Claim:
    """What a counterparty counts under the rulebook (ADL-9), and how many lots it takes."""
    rulebook = exchange.rulebook
    stands = adl.standing(exchange, counterparty, market)
    capped = rulebook.deleverage_sharing is Sharing.CAPPED
    most = most_margined(exchange, account, counterparty, market) if capped else abs(stands.size)
    return Claim(weight_of_winner(rulebook.deleverage_weight, stands), most)


@rule("ADL-8")
def rounded_in_turn(lots: int, claims: Sequence[Claim]) -> list[int]:
    """Each part less than a lot from its exact one, in the order of the claims; no capacities."""
    total, before, given = sum(claim.weight for claim in claims), 0, []
    for claim in claims:
        weighs = claim.weight > 0
        given.append(part_in_proportion(lots, before, claim.weight, total) if weighs else 0)
        before += claim.weight
    return given


@rule("ADL-10", "ADL-11")
def allotted(lots: int, claims: Sequence[Claim]) -> list[int]:
    """The lots of each claim: by weight, none beyond its capacity.

    Who is full takes its capacity, and what is left is shared by the others' weights, as water
    fills vessels. Those parts are rounded down, and the lots that this leaves go one each to the
    largest remainders, of two that are alike to the claim that stands first. Who has no weight
    gets nothing. Only when everybody with weight is full, the parts are fewer than the lots.
    """
    given = [0] * len(claims)
    not_full = in_order_of_filling(claims)
    total = sum(claims[place].weight for place in not_full)
    while not_full:
        first = claims[not_full[0]]
        if not is_full(lots, first.weight, total, first.capacity):
            break
        given[not_full.pop(0)] = first.capacity
        lots -= first.capacity
        total -= first.weight
    for place in not_full:
        given[place] = whole_part(lots, claims[place].weight, total)
    left = lots - sum(given[place] for place in not_full)
    over = {place: remainder(lots, claims[place].weight, total) for place in not_full}
    for place in sorted(over, key=lambda place: (-over[place], place)):
        if left == 0:
            break
        given[place] += 1
        left -= 1
    return given


def in_order_of_filling(claims: Sequence[Claim]) -> list[int]:
    """The places of all claims with a weight: who is full at a lower level first (ADL-11)."""

    def compare(first: int, second: int) -> int:
        one, other = claims[first], claims[second]
        if fills_before(one, other):
            return -1
        return 1 if fills_before(other, one) else 0

    weighed = [place for place, claim in enumerate(claims) if claim.weight > 0]
    return sorted(weighed, key=cmp_to_key(compare))


@rule("ADL-11")
def most_margined(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId
) -> int:
    """The most lots that leave a counterparty margined, by bisection; 0 if it is due already.

    While its margin is met, a lot more brings it nearer only if it costs more than the margin that
    it frees, and the margin of a lower tier frees less: so the lots that leave it margined are 0
    to some number.
    """

    def margined(lots: int) -> bool:
        loss = loss_of(exchange, account, counterparty, market, lots)
        return stays_margined(exchange, counterparty, market, lots, loss)

    if not margined(0):
        return 0
    allowed, refused = 0, abs(position_of(exchange, counterparty, market).size) + 1
    while refused - allowed > 1:
        middle = (allowed + refused) >> 1
        if margined(middle):
            allowed = middle
        else:
            refused = middle
    return allowed
