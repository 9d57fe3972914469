"""Totals over tables of unknown size, aliasing, absence, and what theorems may ask.

Most tests here come in pairs: what is true is proved, and the nearest false claim is refuted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from attrs import evolve, frozen

from perpref.table import Table
from proofs.executor import (
    ABSENT,
    Additive,
    Answer,
    Status,
    SymTable,
    TableError,
    all_of,
    any_of,
    assume,
    changed,
    claim,
    delta,
    explore,
    fresh_int,
    implies,
    obligations,
    prove,
    touched,
)


@frozen
class Purse:
    """Cash, and things in it."""

    cash: int
    things: Table[int, int]


@frozen
class Good:
    """Something with a price."""

    price: int


def number(name: str) -> Callable[[int], int]:
    return lambda key: fresh_int(f"{name}[{key}]")


def itself(value: int) -> int:
    return value


def double(value: int) -> int:
    return 2 * value


def priced(count: int, good: Good) -> int:
    return count * good.price


def fresh_good(key: int) -> Good:
    good = Good(fresh_int(f"price[{key}]"))
    assume(good.price > 0)
    return good


def fresh_purse(key: int) -> Purse:
    return Purse(fresh_int(f"cash[{key}]"), SymTable(f"things[{key}]", number("thing"), absent=0))


def verdicts(program: Callable[[], Any], **options: Any) -> dict[str, set[Status]]:
    """What became of each claim of a program, over all its paths."""
    found: dict[str, set[Status]] = {}
    for verdict in prove(obligations(explore(program, **options)), timeout=5):
        assert Answer.UNKNOWN not in (verdict.z3.answer, verdict.cvc5.answer), verdict.name
        found.setdefault(verdict.name, set()).add(verdict.status)
    return found


PROVED = {Status.PROVED}


# -- the rest -------------------------------------------------------------------------------------


def test_the_rest_is_split_when_an_entry_is_touched_after_a_total() -> None:
    """Trap: "the rest" means all but the touched. Unsplit, the new entry would count twice."""

    def program() -> None:
        table = SymTable("t", number("v"))
        assume(table.total(itself) == 100)
        value = table[fresh_int("k")]
        claim("still the same total", table.total(itself) == 100)
        others = table.put(fresh_int("k"), 0).total(itself)
        claim("what is left without it", others == 100)
        emptied = table.put(touched(table)[0].key, 0)
        claim("without the entry, the total lacks it", emptied.total(itself) == 100 - value)

    found = verdicts(program)
    assert found["still the same total"] == PROVED
    assert found["without the entry, the total lacks it"] == PROVED
    assert Status.REFUTED in found["what is left without it"]


def test_the_first_state_knows_every_entry_touched_later() -> None:
    """Trap: an entry that only the last version touched belongs to the first total as well."""

    def program() -> None:
        first = SymTable("t", number("v"))
        a, b, amount = fresh_int("a"), fresh_int("b"), fresh_int("amount")
        moved = first.put(a, first[a] - amount)
        last = moved.put(b, moved[b] + amount)
        claim("before and after agree", first.total(itself) == last.total(itself))
        claim("as a difference", delta(first, last, itself) == 0)
        claim("the first version reads it", all_of(first[b] == touched(first)[-1].initial))
        assert len(touched(first)) == len(touched(last))
        assert all(entry.initial is entry.current for entry in touched(first))

    found = verdicts(program)
    assert found["before and after agree"] == PROVED
    assert found["as a difference"] == PROVED


def test_an_unsound_total_is_detected() -> None:
    """Money that appears at one key is seen in the total, whatever the other entries hold."""

    def program() -> None:
        first = SymTable("t", number("v"))
        before = first.total(itself)
        last = first.put(7, first[7] + 1)
        claim("kept", last.total(itself) == before)
        claim("one more", last.total(itself) == before + 1)
        claim("nothing else is there", before == first[7])

    assert verdicts(program) == {
        "kept": {Status.REFUTED},
        "one more": PROVED,
        "nothing else is there": {Status.REFUTED},
    }


def test_different_measures_have_different_rests() -> None:
    def program() -> None:
        table = SymTable("t", number("v"))
        claim("unrelated", table.total(itself) == table.total(double))
        claim("same measure", table.total(double) == table.total(double))
        written = table.total(lambda value: value - 3)
        claim("written alike", written == table.total(lambda number: number - 3))
        claim("almost alike", written == table.total(lambda value: value - 4))
        factor = fresh_int("factor")

        def scaled(by: int) -> Callable[[int], int]:
            return lambda value: by * value

        claim("same closure", table.total(scaled(factor)) == table.total(scaled(factor)))
        claim("other closure", table.total(scaled(factor)) == table.total(scaled(factor + 1)))

    assert verdicts(program) == {
        "unrelated": {Status.REFUTED},
        "same measure": PROVED,
        "written alike": PROVED,
        "almost alike": {Status.REFUTED},
        "same closure": PROVED,
        "other closure": {Status.REFUTED},
    }


def test_a_measure_is_frozen_when_its_total_is_taken() -> None:
    """A variable that the measure closes over changes before the rest is split."""

    def program() -> None:
        table = SymTable("t", number("v"))
        factor = 2

        def scaled(value: int) -> int:
            return factor * value

        before = table.total(scaled)
        factor = 3
        value = table[1]
        factor = 2
        claim("as it was", before == table.put(1, 0).total(scaled) + 2 * value)

    assert verdicts(program) == {"as it was": PROVED}


def test_a_measure_may_itself_ask_for_another_total() -> None:
    def program() -> None:
        table = SymTable("t", number("v"))
        table.total(lambda value: value + table.total(itself))
        rest = table.total(itself)
        claim("counted once", table.put(1, table[1] + 1).total(itself) == rest + 1)

    assert verdicts(program) == {"counted once": PROVED}


# -- keys -----------------------------------------------------------------------------------------


def test_two_keys_may_be_one() -> None:
    def program() -> int:
        table = SymTable("t", number("v"))
        a, b = fresh_int("a"), fresh_int("b")
        return table.put(a, 1).put(b, 2)[a]

    assert sorted(path.result or 0 for path in explore(program)) == [1, 2]


def test_constants_never_fork_and_known_keys_neither() -> None:
    def program() -> None:
        table = SymTable("t", number("v"))
        key = fresh_int("k")
        assume(key > 3)
        for known in (1, 2, 3, key, key, 2):
            table = table.put(known, table[known] + 1)
        claim("twice", table[key] == touched(table)[3].initial + 2)
        claim("and 2 twice", table[2] == touched(table)[1].initial + 2)

    (path,) = explore(program)
    assert {decision.answer for decision in path.decisions} == {False}
    assert {one.status for one in prove(obligations([path]))} == PROVED


def test_three_unknown_keys_alias_in_five_ways() -> None:
    def program() -> int:
        table = SymTable("t", number("v"))
        for name in "abc":
            table = table.put(fresh_int(name), 0)
        return len(touched(table))

    assert sorted(path.result or 0 for path in explore(program)) == [1, 2, 2, 2, 3]


def test_a_transfer_credits_the_right_account_even_to_oneself() -> None:
    """The seeded fault reads the payee before it writes the payer: wrong only when they alias."""

    def sound(table: Any, payer: int, payee: int, amount: int) -> Any:
        table = table.put(payer, table[payer] - amount)
        return table.put(payee, table[payee] + amount)

    def faulty(table: Any, payer: int, payee: int, amount: int) -> Any:
        gets = table[payee] + amount
        return table.put(payer, table[payer] - amount).put(payee, gets)

    def program(transfer: Callable[..., Any]) -> None:
        first = SymTable("t", number("v"))
        last = transfer(first, fresh_int("payer"), fresh_int("payee"), fresh_int("amount"))
        claim("conserved", delta(first, last, itself) == 0)

    assert verdicts(lambda: program(sound)) == {"conserved": PROVED}
    assert verdicts(lambda: program(faulty)) == {"conserved": {Status.PROVED, Status.REFUTED}}


def test_bools_are_not_keys() -> None:
    with pytest.raises(TypeError):
        explore(lambda: SymTable("t", number("v"))[True])


# -- presence -------------------------------------------------------------------------------------


def test_optional_entries_fork_on_presence() -> None:
    def program() -> str:
        table = SymTable("t", number("v"), optional=True)
        if 1 in table:
            return "has" if 1 in table.put(2, 0) and table[1] is table.get(1, 0) else "never"
        assert table.get(1, -5) == -5
        assert 1 in table.put(1, 0)
        assert 1 not in table.put(1, 0).without(1)
        try:
            table[1]
        except KeyError:
            return "lacks"
        return "never"

    assert sorted(path.result or "" for path in explore(program)) == ["has", "lacks"]


def test_an_absent_entry_adds_nothing_to_a_total() -> None:
    def program() -> None:
        table = SymTable("t", number("v"), optional=True)
        before = table.total(itself)
        after = table.put(1, 10).total(itself)
        claim("grows by all of it or less", after - before == 10)
        if 1 not in table:
            claim("grows by all of it", after - before == 10)
            claim("and back", table.put(1, 10).without(1).total(itself) == before)

    found = verdicts(program)
    assert found["grows by all of it or less"] == {Status.REFUTED}
    assert found["grows by all of it"] == found["and back"] == PROVED


def test_default_and_absent_are_one_thing() -> None:
    def program() -> None:
        table = SymTable("t", number("v"), absent=0)
        value = table.get(1, 0)
        gone = table.without(1)
        claim("absent reads as the default", gone.get(1, 0) == 0)
        claim("and adds nothing", gone.total(itself) == table.total(itself) - value)
        claim("to write it back changes nothing", gone.put(1, value) == table)
        for change in changed(table, gone):
            claim("taking nothing away is no change", implies(value == 0, ~change.differs))
            claim("a change", change.differs)

    (path,) = explore(program)
    found = {one.name: one.status for one in prove(obligations([path]))}
    assert found.pop("a change") is Status.REFUTED
    assert set(found.values()) == PROVED


def test_in_and_subscript_see_a_default_valued_entry_as_absent() -> None:
    def program() -> tuple[bool, bool]:
        table = SymTable("t", number("v"), absent=0)
        inside = 1 in table
        try:
            return inside, bool(table[1] != 0)
        except KeyError:
            return inside, False

    assert sorted(path.result or () for path in explore(program)) == [(False, False), (True, True)]


def test_another_default_than_the_declared_one_is_refused() -> None:
    with pytest.raises(TableError, match="default"):
        explore(lambda: SymTable("t", number("v"), absent=0).get(1, 3))


def test_assumptions_that_leave_out_absence_are_refused() -> None:
    def program(least: int) -> int:
        def fresh(key: int) -> int:
            value = fresh_int(f"v[{key}]")
            assume(value >= least)
            return value

        return SymTable("t", fresh, absent=0).get(1, 0)

    assert len(explore(lambda: program(0))) == 1
    with pytest.raises(TableError, match="leaves out that it is absent"):
        explore(lambda: program(1))


def test_a_measure_that_counts_absent_entries_is_refused() -> None:
    def program() -> int:
        table = SymTable("t", number("v"), absent=0)
        table.get(1, 0)
        return table.total(lambda value: value + 1)

    with pytest.raises(TableError, match="absent entry of t measures 1"):
        explore(program)


@pytest.mark.parametrize("walk", [len, iter, list, lambda table: table.items()])
def test_tables_cannot_be_walked(walk: Callable[[Any], Any]) -> None:
    with pytest.raises(TableError, match="do not walk"):
        explore(lambda: walk(SymTable("t", number("v"))))


def test_a_table_of_another_run_is_refused() -> None:
    kept: list[Any] = []
    explore(lambda: kept.append(SymTable("t", number("v"))))
    with pytest.raises(TableError, match="another run"):
        explore(lambda: kept[0][1])


# -- facts about every entry ----------------------------------------------------------------------

POSITIVE = Additive("is not negative", (itself,), lambda value: value >= 0)
ORDERED = Additive("twice is no less", (itself, double), lambda one, two: two >= one)


def not_negative(key: int) -> int:
    value = fresh_int(f"v[{key}]")
    assume(value >= 0)
    return value


def test_additive_facts_hold_for_the_rest_and_are_claimed_of_every_entry() -> None:
    def program() -> None:
        table = SymTable("t", not_negative, additive=(POSITIVE, ORDERED))
        before = table.total(itself)
        key = fresh_int("k")
        value = table[key]
        claim("one is no more than all", value <= table.total(itself))
        claim("totals are ordered", before <= table.total(double))
        claim("strictly", before < table.total(double))
        claim("others are not negative", table.put(key, 0).total(itself) >= 0)

    assert verdicts(program) == {
        "t: is not negative": PROVED,
        "t: twice is no less": PROVED,
        "one is no more than all": PROVED,
        "totals are ordered": PROVED,
        "strictly": {Status.REFUTED},
        "others are not negative": PROVED,
    }


def test_a_fact_relates_rests_of_the_same_entries_only() -> None:
    """Half-way through a split one rest lacks the new entry and the other still has it."""

    def program() -> None:
        table = SymTable("t", not_negative, additive=(ORDERED,))
        table.total(double)
        others = table.put(fresh_int("k"), 0)
        claim("others twice against all", others.total(double) >= table.total(itself))
        claim("others against others", others.total(double) >= others.total(itself))

    found = verdicts(program)
    assert found["others twice against all"] == {Status.REFUTED}
    assert found["others against others"] == PROVED


def test_without_the_fact_the_rest_is_unknown() -> None:
    def program() -> None:
        table = SymTable("t", not_negative)
        value = table[1]
        claim("one is no more than all", value <= table.total(itself))

    assert verdicts(program) == {"one is no more than all": {Status.REFUTED}}


def test_a_fact_that_entries_do_not_satisfy_is_not_proved() -> None:
    def program() -> None:
        SymTable("t", number("v"), additive=(POSITIVE,)).total(itself)

    assert verdicts(program) == {"t: is not negative": {Status.REFUTED}}


@pytest.mark.parametrize(
    "holds",
    [
        lambda a, b: a > 0,
        lambda a, b: a <= 5,
        lambda a, b: any_of(a >= 0, b >= 0),
        lambda a, b: a * b == 0,
        lambda a, b: a % 2 == 1 if isinstance(a, int) else a >= 1,
    ],
)
def test_a_relation_that_sums_do_not_inherit_is_refused(holds: Callable[..., bool]) -> None:
    def program() -> None:
        fact = Additive("wrong", (itself, double), holds)
        SymTable("t", number("v"), additive=(fact,)).total(itself)

    with pytest.raises(TableError, match="does not carry over"):
        explore(program)


# -- tables in tables, and against one another ----------------------------------------------------


def cash(purse: Purse) -> int:
    return purse.cash


def all_things(purse: Purse) -> int:
    return purse.things.total(itself)


def give(purses: Any, giver: int, taker: int, thing: int, count: int) -> Any:
    purse = purses[giver]
    left = purse.things.put(thing, purse.things.get(thing, 0) - count)
    purses = purses.put(giver, Purse(purse.cash, left))
    purse = purses[taker]
    more = purse.things.put(thing, purse.things.get(thing, 0) + count)
    return purses.put(taker, Purse(purse.cash, more))


def test_nested_tables_conserve_across_owners() -> None:
    def program() -> None:
        first = SymTable("purses", fresh_purse)
        total = first.total(all_things)
        giver, taker, count = fresh_int("giver"), fresh_int("taker"), fresh_int("count")
        last = give(first, giver, taker, fresh_int("thing"), count)
        claim("totals", last.total(all_things) == total)
        claim("difference", delta(first, last, all_things) == 0)
        claim("cash", delta(first, last, cash) == 0)
        thing = touched(first[giver].things)[0].key
        there = first[taker].things.get(thing, 0)
        claim("the taker has more", last[taker].things.get(thing, 0) == there + count)
        for change in changed(first, last):
            claim("only the two", any_of(change.key == giver, change.key == taker))
            claim("only the giver", implies(change.differs, change.key == giver))

    found = verdicts(program)
    assert Status.REFUTED in found.pop("only the giver")
    assert Status.REFUTED in found.pop("the taker has more")  # not when one gives to oneself
    assert set(found) == {"totals", "difference", "cash", "only the two"}
    assert all(status == PROVED for status in found.values())


def test_untouched_and_unchanged_entries_are_not_changes() -> None:
    def program() -> None:
        first = SymTable("purses", fresh_purse)
        purse = first[1]
        again = first.put(1, Purse(purse.cash + 1 - 1, purse.things)).put(2, first[2])
        assert changed(first, again) == []
        more = again.put(3, evolve(first[3], things=first[3].things.put(4, 5)))
        assert [change.key for change in changed(first, more)] == [3]

    explore(program)


def test_a_price_change_of_a_touched_and_of_an_untouched_key() -> None:
    """The worth of a basket moves by its count times the change of the price, and no more."""

    def program(look_first: bool) -> None:
        goods = SymTable("goods", fresh_good)
        basket = SymTable("basket", number("count"))
        key, price = fresh_int("key"), fresh_int("price")
        if look_first:
            basket[key]
        before = basket.total_against(goods, priced)
        count, old = basket[key], goods[key].price
        dearer = goods.put(key, Good(price))
        after = basket.total_against(dearer, priced)
        claim("by its count", after - before == count * (price - old))
        claim("not at all", after == before)
        other = basket.put(fresh_int("other"), 0)
        claim("against both", other.total_against(goods, priced) == before)

    for look_first in (True, False):
        found = verdicts(partial(program, look_first))
        assert found["by its count"] == PROVED
        assert found["not at all"] == {Status.REFUTED}
        assert Status.REFUTED in found["against both"]


def test_keys_touched_in_either_table_are_touched_in_both() -> None:
    def program() -> None:
        goods = SymTable("goods", fresh_good)
        basket = SymTable("basket", number("count"))
        goods[1], basket[2]
        before = basket.total_against(goods, priced)
        goods[3], basket[4]
        after = basket.total_against(goods, priced)
        keys = [sorted(entry.key for entry in touched(table)) for table in (goods, basket)]
        assert keys == [[1, 2, 3, 4]] * 2
        claim("looking changes nothing", before == after)
        rest = after - sum(basket[key] * goods[key].price for key in (1, 2, 3, 4))
        emptied = basket
        for key in (1, 2, 3, 4):
            emptied = emptied.put(key, 0)
        claim("each is taken out once", emptied.total_against(goods, priced) == rest)

    assert verdicts(program) == {
        "looking changes nothing": PROVED,
        "each is taken out once": PROVED,
    }


def test_several_baskets_against_one_price_list() -> None:
    def program() -> None:
        goods = SymTable("goods", fresh_good)

        def worth(purse: Purse) -> int:
            return purse.cash + purse.things.total_against(goods, priced)

        first = SymTable("purses", fresh_purse)
        before = first.total(worth)
        a, b, good, count = (fresh_int(name) for name in ("a", "b", "good", "count"))
        last = give(first, a, b, good, count)
        claim("worth is conserved", last.total(worth) == before)
        sold = last.put(a, evolve(last[a], cash=last[a].cash + count))
        claim("cash counts", sold.total(worth) == before + count)
        claim("at any price", sold.total(worth) == before)

    found = verdicts(program)
    assert found["worth is conserved"] == found["cash counts"] == PROVED
    assert Status.REFUTED in found["at any price"]


def test_additive_facts_against_another_table() -> None:
    worthless = Additive("worth is not negative", (priced,), lambda worth: worth >= 0)

    def program() -> None:
        goods = SymTable("goods", fresh_good)
        basket = SymTable("basket", not_negative, additive=(worthless,))
        worth = basket.total_against(goods, priced)
        claim("no part is worth more", basket[1] * goods[1].price <= worth)
        claim("nothing is worth more", basket[1] * goods[1].price < worth)

    assert verdicts(program) == {
        "basket: worth is not negative": PROVED,
        "no part is worth more": PROVED,
        "nothing is worth more": {Status.REFUTED},
    }


def test_a_table_within_another_finds_its_keys_there() -> None:
    def program(declared: bool) -> int:
        goods = SymTable("goods", fresh_good, optional=True)
        basket = SymTable("basket", number("n"), absent=0, within=goods if declared else None)
        basket.get(fresh_int("key"), 0)
        return basket.total_against(goods, priced)

    assert all(path.result is not None for path in explore(lambda: program(True)))
    with pytest.raises(TableError, match="may have keys"):
        explore(lambda: program(False))


def test_a_good_that_is_lost_while_one_holds_it_is_a_key_error() -> None:
    def program() -> int:
        goods = SymTable("goods", fresh_good)
        basket = SymTable("basket", number("n"), absent=0)
        return basket.total_against(goods.without(1), priced)

    paths = explore(program, refusals=(KeyError,))
    assert sorted(path.refusal is None for path in paths) == [False, True]


def test_making_an_entry_may_look_into_another_table() -> None:
    def program() -> None:
        goods = SymTable("goods", fresh_good)

        def affordable(key: int) -> int:
            count = fresh_int(f"n[{key}]")
            assume(count * goods[key].price <= 100)
            return count

        cheap = Additive("worth", (priced,), lambda worth: worth == worth)
        basket = SymTable("basket", affordable, additive=(cheap,))
        before = basket.total_against(goods, priced)
        key = fresh_int("key")
        claim("affordable", basket[key] * goods[key].price <= 100)
        claim("counted once", basket.total_against(goods, priced) == before)

    found = verdicts(program)
    assert set(found) == {"affordable", "counted once", "basket: worth"}
    assert all(status == PROVED for status in found.values())


def test_versions_of_one_table_compare_and_others_do_not() -> None:
    def program() -> None:
        table = SymTable("t", number("v"))
        claim("a version equals itself rewritten", table.put(1, table[1]) == table)
        claim("a changed one differs", table.put(1, table[1] + 1) != table)

    assert verdicts(program) == {
        "a version equals itself rewritten": PROVED,
        "a changed one differs": PROVED,
    }
    with pytest.raises(TableError, match="not versions of one table"):
        explore(lambda: changed(SymTable("a", number("v")), SymTable("b", number("v"))))


def test_a_taken_entry_is_absent_in_the_introspection() -> None:
    def program() -> None:
        table = SymTable("t", number("v"))
        (entry,) = touched(table.without(1))
        assert entry.key == 1 and entry.current is ABSENT

    explore(program)
