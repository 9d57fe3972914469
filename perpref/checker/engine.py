"""What the checker asks of an engine, and how an engine can fail to answer.

An engine in Python implements `Engine` and is driven by `InProcess`; any other program is driven
by `perpref.checker.pipe`. Both look the same to the checker: a `Connection`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Protocol, TypeVar

from perpref.checker.stopwatch import Part, Stopwatch
from perpref.checker.wire import VERSION, Hello, Result, Terms, Unreadable, View
from perpref.machine import Command

T = TypeVar("T")


class Engine(Protocol):
    """An engine, one method per request of the protocol (`spec/protocol.md`)."""

    def start(self) -> Hello:
        """Say who it is, what it can do, and how it is to be compared."""
        ...

    def rulebook(self, terms: Terms) -> str | None:
        """Work under these terms from the next reset on; or say why not."""
        ...

    def reset(self) -> None:
        """Forget everything but the terms."""
        ...

    def apply(self, commands: Sequence[Command]) -> list[Result]:
        """Carry out commands; one result for each."""
        ...

    def observe(self) -> View:
        """Show the state."""
        ...

    def load(self, state: View) -> str | None:
        """Make this the state; or say why not."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class Failure(Enum):
    """How an engine can fail to take part in the protocol at all."""

    HANG = "hang"
    CRASH = "crash"
    CLOSED = "closed pipe"
    GARBAGE = "garbage"
    VERSION = "wrong version"
    ORDER = "out of order"
    COUNT = "wrong number of results"
    UNREADABLE = "unreadable reply"
    REFUSED = "refused request"


class EngineFailure(Exception):
    """An engine did not answer as the protocol says. This is a finding about the engine."""

    def __init__(self, kind: Failure, detail: str, stderr: str = "") -> None:
        super().__init__(kind, detail, stderr)
        self.kind = kind
        self.detail = detail
        self.stderr = stderr

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}"


class CannotStart(Exception):
    """There is no such engine. This is a misuse of the checker, not a finding."""


Step = tuple[Result, View]
"""What an engine said of one command, and its state afterwards."""


class Connection(Protocol):
    """A running engine, as the checker drives it. Every method may raise EngineFailure."""

    def hello(self) -> Hello:
        """Start the engine unless it runs already; who it is."""
        ...

    def begin(self, terms: Terms) -> str | None:
        """Set the terms and reset; or say why the engine does not take these terms."""
        ...

    def steps(self, commands: Sequence[Command]) -> Iterator[Step]:
        """Carry out commands one by one, observing after each."""
        ...

    def engine(self) -> Engine:
        """The engine itself, request by request."""
        ...

    def close(self) -> None:
        """End the engine politely, if it runs. The next `hello` starts a fresh one."""
        ...

    def kill(self) -> None:
        """End the engine at once."""
        ...


def require_version(hello: Hello) -> Hello:
    """The hello, if it speaks our version. Raises EngineFailure otherwise."""
    if hello.version != VERSION:
        raise EngineFailure(
            Failure.VERSION, f"the engine speaks version {hello.version}, not {VERSION}"
        )
    return hello


class InProcess:
    """A connection to an engine written in Python; each start builds a fresh one."""

    def __init__(self, build: Callable[[], Engine], watch: Stopwatch | None = None) -> None:
        self._build = build
        self._watch = watch or Stopwatch()
        self._engine: Engine | None = None
        self._hello: Hello | None = None

    def hello(self) -> Hello:
        if self._hello is None:
            self._engine = self._build()
            self._hello = require_version(self._ask(self._engine.start))
        return self._hello

    def begin(self, terms: Terms) -> str | None:
        engine = self.engine()
        why = self._ask(engine.rulebook, terms)
        if why is None:
            self._ask(engine.reset)
        return why

    def steps(self, commands: Sequence[Command]) -> Iterator[Step]:
        engine = self.engine()
        for command in commands:
            results = self._ask(engine.apply, [command])
            if len(results) != 1:
                raise EngineFailure(Failure.COUNT, f"{len(results)} results for 1 command")
            yield results[0], self._ask(engine.observe)

    def engine(self) -> Engine:
        self.hello()
        assert self._engine is not None
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            engine, self._engine, self._hello = self._engine, None, None
            self._ask(engine.stop)

    def kill(self) -> None:
        self._engine = self._hello = None

    def _ask(self, method: Callable[..., T], *arguments: object) -> T:
        with self._watch.on(Part.ENGINE):
            try:
                return method(*arguments)
            except EngineFailure:
                raise
            except Unreadable as error:
                raise EngineFailure(Failure.UNREADABLE, str(error)) from error
            except Exception as error:  # whatever it is, it is a finding about the engine
                tail = "".join(traceback.format_exception(error)[-3:])
                raise EngineFailure(Failure.CRASH, f"it raised {error!r}", tail) from error
