"""The structure of a simple liquid: hard spheres."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

LIQUID: Final = "liquid"
"""Name of the sample: hard spheres, packed as in a metal just above its melting point (Ashcroft and Lekner 1966)."""
LIQUID_INCOHERENT_BARN: Final = 0.5
"""Incoherent cross section of an atom of that sample, barn."""

_SPHERE_A: Final = 2.5
_PACKING: Final = 0.45
_COHERENT_BARN: Final = 10.0
_SMALL: Final = 0.05


@attrs.frozen
class HardSpheres:
    """A liquid of hard spheres.

    Attributes
    ----------
    diameter
        Angstrom.
    packing
        Part of the volume that the spheres fill.
    coherent_barn
        Coherent cross section of an atom, barn.
    """

    diameter: float
    packing: float
    coherent_barn: float

    @property
    def number_density(self) -> float:
        """Atoms in a cubic Angstrom."""
        return 6.0 * self.packing / (np.pi * self.diameter**3)

    def structure_factor(self, q: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        r"""Return S(Q) in the approximation of Percus and Yevick.

        .. math:: 1 / S = 1 + 24 \eta \int_0^1 s^2 \frac{\sin s y}{s y} (\alpha + \beta s + \gamma s^3) ds, \quad y = Q \sigma

        with the direct correlation function of M. S. Wertheim, Phys. Rev. Lett. 10 (1963) 321, in the notation
        of N. W. Ashcroft and J. Lekner, Phys. Rev. 145 (1966) 83; the integral is done in closed form.

        Parameters
        ----------
        q
            float64[n], inverse Angstrom, above 0.
        """
        eta = self.packing
        alpha = (1.0 + 2.0 * eta) ** 2 / (1.0 - eta) ** 4
        beta = -6.0 * eta * (1.0 + 0.5 * eta) ** 2 / (1.0 - eta) ** 4
        gamma = 0.5 * eta * alpha
        # Near 0 the closed form takes differences of large numbers; S is flat there.
        y = np.maximum(q * self.diameter, _SMALL)
        sine, cosine = np.sin(y), np.cos(y)
        first = (sine - y * cosine) / y**3
        second = (2.0 * y * sine + (2.0 - y**2) * cosine - 2.0) / y**4
        third = (
            -(y**4) * cosine + 4.0 * ((3.0 * y**2 - 6.0) * cosine + (y**3 - 6.0 * y) * sine + 6.0)
        ) / y**6
        inverse: npt.NDArray[np.float64] = 1.0 + 24.0 * eta * (alpha * first + beta * second + gamma * third)
        return 1.0 / inverse


def simple_liquid() -> HardSpheres:
    """Return the liquid that the sample `LIQUID` is."""
    return HardSpheres(_SPHERE_A, _PACKING, _COHERENT_BARN)
