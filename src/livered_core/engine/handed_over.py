"""How many of the events that a reduction was handed are behind it, also where chunks are processed elsewhere."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

import attrs

_MOST: Final = 10_000
"""Chunks whose sizes are kept: more than are ever elsewhere at the same time."""


@attrs.define(eq=False)
class HandedOver:
    """Counts the events of chunks. Written by one thread, read by any."""

    _events: int = 0
    _in_hand: int = 0
    # Newest first.
    _sizes: deque[int] = attrs.field(factory=lambda: deque(maxlen=_MOST))

    def begin(self, n_events: int) -> None:
        """Count a chunk that is about to be handed over."""
        self._in_hand = n_events

    def end(self) -> None:
        """Count it as handed over: it has been reduced, or is elsewhere."""
        self._sizes.appendleft(self._in_hand)
        self._events += self._in_hand
        self._in_hand = 0

    def reduced(self, n_elsewhere: int = 0) -> int:
        """Return the events that have been reduced.

        Parameters
        ----------
        n_elsewhere
            How many chunks, the newest, have not come back.
        """
        return self._events - sum(islice(self._sizes.copy(), n_elsewhere))

    def share(self, n_waiting: int, n_elsewhere: int = 0) -> float:
        """Return the share of the events that were read that have been reduced, 0 to 1.

        Parameters
        ----------
        n_waiting
            Events that were read and are in no chunk that was handed over.
        n_elsewhere
            As for `reduced`.
        """
        reduced = self.reduced(n_elsewhere)
        read = self._events + self._in_hand + n_waiting
        return reduced / read if read > reduced else 1.0
