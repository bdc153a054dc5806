"""Vanadium and container: found, reduced beside the reduction by the same code, and kept by content."""

from __future__ import annotations

import glob
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import Chunk, DataModelError, InstrumentDefinition, RunInfo, SlowLog
from livered_core.diffraction import (
    EventFilter,
    Patterns,
    PreparedVanadium,
    VanadiumOptions,
    VanadiumRod,
    prepare_vanadium,
)
from livered_core.geometry import read_instrument
from livered_core.references import (
    Background,
    Failed,
    Preparing,
    Ready,
    Shelf,
    content_key,
    default_cache_folder,
    fingerprint,
    is_reduced,
    read_reduced,
    read_run,
)
from livered_nom.characterization import choose_characterization, read_characterization
from livered_nom.counts import NomCounts, Tables, count_chunk, from_arrays, to_arrays
from livered_nom.exposure import exposure_of
from livered_nom.measured import Measured
from livered_nom.settings import NomSettings
from livered_nom.settings_references import RUN_FIELD

log = logging.getLogger(__name__)

_SAID = "said"
ROLES = ("vanadium", "vanadium_background", "container")
CACHE_VERSION = 2
"""Raised when counts of the same events become others."""
UNITS = {
    "counts/uAh": "counts/uAh",
    "Counts per microAmp.hour": "counts/uAh",
    "counts/monitor count": "counts/monitor count",
}
"""What a file may call the units of what is normalised: livered, and Mantid's NormaliseByCurrent."""


@attrs.frozen(eq=False)
class Target:
    """What references are reduced for.

    Attributes
    ----------
    tables
        Of the run in hand.
    instrument
        Name of its instrument, as the instrument definition says it.
    definition_sha256
        Content of that definition.
    two_theta
        Mean scattering angle of each bank, radians.
    """

    tables: Tables
    instrument: str
    definition_sha256: str
    two_theta: tuple[float, ...]

    @property
    def key(self) -> str:
        """What the tables are made of."""
        parts: list[npt.NDArray[np.float64] | str | float] = [self.instrument]
        for table in (self.tables.d, self.tables.q, self.tables.view):
            parts += [table.rows, table.edges, table.tof_min_us, table.tof_max_us]
        return content_key(CACHE_VERSION, *parts)


@attrs.frozen(eq=False)
class Corrections:
    """What is ready to correct with, and what people should know of it.

    Attributes
    ----------
    vanadium
        None where there is none, or none yet.
    container
        The same.
    notes
        Of each role that is wanted: its file, or why it is not used.
    waiting
        Whether something is still being prepared.
    """

    vanadium: PreparedVanadium | None = None
    container: Measured | None = None
    notes: Mapping[str, str] = attrs.field(factory=dict)
    waiting: bool = False


