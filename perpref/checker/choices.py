"""The choices that an engine reported, fed to the reference and judged by the guards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from perpref import machine
from perpref.checker.wire import Chosen, ChosenCounterparty, ChosenPrice
from perpref.forced_closing import closing, most_bearable
from perpref.outcome import Event, Filled, Outcome, Refused
from perpref.rule_registry import Refusal
from perpref.rules import adl, margin
from perpref.scheduler import BY_RULEBOOK, Choices, Run, closable, queue
from perpref.state import Chooser, Exchange, Order, Stage
from perpref.units import AccountId, MarketId


def lots_to_close(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId
) -> int:
    """How many lots an ADL would close here: as many as are left and the counterparty can bear."""
    size = abs(margin.position_of(exchange, account, market).size)
    return min(size, most_bearable(exchange, account, counterparty, market))


def could_be_closed(
    exchange: Exchange, account: AccountId, counterparty: AccountId, market: MarketId
) -> bool:
    """Whether an ADL would close anything here, rather than pass the counterparty over."""
    lots = lots_to_close(exchange, account, counterparty, market)
    try:
        closing(exchange)(exchange, account, counterparty, market, lots)
    except Refusal:
        return False
    return True


class IllegalChoice(Exception):
    """The engine made a choice that a rule forbids, or did not say what it chose."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(rule, what)
        self.rule = rule
        self.what = what


class Reported:
    """`Choices` as an engine reported them, in its order."""

    def __init__(
        self, exchange: Exchange, chosen: Iterable[Chosen], events: Iterable[Event] = ()
    ) -> None:
        self.run = Run(exchange, self)
        rulebook = exchange.rulebook
        self._prices_open = rulebook.price is Chooser.ENGINE
        self._counterparties_open = rulebook.counterparty is Chooser.ENGINE
        self._pairs = [made for made in chosen if isinstance(made, ChosenCounterparty)]
        self._prices = [made for made in chosen if isinstance(made, ChosenPrice)]
        self._asking = [s for s in rulebook.waterfall if s in (Stage.DELEVERAGE, Stage.RESIDUAL)]
        self._fills = [event for event in events if isinstance(event, Filled)]
        self._stage: dict[tuple[AccountId, MarketId], int] = {}

    def price(self, taker: Order, maker: Order) -> int:
        if not self._prices_open:
            return BY_RULEBOOK.price(taker, maker)
        for made in self._prices:
            if (made.taker, made.maker) == (taker.id, maker.id):
                self._prices.remove(made)
                return made.price
        raise IllegalChoice(
            "BOOK-3", f"it did not report the price of order {taker.id} against order {maker.id}"
        )

    def counterparties(
        self, exchange: Exchange, account: AccountId, market: MarketId
    ) -> Iterator[AccountId]:
        if not self._counterparties_open:
            yield from BY_RULEBOOK.counterparties(exchange, account, market)
            return
        place = account, market
        at = self._stage.get(place, 0)
        stage = self._asking[at]
        used: set[AccountId] = set()
        unable: set[AccountId] = set()
        while closable(self.run.exchange, account, market):
            if stage is Stage.DELEVERAGE and self._ends(account, market, used, unable):
                self._stage[place] = (at + 1) % len(self._asking)
                return
            counterparty = self._next(account, market)
            self._judge(stage, account, counterparty, market, used)
            used.add(counterparty)
            yield counterparty
        self._stage[place] = 0

    def _ends(
        self, account: AccountId, market: MarketId, used: set[AccountId], unable: set[AccountId]
    ) -> bool:
        """Whether deleveraging ends here: nobody is left who could bear a lot all the time.

        Who once could bear nothing may be passed over, though a later closing can move the
        bankruptcy price so that it could: then the engine's events tell what it did.
        """
        now = self.run.exchange
        if not adl.triggered(now, account):
            return True
        others = [other for other in queue(now, account, market) if other not in used]
        able = {other for other in others if could_be_closed(now, account, other, market)}
        unable.update(other for other in others if other not in able)
        if able - unable or not able:
            return not able
        following = next(
            (m.counterparty for m in self._pairs if (m.account, m.market) == (account, market)),
            None,
        )
        return following not in able or not self._was_deleveraged(account, following, market)

    def _was_deleveraged(
        self, account: AccountId, counterparty: AccountId | None, market: MarketId
    ) -> bool:
        parties = {account, counterparty}
        return any(
            (fill.rule, fill.market) == ("ADL-3", market) and {fill.buyer, fill.seller} == parties
            for fill in self._fills
        )

    def _next(self, account: AccountId, market: MarketId) -> AccountId:
        for made in self._pairs:
            if (made.account, made.market) == (account, market):
                self._pairs.remove(made)
                return made.counterparty
        size = margin.position_of(self.run.exchange, account, market).size
        raise IllegalChoice(
            "ADL-2",
            f"it did not report against whom the {abs(size)} lots of account {account} "
            f"in market {market} were closed",
        )

    def _judge(
        self,
        stage: Stage,
        account: AccountId,
        counterparty: AccountId,
        market: MarketId,
        used: set[AccountId],
    ) -> None:
        now = self.run.exchange
        who = f"it closed account {account} against account {counterparty} in market {market}"
        if counterparty not in now.accounts:
            raise IllegalChoice("ADL-1", f"{who}: there is no such account")
        if counterparty in used:
            raise IllegalChoice("ADL-5", f"{who} twice at one stage")
        try:
            adl.require_opposite(now, account, counterparty, market, 1)
            if stage is Stage.DELEVERAGE:
                lots = max(1, lots_to_close(now, account, counterparty, market))
                closing(now)(now, account, counterparty, market, lots)
        except Refusal as refusal:
            raise IllegalChoice(refusal.code.rule, f"{who}: {refusal}") from refusal

    def require_all_used(self) -> None:
        """Insist that the rules gave occasion for every choice that was reported."""
        for made in self._pairs:
            raise IllegalChoice(
                "ADL-1",
                f"it reports that account {made.account} was closed against account "
                f"{made.counterparty} in market {made.market}, where nothing was to be closed",
            )
        for price in self._prices:
            raise IllegalChoice(
                "BOOK-3",
                f"it reports a price of {price.price} for order {price.taker} against order "
                f"{price.maker}, which do not meet",
            )


