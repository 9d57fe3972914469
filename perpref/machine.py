"""The reference exchange: a state, and what each command makes of it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from perpref import scheduler
from perpref.outcome import Outcome, Refused
from perpref.rule_registry import Refusal
from perpref.rules import book, funding, ledger, settlement, vault, volunteers
from perpref.rules.adl import is_price_safe
from perpref.rules.ledger import EMPTY
from perpref.rules.liquidation_size import SMALLEST_STEP
from perpref.scheduler import BY_RULEBOOK, Choices, Run
from perpref.state import (
    TREASURY,
    VAULT,
    Chooser,
    Exchange,
    Kind,
    LossSharing,
    Market,
    Order,
    Rulebook,
    Sharing,
    Side,
    Stage,
)
from perpref.table import Table
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
)


@frozen
class Deposit:
    """Bring cash in (LED-5)."""

    account: AccountId
    amount: int


@frozen
class Withdraw:
    """Take cash out (LED-7)."""

    account: AccountId
    amount: int


@frozen
class Transfer:
    """Pass cash to another account (LED-8)."""

    payer: AccountId
    payee: AccountId
    amount: int


@frozen
class Isolate:
    """Open an isolated account of a market, with margin of its owner's (ISO-1)."""

    owner: AccountId
    account: AccountId
    market: MarketId
    amount: int


@frozen
class Place:
    """Place an order (BOOK-6). A market order names no price: its `price` is 1."""

    order: OrderId
    account: AccountId
    market: MarketId
    side: Side
    kind: Kind
    lots: int
    price: int = 1
    reduce_only: bool = False
    expires: int = 0


@frozen
class Cancel:
    """Take one's own order off the book (BOOK-10)."""

    account: AccountId
    market: MarketId
    order: OrderId


@frozen
class Replace:
    """Place an order in the stead of one's own resting one, or do nothing at all (BOOK-16)."""

    replaced: OrderId
    order: OrderId
    account: AccountId
    market: MarketId
    side: Side
    kind: Kind
    lots: int
    price: int = 1
    reduce_only: bool = False
    expires: int = 0


@frozen
class SetMark:
    """The oracle speaks (MARK-1); whoever is due is liquidated (LIQ-8)."""

    market: MarketId
    price: int


@frozen
class SettleFunding:
    """Funding at a rate in parts per million (FUND-3); whoever is due is liquidated (LIQ-8)."""

    market: MarketId
    rate: int


@frozen
class SamplePremium:
    """A premium of the market over its index, in parts per million (FUND-10)."""

    market: MarketId
    premium: int


@frozen
class SettlePremium:
    """Funding at the rate that the premiums make (FUND-10); whoever is due is liquidated."""

    market: MarketId


@frozen
class SettleMarket:
    """A market ends: all that is open in it is closed at its mark (SET-3)."""

    market: MarketId


@frozen
class SetIndex:
    """An index price, and what the market itself trades at (MARK-5); the mark may follow."""

    market: MarketId
    index: int
    price: int


@frozen
class PauseMarket:
    """A market takes no orders for a while, and its mark stands still (SET-4)."""

    market: MarketId


@frozen
class ResumeMarket:
    """A market goes on, at a fresh mark (SET-5); whoever is due is liquidated (LIQ-8)."""

    market: MarketId


@frozen
class AdvanceClock:
    """The clock shows a later time (CLK-1); whoever is due is liquidated (LIQ-8)."""

    now: int


@frozen
class Unwind:
    """The vault offers what it took over (VLT-6)."""

    market: MarketId
    order: OrderId


@frozen
class ContributeToVault:
    """Pay the vault for shares of it (VLT-13)."""

    account: AccountId
    amount: int


@frozen
class RedeemFromVault:
    """Give back shares of the vault for cash (VLT-14)."""

    account: AccountId
    shares: int


@frozen
class RequestRedemption:
    """Give notice that shares of the vault will be redeemed (VLT-16)."""

    account: AccountId
    shares: int


@frozen
class Recapitalise:
    """The insurance vault gives a market's own vault cash (VLT-18)."""

    market: MarketId
    amount: int


@frozen
class RecallCapital:
    """A market's own vault gives the insurance vault cash (VLT-19)."""

    market: MarketId
    amount: int


@frozen
class Liquidate:
    """Take over a position that is due, from outside (VLT-9)."""

    liquidator: AccountId
    account: AccountId
    market: MarketId
    lots: int


@frozen
class Volunteer:
    """Pledge to take over positions that are due, up to so many lots (VLT-20)."""

    account: AccountId
    market: MarketId
    lots: int
    edge: int


