"""The reference while commands are being thought up: who is there, what would be interesting."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from perpref import machine
from perpref.checker.choices import Recording, leaves_choice
from perpref.checker.dice import Dice
from perpref.checker.stopwatch import Part, Stopwatch
from perpref.checker.wire import COMMANDS, Terms
from perpref.outcome import Outcome
from perpref.rules import liquidation, margin
from perpref.rules.ledger import EMPTY, withdrawable
from perpref.scheduler import BY_RULEBOOK, needed
from perpref.state import TREASURY, VAULT, Kind, MarkPolicy, Order, Position, Side
from perpref.units import MAX_PRICE, PARTS, AccountId, MarketId, OrderId, ceil_div

FIRST_ISOLATED = 40
"""Isolated accounts go by the numbers from here on; nobody else does."""

NAMES = {kind: name for name, kind in COMMANDS.items()}


class World:
    """A list of commands in the making, and the exchange that the reference makes of it."""

    def __init__(
        self,
        terms: Terms,
        people: Iterable[AccountId],
        supported: Iterable[str] = COMMANDS,
        watch: Stopwatch | None = None,
    ) -> None:
        self.terms = terms
        self.people = tuple(people)
        self.exchange = terms.opened()
        self.commands: list[machine.Command] = []
        self.markets = tuple(terms.markets)
        self._isolated = 0
        self._supported = frozenset(supported)
        self._watch = watch or Stopwatch()

    def do(self, command: machine.Command) -> bool:
        """Add a command; whether the reference carried it out."""
        if not self.supports(command):
            return False
        self.commands.append(command)
        choices = Recording() if leaves_choice(self.exchange) else BY_RULEBOOK
        with self._watch.on(Part.REFERENCE):
            outcome = machine.apply(self.exchange, command, choices)
        if isinstance(outcome, Outcome):
            self.exchange = outcome.exchange
            if self.knows(self.next_isolated()):
                self._isolated += 1
            return True
        return False

    def supports(self, command: machine.Command) -> bool:
        """Whether the engine has such a command."""
        return NAMES[type(command)] in self._supported

    # Doing, in words.

    def deposit(self, account: AccountId, amount: int) -> None:
        """Bring in cash, if it is any."""
        if amount > 0:
            self.do(machine.Deposit(account, amount))

    def equip(self, account: AccountId, market: MarketId, lots: int, quarters: int = 4) -> None:
        """Bring in so many quarters of the initial margin of so many lots."""
        need = ceil_div(abs(lots) * self.mark(market) * self.initial_rate(market), PARTS)
        self.deposit(account, (need * quarters >> 2) + quarters)

    def place(
        self,
        account: AccountId,
        market: MarketId,
        side: Side,
        lots: int,
        price: int,
        kind: Kind = Kind.LIMIT,
        reduce_only: bool = False,
        off_tick: bool = False,
        expires: int = 0,
    ) -> OrderId:
        """Place an order under the next identifier; off the tick, if that may be.

        Where there is no clock it is good till it is cancelled.
        """
        expires = expires if self.supports(machine.AdvanceClock(0)) else 0
        price = price if off_tick else self.on_tick(market, price)
        order = self.next_order()
        placed = machine.Place(order, account, market, side, kind, lots, price, reduce_only)
        self.do(evolve(placed, expires=expires))
        return order

    def replace(
        self,
        replaced: OrderId,
        account: AccountId,
        market: MarketId,
        side: Side,
        lots: int,
        price: int,
        kind: Kind = Kind.LIMIT,
        reduce_only: bool = False,
        expires: int = 0,
    ) -> None:
        """Place an order in the stead of a resting one."""
        price, new = self.on_tick(market, price), self.next_order()
        asked = machine.Replace(replaced, new, account, market, side, kind, lots, price)
        self.do(evolve(asked, reduce_only=reduce_only, expires=expires))

    def trade(
        self, buyer: AccountId, seller: AccountId, market: MarketId, lots: int, price: int
    ) -> None:
        """Let two accounts trade, the seller as the maker."""
        self.place(seller, market, Side.SELL, lots, price)
        self.place(buyer, market, Side.BUY, lots, price, Kind.IOC)

    def set_mark(self, market: MarketId, price: int) -> None:
        """Move the mark, within its bounds; by the index where it follows from that."""
        price = min(max(price, 1), MAX_PRICE)
        if self.exchange.rulebook.mark_policy is MarkPolicy.ORACLE:
            self.do(machine.SetMark(market, price))
        else:
            self.do(machine.SetIndex(market, price, price))

    # Seeing.

    def on_tick(self, market: MarketId, price: int) -> int:
        """The nearest price below that is on the tick, if there is one (BOOK-19)."""
        tick = self.exchange.markets[market].tick
        return max(price - price % tick, tick)

    def next_order(self) -> OrderId:
        return OrderId(self.exchange.last_order + 1)

    def mark(self, market: MarketId) -> int:
        return self.exchange.markets[market].mark

    def initial_rate(self, market: MarketId) -> int:
        return self.exchange.markets[market].initial_rate

    def maintenance_rate(self, market: MarketId) -> int:
        return self.exchange.markets[market].maintenance_rate

    def knows(self, account: AccountId) -> bool:
        return account in self.exchange.accounts

    def free(self, account: AccountId) -> int:
        """What an account could withdraw."""
        return withdrawable(self.exchange, account) if self.knows(account) else 0

    def free_for(self, account: AccountId, market: MarketId, side: Side) -> int:
        """How many lots an order may have until its account has no more margin for it (MRG-8)."""
        if not self.knows(account):
            return 0
        rate = max(self.mark(market) * self.initial_rate(market), 1)
        left = margin.equity(self.exchange, account) - needed(self.exchange, account)
        size = self.position(account, market).size * side.value
        return max(left * PARTS // rate, 0) + 2 * max(-size, 0)

    def free_with_profit(self, account: AccountId) -> int:
        """What it could withdraw if unrealised profit could leave, which it cannot (LED-6)."""
        if not self.knows(account):
            return 0
        now = margin.health(self.exchange, account)
        return now.equity - now.initial

    def position(self, account: AccountId, market: MarketId) -> Position:
        return self.exchange.accounts.get(account, EMPTY).positions.get(market, Position(0, 0))

    def orders(self, market: MarketId) -> list[Order]:
        return [order for _, order in self.exchange.markets[market].orders.items()]

    def shares(self, account: AccountId) -> int:
        """How many shares of the vault an account has."""
        return self.exchange.accounts.get(account, EMPTY).stake.shares

    def shareholders(self) -> list[AccountId]:
        """Who has shares of the vault, the house left out."""
        return [a for a in self.exchange.accounts if a != VAULT and self.shares(a)]

    def vault(self, market: MarketId) -> AccountId:
        """Who takes over in a market."""
        return self.exchange.markets[market].vault

    def markets_of_vaults(self) -> list[MarketId]:
        """The markets in which their vault holds something."""
        return [market for account, market in self.holders() if account == self.vault(market)]

    def holders(self) -> list[tuple[AccountId, MarketId]]:
        """Every open position: whose, and where."""
        return [
            (account, market)
            for account, holder in self.exchange.accounts.items()
            for market, _ in holder.positions.items()
        ]

    def bankruptcy_price(self, account: AccountId, market: MarketId) -> int:
        """The price at which a liquidation of this position would be limited now."""
        now = margin.health(self.exchange, account)
        if now.maintenance == 0:
            return self.mark(market)
        return liquidation.bankruptcy_price(self.exchange, account, market)

    # Deciding.

    def anybody(self, dice: Dice) -> AccountId:
        """Mostly one of the people, at times the vault, the treasury or an isolated account."""
        others = (VAULT, TREASURY, *self.isolated())
        return dice.pick((*self.people, *self.people, *self.people, *others))

    def isolated(self) -> list[AccountId]:
        """The isolated accounts so far."""
        return [AccountId(FIRST_ISOLATED + n) for n in range(self._isolated)]

    def next_isolated(self) -> AccountId:
        """A number that no account has."""
        return AccountId(FIRST_ISOLATED + self._isolated)

    def person(self, dice: Dice) -> AccountId:
        return dice.pick(self.people)

    def market(self, dice: Dice) -> MarketId:
        return dice.pick(self.markets)

    def due_price(self, account: AccountId, market: MarketId) -> int:
        """About the mark at which this position makes its account due."""
        now = margin.health(self.exchange, account)
        size = self.position(account, market).size
        slope = size * PARTS - abs(size) * self.exchange.markets[market].maintenance_rate
        slack = (now.equity - now.maintenance) * PARTS
        return self.mark(market) - (slack // slope if slope else 0)

    def ruin_price(self, account: AccountId, market: MarketId, times: int = 1) -> int:
        """About the mark at which so many times the equity of an account is gone."""
        size = self.position(account, market).size
        worth = margin.equity(self.exchange, account)
        return self.mark(market) - (times * worth // size if size else 0)
