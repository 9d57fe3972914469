"""ADL: margin that goes along with lots is a part of what there is, and all of it at the end."""

from __future__ import annotations

from perpref.rules import adl_margin, liquidation
from perpref.rules.liquidation import price_without, share_of_equity
from perpref.rules.margin import equity
from perpref.units import MAX_PRICE
from proofs.contracts import CLOSING
from proofs.executor import all_of, any_of, assume, claim, fresh_int, implies
from proofs.laws import SOLVENCY, Step, action, of, take
from proofs.ledger import any_account
from proofs.liquidation import any_target
from proofs.registry import theorem
from proofs.world import between

HANDED_OVER = (*CLOSING, "margin_transferred")


@action("ADL-1", "ADL-4", "ADL-6", "ADL-13", keeps=SOLVENCY, assumes=HANDED_OVER)
def deleverage_with_margin() -> Step:
    exchange, account, market = any_target()
    counterparty = any_account("counterparty")
    after = take(
        adl_margin.deleverage_with_margin,
        exchange,
        account,
        counterparty,
        market,
        fresh_int("lots"),
    )
    return Step(exchange, after, (account, counterparty), market)


@of(deleverage_with_margin, "T-ADL", "ADL-13", assumes=HANDED_OVER)
def with_its_margin_a_lot_is_closed_between_the_two_alone(step: Step) -> None:
    """What one of them gains is what the other loses, and a solvent counterparty stays solvent."""
    account, counterparty = step.accounts
    was, now = equity(step.before, counterparty), equity(step.after, counterparty)
    other_was, other_now = equity(step.before, account), equity(step.after, account)
    claim("between them", was + other_was == now + other_now)
    claim("solvent", implies(was >= 0, now >= 0))
    assert step.market is not None
    behind = share_of_equity(step.before, account, step.market)
    claim("along", implies(behind >= 0, now >= was))
    claim("brings", implies(behind < 0, now <= was))


@theorem("T-ADL", "ADL-13", subject="margin_transferred")
def margin_that_goes_along_is_a_part_of_what_there_is() -> None:
    """Never more than there is, and what stays behind the other lots is no less than their part."""
    margin, lots, size = fresh_int("margin"), fresh_int("lots"), fresh_int("size")
    assume(all_of(lots >= 1, any_of(size >= lots, size <= -lots)))
    along = liquidation.margin_transferred(margin, lots, size)
    claim("within", implies(margin >= 0, all_of(along >= 0, along <= margin)))
    claim("of a debt", implies(margin < 0, along < 0))
    left = (margin - along) * abs(size)
    claim("no less", left >= margin * (abs(size) - lots))
    claim("less than a quantum", left < margin * (abs(size) - lots) + abs(size))
    claim("all", implies(any_of(size == lots, size == -lots), along == margin))


@theorem("T-ADL", "ADL-4", "ADL-13", subject="bearable_lots")
def what_is_bearable_with_margin_is_all_that_is() -> None:
    """So many lots cost no more than there is, and one more, if it has it, costs more."""
    worth, margin, size = fresh_int("equity"), fresh_int("margin"), fresh_int("size")
    assume(any_of(size >= 1, size <= -1))
    lots = adl_margin.bearable_lots(worth, margin, size)
    claim("some of them", all_of(0 <= lots, lots <= abs(size)))
    has = worth if worth > 0 else 0
    claim("borne", implies(margin < 0, -margin * lots <= has * abs(size)))
    more = all_of(margin < 0, lots < abs(size))
    claim("no more", implies(more, -margin * (lots + 1) > has * abs(size)))


@theorem("T-BP", "ADL-13", subject="takeover_value")
def margin_that_goes_along_is_the_bankruptcy_price_but_for_a_quantum_a_lot() -> None:
    """Of a long with one position: what is paid for the lots differs by less than their number."""
    mark, size, margin = between("mark", 1, MAX_PRICE), fresh_int("size"), fresh_int("margin")
    lots = fresh_int("lots")
    assume(all_of(1 <= lots, lots <= size, margin <= size * mark - size))
    paid = adl_margin.takeover_value(mark, lots, size, margin)
    price = price_without(mark, size, margin)
    claim("no more", paid <= price * lots)
    claim("but for a quantum a lot", paid > price * lots - lots)
