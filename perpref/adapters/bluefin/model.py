"""Bluefin's rules, stated independently of its code: `step(state, command)`.

Every rule has an id. A line of a docstring that begins with one states the rule in a sentence and
then names where it is published: a contract and a function of the repository
fireflyprotocol/bluefin-exchange-contracts-evm (commit ceb10a8c where nothing else is said), a
table of its tests, or "observed on the bytecode". `rules()` collects these lines; there is no
other list.

The two builds are one model with different terms. Nothing here is taken from the engine at run
time: the model is told the commands and nothing else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.commands import ONE, Order
from perpref.adapters.bluefin.fixed import over, round_to_tick, times, times_up, towards_zero, whole
from perpref.adapters.bluefin.state import (
    FEE_POOL,
    FEES,
    GAS,
    GAS_POOL,
    INSURANCE_POOL,
    OUTSIDE,
    POT,
    Position,
    Refusal,
    Refused,
    Samples,
    State,
    bank,
    margin_of,
    pay,
    pay_either_way,
    reach,
)
from perpref.adapters.bluefin.terms import Terms

ACCOUNT, ORDERS, LIQUIDATION, DELEVERAGING = range(4)
"""Why funding is settled and margin is checked: the contracts' trader flags."""

UNDERFLOW = "Panic(0x11)"
DIVISION_BY_ZERO = "Panic(0x12)"
LOSS_EXCEEDS_MARGIN = "Cannot trade when loss exceeds margin. Please add margin"


def require(allowed: bool, rule: str, reason: str) -> None:
    """Refuse unless a condition of a rule holds."""
    if not allowed:
        raise Refusal(rule, reason)


def divide(left: int, right: int) -> int:
    """A fixed-point quotient.

    BF-ARI-1: a division by zero refuses the command. Observed on the bytecode, panic 0x12.
    """
    require(right != 0, "BF-ARI-1", DIVISION_BY_ZERO)
    return over(left, right)


def less(left: int, right: int) -> int:
    """A difference of two numbers that have no sign.

    BF-ARI-2: a difference below zero refuses the command. Observed on the bytecode, panic 0x11.
    """
    require(left >= right, "BF-ARI-2", UNDERFLOW)
    return left - right


# Margin ratio and the checks that look at it ----------------------------------------------------


def margin_ratio(position: Position, margin: int, price: int) -> int:
    """Equity over position value.

    BF-MRG-1: the ratio of a long is 1 - (entry value - margin) / value, that of a short is
    (entry value + margin) / value - 1, and that of nothing is 1; every division towards zero.
    PositionBalanceMath.sol, getMarginRatio.
    """
    value = times(position.quantity, price)
    if value == 0:
        return ONE
    if position.is_long:
        return ONE - towards_zero((position.oi_open - margin) * ONE, value)
    return towards_zero((position.oi_open + margin) * ONE, value) - ONE


@frozen
class Before:
    """An account's position as it was before a command changed it."""

    position: Position
    margin: int


def before(state: State, account: str) -> Before:
    """What a check compares with."""
    return Before(state.position(account), state.margin(account))


def check_margin(state: State, account: str, was: Before, why: int) -> State:
    """Refuse what leaves an account with too little margin.

    BF-MRG-2: at or above the initial margin everything is allowed. Perpetual.sol,
    _verifyMarginRatioForAccount, case 0.
    BF-MRG-3: below it, no position is opened or flipped. Perpetual.sol,
    _verifyMarginRatioForAccount, case I, P34.
    BF-MRG-4: below it, the ratio must not fall. Perpetual.sol, _verifyMarginRatioForAccount,
    case II, P35.
    BF-MRG-5: at or below maintenance margin, the position must not grow. Perpetual.sol,
    _verifyMarginRatioForAccount, case III, P36.
    BF-MRG-6: below zero, only liquidation and deleveraging go on. Perpetual.sol,
    _verifyMarginRatioForAccount, case IV, P37.
    """
    state = reach(state, "BF-MRG-1")
    now, price = state.position(account), state.oracle
    ratio = margin_ratio(now, state.margin(account), price)
    if ratio >= state.terms.initial_margin:
        return reach(state, "BF-MRG-2")
    same_side = now.is_long == was.position.is_long and was.position.quantity > 0
    require(same_side, "BF-MRG-3", "P34")
    require(ratio >= margin_ratio(was.position, was.margin, price), "BF-MRG-4", "P35")
    above_maintenance = ratio > state.terms.maintenance_margin
    require(above_maintenance or was.position.quantity >= now.quantity, "BF-MRG-5", "P36")
    require(ratio >= 0 or why in (LIQUIDATION, DELEVERAGING), "BF-MRG-6", "P37")
    return state


def check_open_interest(terms: Terms, position: Position) -> None:
    """Refuse a position that is too large for its leverage.

    BF-OI-1: the entry value is bounded by leverage, which is the inverse of the required margin,
    rounded to a whole number, half downwards; a leverage without a bound is unbounded.
    Evaluator.sol, verifyOIOpenForAccount.
    """
    leverage = divide(ONE, position.mro)
    step, rest = divmod(leverage, ONE)
    number = step + (rest * 2 > ONE)
    limits = terms.max_open_interest
    bounded = 1 <= number <= len(limits) and limits[number - 1] > 0
    require(
        not bounded or position.oi_open <= limits[number - 1],
        "BF-OI-1",
        "OI open for selected leverage > max allowed oi open",
    )


# Funding ----------------------------------------------------------------------------------------


def accrue(state: State) -> State:
    """Bring the funding index up to now.

    BF-FND-1: the index grows by rate per second times seconds times oracle price, towards zero.
    Perpetual.sol, _loadContext.
    """
    seconds = state.time - state.index_time
    if seconds == 0:
        return state
    growth = times(state.rate * seconds, state.oracle)
    after = evolve(state, index=state.index + growth, index_time=state.time)
    return reach(after, "BF-FND-1") if growth else after


def touch(state: State) -> State:
    """Look at the price before anything else.

    BF-FND-2: in the `arbitrum` build the index moves only when the rate is set; in the `boba`
    build every command that looks at the price moves it. Perpetual.sol, _loadContext; observed on
    the bytecode.
    """
    if state.time > state.index_time and state.rate:
        state = reach(state, "BF-FND-2")
    return state if state.terms.lazy_index else accrue(state)


