"""The shipped scenarios: they go as they say, reach their stages, and their money adds up."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import pytest

from perpref import machine
from perpref.checker.files import shipped
from perpref.checker.money import PURPOSE, Column, Money, where_it_went
from perpref.checker.rulebook_file import Venue
from perpref.checker.scenario_file import Scenario, Step, load_scenario
from perpref.checker.scenario_run import (
    Play,
    Played,
    PlayedStep,
    liquidated_in,
    play,
    play_command,
    stages_of,
)
from perpref.checker.telling import pot, step_lines, who_paid
from perpref.checker.vectors import Vector, read_all
from perpref.checker.wire import Done, exchange_of
from perpref.outcome import CashMoved, Event, Filled, Marked, Outcome, Paid
from perpref.rules.margin import equity
from perpref.state import TREASURY, VAULT, Stage
from perpref.units import AccountId, MarketId

STAGES = {
    "calm-day": (),
    "cascade-absorbed-by-book": (Stage.BOOK,),
    "vault-absorbs-and-unwinds-at-a-profit": (Stage.VAULT, Stage.DELEVERAGE),
    "overbooked-flight": (Stage.BOOK, Stage.VAULT, Stage.DELEVERAGE),
    "volunteers-step-in": (Stage.VOLUNTEERS,),
    "residual-loss": (Stage.DELEVERAGE, Stage.RESIDUAL),
    "isolated-position": (Stage.DELEVERAGE,),
    "cross-position": (Stage.DELEVERAGE,),
}
"""Which stages each reaches, in the order in which they act."""

TWO = """
title = "Two"
rulebook = "textbook"
market = "BTC"

[override]
maker_fee = 0
taker_fee = 0

[override.market.BTC]
mark = 100

[accounts]
ann = "long"
ben = "short"

[[step]]
deposit = [{ account = "ann", amount = 100 }, { account = "ben", amount = 100 }]

[[step]]
place = [
    { account = "ann", side = "buy", lots = 5, price = 100 },
    { account = "ben", side = "sell", lots = 5, kind = "market" },
]

