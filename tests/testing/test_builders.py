"""Events, logs and chunks made for tests: counts add up, and peaks are where they were put."""

from __future__ import annotations

import re
import threading
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livered_core import (
    Chunk,
    DataModelError,
    EventBatch,
    GeometryError,
    MonitorEvents,
    Result,
    RunInfo,
    SlowLog,
)
from livered_core.geometry import difc, read_instrument
from livered_core.testing import (
    FIRST_PULSE_NS,
    ManualClock,
    empty_chunk,
    join_chunks,
    make_chunk,
    make_events,
    make_log,
    make_result,
    make_run,
    make_session,
    make_update,
    one_event_chunk,
    powder_chunk,
    small_instrument,
    split_chunk,
)

FEW = settings(max_examples=30)
"""What is slow to draw is drawn less often."""
PIXELS = st.integers(0, 2**32 - 1)
TICKS = st.integers(0, 2**32 - 1)


@st.composite
def chunks(draw: st.DrawFn, min_pulses: int = 1) -> Chunk:
    """Chunks of all sorts: pulses without events, monitors, logs from before and after, events that were left out."""
    columns = draw(st.lists(st.tuples(PIXELS, TICKS), max_size=40))
    pulses = draw(st.integers(min_pulses, 8))
    charge = draw(st.lists(st.floats(0, 1e9), min_size=pulses, max_size=pulses))
    events = make_events(
        [pixel for pixel, _ in columns],
        [tick / 10 for _, tick in columns],
        pulses=pulses,
        proton_charge_pc=charge,
    )
    offset = sorted(draw(st.lists(st.integers(0, len(columns)), min_size=pulses - 1, max_size=pulses - 1)))
    events = attrs.evolve(events, event_offset=np.array([0, *offset, len(columns)], np.int64))
    logs = {
        name: SlowLog(
            name, "", "K", np.sort(FIRST_PULSE_NS + np.array(times, np.int64)), np.arange(float(len(times)))
        )
        for name, times in draw(
            st.dictionaries(
                st.sampled_from("ab"),
                st.lists(st.integers(-100_000_000, 200_000_000), min_size=1, max_size=6),
            )
        ).items()
    }
    of_pulses = sorted(draw(st.sets(st.integers(0, pulses - 1), max_size=pulses)))
    monitor = MonitorEvents(
        events.pulse_time_ns[of_pulses],
        np.arange(len(of_pulses) + 1, dtype=np.int64) * 2,
        np.arange(2 * len(of_pulses), dtype=np.uint32),
    )
    return make_chunk(
        events,
        sequence=draw(st.integers(1, 9)),
        instrument=small_instrument(),
        logs=logs,
        monitors={1: monitor} if of_pulses else {},
        n_error_pixel_events=draw(st.integers(0, 5)),
        n_unmapped_events=draw(st.integers(0, 5)),
    )


def parts_of(total: int, cuts: list[int]) -> list[int]:
    """Lengths of the parts between cuts."""
    edges = sorted({0, total, *(cut % total for cut in cuts)})
    return [end - begin for begin, end in pairwise(edges)]


def assert_same(left: Any, right: Any) -> None:
    """Compare nouns field by field, arrays with their types."""
    for field in attrs.fields(type(left)):
        one, other = getattr(left, field.name), getattr(right, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype, field.name
            np.testing.assert_array_equal(one, other, field.name)
        elif isinstance(one, EventBatch):
            assert_same(one, other)
        elif field.name in ("logs", "monitors"):
            assert set(one) == set(other), field.name
            for key in one:
                assert_same(one[key], other[key])
        else:
            assert one == other, field.name


# Nouns.


def test_nouns_have_sensible_defaults_and_take_any_field() -> None:
    assert make_run() == make_run(1)
    assert make_run(7, title="Diamond") == RunInfo(7, "TST", "IPTS-12345", "Diamond", FIRST_PULSE_NS)
    assert make_session(backend="mantid", disk_free=5).disk_free == 5
    update = make_update(3, final=True, n_events=5)
    assert (update.sequence, update.final, update.n_events, update.complete) == (3, True, 5, True)
    assert not make_update(missing=["No start."]).complete
    result = make_result(make_run(7))
    assert isinstance(result, Result)
    assert (result.run_number, result.title) == (7, "Run 7 of a test")
    assert make_result(curves=()).curves == ()


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="titel"):
        make_run(titel="x")


# Events.