def settle_funding(state: State, account: str, why: int, caller: str) -> State:
    """Apply the funding that an account has not settled yet.

    BF-FND-3: a position that is owed funding gets it in its margin, rounded down. Perpetual.sol,
    _applyFundRateToAccount.
    BF-FND-4: a position that owes funding pays it out of its margin, rounded up. Perpetual.sol,
    _applyFundRateToAccount.
    BF-FND-5: an order, a change of margin or of leverage and a final withdrawal are refused to an
    account that owes more than its margin. Perpetual.sol, _applyFundRateToAccount, P33.
    BF-FND-6: in a liquidation, the liquidator pays what an account owes beyond its margin.
    Perpetual.sol, _applyFundRateToAccount, LiquidatorPaidForAccountSettlement.
    BF-FND-7: in a deleveraging, an account that owes more than its margin pays nothing; its entry
    value is moved against it instead. Perpetual.sol, _applyFundRateToAccount; ADLTrades.test.ts,
    "#4 - Long Position + Full ADL + Funding > Margin".
    BF-FND-8: and a short that owes more than its entry value is let off the rest.
    Perpetual.sol, _applyFundRateToAccount; ADLTrades.test.ts,
    "#8 - Short Position + Full ADL + Funding > (Margin + oiOpen)".
    """
    position, (then, index) = state.position(account), state.settled.get(account, (0, 0))
    mark = (state.index_time, state.index)
    state = evolve(state, settled=state.settled.set(account, mark))
    if then == state.index_time or position.quantity == 0:
        return state
    gain = index - state.index if position.is_long else state.index - index
    margin = margin_of(account)
    if gain > 0:
        earned = times(gain, position.quantity)
        return reach(pay(state, POT, margin, earned, "BF-FND-3"), "BF-FND-3")
    due = times_up(-gain, position.quantity)
    missing = due - state.margin(account)
    if missing > 0:
        require(why not in (ACCOUNT, ORDERS), "BF-FND-5", "P33")
        if why == DELEVERAGING:
            return owe(state, account, due)
        state = pay(state, bank(caller), POT, missing, "BF-FND-6")
        state, due = reach(state, "BF-FND-6"), due - missing
    state = pay(state, margin, POT, due, "BF-FND-4")
    return reach(state, "BF-FND-4") if due else state


def owe(state: State, account: str, due: int) -> State:
    """Move an account's entry value against it by the funding that it owes (BF-FND-7)."""
    position = state.position(account)
    moved = position.oi_open + due if position.is_long else max(position.oi_open - due, 0)
    forgiven = not position.is_long and due > position.oi_open
    state = put(state, account, evolve(position, oi_open=moved))
    return reach(state, "BF-FND-7", *(("BF-FND-8",) if forgiven else ()))


def put(state: State, account: str, position: Position) -> State:
    """The state with this position for an account."""
    return evolve(state, positions=state.positions.set(account, position))


def set_funding(state: State, command: c.SetFunding) -> State:
    """Accrue at the old rate and set the rate per hour.

    BF-FND-9: the rate is bounded. FundingOracle.sol, setOffChainFundingRate.
    BF-FND-12: the rate per second is the rate per hour over 3600, towards zero. FundingOracle.sol,
    setOffChainFundingRate.
    """
    state = accrue(state)
    reason = "FundingOracle: off-chain funding rate cannot be set while on-chain allowed"
    require(not state.sampling, "BF-FND-15", reason)
    require(
        abs(command.rate) <= state.terms.max_funding_rate,
        "BF-FND-9",
        "FundingOracle: off-chain funding rate exceeds max funding rate",
    )
    state = begin_window(state)
    return reach(evolve(state, rate=per_second(state, command.rate)), "BF-FND-12")


def per_second(state: State, rate: int) -> int:
    """A rate per second from one per hour (BF-FND-12)."""
    return towards_zero(rate, state.terms.funding_window)


def begin_window(state: State) -> State:
    """Let the rate be set, if it may be set now.

    BF-FND-10: it can be set from the second window on, an hour after the start. FundingOracle.sol,
    _validateFundingWindow.
    BF-FND-11: and once in a window. FundingOracle.sol, _validateFundingWindow.
    """
    window = towards_zero(state.time - state.funding_start, state.terms.funding_window) + 1
    reason = "FundingOracle: funding rate is not settable for 0th window"
    require(window > 1, "BF-FND-10", reason)
    reason = "FundingOracle: funding rate for current window is already set"
    require(state.window_set < window - 1, "BF-FND-11", reason)
    return evolve(state, window_set=window - 1)


def set_funding_source(state: State, command: c.SetFundingSource) -> State:
    """Take the funding rate from trades on the chain, or from the operator.

    BF-FND-13: sampling begins anew when it is switched on. FundingOracle.sol,
    setFundingRateStatus.
    """
    if command.on_chain:
        state = evolve(state, samples=Samples(state.time, state.time))
    return reach(evolve(state, sampling=command.on_chain), "BF-FND-13")


def counted(samples: Samples, now: int) -> int:
    """The sum of the ratios, each weighted with the seconds that it was the last one."""
    return samples.total + samples.ratio * (now - samples.last)


def sample(state: State, price: int) -> State:
    """Note how far a trade was from the oracle price.

    BF-FND-14: in the `boba` build every trade that the operator sends, deleveragings too, is
    sampled as (price - oracle) / oracle, towards zero; the `arbitrum` build samples none, so that
    its rate is zero while it comes from trades. FundingOracle.sol, recordTrade; Perpetual.sol,
    trade; observed on the bytecode.
    """
    if not (state.sampling and state.terms.samples_trades):
        return state
    ratio = over(price - state.oracle, state.oracle)
    total = counted(state.samples, state.time)
    samples = Samples(state.samples.first, state.time, total, ratio)
    return reach(evolve(state, samples=samples), "BF-FND-14")


def sample_funding(state: State, _command: c.SampleFunding) -> State:
    """Accrue at the old rate and take the new one from the samples.

    BF-FND-15: only while the rate comes from trades; the operator sets it only while it does not.
    FundingOracle.sol, setFundingRate, setOffChainFundingRate.
    BF-FND-16: the rate per hour is the average of the ratios over 24, and bounded;
    the last ratio counts on in the next window. FundingOracle.sol, setFundingRate.
    """
    state = accrue(state)
    reason = "FundingOracle: on-chain funding rate cannot be applied at the moment"
    require(state.sampling, "BF-FND-15", reason)
    state = begin_window(state)
    seconds = state.time - state.samples.first
    require(seconds != 0, "BF-ARI-1", DIVISION_BY_ZERO)
    average = towards_zero(counted(state.samples, state.time), seconds)
    daily = towards_zero(average, 24)
    bounded = min(abs(daily), state.terms.max_funding_rate) * (1 if daily > 0 else -1)
    samples = Samples(state.time, state.time, 0, state.samples.ratio)
    after = evolve(state, rate=per_second(state, bounded), samples=samples)
    return reach(after, "BF-FND-16")


# What a trade does to one side ------------------------------------------------------------------


