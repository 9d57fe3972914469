"""A short fixed sequence that tells a wrong adapter from a wrong engine.

What fails here is reported as "the adapter …": nothing that a search could find would mean
anything until it is mended. Only what the protocol itself asks for is asked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import wrap

from attrs import frozen

from perpref import machine
from perpref.checker import words
from perpref.checker.engine import Connection, Engine, EngineFailure, Failure
from perpref.checker.wire import (
    COMMANDS,
    Done,
    Hello,
    Observable,
    RefusedBy,
    Result,
    Skipped,
    Terms,
    View,
)
from perpref.state import Kind, Side
from perpref.units import AccountId, MarketId, OrderId

WIDTH = 100

ALICE, BOB = AccountId(2), AccountId(3)


@frozen
class AdapterFault:
    """What the adapter does wrong, what was expected, and the engine's last words."""

    what: str
    expected: str
    stderr: str = ""

    def text(self) -> str:
        """The fault, ready to print."""
        said = f"THE ADAPTER {self.what}.", f"  Expected: {self.expected}."
        lines = [line for text in said for line in wrap(text, WIDTH, subsequent_indent="  ")]
        if self.stderr:
            lines.append("  Its last words on standard error:")
            lines.extend(f"  | {line}" for line in self.stderr.rstrip().splitlines())
        return "\n".join(lines)


class _Wrong(Exception):
    def __init__(self, what: str, expected: str) -> None:
        super().__init__(what, expected)
        self.what = what
        self.expected = expected


WHAT_FAILED = {
    Failure.HANG: "does not answer",
    Failure.CRASH: "ends or fails instead of answering",
    Failure.CLOSED: "closes its output",
    Failure.GARBAGE: "writes something that is not a reply",
    Failure.VERSION: "speaks another version of the protocol",
    Failure.ORDER: "answers out of order",
    Failure.COUNT: "gives a wrong number of results",
    Failure.UNREADABLE: "writes a reply that is not as the protocol says",
    Failure.REFUSED: "refuses a request that every engine must answer",
}


def smoke_test(connection: Connection, terms: Terms) -> AdapterFault | None:
    """What the adapter does wrong, if anything."""
    doing = "start"
    try:
        test = _Test(connection.hello(), connection.engine(), terms)
        for name, part in test.parts():
            doing = name
            part()
    except EngineFailure as failure:
        connection.kill()
        what = f"{WHAT_FAILED[failure.kind]}, when asked for {doing}"
        return AdapterFault(what, _expected(failure), failure.stderr)
    except _Wrong as wrong:
        connection.kill()
        return AdapterFault(wrong.what, wrong.expected)
    return None


def _expected(failure: EngineFailure) -> str:
    return f"a reply as spec/protocol.md says; but {failure.detail}"


class _Test:
    """The parts of the smoke test, in order."""

    def __init__(self, hello: Hello, engine: Engine, terms: Terms) -> None:
        self._hello = hello
        self._engine = engine
        self._terms = terms
        self._market = MarketId(min(terms.markets))

    def parts(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Each part with the name of what it asks for."""
        yield "a list of commands", self._commands
        yield "rulebook and reset", self._begin
        if self._can("deposit"):
            yield "a deposit", self._deposit
            if self._can("withdraw"):
                yield "a refusal", self._refusal
        if self._can("deposit", "place"):
            yield "a trade", self._trade
        yield "a reset", self._reset

    def _can(self, *commands: str) -> bool:
        return set(commands) <= set(self._hello.commands)

    def _commands(self) -> None:
        strangers = sorted(set(self._hello.commands) - set(COMMANDS))
        if strangers or not self._hello.commands:
            raise _Wrong(
                f"declares the commands {', '.join(strangers) or 'none at all'}",
                f"some of {', '.join(COMMANDS)}",
            )

    def _begin(self) -> None:
        why = self._engine.rulebook(self._terms)
        if why is not None:
            raise _Wrong(f"does not take the rulebook: {why}", "an engine that can work under it")
        self._engine.reset()
        seen = self._engine.observe()
        if any(holder.collateral or holder.positions for holder in seen.accounts.values()):
            raise _Wrong("shows an exchange that is not empty after reset", "no cash, no positions")

    def _deposit(self) -> None:
        self._carry_out(machine.Deposit(ALICE, 250))
        self._holds(self._engine.observe(), ALICE, 250, "after a deposit of 250")

    def _refusal(self) -> None:
        """In a batch of two, so that the number of results is tested as well."""
        before = self._engine.observe()
        results = self._apply(machine.Withdraw(ALICE, 251), machine.Withdraw(ALICE, 10**6))
        for result in results:
            if not isinstance(result, RefusedBy):
                raise _Wrong(
                    f"answers {words.result(result)!r} when account {ALICE}, which has 250, "
                    "withdraws more",
                    "refused",
                )
        if self._engine.observe() != before:
            raise _Wrong("changes its state when it refuses", "the state as it was before")

    def _trade(self) -> None:
        terms = self._terms.markets[self._market]
        price = terms.mark
        self._carry_out(
            machine.Deposit(ALICE, 10 * price),
            machine.Deposit(BOB, 10 * price),
            machine.Place(OrderId(1), ALICE, self._market, Side.SELL, Kind.LIMIT, 2, price),
            machine.Place(OrderId(2), BOB, self._market, Side.BUY, Kind.LIMIT, 2, price + 1),
        )
        if Observable.POSITIONS not in self._hello.compare.observe:
            return
        seen = self._engine.observe()
        for account, size in ((ALICE, -2), (BOB, 2)):
            holder = seen.accounts.get(account)
            position = holder.positions.get(self._market) if holder else None
            held = position.size if position else 0
            if held != size:
                raise _Wrong(
                    f"shows a size of {held} for account {account} after account {BOB} bought "
                    f"2 lots of market {self._market} from account {ALICE}",
                    f"a size of {size}: longs are positive, shorts negative",
                )

    def _reset(self) -> None:
        self._engine.reset()
        seen = self._engine.observe()
        if any(holder.collateral or holder.positions for holder in seen.accounts.values()):
            raise _Wrong(
                "does not reset: an account still holds something", "no cash, no positions"
            )
        if any(market.orders for market in seen.markets.values()) or seen.last_order:
            raise _Wrong("does not reset: orders are left", "no orders, identifiers free again")
        if self._can("deposit"):
            self._carry_out(machine.Deposit(ALICE, 7))
            self._holds(self._engine.observe(), ALICE, 7, "after a reset and a deposit of 7")

    def _carry_out(self, *commands: machine.Command) -> None:
        for command, result in zip(commands, self._apply(*commands), strict=True):
            if not isinstance(result, Done | Skipped):
                raise _Wrong(
                    f"answers {words.result(result)!r} to: {words.command(command)}", "done"
                )

    def _apply(self, *commands: machine.Command) -> list[Result]:
        results = self._engine.apply(commands)
        if len(results) != len(commands):
            raise _Wrong(
                f"gives {len(results)} results for {len(commands)} commands", "one for each"
            )
        return results

    def _holds(self, seen: View, account: AccountId, amount: int, when: str) -> None:
        shown = self._hello.compare.observe
        holder = seen.accounts.get(account)
        held = holder.collateral if holder else 0
        if Observable.COLLATERAL in shown and held != amount:
            raise _Wrong(f"shows a collateral of {held} for account {account} {when}", f"{amount}")
        if Observable.CUSTODY in shown and seen.custody != amount:
            raise _Wrong(f"shows a custody of {seen.custody} {when}", f"{amount}")
