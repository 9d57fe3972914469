"""The line of every key of a text that is known to be TOML."""

from __future__ import annotations

import tomllib

KeyPath = tuple[str | int, ...]

BLANK = " \t"
SPACE = " \t\r\n"


def lines_of(text: str) -> dict[KeyPath, int]:
    """The line, from 1, on which each key and each entry of a list stands first."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """Walks over valid TOML once, from key to key."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.lists: dict[KeyPath, int] = {}
        self.counted = (0, 1)

    def document(self) -> None:
        table: KeyPath = ()
        while self.skip():
            if self.text.startswith("[[", self.at):
                self.at += 2
                table = self.header(is_list=True)
                self.at += 2
            elif self.text[self.at] == "[":
                self.at += 1
                table = self.header(is_list=False)
                self.at += 1
            else:
                self.pair(table)

    def header(self, is_list: bool) -> KeyPath:
        """The table that a header opens; entries of lists of tables are counted."""
        line = self.line()
        path: KeyPath = ()
        keys = self.keys()
        for number, key in enumerate(keys, start=1):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if is_list and number == len(keys):
                self.lists[path] = self.lists.get(path, -1) + 1
            if path in self.lists:
                path = (*path, self.lists[path])
                self.lines.setdefault(path, line)
        return path

    def pair(self, table: KeyPath) -> None:
        """A key, an equals sign and a value."""
        line = self.line()
        path = table
        for key in self.keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1
        self.value(path)

    def keys(self) -> list[str]:
        """A dotted key, up to what follows it."""
        found = []
        while True:
            self.blanks()
            found.append(self.key())
            self.blanks()
            if self.text[self.at] != ".":
                return found
            self.at += 1

    def key(self) -> str:
        start = self.at
        if self.text[start] in "\"'":
            self.string()
            (key,) = tomllib.loads(f"{self.text[start : self.at]} = 0")
            return key
        while self.text[self.at] not in " \t.=]":
            self.at += 1
        return self.text[start : self.at]

    def value(self, path: KeyPath) -> None:
        self.blanks()
        match self.text[self.at]:
            case "[":
                self.array(path)
            case "{":
                self.inline_table(path)
            case '"' | "'":
                self.string()
            case _:
                while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                    self.at += 1

    def array(self, path: KeyPath) -> None:
        self.at += 1
        entry = 0
        while self.skip() and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.lines[(*path, entry)] = self.line()
            self.value((*path, entry))
            entry += 1
        self.at += 1

    def inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while self.skip() and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self.at += 1
            else:
                self.pair(path)
        self.at += 1

    def string(self) -> None:
        """Step over a string of any of the four kinds."""
        quote = self.text[self.at]
        mark = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(mark)
        while not self.text.startswith(mark, self.at):
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += len(mark)
        # A long string may end in up to two quotes of its own.
        while len(mark) == 3 and self.text.startswith(quote, self.at):
            self.at += 1

    def blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in BLANK:
            self.at += 1

    def skip(self) -> bool:
        """Step over white space and comments; whether anything follows."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at] in SPACE:
                self.at += 1
            else:
                return True
        return False

    def line(self) -> int:
        """The line on which the scanner stands."""
        at, line = self.counted
        self.counted = (self.at, line + self.text.count("\n", at, self.at))
        return self.counted[1]
