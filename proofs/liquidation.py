"""LIQ: who is due, and what the bankruptcy price guarantees."""

from __future__ import annotations

from attrs import evolve

from perpref.rules import liquidation, liquidation_equity, liquidation_size, margin
from perpref.rules.margin import equity, health, position_of
from perpref.rules.vault import transfer_position
from perpref.state import (
    NEVER,
    TREASURY,
    BankruptcyPrice,
    Exchange,
    LiquidationLimit,
    Side,
)
from perpref.units import (
    MAX_CASH,
    MAX_PRICE,
    MAX_TIME,
    PARTS,
    AccountId,
    MarketId,
    floor_div,
    sign,
)
from proofs.contracts import ALL_CONTRACTS, MARGINS
from proofs.executor import (
    all_of,
    any_of,
    assume,
    choose,
    claim,
    fresh_int,
    implies,
    ite,
    negation,
)
from proofs.laws import SOLVENCY, Step, action, attempt, of, take
from proofs.ledger import any_account
from proofs.margin import any_health
from proofs.registry import tested, theorem
from proofs.world import any_exchange, any_order, between

BEHIND = (*MARGINS, "equity_behind")
"""What stands behind a position is any amount that a definition may give (LIQ-20)."""

CLOSED = (*MARGINS, "traded", "newly_long", "price_without")
"""A position is closed at a price, which costs no more than what stands behind it."""


def any_due() -> tuple[Exchange, AccountId, MarketId]:
    """Any account that is due, with an open position in the market."""
    exchange, account, market = any_target()
    now = health(exchange, account)
    assume(now.equity < now.maintenance)
    assume(position_of(exchange, account, market).size != 0)
    return exchange, account, market


def any_due_under_any_definition() -> tuple[Exchange, AccountId, MarketId]:
    """The same, under each way to say what stands behind a position (LIQ-20)."""
    exchange, account, market = any_due()
    definition = choose("bankruptcy_price", tuple(BankruptcyPrice))
    rulebook = evolve(exchange.rulebook, bankruptcy_price=definition)
    return evolve(exchange, rulebook=rulebook), account, market


def any_target() -> tuple[Exchange, AccountId, MarketId]:
    """Any account and any market."""
    return any_exchange(), any_account("account"), MarketId(fresh_int("market"))


@theorem("T-LIQ", "LIQ-1", subject="is_due", assumes=MARGINS)
def an_account_is_due_when_its_equity_is_below_its_maintenance_margin() -> None:
    """Strictly below: an account at its maintenance margin is not due."""
    exchange, account = any_exchange(), any_account("account")
    now = health(exchange, account)
    claim("due", bool(liquidation.is_due(exchange, account)) is bool(now.equity < now.maintenance))


@theorem("T-LIQ", "LIQ-19", subject="is_worse")
def being_worse_puts_accounts_in_an_order() -> None:
    """Of two accounts at most one is worse, and who is worse than a worse one is worse as well.

    The insolvent are worse than the solvent.
    """
    first, second, third = (any_health(name) for name in ("first", "second", "third"))
    for stands in (first, second, third):
        assume(stands.maintenance >= 1)  # without any, it counts as one
    worse = liquidation.is_worse
    claim("insolvent", implies(all_of(first.equity < 0, second.equity >= 0), worse(first, second)))
    if worse(first, second):
        claim("one of two", negation(worse(second, first)))
        if worse(second, third):
            claim("on", worse(first, third))


@theorem("T-BP", "LIQ-4", subject="share_of_equity", assumes=MARGINS)
def the_equity_behind_a_position_is_part_of_the_equity() -> None:
    """The share of a solvent account is between 0 and its equity; of an insolvent one, a loss.

    The equity behind the only position of an account is its whole equity, but where the price is
    that of its entry; and where the whole equity stands behind each, behind every position.
    """
    exchange, account, market = any_due_under_any_definition()
    share, now = liquidation.share_of_equity(exchange, account, market), equity(exchange, account)
    claim("part of it", implies(now >= 0, all_of(share >= 0, share <= now)))
    claim("a loss", implies(now < 0, all_of(share < 0, share >= now)))
    position = position_of(exchange, account, market)
    weight = margin.maintenance_margin(position, exchange.markets[market])
    only = weight == health(exchange, account).maintenance
    definition = exchange.rulebook.bankruptcy_price
    if definition is BankruptcyPrice.EQUITY_SHARE:
        claim("the only position", implies(only, share == now))
    if definition is BankruptcyPrice.WHOLE_EQUITY:
        claim("every position", share == now)


