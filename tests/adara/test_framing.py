import random
import struct
import tracemalloc
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.adara import BUFFER_SIZE, MAX_PAYLOAD, Framer, RawPacket, Skipped, unix_ns
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
    """But for the last one: what does not precede a packet may have been cut off itself."""
    framer = Framer()
    found = []

    with pytest.raises(ProtocolError):
        for piece in pieces_of(b"".join(packets) + damage, cuts):
            found += framer.feed(piece)
        framer.finish()

    payloads = [raw.payload for raw in found]
    assert payloads in ([each[16:] for each in packets], [each[16:] for each in packets[:-1]])


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

    assert len(framer.feed(good + good + good + b"\3\0\0\0" + good)) == 2
    for data in (b"", good):
        with pytest.raises(ProtocolError, match=r"damaged: at byte 60, .* length of 3 bytes"):
            framer.feed(data)
    with pytest.raises(ProtocolError, match="at byte 60"):
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


# The quick way: a buffer of the framer's own, and packets that are held until the next header has come.


def pour(framer, data, sizes):
    """Write into the framer's own room as a socket does; what is given out, with payloads kept."""
    found = []
    sizes = list(sizes) or [1 << 20]
    turn = 0
    while data:
        room = framer.writable()
        piece = data[: max(1, min(sizes[turn % len(sizes)], len(room)))]
        room[: len(piece)] = piece
        found += kept(framer.take(len(piece)))
        data = data[len(piece) :]
        turn += 1
    return found


def kept(cut):
    return [
        attrs.evolve(each, payload=bytes(each.payload)) if isinstance(each, RawPacket) else each
        for each in cut
    ]


@given(streams, st.lists(st.integers(1, 200), max_size=5))
def test_the_room_takes_any_split_and_holds_only_the_last_packet(packets, sizes):
    data = b"".join(packets)
    framer = Framer()

    found = pour(framer, data, sizes)
    held = kept(framer.release())

    assert len(held) <= 1
    assert found + held == Framer().feed(data)
    assert (framer.pending, framer.offset) == (0, len(data))


def test_a_packet_is_held_until_the_next_header_has_come():
    framer = Framer()

    assert pour(framer, packet(b"abcd") + packet(b"efgh")[:15], []) == []
    (first,) = pour(framer, packet(b"efgh")[15:16], [])
    assert first.payload == b"abcd"


@pytest.mark.parametrize("kept_bytes", [4, 20, 100, 396])
def test_a_packet_cut_off_is_not_taken_for_a_whole_one_made_of_what_follows(kept_bytes):
    events = packet(struct.pack("<100I", *range(100)), type_=0x4000, version=1)
    following = b"".join(packet(bytes([n] * 40), type_=0x4001) for n in range(20))
    framer = Framer()

    with pytest.raises(ProtocolError, match="stands"):
        found = pour(framer, packet(b"good") + events[: 16 + kept_bytes] + following, [])
        assert [raw.payload for raw in found] == [b"good"]
        framer.release()


def test_a_large_packet_makes_room_and_gives_it_back():
    large = packet(bytes(3 * BUFFER_SIZE), type_=0x4000)
    framer = Framer()

    found = pour(framer, large + packet(b"abcd") + packet(), [1 << 20])

    assert [len(raw.payload) for raw in found] == [3 * BUFFER_SIZE, 4]
    framer.release()
    assert len(framer.writable()) == BUFFER_SIZE


def test_an_announced_length_takes_no_memory_before_the_bytes_come():
    tracemalloc.start()
    try:
        framer = Framer()
        pour(framer, struct.pack("<IIII", MAX_PAYLOAD, 0x400000, 700_000_000, 0) + bytes(1000), [])
        assert tracemalloc.get_traced_memory()[1] < 3 * BUFFER_SIZE
    finally:
        tracemalloc.stop()


# Going on behind a damaged place.

known = st.builds(packet, payloads, st.sampled_from([0x4000, 0x4003, 0x8001]), st.integers(0, 1))
known_streams = st.lists(known, min_size=2, max_size=6)


@given(
    known_streams, st.binary(min_size=1, max_size=60), known_streams, st.lists(st.integers(1, 90), max_size=4)
)
def test_packets_behind_garbage_are_found_again_and_all_bytes_are_accounted_for(
    before, garbage, after, sizes
):
    data = b"".join(before) + garbage + b"".join(after)
    framer = Framer(resynchronise=True)

    found = pour(framer, data, sizes) + kept(framer.release()) + kept(framer.release())

    skipped = [each for each in found if isinstance(each, Skipped)]
    packets = [each for each in found if isinstance(each, RawPacket)]
    assert sum(each.length for each in skipped) + sum(
        16 + len(raw.payload) for raw in packets
    ) + framer.pending == len(data)
    assert framer.offset + framer.pending == len(data)
    payloads_found = [raw.payload for raw in packets]
    # Garbage may happen to look like the header of a packet, and then takes what follows with it.
    if skipped and sum(each.length for each in skipped) == len(garbage):
        assert payloads_found == [each[16:] for each in before + after]


@pytest.mark.parametrize("garbage", [b"\x03\0\0\0", b"HTTP/1.1 500\r\n", b"\xff" * 333, bytes(range(1, 200))])
@pytest.mark.parametrize("sizes", [[], [1], [7, 50]])
def test_garbage_between_packets_costs_nothing_but_itself(garbage, sizes):
    packets = [packet(bytes([n] * 24), type_=0x4000) for n in range(6)]
    framer = Framer(resynchronise=True)

    found = pour(framer, b"".join(packets[:3]) + garbage + b"".join(packets[3:]), sizes) + kept(
        framer.release()
    )

    assert [each.payload for each in found if isinstance(each, RawPacket)] == [each[16:] for each in packets]
    (skipped,) = [each for each in found if isinstance(each, Skipped)]
    assert (skipped.offset, skipped.length) == (3 * 40, len(garbage))


