"""The server: clients say hello over TCP and get the stream, each at its own pace."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from typing import Final

import attrs

from livered_core.adara import ClientHello, Framer, HelloFlag, decode
from livered_core.clocks import Clock
from livered_core.config import format_address
from livered_core.errors import ConfigError, ProtocolError
from livered_core.model import format_utc
from livered_core.simulator.faults import cause
from livered_core.simulator.line import Line
from livered_core.simulator.storage import Start, Storage

log = logging.getLogger(__name__)

HELLO_TIMEOUT: Final = 30.0
"""Seconds that a client has for its hello."""

_LAST_PORT: Final = 65_535
_LONGEST_HELLO: Final = 64
_MAX_CLIENTS: Final = 64


@attrs.frozen
class Address:
    """Where the server listens. Port 0 is any free port."""

    host: str = "127.0.0.1"
    port: int = 0

    def __str__(self) -> str:
        return format_address(self.host, self.port)


class Server:
    """Serves a `Storage` to any number of clients, one thread for each.

    A slow client is never dropped and holds up nobody: it reads its own place of the storage. A client that
    does not say a proper hello is closed and logged.

    Parameters
    ----------
    storage
        Written by somebody else; not closed here.
    clock
        Limits the time for the hello.
    hello_timeout
        Seconds.
    """

    def __init__(self, storage: Storage, clock: Clock, hello_timeout: float = HELLO_TIMEOUT) -> None:
        self._storage = storage
        self._clock = clock
        self._hello_timeout = hello_timeout
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._stopping = threading.Event()
        self._listening: list[socket.socket] = []
        self._acceptor: threading.Thread | None = None
        self._wake_up, self._woken = socket.socketpair()
        self.has_client = threading.Event()
        """Set when the first client has said hello and has its place in the stream."""

    def start(self, address: Address) -> Address:
        """Listen, and serve in threads of its own.

        Returns
        -------
        Address
            With the port that was taken.

        Raises
        ------
        ConfigError
            When it is not possible to listen there.
        """
        try:
            # The resolver would take a larger number and cut it off.
            if not 0 <= address.port <= _LAST_PORT:
                reason = f"ports go from 0 to {_LAST_PORT}"
                raise OverflowError(reason)
            family, *_, where = socket.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listening = socket.create_server(where[:2], family=family, backlog=16)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            message = (
                f"The simulated beamline cannot listen on {address} ({reason}): "
                "choose another port, or 0 for any free one."
            )
            raise ConfigError(message) from error
        self._listening.append(listening)
        self._acceptor = threading.Thread(
            target=self._accept, args=(listening,), name="simulator-accept", daemon=True
        )
        self._acceptor.start()
        return Address(address.host, listening.getsockname()[1])

    def close(self) -> None:
        """Close all connections and end all threads. Call `Storage.close` first; calling it again is harmless."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._wake_up.send(b"x")
        if self._acceptor is not None:
            self._acceptor.join()
        for listening in self._listening:
            listening.close()
        with self._lock:
            clients = dict(self._clients)
        for connection in clients:
            # Wakes a thread that waits in send or receive.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in clients.values():
            thread.join()
        self._wake_up.close()
        self._woken.close()

    def _accept(self, listening: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listening, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if self._stopping.is_set():
                    return
                try:
                    connection, peer = listening.accept()
                except OSError as error:
                    # Out of descriptors, or gone before it was accepted: the others go on.
                    log.warning("A client could not be accepted: %s.", error.strerror)
                    self._clock.wait(self._stopping, 0.1)
                    continue
                self._welcome(connection, str(Address(str(peer[0]), int(peer[1]))))

    def _welcome(self, connection: socket.socket, peer: str) -> None:
        with self._lock:
            if len(self._clients) >= _MAX_CLIENTS:
                log.warning("Client %s is turned away: %d clients are connected.", peer, len(self._clients))
                connection.close()
                return
            thread = threading.Thread(
                target=self._serve, args=(connection, peer), name=f"simulator-client-{peer}", daemon=True
            )
            self._clients[connection] = thread
        thread.start()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            hello = self._hello(connection)
            log.info("Client %s asks for %s.", peer, _in_words(hello))
            sent = self._send_stream(connection, hello, peer)
            log.info("Client %s was sent %d bytes; the stream has ended.", peer, sent)
        except ProtocolError as error:
            log.warning("Client %s is closed: %s", peer, error)
        except OSError as error:
            if not self._stopping.is_set():
                log.info("Client %s has gone: %s.", peer, error.strerror or error)
        finally:
            with self._lock:
                self._clients.pop(connection, None)
            # First an end of data, so that a client that reads all of it sees an end and not a reset.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            connection.close()

    def _hello(self, connection: socket.socket) -> ClientHello:
        """Wait for the client's hello.

        Raises
        ------
        ProtocolError
            When it does not come in time, or something else comes.
        """
        framer = Framer(max_payload=_LONGEST_HELLO)
        until = self._clock.monotonic() + self._hello_timeout
        while True:
            left = until - self._clock.monotonic()
            data = None
            if left > 0.0:
                connection.settimeout(left)
                with contextlib.suppress(TimeoutError):
                    data = connection.recv(4096)
            if data is None:
                message = f"it said no hello within {self._hello_timeout:g} s."
                raise ProtocolError(message)
            if not data:
                message = "it left without a hello."
                raise ProtocolError(message)
            for raw in framer.feed(data):
                packet = decode(raw)
                if not isinstance(packet, ClientHello):
                    message = (
                        f"it began with a packet of type 0x{raw.type:04X}, version {raw.version}, "
                        "and not with a hello of version 0 or 1."
                    )
                    raise ProtocolError(message)
                connection.settimeout(None)
                return packet

    def _send_stream(self, connection: socket.socket, hello: ClientHello, peer: str) -> int:
        asked = hello.start.time_ns
        start = asked if asked is not None else Start.NOW if hello.start.is_now else Start.ERA
        # Unless it is set up otherwise, the facility's server gives data of pauses to those who ask for them only.
        asks_for_paused = hello.flags == HelloFlag.SEND_PAUSE_DATA
        reader = self._storage.read_from(start, leave_out_paused=not asks_for_paused)
        self.has_client.set()
        line = Line(connection, reader, self._clock, self._stopping)
        while line.is_open:
            if not line.send_next():
                if reader.at_end:
                    break
                fault = reader.fault()
                if fault is not None:
                    log.info("Client %s: fault %s.", peer, fault)
                    cause(fault, line)
        return line.sent


def _in_words(hello: ClientHello) -> str:
    time_ns = hello.start.time_ns
    if time_ns is not None:
        return f"data from {format_utc(time_ns)} on"
    return "data from now on" if hello.start.is_now else "data from the start of the run"
