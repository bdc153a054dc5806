"""Absorption and multiple scattering of a vanadium rod."""

from __future__ import annotations

import math
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import DataModelError

Floats = npt.NDArray[np.float64]

REFERENCE_WAVELENGTH: Final = 1.798
"""Angstrom: at this wavelength (2200 m/s) absorption cross sections are given."""

_RADII, _AZIMUTHS, _POLAR = 20, 32, 16
_DEGREE = 24
"""Of the polynomial in the wavelength: right to 1e-14 for vanadium, and to 1e-5 in a rod of twenty mean free paths."""


@attrs.frozen
class VanadiumRod:
    """A rod of an isotropic scatterer, upright in a beam that bathes it.

    Attributes
    ----------
    radius_cm
        Radius, centimetres.
    number_density
        Atoms per Angstrom^3; by default that of vanadium, 6.11 g/cm^3.
    scattering_barn, absorption_barn
        Cross sections of an atom, barn; absorption at 1.798 Angstrom, in proportion to the wavelength. By default
        those of vanadium (V. F. Sears, Neutron News 3 (1992) 26).

    Raises
    ------
    DataModelError
        When a number is negative, or there is nothing that scatters.
    """

    radius_cm: float = 0.2925
    number_density: float = 0.0722
    scattering_barn: float = 5.10
    absorption_barn: float = 5.08

    def __attrs_post_init__(self) -> None:
        numbers = (self.radius_cm, self.number_density, self.scattering_barn, self.absorption_barn)
        if not all(0 <= number < math.inf for number in numbers) or self.scattering_barn == 0:
            message = f"{self} is no rod that scatters: give numbers of 0 or more, and scattering above 0."
            raise DataModelError(message)

    def attenuation(self, wavelength: Floats) -> Floats:
        """Return the inverse of the path on which 1/e is left, 1/cm."""
        barn = self.scattering_barn + self.absorption_barn * wavelength / REFERENCE_WAVELENGTH
        mu: Floats = self.number_density * barn
        return mu


def transmission(rod: VanadiumRod, wavelength: Floats, two_theta: float) -> Floats:
    """Return what absorption and scattering away leave of single scattering: the mean of exp(-mu (l_1 + l_2)).

    The mean goes over the rod's cross section; l_1 and l_2 are the ways in and out, in the plane across the rod.

    Parameters
    ----------
    rod
        The rod.
    wavelength
        float64[n], Angstrom, 0 or more.
    two_theta
        Scattering angle in that plane, radians.

    Returns
    -------
    float64[n]
        Above 0, up to 1; the caller's own.

    References
    ----------
    International Tables for Crystallography, volume C, section 6.3.3: this is 1 / A*.
    """
    x, y, weight = _disc(rod.radius_cm)
    path = _way_out(rod.radius_cm, x, y, math.pi) + _way_out(rod.radius_cm, x, y, two_theta)
    mu = rod.attenuation(np.asarray(wavelength, np.float64))
    mean: Floats = np.exp(-np.multiply.outer(mu, path)) @ weight
    return mean


def multiple_scattering(rod: VanadiumRod, wavelength: Floats) -> Floats:
    """Return the ratio of all scattering to single scattering, in the quasi-isotropic approximation.

    A neutron that has been scattered is scattered once more, before it leaves, with the probability
    ``delta = (sigma_s / sigma_t) (1 - <exp(-mu l)>)``, where l is the way out from where the beam scatters, averaged over
    all directions of space. If each further time is as likely, the sum over all is ``1 / (1 - delta)``. The rod is taken as
    long.

    Parameters
    ----------
    rod
        The rod.
    wavelength
        float64[n], Angstrom.

    Returns
    -------
    float64[n]
        1 or more; the caller's own.

    References
    ----------
    V. F. Sears, Advances in Physics 24 (1975) 1, section 5; I. A. Blech and B. L. Averbach, Physical Review 137 (1965)
    A1113.
    """
    wavelength = np.asarray(wavelength, np.float64)
    low, high = (float(wavelength.min()), float(wavelength.max())) if len(wavelength) else (0.0, 0.0)
    if len(wavelength) <= _DEGREE or low == high:
        return _all_over_single(rod, wavelength)
    # A smooth function of the wavelength, and slow to work out: interpolated.
    series = np.polynomial.Chebyshev.interpolate(
        lambda nodes: _all_over_single(rod, nodes), _DEGREE, domain=[low, high]
    )
    ratio: Floats = series(wavelength)
    return ratio


def rod_factor(rod: VanadiumRod, wavelength: Floats, two_theta: float) -> Floats:
    """Return measured over ideal scattering: transmission times multiple scattering.

    Dividing a vanadium pattern by it gives what the rod would scatter once, and without absorption.

    Parameters
    ----------
    rod
        The rod.
    wavelength
        float64[n], Angstrom.
    two_theta
        Scattering angle, radians.

    Returns
    -------
    float64[n]
        Above 0; the caller's own.
    """
    return transmission(rod, wavelength, two_theta) * multiple_scattering(rod, wavelength)


def _all_over_single(rod: VanadiumRod, wavelength: Floats) -> Floats:
    x, y, weight = _disc(rod.radius_cm)
    mu = rod.attenuation(np.asarray(wavelength, np.float64))
    first = np.exp(-np.multiply.outer(mu, _way_out(rod.radius_cm, x, y, math.pi))) * weight
    first /= first.sum(axis=1, keepdims=True)
    node, share = np.polynomial.legendre.leggauss(_POLAR)
    sine = np.sin(math.pi * (node + 1) / 2)
    polar_weight = share * sine * math.pi / 4
    azimuths = 2 * math.pi * np.arange(_AZIMUTHS) / _AZIMUTHS
    escaped = np.zeros(len(mu))
    for azimuth in azimuths:
        across = _way_out(rod.radius_cm, x, y, float(azimuth))
        for sin_polar, part in zip(sine, polar_weight / _AZIMUTHS, strict=True):
            escaped += part * (first * np.exp(-np.multiply.outer(mu, across / sin_polar))).sum(axis=1)
    total = rod.number_density * rod.scattering_barn / np.where(mu > 0, mu, 1.0)
    delta = np.where(mu > 0, total * (1 - escaped), 0.0)
    ratio: Floats = 1 / (1 - delta)
    return ratio


def _disc(radius: float) -> tuple[Floats, Floats, Floats]:
    """Return points in a disc and their weights, which add up to 1."""
    node, share = np.polynomial.legendre.leggauss(_RADII)
    # Even in the square of the radius: even over the area.
    r = radius * np.sqrt((node + 1) / 2)
    azimuth = 2 * math.pi * (np.arange(_AZIMUTHS) + 0.5) / _AZIMUTHS
    x, y = np.multiply.outer(r, np.cos(azimuth)), np.multiply.outer(r, np.sin(azimuth))
    weight = np.repeat(share / 2 / _AZIMUTHS, _AZIMUTHS)
    return x.ravel(), y.ravel(), weight


def _way_out(radius: float, x: Floats, y: Floats, azimuth: float) -> Floats:
    """Return the way from points in a disc to its rim, in a direction."""
    along = x * math.cos(azimuth) + y * math.sin(azimuth)
    aside = x * math.sin(azimuth) - y * math.cos(azimuth)
    way: Floats = np.sqrt(np.maximum(radius**2 - aside**2, 0.0)) - along
    return way
