"""FEE: who pays what to whom."""

from __future__ import annotations

from attrs import evolve

from perpref.rules import fee
from perpref.rules.margin import equity
from perpref.state import TREASURY, Exchange, FeeBound, Rulebook
from perpref.units import MAX_CASH, MAX_LOTS, MAX_PRICE, PARTS, MarketId, Rounding
from proofs.executor import all_of, any_of, assume, choose, claim, fresh_int, implies, ite
from proofs.laws import CONSERVATION, SOLVENCY, Step, action, take
from proofs.ledger import any_account
from proofs.registry import theorem
from proofs.world import any_exchange, between


@theorem("T-FEE", "FEE-1", subject="trading_fee")
def a_fee_is_its_rate_of_notional_rounded_up() -> None:
    """A fee is the smallest number of quanta that is not below the rate of the notional."""
    lots, price = between("lots", 1, MAX_LOTS), between("price", 1, MAX_PRICE)
    rate = between("rate", 0, PARTS)
    charged = fee.trading_fee(lots, price, rate)
    claim("not below", lots * price * rate <= charged * PARTS)
    claim("the smallest", charged * PARTS < lots * price * rate + PARTS)


@theorem("T-FEE", "FEE-1", "FEE-8", subject="trading_fee")
def a_fee_errs_by_less_than_a_quantum_in_its_own_direction() -> None:
    """Up the treasury gains less than a quantum a fill, otherwise the trader does; none is below 0.

    A fee is not negative, so towards zero is down.
    """
    lots, price = between("lots", 1, MAX_LOTS), between("price", 1, MAX_PRICE)
    rate, rounding = between("rate", 0, PARTS), choose("rounding", tuple(Rounding))
    charged = fee.trading_fee(lots, price, rate, rounding)
    gained = charged * PARTS - lots * price * rate
    claim("not negative", charged >= 0)
    if rounding is Rounding.UP:
        claim("the treasury's", all_of(gained >= 0, gained < PARTS))
    else:
        claim("the trader's", all_of(gained <= 0, gained > -PARTS))


@action("FEE-2", keeps=CONSERVATION, assumes=("trading_fee",))
def charge_maker() -> Step:
    exchange, maker = any_exchange(), any_account("maker")
    after = take(
        fee.charge_maker,
        exchange,
        maker,
        between("lots", 1, MAX_LOTS),
        between("price", 1, MAX_PRICE),
    )
    return Step(exchange, after, (maker, TREASURY))


@action("FEE-3", keeps=CONSERVATION, assumes=("trading_fee",))
def charge_taker() -> Step:
    exchange, taker = any_exchange(), any_account("taker")
    after = take(
        fee.charge_taker,
        exchange,
        taker,
        between("lots", 1, MAX_LOTS),
        between("price", 1, MAX_PRICE),
    )
    return Step(exchange, after, (taker, TREASURY))


CHARGED = ("liquidation_charge",)


@action("FEE-4", "FEE-5", "FEE-9", "FEE-10", keeps=SOLVENCY, assumes=CHARGED)
def charge_liquidated() -> Step:
    exchange, account = any_exchange(), any_account("account")
    better, market = between("better", 0, MAX_CASH), MarketId(fresh_int("market"))
    after = take(
        fee.charge_liquidated,
        exchange,
        account,
        market,
        between("lots", 1, MAX_LOTS),
        between("price", 1, MAX_PRICE),
        better,
        equity(exchange, account),
    )
    return Step(exchange, after, (account, exchange.markets[market].vault))


def fees_rounded(rounding: Rounding) -> Exchange:
    """Any exchange whose rulebook rounds fees so."""
    exchange = any_exchange()
    return evolve(exchange, rulebook=evolve(exchange.rulebook, fee_rounding=rounding))


@theorem("T-FEE", "FEE-2", "FEE-3", "FEE-8", subject="charge_maker")
def maker_and_taker_pay_their_own_rate_to_the_treasury() -> None:
    """The maker's fee is at the maker's rate and the taker's at the taker's, to the treasury.

    Both are rounded as the rulebook says.
    """
    exchange, account = fees_rounded(choose("rounding", tuple(Rounding))), any_account("account")
    assume(account != TREASURY)
    lots, price = between("lots", 1, MAX_LOTS), between("price", 1, MAX_PRICE)
    rules = exchange.rulebook
    for charge, rate in ((fee.charge_maker, rules.maker_fee), (fee.charge_taker, rules.taker_fee)):
        after = charge(exchange, account, lots, price).exchange
        due = fee.trading_fee(lots, price, rate, rules.fee_rounding)
        was, now = exchange.accounts, after.accounts
        claim("pays", now[account].collateral == was[account].collateral - due)
        claim("receives", now[TREASURY].collateral == was[TREASURY].collateral + due)


@theorem("T-FEE", "FEE-5", subject="charge_liquidated", assumes=CHARGED)
def the_liquidated_account_pays_what_it_is_charged_to_the_vault() -> None:
    """What the account pays the market's vault gets, and nobody else."""
    exchange, account = any_exchange(), any_account("account")
    market = MarketId(fresh_int("market"))
    insurer = exchange.markets[market].vault
    assume(account != insurer)
    lots, price = between("lots", 1, MAX_LOTS), between("price", 1, MAX_PRICE)
    better, left = between("better", 0, MAX_CASH), fresh_int("left")
    after = fee.charge_liquidated(exchange, account, market, lots, price, better, left).exchange
    charged = fee.liquidation_charge(exchange.rulebook, lots, price, better, left)
    was, now = exchange.accounts, after.accounts
    claim("pays", now[account].collateral == was[account].collateral - charged)
    claim("to the vault", now[insurer].collateral == was[insurer].collateral + charged)


