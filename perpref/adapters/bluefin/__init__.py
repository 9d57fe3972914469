"""Bluefin's production exchange, bytecode and all, held against a statement of its rules.

`open_engine(build)` deploys the exchange in this process and drives it. `differential(build)`
gives the engine and the model (`perpref.adapters.bluefin.model`) the same commands and compares
them to the last quantum. `laws(build)` tries to make the engine break the laws of conservation
and backing. Each installs the pinned packages first, unless they are in the folder already, and
raises `BluefinUnavailable` when that is not possible here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perpref.adapters.bluefin.install import BluefinUnavailable
from perpref.adapters.bluefin.law import LAWS
from perpref.adapters.bluefin.report import BrokenLaw, Deviation, Progress, Report
from perpref.adapters.bluefin.terms import BUILDS, Terms

if TYPE_CHECKING:
    from perpref.adapters.bluefin.engine import Engine

ENGINE = "bluefin"


def unheard(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def builds() -> tuple[str, ...]:
    """The builds of the engine that were published."""
    return BUILDS


def open_engine(build: str, folder: Path | None = None, terms: Terms | None = None) -> Engine:
    """A freshly deployed exchange.

    Raises:
        BluefinUnavailable: npm or a Python package is missing, or the engine is not what the
            hashes say.
    """
    from perpref.adapters.bluefin.engine import Engine

    return Engine(build, terms, folder)


def differential(
    build: str,
    commands: int = 5_000,
    seed: int = 0,
    folder: Path | None = None,
    progress: Progress = unheard,
) -> Report:
    """Search for a command on which engine and model disagree. Raises as `open_engine`."""
    from perpref.adapters.bluefin import compare

    return compare.differential(build, commands, seed, folder, progress=progress)


def laws(
    build: str,
    commands: int = 5_000,
    seed: int = 0,
    folder: Path | None = None,
    progress: Progress = unheard,
) -> Report:
    """Try to break the laws of conservation and backing. Raises as `open_engine`."""
    from perpref.adapters.bluefin import law_search

    return law_search.laws(build, commands, seed, folder, progress)


__all__ = [
    "BUILDS",
    "ENGINE",
    "LAWS",
    "BluefinUnavailable",
    "BrokenLaw",
    "Deviation",
    "Report",
    "Terms",
    "builds",
    "differential",
    "laws",
    "open_engine",
]
