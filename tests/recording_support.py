"""Streams that are worth recording."""

from __future__ import annotations

from adara_support import annotation, banked, end_run, geometry, new_run, run_info
from livered_core.adara import AnnotationMarker, Packet, PulseFlag, encode


def run_packets(number: int = 5, first: int = 0, n: int = 20) -> list[Packet]:
    """A run with a pause; pulse i has i % 4 events, and every fifth pulse is flagged as vetoed."""
    pulses = [
        banked(i, pixels=[i] * (i % 4), flags=PulseFlag.PULSE_VETO if i % 5 == 0 else 0)
        for i in range(first, first + n)
    ]
    pause = [annotation(AnnotationMarker.PAUSE), annotation(AnnotationMarker.RESUME)]
    return [new_run(number), run_info(number), geometry(), *pulses[:7], *pause, *pulses[7:], end_run(number)]


def to_bytes(packets: list[Packet]) -> bytes:
    return b"".join(encode(packet) for packet in packets)
