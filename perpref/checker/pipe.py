"""An engine behind a pipe: a process that speaks the protocol on its standard streams."""

from __future__ import annotations

import atexit
import os
import selectors
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic

from perpref.checker import messages
from perpref.checker.engine import CannotStart, Engine, EngineFailure, Failure, Step
from perpref.checker.stopwatch import Part, Stopwatch
from perpref.checker.wire import Hello, Result, Terms, View
from perpref.machine import Command

CHUNK = 1 << 16
LONGEST_LINE = 1 << 26
"""A reply longer than this, in bytes, is taken for garbage."""

STDERR_LINES = 20
STDERR_BYTES = 8_192
"""How much of standard error is kept."""

GRACE = 1.0
"""How long a process may take to exit after it closed its output, in seconds."""


def argv_of(command: str) -> list[str]:
    """The words of a command line. Raises CannotStart when there are none, or a quote is open."""
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise CannotStart(f"the engine command {command!r} cannot be read: {error}") from error
    if not argv:
        raise CannotStart("the engine command is empty")
    return argv


class Pipe:
    """An `Engine` and a `Connection` to a process, which is started when first asked."""

    def __init__(
        self, argv: Sequence[str], timeout: float = 5.0, watch: Stopwatch | None = None
    ) -> None:
        self._argv = list(argv)
        self._timeout = timeout
        self._watch = watch or Stopwatch()
        self._process: _Process | None = None
        self._hello: Hello | None = None
        self._seq = 0

    # Engine.

    def start(self) -> Hello:
        with self._evidence():
            return messages.hello(self._one(messages.start()))

    def rulebook(self, terms: Terms) -> str | None:
        with self._evidence():
            return messages.ok(self._one(messages.rulebook(terms)), "rulebook")

    def reset(self) -> None:
        with self._evidence():
            messages.require_ok(self._one(messages.reset()), "reset")

    def apply(self, commands: Sequence[Command]) -> list[Result]:
        seq = self._next()
        with self._evidence():
            return messages.results(self._one(messages.apply(seq, commands)), seq, len(commands))

    def observe(self) -> View:
        seq = self._next()
        with self._evidence():
            return messages.state(self._one(messages.observe(seq)), seq)

    def load(self, state: View) -> str | None:
        seq = self._next()
        with self._evidence():
            return messages.ok(self._one(messages.load(seq, state)), "load", seq)

    def stop(self) -> None:
        with self._evidence():
            messages.require_ok(self._one(messages.stop()), "stop")
            self._running().expect_exit()
        self._process = self._hello = None

    # Connection.

    def hello(self) -> Hello:
        if self._hello is None:
            self._hello = self.start()
        return self._hello

    def begin(self, terms: Terms) -> str | None:
        self.hello()
        why = self.rulebook(terms)
        if why is None:
            self.reset()
        return why

    def steps(self, commands: Sequence[Command]) -> Iterator[Step]:
        """All requests go out before the first reply is read, so that nobody waits in between."""
        self.hello()
        first = self._seq + 1
        self._seq += 2 * len(commands)
        requests = b"".join(
            messages.apply(first + 2 * index, [command]) + messages.observe(first + 2 * index + 1)
            for index, command in enumerate(commands)
        )
        with self._evidence():
            replies = self._running().converse(requests, 2 * len(commands))
            for index in range(len(commands)):
                with self._watch.on(Part.ENGINE):
                    result_line = next(replies)
                [result] = messages.results(result_line, first + 2 * index, 1)
                with self._watch.on(Part.ENGINE):
                    state_line = next(replies)
                yield result, messages.state(state_line, first + 2 * index + 1)

    def engine(self) -> Engine:
        self.hello()
        return self

    def close(self) -> None:
        if self._process is not None:
            self.stop()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._process = self._hello = None

    # One request, one reply.

    def _one(self, request: bytes) -> bytes:
        with self._watch.on(Part.ENGINE):
            return next(self._running().converse(request, 1))

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _running(self) -> _Process:
        if self._process is None:
            self._process = _Process(self._argv, self._timeout)
        return self._process

    @contextmanager
    def _evidence(self) -> Iterator[None]:
        """Add what the engine said on standard error to a failure, and end the engine."""
        try:
            yield
        except EngineFailure as failure:
            tail = self._process.last_words() if self._process is not None else ""
            self.kill()
            raise EngineFailure(failure.kind, failure.detail, failure.stderr or tail) from failure


