"""The published vectors: what is in the files, and that it is still so."""

from __future__ import annotations

import importlib.util
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from perpref.checker import vector_cases, vectors
from perpref.checker.vectors import (
    MANIFEST,
    contents,
    exercised,
    read_all,
    replay,
    text_of,
    vector_of,
    write_all,
)
from perpref.checker.wire import Done, Unreadable
from perpref.rule_registry import formulas, functions, refusals

FOLDER = Path(__file__).parent.parent / "spec" / "vectors"
PUBLISHED = read_all(FOLDER)
USED = {vector.file: exercised(vector).rules for vector in PUBLISHED}
CHAPTERS = {
    "ledger", "position", "margin", "isolated", "mark", "fee", "book",
    "funding", "liquidation", "vault", "adl", "loss",
    "settlement", "clock",
}  # fmt: skip


def test_writing_them_again_gives_the_same_bytes() -> None:
    expected = contents(vector_cases.all_vectors())
    found = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*.json")}
    assert sorted(found) == sorted(expected)
    for file, content in expected.items():
        assert found[file] == content, f"{file}: run `python -m perpref.checker.vectors write`"


@pytest.mark.parametrize("file", [vector.file for vector in PUBLISHED])
def test_the_reference_agrees(file: str) -> None:
    vector = vector_of((FOLDER / file).read_text())
    assert list(replay(vector)) == []
    assert vector.file == file
    assert vector_of(text_of(vector)) == vector


def test_the_manifest_has_the_hash_of_every_file() -> None:
    manifest = json.loads((FOLDER / MANIFEST).read_text())
    assert manifest["format"] == "1"
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*.json")}
    assert {entry["file"] for entry in manifest["vectors"]} == files
    for entry in manifest["vectors"]:
        assert entry["sha256"] == sha256((FOLDER / entry["file"]).read_bytes()).hexdigest()
        assert entry["needs_load"] == (
            json.loads((FOLDER / entry["file"]).read_text())["start"] is not None
        )


def test_every_rule_is_named_by_a_vector_that_exercises_it() -> None:
    named: set[str] = set()
    for vector in PUBLISHED:
        assert set(vector.rules) <= USED[vector.file], vector.file
        named |= set(vector.rules)
    # a rule that only forbids what a command cannot ask for is judged in choices
    assert set(functions()) - formulas() <= named
    assert not formulas() & named


def test_every_refusal_that_a_command_can_provoke_is_provoked_and_avoided() -> None:
    manifest = json.loads((FOLDER / MANIFEST).read_text())
    provoked, apart = set(manifest["codes"]), set(manifest["judged_in_choices_only"])
    assert provoked | apart == set(refusals())
    assert not provoked & apart
    for code in provoked:
        rule = refusals()[code].rule
        accepting = [
            vector
            for vector in PUBLISHED
            if rule in USED[vector.file] or rule.startswith("UNIT")
            if any(isinstance(result, Done) for result in vector.results)
        ]
        assert accepting, code


def test_every_chapter_has_vectors_and_all_are_small() -> None:
    assert {vector.chapter for vector in PUBLISHED} == CHAPTERS
    sizes = [path.stat().st_size for path in FOLDER.rglob("*/*.json")]
    assert max(sizes) < 12_000
    assert sum(sizes) < 2_000_000


def test_numbers_are_strings() -> None:
    def numbers(value: object) -> bool:
        if isinstance(value, dict):
            return any(numbers(inner) for inner in value.values())
        if isinstance(value, list):
            return any(numbers(inner) for inner in value)
        return isinstance(value, int | float) and not isinstance(value, bool)

    for vector in PUBLISHED:
        assert not numbers(json.loads((FOLDER / vector.file).read_text())), vector.file


def test_most_vectors_need_no_load() -> None:
    assert sum(vector.start is None for vector in PUBLISHED) > 0.9 * len(PUBLISHED)


# An engine that is not ours, run as spec/vectors/README.md says.