@frozen
class Change:
    """What a trade does to one account: its new position and margin, the flow of its money.

    A positive flow goes from the account's bank balance into the perpetual.
    """

    position: Position
    margin: int
    flow: int
    fee: int = 0


@frozen
class Deal:
    """A trade from the side of one account."""

    account: str
    is_buy: bool
    quantity: int
    price: int
    mro: int
    fee_per_unit: int = 0
    reduce_only: bool = False
    bounded: bool = True


def profit_per_unit(position: Position, price: int) -> int:
    """What one unit of a position gains when it is closed at a price."""
    gain = price - position.entry_price
    return gain if position.is_long else -gain


def take_part(state: State, deal: Deal) -> tuple[State, Change]:
    """Open, add to, reduce, close or flip a position."""
    position = state.position(deal.account)
    if position.quantity == 0 or deal.is_buy == position.is_long:
        return reach(state, "BF-POS-1"), enlarge(state, deal)
    if deal.reduce_only or deal.quantity <= position.quantity:
        return reach(state, "BF-POS-2", "BF-POS-5"), reduce(state, deal)
    return reach(state, "BF-POS-4"), flip(state, deal)


def enlarge(state: State, deal: Deal) -> Change:
    """Open a position or add to it.

    BF-POS-1: the entry value grows by quantity times price and the margin by that times the
    required margin; the account pays quantity times (margin per unit + fee per unit), so that
    the two roundings differ. IsolatedTrader.sol, _applyIM, case 1.
    """
    position = state.position(deal.account)
    value = times(deal.quantity, deal.price)
    grown = Position(deal.is_buy, position.quantity + deal.quantity, position.oi_open + value)
    grown = evolve(grown, mro=deal.mro)
    if deal.bounded:
        check_open_interest(state.terms, grown)
    per_unit = times(deal.price, deal.mro) + deal.fee_per_unit
    return Change(
        grown,
        state.margin(deal.account) + times(value, deal.mro),
        times(deal.quantity, per_unit),
        times(deal.fee_per_unit, deal.quantity),
    )


def require_equity(state: State, deal: Deal, tolerance: int = 0) -> int:
    """The equity per unit with which a position is closed, at least zero.

    BF-POS-3: a position whose loss exceeds its margin is not closed by an order.
    IsolatedTrader.sol, _applyIM, "Cannot trade when loss exceeds margin";
    LiquidationTradesWithMoreLoss.test.ts.
    """
    position = state.position(deal.account)
    margin = divide(state.margin(deal.account), position.quantity)
    equity = margin + profit_per_unit(position, deal.price)
    require(equity + tolerance >= 0, "BF-POS-3", LOSS_EXCEEDS_MARGIN)
    return max(equity, 0)


def remainder(position: Position, left: int) -> Position:
    """A position of which some is left: the entry value in proportion, a flat one without a side.

    BF-POS-5: what is left keeps its part of the entry value, towards zero in two steps; a
    position that is closed forgets its side and its leverage. IsolatedTrader.sol, _applyIM, case 2.
    """
    value = divide(times(position.oi_open, left), position.quantity)
    return Position(position.is_long and left > 0, left, value, position.mro if left else 0)


def reduce(state: State, deal: Deal) -> Change:
    """Reduce a position or close it.

    BF-POS-2: the account gets the profit and its part of the margin, less the fee, and never
    pays; the fee per unit is at most the equity per unit. IsolatedTrader.sol, _applyIM, case 2.
    """
    position, margin = state.position(deal.account), state.margin(deal.account)
    fee = min(deal.fee_per_unit, require_equity(state, deal))
    left = position.quantity - deal.quantity
    released = over(times(margin, deal.quantity), position.quantity)
    flow = times(deal.quantity, fee - profit_per_unit(position, deal.price)) - released
    return Change(
        remainder(evolve(position, mro=deal.mro), left),
        over(times(margin, left), position.quantity),
        min(flow, 0),
        times(fee, deal.quantity),
    )


def flip(state: State, deal: Deal) -> Change:
    """Close a position and open one of the other side in one trade.

    BF-POS-4: the old position is closed as in BF-POS-2, the rest is opened as in BF-POS-1; the
    fee is that of both parts, averaged over the quantity. IsolatedTrader.sol, _applyIM, case 3.
    """
    position = state.position(deal.account)
    fee = min(deal.fee_per_unit, require_equity(state, deal))
    rest = deal.quantity - position.quantity
    opened = Position(not position.is_long, rest, times(rest, deal.price), deal.mro)
    closing = times(position.quantity, fee - profit_per_unit(position, deal.price))
    opening = times(rest, times(deal.price, deal.mro) + deal.fee_per_unit)
    if deal.bounded:
        check_open_interest(state.terms, opened)
    both = times(position.quantity, fee) + times(rest, deal.fee_per_unit)
    return Change(
        opened,
        times(opened.oi_open, deal.mro),
        closing - state.margin(deal.account) + opening,
        times(over(both, deal.quantity), deal.quantity),
    )


def take_effect(state: State, account: str, change: Change, rule: str) -> State:
    """Give an account its new position and margin; the pot balances the margin."""
    state = put(state, account, change.position)
    more = change.margin - state.margin(account)
    return pay_either_way(state, POT, margin_of(account), more, rule)


def exchange_money(
    state: State, maker: tuple[str, int], taker: tuple[str, int], rule: str
) -> State:
    """Let both sides pay into the perpetual or be paid out of it.

    BF-TRD-4: the maker goes first when it pays, else the taker does; so the perpetual is paid
    before it pays, if one of them pays. Perpetual.sol, trade.
    """
    for account, flow in (maker, taker) if maker[1] >= 0 else (taker, maker):
        state = pay_either_way(state, bank(account), POT, flow, rule)
    return reach(state, "BF-TRD-4")


def begin_trade(state: State, maker: str, taker: str, why: int) -> State:
    """What comes before every trade: is it allowed, and is funding settled.

    BF-TRD-1: nothing is traded after delisting. Perpetual.sol, notDelisted, P1.
    BF-TRD-2: nothing is traded while the guardian halts trading. Perpetual.sol, trade, P7.
    """
    require(not state.delisted, "BF-TRD-1", "P1")
    require(state.trading, "BF-TRD-2", "P7")
    state = touch(state)
    for account in sorted({maker, taker}):
        state = settle_funding(state, account, why, taker)
    return state


def end_trade(state: State, was: dict[str, Before], why: int) -> State:
    """What comes after every trade: both accounts have margin enough."""
    for account in sorted(was):
        state = check_margin(state, account, was[account], why)
    return state


# Orders -----------------------------------------------------------------------------------------


