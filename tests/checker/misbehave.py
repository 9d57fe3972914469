"""The reference behind a pipe with bad manners: `python misbehave.py MANNER [AFTER]`.

The manner shows once so many requests have been answered.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from perpref.checker.reference_engine import ReferenceEngine
from perpref.checker.serve import answer


def spoilt(manner: str, request: dict[str, Any], reply: dict[str, Any]) -> str | None:
    """The line to write instead of a good reply; None for a reply that is good after all."""
    command = request["cmd"]
    match manner:
        case "hang":
            time.sleep(60)
        case "crash":
            sys.exit("the engine lost its mind")
        case "killed":
            os.abort()
        case "close":
            os.close(1)
            time.sleep(60)
        case "garbage":
            return "Traceback (most recent call last):"
        case "list":
            return "[]"
        case "version" if command == "start":
            return json.dumps({**reply, "version": "2"})
        case "number version" if command == "start":
            return json.dumps({**reply, "version": 1})
        case "order" if "seq" in reply:
            return json.dumps({**reply, "seq": str(int(reply["seq"]) + 1)})
        case "no seq" if "seq" in reply:
            return json.dumps({key: value for key, value in reply.items() if key != "seq"})
        case "count" if command == "apply":
            return json.dumps({**reply, "results": reply["results"] * 2})
        case "field" if command == "apply":
            return json.dumps({**reply, "results": [{"done": {"evens": []}}]})
        case "number" if command == "observe":
            return json.dumps({**reply, "state": {**reply["state"], "custody": 5000}})
        case "float" if command == "observe":
            return json.dumps({**reply, "state": {**reply["state"], "custody": "5000.0"}})
        case "not ok" if command == "reset":
            return json.dumps({"ok": False, "why": "no time"})
        case "bad exit" if command == "stop":
            print(json.dumps(reply), flush=True)
            sys.exit(4)
        case "no exit" if command == "stop":
            print(json.dumps(reply), flush=True)
            time.sleep(60)
        case "chatty":
            sys.stderr.write("much to say\n" * 20_000)
            return json.dumps(reply) + " " * 200_000
    return None


def main(manner: str, after: int) -> None:
    engine = ReferenceEngine()
    for answered, line in enumerate(sys.stdin):
        request = json.loads(line)
        if manner == "forget" and request["cmd"] == "reset" and answered > 2:
            reply: dict[str, Any] = {"ok": True}
        else:
            reply = answer(engine, request)
        bad = spoilt(manner, request, reply) if answered >= after else None
        print(json.dumps(reply) if bad is None else bad, flush=True)
        if request["cmd"] == "stop":
            return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
