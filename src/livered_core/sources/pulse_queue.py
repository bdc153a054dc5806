"""The bounded queue between the reader and the reduction. When it is full the reader does not read."""

from __future__ import annotations

import threading
from collections import deque

from livered_core.chunking.items import Pulse, StreamItem


class PulseQueue:
    """Holds stream items in their order; bounded by the number of events in them.

    One reader puts, one reduction gets.

    Parameters
    ----------
    max_events
        A pulse is let in while fewer events than this are waiting; so one pulse of any size always fits.
    """

    def __init__(self, max_events: int) -> None:
        self._max_events = max_events
        self._items: deque[StreamItem] = deque()
        self._n_events = 0
        self._closed = False
        self._condition = threading.Condition()

    @property
    def n_events(self) -> int:
        """Events that wait."""
        return self._n_events

    def put(self, item: StreamItem) -> bool:
        """Add an item, waiting while the queue is full; false once it is closed."""
        weight = len(item.tof) if isinstance(item, Pulse) else 0
        with self._condition:
            self._condition.wait_for(lambda: self._closed or not weight or self._n_events < self._max_events)
            if self._closed:
                return False
            self._items.append(item)
            self._n_events += weight
            self._condition.notify_all()
            return True

    def get(self, timeout: float) -> StreamItem | None:
        """Take the oldest item; None after `timeout` seconds without one, or when closed and empty."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._items or self._closed, timeout) or not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, Pulse):
                self._n_events -= len(item.tof)
                self._condition.notify_all()
            return item

    def close(self) -> None:
        """Let nothing more in, and wake both sides."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
