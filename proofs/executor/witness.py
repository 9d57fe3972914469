"""From a path or a refutation to plain numbers: integers that take the path, and plain values.

What the prover says of a path can so be tried on the real code with real tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import z3  # type: ignore[import-untyped]
from attrs import frozen

from perpref.table import Table
from proofs.executor.explore import Path
from proofs.executor.structure import fields_of, unknowns
from proofs.executor.tables import ABSENT, SymTable
from proofs.executor.terms import AnyChoice, BoolTerm, SymBool, SymInt

SMALL = (8, 1_000, 10**7)
"""Bounds tried on all unknowns, before any numbers are accepted: small ones read better."""


@frozen
class Model:
    """A number or truth for every unknown of a path.

    `closed` says that nothing is left in the rests of the tables, so that the touched entries
    are the whole table, and totals of the plain tables are what the path says.
    """

    values: Mapping[str, int | bool]
    closed: bool = False

    def __getitem__(self, name: str) -> int | bool:
        return self.values[name]


def read_model(model: Any, symbols: Mapping[str, Any], closed: bool = False) -> Model:
    """The values that a z3 model gives to these unknowns."""
    values: dict[str, int | bool] = {}
    for name, symbol in symbols.items():
        value = model.eval(symbol, model_completion=True)
        values[name] = value.as_long() if z3.is_int_value(value) else bool(z3.is_true(value))
    return Model(values, closed)


def witness(
    path: Path[Any], *also: BoolTerm, seconds: float = 5, small: bool = True
) -> Model | None:
    """Integers that take the path and satisfy `also`, closed ones if there are any.

    None when there are none, or when the solver finds none in time. Small numbers take several
    attempts; without `small` the first that are found will do.
    """
    symbols = path.symbols
    numbers = [symbol for symbol in symbols.values() if z3.is_int(symbol)]
    solver = z3.Solver()
    solver.add(*path.facts, *also)
    for closed in (True, False) if path.rests else (True,):
        for bound in (*SMALL, None) if small else (None, SMALL[1]):
            solver.push()
            solver.set(timeout=int(seconds * (1000 if bound is None else 100)))
            if closed:
                solver.add(*(rest == 0 for rest in path.rests))
            if bound is not None:
                solver.add(*(z3.And(-bound <= number, number <= bound) for number in numbers))
            verdict = solver.check()
            if verdict == z3.sat:
                return read_model(solver.model(), symbols, closed)
            solver.pop()
            if verdict == z3.unsat and bound is None:
                break
    return None


def concretise(value: Any, model: Model) -> Any:
    """A value of the path with plain integers, and plain tables of the entries it touched.

    Initial entries that are absent, or that have the value that stands for absence, are left out.
    """
    if isinstance(value, SymInt | SymBool):
        return _number(value.term, model)
    if isinstance(value, AnyChoice):
        return value.example
    if isinstance(value, SymTable):
        return _table(value, model)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(concretise(part, model) for part in value))
    if isinstance(value, tuple):
        return tuple(concretise(part, model) for part in value)
    if isinstance(value, list):
        return [concretise(part, model) for part in value]
    if isinstance(value, Table):
        return Table((key, concretise(entry, model)) for key, entry in value.items())
    if attrs.has(type(value)) and not isinstance(value, type):
        return type(value)(**{name: concretise(part, model) for name, part in fields_of(value)})
    return value


def _number(term: Any, model: Model) -> int | bool:
    pairs = []
    for name, symbol in unknowns(term).items():
        plain = model.values.get(name, 0)
        pairs.append((symbol, z3.BoolVal(bool(plain)) if z3.is_bool(symbol) else z3.IntVal(plain)))
    plain_term = z3.simplify(z3.substitute(term, *pairs))
    return plain_term.as_long() if z3.is_int_value(plain_term) else bool(z3.is_true(plain_term))


def _table(table: SymTable[Any, Any], model: Model) -> Table[Any, Any]:
    entries = []
    for place, entry in enumerate(table._base.entries):
        value = table._value(place)
        if value is not ABSENT and _number(table._presence(place), model):
            entries.append((concretise(entry.key, model), concretise(value, model)))
    return Table(entries)
