"""What a detector at one angle sees of a sample, against d-spacing."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.simulator.moderator import Resolution, Spectrum
from livered_core.simulator.sample import Powder
from livered_core.simulator.total_structure import TotalStructure

FloatArray = npt.NDArray[np.float64]

_LOG_STEP: Final = 0.0004
"""Step of ln(d) on which a class is worked out: at least seven to a standard deviation of the sharpest peak."""
_TOTAL_LOG_STEP: Final = 0.0001
"""The same for a total S(Q): at 40 inverse Angstrom it is 0.004, an eighteenth of a peak's width."""
_CELLS: Final = 8192
_TOTAL_CELLS: Final = 32768
"""Where S(Q) falls to a hundredth, a cell is a hundred times as wide as beside it: cells have to be many."""


@attrs.frozen
class Scattering:
    """What is in the beam, and the beam.

    Attributes
    ----------
    sample
        A powder with its Bragg peaks, or a sample that scatters by its total S(Q).
    spectrum
        Neutrons of each wavelength.
    resolution
        Widths of Bragg peaks. It is not applied to a total S(Q), which events follow exactly.
    """

    sample: Powder | TotalStructure
    spectrum: Spectrum = attrs.field(factory=Spectrum)
    resolution: Resolution = attrs.field(factory=Resolution)

    @property
    def cells(self) -> int:
        """Cells of equal probability that a distribution needs."""
        return _TOTAL_CELLS if isinstance(self.sample, TotalStructure) else _CELLS


def class_distribution(
    scattering: Scattering, two_theta: float, d_min: float, d_max: float
) -> tuple[FloatArray, FloatArray]:
    """Work out what a pixel at one angle sees, as an integral over d.

    Parameters
    ----------
    scattering
        Sample and beam.
    two_theta
        Radians.
    d_min, d_max
        Range that must be covered, Angstrom.

    Returns
    -------
    d_spacing : float64[m]
        Angstrom, ascending, in even steps of ln(d).
    cumulated : float64[m]
        Neutrons per solid angle between the first d-spacing and each, arbitrary units, the same for all angles.
    """
    if isinstance(scattering.sample, TotalStructure):
        return _total(scattering.sample, scattering.spectrum, two_theta, (d_min, d_max))
    return _with_peaks(scattering.sample, scattering, two_theta, (d_min, d_max))


def _total(
    sample: TotalStructure, spectrum: Spectrum, two_theta: float, d_range: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    start, stop = np.log(d_range[0]) - _TOTAL_LOG_STEP, np.log(d_range[1]) + _TOTAL_LOG_STEP
    n = int(np.ceil((stop - start) / _TOTAL_LOG_STEP)) + 1
    d_spacing: FloatArray = np.exp(start + _TOTAL_LOG_STEP * np.arange(n))
    wavelength = 2.0 * d_spacing * np.sin(two_theta / 2.0)
    # For each ln(d) at a fixed angle: the wavelengths of the beam are proportional to d.
    intensity = spectrum(wavelength) * wavelength * sample.cross_section(2.0 * np.pi / d_spacing)
    cumulated = np.zeros(n)
    np.cumsum(0.5 * _TOTAL_LOG_STEP * (intensity[1:] + intensity[:-1]), out=cumulated[1:])
    return d_spacing, cumulated


def _with_peaks(
    powder: Powder, scattering: Scattering, two_theta: float, d_range: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    sine = np.sin(two_theta / 2.0)
    width = float(scattering.resolution(np.array([two_theta]))[0])
    margin = 5.0 * width
    start, stop = np.log(d_range[0]) - margin, np.log(d_range[1]) + margin
    log_d = start + _LOG_STEP * np.arange(int(np.ceil((stop - start) / _LOG_STEP)) + 1)
    d_spacing: FloatArray = np.exp(log_d)

    wavelength = 2.0 * powder.d_spacing * sine
    strength = scattering.spectrum(wavelength) * wavelength * powder.bragg_strength()
    # Each reflection is shared by its two neighbours on the grid, so that its centre stays exact.
    place = (np.log(powder.d_spacing) - start) / _LOG_STEP
    inside = (place >= 0.0) & (place < len(log_d) - 1)
    left = place[inside].astype(np.int64)
    right_part = place[inside] - left
    lines: FloatArray = np.bincount(left, strength[inside] * (1.0 - right_part), len(log_d)).astype(
        np.float64
    )
    lines = lines + np.bincount(left + 1, strength[inside] * right_part, len(log_d))
    peaks = _blur(lines, width / _LOG_STEP)

    wavelength = 2.0 * d_spacing * sine
    background = (
        scattering.spectrum(wavelength)
        * wavelength
        * powder.diffuse_per_steradian(wavelength, d_spacing)
        * _LOG_STEP
    )
    # The share of a grid point lies half a step to either side of it.
    upper_edge = d_spacing * np.exp(0.5 * _LOG_STEP)
    cumulated: FloatArray = np.cumsum(peaks + background)
    return upper_edge, cumulated - cumulated[0]


def _blur(lines: FloatArray, sigma: float) -> FloatArray:
    """Convolve with a Gaussian of `sigma` grid steps; nothing comes in from beyond the ends."""
    padded = len(lines) + int(6.0 * sigma) + 1
    size = 1 << (padded - 1).bit_length()
    frequency = np.fft.rfftfreq(size)
    transform = np.fft.rfft(lines, size) * np.exp(-0.5 * (2.0 * np.pi * frequency * sigma) ** 2)
    blurred: FloatArray = np.fft.irfft(transform, size)[: len(lines)]
    return np.maximum(blurred, 0.0)
