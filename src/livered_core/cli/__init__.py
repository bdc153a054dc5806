"""The command line: one module for each command, imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from livered_core.errors import LiveredError

_COMMANDS: Final = {
    "check": "livered_core.cli.check:check",
    "config": "livered_core.cli.config:config",
    "run": "livered_core.cli.run:run",
    "simulate": "livered_core.cli.simulate:simulate",
}
_SHORT_HELP: Final = {
    "check": "Say whether everything is in place to run.",
    "config": "Show the configuration and where each value is from.",
    "run": "Reduce an instrument's data live.",
    "simulate": "Play a simulated beamline for anything that speaks ADARA.",
}


class _LazyGroup(click.Group):
    """Imports a command's module when the command is called, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_SHORT_HELP.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="livered-core", prog_name="livered")
def app() -> None:
    """Live data reduction for neutron beamlines.

    Try it without a beamline: livered run --instrument NOM --simulate
    """


def main() -> None:
    """Run the command line; an error that livered knows becomes one sentence and an exit code."""
    try:
        app(prog_name="livered")
    except LiveredError as error:
        for line in str(error).splitlines():
            click.echo(f"livered: {line}", err=True)
        sys.exit(error.exit_code)
