"""What the book is made of: functions by rule id, refusals, theorems.

This is the only module of the extension that knows how perpref and its proofs name things. The
configuration value `perpref_sources` names the function that reads them, so that a test can put a
small book in place of the real one.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, cast

from attrs import frozen
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).resolve().parents[3]

NOT_RULES = ("perpref.adapters", "perpref.checker", "perpref.cli", "perpref.__main__")
"""Where no rule lives: these are not imported in search of rules."""


@frozen
class Code:
    """A piece of source: its dotted name, where it stands, and its text."""

    name: str
    path: str
    line: int
    text: str

    @property
    def short_name(self) -> str:
        """The name as one says it inside the package: `adl.deleverage`."""
        return ".".join(self.name.split(".")[-2:])


@frozen
class Refusal:
    """A stable way of saying no."""

    code: str
    phase: str
    rule: str
    says: str


@frozen
class Theorem:
    """A property of one function, how it is held, and the program that proves it.

    `family` is the id that it shares with its like: T-ZERO, T-SOLV …
    """

    family: str
    name: str
    statement: str
    chapter: str
    subject: str
    rules: tuple[str, ...]
    strength: str
    where: str = ""
    proof: Code | None = None

    @property
    def sentence(self) -> str:
        """The name, read as the sentence that it is."""
        words = self.name.replace("_", " ")
        return words[:1].upper() + words[1:]


@frozen
class Sources:
    """All that the book pulls in by id."""

    functions: dict[str, tuple[Code, ...]]
    refusals: tuple[Refusal, ...]
    theorems: tuple[Theorem, ...]

    def refusals_of(self, rule: str) -> list[Refusal]:
        return [refusal for refusal in self.refusals if refusal.rule == rule]

    def named(self) -> set[str]:
        """Every rule that code, refusals or theorems speak of."""
        return (
            set(self.functions)
            | {refusal.rule for refusal in self.refusals}
            | {rule for theorem in self.theorems for rule in theorem.rules}
        )

    def theorems_of(self, rule: str) -> list[Theorem]:
        return [theorem for theorem in self.theorems if rule in theorem.rules]


def read_project() -> Sources:
    """The sources of perpref itself."""
    registry = import_module("perpref.rule_registry")
    proofs = import_module("proofs.registry")
    package = import_module("perpref")
    for module in walk_packages(package.__path__, "perpref."):
        if not module.name.startswith(NOT_RULES):
            import_module(module.name)
    functions = {
        rule: tuple(code_of(function) for function in found)
        for rule, found in registry.functions().items()
    }
    refusals = tuple(
        Refusal(known.code, known.phase.value, known.rule, known.says)
        for known in registry.refusals().values()
    )
    return Sources(functions, refusals, tuple(map(_theorem, proofs.theorems())))


def _theorem(stated: Any) -> Theorem:
    return Theorem(
        stated.property,
        stated.name,
        stated.statement,
        stated.chapter,
        stated.subject,
        tuple(stated.rules),
        stated.strength.value,
        stated.where,
        _proof(stated.program),
    )


def _proof(program: Any) -> Code | None:
    """The source of a proof that is written out; one that is put together has none of its own."""
    if not inspect.isfunction(program) or "<locals>" in program.__qualname__:
        return None
    return code_of(program)


def code_of(thing: Any) -> Code:
    """The source of a function or class, without the decorations that other modules put on it."""
    bare = inspect.unwrap(thing)
    lines, first = inspect.getsourcelines(bare)
    path = Path(cast(str, inspect.getsourcefile(bare))).resolve()
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(path.name)
    text = inspect.cleandoc("\n" + "".join(lines))
    return Code(f"{bare.__module__}.{bare.__qualname__}", shown.as_posix(), first, text)


def code_named(dotted: str) -> Code:
    """The source of what a dotted name stands for: a function, a class, or a constant.

    Raises:
        LookupError: there is no such thing.
    """
    module_name, _, name = dotted.rpartition(".")
    try:
        module = import_module(module_name)
        thing = getattr(module, name)
    except (ImportError, AttributeError, ValueError) as error:
        raise LookupError(f"there is no {dotted}: {error}") from error
    if inspect.isfunction(thing) or inspect.isclass(thing):
        return code_of(thing)
    path = Path(cast(str, module.__file__)).resolve()
    text = path.read_text(encoding="utf-8")
    for position, node in enumerate(body := ast.parse(text).body):
        if name in _assigned(node):
            last = node
            if position + 1 < len(body) and _is_text(body[position + 1]):
                last = body[position + 1]
            lines = text.splitlines()[node.lineno - 1 : last.end_lineno]
            shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(path.name)
            return Code(dotted, shown.as_posix(), node.lineno, "\n".join(lines))
    raise LookupError(f"{module_name} does not say what {name} is at its top level")


def _assigned(node: ast.stmt) -> set[str]:
    targets: Iterable[ast.expr] = ()
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = (node.target,)
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def of(env: BuildEnvironment) -> Sources:
    """The sources of the book that is being built."""
    return _read(env.config.perpref_sources)


@cache
def _read(reader: str) -> Sources:
    module, _, name = reader.partition(":")
    return cast(Sources, getattr(import_module(module), name)())


def setup(app: Sphinx) -> None:
    """Register the value that says where the sources come from."""
    app.add_config_value("perpref_sources", "perpref_docs.sources:read_project", "env", str)