class _Process:
    """A child process in a process group of its own, and the bytes to and from it."""

    def __init__(self, argv: Sequence[str], timeout: float) -> None:
        self._timeout = timeout
        try:
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise CannotStart(f"the engine {argv[0]!r} cannot be started: {reason}") from error
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._in = self._child.stdin.fileno()
        self._out = self._child.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._read = bytearray()
        self._said = b""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        atexit.register(self.kill)

    def _listen(self) -> None:
        assert self._child.stderr is not None
        while chunk := os.read(self._child.stderr.fileno(), CHUNK):
            self._said = (self._said + chunk)[-STDERR_BYTES:]

    def converse(self, requests: bytes, replies: int) -> Iterator[bytes]:
        """Write all requests, and yield that many replies as they come.

        Reading and writing take turns, so that neither side blocks when a pipe is full.

        Raises:
            EngineFailure: a reply did not come in time, or the engine closed its output.
        """
        left = memoryview(requests)
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            selector.register(self._in, selectors.EVENT_WRITE)
            for _ in range(replies):
                deadline = monotonic() + self._timeout
                while (line := self._take_line()) is None:
                    ready = selector.select(max(deadline - monotonic(), 0))
                    if not ready:
                        raise EngineFailure(
                            Failure.HANG, f"no reply within {_seconds(self._timeout)}"
                        )
                    for key, _ in ready:
                        if key.fd == self._out:
                            self._receive()
                        else:
                            left = self._send(left)
                            if not left:
                                selector.unregister(self._in)
                yield line

    def _take_line(self) -> bytes | None:
        end = self._read.find(b"\n")
        if end < 0:
            if len(self._read) > LONGEST_LINE:
                raise EngineFailure(Failure.GARBAGE, "a line of output does not end")
            return None
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        return line

    def _receive(self) -> None:
        try:
            chunk = os.read(self._out, CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            raise self._ended()
        self._read += chunk

    def _send(self, left: memoryview) -> memoryview:
        try:
            return left[os.write(self._in, left[:CHUNK]) :]
        except BlockingIOError:
            return left
        except BrokenPipeError:
            return left[:0]  # what the engine still said before is worth reading

    def _ended(self) -> EngineFailure:
        try:
            status = self._child.wait(GRACE)
        except subprocess.TimeoutExpired:
            return EngineFailure(Failure.CLOSED, "the engine closed its output and still runs")
        return EngineFailure(Failure.CRASH, f"the engine {_how_it_ended(status)} before its reply")

    def expect_exit(self) -> None:
        """Wait for the engine to exit with status 0. Raises EngineFailure when it does not."""
        try:
            status = self._child.wait(self._timeout)
        except subprocess.TimeoutExpired as error:
            raise EngineFailure(
                Failure.HANG, f"still running {_seconds(self._timeout)} after stop"
            ) from error
        if status != 0:
            raise EngineFailure(Failure.CRASH, f"after stop the engine {_how_it_ended(status)}")
        self.kill()

    def last_words(self) -> str:
        """The last lines of standard error."""
        if self._child.poll() is not None:
            self._listener.join(GRACE)
        lines = self._said.decode(errors="replace").splitlines()
        return "\n".join(lines[-STDERR_LINES:])

    def kill(self) -> None:
        """End the process and all that it started."""
        atexit.unregister(self.kill)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._listener.join(GRACE)
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None and not (
                stream is self._child.stderr and self._listener.is_alive()
            ):
                with suppress(OSError):
                    stream.close()


def _how_it_ended(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"exited with status {status}"


def _seconds(count: float) -> str:
    return "1 second" if count == 1 else f"{count:g} seconds"
