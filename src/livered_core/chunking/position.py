"""Where in the stream the reduction stands, so that another process can go on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from livered_core.chunking.taken_pulses import TakenPulses, TakenTimes

if TYPE_CHECKING:
    from livered_core.chunking.items import MonitorPulse, Pulse, PulseLeftOut
    from livered_core.model import Chunk, RunInfo

_AT_ONCE: Final = 10_000


@attrs.frozen(eq=False)
class StreamPosition:
    """A place in the stream of a run, between the last pulse that was reduced and the next item.

    A server that replays sends the same pulses in the same order: the place is found again when the last pulse comes
    again, whatever times the pulses have.

    Attributes
    ----------
    run
        The run.
    last_ns, last_number
        The last pulse: its time, nanoseconds UTC since the Unix epoch, and the how manieth of this time it was.
    pulses, monitors
        The pulses that were taken, and those of which the events of beam monitors were.
    chunk_sequence
        Of the last chunk.
    """

    run: RunInfo
    last_ns: int
    last_number: int
    pulses: TakenTimes
    monitors: TakenTimes
    chunk_sequence: int


class Follower:
    """Follows what is reduced, to say where that is in the stream. For the reduction thread."""

    def __init__(self) -> None:
        self.run_began()

    def run_began(self) -> None:
        """Forget the run before."""
        self._pulses = TakenPulses()
        self._monitors = TakenPulses()
        self._last = (0, 0)
        self._times: list[int] = []

    def resumed(self, position: StreamPosition) -> None:
        """Go on from a position."""
        self._pulses, self._monitors = TakenPulses.of(position.pulses), TakenPulses.of(position.monitors)
        self._last = (position.last_ns, position.last_number)

    def pulse(self, pulse: Pulse | PulseLeftOut) -> None:
        """Note a pulse that goes into the chunk, or is left out."""
        self._last = (pulse.time_ns, pulse.number)
        self._times.append(pulse.time_ns)
        if len(self._times) >= _AT_ONCE:
            self._settle()

    def monitor(self, pulse: MonitorPulse) -> None:
        """Note the beam monitor events of a pulse that go into the chunk."""
        self._monitors.add(pulse.time_ns)

    def after(self, chunk: Chunk, run: RunInfo) -> StreamPosition:
        """Give the position after a chunk, which holds all that was noted."""
        self._settle()
        return StreamPosition(
            run, *self._last, self._pulses.times, self._monitors.times, chunk_sequence=chunk.sequence
        )

    def _settle(self) -> None:
        self._pulses.add_all(np.array(self._times, np.int64))
        self._times = []
