"""What is still there when a trial is over: calls that have not come back, and threads that keep a process from its end."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from livered_core.errors import EXIT_DIED

PATIENCE_S: Final = 2.0
"""Threads may take so long to end, seconds."""
_OWN: Final = "livered-"
"""How livered's own threads are called: what keeps them is told of by itself."""


def threads_left(before: Collection[threading.Thread], patience_s: float = PATIENCE_S) -> tuple[str, ...]:
    """Wait for threads that a process would wait for at its end, and name those that go on.

    Parameters
    ----------
    before
        Threads that are none of the trial's.
    patience_s
        How long they may take together, seconds.

    Returns
    -------
    tuple of str
        Their names, in the order in which they began.
    """
    until = time.monotonic() + patience_s
    left = [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.daemon and not thread.name.startswith(_OWN)
    ]
    for thread in left:
        thread.join(max(0.0, until - time.monotonic()))
    return tuple(thread.name for thread in left if thread.is_alive())


@contextmanager
def no_silent_end() -> Iterator[None]:
    """Let a plugin that ends the process by ``os._exit(0)`` not look as if all were well.

    Yields
    ------
    None
        Meanwhile such an end is told of on stderr, and its exit code is that of a death. Children that were forked
        end as they want.
    """
    end, own = os._exit, os.getpid()

    def ended(status: int) -> None:
        if os.getpid() == own and not status:
            sys.stdout.flush()
            os.write(
                2, b"livered: the plugin ended the process (os._exit): raise an exception in place of that.\n"
            )
            status = EXIT_DIED
        end(status)

    os._exit = ended  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = end