def leaves_choice(exchange: Exchange) -> bool:
    """Whether the rulebook leaves any choice to the engine."""
    book = exchange.rulebook
    return Chooser.ENGINE in (book.counterparty, book.price)


def apply_chosen(
    exchange: Exchange,
    command: machine.Command,
    chosen: Iterable[Chosen],
    events: Iterable[Event] = (),
) -> Outcome | Refused:
    """What a command makes of an exchange when the engine chooses.

    Raises:
        IllegalChoice: a choice is illegal, missing, or was not there to be made.
    """
    chosen = list(chosen)
    if not leaves_choice(exchange):
        if chosen:
            raise IllegalChoice("", "it reports a choice, but the rulebook leaves none")
        return machine.apply(exchange, command)
    reported = Reported(exchange, chosen, events)
    try:
        machine.take(reported.run, command)
    except Refusal as refused:
        code = refused.code
        return Refused(code.code, code.phase.value, code.rule, str(refused))
    reported.require_all_used()
    return reported.run.outcome()


class Recording:
    """Choices made by somebody else, written down as an engine reports them."""

    def __init__(self, maker: Choices = BY_RULEBOOK) -> None:
        self._maker = maker
        self._asked: list[ChosenCounterparty] = []
        self._prices: list[ChosenPrice] = []

    def price(self, taker: Order, maker: Order) -> int:
        price = self._maker.price(taker, maker)
        self._prices.append(ChosenPrice(taker.id, maker.id, price))
        return price

    def counterparties(
        self, exchange: Exchange, account: AccountId, market: MarketId
    ) -> Iterator[AccountId]:
        for counterparty in self._maker.counterparties(exchange, account, market):
            self._asked.append(ChosenCounterparty(account, market, counterparty))
            yield counterparty

    def made(self, outcome: Outcome, rulebook_price: Chooser, by: Chooser) -> tuple[Chosen, ...]:
        """What is to be reported: prices, and those counterparties that were really used."""
        made: list[Chosen] = []
        if rulebook_price is Chooser.ENGINE:
            made.extend(self._prices)
        if by is Chooser.ENGINE:
            made.extend(self._used(outcome))
        return tuple(made)

    def _used(self, outcome: Outcome) -> Iterator[Chosen]:
        asked = iter(self._asked)
        for event in outcome.events:
            if isinstance(event, Filled) and event.rule in ("ADL-3", "LOSS-1"):
                parties = {event.buyer, event.seller}
                for pair in asked:
                    if pair.market == event.market and {pair.account, pair.counterparty} == parties:
                        yield pair
                        break
