"""Every kind of worked example, by venue and by the inputs that it needs."""

from __future__ import annotations

from collections.abc import Mapping

from perpref.checker import (
    example_kinds,
    kinds_funding,
    kinds_liquidation,
    kinds_loss,
    kinds_margin,
)
from perpref.checker.worked_examples import Kind

KINDS: Mapping[tuple[str, frozenset[str]], Kind] = {
    **example_kinds.KINDS,
    **kinds_margin.KINDS,
    **kinds_funding.KINDS,
    **kinds_liquidation.KINDS,
    **kinds_loss.KINDS,
}
"""The first that fits is taken, so one that needs more inputs stands before one that needs less."""
