"""Copies of chunks: one for each use, so that no plugin can spoil what others are checked with."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.model import Chunk, EventBatch, MonitorEvents


def copy_chunk(chunk: Chunk, *, writeable: bool = True) -> Chunk:
    """Copy a chunk, all its arrays too.

    Parameters
    ----------
    chunk
        Of the native model.
    writeable
        Whether its arrays can be written to; else not even by those who set numpy's flag.
    """

    def copied(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return _copy(array, writeable=writeable)

    events = chunk.events
    return attrs.evolve(
        chunk,
        data=EventBatch(
            **{field.name: copied(getattr(events, field.name)) for field in attrs.fields(EventBatch)}
        ),
        monitors={
            number: MonitorEvents(copied(m.pulse_time_ns), copied(m.event_offset), copied(m.tof))
            for number, m in chunk.monitors.items()
        },
        logs={
            name: attrs.evolve(log, time_ns=copied(log.time_ns), value=copied(log.value))
            for name, log in chunk.logs.items()
        },
    )


def _copy(array: npt.NDArray[Any], *, writeable: bool) -> npt.NDArray[Any]:
    if writeable or array.dtype == object or not array.size:
        copied: npt.NDArray[Any] = array.copy()
        copied.flags.writeable = writeable
        return copied
    # Memory of bytes: nobody can set the flag. All have one dimension; reshaped, it would be a view, and a view of a view
    # does not hold it.
    return np.frombuffer(array.tobytes(), array.dtype)
