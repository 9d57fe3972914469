"""Terms to search under: the given ones, and others near them, so that no fault hides in a round
number."""

from __future__ import annotations

from collections.abc import Collection

from attrs import evolve

from perpref.checker.dice import Dice
from perpref.checker.wire import COMMANDS, Choice, MarketTerms, Terms
from perpref.state import (
    VAULT,
    BankruptcyPrice,
    Chooser,
    FeeBound,
    ForcedPrice,
    FundTrigger,
    LiquidationLimit,
    LiquidationOrder,
    LiquidationPosition,
    LiquidationSize,
    LossSharing,
    MarkPolicy,
    Ranking,
    Rulebook,
    SelfTrade,
    ShareWeight,
    Sharing,
    Stage,
    TakeoverPrice,
    Tier,
)
from perpref.units import PARTS, AccountId, MarketId, Rounding

FEES = (0, 1, 130, 333, 500, 1_999, 10_007, 33_333)
FUNDING_CAPS = (750, 7_500, 12_347, 100_000)
BOUNDARIES = (0, 0, 1, 5_003, 40_001)
MARKS = (1_000, 997, 101, 53, 12_345)
RATES = (
    (100_000, 50_000),
    (200_000, 30_000),
    (33_333, 11_111),
    (500_000, 62_501),
    (77_777, 77_777),
)
MAYBE_FAR = (ForcedPrice.PREVIOUS_MARK, ForcedPrice.INDEX)
GAPS = (0, 50_000, 200_000)
MOST_MARKETS = 3
CHILDREN = (AccountId(70), AccountId(71))
"""Accounts that could be the vault of a market's own; nobody else goes by these numbers."""

CAPS = (1_000, 100, 10, 7, 3, 1, 0)


def base_terms(
    terms: Terms, chooses: tuple[Choice, ...] = (), supported: Collection[str] = COMMANDS
) -> Terms:
    """The given terms, leaving open what the engine chooses itself.

    An engine that is told no index is told its marks.
    """
    rulebook = _chosen(terms.rulebook, chooses)
    if "set_index" not in supported:
        rulebook = evolve(rulebook, mark_policy=MarkPolicy.ORACLE)
    return evolve(terms, rulebook=rulebook)


def _chosen(rulebook: Rulebook, chooses: tuple[Choice, ...]) -> Rulebook:
    """The rulebook, leaving open what the engine chooses itself, and nothing else."""

    def chooser(choice: Choice) -> Chooser:
        return Chooser.ENGINE if choice in chooses else Chooser.RULEBOOK

    return evolve(rulebook, counterparty=chooser(Choice.COUNTERPARTY), price=chooser(Choice.PRICE))


def varied(base: Terms, dice: Dice, supported: Collection[str] = COMMANDS) -> Terms:
    """The base terms, or a neighbour of them."""
    if dice.one_in(4):
        return base
    rulebook = base.rulebook
    if dice.one_in(2):
        rulebook = evolve(
            rulebook,
            maker_fee=dice.pick(FEES),
            taker_fee=dice.pick(FEES),
            liquidation_fee=dice.pick(FEES),
        )
    rulebook = evolve(
        rulebook,
        funding_cap=dice.pick((rulebook.funding_cap, *FUNDING_CAPS)),
        vault_boundary=dice.pick(BOUNDARIES),
    )
    if dice.one_in(3):
        rulebook = _deleveraging(rulebook, dice)
    if dice.one_in(3):
        rulebook = _liquidating(rulebook, dice)
    if dice.one_in(5):
        rulebook = _taking_time(rulebook, dice)
    if dice.one_in(4):
        rulebook = _funding(rulebook, dice)
    if dice.one_in(4):
        rulebook = _losing(rulebook, dice)
    if dice.one_in(3):
        rulebook = _marking(rulebook, dice, "set_index" in supported)
    rulebook = _booking(rulebook, dice)
    if dice.one_in(3):
        rulebook = _insuring(rulebook, dice)
    given = sorted(base.markets)
    spare = [MarketId(given[-1] + 1 + index) for index in range(MOST_MARKETS)]
    listed = [*given, *spare][: dice.pick((1, 2, 2, MOST_MARKETS))]
    plain = base.markets[given[0]]
    markets = {market: _market(base.markets.get(market, plain), dice) for market in listed}
    return Terms(rulebook, markets)


