"""Cut a stream of bytes into packets, however the bytes happen to be split."""

from __future__ import annotations

from typing import Final

import attrs

from livered_core.adara.epoch import NS_PER_S, unix_ns
from livered_core.adara.search import FIRST_SERVER_TYPE, LENGTH_BYTES, PacketSearch, lies_across_a_packet
from livered_core.adara.types import PacketType
from livered_core.adara.wire import HEADER, RawPacket
from livered_core.errors import ProtocolError

MAX_PAYLOAD: Final = 64 * 1024 * 1024
"""Default for the largest payload taken, bytes: several times the largest pulse that NOMAD can have."""
BUFFER_SIZE: Final = 4 * 1024 * 1024
"""Bytes of the buffer that a framer begins with and comes back to."""

_SHOWN_BYTES: Final = 64
_PRINTABLE: Final = frozenset(range(0x20, 0x7F)) | frozenset(b"\r\n\t")
_KNOWN_TYPES: Final = frozenset(map(int, PacketType))
_KNOWN_SERVER_TYPES: Final = frozenset(kind for kind in _KNOWN_TYPES if kind >= FIRST_SERVER_TYPE)
_FIRST_TIME_S: Final = 100_000_000
"""March 1993, in seconds since 1990: before there was beam, and beyond any time of flight in ticks."""


@attrs.frozen
class Skipped:
    """A piece of the stream that was left out, because no packets could be found in it.

    Attributes
    ----------
    offset
        Where it begins, bytes from the beginning of the stream.
    length
        Its bytes.
    what
        What stands there instead of a packet, in words.
    """

    offset: int
    length: int
    what: str


