"""Single commands that are interesting where the exchange stands now: at a threshold, or bad."""

from __future__ import annotations

from perpref import machine
from perpref.checker.dice import Dice
from perpref.checker.world import World
from perpref.rules import book, liquidation
from perpref.state import VAULT, Kind, Side
from perpref.units import (
    MAX_CASH,
    MAX_ID,
    MAX_LOTS,
    MAX_PRICE,
    MAX_TIME,
    PARTS,
    AccountId,
    MarketId,
    OrderId,
    ceil_div,
)

NOBODY = AccountId(999)
NOWHERE = MarketId(99)


def deposit(world: World, dice: Dice) -> None:
    """Cash for a few lots' margin, or a single quantum."""
    market = world.market(dice)
    lots = dice.pick((1, 2, 3, 5, 8, 13, 40))
    need = ceil_div(lots * world.mark(market) * world.initial_rate(market), PARTS)
    amount = dice.pick((need, need, dice.near(need), 1, 10 * need))
    world.deposit(world.anybody(dice), amount)


def withdraw(world: World, dice: Dice) -> None:
    """What is free, a quantum more, a quantum less, or a part of it."""
    account = world.anybody(dice)
    free = world.free(account)
    with_profit = world.free_with_profit(account)
    amount = dice.pick((free, dice.near(free), free >> 1, 1, with_profit))
    world.do(machine.Withdraw(account, amount))


def transfer(world: World, dice: Dice) -> None:
    """The same, to somebody else or to oneself."""
    payer = world.anybody(dice)
    free = world.free(payer)
    amount = dice.pick((free, dice.near(free), free >> 1, 1))
    world.do(machine.Transfer(payer, world.anybody(dice), amount))


def isolate(world: World, dice: Dice) -> None:
    """Somebody sets margin apart: what is free, a quantum more, or a part; then it is used."""
    owner, market = world.anybody(dice), world.market(dice)
    if dice.below(2):
        world.equip(owner, market, dice.pick((1, 3, 10)), dice.pick((4, 5, 8)))
    free = world.free(owner)
    amount = dice.pick((free >> 1, free >> 2, free, dice.near(free), 1))
    account = world.next_isolated() if dice.below(8) else world.person(dice)
    world.do(machine.Isolate(owner, account, market, amount))


def place(world: World, dice: Dice) -> None:
    """An order of any kind, aimed at the book, a position or a threshold."""
    account, market = world.anybody(dice), world.market(dice)
    side = dice.pick((Side.BUY, Side.SELL))
    rare = (Kind.IOC, Kind.MARKET, Kind.POST_ONLY, Kind.FOK)
    kind = dice.pick((Kind.LIMIT, Kind.LIMIT, Kind.LIMIT, *rare))
    lots = _lots(world, dice, account, market, side)
    price = 1 if kind is Kind.MARKET else _price(world, dice, market, side)
    only, off = dice.one_in(5), dice.one_in(4)
    till = _till(world, dice)
    world.place(account, market, side, lots, price, kind, only, off_tick=off, expires=till)


def _till(world: World, dice: Dice) -> int:
    """Mostly no time at all; or one that comes soon, or late, or has come."""
    now = world.exchange.now
    return dice.pick((0, 0, 0, 0, 0, 0, 0, now + 1, now + 1, now + 5, now + 60, now))


def _lots(world: World, dice: Dice, account: AccountId, market: MarketId, side: Side) -> int:
    held = abs(world.position(account, market).size)
    facing = book.best(world.exchange.markets[market], side.opposite)
    need = max(world.mark(market) * world.initial_rate(market), 1)
    affordable = world.free(account) * PARTS // need
    choices = [1, 2, 3, 7, 10, held, 2 * held, dice.near(held), dice.near(affordable)]
    if world.exchange.rulebook.order_margin:
        choices.append(dice.near(world.free_for(account, market, side)))
    if facing is not None:
        choices += [facing.lots, dice.near(facing.lots), facing.lots + held]
    return min(max(dice.pick(choices), 1), MAX_LOTS)


