"""Layers of configuration: where values come from, and how they are laid over each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from livered_core.config.toml import MAX_DEPTH, dotted, parse_toml
from livered_core.config.validators import require_instrument_name
from livered_core.config.xdg import xdg_folder
from livered_core.errors import ConfigError

ENVIRONMENT = "environment"
"""Origin of the layer that `environment_layer` makes."""

_PREFIX = "LIVERED_"


class EnvironmentText(str):
    """The text of an environment variable: read as TOML where the key wants another type than text."""

    __slots__ = ()

    def as_toml(self) -> dict[str, Any]:
        """Read the text as one TOML value: a dictionary with it as ``value``, empty where it is none."""
        try:
            document = parse_toml(f"value = {self}", ENVIRONMENT)
        except ConfigError:
            return {}
        return document if set(document) == {"value"} else {}  # a line break could add keys


@attrs.frozen
class Layer:
    """Values from one place.

    Attributes
    ----------
    origin
        Where they are from, for people: ``/etc/livered/NOM.toml``, ``environment``, ``command line``,
        ``packaged defaults of livered-nom 0.1.0``.
    values
        Nested mappings with text keys, as TOML gives them. None means "not given" and is passed over.
    base_dir
        Absolute folder that relative paths in this layer are relative to: the file's folder; the working
        directory for environment and command line.
    """

    origin: str
    values: Mapping[str, Any]
    base_dir: Path


@attrs.frozen
class Source:
    """Where one value is from: the origin and the base folder of its layer."""

    origin: str
    base_dir: Path


@attrs.frozen
class Merged:
    """All layers as one.

    Attributes
    ----------
    values
        Nested dictionaries. Tables are merged key by key; of anything else, lists too, the last layer's counts.
    sources
        Where each leaf is from, by dotted path (`livered_core.config.dotted`). A leaf is a value that is not a
        table, or an empty table.
    """

    values: Mapping[str, Any]
    sources: Mapping[str, Source]

    @property
    def origins(self) -> dict[str, str]:
        """Origin of each leaf, by dotted path."""
        return {path: source.origin for path, source in self.sources.items()}

    def without_plugins(self, names: Iterable[str]) -> Merged:
        """Leave out the tables of some plugins, for example of those that could not be loaded."""
        tables = self.values.get("plugins")
        if not isinstance(tables, Mapping):
            return self
        left_out = set(names)
        kept = {name: table for name, table in tables.items() if name not in left_out}
        values = {key: value for key, value in self.values.items() if key != "plugins"}
        if kept:
            values["plugins"] = kept
        return Merged(values, {dotted(path): self.sources[dotted(path)] for path, _ in leaves(values)})


def read_layer(path: Path, origin: str | None = None) -> Layer:
    """Read a TOML file.

    Parameters
    ----------
    path
        The file; its folder becomes `Layer.base_dir`.
    origin
        What to call it; the path as given by default.

    Raises
    ------
    ConfigError
        When the file cannot be read, is not UTF-8 or not TOML.
    """
    name = str(path) if origin is None else origin
    try:
        # utf-8-sig: editors on other systems put a byte order mark in front.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8 text (byte {error.start}): save it as UTF-8."
        raise ConfigError(message) from None
    except OSError as error:
        message = f"{name} cannot be read ({error.strerror}): check the path and its permissions."
        raise ConfigError(message) from None
    return parse_layer(text, name, path.absolute().parent)


def parse_layer(text: str, origin: str, base_dir: Path) -> Layer:
    """Make a layer of a TOML document.

    Parameters
    ----------
    text
        The document.
    origin
        Where it is from, for people.
    base_dir
        Folder that relative paths in it are relative to.

    Raises
    ------
    ConfigError
        When it is not TOML; the sentence names origin, line and column.
    """
    return Layer(origin, parse_toml(text, origin), base_dir)


def standard_layers(
    instrument: str, environ: Mapping[str, str], etc: Path = Path("/etc/livered")
) -> list[Layer]:
    """Read the files at the standard places, those that exist.

    Parameters
    ----------
    instrument
        Short name, for example ``NOM``.
    environ
        Environment variables; ``XDG_CONFIG_HOME`` and ``HOME`` are used.
    etc
        The machine's folder of configuration.

    Returns
    -------
    list of Layer
        ``etc/NOM.toml``, then ``$XDG_CONFIG_HOME/livered/NOM.toml`` (``~/.config`` by default): the person's own
        file is laid over the machine's.

    Raises
    ------
    ConfigError
        When the name is no instrument name, or a file is there and cannot be read or parsed; all such problems
        at once.
    """
    require_instrument_name(instrument)
    layers: list[Layer] = []
    problems: list[str] = []
    for folder in (etc, xdg_folder(environ, "XDG_CONFIG_HOME", ".config") / "livered"):
        path = folder / f"{instrument}.toml"
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            pass  # not readable: read_layer says so
        try:
            layers.append(read_layer(path))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return layers


def environment_layer(environ: Mapping[str, str], base_dir: Path | None = None) -> Layer:
    """Make a layer of the environment variables that start with ``LIVERED_``.

    ``LIVERED_UPDATE_EVERY`` is ``update_every``; tables are separated by two underscores, so that
    ``LIVERED_PLUGINS__NOM__CALIBRATION`` is ``plugins.nom.calibration``. Values stay text here, as
    `EnvironmentText`: `structure` knows what type the key wants and reads them as TOML where that fits.

    Parameters
    ----------
    environ
        Environment variables.
    base_dir
        Folder that relative paths are relative to; the working directory by default.

    Raises
    ------
    ConfigError
        When a name is malformed or two variables contradict each other.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name in sorted(environ):
        if not name.startswith(_PREFIX):
            continue
        keys = name[len(_PREFIX) :].lower().split("__")
        if not all(keys) or len(keys) > MAX_DEPTH:
            problems.append(
                f"The environment variable {name} names no key: write LIVERED_KEY or LIVERED_TABLE__KEY, or unset it."
            )
            continue
        table = values
        for key in keys[:-1]:
            below = table.setdefault(key, {})
            if not isinstance(below, dict):
                break
            table = below
        else:
            if keys[-1] not in table:
                table[keys[-1]] = EnvironmentText(environ[name])
                continue
        problems.append(
            f"The environment variable {name} contradicts another one that gives the same key or the table "
            "it is in: unset one of them."
        )
    if problems:
        raise ConfigError(problems)
    return Layer(ENVIRONMENT, values, Path.cwd() if base_dir is None else base_dir)


