from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.chunking.builder import ChunkBuilder, ChunkPacer
from livered_core.chunking.items import LogSample, Pulse
from livered_core.model import InstrumentDefinition


def pulse(time_ns, pixels=(1,), charge=10.0, flags=0):
    tof = np.arange(len(pixels), dtype=np.uint32)
    return Pulse(time_ns, charge, flags, np.array(pixels, np.uint32), tof)


def test_pulses_become_columns():
    builder = ChunkBuilder()
    builder.definition = InstrumentDefinition("TST", "<instrument/>")
    for each in (pulse(10, (1, 2), 5.0, 3), pulse(20, (), 6.0), pulse(30, (7,), 7.0)):
        builder.add(each)
    assert (builder.n_pulses, builder.n_events) == (3, 3)
    chunk = builder.close()
    events = chunk.events
    np.testing.assert_array_equal(events.pixel_id, [1, 2, 7])
    np.testing.assert_array_equal(events.event_offset, [0, 2, 2, 3])
    np.testing.assert_array_equal(events.pulse_time_ns, [10, 20, 30])
    np.testing.assert_array_equal(events.proton_charge_pc, [5.0, 6.0, 7.0])
    np.testing.assert_array_equal(events.flags, [3, 0, 0])
    assert (chunk.sequence, chunk.n_pulses, chunk.n_events, chunk.proton_charge_pc) == (1, 3, 3, 18.0)
    assert (chunk.first_pulse_ns, chunk.last_pulse_ns) == (10, 30)
    assert chunk.instrument is builder.definition
    assert (builder.n_pulses, builder.n_events) == (0, 0)


def test_chunks_are_counted_within_a_run():
    builder = ChunkBuilder()
    assert [builder.close().sequence, builder.close().sequence] == [1, 2]
    builder.begin_run()
    assert builder.close().sequence == 1


@given(st.lists(st.lists(st.integers(0, 99), max_size=5), max_size=20), st.sets(st.integers(0, 19)))
def test_however_pulses_are_cut_into_chunks_no_event_is_lost_or_doubled(pulses, cuts):
    builder = ChunkBuilder()
    chunks = []
    for index, pixels in enumerate(pulses):
        builder.add(pulse(index, pixels))
        if index in cuts:
            chunks.append(builder.close())
    chunks.append(builder.close())
    together = [pixel for chunk in chunks for pixel in chunk.events.pixel_id.tolist()]
    assert together == [pixel for pixels in pulses for pixel in pixels]
    assert sum(chunk.n_pulses for chunk in chunks) == len(pulses)


def test_a_log_holds_the_value_in_force_and_those_that_came():
    builder = ChunkBuilder()
    for time_ns, value in ((5, 1.0), (7, 2.0)):
        builder.add_log(LogSample("t", "d", "K", time_ns, value))
    first = builder.close().logs["t"]
    assert (first.name, first.device, first.unit) == ("t", "d", "K")
    np.testing.assert_array_equal(first.value, [1.0, 2.0])
    builder.add_log(LogSample("t", "d", "K", 9, 3.0))
    second = builder.close().logs["t"]
    np.testing.assert_array_equal(second.time_ns, [7, 9])
    assert second.value.dtype == np.float64
    assert builder.close().logs["t"].last == 3.0


def test_what_comes_between_runs_takes_no_memory_and_only_the_value_in_force_reaches_the_run():
    builder = ChunkBuilder()
    for time_ns in range(1000):
        builder.add_log(LogSample("t", "d", "K", time_ns, float(time_ns)))
        builder.settle_logs()
        assert len(builder._samples) == 0
    builder.add_log(LogSample("t", "d", "K", 2000, 5.0))
    builder.begin_run()
    builder.add_log(LogSample("t", "d", "K", 3000, 6.0))
    assert builder.close().logs["t"].value.tolist() == [5.0, 6.0]


def test_the_value_that_came_last_is_in_force_even_if_another_has_a_later_time():
    builder = ChunkBuilder()
    builder.add_log(LogSample("t", "", "", 10**18, 1.0))
    builder.add_log(LogSample("t", "", "", 5, 2.0))
    builder.close()
    assert builder.close().logs["t"].value.tolist() == [2.0]


def test_a_text_log_keeps_its_texts():
    builder = ChunkBuilder()
    builder.add_log(LogSample("shutter", "", "", 5, "open"))
    assert builder.close().logs["shutter"].last == "open"


@pytest.mark.parametrize(("processing", "due"), [(0.0, 130.0), (10.0, 130.0), (45.0, 145.0)])
def test_a_chunk_is_as_long_as_the_interval_or_as_processing_the_previous_one_took(processing, due):
    pacer = ChunkPacer(30.0)
    pacer.begin(100.0, processing)
    assert pacer.remaining(due - 1.0) == 1.0
    assert pacer.remaining(due) == 0.0
    assert pacer.remaining(due + 5.0) == 0.0
