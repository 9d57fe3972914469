"""`perpref rulebook`: cards, differences in words, and files that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from click.testing import CliRunner, Result

from perpref.checker.files import shipped
from perpref.checker.rulebook_card import (
    FORMULA_TERMS,
    IN_WORDS,
    MARKET_POLICY_TERMS,
    MARKET_TERMS,
    TERMS,
    card,
    compare,
    percent,
)
from perpref.checker.rulebook_file import (
    CHAPTERS,
    FORMULAS,
    MARKET,
    MARKET_POLICIES,
    POLICIES,
    RULES,
    load_venue,
)
from perpref.checker.waterfall_words import PHRASES, side_by_side, vault_line, who_pays
from perpref.cli_rulebook import rulebook
from perpref.rule_registry import functions, refusals
from perpref.state import (
    BankruptcyPrice,
    Chooser,
    FeeBound,
    ForcedPrice,
    FundTrigger,
    LiquidationLimit,
    LiquidationOrder,
    LiquidationPosition,
    LiquidationSize,
    LossSharing,
    MarkPolicy,
    Ranking,
    SelfTrade,
    ShareWeight,
    Sharing,
    Stage,
    TakeoverPrice,
)
from perpref.units import Rounding

TEXTBOOK = Path(__file__).parents[1] / "spec" / "rulebooks" / "textbook.toml"

BEYOND = """
[[beyond]]
chapter = "margin"
says = "Margin grows with open interest."
source = "a page"
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(rulebook, list(arguments), catch_exceptions=False)


def changed(tmp_path: Path, *changes: tuple[str, str], more: str = "") -> str:
    """The textbook with other values, and perhaps more at its end."""
    text = TEXTBOOK.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / "mine.toml"
    path.write_text(text + more, encoding="utf-8")
    return str(path)


def test_every_choice_is_on_the_card_and_has_words() -> None:
    assert {term.key for term in TERMS} == {*RULES, *POLICIES}
    assert {term.key for term in MARKET_TERMS} == set(MARKET)
    assert {term.key for term in MARKET_POLICY_TERMS} == set(MARKET_POLICIES)
    assert {term.key for term in FORMULA_TERMS} == set(FORMULAS)
    assert set(IN_WORDS) == {
        *Ranking,
        *ForcedPrice,
        *LiquidationLimit,
        *TakeoverPrice,
        *BankruptcyPrice,
        *FeeBound,
        *LiquidationOrder,
        *LiquidationPosition,
        *LiquidationSize,
        *SelfTrade,
        *Sharing,
        *ShareWeight,
        *LossSharing,
        *MarkPolicy,
        *FundTrigger,
        *Rounding,
        *Chooser,
    }
    assert set(PHRASES) == set(Stage)
    known = set(functions())
    known |= {code.rule for code in refusals().values()}
    terms = (*TERMS, *MARKET_TERMS, *MARKET_POLICY_TERMS, *FORMULA_TERMS)
    assert {term.rule for term in terms} <= known
    assert {term.chapter for term in terms} <= set(CHAPTERS)


@pytest.mark.parametrize(
    ("parts", "says"),
    [(0, "0 %"), (1, "0.0001 %"), (200, "0.02 %"), (10_000, "1 %"), (1_000_000, "100 %")],
)
def test_parts_per_million_as_per_cent(parts: int, says: str) -> None:
    assert percent(parts) == says


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "hyperliquid",
            "takes positions over at the mark, and the margin behind the lots goes along",
        ),
        ("paradex", "takes positions over at the mark, without any margin"),
        ("dydx-v4", "pays what a fill lacks of the bankruptcy price"),
        ("drift", "liquidators from outside take positions first"),
        ("kraken", "volunteers take positions at an edge"),
    ],
)
def test_a_card_says_in_one_line_which_vault_there_is(name: str, says: str) -> None:
    lines = run("show", name).output.splitlines()
    (line,) = (one for one in lines if one.startswith("vault: ") and "(VLT" in one)
    assert line.startswith(f"vault: {says} (VLT-")
    bare = evolve(load_venue(name).rulebook, waterfall=(Stage.RESIDUAL,), liquidators=False)
    assert vault_line(bare) == "vault: none"


