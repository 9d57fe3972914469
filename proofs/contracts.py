"""Proved contracts in place of functions, where a program would have too many paths.

A long action calls small functions whose inner cases do not matter to it. `assuming` lets it run
with what those functions were proved to guarantee instead of with their bodies: each contract
below is a shipped function's theorem, named beside it, and says no more than that theorem; what
the theorem assumes of the arguments, the contract claims of them. The
witness of every path is replayed on the real functions, so a contract that no real value meets
would be noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from unittest.mock import patch
from weakref import WeakKeyDictionary

from perpref.rules import adl, book, fee, ledger, liquidation, margin
from perpref.rules.adl import Standing
from perpref.rules.margin import Health
from perpref.state import Market, Order, Position
from proofs.executor import (
    all_of,
    any_of,
    assume,
    claim,
    fresh_bool,
    fresh_int,
    implies,
    ite,
    negation,
)
from proofs.executor.explore import Run, running
from proofs.executor.structure import identity
from proofs.world import sound

P = ParamSpec("P")
R = TypeVar("R")

_made: WeakKeyDictionary[Run, dict[object, Any]] = WeakKeyDictionary()


def deterministic(contract: Callable[P, R]) -> Callable[P, R]:
    """A contract that answers the same question with the same unknowns, as a function does."""

    @wraps(contract)
    def answer(*args: P.args, **kwargs: P.kwargs) -> R:
        made = _made.setdefault(running(), {})
        key = (contract.__name__, *(identity(arg) for arg in args))
        if key not in made:
            # The arguments are kept with the answer: an identity lives as long as its value.
            made[key] = (contract(*args, **kwargs), args)
        found: R = made[key][0]
        return found

    return answer


@deterministic
def traded(position: Position, lots: int, price: int) -> tuple[Position, int]:
    """By a_fill_costs_an_account_exactly_the_price_of_its_lots and a_position_stays_sound."""
    claim("traded needs a sound position and a price", all_of(sound(position), price >= 1))
    after = Position(position.size + lots, fresh_int("cost after"))
    profit = fresh_int("profit")
    assume(profit - after.cost == -position.cost - price * lots)
    assume(sound(after))
    return after, profit


def _margins(size: int, mark: int, maintenance_rate: int, initial_rate: int) -> tuple[int, int]:
    maintenance, initial = fresh_int("maintenance"), fresh_int("initial")
    assume(all_of(0 <= maintenance, maintenance <= initial))
    assume(initial <= abs(size) * mark)
    assume(implies(size != 0, maintenance >= 1))
    return maintenance, initial


_margins_of = deterministic(_margins)


def maintenance_margin(position: Position, market: Market) -> int:
    """By margins_are_ordered_and_within_the_notional."""
    return _margins_of(position.size, market.mark, market.maintenance_rate, market.initial_rate)[0]


def initial_margin(position: Position, market: Market) -> int:
    """By margins_are_ordered_and_within_the_notional."""
    return _margins_of(position.size, market.mark, market.maintenance_rate, market.initial_rate)[1]


@deterministic
def trading_fee(lots: int, price: int, rate: int) -> int:
    """By a_fee_is_its_rate_of_notional_rounded_up: in particular it is not negative."""
    claim("a fee needs a size, a price and a rate", all_of(lots >= 0, price >= 0, rate >= 0))
    charged = fresh_int("fee")
    assume(charged >= 0)
    return charged


@deterministic
def liquidation_fee(lots: int, price: int, rate: int, better: int, left: int) -> int:
    """By the_liquidation_fee_is_within_its_rate_the_improvement_and_what_is_left."""
    claim("a liquidation fee needs an improvement", all_of(better >= 0, rate >= 0))
    charged = fresh_int("liquidation fee")
    assume(all_of(charged >= 0, charged <= better, charged <= ite(left > 0, left, 0)))
    return charged


@deterministic
def part_of_equity(equity: int, weight: int, weights: int) -> int:
    """By the_part_of_a_solvent_equity_is_not_more_than_it."""
    claim("a part needs weights", weights > 0)
    part = fresh_int("part of equity")
    assume(
        implies(
            all_of(equity >= 0, weight >= 0, weight <= weights), all_of(part >= 0, part <= equity)
        )
    )
    return part


@deterministic
def price_without(mark: int, size: int, share: int) -> int:
    """By closing_without_a_share_costs_no_more_than_the_share."""
    claim("a price needs lots to close and a mark", all_of(abs(size) >= 1, mark >= 1))
    price = fresh_int("bankruptcy price")
    given = ite(size > 0, mark - price, price - mark)
    assume(price >= 1)
    assume(implies(share >= 0, all_of(given >= 0, given * abs(size) <= share)))
    return price


@deterministic
def reducible(order: Order, position: Position) -> int:
    """By a_reduce_only_order_never_fills_more_than_the_position."""
    lots = fresh_int("reducible")
    assume(all_of(lots >= 0, lots <= order.lots))
    return lots


@deterministic
def reduces(before: Position, after: Position) -> bool:
    """By reducing_is_fewer_lots_on_the_same_side: what reduces was open."""
    reducing = fresh_bool("reduces")
    assume(implies(reducing, before.size != 0))
    return reducing


@deterministic
def bears_fill(before: Health, after: Health, reducing: bool) -> bool:
    """By a_fill_that_is_borne_leaves_an_account_solvent_and_not_due."""
    for health in (before, after):
        ordered = all_of(health.maintenance >= 0, health.initial >= health.maintenance)
        claim("margins are ordered", ordered)
    borne = fresh_bool("borne")
    assume(implies(borne, after.equity >= 0))
    sure = any_of(negation(reducing), before.maintenance > 0)
    was_not_due = all_of(before.equity >= before.maintenance, sure)
    assume(implies(all_of(borne, was_not_due), after.equity >= after.maintenance))
    return borne


@deterministic
def score(standing: Standing) -> tuple[int, int]:
    """By a_score_has_a_positive_denominator."""
    numerator, denominator = fresh_int("score"), fresh_int("base")
    assume(denominator >= 1)
    return numerator, denominator


CONTRACTS: tuple[tuple[str, Callable[..., Any], tuple[Any, ...]], ...] = (
    ("traded", traded, (ledger,)),
    ("maintenance_margin", maintenance_margin, (margin, liquidation)),
    ("initial_margin", initial_margin, (margin,)),
    ("trading_fee", trading_fee, (fee,)),
    ("liquidation_fee", liquidation_fee, (fee,)),
    ("part_of_equity", part_of_equity, (liquidation,)),
    ("price_without", price_without, (liquidation,)),
    ("reducible", reducible, (book, liquidation)),
    ("reduces", reduces, (book,)),
    ("bears_fill", bears_fill, (book,)),
    ("score", score, (adl,)),
)
"""Each contract with the modules that hold the function by name."""

ALL_CONTRACTS = tuple(name for name, _, _ in CONTRACTS)

CLOSING = (
    "traded",
    "maintenance_margin",
    "initial_margin",
    "part_of_equity",
    "price_without",
)
"""What closing a position off the book takes for granted."""


@contextmanager
def assuming(*names: str) -> Iterator[None]:
    """Run with the contracts of these functions instead of their bodies."""
    with ExitStack() as patches:
        for name, contract, modules in CONTRACTS:
            if name in names:
                for module in modules:
                    patches.enter_context(patch.object(module, name, contract))
        yield
