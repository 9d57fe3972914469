"""Runs the shipped functions on unknown integers, follows every path, and proves claims of each.

Knows nothing of markets. Start with `explore`; a program makes unknowns with `fresh_int` and
`SymTable`, calls ordinary functions, and says what must hold with `claim`.
"""

from proofs.executor.explore import (
    Path,
    TooManyPathsError,
    VacuousError,
    any_choice,
    assume,
    choose,
    claim,
    explore,
    fresh_bool,
    fresh_int,
)
from proofs.executor.loops import induct
from proofs.executor.prove import (
    Answer,
    Obligation,
    Status,
    Verdict,
    counterexample,
    obligation,
    obligations,
    prove,
)
from proofs.executor.replay import NotReplayedError, Replayed, replay
from proofs.executor.tables import (
    ABSENT,
    Additive,
    Change,
    SymTable,
    TableError,
    Touched,
    changed,
    delta,
    touched,
)
from proofs.executor.terms import (
    DivisorError,
    ExecutorError,
    NoRunError,
    SymBool,
    SymInt,
    all_of,
    any_of,
    implies,
    ite,
    negation,
)
from proofs.executor.witness import Model, concretise, witness

__all__ = [
    "ABSENT",
    "Additive",
    "Answer",
    "Change",
    "DivisorError",
    "ExecutorError",
    "Model",
    "NoRunError",
    "NotReplayedError",
    "Obligation",
    "Path",
    "Replayed",
    "Status",
    "SymBool",
    "SymInt",
    "SymTable",
    "TableError",
    "TooManyPathsError",
    "Touched",
    "VacuousError",
    "Verdict",
    "all_of",
    "any_choice",
    "any_of",
    "assume",
    "changed",
    "choose",
    "claim",
    "concretise",
    "counterexample",
    "delta",
    "explore",
    "fresh_bool",
    "fresh_int",
    "implies",
    "induct",
    "ite",
    "negation",
    "obligation",
    "obligations",
    "prove",
    "replay",
    "touched",
    "witness",
]
