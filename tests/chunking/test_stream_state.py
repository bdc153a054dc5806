from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adara_support import (
    PULSE,
    START,
    annotation,
    banked,
    end_run,
    geometry,
    new_run,
    pulse_time,
    run_info,
    run_status,
    state,
)
from livered_core.adara import (
    UNMAPPED_BANK,
    AnnotationMarker,
    Device,
    DeviceDescriptor,
    Heartbeat,
    MultipleVariableDouble,
    MultipleVariableString,
    MultipleVariableU32,
    MultipleVariableU32Array,
    PixelMapping,
    PixelMappingAlt,
    ProcessVariable,
    PulseFlag,
    RunInfoPacket,
    RunStatusCode,
    UnknownPacket,
    VariableDouble,
    VariableDoubleArray,
    VariableU32,
    device_descriptor_xml,
)
from livered_core.chunking.builder import ChunkBuilder
from livered_core.chunking.counts import PLACES
from livered_core.chunking.items import (
    DataMissing,
    DefinitionSeen,
    LogSample,
    PixelMapSeen,
    Pulse,
    PulseLeftOut,
    Remark,
    Resumed,
    RunBegan,
    RunChanged,
    RunStopped,
)
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.stream_state import StreamState
from livered_core.model import NO_BANK, RunEndReason


def connected(**arguments):
    stream = StreamState("TST", PulseSelection(**arguments))
    stream.connection_opened()
    return stream


def feed(stream, *packets):
    return [item for packet in packets for item in stream.feed(packet)]