def check_signature(state: State, order: Order) -> None:
    """Refuse an order that is not its maker's, or no longer.

    BF-ORD-1: a cancelled order is not filled. IsolatedTrader.sol, _verifyOrderStateAndSignature.
    BF-ORD-2: an order carries its maker's signature. IsolatedTrader.sol,
    _verifyOrderStateAndSignature.
    """
    reason = "IsolatedTrader: Order was already canceled"
    require(evolve(order, forged=False) not in state.cancelled, "BF-ORD-1", reason)
    require(not order.forged, "BF-ORD-2", "IsolatedTrader: Order has an invalid signature")


def book_fill(state: State, order: Order, quantity: int) -> State:
    """Note how much of an order is filled.

    BF-ORD-3: an order is not filled beyond its quantity. IsolatedTrader.sol, _fillQuantity.
    """
    filled = state.filled.get(order, 0) + quantity
    reason = "IsolatedTrader: Cannot overfill maker order"
    require(filled <= order.quantity, "BF-ORD-3", reason)
    return evolve(state, filled=state.filled.set(order, filled))


def check_order(state: State, order: Order, fill: c.Fill) -> None:
    """Refuse a fill that an order does not allow.

    BF-ORD-4: an order expires. IsolatedTrader.sol, _verifyOrderMaker.
    BF-ORD-5: an order is filled at its price or better; only the taker's may be a market order.
    IsolatedTrader.sol, _verifyOrderFills.
    BF-ORD-6: a reduce-only order fills against an opposite position that is at least as large.
    IsolatedTrader.sol, _verifyOrderFills.
    BF-ORD-7: in the `boba` build an order with a trigger price waits until the oracle has reached
    it, from below for a buyer and from above for a seller. Observed on the bytecode.
    """
    terms, position = state.terms, state.position(order.account)
    if terms.honours_trigger and order.trigger:
        reached = state.oracle >= order.trigger if order.is_buy else state.oracle <= order.trigger
        require(reached, "BF-ORD-7", "IsolatedTrader: Trigger price has not been reached")
    better = fill.price <= order.price if order.is_buy else fill.price >= order.price
    require(better, "BF-ORD-5", "IsolatedTrader: Fill price is invalid")
    if order.reduce_only:
        reduces = order.is_buy != position.is_long and fill.quantity <= position.quantity
        require(reduces, "BF-ORD-6", "IsolatedTrader: Fill does not decrease size")


def check_leverage(state: State, order: Order) -> None:
    """Refuse an order at another leverage than the position's.

    BF-ORD-8: the leverage of an order is a whole number of at least one; the fraction is dropped.
    IsolatedTrader.sol, _getPreciseLeverage, _verifyOrderLeverage.
    BF-ORD-9: once an account has a leverage, every order must carry it. IsolatedTrader.sol,
    _verifyOrderLeverage, "Invalid leverage".
    """
    require(whole(order.leverage) > 0, "BF-ORD-8", "Leverage must be > 0")
    mro = state.position(order.account).mro
    same = mro in (0, over(ONE, whole(order.leverage)))
    require(same, "BF-ORD-9", "Invalid leverage")


def check_price(terms: Terms, price: int) -> None:
    """Refuse a price outside the market's bounds.

    BF-PRC-1: a price is at least the smallest price. Evaluator.sol, verifyMinMaxPriceChecks.
    BF-PRC-2: and at most the largest. Evaluator.sol, verifyMinMaxPriceChecks.
    """
    require(price >= terms.min_price, "BF-PRC-1", "Trade price is < min allowed price")
    require(price <= terms.max_price, "BF-PRC-2", "Trade price is > max allowed price")


def check_quantity(terms: Terms, quantity: int) -> None:
    """Refuse a quantity outside the market's bounds.

    BF-QTY-1: a quantity is at least the smallest. Evaluator.sol, verifyMinMaxQuantityChecks.
    BF-QTY-2: and at most the largest of a limit order. Evaluator.sol, verifyMinMaxQuantityChecks.
    BF-QTY-3: and at most the largest of a market order, whatever the order is. Evaluator.sol,
    verifyMinMaxQuantityChecks.
    BF-QTY-4: it is a multiple of the step. Evaluator.sol, verifyQuantityChecks.
    """
    reason = "Trade quantity is < min tradeable quantity"
    require(quantity >= terms.min_quantity, "BF-QTY-1", reason)
    reason = "Trade quantity is > max allowed limit quantity"
    require(quantity <= terms.max_quantity_limit, "BF-QTY-2", reason)
    reason = "Trade quantity is > max allowed market quantity"
    require(quantity <= terms.max_quantity_market, "BF-QTY-3", reason)
    reason = "Trade quantity does not conforms to allowed step size"
    require(quantity % terms.step_size == 0, "BF-QTY-4", reason)


def check_fill(state: State, fill: c.Fill) -> None:
    """Refuse a fill at a price that the market does not allow.

    BF-PRC-3: a price is a multiple of the tick. Evaluator.sol, verifyPriceChecks.
    BF-PRC-4: a taker buys at most so far above the oracle price. Evaluator.sol,
    verifyMarketTakeBoundChecks.
    BF-PRC-5: and sells at most so far below it. Evaluator.sol, verifyMarketTakeBoundChecks.
    """
    terms, oracle, price = state.terms, state.oracle, fill.price
    check_price(terms, price)
    reason = "Trade price does not conforms to allowed tick size"
    require(price % terms.tick_size == 0, "BF-PRC-3", reason)
    check_quantity(terms, fill.quantity)
    if fill.taker.is_buy:
        reason = "Trade price is > Market Take Bound for long side"
        bound = oracle + times(oracle, terms.take_bound_long)
        require(price <= bound, "BF-PRC-4", reason)
    else:
        reason = "Trade price is < Market Take Bound for short side"
        bound = oracle - times(oracle, terms.take_bound_short)
        require(price >= bound, "BF-PRC-5", reason)


def agree(state: State, fill: c.Fill) -> tuple[State, Change, Change]:
    """Judge two orders and say what the fill does to each side.

    BF-ORD-10: in the `arbitrum` build two orders of one side are not matched; in the `boba` build
    they are. Observed on the bytecode.
    BF-FEE-1: each side pays its rate on the fill, per unit and towards zero. IsolatedTrader.sol,
    trade.
    """
    for order in (fill.maker, fill.taker):
        check_signature(state, order)
        if state.terms.books_fill_first:
            state = book_fill(state, order, fill.quantity)
    taker = fill.taker if fill.taker.price else evolve(fill.taker, price=fill.price)
    opposite = fill.maker.is_buy != fill.taker.is_buy
    for order in (fill.maker, taker):
        reason = "IsolatedTrader: Order has expired"
        require(order.expires == 0 or order.expires >= state.time, "BF-ORD-4", reason)
    reason = "IsolatedTrader: Maker and Taker orders can't be of same side"
    require(opposite or not state.terms.rejects_same_side, "BF-ORD-10", reason)
    if not opposite:
        state = reach(state, "BF-ORD-10")
    for order in (fill.maker, taker):
        check_order(state, order, fill)
    for order in (fill.maker, taker):
        check_leverage(state, order)
    check_fill(state, fill)
    if not state.terms.books_fill_first:
        state = book_fill(state, fill.maker, fill.quantity)
        state = book_fill(state, fill.taker, fill.quantity)
    changes = []
    for order, rate in (
        (fill.maker, state.terms.maker_fee),
        (taker, state.terms.taker_fee),
    ):
        deal = Deal(
            order.account,
            order.is_buy,
            fill.quantity,
            fill.price,
            over(ONE, whole(order.leverage)),
            times(fill.price, rate),
            order.reduce_only,
        )
        state, change = take_part(state, deal)
        changes.append(change)
    return reach(state, "BF-FEE-1"), changes[0], changes[1]


