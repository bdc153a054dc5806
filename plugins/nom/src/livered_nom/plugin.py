"""The plugin that owns NOMAD's reduction: events to diffraction patterns, bank by bank."""

from __future__ import annotations

import logging
from typing import ClassVar

import attrs

from livered_core import (
    Chunk,
    DataModelError,
    InstrumentDefinition,
    LiveredError,
    Result,
    RunInfo,
    SessionInfo,
    hookimpl,
)
from livered_core.diffraction import (
    Calibration,
    CalibrationFit,
    FocusedHistogram,
    FocusTable,
    calibration_from_geometry,
    fit_calibration,
    focus,
    focus_table,
    read_calibration,
    warm_up,
)
from livered_core.geometry import read_instrument
from livered_nom.banks import bank_edges, bank_grouping
from livered_nom.curves import Note, make_result
from livered_nom.settings import NomSettings

INSTRUMENT = "NOMAD"
"""Name of the instrument in definitions and calibrations."""

log = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class _Prepared:
    """A focusing table, and what it was made of."""

    sha256: str
    table: FocusTable
    fit: CalibrationFit


@attrs.define(eq=False)
class NomPlugin:
    """Events to d-spacing per pixel, histogrammed into the banks, normalised to the proton charge.

    Each run is reduced with the calibration that the file held when the run began. What is accumulated is a
    `FocusedHistogram`; the default `accumulate` adds them.

    Attributes
    ----------
    settings
        The table ``[plugins.nom]``.
    """

    settings_class: ClassVar[type[NomSettings]] = NomSettings
    data_models: ClassVar[tuple[str, ...]] = ("native",)

    settings: NomSettings = attrs.field(factory=NomSettings)
    _calibration: Calibration | None = attrs.field(default=None, init=False, repr=False)
    _prepared: _Prepared | None = attrs.field(default=None, init=False, repr=False)

    def check(self) -> list[str]:
        """Say in sentences what is wrong with the calibration file; for ``livered check`` and the start."""
        if self.settings.calibration is None:
            return []
        try:
            calibration = read_calibration(self.settings.calibration)
        except LiveredError as error:
            return [str(error)]
        problems = []
        if not calibration.is_for(INSTRUMENT):
            problems.append(
                f"Calibration file {calibration.source} is for {calibration.instrument}: "
                f"set calibration in [plugins.nom] to one of {INSTRUMENT}."
            )
        if not calibration.usable.any():
            problems.append(
                f"Calibration file {calibration.source} has no pixel in use: "
                "set calibration in [plugins.nom] to one that has."
            )
        return problems

    @hookimpl
    def session_started(self, session: SessionInfo) -> None:
        """Compile the kernel and read the calibration, so that neither waits for the first chunk."""
        log.debug("preparing the reduction for %s", session.instrument)
        warm_up()
        self._read_calibration()

    @hookimpl
    def run_started(self, run: RunInfo) -> None:
        """Read the calibration anew: the file may have been replaced since the run before."""
        log.debug("preparing the reduction of run %d", run.number)
        # Before reading: a file that cannot be read now must not leave the run to the one before.
        self._calibration = None
        self._prepared = None
        self._read_calibration()

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> FocusedHistogram:
        """Focus the chunk's events.

        Raises
        ------
        DataModelError
            When the chunk comes without an instrument definition, or the calibration does not fit.
        GeometryError
            When the instrument definition cannot be used.
        """
        if chunk.instrument is None:
            message = (
                f"Chunk {chunk.sequence} comes without an instrument definition, so its pixels have no place: "
                "the source must send one before the events."
            )
            raise DataModelError(message)
        return focus(chunk.events, self._prepare(chunk.instrument).table)

    @hookimpl
    def post_process(self, accumulated: FocusedHistogram, run: RunInfo) -> Result:
        """Make one curve for each bank."""
        path = self.settings.calibration
        notes: dict[str, Note] = {
            "calibration": "none: DIFC from the geometry" if path is None else path.name
        }
        if self._prepared is not None and self._prepared.fit.n_missing:
            notes["n_pixels_missing_from_calibration"] = self._prepared.fit.n_missing
        return make_result(accumulated, self.settings, run, notes)

    def _prepare(self, definition: InstrumentDefinition) -> _Prepared:
        """Return the focusing table for an instrument definition: the last one is kept."""
        sha256 = definition.sha256
        if self._prepared is None or self._prepared.sha256 != sha256:
            instrument = read_instrument(definition)
            calibration = self._read_calibration() or calibration_from_geometry(instrument)
            fit = fit_calibration(calibration, instrument)
            if fit.problem:
                raise DataModelError(fit.problem)
            for sentence in fit.sentences:
                log.warning("%s: %s", calibration.source, sentence)
            table = focus_table(
                calibration,
                bank_grouping(self.settings, instrument),
                bank_edges(self.settings),
                self.settings.tof_min_us,
                self.settings.tof_max_us,
            )
            self._prepared = _Prepared(sha256, table, fit)
        return self._prepared

    def _read_calibration(self) -> Calibration | None:
        """Return the configured calibration, read once a run; None where none is configured."""
        if self._calibration is None and self.settings.calibration is not None:
            self._calibration = read_calibration(self.settings.calibration)
        return self._calibration
