"""An arbitrary exchange: any number of accounts and markets, any amounts, any valid rulebook.

What is assumed here is what every reachable state satisfies, and the theorem
`an_action_keeps_positions_sound` (in `proofs.laws`) shows that every action preserves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from weakref import WeakKeyDictionary

from perpref.rules import margin
from perpref.rules.liquidation_size import SMALLEST_STEP
from perpref.rules.vault_shares import shares_of
from perpref.state import (
    FLAT,
    NO_PLEDGE,
    NOBODY,
    TREASURY,
    Account,
    BankruptcyPrice,
    Exchange,
    FeeBound,
    ForcedPrice,
    FundTrigger,
    Isolation,
    LiquidationLimit,
    LiquidationOrder,
    LiquidationPosition,
    LiquidationSize,
    LossSharing,
    Market,
    MarkPolicy,
    Order,
    Pledge,
    Position,
    Ranking,
    Rulebook,
    ShareWeight,
    Side,
    Stage,
    Stake,
    TakeoverPrice,
)
from perpref.units import (
    MAX_CASH,
    MAX_LOTS,
    MAX_PRICE,
    MAX_SHARES,
    MAX_TIME,
    PARTS,
    AccountId,
    MarketId,
    OrderId,
    Rounding,
)
from proofs.executor import (
    Additive,
    SymTable,
    all_of,
    any_choice,
    assume,
    fresh_bool,
    fresh_int,
    implies,
)
from proofs.executor.explore import Run, running


@cache
def margins_ordered(maintenance: Callable[..., int], initial: Callable[..., int]) -> Additive:
    """A position's initial margin is at least its maintenance margin, which is not negative."""
    return Additive(
        "margins are ordered",
        (maintenance, initial),
        lambda least, most: all_of(least >= 0, most >= least),
    )


def between(name: str, least: int, most: int) -> int:
    """An unknown integer within bounds, both included."""
    value = fresh_int(name)
    assume(all_of(value >= least, value <= most))
    return value


def any_rulebook() -> Rulebook:
    """Any valid rulebook: fees are rates, funding is capped, the boundary is any amount.

    The price and the ranking of an ADL are nobody's business but their own theorems', which go
    through all of them.
    """
    return Rulebook(
        name="any",
        maker_fee=between("maker_fee", 0, PARTS),
        taker_fee=between("taker_fee", 0, PARTS),
        liquidation_fee=between("liquidation_fee", 0, PARTS),
        funding_cap=between("funding_cap", 0, PARTS),
        vault_boundary=between("vault_boundary", 0, MAX_CASH),
        waterfall=tuple(Stage),
        deleverage_gap=between("deleverage_gap", 0, PARTS),
        deleverage_price=any_choice("deleverage_price", ForcedPrice.BANKRUPTCY),
        deleverage_ranking=any_ranking(),
        deleverage_only_insolvent=fresh_bool("deleverage_only_insolvent"),
        deleverage_never_riskier=fresh_bool("deleverage_never_riskier"),
        vault_trigger=between("vault_trigger", 1, PARTS),
        takeover_price=any_choice("takeover_price", TakeoverPrice.WITH_MARGIN),
        vault_notional_cap=between("vault_notional_cap", 0, MAX_CASH),
        liquidation_fee_bound=any_choice("liquidation_fee_bound", FeeBound.SURPLUS),
        liquidation_surplus=between("liquidation_surplus", 0, PARTS),
        bankruptcy_price=any_choice("bankruptcy_price", BankruptcyPrice.EQUITY_SHARE),
        liquidation_limit=any_choice("liquidation_limit", LiquidationLimit.FILLABLE),
        liquidation_adjustment=between("liquidation_adjustment", 0, MAX_CASH),
        liquidation_spread=between("liquidation_spread", 0, PARTS),
        liquidation_size=any_choice("liquidation_size", LiquidationSize.TO_BUFFER),
        liquidation_buffer=between("liquidation_buffer", 0, PARTS),
        liquidation_step=between("liquidation_step", SMALLEST_STEP, PARTS),
        liquidation_target=between("liquidation_target", 1, PARTS),
        liquidation_order=any_choice("liquidation_order", LiquidationOrder.ACCOUNT),
        liquidation_position=any_choice("liquidation_position", LiquidationPosition.LARGEST_FIRST),
        liquidation_seed=between("liquidation_seed", 0, MAX_CASH),
        auction_steps=between("auction_steps", 1, MAX_LOTS),
        auction_period=between("auction_period", 1, MAX_TIME),
        liquidation_cooldown=between("liquidation_cooldown", 0, MAX_TIME),
        block_portion=between("block_portion", 1, PARTS),
        block_least=between("block_least", 0, MAX_CASH),
        block_notional=between("block_notional", 0, MAX_CASH),
        withdraw_profit=fresh_bool("withdraw_profit"),
        funding_interest=between("funding_interest", -PARTS, PARTS),
        funding_damper=between("funding_damper", 0, PARTS),
        funding_offset=between("funding_offset", -PARTS, PARTS),
        funding_samples=between("funding_samples", 0, MAX_LOTS),
        loss_sharing=any_choice("loss_sharing", LossSharing.EQUITY),
        mark_policy=any_choice("mark_policy", MarkPolicy.ORACLE),
        mark_band=between("mark_band", 0, PARTS),
        mark_weight=between("mark_weight", 0, PARTS),
        mark_age=between("mark_age", 0, MAX_TIME),
        funding_on_touch=fresh_bool("funding_on_touch"),
        funding_rounding=any_choice("funding_rounding", Rounding.UP),
        funding_receivers_capped=fresh_bool("funding_receivers_capped"),
        fee_rounding=any_choice("fee_rounding", Rounding.UP),
        smaller_keeps_place=fresh_bool("smaller_keeps_place"),
        band_both_sides=fresh_bool("band_both_sides"),
        most_orders=between("most_orders", 0, MAX_LOTS),
        fund_trigger=any_choice("fund_trigger", FundTrigger.DRAWDOWN),
        liquidators=fresh_bool("liquidators"),
        volunteer_edge=between("volunteer_edge", 0, PARTS),
        liquidator_fee=between("liquidator_fee", 0, PARTS),
        vault_least_shares=between("vault_least_shares", 1, MAX_CASH),
        vault_lockup=between("vault_lockup", 0, MAX_TIME),
        vault_notice=between("vault_notice", 0, MAX_TIME),
        fund_begins=between("fund_begins", 0, PARTS),
        fund_ends=between("fund_ends", 0, PARTS),
        fund_window=between("fund_window", 0, MAX_TIME),
        carry_bad_debt=fresh_bool("carry_bad_debt"),
        withdrawal_gate=between("withdrawal_gate", 0, MAX_TIME),
        withdrawal_haircut=fresh_bool("withdrawal_haircut"),
        halt_on_loss=fresh_bool("halt_on_loss"),
        note_paid_in=fresh_bool("note_paid_in"),
        deleverage_weight=any_choice("deleverage_weight", ShareWeight.LOTS),
        deleverage_seed=between("deleverage_seed", 0, MAX_CASH),
        deleverage_cancels_orders=fresh_bool("deleverage_cancels_orders"),
        order_margin=fresh_bool("order_margin"),
    )


