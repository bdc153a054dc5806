"""Vanadium made ready to divide by: less its background, without its peaks, smooth."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.patterns import Patterns
from livered_core.diffraction.rod import VanadiumRod, rod_factor
from livered_core.diffraction.smoothing import bins_together, butterworth_error, butterworth_smooth
from livered_core.diffraction.vanadium_peaks import StrippedPeak, strip_vanadium_peaks
from livered_core.errors import DataModelError


@attrs.frozen
class VanadiumOptions:
    """What is done to vanadium.

    Attributes
    ----------
    strip_peaks
        Whether its Bragg peaks are taken out.
    smoothing_cutoff, smoothing_order
        Of the Butterworth filter; see `butterworth_smooth`.
    rod
        The rod, to correct for its absorption and multiple scattering; None for no correction.
    two_theta
        Mean scattering angle of each group, radians: wanted with `rod`.
    """

    strip_peaks: bool = True
    smoothing_cutoff: int = 20
    smoothing_order: int = 2
    rod: VanadiumRod | None = None
    two_theta: tuple[float, ...] = ()


@attrs.frozen(eq=False)
class PreparedVanadium:
    """Vanadium after each step.

    Attributes
    ----------
    raw
        Less its background.
    stripped
        Without peaks.
    smooth
        Smooth, and corrected for the rod where that was asked for: what samples are divided by.
    peaks
        What was taken out.
    bins_together
        Over how many bins `smooth` was averaged: so many neighbours err together.
    """

    raw: Patterns
    stripped: Patterns
    smooth: Patterns
    peaks: tuple[StrippedPeak, ...]
    bins_together: float = 1.0


def prepare_vanadium(
    vanadium: Patterns, background: Patterns | None, options: VanadiumOptions
) -> PreparedVanadium:
    """Make vanadium ready to divide by.

    The steps are those of the facility's reduction of NOMAD: minus its background, peaks stripped, smoothed by a
    Butterworth filter. Errors are carried through, where Mantid has 0 after smoothing.

    Parameters
    ----------
    vanadium
        Normalised, on bins of d-spacing (Angstrom).
    background
        Normalised alike, on the same bins; None for none.
    options
        The steps.

    Raises
    ------
    DataModelError
        When bins or units differ, the filter does not fit the bins, or angles for the rod are missing.
    """
    raw = vanadium if background is None else vanadium.minus(background)
    stripped, peaks = raw, tuple[StrippedPeak, ...]()
    if options.strip_peaks:
        result = strip_vanadium_peaks(raw)
        stripped, peaks = result.patterns, result.peaks
    y = butterworth_smooth(stripped.y, options.smoothing_cutoff, options.smoothing_order)
    e = butterworth_error(stripped.e, options.smoothing_cutoff, options.smoothing_order)
    if options.rod is not None:
        factor = _factor(options.rod, raw.edges, options.two_theta)
        y, e = y / factor, e / factor
    together = bins_together(y.shape[-1], options.smoothing_cutoff, options.smoothing_order)
    return PreparedVanadium(raw, stripped, Patterns(raw.edges, y, e, raw.unit), peaks, together)


def _factor(
    rod: VanadiumRod, edges: npt.NDArray[np.float64], two_theta: tuple[float, ...]
) -> npt.NDArray[np.float64]:
    """Return the rod's factor for each bin, float64[groups, n]: worked out at some wavelengths, and between them linear."""
    if len(two_theta) != len(edges):
        message = (
            f"A rod's correction has {len(two_theta)} angles for {len(edges)} groups: give one for each."
        )
        raise DataModelError(message)
    d = (edges[:, :-1] + edges[:, 1:]) / 2
    factor = np.ones_like(d)
    for group, angle in enumerate(two_theta):
        wavelength = 2 * d[group] * np.sin(angle / 2)
        at = np.linspace(wavelength.min(), wavelength.max(), 24)
        factor[group] = np.interp(wavelength, at, rod_factor(rod, at, angle))
    return factor
