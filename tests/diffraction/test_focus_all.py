"""Counting by several tables at once gives what plain numpy gives for each table by itself."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focus_support import d_of, reference
from livered_core import DataModelError, EventBatch
from livered_core.diffraction import (
    MASKED,
    UNKNOWN,
    EventFilter,
    FocusPlan,
    FocusTable,
    Grouping,
    filter_events,
    focus,
    focus_all,
    focus_table,
    linear_edges,
    log_edges,
    pixel_counts,
    plan_focusing,
    read_calibration,
)
from livered_core.diffraction import focus as focus_function
from livered_core.diffraction.thresholds import d_thresholds

MakeBatch = Callable[..., EventBatch]
NOTHING = EventFilter()


def assert_equals_plain(
    events: EventBatch,
    tables: list[FocusTable],
    leave_out: EventFilter = NOTHING,
    n_pixels: int = 0,
    threads: int = 1,
) -> FocusPlan:
    plan = plan_focusing(tables, n_pixels)
    together = focus_all(events, plan, leave_out, threads=threads)
    filtered = filter_events(events, leave_out)
    assert together.n_filtered == filtered.n_filtered
    assert together.n_pulses_filtered == filtered.n_pulses_filtered
    assert together.proton_charge_filtered_pc == filtered.proton_charge_filtered_pc
    np.testing.assert_array_equal(together.pixels, pixel_counts(filtered.events, n_pixels))
    assert len(together.histograms) == len(tables)
    for table, focused in zip(tables, together.histograms, strict=True):
        counts, out_of_range, masked, unknown = reference(filtered.events, table)
        np.testing.assert_array_equal(focused.counts, counts)
        assert (focused.n_out_of_range, focused.n_masked, focused.n_unknown) == (
            out_of_range,
            masked,
            unknown,
        )
        assert (focused.n_events, focused.n_filtered) == (events.n_events, filtered.n_filtered)
        assert focused.proton_charge_pc == float(filtered.events.proton_charge_pc.sum())
        assert (focused.axis, focused.edges is table.edges) == (table.axis, True)
    return plan


def in_pulses(pixel: Any, tof: Any, flags: Any, cuts: Any) -> EventBatch:
    """Return events in as many pulses as there are flags."""
    n = len(tof)
    offset = np.sort(np.concatenate([[0, n], np.minimum(np.asarray(cuts, np.int64), n)])).astype(np.int64)
    return EventBatch(
        pixel_id=np.asarray(pixel, np.uint32),
        tof=np.asarray(tof, np.uint32),
        pulse_time_ns=np.arange(len(flags), dtype=np.int64),
        proton_charge_pc=10.0 * (1 + np.arange(len(flags))),
        event_offset=offset,
        flags=np.asarray(flags, np.uint32),
    )


calibrations = st.tuples(
    st.one_of(st.floats(300, 12_000), st.sampled_from([0.0, math.nan, math.inf, -500.0])),
    st.one_of(st.just(0.0), st.floats(-8, 8), st.sampled_from([math.nan, 1e-300, 5000.0, -5000.0])),
    st.one_of(st.just(0.0), st.floats(-40, 40), st.sampled_from([math.nan, 1e6])),
)
events_of = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 7), st.just(2**32 - 1)),
        st.one_of(st.integers(0, 200_000), st.integers(0, 2**32 - 1)),
    ),
    max_size=60,
)
groups = st.sampled_from([0, 0, 1, 1, MASKED, UNKNOWN])
limits_of = st.sampled_from([(0.0, math.inf), (300.0, 16667.0)])
filters = st.builds(
    EventFilter,
    prompt_pulse_width_us=st.sampled_from([0.0, 50.0, 1234.5]),
    frame_us=st.sampled_from([1e6 / 60, 2000.0]),
    pulse_flags=st.sampled_from([0, 4, 6]),
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), events=events_of, leave_out=filters, n_pixels=st.integers(0, 9))
def test_all_tables_equal_numpy_count_by_count(
    data: st.DataObject, events: list[tuple[int, int]], leave_out: EventFilter, n_pixels: int
) -> None:
    rows = data.draw(st.lists(calibrations, max_size=6))
    columns = [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.empty(0)] * 3
    flags = data.draw(st.lists(st.sampled_from([0, 0, 2, 4]), min_size=1, max_size=4))
    cuts = data.draw(st.lists(st.integers(0, 60), min_size=len(flags) - 1, max_size=len(flags) - 1))
    batch = in_pulses([pixel for pixel, _ in events], [tick for _, tick in events], flags, cuts)
    with np.errstate(all="ignore"):
        hits = np.array([float(d_of(tick / 10.0, *rows[p])) for p, tick in events if p < len(rows)])
        d = hits[np.isfinite(hits) & (np.abs(hits) < 1e6)]
        q = 2 * np.pi / d[d > 1e-6]
    groupings = data.draw(
        st.lists(st.lists(groups, min_size=len(rows), max_size=len(rows)), min_size=1, max_size=3)
    )

    def make_table() -> FocusTable:
        axis = data.draw(st.sampled_from(["d_spacing", "momentum_transfer"]))
        at = d if axis == "d_spacing" else q
        # Edges on events, and one step of float64 beside: the hardest cases.
        beside = np.unique([*at, *np.nextafter(at, 1e9), *np.nextafter(at, -1e9), -1.0, 0.0, 0.5, 1.0, 2.0])
        first = sorted(
            data.draw(st.lists(st.sampled_from(beside.tolist()), min_size=2, max_size=9, unique=True))
        )
        other = data.draw(st.sampled_from([first, np.geomspace(0.3, 8, len(first))]))
        group = np.array(data.draw(st.sampled_from(groupings)), np.int32)
        return FocusTable(group, *columns, np.array([first, other]), *data.draw(limits_of), axis)

    tables = [make_table() for _ in range(data.draw(st.integers(1, 4)))]
    assert_equals_plain(batch, tables, leave_out, n_pixels)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), threads=st.integers(1, 3), leave_out=filters, n=st.integers(0, 6000))
def test_many_events_on_all_kinds_of_edges(
    monkeypatch_module: pytest.MonkeyPatch, seed: int, threads: int, leave_out: EventFilter, n: int
) -> None:
    rng = np.random.default_rng(seed)
    n_pixels = 60
    columns = (
        rng.uniform(300, 12_000, n_pixels),
        rng.choice([0.0, -3.0, 0.5], n_pixels),
        rng.choice([0.0, -10.0, 7.5], n_pixels),
    )
    banks, strips = (rng.integers(UNKNOWN, 3, n_pixels).astype(np.int32) for _ in range(2))
    close = np.sort(np.concatenate([1 + np.arange(300) * 1e-15, [1.5, 2.0], rng.uniform(2, 3, 30)]))
    edges: list[tuple[Any, Any]] = [
        (log_edges(0.3, 8, 6000), "d_spacing"),
        (linear_edges(0.0, 10, 990), "d_spacing"),
        (linear_edges(-1.0, 3.0, 7), "d_spacing"),
        (np.unique(close), "d_spacing"),
        (np.array([0.1, 5.0]), "d_spacing"),
        (linear_edges(0.0, 50, 2500), "momentum_transfer"),
        (log_edges(0.7, 40, 300), "momentum_transfer"),
        (linear_edges(-1.0, 20.0, 21), "momentum_transfer"),
    ]
    tables = [
        FocusTable(group, *columns, np.tile(own, (3, 1)), 300.0, 16667.0, axis)
        for index in rng.permutation(len(edges))[: rng.integers(1, 5)]
        for own, axis in [edges[index]]
        for group in [banks if rng.random() < 0.5 else strips]
    ]
    batch = in_pulses(
        rng.integers(0, n_pixels + 5, n),
        rng.integers(0, 170_000, n),
        rng.integers(0, 8, 20),
        rng.integers(0, n + 1, 19),
    )
    assert_equals_plain(batch, tables, leave_out, n_pixels + 3, threads)


@pytest.fixture(scope="module")
def monkeypatch_module() -> Any:
    """Let few events be divided among threads."""
    import sys

    module = sys.modules[focus_function.__module__]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEWEST_FOR_A_THREAD", 500)
        yield patch


edge_values = st.one_of(
    st.floats(1e-3, 1e3),
    st.floats(5e-324, 1e308),
    st.sampled_from([0.0, -0.0, -3.5, 1e-320, 3.4e-308, 3.6e-308, 1.7e308, 2 * math.pi, 1.0, 50.0]),
)


@settings(max_examples=200, deadline=None)
@given(edges=st.lists(edge_values, min_size=1, max_size=8))
def test_thresholds_in_d_decide_as_the_division_does(edges: list[float]) -> None:
    values = np.array(edges)
    thresholds = d_thresholds(values, "momentum_transfer")
    for edge, threshold in zip(edges, thresholds, strict=True):
        if edge <= 0:
            assert math.isnan(threshold)  # 2 pi / d is never below
            continue
        assert threshold > 0
        with np.errstate(all="ignore"):
            assert not 2 * np.pi / threshold >= edge
            before = np.nextafter(threshold, 0.0)
            assert before == 0 or 2 * np.pi / before >= edge


def test_thresholds_of_the_edges_of_nomad_on_both_sides() -> None:
    edges = linear_edges(0.0, 50.0, 2500)[1:]
    thresholds = d_thresholds(edges, "momentum_transfer")
    assert (2 * np.pi / thresholds < edges).all()
    assert (2 * np.pi / np.nextafter(thresholds, 0.0) >= edges).all()
    assert (np.diff(thresholds) < 0).all()


def tables_of(n: int = 4, **changes: Any) -> list[FocusTable]:
    """In d, in Q by the same groups, and in d by others with the same bins."""
    columns = {"difc": np.full(n, 1000.0), "difa": np.zeros(n), "tzero": np.zeros(n)} | changes
    banks, strips = np.arange(n, dtype=np.int32) % 2, (np.arange(n, dtype=np.int32) + 1) % 3
    d = np.array([[1.0, 2.0, 4.0], [0.5, 1.0, 3.0]])
    return [
        FocusTable(banks, **columns, edges=d),
        FocusTable(banks, **columns, edges=np.tile([0.0, 1.0, 3.0], (2, 1)), axis="momentum_transfer"),
        FocusTable(strips, **columns, edges=np.tile([0.1, 1.5, 9.0], (3, 1))),
    ]


@pytest.mark.parametrize("below", [0, 1, 2, 3, 5, 20, 39])
def test_an_event_on_an_edge_among_many_in_one_cell(make_batch: MakeBatch, below: int) -> None:
    # Neighbouring float64: no other bins are as narrow. That of the event begins at its d, which is no round number.
    edges = 1500.3 + (np.arange(41) - below) * np.spacing(1500.3)
    table = FocusTable(np.zeros(1, np.int32), np.ones(1), np.zeros(1), np.zeros(1), edges[np.newaxis])
    focused = focus(make_batch([0], [15_003]), table)
    assert np.flatnonzero(focused.counts[0]).tolist() == [below]


def test_where_both_roots_are_as_near_the_sum_is_taken(make_batch: MakeBatch) -> None:
    # TOF 0 without TZERO: the root is as large as the middle, and d is 0 or twice the middle. Mantid takes the latter.
    columns = np.full(1, 1000.0), np.full(1, -100.0), np.zeros(1)
    table = FocusTable(np.zeros(1, np.int32), *columns, np.array([[-1.0, 1.0, 9.0, 11.0]]))
    assert assert_equals_plain(make_batch([0], [0]), [table]).n_passes == 1
    assert focus(make_batch([0], [0]), table).counts.tolist() == [[0, 0, 1]]


def test_tables_of_two_groupings_take_one_pass() -> None:
    assert plan_focusing(tables_of(), 4).n_passes == 1


def test_what_does_not_fit_takes_another_pass(make_batch: MakeBatch) -> None:
    tables = tables_of()
    late = attrs.evolve(tables[0], tof_min_us=2000.0)
    moved = attrs.evolve(tables[2], difc=np.full(4, 1000.5))
    uneven = attrs.evolve(tables[2], edges=np.array([[0.1, 1.5], [0.1, 1.6], [0.1, 1.7]]))
    batch = make_batch([0, 1, 2, 3, 9], [15_000, 15_001, 15_002, 25_000, 1])
    plan = assert_equals_plain(batch, [*tables, late, moved, uneven], n_pixels=12)
    assert plan.n_passes == 4


def test_calibrations_are_the_same_to_the_sign_of_zero(make_batch: MakeBatch) -> None:
    # With TZERO, DIFC 0.0 gives d = inf, which is Q = 0, and DIFC -0.0 gives -inf, which has no Q.
    zeros, edges = np.zeros(1), np.array([[0.0, 1.0]])
    tables = [
        FocusTable(np.zeros(1, np.int32), difc, zeros, np.array([-1.0]), edges, axis="momentum_transfer")
        for difc in (zeros, -zeros)
    ]
    batch = make_batch([0], [100])
    assert assert_equals_plain(batch, tables).n_passes == 2
    assert [each.n_binned for each in focus_all(batch, plan_focusing(tables)).histograms] == [1, 0]


def test_a_table_without_groups_masks_what_it_knows(make_batch: MakeBatch) -> None:
    d, *_ = tables_of()
    nothing = attrs.evolve(d, group=np.full(4, MASKED, np.int32), edges=np.empty((0, 3)))
    batch = make_batch([0, 1, 2, 9], [15_000] * 4)
    for tables in ([nothing], [d, nothing], [nothing, d]):
        assert_equals_plain(batch, tables, n_pixels=4)


@pytest.mark.parametrize("axis", ["d_spacing", "momentum_transfer"])
def test_groups_with_the_same_edges_are_prepared_once(
    make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch, axis: Any
) -> None:
    from livered_core.diffraction import plan as module

    planned: list[int] = []
    thresholds = module.d_thresholds
    monkeypatch.setattr(module, "d_thresholds", lambda *of: planned.append(1) or thresholds(*of))
    columns = np.full(400, 1000.0), np.zeros(400), np.zeros(400)
    one, other = [1.0, 2.0, 4.0], [1.0, 2.5, 5.0]
    edges = np.array([*[one] * 150, *[other] * 249, one])
    table = FocusTable(np.arange(400, dtype=np.int32), *columns, edges, axis=axis)
    batch = make_batch(np.arange(400), 10_000 + 100 * np.arange(400))
    assert_equals_plain(batch, [table])
    assert len(planned) < 20


def test_more_groups_than_can_be_looked_up_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from livered_core.diffraction import cells

    d, *_ = tables_of()
    monkeypatch.setattr(cells, "_LARGEST", 20)
    with pytest.raises(DataModelError, match=r"lists of up to 3 edges .* give fewer groups, or fewer bins"):
        plan_focusing([d])


def test_a_pixel_masked_in_one_table_counts_in_another(make_batch: MakeBatch) -> None:
    d, _, view = tables_of()
    d = attrs.evolve(d, group=np.array([0, MASKED, UNKNOWN, 1], np.int32))
    view = attrs.evolve(view, group=np.array([MASKED, 1, 2, UNKNOWN], np.int32))
    batch = make_batch([0, 1, 2, 3], [15_000] * 4)
    assert assert_equals_plain(batch, [d, view]).n_passes == 1
    first, second = focus_all(batch, plan_focusing([d, view])).histograms
    assert (first.n_binned, first.n_masked, first.n_unknown) == (2, 1, 1)
    assert (second.n_binned, second.n_masked, second.n_unknown) == (2, 1, 1)
    assert second.counts.sum(axis=1).tolist() == [0, 1, 1]


@pytest.mark.parametrize("group", [MASKED, 0], ids=["all masked", "all in the first group"])
def test_the_same_pixels_in_as_many_groups_as_each_table_has(make_batch: MakeBatch, group: int) -> None:
    tables = [attrs.evolve(table, group=np.full(4, group, np.int32)) for table in tables_of()]
    assert len({len(table.edges) for table in tables}) == 2
    for order in (tables, tables[::-1]):
        assert_equals_plain(make_batch([0, 1, 2, 3], [15_000] * 4), order, n_pixels=4)


def test_no_events_no_pulses_and_every_pulse_left_out(make_batch: MakeBatch) -> None:
    assert_equals_plain(EventBatch.empty(), tables_of(), EventFilter(50.0, pulse_flags=1), 4, threads=2)
    batch = in_pulses([0, 1], [15_000, 15_000], [4, 6], [1])
    assert_equals_plain(batch, tables_of(), EventFilter(pulse_flags=4), 4)


@pytest.mark.parametrize("frame_us", [2000.0, 1e6 / 60, 1e6 / 3])
def test_prompt_pulses_are_left_out_to_the_tick(make_batch: MakeBatch, frame_us: float) -> None:
    begin = np.arange(6)[:, np.newaxis] * frame_us * 10
    ticks = np.unique(np.round(begin + [[0, 1, 499, 500, 501]] + np.arange(-1, 2)[:, np.newaxis, np.newaxis]))
    ticks = ticks[ticks >= 0]
    batch = make_batch(np.zeros(len(ticks)), ticks)
    leave_out = EventFilter(50.0, frame_us)
    assert 0 < focus_all(batch, plan_focusing(tables_of()), leave_out).n_filtered < len(ticks)
    assert_equals_plain(batch, tables_of(), leave_out, 4)


def test_a_batch_of_more_events_than_the_counters_hold(
    make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setattr(sys.modules[focus_function.__module__], "_MOST_AT_ONCE", 7)
    rng = np.random.default_rng(4)
    batch = in_pulses(rng.integers(0, 5, 60), rng.integers(0, 60_000, 60), [0, 4, 0, 0], [20, 30, 31])
    d, q, view = tables_of()
    d = attrs.evolve(d, group=np.array([0, MASKED, UNKNOWN, 1], np.int32))
    view = attrs.evolve(view, group=np.array([MASKED, 1, 2, UNKNOWN], np.int32))
    assert_equals_plain(batch, [d, q, view], EventFilter(pulse_flags=4), 5)


@pytest.mark.parametrize(("n_edges", "n_passes"), [(32_767, 1), (32_768, 2), (65_536, 2)])
def test_more_edges_of_a_second_grouping_than_a_place_can_tell_take_another_pass(
    make_batch: MakeBatch, n_edges: int, n_passes: int
) -> None:
    d, _, view = tables_of()
    fine = [
        attrs.evolve(view, edges=np.tile(linear_edges(low, 20.0, n_edges - 1), (3, 1))) for low in (0.1, 0.2)
    ]
    batch = make_batch(np.arange(4000) % 4, 50 * np.arange(4000))
    assert assert_equals_plain(batch, [d, *fine]).n_passes == n_passes


def test_an_error_of_any_thread_is_raised(make_batch: MakeBatch) -> None:
    from livered_core.diffraction.focus import _at_once

    done: list[int] = []

    def fail() -> None:
        raise RuntimeError("in a thread")

    with pytest.raises(RuntimeError, match="in a thread"):
        _at_once([fail, lambda: done.append(1)])
    assert done == [1]


def test_what_cannot_be_planned_or_counted_is_refused(make_batch: MakeBatch) -> None:
    with pytest.raises(DataModelError, match="give one table or more"):
        plan_focusing([])
    with pytest.raises(DataModelError, match="pixels from 0"):
        plan_focusing(tables_of(), -1)
    with pytest.raises(DataModelError, match="give 1 or more"):
        focus_all(EventBatch.empty(), plan_focusing(tables_of()), threads=0)


def test_a_plan_may_be_sent_to_another_process(make_batch: MakeBatch) -> None:
    from livered_core.diffraction import kernel

    plan = plan_focusing(tables_of(), 4)
    batch = make_batch([0, 1, 2, 3], [15_000, 25_000, 700, 9])
    expected = focus_all(batch, plan)
    found = focus_all(batch, pickle.loads(pickle.dumps(plan)))
    for one, other in zip(expected.histograms, found.histograms, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)
    assert len(kernel.count_events.signatures) == 1
    assert len(kernel.add_places.signatures) == 1


def test_counts_and_pixels_are_read_only_and_of_their_own(make_batch: MakeBatch) -> None:
    plan = plan_focusing(tables_of(), 4)
    batch = make_batch([0, 1], [15_000, 25_000])
    one, other = focus_all(batch, plan), focus_all(batch, plan)
    assert not np.shares_memory(one.histograms[0].counts, other.histograms[0].counts)
    assert not one.pixels.flags.writeable
    assert not one.histograms[0].counts.flags.writeable


def test_the_calibration_of_nomad_with_banks_strips_and_q(shared: Path, make_batch: MakeBatch) -> None:
    calibration = read_calibration(shared / "data/nomad/NOMAD_243451_2026-06-09_shifter.h5")
    with np.load(shared / "reference/golden/nomad_events_500k.npz") as events:
        batch = make_batch(events["pixel"], events["tick"], events["charge_pC"])
    banks = Grouping(calibration.detid, calibration.group - 1)
    strips = Grouping(calibration.detid, np.arange(len(calibration.detid)) // 900)
    n_strips = strips.n_groups
    tof = (300.0, 16667.0)
    d = np.stack([log_edges(low, 2.5, 6000) for low in (0.3, 0.15, 0.1, 0.1, 0.1, 0.5)])
    tables = [
        focus_table(calibration, banks, d, *tof),
        focus_table(
            calibration, banks, np.tile(linear_edges(0, 50, 2500), (6, 1)), *tof, "momentum_transfer"
        ),
        focus_table(calibration, strips, np.tile(log_edges(0.1, 8.0, 500), (n_strips, 1)), *tof),
    ]
    plan = assert_equals_plain(batch, tables, EventFilter(60.0), int(calibration.detid.max()) + 1, threads=2)
    assert plan.n_passes == 1
    np.testing.assert_array_equal(focus(batch, tables[0]).counts, focus_all(batch, plan).histograms[0].counts)