def _deleveraging(rulebook: Rulebook, dice: Dice) -> Rulebook:
    """Another way to deleverage, as some venue does it."""
    sharing_of_loss = dice.pick(tuple(LossSharing))
    price = dice.pick(tuple(ForcedPrice))
    chosen = rulebook.counterparty is Chooser.ENGINE
    sharing = Sharing.QUEUE if chosen else dice.pick(tuple(Sharing))
    return evolve(
        rulebook,
        deleverage_ranking=dice.pick(tuple(Ranking)),
        deleverage_price=price,
        deleverage_gap=dice.pick(GAPS) if price is ForcedPrice.BANKRUPTCY_UNLESS_FAR else 0,
        deleverage_only_insolvent=price in MAYBE_FAR or dice.one_in(2),
        deleverage_never_riskier=dice.one_in(3),
        deleverage_sharing=dice.pick((Sharing.QUEUE, sharing)),
        deleverage_weight=dice.pick(tuple(ShareWeight)),
        deleverage_seed=dice.pick((0, 1, 7, 10**18)),
        deleverage_cancels_orders=dice.one_in(3),
        loss_sharing=sharing_of_loss,
        note_paid_in=sharing_of_loss is LossSharing.PROFIT or dice.one_in(3),
    )


def _liquidating(rulebook: Rulebook, dice: Dice) -> Rulebook:
    """Another way to liquidate, as some venue does it."""
    return evolve(
        rulebook,
        vault_trigger=dice.pick((PARTS, 666_667, 333_333, 1)),
        liquidation_fee_bound=dice.pick(tuple(FeeBound)),
        liquidation_surplus=dice.pick((0, 0, PARTS, 500_000, 1)),
        bankruptcy_price=dice.pick(tuple(BankruptcyPrice)),
        liquidation_share=dice.pick((PARTS, 200_000, 100_000, 1)),
        liquidation_whole=dice.pick((0, 0, 1_000, 50_000)),
        liquidation_size=dice.pick(tuple(LiquidationSize)),
        liquidation_buffer=dice.pick((0, 0, 1, 20_000, 150_000)),
        liquidation_step=dice.pick((200_000, 200_000, 100_000, 333_333, PARTS)),
        liquidation_target=dice.pick((PARTS, PARTS, 900_000, 1)),
        liquidation_order=dice.pick(tuple(LiquidationOrder)),
        liquidation_position=dice.pick(tuple(LiquidationPosition)),
        liquidation_seed=dice.pick((0, 1, 7, 10**18)),
        auction_steps=dice.pick((1, 2, 3, 5)),
        auction_period=dice.pick((1, 1, 7, 30)),
        liquidation_limit=dice.pick((LiquidationLimit.BANKRUPTCY, *LiquidationLimit)),
        liquidation_adjustment=dice.pick((PARTS, 1, 3 * PARTS)),
        liquidation_spread=dice.pick((100_000, PARTS, 1)),
        withdraw_profit=dice.one_in(4),
    )


def _losing(rulebook: Rulebook, dice: Dice) -> Rulebook:
    """Another way to know that a loss is nobody's, and to live with it, as some venue does it."""
    begins = dice.pick((0, 1, 300_000, PARTS))
    ways = (*LossSharing, LossSharing.PER_LOT, LossSharing.PROFIT)  # by rules of their own
    sharing, nobody_is_closed = dice.pick(ways), dice.one_in(2)
    return evolve(
        rulebook,
        waterfall=_without_deleverage(rulebook) if nobody_is_closed else rulebook.waterfall,
        loss_sharing=sharing,
        note_paid_in=rulebook.note_paid_in or sharing is LossSharing.PROFIT,
        fund_trigger=dice.pick(tuple(FundTrigger)),
        fund_begins=begins,
        fund_ends=dice.pick((0, begins, begins >> 1)),
        fund_window=dice.pick((0, 5, 1_000)),
        carry_bad_debt=dice.one_in(2),
        withdrawal_gate=dice.pick((0, 0, 1, 50)),
        withdrawal_haircut=dice.one_in(2),
        halt_on_loss=dice.one_in(4),
    )


def _without_deleverage(rulebook: Rulebook) -> tuple[Stage, ...]:
    return tuple(stage for stage in rulebook.waterfall if stage is not Stage.DELEVERAGE)


def _taking_time(rulebook: Rulebook, dice: Dice) -> Rulebook:
    """Another way to close a part now and the next one later, as some venue does it."""
    by_share = dice.one_in(2)
    return evolve(
        rulebook,
        liquidation_share=dice.pick((200_000, 100_000)) if by_share else rulebook.liquidation_share,
        liquidation_whole=dice.pick((0, 0, 1_000)),
        liquidation_cooldown=dice.pick((2, 30)) if by_share else 0,
        block_portion=PARTS if by_share else dice.pick((PARTS, 100_000, 300_000, 1)),
        block_least=dice.pick((0, 0, 1_000)),
        block_notional=0 if by_share else dice.pick((0, 0, 1, 5_000, 200_000)),
    )


