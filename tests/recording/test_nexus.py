from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livered_core.adara import (
    ERROR_PIXELS_BANK,
    UNMAPPED_BANK,
    Annotation,
    AnnotationMarker,
    BankedEvents,
    BankedStateEvents,
    BeamlineInfo,
    BeamMonitorEvents,
    DeviceDescriptor,
    Geometry,
    PulseFlag,
    Rtdl,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    VariableDouble,
    VariableDoubleArray,
    VariableString,
    VariableU32,
    read_device,
    read_run_info,
)
from livered_core.chunking.items import LogSample
from livered_core.chunking.slow_logs import SlowLogDecoder
from livered_core.errors import BackendUnavailable, ConfigError
from livered_core.recording import NexusRecording, nexus_events, open_recording
from livered_core.recording.nexus_pulses import unite
from livered_core.recording.nexus_times import iso_ns
from livered_core.simulator.replay import replayed
from nexus_support import (
    BEGIN,
    OFFSET,
    add_bank,
    add_log,
    add_times,
    events_of,
    of_type,
    packets,
    pulse_times,
    write_nexus,
)

PULSES = [[(1, 100), (2, 200)], [], [(3, 300)], [(4, 166_667)]]
OTHER = [[], [(1001, 5)], [(1002, 6), (1002, 6), (0, 0)], []]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "NOM_1234.nxs.h5"


def changed(path: Path, change) -> None:
    with h5py.File(path, "a") as file:
        change(file["entry"])


def samples(path: Path) -> list[LogSample]:
    decoder = SlowLogDecoder()
    return [sample for packet in packets(path) for sample in decoder.feed(packet)]


# What goes through.


def test_events_of_all_banks_come_with_their_pulse_charge_and_time(path: Path):
    times = write_nexus(path, {"bank1_events": PULSES, "bank20_events": OTHER}, [100, 0, 18_806_490, 10])
    pulses = of_type(packets(path), BankedEvents)
    assert [pulse.time_ns for pulse in pulses] == times
    assert [pulse.proton_charge_pc for pulse in pulses] == [100, 0, 18_806_490, 10]
    assert [events_of(pulse) for pulse in pulses] == [
        {1: PULSES[0]},
        {20: OTHER[1]},
        {1: PULSES[2], 20: OTHER[2]},
        {1: PULSES[3]},
    ]


def test_the_order_is_that_of_a_stream(path: Path):
    write_nexus(path, {"bank1_events": PULSES}, [1e7] * 4)
    changed(
        path, lambda entry: entry.create_dataset("instrument/instrument_xml/data", data=[b"<instrument/>"])
    )
    sent = packets(path)
    statuses = of_type(sent, RunStatus)
    assert [status.status for status in statuses] == [RunStatusCode.NEW_RUN, RunStatusCode.END_RUN]
    assert {(status.run_number, status.run_start_ns) for status in statuses} == {(1234, BEGIN - 500)}
    assert sent[-1] is statuses[1]
    assert sent[-1].time_ns == iso_ns("2020-03-01T12:10:00Z")
    details = read_run_info(of_type(sent, RunInfoPacket)[0].xml)
    assert (details.run_number, details.title, details.proposal_id) == (1234, "diamond & more", "IPTS-77")
    assert of_type(sent, Geometry)[0].xml == "<instrument/>"
    paced = of_type(sent, Rtdl, BankedEvents)
    assert [type(packet) for packet in paced] == [Rtdl, BankedEvents] * 4
    assert [packet.proton_charge_pc for packet in paced[::2]] == [0, 10**7, 10**7, 10**7]


