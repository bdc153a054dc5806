"""The truth about the pixels: what turns a d-spacing into a time of flight in the simulated instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from livered_core.diffraction.calibration import Calibration

FloatArray = npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Truth:
    """Per pixel, ``tof = difc d + difa d^2 + tzero`` with d in Angstrom and tof in microseconds.

    Attributes
    ----------
    difc, difa, tzero
        float64[n], us/A, us/A^2 and us, in the order of the instrument's pixels.
    """

    difc: FloatArray
    difa: FloatArray
    tzero: FloatArray

    def tof_us(self, d_spacing: FloatArray) -> FloatArray:
        """Return the time of flight of each pixel at its d-spacing, microseconds.

        Parameters
        ----------
        d_spacing
            float64[n], Angstrom, one for each pixel.
        """
        tof: FloatArray = self.difc * d_spacing + self.difa * d_spacing**2 + self.tzero
        return tof

    def d_spacing(self, tof_us: float) -> FloatArray:
        """Return the d-spacing that each pixel sees at a time of flight.

        Where `difa` is negative the time of flight has a longest value; later times give the d-spacing of that
        longest value, so that a range of times always gives a range of d-spacings.

        Parameters
        ----------
        tof_us
            Microseconds.

        Returns
        -------
        float64[n]
            Angstrom, 0 where the time is before `tzero` or `difc` is not above 0.
        """
        late = tof_us - self.tzero
        discriminant = self.difc**2 + 4.0 * self.difa * late
        # The form without cancellation of the root that belongs to small d; it holds for difa = 0 too. Where the
        # discriminant is clipped at 0, late is beyond the vertex at d = -difc / (2 difa).
        reached = discriminant >= 0.0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            root = 2.0 * late / (self.difc + np.sqrt(np.maximum(discriminant, 0.0)))
            vertex = -self.difc / (2.0 * self.difa)
        d_spacing: FloatArray = np.where(reached, root, vertex)
        return np.where((late > 0.0) & (self.difc > 0.0), d_spacing, 0.0)


def truth_of(
    pixel_id: npt.NDArray[np.int32], geometric_difc: FloatArray, calibration: Calibration | None = None
) -> Truth:
    """Join geometry and calibration: calibrated pixels follow the calibration, the others their geometry.

    Parameters
    ----------
    pixel_id
        int32[n], ascending.
    geometric_difc
        float64[n], us/A, of those pixels.
    calibration
        Its usable pixels are taken over; ids that the instrument does not have are left out.
    """
    difc = np.array(geometric_difc, dtype=np.float64)
    difa = np.zeros_like(difc)
    tzero = np.zeros_like(difc)
    if calibration is not None:
        row = np.searchsorted(pixel_id, calibration.detid)
        row = np.minimum(row, max(len(pixel_id) - 1, 0))
        known = (pixel_id[row] == calibration.detid) & calibration.usable
        difc[row[known]] = calibration.difc[known]
        difa[row[known]] = calibration.difa[known]
        tzero[row[known]] = calibration.tzero[known]
    return Truth(difc=difc, difa=difa, tzero=tzero)
