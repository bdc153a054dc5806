"""What holds for every packet: the way back, the stream, and what happens when bytes are lost or changed."""

import struct

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livered_core.adara import (
    PULSE_HEAD_SIZE,
    Annotation,
    AnnotationMarker,
    BankedEvents,
    BankedStateEvents,
    BankSet,
    BeamlineInfo,
    BeamMonitorConfig,
    BeamMonitorEvents,
    ClientHello,
    DataDone,
    DetectorBankSets,
    DeviceDescriptor,
    Framer,
    Geometry,
    Heartbeat,
    MappedEvents,
    MonitorConfig,
    MultipleVariableDouble,
    MultipleVariableDoubleArray,
    MultipleVariableString,
    MultipleVariableU32,
    MultipleVariableU32Array,
    PacketType,
    PixelMapping,
    PixelMappingAlt,
    RawEvents,
    RawPacket,
    Rtdl,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    SourceList,
    StartRequest,
    Sync,
    TransComplete,
    UnknownPacket,
    VariableDouble,
    VariableDoubleArray,
    VariableSeverity,
    VariableStatus,
    VariableString,
    VariableU32,
    VariableU32Array,
    count_events,
    decode,
    detector_events,
    encode,
    read_pulse,
    redated,
    renewed_head,
    renewed_rtdl,
    unix_ns,
)
from livered_core.errors import DataModelError, ProtocolError


def whole(width):
    return st.integers(0, 2**width - 1)


u32s = whole(32)
times = st.builds(unix_ns, u32s, st.integers(0, 999_999_999))
# What is no description has a time after there was beam, or the framing does not believe it.
pulse_times = st.builds(unix_ns, st.integers(100_000_000, 2**32 - 1), st.integers(0, 999_999_999))
texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)
short_texts = st.text(max_size=40).filter(lambda text: len(text.encode("utf-8", "replace")) < 256)


def columns(width, length):
    return st.lists(whole(width), min_size=length, max_size=length).map(lambda v: np.array(v, np.uint32))


def flags_column(length):
    return st.lists(st.booleans(), min_size=length, max_size=length).map(lambda v: np.array(v, np.bool_))


def offsets(counts):
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


@st.composite
def heads(draw, version):
    return {
        "time_ns": draw(times),
        "proton_charge_pc": 10 * draw(u32s),
        "energy_ev": draw(u32s),
        "cycle": draw(u32s),
        "veto": draw(whole(12)) if version else 0,
        "flags": draw(whole(20 if version else 32)),
        "version": version,
    }


def banks(length):
    """Banks, among them those of error pixels and of unmapped pixels."""
    numbers = st.one_of(whole(32), st.sampled_from([0xFFFFFFFE, 0xFFFFFFFF]))
    return st.lists(numbers, min_size=length, max_size=length).map(lambda v: np.array(v, np.uint32))


@st.composite
def banked(draw, version, states=False):
    banks_of_source = draw(st.lists(st.integers(0, 4), max_size=4))
    counts = draw(st.lists(st.integers(0, 5), min_size=sum(banks_of_source), max_size=sum(banks_of_source)))
    sources = len(banks_of_source)
    kind, more = BankedEvents, {}
    if states:
        kind, more = BankedStateEvents, {"bank_state": draw(columns(32, len(counts)))}
    return kind(
        **{**draw(heads(1 if states else version)), "version": version},
        **more,
        source_id=draw(columns(32, sources)),
        intrapulse_time=draw(columns(32, sources)),
        tof_offset=draw(columns(31, sources)),
        tof_corrected=draw(flags_column(sources)),
        n_banks=np.array(banks_of_source, np.int64),
        bank_id=draw(banks(len(counts))),
        bank_offset=offsets(counts),
        pixel_id=draw(columns(32, sum(counts))),
        tof=draw(columns(32, sum(counts))),
    )


