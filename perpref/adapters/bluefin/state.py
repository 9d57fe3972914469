"""The model's state, and the one way in which cash moves in it.

All cash lies in leaves of one ledger. The perpetual's bank balance is the sum of the leaves
inside it: the margin of every position, the fees and gas charges that accrued, and the pot,
through which profit and loss pass from one position to another. The pot may go below zero: that
is profit which the perpetual owes and nobody has paid in yet.
"""

from __future__ import annotations

from attrs import evolve, field, frozen
from immutables import Map

from perpref.adapters.bluefin.commands import Order
from perpref.adapters.bluefin.fixed import over
from perpref.adapters.bluefin.terms import Terms
from perpref.adapters.bluefin.view import Holding, View

OUTSIDE = "outside"
POT = "perpetual's pot"
FEES = "accrued fees"
GAS = "accrued gas"
FEE_POOL = "fee pool"
INSURANCE_POOL = "insurance pool"
GAS_POOL = "gas pool"
MAY_BE_NEGATIVE = (OUTSIDE, POT)


def bank(account: str) -> str:
    """The leaf of an account's free balance."""
    return f"{account}'s bank balance"


def margin_of(account: str) -> str:
    """The leaf of the margin in an account's position."""
    return f"{account}'s margin"


@frozen
class Position:
    """A position without its margin, which is cash: side, size, entry value, required margin."""

    is_long: bool = False
    quantity: int = 0
    oi_open: int = 0
    mro: int = 0

    @property
    def entry_price(self) -> int:
        """The average price at which the position was opened, towards zero."""
        return over(self.oi_open, self.quantity) if self.oi_open and self.quantity else 0


@frozen
class Paid:
    """One double entry."""

    payer: str
    payee: str
    amount: int
    rule: str


@frozen
class Refused:
    """A command changed nothing: by which rule, and what the contracts say then."""

    rule: str
    reason: str


class Refusal(Exception):
    """A rule said no."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(rule, reason)
        self.rule = rule
        self.reason = reason


@frozen
class Samples:
    """How far trades were from the oracle price: since when, until when, how much, the last one."""

    first: int
    last: int
    total: int = 0
    ratio: int = 0


@frozen
class State:
    """The exchange. `entries` and `rules` are what the last command moved and exercised."""

    terms: Terms
    accounts: tuple[str, ...]
    time: int
    funding_start: int
    index_time: int
    oracle: int
    samples: Samples
    cash: Map[str, int] = field(factory=Map)
    positions: Map[str, Position] = field(factory=Map)
    settled: Map[str, tuple[int, int]] = field(factory=Map)
    filled: Map[Order, int] = field(factory=Map)
    cancelled: Map[Order, bool] = field(factory=Map)
    index: int = 0
    rate: int = 0
    window_set: int = 0
    sampling: bool = False
    delisted: bool = False
    delisting_price: int = 0
    trading: bool = True
    withdrawals: bool = True
    entries: tuple[Paid, ...] = ()
    rules: tuple[str, ...] = ()

    def has(self, leaf: str) -> int:
        """The cash in a leaf."""
        return self.cash.get(leaf, 0)

    def position(self, account: str) -> Position:
        """An account's position, empty if it never had one."""
        return self.positions.get(account, FLAT)

    def margin(self, account: str) -> int:
        """The margin in an account's position."""
        return self.has(margin_of(account))

    def perpetual(self) -> int:
        """The perpetual's balance in the bank."""
        inside = self.has(POT) + self.has(FEES) + self.has(GAS)
        return inside + sum(self.margin(account) for account in self.accounts)

    def is_inside(self, leaf: str) -> bool:
        """Whether a leaf is part of the perpetual's balance in the bank."""
        return leaf in (POT, FEES, GAS) or leaf.endswith("'s margin")


FLAT = Position()


def reach(state: State, *rules: str) -> State:
    """The state with these rules noted as exercised."""
    return evolve(state, rules=state.rules + rules)


def pay(state: State, payer: str, payee: str, amount: int, rule: str) -> State:
    """Move cash from one leaf to another: the only way in which cash moves.

    BF-BANK-1: no account pays more than the bank holds for it. MarginBank.sol,
    transferMarginToAccount, "Insufficient account funds".
    BF-BANK-5: nor does the perpetual, whomever it owes: a trade that it cannot pay for is refused.
    MarginBank.sol, transferMarginToAccount, "Insufficient account funds".
    """
    if amount < 0:
        raise ValueError(f"{rule}: {payer} cannot pay {payee} a negative amount, {amount}")
    inside = state.is_inside(payer)
    if not (inside and state.is_inside(payee)):
        held = state.perpetual() if inside else state.has(payer)
        if payer != OUTSIDE and held < amount:
            refusing = "BF-BANK-5" if inside else "BF-BANK-1"
            raise Refusal(refusing, "Insufficient account funds")
    if amount == 0 or payer == payee:
        return state
    cash = state.cash.set(payer, state.has(payer) - amount)
    cash = cash.set(payee, cash.get(payee, 0) + amount)
    entry = Paid(payer, payee, amount, rule)
    return evolve(state, cash=cash, entries=(*state.entries, entry))


def pay_either_way(state: State, payer: str, payee: str, amount: int, rule: str) -> State:
    """Move cash to the payee, or back to the payer when the amount is negative."""
    if amount < 0:
        return pay(state, payee, payer, -amount, rule)
    return pay(state, payer, payee, amount, rule)


def view_of(state: State) -> View:
    """The state as the contracts would show it."""
    holdings = {}
    for account in state.accounts:
        position = state.position(account)
        index_time, index = state.settled.get(account, (0, 0))
        holdings[account] = Holding(
            bank=state.has(bank(account)),
            quantity=position.quantity if position.is_long else -position.quantity,
            margin=state.margin(account),
            oi_open=position.oi_open,
            mro=position.mro,
            index=index,
            index_time=index_time,
        )
    return View(
        accounts=holdings,
        perpetual=state.perpetual(),
        fee_pool=state.has(FEE_POOL),
        insurance_pool=state.has(INSURANCE_POOL),
        gas_pool=state.has(GAS_POOL),
        accrued_fees=state.has(FEES),
        accrued_gas=state.has(GAS),
        custody=-state.has(OUTSIDE),
        index=state.index,
        index_time=state.index_time,
        rate=state.rate,
        sampled_sum=state.samples.total,
        sampled_ratio=state.samples.ratio,
        oracle=state.oracle,
        delisted=state.delisted,
        delisting_price=state.delisting_price,
        time=state.time,
    )
