"""Every path is taken again by the real code on plain numbers and real tables, with its result."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

from perpref.table import Table
from perpref.units import ceil_div
from proofs.executor import (
    SymTable,
    assume,
    claim,
    concretise,
    counterexample,
    explore,
    fresh_bool,
    fresh_int,
    obligations,
    prove,
    witness,
)
from proofs.executor.prove import Status


class Refused(Exception):
    """The shop says no."""


@frozen
class Purse:
    """Cash, and things by kind."""

    cash: int
    things: Table[int, int]


@frozen
class Shop:
    """All purses."""

    purses: Table[int, Purse]
    fee: int


EMPTY = Purse(0, Table())


def total_cash(shop: Shop) -> int:
    return shop.purses.total(lambda purse: purse.cash)


def buy(shop: Shop, buyer: int, seller: int, kind: int, count: int, price: int) -> Shop:
    """A sale with a fee per hundred, rounded up, which stays with the seller."""
    if count <= 0:
        raise Refused("count")
    if seller not in shop.purses:
        raise Refused("seller")
    pays = count * price + ceil_div(count * shop.fee, 100)
    purse = shop.purses[seller]
    held = purse.things.get(kind, 0)
    if held < count:
        raise Refused("stock")
    left = purse.things.put(kind, held - count) if held > count else purse.things.without(kind)
    purses = shop.purses.put(seller, Purse(purse.cash + pays, left))
    if buyer not in purses:
        raise Refused("buyer")
    purse = purses[buyer]
    if purse.cash < pays:
        raise Refused("cash")
    more = purse.things.put(kind, purse.things.get(kind, 0) + count)
    return Shop(purses.put(buyer, Purse(purse.cash - pays, more)), shop.fee)


def fresh_shop() -> Shop:
    def fresh_purse(key: int) -> Purse:
        def fresh_thing(kind: int) -> int:
            count = fresh_int(f"things[{key},{kind}]")
            assume(count >= 0)
            return count

        return Purse(fresh_int(f"cash[{key}]"), SymTable(f"things[{key}]", fresh_thing, absent=0))

    shop = Shop(SymTable("purses", fresh_purse, optional=True), fresh_int("fee"))
    assume(shop.fee >= 0)
    return shop


def sale() -> Any:
    """A sale on a shop that may or may not be as rich as it should."""
    shop = fresh_shop()
    order = tuple(fresh_int(name) for name in ("buyer", "seller", "kind", "count", "price"))
    rich = total_cash(shop) > 1000
    told: list[Any] = [shop, order, bool(rich)]
    try:
        told.append(buy(shop, *order))
    except Refused as refused:
        told.append(str(refused))
    return tuple(told)


def test_every_path_replays_on_real_code_and_real_tables() -> None:
    paths = explore(sale)
    ends, closed = set(), 0
    for path in paths:
        model = witness(path)
        assert path.reachable and model is not None
        shop, order, rich, after = concretise(path.result, model)
        assert type(shop.purses) is Table
        if model.closed:  # else untouched purses hold what the total says
            closed += 1
            assert (total_cash(shop) > 1000) is rich
        try:
            assert buy(shop, *order) == after
            ends.add("sold")
        except Refused as refused:
            ends.add(str(refused) if str(refused) == after else f"{refused}, not {after}")
    assert ends == {"sold", "count", "seller", "stock", "buyer", "cash"}
    assert closed > 10


def test_a_counterexample_replays_on_real_code() -> None:
    def program() -> Any:
        shop = fresh_shop()
        order = tuple(fresh_int(name) for name in ("buyer", "seller", "kind", "count", "price"))
        after = buy(shop, *order)
        claim("cash is conserved", total_cash(after) == total_cash(shop))
        claim("the seller never loses", after.purses[order[1]].cash >= shop.purses[order[1]].cash)
        return shop, order

    refuted = 0
    for verdict in prove(obligations(explore(program, refusals=(Refused,)))):
        if verdict.name == "cash is conserved":
            assert verdict.status is Status.PROVED
        if verdict.status is Status.REFUTED:
            refuted += 1
            model = counterexample(verdict.obligation)
            assert model is not None
            shop, order = concretise(verdict.obligation.path.result, model)
            after = buy(shop, *order)
            assert after.purses[order[1]].cash < shop.purses[order[1]].cash
    assert refuted > 0


def test_absent_and_default_valued_entries_are_left_out() -> None:
    def program() -> Any:
        shop = fresh_shop()
        assume(negated_presence(shop.purses, 1))
        if 2 in shop.purses:
            assume(shop.purses[2].things.get(7, 0) == 0)
            assume(shop.purses[2].things.get(8, 0) == 3)
            return shop
        raise Refused

    def negated_presence(purses: Any, key: int) -> bool:
        return not bool(key in purses)

    (path,) = [path for path in explore(program, refusals=(Refused,)) if path.result]
    model = witness(path)
    assert model is not None
    plain = concretise(path.result, model)
    assert [key for key, _ in plain.purses.items()] == [2]
    assert list(plain.purses[2].things.items()) == [(8, 3)]


def test_a_path_that_needs_untouched_entries_is_not_closed() -> None:
    def program() -> Any:
        table: Any = SymTable("t", lambda key: fresh_int(f"v[{key}]"))
        if table.total(lambda value: value) > 0:
            return "some"
        raise Refused

    model = witness(explore(program, refusals=(Refused,))[0])
    assert model is not None
    assert not model.closed


def test_quotients_of_a_witness_are_the_real_ones() -> None:
    def program() -> Any:
        a, d = fresh_int("a"), fresh_int("d")
        assume(d > 2)
        assume(a < -20)
        return a, d, a // d, a % d, fresh_bool("flag")

    (path,) = explore(program)
    model = witness(path)
    assert model is not None
    a, d, quotient, remainder, flag = concretise(path.result, model)
    assert (quotient, remainder) == (a // d, a % d)
    assert flag in (True, False)


def test_an_impossible_addition_has_no_witness() -> None:
    (path,) = explore(lambda: fresh_int("a") * 1)
    assert path.result is not None
    assert witness(path, (path.result > 0).term, (path.result < 0).term) is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("bound", [5, 10**5, 10**9])
def test_small_numbers_are_preferred_and_large_ones_found(bound: int) -> None:
    def program() -> Any:
        a = fresh_int("a")
        assume(a > bound)
        return a

    (path,) = explore(program)
    model = witness(path)
    assert model is not None
    assert bound < model["a"] <= max(8, bound * 200)
