"""How much the tests of the rules notice: single mutants of `perpref/rules/`, one test run each.

`python -m tests.mutation [--chapter adl] [--list]` makes every mutant (a rounding, a sign, a
comparison, a guard, an account, a constant), runs the fast tests against it, and prints who
survived, with the share that was noticed per chapter. Exit status 1 when a mutant survives that is
not known to be equivalent, or when one is listed as equivalent that does not survive.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from time import perf_counter

import hypothesis.stateful  # noqa: F401  imported here, so that no test run has to
import immutables  # noqa: F401
import pytest
from attrs import frozen

ROOT = Path(__file__).parent.parent
CHAPTERS = (
    "ledger",
    "position",
    "margin",
    "isolated",
    "mark",
    "fee",
    "book",
    "funding",
    "liquidation",
    "vault",
    "adl",
    "loss",
    "settlement",
    "clock",
    "admission",
    "liquidation_size",
    "liquidation_time",
)
EXTRA = {"scheduler": "scheduler.py"}
"""Not rules, but mutated on request."""

SECONDS = 60
"""After so long a test run is taken to hang, which is a way of noticing."""

EQUIVALENT = {
    "adl.outranks: ours * their_base > theirs * our_base -> "
    "ours * their_base >= theirs * our_base": "asked only when the two products differ",
    "adl.outranks: abs(first.size) > abs(second.size) -> "
    "abs(first.size) >= abs(second.size)": "asked only when the two sizes differ",
    "adl.module: (int, int) -> (int, int)": "two equal types of one alias in another order",
    "adl.signed_return: standing.profit > 0 -> standing.profit >= 0": (
        "a profit of 0 scores 0 either way"
    ),
    "adl.margined_return: standing.profit <= 0 -> standing.profit < 0": (
        "a profit of 0 scores 0 either way: the equity is positive by then"
    ),
    "adl.margined_return: (0, 1) -> (0, 2)": "both are a score of 0",
    "adl.mark_to_entry: standing.size > 0 -> standing.size >= 0": (
        "only who holds a position stands in the queue"
    ),
    "admission.require_on_tick: floor_div(order.price, tick) -> ceil_div(order.price, tick)": (
        "where they differ neither times the tick is the price"
    ),
    "book.is_on_tick: floor_div(price, tick) -> ceil_div(price, tick)": (
        "where they differ neither times the tick is the price"
    ),
    "book.kept: size > 0 -> size >= 0": "who holds nothing keeps no order of either side",
    "book.match: parties(taker, maker) -> parties(maker, taker)": (
        "the sides are opposite (the scheduler takes the maker from the other side of the book), "
        "and with a maker that sells, (its taker, its maker) reversed twice is the same pair"
    ),
    "liquidation_equity.equity_behind: part_of_equity(equity, weight, weights) -> "
    "part_of_equity(weight, equity, weights)": "equity * weight = weight * equity",
    "liquidation.closing_side: size > 0 -> size >= 0": (
        "never asked of size 0: require_due, closable and unwind refuse it before"
    ),
    "loss.socialise: share_of_loss(deficit, weight, weights) -> "
    "share_of_loss(weight, deficit, weights)": "deficit * weight = weight * deficit",
    "margin.reduces: before.size > 0 -> before.size >= 0": (
        "for size 0 both branches are false: 0 <= a < 0, and 0 < a <= 0"
    ),
    "vault.transfer_position: size > 0 -> size >= 0": (
        "for size 0 the guard before asks for 1 <= lots <= 0"
    ),
}
"""Mutants that nothing can notice, each with the arithmetic that says so."""


@frozen
class Mutant:
    """One change of one file: where, what was there, what is there instead, and the new text."""

    chapter: str
    function: str
    line: int
    before: str
    after: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.chapter}.{self.function}: {self.before} -> {self.after}"


# What is changed.

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
NAMES = {
    "ceil_div": "floor_div",
    "floor_div": "ceil_div",
    "min": "max",
    "max": "min",
    "VAULT": "TREASURY",
    "TREASURY": "VAULT",
    "initial_margin": "maintenance_margin",
    "maintenance_margin": "initial_margin",
    "sign": "abs",
    "abs": "sign",
}
ATTRIBUTES = {
    "BUY": "SELL",
    "SELL": "BUY",
    "initial_rate": "maintenance_rate",
    "maintenance_rate": "initial_rate",
    "initial": "maintenance",
    "maintenance": "initial",
    "maker_fee": "taker_fee",
    "taker_fee": "liquidation_fee",
    "liquidation_fee": "maker_fee",
    "size": "cost",
    "cost": "size",
}
ALIKE = (
    {"payer", "payee", "buyer", "seller", "account", "receiver", "counterparty", "debtor"}
    | {"maker", "taker", "VAULT", "TREASURY", "maker.account", "taker.account"},
    {"before", "after", "now", "taker_before", "taker_after", "maker_before"},
    {"price", "maker_price", "maker.price", "taker.price", "limit"},
    {"held", "taken"},
    {"deficit", "weight", "weights", "now.equity", "now.maintenance"},
    {"better", "left"},
)
"""Arguments that may be taken for one another, as they are written."""

IMPORTS = """
from perpref.units import ceil_div, floor_div, sign
from perpref.state import TREASURY, VAULT
"""
"""A mutant may name what its file did not import."""


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of one node."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if name in NAMES:
            yield ast.Name(NAMES[name], ast.Load())
        case ast.Attribute(value=value, attr=attr, ctx=ast.Load()) if attr in ATTRIBUTES:
            yield ast.Attribute(value, ATTRIBUTES[attr], ast.Load())
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(1 - value if value in (0, 1) else value + 1)
            if value == 1:
                yield ast.Constant(2)
        case ast.BinOp(left, ast.Add(), right):
            yield ast.BinOp(left, ast.Sub(), right)
        case ast.BinOp(left, ast.Sub(), right):
            yield ast.BinOp(left, ast.Add(), right)
        case ast.BinOp(left, ast.Mult(), right):
            yield left
            yield right
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.Compare(left, operators, rest):
            for index, operator in enumerate(operators):
                changed = list(operators)
                changed[index] = COMPARISONS[type(operator)]()
                yield ast.Compare(left, changed, rest)
        case ast.BoolOp(ast.And(), values):
            yield ast.BoolOp(ast.Or(), values)
        case ast.BoolOp(ast.Or(), values):
            yield ast.BoolOp(ast.And(), values)
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.If(test, body, orelse):
            yield ast.If(negated(test), body, orelse)
        case ast.Tuple(elts=[first, second], ctx=ast.Load()):
            yield ast.Tuple([second, first], ast.Load())
        case ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Call():
            yield from changes_of_call(node)


def changes_of_call(call: ast.Call) -> Iterator[ast.AST]:
    """A refusal turned around; two arguments of a kind exchanged; one link less."""
    arguments = call.args
    is_require = isinstance(call.func, ast.Name) and call.func.id == "require"
    if is_require:
        yield ast.Call(call.func, [negated(arguments[0]), *arguments[1:]], call.keywords)
    named = [ast.unparse(argument) for argument in arguments]
    for first, second in combinations(range(len(arguments)), 2):
        constructs = getattr(call.func, "id", "x")[0].isupper() and second == first + 1
        shown = is_require and (first, second) == (2, 3)
        alike = any(named[first] in kind and named[second] in kind for kind in ALIKE)
        if (constructs or shown or alike) and named[first] != named[second]:
            swapped = list(arguments)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            yield ast.Call(call.func, swapped, call.keywords)
    if isinstance(call.func, ast.Attribute) and call.func.attr == "then":
        yield call.func.value
    if isinstance(call.func, ast.Name) and call.func.id in ("min", "max", "abs"):
        yield from arguments


def negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def code_of(tree: ast.Module) -> Iterator[tuple[str, ast.AST, ast.AST, str, int | None]]:
    """(function, node, parent, field, index) of every node that is code and not declaration."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            for index, inner in enumerate(statement.body):
                if index == 0 and isinstance(inner, ast.Expr) and ast.get_docstring(statement):
                    continue
                yield from below(statement.name, inner, statement, "body", index)
        elif isinstance(statement, ast.Assign) and not is_refusal(statement.value):
            yield from below("module", statement.value, statement, "value", None)
        elif isinstance(statement, ast.ClassDef):
            for member in statement.body:
                if isinstance(member, ast.FunctionDef):
                    name = f"{statement.name}.{member.name}"
                    for index, inner in enumerate(member.body):
                        yield from below(name, inner, member, "body", index)


