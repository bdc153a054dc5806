"""Two-dimensional views: counts against d-spacing and two-theta, and the total counts of each pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livered_core import Image
from livered_nom.counts import NomCounts

PIXELS_IN_A_TUBE = 128
"""NOMAD's pixel ids count along a tube first: 128 pixels, then the next tube."""


def make_images(counts: NomCounts, two_theta: npt.NDArray[np.float64]) -> list[Image]:
    """Make the views of what has been counted.

    Parameters
    ----------
    counts
        Of the run.
    two_theta
        float64[strips + 1], radians: the strips of `NomCounts.view`.
    """
    n_tubes = -(-len(counts.pixels) // PIXELS_IN_A_TUBE)
    detector = np.zeros(n_tubes * PIXELS_IN_A_TUBE)
    detector[: len(counts.pixels)] = counts.pixels
    return [
        Image(
            label="counts against d and two-theta",
            x=counts.view.edges[0],
            y=np.degrees(two_theta),
            z=counts.view.counts,
            x_unit="Angstrom",
            y_unit="deg",
            z_unit="counts",
            metadata={"counts": counts.view.n_binned},
        ),
        Image(
            label="counts of each pixel",
            x=np.arange(n_tubes + 1),
            y=np.arange(PIXELS_IN_A_TUBE + 1),
            z=detector.reshape(n_tubes, PIXELS_IN_A_TUBE).T,
            x_unit="tube",
            y_unit="pixel",
            z_unit="counts",
            metadata={
                "counts": int(counts.pixels.sum()),
                "silent_pixels": int(np.count_nonzero(counts.pixels == 0)),
            },
        ),
    ]
