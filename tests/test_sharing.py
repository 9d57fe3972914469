"""An ADL that closes everybody in proportion, and losses that are shared by other weights."""

from __future__ import annotations

from fractions import Fraction

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from perpref.allotment import allotted, most_margined
from perpref.forced_closing import loss_of
from perpref.machine import InvalidTerms, opened
from perpref.outcome import Filled, Paid
from perpref.rules.adl_sharing import Claim, stays_margined
from perpref.rules.margin import equity, unrealised_profit
from perpref.scheduler import Run, close_against_winners, socialise_deficit
from perpref.state import Chooser, Exchange, LossSharing, Ranking, ShareWeight, Sharing
from perpref.units import AccountId
from tests.exchanges import ANN, BOB, GOLD, exchange, holds, market, position, rules

FIRST = 10
PRO_RATA = evolve(rules(), deleverage_sharing=Sharing.PRO_RATA)


def facing(long: int, shorts: list[int], cash: int, owes: int = 1) -> Exchange:
    """Ann is long and owes so much a lot; others are short by so many lots, and one balances."""
    others = {AccountId(FIRST + i): holds(cash, (-n, -n * 100)) for i, n in enumerate(shorts)}
    rest = sum(shorts) - long
    balance = {AccountId(999): holds(10**9, (rest, rest * 100))} if rest else {}
    return evolve(
        exchange({ANN: holds(-long * owes, (long, long * 100)), **others, **balance}, market(100)),
        rulebook=PRO_RATA,
    )


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.data())
def test_everybody_is_closed_in_proportion_as_far_as_it_can_bear(
    shorts: list[int], data: st.DataObject
) -> None:
    long = data.draw(st.integers(1, sum(shorts)))
    run = Run(facing(long, shorts, 10**6))
    close_against_winners(run, ANN, GOLD)
    assert position(run.exchange, ANN)[0] == 0
    for place, size in enumerate(shorts):
        left = -position(run.exchange, AccountId(FIRST + place))[0]
        exact = Fraction(long * size, sum(shorts))
        assert abs(size - left - exact) < 1, "less than a lot from its exact part"


def test_what_somebody_cannot_bear_is_for_the_queue() -> None:
    """Ann owes 50 for 10 lots, 5 on each; the first has 10 and bears 2 of its half."""
    before = facing(10, [10, 10], 1_000, owes=5)
    poor = before.accounts[AccountId(FIRST)]
    before = evolve(
        before, accounts=before.accounts.put(AccountId(FIRST), evolve(poor, collateral=10))
    )
    run = Run(before)
    close_against_winners(run, ANN, GOLD)
    closed = [(e.buyer, e.lots) for e in run.outcome().events if isinstance(e, Filled)]
    assert closed[0] == (AccountId(FIRST), 2)
    assert sum(lots for who, lots in closed if who == AccountId(FIRST + 1)) == 8
    assert equity(run.exchange, AccountId(FIRST)) == 0


def test_in_proportion_nobody_chooses() -> None:
    with pytest.raises(InvalidTerms, match="ADL-8"):
        opened(evolve(PRO_RATA, counterparty=Chooser.ENGINE), [])


holders = st.lists(st.tuples(st.integers(-200, 500), st.integers(-9, 9)), min_size=1, max_size=7)


@given(
    holders, st.sampled_from((LossSharing.NOTIONAL, LossSharing.GAINS, LossSharing.LOTS)), st.data()
)
def test_a_policy_shares_a_loss_first_and_equity_what_is_left(
    accounts: list[tuple[int, int]], sharing: LossSharing, data: st.DataObject
) -> None:
    """Lots cost 100 and are worth 120: longs have gained, shorts lost. The lot count balances."""
    net = sum(size for _, size in accounts)
    held = {
        AccountId(FIRST + i): holds(max(cash, 0) + 200 * (size < 0), (size, size * 100))
        for i, (cash, size) in enumerate(accounts)
    }
    held[AccountId(999)] = holds(50_000, (-net, -net * 100))
    has = sum(holder.collateral for holder in held.values())
    deficit = data.draw(st.integers(1, has))
    before = evolve(
        exchange({ANN: holds(-deficit), **held}, market(120)),
        rulebook=evolve(rules(), loss_sharing=sharing),
    )
    run = Run(before)
    socialise_deficit(run, ANN)
    assert equity(run.exchange, ANN) == 0
    paid = [event for event in run.outcome().events if isinstance(event, Paid)]
    assert sum(event.amount for event in paid) == deficit
    first = [event.rule == "LOSS-10" for event in paid]
    assert first == sorted(first, reverse=True), "what is left comes last"
    for event in paid:
        was = equity(before, event.payer)
        assert event.amount <= was
        assert equity(run.exchange, event.payer) >= 0
        if event.rule == "LOSS-10" and sharing is LossSharing.GAINS:
            assert unrealised_profit(before, event.payer) > 0
    gains = {a: max(unrealised_profit(before, a), 0) for a in held}
    enough = all(equity(before, a) >= gains[a] for a in held)
    if sharing is LossSharing.GAINS and enough and deficit <= sum(gains.values()):
        assert all(event.rule == "LOSS-10" for event in paid), "profits alone suffice"


