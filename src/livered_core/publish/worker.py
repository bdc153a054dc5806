"""The publish thread: offers results to the sinks without ever holding up the reduction.

Each sink has its own place in the queue: the newest result, and every final result it has not taken yet.
A sink that fails is tried again with back-off; a newer result replaces the one that waits, a final one never
gives way.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence

import attrs

from livered_core.backoff import Backoff
from livered_core.clocks import Clock
from livered_core.errors import HookError, SinkRejected
from livered_core.hooks.dispatch import Dispatcher
from livered_core.model import Receipt
from livered_core.publish.latest import Published

_log = logging.getLogger(__name__)


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
class _Sink:
    name: str
    newest: Published | None = None
    finals: deque[Published] = attrs.field(factory=deque)
    delivered: int = 0
    refused: int = 0
    failures: int = 0
    retry_at: float = 0.0
    last_receipt: Receipt | None = None
    last_error: str = ""

    @property
    def next_item(self) -> Published | None:
        return self.finals[0] if self.finals else self.newest

    def forget(self, item: Published) -> None:
        """Take an item off the queue; a result that is older than it is of no use any more."""
        if self.finals and self.finals[0] is item:
            self.finals.popleft()
        if self.newest is not None and self.newest.version <= item.version:
            self.newest = None


class PublishWorker:
    """Calls the sinks on a thread of its own.

    Parameters
    ----------
    hooks
        The session's hooks.
    make_visible
        Called first with each newest result, on the publish thread: writes the run directory.
    clock
        For back-off.
    backoff
        How long a failing sink is left alone.
    jitter
        Source of randomness for the back-off.
    """

    def __init__(
        self,
        hooks: Dispatcher,
        make_visible: Callable[[Published], None],
        clock: Clock,
        backoff: Backoff,
        jitter: random.Random | None = None,
    ) -> None:
        self._hooks = hooks
        self._make_visible = make_visible
        self._clock = clock
        self._backoff = backoff
        self._jitter = jitter or random.Random()  # noqa: S311  (spreads retries; nothing to guess)
        self._sinks = [_Sink(name) for name in hooks.sinks]
        self._unseen: Published | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._work, name="livered-publish", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, item: Published) -> None:
        """Queue a result for every sink and return at once. Called by the reduction thread."""
        with self._lock:
            self._unseen = item
            for sink in self._sinks:
                if item.update.final:
                    sink.finals.append(item)
                    sink.newest = None
                else:
                    sink.newest = item
        self._wake.set()

    def status(self) -> tuple[SinkStatus, ...]:
        """Return how each sink is doing; safe from any thread."""
        with self._lock:
            return tuple(
                SinkStatus(s.name, s.delivered, s.refused, len(s.finals), s.last_receipt, s.last_error)
                for s in self._sinks
            )

    def close(self, timeout: float) -> Sequence[str]:
        """Send what waits, try failed sinks once more, and end the thread.

        Parameters
        ----------
        timeout
            Seconds that this may take; a sink that hangs longer is left behind.

        Returns
        -------
        sequence of str
            One sentence for each sink that still holds final results: these were not delivered.
        """
        with self._lock:
            self._closing = True
            self._deadline = self._clock.monotonic() + timeout
            for sink in self._sinks:
                sink.retry_at = 0.0
        self._wake.set()
        self._thread.join(timeout)
        with self._lock:
            return [
                f"Sink {sink.name} did not take the final result of run "
                f"{', '.join(str(item.run.number) for item in sink.finals)}: {sink.last_error or 'it did not answer in time.'}"
                for sink in self._sinks
                if sink.finals
            ]

    def _work(self) -> None:
        while True:
            self._wake.clear()
            self._show()
            busy = [self._attend(sink) for sink in self._sinks]
            if any(busy):
                continue
            with self._lock:
                now = self._clock.monotonic()
                waiting = [sink.retry_at for sink in self._sinks if sink.next_item is not None]
                if self._closing and (not waiting or min(waiting) > self._deadline or now > self._deadline):
                    return
            pause = max(0.0, min(waiting) - now) if waiting else 3600.0
            self._clock.wait(self._wake, pause)

    def _show(self) -> None:
        with self._lock:
            item, self._unseen = self._unseen, None
        if item is None:
            return
        try:
            self._make_visible(item)
        except OSError as error:
            _log.error(
                "The run directory cannot be written: %s. The reduction goes on; make room or mend its permissions.",
                error,
            )

    def _attend(self, sink: _Sink) -> bool:
        """Offer a sink what it should get next; true when it took something."""
        with self._lock:
            item = sink.next_item
            if item is None or self._clock.monotonic() < sink.retry_at:
                return False
            last_chance = self._closing
        try:
            receipt = self._hooks.post_publish(sink.name, item.result, item.run, item.update)
        except HookError as error:
            self._failed(sink, item, error, last_chance=last_chance)
            return False
        with self._lock:
            sink.forget(item)
            sink.failures = 0
            sink.retry_at = 0.0
            sink.last_error = ""
            if receipt is not None:
                sink.delivered += 1
                sink.last_receipt = receipt
        if receipt is not None:
            _log.info(
                "Run %d update %d: %s took %d bytes to %s.",
                item.run.number,
                item.update.sequence,
                sink.name,
                receipt.size,
                receipt.where,
            )
        return True

    def _failed(self, sink: _Sink, item: Published, error: HookError, *, last_chance: bool) -> None:
        refused = isinstance(error.__cause__, SinkRejected)
        with self._lock:
            sink.failures += 1
            sink.last_error = error.failure.error
            delay = self._backoff.delay(sink.failures, self._jitter.random())
            if last_chance and not refused:
                sink.retry_at = float("inf")
            elif not self._closing:
                sink.retry_at = self._clock.monotonic() + delay
            if refused:
                sink.refused += 1
                sink.forget(item)
        self._hooks.report(error.failure, item.run)
