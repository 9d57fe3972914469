"""ISO: an isolated position has its own margin, and nobody else's."""

from __future__ import annotations

from attrs import evolve

from perpref.rules import isolated, isolated_margin, ledger, volunteers
from perpref.rules.book import accept
from perpref.rules.liquidation import is_due
from perpref.rules.margin import equity, health, unrealised_profit
from perpref.state import NOBODY, TREASURY, VAULT, Exchange
from perpref.units import AccountId, MarketId
from proofs.adl import deleverage
from proofs.book import match_buyer, match_seller
from proofs.contracts import ALL_CONTRACTS, CLOSING, MARGINS
from proofs.executor import (
    all_of,
    any_of,
    assume,
    changed,
    claim,
    fresh_bool,
    fresh_int,
    implies,
    negation,
)
from proofs.laws import QUIET, Step, action, of, take
from proofs.ledger import any_account
from proofs.liquidation import liquidate_long, liquidate_short
from proofs.loss import close_out
from proofs.registry import tested, theorem
from proofs.vault import take_over
from proofs.world import any_exchange, any_order


def owner_of(exchange: Exchange, account: AccountId) -> AccountId:
    return exchange.accounts[account].isolation.owner


@action("ISO-1", keeps=QUIET, assumes=MARGINS)
def isolate() -> Step:
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    owner, account, amount = any_account("owner"), any_account("account"), fresh_int("amount")
    child = fresh_bool("is_child")
    after = take(isolated_margin.isolate, exchange, owner, account, market, amount, child)
    return Step(exchange, after, (owner, account), isolates=True)


@of(isolate, "T-ISO", "ISO-1", assumes=MARGINS)
def an_isolated_account_is_new_and_its_owner_is_under_cross_margin(step: Step) -> None:
    """It begins with just what its owner pays, and no vault, treasury or isolated account owns."""
    owner, account = step.accounts
    was, now = step.before.accounts, step.after.accounts
    claim("new", account not in was)
    claim("the owner's", now[account].isolation.owner == owner)
    claim("cross", owner_of(step.after, owner) == NOBODY)
    claim("no house", all_of(owner != VAULT, owner != TREASURY))
    paid = was[owner].collateral - now[owner].collateral
    claim("its margin", all_of(paid >= 1, now[account].collateral == paid))


@action("ISO-5", keeps=QUIET, assumes=MARGINS)
def release() -> Step:
    exchange, account = any_exchange(), any_account("account")
    after = take(isolated_margin.release, exchange, account, fresh_int("resting"))
    return Step(exchange, after, (account, owner_of(exchange, account)))


@of(release, "T-ISO", "ISO-5", assumes=MARGINS)
def what_is_left_goes_to_the_owner_and_is_never_more_than_there_is(step: Step) -> None:
    """All of it when the account holds nothing: its owner has what it had, and it has nothing."""
    account, owner = step.accounts
    left = step.before.accounts[account].collateral
    returned = step.after.accounts[owner].collateral - step.before.accounts[owner].collateral
    claim("something", returned >= 1)
    claim("what there is", equity(step.after, account) >= 0)
    flat = all_of(
        unrealised_profit(step.before, account) == 0, health(step.before, account).initial == 0
    )
    claim("all of it", implies(flat, returned == left))


@of(release, "T-ISO", "ISO-5", "LED-10", assumes=MARGINS)
def what_an_isolated_position_gained_is_its_owners_gain(step: Step) -> None:
    """Both have gained together what they had gained before; it keeps no note of what came in."""
    assume(step.before.rulebook.note_paid_in)
    was, now = (
        sum(ledger.gained(exchange, who) for who in step.accounts)
        for exchange in (step.before, step.after)
    )
    claim("the same in all", was == now)
    claim("nothing noted", step.after.accounts[step.accounts[0]].paid_in == 0)


@theorem("T-ISO", "ISO-4", subject="is_due", assumes=MARGINS)
def an_isolated_account_stands_on_its_own_margin() -> None:
    """Whatever its owner has or owes, its equity and whether it is due are the same."""
    exchange, account, amount = any_exchange(), any_account("account"), fresh_int("amount")
    owner = owner_of(exchange, account)
    assume(owner != NOBODY)
    holder = exchange.accounts[owner]
    richer = evolve(holder, collateral=holder.collateral + amount)
    other = evolve(exchange, accounts=exchange.accounts.put(owner, richer))
    claim("equity", equity(other, account) == equity(exchange, account))
    was, now = is_due(exchange, account), is_due(other, account)
    claim("due or not", was == now)