def test_beamline_and_sample_are_told(path: Path):
    write_nexus(path, {"bank1_events": PULSES})

    def change(entry):
        entry["instrument/beamline"] = np.array([b"1B"])
        entry["instrument/name"] = np.array([b"NOMAD"])
        entry["instrument/name"].attrs["short_name"] = "NOM"
        entry["sample/chemical_formula"] = np.array([b"C"])
        entry["sample/mass"] = np.array([1.5])
        entry["sample/array"] = np.zeros(3)

    changed(path, change)
    (beamline,) = of_type(packets(path), BeamlineInfo)
    assert (beamline.beamline_id, beamline.short_name, beamline.long_name) == ("1B", "NOM", "NOMAD")
    details = read_run_info(of_type(packets(path), RunInfoPacket)[0].xml)
    assert details.sample == {"chemical_formula": "C", "mass": "1.5"}
    assert details.instrument == "NOM"


def test_position_and_size_count_pulses_and_blocks_keep_their_size(path: Path):
    write_nexus(path, {"bank1_events": PULSES * 50})
    recording = open_recording(path)
    assert isinstance(recording, NexusRecording)
    assert (recording.size, recording.name) == (200, str(path))
    blocks = list(recording.blocks(1000))
    assert max(len(block.data) for block in blocks) <= 1000
    assert [block.opens_connection for block in blocks] == [True] + [False] * (len(blocks) - 1)
    assert blocks[-1].position == 200
    assert [block.position for block in blocks] == sorted(block.position for block in blocks)
    assert b"".join(block.data for block in blocks) == b"".join(block.data for block in recording.blocks())


def test_few_events_at_a_time_make_the_same_stream(path: Path, monkeypatch):
    write_nexus(path, {"bank1_events": PULSES * 50, "bank2_events": OTHER * 50}, [10] * 200)
    whole = b"".join(block.data for block in open_recording(path).blocks())
    monkeypatch.setattr(nexus_events, "MOST_EVENTS", 3)
    monkeypatch.setattr(nexus_events, "_RANGES_AT_A_TIME", 14)
    assert b"".join(block.data for block in open_recording(path).blocks()) == whole


def test_pulses_without_events_and_pulses_without_charge_are_both_sent(path: Path):
    times = write_nexus(path, {"bank1_events": PULSES}, [10, 20, 30, 40])
    own = [times[2] + 40, times[3] + 5_000_000]  # the first differs by rounding

    def change(entry):
        add_bank(entry, "bank2_events", [[(7, 7)], [(8, 8)]], add_times(entry, "own", own))

    changed(path, change)
    pulses = of_type(packets(path), BankedEvents)
    assert [(pulse.time_ns, pulse.proton_charge_pc) for pulse in pulses] == [
        *zip(times, [10, 20, 30, 40], strict=True),
        (own[1], 0),
    ]
    assert events_of(pulses[2]) == {1: PULSES[2], 2: [(7, 7)]}
    assert events_of(pulses[4]) == {2: [(8, 8)]}


def test_distinct_pulses_of_one_time_stay_two(path: Path):
    times = pulse_times(4)
    times[2] = times[1]
    write_nexus(path, {"bank1_events": PULSES}, [10, 20, 30, 40], times)
    pulses = of_type(packets(path), BankedEvents)
    assert [pulse.proton_charge_pc for pulse in pulses] == [10, 20, 30, 40]
    assert [pulse.flags for pulse in pulses] == [0, 0, PulseFlag.DUPLICATE_PULSE, 0]
    assert [pulse.pixel_id.tolist() for pulse in pulses] == [[1, 2], [], [3], [4]]


def test_pulses_that_are_not_in_order_are_put_in_order(path: Path):
    times = pulse_times(4)
    write_nexus(path, {"bank1_events": PULSES}, [10, 20, 30, 40], [times[i] for i in (3, 0, 2, 1)])
    pulses = of_type(packets(path), BankedEvents)
    assert [pulse.time_ns for pulse in pulses] == times
    assert [pulse.proton_charge_pc for pulse in pulses] == [20, 40, 30, 10]
    assert [events_of(pulse).get(1, []) for pulse in pulses] == [PULSES[1], PULSES[3], PULSES[2], PULSES[0]]