def test_the_list_names_every_rulebook() -> None:
    listed = run("list")
    assert listed.exit_code == 0
    names = [line.split()[0] for line in listed.output.splitlines() if line[:1].strip()]
    assert names == ["rulebook", *shipped("rulebooks"), "bluefin"]
    assert len(names) == 19


def test_a_rulebook_of_a_model_of_its_own_is_shown() -> None:
    shown = run("show", "bluefin")
    assert shown.exit_code == 0
    assert "market.initial_margin" in shown.output
    assert "ADL-1, ADL-3: keeps. The counterparty is of the other side" in shown.output
    assert run("validate", "bluefin").exit_code == 2


@pytest.mark.parametrize("name", shipped("rulebooks"))
def test_a_card_shows_every_value_with_its_source(name: str) -> None:
    shown = run("show", name)
    assert shown.exit_code == 0
    flat = "".join(shown.output.split())
    venue = load_venue(name)
    for _, lines in card(venue):
        for line in lines:
            assert line.term.rule in flat
            assert line.source.status in flat
    for entry in venue.beyond:
        assert "".join(entry.says.split()) in flat
    stages = [stage.value for stage in venue.rulebook.waterfall]
    places = [shown.output.index(f"+- {stage}") for stage in stages]
    assert places == sorted(places)


def test_a_difference_is_said_with_both_values_and_sources(tmp_path: Path) -> None:
    mine = changed(
        tmp_path,
        ('value = "bankruptcy"', 'value = "mark"'),
        ('source = "spec/adl.md, ADL-3"', 'source = "help page 7"'),
        ('name = "textbook"', 'name = "mine"'),
        more=BEYOND,
    )
    told = run("diff", "textbook", mine)
    assert told.exit_code == 0
    lines = told.output.splitlines()
    at = lines.index("   ADL: closed at (ADL-3)")
    assert lines[at - 1] == "They differ: adl"
    assert lines[at + 1 : at + 5] == [
        "      textbook: the bankruptcy price",
        "         chosen: spec/adl.md, ADL-3",
        "      mine: the mark",
        "         chosen: help page 7",
    ]
    assert sum(line.endswith("-3)") for line in lines) == 1
    assert "   mine: Margin grows with open interest." in lines
    assert "   textbook: nothing noted" in lines
    found = compare(load_venue("textbook"), load_venue(mine))
    assert [difference.term.key for difference in found.differences] == ["deleverage_price"]
    assert len(found.alike) == len(TERMS) - 1


def test_a_venue_does_not_differ_from_itself() -> None:
    assert not compare(load_venue("textbook"), load_venue("textbook")).differences
    assert "the same choices" in run("diff", "textbook", "textbook").output


def test_a_valid_file_is_said_so(tmp_path: Path) -> None:
    said = run("validate", changed(tmp_path, ('name = "textbook"', 'name = "mine"')))
    assert said.exit_code == 0
    assert said.output == "mine is valid, with BTC, ETH; its values: 21 chosen.\n"


def stated(key: str, value: str) -> str:
    return f'\n[{key}]\nvalue = {value}\nsource = "x"\nstatus = "chosen"\n'


def test_receivers_are_not_capped_where_accounts_are_settled_on_touch(tmp_path: Path) -> None:
    capped = stated("funding_receivers_capped", "true")
    alone = changed(tmp_path, ('name = "textbook"', 'name = "mine"'), more=capped)
    assert run("validate", alone).exit_code == 0
    both = changed(tmp_path, more=capped + stated("funding_on_touch", "true"))
    refused = run("validate", both)
    assert refused.exit_code == 2
    line = Path(both).read_text(encoding="utf-8").splitlines().index("[funding_receivers_capped]")
    assert f":{line + 1}: funding_receivers_capped: an index pays whoever is touched" in (
        refused.output
    )
    assert refused.output.endswith("funding_on_touch must be false with it [FUND-14]\n")


@pytest.mark.parametrize("by", ["down", "up", "towards_zero"])
def test_fees_and_funding_are_rounded_in_any_direction(tmp_path: Path, by: str) -> None:
    more = stated("fee_rounding", f'"{by}"') + stated("funding_rounding", f'"{by}"')
    mine = changed(tmp_path, ('name = "textbook"', 'name = "mine"'), more=more)
    assert run("validate", mine).exit_code == 0
    rulebook = load_venue(mine).rulebook
    assert rulebook.fee_rounding.value == rulebook.funding_rounding.value == by


