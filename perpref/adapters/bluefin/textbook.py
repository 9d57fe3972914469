"""Where the exchange stands to the textbook's rules, as its rulebook says."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache

from attrs import frozen

from perpref.adapters.bluefin.terms import RULEBOOK


class Stands(StrEnum):
    """To a rule of the textbook."""

    KEEPS = "keeps"
    DEVIATES = "deviates"
    LACKS = "lacks"


@frozen
class Standing:
    """Some rules of the textbook, and what the exchange does; `by` are rules of its model."""

    rules: tuple[str, ...]
    stands: Stands
    by: tuple[str, ...]
    says: str


@cache
def standings() -> tuple[Standing, ...]:
    """Every rule of the textbook, once."""
    entries = tomllib.loads(RULEBOOK.read_text("utf-8"))["textbook"]
    return tuple(
        Standing(tuple(e["rules"]), Stands(e["stands"]), tuple(e["by"]), e["says"]) for e in entries
    )
