"""How beam monitors and sets of banks are to be stored: what the server tells its translator in the prologue.

Layouts: sections "Beam Monitor Config" and "Detector Bank Sets" of the protocol.
"""

from __future__ import annotations

import enum
import struct
from typing import Final

import attrs

from livered_core.adara.wire import RawPacket, bits, damaged, require_at_least, text_bytes, unfit

_U32 = struct.Struct("<I")
_MONITOR = struct.Struct("<IIIId")
_SET_HEAD = struct.Struct("<16sII")
_SET_TAIL = struct.Struct("<IIId16s")
_NAME_BYTES = 16

MOST_MONITORS: Final = 1024
"""Beam monitors that there can be: packets of their events have 10 bits for the number."""
MOST_BANK_SETS: Final = 1 << 14
MOST_BANKS: Final = 1 << 20
"""Banks of all sets together, a thousand times those of a large instrument."""


class StorageFormat(enum.IntFlag):
    """How events are stored: as they are, as histograms, or both."""

    EVENTS = 1
    HISTOGRAM = 2


@attrs.frozen(kw_only=True)
class MonitorConfig:
    """How one beam monitor is stored.

    Attributes
    ----------
    monitor_id
        Number of the monitor in the stream.
    tof_offset_us, tof_max_us, tof_bin_us
        Begin, end and bin width of its histogram, microseconds.
    distance
        Of the monitor, metres; 0 when not known. (The protocol gives no unit; the translator writes metres.)
    format
        In version 0, which does not say it, always a histogram.
    """

    monitor_id: int
    tof_offset_us: int
    tof_max_us: int
    tof_bin_us: int
    distance: float
    format: int = int(StorageFormat.HISTOGRAM)


@attrs.frozen(kw_only=True)
class BeamMonitorConfig:
    """Type 0x400D, versions 0 and 1: how beam monitors are stored."""

    time_ns: int
    monitors: tuple[MonitorConfig, ...]
    version: int = 1


@attrs.frozen(kw_only=True)
class BankSet:
    """Banks that are stored alike.

    Attributes
    ----------
    name
        At most 15 bytes.
    flags
        Bits of `StorageFormat`.
    bank_ids
        Banks of the set.
    tof_offset_us, tof_max_us, tof_bin_us
        Begin, end and bin width of its histogram, microseconds.
    throttle_hz
        Pulses per second whose events are kept beside the histogram; 0 for none.
    suffix
        Name of the group of the file for these; at most 15 bytes.
    """

    name: str
    flags: int
    bank_ids: tuple[int, ...]
    tof_offset_us: int
    tof_max_us: int
    tof_bin_us: int
    throttle_hz: float = 0.0
    suffix: str = ""


@attrs.frozen(kw_only=True)
class DetectorBankSets:
    """Type 0x400E: sets of banks that are stored in a way of their own."""

    time_ns: int
    sets: tuple[BankSet, ...]
    version: int = 0


def decode_beam_monitor_config(raw: RawPacket) -> BeamMonitorConfig:
    """Read how beam monitors are stored.

    Raises
    ------
    ProtocolError
        When the number of monitors does not fit the payload, or is above `MOST_MONITORS`.
    """
    require_at_least(raw, _U32.size)
    (count,) = _U32.unpack_from(raw.payload)
    if count > MOST_MONITORS:
        raise damaged(raw, f"says that it has {count} beam monitors, more than the {MOST_MONITORS} allowed")
    size = _MONITOR.size + (_U32.size if raw.version > 0 else 0)
    if len(raw.payload) != _U32.size + count * size:
        raise damaged(
            raw, f"says that it has {count} beam monitors, and has a payload of {len(raw.payload)} bytes"
        )
    formats = _U32.size + count * _MONITOR.size
    monitors = []
    for row in range(count):
        number, offset, longest, width, distance = _MONITOR.unpack_from(
            raw.payload, _U32.size + row * _MONITOR.size
        )
        kind = int(StorageFormat.HISTOGRAM)
        if raw.version > 0:
            (kind,) = _U32.unpack_from(raw.payload, formats + row * _U32.size)
        monitors.append(
            MonitorConfig(
                monitor_id=number,
                tof_offset_us=offset,
                tof_max_us=longest,
                tof_bin_us=width,
                distance=distance,
                format=kind,
            )
        )
    return BeamMonitorConfig(time_ns=raw.time_ns, monitors=tuple(monitors), version=raw.version)


