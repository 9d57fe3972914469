"""A case in a file: terms and commands as on the wire, so that a finding can be seen again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from perpref.checker.finding import Case
from perpref.checker.wire import VERSION, Terms, Unreadable, from_wire, to_wire
from perpref.machine import Command


class BadFile(Exception):
    """A file is not a case; the text says which file, where, and what is allowed."""


def case_to_wire(case: Case) -> dict[str, Any]:
    """The part of a report that can be replayed."""
    return {
        "version": str(VERSION),
        "terms": to_wire(case.terms),
        "commands": [to_wire(command, Command) for command in case.commands],
    }


def read_case(path: Path) -> Case:
    """The case in a report or in a file of its own. Raises BadFile."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadFile(f"{path}: not JSON: {error}") from error
    found = content.get("case", content) if isinstance(content, dict) else None
    if found is None or not isinstance(found, dict) or "commands" not in found:
        raise BadFile(f"{path}: there is no case in it: version, terms and commands are needed")
    if found.get("version") != str(VERSION):
        raise BadFile(f"{path}: version: {found.get('version')!r} is not '{VERSION}'")
    try:
        terms = from_wire(found.get("terms"), Terms)
    except Unreadable as error:
        raise BadFile(f"{path}: terms: {error}") from error
    if not isinstance(found["commands"], list):
        raise BadFile(f"{path}: commands: a list of commands is needed")
    commands = []
    for number, command in enumerate(found["commands"], start=1):
        try:
            commands.append(from_wire(command, Command))
        except Unreadable as error:
            raise BadFile(f"{path}: command {number}: {error}") from error
    return Case(terms, tuple(commands))
