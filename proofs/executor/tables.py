"""A table of unknown size: the entries that a run touched, plus one number for all the others.

A `SymTable` answers like `perpref.table.Table`, but holds an unknown number of unknown entries.
A key that is looked up is either one of the keys touched before (the run forks over that:
aliasing) or a new one, whose initial value is then made by the caller's `fresh`.

All versions of a table share one *base*: the list of touched entries with their initial values.
A version adds only what it wrote. So a version made early knows the initial value of an entry
that a later version touched first, which is what makes "before" and "after" comparable.

A total is the sum over the touched entries plus a *rest*: the sum over all the others, unknown.
The rest always means "all entries but those touched so far". When one more is touched, its
initial measure is taken out of the rest; forgetting that would count the entry twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast
from weakref import WeakSet

import z3  # type: ignore[import-untyped]
from attrs import define, field, frozen

from proofs.executor.explore import Run, running
from proofs.executor.show import show
from proofs.executor.structure import frozen_function, identity, leaves, same, unknowns
from proofs.executor.terms import (
    BoolTerm,
    ExecutorError,
    IntTerm,
    SymBool,
    SymInt,
    as_int,
    ite,
    to_condition,
    to_term,
)

K = TypeVar("K", bound=int)
V = TypeVar("V")
W = TypeVar("W")

if TYPE_CHECKING:
    from perpref.table import Table as _Shape
else:

    class _Shape(Generic[K, V]):
        """At run time a symbolic table is not a Table, only shaped like one."""


class TableError(ExecutorError):
    """A use of a table that the executor cannot follow."""


class _Absent:
    """What a version holds at a key from which the value was taken away."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


# -- facts about every entry ----------------------------------------------------------------------


@frozen(eq=False)
class Additive:
    """A relation between measures that holds for every entry, and therefore for sums of them.

    `holds` takes one integer per measure, in their order: `lambda small, large: small <= large`.
    It must be true of zeros and closed under addition (so `m > 0` is refused: no entries at all
    sum to 0), which is proved before it is believed. That every single entry satisfies it
    becomes a claim of each run that uses it, for the caller to prove.
    """

    name: str
    measures: tuple[Callable[..., int], ...]
    holds: Callable[..., bool]

    def check(self) -> None:
        """Raises TableError unless the relation carries over from entries to sums."""
        if self in _checked:
            return
        size = len(self.measures)
        ones = [SymInt(z3.Int(f"one.{place}")) for place in range(size)]
        others = [SymInt(z3.Int(f"other.{place}")) for place in range(size)]
        sums = [one + other for one, other in zip(ones, others, strict=True)]
        nothing = to_condition(self.holds(*[0] * size))
        adds = z3.Implies(
            z3.And(to_condition(self.holds(*ones)), to_condition(self.holds(*others))),
            to_condition(self.holds(*sums)),
        )
        solver = z3.Solver()
        solver.add(z3.Not(z3.And(nothing, adds)))
        if solver.check() != z3.unsat:
            raise TableError(f'"{self.name}" does not carry over from single entries to sums')
        _checked.add(self)


_checked: WeakSet[Additive] = WeakSet()


# -- what all versions of a table share -----------------------------------------------------------


@frozen(eq=False)
class _Entry:
    """One touched entry as it was at first. `present` is None for the policy `absent=`."""

    key: Any
    term: IntTerm
    initial: Any
    present: bool | SymBool | None