@st.composite
def monitored(draw, version):
    counts = draw(st.lists(st.integers(0, 5), max_size=4))
    return BeamMonitorEvents(
        **draw(heads(version)),
        monitor_id=draw(columns(10, len(counts))),
        source_id=draw(columns(32, len(counts))),
        tof_offset=draw(columns(31, len(counts))),
        tof_corrected=draw(flags_column(len(counts))),
        event_offset=offsets(counts),
        tof=draw(columns(21, sum(counts))),
        event_cycle=draw(columns(10, sum(counts))),
        rising=draw(flags_column(sum(counts))),
    )


def rtdl(version):
    return st.builds(
        Rtdl,
        time_ns=pulse_times,
        proton_charge_pc=whole(24).map(lambda units: 10 * units),
        flavor=whole(3 if version else 8),
        data_flags=whole(5) if version else st.just(0),
        cycle=whole(10),
        timing_status=whole(8),
        veto=whole(12),
        bad_veto=st.booleans(),
        bad_cycle=st.booleans(),
        intrapulse_time=u32s,
        tof_offset=whole(31),
        tof_corrected=st.booleans(),
        ring_period_ps=whole(24),
        frame_number=columns(8, 25),
        frame_data=columns(24, 25),
        version=st.just(version),
    )


def variables(kind, values):
    return st.builds(
        kind,
        time_ns=times,
        device_id=u32s,
        variable_id=u32s,
        value=values,
        status=whole(16).map(VariableStatus),
        severity=whole(16).map(VariableSeverity),
    )


known_types = {(int(kind), version) for kind in PacketType for version in (0, 1)}

u32_columns = st.integers(0, 12).flatmap(lambda n: columns(32, n))


def double_column(length):
    return st.lists(st.floats(), min_size=length, max_size=length).map(lambda v: np.array(v, np.float64))


double_columns = st.integers(0, 8).flatmap(double_column)
names = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=15).filter(
    lambda text: len(text.encode()) < 16
)


@st.composite
def several(draw):
    """The head of a packet with several values, and how many there are."""
    time_ns = draw(times)
    after = draw(st.lists(u32s, max_size=6))
    head = {
        "time_ns": time_ns,
        "device_id": draw(u32s),
        "variable_id": draw(u32s),
        "value_time_ns": time_ns + np.array(after, np.int64),
        "status": draw(whole(16).map(VariableStatus)),
        "severity": draw(whole(16).map(VariableSeverity)),
    }
    return head, len(after)


@st.composite
def multiple(draw, kind, values):
    head, n = draw(several())
    return kind(value=draw(values(n)), **head)


@st.composite
def multiple_arrays(draw, kind, values):
    head, n = draw(several())
    counts = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    return kind(value=draw(values(sum(counts))), value_offset=offsets(counts), **head)


@st.composite
def detector_system(draw, kind, version):
    n = draw(st.integers(0, 6))
    return kind(
        time_ns=draw(pulse_times),
        source_id=draw(u32s),
        end_of_pulse=draw(st.booleans()),
        pulse_sequence=draw(whole(15)),
        source_sequence=draw(whole(16)),
        proton_charge_pc=10 * draw(whole(24)),
        flavor=draw(whole(3 if version else 8)),
        data_flags=draw(whole(5)) if version else 0,
        cycle=draw(whole(10)),
        timing_status=draw(whole(8)),
        veto=draw(whole(12)),
        bad_veto=draw(st.booleans()),
        bad_cycle=draw(st.booleans()),
        intrapulse_time=draw(u32s),
        tof_offset=draw(whole(31)),
        tof_corrected=draw(st.booleans()),
        tof=draw(columns(32, n)),
        pixel_id=draw(columns(32, n)),
        version=version,
    )


@st.composite
def map_piece(draw):
    """Pixels in even steps, of one bank."""
    n = draw(st.integers(1, 12))
    start, other = draw(st.integers(400_000, 2**31)), draw(st.integers(400_000, 2**31))
    step, step_other = (
        draw(st.sampled_from([1, 1, 2, -1, -512, 32767, 32768, 0])),
        draw(st.integers(-32768, 32768)),
    )
    row = np.arange(n)
    return start + step * row, other + step_other * row, np.full(n, draw(whole(16)))


