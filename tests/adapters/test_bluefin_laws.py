"""What breaks the laws on each build, no more and no less; and the judge can tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("tests.adapters.needed")

from attrs import evolve

from perpref.adapters import bluefin
from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.chain import Reverted
from perpref.adapters.bluefin.commands import ONE
from perpref.adapters.bluefin.engine import OPERATOR, word
from perpref.adapters.bluefin.known import known
from perpref.adapters.bluefin.law import (
    DELIBERATE,
    LEFT_OVER,
    LOCKED,
    MEANINGS,
    UNBACKED,
    equity,
    judge,
    surplus,
)
from perpref.adapters.bluefin.law_search import Court, breaks
from perpref.adapters.bluefin.scenarios import all_scenarios
from perpref.adapters.bluefin.terms import published_terms
from tests.adapters.bluefin_play import Play, table_terms


@pytest.fixture(scope="module")
def reports(folder: Path) -> dict[str, bluefin.Report]:
    return {build: bluefin.laws(build, 5_000, folder=folder) for build in bluefin.builds()}


def test_what_breaks_the_laws_is_known(build: str, reports: dict[str, bluefin.Report]) -> None:
    broken = reports[build].broken
    assert {entry.key for entry in broken} == known(build)
    assert {UNBACKED, DELIBERATE, LOCKED} <= {entry.verdict for entry in broken}


def test_every_break_has_a_short_story(build: str, reports: dict[str, bluefin.Report]) -> None:
    for entry in reports[build].broken:
        assert 2 <= len(entry.story) <= 16, entry
        assert entry.detail
        assert entry.times >= 1
        assert MEANINGS[entry.key].says == entry.says
        assert [step.command for step in entry.steps] == list(entry.story)


def test_a_story_stays_red_when_it_is_told_again(
    build: str, folder: Path, reports: dict[str, bluefin.Report]
) -> None:
    for entry in reports[build].broken:
        engine = bluefin.open_engine(build, folder, entry.under)
        for _ in range(2):
            found = breaks(engine, entry.under, entry.commands)
            assert [one.amount for one in found if one.key == entry.key][:1] == [entry.amount]


def test_no_command_of_a_story_can_be_left_out(
    build: str, folder: Path, reports: dict[str, bluefin.Report]
) -> None:
    for entry in reports[build].broken:
        engine = bluefin.open_engine(build, folder, entry.under)
        for at in range(len(entry.commands)):
            shorter = entry.commands[:at] + entry.commands[at + 1 :]
            found = {one.key for one in breaks(engine, entry.under, shorter)}
            assert entry.key not in found, (entry.key, entry.story[at])


def test_the_breaks_need_no_wild_terms(reports: dict[str, bluefin.Report]) -> None:
    """All but one, which shows under published terms as a break of another law."""
    wild = [
        (build, entry.key)
        for build, report in reports.items()
        for entry in report.broken
        if entry.under != published_terms(build)
    ]
    assert wild == [("arbitrum", ("exit", "BF-POS-1"))]


def test_the_endings_say_who_pays_for_it(build: str, reports: dict[str, bluefin.Report]) -> None:
    """The contracts themselves pay everybody out: what the liquidated gain, the others lose."""
    (entry,) = [one for one in reports[build].broken if one.key == ("backing", "BF-LIQ-11")]
    gains = {ending.whose: ending.after - ending.without for ending in entry.endings}
    assert set(gains) == {"alice", "bob", "insurance pool"}
    assert sum(gains.values()) == 0
    assert gains["bob"] == -entry.amount
    (bob,) = [ending for ending in entry.endings if ending.whose == "bob"]
    assert bob.due - bob.after == entry.amount
    assert entry.repeated.times > 100
    assert entry.steps[-1].owes - entry.steps[-1].holds == entry.amount


def test_what_is_refused_is_told_with_the_contracts_words(
    reports: dict[str, bluefin.Report],
) -> None:
    last = {
        (build, entry.rule): entry.steps[-1].answer
        for build, report in reports.items()
        for entry in report.broken
        if entry.law in {"exit", "closing"}
    }
    assert last["arbitrum", "BF-ARI-2"] == "refused: Panic(0x11)"
    assert last["arbitrum", "BF-FND-5"] == "refused: P33"
    assert last["arbitrum", "BF-END-6"] == "accepted"
    assert last["boba", "BF-ARI-1"] == "refused: Panic(0x12)"
    assert last["boba", "BF-BANK-5"] == "refused: Insufficient account funds"
    assert last["boba", "BF-POS-3"].startswith("refused: Cannot trade when loss exceeds margin")


def test_nobody_but_the_liquidator_sends_a_liquidation(build: str, folder: Path) -> None:
    """Alice liquidates herself without anybody's leave; a stranger cannot do it for her."""
    play = Play(build, folder, table_terms(build))
    play.fund(("alice", "bob"), 2_000)
    play.trade("alice", "bob", 10, 100, 4)
    play.tell(c.SetOracle(78 * ONE))
    engine, command = play.engine, c.Liquidate("alice", "alice", ONE, 4 * ONE, True)
    data = word(ONE) + word(4 * ONE) + word(True) + word(False)
    with pytest.raises(Reverted, match="P12"):
        engine._trade(OPERATOR, engine._liquidation, "alice", "alice", data)
    play.tell(command)


