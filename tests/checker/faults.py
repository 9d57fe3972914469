"""One small fault per rule: another function in the place of one of the reference's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from perpref import scheduler
from perpref.outcome import Outcome
from perpref.rule_registry import Refusal, require
from perpref.rules import (
    adl,
    admission,
    book,
    clock,
    fee,
    funding,
    isolated,
    ledger,
    liquidation,
    liquidation_equity,
    liquidation_size,
    liquidation_time,
    loss,
    loss_trigger,
    margin,
    mark,
    position,
    settlement,
    vault,
)
from perpref.scheduler import Run
from perpref.state import (
    VAULT,
    BankruptcyPrice,
    Exchange,
    FeeBound,
    Kind,
    LiquidationPosition,
    Market,
    Order,
    Position,
    Ranking,
    Rulebook,
    SelfTrade,
    Side,
    TakeoverPrice,
    Tier,
)
from perpref.units import (
    MAX_TIME,
    PARTS,
    AccountId,
    MarketId,
    OrderId,
    Rounding,
    ceil_div,
    divided,
    floor_div,
    sign,
)


@frozen
class Planted:
    """A fault, and the rule that it breaks."""

    rule: str
    what: str
    original: Callable[..., Any]
    instead: Callable[..., Any]


def _released_down(held: Position, lots: int, price: int) -> tuple[Position, int]:
    direction = sign(held.size)
    released = floor_div(held.cost * lots, abs(held.size))
    left = Position(held.size - direction * lots, held.cost - released)
    return left, direction * lots * price - released


def _fee_down(lots: int, price: int, rate: int, rounding: Rounding) -> int:
    return floor_div(lots * price * rate, PARTS)


def _maker_pays_like_taker(x: Exchange, maker: AccountId, lots: int, price: int) -> Outcome:
    due = fee.trading_fee(lots, price, x.rulebook.taker_fee)
    return ledger.pay(x, maker, AccountId(1), due, "FEE-2")


def _due_at_maintenance(x: Exchange, account: AccountId) -> bool:
    now = margin.health(x, account)
    return now.equity < now.maintenance or 0 < now.maintenance == now.equity


def _price_rounded_the_other_way(mark: int, size: int, share: int) -> int:
    return max(1, mark - sign(size) * ceil_div(share, abs(size)))


def _equal_shares(x: Exchange, account: AccountId, _: MarketId) -> int:
    return floor_div(margin.equity(x, account), len(x.accounts[account].positions))


def _everything_is_the_accounts(_rate: int, _better: int, _left: int) -> int:
    return 0


def _always_out_of_the_surplus(_bound: FeeBound, better: int, _left: int) -> int:
    return better


_behind = liquidation_equity.equity_behind


def _always_shared(_definition: BankruptcyPrice, *numbers: int) -> int:
    return _behind(BankruptcyPrice.EQUITY_SHARE, *numbers)


_ahead = adl.outranks


def _tie_to_the_last(first: adl.Standing, second: adl.Standing, ranking: Ranking) -> bool:
    alike = evolve(second, account=first.account)
    tie = not _ahead(first, alike, ranking) and not _ahead(alike, first, ranking)
    return first.account > second.account if tie else _ahead(first, second, ranking)


def _profit_without_leverage(standing: adl.Standing, _: Ranking) -> tuple[int, int]:
    return standing.profit, standing.cost


def _last_come_first_served(first: Order, second: Order) -> bool:
    if first.price != second.price:
        return book.better(first.side, first.price, second.price)
    return first.id > second.id


def _fee_always_up(lots: int, price: int, rate: int, rounding: Rounding) -> int:
    return ceil_div(lots * price * rate, PARTS)


def _funding_always_up(size: int, mark: int, rate: int, rounding: Rounding) -> int:
    return ceil_div(size * mark * rate, PARTS)


def _to_whoever_is_first(due: int, pot: int, owed: int) -> int:
    return min(due, pot)


def _shorts_pay(size: int, mark: int, rate: int, rounding: Rounding) -> int:
    return ceil_div(-size * mark * rate, PARTS)


def _receivers_round_up(size: int, mark: int, rate: int, rounding: Rounding) -> int:
    other = Rounding.DOWN if rounding is Rounding.UP else rounding
    return divided(size * mark * rate, PARTS, other)


_take_over = vault.take_over


def _cap_before(x: Exchange, account: AccountId, market: MarketId, lots: int) -> Outcome:
    held = abs(margin.position_of(x, VAULT, market).size)
    listed = x.markets[market]
    require(held <= listed.vault_cap, vault.OVER_CAP, held, listed.vault_cap)
    capped = evolve(x, markets=x.markets.put(market, evolve(listed, vault_cap=10**30)))
    outcome = _take_over(capped, account, market, lots)
    restored = evolve(outcome.exchange, markets=outcome.exchange.markets.put(market, listed))
    return evolve(outcome, exchange=restored)


def _at_the_bankruptcy_price(
    choice: TakeoverPrice, bankruptcy: int, mark: int, margin: int, lots: int, size: int
) -> tuple[int, int]:
    return bankruptcy, 0


def _any_notional(notional: int, equity: int, cap: int) -> bool:
    return True


def _everybody_bears(x: Exchange, _: AccountId, other: AccountId, market: MarketId) -> int:
    return abs(margin.position_of(x, other, market).size)


def _unguarded(
    x: Exchange, account: AccountId, other: AccountId, market: MarketId, lots: int
) -> Outcome:
    price = adl.deleveraging_price(x, account, market)
    return vault.transfer_position(x, account, other, market, lots, price, "ADL-3")


def _smallest_pay_first(run: Run, debtor: AccountId) -> None:
    worth = [(margin.equity(run.exchange, a), a) for a in run.exchange.accounts]
    payers = sorted((equity, a) for equity, a in worth if equity > 0)
    weights = sum(equity for equity, _ in payers)
    for equity, payer in payers:
        if margin.equity(run.exchange, debtor) == 0:
            return
        run.do(loss.socialise, debtor, payer, weights)
        weights -= equity


def _profit_may_leave(x: Exchange, account: AccountId) -> int:
    return margin.equity(x, account) - margin.health(x, account).initial


def _smallest_first(x: Exchange, account: AccountId) -> tuple[MarketId, ...]:
    return tuple(reversed(scheduler_largest_first(x, account)))


scheduler_largest_first = scheduler.largest_first


def _orders_stay(_run: Run, _account: AccountId) -> None:
    """Cancels nothing."""


def _reduces_to_the_other_side(order: Order, held: Position) -> int:
    if not order.reduce_only:
        return order.lots
    opposite = -held.size if order.side is Side.BUY else held.size
    return order.lots if opposite > 0 else 0


def _fee_beyond_what_the_book_gave(
    lots: int, price: int, rate: int, _better: int, left: int, rounding: Rounding
) -> int:
    return min(fee.trading_fee(lots, price, rate, rounding), max(left, 0))


def _touched_down(size: int, since: int, index: int, rounding: Rounding) -> int:
    other = Rounding.DOWN if rounding is Rounding.UP else rounding
    return divided(size * (index - since), PARTS, other)


def _always_open(_: Exchange) -> None:
    return None


def _always(_: Exchange) -> bool:
    return True


def _highest(first: int, second: int, third: int) -> int:
    return max(first, second, third)


def _jumps(_: int, sample: int, weight: int) -> int:
    return sample if weight else 0


def _never_stale(_: Exchange, market: MarketId) -> None:
    return None


def _as_it_was(x: Exchange, market: MarketId) -> Outcome:
    mark.require_trading(x, market)
    require(x.markets[market].paused, settlement.NOT_PAUSED, market)
    mark.require_fresh(x, market)
    listed = evolve(x.markets[market], paused=False, next_mark=0)
    return Outcome(evolve(x, markets=x.markets.put(market, listed)))


def _any_time(x: Exchange, now: int) -> Outcome:
    require(0 <= now <= MAX_TIME, clock.TIME_OUT_OF_BOUNDS, now, MAX_TIME)
    return Outcome(evolve(x, now=max(now, x.now)))


def _fills_in_part(_order: Order, _left: Order) -> None:
    """Cancels the rest of a fill-or-kill order like that of an IOC order."""


def _of_any_worth(*_: object) -> None:
    """Takes the smallest order."""


_meets_itself = scheduler.meets_itself


def _always_the_resting(run: Run, market: MarketId, order: Order, maker: Order) -> bool:
    run.do(book.cancel, market, maker.id, maker.account, "BOOK-11")
    return False


def _never_the_resting(run: Run, market: MarketId, order: Order, maker: Order) -> bool:
    mode = run.exchange.rulebook.self_trade
    if mode is SelfTrade.BOTH:
        require(run.has_acted, book.SELF_TRADE, order.account)
        return True
    return _meets_itself(run, market, order, maker)


def _both_rest(run: Run, market: MarketId, replaced: OrderId, order: Order, kind: Kind) -> None:
    book.own_order(run.exchange, market, replaced, order.account)
    scheduler.place(run, market, order, kind)


_replace = scheduler.replace


def _cancelled_all_the_same(
    run: Run, market: MarketId, replaced: OrderId, order: Order, kind: Kind
) -> None:
    old = book.own_order(run.exchange, market, replaced, order.account)
    before = run.exchange
    try:
        _replace(run, market, replaced, order, kind)
    except Refusal:
        run.exchange, run.events = before, []
        run.do(book.cancel, market, replaced, old.account, "BOOK-16")


def _larger_keeps_its_place(resting: Order, order: Order) -> bool:
    return resting.side is order.side and resting.price == order.price


def _never_smaller(_resting: Order, _order: Order) -> bool:
    return False


def _binds_the_other_side(x: Exchange, market: MarketId, order: Order) -> None:
    admission_in_band(x, market, evolve(order, side=order.side.opposite))


admission_in_band = admission.require_in_band


def _one_more(rulebook: Rulebook, resting: int) -> None:
    admission_room(rulebook, resting - 1)


admission_room = admission.require_room


def _good_at_its_time(order: Order, now: int) -> bool:
    return order.expires == 0 or order.expires >= now


def _only_the_side_of_the_position(size: int, buys: int, sells: int, listed: Market) -> int:
    lots = size + buys if size >= 0 else sells - size
    return margin.initial_margin(Position(lots, 0), listed)


def _no_buffer(maintenance: int, _notional: int, _buffer: int) -> int:
    return maintenance


_fewest = scheduler.fewest_that_suffice


def _a_lot_too_many(x: Exchange, account: AccountId, market: MarketId) -> int:
    return min(_fewest(x, account, market) + 1, abs(margin.position_of(x, account, market).size))


def _no_tiers(_notional: int, _tiers: tuple[Tier, ...]) -> int:
    return 0


def _share_down(size: int, share: int) -> int:
    return max(floor_div(abs(size) * share, PARTS), 1)


def _at_the_end(_now: int, _since: int, _period: int, steps: int) -> int:
    return steps


def _while_solvent(equity: int, _maintenance: int, _trigger: int) -> bool:
    return equity >= 0


def _never_cools(_now: int, _parted_at: int, _cooldown: int) -> bool:
    return False


def _uncapped(size: int, _mark: int, _portion: int, _least: int) -> int:
    return abs(size)


def _everybody_is_a_trader(_x: Exchange, one: AccountId, other: AccountId) -> bool:
    return one == other


def _kept(_run: Run) -> None:
    pass


def _from_anybody(_x: Exchange, *_accounts: AccountId) -> None:
    pass


def _in_any_market(_x: Exchange, _account: AccountId, _market: MarketId) -> None:
    pass


def _by_number(x: Exchange) -> list[AccountId]:
    return [*(account for account in x.accounts if account != VAULT), VAULT]


def _closed_keep_orders(_run: scheduler.Run, _counterparty: AccountId, _market: MarketId) -> None:
    return None


def _by_market(x: Exchange, account: AccountId) -> tuple[MarketId, ...]:
    if x.rulebook.liquidation_position is LiquidationPosition.LARGEST_FIRST:
        return scheduler_largest_first(x, account)
    return tuple(sorted(market for market, _ in x.accounts[account].positions.items()))


FAULTS = (
    Planted("POS-2", "cost released rounded down", position.closed, _released_down),
    Planted("FEE-1", "fees rounded down", fee.trading_fee, _fee_down),
    Planted("FEE-2", "makers pay the taker's rate", fee.charge_maker, _maker_pays_like_taker),
    Planted("FEE-4", "fee beyond the book", fee.liquidation_fee, _fee_beyond_what_the_book_gave),
    Planted("FEE-9", "a surplus is kept", fee.surplus_taken, _everything_is_the_accounts),
    Planted("FEE-10", "fees out of the surplus", fee.fee_source, _always_out_of_the_surplus),
    Planted("LIQ-20", "equity always shared", liquidation_equity.equity_behind, _always_shared),
    Planted("LED-6", "profit may leave", ledger.withdrawable, _profit_may_leave),
    Planted("LIQ-1", "due at maintenance", liquidation.is_due, _due_at_maintenance),
    Planted("LIQ-2", "orders stay", scheduler.cancel_all_orders, _orders_stay),
    Planted("LIQ-3", "smallest position first", scheduler.largest_first, _smallest_first),
    Planted("LIQ-4", "equal shares of equity", liquidation.share_of_equity, _equal_shares),
    Planted("LIQ-5", "bankruptcy price", liquidation.price_without, _price_rounded_the_other_way),
    Planted("ADL-2", "ties to the last account", adl.outranks, _tie_to_the_last),
    Planted("ADL-2", "ranking without leverage", adl.score, _profit_without_leverage),
    Planted("BOOK-2", "last come, first served", book.ahead, _last_come_first_served),
    Planted("BOOK-7", "reduce-only flips", book.reducible, _reduces_to_the_other_side),
    Planted("BOOK-11", "only the resting order", scheduler.meets_itself, _always_the_resting),
    Planted("BOOK-11", "never the resting order", scheduler.meets_itself, _never_the_resting),
    Planted("BOOK-14", "filled in part", scheduler.require_filled, _fills_in_part),
    Planted("BOOK-15", "of any worth", book.require_worth, _of_any_worth),
    Planted("BOOK-16", "the replaced order stays", scheduler.replace, _both_rest),
    Planted("BOOK-16", "cancelled all the same", scheduler.replace, _cancelled_all_the_same),
    Planted("BOOK-17", "a larger order stays", book.only_smaller, _larger_keeps_its_place),
    Planted("BOOK-17", "no order stays", book.only_smaller, _never_smaller),
    Planted("BOOK-18", "the other side", admission.require_in_band, _binds_the_other_side),
    Planted("BOOK-18", "no band", admission.require_in_band, _of_any_worth),
    Planted("BOOK-19", "no tick", admission.require_on_tick, _of_any_worth),
    Planted("BOOK-20", "one more", admission.require_room, _one_more),
    Planted("BOOK-21", "good at its time", admission.is_live, _good_at_its_time),
    Planted("MRG-8", "one side", margin.order_margin, _only_the_side_of_the_position),
    Planted("ISO-2", "margin from anybody", isolated.require_no_owner, _from_anybody),
    Planted("ISO-2", "margin for anybody", isolated.require_in_family, _from_anybody),
    Planted("ISO-3", "in any market", isolated.require_own_market, _in_any_market),
    Planted("ISO-5", "what is left stays", scheduler.release_closed, _kept),
    Planted("ISO-6", "every account a trader", isolated.same_trader, _everybody_is_a_trader),
    Planted("FUND-2", "shorts pay", funding.funding_due, _shorts_pay),
    Planted("FUND-2", "receivers round up", funding.funding_due, _receivers_round_up),
    Planted("FUND-13", "funding is always rounded up", funding.funding_due, _funding_always_up),
    Planted("FUND-14", "first come, first served", funding.receiver_part, _to_whoever_is_first),
    Planted("FEE-8", "fees are always rounded up", fee.trading_fee, _fee_always_up),
    Planted("MARK-6", "the higher of three prices", mark.median, _highest),
    Planted("MARK-6", "the average jumps", mark.averaged, _jumps),
    Planted("MARK-7", "no mark is too old", mark.require_fresh, _never_stale),
    Planted("SET-4", "orders during a pause", mark.require_open, mark.require_fresh),
    Planted("SET-5", "what waited is forgotten", settlement.resume, _as_it_was),
    Planted("CLK-1", "time stands still", clock.advance, _any_time),
    Planted("FUND-9", "a touch rounds down", funding.funding_by_index, _touched_down),
    Planted("LED-9", "a gate that is always open", ledger.require_open_gate, _always_open),
    Planted("LOSS-11", "the fund has always fallen", loss_trigger.has_fallen, _always),
    Planted("LIQ-12", "no buffer", liquidation_size.with_buffer, _no_buffer),
    Planted("LIQ-12", "a lot too many", scheduler.fewest_that_suffice, _a_lot_too_many),
    Planted("LIQ-12", "all tiers at once", liquidation_size.tier_begins, _no_tiers),
    Planted("LIQ-13", "shares rounded down", liquidation_size.lots_of_share, _share_down),
    Planted("LIQ-14", "an auction at its end", liquidation_time.auction_step, _at_the_end),
    Planted("LIQ-16", "no trigger to wait above", liquidation_time.has_time, _while_solvent),
    Planted("LIQ-17", "no cooldown", liquidation_time.is_cooling, _never_cools),
    Planted("LIQ-18", "no caps", liquidation_time.capped_lots, _uncapped),
    Planted("LIQ-19", "by number", scheduler.visited, _by_number),
    Planted("LIQ-40", "first market first", scheduler.positions_in_turn, _by_market),
    Planted("ADL-14", "orders stay", scheduler.cancel_orders_of_closed, _closed_keep_orders),
    Planted("VLT-2", "the cap before the takeover", vault.take_over, _cap_before),
    Planted("VLT-22", "never at the mark", vault.takeover_terms, _at_the_bankruptcy_price),
    Planted("VLT-23", "any notional", vault.is_within_notional_cap, _any_notional),
    Planted("LOSS-5", "smallest pay first", scheduler.share_by_equity, _smallest_pay_first),
)
"""Each is found by the search, and blamed on its rule."""

BEARING = Planted("ADL-4", "everybody bears everything", adl.bearable, _everybody_bears)
UNGUARDED = Planted("ADL-4", "no guard", adl.deleverage, _unguarded)
"""Together these bankrupt counterparties; the first alone makes the engine fail."""
