"""From a plugin's class, or an object of it, to a plugin as a session has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.config import Layer, merge, parse_layer, structure
from livered_core.errors import PluginLoadError
from livered_core.hooks.inspection import hook_problems
from livered_core.hooks.registry import (
    INSTRUMENTS,
    PLUGINS,
    LoadedPlugin,
    PluginEntry,
    claimed_instrument,
    data_models,
    instantiate,
    module_of,
    packaged_defaults,
    settings_class,
)
from livered_core.model import RunInfo

ORIGIN: Final = "settings of PluginHarness"
"""Where the values of a test come from, for sentences about what is wrong with them."""
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[A-Z]")


def plugin_entry(plugin_class: type, name: str = "") -> PluginEntry:
    """Find which installed distribution declares a class; make an entry up where none does.

    Parameters
    ----------
    plugin_class
        The class.
    name
        Name in the configuration; by default the one that is declared, else the class's in small letters.
    """
    package = plugin_class.__module__.partition(".")[0]
    points = [*entry_points(group=INSTRUMENTS), *entry_points(group=PLUGINS)]
    for point in points:
        if module_of(point).partition(".")[0] == package and _names(point, plugin_class):
            entry = PluginEntry(point.name, point)
            if point.group == INSTRUMENTS:
                entry = claimed_instrument(point.name, points) or entry
            return attrs.evolve(entry, name=name) if name else entry
    words = _WORD.findall(plugin_class.__name__)
    made_up = name or "_".join(word.lower() for word in words) or "plugin"
    place = f"{plugin_class.__module__}:{plugin_class.__qualname__}"
    return PluginEntry(made_up, EntryPoint(made_up, place, PLUGINS))


def load_plugins(
    plugin: Any, settings: Any, name: str, beside: Sequence[Any], run: RunInfo | None
) -> tuple[list[LoadedPlugin], str]:
    """Make the plugins of a session.

    Parameters
    ----------
    plugin, settings, name
        The one that is tested, as for `PluginHarness`.
    beside
        The others: classes, objects, or pairs of a class and its settings.
    run
        The first run; None without.

    Returns
    -------
    plugins, instrument
        In the order of their calls, and the name of the instrument.

    Raises
    ------
    PluginLoadError, ConfigError, TypeError
        As `load_plugin`.
    """
    pairs = [(plugin, settings), *(each if isinstance(each, tuple) else (each, None) for each in beside)]
    entries = [plugin_entry(_class_of(each), "" if index else name) for index, (each, _) in enumerate(pairs)]
    instrument = run.instrument if run is not None else entries[0].instrument or "TST"
    plugins = [
        load_plugin(each, table, entry, instrument)
        for (each, table), entry in zip(pairs, entries, strict=True)
    ]
    return plugins, instrument


def load_plugin(plugin: Any, settings: Any, entry: PluginEntry, instrument: str) -> LoadedPlugin:
    """Make a plugin as livered does before a session.

    Parameters
    ----------
    plugin
        A class, or an object of it, which is taken as it is.
    settings
        For a class: a mapping, read as the table of a configuration file over the plugin's packaged defaults, an
        object of its `settings_class`, or None for the defaults.
    entry
        What the plugin is called and where it is from.
    instrument
        For ``{instrument}`` in paths.

    Raises
    ------
    PluginLoadError
        When a hook is misspelt or has wrong arguments, or the constructor fails.
    ConfigError
        With every problem of the settings.
    TypeError
        When settings come with an object, or are of another class.
    """
    cls = _class_of(plugin)
    problems = hook_problems(cls)
    if problems:
        raise PluginLoadError("\n".join(f"Plugin {entry}: {problem}" for problem in problems))
    if not isinstance(plugin, type):
        if settings is not None:
            message = (
                f"PluginHarness got an object of {cls.__name__} with settings: give the class with settings."
            )
            raise TypeError(message)
        return LoadedPlugin(entry.name, entry.version, entry.distribution, plugin, data_models(cls))
    return instantiate(entry, cls, read_settings(cls, settings, entry, instrument))


def read_settings(cls: type, settings: Any, entry: PluginEntry, instrument: str) -> Any:
    """Read the settings of a plugin's class, as `load_plugin` does for a class.

    Parameters
    ----------
    cls, settings, entry, instrument
        As for `load_plugin`.

    Raises
    ------
    ConfigError
        With every problem of the settings.
    PluginLoadError
        When the package with the packaged defaults cannot be imported.
    TypeError
        When they are of another class.
    """
    wanted = settings_class(cls)
    if settings is not None and not isinstance(settings, Mapping):
        if wanted is None or not isinstance(settings, wanted):
            takes = "none" if wanted is None else f"a mapping or a {wanted.__name__}"
            message = f"{cls.__name__} got a {type(settings).__name__} as settings: it takes {takes}."
            raise TypeError(message)
        return settings
    layers = []
    packaged = None if entry.instrument is None else packaged_defaults(entry)
    if packaged is not None:
        shipped = parse_layer(packaged.text, packaged.origin, packaged.folder)
        table = shipped.values.get("plugins", {}).get(entry.name, {})
        layers.append(attrs.evolve(shipped, values={"plugins": {entry.name: table}}))
    given = {"instrument": instrument, "plugins": {entry.name: _as_toml(settings or {})}}
    layers.append(Layer(ORIGIN, given, Path.cwd()))
    return structure(merge(layers), {entry.name: wanted}).plugins[entry.name]


def _as_toml(value: Any) -> Any:
    """Write what Python has and TOML has not as a file would: paths as text, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): _as_toml(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_toml(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _class_of(plugin: Any) -> type:
    return plugin if isinstance(plugin, type) else type(plugin)


def _names(point: EntryPoint, plugin_class: type) -> bool:
    """Tell whether an entry point of the same package leads to a class; one that is broken does not."""
    try:
        return point.load() is plugin_class
    except (Exception, SystemExit):  # noqa: BLE001  (another plugin of the package; it is not what is tested)
        return False
