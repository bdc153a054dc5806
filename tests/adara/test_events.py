"""Banked and monitor events: the columns, what is left out, and payloads whose counts lie."""

import struct
import tracemalloc

import attrs
import numpy as np
import pytest

from livered_core.adara import (
    ERROR_PIXELS_BANK,
    UNMAPPED_BANK,
    BankedEvents,
    BeamlineInfo,
    BeamMonitorEvents,
    ClientHello,
    Framer,
    Heartbeat,
    RawPacket,
    Rtdl,
    RunStatus,
    RunStatusCode,
    StartRequest,
    Sync,
    UnknownPacket,
    VariableDouble,
    VariableString,
    VariableU32,
    decode,
    detector_events,
    encode,
    unix_ns,
)
from livered_core.errors import DataModelError, ProtocolError

PULSE_NS = unix_ns(728504567, 761741666)
HEAD = (1, 2, 3, 4)


def banked(banks, **changes):
    """Make events of one source: banks are pairs of an id and a number of events."""
    counts = [count for _, count in banks]
    events = sum(counts)
    fields = {
        "time_ns": PULSE_NS,
        "proton_charge_pc": 20,
        "source_id": np.array([1], np.uint32),
        "intrapulse_time": np.array([166662], np.uint32),
        "tof_offset": np.array([0], np.uint32),
        "tof_corrected": np.array([True]),
        "n_banks": np.array([len(banks)], np.int64),
        "bank_id": np.array([bank for bank, _ in banks], np.uint32),
        "bank_offset": np.array([0, *np.cumsum(counts)], np.int64),
        "pixel_id": np.arange(100, 100 + events, dtype=np.uint32),
        "tof": np.arange(1000, 1000 + events, dtype=np.uint32),
        **changes,
    }
    return BankedEvents(**fields)


def monitored(**changes):
    empty = np.empty(0, np.uint32)
    fields = {
        "time_ns": PULSE_NS,
        "proton_charge_pc": 0,
        "monitor_id": empty,
        "source_id": empty,
        "tof_offset": empty,
        "tof_corrected": np.empty(0, np.bool_),
        "event_offset": np.zeros(1, np.int64),
        "tof": empty,
        "event_cycle": empty,
        "rising": np.empty(0, np.bool_),
        **changes,
    }
    return BeamMonitorEvents(**fields)


def raw(type_, *words, version=1):
    return RawPacket(type_, version, PULSE_NS, struct.pack(f"<{len(words)}I", *words))


def test_detector_events_without_others_are_the_same_arrays():
    packet = banked([(1, 3), (2, 0), (99, 2)])

    found = detector_events(packet)

    assert found.pixel_id is packet.pixel_id
    assert found.tof is packet.tof
    assert (found.n_error_pixel, found.n_unmapped) == (0, 0)


def test_error_and_unmapped_pixels_are_left_out_and_counted():
    packet = banked([(1, 2), (ERROR_PIXELS_BANK, 3), (2, 1), (UNMAPPED_BANK, 1), (ERROR_PIXELS_BANK, 1)])

    found = detector_events(packet)

    assert found.pixel_id.tolist() == [100, 101, 105]
    assert found.tof.tolist() == [1000, 1001, 1005]
    assert (found.n_error_pixel, found.n_unmapped) == (4, 1)
    assert len(found.tof) + found.n_error_pixel + found.n_unmapped == packet.n_events


def test_tof_offset_is_not_applied():
    packet = banked([(1, 1)], tof_offset=np.array([50], np.uint32), tof_corrected=np.array([False]))

    (found,) = map(decode, Framer().feed(encode(packet)))

    assert found.tof.tolist() == [1000]
    assert found.n_uncorrected_sources == 1
    assert banked([(1, 1)], tof_offset=np.array([50], np.uint32)).n_uncorrected_sources == 0
    assert banked([(1, 1)], tof_corrected=np.array([False])).n_uncorrected_sources == 0


def test_columns_are_contiguous_and_independent_of_the_payload():
    (found,) = map(decode, Framer().feed(encode(banked([(1, 3), (2, 4)]))))

    for column in (found.pixel_id, found.tof, found.bank_offset):
        assert column.flags.c_contiguous
        assert column.flags.writeable


