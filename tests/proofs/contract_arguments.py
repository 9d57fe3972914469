"""Arbitrary arguments for each contracted function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perpref.rules.margin import Health
from perpref.state import (
    BankruptcyPrice,
    FundTrigger,
    LiquidationSize,
    Ranking,
    TakeoverPrice,
)
from perpref.units import MarketId, Rounding
from proofs.adl import any_standing
from proofs.executor import choose, fresh_bool, fresh_int
from proofs.world import any_exchange, any_order, any_position


def _numbers(*names: str) -> tuple[int, ...]:
    return tuple(fresh_int(name) for name in names)


def _health(name: str) -> Health:
    return Health(*_numbers(f"{name}.equity", f"{name}.maintenance", f"{name}.initial"))


def _position_and_market() -> tuple[Any, ...]:
    return any_position("held"), any_exchange().markets[MarketId(fresh_int("market"))]


ARGUMENTS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "traded": lambda: (any_position("held"), *_numbers("lots", "price")),
    "maintenance_margin": _position_and_market,
    "initial_margin": _position_and_market,
    "trading_fee": lambda: (
        *_numbers("lots", "price", "rate"),
        choose("rounding", tuple(Rounding)),
    ),
    "liquidation_charge": lambda: (
        any_exchange().rulebook,
        *_numbers("lots", "price", "better", "left"),
    ),
    "equity_behind": lambda: (
        choose("definition", tuple(BankruptcyPrice)),
        *_numbers("equity", "weight", "weights", "profit", "cost", "rate"),
    ),
    "funding_due": lambda: (
        *_numbers("size", "mark", "rate"),
        choose("rounding", tuple(Rounding)),
    ),
    "funding_by_index": lambda: (
        *_numbers("size", "since", "index"),
        choose("rounding", tuple(Rounding)),
    ),
    "price_without": lambda: _numbers("mark", "size", "share"),
    "limit_price": lambda: (
        any_exchange().rulebook,
        *_numbers("bankruptcy", "mark", "size", "weight", "equity", "weights", "now", "since"),
    ),
    "with_buffer": lambda: _numbers("maintenance", "notional", "buffer"),
    "fillable_lots": lambda: _numbers("most", "size", "offered"),
    "is_too_much": lambda: (choose("size", tuple(LiquidationSize)), fresh_bool("fewer suffice")),
    "liquidator_price": lambda: _numbers("mark", "size", "fee"),
    "covers_no_worse": lambda: (_health("before"), _health("after")),
    "assigned_price": lambda: _numbers("mark", "size", "bankruptcy", "most"),
    "boundary_of": lambda: _numbers("vault", "main", "own"),
    "lacking": lambda: _numbers("better"),
    "newly_long": lambda: _numbers("size", "lots"),
    "scaled_rate": lambda: _numbers("rate", "interest", "scaled_from", "scaled_to"),
    "reducible": lambda: (any_order("order"), any_position("held")),
    "reduces": lambda: (any_position("before"), any_position("after")),
    "bears_fill": lambda: (_health("before"), _health("after"), fresh_bool("reducing")),
    "forced_price": lambda: (
        any_exchange().rulebook,
        *_numbers("bankruptcy", "mark", "previous_mark", "index"),
    ),
    "fund_has_fallen": lambda: (
        choose("trigger", tuple(FundTrigger)),
        *_numbers("fund"),
        fresh_bool("drawn_down"),
    ),
    "margin_transferred": lambda: _numbers("margin", "lots", "size"),
    "takeover_terms": lambda: (
        choose("takeover_price", tuple(TakeoverPrice)),
        *_numbers("bankruptcy", "mark", "margin", "lots", "size"),
    ),
    "is_within_notional_cap": lambda: _numbers("notional", "equity", "cap"),
    "paid_out": lambda: _numbers("amount", "pot", "lack"),
    "triggers": lambda: (*_numbers("equity"), fresh_bool("only_insolvent")),
    "bears_closing": lambda: (_health("before"), _health("after"), fresh_bool("never_riskier")),
    "score": lambda: (any_standing("standing"), choose("ranking", tuple(Ranking))),
}


def arguments(name: str) -> tuple[Any, ...]:
    """Arguments of which nothing is known but what their types promise."""
    return ARGUMENTS[name]()
