"""Work that takes long, done beside the reduction: one thread, jobs by name."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Any, Final

import attrs

from livered_core.errors import LiveredError

_log = logging.getLogger(__name__)
_LEAVE_BEHIND_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.2

Job = Callable[[threading.Event], Any]
"""Returns a value; looks at the event now and then, and ends when it is set."""


@attrs.frozen
class Preparing:
    """The job waits or runs."""


@attrs.frozen(eq=False)
class Ready:
    """The job is done.

    Attributes
    ----------
    value
        What it returned.
    """

    value: Any


@attrs.frozen
class Failed:
    """The job has failed.

    Attributes
    ----------
    sentence
        Why, for people.
    """

    sentence: str


State = Preparing | Ready | Failed
"""How far a preparation in the background is."""


@attrs.define(eq=False)
class _Entry:
    key: str
    job: Job
    state: State = attrs.field(factory=Preparing)
    stop: threading.Event = attrs.field(factory=threading.Event)


class Background:
    """Jobs, done one after the other on a thread that is started with the first. All methods are safe from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._entries: dict[str, _Entry] = {}
        self._waiting: list[_Entry] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def ask(self, name: str, key: str, job: Job) -> None:
        """Have a job done, unless it is done, or being done, under the same name and key; a failed one is done again.

        Parameters
        ----------
        name
            What it is for: a new key under this name takes the place of the one before.
        key
            What the job is made of.
        job
            Runs on the thread.
        """
        with self._changed:
            before = self._entries.get(name)
            if before is not None and before.key == key and not isinstance(before.state, Failed):
                return
            self._drop(before)
            entry = _Entry(key, job)
            self._entries[name] = entry
            self._waiting.append(entry)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=self._work, args=(self._stop,), name="livered-references", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def forget(self, name: str) -> None:
        """Take a job back; one that runs is asked to end."""
        with self._changed:
            self._drop(self._entries.pop(name, None))

    def _drop(self, entry: _Entry | None) -> None:
        if entry is None:
            return
        entry.stop.set()
        if entry in self._waiting:
            self._waiting.remove(entry)

    def state(self, name: str) -> State | None:
        """Return how a job is doing; None for one that was not asked for."""
        with self._changed:
            entry = self._entries.get(name)
            return None if entry is None else entry.state

    def wait(self, timeout: float | None = None, given_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait until no job waits or runs.

        Parameters
        ----------
        timeout
            How long, seconds; None for as long as it takes.
        given_up
            Asked several times a second: true ends the wait.

        Returns
        -------
        bool
            False where that took too long, was given up, or the jobs were closed before.
        """

        def settled() -> bool:
            return self._stop.is_set() or not any(
                isinstance(entry.state, Preparing) for entry in self._entries.values()
            )

        left = math.inf if timeout is None else timeout
        with self._changed:
            while not self._changed.wait_for(settled, min(left, _LOOK_EVERY_S)):
                left -= _LOOK_EVERY_S
                if left <= 0 or given_up():
                    return False
            return not self._stop.is_set()

    def reopen(self) -> None:
        """After `close`: take jobs again. What was ready is, and what was not must be asked for again."""
        with self._changed:
            if not self._stop.is_set():
                return
            self._stop, self._thread = threading.Event(), None
            self._waiting.clear()
            self._entries = {
                name: entry for name, entry in self._entries.items() if isinstance(entry.state, Ready)
            }

    def close(self) -> None:
        """Ask the job that runs to end, and wait a few seconds for it."""
        with self._changed:
            self._stop.set()
            for entry in self._entries.values():
                entry.stop.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_LEAVE_BEHIND_S)

    def _work(self, stop: threading.Event) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or stop.is_set())
                if stop.is_set():
                    return
                entry = self._waiting.pop(0)
            state = self._do(entry)
            with self._changed:
                entry.state = state
                self._changed.notify_all()

    def _do(self, entry: _Entry) -> State:
        try:
            return Ready(entry.job(entry.stop))
        except LiveredError as error:
            if not entry.stop.is_set():
                _log.warning("%s", error)
            return Failed(str(error))
        except Exception as error:  # noqa: BLE001  (it is said where the result is wanted)
            _log.exception("A reference could not be prepared: %s: %s.", type(error).__name__, error)
            return Failed(f"It could not be prepared: {type(error).__name__}: {error} (see the log).")
