"""Packets recorded at SNS, against the values that two other programs read from them."""

import json
from pathlib import Path

import numpy as np
import pytest

from livered_core.adara import (
    SYNC_SIGNATURE,
    BankedEvents,
    BeamMonitorEvents,
    DeviceDescriptor,
    Framer,
    ProcessVariable,
    Rtdl,
    RunStatus,
    Sync,
    VariableDouble,
    VariableU32,
    decode,
    detector_events,
    encode,
    epics_time,
    read_device,
)

FOLDER = Path(__file__).parents[3] / "shared" / "reference" / "golden" / "adara_packets"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="recorded packets are not there: ../shared/reference/golden/adara_packets"
)

NAMES = (
    "bankedEventPacket",
    "beamMonitorPacket",
    "rtdlPacket",
    "runStatusPacket",
    "syncPacket",
    "variableDoublePacket",
    "variableU32Packet",
    "devDesPacket",
)


@pytest.fixture(scope="module")
def facts():
    return json.loads((FOLDER / "facts.json").read_text())


def load(facts, name):
    data = (FOLDER / facts[name]["file"]).read_bytes()
    (raw,) = Framer().feed(data)
    return data, raw, decode(raw), facts[name]["decoded"]


def test_all_recorded_packets_are_looked_at(facts):
    assert {*NAMES, "all_packets_stream"} == facts.keys()


@pytest.mark.parametrize("name", NAMES)
def test_header_and_the_way_back(facts, name):
    data, raw, packet, _ = load(facts, name)
    header = facts[name]["header"]

    assert len(data) == facts[name]["bytes"]
    assert len(raw.payload) == header["payload_length"]
    assert (raw.type, raw.version) == (int(header["packet_type"], 16), header["version"])
    assert raw.type << 8 | raw.version == int(header["type_field"], 16)
    seconds = (header["pulse_id_seconds_since_1990"], header["pulse_id_nanoseconds"])
    assert epics_time(packet.time_ns) == seconds
    assert packet.version == header["version"]
    assert encode(packet) == data


def test_banked_events(facts):
    _, _, packet, expected = load(facts, "bankedEventPacket")
    sources = expected["sources"]
    banks = [bank for source in sources for bank in source["banks"]]
    events = [event for bank in banks for event in bank["events"]]

    assert isinstance(packet, BankedEvents)
    assert packet.proton_charge_pc == expected["pulse_charge_pC"]
    assert packet.energy_ev == expected["pulse_energy_eV"]
    assert (packet.cycle, packet.veto, packet.flags) == (
        expected["cycle"],
        expected["veto"],
        expected["flags"],
    )
    assert packet.source_id.tolist() == [source["source_id"] for source in sources]
    assert packet.intrapulse_time.tolist() == [source["intrapulse_time"] for source in sources]
    assert packet.tof_offset.tolist() == [source["tof_offset"] for source in sources]
    assert packet.tof_corrected.tolist() == [source["tof_corrected"] for source in sources]
    assert packet.n_banks.tolist() == [len(source["banks"]) for source in sources]
    assert packet.bank_id.tolist() == [bank["bank_id"] for bank in banks]
    assert np.diff(packet.bank_offset).tolist() == [len(bank["events"]) for bank in banks]
    assert packet.tof.tolist() == [event["tof_ticks_100ns"] for event in events]
    assert packet.pixel_id.tolist() == [event["pixel"] for event in events]
    assert packet.n_events == expected["n_events"]
    assert detector_events(packet).tof is packet.tof


def test_beam_monitor_events(facts):
    _, _, packet, expected = load(facts, "beamMonitorPacket")

    assert isinstance(packet, BeamMonitorEvents)
    assert packet.proton_charge_pc == 10 * expected["pulse_charge_10pC"]
    assert packet.energy_ev == expected["pulse_energy_eV"]
    assert (packet.cycle, packet.flags) == (expected["cycle"], expected["flags"])
    assert len(packet.monitor_id) == expected["monitor_sections"]


def test_rtdl(facts):
    _, _, packet, expected = load(facts, "rtdlPacket")
    frames = [
        line.split() for line in facts["rtdlPacket"]["adara_parser_output"] if line.strip().startswith("FNA")
    ]

    assert isinstance(packet, Rtdl)
    assert (packet.cycle, packet.veto, packet.bad_veto) == (
        expected["cycle"],
        expected["veto_flags"],
        expected["bad_veto"],
    )
    assert (packet.timing_status, packet.flavor) == (expected["timing_status"], expected["flavor"])
    assert packet.intrapulse_time == expected["intrapulse_time_100ns"]
    assert packet.tof_offset == expected["tof_offset_100ns"]
    assert packet.proton_charge_pc == 10 * expected["pulse_charge_10pC"]
    assert packet.ring_period_ps == expected["ring_period_ps"]
    assert packet.frame_number.tolist() == [int(frame[1]) for frame in frames]
    assert packet.frame_data.tolist() == [int(frame[3]) for frame in frames]


def test_run_status(facts):
    _, _, packet, expected = load(facts, "runStatusPacket")

    assert isinstance(packet, RunStatus)
    assert packet.run_number == expected["run_number"]
    assert epics_time(packet.run_start_ns) == (expected["run_start_seconds_since_1990"], 0)
    assert (packet.status.name, packet.status) == (expected["status"], expected["status_code"])


def test_sync(facts):
    _, _, packet, expected = load(facts, "syncPacket")

    assert isinstance(packet, Sync)
    assert packet.signature == bytes.fromhex(expected["signature_hex"]) == SYNC_SIGNATURE
    assert packet.file_offset == expected["file_offset"]
    assert len(packet.comment) == expected["comment_length"]


@pytest.mark.parametrize(
    ("name", "kind"), [("variableDoublePacket", VariableDouble), ("variableU32Packet", VariableU32)]
)
def test_variables(facts, name, kind):
    _, _, packet, expected = load(facts, name)

    assert isinstance(packet, kind)
    assert {field: getattr(packet, field) for field in expected} == expected


def test_device_descriptor(facts):
    _, _, packet, expected = load(facts, "devDesPacket")

    assert isinstance(packet, DeviceDescriptor)
    assert packet.device_id == expected["device_id"]
    assert len(packet.xml) == expected["description_length"]
    assert packet.xml == expected["xml"]
    device = read_device(packet.xml)
    assert device.name == "lakeshore_336"
    assert device.enumerations == {"enum_01": {0: "Undefined", 1: "At_Temp", 2: "Out_of_temp"}}
    assert list(device.variables) == list(range(1, 13))
    assert device.variables[2] == ProcessVariable(name="SensorB", type="double")
    assert device.variables[12] == ProcessVariable(name="Loop2_Status", type="enum_01")


def test_all_in_a_row(facts):
    entry = facts["all_packets_stream"]
    data = (FOLDER / entry["file"]).read_bytes()
    single = [decode(load(facts, name)[1]) for name in entry["order"]]
    framer = Framer()

    found = [decode(raw) for position in range(0, len(data), 7) for raw in framer.feed(data[position:][:7])]

    assert found == single
    assert b"".join(encode(packet) for packet in found) == data
