"""Signals that ask a session to end: the first asks, a later one ends the process. And the one that asks to reload."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from livered_core.errors import EXIT_DIED

ONE_REQUEST_S: Final = 1.0
"""Signals this close together are one: ``timeout`` and service managers send several at once."""


class StopSignals:
    """SIGINT, SIGTERM and SIGHUP, for the rest of the process's life.

    The first signal asks the session to stop. SIGINT or SIGTERM more than `ONE_REQUEST_S` later ends the process
    with exit code 1. SIGHUP, which a closed terminal and a logout send unasked, never does; where it was
    ignored before (``nohup``), it stays so. For what runs in no terminal, a service, SIGHUP means to reload.

    Parameters
    ----------
    stop
        Asks the session to stop, given the signal's name; called once, on a thread of its own, where it may take
        locks that the interrupted main thread may hold.
    last_words
        Called in the signal handler before the process ends; must take no lock and not wait.
    reload
        Asks the session to reload, given the signal's name; on the same thread as `stop`. None where SIGHUP always
        means to stop.
    """

    def __init__(
        self,
        stop: Callable[[str], None],
        last_words: Callable[[], None],
        reload: Callable[[str], None] | None = None,
    ) -> None:
        self._stop = stop
        self._last_words = last_words
        self._reload = reload
        self._reloads: frozenset[int] = frozenset()
        self._first_at: float | None = None
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def install(self) -> None:
        """Handle the signals from now on; called on the main thread."""
        if self._reload is not None and not in_a_terminal():
            self._reloads = frozenset([signal.SIGHUP])
        threading.Thread(target=self._work, name="livered-signals", daemon=True).start()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        # A SimpleQueue's put is the one hand-over that a handler may use: it can interrupt itself.
        if number in self._reloads:
            if self._first_at is None:
                self._asked.put(number)
        elif self._first_at is None:
            self._first_at = now
            self._asked.put(number)
        elif number != signal.SIGHUP and now - self._first_at > ONE_REQUEST_S:
            self._last_words()
            os._exit(EXIT_DIED)

    def _work(self) -> None:
        while (number := self._asked.get()) in self._reloads:
            if self._reload is not None:
                self._reload(signal.Signals(number).name)
        self._stop(signal.Signals(number).name)


def in_a_terminal() -> bool:
    """Say whether the process belongs to a terminal, whose end must be its end.

    Variables of a service manager say nothing of that: a shell in a terminal has them, too, where the desktop is a
    service.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return any(_is_terminal(number) for number in (0, 1, 2))
    return True


def _is_terminal(number: int) -> bool:
    try:
        return os.isatty(number)
    except OSError:
        return False