@st.composite
def pixel_maps(draw, kind, version, **more):
    pieces = draw(st.lists(map_piece(), max_size=5))
    none = np.empty(0, np.uint32)
    physical, logical, bank = (
        np.concatenate([none, *(piece[i] for piece in pieces)]).astype(np.uint32) for i in range(3)
    )
    fields = {name: draw(strategy) for name, strategy in more.items()}
    return kind(
        time_ns=draw(times), physical_id=physical, logical_id=logical, bank_id=bank, version=version, **fields
    )


def monitor_configs(version):
    monitors = st.builds(
        MonitorConfig,
        monitor_id=u32s,
        tof_offset_us=u32s,
        tof_max_us=u32s,
        tof_bin_us=u32s,
        distance=st.floats(allow_nan=False),
        format=u32s if version else st.just(2),
    )
    return st.builds(
        BeamMonitorConfig,
        time_ns=times,
        monitors=st.lists(monitors, max_size=4).map(tuple),
        version=st.just(version),
    )


KINDS = {
    "hello v0": st.builds(
        ClientHello, time_ns=times, start=st.builds(StartRequest, u32s), version=st.just(0)
    ),
    "hello v1": st.builds(ClientHello, time_ns=times, start=st.builds(StartRequest, u32s), flags=u32s),
    "banked v0": banked(0),
    "banked v1": banked(1),
    "banked with states": banked(0, states=True),
    "monitors v0": monitored(0),
    "monitors v1": monitored(1),
    "rtdl v0": rtdl(0),
    "rtdl v1": rtdl(1),
    "run status v0": st.builds(
        RunStatus,
        time_ns=times,
        run_number=u32s,
        run_start_ns=st.integers(1, 2**32 - 1).map(unix_ns) | st.just(0),
        status=whole(8).map(RunStatusCode),
        file_number=whole(24),
        version=st.just(0),
    ),
    "run status v1": st.builds(
        RunStatus,
        time_ns=times,
        run_number=u32s,
        run_start_ns=st.integers(1, 2**32 - 1).map(unix_ns) | st.just(0),
        status=whole(8).map(RunStatusCode),
        file_number=whole(24),
        paused=st.booleans(),
        pause_file_number=whole(24),
        addendum=st.booleans(),
        addendum_file_number=whole(24),
    ),
    "run info": st.builds(RunInfoPacket, time_ns=times, xml=texts),
    "geometry": st.builds(Geometry, time_ns=times, xml=texts),
    "beamline v0": st.builds(
        BeamlineInfo,
        time_ns=times,
        beamline_id=short_texts,
        short_name=short_texts,
        long_name=short_texts,
        version=st.just(0),
    ),
    "beamline v1": st.builds(
        BeamlineInfo,
        time_ns=times,
        beamline_id=short_texts,
        short_name=short_texts,
        long_name=short_texts,
        target_station=st.integers(1, 255),
    ),
    "device": st.builds(DeviceDescriptor, time_ns=times, device_id=u32s, xml=texts),
    "u32": variables(VariableU32, u32s),
    "double": variables(VariableDouble, st.floats(allow_nan=False)),
    "string": variables(VariableString, texts),
    "u32 array": variables(VariableU32Array, u32_columns),
    "double array": variables(VariableDoubleArray, double_columns),
    "multiple u32": multiple(MultipleVariableU32, lambda n: columns(32, n)),
    "multiple double": multiple(MultipleVariableDouble, double_column),
    "multiple string": multiple(
        MultipleVariableString, lambda n: st.lists(texts, min_size=n, max_size=n).map(tuple)
    ),
    "multiple u32 array": multiple_arrays(MultipleVariableU32Array, lambda n: columns(32, n)),
    "multiple double array": multiple_arrays(MultipleVariableDoubleArray, double_column),
    "raw v0": detector_system(RawEvents, 0),
    "raw v1": detector_system(RawEvents, 1),
    "mapped v0": detector_system(MappedEvents, 0),
    "mapped v1": detector_system(MappedEvents, 1),
    "sources": st.builds(SourceList, time_ns=pulse_times, source_id=u32_columns),
    "pixel map": pixel_maps(PixelMapping, 0),
    "pixel map alt v0": pixel_maps(PixelMappingAlt, 0, n_banks=u32s),
    "pixel map alt v1": pixel_maps(PixelMappingAlt, 1, n_banks=u32s),
    "monitor config v0": monitor_configs(0),
    "monitor config v1": monitor_configs(1),
    "bank sets": st.builds(
        DetectorBankSets,
        time_ns=times,
        sets=st.lists(
            st.builds(
                BankSet,
                name=names,
                flags=u32s,
                bank_ids=st.lists(u32s, max_size=5).map(tuple),
                tof_offset_us=u32s,
                tof_max_us=u32s,
                tof_bin_us=u32s,
                throttle_hz=st.floats(allow_nan=False),
                suffix=names,
            ),
            max_size=4,
        ).map(tuple),
    ),
    "annotation": st.builds(
        Annotation,
        time_ns=times,
        marker=whole(15).map(AnnotationMarker),
        reset_hint=st.booleans(),
        scan_index=u32s,
        comment=texts,
    ),
    "sync": st.builds(
        Sync,
        time_ns=times,
        file_offset=whole(64),
        comment=texts,
        signature=st.binary(min_size=16, max_size=16),
    ),
    "heartbeat": st.builds(Heartbeat, time_ns=times),
    "data done": st.builds(DataDone, time_ns=times),
    "translation": st.builds(TransComplete, time_ns=times, status=whole(16), reason=texts),
    "unknown": st.builds(
        UnknownPacket,
        time_ns=pulse_times,
        type=whole(24),
        version=whole(8),
        payload=st.binary(max_size=40).map(lambda data: data + bytes(-len(data) % 4)),
    ).filter(lambda packet: (packet.type, packet.version) not in known_types),
}
packets = st.one_of(*KINDS.values())
careful = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_there_and_back(kind, data):
    packet = data.draw(KINDS[kind])
    written = encode(packet)

    (raw,) = Framer().feed(written)
    found = decode(raw)

    assert type(found) is type(packet)
    assert found == packet
    assert encode(found) == written


