"""A sink as the publish worker sees it: what waits for it, and how it is doing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Final

import attrs

from livered_core.model import Receipt
from livered_core.publish.latest import Published
from livered_core.publish.published_runs import RunKey

FINALS_TO_WARN_OF: Final = 10
"""Waiting final results of one sink that are worth a line in the log; then twice as many, and so on."""
PASSED_BY: Final = 3
"""A final result that fails is set aside when so many other results have been taken meanwhile."""


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
        How often the other side refused a result.
    unsent_finals
        Final results that still wait, those of earlier sessions and those that were refused among them.
    last_receipt
        Its newest receipt; None before the first.
    last_error
        Why an attempt failed, when it has taken nothing since; else empty.
    given_up
        Final results that it will never get: they waited for too long, or took too much disk.
    """

    name: str
    delivered: int
    refused: int
    unsent_finals: int
    last_receipt: Receipt | None
    last_error: str
    given_up: int = 0


@attrs.define(eq=False)
class Parcel:
    """A result on its way to one sink; the stage's lock guards it.

    Attributes
    ----------
    run
        Number of its run.
    since_ns
        When it was made, nanoseconds UTC since the Unix epoch.
    final
        Whether it is the last of its run, and waits until it is taken.
    version
        Of the result in this session; 0 for one of an earlier session.
    item
        The result; None while it is only on the disk.
    stored
        Name of its file; empty while it has none.
    to_keep
        Whether it is to be kept on disk.
    asked_at
        Monotonic time at which the disk was asked to do its part; None while it is not asked.
    ready
        The disk has done its part for the next attempt, or could not.
    done
        It was taken or given up: nothing more is done for it.
    not_before
        Monotonic time before which it is not offered, because the sink asked for that.
    failures, passed, let_by
        Attempts that failed, results that the sink has taken since the first, and those that it had nothing to do with
        while other final results waited behind it.
    unavailable
        Its newest attempt failed because the other side was not there.
    again
        It was refused, and is offered once more.
    error
        Why its newest attempt failed; empty without one.
    siblings
        The same result on its way to all sinks, where it is to be kept on disk and is not done.
    order
        Its place among the final results of the sink.
    """

    run: int
    since_ns: int
    final: bool
    version: int
    item: Published | None
    stored: str = ""
    to_keep: bool = False
    asked_at: float | None = None
    ready: bool = False
    done: bool = False
    not_before: float = 0.0
    failures: int = 0
    passed: int = 0
    let_by: int = 0
    unavailable: bool = False
    again: bool = False
    error: str = ""
    siblings: tuple[Parcel, ...] = ()
    order: int = 0


@attrs.define(eq=False)
class SinkQueue:
    """What waits for a sink, and how it has fared; the stage's lock guards it.

    ``held`` are final results that the other side refused: they are offered again when the sink has taken something
    else, once, and by the next session. ``stated`` says whether its newest failure was one of `SinkRejected` and
    `SinkUnavailable`: of a sink that knows these, only a receipt shows that the other side takes something again.
    """

    name: str
    wake: threading.Event = attrs.field(factory=threading.Event)
    newest: Parcel | None = None
    finals: deque[Parcel] = attrs.field(factory=deque)
    held: list[Parcel] = attrs.field(factory=list)
    replayed: set[RunKey] = attrs.field(factory=set)
    warn_at: int = FINALS_TO_WARN_OF
    delivered: int = 0
    refused: int = 0
    refusals: int = 0
    failures: int = 0
    newest_first: bool = False
    newest_not_before: float = 0.0
    retry_at: float = 0.0
    last_receipt: Receipt | None = None
    last_error: str = ""
    stated: bool = False
    said: str = ""
    unsaid: int = 0
    given_up: int = 0
    _n_finals: int = 0

    @property
    def next_parcel(self) -> Parcel | None:
        """What the sink should get next; None when nothing waits."""
        if self.finals and not (self.newest_first and self.newest is not None):
            return self.finals[0]
        return self.newest

    @property
    def unsent(self) -> list[Parcel]:
        """The final results that it has not taken, in the order of publication."""
        return sorted((*self.finals, *self.held), key=lambda parcel: parcel.order)

    def put(self, parcel: Parcel) -> bool:
        """Queue a result; true when so many final results wait that somebody should know."""
        if not parcel.final:
            self.newest = parcel
            return False
        self._n_finals += 1
        parcel.order = self._n_finals
        self.finals.append(parcel)
        waiting = len(self.finals) + len(self.held)
        if waiting < self.warn_at:
            return False
        while self.warn_at <= waiting:
            self.warn_at *= 2
        return True

    def put_before(self, parcels: Iterable[Parcel]) -> None:
        """Queue final results of earlier sessions before all others."""
        for order, parcel in enumerate(reversed(list(parcels))):
            parcel.order = -order
            self.finals.appendleft(parcel)

    def not_before(self, parcel: Parcel) -> float:
        """When a result may be offered, in monotonic time, as far as the sink is concerned."""
        return max(self.retry_at, parcel.not_before if parcel.final else self.newest_not_before)

    def put_off(self, parcel: Parcel, until: float) -> None:
        """Note that the sink wants a result later; the next final one does not wait with it."""
        if parcel.final:
            parcel.not_before = until
            parcel.error = parcel.error or "it asked to be offered it later."
        else:
            self.newest_not_before = until
            self.newest_first = False

    def offer_all_now(self) -> None:
        """Let nothing wait any more for its time."""
        self.retry_at = self.newest_not_before = 0.0
        for parcel in self.finals:
            parcel.not_before = 0.0

    def forget(self, parcel: Parcel) -> None:
        """Take a result off the queue; one that is older than it is of no use any more."""
        if parcel in self.finals:
            self.finals.remove(parcel)
        if parcel in self.held:
            self.held.remove(parcel)
        if not self.finals:
            self.warn_at = FINALS_TO_WARN_OF
        if self.newest is not None and self.newest.version <= parcel.version:
            self.newest = None

    def hold(self, parcel: Parcel) -> None:
        """Set a final result aside until the sink has taken something else; not one that was given up meanwhile."""
        self.forget(parcel)
        if parcel.done:
            return
        self.held.append(parcel)
        if parcel.stored:
            parcel.item = None

    def offer_held_again(self) -> None:
        """Queue what was set aside, each once."""
        back = [parcel for parcel in self.held if not parcel.again]
        if not back:
            return
        for parcel in back:
            parcel.again = True
            self.held.remove(parcel)
        self.finals = deque(sorted((*self.finals, *back), key=lambda parcel: parcel.order))
