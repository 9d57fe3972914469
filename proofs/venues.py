"""What a venue's own choices guarantee: proved for its rulebook, or shown with numbers to fail.

The laws of `proofs.laws` hold under every valid rulebook. What is asked here depends on what the
venue chose, and is asked of each rulebook: the shipped functions run with its values on unknown
amounts. An answer is a proof by z3, or a counterexample that the real code confirms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from attrs import evolve, frozen

from perpref.rules import (
    adl,
    fee,
    ledger,
    liquidation,
    liquidation_equity,
    liquidation_size,
    vault,
)
from perpref.rules.margin import maintenance_margin
from perpref.state import NEVER, ForcedPrice, LiquidationSize, Market, Position, Rulebook, Stage
from perpref.units import MAX_CASH, MAX_LOTS, MAX_PRICE, MAX_TIME, PARTS
from proofs.adl import any_standing
from proofs.executor import all_of, any_of, assume, claim, fresh_bool, fresh_int, implies
from proofs.margin import any_health
from proofs.prover import prove_group
from proofs.registry import Strength, Theorem
from proofs.world import between

Question = Callable[[Rulebook], None]


def profit_leaves_only_when_it_is_realised(rulebook: Rulebook) -> None:
    """Nobody withdraws a profit that is not realised (LED-6)."""
    counted = ledger.counted_profit(fresh_int("profit"), rulebook.withdraw_profit)
    claim("not counted", counted <= 0)


def the_book_takes_nothing_beyond_the_bankruptcy_price(rulebook: Rulebook) -> None:
    """The limit of a liquidation is the bankruptcy price: no fill costs more (LIQ-11)."""
    mark, bankruptcy = between("mark", 1, MAX_PRICE), between("bankruptcy", 1, MAX_PRICE)
    size, weight, worth, weights = (
        fresh_int(name) for name in ("size", "weight", "equity", "weights")
    )
    assume(all_of(size > 0, weight >= 1, weights >= weight))
    now, since = between("now", 0, MAX_TIME), between("since", NEVER, MAX_TIME)
    assume(implies(worth >= 0, mark >= bankruptcy))  # as LIQ-5 gives it
    limit = liquidation.limit_price(
        rulebook, bankruptcy, mark, size, weight, worth, weights, now, since
    )
    claim("no worse", limit >= bankruptcy)


def all_of_the_equity_stands_behind_an_only_position(rulebook: Rulebook) -> None:
    """Closed in full at its bankruptcy price it leaves its account the dust alone (LIQ-20)."""
    worth, margin = fresh_int("equity"), between("maintenance", 1, MAX_CASH)
    profit, cost = fresh_int("profit"), fresh_int("cost")
    rate = between("initial_rate", 0, PARTS)
    behind = liquidation_equity.equity_behind(
        rulebook.bankruptcy_price, worth, margin, margin, profit, cost, rate
    )
    claim("all", behind == worth)


def nothing_stands_behind_two_positions_at_once(rulebook: Rulebook) -> None:
    """What is behind two positions of a solvent account is together no more than that (LIQ-20)."""
    worth = between("equity", 0, MAX_CASH)
    first, second = between("first.margin", 1, MAX_CASH), between("second.margin", 1, MAX_CASH)
    rate = between("initial_rate", 0, PARTS)
    together = 0
    for name, weight in (("first", first), ("second", second)):
        profit, cost = fresh_int(f"{name}.profit"), fresh_int(f"{name}.cost")
        together += liquidation_equity.equity_behind(
            rulebook.bankruptcy_price, worth, weight, first + second, profit, cost, rate
        )
    claim("no more", together <= worth)


def who_is_liquidated_keeps_the_surplus(rulebook: Rulebook) -> None:
    """Beyond the liquidation fee nothing is charged of what the book gave (FEE-9)."""
    lots, price = between("lots", 1, MAX_LOTS), between("price", 1, MAX_PRICE)
    better, left = between("better", 0, MAX_CASH), fresh_int("left")
    charged = fee.liquidation_charge(rulebook, lots, price, better, left)
    alone = fee.liquidation_charge(
        evolve(rulebook, liquidation_surplus=0), lots, price, better, left
    )
    claim("the fee alone", charged == alone)


def a_liquidation_is_charged_no_more_than_the_book_gave(rulebook: Rulebook) -> None:
    """Fee and surplus leave the account what the bankruptcy price would have left it (FEE-10)."""
    lots, price = between("lots", 1, MAX_LOTS), between("price", 1, MAX_PRICE)
    better, left = between("better", 0, MAX_CASH), fresh_int("left")
    charged = fee.liquidation_charge(rulebook, lots, price, better, left)
    claim("no more", charged <= better)


def a_position_is_offered_whole(rulebook: Rulebook) -> None:
    """The first order of a liquidation closes all of a position, however large (LIQ-10, LIQ-15)."""
    size, worth = fresh_int("size"), between("notional", 0, MAX_PRICE)
    assume(size > 0)
    share, whole = rulebook.liquidation_share, rulebook.liquidation_whole
    offered = liquidation_size.first_lots(size, worth, share, whole, False)
    whole_at_a_time = rulebook.liquidation_size is LiquidationSize.WHOLE
    claim("all", all_of(whole_at_a_time, offered == size))


def the_vault_steps_in_for_whoever_is_due(rulebook: Rulebook) -> None:
    """Where there is a vault it takes over from any account that is due (VLT-7)."""
    worth, needs = fresh_int("equity"), fresh_int("maintenance")
    assume(all_of(needs >= 1, worth < needs))
    trigger = rulebook.vault_trigger
    there = Stage.VAULT in rulebook.waterfall
    claim("steps in", there and vault.steps_in(worth, needs, trigger))


def nobody_is_deleveraged_before_the_vault_is_asked(rulebook: Rulebook) -> None:
    """No winner is closed while the vault has not been asked (LIQ-7)."""
    stages = rulebook.waterfall
    asked = Stage.DELEVERAGE not in stages or Stage.VAULT in stages
    claim("asked", implies(fresh_bool("a winner is closed"), asked))


def only_the_insolvent_are_closed_against_winners(rulebook: Rulebook) -> None:
    """An account that is solvent is never closed by ADL (ADL-6)."""
    worth = fresh_int("equity")
    closed = adl.triggers(worth, rulebook.deleverage_only_insolvent)
    claim("insolvent", implies(closed, worth < 0))


def who_is_closed_by_adl_loses_what_it_has_and_no_less(rulebook: Rulebook) -> None:
    """The price of an ADL is the bankruptcy price, or all margin goes along (ADL-3, ADL-13)."""
    if rulebook.deleverage_price is ForcedPrice.MARGIN:
        margin, lots = fresh_int("margin"), between("lots", 1, MAX_LOTS)
        claim("all", liquidation.margin_transferred(margin, lots, lots) == margin)
        return
    bankruptcy, mark, previous = (
        between(name, 1, MAX_PRICE) for name in ("bankruptcy", "mark", "previous_mark")
    )
    price = adl.forced_price(rulebook, bankruptcy, mark, previous, between("index", 0, MAX_PRICE))
    claim("bankruptcy price", price == bankruptcy)


def an_adl_closes_at_a_price_of_today(rulebook: Rulebook) -> None:
    """The price of an ADL follows from today's mark, not from the one before (ADL-3)."""
    bankruptcy, mark, previous = (
        between(name, 1, MAX_PRICE) for name in ("bankruptcy", "mark", "previous_mark")
    )
    price = adl.forced_price(rulebook, bankruptcy, mark, previous, between("index", 0, MAX_PRICE))
    claim("today's", any_of(price == bankruptcy, price == mark))


