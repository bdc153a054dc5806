"""Follow packets from header to header through bytes that pass by, without keeping them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from livered_core.adara import Framer, PacketType, RawPacket, RunStatus, decode, unix_ns
from livered_core.adara.wire import HEADER
from livered_core.errors import ProtocolError

_LONGEST_KEPT: Final = 64


@attrs.frozen
class Passed:
    """A packet that has passed by as a whole.

    Attributes
    ----------
    type, time_ns
        From its header.
    offset
        Byte of the stream at which it began.
    end
        Byte of the piece just given at which it ended.
    run_status
        What it says, if it is a run status that can be read.
    """

    type: int
    time_ns: int
    offset: int
    end: int
    run_status: RunStatus | None = None


class PacketWalk:
    """Finds where packets end; takes no Python work per byte, and keeps a header at most.

    When a header cannot be one, the way is lost: `problem` says why, and nothing more is found.
    """

    def __init__(self) -> None:
        self._judge = Framer()
        self._head = bytearray()
        self._kept = bytearray()
        self._keeps = False
        self._left = 0
        self._walked = 0
        self._offset = 0
        self.problem = ""

    @property
    def offset(self) -> int:
        """Byte of the stream at which the packet began that has not passed by yet."""
        return self._offset

    def walk(self, data: memoryview) -> Iterator[Passed]:
        """Take the next bytes; exhaust what is returned.

        Parameters
        ----------
        data
            Any number of bytes.
        """
        position = 0
        while position < len(data) and not self.problem:
            begin = position
            if len(self._head) < HEADER.size:
                position = min(len(data), position + HEADER.size - len(self._head))
                self._head += data[begin:position]
                self._begin_packet()
            else:
                position = min(len(data), position + self._left)
                self._left -= position - begin
                if self._keeps:
                    self._kept += data[begin:position]
            self._walked += position - begin
            if len(self._head) == HEADER.size and not self._left and not self.problem:
                yield self._passed(position)
                self._offset = self._walked
                self._head.clear()

    def _begin_packet(self) -> None:
        if len(self._head) < HEADER.size:
            return
        self.problem = self._judge.problem(self._head)
        if self.problem:
            return
        length, format_word, _, _ = HEADER.unpack(self._head)
        self._left = length
        self._keeps = format_word >> 8 == PacketType.RUN_STATUS and length <= _LONGEST_KEPT
        self._kept.clear()

    def _passed(self, position: int) -> Passed:
        _, format_word, seconds, nanoseconds = HEADER.unpack(self._head)
        raw = RawPacket(
            format_word >> 8, format_word & 0xFF, unix_ns(seconds, nanoseconds), bytes(self._kept)
        )
        return Passed(
            raw.type, raw.time_ns, self._offset, position, _run_status(raw) if self._keeps else None
        )


def _run_status(raw: RawPacket) -> RunStatus | None:
    try:
        packet = decode(raw)
    except ProtocolError:
        # Whoever reads the recording says what is wrong with it.
        return None
    return packet if isinstance(packet, RunStatus) else None
