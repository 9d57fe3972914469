"""The page of commands against the machine: which checks a command makes, and in which order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import evolve

from perpref import machine
from perpref.machine import (
    AdvanceClock,
    Cancel,
    Command,
    ContributeToVault,
    Deposit,
    Isolate,
    Liquidate,
    PauseMarket,
    Place,
    RecallCapital,
    Recapitalise,
    RedeemFromVault,
    Replace,
    RequestRedemption,
    ResumeMarket,
    SamplePremium,
    SetIndex,
    SetMark,
    SettleFunding,
    SettleMarket,
    SettlePremium,
    Transfer,
    Unwind,
    Volunteer,
    Withdraw,
)
from perpref.outcome import Refused
from perpref.rule_registry import refusals
from perpref.state import (
    VAULT,
    Exchange,
    ForcedPrice,
    Isolation,
    Kind,
    LiquidationSize,
    MarkPolicy,
    Ranking,
    Rulebook,
    SelfTrade,
    Side,
    Stake,
)
from perpref.units import MAX_ID, MAX_LOTS, PARTS, AccountId, MarketId, OrderId
from tests.exchanges import (
    ANN,
    BOB,
    CY,
    DAN,
    GOLD,
    OIL,
    buys,
    exchange,
    holds,
    market,
    rules,
    sells,
)

PAGE = (Path(__file__).parents[2] / "spec" / "commands.md").read_text(encoding="utf-8")

DOES = re.compile(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| \{rule\}[^|]*\|$", re.M)
MEANS = re.compile(
    r"^\| \{refusal\}`(\w+)` \| [^|]* \| `(\w+)` \| \{rule\}`([A-Z]+-\d+)` \|$", re.M
)

FIELDS = {name: fields.split(", ") for name, fields, _ in DOES.findall(PAGE)}
CHECKS = {name: re.findall(r"\{refusal\}`(\w+)`", checks) for name, _, checks in DOES.findall(PAGE)}

NOWHERE, NOBODY, WRONG_ID = MarketId(3), CY, AccountId(-1)

PLAIN = exchange(
    {ANN: holds(50), BOB: holds(1_000)},
    market(100, sells(1, BOB, 9, 100)),
    rulebook=rules(funding_cap=10),
    last_order=2,
)
ENDED = evolve(PLAIN, markets=PLAIN.markets.put(GOLD, evolve(PLAIN.markets[GOLD], settling=True)))
COSTLY = evolve(
    PLAIN, markets=PLAIN.markets.put(GOLD, evolve(PLAIN.markets[GOLD], least_notional=901))
)
LATER = evolve(PLAIN, now=7)
TICKED = evolve(PLAIN, markets=PLAIN.markets.put(GOLD, evolve(PLAIN.markets[GOLD], tick=3)))
BANDED = evolve(
    PLAIN, markets=PLAIN.markets.put(GOLD, evolve(PLAIN.markets[GOLD], price_band=100_000))
)
CROWDED = evolve(PLAIN, rulebook=evolve(PLAIN.rulebook, most_orders=1))
KEPT = evolve(PLAIN, rulebook=evolve(PLAIN.rulebook, self_trade=SelfTrade.INCOMING))
HELD_UP = evolve(PLAIN, markets=PLAIN.markets.put(GOLD, evolve(PLAIN.markets[GOLD], paused=True)))
OLD = evolve(PLAIN, rulebook=evolve(PLAIN.rulebook, mark_age=5), now=6)
COMPUTED = evolve(PLAIN, rulebook=evolve(PLAIN.rulebook, mark_policy=MarkPolicy.INDEX))
DRAINED = exchange({ANN: holds(50), BOB: holds(-20)})
"""The pot has less than Ann alone could withdraw."""

GATED = evolve(PLAIN, gate_opens=1)


def setting_apart(before: Exchange, account: AccountId = DAN, market: MarketId = GOLD) -> Exchange:
    """The same with an isolated account of Bob's, in gold unless it is said."""
    apart = evolve(holds(100), isolation=Isolation(BOB, market))
    return evolve(before, accounts=before.accounts.put(account, apart))


