"""A clock that a test moves."""

from __future__ import annotations

import threading
from typing import Final

from livered_core.testing.nouns import FIRST_PULSE_NS

_NS_PER_S: Final = 1_000_000_000


class ManualClock:
    """A `livered_core.clocks.Clock` that stands still until it is moved. All methods may be called from any thread.

    Parameters
    ----------
    now_ns
        Wall time at which it begins, nanoseconds UTC since the Unix epoch.
    seconds
        What `monotonic` gives at the beginning.

    Examples
    --------
    >>> clock = ManualClock(seconds=100.0)
    >>> clock.advance(2.5)
    >>> clock.monotonic()
    102.5
    """

    def __init__(self, now_ns: int = FIRST_PULSE_NS, seconds: float = 1000.0) -> None:
        self._begun_ns = now_ns
        self._begun_s = seconds
        self._passed_ns = 0
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """Wall time in nanoseconds UTC since the Unix epoch."""
        return self._begun_ns + self._passed_ns

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return self._begun_s + self._passed_ns / _NS_PER_S

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Move on by `timeout` seconds unless `event` is set; true if it is set. Returns at once."""
        if not event.is_set():
            self.advance(max(0.0, timeout))
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Move both clocks on.

        Parameters
        ----------
        seconds
            By how much; not negative.

        Raises
        ------
        ValueError
            When it is negative: these clocks only go forward.
        """
        if seconds < 0:
            message = (
                f"ManualClock cannot go back by {-seconds:g} s: give advance a number that is not negative."
            )
            raise ValueError(message)
        with self._lock:
            self._passed_ns += round(seconds * _NS_PER_S)
