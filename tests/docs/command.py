"""A command line with a command below it, to be shown in a small book."""

from __future__ import annotations

import click


@click.group()
def main() -> None:
    """Keeps the pot."""


@main.command()
@click.option("--lots", help="How many.")
def close(lots: str) -> None:
    """Closes a position."""
