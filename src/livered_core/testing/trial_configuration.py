"""What a plugin is tried with: a configuration of its own, in which nothing of the person's or the machine's counts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.config import Layer
from livered_core.config.toml import parse_toml
from livered_core.config.validators import require_instrument_name
from livered_core.engine.setup import LoadedConfiguration, load_configuration
from livered_core.errors import ConfigError, LiveredError
from livered_core.hooks.inspection import implemented_hooks
from livered_core.hooks.registry import (
    BUILT_IN,
    INSTRUMENTS,
    PLUGINS,
    PackagedDefaults,
    PluginEntry,
    claimed_instrument,
    find_instrument,
    load_class,
    packaged_defaults,
)
from livered_core.hooks.spec import TRANSFORMS
from livered_core.testing.instruments import small_instrument
from livered_core.testing.named import NamedPlugin
from livered_core.testing.trial_instrument import WHERE, DefaultInstrument

NO_INSTRUMENT: Final = "TST"
"""The instrument where nobody names one: the test kit's small one."""
RUN_LENGTH_S: Final = 10.0
"""Length of a simulated run."""

_ENVIRON: Final = ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
_PREFIX: Final = "LIVERED_"
_DEFAULTS: Final[Mapping[str, Any]] = {"update_every": 0.5}
_PLAYED: Final[Mapping[str, Any]] = {"n_runs": 1, "run_length": RUN_LENGTH_S, "speed": 0.0, "faults": []}


@attrs.frozen(eq=False)
class TrialConfiguration:
    """What a plugin is tried with.

    Attributes
    ----------
    loaded
        The configuration, checked, with the plugins that run.
    name
        The plugin's name in it: ``[plugins.<name>]``.
    beside
        Names of the other plugins that run, without those that are built in.
    stand_in
        Name of what stands in the place of an instrument's plugin; empty where it needs none.
    """

    loaded: LoadedConfiguration
    name: str
    beside: tuple[str, ...]
    stand_in: str = ""


@contextmanager
def private_places(folder: Path) -> Iterator[dict[str, str]]:
    """Give this process places of its own for what livered and plugins keep, and take ``LIVERED_...`` away.

    What plugins do to the environment and to the working directory ends with it.

    Parameters
    ----------
    folder
        Where they are made.

    Yields
    ------
    dict
        The variables. They are those of the process, too, until the context ends.
    """
    before, here = dict(os.environ), Path.cwd()
    try:
        for name in [name for name in before if name.startswith(_PREFIX)]:
            del os.environ[name]
        for name in _ENVIRON:
            place = folder / name.lower()
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.environ[name] = str(place)
        yield dict(os.environ)
    finally:
        os.environ.clear()
        os.environ.update(before)
        with suppress(OSError):  # it was removed meanwhile
            os.chdir(here)


def trial_configuration(
    named: NamedPlugin,
    folder: Path,
    *,
    instrument: str | None = None,
    recorded: Sequence[str] | None = None,
    config_file: Path | None = None,
    settings: Sequence[str] = (),
    output_dir: Path | None = None,
) -> TrialConfiguration:
    """Load what a plugin is tried with.

    Values count in this order: ``defaults.toml`` of the instrument's plugin, what a trial needs, `config_file`,
    `settings`. Files at the standard places and environment variables do not count: they may name plugins that
    send curves somewhere.

    Parameters
    ----------
    named
        The plugin.
    folder
        For files that the trial needs.
    instrument
        The instrument; None for the plugin's own, that of the recording, or `NO_INSTRUMENT`.
    recorded
        What a recording calls its instrument; None where data are simulated.
    config_file
        The plugin's settings, and others.
    settings
        ``key=value`` each, as in TOML: ``plugins.nom.calibration=/path/file.h5``.
    output_dir
        Where files are written; None for what the configuration says.

    Raises
    ------
    ConfigError
        When something is wrong with the configuration.
    PluginLoadError
        When a plugin cannot be loaded.
    """
    points = [*entry_points(group=INSTRUMENTS), *entry_points(group=PLUGINS)]
    if named.entry.entry_point not in points:
        points.append(named.entry.entry_point)
    name, points = _instrument(named, instrument, recorded, points)
    claimed = claimed_instrument(name, points)
    packaged = None if claimed is None else packaged_defaults(claimed)
    played: dict[str, Any] = {} if recorded is not None else dict(_PLAYED)
    flags: dict[str, Any] = {
        "run_transition": "restart" if recorded is not None else "stop",
        "from_start_of_run": True,
        "output_dir": None if output_dir is None else str(output_dir.absolute()),
        "simulate": played,
    }
    if claimed is None or claimed.entry_point.value != named.entry.entry_point.value:
        flags["plugins"] = {named.name: {}}
        if claimed is not None:
            flags["hooks"] = {"owner": _owned(named, claimed)}
    _lay_settings(flags, settings)
    defaults: dict[str, Any] = dict(_DEFAULTS)
    if recorded is None and not _has_definition(packaged):
        defaults["simulate"] = {"idf": str(_small_definition(name, folder))}
    loaded = load_configuration(
        name,
        config_file,
        flags,
        {key: value for key, value in os.environ.items() if not key.startswith(_PREFIX)},
        defaults=Layer("livered plugin test", defaults, Path.cwd()),
        available=points,
        standard=False,
    )
    own = next(entry.name for entry, cls in loaded.plugins if cls is named.plugin_class)
    beside = tuple(
        entry.name
        for entry, cls in loaded.plugins
        if entry.name not in (own, *BUILT_IN) and cls is not DefaultInstrument
    )
    stand_in = next((entry.name for entry, cls in loaded.plugins if cls is DefaultInstrument), "")
    return TrialConfiguration(loaded, own, beside, stand_in)


