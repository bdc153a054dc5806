"""What the detector system sends for each pulse: the accelerator's words, and events as they were recorded.

Clients get the accelerator's words (RTDL) from the server; events of these types, and the list of sources, reach
only the server.

Layouts: sections "Real Time Data Link (RTDL) Information", "Raw Event Data", "Mapped Event Data" and "Event Source
List" of the protocol. RTDL and events share four words: charge, cycle, time between pulses, offset of frame skew.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import attrs
import numpy as np

from livered_core.adara.columns import U32, by_value, is_u32, require_same_length, shape
from livered_core.adara.epoch import epics_time
from livered_core.adara.types import CHARGE_UNIT_PC
from livered_core.adara.wire import (
    HEADER,
    RawPacket,
    bits,
    charge_units,
    damaged,
    require_at_least,
    require_length,
    unfit,
)

_TIMING = struct.Struct("<IIII")
_RING = struct.Struct("<I")
_RAW_HEAD = struct.Struct("<II")
_RING_PERIOD_FRAME = 4
_LOWER_24 = (1 << 24) - 1
_TOP_BIT = 1 << 31

RTDL_FRAMES: Final = 25
"""Number of frames in an RTDL packet after that of the ring period."""


def _no_frames() -> U32:
    return np.zeros(RTDL_FRAMES, np.uint32)


@attrs.frozen(kw_only=True)
class Rtdl:
    """Type 0x0001, versions 0 and 1: what the accelerator says of a pulse. `time_ns` is the pulse.

    Attributes
    ----------
    proton_charge_pc
        Charge of the pulse before, picocoulomb, a multiple of 10 and below 2**24 * 10.
    flavor
        Kind of pulse: 3 bits, 8 in version 0. 1 is a normal pulse for target station 1.
    data_flags
        5 bits: 1 neutrons, 2 metadata; 0 in version 0, which has none.
    cycle, timing_status, veto
        10, 8 and 12 bits; the veto is that of the pulse before.
    bad_veto, bad_cycle
        Deprecated by the protocol.
    intrapulse_time, tof_offset
        Ticks of 100 ns.
    tof_corrected
        Whether times of flight are corrected for frame skew.
    ring_period_ps
        Picoseconds of one turn of the accumulator ring, 24 bits.
    frame_number, frame_data
        uint32[25]: number (8 bits; 0 for none) and contents (24 bits) of further frames.
    """

    time_ns: int
    proton_charge_pc: int
    flavor: int = 1
    data_flags: int = 0
    cycle: int = 0
    timing_status: int = 0
    veto: int = 0
    bad_veto: bool = False
    bad_cycle: bool = False
    intrapulse_time: int = 0
    tof_offset: int = 0
    tof_corrected: bool = True
    ring_period_ps: int = 0
    frame_number: U32 = attrs.field(factory=_no_frames, validator=is_u32, eq=by_value, repr=shape)
    frame_data: U32 = attrs.field(factory=_no_frames, validator=is_u32, eq=by_value, repr=shape)
    version: int = 1

    def __attrs_post_init__(self) -> None:
        if len(self.frame_number) != RTDL_FRAMES or len(self.frame_data) != RTDL_FRAMES:
            message = f"Rtdl must have {RTDL_FRAMES} frames and has {len(self.frame_number)} and {len(self.frame_data)}."
            raise ValueError(message)


@attrs.frozen(kw_only=True)
class RawEvents:
    """Type 0x0000, versions 0 and 1: events with the pixels of the electronics. `time_ns` is the pulse.

    The arrays belong to the packet: do not write to them.

    Attributes
    ----------
    source_id
        Which part of the electronics recorded them.
    end_of_pulse
        Whether this is the source's last packet of the pulse.
    pulse_sequence, source_sequence
        15 bits and 16 bits: the packet's number within the pulse, and of all of the source's packets.
    proton_charge_pc, flavor, data_flags, cycle, timing_status, veto, bad_veto, bad_cycle, intrapulse_time, \
    tof_offset, tof_corrected
        As in `Rtdl`.
    tof
        uint32[n], ticks of 100 ns; events of metadata have the accelerator's cycle above 21 bits.
    pixel_id
        uint32[n].
    """

    time_ns: int
    source_id: int
    end_of_pulse: bool = False
    pulse_sequence: int = 0
    source_sequence: int = 0
    proton_charge_pc: int = 0
    flavor: int = 1
    data_flags: int = 0
    cycle: int = 0
    timing_status: int = 0
    veto: int = 0
    bad_veto: bool = False
    bad_cycle: bool = False
    intrapulse_time: int = 0
    tof_offset: int = 0
    tof_corrected: bool = True
    tof: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    pixel_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    version: int = 1

    def __attrs_post_init__(self) -> None:
        require_same_length(self, "tof", "pixel_id")


@attrs.frozen(kw_only=True)
class MappedEvents(RawEvents):
    """Type 0x0003, versions 0 and 1: as `RawEvents`, with the pixels of the instrument."""


@attrs.frozen(kw_only=True)
class SourceList:
    """Type 0x0002: the sources that a connection will bring events of.

    Attributes
    ----------
    source_id
        uint32[n].
    """

    time_ns: int
    source_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    version: int = 0


def decode_rtdl(raw: RawPacket) -> Rtdl:
    """Read what the accelerator says of a pulse.

    Parameters
    ----------
    raw
        A packet of type 0x0001, version 0 or 1.

    Raises
    ------
    ProtocolError
        When the payload is not 120 bytes, or the ring period is not where it must be.
    """
    require_length(raw, _TIMING.size + _RING.size + 4 * RTDL_FRAMES)
    (ring_word,) = _RING.unpack_from(raw.payload, _TIMING.size)
    if ring_word >> 24 != _RING_PERIOD_FRAME:
        raise damaged(
            raw, f"has frame {ring_word >> 24} where the ring period, frame {_RING_PERIOD_FRAME}, must be"
        )
    frames = np.frombuffer(raw.payload, "<u4", offset=_TIMING.size + _RING.size).astype(np.uint32)
    return Rtdl(
        time_ns=raw.time_ns,
        ring_period_ps=ring_word & _LOWER_24,
        frame_number=frames >> np.uint32(24),
        frame_data=frames & np.uint32(_LOWER_24),
        version=raw.version,
        **_read_timing(raw, 0),
    )


def encode_rtdl(packet: Rtdl) -> bytes:
    """Write the payload of what the accelerator says of a pulse.

    Raises
    ------
    DataModelError
        When a number does not fit its bits.
    """
    if bool((packet.frame_number >= 1 << 8).any()) or bool((packet.frame_data >= 1 << 24).any()):
        raise unfit(packet, "a frame has a number of more than 8 bits or data of more than 24 bits")
    ring = _RING.pack(_RING_PERIOD_FRAME << 24 | bits(packet, "ring_period_ps", packet.ring_period_ps, 24))
    frames = packet.frame_number << np.uint32(24) | packet.frame_data
    return _timing_words(packet) + ring + bytes(frames.astype("<u4").tobytes())


def renewed_rtdl(packet: bytes, time_ns: int, proton_charge_pc: int, cycle: int, veto: int) -> bytes:
    """Write an encoded RTDL packet anew, for another pulse.

    Parameters
    ----------
    packet
        With header.
    time_ns
        The pulse, nanoseconds UTC since the Unix epoch.
    proton_charge_pc, cycle, veto
        As in `Rtdl`; all else stays.

    Raises
    ------
    struct.error
        When a number does not fit its bits.
    """
    length, format_word, _, _ = HEADER.unpack_from(packet)
    charge_word, cycle_word, intrapulse, offset_word = _TIMING.unpack_from(packet, HEADER.size)
    timing = _TIMING.pack(
        charge_word & ~_LOWER_24 | proton_charge_pc // CHARGE_UNIT_PC,
        cycle_word & ~0x3F_FFFF | veto << 10 | cycle,
        intrapulse,
        offset_word,
    )
    head = HEADER.pack(length, format_word, *epics_time(time_ns))
    return head + timing + packet[HEADER.size + _TIMING.size :]


def decode_raw_events(raw: RawPacket) -> RawEvents:
    """Read events as the detector system sends them.

    Parameters
    ----------
    raw
        A packet of type 0x0000, version 0 or 1.

    Raises
    ------
    ProtocolError
        When the payload is shorter than its fixed part, or its events are not whole.
    """
    return RawEvents(**_read_events(raw))


def decode_mapped_events(raw: RawPacket) -> MappedEvents:
    """Read a packet of type 0x0003; else as `decode_raw_events`."""
    return MappedEvents(**_read_events(raw))


def _read_events(raw: RawPacket) -> dict[str, Any]:
    head_size = _RAW_HEAD.size + _TIMING.size
    require_at_least(raw, head_size)
    if (len(raw.payload) - head_size) % 8:
        raise damaged(raw, f"has {(len(raw.payload) - head_size) % 8} bytes left over after its last event")
    source_id, sequence = _RAW_HEAD.unpack_from(raw.payload)
    events = np.frombuffer(raw.payload, "<u4", offset=head_size)
    return {
        "time_ns": raw.time_ns,
        "source_id": source_id,
        "end_of_pulse": bool(sequence & _TOP_BIT),
        "pulse_sequence": sequence >> 16 & 0x7FFF,
        "source_sequence": sequence & 0xFFFF,
        "tof": events[0::2].astype(np.uint32),
        "pixel_id": events[1::2].astype(np.uint32),
        "version": raw.version,
        **_read_timing(raw, _RAW_HEAD.size),
    }


def encode_raw_events(packet: RawEvents) -> bytes:
    """Write the payload of events as the detector system sends them.

    Raises
    ------
    DataModelError
        When a number does not fit its bits.
    """
    sequence = (
        bool(packet.end_of_pulse) << 31
        | bits(packet, "pulse_sequence", packet.pulse_sequence, 15) << 16
        | bits(packet, "source_sequence", packet.source_sequence, 16)
    )
    events = np.empty((len(packet.tof), 2), "<u4")
    events[:, 0] = packet.tof
    events[:, 1] = packet.pixel_id
    head = _RAW_HEAD.pack(bits(packet, "source_id", packet.source_id, 32), sequence)
    return head + _timing_words(packet) + bytes(events.tobytes())


def decode_source_list(raw: RawPacket) -> SourceList:
    """Read the list of sources.

    Raises
    ------
    ProtocolError
        When the payload is not a whole number of words.
    """
    if len(raw.payload) % 4:
        raise damaged(raw, f"has a payload of {len(raw.payload)} bytes, which is not a multiple of 4")
    source_id = np.frombuffer(raw.payload, "<u4").astype(np.uint32)
    return SourceList(time_ns=raw.time_ns, source_id=source_id, version=raw.version)


def encode_source_list(packet: SourceList) -> bytes:
    """Write the payload of the list of sources."""
    return bytes(packet.source_id.astype("<u4").tobytes())


def _read_timing(raw: RawPacket, offset: int) -> dict[str, Any]:
    """Read the four words that RTDL and events share."""
    charge_word, cycle_word, intrapulse, offset_word = _TIMING.unpack_from(raw.payload, offset)
    flavor = charge_word >> 24
    return {
        "proton_charge_pc": (charge_word & _LOWER_24) * CHARGE_UNIT_PC,
        "flavor": flavor if raw.version == 0 else flavor & 7,
        "data_flags": 0 if raw.version == 0 else flavor >> 3,
        "cycle": cycle_word & 0x3FF,
        "veto": cycle_word >> 10 & 0xFFF,
        "timing_status": cycle_word >> 22 & 0xFF,
        "bad_cycle": bool(cycle_word & 1 << 30),
        "bad_veto": bool(cycle_word & _TOP_BIT),
        "intrapulse_time": intrapulse,
        "tof_offset": offset_word & _TOP_BIT - 1,
        "tof_corrected": bool(offset_word & _TOP_BIT),
    }


def _timing_words(packet: Rtdl | RawEvents) -> bytes:
    if packet.version == 0:
        bits(packet, "data_flags of version 0", packet.data_flags, 0)
        flavor = bits(packet, "flavor", packet.flavor, 8)
    else:
        data_flags = bits(packet, "data_flags", packet.data_flags, 5)
        flavor = data_flags << 3 | bits(packet, "flavor", packet.flavor, 3)
    cycle_word = (
        bool(packet.bad_veto) << 31
        | bool(packet.bad_cycle) << 30
        | bits(packet, "timing_status", packet.timing_status, 8) << 22
        | bits(packet, "veto", packet.veto, 12) << 10
        | bits(packet, "cycle", packet.cycle, 10)
    )
    return _TIMING.pack(
        flavor << 24 | charge_units(packet, 24),
        cycle_word,
        bits(packet, "intrapulse_time", packet.intrapulse_time, 32),
        bool(packet.tof_corrected) << 31 | bits(packet, "tof_offset", packet.tof_offset, 31),
    )
