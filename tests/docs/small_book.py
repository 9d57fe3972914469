"""A small book's sources: one rule that code carries, one refusal, one theorem."""

from __future__ import annotations

from attrs import evolve

from perpref_docs.sources import Code, Refusal, Sources, Theorem

BEARS = Code("perpref.rules.adl.bears", "perpref/rules/adl.py", 88, "def bears() -> bool: ...")
CANNOT_BEAR = Refusal("cannot_bear", "margin", "ADL-4", "Equity would fall from {limit} to {value}")
SOLVENT = Theorem(
    "T-ADL",
    "deleveraging_never_bankrupts_the_counterparty",
    "Who is closed by `deleverage` stays solvent.",
    "adl",
    "deleverage",
    ("ADL-4",),
    "Theorem",
    proof=Code("proofs.adl.stays", "proofs/adl.py", 5, "def stays() -> None: ..."),
)


def agreed() -> Sources:
    """Everything fits a spec that has ADL-4 alone."""
    return Sources({"ADL-4": (BEARS,)}, (CANNOT_BEAR,), (SOLVENT,))


def with_more_code() -> Sources:
    """Code carries ADL-5 as well."""
    return evolve(agreed(), functions={"ADL-4": (BEARS,), "ADL-5": (BEARS,)})


def with_a_stray_theorem() -> Sources:
    """A theorem names a rule that nothing carries."""
    return evolve(agreed(), theorems=(evolve(SOLVENT, rules=("ADL-4", "ADL-9")),))


def with_a_stray_refusal() -> Sources:
    """A refusal names a rule that nothing carries."""
    return evolve(agreed(), refusals=(evolve(CANNOT_BEAR, rule="ADL-8"), CANNOT_BEAR))
