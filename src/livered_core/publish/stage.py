"""What the publish threads have in common: the lock, and how far the newest result has come."""

from __future__ import annotations

import threading

import attrs

from livered_core.clocks import Clock


@attrs.define(eq=False)
class Stage:
    """State that the publish threads share; `lock` guards all of it, and every queue.

    Attributes
    ----------
    clock
        The clocks.
    offered_version, visible_version
        Newest result that was offered, and newest that is visible or could not be made visible.
    hidden_since
        Monotonic time since which a result waits to be made visible.
    closing
        Whether the session ends.
    deadline, visible_by
        Monotonic times, when closing: when all must be done, and when sinks no longer wait for others.
    """

    clock: Clock
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    offered_version: int = 0
    visible_version: int = 0
    hidden_since: float = 0.0
    closing: bool = False
    deadline: float = float("inf")
    visible_by: float = float("inf")
