"""The ADARA stream over TCP: connect, say hello, read, and never give up.

The reader runs on a thread of its own. Whatever ends a connection (refused, reset, closed, silent, bytes that
are not ADARA) is said in one sentence and followed by another attempt, later each time.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
from collections.abc import Callable

import attrs

from livered_core.adara import ClientHello, Framer, StartRequest, decode, encode
from livered_core.backoff import Backoff
from livered_core.chunking.items import StreamItem
from livered_core.chunking.stream_state import StreamState
from livered_core.clocks import Clock
from livered_core.config import format_address, parse_address
from livered_core.errors import ConnectionLost, ProtocolError, SourceError
from livered_core.sources.base import Connection

_log = logging.getLogger(__name__)
_READ_SIZE = 1 << 20
_POLL_S = 0.25


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


@attrs.frozen
class ReaderStatus:
    """State of the connection, why it is not there, and how often it was made."""

    connection: Connection = Connection.CONNECTING
    problem: str = ""
    connects: int = 0


class AdaraReader:
    """Reads the stream and puts what it says; `read_until` is the body of the reader's thread.

    Parameters
    ----------
    address
        Where to connect.
    start
        What to ask for at first; after a lost connection the reader asks for what it has not seen yet.
    state
        Follows the runs across connections; belongs to the reader's thread.
    put
        Takes each item; false when nobody wants more.
    clock
        For silence and back-off.
    backoff
        How long to wait before trying again.
    """

    def __init__(
        self,
        address: AdaraAddress,
        start: StartRequest,
        state: StreamState,
        put: Callable[[StreamItem], bool],
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        self._address = address
        self._start = start
        self._state = state
        self._put = put
        self._clock = clock
        self._backoff = backoff
        self._jitter = random.Random()  # noqa: S311  (spreads retries; nothing to guess)
        self._failures = 0
        self._connected_at = 0.0
        self._pulse_at: float | None = None
        self._status = ReaderStatus()

    @property
    def status(self) -> ReaderStatus:
        """A snapshot; safe from any thread."""
        return self._status

    @property
    def silent_s(self) -> float | None:
        """Seconds since a pulse was received; None before the first. Safe from any thread."""
        pulse_at = self._pulse_at
        return None if pulse_at is None else max(0.0, self._clock.monotonic() - pulse_at)

    def read_until(self, stop: threading.Event) -> None:
        """Connect and read, again and again, until `stop` is set."""
        while not stop.is_set():
            try:
                self._read_one_connection(stop)
            except SourceError as error:
                self._wait_after(error, stop)
        self._status = attrs.evolve(self._status, connection=Connection.CLOSED)

    def _wait_after(self, error: SourceError, stop: threading.Event) -> None:
        self._failures += 1
        delay = self._backoff.delay(self._failures, self._jitter.random())
        self._status = attrs.evolve(self._status, connection=Connection.WAITING, problem=str(error))
        level = logging.WARNING if self._failures == 1 or self._failures % 10 == 0 else logging.DEBUG
        _log.log(level, "%s Attempt %d; trying again in %.0f s.", error, self._failures, delay)
        self._clock.wait(stop, delay)

    def _read_one_connection(self, stop: threading.Event) -> None:
        with _connect(self._address) as connection:
            self._hello(connection)
            self._state.connection_opened()
            framer = Framer()
            last_heard = self._clock.monotonic()
            connection.settimeout(_POLL_S)
            while not stop.is_set():
                data = self._receive(connection, last_heard)
                if data:
                    if not self._take(framer, data):
                        return
                    # Taking may wait for the reduction: that is not the server's silence.
                    last_heard = self._clock.monotonic()

    def _hello(self, connection: socket.socket) -> None:
        start = self._start
        if self._state.resumes:
            start = StartRequest.at(self._state.last_pulse_ns)
        elif self._status.connects:
            # A run may have begun while the connection was lost.
            start = StartRequest.start_of_run()
        try:
            connection.sendall(encode(ClientHello(time_ns=self._clock.now_ns(), start=start)))
        except OSError as error:
            message = f"{self._address} closed the connection before it said anything ({_reason(error)})."
            raise ConnectionLost(message) from error

    def _receive(self, connection: socket.socket, last_heard: float) -> bytes:
        try:
            data = connection.recv(_READ_SIZE)
        except TimeoutError:
            silent = self._clock.monotonic() - last_heard
            if silent < self._address.silence_timeout:
                return b""
            message = f"{self._address} has been silent for {silent:.0f} s, and a live server always sends: is it still running?"
            raise ConnectionLost(message) from None
        except OSError as error:
            message = f"The connection to {self._address} was lost: {_reason(error)}."
            raise ConnectionLost(message) from error
        if not data:
            message = f"{self._address} closed the connection."
            raise ConnectionLost(message)
        return data

    def _take(self, framer: Framer, data: bytes) -> bool:
        """Hand on what the bytes say; false when nobody wants more."""
        newest_ns, pulses = self._state.last_pulse_ns, self._state.counts.pulses
        try:
            for raw in framer.feed(data):
                packet = decode(raw)
                if self._status.connection is not Connection.CONNECTED:
                    self._connected()
                for item in self._state.feed(packet):
                    if not self._put(item):
                        return False
            # The framer gives out what came before a damaged place first, and says so when asked again.
            framer.feed(b"")
        except ProtocolError as error:
            message = f"{self._address}: {error}"
            raise ProtocolError(message) from error
        finally:
            self._note_progress(newest_ns, pulses)
        return True

    def _note_progress(self, newest_ns: int, pulses: int) -> None:
        now = self._clock.monotonic()
        if self._state.counts.pulses > pulses:
            self._pulse_at = now
        connected = self._status.connection is Connection.CONNECTED
        lasted = connected and now - self._connected_at > self._address.silence_timeout
        if lasted or self._state.last_pulse_ns > newest_ns:
            self._failures = 0

    def _connected(self) -> None:
        """Count a connection as made: only now that a whole packet came is it known to be ADARA.

        The back-off is kept until the connection has brought something new, or has lasted.
        """
        again = " again" if self._status.connects else ""
        _log.info("Connected%s to %s.", again, self._address)
        self._connected_at = self._clock.monotonic()
        self._status = ReaderStatus(Connection.CONNECTED, "", self._status.connects + 1)


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
