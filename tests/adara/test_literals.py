"""Every packet type against bytes written by hand from the specification.

Encoder and decoder are both held to them, so that the two cannot be wrong together. Words are little endian;
the header is payload length, type << 8 | version, seconds and nanoseconds since 1990.
"""

import numpy as np
import pytest

from livered_core.adara import (
    SYNC_SIGNATURE,
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
    HelloFlag,
    MappedEvents,
    MonitorConfig,
    MultipleVariableDouble,
    MultipleVariableDoubleArray,
    MultipleVariableString,
    MultipleVariableU32,
    MultipleVariableU32Array,
    PixelMapping,
    PixelMappingAlt,
    PulseFlag,
    RawEvents,
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
    decode,
    encode,
)

# 0x10 seconds and 5 nanoseconds after 1990-01-01.
TIME_NS = (631_152_000 + 0x10000000) * 1_000_000_000 + 5
TIME = "00000010 05000000"


def u32(*values):
    return np.array(values, np.uint32)


def i64(*values):
    return np.array(values, np.int64)


def bools(*values):
    return np.array(values, np.bool_)


BANKS = {
    "time_ns": TIME_NS,
    "proton_charge_pc": 10 * 0x17A587,
    "energy_ev": 0x37E897A4,
    "cycle": 60,
    "source_id": u32(0x153CB00B, 7),
    "intrapulse_time": u32(0x28B06, 0x28B07),
    "tof_offset": u32(0xF688, 3),
    "tof_corrected": bools(True, False),
    "n_banks": i64(2, 1),
    "bank_id": u32(2, 0xFFFFFFFE, 0xFFFFFFFF),
    "bank_offset": i64(0, 2, 2, 3),
    "pixel_id": u32(0x43C, 0x43D, 0x80000001),
    "tof": u32(0x23BD9, 0x23BDA, 0x100),
}
BANKS_HEX = """
    0BB03C15 068B0200 88F60080 02000000
      02000000 02000000
        D93B0200 3C040000  DA3B0200 3D040000
      FEFFFFFF 00000000
    07000000 078B0200 03000000 01000000
      FFFFFFFF 01000000
        00010000 01000080
"""

MONITORS = {
    "time_ns": TIME_NS,
    "proton_charge_pc": 20,
    "energy_ev": 3,
    "cycle": 4,
    "monitor_id": u32(1, 1023),
    "source_id": u32(9, 8),
    "tof_offset": u32(0, 5),
    "tof_corrected": bools(True, False),
    "event_offset": i64(0, 2, 2),
    "tof": u32(0x1FFFFF, 1),
    "event_cycle": u32(0, 1023),
    "rising": bools(True, False),
}
MONITORS_HEX = """
    02004000 09000000 00000080  FFFF1F80 0100E07F
    0000C0FF 08000000 05000000
"""

RTDL = {
    "time_ns": TIME_NS,
    "proton_charge_pc": 10 * 0x17A587,
    "cycle": 60,
    "timing_status": 0x1E,
    "veto": 0x804,
    "bad_cycle": True,
    "intrapulse_time": 0x28B06,
    "tof_offset": 0xF688,
    "tof_corrected": True,
    "ring_period_ps": 0xE937B,
    "frame_number": u32(5, *[0] * 23, 255),
    "frame_data": u32(0xDB4924, *[0] * 23, 0xFFFFFF),
}
# 0x40000000 | 0x1E << 22 | 0x804 << 10 | 60
RTDL_HEX = "3C10A047 068B0200 88F60080 7B930E04 2449DB05" + 23 * " 00000000" + " FFFFFFFF"

CYCLE_HEX = "3C10A047"
RAW = {
    **{
        name: RTDL[name]
        for name in ("time_ns", "proton_charge_pc", "cycle", "timing_status", "veto", "bad_cycle")
    },
    "source_id": 11,
    "end_of_pulse": True,
    "pulse_sequence": 3,
    "source_sequence": 4,
    "intrapulse_time": 0x28B06,
    "tof_offset": 12345,
    "tof_corrected": True,
    "tof": u32(1000),
    "pixel_id": u32(42),
}
ALARM = {"status": VariableStatus.READ_ERROR, "severity": VariableSeverity.MAJOR_ALARM}
SEVERAL = {
    "time_ns": TIME_NS,
    "device_id": 2,
    "variable_id": 5,
    "value_time_ns": i64(TIME_NS + 100, TIME_NS + 2**32 - 1),
    **ALARM,
}

