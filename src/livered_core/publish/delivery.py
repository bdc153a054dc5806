"""How one sink is served: what it is offered next and when, and what becomes of what it did not take."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Final

import attrs

from livered_core.backoff import Backoff
from livered_core.errors import HookError, SinkLater, SinkRejected, SinkUnavailable
from livered_core.hooks.dispatch import Dispatcher
from livered_core.model import Receipt
from livered_core.publish.keeper import KEPT_WITHIN_S, FinalKeeper
from livered_core.publish.latest import Published
from livered_core.publish.sinks import PASSED_BY, Parcel, SinkQueue
from livered_core.publish.stage import Stage

_log = logging.getLogger(__name__)

VISIBLE_WITHIN_S: Final = 5.0
"""Seconds that sinks wait for the run directory; when closing, at most half the time there is."""
_IDLE_S: Final = 3600.0
_NEVER: Final = float("inf")

Taken = Callable[[str, Published, Receipt], None]
"""Is told that a sink, by its name, has taken a result."""


@attrs.frozen(eq=False)
class Patience:
    """How long sinks are waited for.

    Attributes
    ----------
    backoff
        How long a sink is left alone that fails, or that refuses one result after the other.
    give_up_after_s
        Age at which a final result is given up, seconds; 0 for never.
    jitter
        Source of randomness for the back-off.
    """

    backoff: Backoff
    give_up_after_s: float = 0.0
    jitter: random.Random = attrs.field(factory=random.Random)


class Delivery:
    """Offers a sink its results, on a thread of its own.

    The newest result replaces one that waits; a final one never gives way. Final results are offered in the order of
    publication. One that the sink could not take is offered again with back-off, and the newest result in between.
    One that the other side refused is held: it is offered again when something else was taken, once. A result is taken
    when there is a receipt: a sink that had nothing to do with one has shown nothing of the other side.

    Parameters
    ----------
    hooks
        The session's hooks.
    queue
        What waits for the sink.
    stage
        Shared with the other publish threads.
    keeper
        Keeps final results on disk; None where they wait in memory only.
    patience
        How long a sink is left alone that fails, or that refuses one result after the other.
    taken
        Called with each receipt, on the sink's thread; returns at once and raises nothing.
    """

    def __init__(
        self,
        hooks: Dispatcher,
        queue: SinkQueue,
        stage: Stage,
        keeper: FinalKeeper | None,
        patience: Patience,
        taken: Taken | None,
    ) -> None:
        self._hooks = hooks
        self._queue = queue
        self._stage = stage
        self._keeper = keeper
        self._patience = patience
        self._note_taken = taken

    def serve(self) -> None:
        """Serve the sink until the session closes."""
        queue, stage = self._queue, self._stage
        while True:
            queue.wake.clear()
            with stage.lock:
                given_up = self._give_up_old()
                parcel = queue.next_parcel
                now = stage.clock.monotonic()
                due = _NEVER if parcel is None else self._due(parcel, now)
                last_chance = stage.closing
                item = None if parcel is None else parcel.item
                reads = parcel is not None and parcel.asked_at is not None and item is None
                unkept = parcel is not None and parcel.to_keep and not parcel.ready
                at_end = last_chance and max(now, 0.0 if reads else due) >= stage.deadline
            for old in given_up:
                _log.warning(
                    "The final result of run %d for the sink %s is given up: it waited longer than "
                    "give_up_after in [publish] allows.",
                    old.run,
                    queue.name,
                )
            if at_end:
                return
            if parcel is None or item is None or now < due:
                until = min(due, stage.deadline)
                stage.clock.wait(queue.wake, min(until - now, _IDLE_S))
            else:
                if unkept and self._keeper is not None:
                    self._keeper.say_that_it_hangs(
                        f"the final result of run {parcel.run} is sent from memory"
                    )
                self._attend(parcel, item, last_chance=last_chance)

    def _give_up_old(self) -> list[Parcel]:
        after_s = self._patience.give_up_after_s
        if not after_s:
            return []
        oldest_ns = self._stage.clock.now_ns() - after_s * 1e9
        old = [parcel for parcel in self._queue.unsent if parcel.since_ns < oldest_ns]
        self._queue.given_up += len(old)
        for parcel in old:
            self._queue.forget(parcel)
            if self._keeper is not None and parcel.to_keep:
                self._keeper.forget(self._queue, parcel)
        return old

    def _due(self, parcel: Parcel, now: float) -> float:
        """When a sink may be offered its next result; asks the disk for its part when that time has come."""
        queue, stage = self._queue, self._stage
        due = queue.not_before(parcel)
        if parcel.version > stage.visible_version:
            due = max(due, min(stage.hidden_since + VISIBLE_WITHIN_S, stage.visible_by))
        if self._keeper is None or not parcel.to_keep or parcel.ready:
            return due
        if parcel.asked_at is None:
            if now < due:
                return due
            self._keeper.ask(queue, parcel)
        if parcel.item is None or parcel.asked_at is None:
            return _NEVER
        return max(due, min(parcel.asked_at + KEPT_WITHIN_S, stage.visible_by))

    def _attend(self, parcel: Parcel, item: Published, *, last_chance: bool) -> None:
        """Offer a sink a result."""
        queue = self._queue
        try:
            receipt = self._hooks.post_publish(queue.name, item.result, item.run, item.update)
        except SinkLater as later:
            with self._stage.lock:
                now = self._stage.clock.monotonic()
                parcel.ready = False
                queue.put_off(parcel, _NEVER if last_chance else now + later.seconds)
        except HookError as error:
            self._failed(parcel, item, error, last_chance=last_chance)
        else:
            if receipt is None:
                self._nothing_done(parcel)
            else:
                self._taken(parcel, item, receipt)

    def _nothing_done(self, parcel: Parcel) -> None:
        """Take a result off the queue with which the sink had nothing to do: of the other side that says nothing."""
        queue = self._queue
        with self._stage.lock:
            queue.forget(parcel)
            queue.newest_first = False
            if parcel.to_keep and self._keeper is not None:
                self._keeper.forget(queue, parcel)
            settled = parcel.failures and (parcel.final or not queue.stated)
            if settled or not (queue.stated or queue.delivered):
                # This one had failed, and is done; or the sink gives no receipts, and shows no more than this.
                queue.failures = 0
                queue.last_error = next((p.error for p in queue.unsent if p.failures), "")
            let_by = self._let_by(parcel)
        if let_by is not None:
            _log.warning(
                "The sink %s failed %d times on the final result of run %d: those after it are offered first. %s",
                queue.name,
                let_by.failures,
                let_by.run,
                let_by.error,
            )

    def _let_by(self, done: Parcel) -> Parcel | None:
        """Hold a final result that fails again and again while others wait behind it; it comes again as refused ones do."""
        finals = self._queue.finals
        first = finals[0] if len(finals) > 1 else None
        if first is None or done.final or not first.failures or first.unavailable:
            return None
        first.let_by += 1
        if first.let_by < PASSED_BY:
            return None
        first.let_by, first.ready = 0, False
        self._queue.hold(first)
        return first

    def _taken(self, parcel: Parcel, item: Published, receipt: Receipt) -> None:
        queue = self._queue
        with self._stage.lock:
            queue.forget(parcel)
            if parcel.to_keep and self._keeper is not None:
                self._keeper.forget(queue, parcel)
            refusals, unsaid = queue.refusals, queue.unsaid
            queue.failures = queue.refusals = queue.unsaid = 0
            queue.last_error = queue.said = ""
            queue.newest_first = False
            queue.offer_held_again()
            passed = self._passed(parcel)
            queue.delivered += 1
            queue.last_receipt = receipt
        if refusals:
            _log.info(
                "The sink %s takes results again; it had refused %d%s.",
                queue.name,
                refusals,
                f", {unsaid} of them without a word here" if unsaid else "",
            )
        if passed is not None:
            _log.error(
                "The sink %s takes other results and failed %d times on the final result of run %d: that one is set "
                "aside until livered starts again. %s",
                queue.name,
                passed.failures,
                passed.run,
                passed.error,
            )
        if self._note_taken is not None:
            self._note_taken(queue.name, item, receipt)
        _log.info(
            "Run %d update %d: %s took %d bytes to %s.",
            item.run.number,
            item.update.sequence,
            queue.name,
            receipt.size,
            receipt.where,
            extra={"plugin": queue.name},
        )

    def _passed(self, taken: Parcel) -> Parcel | None:
        """Set aside a final result that fails again and again while others are taken, so that it blocks nothing."""
        queue = self._queue
        first = queue.finals[0] if queue.finals else None
        if first is None or taken.final or not first.failures:
            return None
        first.passed += 1
        if first.passed < PASSED_BY:
            return None
        queue.hold(first)
        first.again = True
        return first

    def _failed(self, parcel: Parcel, item: Published, error: HookError, *, last_chance: bool) -> None:
        refused = isinstance(error.__cause__, SinkRejected)
        queue, stage = self._queue, self._stage
        words = error.failure.error
        with stage.lock:
            queue.last_error = parcel.error = words
            queue.stated = isinstance(error.__cause__, SinkRejected | SinkUnavailable)
            parcel.failures += 1
            parcel.unavailable = isinstance(error.__cause__, SinkUnavailable)
            parcel.ready = False
            queue.newest_first = parcel.final and queue.newest_not_before <= stage.clock.monotonic()
            if refused:
                self._refused(parcel)
            elif last_chance:
                queue.retry_at = _NEVER
            elif not stage.closing:
                queue.failures += 1
                self._leave_alone(queue.failures)
            silent = refused and queue.said == words
            queue.unsaid += silent
            queue.said = words if refused else ""
        if not silent:
            self._hooks.report(error.failure, item.run)

    def _refused(self, parcel: Parcel) -> None:
        queue = self._queue
        queue.refused += 1
        queue.refusals += 1
        # The other side answered: what comes next is another thing, and need not wait; after that, it seems to be all.
        queue.failures = 0
        if queue.refusals > 1:
            if self._stage.closing:
                queue.retry_at = _NEVER
            else:
                self._leave_alone(queue.refusals - 1)
        if parcel.final:
            queue.hold(parcel)
        else:
            queue.forget(parcel)

    def _leave_alone(self, failures: int) -> None:
        delay = self._patience.backoff.delay(failures, self._patience.jitter.random())
        self._queue.retry_at = self._stage.clock.monotonic() + delay
