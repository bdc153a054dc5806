"""The server's side of a connection, and what the scripts of a stream server are made of."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs

from livered_core.adara import ClientHello, Framer, Packet, decode, encode

PATIENCE_S: Final = 20.0
"""How long a script waits for its client, or for a test, before that is an error; seconds."""

_LOOK_EVERY_S: Final = 0.01
_PIECE: Final = 1 << 18


@attrs.define(eq=False)
class StreamConnection:
    """The server's side of one connection: what the steps of a script are given. The server makes it.

    Methods are for the thread of the script. All of them raise `ConnectionError` when the client has gone: let it
    through, the server knows that clients go.

    Attributes
    ----------
    socket
        The connected socket, with a limit of `PATIENCE_S` for each operation.
    hello
        What the client said first.
    """

    socket: socket.socket
    hello: ClientHello | None = None
    _ending: threading.Event = attrs.field(factory=threading.Event, repr=False)

    @property
    def ending(self) -> bool:
        """Whether the server ends: a script that goes on for long looks at it now and then."""
        return self._ending.is_set()

    def read_hello(self) -> ClientHello:
        """Read the client's first packet. The server does so before the script begins.

        Raises
        ------
        ProtocolError
            When it is no packet.
        ConnectionError
            When the client goes without a word.
        AssertionError
            When it is another packet than `ClientHello`.
        """
        framer = Framer()
        while True:
            data = self.socket.recv(1024)
            if not data:
                message = "The client went before it had said its hello."
                raise ConnectionAbortedError(message)
            for raw in framer.feed(data):
                packet = decode(raw)
                if not isinstance(packet, ClientHello):
                    message = (
                        f"The client's first packet is a {type(packet).__name__}: it must be a ClientHello."
                    )
                    raise AssertionError(message)
                self.hello = packet
                return packet

    def send(self, *packets: Packet) -> None:
        """Send packets, one after the other.

        Parameters
        ----------
        packets
            From `livered_core.adara`.

        Raises
        ------
        DataModelError
            When a number or a text does not fit into a packet; nothing is sent.
        """
        self.send_bytes(b"".join(map(encode, packets)))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, whether they are packets or not."""
        self.socket.sendall(data)

    def half_close(self) -> None:
        """Say that nothing more comes; the client can still send."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a TCP reset: the client gets an error, and what it has not read may be lost."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Close as servers do when they end."""
        self.socket.close()

    def hold(self) -> None:
        """Stay silent until the client closes, or the server ends."""
        while not self._ending.is_set():
            try:
                if not self.socket.recv(1024):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def pause(self, seconds: float) -> None:
        """Stay silent for some seconds, or until the server ends."""
        self._ending.wait(seconds)

    def wait_for(self, event: threading.Event) -> None:
        """Wait until a test sets an event, or the server ends.

        Raises
        ------
        TimeoutError
            When it is not set within `PATIENCE_S`.
        """
        limit = time.monotonic() + PATIENCE_S
        while not (event.wait(_LOOK_EVERY_S) or self._ending.is_set()):
            if time.monotonic() > limit:
                message = f"A script waited {PATIENCE_S:g} s for an event that the test has not set."
                raise TimeoutError(message)

    def play(self, parts: Iterable[StreamPart]) -> None:
        """Do what a script says: send packets and bytes, and take steps, in their order."""
        waiting: list[bytes] = []
        size = 0
        for part in parts:
            if callable(part):
                self._send_waiting(waiting)
                part(self)
                size = 0
                continue
            waiting.append(part if isinstance(part, bytes) else encode(part))
            size += len(waiting[-1])
            if size >= _PIECE:
                self._send_waiting(waiting)
                size = 0
        self._send_waiting(waiting)

    def _send_waiting(self, waiting: list[bytes]) -> None:
        # A connection that a step has closed takes nothing, not even nothing.
        if waiting:
            self.send_bytes(b"".join(waiting))
            waiting.clear()


StreamStep: TypeAlias = Callable[[StreamConnection], None]
"""One thing that a server does on a connection."""

StreamPart: TypeAlias = Packet | bytes | StreamStep
"""What a script is made of: a packet or bytes to send, or a step to take."""

StreamScript: TypeAlias = StreamStep | Iterable[StreamPart]
"""All that a server does on a connection, after the client's hello."""
