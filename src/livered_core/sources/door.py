"""The door between Mantid's threads and the reduction thread."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakValueDictionary

from livered_core.clocks import Clock
from livered_core.workspaces import n_events_of

_MOST_WAITING: Final = 10
"""Chunks that may wait: an empty one has a list for each pixel, too."""
_TOKENS: Final = itertools.count(1)
_DOORS: WeakValueDictionary[str, Door] = WeakValueDictionary()
"""Doors by their tokens: the one thing that a script, which is text, can find its way back by."""


class Door:
    """Where Mantid leaves its chunks for the reduction thread, in their order.

    Parameters
    ----------
    clock
        For the time of the last chunk.
    most_events
        Says how many: while more wait, Mantid waits, too, and memory stays bounded. Called on any thread.
    """

    def __init__(self, clock: Clock, most_events: Callable[[], int]) -> None:
        self._clock = clock
        self._most_events = most_events
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Any, int]] = deque()
        self._open = True
        self.token = f"livered-{next(_TOKENS)}"
        self.last_s = clock.monotonic()
        """When Mantid was last heard of, monotonic seconds."""
        self.holds_mantid = False
        """Whether Mantid waits for room."""
        _DOORS[self.token] = self

    @property
    def n_events(self) -> int:
        """Events that wait."""
        return sum(n_events for _, n_events in tuple(self._waiting))

    @property
    def has_chunks(self) -> bool:
        """Whether a chunk waits."""
        return bool(self._waiting)

    def enter(self, workspace: Any) -> None:
        """Leave a chunk; on Mantid's threads. Waits for room; after `close` the chunk is not taken."""
        n_events = n_events_of(workspace)
        with self._changed:
            self.holds_mantid = not self._has_room()
            self._changed.wait_for(self._has_room)
            self.holds_mantid = False
            self.last_s = self._clock.monotonic()
            if self._open:
                self._waiting.append((workspace, n_events))
                self._changed.notify_all()

    def _has_room(self) -> bool:
        few = len(self._waiting) < _MOST_WAITING and self.n_events < self._most_events()
        return not self._open or not self._waiting or few

    def take(self, timeout: float) -> Any | None:
        """Take the oldest chunk that waits, or wait for one; None after `timeout` seconds without."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._waiting), timeout):
                return None
            workspace, _ = self._waiting.popleft()
            self.last_s = self._clock.monotonic()
            self._changed.notify_all()
            return workspace

    def look_again(self) -> None:
        """Let Mantid go on if there is more room than there was; safe from any thread."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Take no more from Mantid; what waits can still be taken."""
        with self._changed:
            self._open = False
            self._changed.notify_all()


def find_door(token: str) -> Door | None:
    """Find a door by its token; None when it is no more."""
    return _DOORS.get(token)
