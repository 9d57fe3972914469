"""The engine comes in by its hashes or not at all."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from perpref.adapters.bluefin import BluefinUnavailable, fetch
from perpref.adapters.bluefin import install as installer
from perpref.adapters.bluefin.install import WrongEngine

ROOT = Path(__file__).parents[2]
PINNED = {
    "@firefly-exchange/library": (
        "1.2.23",
        "LCZVQhHmh1rwiue4ROcG3H1RKxyZ8nqoFKikQMo1TYXnfDrQvex/sQN9kPIPREPRIwMjTrCbhPb68lgl1mHxkg==",
    ),
    "@openzeppelin/contracts": (
        "4.9.6",
        "xSmezSupL+y9VkHZJGDoCBpmnB2ogM13ccaYDWqJTfS3dbuHkgjuwDFUmaFauBCboQMGB/S5UqUl2y54X99BmA==",
    ),
}


def lock() -> dict[str, dict[str, str]]:
    text = (installer.HERE / "package-lock.json").read_text("utf-8")
    packages: dict[str, dict[str, str]] = json.loads(text)["packages"]
    return packages


def test_the_lock_pins_both_packages_by_hash_and_names_no_address() -> None:
    packages = lock()
    assert set(packages) == {""} | {f"node_modules/{name}" for name in PINNED}
    for name, (version, sha512) in PINNED.items():
        entry = packages[f"node_modules/{name}"]
        assert (entry["version"], entry["integrity"]) == (version, f"sha512-{sha512}")
        assert "resolved" not in entry


def test_what_is_installed_is_what_the_hashes_say(folder: Path) -> None:
    assert installer.fault(folder) is None
    assert installer.install(folder) == folder


def copy_of(folder: Path, place: Path) -> Path:
    for name in (*installer.DIGESTS, "node_modules/.package-lock.json"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, place / name)
    return place


def test_a_changed_file_is_noticed(folder: Path, tmp_path: Path) -> None:
    place = copy_of(folder, tmp_path)
    assert installer.fault(place) is None
    victim = place / installer.factory("boba", "Perpetual")
    text = victim.read_text("utf-8")
    victim.write_text(text.replace("6080", "6081", 1), "utf-8")
    why = installer.fault(place)
    assert why is not None
    assert "is not the file that the lock names" in why


def test_a_missing_file_is_noticed(folder: Path, tmp_path: Path) -> None:
    place = copy_of(folder, tmp_path)
    (place / installer.factory("arbitrum", "MarginBank")).unlink()
    assert "is not in" in str(installer.fault(place))


def test_another_package_is_noticed(folder: Path, tmp_path: Path) -> None:
    place = copy_of(folder, tmp_path)
    record = place / "node_modules/.package-lock.json"
    wrong = record.read_text("utf-8").replace("sha512-LCZ", "sha512-AAA")
    record.write_text(wrong, "utf-8")
    assert "does not have the integrity" in str(installer.fault(place))
    record.unlink()
    assert "no record" in str(installer.fault(place))


def test_without_npm_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(BluefinUnavailable, match="npm is not installed") as caught:
        installer.install(tmp_path)
    assert caught.value.why == str(caught.value)


@pytest.mark.parametrize("package", ["pyrevm", "coincurve"])
def test_without_a_python_package_the_reason_is_said(package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from perpref.adapters import bluefin\n"
        "try: bluefin.open_engine('boba')\n"
        "except bluefin.BluefinUnavailable as error: print(error.why)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("a Python package is missing: ")


def test_when_npm_fails_the_reason_is_said_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = tmp_path / "npm"
    failing.write_text("#!/bin/sh\necho 'the network is down' >&2\nexit 1\n", "utf-8")
    failing.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(failing))
    place = tmp_path / "engine"
    with pytest.raises(BluefinUnavailable, match="the network is down") as caught:
        installer.install(place)
    assert not isinstance(caught.value, WrongEngine)
    assert list(place.iterdir()) == []


def test_what_has_another_hash_is_refused_by_npm_and_by_us(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "npm"
    refusing.write_text("#!/bin/sh\necho 'npm error code EINTEGRITY' >&2\nexit 1\n", "utf-8")
    refusing.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(refusing))
    with pytest.raises(WrongEngine, match="EINTEGRITY"):
        installer.install(tmp_path / "one")

    forged = copy_of(folder, tmp_path / "forged")
    (forged / installer.factory("arbitrum", "Perpetual")).write_text("forged", "utf-8")
    refusing.write_text(f"#!/bin/sh\ncp -r '{forged}/node_modules' .\n", "utf-8")
    with pytest.raises(WrongEngine, match="is not the file that the lock names"):
        installer.install(tmp_path / "two")
    assert list((tmp_path / "two").iterdir()) == []


def test_fetching_says_whether_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raising(error: Exception) -> Callable[[], Path]:
        def install() -> Path:
            raise error

        return install

    monkeypatch.setattr(fetch, "install", lambda: Path("there"))
    assert fetch.main() == 0
    monkeypatch.setattr(fetch, "install", raising(BluefinUnavailable("no network")))
    assert fetch.main() == 3
    monkeypatch.setattr(fetch, "install", raising(WrongEngine("another hash")))
    assert fetch.main() == 1
    told = capsys.readouterr()
    assert "there" in told.out
    assert "cannot be had here: no network" in told.err
    assert "not those that are pinned: another hash" in told.err


def test_nothing_of_the_engine_is_committed() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout, or git is not installed")
    listed = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = listed.stdout.split()
    assert "perpref/adapters/bluefin/package-lock.json" in names
    assert not [name for name in names if "node_modules" in name or name.endswith("__factory.js")]
    ours = [ROOT / name for name in names if name.startswith("perpref/adapters/")]
    bytecode = re.compile(r"0x[0-9a-f]{1000}")
    assert [path for path in ours if bytecode.search(path.read_text("utf-8"))] == []


def test_a_spoilt_installation_is_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoilt = copy_of(folder, tmp_path / "engine")
    (spoilt / installer.factory("boba", "Guardian")).write_text("spoilt", "utf-8")
    monkeypatch.setattr(shutil, "which", lambda _name: "npm")

    def fetch(_npm: str, stage: Path) -> None:
        copy_of(folder, stage)

    monkeypatch.setattr(installer, "_fetch", fetch)
    assert installer.fault(installer.install(spoilt)) is None
