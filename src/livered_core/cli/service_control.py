"""``livered service start``, ``stop``, ``restart``, ``status`` and ``logs``."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.service_unit import chosen_unit, log_of
from livered_core.errors import EXIT_CONFIG, EXIT_OK, ConfigError
from livered_core.service.control_groups import without_effect
from livered_core.service.crash_report import left_behind
from livered_core.service.files import drop_ins, is_enabled
from livered_core.service.installed import InstalledUnit, installed_units, problems_of, settings_of
from livered_core.service.lingering import lingering_advice, lingers, user_name
from livered_core.service.manager import Manager, ManagerError
from livered_core.service.state import PROPERTIES, UnitState
from livered_core.service.tail import follow, last_lines, size_of, written_since

EXIT_NOT_RUNNING: Final = 3
EXIT_NOT_INSTALLED: Final = 4
"""As those of ``systemctl status``."""
_LAST_LINES: Final = 10
_LOOK_EVERY_S: Final = 0.25


@click.command(short_help="Start it, and wait until it has begun.")
@options.instrument
def start(instrument: str | None) -> None:
    """Start the service of an instrument, and wait until it has begun."""
    manager = Manager.of(os.environ)
    manager.require()
    unit = chosen_unit(instrument, os.environ)
    if _state(manager, unit).runs:
        say(f"{unit.instrument} runs already.")
        return
    _start(manager, unit, "start")


@click.command(short_help="Stop it in good order, and start it.")
@options.instrument
def restart(instrument: str | None) -> None:
    """Stop the service of an instrument in good order, and start it."""
    manager = Manager.of(os.environ)
    manager.require()
    _start(manager, chosen_unit(instrument, os.environ), "restart")


def start_anew(instrument: str, manager: Manager) -> None:
    """Start a service, or restart it where it runs.

    Raises
    ------
    LiveredError
        When it does not start.
    """
    manager.require()
    _start(manager, chosen_unit(instrument, os.environ), "restart")


@click.command(short_help="Stop it in good order.")
@options.instrument
def stop(instrument: str | None) -> None:
    """Stop the service of an instrument in good order: what it has is published and kept."""
    manager = Manager.of(os.environ)
    manager.require()
    unit = chosen_unit(instrument, os.environ)
    before = _state(manager, unit)
    if before.active in ("inactive", "failed") and before.restart_in_s is None:
        say(f"{unit.instrument} does not run.")
        return
    say(f"Stopping {unit.name} ...")
    begun_s = time.monotonic()
    done = manager.run("stop", unit.name)
    if done.status:
        message = f"{unit.instrument} could not be stopped: {done.errors.strip()}"
        raise ManagerError(message)
    after = _state(manager, unit)
    if after.result == "timeout":
        where = _where_it_was(log_of(unit, _folder(unit, manager), os.environ))
        message = f"{unit.instrument} did not stop in time, and was ended ({after.last_end()}).{where}"
        raise ManagerError(message)
    say(f"{unit.instrument} stopped, in {time.monotonic() - begun_s:.0f} s.")
    if after.active == "failed":
        said = f" It said: {after.status}" if after.status else ""
        say(f"It did not end in good order: {after.last_end()}.{said}")
    if is_enabled(unit.path):
        say(f"It begins again at your next login, unless you type: systemctl --user disable {unit.name}")


@click.command(
    short_help="Say how it is doing.", epilog="Exit codes: 0 runs, 3 does not run, 4 is not installed."
)
@options.instrument
def status(instrument: str | None) -> None:
    """Say how the service of an instrument is doing; without one, how all are."""
    try:
        units = [chosen_unit(instrument, os.environ)] if instrument else installed_units(os.environ)
        if not units:
            units = [chosen_unit(None, os.environ)]
    except ConfigError as error:
        say(f"livered: {error}", err=True)
        sys.exit(EXIT_NOT_INSTALLED)
    manager = Manager.of(os.environ)
    problem = manager.problem()
    running = [_tell(unit, manager, problem) for unit in units]
    if problem:
        say(problem)
    user = user_name()
    advice = lingering_advice(user, lingers(user))
    if advice:
        say(advice)
    sys.exit(EXIT_OK if all(running) else EXIT_NOT_RUNNING)


@click.command(short_help="Show its log.")
@options.instrument
@click.option("--follow", "-f", "follows", is_flag=True, help="Go on with what is written from now on.")
@click.option(
    "--lines",
    "-n",
    default=50,
    show_default=True,
    type=click.IntRange(0),
    help="So many of the last lines.",
)
@click.option("--journal", is_flag=True, help="What systemd has kept, instead of livered's own log.")
def logs(instrument: str | None, follows: bool, lines: int, journal: bool) -> None:
    """Show the log of an instrument's service."""
    unit = chosen_unit(instrument, os.environ)
    manager = Manager.of(os.environ)
    file = log_of(unit, _folder(unit, manager), os.environ)
    if journal or not (file.exists() or follows):
        if not journal:
            say(f"There is no {file} yet; this is what systemd has kept.", err=True)
        _show_journal(unit, manager, follows, lines)
        return
    if follows:
        with suppress(KeyboardInterrupt):
            for line in follow(file, lines, _pause):
                say(line)
        return
    try:
        last = last_lines(file, lines)
    except OSError as error:
        message = f"{file} cannot be read ({error.strerror}): see to its permissions."
        raise ManagerError(message) from None
    for line in last:
        say(line)