@careful
@given(st.lists(packets, max_size=5), st.integers(1, 40))
def test_a_stream_in_pieces_of_any_length(sent, length):
    stream = b"".join(map(encode, sent))
    framer = Framer()

    found = [
        decode(raw)
        for position in range(0, len(stream), length)
        for raw in framer.feed(stream[position : position + length])
    ]

    assert found == sent


def read_or_protocol_error(raw):
    """Decode; anything but a packet or one sentence fails the test. Give back what was read."""
    try:
        packet = decode(raw)
    except ProtocolError as error:
        assert str(error).startswith("The ADARA packet ")
        assert "\n" not in str(error)
        return None
    if len(raw.payload) % 4 == 0:
        encode_again(packet)
    return packet


def encode_again(packet):
    try:
        encode(packet)
    except DataModelError as error:
        # Latin-1 grows when it becomes UTF-8, and may then be longer than its count can say.
        assert "the length of" in str(error) or "must have at most 15 bytes" in str(error)


@careful
@given(packets, st.data())
def test_a_payload_cut_off_is_read_or_named(packet, data):
    (raw,) = Framer().feed(encode(packet))
    length = data.draw(st.integers(0, len(raw.payload)))

    read_or_protocol_error(RawPacket(raw.type, raw.version, raw.time_ns, raw.payload[:length]))


@careful
@given(packets, st.data())
def test_changed_bytes_are_read_or_named(packet, data):
    written = bytearray(encode(packet))
    for _ in range(data.draw(st.integers(1, 4))):
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    framer = Framer()

    try:
        found = framer.feed(written)
        framer.finish()
    except ProtocolError as error:
        assert "\n" not in str(error)
        return
    for raw in found:
        read_or_protocol_error(raw)


@given(st.sampled_from(PacketType), st.integers(0, 2), times, st.binary(max_size=200))
def test_any_payload_of_any_type_is_read_or_named(kind, version, time_ns, payload):
    read_or_protocol_error(RawPacket(int(kind), version, time_ns, payload))


