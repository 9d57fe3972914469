"""Symbolic integers and truths: what ordinary code computes with while it is being proved.

A `SymInt` stands for any integer and a `SymBool` for a comparison of such. Both are made so that
nothing can go wrong in silence: asking a `SymBool` for its truth forks the run, and using a
`SymInt` as a truth, a dict key, an index or a float is an error.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar, cast

import z3  # type: ignore[import-untyped]

from proofs.executor.show import show

IntTerm: TypeAlias = Any
"""A z3 term of sort Int (z3 ships no types)."""

BoolTerm: TypeAlias = Any
"""A z3 term of sort Bool."""

V = TypeVar("V")


class ExecutorError(Exception):
    """The executor cannot follow the program. Never a refusal, always to be repaired."""


class DivisorError(ExecutorError):
    """A division whose divisor is not provably positive on the current path."""


class NoRunError(ExecutorError):
    """Something that only a run can answer was asked outside of one."""


class RunLike(Protocol):
    """What symbolic values ask of the run that they live in."""

    def decide(self, condition: BoolTerm) -> bool: ...

    def known(self, condition: BoolTerm) -> bool | None: ...

    def quotient(self, dividend: IntTerm, divisor: IntTerm) -> IntTerm: ...


_current: ContextVar[RunLike | None] = ContextVar("current_run", default=None)


def current_run() -> RunLike:
    """The run that is going on. Raises NoRunError when there is none."""
    run = _current.get()
    if run is None:
        raise NoRunError("only a run can decide this: call it inside explore()")
    return run


class SymInt:
    """An unknown integer, carried as a z3 term. Behaves as `int` as far as that is sound."""

    __slots__ = ("term",)

    def __init__(self, term: IntTerm) -> None:
        self.term = term

    # -- arithmetic ---------------------------------------------------------------------------

    def __add__(self, other: object) -> Any:
        if not _is_integer(other):
            return NotImplemented
        return self if _is_plain(other, 0) else as_int(self.term + to_term(other))

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        if not _is_integer(other):
            return NotImplemented
        return self if _is_plain(other, 0) else as_int(self.term - to_term(other))

    def __rsub__(self, other: object) -> Any:
        if not _is_integer(other):
            return NotImplemented
        return -self if _is_plain(other, 0) else as_int(to_term(other) - self.term)

    def __mul__(self, other: object) -> Any:
        if not _is_integer(other):
            return NotImplemented
        if _is_plain(other, 0):
            return 0
        return self if _is_plain(other, 1) else as_int(self.term * to_term(other))

    __rmul__ = __mul__

    def __neg__(self) -> Any:
        return as_int(-self.term)

    def __pos__(self) -> SymInt:
        return self

    def __abs__(self) -> Any:
        """Without a fork; when the path already knows the sign, without a case either."""
        run = _current.get()
        for at_least in (self.term >= 0, self.term > 0):
            holds = run.known(at_least) if run else None
            if holds is not None:
                return self if holds else -self
        return SymInt(z3.If(self.term >= 0, self.term, -self.term))

    def __floordiv__(self, other: object) -> Any:
        return _floor_div(self, other)

    def __rfloordiv__(self, other: object) -> Any:
        return _floor_div(other, self)

    def __mod__(self, other: object) -> Any:
        return self - other * _floor_div(self, other) if _is_integer(other) else NotImplemented

    def __rmod__(self, other: object) -> Any:
        return other - self * _floor_div(other, self) if _is_integer(other) else NotImplemented

    def __divmod__(self, other: object) -> Any:
        return (self // other, self % other) if _is_integer(other) else NotImplemented

    # -- comparisons --------------------------------------------------------------------------

    def __lt__(self, other: object) -> Any:
        return SymBool(self.term < _operand(other)) if _is_integer(other) else NotImplemented

    def __le__(self, other: object) -> Any:
        return SymBool(self.term <= _operand(other)) if _is_integer(other) else NotImplemented

    def __gt__(self, other: object) -> Any:
        return SymBool(self.term > _operand(other)) if _is_integer(other) else NotImplemented

    def __ge__(self, other: object) -> Any:
        return SymBool(self.term >= _operand(other)) if _is_integer(other) else NotImplemented

    def __eq__(self, other: object) -> Any:
        return SymBool(self.term == _operand(other)) if _is_integer(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return SymBool(self.term != _operand(other)) if _is_integer(other) else NotImplemented

    # -- what an unknown integer must not be used as ------------------------------------------

    def __bool__(self) -> NoReturn:
        self._refuse("a truth: compare it with 0")

    def __hash__(self) -> NoReturn:
        self._refuse("a dict key or a set member: use a SymTable")

    def __index__(self) -> NoReturn:
        self._refuse("an index or a range")

    def __int__(self) -> NoReturn:
        self._refuse("a plain int")

    def __float__(self) -> NoReturn:
        self._refuse("a float")

    def __truediv__(self, other: object) -> NoReturn:
        self._refuse("a fraction: divide with //")

    __rtruediv__ = __truediv__

    def _refuse(self, use: str) -> NoReturn:
        raise TypeError(f"the symbolic integer {self} cannot be used as {use}")

    def __repr__(self) -> str:
        return show(self.term)

    def __format__(self, spec: str) -> str:
        """Whatever a message wanted of a number, an unknown is shown as it is."""
        return repr(self)


class SymBool:
    """An unknown truth, carried as a z3 term. `if` forks on it; `&`, `|` and `~` do not."""

    __slots__ = ("term",)

    def __init__(self, term: BoolTerm) -> None:
        self.term = term

    def __bool__(self) -> bool:
        """Fork the run: this is where one path becomes two."""
        if z3.is_true(self.term) or z3.is_false(self.term):
            return bool(z3.is_true(self.term))
        return current_run().decide(self.term)

    def __and__(self, other: object) -> Any:
        return SymBool(z3.And(self.term, to_condition(other)))

    __rand__ = __and__

    def __or__(self, other: object) -> Any:
        return SymBool(z3.Or(self.term, to_condition(other)))

    __ror__ = __or__

    def __xor__(self, other: object) -> Any:
        return SymBool(z3.Xor(self.term, to_condition(other)))

    __rxor__ = __xor__

    def __invert__(self) -> Any:
        return SymBool(z3.Not(self.term))

    def __eq__(self, other: object) -> Any:
        return SymBool(self.term == to_condition(other))

    def __ne__(self, other: object) -> Any:
        return SymBool(self.term != to_condition(other))

    def __hash__(self) -> NoReturn:
        raise TypeError(f"the symbolic truth {self} cannot be a dict key or a set member")

    def __repr__(self) -> str:
        return show(self.term)


# -- between Python and z3 ------------------------------------------------------------------------


def as_int(term: IntTerm) -> Any:
    """A z3 term as the program sees it: a plain int when the term is a number."""
    return term.as_long() if z3.is_int_value(term) else SymInt(term)


def to_term(value: object) -> IntTerm:
    """The z3 term of a symbolic or plain integer.

    Raises:
        TypeError: it is neither. A bool is not an integer here: mixing them hides mistakes.
    """
    if isinstance(value, SymInt):
        return value.term
    if isinstance(value, int) and not isinstance(value, bool):
        return z3.IntVal(value)
    raise TypeError(f"expected an integer, not {value!r} of type {type(value).__name__}")


def to_condition(value: object) -> BoolTerm:
    """The z3 term of a symbolic or plain truth.

    Raises:
        TypeError: it is neither. `~True` is the int -2 in Python, and is caught here.
    """
    if isinstance(value, SymBool):
        return value.term
    if isinstance(value, bool):
        return z3.BoolVal(value)
    if z3.is_bool(value):
        return value
    raise TypeError(f"expected a truth, not {value!r} of type {type(value).__name__}")


def _is_integer(value: object) -> bool:
    """Whether `value` may take part in symbolic arithmetic; a bool may not."""
    if isinstance(value, bool | SymBool):
        raise TypeError(f"the truth {value!r} cannot be used as an integer")
    return isinstance(value, int | SymInt)


def _operand(value: object) -> Any:
    """The right side of a comparison: a number stays a number, so that z3 keeps it right."""
    return value.term if isinstance(value, SymInt) else value


def _is_plain(value: object, number: int) -> bool:
    return isinstance(value, int) and value == number


def _floor_div(dividend: object, divisor: object) -> Any:
    if not (_is_integer(dividend) and _is_integer(divisor)):
        return NotImplemented
    over, under = z3.simplify(to_term(dividend)), z3.simplify(to_term(divisor))
    if z3.is_int_value(under):
        if under.as_long() <= 0:
            raise DivisorError(f"the divisor of {dividend} // {divisor} is not positive")
        if z3.is_int_value(over):
            return over.as_long() // under.as_long()
        if under.as_long() == 1:
            return as_int(over)
    return as_int(current_run().quotient(over, under))


# -- combining without a fork ---------------------------------------------------------------------


def all_of(*conditions: object) -> bool:
    """All of them hold, as one condition without a fork; true when there are none."""
    return cast(bool, SymBool(z3.And(True, *map(to_condition, conditions))))


def any_of(*conditions: object) -> bool:
    """At least one of them holds, as one condition without a fork; false when there are none."""
    return cast(bool, SymBool(z3.Or(False, *map(to_condition, conditions))))


class AnyChoice:
    """A choice among a few things that what is run must not look at: it holds for any of them.

    `example` is what stands in its place where plain values are needed. To look at the choice is
    an error, so a theorem never holds for one of them only by mistake.
    """

    def __init__(self, name: str, example: object) -> None:
        self.name = name
        self.example = example

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        raise ExecutorError(f"what holds for any {self.name} must not ask which")

    def __hash__(self) -> int:
        raise ExecutorError(f"what holds for any {self.name} must not ask which")


def negation(condition: object) -> bool:
    """It does not hold. Safer than `~`, which turns a plain bool into an int."""
    return cast(bool, SymBool(z3.Not(to_condition(condition))))


def implies(premise: object, conclusion: object) -> bool:
    """Whenever the premise holds, so does the conclusion."""
    return cast(bool, SymBool(z3.Implies(to_condition(premise), to_condition(conclusion))))


def ite(condition: object, then: int, otherwise: int) -> int:
    """`then` if the condition holds, else `otherwise`, without a fork."""
    chosen = z3.simplify(to_condition(condition))
    if z3.is_true(chosen) or z3.is_false(chosen):
        return then if z3.is_true(chosen) else otherwise
    return cast(int, as_int(z3.If(chosen, to_term(then), to_term(otherwise))))
