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
from livered_core.diffraction.composition import NullScattererError, SampleScattering, sample_scattering
from livered_core.diffraction.filtering import FRAME_US, EventFilter, FilteredEvents, filter_events
from livered_core.diffraction.focus import FocusedTogether, focus, focus_all, warm_up
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
from livered_core.diffraction.merging import BankPatterns, ErrorsTogether, MergedPattern, merge_banks
from livered_core.diffraction.normalise import (
    NO_CHARGE,
    NO_MONITOR,
    Intensity,
    normalise_by_charge,
    normalise_by_monitor,
)
from livered_core.diffraction.pair_distribution import (
    PairDistribution,
    TransformOptions,
    TransformPlan,
    coordination_number,
    pair_distribution,
)
from livered_core.diffraction.patterns import Patterns, Ratio
from livered_core.diffraction.peaks import Peak, PeakFinder, strongest_peak
from livered_core.diffraction.plan import FocusPlan, plan_focusing
from livered_core.diffraction.reflections import DIAMOND_A, Reflection, cubic_reflections, nearest_reflection
from livered_core.diffraction.rod import VanadiumRod, multiple_scattering, rod_factor, transmission
from livered_core.diffraction.smoothing import bins_together, butterworth_error, butterworth_smooth
from livered_core.diffraction.statistics import (
    StatisticalError,
    Statistics,
    error_over_time,
    statistical_error,
    statistics,
    time_to_reach,
)
from livered_core.diffraction.structure_factor import (
    StructureFactor,
    structure_factor,
    structure_factor_by_scale,
)
from livered_core.diffraction.table import UNKNOWN, Axis, FocusTable, focus_table
from livered_core.diffraction.vanadium import PreparedVanadium, VanadiumOptions, prepare_vanadium
from livered_core.diffraction.vanadium_peaks import (
    VANADIUM_A,
    StrippedPatterns,
    StrippedPeak,
    strip_vanadium_peaks,
)
from livered_core.model.charge import UAH_PER_PC

__all__ = [
    "DIAMOND_A",
    "FRAME_US",
    "MASKED",
    "NO_CHARGE",
    "NO_MONITOR",
    "UAH_PER_PC",
    "UNKNOWN",
    "VANADIUM_A",
    "Axis",
    "BankPatterns",
    "Calibration",
    "CalibrationFit",
    "ErrorsTogether",
    "EventFilter",
    "FilteredEvents",
    "FocusPlan",
    "FocusTable",
    "FocusedHistogram",
    "FocusedTogether",
    "Grouping",
    "Intensity",
    "MergedPattern",
    "NullScattererError",
    "PairDistribution",
    "Patterns",
    "Peak",
    "PeakFinder",
    "PreparedVanadium",
    "Ratio",
    "Reflection",
    "SampleScattering",
    "StatisticalError",
    "Statistics",
    "StrippedPatterns",
    "StrippedPeak",
    "StructureFactor",
    "TransformOptions",
    "TransformPlan",
    "VanadiumOptions",
    "VanadiumRod",
    "bins_together",
    "butterworth_error",
    "butterworth_smooth",
    "calibration_from_geometry",
    "coordination_number",
    "cubic_reflections",
    "error_over_time",
    "filter_events",
    "fit_calibration",
    "focus",
    "focus_all",
    "focus_table",
    "group_all",
    "group_by_bank",
    "group_by_calibration",
    "group_by_two_theta",
    "linear_edges",
    "log_edges",
    "merge_banks",
    "multiple_scattering",
    "nearest_reflection",
    "normalise_by_charge",
    "normalise_by_monitor",
    "pair_distribution",
    "pixel_counts",
    "plan_focusing",
    "prepare_vanadium",
    "read_calibration",
    "rebin_edges",
    "rod_factor",
    "sample_scattering",
    "statistical_error",
    "statistics",
    "strip_vanadium_peaks",
    "strongest_peak",
    "structure_factor",
    "structure_factor_by_scale",
    "time_to_reach",
    "transmission",
    "warm_up",
    "write_calibration",
]