@define(eq=False)
class _Base:
    """One unknown table: how it makes entries, and which it has made so far in this run."""

    run: Run
    name: str
    fresh: Callable[[Any], Any]
    absent: Any
    optional: bool
    within: _Base | None
    additive: tuple[Additive, ...]
    entries: list[_Entry] = field(factory=list)
    rests: list[_Rest] = field(factory=list)
    rest_of: dict[object, _Rest] = field(factory=dict)
    places: dict[int, tuple[IntTerm, int]] = field(factory=dict)
    making: list[IntTerm] = field(factory=list)

    @property
    def always(self) -> bool:
        """Every key that is looked up has an entry."""
        return self.absent is ABSENT and not self.optional

    def locate(self, key: object) -> int:
        """The place of the entry at `key`, touching it if need be. Forks on aliasing."""
        term = z3.simplify(to_term(key))
        found = self.places.get(term.get_id())
        if found is not None:
            return found[1]
        if running() is not self.run:
            raise TableError(f"the table {self.name} belongs to another run")
        if self.making:
            raise TableError(f"making an entry of {self.name} looked up another one")
        for place, entry in enumerate(self.entries):
            if self.run.decide(term == entry.term):
                self.places[term.get_id()] = (term, place)
                return place
        return self._touch(term)

    def _touch(self, term: IntTerm) -> int:
        key = as_int(term)
        known, assumed = set(self.run.symbols), len(self.run.assumptions)
        self.making.append(term)
        initial = self.fresh(key)
        self.making.pop()
        if self.absent is not ABSENT:
            self._check_absent(initial, known, self.run.assumptions[assumed:])
        present: bool | SymBool | None = True if self.always else None
        if self.optional:
            present = self.run.fresh_bool(f"{key} in {self.name}")
        place = len(self.entries)
        self.entries.append(_Entry(key, term, initial, present))
        self.places[term.get_id()] = (term, place)
        if self.within is not None:
            there = self.within.entries[self.within.locate(key)]
            self.run.assume(z3.Implies(self.presence(place), to_condition(there.present)))
        for rest in self.rests:
            rest.split()
        return place

    def _check_absent(self, initial: Any, known: set[str], assumed: list[BoolTerm]) -> None:
        """Whatever `fresh` assumes of an entry must be true when there is none.

        Otherwise the case that the entry is absent would be left out in silence. An assumption
        that speaks of further unknowns of the entry is not checked.
        """
        pairs = list(leaves(initial, self.absent))
        own = set(unknowns(*(leaf for leaf, _ in pairs)))
        if not all(z3.is_const(leaf) for leaf, _ in pairs):
            return
        for fact in assumed:
            if set(unknowns(fact)) <= known | own:
                instead = z3.substitute(fact, *pairs)
                if not self.run.entails(instead):
                    raise TableError(
                        f"what is assumed of an entry of {self.name} leaves out that it is "
                        f"absent, that is {self.absent!r}: {show(fact)}"
                    )

    def presence(self, place: int) -> BoolTerm:
        """The condition that the initial table has an entry here."""
        entry = self.entries[place]
        if entry.present is None:
            return z3.simplify(z3.Not(same(entry.initial, self.absent)))
        return to_condition(entry.present)

    def rest(self, measure: Callable[..., int], other: _Base | None) -> _Rest:
        """The rest of this table under this measure, against the other table if there is one."""
        key = (id(other), identity(measure))
        if key not in self.rest_of:
            against = f" against {other.name}" if other else ""
            unknown = self.run.fresh_int(f"rest of {self.name}{against}")
            rest = _Rest(self, other, frozen_function(measure), unknown.term)
            self.rest_of[key] = rest
            self.rests.append(rest)
            if other is not None:
                other.rests.append(rest)
            self.run.rests.append(lambda: rest.term)
            rest.split()
            self._relate(measure, other)
        return self.rest_of[key]

    def _relate(self, measure: Callable[..., int], other: _Base | None) -> None:
        """Believe the additive facts that speak of this measure, and claim them of an entry."""
        wanted = identity(measure)
        for fact in self.additive:
            if all(identity(known) != wanted for known in fact.measures):
                continue
            rests = [self.rest(known, other) for known in fact.measures]
            if any(fact in rest.facts for rest in rests):
                continue
            fact.check()
            self._claim_of_any_entry(fact, other)
            for rest in rests:
                rest.facts[fact] = rests
            rests[0].believe()

    def _claim_of_any_entry(self, fact: Additive, other: _Base | None) -> None:
        """Claim the fact of an entry about which nothing is known but what `fresh` assumes."""
        bases = (self, other) if other else (self,)
        key = self.run.fresh_int(f"any key of {self.name}")
        for base in bases:
            for entry in base.entries:
                self.run.assume(key.term != entry.term)
        made = [base.fresh(key) for base in bases]
        for i, base in enumerate(bases):
            place = base.places.get(key.term.get_id())  # making one may have touched the other
            made[i] = made[i] if place is None else base.entries[place[1]].initial
        measured = [known(*made) for known in fact.measures]
        self.run.claim(f"{self.name}: {fact.name}", fact.holds(*measured))

    def counted(
        self, place: int, measure: Callable[..., int], value: Any, against: tuple[Any, ...]
    ) -> int:
        """What an unchanged entry adds to a total: nothing when the table does not have it."""
        entry = self.entries[place]
        measured = measure(value, *against)
        if entry.present is None:  # absent and default are one thing, so they must measure alike
            nothing = measure(self.absent, *against)
            if not self.run.entails(to_term(nothing) == 0):
                raise TableError(f"an absent entry of {self.name} measures {nothing}, not 0")
            return measured
        return measured if entry.present is True else ite(entry.present, measured, 0)


