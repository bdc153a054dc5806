"""Times for people. Inside livered a time is an integer: nanoseconds UTC since the Unix epoch."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def format_utc(time_ns: int) -> str:
    """Write a time as ISO 8601 with seconds, for example ``2026-11-22T10:00:00Z``.

    Parameters
    ----------
    time_ns
        Nanoseconds UTC since the Unix epoch; a time that the calendar cannot hold is written as the number.
    """
    try:
        moment = _EPOCH + timedelta(seconds=time_ns // 1_000_000_000)
    except OverflowError:
        return f"{time_ns} ns"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> int:
    """Read an ISO 8601 time; without an offset it is UTC.

    Parameters
    ----------
    text
        For example ``2026-11-22T10:00:00Z`` or ``2026-11-22 10:00``; a fraction of a second has 3 or 6 digits.

    Returns
    -------
    int
        Nanoseconds UTC since the Unix epoch.

    Raises
    ------
    ValueError
        When `text` is not such a time.
    """
    moment = datetime.fromisoformat(text.strip().removesuffix("Z"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return round((moment - _EPOCH) / timedelta(microseconds=1)) * 1000
