"""The state of an exchange: what it holds, and nothing about how it may change.

A perpetual market holds no coin. The whole of its state is a pot of cash (`custody`) and the
claims on it: what each account has put in and realised (`collateral`), and what it has staked
in each market (`size`, `cost`).
"""

from __future__ import annotations

from enum import Enum

from attrs import Factory, field, frozen

from perpref.table import Table
from perpref.units import PARTS, AccountId, MarketId, OrderId, Rounding

VAULT = AccountId(0)
"""The insurance vault: an account like any other, with limited cash (VLT-1)."""

NOBODY = AccountId(-1)
"""No account: who owns an account under cross margin (ISO-1)."""

NOWHERE = MarketId(-1)
"""No market: to which an account under cross margin is bound (ISO-1)."""

NEVER = -1
"""A time that no clock shows: of what has not happened."""

TREASURY = AccountId(1)
"""Where trading fees go: an account like any other (FEE-1)."""


class Side(Enum):
    """What an order wants: to buy or to sell."""

    BUY = 1
    SELL = -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class Kind(Enum):
    """What becomes of the part of an order that does not match at once (BOOK-6)."""

    LIMIT = "limit"
    POST_ONLY = "post_only"
    IOC = "ioc"
    MARKET = "market"
    FOK = "fok"

    @property
    def rests(self) -> bool:
        """Whether what is left of the order goes onto the book."""
        return self in (Kind.LIMIT, Kind.POST_ONLY)


class Stage(Enum):
    """A stage of the liquidation waterfall (LIQ-5)."""

    BOOK = "book"
    VAULT = "vault"
    VOLUNTEERS = "volunteers"
    DELEVERAGE = "deleverage"
    RESIDUAL = "residual"


class Ranking(Enum):
    """What puts one counterparty before another in the queue of an ADL (ADL-2)."""

    LEVERAGED_RETURN = "leveraged_return"
    SIGNED_RETURN = "signed_return"
    MARGINED_RETURN = "margined_return"
    MARK_TO_ENTRY = "mark_to_entry"
    MARK_TO_ENTRY_LITERAL = "mark_to_entry_literal"
    UNRANKED = "unranked"


class SelfTrade(Enum):
    """What goes when an account would trade with itself (BOOK-11)."""

    RESTING = "resting"
    INCOMING = "incoming"
    BOTH = "both"


class Sharing(Enum):
    """Who is closed by an ADL: the first of the queue, or everybody in proportion (ADL-8).

    In proportion the parts are rounded in turn, or the largest remainders are rounded up (ADL-10),
    within what each holds or what leaves it margined (ADL-11).
    """

    QUEUE = "queue"
    PRO_RATA = "pro_rata"
    LARGEST_REMAINDER = "largest_remainder"
    CAPPED = "capped"


class ShareWeight(Enum):
    """In proportion to what an ADL closes everybody (ADL-9)."""

    LOTS = "lots"
    EQUITY = "equity"
    LEVERED_PROFIT = "levered_profit"


class LossSharing(Enum):
    """By what a loss is shared that nobody else bears (LOSS-10)."""

    EQUITY = "equity"
    NOTIONAL = "notional"
    GAINS = "gains"
    LOTS = "lots"
    PER_LOT = "per_lot"
    PROFIT = "profit"


class FundTrigger(Enum):
    """How far the vault must have fallen before winners are closed (LOSS-11)."""

    NONE = "none"
    EMPTY = "empty"
    DRAWDOWN = "drawdown"


class ForcedPrice(Enum):
    """The price at which an ADL closes (ADL-3)."""

    BANKRUPTCY = "bankruptcy"
    MARK = "mark"
    PREVIOUS_MARK = "previous_mark"
    INDEX = "index"
    BANKRUPTCY_UNLESS_FAR = "bankruptcy_unless_far"
    MARGIN = "margin"


class TakeoverPrice(Enum):
    """At which price a vault takes a position over, and whether its margin goes along (VLT-22)."""

    BANKRUPTCY = "bankruptcy"
    MARK = "mark"
    WITH_MARGIN = "with_margin"


