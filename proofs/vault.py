"""VLT: the vault never takes what it cannot carry."""

from __future__ import annotations

from perpref.rules import vault
from perpref.rules.margin import health, position_of
from perpref.state import VAULT
from perpref.units import MarketId
from proofs.contracts import CLOSING
from proofs.executor import all_of, claim, fresh_int
from proofs.laws import SOLVENCY, Step, action, take
from proofs.ledger import any_account
from proofs.liquidation import any_due, any_target
from proofs.registry import tested, theorem
from proofs.world import any_exchange


@action("VLT-1", "VLT-2", "VLT-3", "VLT-4", "VLT-5", "LIQ-5", keeps=SOLVENCY, assumes=CLOSING)
def take_over() -> Step:
    exchange, account, market = any_target()
    after = take(vault.take_over, exchange, account, market, fresh_int("lots"))
    return Step(exchange, after, (account, VAULT), market)


@theorem("T-VAULT", "VLT-2", "VLT-3", "VLT-4", subject="take_over", assumes=CLOSING)
def the_vault_stays_within_its_cap_its_margin_and_its_boundary() -> None:
    """After a takeover the vault holds at most its cap, with initial margin, above its boundary."""
    exchange, account, market = any_due()
    after = vault.take_over(exchange, account, market, fresh_int("lots")).exchange
    now = health(after, VAULT)
    claim("cap", abs(position_of(after, VAULT, market).size) <= exchange.markets[market].vault_cap)
    claim("margin", now.equity >= now.initial)
    claim("boundary", now.equity >= exchange.rulebook.vault_boundary)


@theorem("T-VAULT", "VLT-1", "VLT-5", "LIQ-1", subject="take_over", assumes=CLOSING)
def the_vault_takes_only_what_is_due_and_never_its_own() -> None:
    """The account is due, is not the vault, and loses exactly the lots that the vault gains."""
    exchange, account, market = (
        any_exchange(),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    lots = fresh_int("lots")
    after = vault.take_over(exchange, account, market, lots).exchange
    was = health(exchange, account)
    claim("due", was.equity < was.maintenance)
    claim("not its own", account != VAULT)
    before, now = (
        position_of(exchange, account, market).size,
        position_of(after, account, market).size,
    )
    claim("lots", all_of(lots >= 1, abs(before) - abs(now) == lots))
    gained = position_of(after, VAULT, market).size - position_of(exchange, VAULT, market).size
    claim("gained", gained == before - now)


tested(
    "T-VAULT",
    "the_vault_unwinds_at_the_mark_or_better",
    "What the vault offers on command fills at the mark or better, and never opens a position.",
    "VLT-6",
    chapter="vault",
    where="tests/test_scheduler.py::test_the_vault_unwinds_at_the_mark_or_better",
)