@given(
    st.lists(st.tuples(PIXELS, TICKS), max_size=30),
    st.integers(1, 7),
    st.integers(0, 2**62),
)
def test_events_are_spread_in_their_order_and_none_is_lost(
    columns: list[tuple[int, int]], pulses: int, first_ns: int
) -> None:
    pixels, ticks = [pixel for pixel, _ in columns], [tick for _, tick in columns]
    events = make_events(pixels, np.array(ticks) / 10, pulses=pulses, first_pulse_ns=first_ns)
    assert events.pixel_id.tolist() == pixels
    assert events.tof.tolist() == ticks
    each = np.diff(events.event_offset)
    assert each.max() - each.min() <= 1
    assert events.pulse_time_ns[0] == first_ns
    assert set(np.diff(events.pulse_time_ns).tolist()) <= {16_666_666, 16_666_667}


def test_times_of_flight_are_rounded_to_ticks() -> None:
    assert make_events([1, 1, 1], [123.46, 123.44, 0.04]).tof.tolist() == [1235, 1234, 0]


def test_one_pixel_may_stand_for_all() -> None:
    events = make_events(3, [1.0, 2.0])
    assert (events.pixel_id.tolist(), events.tof.tolist()) == ([3, 3], [10, 20])


def test_the_charge_is_of_each_pulse() -> None:
    assert make_events([], [], pulses=3).proton_charge_pc.tolist() == [1e7] * 3
    assert make_events([], [], pulses=2, proton_charge_pc=[1.0, 2.0]).proton_charge_pc.tolist() == [1.0, 2.0]


def test_sixty_pulses_take_a_second() -> None:
    events = make_events([], [], pulses=61)
    assert events.pulse_time_ns[60] - events.pulse_time_ns[0] == 1_000_000_000


@pytest.mark.parametrize(
    ("pixel", "tof", "pulses", "match"),
    [
        pytest.param([-1], [5.0], 1, "pixel_id that is negative", id="negative-pixel"),
        pytest.param([1.5], [5.0], 1, "pixel_id .* no whole number", id="half-a-pixel"),
        pytest.param([1], [np.nan], 1, "tof_us", id="nan"),
        pytest.param([1], [5e9], 1, "tof_us .*too large", id="too-late"),
        pytest.param([1, 2], [5.0, 6.0, 7.0], 1, "shape", id="lengths"),
        pytest.param([1], [5.0], 0, "got 1 events and no pulse", id="no-pulse"),
    ],
)
def test_events_that_cannot_be_are_refused(pixel: Any, tof: Any, pulses: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make_events(pixel, tof, pulses=pulses)


# Logs.


@pytest.mark.parametrize(
    ("values", "last", "dtype"),
    [
        pytest.param(300.0, 300.0, np.float64, id="number"),
        pytest.param([1, 2], 2.0, np.float64, id="numbers"),
        pytest.param(np.array([1.0, 2.0]), 2.0, np.float64, id="array"),
        pytest.param("on", "on", object, id="text"),
        pytest.param(["off", "on"], "on", object, id="texts"),
    ],
)
def test_a_log_has_values_with_times(values: Any, last: Any, dtype: Any) -> None:
    log = make_log(values, name="x", unit="K", first_ns=5, every_s=0.5)
    assert (log.name, log.unit, log.last, log.value.dtype) == ("x", "K", last, dtype)
    assert log.time_ns.tolist() == [5 + 500_000_000 * n for n in range(len(log.value))]


def test_a_log_of_arrays_keeps_them_apart() -> None:
    log = make_log([[1.0, 2.0], [3.0, 4.0]])
    assert (len(log.value), log.value.dtype) == (2, object)
    np.testing.assert_array_equal(log.last, [3.0, 4.0])


def test_a_log_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="no value for temperature: give at least one"):
        make_log([])


# Chunks.


@FEW
@given(chunks())
def test_a_chunk_counts_its_events(chunk: Chunk) -> None:
    events = chunk.events
    assert (chunk.n_events, chunk.n_pulses) == (len(events.tof), len(events.pulse_time_ns))
    assert chunk.proton_charge_pc == events.proton_charge_pc.sum()
    assert (chunk.first_pulse_ns, chunk.last_pulse_ns) == tuple(events.pulse_time_ns[[0, -1]].tolist())


def test_plain_values_become_logs_of_the_chunk_s_beginning() -> None:
    log = make_log(5.0, name="gap")
    chunk = make_chunk(make_events([], [], first_pulse_ns=77), logs={"t": [300.0, 301.0], "gap": log})
    assert chunk.logs["t"].time_ns[0] == 77
    assert chunk.logs["t"].name == "t"
    assert chunk.logs["gap"] is log


