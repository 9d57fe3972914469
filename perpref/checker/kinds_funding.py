"""Worked examples about funding: from a premium to a rate, and from a rate to cash."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from attrs import evolve

from perpref.checker.example_kinds import kind, number_of, rules_of, whole
from perpref.checker.worked_examples import Example, Kind, power_of_ten, quanta, rate
from perpref.rules import funding
from perpref.rules.funding import FundingTerms
from perpref.units import PARTS, floor_div, trunc_div


def _quote_per_base(example: Example) -> Fraction:
    """dYdX: quote quanta that a base quantum is worth."""
    ten = int(example.inputs["price_exponent"]) + int(example.inputs["atomic_resolution"]) + 6
    return int(example.inputs["price"]) * power_of_ten(ten)


def _index_delta(example: Example, per_period: int, elapsed: int) -> int:
    price, period = _quote_per_base(example), number_of(example.venue, "funding_period")
    return funding.index_step(price.numerator, per_period, elapsed, period, price.denominator)


def index_delta(example: Example) -> Mapping[str, object]:
    """dYdX: by how much the funding index moves."""
    elapsed = int(example.inputs["seconds_since_last"])
    moved = _index_delta(example, int(example.inputs["funding_rate_8h_ppm"]), elapsed)
    return {"index_delta": moved}


def funding_tick(example: Example) -> Mapping[str, object]:
    """dYdX: an hour's premiums, the rate that they give, and the step of the index."""
    sample, count, expected, cap, offset = (
        int(example.inputs[key])
        for key in (
            "premium_sample_ppm",
            "sample_count",
            "samples_expected",
            "clamp_ppm",
            "default_funding_ppm",
        )
    )
    average = funding.average_premium(sample * count, count, max(expected, 1))
    found = funding.funding_rate(average, FundingTerms(0, 0, offset, cap))
    return {"funding_rate_8h_ppm": found, "index_delta": _index_delta(example, found, 3_600)}


def margin_cap(example: Example) -> Mapping[str, object]:
    """dYdX: the cap that follows from both margin rates."""
    initial = int(example.inputs["imf_ppm"])
    least = floor_div(initial * int(example.inputs["maintenance_fraction_ppm"]), PARTS)
    factor = int(example.inputs["clamp_factor_ppm"])
    return {"max_abs_rate_ppm": funding.margin_cap(factor, initial, least)}


def published_cap(example: Example) -> Mapping[str, object]:
    """dYdX: the same with the published factor."""
    initial, least = (rate(example.number(key), key) for key in ("imf", "mmf"))
    factor = number_of(example.venue, "funding_cap_factor")
    return {"cap_8h": Fraction(funding.margin_cap(factor, initial, least), PARTS)}


def impact(example: Example) -> Mapping[str, object]:
    """dYdX: the notional at which the book is asked for a premium."""
    unit = 100  # the rulebook's quanta are cents
    stake = number_of(example.venue, "impact_margin")
    found = funding.impact_notional(stake, rate(example.number("imf"), "the initial rate"))
    return {"impact_notional": Fraction(found, unit)}


def _terms(venue: str, interest: int | None = None) -> FundingTerms:
    """What the rulebook says of a rate, for a whole period and without its cap."""
    said = funding.terms_of(rules_of(venue))
    return evolve(said, interest=said.interest if interest is None else interest, cap=PARTS)


def impact_premium(example: Example) -> Mapping[str, object]:
    """Hyperliquid: a premium from impact prices, drawn to the interest rate."""
    index = example.number("oracle")
    bid, ask = (
        index if str(example.inputs[key]).startswith(("<", ">")) else example.number(key)
        for key in ("impact_bid", "impact_ask")
    )
    unit = quanta(index, bid, ask)
    found = funding.premium(int(index * unit), int(bid * unit), int(ask * unit))
    interest = rate(example.number("interest_8h"), "the interest rate")
    drawn = funding.funding_rate(found, _terms(example.venue, interest))
    return {
        "premium": Fraction(found, PARTS),
        "clamped": Fraction(drawn - found, PARTS),
        "funding_rate_8h": Fraction(drawn, PARTS),
    }


