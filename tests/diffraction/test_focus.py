from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focus_support import d_of, reference
from livered_core import BackendUnavailable, EventBatch, Instrument, InstrumentDefinition
from livered_core.diffraction import (
    MASKED,
    UAH_PER_PC,
    UNKNOWN,
    FocusedHistogram,
    FocusTable,
    Grouping,
    calibration_from_geometry,
    focus,
    focus_table,
    linear_edges,
    log_edges,
    read_calibration,
    rebin_edges,
    warm_up,
)
from livered_core.geometry import read_instrument

MakeBatch = Callable[..., EventBatch]


def assert_equals_reference(events: EventBatch, table: FocusTable) -> FocusedHistogram:
    focused = focus(events, table)
    counts, out_of_range, masked, unknown = reference(events, table)
    np.testing.assert_array_equal(focused.counts, counts)
    assert (focused.n_out_of_range, focused.n_masked, focused.n_unknown) == (out_of_range, masked, unknown)
    assert focused.n_events == events.n_events
    assert focused.n_binned + out_of_range + masked + unknown == events.n_events
    return focused


finite_difc = st.floats(300, 12_000)
pixels = st.tuples(
    st.sampled_from([0, 0, 1, 1, MASKED, UNKNOWN]),
    st.one_of(finite_difc, st.sampled_from([0.0, math.nan, math.inf, -500.0])),
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


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(pixels, max_size=6), events=events_of, data=st.data())
def test_the_kernel_equals_numpy_count_by_count(
    make_batch: MakeBatch, rows: list[Any], events: list[tuple[int, int]], data: st.DataObject
) -> None:
    batch = make_batch([event[0] for event in events], [event[1] for event in events])
    columns = [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.empty(0)] * 4
    # Edges on the d of events, and one step of float64 beside: the hardest cases.
    in_table = [(pixel, tick) for pixel, tick in events if pixel < len(rows)]
    with np.errstate(all="ignore"):
        hits = np.array([float(d_of(tick / 10.0, *rows[pixel][1:])) for pixel, tick in in_table])
    hits = hits[np.isfinite(hits) & (np.abs(hits) < 1e6)]
    beside = np.concatenate([hits, np.nextafter(hits, 1e9), np.nextafter(hits, -1e9), [0.5, 1.0, 2.0]])
    candidates = st.lists(st.sampled_from(beside.tolist()), min_size=2, max_size=9, unique=True)
    first = sorted(data.draw(candidates))
    edges = np.array([first, np.geomspace(0.3, 8, len(first))])
    limits = data.draw(st.sampled_from([(0.0, math.inf), (300.0, 16667.0), (16667.0, 300.0)]))
    axis = data.draw(st.sampled_from(["d_spacing", "momentum_transfer"]))
    assert_equals_reference(
        batch, FocusTable(columns[0].astype(np.int32), *columns[1:], edges, *limits, axis)
    )


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    axis=st.sampled_from(["d_spacing", "momentum_transfer"]),
    make_edges=st.sampled_from(
        [
            lambda: log_edges(0.3, 8, 6000),
            lambda: linear_edges(0.0, 10, 990),
            lambda: linear_edges(-1.0, 3.0, 7),
            lambda: rebin_edges(0.1, -0.0008, 10),
            lambda: np.array([0.1, 0.1001, 0.2, 5.0, 5.1, 9.0]),
        ]
    ),
)
def test_any_edges_give_the_counts_of_numpy(
    make_batch: MakeBatch, seed: int, axis: Any, make_edges: Callable[[], Any]
) -> None:
    rng = np.random.default_rng(seed)
    n_pixels = 50
    table = FocusTable(
        rng.integers(UNKNOWN, 1, n_pixels).astype(np.int32),
        rng.uniform(300, 12_000, n_pixels),
        rng.choice([0.0, -3.0, 0.5], n_pixels),
        rng.choice([0.0, -10.0, 7.5], n_pixels),
        make_edges()[np.newaxis],
        300.0,
        16667.0,
        axis,
    )
    batch = make_batch(rng.integers(0, n_pixels + 5, 2000), rng.integers(0, 170_000, 2000))
    assert_equals_reference(batch, table)


def simple_table(edges: Any = ((1.0, 2.0, 4.0),), **changes: Any) -> FocusTable:
    """Pixels 0 (d = TOF / 1000 us) and 1 (group of none), and an unknown 2."""
    columns: dict[str, Any] = {
        "group": np.array([0, MASKED, UNKNOWN], np.int32),
        "difc": np.array([1000.0, 1000.0, 1000.0]),
        "difa": np.zeros(3),
        "tzero": np.zeros(3),
        "edges": np.array(edges),
    }
    return FocusTable(**(columns | changes))


def test_bins_are_closed_on_the_left_and_open_on_the_right(make_batch: MakeBatch) -> None:
    # 1, 2 and 4 Angstrom exactly, and one tick below each.
    focused = focus(make_batch([0] * 6, [10_000, 9_999, 20_000, 19_999, 40_000, 39_999]), simple_table())
    assert focused.counts.tolist() == [[2, 2]]
    assert focused.n_out_of_range == 2


