"""VLT: the insurance vault takes over what the book did not, within its own means."""

from __future__ import annotations

from perpref.outcome import Outcome
from perpref.rule_registry import Phase, formula, refusal, require, rule
from perpref.rules.ledger import (
    NOT_WITHDRAWABLE,
    fill,
    hand_over,
    pay,
    require_amount,
    withdrawable,
)
from perpref.rules.liquidation import (
    bankruptcy_price,
    margin_transferred,
    require_due,
    share_of_equity,
    vault_boundary,
)
from perpref.rules.margin import equity, health, notional, position_of
from perpref.rules.mark import require_market
from perpref.state import VAULT, Exchange, TakeoverPrice
from perpref.units import PARTS, AccountId, MarketId, floor_div

VAULT_IS_LIQUIDATED = refusal(
    "VLT-5", "vault_is_liquidated", Phase.VALIDATE, "The vault cannot take over from itself"
)
OVER_CAP = refusal(
    "VLT-2", "over_cap", Phase.MARGIN, "The vault would hold {value} lots, its cap is {limit}"
)
OVER_NOTIONAL_CAP = refusal(
    "VLT-23",
    "over_notional_cap",
    Phase.MARGIN,
    "The vault would hold a notional of {value}, too much for its equity of {limit}",
)
UNDER_MARGIN = refusal(
    "VLT-3",
    "vault_under_margin",
    Phase.MARGIN,
    "The vault's equity would be {value}, its initial margin {limit}",
)
UNDER_BOUNDARY = refusal(
    "VLT-4",
    "under_boundary",
    Phase.MARGIN,
    "The vault's equity would be {value}, its boundary is {limit}",
)
MORE_THAN_THERE_IS = refusal(
    "LIQ-3", "more_than_there_is", Phase.VALIDATE, "{value} lots are not between 1 and {limit}"
)
NO_CHILD = refusal("VLT-17", "no_child", Phase.VALIDATE, "Market {value} has no vault of its own")
VAULT_WAITS = refusal(
    "VLT-7",
    "vault_waits",
    Phase.VALIDATE,
    "The equity of {value} is not below the part of {limit} at which the vault steps in",
)


def require_held(exchange: Exchange, account: AccountId, market: MarketId, lots: int) -> int:
    """The size of a position, in lots. Refuses more lots than it has, or none (LIQ-3)."""
    size = position_of(exchange, account, market).size
    require(1 <= lots <= abs(size), MORE_THAN_THERE_IS, lots, abs(size))
    return size


def transfer_position(
    exchange: Exchange,
    account: AccountId,
    receiver: AccountId,
    market: MarketId,
    lots: int,
    price: int,
    reason: str,
) -> Outcome:
    """Close `lots` of an account's position against a receiver, off the book."""
    size = require_held(exchange, account, market, lots)
    buyer, seller = (receiver, account) if size > 0 else (account, receiver)
    return fill(exchange, buyer, seller, market, lots, price, reason)


@rule("VLT-7")
def steps_in(equity: int, maintenance: int, trigger: int) -> bool:
    """Whether the vault takes over from an account: its equity is below a part of its margin.

    Args:
        trigger: the part of the maintenance margin, in parts per million.
    """
    return equity * PARTS < maintenance * trigger


def require_stepping_in(exchange: Exchange, account: AccountId) -> None:
    """Refuse a takeover that the rulebook's vault still waits with (VLT-7)."""
    now, trigger = health(exchange, account), exchange.rulebook.vault_trigger
    waits = not steps_in(now.equity, now.maintenance, trigger)
    require(not waits, VAULT_WAITS, now.equity, now.maintenance)


@rule("VLT-22")
def margin_taken(margin: int, lots: int, size: int) -> int:
    """The margin that goes along with `lots` that a vault takes: as much with each, in quanta.

    What rounding leaves goes along with the last of them. So what a vault has after it has taken n
    lots is on a straight line, below the whole position, and what it may take has no gaps there.
    """
    if lots == abs(size):
        return margin_transferred(margin, lots, size)
    return lots * margin_transferred(margin, 1, size)


@rule("VLT-22")
def takeover_terms(
    choice: TakeoverPrice, bankruptcy: int, mark: int, margin: int, lots: int, size: int
) -> tuple[int, int]:
    """The price of a takeover of `lots`, in ticks, and the margin that goes along, in quanta.

    Args:
        bankruptcy: the bankruptcy price of the position (LIQ-5).
        margin: the equity behind it (LIQ-4); where it is negative the vault brings what is lacking.
    """
    match choice:
        case TakeoverPrice.BANKRUPTCY:
            return bankruptcy, 0
        case TakeoverPrice.MARK:
            return mark, 0
        case TakeoverPrice.WITH_MARGIN:
            return mark, margin_taken(margin, lots, size)


@rule("VLT-22")
def pass_margin(exchange: Exchange, account: AccountId, vault: AccountId, margin: int) -> Outcome:
    """Pass the margin that goes along to the vault; a negative one is what the vault brings."""
    if margin == 0:
        return Outcome(exchange)
    payer, payee = (account, vault) if margin > 0 else (vault, account)
    return pay(exchange, payer, payee, abs(margin), "VLT-22")