def _marking(rulebook: Rulebook, dice: Dice, indexed: bool) -> Rulebook:
    """Another way to a mark, as some venue does it."""
    return evolve(
        rulebook,
        mark_policy=dice.pick(tuple(MarkPolicy) if indexed else (rulebook.mark_policy,)),
        mark_band=dice.pick((0, 5_000, 50_000, PARTS)),
        mark_weight=dice.pick((0, 1, 100_000, 333_333, PARTS)),
        mark_age=dice.pick((0, 1, 60)),
    )


def _insuring(rulebook: Rulebook, dice: Dice) -> Rulebook:
    """Another way to hold shares of the vault, or to do without it, as some venue does it."""
    return evolve(
        rulebook,
        waterfall=_with_volunteers(rulebook) if dice.one_in(3) else rulebook.waterfall,
        volunteer_edge=dice.pick((0, 10_000, 25_000, PARTS)),
        liquidators=dice.one_in(3),
        liquidator_fee=dice.pick((0, 1, 10_000, 40_000, PARTS)),
        takeover_price=dice.pick(tuple(TakeoverPrice)),
        vault_notional_cap=dice.pick((0, 0, 500_000, PARTS, 3 * PARTS)),
        vault_least_shares=dice.pick((1, 1, 2, 1_000)),
        vault_lockup=dice.pick((0, 0, 1, 60)),
        vault_notice=dice.pick((0, 0, 1, 60)),
    )


def _with_volunteers(rulebook: Rulebook) -> tuple[Stage, ...]:
    """The same stages, and volunteers before winners."""
    return tuple(s for s in Stage if s in rulebook.waterfall or s is Stage.VOLUNTEERS)


def _booking(rulebook: Rulebook, dice: Dice) -> Rulebook:
    """Another way to keep a book, as some venue does it."""
    return evolve(
        rulebook,
        self_trade=dice.pick((rulebook.self_trade, *SelfTrade)),
        smaller_keeps_place=dice.one_in(3),
        band_both_sides=dice.one_in(2),
        most_orders=dice.pick((0, 0, 0, 0, 1, 2, 3)),
        order_margin=dice.one_in(5),
    )


def _funding(rulebook: Rulebook, dice: Dice) -> Rulebook:
    """Another way from a premium to a rate, and from a rate to cash, as some venue does it."""
    on_touch = dice.one_in(3)
    return evolve(
        rulebook,
        funding_interest=dice.pick((0, 100, -100)),
        funding_damper=dice.pick((0, 500, PARTS)),
        funding_offset=dice.pick((0, 7, -7)),
        funding_samples=dice.pick((0, 1, 2, 60)),
        funding_on_touch=on_touch,
        funding_rounding=dice.pick(tuple(Rounding)),
        fee_rounding=dice.pick(tuple(Rounding)),
        funding_receivers_capped=not on_touch and dice.one_in(2),
    )


TIERS = (
    (),
    (),
    (Tier(50_000, 500_000, 250_000),),
    (Tier(20_000, 600_000, 400_000), Tier(90_000, PARTS, PARTS)),
)
SCALES = ((0, 0), (0, 0), (10_000, 200_000), (0, 1))


def _market(plain: MarketTerms, dice: Dice) -> MarketTerms:
    rates = (plain.initial_rate, plain.maintenance_rate)
    initial, maintenance = dice.pick((rates, *RATES))
    cap, mark = dice.pick((plain.vault_cap, *CAPS)), dice.pick((plain.mark, *MARKS))
    tiers = dice.pick((plain.tiers, *TIERS))
    low, high = dice.pick(((plain.scaled_from, plain.scaled_to), *SCALES))
    above = (initial, maintenance)
    rise = tuple(tier for tier in tiers if (tier.initial_rate, tier.maintenance_rate) >= above)
    rising = all(tier.maintenance_rate >= maintenance for tier in rise)
    least = dice.pick((plain.least_notional, 0, 0, mark, 3 * mark + 1))
    tiers = rise if rising else ()
    band = dice.pick((plain.price_band, 0, 0, 0, 20_001, 100_000))
    tick = dice.pick((plain.tick, 1, 1, 1, 2, 5))
    vault = dice.pick((plain.vault, plain.vault, VAULT, *CHILDREN))
    boundary = dice.pick(BOUNDARIES) if vault != VAULT else 0
    terms = MarketTerms(initial, maintenance, cap, mark, tiers, low, high, least, band, tick)
    apart = maintenance < initial and all(one.maintenance_rate < one.initial_rate for one in tiers)
    at_margin = apart and (plain.due_at_maintenance or dice.one_in(6))
    return evolve(terms, vault=vault, vault_boundary=boundary, due_at_maintenance=at_margin)
