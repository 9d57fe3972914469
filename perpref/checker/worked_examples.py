"""Published numbers held against the rules: what a venue's page or test says must come out.

A file of worked examples is a JSON list of objects with `id`, `venue`, `rule`, `source`, `inputs`,
`expected` and `notes`. Which kind an example is of is told by its venue and by the names of its
inputs, so that others of the same kind can be tried. Amounts are exact: a decimal is made an
integer by choosing the quantum.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

from attrs import frozen

from perpref.checker.files import BadInput, bad_input
from perpref.rule_registry import Refusal
from perpref.units import PARTS

KEYS = ("id", "venue", "rule", "source", "inputs", "expected", "notes")


class Outcome(Enum):
    """What became of an example."""

    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    NOT_EXPRESSIBLE = "not expressible"


class NotExpressible(Exception):
    """The rules have nothing that the example is about; the text says what is missing."""


@frozen
class Example:
    """One published number, with what it comes from."""

    id: str
    venue: str
    rule: str
    source: str
    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    notes: str

    def number(self, key: str) -> Fraction:
        """An input as an exact number.

        Raises:
            NotExpressible: it is none.
        """
        return exact(self.inputs[key], key)


@frozen
class Tried:
    """What came of an example: the values that the rules give, and why it ended as it did."""

    example: Example
    outcome: Outcome
    why: str
    got: Mapping[str, str]


@frozen
class Nearest:
    """An exact number of which a rounded one is published: it agrees to the last place shown."""

    value: Fraction


Kind = Callable[[Example], Mapping[str, object]]
"""Computes what the rules say, by the names of what is expected. Raises NotExpressible.

Under "because" it may say where the rules and the venue part; that is shown when they do.
"""


def exact(value: object, what: str) -> Fraction:
    """A number as it stands in a file: an integer, or a decimal or a fraction as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise NotExpressible(f"{what} is no number")
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise NotExpressible(f"{what} is no number") from None


def quanta(*numbers: Fraction) -> int:
    """How many quanta a unit must have for all of these to be whole, a power of ten."""
    unit = 1
    while any((number * unit).denominator != 1 for number in numbers):
        unit *= 10
        if unit > 10**18:
            raise NotExpressible("an amount has no finite number of decimals")
    return unit


def power_of_ten(exponent: int) -> Fraction:
    """Ten to a power, if that is a number that anybody means."""
    if abs(exponent) > 100:
        raise NotExpressible(f"ten to the power of {exponent} is beyond any amount")
    return Fraction(10) ** exponent


def rate(number: Fraction, what: str) -> int:
    """A rate in parts per million, exactly."""
    parts = number * PARTS
    if parts.denominator != 1:
        raise NotExpressible(f"{what} is finer than a part per million")
    return int(parts)


def read_examples(path: Path) -> list[Example]:
    """The examples in a file.

    Raises:
        BadInput: it cannot be read, or is not a list of examples.
    """
    name = str(path)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise bad_input(name, "", f"cannot be read: {error.strerror}", "", "") from error
    except UnicodeDecodeError as error:
        raise bad_input(name, "", "not UTF-8", "", "") from error
    except json.JSONDecodeError as error:
        raise bad_input(f"{name}:{error.lineno}", "", f"not JSON: {error.msg}", "", "") from error
    if not isinstance(raw, list):
        raise bad_input(name, "", "not a list", "", "a list of examples")
    return [_example(name, place, entry) for place, entry in enumerate(raw, 1)]


def _example(name: str, place: int, entry: object) -> Example:
    def bad(key: str, wrong: str, allowed: str) -> BadInput:
        return bad_input(name, f"[{place}]{key}", wrong, "", allowed)

    if not isinstance(entry, dict):
        raise bad("", "not an object", f"an object with {', '.join(KEYS)}")
    for key in entry:
        if key not in KEYS:
            raise bad(f".{key}", "unknown key", f"one of {', '.join(KEYS)}")
    for key in KEYS:
        kind = dict if key in ("inputs", "expected") else str
        if key not in entry:
            raise bad(f".{key}", "missing", "an object" if kind is dict else "a text")
        if not isinstance(entry[key], kind):
            raise bad(f".{key}", "not as it must be", "an object" if kind is dict else "a text")
    return Example(**entry)


