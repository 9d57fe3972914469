"""FUND: what is paid is received, but for dust, and the vault keeps the dust."""

from __future__ import annotations

from perpref.rules import funding
from perpref.rules.margin import position_of
from perpref.state import VAULT
from perpref.units import MAX_PRICE, PARTS, MarketId
from proofs.executor import all_of, assume, claim, fresh_int, implies
from proofs.laws import CONSERVATION, Step, action, take
from proofs.ledger import any_account
from proofs.registry import theorem
from proofs.world import any_exchange, between


@action("FUND-1", "FUND-3", keeps=CONSERVATION)
def settle_funding() -> Step:
    exchange, account, market = (
        any_exchange(),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    after = take(funding.settle_funding, exchange, account, market, fresh_int("rate"))
    return Step(exchange, after, (account, VAULT))


@theorem("T-FUND", "FUND-2", subject="funding_due")
def a_payer_pays_up_and_a_receiver_receives_down() -> None:
    """What is due is the exact amount rounded up, by less than a quantum."""
    size, mark, rate = fresh_int("size"), between("mark", 1, MAX_PRICE), fresh_int("rate")
    due = funding.funding_due(size, mark, rate)
    claim("not less", size * mark * rate <= due * PARTS)
    claim("less than a quantum more", due * PARTS < size * mark * rate + PARTS)


@theorem("T-FUND", "FUND-2", "FUND-3", subject="settle_funding")
def the_longs_pay_a_positive_rate_to_the_vault() -> None:
    """The account pays exactly what is due and the vault receives it, within the cap."""
    exchange, account, market = (
        any_exchange(),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    assume(account != VAULT)
    rate = fresh_int("rate")
    after = funding.settle_funding(exchange, account, market, rate).exchange
    size = position_of(exchange, account, market).size
    due = funding.funding_due(size, exchange.markets[market].mark, rate)
    was, now = exchange.accounts, after.accounts
    claim("pays", now[account].collateral == was[account].collateral - due)
    claim("receives", now[VAULT].collateral == was[VAULT].collateral + due)
    claim("direction", implies(all_of(size > 0, rate > 0), due > 0))
    cap = exchange.rulebook.funding_cap
    claim("within the cap", all_of(rate <= cap, -rate <= cap))


@theorem("T-FUND", "FUND-2", "FUND-3", subject="fund")
def funding_leaves_the_vault_the_dust_and_no_more() -> None:
    """Over any number of accounts the payments sum to the exact total plus dust in [0, n).

    The step of the fold: if after n accounts the payments exceed the exact amounts by 0 to n
    quanta (n not included, but for n = 0), then after one more by 0 to n + 1. Since the sizes
    sum to zero, the exact total over all accounts is zero.
    """
    paid, exact, settled = fresh_int("paid"), fresh_int("exact"), fresh_int("settled")
    assume(all_of(settled >= 0, exact <= paid * PARTS, paid * PARTS <= exact + settled * PARTS))
    size, mark, rate = fresh_int("size"), between("mark", 1, MAX_PRICE), fresh_int("rate")
    paid = paid + funding.funding_due(size, mark, rate)
    exact = exact + size * mark * rate
    claim("not less", exact <= paid * PARTS)
    claim("dust", paid * PARTS < exact + (settled + 1) * PARTS)