def test_a_pulse_without_sources():
    (found,) = map(decode, [raw(0x4000, *HEAD)])

    assert (found.n_events, len(found.bank_id), len(found.source_id)) == (0, 0, 0)
    assert found.bank_offset.tolist() == [0]
    assert len(detector_events(found).tof) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((1, 2), "payload of 8 bytes and not of at least 16"),
        ((*HEAD, 5), "has 4 bytes left over after 0 sources"),
        ((*HEAD, 5, 6), "8 bytes left over after 0 sources"),
        ((*HEAD, 5, 6, 7, 1), "source 1 has 1 banks, and holds 0 bytes more"),
        ((*HEAD, 5, 6, 7, 0xFFFFFFFF, 1, 0), "source 1 has 4294967295 banks, and holds 8 bytes more"),
        ((*HEAD, 5, 6, 7, 2, 1, 1, 8, 9), "ends before the events of bank 2 of source 1"),
        ((*HEAD, 5, 6, 7, 1, 1, 2, 8, 9), "bank 1 of source 1 has 2 events, and holds 8 bytes more"),
        ((*HEAD, 5, 6, 7, 1, 1, 0xFFFFFFFF, 8, 9), "bank 1 of source 1 has 4294967295 events"),
        ((*HEAD, 5, 6, 7, 1, 1, 0, 8, 9), "8 bytes left over after 1 sources"),
    ],
)
@pytest.mark.parametrize("version", [0, 1])
def test_banks_that_do_not_fit(words, message, version):
    with pytest.raises(ProtocolError, match=message) as caught:
        decode(raw(0x4000, *words, version=version))

    assert f"banked event (0x4000) version {version}" in str(caught.value)
    assert "2013-01-31T18:22:47.761741666Z" in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((1, 2, 3), "payload of 12 bytes and not of at least 16"),
        ((*HEAD, 5, 6), "8 bytes left over after 0 monitor sections"),
        ((*HEAD, 1 << 22 | 2, 6, 7, 8), "monitor section 1 has 2 events, and holds 4 bytes more"),
        ((*HEAD, 0xFFFFFFFF, 6, 7, 8), "monitor section 1 has 4194303 events"),
        ((*HEAD, 1 << 22 | 1, 6, 7, 8, 9), "4 bytes left over after 1 monitor sections"),
    ],
)
def test_monitor_sections_that_do_not_fit(words, message):
    with pytest.raises(ProtocolError, match=message):
        decode(raw(0x4001, *words))


def test_nothing_is_allocated_on_the_word_of_a_count():
    lies = [
        raw(0x4000, *HEAD, 5, 6, 7, 0xFFFFFFFF, 1, 0),
        raw(0x4000, *HEAD, 5, 6, 7, 1, 1, 0xFFFFFFFF),
        raw(0x4001, *HEAD, 0xFFFFFFFF, 6, 7),
        raw(0x4004, 0xFFFFFFFF, 0, version=0),
        raw(0x8003, 1, 2, 0, 0xFFFFFFF0, version=0),
    ]
    tracemalloc.start()

    for lie in lies:
        with pytest.raises(ProtocolError):
            decode(lie)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (raw(0x4003, 1, 2, version=0), "payload of 8 bytes and not of 12"),
        (raw(0x4003, 1, 2, 3), "payload of 12 bytes and not of 20"),
        (raw(0x4006, 1), "payload of 4 bytes and not of 8"),
        (raw(0x0001, *range(29)), "payload of 116 bytes and not of 120"),
        (raw(0x0001, 0, 0, 0, 0, 5 << 24, *[0] * 25), "has frame 5 where the ring period, frame 4, must be"),
        (raw(0x4009, 1, version=0), "payload of 4 bytes and not of 0"),
        (raw(0x8001, 1, 2, 3, version=0), "payload of 12 bytes and not of 16"),
        (raw(0x8003, 1, 2, 0, 5, 0, version=0), "says that its text has 5 bytes, and holds 4"),
        (raw(0x400B, 0x00050505, 0, 0), "says that its short name has 5 bytes, and holds 3"),
        (raw(0x4008, 1, 2, version=0), "payload of 8 bytes and not of at least 28"),
    ],
)
def test_other_packets_that_do_not_fit(packet, message):
    with pytest.raises(ProtocolError, match=message):
        decode(packet)


