"""On which line of a TOML text a value stands.

`tomllib` gives values without lines. This walks over a text that `tomllib` has already accepted,
so it need not judge: it only has to see where keys, tables and strings begin and end.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def lines_of(text: str) -> dict[Path, int]:
    """The line of every table, key and array element of a valid TOML text, from 1."""
    return _Walk(text).lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a value, or of the nearest thing around it when it is not there."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Walk:
    """One pass over the text; `lines` is filled on the way."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        self._breaks = [found.start() for found in re.finditer("\n", text)]
        self._document()

    def _document(self) -> None:
        inside: Path = ()
        while self._skip(_GAP) < len(self.text):
            start = self.at
            if self.text.startswith("[[", start):
                self.at += 2
                inside = self._element(self._path(self._key()))
                self.at += 2
                self._note_all(inside, start)
            elif self.text[start] == "[":
                self.at += 1
                inside = self._path(self._key())
                self.at += 1
                self._note_all(inside, start)
            else:
                self._pair(inside)

    def _pair(self, inside: Path) -> None:
        """A key, a value, and all that is inside the value."""
        start = self.at
        path = inside
        for part in self._key():
            path = (*path, part)
            self._note(path, start)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self.text[self.at]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        elif opening in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._inner() != "]":
            self._note((*path, index), self.at)
            self._value((*path, index))
            index += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self._inner() != "}":
            self._pair(path)
        self.at += 1

    def _inner(self) -> str:
        """The next thing within brackets, past a comma."""
        self._skip(_GAP)
        if self.text[self.at] == ",":
            self.at += 1
            self._skip(_GAP)
        return self.text[self.at]

    def _key(self) -> tuple[str, ...]:
        """A dotted key, and the space around it."""
        parts = []
        while True:
            self._skip(_SPACE)
            start = self.at
            self._skip(_STRING if self.text[start] in "\"'" else _BARE_KEY)
            parts.append(_plain(self.text[start : self.at]))
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return tuple(parts)
            self.at += 1

    def _path(self, key: tuple[str, ...]) -> Path:
        """The path that a header names: within an array of tables it means the last one."""
        path: Path = ()
        for part in key[:-1]:
            path = (*path, part)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return (*path, key[-1])

    def _element(self, path: Path) -> Path:
        """The next element of an array of tables."""
        index = self._counts.get(path, 0)
        self._counts[path] = index + 1
        return (*path, index)

    def _note_all(self, path: Path, start: int) -> None:
        """A header names all the tables around its own, too."""
        for length in range(1, len(path) + 1):
            self._note(path[:length], start)

    def _note(self, path: Path, start: int) -> None:
        """The first time that something is named is where it stands."""
        if path not in self.lines:
            self.lines[path] = self._line(start)

    def _line(self, start: int) -> int:
        return bisect_left(self._breaks, start) + 1

    def _skip(self, what: re.Pattern[str]) -> int:
        found = what.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return self.at


def _plain(key: str) -> str:
    """A key without its quotes."""
    if key[0] in "\"'":
        (plain,) = tomllib.loads(f"{key} = 0")
        return plain
    return key