def gas_charges(state: State, fill: c.Fill) -> tuple[int, int]:
    """What the maker and the taker pay for gas.

    BF-GAS-1: in the `arbitrum` build an order pays the operator's charge with its first fill.
    IsolatedTrader.sol, _applyGasCharges.
    BF-GAS-2: a maker's order that is worth more than a threshold pays none. IsolatedTrader.sol,
    applyGasCharges.
    """
    if not state.terms.charges_gas:
        return 0, 0
    first = [state.filled[order] == fill.quantity for order in (fill.maker, fill.taker)]
    threshold = state.terms.gasless_order_value
    charged = threshold == 0 or times(state.oracle, fill.maker.quantity) <= threshold
    return fill.gas * (first[0] and charged), fill.gas * first[1]


def collect_trade(state: State, fees: int, charges: int) -> State:
    """Put fees and gas charges where they belong.

    BF-FEE-2: in the `arbitrum` build fees accrue in the perpetual until the owner collects them;
    in the `boba` build the fee pool gets them at once. Perpetual.sol, trade; observed on the
    bytecode.
    """
    state = pay(state, POT, GAS, charges, "BF-GAS-1")
    if charges:
        state = reach(state, "BF-GAS-1")
    payee = FEES if state.terms.pooled_fees else FEE_POOL
    return reach(pay(state, POT, payee, fees, "BF-FEE-2"), "BF-FEE-2")


def fill(state: State, command: c.Fill) -> State:
    """Match two signed orders.

    BF-TRD-3: a trade with oneself is judged like any other, and then changes no position and moves
    no money; its orders count as filled. Perpetual.sol, trade; observed on the bytecode.
    """
    maker, taker = command.maker.account, command.taker.account
    state = begin_trade(state, maker, taker, ORDERS)
    was = {account: before(state, account) for account in (maker, taker)}
    state, ours, theirs = agree(state, command)
    if maker == taker:
        return end_trade(reach(state, "BF-TRD-3"), was, ORDERS)
    state = sample(state, command.price)
    charges = gas_charges(state, command)
    if command.gas and state.terms.charges_gas and not charges[0]:
        state = reach(state, "BF-GAS-2")
    flows = (maker, ours.flow + charges[0]), (taker, theirs.flow + charges[1])
    state = exchange_money(state, *flows, "BF-TRD-4")
    state = collect_trade(state, ours.fee + theirs.fee, sum(charges))
    state = take_effect(state, maker, ours, "BF-TRD-4")
    state = take_effect(state, taker, theirs, "BF-TRD-4")
    return end_trade(state, was, ORDERS)


def cancel_order(state: State, command: c.CancelOrder) -> State:
    """Cancel an order for good.

    BF-ORD-11: the maker of an order may cancel it at any time. IsolatedTrader.sol, cancelOrder.
    """
    order = evolve(command.order, forged=False)
    return reach(evolve(state, cancelled=state.cancelled.set(order, True)), "BF-ORD-11")


# Liquidation ------------------------------------------------------------------------------------


def bankruptcy_price(position: Position, margin: int) -> int:
    """The price at which a position's equity is zero.

    BF-LIQ-1: (entry value - margin) / quantity for a long, (entry value + margin) / quantity for
    a short, towards zero. IsolatedLiquidation.sol, trade.
    """
    if position.is_long:
        return over(less(position.oi_open, margin), position.quantity)
    return over(position.oi_open + margin, position.quantity)


def check_liquidation(state: State, command: c.Liquidate, price: int) -> None:
    """Refuse a liquidation that is not due or not in order.

    BF-LIQ-2: only a position can be liquidated; the `boba` build does not ask, but finds nothing
    due. IsolatedLiquidation.sol, _verifyTrade; observed on the bytecode.
    BF-LIQ-3: and only below maintenance margin, at the oracle price rounded to a tick.
    IsolatedLiquidation.sol, _verifyTrade; Liquidation.test.ts.
    BF-LIQ-4: with all-or-nothing, the position must be as large as what is asked for.
    IsolatedLiquidation.sol, _verifyTrade.
    BF-LIQ-5: the liquidator takes the side of the position. IsolatedLiquidation.sol, _verifyTrade.
    BF-LIQ-6: a liquidator with a leverage takes over at that leverage. IsolatedLiquidation.sol,
    _verifyTrade.
    """
    position = state.position(command.account)
    reason = "Liquidation: Maker has no position to liquidate"
    there = position.quantity > 0 or not state.terms.requires_positions
    require(there, "BF-LIQ-2", reason)
    ratio = margin_ratio(position, state.margin(command.account), price)
    reason = "Liquidation: Cannot liquidate since maker is not undercollateralized"
    require(ratio < state.terms.maintenance_margin, "BF-LIQ-3", reason)
    reason = "Liquidation: allOrNothing is true and liquidation quantity < specified quantity"
    enough = position.quantity >= command.quantity
    require(enough or not command.all_or_nothing, "BF-LIQ-4", reason)
    reason = "Liquidation: Cannot add to maker's position quantity"
    require(command.is_buy == position.is_long, "BF-LIQ-5", reason)
    mro = state.position(command.by).mro
    reason = "Liquidation: Liquidator leverage is invalid"
    require(mro in (0, divide(ONE, command.leverage)), "BF-LIQ-6", reason)


def give_up(state: State, account: str, quantity: int) -> Change:
    """What a liquidation leaves of the liquidated position.

    BF-LIQ-7: the position shrinks in proportion and the account neither pays nor is paid; its
    part of the margin stays in the perpetual. IsolatedLiquidation.sol, _applyIM, case 2.
    """
    position, margin = state.position(account), state.margin(account)
    left = position.quantity - quantity
    kept = over(times(margin, left), position.quantity)
    return Change(remainder(position, left), kept, 0)


