"""LED: the three double entries that alone change an account, and cash in and out of the pot."""

from __future__ import annotations

from attrs import evolve

from perpref.outcome import CashMoved, Filled, Outcome, Paid
from perpref.rule_registry import Phase, refusal, require, rule
from perpref.rules.isolated import require_in_family, require_no_owner
from perpref.rules.margin import equity, health, unrealised_profit
from perpref.rules.position import traded
from perpref.state import FLAT, VAULT, Account, Exchange
from perpref.table import Table
from perpref.units import MAX_CASH, MAX_ID, AccountId, MarketId, floor_div

AMOUNT_OUT_OF_BOUNDS = refusal(
    "UNIT-2",
    "amount_out_of_bounds",
    Phase.VALIDATE,
    "The amount {value} is not between 1 and {limit}",
)
ID_OUT_OF_BOUNDS = refusal(
    "UNIT-4",
    "id_out_of_bounds",
    Phase.VALIDATE,
    "The identifier {value} is not between 0 and {limit}",
)
UNKNOWN_ACCOUNT = refusal("LED-4", "unknown_account", Phase.VALIDATE, "There is no account {value}")
NOT_WITHDRAWABLE = refusal(
    "LED-6",
    "not_withdrawable",
    Phase.MARGIN,
    "{value} cannot leave: initial margin leaves {limit} free",
)
POT_TOO_SMALL = refusal(
    "LED-7", "pot_too_small", Phase.SETTLE, "{value} cannot leave: the pot holds {limit}"
)

GATE_CLOSED = refusal(
    "LED-9", "gate_closed", Phase.PAUSE, "No cash leaves before {value} by the clock; it is {limit}"
)

EMPTY = Account(0, Table())


# The three double entries. Nothing else in the rules writes to an account.


@rule("LED-1")
def move_cash(exchange: Exchange, account: AccountId, amount: int, reason: str) -> Outcome:
    """Bring `amount` quanta into the pot for an account; a negative amount leaves it."""
    holder = exchange.accounts.get(account, EMPTY)
    credited = evolve(holder, collateral=holder.collateral + amount)
    return Outcome(
        evolve(
            exchange,
            accounts=exchange.accounts.put(account, credited),
            custody=exchange.custody + amount,
        ),
        (CashMoved(account, amount, reason),),
    )


@rule("LED-2")
def pay(
    exchange: Exchange, payer: AccountId, payee: AccountId, amount: int, reason: str
) -> Outcome:
    """Pass `amount` quanta (zero or more) from one account to another."""
    giver = exchange.accounts[payer]
    accounts = exchange.accounts.put(payer, evolve(giver, collateral=giver.collateral - amount))
    taker = accounts.get(payee, EMPTY)
    accounts = accounts.put(payee, evolve(taker, collateral=taker.collateral + amount))
    return Outcome(evolve(exchange, accounts=accounts), (Paid(payer, payee, amount, reason),))


@rule("LED-3")
def fill(
    exchange: Exchange,
    buyer: AccountId,
    seller: AccountId,
    market: MarketId,
    lots: int,
    price: int,
    reason: str,
) -> Outcome:
    """Pass `lots` (one or more) of a market from seller to buyer at `price`.

    The market's open interest follows: it is the sum of what is held long.
    """
    accounts = exchange.accounts
    bought = size_in(accounts[buyer], market)
    accounts = accounts.put(buyer, _after_trade(accounts[buyer], market, lots, price))
    sold = size_in(accounts[seller], market)
    accounts = accounts.put(seller, _after_trade(accounts[seller], market, -lots, price))
    listed = exchange.markets[market]
    opened = newly_long(bought, lots) + newly_long(sold, -lots)
    counted = evolve(listed, open_interest=listed.open_interest + opened)
    return Outcome(
        evolve(exchange, accounts=accounts, markets=exchange.markets.put(market, counted)),
        (Filled(buyer, seller, market, lots, price, reason),),
    )


def size_in(account: Account, market: MarketId) -> int:
    """What an account holds in a market, in lots."""
    return account.positions.get(market, FLAT).size


@rule("LED-3")
def newly_long(size: int, lots: int) -> int:
    """By how many lots a trade adds to what is held long; negative when it takes away."""
    return max(size + lots, 0) - max(size, 0)


def _after_trade(account: Account, market: MarketId, lots: int, price: int) -> Account:
    position, profit = traded(account.positions.get(market, FLAT), lots, price)
    if position.size == 0:
        positions = account.positions.without(market)
    else:
        positions = account.positions.put(market, position)
    return evolve(account, collateral=account.collateral + profit, positions=positions)


# The actions.


@rule("UNIT-2")
def require_amount(amount: int) -> None:
    """Refuse an amount of cash that is not between 1 and MAX_CASH (UNIT-2)."""
    require(1 <= amount <= MAX_CASH, AMOUNT_OUT_OF_BOUNDS, amount, MAX_CASH)


