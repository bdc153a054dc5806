"""Mantid's workspaces become the same counts as livered's own events, on the same bins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from livered_core import DataModelError
from livered_core.diffraction import MASKED, UNKNOWN, EventFilter, FocusedHistogram, FocusTable
from livered_core.workspaces import kind_of, run_of
from livered_nom.counts import NomCounts, Tables
from livered_nom.mantid_focus import (
    DSpacings,
    Focusing,
    focus_with_mantid,
    spectrum_counts,
    without_prompt_pulses,
)
from livered_nom.mantid_geometry import NO_DETECTOR

_TWO_PI = 2.0 * math.pi


def check_leave_out(leave_out: EventFilter) -> None:
    """Refuse what cannot be left out of Mantid's workspaces.

    Raises
    ------
    DataModelError
        When pulses are to be left out by their flags.
    """
    if leave_out.pulse_flags:
        message = (
            "leave_out_vetoed is set, and Mantid's workspaces do not say which pulses were vetoed: take it out of "
            '[plugins.nom], or use backend = "native".'
        )
        raise DataModelError(message)


def check_events(workspace: Any, what: str) -> None:
    """Refuse anything but events in time of flight.

    Raises
    ------
    DataModelError
        When it is something else; the sentence begins with `what`.
    """
    if kind_of(workspace) != "events":
        message = (
            f"{what} is a {type(workspace).__name__} and not an EventWorkspace: NOMAD's reduction needs events, so "
            "choose a listener that sends them."
        )
        raise DataModelError(message)
    unit = str(workspace.getAxis(0).getUnit().unitID())
    if unit != "TOF":
        message = f"{what} is in {unit} and not in time of flight: the calibration needs raw events."
        raise DataModelError(message)


def count_workspace(
    workspace: Any,
    detector_id: npt.NDArray[np.int64],
    focusing: Focusing,
    tables: Tables,
    leave_out: EventFilter,
    proton_charge_pc: float,
) -> NomCounts:
    """Count the events of a workspace.

    Each event belongs to the bin in which its d-spacing, as Mantid computes it, lies: bins are closed on the left and
    open on the right. Another rounding of d than livered's own moves events only that lie on an edge.

    Parameters
    ----------
    workspace
        Events in time of flight, microseconds; not modified, and not kept.
    detector_id
        int64[spectra], ids of their pixels; see `livered_nom.mantid_geometry.MantidGeometry`.
    focusing
        For its spectra.
    tables
        The bins.
    leave_out
        What is filtered out first.
    proton_charge_pc
        Of its pulses, picocoulomb.

    Raises
    ------
    DataModelError
        When something cannot be left out, or one of Mantid's algorithms fails.
    """
    check_leave_out(leave_out)
    n_events = int(workspace.getNumberEvents())
    taken = without_prompt_pulses(workspace, leave_out)
    per_spectrum = spectrum_counts(taken)
    n_filtered = n_events - int(per_spectrum.sum())
    focused: Mapping[str, DSpacings] = {}
    if per_spectrum[focusing.used].any():
        focused = focus_with_mantid(taken, focusing, tables.d)

    def histogram(table: FocusTable, name: str) -> FocusedHistogram:
        numbers = _numbers(table, focused.get(name, {}), focusing.group[name], per_spectrum)
        return FocusedHistogram(proton_charge_pc=proton_charge_pc, **numbers).with_filtered(n_filtered)

    return NomCounts(
        d=histogram(tables.d, "d"),
        q=histogram(tables.q, "d"),
        view=histogram(tables.view, "view"),
        pixels=_pixels(detector_id, per_spectrum, tables.n_pixels),
    )


def monitor_counts(workspace: Any, monitor: int) -> int:
    """Return the events of a beam monitor in a live chunk, as the listener counts them; 0 where it does not.

    Parameters
    ----------
    workspace
        The chunk: the listener counts anew for each.
    monitor
        Number of the monitor in the stream.
    """
    run, name = run_of(workspace), f"monitor{monitor}_counts"
    if run is None or not run.hasProperty(name):
        return 0
    return int(np.sum(run.getProperty(name).value))


def _numbers(
    table: FocusTable,
    focused: DSpacings,
    group: npt.NDArray[np.int64],
    per_spectrum: npt.NDArray[np.int64],
) -> dict[str, Any]:
    """Count d-spacings on a table's bins, and account for the events of all spectra."""
    counts = np.zeros((len(table.edges), table.edges.shape[1] - 1), np.int64)
    for index, d in focused.items():
        counts[index] = _counts(table.edges[index], d, in_q=table.axis == "momentum_transfer")
    n_events, n_binned = int(per_spectrum.sum()), int(counts.sum())
    n_masked, n_unknown = (int(per_spectrum[group == kind].sum()) for kind in (MASKED, UNKNOWN))
    return {
        "axis": table.axis,
        "edges": table.edges,
        "counts": counts,
        "n_events": n_events,
        "n_binned": n_binned,
        "n_out_of_range": n_events - n_binned - n_masked - n_unknown,
        "n_masked": n_masked,
        "n_unknown": n_unknown,
    }


def _counts(
    edges: npt.NDArray[np.float64], d: npt.NDArray[np.float64], *, in_q: bool
) -> npt.NDArray[np.int64]:
    x = d
    if in_q:
        # Where there is no d above 0 there is no momentum transfer.
        x = np.divide(_TWO_PI, d, out=np.full(len(d), np.nan), where=d > 0.0)
    x = x[(x >= edges[0]) & (x < edges[-1])]
    place = np.searchsorted(edges, x, side="right") - 1
    return np.bincount(place, minlength=len(edges) - 1).astype(np.int64, copy=False)


def _pixels(
    detector_id: npt.NDArray[np.int64], per_spectrum: npt.NDArray[np.int64], n_pixels: int
) -> npt.NDArray[np.int64]:
    counts = np.zeros(n_pixels, np.int64)
    known = (detector_id != NO_DETECTOR) & (detector_id < n_pixels)
    np.add.at(counts, detector_id[known], per_spectrum[known])
    return counts
