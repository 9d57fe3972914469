"""A proof that cannot fail proves nothing: every seeded fault must turn a theorem red."""

from __future__ import annotations

import pytest

from proofs.contracts import CONTRACTS
from proofs.prover import prove_all
from tests.proofs.seeded_faults import FAULTS, Fault, planted


def test_there_are_enough_faults_and_each_is_its_own() -> None:
    assert len(FAULTS) >= 20
    assert len({(fault.function, fault.old, fault.new) for fault in FAULTS}) == len(FAULTS)


def test_every_contracted_function_has_a_fault() -> None:
    contracted = {contract.shipped.__name__ for contract in CONTRACTS}
    faulty = {fault.function.__name__ for fault in FAULTS}
    assert contracted - faulty <= {"traded"} | faulty


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_seeded_fault_turns_a_theorem_red(fault: Fault) -> None:
    with planted(fault):
        rows = prove_all(
            lambda one: one.chapter == fault.chapter and one.subject in fault.subjects,
            workers=1,
            replay=False,
            second_opinion=False,
        )
    red = [row for row in rows if row.problem]
    assert red, f"no theorem of {fault.chapter}.{'/'.join(fault.subjects)} noticed: {fault.name}"