@pytest.mark.parametrize(
    ("key", "by", "other", "says"),
    [
        (
            "loss_share_rounding",
            "up",
            "down",
            "up, since a larger weight never pays less [LOSS-3]",
        ),
        (
            "maintenance_margin_rounding",
            "up",
            "towards_zero",
            "up, since a margin is its rate of notional rounded up [MRG-3]",
        ),
        (
            "vault_shares_rounding",
            "down",
            "up",
            'not the direction that a law needs ("up"); down, since a contribution costs',
        ),
        ("vault_shares_rounding", "down", "nearest", "no such direction"),
    ],
)
def test_a_rounding_that_a_law_needs_is_stated_as_it_is(
    tmp_path: Path, key: str, by: str, other: str, says: str
) -> None:
    mine = changed(tmp_path, ('name = "textbook"', 'name = "mine"'), more=stated(key, f'"{by}"'))
    assert run("validate", mine).exit_code == 0
    wrong = changed(tmp_path, more=stated(key, f'"{other}"'))
    refused = run("validate", wrong)
    assert refused.exit_code == 2
    line = Path(wrong).read_text(encoding="utf-8").splitlines().index(f"[{key}]") + 2
    assert f":{line}: {key}.value: " in refused.output
    assert says in refused.output


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'value = "bankruptcy"',
            'value = "previous_mark"',
            "deleverage_only_insolvent must be true with this price [ADL-6]",
        ),
        (
            'value = "leveraged_return"',
            'value = "leverage"',
            'no such ranking ("leverage"); did you mean leveraged_return?',
        ),
        ('value = 10_000, source = "one per cent"', 'value = 1.5, source = "x"', "UNIT-1"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_line(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    refused = run("validate", changed(tmp_path, (old, new)))
    assert refused.exit_code == 2
    assert refused.output.count("\n") == 1
    assert says in refused.output


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[[beyond]]\nsays = "x"\nsource = "y"', "beyond[1].chapter"),
        ('[[beyond]]\nchapter = "cash"\nsays = "x"\nsource = "y"', "no such chapter"),
        ('[[beyond]]\nchapter = "adl"\nsays = ""\nsource = "y"', "empty"),
        ('[[beyond]]\nchapter = "adl"\nsays = "x"\nwho = "y"', "unknown key"),
    ],
)
def test_what_lies_beyond_has_a_chapter_and_a_source(tmp_path: Path, more: str, says: str) -> None:
    refused = run("validate", changed(tmp_path, more="\n" + more + "\n"))
    assert refused.exit_code == 2
    assert says in refused.output


def test_the_waterfall_is_told_with_the_choices_of_the_venue() -> None:
    rows = {what: (ours, theirs) for what, ours, theirs in side_by_side(*map(load_venue, PAIR))}
    hyperliquid, binance = rows["vault"]
    assert "66.6666 % of the maintenance margin" in hyperliquid
    assert "maintenance margin" not in binance
    assert "20 % first" in rows["book"][0]
    assert "20 %" not in rows["book"][1]
    assert rows["deleverage"][0].startswith("only of an insolvent account")
    assert "is not published" in rows["residual"][1]


PAIR = ("hyperliquid", "binance")


def test_a_stage_that_one_venue_has_not_is_said_to_be_missing() -> None:
    rows = {
        what: said for what, *said in side_by_side(load_venue("textbook"), load_venue("kraken"))
    }
    assert rows["volunteers"][0] == "there is no such stage"
    assert rows["vault"][1] == "there is no such stage"


def test_who_pays_depends_on_the_price_of_an_adl() -> None:
    plain = load_venue("textbook").rulebook
    at_mark = evolve(plain, deleverage_price=ForcedPrice.MARK)
    nobody = evolve(plain, waterfall=(Stage.BOOK, Stage.VAULT, Stage.RESIDUAL))
    carried = evolve(nobody, carry_bad_debt=True)
    assert who_pays(plain).startswith("the winners who are closed")
    assert who_pays(at_mark).startswith("everybody who shares the loss")
    assert who_pays(nobody) == "no winner is closed: everybody who shares the loss"
    assert who_pays(carried) == "no winner is closed: the vault, as a debt"
