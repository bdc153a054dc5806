"""The compiled loop over events. Imports numba: import this module only where events are focused."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

OUT_OF_RANGE, MASKED, UNKNOWN = 0, 1, 2
"""Positions in the tally that the kernel returns."""
TWO_PI = 2.0 * math.pi


def _find_bin(edges: npt.NDArray[np.float64], x: float, guessed: int) -> int:
    """Return b with edges[b] <= x < edges[b + 1], which must exist; near the guess if that is good."""
    n_bins = len(edges) - 1
    b = min(max(guessed, 0), n_bins - 1)
    if x < edges[b]:
        b -= 1
        if x >= edges[b]:
            return b
        low, high = 0, b
    elif x >= edges[b + 1]:
        b += 1
        if x < edges[b + 1]:
            return b
        low, high = b + 1, n_bins
    else:
        return b
    while high - low > 1:
        middle = (low + high) // 2
        if x >= edges[middle]:
            low = middle
        else:
            high = middle
    return low


def _focus_events(
    pixel_id: npt.NDArray[np.uint32],
    tof: npt.NDArray[np.uint32],
    rows: npt.NDArray[Any],
    edges: npt.NDArray[np.float64],
    guess: npt.NDArray[np.float64],
    tof_limits: tuple[float, float],
    in_q: bool,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count events per group and bin; see `livered_core.diffraction.table` for `rows` and `guess`.

    `in_q` says that the bins are in momentum transfer, 2 pi / d, instead of d.

    Returns
    -------
    counts, tally
        int64[groups, nbin], and int64[3]: events out of range, masked, unknown.
    """
    n_groups, n_edges = edges.shape
    counts = np.zeros((n_groups, n_edges - 1), np.int64)
    tally = np.zeros(3, np.int64)
    for i in range(len(pixel_id)):
        pixel = pixel_id[i]
        if pixel >= len(rows):
            tally[UNKNOWN] += 1
            continue
        row = rows[pixel]
        group = row.group
        if group < 0:
            tally[MASKED if group == -1 else UNKNOWN] += 1
            continue
        # Dividing, not multiplying by 0.1: the last bit decides the bin of an event on an edge.
        tof_us = np.float64(tof[i]) / 10.0
        if row.quadratic:
            s = np.sqrt(tof_us * row.b + row.c)
            d = row.a - s if s < row.a else row.a + s
        else:
            d = row.a * tof_us + row.b
        x = d
        if in_q:
            # Where there is no d above 0 there is no momentum transfer.
            x = TWO_PI / d if d > 0.0 else np.nan
        group_edges = edges[group]
        in_range = tof_limits[0] <= tof_us < tof_limits[1]
        # Written so that NaN is out of range.
        if not (in_range and x >= group_edges[0] and x < group_edges[n_edges - 1]):
            tally[OUT_OF_RANGE] += 1
            continue
        scale = guess[group, 1]
        along = x
        if scale < 0.0:
            scale = -scale
            along = math.log(x)
        guessed = int((along - guess[group, 0]) * scale) if scale > 0.0 else 0
        counts[group, find_bin(group_edges, x, guessed)] += 1
    return counts, tally


def _compile(function: Any, **options: Any) -> Any:
    """Compile with the machine code kept on disk, or without where there is no folder for it."""
    try:
        return numba.njit(function, cache=True, nogil=True, **options)
    except RuntimeError:
        return numba.njit(function, nogil=True, **options)


find_bin = _compile(_find_bin, inline="always")
focus_events = _compile(_focus_events)
