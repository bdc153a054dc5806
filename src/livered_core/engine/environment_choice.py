"""Which environment a configuration names, before it can be checked: its plugins may be installed only there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from livered_core.config import Merged, instrument_name, merge
from livered_core.config.plugin_names import plugins_own_names
from livered_core.engine.environment import Environment, find_environment
from livered_core.engine.installed import Wanted
from livered_core.engine.setup import configuration_layers
from livered_core.errors import ConfigError, PluginError
from livered_core.hooks.registry import (
    BUILT_IN,
    INSTRUMENTS,
    PLUGINS,
    distribution_of,
    find_instrument,
    packaged_defaults,
)

_KEY = "mantid.environment"


def unchecked_configuration(
    instrument: str | None, config_file: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str]
) -> Merged:
    """Lay the layers of a configuration over each other, without loading plugins and without checking values.

    Parameters
    ----------
    instrument, config_file
        What ``--instrument`` and ``--config`` gave.
    flags
        Values of the command line, by key.
    environ
        Environment variables.

    Returns
    -------
    Merged
        Its ``instrument`` is the instrument's own name where its plugin is installed here, else the name as given.
        The plugin's packaged defaults are in it where the plugin is installed here.

    Raises
    ------
    ConfigError
        When no instrument is named, or a file cannot be read.
    """
    name = instrument_name(instrument, config_file, environ)
    packaged = None
    # Not here, or broken here: the environment's Python says what is wrong with it there.
    with suppress(PluginError):
        entry = find_instrument(name)
        name = entry.instrument or entry.name
        packaged = packaged_defaults(entry)
    return merge(configuration_layers(name, config_file, flags, environ, packaged=packaged))


def named_environment(merged: Merged, environ: Mapping[str, str]) -> Environment | None:
    """Find the environment that a configuration names.

    Parameters
    ----------
    merged
        The configuration; a relative path in it is relative to the folder of its file.
    environ
        Environment variables.

    Returns
    -------
    Environment or None
        None where it names none.

    Raises
    ------
    ConfigError
        When there is no such environment; the sentence names the key and its origin.
    """
    text = setting(merged, "mantid", "environment")
    if text is None or text == "":
        return None
    source = merged.sources[_KEY]
    if not isinstance(text, str):
        message = f"{_KEY} ({source.origin}) must be text such as conda:mantid, not {text!r}."
        raise ConfigError(message)
    try:
        return find_environment(str(text), environ, source.base_dir)
    except ConfigError as error:
        message = f"{_KEY} ({source.origin}): {error}"
        raise ConfigError(message) from None


def wanted_by(merged: Merged) -> Wanted:
    """Say which plugins a configuration wants.

    Parameters
    ----------
    merged
        The configuration, with the instrument's name.
    """
    instrument = str(merged.values["instrument"])
    try:
        names = tuple(dict.fromkeys(plugins_own_names(merged).values()))
    except ConfigError:
        names = ()  # `load_configuration` says what is wrong
    here = [(point.name, point) for point in entry_points(group=PLUGINS)]
    here += [
        (instrument, point)
        for point in entry_points(group=INSTRUMENTS)
        if point.name.lower() == instrument.lower()
    ]
    distributions = {name: distribution_of(point)[0] for name, point in here if point.dist is not None}
    return Wanted(instrument, tuple(name for name in names if name not in BUILT_IN), distributions)


def setting(merged: Merged, table: str, key: str) -> Any:
    """Give a value that has not been checked; None where there is none."""
    values = merged.values.get(table)
    return values.get(key) if isinstance(values, Mapping) else None
