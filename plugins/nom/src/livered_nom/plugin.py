"""The plugin that owns NOMAD's reduction: events to patterns, S(Q) and G(r)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import ClassVar

import attrs

from livered_core import (
    Chunk,
    DataModelError,
    Instrument,
    InstrumentDefinition,
    Result,
    RunInfo,
    SessionInfo,
    SlowLog,
    Update,
    hookimpl,
)
from livered_core.diffraction import (
    Calibration,
    EventFilter,
    SampleScattering,
    read_calibration,
    warm_up,
)
from livered_core.geometry import InstrumentCache
from livered_nom.composition import logged_formula, said_formula
from livered_nom.counting import NativeFiles, RunFiles
from livered_nom.counts import NomCounts, count_chunk
from livered_nom.curves import Note
from livered_nom.file_checks import check_files
from livered_nom.kept import KeptRun, NotedLogs, PreparedFrom, calibration_digest
from livered_nom.mantid_chunks import MantidChunks
from livered_nom.mantid_files import MantidFiles
from livered_nom.prepared import Prepared, prepare
from livered_nom.references import Corrections, References
from livered_nom.result import Reduction, make_result
from livered_nom.settings import NomSettings
from livered_nom.standing import Standing

PULSE_VETO = 0x4
"""Bit of a pulse that the accelerator vetoed."""

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class NomPlugin:
    """Events to d-spacing and momentum transfer per pixel, counted bank by bank, normalised and corrected.

    Each run is reduced with the calibration that the file held when the run began. What is accumulated is a
    `NomCounts`; the default `accumulate` adds them. Everything that is shown follows from these counts.

    Attributes
    ----------
    settings
        The table ``[plugins.nom]``.
    """

    settings_class: ClassVar[type[NomSettings]] = NomSettings
    data_models: ClassVar[tuple[str, ...]] = ("native", "mantid")
    process_elsewhere: ClassVar[bool] = True
    many_sessions: ClassVar[bool] = True

    settings: NomSettings = attrs.field(factory=NomSettings)
    _calibration: Calibration | None = attrs.field(default=None, init=False, repr=False)
    _calibration_digest: str = attrs.field(default="", init=False, repr=False)
    _instruments: InstrumentCache = attrs.field(factory=InstrumentCache, init=False, repr=False)
    _mantid: MantidChunks | None = attrs.field(default=None, init=False, repr=False)
    _prepared: Prepared | None = attrs.field(default=None, init=False, repr=False)
    _prepared_from: PreparedFrom | None = attrs.field(default=None, init=False, repr=False)
    _references: References | None = attrs.field(default=None, init=False, repr=False)
    _standing: Standing | None = attrs.field(default=None, init=False, repr=False)
    _live: bool = attrs.field(default=True, init=False, repr=False)
    _elsewhere: bool = attrs.field(default=False, init=False, repr=False)
    _stopping: Callable[[], bool] = attrs.field(default=bool, init=False, repr=False)
    _logged_formula: str = attrs.field(default="", init=False, repr=False)

    def check(self) -> list[str]:
        """Say in sentences what is wrong with the files of the settings; for ``livered check`` and the start."""
        return check_files(self.settings)

    @hookimpl
    def session_started(self, session: SessionInfo) -> None:
        """Compile the kernel and read the calibration, so that neither waits for the first chunk."""
        log.debug("preparing the reduction for %s", session.instrument)
        self._live, self._stopping = session.live, session.stopping
        self._elsewhere = session.elsewhere
        if self._references is not None:
            self._references.reopen()
        if session.backend != "mantid":
            warm_up()
        self._read_calibration()
        if not self._elsewhere:
            # A worker makes no updates.
            self._standing_for_updates()

    @hookimpl
    def session_ended(self) -> None:
        """End what is being prepared."""
        if self._references is not None:
            self._references.close()

    @hookimpl
    def run_started(self, run: RunInfo) -> None:
        """Read the calibration anew: the file may have been replaced since the run before."""
        log.debug("preparing the reduction of run %d", run.number)
        # Before reading: a file that cannot be read now must not leave the run to the one before.
        self._calibration, self._calibration_digest = None, ""
        self._prepared = None
        self._prepared_from = None
        self._logged_formula = ""
        if self._mantid is not None:
            self._mantid.forget()
        self._read_calibration()

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> NomCounts:
        """Count the chunk's events.

        Raises
        ------
        DataModelError
            When the chunk comes without an instrument definition, the calibration does not fit, or one of Mantid's
            algorithms fails.
        GeometryError
            When the instrument definition cannot be used.
        """
        self._logged_formula = logged_formula(chunk.logs) or self._logged_formula
        if chunk.model == "mantid":
            return self._count_with_mantid(chunk)
        if chunk.instrument is None:
            message = (
                f"Chunk {chunk.sequence} comes without an instrument definition, so its pixels have no place: "
                "the source must send one before the events."
            )
            raise DataModelError(message)
        tables = self._prepare_native(chunk.instrument, chunk.logs).tables
        return count_chunk(chunk, tables, self._leave_out, self.settings.monitor, self._threads)

    def processed_elsewhere(self, chunk: Chunk) -> None:
        """Prepare for what a chunk that was counted on a worker was counted with (native backend).

        Raises
        ------
        DataModelError, GeometryError
            As `process_chunk`.
        """
        self._logged_formula = logged_formula(chunk.logs) or self._logged_formula
        if chunk.instrument is not None:
            self._prepare_native(chunk.instrument, chunk.logs)

    def _count_with_mantid(self, chunk: Chunk) -> NomCounts:
        if self._mantid is None:
            self._mantid = MantidChunks(self._leave_out, self.settings.monitor)
        instrument = self._mantid.geometry(chunk).instrument
        return self._mantid.count(chunk, self._prepare(instrument, chunk.logs, model="mantid").tables)

    @hookimpl
    def post_process(self, accumulated: NomCounts, run: RunInfo, update: Update) -> Result:
        """Make the curves of the banks, S(Q) and G(r)."""
        path = self.settings.calibration
        notes: dict[str, Note] = {
            "calibration": "none: DIFC from the geometry" if path is None else path.name
        }
        prepared = self._prepared
        if prepared is not None and prepared.fit.n_missing:
            notes["n_pixels_missing_from_calibration"] = prepared.fit.n_missing
        corrections = Corrections()
        if self._references is not None:
            corrections = self._references.ready(self._patience(update), self._stopping)
            if not self._live and corrections.waiting and self._stopping():
                # Curves without vanadium must not take the place of those with it, made before.
                message = f"Run {run.number} is not reduced: livered was asked to stop while vanadium or container was prepared."
                raise DataModelError(message)
        standing = self._standing_for_updates()
        scattering, problem = self._scattering(run, standing)
        wanted, said = self.settings.total_scattering.composition, self._said_formula(run)
        if wanted and said and wanted != said:
            notes["composition_of_the_run"] = f"{said}, and the settings say {wanted}, which counts"
        reduction = Reduction(
            settings=self.settings,
            tables=None if prepared is None else prepared.tables,
            corrections=corrections,
            usable=standing.usable(corrections),
            scattering=scattering,
            scattering_problem=problem,
            plan=standing.plan,
            bank_plan=standing.bank_plan,
        )
        return make_result(accumulated, reduction, run, update, notes)

    @property
    def _threads(self) -> int:
        """Threads that count a chunk: one on a worker, which has others beside it."""
        return 1 if self._elsewhere else self.settings.threads or os.cpu_count() or 1

    @property
    def _leave_out(self) -> EventFilter:
        return EventFilter(
            prompt_pulse_width_us=self.settings.prompt_pulse_width_us,
            pulse_flags=PULSE_VETO if self.settings.leave_out_vetoed else 0,
        )

    def _standing_for_updates(self) -> Standing:
        """Return what is the same at each update, made once."""
        if self._standing is None:
            self._standing = Standing(self.settings)
        return self._standing

    def _patience(self, update: Update) -> float | None:
        """Return how long an update waits for references, seconds: live ones do not, but for the last of a run."""
        if not self._live:
            return None
        return self.settings.references.wait_at_end if update.final else 0.0

    def _scattering(self, run: RunInfo, standing: Standing) -> tuple[SampleScattering | None, str]:
        """Return what the sample scatters, by the settings or by what the run says of it; else why not."""
        formula = self.settings.total_scattering.composition or self._said_formula(run)
        if not formula:
            return (
                None,
                "S(Q) and G(r) need the sample's composition: set it in [plugins.nom.total_scattering]",
            )
        return standing.scattering(formula)

    def _said_formula(self, run: RunInfo) -> str:
        """Return the composition that the run itself says; empty where it says none."""
        return said_formula(run) or self._logged_formula

    def save_state(self) -> KeptRun:
        """Keep what the run in hand depends on beside its counts, for a checkpoint (native backend)."""
        return KeptRun(self._calibration_digest, self._logged_formula, self._prepared_from)

    def restore_state(self, state: KeptRun) -> None:
        """Go on with a run that was begun by another process, after `run_started`.

        Raises
        ------
        DataModelError
            When the calibration or a reference is not the one with which the run was begun.
        LiveredError
            When they cannot be read, or the instrument cannot.
        """
        self._read_calibration()
        if self._calibration_digest != state.calibration:
            message = "The calibration is not the one with which the run was begun."
            raise DataModelError(message)
        self._logged_formula = state.logged_formula
        before = state.prepared
        if before is None:
            return
        self._prepare_native(before.definition, before.logs)
        if self._elsewhere:
            # Counts do not depend on references, which the session's instance prepares.
            return
        now = {} if self._references is None else self._references.stamps
        for role in sorted({*before.references, *now}):
            if before.references.get(role) != now.get(role):
                message = f"The {role.replace('_', ' ')} is not the one with which the run was begun."
                raise DataModelError(message)

    def _prepare_native(self, definition: InstrumentDefinition, logs: Mapping[str, SlowLog]) -> Prepared:
        noted = NotedLogs(logs)
        before = self._prepared
        instrument = self._instruments.read(definition, noted)
        prepared = self._prepare(instrument, noted, definition.sha256)
        if prepared is not before:
            stamps = {} if self._references is None else self._references.stamps
            self._prepared_from = PreparedFrom(definition, noted.asked(), stamps)
        return prepared

    def _prepare(
        self,
        instrument: Instrument,
        logs: Mapping[str, SlowLog],
        definition_sha256: str = "",
        model: str = "native",
    ) -> Prepared:
        """Return what is prepared for an instrument: that of the last one is kept."""
        if self._prepared is None or self._prepared.instrument is not instrument:
            calibration = self._read_calibration()
            self._prepared = prepare(self.settings, instrument, calibration, definition_sha256)
            if self._elsewhere:
                return self._prepared
            if self._references is None:
                self._references = References(self.settings, self._run_files(model))
            self._references.prepare(self._prepared.target, logs)
        return self._prepared

    def _run_files(self, model: str) -> RunFiles:
        """Return what counts other runs: as the chunks are counted."""
        native = NativeFiles(self._leave_out, self.settings.monitor)
        if model != "mantid":
            return native
        return MantidFiles(self._leave_out, native, by_monitor=self.settings.normalise_by == "monitor")

    def _read_calibration(self) -> Calibration | None:
        """Return the configured calibration, read once a run; None where none is configured."""
        if self._calibration is None and self.settings.calibration is not None:
            self._calibration = read_calibration(self.settings.calibration)
            self._calibration_digest = calibration_digest(self._calibration)
        return self._calibration
