"""Windows of counts around each bin of a pattern: which bins they hold is worked out once for bins that stay."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

SIDE_NEAR, SIDE_FAR = 1.5, 3.0
"""The side bands reach from 1.5 to 3 widths on either side of a peak."""
_CAUTION = 0.99
"""Of the significance squared below which nothing is worked out: rounding is far less."""


@attrs.frozen(eq=False)
class Bins:
    """Bins in ln d.

    Attributes
    ----------
    first
        Bins before this one do not lie above 0, and are left out.
    log_edges
        float64[n + 1], ln d.
    log_centre, log_width
        float64[n].
    """

    first: int
    log_edges: Floats
    log_centre: Floats
    log_width: Floats

    @classmethod
    def of(cls, edges: Floats) -> Bins:
        """Take the bins above 0 of edges that ascend."""
        first = int(np.searchsorted(edges, 0.0, side="right"))
        log_edges = np.log(edges[first:])
        return cls(
            first=first,
            log_edges=log_edges,
            log_centre=(log_edges[:-1] + log_edges[1:]) / 2,
            log_width=np.diff(log_edges),
        )

    def window(self, left: Floats, right: Floats) -> Window:
        """Return the whole bins between each `left` and `right` (in ln d)."""
        n_bins = len(self.log_centre)
        low = np.searchsorted(self.log_edges, left, side="left")
        high = np.searchsorted(self.log_edges, right, side="right") - 1
        low, high = np.clip(low, 0, n_bins), np.clip(high, 0, n_bins)
        high = np.maximum(low, high)
        return Window(low, high, self.log_edges[high] - self.log_edges[low])

    def bands(self, centre: Floats, width: float) -> tuple[Window, Window]:
        """Return the bands on the left and on the right of peaks of a width."""
        return (
            self.window(centre - SIDE_FAR * width, centre - SIDE_NEAR * width),
            self.window(centre + SIDE_NEAR * width, centre + SIDE_FAR * width),
        )


@attrs.frozen(eq=False)
class Window:
    """Bins from `low` to before `high`, one pair for each window, and their widths in ln d."""

    low: Places
    high: Places
    width: Floats

    def counts(self, summed: Floats) -> Floats:
        """Return the counts in each window; `summed` are those before each edge."""
        inside: Floats = summed[self.high] - summed[self.low]
        return inside


@attrs.frozen(eq=False)
class Search:
    """What is compared in the search for peaks of one width.

    Attributes
    ----------
    width
        Relative, FWHM / d.
    places
        Bins around which there is room for a window and the bands beside it, int[k].
    bounds
        First bin of the window, of the band on the left and of that on the right of each, and what follows their last,
        int[2, 3, k].
    ratio
        float64[2, k], how many times as wide as each band the window is.
    """

    width: float
    places: Places
    bounds: Places
    ratio: Floats

    @classmethod
    def of(cls, bins: Bins, width: float) -> Search:
        """Prepare the search for peaks of a width."""
        centre = bins.log_centre
        on = bins.window(centre - width / 2, centre + width / 2)
        left, right = bins.bands(centre, width)
        inside = (centre - SIDE_FAR * width >= bins.log_edges[0]) & (
            centre + SIDE_FAR * width <= bins.log_edges[-1]
        )
        places = np.flatnonzero(inside & (on.width > 0) & (left.width > 0) & (right.width > 0))
        bounds = np.array(
            [[w.low[places] for w in (on, left, right)], [w.high[places] for w in (on, left, right)]]
        )
        ratio = np.array([on.width[places] / side.width[places] for side in (left, right)])
        return cls(width, places, bounds, ratio)

    def significance(self, summed: Floats, least: float) -> Floats:
        """Return, for each bin, by how much the window around it exceeds the higher of its side bands.

        Parameters
        ----------
        summed
            float64[n + 1], counts before each edge.
        least
            Standard deviations: where there are surely fewer, the result is 0.
        """
        result = np.zeros(len(summed) - 1)
        before = summed[self.bounds]
        counts = before[1] - before[0]
        on, off = counts[0], counts[1:]
        expected = self.ratio * off
        above = on - expected
        # The likelihood ratio is at most twice Pearson's chi squared, since ln x <= x - 1.
        enough = 2 * above**2 >= _CAUTION * least**2 * (self.ratio * on + expected)
        some = np.flatnonzero(((above > 0) & enough).all(axis=0))
        sides = [
            _li_ma(on[some], beside[some], ratio[some]) for beside, ratio in zip(off, self.ratio, strict=True)
        ]
        result[self.places[some]] = np.minimum(*sides)
        return result


def _li_ma(on: Floats, off: Floats, ratio: Floats) -> Floats:
    """Return the significance of `on` counts over ``ratio * off`` expected; 0 where they do not exceed them."""
    total = on + off
    with np.errstate(divide="ignore", invalid="ignore"):
        of_on = np.where(on > 0, on * np.log((1 + ratio) / ratio * on / total), 0.0)
        of_off = np.where(off > 0, off * np.log((1 + ratio) * off / total), 0.0)
    significance = np.sqrt(2 * np.maximum(of_on + of_off, 0.0))
    return np.where(on > ratio * off, significance, 0.0)