def _pause() -> bool:
    time.sleep(_LOOK_EVERY_S)
    return True


def _show_journal(unit: InstalledUnit, manager: Manager, follows: bool, lines: int) -> None:
    command = ["journalctl", "--user", "--no-pager", f"--unit={unit.name}", f"--lines={lines}"]
    command += ["--follow"] if follows else []
    try:
        done = subprocess.run(command, env=manager.environ, check=False)  # noqa: S603  (our own words)
    except OSError as error:
        message = f"journalctl cannot be run ({error.strerror}): without it nothing but the log is kept."
        raise ManagerError(message) from None
    except KeyboardInterrupt:
        return
    sys.exit(done.returncode)


def _start(manager: Manager, unit: InstalledUnit, verb: str) -> None:
    problems = problems_of(unit, socket.gethostname())
    if problems:
        raise ConfigError(
            [f"The service of {unit.instrument} does not start. {problem}" for problem in problems]
        )
    found = _state(manager, unit)
    if found.stale:
        manager.run("daemon-reload")
    # A person who starts it has seen to it: earlier failures do not count any more.
    manager.run("reset-failed", unit.name)
    log = log_of(unit, _folder(unit, manager), os.environ)
    before = size_of(log)
    say(f"{'Restarting' if found.runs else 'Starting'} {unit.name} ...")
    done = manager.run(verb, unit.name)
    state = _state(manager, unit)
    if done.status == 0 and state.runs:
        say(f"{unit.instrument}: {state.sentence()}")
        if state.status:
            _row("says", state.status)
        return
    for line in written_since(log, before)[-_LAST_LINES:]:
        say(f"  {line}", err=True)
    reason = state.sentence() if state.loaded else done.errors.strip()
    said = f" It said: {state.status}" if state.status else ""
    check = f"livered check --instrument {unit.instrument}"
    check += f" --config {shlex.quote(unit.config)}" if unit.config else ""
    look = f" See also `{check}`." if state.ended_by == EXIT_CONFIG else ""
    message = f"{unit.instrument} did not start: {reason}.{_where_it_was(log)}{said}{look}"
    raise ManagerError(message)


def _where_it_was(log: Path) -> str:
    """Say where a process that was ended was, as a sentence after others."""
    where = left_behind(log)
    return f" {where[0].upper()}{where[1:]}." if where else ""


def _tell(unit: InstalledUnit, manager: Manager, problem: str) -> bool:
    """Say how a service is doing; return whether it runs."""
    state = UnitState.of({}, 0.0) if problem else _state(manager, unit)
    say(f"{unit.instrument}: {'not known' if problem else state.sentence()}")
    if state.status and (state.runs or state.active == "failed" or state.restart_in_s is not None):
        _row("says" if state.runs else "last said", state.status)
    if state.main_pid:
        memory = "" if state.memory is None else f", {state.memory / 1e6:,.0f} MB of memory"
        _row("process", f"{state.main_pid}{memory}")
    if state.n_restarts:
        _row("restarts", f"{state.n_restarts} by systemd since somebody started it")
    _row("begins", "by itself, at login" if is_enabled(unit.path) else "only when it is started")
    _row("unit", unit.path)
    for file in drop_ins(unit.path):
        _row("drop-in", file)
    _row("log", log_of(unit, unit.working_directory if problem else _folder(unit, manager), os.environ))
    for sentence in [*problems_of(unit, socket.gethostname()), *_remarks(unit, state)]:
        _row("note", sentence)
    return state.runs


def _remarks(unit: InstalledUnit, state: UnitState) -> list[str]:
    remarks = []
    if state.stale:
        remarks.append(
            f"Its files have changed since: `livered service restart --instrument {unit.instrument}` takes them up."
        )
    here = version("livered-core")
    if unit.version != here:
        remarks.append(
            f"Its unit was written by livered {unit.version or 'of an earlier time'}, and this is {here}: install it "
            "again, as you did then."
        )
    idle = without_effect(settings_of(unit.path), state.main_pid) if state.main_pid else []
    if idle:
        remarks.append(
            f"{' and '.join(idle)} of the unit {'has' if len(idle) == 1 else 'have'} no effect: services of persons "
            "were not given the means on this machine. Whoever runs it can delegate them (docs/service.md)."
        )
    return remarks


def _row(what: str, value: object) -> None:
    say(f"  {what:10} {value}")


def _state(manager: Manager, unit: InstalledUnit) -> UnitState:
    return UnitState.of(manager.show(unit.name, PROPERTIES), time.monotonic())


def _folder(unit: InstalledUnit, manager: Manager) -> Path:
    """Give the folder in which a service runs, which a drop-in may have changed."""
    with suppress(OSError, subprocess.TimeoutExpired):
        shown = manager.show(unit.name, ("WorkingDirectory", "LoadState"))
        folder = shown.get("WorkingDirectory", "").lstrip("!-")
        if shown.get("LoadState") == "loaded" and folder.startswith("/"):
            return Path(folder)
    return unit.working_directory
