"""The instrument definition that goes into a package, and what can be measured with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from livered_core.diffraction.table import MAX_PIXELS
from livered_core.errors import ConfigError, GeometryError
from livered_core.geometry import difc, moving_logs, read_instrument, tof_from_wavelength
from livered_core.model import Instrument, InstrumentDefinition

FRAME_US: Final = 16_667.0
"""Time between two pulses at 60 Hz, microseconds."""
SHORTEST_TOF_US: Final = 300.0
"""No frame begins earlier, microseconds."""
MIDDLE_WAVELENGTH: Final = 1.3
"""Where a frame that does not hold everything has its middle, Angstrom: there powders have their peaks."""
USUAL_D: Final = (0.4, 3.0)
"""Range of d-spacings that is shown of an instrument that sees it, Angstrom."""
MOST_BYTES: Final = 100_000_000
"""No instrument definition is longer."""
MOST_BANKS: Final = 100
"""Of an instrument with more banks than these, one curve of all pixels is shown unless somebody asks."""


@attrs.frozen
class Measured:
    """An instrument definition, and the neutrons that the simulated beamline can detect with it.

    Attributes
    ----------
    xml
        Its text.
    n_banks, n_pixels
        Of the instrument.
    tof_min_us, tof_max_us
        The frame, microseconds.
    d_min, d_max
        Range of d-spacings, Angstrom.
    """

    xml: str
    n_banks: int
    n_pixels: int
    tof_min_us: float
    tof_max_us: float
    d_min: float
    d_max: float

    @property
    def group_by(self) -> str:
        """Whether each bank gets a curve: ``"bank"`` or ``"all"``."""
        return "bank" if self.n_banks <= MOST_BANKS else "all"

    def d_at(self, part: float) -> float:
        """Return the d-spacing at a part of the range, from 0 to 1, on a logarithmic scale; Angstrom."""
        return _rounded(self.d_min * (self.d_max / self.d_min) ** part, 3)


def read_idf(path: Path) -> str:
    """Read the text of an instrument definition.

    Raises
    ------
    ConfigError
        When it cannot be read, or is longer than `MOST_BYTES`.
    """
    try:
        # Not all that has a name comes to an end.
        with path.expanduser().open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = "" if len(data) > MOST_BYTES else data.decode("utf-8-sig")
    except OSError as error:
        message = f"--idf: {path} cannot be read ({error.strerror}): correct the path."
        raise ConfigError(message) from error
    except UnicodeDecodeError as error:
        message = f"--idf: {path} is not UTF-8 text: give an instrument definition (XML)."
        raise ConfigError(message) from error
    if len(data) > MOST_BYTES:
        message = f"--idf: {path} is longer than {MOST_BYTES:,} bytes: give an instrument definition (XML)."
        raise ConfigError(message)
    return text


def measure(xml: str, instrument: str, origin: str) -> Measured:
    """See what can be measured with an instrument.

    Parameters
    ----------
    xml
        Text of its definition; from outside, not to be trusted.
    instrument
        Its name.
    origin
        Where the definition comes from, for people.

    Raises
    ------
    ConfigError
        When the definition cannot be used.
    """
    definition = InstrumentDefinition(instrument, xml)
    try:
        geometry = read_instrument(definition)
    except GeometryError as error:
        logs = _logs_of(definition)
        message = f"--idf: {origin} cannot be used: {error}"
        if logs:
            message = (
                f"--idf: {origin} has parts that are where logs say ({logs}), and the simulated beamline has none of them: "
                "give a copy in which these parts stand still."
            )
        raise ConfigError(message) from error
    lowest, highest = int(geometry.pixel_id[0]), int(geometry.pixel_id[-1])
    if lowest < 0 or highest >= MAX_PIXELS:
        message = (
            f"--idf: {origin} has pixel ids from {lowest} to {highest}, and events can be focused of pixels from 0 to "
            f"{MAX_PIXELS - 1}: give another definition."
        )
        raise ConfigError(message)
    constants = difc(geometry)
    usable = constants[np.isfinite(constants) & (constants > 0)]
    if not len(usable):
        message = f"--idf: {origin} has all its pixels in the direct beam, where nothing can be measured: give another definition."
        raise ConfigError(message)
    tof_min, tof_max = _frame(geometry)
    d_min, d_max = _d_range(tof_min / float(usable.max()), tof_max / float(usable.min()))
    n_pixels = len(geometry.pixel_id)
    return Measured(xml, len(geometry.bank_names), n_pixels, tof_min, tof_max, d_min, d_max)


def _logs_of(definition: InstrumentDefinition) -> str:
    """Name the logs by which something moves; empty without, and where the definition cannot be read at all."""
    try:
        return ", ".join(use.name for use in moving_logs(definition))
    except GeometryError:
        return ""


def _frame(geometry: Instrument) -> tuple[float, float]:
    """Give the frame: from the first neutrons where it holds everything, else around the wavelengths that matter."""
    path = geometry.l1 + float(np.median(geometry.l2))
    middle = tof_from_wavelength(MIDDLE_WAVELENGTH, path)
    begin = max(SHORTEST_TOF_US, float(round(middle - FRAME_US / 2)))
    # The frame of what begins with the first neutrons ends with the next pulse.
    return begin, FRAME_US if begin == SHORTEST_TOF_US else begin + FRAME_US


def _d_range(lowest: float, highest: float) -> tuple[float, float]:
    d_min, d_max = max(lowest, USUAL_D[0]), min(highest, USUAL_D[1])
    if d_max < 1.5 * d_min:
        d_min, d_max = lowest, highest
    low, high = _rounded(d_min, 2), _rounded(d_max, 2)
    return (low, high) if high > low else (d_min, d_max)


def _rounded(value: float, digits: int) -> float:
    return round(value, digits - 1 - math.floor(math.log10(value)))
