"""FUND: cash between the sides. The textbook is given the rate."""

from __future__ import annotations

from attrs import evolve, frozen

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, formula, refusal, require, rule
from perpref.rules.ledger import pay
from perpref.rules.margin import position_of
from perpref.rules.mark import require_open, require_trading
from perpref.state import VAULT, Exchange, Rulebook
from perpref.units import (
    PARTS,
    AccountId,
    MarketId,
    Rounding,
    clamp,
    divided,
    floor_div,
    trunc_div,
)

RATE_OUT_OF_BOUNDS = refusal(
    "FUND-1",
    "funding_rate_out_of_bounds",
    Phase.VALIDATE,
    "The funding rate {value} is beyond the cap of {limit} parts per million",
)
PREMIUM_OUT_OF_BOUNDS = refusal(
    "FUND-10",
    "premium_out_of_bounds",
    Phase.VALIDATE,
    "The premium {value} is beyond {limit} parts per million",
)


@rule("FUND-1")
def require_funding_rate(exchange: Exchange, rate: int) -> None:
    """Refuse a rate beyond the cap. A positive rate is paid by the longs."""
    cap = exchange.rulebook.funding_cap
    require(-cap <= rate <= cap, RATE_OUT_OF_BOUNDS, rate, cap)


@rule("FUND-2", "FUND-13")
def funding_due(size: int, mark: int, rate: int, rounding: Rounding = Rounding.UP) -> int:
    """What a position of `size` lots pays in quanta, negative when it receives.

    Up, a payer pays a whole quantum for a part of one, and a receiver gets none for it.
    """
    return divided(size * mark * rate, PARTS, rounding)


@rule("FUND-3")
def settle_funding(exchange: Exchange, account: AccountId, market: MarketId, rate: int) -> Outcome:
    """Settle one account's funding with the vault, which keeps the dust."""
    require_funding_rate(exchange, rate)
    size = position_of(exchange, account, market).size
    mark, rounding = exchange.markets[market].mark, exchange.rulebook.funding_rounding
    due = funding_due(size, mark, rate, rounding)
    if due >= 0:
        return pay(exchange, account, VAULT, due, "FUND-3")
    return pay(exchange, VAULT, account, -due, "FUND-3")


# Receivers, where a rulebook lets them have no more than there is.


@rule("FUND-14")
def funding_pot(equity: int, boundary: int, paid: int) -> int:
    """What there is for receivers: what payers paid, and what the vault has beyond its boundary.

    Args:
        equity: of the vault, in quanta, before this settlement.
    """
    return paid + max(equity - boundary, 0)


@rule("FUND-14")
def receiver_part(due: int, pot: int, owed: int) -> int:
    """What a receiver gets of what it is due: the same part as every other, rounded down.

    Args:
        owed: what all receivers are due, in quanta.
    """
    if pot >= owed:
        return due
    return floor_div(due * pot, owed)


@rule("FUND-14")
def pay_receiver(
    exchange: Exchange, account: AccountId, market: MarketId, rate: int, pot: int, owed: int
) -> Outcome:
    """Pay one receiver its part of what there is; whoever pays is settled as FUND-3 says."""
    require_funding_rate(exchange, rate)
    size = position_of(exchange, account, market).size
    mark, rounding = exchange.markets[market].mark, exchange.rulebook.funding_rounding
    due = max(-funding_due(size, mark, rate, rounding), 0)
    return pay(exchange, VAULT, account, receiver_part(due, pot, owed), "FUND-14")


# The rate, where the venue computes it from the premium of the market over its index.


@frozen
class FundingTerms:
    """How a premium becomes a rate, in parts per million for one period (FUND-6).

    `interest` is what the rate is drawn to, by at most `damper`; `offset` is added as it is; the
    rate stays within `cap` on both sides.
    """

    interest: int
    damper: int
    offset: int
    cap: int


@formula("FUND-4")
def premium(index: int, bid: int, ask: int) -> int:
    """How far the market is from its index, in parts per million of it, rounded towards zero.

    Args:
        bid: the price, in ticks, at which the impact notional could be sold.
        ask: the price, in ticks, at which the impact notional could be bought.
    """
    return trunc_div((max(bid - index, 0) - max(index - ask, 0)) * PARTS, index)


@formula("FUND-4")
def impact_notional(margin: int, initial_rate: int) -> int:
    """The notional, in quanta and rounded down, that an amount of initial margin can open."""
    return floor_div(margin * PARTS, initial_rate)


@rule("FUND-5")
def average_premium(total: int, samples: int, expected: int) -> int:
    """The mean of a period's premiums, rounded towards zero; a missing sample counts as zero."""
    return trunc_div(total, max(samples, expected))