def test_conservation_and_the_sum_of_tokens_never_break(
    build: str, reports: dict[str, bluefin.Report]
) -> None:
    assert all(entry.law != "conservation" for entry in reports[build].broken)


def test_the_report_survives_json(build: str, reports: dict[str, bluefin.Report]) -> None:
    plain = reports[build].as_json()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["search"] == "laws"
    for entry, found in zip(plain["broken"], reports[build].broken, strict=True):
        kinds = [command["command"] for command in entry["commands"]]
        assert kinds == [type(command).__name__ for command in found.commands]
        assert int(entry["under"]["taker_fee"]) == found.under.taker_fee
        first = found.commands[0]
        assert isinstance(first, c.Deposit)
        assert entry["commands"][0]["amount"] == str(first.amount)


def test_whoever_liquidates_himself_is_paid_by_the_others(build: str, folder: Path) -> None:
    """The published package pays, again and again; the position stays (BF-LIQ-11)."""
    play = Play(build, folder, table_terms(build))
    play.fund(("alice", "bob"), 2_000_000)
    play.trade("alice", "bob", 10, 100, 4)
    play.tell(c.SetOracle(78 * ONE))
    before = play.seen
    play.tell(c.Liquidate("alice", "alice", 10 * ONE, 4 * ONE, True))
    after = play.seen
    assert after.accounts["alice"].bank - before.accounts["alice"].bank == 27 * ONE
    assert after.insurance_pool - before.insurance_pool == 3 * ONE
    assert before.perpetual - after.perpetual == 30 * ONE
    assert after.accounts["alice"].quantity == before.accounts["alice"].quantity == 10 * ONE
    assert after.accounts["alice"].margin == before.accounts["alice"].margin


