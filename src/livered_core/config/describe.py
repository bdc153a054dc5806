"""Every value of a configuration with its origin: what ``livered config show`` prints."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import attrs

from livered_core.config.layers import Merged
from livered_core.config.plugin_names import OWN_NAME, OWN_NAME_HELP
from livered_core.config.problems import DEFAULT_ORIGIN
from livered_core.config.schema import Config
from livered_core.config.toml import dotted


@attrs.frozen
class Row:
    """One value.

    Attributes
    ----------
    path
        Dotted path of the key.
    value
        Text, number, bool, None, or lists and dictionaries of these: can be written as JSON.
    origin
        Where it is from.
    help, unit
        What the key is for, and its unit; empty where not said.
    """

    path: str
    value: Any
    origin: str
    help: str
    unit: str


def describe(config: Config, merged: Merged) -> list[Row]:
    """List every value of a configuration.

    Parameters
    ----------
    config
        What `structure` made of `merged`.
    merged
        The merged layers, for the origins. A value that no layer gives has the origin ``built in``.

    Returns
    -------
    list of Row
        In the order of the classes, plugins last.
    """
    return list(_rows(config, (), merged, "", ""))


def _rows(value: Any, path: tuple[str, ...], merged: Merged, help_text: str, unit: str) -> Iterator[Row]:
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))
        for field in fields:
            about = field.metadata
            yield from _rows(
                getattr(value, field.name),
                (*path, field.name),
                merged,
                str(about.get("help", "")),
                str(about.get("unit", "")),
            )
        if fields:
            return
        value = {}
    elif isinstance(value, Mapping) and value:
        for key, item in value.items():
            below = (*path, str(key))
            if path == ("plugins",):
                yield from _own_name(below, merged)
            yield from _rows(item, below, merged, help_text, unit)
        return
    elif value is None and len(path) == 2 and path[0] == "plugins":
        value = {}  # a plugin without settings, as its table says it
    name = dotted(path)
    yield Row(name, plain(value), _origin(path, merged), help_text, unit)


def _own_name(path: tuple[str, ...], merged: Merged) -> Iterator[Row]:
    """Give the row of a plugin that runs under another name than its own."""
    table: Any = merged.values
    for key in path:
        table = table.get(key) if isinstance(table, Mapping) else None
    if isinstance(table, Mapping) and OWN_NAME in table:
        key_path = (*path, OWN_NAME)
        yield Row(dotted(key_path), str(table[OWN_NAME]), _origin(key_path, merged), OWN_NAME_HELP, "")


def _origin(path: tuple[str, ...], merged: Merged) -> str:
    """Give the origin of a leaf; one that came as part of a larger value has that value's."""
    for length in range(len(path), 0, -1):
        source = merged.sources.get(dotted(path[:length]))
        if source is not None:
            return source.origin
    return DEFAULT_ORIGIN


def plain(value: Any) -> Any:
    """Turn structured settings into text, numbers, bools, None, lists and dictionaries.

    Parameters
    ----------
    value
        An attrs object, or whatever its fields may hold. Paths become text; sets become sorted lists.
    """
    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value) if isinstance(value, PurePath) else repr(value)
