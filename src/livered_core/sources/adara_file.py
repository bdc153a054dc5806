"""A recorded stream as a source: read as fast as the reduction takes it, once, to its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import attrs

from livered_core.chunking.event_blocks import BLOCK_EVENTS
from livered_core.chunking.intake import Intake
from livered_core.chunking.items import StreamItem
from livered_core.chunking.stream_state import StreamState
from livered_core.model.text import one_line
from livered_core.recording import Recording
from livered_core.sources.base import Connection, Put, ReaderStatus


class RecordingReader:
    """Reads a recording and puts what it says; `read_until` is the body of the reader's thread.

    What is damaged is left out, counted and said: the bytes will not become better by reading them again. What
    is left out of a run makes it incomplete, and so does a recording that ends before the run.

    Parameters
    ----------
    recording
        From `livered_core.recording.open_recording`.
    state
        Follows the runs; belongs to the reader's thread.
    put
        Takes items, waiting while there is no room; false when nobody wants more.
    block_events
        As of `Intake`.
    """

    def __init__(
        self, recording: Recording, state: StreamState, put: Put, block_events: int = BLOCK_EVENTS
    ) -> None:
        self._recording = recording
        self._state = state
        self._intake = Intake(state, block_events)
        self._put = put
        self._status = ReaderStatus(read_fraction=0.0)

    @property
    def where(self) -> str:
        """The recording's name."""
        return one_line(self._recording.name)

    @property
    def status(self) -> ReaderStatus:
        """A snapshot; safe from any thread."""
        return self._status

    def read_until(self, stop: threading.Event) -> None:
        """Read to the end, or until `stop` is set.

        Raises
        ------
        ConfigError
            When the recording cannot be read any more.
        """
        connects, given_up = 0, False
        for block in self._recording.blocks():
            if block.given_up:
                given_up = True
                self._state.counts.skipped_bytes += len(block.data)
                continue
            if block.opens_connection:
                # What was cut off with a connection came again with the next, or the state says that it did not.
                if connects and not given_up and not self._put_all(self._intake.release()):
                    self._close()
                    return
                self._intake.connection_opened(tolerant=True)
                connects, given_up = connects + 1, False
            if not self._take(block.data) or stop.is_set():
                self._close()
                return
            self._status = attrs.evolve(
                self._status,
                connection=Connection.CONNECTED,
                connects=connects,
                read_fraction=block.position / self._recording.size,
            )
        self._put_all(self._intake.finish())
        if self._state.run is not None:
            self._put_all(
                self._state.data_lost("The recording ends before the run does: what came later is not in it.")
            )
        self._close()

    def replay(self) -> bool:
        """Say that a recording is read once."""
        return False

    def _take(self, data: bytes | memoryview) -> bool:
        left = memoryview(data)
        while left:
            room = self._intake.writable()
            piece = left[: len(room)]
            room[: len(piece)] = piece
            left = left[len(piece) :]
            if not self._put_all(self._intake.take(len(piece))):
                return False
        return True

    def _put_all(self, items: Iterator[StreamItem]) -> bool:
        said = list(items)
        return not said or self._put(said)

    def _close(self) -> None:
        self._status = attrs.evolve(self._status, connection=Connection.CLOSED)
