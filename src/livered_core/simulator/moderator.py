"""The beam: how many neutrons there are of each wavelength, and how well time and angle tell them apart.

The numbers are plain choices that make a spectrum and a resolution of the right kind; they are not a fit to
any instrument.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_THERMAL_A2_K: Final = 949.3
"""h^2 / (2 m_n k_B) in Angstrom^2 kelvin: lambda_T^2 = 949.3 / T."""


@attrs.frozen
class Spectrum:
    """Neutrons per wavelength and pulse: a Maxwellian and an epithermal tail, joined.

    ``phi(lambda) = (lambda_T^4 / lambda^5) exp(-(lambda_T / lambda)^2)
    + epithermal / lambda / (1 + exp((lambda - join_at) / join_width))``

    in arbitrary units, with ``lambda_T^2 = 949.3 A^2 K / temperature``.

    Source: W. S. Howells, Nucl. Instrum. Methods Phys. Res. 223 (1984) 141, without its leakage exponent.

    Attributes
    ----------
    temperature
        Effective temperature of the Maxwellian, kelvin; the hump stands at ``sqrt(2/5) lambda_T``.
    epithermal
        Strength of the tail relative to the Maxwellian.
    join_at, join_width
        Where and how softly the tail ends, Angstrom.
    """

    temperature: float = 200.0
    epithermal: float = 0.35
    join_at: float = 0.8
    join_width: float = 0.1

    def __call__(self, wavelength: FloatArray) -> FloatArray:
        """Return the flux per wavelength, arbitrary units.

        Parameters
        ----------
        wavelength
            float64[n], Angstrom, above 0.

        Returns
        -------
        float64[n]
        """
        thermal2 = _THERMAL_A2_K / self.temperature
        maxwellian = thermal2**2 / wavelength**5 * np.exp(-thermal2 / wavelength**2)
        # The exponent is bounded so that long wavelengths give 0 and no overflow.
        end = np.exp(np.minimum((wavelength - self.join_at) / self.join_width, 500.0))
        flux: FloatArray = maxwellian + self.epithermal / wavelength / (1.0 + end)
        return flux


@attrs.frozen
class Resolution:
    """Relative width of a Bragg peak in d, from time, path and angle in quadrature.

    ``(sigma_d / d)^2 = time^2 + path^2 + (angle cot(theta))^2``

    which follows from ``d = h t / (2 m_n L sin(theta))``; see J. D. Jorgensen et al., J. Appl. Cryst. 22
    (1989) 321-333. In the slowing-down region the moderator's pulse lengthens in proportion to the wavelength,
    so that its share does not depend on d. With the numbers below a peak is 0.3 % wide at 170 degrees, 0.6 % at
    31 degrees and 2.5 % at 7 degrees (standard deviations).

    Attributes
    ----------
    time
        Standard deviation of the emission time over the time of flight.
    path
        Standard deviation of the flight path over its length.
    angle
        Standard deviation of theta, half the scattering angle, radians.
    """

    time: float = 0.0025
    path: float = 0.0015
    angle: float = 0.0015

    def __call__(self, two_theta: FloatArray) -> FloatArray:
        """Return ``sigma_d / d``.

        Parameters
        ----------
        two_theta
            float64[n], radians, above 0.

        Returns
        -------
        float64[n]
        """
        angular = self.angle / np.tan(two_theta / 2.0)
        width: FloatArray = np.sqrt(self.time**2 + self.path**2 + angular**2)
        return width
