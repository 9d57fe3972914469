"""A loop is proved by its step: any number of turns, from any state that the invariant allows."""

from __future__ import annotations

from attrs import frozen

from proofs.executor import (
    Obligation,
    Status,
    all_of,
    assume,
    fresh_int,
    implies,
    induct,
    prove,
)


@frozen
class Handing:
    """Money being handed out in slices."""

    left: int
    given: int
    total: int
    slice: int


def hand_out(state: Handing) -> Handing:
    """The shipped step."""
    now = min(state.left, state.slice)
    return Handing(state.left - now, state.given + now, state.total, state.slice)


def hand_out_carelessly(state: Handing) -> Handing:
    """A faulty step: the last slice is handed out in full."""
    return Handing(state.left - state.slice, state.given + state.slice, state.total, state.slice)


def fresh_handing() -> Handing:
    state = Handing(*(fresh_int(name) for name in ("left", "given", "total", "slice")))
    assume(state.slice > 0)
    assume(state.left > 0)  # the loop goes on
    return state


def begin() -> Handing:
    total, slice_ = fresh_int("total"), fresh_int("slice")
    assume(total >= 0)
    assume(slice_ > 0)
    return Handing(total, 0, total, slice_)


def exact(state: Handing) -> bool:
    return all_of(state.left >= 0, state.left + state.given == state.total)


def statuses(wanted: list[Obligation]) -> dict[str, set[Status]]:
    found: dict[str, set[Status]] = {}
    for verdict in prove(wanted):
        found.setdefault(verdict.name, set()).add(verdict.status)
    return found


def test_base_step_and_end_are_proved() -> None:
    wanted = induct(
        "hand out",
        fresh_state=fresh_handing,
        invariant=exact,
        step=hand_out,
        start=begin,
        variant=lambda state: state.left,
    )
    names = ("base", "step", "bounded", "decreases")
    assert statuses(wanted) == {f"hand out: {name}": {Status.PROVED} for name in names}


def test_a_faulty_step_is_refuted() -> None:
    wanted = induct("x", fresh_state=fresh_handing, invariant=exact, step=hand_out_carelessly)
    assert statuses(wanted) == {"x: step": {Status.REFUTED}}


def test_a_false_beginning_is_refuted() -> None:
    wanted = induct(
        "x",
        fresh_state=fresh_handing,
        invariant=lambda state: all_of(exact(state), state.given > 0),
        step=hand_out,
        start=begin,
    )
    assert statuses(wanted)["x: base"] == {Status.REFUTED}


def test_a_loop_that_need_not_end_is_refuted() -> None:
    def stand_still(state: Handing) -> Handing:
        return state if state.left == 1 else hand_out(state)

    wanted = induct(
        "x",
        fresh_state=fresh_handing,
        invariant=exact,
        step=stand_still,
        variant=lambda state: state.left,
    )
    assert Status.REFUTED in statuses(wanted)["x: decreases"]


def test_an_invariant_too_weak_to_carry_itself_is_refuted() -> None:
    def given_is_not_negative(state: Handing) -> bool:
        return implies(state.total >= 0, state.given >= 0)

    def step(state: Handing) -> Handing:
        return Handing(state.left, state.given + state.left - 1, state.total, state.slice)

    wanted = induct("x", fresh_state=begin, invariant=given_is_not_negative, step=step)
    assert statuses(wanted) == {"x: step": {Status.REFUTED}}


def test_a_step_that_refuses_leaves_the_loop() -> None:
    class StopError(Exception):
        """Enough."""

    def step(state: Handing) -> Handing:
        if state.left < state.slice:
            raise StopError
        return hand_out_carelessly(state)

    wanted = induct(
        "x", fresh_state=fresh_handing, invariant=exact, step=step, refusals=(StopError,)
    )
    assert statuses(wanted) == {"x: step": {Status.PROVED}}