@pytest.mark.parametrize("sizes", [[], [1], [13]])
def test_of_a_packet_cut_off_only_itself_is_left_out(sizes):
    packets = [packet(bytes([n] * 40), type_=0x4000) for n in range(8)]
    framer = Framer(resynchronise=True)

    found = pour(framer, b"".join([packets[0], packets[1][:-20], *packets[2:]]), sizes) + kept(
        framer.release()
    )

    assert [each.payload for each in found if isinstance(each, RawPacket)] == [
        each[16:] for each in [packets[0], *packets[2:]]
    ]
    (skipped,) = [each for each in found if isinstance(each, Skipped)]
    assert (skipped.offset, skipped.length) == (56, 36)


def test_endless_garbage_takes_no_memory():
    framer = Framer(resynchronise=True)
    pour(framer, packet(b"abcd"), [])
    piece = bytes(range(1, 256)) * 4096
    for _ in range(30):
        pour(framer, piece, [])
        assert framer.pending < 2 * BUFFER_SIZE
    (skipped,) = [each for each in framer.release() if isinstance(each, Skipped)]
    assert skipped.length >= 30 * len(piece) - 20


def test_what_is_cut_off_at_the_end_is_given_with_its_place():
    begin = packet(b"abcd") * 3
    framer = Framer(resynchronise=True)
    framer.writable()[: len(begin) + 18] = begin + packet(b"efgh")[:18]
    cut = framer.take(len(begin) + 18) + framer.drain()

    (skipped,) = [each for each in cut if isinstance(each, Skipped)]
    assert (skipped.offset, skipped.length) == (len(begin), 18)
    assert skipped.what == "a packet of which the rest is missing"
    assert framer.offset == len(begin) + 18


class Careful(Framer):
    """A framer that thinks about each packet."""

    def _cut_sound(self, view, packets):
        pass


def cut(framer, data, sizes):
    """Return what a framer gives out of bytes that come in pieces, and the sentence with which it gives up."""
    found, at, pieces = [], 0, iter(sizes)
    try:
        while at < len(data):
            room = framer.writable()
            piece = data[at : at + min(next(pieces), len(room))]
            room[: len(piece)] = piece
            found.append([_seen(each) for each in framer.take(len(piece))])
            found.append([_seen(each) for each in framer.take(0)])
            at += len(piece)
        found.append([_seen(each) for each in framer.drain()])
    except ProtocolError as error:
        return found, str(error), framer.offset
    return found, "", framer.offset


def _seen(each):
    return each if isinstance(each, Skipped) else attrs.evolve(each, payload=bytes(each.payload))


@pytest.mark.parametrize("resynchronise", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_the_quick_way_gives_what_thinking_about_each_packet_gives(seed, resynchronise):
    rng = random.Random(seed)
    types = [0x0001, 0x0101, 0x4000, 0x4009, 0x4002, 0x8001, 0x0200, 0x4055, 0x123456]
    data = bytearray()
    for _ in range(120):
        payload, type_ = rng.randbytes(4 * rng.choice((0, 0, 1, 5, 40))), rng.choice(types)
        # Any time is good for a description.
        old = 0 if type_ in (0x4009, 0x4002, 0x8001) else 100_000_000
        data += packet(
            payload, type_, rng.randrange(3), rng.choice((700_000_000, old)), rng.choice((0, 999_999_999))
        )
    if seed % 4 == 3:
        # What the accelerator says has a time at which there was one.
        data += packet(b"", 0x0001, 0, 99_999_999) + packet(b"", 0x4009) * 3
    for _ in range(seed % 4 - 1):
        at = rng.randrange(len(data))
        damage = rng.randrange(3)
        data[at : at + (4 if damage == 0 else 1)] = rng.randbytes(damage * 3)
    sizes = [rng.choice((1, 15, 16, 100, 1000)) for _ in range(len(data))]

    found = cut(Framer(resynchronise=resynchronise), data, sizes)

    assert found == cut(Careful(resynchronise=resynchronise), data, sizes)
    if seed % 4 in (0, 1):
        assert (sum(map(len, found[0])), found[1:]) == (120, ("", len(data)))


def test_packets_of_types_that_are_known_are_cut_the_quick_way(monkeypatch):
    """The others, and what nothing follows yet, are thought about: here the last one."""
    thought = []
    cut_one = Framer._cut_one

    def counted(self, view, packets, *, alone):
        thought.append(self._offset)
        return cut_one(self, view, packets, alone=alone)

    monkeypatch.setattr(Framer, "_cut_one", counted)
    data = b"".join(packet(b"abcd", type_) for type_ in (0x0001, 0x4001, 0x4000) * 100)
    framer = Framer()
    framer.writable()[: len(data)] = data
    assert len(framer.take(len(data))) == 299
    assert thought == [299 * 20]


@pytest.mark.parametrize("resynchronise", [False, True])
@pytest.mark.parametrize("step", [1, 20, 37, 5000])
@pytest.mark.parametrize("missing", range(0, 32, 3))
def test_a_byte_that_is_missing_is_met_alike_on_both_ways(missing, step, resynchronise):
    row = b"".join(packet(type_=0x4009, seconds=700_000_000 + n) for n in range(30))
    data = row[: 160 + missing] + row[161 + missing :]

    found = cut(Framer(resynchronise=resynchronise), data, [step] * len(data))

    assert found == cut(Careful(resynchronise=resynchronise), data, [step] * len(data))
