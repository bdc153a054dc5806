"""The plugin that owns NOMAD's reduction: events to patterns, S(Q) and G(r)."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import attrs
import numpy as np

from livered_core import (
    Chunk,
    DataModelError,
    Instrument,
    InstrumentDefinition,
    LiveredError,
    Result,
    RunInfo,
    SessionInfo,
    SlowLog,
    Update,
    hookimpl,
)
from livered_core.diffraction import (
    Calibration,
    CalibrationFit,
    EventFilter,
    NullScattererError,
    SampleScattering,
    calibration_from_geometry,
    fit_calibration,
    read_calibration,
    sample_scattering,
    warm_up,
)
from livered_core.geometry import InstrumentCache
from livered_nom.banks import make_tables
from livered_nom.characterization import read_characterization
from livered_nom.counts import NomCounts, Tables, count_chunk
from livered_nom.curves import Note
from livered_nom.references import ROLES, Corrections, References, Target
from livered_nom.result import Reduction, describe_problem, make_result
from livered_nom.settings import NomSettings
from livered_nom.total import Plan, make_plan

INSTRUMENT = "NOMAD"
"""Name of the instrument in definitions and calibrations."""
PULSE_VETO = 0x4
"""Bit of a pulse that the accelerator vetoed."""
COMPOSITION_FIELDS = ("chemical_formula", "formula", "ChemicalFormula", "composition")
"""Fields of the run's sample that may hold its composition."""
COMPOSITION_LOGS = ("SampleFormula", "BL1B:CS:ITEMS:Formula")
"""Logs that may hold it: NOMAD's item tracking."""

log = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class _Prepared:
    """What focusing needs, and what it was made of."""

    instrument: Instrument
    target: Target
    fit: CalibrationFit

    @property
    def tables(self) -> Tables:
        return self.target.tables


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
    data_models: ClassVar[tuple[str, ...]] = ("native",)

    settings: NomSettings = attrs.field(factory=NomSettings)
    _calibration: Calibration | None = attrs.field(default=None, init=False, repr=False)
    _instruments: InstrumentCache = attrs.field(factory=InstrumentCache, init=False, repr=False)
    _prepared: _Prepared | None = attrs.field(default=None, init=False, repr=False)
    _references: References | None = attrs.field(default=None, init=False, repr=False)
    _plan: Plan | None = attrs.field(default=None, init=False, repr=False)
    _live: bool = attrs.field(default=True, init=False, repr=False)
    _stopping: Callable[[], bool] = attrs.field(default=bool, init=False, repr=False)
    _logged_formula: str = attrs.field(default="", init=False, repr=False)

    def check(self) -> list[str]:
        """Say in sentences what is wrong with the files of the settings; for ``livered check`` and the start."""
        return [*self._check_calibration(), *self._check_references(), *self._check_total()]

    def _check_calibration(self) -> list[str]:
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

    def _check_references(self) -> list[str]:
        settings = self.settings.references
        named = {role: path for role in ROLES if (path := getattr(settings, role)) is not None}
        problems = [
            f"There is no {role} file {path}: correct {role} in [plugins.nom.references]."
            for role, path in named.items()
            if not path.exists()
        ]
        problems += [
            f"{path} is named as {role} and as vanadium: a run cannot be both; correct [plugins.nom.references]."
            for role, path in named.items()
            if role != "vanadium" and path.resolve() == named.get("vanadium", Path()).resolve()
        ]
        if settings.characterization is not None:
            try:
                read_characterization(settings.characterization)
            except LiveredError as error:
                problems.append(str(error))
            if settings.run_files is None:
                problems.append(
                    "A characterisation file names runs by number, and run_files does not say where they are: set it "
                    "in [plugins.nom.references]."
                )
        return problems

    def _check_total(self) -> list[str]:
        try:
            if self.settings.total_scattering.composition:
                sample_scattering(self.settings.total_scattering.composition)
            make_plan(self.settings.total_scattering)
        except NullScattererError:
            return []  # its banks can be shown
        except LiveredError as error:
            return [f"{error} See [plugins.nom.total_scattering]."]
        return []

    @hookimpl
    def session_started(self, session: SessionInfo) -> None:
        """Compile the kernel and read the calibration, so that neither waits for the first chunk."""
        log.debug("preparing the reduction for %s", session.instrument)
        self._live, self._stopping = session.live, session.stopping
        warm_up()
        self._read_calibration()
        self._plan = make_plan(self.settings.total_scattering)

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
        self._calibration = None
        self._prepared = None
        self._logged_formula = ""
        self._read_calibration()

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> NomCounts:
        """Count the chunk's events.

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
        tables = self._prepare(chunk.instrument, chunk).tables
        self._logged_formula = _logged_formula(chunk.logs) or self._logged_formula
        return count_chunk(chunk, tables, self._leave_out, self.settings.monitor)

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
        scattering, problem = self._scattering(run)
        wanted, said = self.settings.total_scattering.composition, self._said_formula(run)
        if wanted and said and wanted != said:
            notes["composition_of_the_run"] = f"{said}, and the settings say {wanted}, which counts"
        if self._plan is None:
            self._plan = make_plan(self.settings.total_scattering)
        reduction = Reduction(
            settings=self.settings,
            tables=None if prepared is None else prepared.tables,
            corrections=corrections,
            scattering=scattering,
            scattering_problem=problem,
            plan=self._plan,
        )
        return make_result(accumulated, reduction, run, update, notes)

    @property
    def _leave_out(self) -> EventFilter:
        return EventFilter(
            prompt_pulse_width_us=self.settings.prompt_pulse_width_us,
            pulse_flags=PULSE_VETO if self.settings.leave_out_vetoed else 0,
        )

    def _patience(self, update: Update) -> float | None:
        """Return how long an update waits for references, seconds: live ones do not, but for the last of a run."""
        if not self._live:
            return None
        return self.settings.references.wait_at_end if update.final else 0.0

    def _scattering(self, run: RunInfo) -> tuple[SampleScattering | None, str]:
        """Return what the sample scatters, by the settings or by what the run says of it; else why not."""
        formula = self.settings.total_scattering.composition or self._said_formula(run)
        if not formula:
            return (
                None,
                "S(Q) and G(r) need the sample's composition: set it in [plugins.nom.total_scattering]",
            )
        try:
            return sample_scattering(formula), ""
        except LiveredError as error:
            return None, describe_problem(error)

    def _said_formula(self, run: RunInfo) -> str:
        """Return the composition that the run itself says; empty where it says none."""
        said = (run.sample.get(field, "").strip() for field in COMPOSITION_FIELDS)
        return next((text for text in said if text), self._logged_formula)

    def _prepare(self, definition: InstrumentDefinition, chunk: Chunk) -> _Prepared:
        """Return what is prepared for an instrument: that of the last one is kept."""
        instrument = self._instruments.read(definition, chunk.logs)
        if self._prepared is None or self._prepared.instrument is not instrument:
            calibration = self._read_calibration() or calibration_from_geometry(instrument)
            fit = fit_calibration(calibration, instrument)
            if fit.problem:
                raise DataModelError(fit.problem)
            for sentence in fit.sentences:
                log.warning("%s: %s", calibration.source, sentence)
            tables = make_tables(self.settings, instrument, calibration)
            target = Target(tables, instrument.name, definition.sha256, _mean_angles(tables, instrument))
            self._prepared = _Prepared(instrument, target, fit)
            if self._references is None:
                self._references = References(self.settings, self._leave_out)
            self._references.prepare(target, chunk.logs)
        return self._prepared

    def _read_calibration(self) -> Calibration | None:
        """Return the configured calibration, read once a run; None where none is configured."""
        if self._calibration is None and self.settings.calibration is not None:
            self._calibration = read_calibration(self.settings.calibration)
        return self._calibration


def _logged_formula(logs: Mapping[str, SlowLog]) -> str:
    """Return what the logs say of the sample's composition; empty where they say nothing."""
    for name in COMPOSITION_LOGS:
        said = logs[name].last if name in logs and len(logs[name].value) else ""
        if isinstance(said, str) and said.strip():
            return said.strip()
    return ""


def _mean_angles(tables: Tables, instrument: Instrument) -> tuple[float, ...]:
    """Return the mean scattering angle of each bank's pixels in use, radians; a right angle for an empty bank."""
    group = tables.d.group[instrument.pixel_id]
    angle = instrument.two_theta
    return tuple(
        float(np.mean(angle[group == bank])) if bool(np.any(group == bank)) else math.pi / 2
        for bank in range(len(tables.d.edges))
    )
