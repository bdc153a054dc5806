"""What holds for every packet: the way back, the stream, and what happens when bytes are lost or changed."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    BankedEvents,
    BeamlineInfo,
    BeamMonitorEvents,
    ClientHello,
    DataDone,
    DeviceDescriptor,
    Framer,
    Geometry,
    Heartbeat,
    PacketType,
    RawPacket,
    Rtdl,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    StartRequest,
    Sync,
    TransComplete,
    UnknownPacket,
    VariableDouble,
    VariableSeverity,
    VariableStatus,
    VariableString,
    VariableU32,
    decode,
    encode,
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


@st.composite
def banked(draw, version):
    banks_of_source = draw(st.lists(st.integers(0, 4), max_size=4))
    counts = draw(st.lists(st.integers(0, 5), min_size=sum(banks_of_source), max_size=sum(banks_of_source)))
    sources = len(banks_of_source)
    return BankedEvents(
        **draw(heads(version)),
        source_id=draw(columns(32, sources)),
        intrapulse_time=draw(columns(32, sources)),
        tof_offset=draw(columns(31, sources)),
        tof_corrected=draw(flags_column(sources)),
        n_banks=np.array(banks_of_source, np.int64),
        bank_id=draw(columns(32, len(counts))),
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

KINDS = {
    "hello v0": st.builds(
        ClientHello, time_ns=times, start=st.builds(StartRequest, u32s), version=st.just(0)
    ),
    "hello v1": st.builds(ClientHello, time_ns=times, start=st.builds(StartRequest, u32s), flags=u32s),
    "banked v0": banked(0),
    "banked v1": banked(1),
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
        assert "the length of" in str(error)


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


@pytest.mark.parametrize("kind", ["banked v0", "banked v1", "monitors v0", "monitors v1"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_hostile_counts_are_read_or_named(kind, data):
    """Write huge and near numbers over every word, counts among them."""
    (raw,) = Framer().feed(encode(data.draw(KINDS[kind])))
    words = bytearray(raw.payload)
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
