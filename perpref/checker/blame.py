"""Which rule is to blame for a difference.

The clues are asked in the order of `CLUES`; the first that has an answer gives it:

1. a refusal on one side only, or two that differ: the rule of the refusal;
2. the first event that differs: what the guards say of the engine's event, then the tables below;
3. the same events and another state: what the last fill did to the position, or who moved the cash;
4. no events to go by: the reference's last event that touched what differs first.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from perpref import machine
from perpref.checker.differences import same_event, telling
from perpref.checker.finding import Difference, Kind
from perpref.checker.trace import Traced, trace
from perpref.checker.victims import (
    FORCED,
    due_by_rounding,
    earlier_fills,
    last_victim,
    parties_by_part,
    place_in_visit,
    price_by_rounding,
    victim_of,
)
from perpref.checker.wire import Done, RefusedBy, Result
from perpref.forced_closing import closing
from perpref.outcome import (
    Cancelled,
    CashMoved,
    Event,
    Filled,
    Marked,
    Outcome,
    Paid,
    Refused,
    Rested,
)
from perpref.rule_registry import Refusal, RefusalCode
from perpref.rules import (
    book,
    ledger,
    liquidation,
    liquidation_size,
    liquidation_time,
    loss,
    vault,
)
from perpref.rules.fee import liquidation_charge, trading_fee
from perpref.rules.funding import funding_due
from perpref.rules.margin import equity, health, position_of
from perpref.rules.position import traded
from perpref.scheduler import may_take_over, next_order
from perpref.state import (
    BankruptcyPrice,
    Exchange,
    FeeBound,
    ForcedPrice,
    LiquidationLimit,
    LiquidationOrder,
    LiquidationPosition,
    LiquidationSize,
    MarkPolicy,
    Order,
    Rulebook,
    SelfTrade,
    Side,
    TakeoverPrice,
)
from perpref.state import Kind as OrderKind
from perpref.units import PARTS, AccountId, MarketId, Rounding, sign

SIZES = {
    LiquidationSize.WHOLE: "LIQ-6",
    LiquidationSize.TO_BUFFER: "LIQ-12",
    LiquidationSize.TIER_STEP: "LIQ-12",
    LiquidationSize.EQUAL_SHARE: "LIQ-13",
}
"""By how much is closed at a time: the rule that says how many lots an order has."""

TURNS = {
    LiquidationOrder.ACCOUNT: "LIQ-8",
    LiquidationOrder.WORST_FIRST: "LIQ-19",
    LiquidationOrder.SEEDED: "LIQ-19",
}
"""By whose turn it is: the rule that says so."""

POSITIONS = {LiquidationPosition.LARGEST_FIRST: "LIQ-3", LiquidationPosition.SEEDED: "LIQ-40"}
"""By which position is closed first: the rule that says so."""

SAME_RULE = {
    ("LED-5", "amount"): "LED-5",
    ("LED-7", "amount"): "LED-7",
    ("LED-8", "amount"): "LED-8",
    ("ISO-1", "amount"): "ISO-1",
    ("ISO-5", "amount"): "ISO-5",
    ("FEE-2", "amount"): "FEE-1",
    ("FEE-3", "amount"): "FEE-1",
    ("FEE-5", "amount"): "FEE-4",
    ("FUND-3", "amount"): "FUND-2",
    ("FUND-3", "direction"): "FUND-2",
    ("FUND-14", "amount"): "FUND-14",
    ("FUND-12", "amount"): "FUND-9",
    ("FUND-12", "direction"): "FUND-9",
    ("LOSS-3", "amount"): "LOSS-3",
    ("LOSS-3", "payer"): "LOSS-5",
    ("BOOK-3", "counterparty"): "BOOK-2",
    ("BOOK-3", "price"): "BOOK-3",
    ("BOOK-3", "lots"): "BOOK-3",
    ("LIQ-6", "counterparty"): "BOOK-2",
    ("LIQ-6", "price"): "LIQ-6",
    ("LIQ-6", "lots"): "LIQ-6",
    ("VLT-1", "price"): "LIQ-5",
    ("VLT-22", "amount"): "VLT-22",
    ("VLT-1", "lots"): "VLT-1",
    ("ADL-3", "counterparty"): "ADL-2",
    ("ADL-3", "price"): "LIQ-5",
    ("ADL-3", "lots"): "ADL-4",
    ("LOSS-1", "counterparty"): "ADL-2",
    ("LOSS-1", "price"): "LOSS-1",
    ("LOSS-1", "lots"): "LOSS-1",
    ("VLT-8", "amount"): "VLT-8",
    ("LOSS-10", "amount"): "LOSS-10",
    ("ADL-13", "amount"): "ADL-13",
    ("SET-2", "counterparty"): "SET-3",
    ("SET-2", "price"): "SET-2",
    ("SET-2", "lots"): "SET-2",
}
"""Both sides have an event under this rule, and this differs in it: the rule to blame."""

MISSING = {"FUND-3": "FUND-3", "LOSS-3": "LOSS-3", "BOOK-3": "BOOK-3"}
"""One side has no event under this rule at all; for rules not listed, the rule itself."""

ORDERS = (machine.Place, machine.Replace)
"""The commands by which an order comes."""

OF_MAKERS = ("BOOK-5", "BOOK-7", "BOOK-11")
"""Why a maker's order is cancelled when somebody meets it."""

COMPUTES = {
    "FEE-2": "FEE-1",
    "FEE-3": "FEE-1",
    "FEE-5": "FEE-4",
    "FUND-3": "FUND-2",
    "FUND-12": "FUND-9",
}
"""A payment of one quantum that is missing is one that was rounded to nothing, by this rule."""


@frozen
class Clues:
    """What is known of a step on which the two sides part."""

    kind: Kind
    before: Exchange
    command: machine.Command
    expected: Outcome | Refused | None
    result: Result
    differences: tuple[Difference, ...]
    shows_events: bool
    within: int

    @property
    def traced(self) -> tuple[Traced, ...]:
        """The reference's events, and the state before each."""
        if isinstance(self.result, Done):
            said = self.result
            return trace(self.before, self.command, said.choices, said.events)[0]
        return trace(self.before, self.command)[0]


def blamed(clues: Clues) -> str:
    """The id of the rule that is to blame; empty when there is nothing to go by."""
    for clue in CLUES:
        rule = clue(clues)
        if rule is not None:
            relative = rule in ("BOOK-4", "BOOK-11") and _meets_a_relative(clues, rule)
            return "ISO-6" if relative else rule
    return ""


