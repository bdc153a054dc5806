"""mantid.kernel.DateAndTime: nanoseconds since 1990."""

from __future__ import annotations

import re
import time

import numpy as np

EPOCH_NS = 631_152_000_000_000_000
"""1990-01-01 UTC, nanoseconds since the Unix epoch."""

_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?")


class DateAndTime:
    """Made of an ISO 8601 text, of nanoseconds since 1990, or of seconds and nanoseconds since 1990."""

    __slots__ = ("_ns",)

    def __init__(self, first: str | int | float, nanoseconds: int | None = None) -> None:
        if isinstance(first, str):
            self._ns = _parsed(first)
        elif nanoseconds is not None:
            self._ns = int(first) * 1_000_000_000 + int(nanoseconds)
        else:
            self._ns = int(first)

    @classmethod
    def of_unix_ns(cls, unix_ns: int) -> DateAndTime:
        """The double's own: from nanoseconds since the Unix epoch."""
        return cls(int(unix_ns) - EPOCH_NS)

    @staticmethod
    def getCurrentTime() -> DateAndTime:
        return DateAndTime.of_unix_ns(time.time_ns())

    def totalNanoseconds(self) -> int:
        return self._ns

    def to_datetime64(self) -> np.datetime64:
        return np.datetime64(self._ns + EPOCH_NS, "ns")

    def toISO8601String(self) -> str:
        whole, nanoseconds = divmod(self._ns + EPOCH_NS, 1_000_000_000)
        text = str(np.datetime64(whole, "s"))
        return f"{text}.{nanoseconds:09d}" if nanoseconds else text

    def __str__(self) -> str:
        return self.toISO8601String() + " "

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateAndTime) and self._ns == other._ns

    def __lt__(self, other: DateAndTime) -> bool:
        return self._ns < other._ns

    def __gt__(self, other: DateAndTime) -> bool:
        return self._ns > other._ns

    def __hash__(self) -> int:
        return hash(self._ns)


def unix_ns_of(when: DateAndTime | np.datetime64 | str) -> int:
    """The double's own: nanoseconds since the Unix epoch."""
    if isinstance(when, np.datetime64):
        return int(when.astype("datetime64[ns]").astype(np.int64))
    if isinstance(when, str):
        when = DateAndTime(when)
    return when.totalNanoseconds() + EPOCH_NS


def _parsed(text: str) -> int:
    if not _ISO.fullmatch(text.strip()):
        message = f"Error interpreting string '{text}' as a date/time."
        raise ValueError(message)
    moment = np.datetime64(text.strip().removesuffix("Z").replace(" ", "T"), "ns")
    return int(moment.astype(np.int64)) - EPOCH_NS