CASES = {
    "hello v0, now": (
        f"04000000 00064000 {TIME} 00000000",
        ClientHello(time_ns=TIME_NS, start=StartRequest.now(), version=0),
    ),
    "hello v1, start of run": (
        f"08000000 01064000 {TIME} 01000000 02000000",
        ClientHello(time_ns=TIME_NS, start=StartRequest.start_of_run(), flags=HelloFlag.SEND_PAUSE_DATA),
    ),
    "hello v1, a time": (
        f"08000000 01064000 {TIME} 00000010 00000000",
        ClientHello(time_ns=TIME_NS, start=StartRequest.at(TIME_NS)),
    ),
    "banked v0": (
        f"60000000 00004000 {TIME} 87A51700 A497E837 3C000000 040000F0 {BANKS_HEX}",
        BankedEvents(**BANKS, flags=0xF0000004, version=0),
    ),
    "banked v1": (
        f"60000000 01004000 {TIME} 87A51700 A497E837 3C000000 040010F0 {BANKS_HEX}",
        BankedEvents(**BANKS, veto=0xF01, flags=PulseFlag.PULSE_VETO, version=1),
    ),
    "monitors v0": (
        f"30000000 00014000 {TIME} 02000000 03000000 04000000 01001000 {MONITORS_HEX}",
        BeamMonitorEvents(**MONITORS, flags=0x100001, version=0),
    ),
    "monitors v1": (
        f"30000000 01014000 {TIME} 02000000 03000000 04000000 01001000 {MONITORS_HEX}",
        BeamMonitorEvents(**MONITORS, veto=1, flags=PulseFlag.ERROR_PIXELS, version=1),
    ),
    "rtdl v0": (f"78000000 00010000 {TIME} 87A51711 {RTDL_HEX}", Rtdl(**RTDL, flavor=0x11, version=0)),
    "rtdl v1": (
        f"78000000 01010000 {TIME} 87A51711 {RTDL_HEX}",
        Rtdl(**RTDL, flavor=1, data_flags=2, version=1),
    ),
    "run status v0": (
        f"0C000000 00034000 {TIME} BF330000 00000010 03020001",
        RunStatus(
            time_ns=TIME_NS,
            run_number=13247,
            run_start_ns=TIME_NS - 5,
            status=RunStatusCode.NEW_RUN,
            file_number=0x203,
            version=0,
        ),
    ),
    "run status v1": (
        f"14000000 01034000 {TIME} BF330000 00000000 01000004 02000001 03000001",
        RunStatus(
            time_ns=TIME_NS,
            run_number=13247,
            run_start_ns=0,
            status=RunStatusCode.END_RUN,
            file_number=1,
            paused=True,
            pause_file_number=2,
            addendum=True,
            addendum_file_number=3,
        ),
    ),
    "run status, a code that is not known": (
        f"0C000000 00034000 {TIME} 00000000 00000000 00000007",
        RunStatus(time_ns=TIME_NS, run_number=0, run_start_ns=0, status=RunStatusCode(7), version=0),
    ),
    "run info": (
        f"0C000000 00044000 {TIME} 05000000 3C612F3E 0A000000",
        RunInfoPacket(time_ns=TIME_NS, xml="<a/>\n"),
    ),
    "geometry": (f"08000000 000A4000 {TIME} 04000000 3C672F3E", Geometry(time_ns=TIME_NS, xml="<g/>")),
    # Target station, then the lengths of id, short and long name, from the upper end of the word.
    "beamline info v0": (
        f"10000000 000B4000 {TIME} 05030200 31424E4F 4D4E4F4D 41440000",
        BeamlineInfo(time_ns=TIME_NS, beamline_id="1B", short_name="NOM", long_name="NOMAD", version=0),
    ),
    "beamline info v1": (
        f"10000000 010B4000 {TIME} 05030202 31424E4F 4D4E4F4D 41440000",
        BeamlineInfo(
            time_ns=TIME_NS, beamline_id="1B", short_name="NOM", long_name="NOMAD", target_station=2
        ),
    ),
    "device descriptor": (
        f"0C000000 00008000 {TIME} 01200000 04000000 3C642F3E",
        DeviceDescriptor(time_ns=TIME_NS, device_id=0x2001, xml="<d/>"),
    ),
    "variable u32": (
        f"10000000 00018000 {TIME} 02000000 03000000 01000400 FFFFFFFF",
        VariableU32(
            time_ns=TIME_NS,
            device_id=2,
            variable_id=3,
            value=0xFFFFFFFF,
            status=VariableStatus.HIGH_LIMIT,
            severity=VariableSeverity.MINOR_ALARM,
        ),
    ),
    "variable double": (
        f"14000000 00028000 {TIME} 02000000 01000000 FFFFFEFF 00000000 0000F8BF",
        VariableDouble(
            time_ns=TIME_NS,
            device_id=2,
            variable_id=1,
            value=-1.5,
            status=VariableStatus.UPSTREAM_DISCONNECTED,
            severity=VariableSeverity.NOT_REPORTED,
        ),
    ),
    "variable string": (
        f"14000000 00038000 {TIME} 02000000 05000000 00000000 03000000 C2B04B00",
        VariableString(time_ns=TIME_NS, device_id=2, variable_id=5, value="°K"),
    ),
    "annotation": (
        f"0C000000 00074000 {TIME} 02000180 0C000000 48690000",
        Annotation(
            time_ns=TIME_NS,
            marker=AnnotationMarker.SCAN_START,
            reset_hint=True,
            scan_index=12,
            comment="Hi",
        ),
    ),
    "sync": (
        f"20000000 00084000 {TIME} 534E5341 44415241 4F524E4C 0000F07F 00000000 01000000 01000000 78000000",
        Sync(time_ns=TIME_NS, file_offset=1 << 32, comment="x"),
    ),
    "heartbeat": (f"00000000 00094000 {TIME}", Heartbeat(time_ns=TIME_NS)),
    "data done": (f"00000000 000C4000 {TIME}", DataDone(time_ns=TIME_NS)),
    "translation complete": (
        f"08000000 00054000 {TIME} 02000080 6E6F0000",
        TransComplete(time_ns=TIME_NS, status=0x8000, reason="no"),
    ),
    "u32 array": (
        f"18000000 00048000 {TIME} 02000000 05000000 02000100 02000000 07000000 FFFFFFFF",
        VariableU32Array(time_ns=TIME_NS, device_id=2, variable_id=5, value=u32(7, 2**32 - 1), **ALARM),
    ),
    "double array": (
        f"20000000 00058000 {TIME} 02000000 05000000 02000100 02000000 000000000000F03F 00000000000004C0",
        VariableDoubleArray(
            time_ns=TIME_NS, device_id=2, variable_id=5, value=np.array([1.0, -2.5]), **ALARM
        ),
    ),
    "multiple u32": (
        f"20000000 00018100 {TIME} 02000000 05000000 02000100 02000000 64000000 07000000 FFFFFFFF 08000000",
        MultipleVariableU32(**SEVERAL, value=u32(7, 8)),
    ),
    "multiple double": (
        f"28000000 00028100 {TIME} 02000000 05000000 02000100 02000000 "
        "64000000 000000000000F03F FFFFFFFF 00000000000004C0",
        MultipleVariableDouble(**SEVERAL, value=np.array([1.0, -2.5])),
    ),
    "multiple string": (
        f"2C000000 00038100 {TIME} 02000000 05000000 02000100 02000000 "
        "64000000 05000000 61626364 65000000 FFFFFFFF 04000000 66676869",
        MultipleVariableString(**SEVERAL, value=("abcde", "fghi")),
    ),
    "multiple u32 array": (
        f"2C000000 00048100 {TIME} 02000000 05000000 02000100 02000000 "
        "64000000 02000000 07000000 08000000 FFFFFFFF 01000000 09000000",
        MultipleVariableU32Array(**SEVERAL, value_offset=i64(0, 2, 3), value=u32(7, 8, 9)),
    ),
    "multiple double array": (
        f"30000000 00058100 {TIME} 02000000 05000000 02000100 02000000 "
        "64000000 00000000 FFFFFFFF 02000000 000000000000F03F 00000000000004C0",
        MultipleVariableDoubleArray(**SEVERAL, value_offset=i64(0, 0, 2), value=np.array([1.0, -2.5])),
    ),
    "raw events v0": (
        f"20000000 00000000 {TIME} 0B000000 04000380 87A51711 {CYCLE_HEX} 068B0200 39300080 E8030000 2A000000",
        RawEvents(**RAW, data_flags=0, flavor=0x11, version=0),
    ),
    "mapped events v1": (
        f"20000000 01030000 {TIME} 0B000000 04000380 87A51711 {CYCLE_HEX} 068B0200 39300080 E8030000 2A000000",
        MappedEvents(**RAW, data_flags=2, flavor=1),
    ),
    "sources": (
        f"08000000 00020000 {TIME} 01000000 0B000000",
        SourceList(time_ns=TIME_NS, source_id=u32(1, 11)),
    ),
    "pixel map": (
        f"1C000000 00024000 {TIME} 64000000 02000300 07000000 05000000 C8000000 01000400 09000000",
        PixelMapping(
            time_ns=TIME_NS,
            logical_id=u32(100, 101, 200),
            physical_id=u32(7, 5, 9),
            bank_id=u32(3, 3, 4),
        ),
    ),
    "pixel map alt v0": (
        f"18000000 00024100 {TIME} 02000000 64000000 03000300 07000000 05000000 08000000",
        PixelMappingAlt(
            time_ns=TIME_NS,
            n_banks=2,
            physical_id=u32(100, 101, 102),
            logical_id=u32(7, 5, 8),
            bank_id=u32(3, 3, 3),
            version=0,
        ),
    ),
    # The two examples of the specification.
    "pixel map alt v1": (
        f"40000000 01024100 {TIME} 02000000 "
        "E8030000 E9830300 D0070000 D0070000 02000100 A00F0000 "
        "E8030000 65800400 D0070000 D0CF0000 00FE0A00 D0070000 "
        "05000000 01000500 09000000",
        PixelMappingAlt(
            time_ns=TIME_NS,
            n_banks=2,
            physical_id=u32(*range(1000, 2001), *range(1000, 2001, 10), 5),
            logical_id=u32(*range(2000, 4001, 2), *range(53200, 1999, -512), 9),
            bank_id=u32(*[3] * 1001, *[4] * 101, 5),
        ),
    ),
    "monitor config v0": (
        f"1C000000 000D4000 {TIME} 01000000 03000000 0A000000 1A410000 01000000 000000000000F03F",
        BeamMonitorConfig(
            time_ns=TIME_NS,
            monitors=(
                MonitorConfig(monitor_id=3, tof_offset_us=10, tof_max_us=16666, tof_bin_us=1, distance=1.0),
            ),
            version=0,
        ),
    ),
    "monitor config v1": (
        f"3C000000 010D4000 {TIME} 02000000 03000000 0A000000 1A410000 01000000 000000000000F03F "
        "04000000 00000000 1A410000 02000000 00000000000004C0 01000000 02000000",
        BeamMonitorConfig(
            time_ns=TIME_NS,
            monitors=(
                MonitorConfig(
                    monitor_id=3, tof_offset_us=10, tof_max_us=16666, tof_bin_us=1, distance=1.0, format=1
                ),
                MonitorConfig(
                    monitor_id=4, tof_offset_us=0, tof_max_us=16666, tof_bin_us=2, distance=-2.5, format=2
                ),
            ),
        ),
    ),
    "bank sets": (
        f"48000000 000E4000 {TIME} 01000000 4E6F7274682042616E6B730000000000 03000000 02000000 "
        "01000000 09000000 0A000000 1A410000 01000000 000000000000F03F 6E6F727468" + "00" * 11,
        DetectorBankSets(
            time_ns=TIME_NS,
            sets=(
                BankSet(
                    name="North Banks",
                    flags=3,
                    bank_ids=(1, 9),
                    tof_offset_us=10,
                    tof_max_us=16666,
                    tof_bin_us=1,
                    throttle_hz=1.0,
                    suffix="north",
                ),
            ),
        ),
    ),
    "banked with states": (
        f"40000000 00004100 {TIME} 87A51700 A497E837 3C000000 04041000 "
        "01000000 068B0200 00000080 02000000 "
        "05000000 02000000 01000000 E8030000 2A000000 "
        "05000000 03000000 00000000",
        BankedStateEvents(
            time_ns=TIME_NS,
            proton_charge_pc=10 * 0x17A587,
            energy_ev=0x37E897A4,
            cycle=60,
            veto=1,
            flags=0x404,
            source_id=u32(1),
            intrapulse_time=u32(0x28B06),
            tof_offset=u32(0),
            tof_corrected=bools(True),
            n_banks=i64(2),
            bank_id=u32(5, 5),
            bank_state=u32(2, 3),
            bank_offset=i64(0, 1, 1),
            pixel_id=u32(42),
            tof=u32(1000),
        ),
    ),
    "a type that is not known": (
        f"04000000 07785634 {TIME} DEADBEEF",
        UnknownPacket(time_ns=TIME_NS, type=0x345678, version=7, payload=bytes.fromhex("DEADBEEF")),
    ),
    "a version that is not known": (
        f"04000000 02034000 {TIME} 01020304",
        UnknownPacket(time_ns=TIME_NS, type=0x4003, version=2, payload=b"\1\2\3\4"),
    ),
}