RESERVED = evolve(
    exchange({ANN: holds(50), BOB: holds(-20)}, market(100, buys(1, ANN, 3, 100))),
    rulebook=evolve(rules(), order_margin=True),
)
"""Of Ann's 50 her bid needs 30."""


def bid(
    order: int,
    account: AccountId,
    at: MarketId,
    kind: Kind,
    lots: int,
    price: int,
    only: bool = True,
) -> Place:
    return Place(OrderId(order), account, at, Side.BUY, kind, lots, price, only)


def instead(placed: Place, of: int = 1) -> Replace:
    """An order in the stead of one that rests, or would have to."""
    return Replace(OrderId(of), *attrs.astuple(placed, recurse=False))


TWICE = exchange(
    {BOB: holds(50), CY: holds(1_000)},
    market(100, sells(1, BOB, 9, 102), sells(2, CY, 9, 100)),
    rulebook=rules(funding_cap=10),
    last_order=2,
)
"""Bob offers, and Cy does, more cheaply."""
OWN = evolve(
    exchange({BOB: holds(1_000)}, market(100, sells(1, BOB, 9, 102), sells(2, BOB, 9, 100))),
    rulebook=KEPT.rulebook,
    last_order=OrderId(2),
)


ANNS = Stake(40, 5, 40, 30, 8)


def insured(
    *,
    safe: int = 100,
    shares: int = 60,
    size: int = 0,
    now: int = 9,
    stake: Stake = ANNS,
    **chosen: int,
) -> Exchange:
    """A vault of which the house has 60 shares and Ann 40, and the rulebook asks for a notice."""
    ann = evolve(holds(50), stake=stake)
    house = evolve(holds(safe, (size, size * 100)), stake=Stake(shares))
    terms: Any = {"vault_notice": 3, **chosen}
    before = exchange({VAULT: house, ANN: ann}, rulebook=evolve(rules(), **terms))
    return evolve(before, now=now)


EARLY, RUNNING = insured(now=4), insured(now=7)
ELSEWHERE = insured(size=9)
KEEPS = insured(vault_boundary=71)
SHUT = evolve(insured(), gate_opens=10)


def parent(safe: int, boundary: int) -> Exchange:
    """The vault, and Cy, the vault of gold's own, which has 30 and keeps 3 of it."""
    own = evolve(market(100), vault=CY, vault_boundary=3)
    terms = rules(boundary=boundary)
    return exchange({VAULT: holds(safe), CY: holds(30)}, own, rulebook=terms)


def hunted(*, bob: int = 90, now: int = 0, **chosen: object) -> Exchange:
    """Ann, long by 10 with 40 left, is due; who takes all 10 gets 1 each and needs 100."""
    terms: Any = {"liquidators": True, "liquidator_fee": 10_000, **chosen}
    accounts = {ANN: holds(40, (10, 1_000)), BOB: holds(bob)}
    return evolve(exchange(accounts, rulebook=evolve(rules(), **terms)), now=now)


def bids(*wrong: Place) -> list[tuple[Exchange, Command]]:
    return [(PLAIN, one) for one in wrong]


def insurer(collateral: int, size: int) -> Exchange:
    """A vault that is long, at a mark of 100, and somebody who bids for it."""
    bidder = {} if size == 0 else {BOB: holds(10**16)}
    resting = [] if size == 0 else [buys(1, BOB, 5, 100)]
    accounts = {VAULT: holds(collateral, (size, size * 100)), **bidder}
    return exchange(accounts, market(100, *resting), rulebook=rules(taker=10_000), last_order=1)


