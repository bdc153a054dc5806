"""Which plugins are installed, by what their distributions declare: nothing of them is imported."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import attrs

from livered_core.hooks.registry import BUILT_IN, INSTRUMENTS, PLUGINS, distribution_of, module_of


@attrs.frozen
class InstalledPlugin:
    """A plugin as its distribution declares it.

    Attributes
    ----------
    name
        Its own name: that of its table in the configuration. Of an instrument's plugin, the shortest of its names.
    names
        All names of it: of an instrument's plugin the names of the instrument.
    entry_point
        ``module:Class``.
    distribution, version
        Of the distribution; empty where that is not known.
    file
        Path of its module, found without importing it; empty where it is not found.
    is_instrument
        Whether it owns an instrument.
    rivals
        Sentences on other distributions that provide one of the names; nothing runs under such a name.
    """

    name: str
    names: tuple[str, ...]
    entry_point: str
    distribution: str
    version: str
    file: str
    is_instrument: bool
    rivals: tuple[str, ...] = ()

    @property
    def is_built_in(self) -> bool:
        """Whether livered-core brings it and every session loads it."""
        return not self.is_instrument and self.name in BUILT_IN


def installed_plugins(available: Iterable[EntryPoint] | None = None) -> list[InstalledPlugin]:
    """Find all plugins: those of instruments first, each group by name.

    Parameters
    ----------
    available
        Entry points to look in; by default all that are installed.
    """
    points = None if available is None else list(available)
    groups = (
        entry_points(group=group) if points is None else [point for point in points if point.group == group]
        for group in (INSTRUMENTS, PLUGINS)
    )
    return [plugin for group in groups for plugin in _in_group(list(group))]


def file_of_module(name: str) -> str:
    """Find the file of a module without importing it; empty where it is not found, or has none."""
    top, *below = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
        for length in range(len(below)):
            places = None if spec is None else spec.submodule_search_locations
            if places is None:
                return ""
            full = ".".join([top, *below[: length + 1]])
            spec = importlib.machinery.PathFinder.find_spec(full, list(places))
    except (ImportError, AttributeError, ValueError, OSError):
        return ""
    if spec is None:
        return ""
    if spec.has_location and spec.origin is not None:
        return str(Path(spec.origin).absolute())
    return next(iter(spec.submodule_search_locations or ()), "")


def _in_group(points: list[EntryPoint]) -> list[InstalledPlugin]:
    together: dict[tuple[str, str], list[EntryPoint]] = {}
    for point in points:
        name = "" if point.group == INSTRUMENTS else point.name
        together.setdefault((distribution_of(point)[0], f"{name}={point.value}"), []).append(point)
    return sorted((_plugin(same, points) for same in together.values()), key=lambda plugin: plugin.name)


def _plugin(same: list[EntryPoint], group: list[EntryPoint]) -> InstalledPlugin:
    """Make one plugin of the names that one distribution gives one class."""
    first = same[0]
    is_instrument = first.group == INSTRUMENTS
    distribution, version = distribution_of(first)
    names = sorted({point.name for point in same}, key=lambda text: (len(text), text))
    return InstalledPlugin(
        name=names[0].lower() if is_instrument else names[0],
        names=tuple(names),
        entry_point=first.value,
        distribution=distribution,
        version=version,
        file=file_of_module(module_of(first)),
        is_instrument=is_instrument,
        rivals=tuple(filter(None, (_rivals(point, group) for point in same))),
    )


def _rivals(point: EntryPoint, group: list[EntryPoint]) -> str:
    """Say who else provides the name of a plugin; empty where nobody does."""
    is_instrument = point.group == INSTRUMENTS
    alike = [
        other
        for other in group
        if (other.name.lower() == point.name.lower() if is_instrument else other.name == point.name)
    ]
    if len({other.value for other in alike}) < 2:
        return ""
    who = sorted(" ".join(distribution_of(other)).strip() or other.value for other in alike)
    what = "the instrument" if is_instrument else "the plugin"
    all_of = "both" if len(who) == 2 else "all"
    return f"{' and '.join(who)} {all_of} provide {what} {point.name}, and livered does not start with it: uninstall all but one."
