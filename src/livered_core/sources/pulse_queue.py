"""The bounded queue between the reader and the reduction. When it is full the reader does not read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from livered_core.chunking.items import Pulse, StreamItem, weight


class PulseQueue:
    """Holds stream items in their order; bounded by what they take in memory, counted in events.

    One reader puts, one reduction gets.

    Parameters
    ----------
    max_events
        An item is let in while less than this is waiting; so one item of any size always fits.
    """

    def __init__(self, max_events: int) -> None:
        self._max_weight = max_events
        self._items: deque[StreamItem] = deque()
        self._n_events = 0
        self._weight = 0
        self._closed = False
        self._condition = threading.Condition()

    @property
    def n_events(self) -> int:
        """Events that wait."""
        return self._n_events

    @property
    def n_items(self) -> int:
        """Items that wait."""
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Whether the next item has to wait."""
        return self._weight >= self._max_weight

    def set_max_events(self, max_events: int) -> None:
        """Let more or less wait from now on; what waits stays. Safe from any thread."""
        with self._condition:
            self._max_weight = max_events
            self._condition.notify_all()

    def put(self, items: Sequence[StreamItem]) -> bool:
        """Add items, waiting while the queue is full; false once it is closed.

        Many at once wake the reduction once.
        """
        left = iter(items)
        item = next(left, None)
        with self._condition:
            while item is not None:
                self._condition.wait_for(lambda: self._closed or not self.is_full)
                if self._closed:
                    return False
                while item is not None and not self.is_full:
                    self._items.append(item)
                    self._n_events += _n_events(item)
                    self._weight += weight(item)
                    item = next(left, None)
                self._condition.notify_all()
        return True

    def get(self, timeout: float) -> StreamItem | None:
        """Take the oldest item; None after `timeout` seconds without one, or when closed and empty."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._items or self._closed, timeout) or not self._items:
                return None
            item = self._items.popleft()
            self._n_events -= _n_events(item)
            self._weight -= weight(item)
            self._condition.notify_all()
            return item

    def close(self) -> None:
        """Let nothing more in, and wake both sides."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()


def _n_events(item: StreamItem) -> int:
    return len(item.tof) if isinstance(item, Pulse) else 0