def any_ranking() -> Ranking:
    """Any ranking, which whoever compares scores may not ask about."""
    return any_choice("deleverage_ranking", Ranking.LEVERAGED_RETURN)


def sound(position: Position) -> bool:
    """What a position's cost can be: each lot was bought or sold at a price of 1 or more."""
    return all_of(
        implies(position.size > 0, position.cost >= position.size),
        implies(position.size < 0, position.cost <= position.size),
        implies(position.size == 0, position.cost == 0),
    )


def any_position(name: str) -> Position:
    position = Position(fresh_int(f"{name}.size"), fresh_int(f"{name}.cost"))
    assume(sound(position))
    return position


NO_FEWER_THAN_NO_SHARES = Additive("shares", (shares_of,), lambda shares: shares >= 0)


def any_stake(name: str) -> Stake:
    """Any stake in the vault: shares are never negative, and a time is one that a clock shows."""
    shares, locked = between(f"{name}.shares", 0, MAX_SHARES), fresh_int(f"{name}.locked_until")
    requested, worth = fresh_int(f"{name}.requested"), fresh_int(f"{name}.requested_worth")
    assume(all_of(requested >= 0, worth >= 0))
    return Stake(shares, locked, requested, worth, fresh_int(f"{name}.notice_ends"))


def any_isolation(name: str, account: AccountId) -> Isolation:
    """Whose isolated account it is, of which market: nobody's, or any other account's."""
    owner = AccountId(between(f"{name}.owner", NOBODY, MAX_CASH))
    assume(owner != account)
    return Isolation(owner, MarketId(fresh_int(f"{name}.only_market")))


def any_pledge(name: str) -> Pledge:
    """Any pledge that was taken; none is one of no lots."""
    pledge = Pledge(between(f"{name}.lots", 0, MAX_LOTS), between(f"{name}.edge", 0, PARTS))
    assume(implies(pledge.lots == 0, pledge.edge == 0))
    return pledge


def any_insurer(name: str) -> AccountId:
    """The vault of any market: any account but the treasury."""
    insurer = AccountId(between(f"{name}.vault", 0, MAX_CASH))
    assume(insurer != TREASURY)
    return insurer


def any_order(name: str, side: Side | None = None) -> Order:
    """Any order that was accepted; its side is given, since a side is not a number."""
    return Order(
        OrderId(between(f"{name}.id", 1, MAX_CASH)),
        AccountId(between(f"{name}.account", 0, MAX_CASH)),
        side or Side.BUY,
        between(f"{name}.price", 1, MAX_PRICE),
        between(f"{name}.lots", 1, MAX_LOTS),
        fresh_bool(f"{name}.reduce_only"),
        between(f"{name}.expires", 0, MAX_TIME),
    )


