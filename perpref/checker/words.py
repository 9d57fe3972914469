"""Commands, events and results in plain words."""

from __future__ import annotations

from perpref import machine
from perpref.checker.wire import Done, Errored, RefusedBy, Result, Skipped, Unknown
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
from perpref.state import TREASURY, VAULT, Kind, Side
from perpref.units import AccountId

ADVERBS = {
    Kind.LIMIT: "",
    Kind.POST_ONLY: ", post-only",
    Kind.IOC: ", immediate or cancel",
    Kind.MARKET: "",
    Kind.FOK: ", fill or kill",
}


def who(account: AccountId) -> str:
    """An account by its part, or its number."""
    return {VAULT: "the vault", TREASURY: "the treasury"}.get(account, f"account {account}")


def command(done: machine.Command) -> str:
    """What a command asks for."""
    match done:
        case machine.Deposit(account, amount):
            return f"{who(account)} deposits {amount}"
        case machine.Withdraw(account, amount):
            return f"{who(account)} withdraws {amount}"
        case machine.Transfer(payer, payee, amount):
            return f"{who(payer)} transfers {amount} to {who(payee)}"
        case machine.Isolate(owner, account, market, amount):
            what = f"{amount} for market {market} as {who(account)}"
            return f"{who(owner)} isolates {what}"
        case machine.Place(order, account):
            asked = _asked(done)
            return f"{who(account)} places order {order}: {asked}"
        case machine.Replace(replaced, order, account):
            asked = _asked(done)
            return f"{who(account)} replaces order {replaced} by order {order}: {asked}"
        case machine.Cancel(account, market, order):
            return f"{who(account)} cancels order {order} in market {market}"
        case machine.SetMark(market, price):
            return f"the mark of market {market} moves to {price}"
        case machine.SettleFunding(market, rate):
            return f"funding of market {market} at {rate} parts per million"
        case machine.Unwind(market, order):
            return f"the vault unwinds in market {market} by order {order}"
        case machine.SamplePremium(market, premium):
            return f"a premium of {premium} parts per million in market {market}"
        case machine.SettlePremium(market):
            return f"funding of market {market} at the rate of its premiums"
        case machine.SettleMarket(market):
            return f"market {market} is settled"
        case machine.AdvanceClock(now):
            return f"the clock shows {now}"
        case machine.SetIndex(market, index, price):
            return f"the index of market {market} is {index}, the market at {price}"
        case machine.PauseMarket(market):
            return f"market {market} is paused"
        case machine.ResumeMarket(market):
            return f"market {market} resumes"
        case machine.ContributeToVault(account, amount):
            return f"{who(account)} contributes {amount} to the vault"
        case machine.RedeemFromVault(account, shares):
            return f"{who(account)} redeems {shares} shares of the vault"
        case machine.RequestRedemption(account, shares):
            return f"{who(account)} gives notice of {shares} shares of the vault"
        case machine.Liquidate(liquidator, account, market, lots):
            what = f"{lots} of market {market} from {who(account)}"
            return f"{who(liquidator)} liquidates {what}"
        case machine.Volunteer(account, market, lots, edge):
            what = f"{lots} of market {market} at an edge of {edge} parts per million"
            return f"{who(account)} volunteers for {what}"
        case machine.Recapitalise(market, amount):
            return f"the vault gives the vault of market {market} {amount}"
        case machine.RecallCapital(market, amount):
            return f"the vault of market {market} gives back {amount}"


def _asked(order: machine.Place | machine.Replace) -> str:
    verb = "buy" if order.side is Side.BUY else "sell"
    limit = (
        "at any price" if order.kind is Kind.MARKET else f"at {order.price}{ADVERBS[order.kind]}"
    )
    only = ", reduce-only" if order.reduce_only else ""
    till = f", good till {order.expires}" if order.expires else ""
    return f"{verb} {order.lots} of market {order.market} {limit}{only}{till}"


REASONS = {
    "ISO-1": "isolated margin",
    "ISO-5": "what is left of an isolated position",
    "LIQ-6": "liquidation on the book",
    "VLT-1": "takeover",
    "VLT-8": "made good by the vault",
    "VLT-13": "contribution to the vault",
    "VLT-14": "shares redeemed",
    "VLT-9": "taken from outside",
    "VLT-10": "assigned to a volunteer",
    "VLT-22": "margin that goes along",
    "VLT-18": "recapitalisation",
    "VLT-19": "capital recalled",
    "SET-2": "settlement",
    "ADL-3": "deleveraging",
    "LOSS-1": "close-out",
    "FEE-2": "maker fee",
    "FEE-3": "taker fee",
    "FEE-5": "liquidation fee",
    "FUND-3": "funding",
    "FUND-12": "funding on touch",
    "LOSS-3": "share of the loss",
    "LOSS-10": "charged for the loss",
    "ADL-13": "margin that goes along",
    "LOSS-8": "kept back for the vault's debt",
    "LOSS-12": "carried by the vault",
}


def event(happened: Event | None) -> str:
    """What happened, and under which rule."""
    if happened is None:
        return "nothing more"
    reason = f"{REASONS[happened.rule]}, " if happened.rule in REASONS else ""
    because = f"({reason}{happened.rule})"
    match happened:
        case CashMoved(account, amount):
            verb = "brings in" if amount >= 0 else "takes out"
            return f"{who(account)} {verb} {abs(amount)} {because}"
        case Paid(payer, payee, amount):
            return f"{who(payer)} pays {amount} to {who(payee)} {because}"
        case Filled(buyer, seller, market, lots, price):
            what = f"{lots} of market {market} from {who(seller)} at {price}"
            return f"{who(buyer)} buys {what} {because}"
        case Rested(market, order):
            verb = "buy" if order.side is Side.BUY else "sell"
            what = f"{verb} {order.lots} at {order.price}"
            return f"order {order.id} rests in market {market}: {what} {because}"
        case Cancelled(market, order_id, _, lots):
            return f"order {order_id} is cancelled in market {market} with {lots} left {because}"
        case Marked(market, price):
            return f"the mark of market {market} is {price} {because}"


def result(said: Result) -> str:
    """How an engine says that a command ended."""
    match said:
        case Done():
            return "done"
        case RefusedBy(code, phase, rule):
            return _refused(code, phase, rule)
        case Skipped(why):
            return f"skipped: {why}" if why else "skipped"
        case Errored(why):
            return f"failed: {why}" if why else "failed"
        case Unknown(why):
            return f"does not know: {why}" if why else "does not know"


def expected(outcome: Outcome | Refused | None) -> str:
    """How a command ends in the reference."""
    match outcome:
        case None:
            return "not carried out"
        case Outcome():
            return "done"
        case Refused(code, phase, rule):
            return _refused(code, phase, rule)


def _refused(code: str, phase: str, rule: str) -> str:
    inside = ", ".join(part for part in (phase, rule) if part)
    return f"refused: {code or 'no reason given'}" + (f" ({inside})" if inside else "")
