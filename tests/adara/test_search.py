"""The search for packets: in time that grows with the bytes and not with how they come."""

from __future__ import annotations

import struct

from livered_core.adara import Framer, RawPacket, Skipped
from livered_core.adara.search import PacketSearch

SECONDS = 700_000_000


def header(length, type_=0x4000):
    return struct.pack("<IIII", length, type_ << 8 | 1, SECONDS, 0)


class Counting:
    """Looks at headers, and counts how often."""

    def __init__(self):
        self.times = 0

    def __call__(self, found):
        self.times += 1
        return Framer().problem(found)


def test_each_header_is_looked_at_once_however_the_bytes_come():
    data = b"\x01" + header(1 << 20) * 5000
    problem = Counting()
    search = PacketSearch(0, problem)
    for end in range(100, len(data), 100):
        place, sure = search.look(memoryview(data)[:end], 0, alone=False)
        assert not sure
        assert place == 1
    assert problem.times < 5100


def test_a_place_that_waited_is_found_when_what_follows_it_has_come():
    data = b"\xff" * 7 + header(40) + bytes(40) + header(0)
    search = PacketSearch(0, Framer().problem)
    assert search.look(memoryview(data)[:30], 0, alone=False) == (7, False)
    assert search.look(memoryview(data)[7:-1], 7, alone=False) == (7, False)
    assert search.look(memoryview(data)[7:], 7, alone=False) == (7, True)


def test_a_short_packet_is_found_among_more_long_ones_than_are_remembered():
    data = b"\x01" + header(1 << 20) * 3000 + header(40) + bytes(40) + header(0)
    search = PacketSearch(0, Framer().problem)
    search.look(memoryview(data)[:-20], 0, alone=False)
    assert search.look(memoryview(data), 0, alone=False) == (1 + 3000 * 16, True)


def test_a_packet_that_swallows_others_gives_them_back_when_the_stream_ends():
    good = b"".join(header(8) + bytes(8) for _ in range(5))
    stream = good + header(1 << 20) + good
    framer = Framer(resynchronise=True)
    framer.writable()[: len(stream)] = stream

    cut = framer.take(len(stream)) + framer.drain()

    assert len([each for each in cut if isinstance(each, RawPacket)]) == 10
    assert [each.length for each in cut if isinstance(each, Skipped)] == [16]


def test_a_row_of_empty_packets_is_not_read_askew():
    heartbeats = header(0, 0x4009) * 50
    for stream in (header(0, 0x4009) + b"\0" + heartbeats, header(0, 0x4009) + heartbeats[1:]):
        framer = Framer(resynchronise=True)
        framer.writable()[: len(stream)] = stream
        cut = framer.take(len(stream)) + framer.drain()
        known = [each for each in cut if isinstance(each, RawPacket) and each.type == 0x4009]
        assert len(known) >= 48
        assert sum(each.length for each in cut if isinstance(each, Skipped)) <= 32