LADDERS: dict[type, list[tuple[Exchange, Command]]] = {
    Deposit: [
        (PLAIN, Deposit(WRONG_ID, 0)),
        (PLAIN, Deposit(ANN, 0)),
        (setting_apart(PLAIN), Deposit(DAN, 1)),
        (PLAIN, Deposit(ANN, 1)),
    ],
    Withdraw: [
        (DRAINED, Withdraw(NOBODY, 0)),
        (DRAINED, Withdraw(NOBODY, 51)),
        (setting_apart(GATED), Withdraw(DAN, 101)),
        (GATED, Withdraw(ANN, 51)),
        (DRAINED, Withdraw(ANN, 51)),
        (DRAINED, Withdraw(ANN, 31)),
        (RESERVED, Withdraw(ANN, 30)),
        (DRAINED, Withdraw(ANN, 30)),
    ],
    Transfer: [
        (PLAIN, Transfer(NOBODY, WRONG_ID, 0)),
        (PLAIN, Transfer(NOBODY, BOB, 0)),
        (PLAIN, Transfer(NOBODY, BOB, 51)),
        (setting_apart(GATED), Transfer(ANN, DAN, 51)),
        (GATED, Transfer(ANN, BOB, 51)),
        (PLAIN, Transfer(ANN, BOB, 51)),
        (RESERVED, Transfer(ANN, BOB, 50)),
        (PLAIN, Transfer(ANN, BOB, 50)),
    ],
    Isolate: [
        (ENDED, Isolate(NOBODY, WRONG_ID, NOWHERE, 0)),
        (ENDED, Isolate(NOBODY, BOB, NOWHERE, 0)),
        (ENDED, Isolate(NOBODY, BOB, NOWHERE, 51)),
        (ENDED, Isolate(NOBODY, BOB, GOLD, 51)),
        (GATED, Isolate(NOBODY, BOB, GOLD, 51)),
        (GATED, Isolate(VAULT, BOB, GOLD, 51)),
        (GATED, Isolate(ANN, BOB, GOLD, 51)),
        (GATED, Isolate(ANN, DAN, GOLD, 51)),
        (RESERVED, Isolate(ANN, DAN, GOLD, 51)),
        (RESERVED, Isolate(ANN, DAN, GOLD, 50)),
        (RESERVED, Isolate(ANN, DAN, GOLD, 20)),
    ],
    Place: [
        (PLAIN, bid(MAX_ID + 1, NOBODY, NOWHERE, Kind.POST_ONLY, 0, 0)),
        (ENDED, bid(MAX_ID + 1, NOBODY, GOLD, Kind.POST_ONLY, 0, 0)),
        (HELD_UP, bid(MAX_ID + 1, NOBODY, GOLD, Kind.POST_ONLY, 0, 0)),
        (OLD, bid(MAX_ID + 1, NOBODY, GOLD, Kind.POST_ONLY, 0, 0)),
        *bids(
            bid(MAX_ID + 1, NOBODY, GOLD, Kind.POST_ONLY, 0, 0),
        ),
        (setting_apart(PLAIN, market=OIL), bid(MAX_ID + 1, DAN, GOLD, Kind.POST_ONLY, 0, 0)),
        *bids(
            bid(MAX_ID + 1, ANN, GOLD, Kind.POST_ONLY, 0, 0),
            bid(MAX_ID + 1, ANN, GOLD, Kind.POST_ONLY, 0, 100),
            bid(MAX_ID + 1, ANN, GOLD, Kind.POST_ONLY, 9, 100),
            bid(2, ANN, GOLD, Kind.POST_ONLY, 9, 100),
        ),
        (PLAIN, evolve(bid(3, ANN, GOLD, Kind.POST_ONLY, 9, 100), expires=-1)),
        (LATER, evolve(bid(3, ANN, GOLD, Kind.POST_ONLY, 9, 100), expires=7)),
        (TICKED, bid(3, ANN, GOLD, Kind.POST_ONLY, 9, 100, only=False)),
        (BANDED, bid(3, ANN, GOLD, Kind.POST_ONLY, 9, 111, only=False)),
        (COSTLY, bid(3, ANN, GOLD, Kind.POST_ONLY, 9, 100, only=False)),
        *bids(
            bid(3, ANN, GOLD, Kind.POST_ONLY, 9, 100),
        ),
        (CROWDED, bid(3, BOB, GOLD, Kind.POST_ONLY, 9, 100, only=False)),
        (
            evolve(PLAIN, rulebook=RESERVED.rulebook),
            bid(3, ANN, GOLD, Kind.POST_ONLY, 9, 100, only=False),
        ),
        *bids(
            bid(3, ANN, GOLD, Kind.POST_ONLY, 9, 100, only=False),
            bid(3, ANN, GOLD, Kind.LIMIT, 9, 100, only=False),
        ),
        (KEPT, bid(3, BOB, GOLD, Kind.FOK, 10, 100, only=False)),
        *bids(
            bid(3, ANN, GOLD, Kind.FOK, 5, 99, only=False),
            bid(3, ANN, GOLD, Kind.FOK, 5, 100, only=False),
        ),
    ],
    Cancel: [
        (PLAIN, Cancel(ANN, NOWHERE, OrderId(2))),
        (PLAIN, Cancel(ANN, GOLD, OrderId(2))),
        (PLAIN, Cancel(ANN, GOLD, OrderId(1))),
        (PLAIN, Cancel(BOB, GOLD, OrderId(1))),
    ],
    Replace: [
        (PLAIN, instead(bid(MAX_ID + 1, BOB, NOWHERE, Kind.POST_ONLY, 0, 0), of=2)),
        (PLAIN, instead(bid(MAX_ID + 1, ANN, GOLD, Kind.POST_ONLY, 0, 0), of=2)),
        (PLAIN, instead(bid(MAX_ID + 1, ANN, GOLD, Kind.POST_ONLY, 0, 0))),
        (ENDED, instead(bid(MAX_ID + 1, BOB, GOLD, Kind.POST_ONLY, 0, 0))),
        (HELD_UP, instead(bid(MAX_ID + 1, BOB, GOLD, Kind.POST_ONLY, 0, 0))),
        (OLD, instead(bid(MAX_ID + 1, BOB, GOLD, Kind.POST_ONLY, 0, 0))),
        (PLAIN, instead(bid(MAX_ID + 1, BOB, GOLD, Kind.POST_ONLY, 0, 0))),
        (PLAIN, instead(bid(MAX_ID + 1, BOB, GOLD, Kind.POST_ONLY, 0, 99))),
        (PLAIN, instead(bid(MAX_ID + 1, BOB, GOLD, Kind.POST_ONLY, 9, 99))),
        (PLAIN, instead(bid(2, BOB, GOLD, Kind.POST_ONLY, 9, 99))),
        (PLAIN, evolve(instead(bid(3, BOB, GOLD, Kind.POST_ONLY, 9, 99)), expires=-1)),
        (LATER, evolve(instead(bid(3, BOB, GOLD, Kind.POST_ONLY, 9, 99)), expires=7)),
        (TICKED, instead(bid(3, BOB, GOLD, Kind.POST_ONLY, 9, 98, only=False))),
        (BANDED, instead(bid(3, BOB, GOLD, Kind.POST_ONLY, 9, 111, only=False))),
        (COSTLY, instead(bid(3, BOB, GOLD, Kind.POST_ONLY, 9, 99, only=False))),
        (PLAIN, instead(bid(3, BOB, GOLD, Kind.POST_ONLY, 9, 99))),
        (
            evolve(OWN, rulebook=CROWDED.rulebook),
            instead(bid(3, BOB, GOLD, Kind.POST_ONLY, 9, 101, only=False)),
        ),
        (
            evolve(TWICE, rulebook=RESERVED.rulebook),
            instead(bid(3, BOB, GOLD, Kind.POST_ONLY, 10, 100, only=False)),
        ),
        (TWICE, instead(bid(3, BOB, GOLD, Kind.POST_ONLY, 9, 100, only=False))),
        (TWICE, instead(bid(3, BOB, GOLD, Kind.LIMIT, 9, 100, only=False))),
        (OWN, instead(bid(3, BOB, GOLD, Kind.FOK, 9, 101, only=False))),
        (PLAIN, instead(bid(3, BOB, GOLD, Kind.FOK, 9, 99, only=False))),
        (PLAIN, instead(bid(3, BOB, GOLD, Kind.LIMIT, 9, 99, only=False))),
    ],
    SetMark: [
        (PLAIN, SetMark(NOWHERE, 0)),
        (ENDED, SetMark(GOLD, 0)),
        (COMPUTED, SetMark(GOLD, 0)),
        (PLAIN, SetMark(GOLD, 0)),
        (PLAIN, SetMark(GOLD, 100)),
    ],
    SettleFunding: [
        (PLAIN, SettleFunding(NOWHERE, 11)),
        (HELD_UP, SettleFunding(GOLD, 11)),
        (OLD, SettleFunding(GOLD, 11)),
        (PLAIN, SettleFunding(GOLD, 11)),
        (PLAIN, SettleFunding(GOLD, 10)),
    ],
    Unwind: [
        (insurer(100, 0), Unwind(NOWHERE, OrderId(1))),
        (insurer(100, 0), Unwind(GOLD, OrderId(1))),
        (insurer(100, 9), Unwind(GOLD, OrderId(2))),
    ],
    SamplePremium: [
        (PLAIN, SamplePremium(NOWHERE, PARTS + 1)),
        (ENDED, SamplePremium(GOLD, PARTS + 1)),
        (HELD_UP, SamplePremium(GOLD, PARTS + 1)),
        (OLD, SamplePremium(GOLD, PARTS + 1)),
        (PLAIN, SamplePremium(GOLD, -PARTS - 1)),
        (PLAIN, SamplePremium(GOLD, -PARTS)),
    ],
    SettlePremium: [
        (PLAIN, SettlePremium(NOWHERE)),
        (ENDED, SettlePremium(GOLD)),
        (HELD_UP, SettlePremium(GOLD)),
        (OLD, SettlePremium(GOLD)),
        (PLAIN, SettlePremium(GOLD)),
    ],
    SettleMarket: [
        (PLAIN, SettleMarket(NOWHERE)),
        (ENDED, SettleMarket(GOLD)),
        (PLAIN, SettleMarket(GOLD)),
    ],
    AdvanceClock: [
        (PLAIN, AdvanceClock(-1)),
        (PLAIN, AdvanceClock(0)),
        (PLAIN, AdvanceClock(1)),
    ],
    SetIndex: [
        (PLAIN, SetIndex(NOWHERE, 0, 0)),
        (ENDED, SetIndex(GOLD, 0, 0)),
        (PLAIN, SetIndex(GOLD, 100, 0)),
        (PLAIN, SetIndex(GOLD, 100, 101)),
    ],
    PauseMarket: [
        (PLAIN, PauseMarket(NOWHERE)),
        (ENDED, PauseMarket(GOLD)),
        (HELD_UP, PauseMarket(GOLD)),
        (PLAIN, PauseMarket(GOLD)),
    ],
    ResumeMarket: [
        (PLAIN, ResumeMarket(NOWHERE)),
        (ENDED, ResumeMarket(GOLD)),
        (PLAIN, ResumeMarket(GOLD)),
        (evolve(HELD_UP, rulebook=OLD.rulebook, now=6), ResumeMarket(GOLD)),
        (HELD_UP, ResumeMarket(GOLD)),
    ],
    ContributeToVault: [
        (SHUT, ContributeToVault(NOBODY, 0)),
        (SHUT, ContributeToVault(NOBODY, 51)),
        (setting_apart(SHUT, VAULT), ContributeToVault(VAULT, 101)),
        (SHUT, ContributeToVault(VAULT, 101)),
        (SHUT, ContributeToVault(ANN, 51)),
        (insured(safe=-1), ContributeToVault(ANN, 51)),
        (insured(safe=-1), ContributeToVault(ANN, 50)),
        (insured(safe=10**6), ContributeToVault(ANN, 50)),
        (insured(safe=1, shares=10**36 - 1_000), ContributeToVault(ANN, 50)),
        (insured(), ContributeToVault(ANN, 50)),
    ],
    RedeemFromVault: [
        (SHUT, RedeemFromVault(NOBODY, 0)),
        (setting_apart(SHUT, VAULT), RedeemFromVault(VAULT, 0)),
        (SHUT, RedeemFromVault(VAULT, 0)),
        (SHUT, RedeemFromVault(ANN, 0)),
        (insured(safe=-1, now=4), RedeemFromVault(ANN, 41)),
        (insured(safe=-1, now=4), RedeemFromVault(ANN, 39)),
        (EARLY, RedeemFromVault(ANN, 39)),
        (RUNNING, RedeemFromVault(ANN, 39)),
        (RUNNING, RedeemFromVault(ANN, 40)),
        (ELSEWHERE, RedeemFromVault(ANN, 40)),
        (KEEPS, RedeemFromVault(ANN, 40)),
        (insured(vault_boundary=70), RedeemFromVault(ANN, 40)),
    ],
    Liquidate: [
        (hunted(), Liquidate(NOBODY, NOBODY, NOWHERE, 0)),
        (evolve(hunted(), markets=ENDED.markets), Liquidate(NOBODY, NOBODY, GOLD, 0)),
        (evolve(hunted(), markets=HELD_UP.markets), Liquidate(NOBODY, NOBODY, GOLD, 0)),
        (hunted(mark_age=5, now=6), Liquidate(NOBODY, NOBODY, GOLD, 0)),
        (hunted(liquidators=False), Liquidate(NOBODY, ANN, GOLD, 0)),
        (hunted(liquidators=False), Liquidate(ANN, ANN, GOLD, 0)),
        (setting_apart(hunted(), ANN), Liquidate(ANN, ANN, GOLD, 0)),
        (hunted(), Liquidate(ANN, ANN, GOLD, 0)),
        (hunted(), Liquidate(ANN, BOB, OIL, 0)),
        (hunted(), Liquidate(BOB, ANN, OIL, 0)),
        (hunted(), Liquidate(BOB, ANN, GOLD, 0)),
        (hunted(liquidation_size=LiquidationSize.TO_BUFFER), Liquidate(BOB, ANN, GOLD, 10)),
        (hunted(liquidator_fee=50_000), Liquidate(BOB, ANN, GOLD, 10)),
        (hunted(bob=89), Liquidate(BOB, ANN, GOLD, 10)),
        (hunted(bob=90), Liquidate(BOB, ANN, GOLD, 10)),
    ],
    Volunteer: [
        (PLAIN, Volunteer(NOBODY, NOWHERE, -1, PARTS + 1)),
        (ENDED, Volunteer(NOBODY, GOLD, -1, PARTS + 1)),
        (PLAIN, Volunteer(NOBODY, GOLD, -1, PARTS + 1)),
        (setting_apart(PLAIN), Volunteer(DAN, GOLD, -1, PARTS + 1)),
        (PLAIN, Volunteer(ANN, GOLD, MAX_LOTS, PARTS + 1)),
        (PLAIN, Volunteer(ANN, GOLD, MAX_LOTS, PARTS)),
    ],
    Recapitalise: [
        (parent(51, boundary=2), Recapitalise(NOWHERE, 0)),
        (parent(51, boundary=2), Recapitalise(OIL, 0)),
        (parent(51, boundary=2), Recapitalise(GOLD, 0)),
        (parent(51, boundary=2), Recapitalise(GOLD, 52)),
        (parent(51, boundary=2), Recapitalise(GOLD, 50)),
        (parent(51, boundary=2), Recapitalise(GOLD, 49)),
    ],
    RecallCapital: [
        (parent(51, boundary=2), RecallCapital(NOWHERE, 0)),
        (parent(51, boundary=2), RecallCapital(OIL, 0)),
        (parent(51, boundary=2), RecallCapital(GOLD, 0)),
        (parent(51, boundary=2), RecallCapital(GOLD, 31)),
        (parent(51, boundary=2), RecallCapital(GOLD, 28)),
        (parent(51, boundary=2), RecallCapital(GOLD, 27)),
    ],
    RequestRedemption: [
        (insured(vault_notice=0), RequestRedemption(NOBODY, 0)),
        (setting_apart(insured(vault_notice=0), VAULT), RequestRedemption(VAULT, 0)),
        (insured(vault_notice=0), RequestRedemption(VAULT, 0)),
        (insured(vault_notice=0), RequestRedemption(ANN, 0)),
        (insured(safe=-1), RequestRedemption(ANN, 0)),
        (insured(safe=-1), RequestRedemption(ANN, 1)),
        (insured(), RequestRedemption(ANN, 1)),
    ],
}
"""Of each command one in which everything is wrong that can be; then it is mended, one fault after
the other in the order of the page, until it is done."""