class MarkPolicy(Enum):
    """Where a mark comes from: the oracle itself, or the index and the market's price (MARK-6)."""

    ORACLE = "oracle"
    INDEX = "index"
    CLAMPED = "clamped"
    BASIS = "basis"
    MEDIAN = "median"


class BankruptcyPrice(Enum):
    """What stands behind a position, and so its bankruptcy price (LIQ-20)."""

    EQUITY_SHARE = "equity_share"
    WHOLE_EQUITY = "whole_equity"
    ENTRY = "entry"


class FeeBound(Enum):
    """What a liquidation fee is taken out of (FEE-10)."""

    SURPLUS = "surplus"
    EQUITY = "equity"


class LiquidationLimit(Enum):
    """The limit of the order that liquidates (LIQ-11)."""

    BANKRUPTCY = "bankruptcy"
    FILLABLE = "fillable"
    AUCTION = "auction"


class LiquidationSize(Enum):
    """How much of a position an order that liquidates closes at a time (LIQ-15)."""

    WHOLE = "whole"
    TO_BUFFER = "to_buffer"
    TIER_STEP = "tier_step"
    EQUAL_SHARE = "equal_share"


class LiquidationOrder(Enum):
    """Whose turn it is when several accounts are due (LIQ-19)."""

    ACCOUNT = "account"
    WORST_FIRST = "worst_first"
    SEEDED = "seeded"


class LiquidationPosition(Enum):
    """Which position of an account is closed first (LIQ-40)."""

    LARGEST_FIRST = "largest_first"
    SEEDED = "seeded"


class Chooser(Enum):
    """Who makes a choice that the rules leave open: the rulebook's policy, or the engine."""

    RULEBOOK = "rulebook"
    ENGINE = "engine"


@frozen
class Position:
    """What one account holds in one market.

    `size` is in lots, positive when long. `cost` is what the open lots cost in quanta, with the
    sign of `size`: selling short brings cash in, so the cost of a short is negative (POS-1).
    """

    size: int
    cost: int


FLAT = Position(0, 0)


@frozen
class Stake:
    """What an account has in the insurance vault: shares, of what the vault is worth (VLT-12).

    They may not be redeemed before the clock shows `locked_until` (VLT-15). `requested` shares are
    on notice, worth `requested_worth` quanta when that was given, and may be redeemed from
    `notice_ends` on (VLT-16); 0 when none are.
    """

    shares: int = 0
    locked_until: int = 0
    requested: int = 0
    requested_worth: int = 0
    notice_ends: int = 0


NO_STAKE = Stake()


@frozen
class Isolation:
    """What makes an account an isolated one: whose margin it has, for which market (ISO-1)."""

    owner: AccountId = NOBODY
    market: MarketId = NOWHERE


CROSS = Isolation()


@frozen
class Account:
    """One holder of cash and positions: under cross margin, or of one isolated position.

    `collateral` is what was put in, plus what was realised, in quanta. It may be negative
    while open profits cover it; equity is what counts (MRG-1).
    `funded` is the funding index to which each market is settled, 0 where there is none (FUND-12).
    `stake` is what it has in the vault, beside its equity; the vault's own is the house's (VLT-12).
    Its positions are offered in an auction since `offered_since` by the clock (LIQ-14), and a part
    of them was last closed at `parted_at` (LIQ-17); both are NEVER where that has not been.
    `paid_in` is the cash that came in less what left, in quanta, where that is noted (LED-10).
    `isolation` says whose isolated account it is, and of which market, CROSS when it is none.
    """

    collateral: int
    positions: Table[MarketId, Position]
    funded: Table[MarketId, int] = field(factory=Table)
    stake: Stake = NO_STAKE
    offered_since: int = NEVER
    parted_at: int = NEVER
    paid_in: int = 0
    isolation: Isolation = CROSS


@frozen
class Order:
    """One order to trade `lots` of a market at `price` or better.

    It is good until the clock shows `expires`, or until it is cancelled when that is 0 (BOOK-21).
    """

    id: OrderId
    account: AccountId
    side: Side
    price: int
    lots: int
    reduce_only: bool = False
    expires: int = 0