@theorem("T-BP", "LIQ-5", subject="bankruptcy_price", assumes=BEHIND)
def closing_in_full_at_the_bankruptcy_price_uses_up_the_equity_behind_it() -> None:
    """It leaves the equity that does not stand behind it, and 0 to size - 1 quanta of dust.

    So an account with a single position is left with 0 <= equity < size where equity is shared,
    and any account where the whole of it stands behind each position.
    """
    exchange, account, market = any_due()
    receiver = any_account("receiver")
    assume(receiver != account)
    size = position_of(exchange, account, market).size
    price = liquidation.bankruptcy_price(exchange, account, market)
    assume(price > 1)
    share, before = (
        liquidation.share_of_equity(exchange, account, market),
        equity(exchange, account),
    )
    closed = transfer_position(exchange, account, receiver, market, abs(size), price, "LIQ-5")
    dust = equity(closed.exchange, account) - (before - share)
    claim("dust", all_of(dust >= 0, dust < abs(size)))


@theorem("T-BP", "LIQ-5", subject="bankruptcy_price", assumes=BEHIND)
def the_bankruptcy_price_is_worse_than_the_mark_while_solvent_and_better_after() -> None:
    """A long that is solvent sells at or below the mark, an insolvent one at or above it."""
    exchange, account, market = any_due()
    size = position_of(exchange, account, market).size
    price = liquidation.bankruptcy_price(exchange, account, market)
    gives = sign(size) * (exchange.markets[market].mark - price)
    now = equity(exchange, account)
    claim("solvent", implies(now >= 0, gives >= 0))
    claim("insolvent", implies(all_of(now < 0, price > 1), gives < 0))
    claim("a price", price >= 1)


@theorem("T-BP", "LIQ-4", subject="part_of_equity")
def the_part_of_a_solvent_equity_is_not_more_than_it() -> None:
    """A weight's part of a non-negative equity is between 0 and the equity, rounded down."""
    had, weight, weights = fresh_int("equity"), fresh_int("weight"), fresh_int("weights")
    assume(all_of(0 <= weight, weight <= weights, weights > 0))
    part = liquidation_equity.part_of_equity(had, weight, weights)
    claim("part of it", implies(had >= 0, all_of(part >= 0, part <= had)))
    claim(
        "rounded down", all_of(part * weights <= had * weight, had * weight < (part + 1) * weights)
    )


@theorem("T-BP", "LIQ-20", "LIQ-21", subject="equity_behind")
def what_stands_behind_a_position_is_never_more_than_a_solvent_equity() -> None:
    """Under each definition it is between 0 and the equity of a solvent account, and no credit.

    So closing at the bankruptcy price cannot make a solvent account insolvent.
    """
    definition = choose("definition", tuple(BankruptcyPrice))
    had, weight, weights = fresh_int("equity"), fresh_int("weight"), fresh_int("weights")
    profit, cost = fresh_int("profit"), fresh_int("cost")
    rate = between("rate", 0, PARTS)
    assume(all_of(0 <= weight, weight <= weights, weights > 0))
    behind = liquidation_equity.equity_behind(definition, had, weight, weights, profit, cost, rate)
    claim("part of it", implies(had >= 0, all_of(behind >= 0, behind <= had)))
    claim("a loss", implies(all_of(had < 0, weight >= 1), all_of(behind < 0, behind >= had)))
    if definition is BankruptcyPrice.WHOLE_EQUITY:
        claim("all of it", behind == had)


@theorem("T-BP", "LIQ-21", subject="equity_behind")
def with_just_its_own_margin_a_position_is_bankrupt_at_entry_less_initial_margin() -> None:
    """Where its own margin is there, the price is the entry's less a lot's initial margin.

    That is, of a long the lowest price at which what is sold is worth its cost less the margin,
    and of a short the highest at which buying it back costs no more than cost and margin.
    """
    mark, size, cost = between("mark", 1, MAX_PRICE), fresh_int("size"), fresh_int("cost")
    rate, had = between("rate", 0, PARTS), fresh_int("equity")
    assume(any_of(size > 0, size < 0))
    profit = size * mark - cost
    own = liquidation_equity.margin_of_entry(profit, cost, rate)
    initial = own - profit
    claim(
        "its rate of cost, rounded down",
        all_of(initial * PARTS <= abs(cost) * rate, abs(cost) * rate < (initial + 1) * PARTS),
    )
    assume(all_of(0 <= own, own <= had))
    behind = liquidation_equity.equity_behind(BankruptcyPrice.ENTRY, had, 0, 1, profit, cost, rate)
    price = liquidation.price_without(mark, size, behind)
    lost = cost - size * price  # at that price, to the quantum
    claim("no more than the margin", implies(price > 1, lost <= initial))
    claim("but for a quantum a lot", implies(price > 1, initial - lost < abs(size)))