def test_small_chunks() -> None:
    empty = empty_chunk(pulses=3, sequence=2, proton_charge_pc=5.0, first_pulse_ns=9)
    assert (empty.n_pulses, empty.n_events, empty.proton_charge_pc) == (3, 0, 15.0)
    assert (empty.sequence, empty.first_pulse_ns) == (2, 9)
    one = one_event_chunk(7, 123.4, pulses=2, instrument=small_instrument())
    assert (one.n_events, one.n_pulses) == (1, 2)
    assert (one.events.pixel_id.tolist(), one.events.tof_us.tolist()) == ([7], [123.4])
    assert empty_chunk(pulses=0).first_pulse_ns == 0


def test_the_small_instrument_is_that_of_its_description() -> None:
    definition = small_instrument('A "name" & more')
    placed = read_instrument(definition)
    assert (definition.name, placed.name) == ('A "name" & more', 'A "name" & more')
    assert placed.pixel_id.tolist() == list(range(512))
    assert placed.l1 == 10.0
    for panel, angle in ((slice(0, 256), 60.0), (slice(256, 512), 150.0)):
        assert np.degrees(placed.two_theta[panel]).mean() == pytest.approx(angle, abs=0.5)
        assert placed.l2[panel].mean() == pytest.approx(1.0, abs=0.01)
    assert placed.bank_names == ("panel60", "panel150")


# Peaks.


@pytest.mark.parametrize("name", ["one", "three"])
def test_peaks_are_where_they_were_put_in_every_pixel(name: str) -> None:
    peaks = {"one": [2.0598], "three": [0.8, 1.2612, 2.0598]}[name]
    instrument = small_instrument()
    chunk = powder_chunk(instrument, peaks, n_events=30_000, background=0.0, width=0.002, seed=3)
    constant = difc(read_instrument(instrument))
    d = chunk.events.tof_us / constant[chunk.events.pixel_id]
    nearest = np.abs(d[:, None] - np.array(peaks)).argmin(axis=1)
    counts = np.bincount(nearest)
    assert counts.min() > 0.9 * 30_000 / len(peaks)
    for index, peak in enumerate(peaks):
        mine = d[nearest == index]
        assert mine.mean() == pytest.approx(peak, rel=1e-4)
        assert mine.std() == pytest.approx(0.002 * peak, rel=0.05)
        assert np.abs(mine / peak - 1).max() < 0.002 * 6
    assert set(chunk.events.pixel_id.tolist()) == set(range(512))


@FEW
@given(
    st.integers(0, 3000),
    st.floats(0, 1),
    st.integers(1, 70),
    st.lists(st.floats(0.3, 4.0), min_size=1, max_size=4),
)
def test_a_powder_has_as_many_events_as_asked_for(
    n_events: int, background: float, pulses: int, peaks: list[float]
) -> None:
    chunk = powder_chunk(small_instrument(), peaks, n_events=n_events, background=background, pulses=pulses)
    assert (chunk.n_events, chunk.n_pulses) == (n_events, pulses)


def test_the_background_is_its_fraction_and_flat() -> None:
    chunk = powder_chunk(small_instrument(), [2.0], n_events=50_000, background=0.4)
    placed = read_instrument(small_instrument())
    d = chunk.events.tof_us / difc(placed)[chunk.events.pixel_id]
    outside = np.abs(d / 2.0 - 1) > 0.02
    assert outside.sum() / 50_000 == pytest.approx(0.4, abs=0.02)
    longest_us = 1.1 * 2.0 * difc(placed).max()
    quarters = np.histogram(chunk.events.tof_us[outside], np.linspace(0, longest_us, 5))[0]
    assert quarters.tolist() == pytest.approx([0.1 * 50_000] * 4, rel=0.15)


def test_a_seed_gives_the_same_chunk_and_another_gives_another() -> None:
    first, again, other = (
        powder_chunk(small_instrument(), [2.0], n_events=100, seed=seed) for seed in (1, 1, 2)
    )
    assert_same(first, again)
    assert first.events.tof.tolist() != other.events.tof.tolist()


