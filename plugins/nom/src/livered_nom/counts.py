"""What NOMAD's reduction accumulates of a run: counts, and an account of every event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import Chunk, DataModelError
from livered_core.diffraction import (
    EventFilter,
    FocusedHistogram,
    FocusPlan,
    FocusTable,
    focus_all,
    plan_focusing,
)

MEMBERS = ("d", "q", "view")
"""The histograms of `NomCounts`."""
_NUMBERS = (
    "proton_charge_pc",
    "n_events",
    "n_binned",
    "n_out_of_range",
    "n_masked",
    "n_unknown",
    "n_filtered",
)


@attrs.frozen(eq=False)
class Tables:
    """What focusing needs, prepared once for an instrument and a calibration.

    Attributes
    ----------
    d
        The banks, on their bins of d-spacing.
    q
        The banks, on common bins of momentum transfer.
    view
        Strips of two-theta, on coarse bins of d-spacing.
    n_pixels
        Pixels with ids below this are counted one by one.
    two_theta
        float64[strips + 1], radians: edges of the strips of `view`.
    plan
        For counting by all of these at once.
    """

    d: FocusTable
    q: FocusTable
    view: FocusTable
    n_pixels: int
    two_theta: npt.NDArray[np.float64]
    plan: FocusPlan = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "plan", plan_focusing((self.d, self.q, self.view), self.n_pixels))


@attrs.frozen(eq=False)
class NomCounts:
    """Counts of a run, or of a part of it. Counts of the same run can be added, in any order, exactly.

    Attributes
    ----------
    d, q, view
        As in `Tables`; each accounts for all events by itself.
    pixels
        int64[n_pixels], events of each pixel, whatever their time of flight.
    monitor_counts
        Events of the monitor that the settings name.
    n_lost_before
        Events that the stream itself gave as wrong or unmapped, so that they are not among those above.
    """

    d: FocusedHistogram
    q: FocusedHistogram
    view: FocusedHistogram
    pixels: npt.NDArray[np.int64] = attrs.field(repr=False)
    monitor_counts: int = 0
    n_lost_before: int = 0

    def __add__(self, other: NomCounts) -> NomCounts:
        """Add counts on the same bins.

        Raises
        ------
        DataModelError
            When the bins differ.
        """
        if not isinstance(other, NomCounts):
            return NotImplemented
        if self.pixels.shape != other.pixels.shape:
            message = (
                f"Counts of {len(self.pixels)} pixels and of {len(other.pixels)} pixels cannot be added: the "
                "instrument definition has changed; begin the run again."
            )
            raise DataModelError(message)
        return NomCounts(
            d=self.d + other.d,
            q=self.q + other.q,
            view=self.view + other.view,
            pixels=self.pixels + other.pixels,
            monitor_counts=self.monitor_counts + other.monitor_counts,
            n_lost_before=self.n_lost_before + other.n_lost_before,
        )


def count_chunk(
    chunk: Chunk, tables: Tables, leave_out: EventFilter, monitor: int, threads: int = 1
) -> NomCounts:
    """Count the events of a chunk.

    Parameters
    ----------
    chunk
        Of the native model.
    tables
        For its instrument.
    leave_out
        What is filtered out first.
    monitor
        Number of the beam monitor that is counted.
    threads
        Threads among which the events are divided.
    """
    focused = focus_all(chunk.events, tables.plan, leave_out, threads=threads)
    d, q, view = focused.histograms
    return NomCounts(
        d=d,
        q=q,
        view=view,
        pixels=focused.pixels,
        monitor_counts=_monitor_counts(chunk, monitor, leave_out),
        n_lost_before=chunk.n_error_pixel_events + chunk.n_unmapped_events,
    )


def _monitor_counts(chunk: Chunk, monitor: int, leave_out: EventFilter) -> int:
    """Count the events of a monitor in the pulses that are taken."""
    events = chunk.monitors.get(monitor)
    if events is None:
        return 0
    flagged = (chunk.events.flags & np.uint32(leave_out.pulse_flags)) != 0
    taken = ~np.isin(events.pulse_time_ns, chunk.events.pulse_time_ns[flagged])
    return int(np.diff(events.event_offset)[taken].sum())


def to_arrays(counts: NomCounts) -> tuple[dict[str, npt.NDArray[Any]], dict[str, float | int]]:
    """Take counts apart, to be kept in a file.

    Returns
    -------
    arrays, numbers
        For `from_arrays`.
    """
    arrays: dict[str, npt.NDArray[Any]] = {"pixels": counts.pixels}
    numbers: dict[str, float | int] = {
        "monitor_counts": counts.monitor_counts,
        "n_lost_before": counts.n_lost_before,
    }
    for member in MEMBERS:
        histogram: FocusedHistogram = getattr(counts, member)
        arrays[f"{member}_edges"], arrays[f"{member}_counts"] = histogram.edges, histogram.counts
        numbers |= {f"{member}_{name}": getattr(histogram, name) for name in _NUMBERS}
    return arrays, numbers


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]], numbers: Mapping[str, Any]) -> NomCounts:
    """Put together what `to_arrays` took apart.

    Raises
    ------
    DataModelError
        When something is missing or does not fit.
    """
    try:
        histograms = {
            member: FocusedHistogram(
                edges=arrays[f"{member}_edges"],
                counts=arrays[f"{member}_counts"],
                axis="momentum_transfer" if member == "q" else "d_spacing",
                proton_charge_pc=float(numbers[f"{member}_proton_charge_pc"]),
                **{name: int(numbers[f"{member}_{name}"]) for name in _NUMBERS[1:]},
            )
            for member in MEMBERS
        }
        return NomCounts(
            **histograms,
            pixels=np.asarray(arrays["pixels"], np.int64),
            monitor_counts=int(numbers["monitor_counts"]),
            n_lost_before=int(numbers["n_lost_before"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        message = f"Kept counts cannot be used ({error}): they are made anew."
        raise DataModelError(message) from error