@rule("FUND-6")
def funding_rate(premium: int, terms: FundingTerms) -> int:
    """The rate of a period in parts per million: the premium, drawn to the interest, capped.

    With an interest of 0 the damper is a dead band: within it the rate is 0.
    """
    drawn = clamp(terms.interest - premium, -terms.damper, terms.damper)
    return clamp(premium + drawn + terms.offset, -terms.cap, terms.cap)


def terms_of(rulebook: Rulebook) -> FundingTerms:
    """How the rulebook makes a rate of a premium."""
    return FundingTerms(
        rulebook.funding_interest,
        rulebook.funding_damper,
        rulebook.funding_offset,
        rulebook.funding_cap,
    )


@rule("FUND-10")
def sample_premium(exchange: Exchange, market: MarketId, premium: int) -> Outcome:
    """Take a premium into the mean of this funding period. No cash moves."""
    require_trading(exchange, market)
    require_open(exchange, market)
    require(-PARTS <= premium <= PARTS, PREMIUM_OUT_OF_BOUNDS, premium, PARTS)
    listed = exchange.markets[market]
    sampled = evolve(listed, premiums=listed.premiums + premium, samples=listed.samples + 1)
    return Outcome(evolve(exchange, markets=exchange.markets.put(market, sampled)))


@rule("FUND-10")
def close_period(exchange: Exchange, market: MarketId) -> Outcome:
    """Forget the premiums of a period whose funding has been settled."""
    listed = evolve(exchange.markets[market], premiums=0, samples=0)
    return Outcome(evolve(exchange, markets=exchange.markets.put(market, listed)))


@rule("FUND-10")
def rate_of_period(exchange: Exchange, market: MarketId) -> int:
    """The rate that the premiums of this period make under the rulebook, within its cap."""
    listed, rulebook = exchange.markets[market], exchange.rulebook
    expected = max(rulebook.funding_samples, 1)
    average = average_premium(listed.premiums, listed.samples, expected)
    return funding_rate(average, terms_of(rulebook))


@formula("FUND-7")
def margin_cap(factor: int, initial_rate: int, maintenance_rate: int) -> int:
    """The highest rate of a period: so many times what initial exceeds maintenance margin by.

    Args:
        factor: in parts per million; the cap is rounded down.
    """
    return floor_div(factor * (initial_rate - maintenance_rate), PARTS)


@rule("FUND-8")
def index_step(price: int, rate: int, elapsed: int, period: int, scale: int = 1) -> int:
    """By how much the funding index moves in a part of a period, rounded towards zero.

    The index is what a lot would have paid so far, in millionths of a quantum.

    Args:
        price: in ticks per lot; for an index of a smaller unit, `scale` of them make a lot.
        elapsed: so much of a period of `period` has passed, in any unit of time.
    """
    return trunc_div(price * rate * elapsed, period * scale)


@rule("FUND-9", "FUND-13")
def funding_by_index(size: int, since: int, index: int, rounding: Rounding = Rounding.UP) -> int:
    """What a position of `size` lots pays in quanta when it is touched: rounded as in FUND-2.

    Args:
        since: the index when the position was last settled.
    """
    return divided(size * (index - since), PARTS, rounding)


@rule("FUND-11")
def accrue(exchange: Exchange, market: MarketId, rate: int) -> Outcome:
    """Let one period's funding move the index of a market, for whoever holds it. No cash moves."""
    require_funding_rate(exchange, rate)
    listed = exchange.markets[market]
    index = listed.funding_index + index_step(listed.mark, rate, 1, 1)
    moved = evolve(listed, funding_index=index)
    return Outcome(evolve(exchange, markets=exchange.markets.put(market, moved)))


@rule("FUND-12")
def touch(exchange: Exchange, account: AccountId, market: MarketId) -> Outcome:
    """Settle with the vault what one account's position has accrued, and take note of the index.

    The vault settles with itself: for it only the note is taken.
    """
    holder, index = exchange.accounts[account], exchange.markets[market].funding_index
    size = position_of(exchange, account, market).size
    rounding = exchange.rulebook.funding_rounding
    due = funding_by_index(size, holder.funded.get(market, 0), index, rounding)
    noted = evolve(holder, funded=holder.funded.put(market, index))
    exchange = evolve(exchange, accounts=exchange.accounts.put(account, noted))
    if due == 0 or account == VAULT:
        return Outcome(exchange)
    if due > 0:
        return pay(exchange, account, VAULT, due, "FUND-12")
    return pay(exchange, VAULT, account, -due, "FUND-12")
