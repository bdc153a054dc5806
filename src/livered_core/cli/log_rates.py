"""Limits how often the log says the same: a flood of lines becomes a few and their number.

Lines are the same when they differ in digits only. Of each kind so many are written in a minute; those beyond are
counted, and the count is written when the minute is over. One place in the program may write ten times as many lines,
of whatever kind. A traceback that was written within the last day is not written again: the line says when it was.
Nothing is left out without being counted.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final

import attrs

from livered_core.clocks import Clock
from livered_core.model.text import one_line

WINDOW_S: Final = 60.0
"""Seconds over which lines are counted."""
PLACE_FACTOR: Final = 10
"""A place in the program may write so many times as many lines as there may be of one kind."""
TRACE_AGAIN_S: Final = 86_400.0
"""A traceback is written again after so many seconds: the file that holds it may be gone by then."""
MOST_KINDS: Final = 1000
"""Kinds of lines, and tracebacks, that are remembered."""
_LONGEST: Final = 200
_CHANGING: Final = re.compile(r"0x[0-9a-fA-F]+|\d+")

CallLater = Callable[[float, Callable[[], None]], None]
"""Calls something after so many seconds, once."""


@attrs.frozen
class _Last:
    """What is kept of a record that was not written; the record itself may hold a chunk, by its traceback."""

    name: str
    level: int
    pathname: str
    line_number: int
    line: str


@attrs.define(eq=False)
class _Window:
    """What came of one kind in this window."""

    until_s: float
    written: int = 0
    left_out: int = 0
    last: _Last | None = None

    def leave_out(self, record: logging.LogRecord, line: str) -> bool:
        """Count a record that is not written."""
        self.left_out += 1
        self.last = _Last(record.name, record.levelno, record.pathname, record.lineno, line[:_LONGEST])
        return False


class RateLimit(logging.Filter):
    """A filter that all handlers of a log share; it judges each record once. Safe from any thread.

    It sets `repeated_trace` of a record whose traceback is not to be written again: the time when it was.

    Parameters
    ----------
    most
        Lines of one kind in a minute; 0 for no limit.
    message
        Gives the lines of a record, the first one and those of its traceback.
    clock
        For the times.
    call_later
        For the counts of what was left out; by default a timer of its own thread.
    """

    def __init__(
        self,
        most: int,
        message: Callable[[logging.LogRecord], list[str]],
        clock: Clock,
        call_later: CallLater | None = None,
    ) -> None:
        super().__init__()
        self._most = most
        self._message = message
        self._clock = clock
        self._call_later = call_later or _by_timer
        self._lock = threading.Lock()
        self._windows: OrderedDict[tuple[object, ...], _Window] = OrderedDict()
        self._traces: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._is_waiting = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written."""
        if not self._most or record.levelno >= logging.CRITICAL:
            return True
        before = record.__dict__.get("is_within_rate")
        if before is not None:
            return bool(before)
        lines = self._message(record)
        with self._lock:
            now_s = self._clock.monotonic()
            summaries = self._over(now_s)
            wanted = self._take(record, lines[0], now_s)
            record.__dict__["is_within_rate"] = wanted
            if wanted and len(lines) > 1:
                self._shorten(record, lines, now_s)
            waits = not wanted and not self._is_waiting
            self._is_waiting = self._is_waiting or waits
        for summary in summaries:
            _write(summary)
        if waits:
            self._call_later(WINDOW_S, self._come_back)
        return wanted

    def flush(self) -> None:
        """Write the counts of all that was left out, without waiting for the end of its minute."""
        with self._lock:
            summaries = self._over(float("inf"))
        for summary in summaries:
            _write(summary)

    def _come_back(self) -> None:
        """Write what is due; look again later where something is not."""
        with self._lock:
            summaries = self._over(self._clock.monotonic())
            self._is_waiting = any(window.left_out for window in self._windows.values())
            again = self._is_waiting
        for summary in summaries:
            _write(summary)
        if again:
            self._call_later(WINDOW_S, self._come_back)

    def _take(self, record: logging.LogRecord, line: str, now_s: float) -> bool:
        """Count a record, for its kind and for its place."""
        # The place first: a flood of ever other lines must not push out what is remembered of it.
        place = self._window((record.pathname, record.lineno), now_s)
        if place.written >= PLACE_FACTOR * self._most:
            return place.leave_out(record, line)
        kind = self._window((record.name, record.levelno, _CHANGING.sub("0", line)[:_LONGEST]), now_s)
        if kind.written >= self._most:
            return kind.leave_out(record, line)
        kind.written += 1
        place.written += 1
        return True

    def _window(self, key: tuple[object, ...], now_s: float) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(now_s + WINDOW_S)
        return window

    def _over(self, now_s: float) -> list[logging.LogRecord]:
        """Forget the windows that are over, and the oldest where there are too many; give what to say of them."""
        # They all last as long: the first to be over is the first of all.
        over = list(itertools.takewhile(lambda key: self._windows[key].until_s <= now_s, self._windows))
        # Two more come with the record in hand.
        too_many = len(self._windows) - len(over) + 2 - MOST_KINDS
        over += list(itertools.islice(self._windows, len(over), len(over) + max(0, too_many)))
        summaries = []
        for key in over:
            window = self._windows.pop(key)
            if window.left_out and window.last is not None:
                summaries.append(self._summary(window, window.last))
        return summaries

    def _summary(self, window: _Window, last: _Last) -> logging.LogRecord:
        one = window.left_out == 1
        summary = logging.LogRecord(
            last.name,
            last.level,
            last.pathname,
            last.line_number,
            "%d more line%s like those before %s left out within %.0f s, the last: %s",
            (window.left_out, "" if one else "s", "was" if one else "were", WINDOW_S, one_line(last.line)),
            None,
        )
        summary.__dict__["is_within_rate"] = True
        return summary

    def _shorten(self, record: logging.LogRecord, lines: list[str], now_s: float) -> None:
        """Have a traceback that was written not long ago not written again."""
        trace = _CHANGING.sub("0", "\n".join(lines[1:]))
        key = hashlib.sha256(trace.encode(errors="replace")).digest()
        before = self._traces.get(key)
        if before is not None and now_s - before[0] < TRACE_AGAIN_S:
            record.__dict__["repeated_trace"] = before[1]
            return
        self._traces.pop(key, None)
        self._traces[key] = (now_s, _clock_time(record))
        while len(self._traces) > MOST_KINDS:
            self._traces.popitem(last=False)


def _clock_time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006  (as the log's lines)


def _write(record: logging.LogRecord) -> None:
    """Send a record the way of all others, past the filter that made it."""
    with contextlib.suppress(Exception):
        logging.getLogger(record.name).callHandlers(record)


def _by_timer(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.name = "livered-log"
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # no new threads while the interpreter ends: the end flushes
        timer.start()
