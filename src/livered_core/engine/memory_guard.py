"""Keeps a session within its memory: sheds near the limit, ends it at the limit, and begins the next one carefully."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from livered_core.clocks import Clock
from livered_core.config import Config
from livered_core.engine.memory_advice import (
    FORGET_AFTER_NS,
    MemoryEnd,
    StartAdvice,
    shed_events,
    size,
    start_advice,
)
from livered_core.engine.memory_ends import MemoryEnds
from livered_core.engine.memory_reading import MemoryRoom, MemoryUse, memory_room, memory_use
from livered_core.engine.memory_size import memory_size
from livered_core.engine.memory_watch import LOOK_EVERY_S, MemoryLevel, MemoryStep, MemoryWatch
from livered_core.errors import LiveredError
from livered_core.reduction.run_state import RunState

_log = logging.getLogger(__name__)
_LEAST_LIFE_S: Final = 600.0
"""A session that began with next to nothing, has hardly any data and is over the limit sooner would be so again."""


class MemoryLimitReached(LiveredError):  # noqa: N818  (reads as what happened)
    """The session ends because it has too much memory; the next one begins more carefully (exit code 1)."""


@attrs.frozen
class MemoryStatus:
    """How much memory is used, for ``status.json``. Sizes are in bytes.

    Attributes
    ----------
    limit
        Most memory; 0 for no limit.
    used
        What this process uses.
    level
        In the words of `MemoryLevel`.
    since_s
        Seconds since `level` came about.
    share
        Share of chunks and queue that is not shed, 0 to 1.
    begun_with
        What is done otherwise because of earlier ends; empty when all is as configured.
    """

    limit: int = 0
    used: int = 0
    level: str = MemoryLevel.UNLIMITED.value
    since_s: float = 0.0
    share: float = 1.0
    begun_with: str = ""


Resize = Callable[[int, int], None]
"""Takes the most events of a chunk and of the queue; safe to call from the main thread."""


class MemoryGuard:
    """Watches the memory of a session. All methods are called on the main thread, `status` on any.

    Parameters
    ----------
    config
        What is configured.
    clock
        The clocks.
    state_folder
        Gives the folder in which ends are remembered; None for a recording.
    environ
        Says whether a service manager has started this process.
    room, read
        What this process may have, and what it has.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        state_folder: Callable[[], Path] | None,
        environ: Mapping[str, str],
        *,
        room: MemoryRoom | None = None,
        read: Callable[[MemoryRoom], MemoryUse] = memory_use,
    ) -> None:
        self._clock = clock
        self._managed = bool(environ.get("NOTIFY_SOCKET"))
        self._room = memory_room() if room is None else room
        self._read = read
        self._configured = (config.max_chunk_events, config.source.queue_events)
        self._base = self._configured
        self._watch = MemoryWatch(
            config.limits.memory_bytes(self._room.available),
            0 if self._room.group is None else self._room.group.limit,
        )
        self._began_s = self._looked_s = clock.monotonic()
        self._ends = MemoryEnds(state_folder)
        self._advice = StartAdvice(*self._configured)
        self._resize: Resize | None = None
        self._state: Callable[[], RunState | None] = lambda: None
        self._drops: list[Callable[[], None]] = []
        self._run: tuple[int, int] | None = None
        self._said_helpless = False

    def begin(self) -> StartAdvice:
        """Say how to begin, after what earlier sessions have noted. Called once, before the source is made."""
        self._advice = start_advice(
            self._ends.read(), *self._configured, limit=self._watch.limit, now_ns=self._clock.now_ns()
        )
        self._base = (self._advice.max_chunk_events, self._advice.queue_events)
        if self._advice.remark:
            _log.warning("%s", self._advice.remark)
        return self._advice

    def attach(self, resize: Resize | None, state: Callable[[], RunState | None]) -> None:
        """Take hold of what can be made smaller.

        Parameters
        ----------
        resize
            Changes chunks and queue of the source; None where it has none.
        state
            Gives the run in hand.
        """
        self._resize, self._state = resize, state

    def offer(self, drop: Callable[[], None]) -> None:
        """Take a function that drops what can be made again, such as a cache; called when memory is short."""
        self._drops.append(drop)

    def look(self) -> str:
        """Look at the memory if it is time for that, and shed.

        Returns
        -------
        str
            Why the session must end, in one sentence; empty when it need not.
        """
        now_s = self._clock.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return ""
        self._looked_s = now_s
        self._see_the_run_end()
        step = self._watch.look(now_s, self._read(self._room))
        if step is MemoryStep.SHED:
            self._shed()
        elif step is MemoryStep.RELAX:
            self._relax()
        elif step is MemoryStep.END:
            return self._end(now_s)
        return ""

    def status(self) -> MemoryStatus:
        """Return a snapshot; safe from any thread."""
        watch = self._watch
        return MemoryStatus(
            limit=watch.limit,
            used=watch.used,
            level=watch.level.value,
            since_s=max(0.0, self._clock.monotonic() - (watch.since_s or self._began_s)),
            share=watch.share,
            begun_with=self._advice.remark if self._base != self._configured else "",
        )

    def close(self) -> None:
        """Write down what is to be remembered; a session that ends for another reason was not short of memory."""
        self._ends.withdraw()
        self._ends.close()

    def _see_the_run_end(self) -> None:
        """With the end of a run its data are gone, and with them the reason to be careful; so with some quiet hours."""
        state = self._state()
        run = None if state is None else (state.run.number, state.run.start_ns)
        ended = self._run is not None and run != self._run
        self._run = run
        long_ago = self._clock.monotonic() - self._began_s >= FORGET_AFTER_NS / 1e9
        if (ended or long_ago) and self._watch.level in (MemoryLevel.NORMAL, MemoryLevel.UNLIMITED):
            self._ends.forget()
            if self._base != self._configured:
                _log.info("Memory is not short any more: chunks and queue are as configured again.")
                self._base = self._configured
                self._apply()

    def _shed(self) -> None:
        watch = self._watch
        first = watch.share == 0.5
        self._apply()
        for drop in self._drops:
            try:
                drop()
            except Exception:  # noqa: BLE001  (whatever a cache is, the others are dropped)
                _log.exception("A cache could not be dropped: report it.")
        give_back()
        if first:
            chunk, queue = self._sizes()
            _log.warning(
                "Memory is short: livered has %s, its limit is %s. Caches are dropped, and chunks and queue made smaller "
                "(%s and %s events at most).",
                size(watch.used),
                size(watch.limit),
                f"{chunk:,}",
                f"{queue:,}",
            )
            self._ends.add(self._what_is(certain=False))

    def _relax(self) -> None:
        self._ends.withdraw()
        self._apply()
        _log.info(
            "Memory is not short any more: livered has %s of %s.",
            size(self._watch.used),
            size(self._watch.limit),
        )

    def _end(self, now_s: float) -> str:
        watch = self._watch
        end = self._what_is(certain=True)
        if self._advice.begin_from_now and not end.is_of_data and now_s - self._began_s < _LEAST_LIFE_S:
            if not self._said_helpless:
                self._said_helpless = True
                _log.error(
                    "Memory is over its limit (%s of %s) soon after a start with small chunks and no old data: another "
                    "start would not help, so livered goes on. Raise memory in [limits], or see what the plugins keep.",
                    size(watch.used),
                    size(watch.limit),
                )
            return ""
        self._ends.add(end)
        in_data = (
            f", of which {size(end.accumulated)} are what is accumulated"
            if 10 * end.accumulated > end.used
            else ""
        )
        then = "it ends, to be started again" if self._managed else "it ends: start it again"
        return (
            f"livered has {size(watch.used)} of memory{in_data}; its limit is {size(watch.limit)}, so {then}. "
            "The next start is more careful; see memory in [limits]."
        )

    def _what_is(self, *, certain: bool) -> MemoryEnd:
        state = self._state()
        chunk, queue = self._sizes()
        return MemoryEnd(
            when_ns=self._clock.now_ns(),
            limit=self._watch.limit,
            used=self._watch.used,
            accumulated=0 if state is None else memory_size(state.accumulated),
            max_chunk_events=chunk,
            queue_events=queue,
            run=0 if state is None else state.run.number,
            certain=certain,
        )

    def _sizes(self) -> tuple[int, int]:
        chunk, queue = (shed_events(events, self._watch.share) for events in self._base)
        return chunk, queue

    def _apply(self) -> None:
        if self._resize is not None:
            self._resize(*self._sizes())


def give_back() -> None:
    """Collect garbage, and give memory that is free back to the system, where the C library can do that."""
    gc.collect()
    # Not every C library has it.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