@rule("VLT-23")
def is_within_notional_cap(notional: int, equity: int, cap: int) -> bool:
    """Whether a vault with this equity may hold so much notional over all markets, in quanta.

    Args:
        cap: the part of its equity, in parts per million; any notional when 0.
    """
    return cap == 0 or notional * PARTS <= cap * equity


def require_within_notional_cap(exchange: Exchange, vault: AccountId) -> None:
    """Refuse that a vault holds more notional than the rulebook's part of its equity (VLT-23)."""
    positions, cap = exchange.accounts[vault].positions, exchange.rulebook.vault_notional_cap
    held, worth = positions.total_against(exchange.markets, notional), equity(exchange, vault)
    require(is_within_notional_cap(held, worth, cap), OVER_NOTIONAL_CAP, held, worth)


def transfer_to_vault(
    exchange: Exchange, account: AccountId, market: MarketId, lots: int
) -> Outcome:
    """Pass `lots` of a position to the market's vault, on the rulebook's terms (VLT-22)."""
    size, listed = require_held(exchange, account, market, lots), exchange.markets[market]
    bankruptcy = bankruptcy_price(exchange, account, market)
    behind, choice = share_of_equity(exchange, account, market), exchange.rulebook.takeover_price
    price, along = takeover_terms(choice, bankruptcy, listed.mark, behind, lots, size)
    moved = transfer_position(exchange, account, listed.vault, market, lots, price, "VLT-1")
    return moved.then(pass_margin, account, listed.vault, along)


@rule("VLT-1", "VLT-2", "VLT-3", "VLT-4", "VLT-5")
def take_over(exchange: Exchange, account: AccountId, market: MarketId, lots: int) -> Outcome:
    """The market's vault takes `lots` of a position at the rulebook's price, if it can.

    Afterwards its size is within the market's cap and its notional within the rulebook's, its
    equity covers its initial margin over all markets, and has not fallen below the boundary.
    """
    vault = exchange.markets[market].vault
    require(account != vault, VAULT_IS_LIQUIDATED)
    require_due(exchange, account, market)
    require_stepping_in(exchange, account)
    outcome = transfer_to_vault(exchange, account, market, lots)
    held = abs(position_of(outcome.exchange, vault, market).size)
    cap = exchange.markets[market].vault_cap
    require(held <= cap, OVER_CAP, held, cap)
    require_within_notional_cap(outcome.exchange, vault)
    after = health(outcome.exchange, vault)
    require(after.equity >= after.initial, UNDER_MARGIN, after.equity, after.initial)
    boundary = vault_boundary(exchange, market)
    require(after.equity >= boundary, UNDER_BOUNDARY, after.equity, boundary)
    return outcome


# A vault of a market's own, and its parent.


def require_child(exchange: Exchange, market: MarketId) -> AccountId:
    """The vault of a market's own. Refuses a market that has none (VLT-17)."""
    require_market(exchange, market)
    child = exchange.markets[market].vault
    require(child != VAULT, NO_CHILD, market)
    return child


@rule("VLT-18")
def recapitalise(exchange: Exchange, market: MarketId, amount: int) -> Outcome:
    """The insurance vault gives a market's own vault cash, within its margin and boundary."""
    child = require_child(exchange, market)
    require_amount(amount)
    free = withdrawable(exchange, VAULT)
    require(amount <= free, NOT_WITHDRAWABLE, amount, free)
    left, boundary = equity(exchange, VAULT) - amount, exchange.rulebook.vault_boundary
    require(left >= boundary, UNDER_BOUNDARY, left, boundary)
    return hand_over(exchange, VAULT, child, amount, "VLT-18")


@rule("VLT-19")
def recall_capital(exchange: Exchange, market: MarketId, amount: int) -> Outcome:
    """A market's own vault gives the insurance vault cash, within its margin and boundary."""
    child = require_child(exchange, market)
    require_amount(amount)
    free = withdrawable(exchange, child)
    require(amount <= free, NOT_WITHDRAWABLE, amount, free)
    left, boundary = equity(exchange, child) - amount, vault_boundary(exchange, market)
    require(left >= boundary, UNDER_BOUNDARY, left, boundary)
    return hand_over(exchange, child, VAULT, amount, "VLT-19")


# What else stands between a liquidated account and the winners, at one venue or another.


@rule("VLT-8")
def fund_delta(value: int, bankruptcy_value: int, rate: int) -> int:
    """What a fill brings the insurance fund, in quanta; negative is what the fund has to pay.

    What is beyond the value at the bankruptcy price is the fund's, up to a rate of the fill,
    rounded down; what is short of it the fund makes good.

    Args:
        value: what the fill brings the account, negative when it pays.
        bankruptcy_value: the same at the bankruptcy price.
    """
    better = value - bankruptcy_value
    return min(better, floor_div(abs(value) * rate, PARTS)) if better > 0 else better


@formula("VLT-11")
def pool_on_the_way(pool: int, insured: int, returned: int) -> tuple[int, int]:
    """What a market's pool of collateral holds after the fund has paid in, and at the end.

    The fund pays first what an account lacks; only then does the pool give back the collateral of
    whoever leaves. The other way round it could be short on the way although nothing is missing.

    Args:
        insured: what the fund pays in, in quanta, and `returned` what leaves the pool.
    """
    after_the_fund = pool + insured
    return after_the_fund, after_the_fund - returned
