from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core import (
    Chunk,
    Curve,
    EventBatch,
    HookFailure,
    Image,
    Instrument,
    InstrumentDefinition,
    Result,
    RunInfo,
    SlowLog,
)
from livered_core.model import format_utc
from livered_core.model.utc import parse_utc


def batch(**changes):
    columns = {
        "pixel_id": np.array([4, 5, 6], np.uint32),
        "tof": np.array([10, 20, 30], np.uint32),
        "pulse_time_ns": np.array([1, 2], np.int64),
        "proton_charge_pc": np.array([5.0, 6.0]),
        "event_offset": np.array([0, 2, 3], np.int64),
        "flags": np.zeros(2, np.uint32),
    }
    return EventBatch(**{**columns, **changes})


def test_a_batch_knows_its_size():
    assert (batch().n_events, batch().n_pulses) == (3, 2)
    assert (EventBatch.empty().n_events, EventBatch.empty().n_pulses) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"tof": np.array([1, 2, 3])}, TypeError, r"EventBatch\.tof must be uint32\[n\] and is int64\[3\]"),
        ({"tof": [1, 2, 3]}, TypeError, "must be a numpy array and is a list"),
        ({"pixel_id": np.zeros((3, 1), np.uint32)}, TypeError, r"uint32\[3, 1\]"),
        ({"pixel_id": np.zeros(2, np.uint32)}, ValueError, "2 pixels and 3 times of flight"),
        ({"flags": np.zeros(3, np.uint32)}, ValueError, "2 pulse times, 2 proton charges and 3 flags"),
        ({"event_offset": np.array([0, 2], np.int64)}, ValueError, "ascend from 0 to 3 in 3 values"),
        ({"event_offset": np.array([0, 4, 3], np.int64)}, ValueError, "ascend"),
        ({"event_offset": np.array([0, 2, 2], np.int64)}, ValueError, "ascend"),
        ({"event_offset": np.array([1, 2, 3], np.int64)}, ValueError, "ascend"),
    ],
)
def test_a_batch_that_does_not_fit_together_is_refused(changes, error, sentence):
    with pytest.raises(error, match=sentence):
        batch(**changes)


def test_a_batch_as_scipp():
    sc = pytest.importorskip("scipp")
    events = batch().to_scipp()
    assert events.sum().value == 3
    np.testing.assert_allclose(events.coords["tof"].values, [1.0, 2.0, 3.0])
    assert events.coords["tof"].unit == sc.Unit("us")
    assert events.coords["pulse_time"].values.astype(np.int64).tolist() == [1, 1, 2]


def test_a_mantid_chunk_has_no_event_batch():
    chunk = Chunk(1, "mantid", object(), 0, 0, 0, 0, 0.0)
    with pytest.raises(TypeError, match="Chunk 1 holds a object"):
        _ = chunk.events


def test_nouns_are_frozen():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RunInfo(number=1, instrument="TST").number = 2
    with pytest.raises(ValueError, match="number"):
        RunInfo(number=0, instrument="TST")


def curve(**changes):
    values = {
        "label": "c",
        "x": [0, 1, 2],
        "y": [1, 2],
        "e": [1, 1],
        "x_unit": "Angstrom",
        "y_unit": "counts",
    }
    return Curve(**{**values, **changes})


def test_a_curve_owns_read_only_float64_arrays():
    y = np.array([1, 2])
    made = curve(y=y)
    y[0] = 9
    assert made.y.tolist() == [1.0, 2.0]
    assert made.y.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        made.y[0] = 3
    assert made.is_histogram
    assert made.x_centres.tolist() == [0.5, 1.5]
    assert curve(x=[0, 1]).x_centres.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x_unit": ""}, "Curve 'c' has no x_unit"),
        ({"y_unit": " "}, "Curve 'c' has no y_unit"),
        ({"e": [1]}, "y and e must be as long as each other"),
        ({"x": [0]}, "x as long or one longer"),
        ({"x": [0, 1, 2, 3]}, "x as long or one longer"),
        ({"y": [[1, 2]], "e": [[1, 2]]}, "y and e must be"),
    ],
)
def test_a_curve_that_cannot_be_drawn_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        curve(**changes)


def test_an_image_must_fit_its_edges():
    Image("i", [0, 1, 2], [0, 1], [[1, 2]], "us", "deg", "counts")
    with pytest.raises(ValueError, match="z must be"):
        Image("i", [0, 1, 2], [0, 1], [[1], [2]], "us", "deg", "counts")
    with pytest.raises(ValueError, match="no z_unit"):
        Image("i", [0, 1], [0, 1], [[1]], "us", "deg", "")


def test_labels_in_a_result_differ():
    with pytest.raises(ValueError, match="two curves called 'c'"):
        Result(1, "t", [curve(), curve()])


def test_a_definition_is_known_by_its_text():
    one, same, other = (InstrumentDefinition("a", xml) for xml in ("<x/>", "<x/>", "<y/>"))
    assert one == same
    assert one.sha256 == same.sha256 != other.sha256
    assert "<4 characters>" in repr(one)


def test_geometry_of_an_instrument():
    instrument = Instrument(
        name="TST",
        pixel_id=np.array([1, 2, 3], np.int32),
        position=np.array([[0.0, 0.0, 2.0], [0.0, 3.0, 0.0], [0.0, 0.0, -4.0]]),
        bank=np.zeros(3, np.int32),
        bank_names=("b",),
        source_position=np.array([0.0, 0.0, -10.0]),
        sample_position=np.zeros(3),
        monitor_id=np.empty(0, np.int32),
        monitor_position=np.empty((0, 3)),
    )
    assert instrument.l1 == 10.0
    assert instrument.l2.tolist() == [2.0, 3.0, 4.0]
    np.testing.assert_allclose(instrument.two_theta, [0.0, np.pi / 2, np.pi])


def test_a_failure_in_one_sentence():
    failure = HookFailure("nom", "1.2", "process_chunk", "ValueError: bad", "...", 7, 1)
    assert failure.sentence == "Plugin nom 1.2 failed in process_chunk on chunk 7: ValueError: bad"
    again = attrs.evolve(failure, chunk_sequence=None, consecutive=3)
    assert again.sentence == "Plugin nom 1.2 failed in process_chunk, 3 times in a row: ValueError: bad"


def test_the_newest_value_of_a_log():
    times = np.array([1, 2], np.int64)
    assert SlowLog("t", "", "K", times, np.array([1.0, 2.0])).last == 2.0
    assert SlowLog("t", "", "", times, np.array(["a", "b"], object)).last == "b"


@given(st.integers(0, 4_102_444_800))
def test_times_are_written_and_read(seconds):
    assert parse_utc(format_utc(seconds * 10**9)) == seconds * 10**9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400),
        ("1970-01-01 00:00:01.500", 1.5),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text, seconds):
    assert parse_utc(text) == seconds * 10**9


def test_a_time_that_the_calendar_cannot_hold_is_a_number():
    assert format_utc(10**30) == f"{10**30} ns"
