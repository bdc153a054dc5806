"""Events per second, as people are shown it."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

OVER_S: Final = 3.0


@attrs.define(eq=False)
class EventRate:
    """Events received per second of wall time, over the last few seconds; belongs to one thread.

    Attributes
    ----------
    over_s
        Seconds that it is the mean of, at least.
    """

    over_s: float = OVER_S
    _seen: deque[tuple[float, int]] = attrs.field(factory=deque, init=False)

    def update(self, now_s: float, events: int, chunk_s: float = 0.0) -> float:
        """Take up a count and return the rate.

        Parameters
        ----------
        now_s
            Monotonic seconds.
        events
            Events received so far.
        chunk_s
            Length of the chunks that they come in, seconds: the rate is over two of them at least.
        """
        over_s = max(self.over_s, 2 * chunk_s)
        self._seen.append((now_s, events))
        while len(self._seen) > 2 and now_s - self._seen[0][0] > over_s:
            self._seen.popleft()
        first_s, first = self._seen[0]
        return (events - first) / (now_s - first_s) if now_s > first_s else 0.0
