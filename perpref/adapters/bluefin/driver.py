"""Random commands that know the exchange well enough to get somewhere.

A command drawn blindly is nearly always refused: an order must carry the leverage of the
position, a liquidation must be due, a rate can be set once an hour. So the driver looks at the
model's state and aims: it moves the oracle price to where an account is due, it lets funding grow
beyond margins, it ends episodes with a delisting. And it spoils one command in a few, so that
every refusal is met too. It draws from the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from attrs import evolve

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.commands import ONE, Order
from perpref.adapters.bluefin.state import Position, State, bank

FEED_QUANTUM = 10**10
HOUR = 3600
SPOILT = 12
"""One fill in so many is spoilt on purpose."""

Plan = list[c.Command]


class Driver:
    """Draws the next commands, given the state of the model."""

    def __init__(self, random: Random, state: State) -> None:
        self._random = random
        self._accounts = state.accounts
        self._terms = state.terms
        self._salt = random.randrange(1 << 30)
        self._orders: list[Order] = []
        self._choices: list[Callable[[State], Plan]] = []
        for weight, choice in (
            (30, self.fill),
            (10, self.wander),
            (2, self.gap),
            (6, self.hour),
            (3, self.long_wait),
            (9, self.liquidation),
            (9, self.deleveraging),
            (3, self.ailing_trade),
            (4, self.add_margin),
            (4, self.remove_margin),
            (5, self.adjust_leverage),
            (3, self.deposit),
            (3, self.withdraw),
            (2, self.collect),
            (2, self.halt),
            (2, self.flip),
            (2, self.close),
            (1, self.out_of_season),
            (3, self.owing),
            (2, self.funding_source),
        ):
            self._choices += [choice] * weight

    def begin(self) -> Plan:
        """Fund the accounts, some richly and some barely."""
        tokens = [self._random.choice((2_000, 20_000, 200_000, 2_000_000)) for _ in self._accounts]
        return [
            c.Deposit(account, amount * ONE + self._random.randrange(10**6) * 10**12)
            for account, amount in zip(self._accounts, tokens, strict=True)
        ]

    def more(self, state: State) -> Plan:
        """The next one or few commands."""
        return self._random.choice(self._choices)(state)

    def end(self, state: State) -> Plan:
        """Delist, and let everyone out, in some order and more than once."""
        plan: Plan = [c.Delist(0, 1), c.Delist(10**30, 10**31)]
        plan.append(c.Delist(state.oracle, state.oracle))
        plan += [*self.add_margin(state), *self.remove_margin(state), *self.adjust_leverage(state)]
        for _ in range(12):
            account = self._random.choice(self._accounts)
            plan.append(c.ClosePosition(account))
            if self._random.randrange(6) == 0:
                plan += self.hour(state)
        plan += [c.ClosePosition(account) for account in self._accounts]
        return [*plan, *self.wander(state), *self.fill(state), *self.collect(state)]

    # Drawing the parts ------------------------------------------------------------------------

    def _account(self) -> str:
        return self._random.choice(self._accounts)

    def _pair(self) -> tuple[str, str]:
        first, second = self._random.sample(self._accounts, 2)
        return first, second

    def _holders(self, state: State) -> list[str]:
        return [name for name in self._accounts if state.position(name).quantity]

    def _leverage(self, state: State, account: str) -> int:
        mro = state.position(account).mro
        if mro and self._random.randrange(40):
            return (ONE + mro // 2) // mro * ONE
        return self._random.randint(1, 21) * ONE

    def _quantity(self) -> int:
        steps = self._random.choice((1, 7, 50, 333, 1_000, 2_500, 9_999))
        return max(self._random.randint(1, steps) * self._terms.step_size, self._terms.min_quantity)

    def _near(self, state: State, parts: int) -> int:
        """The oracle price moved by up to so many parts of ten thousand, on a tick."""
        tick = self._terms.tick_size
        moved = state.oracle + state.oracle * self._random.randint(-parts, parts) // 10_000
        return max(moved // tick * tick, tick)

    def _order(self, state: State, account: str, is_buy: bool, fill: int, price: int) -> Order:
        self._salt += 1
        quantity = fill * self._random.choice((1, 1, 1, 2, 3))
        order = Order(
            account, is_buy, quantity, price, self._leverage(state, account), salt=self._salt
        )
        self._orders = [*self._orders[-8:], order]
        return order

    def _spoil(self, state: State, order: Order) -> Order:
        tick = self._terms.tick_size
        return self._random.choice(
            (
                evolve(order, leverage=self._random.choice((0, ONE // 2, 3 * ONE, 17 * ONE // 2))),
                evolve(order, price=max(order.price + 5 * tick * (-1 if order.is_buy else 1), 0)),
                evolve(order, reduce_only=True),
                evolve(order, expires=state.time + self._random.randint(-1, 1)),
                evolve(order, trigger=self._near(state, 100)),
                evolve(order, forged=True),
                evolve(order, price=0),
                evolve(order, is_buy=not order.is_buy),
                evolve(order, quantity=order.quantity // 2),
                self._random.choice(self._orders) if self._orders else order,
            )
        )

    def _match(
        self, state: State, maker: str, taker: str, maker_buys: bool, quantity: int, price: int
    ) -> c.Fill:
        gas = self._random.choice((0, 0, ONE // 10, ONE))
        return c.Fill(
            self._order(state, maker, maker_buys, quantity, price),
            self._order(state, taker, not maker_buys, quantity, price),
            quantity,
            price,
            gas,
        )

    def _price_for(self, position: Position, margin: int, parts: int) -> int:
        """The oracle price at which the margin ratio is so many parts of ten thousand."""
        debt = position.oi_open + (-margin if position.is_long else margin)
        sign = -1 if position.is_long else 1
        price = debt * ONE * 10_000 // (position.quantity * (10_000 + sign * parts))
        return max(price // FEED_QUANTUM * FEED_QUANTUM, FEED_QUANTUM)

    # Choices ----------------------------------------------------------------------------------

    def fill(self, state: State) -> Plan:
        """A fill, mostly in order."""
        maker, taker = self._pair()
        bound = self._terms.take_bound_long * 10_000 // ONE
        price = self._near(state, min(bound, 200) if self._random.randrange(8) else bound * 2)
        buys = self._random.random() < 0.5
        match = self._match(state, maker, taker, buys, self._quantity(), price)
        if self._random.randrange(SPOILT) == 0:
            if self._random.randrange(2):
                return [evolve(match, maker=self._spoil(state, match.maker))]
            return [evolve(match, taker=self._spoil(state, match.taker))]
        return [self._random.choice(self._bent(state, match))]

    def _bent(self, state: State, match: c.Fill) -> tuple[c.Fill, ...]:
        """The fill as it is, nearly always; or bent so that the market refuses it."""
        if self._random.randrange(SPOILT):
            return (match,)
        tick, step = self._terms.tick_size, self._terms.step_size

        def at(price: int) -> c.Fill:
            maker, taker = evolve(match.maker, price=price), evolve(match.taker, price=price)
            return evolve(match, price=price, maker=maker, taker=taker)

        def of(quantity: int) -> c.Fill:
            maker = evolve(match.maker, quantity=quantity)
            taker = evolve(match.taker, quantity=quantity)
            return evolve(match, quantity=quantity, maker=maker, taker=taker)

        return (
            at(match.price + tick // 2),
            at(self._terms.min_price - tick),
            at(self._terms.max_price + tick),
            at(state.oracle * 3 // 2 // tick * tick + tick),
            at(max(state.oracle // 2 // tick * tick - tick, tick)),
            of(match.quantity + step // 2),
            of(self._terms.min_quantity - step),
            of(self._terms.max_quantity_limit + step),
            of(self._terms.max_quantity_market + step),
            of(0),
            evolve(match, taker=evolve(match.taker, account=match.maker.account)),
            evolve(match, quantity=match.quantity // 2 // step * step),
        )

    def wander(self, state: State) -> Plan:
        """The oracle price moves a little."""
        return [c.SetOracle(self._bounded(self._near(state, 250) + 37 * FEED_QUANTUM))]

    def gap(self, state: State) -> Plan:
        """The oracle price jumps."""
        return [c.SetOracle(self._bounded(self._near(state, 6_000)))]

    def _bounded(self, price: int) -> int:
        return min(max(price, self._terms.min_price // 2), self._terms.max_price * 2)

    def _rate(self) -> int:
        bound = self._terms.max_funding_rate
        scale = self._random.choice((bound, bound // 10, ONE // 1000, ONE))
        rate = self._random.randint(-min(scale, bound), min(scale, bound))
        return rate if self._random.randrange(15) else bound + 1

    def hour(self, state: State) -> Plan:
        """Time passes and the funding rate is set, sometimes too early."""
        seconds = self._random.choice((1, 60, HOUR - 1, HOUR, HOUR + 7, 2 * HOUR))
        return [c.Advance(seconds), self._new_rate(state)]

    def _new_rate(self, state: State) -> c.Command:
        """The rate is set in the way that is open, nearly always."""
        on_chain = state.sampling if self._random.randrange(25) else not state.sampling
        return c.SampleFunding() if on_chain else c.SetFunding(self._rate())

    def funding_source(self, state: State) -> Plan:
        """The rate comes from the other source; mostly the operator sets it."""
        away = not state.sampling and self._random.randrange(2) == 0
        return [c.SetFundingSource(away), *self.hour(state)]

    def long_wait(self, state: State) -> Plan:
        """Funding grows large, for both sides."""
        seconds = self._random.choice((HOUR, 24 * HOUR, 40 * 24 * HOUR))
        return [
            c.Advance(HOUR),
            self._new_rate(state),
            c.Advance(seconds),
            self._new_rate(state),
        ]

    def owing(self, state: State) -> Plan:
        """One side comes to owe about as much funding as it has margin, or much more."""
        holders = self._holders(state)
        if not holders:
            return self.fill(state)
        account = self._random.choice(holders)
        position, margin = state.position(account), state.margin(account)
        times = self._random.choice((50, 99, 101, 150, 1_000))
        per_unit = margin * ONE // position.quantity * times // 100 + 1
        rate = per_unit * ONE // state.oracle
        rate = min(rate, self._terms.max_funding_rate) * (1 if position.is_long else -1)
        plan: Plan = [c.SetFundingSource(False)] if state.sampling else []
        plan += [c.Advance(HOUR), c.SetFunding(rate), c.Advance(HOUR), c.SetFunding(0)]
        follow = self._random.choice(
            (self.deleveraging, self.liquidation, self.fill, self.adjust_leverage, self.flip)
        )
        return plan + follow(state)

    def _due(self, state: State, parts: tuple[int, ...]) -> tuple[str, Plan]:
        """An account, and the move of the oracle that brings its margin ratio there."""
        holders = self._holders(state)
        account = self._random.choice(holders)
        margin = state.margin(account)
        price = self._price_for(state.position(account), margin, self._random.choice(parts))
        return account, [c.SetOracle(price)]

    def _part(self, quantity: int) -> int:
        step = self._terms.step_size
        part = self._random.choice((quantity, quantity, quantity // 2, quantity // 3, quantity * 2))
        return max(part // step * step, step)

    def liquidation(self, state: State) -> Plan:
        """An account becomes due, or nearly, and another one liquidates it."""
        if not self._holders(state):
            return self.fill(state)
        account, plan = self._due(state, (100, 200, 250, 290, 299, 300, 301, 450, 0, -50, -500))
        by = self._account()
        position = state.position(account)
        side = position.is_long if self._random.randrange(15) else not position.is_long
        quantity = self._part(position.quantity)
        leverage = self._leverage(state, by)
        if self._random.randrange(30) == 0:
            leverage = self._random.choice((0, ONE * 5 // 2, 4 * ONE // 3))
        whole = self._random.randrange(4) == 0
        command = c.Liquidate(account, by, quantity, leverage, side, whole)
        return [*plan, command] if self._random.randrange(12) else [command]

    def deleveraging(self, state: State) -> Plan:
        """An account goes under water, and is closed against one of the other side."""
        if not self._holders(state):
            return self.fill(state)
        account, plan = self._due(state, (1, 0, 0, -1, -10, -100, -400, -1_500))
        position = state.position(account)
        others = [
            name
            for name in self._holders(state)
            if state.position(name).is_long != position.is_long
        ]
        taker = self._random.choice(others) if others and self._random.randrange(12) else None
        taker = taker or self._account()
        side = position.is_long if self._random.randrange(15) == 0 else not position.is_long
        size = min(position.quantity, state.position(taker).quantity or position.quantity)
        quantity = self._part(self._random.choice((size, position.quantity)))
        whole = self._random.randrange(4) == 0
        command = c.Deleverage(account, taker, quantity, side, whole)
        return [*plan, command] if self._random.randrange(12) else [command]

    def ailing_trade(self, state: State) -> Plan:
        """An account that is short of margin trades: adds, reduces, under water too."""
        if not self._holders(state):
            return self.fill(state)
        account, plan = self._due(state, (430, 350, 310, 290, 200, 100, 20, -20, -60))
        position = state.position(account)
        (move,) = plan
        assert isinstance(move, c.SetOracle)
        there = evolve(state, oracle=move.price)
        quantity = self._part(position.quantity)
        other = self._random.choice([name for name in self._accounts if name != account])
        buys = position.is_long if self._random.randrange(2) else not position.is_long
        price = self._near(there, 190)
        return [*plan, self._match(there, account, other, buys, quantity, price)]

    def flip(self, state: State) -> Plan:
        """An account goes through zero in one trade."""
        if not self._holders(state):
            return self.fill(state)
        account = self._random.choice(self._holders(state))
        position = state.position(account)
        other = self._random.choice([name for name in self._accounts if name != account])
        quantity = position.quantity + self._quantity()
        price = self._near(state, 100)
        return [self._match(state, account, other, not position.is_long, quantity, price)]

    def close(self, state: State) -> Plan:
        """An account closes its position, sometimes with a reduce-only order."""
        if not self._holders(state):
            return self.fill(state)
        account = self._random.choice(self._holders(state))
        position = state.position(account)
        other = self._random.choice([name for name in self._accounts if name != account])
        price = self._near(state, 100)
        match = self._match(state, account, other, not position.is_long, position.quantity, price)
        reduce_only = self._random.randrange(2) == 0
        return [evolve(match, maker=evolve(match.maker, reduce_only=reduce_only))]

    def add_margin(self, state: State) -> Plan:
        """Somebody adds margin."""
        account = self._account()
        free = state.has(bank(account))
        amount = self._random.choice((0, 1, ONE, 100 * ONE, free, free + 1, free // 3))
        return [c.AddMargin(account, amount)]

    def remove_margin(self, state: State) -> Plan:
        """Somebody removes margin."""
        account = self._account()
        margin = state.margin(account)
        amount = self._random.choice((0, 1, ONE, margin, margin + 1, margin // 2, margin // 9))
        return [c.RemoveMargin(account, amount)]

    def adjust_leverage(self, state: State) -> Plan:
        """Somebody changes leverage."""
        del state
        leverage = self._random.randint(0, 24) * ONE + self._random.choice((0, 0, 1, ONE // 2))
        return [c.AdjustLeverage(self._account(), leverage)]

    def deposit(self, state: State) -> Plan:
        """Somebody brings money."""
        del state
        return [c.Deposit(self._account(), self._random.randint(0, 50_000) * 10**18)]

    def withdraw(self, state: State) -> Plan:
        """Somebody takes money, or tries to."""
        account = self._account()
        free = state.has(bank(account)) // 10**12
        tokens = self._random.choice((0, 1, free, free // 2, free + 1, 10**15))
        return [c.Withdraw(account, tokens * 10**12)]

    def collect(self, state: State) -> Plan:
        """The owner collects."""
        if not self._terms.pooled_fees:
            return self.wander(state)
        return [c.CollectFees(), c.CollectGas()]

    def halt(self, state: State) -> Plan:
        """The guardian halts something, and allows it again."""
        if self._random.randrange(2):
            return [c.SetTrading(False), *self.fill(state), c.SetTrading(True)]
        return [c.SetWithdrawals(False), *self.withdraw(state), c.SetWithdrawals(True)]

    def out_of_season(self, state: State) -> Plan:
        """What cannot be: a final withdrawal before the end, a cancelled order."""
        if not self._orders or self._random.randrange(2):
            return [c.ClosePosition(self._account())]
        order = self._random.choice(self._orders)
        return [
            c.CancelOrder(order),
            c.Fill(order, order, order.quantity, order.price),
            *self.fill(state),
        ]
