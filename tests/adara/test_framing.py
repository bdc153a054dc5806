import struct
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.adara import Framer, RawPacket, unix_ns
from livered_core.errors import ProtocolError


def packet(payload=b"", type_=0x4009, version=0, seconds=700_000_000, nanoseconds=7):
    return struct.pack("<IIII", len(payload), type_ << 8 | version, seconds, nanoseconds) + payload


payloads = st.binary(max_size=60).map(lambda data: data + bytes(-len(data) % 4))
streams = st.lists(st.builds(packet, payloads, st.integers(0, 2**24 - 1), st.integers(0, 255)), max_size=8)


def pieces_of(data, cuts):
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


def test_header_fields():
    (raw,) = Framer().feed(packet(b"abcd", 0x4003, 1, seconds=728504567, nanoseconds=761741666))

    assert raw == RawPacket(0x4003, 1, 1_359_656_567_761_741_666, b"abcd")


@given(streams, st.lists(st.integers(min_value=0), max_size=20))
def test_any_split_gives_the_same_packets(packets, cuts):
    data = b"".join(packets)
    whole = Framer().feed(data)
    framer = Framer()

    found = [raw for piece in pieces_of(data, cuts) for raw in framer.feed(piece)]

    assert found == whole
    assert len(found) == len(packets)
    assert [raw.payload for raw in found] == [each[16:] for each in packets]
    assert (framer.pending, framer.offset) == (0, len(data))
    framer.finish()


@given(streams)
def test_byte_by_byte(packets):
    data = b"".join(packets)
    framer = Framer()
    found = []

    for position in range(len(data)):
        found += framer.feed(data[position : position + 1])
        assert framer.offset + framer.pending == position + 1

    assert found == Framer().feed(data)


@given(
    streams,
    st.sampled_from([b"HTTP/1.1 400 Bad Request\r\n", b"\xff" * 20, packet(nanoseconds=10**9)]),
    st.lists(st.integers(min_value=0), max_size=10),
)
def test_what_comes_before_damage_is_given_out_whatever_the_split(packets, damage, cuts):
    framer = Framer()
    found = []

    with pytest.raises(ProtocolError):
        for piece in pieces_of(b"".join(packets) + damage, cuts):
            found += framer.feed(piece)
        framer.finish()

    assert [raw.payload for raw in found] == [each[16:] for each in packets]


def test_payloads_do_not_change_when_the_buffer_is_used_again():
    buffer = bytearray(packet(b"abcd") + packet(b"efgh")[:-2])
    framer = Framer()
    (first,) = framer.feed(memoryview(buffer))
    buffer[:] = bytes(len(buffer))

    (second,) = framer.feed(b"gh")

    assert (first.payload, second.payload) == (b"abcd", b"efgh")
    assert type(first.payload) is type(second.payload) is bytes


def test_an_unfinished_packet_is_pending_and_an_error_only_at_the_end():
    framer = Framer()

    assert framer.feed(packet() + packet(b"abcd")[:-1]) == Framer().feed(packet())
    assert (framer.pending, framer.offset) == (19, 16)
    with pytest.raises(ProtocolError, match="ends within a packet: 19 bytes are left over from byte 16 on"):
        framer.finish()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packet(nanoseconds=10**9), "a time with 1000000000 nanoseconds"),
        (struct.pack("<I", 6), "a payload length of 6 bytes, which is not a multiple of 4"),
        (struct.pack("<I", 104), "a payload length of 104 bytes, more than the 100 allowed"),
        (struct.pack("<I", 0xFFFFFFFC), "a payload length of 4294967292 bytes, more than the 100 allowed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"an HTTP server's answer, 'HTTP/1.1 400 Bad Request\\r"),
        (b"SSH-2.0-OpenSSH_9\r\n", "an SSH server's greeting, 'SSH-2.0-OpenSSH_9"),
        (b"220 mail ready\r\n", "text, '220 mail ready"),
        (b"220 ", "text, '220 '"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaa", "a payload length of 33620758 bytes"),
    ],
)
def test_what_is_not_adara_is_named_at_once(data, message):
    framer = Framer(max_payload=100)

    with pytest.raises(
        ProtocolError, match=f"This does not look like an ADARA stream: .*{message}"
    ) as caught:
        framer.feed(data)

    assert "\n" not in str(caught.value)
    assert "check host and port" in str(caught.value)
    assert framer.pending == 0


def test_binary_shown_in_an_error_never_reaches_the_terminal_raw():
    with pytest.raises(ProtocolError) as caught:
        Framer().feed(b"HTTP/1.1 \r\n\t")

    assert str(caught.value).isprintable()


def test_damage_later_names_its_place_and_stays():
    good = packet(b"abcd")
    framer = Framer()

    assert len(framer.feed(good + good + b"\3\0\0\0" + good)) == 2
    for data in (b"", good):
        with pytest.raises(ProtocolError, match=r"damaged: at byte 40, .* length of 3 bytes"):
            framer.feed(data)
    with pytest.raises(ProtocolError, match="at byte 40"):
        framer.finish()


def test_the_largest_payload_is_taken_and_the_next_is_not():
    (raw,) = Framer(max_payload=8).feed(packet(b"abcdefgh"))
    assert raw.payload == b"abcdefgh"

    with pytest.raises(ProtocolError, match="12 bytes, more than the 8 allowed"):
        Framer(max_payload=8).feed(packet(b"abcdefghijkl"))


def test_memory_is_bounded_by_one_packet():
    limit = 1 << 20
    framer = Framer(max_payload=limit)
    data = packet(bytes(limit))
    piece = 4096
    tracemalloc.start()

    for _ in range(20):
        for position in range(0, len(data), piece):
            framer.feed(memoryview(data)[position : position + piece])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # The packet in hand (grown with some slack) and the copy that is given out.
    assert peak < 3.5 * limit


def test_a_length_is_believed_only_as_far_as_bytes_come():
    framer = Framer()
    tracemalloc.start()

    framer.feed(struct.pack("<IIII", 64 << 20, 0x400000, 0, 0) + b"abcd")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 100_000


def test_the_time_of_a_packet_is_unix_time():
    (raw,) = Framer().feed(packet(seconds=0, nanoseconds=0))

    assert raw.time_ns == unix_ns(0)