Command = (
    Deposit
    | Withdraw
    | Transfer
    | Place
    | Cancel
    | SetMark
    | SettleFunding
    | Unwind
    | SamplePremium
    | SettlePremium
    | SettleMarket
    | AdvanceClock
    | SetIndex
    | PauseMarket
    | ResumeMarket
    | Replace
    | ContributeToVault
    | RedeemFromVault
    | RequestRedemption
    | Recapitalise
    | RecallCapital
    | Liquidate
    | Volunteer
    | Isolate
)


class InvalidTerms(ValueError):
    """A rulebook or a market for which the rules make no sense; the text names the rule."""


def require_valid(rulebook: Rulebook, markets: Iterable[tuple[MarketId, Market]]) -> None:
    """Refuse terms that no theorem is about.

    Raises:
        InvalidTerms: which value is wrong, what is allowed, and by which rule.
    """
    for name, rate, rule_id in (
        ("maker_fee", rulebook.maker_fee, "FEE-1"),
        ("taker_fee", rulebook.taker_fee, "FEE-1"),
        ("liquidation_fee", rulebook.liquidation_fee, "FEE-4"),
        ("liquidation_surplus", rulebook.liquidation_surplus, "FEE-9"),
        ("liquidator_fee", rulebook.liquidator_fee, "VLT-9"),
        ("volunteer_edge", rulebook.volunteer_edge, "VLT-10"),
        ("funding_cap", rulebook.funding_cap, "FUND-1"),
        ("deleverage_gap", rulebook.deleverage_gap, "ADL-3"),
        ("liquidation_spread", rulebook.liquidation_spread, "LIQ-11"),
        ("mark_band", rulebook.mark_band, "MARK-2"),
        ("mark_weight", rulebook.mark_weight, "MARK-4"),
    ):
        _require_between(name, rate, 0, PARTS, rule_id)
    _require_between("liquidation_share", rulebook.liquidation_share, 1, PARTS, "LIQ-10")
    _require_between("liquidation_whole", rulebook.liquidation_whole, 0, MAX_CASH, "LIQ-10")
    adjustment = rulebook.liquidation_adjustment
    _require_between("liquidation_adjustment", adjustment, 0, MAX_CASH, "LIQ-11")
    for name, rate in (
        ("funding_interest", rulebook.funding_interest),
        ("funding_offset", rulebook.funding_offset),
    ):
        _require_between(name, rate, -PARTS, PARTS, "FUND-6")
    _require_between("funding_damper", rulebook.funding_damper, 0, PARTS, "FUND-6")
    _require_between("funding_samples", rulebook.funding_samples, 0, MAX_LOTS, "FUND-5")
    if rulebook.funding_receivers_capped and rulebook.funding_on_touch:
        raise InvalidTerms(
            "funding_receivers_capped: an index pays whoever is touched, before it is known what "
            "all receivers are due, so funding_on_touch must be false (FUND-14)"
        )
    _require_between("fund_begins", rulebook.fund_begins, 0, PARTS, "LOSS-6")
    _require_between("fund_ends", rulebook.fund_ends, 0, rulebook.fund_begins, "LOSS-6")
    _require_between("fund_window", rulebook.fund_window, 0, MAX_TIME, "LOSS-11")
    _require_between("withdrawal_gate", rulebook.withdrawal_gate, 0, MAX_TIME, "LOSS-13")
    _require_between("deleverage_seed", rulebook.deleverage_seed, 0, MAX_ID, "ADL-12")
    _require_between("liquidation_seed", rulebook.liquidation_seed, 0, MAX_ID, "LIQ-19")
    _require_between("mark_age", rulebook.mark_age, 0, MAX_TIME, "MARK-7")
    _require_between("most_orders", rulebook.most_orders, 0, MAX_LOTS, "BOOK-20")
    _require_between("liquidation_buffer", rulebook.liquidation_buffer, 0, PARTS, "LIQ-12")
    _require_between("liquidation_step", rulebook.liquidation_step, SMALLEST_STEP, PARTS, "LIQ-13")
    _require_between("liquidation_target", rulebook.liquidation_target, 1, PARTS, "LIQ-13")
    _require_between("auction_steps", rulebook.auction_steps, 1, MAX_LOTS, "LIQ-14")
    _require_between("auction_period", rulebook.auction_period, 1, MAX_TIME, "LIQ-14")
    _require_between("liquidation_cooldown", rulebook.liquidation_cooldown, 0, MAX_TIME, "LIQ-17")
    _require_between("block_portion", rulebook.block_portion, 1, PARTS, "LIQ-18")
    _require_between("block_least", rulebook.block_least, 0, MAX_CASH, "LIQ-18")
    _require_between("block_notional", rulebook.block_notional, 0, MAX_CASH, "LIQ-18")
    _require_between("vault_trigger", rulebook.vault_trigger, 1, PARTS, "VLT-7")
    _require_between("vault_notional_cap", rulebook.vault_notional_cap, 0, MAX_CASH, "VLT-23")
    _require_between("vault_least_shares", rulebook.vault_least_shares, 1, MAX_CASH, "VLT-13")
    _require_between("vault_lockup", rulebook.vault_lockup, 0, MAX_TIME, "VLT-15")
    _require_between("vault_notice", rulebook.vault_notice, 0, MAX_TIME, "VLT-16")
    if not is_price_safe(rulebook):
        raise InvalidTerms(
            "deleverage_price: at the previous mark or the index a solvent account could be "
            "ruined, so "
            "deleverage_only_insolvent must be true (ADL-6)"
        )
    pro_rata = rulebook.deleverage_sharing is not Sharing.QUEUE
    if pro_rata and rulebook.counterparty is Chooser.ENGINE:
        raise InvalidTerms(
            "deleverage_sharing: in proportion everybody is closed, so the engine has nobody to "
            "choose and counterparty must be rulebook (ADL-8)"
        )
    if rulebook.loss_sharing is LossSharing.PROFIT and not rulebook.note_paid_in:
        raise InvalidTerms(
            "loss_sharing: profit is what is beside what was paid in, so note_paid_in must be true "
            "(LOSS-9)"
        )
    _require_between("vault_boundary", rulebook.vault_boundary, 0, MAX_CASH, "VLT-4")
    stages = rulebook.waterfall
    in_order = tuple(stage for stage in Stage if stage in stages)
    if stages != in_order or stages[-1:] != (Stage.RESIDUAL,):
        raise InvalidTerms(
            "waterfall: stages are book, vault, volunteers, deleverage, residual, each at most "
            "once, in this order, and the last is residual (LIQ-7)"
        )
    for market_id, market in markets:
        name = f"market {market_id}"
        _require_between(f"{name}: its identifier", market_id, 0, MAX_ID, "UNIT-4")
        _require_between(f"{name}: maintenance_rate", market.maintenance_rate, 1, PARTS, "MRG-3")
        least = market.maintenance_rate
        _require_between(f"{name}: initial_rate", market.initial_rate, least, PARTS, "MRG-4")
        _require_tiers(name, market)
        _require_room_above_maintenance(name, market)
        _require_between(f"{name}: scaled_from", market.scaled_from, 0, MAX_CASH, "MRG-7")
        _require_between(f"{name}: scaled_to", market.scaled_to, 0, MAX_CASH, "MRG-7")
        _require_between(f"{name}: least_notional", market.least_notional, 0, MAX_CASH, "BOOK-15")
        _require_between(f"{name}: price_band", market.price_band, 0, PARTS, "BOOK-18")
        _require_between(f"{name}: tick", market.tick, 1, MAX_PRICE, "BOOK-19")
        _require_between(f"{name}: vault_cap", market.vault_cap, 0, MAX_LOTS, "VLT-2")
        _require_between(f"{name}: vault", market.vault, 0, MAX_ID, "UNIT-4")
        if market.vault == TREASURY:
            raise InvalidTerms(f"{name}: vault: the treasury takes nothing over (VLT-17)")
        boundary = market.vault_boundary
        _require_between(f"{name}: vault_boundary", boundary, 0, MAX_CASH, "VLT-17")
        _require_between(f"{name}: mark", market.mark, 1, MAX_PRICE, "UNIT-2")
        _require_between(f"{name}: previous_mark", market.previous_mark, 1, MAX_PRICE, "UNIT-2")


