"""Waiting for a condition, with a limit that only a failure reaches."""

from __future__ import annotations

import threading
from collections.abc import Callable

WAIT = 30.0


def until(condition: Callable[[], object]) -> None:
    """Look at a condition until it holds."""
    pause = threading.Event()
    for _ in range(int(WAIT / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    message = "waited in vain"
    raise AssertionError(message)
