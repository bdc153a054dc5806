"""Vanadium and container: reduced beside the reduction by the same code, and kept by content."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from livered_core import DataModelError, SlowLog
from livered_core.diffraction import PreparedVanadium, VanadiumOptions, VanadiumRod, prepare_vanadium
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
)
from livered_nom.choosing import choose_files, stamp
from livered_nom.counting import RunFiles
from livered_nom.counts import NomCounts, from_arrays, to_arrays
from livered_nom.exposure import exposure_of
from livered_nom.measured import Measured
from livered_nom.reduced_files import read_patterns
from livered_nom.settings import NomSettings
from livered_nom.target import Target

log = logging.getLogger(__name__)

_SAID = "said"


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
    run_files
        Counts their events, as those of the sample are counted.
    """

    def __init__(self, settings: NomSettings, run_files: RunFiles) -> None:
        self._settings = settings
        self._run_files = run_files
        self._background = Background()
        self._files: dict[str, Path] = {}
        self._problems: dict[str, str] = {}
        self._stamps: dict[str, str] = {}

    @property
    def stamps(self) -> Mapping[str, str]:
        """Role to the path of the file that was asked for, and what changes when it does."""
        return dict(self._stamps)

    def prepare(self, target: Target, logs: Mapping[str, SlowLog]) -> None:
        """Ask for what a run needs; returns at once.

        Parameters
        ----------
        target
            What they are reduced for.
        logs
            Of the run: with a characterisation file, they choose.
        """
        self._files, self._problems = choose_files(self._settings.references, logs)
        for problem in self._problems.values():
            log.warning("%s", problem)
        for name in ("vanadium", "container"):
            if name not in self._files:
                self._background.forget(name)
        files, key = dict(self._files), target.key
        stamps = self._stamps = {role: stamp(path) for role, path in files.items()}
        if "vanadium" in files:
            background = files.get("vanadium_background")
            self._background.ask(
                "vanadium",
                f"{key} {stamps['vanadium']} {stamps.get('vanadium_background')}",
                lambda stop: self._vanadium(target, files["vanadium"], background, stop),
            )
        if "container" in files:
            self._background.ask(
                "container",
                f"{key} {stamps['container']}",
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

    def reopen(self) -> None:
        """After `close`: go on with what is ready, for another session."""
        self._background.reopen()

    def close(self) -> None:
        """End what is being prepared."""
        self._background.close()

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
            patterns = read_patterns(path, target, self._settings)
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
        key = content_key(fingerprint(path, stop), target.key, repr(self._run_files))
        stored = None if shelf is None else shelf.get(key)
        if stored is not None:
            try:
                return from_arrays(stored.arrays, stored.notes), f"{path.name}{stored.notes.get(_SAID, '')}"
            except DataModelError as error:
                log.warning("%s", error)
        counts, said = self._run_files.count(path, target, stop)
        if shelf is not None:
            try:
                arrays, numbers = to_arrays(counts)
                shelf.put(key, arrays, {**numbers, _SAID: said})
            except DataModelError as error:
                log.warning("%s", error)  # it is used all the same
        return counts, f"{path.name}{said}"
