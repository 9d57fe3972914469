"""The command line: one group, whose commands are imported when they are called."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click

HELP = """An executable specification of a perpetual-futures exchange.

A perpetual market is a pot of cash and rules that share it out. perpref runs these rules, proves
what is claimed of them, and holds other engines to them.

\b
Where to begin:
  perpref run overbooked-flight     a story that ends in auto-deleveraging
  perpref run --list                all stories that are shipped
  perpref prove                     prove the rules, and print the property ledger
  perpref check reference           hold an engine to the rules (here: the reference itself)

\b
Exit status of every command:
  0  all is as it should be
  1  something was found: an expectation, a theorem or a rule that does not hold
  2  a misuse: no such command, option, file, or a file that is not what it should be
"""

COMMANDS = {
    "run": ("perpref.cli_run", "Tell a scenario, and where the money went."),
    "prove": ("perpref.cli_prove", "Prove the rules, and print how each property is held."),
    "check": ("perpref.cli_check", "Hold an engine to the rules."),
}
"""The module of each command, which holds it under its name, and what it does."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is needed: z3 and Hypothesis take their time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, (module, _) in COMMANDS.items() if find_spec(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands in the order in which one learns them, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, help=HELP)
@click.version_option(package_name="perpref", message="%(prog)s %(version)s")
def main() -> None:
    pass
