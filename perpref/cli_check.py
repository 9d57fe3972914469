"""`perpref check ENGINE`: hold an engine to the rules."""

from __future__ import annotations

import json
import random
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from perpref.checker import check as checking
from perpref.checker.case_file import BadFile, read_case
from perpref.checker.check import Checked
from perpref.checker.engine import CannotStart, Connection, InProcess
from perpref.checker.files import BadInput
from perpref.checker.pipe import Pipe, argv_of
from perpref.checker.reference_engine import ReferenceEngine
from perpref.checker.report import print_report, to_json
from perpref.checker.rulebook_file import load_venue
from perpref.checker.search import Budget
from perpref.checker.stopwatch import Stopwatch
from perpref.checker.wire import Terms

EXAMPLES, SECONDS, STEPS, RULEBOOK = 1_000, 60.0, 20, "textbook"

HELP = """Hold ENGINE to the rules, and tell the shortest story of what it does otherwise.

ENGINE is a command line that speaks the engine protocol (spec/protocol.md) on its standard input
and output; or `reference`, for the checker held against itself; or `bluefin:arbitrum` or
`bluefin:boba`, Bluefin's published contracts.

A smoke test comes first and tells a wrong adapter from a wrong engine. Then commands are
thought up that lead to liquidations, takeovers, deleveragings and losses, and every step is
compared with the reference, in the way in which the engine asked to be compared.

\b
Examples:
  perpref check 'python examples/engines/exchange.py'
  perpref check './my-engine --strict' --seconds 60 --seed 7
  perpref check ./my-engine --rulebook my-rules.toml --json finding.json
  perpref check ./my-engine --replay finding.json
  perpref check reference --examples 2000

\b
Exit status:
  0  it conforms, as far as was compared
  1  a finding: a rule broken, an engine that fails, or a rule that was not reached
  2  a misuse: no such engine, file or option
"""


@click.command(help=HELP, short_help="Hold an engine to the rules.")
@click.argument("engine")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="The same seed repeats a search exactly. Drawn, and always printed, unless told.",
)
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    default=EXAMPLES,
    show_default=True,
    help="At most so many examples, of some fifty commands each; of five for Bluefin.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=SECONDS,
    show_default=True,
    help="At most so many seconds for the search.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=STEPS,
    show_default=True,
    help="At most so many steps per example, each of one or a few commands.",
)
@click.option(
    "--rulebook",
    "rulebook_name",
    default=RULEBOOK,
    show_default=True,
    metavar="NAME|FILE",
    help="The rulebook to search under, and under its neighbours.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Carry out the case in this file, as --json wrote it, instead of a search.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the report here; a finding in it can be replayed.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds that a reply may take.",
)
@click.option("--quiet", is_flag=True, help="Say no more than the verdict, or the finding.")
@click.pass_context
def check(
    context: click.Context,
    engine: str,
    seed: int | None,
    examples: int,
    seconds: float,
    steps: int,
    rulebook_name: str,
    replay: Path | None,
    json_file: Path | None,
    timeout: float,
    quiet: bool,
) -> None:
    console = Console()
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    if engine.startswith("bluefin:"):
        _require_none_of(context, "--steps", "--seconds", "--rulebook", "--replay", "--timeout")
        sys.exit(_bluefin(engine.removeprefix("bluefin:"), examples, seed, json_file, quiet))
    watch = Stopwatch()
    try:
        connection = _connection(engine, timeout, watch)
        terms = load_venue(rulebook_name).as_terms
        if replay is not None:
            checked = _replayed(connection, replay, terms, watch)
            again = _again(engine, ["--replay", str(replay)])
        else:
            budget = Budget(examples, seconds, steps)
            with _progress(console, quiet, budget) as progress:
                checked = checking.check(connection, terms, seed, budget, watch, progress)
            again = _again(engine, _options(seed, examples, steps, rulebook_name))
    except (CannotStart, BadInput, BadFile) as error:
        _misuse(str(error))
    if json_file is not None:
        _write(json_file, to_json(checked, again))
        if checked.found is not None:
            again = _again(engine, ["--replay", str(json_file)])
    print_report(console, checked, again, quiet)
    sys.exit(0 if checked.conforms else 1)


def _require_none_of(context: click.Context, *options: str) -> None:
    """Refuse options that mean nothing for Bluefin, rather than pass over them."""
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "")
        if given is not ParameterSource.DEFAULT and set(options) & set(parameter.opts):
            _misuse(f"{parameter.opts[0]} means nothing for {context.params['engine']}")


def _connection(engine: str, timeout: float, watch: Stopwatch) -> Connection:
    if engine == "reference":
        return InProcess(ReferenceEngine, watch)
    return Pipe(argv_of(engine), timeout, watch)


def _replayed(connection: Connection, path: Path, terms: Terms, watch: Stopwatch) -> Checked:
    case = read_case(path)
    return checking.replay(connection, case, terms, watch)


def _options(seed: int, examples: int, steps: int, rulebook: str) -> list[str]:
    """The options that a search depends on, where they are not the usual ones."""
    options = ["--seed", str(seed)]
    if steps != STEPS:
        options += ["--steps", str(steps)]
    if examples != EXAMPLES:
        options += ["--examples", str(examples)]
    if rulebook != RULEBOOK:
        options += ["--rulebook", rulebook]
    return options


def _again(engine: str, options: list[str]) -> str:
    return shlex.join(["perpref", "check", engine, *options])


def _misuse(text: str) -> NoReturn:
    """One line, and exit status 2."""
    click.echo(f"perpref check: {' '.join(text.split())}", err=True)
    sys.exit(2)


def _write(path: Path, report: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        _misuse(f"{path}: cannot be written: {error.strerror}")


@contextmanager
def _progress(console: Console, quiet: bool, budget: Budget) -> Iterator[checking.Progress | None]:
    """A bar on a terminal, nothing elsewhere."""
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[commands]:,} commands"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("smoke test", total=budget.examples, commands=0)

        def tell(what: str, done: int, commands: int) -> None:
            bar.update(task, description=what, completed=done, commands=commands)

        yield tell


def _bluefin(build: str, examples: int, seed: int, json_file: Path | None, quiet: bool) -> int:
    """Bluefin has no book and rules of its own, and so a model and a search of its own."""
    try:
        from perpref import cli_bluefin
    except ImportError as error:
        _misuse(
            f"bluefin:{build}: {error.name or error} is not there; it is an optional extra: "
            "pip install 'perpref[bluefin]'"
        )
    try:
        findings, report = cli_bluefin.check(Console(), build, 5 * examples, seed, quiet)
    except cli_bluefin.Unavailable as error:
        _misuse(f"bluefin:{build}: {error}")
    if json_file is not None:
        _write(json_file, report)
    return 1 if findings else 0
