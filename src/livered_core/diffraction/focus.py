"""Focusing: from events to counts in d-spacing or momentum transfer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.filtering import EventFilter
from livered_core.diffraction.histogram import FocusedHistogram
from livered_core.diffraction.plan import FocusPlan, Pass, plan_of
from livered_core.diffraction.table import FocusTable
from livered_core.errors import BackendUnavailable, DataModelError
from livered_core.model import EventBatch

FEWEST_FOR_A_THREAD = 100_000
"""Starting a thread, and adding its counts, takes as long as counting some ten thousand events."""
_MOST_AT_ONCE = 1 << 31
"""Counts of the kernel are uint32."""
_NOTHING_LEFT_OUT = EventFilter()


@attrs.frozen(eq=False)
class FocusedTogether:
    """Counts of the same events by all tables of a plan.

    Attributes
    ----------
    histograms
        For each table of the plan, in its order: what `focus` gives of the events that were not left out, with those
        that were accounted for in `FocusedHistogram.n_filtered`.
    pixels
        int64[n_pixels], the events of each pixel that were not left out, whatever their time of flight; read-only.
    n_filtered
        Events that were left out.
    n_pulses_filtered
        Pulses that were left out.
    proton_charge_filtered_pc
        Proton charge of these pulses, picocoulomb.
    """

    histograms: tuple[FocusedHistogram, ...]
    pixels: npt.NDArray[np.int64] = attrs.field(repr=False)
    n_filtered: int = 0
    n_pulses_filtered: int = 0
    proton_charge_filtered_pc: float = 0.0


def focus(events: EventBatch, table: FocusTable) -> FocusedHistogram:
    """Count the events of each group in its bins of d-spacing, or of momentum transfer Q = 2 pi / d.

    An event at the time of flight TOF belongs to the d that solves TOF = DIFC d + DIFA d^2 + TZERO of its
    pixel, and to the bin with left edge <= d (or Q) < right edge. Formulae and rounding are Mantid's (AlignDetectors,
    then Rebin), so that counts agree with Mantid's bin by bin. Releases the interpreter lock while it counts.
    The first call of a process waits for compilation, or for reading what was compiled before: see `warm_up`; the first
    call with a table waits some milliseconds (seconds where it has a hundred thousand groups). For several tables, see
    `focus_all`.

    Parameters
    ----------
    events
        What to count; not modified.
    table
        The pixels and the bins.

    Returns
    -------
    FocusedHistogram
        With counts of its own, the proton charge of all pulses of `events`, and every event accounted for.

    Raises
    ------
    BackendUnavailable
        Where numba is not installed.
    """
    return focus_all(events, plan_of(table)).histograms[0]


def focus_all(
    events: EventBatch,
    plan: FocusPlan,
    leave_out: EventFilter = _NOTHING_LEFT_OUT,
    *,
    threads: int = 1,
) -> FocusedTogether:
    """Count events by all tables of a plan, without those that a filter names.

    The counts are exactly those of `filter_events`, then `focus` for each table and `pixel_counts`, in a fraction of the
    time and without a copy of the events. Releases the interpreter lock while it counts.

    Parameters
    ----------
    events
        What to count; not modified.
    plan
        The tables.
    leave_out
        What is left out.
    threads
        Threads among which the events are divided, the calling one included; fewer are taken where the events are few.
        Each has counts of its own meanwhile: 4 bytes for each bin and pixel.

    Returns
    -------
    FocusedTogether
        With counts of its own.

    Raises
    ------
    BackendUnavailable
        Where numba is not installed.
    DataModelError
        When `threads` is below 1.
    """
    if threads < 1:
        message = f"Events cannot be counted by {threads} threads: give 1 or more."
        raise DataModelError(message)
    kernel = _kernel()
    keep_pulse = (events.flags & np.uint32(leave_out.pulse_flags)) == 0
    ranges = _ranges(events, keep_pulse)
    counter = _Counter(kernel, _uniform(events.pixel_id), _uniform(events.tof), ranges, leave_out, threads)
    histograms: dict[int, FocusedHistogram] = {}
    pixels = np.zeros(plan.n_pixels, np.int64)
    charge = float(events.proton_charge_pc[keep_pulse].sum())
    n_flagged = events.n_events - int((ranges[:, 1] - ranges[:, 0]).sum())
    n_filtered = 0
    for number, step in enumerate(plan._passes):
        tallies = counter.count(step, pixels if number == 0 else pixels[:0])
        n_filtered = n_flagged + tallies.n_filtered
        for spread, bins, (n_masked, n_unknown) in zip(step.spreads, tallies.bins, tallies.lost, strict=True):
            table = plan.tables[spread.table]
            n_binned = int(bins.sum())
            bins.flags.writeable = False
            histograms[spread.table] = FocusedHistogram(
                axis=table.axis,
                edges=table.edges,
                counts=bins,
                proton_charge_pc=charge,
                n_events=events.n_events,
                n_binned=n_binned,
                n_out_of_range=events.n_events - n_binned - n_masked - n_unknown - n_filtered,
                n_masked=n_masked,
                n_unknown=n_unknown,
                n_filtered=n_filtered,
            )
    pixels.flags.writeable = False
    return FocusedTogether(
        histograms=tuple(histograms[index] for index in range(len(plan.tables))),
        pixels=pixels,
        n_filtered=n_filtered,
        n_pulses_filtered=int(np.count_nonzero(~keep_pulse)),
        proton_charge_filtered_pc=float(events.proton_charge_pc[~keep_pulse].sum()),
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


@attrs.frozen(eq=False)
class _Tallies:
    """What one pass gave: bins, and events masked and unknown, for each of its spreads."""

    bins: list[npt.NDArray[np.int64]]
    lost: list[tuple[int, int]]
    n_filtered: int


@attrs.frozen(eq=False)
class _Counter:
    """The events of a batch, ready to be counted."""

    kernel: Any
    pixel_id: npt.NDArray[np.uint32]
    tof: npt.NDArray[np.uint32]
    ranges: npt.NDArray[np.int64]
    leave_out: EventFilter
    threads: int

    def count(self, step: Pass, pixels: npt.NDArray[np.int64]) -> _Tallies:
        """Count by the tables of one pass; `pixels` are added to."""
        bins = [np.zeros((len(s.edge_place), s.edge_place.shape[1] - 1), np.int64) for s in step.spreads]
        lost = [(0, 0)] * len(bins)
        n_filtered = 0
        for ranges in _portions(self.ranges, _MOST_AT_ONCE):
            first, second, of_pixels = self._count_portion(step, ranges, len(pixels) > 0)
            for index, spread in enumerate(step.spreads):
                counts = second if spread.second else first
                self.kernel.add_places(
                    counts, _read_only(spread.first), _read_only(spread.edge_place), bins[index]
                )
                masked, unknown = lost[index]
                lost[index] = (
                    masked + _sum_of(counts, spread.masked_at, spread.width),
                    unknown + _sum_of(counts, spread.unknown_at, spread.width),
                )
            n_filtered += int(first[step.filtered_at])
            if len(pixels):
                pixels += of_pixels[: len(pixels)]
        return _Tallies(bins, lost, n_filtered)

    def _count_portion(
        self, step: Pass, ranges: npt.NDArray[np.int64], with_pixels: bool
    ) -> tuple[npt.NDArray[np.uint32], ...]:
        n_events = int((ranges[:, 1] - ranges[:, 0]).sum())
        n_threads = max(1, min(self.threads, n_events // FEWEST_FOR_A_THREAD))
        parts = _portions(ranges, max(1, -(-n_events // n_threads)))
        sizes = (len(step.cells.edges), step.n_second, len(step.rows) if with_pixels else 0)
        counts = [tuple(np.zeros(size, np.uint32) for size in sizes) for _ in parts]
        _at_once([partial(self._run, step, part, own) for part, own in zip(parts, counts, strict=True)])
        for own in counts[1:]:
            for total, more in zip(counts[0], own, strict=True):
                np.add(total, more, out=total)
        return counts[0]

    def _run(
        self, step: Pass, ranges: npt.NDArray[np.int64], counts: tuple[npt.NDArray[np.uint32], ...]
    ) -> None:
        cells = step.cells
        prompt, frame = float(self.leave_out.prompt_pulse_width_us), float(self.leave_out.frame_us)
        self.kernel.count_events(
            self.pixel_id,
            self.tof,
            ranges,
            _read_only(step.rows),
            (step.tof_min_us, step.tof_max_us, prompt, frame),
            _read_only(cells.cells),
            _read_only(cells.edges),
            (cells.shift, cells.first, cells.n_cells, cells.width),
            _read_only(step.second_place),
            *counts,
        )


def _ranges(events: EventBatch, keep_pulse: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return int64[n, 2], which events belong to pulses that are kept: as few ranges as possible."""
    if keep_pulse.all():
        return np.array([[0, events.n_events]], np.int64)
    change = np.flatnonzero(np.diff(np.concatenate(([False], keep_pulse, [False])).astype(np.int8)))
    return events.event_offset[change].reshape(-1, 2)


