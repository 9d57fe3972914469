"""LED: the three double entries and the actions that move cash in and out."""

from __future__ import annotations

from perpref.rules import ledger
from perpref.rules.margin import equity
from perpref.state import VAULT, Account, Exchange, Position
from perpref.units import MAX_PRICE, AccountId, MarketId
from proofs.contracts import MARGINS
from proofs.executor import (
    all_of,
    any_of,
    assume,
    claim,
    delta,
    fresh_bool,
    fresh_int,
    implies,
    negation,
)
from proofs.laws import CONSERVATION, QUIET, Step, action, of, take
from proofs.registry import theorem
from proofs.world import any_exchange, between


def any_account(name: str) -> AccountId:
    return AccountId(fresh_int(name))


@action("LED-1", keeps=CONSERVATION)
def move_cash() -> Step:
    exchange, account, amount = (
        any_exchange(missing=True),
        any_account("account"),
        fresh_int("amount"),
    )
    after = take(ledger.move_cash, exchange, account, amount, "LED-1")
    return Step(exchange, after, (account,), custody=amount)


@action("LED-2", keeps=CONSERVATION)
def pay() -> Step:
    exchange, amount = any_exchange(), fresh_int("amount")
    payer, payee = any_account("payer"), any_account("payee")
    after = take(ledger.pay, exchange, payer, payee, amount, "LED-2")
    return Step(exchange, after, (payer, payee))


@action("LED-3", "POS-1", "POS-2", "POS-3", keeps=CONSERVATION, assumes=("traded",))
def fill() -> Step:
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    buyer, seller, lots = any_account("buyer"), any_account("seller"), fresh_int("lots")
    assume(lots > 0)
    price = between("price", 1, MAX_PRICE)
    after = take(ledger.fill, exchange, buyer, seller, market, lots, price, "LED-3")
    return Step(exchange, after, (buyer, seller), market)


@action("LED-5", keeps=QUIET, assumes=MARGINS)
def deposit() -> Step:
    exchange, account, amount = (
        any_exchange(missing=True),
        any_account("account"),
        fresh_int("amount"),
    )
    after = take(ledger.deposit, exchange, account, amount)
    return Step(exchange, after, (account,), custody=amount)


@action("LED-6", "LED-7", "LED-9", "LOSS-8", keeps=QUIET, assumes=(*MARGINS, "paid_out"))
def withdraw() -> Step:
    exchange, account, amount = any_withdrawal()
    after = take(ledger.withdraw, exchange, account, amount)
    return Step(exchange, after, (account, VAULT), custody=after.custody - exchange.custody)


def any_withdrawal() -> tuple[Exchange, AccountId, int]:
    """Any account that asks for any amount of any exchange with a vault."""
    exchange = any_exchange(missing=True)
    assume(VAULT in exchange.accounts)
    return exchange, any_account("account"), fresh_int("amount")


@of(withdraw, "T-WITHDRAW", "LED-7", "LOSS-8", assumes=(*MARGINS, "paid_out"))
def a_withdrawal_takes_no_more_than_it_asks_and_all_of_it_from_a_whole_pot(step: Step) -> None:
    """The pot gives between nothing and the amount; all of it unless the vault owes a cut."""
    (account, _) = step.accounts
    asked = step.before.accounts[account].collateral - step.after.accounts[account].collateral
    leaves = step.before.custody - step.after.custody
    claim("no more", all_of(leaves >= 0, implies(account != VAULT, leaves <= asked)))
    whole = any_of(
        negation(step.before.rulebook.withdrawal_haircut), equity(step.before, VAULT) >= 0
    )
    claim("all of it", implies(whole, leaves == asked))
    claim("the gate is open", step.before.now >= step.before.gate_opens)


@action("LED-6", "LED-8", "LED-9", keeps=QUIET, assumes=MARGINS)
def transfer() -> Step:
    exchange, amount = any_exchange(missing=True), fresh_int("amount")
    payer, payee = any_account("payer"), any_account("payee")
    after = take(ledger.transfer, exchange, payer, payee, amount)
    return Step(exchange, after, (payer, payee))


