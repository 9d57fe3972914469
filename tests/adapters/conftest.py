"""Bluefin's tests run wherever its engine can: they need npm once, and pyrevm.

They are skipped, and say so, when one of these is missing or npm cannot fetch the packages. A
package that is not what its hash says is a failure.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from perpref.adapters.bluefin import install as installer

NEEDED = ("pyrevm", "eth_abi", "eth_hash", "coincurve")
ROOT = Path(__file__).parents[2]


def missing_tool(folder: Path) -> str | None:
    """What keeps the engine from running here, or None."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        return f"Bluefin's engine is not driven: no Python package {', '.join(absent)}"
    if installer.fault(folder) is not None and shutil.which("npm") is None:
        return "Bluefin's engine is not driven: npm is not installed"
    return None


@pytest.fixture(scope="session")
def folder() -> Path:
    """The folder with the installed engine."""
    place = ROOT / installer.DEFAULT_FOLDER
    why = missing_tool(place)
    if why is not None:
        pytest.skip(why)
    try:
        return installer.install(place)
    except installer.WrongEngine:
        raise
    except installer.BluefinUnavailable as error:
        pytest.skip(f"Bluefin's engine is not driven: {error}")


@pytest.fixture(params=["arbitrum", "boba"])
def build(request: pytest.FixtureRequest) -> str:
    """Each build in turn."""
    return str(request.param)
