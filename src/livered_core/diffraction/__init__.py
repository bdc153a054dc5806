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
from livered_core.diffraction.filtering import EventFilter, FilteredEvents, filter_events
from livered_core.diffraction.focus import focus, warm_up
from livered_core.diffraction.grouping import (
    MASKED,
    Grouping,
    group_all,
    group_by_bank,
    group_by_calibration,
    group_by_two_theta,
    pixel_counts,
)
from livered_core.diffraction.histogram import FocusedHistogram
from livered_core.diffraction.normalise import (
    NO_CHARGE,
    NO_MONITOR,
    UAH_PER_PC,
    Intensity,
    normalise_by_charge,
    normalise_by_monitor,
)
from livered_core.diffraction.peaks import Peak, strongest_peak
from livered_core.diffraction.reflections import DIAMOND_A, Reflection, cubic_reflections, nearest_reflection
from livered_core.diffraction.table import UNKNOWN, Axis, FocusTable, focus_table

__all__ = [
    "DIAMOND_A",
    "MASKED",
    "NO_CHARGE",
    "NO_MONITOR",
    "UAH_PER_PC",
    "UNKNOWN",
    "Axis",
    "Calibration",
    "CalibrationFit",
    "EventFilter",
    "FilteredEvents",
    "FocusTable",
    "FocusedHistogram",
    "Grouping",
    "Intensity",
    "Peak",
    "Reflection",
    "calibration_from_geometry",
    "cubic_reflections",
    "filter_events",
    "fit_calibration",
    "focus",
    "focus_table",
    "group_all",
    "group_by_bank",
    "group_by_calibration",
    "group_by_two_theta",
    "linear_edges",
    "log_edges",
    "nearest_reflection",
    "normalise_by_charge",
    "normalise_by_monitor",
    "pixel_counts",
    "read_calibration",
    "rebin_edges",
    "strongest_peak",
    "warm_up",
    "write_calibration",
]
