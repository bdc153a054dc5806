"""The two clocks, as things that are handed in.

Data carry their own time (the pulse's). Wall time says how old they are; monotonic time guards liveness and
closes chunks. Nothing below the engine asks the operating system for either.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What a part that waits or measures is given. All methods may be called from any thread."""

    def now_ns(self) -> int:
        """Wall time in nanoseconds UTC since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward, from an arbitrary origin."""
        ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set or `timeout` seconds have passed; true if it is set."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Wall time in nanoseconds UTC since the Unix epoch."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set or `timeout` seconds have passed; true if it is set."""
        return event.wait(timeout)
