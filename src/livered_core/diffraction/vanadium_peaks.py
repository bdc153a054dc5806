"""Taking the Bragg peaks of vanadium out of its pattern.

Vanadium scatters almost everything incoherently, but its small Bragg peaks would go into whatever is divided by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.patterns import Patterns
from livered_core.diffraction.reflections import cubic_reflections

Floats = npt.NDArray[np.float64]

VANADIUM_A: Final = 3.0240
"""Lattice constant of vanadium (body-centred cubic) at room temperature, Angstrom."""

WIDTHS: Final = (0.003, 0.005, 0.008, 0.012, 0.02, 0.03, 0.045, 0.065)
"""Relative widths (FWHM / d) of peaks that are tried."""

_SMALLEST_D: Final = 0.48
"""Angstrom: vanadium's peaks below this are weak and near each other."""
_REACH: Final = 1.4
"""A peak reaches so many widths (FWHM) to either side: 3.3 standard deviations of a Gaussian."""
_BAND: Final = 2.0
"""The bands beside it from which the background is taken are so many widths wide."""
_SIGNIFICANT: Final = 3.0
"""Standard deviations: what stands out less is left, for it is as likely noise."""
_WIDEST: Final = 7.0
"""Joined regions of more widths than this are left: too little background is left between their peaks."""
_FEWEST_BINS: Final = 6
"""Bins that a background needs."""


@attrs.frozen
class StrippedPeak:
    """A region from which peaks were taken out.

    Attributes
    ----------
    group
        Index of the group.
    d_min, d_max
        The region, in the unit of the edges (Angstrom).
    removed
        What was taken out, in the unit of the pattern times bins.
    significance
        By how many standard deviations it stood out.
    """

    group: int
    d_min: float
    d_max: float
    removed: float
    significance: float


@attrs.frozen(eq=False)
class StrippedPatterns:
    """Patterns without vanadium's peaks.

    Attributes
    ----------
    patterns
        Errors are those that were there before.
    peaks
        What was taken out.
    widths
        Relative width (FWHM / d) found for each group; 0 where no peak stands out.
    """

    patterns: Patterns
    peaks: tuple[StrippedPeak, ...]
    widths: tuple[float, ...]


@attrs.frozen(eq=False)
class _Group:
    """One group: centres of bins, intensities and variances."""

    d: Floats
    y: Floats
    variance: Floats

    def near(self, low: float, high: float) -> npt.NDArray[np.bool_]:
        chosen: npt.NDArray[np.bool_] = (self.d >= low) & (self.d < high)
        return chosen


def strip_vanadium_peaks(patterns: Patterns, a: float = VANADIUM_A) -> StrippedPatterns:
    """Replace each Bragg peak of vanadium by the background beside it.

    For each group the width at which the peaks stand out most is found first: it follows from the group's
    resolution. Regions of that width around the reflections, joined where they overlap, are compared with a
    quadratic through bands on both sides; where more than three standard deviations stand out, the region is replaced
    by the quadratic. Nothing is fitted to noise: regions are where vanadium has reflections, and what is not
    significant stays. Regions that reach beyond the bins, or hold too many peaks to see a background, stay as they are.

    Mantid's StripVanadiumPeaks fits Gaussians instead, and subtracts them.

    Parameters
    ----------
    patterns
        Vanadium on bins of d-spacing, Angstrom; not modified.
    a
        Lattice constant, Angstrom.

    Returns
    -------
    StrippedPatterns
        On the same bins.
    """
    reflections = np.array([reflection.d for reflection in cubic_reflections(a, "bcc", _SMALLEST_D)])
    y = patterns.y.copy()
    peaks: list[StrippedPeak] = []
    widths: list[float] = []
    for index, edges in enumerate(patterns.edges):
        group = _Group((edges[:-1] + edges[1:]) / 2, patterns.y[index], patterns.e[index] ** 2)
        width, found = _best_width(group, reflections)
        widths.append(width)
        for low, high in found:
            judged = _judge(group, low, high, width, found)
            if judged is None:
                continue
            excess, significance, background = judged
            if significance > _SIGNIFICANT:
                inside = group.near(low, high)
                y[index, inside] = background[inside]
                peaks.append(StrippedPeak(index, low, high, excess, significance))
    return StrippedPatterns(
        Patterns(patterns.edges, y, patterns.e, patterns.unit), tuple(peaks), tuple(widths)
    )


def _best_width(group: _Group, reflections: Floats) -> tuple[float, list[tuple[float, float]]]:
    """Return the width at which peaks stand out most, and the regions for it; 0 and none where none stands out."""
    best, best_width, best_regions = 0.0, 0.0, list[tuple[float, float]]()
    for width in WIDTHS:
        regions = _regions(group, reflections, width)
        judged = [_judge(group, low, high, width, regions) for low, high in regions]
        found = [one for one in judged if one is not None]
        excess = sum(one[0] for one in found)
        variance = sum((one[0] / one[1]) ** 2 for one in found if one[1] > 0)
        # A region wider than its peaks has no more excess, and more noise.
        total = excess / np.sqrt(variance) if variance > 0 else 0.0
        if total > best:
            best, best_width, best_regions = float(total), width, regions
    return (best_width, best_regions) if best > _SIGNIFICANT else (0.0, [])


def _regions(group: _Group, reflections: Floats, width: float) -> list[tuple[float, float]]:
    """Return the regions of the reflections, joined where they overlap, that leave a background on both sides."""
    joined: list[list[float]] = []
    for d in sorted(reflections.tolist()):
        low, high = d * (1 - _REACH * width), d * (1 + _REACH * width)
        if joined and low < joined[-1][1]:
            joined[-1][1] = high
        else:
            joined.append([low, high])
    first, last = float(group.d[0]), float(group.d[-1])
    return [
        (low, high)
        for low, high in joined
        if low * (1 - _BAND * width) >= first
        and high * (1 + _BAND * width) <= last
        and high - low <= _WIDEST * width * (low + high) / 2
    ]


def _judge(
    group: _Group, low: float, high: float, width: float, regions: Sequence[tuple[float, float]]
) -> tuple[float, float, Floats] | None:
    """Return what stands out in a region, its significance, and the background; None where there is no background."""
    beside = group.near(low * (1 - _BAND * width), high * (1 + _BAND * width))
    for other_low, other_high in regions:
        beside &= ~group.near(other_low, other_high)
    inside = group.near(low, high)
    left, right = beside & (group.d < low), beside & (group.d >= high)
    if min(np.count_nonzero(left), np.count_nonzero(right)) < _FEWEST_BINS or not inside.any():
        return None
    middle, half = (low + high) / 2, (high - low) / 2
    along = (group.d - middle) / half
    powers = np.stack([np.ones_like(along), along, along**2])
    basis = powers[:, beside]
    normal = np.linalg.inv(basis @ basis.T)
    coefficients = normal @ (basis @ group.y[beside])
    background = coefficients @ powers
    excess = float(group.y[inside].sum() - background[inside].sum())
    # The background is linear in the data beside: its sum over the region has the variance of that combination.
    weights = powers[:, inside].sum(axis=1) @ normal @ basis
    variance = float(group.variance[inside].sum() + (weights**2 * group.variance[beside]).sum())
    significance = excess / np.sqrt(variance) if variance > 0 else 0.0
    return excess, float(significance), background