@frozen
class Pledge:
    """What a volunteer would take over in a market: up to so many lots, at an edge (VLT-20).

    The edge is in parts per million of the mark.
    """

    lots: int
    edge: int = 0


NO_PLEDGE = Pledge(0)


@frozen
class Tier:
    """The margin rates of the notional above an amount of quanta, in parts per million (MRG-6)."""

    above: int
    initial_rate: int
    maintenance_rate: int


@frozen
class Market:
    """One market: its rates, its mark price and the one before, and its resting orders.

    Rates are in parts per million of notional. `vault_cap` bounds the vault's size here, in lots.
    `tiers` are the higher rates of large positions, lowest first (MRG-6). `open_interest` is the
    sum of all long sizes, in lots; where its notional goes from `scaled_from` to `scaled_to`
    quanta, initial margin grows to the whole notional (MRG-7), and never when both are 0.
    `settling` is true from when the market is on its way to its end (SET-1). `premiums` is the
    sum of the `samples` premiums of this funding period, in parts per million (FUND-10).
    An order that may open something is worth at least `least_notional` quanta (BOOK-15), and its
    limit is within `price_band` of the mark, in parts per million of it, unless that is 0
    (BOOK-18). A limit is a multiple of `tick` (BOOK-19).
    `index` is the last index price, 0 before the first, and `basis` the average of how far the
    market was above it, in ticks (MARK-5). The mark dates from `marked_at` by the clock (MARK-7).
    While `paused` the next mark waits as `next_mark`, 0 when there is none (SET-4).
    `funding_index` is what a lot would have paid so far, in millionths of a quantum (FUND-11).
    With `due_at_maintenance` equity of just the maintenance margin is not enough (MRG-9).
    `vault` is the account that takes over here, the insurance vault or a child of it, and
    `vault_boundary` the equity, in quanta, that such a child keeps (VLT-17). `pledges` are what
    volunteers would take over, by account (VLT-20).
    """

    initial_rate: int
    maintenance_rate: int
    vault_cap: int
    mark: int
    orders: Table[OrderId, Order] = field(factory=Table)
    previous_mark: int = field(default=Factory(lambda market: market.mark, takes_self=True))
    tiers: tuple[Tier, ...] = ()
    open_interest: int = 0
    scaled_from: int = 0
    scaled_to: int = 0
    settling: bool = False
    premiums: int = 0
    samples: int = 0
    least_notional: int = 0
    index: int = 0
    basis: int = 0
    marked_at: int = 0
    paused: bool = False
    next_mark: int = 0
    funding_index: int = 0
    price_band: int = 0
    tick: int = 1
    vault: AccountId = VAULT
    vault_boundary: int = 0
    due_at_maintenance: bool = False
    pledges: Table[AccountId, Pledge] = field(factory=Table)


