"""An engine that does not keep the protocol is a finding, and never a traceback."""

from __future__ import annotations

import sys
import time

import pytest

from perpref.checker.compare import Judge
from perpref.checker.engine import CannotStart, EngineFailure, Failure
from perpref.checker.finding import Case, Finding, Kind
from perpref.checker.pipe import Pipe, argv_of
from perpref.checker.wire import Comparison, Done, RefusedBy
from perpref.machine import Deposit, Withdraw
from tests.checker.engines import ANN, REFERENCE, TERMS, TRADE, misbehaving


def examined(pipe: Pipe) -> Finding | None:
    try:
        return Judge(Comparison()).examine(pipe, Case(TERMS, TRADE))
    finally:
        pipe.kill()


def test_a_well_mannered_engine_has_no_finding_and_exits() -> None:
    pipe = Pipe(REFERENCE)
    assert Judge(Comparison()).examine(pipe, Case(TERMS, TRADE)) is None
    pipe.close()


def test_a_batch_of_commands_has_a_result_for_each() -> None:
    pipe = Pipe(REFERENCE)
    pipe.begin(TERMS)
    results = pipe.apply([Deposit(ANN, 5), Withdraw(ANN, 6), Withdraw(ANN, 5)])
    assert [type(result) for result in results] == [Done, RefusedBy, Done]
    assert pipe.observe().custody == 0
    pipe.close()


def test_a_state_can_be_loaded() -> None:
    pipe = Pipe(REFERENCE)
    pipe.begin(TERMS)
    pipe.apply([Deposit(ANN, 5)])
    seen = pipe.observe()
    pipe.reset()
    assert pipe.load(seen) is None
    assert pipe.observe() == seen
    pipe.close()


@pytest.mark.parametrize(
    ("manner", "failure", "says"),
    [
        ("crash", Failure.CRASH, "status 1"),
        ("killed", Failure.CRASH, "signal 6"),
        ("garbage", Failure.GARBAGE, "not JSON: Traceback"),
        ("list", Failure.GARBAGE, "not a JSON object"),
        ("order", Failure.ORDER, "says seq"),
        ("no seq", Failure.UNREADABLE, "no seq"),
        ("count", Failure.COUNT, "2 results for 1 commands"),
        ("field", Failure.UNREADABLE, "evens"),
        ("number", Failure.UNREADABLE, "decimal string, not 5000"),
        ("float", Failure.UNREADABLE, '"5000.0" is not an integer'),
    ],
)
def test_bad_manners_are_a_finding(manner: str, failure: Failure, says: str) -> None:
    found = examined(misbehaving(manner, after=6))
    assert found is not None
    assert (found.kind, found.failure) == (Kind.FAILURE, failure.value)
    assert says in found.what
    assert found.step in (1, 2)


@pytest.mark.parametrize(
    ("manner", "failure"),
    [
        ("version", Failure.VERSION),
        ("number version", Failure.UNREADABLE),
        ("not ok", Failure.REFUSED),
        ("crash", Failure.CRASH),
    ],
)
def test_bad_manners_from_the_start(manner: str, failure: Failure) -> None:
    found = examined(misbehaving(manner))
    assert found is not None
    assert found.failure == failure.value
    assert found.step == 0


def test_an_engine_that_hangs_is_given_up_in_time() -> None:
    since = time.monotonic()
    found = examined(misbehaving("hang", after=6, timeout=0.5))
    assert found is not None
    assert found.failure == Failure.HANG.value
    assert "0.5 seconds" in found.what
    assert time.monotonic() - since < 5


def test_a_closed_output_is_told_from_an_exit() -> None:
    found = examined(misbehaving("close", after=6))
    assert found is not None
    assert found.failure == Failure.CLOSED.value


def test_the_last_words_are_kept() -> None:
    found = examined(misbehaving("crash", after=6))
    assert found is not None
    assert "lost its mind" in found.stderr


@pytest.mark.parametrize(("manner", "failure"), [("bad exit", "crash"), ("no exit", "hang")])
def test_after_stop_an_engine_exits_with_status_0(manner: str, failure: str) -> None:
    pipe = misbehaving(manner, timeout=1.0)
    pipe.begin(TERMS)
    with pytest.raises(EngineFailure) as raised:
        pipe.close()
    assert raised.value.kind.value == failure


def test_large_replies_and_much_on_standard_error_block_nobody() -> None:
    pipe = misbehaving("chatty")
    judge = Judge(Comparison())
    assert judge.examine(pipe, Case(TERMS, TRADE * 20)) is None
    pipe.kill()


def test_a_new_process_serves_after_a_failure() -> None:
    pipe = misbehaving("crash", after=6)
    assert Judge(Comparison()).examine(pipe, Case(TERMS, TRADE)) is not None
    assert Judge(Comparison()).examine(pipe, Case(TERMS, TRADE[:1])) is None
    pipe.kill()


def test_what_an_engine_started_ends_with_it() -> None:
    child = "import subprocess, sys; subprocess.run(['sleep', '60'])"
    pipe = Pipe([sys.executable, "-c", child], timeout=0.3)
    since = time.monotonic()
    with pytest.raises(EngineFailure):
        pipe.hello()
    assert time.monotonic() - since < 5


@pytest.mark.parametrize("command", ["", "  ", "unclosed 'quote"])
def test_a_command_that_cannot_be_read_is_a_misuse(command: str) -> None:
    with pytest.raises(CannotStart):
        argv_of(command)


@pytest.mark.parametrize("argv", [["/no/such/engine"], [__file__]])
def test_a_command_that_cannot_be_started_is_a_misuse(argv: list[str]) -> None:
    with pytest.raises(CannotStart, match="cannot be started"):
        Pipe(argv).hello()