def test_error_and_unmapped_events_and_banks_of_other_names(path: Path):
    write_nexus(
        path,
        {
            "bank_error_events": [[(0x8000_0001, 1)]],
            "bank_unmapped_events": [[(2, 2)]],
            "bank7_events": [[(3, 3)]],
            "detector_1_events": [[(4, 4)]],
        },
    )
    (pulse,) = of_type(packets(path), BankedEvents)
    assert events_of(pulse) == {
        7: [(3, 3)],
        8: [(4, 4)],
        ERROR_PIXELS_BANK: [(0x8000_0001, 1)],
        UNMAPPED_BANK: [(2, 2)],
    }


def test_a_second_name_of_a_bank_or_of_the_entry_is_the_same(path: Path):
    write_nexus(path, {"bank1_events": PULSES})

    def change(entry):
        entry["detector_events"] = h5py.SoftLink("bank1_events")
        entry.file["entry_too"] = entry

    changed(path, change)
    assert sum(len(pulse.tof) for pulse in of_type(packets(path), BankedEvents)) == 4


def test_states_of_banks(path: Path):
    write_nexus(path, {"bank1_events": [[(1, 1)], []], "bank1_state2_events": [[(1, 2)], []]})
    pulses = of_type(packets(path), BankedEvents)
    assert {type(pulse) for pulse in pulses} == {BankedStateEvents}
    assert (pulses[0].bank_id.tolist(), pulses[0].bank_state.tolist()) == ([1, 1], [0, 2])
    assert all(pulse.flags & PulseFlag.HAS_STATES for pulse in pulses)


def test_monitor_events(path: Path):
    write_nexus(
        path, {"bank1_events": PULSES, "monitor3": [[(0, 5)], [], [(0, 6), (0, 2_000_000)], []]}, [10] * 4
    )
    monitors = of_type(packets(path), BeamMonitorEvents)
    assert [(packet.tof.tolist(), packet.proton_charge_pc) for packet in monitors] == [
        ([5], 10),
        ([], 10),
        ([6, 2_000_000], 10),
        ([], 10),
    ]
    assert all(packet.monitor_id.tolist() == [3] for packet in monitors)
    assert sum(len(pulse.tof) for pulse in of_type(packets(path), BankedEvents)) == 4


def test_an_empty_bank_with_a_placeholder_has_no_event(path: Path):
    write_nexus(path, {"bank1_events": PULSES})

    def change(entry):
        add_bank(entry, "bank2_events", [[(0, 0)]], None)
        entry["bank2_events/event_time_zero"] = np.zeros(1)

    changed(path, change)
    assert sum(len(pulse.tof) for pulse in of_type(packets(path), BankedEvents)) == 4


def test_a_run_of_one_pulse_with_a_real_event_of_zeros(path: Path):
    write_nexus(path, {"bank1_events": [[(0, 0)]]})
    (pulse,) = of_type(packets(path), BankedEvents)
    assert events_of(pulse) == {1: [(0, 0)]}


@pytest.mark.parametrize("kind", ["u8", "i8"])
def test_an_index_may_say_that_no_events_follow_or_end_early(path: Path, kind: str):
    write_nexus(path, {"bank1_events": PULSES, "bank2_events": OTHER})

    def change(entry):
        for name, index in (("bank1_events", [0, 2, 2, -1]), ("bank2_events", [0, 0, 1])):
            del entry[name]["event_index"]
            entry[name]["event_index"] = np.array(index, np.int64).astype(kind)

    changed(path, change)
    pulses = of_type(packets(path), BankedEvents)
    assert [len(pulse.tof) for pulse in pulses] == [2, 1, 5, 0]
    assert events_of(pulses[2])[1] == [(3, 300), (4, 166_667)]


