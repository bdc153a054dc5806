"""Which plugins there are and which of them run: entry points, loading, and the checks before a session.

Entry-point group ``livered.instruments`` maps an instrument name to the plugin that owns it; group
``livered.plugins`` holds all others. Nothing joins a session by being installed: the instrument selects its
plugin, the configuration names the others.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.resources
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.errors import ConfigError, PluginLoadError
from livered_core.hooks.inspection import hook_problems, implemented_hooks
from livered_core.hooks.slow_import import told_when_slow
from livered_core.hooks.spec import TRANSFORMS

INSTRUMENTS: Final = "livered.instruments"
PLUGINS: Final = "livered.plugins"
BUILT_IN: Final = ("files",)
"""Plugins of livered-core itself that every session loads."""


@attrs.frozen
class PluginEntry:
    """A plugin as its distribution declares it, before anything of it is imported.

    Attributes
    ----------
    name
        Name in the configuration: ``[plugins.<name>]``. The plugin's own, or another that runs the same plugin.
    entry_point
        Where the class is.
    instrument
        Canonical instrument name for an instrument's plugin, else None.
    """

    name: str
    entry_point: EntryPoint
    instrument: str | None = None

    @property
    def distribution(self) -> str:
        """Name of the distribution."""
        return distribution_of(self.entry_point)[0] or "unknown distribution"

    @property
    def version(self) -> str:
        """Version of the distribution."""
        return distribution_of(self.entry_point)[1] or "unknown version"

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version}, {self.entry_point.value})"


@attrs.frozen
class PackagedDefaults:
    """The ``defaults.toml`` that an instrument's plugin ships in its top-level package."""

    text: str
    origin: str
    folder: Path


@attrs.frozen(eq=False)
class LoadedPlugin:
    """A plugin that runs in a session.

    Attributes
    ----------
    name, version, distribution
        Who it is.
    instance
        The object whose methods are the hooks; it belongs to the session.
    data_models
        Kinds of `Chunk.data` that it can work with.
    """

    name: str
    version: str
    distribution: str
    instance: Any
    data_models: tuple[str, ...] = ("native", "mantid")


def distribution_of(point: EntryPoint) -> tuple[str, str]:
    """Return name and version of the distribution that declares an entry point; each empty where nothing says it."""
    try:
        metadata = None if point.dist is None else point.dist.metadata
    except FileNotFoundError:
        # Where a package has imported importlib_metadata, its distributions raise.
        metadata = None
    if not metadata:
        return "", ""
    # A field that is not there is not asked for: Python 3.13 warns, and later ones raise.
    name = metadata["Name"] if "Name" in metadata else ""  # noqa: SIM401  (not every version has `get`)
    version = metadata["Version"] if "Version" in metadata else ""  # noqa: SIM401
    return name, version


def plain_name(name: str) -> str:
    """Write names alike that packaging tools take for the same."""
    return re.sub(r"[-_.]+", "_", name).lower()


def module_of(point: EntryPoint) -> str:
    """Name the module of an entry point; empty where a distribution declares something else than ``module:Class``."""
    try:
        return str(point.module)
    except (AttributeError, AssertionError, ValueError):  # Python 3.13 asserts
        return ""


def find_instrument(name: str, available: Iterable[EntryPoint] | None = None) -> PluginEntry:
    """Find the plugin that owns an instrument.

    Parameters
    ----------
    name
        Instrument name or alias, in any case: ``NOM``, ``nomad``.
    available
        Entry points to look in; by default all that are installed.

    Raises
    ------
    PluginLoadError
        When no installed plugin, or more than one distribution, claims the instrument.
    """
    candidates = _in_group(INSTRUMENTS, available)
    entry = claimed_instrument(name, candidates)
    if entry is None:
        names = sorted({point.name for point in candidates})
        close = difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.5)
        hint = f" (did you mean {close[0]}?)" if close else ""
        have = f"known here: {', '.join(names)}" if names else "no instrument plugin is installed here"
        message = f"Unknown instrument {name!r}{hint}; {have}. Install the instrument's plugin, for example `pip install livered-nom`."
        raise PluginLoadError(message)
    return entry


