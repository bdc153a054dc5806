"""Merged layers to `Config`: strict, and all problems at once, each as a sentence."""

from __future__ import annotations

import os
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from livered_core.config.layers import EnvironmentText, Merged, Source
from livered_core.config.plugin_names import without_own_name
from livered_core.config.problems import DEFAULT_ORIGIN, Given, Place, Problem, Problems, problem
from livered_core.config.reading import make_converter
from livered_core.config.schema import Config
from livered_core.config.secrets import find_secrets
from livered_core.config.toml import dotted
from livered_core.config.validators import is_instrument_name, suggestion
from livered_core.config.wording import found
from livered_core.errors import ConfigError


def structure(
    merged: Merged,
    plugin_settings: Mapping[str, type | None],
    environ: Mapping[str, str] | None = None,
    working_dir: Path | None = None,
) -> Config:
    """Make the configuration of merged layers.

    Parameters
    ----------
    merged
        What `merge` gave. ``instrument`` must be among the values.
    plugin_settings
        For each plugin that is loaded, by name, its settings class (frozen attrs), or None when it has none.
        A plugin without a table gets its defaults. ``Config.plugins`` is in this order.
    environ
        Variables for ``$NAME`` and ``~`` in paths; the process's own by default.
    working_dir
        What relative paths among the built-in defaults are relative to; the working directory by default.

    Returns
    -------
    Config
        Every path in it absolute, or relative to nothing else than the root.

    Raises
    ------
    ConfigError
        With every problem: unknown keys, wrong types, values out of range, secrets, tables of plugins that are
        not in `plugin_settings`.
    """
    values = dict(merged.values)
    place = Place(
        environ=os.environ if environ is None else environ,
        defaults=Source(DEFAULT_ORIGIN, Path.cwd() if working_dir is None else working_dir),
        sources=merged.sources,
        instrument=_instrument(values),
        known_keys=tuple(known_keys(Config)),
    )
    converter = make_converter(place)
    problems: list[Problem] = [
        problem(place.given(path, None), what) for path, what in find_secrets(values, ())
    ]
    tables = values.pop("plugins", {})
    plugins: dict[str, Any] = {}
    try:
        plugins = _plugins(converter, place, tables, plugin_settings)
    except Problems as error:
        problems += error.problems
    try:
        core: Config = converter.structure(place.given((), values), Config)
    except Problems as error:
        problems += error.problems
    if problems:
        raise ConfigError(_sentences(problems))
    return attrs.evolve(core, plugins=plugins)


def _instrument(values: Mapping[str, Any]) -> str:
    """Give the name for ``{instrument}`` in paths; a name that is none is reported where it stands."""
    name = values.get("instrument")
    try:
        is_instrument_name(None, None, name if isinstance(name, str) else "")
    except ValueError:
        return "INSTRUMENT"
    return str(name)


def _plugins(
    converter: Any, place: Place, tables: Any, settings: Mapping[str, type | None]
) -> dict[str, Any]:
    tables = _unwrapped(tables)
    if not isinstance(tables, Mapping):
        given = place.given(("plugins",), tables)
        raise Problems([problem(given, f"must be a table with a table for each plugin, not {found(tables)}")])
    problems: list[Problem] = []
    structured: dict[str, Any] = {}
    for name in tables:
        if name not in settings:
            near = suggestion(name, settings)
            hint = f"; did you mean plugins.{near}?" if near else ": install the plugin or take the table out"
            problems.append(
                problem(place.given(("plugins", name), tables[name]), f"is not a plugin that is loaded{hint}")
            )
    for name, settings_class in settings.items():
        given = place.given(("plugins", name), without_own_name(_unwrapped(tables.get(name, {}))))
        try:
            if settings_class is None:
                _require_empty(place, given)
                structured[name] = None
            elif attrs.has(settings_class):
                structured[name] = converter.structure(given, settings_class)
            else:
                problems.append(
                    problem(
                        given, "cannot be read: the plugin's settings_class is not an attrs class; report it"
                    )
                )
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(problems)
    return structured


def _unwrapped(value: Any) -> Any:
    """Read a table that one environment variable gives as a whole."""
    return value.as_toml().get("value", value) if isinstance(value, EnvironmentText) else value


def _require_empty(place: Place, given: Given) -> None:
    if not isinstance(given.value, Mapping):
        raise Problems([problem(given, f"must be a table, not {found(given.value)}")])
    extra = [place.given((*given.path, str(key)), value) for key, value in given.value.items()]
    if extra:
        raise Problems(
            [problem(item, "is not a key: this plugin has no settings; take it out") for item in extra]
        )


def _sentences(problems: Iterable[Problem]) -> list[str]:
    """Keep the first problem of each path: what is reported as a secret is not reported as unknown too."""
    first: dict[str, str] = {}
    for item in problems:
        first.setdefault(dotted(item.path), item.sentence)
    return list(first.values())


def known_keys(kind: Any, path: tuple[str, ...] = ()) -> Iterable[str]:
    """Give the dotted paths of all keys of an attrs class and of the tables in it."""
    hints = typing.get_type_hints(kind)
    for attribute in attrs.fields(kind):
        below = hints[attribute.name]
        if isinstance(below, type) and attrs.has(below):
            yield from known_keys(below, (*path, attribute.name))
        else:
            yield dotted((*path, attribute.name))
