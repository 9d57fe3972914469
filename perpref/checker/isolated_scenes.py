"""Scenes of isolated positions beside cross margin: set apart, used, closed or lost."""

from __future__ import annotations

from perpref import machine
from perpref.checker import moves
from perpref.checker.dice import Dice
from perpref.checker.world import World
from perpref.state import Kind, Side
from perpref.units import PARTS, AccountId, MarketId, ceil_div


def isolated_position(world: World, dice: Dice) -> None:
    """Somebody sets margin apart and takes a position with it, which is closed, or lost."""
    if dice.one_in(4):
        return moves.isolate(world, dice)
    market, side = world.market(dice), dice.pick((Side.BUY, Side.SELL))
    owner, other = dice.shuffled(world.people)[:2]
    lots, price = dice.pick((1, 3, 10)), world.mark(market)
    account = _set_apart(world, dice, owner, market, lots)
    if account is None:
        return None
    maker = owner if dice.one_in(4) else other
    world.equip(maker, market, 2 * lots, 8)
    world.place(maker, market, side.opposite, lots, price)
    where = dice.pick(world.markets) if dice.one_in(5) else market
    world.place(account, where, side, dice.pick((lots, lots, lots + 1)), price, _at_once(dice))
    if dice.one_in(3):
        _pass_margin(world, dice, owner, account, other)
    if dice.below(2):
        _close(world, dice, account, other, market)
    elif world.position(account, market).size:
        world.set_mark(market, world.due_price(account, market) - side.value * dice.pick((1, 2, 9)))
    return None


def _at_once(dice: Dice) -> Kind:
    return dice.pick((Kind.IOC, Kind.IOC, Kind.LIMIT, Kind.MARKET))


def _set_apart(
    world: World, dice: Dice, owner: AccountId, market: MarketId, lots: int
) -> AccountId | None:
    """An isolated account with margin for some lots, and something over or nothing."""
    need = ceil_div(lots * world.mark(market) * world.initial_rate(market), PARTS)
    amount = dice.pick((need, need + 5, 2 * need, need + 1))
    world.deposit(owner, dice.pick((amount, amount + 1, 3 * amount)))
    account = world.next_isolated()
    made = world.do(machine.Isolate(owner, account, market, amount))
    return account if made else None


def _pass_margin(
    world: World, dice: Dice, owner: AccountId, account: AccountId, other: AccountId
) -> None:
    """More margin or less of it; or cash that must not come, or go."""
    free = max(world.free(account), 1)
    commands: tuple[machine.Command, ...] = (
        machine.Transfer(owner, account, max(world.free(owner) >> 1, 1)),
        machine.Transfer(account, owner, dice.pick((free, max(free >> 1, 1), free + 1))),
        machine.Transfer(other, account, 1),
        machine.Transfer(account, other, 1),
        machine.Deposit(account, 5),
        machine.Withdraw(account, 1),
        machine.ContributeToVault(account, 1),
        machine.Isolate(account, world.next_isolated(), dice.pick(world.markets), 1),
    )
    world.do(dice.pick(commands))


def _close(
    world: World, dice: Dice, account: AccountId, other: AccountId, market: MarketId
) -> None:
    """Somebody takes the other side of what is open, and at times an order rests meanwhile."""
    size = world.position(account, market).size
    if not size:
        return
    mark, closing = world.mark(market), Side.SELL if size > 0 else Side.BUY
    if dice.one_in(3):
        far = mark + closing.value * -(1 + mark // 4)
        resting = world.place(account, market, closing, 1, far)
    else:
        resting = None
    world.equip(other, market, 2 * abs(size), 8)
    world.place(other, market, closing.opposite, abs(size), mark)
    world.place(account, market, closing, abs(size), mark, Kind.IOC, reduce_only=dice.one_in(2))
    if resting is not None:
        world.do(machine.Cancel(account, market, resting))