@frozen
class Rulebook:
    """What this venue chose where the rules leave a choice.

    Rates and parts are in parts per million, times by the exchange's clock. Every choice that may
    be left out is the textbook's then.
    """

    name: str

    maker_fee: int
    """Of the notional, from who rested on the book (FEE-2)."""

    taker_fee: int
    """Of the notional, from who came to it (FEE-3)."""

    liquidation_fee: int
    """Of the notional, from who is liquidated, out of what the book gave (FEE-4)."""

    funding_cap: int
    """The highest rate of funding, on either side (FUND-1)."""

    vault_boundary: int
    """The equity, in quanta, below which a takeover may not bring the vault (VLT-4)."""

    waterfall: tuple[Stage, ...]
    """Its stages in order. RESIDUAL is the last: it is the one that cannot fail (LIQ-7)."""

    counterparty: Chooser = Chooser.RULEBOOK
    """Who picks the next account to deleverage (ADL-5)."""

    price: Chooser = Chooser.RULEBOOK
    """Who picks the price of a fill between two limits (BOOK-3)."""

    deleverage_ranking: Ranking = Ranking.LEVERAGED_RETURN
    """In which order an ADL closes (ADL-2)."""

    deleverage_price: ForcedPrice = ForcedPrice.BANKRUPTCY
    """At which price it closes (ADL-3)."""

    deleverage_gap: int = 0
    """How far from the mark is far, of the mark, for BANKRUPTCY_UNLESS_FAR alone (ADL-3)."""

    deleverage_only_insolvent: bool = False
    """Whether it closes only an insolvent account (ADL-6)."""

    deleverage_never_riskier: bool = False
    """Whether it spares whom it would leave riskier (ADL-4)."""

    vault_trigger: int = PARTS
    """The vault steps in below this part of the maintenance margin (VLT-7)."""

    takeover_price: TakeoverPrice = TakeoverPrice.BANKRUPTCY
    """At which price it takes a position over, and whether its margin goes along (VLT-22)."""

    vault_notional_cap: int = 0
    """Of a vault's equity, its notional over all markets at most, any when 0 (VLT-23)."""

    liquidation_fee_bound: FeeBound = FeeBound.SURPLUS
    """What the liquidation fee is taken out of (FEE-10)."""

    liquidation_surplus: int = 0
    """Of what the book gave beyond the liquidation fee the vault gets this part (FEE-9)."""

    bankruptcy_price: BankruptcyPrice = BankruptcyPrice.EQUITY_SHARE
    """What stands behind a position, and so its bankruptcy price (LIQ-20)."""

    liquidation_share: int = PARTS
    """Of a large position the first order closes this part (LIQ-10)."""

    liquidation_whole: int = 0
    """Up to this notional, in quanta, a position is closed at once (LIQ-10)."""

    liquidation_limit: LiquidationLimit = LiquidationLimit.BANKRUPTCY
    """The limit of the order that liquidates (LIQ-11)."""

    liquidation_adjustment: int = 0
    """How fast a fillable limit walks (LIQ-11)."""

    liquidation_spread: int = 0
    """How far it walks, of the position's margin (LIQ-11)."""

    fee_rounding: Rounding = Rounding.UP
    """What becomes of a part of a quantum in a fee (FEE-8)."""

    withdraw_profit: bool = False
    """Whether unrealised profit may leave (LED-6)."""

    funding_interest: int = 0
    """What a rate of funding is drawn to (FUND-6)."""

    funding_damper: int = 0
    """By how much at most (FUND-6)."""

    funding_offset: int = 0
    """What is added to it (FUND-6)."""

    funding_samples: int = 0
    """How many premiums are expected in a period (FUND-5)."""

    deleverage_sharing: Sharing = Sharing.QUEUE
    """How many are closed at a time (ADL-8)."""

    loss_sharing: LossSharing = LossSharing.EQUITY
    """By what a deficit is shared (LOSS-10)."""

    self_trade: SelfTrade = SelfTrade.RESTING
    """Which order goes when an account would meet itself (BOOK-11)."""

    mark_policy: MarkPolicy = MarkPolicy.ORACLE
    """Where a mark comes from (MARK-6)."""

    mark_band: int = 0
    """How far it may be from the index (MARK-2)."""

    mark_weight: int = 0
    """The weight of a new sample of the basis (MARK-4)."""

    mark_age: int = 0
    """Nothing opens at an older mark, by the clock, unless this is 0 (MARK-7)."""

    funding_on_touch: bool = False
    """Whether an account is settled only when it is touched (FUND-11)."""

    funding_rounding: Rounding = Rounding.UP
    """What becomes of a part of a quantum in what a position pays (FUND-13)."""

    funding_receivers_capped: bool = False
    """Whether receivers get no more than there is for them (FUND-14)."""

    smaller_keeps_place: bool = False
    """Whether an order that only gets smaller is not placed anew (BOOK-17)."""

    band_both_sides: bool = False
    """Whether no limit is beyond the price band on either side (BOOK-18)."""

    most_orders: int = 0
    """Resting orders of an account in a market at most, any number when 0 (BOOK-20)."""

    fund_trigger: FundTrigger = FundTrigger.NONE
    """How far the vault must have fallen before winners are closed (LOSS-11)."""

    fund_begins: int = 0
    """A fall of this part of its best begins a drawdown (LOSS-6)."""

    fund_ends: int = 0
    """A fall of less than this part of its best ends it (LOSS-6)."""

    fund_window: int = 0
    """How long its best counts, by the clock (LOSS-11)."""

    carry_bad_debt: bool = False
    """Whether the vault carries a loss that is left (LOSS-12)."""

    withdrawal_gate: int = 0
    """How long no cash leaves after a loss, by the clock (LOSS-13)."""

    withdrawal_haircut: bool = False
    """Whether withdrawals are cut while the vault owes (LOSS-8)."""

    note_paid_in: bool = False
    """Whether it is noted what was paid in, so that realised profit is a gain too (LED-10)."""

    halt_on_loss: bool = False
    """Whether a loss pauses all markets (LOSS-14)."""

    deleverage_weight: ShareWeight = ShareWeight.LOTS
    """In proportion to what lots are shared out (ADL-9)."""

    deleverage_seed: int = 0
    """Where an unranked walk begins (ADL-12)."""

    deleverage_cancels_orders: bool = False
    """Whether whoever it closes loses its orders in that market (ADL-14)."""

    liquidation_size: LiquidationSize = LiquidationSize.WHOLE
    """How much is closed at a time (LIQ-15)."""

    liquidation_buffer: int = 0
    """What is closed until, beyond maintenance margin, of notional (LIQ-12)."""

    liquidation_step: int = PARTS
    """An equal share of all positions is a multiple of this part (LIQ-13)."""

    liquidation_target: int = PARTS
    """It brings the margin below this part of equity (LIQ-13)."""

    order_margin: bool = False
    """Whether resting orders reserve initial margin (MRG-8)."""

    liquidators: bool = False
    """Whether somebody from outside may take over who is due and stands well enough (VLT-9)."""

    liquidator_fee: int = 0
    """It takes positions at the mark less this part (VLT-9)."""

    volunteer_edge: int = 0
    """A volunteer is assigned positions no further than this from the mark (VLT-10)."""

    vault_least_shares: int = 1
    """A contribution to the vault is worth at least so many shares (VLT-13)."""

    vault_lockup: int = 0
    """How long they are locked, by the clock (VLT-15)."""

    vault_notice: int = 0
    """At which notice they are redeemed, with none when 0 (VLT-16)."""

    liquidation_order: LiquidationOrder = LiquidationOrder.ACCOUNT
    """Whose turn it is among those who are due (LIQ-19)."""

    liquidation_position: LiquidationPosition = LiquidationPosition.LARGEST_FIRST
    """Which of its positions is closed first (LIQ-40)."""

    liquidation_seed: int = 0
    """Where a walk round accounts, or positions, to liquidate begins (LIQ-19, LIQ-40)."""

    auction_steps: int = 1
    """In how many steps an auction's limit walks (LIQ-14)."""

    auction_period: int = 1
    """How long each of them takes, by the clock (LIQ-14)."""

    liquidation_cooldown: int = 0
    """How long the rest follows whole after a part, by the clock (LIQ-17)."""

    block_portion: int = PARTS
    """Of a position at most this part is closed at one time (LIQ-18)."""

    block_least: int = 0
    """Or this notional, in quanta, if that is more (LIQ-18)."""

    block_notional: int = 0
    """Of an account at most this notional at one time, any when 0 (LIQ-18)."""


@frozen
class Exchange:
    """The whole state. `custody` is the pot: all cash that came in and has not left.

    `now` is the time by the exchange's own clock (CLK-1). No cash leaves an account before
    `gate_opens` (LED-9). `fund_best` is the vault's best equity in the window that began at
    `fund_best_at`, and `fund_drawn_down` whether it has fallen far since (LOSS-11).
    """

    rulebook: Rulebook
    markets: Table[MarketId, Market]
    accounts: Table[AccountId, Account]
    custody: int
    last_order: OrderId
    now: int = 0
    gate_opens: int = 0
    fund_best: int = 0
    fund_best_at: int = 0
    fund_drawn_down: bool = False
