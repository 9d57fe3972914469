"""FEE: what trading costs, and who gets it."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import formula, rule
from perpref.rules.ledger import pay
from perpref.state import TREASURY, Exchange, FeeBound, Rulebook
from perpref.units import PARTS, AccountId, MarketId, Rounding, ceil_div, clamp, divided, floor_div


@rule("FEE-1", "FEE-8")
def trading_fee(lots: int, price: int, rate: int, rounding: Rounding = Rounding.UP) -> int:
    """A rate of the traded notional in quanta, rounded up where the rulebook does not say else."""
    return divided(lots * price * rate, PARTS, rounding)


@rule("FEE-2")
def charge_maker(exchange: Exchange, maker: AccountId, lots: int, price: int) -> Outcome:
    """The maker pays the maker fee to the treasury."""
    rules = exchange.rulebook
    fee = trading_fee(lots, price, rules.maker_fee, rules.fee_rounding)
    return pay(exchange, maker, TREASURY, fee, "FEE-2")


@rule("FEE-3")
def charge_taker(exchange: Exchange, taker: AccountId, lots: int, price: int) -> Outcome:
    """The taker pays the taker fee to the treasury."""
    rules = exchange.rulebook
    fee = trading_fee(lots, price, rules.taker_fee, rules.fee_rounding)
    return pay(exchange, taker, TREASURY, fee, "FEE-3")


@rule("FEE-4")
def liquidation_fee(
    lots: int, price: int, rate: int, better: int, left: int, rounding: Rounding = Rounding.UP
) -> int:
    """A rate of notional, but only out of what the book gave and the account still has.

    Args:
        better: by how much the fill beat the bankruptcy price in all, in quanta, zero or more;
            or what else the fee is taken out of (FEE-10).
        left: the equity of the account after the fill, in quanta.
    """
    return min(trading_fee(lots, price, rate, rounding), better, max(left, 0))


@rule("FEE-10")
def fee_source(bound: FeeBound, better: int, left: int) -> int:
    """What a liquidation fee is taken out of, in quanta: what the book gave, or all that is left.

    For `better` and `left` see `liquidation_fee`.
    """
    return better if bound is FeeBound.SURPLUS else max(left, 0)


@rule("FEE-9")
def surplus_taken(rate: int, better: int, left: int) -> int:
    """The vault's part of a surplus, in quanta, rounded down and no more than the account has.

    Args:
        rate: the part, in parts per million.
        better: what the fee left of what the book gave, in quanta, or less than nothing.
        left: the equity of the account after the fee, in quanta.
    """
    return min(floor_div(max(better, 0) * rate, PARTS), max(left, 0))


@rule("FEE-4", "FEE-9", "FEE-10")
def liquidation_charge(rulebook: Rulebook, lots: int, price: int, better: int, left: int) -> int:
    """The liquidation fee and the vault's part of the surplus behind it, in quanta."""
    source = fee_source(rulebook.liquidation_fee_bound, better, left)
    rate, rounding = rulebook.liquidation_fee, rulebook.fee_rounding
    fee = liquidation_fee(lots, price, rate, source, left, rounding)
    return fee + surplus_taken(rulebook.liquidation_surplus, better - fee, left - fee)


@rule("FEE-5")
def charge_liquidated(
    exchange: Exchange,
    account: AccountId,
    market: MarketId,
    lots: int,
    price: int,
    better: int,
    left: int,
) -> Outcome:
    """The liquidated account pays the liquidation fee, and the surplus, to the market's vault."""
    charge = liquidation_charge(exchange.rulebook, lots, price, better, left)
    return pay(exchange, account, exchange.markets[market].vault, charge, "FEE-5")


@formula("FEE-6")
def insurance_fee_rate(
    shortage: int, notional: int, margin_rate: int, liquidator_fee: int, part: int, most: int
) -> int:
    """What an insurer may charge of what a liquidator takes, as a rate, rounded down.

    It is a part of the margin that a transfer of the position frees beyond the liquidator's fee
    and beyond what the account lacks: closing goes on making the account safer. 0 without one.

    Args:
        shortage: the margin that the account lacks, in quanta.
        notional: of the whole position, in quanta.
        part: how much of what is left, in parts per million.
        most: the highest rate.
    """
    if notional <= 0:
        return 0
    left = margin_rate - liquidator_fee - ceil_div(shortage * PARTS, notional)
    return clamp(floor_div(max(left, 0) * part, PARTS), 0, most)


@formula("FEE-7")
def liquidator_fee(base: int, most: int, elapsed: int, grace: int, growth: int) -> int:
    """A liquidator's fee, as a rate: it grows with time from the start, once a grace is over.

    So the airline raises its offer until somebody takes it.

    Args:
        elapsed: how long the account has been due, in the venue's unit of time.
        growth: of the rate in one unit of time, in parts per million.
    """
    if elapsed < grace:
        return min(base, most)
    return min(base + growth * elapsed, most)
