"""NOMAD's banks: which pixels, and on which bins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livered_core import Instrument
from livered_core.diffraction import (
    MASKED,
    Calibration,
    Grouping,
    focus_table,
    group_by_two_theta,
    linear_edges,
    log_edges,
)
from livered_nom.counts import Tables
from livered_nom.settings import NomSettings
from livered_nom.settings_total import TotalScatteringSettings


def bank_edges(settings: NomSettings) -> npt.NDArray[np.float64]:
    """Return the edges of all banks, float64[banks, n_bins + 1], Angstrom."""
    return np.stack(
        [
            log_edges(low, high, settings.n_bins)
            for low, high in zip(settings.d_min, settings.d_max, strict=True)
        ]
    )


def momentum_edges(settings: TotalScatteringSettings) -> npt.NDArray[np.float64]:
    """Return the common edges of momentum transfer, float64[n + 1], 1/Angstrom."""
    n_bins = max(1, round(settings.q_max / settings.q_step))
    return linear_edges(0.0, n_bins * settings.q_step, n_bins)


def bank_grouping(settings: NomSettings, instrument: Instrument) -> Grouping:
    """Put each pixel of the instrument into its bank; those of no bank are masked."""
    pixel_id = instrument.pixel_id
    group = np.full(len(pixel_id), MASKED, np.int32)
    for bank, (first, last) in enumerate(zip(settings.bank_first, settings.bank_last, strict=True)):
        group[(pixel_id >= first) & (pixel_id <= last)] = bank
    return Grouping(pixel_id, group)


def make_tables(settings: NomSettings, instrument: Instrument, calibration: Calibration) -> Tables:
    """Prepare all that is counted of an instrument.

    Parameters
    ----------
    settings
        Banks and bins.
    instrument
        Where the pixels are.
    calibration
        Of this instrument; pixels that it does not use are masked.

    Raises
    ------
    DataModelError
        When the pixel ids of the instrument cannot be used.
    """
    banks = bank_grouping(settings, instrument)
    tof = (settings.tof_min_us, settings.tof_max_us)
    q_edges = momentum_edges(settings.total_scattering)
    strips = view_two_theta(settings, instrument)
    view_d = view_d_spacing(settings)
    return Tables(
        d=focus_table(calibration, banks, bank_edges(settings), *tof),
        q=focus_table(
            calibration, banks, np.tile(q_edges, (len(settings.bank_labels), 1)), *tof, "momentum_transfer"
        ),
        view=focus_table(
            calibration,
            group_by_two_theta(instrument, strips),
            np.tile(view_d, (len(strips) - 1, 1)),
            *tof,
        ),
        n_pixels=int(instrument.pixel_id.max()) + 1,
        two_theta=strips,
    )


def view_two_theta(settings: NomSettings, instrument: Instrument) -> npt.NDArray[np.float64]:
    """Return the edges of the strips of the two-dimensional view, radians: from the smallest angle to the largest."""
    angle = instrument.two_theta
    first, last = float(angle.min()), float(angle.max())
    margin = max(1e-6, 1e-6 * (last - first))
    return linear_edges(first - margin, last + margin, settings.view_strips)


def view_d_spacing(settings: NomSettings) -> npt.NDArray[np.float64]:
    """Return the bins of d-spacing of the two-dimensional view, Angstrom: over those of all banks."""
    return log_edges(min(settings.d_min), max(settings.d_max), settings.view_bins)
