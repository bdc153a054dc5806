"""Chunks taken apart and put together, as a stream might have cut them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import attrs
import numpy as np

from livered_core.errors import DataModelError
from livered_core.model import Chunk, EventBatch, MonitorEvents, SlowLog


def split_chunk(chunk: Chunk, pulses: Sequence[int]) -> list[Chunk]:
    """Cut a chunk between pulses, as a stream might have been cut at other moments.

    Each part has the logs as a chunk has them: the value that held at its beginning, and those that came during it.
    Events that are not among the data (error pixels, unmapped ones) are counted in the first part: of which pulse they
    were is not known.

    Parameters
    ----------
    chunk
        Of the native model.
    pulses
        Number of pulses of each part, above 0; together those of the chunk.

    Returns
    -------
    list of Chunk
        With arrays of their own, numbered from the number of `chunk` on. `join_chunks` makes the chunk of them again.

    Raises
    ------
    DataModelError
        For a chunk of another model.
    ValueError
        When the numbers do not add up to the pulses of the chunk.

    Examples
    --------
    >>> from livered_core.testing import empty_chunk
    >>> [part.n_pulses for part in split_chunk(empty_chunk(pulses=60), [10, 50])]
    [10, 50]
    """
    batch = _events(chunk, "split_chunk")
    if min(pulses, default=0) < 1 or sum(pulses) != batch.n_pulses:
        message = (
            f"split_chunk got parts of {list(pulses)} pulses for a chunk of {batch.n_pulses}: "
            "each must have at least 1, and together they must be as many."
        )
        raise ValueError(message)
    ends = np.cumsum(pulses).tolist()
    # Where a part ends, in time: the next one's first pulse; the first and the last take what lies outside the pulses.
    edges_ns = [None, *(int(batch.pulse_time_ns[end]) for end in ends[:-1]), None]
    return [
        _part(chunk, _pulses_of(batch, begin, end), index, (edges_ns[index], edges_ns[index + 1]))
        for index, (begin, end) in enumerate(zip([0, *ends], ends, strict=False))
    ]


def join_chunks(chunks: Iterable[Chunk]) -> Chunk:
    """Make one chunk of several that follow each other.

    Parameters
    ----------
    chunks
        Of the native model, of one run and one geometry, in their order.

    Returns
    -------
    Chunk
        With arrays of its own and the number of the first. Each value of a log is in it once.

    Raises
    ------
    DataModelError
        For a chunk of another model, or when the geometry or the pixel map changes between two of them.
    ValueError
        Without any chunk, or when pulses go back in time.

    Examples
    --------
    >>> from livered_core.testing import empty_chunk, split_chunk
    >>> join_chunks(split_chunk(empty_chunk(pulses=60), [10, 50])).n_pulses
    60
    """
    parts = list(chunks)
    if not parts:
        message = "join_chunks got no chunk: give at least one."
        raise ValueError(message)
    batches = [_events(part, "join_chunks") for part in parts]
    first, last = parts[0], parts[-1]
    for before, after in pairwise(parts):
        if after.instrument != before.instrument or after.pixel_map is not before.pixel_map:
            what = "instrument definition" if after.instrument != before.instrument else "pixel map"
            message = f"Chunks {before.sequence} and {after.sequence} have not the same {what}: join those that have."
            raise DataModelError(message)
        if before.n_pulses and after.n_pulses and after.first_pulse_ns < before.last_pulse_ns:
            message = f"Chunk {after.sequence} begins before chunk {before.sequence} ends: give them in their order."
            raise ValueError(message)
    names = [name for part in parts for name in part.logs]
    numbers = sorted({number for part in parts for number in part.monitors})
    return attrs.evolve(
        first,
        data=_joined(batches),
        first_pulse_ns=next((part.first_pulse_ns for part in parts if part.n_pulses), first.first_pulse_ns),
        last_pulse_ns=max(part.last_pulse_ns for part in parts),
        n_pulses=sum(part.n_pulses for part in parts),
        n_events=sum(part.n_events for part in parts),
        # Of the pulses one by one where they say it: else the sum would depend on where the chunk was cut.
        proton_charge_pc=_charge_of(parts, batches),
        n_error_pixel_events=sum(part.n_error_pixel_events for part in parts),
        n_unmapped_events=sum(part.n_unmapped_events for part in parts),
        monitors={number: _joined_monitor(parts, number) for number in numbers},
        logs={name: _joined_log(parts, name) for name in dict.fromkeys(names)},
        is_total=last.is_total,
    )


def _part(chunk: Chunk, batch: EventBatch, index: int, between_ns: tuple[int | None, int | None]) -> Chunk:
    begin_ns, end_ns = between_ns
    return attrs.evolve(
        chunk,
        sequence=chunk.sequence + index,
        data=batch,
        first_pulse_ns=int(batch.pulse_time_ns[0]),
        last_pulse_ns=int(batch.pulse_time_ns[-1]),
        n_pulses=batch.n_pulses,
        n_events=batch.n_events,
        proton_charge_pc=float(batch.proton_charge_pc.sum()),
        n_error_pixel_events=0 if index else chunk.n_error_pixel_events,
        n_unmapped_events=0 if index else chunk.n_unmapped_events,
        monitors=_monitors_between(chunk.monitors, begin_ns, end_ns),
        logs=_logs_between(chunk.logs, begin_ns, end_ns),
    )


def _events(chunk: Chunk, what: str) -> EventBatch:
    if not isinstance(chunk.data, EventBatch) or chunk.is_total:
        kind = "data since the start of the run" if chunk.is_total else f"a {type(chunk.data).__name__}"
        message = f"{what} got chunk {chunk.sequence}, which holds {kind}: give chunks of the native model."
        raise DataModelError(message)
    return chunk.data


def _pulses_of(batch: EventBatch, begin: int, end: int) -> EventBatch:
    first, last = int(batch.event_offset[begin]), int(batch.event_offset[end])
    return EventBatch(
        pixel_id=batch.pixel_id[first:last].copy(),
        tof=batch.tof[first:last].copy(),
        pulse_time_ns=batch.pulse_time_ns[begin:end].copy(),
        proton_charge_pc=batch.proton_charge_pc[begin:end].copy(),
        event_offset=batch.event_offset[begin : end + 1] - first,
        flags=batch.flags[begin:end].copy(),
    )


def _joined(batches: Sequence[EventBatch]) -> EventBatch:
    per_pulse = np.concatenate([np.diff(batch.event_offset) for batch in batches])
    return EventBatch(
        pixel_id=np.concatenate([batch.pixel_id for batch in batches]),
        tof=np.concatenate([batch.tof for batch in batches]),
        pulse_time_ns=np.concatenate([batch.pulse_time_ns for batch in batches]),
        proton_charge_pc=np.concatenate([batch.proton_charge_pc for batch in batches]),
        event_offset=np.concatenate([np.zeros(1, np.int64), np.cumsum(per_pulse)]),
        flags=np.concatenate([batch.flags for batch in batches]),
    )


def _charge_of(parts: Sequence[Chunk], batches: Sequence[EventBatch]) -> float:
    summed = [float(batch.proton_charge_pc.sum()) for batch in batches]
    if all(part.proton_charge_pc == charge for part, charge in zip(parts, summed, strict=True)):
        return float(np.concatenate([batch.proton_charge_pc for batch in batches]).sum())
    return sum(part.proton_charge_pc for part in parts)


def _monitors_between(
    monitors: Mapping[int, MonitorEvents], begin_ns: int | None, end_ns: int | None
) -> dict[int, MonitorEvents]:
    found = {}
    for number, events in monitors.items():
        begin, end = _places(events.pulse_time_ns, begin_ns, end_ns)
        if begin == end:
            continue
        first, last = int(events.event_offset[begin]), int(events.event_offset[end])
        found[number] = MonitorEvents(
            pulse_time_ns=events.pulse_time_ns[begin:end].copy(),
            event_offset=events.event_offset[begin : end + 1] - first,
            tof=events.tof[first:last].copy(),
        )
    return found


def _joined_monitor(parts: Sequence[Chunk], number: int) -> MonitorEvents:
    having = [part.monitors[number] for part in parts if number in part.monitors]
    per_pulse = np.concatenate([np.diff(events.event_offset) for events in having])
    return MonitorEvents(
        pulse_time_ns=np.concatenate([events.pulse_time_ns for events in having]),
        event_offset=np.concatenate([np.zeros(1, np.int64), np.cumsum(per_pulse)]),
        tof=np.concatenate([events.tof for events in having]),
    )


def _logs_between(
    logs: Mapping[str, SlowLog], begin_ns: int | None, end_ns: int | None
) -> dict[str, SlowLog]:
    found = {}
    for name, log in logs.items():
        begin, end = _places(log.time_ns, begin_ns, end_ns)
        # The value that holds at the beginning is the last one before it.
        begin = max(0, begin - 1) if begin_ns is not None else begin
        if begin < end:
            found[name] = attrs.evolve(
                log, time_ns=log.time_ns[begin:end].copy(), value=log.value[begin:end].copy()
            )
    return found


def _joined_log(parts: Sequence[Chunk], name: str) -> SlowLog:
    having = [part.logs[name] for part in parts if name in part.logs]
    kept: list[tuple[Any, Any]] = [(having[0].time_ns, having[0].value)]
    for log in having[1:]:
        # What held at a later beginning is in the part before, with the same time.
        later = log.time_ns > kept[-1][0][-1]
        if later.any():
            kept.append((log.time_ns[later], log.value[later]))
    return attrs.evolve(
        having[-1],
        time_ns=np.concatenate([time_ns for time_ns, _ in kept]),
        value=np.concatenate([value for _, value in kept]),
    )


def _places(time_ns: Any, begin_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    """Where the times from one moment up to another are; None for no limit."""
    begin = 0 if begin_ns is None else int(np.searchsorted(time_ns, begin_ns))
    end = len(time_ns) if end_ns is None else int(np.searchsorted(time_ns, end_ns))
    return begin, end