@theorem("T-FEE", "FEE-4", "FEE-8", subject="liquidation_fee")
def the_liquidation_fee_is_within_its_rate_the_improvement_and_what_is_left() -> None:
    """The fee is the least of its rate of notional, the improvement, and the equity left."""
    lots, price = between("lots", 1, MAX_LOTS), between("price", 1, MAX_PRICE)
    rate, left = between("rate", 0, PARTS), fresh_int("left")
    better, rounding = between("better", 0, MAX_CASH), choose("rounding", tuple(Rounding))
    paid = fee.liquidation_fee(lots, price, rate, better, left, rounding)
    full, has = fee.trading_fee(lots, price, rate, rounding), ite(left > 0, left, 0)
    claim("bounds", all_of(paid >= 0, paid <= full, paid <= better, paid <= has))
    claim("the least of them", any_of(paid == full, paid == better, paid == has))


def _any_charge(bound: FeeBound) -> tuple[Rulebook, int, int, int, int]:
    """A rulebook with this bound, and lots, price, improvement and equity left of a fill."""
    rounding = choose("rounding", tuple(Rounding))
    rulebook = evolve(fees_rounded(rounding).rulebook, liquidation_fee_bound=bound)
    lots, price = between("lots", 1, MAX_LOTS), between("price", 1, MAX_PRICE)
    return rulebook, lots, price, between("better", 0, MAX_CASH), fresh_int("left")


@theorem("T-FEE", "FEE-9", "FEE-10", subject="liquidation_charge")
def whatever_a_liquidation_is_charged_the_account_has() -> None:
    """Fee and surplus together are no more than the equity left, whatever the fee is taken from."""
    bound = choose("bound", tuple(FeeBound))
    rulebook, lots, price, better, left = _any_charge(bound)
    charged = fee.liquidation_charge(rulebook, lots, price, better, left)
    claim("within", all_of(charged >= 0, charged <= ite(left > 0, left, 0)))


@theorem("T-FEE", "FEE-4", "FEE-9", subject="liquidation_charge")
def out_of_the_surplus_the_account_is_charged_no_more_than_the_book_gave() -> None:
    """A fee that is bounded by the surplus and the vault's part of it leave the bankruptcy price.

    With no part of it for the vault, what is charged is the fee.
    """
    rulebook, lots, price, better, left = _any_charge(FeeBound.SURPLUS)
    charged = fee.liquidation_charge(rulebook, lots, price, better, left)
    rate, rounding = rulebook.liquidation_fee, rulebook.fee_rounding
    alone = fee.liquidation_fee(lots, price, rate, better, left, rounding)
    claim("no more", charged <= better)
    claim("the fee at least", charged >= alone)
    claim("the fee alone", implies(rulebook.liquidation_surplus == 0, charged == alone))


@theorem("T-FEE", "FEE-9", subject="surplus_taken")
def the_vaults_part_of_a_surplus_is_rounded_down_and_within_what_is_left() -> None:
    """It is the largest number of quanta within its part, or all that the account has."""
    rate, better, left = between("rate", 0, PARTS), fresh_int("better"), fresh_int("left")
    taken = fee.surplus_taken(rate, better, left)
    there, has = ite(better > 0, better, 0), ite(left > 0, left, 0)
    claim("within", all_of(taken >= 0, taken * PARTS <= there * rate, taken <= has))
    claim("the largest", any_of(taken == has, there * rate < (taken + 1) * PARTS))
    claim("all of it", implies(all_of(rate == PARTS, has >= there), taken == there))


@theorem("T-FEE", "FEE-10", subject="liquidation_charge")
def a_fee_out_of_equity_is_its_rate_or_all_that_is_left() -> None:
    """Where nothing else bounds it, what the book gave does not matter to the fee."""
    rulebook, lots, price, better, left = _any_charge(FeeBound.EQUITY)
    source = fee.fee_source(rulebook.liquidation_fee_bound, better, left)
    rate, rounding = rulebook.liquidation_fee, rulebook.fee_rounding
    paid = fee.liquidation_fee(lots, price, rate, source, left, rounding)
    full, has = fee.trading_fee(lots, price, rate, rounding), ite(left > 0, left, 0)
    claim("its rate", implies(full <= has, paid == full))
    claim("all", implies(full > has, paid == has))


@theorem("T-FEE", "FEE-6", subject="insurance_fee_rate")
def an_insurer_leaves_what_covers_the_shortage() -> None:
    """Liquidator, insurer and shortage together take no more than the margin that is freed."""
    shortage, notional = between("shortage", 0, MAX_CASH), between("notional", 0, MAX_CASH)
    freed, first = between("margin_rate", 0, PARTS), between("liquidator_fee", 0, PARTS)
    part, most = between("part", 0, PARTS), between("most", 0, PARTS)
    rate = fee.insurance_fee_rate(shortage, notional, freed, first, part, most)
    claim("a rate", all_of(rate >= 0, rate <= most))
    taken = (rate + first) * notional + shortage * PARTS
    claim("leaves", implies(rate > 0, taken <= freed * notional))


@theorem("T-FEE", "FEE-7", subject="liquidator_fee")
def a_liquidators_fee_only_grows_and_ends_at_its_highest() -> None:
    """Who waits is offered no less, and never more than the highest fee."""
    base, most = between("base", 0, PARTS), between("most", 0, PARTS)
    elapsed, later = between("elapsed", 0, MAX_CASH), between("later", 0, MAX_CASH)
    grace, growth = between("grace", 0, MAX_CASH), between("growth", 0, PARTS)
    assume(elapsed <= later)
    now, then = (fee.liquidator_fee(base, most, at, grace, growth) for at in (elapsed, later))
    claim("grows", all_of(now <= then, then <= most))
    claim("grace", implies(all_of(elapsed < grace, base <= most), now == base))
