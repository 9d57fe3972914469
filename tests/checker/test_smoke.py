"""A wrong adapter is told from a wrong engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from attrs import evolve

from perpref import machine
from perpref.checker.engine import InProcess
from perpref.checker.pipe import Pipe
from perpref.checker.reference_engine import Manners, ReferenceEngine
from perpref.checker.smoke import smoke_test
from perpref.checker.wire import Comparison, Done, Hello, Observable, Result, Terms, View
from perpref.machine import Deposit
from tests.checker.engines import ANN, REFERENCE, TERMS, misbehaving


def fault_of(engine: Callable[[], ReferenceEngine]) -> str:
    fault = smoke_test(InProcess(engine), TERMS)
    return "" if fault is None else fault.text()


def test_the_reference_passes_in_process_and_over_a_pipe() -> None:
    assert smoke_test(InProcess(ReferenceEngine), TERMS) is None
    pipe = Pipe(REFERENCE)
    assert smoke_test(pipe, TERMS) is None
    pipe.close()


@pytest.mark.parametrize(
    "commands", [("deposit",), ("deposit", "withdraw"), ("set_mark",), ("deposit", "place")]
)
def test_an_engine_that_can_do_little_passes(commands: tuple[str, ...]) -> None:
    assert fault_of(lambda: ReferenceEngine(Manners(commands=commands))) == ""


def test_an_engine_that_shows_little_passes() -> None:
    class Blind(ReferenceEngine):
        def observe(self) -> View:
            return View(0, {}, {})

    assert fault_of(lambda: Blind(Manners(compare=Comparison(observe=())))) == ""


class Forgetful(ReferenceEngine):
    """Does not forget: the second reset does nothing."""

    def reset(self) -> None:
        if self._exchange is None:
            super().reset()


class Refusing(ReferenceEngine):
    def rulebook(self, terms: Terms) -> str | None:
        return f"too many markets: {len(terms.markets)}"


class Leaky(ReferenceEngine):
    """Changes its state when it refuses."""

    def apply(self, commands: Sequence[machine.Command]) -> list[Result]:
        results = super().apply(commands)
        if not isinstance(results[0], Done):
            super().apply([Deposit(ANN, 1)])
        return results


class Generous(ReferenceEngine):
    """Refuses nothing."""

    def apply(self, commands: Sequence[machine.Command]) -> list[Result]:
        return [Done() for _ in super().apply(commands)]


class Short(ReferenceEngine):
    """One result per batch."""

    def apply(self, commands: Sequence[machine.Command]) -> list[Result]:
        return super().apply(commands)[:1]


class Unsigned(ReferenceEngine):
    """Shows shorts as longs."""

    def observe(self) -> View:
        seen = super().observe()
        accounts = {
            account: evolve(
                holder,
                positions={m: evolve(p, size=abs(p.size)) for m, p in holder.positions.items()},
            )
            for account, holder in seen.accounts.items()
        }
        return evolve(seen, accounts=accounts)


class Scaled(ReferenceEngine):
    """Shows cash in another unit."""

    def observe(self) -> View:
        seen = super().observe()
        return evolve(seen, custody=seen.custody * 100)


class Strange(ReferenceEngine):
    def start(self) -> Hello:
        return evolve(super().start(), commands=("deposit", "borrow"))


class Hidden(ReferenceEngine):
    """Shows no account that it says it shows."""

    def start(self) -> Hello:
        return evolve(super().start(), compare=Comparison(observe=(Observable.COLLATERAL,)))

    def observe(self) -> View:
        return View(0, {}, {})


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (Forgetful, "THE ADAPTER does not reset"),
        (Refusing, "THE ADAPTER does not take the rulebook: too many markets: 1"),
        (Leaky, "THE ADAPTER changes its state when it refuses"),
        (Generous, "THE ADAPTER answers 'done' when account 2, which has 250, withdraws more"),
        (Short, "THE ADAPTER gives 1 results for 2 commands"),
        (Unsigned, "THE ADAPTER shows a size of 2 for account 2"),
        (Scaled, "THE ADAPTER shows a custody of 25000"),
        (Strange, "THE ADAPTER declares the commands borrow"),
        (Hidden, "THE ADAPTER shows a collateral of 0 for account 2 after a deposit of 250"),
    ],
)
def test_the_adapter_is_blamed(engine: Callable[[], ReferenceEngine], says: str) -> None:
    assert fault_of(engine).startswith(says)


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        ("garbage", "THE ADAPTER writes something that is not a reply"),
        ("order", "THE ADAPTER answers out of order"),
        ("count", "THE ADAPTER gives a wrong number of results"),
        ("number", "THE ADAPTER writes a reply that is not as the protocol says"),
        ("version", "THE ADAPTER speaks another version of the protocol"),
        ("crash", "THE ADAPTER ends or fails instead of answering"),
        ("not ok", "THE ADAPTER refuses a request that every engine must answer"),
        ("forget", "THE ADAPTER does not reset"),
    ],
)
def test_bad_manners_are_the_adapters(manner: str, says: str) -> None:
    pipe = misbehaving(manner)
    fault = smoke_test(pipe, TERMS)
    pipe.kill()
    assert fault is not None
    assert fault.text().startswith(says)


def test_the_last_words_are_shown() -> None:
    pipe = misbehaving("crash", after=4)
    fault = smoke_test(pipe, TERMS)
    assert fault is not None
    assert "lost its mind" in fault.text()
    assert "a deposit" in fault.what
