"""A case is made smaller as long as it shows the same."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.checker.finding import Case, Finding, Kind
from perpref.checker.minimise import Minimiser, complexity, simpler_numbers
from perpref.checker.wire import MarketTerms, Terms
from perpref.machine import Command, Deposit, Place, SetMark, Withdraw
from perpref.state import Kind as OrderKind
from perpref.state import Side
from perpref.units import AccountId, MarketId, OrderId
from tests.checker.engines import ANN, BOB, GOLD, RULES, TERMS

OIL = MarketId(2)
ODD = Terms(
    evolve(RULES, maker_fee=33_333, vault_boundary=497),
    {GOLD: MarketTerms(77_777, 11_111, 3, 997), OIL: MarketTerms(1, 1, 1, 1)},
)


def smallest(case: Case, shows: Callable[[Case], int | None]) -> Case:
    """The smallest case on which `shows` says at which step it shows."""

    def examine(candidate: Case) -> Finding | None:
        step = shows(candidate)
        return None if step is None else Finding(Kind.STATE, "LED-5", "", step)

    found = examine(case)
    assert found is not None
    return Minimiser(examine, TERMS).minimise(case, found)[0]


def first(commands: tuple[Command, ...], wanted: Callable[[Command], bool]) -> int | None:
    hits = [at for at, command in enumerate(commands) if wanted(command)]
    return hits[0] if hits else None


def test_what_is_not_needed_goes_and_terms_become_plain() -> None:
    noise = tuple(Deposit(BOB, 7 * n + 1) for n in range(20))
    case = Case(ODD, (*noise, Withdraw(AccountId(9), 4_321), *noise))

    def shows(candidate: Case) -> int | None:
        return first(candidate.commands, lambda c: isinstance(c, Withdraw) and c.amount >= 1_000)

    assert smallest(case, shows) == Case(TERMS, (Withdraw(ANN, 1_000),))


def test_terms_that_matter_stay() -> None:
    case = Case(ODD, (Deposit(ANN, 5),))

    def shows(candidate: Case) -> int | None:
        return 0 if candidate.terms.rulebook.maker_fee == 33_333 and candidate.commands else None

    small = smallest(case, shows)
    assert small.terms == Terms(evolve(RULES, maker_fee=33_333), {GOLD: TERMS.markets[GOLD]})


def test_two_commands_that_need_each_other_go_together() -> None:
    pair = (Deposit(BOB, 5), Withdraw(BOB, 5))
    case = Case(TERMS, (*pair, SetMark(GOLD, 700)))

    def shows(candidate: Case) -> int | None:
        kinds = [type(command) for command in candidate.commands]
        if kinds.count(Deposit) != kinds.count(Withdraw):
            return None
        return first(candidate.commands, lambda c: isinstance(c, SetMark) and c.price < 800)

    assert [type(c) for c in smallest(case, shows).commands] == [SetMark]


def test_deposits_and_orders_merge() -> None:
    def order(number: int, lots: int) -> Place:
        return Place(OrderId(number), ANN, GOLD, Side.BUY, OrderKind.LIMIT, lots, 1_000)

    case = Case(TERMS, (Deposit(ANN, 30), order(4, 2), Deposit(ANN, 30), order(9, 3)))

    def shows(candidate: Case) -> int | None:
        cash = sum(c.amount for c in candidate.commands if isinstance(c, Deposit))
        lots = sum(c.lots for c in candidate.commands if isinstance(c, Place))
        return len(candidate.commands) - 1 if cash >= 60 and lots == 5 else None

    assert smallest(case, shows).commands == (Deposit(ANN, 100), evolve(order(1, 5), price=1))


def test_another_rule_to_blame_is_not_the_same() -> None:
    def examine(candidate: Case) -> Finding:
        rule = "LED-5" if len(candidate.commands) > 2 else "LED-7"
        return Finding(Kind.STATE, rule, "", len(candidate.commands) - 1)

    case = Case(TERMS, tuple(Deposit(ANN, n) for n in range(1, 9)))
    small, finding = Minimiser(examine, TERMS).minimise(case, examine(case))
    assert len(small.commands) == 3
    assert finding.rule == "LED-5"


def test_the_same_case_becomes_the_same_smaller_case() -> None:
    case = Case(ODD, tuple(Deposit(AccountId(2 + n % 5), 37 * n + 11) for n in range(30)))

    def shows(candidate: Case) -> int | None:
        total = sum(c.amount for c in candidate.commands if isinstance(c, Deposit))
        return len(candidate.commands) - 1 if total % 7 == 3 else None

    if shows(case) is None:
        case = Case(ODD, case.commands[:-1])
    assert smallest(case, shows) == smallest(case, shows)


def test_it_ends_in_time() -> None:
    asked = 0

    def examine(candidate: Case) -> Finding:
        nonlocal asked
        asked += 1
        return Finding(Kind.STATE, "LED-5", "", len(candidate.commands) - 1)

    case = Case(ODD, tuple(Deposit(ANN, n) for n in range(1, 400)))
    Minimiser(examine, TERMS, most=25).minimise(case, examine(case))
    assert asked <= 26


@given(st.integers(-(10**15), 10**15))
def test_simpler_numbers_are_simpler(number: int) -> None:
    simpler = list(simpler_numbers(number))
    assert all(complexity(other) < complexity(number) for other in simpler)
    assert simpler == sorted(simpler, key=complexity)
