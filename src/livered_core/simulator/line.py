"""One client's connection, as the sending side sees it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from typing import Final

from livered_core.adara.wire import HEADER
from livered_core.clocks import Clock
from livered_core.simulator.storage import Reader

_BLOCK: Final = 1 << 20


class Line:
    """Sends what a reader gives; used from one thread.

    Parameters
    ----------
    connection
        To the client; blocking. Closed by somebody else.
    reader
        At the client's place in the stream.
    clock
        For faults that take time.
    stopping
        Set when the server ends.
    """

    def __init__(
        self, connection: socket.socket, reader: Reader, clock: Clock, stopping: threading.Event
    ) -> None:
        self.connection = connection
        self.reader = reader
        self.clock = clock
        self.stopping = stopping
        self.sent = 0
        self.is_open = True
        self._waiting: list[bytes | memoryview] = []

    def send_next(self) -> bool:
        """Send what comes next; false when a fault is due or the stream has ended."""
        buffers = self._waiting or self.reader.buffers(_BLOCK)
        self._waiting = []
        self.send(buffers)
        return bool(buffers)

    def send(self, buffers: Iterable[bytes | memoryview]) -> None:
        """Send bytes."""
        left = [memoryview(buffer) for buffer in buffers]
        while left:
            n = self.connection.sendmsg(left)
            self.sent += n
            while left and n >= len(left[0]):
                n -= len(left.pop(0))
            if n:
                left[0] = left[0][n:]

    def next_packet(self) -> memoryview | None:
        """Take one packet out of the stream, in place of sending it; None when the stream has ended.

        Called between two packets.
        """
        held = bytearray()
        while len(held) < HEADER.size or len(held) < HEADER.size + HEADER.unpack_from(held)[0]:
            buffers = self._waiting or self.reader.buffers(_BLOCK)
            self._waiting = []
            if not buffers:
                return None
            for buffer in buffers:
                held += buffer
        end = HEADER.size + HEADER.unpack_from(held)[0]
        self._waiting = [bytes(held[end:])] if len(held) > end else []
        return memoryview(held)[:end]

    def wait_for_client(self, seconds: float | None) -> None:
        """Send nothing for a while (None: for good), or until the client closes its side."""
        until = None if seconds is None else self.clock.monotonic() + seconds
        try:
            self.connection.settimeout(0.1)
            while not self.stopping.is_set() and (until is None or self.clock.monotonic() < until):
                try:
                    if not self.connection.recv(4096):
                        self.is_open = False
                        return
                except TimeoutError:
                    continue
        finally:
            self.connection.settimeout(None)
