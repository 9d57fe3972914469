"""A broken law's story as lines of text: for the terminal, and for the page in the book."""

from __future__ import annotations

from collections.abc import Iterator

from perpref.adapters.bluefin.commands import ONE, shown
from perpref.adapters.bluefin.report import BrokenLaw

DIGITS = 6
"""So many decimals of an amount are shown."""


def step_lines(found: BrokenLaw) -> Iterator[str]:
    """Each command, what the contracts said, what the perpetual then holds and owes."""
    return _table(
        ("", "command", "holds", "owes", "the contracts"),
        [
            (f"{at}.", step.command, money(step.holds), money(step.owes), step.answer)
            for at, step in enumerate(found.steps, 1)
        ],
        amounts=(2, 3),
    )


def ending_lines(found: BrokenLaw) -> Iterator[str]:
    """Who has what in the end, without the last command and with it."""
    last = len(found.steps)
    return _table(
        ("", f"without {last}.", f"with {last}.", "what is due"),
        [
            (entry.whose, money(entry.without), money(entry.after), money(entry.due))
            for entry in found.endings
        ],
        amounts=(1, 2, 3),
    )


def repeated_line(found: BrokenLaw) -> str:
    """What comes of telling the last command again and again; empty when that breaks no more."""
    again = found.repeated
    if not again.times:
        return ""
    return (
        f"Command {len(found.steps)} is accepted {again.times} more times, which takes "
        f"{money(again.amount)} more; the perpetual is left with {money(again.left)}."
    )


def money(amount: int) -> str:
    """An amount in full when it is short; else with some decimals, and dots for the rest."""
    if 0 < abs(amount) < ONE // 10**DIGITS:
        return f"{amount:,} {'quantum' if abs(amount) == 1 else 'quanta'}"
    whole, _, part = shown(amount).partition(".")
    if len(part) <= DIGITS:
        return f"{whole}.{part}" if part else whole
    return f"{whole}.{part[:DIGITS]}…"


def _table(
    heads: tuple[str, ...], rows: list[tuple[str, ...]], amounts: tuple[int, ...]
) -> Iterator[str]:
    """Rows under heads; columns of amounts stand to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = [
            cell.rjust(width) if at in amounts else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "    " + "  ".join(cells).rstrip()
