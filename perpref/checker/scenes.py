"""Small scenes: a few plain commands that lead to states which single commands seldom reach."""

from __future__ import annotations

from perpref import machine
from perpref.checker import moves
from perpref.checker.dice import Dice
from perpref.checker.world import World
from perpref.rules import liquidation, margin
from perpref.state import TREASURY, VAULT, Kind, Side
from perpref.units import MAX_PRICE, PARTS, AccountId, MarketId, sign


def open_interest(world: World, dice: Dice) -> None:
    """One account against several others, with margins that are rich, exact or thin."""
    market = world.market(dice)
    victim, *others = dice.shuffled(world.people)
    share = dice.pick((1, 2, 3, 5, 10, 17))
    others = others[: dice.pick((1, 2, 2, 3))]
    price = dice.near(world.mark(market))
    long = dice.one_in(2)
    world.equip(victim, market, share * len(others), dice.pick((5, 5, 6, 8)))
    for other in others:
        lots = dice.pick((share, share, 1, share + 1))
        world.equip(other, market, lots, dice.pick((5, 6, 8, 40)))
        buyer, seller = (victim, other) if long else (other, victim)
        world.trade(buyer, seller, market, lots, price)


def twins(world: World, dice: Dice) -> None:
    """Winners that rank alike: the same price, and equities in proportion to their sizes."""
    market = world.market(dice)
    if len(world.people) < 3:
        return open_interest(world, dice)
    victim, first, second = dice.shuffled(world.people)[:3]
    lots, times = dice.pick((1, 2, 3, 4)), dice.pick((1, 1, 2, 3))
    price = world.mark(market)
    world.equip(victim, market, lots * (1 + times), 5)
    world.equip(first, market, lots, dice.pick((5, 8)))
    world.equip(second, market, lots * times, 5)
    long = bool(dice.below(2))
    for other, size in dice.shuffled(((first, lots), (second, lots * times))):
        _deal(world, victim, other, market, size, price, long)
    if not (world.knows(first) and world.knows(second)):
        return None
    one = margin.equity(world.exchange, first)
    other_equity = margin.equity(world.exchange, second)
    level = max(one, -(-other_equity // times))
    world.deposit(first, level - one)
    world.deposit(second, level * times - other_equity)
    if dice.below(2):
        moves.aim(world, dice, victim, market)
    return None


def market_departs(world: World, dice: Dice) -> None:
    """The market's own price leaves the index, for a while or for good; then the index follows."""
    market = world.market(dice)
    mark = world.mark(market)
    step = dice.pick((1 + mark // 50, 1 + mark // 9, -mark // 50, -mark // 9))
    for _ in range(dice.pick((1, 2, 3))):
        price = min(max(mark + step, 1), MAX_PRICE)
        world.do(machine.SetIndex(market, mark, price))
    if dice.one_in(2):
        world.do(machine.SetIndex(market, min(max(mark + 2 * step, 1), MAX_PRICE), mark))


def feed_vault(world: World, dice: Dice) -> None:
    """A vault that can just take over so many lots, or not quite."""
    market = world.market(dice)
    quarters = dice.pick((1, 3, 4, 5, 8))
    world.equip(world.vault(market), market, dice.pick((1, 2, 3, 6, 12)), quarters)


def vault_takes_over(world: World, dice: Dice) -> None:
    """A rich vault, a market cap perhaps, and a victim that is only just due."""
    holders = [(account, market) for account, market in world.holders() if account != VAULT]
    if not holders:
        return open_interest(world, dice)
    victim, market = dice.pick(holders)
    size = world.position(victim, market).size
    insurer = world.vault(market)
    boundary = liquidation.vault_boundary(world.exchange, market)
    world.equip(insurer, market, abs(size), dice.pick((4, 5, 8, 16)))
    worth = margin.equity(world.exchange, insurer)
    world.deposit(insurer, dice.pick((0, boundary - worth, boundary - worth - 1)))
    due = world.due_price(victim, market)
    towards = -1 if size > 0 else 1
    world.set_mark(market, due + towards * dice.pick((1, 2, 5)))
    return None


def vault_could_reduce(world: World, dice: Dice) -> None:
    """The vault is short of what a victim is long of, and like it loses in another market."""
    if len(world.markets) < 2:
        return vault_takes_over(world, dice)
    falling, quiet = dice.shuffled(world.markets)[:2]
    victim, other = dice.shuffled(world.people)[:2]
    lots, quarters = dice.pick((4, 10, 30)), dice.pick((4, 5, 6))
    long, aside = Side(dice.pick((1, -1))), dice.below(2)
    worth = lots * world.mark(falling)
    less = max(worth // (world.mark(quiet) * dice.pick((2, 4, 8))), 1)
    for account in (VAULT, victim):
        world.equip(account, falling, lots, quarters)
        world.equip(account, quiet, less, quarters)
    world.equip(other, falling, 2 * lots, 16)
    price = world.mark(falling)
    _deal(world, victim, VAULT, quiet, less, world.mark(quiet), bool(aside))
    world.place(other, falling, long.opposite, 2 * lots, price)
    for account in (VAULT, victim):
        world.place(account, falling, long, lots, price, Kind.IOC)
    if world.position(victim, falling).size:
        due = world.due_price(victim, falling)
        world.set_mark(falling, due - long.value * dice.pick((1, 2, 5)))
    return None


def vault_unwinds(world: World, dice: Dice) -> None:
    """Somebody bids for what the vault holds, at the mark or around it, and the vault offers it."""
    markets = world.markets_of_vaults()
    if not markets:
        return vault_takes_over(world, dice)
    market = dice.pick(markets)
    size = world.position(world.vault(market), market).size
    side = Side.BUY if size > 0 else Side.SELL
    for _ in range(dice.pick((1, 2))):
        maker = world.person(dice)
        lots = dice.pick((abs(size), 1, abs(size) + 1))
        world.equip(maker, market, lots, 8)
        price = world.mark(market) + side.value * dice.pick((0, 1, 7, -1))
        world.place(maker, market, side, lots, max(price, 1))
    world.do(machine.Unwind(market, world.next_order()))
    return None


def vault_is_liquidated(world: World, dice: Dice) -> None:
    """The vault holds something, loses its cash, and the mark moves on."""
    markets = world.markets_of_vaults()
    if not markets:
        return vault_takes_over(world, dice)
    market = dice.pick(markets)
    starve_vault(world, dice, market)
    moves.aim(world, dice, world.vault(market), market)
    return None


def starve_vault(world: World, dice: Dice, market: MarketId | None = None) -> None:
    """A vault's cash goes to somebody else."""
    insurer = world.vault(world.market(dice) if market is None else market)
    free = world.free(insurer)
    if free > 0:
        world.do(machine.Transfer(insurer, world.person(dice), dice.pick((free, free >> 1))))


def crash(world: World, dice: Dice) -> None:
    """The mark moves against a holder, and perhaps further."""
    holders = world.holders()
    if not holders:
        return open_interest(world, dice)
    for _ in range(dice.pick((1, 1, 2))):
        holders = world.holders()
        if holders:
            moves.aim(world, dice, *dice.pick(holders))
    return None


def winners_with_orders(world: World, dice: Dice) -> None:
    """A victim is ruined by two who have orders resting, far from where anybody trades."""
    market = world.market(dice)
    if len(world.people) < 3:
        return crash(world, dice)
    victim, *winners = dice.shuffled(world.people)[:3]
    lots, long, price = dice.pick((1, 3, 10)), dice.one_in(2), world.mark(market)
    world.equip(victim, market, 2 * lots, 5)
    for winner in winners:
        world.equip(winner, market, 2 * lots, 16)
        _deal(world, victim, winner, market, lots, price, long)
        world.place(winner, market, Side.BUY, 1, max(price // dice.pick((50, 3)), 1))
    if world.position(victim, market).size:
        starve_vault(world, dice, market)
        world.set_mark(market, world.ruin_price(victim, market, dice.pick((1, 2))))
    return None


def loss_among_holders(world: World, dice: Dice) -> None:
    """A thin account loses all and more to somebody who holds against others too."""
    market = world.market(dice)
    if len(world.people) < 3:
        return crash(world, dice)
    victim, other, third = dice.shuffled(world.people)[:3]
    lots, long = dice.pick((1, 3, 10)), dice.one_in(2)
    world.equip(victim, market, lots, 5)
    for account in (other, third):
        world.equip(account, market, 3 * lots, 40)
    price = world.mark(market)
    for account, size in ((victim, lots), (third, 2 * lots)):
        _deal(world, account, other, market, size, price, long)
    if size := world.position(victim, market).size:
        starve_vault(world, dice, market)
        beyond = price // dice.pick((3, 6, 12))
        world.set_mark(market, world.due_price(victim, market) - sign(size) * beyond)
    return None


def bids_for_a_victim(world: World, dice: Dice) -> None:
    """Orders rest around the price at which a victim's liquidation will be limited."""
    holders = world.holders()
    if not holders:
        return open_interest(world, dice)
    victim, market = dice.pick(holders)
    size = world.position(victim, market).size
    side = Side.BUY if size > 0 else Side.SELL
    limit = world.bankruptcy_price(victim, market)
    for _ in range(dice.pick((1, 2, 3))):
        maker = world.anybody(dice)
        lots = dice.pick((abs(size), max(abs(size) >> 1, 1), 1, abs(size) + 1))
        if dice.below(4):
            world.equip(maker, market, lots, dice.pick((4, 5, 8)))
        price = limit + side.value * dice.pick((-1, 0, 0, 1, 2, 5))
        world.place(maker, market, side, lots, max(price, 1), reduce_only=dice.one_in(6))
    if dice.below(4):
        moves.aim(world, dice, victim, market)
    return None


def limit_moves(world: World, dice: Dice) -> None:
    """The first order that a liquidation meets is so good that its limit moves, past a second."""
    market = world.market(dice)
    victim, other = dice.shuffled(world.people)[:2]
    lots, long = dice.pick((4, 6, 10)), bool(dice.below(2))
    towards = 1 if long else -1
    mark = world.mark(market)
    world.equip(victim, market, lots, 6)
    world.equip(other, market, lots, 20)
    _deal(world, victim, other, market, lots, mark, long)
    if not world.position(victim, market).size:
        return
    due, ruin = world.due_price(victim, market), world.ruin_price(victim, market)
    then = max((due + ruin) >> 1, 1)
    left = lots - (lots >> 1)
    worth = margin.equity(world.exchange, victim) - abs(mark - then) * lots
    moved = then - towards * (max(worth, 0) // left)
    side = Side(towards)
    world.place(other, market, side, lots >> 1, then + towards * dice.pick((0, 0, 1)))
    world.place(other, market, side, lots, max(moved + towards * dice.pick((0, 0, 1)), 1))
    world.set_mark(market, then)


def bit_by_bit(world: World, dice: Dice) -> None:
    """A victim falls just below its margin, above a deep book; then the clock and the mark move."""
    victim, other = dice.shuffled(world.people)[:2]
    lots, long = dice.pick((7, 10, 23, 60)), bool(dice.below(2))
    towards, side = (1, Side.BUY) if long else (-1, Side.SELL)
    held = dice.shuffled(world.markets)[: dice.pick((1, 1, 2))]
    for market in held:
        world.equip(victim, market, lots, dice.pick((4, 5, 6)))
        world.equip(other, market, 3 * lots, 20)
        _deal(world, victim, other, market, lots, world.mark(market), long)
    if not world.position(victim, held[0]).size:
        return
    first = held[0]
    then = world.due_price(victim, first) - towards * dice.pick((0, 1, 1 + world.mark(first) // 99))
    for market in held:
        at = max(then, 1) if market == first else world.mark(market)
        size = dice.pick((2 * lots, 2 * lots, (lots >> 1) + 1))
        world.place(other, market, side, size, max(at - towards * dice.pick((0, 0, 1, 2)), 1))
    world.set_mark(first, then)
    for _ in range(dice.pick((1, 2, 3))):
        world.do(machine.AdvanceClock(world.exchange.now + dice.pick((1, 1, 7, 29, 30))))
        world.set_mark(first, then - towards * dice.pick((0, 0, 1, 2)))


def late_counterparty(world: World, dice: Dice) -> None:
    """A winner realises its profit against a newcomer, who then stands against the next fall."""
    market = world.market(dice)
    if len(world.people) < 3:
        return open_interest(world, dice)
    victim, winner, late = dice.shuffled(world.people)[:3]
    lots, long = dice.pick((2, 3, 5, 10)), dice.below(2)
    mark = world.mark(market)
    world.equip(victim, market, lots, dice.pick((12, 16, 20)))
    world.equip(winner, market, lots, 6)
    _deal(world, victim, winner, market, lots, mark, bool(long))
    if world.position(victim, market).size == 0:
        return None
    due = world.due_price(victim, market)
    world.set_mark(market, due + (2 if long else -2))
    world.equip(late, market, lots, 5)
    _deal(world, winner, late, market, lots, world.mark(market), bool(long))
    if dice.one_in(4):
        world.do(machine.Withdraw(winner, world.free(winner)))
    if dice.below(5) and world.position(victim, market).size:
        times = dice.pick((2, 3, 5, 9))
        world.set_mark(market, world.ruin_price(victim, market, times))
    return None


def contagion(world: World, dice: Dice) -> None:
    """A victim in two markets, ruined in one of them.

    Its deficit falls on both positions by their maintenance margin, and so also on winners of
    the other market, who have gained nothing and cannot bear it.
    """
    if len(world.markets) < 2 or len(world.people) < 3:
        return late_counterparty(world, dice)
    falling, quiet = dice.shuffled(world.markets)[:2]
    victim, winner, *bystanders = dice.shuffled(world.people)
    lots, aside = dice.pick((2, 5, 11)), dice.pick((1, 3, 8))
    long = bool(dice.below(2))
    world.equip(victim, falling, lots, dice.pick((6, 9)))
    world.equip(winner, falling, lots, 6)
    _deal(world, victim, winner, falling, lots, world.mark(falling), long)
    for other in bystanders[: dice.pick((1, 2))]:
        world.equip(victim, quiet, aside, 6)
        world.equip(other, quiet, aside, 5)
        _deal(world, victim, other, quiet, aside, world.mark(quiet), bool(dice.below(2)))
    if dice.below(5) and world.position(victim, falling).size:
        times = dice.pick((2, 3, 5, 9))
        world.set_mark(falling, world.ruin_price(victim, falling, times))
    return None


def second_visit(world: World, dice: Dice) -> None:
    """As before, and the winner who bears the deficit had its turn, and is now due itself."""
    if len(world.markets) < 2 or len(world.people) < 3:
        return contagion(world, dice)
    falling, quiet = dice.shuffled(world.markets)[:2]
    early, other, victim = sorted(dice.shuffled(world.people)[:3])
    lots, more = dice.pick((2, 5, 11)), dice.pick((1, 2, 3))
    long, side = bool(dice.below(2)), Side(dice.pick((1, -1)))
    world.equip(victim, falling, lots, 5)
    world.equip(victim, quiet, lots, 5)
    world.equip(early, quiet, lots + more, 5)
    world.equip(other, falling, 3 * lots, 20)
    price = world.mark(quiet)
    _deal(world, victim, other, falling, lots, world.mark(falling), long)
    world.place(early, quiet, side, lots + more, price)
    for account, size in ((victim, lots), (other, more)):
        world.place(account, quiet, side.opposite, size, price, Kind.IOC)
    if world.position(victim, falling).size and world.position(victim, quiet).size:
        need = more * price * world.maintenance_rate(quiet) // PARTS
        deficit = margin.equity(world.exchange, early) - dice.pick((need >> 1, need, 0))
        world.set_mark(falling, _mark_for_deficit(world, victim, falling, quiet, deficit))
    return None


def _mark_for_deficit(
    world: World, victim: AccountId, falling: MarketId, quiet: MarketId, deficit: int
) -> int:
    """About the mark of one market at which so much of a deficit falls on another one (LIQ-4)."""
    size, aside = world.position(victim, falling).size, abs(world.position(victim, quiet).size)
    rate, mark = world.maintenance_rate(falling), world.mark(falling)
    behind = aside * world.mark(quiet) * world.maintenance_rate(quiet)
    worth = margin.equity(world.exchange, victim)
    debt = (worth + deficit) * behind + deficit * abs(size) * mark * rate
    slope = size * behind + deficit * abs(size) * rate
    return mark - (debt // slope if slope else 0)


def _deal(
    world: World,
    one: AccountId,
    other: AccountId,
    market: MarketId,
    lots: int,
    price: int,
    first_buys: bool,
) -> None:
    buyer, seller = (one, other) if first_buys else (other, one)
    world.trade(buyer, seller, market, lots, price)


def queue_at_a_price(world: World, dice: Dice) -> None:
    """Several makers at one price and one better, then a taker for a part of them."""
    market, side = world.market(dice), dice.pick((Side.BUY, Side.SELL))
    price = world.mark(market)
    lots = dice.pick((1, 2, 5))
    *makers, taker = dice.shuffled(world.people)
    for maker in makers[:3]:
        world.equip(maker, market, lots, dice.pick((0, 5, 8, 8)))
        world.place(maker, market, side, lots, price + side.value * dice.pick((0, 0, 0, 1)))
    if dice.one_in(3):
        world.place(taker, market, side, lots, price)
    world.equip(taker, market, 3 * lots, dice.pick((2, 5, 8)))
    wanted = dice.pick((lots, 2 * lots, 2 * lots - 1, 3 * lots + 1))
    kind = dice.pick((Kind.IOC, Kind.LIMIT, Kind.MARKET))
    world.place(taker, market, side.opposite, wanted, price, kind)


def second_helping(world: World, dice: Dice) -> None:
    """Of two orders at one price the first is filled in part, and then the taker comes back."""
    market, side = world.market(dice), dice.pick((Side.BUY, Side.SELL))
    price, lots = world.mark(market), dice.pick((2, 3, 5))
    *makers, taker = dice.shuffled((*world.people, TREASURY))[:3]
    for maker in makers:
        world.equip(maker, market, lots, 8)
        world.place(maker, market, side, lots, price)
    world.equip(taker, market, 2 * lots, 8)
    for wanted in (lots - 1, dice.pick((1, lots))):
        world.place(taker, market, side.opposite, wanted, price, Kind.IOC)


def second_thoughts(world: World, dice: Dice) -> None:
    """Two orders at one price, of which the first is replaced; then somebody comes for a part."""
    market, side = world.market(dice), dice.pick((Side.BUY, Side.SELL))
    first, second, taker = dice.shuffled((*world.people, TREASURY))[:3]
    price, lots = world.mark(market), dice.pick((2, 3, 5))
    for maker in (first, second):
        world.equip(maker, market, lots, 8)
    old = world.place(first, market, side, lots, price)
    world.place(second, market, side, lots, price)
    wanted = dice.pick((lots - 1, lots - 1, lots, lots + 1))
    limit = price + dice.pick((0, 0, 0, 1, -1, 9 * side.value))
    kind = dice.pick((Kind.LIMIT, Kind.LIMIT, Kind.LIMIT, Kind.POST_ONLY, Kind.FOK))
    world.replace(old, first, market, side, wanted, limit, kind)
    world.equip(taker, market, lots, 8)
    world.place(taker, market, side.opposite, dice.pick((1, lots)), price, Kind.IOC)


def too_late(world: World, dice: Dice) -> None:
    """Of two orders at one price the first is good till a time; perhaps it comes, then a taker."""
    market, side = world.market(dice), dice.pick((Side.BUY, Side.SELL))
    first, second, taker = dice.shuffled((*world.people, TREASURY))[:3]
    price, lots, now = world.mark(market), dice.pick((1, 2, 5)), world.exchange.now
    till = now + dice.pick((1, 5, 9))
    for maker, expires in ((first, till), (second, dice.pick((0, till + 1)))):
        world.equip(maker, market, lots, 8)
        world.place(maker, market, side, lots, price, expires=expires)
    world.do(machine.AdvanceClock(dice.pick((till, till, till - 1, till + 1))))
    world.equip(taker, market, lots, 8)
    world.place(taker, market, side.opposite, dice.pick((1, lots)), price, Kind.IOC)


def meets_itself(world: World, dice: Dice) -> None:
    """An account's newer order meets its older one, perhaps behind somebody else's."""
    market, side = world.market(dice), dice.pick((Side.BUY, Side.SELL))
    account, other = dice.shuffled(world.people)[:2]
    price, lots = world.mark(market), dice.pick((1, 2, 5))
    world.equip(account, market, 2 * lots, 8)
    if dice.one_in(3):
        world.equip(other, market, lots, 8)
        world.place(other, market, side, lots, price)
    world.place(account, market, side, lots, price)
    kind, wanted = dice.pick(tuple(Kind)), dice.pick((1, lots, lots + 1))
    world.place(account, market, side.opposite, wanted, price, kind)


def orphaned_reduce_only(world: World, dice: Dice) -> None:
    """A reduce-only order rests; its position shrinks or goes; somebody hits the order."""
    holders = world.holders()
    if not holders:
        return open_interest(world, dice)
    account, market = dice.pick(holders)
    size = world.position(account, market).size
    closing = Side.SELL if size > 0 else Side.BUY
    price = world.mark(market)
    world.place(account, market, closing, abs(size), price + closing.value * -3, reduce_only=True)
    other = world.person(dice)
    world.equip(other, market, 2 * abs(size), 8)
    world.place(other, market, closing.opposite, dice.pick((abs(size), 1)), price)
    world.place(account, market, closing, abs(size), price, Kind.IOC)
    world.place(other, market, closing.opposite, abs(size) + 1, price + 5, dice.pick(tuple(Kind)))
    return None


def broke_maker(world: World, dice: Dice) -> None:
    """A maker rests an order and takes its cash away; somebody hits the order."""
    market, side = world.market(dice), dice.pick((Side.BUY, Side.SELL))
    maker, taker = dice.shuffled(world.people)[:2]
    lots, price = dice.pick((1, 4, 9)), world.mark(market)
    world.equip(maker, market, lots, 5)
    world.place(maker, market, side, lots, price)
    free = world.free(maker)
    world.do(machine.Withdraw(maker, max(free - dice.pick((0, 0, 5, free >> 1)), 1)))
    world.equip(taker, market, lots, 8)
    world.place(taker, market, side.opposite, lots, price, dice.pick((Kind.LIMIT, Kind.IOC)))


def reduce_under_water(world: World, dice: Dice) -> None:
    """A holder between its two margins closes a part of its position far from the mark."""
    holders = [(account, market) for account, market in world.holders() if account != VAULT]
    if not holders:
        return open_interest(world, dice)
    account, market = dice.pick(holders)
    size = world.position(account, market).size
    away = 1 if size > 0 else -1
    world.set_mark(market, world.due_price(account, market) + away * dice.pick((1, 2, 5)))
    lots = dice.pick((1, max(abs(size) >> 1, 1), abs(size)))
    other = world.person(dice)
    world.equip(other, market, lots, 16)
    mark, worth = world.mark(market), max(margin.equity(world.exchange, account), 0)
    price = max(mark - away * dice.pick((0, 1, mark // 50, worth // lots, 1 + worth // lots)), 1)
    resting, hitting = dice.shuffled(((account, -away), (other, away)))
    for who, direction, kind in ((*resting, Kind.LIMIT), (*hitting, Kind.IOC)):
        world.place(who, market, Side(direction), lots, price, kind)
    return None


def profit_tries_to_leave(world: World, dice: Dice) -> None:
    """The mark moves in favour of a holder, who withdraws, or passes on, what is free and more."""
    if not world.holders():
        open_interest(world, dice)
    holders = world.holders()
    if not holders:
        return
    account, market = dice.pick(holders)
    step = 1 + world.mark(market) // dice.pick((10, 20, 50))
    towards = step if world.position(account, market).size > 0 else -step
    world.set_mark(market, world.mark(market) + towards)
    free, more = world.free(account), world.free_with_profit(account)
    amount = dice.pick((more, free + 1, free, (free + more) >> 1))
    if dice.one_in(3):
        world.do(machine.Transfer(account, world.anybody(dice), amount))
    else:
        world.do(machine.Withdraw(account, amount))


def flip(world: World, dice: Dice) -> None:
    """A holder trades more lots than it holds, the other way."""
    holders = world.holders()
    if not holders:
        return open_interest(world, dice)
    account, market = dice.pick(holders)
    size = world.position(account, market).size
    lots = abs(size) + dice.pick((0, 1, 3, abs(size)))
    other = world.person(dice)
    world.equip(account, market, lots, 5)
    world.equip(other, market, 2 * lots, 8)
    price = dice.near(world.mark(market))
    _deal(world, account, other, market, lots, price, first_buys=size < 0)
    return None


def funding_spell(world: World, dice: Dice) -> None:
    """Funding, several times, in one direction and back."""
    if not world.holders():
        return open_interest(world, dice)
    for _ in range(dice.pick((1, 2, 3))):
        moves.settle_funding(world, dice)
    return None
