"""Beam monitor events and accelerator words between wire and columns.

Layouts: sections "Beam Monitor Event Data" and "Real Time Data Link (RTDL) Information" of the protocol.
"""

from __future__ import annotations

import struct

import numpy as np

from livered_core.adara.banked import compiled, words_of
from livered_core.adara.pulse_head import pulse_words, read_head
from livered_core.adara.pulses import I64, RTDL_FRAMES, BeamMonitorEvents, Rtdl
from livered_core.adara.types import CHARGE_UNIT_PC
from livered_core.adara.wire import (
    RawPacket,
    bits,
    charge_units,
    damaged,
    require_length,
    unfit,
)
from livered_core.errors import ProtocolError

_SECTION_WORDS = 3
_COUNT_BITS = 22
_MONITOR_BITS = 10
_TOF_BITS = 21
_CYCLE_BITS = 10
_TOP_BIT = 1 << 31

_RTDL = struct.Struct("<IIIII")
_RING_PERIOD_FRAME = 4
_FRAME_BITS = 24
_FRAME_MASK = (1 << _FRAME_BITS) - 1


def decode_beam_monitor_events(raw: RawPacket) -> BeamMonitorEvents:
    """Read the monitor events of a pulse.

    Parameters
    ----------
    raw
        A packet of type 0x4001, version 0 or 1.

    Returns
    -------
    BeamMonitorEvents
        With arrays of its own.

    Raises
    ------
    ProtocolError
        When the numbers of events do not fit the payload.
    """
    kernel = compiled()
    head = read_head(raw)
    words = words_of(raw)
    result = np.empty(kernel.RESULT_SIZE, np.int64)
    kernel.measure_monitors(words, result)
    if result[kernel.PROBLEM]:
        raise _explain(raw, result)
    n_sections = int(result[kernel.SOURCES])
    sections = np.empty((_SECTION_WORDS, n_sections), np.uint32)
    event_offset = np.empty(n_sections + 1, np.int64)
    events = np.empty(int(result[kernel.EVENTS]), np.uint32)
    kernel.read_monitors(words, sections, event_offset, events)
    return BeamMonitorEvents(
        monitor_id=sections[0] >> np.uint32(_COUNT_BITS),
        source_id=sections[1],
        tof_offset=sections[2] & np.uint32(_TOP_BIT - 1),
        tof_corrected=sections[2] >= np.uint32(_TOP_BIT),
        event_offset=event_offset,
        tof=events & np.uint32((1 << _TOF_BITS) - 1),
        event_cycle=events >> np.uint32(_TOF_BITS) & np.uint32((1 << _CYCLE_BITS) - 1),
        rising=events >= np.uint32(_TOP_BIT),
        **head,
    )


def _explain(raw: RawPacket, result: I64) -> ProtocolError:
    kernel = compiled()
    section, count = int(result[kernel.SOURCES]), int(result[kernel.COUNT])
    left = 4 * int(result[kernel.WORDS_LEFT])
    if result[kernel.PROBLEM] == kernel.SOURCE_CUT:
        return damaged(raw, f"has {left} bytes left over after {section - 1} monitor sections")
    return damaged(
        raw, f"says that monitor section {section} has {count} events, and holds {left} bytes more"
    )


