"""Neutron constants, time of flight and wavelength, and DIFC.

The constants are those of CODATA 2006 (Mohr, Taylor and Newell, Rev. Mod. Phys. 80 (2008) 633), because Mantid
uses them and calibrations are made with Mantid: those of 2018 would change DIFC by -8.2e-9 of its value.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from livered_core.model import Instrument

PLANCK = 6.62606896e-34
"""Planck's constant h, joule seconds."""

NEUTRON_MASS = 1.674927211e-27
"""Mass of the neutron, kilograms."""

TOF_US_PER_METRE_ANGSTROM = NEUTRON_MASS / PLANCK * 1e-4
"""Time of flight in microseconds of a neutron of 1 Angstrom over 1 metre: about 252.78."""

Values = TypeVar("Values", float, npt.NDArray[np.float64])
"""One number, or an array of numbers."""


def tof_from_wavelength(wavelength: Values, path: float) -> Values:
    """Time of flight of neutrons.

    Parameters
    ----------
    wavelength
        Angstrom.
    path
        Length of the flight path L1 + L2, metres.

    Returns
    -------
    float or float64[n]
        Microseconds.
    """
    return wavelength * (TOF_US_PER_METRE_ANGSTROM * path)


def wavelength_from_tof(tof: Values, path: float) -> Values:
    """Wavelength of neutrons (de Broglie, lambda = h t / (m L)).

    Parameters
    ----------
    tof
        Time of flight, microseconds.
    path
        Length of the flight path L1 + L2, metres.

    Returns
    -------
    float or float64[n]
        Angstrom.
    """
    return tof / (TOF_US_PER_METRE_ANGSTROM * path)


def difc(instrument: Instrument) -> npt.NDArray[np.float64]:
    """Diffractometer constant of each pixel, from the geometry alone: TOF = DIFC d.

    Bragg's law, lambda = 2 d sin(theta), and de Broglie's give DIFC = 2 m (L1 + L2) sin(theta) / h.

    Parameters
    ----------
    instrument
        Where the pixels are; n of them.

    Returns
    -------
    float64[n]
        Microseconds per Angstrom, in the order of ``instrument.pixel_id``. A new array, the caller's own.
    """
    path = instrument.l1 + instrument.l2
    constant: npt.NDArray[np.float64] = (
        2.0 * TOF_US_PER_METRE_ANGSTROM * path * np.sin(0.5 * instrument.two_theta)
    )
    return constant
