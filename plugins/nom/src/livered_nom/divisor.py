"""Vanadium and container as each update uses them: worked out once for the files and the bins."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction import Patterns, PreparedVanadium
from livered_nom.measured import Measured, Spectra, rebin_to_q

Floats = npt.NDArray[np.float64]

VANADIUM_SHARE = 0.01
"""Where vanadium falls below this part of a bank's maximum, nothing is divided by it."""


@attrs.frozen(eq=False)
class Divisor:
    """Vanadium, ready to divide by.

    Attributes
    ----------
    strong
        Smooth, on the banks' bins of d-spacing; 0 where it is so weak that dividing by it shows nothing but noise.
    expected
        What is expected of it in the bins of momentum transfer.
    block
        int64[banks, n], which of these bins have errors in common.
    """

    strong: Patterns
    expected: Spectra
    block: npt.NDArray[np.int64]


@attrs.frozen(eq=False)
class Usable:
    """What a run is corrected with.

    Attributes
    ----------
    divisor
        Vanadium; None without it.
    container
        Scaled, in d-spacing and momentum transfer; None without one.
    """

    divisor: Divisor | None = None
    container: Measured | None = None


def make_divisor(vanadium: PreparedVanadium, q_edges: Floats) -> Divisor:
    """Make vanadium ready to divide by.

    Parameters
    ----------
    vanadium
        On the banks' bins of d-spacing.
    q_edges
        float64[n + 1], 1/Angstrom, from 0 or above.
    """
    return Divisor(
        strong=where_strong(vanadium.smooth),
        expected=expected_vanadium(vanadium.smooth, q_edges),
        block=vanadium_blocks(vanadium.smooth, q_edges, vanadium.bins_together),
    )


def scaled_container(container: Measured, scale: float, q_edges: Floats) -> Measured:
    """Scale a container, and bring it to bins of momentum transfer where it is known in d-spacing alone.

    Parameters
    ----------
    container
        Normalised as the sample is.
    scale
        What it is multiplied by.
    q_edges
        float64[n + 1], 1/Angstrom, from 0 or above.
    """
    scaled = container.scaled(scale)
    return Measured(scaled.d, scaled.in_q(q_edges))


def where_strong(smooth: Patterns) -> Patterns:
    """Set vanadium to 0 where it is so weak that dividing by it shows nothing but noise."""
    width = np.diff(smooth.edges, axis=1) / (smooth.edges[:, 1:] + smooth.edges[:, :-1])
    density = smooth.y / width
    strong = density > VANADIUM_SHARE * density.max(axis=1, keepdims=True)
    return Patterns(smooth.edges, np.where(strong, smooth.y, 0.0), smooth.e, smooth.unit)


def expected_vanadium(vanadium: Patterns, q_edges: Floats) -> Spectra:
    """Return the vanadium expected in bins of momentum transfer, not below 0.

    The variance follows from the relative error of the smooth curve in the middle of the bin: what falls into a bin errs as
    one, for it is narrower than what smoothing averages over, or about as wide.

    Parameters
    ----------
    vanadium
        Smooth, per exposure, on bins of d-spacing (Angstrom).
    q_edges
        float64[n + 1], 1/Angstrom, from 0 or above.
    """
    positive = attrs.evolve(vanadium, y=np.maximum(vanadium.y, 0.0))
    expected = rebin_to_q(positive, q_edges).y
    middle = 4 * np.pi / (q_edges[:-1] + q_edges[1:])
    variance = np.zeros_like(expected)
    for bank, edges in enumerate(vanadium.edges):
        y, e = positive.y[bank], vanadium.e[bank]
        ratio = np.divide(e, y, out=np.zeros_like(y), where=y > 0)
        variance[bank] = (expected[bank] * np.interp(middle, (edges[:-1] + edges[1:]) / 2, ratio)) ** 2
    return Spectra(expected, variance)


def vanadium_blocks(vanadium: Patterns, q_edges: Floats, bins_together: float) -> npt.NDArray[np.int64]:
    """Return which bins of momentum transfer have errors of smooth vanadium in common, int64[banks, n].

    Parameters
    ----------
    vanadium
        On bins of d-spacing.
    q_edges
        float64[n + 1], 1/Angstrom, from 0 or above.
    bins_together
        Over how many bins of d-spacing vanadium was averaged.
    """
    middle = 4 * np.pi / (q_edges[:-1] + q_edges[1:])
    return np.stack(
        [(np.searchsorted(edges, middle) / bins_together).astype(np.int64) for edges in vanadium.edges]
    )
