"""`perpref prove`: prove the theorems and print the property ledger."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import attrs
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from proofs.prover import Row

EPILOG = """
Examples:

\b
  perpref prove                      everything, two processes
  perpref prove --chapter adl        the theorems of one chapter
  perpref prove --json ledger.json   the ledger for a program to read
"""


@click.command(epilog=EPILOG)
@click.option(
    "chapters",
    "--chapter",
    multiple=True,
    metavar="NAME",
    help="Only this chapter; may be given more than once.",
)
@click.option(
    "json_file",
    "--json",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write the ledger to FILE as JSON.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes."
)
@click.option(
    "--replay/--no-replay",
    default=True,
    show_default=True,
    help="Replay a witness of every path on the real code, with plain integers.",
)
def prove(chapters: tuple[str, ...], json_file: Path | None, workers: int, replay: bool) -> None:
    """Prove the rules, and print how each property is held.

    The shipped functions are run on unknown integers, along every path, for any number of
    accounts and markets and any valid rulebook. What they are claimed to do is given to z3 and,
    independently, to cvc5. Every path of an action must have a witness: plain integers that take
    the same path through the real code.

    \b
    Theorem   proved, for all states that satisfy what reachable states satisfy
    Bounded   proved up to a stated size
    Tested    shown by the test that is named
    Claim     not shown yet
    Refuted   known to be false, with a counterexample that is looked for anew each time

    Exit code 0: everything is as it should be. 1: something that should be proved is not, or a
    known counterexample is gone, or the solvers disagree. 2: the command was misused.
    """
    # z3 takes half a second to import, and only this command needs it.
    from proofs.prover import prove_all
    from proofs.registry import CHAPTERS, theorems

    for chapter in chapters:
        if chapter not in CHAPTERS:
            known = ", ".join(CHAPTERS)
            raise click.BadParameter(f"{chapter!r} is none of {known}", param_hint="--chapter")
    wanted = [one for one in theorems() if not chapters or one.chapter in chapters]
    start = perf_counter()
    progress = Progress(
        TextColumn("proving"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with progress:
        task = progress.add_task("proving", total=len(wanted))
        rows = prove_all(
            lambda one: not chapters or one.chapter in chapters,
            workers=workers,
            replay=replay,
            done=lambda found: progress.advance(task, len(found)),
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(_ledger(rows))
    _print_details(console, rows)
    bad = [row for row in rows if row.problem]
    _print_total(console, rows, perf_counter() - start)
    if json_file is not None:
        json_file.write_text(json.dumps(_as_json(rows), indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if bad else 0)


def _ledger(rows: list[Row]) -> Table:
    """The property ledger as a table; `replayed` counts witnesses, of all paths."""
    table = Table(title="Property ledger", title_justify="left", pad_edge=False)
    for name in ("property", "subject", "requirement", "held as"):
        table.add_column(name, overflow="fold")
    for name in ("paths", "replayed", "obligations", "z3", "cvc5", "seconds"):
        table.add_column(name, justify="right")
    for row in rows:
        measured = row.strength != "Tested"
        numbers = (row.paths, row.replayed, row.obligations, row.z3, row.cvc5)
        table.add_row(
            row.property,
            f"{row.chapter}.{row.subject}",
            row.name.replace("_", " "),
            row.strength if not row.problem else f"[red]NOT {row.strength}",
            *(str(number) if measured else "" for number in numbers),
            f"{row.seconds:.2f}" if measured else "",
        )
    return table


def _print_details(console: Console, rows: list[Row]) -> None:
    for row in rows:
        where = f"{row.chapter}.{row.subject}: {row.name}"
        if row.problem:
            console.print(f"[red]not as it should be[/] {where}: {row.problem}", highlight=False)
        if row.witness:
            console.print(f"counterexample of {where}: {row.witness}", highlight=False)
        if row.where:
            console.print(f"{row.strength.lower()} {where}: {row.where}", highlight=False)
        if row.unknown:
            claims = ", ".join(row.unknown)
            console.print(f"z3 only {where}: {claims}", highlight=False)


def _print_total(console: Console, rows: list[Row], seconds: float) -> None:
    held = sum(not row.problem for row in rows)
    proved = sum(row.z3 for row in rows if row.strength != "Refuted")
    total = sum(row.obligations for row in rows if row.strength != "Refuted")
    second = sum(row.cvc5 for row in rows if row.strength != "Refuted")
    disagreements = sum(row.disagree for row in rows)
    console.print(
        f"{held} of {len(rows)} properties are held as stated; z3 proved {proved} of {total} "
        f"obligations, cvc5 {second} of them, {disagreements} disagreements; {seconds:.1f} s",
        highlight=False,
    )


def _as_json(rows: list[Row]) -> dict[str, object]:
    return {"format": "1", "properties": [attrs.asdict(row) for row in rows]}
