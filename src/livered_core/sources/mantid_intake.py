"""Chunks taken from Mantid's door in their order; those that wait are put together.

When the reduction of a chunk takes longer than a chunk is long, chunks wait. Each costs the same whatever is in it, so
that one by one they would never be caught up with: what waits of one run is reduced as one chunk, as it would be if
Mantid had waited.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import attrs

from livered_core.errors import DataModelError
from livered_core.sources.door import Door
from livered_core.sources.mantid_chunks import ChunkReader, Said
from livered_core.workspaces import add_workspaces

_log = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class Piece:
    """What is reduced at once.

    Attributes
    ----------
    said
        What it says of itself.
    workspace
        Its data.
    n_chunks
        Chunks of Mantid's that are in it.
    """

    said: Said
    workspace: Any
    n_chunks: int = 1


class Intake:
    """Takes what one call of StartLiveData leaves at a door. For one thread.

    Parameters
    ----------
    door
        Where the chunks are.
    instrument
        Short name for `RunInfo`.
    not_before_ns
        What is earlier is cut off, nanoseconds UTC; 0 for nothing.
    most_events
        Says how many events a piece of several chunks holds at most.
    """

    def __init__(
        self, door: Door, instrument: str, not_before_ns: int, most_events: Callable[[], int]
    ) -> None:
        self._door = door
        self._reader = ChunkReader(instrument, not_before_ns)
        self._most_events = most_events
        self._kept: Piece | None = None

    @property
    def more_waits(self) -> bool:
        """Whether there is more to take at once."""
        return self._kept is not None or self._door.has_chunks

    def take(self, timeout: float) -> Piece | None:
        """Take what waits, put together as far as possible, or wait for a chunk; None after `timeout` seconds without."""
        piece = self._next(timeout)
        while piece is not None and (following := self._next(0.0)) is not None:
            joined = self._joined(piece, following)
            if joined is None:
                self._kept = following
                break
            piece = joined
        return piece

    def _next(self, timeout: float) -> Piece | None:
        kept, self._kept = self._kept, None
        if kept is not None:
            return kept
        workspace = self._door.take(timeout)
        return None if workspace is None else Piece(*self._reader.read(workspace))

    def _joined(self, piece: Piece, following: Piece) -> Piece | None:
        """Put two pieces together; None where they do not belong together."""
        said, more = piece.said, following.said
        together = said.n_events + more.n_events
        if said.ended or said.run is None or said.run != more.run or together > self._most_events():
            return None
        if said.kind != "events" or more.kind != "events":
            return None
        workspace = piece.workspace
        if more.n_events or more.n_pulses:
            try:
                workspace = add_workspaces(piece.workspace, following.workspace)
            except DataModelError as error:
                _log.warning("Chunks that wait are reduced one by one: %s", error)
                return None
        return Piece(said.followed_by(more), workspace, piece.n_chunks + following.n_chunks)
