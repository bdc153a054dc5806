"""Which unit is meant, and what goes into one."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

from livered_core.cli.handover import chosen_environment, see_what_is_missing
from livered_core.config import (
    Config,
    HooksConfig,
    MantidConfig,
    Merged,
    PublishConfig,
    instrument_name,
    structure,
)
from livered_core.config.paths import expand_path
from livered_core.engine.activation import activated
from livered_core.engine.environment_choice import setting, unchecked_configuration, wanted_by
from livered_core.errors import ConfigError, PluginError
from livered_core.hooks.registry import find_instrument
from livered_core.interpreter import module_arguments
from livered_core.service.files import unit_folder
from livered_core.service.installed import InstalledUnit, installed_unit, installed_units
from livered_core.service.unit import ServiceUnit, unit_name

_REST_S: Final = 60.0
"""The last checkpoint 10 s, status 5 s, dashboard 10 s, screen 3 s; the rest is margin."""


def made_unit(merged: Merged, config_file: Path | None, env: str | None) -> ServiceUnit:
    """Make the unit; where an environment is chosen, its Python is the service's.

    Parameters
    ----------
    merged
        The configuration.
    config_file, env
        What ``--config`` and ``--env`` gave.

    Raises
    ------
    ConfigError
        When ``[service]`` is wrong, the folder is not there, or something is missing in the environment.
    """
    instrument = str(merged.values["instrument"])
    service = tables_of(merged, ("service",), Path.cwd()).service
    folder = Path.cwd() if service.working_directory is None else service.working_directory
    if not folder.is_dir():
        message = f"service.working_directory: {folder} is not there: make it, or name another."
        raise ConfigError(message)
    environment = chosen_environment(env, merged)
    # Not resolved: the interpreter of a virtual environment is a link to one that knows nothing of it.
    python, module = Path(sys.executable), module_arguments("livered_core")
    arguments = ["--instrument", instrument]
    if config_file is not None:
        arguments += ["--config", str(config_file.absolute())]
    run = ["run", "--plain", *arguments]
    if environment is not None:
        installed = see_what_is_missing(environment, activated(environment, os.environ), wanted_by(merged))
        python = environment.python
        module = module_arguments("livered_core", tuple(map(int, installed.python.split("."))))
        # `run` activates the environment at each start, as it is then; without the option, the configuration names it.
        if env is not None:
            run += ["--env", str(environment.prefix)] if env else ["--env"]
    if service.dashboard:
        run.append("--dashboard")
    return ServiceUnit(
        instrument=instrument,
        python=python,
        module=module,
        host=socket.gethostname(),
        working_directory=folder,
        check=("check", "--no-connect", *arguments),
        run=tuple(run),
        stop_timeout=_stop_timeout(merged),
        watchdog=service.watchdog,
        memory_max=service.memory_text,
        cores=service.cores,
        credentials=tuple(
            (name, expand_path(path, Path.cwd(), os.environ)) for name, path in service.credentials
        ),
        config="" if config_file is None else str(config_file.absolute()),
        version=version("livered-core"),
    )


def tables_of(merged: Merged, names: tuple[str, ...], working_dir: Path) -> Config:
    """Read some tables of a configuration that cannot be checked as a whole; the others have their defaults.

    Parameters
    ----------
    merged
        The configuration.
    names
        The tables.
    working_dir
        What relative paths among the defaults are relative to.

    Raises
    ------
    ConfigError
        When something is wrong in one of them.
    """
    kept = {"instrument", *names}
    values = {key: value for key, value in merged.values.items() if key in kept}
    sources = {path: source for path, source in merged.sources.items() if path.partition(".")[0] in kept}
    return structure(Merged(values, sources), {}, working_dir=working_dir)


def log_of(unit: InstalledUnit, folder: Path, environ: Mapping[str, str]) -> Path:
    """Find the log of a service.

    Parameters
    ----------
    unit
        The unit.
    folder
        Where it runs.
    environ
        Environment variables; the service does not have those of livered.
    """
    own = {name: value for name, value in environ.items() if not name.startswith("LIVERED_")}
    try:
        merged = unchecked_configuration(unit.instrument, Path(unit.config) if unit.config else None, {}, own)
        return Path(tables_of(merged, ("log",), folder).log.file)
    except ConfigError:
        return folder / "livereduce.log"


def chosen_unit(instrument: str | None, environ: Mapping[str, str]) -> InstalledUnit:
    """Find the unit that is meant: that of the instrument, or the only one.

    Raises
    ------
    ConfigError
        When there is none, or there are several and no instrument is named.
    """
    name = instrument or environ.get("LIVERED_INSTRUMENT")
    if name:
        return _unit_of(own_name(name, environ), environ)
    units = installed_units(environ)
    if len(units) == 1:
        return units[0]
    if not units:
        message = (
            "No service of livered is installed: `livered service install --instrument NOM` installs one."
        )
        raise ConfigError(message)
    message = f"There are services of {_names(units)}: say which with --instrument {units[0].instrument}."
    raise ConfigError(message)


def own_name(name: str | None, environ: Mapping[str, str]) -> str:
    """Give the instrument's own name for one that people use, as NOM for nomad.

    Raises
    ------
    ConfigError
        When it is no name of an instrument.
    """
    given = instrument_name(name, None, environ)
    # Installed in another environment, it is taken as it was given.
    with suppress(PluginError):
        entry = find_instrument(given)
        return entry.instrument or entry.name
    return given


def _unit_of(instrument: str, environ: Mapping[str, str]) -> InstalledUnit:
    path = unit_folder(environ) / unit_name(instrument)
    unit = installed_unit(path)
    if unit is None:
        others = installed_units(environ)
        there = f" (there are services of {_names(others)})" if others else ""
        message = (
            f"No service of {instrument} is installed{there}: "
            f"`livered service install --instrument {instrument}` installs one."
        )
        raise ConfigError(message)
    return unit


def _names(units: list[InstalledUnit]) -> str:
    return ", ".join(unit.instrument for unit in units)


def _stop_timeout(merged: Merged) -> float:
    """Add up what everything may take to stop, seconds; a value that is none counts as not given."""
    mantid = _number(setting(merged, "mantid", "stop_timeout"), MantidConfig().stop_timeout)
    publish = _number(setting(merged, "publish", "stop_timeout"), PublishConfig().stop_timeout)
    hooks = _number(setting(merged, "hooks", "stop_timeout"), HooksConfig().stop_timeout)
    # A hook of the chunk in hand, or Mantid; then the plugins' session_ended.
    return max(mantid, hooks) + hooks + publish + _REST_S


def _number(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return default
    try:
        number = float(value)
    except ValueError:
        return default
    return number if 0 <= number < float("inf") else default