def claimed_instrument(name: str, available: Iterable[EntryPoint] | None = None) -> PluginEntry | None:
    """Find the plugin that owns an instrument, if there is one.

    Parameters
    ----------
    name, available
        As in `find_instrument`.

    Returns
    -------
    PluginEntry or None
        None when no installed plugin claims it.

    Raises
    ------
    PluginLoadError
        When more than one distribution claims it.
    """
    candidates = _in_group(INSTRUMENTS, available)
    matching = [point for point in candidates if point.name.lower() == name.lower()]
    if not matching:
        return None
    chosen = _the_only_one(matching, f"instrument {name!r}")
    same_plugin = [point for point in candidates if point.value == chosen.value]
    canonical = min((point.name for point in same_plugin), key=lambda text: (len(text), text))
    return PluginEntry(canonical.lower(), chosen, canonical)


def find_plugins(
    names: Iterable[str],
    available: Iterable[EntryPoint] | None = None,
    *,
    own_names: Mapping[str, str] | None = None,
    beside: Iterable[str] = (),
) -> list[PluginEntry]:
    """Find the plugins that the configuration names.

    Parameters
    ----------
    names
        Names as in ``[plugins.<name>]``.
    available
        Entry points to look in; by default all that are installed.
    own_names
        Of those of `names` that are not a plugin's own: the name of the plugin that runs under it.
    beside
        Names of plugins that run anyway, such as the instrument's: one of them may be meant by a misspelt name.

    Returns
    -------
    list of PluginEntry
        In the order of `names`.

    Raises
    ------
    ConfigError
        With a sentence for each name that no installed plugin has, or that another plugin has.
    """
    candidates = _in_group(PLUGINS, available)
    installed = [point.name for point in candidates]
    found, problems = [], []
    for name in names:
        own = (own_names or {}).get(name, name)
        if own != name and name in installed:
            problems.append(
                f'plugins.{name}.plugin = "{own}": {name} is the name of a plugin itself; give the table another name.'
            )
            continue
        matching = [point for point in candidates if point.name == own]
        if not matching:
            close = difflib.get_close_matches(own.lower(), [*beside, *installed], n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            problems.append(
                f"Plugin {own!r} is wanted by [plugins.{name}] and not installed{hint}: "
                "install the package that provides it, or remove the table."
            )
            continue
        try:
            found.append(PluginEntry(name, _the_only_one(matching, f"plugin {own!r}")))
        except PluginLoadError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(problems)
    return found


def load_class(entry: PluginEntry) -> type:
    """Import a plugin's class and check its hooks.

    Raises
    ------
    PluginLoadError
        When the import fails, the entry point is not a class, or a hook is misspelt or has wrong arguments.
    """
    loaded = import_class(entry)
    problems = [*hook_problems(loaded), *data_model_problems(loaded)]
    if problems:
        raise PluginLoadError("\n".join(f"Plugin {entry}: {problem}" for problem in problems))
    return loaded


def import_class(entry: PluginEntry) -> type:
    """Import a plugin's class, whatever is wrong with its hooks.

    Raises
    ------
    PluginLoadError
        When the import fails, or the entry point is not a class.
    """
    module = _require_module(entry)
    try:
        with told_when_slow(str(entry), module):
            loaded = entry.entry_point.load()
    except (Exception, SystemExit) as error:
        message = f"Plugin {entry} cannot be loaded: {type(error).__name__}: {error}."
        raise PluginLoadError(message) from error
    if not isinstance(loaded, type):
        message = f"Plugin {entry} is a {type(loaded).__name__}: its entry point must name a class."
        raise PluginLoadError(message)
    return loaded


def packaged_defaults(entry: PluginEntry) -> PackagedDefaults | None:
    """Read the ``defaults.toml`` in the plugin's top-level package; None where it ships none.

    Raises
    ------
    PluginLoadError
        When the package cannot be imported.
    """
    package = _require_module(entry).partition(".")[0]
    try:
        with told_when_slow(str(entry), package):
            module = importlib.import_module(package)
    except (Exception, SystemExit) as error:
        message = f"Plugin {entry} cannot be loaded: {type(error).__name__}: {error}."
        raise PluginLoadError(message) from error
    if not hasattr(module, "__path__"):
        return None
    folder = importlib.resources.files(package)
    resource = folder / "defaults.toml"
    if not resource.is_file():
        return None
    origin = f"packaged defaults of {entry.distribution} {entry.version}"
    return PackagedDefaults(resource.read_text(encoding="utf-8"), origin, Path(str(folder)))


def _require_module(entry: PluginEntry) -> str:
    module = module_of(entry.entry_point)
    if not module:
        message = f"Plugin {entry} cannot be loaded: its entry point must name a class as module:Class."
        raise PluginLoadError(message)
    return module


def settings_class(plugin_class: type) -> type | None:
    """Return the attrs class of a plugin's settings; None when it has none."""
    declared: type | None = getattr(plugin_class, "settings_class", None)
    return declared


def data_model_problems(plugin_class: type) -> list[str]:
    """Say in a sentence what is wrong with a plugin's ``data_models``; nothing when all is well."""
    declared = getattr(plugin_class, "data_models", ("native",))
    if isinstance(declared, (tuple, list)) and declared and set(declared) <= {"native", "mantid"}:
        return []
    return [f'data_models is {declared!r}: give a tuple of "native" and "mantid", for example ("native",).']


def data_models(plugin_class: type) -> tuple[str, ...]:
    """Return what data a plugin can work with; both kinds when it does not say."""
    return tuple(getattr(plugin_class, "data_models", ("native", "mantid")))


def instantiate(entry: PluginEntry, plugin_class: type, settings: Any) -> LoadedPlugin:
    """Make a session's own instance of a plugin.

    Parameters
    ----------
    entry, plugin_class
        The plugin and its class.
    settings
        Instance of its `settings_class`, or None for a plugin without settings.

    Raises
    ------
    PluginLoadError
        When its constructor fails.
    """
    try:
        instance = plugin_class() if settings_class(plugin_class) is None else plugin_class(settings=settings)
    except (Exception, SystemExit) as error:
        message = f"Plugin {entry} cannot be set up: {type(error).__name__}: {error}."
        raise PluginLoadError(message) from error
    return LoadedPlugin(entry.name, entry.version, entry.distribution, instance, data_models(plugin_class))


def session_problems(plugins: Sequence[LoadedPlugin], owners: Mapping[str, str], backend: str) -> list[str]:
    """Find out what keeps these plugins from running together.

    Parameters
    ----------
    plugins
        In the order of their calls.
    owners
        Configured owner of a transform: hook name to plugin name.
    backend
        ``"native"`` or ``"mantid"``.

    Returns
    -------
    list of str
        One sentence for each problem; empty when all is well.
    """
    names = [plugin.name for plugin in plugins]
    problems = []
    for plugin in plugins:
        if backend not in plugin.data_models:
            problems.append(
                f"Plugin {plugin.name} ({plugin.distribution} {plugin.version}) works on {' and '.join(plugin.data_models)} data "
                f'and the backend is {backend}: choose backend = "{plugin.data_models[0]}", or leave the plugin out.'
            )
    for hook in TRANSFORMS:
        claiming = [
            plugin for plugin in plugins if implemented_hooks(type(plugin.instance)).get(hook) == "owner"
        ]
        chosen = owners.get(hook)
        if chosen is not None and chosen not in [plugin.name for plugin in claiming]:
            have = ", ".join(plugin.name for plugin in claiming) or "none of them"
            problems.append(
                f'hooks.owner.{hook} = "{chosen}": of the loaded plugins ({", ".join(names)}) {have} '
                f"implement{'s' if len(claiming) == 1 else ''} {hook}."
            )
        elif chosen is None and len(claiming) > 1:
            both = " and ".join(
                f"{plugin.name} ({plugin.distribution} {plugin.version})" for plugin in claiming
            )
            problems.append(
                f'Plugins {both} both implement {hook}: say which one owns it with hooks.owner.{hook} = "{claiming[0].name}".'
            )
    return problems


def _in_group(group: str, available: Iterable[EntryPoint] | None) -> list[EntryPoint]:
    if available is None:
        return list(entry_points(group=group))
    return [point for point in available if point.group == group]


def _the_only_one(matching: Sequence[EntryPoint], what: str) -> EntryPoint:
    if len({point.value for point in matching}) > 1:
        named = ((" ".join(distribution_of(point)).strip(), point.value) for point in matching)
        dists = sorted(f"{dist} ({value})" if dist else value for dist, value in named)
        message = (
            f"More than one installed package provides {what}: {' and '.join(dists)}. Uninstall all but one."
        )
        raise PluginLoadError(message)
    return matching[0]
