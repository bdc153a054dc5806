from __future__ import annotations

import attrs
import numpy as np
import pytest

from livered_core import Chunk, EventBatch
from livered_core.chunking.cut import cut_chunk
from livered_core.model import MonitorEvents


def chunk_of(*events):
    """A chunk of pulses with so many events, and a monitor with one in each."""
    n, pulses = sum(events), len(events)
    times = 1_000 + np.arange(pulses, dtype=np.int64)
    batch = EventBatch(
        pixel_id=np.arange(n, dtype=np.uint32),
        tof=np.arange(n, dtype=np.uint32) + 7,
        pulse_time_ns=times,
        proton_charge_pc=np.arange(pulses) + 1.0,
        event_offset=np.cumsum([0, *events]).astype(np.int64),
        flags=np.arange(pulses, dtype=np.uint32),
    )
    monitors = {3: MonitorEvents(times, np.arange(pulses + 1), np.arange(pulses, dtype=np.uint32))}
    charge = float(batch.proton_charge_pc.sum())
    return Chunk(4, "native", batch, int(times[0]), int(times[-1]), pulses, n, charge, monitors=monitors)


@pytest.mark.parametrize(
    ("events", "most", "pulses", "left"),
    [
        ((3, 4, 5), 100, 3, 12),
        ((3, 4, 5), 7, 2, 7),
        ((3, 4, 5), 8, 2, 7),
        ((3, 4, 0, 5), 7, 3, 7),
        ((9, 4), 5, 1, 5),
        ((0, 0), 5, 2, 0),
    ],
)
def test_the_first_pulses_of_a_chunk(events, most, pulses, left):
    whole = chunk_of(*events)
    cut = cut_chunk(whole, most)
    assert cut is not None
    assert (cut.n_pulses, cut.n_events, cut.events.n_pulses, cut.events.n_events) == (pulses, left) * 2
    assert cut.proton_charge_pc == sum(range(1, pulses + 1))
    assert (cut.first_pulse_ns, cut.last_pulse_ns) == (1_000, 1_000 + pulses - 1)
    assert cut.events.tof.tolist() == whole.events.tof[:left].tolist()
    assert cut.monitors[3].n_events == pulses
    assert attrs.evolve(cut, data=0, monitors={}).sequence == whole.sequence
    for mine, theirs in zip(attrs.astuple(cut.events), attrs.astuple(whole.events), strict=True):
        assert not np.shares_memory(mine, theirs)


def test_data_that_are_no_events_have_no_beginning():
    assert cut_chunk(Chunk(1, "mantid", object(), 0, 0, 0, 0, 0.0)) is None
