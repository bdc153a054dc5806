"""A sink as the publish worker sees it: what waits for it, and how it is doing."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import attrs

from livered_core.model import Receipt
from livered_core.publish.latest import Published

FINALS_TO_WARN_OF: Final = 10
"""Waiting final results of one sink that are worth a line in the log; then twice as many, and so on."""


@attrs.frozen
class SinkStatus:
    """How a sink is doing.

    Attributes
    ----------
    name
        The plugin.
    delivered
        Results that it took.
    refused
        Results given up because the other side refused them.
    unsent_finals
        Final results that still wait.
    last_receipt
        Its newest receipt; None before the first.
    last_error
        Why its newest attempt failed; empty when it did not.
    """

    name: str
    delivered: int
    refused: int
    unsent_finals: int
    last_receipt: Receipt | None
    last_error: str


@attrs.define(eq=False)
class SinkQueue:
    """What waits for a sink, and how it has fared; the worker's lock guards it."""

    name: str
    wake: threading.Event = attrs.field(factory=threading.Event)
    newest: Published | None = None
    finals: deque[Published] = attrs.field(factory=deque)
    warn_at: int = FINALS_TO_WARN_OF
    delivered: int = 0
    refused: int = 0
    failures: int = 0
    retry_at: float = 0.0
    last_receipt: Receipt | None = None
    last_error: str = ""

    @property
    def next_item(self) -> Published | None:
        """What the sink should get next; None when nothing waits."""
        return self.finals[0] if self.finals else self.newest

    def put(self, item: Published) -> bool:
        """Queue an item; true when so many final results wait that somebody should know."""
        if not item.update.final:
            self.newest = item
            return False
        self.finals.append(item)
        if len(self.finals) < self.warn_at:
            return False
        self.warn_at *= 2
        return True

    def forget(self, item: Published) -> None:
        """Take an item off the queue; a result that is older than it is of no use any more."""
        if self.finals and self.finals[0] is item:
            self.finals.popleft()
        if not self.finals:
            self.warn_at = FINALS_TO_WARN_OF
        if self.newest is not None and self.newest.version <= item.version:
            self.newest = None
