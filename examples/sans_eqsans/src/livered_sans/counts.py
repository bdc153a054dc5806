"""What is accumulated."""

import attrs
import numpy as np


@attrs.frozen(eq=False)
class SansCounts:
    """Neutrons, and what they are to be divided by.

    Attributes
    ----------
    counts
        int64[n_slices, n_q], neutrons in slices of the wavelength band and in bins of Q.
    exposure
        float64[n_slices, n_q], sr uC: solid angle times proton charge that has seen them.
    picture
        int64[ny, nx], neutrons on the detector, those that are left out as well.
    n_masked
        Neutrons behind the beam stop and in dead banks.
    n_beyond
        Neutrons whose wavelength or momentum transfer is beyond the bins.
    n_unknown
        Events of pixels that the instrument does not have.
    """

    counts: np.ndarray
    exposure: np.ndarray
    picture: np.ndarray
    n_masked: int
    n_beyond: int
    n_unknown: int

    def __add__(self, other: "SansCounts") -> "SansCounts":
        names = attrs.fields_dict(SansCounts)
        return SansCounts(**{name: getattr(self, name) + getattr(other, name) for name in names})
