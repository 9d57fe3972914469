"""What counts as agreement, result by result and mode by mode; and which rule is blamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from attrs import evolve

from perpref import machine
from perpref.checker.compare import Judge
from perpref.checker.engine import Failure, InProcess
from perpref.checker.finding import Case, Finding, Kind
from perpref.checker.reference_engine import Manners, ReferenceEngine
from perpref.checker.wire import (
    Choice,
    ChosenCounterparty,
    ChosenPrice,
    Comparison,
    Done,
    Errored,
    Observable,
    Refusals,
    RefusedBy,
    Result,
    Skipped,
    Terms,
    Unknown,
    View,
)
from perpref.machine import Deposit, SetMark, Withdraw
from perpref.scheduler import ByRulebook
from perpref.state import Chooser, Exchange, Order
from perpref.units import AccountId, MarketId
from tests.checker.engines import ANN, BOB, CRASH, GOLD, RULES, TERMS, TRADE, buy, mannered, sell

CAROL = AccountId(4)


class Twisted(ReferenceEngine):
    """The reference, with a say in what it answers and whether it acts."""

    def __init__(
        self,
        answer: Callable[[machine.Command, Result], Result],
        acts: bool = True,
        compare: Comparison | None = None,
    ) -> None:
        super().__init__(Manners(compare=compare or Comparison()))
        self._answer = answer
        self._acts = acts

    def apply(self, commands: Sequence[machine.Command]) -> list[Result]:
        return [self._twist(command) for command in commands]

    def _twist(self, command: machine.Command) -> Result:
        before = self._exchange
        [result] = super().apply([command])
        answer = self._answer(command, result)
        if answer is not result and not self._acts:
            self._exchange = before
        return answer


def examine(engine: Callable[[], ReferenceEngine], *commands: machine.Command) -> Finding | None:
    connection = InProcess(engine)
    compare = connection.hello().compare
    return Judge(compare).examine(connection, Case(TERMS, commands))


def second(said: Result) -> Callable[[machine.Command, Result], Result]:
    """An answer to the deposit of 2, whatever became of it."""
    return lambda command, result: said if command == Deposit(ANN, 2) else result


DEPOSITS = (Deposit(ANN, 1), Deposit(ANN, 2), Deposit(ANN, 3))


# Results.


@pytest.mark.parametrize("acts", [True, False])
def test_an_unknown_outcome_may_have_acted_or_not(acts: bool) -> None:
    assert examine(lambda: Twisted(second(Unknown()), acts), *DEPOSITS) is None


def test_an_unknown_outcome_is_no_excuse_for_a_third_state() -> None:
    class Half(Twisted):
        def _twist(self, command: machine.Command) -> Result:
            if command == Deposit(ANN, 2):
                super()._twist(Deposit(ANN, 1))
                return Unknown()
            return super()._twist(command)

    found = examine(lambda: Half(second(Unknown())), *DEPOSITS)
    assert found is not None
    assert (found.kind, found.step) == (Kind.STATE, 1)


def test_what_cannot_be_seen_of_an_unknown_outcome_stays_open() -> None:
    """The pot is all that is shown, so a transfer may have happened or not, until it shows."""
    shows = Comparison(observe=(Observable.CUSTODY,))
    commands = (Deposit(ANN, 9), machine.Transfer(ANN, BOB, 9), Withdraw(ANN, 9))

    def answer(command: machine.Command, result: Result) -> Result:
        return Unknown() if isinstance(command, machine.Transfer) else result

    assert examine(lambda: Twisted(answer, True, shows), *commands) is None
    assert examine(lambda: Twisted(answer, False, shows), *commands) is None


def test_what_the_engine_skips_the_reference_skips_too() -> None:
    assert examine(lambda: Twisted(second(Skipped()), acts=False), *DEPOSITS) is None


def test_skipping_changes_nothing() -> None:
    found = examine(lambda: Twisted(second(Skipped())), *DEPOSITS)
    assert found is not None
    assert (found.kind, found.step) == (Kind.STATE, 1)
    assert "skips" in found.what


def test_an_error_is_a_finding() -> None:
    found = examine(lambda: Twisted(second(Errored("overflow")), acts=False), *DEPOSITS)
    assert found is not None
    assert (found.kind, found.rule) == (Kind.ERRORED, "")
    assert "overflow" in found.what


def test_an_exception_in_process_is_a_finding() -> None:
    def answer(command: machine.Command, result: Result) -> Result:
        raise ZeroDivisionError

    found = examine(lambda: Twisted(answer), *DEPOSITS)
    assert found is not None
    assert found.failure == Failure.CRASH.value
    assert "ZeroDivisionError" in found.stderr


def test_a_refusal_that_changes_the_state_is_found() -> None:
    class Leaky(ReferenceEngine):
        def apply(self, commands: Sequence[machine.Command]) -> list[Result]:
            results = super().apply(commands)
            if any(isinstance(result, RefusedBy) for result in results):
                super().apply([Deposit(ANN, 1)])
            return results

    found = examine(Leaky, Deposit(ANN, 5), Withdraw(ANN, 6))
    assert found is not None
    assert (found.kind, found.rule, found.step) == (Kind.CHANGED, "LED-6", 1)
    assert found.gains == {ANN: 1}


# Comparison modes.


def refusing(
    code: str, phase: str, mode: Refusals, rule: str = ""
) -> Callable[[], ReferenceEngine]:
    """The reference, but every refusal is this one."""

    def answer(_: machine.Command, result: Result) -> Result:
        return RefusedBy(code, phase, rule) if isinstance(result, RefusedBy) else result

    return lambda: Twisted(answer, compare=Comparison(refusals=mode))


@pytest.mark.parametrize(
    ("code", "phase", "rule", "mode", "agree"),
    [
        ("not_withdrawable", "margin", "LED-6", Refusals.EXACT, True),
        ("not_withdrawable", "", "", Refusals.EXACT, True),
        ("not_withdrawable", "margin", "LED-7", Refusals.EXACT, False),
        ("too_much", "margin", "", Refusals.EXACT, False),
        ("too_much", "margin", "", Refusals.CLASS, True),
        ("not_withdrawable", "validate", "", Refusals.CLASS, False),
        ("no", "", "", Refusals.IGNORED, True),
    ],
)
def test_refusals_agree(code: str, phase: str, rule: str, mode: Refusals, agree: bool) -> None:
    found = examine(refusing(code, phase, mode, rule), Deposit(ANN, 5), Withdraw(ANN, 6))
    assert (found is None) == agree
    if found is not None:
        assert (found.kind, found.rule) == (Kind.REFUSAL, "LED-6")


def test_ignored_refusals_are_counted_and_not_called_agreement() -> None:
    connection = InProcess(refusing("no", "", Refusals.IGNORED))
    judge = Judge(connection.hello().compare)
    judge.examine(connection, Case(TERMS, (Deposit(ANN, 5), Withdraw(ANN, 6))))
    assert judge.tally.counts["both refused, reasons not compared"] == 1


def test_a_refusal_of_what_is_allowed_is_blamed_on_its_rule() -> None:
    said = RefusedBy("not_withdrawable", "margin", "LED-6")
    found = examine(lambda: Twisted(second(said), acts=False), *DEPOSITS)
    assert found is not None
    assert (found.kind, found.rule) == (Kind.REFUSAL, "LED-6")


@pytest.mark.parametrize(("within", "agree"), [(0, False), (1, False), (2, True)])
def test_amounts_may_differ_within_what_was_declared(within: int, agree: bool) -> None:
    class Off(ReferenceEngine):
        def observe(self) -> View:
            seen = super().observe()
            holder = seen.accounts.get(ANN)
            if holder is None:
                return seen
            moved = evolve(holder, collateral=holder.collateral + 2)
            return evolve(seen, accounts={**seen.accounts, ANN: moved})

    compare = Comparison(within=within)
    found = examine(lambda: Off(Manners(compare=compare)), *DEPOSITS)
    assert (found is None) == agree


def test_what_an_engine_does_not_show_is_not_compared() -> None:
    class Blind(ReferenceEngine):
        def observe(self) -> View:
            return View(0, {}, {})

    nothing = Comparison(observe=())
    assert examine(lambda: Blind(Manners(compare=nothing)), *TRADE) is None
    assert examine(Blind, *TRADE) is not None


def test_a_state_that_breaks_a_law_is_said_to() -> None:
    class Minting(ReferenceEngine):
        def observe(self) -> View:
            seen = super().observe()
            return evolve(seen, custody=seen.custody + 1)

    found = examine(Minting, Deposit(ANN, 5))
    assert found is not None
    assert "the pot holds 6, the claims on it add up to 5" in found.laws[0]


def test_sizes_that_do_not_balance_break_a_law() -> None:
    class Lopsided(ReferenceEngine):
        def observe(self) -> View:
            seen = super().observe()
            kept = {a: h for a, h in seen.accounts.items() if a != BOB}
            return evolve(seen, accounts=kept)

    found = examine(Lopsided, *TRADE[:1], *TRADE[1:])
    assert found is not None
    found = examine(Lopsided, TRADE[0], sell(1, ANN, 5, 1_000))
    assert found is None


# Choices.

OPEN = Terms(evolve(RULES, counterparty=Chooser.ENGINE, price=Chooser.ENGINE), TERMS.markets)
BOTH = (Choice.COUNTERPARTY, Choice.PRICE)
CROWD: tuple[machine.Command, ...] = (
    *(Deposit(account, 9_000) for account in (ANN, BOB, CAROL)),
    sell(1, ANN, 2, 1_000),
    sell(2, CAROL, 3, 1_000),
    buy(3, BOB, 5, 1_010),
    Withdraw(BOB, 8_000),
    SetMark(GOLD, 700),
)
"""Bob is liquidated against Ann and Carol."""


class Backwards(ByRulebook):
    """The last in the queue first, and the taker's price."""

    def counterparties(
        self, exchange: Exchange, account: AccountId, market: MarketId
    ) -> Iterator[AccountId]:
        return reversed([*super().counterparties(exchange, account, market)])

    def price(self, taker: Order, maker: Order) -> int:
        return taker.price


