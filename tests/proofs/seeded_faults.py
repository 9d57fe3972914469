"""Faults to plant in the rules, one at a time: each must turn a theorem red.

A fault is a piece of the shipped source and what to write instead; the module is compiled anew
from the changed source and put in place of the real one while the theorems run.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType

from attrs import frozen

from perpref import units
from perpref.rules import (
    adl,
    book,
    fee,
    funding,
    ledger,
    liquidation,
    loss,
    margin,
    mark,
    position,
    vault,
)


@frozen
class Fault:
    """`old` in the function's source is written as `new`; some theorem of `chapter` must fail."""

    name: str
    function: FunctionType
    old: str
    new: str
    chapter: str
    subjects: tuple[str, ...]


def fault(name: str, function: object, old: str, new: str, chapter: str, *subjects: str) -> Fault:
    assert isinstance(function, FunctionType)
    return Fault(name, function, old, new, chapter, subjects)


FAULTS = (
    fault(
        "ceil rounds down",
        units.ceil_div,
        "-(-dividend // divisor)",
        "dividend // divisor",
        "units",
        "ceil_div",
    ),
    fault(
        "realised profit rounds up",
        position.closed,
        "ceil_div(",
        "floor_div(",
        "position",
        "closed",
    ),
    fault(
        "a short closes the wrong way",
        position.closed,
        "position.size - direction * lots",
        "position.size - lots",
        "position",
        "traded",
    ),
    fault(
        "adding forgets the cost",
        position.opened,
        "position.cost + price * lots",
        "position.cost + price",
        "position",
        "traded",
    ),
    fault(
        "a flip opens too much",
        position.traded,
        "lots - sign(lots) * closing",
        "lots",
        "position",
        "traded",
    ),
    fault(
        "a flip closes all that is bought",
        position.traded,
        "min(abs(lots), abs(position.size))",
        "abs(lots)",
        "position",
        "traded",
    ),
    fault(
        "the payee gets the payer's cash",
        ledger.pay,
        "taker.collateral + amount",
        "giver.collateral + amount",
        "ledger",
        "pay",
    ),
    fault(
        "the payer is read after the payee",
        ledger.pay,
        "taker = accounts.get(payee, EMPTY)",
        "taker = exchange.accounts.get(payee, EMPTY)",
        "ledger",
        "pay",
    ),
    fault(
        "a deposit does not reach the pot",
        ledger.move_cash,
        "exchange.custody + amount",
        "exchange.custody",
        "ledger",
        "move_cash",
    ),
    fault(
        "the seller buys",
        ledger.fill,
        "market, -lots, price",
        "market, lots, price",
        "ledger",
        "fill",
    ),
    fault(
        "unrealised losses can be withdrawn",
        ledger.withdrawable,
        "min(0, ",
        "max(0, ",
        "ledger",
        "withdraw",
    ),
    fault(
        "one quantum too much can be withdrawn",
        ledger.withdraw,
        "amount <= free",
        "amount <= free + 1",
        "ledger",
        "withdraw",
    ),
    fault(
        "initial margin is not held back",
        ledger.withdrawable,
        "health(exchange, account).initial",
        "0",
        "ledger",
        "withdraw",
    ),
    fault(
        "the pot can be overdrawn",
        ledger.withdraw,
        "amount <= exchange.custody",
        "amount <= exchange.custody + amount",
        "ledger",
        "withdraw",
    ),
    fault(
        "maintenance margin rounds down",
        margin.maintenance_margin,
        "ceil_div(",
        "floor_div(",
        "margin",
        "maintenance_margin",
    ),
    fault(
        "initial margin is at the maintenance rate",
        margin.initial_margin,
        "market.initial_rate",
        "market.maintenance_rate",
        "margin",
        "maintenance_margin",
    ),
    fault(
        "a short is worth the negative",
        margin.position_value,
        "- position.cost",
        "- abs(position.cost)",
        "margin",
        "position_value",
    ),
    fault(
        "an insolvent account may reduce",
        margin.bears_fill,
        "after.equity >= 0 and ",
        "",
        "margin",
        "bears_fill",
    ),
    fault("the cover may worsen", margin.bears_fill, "and covers", "", "margin", "bears_fill"),
    fault(
        "an increase counts as a reduction",
        margin.reduces,
        "0 <= after.size < before.size",
        "0 <= after.size <= before.size",
        "margin",
        "reduces",
    ),
    fault(
        "the mark may be zero", mark.require_price, "1 <= price", "0 <= price", "mark", "set_mark"
    ),
    fault(
        "the maker pays the taker's rate",
        fee.charge_maker,
        "rulebook.maker_fee",
        "rulebook.taker_fee",
        "fee",
        "charge_maker",
    ),
    fault("the taker pays the vault", fee.charge_taker, "TREASURY", "VAULT", "fee", "charge_taker"),
    fault("a fee rounds down", fee.trading_fee, "ceil_div(", "floor_div(", "fee", "trading_fee"),
    fault(
        "the liquidation fee takes what is not there",
        fee.liquidation_fee,
        "max(left, 0)",
        "abs(left)",
        "fee",
        "charge_liquidated",
    ),
    fault(
        "the liquidation fee ignores the improvement",
        fee.liquidation_fee,
        ", better, ",
        ", ",
        "fee",
        "charge_liquidated",
    ),
    fault(
        "the worse price is first",
        book.better,
        "price > other if",
        "price < other if",
        "book",
        "ahead",
    ),
    fault(
        "the later order is first",
        book.ahead,
        "first.id < second.id",
        "first.id > second.id",
        "book",
        "ahead",
    ),
    fault(
        "a buyer crosses offers above its limit",
        book.crosses,
        "maker_price <= price",
        "maker_price >= price",
        "book",
        "crosses",
    ),
    fault(
        "a reduce-only order may flip",
        book.reducible,
        "min(order.lots, max(opposite, 0))",
        "order.lots",
        "book",
        "reducible",
    ),
    fault(
        "the taker is not judged",
        book.match,
        "bears_fill(taker_before, taker_after, reducing)",
        "True",
        "book",
        "match_buyer",
    ),
    fault(
        "the maker is not judged",
        book.require_maker_bears,
        "bears_fill(before, now, reducing)",
        "True",
        "book",
        "match_seller",
    ),
    fault(
        "both sides of a fill are swapped",
        book.parties,
        "taker.side is Side.BUY",
        "taker.side is Side.SELL",
        "book",
        "parties",
    ),
    fault(
        "a liquidated long buys",
        liquidation.liquidate,
        "if side is Side.SELL else",
        "if side is Side.BUY else",
        "liquidation",
        "liquidate_long",
    ),
    fault(
        "a receiver is rounded up",
        funding.funding_due,
        "ceil_div(",
        "floor_div(",
        "funding",
        "funding_due",
    ),
    fault(
        "funding is paid by the wrong side",
        funding.settle_funding,
        "pay(exchange, account, VAULT, due",
        "pay(exchange, VAULT, account, due",
        "funding",
        "settle_funding",
    ),
    fault(
        "the funding cap has one side",
        funding.require_funding_rate,
        "-cap <= rate",
        "rate <= rate",
        "funding",
        "settle_funding",
    ),
    fault(
        "an account at its margin is due",
        liquidation.is_due,
        "now.equity < now.maintenance",
        "now.equity <= now.maintenance",
        "liquidation",
        "is_due",
    ),
    fault(
        "the share of equity is not shared",
        liquidation.part_of_equity,
        "equity * weight",
        "equity * weights",
        "liquidation",
        "part_of_equity",
    ),
    fault(
        "a short's bankruptcy price is a long's",
        liquidation.price_without,
        "mark - sign(size) *",
        "mark -",
        "liquidation",
        "price_without",
    ),
    fault(
        "the bankruptcy price rounds against the account",
        liquidation.price_without,
        "floor_div(share",
        "ceil_div(share",
        "liquidation",
        "price_without",
    ),
    fault(
        "the book may be worse than bankruptcy",
        liquidation.liquidate,
        "crosses(side, limit, maker.price)",
        "maker.price >= 1",
        "liquidation",
        "liquidate_long",
    ),
    fault(
        "the vault's cap is looked at before",
        vault.take_over,
        "held = abs(position_of(outcome.exchange,",
        "held = abs(position_of(exchange,",
        "vault",
        "take_over",
    ),
    fault(
        "the vault's margin is the maintenance margin",
        vault.take_over,
        "after.equity >= after.initial",
        "after.equity >= after.maintenance",
        "vault",
        "take_over",
    ),
    fault(
        "the vault's boundary is not kept",
        vault.take_over,
        "after.equity >= boundary",
        "after.equity >= -boundary",
        "vault",
        "take_over",
    ),
    fault(
        "the vault takes from the healthy",
        vault.take_over,
        "    require_due(exchange, account, market)\n",
        "",
        "vault",
        "take_over",
    ),
    fault(
        "the vault takes over from itself",
        vault.take_over,
        "require(account != VAULT, VAULT_IS_LIQUIDATED)",
        "pass",
        "vault",
        "take_over",
    ),
    fault(
        "the vault may take more than there is",
        vault.transfer_position,
        "1 <= lots <= abs(size)",
        "1 <= lots",
        "vault",
        "take_over",
    ),
    fault(
        "a deleveraging may open a position",
        adl.require_opposite,
        "lots <= abs(other)",
        "lots >= 1",
        "adl",
        "deleverage",
    ),
    fault(
        "a counterparty of the same side is taken",
        adl.require_opposite,
        "sign(size) == -sign(other)",
        "sign(other) != 0",
        "adl",
        "deleverage",
    ),
    fault(
        "a counterparty may be ruined",
        adl.bears_closing,
        "after.equity < 0 and after.equity < before.equity",
        "after.equity < 0 and after.equity > before.equity",
        "adl",
        "bears_closing",
    ),
    fault(
        "a counterparty may be left riskier",
        adl.bears_closing,
        "after.equity * before.maintenance >= before.equity * after.maintenance",
        "before.equity * after.maintenance >= after.equity * before.maintenance",
        "adl",
        "bears_closing",
    ),
    fault(
        "the health before is not looked at",
        adl.deleverage,
        "bears_closing(before, after,",
        "bears_closing(after, after,",
        "adl",
        "deleverage",
    ),
    fault(
        "an adl does not wait for insolvency",
        adl.triggers,
        "equity < 0 if",
        "equity <= 0 if",
        "adl",
        "triggers",
    ),
    fault(
        "a solvent account is closed at the previous mark",
        adl.is_price_safe,
        "return rulebook.deleverage_only_insolvent",
        "return True",
        "adl",
        "forced_price",
    ),
    fault(
        "far from the mark the price is the mark before",
        adl.forced_price,
        "return mark if far",
        "return previous_mark if far",
        "adl",
        "forced_price",
    ),
    fault(
        "one lot too much is bearable",
        adl.bearable,
        "floor_div(",
        "1 + floor_div(",
        "adl",
        "bearable",
    ),
    fault(
        "the ranking ignores leverage",
        adl.leveraged_return,
        "max(standing.equity, 1)",
        "1",
        "adl",
        "outranks",
    ),
    fault(
        "the poorer rank ties",
        adl.outranks,
        "first.account < second.account",
        "True",
        "adl",
        "outranks",
    ),
    fault(
        "a score may have no denominator",
        adl.margined_return,
        "standing.equity <= 0",
        "standing.equity < 0",
        "adl",
        "score",
    ),
    fault(
        "a loser is ranked as a winner",
        adl.signed_return,
        "standing.profit * margin",
        "-standing.profit * margin",
        "adl",
        "score",
    ),
    fault(
        "whoever ranks by mark to entry ranks by nothing",
        adl.score,
        "return mark_to_entry_literal(standing)",
        "return standing.notional, standing.equity",
        "adl",
        "score",
    ),
    fault(
        "mark to entry is not turned round for shorts",
        adl.mark_to_entry,
        "standing.size > 0",
        "standing.size < 0",
        "adl",
        "outranks",
    ),
    fault(
        "a close-out is at the bankruptcy price",
        loss.close_out,
        "mark = exchange.markets[market].mark",
        "mark = exchange.markets[market].mark + 1",
        "loss",
        "close_out",
    ),
    fault(
        "a share rounds down",
        loss.share_of_loss,
        "ceil_div(",
        "floor_div(",
        "loss",
        "share_of_loss",
    ),
    fault(
        "a payer pays the whole deficit",
        loss.socialise,
        "share_of_loss(deficit, weight, weights)",
        "deficit",
        "loss",
        "socialise",
    ),
    fault(
        "more is shared than there is",
        loss.socialise,
        "deficit <= weights",
        "deficit >= 1",
        "loss",
        "socialise",
    ),
    fault(
        "the debtor pays",
        loss.socialise,
        "pay(exchange, payer, debtor,",
        "pay(exchange, debtor, payer,",
        "loss",
        "socialise",
    ),
)


@contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """Run with the fault in place of the shipped function, wherever that is held by name."""
    source = inspect.getsource(fault.function)
    if source.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: {fault.old!r} stands {source.count(fault.old)} times")
    undecorated = source[source.index("def ") :].replace(fault.old, fault.new)
    names: dict[str, object] = {}
    module = sys.modules[fault.function.__module__]
    scope = vars(module)  # the module's own, so that a contract in it is met by the fault as well
    lent = {"floor_div": units.floor_div, "ceil_div": units.ceil_div}
    lent = {name: function for name, function in lent.items() if name not in scope}
    scope.update(lent)
    exec(compile(undecorated, f"<{fault.name}>", "exec"), scope, names)
    faulty = names[fault.function.__name__]
    holders = [(held, name) for held in _modules() for name in _held_as(held, fault.function)]
    for held, name in holders:
        setattr(held, name, faulty)
    try:
        yield
    finally:
        for held, name in holders:
            setattr(held, name, fault.function)
        for name in lent:
            del scope[name]


def _modules() -> list[ModuleType]:
    return [
        module
        for name, module in sys.modules.items()
        if name.startswith(("perpref.", "proofs.")) and module is not None
    ]


def _held_as(module: ModuleType, function: object) -> list[str]:
    return [name for name, value in vars(module).items() if value is function]
