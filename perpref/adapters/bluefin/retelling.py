"""A story told once more, for a reader: every answer, every balance, and who loses what.

The judge reckons with equities. The endings here do not: they let the contracts themselves end
the market and pay everybody out, once before the last command and once after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.engine import Engine
from perpref.adapters.bluefin.law import DUST, equity, owed, surplus
from perpref.adapters.bluefin.report import Ending, Repeated, Told
from perpref.adapters.bluefin.view import View

POOLS = ("fee_pool", "insurance_pool", "gas_pool", "perpetual")


def retold(engine: Engine, story: Sequence[c.Command]) -> tuple[Told, ...]:
    """Each command with what the contracts said to it, what the perpetual then holds and owes."""
    point = engine.snapshot()
    steps = []
    try:
        for command in story:
            reason = engine.apply(command)
            seen = engine.observe()
            answer = "accepted" if reason is None else f"refused: {reason}"
            steps.append(Told(str(command), answer, seen.perpetual, owed(seen)))
    finally:
        engine.restore(point)
    return tuple(steps)


def endings(engine: Engine, story: Sequence[c.Command]) -> tuple[Ending, ...]:
    """What the last command changes for each account, had the market ended there; only changes."""
    point = engine.snapshot()
    try:
        for command in story[:-1]:
            engine.apply(command)
        was, without = engine.observe(), _ended(engine)
        engine.apply(story[-1])
        now, after = engine.observe(), _ended(engine)
    finally:
        engine.restore(point)
    found, named = [], _named(story[-1])
    for name in now.accounts:
        due, before = _due(now, name), without.accounts[name].bank
        entry = Ending(name, before, after.accounts[name].bank, due)
        unpaid, unpaid_before = due - entry.after, _due(was, name) - before
        hurt = unpaid > DUST and (name in named or unpaid - unpaid_before > DUST)
        if entry.without != entry.after or hurt:
            found.append(entry)
    for pool in POOLS:
        before, then = getattr(without, pool), getattr(after, pool)
        if before != then:
            found.append(Ending(pool.replace("_", " "), before, then, then))
    return tuple(found)


def _due(view: View, name: str) -> int:
    """What an account would have if every claim were paid."""
    return view.accounts[name].bank + max(equity(view, name), 0)


def repeated(engine: Engine, story: Sequence[c.Command]) -> Repeated:
    """How often the last command of a story is accepted again, and what that costs in all."""
    point = engine.snapshot()
    times, most = 0, 1_000
    try:
        for command in story:
            engine.apply(command)
        first = before = surplus(engine.observe())
        while times < most and engine.apply(story[-1]) is None:
            now = surplus(engine.observe())
            if before - now <= DUST:
                break
            times, before = times + 1, now
        return Repeated(times, first - before, engine.observe().perpetual)
    finally:
        engine.restore(point)


def _named(command: c.Command) -> set[str]:
    """The accounts that a command names."""
    match command:
        case c.Fill(maker, taker):
            return {maker.account, taker.account}
        case c.Deleverage(maker_name, taker_name):
            return {maker_name, taker_name}
        case c.Liquidate(account, by):
            return {account, by}
    named = getattr(command, "account", None)
    return set() if named is None else {named}


def _ended(engine: Engine) -> View:
    """The exchange after everybody has left, in the order of names, and charges are collected."""
    point = engine.snapshot()
    try:
        engine.apply(c.Delist(0, c.ANY_PRICE))
        for account in engine.accounts:
            engine.apply(c.ClosePosition(account))
        engine.apply(c.CollectFees())
        engine.apply(c.CollectGas())
        return engine.observe()
    finally:
        engine.restore(point)
