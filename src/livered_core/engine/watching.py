"""What only the watching of an engine shows: since when something does not get on."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from livered_core.publish.sinks import SinkStatus

REDUCTION: Final = "livered-reduction"
"""Name of the thread of the reduction."""
LOOK_AFTER_S: Final = 5.0
"""What stands for so long is looked after: where is it?"""


@attrs.define(eq=False)
class Standstill:
    """For how long the loop of a source has not turned; belongs to one thread."""

    _turns: int = attrs.field(default=-1, init=False)
    _since_s: float = attrs.field(default=0.0, init=False)

    def update(self, turns: int, now_s: float) -> float:
        """Take up a count of turns, and return the seconds since it has last been another one.

        Parameters
        ----------
        turns
            How often the loop has turned.
        now_s
            Monotonic seconds.
        """
        if turns != self._turns:
            self._turns, self._since_s = turns, now_s
        return now_s - self._since_s


@attrs.define(eq=False)
class SinkTroubles:
    """Since when each sink fails, or takes nothing although final results wait; belongs to one thread."""

    _failing: dict[str, int] = attrs.field(factory=dict, init=False)
    _waiting: dict[str, tuple[int, int]] = attrs.field(factory=dict, init=False)

    def update(self, sinks: Sequence[SinkStatus], now_ns: int) -> dict[str, dict[str, int]]:
        """Take up how the sinks are doing.

        Parameters
        ----------
        sinks
            A snapshot of each.
        now_ns
            Wall time, nanoseconds UTC.

        Returns
        -------
        dict
            Name of each sink to two times, nanoseconds UTC: ``failing_since_ns``, since when its attempts fail, 0
            where they do not; ``waiting_since_ns``, since when final results wait and it has taken none, 0 where
            none waits.
        """
        failing, waiting = {}, {}
        for sink in sinks:
            if sink.last_error:
                failing[sink.name] = self._failing.get(sink.name, now_ns)
            if sink.unsent_finals:
                before = self._waiting.get(sink.name)
                same = before is not None and before[1] == sink.delivered
                waiting[sink.name] = before if before is not None and same else (now_ns, sink.delivered)
        self._failing, self._waiting = failing, waiting
        return {
            sink.name: {
                "failing_since_ns": failing.get(sink.name, 0),
                "waiting_since_ns": waiting.get(sink.name, (0, 0))[0],
            }
            for sink in sinks
        }


def place_of(thread_name: str) -> str:
    """Say where in its program a thread is: ``plugin.py line 12 in process_chunk``.

    Parameters
    ----------
    thread_name
        Name of the thread.

    Returns
    -------
    str
        Its innermost two functions; empty where there is no such thread.
    """
    number = next((thread.ident for thread in threading.enumerate() if thread.name == thread_name), None)
    frame = sys._current_frames().get(number) if number is not None else None
    places: list[str] = []
    while frame is not None and len(places) < 2:
        code = frame.f_code
        places.append(f"{Path(code.co_filename).name} line {frame.f_lineno} in {code.co_name}")
        frame = frame.f_back
    return ", called by ".join(places)


def log_file() -> str:
    """Give the path of the file that the log of this process goes to; empty without one."""
    files = (
        handler.baseFilename
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.FileHandler)
    )
    return next(files, "")