def _instrument(
    named: NamedPlugin,
    asked: str | None,
    recorded: Sequence[str] | None,
    points: list[EntryPoint],
) -> tuple[str, list[EntryPoint]]:
    """Choose the instrument, and give the entry points in which a plugin owns it where one is needed."""
    own = named.entry.instrument
    if own is not None:
        if asked is not None and _claimed_name(asked, points) != own:
            message = f"{named.name} is the plugin of {own}, and --instrument says {asked}: leave that out."
            raise ConfigError(message)
        return own, points
    if asked is not None:
        if named.needs_instrument:
            entry = find_instrument(asked, points)
            return entry.instrument or entry.name, points
        return _claimed_name(asked, points) or require_instrument_name(asked), points
    for name in recorded or ():
        claimed = _claimed_name(name, points)
        if claimed is not None and named.needs_instrument:
            return claimed, points
    name = next((name for name in recorded or () if _is_name(name)), NO_INSTRUMENT)
    # Whoever claims it is not wanted: the plugin reduces by itself, or is to be seen beside the defaults.
    points = [point for point in points if point.name.lower() != name.lower() or point.group != INSTRUMENTS]
    if named.needs_instrument:
        points.append(EntryPoint(name, WHERE, INSTRUMENTS))
    return name, points


def _owned(named: NamedPlugin, claimed: PluginEntry) -> dict[str, str]:
    """Let a plugin own what it implements where the instrument's plugin does, too."""
    theirs = implemented_hooks(load_class(claimed))
    return {
        hook: named.name
        for hook in TRANSFORMS
        if named.hooks.get(hook) == "owner" and theirs.get(hook) == "owner"
    }


def _claimed_name(name: str, points: list[EntryPoint]) -> str | None:
    entry: PluginEntry | None = claimed_instrument(name, points)
    return None if entry is None else entry.instrument


def _is_name(text: str) -> bool:
    try:
        require_instrument_name(text)
    except LiveredError:
        return False
    return True


def _has_definition(packaged: PackagedDefaults | None) -> bool:
    if packaged is None:
        return False
    simulate = parse_toml(packaged.text, packaged.origin).get("simulate", {})
    return isinstance(simulate, Mapping) and "idf" in simulate


def _small_definition(name: str, folder: Path) -> Path:
    """Write the definition of the test kit's small instrument where the simulator can read it."""
    path = folder / "small_instrument.xml"
    path.write_text(small_instrument(name).xml, encoding="utf-8")
    return path


def _lay_settings(flags: dict[str, Any], settings: Sequence[str]) -> None:
    """Lay ``key=value`` over values from the command line.

    Raises
    ------
    ConfigError
        With a sentence for each that cannot be read.
    """
    problems = []
    for setting in settings:
        key, sign, text = setting.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not sign or not all(parts):
            problems.append(f"--set {setting}: write it as KEY=VALUE, for example --set simulate.rate=1e6.")
            continue
        table: Any = flags
        for part in parts[:-1]:
            below = table.get(part)
            if not isinstance(below, dict):
                below = table[part] = {}
            table = below
        table[parts[-1]] = _value(text.strip())
    if problems:
        raise ConfigError(problems)


def _value(text: str) -> Any:
    """Read a value as TOML; what is none is a text, so that nobody has to quote for the shell and for TOML."""
    try:
        document = parse_toml(f"value = {text}", "--set")
    except ConfigError:
        return text
    return document["value"] if set(document) == {"value"} else text
