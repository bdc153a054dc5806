"""Whether a plugin can be called what somebody wants to call it."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution
from importlib.metadata import entry_points as installed_entry_points
from pathlib import Path
from typing import Final

from livered_core.config.validators import require_instrument_name
from livered_core.errors import ConfigError
from livered_core.hooks.registry import INSTRUMENTS, PLUGINS, PluginEntry, claimed_instrument
from livered_core.scaffold.request import Request

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
"""Both an identifier of Python and, with hyphens for underscores, the name of a distribution."""


def entry_points_now() -> list[EntryPoint]:
    """Return the entry points of all plugins that are installed."""
    return [*installed_entry_points(group=INSTRUMENTS), *installed_entry_points(group=PLUGINS)]


def check_names(request: Request, available: Sequence[EntryPoint] | None = None) -> None:
    """See that nothing else has the names of a plugin.

    Parameters
    ----------
    request
        What is asked for.
    available
        Entry points of plugins; by default all that are installed.

    Raises
    ------
    ConfigError
        When a name is none, or is taken.
    PluginLoadError
        When several packages claim the instrument already.
    """
    points = entry_points_now() if available is None else list(available)
    _check_spelling(request.name)
    if request.kind != "sink" or request.instrument is not None:
        require_instrument_name(request.instrument_name)
    if request.kind != "scripts":
        _check_module(request)
    if request.kind == "instrument":
        _check_instrument(request, points)
    if request.kind == "sink":
        _check_sink(request, points)


def owner_of(request: Request, available: Sequence[EntryPoint] | None = None) -> PluginEntry | None:
    """Return the installed plugin that owns the instrument; None where there is none.

    Raises
    ------
    PluginLoadError
        When several packages claim it.
    """
    return claimed_instrument(request.instrument_name, entry_points_now() if available is None else available)


def _check_spelling(name: str) -> None:
    if not _NAME.fullmatch(name):
        better = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        good = bool(_NAME.fullmatch(better)) and not keyword.iskeyword(better)
        hint = f", such as {better if good else 'my_instrument'}"
        message = (
            f"{name!r} cannot be the name of a package: write small letters, digits and single underscores, "
            f"beginning with a letter{hint}."
        )
        raise ConfigError(message)
    if keyword.iskeyword(name):
        message = f"{name!r} is a word of Python's own and cannot be imported: choose another name, such as my_{name}."
        raise ConfigError(message)


def _check_module(request: Request) -> None:
    """Refuse a name under which something else is imported."""
    name = request.name
    if name in sys.stdlib_module_names:
        message = f"{name!r} is a module of Python itself, which the plugin would hide: choose another name, such as my_{name}."
        raise ConfigError(message)
    where = _installed_at(name)
    if where:
        message = f"{name!r} is installed already, at {where}: choose another name, or uninstall it first."
        raise ConfigError(message)
    try:
        there = distribution(request.distribution)
    except PackageNotFoundError:
        return
    message = (
        f"A package {request.distribution} is installed already (version {there.version}): choose another name, "
        "or uninstall it first."
    )
    raise ConfigError(message)


def _installed_at(name: str) -> str:
    """Return where an importable module is; empty without, and for a folder that merely has the name."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return ""
    if spec is None:
        return ""
    if spec.origin is not None:
        return spec.origin
    here = Path.cwd()
    places = [place for place in spec.submodule_search_locations or () if Path(place).parent != here]
    return str(places[0]) if places else ""


def _check_instrument(request: Request, points: Sequence[EntryPoint]) -> None:
    name = request.instrument_name
    owner = claimed_instrument(name, points)
    if owner is not None:
        message = (
            f"{name} belongs already to the plugin {owner}: change that one, uninstall it first, or give another "
            "instrument with --instrument."
        )
        raise ConfigError(message)
    taken = _plugins(request.plugin_name, points)
    if taken:
        message = (
            f"The instrument {name} would have the table [plugins.{request.plugin_name}], which belongs to {_say(taken[0])}: "
            "give another name with --instrument."
        )
        raise ConfigError(message)


def _check_sink(request: Request, points: Sequence[EntryPoint]) -> None:
    owner = claimed_instrument(request.name, points)
    taken = _plugins(request.name, points)
    if owner is not None or taken:
        who = str(owner) if owner is not None else _say(taken[0])
        message = f"[plugins.{request.name}] belongs already to {who}: choose another name for the sink."
        raise ConfigError(message)


def _plugins(name: str, points: Sequence[EntryPoint]) -> list[EntryPoint]:
    return [point for point in points if point.group == PLUGINS and point.name == name]


def _say(point: EntryPoint) -> str:
    return str(PluginEntry(point.name, point))
