"""A step in words: who did what, what came of it, and under which rule."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from perpref import machine
from perpref.files.scenario import Names
from perpref.outcome import Cancelled, Event, Filled, Paid, Rested
from perpref.rules.liquidation import bankruptcy_price
from perpref.rules.margin import equity, health, position_of
from perpref.run.play import Deed, Played
from perpref.state import TREASURY, VAULT, Exchange, Kind, Side
from perpref.units import AccountId, MarketId

KINDS = {
    Kind.LIMIT: "",
    Kind.POST_ONLY: ", post-only",
    Kind.IOC: ", immediate or cancel",
    Kind.MARKET: "",
}

GONE = {
    "BOOK-5": "is cancelled: its account cannot bear the fill",
    "BOOK-7": "is cancelled: it has nothing left to reduce",
    "BOOK-11": "is cancelled: it would trade with its own account",
    "LIQ-2": "is taken off the book",
}
"""Why a resting order is gone, by rule."""

FORCED = ("liquidate", "take_over", "deleverage", "close_out")


@frozen
class Teller:
    """Tells of accounts, markets and orders by their names."""

    names: Names

    def step(self, played: Played) -> tuple[str, list[str]]:
        """The command, and what came of it, line by line."""
        return self.command(played.step.command, played.before), list(self.consequences(played))

    # Who and what.

    def who(self, account: AccountId) -> str:
        return {VAULT: "the vault", TREASURY: "the treasury"}.get(
            account, self.names.account(account)
        )

    def lots(self, lots: int, market: MarketId) -> str:
        return f"{lots:,} {self.names.market(market)}"

    # The command.

    def command(self, asked: machine.Command, before: Exchange) -> str:
        """What a command asks for, of an exchange in this state."""
        match asked:
            case machine.Deposit(account, amount):
                return f"{self.who(account)} brings in {amount:,}"
            case machine.Withdraw(account, amount):
                return f"{self.who(account)} wants to take out {amount:,}"
            case machine.Transfer(payer, payee, amount):
                return f"{self.who(payer)} wants to pass {amount:,} to {self.who(payee)}"
            case machine.Place():
                return self.placing(asked)
            case machine.Cancel(account, _, order):
                return f"{self.who(account)} cancels {self.names.order(order)}"
            case machine.SetMark(market, price):
                mark = before.markets[market].mark
                verb = "stays at" if price == mark else f"moves from {mark:,} to"
                return f"the mark of {self.names.market(market)} {verb} {price:,}"
            case machine.SettleFunding(market, rate):
                return f"funding of {self.names.market(market)} at {rate:,} parts per million"
            case machine.Unwind(market, _):
                return f"the vault offers what it holds in {self.names.market(market)} at the mark"

    def placing(self, placed: machine.Place) -> str:
        verb = "buy" if placed.side is Side.BUY else "sell"
        limit = "any price" if placed.kind is Kind.MARKET else f"{placed.price:,}"
        only = ", reduce-only" if placed.reduce_only else ""
        what = f"{verb} {self.lots(placed.lots, placed.market)} at {limit}"
        named = self.names.orders.get(placed.order)
        called = f" ({named})" if named else ""
        return f"{self.who(placed.account)} wants to {what}{KINDS[placed.kind]}{only}{called}"

    # What came of it.

    def consequences(self, played: Played) -> Iterator[str]:
        if played.refused is not None:
            refused = played.refused
            yield f"REFUSED, {refused.code} in phase {refused.phase}: {refused.message}"
        due: set[AccountId] = set()
        debtors: set[AccountId] = set()
        for deed in played.deeds:
            account = forced_account(deed)
            if account is not None and account not in due:
                due.add(account)
                yield self.is_due(deed.before, account)
            if deed.name == "socialise" and deed.args[0] not in debtors:
                debtors.add(deed.args[0])
                yield self.owes(deed.before, deed.args[0])
            yield from self.deed(deed)

    def is_due(self, before: Exchange, account: AccountId) -> str:
        now = health(before, account)
        return (
            f"{self.who(account)} is due: an equity of {now.equity:,} is below the maintenance "
            f"margin of {now.maintenance:,} (LIQ-1)"
        )

    def owes(self, before: Exchange, account: AccountId) -> str:
        return (
            f"residual: {self.who(account)} holds nothing any more and owes "
            f"{-equity(before, account):,}, which is shared by equity (LOSS-2)"
        )

    def deed(self, deed: Deed) -> Iterator[str]:
        """What one action did. Fees of a fill are told with the fill."""
        first, *others = deed.events
        if isinstance(first, Filled):
            yield self.fill(deed, first) + self.fees(others)
            return
        for event in deed.events:
            said = self.event(event)
            if said:
                yield said

    def fill(self, deed: Deed, fill: Filled) -> str:
        mark = deed.before.markets[fill.market].mark
        what = self.lots(fill.lots, fill.market)
        if deed.name not in FORCED:
            return (
                f"{self.who(fill.buyer)} buys {what} from {self.who(fill.seller)} "
                f"at {fill.price:,} ({fill.rule})"
            )
        account = deed.args[0]
        other = fill.buyer if fill.seller == account else fill.seller
        verb = "buys" if other == fill.buyer else "sells"
        whose = f"{'from' if verb == 'buys' else 'to'} {self.who(account)}"
        traded = f"{self.who(other)} {verb} {what} {whose}"
        size = position_of(deed.before, account, fill.market).size
        gain = fill.lots * (mark - fill.price) * (1 if size > 0 else -1)
        worth = f"at the mark of {mark:,} {self.feels(other, gain)} ({fill.rule})"
        match deed.name:
            case "liquidate":
                limit = bankruptcy_price(deed.before, account, fill.market)
                return (
                    f"book: {traded} at {fill.price:,}; the bankruptcy price is {limit:,}; {worth}"
                )
            case "take_over":
                return f"vault: {traded} at the bankruptcy price of {fill.price:,}; {worth}"
            case "deleverage":
                held = abs(position_of(deed.before, other, fill.market).size)
                side = "short" if size > 0 else "long"
                return (
                    f"deleverage: of {self.who(other)}'s {side} of {held:,}, {what} are closed "
                    f"at {self.who(account)}'s bankruptcy price of {fill.price:,}; {worth}"
                )
            case _:
                return (
                    f"residual: {what} are closed between {self.who(account)} and "
                    f"{self.who(other)} at the mark of {mark:,}, which costs nobody ({fill.rule})"
                )

    def feels(self, account: AccountId, gain: int) -> str:
        if gain == 0:
            return f"{self.who(account)} neither gains nor loses"
        return f"{self.who(account)} {'gains' if gain > 0 else 'loses'} {abs(gain):,}"

    def fees(self, events: list[Event]) -> str:
        """The fees of a fill that are not zero."""
        paid = [
            f"{self.who(event.payer)} pays a {FEES[event.rule]} of {event.amount:,} ({event.rule})"
            for event in events
            if isinstance(event, Paid) and event.amount
        ]
        return "".join(f"; {one}" for one in paid)

    def event(self, event: Event) -> str:
        """An event that is not a fill; nothing when the command has told it already."""
        match event:
            case Paid(payer, payee, amount, "FUND-3") if amount:
                return f"{self.who(payer)} pays {amount:,} to {self.who(payee)} (FUND-3)"
            case Paid(payer, payee, amount, "LOSS-3"):
                return f"residual: {self.who(payer)} pays {amount:,} of it (LOSS-3)"
            case Rested(market, order):
                return (
                    f"{self.lots(order.lots, market)} at {order.price:,} rest on the book (BOOK-9)"
                )
            case Cancelled(market, _, _, lots, "BOOK-6"):
                return f"{self.lots(lots, market)} find nobody and are cancelled (BOOK-6)"
            case Cancelled(market, _, _, lots, "BOOK-10"):
                return f"{self.lots(lots, market)} leave the book (BOOK-10)"
            case Cancelled(market, order_id, account, lots, rule):
                whose = f"{self.who(account)}'s {self.names.order(order_id)}"
                return f"{whose} for {self.lots(lots, market)} {GONE[rule]} ({rule})"
            case _:
                return ""


FEES = {"FEE-2": "maker fee", "FEE-3": "taker fee", "FEE-5": "liquidation fee"}


def forced_account(deed: Deed) -> AccountId | None:
    """The account that is being liquidated by this action, if it is part of a liquidation."""
    if deed.name in FORCED:
        account: AccountId = deed.args[0]
        return account
    first = deed.events[0]
    if isinstance(first, Cancelled) and first.rule == "LIQ-2":
        return first.account
    return None