@define(eq=False)
class _Rest:
    """The sum of a measure over all entries that no version has touched so far.

    With another table, it is the sum over the keys touched in neither of the two. `mine` and
    `theirs` count the entries of each that were already taken out; `partner` leads from an entry
    of the one to the entry of the other at the same key.
    """

    base: _Base
    other: _Base | None
    measure: Callable[..., int]
    term: IntTerm
    mine: int = 0
    theirs: int = 0
    busy: bool = False
    partner: dict[int, int] = field(factory=dict)
    facts: dict[Additive, list[_Rest]] = field(factory=dict)

    @property
    def settled(self) -> bool:
        """Whether exactly the touched entries have been taken out."""
        lags = self.mine < len(self.base.entries)
        lags |= self.other is not None and self.theirs < len(self.other.entries)
        return not (lags or self.busy)

    def read(self) -> int:
        """The rest, as it is now. Raises TableError while an entry is being taken out of it."""
        self.split()
        if not self.settled:
            raise TableError(f"a total of {self.base.name} was asked while it takes in an entry")
        return cast(int, SymInt(self.term))

    def split(self) -> None:
        """Take the initial measure of every newly touched entry out of the rest.

        Against another table both must have touched the same keys first, and that may touch
        more: go on until nothing is new. A call from within this loop, or while an entry is
        being made, leaves the work to the loop or to the end of the making.
        """
        if self.busy or self.settled or self.base.making or (self.other and self.other.making):
            return
        self.busy = True
        while True:
            if self.other is not None and self.theirs < len(self.other.entries):
                self.theirs += 1
                self.base.locate(self.other.entries[self.theirs - 1].key)
            elif self.mine < len(self.base.entries):
                self.mine += 1
                measured = self._initial(self.mine - 1)
                self.term = z3.simplify(self.term - to_term(measured))
            else:
                break
        self.busy = False
        self.believe()

    def _initial(self, place: int) -> int:
        entry = self.base.entries[place]
        if self.other is None:
            return self.base.counted(place, self.measure, entry.initial, ())
        self.partner[place] = self.other.locate(entry.key)
        there = self.other.entries[self.partner[place]]
        return self.base.counted(place, self.measure, entry.initial, (there.initial,))

    def believe(self) -> None:
        """Assume the additive facts, once all their rests stand for the same entries."""
        for fact, rests in self.facts.items():
            if all(rest.settled for rest in rests):
                self.base.run.assume(fact.holds(*(SymInt(rest.term) for rest in rests)))


# -- the table ------------------------------------------------------------------------------------


