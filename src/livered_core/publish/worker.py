"""The publish threads: make results visible and offer them to the sinks, without ever holding up the reduction.

One thread (``livered-publish``) makes results visible, that is, writes the run directory. Each sink has a
thread of its own (``livered-publish-NAME``) and its own places: the newest result, and every final result that
it has not taken yet. So a sink that hangs delays nobody else. A sink that fails is tried again with back-off; a
newer result replaces the one that waits, a final one never gives way, and waits on disk (``livered-publish-disk``).

A sink is offered a result when that result, or a newer one, is visible or could not be made visible. A run
directory that hangs is not waited for longer than `VISIBLE_WITHIN_S`.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from livered_core.clocks import Clock
from livered_core.hooks.dispatch import Dispatcher
from livered_core.publish.delivery import Delivery, Patience, Taken
from livered_core.publish.keeper import FinalKeeper
from livered_core.publish.latest import Published
from livered_core.publish.outbox import Outbox
from livered_core.publish.published_runs import MOST_RUNS, RunKey, run_key
from livered_core.publish.sinks import Parcel, SinkQueue, SinkStatus
from livered_core.publish.stage import Stage
from livered_core.publish.unsent import unsent_sentences

_log = logging.getLogger(__name__)
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
    patience
        How long a failing sink is left alone, and when a final result is given up.
    outbox
        Where final results wait on disk until their sinks have taken them; without it they wait in memory. With it, a
        run whose final result was published is not offered again, by this session or a later one.
    taken
        Called with each receipt of a sink, on its thread; returns at once and raises nothing.
    """

    def __init__(
        self,
        hooks: Dispatcher,
        make_visible: Callable[[Published], None],
        clock: Clock,
        patience: Patience,
        outbox: Outbox | None = None,
        taken: Taken | None = None,
    ) -> None:
        self._make_visible = make_visible
        self._clock = clock
        self._stage = Stage(clock)
        self._lock = self._stage.lock
        self._wake = threading.Event()
        self._unseen: Published | None = None
        self._not_shown = 0
        self._failure: BaseException | None = None
        # Dictionaries as sets that know their order.
        self._over: dict[RunKey, None] = {}
        self._told: dict[RunKey, None] = {}
        self._queues = tuple(SinkQueue(name) for name in hooks.sinks)
        self._keeper = None if outbox is None else FinalKeeper(outbox, self._stage, self._queues)
        self._shower = threading.Thread(target=self._run, args=(None,), name="livered-publish", daemon=True)
        self._deliveries = {
            queue.name: Delivery(hooks, queue, self._stage, self._keeper, patience, taken)
            for queue in self._queues
        }
        self._servers = tuple(
            threading.Thread(
                target=self._run, args=(queue,), name=f"livered-publish-{queue.name}", daemon=True
            )
            for queue in self._queues
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
        """Queue what earlier sessions left, and start the threads."""
        if self._keeper is not None:
            self._keeper.start()
        for thread in (self._shower, *self._servers):
            thread.start()

    def offer(self, item: Published) -> None:
        """Queue a result for every sink and return at once. Called by the reduction thread."""
        stage, now_ns = self._stage, self._clock.now_ns()
        with self._lock:
            if stage.visible_version == stage.offered_version:
                stage.hidden_since = self._clock.monotonic()
            stage.offered_version = item.version
            self._unseen = item
            queues, is_news = self._who_gets(item)
            final = item.update.final
            parcels = [
                Parcel(
                    item.run.number,
                    now_ns,
                    final,
                    item.version,
                    item,
                    to_keep=final and self._keeper is not None,
                )
                for _ in queues
            ]
            crowded = []
            for queue, parcel in zip(queues, parcels, strict=True):
                if queue.put(parcel):
                    crowded.append((queue.name, len(queue.unsent)))
            if final and parcels and self._keeper is not None:
                self._keeper.keep(item, list(zip(queues, parcels, strict=True)))
        self._wake.set()
        self._wake_sinks()
        if is_news:
            _log.warning(
                "Run %d was published to its end before: what is made of it now is shown and not sent to %s.",
                item.run.number,
                ", ".join(queue.name for queue in self._queues if queue not in queues),
            )
        for name, waiting in crowded:
            _log.warning(
                "%d final results wait for the sink %s: see why it does not take them.", waiting, name
            )

    def _who_gets(self, item: Published) -> tuple[list[SinkQueue], bool]:
        """Say which sinks a result is for, and whether it is worth a word that it is not for all."""
        key = run_key(item.run)
        if self._keeper is None or key is None:
            return list(self._queues), False
        if key in self._over or key in self._keeper.published:
            queues = []
        else:
            queues = [queue for queue in self._queues if key not in queue.replayed]
        if item.update.final:
            _remember(self._over, key)
        is_news = len(queues) < len(self._queues) and key not in self._told
        if is_news:
            _remember(self._told, key)
        return queues, is_news

    def status(self) -> tuple[SinkStatus, ...]:
        """Return how each sink is doing; safe from any thread."""
        with self._lock:
            return tuple(
                SinkStatus(
                    q.name, q.delivered, q.refused, len(q.unsent), q.last_receipt, q.last_error, q.given_up
                )
                for q in self._queues
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
            A sentence for each sink that has not taken all final results, on what becomes of them.
        """
        stage = self._stage
        with self._lock:
            now = self._clock.monotonic()
            stage.closing = True
            stage.deadline = now + timeout
            stage.visible_by = now + timeout / 2
            for queue in self._queues:
                queue.offer_all_now()
        self._wake.set()
        self._wake_sinks()
        # The sinks first: what is left of the time is theirs.
        for thread in (*self._servers, self._shower):
            if thread.is_alive():
                thread.join(max(0.0, stage.deadline - self._clock.monotonic()))
        late = {
            queue.name for queue, thread in zip(self._queues, self._servers, strict=True) if thread.is_alive()
        }
        if self._keeper is not None:
            self._keeper.close(late=bool(late))
        with self._lock:
            return unsent_sentences(self._queues, late, keeps=self._keeper is not None)

    def _wake_sinks(self) -> None:
        for queue in self._queues:
            queue.wake.set()

    def _run(self, queue: SinkQueue | None) -> None:
        """Be a thread, and never end in silence."""
        try:
            if queue is None:
                self._show_results()
            else:
                self._deliveries[queue.name].serve()
        except BaseException as error:  # noqa: BLE001  (kept for the session, which ends with it)
            with self._lock:
                if self._failure is None:
                    self._failure = error
            text = _one_line(error)
            if queue is not None:
                with self._lock:
                    queue.last_error = text
            whose = "that writes the run directory" if queue is None else f"of the sink {queue.name}"
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
                if item is None and self._stage.closing:
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
                self._stage.visible_version = item.version
                self._stage.hidden_since = self._clock.monotonic()
            self._wake_sinks()


def _remember(runs: dict[RunKey, None], key: RunKey) -> None:
    """Note a run as the newest; as many are kept as the record of published runs has."""
    runs.pop(key, None)
    runs[key] = None
    while len(runs) > MOST_RUNS:
        del runs[next(iter(runs))]


def _one_line(error: BaseException) -> str:
    """Type and text of an exception in one line, whatever its text is."""
    return " ".join("".join(traceback.format_exception_only(error)).split())
