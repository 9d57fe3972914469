"""Proved contracts in place of functions, where a program would have too many paths.

A long action calls small functions whose inner cases do not matter to it. `assuming` lets it run
with what those functions were proved to guarantee instead of with their bodies: each contract
below is a shipped function's theorem, named beside it, and says no more than that theorem; what
the theorem needs of the arguments, the contract claims of them.

A contract says less than the function does, so a path may be possible under contracts only. To
find integers that really take a path, `exactly` adds what the shipped functions themselves
compute, gathered by exploring them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from attrs import frozen

from perpref.rules import (
    adl,
    adl_margin,
    adl_sharing,
    book,
    fee,
    funding,
    ledger,
    liquidation,
    liquidation_equity,
    liquidation_size,
    liquidator,
    loss_trigger,
    margin,
    position,
    vault,
    volunteers,
)
from perpref.rules.adl import Standing
from perpref.rules.margin import Health
from perpref.state import (
    BankruptcyPrice,
    FundTrigger,
    LiquidationSize,
    Market,
    Order,
    Position,
    Ranking,
    Rulebook,
    TakeoverPrice,
)
from perpref.units import PARTS, AccountId, Rounding
from proofs.executor import (
    all_of,
    any_of,
    assume,
    claim,
    fresh_bool,
    fresh_int,
    implies,
    ite,
)
from proofs.executor.explore import Run, running
from proofs.executor.structure import identity
from proofs.summary import summarise
from proofs.world import sound


@frozen(eq=False)
class Contract:
    """What a function needs of its arguments, and what may be taken for granted of its result.

    `reads` is the part of the arguments that decides, where it is less than all of them.
    """

    shipped: Callable[..., Any]
    modules: tuple[Any, ...]
    needs: Callable[..., bool]
    gives: Callable[..., Any]
    reads: Callable[..., tuple[Any, ...]] = lambda *args: args

    @property
    def name(self) -> str:
        return self.shipped.__name__

    def __call__(self, *args: Any) -> Any:
        """The result of a call: the same unknowns for the same arguments, as of a function."""
        calls = _calls.setdefault(running(), {})
        key = (self.name, *(identity(part) for part in self.reads(*args)))
        if key not in calls:
            claim(f"{self.name} is given what it needs", self.needs(*args))
            calls[key] = Call(self, args, self.gives(*args))
        return calls[key].result


@frozen(eq=False)
class Call:
    """One call that a contract answered."""

    contract: Contract
    args: tuple[Any, ...]
    result: Any


_calls: WeakKeyDictionary[Run, dict[object, Call]] = WeakKeyDictionary()


def calls() -> tuple[Call, ...]:
    """The calls that contracts have answered in the run that is going on."""
    return tuple(_calls.get(running(), {}).values())


def exactly(call: Call) -> Any:
    """The condition that the shipped function gives the result that the contract gave."""
    contract = call.contract
    summary = summarise(contract.shipped, contract.needs, call.args, call.result)
    return summary.of(call.args, call.result)


def _traded(held: Position, lots: int, price: int) -> tuple[Position, int]:
    """By a_fill_costs_an_account_exactly_the_price_of_its_lots and a_position_stays_sound."""
    after = Position(held.size + lots, fresh_int("cost after"))
    profit = fresh_int("profit")
    assume(profit - after.cost == -held.cost - price * lots)
    assume(sound(after))
    return after, profit


def _margin(held: Position, market: Market) -> int:
    """By margins_are_ordered_and_within_the_notional."""
    needed = fresh_int("margin")
    assume(all_of(needed >= 0, needed <= abs(held.size) * market.mark))
    assume(implies(held.size != 0, needed >= 1))
    return needed


def _initial_margin(held: Position, market: Market) -> int:
    """By margins_are_ordered_and_within_the_notional."""
    needed = _margin(held, market)
    assume(needed >= MAINTENANCE(held, market))
    return needed


def _rates(held: Position, market: Market) -> bool:
    least = market.maintenance_rate
    room = implies(market.due_at_maintenance, market.initial_rate > least)
    return all_of(least >= 1, market.initial_rate >= least, room)


def _trading_fee(lots: int, price: int, rate: int, rounding: Rounding) -> int:
    """By a_fee_errs_by_less_than_a_quantum_in_its_own_direction: it is never negative."""
    charged = fresh_int("fee")
    assume(charged >= 0)
    return charged


def _funding(*given: Any) -> int:
    """Any amount at all: no law of an action depends on how much funding is."""
    return fresh_int("due")


def _liquidation_charge(rulebook: Rulebook, lots: int, price: int, better: int, left: int) -> int:
    """By whatever_a_liquidation_is_charged_the_account_has."""
    charged = fresh_int("liquidation charge")
    assume(all_of(charged >= 0, charged <= ite(left > 0, left, 0)))
    return charged


def _equity_behind(
    definition: BankruptcyPrice,
    equity: int,
    weight: int,
    weights: int,
    profit: int,
    cost: int,
    rate: int,
) -> int:
    """By what_stands_behind_a_position_is_never_more_than_a_solvent_equity."""
    behind = fresh_int("equity behind")
    solvent = all_of(equity >= 0, weight >= 0, weight <= weights)
    assume(implies(solvent, all_of(behind >= 0, behind <= equity)))
    insolvent = all_of(equity < 0, weight >= 1, weight <= weights)
    assume(implies(insolvent, all_of(behind < 0, behind >= equity)))
    return behind


def _price_without(mark: int, size: int, share: int) -> int:
    """By closing_without_a_share_costs_no_more_than_the_share."""
    price = fresh_int("bankruptcy price")
    given = ite(size > 0, mark - price, price - mark)
    assume(price >= 1)
    assume(implies(share >= 0, all_of(given >= 0, given * abs(size) <= share)))
    return price


def _reducible(order: Order, held: Position) -> int:
    """By a_reduce_only_order_never_fills_more_than_the_position."""
    lots = fresh_int("reducible")
    assume(all_of(lots >= 0, lots <= order.lots))
    return lots


def _reduces(before: Position, after: Position) -> bool:
    """By reducing_is_fewer_lots_on_the_same_side: what reduces was open."""
    reducing = fresh_bool("reduces")
    assume(implies(reducing, before.size != 0))
    return reducing


def _bears_fill(before: Health, after: Health, reducing: bool) -> bool:
    """By a_fill_that_is_borne_leaves_an_account_solvent_and_not_due."""
    borne = fresh_bool("borne")
    assume(implies(borne, after.equity >= 0))
    was_fine = before.equity >= before.maintenance
    assume(implies(all_of(borne, was_fine), after.equity >= after.maintenance))
    return borne


def _healths(before: Health, after: Health, reducing: bool) -> bool:
    return all_of(
        before.maintenance >= 0,
        after.maintenance >= 0,
        after.initial >= after.maintenance,
        implies(reducing, before.maintenance > 0),
    )


def _forced_price(
    rulebook: Rulebook, bankruptcy: int, mark: int, previous_mark: int, index: int
) -> int:
    """By an_adl_closes_a_solvent_account_at_its_bankruptcy_price_or_at_the_mark."""
    price = fresh_int("price of the ADL")
    assume(price >= 1)
    assume(any_of(rulebook.deleverage_only_insolvent, price == bankruptcy, price == mark))
    return price


def _margin_transferred(margin: int, lots: int, size: int) -> int:
    """By margin_that_goes_along_is_a_part_of_what_there_is."""
    along = fresh_int("margin along")
    assume(implies(margin >= 0, all_of(along >= 0, along <= margin)))
    assume(implies(margin < 0, along < 0))
    return along


def _takeover_terms(
    choice: TakeoverPrice, bankruptcy: int, mark: int, margin: int, lots: int, size: int
) -> tuple[int, int]:
    """By a_takeover_takes_no_more_margin_than_there_is: at the mark, or without any."""
    price, along = fresh_int("price of the takeover"), fresh_int("margin along")
    assume(any_of(all_of(price == bankruptcy, along == 0), price == mark))
    assume(implies(margin >= 0, all_of(along >= 0, along <= margin)))
    assume(implies(margin < 0, along <= 0))
    return price, along


def _is_within_notional_cap(notional: int, equity: int, cap: int) -> bool:
    """By a_cap_of_notional_is_a_part_of_equity."""
    within = fresh_bool("within the notional cap")
    assume(implies(all_of(within, cap > 0), notional * PARTS <= cap * equity))
    return within


def _fund_has_fallen(trigger: FundTrigger, fund: int, drawn_down: bool) -> bool:
    """By an_empty_fund_has_fallen_under_every_trigger_but_a_drawdown: either may be."""
    return fresh_bool("fund has fallen")


def _paid_out(amount: int, pot: int, lack: int) -> int:
    """By a_withdrawal_gets_no_more_than_it_asks_and_all_of_it_from_a_whole_pot."""
    paid = fresh_int("paid out")
    assume(all_of(paid >= 0, paid <= amount))
    assume(implies(lack <= 0, paid == amount))
    return paid


def _triggers(equity: int, only_insolvent: bool) -> bool:
    """By an_adl_may_wait_for_insolvency."""
    triggered = fresh_bool("triggered")
    assume(implies(all_of(triggered, only_insolvent), equity < 0))
    return triggered


def _bears_closing(before: Health, after: Health, never_riskier: bool) -> bool:
    """By a_closing_that_is_borne_leaves_a_counterparty_solvent_or_no_worse."""
    borne = fresh_bool("closing borne")
    assume(implies(borne, any_of(after.equity >= 0, after.equity >= before.equity)))
    return borne


def _limit_price(rulebook: Rulebook, bankruptcy: int, *rest: int) -> int:
    """By the_limit_of_a_liquidation_is_a_price."""
    price = fresh_int("limit")
    assume(price >= 1)
    return price


def _with_buffer(maintenance: int, notional: int, buffer: int) -> int:
    """By a_buffer_is_on_top_of_the_maintenance_margin."""
    needed = fresh_int("with buffer")
    assume(implies(all_of(notional >= 0, buffer >= 0), needed >= maintenance))
    return needed


def _fillable_lots(most: int, size: int, offered: int) -> int:
    """By a_fill_closes_as_many_lots_as_there_are_on_all_sides."""
    lots = fresh_int("lots of the fill")
    assume(all_of(lots >= 1, lots <= most, lots <= abs(size), lots <= offered))
    return lots


def _lacking(better: int) -> int:
    """By what_a_fill_lacks_is_made_good_and_no_more."""
    lacks = fresh_int("lacking")
    assume(all_of(lacks >= 0, lacks >= -better, any_of(lacks == 0, lacks == -better)))
    return lacks


def _is_too_much(size: LiquidationSize, fewer_suffice: bool) -> bool:
    """By a_liquidator_is_stopped_only_where_fewer_lots_suffice."""
    too_much = fresh_bool("more than needed")
    assume(implies(too_much, fewer_suffice))
    return too_much


def _boundary_of(vault: AccountId, main: int, own: int) -> int:
    """By the_main_vault_keeps_the_rulebooks_boundary_and_a_child_its_markets: one of the two."""
    boundary = fresh_int("boundary")
    assume(any_of(boundary == main, boundary == own))
    return boundary


def _assigned_price(mark: int, size: int, bankruptcy: int, most: int) -> int:
    """By a_volunteer_is_given_no_more_than_is_behind_the_position."""
    price = fresh_int("price of the assignment")
    given, behind = (ite(size > 0, mark - at, at - mark) for at in (price, bankruptcy))
    assume(all_of(price >= 1, given >= 0))
    assume(implies(behind >= 0, all_of(given <= behind, given * abs(size) <= behind * abs(size))))
    return price


def _liquidator_price(mark: int, size: int, fee: int) -> int:
    """By a_liquidator_pays_the_mark_less_no_more_than_its_fee: in particular it is a price."""
    price = fresh_int("liquidator's price")
    assume(price >= 1)
    return price


def _covers_no_worse(before: Health, after: Health) -> bool:
    """By who_covers_no_worse_is_solvent_and_no_less_safe: in particular it is solvent."""
    covered = fresh_bool("covers no worse")
    assume(implies(covered, after.equity >= 0))
    return covered


def _score(standing: Standing, ranking: Ranking) -> tuple[int, int]:
    """By a_score_has_a_positive_denominator."""
    numerator, denominator = fresh_int("score"), fresh_int("base")
    assume(denominator >= 1)
    return numerator, denominator


def _scaled_rate(rate: int, interest: int, scaled_from: int, scaled_to: int) -> int:
    """By an_initial_rate_grows_with_open_interest_up_to_the_whole_notional."""
    scaled = fresh_int("scaled rate")
    assume(all_of(scaled >= rate, scaled <= PARTS))
    return scaled


def _newly_long(size: int, lots: int) -> int:
    """By the_open_interest_is_what_is_held_long: any number, for whoever does not ask."""
    return fresh_int("newly long")


def _size_mark_and_rates(held: Position, market: Market) -> tuple[object, ...]:
    """By a_margin_depends_on_size_mark_and_rates_alone."""
    rates = (market.maintenance_rate, market.tiers, market.due_at_maintenance)
    return held.size, market.mark, *rates


def _with_interest(held: Position, market: Market) -> tuple[object, ...]:
    """By the same theorem; where it is scaled, by the open interest as well."""
    scaling = (market.open_interest, market.scaled_from, market.scaled_to)
    return *_size_mark_and_rates(held, market), market.initial_rate, *scaling


MAINTENANCE = Contract(
    margin.maintenance_margin,
    (margin, liquidation, liquidation_size, adl_sharing),
    _rates,
    _margin,
    _size_mark_and_rates,
)

CONTRACTS = (
    Contract(
        position.traded,
        (ledger,),
        lambda held, lots, price: all_of(sound(held), price >= 1),
        _traded,
    ),
    MAINTENANCE,
    Contract(margin.initial_margin, (margin,), _rates, _initial_margin, _with_interest),
    Contract(
        margin.scaled_rate,
        (margin,),
        lambda rate, interest, scaled_from, scaled_to: all_of(
            rate >= 0, rate <= PARTS, interest >= 0, scaled_from >= 0, scaled_to >= 0
        ),
        _scaled_rate,
    ),
    Contract(ledger.newly_long, (ledger,), lambda size, lots: all_of(), _newly_long),
    Contract(
        fee.trading_fee,
        (fee,),
        lambda lots, price, rate, rounding: all_of(lots >= 0, price >= 0, rate >= 0),
        _trading_fee,
    ),
    Contract(
        fee.liquidation_charge,
        (fee,),
        lambda rulebook, lots, price, better, left: all_of(lots >= 0, price >= 0, better >= 0),
        _liquidation_charge,
    ),
    Contract(funding.funding_due, (funding,), lambda *rest: all_of(), _funding),
    Contract(funding.funding_by_index, (funding,), lambda *rest: all_of(), _funding),
    Contract(
        liquidation_equity.equity_behind,
        (liquidation, liquidation_equity),
        lambda definition, equity, weight, weights, *entry: weights > 0,
        _equity_behind,
    ),
    Contract(
        liquidation.price_without,
        (liquidation,),
        lambda mark, size, share: all_of(any_of(size > 0, size < 0), mark >= 1),
        _price_without,
    ),
    Contract(
        liquidation.limit_price,
        (liquidation,),
        lambda rulebook, bankruptcy, mark, size, weight, equity, weights, now, since: all_of(
            bankruptcy >= 1, mark >= 1, any_of(size > 0, size < 0), weight >= 0, weights >= 1
        ),
        _limit_price,
    ),
    Contract(
        liquidation_size.with_buffer,
        (liquidation_size,),
        lambda maintenance, notional, buffer: all_of(),
        _with_buffer,
    ),
    Contract(
        liquidation.fillable_lots,
        (liquidation,),
        lambda most, size, offered: all_of(most >= 1, any_of(size > 0, size < 0), offered >= 1),
        _fillable_lots,
    ),
    Contract(
        volunteers.assigned_price,
        (volunteers,),
        lambda mark, size, bankruptcy, most: all_of(
            mark >= 1, any_of(size > 0, size < 0), bankruptcy >= 1, most >= 0
        ),
        _assigned_price,
    ),
    Contract(liquidator.is_too_much, (liquidator,), lambda *rest: all_of(), _is_too_much),
    Contract(
        liquidator.liquidator_price,
        (liquidator,),
        lambda mark, size, fee: all_of(mark >= 1, any_of(size > 0, size < 0), fee >= 0),
        _liquidator_price,
    ),
    Contract(
        liquidator.covers_no_worse,
        (liquidator,),
        lambda before, after: all_of(),
        _covers_no_worse,
    ),
    Contract(
        liquidation.boundary_of, (liquidation,), lambda vault, main, own: all_of(), _boundary_of
    ),
    Contract(liquidation.lacking, (liquidation,), lambda better: all_of(), _lacking),
    Contract(book.reducible, (book, liquidation), lambda order, held: order.lots >= 0, _reducible),
    Contract(margin.reduces, (book, liquidator), lambda before, after: all_of(), _reduces),
    Contract(margin.bears_fill, (book, liquidator), _healths, _bears_fill),
    Contract(
        adl.forced_price,
        (adl,),
        lambda rulebook, bankruptcy, mark, previous_mark, index: all_of(
            bankruptcy >= 1, mark >= 1, previous_mark >= 1
        ),
        _forced_price,
    ),
    Contract(
        loss_trigger.fund_has_fallen, (loss_trigger,), lambda *rest: all_of(), _fund_has_fallen
    ),
    Contract(
        liquidation.margin_transferred,
        (adl_margin,),
        lambda margin, lots, size: all_of(lots >= 1, any_of(size >= lots, size <= -lots)),
        _margin_transferred,
    ),
    Contract(
        vault.takeover_terms,
        (vault,),
        lambda choice, bankruptcy, mark, margin, lots, size: all_of(
            bankruptcy >= 1, mark >= 1, lots >= 1, any_of(size >= lots, size <= -lots)
        ),
        _takeover_terms,
    ),
    Contract(
        vault.is_within_notional_cap,
        (vault,),
        lambda notional, equity, cap: all_of(),
        _is_within_notional_cap,
    ),
    Contract(
        ledger.paid_out,
        (ledger,),
        lambda amount, pot, lack: all_of(amount >= 1, pot >= 0),
        _paid_out,
    ),
    Contract(adl.triggers, (adl,), lambda equity, only_insolvent: all_of(), _triggers),
    Contract(
        adl.bears_closing,
        (adl,),
        lambda before, after, never_riskier: all_of(),
        _bears_closing,
    ),
    Contract(
        adl.score,
        (adl,),
        lambda standing, ranking: all_of(standing.cost >= 1, standing.notional >= 1),
        _score,
        lambda standing, ranking: (standing,),
    ),
)

ALL_CONTRACTS = tuple(contract.name for contract in CONTRACTS)

MARGINS = ("maintenance_margin", "initial_margin")
"""Where an action looks at margins, how they are made up does not matter to it."""

PRICED = (
    "traded",
    "newly_long",
    "maintenance_margin",
    "initial_margin",
    "equity_behind",
    "price_without",
    "forced_price",
    "boundary_of",
)
"""What closing a position off the book at a price takes for granted."""

CLOSING = (*PRICED, "triggers", "fund_has_fallen", "bears_closing")
"""The same, and the guards of an ADL."""


@contextmanager
def assuming(*names: str) -> Iterator[None]:
    """Run with the contracts of these functions instead of their bodies."""
    with ExitStack() as patches:
        for contract in CONTRACTS:
            if contract.name in names:
                for module in contract.modules:
                    patches.enter_context(patch.object(module, contract.name, contract))
        yield
