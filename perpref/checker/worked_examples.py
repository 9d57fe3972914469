"""Published numbers held against the rules: what a venue's page or test says must come out.

A file of worked examples is a JSON list of objects with `id`, `venue`, `rule`, `source`, `inputs`,
`expected` and `notes`. Which kind an example is of is told by its venue and by the names of its
inputs, so that others of the same kind can be tried. Amounts are exact: a decimal is made an
integer by choosing the quantum.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from fractions import Fraction
from math import gcd, lcm
from pathlib import Path
from typing import Any, NoReturn

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
        return Fraction(value) if isinstance(value, int) else number_in(value)
    except (ValueError, ZeroDivisionError):
        raise NotExpressible(f"{what} is no number") from None


EXPONENT = re.compile(r"e[+-]?\d+", re.IGNORECASE)


def number_in(text: str) -> Fraction:
    """The number that a text is: a decimal with commas or without, or a fraction.

    Raises:
        ValueError: it is none, or has more digits than any amount.
    """
    plain = THOUSANDS.sub("", text.strip())
    if len(plain) > 2 * MOST_DIGITS or (EXPONENT.search(plain) and "/" in plain):
        raise ValueError(text[:40])
    power = EXPONENT.search(plain)
    if power and abs(int(power.group()[1:])) > MOST_DIGITS:
        raise ValueError(text[:40])
    return Fraction(plain)


THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def quanta(*numbers: Fraction) -> int:
    """How many quanta a unit must have for all of these to be whole.

    A power of ten, times what a number without a finite number of decimals needs.
    """
    needed = lcm(1, *(number.denominator for number in numbers))
    power = 1
    while needed % 2 == 0 or needed % 5 == 0:
        power, needed = 10 * power, needed // gcd(needed, 10)
    if power * needed > 10**60:
        raise NotExpressible("an amount is finer than any quantum")
    return power * needed


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
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
    except OSError as error:
        raise bad_input(name, "", f"cannot be read: {error.strerror}", "", "") from error
    except UnicodeDecodeError as error:
        raise bad_input(name, "", "not UTF-8", "", "") from error
    except json.JSONDecodeError as error:
        raise bad_input(f"{name}:{error.lineno}", "", f"not JSON: {error.msg}", "", "") from error
    except ValueError as error:
        raise bad_input(name, "", str(error), "", "") from error
    except RecursionError as error:
        raise bad_input(name, "", "nested too deep", "", "a list of examples") from error
    if not isinstance(raw, list):
        raise bad_input(name, "", "not a list", "", "a list of examples")
    if not raw:
        raise bad_input(name, "", "an empty list", "", "a list of at least one example")
    examples = [_example(name, place, entry) for place, entry in enumerate(raw, 1)]
    seen: dict[str, int] = {}
    for place, example in enumerate(examples, 1):
        first = seen.setdefault(example.id, place)
        if first != place:
            wrong = f"{example.id!r} is the id of [{first}] too"
            raise bad_input(name, f"[{place}].id", wrong, "", "an id of its own")
    return examples


def _no_number(said: str) -> NoReturn:
    raise ValueError(f"{said} is no number; an integer, or a decimal as text")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


MOST_DIGITS, DEEPEST = 100, 20
"""No amount that anybody means has more digits, and no example is nested deeper."""


def _require_plain(value: object, where: str, bad: Callable[[str, str, str], BadInput]) -> None:
    """Refuse what is no amount, text, yes or no, list or object: above all numbers as floats."""
    if where.count(".") + where.count("[") > DEEPEST:
        raise bad(where[:40], "nested too deep", f"at most {DEEPEST} levels")
    if isinstance(value, dict):
        for key, inner in value.items():
            _require_plain(inner, f"{where}.{key}", bad)
    elif isinstance(value, list):
        for place, inner in enumerate(value, 1):
            _require_plain(inner, f"{where}[{place}]", bad)
    elif isinstance(value, float):
        raise bad(where, f"{value} is a float", f'an integer, or a decimal as text: "{value}"')
    elif isinstance(value, int) and abs(value) >= 10**MOST_DIGITS:
        raise bad(where, "a number too large", f"at most {MOST_DIGITS} digits")
    elif value is None:
        raise bad(where, "nothing", "an amount, a text, a list or an object")


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
    for key in ("inputs", "expected"):
        _require_plain(entry[key], f".{key}", bad)
    if not entry["expected"]:
        raise bad(".expected", "an empty object", "at least one published value")
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
        known = any(of == example.venue for of, _ in kinds)
        why = "no rule is about this" if known else f"there is no venue {example.venue!r} here"
        return Tried(example, Outcome.NOT_EXPRESSIBLE, why, {})
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
        why += f"; {found['because']}" if "because" in found else ""
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
    known = text.removesuffix("...")
    try:
        value = number_in(known)
    except (ValueError, ZeroDivisionError):
        return False
    if text == known:
        return value == found
    digits = len(known.partition(".")[2])
    least, most = value, value + Fraction(1, 10**digits)
    return least <= found < most if not known.startswith("-") else _same_number(text[1:], -found)


def _nearest(published: str, found: Fraction) -> bool:
    text = published.split(" ")[0].removesuffix("...")
    try:
        value = number_in(text)
    except (ValueError, ZeroDivisionError):
        return False
    if "/" in text:
        return value == found
    places = len(text.partition(".")[2])
    slack = 1 if "..." in published.split(" ")[0] else Fraction(1, 2)
    return bool(abs(found - value) * 10**places <= slack)


def shown(value: object) -> str:
    """A value as text."""
    if isinstance(value, Nearest):
        return f"{value.value} ({float(value.value):.8g})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return str(value)
