"""The newest result: one writer, any number of readers, a version that only grows."""

from __future__ import annotations

import threading

import attrs

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
    """

    version: int
    result: Result
    run: RunInfo
    update: Update


class Latest:
    """Holds the newest result. `put` is for the reduction thread alone, `snapshot` for any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: Published | None = None

    def put(self, result: Result, run: RunInfo, update: Update) -> Published:
        """Make a result the newest and return it with its version."""
        with self._lock:
            version = 1 if self._newest is None else self._newest.version + 1
            self._newest = Published(version, result, run, update)
            return self._newest

    def snapshot(self) -> Published | None:
        """Return the newest result; None before the first."""
        with self._lock:
            return self._newest
