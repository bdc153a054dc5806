"""What is prepared for an instrument and its calibration, once for a run."""

from __future__ import annotations

import logging
import math

import attrs
import numpy as np

from livered_core import DataModelError, Instrument
from livered_core.diffraction import (
    Calibration,
    CalibrationFit,
    calibration_from_geometry,
    fit_calibration,
)
from livered_nom.banks import make_tables
from livered_nom.counts import Tables
from livered_nom.settings import NomSettings
from livered_nom.target import Target

log = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class Prepared:
    """What focusing needs, and what it was made of.

    Attributes
    ----------
    instrument
        Where the pixels are.
    target
        Bins and pixels, also for other runs.
    fit
        How well the calibration fits the instrument.
    """

    instrument: Instrument
    target: Target
    fit: CalibrationFit

    @property
    def tables(self) -> Tables:
        """Bins and pixels."""
        return self.target.tables


def prepare(
    settings: NomSettings,
    instrument: Instrument,
    calibration: Calibration | None,
    definition_sha256: str = "",
) -> Prepared:
    """Prepare counting the events of an instrument.

    Parameters
    ----------
    settings
        Banks and bins.
    instrument
        Where the pixels are.
    calibration
        Of the instrument; None for DIFC from the geometry.
    definition_sha256
        Content of the instrument definition; empty where there is none.

    Raises
    ------
    DataModelError
        When the calibration does not fit the instrument, or its pixel ids cannot be used.
    """
    calibration = calibration or calibration_from_geometry(instrument)
    fit = fit_calibration(calibration, instrument)
    if fit.problem:
        raise DataModelError(fit.problem)
    for sentence in fit.sentences:
        log.warning("%s: %s", calibration.source, sentence)
    tables = make_tables(settings, instrument, calibration)
    target = Target(tables, instrument.name, definition_sha256, _mean_angles(tables, instrument))
    return Prepared(instrument, target, fit)


def _mean_angles(tables: Tables, instrument: Instrument) -> tuple[float, ...]:
    """Return the mean scattering angle of each bank's pixels in use, radians; a right angle for an empty bank."""
    group = tables.d.group[instrument.pixel_id]
    angle = instrument.two_theta
    return tuple(
        float(np.mean(angle[group == bank])) if bool(np.any(group == bank)) else math.pi / 2
        for bank in range(len(tables.d.edges))
    )
