"""``livered service``: livered as a service of one person's systemd."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Final

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.handover import chosen_environment, env_option, see_what_is_missing
from livered_core.config import MantidConfig, Merged, PublishConfig
from livered_core.engine.activation import activated
from livered_core.engine.environment_choice import setting, unchecked_configuration, wanted_by
from livered_core.service.files import drop_ins, remove_unit, unit_folder, write_unit
from livered_core.service.unit import ServiceUnit, unit_name, unit_text

_NOT_TAKEN_ALONG: Final = ("PYTHONPATH", "PYTHONNOUSERSITE", "MANTIDPATH")
"""Variables beside ``LIVERED_*`` that change what livered does, and that a service does not have from a shell."""


@click.group()
def service() -> None:
    """Run livered as a service of your own systemd, without sudo."""


@service.command()
@options.instrument
@options.config_file
@env_option
@click.option("--print", "print_only", is_flag=True, help="Print the unit, and write nothing.")
def install(instrument: str | None, config_file: Path | None, env: str | None, print_only: bool) -> None:
    """Write the unit of an instrument, and say what to type next.

    The service runs in the folder in which this is typed, on this machine only.
    """
    merged = unchecked_configuration(instrument, config_file, {}, os.environ)
    unit = _unit(merged, config_file, env)
    text = unit_text(unit)
    if print_only:
        click.echo(text, nl=False)
        return
    path = unit_folder(os.environ) / unit.name
    changed = write_unit(path, text)
    say(f"{'Wrote' if changed else 'Nothing to change in'} {path}.")
    say(
        f"It runs livered for {unit.instrument} with {unit.python}, on {unit.host}, in {unit.working_directory}."
    )
    for file in drop_ins(path):
        say(f"Kept {file}, which changes it.")
    others = sorted(name for name in os.environ if name.startswith("LIVERED_") or name in _NOT_TAKEN_ALONG)
    if others:
        say(
            f"The service does not know what is set here only: {', '.join(others)}; put that into a configuration file."
        )
    say("Now type:")
    say("  systemctl --user daemon-reload")
    say(f"  systemctl --user enable --now {unit.name}")
    say("and once, so that it runs while you are not logged in:")
    say("  loginctl enable-linger")


@service.command()
@options.instrument
@options.config_file
def uninstall(instrument: str | None, config_file: Path | None) -> None:
    """Remove the unit of an instrument, and say what to type next."""
    merged = unchecked_configuration(instrument, config_file, {}, os.environ)
    path = unit_folder(os.environ) / unit_name(str(merged.values["instrument"]))
    removed = remove_unit(path)
    if not removed:
        say(f"There is no {path}: nothing to remove.")
        return
    for file in removed:
        say(f"Removed {file}.")
    for file in drop_ins(path):
        say(f"Kept {file}: remove it if it is of no more use.")
    say("Now type:")
    say("  systemctl --user daemon-reload")
    say(f"  systemctl --user stop {path.name}")


def _unit(merged: Merged, config_file: Path | None, env: str | None) -> ServiceUnit:
    """Make the unit; where an environment is chosen, its Python is the service's."""
    environment = chosen_environment(env, merged)
    # Not resolved: the interpreter of a virtual environment is a link to one that knows nothing of it.
    python = Path(sys.executable)
    arguments = ["--instrument", str(merged.values["instrument"])]
    if config_file is not None:
        arguments += ["--config", str(config_file.absolute())]
    run = ["run", "--plain", *arguments]
    if environment is not None:
        see_what_is_missing(environment, activated(environment, os.environ), wanted_by(merged))
        python = environment.python
        # `run` activates the environment at each start, as it is then; without the option, the configuration names it.
        if env is not None:
            run += ["--env", str(environment.prefix)] if env else ["--env"]
    return ServiceUnit(
        instrument=str(merged.values["instrument"]),
        python=python,
        host=socket.gethostname(),
        working_directory=Path.cwd(),
        check=("check", "--no-connect", *arguments),
        run=tuple(run),
        stop_timeout=_stop_timeout(merged),
    )


def _stop_timeout(merged: Merged) -> float:
    """Add up what Mantid and the sinks may take to stop, seconds; a value that is none counts as not given."""
    mantid = _number(setting(merged, "mantid", "stop_timeout"), MantidConfig().stop_timeout)
    return mantid + _number(setting(merged, "publish", "stop_timeout"), PublishConfig().stop_timeout)


def _number(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return default
    try:
        number = float(value)
    except ValueError:
        return default
    return number if 0 <= number < float("inf") else default