def test_the_last_bit_of_the_time_of_flight_counts(make_batch: MakeBatch) -> None:
    # With DIFC = 1, d is TOF in us. Each bin begins at an event and ends at the next float64.
    ticks = np.arange(1, 2000)
    tof_us = ticks / 10.0
    edges = np.sort(np.concatenate([tof_us, np.nextafter(tof_us, 1e9)]))
    assert (ticks * 0.1 != tof_us).any()
    focused = focus(make_batch(ticks * 0, ticks), simple_table([edges], difc=np.ones(3)))
    assert (focused.counts[0, 0::2] == 1).all()
    assert focused.n_binned == len(ticks)


def test_every_event_is_accounted_for(make_batch: MakeBatch) -> None:
    batch = make_batch(
        [0, 0, 0, 1, 1, 2, 3, 2**32 - 1], [15_000, 25_000, 1, 15_000, 15_000, 15_000, 15_000, 1]
    )
    focused = focus(batch, simple_table())
    assert focused.counts.tolist() == [[1, 1]]
    assert (focused.n_binned, focused.n_out_of_range, focused.n_masked, focused.n_unknown) == (2, 1, 2, 3)
    assert focused.n_events == 8


def test_the_range_of_tof_is_closed_on_the_left_and_open_on_the_right(make_batch: MakeBatch) -> None:
    batch = make_batch([0] * 4, [14_999, 15_000, 29_999, 30_000])
    focused = focus(batch, simple_table(tof_min_us=1500.0, tof_max_us=3000.0))
    assert focused.counts.tolist() == [[1, 1]]
    assert focused.n_out_of_range == 2


def test_an_event_without_a_d_spacing_is_out_of_range(make_batch: MakeBatch) -> None:
    # DIFA < 0: beyond the top of the parabola there is no d. NaN must not be taken for a bin.
    table = simple_table(difa=np.array([-100.0, 0.0, 0.0]), edges=((0.1, 5.0, 6.0),))
    focused = focus(make_batch([0, 0], [24_000, 26_000]), table)
    assert focused.n_binned == 1
    assert focused.n_out_of_range == 1


def test_no_events_and_no_pixels(make_batch: MakeBatch) -> None:
    nothing = np.empty(0)
    table = FocusTable(nothing.astype(np.int32), nothing, nothing, nothing, np.array([[1.0, 2.0]]))
    assert focus(EventBatch.empty(), table).n_events == 0
    assert focus(make_batch([0, 5], [1, 1]), table).n_unknown == 2


def test_the_charge_is_that_of_all_pulses(make_batch: MakeBatch) -> None:
    assert focus(make_batch([0], [15_000], [2.3e7, 0.0, 1.1e7]), simple_table()).proton_charge_pc == 3.4e7


def test_inputs_are_not_modified(make_batch: MakeBatch) -> None:
    batch = make_batch([0, 1, 2, 9], [15_000] * 4, [1.0])
    table = simple_table()
    before = [np.copy(column) for column in (batch.pixel_id, batch.tof, table.rows, table.edges)]
    focus(batch, table)
    for was, column in zip(before, (batch.pixel_id, batch.tof, table.rows, table.edges), strict=True):
        np.testing.assert_array_equal(was, column)
    assert batch.tof.flags.writeable  # the batch's own flag is left alone
    for column in (table.group, table.difc, table.difa, table.tzero, table.edges, table.rows, table.guess):
        assert not column.flags.writeable


def test_the_kernel_is_compiled_once_for_all_kinds_of_columns(make_batch: MakeBatch) -> None:
    warm_up()
    from livered_core.diffraction import kernel

    plain = make_batch([0, 0, 0, 0], [15_000, 25_000, 15_000, 1])
    raw = np.array([(0, 15_000), (0, 25_000), (0, 15_000), (0, 1)], np.uint32)
    read_only = np.frombuffer(plain.tof.tobytes(), np.uint32)
    unaligned = np.frombuffer(b"x" + plain.tof.tobytes(), np.uint32, offset=1)
    assert not unaligned.flags.aligned
    expected = focus(plain, simple_table()).counts
    for pixel, tof in ((raw[:, 0], raw[:, 1]), (plain.pixel_id, read_only), (plain.pixel_id, unaligned)):
        batch = attrs.evolve(plain, pixel_id=pixel, tof=tof)
        np.testing.assert_array_equal(focus(batch, simple_table()).counts, expected)
    assert len(kernel.count_events.signatures) == 1


def test_chunks_add_up_to_the_whole(make_batch: MakeBatch) -> None:
    rng = np.random.default_rng(5)
    pixel, tof = rng.integers(0, 4, 1000), rng.integers(0, 60_000, 1000)
    whole = focus(make_batch(pixel, tof, [50.0, 70.0]), simple_table())
    halves = [
        focus(make_batch(pixel[part], tof[part], [charge]), simple_table())
        for part, charge in ((slice(300), 50.0), (slice(300, None), 70.0))
    ]
    total = halves[0] + halves[1]
    np.testing.assert_array_equal(total.counts, whole.counts)
    for name in ("proton_charge_pc", "n_events", "n_binned", "n_out_of_range", "n_masked", "n_unknown"):
        assert getattr(total, name) == getattr(whole, name)


