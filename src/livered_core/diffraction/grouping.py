"""Which pixels are reduced together: all, by bank, by angle, as a calibration says, or each by itself."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.calibration import Calibration
from livered_core.diffraction.columns import int32_column
from livered_core.errors import DataModelError
from livered_core.model import EventBatch, Instrument

MASKED = -1
"""Group of a pixel that is left out on purpose."""


@attrs.frozen(eq=False)
class Grouping:
    """Which pixels there are, and into which group each goes.

    Attributes
    ----------
    pixel_id
        int32[n], the instrument's pixels, each once, not negative.
    group
        int32[n], index of the pixel's group, or `MASKED`.
    """

    pixel_id: npt.NDArray[np.int32] = attrs.field(converter=int32_column, repr=False)
    group: npt.NDArray[np.int32] = attrs.field(converter=int32_column, repr=False)

    @property
    def n_groups(self) -> int:
        """Number of groups: the largest index and one."""
        return int(self.group.max()) + 1 if len(self.group) else 0


def group_all(instrument: Instrument) -> Grouping:
    """Put all pixels into one group."""
    return Grouping(instrument.pixel_id, np.zeros(len(instrument.pixel_id), np.int32))


def group_by_bank(instrument: Instrument) -> Grouping:
    """Put each pixel into the group of its bank; group i is ``instrument.bank_names[i]``."""
    return Grouping(instrument.pixel_id, instrument.bank)


def group_by_calibration(instrument: Instrument, calibration: Calibration) -> Grouping:
    """Put each pixel into the group that the calibration names, less 1; pixels of group 0 are masked.

    Parameters
    ----------
    instrument, calibration
        Pixels that the calibration lacks are masked, too.
    """
    group = np.full(len(instrument.pixel_id), MASKED, np.int32)
    row = np.searchsorted(instrument.pixel_id, calibration.detid)
    row = np.minimum(row, max(len(group) - 1, 0))
    known = (instrument.pixel_id[row] == calibration.detid) & (calibration.group > 0)
    group[row[known]] = calibration.group[known] - 1
    return Grouping(instrument.pixel_id, group)


def group_by_two_theta(instrument: Instrument, edges: npt.NDArray[np.float64]) -> Grouping:
    """Put each pixel into a strip of scattering angle; those outside all strips are masked.

    Parameters
    ----------
    instrument
        Where the pixels are.
    edges
        float64[n + 1], radians, strictly ascending: strips are closed on the left and open on the right.

    Raises
    ------
    DataModelError
        When the edges do not ascend.
    """
    if len(edges) < 2 or not bool(np.all(np.diff(edges) > 0)):
        message = "Strips of two-theta need two edges or more, strictly ascending (radians)."
        raise DataModelError(message)
    group = np.searchsorted(edges, instrument.two_theta, side="right") - 1
    group[(group < 0) | (group >= len(edges) - 1)] = MASKED
    return Grouping(instrument.pixel_id, group.astype(np.int32))


def pixel_counts(events: EventBatch, n_pixels: int) -> npt.NDArray[np.int64]:
    """Count the events of each pixel, whatever their time of flight.

    Parameters
    ----------
    events
        Not modified.
    n_pixels
        Pixels with ids from 0 to ``n_pixels - 1`` are counted; events of others are left out.

    Returns
    -------
    int64[n_pixels]
        The caller's own.
    """
    pixel_id = events.pixel_id
    if len(pixel_id) and int(pixel_id.max()) >= n_pixels:
        pixel_id = pixel_id[pixel_id < n_pixels]
    return np.bincount(pixel_id, minlength=n_pixels).astype(np.int64, copy=False)