def _price(world: World, dice: Dice, market: MarketId, side: Side) -> int:
    mark = world.mark(market)
    choices = [mark, mark, dice.near(mark), mark - side.value * (1 + mark // 50)]
    for seen in (side, side.opposite):
        best = book.best(world.exchange.markets[market], seen)
        if best is not None:
            choices += [best.price, dice.near(best.price)]
    positions = [account for account, where in world.holders() if where == market]
    if positions:
        choices.append(dice.near(world.bankruptcy_price(dice.pick(positions), market)))
    return min(max(dice.pick(choices), 1), MAX_PRICE)


def cancel(world: World, dice: Dice) -> None:
    """An order of one's own, at times somebody else's."""
    market = world.market(dice)
    orders = world.orders(market)
    if orders:
        order = dice.pick(orders)
        account = world.anybody(dice) if dice.one_in(4) else order.account
        world.do(machine.Cancel(account, market, order.id))


def replace(world: World, dice: Dice) -> None:
    """Another order in the stead of a resting one: smaller, larger, elsewhere, or not one's own."""
    market = world.market(dice)
    orders = world.orders(market)
    if not orders:
        return
    old = dice.pick(orders)
    account = world.anybody(dice) if dice.one_in(6) else old.account
    side = old.side.opposite if dice.one_in(6) else old.side
    kind = dice.pick((Kind.LIMIT, Kind.LIMIT, Kind.LIMIT, Kind.POST_ONLY, Kind.IOC, Kind.FOK))
    lots = dice.pick((old.lots, old.lots - 1, old.lots >> 1, old.lots + 1, 2 * old.lots))
    price = old.price if dice.below(2) else _price(world, dice, market, side)
    only = old.reduce_only ^ dice.one_in(8)
    lots = min(max(lots, 1), MAX_LOTS)
    till = old.expires if dice.below(4) else _till(world, dice)
    world.replace(old.id, account, market, side, lots, price, kind, only, till)


def move_mark(world: World, dice: Dice) -> None:
    """A step of the mark, aimed at somebody's threshold or a few per cent off."""
    holders = world.holders()
    if holders and not dice.one_in(4):
        aim(world, dice, *dice.pick(holders))
    else:
        market = world.market(dice)
        mark = world.mark(market)
        step = dice.pick((1, -1, mark // 20, -mark // 20, mark // 7, -mark // 7))
        world.set_mark(market, mark + step)


def aim(world: World, dice: Dice, victim: AccountId, market: MarketId) -> None:
    """A mark around which this account is due, or worth nothing, or far beyond."""
    due, ruin = world.due_price(victim, market), world.ruin_price(victim, market)
    beyond = (world.ruin_price(victim, market, dice.pick((2, 3, 6))), 3 * ruin - 2 * due)
    towards = -1 if world.position(victim, market).size > 0 else 1
    choices = (due, due + towards, due + 2 * towards, due - towards, (due + ruin) >> 1)
    world.set_mark(market, dice.pick((*choices, dice.near(ruin), *beyond)))


def settle_funding(world: World, dice: Dice) -> None:
    """An awkward rate of either sign, up to the cap and one beyond."""
    cap = world.exchange.rulebook.funding_cap
    rate = dice.pick((cap, cap, cap // 3 + 1, 1, 0, cap + 1)) * dice.pick((1, -1))
    holders = world.holders()
    market = dice.pick(holders)[1] if holders and not dice.one_in(4) else world.market(dice)
    world.do(machine.SettleFunding(market, rate))


def settle_premium(world: World, dice: Dice) -> None:
    """A few premiums, up to the bound and one beyond, and the funding that they make."""
    market = world.market(dice)
    for _ in range(dice.pick((0, 1, 3))):
        premium = dice.pick((1, 7, 999, 12_345, PARTS, PARTS + 1)) * dice.pick((1, -1))
        world.do(machine.SamplePremium(market, premium))
    world.do(machine.SettlePremium(market))


def settle_market(world: World, dice: Dice) -> None:
    """A market ends, at times, and then somebody tries to trade in it."""
    market = world.market(dice)
    if dice.below(2):
        return None
    world.do(machine.SettleMarket(market))
    return dice.pick((place, move_mark, settle_funding))(world, dice)


def advance_clock(world: World, dice: Dice) -> None:
    """A little later, much later, at once, or back."""
    now = world.exchange.now
    world.do(machine.AdvanceClock(now + dice.pick((1, 1, 5, 60, 1_000, 0, -1))))


def set_index(world: World, dice: Dice) -> None:
    """An index around the mark, and a market that is above or below it."""
    market = world.market(dice)
    mark = world.mark(market)
    index = max(dice.near(mark) + dice.pick((0, 0, mark // 20, -mark // 20)), 1)
    price = max(index + dice.pick((0, 1, -1, mark // 9, -mark // 9)), 1)
    world.do(machine.SetIndex(market, min(index, MAX_PRICE), min(price, MAX_PRICE)))


def pause_market(world: World, dice: Dice) -> None:
    """A pause, in which the oracle goes on and time may pass; then the market resumes, or not."""
    market = world.market(dice)
    world.do(machine.PauseMarket(market))
    for _ in range(dice.pick((0, 1, 2))):
        dice.pick((place, move_mark, settle_funding, settle_premium, set_index))(world, dice)
    if dice.one_in(3):
        advance_clock(world, dice)
    if not dice.one_in(4):
        world.do(machine.ResumeMarket(market))


def contribute_to_vault(world: World, dice: Dice) -> None:
    """All that is free, a quantum more, a part of it, or a single quantum."""
    account = world.anybody(dice)
    free = world.free(account)
    amount = dice.pick((free, dice.near(free), free >> 1, 1, free >> 3))
    world.do(machine.ContributeToVault(account, amount))


def redeem_from_vault(world: World, dice: Dice) -> None:
    """All shares that somebody has, a share more, or a part; with a notice where one is asked."""
    holders = world.shareholders()
    account = dice.pick(holders) if holders else world.anybody(dice)
    held = world.shares(account)
    shares = dice.pick((held, dice.near(held), held >> 1, 1))
    if world.exchange.rulebook.vault_notice or dice.one_in(6):
        world.do(machine.RequestRedemption(account, shares))
        if dice.one_in(2):
            advance_clock(world, dice)
        if dice.one_in(3):
            dice.pick((contribute_to_vault, move_mark, transfer))(world, dice)
    world.do(machine.RedeemFromVault(account, shares))


def liquidate(world: World, dice: Dice) -> None:
    """Somebody takes a position that is due, or is not: all of it, a part, or a lot too many."""
    due = [(a, m) for a, m in world.holders() if liquidation.is_due(world.exchange, a)]
    holders = due or world.holders()
    if not holders:
        return
    account, market = dice.pick(holders)
    taker = world.anybody(dice)
    held = abs(world.position(account, market).size)
    lots = dice.pick((held, held, 1, (held >> 1) + 1, held + 1))
    if dice.below(2):
        world.equip(taker, market, lots, dice.pick((3, 4, 8)))
    world.do(machine.Liquidate(taker, account, market, lots))


def volunteer(world: World, dice: Dice) -> None:
    """Somebody pledges a few lots or many, at an edge or at none, with cash for some of them."""
    account, market = world.anybody(dice), world.market(dice)
    lots = dice.pick((0, 1, 5, 40, 1_000))
    if lots:
        world.equip(account, market, dice.pick((1, 3, 10)), dice.pick((4, 5, 8)))
    world.do(machine.Volunteer(account, market, lots, dice.pick((0, 0, 1_000, 20_000, PARTS))))


def capital(world: World, dice: Dice) -> None:
    """Between the vault and a market's own: all that is free, a quantum more, or a part."""
    market = world.market(dice)
    child = world.exchange.markets[market].vault
    if dice.below(2):
        free = world.free(child)
        world.do(machine.RecallCapital(market, dice.pick((free, dice.near(free), free >> 1, 1))))
    else:
        free = world.free(VAULT)
        world.do(machine.Recapitalise(market, dice.pick((free, dice.near(free), free >> 1, 1))))


def unwind(world: World, dice: Dice) -> None:
    """The vault offers what it holds."""
    markets = world.markets_of_vaults()
    market = dice.pick(markets) if markets else world.market(dice)
    world.do(machine.Unwind(market, world.next_order()))


def wrong(world: World, dice: Dice) -> None:
    """A command that must be refused: nobody, nowhere, nothing, too much, too late."""
    who, where = world.person(dice), world.market(dice)
    order, mark = world.next_order(), world.mark(where)
    lots, old = dice.pick((0, -1, MAX_LOTS + 1)), world.exchange.last_order
    amount, price = dice.pick((0, -5, MAX_CASH + 1)), dice.pick((0, -1, MAX_PRICE + 1))
    buy, limit = Side.BUY, Kind.LIMIT
    commands: tuple[machine.Command, ...] = (
        machine.Deposit(who, amount),
        machine.Deposit(AccountId(dice.pick((-1, MAX_ID + 1))), 5),
        machine.Withdraw(who, amount),
        machine.Withdraw(NOBODY, 1),
        machine.Transfer(NOBODY, who, 1),
        machine.Transfer(who, AccountId(-1), 1),
        machine.Transfer(who, VAULT, amount),
        machine.Isolate(who, AccountId(-1), where, 1),
        machine.Isolate(who, world.next_isolated(), where, amount),
        machine.Isolate(who, world.next_isolated(), NOWHERE, 1),
        machine.Isolate(NOBODY, world.next_isolated(), where, 1),
        machine.Isolate(VAULT, world.next_isolated(), where, 1),
        machine.Place(order, NOBODY, where, buy, limit, 1, mark),
        machine.Place(order, who, NOWHERE, buy, limit, 1, mark),
        machine.Place(order, who, where, buy, limit, lots, mark),
        machine.Place(order, who, where, buy, limit, 1, price),
        machine.Place(old, who, where, buy, limit, 1, mark),
        machine.Place(OrderId(MAX_ID + 1), who, where, buy, limit, 1, mark),
        machine.Cancel(who, where, OrderId(order + 7)),
        machine.Cancel(who, NOWHERE, old),
        machine.Replace(OrderId(order + 7), order, who, where, buy, limit, 1, mark),
        machine.Replace(old, order, who, NOWHERE, buy, limit, 1, mark),
        machine.Replace(old, old, who, where, buy, limit, lots, mark),
        machine.SetMark(where, price),
        machine.SetMark(NOWHERE, mark),
        machine.SettleFunding(NOWHERE, 1),
        machine.Unwind(NOWHERE, order),
        machine.SamplePremium(NOWHERE, 1),
        machine.SettlePremium(NOWHERE),
        machine.SettleMarket(NOWHERE),
        machine.Unwind(where, old),
        machine.AdvanceClock(MAX_TIME + 1),
        machine.SetIndex(NOWHERE, mark, mark),
        machine.SetIndex(where, mark, price),
        machine.SetIndex(where, price, mark),
        machine.PauseMarket(NOWHERE),
        machine.ResumeMarket(where),
        machine.ResumeMarket(NOWHERE),
        machine.ContributeToVault(who, amount),
        machine.ContributeToVault(NOBODY, 1),
        machine.ContributeToVault(VAULT, 1),
        machine.RedeemFromVault(NOBODY, 1),
        machine.RedeemFromVault(VAULT, 1),
        machine.RedeemFromVault(who, dice.pick((0, -1))),
        machine.RequestRedemption(who, dice.pick((0, -1))),
        machine.RequestRedemption(VAULT, 1),
        machine.Liquidate(NOBODY, who, where, 1),
        machine.Liquidate(who, NOBODY, where, 1),
        machine.Liquidate(who, who, where, 1),
        machine.Liquidate(VAULT, who, NOWHERE, 1),
        machine.Volunteer(NOBODY, where, 1, 0),
        machine.Volunteer(who, NOWHERE, 1, 0),
        machine.Volunteer(who, where, dice.pick((-1, MAX_LOTS + 1)), 0),
        machine.Volunteer(who, where, 1, dice.pick((-1, PARTS + 1))),
        machine.Recapitalise(NOWHERE, 1),
        machine.Recapitalise(where, amount),
        machine.RecallCapital(NOWHERE, 1),
        machine.RecallCapital(where, amount),
    )
    known = [command for command in commands if world.supports(command)]
    if known:
        world.do(dice.pick(known))
