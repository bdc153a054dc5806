"""Edges of any axis as exact thresholds in d-spacing, so that no event needs to be converted to find its bin."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from livered_core.diffraction.table import Axis

TWO_PI = 2.0 * math.pi


def d_thresholds(edges: npt.NDArray[np.float64], axis: Axis) -> npt.NDArray[np.float64]:
    """Return where in d-spacing an event passes each edge, to the last bit.

    Parameters
    ----------
    edges
        float64[n], finite, in the unit of `axis`.
    axis
        What the edges are edges of.

    Returns
    -------
    float64[n]
        In Angstrom. For d-spacing, the edges. For momentum transfer, the smallest float64 d above 0 with
        ``2 pi / d < edge``, the division rounded as float64 rounds it; NaN where there is none. So the event of a
        d is above the edge in momentum transfer exactly if d is above 0 and not ``d >= threshold``.
    """
    if axis == "d_spacing":
        return edges
    thresholds = np.full(edges.shape, np.nan)
    positive = edges > 0
    wanted = edges[positive]
    with np.errstate(over="ignore", divide="ignore"):
        # Neighbouring positive float64 are neighbouring integers; division by a larger d never gives more. The rounded
        # quotient is within half a step of 2 pi / edge, so that one d less would be at or above the edge.
        bits = np.clip(TWO_PI / wanted, np.nextafter(0.0, 1.0), np.inf).view(np.int64)
        while True:
            at_or_above = TWO_PI / bits.view(np.float64) >= wanted
            if not at_or_above.any():
                break
            bits = bits + at_or_above
    thresholds[positive] = bits.view(np.float64)
    return thresholds
