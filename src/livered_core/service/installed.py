"""What is installed: the units that livered wrote, read back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import attrs

from livered_core.errors import ConfigError
from livered_core.service.files import own_text, unit_folder

_SETTING = re.compile(r"(?m)^([A-Za-z]+)=(.*)$")
_DESCRIPTION = "livered, live data reduction of "


@attrs.frozen
class InstalledUnit:
    """A unit that livered wrote.

    Attributes
    ----------
    path
        Its file.
    instrument
        Short name.
    host
        The only machine on which it runs.
    working_directory
        Where it runs.
    python
        Its interpreter.
    config
        The configuration file that was given; empty for none.
    version
        Version of livered that wrote it; empty where the unit does not say.
    """

    path: Path
    instrument: str
    host: str
    working_directory: Path
    python: Path
    config: str
    version: str

    @property
    def name(self) -> str:
        """Name of the unit: ``livered-nom.service``."""
        return self.path.name


def installed_unit(path: Path) -> InstalledUnit | None:
    """Read a unit that livered wrote; None where there is none.

    Raises
    ------
    ConfigError
        When livered did not write it, or it cannot be read.
    """
    text = own_text(path)
    if text is None:
        return None
    settings = _settings(text)
    try:
        config = json.loads(settings.get("Config", '""'))
    except ValueError:
        config = ""
    program = re.match(r'"([^"]+)"', settings.get("ExecStart", ""))
    described = settings.get("Description", "")
    return InstalledUnit(
        path,
        described.removeprefix(_DESCRIPTION) or path.stem.partition("-")[2].upper(),
        settings.get("ConditionHost", "").replace("%%", "%"),
        Path(settings.get("WorkingDirectory", "/").replace("%%", "%")),
        Path(program[1].replace("%%", "%")) if program else Path("/"),
        str(config),
        settings.get("Version", ""),
    )


def settings_of(path: Path) -> dict[str, str]:
    """Give the settings of a unit that livered wrote, by name, without those of drop-ins; none where it is not there."""
    return _settings(own_text(path) or "")


def _settings(text: str) -> dict[str, str]:
    return dict(_SETTING.findall(text))


def installed_units(environ: Mapping[str, str]) -> list[InstalledUnit]:
    """Read all units that livered wrote for this person, in the order of their names; others are passed over."""
    units = []
    for path in sorted(unit_folder(environ).glob("livered-*.service")):
        try:
            unit = installed_unit(path)
        except ConfigError:
            continue
        if unit is not None:
            units.append(unit)
    return units


def problems_of(unit: InstalledUnit, host: str) -> list[str]:
    """Say why a unit cannot run livered on this machine as it stands: one sentence for each reason.

    Parameters
    ----------
    unit
        The unit.
    host
        Name of this machine.
    """
    if unit.host != host:
        return [
            f"It is for the machine {unit.host}, and this is {host}: look there, or type "
            f"`livered service install --instrument {unit.instrument}` to have it here instead."
        ]
    problems = []
    if not unit.working_directory.is_dir():
        problems.append(
            f"The folder in which it runs, {unit.working_directory}, is not there: make it, or install from another."
        )
    if not os.access(unit.python, os.X_OK):
        problems.append(
            f"Its Python, {unit.python}, is not there: type `livered service install` where livered is installed."
        )
    if unit.config and not Path(unit.config).is_file():
        problems.append(
            f"Its configuration, {unit.config}, is not there: bring it back, or install with another."
        )
    return problems
