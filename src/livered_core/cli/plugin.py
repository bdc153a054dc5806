"""``livered plugin``: make a plugin, try it on data, and check it."""

from __future__ import annotations

from typing import Final

import click

from livered_core.cli.lazy import LazyCommand, LazyGroup

_COMMANDS: Final = {
    "check": LazyCommand(
        "livered_core.cli.plugin_check:check", "Look for what would go wrong at the beamline."
    ),
    "new": LazyCommand("livered_core.cli.plugin_new:new", "Make a complete package with a plugin in it."),
    "test": LazyCommand("livered_core.cli.plugin_test:test", "Run a plugin over data, and show what it did."),
}


@click.group("plugin", cls=LazyGroup, commands_at=_COMMANDS)
def plugin() -> None:
    """Make a plugin, try it on data, and check it.

    Begin with: livered plugin new my_instrument --instrument POWGEN
    """
