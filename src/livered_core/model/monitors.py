"""Beam monitor events as columns."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt


@attrs.frozen(eq=False)
class MonitorEvents:
    """Events of one beam monitor in several pulses.

    The arrays belong to the noun: do not write to them. Only pulses in which the monitor has events are listed.

    Attributes
    ----------
    pulse_time_ns
        int64[p], nanoseconds UTC since the Unix epoch.
    event_offset
        int64[p + 1]: the events of pulse i are ``event_offset[i]:event_offset[i + 1]``.
    tof
        uint32[n], time of flight in ticks of 100 ns.
    """

    pulse_time_ns: npt.NDArray[np.int64]
    event_offset: npt.NDArray[np.int64]
    tof: npt.NDArray[np.uint32]

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.tof)
