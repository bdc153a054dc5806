"""``livered service``: livered as a service of one person's systemd."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.service_control import logs, restart, start, start_anew, status, stop
from livered_core.cli.service_unit import made_unit, own_name
from livered_core.engine.environment_choice import unchecked_configuration
from livered_core.service.files import drop_ins, enable, is_enabled, remove_unit, unit_folder, write_unit
from livered_core.service.installed import InstalledUnit, installed_unit
from livered_core.service.lingering import lingering_advice, lingers, user_name
from livered_core.service.manager import Manager
from livered_core.service.state import PROPERTIES, UnitState
from livered_core.service.unit import ServiceUnit, unit_name, unit_text

_NOT_TAKEN_ALONG: Final = ("PYTHONPATH", "PYTHONNOUSERSITE", "MANTIDPATH")
"""Variables beside ``LIVERED_*`` that change what livered does, and that a service does not have from a shell."""
_RELOAD: Final = "systemctl --user daemon-reload"


@click.group()
def service() -> None:
    """Run livered as a service of your own systemd, without sudo.

    One for each instrument. Where --instrument is left out and one is installed, that one is meant, but by install and
    uninstall.
    """


@service.command(short_help="Install it, or bring it up to date.")
@options.instrument
@options.config_file
@options.environment
@click.option("--now", is_flag=True, help="Start it as well, or restart it where it runs.")
@click.option("--print", "print_only", is_flag=True, help="Print the unit, and write nothing.")
def install(
    instrument: str | None, config_file: Path | None, env: str | None, now: bool, print_only: bool
) -> None:
    """Install the service of an instrument, or bring it up to date.

    It runs on this machine only, in the folder in which this is typed unless [service] names another, and begins by
    itself at the next login or boot. Nothing is started without --now. Changes of your own (drop-ins) stay.
    """
    merged = unchecked_configuration(instrument, config_file, {}, os.environ)
    unit = made_unit(merged, config_file, env)
    text = unit_text(unit)
    if print_only:
        click.echo(text, nl=False)
        return
    path = unit_folder(os.environ) / unit.name
    before = installed_unit(path)
    changed = write_unit(path, text)
    say(f"{'Wrote' if changed else 'Nothing to change in'} {path}.")
    _tell_what_it_runs(unit, before)
    for file in drop_ins(path):
        say(f"Kept {file}, which changes it.")
    for sentence in _credential_problems(unit):
        say(sentence)
    others = sorted(name for name in os.environ if name.startswith("LIVERED_") or name in _NOT_TAKEN_ALONG)
    if others:
        say(
            f"The service does not know what is set here only: {', '.join(others)}; put that into a configuration file."
        )
    if before is None:
        enable(path)
    if is_enabled(path):
        say("It begins by itself at your next login.")
    else:
        say(f"It does not begin by itself, as you chose; `systemctl --user enable {unit.name}` changes that.")
    manager = Manager.of(os.environ)
    reachable = _reload(manager)
    _tell_of_lingering()
    if now:
        start_anew(unit.instrument, manager)
    elif reachable:
        _tell_next(unit, manager)
    else:
        say(f"and then, to start it: livered service start --instrument {unit.instrument}")


@service.command(short_help="Stop it, and remove it.")
@options.instrument
def uninstall(instrument: str | None) -> None:
    """Stop the service of an instrument, and remove it; drop-ins, log and results stay."""
    name = own_name(instrument, os.environ)
    path = unit_folder(os.environ) / unit_name(name)
    unit = installed_unit(path)
    if unit is None:
        say(f"There is no {path}: nothing to remove.")
        return
    manager = Manager.of(os.environ)
    problem = manager.problem()
    if not problem and UnitState.of(manager.show(unit.name, PROPERTIES), 0.0).active != "inactive":
        say(f"Stopping {unit.name} ...")
        done = manager.run("stop", unit.name)
        if done.status:
            say(f"It could not be stopped: {done.errors.strip()}")
    for file in remove_unit(path):
        say(f"Removed {file}.")
    for file in drop_ins(path):
        say(f"Kept {file}: remove it if it is of no more use.")
    if not problem:
        manager.run("daemon-reload")
        manager.run("reset-failed", unit.name)
        return
    say(problem)
    say("If the service still runs, type when it answers:")
    say(f"  {_RELOAD}")
    say(f"  systemctl --user stop {path.name}")


for command in (start, stop, restart, status, logs):
    service.add_command(command)


def _tell_what_it_runs(unit: ServiceUnit, before: InstalledUnit | None) -> None:
    say(
        f"It runs livered for {unit.instrument} with {unit.python}, on {unit.host}, in {unit.working_directory}."
    )
    if before is not None and before.host not in ("", unit.host):
        say(
            f"It was for {before.host} before, and a service of livered is for one machine. If it still runs there, "
            f"type there: systemctl --user daemon-reload; systemctl --user stop {unit.name}"
        )
    if before is not None and before.working_directory != unit.working_directory:
        say(f"It ran in {before.working_directory} before: its older log is there.")
    if before is not None and before.config != unit.config:
        say(
            f"It was installed with --config {before.config or '(none)'} before, and now with {unit.config or 'none'}."
        )


def _credential_problems(unit: ServiceUnit) -> list[str]:
    """Say what is wrong with files that systemd is to hand over; the service would not start, or tell others."""
    problems = []
    for name, path in unit.credentials:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            problems.append(
                f"The credential {name}, {path}, cannot be read ({error.strerror}): without it the service does not start."
            )
            continue
        if stat.S_IMODE(mode) & 0o077:
            problems.append(f"The credential {name}, {path}, can be read by others: type `chmod 600 {path}`.")
    return problems


def _reload(manager: Manager) -> bool:
    """Let the manager read the units anew; say what to type where none answers."""
    problem = manager.problem()
    if not problem:
        done = manager.run("daemon-reload")
        if done.status == 0:
            say("systemd has read it.")
            return True
        problem = f"systemd could not read it: {done.errors.strip()}"
    say(problem)
    say("When it answers, type:")
    say(f"  {_RELOAD}")
    return False


def _tell_of_lingering() -> None:
    user = user_name()
    advice = lingering_advice(user, lingers(user))
    if advice:
        say(advice)


def _tell_next(unit: ServiceUnit, manager: Manager) -> None:
    if UnitState.of(manager.show(unit.name, PROPERTIES), 0.0).runs:
        say(
            f"It runs, as it was begun; to begin it anew: livered service restart --instrument {unit.instrument}"
        )
    else:
        say(f"To start it: livered service start --instrument {unit.instrument}")
