"""An engine written in Python, served over standard input and output."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, BinaryIO

from perpref.checker.engine import Engine
from perpref.checker.wire import Result, Terms, View, decimal, from_wire, to_wire
from perpref.machine import Command


def serve(engine: Engine, requests: Iterable[bytes], replies: BinaryIO) -> None:
    """Answer requests until `stop` or the end of the input."""
    for line in requests:
        request = json.loads(line)
        replies.write(json.dumps(answer(engine, request), separators=(",", ":")).encode() + b"\n")
        replies.flush()
        if request["cmd"] == "stop":
            return


def answer(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request."""
    match request["cmd"]:
        case "start":
            hello: dict[str, Any] = to_wire(engine.start())
            return hello
        case "rulebook":
            return _done_unless(engine.rulebook(from_wire(request["terms"], Terms)))
        case "reset":
            engine.reset()
            return {"ok": True}
        case "apply":
            commands = [from_wire(command, Command) for command in request["commands"]]
            results = [to_wire(result, Result) for result in engine.apply(commands)]
            return {"seq": request["seq"], "results": results}
        case "observe":
            return {"seq": request["seq"], "state": to_wire(engine.observe())}
        case "load":
            loaded = engine.load(from_wire(request["state"], View))
            return {"seq": str(decimal(request["seq"])), **_done_unless(loaded)}
        case "stop":
            engine.stop()
            return {"ok": True}
        case unknown:
            raise ValueError(f"there is no request {unknown!r}")


def _done_unless(why: str | None) -> dict[str, Any]:
    return {"ok": True} if why is None else {"ok": False, "why": why}