def _meets_a_relative(clues: Clues, rule: str) -> bool:
    """Whether the order meets one of another account of the same trader.

    Where the engine could not bear the fill it was one that the reference never tried.
    """
    taker, command = _taker(clues.command), clues.command
    if taker is None or not isinstance(command, ORDERS):
        return False
    gone = (traced.event for traced in clues.traced)
    met = {e.account for e in gone if isinstance(e, Cancelled) and e.rule == "BOOK-11"}
    facing = book.best(clues.before.markets[command.market], taker.side.opposite)
    if facing is not None and not met and rule == "BOOK-11":
        met = {facing.account}
    return bool(met - {taker.account})


# 1. Refusals.


def refusal(clues: Clues) -> str | None:
    """One side refuses: the rule of its refusal. Both do: the reference's."""
    if isinstance(clues.expected, Refused):
        if _cancels_for_nothing(clues):
            return "BOOK-16"
        if clues.expected.code == book.NOT_FILLED.code and _fills_against_reduce_only(clues):
            return "BOOK-7"
        return "MRG-5" if _reduces_all_the_same(clues) else clues.expected.rule
    if clues.kind is Kind.REFUSAL and isinstance(clues.result, RefusedBy):
        if clues.result.rule in ("BOOK-4", "BOOK-5") and _fills_reduce_only(clues):
            return "BOOK-7"
        if clues.result.rule == "BOOK-11" and not isinstance(clues.command, ORDERS):
            return "LIQ-2"  # a liquidation that meets an order of its own account
        if clues.result.rule == "BOOK-4" and _borne_but_for_the_price(clues):
            return "BOOK-3"
        return clues.result.rule or _rule_of_command(clues.command)
    return None


def _cancels_for_nothing(clues: Clues) -> bool:
    """Whether an order is gone for one that is refused, and nothing else has happened."""
    match clues.command, clues.result:
        case machine.Replace(replaced), Done((Cancelled(_, order),)):
            return order == replaced
        case machine.Replace(replaced), RefusedBy():
            return any(difference.order == replaced for difference in clues.differences)
    return False


def _reduces_all_the_same(clues: Clues) -> bool:
    """Whether the engine does a fill that reduces, and that the taker cannot bear even so."""
    if not (isinstance(clues.expected, Refused) and isinstance(clues.result, Done)):
        return False
    if clues.expected.code != book.TAKER_CANNOT_BEAR.code:
        return False
    taker = _taker(clues.command)
    fills = [event for event in clues.result.events if isinstance(event, Filled)]
    return bool(taker and fills and _only_reduces_by(clues.before, taker.account, fills[0]))


def _fills_against_reduce_only(clues: Clues) -> bool:
    """Whether the engine fills an order whole with the help of one that can only reduce."""
    if not isinstance(clues.result, Done):
        return False
    if any(event.rule == "BOOK-6" for event in clues.result.events):
        return False  # not whole: the rest was cancelled
    for event in clues.result.events:
        if isinstance(event, Filled) and event.market in clues.before.markets:
            resting = clues.before.markets[event.market].orders
            parties = (event.buyer, event.seller)
            if any(order.reduce_only and order.account in parties for _, order in resting.items()):
                return True
    return False


def _borne_but_for_the_price(clues: Clues) -> bool:
    """Whether the taker can bear the first fill, but could not at its own limit.

    By so much that neither the fee nor a rounding can be what is in dispute.
    """
    command, taker = clues.command, _taker(clues.command)
    first = next((f for t in clues.traced if (f := _tried(t, taker)) is not None), None)
    if taker is None or first is None or not isinstance(command, ORDERS):
        return False
    now, maker, lots = first
    buyer, seller = book.parties(taker, maker)
    at_makers, at_takers = (
        health(
            ledger.fill(now, buyer, seller, command.market, lots, price, "BOOK-3").exchange,
            taker.account,
        )
        for price in (maker.price, taker.price)
    )
    fee = trading_fee(lots, maker.price, now.rulebook.taker_fee)
    doubtful = 2 * fee + len(now.accounts[taker.account].positions) + 1
    return at_makers.equity - at_makers.initial > doubtful and at_takers.equity < at_takers.initial


def _tried(traced: Traced, taker: Order | None) -> tuple[Exchange, Order, int] | None:
    """The maker, and for how many lots, when this event shows that a fill was tried."""
    now, event = traced.before, traced.event
    if taker is None:
        return None
    match event:
        case Filled(rule="BOOK-3"):
            other = event.seller if taker.account == event.buyer else event.buyer
            maker = _maker(now, event, other)
        case Cancelled(rule="BOOK-5"):
            maker = now.markets[event.market].orders[event.order]
        case _:
            return None
    return None if maker is None else (now, maker, min(taker.lots, maker.lots))


def _fills_reduce_only(clues: Clues) -> bool:
    """Whether the reference fills a reduce-only order, which an account can nearly always bear."""
    if getattr(clues.command, "reduce_only", False):
        return True
    for traced in clues.traced:
        if isinstance(traced.event, Filled):
            fill, resting = traced.event, traced.before.markets[traced.event.market].orders
            parties = (fill.buyer, fill.seller)
            if any(order.reduce_only and order.account in parties for _, order in resting.items()):
                return True
    return False


# 2. Events.


@frozen
class Parting:
    """The first events that differ; None where one side has no more."""

    clues: Clues
    before: Exchange
    ours: Event | None
    theirs: Event | None
    ours_after: tuple[Event, ...]
    theirs_after: tuple[Event, ...]
    agreed: tuple[Traced, ...]

    @property
    def victim(self) -> AccountId | None:
        """Whom the last event that both sides have liquidates."""
        return last_victim(self.agreed)


def first_event(clues: Clues) -> str | None:
    """Ask the guards, then the tables, about the first event that differs."""
    if not clues.shows_events or not isinstance(clues.result, Done):
        return None
    parting = _parting(clues, clues.result.events)
    if parting is None:
        return None
    for question in (
        placed_anew,
        own_order_in_the_way,
        who_met_itself,
        whose_turn,
        who_may_wait,
        only_one_side_liquidates,
        another_position_first,
        another_limit,
        book_beyond_need,
        a_maker_that_bears_fewer_lots,
        a_takeover_away_from_the_mark,
        the_guards_say_no,
        another_rounding,
        same_rule_other_value,
        one_event_missing,
        other_events,
    ):
        rule = question(parting)
        if rule is not None:
            return rule
    return None


def _parting(clues: Clues, engine: tuple[Event, ...]) -> Parting | None:
    pairs = [t for t in clues.traced if telling((t.event,), clues.within)]
    ours = tuple(pair.event for pair in pairs)
    theirs = telling(engine, clues.within)
    for at in range(max(len(ours), len(theirs))):
        our = ours[at] if at < len(ours) else None
        their = theirs[at] if at < len(theirs) else None
        if our is None or their is None or not same_event(our, their, clues.within):
            before = pairs[at].before if at < len(pairs) else _end(clues)
            return Parting(clues, before, our, their, ours[at:], theirs[at:], tuple(pairs[:at]))
    return None