def share_premium(state: State, command: c.Liquidate, per_unit: int, quantity: int) -> State:
    """Pay the liquidator and the insurance pool, or make the liquidator pay.

    BF-LIQ-8: above the bankruptcy price the premium, (oracle - bankruptcy price) times quantity,
    is split between the insurance pool and the liquidator, each part towards zero; the perpetual
    pays both. IsolatedLiquidation.sol, trade; LiquidationTrades.test.ts.
    BF-LIQ-9: below it the liquidator pays the whole of it to the perpetual.
    IsolatedLiquidation.sol, trade; LiquidationTrades.test.ts, "Test # 5 - Long Position + Full
    Underwater Liquidation".
    """
    premium, share = times(per_unit, quantity), state.terms.insurance_share
    if per_unit < 0:
        state = pay(state, bank(command.by), POT, -premium, "BF-LIQ-9")
        return reach(state, "BF-LIQ-9")
    state = pay(state, POT, bank(command.by), times(ONE - share, premium), "BF-LIQ-8")
    state = pay(state, POT, INSURANCE_POOL, times(premium, share), "BF-LIQ-8")
    return reach(state, "BF-LIQ-8")


def liquidate(state: State, command: c.Liquidate) -> State:
    """Let a liquidator take over a position that is below maintenance margin.

    BF-LIQ-10: the liquidator takes at most the position, at the oracle price, and bears it with
    margin of its own. IsolatedLiquidation.sol, trade.
    BF-LIQ-11: an account that liquidates itself is paid the premium and keeps its position.
    Observed on the bytecode of both builds; Perpetual.sol passes over such a trade at ceb10a8c.
    """
    account, by = command.account, command.by
    state = begin_trade(state, account, by, LIQUIDATION)
    was = {name: before(state, name) for name in (account, by)}
    price = round_to_tick(state.oracle, state.terms.tick_size)
    check_price(state.terms, price)
    check_quantity(state.terms, command.quantity)
    check_liquidation(state, command, price)
    position = state.position(account)
    bankruptcy = bankruptcy_price(position, state.margin(account))
    quantity = min(command.quantity, position.quantity)
    given = give_up(state, account, quantity)
    mro = divide(ONE, command.leverage)
    state, taken = take_part(state, Deal(by, command.is_buy, quantity, price, mro))
    per_unit = price - bankruptcy if position.is_long else bankruptcy - price
    state = share_premium(state, command, per_unit, quantity)
    if account == by:
        return end_trade(reach(state, "BF-LIQ-11"), was, LIQUIDATION)
    state = exchange_money(state, (account, given.flow), (by, taken.flow), "BF-LIQ-10")
    state = take_effect(state, account, given, "BF-LIQ-7")
    state = take_effect(state, by, taken, "BF-LIQ-10")
    state = reach(state, "BF-LIQ-1", "BF-LIQ-7", "BF-LIQ-10")
    return end_trade(state, was, LIQUIDATION)


# Deleveraging -----------------------------------------------------------------------------------


def check_deleveraging(state: State, command: c.Deleverage, price: int) -> None:
    """Refuse a deleveraging that is not due or not in order.

    BF-ADL-1: both sides have a position; the `boba` build does not ask. IsolatedADL.sol,
    _verifyTrade; observed on the bytecode.
    BF-ADL-2: the maker's margin ratio is at most zero. IsolatedADL.sol, _verifyTrade;
    ADL.test.ts.
    BF-ADL-3: the taker's is above zero. IsolatedADL.sol, _verifyTrade; ADL.test.ts.
    BF-ADL-4: with all-or-nothing, both positions must be as large as what is asked for.
    IsolatedADL.sol, _verifyTrade.
    BF-ADL-5: the two positions are of opposite sides. IsolatedADL.sol, _verifyTrade.
    BF-ADL-6: and the trade reduces the maker's. IsolatedADL.sol, _verifyTrade.
    """
    maker, taker = state.position(command.maker), state.position(command.taker)
    if state.terms.requires_positions:
        require(maker.quantity > 0, "BF-ADL-1", "IsolatedADL: Maker has zero position")
        require(taker.quantity > 0, "BF-ADL-1", "IsolatedADL: Taker has zero position")
    reason = "IsolatedADL: Cannot deleverage since maker is not underwater"
    ratio = margin_ratio(maker, state.margin(command.maker), price)
    require(ratio <= 0, "BF-ADL-2", reason)
    reason = "IsolatedADL: Cannot deleverage since taker is underwater"
    ratio = margin_ratio(taker, state.margin(command.taker), price)
    require(ratio > 0, "BF-ADL-3", reason)
    exact = command.all_or_nothing
    reason = "IsolatedADL: allOrNothing is set and maker position is < quantity"
    require(not exact or maker.quantity >= command.quantity, "BF-ADL-4", reason)
    reason = "IsolatedADL: Taker and maker can not have same side positions"
    require(taker.is_long != maker.is_long, "BF-ADL-5", reason)
    reason = "IsolatedADL: allOrNothing is set and taker position is < quantity"
    require(not exact or taker.quantity >= command.quantity, "BF-ADL-4", reason)
    reason = "IsolatedADL: deleveraging must not increase maker's position size"
    require(command.is_buy != maker.is_long, "BF-ADL-6", reason)


def close_by_force(state: State, account: str, price: int, quantity: int) -> Change:
    """What a deleveraging does to one of its sides.

    BF-ADL-7: profit and margin are released as by an order, without a fee; in the `arbitrum` build
    a side that loses up to 0.0001 per unit more than its margin is let off, in the `boba` build
    one quantum is too much. IsolatedADL.sol, _applyIM; observed on the bytecode.
    """
    deal = Deal(account, False, quantity, price, 0)
    require_equity(state, deal, state.terms.adl_tolerance)
    position, margin = state.position(account), state.margin(account)
    left = position.quantity - quantity
    released = over(times(margin, quantity), position.quantity)
    flow = times(quantity, -profit_per_unit(position, price)) - released
    kept = over(times(margin, left), position.quantity)
    return Change(remainder(position, left), kept, min(flow, 0))


