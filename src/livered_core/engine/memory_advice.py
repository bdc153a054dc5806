"""What the ends of earlier sessions for want of memory mean for the next start: a decision, made of plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
from attrs.validators import ge, instance_of

from livered_core.model import format_utc

FORGET_AFTER_NS: Final = 6 * 3600 * 10**9
"""An end is no news any more after so long."""
AGAIN_WITHIN_NS: Final = 3600 * 10**9
"""Two ends within this time: smaller chunks have not helped."""
LEAST_EVENTS: Final = 250_000
"""Events of a chunk and of the queue that are not gone below, where the configuration does not ask for less."""
MOST_ENDS: Final = 10
"""Ends that are remembered."""
_ALIKE: Final = 1.1
"""A limit that is larger by more than this is another limit."""

_whole: Final[Any] = [instance_of(int), ge(0)]


@attrs.frozen
class MemoryEnd:
    """A session that ended, or died, because memory was short.

    Attributes
    ----------
    when_ns
        Nanoseconds UTC since the Unix epoch.
    limit, used
        Memory that it might have and that it had, bytes.
    accumulated
        What was accumulated of the run, bytes.
    max_chunk_events, queue_events
        In force at that time.
    run
        Number of the run in hand; 0 between runs.
    certain
        False for one that was near the limit when it was last heard of, and may have been killed for something else.
    """

    when_ns: int = attrs.field(validator=_whole)
    limit: int = attrs.field(validator=_whole)
    used: int = attrs.field(validator=_whole)
    accumulated: int = attrs.field(validator=_whole)
    max_chunk_events: int = attrs.field(validator=_whole)
    queue_events: int = attrs.field(validator=_whole)
    run: int = attrs.field(default=0, validator=_whole)
    certain: bool = attrs.field(default=True, validator=instance_of(bool))

    @property
    def is_of_data(self) -> bool:
        """Whether most of the memory was in what was accumulated: any start on the same data ends like this."""
        return self.certain and 2 * self.accumulated >= self.used > 0


@attrs.frozen
class StartAdvice:
    """How to begin, so that a session does not run into the same limit again.

    Attributes
    ----------
    max_chunk_events, queue_events
        Instead of those configured; never more.
    begin_from_now
        Whether to leave out what there is of the run, and neither to resume nor to replay it.
    missing
        Why data are left out, for the results; empty without.
    remark
        What is done and why, for the log; empty when all is as configured.
    """

    max_chunk_events: int
    queue_events: int
    begin_from_now: bool = False
    missing: str = ""
    remark: str = ""


def still_counts(end: MemoryEnd, *, limit: int, now_ns: int) -> bool:
    """Say whether an end says anything of a session with this limit that begins now.

    Parameters
    ----------
    end
        The end.
    limit
        Of the session that begins, bytes; 0 for none.
    now_ns
        Nanoseconds UTC since the Unix epoch.
    """
    # A clock that was set back a little does not make an end forgotten, one that was wrong by days does.
    recent = -AGAIN_WITHIN_NS <= now_ns - end.when_ns < FORGET_AFTER_NS
    return recent and 0 < limit <= _ALIKE * end.limit


def start_advice(
    ends: Sequence[MemoryEnd], max_chunk_events: int, queue_events: int, *, limit: int, now_ns: int
) -> StartAdvice:
    """Say how to begin.

    Parameters
    ----------
    ends
        Of earlier sessions, the newest last.
    max_chunk_events, queue_events
        As configured.
    limit
        Of the session that begins, bytes; 0 for none.
    now_ns
        Nanoseconds UTC since the Unix epoch.
    """
    counting = [end for end in ends if still_counts(end, limit=limit, now_ns=now_ns)]
    if not counting:
        return StartAdvice(max_chunk_events, queue_events)
    newest = counting[-1]
    chunk = _quarter(newest.max_chunk_events, max_chunk_events)
    queue = _quarter(newest.queue_events, queue_events)
    again = sum(abs(newest.when_ns - end.when_ns) <= AGAIN_WITHIN_NS for end in counting) > 1
    begin_from_now = newest.is_of_data or again
    why = f"memory {'had reached' if newest.certain else 'was near'} its limit ({size(newest.used)} of {size(newest.limit)})"
    remark = f"The session before ended when {why}: this one begins with chunks of at most {chunk:,} events"
    missing = ""
    if begin_from_now:
        of_what = f"what was accumulated of run {newest.run}" if newest.run else "what was accumulated"
        if newest.is_of_data:
            grown = (
                f"{of_what} ({size(newest.accumulated)}) had outgrown the memory limit ({size(newest.limit)})"
            )
        else:
            grown = (
                f"livered had outgrown the memory limit ({size(newest.limit)}) more than once within an hour"
            )
        missing = f"Data before {format_utc(now_ns)} are left out: {grown}."
        remark = f"{remark}, and with the data of now"
    return StartAdvice(chunk, queue, begin_from_now, missing, f"{remark}.")


def shed_events(events: int, share: float) -> int:
    """Return a share of a number of events, but not below `LEAST_EVENTS`, where it was not below it before."""
    return max(min(events, LEAST_EVENTS), int(events * share))


def size(n_bytes: int) -> str:
    """Write a number of bytes for people: ``3.1 GB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.1f} {unit}"
    return f"{n_bytes} bytes"


def _quarter(then: int, configured: int) -> int:
    return max(min(LEAST_EVENTS, configured), min(then // 4, configured))
