"""Recording a live stream: what the server sends goes to disk byte by byte, for as long as it takes."""

from __future__ import annotations

import errno
import logging
import random
import threading
from typing import Final

import attrs

from livered_core.adara import ClientHello, HelloFlag, StartRequest
from livered_core.backoff import Backoff
from livered_core.clocks import Clock
from livered_core.errors import LiveredError, ProtocolError, SourceError
from livered_core.recording.writer import RecordingWriter, Written
from livered_core.sources.adara_connection import AdaraAddress, AdaraConnection
from livered_core.sources.base import Connection

_log = logging.getLogger(__name__)
_ROOM: Final = 4 << 20
_FULL_WAIT_S: Final = 1.0
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@attrs.frozen
class RecorderSettings:
    """What a recorder is told.

    Attributes
    ----------
    address
        Of the server.
    start
        What to ask for at first; after a lost connection the recorder asks for what it does not have yet.
    backoff
        Waiting before connecting again.
    stop_after_run
        Whether to end with the first run whose end comes.
    """

    address: AdaraAddress
    start: StartRequest
    backoff: Backoff
    stop_after_run: bool = False


@attrs.frozen
class RecorderStatus:
    """How a recorder is doing.

    Attributes
    ----------
    connection
        State of the connection.
    problem
        One sentence on what is wrong; empty when nothing is.
    written
        What the recording holds.
    """

    connection: Connection
    problem: str
    written: Written


class Recorder:
    """Receives a stream and writes it; `record_until` is the body of a thread, `status` is for any.

    While the disk is full it receives nothing and waits for room: the server keeps what it could not send.

    Parameters
    ----------
    settings
        From where, and for how long.
    clock
        For silence and back-off.
    """

    def __init__(self, settings: RecorderSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._jitter = random.Random()  # noqa: S311  (spreads retries; nothing to guess)
        self._connection = Connection.CONNECTING
        self._problem = ""
        self._failures = 0
        self._stop = threading.Event()
        self._writer: RecordingWriter | None = None
        self._damaged_at_ns: int | None = None

    @property
    def status(self) -> RecorderStatus:
        """A snapshot; safe from any thread."""
        written = self._writer.written if self._writer is not None else Written()
        return RecorderStatus(self._connection, self._problem, written)

    def wait_for_room(self, error: OSError) -> bool:
        """Wait a little when the disk is full, for a `RecordingWriter`; false once asked to stop, or for another error."""
        if error.errno not in _FULL:
            return False
        if not self._problem:
            _log.warning(
                "The disk is full: make room, and recording goes on; the server keeps what is to come."
            )
        self._problem = "The disk is full: make room, and recording goes on."
        return not self._clock.wait(self._stop, _FULL_WAIT_S)

    def record_until(self, stop: threading.Event, writer: RecordingWriter) -> None:
        """Connect, receive and write, again and again, until `stop` is set or the run has ended.

        Parameters
        ----------
        stop
            Ends it.
        writer
            Of an empty recording, with `wait_for_room` of this recorder; not closed here.

        Raises
        ------
        LiveredError
            When the disk does not take what was received.
        """
        self._stop, self._writer = stop, writer
        try:
            while not (stop.is_set() or self._is_over(writer)):
                try:
                    self._record_one_connection(stop, writer)
                except SourceError as error:
                    self._wait_after(error, stop)
        except OSError as error:
            message = (
                f"The recording cannot be written ({error.strerror or error}): what is there can be read, "
                "and what was received last is not in it."
            )
            raise LiveredError(message) from error
        finally:
            self._connection = Connection.CLOSED

    def _is_over(self, writer: RecordingWriter) -> bool:
        return self._settings.stop_after_run and writer.written.ended_run != 0

    def _record_one_connection(self, stop: threading.Event, writer: RecordingWriter) -> None:
        room = memoryview(bytearray(_ROOM))
        with AdaraConnection(self._settings.address, self._hello(writer), self._clock) as connection:
            writer.connection_opened(str(self._settings.address))
            packets = writer.written.n_packets
            while not (stop.is_set() or self._is_over(writer)):
                n = connection.receive(room)
                if not n:
                    continue
                newest_ns = writer.written.last_pulse_ns
                writer.write(room[:n])
                connection.heard()
                written = writer.written
                if written.n_packets > packets:
                    self._connected(again=written.n_connections > 1)
                if written.last_pulse_ns > newest_ns:
                    self._failures = 0
                if written.problem:
                    self._judge_damage(written)

    def _hello(self, writer: RecordingWriter) -> ClientHello:
        newest_ns = writer.written.last_pulse_ns
        start = StartRequest.at(newest_ns) if newest_ns else self._settings.start
        return ClientHello(time_ns=self._clock.now_ns(), start=start, flags=HelloFlag.SEND_PAUSE_DATA)

    def _judge_damage(self, written: Written) -> None:
        """Connect again where packets cannot be told apart, so that the server sends them again; but only once."""
        if self._damaged_at_ns == written.last_pulse_ns:
            return
        self._damaged_at_ns = written.last_pulse_ns
        message = f"{self._settings.address}: where a packet should begin stands {written.problem}."
        raise ProtocolError(message)

    def _connected(self, *, again: bool) -> None:
        self._problem = ""
        if self._connection is not Connection.CONNECTED:
            self._connection = Connection.CONNECTED
            _log.info("Connected%s to %s.", " again" if again else "", self._settings.address)

    def _wait_after(self, error: SourceError, stop: threading.Event) -> None:
        self._failures += 1
        delay = self._settings.backoff.delay(self._failures, self._jitter.random())
        self._connection, self._problem = Connection.WAITING, str(error)
        level = logging.WARNING if self._failures == 1 or self._failures % 10 == 0 else logging.DEBUG
        _log.log(level, "%s Attempt %d; trying again in %.0f s.", error, self._failures, delay)
        self._clock.wait(stop, delay)
