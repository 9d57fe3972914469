"""A perpetual exchange in one file: an example of an engine that speaks the protocol.

It was written from the pages of the specification alone, and in another style than the reference:
objects that change in place, price levels, and a journal that takes back a fill that somebody
cannot bear. Copy from it what you like.

    perpref check 'python examples/engines/exchange.py'
    perpref check 'python examples/engines/exchange.py --fault score-without-leverage'
    python examples/engines/exchange.py --list-faults

`Exchange` is the exchange: integers in, events out. `Engine` puts the protocol's JSON around it and
can be used inside a process; `serve` puts an engine behind standard input and output. With
`--fault` one of the rules is broken on purpose, which shows what the checker finds.
"""

import argparse
import copy
import json
import re
import sys
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, NamedTuple, TextIO

Json = dict[str, Any]

MILLION = 10**6  # rates are in parts per million
MAX_CASH = 10**24
MAX_PRICE = 10**12
MAX_LOTS = 10**12
MAX_ID = 10**18
MAX_TIME = 10**18
MAX_SHARES = 10**36

NOBODY = -1  # an account, or a market, that there is not
NEVER = -1  # a time that no clock shows

VAULT = 0
TREASURY = 1

STAGES = ["book", "vault", "volunteers", "deleverage", "residual"]
RANKINGS = [
    "leveraged_return",
    "signed_return",
    "margined_return",
    "mark_to_entry",
    "mark_to_entry_literal",
    "unranked",
]
PRICES = ["bankruptcy", "mark", "previous_mark", "bankruptcy_unless_far", "index", "margin"]
TAKEOVERS = ["bankruptcy", "mark", "with_margin"]
SIZES = ["whole", "to_buffer", "tier_step", "equal_share"]
ORDERS = ["account", "worst_first", "seeded"]
POSITIONS = ["largest_first", "seeded"]
LIMITS = ["bankruptcy", "fillable", "auction"]
BEHIND = ["equity_share", "whole_equity", "entry"]
FEE_BOUNDS = ["surplus", "equity"]
SELF_TRADES = ["resting", "incoming", "both"]
ROUNDINGS = ["up", "down", "towards_zero"]
SHARINGS = ["queue", "pro_rata", "largest_remainder", "capped"]
SHARE_WEIGHTS = ["lots", "equity", "levered_profit"]
LOSSES = ["equity", "notional", "gains", "lots", "per_lot", "profit"]
FUND_TRIGGERS = ["none", "empty", "drawdown"]
MARK_POLICIES = ["oracle", "index", "clamped", "basis", "median"]

REFUSALS = {  # code: phase, rule
    "id_out_of_bounds": ("validate", "UNIT-4"),
    "amount_out_of_bounds": ("validate", "UNIT-2"),
    "price_out_of_bounds": ("validate", "UNIT-2"),
    "lots_out_of_bounds": ("validate", "UNIT-2"),
    "unknown_account": ("validate", "LED-4"),
    "cannot_own": ("validate", "ISO-1"),
    "account_exists": ("validate", "ISO-1"),
    "only_with_owner": ("validate", "ISO-2"),
    "other_market": ("validate", "ISO-3"),
    "is_isolated": ("validate", "ISO-3"),
    "unknown_market": ("validate", "MARK-1"),
    "settling": ("validate", "SET-1"),
    "premium_out_of_bounds": ("validate", "FUND-10"),
    "time_out_of_bounds": ("validate", "UNIT-2"),
    "not_later": ("validate", "CLK-1"),
    "paused": ("pause", "SET-4"),
    "not_paused": ("validate", "SET-5"),
    "stale": ("pause", "MARK-7"),
    "mark_is_computed": ("validate", "MARK-6"),
    "order_id_not_new": ("validate", "BOOK-1"),
    "vault_holds_itself": ("validate", "VLT-12"),
    "vault_is_worthless": ("validate", "VLT-12"),
    "too_few_shares": ("validate", "VLT-13"),
    "too_many_shares": ("validate", "UNIT-2"),
    "shares_out_of_bounds": ("validate", "VLT-14"),
    "shares_locked": ("validate", "VLT-15"),
    "no_notice": ("validate", "VLT-16"),
    "notice_runs": ("validate", "VLT-16"),
    "no_notice_asked": ("validate", "VLT-16"),
    "under_boundary": ("margin", "VLT-4"),
    "no_child": ("validate", "VLT-17"),
    "pledge_out_of_bounds": ("validate", "VLT-20"),
    "no_liquidators": ("validate", "VLT-9"),
    "own_position": ("validate", "VLT-9"),
    "not_due": ("validate", "LIQ-1"),
    "no_position": ("validate", "LIQ-3"),
    "more_than_there_is": ("validate", "LIQ-3"),
    "not_safer": ("margin", "VLT-9"),
    "more_than_needed": ("margin", "VLT-21"),
    "liquidator_cannot_bear": ("margin", "VLT-9"),
    "unknown_order": ("validate", "BOOK-10"),
    "not_your_order": ("validate", "BOOK-10"),
    "funding_rate_out_of_bounds": ("validate", "FUND-1"),
    "not_withdrawable": ("margin", "LED-6"),
    "too_small": ("validate", "BOOK-15"),
    "expired": ("validate", "BOOK-21"),
    "beyond_band": ("validate", "BOOK-18"),
    "off_tick": ("validate", "BOOK-19"),
    "too_many_orders": ("validate", "BOOK-20"),
    "orders_need_margin": ("margin", "MRG-8"),
    "taker_cannot_bear": ("margin", "BOOK-4"),
    "self_trade": ("match", "BOOK-11"),
    "not_filled": ("match", "BOOK-14"),
    "nothing_to_reduce": ("match", "BOOK-7"),
    "post_only_would_cross": ("match", "BOOK-8"),
    "pot_too_small": ("settle", "LED-7"),
    "gate_closed": ("pause", "LED-9"),
}

FAULTS = {  # name: the rule that it breaks, and how
    "profit-withdrawable": ("LED-6", "Profit that is not realised may be withdrawn."),
    "release-rounded-down": ("POS-2", "The cost that a close releases is rounded down."),
    "maintenance-rounded-down": ("MRG-3", "The maintenance margin is rounded down."),
    "reducing-always-allowed": ("MRG-5", "A fill that reduces is allowed whatever it costs."),
    "margin-from-anybody": ("ISO-2", "Anybody may bring cash into an isolated account."),
    "isolated-trades-anywhere": ("ISO-3", "An isolated account trades in every market."),
    "isolated-keeps-what-is-left": (
        "ISO-5",
        "What is left of an isolated position that is closed stays where it is.",
    ),
    "owner-meets-its-own": ("ISO-6", "An owner trades with its own isolated accounts."),
    "maker-fee-at-taker-rate": ("FEE-2", "The maker pays the taker's rate."),
    "fee-rounded-up-always": ("FEE-8", "Fees are rounded up under any rulebook."),
    "liquidation-fee-uncapped": ("FEE-4", "The liquidation fee takes more than the fill gained."),
    "surplus-kept": ("FEE-9", "The account keeps what a fill gained beyond the liquidation fee."),
    "fee-out-of-surplus": (
        "FEE-10",
        "The liquidation fee is taken out of the gain alone.",
    ),
    "fill-at-takers-price": ("BOOK-3", "Orders are filled at the newer order's price."),
    "maker-not-judged": ("BOOK-5", "Nobody looks at the maker's margin when its order fills."),
    "reduce-only-at-arrival": ("BOOK-7", "Reduce-only is looked at on arrival, not at the fill."),
    "post-only-crosses-own": ("BOOK-8", "A post-only order may meet its own account's order."),
    "partial-fill-requeues": ("BOOK-2", "A resting order that is filled in part goes to the back."),
    "self-trade-fills": ("BOOK-11", "An account's order fills against its own resting order."),
    "orders-reserve-one-side": (
        "MRG-8",
        "Orders reserve margin on the side of the position only.",
    ),
    "resting-goes-always": (
        "BOOK-11",
        "Where an account meets itself the resting order goes, under any rulebook.",
    ),
    "fill-or-kill-in-part": (
        "BOOK-14",
        "A fill-or-kill order fills in part, and the rest is cancelled.",
    ),
    "small-orders-taken": ("BOOK-15", "Orders of any worth are taken."),
    "replaced-order-lost": (
        "BOOK-16",
        "An order is gone even when the one in its stead is refused.",
    ),
    "smaller-goes-to-the-back": ("BOOK-17", "An order that only gets smaller loses its place."),
    "band-on-both-sides": (
        "BOOK-18",
        "The price band refuses those who wait far away, under any rulebook.",
    ),
    "tick-ignored": ("BOOK-19", "Prices between two ticks are taken."),
    "orders-counted-by-side": (
        "BOOK-20",
        "An account may have as many orders on each side as on both.",
    ),
    "good-at-its-time": ("BOOK-21", "An order is still good when the clock shows its time."),
    "receiver-rounded-up": ("FUND-2", "Who receives funding gets a quantum for a part of one."),
    "funding-rounded-up-always": ("FUND-13", "Funding is rounded up under any rulebook."),
    "receivers-uncapped": ("FUND-14", "Receivers are paid in full, whatever there is."),
    "funding-ignores-side": ("FUND-2", "Shorts pay funding when longs do."),
    "due-at-maintenance": ("LIQ-1", "An account is liquidated at its maintenance margin already."),
    "orders-stay": ("LIQ-2", "The orders of a liquidated account stay on the book."),
    "positions-in-market-order": ("LIQ-3", "Positions are closed in market order."),
    "whole-equity-behind-each": ("LIQ-4", "All of the equity stands behind each position."),
    "short-price-rounded-up": ("LIQ-5", "The bankruptcy price of a short is rounded up."),
    "book-price-once": ("LIQ-6", "The limit on the book stays that of the first fill."),
    "closed-beyond-need": ("LIQ-6", "The book closes a position although nobody is due any more."),
    "visited-once": ("LIQ-8", "Who becomes due by a liquidation is not looked at again."),
    "buffer-forgotten": ("LIQ-12", "A liquidation ends when the account is no longer due."),
    "share-rounded-down": ("LIQ-13", "The share of a position that is closed is rounded down."),
    "auction-in-one-step": ("LIQ-14", "An auction begins at its last step."),
    "cooldown-forgotten": ("LIQ-17", "After a part the next time a part is closed again."),
    "caps-forgotten": ("LIQ-18", "The portion of a position that may be closed is not kept to."),
    "visited-by-number": ("LIQ-19", "Accounts are visited by number whoever is worst."),
    "first-position-by-market": ("LIQ-40", "Whatever the seed, the first market is first."),
    "equity-always-shared": ("LIQ-20", "Equity is shared by margin whatever the rulebook says."),
    "vault-all-or-nothing": ("VLT-1", "The vault takes the whole position, or none of it."),
    "takeover-never-at-mark": ("VLT-22", "Every takeover is at the bankruptcy price."),
    "margin-stays-behind": ("VLT-22", "The vault takes lots at the mark without their margin."),
    "notional-uncapped": ("VLT-23", "The vault's notional over all markets has no cap."),
    "cap-before-takeover": ("VLT-2", "The vault's cap is looked at before the takeover."),
    "vault-reduces-freely": (
        "VLT-3",
        "A takeover that reduces what the vault holds is always well.",
    ),
    "boundary-ignored": ("VLT-4", "The vault may fall below its boundary."),
    "score-without-leverage": ("ADL-2", "The queue ranks by profit ratio only."),
    "smaller-first": ("ADL-2", "At one score the smaller position is closed first."),
    "ties-by-account-descending": (
        "ADL-2",
        "Of equal positions the larger account number is first.",
    ),
    "counterparty-unguarded": ("ADL-4", "Deleveraging may take more than a counterparty has."),
    "orders-of-the-closed-stay": ("ADL-14", "Whoever is closed by an ADL keeps its orders."),
    "shares-rounded-down": (
        "LOSS-3",
        "Shares of a loss are rounded down, the rest is on the last.",
    ),
    "loss-in-account-order": ("LOSS-5", "Who shares a loss is asked in account order."),
}


