"""Hostile texts in good packets: geometry, device descriptors and run info."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

from livered_core.adara.documents import LONGEST
from livered_core.adara.epoch import epics_time
from livered_core.adara.types import PacketType
from livered_core.adara.wire import LONGEST_TEXT
from livered_core.testing.hostile_case import Containment, HostileCase, header, packet, single

_MIB: Final = 1 << 20
_DEVICE: Final = '<device xmlns="http://public.sns.gov/schema/device.xsd">{}</device>'
_RUN_INFO: Final = '<runinfo xmlns="http://public.sns.gov/schema/runinfo.xsd">{}</runinfo>'
_VARIABLE: Final = (
    "<device_name>d</device_name><process_variables><process_variable><pv_name>{}</pv_name><pv_id>{}</pv_id>"
    "<pv_type>double</pv_type></process_variable></process_variables>"
)


def xml_packet(packet_type: int, text: str | bytes, time_ns: int) -> bytes:
    """Write a packet that holds a text: a device descriptor is that of device 3."""
    data = text.encode() if isinstance(text, str) else text
    before = struct.pack("<I", 3) if packet_type == PacketType.DEVICE_DESCRIPTOR else b""
    return packet(packet_type, 0, before + struct.pack("<I", len(data)) + data, time_ns)


def _laughs(root: str) -> str:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE {root} [<!ENTITY l0 "ha">{entities}]><{root}>&l9;</{root}>'


def _external(root: str) -> str:
    return f'<!DOCTYPE {root} [<!ENTITY x SYSTEM "file:///etc/hostname">]><{root}>&x;</{root}>'


def _blank_geometry(mebibytes: int, time_ns: int) -> Iterator[bytes]:
    length = mebibytes * _MIB
    yield header(length + 4, PacketType.GEOMETRY, 0, epics_time(time_ns)[0]) + struct.pack("<I", length)
    for _ in range(mebibytes):
        yield b" " * _MIB


def _maker(packet_type: int, text: Callable[[], str | bytes]) -> Callable[[int], bytes]:
    return lambda time_ns: xml_packet(packet_type, text(), time_ns)


# Name, what it is, and the document for an outermost element of a name.
_ANY_DOCUMENT: Final[tuple[tuple[str, str, Callable[[str], str | bytes]], ...]] = (
    ("not-xml", "that is not XML", lambda root: f"{root}: none today"),
    ("truncated", "that ends in the middle", lambda root: f'<{root}><component type="mon'),
    ("billion-laughs", "whose entities grow to gigabytes", _laughs),
    ("external-entity", "that asks for a file of this machine", _external),
    ("utf-16", "in UTF-16", lambda root: f"<{root}/>".encode("utf-16")),
    ("with-nul", "with zeros between its characters", lambda root: f"<{root}><a\0b\0></{root}>"),
    (
        "deep",
        "of 50,000 elements, one within the other",
        lambda root: "<a>" * 50_000 + "</a>" * 50_000 + f"</{root}>",
    ),
    ("escapes", "of what would clear a terminal", lambda root: f"\x1b[2J\x1b]0;{root}\x07"),
)


def document_cases() -> tuple[HostileCase, ...]:
    """List the cases of texts that whole packets hold."""
    left_out, fine = Containment.LEFT_OUT, Containment.HARMLESS
    kinds = (
        ("geometry", PacketType.GEOMETRY, "instrument", Containment.DEFINITION),
        ("device", PacketType.DEVICE_DESCRIPTOR, "device", left_out),
        ("run-info", PacketType.RUN_INFO, "runinfo", left_out),
    )
    several = tuple(
        single(
            f"{kind}-{name}",
            f"A document of type {kind} {what}.",
            containment,
            _maker(packet_type, lambda root=root, text=text: text(root)),  # type: ignore[misc]
        )
        for kind, packet_type, root, containment in kinds
        for name, what, text in _ANY_DOCUMENT
    )
    device, run_info, geometry = PacketType.DEVICE_DESCRIPTOR, PacketType.RUN_INFO, PacketType.GEOMETRY
    return (
        *several,
        HostileCase(
            "geometry-100-mib",
            "A geometry of 100 MiB.",
            Containment.CONNECTION,
            lambda time_ns: _blank_geometry(100, time_ns),
            heavy=True,
        ),
        HostileCase(
            "geometry-32-mib",
            "A geometry that fits a packet and is no instrument's.",
            left_out,
            lambda time_ns: _blank_geometry(32, time_ns),
            heavy=True,
        ),
        single(
            "geometry-four-bytes-a-character",
            "A geometry in which one character makes all others take four bytes.",
            Containment.DEFINITION,
            _maker(geometry, lambda: "\U0001f9ea" + "x" * (LONGEST_TEXT - 4)),
            heavy=True,
        ),
        single(
            "geometry-huge-attribute",
            "A geometry with an attribute of a mebibyte.",
            Containment.DEFINITION,
            _maker(geometry, lambda: f'<instrument><component type="{"x" * _MIB}"/></instrument>'),
        ),
        single(
            "device-huge",
            "A device descriptor longer than is read.",
            left_out,
            _maker(device, lambda: _DEVICE.format(" " * LONGEST)),
            heavy=True,
        ),
        single(
            "device-without-name",
            "A device without a name.",
            left_out,
            _maker(device, lambda: _DEVICE.format("")),
        ),
        single(
            "device-other-document",
            "Run info where a device descriptor should be.",
            left_out,
            _maker(device, lambda: _RUN_INFO.format("")),
        ),
        single(
            "device-negative-id",
            "A variable with the number -1.",
            left_out,
            _maker(device, lambda: _DEVICE.format(_VARIABLE.format("v", -1))),
        ),
        single(
            "device-endless-id",
            "A variable with a number of 100,000 digits.",
            left_out,
            _maker(device, lambda: _DEVICE.format(_VARIABLE.format("v", "9" * 100_000))),
        ),
        single(
            "device-many-variables",
            "A device with 10,000 variables.",
            fine,
            _maker(
                device,
                lambda: _DEVICE.format(
                    "<device_name>d</device_name><process_variables>"
                    + "".join(
                        f"<process_variable><pv_name>v{n}</pv_name><pv_id>{n}</pv_id>"
                        "<pv_type>double</pv_type></process_variable>"
                        for n in range(10_000)
                    )
                    + "</process_variables>"
                ),
            ),
        ),
        single(
            "device-huge-name",
            "A variable whose name has a mebibyte.",
            fine,
            _maker(device, lambda: _DEVICE.format(_VARIABLE.format("v" * _MIB, 7))),
        ),
        single(
            "run-info-number-is-text",
            "A run with the number 'seven'.",
            left_out,
            _maker(run_info, lambda: _RUN_INFO.format("<run_number>seven</run_number>")),
        ),
        single(
            "run-info-megabyte-title",
            "A title of a mebibyte.",
            fine,
            _maker(run_info, lambda: _RUN_INFO.format(f"<run_title>{'t' * _MIB}</run_title>")),
        ),
        single(
            "run-info-controls-in-title",
            "A title with terminal escapes and characters that change the direction of text.",
            fine,
            _maker(
                run_info,
                lambda: _RUN_INFO.format("<run_title>\x1b[2Jdia\u202emond\x07\r\n\u2028</run_title>"),
            ),
        ),
        single(
            "run-info-not-utf-8",
            "Run info in Latin-1.",
            fine,
            _maker(
                run_info,
                lambda: _RUN_INFO.format("<run_title>Temperatur in \xb0C</run_title>").encode("latin-1"),
            ),
        ),
    )
