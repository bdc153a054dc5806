"""From an instrument's name to a checked configuration and the plugins that run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import attrs

from livered_core.config import (
    Config,
    Layer,
    Merged,
    environment_layer,
    instrument_name,
    merge,
    parse_layer,
    read_layer,
    standard_layers,
    structure,
)
from livered_core.config.plugin_names import plugin_tables, plugins_own_names
from livered_core.errors import ConfigError, PluginError
from livered_core.hooks.inspection import implemented_hooks
from livered_core.hooks.registry import (
    BUILT_IN,
    LoadedPlugin,
    PackagedDefaults,
    PluginEntry,
    claimed_instrument,
    data_models,
    find_instrument,
    find_plugins,
    instantiate,
    load_class,
    packaged_defaults,
    session_problems,
    settings_class,
)
from livered_core.hooks.spec import TRANSFORMS

SIMULATED_DEFAULTS: Mapping[str, Any] = {
    "update_every": 2.0,
    "output_dir": "output/{instrument}-simulated",
}
"""What ``--simulate`` changes: curves that grow while one looks, and files apart from those of real runs."""
MANY_SESSIONS = "many_sessions"
"""Class attribute with which a plugin says that one instance may be told of one session after another."""
RECORDED_DEFAULTS: Mapping[str, Any] = {"output_dir": "output/{instrument}-recorded"}
"""What ``--source`` with a recording changes: files apart from those that were made live."""


@attrs.frozen(eq=False)
class LoadedConfiguration:
    """A configuration that has been checked, with the plugins that it selects.

    Attributes
    ----------
    config
        All values.
    merged
        The layers they came from.
    instrument
        The plugin that owns the instrument; None where no installed plugin does and the configuration names one
        that reduces the data of any, such as ``[plugins.scripts]``.
    plugins
        The plugins' entries with their classes, in the order of their calls: the instrument's, the built-in
        ones, then the others in the order of the configuration.
    kept
        Instances of plugins that serve one session after another (``many_sessions``), by name; filled by
        `make_plugins`. None where each session has instances of its own.
    """

    config: Config
    merged: Merged
    instrument: PluginEntry | None
    plugins: tuple[tuple[PluginEntry, type], ...]
    kept: dict[str, LoadedPlugin] | None = None

    @property
    def instrument_settings(self) -> Any:
        """Settings of the plugin that owns the instrument; None without such a plugin, or without settings."""
        return None if self.instrument is None else self.config.plugins.get(self.instrument.name)

    @property
    def data_models(self) -> list[tuple[str, ...]]:
        """Of each plugin, in their order: what data it can work with."""
        return [data_models(cls) for _, cls in self.plugins]


def simulated_defaults() -> Layer:
    """Return the layer for the simulated beamline, relative to the working directory."""
    return Layer("--simulate", SIMULATED_DEFAULTS, Path.cwd())


def recorded_defaults() -> Layer:
    """Return the layer for a recording, relative to the working directory."""
    return Layer("--source", RECORDED_DEFAULTS, Path.cwd())


def load_configuration(
    instrument: str | None,
    config_file: Path | None,
    flags: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    *,
    defaults: Layer | None = None,
    available: Iterable[EntryPoint] | None = None,
    standard: bool = True,
) -> LoadedConfiguration:
    """Find the instrument's plugin, lay the configuration together and check all of it.

    An instrument that no installed plugin claims can be run when the configuration names a plugin that owns a
    transform.

    Parameters
    ----------
    instrument
        Name or alias of the instrument; None takes it from the environment or from `config_file`.
    config_file
        File given with ``--config``.
    flags
        Values from the command line, by key; None means not given.
    environ
        The environment; by default the process's own.
    defaults
        Values laid over the plugin's own, below those of files: `simulated_defaults` or `recorded_defaults`.
    available
        Entry points to look in; by default all that are installed.
    standard
        Whether the files at the standard places count.

    Raises
    ------
    ConfigError
        With every problem at once.
    PluginLoadError
        When the instrument's plugin cannot be loaded, or there is none and nothing else reduces its data.
    """
    environ = os.environ if environ is None else environ
    points = None if available is None else list(available)
    asked = instrument_name(instrument, config_file, environ)
    entry = claimed_instrument(asked, points)
    name = asked if entry is None else entry.instrument or entry.name
    packaged = None if entry is None else packaged_defaults(entry)
    merged = merge(
        configuration_layers(
            name, config_file, flags, environ, packaged=packaged, defaults=defaults, standard=standard
        )
    )
    problems: list[str] = []
    wanted = [] if entry is None else [entry]
    taken = {*BUILT_IN, *(plugin.name for plugin in wanted)}
    others: list[str] = []
    own_names: Mapping[str, str] = {}
    try:
        own_names = plugins_own_names(merged, taken)
        others = [key for key in own_names if key not in taken]
    except ConfigError as error:
        problems += error.problems
    try:
        wanted += find_plugins(BUILT_IN, points)
        wanted += find_plugins(others, points, own_names=own_names, beside=[plugin.name for plugin in wanted])
    except ConfigError as error:
        problems += error.problems
    classes: list[tuple[PluginEntry, type]] = []
    for plugin in wanted:
        try:
            classes.append((plugin, load_class(plugin)))
        except PluginError as error:
            problems.append(str(error))
    if entry is None and not any(_owns_a_transform(cls) for _, cls in classes):
        try:
            find_instrument(asked, points)
        except PluginError as error:
            if not problems:
                raise
            problems.insert(0, str(error))
    # Tables of plugins that could not be loaded are not checked: what is wrong with them is said already.
    loaded = {plugin.name for plugin, _ in classes}
    unchecked = [key for key in plugin_tables(merged) if key not in loaded]
    try:
        settings = {plugin.name: settings_class(cls) for plugin, cls in classes}
        config = structure(merged.without_plugins(unchecked), settings, environ)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return LoadedConfiguration(config, merged, entry, tuple(classes))


def make_plugins(loaded: LoadedConfiguration, backend: str) -> list[LoadedPlugin]:
    """Make a session's plugins and see that they can run together.

    Parameters
    ----------
    loaded
        A checked configuration.
    backend
        ``"native"`` or ``"mantid"``.

    Raises
    ------
    ConfigError
        With a sentence for each conflict, misfit, and problem that a plugin's own ``check`` reports.
    PluginLoadError
        When a plugin cannot be set up.
    """
    config = loaded.config
    plugins = [_instance(entry, cls, loaded) for entry, cls in loaded.plugins]
    problems = session_problems(plugins, config.hooks.owner, backend)
    for plugin in plugins:
        problems += plugin_problems(plugin)
    if problems:
        raise ConfigError(problems)
    return plugins


def _instance(entry: PluginEntry, plugin_class: type, loaded: LoadedConfiguration) -> LoadedPlugin:
    """Return an instance for a session: a new one, or that of the session before where the plugin says that it may."""
    kept = loaded.kept
    if kept is not None and entry.name in kept:
        return kept[entry.name]
    plugin = instantiate(entry, plugin_class, loaded.config.plugins.get(entry.name))
    if kept is not None and getattr(plugin_class, MANY_SESSIONS, False) is True:
        kept[entry.name] = plugin
    return plugin


def plugin_problems(plugin: LoadedPlugin, method: str = "check") -> list[str]:
    """Ask a plugin what is wrong, through one of its optional methods that return sentences.

    Parameters
    ----------
    plugin
        The plugin.
    method
        ``"check"`` (settings and files; asked before each session) or ``"check_connection"`` (other machines,
        which may be down for a while; asked by ``livered check`` only).
    """
    check = getattr(plugin.instance, method, None)
    if check is None:
        return []
    try:
        return [f"plugins.{plugin.name}: {problem}" for problem in check()]
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin's failure is that plugin's)
        return [f"plugins.{plugin.name}: its {method} failed: {type(error).__name__}: {error}"]


def _owns_a_transform(plugin_class: type) -> bool:
    roles = implemented_hooks(plugin_class)
    return any(roles.get(hook) == "owner" for hook in TRANSFORMS)


def configuration_layers(
    name: str,
    config_file: Path | None,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    packaged: PackagedDefaults | None,
    defaults: Layer | None = None,
    standard: bool = True,
) -> list[Layer]:
    """Read the layers of a configuration, the weakest first.

    Parameters
    ----------
    name
        Of the instrument.
    config_file, flags, environ, defaults, standard
        As of `load_configuration`.
    packaged
        Defaults that the instrument's plugin ships; None where there are none.

    Raises
    ------
    ConfigError
        When a file cannot be read.
    """
    layers = [] if packaged is None else [parse_layer(packaged.text, packaged.origin, packaged.folder)]
    if defaults is not None:
        layers.append(defaults)
    if standard:
        layers += standard_layers(name, environ)
    if config_file is not None:
        layers.append(read_layer(config_file))
    layers.append(environment_layer(environ))
    layers.append(Layer("command line", {**flags, "instrument": name}, Path.cwd()))
    return layers
