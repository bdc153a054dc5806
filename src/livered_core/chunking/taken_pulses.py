"""Which pulses of a run have been taken, so that none is taken twice."""

from __future__ import annotations

from typing import Final

_REMEMBERED: Final = 600
"""Pulses among which a repetition is recognised: ten seconds at 60 Hz."""
_LEAP_NS: Final = 3600 * 1_000_000_000
"""A pulse this far from the one before is not believed to be the newest until the next one agrees with it."""


class TakenPulses:
    """The times of the pulses that were taken. All times are nanoseconds UTC since the Unix epoch."""

    def __init__(self) -> None:
        self.newest_ns = 0
        self._leap_ns = 0
        # Dictionaries as sets that know their order.
        self._recent: dict[int, None] = {}
        self._leaps: dict[int, None] = {}

    def __contains__(self, time_ns: int) -> bool:
        """Whether a pulse of this time was among the last ones taken, or leapt out of line some time ago."""
        return time_ns in self._recent or time_ns in self._leaps

    def add(self, time_ns: int) -> None:
        """Note a pulse; one that leaps far ahead or back is the newest only when the next agrees with it."""
        _note(self._recent, time_ns)
        if not self.newest_ns or abs(time_ns - self.newest_ns) <= _LEAP_NS:
            self.newest_ns = max(self.newest_ns, time_ns)
        elif self._leap_ns and abs(time_ns - self._leap_ns) <= _LEAP_NS:
            self.newest_ns = time_ns
        else:
            self._leap_ns = time_ns
            _note(self._leaps, time_ns)


def _note(times: dict[int, None], time_ns: int) -> None:
    times.pop(time_ns, None)
    times[time_ns] = None
    if len(times) > _REMEMBERED:
        del times[next(iter(times))]
