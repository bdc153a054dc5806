"""Bytes that nobody thought of: streams that were changed, and payloads of anything.

The ordinary tests take a few seconds of it. ``make fuzz`` takes as many examples as ``FUZZ_EXAMPLES`` says.
"""

from __future__ import annotations

import os
import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile_support import BEFORE, END, PROLOGUE, adds_up, pour
from livered_core.adara import (
    Framer,
    Packet,
    PacketType,
    RawPacket,
    Skipped,
    UnknownPacket,
    decode,
    encode,
    unix_ns,
)
from livered_core.adara.wire import HEADER
from livered_core.errors import DataModelError, ProtocolError
from livered_core.testing import hostile_cases

MANY = int(os.environ.get("FUZZ_EXAMPLES", "20000"))
ordinary = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
long = settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))

SMALL = [case.data() for case in hostile_cases() if not case.heavy and len(case.data()) < 4000]
TAIL_PULSES = 12
TAIL = b"".join(BEFORE[:TAIL_PULSES]) + END
KNOWN = [(int(kind), version) for kind in PacketType for version in (0, 1)]
INTERESTING = [
    0,
    1,
    2,
    3,
    4,
    0x40,
    0x4000,
    0x400000,
    0x3FFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFC,
    0xFFFFFFFF,
]

packets = st.sampled_from([*BEFORE[:6], PROLOGUE, END, *SMALL])
sizes = st.integers(1, 5000)


@st.composite
def changed_streams(draw: st.DrawFn) -> bytes:
    """A row of packets, good and hostile, to which something was done."""
    stream = bytearray(PROLOGUE + b"".join(draw(st.lists(packets, min_size=1, max_size=8))))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(stream) - 1))
        length = draw(st.integers(1, 80))
        what = draw(st.sampled_from(["flip", "byte", "word", "delete", "insert", "double", "swap", "cut"]))
        if what == "flip":
            stream[at] ^= 1 << draw(st.integers(0, 7))
        elif what == "byte":
            stream[at] = draw(st.integers(0, 255))
        elif what == "word":
            at -= at % 4
            stream[at : at + 4] = struct.pack("<I", draw(st.sampled_from(INTERESTING)))
        elif what == "delete":
            del stream[at : at + length]
        elif what == "insert":
            stream[at:at] = draw(st.binary(max_size=40))
        elif what == "double":
            stream[at:at] = stream[at : at + length]
        elif what == "swap":
            other = stream[at : at + length]
            del stream[at : at + length]
            stream += other
        else:
            del stream[at:]
        if not stream:
            stream += b"\0"
    return bytes(stream)


def check_stream(stream: bytes, piece_size: int) -> None:
    """What holds for any bytes, however they are split."""
    for tolerant in (True, False):
        story = pour([stream], tolerant=tolerant, piece_size=piece_size)
        assert adds_up(story.counts)
        if tolerant:
            assert story.raised is None
            assert story.offset == story.bytes_in == len(stream)
        elif story.raised is not None:
            assert "\n" not in str(story.raised)


def check_framing(stream: bytes, piece_size: int) -> None:
    """All bytes are given out or left out, in order; and any split gives the same."""
    framer, position = Framer(resynchronise=True), 0
    view = memoryview(stream)
    while view:
        room = framer.writable()
        n = min(len(view), len(room), piece_size)
        room[:n], view = view[:n], view[n:]
        for each in framer.take(n):
            if isinstance(each, Skipped):
                assert each.offset == position
                assert each.length > 0
                position += each.length
            else:
                position += HEADER.size + len(each.payload)
    for each in framer.drain():
        position += each.length if isinstance(each, Skipped) else HEADER.size + len(each.payload)
    assert position == framer.offset == len(stream)
    assert framer.pending == 0


def check_tail(stream: bytes, piece_size: int) -> None:
    """Behind damage of any kind, whole packets are found again.

    A header that lies may cover good packets and lead to a good one, and then takes those with it; a false header
    at the end of damage may take one. Neither reaches beyond a good tail and the next damage: so of a tail that is
    sent twice, as many pulses as are in one come through.
    """
    wall = b"\xff" * 64
    story = pour([stream, wall, PROLOGUE, TAIL, wall, TAIL], tolerant=True, piece_size=piece_size)
    assert story.raised is None
    assert story.offset == story.bytes_in
    assert story.counts.pulses >= TAIL_PULSES


def check_payload(kind: tuple[int, int], time_ns: int, payload: bytes) -> None:
    """A decoder gives a packet that can be written and read again, or one sentence; soon in any case."""
    began = time.perf_counter()
    try:
        packet = decode(RawPacket(*kind, time_ns, payload))
    except ProtocolError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 600
    else:
        check_again(packet)
    assert time.perf_counter() - began < 5


def check_again(packet: Packet) -> None:
    try:
        written = encode(packet)
    except DataModelError as error:
        # Latin-1 grows when it becomes UTF-8, and may then be longer than its count can say; an unknown packet
        # of any length is kept as it came.
        assert "the length of" in str(error) or "at most 15 bytes" in str(error)
        return
    if isinstance(packet, UnknownPacket):
        return
    _, format_word, seconds, nanoseconds = HEADER.unpack_from(written)
    raw = RawPacket(
        format_word >> 8, format_word & 0xFF, unix_ns(seconds, nanoseconds), written[HEADER.size :]
    )
    again = decode(raw)
    assert encode(again) == written


payloads = st.one_of(
    st.binary(max_size=120).map(lambda data: data + bytes(-len(data) % 4)),
    st.lists(st.one_of(st.sampled_from(INTERESTING), st.integers(0, 40)), max_size=40).map(
        lambda words: struct.pack(f"<{len(words)}I", *words)
    ),
)
moments = st.builds(unix_ns, st.integers(100_000_000, (1 << 32) - 10), st.integers(0, 999_999_999))


@pytest.mark.parametrize("check", [check_stream, check_framing, check_tail], ids=lambda check: check.__name__)
@ordinary
@given(stream=changed_streams(), piece_size=sizes)
def test_a_changed_stream(check, stream, piece_size):
    check(stream, piece_size)


@settings(ordinary, max_examples=1500)
@given(st.sampled_from(KNOWN), moments, payloads)
def test_any_payload(kind, time_ns, payload):
    check_payload(kind, time_ns, payload)


@pytest.mark.slow
@pytest.mark.parametrize("check", [check_stream, check_framing, check_tail], ids=lambda check: check.__name__)
@long
@given(stream=changed_streams(), piece_size=sizes)
def test_many_changed_streams(check, stream, piece_size):
    check(stream, piece_size)


@pytest.mark.slow
@settings(long, max_examples=5 * MANY)
@given(st.sampled_from(KNOWN), moments, payloads)
def test_many_payloads(kind, time_ns, payload):
    check_payload(kind, time_ns, payload)
