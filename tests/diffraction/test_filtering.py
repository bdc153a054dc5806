from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core import DataModelError, EventBatch
from livered_core.diffraction import EventFilter, filter_events

MakeBatch = Callable[..., EventBatch]


def batch_of(pulses: list[tuple[int, list[int]]]) -> EventBatch:
    """Pulses as (flags, ticks); the charge of pulse i is 10 (i + 1)."""
    ticks = [tick for _, events in pulses for tick in events]
    return EventBatch(
        pixel_id=np.arange(len(ticks), dtype=np.uint32),
        tof=np.array(ticks, np.uint32),
        pulse_time_ns=np.arange(len(pulses), dtype=np.int64),
        proton_charge_pc=10.0 * (1 + np.arange(len(pulses))),
        event_offset=np.cumsum([0] + [len(events) for _, events in pulses]).astype(np.int64),
        flags=np.array([flags for flags, _ in pulses], np.uint32),
    )


def test_nothing_left_out_is_the_same_batch() -> None:
    batch = batch_of([(0, [1, 2]), (0, [])])
    filtered = filter_events(batch, EventFilter())
    assert filtered.events is batch
    assert filtered.n_filtered == filtered.n_pulses_filtered == 0


def test_flagged_pulses_go_with_their_charge() -> None:
    filtered = filter_events(batch_of([(0, [5]), (4, [6, 7]), (2, [8]), (6, [])]), EventFilter(pulse_flags=4))
    assert filtered.events.tof.tolist() == [5, 8]
    assert filtered.events.proton_charge_pc.tolist() == [10.0, 30.0]
    assert filtered.events.event_offset.tolist() == [0, 1, 2]
    assert (filtered.n_filtered, filtered.n_pulses_filtered) == (2, 2)
    assert filtered.proton_charge_filtered_pc == 60.0


def test_prompt_pulses_are_closed_on_the_left_and_open_on_the_right() -> None:
    by = EventFilter(prompt_pulse_width_us=50.0, frame_us=1000.0)
    filtered = filter_events(batch_of([(0, [0, 499, 500, 9_999, 10_000, 10_499, 10_500])]), by)
    assert filtered.events.tof.tolist() == [500, 9_999, 10_500]
    assert filtered.n_filtered == 4
    assert filtered.proton_charge_filtered_pc == 0.0


@given(
    st.lists(st.tuples(st.integers(0, 7), st.lists(st.integers(0, 400_000), max_size=5)), max_size=6),
    st.integers(0, 7),
    st.floats(0, 16_000),
)
def test_every_event_stays_or_is_counted(
    pulses: list[tuple[int, list[int]]], flags: int, width: float
) -> None:
    batch = batch_of(pulses)
    filtered = filter_events(batch, EventFilter(width, pulse_flags=flags))
    left = filtered.events
    assert left.n_events + filtered.n_filtered == batch.n_events
    assert left.n_pulses + filtered.n_pulses_filtered == batch.n_pulses
    assert left.proton_charge_pc.sum() + filtered.proton_charge_filtered_pc == batch.proton_charge_pc.sum()
    # Each event stays with its pulse.
    pulse_of = np.repeat(batch.pulse_time_ns, np.diff(batch.event_offset))
    pulse_of_left = np.repeat(left.pulse_time_ns, np.diff(left.event_offset))
    assert (pulse_of[left.pixel_id] == pulse_of_left).all()
    assert not (left.flags & flags).any()
    assert ((left.tof / 10.0) % by_frame() >= width - 1e-6).all()


def by_frame() -> float:
    return attrs.fields(EventFilter).frame_us.default


@pytest.mark.parametrize("values", [(-1.0, 1000.0), (1000.0, 1000.0), (1.0, 0.0), (float("nan"), 1.0)])
def test_impossible_prompt_pulses_are_refused(values: tuple[float, float]) -> None:
    with pytest.raises(DataModelError, match="give 0 <= width < frame"):
        EventFilter(*values)
