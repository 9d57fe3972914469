"""What a small shipped function computes, as one condition: gathered by exploring it.

The condition relates unknown arguments to an unknown result and holds exactly when the function
gives that result. It is used to find witnesses, never to prove: a proof follows paths.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import attrs
import z3  # type: ignore[import-untyped]
from attrs import frozen

from proofs.executor import SymBool, SymInt, assume, explore
from proofs.executor.structure import fields_of, same
from proofs.executor.terms import AnyChoice

_instances = count()
_summaries: dict[object, Summary] = {}


@frozen(eq=False)
class Summary:
    """The paths of a function over placeholders: of the arguments, the result, and quotients."""

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    inner: tuple[Any, ...]
    relation: Any

    def of(self, args: tuple[Any, ...], result: Any) -> Any:
        """The condition that the function of these arguments has this result."""
        instance = next(_instances)
        renamed = [
            (symbol, z3.Const(f"{symbol}@{instance}", symbol.sort())) for symbol in self.inner
        ]
        given = zip(self.inputs, _terms(args), strict=True)
        found = zip(self.outputs, _terms(result), strict=True)
        return z3.substitute(self.relation, *given, *found, *renamed)


def summarise(
    function: Callable[..., Any], needs: Callable[..., bool], args: Any, result: Any
) -> Summary:
    """The summary of a function for arguments of this shape."""
    key = (function, _shape(args))
    if key not in _summaries:
        given = _placeholders(args, "in")
        found = _placeholders(result, "out")

        def program() -> Any:
            assume(needs(*given))
            return function(*given)

        paths = explore(program)
        inner = {str(symbol): symbol for path in paths for symbol in path.symbols.values()}
        relation = z3.Or(*(z3.And(*path.facts, same(path.result, found)) for path in paths))
        _summaries[key] = Summary(
            tuple(_terms(given)), tuple(_terms(found)), tuple(inner.values()), relation
        )
    return _summaries[key]


def _leaves(value: Any) -> list[Any]:
    """The integers and truths of a nested value, in order. Tables are no part of a summary."""
    if isinstance(value, SymInt | SymBool | int) and not isinstance(value, type):
        return [value]
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    if attrs.has(type(value)):
        return [leaf for _, part in fields_of(value) for leaf in _leaves(part)]
    return []


def _terms(value: Any) -> list[Any]:
    return [_term(leaf) for leaf in _leaves(value)]


def _term(leaf: Any) -> Any:
    if isinstance(leaf, SymInt | SymBool):
        return leaf.term
    return z3.BoolVal(leaf) if isinstance(leaf, bool) else z3.IntVal(leaf)


def _placeholders(value: Any, prefix: str) -> Any:
    numbers = count()

    def rebuild(part: Any) -> Any:
        if isinstance(part, SymBool | bool):
            return SymBool(z3.Bool(f"{prefix}.{next(numbers)}"))
        if isinstance(part, SymInt | int):
            return SymInt(z3.Int(f"{prefix}.{next(numbers)}"))
        if isinstance(part, AnyChoice):
            return part.example
        if isinstance(part, tuple):
            return tuple(rebuild(one) for one in part)
        if attrs.has(type(part)):
            return type(part)(**{name: rebuild(one) for name, one in fields_of(part)})
        return part

    return rebuild(value)


def _shape(value: Any) -> object:
    """What two arguments must share to share a summary: all but their numbers and truths."""
    if isinstance(value, SymBool | bool):
        return bool
    if isinstance(value, SymInt | int):
        return int
    if isinstance(value, AnyChoice):
        return value.example
    if isinstance(value, tuple):
        return tuple(_shape(part) for part in value)
    if attrs.has(type(value)):
        return (type(value), *(_shape(part) for _, part in fields_of(value)))
    return type(value) if hasattr(value, "same_as") else value
