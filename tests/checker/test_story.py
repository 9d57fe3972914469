"""What a finding reads like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import evolve

from perpref.checker import words
from perpref.checker.compare import Judge
from perpref.checker.engine import Connection
from perpref.checker.finding import Case, Finding
from perpref.checker.finding import Kind as FindingKind
from perpref.checker.report import printable
from perpref.checker.story import Story
from perpref.checker.titles import TITLES, page
from perpref.checker.wire import Comparison, Terms
from perpref.machine import (
    Cancel,
    Command,
    Deposit,
    Place,
    SetMark,
    SettleFunding,
    Transfer,
    Unwind,
    Withdraw,
)
from perpref.outcome import Outcome
from perpref.rules import ledger, liquidation
from perpref.state import TREASURY, VAULT, Exchange, Kind, Side
from perpref.units import AccountId, MarketId, OrderId
from tests.checker.engines import ANN, BOB, CRASH, GOLD, RULES, TERMS, faulty, misbehaving
from tests.checker.faults import FAULTS

PRICE = next(fault for fault in FAULTS if fault.rule == "LIQ-5")


def story(connection: Connection, case: Case, base: Terms = TERMS) -> str:
    finding = found(connection, case)
    again = "perpref check './engine' --seed 7"
    return Story(case, finding, base, Comparison(), 7, again).text()


def found(connection: Connection, case: Case) -> Finding:
    finding = Judge(Comparison()).examine(connection, case)
    assert finding is not None
    return finding


def test_a_story_has_the_commands_the_parting_the_rule_and_the_money() -> None:
    commands = (*CRASH[:4], Withdraw(BOB, 4_400), SetMark(GOLD, 881))
    text = story(faulty(PRICE.original, PRICE.instead), Case(TERMS, commands))
    assert text.splitlines()[0] == (
        "FINDING LIQ-5: The engine does something else than the rules say."
    )
    assert "   1  account 2 deposits 5000" in text
    assert "   3  account 2 places order 1: sell 5 of market 1 at 1000" in text
    assert ">  6  the mark of market 1 moves to 881   <- here they part" in text
    flat = re.sub(r"\s+", " ", text)
    assert "result done done" in flat
    assert "event 2 account 2 buys 5 of market 1 from account" in flat
    assert "LIQ-5, The bankruptcy price (spec/liquidation.md): The price at which closing a" in flat
    assert "at the reference's marks: account 2 gains 2, account 3 loses 2." in flat
    assert "Seed 7. Again: perpref check './engine' --seed 7" in text
    assert "Terms" not in text


def test_only_what_differs_is_shown() -> None:
    commands = (*CRASH[:4], Withdraw(BOB, 4_400), SetMark(GOLD, 881))
    text = story(faulty(PRICE.original, PRICE.instead), Case(TERMS, commands))
    assert "account 2: collateral" in text
    assert "account 3: collateral" in text
    assert "custody" not in text
    assert "account 1: collateral" not in text


def test_a_refusal_on_one_side_quotes_the_rule() -> None:
    fault = next(fault for fault in FAULTS if fault.rule == "LED-6")
    commands = (*CRASH[:4], SetMark(GOLD, 1_100), Withdraw(BOB, 4_800))
    text = story(faulty(fault.original, fault.instead), Case(TERMS, commands))
    assert text.startswith("FINDING LED-6: The engine does what the rules forbid.")
    assert "refused: not_withdrawable (margin, LED-6)" in re.sub(r"\s+", " ", text)
    assert "The rules say: 4800 cannot leave: initial margin leaves 4447 free" in text


def test_terms_are_told_where_they_differ() -> None:
    market = evolve(TERMS.markets[GOLD], vault_cap=3, mark=997)
    terms = Terms(evolve(RULES, maker_fee=33_333), {GOLD: market, MarketId(2): market})

    def always_one(x: Exchange, account: AccountId, _: int) -> Outcome:
        return ledger.move_cash(x, account, 1, "LED-5")

    text = story(faulty(ledger.deposit, always_one), Case(terms, (Deposit(ANN, 5),)))
    told = re.sub(r"\s+", " ", text)
    assert (
        "Terms, where they differ from plain: maker_fee 33333, vault_cap 3 in market 1, mark 997 "
        "in market 1, vault_cap 3 in market 2, mark 997 in market 2, market 2 besides."
    ) in told


def test_a_broken_law_is_said_first_hand() -> None:
    def minting(x: Exchange, account: AccountId, amount: int) -> Outcome:
        outcome = ledger.move_cash(x, account, amount, "LED-5")
        return evolve(outcome, exchange=evolve(outcome.exchange, custody=0))

    text = story(faulty(ledger.deposit, minting), Case(TERMS, (Deposit(ANN, 5),)))
    assert "A LAW IS BROKEN: cash is not conserved: the pot holds 0" in text
    assert text.startswith("FINDING LED-1")


def test_the_last_words_of_a_failing_engine_are_told() -> None:
    pipe = misbehaving("crash", after=6)
    text = story(pipe, Case(TERMS, CRASH))
    assert text.startswith("FINDING, crash: the engine exited with status 1 before its reply.")
    assert "  | the engine lost its mind" in text
    assert "here the engine failed" in text


def test_only_one_side_liquidates() -> None:
    never = faulty(liquidation.is_due, lambda *_: False)
    commands = (*CRASH[:4], Withdraw(BOB, 4_400), SetMark(GOLD, 881))
    text = story(never, Case(TERMS, commands))
    assert text.startswith("FINDING LIQ-1")
    assert "nothing more" in text


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (Deposit(VAULT, 5), "the vault deposits 5"),
        (Withdraw(TREASURY, 5), "the treasury withdraws 5"),
        (Transfer(ANN, VAULT, 5), "account 2 transfers 5 to the vault"),
        (
            Place(OrderId(4), ANN, GOLD, Side.SELL, Kind.IOC, 2, 9, reduce_only=True),
            "account 2 places order 4: sell 2 of market 1 at 9, immediate or cancel, reduce-only",
        ),
        (
            Place(OrderId(4), ANN, GOLD, Side.BUY, Kind.MARKET, 2),
            "account 2 places order 4: buy 2 of market 1 at any price",
        ),
        (Cancel(AccountId(3), GOLD, OrderId(4)), "account 3 cancels order 4 in market 1"),
        (SettleFunding(GOLD, -7), "funding of market 1 at -7 parts per million"),
        (Unwind(GOLD, OrderId(9)), "the vault unwinds in market 1 by order 9"),
    ],
)
def test_commands_in_words(command: Command, says: str) -> None:
    assert words.command(command) == says


def test_a_rule_is_called_what_its_page_calls_it() -> None:
    spec = Path(__file__).parent.parent.parent / "spec"
    on_pages = {
        rule: (title, f"spec/{path.name}")
        for path in spec.glob("*.md")
        for rule, title in re.findall(
            r"^```\{rule\} ([A-Z]+-\d+)\n:title: (.*)$", path.read_text(encoding="utf-8"), re.M
        )
    }
    assert len(on_pages) > 50
    assert {rule: (title, page(rule)) for rule, title in TITLES.items()} == on_pages


def test_an_engine_that_fails_is_told_apart_from_one_that_is_wrong() -> None:
    found = Finding(FindingKind.FAILURE, "", "it exited", 1, failure="crash")
    text = Story(Case(TERMS, CRASH), found, TERMS, Comparison(), None, "again").text()
    assert text.splitlines()[0] == "FINDING, crash: it exited."
    assert "<- here the engine failed" in text
    assert "they part" not in text
    assert "The engine wrote nothing to standard error." in text
    assert text.endswith("\nAgain: again")


def test_what_an_engine_wrote_does_not_act_on_the_terminal() -> None:
    assert printable("\x1b[2Jred\n\tnext\ud800 \0 é…") == "\\x1b[2Jred\n    next\\ud800 \\x00 é…"
