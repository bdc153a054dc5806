"""NOMAD's banks: which pixels, and on which bins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livered_core import Instrument
from livered_core.diffraction import MASKED, Grouping, log_edges
from livered_nom.settings import NomSettings


def bank_edges(settings: NomSettings) -> npt.NDArray[np.float64]:
    """Return the edges of all banks, float64[banks, n_bins + 1], Angstrom."""
    return np.stack(
        [
            log_edges(low, high, settings.n_bins)
            for low, high in zip(settings.d_min, settings.d_max, strict=True)
        ]
    )


def bank_grouping(settings: NomSettings, instrument: Instrument) -> Grouping:
    """Put each pixel of the instrument into its bank; those of no bank are masked."""
    pixel_id = instrument.pixel_id
    group = np.full(len(pixel_id), MASKED, np.int32)
    for bank, (first, last) in enumerate(zip(settings.bank_first, settings.bank_last, strict=True)):
        group[(pixel_id >= first) & (pixel_id <= last)] = bank
    return Grouping(pixel_id, group)
