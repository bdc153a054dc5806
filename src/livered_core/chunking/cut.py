"""The beginning of a chunk, to try something on."""

from __future__ import annotations

import attrs
import numpy as np

from livered_core.model import Chunk, EventBatch, MonitorEvents

MOST_EVENTS = 500_000
"""Events of the beginning of a chunk, unless said otherwise."""


def cut_chunk(chunk: Chunk, max_events: int = MOST_EVENTS) -> Chunk | None:
    """Copy the first pulses of a chunk.

    Parameters
    ----------
    chunk
        Of any kind.
    max_events
        Most events. Of a first pulse that has more, its first events.

    Returns
    -------
    Chunk or None
        With arrays of its own; None of a chunk that holds no events of livered's own (``"mantid"``).
    """
    if not isinstance(chunk.data, EventBatch):
        return None
    events = chunk.data
    fitting = int(np.searchsorted(events.event_offset, max_events, side="right")) - 1
    pulses = min(max(fitting, 1), events.n_pulses)
    offset = np.minimum(events.event_offset[: pulses + 1], max_events)
    n_events = int(offset[-1])
    batch = EventBatch(
        pixel_id=events.pixel_id[:n_events].copy(),
        tof=events.tof[:n_events].copy(),
        pulse_time_ns=events.pulse_time_ns[:pulses].copy(),
        proton_charge_pc=events.proton_charge_pc[:pulses].copy(),
        event_offset=offset.copy(),
        flags=events.flags[:pulses].copy(),
    )
    last_ns = int(batch.pulse_time_ns[-1]) if pulses else chunk.last_pulse_ns
    return attrs.evolve(
        chunk,
        data=batch,
        last_pulse_ns=last_ns,
        n_pulses=pulses,
        n_events=n_events,
        proton_charge_pc=float(batch.proton_charge_pc.sum()),
        monitors={number: _until(monitor, last_ns, max_events) for number, monitor in chunk.monitors.items()},
    )


def _until(events: MonitorEvents, last_ns: int, max_events: int) -> MonitorEvents:
    pulses = int(np.count_nonzero(events.pulse_time_ns <= last_ns))
    offset = np.minimum(events.event_offset[: pulses + 1], max_events)
    return MonitorEvents(
        pulse_time_ns=events.pulse_time_ns[:pulses].copy(),
        event_offset=offset.copy(),
        tof=events.tof[: int(offset[-1])].copy(),
    )
