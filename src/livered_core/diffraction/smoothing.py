"""Smoothing of vanadium: a low-pass filter, and what it leaves of the statistical errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livered_core.errors import DataModelError

Floats = npt.NDArray[np.float64]


def butterworth_smooth(y: Floats, cutoff: int = 20, order: int = 2) -> Floats:
    """Smooth along the last axis by a Butterworth filter.

    The data are mirrored at their first point, so that the filter sees no step, and in the frequencies k of the
    doubled data multiplied by ``1 / (1 + (k / k_0)^(2 order))`` with ``k_0 = (n + 1) // cutoff``: the conventions of
    Mantid's FFTSmooth (Butterworth, "cutoff,order"). Widths of bins do not matter.

    Parameters
    ----------
    y
        float64[..., n], finite; not modified.
    cutoff
        The larger, the smoother.
    order
        Steepness of the filter.

    Returns
    -------
    float64[..., n]
        The caller's own.

    Raises
    ------
    DataModelError
        When there are fewer points than the cut-off, or cut-off or order are below 1.
    """
    n = y.shape[-1]
    response = _response(n, cutoff, order)
    transformed = np.fft.rfft(_mirrored(y), axis=-1) * response
    smooth: Floats = np.fft.irfft(transformed, 2 * n, axis=-1)[..., n:]
    return smooth


def butterworth_error(e: Floats, cutoff: int = 20, order: int = 2) -> Floats:
    """Return the standard deviations that `butterworth_smooth` leaves of independent ones.

    The filter is linear: with the weights w that it gives to the points around one, the variance is the sum of
    ``w^2 e^2``. Near an end a point is met twice, once as its mirror image, with weights that add up before they are
    squared: the variance there is raised by the overlap of the filter with its image. Exact away from the ends, and
    within 10 % at them.

    Parameters
    ----------
    e
        float64[..., n], standard deviations, finite.
    cutoff, order
        As for `butterworth_smooth`.

    Returns
    -------
    float64[..., n]
        The caller's own.
    """
    n = e.shape[-1]
    kernel = np.fft.irfft(_response(n, cutoff, order), 2 * n)
    squared = np.fft.rfft(kernel**2)
    variance = np.fft.irfft(np.fft.rfft(_mirrored(e**2), axis=-1) * squared, 2 * n, axis=-1)[..., n:]
    # Between a point and its mirror image 2 m apart the weights w(j) and w(2 m - j) belong to the same data.
    overlap = np.fft.irfft(np.fft.rfft(kernel) ** 2, 2 * n)
    both = overlap[(2 * np.arange(n)) % (2 * n)] / overlap[0]
    at_start, at_end = np.clip(both, 0, 1), np.clip(both[::-1], 0, 1)
    smooth: Floats = np.sqrt(np.maximum(variance, 0.0) * (1 + np.maximum(at_start, at_end)))
    return smooth


def bins_together(n: int, cutoff: int, order: int) -> float:
    """Return over how many bins the filter averages: so many neighbours err together afterwards.

    It is one over the sum of the squared weights. Blocks of so many bins that err as one, independently of other blocks,
    have the variance of the smooth curve in each bin, and that of the data in sums over many bins.

    Parameters
    ----------
    n
        Points that are smoothed.
    cutoff, order
        As for `butterworth_smooth`.

    Returns
    -------
    float
        1 or more.
    """
    kernel = np.fft.irfft(_response(n, cutoff, order), 2 * n)
    return max(1.0, 1.0 / float(np.sum(kernel**2)))


def _mirrored(y: Floats) -> Floats:
    """Return [..., 2 n]: the data, before them their mirror image."""
    n = y.shape[-1]
    doubled = np.empty((*y.shape[:-1], 2 * n))
    doubled[..., n:] = y
    doubled[..., 1:n] = y[..., :0:-1]
    doubled[..., 0] = y[..., -1]
    return doubled


def _response(n: int, cutoff: int, order: int) -> Floats:
    if cutoff < 1 or order < 1 or n + 1 < cutoff:
        message = (
            f"A Butterworth filter of order {order} with cut-off {cutoff} cannot smooth {n} points: give 1 or more for "
            "both, and a cut-off not above the number of points."
        )
        raise DataModelError(message)
    k = np.arange(n + 1)
    response: Floats = 1.0 / (1.0 + (k / ((n + 1) // cutoff)) ** (2 * order))
    return response
