"""Hostile pulses that are well-formed: numbers at their limits, strange times, and much of nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from livered_core.adara.epoch import EPICS_EPOCH_S, NS_PER_S, unix_ns
from livered_core.adara.types import PacketType
from livered_core.testing.hostile_case import Containment, HostileCase, packet, single
from livered_core.testing.hostile_counts import words

_ALL: Final = 0xFFFF_FFFF
_SOURCE: Final = (1, 0, 1 << 31)
_YEAR_2106_NS: Final = _ALL * NS_PER_S
_YEAR_2126_NS: Final = unix_ns(_ALL, NS_PER_S - 1)
_HOUR_NS: Final = 3600 * NS_PER_S
_MILLION: Final = 1_000_000


def _pulse(time_ns: int, *, charge: int = 10, flags: int = 0, pixel: int = 5, tof: int = 1000) -> bytes:
    payload = words(charge, 0, 0, flags, *_SOURCE, 1, 1, 1, tof, pixel)
    return packet(PacketType.BANKED_EVENT, 0, payload, time_ns)


def _sources(payload: bytes, time_ns: int) -> bytes:
    return packet(PacketType.BANKED_EVENT, 1, words(10, 0, 0, 0) + payload, time_ns)


def _heartbeats(time_ns: int) -> Iterator[bytes]:
    one = packet(PacketType.HEARTBEAT, 0, b"", time_ns)
    for _ in range(20):
        yield one * 10_000


def _empty_pulses(time_ns: int) -> Iterator[bytes]:
    for first in range(0, 20_000, 1000):
        yield b"".join(_sources(b"", time_ns + number) for number in range(first, first + 1000))


def pulse_cases() -> tuple[HostileCase, ...]:
    """List the cases of pulses that are strange and allowed."""
    fine = Containment.HARMLESS
    return (
        single(
            "time-2106",
            "A pulse of the year 2106, where 32 bits of Unix time end.",
            fine,
            lambda _: _pulse(_YEAR_2106_NS),
        ),
        single(
            "time-2126",
            "A pulse of the year 2126, where the time of the stream ends.",
            fine,
            lambda _: _pulse(_YEAR_2126_NS),
        ),
        single(
            "time-2126-twice",
            "Pulses of the year 2126 that agree with each other.",
            fine,
            lambda _: _pulse(_YEAR_2126_NS - NS_PER_S) + _pulse(_YEAR_2126_NS),
        ),
        single("time-1990", "A pulse of the year 1990.", fine, lambda _: _pulse(EPICS_EPOCH_S * NS_PER_S)),
        single(
            "time-back",
            "A pulse two hours before the one before it.",
            fine,
            lambda time_ns: _pulse(time_ns - 2 * _HOUR_NS),
        ),
        single(
            "heartbeat-2126",
            "A heartbeat of the year 2126.",
            fine,
            lambda _: packet(PacketType.HEARTBEAT, 0, b"", _YEAR_2126_NS),
        ),
        single(
            "duplicate-pulses",
            "One pulse a thousand times.",
            fine,
            lambda time_ns: _pulse(time_ns) * 1000,
        ),
        single("charge-largest", "The largest proton charge.", fine, lambda t: _pulse(t, charge=_ALL)),
        single("flags-all", "A pulse with all flags.", fine, lambda t: _pulse(t, flags=_ALL)),
        single("tof-sign-bit", "A time of flight of 2**31.", fine, lambda t: _pulse(t, tof=1 << 31)),
        single("tof-largest", "The largest time of flight.", fine, lambda t: _pulse(t, tof=_ALL)),
        single("pixel-largest", "The pixel 0xFFFFFFFF.", fine, lambda t: _pulse(t, pixel=_ALL)),
        single("pixel-error-bit", "A pixel with the error bit.", fine, lambda t: _pulse(t, pixel=1 << 31)),
        single(
            "offset-overflows",
            "A time of flight that overflows when its offset is added.",
            fine,
            lambda t: _sources(words(1, 0, (1 << 31) - 1, 1, 1, 1, _ALL, 5), t),
        ),
        single(
            "million-empty-banks",
            "A pulse of a million banks with no events.",
            fine,
            lambda t: _sources(words(*_SOURCE, _MILLION) + bytes(8 * _MILLION), t),
            heavy=True,
        ),
        single(
            "million-empty-sources",
            "A pulse of a million sources with no banks.",
            fine,
            lambda t: _sources(words(*_SOURCE, 0) * _MILLION, t),
            heavy=True,
        ),
        single(
            "million-empty-monitors",
            "A million sections of beam monitors with no events.",
            fine,
            lambda t: packet(PacketType.BEAM_MONITOR_EVENT, 1, words(10, 0, 0, 0) + bytes(12 * _MILLION), t),
            heavy=True,
        ),
        single(
            "monitor-largest",
            "A beam monitor with the largest number, and an event with all bits.",
            fine,
            lambda t: packet(
                PacketType.BEAM_MONITOR_EVENT, 1, words(10, 0, 0, 0, 1023 << 22 | 1, 0, 0, _ALL), t
            ),
        ),
        HostileCase("many-heartbeats", "200,000 heartbeats.", fine, _heartbeats, heavy=True),
        HostileCase("many-empty-pulses", "20,000 pulses without a source.", fine, _empty_pulses, heavy=True),
        single(
            "raw-events",
            "Events of a detector, which a server of clients does not send.",
            fine,
            lambda t: packet(PacketType.RAW_EVENT, 1, bytes(24) + words(1000, 5), t),
        ),
        single(
            "hello-from-the-server",
            "A client's hello, from the server.",
            fine,
            lambda t: packet(PacketType.CLIENT_HELLO, 1, words(1, 0), t),
        ),
        single(
            "data-done-in-mid-run",
            "The end of the data, with data behind it.",
            fine,
            lambda t: packet(PacketType.DATA_DONE, 0, b"", t),
        ),
        single(
            "sync-without-magic",
            "A synchronisation packet without the bytes that it is found by.",
            fine,
            lambda t: packet(PacketType.SYNC, 0, b"NOT ADARA AT ALL" + struct.pack("<QI", 1 << 63, 0), t),
        ),
    )