def hourly_payment(example: Example) -> Mapping[str, object]:
    """Hyperliquid: an hour's part of the rate, at the oracle price."""
    size, price = example.number("size"), example.number("oracle")
    parts = quanta(size)
    unit = quanta(price / parts) * 10**6
    period, hour = number_of(example.venue, "funding_period"), 3_600
    cap = rules_of(example.venue).funding_cap * period // hour
    said = rate(example.number("funding_rate_8h"), "the rate")
    per_period = funding.funding_rate(said, FundingTerms(0, 0, 0, cap))
    at = int(price / parts * unit)
    moved = funding.index_step(at, per_period, hour, period)
    due = Fraction(funding.funding_by_index(int(size * parts), 0, moved), unit)
    a_lot = Fraction(funding.index_step(PARTS, per_period, hour, period), PARTS * PARTS)
    return {"hourly_rate": a_lot, "long_pays": due}


def damped_rate(example: Example) -> Mapping[str, object]:
    """Deribit: nothing within a dead band, and only what is beyond it."""
    found = funding.funding_rate(
        rate(example.number("premium_rate"), "the premium"), _terms(example.venue)
    )
    return {"funding_rate_8h": Fraction(found, PARTS)}


def continuous(example: Example) -> Mapping[str, object]:
    """Paradex: a rate that moves an index every second; who is touched pays its move."""
    spot, quote, size = (example.number(key) for key in ("spot", "usdc", "size"))
    found = funding.funding_rate(
        rate(example.number("premium_rate"), "the premium"), _terms(example.venue)
    )
    worth = spot / quote
    parts = quanta(size)
    unit = quanta(worth / parts) * 10**6
    price, period = int(worth / parts * unit), number_of(example.venue, "funding_period")
    whole_period, moved = (
        funding.index_step(price, found, elapsed, period)
        for elapsed in (period, int(example.inputs["window_s"]))
    )
    due = funding.funding_by_index(whole(size * parts, "the size"), 0, moved)
    return {
        "raw_rate": Fraction(found, PARTS),
        "premium_per_8h": Fraction(whole_period * parts, unit * PARTS),
        "index_delta": Fraction(moved * parts, unit * PARTS),
        "pnl": Fraction(-due, unit),
    }


DAY = 86_400
"""Drift: the spread of two averages is paid over a day, in seconds."""


def spread_of_averages(example: Example) -> Mapping[str, object]:
    """Drift: the capped spread of two averages, in prices; the index has three decimals more."""
    mark, index = (int(example.inputs[f"{price}_twap_1e6"]) for price in ("mark", "oracle"))
    cap = trunc_div(index, number_of(example.venue, "funding_spread_part"))
    spread = funding.funding_rate(mark - index, FundingTerms(0, 0, 0, cap))
    moved = funding.index_step(spread, 1_000, int(example.inputs["period_s"]), DAY)
    return {"funding_rate_1e9": moved}


def hourly_spread(example: Example) -> Mapping[str, object]:
    """Drift: the relative spread of two averages, an hour's part."""
    mark, index = example.number("mark_twap"), example.number("oracle_twap")
    unit = quanta(mark, index)
    low, high = int(min(mark, index) * unit), int(max(mark, index) * unit)
    dear = mark >= index
    found = funding.premium(*((low, high, high) if dear else (high, low, low)))
    part = funding.index_step(1, found, 3_600, DAY)
    return {"funding_rate": Fraction(part, PARTS)}


def settled_funding(example: Example) -> Mapping[str, object]:
    """dYdX: what one position pays for a move of the funding index, in parts per million."""
    since, index = (int(example.inputs[key]) for key in ("position_index", "funding_index"))
    size = int(example.inputs["base_quantums"])
    due = funding.funding_by_index(size, since, index)
    return {"net_settlement_ppm": size * (since - index), "quote_quantums_if_only_market": -due}


KINDS: Mapping[tuple[str, frozenset[str]], Kind] = {
    kind("dydx-v4", "funding_rate_8h_ppm", "seconds_since_last"): index_delta,
    kind("dydx-v4", "premium_sample_ppm", "samples_expected"): funding_tick,
    kind("dydx-v4", "clamp_factor_ppm", "maintenance_fraction_ppm"): margin_cap,
    kind("dydx-v4", "imf", "mmf"): published_cap,
    kind("dydx-v4", "imf"): impact,
    kind("dydx-v4", "funding_index", "position_index", "base_quantums"): settled_funding,
    kind("hyperliquid", "interest_8h", "impact_bid"): impact_premium,
    kind("hyperliquid", "size", "oracle", "funding_rate_8h"): hourly_payment,
    kind("deribit", "premium_rate"): damped_rate,
    kind("paradex", "premium_rate", "spot", "window_s"): continuous,
    kind("drift-v2", "mark_twap_1e6", "oracle_twap_1e6"): spread_of_averages,
    kind("drift-v2", "mark_twap", "oracle_twap"): hourly_spread,
}
"""The kinds by venue and by the inputs that they need."""
