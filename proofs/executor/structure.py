"""Walking nested values: frozen attrs records and tuples of plain and symbolic leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any, TypeVar

import attrs
import z3  # type: ignore[import-untyped]

from proofs.executor.terms import BoolTerm, SymBool, SymInt, to_condition, to_term

F = TypeVar("F", bound=Callable[..., Any])


def fields_of(value: Any) -> list[tuple[str, Any]]:
    """The fields of an attrs record by the names that its constructor takes."""
    return [
        (field.alias or field.name, getattr(value, field.name))
        for field in attrs.fields(type(value))
        if field.init
    ]


def same(left: Any, right: Any) -> BoolTerm:
    """The condition that two values are equal, leaf by leaf, without a fork."""
    if left is right:
        return z3.BoolVal(True)
    for symbolic, plain, term in ((SymInt, int, to_term), (SymBool, bool, to_condition)):
        if isinstance(left, symbolic) or isinstance(right, symbolic):
            alike = isinstance(left, symbolic | plain) and isinstance(right, symbolic | plain)
            return z3.simplify(term(left) == term(right)) if alike else z3.BoolVal(False)
    if type(left) is not type(right):
        return z3.BoolVal(False)
    if hasattr(left, "same_as"):
        return left.same_as(right)
    if attrs.has(type(left)):
        pairs = zip(fields_of(left), fields_of(right), strict=True)
        return _all(same(mine, yours) for (_, mine), (_, yours) in pairs)
    if isinstance(left, tuple):
        if len(left) != len(right):
            return z3.BoolVal(False)
        return _all(same(mine, yours) for mine, yours in zip(left, right, strict=True))
    return z3.BoolVal(bool(left == right))


def _all(conditions: Any) -> BoolTerm:
    return z3.simplify(z3.And(*conditions))


def leaves(left: Any, right: Any) -> Iterator[tuple[Any, Any]]:
    """The terms of the unknowns in `left`, each with the term that `right` has in its place."""
    if isinstance(left, SymInt):
        yield left.term, to_term(right)
    elif isinstance(left, SymBool):
        yield left.term, to_condition(right)
    elif isinstance(left, tuple):
        for mine, yours in zip(left, right, strict=True):
            yield from leaves(mine, yours)
    elif attrs.has(type(left)):
        for (_, mine), (_, yours) in zip(fields_of(left), fields_of(right), strict=True):
            yield from leaves(mine, yours)


def unknowns(*terms: Any) -> dict[str, Any]:
    """Every unknown that these terms speak of, by name."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    open_terms = list(terms)
    while open_terms:
        term = open_terms.pop()
        if term.get_id() in seen:
            continue
        seen.add(term.get_id())
        if z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found[term.decl().name()] = term
        open_terms.extend(term.children())
    return found


def identity(value: Any) -> tuple[object, ...]:
    """A key that two values share only if they are the same value, for as long as both live.

    Two keys may differ although the values are equal; that costs precision, never soundness.
    """
    if isinstance(value, SymInt | SymBool):
        return ("term", value.term.get_id())
    if value is None or isinstance(value, bool | int | str):
        return (type(value), value)
    if hasattr(value, "identity"):
        found: tuple[object, ...] = value.identity()
        return found
    if attrs.has(type(value)) and not isinstance(value, type):
        return (type(value), *(identity(part) for _, part in fields_of(value)))
    if isinstance(value, tuple):
        return (type(value), *(identity(part) for part in value))
    if isinstance(value, FunctionType):
        closure = tuple(identity(cell.cell_contents) for cell in value.__closure__ or ())
        defaults = identity(value.__defaults__ or ())
        keywords = tuple(
            (name, identity(default)) for name, default in (value.__kwdefaults__ or {}).items()
        )
        code = _code_identity(value.__code__)
        return ("function", code, id(value.__globals__), closure, defaults, keywords)
    if isinstance(value, MethodType):
        return ("method", value.__func__, identity(value.__self__))
    return ("object", id(value))


def _code_identity(code: CodeType) -> tuple[object, ...]:
    """What a function does, wherever it stands: two lambdas that read alike are one measure."""
    constants = tuple(
        _code_identity(constant) if isinstance(constant, CodeType) else identity(constant)
        for constant in code.co_consts
    )
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return (*shape, code.co_code, code.co_exceptiontable, code.co_names, constants)


def frozen_function(function: F) -> F:
    """A copy of a function that later changes of the variables it closes over cannot reach."""
    if not isinstance(function, FunctionType) or not function.__closure__:
        return function
    copy = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        tuple(CellType(cell.cell_contents) for cell in function.__closure__),
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy  # type: ignore[return-value]
