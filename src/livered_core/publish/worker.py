"""The publish threads: make results visible and offer them to the sinks, without ever holding up the reduction.

One thread (``livered-publish``) makes results visible, that is, writes the run directory. Each sink has a
thread of its own (``livered-publish-NAME``) and its own places: the newest result, and every final result that
it has not taken yet. So a sink that hangs delays nobody else. A sink that fails is tried again with back-off; a
newer result replaces the one that waits, a final one never gives way.

A sink is offered a result when that result, or a newer one, is visible or could not be made visible. A run
directory that hangs is not waited for longer than `VISIBLE_WITHIN_S`.
"""

from __future__ import annotations

import logging
import random
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from livered_core.backoff import Backoff
from livered_core.clocks import Clock
from livered_core.errors import HookError, SinkRejected
from livered_core.hooks.dispatch import Dispatcher
from livered_core.publish.latest import Published
from livered_core.publish.sinks import SinkQueue, SinkStatus

_log = logging.getLogger(__name__)

VISIBLE_WITHIN_S: Final = 5.0
"""Seconds that sinks wait for the run directory; when closing, at most half the time there is."""
_IDLE_S: Final = 3600.0


class PublishWorker:
    """Makes results visible and calls the sinks, on threads of its own.

    Parameters
    ----------
    hooks
        The session's hooks.
    make_visible
        Called with the newest result on the thread ``livered-publish``: writes the run directory. What it
        raises is logged and counted (`not_shown`); the sinks get the result all the same.
    clock
        For back-off and deadlines.
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
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._unseen: Published | None = None
        self._offered_version = 0
        self._visible_version = 0
        self._hidden_since = 0.0
        self._not_shown = 0
        self._closing = False
        self._deadline = float("inf")
        self._visible_by = float("inf")
        self._failure: BaseException | None = None
        self._sinks = tuple(SinkQueue(name) for name in hooks.sinks)
        self._shower = threading.Thread(target=self._run, args=(None,), name="livered-publish", daemon=True)
        self._servers = tuple(
            threading.Thread(target=self._run, args=(sink,), name=f"livered-publish-{sink.name}", daemon=True)
            for sink in self._sinks
        )

    @property
    def failure(self) -> BaseException | None:
        """What ended a publish thread that should not have ended; None while all is well.

        The session cannot go on with it: results would no longer reach the screen or a sink.
        """
        with self._lock:
            return self._failure

    @property
    def not_shown(self) -> int:
        """Results that could not be made visible."""
        with self._lock:
            return self._not_shown

    def start(self) -> None:
        """Start the threads."""
        for thread in (self._shower, *self._servers):
            thread.start()

    def offer(self, item: Published) -> None:
        """Queue a result for every sink and return at once. Called by the reduction thread."""
        with self._lock:
            if self._visible_version == self._offered_version:
                self._hidden_since = self._clock.monotonic()
            self._offered_version = item.version
            self._unseen = item
            crowded = [(sink.name, len(sink.finals)) for sink in self._sinks if sink.put(item)]
        self._wake.set()
        self._wake_sinks()
        for name, waiting in crowded:
            _log.warning(
                "%d final results wait in memory for the sink %s: see why it does not take them.",
                waiting,
                name,
            )

    def status(self) -> tuple[SinkStatus, ...]:
        """Return how each sink is doing; safe from any thread."""
        with self._lock:
            return tuple(
                SinkStatus(s.name, s.delivered, s.refused, len(s.finals), s.last_receipt, s.last_error)
                for s in self._sinks
            )

    def close(self, timeout: float) -> Sequence[str]:
        """Send what waits, try failed sinks once more, and end the threads.

        Parameters
        ----------
        timeout
            Seconds that this may take, for all sinks together: they are served at the same time. A sink that
            hangs longer is left behind in its call, and gets nothing more when that returns.

        Returns
        -------
        sequence of str
            One sentence for each sink that still holds final results: these were not delivered.
        """
        with self._lock:
            now = self._clock.monotonic()
            self._closing = True
            self._deadline = now + timeout
            self._visible_by = now + timeout / 2
            for sink in self._sinks:
                sink.retry_at = 0.0
        self._wake.set()
        self._wake_sinks()
        # The sinks first: what is left of the time is theirs.
        for thread in (*self._servers, self._shower):
            if thread.is_alive():
                thread.join(max(0.0, self._deadline - self._clock.monotonic()))
        late = {
            sink.name for sink, thread in zip(self._sinks, self._servers, strict=True) if thread.is_alive()
        }
        with self._lock:
            return [
                f"Sink {sink.name} did not take the final result of run "
                f"{', '.join(str(item.run.number) for item in sink.finals)}: "
                f"{'it did not answer in time.' if sink.name in late else sink.last_error}"
                for sink in self._sinks
                if sink.finals
            ]

    def _wake_sinks(self) -> None:
        for sink in self._sinks:
            sink.wake.set()

    def _run(self, sink: SinkQueue | None) -> None:
        """Be a thread, and never end in silence."""
        try:
            if sink is None:
                self._show_results()
            else:
                self._serve(sink)
        except BaseException as error:  # noqa: BLE001  (kept for the session, which ends with it)
            text = _one_line(error)
            with self._lock:
                if self._failure is None:
                    self._failure = error
                if sink is not None:
                    sink.last_error = text
            whose = "that writes the run directory" if sink is None else f"of the sink {sink.name}"
            _log.error(
                "The publish thread %s ended, and livered cannot go on without it: %s\n%s",
                whose,
                text,
                "".join(traceback.format_exception(error)),
            )

    def _show_results(self) -> None:
        while True:
            self._wake.clear()
            with self._lock:
                item, self._unseen = self._unseen, None
                if item is None and self._closing:
                    return
            if item is None:
                self._clock.wait(self._wake, _IDLE_S)
                continue
            try:
                self._make_visible(item)
            except Exception as error:  # noqa: BLE001  (whatever it is, the sinks and the next result go on)
                with self._lock:
                    self._not_shown += 1
                remedy = "make room or mend its permissions" if isinstance(error, OSError) else "report it"
                _log.error(
                    "The run directory cannot be written: %s. The reduction goes on; %s.\n%s",
                    _one_line(error),
                    remedy,
                    "".join(traceback.format_exception(error)),
                )
            with self._lock:
                self._visible_version = item.version
                self._hidden_since = self._clock.monotonic()
            self._wake_sinks()

    def _serve(self, sink: SinkQueue) -> None:
        while True:
            sink.wake.clear()
            with self._lock:
                item = sink.next_item
                now = self._clock.monotonic()
                due = self._due(sink, item)
                last_chance = self._closing
            if last_chance and (item is None or max(now, due) >= self._deadline):
                return
            if item is None or now < due:
                self._clock.wait(sink.wake, min(due - now, _IDLE_S))
            else:
                self._attend(sink, item, last_chance=last_chance)

    def _due(self, sink: SinkQueue, item: Published | None) -> float:
        """When a sink may be offered its next item."""
        if item is None:
            return float("inf")
        if item.version <= self._visible_version:
            return sink.retry_at
        return max(sink.retry_at, min(self._hidden_since + VISIBLE_WITHIN_S, self._visible_by))

    def _attend(self, sink: SinkQueue, item: Published, *, last_chance: bool) -> None:
        """Offer a sink what it should get next."""
        try:
            receipt = self._hooks.post_publish(sink.name, item.result, item.run, item.update)
        except HookError as error:
            self._failed(sink, item, error, last_chance=last_chance)
            return
        with self._lock:
            sink.forget(item)
            sink.failures = 0
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

    def _failed(self, sink: SinkQueue, item: Published, error: HookError, *, last_chance: bool) -> None:
        with self._lock:
            sink.last_error = error.failure.error
            if isinstance(error.__cause__, SinkRejected):
                # The other side answered: what comes next is another thing, and need not wait.
                sink.refused += 1
                sink.failures = 0
                sink.forget(item)
            elif last_chance:
                sink.retry_at = float("inf")
            elif not self._closing:
                sink.failures += 1
                delay = self._backoff.delay(sink.failures, self._jitter.random())
                sink.retry_at = self._clock.monotonic() + delay
        self._hooks.report(error.failure, item.run)


def _one_line(error: BaseException) -> str:
    """Type and text of an exception in one line, whatever its text is."""
    return " ".join("".join(traceback.format_exception_only(error)).split())
