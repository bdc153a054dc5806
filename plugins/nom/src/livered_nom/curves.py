"""From focused counts to the curves that people see, bank by bank."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import Curve, DataModelError
from livered_core.diffraction import (
    DIAMOND_A,
    FocusedHistogram,
    PeakFinder,
    Reflection,
    cubic_reflections,
    nearest_reflection,
)
from livered_nom.divisor import Usable
from livered_nom.measured import Measured

Note = float | int | str | bool

RELATIVE = "dimensionless"
"""Unit of intensities divided by vanadium's."""
_LEAST_D = 0.05
"""Reflections below are not looked up: nothing resolves them, Angstrom."""


@attrs.frozen(eq=False)
class BankPlan:
    """What is the same for the curves of the banks at each update.

    Attributes
    ----------
    finders
        For the peaks of each bank, on its bins.
    diamond
        Reflections of diamond that peaks on these bins may be near.
    diamond_from
        All those with this d or more are among them, Angstrom.
    """

    finders: tuple[PeakFinder, ...]
    diamond: tuple[Reflection, ...]
    diamond_from: float

    def finder(self, bank: int, edges: npt.NDArray[np.float64]) -> PeakFinder:
        """Return what finds peaks of a bank on bins, which need not be those of the plan."""
        finder = self.finders[bank]
        return finder if np.array_equal(finder.edges, edges) else PeakFinder(edges)

    def reflections(self, smallest: float) -> Sequence[Reflection]:
        """Return the reflections of diamond with a d of `smallest` or more, Angstrom."""
        if smallest < self.diamond_from:
            return cubic_reflections(DIAMOND_A, "diamond", smallest)
        return [reflection for reflection in self.diamond if reflection.d >= smallest]


def make_bank_plan(edges: npt.NDArray[np.float64]) -> BankPlan:
    """Prepare the curves of banks.

    Parameters
    ----------
    edges
        float64[banks, n + 1], bins of d-spacing, Angstrom.
    """
    smallest = _smallest(float(edges.min()))
    return BankPlan(
        finders=tuple(PeakFinder(of_bank) for of_bank in edges),
        diamond=cubic_reflections(DIAMOND_A, "diamond", smallest),
        diamond_from=smallest,
    )


def bank_curves(
    histogram: FocusedHistogram,
    sample: Measured,
    usable: Usable,
    plan: BankPlan,
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
    usable
        What is ready to correct with, normalised alike.
    plan
        From `make_bank_plan`.
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
    patterns, container, divisor = sample.d, usable.container, usable.divisor
    if container is not None:
        patterns = patterns.minus(container.d)
    without = np.zeros(len(histogram.counts), np.int64)
    if divisor is not None:
        ratio = patterns.divided_by(divisor.strong, RELATIVE)
        patterns, without = ratio.patterns, ratio.n_without
    curves = []
    for bank, label in enumerate(bank_labels):
        notes: dict[str, Note] = {
            "counts": int(histogram.counts[bank].sum()),
            **_peak_notes(plan, bank, histogram, calibrant),
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
                y_name="intensity" if divisor is None else "intensity relative to vanadium",
                metadata=notes,
            )
        )
    return curves


def _smallest(d: float) -> float:
    """Return the smallest d that is compared with a peak: the largest reflection always is, however far the peak."""
    return min(max(0.8 * d, _LEAST_D), DIAMOND_A / 2)


def _peak_notes(plan: BankPlan, bank: int, histogram: FocusedHistogram, calibrant: str) -> dict[str, Note]:
    """Say where the strongest peak stands and where the calibrant has one; empty while there is no peak."""
    peak = plan.finder(bank, histogram.edges[bank]).strongest(histogram.counts[bank])
    if peak is None:
        return {}
    notes: dict[str, Note] = {
        "strongest_peak_angstrom": round(peak.d, 4),
        "significance": round(peak.significance, 1),
    }
    if calibrant == "diamond":
        expected = nearest_reflection(peak.d, plan.reflections(_smallest(peak.d)))
        if expected is not None:
            notes["expected_peak_angstrom"] = round(expected.d, 4)
            notes["peak_difference_percent"] = round(100 * (peak.d / expected.d - 1), 3)
    return notes
