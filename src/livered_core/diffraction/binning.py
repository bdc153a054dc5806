"""Bin edges."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from livered_core.errors import DataModelError

MAX_BINS = 10_000_000
"""More bins than this in one axis are taken for a mistake."""


def log_edges(d_min: float, d_max: float, n_bins: int) -> npt.NDArray[np.float64]:
    """Return edges of `n_bins` bins whose widths are proportional to their position.

    Parameters
    ----------
    d_min, d_max
        First and last edge, above 0, any unit. Both are met exactly.
    n_bins
        Number of bins, at least 1.

    Returns
    -------
    float64[n_bins + 1]
        Strictly ascending, in the unit of `d_min`; the caller's own.

    Raises
    ------
    DataModelError
        When the limits are not ``0 < d_min < d_max`` (finite), or the bins are none or too fine for float64.
    """
    if not (0 < d_min < d_max < math.inf):
        message = f"Logarithmic bins from {d_min} to {d_max} are not possible: give 0 < d_min < d_max."
        raise DataModelError(message)
    _check_count(n_bins)
    edges = np.geomspace(d_min, d_max, n_bins + 1)
    edges[0], edges[-1] = d_min, d_max
    if not bool(np.all(np.diff(edges) > 0)):
        message = f"{n_bins} bins from {d_min} to {d_max} are too fine for float64: ask for fewer."
        raise DataModelError(message)
    return edges


def linear_edges(d_min: float, d_max: float, n_bins: int) -> npt.NDArray[np.float64]:
    """Return edges of `n_bins` bins of the same width.

    Parameters
    ----------
    d_min, d_max
        First and last edge, any unit. Both are met exactly.
    n_bins
        Number of bins, at least 1.

    Returns
    -------
    float64[n_bins + 1]
        Strictly ascending, in the unit of `d_min`; the caller's own.

    Raises
    ------
    DataModelError
        When the limits are not ``d_min < d_max`` (finite), or the bins are none or too fine for float64.
    """
    if not (-math.inf < d_min < d_max < math.inf):
        message = f"Bins from {d_min} to {d_max} are not possible: give d_min < d_max."
        raise DataModelError(message)
    _check_count(n_bins)
    edges = np.linspace(d_min, d_max, n_bins + 1)
    edges[0], edges[-1] = d_min, d_max
    if not bool(np.all(np.diff(edges) > 0)):
        message = f"{n_bins} bins from {d_min} to {d_max} are too fine for float64: ask for fewer."
        raise DataModelError(message)
    return edges


def rebin_edges(start: float, step: float, stop: float) -> npt.NDArray[np.float64]:
    """Return the edges that Mantid's Rebin makes of ``"start, step, stop"``.

    Edges are accumulated one by one in float64, as Mantid does, so that counts can be compared bin by bin. The
    last bin is between 0.25 and 1.25 of a full bin wide.

    Parameters
    ----------
    start, stop
        First and last edge, any unit. Both are met exactly.
    step
        Above 0: width of each bin. Below 0: ``-step`` is the ratio of a bin's width to its left edge.

    Returns
    -------
    float64[n + 1]
        Strictly ascending, in the unit of `start`; the caller's own.

    Raises
    ------
    DataModelError
        When no ascending edges follow from the three numbers, or too many.

    References
    ----------
    Mantid, ``createAxisFromRebinParams`` with ``full_bins_only = false`` (Framework/Kernel VectorHelper).
    """
    text = f"{start:g}, {step:g}, {stop:g}"
    if not all(math.isfinite(value) for value in (start, step, stop)) or not start < stop or step == 0:
        message = f"Rebin parameters {text!r} make no bins: give start < stop and a step that is not 0."
        raise DataModelError(message)
    if step < 0 and start <= 0:
        message = f"Rebin parameters {text!r} ask for logarithmic bins from {start:g}: start above 0."
        raise DataModelError(message)
    expected = (stop - start) / step if step > 0 else math.log(stop / start) / math.log1p(-step)
    if expected > MAX_BINS:
        message = f"Rebin parameters {text!r} make about {expected:.3g} bins: give a larger step."
        raise DataModelError(message)
    edges = [start]
    edge = start
    while True:
        width = step if step > 0 else edge * -step
        if edge + width * 1.25 > stop or edge + width <= edge:
            break
        edge += width
        edges.append(edge)
    edges.append(stop)
    if any(right <= left for left, right in pairwise(edges)):
        message = f"Rebin parameters {text!r} make bins too fine for float64: give a larger step."
        raise DataModelError(message)
    return np.array(edges)


def _check_count(n_bins: int) -> None:
    if not 1 <= n_bins <= MAX_BINS:
        message = f"{n_bins} bins are not possible: ask for 1 to {MAX_BINS}."
        raise DataModelError(message)