def deleverage(state: State, command: c.Deleverage) -> State:
    """Close an account that is under water against a counterparty.

    BF-ADL-8: at most the smaller of the two positions is closed, at the maker's bankruptcy price;
    funding that the maker cannot pay is part of that price. IsolatedADL.sol, trade;
    ADLTrades.test.ts, "# 1 - Long Position + Full ADL".
    """
    state = begin_trade(state, command.maker, command.taker, DELEVERAGING)
    was = {name: before(state, name) for name in (command.maker, command.taker)}
    price = round_to_tick(state.oracle, state.terms.tick_size)
    check_price(state.terms, price)
    check_quantity(state.terms, command.quantity)
    check_deleveraging(state, command, price)
    maker, taker = state.position(command.maker), state.position(command.taker)
    quantity = min(command.quantity, maker.quantity, taker.quantity)
    bankruptcy = bankruptcy_price(maker, state.margin(command.maker))
    ours = close_by_force(state, command.maker, bankruptcy, quantity)
    theirs = close_by_force(state, command.taker, bankruptcy, quantity)
    state = sample(state, bankruptcy)
    flows = (command.maker, ours.flow), (command.taker, theirs.flow)
    state = exchange_money(state, *flows, "BF-ADL-8")
    state = take_effect(state, command.maker, ours, "BF-ADL-8")
    state = take_effect(state, command.taker, theirs, "BF-ADL-8")
    return end_trade(reach(state, "BF-ADL-7", "BF-ADL-8"), was, DELEVERAGING)


# Margin and leverage ----------------------------------------------------------------------------


def add_margin(state: State, command: c.AddMargin) -> State:
    """Move free balance into a position.

    BF-ACC-1: the amount is positive. Perpetual.sol, addMargin, P13; removeMargin, P15.
    BF-ACC-2: there is a position. Perpetual.sol, addMargin, P14.
    BF-ACC-3: what is added counts before funding is settled. Perpetual.sol, addMargin.
    """
    account = command.account
    require(not state.delisted, "BF-TRD-1", "P1")
    require(command.amount > 0, "BF-ACC-1", "P13")
    require(state.position(account).quantity > 0, "BF-ACC-2", "P14")
    state = touch(state)
    state = pay(state, bank(account), POT, command.amount, "BF-ACC-3")
    state = pay(state, POT, margin_of(account), command.amount, "BF-ACC-3")
    return reach(settle_funding(state, account, ACCOUNT, account), "BF-ACC-3")


def removable_margin(position: Position, margin: int, price: int) -> int:
    """How much margin a position can spare.

    BF-ACC-4: what it has beyond its required margin at the oracle price, before pending funding,
    and at most all of it. MarginMath.sol, getMaxRemoveableMargin.
    """
    if position.is_long:
        value = times(position.quantity, times(price, ONE - position.mro))
        spare = margin - position.oi_open + value
    else:
        value = times(position.quantity, times(price, ONE + position.mro))
        spare = margin + position.oi_open - value
    return min(margin, max(spare, 0))


def remove_margin(state: State, command: c.RemoveMargin) -> State:
    """Move margin out of a position.

    BF-ACC-5: no more than can be spared. Perpetual.sol, removeMargin, P16.
    """
    account = command.account
    require(not state.delisted, "BF-TRD-1", "P1")
    require(command.amount > 0, "BF-ACC-1", "P15")
    state = touch(state)
    was = before(state, account)
    spare = removable_margin(was.position, was.margin, state.oracle)
    require(command.amount <= spare, "BF-ACC-5", "P16")
    state = pay(state, POT, bank(account), command.amount, "BF-ACC-4")
    state = pay(state, margin_of(account), POT, command.amount, "BF-ACC-4")
    state = settle_funding(state, account, ACCOUNT, account)
    return check_margin(reach(state, "BF-ACC-4"), account, was, ACCOUNT)


def target_margin(position: Position, leverage: int, price: int) -> int:
    """The margin that a position has at a leverage.

    BF-ACC-6: its value over the leverage, less its unrealised profit, at least zero.
    MarginMath.sol, getTargetMargin.
    """
    value = times(position.quantity, price)
    profit = value - position.oi_open if position.is_long else position.oi_open - value
    return max(over(value, leverage) - profit, 0)


def adjust_leverage(state: State, command: c.AdjustLeverage) -> State:
    """Give a position the margin of another leverage.

    BF-ACC-7: the leverage is a whole number of at least one. Perpetual.sol, adjustLeverage, P17.
    BF-ACC-8: an account without a position may set its leverage too, and then has it.
    Perpetual.sol, adjustLeverage; observed on the bytecode.
    """
    account, leverage = command.account, whole(command.leverage)
    require(not state.delisted, "BF-TRD-1", "P1")
    require(leverage > 0, "BF-ACC-7", "P17")
    state = settle_funding(touch(state), account, ACCOUNT, account)
    was = before(state, account)
    target = target_margin(was.position, leverage, state.oracle)
    state = pay_either_way(state, bank(account), POT, target - was.margin, "BF-ACC-6")
    adjusted = evolve(was.position, mro=over(ONE, leverage))
    state = put(state, account, adjusted)
    state = pay_either_way(state, POT, margin_of(account), target - was.margin, "BF-ACC-6")
    check_open_interest(state.terms, adjusted)
    state = reach(state, "BF-ACC-6" if adjusted.quantity else "BF-ACC-8")
    return check_margin(state, account, was, ACCOUNT)


# The bank, the oracle, the end ------------------------------------------------------------------


def deposit(state: State, command: c.Deposit) -> State:
    """Bring money into the bank.

    BF-BANK-2: the bank holds eighteen decimals of a token that has six. MarginBank.sol,
    depositToBank.
    """
    account = bank(command.account)
    return reach(pay(state, OUTSIDE, account, command.amount, "BF-BANK-2"), "BF-BANK-2")


def withdraw(state: State, command: c.Withdraw) -> State:
    """Take money out of the bank.

    BF-BANK-3: the guardian can halt withdrawals. MarginBank.sol, withdrawFromBank.
    BF-BANK-4: nobody withdraws more than their free balance, nor more than the bank has tokens.
    MarginBank.sol, withdrawFromBank.
    """
    reason = "MarginBank: Withdrawals not allowed at the moment"
    require(state.withdrawals, "BF-BANK-3", reason)
    custody = -state.has(OUTSIDE)
    reason = "ERC20: transfer amount exceeds balance"
    require(command.amount <= custody, "BF-BANK-4", reason)
    free = state.has(bank(command.account))
    require(command.amount <= free, "BF-BANK-4", UNDERFLOW)
    return pay(state, bank(command.account), OUTSIDE, command.amount, "BF-BANK-4")


def set_oracle(state: State, command: c.SetOracle) -> State:
    """Publish an oracle price.

    BF-ORA-1: in the `boba` build an update moves the price by at most a fraction of it.
    Observed on the bytecode, PriceOracle, maxPriceUpdateDiff.
    BF-ORA-2: the price is used as it stands, however old. Perpetual.sol, _loadContext.
    """
    if state.terms.oracle_bounded:
        moved = over(abs(command.price - state.oracle), state.oracle)
        reason = "PriceOracle: New Oracle Price is above allowed percentage difference [ETH-PERP]"
        require(moved <= state.terms.oracle_max_move, "BF-ORA-1", reason)
    return reach(evolve(state, oracle=command.price), "BF-ORA-2")