class Framer:
    """Turns a stream into packets; its memory is bounded by about twice `max_payload`.

    The quick way, without a copy: let the source write into `writable`, say how much it wrote with `take`. A
    packet is given out when the header that follows it has come and looks like one: so a packet that was cut
    off, with the next ones on its heels, is not taken for a whole one. `release` gives out a packet that
    nothing follows. The comfortable way: `feed`.

    Parameters
    ----------
    max_payload
        Largest payload taken, bytes. A larger one is damage.
    resynchronise
        Whether to look for the next packets behind a damaged place and give out what was left out as
        `Skipped`. Without it a damaged place is the end: a new connection is the better cure.
    """

    def __init__(self, max_payload: int = MAX_PAYLOAD, *, resynchronise: bool = False) -> None:
        self._max_payload = max_payload
        self._resynchronise = resynchronise
        self._buffer = bytearray(min(BUFFER_SIZE, HEADER.size + max_payload))
        self._size = len(self._buffer)
        self._begin = 0
        self._end = 0
        self._offset = 0
        self._error: str | None = None
        self._lost_at: int | None = None
        self._lost_what = ""
        self._search: PacketSearch | None = None

    @property
    def pending(self) -> int:
        """Bytes held of packets that have not been given out."""
        return self._end - self._begin

    @property
    def offset(self) -> int:
        """Bytes of the stream that have been given out as packets or left out, headers included."""
        return self._offset

    def writable(self) -> memoryview:
        """Return the room for the next bytes of the stream, at least one; say how many came with `take`.

        Payloads that `take` and `release` gave out are void from here on.
        """
        held = self._end - self._begin
        if held == 0 and len(self._buffer) > self._size:
            self._buffer = bytearray(self._size)
        # To move more than was dealt with pays only when there is no room otherwise.
        if held <= self._begin or len(self._buffer) - self._end < self._size // 2:
            if self._begin and held:
                # Views: what is moved may be large, and a slice of a bytearray would be a copy in fresh memory.
                view = memoryview(self._buffer)
                view[:held] = view[self._begin : self._end]
            self._begin, self._end = 0, held
        if self._end == len(self._buffer):
            # Held are at most a packet, and a buffer of what may follow it.
            most = self._max_payload + 2 * (self._size + HEADER.size)
            larger = bytearray(max(held + HEADER.size, min(2 * held, most)))
            larger[:held] = memoryview(self._buffer)[:held]
            self._buffer = larger
        return memoryview(self._buffer)[self._end :]

    def take(self, n: int) -> list[RawPacket | Skipped]:
        """Cut the next bytes of the stream, which stand in `writable`.

        Parameters
        ----------
        n
            How many came.

        Returns
        -------
        list of RawPacket or Skipped
            In order. Payloads are views of the framer's buffer, good until `writable` is called.

        Raises
        ------
        ProtocolError
            Without `resynchronise`, when the bytes cannot be the header of a packet. Packets before that place
            are given out first: then the error comes with the next call, also with one of no bytes. After an
            error every call raises it again; a new connection needs a new Framer.
        """
        self._end += n
        return self._cut(alone=False)

    def release(self) -> list[RawPacket | Skipped]:
        """Give out a packet that nothing follows, because nothing more came for a while or the stream ended.

        Returns and raises what `take` does.
        """
        return self._cut(alone=True)

    def drain(self) -> list[RawPacket | Skipped]:
        """Say that the stream has ended: give out what is left, and what cannot be a packet as `Skipped`.

        Raises
        ------
        ProtocolError
            Without `resynchronise`, as `take` does; then `finish` says whether it ended within a packet.
        """
        cut = self._cut(alone=True)
        while self._resynchronise and self.pending:
            # Behind a header that lies about its length there may be packets.
            self._lost_at, self._lost_what = self._offset, "a packet of which the rest is missing"
            self._search = None
            cut += self._cut(alone=True)
        return cut

    def feed(self, data: bytes | bytearray | memoryview) -> list[RawPacket]:
        """Take the next bytes of the stream and give out all packets that are complete.

        Parameters
        ----------
        data
            Any number of bytes. Nothing refers to them afterwards.

        Returns
        -------
        list of RawPacket
            In order, with payloads that are copies of their own. What `resynchronise` left out is not among
            them.

        Raises
        ------
        ProtocolError
            As `take` does.
        """
        packets: list[RawPacket] = []
        view = memoryview(data).cast("B")
        try:
            while True:
                room = self.writable()
                piece = view[: len(room)]
                room[: len(piece)] = piece
                view = view[len(piece) :]
                packets += _own(self.take(len(piece)))
                if not view:
                    packets += _own(self.release())
                    return packets
        except ProtocolError:
            if not packets:
                raise
            return packets

    def finish(self) -> None:
        """Say that the stream has ended, and that `release` has been called.

        Raises
        ------
        ProtocolError
            When it ended within a packet, or an error has not been raised yet.
        """
        self._raise_if_damaged()
        if self.pending:
            message = (
                f"The ADARA stream ends within a packet: {self.pending} bytes are left over "
                f"from byte {self._offset} on, and the rest of the packet is missing."
            )
            raise ProtocolError(message)

    def _raise_if_damaged(self) -> None:
        if self._error is not None:
            raise ProtocolError(self._error)

    def _cut(self, *, alone: bool) -> list[RawPacket | Skipped]:
        self._raise_if_damaged()
        packets: list[RawPacket | Skipped] = []
        view = memoryview(self._buffer)[: self._end]
        try:
            self._cut_sound(view, packets)
            while self._cut_one(view, packets, alone=alone):
                self._cut_sound(view, packets)
        except ProtocolError as error:
            self._error = str(error)
            self._begin = self._end = 0
            if not packets:
                raise
        return packets

    def _cut_sound(self, view: memoryview, packets: list[RawPacket | Skipped]) -> None:
        """Give out packets of known types for as long as another one follows: what `_cut_one` does, without doubts."""
        if self._lost_at is not None:
            return
        begin, last, most, size = self._begin, self._end - HEADER.size, self._max_payload, HEADER.size
        unpack = HEADER.unpack_from
        sound = False
        kind = time_ns = following = 0
        while begin <= last:
            length, format_word, seconds, nanoseconds = unpack(view, begin)
            if (
                length & 3
                or length > most
                or nanoseconds >= NS_PER_S
                or seconds < _FIRST_TIME_S
                or format_word >> 8 not in _KNOWN_TYPES
            ):
                break
            if sound:
                # The packet before this one: it is followed by one that looks like one.
                packets.append(
                    RawPacket(kind >> 8, kind & 0xFF, time_ns, view[self._begin + size : following])
                )
                self._move(following)
            sound, kind, time_ns = True, format_word, unix_ns(seconds, nanoseconds)
            begin = following = begin + size + length

    def _cut_one(self, view: memoryview, packets: list[RawPacket | Skipped], *, alone: bool) -> bool:
        """Give out the packet at the beginning, or leave out a damaged place; false when more must come."""
        if self._lost_at is not None:
            return self._find_again(view, packets, alone=alone)
        begin, end = self._begin, self._end
        if end - begin < LENGTH_BYTES:
            return False
        problem = self.problem(view[begin:])
        if problem:
            return self._lose(begin, problem)
        if end - begin < HEADER.size:
            return False
        if lies_across_a_packet(view[begin:], self.problem):
            return self._lose(begin, "what seems a packet of a type nobody knows, across one that is known")
        following = begin + HEADER.size + int.from_bytes(view[begin : begin + LENGTH_BYTES], "little")
        if following > end:
            return False
        # What is there of the next header may show already that this packet is not whole.
        problem = self.problem(view[following:]) if end - following >= LENGTH_BYTES else ""
        if not problem:
            if end - following < HEADER.size and not alone:
                return False
            packets.append(self._packet(view, following))
            return True
        return self._doubt(view, following, problem, packets, alone=alone)

    def _packet(self, view: memoryview, following: int) -> RawPacket:
        """Cut out the packet at the beginning, which ends where another follows."""
        _, format_word, seconds, nanoseconds = HEADER.unpack_from(view, self._begin)
        payload = view[self._begin + HEADER.size : following]
        self._move(following)
        return RawPacket(format_word >> 8, format_word & 0xFF, unix_ns(seconds, nanoseconds), payload)

    def _move(self, position: int) -> None:
        self._offset += position - self._begin
        self._begin = position

    def _lose(self, position: int, problem: str) -> bool:
        """Begin to look for packets behind a place that is damaged, or give up there."""
        if not self._resynchronise:
            raise ProtocolError(self._sentence(self._offset + position - self._begin, problem))
        self._lost_at, self._lost_what = self._offset, problem
        self._search = None
        return True

    def _doubt(
        self,
        view: memoryview,
        following: int,
        problem: str,
        packets: list[RawPacket | Skipped],
        *,
        alone: bool,
    ) -> bool:
        """Decide on a packet that none follows: it was cut off, or it is whole and damage follows it."""
        if not self._resynchronise:
            return self._lose(following, problem)
        found, sure = self._look(view, self._offset + HEADER.size, alone=alone)
        if not sure and not alone and self._end - following < self._size:
            return False
        if sure and found - self._offset >= following - self._begin:
            packets.append(self._packet(view, following))
        return self._lose(self._begin, problem)

    def _look(self, view: memoryview, origin: int, *, alone: bool) -> tuple[int, bool]:
        """Begin to look for a packet, or go on with it: bytes from the beginning of the stream, and whether sure."""
        if self._search is None:
            self._search = PacketSearch(origin, self.problem)
        return self._search.look(view[self._begin :], self._offset, alone=alone)

    def _find_again(self, view: memoryview, packets: list[RawPacket | Skipped], *, alone: bool) -> bool:
        """Go on to where packets begin again; false when it takes more bytes to know."""
        found, sure = self._look(view, self._offset, alone=alone)
        self._move(self._begin + found - self._offset)
        if self._lost_at is None or not (sure or alone):
            return False
        self._search = None
        if self._offset > self._lost_at:
            packets.append(Skipped(self._lost_at, self._offset - self._lost_at, self._lost_what))
        self._lost_at = None
        return sure

    def problem(self, found: bytes | bytearray | memoryview) -> str:
        """Say what speaks against a header, of which there may be only the first bytes; empty when nothing does.

        Parameters
        ----------
        found
            At least the four bytes of the length. Changes nothing in the framer.
        """
        length = int.from_bytes(found[:LENGTH_BYTES], "little")
        if length % 4 or length > self._max_payload:
            return self._describe(found)
        if len(found) < HEADER.size:
            return ""
        _, format_word, seconds, nanoseconds = HEADER.unpack_from(found)
        if nanoseconds >= NS_PER_S:
            return self._describe(found)
        from_server = format_word >> 8 in _KNOWN_SERVER_TYPES
        # Descriptions may have any time; what has a pulse's time, or a type nobody knows, must not be too old.
        return "" if from_server or seconds >= _FIRST_TIME_S else self._describe(found)

    def _sentence(self, offset: int, problem: str) -> str:
        if offset == 0:
            return f"This does not look like an ADARA stream: at its beginning stands {problem}; check host and port."
        return (
            f"The ADARA stream is damaged: at byte {offset}, where a packet should begin, stands {problem}; "
            "connect again or check the file."
        )

    def _describe(self, found: bytes | bytearray | memoryview) -> str:
        shown = bytes(found[:_SHOWN_BYTES])
        text = _describe_text(shown)
        if text is not None:
            return text
        length = int.from_bytes(shown[:LENGTH_BYTES], "little")
        if length > self._max_payload:
            return f"a payload length of {length} bytes, more than the {self._max_payload} allowed"
        if length % 4:
            return f"a payload length of {length} bytes, which is not a multiple of 4"
        _, format_word, seconds, nanoseconds = HEADER.unpack_from(shown)
        if nanoseconds >= NS_PER_S:
            return f"a time with {nanoseconds} nanoseconds, which is more than a second"
        return (
            f"a packet of type 0x{format_word >> 8:04X}, version {format_word & 0xFF}, "
            f"and a time of {seconds} s after 1990, which is before there was beam"
        )


def _own(cut: list[RawPacket | Skipped]) -> list[RawPacket]:
    return [attrs.evolve(each, payload=bytes(each.payload)) for each in cut if isinstance(each, RawPacket)]


def _describe_text(found: bytes) -> str | None:
    """Say what talks text where a header should be; None when it is not text."""
    if not _PRINTABLE.issuperset(found):
        return None
    for greeting, speaker in ((b"HTTP/", "an HTTP server's answer"), (b"SSH-", "an SSH server's greeting")):
        known = greeting[: len(found)]
        if found.startswith(known):
            return f"{speaker}, {found.decode('ascii')!a}"
    return f"text, {found.decode('ascii')!a}"