def story(items):
    """The items in a few words."""
    words = []
    for item in items:
        if isinstance(item, Pulse):
            words.append((item.time_ns - START) // PULSE)
        elif isinstance(item, RunBegan):
            words.append(f"began {item.run.number}" + (" joined" if item.missing else ""))
        elif isinstance(item, RunStopped):
            words.append(item.reason.value)
        elif isinstance(item, DataMissing):
            words.append("missing")
        elif not isinstance(item, (Resumed, PulseLeftOut)):
            words.append(type(item).__name__)
    return words


def adds_up(stream):
    counts = stream.counts.by_name()
    for what in ("pulses", "events"):
        assert counts[what] == sum(counts[f"{place}_{what}"] for place in PLACES), counts
    return True


def test_a_run_from_its_start_to_its_end():
    stream = connected()
    items = feed(stream, new_run(5), run_info(5), banked(0), banked(1), end_run(5), banked(2))
    assert story(items) == ["began 5", 0, 1, "ended"]
    began = items[0]
    assert (began.run.title, began.run.proposal, began.run.instrument) == ("diamond", "IPTS-1", "TST")
    assert began.run.start_ns == START
    np.testing.assert_array_equal(items[1].pixel_id, [1, 2])
    assert (items[1].proton_charge_pc, items[1].time_ns) == (100.0, START)
    assert stream.counts.between_runs_pulses == 1
    assert adds_up(stream)


def test_run_info_may_come_before_the_run_status_or_after_the_first_pulse():
    assert feed(connected(), run_info(5), new_run(5), banked(0))[0].run.title == "diamond"
    began, _, changed = feed(connected(), new_run(5), banked(0), run_info(5, "late"))
    assert began.run.title == ""
    assert isinstance(changed, RunChanged)
    assert changed.run.title == "late"


def test_run_info_of_another_run_is_not_taken_for_this_one():
    assert feed(connected(), run_info(4, "old"), new_run(5), banked(0))[0].run.title == ""


def test_file_rolls_are_not_the_end_of_a_run():
    rolls = [run_status(RunStatusCode.RUN_EOF, 5), run_status(RunStatusCode.RUN_BOF, 5), run_info(5)]
    assert story(feed(connected(), new_run(5), run_info(5), banked(0), *rolls, banked(1))) == [
        "began 5",
        0,
        1,
    ]


def test_a_value_with_status_1_is_not_a_new_run():
    value = VariableDouble(time_ns=START, device_id=1, variable_id=1, value=1.0)
    assert "began 5" not in story(feed(connected(), value, banked(0)))
    assert story(feed(connected(), new_run(5), banked(0), value, banked(1))) == ["began 5", 0, "LogSample", 1]


def test_joining_in_mid_run_is_said():
    assert story(feed(connected(), state(5), banked(0))) == ["began 5 joined", 0]


def test_history_that_begins_with_a_snapshot_and_then_the_start_is_complete():
    assert story(feed(connected(), state(5), new_run(5), banked(0))) == ["began 5", 0]


def test_consecutive_new_runs_end_the_first():
    items = feed(connected(), new_run(5), banked(0), new_run(6), banked(1))
    assert story(items) == ["began 5", 0, "replaced", "began 6", 1]


def test_a_repeated_new_run_changes_nothing():
    items = feed(connected(), new_run(5), banked(0), new_run(5), banked(1))
    assert story(items) == ["began 5", 0, 1]


def test_a_run_without_pulses_begins_and_ends():
    assert story(feed(connected(), new_run(5), end_run(5))) == ["began 5", "ended"]


def test_between_runs_nothing_is_handed_on():
    stream = connected()
    assert story(feed(stream, state(0), banked(0), banked(1))) == []
    assert (stream.counts.between_runs_pulses, stream.counts.between_runs_events) == (2, 4)
    assert adds_up(stream)


def test_a_run_that_is_over_is_not_taken_again():
    stream = connected()
    feed(stream, new_run(5), banked(0), end_run(5))
    stream.connection_opened()
    assert story(feed(stream, new_run(5), banked(0), banked(1), end_run(5), new_run(6), banked(2))) == [
        "Remark",
        "began 6",
        2,
    ]
    assert stream.counts.replayed_pulses == 2
    assert adds_up(stream)


def test_an_older_run_that_is_replayed_is_left_out_and_the_current_one_goes_on():
    stream = connected()
    feed(stream, new_run(5), banked(10))
    stream.connection_opened()
    replay = [new_run(4), banked(0), banked(1), end_run(4), new_run(5), banked(10), banked(11)]
    assert story(feed(stream, *replay)) == [11]
    assert adds_up(stream)


def test_after_a_lost_connection_pulses_are_taken_once():
    stream = connected()
    feed(stream, new_run(5), banked(0), banked(1))
    stream.connection_opened()
    assert story(feed(stream, new_run(5), banked(0), banked(1), banked(2))) == [2]
    assert (stream.counts.reduced_pulses, stream.counts.replayed_pulses) == (3, 2)
    assert adds_up(stream)


def test_a_gap_after_a_lost_connection_is_said_once():
    stream = connected()
    feed(stream, new_run(5), banked(0))
    stream.connection_opened()
    assert story(feed(stream, state(5), banked(7), banked(8))) == ["missing", 7, 8]


@pytest.mark.parametrize("sign_of_life", [banked(9), Heartbeat(time_ns=pulse_time(9))])
def test_an_end_that_came_while_the_connection_was_lost_is_said(sign_of_life):
    stream = connected()
    feed(stream, new_run(5), banked(0))
    stream.connection_opened()
    assert story(feed(stream, state(0))) == []
    assert story(feed(stream, sign_of_life)) == ["missing", "ended"]
    assert stream.run is None
    assert adds_up(stream)


def test_the_prologue_of_an_older_file_does_not_end_the_run():
    stream = connected()
    feed(stream, new_run(5), banked(0), banked(1))
    stream.connection_opened()
    replay = [state(0), banked(-1), new_run(5), banked(0), banked(1), banked(2)]
    assert story(feed(stream, *replay)) == [2]
    assert stream.counts.between_runs_pulses == 0


def test_an_end_without_pulses_since_is_the_end_and_says_what_is_missing():
    for replay, told in (([banked(0)], ["ended"]), ([], ["missing", "ended"])):
        stream = connected()
        feed(stream, new_run(5), banked(0))
        stream.connection_opened()
        assert story(feed(stream, state(5), *replay, end_run(5))) == told


def test_a_run_without_a_pulse_is_taken_up_anew_after_a_lost_connection():
    stream = connected()
    feed(stream, new_run(5))
    stream.connection_opened()
    assert not stream.resumes
    assert story(feed(stream, state(5), banked(0))) == ["began 5 joined", 0]


def test_what_is_missing_is_said_after_the_run_began():
    stream = connected()
    feed(stream, new_run(5), banked(0), end_run(5), new_run(6))
    stream.connection_opened()
    assert story(feed(stream, new_run(6), banked(9), state(0))) == ["began 6", 9, "missing", "ended"]


def test_a_smaller_run_number_is_a_run_like_any_other():
    stream = connected()
    assert story(feed(stream, new_run(999), banked(0), end_run(999), new_run(7), banked(1))) == [
        "began 999",
        0,
        "ended",
        "began 7",
        1,
    ]


def test_run_0_is_no_run():
    stream = connected()
    assert story(feed(stream, new_run(0), banked(0))) == ["Remark"]
    assert stream.counts.between_runs_pulses == 1


def test_a_pulse_from_the_future_costs_no_other_pulse():
    stream = connected()
    future = 10**9
    feed(stream, new_run(5), banked(0), banked(future), banked(1))
    assert stream.last_pulse_ns == pulse_time(1)
    stream.connection_opened()
    assert story(feed(stream, new_run(5), banked(0), banked(future), banked(1), banked(2))) == [2]
    assert adds_up(stream)


def test_a_clock_that_was_set_is_believed_at_the_second_pulse():
    stream = connected()
    far = 10**9
    feed(stream, new_run(5), banked(0), banked(far), banked(far + 1))
    assert stream.last_pulse_ns == pulse_time(far + 1)


def test_a_pause_in_the_replay_of_an_older_run_does_not_pause_this_one():
    stream = connected()
    feed(stream, new_run(5), banked(10))
    stream.connection_opened()
    pause = annotation(AnnotationMarker.PAUSE)
    assert story(feed(stream, new_run(4), pause, banked(0), new_run(5), banked(10), banked(11))) == [11]


def test_what_is_remembered_of_runs_is_bounded():
    stream = connected()
    for number in range(1, 3000):
        feed(stream, run_info(number), new_run(number), end_run(number))
    assert len(stream._over) == len(stream._descriptions._details) == 1000


def test_a_new_run_that_began_while_the_connection_was_lost_ends_the_old_one_incomplete():
    stream = connected()
    feed(stream, new_run(5), banked(0))
    stream.connection_opened()
    assert story(feed(stream, state(6), banked(9))) == ["missing", "replaced", "began 6 joined", 9]


def test_repeated_pulses_are_dropped_unless_the_server_says_they_are_distinct():
    stream = connected()
    feed(stream, new_run(5), banked(0), banked(1))
    assert story(feed(stream, banked(1), banked(0))) == []
    assert story(feed(stream, banked(1, flags=PulseFlag.DUPLICATE_PULSE))) == [1]
    assert stream.counts.replayed_pulses == 2


def test_pulses_out_of_order_are_taken():
    assert story(feed(connected(), new_run(5), banked(1), banked(0), banked(2))) == ["began 5", 1, 0, 2]


def test_paused_pulses_are_left_out_and_counted():
    stream = connected()
    pause, resume = annotation(AnnotationMarker.PAUSE), annotation(AnnotationMarker.RESUME)
    items = feed(stream, new_run(5), banked(0), pause, banked(1), resume, banked(2))
    assert story(items) == ["began 5", 0, 2]
    assert (stream.counts.paused_pulses, stream.counts.paused_events) == (1, 2)
    assert adds_up(stream)


def test_a_pause_does_not_outlive_its_run():
    stream = connected()
    pause = annotation(AnnotationMarker.PAUSE)
    assert story(feed(stream, new_run(5), pause, end_run(5), new_run(6), banked(0)))[-1] == 0


@pytest.mark.parametrize("paused", [True, False])
def test_after_a_lost_connection_the_server_says_whether_the_run_is_paused(paused):
    stream = connected()
    feed(stream, new_run(5), banked(0), annotation(AnnotationMarker.PAUSE), banked(1))
    stream.connection_opened()
    status = attrs.evolve(state(5), paused=paused)
    assert story(feed(stream, status, banked(1), banked(2))) == ([] if paused else [2])
    assert stream.counts.paused_pulses == (2 if paused else 1)


def test_an_old_server_does_not_say_so_and_the_pause_goes_on():
    stream = connected()
    feed(stream, new_run(5), banked(0), annotation(AnnotationMarker.PAUSE), banked(1))
    stream.connection_opened()
    assert story(feed(stream, attrs.evolve(state(5), version=0), banked(1), banked(2))) == []
    assert stream.paused


def test_data_before_the_time_asked_for_are_left_out_and_said():
    stream = connected(not_before_ns=pulse_time(2))
    items = feed(stream, new_run(5), banked(0), banked(1), banked(2), banked(3))
    assert story(items) == ["began 5 joined", 2, 3]
    assert stream.counts.early_pulses == 2
    assert adds_up(stream)


def test_error_and_unmapped_pixels_are_counted_not_reduced():
    stream = connected()
    (_, pulse) = feed(stream, new_run(5), banked(0, pixels=[7, 8, 9], bank_id=UNMAPPED_BANK))
    assert len(pulse.tof) == 0
    assert stream.counts.unmapped_events == 3
    assert adds_up(stream)


def test_the_definition_is_given_once_until_it_changes():
    items = feed(connected(), geometry("<a/>"), geometry("<a/>"), geometry("<b/>"))
    assert [item.definition.xml for item in items if isinstance(item, DefinitionSeen)] == ["<a/>", "<b/>"]


def test_unknown_packets_and_heartbeats_are_counted_and_pass():
    stream = connected()
    unknown = UnknownPacket(time_ns=START, type=0x7777, version=1, payload=b"")
    (remark,) = feed(stream, unknown, Heartbeat(time_ns=START), unknown)
    assert remark.sentence.startswith("Packets unknown (0x7777) version 1 are not known")
    assert (stream.counts.packets, stream.counts.unknown_packets) == (3, 2)


def test_a_kind_of_event_packet_that_is_not_known_makes_the_run_incomplete():
    stream = connected()
    newer = UnknownPacket(time_ns=START, type=0x4000, version=9, payload=b"")
    assert story(feed(stream, new_run(5), banked(0), newer, newer)) == ["began 5", 0, "Remark", "missing"]


def test_a_description_that_cannot_be_read_is_said_and_the_stream_goes_on():
    stream = connected()
    broken = RunInfoPacket(time_ns=START, xml="<runinfo")
    items = feed(stream, new_run(5), broken, banked(0))
    assert story(items) == ["Remark", "began 5", 0]
    assert isinstance(items[0], Remark)
    assert "run info" in items[0].sentence
    assert stream.counts.unreadable_packets == 1


def _device():
    variables = {
        1: ProcessVariable("temperature", "double", "K"),
        2: ProcessVariable("shutter", "shutter_states"),
    }
    device = Device("sample environment", variables, {"shutter_states": {0: "closed", 1: "open"}})
    return DeviceDescriptor(time_ns=START, device_id=7, xml=device_descriptor_xml(device))


def test_values_get_the_names_units_and_times_they_have():
    old = START - 90 * 86_400 * 10**9
    items = feed(
        connected(),
        _device(),
        VariableDouble(time_ns=old, device_id=7, variable_id=1, value=300.5),
        VariableU32(time_ns=START, device_id=7, variable_id=2, value=1),
        VariableU32(time_ns=START, device_id=7, variable_id=2, value=9),
        VariableU32(time_ns=START, device_id=8, variable_id=3, value=4),
    )
    assert items == [
        LogSample("temperature", "sample environment", "K", old, 300.5),
        LogSample("shutter", "sample environment", "", START, "open"),
        LogSample("shutter", "sample environment", "", START, "9"),
        LogSample("device 8 variable 3", "", "", START, 4),
    ]


@st.composite
def days(draw):
    """What a server has to tell of some runs, in order, and where the connection is lost."""
    packets, index = [], 0
    for number in range(1, draw(st.integers(1, 4)) + 1):
        packets.append(new_run(number))
        for _ in range(draw(st.integers(0, 4))):
            packets.append(banked(index, pixels=[number]))
            index += 1
        if draw(st.booleans()):
            packets.append(end_run(number))
            for _ in range(draw(st.integers(0, 2))):
                packets.append(banked(index, pixels=[0]))
                index += 1
    losses = draw(st.lists(st.tuples(st.integers(0, len(packets)), st.integers(0, len(packets))), max_size=4))
    return packets, sorted(losses)


@given(days())
def test_every_pulse_comes_once_and_to_its_own_run_however_often_the_connection_is_lost(day):
    packets, losses = day
    stream = connected()
    items, sent = [], 0
    for lost_at, replay_from in [*losses, (len(packets), 0)]:
        if lost_at < sent:
            continue
        for packet in packets[sent:lost_at]:
            items += stream.feed(packet)
        stream.connection_opened()
        # The server begins at a place of its own: with what it had to say last of runs before that place.
        begin = min(replay_from, lost_at)
        said = [packet for packet in packets[:begin] if not hasattr(packet, "tof")]
        if said:
            over = said[-1].status is RunStatusCode.END_RUN
            items += stream.feed(state(0 if over else said[-1].run_number))
        for packet in packets[begin:lost_at]:
            items += stream.feed(packet)
        sent = lost_at
    assert adds_up(stream)
    running, taken = None, []
    for item in items:
        if isinstance(item, RunBegan):
            running = item.run.number
        elif isinstance(item, RunStopped):
            running = None
        elif isinstance(item, Pulse):
            assert item.pixel_id.tolist() == [running]
            taken.append(item.time_ns)
    assert taken == [p.time_ns for p in packets if hasattr(p, "tof") and p.pixel_id[0] != 0]


_PACKETS = st.one_of(
    st.builds(banked, st.integers(0, 30)),
    st.builds(new_run, st.integers(1, 4)),
    st.builds(end_run, st.integers(1, 4)),
    st.builds(state, st.integers(0, 4)),
    st.builds(annotation, st.sampled_from([AnnotationMarker.PAUSE, AnnotationMarker.RESUME])),
    st.just("reconnect"),
)


@given(st.lists(_PACKETS, max_size=60))
def test_whatever_comes_the_counts_add_up_and_runs_are_well_formed(packets):
    stream = connected()
    items = []
    for packet in packets:
        if packet == "reconnect":
            stream.connection_opened()
        else:
            items += stream.feed(packet)
    assert adds_up(stream)
    running, seen = None, set()
    for item in items:
        if isinstance(item, RunBegan):
            assert running is None
            assert item.run.number not in seen
            running = item.run.number
            seen.add(running)
        elif isinstance(item, RunStopped):
            assert running is not None
            assert item.reason in (RunEndReason.ENDED, RunEndReason.REPLACED)
            running = None
        elif isinstance(item, Pulse):
            assert running is not None
    assert sum(isinstance(item, Pulse) for item in items) == stream.counts.reduced_pulses


@given(st.lists(st.integers(0, 40), max_size=6, unique=True).map(sorted), st.integers(1, 40))
def test_any_number_of_lost_connections_leaves_the_counts_of_an_undisturbed_run(cuts, n_pulses):
    stream = connected()
    pulses = [banked(index) for index in range(n_pulses)]
    taken = feed(stream, new_run(5))
    position = 0
    for cut in [*cuts, n_pulses]:
        stop = min(cut, n_pulses)
        # The server replays from the start of the run each time.
        taken += feed(stream, new_run(5), *pulses[:stop] if position else pulses[position:stop])
        position = stop
        stream.connection_opened()
    taken += feed(stream, new_run(5), *pulses, end_run(5))
    assert story(taken) == ["began 5", *range(n_pulses), "ended"]


def described(kind, **fields):
    xml = device_descriptor_xml(
        Device(
            name="furnace",
            variables={3: ProcessVariable("profile", "double", "K"), 4: ProcessVariable("shutter", "mode")},
            enumerations={"mode": {0: "closed", 1: "open"}},
        )
    )
    descriptor = DeviceDescriptor(time_ns=START, device_id=7, xml=xml)
    return feed(connected(), descriptor, kind(time_ns=START, device_id=7, **fields))


def test_several_values_have_the_time_each_of_them_has():
    times = START + np.array([0, 40, 4_000_000_000], np.int64)
    samples = described(
        MultipleVariableU32, variable_id=4, value_time_ns=times, value=np.array([1, 0, 9], np.uint32)
    )
    assert samples == [
        LogSample("shutter", "furnace", "", time_ns, value)
        for time_ns, value in zip(times.tolist(), ["open", "closed", "9"], strict=True)
    ]
    (first, second) = described(
        MultipleVariableDouble, variable_id=3, value_time_ns=times[:2], value=np.array([1.5, 2.5])
    )
    assert (first.value, second.value, second.time_ns, second.unit) == (1.5, 2.5, START + 40, "K")
    (text,) = described(MultipleVariableString, variable_id=3, value_time_ns=times[2:], value=("x",))
    assert (text.value, text.time_ns) == ("x", START + 4_000_000_000)


def test_arrays_are_logs_of_arrays():
    (sample,) = described(VariableDoubleArray, variable_id=3, value=np.array([1.0, 2.0]))
    np.testing.assert_array_equal(sample.value, [1.0, 2.0])
    two = described(
        MultipleVariableU32Array,
        variable_id=3,
        value_time_ns=START + np.array([1, 2], np.int64),
        value_offset=np.array([0, 1, 3], np.int64),
        value=np.array([7, 8, 9], np.uint32),
    )
    assert [(item.time_ns - START, item.value.tolist()) for item in two] == [(1, [7.0]), (2, [8.0, 9.0])]
    assert (
        described(
            MultipleVariableU32Array,
            variable_id=3,
            value_time_ns=np.empty(0, np.int64),
            value_offset=np.zeros(1, np.int64),
            value=np.empty(0, np.uint32),
        )
        == []
    )


def test_a_chunk_holds_arrays_as_they_came():
    builder = ChunkBuilder()
    for time_ns, value in ((1, [1.0, 2.0]), (2, [3.0, 4.0])):
        builder.add_log(LogSample("profile", "furnace", "K", time_ns, np.array(value)))
    log = builder.close().logs["profile"]
    assert [row.tolist() for row in log.value] == [[1.0, 2.0], [3.0, 4.0]]
    np.testing.assert_array_equal(log.last, [3.0, 4.0])


def test_more_devices_than_any_beamline_has_take_no_memory(monkeypatch):
    monkeypatch.setattr("livered_core.chunking.slow_logs.MOST_DEVICES", 5)
    stream = connected()
    packets = [
        DeviceDescriptor(
            time_ns=START, device_id=number, xml=device_descriptor_xml(Device(name=f"d{number}"))
        )
        for number in range(8)
    ]
    remarks = feed(stream, *packets, packets[0])
    assert len(remarks) == 3
    assert "describes more than 5 devices" in remarks[0].sentence
    assert stream.counts.unreadable_packets == 3


@pytest.mark.parametrize("kind", [PixelMapping, PixelMappingAlt])
def test_the_pixel_map_is_given_once_until_it_changes_and_knows_banks(kind):
    def packet(*banks):
        columns = {
            "physical_id": np.arange(len(banks), dtype=np.uint32),
            "logical_id": np.array([30, 10, 20, 10][: len(banks)], np.uint32),
            "bank_id": np.array(banks, np.uint32),
        }
        return kind(time_ns=START, **columns, **({"n_banks": 3} if kind is PixelMappingAlt else {}))

    stream = connected()
    items = feed(stream, packet(3, 1, 2, 1), packet(3, 1, 2, 1), packet(4, 1, 2, 1))
    first, second = (item.pixel_map for item in items if isinstance(item, PixelMapSeen))
    np.testing.assert_array_equal(
        first.bank_of(np.array([10, 20, 30, 5, 99], np.uint32)), [1, 2, 3, NO_BANK, NO_BANK]
    )
    assert second.bank_of(np.array([30], np.uint32)).tolist() == [4]