@pytest.mark.parametrize(
    ("peaks", "options", "match"),
    [
        pytest.param([], {}, "give at least one", id="no-peak"),
        pytest.param([0.0], {}, "above 0 Angstrom", id="at-zero"),
        pytest.param([2.0], {"background": 20}, "fraction", id="percent"),
    ],
)
def test_a_powder_that_cannot_be_is_refused(peaks: Any, options: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        powder_chunk(small_instrument(), peaks, **options)


def test_a_powder_needs_pixels() -> None:
    definition = small_instrument()
    bare = attrs.evolve(
        definition, xml=re.sub(r'<component type="panel".*?</component>', "", definition.xml, flags=re.DOTALL)
    )
    with pytest.raises(GeometryError, match="no detector pixels"):
        powder_chunk(bare, [2.0])


# Cutting and joining.


@FEW
@given(chunks(), st.lists(st.integers(0, 7), max_size=4))
def test_the_parts_of_a_chunk_make_the_chunk(chunk: Chunk, cuts: list[int]) -> None:
    pulses = parts_of(chunk.n_pulses, cuts)
    parts = split_chunk(chunk, pulses)
    assert [part.n_pulses for part in parts] == pulses
    assert [part.sequence for part in parts] == [chunk.sequence + index for index in range(len(parts))]
    assert_same(join_chunks(parts), chunk)


@FEW
@given(chunks(), st.lists(st.integers(0, 7), max_size=4))
def test_parts_count_what_is_in_them_and_share_nothing(chunk: Chunk, cuts: list[int]) -> None:
    parts = split_chunk(chunk, parts_of(chunk.n_pulses, cuts))
    for name in ("n_events", "n_pulses", "n_error_pixel_events", "n_unmapped_events"):
        assert sum(getattr(part, name) for part in parts) == getattr(chunk, name)
    for part in parts:
        events = part.events
        assert part.n_events == events.n_events
        assert part.proton_charge_pc == events.proton_charge_pc.sum()
        assert (part.first_pulse_ns, part.last_pulse_ns) == tuple(events.pulse_time_ns[[0, -1]].tolist())
        for field in attrs.fields(EventBatch):
            assert not np.shares_memory(getattr(events, field.name), getattr(chunk.events, field.name))


@FEW
@given(chunks(min_pulses=2), st.data())
def test_a_part_has_the_value_that_held_at_its_beginning(chunk: Chunk, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, chunk.n_pulses - 1))
    part = split_chunk(chunk, [first, chunk.n_pulses - first])[1]
    for name, log in chunk.logs.items():
        before = log.value[log.time_ns < part.first_pulse_ns]
        came = log.value[log.time_ns >= part.first_pulse_ns]
        expected = [*before[-1:], *came]
        assert (part.logs[name].value.tolist() if name in part.logs else []) == expected


def test_the_parts_of_a_powder_are_those_of_a_stream() -> None:
    chunk = powder_chunk(small_instrument(), [2.0], n_events=600, pulses=60)
    first, second = split_chunk(chunk, [20, 40])
    assert (first.n_events, second.n_events) == (200, 400)
    assert second.first_pulse_ns == chunk.events.pulse_time_ns[20]
    assert second.instrument == chunk.instrument


@pytest.mark.parametrize(
    "pulses", [[], [0, 3], [1, 1], [4], [-1, 4]], ids=["none", "zero", "too-few", "too-many", "negative"]
)
def test_parts_must_add_up(pulses: list[int]) -> None:
    with pytest.raises(ValueError, match="for a chunk of 3"):
        split_chunk(empty_chunk(pulses=3), pulses)


def test_chunks_that_do_not_follow_each_other_are_not_joined() -> None:
    first, second = split_chunk(empty_chunk(pulses=4, instrument=small_instrument()), [2, 2])
    with pytest.raises(ValueError, match="Chunk 1 begins before chunk 2 ends"):
        join_chunks([second, first])
    with pytest.raises(DataModelError, match="Chunks 1 and 2 have not the same instrument definition"):
        join_chunks([first, attrs.evolve(second, instrument=small_instrument("OTHER"))])
    with pytest.raises(ValueError, match="no chunk"):
        join_chunks([])


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        pytest.param({"model": "mantid", "data": object()}, "holds a object", id="mantid"),
        pytest.param({"is_total": True}, "since the start of the run", id="total"),
    ],
)
def test_what_cannot_be_cut_is_refused(fields: Any, match: str) -> None:
    chunk = attrs.evolve(empty_chunk(pulses=2), **fields)
    with pytest.raises(DataModelError, match=match):
        split_chunk(chunk, [1, 1])
    with pytest.raises(DataModelError, match=match):
        join_chunks([chunk])


# The clock.


def test_the_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(now_ns=1_000, seconds=5.0)
    assert (clock.now_ns(), clock.monotonic()) == (1_000, 5.0)
    clock.advance(1.5)
    assert (clock.now_ns(), clock.monotonic()) == (1_500_001_000, 6.5)
    with pytest.raises(ValueError, match="cannot go back by 2 s"):
        clock.advance(-2)


def test_waiting_moves_the_clock_and_returns_at_once() -> None:
    clock, event = ManualClock(seconds=0.0), threading.Event()
    assert not clock.wait(event, 3600.0)
    assert clock.monotonic() == 3600.0
    event.set()
    assert clock.wait(event, 3600.0)
    assert clock.monotonic() == 3600.0