def _end(clues: Clues) -> Exchange:
    return clues.expected.exchange if isinstance(clues.expected, Outcome) else clues.before


def _liquidates(events: tuple[Event, ...]) -> bool:
    return any(event.rule in (*FORCED, "LIQ-2", "LOSS-3") for event in events)


def placed_anew(parting: Parting) -> str | None:
    """A replacement leaves the resting order where it is on one side, and not on the other."""
    rules = {event.rule for event in (parting.ours, parting.theirs) if event is not None}
    return "BOOK-17" if "BOOK-17" in rules and len(rules) == 2 else None


def own_order_in_the_way(parting: Parting) -> str | None:
    """The reference stops an order that meets its own account's, and the engine goes on."""
    taker, ours = _taker(parting.clues.command), parting.ours
    if taker is None or not isinstance(ours, Cancelled) or ours.order != taker.id:
        return None
    facing = book.best(parting.before.markets[ours.market], taker.side.opposite)
    met = facing is not None and facing.account == taker.account
    if met and facing is not None and book.crosses(taker.side, taker.price, facing.price):
        return "BOOK-11"
    both = parting.before.rulebook.self_trade is SelfTrade.BOTH
    last = parting.agreed[-1].event if parting.agreed else None
    return "BOOK-11" if both and last is not None and last.rule == "BOOK-11" else None


def who_met_itself(parting: Parting) -> str | None:
    """An account met its own resting order, and the sides differ on whether the other goes too."""
    last = parting.agreed[-1].event if parting.agreed else None
    if not isinstance(last, Cancelled) or last.rule != "BOOK-11":
        return None
    goes = (isinstance(e, Cancelled) and e.rule == "BOOK-6" for e in (parting.ours, parting.theirs))
    return "BOOK-11" if any(goes) else None


def whose_turn(parting: Parting) -> str | None:
    """Both sides liquidate, each somebody else, where accounts are not visited by number."""
    ours, theirs = (victim_of(parting.before, event) for event in (parting.ours, parting.theirs))
    both = ours is not None and theirs is not None and ours != theirs
    by_number = parting.before.rulebook.liquidation_order is LiquidationOrder.ACCOUNT
    if ours is None or theirs is None or not both or by_number:
        return None
    return _before_its_time(parting, theirs) or "LIQ-19"


def _before_its_time(parting: Parting, victim: AccountId) -> str | None:
    """The rule by which what the engine closes comes later: where an auction's limit is, or who
    may wait."""
    fill, now = parting.theirs, parting.before
    if not isinstance(fill, Filled):
        return None
    if fill.rule != "LIQ-6":
        return _of_time(now, victim) if liquidation_time.may_wait(now, victim) else None
    by_auction = now.rulebook.liquidation_limit is LiquidationLimit.AUCTION
    side = liquidation.closing_side(position_of(now, victim, fill.market).size)
    limit = liquidation.liquidation_limit(now, victim, fill.market)
    return "LIQ-14" if by_auction and not book.crosses(side, limit, fill.price) else None


def who_may_wait(parting: Parting) -> str | None:
    """One side goes on closing by force where the other leaves the account for later (LIQ-16)."""
    now = parting.before
    ours, theirs = (_closed_by(now, later) for later in (parting.ours_after, parting.theirs_after))
    by_auction = now.rulebook.liquidation_limit is LiquidationLimit.AUCTION
    timed = by_auction or liquidation_time.goes_by_parts(now.rulebook)
    begun = isinstance(parting.ours, Cancelled) and parting.ours.rule == "BOOK-5"
    if not timed or begun or ours == theirs:
        return None
    if theirs is not None and liquidation_time.may_wait(now, theirs):
        return _of_time(now, theirs)
    if parting.theirs is None and ours is not None:
        if not liquidation.is_due(now, ours):
            return "LIQ-12"
        if not liquidation_time.is_patient(now, ours):
            return "LIQ-16"
        return _of_time(now, ours) if ours == parting.victim else None
    return None


def _closed_by(now: Exchange, events: tuple[Event, ...]) -> AccountId | None:
    """Whom these events begin to close by force, if they do; who cannot bear a fill goes first."""
    for event in events:
        if isinstance(event, Filled) and event.rule in FORCED:
            return victim_of(now, event)
        if event.rule != "BOOK-5":
            return None
    return None


def _of_time(now: Exchange, victim: AccountId) -> str:
    """The rule by which an account waits, or does not."""
    if now.rulebook.liquidation_limit is LiquidationLimit.AUCTION:
        return "LIQ-14"
    since, cooldown = now.accounts[victim].parted_at, now.rulebook.liquidation_cooldown
    cooling = liquidation_time.is_cooling(now.now, since, cooldown)
    return "LIQ-17" if cooling or now.rulebook.block_portion == PARTS else "LIQ-18"


def only_one_side_liquidates(parting: Parting) -> str | None:
    """From here on one side liquidates and the other does nothing: who is due is in dispute."""
    ours, theirs, now = parting.ours_after, parting.theirs_after, parting.before
    if _liquidates(ours[:1]) and not theirs:
        victim = victim_of(now, ours[0])
        if victim is None:
            return None
        if victim == parting.victim:
            if not liquidation.is_due(now, victim):
                return "LIQ-12"
            return "MRG-3" if due_by_rounding(now, victim) else None
        return _not_liquidated(parting, victim)
    if _liquidates(theirs[:1]) and not ours:
        return None if _goes_on(parting, theirs[0]) else "LIQ-1"
    return None


def _not_liquidated(parting: Parting, victim: AccountId) -> str:
    """The engine does not liquidate somebody: whom it should have visited again, or not due."""
    last, now = parting.victim, parting.before
    if last is not None and place_in_visit(now, victim) < place_in_visit(now, last):
        return "LIQ-8"
    return "MRG-3" if due_by_rounding(parting.before, victim) else "LIQ-1"


def _goes_on(parting: Parting, event: Event) -> bool:
    """Whether the engine's event goes on with the liquidation that both sides began."""
    match event:
        case Filled(buyer, seller):
            return parting.victim in (buyer, seller)
        case Paid(_, payee):
            return parting.victim == payee
    return False


def another_position_first(parting: Parting) -> str | None:
    """Both sides close the same account by force, each in another market."""
    ours, theirs = parting.ours, parting.theirs
    if not (isinstance(ours, Filled) and isinstance(theirs, Filled)):
        return None
    forced = ours.rule in FORCED and theirs.rule in FORCED
    if forced and ours.market != theirs.market and _one_victim(parting.before, ours, theirs):
        return POSITIONS[parting.before.rulebook.liquidation_position]
    return None


