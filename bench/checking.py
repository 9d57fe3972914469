"""The checker against an engine in process and over a pipe, and where its time goes."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from perpref.checker import messages
from perpref.checker.check import check
from perpref.checker.engine import Connection, Engine, InProcess
from perpref.checker.pipe import Pipe
from perpref.checker.reference_engine import ReferenceEngine
from perpref.checker.search import Budget
from perpref.checker.stopwatch import Part, Stopwatch
from perpref.checker.wire import Hello, MarketTerms, Result, Terms, View
from perpref.machine import Command
from perpref.state import Rulebook, Stage
from perpref.units import MarketId

EXAMPLE = Path(__file__).parent.parent / "examples" / "engines" / "exchange.py"
EXAMPLES = 200
SEED = 1

TERMS = Terms(
    Rulebook(
        "bench",
        200,
        500,
        10_000,
        7_500,
        0,
        (Stage.BOOK, Stage.VAULT, Stage.DELEVERAGE, Stage.RESIDUAL),
    ),
    {MarketId(1): MarketTerms(100_000, 50_000, 100, 1_000)},
)

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Spoken:
    """An engine that is only a function from requests to replies, asked without a pipe."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._seq = 0

    def _ask(self, request: bytes) -> bytes:
        return json.dumps(self._answer(json.loads(request))).encode()

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def start(self) -> Hello:
        return messages.hello(self._ask(messages.start()))

    def rulebook(self, terms: Terms) -> str | None:
        return messages.ok(self._ask(messages.rulebook(terms)), "rulebook")

    def reset(self) -> None:
        messages.require_ok(self._ask(messages.reset()), "reset")

    def apply(self, commands: Sequence[Command]) -> list[Result]:
        seq = self._next()
        return messages.results(self._ask(messages.apply(seq, commands)), seq, len(commands))

    def observe(self) -> View:
        seq = self._next()
        return messages.state(self._ask(messages.observe(seq)), seq)

    def load(self, state: View) -> str | None:
        seq = self._next()
        return messages.ok(self._ask(messages.load(seq, state)), "load", seq)

    def stop(self) -> None:
        messages.require_ok(self._ask(messages.stop()), "stop")


def example_in_process() -> Callable[[], Engine] | None:
    """The example engine as a function in this process, if it offers one: a class `Engine` with
    `answer(request)`, both ways as JSON objects of the protocol.
    """
    spec = importlib.util.spec_from_file_location("example_exchange", EXAMPLE)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    sys.modules["example_exchange"] = module
    spec.loader.exec_module(module)
    engine = getattr(module, "Engine", None)
    return None if engine is None else lambda: Spoken(engine().answer)


def connections() -> list[tuple[str, Callable[[Stopwatch], Connection]]]:
    """What is checked, by name."""
    reference = [sys.executable, "-m", "perpref.checker.reference_engine"]
    found: list[tuple[str, Callable[[Stopwatch], Connection]]] = [
        ("reference, in process", lambda watch: InProcess(ReferenceEngine, watch)),
        ("reference, over a pipe", lambda watch: Pipe(reference, 60, watch)),
    ]
    if not EXAMPLE.exists():
        print("(There is no examples/engines/exchange.py yet; the reference stands in for it.)")
        return found
    build = example_in_process()
    if build is None:
        print("(The example engine has no class Engine, so it is only asked over a pipe.)")
    else:
        within = build
        found.append(("example, in process", lambda watch: InProcess(within, watch)))
    found.append(
        ("example, over a pipe", lambda watch: Pipe([sys.executable, str(EXAMPLE)], 60, watch))
    )
    return found


def report() -> bool:
    """Print commands per second and the shares of time; whether every check went well."""
    print(f"The checker, {EXAMPLES} examples from seed {SEED}")
    print(
        f"{'engine':<24} {'commands':>8} {'per s':>8} {'reference':>10} {'harness':>8} "
        f"{'engine':>8} {'to first':>8}"
    )
    first, well = 0.0, True
    for name, connect in connections():
        watch = Stopwatch()
        connection = connect(watch)
        checked = check(connection, TERMS, SEED, Budget(EXAMPLES), watch)
        connection.kill()
        if checked.fault is not None or checked.found is not None:
            print(f"{name:<24} does not conform: run `perpref check` on it first")
            well = False
            continue
        total = sum(checked.seconds.values())
        rate = checked.commands / total
        first = first or rate
        shares = [
            checked.seconds[part] / total for part in (Part.REFERENCE, Part.HARNESS, Part.ENGINE)
        ]
        shown = " ".join(
            f"{share:>{width}.0%}" for share, width in zip(shares, (10, 8, 8), strict=True)
        )
        print(f"{name:<24} {checked.commands:>8,} {rate:>8,.0f} {shown} {rate / first:>7.2f}x")
    return well