def _portions(ranges: npt.NDArray[np.int64], most: int) -> list[npt.NDArray[np.int64]]:
    """Cut ranges into portions of `most` events or fewer; one portion at least."""
    ends = np.cumsum(ranges[:, 1] - ranges[:, 0])
    n_events = int(ends[-1]) if len(ends) else 0
    if n_events <= most:
        return [ranges]
    portions = []
    for begin in range(0, n_events, most):
        # In numbers of events kept: what of each range lies between begin and begin + most.
        starts = np.maximum(ranges[:, 0], ranges[:, 1] - (ends - begin))
        stops = np.minimum(ranges[:, 1], ranges[:, 1] - (ends - begin - most))
        portion = np.stack([starts, stops], axis=1)
        portions.append(np.ascontiguousarray(portion[stops > starts]))
    return portions


def _at_once(work: list[Callable[[], None]]) -> None:
    """Do everything, each on a thread of its own but for the last, and raise what was raised first."""
    errors: list[BaseException] = []

    def careful(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:  # noqa: BLE001  (raised below, on the thread that asked)
            errors.append(error)

    others = [threading.Thread(target=careful, args=(one,), daemon=True) for one in work[:-1]]
    for thread in others:
        thread.start()
    careful(work[-1])
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]


def _sum_of(counts: npt.NDArray[np.uint32], begin: int, width: int) -> int:
    return int(counts[begin : begin + width].sum(dtype=np.int64))


def _uniform(column: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return a read-only, contiguous, aligned view of a column, copied only if it must be.

    The kernel is compiled anew for each kind of array, and views into a buffer are read-only: with one kind,
    it is compiled once.
    """
    return _read_only(np.require(column, requirements=["C", "A"]))


def _read_only(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view: npt.NDArray[Any] = values.view()
    view.flags.writeable = False
    return view


def _kernel() -> Any:
    try:
        from livered_core.diffraction import kernel
    except ImportError as error:
        message = "Focusing events needs numba: pip install 'livered-core[native]'."
        raise BackendUnavailable(message) from error
    return kernel
