"""The newest result: one writer, any number of readers, a version that only grows."""

from __future__ import annotations

import threading

import attrs

from livered_core.clocks import Clock
from livered_core.model import Result, RunInfo, Update


@attrs.frozen(eq=False)
class Published:
    """A result as it was made visible.

    Attributes
    ----------
    version
        Grows by one with each result of the session.
    result, run, update
        What was published.
    session
        `id` of the session that made it, as in ``status.json``.
    published_ns
        When it was made visible, nanoseconds UTC since the Unix epoch; 0 when not known.
    """

    version: int
    result: Result
    run: RunInfo
    update: Update
    session: str = ""
    published_ns: int = 0


class Latest:
    """Holds the newest result. `put` is for the reduction thread alone, `snapshot` for any.

    Parameters
    ----------
    session
        `id` of the session.
    clock
        For the time at which a result is made visible.
    """

    def __init__(self, session: str, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._lock = threading.Lock()
        self._newest: Published | None = None

    def put(self, result: Result, run: RunInfo, update: Update) -> Published:
        """Make a result the newest and return it with its version."""
        now_ns = self._clock.now_ns()
        with self._lock:
            version = 1 if self._newest is None else self._newest.version + 1
            self._newest = Published(version, result, run, update, self._session, now_ns)
            return self._newest

    def snapshot(self) -> Published | None:
        """Return the newest result; None before the first."""
        with self._lock:
            return self._newest
