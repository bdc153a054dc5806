"""The thread that looks at the files of plugins and configuration: ``livered-watch``.

It does nothing but read, so that a file system that hangs holds up nobody else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from livered_core.clocks import Clock
from livered_core.config import ReloadConfig
from livered_core.engine.watched_files import Settling, Snapshot, WatchedFiles, take_snapshot

_log = logging.getLogger(__name__)
_RESTLESS_BEFORE_A_WORD: Final = 6


class FileWatch:
    """Says when files have changed and stay so. `run` is the body of a thread, the others are for any.

    Parameters
    ----------
    watched
        Where the files are of what is loaded.
    settings
        As they are at the time.
    clock
        The clocks.
    changed
        Called with what the files hold, and with the names of those that have changed.
    mended
        Called when they are again as they were loaded.
    """

    def __init__(
        self,
        watched: WatchedFiles,
        settings: Callable[[], ReloadConfig],
        clock: Clock,
        changed: Callable[[Snapshot, tuple[str, ...]], None],
        mended: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._mended = mended
        self._lock = threading.Lock()
        self._watched = watched
        self._known: Snapshot | None = None
        self._tried: Snapshot | None = None
        self._looked_ns = 0
        self._problem = ""
        self._said: set[str] = set()
        self._own_version = version("livered-core")

    @property
    def watched(self) -> WatchedFiles:
        """Where the files are of what is loaded."""
        return self._watched

    @property
    def known(self) -> Snapshot | None:
        """What they held when it was loaded; None when that was not seen."""
        return self._known

    @property
    def tried(self) -> Snapshot | None:
        """What they held when it was last loaded or refused."""
        return self._tried

    @property
    def seen(self) -> tuple[int, str]:
        """When they were looked at, nanoseconds UTC, and why they cannot be; 0 and empty at the beginning."""
        with self._lock:
            return self._looked_ns, self._problem

    def loaded(self, watched: WatchedFiles, snapshot: Snapshot) -> None:
        """Note that this has been loaded."""
        with self._lock:
            self._watched = watched
            self._known = self._tried = snapshot

    def refused(self, snapshot: Snapshot) -> None:
        """Note that this was tried, and need not be tried again."""
        with self._lock:
            self._tried = snapshot

    def run(self, ends: threading.Event) -> None:
        """Look until it ends."""
        settling = Settling(Snapshot())
        while True:
            if self._settings().watch:
                self._look(settling)
            if self._clock.wait(ends, self._settings().every):
                return

    def _look(self, settling: Settling) -> None:
        watched = self._watched
        try:
            now = take_snapshot(watched)
        except Exception as error:  # noqa: BLE001  (the next look may do better)
            problem = f"The files of plugins and configuration cannot be read ({error}): a change of them is not seen."
            with self._lock:
                self._problem = problem
            self._say_once(problem)
            return
        with self._lock:
            if watched is not self._watched:
                return
            self._looked_ns, self._problem = self._clock.now_ns(), ""
            if self._known is None:
                self._known = self._tried = now
            settling.known = self._tried or now
            changed = settling.look(now)
            mended = bool(changed) and now == self._known
            if mended:
                self._tried = now
        if settling.restless == _RESTLESS_BEFORE_A_WORD:
            _log.warning(
                "The files of plugins or configuration change at each look: they are not taken up yet."
            )
        if mended:
            self._mended()
        elif changed:
            self._changed(now, changed)
        self._see_own_version()

    def _see_own_version(self) -> None:
        found = version("livered-core")
        if found != self._own_version:
            self._say_once(
                f"livered is version {found} on disk and {self._own_version} here: "
                "that counts from the next start, livered service restart."
            )

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            _log.warning("%s", sentence)
