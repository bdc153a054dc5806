"""From packets to the bytes of the stream. The layouts are described in `livered_core.adara.decode`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from livered_core.adara import variables
from livered_core.adara.banked import encode_banked_events
from livered_core.adara.detector_config import (
    BeamMonitorConfig,
    DetectorBankSets,
    encode_beam_monitor_config,
    encode_detector_bank_sets,
)
from livered_core.adara.detector_system import (
    MappedEvents,
    RawEvents,
    Rtdl,
    SourceList,
    encode_raw_events,
    encode_rtdl,
    encode_source_list,
)
from livered_core.adara.epoch import epics_time
from livered_core.adara.monitors import encode_beam_monitor_events
from livered_core.adara.packets import (
    Annotation,
    BeamlineInfo,
    ClientHello,
    DataDone,
    DeviceDescriptor,
    Geometry,
    Heartbeat,
    Packet,
    RunInfoPacket,
    RunStatus,
    Sync,
    TransComplete,
    UnknownPacket,
)
from livered_core.adara.pixel_map import PixelMapping, PixelMappingAlt, encode_pixel_mapping
from livered_core.adara.pulses import BankedEvents, BankedStateEvents, BeamMonitorEvents
from livered_core.adara.types import PacketType
from livered_core.adara.wire import bits, frame, padded, text_bytes, unfit

_SIGNATURE_BYTES = 16


def encode(packet: Packet) -> bytes:
    """Write a packet, header included.

    Parameters
    ----------
    packet
        Any of the packet classes.

    Returns
    -------
    bytes
        What goes over the wire or into a file.

    Raises
    ------
    DataModelError
        When a number or a text does not fit the packet's version. Nothing is cut off silently.
    """
    if isinstance(packet, UnknownPacket):
        payload = packet.payload
        if len(payload) % 4:
            raise unfit(packet, f"its payload has {len(payload)} bytes and must have a multiple of 4")
        packet_type = bits(packet, "type", packet.type, 24)
        version = bits(packet, "version", packet.version, 8)
        return frame(packet_type, version, packet.time_ns, payload)
    packet_type, newest, write_payload = _ENCODERS[type(packet)]
    if packet.version not in range(newest + 1):
        raise unfit(packet, f"version {packet.version} is not known, the newest is {newest}")
    return frame(packet_type, packet.version, packet.time_ns, write_payload(packet))


def _words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _client_hello(packet: ClientHello) -> bytes:
    start = bits(packet, "start", packet.start.wire_value, 32)
    if packet.version == 0:
        bits(packet, "flags of version 0", packet.flags, 0)
        return _words(start)
    return _words(start, bits(packet, "flags", packet.flags, 32))


def _run_status(packet: RunStatus) -> bytes:
    words = [
        bits(packet, "run_number", packet.run_number, 32),
        epics_time(packet.run_start_ns)[0] if packet.run_start_ns else 0,
        bits(packet, "status", packet.status, 8) << 24 | bits(packet, "file_number", packet.file_number, 24),
    ]
    width = 0 if packet.version == 0 else 24
    pause_word = bool(packet.paused) << 24 | bits(
        packet, "pause_file_number", packet.pause_file_number, width
    )
    addendum_word = bool(packet.addendum) << 24 | bits(
        packet, "addendum_file_number", packet.addendum_file_number, width
    )
    if packet.version > 0:
        return _words(*words, pause_word, addendum_word)
    if pause_word or addendum_word:
        raise unfit(packet, "version 0 cannot say that the run is paused or that the file is an addendum")
    return _words(*words)


def _xml(packet: RunInfoPacket | Geometry) -> bytes:
    data = text_bytes(packet, "xml", packet.xml, 32)
    return _words(len(data)) + padded(data)


def _beamline_info(packet: BeamlineInfo) -> bytes:
    if packet.version == 0 and packet.target_station != 1:
        raise unfit(packet, "version 0 cannot say a target_station other than 1")
    beamline_id = text_bytes(packet, "beamline_id", packet.beamline_id, 8)
    short_name = text_bytes(packet, "short_name", packet.short_name, 8)
    long_name = text_bytes(packet, "long_name", packet.long_name, 8)
    station = 0 if packet.version == 0 else bits(packet, "target_station", packet.target_station, 8)
    lengths = bytes((len(long_name), len(short_name), len(beamline_id), station))
    return lengths + padded(beamline_id + short_name + long_name)


def _device_descriptor(packet: DeviceDescriptor) -> bytes:
    data = text_bytes(packet, "xml", packet.xml, 32)
    return _words(bits(packet, "device_id", packet.device_id, 32), len(data)) + padded(data)


def _annotation(packet: Annotation) -> bytes:
    comment = text_bytes(packet, "comment", packet.comment, 16)
    word = bool(packet.reset_hint) << 31 | bits(packet, "marker", packet.marker, 15) << 16 | len(comment)
    return _words(word, bits(packet, "scan_index", packet.scan_index, 32)) + padded(comment)


def _sync(packet: Sync) -> bytes:
    if len(packet.signature) != _SIGNATURE_BYTES:
        raise unfit(
            packet, f"its signature has {len(packet.signature)} bytes and must have {_SIGNATURE_BYTES}"
        )
    comment = text_bytes(packet, "comment", packet.comment, 32)
    offset = bits(packet, "file_offset", packet.file_offset, 64)
    return packet.signature + struct.pack("<QI", offset, len(comment)) + padded(comment)


def _nothing(_packet: Heartbeat | DataDone) -> bytes:
    return b""


def _trans_complete(packet: TransComplete) -> bytes:
    reason = text_bytes(packet, "reason", packet.reason, 16)
    return _words(bits(packet, "status", packet.status, 16) << 16 | len(reason)) + padded(reason)


_ENCODERS: Final[Mapping[type[Any], tuple[PacketType, int, Callable[[Any], bytes]]]] = MappingProxyType(
    {
        Annotation: (PacketType.STREAM_ANNOTATION, 0, _annotation),
        BankedEvents: (PacketType.BANKED_EVENT, 1, encode_banked_events),
        BankedStateEvents: (PacketType.BANKED_EVENT_STATE, 0, encode_banked_events),
        BeamMonitorEvents: (PacketType.BEAM_MONITOR_EVENT, 1, encode_beam_monitor_events),
        BeamlineInfo: (PacketType.BEAMLINE_INFO, 1, _beamline_info),
        ClientHello: (PacketType.CLIENT_HELLO, 1, _client_hello),
        DataDone: (PacketType.DATA_DONE, 0, _nothing),
        DeviceDescriptor: (PacketType.DEVICE_DESCRIPTOR, 0, _device_descriptor),
        Geometry: (PacketType.GEOMETRY, 0, _xml),
        Heartbeat: (PacketType.HEARTBEAT, 0, _nothing),
        Rtdl: (PacketType.RTDL, 1, encode_rtdl),
        RunInfoPacket: (PacketType.RUN_INFO, 0, _xml),
        RunStatus: (PacketType.RUN_STATUS, 1, _run_status),
        Sync: (PacketType.SYNC, 0, _sync),
        TransComplete: (PacketType.TRANS_COMPLETE, 0, _trans_complete),
        RawEvents: (PacketType.RAW_EVENT, 1, encode_raw_events),
        MappedEvents: (PacketType.MAPPED_EVENT, 1, encode_raw_events),
        SourceList: (PacketType.SOURCE_LIST, 0, encode_source_list),
        PixelMapping: (PacketType.PIXEL_MAPPING, 0, encode_pixel_mapping),
        PixelMappingAlt: (PacketType.PIXEL_MAPPING_ALT, 1, encode_pixel_mapping),
        BeamMonitorConfig: (PacketType.BEAM_MONITOR_CONFIG, 1, encode_beam_monitor_config),
        DetectorBankSets: (PacketType.DETECTOR_BANK_SETS, 0, encode_detector_bank_sets),
        variables.VariableU32: (PacketType.VARIABLE_U32, 0, variables.encode_u32),
        variables.VariableDouble: (PacketType.VARIABLE_DOUBLE, 0, variables.encode_double),
        variables.VariableString: (PacketType.VARIABLE_STRING, 0, variables.encode_string),
        variables.VariableU32Array: (PacketType.VARIABLE_U32_ARRAY, 0, variables.encode_array),
        variables.VariableDoubleArray: (PacketType.VARIABLE_DOUBLE_ARRAY, 0, variables.encode_array),
        variables.MultipleVariableU32: (PacketType.MULTIPLE_VARIABLE_U32, 0, variables.encode_multiple_u32),
        variables.MultipleVariableDouble: (
            PacketType.MULTIPLE_VARIABLE_DOUBLE,
            0,
            variables.encode_multiple_double,
        ),
        variables.MultipleVariableString: (
            PacketType.MULTIPLE_VARIABLE_STRING,
            0,
            variables.encode_multiple_string,
        ),
        variables.MultipleVariableU32Array: (
            PacketType.MULTIPLE_VARIABLE_U32_ARRAY,
            0,
            variables.encode_multiple_array,
        ),
        variables.MultipleVariableDoubleArray: (
            PacketType.MULTIPLE_VARIABLE_DOUBLE_ARRAY,
            0,
            variables.encode_multiple_array,
        ),
    }
)
"""Type, newest version and writer of the payload of each class."""