def another_limit(parting: Parting) -> str | None:
    """What the engine does on the book follows from the limit of an earlier moment (LIQ-6)."""
    victim, ours, theirs = parting.victim, parting.ours, parting.theirs
    if victim is None:
        return None
    match ours, theirs:
        case (Paid(rule="FEE-5") as paid, _) | (_, Paid(rule="FEE-5") as paid):
            charged = theirs.amount if isinstance(theirs, Paid) and theirs.rule == "FEE-5" else 0
            left_out = _of_charge(parting, paid.payer, charged)
            if left_out != "FEE-4":
                return left_out
            return "LIQ-6" if _fee_of_earlier_limit(parting, paid.payer, charged) else None
        case Cancelled(), Filled(rule="VLT-1" | "ADL-3" | "LOSS-1") | None:
            orders = parting.before.markets[ours.market].orders
            if ours.rule in OF_MAKERS and ours.order in orders:
                met = orders[ours.order]
                limits = _earlier_limits(parting, victim, ours.market)
                crossed = (book.crosses(met.side.opposite, limit, met.price) for limit in limits)
                return None if all(crossed) else "LIQ-6"
    return None


def book_beyond_need(parting: Parting) -> str | None:
    """The engine meets one more order for an account that is no longer due (LIQ-6)."""
    victim, theirs = parting.victim, parting.theirs
    if victim is None or not isinstance(theirs, Cancelled) or theirs.rule not in OF_MAKERS:
        return None
    if not liquidation_size.is_safe(parting.before, victim):
        return None
    return "LIQ-1" if _just_covered(parting) else "LIQ-6"


def a_maker_that_bears_fewer_lots(parting: Parting) -> str | None:
    """The maker cannot bear the lots of the reference's order, and can those of the engine's."""
    now, ours, theirs = parting.before, parting.ours, parting.theirs
    if not (isinstance(ours, Cancelled) and ours.rule == "BOOK-5" and isinstance(theirs, Filled)):
        return None
    orders, victim = now.markets[theirs.market].orders, victim_of(now, theirs)
    if theirs.rule != "LIQ-6" or victim is None or ours.order not in orders:
        return None
    try:
        liquidation.liquidate(now, victim, theirs.market, orders[ours.order], theirs.lots)
    except Refusal:
        return None
    whole = abs(position_of(now, victim, theirs.market).size)
    return _of_size(now, evolve(theirs, lots=whole), theirs)


def _earlier_limits(parting: Parting, victim: AccountId, market: MarketId) -> list[int]:
    return [
        liquidation.bankruptcy_price(before, victim, market)
        for before, _ in earlier_fills(parting.agreed, victim, market)
    ]


def _fee_of_earlier_limit(parting: Parting, victim: AccountId, charged: int) -> bool:
    """Whether a liquidation fee is the one that an earlier limit would have allowed."""
    last = next((t for t in reversed(parting.agreed) if isinstance(t.event, Filled)), None)
    if last is None or not isinstance(last.event, Filled) or last.event.rule != "LIQ-6":
        return False
    before, fill = last.before, last.event
    filled = ledger.fill(
        before, fill.buyer, fill.seller, fill.market, fill.lots, fill.price, fill.rule
    )
    left = equity(filled.exchange, victim)
    limits = _earlier_limits(parting, victim, fill.market)
    side = 1 if victim == fill.seller else -1
    return any(
        charged == liquidation_charge(before.rulebook, fill.lots, fill.price, max(better, 0), left)
        for better in (side * (fill.price - limit) * fill.lots for limit in limits[:-1])
    )


def a_takeover_away_from_the_mark(parting: Parting) -> str | None:
    """A takeover away from the mark, or none since it would be too dear elsewhere (VLT-22).

    Asked before the guards, since the price decides how many lots a vault can carry.
    """
    ours, theirs, now = parting.ours, parting.theirs, parting.before
    if not isinstance(ours, Filled) or not isinstance(theirs, Filled) or ours.rule != "VLT-1":
        return None
    if now.rulebook.takeover_price is TakeoverPrice.BANKRUPTCY:
        return None
    if theirs.rule != "VLT-1":
        at_bankruptcy = evolve(now.rulebook, takeover_price=TakeoverPrice.BANKRUPTCY)
        victim = parties_by_part(now, ours)[0]
        priced = evolve(now, rulebook=at_bankruptcy)
        return None if may_take_over(priced, victim, ours.market, 1) else "VLT-22"
    same = (ours.buyer, ours.seller, ours.market) == (theirs.buyer, theirs.seller, theirs.market)
    return "VLT-22" if same and theirs.price != now.markets[theirs.market].mark else None


def the_guards_say_no(parting: Parting) -> str | None:
    """What the rules say of the engine's event in the reference's state, if they refuse it."""
    event = parting.theirs
    if not isinstance(event, Filled):
        return None
    try:
        _attempt(parting, event)
    except Refusal as refused:
        return _of_guard(parting, event, refused.code)
    return None


def _of_guard(parting: Parting, event: Filled, code: RefusalCode) -> str:
    """The rule that a fill breaks which a guard refuses: its own, or the one behind it."""
    if code is liquidation.NOT_DUE and _goes_on(parting, event):
        return "LIQ-1" if _just_covered(parting) else WHILE_DUE[event.rule]
    if code in (book.TAKER_CANNOT_BEAR, book.MAKER_CANNOT_BEAR):
        taker_side = code is book.TAKER_CANNOT_BEAR
        account = _judged(parting, event, taker_side)
        if account is not None and _only_reduces_by(parting.before, account, event):
            return "MRG-5"
    return code.rule


def _just_covered(parting: Parting) -> bool:
    """Whether the equity of the victim is its maintenance margin, which is enough (LIQ-1)."""
    if parting.victim is None:
        return False
    now = health(parting.before, parting.victim)
    return now.equity == now.maintenance


WHILE_DUE = {"LIQ-6": "LIQ-6", "VLT-1": "LIQ-7", "ADL-3": "ADL-5", "LOSS-1": "LOSS-1"}
"""By the rule of a fill: the rule that says that a stage ends when the account is not due."""


def _judged(parting: Parting, event: Filled, taker_side: bool) -> AccountId | None:
    """The taker or the maker of a fill that the engine shows."""
    if event.rule == "LIQ-6":
        return parties_by_part(parting.before, event)[1]
    taker = _taker(parting.clues.command)
    if taker is None or taker_side:
        return taker.account if taker is not None else None
    return event.seller if taker.account == event.buyer else event.buyer


