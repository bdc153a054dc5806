"""From packets as they were cut out of the stream to packets that mean something.

Layouts are those of the ADARA network protocol, section "Stream Management Service (SMS) generated events" and
"Meta Data Packets". What comes after text in a payload is padding and is not looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from livered_core.adara import variables
from livered_core.adara.banked import decode_banked_events
from livered_core.adara.detector_config import decode_beam_monitor_config, decode_detector_bank_sets
from livered_core.adara.detector_system import (
    decode_mapped_events,
    decode_raw_events,
    decode_rtdl,
    decode_source_list,
)
from livered_core.adara.epoch import unix_ns
from livered_core.adara.monitors import decode_beam_monitor_events
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
    StartRequest,
    Sync,
    TransComplete,
    UnknownPacket,
)
from livered_core.adara.pixel_map import decode_pixel_mapping, decode_pixel_mapping_alt
from livered_core.adara.types import AnnotationMarker, PacketType, RunStatusCode
from livered_core.adara.wire import RawPacket, require_at_least, require_length, text_at

_U32 = struct.Struct("<I")
_TWO_U32 = struct.Struct("<II")
_RUN_STATUS = struct.Struct("<III")
_SYNC = struct.Struct("<16sQI")
_LOWER_24 = (1 << 24) - 1


def decode(raw: RawPacket) -> Packet:
    """Read a packet.

    Parameters
    ----------
    raw
        As a `Framer` gives it.

    Returns
    -------
    Packet
        `UnknownPacket` for a type, or a version of a type, that is not known: its payload is never guessed at.

    Raises
    ------
    ProtocolError
        When the payload contradicts itself or is too short.
    """
    decoder = _DECODERS.get((raw.type, raw.version))
    if decoder is None:
        return UnknownPacket(
            type=raw.type, version=raw.version, time_ns=raw.time_ns, payload=bytes(raw.payload)
        )
    return decoder(raw)


def _client_hello(raw: RawPacket) -> ClientHello:
    require_length(raw, 4 if raw.version == 0 else 8)
    (start,) = _U32.unpack_from(raw.payload)
    flags = 0 if raw.version == 0 else _U32.unpack_from(raw.payload, 4)[0]
    return ClientHello(time_ns=raw.time_ns, start=StartRequest(start), flags=flags, version=raw.version)


def _run_status(raw: RawPacket) -> RunStatus:
    require_length(raw, 12 if raw.version == 0 else 20)
    number, start, status_word = _RUN_STATUS.unpack_from(raw.payload)
    pause_word, addendum_word = (0, 0) if raw.version == 0 else _TWO_U32.unpack_from(raw.payload, 12)
    return RunStatus(
        time_ns=raw.time_ns,
        run_number=number,
        run_start_ns=unix_ns(start) if start else 0,
        status=RunStatusCode(status_word >> 24),
        file_number=status_word & _LOWER_24,
        paused=bool(pause_word >> 24),
        pause_file_number=pause_word & _LOWER_24,
        addendum=bool(addendum_word >> 24),
        addendum_file_number=addendum_word & _LOWER_24,
        version=raw.version,
    )


def _xml(raw: RawPacket) -> str:
    require_at_least(raw, 4)
    (length,) = _U32.unpack_from(raw.payload)
    return text_at(raw, 4, length, "XML")


def _run_info(raw: RawPacket) -> RunInfoPacket:
    return RunInfoPacket(time_ns=raw.time_ns, xml=_xml(raw), version=raw.version)


def _geometry(raw: RawPacket) -> Geometry:
    return Geometry(time_ns=raw.time_ns, xml=_xml(raw), version=raw.version)


def _beamline_info(raw: RawPacket) -> BeamlineInfo:
    require_at_least(raw, 4)
    # The lengths stand in one word, that of the long name lowest.
    long_length, short_length, id_length, station = raw.payload[:4]
    return BeamlineInfo(
        time_ns=raw.time_ns,
        beamline_id=text_at(raw, 4, id_length, "beamline id"),
        short_name=text_at(raw, 4 + id_length, short_length, "short name"),
        long_name=text_at(raw, 4 + id_length + short_length, long_length, "long name"),
        target_station=1 if raw.version == 0 else station or 1,
        version=raw.version,
    )


def _device_descriptor(raw: RawPacket) -> DeviceDescriptor:
    require_at_least(raw, 8)
    device_id, length = _TWO_U32.unpack_from(raw.payload)
    xml = text_at(raw, 8, length, "XML")
    return DeviceDescriptor(time_ns=raw.time_ns, device_id=device_id, xml=xml, version=raw.version)


def _annotation(raw: RawPacket) -> Annotation:
    require_at_least(raw, 8)
    word, scan_index = _TWO_U32.unpack_from(raw.payload)
    return Annotation(
        time_ns=raw.time_ns,
        marker=AnnotationMarker(word >> 16 & 0x7FFF),
        reset_hint=bool(word >> 31),
        scan_index=scan_index,
        comment=text_at(raw, 8, word & 0xFFFF, "comment"),
        version=raw.version,
    )


def _sync(raw: RawPacket) -> Sync:
    require_at_least(raw, _SYNC.size)
    signature, file_offset, length = _SYNC.unpack_from(raw.payload)
    return Sync(
        time_ns=raw.time_ns,
        file_offset=file_offset,
        comment=text_at(raw, _SYNC.size, length, "comment"),
        signature=signature,
        version=raw.version,
    )


def _heartbeat(raw: RawPacket) -> Heartbeat:
    require_length(raw, 0)
    return Heartbeat(time_ns=raw.time_ns, version=raw.version)


def _data_done(raw: RawPacket) -> DataDone:
    require_length(raw, 0)
    return DataDone(time_ns=raw.time_ns, version=raw.version)


def _trans_complete(raw: RawPacket) -> TransComplete:
    require_at_least(raw, 4)
    (word,) = _U32.unpack_from(raw.payload)
    reason = text_at(raw, 4, word & 0xFFFF, "reason")
    return TransComplete(time_ns=raw.time_ns, status=word >> 16, reason=reason, version=raw.version)


_DECODERS: Final[Mapping[tuple[int, int], Callable[[RawPacket], Packet]]] = MappingProxyType(
    {
        (PacketType.RAW_EVENT, 0): decode_raw_events,
        (PacketType.RAW_EVENT, 1): decode_raw_events,
        (PacketType.MAPPED_EVENT, 0): decode_mapped_events,
        (PacketType.MAPPED_EVENT, 1): decode_mapped_events,
        (PacketType.SOURCE_LIST, 0): decode_source_list,
        (PacketType.RTDL, 0): decode_rtdl,
        (PacketType.RTDL, 1): decode_rtdl,
        (PacketType.BANKED_EVENT, 0): decode_banked_events,
        (PacketType.BANKED_EVENT, 1): decode_banked_events,
        (PacketType.BANKED_EVENT_STATE, 0): decode_banked_events,
        (PacketType.BEAM_MONITOR_EVENT, 0): decode_beam_monitor_events,
        (PacketType.BEAM_MONITOR_EVENT, 1): decode_beam_monitor_events,
        (PacketType.PIXEL_MAPPING, 0): decode_pixel_mapping,
        (PacketType.PIXEL_MAPPING_ALT, 0): decode_pixel_mapping_alt,
        (PacketType.PIXEL_MAPPING_ALT, 1): decode_pixel_mapping_alt,
        (PacketType.BEAM_MONITOR_CONFIG, 0): decode_beam_monitor_config,
        (PacketType.BEAM_MONITOR_CONFIG, 1): decode_beam_monitor_config,
        (PacketType.DETECTOR_BANK_SETS, 0): decode_detector_bank_sets,
        (PacketType.RUN_STATUS, 0): _run_status,
        (PacketType.RUN_STATUS, 1): _run_status,
        (PacketType.RUN_INFO, 0): _run_info,
        (PacketType.TRANS_COMPLETE, 0): _trans_complete,
        (PacketType.CLIENT_HELLO, 0): _client_hello,
        (PacketType.CLIENT_HELLO, 1): _client_hello,
        (PacketType.STREAM_ANNOTATION, 0): _annotation,
        (PacketType.SYNC, 0): _sync,
        (PacketType.HEARTBEAT, 0): _heartbeat,
        (PacketType.GEOMETRY, 0): _geometry,
        (PacketType.BEAMLINE_INFO, 0): _beamline_info,
        (PacketType.BEAMLINE_INFO, 1): _beamline_info,
        (PacketType.DATA_DONE, 0): _data_done,
        (PacketType.DEVICE_DESCRIPTOR, 0): _device_descriptor,
        (PacketType.VARIABLE_U32, 0): variables.decode_u32,
        (PacketType.VARIABLE_DOUBLE, 0): variables.decode_double,
        (PacketType.VARIABLE_STRING, 0): variables.decode_string,
        (PacketType.VARIABLE_U32_ARRAY, 0): variables.decode_u32_array,
        (PacketType.VARIABLE_DOUBLE_ARRAY, 0): variables.decode_double_array,
        (PacketType.MULTIPLE_VARIABLE_U32, 0): variables.decode_multiple_u32,
        (PacketType.MULTIPLE_VARIABLE_DOUBLE, 0): variables.decode_multiple_double,
        (PacketType.MULTIPLE_VARIABLE_STRING, 0): variables.decode_multiple_string,
        (PacketType.MULTIPLE_VARIABLE_U32_ARRAY, 0): variables.decode_multiple_u32_array,
        (PacketType.MULTIPLE_VARIABLE_DOUBLE_ARRAY, 0): variables.decode_multiple_double_array,
    }
)
"""What reads which type and version."""
