"""Final results between memory and disk: who is written, read and removed when, and what is said of it."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from livered_core.errors import ConfigError, LiveredError
from livered_core.publish.disk import DiskThread
from livered_core.publish.latest import Published
from livered_core.publish.outbox import Kept, Outbox, OutboxBusy, Removed, UnsentFile
from livered_core.publish.published_runs import RunKey
from livered_core.publish.sinks import Parcel, SinkQueue
from livered_core.publish.stage import Stage
from livered_core.publish.stored import StoredDamaged, StoredTooNew
from livered_core.publish.unsent_budget import WaitingFile

_log = logging.getLogger(__name__)

KEPT_WITHIN_S: Final = 5.0
"""Seconds that a sink waits for the disk to keep a final result, before it is offered from memory."""
_CLOSE_S: Final = 2.0
"""Seconds that the disk has at least when closing."""
_CANNOT_KEEP: Final = (
    "Final results that a sink does not take cannot be kept on disk (%s): they wait in memory, and are lost to the "
    "sink when livered ends. Make room or mend the permissions."
)


class FinalKeeper:
    """Keeps the final results of a session on disk until their sinks have taken them.

    What takes time is done by a thread of its own (``livered-publish-disk``), so that a disk that is full or hangs
    holds up no sink for longer than `KEPT_WITHIN_S`, and the reduction not at all. `keep`, `ask` and `forget` are called
    with the stage's lock held and return at once.

    Parameters
    ----------
    outbox
        The folder.
    stage
        Shared with the other publish threads.
    queues
        The sinks.
    """

    def __init__(self, outbox: Outbox, stage: Stage, queues: Sequence[SinkQueue]) -> None:
        self._outbox = outbox
        self._stage = stage
        self._queues: Mapping[str, SinkQueue] = {queue.name: queue for queue in queues}
        self._disk = DiskThread("livered-publish-disk")
        self._opened = threading.Event()
        self._said = ""
        self._hangs = False
        self.published: set[RunKey] = set()
        """Runs whose final result was published by an earlier session."""

    def start(self) -> None:
        """Open the folder and queue what waits in it. A folder that does not answer is not waited for."""
        self._disk.start()
        self._disk.submit(self._open)
        if not self._stage.clock.wait(self._opened, KEPT_WITHIN_S):
            self.say_that_it_hangs("what earlier sessions left there is sent when it does")

    def keep(self, item: Published, parcels: Sequence[tuple[SinkQueue, Parcel]]) -> None:
        """Have a new final result written for its sinks."""
        siblings = tuple(parcel for _, parcel in parcels)
        for parcel in siblings:
            parcel.siblings = siblings
            parcel.asked_at = self._stage.clock.monotonic()
        self._disk.submit(lambda: self._keep(item, parcels))

    def ask(self, queue: SinkQueue, parcel: Parcel) -> None:
        """Have a final result made ready for an attempt: it is read, or written, or seen to be still wanted."""
        parcel.asked_at = self._stage.clock.monotonic()
        self._disk.submit(lambda: self._prepare(queue, parcel))

    def forget(self, queue: SinkQueue, parcel: Parcel) -> None:
        """Have the file of a final result removed, that was taken or is given up."""
        parcel.done = True
        self._disk.submit(lambda: self._remove(queue, parcel))

    def say_that_it_hangs(self, consequence: str) -> None:
        """Say once that the disk does not answer, until it does."""
        if not self._hangs:
            self._hangs = True
            _log.warning(
                "The disk with the unsent final results has not answered for %g s: %s.",
                KEPT_WITHIN_S,
                consequence,
            )

    def close(self, *, late: bool) -> None:
        """Wait until the disk has done what it was given, and end the thread.

        Parameters
        ----------
        late
            Whether a sink is left behind in its call: its file is then removed if the call returns in time.
        """
        done = threading.Event()
        with self._stage.lock:
            for queue in self._queues.values():
                for parcel in queue.unsent:
                    if not parcel.stored:
                        self.ask(queue, parcel)
        if not late:
            self._disk.submit(self._outbox.close)
        self._disk.submit(done.set)
        timeout = max(self._stage.deadline - self._stage.clock.monotonic(), _CLOSE_S)
        if not late:
            self._disk.close(timeout)
        else:
            self._stage.clock.wait(done, timeout)

    # Jobs of the disk's thread.

    def _open(self) -> None:
        try:
            self._open_folder()
        except (OSError, LiveredError) as error:
            self._say(error)
        finally:
            self._opened.set()

    def _open_folder(self) -> None:
        if not self._outbox.is_open:
            self._queue(self._outbox.open())
            self._stay_within_budget()

    def _queue(self, kept: Kept) -> None:
        with self._stage.lock:
            self.published |= kept.published
            for name, queue in self._queues.items():
                files = [file for file in kept.files if file.sink == name]
                queue.replayed.update(file.key for file in files if file.start_ns > 0)
                queue.put_before(_parcel(file) for file in files)
                queue.wake.set()
        for name, number in sorted(Counter(file.sink for file in kept.files).items()):
            if name in self._queues:
                _log.info("%s for the sink %s: sent now.", _finals(number), name)
            else:
                _log.warning(
                    "%s for the sink %s, which is not configured any more: configure it again, or "
                    "drop what waits with: livered unsent drop --all --sink %s",
                    _finals(number),
                    name,
                    name,
                )

    def _keep(self, item: Published, parcels: Sequence[tuple[SinkQueue, Parcel]]) -> None:
        with self._stage.lock:
            parcels = [(queue, parcel) for queue, parcel in parcels if not parcel.done]
        if not parcels:
            return
        name = ""
        try:
            self._open_folder()
            name = self._outbox.keep(item, [queue.name for queue, _ in parcels], self._stage.clock.now_ns())
        except (OSError, LiveredError) as error:
            self._say(error)
        else:
            self._recovered()
        with self._stage.lock:
            for queue, parcel in parcels:
                parcel.stored = name
                self._made_ready(queue, parcel)
                if name and parcel is not queue.next_parcel:
                    parcel.item, parcel.ready = None, False
            settled = all(p.stored or p.done for p in parcels[0][1].siblings)
        if settled:
            self._attempt(lambda: self._outbox.note_published(item.run))
        if name:
            self._stay_within_budget()

    def _stay_within_budget(self) -> None:
        """Give up the oldest of what waits on disk, each with a sentence, until the others fit."""
        try:
            for file in self._outbox.beyond_budget():
                for sink in file.sinks:
                    self._give_up(sink, file)
        except OSError as error:
            _log.warning("What waits on disk for sinks cannot be kept within unsent in [limits]: %s.", error)

    def _give_up(self, sink: str, file: WaitingFile) -> None:
        self._outbox.remove(sink, file.name)
        with self._stage.lock:
            queue = self._queues.get(sink)
            waits = [] if queue is None else [p for p in queue.unsent if p.stored == file.name]
            for parcel in waits:
                assert queue is not None
                parcel.done = True
                queue.forget(parcel)
                queue.given_up += 1
                queue.wake.set()
                _let_go(parcel)
        _log.warning(
            "The final result of run %d for the sink %s%s is given up: what waits on disk takes more than unsent in "
            "[limits] allows (%d bytes).",
            file.run,
            sink,
            ", which could not be read," if file.damaged else "",
            self._outbox.budget,
        )

    def _prepare(self, queue: SinkQueue, parcel: Parcel) -> None:
        with self._stage.lock:
            done, item, stored = parcel.done, parcel.item, parcel.stored
        if done:
            return
        if not stored:
            assert item is not None
            self._keep(item, [(queue, parcel)])
            return
        try:
            if item is None:
                item = self._outbox.load(queue.name, stored)
            else:
                self._outbox.require(queue.name, stored)
        except Removed:
            self._gone(queue, parcel, "somebody removed it from the folder, so it is not sent")
            return
        except (StoredDamaged, StoredTooNew) as error:
            self._gone(queue, parcel, f"it cannot be read, so it is not sent: {error}")
            return
        except OSError as error:
            if item is None:
                self._unreadable(queue, parcel, error)
                return
            self._say(error)
        else:
            self._recovered()
        with self._stage.lock:
            parcel.item = item
            self._made_ready(queue, parcel)

    def _remove(self, queue: SinkQueue, parcel: Parcel) -> None:
        with self._stage.lock:
            stored, item = parcel.stored, parcel.item
            settled = all(p.stored or p.done for p in parcel.siblings)
            _let_go(parcel)
        if stored:
            self._attempt(lambda: self._outbox.remove(queue.name, stored))
        elif settled and item is not None:
            run = item.run
            self._attempt(lambda: self._outbox.note_published(run))

    def _attempt(self, job: Callable[[], None]) -> None:
        try:
            job()
        except (OSError, LiveredError) as error:
            _log.warning(
                "What was sent cannot be noted on disk (%s): it may be sent a second time after a restart.",
                _words(error),
            )

    def _gone(self, queue: SinkQueue, parcel: Parcel, why: str) -> None:
        with self._stage.lock:
            parcel.done = True
            queue.forget(parcel)
            _let_go(parcel)
            queue.wake.set()
        _log.warning("The final result of run %d for the sink %s: %s.", parcel.run, queue.name, why)

    def _unreadable(self, queue: SinkQueue, parcel: Parcel, error: OSError) -> None:
        with self._stage.lock:
            now = self._stage.clock.monotonic()
            words = f"its file cannot be read: {_words(error)}"
            is_news = words != parcel.error
            parcel.error = queue.last_error = words
            # As if the sink had failed on it: the newest result goes before it, and it does not block others for ever.
            parcel.failures += 1
            parcel.asked_at = None
            parcel.not_before = now + KEPT_WITHIN_S
            queue.newest_first = queue.newest_not_before <= now
            queue.wake.set()
        if is_news:
            _log.error(
                "The final result of run %d for the sink %s cannot be read (%s): it stays on disk and is tried again. "
                "Mend the disk or the permissions.",
                parcel.run,
                queue.name,
                _words(error),
            )

    def _made_ready(self, queue: SinkQueue, parcel: Parcel) -> None:
        parcel.ready = True
        parcel.asked_at = None
        queue.wake.set()

    def _say(self, error: OSError | LiveredError) -> None:
        words = _words(error)
        if words == self._said:
            return
        self._said = words
        if isinstance(error, OutboxBusy):
            _log.warning(
                "Another livered of yours keeps the unsent final results (%s): those of this session wait in memory, "
                "and are lost to a sink that has not taken them when livered ends.",
                words,
            )
        else:
            _log.error(_CANNOT_KEEP, words)

    def _recovered(self) -> None:
        if self._said or self._hangs:
            _log.info("Final results are kept on disk again.")
        self._said, self._hangs = "", False


def _parcel(file: UnsentFile) -> Parcel:
    return Parcel(
        run=file.run, since_ns=file.since_ns, final=True, version=0, item=None, stored=file.name, to_keep=True
    )


def _let_go(parcel: Parcel) -> None:
    """Let the result go: one that waits for another sink, perhaps for days, still knows what is done here."""
    parcel.item, parcel.siblings = None, ()


def _finals(number: int) -> str:
    one = "1 final result of an earlier session waits"
    return one if number == 1 else f"{number} final results of earlier sessions wait"


def _words(error: BaseException) -> str:
    if isinstance(error, ConfigError):
        return " ".join(error.problems).rstrip(".")
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
