"""TOML with the line of every value, and one way of saying what is wrong with a file.

`tomllib` reads the values but forgets where they stood, so the keys are looked for once more in
the text, which by then is known to be TOML.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from perpref.files.lines import KeyPath, lines_of


class BadFile(Exception):
    """A file is not what it should be; the text is one line that says where, and what is allowed.

    Attributes:
        line: counted from 1; 0 when the file as a whole is meant.
        key: the key, with its tables, or nothing.
        allowed: what may stand there, or nothing.
        rule: the rule that says so, or nothing.
    """

    def __init__(
        self, path: str, line: int, key: str, what: str, allowed: str = "", rule: str = ""
    ) -> None:
        super().__init__(path, line, key, what, allowed, rule)
        self.path = path
        self.line = line
        self.key = key
        self.what = what
        self.allowed = allowed
        self.rule = rule

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        key = f"{self.key}: " if self.key else ""
        allowed = f"; allowed {self.allowed}" if self.allowed else ""
        rule = f" ({self.rule})" if self.rule else ""
        return " ".join(f"{where}: {key}{self.what}{allowed}{rule}".splitlines())


@frozen
class Source:
    """A file of TOML: what it is called, and the line of every key."""

    name: str
    lines: dict[KeyPath, int]

    def line(self, path: KeyPath) -> int:
        """The line of a key, or of the nearest table around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return 1


def shown(value: object) -> str:
    """A value as one would write it in TOML, cut short when it is long."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 10**60:
            return "a number of more than sixty digits"
        case str():
            text = json.dumps(value, ensure_ascii=False)
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(word: str, known: Collection[str]) -> str:
    """A hint at the known word that was probably meant, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {found[0]}?" if found else ""


def listed(words: Collection[str]) -> str:
    """Words in a row, for a message."""
    return ", ".join(words)


PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


def key_text(path: KeyPath) -> str:
    """A key with its tables, entries of lists counted from 1: `step[2].place.lots`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = part if PLAIN_KEY.match(part) else json.dumps(part)
            text += f".{name}" if text else name
    return text


@frozen
class Entry:
    """A value in a file: where it stands, and how it is read."""

    source: Source
    path: KeyPath
    value: Any

    @property
    def line(self) -> int:
        return self.source.line(self.path)

    def bad(self, what: str, allowed: str = "", rule: str = "") -> BadFile:
        """What is wrong with this value."""
        return BadFile(self.source.name, self.line, key_text(self.path), what, allowed, rule)

    def below(self, part: str | int) -> Entry:
        return Entry(self.source, (*self.path, part), self.value[part])

    def table(self) -> dict[str, Entry]:
        """The entries of a table, whatever they are called."""
        if not isinstance(self.value, dict):
            raise self.bad(f"{shown(self.value)} is not a table", "a table")
        return {key: self.below(key) for key in self.value}

    def fields(self, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Entry]:
        """The entries of a table that has all the required keys and no unknown one."""
        entries = self.table()
        known = [*required, *optional]
        for key, entry in entries.items():
            if key not in known:
                raise entry.bad(f"there is no such key{nearest(key, known)}", listed(known))
        missing = [key for key in required if key not in entries]
        if missing:
            raise self.bad(f"{listed(missing)} missing", listed(known))
        return entries

    def entries(self) -> Iterator[Entry]:
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self.bad(f"{shown(self.value)} is not a list", "a list")
        return (self.below(at) for at in range(len(self.value)))

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.bad(f"{shown(self.value)} is not a text", "a text in quotes")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.bad(f"{shown(self.value)} is not a flag", "true or false")
        return self.value

    def one_of(self, words: Collection[str], rule: str = "") -> str:
        """One of some words."""
        if not isinstance(self.value, str) or self.value not in words:
            hint = nearest(self.value, words) if isinstance(self.value, str) else ""
            what = f"{shown(self.value)} is none of them{hint}"
            raise self.bad(what, listed(words), rule)
        return self.value

    def integer(self, low: int | None, high: int | None, rule: str) -> int:
        """An integer within bounds; `rule` says so. A float or a flag is none (UNIT-1)."""
        allowed = "an integer"
        if low is not None and high is not None:
            allowed = f"{low} to {high}"
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.bad(f"{shown(self.value)} is not an integer", allowed, "UNIT-1")
        if low is not None and self.value < low:
            raise self.bad(f"{shown(self.value)} is too small", allowed, rule)
        if high is not None and self.value > high:
            raise self.bad(f"{shown(self.value)} is too large", allowed, rule)
        return self.value


def read_toml(path: Path, name: str = "") -> Entry:
    """The whole of a file. Raises BadFile."""
    name = name or str(path)
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise BadFile(name, 0, "", f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadFile(name, line, "", "this is not UTF-8", "text in UTF-8") from error
    return parse_toml(text, name)


PLACE = re.compile(r" ?\(at (?:line (\d+), column \d+|end of document)\)")


def parse_toml(text: str, name: str) -> Entry:
    """The whole of a text that is TOML. Raises BadFile."""
    try:
        values = tomllib.loads(text)
    except RecursionError as error:
        raise BadFile(name, 1, "", "this is nested too deeply") from error
    except ValueError as error:
        said = str(error)
        place = PLACE.search(said)
        line = int(place[1]) if place and place[1] else text.rstrip().count("\n") + 1
        what = PLACE.sub("", said) if place else "a number has too many digits"
        raise BadFile(name, line, "", f"this is not TOML: {what}") from error
    return Entry(Source(name, lines_of(text)), (), values)