@of(liquidate_long, "T-ISO", "ISO-4", assumes=ALL_CONTRACTS)
@of(liquidate_short, "T-ISO", "ISO-4", assumes=ALL_CONTRACTS)
@of(take_over, "T-ISO", "ISO-4", assumes=CLOSING)
@of(deleverage, "T-ISO", "ISO-4", assumes=CLOSING)
@of(close_out, "T-ISO", "ISO-4", assumes=CLOSING)
def an_isolated_positions_loss_stops_at_its_own_margin(step: Step) -> None:
    """Its owner's account stays what it was, unless it is a counterparty like anybody else.

    Nor do the owner's isolated accounts change when it is the owner that is liquidated.
    """
    account, *others = step.accounts
    before = step.before.accounts
    owner = owner_of(step.before, account)
    for change in changed(before, step.after.accounts):
        apart = all_of(*(change.key != other for other in (account, *others)))
        family = any_of(change.key == owner, before[change.key].isolation.owner == account)
        claim("untouched", implies(all_of(family, apart), negation(change.differs)))


@theorem("T-ISO", "ISO-2", subject="transfer", assumes=MARGINS)
def isolated_margin_passes_between_an_account_and_its_owner_alone() -> None:
    """Who pays or is paid by an isolated account is its owner; nothing enters or leaves the pot."""
    exchange, amount = any_exchange(missing=True), fresh_int("amount")
    payer, payee = any_account("payer"), any_account("payee")
    after = ledger.transfer(exchange, payer, payee, amount).exchange
    for one, other in ((payer, payee), (payee, payer)):
        owner = owner_of(after, one)
        claim("its owner", any_of(owner == NOBODY, owner == other))


@theorem("T-ISO", "ISO-2", subject="deposit", assumes=MARGINS)
def no_cash_from_outside_comes_into_an_isolated_account() -> None:
    """Whoever gets a deposit is under cross margin."""
    exchange, account = any_exchange(missing=True), any_account("account")
    after = ledger.deposit(exchange, account, fresh_int("amount")).exchange
    claim("cross", owner_of(after, account) == NOBODY)


@theorem("T-ISO", "ISO-2", subject="withdraw", assumes=(*MARGINS, "paid_out"))
def no_cash_leaves_the_pot_from_an_isolated_account() -> None:
    """Whoever withdraws is under cross margin."""
    exchange, account = any_exchange(missing=True), any_account("account")
    assume(VAULT in exchange.accounts)
    after = ledger.withdraw(exchange, account, fresh_int("amount")).exchange
    claim("cross", owner_of(after, account) == NOBODY)


@theorem("T-ISO", "ISO-3", subject="accept")
def an_isolated_account_has_orders_in_its_market_alone() -> None:
    """An order that is accepted is of an account under cross margin, or in its own market."""
    exchange, market, order = (
        any_exchange(missing=True),
        MarketId(fresh_int("market")),
        any_order("order"),
    )
    accept(exchange, market, order)
    bound = exchange.accounts[order.account].isolation
    claim("its market", any_of(bound.owner == NOBODY, bound.market == market))


@theorem("T-ISO", "ISO-3", subject="volunteer")
def an_isolated_account_pledges_nothing() -> None:
    """Whoever pledges to take positions over is under cross margin."""
    exchange, account = any_exchange(missing=True), any_account("account")
    market, lots, edge = (fresh_int(name) for name in ("market", "lots", "edge"))
    volunteers.volunteer(exchange, account, MarketId(market), lots, edge)
    claim("cross", owner_of(exchange, account) == NOBODY)


@of(match_buyer, "T-ISO", "ISO-6", "BOOK-11", assumes=ALL_CONTRACTS)
@of(match_seller, "T-ISO", "ISO-6", "BOOK-11", assumes=ALL_CONTRACTS)
def no_order_fills_against_one_of_the_same_trader(step: Step) -> None:
    """The two accounts of a fill are not the same, not owner and isolated, not of one owner."""
    taker, maker, _ = step.accounts
    owners = owner_of(step.before, taker), owner_of(step.before, maker)
    claim("two accounts", taker != maker)
    claim("not its own", all_of(owners[0] != maker, owners[1] != taker))
    claim("two owners", any_of(owners[0] != owners[1], owners[0] == NOBODY))


@theorem("T-ISO", "ISO-6", "BOOK-11", subject="same_trader")
def a_trader_is_an_owner_with_all_its_isolated_accounts() -> None:
    """It is one trader's two accounts exactly when they are the same, or have one owner in the end.

    An owner is under cross margin, and an account under cross margin is its own.
    """
    exchange, one, other = any_exchange(), any_account("one"), any_account("other")
    assume(all_of(one >= 0, other >= 0))
    heads = []
    for account in (one, other):
        owner = owner_of(exchange, account)
        if owner == NOBODY:
            heads.append(account)
        else:
            assume(owner_of(exchange, owner) == NOBODY)
            heads.append(owner)
    same = isolated.same_trader(exchange, one, other)
    claim("one head", same == (heads[0] == heads[1]))


tested(
    "T-ISO",
    "an_isolated_account_holds_lots_and_orders_of_its_market_alone",
    "Whatever is commanded; and when both are gone by a command, nothing is left in it.",
    "ISO-3",
    "ISO-5",
    chapter="isolated",
    where="tests/test_machine_isolated.py::test_the_law_holds_with_isolated_accounts",
)