def _require_tiers(name: str, market: Market) -> None:
    above, low, least = 0, market.initial_rate, market.maintenance_rate
    for tier in market.tiers:
        _require_between(f"{name}: a tier above", tier.above, above + 1, MAX_CASH, "MRG-6")
        _require_between(f"{name}: a tier's initial_rate", tier.initial_rate, low, PARTS, "MRG-6")
        rate = tier.maintenance_rate
        _require_between(
            f"{name}: a tier's maintenance_rate", rate, least, tier.initial_rate, "MRG-6"
        )
        above, low, least = tier.above, tier.initial_rate, tier.maintenance_rate


def _require_room_above_maintenance(name: str, market: Market) -> None:
    rates = ((tier.initial_rate, tier.maintenance_rate) for tier in market.tiers)
    equal = any(one == two for one, two in ((market.initial_rate, market.maintenance_rate), *rates))
    if market.due_at_maintenance and equal:
        raise InvalidTerms(
            f"{name}: due_at_maintenance: every initial rate must be above its maintenance rate, "
            "or who opens a position may be due at once (MRG-9)"
        )


def _require_between(name: str, value: int, least: int, most: int, rule_id: str) -> None:
    if not least <= value <= most:
        raise InvalidTerms(f"{name}: {value} is not between {least} and {most} ({rule_id})")


