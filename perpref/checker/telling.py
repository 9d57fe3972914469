"""A scenario that was carried out, as a story in plain lines.

Every sentence is made from a command, a refusal or an event; nothing is told that the reference
did not say.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, frozen

from perpref import machine
from perpref.checker.money import FORCED
from perpref.checker.scenario_file import Scenario
from perpref.checker.scenario_run import Act, Play, Played, PlayedStep, liquidated_in
from perpref.machine import Command
from perpref.outcome import Cancelled, CashMoved, Event, Filled, Paid, Refused, Rested
from perpref.rule_registry import Refusal
from perpref.rules import (
    adl,
    adl_margin,
    book,
    liquidation,
    loss,
    loss_trigger,
    settlement,
    vault,
    volunteers,
)
from perpref.rules.margin import equity, health, position_of
from perpref.state import Exchange, Kind, Order, Side, Stage
from perpref.units import MAX_LOTS, AccountId, MarketId


@frozen
class Line:
    """One line of the story: how deep it stands, what it says, and whether it is a headline."""

    depth: int
    text: str
    strong: bool = False


def step_lines(play: Play, played: PlayedStep) -> Iterator[Line]:
    """One step: what the file says of it, each command, and what happened."""
    step = played.step
    if step.say:
        yield Line(0, f"{step.number}. {' '.join(step.say.split())}", strong=True)
    for at, one in enumerate(played.played):
        teller = _Teller(play.scenario, one)
        headline = teller.command(one.command)
        if at == 0 and not step.say:
            yield Line(0, f"{step.number}. {headline}", strong=True)
        else:
            yield Line(1, headline)
        yield from teller.happened()


@define
class _Teller:
    """Tells one command; it keeps whose liquidation and which stage the story is at."""

    scenario: Scenario
    played: Played
    victim: AccountId | None = None
    market: MarketId | None = None
    silent: int = 0

    # Names.

    def who(self, account: AccountId) -> str:
        return self.scenario.who(account)

    def insurer(self, market: MarketId) -> str:
        """The vault of a market."""
        return self.who(self.played.before.markets[market].vault)

    def lots(self, lots: int, market: MarketId) -> str:
        return f"{lots:,} {self.scenario.where(market)}"

    # Commands.

    def command(self, command: Command) -> str:
        match command:
            case machine.Deposit(account, amount):
                return f"{self.who(account)} {self.verb('deposit')} {amount:,} (LED-5)"
            case machine.Withdraw(account, amount):
                return f"{self.who(account)} {self.verb('withdraw')} {amount:,} (LED-7)"
            case machine.Transfer(payer, payee, amount):
                to = self.who(payee)
                return f"{self.who(payer)} {self.verb('transfer')} {amount:,} to {to} (LED-8)"
            case machine.Isolate(owner, account, market, amount):
                what = f"{amount:,} for {self.scenario.where(market)}, as {self.who(account)}"
                return f"{self.who(owner)} {self.verb('isolate')} {what} (ISO-1)"
            case machine.Place():
                return self.order(command)
            case machine.Replace(replaced):
                return f"{self.order(command)} in the stead of order {replaced} (BOOK-16)"
            case machine.Cancel(account, market, order):
                where = self.scenario.where(market)
                return (
                    f"{self.who(account)} {self.verb('cancel')} order {order} in {where} (BOOK-10)"
                )
            case machine.SetMark(market, price):
                return self.mark(market, price)
            case machine.SettleFunding(market, rate):
                side = "the longs pay" if rate > 0 else "the shorts pay"
                where = self.scenario.where(market)
                return f"Funding of {where}: {abs(rate):,} parts per million, {side} (FUND-3)"
            case machine.Unwind(market, order):
                where = self.scenario.where(market)
                what = f"offers its {where} at the mark or better, order {order}"
                seller = self.insurer(market)
                return f"{seller[0].upper()}{seller[1:]} {what} (VLT-6)"
            case machine.SamplePremium(market, premium):
                where = self.scenario.where(market)
                return f"{where} stands {premium:,} parts per million from its index (FUND-10)"
            case machine.SettlePremium(market):
                where = self.scenario.where(market)
                return f"Funding of {where}, at the rate that its premiums make (FUND-10)"
            case machine.SettleMarket(market):
                where = self.scenario.where(market)
                return f"{where} is settled: all that is open closes at its mark (SET-3)"
            case machine.AdvanceClock(now):
                return f"The clock shows {now:,} (CLK-1)"
            case machine.SetIndex(market, index, price):
                where = self.scenario.where(market)
                return f"The index of {where} is {index:,}, the market at {price:,} (MARK-5)"
            case machine.PauseMarket(market):
                return f"{self.scenario.where(market)} is paused (SET-4)"
            case machine.ResumeMarket(market):
                return f"{self.scenario.where(market)} resumes (SET-5)"
            case machine.ContributeToVault(account, amount):
                verb = self.verb("contribute")
                return f"{self.who(account)} {verb} {amount:,} to the vault (VLT-13)"
            case machine.RedeemFromVault(account, shares):
                verb = self.verb("redeem")
                return f"{self.who(account)} {verb} {shares:,} shares of the vault (VLT-14)"
            case machine.RequestRedemption(account, shares):
                verb = self.verb("ask")
                return f"{self.who(account)} {verb} to redeem {shares:,} shares (VLT-16)"
            case machine.Liquidate(liquidator, account, market, lots):
                what = f"{self.verb('take')} {self.lots(lots, market)} from {self.who(account)}"
                return f"{self.who(liquidator)} {what}, from outside (VLT-9)"
            case machine.Volunteer(account, market, lots, edge):
                what = f"{self.lots(lots, market)}, {edge:,} parts per million from the mark"
                return f"{self.who(account)} {self.verb('volunteer')} for {what} (VLT-20)"
            case machine.Recapitalise(market, amount):
                child = self.insurer(market)
                return f"The vault {self.verb('give')} {child} {amount:,} (VLT-18)"
            case machine.RecallCapital(market, amount):
                child = self.insurer(market)
                return f"The vault {self.verb('recall')} {amount:,} from {child} (VLT-19)"

    def verb(self, verb: str) -> str:
        """What somebody does, or would have liked to do."""
        return f"wants to {verb}" if isinstance(self.played.outcome, Refused) else f"{verb}s"

    def order(self, placed: machine.Place | machine.Replace) -> str:
        verb = "buy" if placed.side is Side.BUY else "sell"
        price = "at any price" if placed.kind is Kind.MARKET else f"at {placed.price:,}"
        words = {
            Kind.POST_ONLY: ["post-only"],
            Kind.IOC: ["immediate or cancel"],
            Kind.FOK: ["fill or kill"],
        }
        extras = words.get(placed.kind, []) + (["reduce-only"] if placed.reduce_only else [])
        extras += [f"good till {placed.expires:,}"] if placed.expires else []
        extra = "".join(f", {word}" for word in extras)
        lots = self.lots(placed.lots, placed.market)
        return f"{self.who(placed.account)} wants to {verb} {lots} {price}{extra}"

    def mark(self, market: MarketId, price: int) -> str:
        before = self.played.before.markets[market].mark
        verb = "rises" if price > before else "falls" if price < before else "stays"
        where = self.scenario.where(market)
        if price == before:
            return f"The mark of {where} stays at {price:,} (MARK-1)"
        return f"The mark of {where} {verb} from {before:,} to {price:,} (MARK-1)"

    # What happened.

    def happened(self) -> Iterator[Line]:
        outcome = self.played.outcome
        if isinstance(outcome, Refused):
            yield Line(2, f"refused, and nothing changed: {outcome.message}")
            return
        if isinstance(self.played.command, machine.Cancel):
            return
        yield from self.acts()

    def acts(self) -> Iterator[Line]:
        for act in self.played.acts:
            about = self.about(act)
            if about is not None and about != self.victim:
                yield from self.closing(act.before)
                self.begin(about)
                yield self.due(act.before)
            if act.stage is None:
                yield from self.plain(act)
            else:
                yield from self.forced(act)
        yield from self.closing(self.played.after)

    def begin(self, victim: AccountId | None) -> None:
        self.victim, self.market, self.silent = victim, None, 0

    @staticmethod
    def about(act: Act) -> AccountId | None:
        """Whose liquidation an act is a part of, if it is."""
        if act.victim is not None:
            return act.victim
        for event in act.events:
            if isinstance(event, Cancelled) and event.rule == "LIQ-2":
                return event.account
        return None

    def due(self, before: Exchange) -> Line:
        victim = self.victim
        assert victim is not None
        now = health(before, victim)
        needs = f"its maintenance margin is {now.maintenance:,}"
        return Line(2, f"{self.who(victim)} is liquidated: equity {now.equity:,}, {needs} (LIQ-1)")

    def closing(self, after: Exchange) -> Iterator[Line]:
        """How a liquidation ended."""
        if self.victim is None:
            return
        held = [
            self.lots(abs(position.size), market)
            for market, position in after.accounts[self.victim].positions.items()
        ]
        left = f"keeps {' and '.join(held)}" if held else "is left with no position"
        worth = equity(after, self.victim)
        yield Line(3, f"{self.who(self.victim)} {left} and an equity of {worth:,}")

    # Acts that are no part of the waterfall.

    def plain(self, act: Act) -> Iterator[Line]:
        fees = [event for event in act.events if isinstance(event, Paid)]
        fills = [event for event in act.events if isinstance(event, Filled)]
        if fills:
            yield Line(2, f"{self.filled(fills[0])}{self.fees(fees)}")
            return
        if self.victim is not None:
            yield from self.after_a_loss(act)
        for event in act.events:
            line = self.event(event, act.before)
            if line is not None:
                yield line

    def after_a_loss(self, act: Act) -> Iterator[Line]:
        """What a loss that was left brings for everybody, which no event says."""
        if act.action is loss.close_gate:
            opens = act.before.now + act.before.rulebook.withdrawal_gate
            opens = max(opens, act.before.gate_opens)
            yield Line(4, f"residual: no cash leaves before {opens:,} by the clock (LOSS-13)")
        if act.action is settlement.pause:
            yield Line(4, f"residual: {self._named(MarketId(act.args[0]))} pauses (LOSS-14)")

    def filled(self, fill: Filled) -> str:
        what = f"{self.lots(fill.lots, fill.market)} from {self.who(fill.seller)}"
        return f"{self.who(fill.buyer)} buys {what} at {fill.price:,} ({fill.rule})"

    def fees(self, fees: list[Paid]) -> str:
        paid = [f"{self.who(fee.payer)} {fee.amount:,} ({fee.rule})" for fee in fees if fee.amount]
        return f"; fees: {', '.join(paid)}" if paid else ""

    def event(self, event: Event, before: Exchange) -> Line | None:
        """What an event says that the command did not."""
        match event:
            case Paid(payer, payee, amount, "FUND-3" | "FUND-12" | "FUND-14") if amount:
                by = "FUND-14" if event.rule == "FUND-14" else "FUND-3"
                return Line(2, f"{self.who(payer)} pays {self.who(payee)} {amount:,} ({by})")
            case Paid(payer, payee, amount, "ISO-5"):
                what = f"{self.who(payer)} is closed: {amount:,} go back to {self.who(payee)}"
                return Line(2, f"{what} (ISO-5)")
            case Rested(market, order, rule):
                noun = "a bid for" if order.side is Side.BUY else "an offer of"
                what = f"{noun} {self.lots(order.lots, market)} at {order.price:,}"
                return Line(2, f"{what} rests on the book ({rule})")
            case Cancelled():
                depth = 3 if event.rule == "LIQ-2" else 2
                return Line(depth, f"{self.cancelled(event, before)} ({event.rule})")
            case _:
                return None

    def cancelled(self, event: Cancelled, before: Exchange) -> str:
        lots = self.lots(event.lots, event.market)
        order = f"{self.who(event.account)}'s order over {lots}"
        match event.rule:
            case "BOOK-5":
                return f"{order} is cancelled: its account could not bear the fill"
            case "BOOK-6":
                return f"what is left, {lots}, goes no further"
            case "BOOK-7":
                return f"{order} is cancelled: it could reduce nothing"
            case "BOOK-11":
                return f"{order} is cancelled: nobody trades with itself"
            case _:
                return f"{order} is cancelled"

    # The waterfall.

    def forced(self, act: Act) -> Iterator[Line]:
        if act.action in (loss.charge, loss.socialise):
            yield self.shared(act)
            return
        if act.action is loss.carry:
            yield self.carried(act)
            return
        market: MarketId = act.args[2] if act.action in _WITH_COUNTERPARTY else act.args[1]
        if market != self.market:
            self.market, self.silent = market, 0
            yield self.position(act.before, market)
        yield from self.passed_over(act, market)
        match act.action:
            case liquidation.liquidate:
                yield self.on_book(act, market, act.args[2])
            case vault.take_over:
                yield self.taken_over(act, market, act.args[2])
            case volunteers.assign:
                yield self.assigned(act, market, act.args[1])
            case adl.deleverage | adl_margin.deleverage_with_margin:
                yield self.deleveraged(act, market, act.args[1], act.args[3])
            case loss.close_out:
                yield self.closed_out(act, market, act.args[1], act.args[3])

    def position(self, before: Exchange, market: MarketId) -> Line:
        """The position that goes down the waterfall, and its bankruptcy price."""
        victim = self.victim
        assert victim is not None
        size = position_of(before, victim, market).size
        side = "long" if size > 0 else "short"
        price = liquidation.bankruptcy_price(before, victim, market)
        what = f"{self.lots(abs(size), market)} {side}"
        return Line(3, f"its position of {what} has a bankruptcy price of {price:,} (LIQ-5)")

    def passed_over(self, act: Act, market: MarketId) -> Iterator[Line]:
        """Why the stages before this one did not take it all."""
        waterfall = act.before.rulebook.waterfall
        assert act.stage is not None and self.victim is not None
        at = waterfall.index(act.stage)
        for stage in waterfall[self.silent : at]:
            reason = self.why_not(act.before, stage, self.victim, market)
            if reason:
                yield Line(4, f"{stage.value}: {reason}")
        self.silent = max(self.silent, at)

    def why_not(self, before: Exchange, stage: Stage, victim: AccountId, market: MarketId) -> str:
        """Why a stage takes no lot more, as its own guard says."""
        if stage is Stage.BOOK:
            return self.no_order(before, victim, market)
        if stage is Stage.VAULT:
            try:
                vault.take_over(before, victim, market, 1)
            except Refusal as refusal:
                return f"it takes no lot more: {refusal}"
        if stage is Stage.VOLUNTEERS:
            return "nobody has volunteered who could take a lot more (VLT-10)"
        if stage is Stage.DELEVERAGE:
            if not loss_trigger.has_fallen(before):
                return "winners are not closed while the fund stands (LOSS-11)"
            if not adl.triggered(before, victim):
                return "only of an insolvent account are winners closed (ADL-6)"
            return "nobody on the other side could bear the bankruptcy price (ADL-4)"
        return ""

    def no_order(self, before: Exchange, victim: AccountId, market: MarketId) -> str:
        side = liquidation.closing_side(position_of(before, victim, market).size)
        price = liquidation.liquidation_limit(before, victim, market)
        facing = book.best(before.markets[market], side.opposite)
        if facing is not None and book.crosses(side, price, facing.price):
            return self.fund_cannot_pay(before, victim, market, facing)
        verb = "bids" if side is Side.SELL else "offers"
        best = f", the best is {facing.price:,}" if facing is not None else ""
        return f"nobody {verb} {price:,} or better{best} (LIQ-6)"

    @staticmethod
    def fund_cannot_pay(
        before: Exchange, victim: AccountId, market: MarketId, facing: Order
    ) -> str:
        """Why the best order was not filled, when the vault could not make good the rest."""
        lots = min(abs(position_of(before, victim, market).size), MAX_LOTS)
        try:
            liquidation.liquidate(before, victim, market, facing, lots)
        except Refusal as refusal:
            return str(refusal)
        return ""

    def on_book(self, act: Act, market: MarketId, maker: Order) -> Line:
        fills = [event for event in act.events if isinstance(event, Filled)]
        paid = [event for event in act.events if isinstance(event, Paid)]
        good = [event for event in paid if event.rule == "VLT-8"]
        fees = [event for event in paid if event.rule != "VLT-8"]
        verb = "bid" if maker.side is Side.BUY else "offer"
        what = f"{self.who(maker.account)}'s {verb} takes {self.lots(fills[0].lots, market)}"
        rest = "".join(f"; {self.who(e.payer)} makes good {e.amount:,} (VLT-8)" for e in good)
        return Line(4, f"book: {what} at {maker.price:,} (LIQ-6){rest}{self.fees(fees)}")

    def taken_over(self, act: Act, market: MarketId, lots: int) -> Line:
        (fill,) = (event for event in act.events if isinstance(event, Filled))
        insurer = act.before.markets[market].vault
        what = f"{self.who(insurer)} takes over {self.lots(lots, market)} at {fill.price:,}"
        along = "".join(
            f", {self.who(event.payer)} passes on {event.amount:,} of margin (VLT-22)"
            for event in act.events
            if isinstance(event, Paid)
        )
        return Line(4, f"vault: {what} (VLT-1){along}{self.worth(act, insurer)}")

    def assigned(self, act: Act, market: MarketId, taker: AccountId) -> Line:
        (fill,) = (event for event in act.events if isinstance(event, Filled))
        what = f"{self.who(taker)} is assigned {self.lots(fill.lots, market)} at {fill.price:,}"
        return Line(4, f"volunteers: {what} ({fill.rule}){self.worth(act, taker)}")

    def deleveraged(self, act: Act, market: MarketId, other: AccountId, lots: int) -> Line:
        price = adl.deleveraging_price(act.before, self._victim(), market)
        size = position_of(act.before, other, market).size
        side = "long" if size > 0 else "short"
        part = f"all {lots:,}" if lots == abs(size) else f"{lots:,} of {abs(size):,}"
        what = f"{self.who(other)}'s {side} is closed at {price:,}, {part} {self._named(market)}"
        return Line(4, f"deleverage: {what} (ADL-3){self.worth(act, other)}")

    def closed_out(self, act: Act, market: MarketId, other: AccountId, lots: int) -> Line:
        mark = act.before.markets[market].mark
        what = f"{self.lots(lots, market)} are closed against {self.who(other)} at the mark"
        return Line(4, f"residual: {what} of {mark:,}, which costs nobody anything (LOSS-1)")

    def shared(self, act: Act) -> Line:
        payer = AccountId(act.args[1])
        (paid,) = (event for event in act.events if isinstance(event, Paid))
        deficit = -equity(act.before, self._victim())
        worth = equity(act.before, payer)
        what = f"{self.who(payer)}, worth {worth:,}, pays {paid.amount:,} of the {deficit:,}"
        return Line(4, f"residual: {what} that are missing ({paid.rule})")

    def carried(self, act: Act) -> Line:
        (debt,) = (event for event in act.events if isinstance(event, Paid))
        what = f"{self.who(debt.payer)} takes on the {debt.amount:,} that are missing"
        return Line(4, f"residual: {what}, as a debt ({debt.rule})")

    def worth(self, act: Act, other: AccountId) -> str:
        """What an act was worth to the other side, at the mark."""
        (fill,) = (event for event in act.events if isinstance(event, Filled))
        mark = act.before.markets[fill.market].mark
        gain = fill.lots * (mark - fill.price) * (1 if fill.buyer == other else -1)
        for along in (event for event in act.events if isinstance(event, Paid)):
            gain += along.amount if along.payee == other else -along.amount
        if gain == 0:
            return ""
        return f"; at the mark {self.who(other)} {'gains' if gain > 0 else 'loses'} {abs(gain):,}"

    def _victim(self) -> AccountId:
        assert self.victim is not None
        return self.victim

    def _named(self, market: MarketId) -> str:
        return self.scenario.where(market)


_WITH_COUNTERPARTY = (
    volunteers.assign,
    adl.deleverage,
    adl_margin.deleverage_with_margin,
    loss.close_out,
)
"""Actions whose second argument is the counterparty and whose third is the market."""


# The end.


def who_paid(play: Play) -> str:
    """Who lost by what nobody chose, and to whose advantage."""
    scenario = play.scenario
    victims = liquidated_in(one for step in play.steps for one in step.played)
    if not victims:
        return "Who paid: nobody was liquidated, nobody paid for anybody else."
    sentences = []
    for column in FORCED:
        paid = [f"{scenario.who(a)} {amount:,}" for a, amount in play.money.who_paid(column)]
        gained = [
            f"{scenario.who(account)} {play.money.of(account, column):,}"
            for account in sorted(play.money.sums)
            if play.money.of(account, column) > 0
        ]
        if paid:
            sentences.append(f"{column.value}: {', '.join(paid)} to {', '.join(gained)}")
    names = ", ".join(scenario.who(account) for account in victims)
    if not sentences:
        return f"Who paid: {names} lost by the market alone."
    return f"Who paid: {'; '.join(sentences)}."


def pot(play: Play) -> str:
    """That the pot is what came in, and that the claims on it are no more and no less."""
    custody = play.end.custody
    claims = sum(equity(play.end, account) for account in play.end.accounts)
    same = "the same" if claims == custody else "NOT the same"
    moved = [
        event.amount
        for step in play.steps
        for one in step.played
        for event in one.events
        if isinstance(event, CashMoved)
    ]
    came, went = sum(m for m in moved if m > 0), -sum(m for m in moved if m < 0)
    out = f", {went:,} went out" if went else ""
    unchanged = "and nothing else changed it" if came - went == custody else "which is NOT the rest"
    return (
        f"The pot: {came:,} came in{out}, {custody:,} is there, {unchanged}. "
        f"All equities together: {claims:,}, {same}."
    )