def encode_beam_monitor_config(packet: BeamMonitorConfig) -> bytes:
    """Write the payload of how beam monitors are stored.

    Raises
    ------
    DataModelError
        When a number does not fit, or version 0 is to say another format than a histogram.
    """
    if packet.version == 0 and any(each.format != StorageFormat.HISTOGRAM for each in packet.monitors):
        raise unfit(packet, "version 0 cannot say another format than a histogram")
    sections = [
        _MONITOR.pack(
            bits(packet, "monitor_id", each.monitor_id, 32),
            bits(packet, "tof_offset_us", each.tof_offset_us, 32),
            bits(packet, "tof_max_us", each.tof_max_us, 32),
            bits(packet, "tof_bin_us", each.tof_bin_us, 32),
            each.distance,
        )
        for each in packet.monitors
    ]
    formats = [_U32.pack(bits(packet, "format", each.format, 32)) for each in packet.monitors]
    return b"".join([_U32.pack(len(sections)), *sections, *(formats if packet.version > 0 else [])])


def decode_detector_bank_sets(raw: RawPacket) -> DetectorBankSets:
    """Read sets of banks.

    Raises
    ------
    ProtocolError
        When a count does not fit the payload, or there are more than `MOST_BANK_SETS` or `MOST_BANKS`.
    """
    require_at_least(raw, _U32.size)
    (count,) = _U32.unpack_from(raw.payload)
    if count > MOST_BANK_SETS:
        raise damaged(raw, f"says that it has {count} bank sets, more than the {MOST_BANK_SETS} allowed")
    total = 0
    position, end = _U32.size, len(raw.payload)
    sets: list[BankSet] = []
    for number in range(1, count + 1):
        if end - position < _SET_HEAD.size + _SET_TAIL.size:
            raise damaged(raw, f"ends before bank set {number} of {count}")
        name, flags, banks = _SET_HEAD.unpack_from(raw.payload, position)
        position += _SET_HEAD.size
        total += banks
        if total > MOST_BANKS:
            raise damaged(
                raw,
                f"says that its first {number} bank sets have {total} banks, more than the {MOST_BANKS} allowed",
            )
        if 4 * banks > end - position - _SET_TAIL.size:
            raise damaged(
                raw,
                f"says that bank set {number} has {banks} banks, and holds {end - position} bytes more",
            )
        bank_ids = struct.unpack_from(f"<{banks}I", raw.payload, position)
        position += 4 * banks
        offset, longest, width, throttle_hz, suffix = _SET_TAIL.unpack_from(raw.payload, position)
        position += _SET_TAIL.size
        sets.append(
            BankSet(
                name=_name(name),
                flags=flags,
                bank_ids=bank_ids,
                tof_offset_us=offset,
                tof_max_us=longest,
                tof_bin_us=width,
                throttle_hz=throttle_hz,
                suffix=_name(suffix),
            )
        )
    if position < end:
        raise damaged(raw, f"has {end - position} bytes left over after its {count} bank sets")
    return DetectorBankSets(time_ns=raw.time_ns, sets=tuple(sets), version=raw.version)


def _name(data: bytes) -> str:
    """Read a text of fixed length that ends with a zero."""
    data = data.partition(b"\0")[0]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def encode_detector_bank_sets(packet: DetectorBankSets) -> bytes:
    """Write the payload of sets of banks.

    Raises
    ------
    DataModelError
        When a number or a text does not fit.
    """
    pieces = [_U32.pack(len(packet.sets))]
    for each in packet.sets:
        flags = bits(packet, "flags", each.flags, 32)
        pieces.append(_SET_HEAD.pack(_name_bytes(packet, "name", each.name), flags, len(each.bank_ids)))
        pieces += [_U32.pack(bits(packet, "bank_ids", bank, 32)) for bank in each.bank_ids]
        pieces.append(
            _SET_TAIL.pack(
                bits(packet, "tof_offset_us", each.tof_offset_us, 32),
                bits(packet, "tof_max_us", each.tof_max_us, 32),
                bits(packet, "tof_bin_us", each.tof_bin_us, 32),
                each.throttle_hz,
                _name_bytes(packet, "suffix", each.suffix),
            )
        )
    return b"".join(pieces)


def _name_bytes(packet: DetectorBankSets, name: str, text: str) -> bytes:
    data = text_bytes(packet, name, text, 32)
    if len(data) >= _NAME_BYTES or b"\0" in data:
        raise unfit(
            packet, f"{name} is {text!r} and must have at most {_NAME_BYTES - 1} bytes, none of them 0"
        )
    return data
