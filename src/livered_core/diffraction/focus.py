"""Focusing: from events to counts in d-spacing or momentum transfer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livered_core.diffraction.histogram import FocusedHistogram
from livered_core.diffraction.table import FocusTable
from livered_core.errors import BackendUnavailable
from livered_core.model import EventBatch


def focus(events: EventBatch, table: FocusTable) -> FocusedHistogram:
    """Count the events of each group in its bins of d-spacing, or of momentum transfer Q = 2 pi / d.

    An event at the time of flight TOF belongs to the d that solves TOF = DIFC d + DIFA d^2 + TZERO of its
    pixel, and to the bin with left edge <= d (or Q) < right edge. Formulae and rounding are Mantid's (AlignDetectors,
    then Rebin), so that counts agree with Mantid's bin by bin. Releases the interpreter lock while it counts.
    The first call of a process waits for compilation, or for reading what was compiled before: see `warm_up`.

    Parameters
    ----------
    events
        What to count; not modified.
    table
        The pixels and the bins.

    Returns
    -------
    FocusedHistogram
        With arrays of its own, the proton charge of all pulses of `events`, and every event accounted for.

    Raises
    ------
    BackendUnavailable
        Where numba is not installed.
    """
    kernel = _kernel()
    counts, tally = kernel.focus_events(
        _uniform(events.pixel_id),
        _uniform(events.tof),
        table.rows,
        table.edges,
        table.guess,
        (float(table.tof_min_us), float(table.tof_max_us)),
        table.axis == "momentum_transfer",
    )
    return FocusedHistogram(
        axis=table.axis,
        edges=table.edges,
        counts=counts,
        proton_charge_pc=float(events.proton_charge_pc.sum()),
        n_events=events.n_events,
        n_binned=int(counts.sum()),
        n_out_of_range=int(tally[kernel.OUT_OF_RANGE]),
        n_masked=int(tally[kernel.MASKED]),
        n_unknown=int(tally[kernel.UNKNOWN]),
    )


def warm_up() -> None:
    """Compile the kernel now, so that the first chunk does not wait for it (seconds, once per machine).

    Raises
    ------
    BackendUnavailable
        Where numba is not installed.
    """
    nothing = np.empty(0)
    edges = np.array([[1.0, 2.0]])
    focus(EventBatch.empty(), FocusTable(nothing.astype(np.int32), nothing, nothing, nothing, edges))


def _uniform(column: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return a read-only, contiguous, aligned view of a column, copied only if it must be.

    The kernel is compiled anew for each kind of array, and views into a buffer are read-only: with one kind,
    it is compiled once.
    """
    view: npt.NDArray[np.uint32] = np.require(column, requirements=["C", "A"]).view()
    view.flags.writeable = False
    return view


def _kernel() -> Any:
    try:
        from livered_core.diffraction import kernel
    except ImportError as error:
        message = "Focusing events needs numba: pip install 'livered-core[native]'."
        raise BackendUnavailable(message) from error
    return kernel
