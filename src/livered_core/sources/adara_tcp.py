"""The ADARA stream over TCP: connect, say hello, read, and never give up.

The reader runs on a thread of its own. Whatever ends a connection (refused, reset, closed, silent, bytes that
are not ADARA) is said in one sentence and followed by another attempt, later each time.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from typing import NamedTuple

import attrs

from livered_core.adara import ClientHello, HelloFlag, StartRequest
from livered_core.backoff import Backoff
from livered_core.chunking.event_blocks import BLOCK_EVENTS
from livered_core.chunking.intake import Intake
from livered_core.chunking.items import StreamItem
from livered_core.chunking.stream_state import StreamState
from livered_core.clocks import Clock
from livered_core.errors import ProtocolError, SourceError
from livered_core.sources.adara_connection import AdaraAddress, AdaraConnection
from livered_core.sources.base import Connection, Put, ReaderStatus

_log = logging.getLogger(__name__)


class _Progress(NamedTuple):
    """What shows that a connection brings something: counts, and the time of the newest pulse."""

    packets: int
    of_accelerator: int
    beam_pulses: int
    newest_ns: int


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
        Takes items; false when nobody wants more.
    clock
        For silence and back-off.
    backoff
        How long to wait before trying again.
    block_events
        As of `Intake`.
    """

    def __init__(
        self,
        address: AdaraAddress,
        start: StartRequest,
        state: StreamState,
        put: Put,
        clock: Clock,
        backoff: Backoff,
        block_events: int = BLOCK_EVENTS,
    ) -> None:
        self._address = address
        self._start = start
        self._state = state
        self._intake = Intake(state, block_events)
        self._put = put
        self._clock = clock
        self._backoff = backoff
        self._jitter = random.Random()  # noqa: S311  (spreads retries; nothing to guess)
        self._failures = 0
        self._connected_at = 0.0
        self._packet_at = 0.0
        self._pulse_at: float | None = None
        self._beam_at: float | None = None
        self._damaged_at_ns: int | None = None
        self._damaged_again = False
        self._replay = threading.Event()
        self._status = ReaderStatus()

    @property
    def status(self) -> ReaderStatus:
        """A snapshot; safe from any thread."""
        return attrs.evolve(
            self._status, silent_s=self._since(self._pulse_at), beam_off_s=self._since(self._beam_at)
        )

    @property
    def where(self) -> str:
        """The address, as people write it."""
        return f"adara://{self._address}"

    def _since(self, moment: float | None) -> float | None:
        return None if moment is None else max(0.0, self._clock.monotonic() - moment)

    def read_until(self, stop: threading.Event) -> None:
        """Connect and read, again and again, until `stop` is set."""
        while not stop.is_set():
            if self._replay.is_set():
                self._replay.clear()
                self._put([self._state.begin_again()])
            try:
                self._read_one_connection(stop)
            except SourceError as error:
                if isinstance(error, ProtocolError) and self._status.connection is Connection.CONNECTED:
                    self._note_damage()
                self._wait_after(error, stop)
        self._status = attrs.evolve(self._status, connection=Connection.CLOSED)

    def replay(self) -> bool:
        """Connect anew, and ask for the run in hand from its start; what waits to be reduced ends with a `ReplayBegins`."""
        self._replay.set()
        return True

    def _wait_after(self, error: SourceError, stop: threading.Event) -> None:
        self._failures += 1
        delay = self._backoff.delay(self._failures, self._jitter.random())
        self._status = attrs.evolve(self._status, connection=Connection.WAITING, problem=str(error))
        level = logging.WARNING if self._failures == 1 or self._failures % 10 == 0 else logging.DEBUG
        _log.log(level, "%s Attempt %d; trying again in %.0f s.", error, self._failures, delay)
        self._clock.wait(stop, delay)

    def _read_one_connection(self, stop: threading.Event) -> None:
        with AdaraConnection(self._address, self._hello(), self._clock) as connection:
            # The same damage again will not go away by itself: then it is left out.
            self._intake.connection_opened(tolerant=self._damaged_again)
            self._packet_at = self._clock.monotonic()
            try:
                while not (stop.is_set() or self._replay.is_set()):
                    n = connection.receive(self._intake.writable())
                    if not self._put_all(self._intake.take(n) if n else self._intake.release()):
                        return
                    if n:
                        # Taking may wait for the reduction: that is not the server's silence.
                        connection.heard()
                        self._give_up_on_a_packet_without_end()
            finally:
                # A packet may be waiting for the next one.
                self._put_all(self._intake.release())

    def _give_up_on_a_packet_without_end(self) -> None:
        """End a connection that brings bytes and no packets: a length that lies swallows all that is good.

        Raises
        ------
        ProtocolError
            When nothing was whole for as long as silence is borne.
        """
        since = self._clock.monotonic() - self._packet_at
        if since < self._address.silence_timeout:
            return
        if self._damaged_again:
            # Packets may be found in what was swallowed.
            self._put_all(self._intake.finish())
        message = (
            f"{self._address} has been sending bytes for {since:.0f} s and no whole packet of ADARA: "
            "a length in the stream is wrong."
        )
        raise ProtocolError(message)

    def _hello(self) -> ClientHello:
        start = self._start
        if self._state.resumes:
            # A pulse of the future would be asked for in vain.
            start = StartRequest.at(min(self._state.last_pulse_ns, self._clock.now_ns()))
        elif self._status.connects:
            # A run may have begun while the connection was lost.
            start = StartRequest.start_of_run()
        flags = HelloFlag.SEND_PAUSE_DATA if self._state.selection.keep_paused else HelloFlag.PAUSE_AGNOSTIC
        return ClientHello(time_ns=self._clock.now_ns(), start=start, flags=flags)

    def _put_all(self, items: Iterator[StreamItem]) -> bool:
        """Hand on what the bytes say; false when nobody wants more."""
        counts = self._state.counts
        before = self._progress()
        said: list[StreamItem] = []
        damage: ProtocolError | None = None
        try:
            said.extend(items)
        except ProtocolError as error:
            damage = error
        if counts.packets > before.packets and self._status.connection is not Connection.CONNECTED:
            self._connected()
        self._note_progress(before)
        # What came before a damaged place is good.
        wanted = not said or self._put(said)
        if counts.packets > before.packets:
            # To wait there for the reduction is not to wait for a packet.
            self._packet_at = self._clock.monotonic()
        if damage is not None:
            message = f"{self._address}: {damage}"
            raise ProtocolError(message) from damage
        return wanted

    def _progress(self) -> _Progress:
        counts = self._state.counts
        return _Progress(
            counts.packets, counts.pulses + counts.rtdl_packets, counts.beam_pulses, self._state.last_pulse_ns
        )

    def _note_progress(self, before: _Progress) -> None:
        now, after = self._clock.monotonic(), self._progress()
        if after.packets > before.packets:
            self._packet_at = now
        if after.of_accelerator > before.of_accelerator:
            self._pulse_at = now
        if after.beam_pulses > before.beam_pulses:
            self._beam_at = now
        connected = self._status.connection is Connection.CONNECTED
        lasted = connected and now - self._connected_at > self._address.silence_timeout
        if lasted or after.newest_ns > before.newest_ns:
            self._failures = 0

    def _note_damage(self) -> None:
        """Remember where a connection that was ADARA had damage."""
        newest_ns = self._state.last_pulse_ns
        self._damaged_again = self._damaged_at_ns == newest_ns
        self._damaged_at_ns = newest_ns

    def _connected(self) -> None:
        """Count a connection as made: only now that a whole packet came is it known to be ADARA.

        The back-off is kept until the connection has brought something new, or has lasted.
        """
        again = " again" if self._status.connects else ""
        _log.info("Connected%s to %s.", again, self._address)
        self._connected_at = self._clock.monotonic()
        self._status = ReaderStatus(Connection.CONNECTED, "", self._status.connects + 1)
