"""From focused counts to the curves that people see, bank by bank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from livered_core import Curve, DataModelError
from livered_core.diffraction import (
    DIAMOND_A,
    FocusedHistogram,
    Patterns,
    cubic_reflections,
    nearest_reflection,
    strongest_peak,
)
from livered_nom.measured import Measured
from livered_nom.references import Corrections

Note = float | int | str | bool

RELATIVE = "dimensionless"
"""Unit of intensities divided by vanadium's."""
VANADIUM_SHARE = 0.01
"""Where vanadium falls below this part of a bank's maximum, nothing is divided by it."""


def bank_curves(
    histogram: FocusedHistogram,
    sample: Measured,
    corrections: Corrections,
    bank_labels: Sequence[str],
    calibrant: str,
) -> list[Curve]:
    """Make one curve for each bank: intensity against d-spacing, as far corrected as is possible now.

    Parameters
    ----------
    histogram
        Counts of the sample, one group for each bank of the settings.
    sample
        The same, normalised.
    corrections
        What is ready to correct with, normalised alike.
    bank_labels
        Of the curves, one for each bank.
    calibrant
        The powder in the beam whose reflections the peaks are compared with; empty for no comparison.

    Raises
    ------
    DataModelError
        When the histogram has not as many groups as there are banks.
    """
    if len(histogram.counts) != len(bank_labels):
        message = (
            f"What was accumulated has {len(histogram.counts)} groups for {len(bank_labels)} banks: "
            "begin the run again with these settings."
        )
        raise DataModelError(message)
    patterns, container, vanadium = sample.d, corrections.container, corrections.vanadium
    if container is not None:
        patterns = patterns.minus(container.d)
    without = np.zeros(len(histogram.counts), np.int64)
    if vanadium is not None:
        ratio = patterns.divided_by(_where_strong(vanadium.smooth), RELATIVE)
        patterns, without = ratio.patterns, ratio.n_without
    curves = []
    for bank, label in enumerate(bank_labels):
        notes: dict[str, Note] = {
            "counts": int(histogram.counts[bank].sum()),
            **_peak_notes(histogram.edges[bank], histogram.counts[bank], calibrant),
        }
        if without[bank]:
            notes["bins_without_vanadium"] = int(without[bank])
        if container is not None and patterns.y[bank].sum() < 0:
            notes["warning"] = "the container exceeds the sample"
        curves.append(
            Curve(
                label=label,
                x=patterns.edges[bank],
                y=patterns.y[bank],
                e=patterns.e[bank],
                x_unit="Angstrom",
                y_unit=patterns.unit,
                x_name="d-spacing",
                y_name="intensity" if vanadium is None else "intensity relative to vanadium",
                metadata=notes,
            )
        )
    return curves


def _where_strong(smooth: Patterns) -> Patterns:
    """Set vanadium to 0 where it is so weak that dividing by it shows nothing but noise."""
    width = np.diff(smooth.edges, axis=1) / (smooth.edges[:, 1:] + smooth.edges[:, :-1])
    density = smooth.y / width
    strong = density > VANADIUM_SHARE * density.max(axis=1, keepdims=True)
    return Patterns(smooth.edges, np.where(strong, smooth.y, 0.0), smooth.e, smooth.unit)


def _peak_notes(
    edges: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], calibrant: str
) -> dict[str, Note]:
    """Say where the strongest peak stands and where the calibrant has one; empty while there is no peak."""
    peak = strongest_peak(edges, counts)
    if peak is None:
        return {}
    notes: dict[str, Note] = {
        "strongest_peak_angstrom": round(peak.d, 4),
        "significance": round(peak.significance, 1),
    }
    if calibrant == "diamond":
        # The largest reflection is always among the candidates, however far from it the peak is.
        smallest = min(max(0.8 * peak.d, 0.05), DIAMOND_A / 2)
        candidates = cubic_reflections(DIAMOND_A, "diamond", smallest)
        expected = nearest_reflection(peak.d, candidates)
        if expected is not None:
            notes["expected_peak_angstrom"] = round(expected.d, 4)
            notes["peak_difference_percent"] = round(100 * (peak.d / expected.d - 1), 3)
    return notes
