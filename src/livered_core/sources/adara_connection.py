"""One connection to a server of ADARA: connect, say hello, and wait for bytes."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Final

import attrs

from livered_core.adara import ClientHello, encode
from livered_core.clocks import Clock
from livered_core.config import format_address, parse_address
from livered_core.errors import ConnectionLost

POLL_S: Final = 0.1
"""Longest time that `AdaraConnection.receive` waits."""


@attrs.frozen
class AdaraAddress:
    """Where and how to connect.

    Attributes
    ----------
    host, port
        Of the stream management service.
    connect_timeout
        Seconds that connecting may take.
    silence_timeout
        Seconds without a single byte after which the connection counts as lost; a live server always sends.
    """

    host: str
    port: int
    connect_timeout: float = 10.0
    silence_timeout: float = 30.0

    @classmethod
    def parse(cls, text: str, connect_timeout: float = 10.0, silence_timeout: float = 30.0) -> AdaraAddress:
        """Read ``host:port``, or ``[address]:port`` for IPv6; ValueError when it is neither."""
        host, port = parse_address(text)
        return cls(host, port, connect_timeout, silence_timeout)

    def __str__(self) -> str:
        return format_address(self.host, self.port)


class AdaraConnection:
    """A connection that has said its hello. A context manager; used from one thread.

    Parameters
    ----------
    address
        Where to connect.
    hello
        What to say.
    clock
        Tells silence.

    Raises
    ------
    ConnectionLost
        When nobody answers there.
    """

    def __init__(self, address: AdaraAddress, hello: ClientHello, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._socket = _connect(address)
        try:
            self._socket.sendall(encode(hello))
        except OSError as error:
            self._socket.close()
            message = f"{address} closed the connection before it said anything ({_reason(error)})."
            raise ConnectionLost(message) from error
        self._socket.settimeout(POLL_S)
        self._heard = clock.monotonic()

    def __enter__(self) -> AdaraConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def receive(self, room: memoryview) -> int:
        """Wait a little for bytes; return how many stand in `room` now.

        Raises
        ------
        ConnectionLost
            When the connection is closed, broken, or silent for too long.
        """
        try:
            n = self._socket.recv_into(room)
        except TimeoutError:
            silent = self._clock.monotonic() - self._heard
            if silent < self._address.silence_timeout:
                return 0
            message = f"{self._address} has been silent for {silent:.0f} s, and a live server always sends: is it still running?"
            raise ConnectionLost(message) from None
        except OSError as error:
            message = f"The connection to {self._address} was lost: {_reason(error)}."
            raise ConnectionLost(message) from error
        if not n:
            message = f"{self._address} closed the connection."
            raise ConnectionLost(message)
        self.heard()
        return n

    def heard(self) -> None:
        """Count silence from now on: what was received has been dealt with, which may have taken long."""
        self._heard = self._clock.monotonic()


def _connect(address: AdaraAddress) -> socket.socket:
    try:
        return socket.create_connection((address.host, address.port), timeout=address.connect_timeout)
    except (OSError, UnicodeError) as error:
        message = (
            f"Cannot connect to {address}: {_reason(error)}. Check the address (livered config show) and the network, "
            "or try the simulated beamline with --simulate."
        )
        raise ConnectionLost(message) from error


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return "this machine does not know that host name"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or str(error) or type(error).__name__).lower()