def _only_reduces_by(now: Exchange, account: AccountId, fill: Filled) -> bool:
    """Whether a fill leaves an account with fewer lots on the same side, or none."""
    held = position_of(now, account, fill.market).size
    lots = fill.lots if account == fill.buyer else -fill.lots
    return held * lots < 0 and abs(lots) <= abs(held)


def guard_sentence(clues: Clues) -> str:
    """What the guard says that refuses the engine's event; empty when none does."""
    if not clues.shows_events or not isinstance(clues.result, Done):
        return ""
    parting = _parting(clues, clues.result.events)
    if parting is None or not isinstance(parting.theirs, Filled):
        return ""
    if a_takeover_away_from_the_mark(parting) is not None:
        return ""
    try:
        _attempt(parting, parting.theirs)
    except Refusal as refused:
        return str(refused)
    return ""


def _attempt(parting: Parting, event: Filled) -> None:
    """Carry out the engine's fill on the reference. Raises Refusal when a guard says no."""
    now, market, lots = parting.before, event.market, event.lots
    victim, other = parties_by_part(now, event)
    match event.rule:
        case "VLT-1":
            vault.take_over(now, victim, market, lots)
            vault.take_over(now, victim, market, 1)  # there must be no gap (VLT-1)
        case "ADL-3":
            closing(now)(now, victim, other, market, lots)
        case "LOSS-1":
            loss.close_out(now, victim, other, market, lots)
        case "LIQ-6":
            maker = _maker(now, event, other)
            if maker is not None:
                liquidation.liquidate(now, victim, market, maker)
        case "BOOK-3":
            taker = _taker(parting.clues.command)
            if taker is None:
                return
            maker_account = event.seller if taker.account == event.buyer else event.buyer
            maker = _maker(now, event, maker_account)
            if maker is not None:
                book.match(now, market, taker, maker, event.price)


def _maker(now: Exchange, event: Filled, account: AccountId) -> Order | None:
    """The order of an account that a fill must have met."""
    side = Side.BUY if account == event.buyer else Side.SELL
    for _, order in now.markets[event.market].orders.items():
        if (order.account, order.side, order.price) == (account, side, event.price):
            return order
    return None


def _taker(command: machine.Command) -> Order | None:
    if not isinstance(command, ORDERS):
        return None
    price = book.UNPRICED[command.side] if command.kind is OrderKind.MARKET else command.price
    return Order(
        command.order,
        command.account,
        command.side,
        price,
        command.lots,
        command.reduce_only,
        command.expires,
    )


def same_rule_other_value(parting: Parting) -> str | None:
    """Both sides have such an event, with other values in it."""
    ours, theirs = parting.ours, parting.theirs
    if isinstance(ours, Filled) and isinstance(theirs, Filled) and ours.rule == theirs.rule:
        return _other_fill(parting, ours, theirs)
    if isinstance(ours, Paid) and isinstance(theirs, Paid) and ours.rule == theirs.rule:
        return _other_payment(parting, ours, theirs)
    if isinstance(ours, Marked) and isinstance(theirs, Marked):
        return _mark_rule(parting.clues)
    if isinstance(ours, CashMoved | Rested) and type(ours) is type(theirs):
        return ours.rule
    if isinstance(ours, Cancelled) and isinstance(theirs, Cancelled) and ours.rule == theirs.rule:
        other_maker = ours.order != theirs.order and ours.rule in OF_MAKERS
        return "BOOK-2" if other_maker else ours.rule
    return None


def _mark_rule(clues: Clues) -> str:
    """Who made the mark that differs; one that had waited for a market to go on as well (SET-5)."""
    oracle = clues.before.rulebook.mark_policy is MarkPolicy.ORACLE
    return "MARK-1" if oracle else "MARK-6"


def _other_fill(parting: Parting, ours: Filled, theirs: Filled) -> str:
    if {ours.buyer, ours.seller} != {theirs.buyer, theirs.seller}:
        if ours.rule in FORCED and not _one_victim(parting.before, ours, theirs):
            skipped = victim_of(parting.before, ours)
            rounded = skipped is not None and due_by_rounding(parting.before, skipped)
            return "MRG-3" if rounded else TURNS[parting.before.rulebook.liquidation_order]
        return SAME_RULE[ours.rule, "counterparty"]
    if ours.price != theirs.price:
        if ours.rule in ("BOOK-3", "LIQ-6") and _rests_at(parting.before, ours, theirs.price):
            return "BOOK-2"
        if ours.rule in ("VLT-1", "ADL-3") and _by_another_definition(parting, ours, theirs.price):
            return "LIQ-20"
        if ours.rule in ("VLT-1", "ADL-3") and _shares_equity(parting, ours):
            now, victim = parting.before, parties_by_part(parting.before, ours)[0]
            rounded = price_by_rounding(now, victim, ours.market) == theirs.price
            return "MRG-3" if rounded else "LIQ-4"
        if ours.rule == "ADL-3" and not _at_bankruptcy(parting.before.rulebook):
            return "ADL-3"
        return SAME_RULE[ours.rule, "price"]
    if ours.rule in ("BOOK-3", "LIQ-6") and _reduce_only(parting, ours):
        return "BOOK-7"
    if ours.rule == "LIQ-6":
        return _of_size(parting.before, ours, theirs)
    if ours.rule == "VLT-1" and is_a_share(parting.before, ours):
        return "LIQ-13"
    return SAME_RULE[ours.rule, "lots"]


def is_a_share(now: Exchange, fill: Filled) -> bool:
    """Whether a takeover may be of an equal share of every position, and not of all."""
    shares = now.rulebook.liquidation_size is LiquidationSize.EQUAL_SHARE
    held = abs(position_of(now, parties_by_part(now, fill)[0], fill.market).size)
    return shares and fill.lots < held


def _of_size(now: Exchange, fill: Filled, theirs: Filled) -> str:
    """The rule that says how many lots an order of a liquidation has."""
    victim, size = victim_of(now, fill), now.rulebook.liquidation_size
    parts = liquidation_time.goes_by_parts(now.rulebook)
    if victim is None or not parts:
        return SIZES[size]
    if not liquidation_time.is_patient(now, victim):
        capped = theirs.lots < fill.lots and equity(now, victim) >= 0
        return "LIQ-16" if capped else SIZES[size]
    whole = size is LiquidationSize.WHOLE
    by_size = not whole and next_order(now, victim, fill.market) == fill.lots
    return SIZES[size] if by_size else _of_time(now, victim)


def _at_bankruptcy(rulebook: Rulebook) -> bool:
    """Whether the price of an ADL is always the bankruptcy price."""
    return rulebook.deleverage_price is ForcedPrice.BANKRUPTCY