def ceil_div(a: int, b: int) -> int:
    """`a / b`, rounded towards plus infinity (`//` rounds towards minus infinity)."""
    return -(-a // b)


def per_million(amount: int, rate: int, rounding: str = "up") -> int:
    """The part of an amount that a rate in parts per million is; UNIT-5."""
    if rounding == "down" or (rounding == "towards_zero" and amount * rate > 0):
        return amount * rate // MILLION
    return ceil_div(amount * rate, MILLION)


def tiered(notional: int, rate: int, tiers: list[tuple[int, int]]) -> int:
    """MRG-6, in millionths: the part of a notional above each bound has its higher rate."""
    margin = notional * rate
    for above, higher in tiers:
        if higher > rate:
            margin += (higher - rate) * max(0, notional - above)
            rate = higher
    return margin


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


class Refused(Exception):
    """The command is refused; the state is as it was before."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Malformed(Exception):
    """A request that is none."""


# --- What an exchange keeps ------------------------------------------------------------------


class Position(NamedTuple):
    """Lots, and what they cost; both have the sign of the side."""

    size: int
    cost: int


FLAT = Position(0, 0)


class Stake(NamedTuple):
    """VLT-12: what an account has in the vault."""

    shares: int = 0
    locked_until: int = 0
    requested: int = 0
    requested_worth: int = 0
    notice_ends: int = 0


NO_STAKE = Stake()


@dataclass(slots=True)
class Account:
    number: int
    cash: int = 0
    positions: dict[int, Position] = field(default_factory=dict)  # by market; none is flat
    funded: dict[int, int] = field(default_factory=dict)  # the index to which each is settled
    stake: Stake = NO_STAKE
    offered_since: int = NEVER  # when its auction began
    parted_at: int = NEVER  # when a part of it was last closed
    paid_in: int = 0  # where that is noted
    owner: int = NOBODY  # of an isolated account, and then
    only_market: int = NOBODY  # the market that it is for

    def position(self, market: int) -> Position:
        return self.positions.get(market, FLAT)


@dataclass(slots=True)
class Order:
    number: int
    account: int
    side: int  # 1 buys, -1 sells
    price: int
    lots: int
    reduce_only: bool
    expires: int = 0

    def is_over(self, now: int) -> bool:
        """BOOK-21."""
        return 0 < self.expires <= now

    def meets(self, price: int) -> bool:
        """Whether a price is within the limit of this order."""
        return self.side * (self.price - price) >= 0


class Half:
    """The bids or the offers of a market: levels by price, and in each level orders by time."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.ranks: list[int] = []  # side * price, ascending: the best price is the last
        self.levels: dict[int, dict[int, Order]] = {}  # by rank, then by order number

    def best(self) -> Order | None:
        if not self.ranks:
            return None
        return next(iter(self.levels[self.ranks[-1]].values()))

    def add(self, order: Order) -> None:
        """Put an order behind all that rest at its price."""
        rank = self.side * order.price
        if rank not in self.levels:
            insort(self.ranks, rank)
            self.levels[rank] = {}
        self.levels[rank][order.number] = order

    def remove(self, order: Order) -> None:
        rank = self.side * order.price
        del self.levels[rank][order.number]
        if not self.levels[rank]:
            del self.levels[rank]
            del self.ranks[bisect_left(self.ranks, rank)]


@dataclass(slots=True)
class Market:
    number: int
    initial_rate: int
    maintenance_rate: int
    vault_cap: int
    mark: int
    tiers: tuple[tuple[int, int, int], ...] = ()
    scaled_from: int = 0
    scaled_to: int = 0
    least_notional: int = 0
    price_band: int = 0
    tick: int = 1
    vault: int = VAULT
    vault_boundary: int = 0
    due_at_margin: bool = False
    orders: dict[int, Order] = field(default_factory=dict)
    halves: dict[int, Half] = field(default_factory=lambda: {1: Half(1), -1: Half(-1)})
    previous_mark: int = 0
    settling: bool = False
    premiums: int = 0
    samples: int = 0
    open_interest: int = 0
    index: int = 0
    basis: int = 0
    marked_at: int = 0
    paused: bool = False
    next_mark: int = 0
    funding_index: int = 0
    pledges: dict[int, tuple[int, int]] = field(default_factory=dict)  # lots and edge, by account

    def __post_init__(self) -> None:
        self.previous_mark = self.previous_mark or self.mark

    def add(self, order: Order) -> None:
        self.orders[order.number] = order
        self.halves[order.side].add(order)

    def remove(self, order: Order) -> None:
        del self.orders[order.number]
        self.halves[order.side].remove(order)


class MarketTerms(NamedTuple):
    """How a market opens; the order of these fields is that of `Market`."""

    initial_rate: int
    maintenance_rate: int
    vault_cap: int
    mark: int
    tiers: tuple[tuple[int, int, int], ...] = ()  # above, initial rate, maintenance rate
    scaled_from: int = 0
    scaled_to: int = 0
    least_notional: int = 0
    price_band: int = 0
    tick: int = 1
    vault: int = VAULT
    vault_boundary: int = 0
    due_at_margin: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """The rulebook: what a venue chose, and how its markets open."""

    maker_fee: int
    taker_fee: int
    liquidation_fee: int
    funding_cap: int
    vault_boundary: int
    waterfall: list[str]
    markets: dict[int, MarketTerms]
    ranking: str = RANKINGS[0]
    forced_price: str = PRICES[0]
    gap: int = 0
    only_insolvent: bool = False
    never_riskier: bool = False
    vault_trigger: int = MILLION
    takeover: str = TAKEOVERS[0]
    notional_cap: int = 0
    fee_bound: str = FEE_BOUNDS[0]
    surplus: int = 0
    behind: str = BEHIND[0]
    share: int = MILLION
    whole: int = 0
    limit: str = LIMITS[0]
    size: str = SIZES[0]
    buffer: int = 0
    step: int = MILLION
    target: int = MILLION
    order: str = ORDERS[0]
    position: str = POSITIONS[0]
    liquidation_seed: int = 0
    auction_steps: int = 1
    auction_period: int = 1
    cooldown: int = 0
    block_portion: int = MILLION
    block_least: int = 0
    block_notional: int = 0
    adjustment: int = 0
    spread: int = 0
    withdraw_profit: bool = False
    interest: int = 0
    damper: int = 0
    offset: int = 0
    samples: int = 0
    sharing: str = SHARINGS[0]
    loss_sharing: str = LOSSES[0]
    self_trade: str = SELF_TRADES[0]
    smaller_keeps_place: bool = False
    band_both_sides: bool = False
    most_orders: int = 0
    order_margin: bool = False
    mark_policy: str = MARK_POLICIES[0]
    mark_band: int = 0
    mark_weight: int = 0
    mark_age: int = 0
    on_touch: bool = False
    funding_rounding: str = ROUNDINGS[0]
    receivers_capped: bool = False
    fee_rounding: str = ROUNDINGS[0]
    volunteer_edge: int = 0
    liquidators: bool = False
    liquidator_fee: int = 0
    least_shares: int = 1
    lockup: int = 0
    notice: int = 0
    fund_trigger: str = FUND_TRIGGERS[0]
    fund_begins: int = 0
    fund_ends: int = 0
    fund_window: int = 0
    carries: bool = False
    gate: int = 0
    haircut: bool = False
    halts: bool = False
    notes: bool = False
    share_weight: str = SHARE_WEIGHTS[0]
    seed: int = 0
    cancels: bool = False


class Standing(NamedTuple):
    """What MRG-5 compares: an account before a fill with the same after it."""

    size: int
    equity: int
    maintenance: int


# --- The exchange ----------------------------------------------------------------------------


class Exchange:
    """An exchange. A command is a method: it returns when it is done and raises `Refused` when not.

    What a command did is in `events`, which is cleared before the next by `begin`.
    """

    def __init__(self, terms: Terms, fault: str = "") -> None:
        self.terms = terms
        self.fault = fault
        self.custody = 0
        self.last_order = 0
        self.now = 0
        self.gate_opens = 0
        self.fund_best = 0
        self.fund_best_at = 0
        self.fund_drawn_down = False
        children = {opening.vault for opening in terms.markets.values()} - {VAULT}
        self.children = sorted(children)  # VLT-17
        numbers = (VAULT, TREASURY, *self.children)
        self.accounts = {number: Account(number) for number in numbers}
        self.markets = {n: Market(n, *opening) for n, opening in sorted(terms.markets.items())}
        self.events: list[Json] = []
        self.journal: list[tuple[Account, int, dict[int, Position], dict[int, int]]] = []

    # The ledger: all that changes an account goes through `enter`, `pay` and `fill`.

    def begin(self) -> None:
        self.events = []
        self.journal = []

    def record(self, event: str, rule: str, **fields: int | Json) -> None:
        shown = {k: str(v) if isinstance(v, int) else v for k, v in fields.items()}
        self.events.append({event: {**shown, "rule": rule}})

    def remember(self, account: Account) -> None:
        entry = account, account.cash, dict(account.positions), dict(account.funded)
        self.journal.append(entry)

    def bookmark(self) -> tuple[int, int]:
        return len(self.journal), len(self.events)

    def take_back(self, bookmark: tuple[int, int]) -> None:
        """Undo all fills and payments since the bookmark was put."""
        written, recorded = bookmark
        while len(self.journal) > written:
            account, cash, positions, funded = self.journal.pop()
            for number in {*account.positions, *positions}:
                now, then = (p.get(number, Position(0, 0)) for p in (account.positions, positions))
                self.markets[number].open_interest += max(then.size, 0) - max(now.size, 0)
            account.cash, account.positions, account.funded = cash, positions, funded
        del self.events[recorded:]

    def restore(self, before: tuple[dict[int, Account], dict[int, Market]]) -> None:
        """Back to a copy that was made before anything was written in the journal."""
        self.accounts, self.markets = before
        self.journal.clear()

    def enter(self, account: Account, amount: int, rule: str) -> None:
        """LED-1: cash into the pot, or out of it."""
        self.remember(account)
        account.cash += amount
        self.custody += amount
        self.record("cash_moved", rule, account=account.number, amount=amount)

    def pay(self, payer: Account, payee: Account, amount: int, rule: str) -> None:
        """LED-2."""
        self.remember(payer)
        payer.cash -= amount
        self.remember(payee)
        payee.cash += amount
        self.record("paid", rule, payer=payer.number, payee=payee.number, amount=amount)

    def fill(
        self, account: Account, other: Account, market: Market, lots: int, price: int, rule: str
    ) -> None:
        """LED-3: `account` buys lots from `other`, or sells them when they are negative."""
        self.trade(account, market, lots, price)
        self.trade(other, market, -lots, price)
        buyer, seller = (account, other) if lots > 0 else (other, account)
        self.record(
            "filled",
            rule,
            buyer=buyer.number,
            seller=seller.number,
            market=market.number,
            lots=abs(lots),
            price=price,
        )

    def trade(self, account: Account, market: Market, lots: int, price: int) -> None:
        """POS-3: lots of the other sign close first, what is left opens."""
        self.remember(account)
        size, cost = account.position(market.number)
        market.open_interest += max(size + lots, 0) - max(size, 0)
        if size * lots < 0:  # POS-2
            closed = min(abs(size), abs(lots)) * sign(size)
            released = ceil_div(cost * closed, size)
            if self.fault == "release-rounded-down":
                released = cost * closed // size
            account.cash += closed * price - released
            size, cost, lots = size - closed, cost - released, lots + closed
        size, cost = size + lots, cost + lots * price  # POS-1
        if size:
            account.positions[market.number] = Position(size, cost)
        else:
            account.positions.pop(market.number, None)

    # What an account is worth, and what it needs.

    def profit(self, market: int, position: Position) -> int:
        return position.size * self.markets[market].mark - position.cost

    def unrealised(self, account: Account) -> int:
        return sum(self.profit(market, held) for market, held in account.positions.items())

    def equity(self, account: Account) -> int:
        """MRG-1."""
        return account.cash + self.unrealised(account)

    def maintenance_of(self, market: Market, size: int) -> int:
        """MRG-3, of one position."""
        if self.fault == "maintenance-rounded-down":
            return max(1, abs(size) * market.mark * market.maintenance_rate // MILLION)
        rates = [(above, maintenance) for above, _, maintenance in market.tiers]
        exact = tiered(abs(size) * market.mark, market.maintenance_rate, rates)
        if market.due_at_margin and size:  # MRG-9
            return exact // MILLION + 1
        return ceil_div(exact, MILLION)

    def initial_of(self, market: Market, size: int, opened: int = 0) -> int:
        """MRG-4, of one position; MRG-7 where its rate grows with open interest, `opened` more."""
        rate, low, high = market.initial_rate, market.scaled_from, market.scaled_to
        if high > low:
            interest = (market.open_interest + opened) * market.mark
            grown = max(0, min(interest, high) - low)
            rate += (MILLION - rate) * grown // (high - low)
        rates = [(above, initial) for above, initial, _ in market.tiers]
        return ceil_div(tiered(abs(size) * market.mark, rate, rates), MILLION)

    def maintenance(self, account: Account) -> int:
        positions = account.positions.items()
        return sum(
            self.maintenance_of(self.markets[market], held.size) for market, held in positions
        )

    def initial(self, account: Account) -> int:
        positions = account.positions.items()
        return sum(self.initial_of(self.markets[market], held.size) for market, held in positions)

    def withdrawable(self, account: Account) -> int:
        """LED-6; negative when nothing is."""
        unrealised = self.unrealised(account)
        if self.fault != "profit-withdrawable" and not self.terms.withdraw_profit:
            unrealised = min(0, unrealised)
        return account.cash + unrealised - self.initial(account)

    def standing(self, account: Account, market: Market) -> Standing:
        size = account.position(market.number).size
        return Standing(size, self.equity(account), self.maintenance(account))

    def bears(self, account: Account, market: Market, before: Standing) -> bool:
        """MRG-5, after a fill."""
        after = self.standing(account, market)
        if after.equity >= self.initial(account):
            return True
        reduced = abs(after.size) < abs(before.size) and after.size * before.size >= 0
        if self.fault == "reducing-always-allowed":
            return reduced
        return (
            reduced
            and after.equity >= 0
            and after.equity * before.maintenance >= before.equity * after.maintenance
        )

    # Commands that move cash.

    def account(self, number: int) -> Account:
        if number not in self.accounts:
            raise Refused("unknown_account")
        return self.accounts[number]

    def opened(self, number: int) -> Account:
        """LED-4: the account, which the cash that it gets opens."""
        return self.accounts.setdefault(number, Account(number))

    def market(self, number: int) -> Market:
        if number not in self.markets:
            raise Refused("unknown_market")
        return self.markets[number]

    def trading(self, number: int) -> Market:
        """SET-1: a market that has not come to its end."""
        there = self.market(number)
        check(not there.settling, "settling")
        return there

    def open_market(self, number: int) -> Market:
        """SET-4, MARK-7: a market that goes on."""
        there = self.trading(number)
        check(not there.paused, "paused")
        self.check_fresh(there)
        return there

    def check_fresh(self, there: Market) -> None:
        """MARK-7."""
        oldest = self.terms.mark_age
        check(not oldest or self.now - there.marked_at <= oldest, "stale")

    def deposit(self, account: int, amount: int) -> None:
        """LED-5."""
        check(0 <= account <= MAX_ID, "id_out_of_bounds")
        check(1 <= amount <= MAX_CASH, "amount_out_of_bounds")
        isolated = account in self.accounts and self.accounts[account].owner != NOBODY
        check(not isolated or self.fault == "margin-from-anybody", "only_with_owner")  # ISO-2
        owner = self.opened(account)
        self.enter(owner, amount, "LED-5")
        self.note(owner, amount)

    def note(self, owner: Account, amount: int) -> None:
        """LED-10."""
        if self.terms.notes:
            owner.paid_in += amount

    def hand_over(self, giver: Account, taker: Account, amount: int, rule: str) -> None:
        """LED-10: what is given is no loss of the one, and no gain of the other."""
        self.pay(giver, taker, amount, rule)
        self.note(giver, -amount)
        self.note(taker, amount)

    def withdraw(self, account: int, amount: int) -> None:
        """LED-7."""
        check(1 <= amount <= MAX_CASH, "amount_out_of_bounds")
        owner = self.account(account)
        check(owner.owner == NOBODY, "only_with_owner")  # ISO-2
        self.touch(owner)
        check(self.now >= self.gate_opens, "gate_closed")
        check(amount <= self.withdrawable(owner), "not_withdrawable")
        leaves, lack = amount, -self.equity(self.accounts[VAULT])
        if self.terms.haircut and lack > 0:  # LOSS-8
            leaves = amount * self.custody // (self.custody + lack)
        check(leaves <= self.custody, "pot_too_small")
        self.check_reserve(owner, amount)
        if leaves < amount:
            self.pay(owner, self.accounts[VAULT], amount - leaves, "LOSS-8")
        self.enter(owner, -leaves, "LED-7")
        self.note(owner, -amount)

    def transfer(self, payer: int, payee: int, amount: int) -> None:
        """LED-8."""
        check(0 <= payee <= MAX_ID, "id_out_of_bounds")
        check(1 <= amount <= MAX_CASH, "amount_out_of_bounds")
        owner = self.account(payer)
        check(owner.owner in (NOBODY, payee), "only_with_owner")  # ISO-2
        if payee in self.accounts:
            check(self.accounts[payee].owner in (NOBODY, payer), "only_with_owner")
        self.touch(owner)
        check(self.now >= self.gate_opens, "gate_closed")
        check(amount <= self.withdrawable(owner), "not_withdrawable")
        self.check_reserve(owner, amount if payee != payer else 0)
        self.hand_over(owner, self.opened(payee), amount, "LED-8")

    # Isolated margin.

    def isolate(self, owner: int, account: int, market: int, amount: int) -> None:
        """ISO-1."""
        check(0 <= account <= MAX_ID, "id_out_of_bounds")
        check(1 <= amount <= MAX_CASH, "amount_out_of_bounds")
        self.trading(market)
        giver = self.account(owner)
        house = owner in (VAULT, TREASURY, *self.children)
        check(not house and giver.owner == NOBODY, "cannot_own")
        check(account not in self.accounts, "account_exists")
        self.touch(giver)
        check(self.now >= self.gate_opens, "gate_closed")
        check(amount <= self.withdrawable(giver), "not_withdrawable")
        self.check_reserve(giver, amount)
        beside = self.opened(account)
        beside.owner, beside.only_market = owner, market
        self.hand_over(giver, beside, amount, "ISO-1")

    def cross(self, account: Account) -> None:
        """ISO-3: what isolated accounts may not do."""
        check(account.owner == NOBODY, "is_isolated")

    def one_trader(self, number: int, other: int) -> bool:
        """ISO-6."""
        if self.fault == "owner-meets-its-own":
            return number == other
        heads = {
            n if self.accounts[n].owner == NOBODY else self.accounts[n].owner
            for n in (number, other)
        }
        return len(heads) == 1

    def give_back(self) -> None:
        """ISO-5: what is left of isolated positions that the command closed."""
        acted: set[int] = set()
        for event in self.events:
            ((kind, fields),) = event.items()
            for part in {"filled": ("buyer", "seller"), "cancelled": ("account",)}.get(kind, ()):
                acted.add(int(fields[part]))
        for number_of in sorted(acted):
            account = self.accounts[number_of]
            if account.owner == NOBODY or account.positions:
                continue
            resting = self.markets[account.only_market].orders.values()
            if account.cash <= 0 or any(order.account == number_of for order in resting):
                continue
            owner, paid_in = self.accounts[account.owner], account.paid_in
            self.pay(account, owner, account.cash, "ISO-5")
            self.note(account, -paid_in)
            self.note(owner, paid_in)

    # Shares of the vault.

    def shares_out(self) -> int:
        return sum(account.stake.shares for account in self.accounts.values())

    def holder(self, number: int) -> Account:
        """VLT-12: whoever is not the vault itself."""
        owner = self.account(number)
        self.cross(owner)
        check(number not in (VAULT, *self.children), "vault_holds_itself")
        return owner

    def vaults_worth(self) -> int:
        return sum(self.equity(self.accounts[number]) for number in (VAULT, *self.children))

    def insurer(self, market: Market) -> Account:
        """VLT-17."""
        return self.accounts[market.vault]

    def boundary(self, market: Market) -> int:
        return self.terms.vault_boundary if market.vault == VAULT else market.vault_boundary

    def recapitalise(self, market: int, amount: int) -> None:
        """VLT-18."""
        parent, child = self.accounts[VAULT], self.child(market)
        self.hand_on(parent, child, amount, self.terms.vault_boundary, "VLT-18")

    def recall_capital(self, market: int, amount: int) -> None:
        """VLT-19."""
        parent, child = self.accounts[VAULT], self.child(market)
        self.hand_on(child, parent, amount, self.boundary(self.markets[market]), "VLT-19")

    def child(self, market: int) -> Account:
        there = self.market(market)
        check(there.vault != VAULT, "no_child")
        return self.insurer(there)

    def hand_on(
        self, giver: Account, taker: Account, amount: int, boundary: int, rule: str
    ) -> None:
        check(1 <= amount <= MAX_CASH, "amount_out_of_bounds")
        self.touch(self.accounts[VAULT])
        check(amount <= self.withdrawable(giver), "not_withdrawable")
        check(self.equity(giver) - amount >= boundary, "under_boundary")
        self.hand_over(giver, taker, amount, rule)

    def contribute_to_vault(self, account: int, amount: int) -> None:
        """VLT-13."""
        vault = self.accounts[VAULT]
        check(1 <= amount <= MAX_CASH, "amount_out_of_bounds")
        owner = self.holder(account)
        check(self.now >= self.gate_opens, "gate_closed")
        self.touch(vault)
        check(amount <= self.withdrawable(owner), "not_withdrawable")
        worth, out = self.vaults_worth(), self.shares_out()
        check(worth > 0 or worth == out == 0, "vault_is_worthless")
        house = worth if not out else 0
        out += house
        bought = amount * out // worth if out else amount
        check(bought >= self.terms.least_shares, "too_few_shares")
        check(out + bought <= MAX_SHARES, "too_many_shares")
        vault.stake = vault.stake._replace(shares=vault.stake.shares + house)
        until = self.now + self.terms.lockup  # VLT-15
        shares = owner.stake.shares + bought
        owner.stake = owner.stake._replace(shares=shares, locked_until=until)
        self.hand_over(owner, vault, amount, "VLT-13")

    def priced(self, owner: Account, shares: int) -> int:
        """VLT-14: what shares of an account are worth now."""
        check(1 <= shares <= owner.stake.shares, "shares_out_of_bounds")
        worth = self.vaults_worth()
        check(worth >= 0, "vault_is_worthless")
        return shares * worth // self.shares_out()

    def request_redemption(self, account: int, shares: int) -> None:
        """VLT-16."""
        owner = self.holder(account)
        check(self.terms.notice > 0, "no_notice_asked")
        self.touch(self.accounts[VAULT])
        worth = self.priced(owner, shares)
        ends = self.now + self.terms.notice
        held = owner.stake
        owner.stake = Stake(held.shares, held.locked_until, shares, worth, ends)

    def redeem_from_vault(self, account: int, shares: int) -> None:
        """VLT-14."""
        vault, owner = self.accounts[VAULT], self.holder(account)
        check(self.now >= self.gate_opens, "gate_closed")
        self.touch(vault)
        amount, held = self.priced(owner, shares), owner.stake
        check(self.now >= held.locked_until, "shares_locked")
        if self.terms.notice:
            check(shares == held.requested, "no_notice")
            check(self.now >= held.notice_ends, "notice_runs")
            amount = min(amount, held.requested_worth)
        check(amount <= self.withdrawable(vault), "not_withdrawable")
        check(self.equity(vault) - amount >= self.terms.vault_boundary, "under_boundary")
        owner.stake = Stake(held.shares - shares, held.locked_until)
        self.hand_over(vault, owner, amount, "VLT-14")

    # The book.

    def place(
        self,
        order: int,
        account: int,
        market: int,
        side: int,
        kind: str,
        lots: int,
        price: int = 1,
        reduce_only: bool = False,
        expires: int = 0,
        unwinding: bool = False,
        replaced: Order | None = None,
    ) -> None:
        """BOOK-6."""
        there, taker, begun = self.open_market(market), self.account(account), len(self.events)
        elsewhere = taker.only_market not in (NOBODY, market)
        check(not elsewhere or self.fault == "isolated-trades-anywhere", "other_market")  # ISO-3
        if kind == "market":
            price = MAX_PRICE if side > 0 else 1
        new = Order(order, account, side, price, lots, reduce_only, expires)
        self.check_order(new, there, kind, unwinding)
        if kind in RESTING and self.terms.most_orders:  # BOOK-20
            own = [order for order in there.orders.values() if order.account == account]
            if self.fault == "orders-counted-by-side":
                own = [order for order in own if order.side == side]
            resting = len(own)
            check(resting < self.terms.most_orders, "too_many_orders")
        if self.terms.order_margin:
            self.touch(taker)
            before, need = self.needed(taker, there, replaced), self.needed(taker, there, new)
            check(self.equity(taker) >= need or need <= before, "orders_need_margin")
        if kind == "post_only":  # BOOK-8
            best = there.halves[-side].best()
            crosses = best is not None and new.meets(best.price)
            if self.fault == "post-only-crosses-own" and best is not None:
                crosses = crosses and best.account != account
            check(not crosses, "post_only_would_cross")
        before = copy.deepcopy((self.accounts, self.markets)) if kind == "fok" else None
        self.touch(taker)
        stopped_by = self.match(new, taker, there)
        if stopped_by and not self.has_acted(begun):
            raise Refused(stopped_by)
        if self.fault == "fill-or-kill-in-part":
            before = None
        if before is not None and new.lots:  # BOOK-14: as if it had never come
            self.restore(before)
            raise Refused("not_filled")
        self.last_order = order
        if new.lots and (stopped_by or kind not in RESTING):
            self.cancelled(new, there, "BOOK-6")
        elif new.lots:  # BOOK-9
            there.add(new)
            self.record("rested", "BOOK-9", market=market, order=show_order(new))

    def check_order(self, new: Order, there: Market, kind: str, unwinding: bool = False) -> None:
        """BOOK-1, and what else an order must be to be taken."""
        check(1 <= new.price <= MAX_PRICE, "price_out_of_bounds")
        check(1 <= new.lots <= MAX_LOTS, "lots_out_of_bounds")
        check(new.number <= MAX_ID, "id_out_of_bounds")
        check(new.number > self.last_order, "order_id_not_new")
        check(0 <= new.expires <= MAX_TIME, "time_out_of_bounds")
        check(not new.is_over(self.now), "expired")
        if kind != "market" and not unwinding:
            on_tick = new.price % there.tick == 0 or self.fault == "tick-ignored"
            check(on_tick, "off_tick")  # BOOK-19
            check(new.reduce_only or self.in_band(new, there), "beyond_band")
        worth = new.lots * (there.mark if kind == "market" else new.price)
        small = worth < there.least_notional and self.fault != "small-orders-taken"
        check(new.reduce_only or not small, "too_small")  # BOOK-15
        check(self.fillable(new, there) > 0, "nothing_to_reduce")

    def needed(
        self, account: Account, where: Market | None = None, more: Order | None = None
    ) -> int:
        """MRG-8: the initial margin of what positions may become by their orders, and one more."""
        total = 0
        for market in self.markets.values():
            lots = {1: 0, -1: 0}
            for order in [*market.orders.values(), *([more] if more and market is where else [])]:
                if order.account == account.number and not order.reduce_only:
                    lots[order.side] += order.lots
            size = account.position(market.number).size
            exposed = max(size + lots[1], lots[-1] - size)
            if self.fault == "orders-reserve-one-side":
                exposed = abs(size) + lots[sign(size) or 1]
            total += self.initial_of(market, exposed)
        return total

    def check_reserve(self, account: Account, leaving: int) -> None:
        """MRG-8: what stays in an account is enough for its orders."""
        if self.terms.order_margin:
            need = self.needed(account)
            there = self.withdrawable(account) + self.initial(account) - leaving
            check(there >= need or need <= 0, "orders_need_margin")

    def in_band(self, new: Order, there: Market) -> bool:
        """BOOK-18."""
        away = (new.price - there.mark) * new.side  # how much more it gives than the mark
        if self.terms.band_both_sides or self.fault == "band-on-both-sides":
            away = abs(away)
        return not there.price_band or away * MILLION <= there.mark * there.price_band

    def match(self, new: Order, taker: Account, market: Market) -> str:
        """Fill an order against what it meets; the refusal that stopped it, or ''."""
        while new.lots:
            resting = market.halves[-new.side].best()
            if resting is None or not new.meets(resting.price):
                return ""
            itself = self.one_trader(resting.account, new.account)
            if itself and self.fault != "self-trade-fills":  # BOOK-11
                mode = self.terms.self_trade
                if self.fault == "resting-goes-always":
                    mode = SELF_TRADES[0]
                if mode == "incoming":
                    return "self_trade"
                self.take_off(resting, market, "BOOK-11")
                if mode == "both":
                    return "self_trade"
                continue
            offered = self.fillable(resting, market)
            if self.fault == "reduce-only-at-arrival":
                offered = resting.lots
            if not offered:  # BOOK-7
                self.take_off(resting, market, "BOOK-7")
                continue
            wanted = self.fillable(new, market)
            if not wanted:
                return "nothing_to_reduce"

            lots = min(offered, wanted)
            price = new.price if self.fault == "fill-at-takers-price" else resting.price  # BOOK-3
            maker = self.accounts[resting.account]
            self.touch(maker)
            before, maker_before = self.standing(taker, market), self.standing(maker, market)
            bookmark = self.bookmark()
            self.fill(taker, maker, market, new.side * lots, price, "BOOK-3")
            taker_fee = self.fee(lots * price, self.terms.taker_fee)
            self.pay(taker, self.accounts[TREASURY], taker_fee, "FEE-3")
            self.pay_maker_fee(maker, lots, price)
            if not self.bears(taker, market, before):  # BOOK-4
                self.take_back(bookmark)
                return "taker_cannot_bear"
            if not self.maker_bears(maker, market, maker_before):
                self.take_back(bookmark)
                self.take_off(resting, market, "BOOK-5")
                continue
            new.lots -= lots
            self.filled(resting, market, lots)
        return ""

    def fillable(self, order: Order, market: Market) -> int:
        """BOOK-7: the lots of an order that may fill now."""
        if not order.reduce_only:
            return order.lots
        held = self.accounts[order.account].position(market.number).size
        return min(order.lots, max(0, -order.side * held))

    def pay_maker_fee(self, maker: Account, lots: int, price: int) -> None:
        """FEE-2."""
        rate = self.terms.maker_fee
        if self.fault == "maker-fee-at-taker-rate":
            rate = self.terms.taker_fee
        self.pay(maker, self.accounts[TREASURY], self.fee(lots * price, rate), "FEE-2")

    def fee(self, notional: int, rate: int) -> int:
        """FEE-1, rounded by FEE-8."""
        always_up = self.fault == "fee-rounded-up-always"
        return per_million(notional, rate, "up" if always_up else self.terms.fee_rounding)

    def maker_bears(self, maker: Account, market: Market, before: Standing) -> bool:
        """BOOK-5."""
        return self.fault == "maker-not-judged" or self.bears(maker, market, before)

    def filled(self, resting: Order, market: Market, lots: int) -> None:
        """A resting order has fewer lots now; without any it leaves the book."""
        resting.lots -= lots
        if not resting.lots:
            market.remove(resting)
        elif self.fault == "partial-fill-requeues":
            market.remove(resting)
            market.add(resting)

    def take_off(self, order: Order, market: Market, rule: str) -> None:
        market.remove(order)
        self.cancelled(order, market, rule)

    def cancelled(self, order: Order, market: Market, rule: str) -> None:
        self.record(
            "cancelled",
            rule,
            market=market.number,
            order=order.number,
            account=order.account,
            lots=order.lots,
        )

    def cancel(self, account: int, market: int, order: int) -> None:
        """BOOK-10."""
        there = self.market(market)
        check(order in there.orders, "unknown_order")
        check(there.orders[order].account == account, "not_your_order")
        self.take_off(there.orders[order], there, "BOOK-10")

    def replace(self, replaced: int, market: int, **order: Any) -> None:
        """BOOK-16."""
        there = self.market(market)
        check(replaced in there.orders, "unknown_order")
        old = there.orders[replaced]
        check(old.account == order["account"], "not_your_order")
        if self.terms.smaller_keeps_place and order["kind"] in RESTING:  # BOOK-17
            new = Order(
                order["order"],
                old.account,
                order["side"],
                order["price"],
                order["lots"],
                order["reduce_only"],
                order["expires"],
            )
            same = replace(old, number=0, lots=0) == replace(new, number=0, lots=0)
            if same and new.lots <= old.lots and self.fault != "smaller-goes-to-the-back":
                self.open_market(market)
                self.check_order(new, there, order["kind"])
                self.last_order, old.lots = new.number, new.lots
                self.record("rested", "BOOK-17", market=market, order=show_order(old))
                return
        before = copy.deepcopy((self.accounts, self.markets))
        there.remove(old)
        self.cancelled(old, there, "BOOK-16")
        try:
            self.place(market=market, replaced=old, **order)
        except Refused:  # then all is as it was
            self.restore(before)
            if self.fault == "replaced-order-lost":
                there = self.market(market)
                there.remove(there.orders[replaced])
            raise

    def unwind(self, market: int, order: int) -> None:
        """VLT-6."""
        there = self.market(market)
        seller = self.insurer(there)
        size = seller.position(market).size
        check(size != 0, "nothing_to_reduce")
        lots = min(abs(size), MAX_LOTS)
        self.place(
            order, seller.number, market, -sign(size), "ioc", lots, there.mark, True, unwinding=True
        )

    # The oracle.

    def set_mark(self, market: int, price: int) -> None:
        """MARK-1."""
        there = self.trading(market)
        check(self.terms.mark_policy == "oracle", "mark_is_computed")
        check(1 <= price <= MAX_PRICE, "price_out_of_bounds")
        self.mark(there, price)

    def mark(self, there: Market, price: int) -> None:
        """MARK-1; SET-4 keeps the price for later."""
        there.marked_at = self.now
        if there.paused:
            there.next_mark = price
        else:
            there.previous_mark, there.mark = there.mark, price
            self.record("marked", "MARK-1", market=there.number, price=price)
        self.liquidate_all()

    def set_index(self, market: int, index: int, price: int) -> None:
        """MARK-5 and MARK-6."""
        there, terms = self.trading(market), self.terms
        check(1 <= index <= MAX_PRICE and 1 <= price <= MAX_PRICE, "price_out_of_bounds")
        step = (price - index - there.basis) * terms.mark_weight
        there.index = index
        there.basis += abs(step) // MILLION * sign(step)  # MARK-4
        based = max(1, min(index + there.basis, MAX_PRICE))
        reach = index * terms.mark_band // MILLION  # MARK-2
        marks = {
            "index": index,
            "clamped": max(1, index - reach, min(price, index + reach)),
            "basis": based,
            "median": sorted([price, index, based])[1],  # MARK-3
        }
        if terms.mark_policy in marks:
            self.mark(there, marks[terms.mark_policy])

    def pause_market(self, market: int) -> None:
        """SET-4."""
        there = self.trading(market)
        check(not there.paused, "paused")
        there.paused = True

    def resume_market(self, market: int) -> None:
        """SET-5."""
        there = self.trading(market)
        check(there.paused, "not_paused")
        self.check_fresh(there)
        price, there.paused, there.next_mark = there.next_mark, False, 0
        if price:
            there.previous_mark, there.mark = there.mark, price
            self.record("marked", "SET-5", market=market, price=price)
        self.liquidate_all()

    def settle_funding(self, market: int, rate: int) -> None:
        """FUND-3."""
        there = self.market(market)
        check(not there.paused, "paused")
        self.check_fresh(there)
        check(abs(rate) <= self.terms.funding_cap, "funding_rate_out_of_bounds")
        if self.terms.on_touch:  # FUND-11
            there.funding_index += there.mark * rate
            return
        vault = self.accounts[VAULT]
        dues: list[tuple[Account, int]] = []
        for _, account in sorted(self.accounts.items()):
            size = account.position(market).size
            if size == 0 or account is vault:
                continue
            dues.append((account, self.funding_due(size * there.mark, rate)))
        if self.terms.receivers_capped:
            self.fund_capped(dues)
        else:
            for account, amount in dues:
                if amount >= 0:
                    self.pay(account, vault, amount, "FUND-3")
                else:
                    self.pay(vault, account, -amount, "FUND-3")
        self.liquidate_all()

    def funding_due(self, worth: int, rate: int) -> int:
        """FUND-2, rounded by FUND-13."""
        if self.fault == "funding-ignores-side":
            worth = abs(worth)
        rounding = self.terms.funding_rounding
        if self.fault == "funding-rounded-up-always":
            rounding = "up"
        if self.fault == "receiver-rounded-up" and rounding == "up" and worth * rate < 0:
            rounding = "down"
        return per_million(worth, rate, rounding)

    def fund_capped(self, dues: list[tuple[Account, int]]) -> None:
        """FUND-14: payers first, then the receivers out of what there is."""
        vault = self.accounts[VAULT]
        spare = max(0, self.equity(vault) - self.terms.vault_boundary)
        for account, amount in dues:
            if amount >= 0:
                self.pay(account, vault, amount, "FUND-3")
                spare += amount
        owed = sum(-amount for _, amount in dues if amount < 0)
        for account, amount in dues:
            if amount < 0:
                part = min(-amount, -amount * spare // owed)
                if self.fault == "receivers-uncapped":
                    part = -amount
                self.pay(vault, account, part, "FUND-14")

    def touch(self, account: Account) -> None:
        """FUND-12: to touch the vault is to touch everybody."""
        vault = self.accounts[VAULT]
        if not self.terms.on_touch:
            return
        everybody = [other for _, other in self.sorted_accounts() if other is not vault]
        for touched in [*everybody, vault] if account is vault else [account]:
            for number, market in sorted(self.markets.items()):
                since, index = touched.funded.get(number, 0), market.funding_index
                if since == index:
                    continue
                rounding = self.terms.funding_rounding  # FUND-9, FUND-13
                due = per_million(touched.position(number).size, index - since, rounding)
                self.remember(touched)
                touched.funded[number] = index
                if touched is not vault and due > 0:
                    self.pay(touched, vault, due, "FUND-12")
                elif touched is not vault and due < 0:
                    self.pay(vault, touched, -due, "FUND-12")

    def has_acted(self, since: int) -> bool:
        """Whether anything has happened since then but that accounts were touched."""
        return any(inner["rule"] != "FUND-12" for e in self.events[since:] for inner in e.values())

    def sample_premium(self, market: int, premium: int) -> None:
        """FUND-10."""
        there = self.open_market(market)
        check(abs(premium) <= MILLION, "premium_out_of_bounds")
        there.premiums += premium
        there.samples += 1

    def settle_premium(self, market: int) -> None:
        """FUND-10: the mean (FUND-5) becomes the rate (FUND-6)."""
        there, terms = self.open_market(market), self.terms
        mean = abs(there.premiums) // max(there.samples, terms.samples, 1) * sign(there.premiums)
        drawn = max(-terms.damper, min(terms.interest - mean, terms.damper))
        rate = max(-terms.funding_cap, min(mean + drawn + terms.offset, terms.funding_cap))
        there.premiums = there.samples = 0
        self.settle_funding(market, rate)

    def settle_market(self, market: int) -> None:
        """SET-3: all orders go, then longs and shorts are closed with each other at the mark."""
        there = self.trading(market)
        there.settling = True
        if self.terms.on_touch:
            self.liquidate_all()
        for _, order in sorted(there.orders.items()):
            self.take_off(order, there, "SET-3")
        held = [(account, account.position(market).size) for _, account in self.sorted_accounts()]
        longs = [[account, size] for account, size in held if size > 0]
        shorts = [[account, -size] for account, size in held if size < 0]
        while longs and shorts:
            (buyer, bought), (seller, sold) = longs[0], shorts[0]
            lots = min(bought, sold)
            self.fill(buyer, seller, there, -lots, there.mark, "SET-2")
            longs[0][1] -= lots
            shorts[0][1] -= lots
            longs = [entry for entry in longs if entry[1]]
            shorts = [entry for entry in shorts if entry[1]]

    def advance_clock(self, now: int) -> None:
        """CLK-1."""
        check(0 <= now <= MAX_TIME, "time_out_of_bounds")
        check(now > self.now, "not_later")
        self.now = now
        for _, market in sorted(self.markets.items()):
            for _, order in sorted(market.orders.items()):
                if order.is_over(now - 1 if self.fault == "good-at-its-time" else now):
                    self.take_off(order, market, "BOOK-21")
        self.liquidate_all()

    def sorted_accounts(self) -> list[tuple[int, Account]]:
        return sorted(self.accounts.items())

    # Liquidation.

    def liquidate_all(self) -> None:
        """LIQ-8: visit all, the vault last, until nobody is due."""
        self.touch(self.accounts[VAULT])
        self.watch_fund()
        seen: list[Account] = []
        somebody = True
        while somebody:
            somebody = False
            for account in self.in_turn():
                waits = account in seen and self.may_wait(account)
                if self.due(account) and not waits and not self.carried(account):
                    self.close_down(account)
                    seen.append(account)
                    somebody = self.fault != "visited-once"
        self.end_auctions()

    def end_auctions(self) -> None:
        for account in self.accounts.values():
            if not self.due(account):
                account.offered_since = NEVER

    def in_turn(self) -> list[Account]:
        """LIQ-19: everybody in order, vaults last."""
        vaults = [*self.children, VAULT]
        others = [account for number, account in self.sorted_accounts() if number not in vaults]
        if self.terms.order == "worst_first" and self.fault != "visited-by-number":
            others.sort(key=lambda a: Fraction(self.equity(a), max(self.maintenance(a), 1)))
        if self.terms.order == "seeded" and self.fault != "visited-by-number":
            others = self.round(self.terms.liquidation_seed, others)
        return [*others, *(self.accounts[number] for number in vaults)]

    def by_parts(self) -> bool:
        """Whether something is closed now and something later."""
        terms = self.terms
        return terms.cooldown > 0 or terms.block_portion < MILLION or terms.block_notional > 0

    def patient(self, account: Account) -> bool:
        """LIQ-16: whether an account stands well enough to wait."""
        equity, trigger = self.equity(account), self.terms.vault_trigger
        nobody = "book" not in self.terms.waterfall and not self.terms.liquidators
        if account.number == VAULT or nobody or equity < 0:
            return False
        return trigger == MILLION or equity * MILLION >= self.maintenance(account) * trigger

    def auction_step(self, account: Account) -> int:
        """LIQ-14."""
        if self.fault == "auction-in-one-step":
            return self.terms.auction_steps
        if account.offered_since == NEVER:
            return 0
        gone = (self.now - account.offered_since) // self.terms.auction_period
        return min(gone, self.terms.auction_steps)

    def had_part(self, account: Account) -> bool:
        """LIQ-17: a part was closed at this very time."""
        return self.by_parts() and account.parted_at == self.now

    def may_wait(self, account: Account) -> bool:
        """LIQ-16."""
        auction = self.terms.limit == "auction"
        offered = auction and self.auction_step(account) < self.terms.auction_steps
        offered = offered or self.terms.liquidators  # VLT-9
        return self.patient(account) and (offered or self.had_part(account))

    def carried(self, account: Account) -> bool:
        """LOSS-12: the debt of a vault without positions."""
        return self.terms.carries and account.number == VAULT and not account.positions

    def watch_fund(self) -> None:
        """LOSS-11."""
        if self.terms.fund_trigger != "drawdown":
            return
        worth = self.equity(self.accounts[VAULT])
        if self.now - self.fund_best_at > self.terms.fund_window:
            self.fund_best, self.fund_best_at = worth, self.now
        self.fund_best = max(self.fund_best, worth)
        limit = self.terms.fund_ends if self.fund_drawn_down else self.terms.fund_begins
        fallen = (self.fund_best - worth) * MILLION
        self.fund_drawn_down = fallen >= limit * max(self.fund_best, 0)

    def fund_stands(self) -> bool:
        """LOSS-11: whether no winner may be closed yet."""
        if self.terms.fund_trigger == "empty":
            return self.equity(self.accounts[VAULT]) > 0
        return self.terms.fund_trigger == "drawdown" and not self.fund_drawn_down

    def volunteer(self, account: int, market: int, lots: int, edge: int) -> None:
        """VLT-20."""
        there = self.trading(market)
        self.cross(self.account(account))
        check(0 <= lots <= MAX_LOTS and 0 <= edge <= MILLION, "pledge_out_of_bounds")
        there.pledges[account] = lots, edge
        if not lots:
            del there.pledges[account]

    def hand_to_volunteers(self, account: Account, market: Market) -> None:
        """VLT-10: in account order, as many lots as each has pledged and can bear."""
        for number, (pledged, edge) in sorted(market.pledges.items()):
            if not self.to_close(account, market):
                return
            taker = self.accounts[number]
            self.touch(taker)
            size = account.position(market.number).size
            side = sign(size)
            better = side * (market.mark - self.bankruptcy_price(account, market))
            if taker is account or better < market.mark * edge // MILLION:
                continue
            given = min(better, market.mark * self.terms.volunteer_edge // MILLION)
            price = max(1, market.mark - side * given)
            low, high = 0, min(pledged, abs(size))
            if not self.could_take(account, taker, market, 1, price):
                continue
            while low < high:
                middle = (low + high + 1) // 2
                could = self.could_take(account, taker, market, middle, price)
                low, high = (middle, high) if could else (low, middle - 1)
            self.fill(account, taker, market, -side * low, price, "VLT-10")
            market.pledges[number] = pledged - low, edge
            if pledged == low:
                del market.pledges[number]

    def could_take(
        self, account: Account, taker: Account, market: Market, lots: int, price: int
    ) -> bool:
        """Whether a volunteer would have its initial margin with so many lots more."""
        bookmark, side = self.bookmark(), sign(account.position(market.number).size)
        self.fill(account, taker, market, -side * lots, price, "VLT-10")
        borne = self.equity(taker) >= self.initial(taker)
        self.take_back(bookmark)
        return borne

    def liquidate(self, liquidator: int, account: int, market: int, lots: int) -> None:
        """VLT-9."""
        there = self.open_market(market)
        taker, owner = self.account(liquidator), self.account(account)
        self.touch(taker)
        self.touch(owner)
        check(self.terms.liquidators, "no_liquidators")
        self.cross(taker)
        check(taker is not owner, "own_position")
        check(self.due(owner), "not_due")
        size = owner.position(market).size
        check(size != 0, "no_position")
        check(1 <= lots <= abs(size), "more_than_there_is")
        distance = there.mark * self.terms.liquidator_fee // MILLION
        price = max(1, there.mark - sign(size) * distance)
        fewest = self.next_order(owner, there) if self.terms.size == "to_buffer" else lots
        check(lots <= fewest, "more_than_needed")  # VLT-21
        stood, could = self.standing(owner, there), self.standing(taker, there)
        self.fill(owner, taker, there, -sign(size) * lots, price, "VLT-9")
        left = self.standing(owner, there)
        safer = left.equity * stood.maintenance >= stood.equity * left.maintenance
        check(left.equity >= 0 and safer, "not_safer")
        check(self.bears(taker, there, could), "liquidator_cannot_bear")
        self.end_auctions()

    def due(self, account: Account) -> bool:
        """LIQ-1."""
        equity, maintenance = self.equity(account), self.maintenance(account)
        if self.fault == "due-at-maintenance" and account.positions:
            return equity <= maintenance
        return equity < maintenance

    def close_down(self, account: Account) -> None:
        for market in self.markets.values():  # LIQ-2
            for _, order in sorted(market.orders.items()):
                if order.account == account.number and self.fault != "orders-stay":
                    self.take_off(order, market, "LIQ-2")

        unseen = account.offered_since == NEVER and account.number != VAULT
        if self.terms.limit == "auction" and unseen:
            account.offered_since = self.now
        if self.had_part(account) and self.patient(account):
            return
        stages: dict[str, Callable[[Account, Market], None]] = {
            "vault": self.hand_to_vault,
            "volunteers": self.hand_to_volunteers,
            "deleverage": self.deleverage,
            "residual": self.close_at_mark,
        }
        if self.terms.size == "equal_share" and not self.by_parts():
            self.offer_shares(account)
        spent = 0
        for market in self.positions_to_close(account):
            for stage in self.terms.waterfall:  # LIQ-7
                if self.to_close(account, market):
                    if stage == "book":
                        spent += self.offer_part(account, market, spent)
                    elif not self.may_wait(account):
                        stages[stage](account, market)
        if self.equity(account) < 0:
            self.share_deficit(account)

    def offer_part(self, account: Account, market: Market, spent: int) -> int:
        """LIQ-17, LIQ-18: what is closed on the book at this time; the notional that was."""
        size = abs(account.position(market.number).size)
        if not self.by_parts() or not self.patient(account):
            self.close_on_book(account, market)
            return (size - abs(account.position(market.number).size)) * market.mark
        terms, lots = self.terms, size
        if terms.cooldown:
            lots = self.first_order(account, market, size) or size
        portion = max(per_million(size, terms.block_portion), terms.block_least // market.mark)
        if self.fault != "caps-forgotten":
            lots = min(lots, portion)
        if terms.block_notional:
            left = max(terms.block_notional - spent, 0) // market.mark
            lots = min(lots, left if self.had_part(account) else max(left, 1))
        if lots:
            self.close_on_book(account, market, size - lots)
        closed = size - abs(account.position(market.number).size)
        if closed and closed == lots and (closed < size or terms.block_notional):
            account.parted_at = self.now
        if market.number in account.positions and not self.may_wait(account):
            self.close_on_book(account, market)
        return closed * market.mark

    def offer_shares(self, account: Account) -> None:
        """LIQ-13: the same share of all positions, first to the book, then to the vault."""
        equity, needs = self.equity(account), self.maintenance(account)
        share = self.terms.step
        while share < MILLION and needs * (MILLION - share) >= self.terms.target * equity:
            share += self.terms.step
        share = min(share, MILLION)
        for market in self.positions_to_close(account):
            lots = abs(account.position(market.number).size)
            kept = lots - per_million(lots, share)
            if self.fault == "share-rounded-down":
                kept = lots - max(lots * share // MILLION, 1)
            if "book" in self.terms.waterfall and lots > kept and self.to_close(account, market):
                self.close_on_book(account, market, kept)
            lots = abs(account.position(market.number).size)
            if self.may_wait(account) or "vault" not in self.terms.waterfall:
                continue
            if lots > kept and self.to_close(account, market):
                self.hand_to_vault(account, market, lots - kept)

    def positions_to_close(self, account: Account) -> list[Market]:
        """LIQ-3: the largest maintenance margin first, then in market order."""
        markets = [self.markets[number] for number in sorted(account.positions)]
        if self.terms.position == "seeded":  # LIQ-40
            if self.fault == "first-position-by-market":
                return markets
            return self.round(self.terms.liquidation_seed, markets)
        if self.fault != "positions-in-market-order":
            markets.sort(key=lambda m: -self.maintenance_of(m, account.positions[m.number].size))
        return markets

    def to_close(self, account: Account, market: Market) -> bool:
        """Whether there is something left to be closed by force."""
        return market.number in account.positions and self.due(account)

    def equity_behind(self, account: Account, market: Market) -> int:
        """LIQ-4, LIQ-20: the part of the equity that stands behind a position."""
        equity, way = self.equity(account), self.terms.behind
        if self.fault == "equity-always-shared":
            way = BEHIND[0]
        if self.fault == "whole-equity-behind-each" or way == "whole_equity":
            return equity
        size, cost = held = account.position(market.number)
        if way == "entry":  # LIQ-21
            initial = abs(cost) * market.initial_rate // MILLION
            return min(equity, max(0, self.profit(market.number, held) + initial))
        margin, margins = self.maintenance_of(market, size), self.maintenance(account)
        return self.equity(account) * margin // margins

    def bankruptcy_price(self, account: Account, market: Market) -> int:
        """LIQ-5, of this moment."""
        size, behind = account.position(market.number).size, self.equity_behind(account, market)
        if size > 0:
            return max(1, market.mark - behind // size)
        if self.fault == "short-price-rounded-up":
            return max(1, market.mark + ceil_div(behind, -size))
        return max(1, market.mark + behind // -size)

    def safe(self, account: Account) -> bool:
        """LIQ-12: maintenance margin, and a buffer of notional on top of it."""
        held = account.positions.items()
        notional = sum(abs(p.size) * self.markets[number].mark for number, p in held)
        margin = self.maintenance(account) + per_million(notional, self.terms.buffer)
        if self.fault == "buffer-forgotten":
            margin = self.maintenance(account)
        return self.equity(account) >= margin

    def next_order(self, account: Account, market: Market) -> int:
        """LIQ-15: how many lots are closed at a time."""
        lots = abs(account.position(market.number).size)
        if self.terms.size == "tier_step":
            begins = [tier[0] for tier in market.tiers if tier[0] < lots * market.mark]
            return lots - max(begins, default=0) // market.mark
        if self.terms.size != "to_buffer":
            return lots
        elsewhere = [(m, p.size) for m, p in account.positions.items() if m != market.number]
        margins = sum(self.maintenance_of(self.markets[m], size) for m, size in elsewhere)
        notionals = sum(self.markets[m].mark * abs(size) for m, size in elsewhere)
        equity, low, high = self.equity(account), 0, lots  # too few, and enough or all
        while high - low > 1:
            middle = (low + high) // 2
            left = lots - middle
            margin = margins + self.maintenance_of(market, left)
            margin += per_million(notionals + left * market.mark, self.terms.buffer)
            if equity >= margin:
                high = middle
            else:
                low = middle
        return high

    def close_on_book(self, account: Account, market: Market, kept: int | None = None) -> None:
        """LIQ-6; until so many lots are left, where that is said."""
        size = account.position(market.number).size
        side = sign(size)
        first_limit = self.bankruptcy_price(account, market)
        first = self.first_order(account, market, abs(size))
        while market.number in account.positions and (
            not self.safe(account) or self.fault == "closed-beyond-need"
        ):
            bankruptcy = self.bankruptcy_price(account, market)
            if self.fault == "book-price-once":
                bankruptcy = first_limit
            limit = self.limit_price(account, market, bankruptcy)
            resting = market.halves[side].best()
            if resting is None or side * (resting.price - limit) < 0:
                return
            offered = self.fillable(resting, market)
            if self.fault == "reduce-only-at-arrival":
                offered = resting.lots
            if not offered:
                self.take_off(resting, market, "BOOK-7")
                continue
            left = abs(account.position(market.number).size)
            wanted = left if kept is None else left - kept
            wanted = min(wanted, first or self.next_order(account, market))
            lots = min(offered, left, wanted, MAX_LOTS)
            maker = self.accounts[resting.account]
            before = self.standing(maker, market)
            bookmark = self.bookmark()
            self.fill(account, maker, market, -side * lots, resting.price, "LIQ-6")
            gained = side * (resting.price - bankruptcy) * lots
            if gained < 0:  # VLT-8
                vault = self.insurer(market)
                self.pay(vault, account, -gained, "VLT-8")
                if self.equity(vault) < self.boundary(market):
                    self.take_back(bookmark)
                    return
                gained = 0
            fee = self.liquidation_fee(account, lots, resting.price, gained)
            self.pay_maker_fee(maker, lots, resting.price)
            self.pay(account, self.insurer(market), fee, "FEE-5")
            if not self.maker_bears(maker, market, before):
                self.take_back(bookmark)
                self.take_off(resting, market, "BOOK-5")
                continue
            self.filled(resting, market, lots)
            first = max(first - lots, 0)
            if left - lots == kept:
                return

    def first_order(self, account: Account, market: Market, lots: int) -> int:
        """LIQ-10: of a large position a share is offered first, where positions go whole."""
        if self.terms.size != "whole":
            return 0
        forgotten = self.fault == "cooldown-forgotten"
        cooling = NEVER < account.parted_at < self.now < account.parted_at + self.terms.cooldown
        if (cooling and not forgotten) or lots * market.mark <= self.terms.whole:
            return lots
        return per_million(lots, self.terms.share)

    def limit_price(self, account: Account, market: Market, bankruptcy: int) -> int:
        """LIQ-11."""
        if self.terms.limit == "bankruptcy" or account.number == market.vault:
            return bankruptcy
        if self.terms.limit == "auction":
            step, steps = self.auction_step(account), self.terms.auction_steps
            if not self.patient(account):
                return bankruptcy
            way = bankruptcy - market.mark
            return market.mark + sign(way) * (abs(way) * step // steps)
        size = account.position(market.number).size
        margin, margins = self.maintenance_of(market, size), self.maintenance(account)
        lacking = self.terms.adjustment * (margins - self.equity(account))
        walked = max(0, min(lacking, margins * MILLION))
        given = walked * self.terms.spread * margin // (margins * MILLION**2 * abs(size))
        return max(1, market.mark - sign(size) * given)

    def liquidation_fee(self, account: Account, lots: int, price: int, gained: int) -> int:
        """FEE-4 and the surplus of FEE-9, after the fill and before any fee."""
        fee = self.fee(lots * price, self.terms.liquidation_fee)
        has = max(0, self.equity(account))
        by_equity = self.terms.fee_bound == "equity"  # FEE-10
        if self.fault != "liquidation-fee-uncapped":
            if not by_equity or self.fault == "fee-out-of-surplus":
                fee = min(fee, gained)
            fee = min(fee, has)
        surplus = max(0, gained - fee) * self.terms.surplus // MILLION
        if self.fault == "surplus-kept":
            surplus = 0
        return fee + max(0, min(surplus, has - fee))

    def hand_to_vault(self, account: Account, market: Market, most: int = 10**40) -> None:
        """VLT-1: as many lots as the vault may take, or as are wanted."""
        vault = self.insurer(market)
        if account is vault:  # VLT-5
            return
        if self.equity(account) * MILLION >= self.maintenance(account) * self.terms.vault_trigger:
            return  # VLT-7
        size = account.position(market.number).size
        side = sign(size)
        price = self.takeover_price(account, market)
        behind = self.equity_behind(account, market)
        held = vault.position(market.number).size
        gain = side * (market.mark - price)  # of the vault, for each lot
        equity = self.equity(vault)
        elsewhere = self.initial(vault) - self.initial_of(market, held)
        others = sum(
            abs(p.size) * self.markets[number].mark
            for number, p in vault.positions.items()
            if number != market.number
        )

        def along(lots: int) -> int:
            """VLT-22: the margin that goes along with the lots."""
            if self.terms.takeover != "with_margin" or self.fault == "margin-stays-behind":
                return 0
            return behind if lots == abs(size) else lots * (behind // abs(size))

        def may_take(lots: int) -> bool:
            after = held + side * lots
            worth = equity + gain * lots + along(lots)
            counted = held if self.fault == "cap-before-takeover" else after
            within_cap = abs(counted) <= market.vault_cap  # VLT-2
            left = size - side * lots
            opened = max(after, 0) + max(left, 0) - max(held, 0) - max(size, 0)
            margin_met = worth >= elsewhere + self.initial_of(market, after, opened)  # VLT-3
            if self.fault == "vault-reduces-freely":
                margin_met = margin_met or abs(after) < abs(held)
            above_boundary = worth >= self.boundary(market)  # VLT-4
            notional = others + abs(after) * market.mark
            if self.terms.notional_cap and self.fault != "notional-uncapped":  # VLT-23
                within_cap = within_cap and notional * MILLION <= self.terms.notional_cap * worth
            return (
                within_cap and margin_met and (above_boundary or self.fault == "boundary-ignored")
            )

        low, high = 0, abs(size)  # it may take `low` lots, and not more than `high`
        if not may_take(1) or (self.fault == "vault-all-or-nothing" and not may_take(high)):
            return
        while low < high:
            middle = (low + high + 1) // 2
            if may_take(middle):
                low = middle
            else:
                high = middle - 1
        lots = min(low, most)
        margin = along(lots)
        self.fill(account, vault, market, -side * lots, price, "VLT-1")
        if margin:
            payer, payee = (account, vault) if margin > 0 else (vault, account)
            self.pay(payer, payee, abs(margin), "VLT-22")

    def takeover_price(self, account: Account, market: Market) -> int:
        """VLT-22."""
        at_bankruptcy = self.terms.takeover == "bankruptcy"
        if at_bankruptcy or self.fault == "takeover-never-at-mark":
            return self.bankruptcy_price(account, market)
        return market.mark

    def queue(self, account: Account, market: Market) -> list[Account]:
        """ADL-2: everybody on the other side, by rank."""
        side = sign(account.position(market.number).size)

        def rank(other: Account) -> tuple[Fraction, int, int]:
            size, cost = other.positions[market.number]
            score = self.score(other, market)
            if self.fault == "score-without-leverage":
                score = Fraction(
                    self.profit(market.number, other.positions[market.number]), abs(cost)
                )
            lots = -abs(size) if self.fault == "smaller-first" else abs(size)
            number = other.number
            if self.fault == "ties-by-account-descending":
                number = -number
            return -score, -lots, number

        facing = [a for _, a in self.sorted_accounts() if a.position(market.number).size * side < 0]
        if self.terms.ranking == "unranked":
            return self.round(self.terms.seed, facing)
        return sorted(facing, key=rank)

    def round(self, seed: int, all_of_them: list[Any]) -> list[Any]:
        """ADL-12, LIQ-19, LIQ-40: all, from one that nobody picks."""
        first = (seed + 1_000_003 * self.last_order) % max(len(all_of_them), 1)
        return all_of_them[first:] + all_of_them[:first]

    def closed(self, other: Account, market: Market) -> None:
        """ADL-14: what becomes of the orders of whoever was closed."""
        if self.terms.cancels and self.fault != "orders-of-the-closed-stay":
            for _, order in sorted(market.orders.items()):
                if order.account == other.number:
                    self.take_off(order, market, "ADL-14")

    def score(self, other: Account, market: Market) -> Fraction:
        """ADL-2, as the rulebook ranks."""
        size, cost = held = other.positions[market.number]
        profit, notional = self.profit(market.number, held), abs(size) * market.mark
        equity = self.equity(other)
        worth, entry = max(equity, 1), abs(cost)
        ranking = self.terms.ranking
        if ranking == "leveraged_return":
            return Fraction(profit, entry) * Fraction(notional, worth)
        if ranking == "signed_return":
            leverage = Fraction(notional, max(self.equity_behind(other, market), 1))
            return Fraction(profit, entry) * (leverage if profit > 0 else 1 / leverage)
        if ranking == "margined_return":
            if profit <= 0 or equity <= 0:
                return Fraction(0)
            return Fraction(profit, max(other.cash, 1)) * Fraction(self.maintenance(other), equity)
        moved = Fraction(notional, entry)
        if ranking == "mark_to_entry" and size < 0:
            moved = 1 / moved
        return moved * Fraction(notional, worth)

    def forced_price(self, account: Account, market: Market) -> int:
        """ADL-3, as the rulebook prices."""
        rule, price = self.terms.forced_price, self.bankruptcy_price(account, market)
        far = abs(market.mark - price) * MILLION > self.terms.gap * market.mark
        if rule in ("mark", "margin") or (rule == "bankruptcy_unless_far" and far):
            return market.mark
        if rule == "index":
            return market.index or market.mark
        return market.previous_mark if rule == "previous_mark" else price

    def deleverage(self, account: Account, market: Market) -> None:
        """ADL-5; ADL-8 where everybody is closed in proportion first."""
        self.watch_fund()
        if self.terms.sharing != "queue":
            others = self.queue(account, market)
            for other, part in zip(others, self.parts(account, others, market), strict=True):
                part = min(part, abs(other.position(market.number).size))
                if not self.deleverage_one(account, other, market, part):
                    return
        for other in self.queue(account, market):
            left = abs(account.position(market.number).size)
            if not self.deleverage_one(account, other, market, left):
                return

    def parts(self, account: Account, others: list[Account], market: Market) -> list[int]:
        """ADL-8: the lots that fall to each."""
        lots = abs(account.position(market.number).size)
        weights = [self.share_weight(other, market) for other in others]
        if self.terms.sharing == "pro_rata":
            total = sum(weights) or 1
            upto = [ceil_div(lots * sum(weights[:n]), total) for n in range(len(others) + 1)]
            return [upto[n + 1] - upto[n] for n in range(len(others))]
        takes = [self.takes(account, other, market) for other in others]
        given = [0] * len(others)
        open_still = {n for n, weight in enumerate(weights) if weight}
        while True:  # ADL-11: all that are full at this level, then a higher one
            total = sum(weights[n] for n in open_still)
            full = {n for n in open_still if lots * weights[n] >= takes[n] * total}
            if not full:
                break
            for n in full:
                given[n] = takes[n]
                lots -= takes[n]
            open_still -= full
        parts = {n: divmod(lots * weights[n], total) for n in open_still}  # ADL-10
        left = lots - sum(whole for whole, _ in parts.values())
        up = sorted(parts, key=lambda n: (-parts[n][1], n))[:left]
        for n, (whole, _) in parts.items():
            given[n] = whole + (n in up)
        return given

    def takes(self, account: Account, other: Account, market: Market) -> int:
        """ADL-11: how many lots a counterparty gives at most."""
        size = other.position(market.number).size
        if self.terms.sharing != "capped":
            return abs(size)
        price = self.forced_price(account, market)
        loss = sign(size) * (market.mark - price)
        equity, elsewhere = self.equity(other), self.maintenance(other)
        elsewhere -= self.maintenance_of(market, size)
        closing = abs(account.position(market.number).size)
        behind = self.equity_behind(account, market) if self.terms.forced_price == "margin" else 0

        def margined(lots: int) -> bool:
            left = size - sign(size) * lots
            worth = equity - loss * lots + behind * lots // closing
            return worth >= elsewhere + self.maintenance_of(market, left)

        low, high = 0, abs(size)
        if not margined(0):
            return 0
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if margined(middle) else (low, middle - 1)
        return low

    def share_weight(self, other: Account, market: Market) -> int:
        """ADL-9."""
        held = other.position(market.number)
        if self.terms.share_weight == "lots":
            return abs(held.size)
        equity = self.equity(other)
        if self.terms.share_weight == "equity":
            return max(equity, 0)
        gained = max(self.profit(market.number, held), 0)
        return gained * abs(held.size) * market.mark // max(equity, 1)

    def deleverage_one(self, account: Account, other: Account, market: Market, most: int) -> bool:
        """Close at most so many lots; False when nothing is left to do."""
        if not self.to_close(account, market):
            return False
        if self.terms.only_insolvent and self.equity(account) >= 0:  # ADL-6
            return False
        if self.fund_stands():
            return False
        side = sign(account.position(market.number).size)
        price = self.forced_price(account, market)
        if self.terms.forced_price == "margin":
            size = abs(account.position(market.number).size)
            behind = self.equity_behind(account, market)
            held = abs(other.position(market.number).size)
            most = min(most, size, held)
            if behind < 0:
                most = min(most, max(0, self.equity(other)) * size // -behind)
            along = behind * most // size
            if most and self.spared(other, market, side * most, price, along):
                self.fill(account, other, market, -side * most, price, "ADL-3")
                payer, payee = (account, other) if along >= 0 else (other, account)
                self.pay(payer, payee, abs(along), "ADL-13")
                self.closed(other, market)
            return True
        lots = min(most, self.bearable(other, market, side * (price - market.mark)))
        if lots and self.spared(other, market, side * lots, price):
            self.fill(account, other, market, -side * lots, price, "ADL-3")
            self.closed(other, market)
        return True

    def spared(self, other: Account, market: Market, lots: int, price: int, along: int = 0) -> bool:
        """ADL-4: whether the counterparty, `lots` later, is left no riskier where that counts."""
        if not self.terms.never_riskier:
            return True
        equity, needs = self.equity(other), self.maintenance(other)
        held = other.position(market.number).size
        worth = equity + lots * (market.mark - price) + along
        lower = self.maintenance_of(market, held + lots) - self.maintenance_of(market, held)
        return worth * needs >= equity * (needs + lower)

    def bearable(self, other: Account, market: Market, loss: int) -> int:
        """ADL-4: the lots that a counterparty can be closed by, at this loss on each."""
        held = abs(other.position(market.number).size)
        if loss <= 0 or self.fault == "counterparty-unguarded":
            return held
        return min(held, max(0, self.equity(other)) // loss)

    def close_at_mark(self, account: Account, market: Market) -> None:
        """LOSS-1."""
        side = sign(account.position(market.number).size)
        for other in self.queue(account, market):
            if not self.to_close(account, market):
                return
            sizes = account.position(market.number).size, other.position(market.number).size
            lots = min(abs(size) for size in sizes)
            self.fill(account, other, market, -side * lots, market.mark, "LOSS-1")

    def share_deficit(self, account: Account) -> None:
        """LOSS-5, or LOSS-12; then what follows a loss."""
        if self.terms.carries:
            if account.number == VAULT:
                return
            self.pay(self.accounts[VAULT], account, -self.equity(account), "LOSS-12")
        else:
            self.share_by_equity(account)
        if self.terms.gate:  # LOSS-13
            self.gate_opens = max(self.gate_opens, self.now + self.terms.gate)
        if self.terms.halts:  # LOSS-14
            for market in self.markets.values():
                market.paused = market.paused or not market.settling

    def share_by_equity(self, account: Account) -> None:
        """The largest equity first, then in account order."""
        if self.terms.loss_sharing != "equity":
            self.charge_deficit(account)
        deficit = -self.equity(account)
        shares = [(self.equity(other), other) for _, other in sorted(self.accounts.items())]
        shares = [(equity, other) for equity, other in shares if equity > 0]
        if self.fault != "loss-in-account-order":
            shares.sort(key=lambda share: -share[0])
        weights = sum(equity for equity, _ in shares)
        for weight, other in shares:
            if deficit == 0:
                return
            share = ceil_div(deficit * weight, weights)  # LOSS-3
            if self.fault == "shares-rounded-down":
                share = deficit * weight // weights
            self.pay(other, account, share, "LOSS-3")
            deficit -= share
            weights -= weight

    def charge_deficit(self, account: Account) -> None:
        """LOSS-10: by another weight than equity, as far as each can pay."""
        weights, sharing = [], self.terms.loss_sharing
        for _, other in self.sorted_accounts():
            if sharing in ("gains", "profit"):
                gained = self.unrealised(other)
                if self.terms.notes:  # LED-10
                    gained = self.equity(other) - other.paid_in
                weight = max(gained, 0)
            elif sharing in ("lots", "per_lot"):
                weight = sum(abs(held.size) for held in other.positions.values())
            else:
                weight = sum(
                    abs(held.size) * self.markets[market].mark
                    for market, held in other.positions.items()
                )
            if other is not account and weight:
                weights.append((weight, other))
        weights.sort(key=lambda entry: -entry[0])
        total = everything = sum(weight for weight, _ in weights)
        owed = -self.equity(account)
        for weight, other in weights:
            deficit = -self.equity(account)
            if deficit == 0:
                return
            share = ceil_div(deficit * weight, total)
            if sharing == "per_lot":  # LOSS-7
                share = ceil_div(owed, everything) * weight
            elif sharing == "profit":  # LOSS-9
                share = weight - weight * max(everything - owed, 0) // everything
            amount = min(share, deficit, self.equity(other))
            if amount > 0:
                self.pay(other, account, amount, "LOSS-10")
            total -= weight


def check(condition: bool, code: str) -> None:
    if not condition:
        raise Refused(code)


# --- The protocol ----------------------------------------------------------------------------

NUMBER = re.compile(r"0|-?[1-9][0-9]{0,39}")
SIDES = {"buy": 1, "sell": -1}
KINDS = {kind: kind for kind in ("limit", "post_only", "ioc", "market", "fok")}
RESTING = ("limit", "post_only")


def number(value: object) -> int:
    """UNIT-1: a number is a string of decimal digits, never a JSON number."""
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise Malformed(f"{value!r} is not a number in decimal digits")
    return int(value)


def between(value: object, low: int, high: int, what: str) -> int:
    result = number(value)
    if not low <= result <= high:
        raise Malformed(f"{what} is not between {low} and {high}")
    return result


def known(value: object, words: list[str]) -> str:
    if value not in words:
        raise Malformed(f"{value!r} is none of {', '.join(words)}")
    return str(value)


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Malformed(f"{value!r} is not true or false")
    return value


def one_of(meanings: dict[str, Any]) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        if not isinstance(value, str) or value not in meanings:
            raise Malformed(f"{value!r} is not one of {', '.join(meanings)}")
        return meanings[value]

    return read


Fields = dict[str, Callable[[object], Any]]

COMMANDS: dict[str, Fields] = {
    "deposit": {"account": number, "amount": number},
    "withdraw": {"account": number, "amount": number},
    "transfer": {"payer": number, "payee": number, "amount": number},
    "isolate": {"owner": number, "account": number, "market": number, "amount": number},
    "place": {
        "order": number,
        "account": number,
        "market": number,
        "side": one_of(SIDES),
        "kind": one_of(KINDS),
        "lots": number,
        "price": number,
        "reduce_only": flag,
        "expires": number,
    },
    "cancel": {"account": number, "market": number, "order": number},
    "set_mark": {"market": number, "price": number},
    "settle_funding": {"market": number, "rate": number},
    "unwind": {"market": number, "order": number},
    "sample_premium": {"market": number, "premium": number},
    "settle_premium": {"market": number},
    "settle_market": {"market": number},
    "advance_clock": {"now": number},
    "set_index": {"market": number, "index": number, "price": number},
    "pause_market": {"market": number},
    "resume_market": {"market": number},
    "contribute_to_vault": {"account": number, "amount": number},
    "redeem_from_vault": {"account": number, "shares": number},
    "request_redemption": {"account": number, "shares": number},
    "liquidate": {"liquidator": number, "account": number, "market": number, "lots": number},
    "volunteer": {"account": number, "market": number, "lots": number, "edge": number},
    "recapitalise": {"market": number, "amount": number},
    "recall_capital": {"market": number, "amount": number},
}
COMMANDS["replace"] = {"replaced": number, **COMMANDS["place"]}
UNSAID: Json = {"price": "1", "reduce_only": False, "expires": "0"}
DEFAULTS: dict[str, Json] = {"place": UNSAID, "replace": UNSAID}


def read_fields(value: object, fields: Fields, defaults: Json) -> Json:
    """An object that has these fields and no others."""
    if not isinstance(value, dict):
        raise Malformed(f"{value!r} is not an object")
    value = {**defaults, **value}
    if value.keys() != fields.keys():
        wrong = ", ".join(sorted(value.keys() ^ fields.keys()))
        raise Malformed(f"fields missing or unknown: {wrong}")
    return {name: read(value[name]) for name, read in fields.items()}


def read_tier(tier: Json) -> tuple[int, int, int]:
    """MRG-6. That tiers rise is for whoever writes them."""
    initial = between(tier["initial_rate"], 1, MILLION, "a tier's initial rate")
    maintenance = between(tier["maintenance_rate"], 1, initial, "a tier's maintenance rate")
    return between(tier["above"], 1, MAX_CASH, "a tier's notional"), initial, maintenance


def read_terms(terms: Json) -> Terms:
    book = terms["rulebook"]
    for choice in ("counterparty", "price"):
        if book.get(choice, "rulebook") != "rulebook":
            raise Malformed(f"this engine does not choose: {choice}")
    waits = flag(book.get("deleverage_only_insolvent", False))
    if book.get("deleverage_price") in ("previous_mark", "index") and not waits:  # ADL-6
        raise Malformed("such a price is for insolvent accounts only")
    if book.get("loss_sharing") == "profit" and not flag(book.get("note_paid_in", False)):
        raise Malformed("profit is what is beside what was paid in, which is not noted")
    waterfall = book["waterfall"]
    if waterfall != [s for s in STAGES if s in waterfall] or waterfall[-1:] != ["residual"]:
        raise Malformed("the stages of the waterfall are unknown, or not in order")
    markets = {}
    for key, market in terms["markets"].items():
        lower = between(market["maintenance_rate"], 1, MILLION, "a maintenance rate")
        at_margin = flag(market.get("due_at_maintenance", False))
        tiers = tuple(read_tier(tier) for tier in market.get("tiers", []))
        rates = [(int(market["initial_rate"]), lower), *(tier[1:] for tier in tiers)]
        if at_margin and any(initial == maintenance for initial, maintenance in rates):
            raise Malformed("who opens a position may be due at once")
        markets[between(key, 0, MAX_ID, "a market")] = MarketTerms(
            initial_rate=between(market["initial_rate"], lower, MILLION, "an initial rate"),
            maintenance_rate=lower,
            vault_cap=between(market["vault_cap"], 0, MAX_LOTS, "a vault cap"),
            mark=between(market["mark"], 1, MAX_PRICE, "a mark"),
            tiers=tiers,
            scaled_from=between(market.get("scaled_from", "0"), 0, MAX_CASH, "a notional"),
            scaled_to=between(market.get("scaled_to", "0"), 0, MAX_CASH, "a notional"),
            least_notional=between(market.get("least_notional", "0"), 0, MAX_CASH, "a notional"),
            price_band=between(market.get("price_band", "0"), 0, MILLION, "a band"),
            tick=between(market.get("tick", "1"), 1, MAX_PRICE, "a tick"),
            vault=between(market.get("vault", "0"), 0, MAX_ID, "a vault"),
            vault_boundary=between(market.get("vault_boundary", "0"), 0, MAX_CASH, "a boundary"),
            due_at_margin=at_margin,
        )
    return Terms(
        maker_fee=between(book["maker_fee"], 0, MILLION, "the maker fee"),
        taker_fee=between(book["taker_fee"], 0, MILLION, "the taker fee"),
        liquidation_fee=between(book["liquidation_fee"], 0, MILLION, "the liquidation fee"),
        funding_cap=between(book["funding_cap"], 0, MILLION, "the funding cap"),
        vault_boundary=between(book["vault_boundary"], 0, MAX_CASH, "the vault boundary"),
        waterfall=waterfall,
        ranking=known(book.get("deleverage_ranking", RANKINGS[0]), RANKINGS),
        forced_price=known(book.get("deleverage_price", PRICES[0]), PRICES),
        gap=between(book.get("deleverage_gap", "0"), 0, MILLION, "the gap"),
        only_insolvent=waits,
        never_riskier=flag(book.get("deleverage_never_riskier", False)),
        vault_trigger=between(book.get("vault_trigger", str(MILLION)), 1, MILLION, "a trigger"),
        takeover=known(book.get("takeover_price", TAKEOVERS[0]), TAKEOVERS),
        notional_cap=between(book.get("vault_notional_cap", "0"), 0, MAX_CASH, "a part"),
        fee_bound=known(book.get("liquidation_fee_bound", FEE_BOUNDS[0]), FEE_BOUNDS),
        surplus=between(book.get("liquidation_surplus", "0"), 0, MILLION, "a part"),
        behind=known(book.get("bankruptcy_price", BEHIND[0]), BEHIND),
        share=between(book.get("liquidation_share", str(MILLION)), 1, MILLION, "a share"),
        whole=between(book.get("liquidation_whole", "0"), 0, MAX_CASH, "a notional"),
        size=known(book.get("liquidation_size", SIZES[0]), SIZES),
        buffer=between(book.get("liquidation_buffer", "0"), 0, MILLION, "a buffer"),
        step=between(book.get("liquidation_step", str(MILLION)), 10_000, MILLION, "a step"),
        target=between(book.get("liquidation_target", str(MILLION)), 1, MILLION, "a target"),
        order=known(book.get("liquidation_order", ORDERS[0]), ORDERS),
        position=known(book.get("liquidation_position", POSITIONS[0]), POSITIONS),
        liquidation_seed=between(book.get("liquidation_seed", "0"), 0, MAX_ID, "a seed"),
        auction_steps=between(book.get("auction_steps", "1"), 1, MAX_LOTS, "a number of steps"),
        auction_period=between(book.get("auction_period", "1"), 1, MAX_TIME, "a time"),
        cooldown=between(book.get("liquidation_cooldown", "0"), 0, MAX_TIME, "a time"),
        block_portion=between(book.get("block_portion", str(MILLION)), 1, MILLION, "a portion"),
        block_least=between(book.get("block_least", "0"), 0, MAX_CASH, "a notional"),
        block_notional=between(book.get("block_notional", "0"), 0, MAX_CASH, "a notional"),
        limit=known(book.get("liquidation_limit", LIMITS[0]), LIMITS),
        adjustment=between(book.get("liquidation_adjustment", "0"), 0, MAX_CASH, "a rate"),
        spread=between(book.get("liquidation_spread", "0"), 0, MILLION, "a spread"),
        withdraw_profit=flag(book.get("withdraw_profit", False)),
        interest=between(book.get("funding_interest", "0"), -MILLION, MILLION, "an interest"),
        damper=between(book.get("funding_damper", "0"), 0, MILLION, "a damper"),
        offset=between(book.get("funding_offset", "0"), -MILLION, MILLION, "an offset"),
        samples=between(book.get("funding_samples", "0"), 0, MAX_LOTS, "a number of samples"),
        sharing=known(book.get("deleverage_sharing", SHARINGS[0]), SHARINGS),
        loss_sharing=known(book.get("loss_sharing", LOSSES[0]), LOSSES),
        self_trade=known(book.get("self_trade", SELF_TRADES[0]), SELF_TRADES),
        smaller_keeps_place=flag(book.get("smaller_keeps_place", False)),
        band_both_sides=flag(book.get("band_both_sides", False)),
        order_margin=flag(book.get("order_margin", False)),
        most_orders=between(book.get("most_orders", "0"), 0, MAX_LOTS, "a number of orders"),
        mark_policy=known(book.get("mark_policy", MARK_POLICIES[0]), MARK_POLICIES),
        mark_band=between(book.get("mark_band", "0"), 0, MILLION, "a band"),
        mark_weight=between(book.get("mark_weight", "0"), 0, MILLION, "a weight"),
        mark_age=between(book.get("mark_age", "0"), 0, MAX_TIME, "an age"),
        on_touch=flag(book.get("funding_on_touch", False)),
        funding_rounding=known(book.get("funding_rounding", ROUNDINGS[0]), ROUNDINGS),
        receivers_capped=flag(book.get("funding_receivers_capped", False)),
        fee_rounding=known(book.get("fee_rounding", ROUNDINGS[0]), ROUNDINGS),
        volunteer_edge=between(book.get("volunteer_edge", "0"), 0, MILLION, "an edge"),
        liquidators=flag(book.get("liquidators", False)),
        liquidator_fee=between(book.get("liquidator_fee", "0"), 0, MILLION, "a fee"),
        least_shares=between(book.get("vault_least_shares", "1"), 1, MAX_CASH, "shares"),
        lockup=between(book.get("vault_lockup", "0"), 0, MAX_TIME, "a time"),
        notice=between(book.get("vault_notice", "0"), 0, MAX_TIME, "a time"),
        fund_trigger=known(book.get("fund_trigger", FUND_TRIGGERS[0]), FUND_TRIGGERS),
        fund_begins=between(book.get("fund_begins", "0"), 0, MILLION, "a fall"),
        fund_ends=between(book.get("fund_ends", "0"), 0, MILLION, "a fall"),
        fund_window=between(book.get("fund_window", "0"), 0, MAX_TIME, "a window"),
        carries=flag(book.get("carry_bad_debt", False)),
        gate=between(book.get("withdrawal_gate", "0"), 0, MAX_TIME, "a gate"),
        haircut=flag(book.get("withdrawal_haircut", False)),
        halts=flag(book.get("halt_on_loss", False)),
        notes=flag(book.get("note_paid_in", False)),
        share_weight=known(book.get("deleverage_weight", SHARE_WEIGHTS[0]), SHARE_WEIGHTS),
        seed=between(book.get("deleverage_seed", "0"), 0, MAX_ID, "a seed"),
        cancels=flag(book.get("deleverage_cancels_orders", False)),
        markets=markets,
    )


def show_order(order: Order) -> Json:
    shown: Json = {
        "id": str(order.number),
        "account": str(order.account),
        "side": "buy" if order.side > 0 else "sell",
        "price": str(order.price),
        "lots": str(order.lots),
        "reduce_only": order.reduce_only,
    }
    if order.expires:
        shown["expires"] = str(order.expires)
    return shown


class Engine:
    """An exchange that is asked in the protocol's JSON. Every method takes a request."""

    def __init__(self, fault: str = "") -> None:
        if fault and fault not in FAULTS:
            raise ValueError(f"no such fault: {fault}")
        self.fault = fault
        self.terms = Terms(0, 0, 0, 0, 0, ["residual"], {})
        self.exchange = Exchange(self.terms)

    def answer(self, request: Json) -> Json:
        methods = {
            "start": self.start,
            "rulebook": self.rulebook,
            "reset": self.reset,
            "apply": self.apply,
            "observe": self.observe,
            "load": self.load,
            "stop": self.stop,
        }
        return methods[request["cmd"]](request)

    def start(self, request: Json) -> Json:
        return {
            "version": "1",
            "engine": f"example with {self.fault}" if self.fault else "example",
            "release": "1",
            "commands": list(COMMANDS),
            "load": True,
            "chooses": [],
            "compare": {
                "refusals": "exact",
                "within": "0",
                "observe": [
                    *("custody", "collateral", "positions", "orders", "marks", "events"),
                    "shares",
                ],
            },
        }

    def rulebook(self, request: Json) -> Json:
        try:
            self.terms = read_terms(request["terms"])
        except Malformed as why:
            return {"ok": False, "why": str(why)}
        return {"ok": True}

    def reset(self, request: Json) -> Json:
        self.exchange = Exchange(self.terms, self.fault)
        return {"ok": True}

    def apply(self, request: Json) -> Json:
        return {"seq": request["seq"], "results": [self.carry_out(c) for c in request["commands"]]}

    def carry_out(self, command: Json) -> Json:
        ((name, value),) = command.items()
        if name not in COMMANDS:
            return {"skipped": {"why": f"no such command: {name}"}}
        try:
            fields = read_fields(value, COMMANDS[name], DEFAULTS.get(name, {}))
        except Malformed as why:
            return {"errored": {"why": str(why)}}
        self.exchange.begin()
        try:
            getattr(self.exchange, name)(**fields)
            if self.fault != "isolated-keeps-what-is-left":
                self.exchange.give_back()
        except Refused as refused:
            self.exchange.take_back((0, 0))
            phase, rule = REFUSALS[refused.code]
            return {"refused": {"code": refused.code, "phase": phase, "rule": rule}}
        return {"done": {"events": self.exchange.events}}

    def observe(self, request: Json) -> Json:
        exchange = self.exchange
        accounts = {}
        for key, account in sorted(exchange.accounts.items()):
            positions = {
                str(market): {"size": str(held.size), "cost": str(held.cost)}
                for market, held in sorted(account.positions.items())
            }
            accounts[str(key)] = {"collateral": str(account.cash), "positions": positions}
            for name in ("offered_since", "parted_at"):
                if getattr(account, name) != NEVER:
                    accounts[str(key)][name] = str(getattr(account, name))
            if account.owner != NOBODY:
                bound = {"owner": str(account.owner), "market": str(account.only_market)}
                accounts[str(key)]["isolation"] = bound
            if account.paid_in:
                accounts[str(key)]["paid_in"] = str(account.paid_in)
            if account.funded:
                funded = sorted(account.funded.items())
                accounts[str(key)]["funded"] = {str(market): str(index) for market, index in funded}
            if account.stake != NO_STAKE:
                stake = account.stake._asdict().items()
                accounts[str(key)]["stake"] = {name: str(n) for name, n in stake if n}
        markets = {}
        for key, market in exchange.markets.items():
            orders = [show_order(order) for _, order in sorted(market.orders.items())]
            shown = {
                "mark": str(market.mark),
                "previous_mark": str(market.previous_mark),
                "orders": orders,
            }
            if market.settling:
                shown["settling"] = True
            for name in ("index", "basis", "marked_at", "next_mark", "funding_index"):
                if getattr(market, name):
                    shown[name] = str(getattr(market, name))
            if market.paused:
                shown["paused"] = True
            if market.pledges:
                shown["pledges"] = {str(n): self.show_pledge(p) for n, p in market.pledges.items()}
            if market.samples:
                shown |= {"premiums": str(market.premiums), "samples": str(market.samples)}
            markets[str(key)] = shown
        state = {
            "custody": str(exchange.custody),
            "accounts": accounts,
            "markets": markets,
            "last_order": str(exchange.last_order),
        }
        if exchange.now:
            state["now"] = str(exchange.now)
        for name in ("gate_opens", "fund_best", "fund_best_at"):
            if getattr(exchange, name):
                state[name] = str(getattr(exchange, name))
        if exchange.fund_drawn_down:
            state["fund_drawn_down"] = True
        return {"seq": request["seq"], "state": state}

    def load(self, request: Json) -> Json:
        try:
            loaded = self.read_state(request["state"])
        except (Malformed, Refused) as why:
            return {"seq": request["seq"], "ok": False, "why": str(why)}
        self.exchange = loaded
        return {"seq": request["seq"], "ok": True}

    def read_state(self, state: Json) -> Exchange:
        exchange = Exchange(self.terms, self.fault)
        exchange.custody = number(state["custody"])
        exchange.now = number(state.get("now", "0"))
        exchange.last_order = number(state.get("last_order", "0"))
        for key, shown in state["accounts"].items():
            account = exchange.opened(between(key, 0, MAX_ID, "an account"))
            account.cash = number(shown["collateral"])
            staked = {name: number(n) for name, n in shown.get("stake", {}).items()}
            account.stake = Stake(**staked)
            bound = {name: number(n) for name, n in shown.get("isolation", {}).items()}
            account.owner = bound.get("owner", NOBODY)
            account.only_market = bound.get("market", NOBODY)
            for market, held in shown.get("positions", {}).items():
                position = Position(number(held["size"]), number(held["cost"]))
                if position != FLAT:
                    there = exchange.market(number(market))
                    account.positions[there.number] = position
                    there.open_interest += max(position.size, 0)
        for key, shown in state["markets"].items():
            there = exchange.market(number(key))
            there.mark = between(shown["mark"], 1, MAX_PRICE, "a mark")
            before = number(shown.get("previous_mark", "0"))
            there.previous_mark = before or there.mark
            there.settling = flag(shown.get("settling", False))
            there.premiums = number(shown.get("premiums", "0"))
            there.samples = number(shown.get("samples", "0"))
            for number_of, pledge in shown.get("pledges", {}).items():
                lots, edge = number(pledge["lots"]), number(pledge.get("edge", "0"))
                there.pledges[number(number_of)] = lots, edge
            orders = [self.read_order(order) for order in shown.get("orders", [])]
            for order in sorted(orders, key=lambda order: order.number):
                exchange.opened(order.account)
                there.add(order)
        return exchange

    @staticmethod
    def show_pledge(pledge: tuple[int, int]) -> Json:
        lots, edge = pledge
        return {"lots": str(lots), "edge": str(edge)}

    def read_order(self, shown: Json) -> Order:
        return Order(
            number=number(shown["id"]),
            account=number(shown["account"]),
            side=SIDES[shown["side"]],
            price=number(shown["price"]),
            lots=number(shown["lots"]),
            reduce_only=flag(shown.get("reduce_only", False)),
            expires=number(shown.get("expires", "0")),
        )

    def stop(self, request: Json) -> Json:
        return {"ok": True}


def serve(engine: Engine, requests: Iterable[str], replies: TextIO) -> None:
    """One line, one reply, until `stop` or the end of the input."""
    for line in requests:
        request = json.loads(line)
        print(json.dumps(engine.answer(request), separators=(",", ":")), file=replies, flush=True)
        if request["cmd"] == "stop":
            return


def main() -> None:
    parser = argparse.ArgumentParser(description="An example engine: a perpetual exchange.")
    parser.add_argument("--fault", choices=FAULTS, metavar="NAME", help="break one rule")
    parser.add_argument("--list-faults", action="store_true", help="print what --fault can break")
    parser.add_argument("--json", action="store_true", help="... as JSON")
    chosen = parser.parse_args()
    if not chosen.list_faults:
        serve(Engine(chosen.fault or ""), sys.stdin, sys.stdout)
    elif chosen.json:
        rows = [{"name": n, "does": does, "rule": rule} for n, (rule, does) in FAULTS.items()]
        print(json.dumps(rows, indent=1))
    else:
        for name, (rule, does) in FAULTS.items():
            print(f"{name:28} {rule:8} {does}")


if __name__ == "__main__":
    main()