UNLIKE = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What a kind raises when inputs have its names and are not what it is about."""


def attempt(example: Example, kinds: Mapping[tuple[str, frozenset[str]], Kind]) -> Tried:
    """What the rules make of an example."""
    kind = next(
        (
            kind
            for (of, needs), kind in kinds.items()
            if of == example.venue and needs <= set(example.inputs)
        ),
        None,
    )
    if kind is None:
        return Tried(example, Outcome.NOT_EXPRESSIBLE, "no rule is about this", {})
    try:
        found = kind(example)
    except NotExpressible as reason:
        return Tried(example, Outcome.NOT_EXPRESSIBLE, str(reason), {})
    except Refusal as refusal:
        found = {"error": refusal}
    except UNLIKE as error:
        why = f"its inputs are not as in others of this kind: {type(error).__name__}: {error}"
        return Tried(example, Outcome.NOT_EXPRESSIBLE, why, {})
    got = {key: shown(value) for key, value in found.items() if key in example.expected}
    if ("error" in example.expected) is not ("error" in found):
        why = f"refused: {found['error']}" if "error" in found else "it is not refused"
        return Tried(example, Outcome.CONTRADICTED, why, got)
    unsaid = [key for key in example.expected if key not in found]
    if unsaid:
        why = f"the rules do not say: {', '.join(unsaid)}"
        return Tried(example, Outcome.NOT_EXPRESSIBLE, why, got)
    wrong = list(_differences(example.expected, found))
    if wrong:
        if "because" in found:
            wrong.append(str(found["because"]))
        return Tried(example, Outcome.CONTRADICTED, "; ".join(wrong), got)
    return Tried(example, Outcome.REPRODUCED, "", got)


def _differences(expected: Mapping[str, Any], found: Mapping[str, object]) -> Iterator[str]:
    for key, published in expected.items():
        if not agrees(published, found[key]):
            yield f"{key} is {shown(found[key])}, not {shown(published)}"


def agrees(published: object, found: object) -> bool:
    """Whether a value is what was published; "0.909..." stands for all that begins like that."""
    if isinstance(published, dict) and isinstance(found, Mapping):
        return published.keys() == found.keys() and all(
            agrees(value, found[key]) for key, value in published.items()
        )
    if isinstance(published, list) and isinstance(found, list | tuple):
        return len(published) == len(found) and all(
            agrees(one, other) for one, other in zip(published, found, strict=True)
        )
    if isinstance(found, Nearest):
        return isinstance(published, int | str) and _nearest(str(published), found.value)
    if isinstance(found, Refusal):  # that it is refused is what counts; texts are everybody's own
        return isinstance(published, str)
    if isinstance(found, bool) or isinstance(published, bool):
        return published is found
    if isinstance(found, int | Fraction) and isinstance(published, int | str):
        return _same_number(str(published), Fraction(found))
    return published == found


def _same_number(published: str, found: Fraction) -> bool:
    text = published.split(" ")[0]
    if text.endswith("..."):
        known = text.removesuffix("...")
        digits = len(known.partition(".")[2])
        try:
            least = Fraction(Decimal(known))
        except InvalidOperation:
            return False
        return least <= found < least + Fraction(1, 10**digits)
    try:
        return Fraction(text) == found
    except ValueError:
        return False


def _nearest(published: str, found: Fraction) -> bool:
    text = published.split(" ")[0]
    try:
        value = Fraction(Decimal(text))
    except InvalidOperation:
        return False
    places = len(text.partition(".")[2])
    return bool(abs(found - value) * 2 * 10**places <= 1)


def shown(value: object) -> str:
    """A value as text."""
    if isinstance(value, Nearest):
        return f"{value.value} ({float(value.value):.8g})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return str(value)
