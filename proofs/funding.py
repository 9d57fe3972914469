"""FUND: what is paid is received, but for dust, and the vault keeps the dust."""

from __future__ import annotations

from attrs import evolve

from perpref.rules import funding
from perpref.rules.funding import FundingTerms
from perpref.rules.margin import position_of
from perpref.state import VAULT, Exchange
from perpref.units import MAX_CASH, MAX_ID, MAX_PRICE, PARTS, MarketId, Rounding
from proofs.contracts import MARGINS
from proofs.executor import all_of, assume, choose, claim, fresh_int, implies
from proofs.laws import CONSERVATION, QUIET, Step, action, take
from proofs.ledger import any_account
from proofs.registry import theorem
from proofs.world import any_exchange, between

DIRECTIONS = {Rounding.UP: (0, 1), Rounding.DOWN: (-1, 0), Rounding.TOWARDS_ZERO: (-1, 1)}
"""Between which parts of a quantum the vault gains by a rounding, the bounds left out but for 0."""


def funding_rounded(rounding: Rounding) -> Exchange:
    """Any exchange whose rulebook rounds funding so."""
    exchange = any_exchange()
    return evolve(exchange, rulebook=evolve(exchange.rulebook, funding_rounding=rounding))


@action("FUND-1", "FUND-3", keeps=CONSERVATION, assumes=("funding_due",))
def settle_funding() -> Step:
    exchange, account, market = (
        any_exchange(),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    after = take(funding.settle_funding, exchange, account, market, fresh_int("rate"))
    return Step(exchange, after, (account, VAULT))


@action("FUND-1", "FUND-14", keeps=CONSERVATION, assumes=("funding_due",))
def pay_receiver() -> Step:
    exchange, account, market = (
        any_exchange(),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    rate, pot, owed = fresh_int("rate"), between("pot", 0, MAX_CASH), fresh_int("owed")
    after = take(funding.pay_receiver, exchange, account, market, rate, pot, owed)
    return Step(exchange, after, (account, VAULT))


@action("FUND-10", keeps=QUIET, assumes=MARGINS)
def sample_premium() -> Step:
    exchange, market = any_exchange(missing=True), MarketId(fresh_int("market"))
    after = take(funding.sample_premium, exchange, market, fresh_int("premium"))
    return Step(exchange, after, (), market)


@action("FUND-10", keeps=QUIET, assumes=MARGINS)
def close_period() -> Step:
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    after = take(funding.close_period, exchange, market)
    return Step(exchange, after, (), market)


@action("FUND-1", "FUND-11", keeps=QUIET, assumes=MARGINS)
def accrue() -> Step:
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    after = take(funding.accrue, exchange, market, fresh_int("rate"))
    return Step(exchange, after, (), market)


@action("FUND-12", keeps=CONSERVATION, assumes=("funding_by_index",))
def touch() -> Step:
    exchange, account, market = (
        any_exchange(),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    after = take(funding.touch, exchange, account, market)
    return Step(exchange, after, (account, VAULT))


@theorem("T-FUND", "FUND-3", "FUND-11", "FUND-12", "FUND-13", subject="touch")
def an_index_that_moves_and_a_touch_are_a_settlement() -> None:
    """Whoever is touched before and after a funding has paid what FUND-3 says, exactly.

    So it is in each direction of rounding. Over several fundings between two touches they part by
    a quantum for each at most (index_and_settlement_part_by_at_most_a_quantum_a_settlement).
    """
    exchange, account, market = (
        funding_rounded(choose("rounding", tuple(Rounding))),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    assume(account != VAULT)
    rate = fresh_int("rate")
    touched = funding.touch(exchange, account, market).exchange
    eagerly = funding.settle_funding(touched, account, market, rate).exchange
    moved = funding.accrue(touched, market, rate).exchange
    lazily = funding.touch(moved, account, market).exchange
    for who in (account, VAULT):
        claim(
            "the same cash",
            lazily.accounts[who].collateral == eagerly.accounts[who].collateral,
        )
    again = funding.touch(lazily, account, market).exchange
    claim("once", again.accounts[account].collateral == lazily.accounts[account].collateral)


@theorem("T-FUND", "FUND-10", subject="rate_of_period")
def the_rate_of_a_period_is_one_that_may_be_settled() -> None:
    """Whatever was sampled, the rate is within the rulebook's cap: settling is never refused."""
    exchange, market = any_exchange(), MarketId(fresh_int("market"))
    rate, cap = funding.rate_of_period(exchange, market), exchange.rulebook.funding_cap
    claim("within the cap", all_of(rate <= cap, rate >= -cap))


@theorem("T-FUND", "FUND-2", subject="funding_due")
def a_payer_pays_up_and_a_receiver_receives_down() -> None:
    """What is due is the exact amount rounded up, by less than a quantum."""
    size, mark, rate = fresh_int("size"), between("mark", 1, MAX_PRICE), fresh_int("rate")
    due = funding.funding_due(size, mark, rate)
    claim("not less", size * mark * rate <= due * PARTS)
    claim("less than a quantum more", due * PARTS < size * mark * rate + PARTS)


@theorem("T-FUND", "FUND-2", "FUND-13", subject="funding_due")
def funding_errs_by_less_than_a_quantum_in_its_own_direction() -> None:
    """Up the vault gains less than a quantum by one account, down it loses less than one.

    Towards zero what the longs pay the same number of shorts receives.
    """
    size, mark, rate = fresh_int("size"), between("mark", 1, MAX_PRICE), fresh_int("rate")
    rounding = choose("rounding", tuple(Rounding))
    least, most = DIRECTIONS[rounding]
    due = funding.funding_due(size, mark, rate, rounding)
    gained = due * PARTS - size * mark * rate
    claim("not less", gained >= 0 if least == 0 else gained > -PARTS)
    claim("not more", gained <= 0 if most == 0 else gained < PARTS)
    if rounding is Rounding.TOWARDS_ZERO:
        claim("both alike", funding.funding_due(-size, mark, rate, rounding) == -due)


@theorem("T-FUND", "FUND-2", "FUND-3", "FUND-13", subject="settle_funding")
def the_longs_pay_a_positive_rate_to_the_vault() -> None:
    """The account pays exactly what is due and the vault receives it, within the cap."""
    rounding = choose("rounding", tuple(Rounding))
    exchange, account, market = (
        funding_rounded(rounding),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    assume(account != VAULT)
    rate = fresh_int("rate")
    after = funding.settle_funding(exchange, account, market, rate).exchange
    size = position_of(exchange, account, market).size
    due = funding.funding_due(size, exchange.markets[market].mark, rate, rounding)
    was, now = exchange.accounts, after.accounts
    claim("pays", now[account].collateral == was[account].collateral - due)
    claim("receives", now[VAULT].collateral == was[VAULT].collateral + due)
    least = 1 if rounding is Rounding.UP else 0
    claim("direction", implies(all_of(size > 0, rate > 0), due >= least))
    cap = exchange.rulebook.funding_cap
    claim("within the cap", all_of(rate <= cap, -rate <= cap))


@theorem("T-FUND", "FUND-2", "FUND-3", "FUND-13", subject="fund")
def funding_leaves_the_vault_the_dust_and_no_more() -> None:
    """Over n accounts the payments sum to the exact total plus dust: up it is in [0, n).

    Down it is in (-n, 0], which the vault pays, and towards zero in (-n, n). The step of the fold:
    if it is so after n accounts (n not included, but for n = 0), then after one more with n + 1.
    Since the sizes sum to zero, the exact total over all accounts is zero.
    """
    paid, exact, settled = fresh_int("paid"), fresh_int("exact"), fresh_int("settled")
    rounding = choose("rounding", tuple(Rounding))
    least, most = DIRECTIONS[rounding]
    dust = paid * PARTS - exact
    assume(all_of(settled >= 0, dust >= least * settled * PARTS, dust <= most * settled * PARTS))
    size, mark, rate = fresh_int("size"), between("mark", 1, MAX_PRICE), fresh_int("rate")
    paid = paid + funding.funding_due(size, mark, rate, rounding)
    dust = paid * PARTS - exact - size * mark * rate
    low, high = least * (settled + 1) * PARTS, most * (settled + 1) * PARTS
    claim("not less", dust >= 0 if least == 0 else dust > low)
    claim("not more", dust <= 0 if most == 0 else dust < high)


@theorem("T-FUND", "FUND-14", subject="receiver_part")
def nobody_receives_more_than_it_is_due() -> None:
    """A receiver's part is what it is due where there is enough, never more, and never negative."""
    due, pot = between("due", 0, MAX_CASH), between("pot", 0, MAX_CASH)
    owed = between("owed", 0, MAX_CASH)
    part = funding.receiver_part(due, pot, owed)
    claim("within", all_of(part >= 0, part <= due))
    claim("in full", implies(pot >= owed, part == due))


@theorem("T-FUND", "FUND-14", subject="fund_capped")
def receivers_get_what_there_is_but_for_dust() -> None:
    """All parts together are within what there is, and at most a quantum each short of it.

    The step of the fold: what was received is in proportion to what was due to those who were
    paid, rounded down for each. After all of them what was due is all that is owed.
    """
    owed, pot = between("owed", 1, MAX_CASH), between("pot", 0, MAX_CASH)
    got, due_so_far, paid = fresh_int("got"), fresh_int("due so far"), fresh_int("paid")
    assume(pot < owed)
    short = pot * due_so_far - got * owed
    assume(all_of(paid >= 0, short >= 0, short <= paid * owed))
    due = between("due", 0, MAX_CASH)
    part = funding.receiver_part(due, pot, owed)
    short = pot * (due_so_far + due) - (got + part) * owed
    claim("within", short >= 0)
    claim("dust", short < (paid + 1) * owed)
    claim("no more than there is", implies(due_so_far + due == owed, got + part <= pot))


@theorem("T-FUND", "FUND-14", subject="funding_pot")
def capped_funding_leaves_the_vault_its_boundary() -> None:
    """Whoever pays what, the vault is not brought below its boundary, or below what it was."""
    equity, boundary = fresh_int("equity"), between("boundary", 0, MAX_CASH)
    paid, received = between("paid", 0, MAX_CASH), fresh_int("received")
    pot = funding.funding_pot(equity, boundary, paid)
    claim("not negative", pot >= 0)
    assume(received <= pot)
    left = equity + paid - received
    claim("the boundary", implies(equity >= boundary, left >= boundary))
    claim("no less", implies(equity < boundary, left >= equity))


@theorem("T-FUND", "FUND-13", "FUND-14", subject="pay_receiver")
def a_capped_receiver_is_paid_its_part_by_the_vault() -> None:
    """The vault pays exactly the part of what FUND-2 says is due, and nothing where nothing is."""
    rounding = choose("rounding", tuple(Rounding))
    exchange, account, market = (
        funding_rounded(rounding),
        any_account("account"),
        MarketId(fresh_int("market")),
    )
    assume(account != VAULT)
    rate, pot, owed = fresh_int("rate"), between("pot", 0, MAX_CASH), fresh_int("owed")
    size = position_of(exchange, account, market).size
    due = funding.funding_due(size, exchange.markets[market].mark, rate, rounding)
    part = funding.receiver_part(max(-due, 0), pot, owed)
    after = funding.pay_receiver(exchange, account, market, rate, pot, owed).exchange
    was, now = exchange.accounts, after.accounts
    received = now[account].collateral - was[account].collateral
    claim("its part", received == part)
    claim("by the vault", now[VAULT].collateral == was[VAULT].collateral - received)


@theorem("T-FUND", "FUND-4", subject="premium")
def a_premium_has_the_sign_of_where_the_market_stands() -> None:
    """Above the index it is not negative, below it not positive, and between bid and ask 0."""
    index = between("index", 1, MAX_PRICE)
    bid, ask = between("bid", 0, MAX_PRICE), between("ask", 0, MAX_PRICE)
    assume(bid <= ask)
    found = funding.premium(index, bid, ask)
    claim("above", implies(bid >= index, found >= 0))
    claim("below", implies(ask <= index, found <= 0))
    claim("between", implies(all_of(bid <= index, index <= ask), found == 0))
    claim("far above", implies((bid - index) * PARTS >= index, found > 0))
    claim("far below", implies((index - ask) * PARTS >= index, found < 0))


@theorem("T-FUND", "FUND-4", subject="impact_notional")
def an_impact_notional_can_be_opened_with_its_margin() -> None:
    """Its initial margin, not rounded, is within the amount; one quantum more would not be."""
    stake, rate = between("margin", 1, MAX_CASH), between("rate", 1, PARTS)
    found = funding.impact_notional(stake, rate)
    claim("within", found * rate <= stake * PARTS)
    claim("the largest", (found + 1) * rate > stake * PARTS)


@theorem("T-FUND", "FUND-5", subject="average_premium")
def missing_samples_never_make_an_average_larger() -> None:
    """An average of samples within a bound is within it, however many samples are missing."""
    bound, samples = fresh_int("bound"), between("samples", 0, MAX_ID)
    expected = between("expected", 1, MAX_ID)
    total = fresh_int("total")
    assume(all_of(bound >= 0, total <= bound * samples, -total <= bound * samples))
    found = funding.average_premium(total, samples, expected)
    claim("within", all_of(found <= bound, -found <= bound))


@theorem("T-FUND", "FUND-5", subject="average_premium")
def a_mean_of_premiums_favours_no_side() -> None:
    """The mean of the opposite premiums is the opposite of the mean."""
    total, samples = fresh_int("total"), between("samples", 0, MAX_ID)
    expected = between("expected", 1, MAX_ID)
    opposite = funding.average_premium(-total, samples, expected)
    claim("opposite", opposite == -funding.average_premium(total, samples, expected))


@theorem("T-FUND", "FUND-6", subject="funding_rate")
def a_rate_is_capped_and_drawn_by_no_more_than_the_damper() -> None:
    """Uncapped it differs from premium and offset by at most the damper, towards the interest."""
    found = fresh_int("premium")
    terms = FundingTerms(
        fresh_int("interest"), fresh_int("damper"), fresh_int("offset"), fresh_int("cap")
    )
    assume(all_of(terms.damper >= 0, terms.cap >= 0))
    rate = funding.funding_rate(found, terms)
    claim("capped", all_of(rate <= terms.cap, rate >= -terms.cap))
    free = all_of(rate < terms.cap, rate > -terms.cap)
    drawn = rate - found - terms.offset
    claim("damped", implies(free, all_of(drawn <= terms.damper, drawn >= -terms.damper)))
    near = abs(terms.interest - found) <= terms.damper
    claim("interest", implies(all_of(free, near), rate == terms.interest + terms.offset))


@theorem("T-FUND", "FUND-7", subject="margin_cap")
def a_rate_within_the_margin_cap_costs_no_more_than_so_many_margins() -> None:
    """The cap is never above its factor times the margin between opening and liquidation."""
    factor = between("factor", 0, MAX_CASH)
    least, rate = between("maintenance", 1, PARTS), between("initial", 1, PARTS)
    assume(rate >= least)
    found = funding.margin_cap(factor, rate, least)
    claim("within", all_of(found >= 0, found * PARTS <= factor * (rate - least)))


@theorem("T-FUND", "FUND-8", subject="index_step")
def an_index_moves_by_less_than_the_rate_says_by_less_than_one() -> None:
    """A step is the exact one rounded towards zero, and the opposite rate takes it back."""
    price, rate = between("price", 1, MAX_PRICE), fresh_int("rate")
    elapsed, period = between("elapsed", 0, MAX_ID), between("period", 1, MAX_ID)
    step = funding.index_step(price, rate, elapsed, period)
    error = step * period - price * rate * elapsed
    claim("less than one", all_of(error < period, error > -period))
    claim("back", funding.index_step(price, -rate, elapsed, period) == -step)


@theorem("T-FUND", "FUND-9", "FUND-13", subject="funding_by_index")
def index_and_settlement_part_by_at_most_a_quantum_a_settlement() -> None:
    """Over one whole period they part by at most a quantum, whatever the direction of rounding.

    Up who is settled on touch pays no more than who is settled at once, down no less; towards zero
    it may be either.
    """
    size, mark, rate = fresh_int("size"), between("mark", 1, MAX_PRICE), fresh_int("rate")
    since, index = fresh_int("since"), fresh_int("index")
    rounding = choose("rounding", tuple(Rounding))
    later = funding.funding_by_index(size, since, index + mark * rate, rounding)
    lazily = later - funding.funding_by_index(size, since, index, rounding)
    least, most = DIRECTIONS[rounding]
    parted = funding.funding_due(size, mark, rate, rounding) - lazily
    claim("at most one", all_of(least <= parted, parted <= most))


@theorem("T-FUND", "FUND-2", "FUND-9", subject="funding_by_index")
def settling_by_the_index_saves_at_most_a_quantum_a_settlement() -> None:
    """Over one whole period an account that settles at once pays what the index says or one more.

    So over n periods whoever is settled on touch pays up to n quanta less than whoever is settled
    each time, and never more.
    """
    size, mark, rate = fresh_int("size"), between("mark", 1, MAX_PRICE), fresh_int("rate")
    since, index, period = fresh_int("since"), fresh_int("index"), between("period", 1, MAX_ID)
    step = funding.index_step(mark, rate, period, period)
    claim("a whole period", step == mark * rate)
    later = funding.funding_by_index(size, since, index + mark * rate)
    lazily = later - funding.funding_by_index(size, since, index)
    eagerly = funding.funding_due(size, mark, rate)
    claim("at most one less", all_of(lazily <= eagerly, eagerly <= lazily + 1))
