"""The command line: one group, and each command in a module of its own.

A command's module is imported when the command is asked for, so that `perpref run` does not wait
for the solvers that only `perpref prove` needs.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click

COMMANDS = {
    "run": ("perpref.cli_run", "Carry out a scenario, and tell what happened."),
    "prove": ("perpref.cli_prove", "Prove the rules, and print how each property is held."),
    "check": ("perpref.cli_check", "Hold an engine to the rules."),
    "examples": ("perpref.cli_examples", "Try numbers that venues publish."),
    "rulebook": ("perpref.cli_rulebook", "Show what venues chose, and how they differ."),
}
"""The module of each command, in which a function carries its name, and one line about it."""

HELP = """The rules of a perpetual-futures exchange, as text, as code, and as proofs.

A perpetual market holds no coin: it is a pot of cash, shared out by rules. perpref is these rules
as a program that can be run, proved, and held against other engines.

\b
  run       see what the rules do: a story, step by step, and where the money went
  prove     see why they can be trusted: theorems about the code that runs
  check     hold an engine to them: the shortest story of what it does otherwise
  rulebook  see what venues chose where the rules leave a choice, and how they differ
  examples  see whether the numbers that venues publish come out

\b
Begin with:
  perpref run --list
  perpref run overbooked-flight
  perpref prove
  perpref check 'python examples/engines/exchange.py'

`perpref COMMAND --help` says more about each.
"""


class _Lazy(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, (module, _) in COMMANDS.items() if find_spec(module) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _ = COMMANDS[cmd_name]
        command = getattr(import_module(module), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=_Lazy, help=HELP)
@click.version_option(package_name="perpref", message="%(prog)s %(version)s")
def main() -> None:
    pass


if __name__ == "__main__":
    main()