def example_engine() -> Any:
    """The module of the example engine, which knows nothing of `perpref`."""
    path = FOLDER.parent.parent / "examples" / "engines" / "exchange.py"
    spec = importlib.util.spec_from_file_location("example_engine_for_vectors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


EXAMPLE = example_engine()


def told(value: Any) -> Any:
    """A part of a reply, without what may be missing: empty accounts, positions, payments."""
    if isinstance(value, dict):
        kept = {key: told(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (EMPTY, NOTHING)}
    if isinstance(value, list):
        return [told(i) for i in value if i.get("paid", {}).get("amount") != "0"]
    return value


EMPTY, NOTHING = {"collateral": "0", "positions": {}}, {"size": "0", "cost": "0"}


def passes(engine: Any, case: dict[str, Any]) -> bool:
    """Whether an engine agrees with one vector."""
    assert engine.answer({"cmd": "rulebook", "terms": case["terms"]}) == {"ok": True}
    engine.answer({"cmd": "reset"})
    if case["start"] is not None:
        loaded = engine.answer({"cmd": "load", "seq": "1", "state": case["start"]})
        assert loaded["ok"], loaded
    applied = engine.answer({"cmd": "apply", "seq": "2", "commands": case["commands"]})
    observed = engine.answer({"cmd": "observe", "seq": "3"})
    same_results = told(applied["results"]) == told(case["results"])
    return bool(same_results and told(observed["state"]) == told(case["end"]))


@pytest.mark.parametrize("file", [vector.file for vector in PUBLISHED])
def test_the_example_engine_agrees(file: str) -> None:
    assert passes(EXAMPLE.Engine(), json.loads((FOLDER / file).read_text()))


@pytest.mark.parametrize("fault", sorted(EXAMPLE.FAULTS))
def test_a_fault_of_the_example_engine_fails_a_vector(fault: str) -> None:
    cases = [json.loads((FOLDER / vector.file).read_text()) for vector in PUBLISHED]
    assert not all(passes(EXAMPLE.Engine(fault), case) for case in cases)


# That a wrong vector is seen to be wrong.


def test_a_vector_with_a_wrong_number_does_not_pass() -> None:
    good = PUBLISHED[0]
    wrong = evolve(good, end=evolve(good.end, custody=good.end.custody + 1))
    assert list(replay(wrong)) == [f"{good.file}: the state in the end is not as written"]
    fewer = evolve(good, results=good.results[:-1])
    assert any("results for" in said for said in replay(fewer))
    other = evolve(good, results=(good.results[-1], *good.results[1:]))
    assert any("command 0" in said for said in replay(other))


def test_a_changed_file_is_not_the_published_one(tmp_path: Path) -> None:
    write_all(tmp_path, PUBLISHED[:2])
    assert read_all(tmp_path) == PUBLISHED[:2]
    path = tmp_path / PUBLISHED[0].file
    path.write_text(path.read_text().replace("1", "2", 1))
    with pytest.raises(ValueError, match=r"is not the file of the manifest"):
        read_all(tmp_path)


def test_another_format_is_not_read(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"format": "2", "vectors": []}')
    with pytest.raises(ValueError, match="format 2 is not 1"):
        read_all(tmp_path)


def test_a_number_that_is_not_a_string_is_not_read() -> None:
    text = text_of(PUBLISHED[0]).replace('"custody": "', '"custody": 0, "custody_was": "')
    with pytest.raises(Unreadable):
        vector_of(text)


def test_files_that_are_no_longer_defined_go(tmp_path: Path) -> None:
    write_all(tmp_path, PUBLISHED[:2])
    write_all(tmp_path, PUBLISHED[:1])
    assert [path.name for path in tmp_path.glob("*/*.json")] == [f"{PUBLISHED[0].name}.json"]


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vectors.main(["write", str(tmp_path)]) == 0
    assert vectors.main(["replay", str(tmp_path)]) == 0
    assert "agrees with every vector" in capsys.readouterr().out
    assert vectors.main(["dance"]) == 2
