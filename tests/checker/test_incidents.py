"""The incidents: every one goes as it says, and says of every law whether it held."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpref.checker.files import BadInput, shipped
from perpref.checker.money import Column
from perpref.checker.scenario_file import Incident, LawHeld, Scenario, load_scenario
from perpref.checker.scenario_laws import SENTENCES, Law
from perpref.checker.scenario_run import Play, laws_of, play
from perpref.checker.telling import step_lines
from perpref.machine import SetMark, SettleMarket
from perpref.outcome import Refused
from perpref.rules.margin import equity
from perpref.state import VAULT
from perpref.units import AccountId

NAMES = [name for name in shipped("scenarios") if name.startswith("incident-")]


@pytest.fixture(scope="module")
def plays() -> dict[str, Play]:
    return {name: play(load_scenario(name)) for name in NAMES}


def incident_of(told: Play) -> Incident:
    assert told.scenario.incident is not None
    return told.scenario.incident


def test_there_are_sixteen(plays: dict[str, Play]) -> None:
    first = [incident_of(told).id for told in plays.values() if incident_of(told).mends is None]
    assert sorted(first, key=lambda number: int(number[1:])) == [f"S{n}" for n in range(1, 17)]


def test_only_incidents_are_called_so() -> None:
    told = [name for name in shipped("scenarios") if load_scenario(name).incident is not None]
    assert told == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_as_it_says(name: str, plays: dict[str, Play]) -> None:
    told = plays[name]
    assert told.missed == ()
    assert told.claims >= 20
    assert 4 <= len(told.steps) <= 15


@pytest.mark.parametrize("name", NAMES)
def test_it_says_of_every_law_whether_it_held(name: str, plays: dict[str, Play]) -> None:
    told = plays[name]
    said = [claim.what for claim in told.scenario.claims if isinstance(claim.what, LawHeld)]
    assert len(said) == len(Law)
    assert {claim.law for claim in said} == set(Law)
    held = {claim.law: claim.held for claim in said}
    assert held == laws_of(one for step in told.steps for one in step.played)
    assert held[Law.POT] and held[Law.BALANCE] and held[Law.SOLVENT]


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_everybody_has_in_the_end(name: str, plays: dict[str, Play]) -> None:
    """What is said of the equities at the end is the pot."""
    told = plays[name]
    text = shipped("scenarios")[name].read_text(encoding="utf-8")
    assert "custody = " in text[text.index("\n[expect]") :]
    for account in told.end.accounts:
        assert told.money.equity(account) == equity(told.end, account)
    assert told.money.total(Column.CASH) == told.end.custody


@pytest.mark.parametrize("name", NAMES)
def test_it_names_its_sources_and_its_scale(name: str, plays: dict[str, Play]) -> None:
    incident = incident_of(plays[name])
    assert incident.sources
    assert incident.scale
    assert len(plays[name].scenario.prose.split()) >= (100 if incident.mends is None else 50)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_beside_another_is_about_the_same(name: str, plays: dict[str, Play]) -> None:
    incident = incident_of(plays[name])
    if incident.mends is not None:
        other = incident_of(plays[incident.mends])
        assert (other.id, other.venue, other.mends) == (incident.id, incident.venue, None)
        assert name.startswith(incident.mends)


@pytest.mark.parametrize("name", NAMES)
def test_who_holds_cash_and_no_position_keeps_it(name: str, plays: dict[str, Play]) -> None:
    scenario = plays[name].scenario
    for account, about in scenario.about.items():
        if about == "holds cash and no position" and scenario.who(account) == "flo":
            assert equity(plays[name].end, account) == 1_000


def refusals(told: Play) -> set[str]:
    return {
        one.outcome.code
        for step in told.steps
        for one in step.played
        if isinstance(one.outcome, Refused)
    }


@pytest.mark.parametrize(
    "name",
    [
        "incident-hyperliquid-eth-whale-mended",
        "incident-hyperliquid-jelly",
        "incident-hyperliquid-jelly-settled",
        "incident-dydx-yfi-mended",
        "incident-dydx-yfi-scaled",
        "incident-dydx-halt",
        "incident-mango-mended",
        "incident-mango-jump",
    ],
)
def test_profit_on_paper_cannot_leave(name: str, plays: dict[str, Play]) -> None:
    assert "not_withdrawable" in refusals(plays[name])


def taken_home(told: Play, *accounts: str) -> int:
    """What accounts have in the end, taken home or not, less what they brought."""
    named = [told.scenario.accounts[account] for account in accounts]
    cash = sum(told.money.of(account, Column.CASH) for account in named)
    return sum(equity(told.end, account) for account in named) - cash


@pytest.mark.parametrize(
    ("name", "accounts", "gain", "vault"),
    [
        ("incident-hyperliquid-eth-whale", ["whale"], 17_090 - 15_230, 60 - 25 * 160),
        ("incident-hyperliquid-eth-whale-leverage", ["whale"], 12_266 - 15_230, 84 + 5 * 160),
        ("incident-hyperliquid-eth-whale-mended", ["whale"], -13 * 160, 0),
        ("incident-dydx-yfi", ["yan", "zoe", "xia"], 657 - 600, -211 * 42),
        ("incident-dydx-yfi-mended", ["yan", "zoe"], 24 - 600, -211 * 39),
        ("incident-dydx-yfi-scaled", ["yan", "zoe"], 30 * 110 + 10 * 10, 0),
        ("incident-dydx-yfi-margin", ["yan"], 6 * 110, 0),
        ("incident-mango", ["al", "bo"], 483 * (256 - 48), -483 * (256 - 48)),
        ("incident-mango-mended", ["al", "bo"], 340 - 10_000, 483 * (48 - 28)),
        ("incident-mango-jump", ["al", "bo"], 0, 0),
        ("incident-mango-shared", ["al", "bo"], 108_346, 0),
    ],
)
def test_who_gains_where_profit_on_paper_may_leave_or_not(
    name: str, accounts: list[str], gain: int, vault: int, plays: dict[str, Play]
) -> None:
    told = plays[name]
    known = [
        account for account in accounts if told.scenario.accounts[account] in told.end.accounts
    ]
    assert taken_home(told, *known) == gain
    assert taken_home(told, "vault") == vault


def test_where_unrealised_profit_may_leave(plays: dict[str, Play]) -> None:
    leaves = {name for name, told in plays.items() if told.start.rulebook.withdraw_profit}
    assert leaves == {
        "incident-hyperliquid-eth-whale",
        "incident-hyperliquid-eth-whale-leverage",
        "incident-dydx-yfi",
        "incident-dydx-yfi-margin",
        "incident-dydx-yfi-scaled",
        "incident-mango",
    }
    for name in leaves:
        for step in plays[name].steps:
            for one in step.played:
                for account in one.after.accounts:
                    assert equity(one.after, account) <= one.after.custody


def test_the_fund_pays_for_what_it_can(plays: dict[str, Play]) -> None:
    assert taken_home(plays["incident-dydx-halt"], "vault") == -20 * (80 - 76)
    assert taken_home(plays["incident-dydx-halt-short"], "vault") == -12 * (80 - 76)
    assert taken_home(plays["incident-dydx-halt-short"], "sol") == 12 * 24 + 8 * 20


def test_a_settlement_leaves_everybody_what_he_is_worth(plays: dict[str, Play]) -> None:
    settled = [
        (one.before, one.after, one.command.market)
        for told in plays.values()
        for step in told.steps
        for one in step.played
        if isinstance(one.command, SettleMarket)
    ]
    assert len(settled) == 4
    for before, after, market in settled:
        for account in before.accounts:
            assert equity(before, account) == equity(after, account)
            assert market not in after.accounts[account].positions


def test_the_boundary_decides_whether_the_vault_or_the_longs_pay(plays: dict[str, Play]) -> None:
    loss = {
        name: equity(plays[name].end, VAULT) - plays[name].money.of(VAULT, Column.CASH)
        for name in NAMES
        if "jelly" in name
    }
    child = AccountId(2)
    for name, lost in (("boundary", 18 * 26_600), ("mended", -398 * 700)):
        told = plays[f"incident-hyperliquid-jelly-{name}"]
        squeezed = next(
            one.after
            for step in told.steps
            for one in step.played
            if isinstance(one.command, SetMark) and one.command.price == 38_000
        )
        assert equity(squeezed, child) == 1_000_000 - lost
        assert equity(squeezed, VAULT) == 229_000_000, "the parent has lost what it gave, no more"
    assert loss["incident-hyperliquid-jelly-settled"] == -398 * 26_600
    before_the_vote = plays["incident-hyperliquid-jelly"].steps[3].played[-1].after
    assert equity(before_the_vote, VAULT) == 230_000_000 - 398 * 26_600


def test_bystanders_pay_where_there_is_no_deleveraging(plays: dict[str, Play]) -> None:
    broken = {
        name
        for name, told in plays.items()
        if not laws_of(one for step in told.steps for one in step.played)[Law.BYSTANDERS]
    }
    assert broken == {"incident-okex-clawback", "incident-ccp-default", "incident-mango-shared"}


def test_every_law_is_broken_somewhere_or_a_theorem(plays: dict[str, Play]) -> None:
    broken = {
        law
        for told in plays.values()
        for law, kept in laws_of(one for step in told.steps for one in step.played).items()
        if not kept
    }
    assert broken == {Law.BYSTANDERS, Law.NOTHING_SHARED, Law.NOT_DELEVERAGED}
    assert set(SENTENCES) == set(Law)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "incident-dydx-halt",
            "book: sol's bid takes 12 ISO at 76 (LIQ-6); the vault makes good 48 (VLT-8)",
        ),
        (
            "incident-dydx-halt-short",
            "book: To make good the fill would leave the vault -30, its boundary is 0 (VLT-8)",
        ),
        (
            "incident-hyperliquid-jelly-mended",
            "deleverage: lou's long is closed at 10,700, all 98 JELLY (ADL-3)",
        ),
        ("incident-hyperliquid-jelly", "the vault buys 98 JELLY from lou at 9,500 (SET-2)"),
        (
            "incident-ccp-default-open",
            "residual: fay, worth 7,200, pays 1,400 of the 1,400 that are missing (LOSS-10)",
        ),
    ],
)
def test_the_story_tells_it(name: str, sentence: str, plays: dict[str, Play]) -> None:
    told = plays[name]
    assert sentence in " ".join(line.text for step in told.steps for line in step_lines(told, step))


def test_the_story_says_that_only_the_insolvent_are_deleveraged(tmp_path: Path) -> None:
    """At 85 lil has 100 and needs 170: she is due and solvent, and the book is empty."""
    path = tmp_path / "solvent.toml"
    text = shipped("scenarios")["incident-dydx-halt"].read_text(encoding="utf-8")
    path.write_text(text.replace("{ price = 90 }", "{ price = 85 }"), encoding="utf-8")
    told = play(load_scenario(str(path)))
    said = " ".join(line.text for step in told.steps for line in step_lines(told, step))
    assert "deleverage: only of an insolvent account are winners closed (ADL-6)" in said


# The table [incident], and what is expected of laws.

MINE = """\
title = "Mine"
rulebook = "textbook"
market = "BTC"

