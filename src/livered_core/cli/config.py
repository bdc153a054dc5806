"""``livered config``: look at the configuration, and make one of other programs' settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from livered_core.cli import options
from livered_core.cli.config_import import import_settings
from livered_core.model.text import printable

if TYPE_CHECKING:
    from livered_core.config import Row


@click.group("config")
def config() -> None:
    """Look at the configuration, or make one of another program's."""


config.add_command(import_settings)


@config.command("show")
@options.instrument
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="TOML file laid over the standard ones.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with what each key is for.")
def show(instrument: str | None, config_file: Path | None, as_json: bool) -> None:
    """Print every value and where it comes from.

    The text is TOML: lines of it can be pasted into a configuration file.
    """
    from livered_core.config import describe
    from livered_core.engine.setup import load_configuration

    loaded = load_configuration(instrument, config_file, {})
    rows = describe(loaded.config, loaded.merged)
    click.echo(rows_as_json(rows) if as_json else rows_as_toml(rows))


def rows_as_json(rows: Sequence[Row]) -> str:
    """Write rows as a JSON list of objects with path, value, origin, help and unit."""
    import attrs

    return json.dumps([attrs.asdict(row, recurse=False) for row in rows], indent=2)


def rows_as_toml(rows: Sequence[Row]) -> str:
    """Write rows as TOML, one key a line, with unit and origin in a comment.

    A key without a value is a comment, because TOML has no word for it.
    """
    from livered_core.config import toml_value

    pairs = [
        _escaped(f"# {row.path} is not set" if row.value is None else f"{row.path} = {toml_value(row.value)}")
        for row in rows
    ]
    width = min(max((len(pair) for pair in pairs), default=0), 60)
    return "\n".join(
        f"{pair:<{width}}  # {f'{row.unit}; ' if row.unit else ''}{printable(row.origin)}"
        for pair, row in zip(pairs, rows, strict=True)
    )


def _escaped(pair: str) -> str:
    """Write characters that a terminal acts on as TOML's escapes; they stand in quoted texts only."""
    return "".join(
        character if printable(character) == character else f"\\U{ord(character):08x}" for character in pair
    )
