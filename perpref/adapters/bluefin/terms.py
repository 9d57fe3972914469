"""The parameters of the market and of the two builds, read from the rulebook."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from attrs import frozen

from perpref.adapters.bluefin.commands import ONE
from perpref.adapters.bluefin.install import BluefinUnavailable

RULEBOOK = Path(__file__).parents[2] / "rulebooks" / "bluefin.toml"
BUILDS = ("arbitrum", "boba")


@frozen
class Terms:
    """What a deployment is configured with, and what the code of a build fixes.

    Rates, prices and quantities are at the contracts' scale.
    """

    initial_margin: int
    maintenance_margin: int
    maker_fee: int
    taker_fee: int
    min_price: int
    max_price: int
    tick_size: int
    min_quantity: int
    max_quantity_limit: int
    max_quantity_market: int
    step_size: int
    take_bound_long: int
    take_bound_short: int
    max_open_interest: tuple[int, ...]
    insurance_share: int
    max_funding_rate: int
    oracle_max_move: int
    gasless_order_value: int
    first_oracle: int
    deposit_quantum: int
    adl_tolerance: int
    funding_window: int
    pooled_fees: bool
    charges_gas: bool
    rejects_same_side: bool
    honours_trigger: bool
    oracle_bounded: bool
    lazy_index: bool
    samples_trades: bool
    requires_positions: bool
    books_fill_first: bool


def exact(value: Any) -> Any:
    """A decimal number at the contracts' scale, exactly; lists element by element."""
    if isinstance(value, list):
        return tuple(exact(entry) for entry in value)
    if not isinstance(value, str):
        return value
    scaled = Decimal(value) * ONE
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{value} has more than eighteen decimals")
    return int(scaled)


@cache
def published_terms(build: str) -> Terms:
    """The rulebook's terms for a build."""
    if build not in BUILDS:
        raise ValueError(f"there is no build {build!r}; there are {', '.join(BUILDS)}")
    if not RULEBOOK.is_file():
        raise BluefinUnavailable(f"the rulebook {RULEBOOK.name} is not where the project keeps it")
    book = tomllib.loads(RULEBOOK.read_text("utf-8"))
    values = book["market"] | book["code"] | book["build"][build]
    return Terms(**{name: exact(entry["value"]) for name, entry in values.items()})
