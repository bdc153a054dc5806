"""Which pulses of a run have been taken, so that none is taken twice."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]

_REMEMBERED: Final = 600
"""Pulses among which a repetition is recognised: ten seconds at 60 Hz."""
_LEAP_NS: Final = 3600 * 1_000_000_000
"""A pulse this far from the one before is not believed to be the newest until the next one agrees with it."""


@attrs.frozen(eq=False)
class TakenTimes:
    """What `TakenPulses` knows, to be kept. All times are nanoseconds UTC since the Unix epoch.

    Attributes
    ----------
    newest_ns
        The newest pulse; 0 before the first.
    leap_ns
        The last pulse that leapt out of line; 0 without one.
    recent_ns, leaps_ns
        int64[n], int64[m]: the pulses taken last, and those that leapt out of line, in the order in which they came.
    """

    newest_ns: int
    leap_ns: int
    recent_ns: I64
    leaps_ns: I64


class TakenPulses:
    """The times of the pulses that were taken. All times are nanoseconds UTC since the Unix epoch."""

    def __init__(self) -> None:
        self.newest_ns = 0
        self._leap_ns = 0
        # Dictionaries as sets that know their order.
        self._recent: dict[int, None] = {}
        self._leaps: dict[int, None] = {}

    @classmethod
    def of(cls, times: TakenTimes) -> TakenPulses:
        """Make it as it was when `times` were kept."""
        taken = cls()
        taken.newest_ns, taken._leap_ns = times.newest_ns, times.leap_ns
        taken._recent = dict.fromkeys(times.recent_ns.tolist())
        taken._leaps = dict.fromkeys(times.leaps_ns.tolist())
        return taken

    @property
    def times(self) -> TakenTimes:
        """What is known, to be kept."""
        recent, leaps = (np.array(list(each), np.int64) for each in (self._recent, self._leaps))
        return TakenTimes(self.newest_ns, self._leap_ns, recent, leaps)

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

    def add_all(self, times_ns: I64) -> None:
        """Note pulses as `add` does one by one, int64[n] in the order in which they came."""
        if not len(times_ns):
            return
        first, last = int(times_ns.min()), int(times_ns.max())
        lowest = min(first, self.newest_ns or first)
        in_line = max(last, self.newest_ns) - lowest <= _LEAP_NS
        for time_ns in times_ns[-_REMEMBERED:].tolist() if in_line else times_ns.tolist():
            self.add(time_ns)
        if in_line:
            self.newest_ns = max(self.newest_ns, last)


class PulseNumbers:
    """Numbers pulses that share a time, in the order in which they come on a connection."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def next(self, time_ns: int) -> int:
        """Return the how manieth pulse of this time it is: 1 for the first."""
        number = self._numbers.pop(time_ns, 0) + 1
        self._numbers[time_ns] = number
        if len(self._numbers) > _REMEMBERED:
            del self._numbers[next(iter(self._numbers))]
        return number


def _note(times: dict[int, None], time_ns: int) -> None:
    times.pop(time_ns, None)
    times[time_ns] = None
    if len(times) > _REMEMBERED:
        del times[next(iter(times))]
