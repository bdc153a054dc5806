"""A run's counts over what it was exposed to: in d-spacing, and in momentum transfer."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction import Patterns
from livered_nom.counts import NomCounts
from livered_nom.exposure import Exposure

Floats = npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Spectra:
    """Intensities of the banks on common bins of momentum transfer.

    Attributes
    ----------
    y, variance
        float64[banks, n].
    """

    y: Floats
    variance: Floats


@attrs.frozen(eq=False)
class Measured:
    """A run, normalised.

    Attributes
    ----------
    d
        On the banks' bins of d-spacing.
    q
        On common bins of momentum transfer; None for a run of which only `d` is known.
    """

    d: Patterns
    q: Spectra | None

    @classmethod
    def of(cls, counts: NomCounts, exposure: Exposure) -> Measured:
        """Divide counts by their exposure, with Poisson errors."""
        d = counts.d.counts.astype(np.float64)
        q = counts.q.counts.astype(np.float64)
        return cls(
            Patterns(counts.d.edges, d / exposure.amount, np.sqrt(d) / exposure.amount, exposure.unit),
            Spectra(q / exposure.amount, q / exposure.amount**2),
        )

    def scaled(self, factor: float) -> Measured:
        """Multiply by a factor."""
        return Measured(
            Patterns(self.d.edges, self.d.y * factor, self.d.e * abs(factor), self.d.unit),
            None if self.q is None else Spectra(self.q.y * factor, self.q.variance * factor**2),
        )

    def in_q(self, q_edges: Floats) -> Spectra:
        """Return `q`, or where that is not known `d` on these bins, float64[n + 1], 1/Angstrom."""
        return rebin_to_q(self.d, q_edges) if self.q is None else self.q


def rebin_to_q(patterns: Patterns, q_edges: Floats) -> Spectra:
    """Bring patterns in d-spacing onto bins of momentum transfer.

    Within its bin of d an intensity counts as even. A bin of Q that reaches beyond the bins of d has none. The
    variance is that of independent bins of d.

    Parameters
    ----------
    patterns
        On bins of d-spacing, Angstrom.
    q_edges
        float64[n + 1], ascending from 0 or above, 1/Angstrom.
    """
    with np.errstate(divide="ignore"):
        d = 2 * np.pi / q_edges
    shape = (len(patterns.y), len(q_edges) - 1)
    y, variance = np.zeros(shape), np.zeros(shape)
    for bank, edges in enumerate(patterns.edges):
        inside = (d[1:] >= edges[0]) & (d[:-1] <= edges[-1])
        for values, into in ((patterns.y[bank], y), (patterns.e[bank] ** 2, variance)):
            summed = np.interp(d, edges, np.concatenate(([0.0], np.cumsum(values))))
            into[bank] = np.where(inside, summed[:-1] - summed[1:], 0.0)
    return Spectra(y, variance)