def _one_victim(now: Exchange, ours: Filled, theirs: Filled) -> bool:
    """Whether both fills close the same account, which is then in both of them, and due."""
    both = {ours.buyer, ours.seller} & {theirs.buyer, theirs.seller}
    return any(liquidation.is_due(now, account) for account in both)


def _by_another_definition(parting: Parting, ours: Filled, price: int) -> bool:
    """Whether it is the bankruptcy price of a rulebook that shares equity, and ours does not."""
    now, market = parting.before, ours.market
    if now.rulebook.bankruptcy_price is BankruptcyPrice.EQUITY_SHARE:
        return False
    shared = evolve(now.rulebook, bankruptcy_price=BankruptcyPrice.EQUITY_SHARE)
    victim = parties_by_part(now, ours)[0]
    other = liquidation.bankruptcy_price(evolve(now, rulebook=shared), victim, market)
    return price == other


def _shares_equity(parting: Parting, ours: Filled) -> bool:
    """Whether the victim shares equity among positions. If it does not, LIQ-4 plays no part."""
    now = parting.before
    if now.rulebook.bankruptcy_price is not BankruptcyPrice.EQUITY_SHARE:
        return False
    return len(now.accounts[parties_by_part(now, ours)[0]].positions) > 1


def _rests_at(now: Exchange, fill: Filled, price: int) -> bool:
    """Whether a party of the fill has an order resting at this other price."""
    return any(
        order.price == price and order.account in (fill.buyer, fill.seller)
        for _, order in now.markets[fill.market].orders.items()
    )


def _reduce_only(parting: Parting, fill: Filled) -> bool:
    taker = _taker(parting.clues.command)
    resting = parting.before.markets[fill.market].orders.items()
    return (taker is not None and taker.reduce_only) or any(
        order.reduce_only and order.account in (fill.buyer, fill.seller) for _, order in resting
    )


def _other_payment(parting: Parting, ours: Paid, theirs: Paid) -> str | None:
    if (ours.payer, ours.payee) == (theirs.payee, theirs.payer) != (ours.payee, ours.payer):
        return SAME_RULE.get((ours.rule, "direction"), ours.rule)
    if (ours.payer, ours.payee) != (theirs.payer, theirs.payee):
        if ours.rule == "FUND-3" and parting.before.rulebook.funding_receivers_capped:
            return "FUND-14"  # who pays comes before who receives
        return SAME_RULE.get((ours.rule, "payer")) if ours.rule == "LOSS-3" else None
    if ours.rule in ("FEE-2", "FEE-3") and _is_the_other_fee(parting, ours, theirs):
        return ours.rule
    by_rounding = _rounded_otherwise(parting, ours.rule, ours.amount, theirs.amount)
    if ours.rule == "FEE-5":
        return by_rounding or _of_charge(parting, theirs.payer, theirs.amount)
    return by_rounding or SAME_RULE[ours.rule, "amount"]


def another_rounding(parting: Parting) -> str | None:
    """The engine pays the funding that another direction of rounding makes."""
    theirs, command, now = parting.theirs, parting.clues.command, parting.before
    if not isinstance(theirs, Paid) or not isinstance(command, machine.SettleFunding):
        return None
    who, rounding = max(theirs.payer, theirs.payee), now.rulebook.funding_rounding
    if (
        theirs.rule not in ("FUND-3", "FUND-14")
        or rounding is Rounding.UP
        or who not in now.accounts
    ):
        return None
    worth = position_of(now, who, command.market).size, now.markets[command.market].mark
    paid = theirs.amount if theirs.payer == who else -theirs.amount
    if paid == funding_due(*worth, command.rate, rounding):
        return None
    return "FUND-13" if paid in (funding_due(*worth, command.rate, r) for r in Rounding) else None


def _rounded_otherwise(parting: Parting, rule: str, ours: int, theirs: int) -> str | None:
    """The engine is a quantum off where the rulebook does not round up: the rule that says so."""
    rulebook = parting.before.rulebook
    if abs(ours - theirs) != 1:
        return None
    if rule in ("FUND-3", "FUND-12") and rulebook.funding_rounding is not Rounding.UP:
        return "FUND-13"
    if rulebook.fee_rounding is Rounding.UP:
        return None
    liquidated = rule == "FEE-5" and _is_rounded_up(parting, theirs)
    return "FEE-8" if rule in ("FEE-2", "FEE-3") or liquidated else None


def _is_rounded_up(parting: Parting, charged: int) -> bool:
    """Whether a liquidation fee is its whole rate of notional, rounded up all the same."""
    rules = parting.before.rulebook
    fills = [t.event for t in parting.agreed if isinstance(t.event, Filled)]
    return any(
        trading_fee(fill.lots, fill.price, rules.liquidation_fee) == charged
        and trading_fee(fill.lots, fill.price, rules.liquidation_fee, rules.fee_rounding) < charged
        for fill in fills[-1:]
    )


def _of_charge(parting: Parting, victim: AccountId, charged: int) -> str:
    """By which rule the engine charged the liquidated something else: the one it left out."""
    last = next((t for t in reversed(parting.agreed) if isinstance(t.event, Filled)), None)
    if last is None or not isinstance(last.event, Filled) or last.event.rule != "LIQ-6":
        return "FEE-4"
    before, fill = last.before, last.event
    left = equity(
        ledger.fill(
            before, fill.buyer, fill.seller, fill.market, fill.lots, fill.price, fill.rule
        ).exchange,
        victim,
    )
    side = 1 if victim == fill.seller else -1
    limit = liquidation.bankruptcy_price(before, victim, fill.market)
    gave, rulebook = side * (fill.price - limit) * fill.lots, before.rulebook
    better, left = max(gave, 0), left + liquidation.lacking(gave)
    without = {
        "FEE-9": evolve(rulebook, liquidation_surplus=0),
        "FEE-10": evolve(rulebook, liquidation_fee_bound=FeeBound.SURPLUS),
    }
    for rule, other in without.items():
        if other != rulebook and charged == liquidation_charge(
            other, fill.lots, fill.price, better, left
        ):
            return rule
    return "FEE-4"


def _is_the_other_fee(parting: Parting, ours: Paid, theirs: Paid) -> bool:
    """Whether the engine charged a maker the taker's rate, or the other way round."""
    rates = parting.before.rulebook
    wrong = rates.taker_fee if ours.rule == "FEE-2" else rates.maker_fee
    right = rates.maker_fee if ours.rule == "FEE-2" else rates.taker_fee
    fills = [t.event for t in parting.clues.traced if isinstance(t.event, Filled)]
    return wrong != right and any(
        trading_fee(fill.lots, fill.price, wrong) == theirs.amount
        and trading_fee(fill.lots, fill.price, right) == ours.amount
        for fill in fills
    )


