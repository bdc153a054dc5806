"""``history.json``: event rate and lag over the last hours, in columns."""

from __future__ import annotations

import math
from typing import Any, Final

from livered_core.publish.as_json import FORMAT, to_json
from livered_core.publish.run_directory import RunDirectory

EVERY_S: Final = 10.0
"""Seconds between two rows."""
OVER_NS: Final = 6 * 3600 * 10**9
"""Age of the oldest row."""
_COLUMNS: Final = ("time_ns", "event_rate", "lag_s", "phase")

_Row = tuple[int, float | None, float | None, str]


class History:
    """Rows of time, rate, lag and phase; belongs to one thread.

    Parameters
    ----------
    rows
        Of earlier sessions, oldest first.
    """

    def __init__(self, rows: list[_Row] | None = None) -> None:
        self._rows = list(rows or [])

    @classmethod
    def continued(cls, folder: RunDirectory) -> History:
        """Go on with what the session before left; see `RunDirectory.read`."""
        return cls(folder.read("history.json", _understand))

    def add(self, time_ns: int, event_rate: float, lag_s: float | None, phase: str) -> None:
        """Add a row.

        Parameters
        ----------
        time_ns
            Nanoseconds UTC since the Unix epoch. Rows that are not older than it, which a clock made that was wrong,
            and rows that are too old go out.
        event_rate
            Events per second.
        lag_s
            Age of the newest data reduced, seconds; None where there are none.
        phase
            What goes on.
        """
        self._rows = [row for row in self._rows if time_ns - OVER_NS <= row[0] < time_ns]
        self._rows.append((time_ns, event_rate, lag_s, phase))

    def as_json(self) -> str:
        """Write ``history.json``."""
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * len(_COLUMNS)
        return to_json({"format": FORMAT, "every_s": EVERY_S, **dict(zip(_COLUMNS, columns, strict=True))})


def _understand(document: Any) -> list[_Row]:
    if document["format"] != FORMAT:
        message = "another format"
        raise ValueError(message)
    rows = list(zip(*(document[name] for name in _COLUMNS), strict=True))
    for (time_ns, rate, lag_s, phase), before in zip(rows, [(-1,), *rows], strict=False):
        right = (
            isinstance(time_ns, int)
            and time_ns > before[0]
            and _is_number_or_none(rate)
            and _is_number_or_none(lag_s)
            and isinstance(phase, str)
        )
        if not right:
            message = "a row is of other types, or times do not ascend"
            raise ValueError(message)
    return rows


def _is_number_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and math.isfinite(value))