def delist(state: State, command: c.Delist) -> State:
    """End trading at the oracle price.

    BF-END-1: the oracle price is within the bounds that the owner names. Perpetual.sol,
    delistPerpetual, P19 and P20.
    BF-END-2: the market is delisted once, at the oracle price of that moment. Perpetual.sol,
    delistPerpetual.
    """
    require(not state.delisted, "BF-TRD-1", "P1")
    state = touch(state)
    require(state.oracle >= command.lowest, "BF-END-1", "P19")
    require(state.oracle <= command.highest, "BF-END-1", "P20")
    after = evolve(state, delisted=True, delisting_price=state.oracle)
    return reach(after, "BF-END-2")


def final_value(position: Position, margin: int, price: int) -> int:
    """What a position is worth at the delisting price.

    BF-END-3: margin plus profit, at least zero; the value is the entry value times the delisting
    price over the entry price, towards zero. MarginMath.sol, getMarginLeft.
    """
    value = divide(times(position.oi_open, price), position.entry_price)
    profit = value - position.oi_open if position.is_long else position.oi_open - value
    return max(margin + profit, 0)


def close_position(state: State, command: c.ClosePosition) -> State:
    """Take out what a position is worth at the delisting price.

    BF-END-4: only after delisting. Perpetual.sol, afterDelisting, P2.
    BF-END-5: and once. Perpetual.sol, closePosition, P18.
    BF-END-6: who comes when the perpetual has less than that gets what there is; in the
    `arbitrum` build accrued fees and gas are kept back first. Perpetual.sol, closePosition;
    MarginMath.sol, getMarginLeft; DelistingPerpetual.test.ts.
    """
    account = command.account
    require(state.delisted, "BF-END-4", "P2")
    require(state.position(account).quantity > 0, "BF-END-5", "P18")
    state = settle_funding(touch(state), account, ACCOUNT, account)
    position = state.position(account)
    there = less(state.perpetual(), state.has(FEES) + state.has(GAS))
    owed = final_value(position, state.margin(account), state.delisting_price)
    state = put(state, account, evolve(position, quantity=0))
    state = pay(state, POT, bank(account), min(owed, there), "BF-END-3")
    return reach(state, "BF-END-3", *(("BF-END-6",) if there < owed else ()))


def collect_fees(state: State, _command: c.CollectFees) -> State:
    """Move the accrued fees to the fee pool.

    BF-FEE-3: the owner of the `arbitrum` build collects all fees at once. Perpetual.sol,
    transferAccruedFee.
    """
    reason = "this build pays fees out at every fill"
    require(state.terms.pooled_fees, "BF-FEE-2", reason)
    return reach(pay(state, FEES, FEE_POOL, state.has(FEES), "BF-FEE-3"), "BF-FEE-3")


def collect_gas(state: State, _command: c.CollectGas) -> State:
    """Move the accrued gas charges to the gas pool.

    BF-GAS-3: the owner of the `arbitrum` build collects all gas charges at once. Perpetual.sol,
    transferAccruedGas.
    """
    require(state.terms.charges_gas, "BF-GAS-1", "this build charges no gas")
    return reach(pay(state, GAS, GAS_POOL, state.has(GAS), "BF-GAS-3"), "BF-GAS-3")


def advance(state: State, command: c.Advance) -> State:
    """Let time pass. Nothing happens by itself."""
    return evolve(state, time=state.time + command.seconds)


def set_trading(state: State, command: c.SetTrading) -> State:
    """Allow or halt trading (BF-TRD-2)."""
    return evolve(state, trading=command.allowed)


def set_withdrawals(state: State, command: c.SetWithdrawals) -> State:
    """Allow or halt withdrawals (BF-BANK-3)."""
    return evolve(state, withdrawals=command.allowed)


ACTIONS: dict[type, Callable[[State, Any], State]] = {
    c.Deposit: deposit,
    c.Withdraw: withdraw,
    c.Fill: fill,
    c.CancelOrder: cancel_order,
    c.SetOracle: set_oracle,
    c.SetFunding: set_funding,
    c.SetFundingSource: set_funding_source,
    c.SampleFunding: sample_funding,
    c.Advance: advance,
    c.Liquidate: liquidate,
    c.Deleverage: deleverage,
    c.AddMargin: add_margin,
    c.RemoveMargin: remove_margin,
    c.AdjustLeverage: adjust_leverage,
    c.Delist: delist,
    c.ClosePosition: close_position,
    c.CollectFees: collect_fees,
    c.CollectGas: collect_gas,
    c.SetTrading: set_trading,
    c.SetWithdrawals: set_withdrawals,
}


def genesis(terms: Terms, accounts: tuple[str, ...], start: int) -> State:
    """The exchange as it is deployed; trading began a second ago."""
    return State(
        terms=terms,
        accounts=tuple(sorted(accounts)),
        time=start + 1,
        funding_start=start,
        index_time=start - 10,
        oracle=terms.first_oracle,
        samples=Samples(start, start),
    )


def step(state: State, command: c.Command) -> State | Refused:
    """The next state, or why there is none. The state given is not changed."""
    fresh = evolve(state, entries=(), rules=())
    try:
        return ACTIONS[type(command)](fresh, command)
    except Refusal as refusal:
        return Refused(refusal.rule, refusal.reason)


RULE = re.compile(r"^\s*(BF-[A-Z]+-\d+): (.+?)(?=^\s*BF-[A-Z]+-\d+: |^\s*$|\Z)", re.M | re.S)


def applies(rule: str, terms: Terms) -> bool:
    """Whether a rule can be exercised at all under a build's terms."""
    condition = {
        "BF-ADL-1": terms.requires_positions,
        "BF-LIQ-2": terms.requires_positions,
        "BF-ORA-1": terms.oracle_bounded,
        "BF-FND-14": terms.samples_trades,
        "BF-ORD-7": terms.honours_trigger,
        "BF-FEE-3": terms.pooled_fees,
        "BF-GAS-1": terms.charges_gas,
        "BF-GAS-2": terms.charges_gas,
        "BF-GAS-3": terms.charges_gas,
        "BF-ARI-2": terms.pooled_fees,
    }
    return condition.get(rule, True)


def observed() -> frozenset[str]:
    """The rules that were read off the bytecode, in part at least: it cannot but keep those."""
    return frozenset(rule for rule, says in rules().items() if "bserved on the bytecode" in says)


def rules() -> dict[str, str]:
    """Every rule of the model with its sentence, collected from the docstrings."""
    found = {}
    for module in (sys.modules[__name__], sys.modules[State.__module__]):
        for value in vars(module).values():
            documented = value.__doc__ if callable(value) else None
            for rule, sentence in RULE.findall(documented or ""):
                found[rule] = " ".join(sentence.split())
    return dict(sorted(found.items()))
