"""Columns that are there before the events come: memory is taken once and used again."""

from __future__ import annotations

import sys
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

BLOCK_EVENTS: Final = 1 << 21
"""Events of a block, 16 MB: a chunk that lies in one block needs no copy, and half of it is still in a processor's cache
when it is reduced."""
_KEPT_BLOCKS: Final = 6
"""Blocks that are remembered for another use; beyond it memory goes back as its users let go of it."""


@attrs.frozen(eq=False)
class EventBlock:
    """Columns with room for many pulses.

    Attributes
    ----------
    pixel_id, tof
        uint32[capacity].
    """

    pixel_id: npt.NDArray[np.uint32]
    tof: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, capacity: int) -> EventBlock:
        """Return a block with room for `capacity` events."""
        return cls(np.empty(capacity, np.uint32), np.empty(capacity, np.uint32))


class EventBlocks:
    """Gives out room in blocks, one pulse after the other; belongs to the reader's thread.

    A block is used again once nobody holds it or a view of its columns any more, wherever that was: whoever
    keeps a column keeps its memory from changing.

    Parameters
    ----------
    capacity
        Events of a block.
    """

    def __init__(self, capacity: int = BLOCK_EVENTS) -> None:
        self._capacity = capacity
        self._block = EventBlock.of(0)
        self._used = 0
        self._kept: list[EventBlock] = []
        self._unused = _references([EventBlock.of(0)], 0)

    def room(self, n: int) -> tuple[EventBlock, int]:
        """Find room.

        Parameters
        ----------
        n
            Events that there must be room for.

        Returns
        -------
        block, start
            Where to write; the room is the same at the next call unless `keep` says that it is taken.
        """
        if self._used + n > len(self._block.tof):
            self._block, self._used = self._next(n), 0
        return self._block, self._used

    def keep(self, n: int) -> None:
        """Say that the first `n` events of the room are in use now."""
        self._used += n

    def _next(self, n: int) -> EventBlock:
        if n > self._capacity:
            return EventBlock.of(n)
        for index in range(len(self._kept)):
            if _references(self._kept, index) == self._unused:
                return self._kept[index]
        block = EventBlock.of(self._capacity)
        if len(self._kept) < _KEPT_BLOCKS:
            self._kept.append(block)
        return block


def _references(kept: list[EventBlock], index: int) -> tuple[int, int, int]:
    """Count who refers to a block and to its columns.

    A view refers to the column it was cut from, so that the columns' counts tell of all views. What the count of
    a block is that nobody else holds depends on the interpreter, so it is counted, not known.
    """
    block = kept[index]
    return sys.getrefcount(block), sys.getrefcount(block.pixel_id), sys.getrefcount(block.tof)