BOUND = re.compile(
    r"^\| (?:of each market: )?([\w ,]+) \| (\d|maintenance rate) to \$10\^\{(\d+)\}\$[^|]* "
    r"\| \{rule\}`([A-Z]+-\d+)` \|$",
    re.M,
)
OF_RULEBOOK = {field.name for field in attrs.fields(Rulebook)}


def opened_with(term: str, value: int) -> Exchange:
    """An exchange with one term that is not as usual."""
    terms, listed = rules(), market(initial=10**6, maintenance=50_000)
    changed: Any = {term: value}
    if term in OF_RULEBOOK:
        return machine.opened(evolve(terms, **changed), [(GOLD, listed)])
    if term == "identifier":
        return machine.opened(terms, [(MarketId(value), listed)])
    return machine.opened(terms, [(GOLD, evolve(listed, **changed))])


def bounds() -> list[tuple[str, int, int, str]]:
    """The terms of the page that have bounds: the least, the most, and the rule."""
    found = BOUND.findall(PAGE)
    assert len(found) == 41
    return [
        (term.replace(" ", "_"), int(least) if least.isdigit() else 50_000, 10 ** int(most), rule)
        for terms, least, most, rule in found
        for term in terms.split(", ")
    ]


@pytest.mark.parametrize(("term", "least", "most", "rule"), bounds())
def test_a_term_has_the_bounds_of_the_page(term: str, least: int, most: int, rule: str) -> None:
    for value in (least, most):
        opened_with(term, value)
    for value in (least - 1, most + 1):
        with pytest.raises(machine.InvalidTerms, match=rf"\({rule}\)"):
            opened_with(term, value)