def test_charges_that_are_no_multiples_of_10_keep_their_sum(path: Path):
    charges = [14.0, 14.0, 14.0, 3.0]
    write_nexus(path, {"bank1_events": PULSES}, charges)
    sent = [pulse.proton_charge_pc for pulse in of_type(packets(path), BankedEvents)]
    assert sent == [10, 20, 10, 0]
    for n in range(1, 5):
        assert abs(sum(sent[:n]) - sum(charges[:n])) <= 5


def test_a_charge_that_is_too_large_for_the_accelerator_s_packet_is_in_that_of_the_events(path: Path):
    write_nexus(path, {"bank1_events": PULSES}, [0, 10 << 24, 0, 0])
    sent = packets(path)
    assert [pulse.proton_charge_pc for pulse in of_type(sent, BankedEvents)] == [0, 10 << 24, 0, 0]
    assert of_type(sent, Rtdl)[2].proton_charge_pc == 10 * ((1 << 24) - 1)


def test_flags_and_vetoes_come_with_their_pulses(path: Path):
    times = write_nexus(path, {"bank1_events": PULSES}, [10] * 4)

    def change(entry):
        add_times(entry, "DASlogs/Veto_pulse/veto_pulse_time", [times[1]], "start")
        add_times(entry, "DASlogs/pulse_flags/time", [times[1], times[3]], "start")
        entry["DASlogs/pulse_flags/value"] = np.array([PulseFlag.PARTIAL_DATA, PulseFlag.GOT_NEUTRONS], "u4")

    changed(path, change)
    flags = [pulse.flags for pulse in of_type(packets(path), BankedEvents)]
    assert flags == [0, PulseFlag.PULSE_VETO | PulseFlag.PARTIAL_DATA, 0, PulseFlag.GOT_NEUTRONS]


def test_the_placeholder_for_no_veto_is_none(path: Path):
    write_nexus(path, {"bank1_events": PULSES}, [10] * 4)
    changed(path, lambda entry: entry.create_dataset("DASlogs/Veto_pulse/veto_pulse_time", data=[0.0]))
    assert {pulse.flags for pulse in of_type(packets(path), BankedEvents)} == {0}


def test_logs_keep_names_units_types_and_times(path: Path):
    times = write_nexus(path, {"bank1_events": PULSES})
    early = BEGIN - 40 * 86_400 * 10**9

    def change(entry):
        add_log(entry, "Temp", [early, times[1] + 1], np.array([20.5, np.nan]), "K", device_name="SE")
        add_log(entry, "Count", [times[2]], np.array([7], "u4"), device_name="SE")
        add_log(entry, "Signed", [times[2]], np.array([-7], "i4"))
        add_log(entry, "Zones", [times[3]], np.array([[1.0, 2.0]]))
        characters = np.array([list(b"in   "), list(b"out\0\0")], "u1").view("S1")
        add_log(entry, "Text", [times[0], times[3] + 9], characters)
        state = add_log(
            entry, "BL1:Shutter", [times[0]], np.array([1], "u4"), target="/entry/DASlogs/BL1:Shutter"
        )
        entry["DASlogs/Shutter"] = state
        entry["DASlogs/Device1:Enum:states/values"] = np.array([0, 1], "u4")
        entry["DASlogs/Device1:Enum:states/names"] = np.array([b"Closed", b"Open"])
        state["enum"] = h5py.SoftLink("/entry/DASlogs/Device1:Enum:states")

    changed(path, change)
    sent = packets(path)
    got = {
        (sample.name, sample.device, sample.unit, sample.time_ns): sample.value for sample in samples(path)
    }
    assert np.isnan(got.pop(("Temp", "SE", "K", times[1] + 1)))
    assert got.pop(("Zones", "DASlogs", "", times[3])).tolist() == [1.0, 2.0]
    assert got == {
        ("Temp", "SE", "K", early): 20.5,
        ("Count", "SE", "", times[2]): 7,
        ("Signed", "DASlogs", "", times[2]): -7.0,
        ("Text", "DASlogs", "", times[0]): "in",
        ("Text", "DASlogs", "", times[3] + 9): "out",
        ("Shutter", "DASlogs", "", times[0]): "Open",
    }
    devices = [read_device(packet.xml) for packet in of_type(sent, DeviceDescriptor)]
    variables = {variable.name: variable for device in devices for variable in device.variables.values()}
    assert variables["Shutter"].connection == "BL1:Shutter"
    assert variables["Count"].type == "unsigned integer"
    kinds = (VariableU32, VariableDouble, VariableString, VariableDoubleArray)
    of_logs = [(type(packet).__name__, packet.time_ns) for packet in of_type(sent, BankedEvents, *kinds)]
    # Each at its time, among the pulses; what is older comes first, what is later last.
    assert of_logs == [
        ("VariableDouble", early),
        ("VariableU32", times[0]),
        ("VariableString", times[0]),
        ("BankedEvents", times[0]),
        ("BankedEvents", times[1]),
        ("VariableDouble", times[1] + 1),
        ("VariableU32", times[2]),
        ("VariableDouble", times[2]),
        ("BankedEvents", times[2]),
        ("VariableDoubleArray", times[3]),
        ("BankedEvents", times[3]),
        ("VariableString", times[3] + 9),
    ]


