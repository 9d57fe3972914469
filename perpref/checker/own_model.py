"""The rulebook of an engine with a model of its own: what it is set up with, and how it stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen


@frozen
class OwnModel:
    """A shipped file that the reference cannot play.

    `values` are rows of a key, a value, its status and its source; `standings` rows of rules of the
    textbook, how the engine stands to them, and what is to be said.
    """

    title: str
    values: tuple[tuple[str, str, str, str], ...]
    standings: tuple[tuple[str, str, str], ...]

    @classmethod
    def read(cls, path: Path) -> OwnModel:
        """The model in a shipped file, whose form its own adapter's tests hold."""
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        standings = (
            (", ".join(entry["rules"]), entry["stands"], " ".join(entry["says"].split()))
            for entry in raw.get("textbook", [])
        )
        return cls(raw["venue"]["name"], tuple(_values(raw, "")), tuple(standings))


def _values(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    """Every entry with a value and a status, however deep."""
    for key, entry in table.items():
        if not isinstance(entry, dict):
            continue
        if "value" in entry and "status" in entry:
            yield prefix + key, str(entry["value"]), entry["status"], str(entry.get("source", ""))
        else:
            yield from _values(entry, f"{prefix}{key}.")