@theorem("T-BP", "LIQ-21", subject="bankruptcy_price", assumes=CLOSED)
def an_isolated_position_loses_no_more_than_its_own_margin() -> None:
    """A solvent account keeps all that it has beyond the margin of the position's entry.

    Closed in full at its bankruptcy price, and whatever the account holds elsewhere.
    """
    exchange, account, market = any_due()
    rulebook = evolve(exchange.rulebook, bankruptcy_price=BankruptcyPrice.ENTRY)
    exchange = evolve(exchange, rulebook=rulebook)
    receiver = any_account("receiver")
    assume(receiver != account)
    held, listed = position_of(exchange, account, market), exchange.markets[market]
    own = liquidation_equity.margin_of_entry(
        margin.position_value(held, listed), held.cost, listed.initial_rate
    )
    had = equity(exchange, account)
    assume(had >= 0)
    price = liquidation.bankruptcy_price(exchange, account, market)
    lots = abs(held.size)
    closed = transfer_position(exchange, account, receiver, market, lots, price, "LIQ-5").exchange
    claim("keeps the rest", equity(closed, account) >= had - ite(own > 0, own, 0))
    claim("solvent", equity(closed, account) >= 0)


@theorem("T-BP", "LIQ-5", subject="price_without")
def closing_without_a_share_costs_no_more_than_the_share() -> None:
    """Closing all lots at that price costs a share of zero or more at most itself; never a gain."""
    mark, size, share = between("mark", 1, MAX_PRICE), fresh_int("size"), fresh_int("share")
    assume(any_of(size > 0, size < 0))
    price = liquidation.price_without(mark, size, share)
    gives = sign(size) * (mark - price)
    claim("bounded", implies(share >= 0, all_of(gives >= 0, gives * abs(size) <= share)))
    claim("a price", price >= 1)


@theorem("T-BP", "LIQ-5", subject="bankruptcy_price", assumes=MARGINS)
def a_long_that_is_due_never_meets_the_lowest_price() -> None:
    """The clamp at 1 concerns insolvent shorts only: a long that is due has a price of its own.

    Where the whole equity stands behind each position, that is so of an only position alone.
    """
    exchange, account, market = any_due_under_any_definition()
    if exchange.rulebook.bankruptcy_price is not BankruptcyPrice.EQUITY_SHARE:
        listed, held = exchange.markets[market], position_of(exchange, account, market)
        only = health(exchange, account).maintenance == margin.maintenance_margin(held, listed)
        assume(only)
    size = position_of(exchange, account, market).size
    assume(size > 0)
    share = liquidation.share_of_equity(exchange, account, market)
    distance = floor_div(share, size)
    claim("not clamped", exchange.markets[market].mark - distance >= 1)


def _liquidate(side: Side) -> Step:
    exchange, account, market = any_target()
    maker = any_order("maker", side.opposite)
    size = position_of(exchange, account, market).size
    assume(size > 0 if side is Side.SELL else size < 0)
    after = take(liquidation.liquidate, exchange, account, market, maker, fresh_int("most"))
    insurer = exchange.markets[market].vault
    return Step(exchange, after, (account, maker.account, TREASURY, insurer), market)


@action(
    "LIQ-1", "LIQ-3", "LIQ-6", "FEE-4", "FEE-5", "BOOK-5", keeps=SOLVENCY, assumes=ALL_CONTRACTS
)
def liquidate_long() -> Step:
    return _liquidate(Side.SELL)


@action(
    "LIQ-1", "LIQ-3", "LIQ-6", "FEE-4", "FEE-5", "BOOK-5", keeps=SOLVENCY, assumes=ALL_CONTRACTS
)
def liquidate_short() -> Step:
    return _liquidate(Side.BUY)


@of(liquidate_long, "T-LIQ", "LIQ-3", "LIQ-6", assumes=ALL_CONTRACTS)
@of(liquidate_short, "T-LIQ", "LIQ-3", "LIQ-6", assumes=ALL_CONTRACTS)
def a_liquidation_fill_leaves_a_smaller_position_or_none(step: Step) -> None:
    """A liquidation fill closes lots of the position, and never opens the other side."""
    assert step.market is not None
    account = step.accounts[0]
    was = position_of(step.before, account, step.market).size
    now = position_of(step.after, account, step.market).size
    claim("fewer", abs(now) < abs(was))
    claim("same side", all_of(implies(was > 0, now >= 0), implies(was < 0, now <= 0)))