def test_many_logs_are_several_descriptors(path: Path):
    times = write_nexus(path, {"bank1_events": PULSES})

    def change(entry):
        for i in range(250):
            add_log(entry, f"log{i}", [times[0]], np.array([float(i)]))

    changed(path, change)
    assert len(of_type(packets(path), DeviceDescriptor)) == 3
    assert {sample.name: sample.value for sample in samples(path)} == {
        f"log{i}": float(i) for i in range(250)
    }


@pytest.mark.parametrize(("n_times", "n_values"), [(1, 2), (2, 1)])
def test_a_value_without_a_time_is_left_out_and_said(path: Path, caplog, n_times: int, n_values: int):
    times = write_nexus(path, {"bank1_events": PULSES})
    changed(path, lambda entry: add_log(entry, "Temp", times[:n_times], np.arange(1.0, 1.0 + n_values)))
    assert [sample.value for sample in samples(path)] == [1.0]
    said = (
        f"of {n_values} values and {n_times} times in /entry/DASlogs/Temp, 1 that belong together are taken"
    )
    assert said in caplog.text


def test_pauses_scans_and_comments_are_annotations(path: Path):
    times = write_nexus(path, {"bank1_events": PULSES})

    def change(entry):
        add_log(entry, "pause", [BEGIN, times[1], times[3]], np.array([0, 1, 0], "u2"))
        add_log(entry, "scan_index", [BEGIN, times[1], times[2] + 1], np.array([0, 5, 0], "u4"))
        add_log(entry, "comments", [times[2]], np.array([b"well "]))

    changed(path, change)
    sent = packets(path)
    assert [
        (mark.marker, mark.scan_index, mark.comment, mark.time_ns) for mark in of_type(sent, Annotation)
    ] == [
        (AnnotationMarker.PAUSE, 0, "", times[1]),
        (AnnotationMarker.SCAN_START, 5, "", times[1]),
        (AnnotationMarker.GENERIC, 0, "well", times[2]),
        (AnnotationMarker.SCAN_STOP, 5, "", times[2] + 1),
        (AnnotationMarker.RESUME, 0, "", times[3]),
    ]
    places = [i for i, packet in enumerate(sent) if isinstance(packet, BankedEvents)]
    assert places[0] < sent.index(of_type(sent, Annotation)[0]) < places[1]
    assert not samples(path)