SHARED = (Sharing.PRO_RATA, Sharing.LARGEST_REMAINDER, Sharing.CAPPED)


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 60)), min_size=1, max_size=6),
    st.sampled_from(SHARED),
    st.sampled_from(ShareWeight),
    st.integers(0, 9),
    st.data(),
)
def test_however_lots_are_shared_out_nobody_is_ruined_and_all_that_can_be_is_closed(
    others: list[tuple[int, int]],
    sharing: Sharing,
    weight: ShareWeight,
    owes: int,
    data: st.DataObject,
) -> None:
    long = data.draw(st.integers(1, sum(size for size, _ in others)))
    before = facing(long, [size for size, _ in others], 0, owes)
    accounts = before.accounts
    for place, (_, cash) in enumerate(others):
        who = AccountId(FIRST + place)
        accounts = accounts.put(who, evolve(accounts[who], collateral=cash))
    chosen = evolve(PRO_RATA, deleverage_sharing=sharing, deleverage_weight=weight)
    before = evolve(before, accounts=accounts, rulebook=chosen)
    run = Run(before)
    close_against_winners(run, ANN, GOLD)
    after = run.exchange
    for place, (size, cash) in enumerate(others):
        who = AccountId(FIRST + place)
        left = -position(after, who)[0]
        assert 0 <= left <= size
        assert equity(after, who) == cash - owes * (size - left) >= 0
    if position(after, ANN)[0] > 0 and owes:
        assert all(
            equity(after, AccountId(FIRST + place)) < owes
            or position(after, AccountId(FIRST + place))[0] == 0
            for place in range(len(others))
        ), "nobody could bear a lot more"


def shared_out(sharing: Sharing, weight: ShareWeight, sizes: list[int], long: int) -> list[int]:
    """What each of some shorts, who are rich, gives of so many lots."""
    before = facing(long, sizes, 10**6)
    chosen = evolve(PRO_RATA, deleverage_sharing=sharing, deleverage_weight=weight)
    run = Run(evolve(before, rulebook=chosen))
    close_against_winners(run, ANN, GOLD)
    return [
        size + position(run.exchange, AccountId(FIRST + place))[0]
        for place, size in enumerate(sizes)
    ]


def test_the_largest_remainders_are_rounded_up() -> None:
    """Of 7 lots 3.5, 2.1 and 1.4 fall to 10, 6 and 4: the halves go first."""
    shares = shared_out(Sharing.LARGEST_REMAINDER, ShareWeight.LOTS, [10, 6, 4], 7)
    assert shares == [4, 2, 1]


def test_by_equity_the_rich_give_as_far_as_they_hold() -> None:
    """All have a million: each gives a third of 12, but the last holds only 1 of its 4."""
    assert shared_out(Sharing.CAPPED, ShareWeight.EQUITY, [10, 10, 1], 12) == [6, 5, 1]


def test_what_would_not_leave_one_margined_falls_to_the_others() -> None:
    """Of 12 lots 4 fall to each of three; the first is short of margin, and the others share its 4.

    Its margin is 5 a lot, and it has 5 in all: it takes none.
    """
    before = facing(12, [10, 10, 10], 1_000, owes=5)
    poor = before.accounts[AccountId(FIRST)]
    before = evolve(
        before,
        accounts=before.accounts.put(AccountId(FIRST), evolve(poor, collateral=5)),
        rulebook=evolve(PRO_RATA, deleverage_sharing=Sharing.CAPPED),
    )
    run = Run(before)
    close_against_winners(run, ANN, GOLD)
    left = [-position(run.exchange, AccountId(FIRST + place))[0] for place in range(3)]
    assert left == [10, 4, 4]