_made: WeakKeyDictionary[Run, list[Exchange]] = WeakKeyDictionary()
_given: ContextVar[Iterator[Exchange] | None] = ContextVar("given", default=None)


def worlds() -> tuple[Exchange, ...]:
    """The exchanges that the run which is going on has made, in order."""
    return tuple(_made.get(running(), ()))


@contextmanager
def given(exchanges: Sequence[Exchange]) -> Iterator[None]:
    """For a replay: `any_exchange` gives these plain exchanges, in order."""
    token = _given.set(iter(exchanges))
    try:
        yield
    finally:
        _given.reset(token)


def any_exchange(*, missing: bool = False) -> Exchange:
    """Any exchange. With `missing`, accounts and markets that are looked up may not exist."""
    plain = _given.get()
    if plain is not None:
        return next(plain)
    exchange = _any_exchange(missing)
    _made.setdefault(running(), []).append(exchange)
    return exchange


def _any_exchange(missing: bool) -> Exchange:

    def any_market(market: MarketId) -> Market:
        name = f"market {market}"
        maintenance = between(f"{name}.maintenance_rate", 1, PARTS)
        initial = fresh_int(f"{name}.initial_rate")
        due_at = fresh_bool(f"{name}.due_at_maintenance")
        assume(all_of(initial >= maintenance, initial <= PARTS))
        assume(implies(due_at, initial > maintenance))
        orders: SymTable[OrderId, Order] = SymTable(
            f"{name}.orders", lambda order: any_order(f"{name}.order {order}"), optional=True
        )
        return Market(
            initial,
            maintenance,
            between(f"{name}.vault_cap", 0, MAX_LOTS),
            between(f"{name}.mark", 1, MAX_PRICE),
            orders,
            between(f"{name}.previous_mark", 1, MAX_PRICE),
            tiers=any_choice(f"{name}.tiers", ()),
            open_interest=between(f"{name}.open_interest", 0, MAX_CASH),
            scaled_from=between(f"{name}.scaled_from", 0, MAX_CASH),
            scaled_to=between(f"{name}.scaled_to", 0, MAX_CASH),
            settling=fresh_bool(f"{name}.settling"),
            premiums=fresh_int(f"{name}.premiums"),
            samples=between(f"{name}.samples", 0, MAX_CASH),
            least_notional=between(f"{name}.least_notional", 0, MAX_CASH),
            index=between(f"{name}.index", 0, MAX_PRICE),
            basis=between(f"{name}.basis", -MAX_PRICE, MAX_PRICE),
            marked_at=between(f"{name}.marked_at", 0, MAX_TIME),
            paused=fresh_bool(f"{name}.paused"),
            next_mark=between(f"{name}.next_mark", 0, MAX_PRICE),
            funding_index=fresh_int(f"{name}.funding_index"),
            price_band=between(f"{name}.price_band", 0, PARTS),
            tick=between(f"{name}.tick", 1, MAX_PRICE),
            vault=any_insurer(name),
            vault_boundary=between(f"{name}.vault_boundary", 0, MAX_CASH),
            due_at_maintenance=due_at,
            pledges=SymTable(
                f"{name}.pledges",
                lambda who: any_pledge(f"{name}.pledge {who}"),
                absent=NO_PLEDGE,
            ),
        )

    ordered = margins_ordered(margin.maintenance_margin, margin.initial_margin)
    markets: SymTable[MarketId, Market] = SymTable("markets", any_market, optional=missing)

    def any_account(account: AccountId) -> Account:
        name = f"account {account}"
        positions: SymTable[MarketId, Position] = SymTable(
            f"{name}.positions",
            lambda market: any_position(f"{name}.position {market}"),
            absent=FLAT,
            within=markets if missing else None,
            additive=(ordered,),
        )
        funded: SymTable[MarketId, int] = SymTable(
            f"{name}.funded", lambda market: fresh_int(f"{name}.funded {market}"), absent=0
        )
        return Account(
            fresh_int(f"{name}.collateral"),
            positions,
            funded,
            any_stake(name),
            fresh_int(f"{name}.offered_since"),
            fresh_int(f"{name}.parted_at"),
            fresh_int(f"{name}.paid_in"),
            any_isolation(name, account),
        )

    accounts: SymTable[AccountId, Account] = SymTable(
        "accounts", any_account, optional=missing, additive=(NO_FEWER_THAN_NO_SHARES,)
    )
    custody = fresh_int("custody")
    assume(custody >= 0)
    last_order, now = OrderId(fresh_int("last_order")), between("now", 0, MAX_TIME)
    return Exchange(
        any_rulebook(),
        markets,
        accounts,
        custody,
        last_order,
        now,
        gate_opens=between("gate_opens", 0, MAX_CASH),
        fund_best=fresh_int("fund_best"),
        fund_best_at=between("fund_best_at", 0, MAX_TIME),
        fund_drawn_down=fresh_bool("fund_drawn_down"),
    )