def test_offset_seconds_go_before_texts(path: Path):
    write_nexus(path, {"bank1_events": PULSES})

    def change(entry):
        attributes = entry["DASlogs/frequency/time"].attrs
        attributes["offset_seconds"] = np.uint32(1_000_000_000)
        attributes["offset_nanoseconds"] = np.uint32(123_456_789)

    changed(path, change)
    first = of_type(packets(path), BankedEvents)[0].time_ns
    assert first == (1_000_000_000 + 631_152_000) * 10**9 + 123_456_789


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00.5+01:00", 500_000_000),
        ("1969-12-31 19:00:00.123456789-0500", 123_456_789),
        ("1970-01-02T00:00:00", 86_400 * 10**9),
    ],
)
def test_iso_times(text: str, ns: int):
    assert iso_ns(text) == ns


@pytest.mark.parametrize("text", ["", "yesterday", "2020-13-01T00:00:00", "2020-01-01"])
def test_what_is_no_iso_time(text: str):
    with pytest.raises(ValueError, match=r"time|month"):
        iso_ns(text)


# Whatever is in a file.

_EVENTS = st.lists(
    st.lists(st.tuples(st.integers(0, 0xFFFF_FFFF), st.integers(0, 8_000_000)), max_size=5),
    min_size=4,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(
    banks=st.dictionaries(st.integers(0, 9), _EVENTS, min_size=1, max_size=4),
    own=st.lists(st.integers(0, 40), min_size=4, max_size=4, unique=True),
    charges=st.lists(st.integers(0, 4_000_000_000), min_size=4, max_size=4),
)
def test_whatever_is_in_a_file_comes_out_of_it(banks, own, charges):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.nxs"
        times = write_nexus(
            path, {f"bank{n}_events": events for n, events in banks.items()}, [10 * c for c in charges]
        )
        others = [BEGIN + 5_000_000 * step for step in own]
        changed(path, lambda entry: add_bank(entry, "bank99_events", PULSES, add_times(entry, "own", others)))
        expected: Counter[tuple[int, int, int, int]] = Counter()
        for number, events in {**banks, 99: PULSES}.items():
            for time, pulse in zip(others if number == 99 else times, events, strict=True):
                near = next((each for each in times if abs(each - time) <= 500_000), time)
                expected.update((near, number, pixel, tof) for pixel, tof in pulse)
        pulses = of_type(packets(path), BankedEvents)
    sent = Counter(
        (pulse.time_ns, bank, pixel, tof)
        for pulse in pulses
        for bank, events in events_of(pulse).items()
        for pixel, tof in events
    )
    assert sent == expected
    charge = {pulse.time_ns: pulse.proton_charge_pc for pulse in pulses}
    assert [charge[time] for time in times] == [10 * c for c in charges]
    assert sum(charge.values()) == 10 * sum(charges)
    assert [*charge] == sorted(charge)


@given(
    st.lists(
        st.lists(st.integers(0, 30).map(lambda step: step * 400_000), max_size=8).map(sorted),
        min_size=1,
        max_size=4,
    )
)
def test_no_list_of_pulses_loses_any(lists):
    clocks = [np.array(each, np.int64) for each in lists]
    united = unite(clocks)
    assert (np.diff(united.time_ns) >= 0).all()
    for clock, place in zip(clocks, united.places, strict=True):
        here = place >= 0
        assert sorted(place[here].tolist()) == list(range(len(clock)))
        assert (np.abs(united.time_ns[here] - clock[place[here]]) <= 500_000).all()


def test_pulses_of_one_list_are_not_made_one_by_rounding():
    united = unite([np.array([0]), np.array([-400_000, 300_000])])
    assert united.time_ns.tolist() == [0, 300_000]
    assert not united.repeated.any()


# What is refused.


def refused(path: Path, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        b"".join(block.data for block in open_recording(path).blocks())
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def _replace(name: str, values, **attributes):
    def change(entry):
        del entry[name]
        entry[name] = values
        entry[name].attrs.update(attributes)

    return change


def _link_out(entry):
    entry["DASlogs/out"] = h5py.ExternalLink("other.h5", "/entry")


def _link_out_of_bank(entry):
    del entry["bank1_events/event_id"]
    entry["bank1_events/event_id"] = h5py.ExternalLink("other.h5", "/x")


def _link_out_by_two(entry):
    entry["far"] = h5py.ExternalLink("other.h5", "/")
    entry["DASlogs/out"] = h5py.SoftLink("/entry/far/x")


def _links_in_circles(entry):
    entry["DASlogs/a"] = h5py.SoftLink("/entry/DASlogs/b")
    entry["DASlogs/b"] = h5py.SoftLink("/entry/DASlogs/a")


def _data_elsewhere(entry):
    del entry["bank1_events/event_id"]
    entry.create_dataset("bank1_events/event_id", shape=(4,), dtype="u4", external=[("/dev/zero", 0, 16)])


def _virtual(entry):
    layout = h5py.VirtualLayout(shape=(4,), dtype="u4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4,))
    del entry["bank1_events/event_id"]
    entry.create_virtual_dataset("bank1_events/event_id", layout)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            _replace("bank1_events/event_index", np.array([0, 3, 2, 4], "u8")),
            "event_index in bank1_events that goes back",
        ),
        (_replace("bank1_events/event_index", np.array([0, 2, 2, 5], "u8")), "beyond the 4 events"),
        (_replace("bank1_events/event_index", np.array([1, 2, 2, 3], "u8")), "before the first pulse"),
        (_replace("bank1_events/event_index", np.array([0] * 5, "u8")), "4 pulses and an event_index of 5"),
        (_replace("bank1_events/event_index", np.array([], "u8")), "an event_index of 0"),
        (_replace("bank1_events/event_index", np.array([0.5, 1, 2, 3])), "something unexpected"),
        (_replace("bank1_events/event_id", np.array([1, 2, 3], "u4")), "4 times of flight and 3 pixels"),
        (_replace("bank1_events/event_id", np.array([1, 2, 3, -4], "i8")), "that has no 32 bits"),
        (
            _replace("bank1_events/event_time_offset", np.array([1, 2, -3, 4], "f4")),
            "negative or beyond 429 s",
        ),
        (
            _replace("bank1_events/event_time_offset", np.array([1, 2, np.nan, 4], "f4")),
            "negative or beyond 429 s",
        ),
        (_replace("bank1_events/event_time_offset", np.ones(4), units="metre"), "in 'metre'"),
        (_replace("bank1_events/event_time_zero", np.full(4, np.nan)), "no times in seconds"),
        (_replace("bank1_events/event_time_zero", np.arange(4), offset="once"), "cannot be read"),
        (_replace("bank1_events/event_time_zero", np.arange(4), units="metre"), "no times in seconds"),
        (
            _replace("bank1_events/event_time_zero", np.arange(4), offset="1980-01-01T00:00:00Z"),
            "between 1990",
        ),
        (
            lambda entry: entry.create_dataset("bank1_events/event_weight", data=np.ones(4)),
            "events with weights",
        ),
        (_replace("DASlogs/proton_charge/value", np.ones(3)), "3 proton charges and 4 times"),
        (_replace("DASlogs/proton_charge/value", np.full(4, -1.0)), "a proton charge that is negative"),
        (
            _replace("DASlogs/proton_charge/value", np.full(4, np.nan)),
            "a proton charge that is negative, no number",
        ),
        (_replace("DASlogs/proton_charge/value", np.ones(4), units="uAh"), "proton charges in 'uah'"),
        (_replace("run_number", np.array([b"none"])), "no run number above 0"),
        (_replace("start_time", np.array([b"noon"])), "'noon' as start_time"),
        (_link_out, "a link to another file"),
        (_link_out_of_bank, "a link to another file"),
        (_link_out_by_two, "a link to another file"),
        (_links_in_circles, "links in circles"),
        (lambda entry: entry.create_group(b"\xb0C"), "a name in /entry that is not UTF-8"),
        (_data_elsewhere, "in another file: such data are not read"),
        (_virtual, "in another file: such data are not read"),
        (lambda entry: entry.__delitem__("bank1_events"), "no entry with events of banks"),
        (lambda entry: entry.file.copy(entry, "entry-On"), "several runs or states"),
        (lambda entry: add_bank(entry, "monitor2000", PULSES, None), "monitor of number 2000"),
        (
            lambda entry: add_bank(entry, "monitor2", [[(0, 1 << 21)]] * 4, None),
            "a tof has more than 21 bits",
        ),
        (
            lambda entry: entry.create_dataset(
                "DASlogs/x/value", shape=(1 << 30,), chunks=(1 << 28,), dtype="f8"
            ),
            "pieces of more than",
        ),
        (
            lambda entry: entry.create_dataset(
                "DASlogs/x/value", shape=(1 << 30,), chunks=(1 << 10,), dtype="f8"
            ),
            "more than 50000000 values",
        ),
        (
            lambda entry: entry.create_dataset(
                "instrument/instrument_xml/data", shape=(1,), dtype="S40000000"
            ),
            "texts of more than",
        ),
    ],
)
def test_what_is_damaged_or_hostile_is_refused_in_one_sentence(path: Path, change, sentence: str):
    write_nexus(path, {"bank1_events": PULSES}, [10] * 4)
    with h5py.File(path.with_name("other.h5"), "w") as other:
        other["x"] = np.arange(4, dtype="u4")
        other.create_group("entry")
    changed(path, change)
    refused(path, sentence)


