"""What systemd says of the service of an instrument, where there is one; best effort, and within a second."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from livered_core.errors import ConfigError
from livered_core.service.files import unit_folder
from livered_core.service.installed import installed_unit
from livered_core.service.manager import Manager
from livered_core.service.state import PROPERTIES, UnitState
from livered_core.service.unit import unit_name

PATIENCE_S: Final = 1.0
"""Seconds that systemd has to answer."""


@attrs.frozen
class Unit:
    """The unit of an instrument.

    Attributes
    ----------
    name
        Its name.
    state
        What the service manager says of it; None where it does not answer.
    problem
        Why it does not, one sentence; else empty.
    config
        The configuration file that it was installed with; empty for none.
    """

    name: str
    state: UnitState | None = None
    problem: str = ""
    config: str = ""

    def sentence(self) -> str:
        """Say how it is doing."""
        if self.state is None:
            return f"{self.name}: {self.problem}"
        n_restarts = self.state.n_restarts
        restarts = f"; restarted {n_restarts} time{'' if n_restarts == 1 else 's'}" if n_restarts else ""
        return f"{self.name}: {self.state.sentence()}{restarts}"


def unit_of(instrument: str, environ: Mapping[str, str]) -> Unit | None:
    """Ask the person's systemd for the service of an instrument.

    Parameters
    ----------
    instrument
        Name of the instrument, or of its run directory.
    environ
        Environment variables.

    Returns
    -------
    Unit or None
        None where no unit is installed.
    """
    name = unit_name(instrument)
    try:
        path = unit_folder(environ) / name
        if not os.path.lexists(path):
            return None
    except (ConfigError, OSError):
        return None
    return attrs.evolve(_asked(name, environ), config=_config_of(path))


def _config_of(path: Path) -> str:
    try:
        unit = installed_unit(path)
    except ConfigError:
        return ""
    return "" if unit is None else unit.config


def _asked(name: str, environ: Mapping[str, str]) -> Unit:
    command = ["systemctl", "--user", "show", name, *(f"--property={key}" for key in PROPERTIES)]
    try:
        done = subprocess.run(  # noqa: S603  (a fixed program; the name is that of an instrument)
            command,
            env={**Manager.of(environ).environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Unit(name, problem=f"systemd has not answered within {PATIENCE_S:.0f} s.")
    except OSError as error:
        return Unit(name, problem=f"systemctl cannot be run ({error.strerror}).")
    if done.returncode != 0:
        return Unit(name, problem="no service manager of this user answers here.")
    pairs = (line.partition("=") for line in done.stdout.decode(errors="replace").splitlines())
    shown = {key: value for key, sign, value in pairs if sign}
    return Unit(name, UnitState.of(shown, time.monotonic()))