def test_a_walk_is_in_account_order_from_its_first() -> None:
    before = facing(3, [1, 1, 1, 1], 10**6)
    for seed in range(5):
        rulebook = evolve(rules(), deleverage_ranking=Ranking.UNRANKED, deleverage_seed=seed)
        run = Run(evolve(before, rulebook=rulebook))
        close_against_winners(run, ANN, GOLD)
        closed = [event.buyer for event in run.outcome().events if isinstance(event, Filled)]
        facing_ann = [AccountId(FIRST + place) for place in range(4)]
        begin = seed % 4
        assert closed == (facing_ann[begin:] + facing_ann[:begin])[:3]


claims = st.lists(st.builds(Claim, st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=7)


@given(st.integers(0, 60), claims)
def test_lots_are_allotted_by_weight_within_capacities(lots: int, among: list[Claim]) -> None:
    """The definition of water filling: one level, and everybody at it or full."""
    given = allotted(lots, among)
    most = sum(claim.capacity for claim in among if claim.weight)
    assert sum(given) == min(lots, most)
    assert all(0 <= part <= claim.capacity for part, claim in zip(given, among, strict=True))
    assert all(part == 0 for part, claim in zip(given, among, strict=True) if not claim.weight)
    below = [
        (Fraction(part, claim.weight), claim, part)
        for part, claim in zip(given, among, strict=True)
        if claim.weight and part < claim.capacity
    ]
    if not below:
        return
    # whoever is not full is within a lot of the level, and whoever is full is not above it
    rest = lots - sum(
        part for part, claim in zip(given, among, strict=True) if part == claim.capacity
    )
    level = Fraction(rest, sum(claim.weight for _, claim, _ in below))
    for part, claim in zip(given, among, strict=True):
        if claim.weight and part < claim.capacity:
            assert abs(part - level * claim.weight) < len(among)
    ordered = [(claim.weight, part) for _, claim, part in below]
    assert all(
        part >= other for weight, part in ordered for less, other in ordered if weight > less
    ), "who counts more and is not full gives no less"


def test_the_first_in_the_queue_has_the_lot_of_two_equal_remainders() -> None:
    assert allotted(3, [Claim(1, 9), Claim(1, 9)]) == [2, 1]
    assert allotted(5, [Claim(3, 9), Claim(1, 9), Claim(2, 9)]) == [2, 1, 2]
    assert allotted(7, [Claim(2, 1), Claim(2, 9), Claim(2, 9)]) == [1, 3, 3]


def test_full_is_at_exactly_the_capacity() -> None:
    """Of 8 lots 4 fall to each; the next lot is for the other alone."""
    assert allotted(8, [Claim(5, 4), Claim(5, 6)]) == [4, 4]
    assert allotted(9, [Claim(5, 4), Claim(5, 6)]) == [4, 5]
    assert allotted(12, [Claim(5, 4), Claim(5, 6)]) == [4, 6]
    assert allotted(2, [Claim(0, 4), Claim(5, 6)]) == [0, 2]
    assert allotted(0, [Claim(1, 0), Claim(5, 6)]) == [0, 0]


@given(st.integers(-20, 120), st.integers(1, 12), st.sampled_from([1, -1]), st.integers(-9, 60))
def test_as_many_as_leave_one_margined_and_not_one_more(
    cash: int, lots: int, side: int, owes: int
) -> None:
    """Found by halving, as if each number had been tried."""
    held = {ANN: holds(-owes * 10 * side * side, (-10 * side, -1_000 * side))}
    held[BOB] = holds(cash, (lots * side, lots * 100 * side))
    before = exchange(held, market(100, initial=200_000, maintenance=77_777))
    most = most_margined(before, ANN, BOB, GOLD)

    def margined(number: int) -> bool:
        loss = loss_of(before, ANN, BOB, GOLD, number)
        return stays_margined(before, BOB, GOLD, number, loss)

    tried = [number for number in range(lots + 1) if margined(number)]
    if 0 in tried:
        assert tried == list(range(most + 1))
    else:
        assert most == 0, "who is due already takes none"