def merge(layers: Iterable[Layer]) -> Merged:
    """Lay layers over each other; the later wins.

    Parameters
    ----------
    layers
        From the weakest to the strongest.

    Returns
    -------
    Merged
        Keys stand in the order in which they first appeared. A table over a plain value, or a plain value over a
        table, replaces it whole. An empty table over a table changes nothing.
    """
    values: dict[str, Any] = {}
    sources: dict[tuple[str, ...], Source] = {}
    for layer in layers:
        _lay_over(values, sources, layer)
    # Only of the leaves that are left: sources of values that were replaced are still in there.
    return Merged(values, {dotted(path): sources[path] for path, _ in leaves(values)})


def _lay_over(values: dict[str, Any], sources: dict[tuple[str, ...], Source], layer: Layer) -> None:
    source = Source(layer.origin, layer.base_dir)
    for path, value in leaves(layer.values):
        if value is None:
            continue
        table = values
        for key in path[:-1]:
            if not isinstance(table.get(key), dict):
                table[key] = {}
            table = table[key]
        replaced = table.get(path[-1])
        is_table = isinstance(value, Mapping)
        if not (is_table and isinstance(replaced, dict) and replaced):
            table[path[-1]] = {} if is_table else value
            sources[path] = source


def leaves(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give each leaf of nested tables: values that are not tables, and empty tables.

    Yields
    ------
    path
        Keys from the outermost table inwards.
    value
        The value; an empty mapping for an empty table.
    """
    pending: list[tuple[tuple[str, ...], Any]] = [((str(key),), item) for key, item in values.items()]
    pending.reverse()
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping) and value:
            pending.extend(reversed([((*path, str(key)), item) for key, item in value.items()]))
        else:
            yield path, value


def instrument_name(option: str | None, config_file: Path | None, environ: Mapping[str, str]) -> str:
    """Find out which instrument is meant: option, then ``LIVERED_INSTRUMENT``, then the file's key.

    Parameters
    ----------
    option
        What ``--instrument`` gave.
    config_file
        What ``--config`` gave.
    environ
        Environment variables.

    Raises
    ------
    ConfigError
        When nothing names it, when the name is no instrument name, or when the file cannot be read.
    """
    name: Any = option or environ.get("LIVERED_INSTRUMENT")
    if not name and config_file is not None:
        name = read_layer(config_file).values.get("instrument")
    if not name:
        message = "No instrument is named: say which with --instrument NOM or LIVERED_INSTRUMENT=NOM."
        raise ConfigError(message)
    return require_instrument_name(name)


def join_origins(origins: Sequence[str]) -> str:
    """Write several origins as one, each once, in their order."""
    return ", ".join(dict.fromkeys(origins))
