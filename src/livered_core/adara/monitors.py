"""Beam monitor events between wire and columns.

Layout: section "Beam Monitor Event Data" of the protocol.
"""

from __future__ import annotations

import numpy as np

from livered_core.adara.banked import compiled, words_of
from livered_core.adara.columns import I64
from livered_core.adara.pulse_head import pulse_words, read_head
from livered_core.adara.pulses import BeamMonitorEvents
from livered_core.adara.wire import (
    RawPacket,
    damaged,
    unfit,
)
from livered_core.errors import ProtocolError

_SECTION_WORDS = 3
_COUNT_BITS = 22
_MONITOR_BITS = 10
_TOF_BITS = 21
_CYCLE_BITS = 10
_TOP_BIT = 1 << 31


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
