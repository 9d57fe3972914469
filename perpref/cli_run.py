"""`perpref run SCENARIO`: a story, step by step, and where the money went."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from perpref.files.scenario import load_scenario
from perpref.files.shipped import names
from perpref.files.source import BadFile
from perpref.run.ledger_report import money_of
from perpref.run.play import play
from perpref.run.printed import play_json, print_play

HELP = """Carry out SCENARIO on the reference and tell it in words.

SCENARIO is the name of a shipped scenario (see --list) or a path that ends in .toml. The whole
file is checked before anything is run. After the story comes where the money went: what each
account gained or lost by fees, funding, trading, liquidation, takeover, deleveraging and
socialised losses, summed from the double entries. Every column but "paid in" adds up to zero.

A scenario is a small file that one can write in a minute:

\b
  title = "Two strangers and a price"
  accounts = ["alice", "bob"]          # the vault and the treasury are there
  rulebook = "textbook"                # a name or a path; this is the default
  override = {taker_fee = 0}           # optional: other values than the rulebook's
  [[step]]
  say = "Alice arrives."               # optional
  deposit = {account = "alice", amount = 1_000}
  [[step]]
  deposit = {account = "bob", amount = 1_000}
  [[step]]
  place = {account = "alice", market = "BTC", side = "buy", lots = 5, price = 1_000}
  [[step]]
  place = {account = "bob", market = "BTC", side = "sell", lots = 5, price = 1_000}
  [[step]]
  set_mark = {market = "BTC", price = 900}
  expect = {alice = {position = {BTC = 5}}, stages = []}
  [expect]                             # optional: what must be true at the end
  custody = 2_000

\b
Commands of a step (one for each step):
  deposit, withdraw  account, amount
  transfer           payer, payee, amount
  place              account, market, side, lots, price; kind = "limit", "post_only",
                     "ioc" or "market" (without a price); reduce_only = true; as = "name"
  cancel             account, order (a name given by `as`)
  set_mark           market, price
  settle_funding     market, rate (parts per million; positive: longs pay)
  unwind             market

\b
What can be expected (after a step, or at the end):
  refused = "taker_cannot_bear"        after a step: that it was refused, and why
  custody = 2_000
  stages = ["book", "vault"]           stages of the waterfall that did something
  alice = {equity = 500, collateral = 1_000, position = {BTC = 5}}

\b
Examples:
  perpref run --list
  perpref run calm-day
  perpref run my-story.toml --json

\b
Exit status:
  0  everything that the scenario expects is so
  1  something that it expects is not so: which, and on which line
  2  a misuse: no such scenario, or a wrong value in it
"""


@click.command(help=HELP, short_help="Tell a scenario, and where the money went.")
@click.argument("scenario", required=False)
@click.option("as_json", "--json", is_flag=True, help="Print JSON; numbers are decimal strings.")
@click.option("show_list", "--list", is_flag=True, help="List the shipped scenarios.")
def run(scenario: str | None, as_json: bool, show_list: bool) -> None:
    # A table may be as wide as it needs when no terminal bounds it.
    console = Console() if sys.stdout.isatty() else Console(width=400)
    try:
        if show_list:
            print_list(console, as_json)
            return
        if scenario is None:
            raise click.UsageError("say which SCENARIO; --list shows those that are shipped")
        loaded = load_scenario(scenario)
    except BadFile as bad:
        click.echo(f"{bad}", err=True)
        sys.exit(2)
    played = play(loaded)
    money = money_of(played)
    if as_json:
        click.echo(json.dumps(play_json(played, money), indent=1, ensure_ascii=False))
    else:
        print_play(console, played, money)
    surprises = played.all_surprises()
    for surprise in surprises:
        click.echo(f"{loaded.path}:{surprise.line}: {surprise}", err=True)
    if not as_json and not surprises:
        expected = len(loaded.expects) + sum(len(step.expects) for step in loaded.steps)
        if expected:
            console.print(f"All that was expected is so ({expected}).", highlight=False)
    sys.exit(1 if surprises or money.contradictions() else 0)


def print_list(console: Console, as_json: bool) -> None:
    """The shipped scenarios with their titles."""
    titles = {name: load_scenario(name).title for name in names("scenario")}
    if as_json:
        click.echo(json.dumps(titles, indent=1, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, title in titles.items():
        table.add_row(name, title)
    console.print(table)
