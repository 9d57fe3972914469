"""Scenes of who stands behind the market: shareholders, a market's own vault, outsiders."""

from __future__ import annotations

from perpref import machine
from perpref.checker import moves
from perpref.checker.dice import Dice
from perpref.checker.scenes import open_interest, starve_vault
from perpref.checker.world import World
from perpref.state import VAULT
from perpref.units import PARTS, AccountId, MarketId


def shares_come_and_go(world: World, dice: Dice) -> None:
    """Two buy shares, the vault gains or loses, and what was bought is redeemed in its time."""
    first, second = dice.shuffled(world.people)[:2]
    for holder in (first, second):
        world.deposit(holder, dice.pick((1, 900, 5_003, 40_000)))
        world.do(machine.ContributeToVault(holder, max(world.free(holder), 1)))
        if dice.one_in(2):
            world.deposit(VAULT, dice.pick((1, 77, 10_000)))
    if dice.one_in(3):
        moves.move_mark(world, dice)
    for holder in (second, first):
        _redeem(world, dice, holder)


def _redeem(world: World, dice: Dice, holder: AccountId) -> None:
    book, held = world.exchange.rulebook, world.shares(holder)
    shares = dice.pick((held, held, held >> 1, held + 1))
    world.do(machine.AdvanceClock(world.exchange.now + book.vault_lockup))
    if book.vault_notice:
        world.do(machine.RequestRedemption(holder, shares))
        if dice.one_in(3):
            world.deposit(VAULT, dice.pick((1, 900)))
        early = dice.pick((0, 0, 1))
        world.do(machine.AdvanceClock(world.exchange.now + book.vault_notice - early))
    world.do(machine.RedeemFromVault(holder, shares))


def capital_for_a_child(world: World, dice: Dice) -> None:
    """The insurance vault feeds a market's own vault, which takes over, and gives back."""
    markets = [market for market in world.markets if world.vault(market) != VAULT]
    if not markets:
        return shares_come_and_go(world, dice)
    market = dice.pick(markets)
    world.deposit(VAULT, dice.pick((100, 9_001, 500_000)))
    free, boundary = max(world.free(VAULT), 2), world.exchange.rulebook.vault_boundary
    amount = dice.pick((free >> 1, free, free - boundary, free - boundary + 1))
    world.do(machine.Recapitalise(market, max(amount, 1)))
    if dice.one_in(2):
        _make_due(world, dice, market)
    free = world.free(world.vault(market))
    kept = world.exchange.markets[market].vault_boundary
    world.do(machine.RecallCapital(market, dice.pick((free, free - kept, free >> 1, 1))))
    return None


def outsider_liquidates(world: World, dice: Dice) -> None:
    """Somebody is only just due, and somebody with cash takes the position, or a part of it."""
    market = world.market(dice)
    victim = _make_due(world, dice, market)
    if victim is None:
        return
    for _ in range(dice.pick((1, 2))):
        held = abs(world.position(victim, market).size)
        taker = dice.pick([one for one in world.people if one != victim])
        world.equip(taker, market, held, dice.pick((3, 8, 16)))
        lots = dice.pick((held, held, 1, (held >> 1) + 1))
        world.do(machine.Liquidate(taker, victim, market, lots))


def volunteers_step_in(world: World, dice: Dice) -> None:
    """Some pledge to take what the book and the vault leave, and then somebody is due."""
    market = world.market(dice)
    for taker in dice.shuffled(world.people)[: dice.pick((1, 2))]:
        world.equip(taker, market, dice.pick((1, 5, 40)), dice.pick((4, 8, 16)))
        edge = dice.pick((0, 0, 1_000, 20_000, PARTS))
        world.do(machine.Volunteer(taker, market, dice.pick((1, 3, 100)), edge))
    starve_vault(world, dice, market)
    _make_due(world, dice, market)


def _make_due(world: World, dice: Dice, market: MarketId) -> AccountId | None:
    """Somebody who holds something in a market, after the mark has made it only just due."""
    held = [account for account, where in world.holders() if where == market]
    victims = [account for account in held if account in world.people]
    if not victims:
        open_interest(world, dice)
        held = [account for account, where in world.holders() if where == market]
        victims = [account for account in held if account in world.people]
    if not victims:
        return None
    victim = dice.pick(victims)
    towards = -1 if world.position(victim, market).size > 0 else 1
    world.set_mark(market, world.due_price(victim, market) + towards * dice.pick((1, 1, 2, 5)))
    return victim