def test_events_made_from_d_come_back_at_their_d(make_batch: MakeBatch) -> None:
    rng = np.random.default_rng(11)
    n_pixels = 200
    difc = rng.uniform(900, 9000, n_pixels)
    table = FocusTable(
        np.zeros(n_pixels, np.int32),
        difc,
        np.where(np.arange(n_pixels) % 3 == 0, 0.0, rng.uniform(-6, 0.5, n_pixels)),
        rng.uniform(-20, 20, n_pixels),
        log_edges(0.5, 3.0, 1000)[np.newaxis],
    )
    reflections = np.array([2.0595, 1.2612, 1.0755])
    pixel = rng.integers(0, n_pixels, 30_000)
    d = rng.choice(reflections, 30_000)
    tof_us = table.difc[pixel] * d + table.difa[pixel] * d**2 + table.tzero[pixel]
    focused = focus(make_batch(pixel, np.round(tof_us * 10)), table)
    edges = table.edges[0]
    near = sum(
        int(focused.counts[0, b - 1 : b + 2].sum())
        for b in np.searchsorted(edges, reflections, side="right") - 1
    )
    # Half a tick is 5e-5 of the shortest TOF: less than a bin (1.8e-3).
    assert near == focused.n_binned == 30_000


def test_without_numba_the_extra_is_named(make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    import livered_core.diffraction as package

    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "livered_core.diffraction.kernel", raising=False)
    monkeypatch.delattr(package, "kernel", raising=False)
    with pytest.raises(BackendUnavailable, match=r"numba: pip install 'livered-core\[native\]'"):
        focus(EventBatch.empty(), simple_table())


@pytest.mark.parametrize(
    ("golden_counts", "golden_edges", "honour_use"),
    [
        ("masked_dlog", "masked_dlog_edges", True),
        ("masked_dlin", "masked_dlin_edges", True),
        ("unmasked_dlog", "masked_dlog_edges", False),
        ("unmasked_dlin", "masked_dlin_edges", False),
        ("aafp_resamplex_dminmax", "aafp_resamplex_dminmax_edges", True),
    ],
)
def test_no_bin_differs_from_mantid(
    shared: Path, make_batch: MakeBatch, golden_counts: str, golden_edges: str, honour_use: bool
) -> None:
    calibration = read_calibration(shared / "data/nomad/NOMAD_243451_2026-06-09_shifter.h5")
    if not honour_use:
        calibration = attrs.evolve(calibration, use=np.ones(len(calibration.use), bool))
    with np.load(shared / "reference/golden/nomad_events_500k.npz") as events:
        batch = make_batch(events["pixel"], events["tick"], events["charge_pC"])
    with np.load(shared / "reference/golden/nomad_focus_n500k.npz") as golden:
        counts, edges = golden[golden_counts], golden[golden_edges]
        charge_uah = float(golden["proton_charge_uAh"])
        kept = int(golden["masked_events_kept" if honour_use else "unmasked_events_kept"])
    edges = np.broadcast_to(edges, (6, edges.shape[-1]))
    grouping = Grouping(calibration.detid, calibration.group - 1)
    focused = focus(batch, focus_table(calibration, grouping, edges))
    assert np.count_nonzero(focused.counts != counts) == 0
    assert focused.n_binned + focused.n_out_of_range == kept
    assert focused.n_masked == batch.n_events - kept
    assert focused.proton_charge_pc * UAH_PER_PC == charge_uah


@pytest.fixture(scope="module")
def golden_geometry(shared: Path) -> Instrument:
    xml = (shared / "data/nomad/NOMAD_Definition.xml").read_text(encoding="utf-8")
    return read_instrument(InstrumentDefinition("NOM", xml))


def test_no_bin_of_momentum_transfer_differs_from_mantid(
    shared: Path, make_batch: MakeBatch, golden_geometry: Instrument
) -> None:
    calibration = read_calibration(shared / "data/nomad/NOMAD_243451_2026-06-09_shifter.h5")
    with np.load(shared / "reference/golden/nomad_events_500k.npz") as events:
        batch = make_batch(events["pixel"], events["tick"], events["charge_pC"])
    with np.load(shared / "reference/golden/nomad_focus_n500k.npz") as golden:
        counts, edges = golden["masked_q"], golden["masked_q_edges"]
    geometry = calibration_from_geometry(golden_geometry)
    used = calibration.detid[calibration.use]
    masked = attrs.evolve(geometry, use=np.isin(geometry.detid, used))
    grouping = Grouping(calibration.detid, calibration.group - 1)
    table = focus_table(masked, grouping, np.tile(edges, (6, 1)), axis="momentum_transfer")
    focused = focus(batch, table)
    assert focused.unit == "1/Angstrom"
    assert np.count_nonzero(focused.counts != counts) == 0
