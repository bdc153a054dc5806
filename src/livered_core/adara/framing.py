"""Cut a stream of bytes into packets, however the bytes happen to be split."""

from __future__ import annotations

from typing import Final

from livered_core.adara.epoch import NS_PER_S, unix_ns
from livered_core.adara.wire import HEADER, RawPacket
from livered_core.errors import ProtocolError

MAX_PAYLOAD: Final = 64 * 1024 * 1024
"""Default for the largest payload taken, bytes: several times the largest pulse that NOMAD can have."""

_LENGTH_BYTES: Final = 4
_SHOWN_BYTES: Final = 64
_PRINTABLE: Final = frozenset(range(0x20, 0x7F)) | frozenset(b"\r\n\t")


class Framer:
    """Turns pieces of a stream into packets.

    Holds the beginning of one packet at most, so its memory is bounded by `max_payload`. Every byte is copied
    once, or twice when its packet comes in several pieces.

    Parameters
    ----------
    max_payload
        Largest payload taken, bytes. A larger one is an error.
    """

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self._max_payload = max_payload
        self._pending = bytearray()
        self._offset = 0
        self._error: str | None = None

    @property
    def pending(self) -> int:
        """Bytes held of a packet that has not come completely."""
        return len(self._pending)

    @property
    def offset(self) -> int:
        """Bytes of the stream that have been given out as packets, headers included."""
        return self._offset

    def feed(self, data: bytes | bytearray | memoryview) -> list[RawPacket]:
        """Take the next bytes of the stream.

        Parameters
        ----------
        data
            Any number of bytes. Nothing refers to them afterwards: the buffer may be used again.

        Returns
        -------
        list of RawPacket
            The packets that are now complete, in order. Their payloads are copies of their own.

        Raises
        ------
        ProtocolError
            When the bytes cannot be the header of a packet. Packets before that place are given out first:
            then the error comes with the next call, also with one of no bytes. After an error every call
            raises it again; a new connection needs a new Framer.
        """
        self._raise_if_damaged()
        packets: list[RawPacket] = []
        view = memoryview(data).cast("B")
        try:
            position = self._finish_pending(view, packets) if self._pending else 0
            position = self._cut(view, position, packets)
            if position < len(view):
                self._pending += view[position:]
                self._check_header(self._pending)
        except ProtocolError as error:
            self._error = str(error)
            self._pending = bytearray()
            if not packets:
                raise
        return packets

    def finish(self) -> None:
        """Say that the stream has ended.

        Raises
        ------
        ProtocolError
            When it ended within a packet, or an error has not been raised yet.
        """
        self._raise_if_damaged()
        if self._pending:
            message = (
                f"The ADARA stream ends within a packet: {len(self._pending)} bytes are left over "
                f"from byte {self._offset} on, and the rest of the packet is missing."
            )
            raise ProtocolError(message)

    def _raise_if_damaged(self) -> None:
        if self._error is not None:
            raise ProtocolError(self._error)

    def _finish_pending(self, view: memoryview, packets: list[RawPacket]) -> int:
        """Complete the packet that has begun, as far as the bytes go; return how many were taken."""
        taken = self._take(view, 0, HEADER.size)
        self._check_header(self._pending)
        if len(self._pending) < HEADER.size:
            return taken
        length = int.from_bytes(self._pending[:_LENGTH_BYTES], "little")
        taken = self._take(view, taken, HEADER.size + length)
        if len(self._pending) == HEADER.size + length:
            self._cut(memoryview(self._pending), 0, packets)
            self._pending = bytearray()
        return taken

    def _take(self, view: memoryview, position: int, wanted: int) -> int:
        """Move bytes from a position on to the pending ones until there are as many as wanted."""
        piece = view[position : position + max(wanted - len(self._pending), 0)]
        self._pending += piece
        return position + len(piece)

    def _cut(self, view: memoryview, position: int, packets: list[RawPacket]) -> int:
        """Cut out the complete packets from a position on; return where the rest begins."""
        end = len(view)
        while end - position >= HEADER.size:
            length, format_word, seconds, nanoseconds = HEADER.unpack_from(view, position)
            start = position + HEADER.size
            if not self._is_sane(length, nanoseconds):
                raise self._nonsense(bytes(view[position : position + _SHOWN_BYTES]))
            if start + length > end:
                break
            packets.append(
                RawPacket(
                    format_word >> 8,
                    format_word & 0xFF,
                    unix_ns(seconds, nanoseconds),
                    bytes(view[start : start + length]),
                )
            )
            position = start + length
            self._offset += HEADER.size + length
        return position

    def _check_header(self, begun: bytearray) -> None:
        """Look at as much of a header as there is: what talks text and then waits is found out at once."""
        if len(begun) < _LENGTH_BYTES:
            return
        length = int.from_bytes(begun[:_LENGTH_BYTES], "little")
        nanoseconds = int.from_bytes(begun[12:16], "little") if len(begun) >= HEADER.size else 0
        if not self._is_sane(length, nanoseconds):
            raise self._nonsense(bytes(begun[:_SHOWN_BYTES]))

    def _is_sane(self, length: int, nanoseconds: int) -> bool:
        return length % 4 == 0 and length <= self._max_payload and nanoseconds < NS_PER_S

    def _nonsense(self, found: bytes) -> ProtocolError:
        """Make the error for bytes at the present offset that cannot be a header."""
        what = _describe_text(found) or self._describe_header(found)
        if self._offset == 0:
            return ProtocolError(
                f"This does not look like an ADARA stream: at its beginning stands {what}; check host and port."
            )
        return ProtocolError(
            f"The ADARA stream is damaged: at byte {self._offset}, where a packet should begin, stands {what}; "
            "connect again or check the file."
        )

    def _describe_header(self, found: bytes) -> str:
        length = int.from_bytes(found[:_LENGTH_BYTES], "little")
        if length > self._max_payload:
            return f"a payload length of {length} bytes, more than the {self._max_payload} allowed"
        if length % 4:
            return f"a payload length of {length} bytes, which is not a multiple of 4"
        nanoseconds = int.from_bytes(found[12:16], "little")
        return f"a time with {nanoseconds} nanoseconds, which is more than a second"


def _describe_text(found: bytes) -> str | None:
    """Say what talks text where a header should be; None when it is not text."""
    if not _PRINTABLE.issuperset(found):
        return None
    for greeting, speaker in ((b"HTTP/", "an HTTP server's answer"), (b"SSH-", "an SSH server's greeting")):
        known = greeting[: len(found)]
        if found.startswith(known):
            return f"{speaker}, {found.decode('ascii')!a}"
    return f"text, {found.decode('ascii')!a}"
