"""The bounded queue between the reader and the reduction. When it is full the reader does not read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from livered_core.chunking.items import Pulse, StreamItem, weight


class PulseQueue:
    """Holds stream items in their order; bounded by what they take in memory, counted in events.

    One reader puts, one reduction gets. Neither takes a lock unless the other one waits: there are as many items as
    pulses, and to hand the interpreter to and fro for each would cost more than a small pulse.

    Parameters
    ----------
    max_events
        An item is let in while less than this is waiting; so one item of any size always fits.
    """

    def __init__(self, max_events: int) -> None:
        self._max_weight = max_events
        self._items: deque[StreamItem] = deque()
        # Each is written by one side only; what waits is the difference.
        self._put_events = self._put_weight = 0
        self._got_events = self._got_weight = 0
        self._closed = False
        self._condition = threading.Condition()
        # Set before the last look at what is waited for, read after what is waited for was done.
        self._reader_waits = self._reduction_waits = False

    @property
    def n_events(self) -> int:
        """Events that wait. Safe from any thread."""
        # In this order: what is taken in between would make it less than nothing.
        got = self._got_events
        return self._put_events - got

    @property
    def n_items(self) -> int:
        """Items that wait."""
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Whether the next item has to wait."""
        return self._put_weight - self._got_weight >= self._max_weight

    def set_max_events(self, max_events: int) -> None:
        """Let more or less wait from now on; what waits stays. Safe from any thread."""
        with self._condition:
            self._max_weight = max_events
            self._condition.notify_all()

    def put(self, items: Sequence[StreamItem]) -> bool:
        """Add items, waiting while the queue is full; false once it is closed.

        Many at once wake the reduction once. Having waited, the reader goes on when a quarter of the queue is free.
        """
        for item in items:
            if self._closed or self.is_full:
                self._wake_reduction()
                if not self._wait_for_room():
                    return False
            # Counted first, so that what waits is never less than nothing.
            self._put_events += _n_events(item)
            self._put_weight += weight(item)
            self._items.append(item)
        self._wake_reduction()
        return True

    def get(self, timeout: float) -> StreamItem | None:
        """Take the oldest item; None after `timeout` seconds without one, or when closed and empty."""
        if not self._items and not self._wait_for_item(timeout):
            return None
        item = self._items.popleft()
        self._got_events += _n_events(item)
        self._got_weight += weight(item)
        if self._reader_waits and 4 * (self._put_weight - self._got_weight) <= 3 * self._max_weight:
            with self._condition:
                self._condition.notify_all()
        return item

    def close(self) -> None:
        """Let nothing more in, and wake both sides."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _wake_reduction(self) -> None:
        if self._reduction_waits:
            with self._condition:
                self._condition.notify_all()

    def _wait_for_room(self) -> bool:
        with self._condition:
            self._reader_waits = True
            try:
                self._condition.wait_for(lambda: self._closed or not self.is_full)
            finally:
                self._reader_waits = False
            return not self._closed

    def _wait_for_item(self, timeout: float) -> bool:
        if timeout <= 0.0:
            return False
        with self._condition:
            self._reduction_waits = True
            try:
                self._condition.wait_for(lambda: self._items or self._closed, timeout)
            finally:
                self._reduction_waits = False
            return bool(self._items)


def _n_events(item: StreamItem) -> int:
    return len(item.tof) if isinstance(item, Pulse) else 0