class References:
    """Finds and prepares vanadium and container for the run in hand. Used on the reduction thread.

    Parameters
    ----------
    settings
        Of the plugin.
    leave_out
        What is filtered out of their events, as out of the sample's.
    """

    def __init__(self, settings: NomSettings, leave_out: EventFilter) -> None:
        self._settings = settings
        self._leave_out = leave_out
        self._background = Background()
        self._files: dict[str, Path] = {}
        self._problems: dict[str, str] = {}

    def prepare(self, target: Target, logs: Mapping[str, SlowLog]) -> None:
        """Ask for what a run needs; returns at once.

        Parameters
        ----------
        target
            What they are reduced for.
        logs
            Of the run: with a characterisation file, they choose.
        """
        self._files, self._problems = self._find(logs)
        for problem in self._problems.values():
            log.warning("%s", problem)
        for name in ("vanadium", "container"):
            if name not in self._files:
                self._background.forget(name)
        files, key = dict(self._files), target.key
        if "vanadium" in files:
            background = files.get("vanadium_background")
            self._background.ask(
                "vanadium",
                f"{key} {_stamp(files['vanadium'])} {background and _stamp(background)}",
                lambda stop: self._vanadium(target, files["vanadium"], background, stop),
            )
        if "container" in files:
            self._background.ask(
                "container",
                f"{key} {_stamp(files['container'])}",
                lambda stop: self._measure(target, files["container"], stop),
            )

    def ready(self, timeout: float | None = 0.0, given_up: Callable[[], bool] = lambda: False) -> Corrections:
        """Return what is ready.

        Parameters
        ----------
        timeout
            How long to wait for what is being prepared, seconds; None waits until it is.
        given_up
            Ends the wait when it returns true.
        """
        if timeout != 0.0:
            self._background.wait(timeout, given_up)
        notes = dict(self._problems)
        vanadium, container, waiting = None, None, False
        for name in ("vanadium", "container"):
            state = self._background.state(name)
            if isinstance(state, Preparing):
                waiting = True
                notes[name] = f"{self._files[name].name} is being prepared: the curves are shown without it"
            elif isinstance(state, Failed):
                notes[name] = f"not used: {state.sentence}"
            elif isinstance(state, Ready):
                value, said = state.value
                notes[name] = said
                if name == "vanadium":
                    vanadium = value
                else:
                    container = value
        return Corrections(vanadium, container, notes, waiting)

    def close(self) -> None:
        """End what is being prepared."""
        self._background.close()

    def _find(self, logs: Mapping[str, SlowLog]) -> tuple[dict[str, Path], dict[str, str]]:
        """Find the file of each role: the one that the settings name, else the characterisation's; and what is wrong."""
        settings = self._settings.references
        files = {role: path for role in ROLES if (path := getattr(settings, role)) is not None}
        problems: dict[str, str] = {}
        if settings.characterization is not None and len(files) < len(ROLES):
            try:
                chosen = choose_characterization(read_characterization(settings.characterization), logs)
            except DataModelError as error:
                return files, {"references": str(error)}
            for role in ROLES:
                number = getattr(chosen, role)
                if role in files or number <= 0:
                    continue
                try:
                    files[role] = self._file_of(number, role)
                except DataModelError as error:
                    problems[role] = f"not used: {error}"
        if "vanadium" not in files:
            files.pop("vanadium_background", None)
        return files, problems

    def _file_of(self, number: int, role: str) -> Path:
        run_files = self._settings.references.run_files
        if run_files is None:
            message = (
                f"The characterisation file names run {number} as {role}, and run_files in [plugins.nom.references] does "
                "not say where runs are: set it."
            )
            raise DataModelError(message)
        pattern = str(run_files).replace(RUN_FIELD, str(number))
        found = sorted(glob.glob(pattern))  # noqa: PTH207
        if not found:
            message = f"There is no file of run {number}, the {role}, at {pattern}: correct run_files or the characterisation."
            raise DataModelError(message)
        return Path(found[-1])

    def _vanadium(
        self, target: Target, path: Path, background: Path | None, stop: threading.Event
    ) -> tuple[PreparedVanadium, str]:
        settings = self._settings.references
        options = VanadiumOptions(
            strip_peaks=settings.strip_vanadium_peaks,
            smoothing_cutoff=settings.smoothing_cutoff,
            smoothing_order=settings.smoothing_order,
            rod=VanadiumRod(radius_cm=settings.rod_radius_cm) if settings.correct_rod else None,
            two_theta=target.two_theta,
        )
        measured, said = self._measure(target, path, stop)
        behind = None
        if background is not None:
            empty, of_empty = self._measure(target, background, stop)
            behind, said = empty.d, f"{said} less {of_empty}"
        return prepare_vanadium(measured.d, behind, options), said

    def _measure(self, target: Target, path: Path, stop: threading.Event) -> tuple[Measured, str]:
        """Return a run, normalised, and what to say of it."""
        if is_reduced(path):
            patterns = self._read_reduced(target, path)
            without = "" if patterns.e.any() else ", without errors"
            return Measured(patterns, None), f"{path.name}{without}"
        counts, said = self._count(target, path, stop)
        exposure = exposure_of(counts, self._settings.normalise_by)
        if counts.d.n_binned == 0:
            message = f"{path} has no event in any bin: give a run that has."
            raise DataModelError(message)
        if exposure.note:
            message = f"{path} is {exposure.note}: give a run that has some."
            raise DataModelError(message)
        return Measured.of(counts, exposure), said

    def _count(self, target: Target, path: Path, stop: threading.Event) -> tuple[NomCounts, str]:
        shelf = Shelf(default_cache_folder(target.instrument)) if self._settings.references.cache else None
        key = content_key(fingerprint(path, stop), target.key, repr(self._leave_out), self._settings.monitor)
        stored = None if shelf is None else shelf.get(key)
        if stored is not None:
            try:
                return from_arrays(stored.arrays, stored.notes), f"{path.name}{stored.notes.get(_SAID, '')}"
            except DataModelError as error:
                log.warning("%s", error)
        counter = _Counter(target, self._leave_out, self._settings.monitor, path)
        began = time.monotonic()
        read = read_run(path, counter, stop=stop)
        log.info("%s: %d events counted in %.1f s.", path.name, read.n_events, time.monotonic() - began)
        if counter.total is None:
            message = f"{path} has no pulse: give a run that has events."
            raise DataModelError(message)
        said = f" (run {read.run.number})"
        if read.missing:
            said += f", INCOMPLETE: {' '.join(read.missing)}"
        if shelf is not None:
            try:
                arrays, numbers = to_arrays(counter.total)
                shelf.put(key, arrays, {**numbers, _SAID: said})
            except DataModelError as error:
                log.warning("%s", error)  # it is used all the same
        return counter.total, f"{path.name}{said}"

    def _read_reduced(self, target: Target, path: Path) -> Patterns:
        """Take the banks' curves of a file that must have the same bins."""
        curves = {curve.label: curve for curve in read_reduced(path)}
        edges = target.tables.d.edges
        y, e = np.zeros((2, len(edges), edges.shape[1] - 1))
        unit = ""
        for bank, label in enumerate(self._settings.bank_labels):
            curve = curves.get(label) or curves.get(str(bank + 1))
            if curve is None:
                message = f"{path} has no curve {label!r}: give a file with one for each bank."
                raise DataModelError(message)
            if curve.x.shape != edges[bank].shape or not np.allclose(curve.x, edges[bank], rtol=1e-9):
                message = (
                    f"{path} has other bins than this run in {label!r} ({len(curve.x)} edges and not "
                    f"{len(edges[bank])}, or others): reduce it with the same settings."
                )
                raise DataModelError(message)
            if not (np.isfinite(curve.y).all() and np.isfinite(curve.e).all()):
                message = f"{path} has values that are no numbers in {label!r}: reduce that run anew."
                raise DataModelError(message)
            y[bank], e[bank], unit = curve.y, curve.e, curve.y_unit
        wanted = "counts/uAh" if self._settings.normalise_by == "proton_charge" else "counts/monitor count"
        if UNITS.get(unit) != wanted:
            message = (
                f"{path} is in {unit or 'no unit'} and not in {wanted}: reduce it with the same settings."
            )
            raise DataModelError(message)
        return Patterns(edges, y, e, wanted)


def _stamp(path: Path) -> str:
    """Return the path, and what changes when its files do: a reference may be replaced between two runs."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError as error:
        return f"{path} {error.strerror}"
    return f"{path} {stats}"


@attrs.define(eq=False)
class _Counter:
    """Counts the chunks of a run that is read."""

    target: Target
    leave_out: EventFilter
    monitor: int
    path: Path
    total: NomCounts | None = None
    same: set[str] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.same.add(self.target.definition_sha256)

    def __call__(self, chunk: Chunk, run: RunInfo) -> None:
        self._check(chunk.instrument, run)
        counts = count_chunk(chunk, self.target.tables, self.leave_out, self.monitor)
        self.total = counts if self.total is None else self.total + counts

    def _check(self, definition: InstrumentDefinition | None, run: RunInfo) -> None:
        """Refuse another instrument; another version of the same definition is none."""
        if definition is None or definition.sha256 in self.same:
            return
        theirs = read_instrument(definition).name
        if theirs != self.target.instrument:
            message = (
                f"{self.path} (run {run.number}) is of {theirs}, and the sample of {self.target.instrument}."
            )
            raise DataModelError(message)
        self.same.add(definition.sha256)
