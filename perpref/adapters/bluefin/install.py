"""Bring the engine in: two pinned packages, and nothing that came with another hash.

The engine's own code is not part of this project. `package-lock.json` names the two published
packages and their integrity hashes; npm refuses a download that does not match. The lock lists
only these two: their JavaScript dependencies are not needed to read bytecode, and no script of
any package is run. What lies in the folder is then compared, file by file, with the digests
below, so that a folder that was changed after it was installed is refused too.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
DEFAULT_FOLDER = Path("build") / "bluefin"
NPM_SECONDS = 600

LIBRARY = Path("node_modules/@firefly-exchange/library")
OPENZEPPELIN = Path("node_modules/@openzeppelin/contracts")


def factory(build: str, contract: str) -> str:
    """Where a build keeps the interface and the bytecode of a contract."""
    return f"{LIBRARY}/dist/src/contracts/exchange_{build}/factories/{contract}__factory.js"


DIGESTS = {
    factory("arbitrum", "DummyPriceOracle"): (
        "1ec2b7585f81348031ff4c07a86ca8a7eb281b0497a7f6289b8deb3bd31199ed"
    ),
    factory("arbitrum", "DummyUSDC"): (
        "89dfc5c2c44ef3ce0f54da9f14bf9174e3913ee8cb46553134d901070641adf5"
    ),
    factory("arbitrum", "Evaluator"): (
        "0f4f913333854356ca41dcb3c16f425932b9791c111917fb060f4c7c3547ce3d"
    ),
    factory("arbitrum", "FundingOracle"): (
        "67509e3a1ee961ace4af629f1880ba531284572998e23b68a73cdeb136838d7b"
    ),
    factory("arbitrum", "Guardian"): (
        "dfea7ce392da5451cc6c5d4a9ca9de29aba6e9f177ba905f495e0ea0322d0b0f"
    ),
    factory("arbitrum", "IsolatedADL"): (
        "5a10c00a7356805b1baa112b8e5654ac85880ae4f5772dae85919ac7a454424c"
    ),
    factory("arbitrum", "IsolatedLiquidation"): (
        "eb6b25afc14dad7dff94e0139e99f574adf71dc303b5f6851c45b71fe53ef3dd"
    ),
    factory("arbitrum", "IsolatedTrader"): (
        "b7d465f9f4f6ef225a4f85fa795a774040dca8345689a7e3eaed1ff4907deb55"
    ),
    factory("arbitrum", "MarginBank"): (
        "ce87cae7be685d8e6fbc9d4a3c1852b50e82ef9b0912fa9b33dca6a83399afe3"
    ),
    factory("arbitrum", "MarginMath"): (
        "704dd3302b581bc4d38d9116347033bce22945b3459c487a6191d0196a13618b"
    ),
    factory("arbitrum", "Perpetual"): (
        "badbc46ac2bbc06de3566cb2e6d435f237bf5b1c3d6bfc1fe835350f8e9696c3"
    ),
    factory("boba", "DummyUSDC"): (
        "5b9cefb20194ca7af9e0fcc8cb553929ca3224f823e49006e60853778850067d"
    ),
    factory("boba", "Evaluator"): (
        "a0a6cdd9f3cbcae4ca42a71597de15f9e133b7404aec915ef1f7b1a307515e5a"
    ),
    factory("boba", "FundingOracle"): (
        "a13a8ba388c35ae56bad222b268ab9416b01b39b0201ac5f5594095221f35ae7"
    ),
    factory("boba", "Guardian"): (
        "a78141565fca7f8aa0d0b3520f49d24747839780a16b0e55ed12104f82658244"
    ),
    factory("boba", "IsolatedADL"): (
        "49ce08b9900b7c600a31a25dcc98a74fc9aaaa2106230dbcf7d559e0633e56ea"
    ),
    factory("boba", "IsolatedLiquidation"): (
        "4a2c699189e5c86dc85529f57c2544666817d3f009a009bf5b2c152428616267"
    ),
    factory("boba", "IsolatedTrader"): (
        "39900c37d6dc5a1c9654f0f9a1722198d68376295697ab913be04a8a35ad6fc4"
    ),
    factory("boba", "MarginBank"): (
        "85b2d0cca81f7b00f18f31c50165d9cb2aa84b80d854abdf358cf01d3f74bb2d"
    ),
    factory("boba", "MarginMath"): (
        "53fa99cb1abe6799a20226424aa09e46aa785e9609a379f4e587395a12691562"
    ),
    factory("boba", "Perpetual"): (
        "315ad234f630db4115f203c00f466dc9e38fa1b0d4dc7690efe66c918dcc7ec9"
    ),
    factory("boba", "PriceOracle"): (
        "65ece8dc58c347e907c2eef21f1b865053850abc5045e95846867b7fcf62a167"
    ),
    "node_modules/@firefly-exchange/library/package.json": (
        "2c686841426fb91159c93af52f70da8d6068b390c48f42ec277934d73d5f3b06"
    ),
    "node_modules/@openzeppelin/contracts/package.json": (
        "66908abed858584d0057b463d5e825628f45966773007e6130a015417227791e"
    ),
    "node_modules/@openzeppelin/contracts/build/contracts/ERC1967Proxy.json": (
        "9e3caae25a047ebb66373c25adb8917ebb76ca4f9a3dbd15448e95752773c9eb"
    ),
}
"""SHA-256 of every file that the adapter reads, relative to the folder."""


class BluefinUnavailable(Exception):
    """The engine cannot be driven here, and why. This is no finding about the engine."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class WrongEngine(BluefinUnavailable):
    """What was brought in is not what the hashes say. Nobody should pass over this."""