@theorem("T-LED", "LED-10", subject="note_paid_in")
def a_note_of_what_was_paid_in_moves_no_cash() -> None:
    """It changes by the amount where it is noted, and nobody's equity changes by it."""
    exchange, account, amount = any_exchange(), any_account("account"), fresh_int("amount")
    after = ledger.note_paid_in(exchange, account, amount).exchange
    notes, was, now = (
        exchange.rulebook.note_paid_in,
        exchange.accounts[account].paid_in,
        after.accounts[account].paid_in,
    )
    claim("noted", implies(notes, now == was + amount))
    claim("not noted", implies(negation(notes), now == was))
    claim("equity", equity(after, account) == equity(exchange, account))
    gain, before = ledger.gained(after, account), ledger.gained(exchange, account)
    claim("gained", implies(notes, gain == before - amount))


@theorem("T-LED", "LED-10", subject="hand_over")
def what_is_given_is_nobodys_gain_or_loss() -> None:
    """Where it is noted what was paid in, both have gained what they had gained before."""
    exchange, amount = any_exchange(), fresh_int("amount")
    giver, taker = any_account("giver"), any_account("taker")
    assume(exchange.rulebook.note_paid_in)
    after = ledger.hand_over(exchange, giver, taker, amount, "LED-8").exchange
    for who in (giver, taker):
        claim("gained", ledger.gained(after, who) == ledger.gained(exchange, who))


@theorem("T-PRICE", "LED-3", subject="fill")
def a_fill_at_any_price_conserves_and_only_says_who_pays() -> None:
    """A fill moves lots * (mark - price) of equity from the seller to the buyer and no more.

    So a deleveraging at any price conserves; only who pays depends on the price.
    """
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    buyer, seller, lots, price = (
        any_account("buyer"),
        any_account("seller"),
        fresh_int("lots"),
        fresh_int("price"),
    )
    assume(lots > 0)
    assume(buyer != seller)
    after = ledger.fill(exchange, buyer, seller, market, lots, price, "LED-3").exchange
    moved = lots * (exchange.markets[market].mark - price)
    claim("the buyer", equity(after, buyer) == equity(exchange, buyer) + moved)
    claim("the seller", equity(after, seller) == equity(exchange, seller) - moved)


@of(fill, "T-BAL", "LED-3", assumes=("traded",))
def the_open_interest_is_what_is_held_long(step: Step) -> None:
    """A fill moves a market's open interest by just as many lots as all longs together grow."""
    assert step.market is not None
    grown = delta(step.before.accounts, step.after.accounts, held_long)
    was, now = (exchange.markets[step.market] for exchange in (step.before, step.after))
    claim("open interest", now.open_interest - was.open_interest == grown)


def held_long(account: Account) -> int:
    return account.positions.total(long_lots)


def long_lots(position: Position) -> int:
    return max(position.size, 0)


@theorem("T-WITHDRAW", "LED-6", subject="counted_profit")
def a_loss_counts_and_a_profit_only_where_the_rulebook_says_so() -> None:
    """By the textbook what is counted is never positive; otherwise it is all of the profit."""
    profit, all_of_it = fresh_int("profit"), fresh_bool("withdraw_profit")
    counted = ledger.counted_profit(profit, all_of_it)
    claim("never more", counted <= profit)
    claim("a loss", implies(profit <= 0, counted == profit))
    claim("by the textbook", implies(negation(all_of_it), counted <= 0))
    claim("all of it", implies(all_of_it, counted == profit))


@theorem("T-WITHDRAW", "LED-7", "LOSS-8", subject="withdraw", assumes=(*MARGINS, "paid_out"))
def whoever_withdraws_is_charged_all_and_what_it_does_not_get_is_the_vaults() -> None:
    """The account has as much less as it asked for; the pot and the vault have the two parts."""
    exchange, account, amount = any_withdrawal()
    assume(account != VAULT)
    after = ledger.withdraw(exchange, account, amount).exchange
    was, now = exchange.accounts, after.accounts
    claim("charged", now[account].collateral == was[account].collateral - amount)
    kept = now[VAULT].collateral - was[VAULT].collateral
    claim("two parts", kept == amount - (exchange.custody - after.custody))


@theorem("T-ZERO", "LED-7", subject="withdraw", assumes=(*MARGINS, "paid_out"))
def the_pot_is_never_overdrawn() -> None:
    """Custody is never negative."""
    exchange, account, amount = any_withdrawal()
    after = take(ledger.withdraw, exchange, account, amount)
    claim("custody", after.custody >= 0)