def a_winner_is_closed_before_a_loser(rulebook: Rulebook) -> None:
    """Who has gained stands in the queue before who has lost (ADL-2)."""
    winner, loser = any_standing("winner"), any_standing("loser")
    for standing in (winner, loser):
        size = abs(standing.size)
        assume(all_of(standing.notional >= size, standing.cost >= size, standing.equity >= 1))
        assume(all_of(standing.size > 0, standing.margin >= 1))
        assume(standing.profit == standing.notional - standing.cost)
    assume(all_of(winner.profit > 0, loser.profit < 0))
    claim("before", adl.outranks(winner, loser, rulebook.deleverage_ranking))


def of_two_winning_shorts_the_better_sold_one_is_closed_first(rulebook: Rulebook) -> None:
    """Of two shorts that gained and differ in that alone, the one with more is first (ADL-2)."""
    first, second = any_standing("first"), any_standing("second")
    for short in (first, second):
        assume(all_of(short.size < 0, short.equity >= 1, short.notional >= -short.size))
        assume(short.profit == short.cost - short.notional)
        assume(
            all_of(short.margin == short.equity, short.collateral == short.equity - short.profit)
        )
    assume(all_of(first.size == second.size, first.notional == second.notional))
    assume(all_of(first.equity == second.equity, first.maintenance == second.maintenance))
    assume(all_of(first.profit > second.profit, second.profit > 0))
    claim("first", adl.outranks(first, second, rulebook.deleverage_ranking))