def one_event_missing(parting: Parting) -> str | None:
    """One side goes on with what comes next on the other: a single event is missing or extra."""
    ours, theirs, within = parting.ours_after, parting.theirs_after, parting.clues.within
    if ours and _continues(ours[1:], theirs, within):
        match ours[0], theirs[:1]:
            case Cancelled() as cancelled, (Filled() as fill,):
                if _passed_over(parting, cancelled, fill):
                    return "BOOK-2"
        return _of_missing(parting, ours[0])
    if theirs and _continues(theirs[1:], ours, within):
        extra = theirs[0]
        if isinstance(extra, Cancelled) and _jumped_the_queue(parting, extra):
            return "BOOK-2"
        return (
            _extra_payment(parting, extra)
            if isinstance(extra, Paid)
            else _of_missing(parting, extra)
        )
    return None


def _jumped_the_queue(parting: Parting, cancelled: Cancelled) -> bool:
    """Whether a maker's order was met before another of the same price that is ahead of it."""
    if cancelled.rule not in OF_MAKERS:
        return False
    listed = parting.before.markets[cancelled.market]
    if cancelled.order not in listed.orders:
        return False
    order = listed.orders[cancelled.order]
    best = book.best(listed, order.side)
    return best is not None and order != best and order.price == best.price


def _continues(rest: tuple[Event, ...], other: tuple[Event, ...], within: int) -> bool:
    if not rest or not other:
        return not rest and not other
    return same_event(rest[0], other[0], within)


def _of_missing(parting: Parting, event: Event) -> str:
    if isinstance(event, Paid) and event.amount == 1:
        theirs = event.amount if event in parting.theirs_after else 0
        by_rounding = _rounded_otherwise(parting, event.rule, event.amount - theirs, theirs)
        return by_rounding or COMPUTES.get(event.rule, event.rule)
    return MISSING.get(event.rule, event.rule)


def other_events(parting: Parting) -> str | None:
    """Each side goes its own way: what each does, and the rule to blame."""
    ours, theirs = parting.ours, parting.theirs
    match ours, theirs:
        case None, None:
            return None
        case None, event:
            assert event is not None
            return _of_missing(parting, event)
        case event, None:
            assert event is not None
            return _of_missing(parting, event)
        case _, Paid() if not isinstance(ours, Paid):
            return _extra_payment(parting, theirs)
        case Cancelled(), Filled():
            if _at_another_price(parting, ours, theirs):
                return "BOOK-3"
            return "BOOK-2" if _passed_over(parting, ours, theirs) else ours.rule
        case Filled(), Cancelled():
            return _engine_cancels(parting, ours, theirs)
        case Filled(), Rested():
            return "BOOK-3"
        case Rested(), Cancelled():
            return theirs.rule
        case Filled(rule="ADL-3"), Filled(rule="LOSS-1"):
            return "ADL-4"
        case Cancelled(), _:
            return ours.rule
        case _, Cancelled():
            assert theirs is not None
            return theirs.rule
        case _:
            assert ours is not None
            return _of_missing(parting, ours)


def _only_reduces(parting: Parting, cancelled: Cancelled) -> bool:
    """Whether a reduce-only order was cancelled as if it did more than reduce."""
    orders = parting.before.markets[cancelled.market].orders
    return cancelled.order in orders and orders[cancelled.order].reduce_only


def _at_another_price(parting: Parting, ours: Cancelled, theirs: Filled) -> bool:
    """Whether the engine fills the order that the reference cancels, at a price of its own."""
    orders = parting.before.markets[ours.market].orders
    if ours.order not in orders or theirs.rule not in ("BOOK-3", "LIQ-6"):
        return False
    order = orders[ours.order]
    same = order.account == (theirs.buyer if order.side is Side.BUY else theirs.seller)
    return same and order.price != theirs.price


def _passed_over(parting: Parting, ours: Cancelled, theirs: Filled) -> bool:
    """Whether the engine met another order of the same price, or comes to this one later."""
    orders = parting.before.markets[ours.market].orders
    if ours.rule not in OF_MAKERS or ours.order not in orders:
        return False
    other = ours.account not in (theirs.buyer, theirs.seller)
    alike = orders[ours.order].price == theirs.price
    return ours in parting.theirs_after or (other and alike)


def _extra_payment(parting: Parting, theirs: Paid) -> str:
    """The engine pays where the reference pays nothing, or where it pays an amount of zero."""
    for traced in parting.clues.traced:
        ours = traced.event
        if isinstance(ours, Paid) and ours.rule == theirs.rule and ours.amount == 0:
            if ours.rule in ("FEE-2", "FEE-3") and _is_the_other_fee(parting, ours, theirs):
                return ours.rule
            by_rounding = _rounded_otherwise(parting, ours.rule, 0, theirs.amount)
            return by_rounding or SAME_RULE.get((theirs.rule, "amount"), theirs.rule)
    return _of_missing(parting, theirs)


def _engine_cancels(parting: Parting, ours: Filled, theirs: Cancelled) -> str:
    """Where the reference fills, the engine cancels an order: a maker's, or what is left."""
    if theirs.rule in OF_MAKERS:
        other = theirs.account not in (ours.buyer, ours.seller)
        if other or _jumped_the_queue(parting, theirs):
            return "BOOK-2"
        return "BOOK-7" if _only_reduces(parting, theirs) else theirs.rule
    taker = _taker(parting.clues.command)
    if theirs.rule != "BOOK-6" or taker is None:
        return theirs.rule
    at_limit = taker.price == ours.price
    did_nothing = len(parting.ours_after) == len(parting.clues.traced)
    if _reduce_only(parting, ours):
        return "BOOK-7"
    return "BOOK-3" if at_limit or did_nothing else "BOOK-4"


# 3. The same events, another state.


def same_events_other_state(clues: Clues) -> str | None:
    """What the last event that touched it did to what differs."""
    if not clues.shows_events or not clues.differences:
        return None
    first = clues.differences[0]
    match first.field:
        case "custody":
            return "LED-1"
        case "mark":
            return _mark_rule(clues)
        case "order" | "orders":
            filled = any(isinstance(t.event, Filled) for t in clues.traced)
            return "BOOK-2" if filled else _book_rule(clues)
        case "last order":
            return "BOOK-1"
    last = _last_touching(clues, first)
    if last is None:
        return _rule_of_command(clues.command)
    match last.event:
        case Filled():
            return _position_rule(last.before, last.event, first)
        case Paid():
            return "LED-2"
        case CashMoved():
            return "LED-1"
    return last.event.rule


