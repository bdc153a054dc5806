"""The real files of two instruments come through with what Mantid's LoadEventNexus finds in them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livered_core.adara import BankedEvents, RunInfoPacket, RunStatus, read_run_info
from livered_core.chunking.items import LogSample
from livered_core.chunking.slow_logs import SlowLogDecoder
from livered_core.recording import open_recording, summarise
from livered_core.recording.nexus_times import iso_ns
from nexus_support import of_type, packets

SHARED = Path(__file__).parents[3] / "shared"
GOLDEN = SHARED / "reference" / "golden"

pytestmark = pytest.mark.skipif(
    not (SHARED / "data" / "events").is_dir(), reason="the real files (../shared/data/events) are not there"
)


@pytest.fixture(params=["EQSANS_1466", pytest.param("REF_L_70977", marks=pytest.mark.slow)])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def path_of(name: str) -> Path:
    return SHARED / "data" / "events" / f"{name}_event.nxs"


@cache
def sent_of(name: str) -> list[Any]:
    return packets(path_of(name))


@cache
def events_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    pulses = of_type(sent_of(name), BankedEvents)
    return np.concatenate([p.pixel_id for p in pulses]), np.concatenate([p.tof for p in pulses]) / 10.0


@pytest.fixture
def facts(name: str) -> dict[str, Any]:
    return dict(json.loads((GOLDEN / "events_facts.json").read_text())[name])


@pytest.fixture
def golden(name: str) -> Any:
    with np.load(GOLDEN / f"events_{name}.npz") as file:
        yield file


def test_events_by_pixel_are_mantid_s(name: str, facts, golden):
    pixel, tof = events_of(name)
    assert len(pixel) == facts["total_counts"]
    counts = np.bincount(pixel, minlength=int(golden["pick_detector_id"].max()) + 1)
    np.testing.assert_array_equal(counts[golden["pick_detector_id"]], golden["pick_counts"])
    assert int((counts > 0).sum()) == facts["n_spectra_with_events"]
    # The file has single precision.
    np.testing.assert_array_equal(
        np.array([tof.min(), tof.max()], np.float32),
        np.array([facts["tof_min_us"], facts["tof_max_us"]], np.float32),
    )


def test_times_of_flight_are_mantid_s(name: str, golden):
    _, tof = events_of(name)
    edges = golden["tof_edges_us"]
    counts, _ = np.histogram(tof.astype(np.float32).astype(np.float64), edges)
    np.testing.assert_array_equal(counts, golden["tof_counts"])


def test_charge_and_times_of_pulses(name: str, facts):
    pulses = of_type(sent_of(name), BankedEvents)
    series = facts["proton_charge_series"]
    assert len(pulses) == series["n"]
    charge = sum(pulse.proton_charge_pc for pulse in pulses)
    assert charge == series["sum"]
    assert charge / 3.6e9 == pytest.approx(facts["gd_prtn_chrg"], rel=1e-12)
    # Mantid cuts off what is below a nanosecond, and this rounds.
    for pulse, time in ((pulses[0], series["first_time"]), (pulses[-1], series["last_time"])):
        assert abs(pulse.time_ns - iso_ns(time)) <= 1


def test_each_event_is_in_its_pulse(name: str):
    """Against the file itself, bank by bank, and by another way than the recording goes."""
    pulses = {pulse.time_ns: pulse for pulse in of_type(sent_of(name), BankedEvents)}
    n_checked = 0
    with h5py.File(path_of(name), "r") as file:
        for group_name, group in file["entry"].items():
            if not group_name.endswith("_events") or len(group["event_index"]) == 1:
                continue
            zero = group["event_time_zero"]
            begin = iso_ns(zero.attrs["offset"].decode())
            index = group["event_index"][()].astype(np.int64)
            index[index < 0] = len(group["event_id"])
            place = np.searchsorted(index, np.arange(len(group["event_id"])), side="right") - 1
            number = int(group_name.removeprefix("bank").removesuffix("_events"))
            pixel, tof = group["event_id"][()], np.rint(group["event_time_offset"][()].astype(float) * 10)
            for i in np.unique(place):
                pulse = pulses[begin + round(zero[i] * 1e9)]
                bank = pulse.bank_id.tolist().index(number)
                events = slice(pulse.bank_offset[bank], pulse.bank_offset[bank + 1])
                np.testing.assert_array_equal(pulse.pixel_id[events], pixel[place == i])
                np.testing.assert_array_equal(pulse.tof[events], tof[place == i])
                n_checked += int((place == i).sum())
    assert n_checked == sum(len(pulse.tof) for pulse in pulses.values())


def test_the_run_is_described(name: str, facts):
    sent = sent_of(name)
    details = read_run_info(of_type(sent, RunInfoPacket)[0].xml)
    assert (str(details.run_number), details.title) == (facts["run_number"], facts["title"])
    begin, end = of_type(sent, RunStatus)
    assert begin.run_start_ns == iso_ns(facts["start_time"])
    assert end.time_ns >= iso_ns(facts["end_time"])


def test_every_value_of_every_log_comes_at_its_time(name: str):
    decoder = SlowLogDecoder()
    got: dict[str, list[LogSample]] = {}
    for packet in sent_of(name):
        for sample in decoder.feed(packet):
            got.setdefault(sample.name, []).append(sample)
    with h5py.File(path_of(name), "r") as file:
        logs = {
            log: group
            for log, group in file["entry/DASlogs"].items()
            if "value" in group and log not in ("proton_charge", "frequency")
        }
        assert got.keys() == logs.keys()
        for log, group in logs.items():
            begin = iso_ns(group["time"].attrs["start"].decode())
            assert [sample.value for sample in got[log]] == group["value"][()].tolist()
            seconds = group["time"][()].astype(float)
            assert [sample.time_ns for sample in got[log]] == [begin + round(s * 1e9) for s in seconds]
            assert {sample.unit for sample in got[log]} == {group["value"].attrs.get("units", b"").decode()}


def test_the_summary_of_it(name: str, facts):
    (run,) = summarise(open_recording(path_of(name))).runs
    assert (run.number, run.title, run.begins, run.ends) == (
        int(facts["run_number"]),
        facts["title"],
        True,
        True,
    )
    assert (run.n_events, run.n_pulses) == (facts["total_counts"], facts["proton_charge_series"]["n"])
    assert run.proton_charge_pc == facts["proton_charge_series"]["sum"]
    assert (run.n_disordered, run.n_repeated, run.n_unmapped, run.n_error_pixel) == (0, 0, 0, 0)
    assert not run.flags