class Beyond(ByRulebook):
    """A price beyond the taker's limit."""

    def price(self, taker: Order, maker: Order) -> int:
        return taker.price + taker.side.value


def choosing(connection: InProcess) -> Finding | None:
    return Judge(connection.hello().compare).examine(connection, Case(OPEN, CROWD))


def test_legal_choices_are_accepted_whatever_they_are() -> None:
    assert choosing(mannered(chooses=BOTH, choices=Backwards())) is None
    assert choosing(mannered(chooses=BOTH)) is None


def test_a_price_beyond_a_limit_is_judged_by_the_guard() -> None:
    class Sloppy(ReferenceEngine):
        def _take(self, command: machine.Command) -> Result:
            result = super()._take(command)
            if not isinstance(result, Done):
                return result
            prices = [
                evolve(made, price=1_011) if isinstance(made, ChosenPrice) else made
                for made in result.choices
            ]
            return evolve(result, choices=tuple(prices))

    found = choosing(InProcess(lambda: Sloppy(Manners(chooses=BOTH))))
    assert found is not None
    assert found.rule == "BOOK-3"
    assert "beyond the limit" in found.because


def test_both_sides_refuse_an_illegal_price() -> None:
    """The engine's own guard refuses; there is no choice to judge the refusal by."""
    connection = mannered(chooses=BOTH, choices=Beyond())
    judge = Judge(connection.hello().compare)
    assert judge.examine(connection, Case(OPEN, CROWD[:6])) is None
    assert judge.tally.counts["not judged: no choice to go by"] == 1