def test_a_margin_of_7_500_empties_the_perpetual(build: str, folder: Path) -> None:
    """Under the terms of a published deployment, by liquidating oneself until nothing is left."""
    play = Play(build, folder, published_terms(build))
    play.fund(("alice", "bob"), 200_000)
    play.trade("alice", "bob", 100, 1_500, 1)
    play.tell(c.AdjustLeverage("alice", 20 * ONE), c.SetOracle(1_467 * ONE))
    before = play.seen
    assert before.accounts["alice"].margin < 11_000 * ONE
    command = c.Liquidate("alice", "alice", 30 * ONE, 20 * ONE, True)
    times = 0
    while play.refusal(command) is None:
        times += 1
        assert times < 200
    after = play.seen
    gained = after.accounts["alice"].bank - before.accounts["alice"].bank
    assert gained * 10 >= 6 * before.perpetual
    assert after.perpetual * 50 < before.perpetual
    play.tell(c.Withdraw("alice", gained // 10**12 * 10**12))


def test_at_21x_no_bound_of_open_interest_is_left(build: str, folder: Path) -> None:
    """The deployment bounds 20x at 200,000; its initial margin allows 22x, which it forgets."""
    terms = published_terms(build)
    assert len(terms.max_open_interest) == 20
    assert terms.max_open_interest[-1] == 200_000 * ONE
    for leverage, refused in ((20, True), (21, False), (22, False)):
        play = Play(build, folder, terms)
        play.fund(("alice", "bob"), 400_000)
        play.trade("alice", "bob", 100, 1_500, 1)
        play.tell(c.AdjustLeverage("alice", leverage * ONE))
        bid = c.Order("alice", True, 100 * ONE, 1_500 * ONE, leverage * ONE, salt=9)
        ask = c.Order("bob", False, 100 * ONE, 1_500 * ONE, ONE, salt=9)
        assert bool(play.refusal(c.Fill(bid, ask, 100 * ONE, 1_500 * ONE))) is refused


def test_scenarios_end_as_they_are_meant_to(build: str, folder: Path) -> None:
    """How much of what backed claims each scenario costs the perpetual, in whole quanta."""
    lost = {}
    for scenario in all_scenarios(build):
        court = Court(bluefin.open_engine(build, folder, scenario.terms), scenario.terms)
        for command in scenario.commands:
            court.hear(command)
        lost[scenario.name] = court.lost()
    money = {name: amount for name, amount in lost.items() if abs(amount) > 10**9}
    forgiven, let_off = 549_999_999_999_998_000_000, 2_999_999_999_949_600_000_000
    expected = {
        "liquidating oneself": 60 * ONE,
        "liquidating oneself under the published terms": 12_600 * ONE,
        "funding beyond margin and entry value, then deleveraging": forgiven,
        "a position without entry value at delisting": forgiven,
        "a deployment: liquidating oneself": 840 * ONE,
        "a deployment: funding beyond margin and entry value, then deleveraging": let_off,
        "a deployment: a position without entry value at delisting": let_off,
    }
    if build == "arbitrum":
        expected["the tolerance of deleveraging"] = 9 * ONE // 10
        expected["a deployment: the tolerance of deleveraging"] = 9 * ONE // 1_000
    assert money == expected
    assert lost["rounding, harvested"] <= 0
    assert 0 < lost["rounding, harvested in large fills"] < 10**7


def test_deleveraging_and_liquidation_in_order_cost_nobody_anything(
    build: str, folder: Path
) -> None:
    for scenario in all_scenarios(build):
        if scenario.name.startswith(("a gap", "a liquidation", "funding beyond margin, delev")):
            court = Court(bluefin.open_engine(build, folder, scenario.terms), scenario.terms)
            for command in scenario.commands:
                assert court.hear(command) == []
                assert not court.refused
            assert court.lost() == 0


def test_the_judge_sees_each_law_broken(folder: Path) -> None:
    play = Play("arbitrum", folder, table_terms("arbitrum"))
    play.fund(("alice", "bob"), 2_000)
    play.trade("alice", "bob", 10, 100, 4)
    view, command = play.seen, c.SetOracle(ONE)
    assert surplus(view) == 0
    assert equity(view, "alice") == 250 * ONE
    assert judge(view, view, command, True, ()) == []

    stolen = evolve(view, perpetual=view.perpetual - ONE)
    laws = {found.law for found in judge(view, stolen, command, True, ())}
    assert laws == {"conservation", "backing"}

    alice = evolve(view.accounts["alice"], quantity=11 * ONE)
    tilted = evolve(view, accounts={**view.accounts, "alice": alice})
    assert [found.law for found in judge(view, tilted, command, True, ())] == ["balance"]

    given = evolve(view.accounts["alice"], margin=view.accounts["alice"].margin + ONE)
    lent = evolve(view, accounts={**view.accounts, "alice": given})
    (found,) = judge(view, lent, command, True, ())
    assert (found.law, found.amount, found.verdict) == ("backing", ONE, UNBACKED)
    (found,) = judge(lent, view, command, True, ())
    assert found.verdict == LEFT_OVER

    emptied = evolve(
        view, perpetual=view.accrued_fees - 1, fee_pool=view.perpetual - view.accrued_fees + 1
    )
    assert "custody of fees" in {x.law for x in judge(view, emptied, command, True, ())}


def test_the_judge_sees_who_is_kept_in(build: str, folder: Path) -> None:
    play = Play(build, folder, table_terms(build))
    play.fund(("alice", "bob"), 2_000)
    play.trade("alice", "bob", 10, 100, 4)
    play.tell(c.Delist(0, c.ANY_PRICE))
    was, command = play.seen, c.ClosePosition("alice")
    (found,) = judge(was, was, command, False, ("BF-FND-5",))
    assert (found.law, found.amount, found.verdict) == ("exit", 250 * ONE, LOCKED)
    play.tell(command)
    now = play.seen
    assert judge(was, now, command, True, ()) == []
    alice = now.accounts["alice"]
    cheated = evolve(alice, bank=alice.bank - ONE)
    less = evolve(now, perpetual=now.perpetual + ONE, accounts={**now.accounts, "alice": cheated})
    (found,) = judge(was, less, command, True, ())
    assert (found.law, found.amount) == ("exit", ONE)
    assert found.detail == "alice is owed 250 and gets 249"


def test_the_judge_tells_rounding_from_a_counterparty_without_means(
    build: str, folder: Path
) -> None:
    """A deleveraging that the counterparty cannot bear is rightly refused."""
    play = Play(build, folder, table_terms(build))
    play.fund(("alice", "bob"), 2_000)
    play.trade("alice", "bob", 10, 100, 4)
    play.tell(c.SetOracle(70 * ONE))
    view, command = play.seen, c.Deleverage("alice", "bob", 10 * ONE, False)
    (found,) = judge(view, view, command, False, ("BF-POS-3",))
    assert (found.law, found.verdict) == ("closing", LOCKED)
    poor = evolve(view.accounts["bob"], margin=0, oi_open=700 * ONE)
    broke = evolve(view, accounts={**view.accounts, "bob": poor})
    assert judge(broke, broke, command, False, ("BF-POS-3",)) == []
    assert judge(view, view, command, False, ("BF-ADL-3",)) == []
