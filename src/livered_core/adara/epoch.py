"""The EPICS epoch: the only place where stream time becomes Unix time and back.

The stream counts from 1990-01-01 00:00:00 UTC in two unsigned 32-bit numbers, seconds and nanoseconds
(ADARA network protocol, "Common Packet Header").
"""

from __future__ import annotations

from typing import Final

from livered_core.errors import DataModelError

EPICS_EPOCH_S: Final = 631_152_000
"""1990-01-01 00:00:00 UTC in seconds since the Unix epoch."""

NS_PER_S: Final = 1_000_000_000
_SECONDS_LIMIT: Final = 1 << 32


def unix_ns(seconds: int, nanoseconds: int = 0) -> int:
    """Turn a time of the stream into nanoseconds UTC since the Unix epoch.

    Parameters
    ----------
    seconds
        Seconds since the EPICS epoch.
    nanoseconds
        0 to 999,999,999.
    """
    return (seconds + EPICS_EPOCH_S) * NS_PER_S + nanoseconds


def epics_time(time_ns: int) -> tuple[int, int]:
    """Turn nanoseconds UTC since the Unix epoch into a time of the stream.

    Parameters
    ----------
    time_ns
        Nanoseconds UTC since the Unix epoch.

    Returns
    -------
    tuple of int
        Seconds since the EPICS epoch, and nanoseconds below 1e9.

    Raises
    ------
    DataModelError
        When the stream cannot say this time (before 1990, or after the year 2126).
    """
    seconds, nanoseconds = divmod(time_ns, NS_PER_S)
    seconds -= EPICS_EPOCH_S
    if not 0 <= seconds < _SECONDS_LIMIT:
        message = (
            f"The time {time_ns} ns cannot be written in an ADARA packet: "
            "it must be between 1990-01-01 and 2126-02-07, in nanoseconds since the Unix epoch."
        )
        raise DataModelError(message)
    return seconds, nanoseconds
