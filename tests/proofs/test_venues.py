"""What rulebooks guarantee: asked of all of them, and of some of which the answer is known."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from click.testing import CliRunner

from perpref.checker.files import shipped
from perpref.checker.rulebook_file import load_venue
from perpref.cli_rulebook import rulebook
from perpref.state import (
    BankruptcyPrice,
    FeeBound,
    LiquidationLimit,
    Ranking,
    Rulebook,
    Stage,
    Tier,
)
from perpref.units import PARTS
from proofs.venues import QUESTIONS, answers

TEXTBOOK = load_venue("textbook").rulebook


def failing(chosen: Rulebook) -> set[str]:
    return {answer.question for answer in answers(chosen) if answer.asked and not answer.holds}


def test_the_textbook_closes_the_solvent_and_spares_nobody_risk() -> None:
    assert failing(TEXTBOOK) == {
        "only_the_insolvent_are_closed_against_winners",
        "no_counterparty_is_left_riskier",
    }


@pytest.mark.parametrize(
    ("change", "question"),
    [
        ({"withdraw_profit": True}, "profit_leaves_only_when_it_is_realised"),
        ({"liquidation_share": 999_999}, "a_position_is_offered_whole"),
        (
            {
                "liquidation_limit": LiquidationLimit.FILLABLE,
                "liquidation_adjustment": 1,
                "liquidation_spread": 1,
            },
            "the_book_takes_nothing_beyond_the_bankruptcy_price",
        ),
        (
            {"bankruptcy_price": BankruptcyPrice.ENTRY},
            "all_of_the_equity_stands_behind_an_only_position",
        ),
        (
            {"bankruptcy_price": BankruptcyPrice.ENTRY},
            "nothing_stands_behind_two_positions_at_once",
        ),
        (
            {"bankruptcy_price": BankruptcyPrice.WHOLE_EQUITY},
            "nothing_stands_behind_two_positions_at_once",
        ),
        ({"liquidation_surplus": PARTS}, "who_is_liquidated_keeps_the_surplus"),
        (
            {"liquidation_fee_bound": FeeBound.EQUITY},
            "a_liquidation_is_charged_no_more_than_the_book_gave",
        ),
        ({"vault_trigger": 999_999}, "the_vault_steps_in_for_whoever_is_due"),
        (
            {"waterfall": (Stage.DELEVERAGE, Stage.RESIDUAL)},
            "nobody_is_deleveraged_before_the_vault_is_asked",
        ),
        ({"deleverage_ranking": Ranking.MARK_TO_ENTRY}, "a_winner_is_closed_before_a_loser"),
        (
            {"deleverage_ranking": Ranking.MARK_TO_ENTRY_LITERAL},
            "of_two_winning_shorts_the_better_sold_one_is_closed_first",
        ),
    ],
)
def test_one_choice_is_enough_to_lose_a_guarantee(change: dict[str, Any], question: str) -> None:
    assert question not in failing(TEXTBOOK)
    assert question in failing(evolve(TEXTBOOK, **change))


def test_tiers_make_size_dear() -> None:
    market = next(iter(load_venue("textbook").terms.values())).opened()
    tiered = evolve(market, tiers=(Tier(10_000, 500_000, 400_000),))
    (flat,), (dear,) = (
        [answer for answer in answers(TEXTBOOK, listed) if answer.question.startswith("margin")]
        for listed in (market, tiered)
    )
    assert flat.holds
    assert not dear.holds
    assert "size = " in dear.witness


@pytest.mark.parametrize("name", shipped("rulebooks"))
def test_every_shipped_rulebook_has_an_answer_to_each_question(name: str) -> None:
    venue = load_venue(name)
    market = next(iter(venue.terms.values())).opened()
    found = list(answers(venue.rulebook, market))
    assert len(found) == len(QUESTIONS) + 1
    for answer in found:
        assert answer.holds is not bool(answer.witness) or not answer.asked
        assert answer.says.endswith(").")


def test_without_adl_nothing_is_said_of_it() -> None:
    found = {a.question: a for a in answers(load_venue("drift").rulebook)}
    assert not found["no_counterparty_is_left_riskier"].asked
    assert found["profit_leaves_only_when_it_is_realised"].holds


def test_the_command_says_it_in_words() -> None:
    ran = CliRunner().invoke(rulebook, ["guarantees", "dydx-v4"])
    assert ran.exit_code == 0
    assert "holds   Nobody withdraws a profit that is not realised (LED-6)." in ran.output
    assert "fails   The limit of a liquidation is the bankruptcy price" in ran.output
    assert "bankruptcy = " in ran.output
    assert CliRunner().invoke(rulebook, ["guarantees", "nobody"]).exit_code == 2
