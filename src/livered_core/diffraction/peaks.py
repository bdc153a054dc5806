"""Finding the strongest Bragg peak of a pattern, while there are few counts."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WIDTHS = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064)
"""Relative widths of peaks (FWHM / d) that are looked for: from backscattering to small angles."""

_SIDE_NEAR, _SIDE_FAR = 1.5, 3.0
"""The side bands reach from 1.5 to 3 widths on either side of a peak."""
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
    """Counts with their bins in ln d, and sums that make the counts of any window cheap."""

    d: Floats
    counts: Floats
    log_edges: Floats
    log_centre: Floats
    summed: Floats

    @classmethod
    def of(cls, edges: Floats, counts: Floats) -> _Pattern:
        first = int(np.searchsorted(edges, 0.0, side="right"))
        positive, inside = edges[first:], counts[first:]
        log_edges = np.log(positive)
        return cls(
            d=(positive[:-1] + positive[1:]) / 2,
            counts=inside,
            log_edges=log_edges,
            log_centre=(log_edges[:-1] + log_edges[1:]) / 2,
            summed=np.concatenate(([0.0], np.cumsum(inside))),
        )

    def window(self, left: Floats, right: Floats) -> tuple[Floats, Floats]:
        """Return counts and widths (in ln d) of the whole bins between `left` and `right`; 0 where none."""
        low = np.searchsorted(self.log_edges, left, side="left")
        high = np.searchsorted(self.log_edges, right, side="right") - 1
        low, high = np.clip(low, 0, len(self.counts)), np.clip(high, 0, len(self.counts))
        high = np.maximum(low, high)
        return self.summed[high] - self.summed[low], self.log_edges[high] - self.log_edges[low]


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
    pattern = _Pattern.of(np.asarray(edges, np.float64), np.asarray(counts, np.float64))
    if len(pattern.counts) == 0 or pattern.summed[-1] <= 0:
        return None
    significance = np.array([_significance(pattern, width) for width in widths])
    for _ in range(_CANDIDATES):
        scale, place = divmod(int(np.argmax(significance)), significance.shape[1])
        best = float(significance[scale, place])
        if best < min_significance:
            return None
        width = float(widths[scale])
        centre = float(pattern.log_centre[place])
        peak = _refine(pattern, centre, width, best, min_contrast)
        if peak is not None:
            return peak
        # This place is no peak at this width; it may be one at another.
        significance[scale, np.abs(pattern.log_centre - centre) < width] = 0.0
    return None


def _bands(
    pattern: _Pattern, centre: Floats, width: float
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    left = pattern.window(centre - _SIDE_FAR * width, centre - _SIDE_NEAR * width)
    right = pattern.window(centre + _SIDE_NEAR * width, centre + _SIDE_FAR * width)
    return left, right


def _significance(pattern: _Pattern, width: float) -> Floats:
    """Return, for each bin, by how much the window around it exceeds the higher of its side bands."""
    centre = pattern.log_centre
    on, on_width = pattern.window(centre - width / 2, centre + width / 2)
    bands = _bands(pattern, centre, width)
    inside = (centre - _SIDE_FAR * width >= pattern.log_edges[0]) & (
        centre + _SIDE_FAR * width <= pattern.log_edges[-1]
    )
    valid = inside & (on_width > 0) & (bands[0][1] > 0) & (bands[1][1] > 0)
    result = np.zeros(len(centre))
    if valid.any():
        sides = [
            _li_ma(on[valid], off[valid], on_width[valid] / off_width[valid]) for off, off_width in bands
        ]
        result[valid] = np.minimum(*sides)
    return result


def _li_ma(on: Floats, off: Floats, ratio: Floats) -> Floats:
    """Return the significance of `on` counts over ``ratio * off`` expected; 0 where they do not exceed them."""
    total = on + off
    with np.errstate(divide="ignore", invalid="ignore"):
        of_on = np.where(on > 0, on * np.log((1 + ratio) / ratio * on / total), 0.0)
        of_off = np.where(off > 0, off * np.log((1 + ratio) * off / total), 0.0)
    significance = np.sqrt(2 * np.maximum(of_on + of_off, 0.0))
    return np.where(on > ratio * off, significance, 0.0)


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
    near = np.flatnonzero(np.abs(pattern.log_centre - centre) <= reach)
    top = int(near[np.argmax(smooth[near])])
    half = _half_width(pattern.log_centre, smooth, top) if smooth[top] > 0 else None
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
    left = np.searchsorted(pattern.log_centre, pattern.log_centre - reach, side="left")
    right = np.searchsorted(pattern.log_centre, pattern.log_centre + reach, side="right")
    summed = np.concatenate(([0.0], np.cumsum(net)))
    mean: Floats = (summed[right] - summed[left]) / (right - left)
    return mean, pattern.log_edges[right] - pattern.log_edges[left]


def _background(pattern: _Pattern, centre: float, width: float) -> Floats:
    """Return counts per bin on the straight line (in ln d) through the two side bands."""
    (left, left_width), (right, right_width) = _bands(pattern, np.array([centre]), width)
    bin_width = np.diff(pattern.log_edges)
    low, high = float(left[0] / left_width[0]), float(right[0] / right_width[0])
    apart = (_SIDE_NEAR + _SIDE_FAR) * width
    along = (pattern.log_centre - centre) / apart + 0.5
    line: Floats = np.maximum(low + (high - low) * along, 0.0) * bin_width
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
        chosen = np.abs(pattern.log_centre - centre) <= reach
        total = float(net[chosen].sum())
        if total <= 0:
            return start
        moved = float((net[chosen] * pattern.log_centre[chosen]).sum()) / total
        moved = min(max(moved, start - reach), start + reach)
        if abs(moved - centre) < 1e-9:
            break
        centre = moved
    return centre
