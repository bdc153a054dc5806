"""Event files of other runs, loaded and counted with Mantid."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import DataModelError
from livered_core.diffraction import EventFilter
from livered_core.workspaces import run_algorithm, run_of, times_ns_of
from livered_nom.counting import NativeFiles, other_instrument
from livered_nom.counts import NomCounts
from livered_nom.mantid_counts import check_events, check_leave_out, count_workspace
from livered_nom.mantid_focus import Focusing, prepare_focusing
from livered_nom.mantid_geometry import MantidGeometry, read_geometry
from livered_nom.target import Target

log = logging.getLogger(__name__)

_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_CHARGE: Final = "proton_charge"
_PICOCOULOMB: Final = "picocoulomb"
_BYTES_AT_ONCE: Final = 128 * 1024 * 1024
"""Of the file: its events take four times as much in a workspace, and there are a few copies of it."""


@attrs.frozen
class MantidFiles:
    """Counts NeXus event files with LoadEventNexus, and all else, which Mantid does not read, as `NativeFiles`.

    Files are loaded in slices of time, so that a long run does not fill the memory. LoadEventNexus does not count
    monitors: where counts are divided by a monitor's, NeXus files are read by livered itself, too.

    Attributes
    ----------
    leave_out
        What is filtered out of the events.
    native
        For files that are not NeXus.
    by_monitor
        Whether counts are divided by a monitor's.
    bytes_at_once
        About so much of a file is loaded at once.
    """

    leave_out: EventFilter
    native: NativeFiles
    by_monitor: bool = False
    bytes_at_once: int = attrs.field(default=_BYTES_AT_ONCE, repr=False)

    def count(self, path: Path, target: Target, stop: threading.Event) -> tuple[NomCounts, str]:
        """Count a file; see `livered_nom.counting.RunFiles`."""
        if self.by_monitor or not _is_hdf5(path):
            return self.native.count(path, target, stop)
        check_leave_out(self.leave_out)
        began = time.monotonic()
        head = run_algorithm("LoadEventNexus", Filename=str(path), MetaDataOnly=True)
        run: Any = run_of(head)
        number = str(run.getProperty("run_number").value) if run.hasProperty("run_number") else "?"
        name = str(head.getInstrument().getName())
        if not target.is_of(name):
            raise DataModelError(other_instrument(path, number, name, target))
        pulse_ns, charge_pc = _pulses(run, path)
        limits = _slices(pulse_ns, max(1, -(-path.stat().st_size // self.bytes_at_once)))
        total = _Total(self.leave_out, target, float(charge_pc.sum()))
        for limit in limits:
            if stop.is_set():
                message = f"Reading {path} was stopped before its end."
                raise DataModelError(message)
            total.add(run_algorithm("LoadEventNexus", Filename=str(path), **limit), path)
        log.info(
            "%s: %d events counted with Mantid in %.1f s.",
            path.name,
            total.counts.d.n_events if total.counts is not None else 0,
            time.monotonic() - began,
        )
        assert total.counts is not None  # there is a slice at least
        return total.counts, f" (run {number})"


@attrs.define(eq=False)
class _Total:
    """Counts slices of a run, and gives its whole charge to the first."""

    leave_out: EventFilter
    target: Target
    charge_pc: float
    counts: NomCounts | None = None
    geometry: MantidGeometry | None = None
    focusing: Focusing | None = None

    def add(self, workspace: Any, path: Path) -> None:
        check_events(workspace, str(path))
        tables = self.target.tables
        if self.geometry is None or self.focusing is None or not self.geometry.is_of(workspace):
            self.geometry = read_geometry(workspace)
            self.focusing = prepare_focusing(workspace, self.geometry.detector_id, tables)
        counts = count_workspace(
            workspace, self.geometry.detector_id, self.focusing, tables, self.leave_out, self.charge_pc
        )
        self.charge_pc = 0.0
        self.counts = counts if self.counts is None else self.counts + counts


def _is_hdf5(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def _pulses(run: Any, path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return times, nanoseconds, and charges, picocoulomb, of the pulses of a run."""
    if not run.hasProperty(_CHARGE) or not len(times_ns_of(run.getProperty(_CHARGE))):
        message = f"{path} has no pulse: give a run that has events and the log {_CHARGE}."
        raise DataModelError(message)
    series = run.getProperty(_CHARGE)
    if _PICOCOULOMB not in str(series.units).lower():
        message = f"{path} has its {_CHARGE} in {series.units or 'no unit'} and not in picocoulomb: it cannot be used."
        raise DataModelError(message)
    return times_ns_of(series), np.asarray(series.value, np.float64)


def _slices(pulse_ns: npt.NDArray[np.int64], n: int) -> list[dict[str, float]]:
    """Return LoadEventNexus's limits of about `n` slices, seconds after the first pulse, between two pulses each.

    The first has no beginning and the last no end, so that no event is left out, whatever Mantid counts time from.
    """
    first = int(pulse_ns.min())
    pulses = np.unique(pulse_ns) - first
    between = (pulses[:-1] + pulses[1:]) * 0.5e-9
    cuts = (
        between[np.unique(np.linspace(0, len(between), n + 1).astype(int)[1:-1])] if len(between) else between
    )
    limits = [dict[str, float]() for _ in range(len(cuts) + 1)]
    for index, cut in enumerate(cuts.tolist()):
        limits[index]["FilterByTimeStop"] = cut
        limits[index + 1]["FilterByTimeStart"] = cut
    return limits
