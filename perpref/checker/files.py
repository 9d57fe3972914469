"""Files that people write: TOML, read value by value, and refused in one line.

A wrong file is told as `FILE:LINE: key: what is wrong (value); what is allowed [RULE]`. The rule is
left out where the mistake is one of the file and not of the exchange.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TypeVar

from attrs import define, frozen

from perpref.checker.toml_lines import Path as KeyPath
from perpref.checker.toml_lines import line_of, lines_of

T = TypeVar("T")

MISSING = object()
"""Stands for a value that is not there."""

MOST_LISTED = 20
"""When more than this is allowed, and something near to what is written, only that is named."""

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")

MOST_SHOWN = 60
"""A value in a message is cut after so many characters."""

MOST_BYTES = 1 << 20
"""A file of more than this is not one that a person wrote."""


class BadInput(Exception):
    """A file cannot be used; the text is one line that says where, what, and what is allowed."""


def bad_input(
    where: str, key: str, wrong: str, value: str = "", allowed: str = "", rule: str = ""
) -> BadInput:
    """The one line."""
    text = f"{where}: " + (f"{key}: " if key else "") + wrong
    text += f" ({value})" if value else ""
    text += f"; {allowed}" if allowed else ""
    text += f" [{rule}]" if rule else ""
    return BadInput(" ".join(text.split()))


@define(slots=False)
class Document:
    """A TOML file that has been read: its text, its values, and where they stand."""

    name: str
    path: Path
    text: str
    content: dict[str, object]

    @cached_property
    def lines(self) -> dict[KeyPath, int]:
        return lines_of(self.text)

    def line(self, path: KeyPath) -> int:
        """The line of a value, or of the nearest thing around it."""
        return line_of(self.lines, path)

    @property
    def root(self) -> Value:
        return Value(self, (), self.content)


def read_document(path: Path) -> Document:
    """Read a TOML file. Raises BadInput when there is none in it."""
    name = shown_path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise bad_input(name, "", f"cannot be read: {error.strerror}") from error
    if len(raw) > MOST_BYTES:
        raise bad_input(name, "", "too large", f"{len(raw)} bytes", f"at most {MOST_BYTES}")
    try:
        text = raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise bad_input(f"{name}:{line}", "", "not UTF-8 text") from error
    try:
        return Document(name, path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(name, text, str(error)) from error
    except RecursionError as error:
        raise bad_input(name, "", "not TOML: too deep a nesting") from error
    except ValueError as error:  # Python reads no decimal number of more than 4,300 digits
        digits = re.search(r"[0-9](_?[0-9]){4300,}", text)
        line = text.count("\n", 0, digits.start()) + 1 if digits else 1
        raise bad_input(
            f"{name}:{line}", "", "a number of too many digits", "", "", "UNIT-2"
        ) from error


def _not_toml(name: str, text: str, said: str) -> BadInput:
    """A syntax error, on the line that tomllib names."""
    found = re.search(r" \(at line (\d+), column \d+\)$", said)
    last = max(1, len(text.rstrip("\n").split("\n")))
    line = int(found.group(1)) if found else last
    what = re.sub(r" \(at [^()]*\)$", "", said)
    return bad_input(f"{name}:{line}", "", f"not TOML: {what}")


def shown_path(path: Path) -> str:
    """A path as short as it can be."""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, OSError):
        return str(path)


@frozen
class Value:
    """One value of a document and the keys that lead to it."""

    document: Document
    path: KeyPath
    raw: object

    @property
    def line(self) -> int:
        return self.document.line(self.path)

    @property
    def key(self) -> str:
        """The keys that lead here, as in `step[3].place.price`; a list counts from 1."""
        key = ""
        for part in self.path:
            if isinstance(part, int):
                key += f"[{part + 1}]"
            else:
                word = part if _BARE.match(part) else json.dumps(part, ensure_ascii=False)
                key += f".{word}" if key else word
        return key

    @property
    def name(self) -> str:
        """The last of the keys."""
        return str(self.path[-1]) if self.path else ""

    def bad(self, wrong: str, allowed: str = "", rule: str = "", shown: bool = True) -> BadInput:
        """This value is wrong, or is not there at all."""
        if self.raw is MISSING:
            wrong, rule, shown = "missing", "", False
        value = show(self.raw) if shown else ""
        return bad_input(f"{self.document.name}:{self.line}", self.key, wrong, value, allowed, rule)

    # Scalars.

    def integer(self, lowest: int, highest: int, rule: str = "UNIT-2") -> int:
        """An integer between two bounds, both allowed."""
        allowed = f"an integer from {lowest:_} to {highest:_}"
        if isinstance(self.raw, bool) or not isinstance(self.raw, int):
            kind = "a floating-point number" if isinstance(self.raw, float) else "not an integer"
            raise self.bad(kind, allowed, "UNIT-1")
        if not lowest <= self.raw <= highest:
            raise self.bad("out of bounds", allowed, rule)
        return self.raw

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.raw, str):
            raise self.bad("not a text", "a text in quotes")
        if not self.raw.strip():
            raise self.bad("empty", "a text in quotes")
        return self.raw

    def flag(self) -> bool:
        if not isinstance(self.raw, bool):
            raise self.bad("not a flag", "true or false")
        return self.raw

    def one_of(self, choices: Mapping[str, T], what: str, rule: str = "") -> T:
        """What a word stands for."""
        if not isinstance(self.raw, str):
            raise self.bad(f"not {what}", one_of(choices), rule)
        if self.raw not in choices:
            raise self.bad(f"no such {_bare(what)}", guess(self.raw, choices), rule)
        return choices[self.raw]

    # Tables and lists.

    def entries(self) -> Iterator[Value]:
        """The values of a table, each under its key, in the order of the file."""
        if not isinstance(self.raw, dict):
            raise self.bad("not a table", "a table of keys and values")
        for key, value in self.raw.items():
            yield Value(self.document, (*self.path, key), value)

    def items(self) -> Iterator[Value]:
        """The values of a list."""
        if not isinstance(self.raw, list):
            raise self.bad("not a list", "a list")
        for index, value in enumerate(self.raw):
            yield Value(self.document, (*self.path, index), value)

    def allow(self, *keys: str) -> None:
        """Refuse a key that has no meaning here."""
        for entry in self.entries():
            if entry.name not in keys:
                raise entry.bad("unknown key", guess(entry.name, keys), shown=False)

    def get(self, key: str) -> Value | None:
        """The value under a key, if there is one."""
        if not isinstance(self.raw, dict):
            raise self.bad("not a table", "a table of keys and values")
        return Value(self.document, (*self.path, key), self.raw[key]) if key in self.raw else None

    def need(self, key: str, what: str = "") -> Value:
        """The value under a key that must be there.

        One that is missing is refused here when `what` says what it should be, and otherwise by
        whoever reads it, and knows what it should be.
        """
        found = self.get(key)
        if found is None:
            found = Value(self.document, (*self.path, key), MISSING)
            if what:
                raise found.bad("missing", what)
        return found


def show(raw: object) -> str:
    """A value as it would be written, cut when it is long."""
    if isinstance(raw, bool):
        text = "true" if raw else "false"
    elif isinstance(raw, int):
        text = f"{raw:_}" if abs(raw) < 10**MOST_SHOWN else f"more than {MOST_SHOWN} digits"
    elif isinstance(raw, str):
        text = json.dumps(raw, ensure_ascii=False)
    elif isinstance(raw, list):
        text = f"[{', '.join(map(show, raw))}]"
    elif isinstance(raw, dict):
        text = f"{{{', '.join(f'{key} = {show(value)}' for key, value in raw.items())}}}"
    else:
        text = str(raw)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def one_of(choices: Iterable[str]) -> str:
    """A list of what is allowed."""
    return f"one of {', '.join(choices)}"


def guess(word: str, choices: Iterable[str]) -> str:
    """What is allowed, and what was probably meant."""
    known = list(choices)
    near = get_close_matches(word, known, n=1)
    if near and len(known) > MOST_LISTED:
        return f"did you mean {near[0]}?"
    return (f"did you mean {near[0]}? " if near else "") + one_of(known)


def _bare(what: str) -> str:
    """'side' for 'a side'."""
    return what.split(" ", 1)[-1]


# Files that come with the project.

HOMES = {"rulebooks": ("spec", "rulebooks"), "scenarios": ("examples", "scenarios")}
"""Where they live in a checkout."""


def shipped(kind: str) -> dict[str, Path]:
    """The files of a kind that come with the project, by name.

    In a checkout they are where people read them; a wheel installs them as data.
    """
    names = _files(kind)
    if kind == "rulebooks":
        return {name: path for name, path in names.items() if _is_rulebook(path)}
    return names


def own_models() -> dict[str, Path]:
    """The shipped rulebooks of engines whose models are their own: no reference plays them."""
    playable = shipped("rulebooks")
    return {name: path for name, path in _files("rulebooks").items() if name not in playable}


def _files(kind: str) -> dict[str, Path]:
    home = Path(__file__).parents[2].joinpath(*HOMES[kind])
    found = home.glob("*.toml") if home.is_dir() else _installed(kind)
    return {path.stem: path for path in sorted(found)}


def _is_rulebook(path: Path) -> bool:
    """Whether the reference can play it; an engine with a model of its own has its own keys."""
    try:
        return "waterfall" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _installed(kind: str) -> list[Path]:
    """The files of a kind among those that were installed with the package."""
    try:
        listed = files("perpref") or []
    except PackageNotFoundError:
        return []
    ours = [one for one in listed if one.parts[-3:-1] == ("perpref", kind)]
    return [Path(str(one.locate())).resolve() for one in ours if one.suffix == ".toml"]


def is_path(name: str) -> bool:
    """Whether this is meant as a path: it has a slash or ends with .toml."""
    return name.endswith(".toml") or "/" in name


def find(kind: str, name: str, near: Path | None = None) -> Path:
    """The file that a name stands for, or a path from `near`.

    Raises:
        BadInput: no file of this kind comes under this name.
    """
    if is_path(name):
        return (near or Path()) / name
    known = shipped(kind)
    if name not in known:
        allowed = guess(name, known)
        allowed += " or the path of a file" if allowed.endswith("?") else "; or the path of a file"
        raise bad_input(name or '""', "", f"no such {kind.removesuffix('s')}", "", allowed)
    return known[name]