@rule("LED-4")
def require_account(exchange: Exchange, account: AccountId) -> None:
    """Refuse an account that nobody has opened."""
    require(account in exchange.accounts, UNKNOWN_ACCOUNT, account)


@rule("LED-5")
def deposit(exchange: Exchange, account: AccountId, amount: int) -> Outcome:
    """Bring cash in; the first deposit opens the account."""
    require(0 <= account <= MAX_ID, ID_OUT_OF_BOUNDS, account, MAX_ID)
    require_amount(amount)
    require_no_owner(exchange, account)
    came = move_cash(exchange, account, amount, "LED-5")
    return came.then(note_paid_in, account, amount)


@rule("LED-6")
def withdrawable(exchange: Exchange, account: AccountId) -> int:
    """What may leave an account, in quanta; none when negative.

    Unrealised losses count and unrealised profit does not, unless the rulebook says that it does:
    a profit that nobody has realised is still somebody else's collateral.
    """
    collateral = exchange.accounts[account].collateral
    profit = unrealised_profit(exchange, account)
    counted = counted_profit(profit, exchange.rulebook.withdraw_profit)
    return collateral + counted - health(exchange, account).initial


@rule("LED-6")
def counted_profit(profit: int, all_of_it: bool) -> int:
    """The unrealised profit that counts for a withdrawal: a loss always does."""
    return profit if all_of_it else min(0, profit)


@rule("LED-7")
def withdraw(exchange: Exchange, account: AccountId, amount: int) -> Outcome:
    """Take cash out of the pot, at most what is withdrawable."""
    require_amount(amount)
    require_account(exchange, account)
    require_no_owner(exchange, account)
    require_open_gate(exchange)
    free = withdrawable(exchange, account)
    require(amount <= free, NOT_WITHDRAWABLE, amount, free)
    leaves = payout(exchange, amount)
    require(leaves <= exchange.custody, POT_TOO_SMALL, leaves, exchange.custody)
    if leaves == amount:
        left = move_cash(exchange, account, -amount, "LED-7")
    else:
        kept = pay(exchange, account, VAULT, amount - leaves, "LOSS-8")
        left = kept.then(move_cash, account, -leaves, "LED-7")
    return left.then(note_paid_in, account, -amount)


@rule("LED-10")
def note_paid_in(exchange: Exchange, account: AccountId, amount: int) -> Outcome:
    """Take note that `amount` quanta were paid in, or left when negative, where that is noted."""
    if not exchange.rulebook.note_paid_in:
        return Outcome(exchange)
    holder = exchange.accounts[account]
    noted = evolve(holder, paid_in=holder.paid_in + amount)
    return Outcome(evolve(exchange, accounts=exchange.accounts.put(account, noted)))


@rule("LED-10")
def hand_over(
    exchange: Exchange, giver: AccountId, taker: AccountId, amount: int, reason: str
) -> Outcome:
    """Pass cash on that is given, not lost: what was paid in follows it."""
    passed = pay(exchange, giver, taker, amount, reason)
    return passed.then(note_paid_in, giver, -amount).then(note_paid_in, taker, amount)


@rule("LED-10")
def gained(exchange: Exchange, account: AccountId) -> int:
    """What an account has gained, in quanta, negative when it has lost: its equity beyond its cash.

    Where it is not noted what was paid in, only open profit can be told.
    """
    if not exchange.rulebook.note_paid_in:
        return unrealised_profit(exchange, account)
    return equity(exchange, account) - exchange.accounts[account].paid_in


def payout(exchange: Exchange, amount: int) -> int:
    """What a withdrawal gets: all of it, or a part while the vault carries a debt (LOSS-8)."""
    if not exchange.rulebook.withdrawal_haircut:
        return amount
    lack = max(0, -equity(exchange, VAULT))
    return paid_out(amount, exchange.custody, lack)


@rule("LOSS-8")
def paid_out(amount: int, pot: int, lack: int) -> int:
    """What a withdrawal gets while a pot lacks cash: the part that the pot can pay to everybody.

    Rounded down, so that the pot lasts for all claims. Whoever waits until the pot is whole again
    loses nothing.
    """
    return floor_div(amount * pot, pot + lack) if lack > 0 else amount


@rule("LED-9")
def require_open_gate(exchange: Exchange) -> None:
    """Refuse to let cash leave an account before the gate opens again (LOSS-13)."""
    opens, now = exchange.gate_opens, exchange.now
    require(now >= opens, GATE_CLOSED, opens, now)


@rule("LED-8")
def transfer(exchange: Exchange, payer: AccountId, payee: AccountId, amount: int) -> Outcome:
    """Pass cash to another account, at most what is withdrawable; this opens the payee's."""
    require(0 <= payee <= MAX_ID, ID_OUT_OF_BOUNDS, payee, MAX_ID)
    require_amount(amount)
    require_account(exchange, payer)
    require_in_family(exchange, payer, payee)
    require_open_gate(exchange)
    free = withdrawable(exchange, payer)
    require(amount <= free, NOT_WITHDRAWABLE, amount, free)
    return hand_over(exchange, payer, payee, amount, "LED-8")
