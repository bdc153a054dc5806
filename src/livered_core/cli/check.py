"""``livered check``: say whether everything is in place to run."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.handover import chosen_environment, hand_over, is_here
from livered_core.clocks import SystemClock
from livered_core.config import DashboardConfig
from livered_core.engine.backend import choose_backend, report_mantid
from livered_core.engine.environment_choice import unchecked_configuration, wanted_by
from livered_core.engine.executors.looking import look_at_workers
from livered_core.engine.installed import environment_report
from livered_core.engine.request import start_problem
from livered_core.engine.rights import rights_warnings
from livered_core.engine.setup import LoadedConfiguration, load_configuration, make_plugins, plugin_problems
from livered_core.errors import EXIT_CONFIG, ConfigError, LiveredError
from livered_core.publish.files_settings import folder_problem
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.mantid_facilities import mantid_is_installed

_CONNECT_TIMEOUT_S = 5.0


@click.command(epilog="Exit codes: 0 all is well, 2 something is wrong.")
@options.instrument
@options.config_file
@click.option(
    "--no-connect",
    is_flag=True,
    help="Do not try to reach the data stream, the servers of sinks, or a scheduler of workers.",
)
@options.backend
@options.environment
def check(
    instrument: str | None, config_file: Path | None, no_connect: bool, backend: str | None, env: str | None
) -> None:
    """Say whether everything is in place to run: configuration, plugins, address, credentials, output folder.

    Where an environment is named, what is installed there is told, and the rest is checked there.
    """
    problems: list[str] = []
    flags = {"backend": backend}
    try:
        _tell_of_environment(env, instrument, config_file, flags)
        hand_over(env, instrument, config_file, flags)
        loaded = load_configuration(instrument, config_file, flags)
    except LiveredError as error:
        _finish(_sentences(error))
        return
    config, chosen = loaded.config, ""
    for sentence in rights_warnings(loaded):
        say(f"livered: Warning: {sentence}", err=True)
    _tell("configuration", ", ".join(dict.fromkeys(loaded.merged.origins.values())))
    try:
        chosen = choose_backend(config.backend, loaded.data_models)
        _tell("backend", chosen)
        plugins = make_plugins(loaded, chosen)
        for plugin in plugins:
            _tell("plugin", f"{plugin.name} ({plugin.distribution} {plugin.version})")
            problems += [] if no_connect else plugin_problems(plugin, "check_connection")
        if config.engine.executor != "single":
            told, wrong = look_at_workers(config, plugins, chosen, reach=not no_connect)
            _tell("workers", told)
            problems += wrong
    except LiveredError as error:
        problems += _sentences(error)
    address, start = config.address, start_problem(config, SystemClock().now_ns())
    problems += [start] if start else []
    try:
        address = _tell_of_mantid(loaded, chosen) or address
    except LiveredError as error:
        problems += _sentences(error)
    else:
        # Without Mantid's word on it, an address that the configuration does not give is not missing.
        if chosen or address:
            problems += _address_problems(address, connect=not no_connect)
    problems += _folder_problems(config.output_dir)
    problems += _dashboard_problems(config.dashboard)
    _finish(problems)


def _tell(what: str, text: Any) -> None:
    say(f"{what + ':':15}{text}")


def _tell_of_environment(
    option: str | None, instrument: str | None, config_file: Path | None, flags: Mapping[str, Any]
) -> None:
    """Tell what is installed in the environment that livered would run in, where that is another one.

    Raises
    ------
    ConfigError
        With what is missing there.
    """
    merged = unchecked_configuration(instrument, config_file, flags, os.environ)
    environment = chosen_environment(option, merged)
    if environment is None or is_here(environment.prefix):
        return
    lines, problems = environment_report(environment, wanted_by(merged), os.environ)
    for what, text in lines:
        _tell(what, text)
    if problems:
        raise ConfigError(problems)


def _sentences(error: LiveredError) -> list[str]:
    return list(error.problems) if isinstance(error, ConfigError) else [str(error)]


def _finish(problems: list[str]) -> None:
    for problem in problems:
        say(f"livered: {problem}", err=True)
    if problems:
        sys.exit(EXIT_CONFIG)
    say("All is well.")


def _why_not(loaded: LoadedConfiguration) -> str:
    """Say why Mantid was not chosen."""
    if not mantid_is_installed():
        return "it is not installed here"
    for (entry, _), models in zip(loaded.plugins, loaded.data_models, strict=True):
        if "mantid" not in models:
            return f"plugin {entry.name} does not work with its data"
    return "it cannot be imported; see above"


def _tell_of_mantid(loaded: LoadedConfiguration, backend: str) -> str:
    """Tell what Mantid is and knows, where it reads the stream; return the address that it would take."""
    config = loaded.config
    if backend != "mantid":
        if backend and config.backend == "auto":
            _tell("mantid", f"not used: {_why_not(loaded)}")
        return ""
    report = report_mantid(config)
    instrument = report.instrument
    _tell("mantid", report.version)
    _tell("facility", instrument.facility)
    _tell("instrument", f"{instrument.name} ({instrument.short_name})")
    _tell("listener", f"{report.listener or 'none in Facilities.xml'} at {report.address or 'no address'}")
    return report.address


def _address_problems(text: str, *, connect: bool) -> list[str]:
    if not text:
        return ["address is empty: say where the data stream is, as host:port."]
    if not connect:
        _tell("address", f"{text}, not tried")
        return []
    address = AdaraAddress.parse(text)
    try:
        socket.create_connection((address.host, address.port), _CONNECT_TIMEOUT_S).close()
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", "") or str(error) or "no answer").lower()
        return [
            f"address: {address} cannot be reached ({reason}): check it, and the network; --no-connect leaves this out."
        ]
    _tell("address", f"{address} answers")
    return []


def _dashboard_problems(config: DashboardConfig) -> list[str]:
    from livered_core.dashboard.gate import read_token
    from livered_core.dashboard.serve import access_problem

    problem = access_problem(config.host, has_token=config.token_file is not None)
    if problem:
        return [f"dashboard: {problem}"]
    try:
        if config.token_file is not None:
            read_token(config.token_file)
    except LiveredError as error:
        return [f"dashboard: {sentence}" for sentence in _sentences(error)]
    return []


def _folder_problems(folder: Path) -> list[str]:
    problem = folder_problem(folder)
    if problem is not None:
        return [f"output_dir: {problem}"]
    _tell("output folder", folder)
    return []