@pytest.mark.parametrize(("text", "packet"), CASES.values(), ids=CASES.keys())
def test_bytes_of_the_specification(text, packet):
    data = bytes.fromhex(text)

    (raw,) = Framer().feed(data)

    assert decode(raw) == packet
    assert encode(packet) == data


def test_bank_header_numbers_stay_columns_of_their_dtypes():
    (raw,) = Framer().feed(bytes.fromhex(CASES["banked v1"][0]))

    packet = decode(raw)

    assert [packet.pixel_id.dtype, packet.tof.dtype, packet.bank_id.dtype] == [np.uint32] * 3
    assert [packet.bank_offset.dtype, packet.n_banks.dtype] == [np.int64] * 2
    assert packet.n_events == 3
    assert packet.n_uncorrected_sources == 1


def test_a_code_that_is_not_known_is_no_run_edge():
    code = RunStatusCode(7)

    assert not code.is_known
    assert code == 7
    assert code.name == "UNKNOWN_7"
    assert code not in set(RunStatusCode)
    assert RunStatusCode(4) is RunStatusCode.END_RUN
    assert RunStatusCode.END_RUN.is_known


def test_a_double_with_status_one_is_not_a_run_status():
    data = encode(
        VariableDouble(
            time_ns=TIME_NS, device_id=1, variable_id=1, value=0.0, status=VariableStatus.READ_ERROR
        )
    )

    (raw,) = Framer().feed(data)

    assert isinstance(decode(raw), VariableDouble)


def test_the_signature_spells_what_the_specification_says():
    assert bytes.fromhex("534e5341444152414f524e4c0000f07f") == SYNC_SIGNATURE


def test_text_that_is_not_utf8_is_read_as_latin1():
    data = bytes.fromhex(CASES["variable string"][0]).replace(b"\xc2\xb0K", b"\xb0K\xe9")

    (raw,) = Framer().feed(data)

    assert decode(raw).value == "°Ké"


def test_beamline_without_target_station_is_at_the_first():
    data = bytearray(bytes.fromhex(CASES["beamline info v1"][0]))
    data[19] = 0

    (raw,) = Framer().feed(data)

    assert decode(raw).target_station == 1
