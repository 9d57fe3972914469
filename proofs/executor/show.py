"""Terms in the notation of the code they came from, and never longer than one can read.

z3's own printer takes seconds for a deeply nested term; messages are made on every path.
"""

from __future__ import annotations

from typing import Any

import z3  # type: ignore[import-untyped]

LONGEST = 300
"""Characters after which a term is cut short."""

_INFIX = {
    z3.Z3_OP_ADD: ("+", 5),
    z3.Z3_OP_SUB: ("-", 5),
    z3.Z3_OP_MUL: ("*", 6),
    z3.Z3_OP_LE: ("<=", 4),
    z3.Z3_OP_LT: ("<", 4),
    z3.Z3_OP_GE: (">=", 4),
    z3.Z3_OP_GT: (">", 4),
    z3.Z3_OP_EQ: ("==", 4),
    z3.Z3_OP_DISTINCT: ("!=", 4),
    z3.Z3_OP_AND: ("and", 2),
    z3.Z3_OP_OR: ("or", 1),
    z3.Z3_OP_IMPLIES: ("implies", 0),
}
"""How tightly each operator binds, as in Python."""

_OPPOSITE = {
    z3.Z3_OP_LE: z3.Z3_OP_GT,
    z3.Z3_OP_GT: z3.Z3_OP_LE,
    z3.Z3_OP_LT: z3.Z3_OP_GE,
    z3.Z3_OP_GE: z3.Z3_OP_LT,
    z3.Z3_OP_EQ: z3.Z3_OP_DISTINCT,
}


def show(term: Any) -> str:
    """One line of Python-like text."""
    text = _show(term, 0, LONGEST)
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def _show(term: Any, outer: int, room: int) -> str:
    if room <= 0:
        return "..."
    if not z3.is_app(term) or term.num_args() == 0:
        return term.decl().name() if z3.is_const(term) and not _is_value(term) else str(term)
    kind, parts = term.decl().kind(), term.children()
    if kind == z3.Z3_OP_NOT:
        inner = parts[0].decl().kind()
        if inner in _OPPOSITE and len(parts[0].children()) == 2:
            return _infix(_OPPOSITE[inner], parts[0].children(), outer, room)
        return "not " + _show(parts[0], 3, room - 4)
    if kind == z3.Z3_OP_UMINUS:
        return "-" + _show(parts[0], 7, room - 1)
    if kind in _INFIX:
        return _infix(kind, parts, outer, room)
    shown, name = [], "if" if kind == z3.Z3_OP_ITE else term.decl().name()
    for part in parts:
        shown.append(_show(part, 0, room))
        room -= len(shown[-1])
    return f"{name}({', '.join(shown)})"


def _infix(kind: int, parts: list[Any], outer: int, room: int) -> str:
    sign, binds = _INFIX[kind]
    shown: list[str] = []
    for part in parts:
        shown.append(_show(part, binds + (1 if shown else 0), room))
        room -= len(shown[-1]) + len(sign) + 2
    text = f" {sign} ".join(shown)
    return f"({text})" if binds < outer else text


def _is_value(term: Any) -> bool:
    return bool(z3.is_int_value(term) or z3.is_true(term) or z3.is_false(term))
