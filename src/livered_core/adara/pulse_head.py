"""The four words with which every packet of events begins: charge, energy, cycle, and veto with flags."""

from __future__ import annotations

import struct
from typing import Any, Final

from livered_core.adara.epoch import epics_time
from livered_core.adara.pulses import BankedEvents, BankedStateEvents, BeamMonitorEvents
from livered_core.adara.types import CHARGE_UNIT_PC, PacketType
from livered_core.adara.wire import HEADER, RawPacket, bits, charge_units, require_at_least

_WORDS = struct.Struct("<IIII")
_VETO_BITS = 12
_FLAGS_BITS = 20

PULSE_HEAD_SIZE: Final = HEADER.size + _WORDS.size
"""Bytes of a packet of events that differ from pulse to pulse with the same events."""


def read_head(raw: RawPacket) -> dict[str, Any]:
    """Read what the packets of events have in common.

    Version 0 has 32 bits of flags; version 1, and the packets with states from their version 0 on, have 12 bits
    of veto above 20 bits of flags.

    Parameters
    ----------
    raw
        A packet of events, version 0 or 1.

    Returns
    -------
    dict
        Fields by name, time and version among them.

    Raises
    ------
    ProtocolError
        When the payload is shorter than the four words.
    """
    require_at_least(raw, _WORDS.size)
    charge, energy, cycle, word = _WORDS.unpack_from(raw.payload)
    has_veto = raw.version > 0 or raw.type == PacketType.BANKED_EVENT_STATE
    return {
        "time_ns": raw.time_ns,
        "proton_charge_pc": charge * CHARGE_UNIT_PC,
        "energy_ev": energy,
        "cycle": cycle,
        "veto": word >> _FLAGS_BITS if has_veto else 0,
        "flags": word & (1 << _FLAGS_BITS) - 1 if has_veto else word,
        "version": raw.version,
    }


def read_pulse_head(raw: RawPacket) -> tuple[int, int]:
    """Read the proton charge (picocoulomb) and the flags of a packet of events, and nothing else.

    Raises
    ------
    ProtocolError
        As `read_head` does.
    """
    head = read_head(raw)
    return head["proton_charge_pc"], head["flags"]


def pulse_words(packet: BankedEvents | BeamMonitorEvents) -> bytes:
    """Write what the packets of events have in common.

    Parameters
    ----------
    packet
        Version 0 or 1.

    Returns
    -------
    bytes
        16 of them.

    Raises
    ------
    DataModelError
        When a number does not fit, or version 0 is to carry a veto.
    """
    if packet.version == 0 and not isinstance(packet, BankedStateEvents):
        bits(packet, "veto of version 0", packet.veto, 0)
        word = bits(packet, "flags", packet.flags, 32)
    else:
        veto = bits(packet, "veto", packet.veto, _VETO_BITS)
        word = veto << _FLAGS_BITS | bits(packet, "flags", packet.flags, _FLAGS_BITS)
    return _WORDS.pack(
        charge_units(packet, 32),
        bits(packet, "energy_ev", packet.energy_ev, 32),
        bits(packet, "cycle", packet.cycle, 32),
        word,
    )


def renewed_head(
    packet: bytes | memoryview, time_ns: int, proton_charge_pc: int, cycle: int, veto: int, flags: int
) -> bytes:
    """Write the beginning of a packet of events anew, for another pulse with the same events.

    Parameters
    ----------
    packet
        An encoded packet of events, version 1, or of type 0x4100.
    time_ns
        The pulse, nanoseconds UTC since the Unix epoch.
    proton_charge_pc, cycle, veto, flags
        As in `BankedEvents`; the energy stays.

    Returns
    -------
    bytes
        `PULSE_HEAD_SIZE` of them, to stand in place of as many of the packet.

    Raises
    ------
    struct.error
        When a number does not fit its bits.
    """
    length, format_word, _, _ = HEADER.unpack_from(packet)
    energy = _WORDS.unpack_from(packet, HEADER.size)[1]
    return HEADER.pack(length, format_word, *epics_time(time_ns)) + _WORDS.pack(
        proton_charge_pc // CHARGE_UNIT_PC, energy, cycle, veto << _FLAGS_BITS | flags
    )