def changed(choices: Callable[[Done], tuple[ChosenCounterparty, ...]]) -> InProcess:
    class Changed(ReferenceEngine):
        def _take(self, command: machine.Command) -> Result:
            result = super()._take(command)
            if isinstance(result, Done) and isinstance(command, SetMark):
                return evolve(result, choices=choices(result))
            return result

    return InProcess(lambda: Changed(Manners(chooses=BOTH)))


@pytest.mark.parametrize(
    ("reported", "rule", "says"),
    [
        ((), "ADL-2", "did not report"),
        (((BOB, CAROL),), "ADL-2", "did not report"),
        (((BOB, BOB), (BOB, ANN)), "ADL-1", "on no other side"),
        (((BOB, AccountId(77)),), "ADL-1", "no such account"),
        (((BOB, AccountId(1)),), "ADL-1", "on no other side"),
        (((BOB, ANN), (BOB, ANN)), "ADL-5", "twice at one stage"),
        (((BOB, CAROL), (BOB, ANN), (BOB, ANN)), "ADL-1", "nothing was to be closed"),
    ],
)
def test_illegal_choices_are_blamed_on_the_guard(
    reported: tuple[tuple[AccountId, AccountId], ...], rule: str, says: str
) -> None:
    pairs = tuple(ChosenCounterparty(one, GOLD, other) for one, other in reported)
    found = choosing(changed(lambda _: pairs))
    assert found is not None
    assert (found.kind, found.rule, found.step) == (Kind.CHOICE, rule, len(CROWD) - 1)
    assert says in found.what


def test_a_choice_that_the_rulebook_makes_is_not_the_engines() -> None:
    connection = changed(lambda _: (ChosenCounterparty(BOB, GOLD, ANN),))
    found = Judge(Comparison()).examine(connection, Case(TERMS, CRASH))
    assert found is not None
    assert "leaves none" in found.what
