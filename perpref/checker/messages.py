"""Requests and replies as lines of JSON, for whoever sends and whoever answers them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from perpref.checker.engine import EngineFailure, Failure, require_version
from perpref.checker.wire import (
    VERSION,
    Hello,
    Result,
    Terms,
    Unreadable,
    View,
    decimal,
    from_wire,
    to_wire,
)
from perpref.machine import Command


def encode(message: dict[str, Any]) -> bytes:
    """A message as one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


# Requests.


def start() -> bytes:
    return encode({"cmd": "start", "version": str(VERSION)})


def rulebook(terms: Terms) -> bytes:
    return encode({"cmd": "rulebook", "terms": to_wire(terms)})


def reset() -> bytes:
    return encode({"cmd": "reset"})


def apply(seq: int, commands: Sequence[Command]) -> bytes:
    wired = [to_wire(command, Command) for command in commands]
    return encode({"cmd": "apply", "seq": str(seq), "commands": wired})


def observe(seq: int) -> bytes:
    return encode({"cmd": "observe", "seq": str(seq)})


def load(seq: int, state: View) -> bytes:
    return encode({"cmd": "load", "seq": str(seq), "state": to_wire(state)})


def stop() -> bytes:
    return encode({"cmd": "stop"})


# Replies. Each of these raises EngineFailure when the line is not the reply that was due.


def hello(line: bytes) -> Hello:
    """The reply to `start`."""
    reply = _object(line)
    version = reply.get("version")
    if isinstance(version, str) and version != str(VERSION):
        raise EngineFailure(Failure.VERSION, f"the engine speaks {version!r}, not '{VERSION}'")
    greeting: Hello = _structured(reply, Hello, "start")
    if greeting.compare.within < 0:
        raise EngineFailure(
            Failure.UNREADABLE, "in the reply to start: compare.within: less than 0"
        )
    return require_version(greeting)


def ok(line: bytes, request: str, seq: int | None = None) -> str | None:
    """The reply to a request that is done or not; if not, why."""
    reply = _object(line)
    if seq is not None:
        _require_seq(reply, seq)
    done = reply.pop("ok", None)
    why = reply.pop("why", "")
    if not isinstance(done, bool) or not isinstance(why, str) or reply:
        raise EngineFailure(Failure.UNREADABLE, f"the reply to {request} is {_short(line)}")
    return None if done else why or "no reason given"


def require_ok(line: bytes, request: str) -> None:
    """Insist that a request was done."""
    why = ok(line, request)
    if why is not None:
        raise EngineFailure(Failure.REFUSED, f"the engine does not {request}: {why}")


def results(line: bytes, seq: int, count: int) -> list[Result]:
    """The reply to `apply`."""
    reply = _object(line)
    _require_seq(reply, seq)
    listed = reply.pop("results", None)
    if not isinstance(listed, list) or reply:
        raise EngineFailure(
            Failure.UNREADABLE,
            f"the reply to apply has seq and results, and nothing else: {_short(line)}",
        )
    if len(listed) != count:
        raise EngineFailure(
            Failure.COUNT, f"there are {len(listed)} results for {count} commands: {_short(line)}"
        )
    return [_structured(result, Result, "apply") for result in listed]


def state(line: bytes, seq: int) -> View:
    """The reply to `observe`."""
    reply = _object(line)
    _require_seq(reply, seq)
    seen = reply.pop("state", None)
    if seen is None or reply:
        raise EngineFailure(
            Failure.UNREADABLE,
            f"the reply to observe has seq and state, and nothing else: {_short(line)}",
        )
    view: View = _structured(seen, View, "observe")
    return view


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise EngineFailure(Failure.GARBAGE, f"not JSON: {_short(line)}") from error
    if not isinstance(value, dict):
        raise EngineFailure(Failure.GARBAGE, f"not a JSON object: {_short(line)}")
    return value


def _require_seq(reply: dict[str, Any], seq: int) -> None:
    given = reply.pop("seq", None)
    if given is None:
        raise EngineFailure(Failure.UNREADABLE, f"a reply has no seq; {seq} was due")
    try:
        number = decimal(given)
    except Unreadable as error:
        raise EngineFailure(Failure.UNREADABLE, f"seq: {error}") from error
    if number != seq:
        raise EngineFailure(Failure.ORDER, f"the reply to request {seq} says seq {number}")


def _structured(value: Any, kind: Any, request: str) -> Any:
    try:
        return from_wire(value, kind)
    except Unreadable as error:
        raise EngineFailure(Failure.UNREADABLE, f"in the reply to {request}: {error}") from error


def _short(line: bytes) -> str:
    text = line.decode(errors="replace").strip() or "an empty line"
    return text if len(text) <= 200 else f"{text[:200]}…"
