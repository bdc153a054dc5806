"""The facility's characterisation file: which vanadium and container belong to which chopper settings.

Layout: header lines, then one line for each setting: ``frequency(Hz) wavelength(Angstrom) bank vanadium_run empty_run
vanadium_background d_min d_max tof_min tof_max``. Lines that begin with ``#`` or ``L`` are headers, too. 0 or ``-``
stands for no run; several runs for one are separated by commas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from livered_core import DataModelError, SlowLog

FREQUENCY_LOGS = ("SpeedRequest1", "Speed1", "BL1B:Det:TH:BL:Frequency", "frequency")
WAVELENGTH_LOGS = ("LambdaRequest", "lambda", "skf12.lambda", "BL1B:Det:TH:BL:Lambda", "freq.lambda")
"""Logs that say the chopper settings, the first that is there counts: those of Mantid's PDDetermineCharacterizations."""

TOLERANCE = 0.05
"""Relative difference up to which settings are the same."""
_FEWEST_COLUMNS = 6


@attrs.frozen
class Characterization:
    """One line of the file.

    Attributes
    ----------
    frequency_hz, wavelength
        Of the choppers: hertz, Angstrom.
    vanadium, container, vanadium_background
        Run numbers; 0 for none. Where the file names several runs, the first.
    line
        Where it stands, counted from 1.
    """

    frequency_hz: float
    wavelength: float
    vanadium: int
    container: int
    vanadium_background: int
    line: int


def read_characterization(path: Path) -> tuple[Characterization, ...]:
    """Read the file.

    Raises
    ------
    DataModelError
        When it cannot be read, a line makes no sense, or it has no lines.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        message = f"Characterisation file {path} cannot be read ({error.strerror}): correct the path."
        raise DataModelError(message) from error
    entries = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or not _is_number(words[0]):
            continue
        if len(words) < _FEWEST_COLUMNS:
            message = f"Characterisation file {path} has {len(words)} columns in line {number}: it needs {_FEWEST_COLUMNS} or more."
            raise DataModelError(message)
        try:
            vanadium, container, background = (_run(word) for word in words[3:6])
            entries.append(
                Characterization(float(words[0]), float(words[1]), vanadium, container, background, number)
            )
        except ValueError:
            message = (
                f"Characterisation file {path} cannot be understood in line {number}: {line.strip()[:80]!r}."
            )
            raise DataModelError(message) from None
    if not entries:
        message = f"Characterisation file {path} has no line of chopper settings: give one that has."
        raise DataModelError(message)
    return tuple(entries)


def choose_characterization(
    entries: Sequence[Characterization], logs: Mapping[str, SlowLog]
) -> Characterization:
    """Choose the line for a run.

    Parameters
    ----------
    entries
        From `read_characterization`; not empty.
    logs
        Of the run. A setting that no log says is not compared.

    Raises
    ------
    DataModelError
        When no line fits, or several do that name different runs.
    """
    frequency, wavelength = _said(logs, FREQUENCY_LOGS), _said(logs, WAVELENGTH_LOGS)
    fitting = [
        entry
        for entry in entries
        if _fits(entry.frequency_hz, frequency) and _fits(entry.wavelength, wavelength)
    ]
    said = f"frequency {_show(frequency, 'Hz')} and wavelength {_show(wavelength, 'Angstrom')}"
    if not fitting:
        message = (
            f"The characterisation file has no line for {said}: add one, or name the files in the settings."
        )
        raise DataModelError(message)
    runs = {(entry.vanadium, entry.container, entry.vanadium_background) for entry in fitting}
    if len(runs) > 1:
        lines = ", ".join(str(entry.line) for entry in fitting)
        message = f"The characterisation file has several lines for {said} ({lines}): name the files in the settings."
        raise DataModelError(message)
    return fitting[0]


def _said(logs: Mapping[str, SlowLog], names: Sequence[str]) -> float | None:
    for name in names:
        value = logs[name].last if name in logs and len(logs[name].value) else None
        # A request of 0 is one that nobody made.
        if isinstance(value, float) and 0 < value < math.inf:
            return value
    return None


def _fits(wanted: float, said: float | None) -> bool:
    return said is None or math.isclose(wanted, said, rel_tol=TOLERANCE)


def _show(value: float | None, unit: str) -> str:
    return "not said by the run" if value is None else f"{value:g} {unit}"


def _run(word: str) -> int:
    first = word.split(",", maxsplit=1)[0].split(";", maxsplit=1)[0]
    return 0 if first == "-" else max(int(first), 0)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
