"""Times of flight to d-spacing with Mantid's algorithms, by the calibration of each pixel.

Mantid 6.2 and later: ApplyDiffCal puts the calibration to the instrument, and ConvertUnits converts by it, as
AlignAndFocusPowder has it done. Earlier: AlignDetectors, which takes the calibration itself.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from livered_core import DataModelError
from livered_core.diffraction import FocusTable
from livered_core.workspaces import run_algorithm, run_algorithm_for

_COLUMNS: Final = (("int", "detid"), ("double", "difc"), ("double", "difa"), ("double", "tzero"))
"""Of a calibration table, as LoadDiffCal makes it."""
_APPLY: Final = "ApplyDiffCal"
_COMPARED: Final = 64
_TOLERANCE: Final = 1e-6
"""Relative; leaving DIFA and TZERO out makes 1e-3."""


def has_algorithm(name: str) -> bool:
    """Tell whether this Mantid has an algorithm of this name."""
    from mantid.api import AlgorithmFactory

    return bool(AlgorithmFactory.exists(name))


def calibration_table(table: FocusTable, pixel_id: npt.NDArray[np.int64]) -> Any:
    """Make Mantid's table of the calibration of some pixels.

    LoadDiffCal would make it of the file, with numbers that it corrects on the way, differently in each version; so
    both backends count by the numbers that the file holds, and there may be no file. Only pixels in use are in it:
    ApplyDiffCal looks for each one through all of the instrument's.
    """
    made = run_algorithm("CreateEmptyTableWorkspace")
    for kind, name in _COLUMNS:
        made.addColumn(kind, name)
    columns = [column[pixel_id].tolist() for column in (table.difc, table.difa, table.tzero)]
    for row in zip(pixel_id.tolist(), *columns, strict=True):
        made.addRow(list(row))
    return made


def converts_wholly(table: FocusTable, pixel_id: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell of pixels whether Mantid can convert them: whether both limits of the times of flight have a d-spacing.

    ConvertUnits empties the whole spectrum otherwise, where AlignDetectors, and livered itself, leave out single
    events.

    Parameters
    ----------
    table
        Calibration, and range of times of flight.
    pixel_id
        int64[n].

    Returns
    -------
    bool[n]
        All true where AlignDetectors is used.
    """
    whole = np.ones(len(pixel_id), bool)
    if not has_algorithm(_APPLY):
        return whole
    for limit in (table.tof_min_us, table.tof_max_us):
        whole &= ~np.isnan(_d_spacing(table, pixel_id, limit))
    return whole


def to_d_spacing(events: Any, calibration: Any, table: FocusTable, pixel_id: npt.NDArray[np.int64]) -> Any:
    """Convert events from time of flight to d-spacing.

    Parameters
    ----------
    events
        An EventWorkspace that nobody else needs, with one bin over the range of times of flight.
    calibration
        Of `calibration_table`.
    table
        What it was made of.
    pixel_id
        int64[spectra], the pixel of each spectrum.

    Raises
    ------
    DataModelError
        When one of Mantid's algorithms fails, or it leaves the calibration out.
    """
    if not has_algorithm(_APPLY):
        return run_algorithm("AlignDetectors", InputWorkspace=events, CalibrationWorkspace=calibration)
    calibrated = run_algorithm_for(
        _APPLY, ("InstrumentWorkspace",), InstrumentWorkspace=events, CalibrationWorkspace=calibration
    )["InstrumentWorkspace"]
    converted = run_algorithm("ConvertUnits", InputWorkspace=calibrated, Target="dSpacing")
    _check(converted, table, pixel_id)
    return converted


def _check(events: Any, table: FocusTable, pixel_id: npt.NDArray[np.int64]) -> None:
    """Refuse a conversion that leaves the calibration out, as ConvertUnits of versions before 6.2 does.

    The limits of a spectrum's bin are converted as its events are, so that they can be compared.
    """
    places = np.unique(np.linspace(0, len(pixel_id) - 1, _COMPARED).astype(int))
    # Up to TZERO there are two d-spacings or none, and each version has its own.
    places = places[table.tzero[pixel_id[places]] < table.tof_min_us]
    pixels = pixel_id[places]
    expected = np.stack(
        [_d_spacing(table, pixels, limit) for limit in (table.tof_min_us, table.tof_max_us)], 1
    )
    for place, pixel, limits in zip(places.tolist(), pixels.tolist(), expected, strict=True):
        # Mantid turns all spectra round when the first one descends.
        found = np.sort(np.array(events.readX(place), np.float64)[[0, -1]])
        if not np.allclose(found, limits, rtol=_TOLERANCE, atol=0.0):
            message = (
                f"This Mantid converts times of flight of pixel {pixel} to d = {found[0]:g} to {found[1]:g} Angstrom "
                f"and the calibration to {limits[0]:g} to {limits[1]:g}: use Mantid 6.2 or later, or backend = "
                '"native".'
            )
            raise DataModelError(message)


def _d_spacing(table: FocusTable, pixel_id: npt.NDArray[np.int64], tof_us: float) -> npt.NDArray[np.float64]:
    """Solve TOF = DIFC d + DIFA d^2 + TZERO for the d that becomes TOF / DIFC without DIFA and TZERO; NaN for none.

    Written so that a small DIFA loses no digits (Kahan: On the cost of floating-point computation without
    extra-precise arithmetic, 2004), as Mantid's Unit dSpacing is.
    """
    difc, difa, tzero = (column[pixel_id] for column in (table.difc, table.difa, table.tzero))
    rest = tof_us - tzero
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(1.0 + 4.0 * difa * rest / (difc * difc))
        d = np.where(rest < 0, rest / (0.5 * difc * (1.0 - root)), rest / (0.5 * difc * (1.0 + root)))
    d = np.where(difa == 0, rest / difc, d)
    # There Mantid wants a root above 0, and there is none.
    return np.asarray(np.where((difa > 0) & (rest < 0), np.nan, d), np.float64)