@pytest.mark.parametrize("kind", ["banked v0", "banked v1", "banked with states"])
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_a_reduction_reads_is_what_the_whole_packet_holds(kind, data):
    """The packet comes as a copy, as a view, and as a view of bytes at an odd place."""
    packet = data.draw(KINDS[kind])
    (raw,) = Framer().feed(encode(packet))
    expected = detector_events(packet)
    odd = bytearray(1 + len(raw.payload))
    odd[1:] = raw.payload
    for payload in (raw.payload, memoryview(bytearray(raw.payload)), memoryview(odd)[1:]):
        pixel_id, tof = np.zeros((2, len(raw.payload) // 8 + 3), np.uint32)
        view = RawPacket(raw.type, raw.version, raw.time_ns, payload)
        found = read_pulse(view, pixel_id, tof)
        assert decode(view) == packet
        assert count_events(view) == (packet.n_events, expected.n_error_pixel, expected.n_unmapped)
        np.testing.assert_array_equal(found.pixel_id, expected.pixel_id)
        np.testing.assert_array_equal(found.tof, expected.tof)
        for field in ("time_ns", "proton_charge_pc", "flags", "veto", "n_error_pixel", "n_unmapped"):
            assert getattr(found, field) == getattr(expected, field)
        assert found.n_uncorrected_sources == packet.n_uncorrected_sources
        assert found.n_events == packet.n_events


HOSTILE = [
    "banked v0",
    "banked v1",
    "banked with states",
    "monitors v0",
    "monitors v1",
    "u32 array",
    "double array",
    "multiple u32",
    "multiple double",
    "multiple string",
    "multiple u32 array",
    "multiple double array",
    "raw v1",
    "pixel map",
    "pixel map alt v0",
    "pixel map alt v1",
    "monitor config v0",
    "monitor config v1",
    "bank sets",
]


@pytest.mark.parametrize("kind", HOSTILE)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_hostile_counts_are_read_or_named(kind, data):
    """Write huge and near numbers over every word, counts among them."""
    (raw,) = Framer().feed(encode(data.draw(KINDS[kind])))
    words = bytearray(raw.payload)
    if not words:
        return
    position = 4 * data.draw(st.integers(0, len(words) // 4 - 1))
    value = data.draw(st.sampled_from([0, 1, 2, 3, 0x3FFFFF, 0x1FFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
    struct.pack_into("<I", words, position, value)

    read_or_protocol_error(RawPacket(raw.type, raw.version, raw.time_ns, bytes(words)))


@given(st.binary(max_size=300), st.integers(1, 30))
def test_garbage_ends_in_one_sentence_or_waits(garbage, length):
    framer = Framer()
    try:
        for position in range(0, len(garbage), length):
            for raw in framer.feed(garbage[position : position + length]):
                read_or_protocol_error(raw)
    except ProtocolError as error:
        assert "ADARA stream" in str(error)
    assert framer.pending <= len(garbage)


@careful
@given(packet=st.one_of(banked(1), banked(0, states=True), monitored(1)), head=heads(1))
def test_an_encoded_pulse_gets_a_head_for_another_one(packet, head):
    renewed = {name: head[name] for name in ("time_ns", "proton_charge_pc", "cycle", "veto", "flags")}
    written = encode(packet)
    assert renewed_head(written, **renewed) + written[PULSE_HEAD_SIZE:] == encode(
        attrs.evolve(packet, **renewed)
    )


@careful
@given(packet=rtdl(1), other=rtdl(1))
def test_an_encoded_rtdl_is_renewed_for_another_pulse(packet, other):
    renewed = {name: getattr(other, name) for name in ("time_ns", "proton_charge_pc", "cycle", "veto")}
    assert renewed_rtdl(encode(packet), **renewed) == encode(attrs.evolve(packet, **renewed))


@careful
@given(packet=packets, time_ns=pulse_times)
def test_an_encoded_packet_gets_another_time(packet, time_ns):
    changed = {"time_ns": time_ns}
    if hasattr(packet, "value_time_ns"):
        # Several values say how long after the packet each was: they move with it.
        changed["value_time_ns"] = packet.value_time_ns + (time_ns - packet.time_ns)
    assert redated(encode(packet), time_ns) == encode(attrs.evolve(packet, **changed))
