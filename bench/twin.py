"""The same local actions on mutable dictionaries: what the reference's style costs.

Deposit, transfer, a resting order, a fill between two accounts, and a cancellation, with the same
guards in the same order, but one market, in place, and without events. Not part of the rules.
"""

from __future__ import annotations

PARTS = 1_000_000
TREASURY = 1


class Refused(Exception):
    """The twin said no."""


class Account:
    """Collateral, size and cost."""

    __slots__ = ("collateral", "cost", "size")

    def __init__(self, collateral: int = 0, size: int = 0, cost: int = 0) -> None:
        self.collateral = collateral
        self.size = size
        self.cost = cost


class Twin:
    """One market of the textbook, in place."""

    def __init__(self, mark: int, initial: int, maintenance: int, maker: int, taker: int) -> None:
        self.mark = mark
        self.initial_rate = initial
        self.maintenance_rate = maintenance
        self.maker_fee = maker
        self.taker_fee = taker
        self.custody = 0
        self.last_order = 0
        self.accounts = {0: Account(), TREASURY: Account()}
        self.orders: dict[int, list[int]] = {}  # account, side, price, lots

    def equity(self, account: Account) -> int:
        return account.collateral + account.size * self.mark - account.cost

    def margin(self, account: Account, rate: int) -> int:
        return -(-abs(account.size) * self.mark * rate // PARTS)

    def deposit(self, number: int, amount: int) -> None:
        if not 0 <= number <= 10**18 or not 1 <= amount <= 10**24:
            raise Refused
        account = self.accounts.get(number)
        if account is None:
            account = self.accounts[number] = Account()
        account.collateral += amount
        self.custody += amount

    def transfer(self, payer: int, payee: int, amount: int) -> None:
        if not 0 <= payee <= 10**18 or not 1 <= amount <= 10**24 or payer not in self.accounts:
            raise Refused
        giver = self.accounts[payer]
        loss = min(0, giver.size * self.mark - giver.cost)
        if amount > giver.collateral + loss - self.margin(giver, self.initial_rate):
            raise Refused
        taker = self.accounts.get(payee)
        if taker is None:
            taker = self.accounts[payee] = Account()
        giver.collateral -= amount
        taker.collateral += amount

    def place(self, order: int, number: int, side: int, price: int, lots: int) -> None:
        """A limit order: side 1 buys, -1 sells; what does not fill rests."""
        if number not in self.accounts or not 1 <= price <= 10**12 or not 1 <= lots <= 10**12:
            raise Refused
        if not self.last_order < order <= 10**18:
            raise Refused
        self.last_order = order
        while lots:
            maker = self.best(-side)
            if maker is None or side * (price - self.orders[maker][2]) < 0:
                break
            resting = self.orders[maker]
            filled = min(lots, resting[3])
            self.fill(number, resting[0], side, filled, resting[2])
            lots -= filled
            resting[3] -= filled
            if not resting[3]:
                del self.orders[maker]
        if lots:
            self.orders[order] = [number, side, price, lots]

    def best(self, side: int) -> int | None:
        found = None
        for number in sorted(self.orders):
            _, of, price, _ = self.orders[number]
            if of == side and (found is None or side * (price - self.orders[found][2]) > 0):
                found = number
        return found

    def fill(self, taker: int, maker: int, side: int, lots: int, price: int) -> None:
        both = [
            (self.accounts[taker], side, self.taker_fee),
            (self.accounts[maker], -side, self.maker_fee),
        ]
        before = [
            (self.equity(a), self.margin(a, self.maintenance_rate), a.size) for a, _, _ in both
        ]
        for account, direction, rate in both:
            self.trade(account, direction * lots, price)
            fee = -(-lots * price * rate // PARTS)
            account.collateral -= fee
            self.accounts[TREASURY].collateral += fee
        for (account, _, _), (equity, maintenance, size) in zip(both, before, strict=True):
            now = self.equity(account)
            if now >= self.margin(account, self.initial_rate):
                continue
            reducing = 0 <= account.size < size if size > 0 else size < account.size <= 0
            covers = now * maintenance >= equity * self.margin(account, self.maintenance_rate)
            if not (reducing and now >= 0 and covers):
                raise Refused

    def trade(self, account: Account, lots: int, price: int) -> None:
        if account.size * lots >= 0:
            account.size += lots
            account.cost += price * lots
            return
        closing = min(abs(lots), abs(account.size))
        direction = 1 if account.size > 0 else -1
        released = -(-account.cost * closing // abs(account.size))
        account.collateral += direction * closing * price - released
        account.size -= direction * closing
        account.cost -= released
        rest = lots + direction * closing
        account.size += rest
        account.cost += price * rest

    def cancel(self, number: int, order: int) -> None:
        if order not in self.orders or self.orders[order][0] != number:
            raise Refused
        del self.orders[order]
