"""One line for each packet, for people who look into a stream."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from livered_core.adara import (
    Annotation,
    BeamlineInfo,
    BeamMonitorEvents,
    DeviceDescriptor,
    Packet,
    PulseFlag,
    RawPacket,
    Rtdl,
    RunInfoPacket,
    RunStatus,
    Sync,
    count_events,
    decode,
    read_device,
    read_pulse_head,
    read_run_info,
    type_name,
)
from livered_core.errors import ProtocolError
from livered_core.model import format_utc
from livered_core.model.text import one_line
from livered_core.recording.summary import EVENT_PACKETS

_LONGEST_TEXT = 60


def packet_line(raw: RawPacket) -> str:
    """Describe a packet: time, type, version, payload in bytes, and what it says.

    Parameters
    ----------
    raw
        A packet of any type; one that is damaged is said to be.

    Returns
    -------
    str
        Printable, without line breaks.
    """
    try:
        says = _pulse(raw) if (raw.type, raw.version) in EVENT_PACKETS else _says(decode(raw))
    except ProtocolError as error:
        says = f"DAMAGED: {error}"
    moment = f"{format_utc(raw.time_ns)[:-1]}.{raw.time_ns % 1_000_000_000:09d}Z"
    return one_line(f"{moment} {type_name(raw.type)} v{raw.version} {len(raw.payload)} B: {says}")


def _pulse(raw: RawPacket) -> str:
    events, error_pixel, unmapped = count_events(raw)
    charge, flags = read_pulse_head(raw)
    bad = f" ({error_pixel} in error pixels, {unmapped} unmapped)" if error_pixel or unmapped else ""
    return f"{events} events{bad}, {charge} pC{_flags(flags)}"


def _says(packet: Packet) -> str:
    if isinstance(packet, RunStatus):
        paused = ", paused" if packet.paused else ""
        return f"run {packet.run_number}: {packet.status.name}, file {packet.file_number}{paused}"
    if isinstance(packet, RunInfoPacket):
        details = read_run_info(packet.xml)
        return f"run {details.run_number}, {details.proposal_id}: {_short(details.title)}"
    if isinstance(packet, BeamlineInfo):
        return f"{packet.short_name} at {packet.beamline_id}: {_short(packet.long_name)}"
    if isinstance(packet, DeviceDescriptor):
        device = read_device(packet.xml)
        names = ", ".join(each.name for each in device.variables.values())
        return f"device {packet.device_id} {_short(device.name)}: {_short(names)}"
    if isinstance(packet, Annotation):
        return f"{packet.marker.name} {packet.scan_index}: {_short(packet.comment)}"
    if isinstance(packet, Sync):
        return f"byte {packet.file_offset} of its file. {_short(packet.comment)}"
    if isinstance(packet, Rtdl):
        return f"{packet.proton_charge_pc} pC, cycle {packet.cycle}, veto 0x{packet.veto:03X}"
    if isinstance(packet, BeamMonitorEvents):
        monitors = ", ".join(str(number) for number in packet.monitor_id)
        return f"{len(packet.tof)} events of monitors {_short(monitors)}{_flags(packet.flags)}"
    return ", ".join(_fields(packet))


def _fields(packet: Packet) -> list[str]:
    """Write whatever else a packet has, by the names of its fields."""
    fields = [each.name for each in attrs.fields(type(packet)) if each.name not in ("time_ns", "version")]
    return [f"{name} {_value(getattr(packet, name))}" for name in fields]


def _value(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bytes):
        return f"of {len(value)} bytes"
    if isinstance(value, str) and value.startswith("<"):
        return f"of {len(value)} characters"
    size = getattr(value, "size", None)
    if size is not None:
        return f"of {size}" if size > 1 else _short(str(value.tolist()))
    return _short(str(value))


def _flags(flags: int) -> str:
    names = [str(flag.name) for flag in PulseFlag if flags & flag]
    return f", {' '.join(names)}" if names else ""


def _short(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."
