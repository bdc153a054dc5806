"""A thread for what may wait for a disk, so that nobody else has to."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class DiskThread:
    """Does jobs one after the other, in the order in which they were given.

    Parameters
    ----------
    name
        Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Have a job done and return at once; safe from any thread. After the end it is passed over."""
        self._jobs.put(job)

    def close(self, timeout: float) -> bool:
        """Wait until all jobs are done and end the thread.

        Parameters
        ----------
        timeout
            Seconds; a job that takes longer is left behind.

        Returns
        -------
        bool
            Whether all jobs were done.
        """
        self._jobs.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException:  # noqa: BLE001  (the thread goes on, whatever it was)
                # What a job cannot do it says itself; this is a fault of livered, and the next job is not to blame.
                _log.exception("A job of the thread %s failed: report it.", threading.current_thread().name)
