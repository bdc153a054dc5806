"""Finding the strongest Bragg peak of a pattern, while there are few counts."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.columns import float64_column
from livered_core.diffraction.peak_windows import SIDE_FAR, SIDE_NEAR, Bins, Search

Floats = npt.NDArray[np.float64]

WIDTHS = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064)
"""Relative widths of peaks (FWHM / d) that are looked for: from backscattering to small angles."""

_CANDIDATES = 20
"""So many places are looked at before a pattern counts as having no peak."""


@attrs.frozen
class Peak:
    """A peak.

    Attributes
    ----------
    d
        Position: centroid of what stands above the background, in the unit of the edges (Angstrom).
    height
        Counts per bin above the background, at the top.
    fwhm
        Full width at half of the height, in the unit of `d`: an estimate.
    significance
        By how many standard deviations the peak's counts exceed those beside it, on the side that is higher.
    """

    d: float
    height: float
    fwhm: float
    significance: float


@attrs.frozen(eq=False)
class _Pattern:
    """Counts on their bins, and sums that make the counts of any window cheap."""

    bins: Bins
    counts: Floats
    summed: Floats

    @classmethod
    def of(cls, bins: Bins, counts: Floats) -> _Pattern:
        inside = counts[bins.first :]
        return cls(bins, inside, np.concatenate(([0.0], np.cumsum(inside))))


class PeakFinder:
    """Finds the strongest peak of one pattern after the other on the same bins. Safe from any thread.

    What depends on the bins alone is worked out once.

    Parameters
    ----------
    edges
        float64[n + 1], ascending; bins that do not lie above 0 are left out. Copied.
    widths
        Relative widths (FWHM / d) to look for.
    """

    def __init__(self, edges: npt.NDArray[np.float64], widths: Sequence[float] = WIDTHS) -> None:
        self._edges = float64_column(edges)
        self._bins = Bins.of(self._edges)
        some = widths if len(self._bins.log_centre) else ()
        self._searches = tuple(Search.of(self._bins, float(width)) for width in some)

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """float64[n + 1], read-only: of the bins for which this is prepared."""
        return self._edges

    def strongest(
        self,
        counts: npt.NDArray[np.int64] | npt.NDArray[np.float64],
        *,
        min_significance: float = 6.0,
        min_contrast: float = 0.1,
    ) -> Peak | None:
        """Find the most significant peak of a pattern on these bins; see `strongest_peak`."""
        pattern = _Pattern.of(self._bins, np.asarray(counts, np.float64))
        if len(pattern.counts) == 0 or pattern.summed[-1] <= 0:
            return None
        significance = np.array(
            [search.significance(pattern.summed, min_significance) for search in self._searches]
        )
        for _ in range(_CANDIDATES):
            scale, place = divmod(int(np.argmax(significance)), significance.shape[1])
            best = float(significance[scale, place])
            if best < min_significance:
                return None
            width = self._searches[scale].width
            centre = float(self._bins.log_centre[place])
            peak = _refine(pattern, centre, width, best, min_contrast)
            if peak is not None:
                return peak
            # This place is no peak at this width; it may be one at another.
            significance[scale, np.abs(self._bins.log_centre - centre) < width] = 0.0
        return None


def strongest_peak(
    edges: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64] | npt.NDArray[np.float64],
    *,
    widths: Sequence[float] = WIDTHS,
    min_significance: float = 6.0,
    min_contrast: float = 0.1,
) -> Peak | None:
    """Find the most significant peak of a pattern.

    For each width, the counts in a window of that width around each bin are compared with those in a band on
    its left and in one on its right, by the likelihood ratio of Li and Ma, which holds for few counts too; the
    smaller of the two counts. A slope or an edge, which exceeds the counts on one side only, is so no peak.
    A hump as broad as the bands around it is none either. The position is then refined to the centroid of what
    stands above the straight line between the bands.

    Parameters
    ----------
    edges
        float64[n + 1], ascending; bins that do not lie above 0 are left out. Not modified.
    counts
        Counts [n], not normalised: Poisson statistics are assumed. Not modified.
    widths
        Relative widths (FWHM / d) to look for.
    min_significance
        Standard deviations. The default leaves no room for chance among some 10,000 bins.
    min_contrast
        Smallest ratio of the peak's height to the background under it.

    Returns
    -------
    Peak or None
        None where nothing stands out.

    References
    ----------
    T.-P. Li and Y.-Q. Ma, Astrophysical Journal 272 (1983) 317, equation 17.
    """
    finder = PeakFinder(np.asarray(edges, np.float64), widths)
    return finder.strongest(counts, min_significance=min_significance, min_contrast=min_contrast)


def _refine(
    pattern: _Pattern, centre: float, width: float, significance: float, min_contrast: float
) -> Peak | None:
    """Measure the peak near `centre` (in ln d); None where it is no peak after all."""
    background = _background(pattern, centre, width)
    net = pattern.counts - background
    found = _top(pattern, net, centre, width, smoothing=width / 3)
    if found is not None:
        # The width that fits best is wider than the peak: smooth again, by what the peak itself allows.
        found = _top(pattern, net, found.middle, width, smoothing=found.fwhm / 3) or found
    if found is None or found.fwhm > 2 * width or found.height < min_contrast * background[found.bin]:
        return None
    d = float(np.exp(_centroid(pattern, net, found.middle, found.fwhm)))
    return Peak(d=d, height=found.height, fwhm=d * found.fwhm, significance=significance)


@attrs.frozen
class _Top:
    """The top of a peak: bin, height in counts per bin, middle at half height and full width there, in ln d."""

    bin: int
    height: float
    middle: float
    fwhm: float


def _top(pattern: _Pattern, net: Floats, centre: float, reach: float, smoothing: float) -> _Top | None:
    """Measure the top of the peak within `reach` of `centre`; None where the curve does not rise and fall."""
    smooth, window = _smoothed(pattern, net, smoothing)
    near = np.flatnonzero(np.abs(pattern.bins.log_centre - centre) <= reach)
    top = int(near[np.argmax(smooth[near])])
    half = _half_width(pattern.bins.log_centre, smooth, top) if smooth[top] > 0 else None
    if half is None:
        return None
    apparent = half[1] - half[0]
    # A box of width b adds b^2 / 12 to the variance of a Gaussian, of which 8 ln 2 times is FWHM^2.
    sharpened = float(np.sqrt(max(apparent**2 - 8 * np.log(2) / 12 * window[top] ** 2, apparent**2 / 4)))
    return _Top(
        bin=top,
        height=float(smooth[top]) * apparent / sharpened,
        middle=(half[0] + half[1]) / 2,
        fwhm=sharpened,
    )


def _smoothed(pattern: _Pattern, net: Floats, width: float) -> tuple[Floats, Floats]:
    """Return the mean over the bins whose centres lie within `width`, and how wide those bins are in ln d."""
    # The margin keeps rounding from taking a bin on one side and not on the other.
    reach = width / 2 * (1 + 1e-9)
    left = np.searchsorted(pattern.bins.log_centre, pattern.bins.log_centre - reach, side="left")
    right = np.searchsorted(pattern.bins.log_centre, pattern.bins.log_centre + reach, side="right")
    summed = np.concatenate(([0.0], np.cumsum(net)))
    mean: Floats = (summed[right] - summed[left]) / (right - left)
    return mean, pattern.bins.log_edges[right] - pattern.bins.log_edges[left]


def _background(pattern: _Pattern, centre: float, width: float) -> Floats:
    """Return counts per bin on the straight line (in ln d) through the two side bands."""
    left, right = pattern.bins.bands(np.array([centre]), width)
    low = float(left.counts(pattern.summed)[0] / left.width[0])
    high = float(right.counts(pattern.summed)[0] / right.width[0])
    apart = (SIDE_NEAR + SIDE_FAR) * width
    along = (pattern.bins.log_centre - centre) / apart + 0.5
    line: Floats = np.maximum(low + (high - low) * along, 0.0) * pattern.bins.log_width
    return line


def _half_width(position: Floats, smooth: Floats, top: int) -> tuple[float, float] | None:
    """Return where the curve falls to half of its top on either side; None where it does not fall so far."""
    level = smooth[top] / 2
    below = np.flatnonzero(smooth < level)
    before, after = below[below < top], below[below > top]
    if len(before) == 0 or len(after) == 0:
        return None
    crossings = []
    for outer, inner in ((int(before[-1]), int(before[-1]) + 1), (int(after[0]), int(after[0]) - 1)):
        share = (level - smooth[outer]) / (smooth[inner] - smooth[outer])
        crossings.append(float(position[outer] + share * (position[inner] - position[outer])))
    return crossings[0], crossings[1]


def _centroid(pattern: _Pattern, net: Floats, start: float, reach: float) -> float:
    """Return the centroid in ln d of the net counts within `reach`, the window following the centroid."""
    centre = start
    for _ in range(10):
        chosen = np.abs(pattern.bins.log_centre - centre) <= reach
        total = float(net[chosen].sum())
        if total <= 0:
            return start
        moved = float((net[chosen] * pattern.bins.log_centre[chosen]).sum()) / total
        moved = min(max(moved, start - reach), start + reach)
        if abs(moved - centre) < 1e-9:
            break
        centre = moved
    return centre
