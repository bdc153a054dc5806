"""Which plugins the configuration of an instrument wants, found without importing any of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from livered_core.config import Merged, merge
from livered_core.config.plugin_names import plugins_own_names
from livered_core.config.toml import dotted
from livered_core.engine.plugin_points import file_of_module
from livered_core.engine.setup import configuration_layers
from livered_core.errors import ConfigError, LiveredError
from livered_core.hooks.registry import BUILT_IN, PackagedDefaults, PluginEntry, claimed_instrument, module_of


@attrs.frozen
class Wanted:
    """What a configuration wants.

    Attributes
    ----------
    instrument
        The instrument's own name where one plugin claims it, else as it was asked for.
    tables
        Name of each table ``[plugins.NAME]``, to the plugin's own name; without those of the instrument's plugin and
        of what is built in.
    origins
        Name of each of these tables, to the files that have it.
    own
        Own name of the instrument's plugin; empty where no plugin, or more than one, claims the instrument.
    problems
        What keeps it from being known, sentences.
    """

    instrument: str
    tables: Mapping[str, str] = attrs.field(factory=dict)
    origins: Mapping[str, str] = attrs.field(factory=dict)
    own: str = ""
    problems: tuple[str, ...] = ()


def wanted_of(name: str, config_file: Path | None, environ: Mapping[str, str]) -> Wanted:
    """Read what the configuration of an instrument wants; what is wrong with it is in the answer.

    Parameters
    ----------
    name
        Of the instrument.
    config_file
        File given with ``--config``.
    environ
        Environment variables.
    """
    problems: list[str] = []
    entry = None
    try:
        entry = claimed_instrument(name)
    except LiveredError as error:
        problems.append(str(error))
    own = "" if entry is None else entry.name
    name = name if entry is None else entry.instrument or entry.name
    tables: dict[str, str] = {}
    origins: dict[str, str] = {}
    try:
        packaged = None if entry is None else _packaged(entry)
        merged = merge(configuration_layers(name, config_file, {}, environ, packaged=packaged))
        taken = {*BUILT_IN, *([own] if own else [])}
        tables = {
            table: plugin for table, plugin in plugins_own_names(merged, taken).items() if table not in taken
        }
        origins = {table: _origin(merged, table) for table in tables}
    except ConfigError as error:
        problems += error.problems
    return Wanted(name, tables, origins, own, tuple(problems))


def _packaged(entry: PluginEntry) -> PackagedDefaults | None:
    """Read the defaults that a plugin ships, found beside its package."""
    folder = Path(file_of_module(module_of(entry.entry_point).partition(".")[0])).parent
    try:
        text = (folder / "defaults.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return PackagedDefaults(text, f"packaged defaults of {entry.distribution} {entry.version}", folder)


def _origin(merged: Merged, table: str) -> str:
    """Name the places that a table is from."""
    path = dotted(("plugins", table))
    places = (origin for key, origin in merged.origins.items() if key == path or key.startswith(f"{path}."))
    return ", ".join(dict.fromkeys(places))
