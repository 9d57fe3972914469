"""The prover: what it calls held, what it does not, and the ledger that it prints."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import evolve
from click.testing import CliRunner

from perpref.cli_prove import prove as prove_command
from perpref.outcome import Outcome
from perpref.rule_registry import Refusal, functions
from perpref.rules import adl, ledger, margin
from perpref.rules.ledger import EMPTY
from perpref.rules.liquidation import bankruptcy_price
from perpref.rules.margin import equity
from perpref.rules.vault import transfer_position
from perpref.state import VAULT, BankruptcyPrice, Exchange
from perpref.units import AccountId, MarketId
from proofs import contracts
from proofs.contracts import CONTRACTS, Contract, assuming, exactly
from proofs.executor import (
    Status,
    all_of,
    assume,
    claim,
    concretise,
    counterexample,
    explore,
    fresh_bool,
    fresh_int,
    obligations,
    prove,
    replay,
    witness,
)
from proofs.executor.replay import NotReplayedError
from proofs.laws import CONSERVATION, QUIET, Step, take
from proofs.prover import Row, prove_all, prove_group
from proofs.registry import CHAPTERS, Strength, Theorem, theorems
from proofs.world import any_exchange, worlds

ROOT = Path(__file__).resolve().parents[2]


def stated(
    program: object, strength: Strength = Strength.THEOREM, assumes: tuple[str, ...] = ()
) -> Theorem:
    return Theorem("T-X", "x", "x", "units", "x", (), strength, program, assumes=assumes)  # type: ignore[arg-type]


def only(program: object, strength: Strength = Strength.THEOREM) -> Row:
    (row,) = prove_group([stated(program, strength)])
    return row


def test_a_true_claim_is_held_and_its_path_replayed() -> None:
    def program() -> None:
        number = fresh_int("number")
        assume(number > 3)
        claim("positive", number > 0)

    row = only(program)
    assert (row.problem, row.obligations, row.z3, row.cvc5, row.replayed) == ("", 1, 1, 1, 1)


def test_a_false_claim_is_a_problem_with_a_counterexample() -> None:
    row = only(lambda: claim("positive", fresh_int("number") > -2))
    assert row.problem == "refuted: positive"
    assert row.witness.startswith("number = -")


def test_a_program_that_claims_nothing_is_a_problem() -> None:
    assert only(lambda: None).problem == "nothing is claimed on any path"


def test_a_refutation_that_has_become_true_is_a_problem() -> None:
    row = only(lambda: claim("equal", fresh_int("n") * 0 == 0), Strength.REFUTED)
    assert row.problem == "there is no counterexample that the real code confirms"


UNGUARDED = "an_unguarded_deleveraging_never_bankrupts_the_counterparty"


def test_a_known_refutation_is_confirmed_by_the_real_code() -> None:
    rows = {row.name: row for row in prove_all(lambda one: one.strength is Strength.REFUTED)}
    literal = "by_mark_to_entry_read_literally_the_short_with_more_profit_comes_first"
    half = "half_a_position_stands_where_the_whole_one_stood"
    assert {literal, half, UNGUARDED} < set(rows)
    assert all(row.problem == "" and row.witness for row in rows.values())
    assert "second.cost" in rows[literal].witness
    assert "half.size" in rows[half].witness
    assert "counterparty" in rows[UNGUARDED].witness


def test_the_guard_refuses_what_ruins_the_counterparty_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The counterexample on the real code: without ADL-4 it bankrupts, with it it is refused."""
    # One choice of each kind: the textbook's, but for the limit on the book, which is not asked.
    monkeypatch.setattr("proofs.world.any_choice", lambda name, example: example)
    monkeypatch.setattr(
        "proofs.world.fresh_bool",
        lambda name: not name.endswith("due_at_maintenance") and fresh_bool(name),
    )
    theorem = next(one for one in theorems() if one.name == UNGUARDED)

    def program() -> Exchange:
        assert theorem.program is not None
        with suppress(Refusal):
            theorem.program()
        return worlds()[0]

    refuted = next(
        verdict
        for verdict in prove(obligations(explore(program)), second_opinion=False)
        if verdict.status is Status.REFUTED
    )
    model = counterexample(refuted.obligation)
    assert model is not None
    assert model.closed
    exchange = concretise(refuted.obligation.path.result, model)
    account, counterparty, market, lots = (
        int(model[name]) for name in ("account", "counterparty", "market", "lots")
    )
    price = bankruptcy_price(exchange, AccountId(account), MarketId(market))
    assert equity(exchange, AccountId(counterparty)) >= 0
    closed = transfer_position(
        exchange, AccountId(account), AccountId(counterparty), MarketId(market), lots, price, "X"
    )
    assert equity(closed.exchange, AccountId(counterparty)) < 0
    if VAULT not in exchange.accounts:  # ADL-4 does not ask the vault, LOSS-11 does
        exchange = evolve(exchange, accounts=exchange.accounts.put(VAULT, EMPTY))
    exchange = evolve(exchange, fund_drawn_down=True)
    with pytest.raises(Refusal) as refused:
        adl.deleverage(
            exchange, AccountId(account), AccountId(counterparty), MarketId(market), lots
        )
    assert refused.value.code is adl.CANNOT_BEAR