def is_refusal(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and getattr(value.func, "id", "") in ("refusal", "TypeVar")


def below(
    function: str, node: ast.AST, parent: ast.AST, field: str, index: int | None
) -> Iterator[tuple[str, ast.AST, ast.AST, str, int | None]]:
    yield function, node, parent, field, index
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        if isinstance(value, ast.AST):
            yield from below(function, value, node, name, None)
        elif isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from below(function, item, node, name, position)


def mutants_of(chapter: str, path: Path) -> Iterator[Mutant]:
    """Every mutant of one file."""
    source = path.read_text()
    original = ast.parse(source)
    count = len(list(code_of(original)))
    seen: Counter[str] = Counter()
    for number in range(count):
        _, node, *_ = list(code_of(original))[number]
        for choice in range(len(list(changes(node)))):
            tree = copy.deepcopy(original)
            function, target, parent, field, index = list(code_of(tree))[number]
            line = int(getattr(target, "lineno", 0))
            small = isinstance(target, ast.Name | ast.Attribute | ast.Constant)
            shown: ast.AST = parent if small and not isinstance(parent, ast.stmt) else target
            before = ast.unparse(shown)
            instead = list(changes(target))[choice]
            if index is None:
                setattr(parent, field, instead)
            else:
                getattr(parent, field)[index] = instead
            ast.fix_missing_locations(tree)
            after = ast.unparse(parent if shown is parent else instead)
            header = [s for s in tree.body if isinstance(s, ast.ImportFrom)]
            at = tree.body.index(header[-1]) + 1
            tree.body[at:at] = ast.parse(IMPORTS).body
            key = f"{function}: {before} -> {after}"
            seen[key] += 1
            if seen[key] > 1:
                after = f"{after} (place {seen[key]})"
            yield Mutant(
                chapter, function, line, one_line(before), one_line(after), ast.unparse(tree)
            )


def one_line(text: str) -> str:
    return " ".join(text.split())


# Running the tests.


def files(chapter: str) -> tuple[Path, Path]:
    """The file of a chapter, and its tests, both below the root."""
    if chapter in EXTRA:
        return Path("perpref") / EXTRA[chapter], Path("tests") / f"test_{chapter}.py"
    return Path("perpref/rules") / f"{chapter}.py", Path("tests/rules") / f"test_{chapter}.py"


def noticed(tree: Path, chapter: str) -> bool:
    """Whether a test fails: the chapter's own first, which is quicker, then all fast ones."""
    own = str(files(chapter)[1])
    rest = ["tests/rules", "tests/test_refusals.py", "tests/test_scheduler.py"]
    return run_tests(tree, [own]) != 0 or run_tests(tree, [f"--deselect={own}", *rest]) != 0


def run_tests(tree: Path, tests: list[str]) -> int:
    """The exit status of pytest in a process of its own: 0 when nothing was noticed."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.chdir(tree)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(tree))
        options = ["-xq", "-pno:cacheprovider", "--hypothesis-profile=brief", "-Wignore"]
        status = 3
        try:
            status = int(pytest.main([*options, *tests]))
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return status


def copied(tree: Path) -> None:
    """The package and its tests, to be mutated."""
    for folder in ("perpref", "tests"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "docs/_ext").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", tree)


def survivors(mutants: Iterable[Mutant], workers: int) -> list[Mutant]:
    """Those that no test noticed; each worker has a copy of the project of its own."""
    queue = list(mutants)
    pipes = []
    for worker in range(workers):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            with tempfile.TemporaryDirectory() as folder, os.fdopen(writing, "w") as report:
                tree = Path(folder)
                copied(tree)
                for number in range(worker, len(queue), workers):
                    mutant = queue[number]
                    path = tree / files(mutant.chapter)[0]
                    kept = path.read_text()
                    path.write_text(mutant.text)
                    lived = not noticed(tree, mutant.chapter)
                    path.write_text(kept)
                    print(number, int(lived), file=report, flush=True)
            os._exit(0)
        os.close(writing)
        pipes.append(os.fdopen(reading))
    found = []
    for pipe in pipes:
        for line in pipe:
            number, alive = map(int, line.split())
            if alive:
                found.append(queue[number])
    for _ in range(workers):
        os.wait()
    return sorted(found, key=lambda mutant: (mutant.chapter, mutant.line, mutant.name))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--chapter", choices=[*CHAPTERS, *EXTRA], action="append")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    chapters = chosen.chapter or list(CHAPTERS)
    mutants = [m for c in chapters for m in mutants_of(c, ROOT / files(c)[0])]
    if chosen.list:
        for mutant in mutants:
            print(f"{files(mutant.chapter)[0]}:{mutant.line} {mutant.name}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        copied(Path(folder))
        since = perf_counter()
        if noticed(Path(folder), chapters[0]):
            print("The tests fail on the rules as they are; there is nothing to measure.")
            return 1
        print(f"{len(mutants)} mutants; the tests take {perf_counter() - since:.1f} s", flush=True)
    found = survivors(mutants, chosen.workers)
    return report(mutants, found)


def report(mutants: list[Mutant], found: list[Mutant]) -> int:
    """Print who survived, and the score; 1 when that is not as it should be."""
    names = {mutant.name for mutant in found}
    wrong = 0
    for mutant in found:
        known = EQUIVALENT.get(mutant.name)
        wrong += known is None
        print(f"survives  {files(mutant.chapter)[0]}:{mutant.line}  {mutant.name}")
        if known:
            print(f"          equivalent: {known}")
    for mutant in mutants:
        if mutant.name in EQUIVALENT and mutant.name not in names:
            wrong += 1
            print(f"noticed, though listed as equivalent: {mutant.name}")
    made = Counter(mutant.chapter for mutant in mutants)
    lived = Counter(m.chapter for m in found if m.name not in EQUIVALENT)
    same = Counter(m.chapter for m in found if m.name in EQUIVALENT)
    print(
        f"{'chapter':<12} {'mutants':>7} {'noticed':>7} {'equivalent':>10} "
        f"{'survive':>7} {'score':>6}"
    )
    for chapter, total in [*made.items(), ("all", made.total())]:
        survive = lived.total() if chapter == "all" else lived[chapter]
        equal = same.total() if chapter == "all" else same[chapter]
        noticed = total - survive - equal
        score = noticed / (total - equal) if total > equal else 1.0
        print(f"{chapter:<12} {total:>7} {noticed:>7} {equal:>10} {survive:>7} {score:>6.1%}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