def opened(rulebook: Rulebook, markets: Iterable[tuple[MarketId, Market]]) -> Exchange:
    """A new exchange: an empty pot; vaults and a treasury without cash.

    Raises:
        InvalidTerms: the rules and their theorems do not hold under these terms.
    """
    markets = tuple(markets)
    require_valid(rulebook, markets)
    vaults = (listed.vault for _, listed in markets)
    accounts = Table((account, EMPTY) for account in (VAULT, TREASURY, *vaults))
    return Exchange(rulebook, Table(markets), accounts, custody=0, last_order=OrderId(0))


def apply(
    exchange: Exchange, command: Command, choices: Choices = BY_RULEBOOK
) -> Outcome | Refused:
    """What a command makes of an exchange: the next state and what led to it, or a refusal."""
    run = Run(exchange, choices)
    try:
        take(run, command)
    except Refusal as refused:
        code = refused.code
        return Refused(code.code, code.phase.value, code.rule, str(refused))
    return run.outcome()


def take(run: Run, command: Command) -> None:
    """Carry out a command and what follows from it. Raises Refusal when a rule says no."""
    _carry_out(run, command)
    scheduler.release_closed(run)


def _carry_out(run: Run, command: Command) -> None:
    match command:
        case Deposit(account, amount):
            run.do(ledger.deposit, account, amount)
        case Withdraw(account, amount):
            scheduler.touch(run, account)
            run.do(ledger.withdraw, account, amount)
            scheduler.keep_reserve(run, account)
        case Transfer(payer, payee, amount):
            scheduler.touch(run, payer)
            run.do(ledger.transfer, payer, payee, amount)
            scheduler.keep_reserve(run, payer)
        case Isolate(owner, account, market, amount):
            scheduler.isolate(run, owner, account, market, amount)
        case Place(order, account, market, side, kind, lots, price, only, expires):
            placed = Order(order, account, side, price, lots, only, expires)
            scheduler.place(run, market, placed, kind)
        case Cancel(account, market, order):
            run.do(book.cancel, market, order, account, "BOOK-10")
        case SetMark(market, price):
            scheduler.move_mark(run, market, price)
        case SettleFunding(market, rate):
            scheduler.fund(run, market, rate)
        case Unwind(market, order):
            scheduler.unwind(run, market, order)
        case SamplePremium(market, premium):
            run.do(funding.sample_premium, market, premium)
        case SettlePremium(market):
            scheduler.fund_by_premium(run, market)
        case SettleMarket(market):
            scheduler.settle_market(run, market)
        case AdvanceClock(now):
            scheduler.advance_clock(run, now)
        case SetIndex(market, index, price):
            scheduler.move_index(run, market, index, price)
        case PauseMarket(market):
            run.do(settlement.pause, market)
        case ResumeMarket(market):
            scheduler.resume_market(run, market)
        case Replace(replaced, order, account, market, side, kind, lots, price, only, expires):
            placed = Order(order, account, side, price, lots, only, expires)
            scheduler.replace(run, market, replaced, placed, kind)
        case ContributeToVault(account, amount):
            scheduler.contribute_to_vault(run, account, amount)
        case RedeemFromVault(account, shares):
            scheduler.redeem_from_vault(run, account, shares)
        case RequestRedemption(account, shares):
            scheduler.request_redemption(run, account, shares)
        case Liquidate(liquidator, account, market, lots):
            scheduler.liquidate_from_outside(run, liquidator, account, market, lots)
        case Volunteer(account, market, lots, edge):
            run.do(volunteers.volunteer, account, market, lots, edge)
        case Recapitalise(market, amount):
            scheduler.touch(run, VAULT)
            run.do(vault.recapitalise, market, amount)
        case RecallCapital(market, amount):
            scheduler.touch(run, VAULT)
            run.do(vault.recall_capital, market, amount)