def no_counterparty_is_left_riskier(rulebook: Rulebook) -> None:
    """After an ADL a counterparty's equity covers its margin no worse than before (ADL-4)."""
    before, after = any_health("before"), any_health("after")
    assume(adl.bears_closing(before, after, rulebook.deleverage_never_riskier))
    claim("covers", after.equity * before.maintenance >= before.equity * after.maintenance)


QUESTIONS: tuple[Question, ...] = (
    profit_leaves_only_when_it_is_realised,
    a_position_is_offered_whole,
    the_book_takes_nothing_beyond_the_bankruptcy_price,
    all_of_the_equity_stands_behind_an_only_position,
    nothing_stands_behind_two_positions_at_once,
    who_is_liquidated_keeps_the_surplus,
    a_liquidation_is_charged_no_more_than_the_book_gave,
    the_vault_steps_in_for_whoever_is_due,
    nobody_is_deleveraged_before_the_vault_is_asked,
    only_the_insolvent_are_closed_against_winners,
    who_is_closed_by_adl_loses_what_it_has_and_no_less,
    an_adl_closes_at_a_price_of_today,
    a_winner_is_closed_before_a_loser,
    of_two_winning_shorts_the_better_sold_one_is_closed_first,
    no_counterparty_is_left_riskier,
)
"""What is asked of every rulebook."""


def margin_is_in_proportion_to_size(market: Market) -> None:
    """Twice the size needs no more than twice the margin, so size alone is not dear (MRG-6)."""
    size = fresh_int("size")
    assume(size >= 1)
    once, twice = (
        maintenance_margin(Position(lots, lots * market.mark), market)
        for lots in (size, size + size)
    )
    claim("no more than twice", twice <= once + once)


OF_ADL = (
    only_the_insolvent_are_closed_against_winners,
    who_is_closed_by_adl_loses_what_it_has_and_no_less,
    an_adl_closes_at_a_price_of_today,
    a_winner_is_closed_before_a_loser,
    of_two_winning_shorts_the_better_sold_one_is_closed_first,
    no_counterparty_is_left_riskier,
)
"""What has no meaning where nobody is deleveraged."""


@frozen
class Answer:
    """Whether a rulebook guarantees something; if not, the numbers that show it.

    `asked` is false where the rulebook has no such stage, and then it does not hold either.
    """

    question: str
    says: str
    holds: bool
    witness: str = ""
    asked: bool = True

    @property
    def sentence(self) -> str:
        """The question's name as a sentence."""
        words = self.question.replace("_", " ").replace(" adl", " ADL")
        return words[:1].upper() + words[1:]


def answers(rulebook: Rulebook, market: Market | None = None) -> Iterator[Answer]:
    """What a rulebook guarantees, and a market of it where one is given."""
    programs: dict[Callable[..., None], Callable[[], None]] = {
        question: _asked(question, rulebook) for question in QUESTIONS
    }
    if market is not None:
        programs[margin_is_in_proportion_to_size] = _asked(margin_is_in_proportion_to_size, market)
    for question, program in programs.items():
        says = " ".join((question.__doc__ or "").split())
        if question in OF_ADL and Stage.DELEVERAGE not in rulebook.waterfall:
            yield Answer(question.__name__, says, False, asked=False)
            continue
        stated = Theorem(
            "T-VENUE", question.__name__, says, "venues", "rulebook", (), Strength.THEOREM, program
        )
        (row,) = prove_group([stated], replay=False, second_opinion=False)
        if not row.problem:
            yield Answer(question.__name__, says, True)
            continue
        (shown,) = prove_group([evolve(stated, strength=Strength.REFUTED)], replay=False)
        if shown.problem:
            raise RuntimeError(f"{question.__name__} is neither proved nor refuted: {row.problem}")
        yield Answer(question.__name__, says, False, shown.witness or ALL_ZERO)


ALL_ZERO = "every amount 0"
"""A counterexample names the amounts that are not 0."""


def _asked(question: Callable[..., None], of: object) -> Callable[[], None]:
    def program() -> None:
        question(of)

    return program


def table(rulebooks: Mapping[str, tuple[Rulebook, Market]]) -> dict[str, list[Answer]]:
    """The answers of several rulebooks, by name."""
    return {name: list(answers(*chosen)) for name, chosen in rulebooks.items()}