def test_a_pulse_of_too_many_events_is_refused(path: Path, monkeypatch):
    write_nexus(path, {"bank1_events": PULSES})
    monkeypatch.setattr(nexus_events, "MOST_EVENTS_OF_PULSE", 1)
    refused(path, "a pulse of 2 events: a packet holds 1 at most")


def test_a_file_that_is_cut_off_is_refused(path: Path):
    write_nexus(path, {"bank1_events": PULSES})
    path.write_bytes(path.read_bytes()[:3000])
    refused(path, "cannot be opened")


def test_a_file_without_pulses_is_refused(path: Path):
    write_nexus(path, {"bank1_events": []}, [], [])
    refused(path, "holds no pulses")


def test_a_file_that_has_changed_is_refused(path: Path):
    write_nexus(path, {"bank1_events": PULSES})
    recording = open_recording(path)
    path.unlink()
    write_nexus(path, {"bank1_events": PULSES[:2]})
    with pytest.raises(ConfigError, match="has changed since it was opened"):
        list(recording.blocks())


def test_the_name_does_not_decide(tmp_path: Path):
    path = tmp_path / "run.adara"
    write_nexus(path, {"bank1_events": PULSES})
    assert isinstance(open_recording(path), NexusRecording)
    (tmp_path / "x.nxs").write_bytes(b"")
    with pytest.raises(ConfigError, match="empty"):
        open_recording(tmp_path / "x.nxs")


def test_without_h5py_it_is_said_what_to_install(path: Path, monkeypatch):
    write_nexus(path, {"bank1_events": PULSES})
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(BackendUnavailable, match=r"needs h5py: pip install 'livered-core\[native\]'"):
        open_recording(path)


def test_offset_is_what_it_says():
    assert iso_ns("2020-03-01T12:00:00.000000500Z") == BEGIN == iso_ns(OFFSET)


@pytest.mark.parametrize("shift_ns", [0, 86_400 * 10**9])
def test_a_replay_sends_all_of_it(path: Path, shift_ns: int):
    write_nexus(path, {"bank1_events": PULSES}, [10] * 4)
    sent = b""
    for emission in replayed(open_recording(path), shift_ns):
        if emission.idle:
            break
        sent += b"".join(bytes(part) for part in emission.parts)
    whole = b"".join(block.data for block in open_recording(path).blocks())
    assert len(sent) == len(whole)
    assert (sent == whole) == (shift_ns == 0)
