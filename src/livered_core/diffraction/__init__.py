"""What diffraction plugins share: calibration, focusing, bins, normalisation, peaks.

Importing this package imports neither numba nor h5py: numba comes with the first call of `focus` or `warm_up`,
h5py with the first calibration file.
"""

from livered_core.diffraction.binning import linear_edges, log_edges, rebin_edges
from livered_core.diffraction.calibration import (
    Calibration,
    CalibrationFit,
    calibration_from_geometry,
    fit_calibration,
    read_calibration,
    write_calibration,
)
from livered_core.diffraction.focus import focus, warm_up
from livered_core.diffraction.histogram import FocusedHistogram
from livered_core.diffraction.normalise import NO_CHARGE, UAH_PER_PC, Intensity, normalise_by_charge
from livered_core.diffraction.peaks import Peak, strongest_peak
from livered_core.diffraction.reflections import DIAMOND_A, Reflection, cubic_reflections, nearest_reflection
from livered_core.diffraction.table import MASKED, UNKNOWN, FocusTable, Grouping, focus_table

__all__ = [
    "DIAMOND_A",
    "MASKED",
    "NO_CHARGE",
    "UAH_PER_PC",
    "UNKNOWN",
    "Calibration",
    "CalibrationFit",
    "FocusTable",
    "FocusedHistogram",
    "Grouping",
    "Intensity",
    "Peak",
    "Reflection",
    "calibration_from_geometry",
    "cubic_reflections",
    "fit_calibration",
    "focus",
    "focus_table",
    "linear_edges",
    "log_edges",
    "nearest_reflection",
    "normalise_by_charge",
    "read_calibration",
    "rebin_edges",
    "strongest_peak",
    "warm_up",
    "write_calibration",
]
