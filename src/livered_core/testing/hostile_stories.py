"""Hostile rows of packets: each is good or nearly so, and together they tell what no server would tell."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from livered_core.adara.epoch import epics_time
from livered_core.adara.types import PacketType, RunStatusCode
from livered_core.testing.hostile_case import HOSTILE_RUN, Containment, HostileCase, packet, single
from livered_core.testing.hostile_counts import words

_MIB: Final = 1 << 20
_DEVICE: Final = "<device><device_name>d{}</device_name></device>"
_UNKNOWN_TYPE: Final = 0x12_3456


def _run_status(code: int, number: int, time_ns: int) -> bytes:
    start = epics_time(time_ns)[0] if number else 0
    return packet(PacketType.RUN_STATUS, 1, words(number, start, code << 24, 0, 0), time_ns)


def _new_runs(time_ns: int) -> Iterator[bytes]:
    for number in range(5000):
        yield _run_status(RunStatusCode.NEW_RUN, HOSTILE_RUN + number, time_ns)


def _new_devices(time_ns: int) -> Iterator[bytes]:
    for number in range(1000, 12_000):
        text = _DEVICE.format(number).encode()
        yield packet(PacketType.DEVICE_DESCRIPTOR, 0, words(number, len(text)) + text, time_ns)


def _wordy_devices(time_ns: int) -> Iterator[bytes]:
    for number in range(1000, 1010):
        text = (_DEVICE.format(number) + " " * (3 * _MIB)).encode()
        yield packet(PacketType.DEVICE_DESCRIPTOR, 0, words(number, len(text)) + text, time_ns)


def _new_variables(time_ns: int) -> Iterator[bytes]:
    for number in range(25_000):
        yield packet(PacketType.VARIABLE_U32, 0, words(1000, number, 0, 1), time_ns)


def _long_texts(time_ns: int) -> Iterator[bytes]:
    for number in range(80):
        yield packet(
            PacketType.VARIABLE_STRING,
            0,
            words(1001, number, 0, _MIB) + bytes([65 + number % 26]) * _MIB,
            time_ns,
        )


def _same_complaint(time_ns: int) -> Iterator[bytes]:
    for number in range(3000):
        text = b"<device><device_name>d"
        yield packet(PacketType.DEVICE_DESCRIPTOR, 0, words(number, len(text)) + text, time_ns)


def _unknown_types(time_ns: int) -> Iterator[bytes]:
    for number in range(5000):
        yield packet(_UNKNOWN_TYPE + number, number % 256, b"", time_ns)


def _annotations(time_ns: int) -> Iterator[bytes]:
    for number in range(100):
        yield packet(
            PacketType.STREAM_ANNOTATION, 0, words(5 << 16 | 0xFFFF, number) + b"c" * 0xFFFF, time_ns
        )


def _double(value: float, time_ns: int) -> bytes:
    return packet(PacketType.VARIABLE_DOUBLE, 0, words(3, 8, 0) + struct.pack("<d", value), time_ns)


def story_cases() -> tuple[HostileCase, ...]:
    """List the cases of rows of packets, and of values."""
    fine, left_out = Containment.HARMLESS, Containment.LEFT_OUT
    return (
        HostileCase(
            "endless-prologue-devices",
            "11,000 device descriptors, each of another device.",
            left_out,
            _new_devices,
            heavy=True,
        ),
        HostileCase(
            "endless-prologue-long-descriptors",
            "Device descriptors of 3 MiB each.",
            left_out,
            _wordy_devices,
            heavy=True,
        ),
        HostileCase(
            "endless-prologue-variables",
            "25,000 values, each of another variable.",
            left_out,
            _new_variables,
            heavy=True,
        ),
        HostileCase(
            "endless-prologue-long-texts",
            "80 texts of a mebibyte, each of another variable.",
            left_out,
            _long_texts,
            heavy=True,
        ),
        HostileCase(
            "same-complaint",
            "3,000 device descriptors that cannot be read: a log must not fill with them.",
            left_out,
            _same_complaint,
            heavy=True,
        ),
        single(
            "unknown-type",
            "A packet of a type that nobody knows.",
            left_out,
            lambda t: packet(_UNKNOWN_TYPE, 0, bytes(400), t),
        ),
        HostileCase(
            "unknown-types",
            "5,000 packets of as many types that nobody knows.",
            left_out,
            _unknown_types,
        ),
        single(
            "unknown-type-large",
            "A packet of 16 MiB of a type that nobody knows.",
            left_out,
            lambda t: packet(_UNKNOWN_TYPE, 0, bytes(16 * _MIB), t),
            heavy=True,
        ),
        single(
            "run-status-unknown",
            "A run status that nobody knows, with another run's number.",
            left_out,
            lambda t: _run_status(77, HOSTILE_RUN, t),
        ),
        single(
            "run-0-begins",
            "A new run with the number 0.",
            left_out,
            lambda t: _run_status(RunStatusCode.NEW_RUN, 0, t),
        ),
        HostileCase("many-new-runs", "5,000 new runs within a pulse.", fine, _new_runs),
        single(
            "end-of-another-run",
            "The end of a run that is not the one in hand.",
            fine,
            lambda t: _run_status(RunStatusCode.END_RUN, HOSTILE_RUN, t),
        ),
        HostileCase(
            "long-comments", "100 annotations with comments of 65,535 bytes.", fine, _annotations, heavy=True
        ),
        single(
            "annotation-unknown",
            "An annotation of a kind that nobody knows.",
            fine,
            lambda t: packet(PacketType.STREAM_ANNOTATION, 0, words(0x7FFF << 16, 0), t),
        ),
        single(
            "value-not-a-number", "A value that is not a number.", fine, lambda t: _double(float("nan"), t)
        ),
        single("value-infinite", "A value that is infinite.", fine, lambda t: _double(float("-inf"), t)),
        single(
            "value-not-utf-8",
            "A text that is not UTF-8.",
            fine,
            lambda t: packet(PacketType.VARIABLE_STRING, 0, words(3, 9, 0, 4) + b"\xff\xfe\x80\xc3", t),
        ),
        single(
            "value-with-escapes",
            "A text that would clear a terminal.",
            fine,
            lambda t: packet(PacketType.VARIABLE_STRING, 0, words(3, 9, 0, 8) + b"\x1b[2J\x00\r\n\x07", t),
        ),
        single(
            "value-status-unknown",
            "A value with a status and a severity that nobody knows.",
            fine,
            lambda t: packet(PacketType.VARIABLE_U32, 0, words(3, 10, 0x7777_6666, 1), t),
        ),
        single(
            "value-of-1990",
            "A value of the year 1990.",
            fine,
            lambda _: packet(PacketType.VARIABLE_U32, 0, words(3, 10, 0, 1), 631_152_000_000_000_000),
        ),
    )