[[step]]
set_mark = { price = 110 }
"""


@pytest.fixture(scope="module")
def plays() -> dict[str, Play]:
    return {name: play(load_scenario(name)) for name in STAGES}


def written(folder: Path, text: str) -> Scenario:
    path = folder / "two.toml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(str(path))


def story(told: Play) -> str:
    """The whole story in one line of words."""
    return " ".join(line.text for step in told.steps for line in step_lines(told, step))


def events_of(told: Play) -> list[Event]:
    return [event for step in told.steps for one in step.played for event in one.events]


def test_what_is_shipped() -> None:
    """The incidents have their own tests."""
    told = {name for name in shipped("scenarios") if not name.startswith("incident-")}
    assert told == set(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_it_goes_as_it_says(name: str, plays: dict[str, Play]) -> None:
    told = plays[name]
    assert told.missed == ()
    assert told.claims >= 20
    assert 5 <= len(told.steps) <= 15
    assert told.scenario.prose
    assert any(step.step.say for step in told.steps)


@pytest.mark.parametrize("name", STAGES)
def test_it_reaches_its_stages(name: str, plays: dict[str, Play]) -> None:
    everything = [one for step in plays[name].steps for one in step.played]
    assert stages_of(everything) == STAGES[name]
    assert bool(liquidated_in(everything)) == bool(STAGES[name])


def test_each_stage_is_reached_by_some() -> None:
    assert {stage for stages in STAGES.values() for stage in stages} == set(Stage)


@pytest.mark.parametrize("name", STAGES)
def test_the_money_adds_up(name: str, plays: dict[str, Play]) -> None:
    told = plays[name]
    for account in told.end.accounts:
        assert told.money.equity(account) == equity(told.end, account)
    for column in Column:
        expected = told.end.custody if column is Column.CASH else 0
        assert told.money.total(column) == expected


@pytest.mark.parametrize("name", STAGES)
def test_watching_a_command_does_not_change_it(name: str, plays: dict[str, Play]) -> None:
    """The acts that are told are those of the command, no event more and none less."""
    for step in plays[name].steps:
        for one in step.played:
            assert one.outcome == machine.apply(one.before, one.command)
            if isinstance(one.outcome, Outcome):
                assert tuple(e for act in one.acts for e in act.events) == one.outcome.events
            else:
                assert one.acts == ()
                assert one.after == one.before


@pytest.mark.parametrize("name", STAGES)
def test_steps_follow_each_other(name: str, plays: dict[str, Play]) -> None:
    told = plays[name]
    state = told.start
    for step in told.steps:
        for one in step.played:
            assert one.before == state
            state = one.after
    assert state == told.end


def test_some_account_holds_two_markets_when_it_is_liquidated(plays: dict[str, Play]) -> None:
    for name in ("residual-loss", "cascade-absorbed-by-book"):
        before = [one.before for step in plays[name].steps for one in step.played if one.acts]
        victims = liquidated_in(one for step in plays[name].steps for one in step.played)
        assert any(
            len(state.accounts[victim].positions) == 2
            for state in before
            for victim in victims
            if victim in state.accounts
        )


def test_the_vault_unwinds_at_a_profit(plays: dict[str, Play]) -> None:
    told = plays["vault-absorbs-and-unwinds-at-a-profit"]
    assert told.money.of(VAULT, Column.CASH) == 8_000
    assert equity(told.end, VAULT) == 10_836
    assert not told.end.accounts[VAULT].positions


def test_the_story_of_the_overbooked_flight(plays: dict[str, Play]) -> None:
    told = plays["overbooked-flight"]
    said = story(told)
    for sentence in (
        "lena is liquidated: equity -40, its maintenance margin is 88 (LIQ-1)",
        "its position of 20 BTC long has a bankruptcy price of 90 (LIQ-5)",
        "book: vera's bid takes 2 BTC at 91 (LIQ-6)",
        "book: nobody bids 90 or better (LIQ-6)",
        "vault: the vault takes over 5 BTC at 90 (VLT-1); at the mark the vault loses 10",
        "vault: it takes no lot more: The vault would hold 6 lots, its cap is 5 (VLT-2)",
        "deleverage: sam's short is closed at 90, all 10 BTC (ADL-3); at the mark sam loses 20",
        "deleverage: tess's short is closed at 89, 2 of 10 BTC (ADL-3); at the mark tess loses 2",
        "lena is left with no position and an equity of 0",
        "lena wants to withdraw 50",
        "refused, and nothing changed: 50 cannot leave",
    ):
        assert sentence in said
    assert who_paid(told) == (
        "Who paid: liquidation: the vault 10, vera 8 to lena 18; "
        "deleveraging: sam 20, tess 2 to lena 22."
    )
    assert pot(told) == (
        "The pot: 1,790 came in, 220 went out, 1,570 is there, and nothing else changed it. "
        "All equities together: 1,570, the same."
    )


def test_the_story_of_the_residual_loss(plays: dict[str, Play]) -> None:
    told = plays["residual-loss"]
    said = story(told)
    for sentence in (
        "deleverage: jan's short is closed at 126, 3 of 10 BTC (ADL-3); at the mark jan loses 78",
        "deleverage: nobody on the other side could bear the bankruptcy price (ADL-4)",
        "residual: 7 BTC are closed against jan at the mark of 100, which costs nobody anything",
        "residual: karl, worth 500, pays 62 of the 64 that are missing (LOSS-3)",
    ):
        assert sentence in said
    assert "shared loss: ines 118, karl 62, jan 2 to hugo 182" in who_paid(told)


def test_the_story_of_the_cascade(plays: dict[str, Play]) -> None:
    said = story(plays["cascade-absorbed-by-book"])
    assert "max keeps 4 BTC and an equity of 2,461" in said
    assert "book: quinn's bid takes 6 BTC at 5,650 (LIQ-6); fees: quinn 7 (FEE-2), max 339" in said
    assert "olaf keeps 10 ETH and an equity of 3,460" in said


def test_the_story_of_the_calm_day(plays: dict[str, Play]) -> None:
    told = plays["calm-day"]
    said = story(told)
    for sentence in (
        "ada buys 8 BTC from mia at 6,010 (BOOK-3); fees: ada 25 (FEE-3), mia 10 (FEE-2)",
        "what is left, 2 BTC, goes no further (BOOK-6)",
        "mia's order over 2 BTC is cancelled: nobody trades with itself (BOOK-11)",
        "Funding of BTC: 100 parts per million, the longs pay (FUND-3)",
        "the vault pays bo 6 (FUND-3)",
        "mia cancels order",
    ):
        assert sentence in said
    assert who_paid(told) == "Who paid: nobody was liquidated, nobody paid for anybody else."


# What is not as expected.

FILL = '{{ buyer = "ann", seller = "ben", lots = {lots}, price = 100, rule = "BOOK-3" }}'


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("equity = { ann = 149 }", "27: expect.equity.ann: expected 149, got 150"),
        ("collateral = { ben = 1 }", "27: expect.collateral.ben: expected 1, got 100"),
        ("position.BTC = { ben = 5 }", "27: expect.position.BTC.ben: expected 5, got -5"),
        ("position.ETH = { ben = 5 }", "27: expect.position.ETH.ben: expected 5, got 0"),
        ("custody = 201", "27: expect.custody: expected 201, got 200"),
        ('stages = ["book"]', "27: expect.stages: expected book, got no stage"),
        ('liquidated = ["ben"]', "27: expect.liquidated: expected ben, got nobody"),
        (
            'paid = [{ payer = "ann", payee = "ben", amount = 1, rule = "LOSS-3" }]',
            "27: expect.paid[1]: expected 1, got 0",
        ),
        (
            f"filled = [\n{FILL.format(lots=4)},\n{FILL.format(lots=5)}]",
            "28: expect.filled[1]: expected 4 lots, got 5 lots",
        ),
    ],
)
def test_what_is_missed_at_the_end(expect: str, message: str, tmp_path: Path) -> None:
    scenario = written(tmp_path, f"{TWO}\n[expect]\n{expect}\n")
    line, said = message.split(":", 1)
    at = int(line) - 27 + TWO.count("\n") + 3
    assert play(scenario).missed == (f"{scenario.file}:{at}:{said}",)


def test_what_is_missed_at_a_step(tmp_path: Path) -> None:
    scenario = written(tmp_path, f'{TWO}expect.refused = "not_due"\nexpect.equity.ann = 1\n')
    line = TWO.count("\n") + 1
    assert play(scenario).missed == (
        (
            f"{scenario.file}:{line}: step[3].expect.refused: expected the refusal not_due, "
            "got no refusal"
        ),
        f"{scenario.file}:{line + 1}: step[3].expect.equity.ann: expected 1, got 150",
    )


def test_a_step_is_judged_as_it_ends_and_not_as_the_story_does(tmp_path: Path) -> None:
    text = f"{TWO}expect.equity.ann = 150\n\n[[step]]\nset_mark = {{ price = 100 }}\n"
    assert play(written(tmp_path, text + "\n[expect]\nequity.ann = 100\n")).missed == ()


def test_a_refusal_that_nobody_expects_is_a_miss(tmp_path: Path) -> None:
    scenario = written(
        tmp_path, f'{TWO}\n[[step]]\nwithdraw = {{ account = "ann", amount = 99 }}\n'
    )
    line = TWO.count("\n") + 2
    assert play(scenario).missed == (
        (
            f"{scenario.file}:{line}: step[4]: refused: 99 cannot leave: initial margin leaves "
            "45 free (LED-6)"
        ),
    )


# Where the money went.

ANN, BEN, GOLD = AccountId(2), AccountId(3), MarketId(1)


def test_each_entry_has_its_column() -> None:
    events: list[Event] = [
        CashMoved(ANN, 100, "LED-5"),
        CashMoved(ANN, -1, "LED-7"),
        Paid(ANN, BEN, 2, "LED-8"),
        Filled(ANN, BEN, GOLD, 3, 12, "BOOK-3"),
        Paid(ANN, TREASURY, 4, "FEE-3"),
        Marked(GOLD, 15, "MARK-1"),
        Paid(ANN, VAULT, 5, "FUND-3"),
        Filled(BEN, ANN, GOLD, 1, 14, "LIQ-6"),
        Paid(ANN, VAULT, 6, "FEE-5"),
        Filled(BEN, ANN, GOLD, 2, 13, "ADL-3"),
        Paid(BEN, ANN, 7, "LOSS-3"),
    ]
    money = where_it_went([ANN], {GOLD: 10}, events)
    # Bought 3 at 12 when the mark was 10, and held them up to 15.
    trading = 3 * (10 - 12) + 3 * (15 - 10)
    assert money.sums[ANN] == {
        Column.CASH: 99,
        Column.TRANSFERS: -2,
        Column.TRADING: trading,
        Column.FEES: -4,
        Column.FUNDING: -5,
        Column.LIQUIDATION: -(15 - 14) - 6,
        Column.DELEVERAGING: -2 * (15 - 13),
        Column.SHARED_LOSS: 7,
    }
    assert money.of(BEN, Column.TRADING) == -trading
    assert money.who_paid(Column.LIQUIDATION) == [(ANN, 7)]
    assert money.equity(ANN) + money.equity(BEN) + 4 + 5 + 6 == 99
    assert money.used() == list(Column)


VECTORS = Path(__file__).parents[2] / "spec" / "vectors"


def test_every_reason_of_an_entry_has_a_column() -> None:
    """The vectors have every rule at work, and so every reason for which cash or lots move."""
    results = [result for vector in read_all(VECTORS) for result in vector.results]
    reasons = {
        event.rule
        for result in results
        if isinstance(result, Done)
        for event in result.events
        if isinstance(event, CashMoved | Paid | Filled)
    }
    assert reasons == set(PURPOSE)


def test_money_of_nobody() -> None:
    money = where_it_went([ANN], {GOLD: 1}, [])
    assert money == Money({ANN: {}})
    assert money.used() == []
    assert money.equity(ANN) == 0


def test_a_refused_command_has_no_acts(plays: dict[str, Play]) -> None:
    end = plays["calm-day"].end
    one = play_command(end, machine.Withdraw(ANN, 10**6))
    assert (one.acts, one.events, one.after) == ((), (), end)


def as_scenario(vector: Vector, everybody: Collection[AccountId]) -> Scenario:
    """A published case with names, so that it can be told."""
    markets = {f"m{market}": market for market in vector.terms.markets}
    venue = Venue("a case", vector.terms.rulebook, markets, vector.terms.markets, sources={})
    names = {f"a{account}": account for account in everybody}
    return Scenario(vector.name, vector.file, "", "", venue, (), names, {}, (), ())


@pytest.mark.parametrize("vector", read_all(VECTORS), ids=lambda vector: vector.file)
def test_what_a_vector_does_by_force_is_told_with_its_rule(vector: Vector) -> None:
    """Every way to be closed or charged that the rules know is in some vector, and in its story."""
    start = vector.terms.opened()
    now = start if vector.start is None else exchange_of(vector.terms, vector.start)
    played = []
    for command in vector.commands:
        one = play_command(now, command)
        now = one.after
        if isinstance(one.outcome, Outcome):
            played.append(one)
    step = PlayedStep(Step(1, 1, vector.about, vector.commands, ()), tuple(played))
    told = Play(as_scenario(vector, list(now.accounts)), start, (step,), Money({}), ())
    words = " ".join(line.text for line in step_lines(told, step))
    by_force = {
        event.rule
        for one in played
        for act in one.acts
        if act.stage is not None
        for event in act.events
        if isinstance(event, Filled)
    }
    assert all(f"({rule})" in words for rule in by_force)
    assert "LOSS-12" not in reasons(played) or "(LOSS-12)" in words


def reasons(played: Iterable[Played]) -> set[str]:
    return {event.rule for one in played for event in one.events if isinstance(event, Paid)}


def test_what_a_loss_brings_for_everybody_is_told(tmp_path: Path) -> None:
    text = shipped("scenarios")["residual-loss"].read_text(encoding="utf-8")
    more = "[override]\ncarry_bad_debt = true\nwithdrawal_gate = 60\nhalt_on_loss = true"
    words = story(play(written(tmp_path, text.replace("[override]", more))))
    assert "the vault takes on the 182 that are missing, as a debt (LOSS-12)" in words
    assert "no cash leaves before 60 by the clock (LOSS-13)" in words
    assert "BTC pauses (LOSS-14)" in words
