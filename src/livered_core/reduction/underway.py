"""Chunks that are processed elsewhere: sent, and merged in the order in which they were sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import attrs

from livered_core.chunking.position import StreamPosition
from livered_core.hooks.elsewhere import Answer
from livered_core.model import Chunk, RunInfo


@attrs.frozen(eq=False)
class Processed:
    """A chunk that was processed elsewhere.

    Attributes
    ----------
    chunk, run
        What process_chunk was called with.
    answer
        What came of it.
    """

    chunk: Chunk
    run: RunInfo
    answer: Answer


class Blocks(Protocol):
    """Has chunks processed elsewhere, several at the same time. Called on the reduction thread.

    Any method may raise a `LiveredError` when there is no way any more to have anything processed.
    """

    @property
    def is_full(self) -> bool:
        """Whether as many chunks are out as may be."""

    def begin(self, run: RunInfo) -> None:
        """Forget all chunks, and make ready for those of a run, or of a run that goes on with other plugins.

        The session's plugins have been told of the run.
        """

    def send(self, chunk: Chunk, run: RunInfo) -> None:
        """Have a chunk processed; returns at once."""

    def take(self, *, wait: bool) -> Processed | None:
        """Return the oldest chunk that is out, once.

        Parameters
        ----------
        wait
            Whether to wait until it has been processed.

        Returns
        -------
        Processed or None
            None when it has not been processed; with `wait`, when the session was asked to stop and has waited long
            enough.
        """

    def forget(self) -> tuple[Chunk, ...]:
        """Forget all chunks that are out, and return them, the oldest first. What comes of them comes to nobody."""


class Underway:
    """Keeps what is elsewhere in order; belongs to the reduction thread.

    Parameters
    ----------
    blocks
        Has the chunks processed.
    merge
        Takes a chunk that was processed, with the place in the stream behind it where that is known.
    given_up
        Is told of the chunks that nobody waits for any more.
    """

    def __init__(
        self,
        blocks: Blocks,
        merge: Callable[[Processed, StreamPosition | None], None],
        given_up: Callable[[tuple[Chunk, ...]], None],
    ) -> None:
        self._blocks = blocks
        self._merge = merge
        self._given_up = given_up
        # Of each chunk that is out: the place in the stream behind it.
        self._positions: deque[StreamPosition | None] = deque()
        self._gone = False

    @property
    def is_given_up(self) -> bool:
        """Whether chunks were left out that nobody waits for any more."""
        return self._gone

    def begin(self, run: RunInfo) -> None:
        """Begin a run, or go on with one; what is out belongs to nobody."""
        self._positions.clear()
        self._blocks.begin(run)

    def send(self, chunk: Chunk, run: RunInfo) -> None:
        """Send a chunk, and merge those that have been processed; waits while as many are out as may be."""
        while not self._gone and self._blocks.is_full:
            self._merge_one(wait=True)
        if self._gone:
            # One before it is left out: the next session goes on from there.
            self._given_up((chunk,))
            return
        self._blocks.send(chunk, run)
        self._positions.append(None)
        while self._merge_one(wait=False):
            pass

    def reached(self, position: StreamPosition) -> bool:
        """Keep a place in the stream with the newest chunk that is out; false where none is before it."""
        if self._gone:
            return True
        if not self._positions:
            return False
        self._positions[-1] = position
        return True

    def settle(self) -> None:
        """Merge all chunks that are out; waits for them."""
        while self._merge_one(wait=True):
            pass

    def give_up(self) -> None:
        """Leave out all chunks that are out, and all that follow."""
        self._positions.clear()
        left = self._blocks.forget()
        if left:
            # Whoever goes on with the run goes on before them.
            self._gone = True
            self._given_up(left)

    def _merge_one(self, *, wait: bool) -> bool:
        """Merge the oldest chunk; false when there is none, or it has not been processed."""
        if not self._positions:
            return False
        processed = self._blocks.take(wait=wait)
        if processed is None:
            if wait:
                self.give_up()
            return False
        self._merge(processed, self._positions.popleft())
        return True