@of(liquidate_long, "T-LIQ", "LIQ-12", assumes=ALL_CONTRACTS)
@of(liquidate_short, "T-LIQ", "LIQ-12", assumes=ALL_CONTRACTS)
def nothing_is_closed_on_the_book_once_an_account_is_safe(step: Step) -> None:
    """A fill is only taken from an account below maintenance margin and buffer."""
    safe = liquidation_size.safe_margin(step.before, step.accounts[0])
    claim("not safe", equity(step.before, step.accounts[0]) < safe)


tested(
    "T-NEVER",
    "the_waterfall_ends_with_everybody_solvent_and_nobody_due",
    "From any lawful state the waterfall ends, with every equity at 0 or above and nobody due.",
    "LIQ-7",
    "LIQ-8",
    chapter="liquidation",
    where="tests/test_scheduler.py::test_the_waterfall_leaves_everybody_solvent_and_nobody_due",
)
tested(
    "T-NEVER",
    "the_law_holds_after_every_command",
    "After any command equities sum to custody, sizes sum to zero, nobody is insolvent or due.",
    "LIQ-8",
    "LED-1",
    "LED-2",
    "LED-3",
    chapter="liquidation",
    where="tests/test_machine.py::test_the_law_holds_after_every_command",
)
tested(
    "T-LIQ",
    "all_orders_of_an_account_go_before_its_positions",
    "A liquidation begins with the account's orders, and with the position that needs most margin.",
    "LIQ-2",
    "LIQ-3",
    chapter="liquidation",
    where="tests/test_scheduler.py::test_all_orders_of_the_account_go_first",
)
tested(
    "T-LAST",
    "the_stages_follow_one_another",
    "Nothing goes to the vault that the book takes, and nobody is deleveraged before both.",
    "LIQ-7",
    chapter="liquidation",
    where="tests/test_scheduler.py::test_the_stages_follow_one_another",
)


@of(liquidate_long, "T-BP", "LIQ-11", "VLT-8", assumes=ALL_CONTRACTS)
@of(liquidate_short, "T-BP", "LIQ-11", "VLT-8", assumes=ALL_CONTRACTS)
def a_fill_beyond_the_bankruptcy_price_is_the_vaults_loss(step: Step) -> None:
    """If the vault pays, it keeps its boundary, and only the vault can be poorer by it."""
    assert step.market is not None
    account, maker, _, insurer = step.accounts
    paid = equity(step.before, insurer) - equity(step.after, insurer)
    bystander = all_of(account != insurer, maker != insurer)
    boundary = liquidation.vault_boundary(step.before, step.market)
    kept = equity(step.after, insurer) >= boundary
    claim("keeps its boundary", implies(all_of(bystander, paid > 0), kept))


@of(liquidate_long, "T-BP", "LIQ-6", "LIQ-11", assumes=ALL_CONTRACTS)
@of(liquidate_short, "T-BP", "LIQ-6", "LIQ-11", assumes=ALL_CONTRACTS)
def a_liquidation_fills_at_its_limit_or_better(step: Step) -> None:
    """Whatever the limit is, no maker is met beyond it."""
    tried = attempt()
    assert tried is not None
    account, market, maker, _ = tried.args
    limit = liquidation.liquidation_limit(step.before, account, market)
    sells = position_of(step.before, account, market).size > 0
    claim("a seller", implies(sells, maker.price >= limit))
    claim("a buyer", implies(negation(sells), maker.price <= limit))


@theorem("T-LIQ", "LIQ-6", subject="fillable_lots")
def a_fill_closes_as_many_lots_as_there_are_on_all_sides() -> None:
    """At least one and no more than ordered, held or offered, and one of the three is used up."""
    most, size, offered = fresh_int("most"), fresh_int("size"), fresh_int("offered")
    assume(all_of(most >= 1, offered >= 1))
    assume(any_of(size > 0, size < 0))
    lots = liquidation.fillable_lots(most, size, offered)
    claim("something", lots >= 1)
    claim("no more", all_of(lots <= most, lots <= abs(size), lots <= offered))
    claim("all", any_of(lots == most, lots == abs(size), lots == offered))


