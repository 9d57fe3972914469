"""A wheel has all that a command needs: it works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("perpref", "proofs", "spec/rulebooks", "examples/scenarios")
FILES = ("pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel of this project unpacks to. It is built from a copy, to leave nothing behind."""
    made = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        unwanted = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, made / "source" / name, symlinks=True, ignore=unwanted)
    for name in FILES:
        shutil.copy(ROOT / name, made / "source" / name)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--no-index", "-w", made, made / "source"),
        ],
        check=True,
    )
    (wheel,) = made.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(made / "installed")
    return made / "installed"


RUN = """
import perpref.cli, sys
assert perpref.cli.__file__.startswith(sys.argv.pop(1)), perpref.cli.__file__
perpref.cli.main(prog_name="perpref")
"""


def perpref(installed: Path, *arguments: str) -> str:
    """What `perpref` prints when it is run from there."""
    ran = subprocess.run(
        [sys.executable, "-c", RUN, str(installed), *arguments],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    )
    return ran.stdout


@pytest.mark.parametrize(
    ("folder", "home"), [("rulebooks", "spec/rulebooks"), ("scenarios", "examples/scenarios")]
)
def test_all_shipped_files_are_in_the_wheel(installed: Path, folder: str, home: str) -> None:
    shipped = {path.name: path.read_bytes() for path in (ROOT / home).glob("*.toml")}
    packed = {path.name: path.read_bytes() for path in (installed / "perpref" / folder).iterdir()}
    assert shipped
    assert packed == shipped


def test_scenarios_and_rulebooks_are_found_without_a_checkout(installed: Path) -> None:
    assert not (installed / "spec").exists()
    assert "hold in overbooked-flight" in perpref(installed, "run", "overbooked-flight")
    assert "hyperliquid" in perpref(installed, "rulebook", "list")
    said = perpref(installed, "check", "reference", "--examples", "5", "--seed", "1", "--quiet")
    assert said == "reference CONFORMS to textbook, as far as was compared.\n"
