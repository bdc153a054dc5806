"""When is it enough? The statistical error of S(Q), and how long until it is as small as wanted."""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.structure_factor import StructureFactor
from livered_core.errors import DataModelError

Floats = npt.NDArray[np.float64]


@attrs.frozen
class StatisticalError:
    """Error of S(Q) over a range: ``total^2 = falling^2 + floor^2``.

    Attributes
    ----------
    total
        Root mean square of the standard deviations of S(Q) in the range.
    falling
        The part that falls as one over the square root of the time: the sample's own counts.
    floor
        The part that stays: the counts of container and vanadium.
    n_bins
        Measured bins in the range; with none, the others are 0.
    """

    total: float
    falling: float
    floor: float
    n_bins: int


@attrs.frozen
class Statistics:
    """How far a measurement is.

    Attributes
    ----------
    error
        What there is now: root mean square error of S(Q) in the chosen range; None while it is not known.
    wanted
        What is wanted.
    seconds_left
        How much longer, at the rate so far; 0 when reached; None when it is not known or never.
    sentence
        The same for people.
    """

    error: float | None
    wanted: float
    seconds_left: float | None
    sentence: str


def statistical_error(structure: StructureFactor, q_range: tuple[float, float]) -> StatisticalError:
    """Return the root mean square error of S(Q) over the measured bins that lie in a range of Q entirely.

    The mean of the variances is what Poisson counts estimate without bias; bins that happen to be empty, which
    have no error of their own, are so made up for by the others.
    """
    low, high = q_range
    inside = structure.covered & (structure.edges[:-1] >= low) & (structure.edges[1:] <= high)
    n_bins = int(np.count_nonzero(inside))
    if n_bins == 0:
        return StatisticalError(0.0, 0.0, 0.0, 0)
    falling = float(structure.counts_variance[inside].mean())
    floor = float(structure.floor_variance[inside].mean())
    return StatisticalError(math.sqrt(falling + floor), math.sqrt(falling), math.sqrt(floor), n_bins)


def time_to_reach(error: StatisticalError, wanted: float, elapsed_s: float) -> float | None:
    """Return the seconds of measuring still needed at the rate so far: 0 when reached, None when never."""
    if error.n_bins == 0 or error.total == 0 or elapsed_s <= 0:
        return None
    if error.total <= wanted:
        return 0.0
    room = wanted**2 - error.floor**2
    if room <= 0:
        return None
    # The falling part of the variance goes as one over the time.
    return elapsed_s * (error.falling**2 / room - 1)


def error_over_time(error: StatisticalError, elapsed_s: float, time_s: Floats) -> Floats:
    """Return the error of S(Q) at other times, at the rate so far.

    Parameters
    ----------
    error
        After `elapsed_s`.
    elapsed_s
        How long has been measured, seconds, above 0.
    time_s
        float64[n], how long else, seconds, above 0; not modified.

    Returns
    -------
    float64[n]
        ``sqrt(falling^2 elapsed / time + floor^2)``; the caller's own.
    """
    expected: Floats = np.sqrt(error.falling**2 * elapsed_s / time_s + error.floor**2)
    return expected


def statistics(
    structure: StructureFactor | None, q_range: tuple[float, float], wanted: float, elapsed_s: float
) -> Statistics:
    """Say how far a measurement is.

    Parameters
    ----------
    structure
        S(Q) as it is now; None where there is none yet.
    q_range
        Where the error counts, 1/Angstrom.
    wanted
        The error that is enough; above 0.
    elapsed_s
        How long the sample has been measured, seconds (or any measure of exposure that grows evenly with time).
    """
    if not 0 < wanted < math.inf:
        message = f"A wanted error of {wanted} cannot be reached: give a number above 0."
        raise DataModelError(message)
    if structure is None:
        return Statistics(None, wanted, None, "not known yet: there is no S(Q)")
    error = statistical_error(structure, q_range)
    if error.n_bins == 0 or error.total == 0:
        return Statistics(
            None,
            wanted,
            None,
            f"not known yet: no bank counts from Q = {q_range[0]:g} to {q_range[1]:g}; choose another range",
        )
    now = f"error of S(Q) {error.total:.2g}, wanted {wanted:.2g}"
    left = time_to_reach(error, wanted, elapsed_s)
    if left == 0:
        return Statistics(error.total, wanted, 0.0, f"{now}: reached")
    if left is not None:
        return Statistics(error.total, wanted, left, f"{now}: about {_duration(left)} more at this rate")
    if error.floor >= wanted:
        return Statistics(
            error.total,
            wanted,
            None,
            f"{now}: never, for vanadium (and container) alone leave {error.floor:.2g}; measure them longer",
        )
    return Statistics(error.total, wanted, None, f"{now}: the time is not known yet")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} days"
