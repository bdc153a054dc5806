"""Fewer points of a curve, with all its peaks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def thin(y: npt.NDArray[np.float64], max_points: int) -> npt.NDArray[np.int64]:
    """Choose the points of a curve to draw: the lowest and the highest of each of many short stretches.

    Whatever stands out, up or down, is the extreme of its stretch and stays, with its exact value; a line
    through the chosen points looks like a line through all of them as long as there are more stretches than
    columns of pixels. The first and the last point stay. Where a whole stretch is not finite, one point of it
    stays as a gap.

    Parameters
    ----------
    y
        float64[n]; values that are not finite count as gaps.
    max_points
        At least 4.

    Returns
    -------
    ndarray
        int64[m], m <= `max_points`, ascending indices into `y`; all of them when n <= `max_points`.
    """
    n = len(y)
    if n <= max_points:
        return np.arange(n, dtype=np.int64)
    edges = np.linspace(0, n, (max_points - 2) // 2 + 1).astype(np.int64)
    starts = edges[:-1]
    finite = np.isfinite(y)
    low = _first_extreme(np.where(finite, y, np.inf), starts, np.minimum)
    high = _first_extreme(np.where(finite, y, -np.inf), starts, np.maximum)
    return np.unique(np.concatenate(([0, n - 1], low, high))).astype(np.int64)


def _first_extreme(
    y: npt.NDArray[np.float64], starts: npt.NDArray[np.int64], extreme: np.ufunc
) -> npt.NDArray[np.int64]:
    """Index of the first lowest (`np.minimum`) or highest (`np.maximum`) value of each stretch."""
    lengths = np.diff(np.append(starts, len(y)))
    candidates = np.flatnonzero(y == np.repeat(extreme.reduceat(y, starts), lengths))
    stretch = np.searchsorted(starts, candidates, side="right") - 1
    _, first = np.unique(stretch, return_index=True)
    return candidates[first]