class SymTable(_Shape[K, V]):
    """One version of a table of unknown entries; used where a program expects a `Table`."""

    __slots__ = ("_base", "_written")

    _base: _Base
    _written: dict[int, Any]

    def __init__(
        self,
        name: str,
        fresh: Callable[[K], V],
        *,
        absent: V | _Absent = ABSENT,
        optional: bool = False,
        within: _Shape[K, Any] | None = None,
        additive: tuple[Additive, ...] = (),
    ) -> None:
        """A table of which nothing is known but what `fresh` assumes of each entry.

        Without a policy, every key that is looked up is taken to have an entry.

        Args:
            name: what the unknowns of this table are called.
            fresh: makes the unknown initial value at a key, and may assume things of it.
            absent: the policy "no entry and an entry with this value are one thing": looking up
                never forks on presence. The unknown initial table holds no such entry.
            optional: the policy "an entry may be missing": looking up forks on presence.
            within: another table that has, at first, every key that this one has.
            additive: relations between measures that hold for each entry.
        """
        if optional and absent is not ABSENT:
            raise TableError("a table is either optional or has an absent value, not both")
        outer = cast(Any, within)._base if within is not None else None
        self._base = _Base(running(), name, fresh, absent, optional, outer, additive)
        self._written = {}

    def _with(self, place: int, value: Any) -> SymTable[K, V]:
        table: SymTable[K, V] = SymTable.__new__(SymTable)
        table._base = self._base
        table._written = {**self._written, place: value}
        return table

    def __getitem__(self, key: K) -> V:
        return self._read(self._base.locate(key), key)

    def __contains__(self, key: object) -> bool:
        return self._has(self._base.locate(key))

    def get(self, key: K, default: V) -> V:
        place = self._base.locate(key)
        base = self._base
        if base.absent is not ABSENT and place not in self._written:
            if not z3.is_true(z3.simplify(same(default, base.absent))):
                raise TableError(f"the default of {base.name} is {base.absent!r}, not {default!r}")
            return cast(V, base.entries[place].initial)
        return self._value(place) if self._has(place) else default

    def put(self, key: K, value: V) -> SymTable[K, V]:
        return self._with(self._base.locate(key), value)

    def without(self, key: K) -> SymTable[K, V]:
        return self._with(self._base.locate(key), ABSENT)

    def total(self, measure: Callable[[V], int]) -> int:
        """The touched entries as this version has them, and the rest."""
        rest = self._base.rest(measure, None)
        total, place = 0, 0
        while place < len(self._base.entries):  # a measure may itself touch further entries
            total += self._measured(place, measure)
            place += 1
        return total + rest.read()

    def total_against(self, other: _Shape[K, W], measure: Callable[[V, W], int]) -> int:
        """The same over the pairs of entries at one key; both tables touch the same keys first.

        Raises:
            KeyError: this table has a key that the other has lost.
            TableError: untouched keys might be missing in the other table.
        """
        if not isinstance(other, SymTable):
            raise TableError(f"{self._base.name} can only be measured against a symbolic table")
        theirs = other._base
        if not (theirs.always or (theirs.optional and self._base.within is theirs)):
            raise TableError(f"{self._base.name} may have keys that {theirs.name} does not have")
        rest = self._base.rest(measure, theirs)
        total, place = 0, 0
        while place < len(self._base.entries):
            there = rest.partner[place]
            if other._surely_has(there):
                total += self._measured(place, measure, other._value(there))
            elif self._has(place):
                value = other._read(there, self._base.entries[place].key)
                total += measure(self._value(place), value)
            place += 1
        return total + rest.read()

    def _value(self, place: int) -> Any:
        """The value at a place; meaningless when there is none."""
        return self._written.get(place, self._base.entries[place].initial)

    def _presence(self, place: int) -> BoolTerm:
        if place in self._written:
            return z3.BoolVal(self._written[place] is not ABSENT)
        return self._base.presence(place)

    def _surely_has(self, place: int) -> bool:
        return bool(z3.is_true(self._presence(place)))

    def _has(self, place: int) -> bool:
        """Whether there is an entry, forking when that is open."""
        return bool(SymBool(self._presence(place)))

    def _read(self, place: int, key: object) -> V:
        if not self._has(place):
            raise KeyError(key)
        return cast(V, self._value(place))

    def _measured(self, place: int, measure: Callable[..., int], *against: Any) -> int:
        if place not in self._written:
            return self._base.counted(place, measure, self._value(place), against)
        value = self._written[place]
        return 0 if value is ABSENT else measure(value, *against)

    # -- equality, and what rules must not do -------------------------------------------------

    def __eq__(self, other: object) -> Any:
        return SymBool(self.same_as(other)) if isinstance(other, SymTable) else NotImplemented

    def same_as(self, other: SymTable[K, V]) -> BoolTerm:
        """The condition that two versions hold the same."""
        _require_one_base(self, other)
        places = sorted({*self._written, *other._written})
        return z3.And(*(self._same_at(place, other) for place in places))

    def _same_at(self, place: int, other: SymTable[K, V]) -> BoolTerm:
        mine, yours = self._value(place), other._value(place)
        if self._base.absent is not ABSENT:
            mine, yours = (
                self._base.absent if value is ABSENT else value for value in (mine, yours)
            )
            return same(mine, yours)
        here, there = self._presence(place), other._presence(place)
        alike = z3.BoolVal(True) if mine is ABSENT or yours is ABSENT else same(mine, yours)
        return z3.simplify(z3.And(here == there, z3.Implies(here, alike)))

    def identity(self) -> tuple[object, ...]:
        """A key that only equal versions of one table share."""
        written = sorted(self._written.items(), key=lambda item: item[0])
        return ("table", id(self._base), *((place, identity(value)) for place, value in written))

    def __hash__(self) -> NoReturn:
        raise TypeError(f"the symbolic table {self._base.name} cannot be a key")

    def __len__(self) -> NoReturn:
        self._refuse_walk()

    def items(self) -> NoReturn:
        self._refuse_walk()

    def __iter__(self) -> NoReturn:
        self._refuse_walk()

    def _refuse_walk(self) -> NoReturn:
        raise TableError(f"rules do not walk tables: {self._base.name} has unknown entries")

    def __repr__(self) -> str:
        shown = (f"{entry.key}: {self._value(i)!r}" for i, entry in enumerate(self._base.entries))
        return f"SymTable({self._base.name}, {{{', '.join(shown)}, ...}})"


