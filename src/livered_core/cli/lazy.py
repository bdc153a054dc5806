"""A group of commands whose modules are imported when they are called, so that ``--help`` stays quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """A command that has not been imported. No attrs class: they alone would take as long as the rest of the help.

    Attributes
    ----------
    where
        ``module:name``.
    short_help
        Its line in the help of the group.
    """

    where: str
    short_help: str


class LazyGroup(click.Group):
    """Imports a command's module when the command is called.

    Parameters
    ----------
    commands_at
        Name of each command to where it is.
    """

    def __init__(self, *args: Any, commands_at: Mapping[str, LazyCommand], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._commands_at:
            return None
        module, _, name = self._commands_at[cmd_name].where.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self._commands_at[name].short_help) for name in self.list_commands(ctx)]
            )