@theorem("T-LIQ", "VLT-8", subject="lacking")
def what_a_fill_lacks_is_made_good_and_no_more() -> None:
    """Nothing where it beats the bankruptcy price, and just what is lacking where it does not."""
    better = fresh_int("better")
    lacks = liquidation.lacking(better)
    claim("just that", all_of(lacks >= 0, better + lacks >= 0))
    claim("no more", any_of(lacks == 0, better + lacks == 0))


@theorem("T-LIQ", "LIQ-11", subject="limit_price")
def the_limit_of_a_liquidation_is_a_price() -> None:
    """By the textbook it is the bankruptcy price; in an auction it is no worse for the account."""
    policy = choose("liquidation_limit", tuple(LiquidationLimit))
    rulebook = evolve(any_exchange().rulebook, liquidation_limit=policy)
    mark, bankruptcy = between("mark", 1, MAX_PRICE), between("bankruptcy", 1, MAX_PRICE)
    size, weight = fresh_int("size"), fresh_int("weight")
    worth, weights = fresh_int("equity"), fresh_int("weights")
    assume(any_of(size > 0, size < 0))
    assume(all_of(weight >= 0, weights >= 1))
    assume(implies(worth >= 0, sign(size) * (mark - bankruptcy) >= 0))  # as LIQ-5 gives it
    now, since = between("now", 0, MAX_TIME), between("since", NEVER, MAX_TIME)
    price = liquidation.limit_price(
        rulebook, bankruptcy, mark, size, weight, worth, weights, now, since
    )
    claim("a price", price >= 1)
    if policy is LiquidationLimit.AUCTION:
        claim("no worse", sign(size) * (price - bankruptcy) >= 0)
        claim("insolvent", implies(worth < 0, price == bankruptcy))
    if policy is LiquidationLimit.BANKRUPTCY:
        claim("the textbook's", price == bankruptcy)


@theorem("T-LIQ", "LIQ-9", subject="due_price")
def a_liquidation_price_parts_the_marks_at_which_an_account_is_due() -> None:
    """A long is due just below it and a short just above it; margins are not rounded here."""
    size, behind, at = fresh_int("size"), fresh_int("behind"), fresh_int("mark")
    rate, deduction = between("rate", 0, PARTS), between("deduction", 0, MAX_CASH)
    assume(any_of(size > 0, size < 0))
    found = liquidation.due_price(size, rate, deduction, behind)
    due = (size * at + behind) * PARTS < rate * abs(size) * at - deduction
    if found is None:
        claim("the mark does not matter", all_of(size > 0, rate == PARTS))
        return
    numerator, denominator = found
    claim("positive", denominator >= 1)
    below, above = at * denominator < numerator, at * denominator > numerator
    if size > 0:
        claim("a long", all_of(implies(due, below), implies(below, due)))
    else:
        claim("a short", all_of(implies(due, above), implies(above, due)))


@theorem("T-LIQ", "LIQ-33", subject="value_without")
def lots_closed_at_their_bankruptcy_value_leave_an_account_covered_as_before() -> None:
    """Less than a quantum better; and a last position leaves nothing at all."""
    mark, closed = between("mark", 1, MAX_PRICE), fresh_int("closed")
    worth, freed, weights = fresh_int("equity"), fresh_int("freed"), fresh_int("weights")
    assume(all_of(weights >= 1, freed >= 0, freed <= weights))
    share = liquidation_equity.part_of_equity(worth, freed, weights)
    left = worth + liquidation.value_without(mark, closed, share) - closed * mark
    claim("no worse", left * weights >= worth * (weights - freed))
    claim("a quantum", left * weights < worth * (weights - freed) + weights)
    claim("nothing left", implies(freed == weights, left == 0))


@theorem("T-LIQ", "LIQ-11", subject="fillable_price")
def a_fillable_price_gives_away_no_more_than_its_part_of_the_margin() -> None:
    """It is the mark or worse for the account, by at most a part of the position's margin."""
    mark, size = between("mark", 1, MAX_PRICE), fresh_int("size")
    weight, weights = fresh_int("weight"), fresh_int("weights")
    assume(any_of(size > 0, size < 0))
    assume(all_of(weights >= 1, weight >= 0))
    adjustment, spread = between("adjustment", 0, MAX_CASH), between("spread", 0, PARTS)
    worth = fresh_int("equity")
    price = liquidation.fillable_price(mark, size, weight, worth, weights, adjustment, spread)
    given = ite(size > 0, mark - price, price - mark)
    claim("a price", all_of(price >= 1, given >= 0))
    claim("no more", given * abs(size) * PARTS <= spread * weight)
    claim("nothing while safe", implies(worth >= weights, price == mark))