def _require_one_base(left: Any, right: Any) -> None:
    if not (isinstance(left, SymTable) and isinstance(right, SymTable)):
        raise TableError("only symbolic tables can be compared entry by entry")
    if left._base is not right._base:
        raise TableError(f"{left._base.name} and {right._base.name} are not versions of one table")


# -- what a theorem asks --------------------------------------------------------------------------


@frozen(eq=False)
class Touched:
    """One entry that the run touched; ABSENT where it is known that there is none."""

    key: Any
    initial: Any
    current: Any


@frozen(eq=False)
class Change:
    """One entry that may differ between two versions, and the condition that it does."""

    key: Any
    before: Any
    after: Any
    differs: SymBool


def touched(table: Any) -> list[Touched]:
    """Every entry that any version of this table touched, at first and in this version."""
    base = table._base
    return [
        Touched(entry.key, entry.initial, table._value(place))
        for place, entry in enumerate(base.entries)
    ]


def delta(initial: Any, final: Any, measure: Callable[[Any], int]) -> int:
    """By how much the total differs. Needs no rest: untouched entries cancel."""
    _require_one_base(initial, final)
    total, place = 0, 0
    while place < len(initial._base.entries):
        total += final._measured(place, measure) - initial._measured(place, measure)
        place += 1
    return total


def changed(initial: Any, final: Any) -> list[Change]:
    """Every entry that may differ; all others are the same on this path, touched or not."""
    _require_one_base(initial, final)
    changes = []
    for place, entry in enumerate(initial._base.entries):
        alike = z3.simplify(initial._same_at(place, final))
        if not z3.is_true(alike):
            before, after = initial._value(place), final._value(place)
            changes.append(Change(entry.key, before, after, SymBool(z3.Not(alike))))
    return changes