def _book_rule(clues: Clues) -> str:
    for traced in reversed(clues.traced):
        if isinstance(traced.event, Rested | Cancelled):
            return traced.event.rule
    return _rule_of_command(clues.command)


def _last_touching(clues: Clues, difference: Difference) -> Traced | None:
    """The reference's last event that touched what differs; a fill rather than its fees."""
    account, market = difference.account, difference.market
    for traced in reversed(clues.traced):
        match traced.event:
            case Filled(buyer, seller, where):
                if account in (buyer, seller) and market in (None, where):
                    return traced
            case Paid(payer, payee):
                alone = not any(isinstance(t.event, Filled) for t in clues.traced)
                if market is None and account in (payer, payee) and alone:
                    return traced
            case CashMoved(holder):
                if market is None and account == holder:
                    return traced
            case Rested() | Cancelled() | Marked():
                if market == traced.event.market and account is None:
                    return traced
    return None


def _position_rule(before: Exchange, fill: Filled, difference: Difference) -> str:
    """Whether the fill opened (POS-1), closed (POS-2) or flipped (POS-3) the position."""
    assert difference.account is not None
    position = position_of(before, difference.account, fill.market)
    lots = fill.lots if difference.account == fill.buyer else -fill.lots
    after, _ = traded(position, lots, fill.price)
    if sign(position.size) * sign(lots) >= 0:
        return "POS-1"
    return "POS-3" if sign(after.size) == -sign(position.size) else "POS-2"


# 4. No events to go by.


def no_events(clues: Clues) -> str | None:
    """What differs, and which of the reference's events can have touched it."""
    if clues.shows_events or not clues.differences:
        return None
    fields = {difference.field for difference in clues.differences}
    if "size" in fields:
        return _other_sizes(clues)
    if "cost" in fields:
        return _other_costs(clues)
    if "collateral" in fields:
        return _other_cash(clues)
    if "mark" in fields:
        return _mark_rule(clues)
    filled = any(isinstance(traced.event, Filled) for traced in clues.traced)
    return "BOOK-2" if filled else _book_rule(clues)


def _other_sizes(clues: Clues) -> str:
    """Lots went to others, or not at all: the last fill that touched a size that differs."""
    sizes = [difference for difference in clues.differences if difference.field == "size"]
    vaults = {listed.vault for _, listed in clues.before.markets.items()}
    took = next((d for d in sizes if d.account in vaults), None)
    if took is not None:
        for traced in clues.traced:
            if isinstance(traced.event, Filled) and traced.event.rule in FORCED:
                return _takeover_rule(traced.before, traced.event, int(took.engine))
    for difference in sizes:
        last = _last_touching(clues, difference)
        if last is not None and isinstance(last.event, Filled):
            if last.event.rule == "VLT-1":
                return "VLT-1"
            return "BOOK-2" if last.event.rule in ("BOOK-3", "LIQ-6") else "ADL-2"
    liquidating = isinstance(clues.command, machine.SetMark | machine.SettleFunding)
    return "LIQ-1" if liquidating else _rule_of_command(clues.command)


def _other_costs(clues: Clues) -> str:
    """The same lots at another price; or what was released was rounded otherwise (POS-2)."""
    moved: dict[AccountId | None, int] = {}
    for d in clues.differences:
        if d.field in ("cost", "collateral"):
            change = int(d.engine) - int(d.reference)
            moved[d.account] = moved.get(d.account, 0) + (-change if d.field == "cost" else change)
    if not any(moved.values()):
        return "POS-2"
    fills = [t.event for t in clues.traced if isinstance(t.event, Filled)]
    vaults = {listed.vault for _, listed in clues.before.markets.items()}
    trades = any(vaults & {fill.buyer, fill.seller} for fill in fills)
    paid = any(moved.get(insurer) for insurer in vaults)
    if paid and not trades and any(fill.rule == "LIQ-6" for fill in fills):
        return "FEE-4"  # nothing else brings the vault cash in a liquidation
    return "LIQ-5" if any(fill.rule in FORCED for fill in fills) else "BOOK-3"


def _other_cash(clues: Clues) -> str:
    """Only cash differs: the payment that is most particular to what happened."""
    rules = {traced.event.rule for traced in clues.traced}
    for happened, rule in CASH:
        if happened in rules:
            return rule
    return _rule_of_command(clues.command)


CASH = (
    ("LOSS-3", "LOSS-3"),
    ("LIQ-6", "FEE-4"),
    ("VLT-1", "LIQ-5"),
    ("ADL-3", "LIQ-5"),
    ("FUND-14", "FUND-14"),
    ("FUND-3", "FUND-2"),
    ("FEE-3", "FEE-1"),
    ("LED-8", "LED-8"),
    ("LED-7", "LED-7"),
    ("LED-5", "LED-5"),
)
"""Only cash differs, and this happened: the rule to blame, the first that applies."""


def _takeover_rule(now: Exchange, forced: Filled, vault_size: int) -> str:
    """The guard that forbids the vault to take over until it holds so many lots."""
    insurer = now.markets[forced.market].vault
    lots = abs(vault_size - position_of(now, insurer, forced.market).size)
    try:
        vault.take_over(now, parties_by_part(now, forced)[0], forced.market, lots)
    except Refusal as refused:
        return refused.code.rule
    return "VLT-1"


# The order of the clues, and what to say when there are none.

CLUES: tuple[Callable[[Clues], str | None], ...] = (
    refusal,
    first_event,
    same_events_other_state,
    no_events,
)

COMMAND_RULES: dict[type[machine.Command], str] = {
    machine.Deposit: "LED-5",
    machine.Withdraw: "LED-7",
    machine.Transfer: "LED-8",
    machine.Isolate: "ISO-1",
    machine.Place: "BOOK-6",
    machine.Cancel: "BOOK-10",
    machine.SetMark: "MARK-1",
    machine.SettleFunding: "FUND-3",
    machine.Unwind: "VLT-6",
    machine.SamplePremium: "FUND-10",
    machine.SettlePremium: "FUND-10",
    machine.SettleMarket: "SET-3",
    machine.AdvanceClock: "CLK-1",
    machine.SetIndex: "MARK-5",
    machine.PauseMarket: "SET-4",
    machine.ResumeMarket: "SET-5",
    machine.Replace: "BOOK-16",
    machine.ContributeToVault: "VLT-13",
    machine.RedeemFromVault: "VLT-14",
    machine.RequestRedemption: "VLT-16",
    machine.Recapitalise: "VLT-18",
    machine.Volunteer: "VLT-20",
    machine.Liquidate: "VLT-9",
    machine.RecallCapital: "VLT-19",
}


def _rule_of_command(command: machine.Command) -> str:
    return COMMAND_RULES[type(command)]
