"""Forms in which a structure factor S(Q) is known."""

from __future__ import annotations

from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class StructureFactor(Protocol):
    """S(Q) of whatever kind of matter."""

    def structure_factor(self, q: FloatArray) -> FloatArray:
        """Return S at Q, float64[n], inverse Angstrom above 0."""
        ...


@attrs.frozen(eq=False)
class EvenTable:
    """S(Q) in even steps, interpolated by cubic polynomials; 1 beyond the end.

    Attributes
    ----------
    step
        Inverse Angstrom; the first value belongs to Q = 0.
    value
        float64[n], n above 3.
    """

    step: float
    value: FloatArray

    def structure_factor(self, q: FloatArray) -> FloatArray:
        """Return S(Q) from the four nearest values (Lagrange's formula).

        Parameters
        ----------
        q
            float64[n], inverse Angstrom, not below 0.
        """
        place = q / self.step
        first = np.clip(np.floor(place).astype(np.int64) - 1, 0, len(self.value) - 4)
        t = place - first
        a, b, c, d = t, t - 1.0, t - 2.0, t - 3.0
        inside: FloatArray = (
            -b * c * d / 6.0 * self.value[first]
            + a * c * d / 2.0 * self.value[first + 1]
            - a * b * d / 2.0 * self.value[first + 2]
            + a * b * c / 6.0 * self.value[first + 3]
        )
        return np.where(place <= len(self.value) - 1, inside, 1.0)


@attrs.frozen(eq=False)
class PointTable:
    """S(Q) at given points, straight between them; the first value holds below them, and 1 above them.

    Attributes
    ----------
    q, value
        float64[n], inverse Angstrom ascending, and S.
    """

    q: FloatArray
    value: FloatArray

    def structure_factor(self, q: FloatArray) -> FloatArray:
        """Return S(Q), float64[n] for float64[n] in inverse Angstrom."""
        return np.interp(q, self.q, self.value, right=1.0)


@attrs.frozen
class NoStructure:
    """Atoms without any order: S = 1."""

    def structure_factor(self, q: FloatArray) -> FloatArray:
        """Return 1 for each Q."""
        return np.ones_like(q)