def test_padding_is_not_looked_at():
    data = bytearray(encode(VariableString(time_ns=PULSE_NS, device_id=1, variable_id=2, value="x")))
    data[-3:] = b"abc"

    (found,) = map(decode, Framer().feed(data))

    assert found.value == "x"


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (banked([], proton_charge_pc=5), "proton_charge_pc is 5 and must be a multiple of 10"),
        (banked([], proton_charge_pc=20.0), "proton_charge_pc is 20.0"),
        (banked([], proton_charge_pc=10 << 32), "proton_charge_pc / 10 is 4294967296"),
        (banked([], veto=1 << 12), "veto is 4096"),
        (banked([], flags=1 << 20), "flags is 1048576"),
        (banked([], veto=1, version=0), "veto of version 0 is 1"),
        (banked([], version=2), "version 2 is not known, the newest is 1"),
        (banked([], tof_offset=np.array([1 << 31], np.uint32)), "more than 31 bits"),
        (banked([], time_ns=0), "cannot be written in an ADARA packet"),
        (
            monitored(
                tof=np.array([1 << 21], np.uint32),
                event_cycle=np.zeros(1, np.uint32),
                rising=np.ones(1, np.bool_),
                monitor_id=np.ones(1, np.uint32),
                source_id=np.ones(1, np.uint32),
                tof_offset=np.zeros(1, np.uint32),
                tof_corrected=np.ones(1, np.bool_),
                event_offset=np.array([0, 1], np.int64),
            ),
            "a tof has more than 21 bits",
        ),
        (Rtdl(time_ns=PULSE_NS, proton_charge_pc=10 << 24), "must be a whole number from 0 to 16777215"),
        (Rtdl(time_ns=PULSE_NS, proton_charge_pc=0, cycle=1024), "cycle is 1024"),
        (Rtdl(time_ns=PULSE_NS, proton_charge_pc=0, data_flags=1, version=0), "data_flags of version 0"),
        (
            Rtdl(time_ns=PULSE_NS, proton_charge_pc=0, frame_number=np.full(25, 256, np.uint32)),
            "more than 8 bits",
        ),
        (BeamlineInfo(time_ns=PULSE_NS, beamline_id="x" * 256, short_name="", long_name=""), "beamline_id"),
        (
            BeamlineInfo(
                time_ns=PULSE_NS, beamline_id="", short_name="", long_name="", target_station=2, version=0
            ),
            "cannot say a target_station",
        ),
        (ClientHello(time_ns=PULSE_NS, start=StartRequest.now(), flags=1, version=0), "flags of version 0"),
        (
            RunStatus(
                time_ns=PULSE_NS,
                run_number=1,
                run_start_ns=0,
                status=RunStatusCode.STATE,
                paused=True,
                version=0,
            ),
            "cannot say that the run is paused",
        ),
        (VariableU32(time_ns=PULSE_NS, device_id=1, variable_id=1, value=-1), "value is -1"),
        (VariableDouble(time_ns=PULSE_NS, device_id=1, variable_id=1, value="x"), "must be a number"),
        (VariableString(time_ns=PULSE_NS, device_id=1, variable_id=1, value="\ud800"), "UTF-8 cannot write"),
        (Sync(time_ns=PULSE_NS, file_offset=0, signature=b"x"), "signature has 1 bytes"),
        (UnknownPacket(time_ns=PULSE_NS, type=1, version=0, payload=b"x"), "must have a multiple of 4"),
        (UnknownPacket(time_ns=PULSE_NS, type=1 << 24, version=0, payload=b""), "type is 16777216"),
    ],
)
def test_what_does_not_fit_the_wire_is_refused(packet, message):
    with pytest.raises(DataModelError, match=message):
        encode(packet)


def test_numpy_integers_are_whole_numbers():
    packet = banked([(1, 1)], proton_charge_pc=np.int64(30), cycle=np.uint32(7))

    (found,) = map(decode, Framer().feed(encode(packet)))

    assert (found.proton_charge_pc, found.cycle) == (30, 7)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tof": [1]}, TypeError, "BankedEvents.tof must be a numpy array and is a list"),
        (
            {"tof": np.zeros(1, np.int64)},
            TypeError,
            r"BankedEvents.tof must be uint32\[n\] and is int64\[1\]",
        ),
        ({"tof": np.zeros(2, np.uint32)}, ValueError, "1 of pixel_id, 2 of tof"),
        ({"bank_offset": np.array([0, 2], np.int64)}, ValueError, "bank_offset must ascend from 0 to 1"),
        ({"bank_offset": np.array([0, 2, 1], np.int64)}, ValueError, "bank_offset must ascend"),
        ({"n_banks": np.array([2], np.int64)}, ValueError, "n_banks must sum to 1"),
        ({"source_id": np.zeros(2, np.uint32)}, ValueError, "2 of source_id"),
    ],
)
def test_columns_that_do_not_belong_together(changes, error, message):
    with pytest.raises(error, match=message):
        banked([(1, 1)], **changes)


def test_packets_differ_when_one_event_differs():
    one = banked([(1, 2)])
    other = attrs.evolve(one, tof=np.array([1000, 1002], np.uint32))

    assert one == banked([(1, 2)])
    assert one != other
    assert one != Heartbeat(time_ns=PULSE_NS)


def test_a_large_pulse_there_and_back():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 2000, 100)
    packet = banked(
        [(bank, int(count)) for bank, count in enumerate(counts)],
        pixel_id=rng.integers(0, 2**32, counts.sum(), dtype=np.uint32),
        tof=rng.integers(0, 2**32, counts.sum(), dtype=np.uint32),
    )

    (found,) = map(decode, Framer().feed(encode(packet)))

    assert found == packet