def encode_beam_monitor_events(packet: BeamMonitorEvents) -> bytes:
    """Write the monitor events of a pulse.

    Parameters
    ----------
    packet
        Version 0 or 1.

    Returns
    -------
    bytes
        The payload.

    Raises
    ------
    DataModelError
        When a number does not fit its bits.
    """
    head = pulse_words(packet)
    counts = np.diff(packet.event_offset)
    for name, column, width in (
        ("monitor_id", packet.monitor_id, _MONITOR_BITS),
        ("number of events of a section", counts, _COUNT_BITS),
        ("tof_offset", packet.tof_offset, 31),
        ("tof", packet.tof, _TOF_BITS),
        ("event_cycle", packet.event_cycle, _CYCLE_BITS),
    ):
        if bool((column >= 1 << width).any()):
            raise unfit(packet, f"a {name} has more than {width} bits")
    sections = len(packet.monitor_id)
    section_at = 4 + _SECTION_WORDS * np.arange(sections) + packet.event_offset[:-1]
    words = np.empty(4 + _SECTION_WORDS * sections + len(packet.tof), "<u4")
    is_event = np.ones(len(words), np.bool_)
    is_event[:4] = False
    for word in range(_SECTION_WORDS):
        is_event[section_at + word] = False
    words[:4] = np.frombuffer(head, "<u4")
    words[section_at] = packet.monitor_id << np.uint32(_COUNT_BITS) | counts.astype(np.uint32)
    words[section_at + 1] = packet.source_id
    words[section_at + 2] = packet.tof_offset | packet.tof_corrected.astype(np.uint32) << np.uint32(31)
    words[is_event] = (
        packet.rising.astype(np.uint32) << np.uint32(31)
        | packet.event_cycle << np.uint32(_TOF_BITS)
        | packet.tof
    )
    return words.tobytes()


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
    require_length(raw, _RTDL.size + 4 * RTDL_FRAMES)
    charge_word, cycle_word, intrapulse, offset_word, ring_word = _RTDL.unpack_from(raw.payload)
    if ring_word >> _FRAME_BITS != _RING_PERIOD_FRAME:
        raise damaged(
            raw,
            f"has frame {ring_word >> _FRAME_BITS} where the ring period, frame {_RING_PERIOD_FRAME}, must be",
        )
    flavor = charge_word >> 24
    frames = np.frombuffer(raw.payload, "<u4", offset=_RTDL.size).astype(np.uint32)
    return Rtdl(
        time_ns=raw.time_ns,
        proton_charge_pc=(charge_word & _FRAME_MASK) * CHARGE_UNIT_PC,
        flavor=flavor if raw.version == 0 else flavor & 7,
        data_flags=0 if raw.version == 0 else flavor >> 3,
        cycle=cycle_word & 0x3FF,
        veto=cycle_word >> 10 & 0xFFF,
        timing_status=cycle_word >> 22 & 0xFF,
        bad_cycle=bool(cycle_word & 1 << 30),
        bad_veto=bool(cycle_word & _TOP_BIT),
        intrapulse_time=intrapulse,
        tof_offset=offset_word & _TOP_BIT - 1,
        tof_corrected=bool(offset_word & _TOP_BIT),
        ring_period_ps=ring_word & _FRAME_MASK,
        frame_number=frames >> np.uint32(_FRAME_BITS),
        frame_data=frames & np.uint32(_FRAME_MASK),
        version=raw.version,
    )


def encode_rtdl(packet: Rtdl) -> bytes:
    """Write what the accelerator says of a pulse.

    Parameters
    ----------
    packet
        Version 0 or 1.

    Returns
    -------
    bytes
        The payload.

    Raises
    ------
    DataModelError
        When a number does not fit its bits.
    """
    if packet.version == 0:
        bits(packet, "data_flags of version 0", packet.data_flags, 0)
        flavor = bits(packet, "flavor", packet.flavor, 8)
    else:
        flavor = bits(packet, "data_flags", packet.data_flags, 5) << 3 | bits(
            packet, "flavor", packet.flavor, 3
        )
    if bool((packet.frame_number >= 1 << 8).any()) or bool((packet.frame_data >= 1 << _FRAME_BITS).any()):
        raise unfit(packet, "a frame has a number of more than 8 bits or data of more than 24 bits")
    cycle_word = (
        bool(packet.bad_veto) << 31
        | bool(packet.bad_cycle) << 30
        | bits(packet, "timing_status", packet.timing_status, 8) << 22
        | bits(packet, "veto", packet.veto, 12) << 10
        | bits(packet, "cycle", packet.cycle, 10)
    )
    head = _RTDL.pack(
        flavor << 24 | charge_units(packet, 24),
        cycle_word,
        bits(packet, "intrapulse_time", packet.intrapulse_time, 32),
        bool(packet.tof_corrected) << 31 | bits(packet, "tof_offset", packet.tof_offset, 31),
        _RING_PERIOD_FRAME << _FRAME_BITS | bits(packet, "ring_period_ps", packet.ring_period_ps, 24),
    )
    frames = packet.frame_number << np.uint32(_FRAME_BITS) | packet.frame_data
    payload: bytes = head + frames.astype("<u4").tobytes()
    return payload