def package() -> str:
    """The name and the version of the package that holds the engine."""
    entry = _locked()[LIBRARY.as_posix()]
    return f"{LIBRARY.relative_to('node_modules').as_posix()} {entry['version']}"


def integrity() -> str:
    """The hash of that package, as npm knows it."""
    return str(_locked()[LIBRARY.as_posix()]["integrity"])


def _locked() -> dict[str, dict[str, str]]:
    packages: dict[str, dict[str, str]]
    packages = json.loads((HERE / "package-lock.json").read_text("utf-8"))["packages"]
    return packages


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fault(folder: Path) -> str | None:
    """What is wrong with the engine in this folder, or None when it is what the hashes say."""
    for name, expected in DIGESTS.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is not in {folder}"
        if digest(path) != expected:
            return f"{name} in {folder} is not the file that the lock names"
    return _lock_fault(folder)


def _lock_fault(folder: Path) -> str | None:
    """What npm recorded as installed, compared with what the lock asks for."""
    try:
        installed = json.loads((folder / "node_modules/.package-lock.json").read_text("utf-8"))
    except (OSError, ValueError):
        return f"{folder} holds no record of what npm installed"
    for name, wanted in _locked().items():
        if name and installed["packages"].get(name, {}).get("integrity") != wanted["integrity"]:
            return f"{name} in {folder} does not have the integrity that the lock names"
    return None


def install(folder: Path | None = None) -> Path:
    """The folder with the verified engine; installs it there unless it is there already.

    Raises:
        WrongEngine: what npm brought is not what the hashes say.
        BluefinUnavailable: npm is missing or cannot fetch the packages.
    """
    folder = (folder or DEFAULT_FOLDER).absolute()
    if fault(folder) is None:
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise BluefinUnavailable("npm is not installed; it is needed once, to fetch the engine")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as stage:
        _fetch(npm, Path(stage))
        _move_in(Path(stage), folder)
    return folder


def _fetch(npm: str, stage: Path) -> None:
    """Let npm fetch the packages into a folder of their own, and look at what came."""
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, stage / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command,
            cwd=stage,
            capture_output=True,
            text=True,
            timeout=NPM_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BluefinUnavailable(f"npm could not fetch the engine: {error}") from error
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "?"
        kind = WrongEngine if "EINTEGRITY" in said else BluefinUnavailable
        raise kind(f"npm could not fetch the engine: {said.splitlines()[0]}")
    wrong = fault(stage)
    if wrong is not None:
        raise WrongEngine(wrong)


def _move_in(stage: Path, folder: Path) -> None:
    """Put what was fetched into its place, unless another process was faster."""
    place = folder / "node_modules"
    if place.exists() and fault(folder) is not None:
        place.rename(stage / "spoilt")
    if not place.exists():
        try:
            (stage / "node_modules").rename(place)
        except OSError:
            if fault(folder) is not None:
                raise
