"""Hostile bytes that are no packets: lengths that lie, and talk of other protocols."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Final

from livered_core.adara.epoch import epics_time
from livered_core.adara.framing import MAX_PAYLOAD
from livered_core.adara.types import PacketType
from livered_core.testing.hostile_case import Containment, HostileCase, header, packet, single

_BANKED: Final = PacketType.BANKED_EVENT
_MIB: Final = 1 << 20
_SEED: Final = 2106


def _pulse(time_ns: int, n_events: int = 10) -> bytes:
    """Write a pulse of one source and one bank, of which hostile cases take parts."""
    words = [10, 0, 0, 0, 1, 0, 1 << 31, 1, 1, n_events, *range(1000, 1000 + 2 * n_events)]
    return packet(_BANKED, 1, struct.pack(f"<{len(words)}I", *words), time_ns)


def _with_length(length: int, time_ns: int) -> bytes:
    """Write a pulse that claims to be of another length."""
    return struct.pack("<I", length) + _pulse(time_ns)[4:]


def _claims(length: int, mebibytes: int, time_ns: int) -> Iterator[bytes]:
    """Write the header of a packet, and only the first part of what it claims to hold."""
    yield header(length, _BANKED, 1, epics_time(time_ns)[0])
    for _ in range(mebibytes):
        yield bytes(_MIB)


def _noise(mebibytes: float) -> Iterator[bytes]:
    source = random.Random(_SEED)  # noqa: S311  (the same bytes each time)
    for _ in range(int(16 * mebibytes)):
        yield source.randbytes(_MIB // 16)


def _headers_everywhere(time_ns: int) -> Iterator[bytes]:
    """Write what looks like a header at each word, none of which leads to another one."""
    yield b"\x01"
    one = header(60 * _MIB, _BANKED, 1, epics_time(time_ns)[0])
    for _ in range(8):
        yield one * (_MIB // 16)


def _swapped(time_ns: int) -> bytes:
    data = _pulse(time_ns)
    return struct.pack(f">{len(data) // 4}I", *struct.unpack(f"<{len(data) // 4}I", data))


def byte_cases() -> tuple[HostileCase, ...]:
    """List the cases that are no packets, or of which a length is wrong."""
    lost = Containment.CONNECTION
    return (
        single(
            "length-not-words",
            "A payload length that is not a multiple of 4.",
            lost,
            lambda time_ns: _with_length(0x66, time_ns),
        ),
        single(
            "length-negative",
            "A payload length of -4 for who reads it with a sign.",
            lost,
            lambda time_ns: _with_length(0xFFFF_FFFC, time_ns),
        ),
        single(
            "length-sign-bit",
            "A payload length of which only the sign bit is set.",
            lost,
            lambda time_ns: _with_length(0x8000_0000, time_ns),
        ),
        HostileCase(
            "length-4-gib",
            "A packet of 4 GiB, of which 16 MiB come.",
            lost,
            lambda time_ns: _claims(0xFFFF_FFF0, 16, time_ns),
            heavy=True,
        ),
        single(
            "length-above-limit",
            "A payload one word longer than the largest that livered takes.",
            lost,
            lambda time_ns: _with_length(MAX_PAYLOAD + 4, time_ns),
        ),
        HostileCase(
            "length-within-limit",
            "A packet as large as is taken, of which 8 MiB come.",
            lost,
            lambda time_ns: _claims(MAX_PAYLOAD, 8, time_ns),
            heavy=True,
        ),
        single(
            "length-too-long",
            "A payload length that reaches into the packets that follow.",
            lost,
            lambda time_ns: _with_length(1004, time_ns),
        ),
        single(
            "length-swallows",
            "A header alone, which claims all that follows for a long time.",
            lost,
            lambda time_ns: header(MAX_PAYLOAD, _BANKED, 1, epics_time(time_ns)[0]),
        ),
        single(
            "length-too-short",
            "A payload length that ends within the packet.",
            lost,
            lambda time_ns: _with_length(40, time_ns),
        ),
        single(
            "length-zero",
            "A payload length of 0 before a payload.",
            lost,
            lambda time_ns: _with_length(0, time_ns),
        ),
        single(
            "nanoseconds-a-second",
            "A time with 1,000,000,000 nanoseconds.",
            lost,
            lambda time_ns: header(0, PacketType.HEARTBEAT, 0, epics_time(time_ns)[0], 1_000_000_000),
        ),
        single(
            "nanoseconds-all-ones",
            "A time with 4,294,967,295 nanoseconds.",
            lost,
            lambda time_ns: header(0, PacketType.HEARTBEAT, 0, epics_time(time_ns)[0], 0xFFFF_FFFF),
        ),
        single(
            "half-a-packet",
            "A packet that ends in the middle, with good ones on its heels.",
            lost,
            lambda time_ns: _pulse(time_ns)[:60],
        ),
        single(
            "half-a-header", "A header that ends in the middle.", lost, lambda time_ns: _pulse(time_ns)[:9]
        ),
        single(
            "a-byte-missing",
            "A packet of which a byte is missing.",
            lost,
            lambda time_ns: _pulse(time_ns)[:50] + _pulse(time_ns)[51:],
        ),
        single(
            "a-byte-too-many",
            "A packet with a byte between the header and the payload.",
            lost,
            lambda time_ns: _pulse(time_ns)[:16] + b"\xa5" + _pulse(time_ns)[16:],
        ),
        single(
            "big-endian",
            "A packet with the bytes of each word the other way round.",
            lost,
            _swapped,
        ),
        single(
            "text-mode",
            "A packet in which line feeds became two characters.",
            lost,
            lambda time_ns: _pulse(time_ns).replace(b"\x0a", b"\x0d\x0a"),
        ),
        single("zeros", "4 KiB of zeros.", lost, lambda _: bytes(4096)),
        single("all-ones", "4 KiB of ones.", lost, lambda _: b"\xff" * 4096),
        HostileCase("noise", "64 KiB of noise.", lost, lambda _: _noise(1 / 16)),
        HostileCase("much-noise", "16 MiB of noise.", lost, lambda _: _noise(16), heavy=True),
        HostileCase(
            "headers-everywhere",
            "8 MiB in which each word begins what looks like the header of a large packet.",
            lost,
            _headers_everywhere,
            heavy=True,
        ),
        single(
            "http",
            "The answer of an HTTP server.",
            lost,
            lambda _: b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n",
        ),
        single("ssh", "The greeting of an SSH server.", lost, lambda _: b"SSH-2.0-OpenSSH_9.6\r\n"),
        single("smtp", "The greeting of a mail server.", lost, lambda _: b"220 mail.example.org ESMTP\r\n"),
        single(
            "tls",
            "An alert of TLS: handshake failure.",
            lost,
            lambda _: b"\x15\x03\x03\x00\x02\x02\x28",
        ),
        single(
            "terminal-escapes",
            "What would clear a terminal and change its title.",
            lost,
            lambda _: b"\x1b[2J\x1b]0;title\x07" * 8,
        ),
    )