def test_the_page_counts_the_rankings_and_the_prices_of_adl() -> None:
    assert (len(Ranking), len(ForcedPrice)) == (6, 6)
    assert "| deleverage ranking | one of six |" in PAGE
    assert "| deleverage price | one of six; `previous_mark` and `index` only if" in PAGE
    waits = evolve(rules(), deleverage_price=ForcedPrice.PREVIOUS_MARK)
    with pytest.raises(machine.InvalidTerms, match="ADL-6"):
        machine.opened(waits, [])
    machine.opened(evolve(waits, deleverage_only_insolvent=True), [])


def name_of(command: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", command.__name__).lower()


def answers(ladder: list[tuple[Exchange, Command]]) -> list[str]:
    """The codes with which the commands are refused, or how else they end."""
    said = [machine.apply(before, command) for before, command in ladder]
    return [one.code if isinstance(one, Refused) else "done" for one in said]


@pytest.mark.parametrize("command", machine.Command.__args__)
def test_a_command_has_the_fields_and_the_checks_of_the_page_in_their_order(command: type) -> None:
    name = name_of(command)
    assert FIELDS[name] == [field.name for field in attrs.fields(command)]
    assert answers(LADDERS[command]) == [*CHECKS[name], "done"]


def test_an_unwinding_is_then_placed_as_an_order() -> None:
    poor, huge = insurer(0, 9), insurer(10**16, MAX_LOTS + 5)
    ladder: list[tuple[Exchange, Command]] = [
        (poor, Unwind(GOLD, OrderId(MAX_ID + 1))),
        (poor, Unwind(GOLD, OrderId(1))),
        (poor, Unwind(GOLD, OrderId(2))),
        (huge, Unwind(GOLD, OrderId(2))),
    ]
    assert answers(ladder) == ["id_out_of_bounds", "order_id_not_new", "taker_cannot_bear", "done"]


def test_the_page_explains_every_refusal_of_a_command_and_no_other() -> None:
    explained = {code: (phase, rule) for code, phase, rule in MEANS.findall(PAGE)}
    listed = {code for checks in CHECKS.values() for code in checks}
    assert set(explained) == listed
    declared = refusals()
    for code, (phase, rule) in explained.items():
        assert (phase, rule) == (declared[code].phase.value, declared[code].rule), code