def test_a_contract_claims_what_it_needs() -> None:
    def program() -> None:
        with assuming("equity_behind"):
            from perpref.rules import liquidation_equity

            numbers = (fresh_int(name) for name in ("e", "w", "weights", "profit", "cost", "rate"))
            liquidation_equity.equity_behind(BankruptcyPrice.EQUITY_SHARE, *numbers)

    row = only(program)
    assert row.problem == "refuted: equity_behind is given what it needs"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_contract_allows_what_the_shipped_function_gives(contract: Contract) -> None:
    """Some integers make the shipped function give what the contract gave: it is not empty."""
    from tests.proofs.contract_arguments import arguments

    def program() -> contracts.Call:
        args = arguments(contract.name)
        assume(contract.needs(*args))
        contract(*args)
        return contracts.calls()[-1]

    for path in explore(program):
        assert path.result is not None
        assert witness(path, exactly(path.result), small=False) is not None


def test_a_replay_uses_plain_integers_and_notices_what_does_not_fit() -> None:
    def program() -> int:
        number = fresh_int("number")
        assume(number > 10)
        claim("large", number > 11)
        return number

    (path,) = explore(program)
    model = witness(path)
    assert model is not None
    again = replay(program, evolve(model, values={"number": 11}))
    assert (again.result, type(again.result), again.claims) == (11, int, (("large", False),))
    with pytest.raises(NotReplayedError):
        replay(program, evolve(model, values={"number": 3}))


def test_a_witness_that_ends_elsewhere_is_a_problem() -> None:
    """When the real code does other than the explored code did, the replay says so."""
    from proofs.ledger import any_account

    def forgetful(*args: object) -> object:
        if isinstance(args[3], int):
            return Outcome(args[0])  # type: ignore[arg-type]
        return ledger.pay(*args)  # type: ignore[arg-type]

    def program() -> Step:
        exchange, amount = any_exchange(), fresh_int("amount")
        assume(amount > 0)
        payer, payee = any_account("payer"), any_account("payee")
        assume(payer != payee)
        after = take(forgetful, exchange, payer, payee, amount, "X")  # type: ignore[arg-type]
        return Step(exchange, after, (payer, payee))

    law = next(one for one in theorems() if one.name == "value_is_neither_created_nor_destroyed")
    (row,) = prove_group([evolve(stated(program), law=law.law)])
    assert row.problem.startswith("a witness took another path")


def test_every_chapter_has_theorems_and_every_action_every_law_that_it_should_keep() -> None:
    found = theorems()
    assert {one.chapter for one in found} == set(CHAPTERS)
    by_subject: dict[tuple[str, str], set[str]] = {}
    for one in found:
        if one.law is not None:
            by_subject.setdefault((one.chapter, one.subject), set()).add(one.property)
    assert len(by_subject) >= 20
    for kept in by_subject.values():
        assert kept >= set(CONSERVATION)
    for subject in ("deposit", "withdraw", "transfer"):
        assert by_subject["ledger", subject] >= set(QUIET)
    unsolvent = {subject for subject, kept in by_subject.items() if "T-SOLV" not in kept}
    assert unsolvent == {
        ("ledger", "move_cash"),
        ("ledger", "pay"),
        ("ledger", "fill"),
        ("mark", "set_mark"),
        ("fee", "charge_maker"),
        ("fee", "charge_taker"),
        ("funding", "settle_funding"),
        ("funding", "pay_receiver"),
        ("funding", "touch"),
        ("settlement", "resume"),  # it moves the mark
        ("loss", "carry"),  # the vault owes what it carries
    }


def test_names_of_theorems_are_sentences_with_a_docstring() -> None:
    for one in theorems():
        assert one.name.count("_") >= 2
        assert one.statement.endswith(".") or one.statement.endswith("n).")


def test_the_ledger_is_written_as_json_and_the_exit_code_is_0(tmp_path: Path) -> None:
    file = tmp_path / "ledger.json"
    result = CliRunner().invoke(
        prove_command, ["--chapter", "mark", "--workers", "1", "--json", str(file)]
    )
    assert result.exit_code == 0, result.output
    written = json.loads(file.read_text(encoding="utf-8"))
    rows = written["properties"]
    assert {row["chapter"] for row in rows} == {"mark"}
    assert all(row["z3"] == row["obligations"] > 0 for row in rows)
    assert "held as stated" in result.output


def test_an_unproved_property_makes_the_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(margin, "position_value", lambda position, market: 0)
    monkeypatch.setattr(
        "proofs.margin.position_value", lambda position, market: position.size + market.mark
    )
    result = CliRunner().invoke(
        prove_command, ["--chapter", "margin", "--workers", "1", "--no-replay"]
    )
    assert result.exit_code == 1
    assert "NOT Theorem" in result.output
    assert "the_value_of_a_position_is_size_times_mark_less_cost" in result.output


def test_an_unknown_chapter_is_misuse() -> None:
    result = CliRunner().invoke(prove_command, ["--chapter", "nothing"])
    assert result.exit_code == 2
    assert "'nothing' is none of units" in result.output


def test_all_of_nothing_is_true_and_any_of_nothing_is_false() -> None:
    from proofs.executor import any_of

    def program() -> None:
        claim("all", all_of())
        claim("not any", not any_of())

    assert only(program).problem == ""


def test_what_is_said_to_be_tested_names_a_test_that_exists() -> None:
    said = [one for one in theorems() if one.strength is Strength.TESTED]
    assert len(said) >= 8
    for one in said:
        file, _, name = one.where.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), one.where


def test_every_rule_that_a_function_carries_is_held_by_some_property() -> None:
    held = {rule for one in theorems() for rule in one.rules}
    assert set(functions()) - held <= {"LED-4", "UNIT-2"}
