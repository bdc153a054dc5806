"""A plugin by its name, however somebody says it: an instrument, a plugin, a distribution, or where the class is."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Literal

import attrs

from livered_core.errors import PluginLoadError
from livered_core.hooks.inspection import HOOKS, Role, implemented_hooks
from livered_core.hooks.registry import (
    INSTRUMENTS,
    PLUGINS,
    PluginEntry,
    claimed_instrument,
    data_models,
    distribution_of,
    load_class,
    module_of,
    plain_name,
    settings_class,
)
from livered_core.hooks.spec import OUTWARD, TRANSFORMS

Kind = Literal["instrument", "transforms", "wrapper", "sink", "observer"]
"""What a plugin is for, seen from its hooks: ``instrument`` owns transforms and an instrument, ``transforms`` owns
transforms of any instrument, ``wrapper`` wraps those of another plugin, ``sink`` hands results on, and ``observer``
only hears of runs and failures."""

_PLACE: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[A-Z]")


@attrs.frozen(eq=False)
class NamedPlugin:
    """A plugin that was found and loaded.

    Attributes
    ----------
    entry
        As its distribution declares it; made up where the class was named by its place and nothing declares it.
    plugin_class
        Its class; its hooks have been checked.
    hooks
        The hooks that it implements, in their order, and whether it owns or wraps them.
    """

    entry: PluginEntry
    plugin_class: type
    hooks: dict[str, Role]

    @property
    def name(self) -> str:
        """Its name in the configuration: ``[plugins.<name>]``."""
        return self.entry.name

    @property
    def kind(self) -> Kind:
        """What it is for."""
        if self.entry.instrument is not None:
            return "instrument"
        roles = {self.hooks[hook] for hook in TRANSFORMS if hook in self.hooks}
        if "owner" in roles:
            return "transforms"
        if "wrapper" in roles:
            return "wrapper"
        return "sink" if any(hook in self.hooks for hook in OUTWARD) else "observer"

    @property
    def needs_instrument(self) -> bool:
        """Whether it can only be seen at work beside a plugin that reduces."""
        return self.kind in ("wrapper", "sink", "observer")

    @property
    def settings_class(self) -> type | None:
        """The class of its settings; None where it has none."""
        return settings_class(self.plugin_class)

    @property
    def data_models(self) -> tuple[str, ...]:
        """What data it can work with."""
        return data_models(self.plugin_class)

    def __str__(self) -> str:
        point = self.entry.entry_point
        return f"{self.name} ({point.value})" if point.dist is None else str(self.entry)


def find_plugin(name: str, available: Iterable[EntryPoint] | None = None) -> NamedPlugin:
    """Find a plugin and load its class.

    Parameters
    ----------
    name
        An instrument (``NOM``, in any case), a plugin (``publish_monitor``), a distribution (``livered-nom``), an
        import package (``livered_nom``), or the place of a class (``my_plugin:MyPlugin``), which need not be
        installed.
    available
        Entry points to look in; by default all that are installed.

    Raises
    ------
    PluginLoadError
        When there is none of that name, or more than one, with what there is; or when it cannot be loaded.
    """
    entry = find_entry(name, available)
    cls = load_class(entry)
    hooks = implemented_hooks(cls)
    return NamedPlugin(entry, cls, {hook: hooks[hook] for hook in HOOKS if hook in hooks})


def find_entry(name: str, available: Iterable[EntryPoint] | None = None) -> PluginEntry:
    """Find a plugin, and load nothing.

    Parameters
    ----------
    name, available
        As in `find_plugin`.

    Raises
    ------
    PluginLoadError
        When there is none of that name, or more than one, with what there is.
    """
    points = _all_points() if available is None else list(available)
    points = [point for point in points if point.group in (INSTRUMENTS, PLUGINS)]
    if ":" in name:
        return _at_place(name, points)
    for matches in _ways(name):
        found = [point for point in points if matches(point)]
        if found:
            return _the_only(name, found, points)
    raise PluginLoadError(_nothing_found(name, points))


def _all_points() -> list[EntryPoint]:
    return [*entry_points(group=INSTRUMENTS), *entry_points(group=PLUGINS)]


def _ways(name: str) -> Sequence[Callable[[EntryPoint], bool]]:
    """Give the ways to understand a name, the most exact first."""
    plain = plain_name(name)
    return (
        lambda point: point.group == INSTRUMENTS and point.name.lower() == name.lower(),
        lambda point: point.group == PLUGINS and point.name == name,
        lambda point: point.group == PLUGINS and plain_name(point.name) == plain,
        lambda point: point.dist is not None and plain_name(distribution_of(point)[0]) == plain,
        lambda point: plain_name(module_of(point).partition(".")[0]) == plain,
    )


def _the_only(name: str, found: Sequence[EntryPoint], points: Sequence[EntryPoint]) -> PluginEntry:
    values = sorted({point.value for point in found})
    if len(values) > 1:
        each = ", ".join(f"{point.name} ({point.value})" for point in _first_of_each(found))
        message = f"{name!r} stands for more than one plugin: {each}. Name one of them, or its class as module:Class."
        raise PluginLoadError(message)
    return _entry(found[0], points)


def _first_of_each(found: Sequence[EntryPoint]) -> list[EntryPoint]:
    return list({point.value: point for point in reversed(found)}.values())[::-1]


def _entry(point: EntryPoint, points: Sequence[EntryPoint]) -> PluginEntry:
    if point.group == INSTRUMENTS:
        claimed = claimed_instrument(point.name, points)
        assert claimed is not None
        return claimed
    return PluginEntry(point.name, point)


def _at_place(place: str, points: Sequence[EntryPoint]) -> PluginEntry:
    """Find who declares a class; make an entry point up where nobody does."""
    if not _PLACE.fullmatch(place):
        message = f"{place!r} is not the place of a class: write it as module:Class, for example my_plugin:MyPlugin."
        raise PluginLoadError(message)
    declared = [point for point in points if point.value.replace(" ", "") == place]
    if declared:
        return _entry(declared[0], points)
    module, _, cls = place.partition(":")
    _require_class(module, cls)
    words = _WORD.findall(cls.rpartition(".")[2])
    name = "_".join(word.lower() for word in words) or "plugin"
    return PluginEntry(name, EntryPoint(name, place, PLUGINS))


def _require_class(module: str, name: str) -> None:
    """See that a module has a class, so that what is wrong is said with what there is."""
    try:
        loaded = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        message = f"{module}:{name} cannot be loaded: {type(error).__name__}: {error}."
        raise PluginLoadError(message) from error
    found: object = loaded
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        there = sorted(
            key
            for key, value in vars(loaded).items()
            if isinstance(value, type) and value.__module__ == loaded.__name__
        )
        has = f"it has {', '.join(there)}" if there else "it has no class of its own"
        message = f"There is no {name} in {module} ({getattr(loaded, '__file__', None) or 'built in'}){_hint(name, there)}; {has}."
        raise PluginLoadError(message)


def _nothing_found(name: str, points: Sequence[EntryPoint]) -> str:
    instruments = sorted({point.name for point in points if point.group == INSTRUMENTS})
    plugins = sorted({point.name for point in points if point.group == PLUGINS})
    distributions = sorted({distribution_of(point)[0] for point in points} - {""})
    have = [
        f"{kind}: {', '.join(names)}"
        for kind, names in (("instruments", instruments), ("plugins", plugins))
        if names
    ]
    there = f"installed here are {'; '.join(have)}" if have else "no plugin is installed here"
    hint = _hint(name, [*instruments, *plugins, *distributions])
    return (
        f"There is no plugin {name!r}{hint}; {there}. Install its package (pip install -e FOLDER), "
        "or name its class as module:Class."
    )


def _hint(name: str, names: Iterable[str]) -> str:
    by_lower = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f" (did you mean {by_lower[close[0]]}?)" if close else ""