[incident]
id = "S3"
venue = "Nowhere"
when = "never"
scale = "small"
cannot = ["a thing"]
mends = "incident-mango"
sources = ["nobody"]

[accounts]
ann = "brings cash"

[[step]]
deposit = { account = "ann", amount = 1_000 }

[expect]
held = ["pot", "bystanders"]
broke = []
"""


def spoilt(folder: Path, old: str, new: str) -> Scenario:
    assert old in MINE
    path = folder / "mine.toml"
    path.write_text(MINE.replace(old, new), encoding="utf-8")
    return load_scenario(str(path))


def test_an_incident_of_ones_own(tmp_path: Path) -> None:
    scenario = spoilt(tmp_path, "S3", "S99")
    assert scenario.incident == Incident(
        "S99", "Nowhere", "never", "small", ("a thing",), ("nobody",), "incident-mango"
    )
    assert play(scenario).missed == ()


def test_what_may_be_left_out(tmp_path: Path) -> None:
    text = 'cannot = ["a thing"]\nmends = "incident-mango"\n'
    incident = spoilt(tmp_path, text, "").incident
    assert incident is not None
    assert (incident.cannot, incident.mends) == ((), None)


LAWS = ", ".join(law.value for law in Law)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"S3"', '"3"', ':6: incident.id: not the number of an incident ("3"); S and a number'),
        ('"S3"', '"S0"', ':6: incident.id: not the number of an incident ("S0")'),
        ('"S3"', '"S100"', ':6: incident.id: not the number of an incident ("S100")'),
        ('"S3"', "3", ":6: incident.id: not a text (3); a text in quotes"),
        ('venue = "Nowhere"\n', "", ":5: incident.venue: missing; a text in quotes"),
        ('scale = "small"', 'scale = ""', ':9: incident.scale: empty (""); a text in quotes'),
        ('["nobody"]', "[]", ":12: incident.sources: no source; a list of where the numbers"),
        ('["nobody"]', '"nobody"', ':12: incident.sources: not a list ("nobody"); a list'),
        ('["nobody"]', "[1]", ":12: incident.sources[1]: not a text (1); a text in quotes"),
        ('sources = ["nobody"]\n', "", ":5: incident.sources: missing; a list of where the"),
        ('["a thing"]', '[" "]', ':10: incident.cannot[1]: empty (" "); a text in quotes'),
        (
            '"incident-mango"',
            '"incident-mongo"',
            ':11: incident.mends: no such scenario ("incident-mongo"); did you mean',
        ),
        ("when =", "whence =", ":8: incident.whence: unknown key; did you mean when? one of id,"),
        (
            '"pot"',
            '"pott"',
            f':21: expect.held[1]: no such law ("pott"); did you mean pot? one of {LAWS}',
        ),
        ("broke = []", "broke = [true]", f":22: expect.broke[1]: not a law (true); one of {LAWS}"),
        ("broke = []", 'broke = "pot"', ':22: expect.broke: not a list ("pot"); a list'),
    ],
)
def test_what_is_not_allowed(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        spoilt(tmp_path, old, new)
    assert str(refused.value).startswith(f"{tmp_path / 'mine.toml'}{message}")
    assert "\n" not in str(refused.value)


def test_a_law_that_did_not_go_as_expected_is_a_miss(tmp_path: Path) -> None:
    scenario = spoilt(tmp_path, "broke = []", 'broke = ["not_deleveraged"]')
    assert play(scenario).missed == (
        (
            f"{scenario.file}:22: expect.broke[1]: expected that not_deleveraged was broken, "
            "got that not_deleveraged held"
        ),
    )


def test_a_law_that_a_rulebook_gave_up_is_a_miss(tmp_path: Path) -> None:
    path = tmp_path / "shared.toml"
    text = shipped("scenarios")["residual-loss"].read_text(encoding="utf-8")
    path.write_text(f'{text}held = ["nothing_shared", "bystanders", "not_deleveraged", "pot"]\n')
    missed = play(load_scenario(str(path))).missed
    assert [line.split("expected that ")[1].split(" held")[0] for line in missed] == [
        "nothing_shared",
        "bystanders",
        "not_deleveraged",
    ]
