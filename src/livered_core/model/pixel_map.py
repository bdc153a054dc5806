"""Which pixel belongs to which bank."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

NO_BANK = 0xFFFF_FFFF
"""What `PixelMap.bank_of` says of a pixel that is in no bank."""


@attrs.frozen(eq=False)
class PixelMap:
    """Which pixel belongs to which bank, as the stream says.

    Attributes
    ----------
    pixel_id
        uint32[n], ascending and unique.
    bank_id
        uint32[n], bank of each pixel.
    """

    pixel_id: npt.NDArray[np.uint32]
    bank_id: npt.NDArray[np.uint32]

    def bank_of(self, pixel_id: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """Look up banks.

        Parameters
        ----------
        pixel_id
            uint32[m], in any order.

        Returns
        -------
        uint32[m]
            `NO_BANK` for pixels that are not in the map.
        """
        if not len(self.pixel_id):
            return np.full(len(pixel_id), NO_BANK, np.uint32)
        row = np.minimum(np.searchsorted(self.pixel_id, pixel_id), len(self.pixel_id) - 1)
        return np.where(self.pixel_id[row] == pixel_id, self.bank_id[row], np.uint32(NO_BANK))
