"""Published vectors: small cases as JSON, from which any engine can be tested without this code.

`python -m perpref.checker.vectors write spec/vectors` writes them from the definitions in
`perpref.checker.vector_cases`, each re-run before it is kept; `… replay spec/vectors` reads them
back and holds the reference to them. The format is told in `spec/vectors/README.md`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from attrs import frozen

from perpref import machine
from perpref.checker.wire import (
    Done,
    RefusedBy,
    Result,
    Terms,
    View,
    exchange_of,
    from_wire,
    to_wire,
    view,
)
from perpref.outcome import Refused
from perpref.rule_registry import Refusal, functions, refusals
from perpref.state import Exchange

FORMAT = "1"
MANIFEST = "manifest.json"


@frozen
class Vector:
    """One case: terms, where it starts, what is sent, what must come back, where it ends.

    `start` is None for an exchange that has just been opened. `results` has one entry per
    command. Numbers are decimal strings on the wire, as everywhere in the protocol.
    """

    format: str
    chapter: str
    name: str
    about: str
    rules: tuple[str, ...]
    terms: Terms
    start: View | None
    commands: tuple[machine.Command, ...]
    results: tuple[Result, ...]
    end: View

    @property
    def file(self) -> str:
        """Its place below the folder of vectors."""
        return f"{self.chapter}/{self.name}.json"


# Running.


def run(
    terms: Terms, start: View | None, commands: tuple[machine.Command, ...]
) -> tuple[tuple[Result, ...], Exchange]:
    """What the reference makes of commands: a result for each, and the exchange in the end."""
    now = terms.opened() if start is None else exchange_of(terms, start)
    results: list[Result] = []
    for command in commands:
        outcome = machine.apply(now, command)
        if isinstance(outcome, Refused):
            results.append(RefusedBy(outcome.code, outcome.phase, outcome.rule))
        else:
            now = outcome.exchange
            results.append(Done(outcome.events))
    return tuple(results), now


def replay(vector: Vector) -> Iterator[str]:
    """How the reference departs from a vector, in sentences; nothing when it does not."""
    results, end = run(vector.terms, vector.start, vector.commands)
    if len(results) != len(vector.results):
        yield f"{vector.file}: {len(vector.results)} results for {len(results)} commands"
    for number, (ours, theirs) in enumerate(zip(results, vector.results, strict=False)):
        if ours != theirs:
            yield f"{vector.file}: command {number}: {to_wire(ours, Result)} is not as written"
    if view(end) != vector.end:
        yield f"{vector.file}: the state in the end is not as written"


@frozen
class Exercised:
    """The rules whose functions a run called, and the refusal codes that were raised in it."""

    rules: frozenset[str]
    codes: frozenset[str]


def exercised(vector: Vector) -> Exercised:
    """What a vector puts to use, found by watching the calls that the reference makes."""
    carriers: dict[CodeType, set[str]] = {}
    for rule_id, found in functions().items():
        for function in found:
            carriers.setdefault(function.__code__, set()).add(rule_id)
    rules: set[str] = set()
    codes: set[str] = set()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        if frame.f_code is Refusal.__init__.__code__:
            codes.add(frame.f_locals["code"].code)
        else:
            rules.update(carriers.get(frame.f_code, ()))

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        run(vector.terms, vector.start, vector.commands)
    finally:
        sys.setprofile(before)
    rules |= {refusals()[code].rule for code in codes}
    return Exercised(frozenset(rules), frozenset(codes))


# Reading and writing.


def text_of(vector: Vector) -> str:
    """The content of a vector's file. Nobody chooses in a vector, so none shows choices."""
    wired = to_wire(vector, Vector)
    for result in wired["results"]:
        if "done" in result and not result["done"]["choices"]:
            del result["done"]["choices"]
    return json.dumps(wired, indent=1) + "\n"


def vector_of(text: str) -> Vector:
    """The vector that a file's content stands for. Raises Unreadable."""
    read: Vector = from_wire(json.loads(text), Vector)
    return read


def manifest_of(vectors: list[Vector]) -> dict[str, Any]:
    """What is there: every file with its hash, and which vector exercises what."""
    used = {vector.file: exercised(vector) for vector in vectors}
    codes = {
        code: sorted(file for file, what in used.items() if code in what.codes)
        for code in sorted(refusals())
    }
    return {
        "format": FORMAT,
        "vectors": [
            {
                "file": vector.file,
                "about": vector.about,
                "rules": list(vector.rules),
                "needs_load": vector.start is not None,
                "sha256": sha256(text_of(vector).encode()).hexdigest(),
            }
            for vector in vectors
        ],
        "codes": {code: files for code, files in codes.items() if files},
        "judged_in_choices_only": [code for code, files in codes.items() if not files],
    }


def contents(vectors: list[Vector]) -> dict[str, str]:
    """Every generated file with its content, below the folder of vectors."""
    files = {vector.file: text_of(vector) for vector in vectors}
    if len(files) != len(vectors):
        raise ValueError("two vectors have one name")
    return files | {MANIFEST: json.dumps(manifest_of(vectors), indent=1) + "\n"}


def read_all(folder: Path) -> list[Vector]:
    """The vectors that a folder's manifest lists, each with the hash that stands there.

    Raises:
        ValueError: the format is another one, or a file is not the one that was published.
    """
    manifest = json.loads((folder / MANIFEST).read_text())
    if manifest["format"] != FORMAT:
        raise ValueError(f"format {manifest['format']} is not {FORMAT}")
    vectors = []
    for entry in manifest["vectors"]:
        content = (folder / entry["file"]).read_bytes()
        if sha256(content).hexdigest() != entry["sha256"]:
            raise ValueError(f"{entry['file']} is not the file of the manifest")
        vectors.append(vector_of(content.decode()))
    return vectors


def write_all(folder: Path, vectors: list[Vector]) -> int:
    """Write vectors that were re-run from what was written; how many bytes it is in all."""
    files = contents(vectors)
    for vector in vectors:
        problems = list(replay(vector_of(files[vector.file])))
        if problems:
            raise ValueError("; ".join(problems))
    for old in folder.glob("*/*.json"):
        if str(old.relative_to(folder)) not in files:
            old.unlink()
    for file, content in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(content)
    return sum(len(content.encode()) for content in files.values())


def main(arguments: list[str]) -> int:
    from perpref.checker import vector_cases

    match arguments:
        case ["write", folder]:
            vectors = vector_cases.all_vectors()
            size = write_all(Path(folder), vectors)
            print(f"{len(vectors)} vectors, {size:,} bytes, in {folder}")
            return 0
        case ["replay", folder]:
            problems = [p for vector in read_all(Path(folder)) for p in replay(vector)]
            print("\n".join(problems) or "The reference agrees with every vector.")
            return 1 if problems else 0
        case _:
            print("usage: python -m perpref.checker.vectors (write | replay) FOLDER")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
