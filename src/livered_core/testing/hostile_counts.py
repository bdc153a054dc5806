"""Hostile packets whose counts lie: whole packets that contradict themselves, of every type that has a count."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from livered_core.adara.pixel_map import MOST_PIXELS
from livered_core.adara.types import PacketType
from livered_core.adara.variables import MOST_VALUES
from livered_core.testing.hostile_case import Containment, HostileCase, packet, single

_ALL: Final = 0xFFFF_FFFF
_PULSE_HEAD: Final = (10, 0, 0, 0)
_SOURCE: Final = (1, 0, 1 << 31)
_VARIABLE: Final = (3, 7, 0)


def words(*values: int) -> bytes:
    """Write 32-bit words."""
    return struct.pack(f"<{len(values)}I", *values)


# Name, what is wrong, type, version, payload.
_LIES: Final[tuple[tuple[str, str, PacketType, int, bytes], ...]] = (
    (
        "pulse-head-cut",
        "A pulse without its charge.",
        PacketType.BANKED_EVENT,
        1,
        words(10, 0),
    ),
    (
        "pulse-many-banks",
        "A pulse whose source says that it has 4,294,967,295 banks.",
        PacketType.BANKED_EVENT,
        1,
        words(*_PULSE_HEAD, *_SOURCE, _ALL),
    ),
    (
        "pulse-many-events",
        "A pulse whose bank says that it has 4,294,967,295 events.",
        PacketType.BANKED_EVENT,
        1,
        words(*_PULSE_HEAD, *_SOURCE, 1, 1, _ALL, 1000, 5),
    ),
    (
        "pulse-events-overflow",
        "A pulse whose bank has so many events that their bytes overflow 32 bits.",
        PacketType.BANKED_EVENT,
        0,
        words(*_PULSE_HEAD, *_SOURCE, 1, 1, 0x2000_0001, 1000, 5),
    ),
    (
        "pulse-one-event-more",
        "A pulse whose bank says that it has one event more than it has.",
        PacketType.BANKED_EVENT,
        1,
        words(*_PULSE_HEAD, *_SOURCE, 1, 1, 2, 1000, 5),
    ),
    (
        "pulse-one-event-fewer",
        "A pulse whose bank says that it has one event fewer than it has.",
        PacketType.BANKED_EVENT,
        1,
        words(*_PULSE_HEAD, *_SOURCE, 1, 1, 1, 1000, 5, 1001, 6),
    ),
    (
        "pulse-over-the-next-packets",
        "A pulse whose length takes in the heartbeats that follow it.",
        PacketType.BANKED_EVENT,
        1,
        words(*_PULSE_HEAD, *_SOURCE, 1, 1, 1, 1000, 5) + words(0, PacketType.HEARTBEAT << 8, 1 << 30, 7) * 3,
    ),
    (
        "pulse-source-cut",
        "A pulse that ends within a source.",
        PacketType.BANKED_EVENT,
        1,
        words(*_PULSE_HEAD, 1, 0),
    ),
    (
        "pulse-states-lie",
        "A pulse with states whose bank says that it has 2,147,483,647 events.",
        PacketType.BANKED_EVENT_STATE,
        0,
        words(*_PULSE_HEAD, *_SOURCE, 1, 1, 0, 0x7FFF_FFFF, 1000, 5),
    ),
    (
        "monitor-many-events",
        "A beam monitor that says that it has 4,194,303 events.",
        PacketType.BEAM_MONITOR_EVENT,
        1,
        words(*_PULSE_HEAD, 1 << 22 | 0x3F_FFFF, 0, 0, 500),
    ),
    (
        "monitor-section-cut",
        "A section of a beam monitor that ends within its head.",
        PacketType.BEAM_MONITOR_EVENT,
        1,
        words(*_PULSE_HEAD, 1 << 22),
    ),
    ("raw-event-cut", "Half an event of a detector.", PacketType.RAW_EVENT, 1, words(*range(8), 5)),
    ("run-status-short", "A run status without a status.", PacketType.RUN_STATUS, 1, words(5, 0)),
    ("run-status-long", "A run status with words too many.", PacketType.RUN_STATUS, 1, words(*range(9))),
    ("heartbeat-with-payload", "A heartbeat with a payload.", PacketType.HEARTBEAT, 0, words(1)),
    ("data-done-with-payload", "An end of data with a payload.", PacketType.DATA_DONE, 0, words(1)),
    ("hello-short", "A client's hello without its flags.", PacketType.CLIENT_HELLO, 1, words(1)),
    (
        "string-length-lies",
        "A text that says that it has 4 GiB.",
        PacketType.VARIABLE_STRING,
        0,
        words(*_VARIABLE, _ALL) + b"abcd",
    ),
    (
        "u32-value-missing",
        "A value without the value.",
        PacketType.VARIABLE_U32,
        0,
        words(*_VARIABLE),
    ),
    ("double-value-half", "Half a number.", PacketType.VARIABLE_DOUBLE, 0, words(*_VARIABLE, 1)),
    (
        "u32-array-overflow",
        "An array whose bytes overflow 32 bits to the ones that it has.",
        PacketType.VARIABLE_U32_ARRAY,
        0,
        words(*_VARIABLE, 0x4000_0001, 1),
    ),
    (
        "double-array-overflow",
        "An array of numbers whose bytes overflow 32 bits to the ones that it has.",
        PacketType.VARIABLE_DOUBLE_ARRAY,
        0,
        words(*_VARIABLE, 0x2000_0001, 1, 2),
    ),
    (
        "multiple-u32-lies",
        "Several values that say that they are 4,294,967,295.",
        PacketType.MULTIPLE_VARIABLE_U32,
        0,
        words(*_VARIABLE, _ALL, 0, 1),
    ),
    (
        "multiple-double-lies",
        "Several numbers that say that they are one more.",
        PacketType.MULTIPLE_VARIABLE_DOUBLE,
        0,
        words(*_VARIABLE, 2, 0, 1, 2),
    ),
    (
        "multiple-string-lies",
        "Several texts, of which the first says that it has 4 GiB.",
        PacketType.MULTIPLE_VARIABLE_STRING,
        0,
        words(*_VARIABLE, 2, 0, _ALL) + b"abcd" + words(0, 0),
    ),
    (
        "multiple-u32-array-lies",
        "Several arrays, of which the last says that its bytes overflow 32 bits.",
        PacketType.MULTIPLE_VARIABLE_U32_ARRAY,
        0,
        words(*_VARIABLE, 2, 0, 1, 5, 0, 0x4000_0001, 5),
    ),
    (
        "multiple-double-array-lies",
        "Several arrays of numbers that are fewer than they say.",
        PacketType.MULTIPLE_VARIABLE_DOUBLE_ARRAY,
        0,
        words(*_VARIABLE, 3, 0, 0, 0, 0),
    ),
    (
        "geometry-length-lies",
        "A geometry that says that it has 4 GiB.",
        PacketType.GEOMETRY,
        0,
        words(_ALL) + b"<instrument/>",
    ),
    ("geometry-empty-payload", "A geometry without a length.", PacketType.GEOMETRY, 0, b""),
    (
        "run-info-length-lies",
        "A run info one byte longer than it is.",
        PacketType.RUN_INFO,
        0,
        words(13) + b"<runinfo /> ",
    ),
    (
        "device-length-lies",
        "A device descriptor that says that it has 2 GiB.",
        PacketType.DEVICE_DESCRIPTOR,
        0,
        words(3, 0x8000_0000) + b"<device/>",
    ),
    (
        "annotation-length-lies",
        "An annotation with a comment of 65,535 bytes that are not there.",
        PacketType.STREAM_ANNOTATION,
        0,
        words(0xFFFF, 0) + b"hm",
    ),
    (
        "beamline-lengths-lie",
        "A beamline whose names have 255 bytes each, and no bytes.",
        PacketType.BEAMLINE_INFO,
        1,
        words(_ALL),
    ),
    (
        "sync-length-lies",
        "A synchronisation packet with a comment of 4 GiB.",
        PacketType.SYNC,
        0,
        bytes(24) + words(_ALL),
    ),
    (
        "translation-length-lies",
        "A translation that failed for a reason of 65,535 bytes that are not there.",
        PacketType.TRANS_COMPLETE,
        0,
        words(0x8000_FFFF),
    ),
    (
        "pixel-map-lies",
        "A pixel map whose section says that it has 65,535 pixels.",
        PacketType.PIXEL_MAPPING,
        0,
        words(0, 1 << 16 | 0xFFFF, 1),
    ),
    (
        "pixel-map-beyond-32-bits",
        "A pixel map that counts beyond the largest pixel id.",
        PacketType.PIXEL_MAPPING,
        0,
        words(_ALL, 1 << 16 | 2, 1, 2),
    ),
    (
        "pixel-map-sequence-lies",
        "A pixel map with a sequence that does not lead to its end.",
        PacketType.PIXEL_MAPPING_ALT,
        1,
        words(1, 100, 1 << 16 | 0x8000 | 10, 5000, 0, 1 << 16 | 1, 9),
    ),
    (
        "pixel-map-bomb",
        "A pixel map of 40 kB with sequences of 50 million pixels.",
        PacketType.PIXEL_MAPPING_ALT,
        1,
        words(1) + words(0, 1 << 16 | 0xFFFF, 0x7FFE, 0, 1 << 16 | 1, 0x7FFE) * (3 * MOST_PIXELS // 0xFFFF),
    ),
    (
        "monitor-config-lies",
        "A configuration of 4,294,967,295 beam monitors.",
        PacketType.BEAM_MONITOR_CONFIG,
        1,
        words(_ALL, 1),
    ),
    (
        "bank-sets-lie",
        "A set that says that it has 1,073,741,825 banks.",
        PacketType.DETECTOR_BANK_SETS,
        0,
        words(1) + bytes(16) + words(0, 0x4000_0001) + bytes(36),
    ),
    (
        "version-of-a-pulse",
        "A pulse of version 255, which nobody knows.",
        PacketType.BANKED_EVENT,
        255,
        words(*_PULSE_HEAD),
    ),
    (
        "version-of-a-run-status",
        "A run status of version 9, which nobody knows.",
        PacketType.RUN_STATUS,
        9,
        words(*range(12)),
    ),
)


def _maker(packet_type: int, version: int, payload: bytes) -> Callable[[int], bytes]:
    return lambda time_ns: packet(packet_type, version, payload, time_ns)


def count_cases() -> tuple[HostileCase, ...]:
    """List the cases of whole packets that contradict themselves, or hold too much."""
    left_out = Containment.LEFT_OUT
    return (
        *(
            single(name, what, left_out, _maker(packet_type, version, payload))
            for name, what, packet_type, version, payload in _LIES
        ),
        single(
            "million-values-of-nothing",
            "A packet of a million arrays without elements, each of which costs a client much more than its bytes.",
            left_out,
            lambda time_ns: packet(
                PacketType.MULTIPLE_VARIABLE_U32_ARRAY,
                0,
                words(*_VARIABLE, 4 * MOST_VALUES) + bytes(32 * MOST_VALUES),
                time_ns,
            ),
            heavy=True,
        ),
        single(
            "million-beam-monitors",
            "The configuration of a million beam monitors.",
            left_out,
            lambda time_ns: packet(
                PacketType.BEAM_MONITOR_CONFIG, 0, words(1_000_000) + bytes(24_000_000), time_ns
            ),
            heavy=True,
        ),
        single(
            "million-map-sections",
            "A pixel map of two million sections without pixels.",
            left_out,
            lambda time_ns: packet(PacketType.PIXEL_MAPPING, 0, bytes(16_000_000), time_ns),
            heavy=True,
        ),
    )
