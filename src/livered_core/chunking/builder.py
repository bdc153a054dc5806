"""Collecting pulses until a chunk closes, and the rule by which it closes."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.chunking.event_blocks import BLOCK_EVENTS
from livered_core.chunking.items import LogSample, MonitorPulse, Pulse, weight
from livered_core.model import Chunk, EventBatch, InstrumentDefinition, MonitorEvents, PixelMap, SlowLog

U32 = npt.NDArray[np.uint32]

_WORTH_A_CHUNK: Final = BLOCK_EVENTS // 2
"""Events from which on a chunk rather ends with its block than be copied together with what follows."""


class ChunkBuilder:
    """Collects the pulses and logs of one run; belongs to the reduction thread."""

    def __init__(self) -> None:
        self.definition: InstrumentDefinition | None = None
        self.pixel_map: PixelMap | None = None
        self._monitors: list[MonitorPulse] = []
        self._pulses: list[Pulse] = []
        self._samples: list[LogSample] = []
        self._in_force: dict[str, LogSample] = {}
        self._n_events = 0
        self._weight = 0
        self._sequence = 0

    @property
    def n_pulses(self) -> int:
        """Pulses collected since the last chunk."""
        return len(self._pulses)

    @property
    def n_events(self) -> int:
        """Events collected since the last chunk."""
        return self._n_events

    @property
    def weight(self) -> int:
        """What was collected since the last chunk takes in memory, in events of 8 bytes."""
        return self._weight

    def begin_run(self) -> None:
        """Count chunks from 1 again; of the logs so far only the values in force are of interest to the run."""
        self._sequence = 0
        self._weight -= sum(map(weight, self._pulses))
        self._pulses, self._n_events = [], 0
        self.drop_monitors()
        self.settle_logs()

    def resume(self, sequence: int) -> None:
        """Go on counting chunks after one with this number."""
        self._sequence = sequence

    def settle_logs(self) -> None:
        """Keep only the values in force, so that what comes between chunks takes no memory."""
        for sample in self._samples:
            self._in_force[sample.name] = sample
            self._weight -= weight(sample)
        self._samples = []

    def drop_monitors(self) -> int:
        """Forget the beam monitor events that came since the last chunk, and return how many there were."""
        dropped = sum(len(pulse.tof) for pulse in self._monitors)
        self._weight -= sum(map(weight, self._monitors))
        self._monitors = []
        return dropped

    def is_worth_closing_before(self, pulse: Pulse) -> bool:
        """Whether a pulse lies in another block than the many events collected so far, which would then be copied."""
        if self._n_events < _WORTH_A_CHUNK or not self._pulses:
            return False
        block = self._pulses[-1].block
        return pulse.block is not block and (block is None or 2 * self._n_events >= len(block.tof))

    def add(self, pulse: Pulse) -> None:
        """Collect a pulse."""
        self._pulses.append(pulse)
        self._n_events += len(pulse.tof)
        self._weight += weight(pulse)

    def add_monitors(self, pulse: MonitorPulse) -> None:
        """Collect the beam monitor events of a pulse."""
        self._monitors.append(pulse)
        self._weight += weight(pulse)

    def add_log(self, sample: LogSample) -> None:
        """Collect a value of a slow log."""
        self._samples.append(sample)
        self._weight += weight(sample)

    def close(self) -> Chunk:
        """Make a chunk of what was collected, and begin a new one.

        Returns
        -------
        Chunk
            Its columns are views of a block where the pulses lie in one, side by side, and copies else.
        """
        pulses, batch = self._pulses, _batch(self._pulses)
        monitors = _monitor_events(self._monitors)
        logs = self._close_logs()
        self._sequence += 1
        self._pulses = []
        self._monitors = []
        self._n_events = 0
        self._weight = 0
        times = batch.pulse_time_ns
        return Chunk(
            sequence=self._sequence,
            model="native",
            data=batch,
            first_pulse_ns=int(times[0]) if len(times) else 0,
            last_pulse_ns=int(times.max()) if len(times) else 0,
            n_pulses=batch.n_pulses,
            n_events=batch.n_events,
            proton_charge_pc=float(batch.proton_charge_pc.sum()),
            logs=logs,
            instrument=self.definition,
            n_error_pixel_events=sum(pulse.n_error_pixel for pulse in pulses),
            n_unmapped_events=sum(pulse.n_unmapped for pulse in pulses),
            monitors=monitors,
            pixel_map=self.pixel_map,
        )

    def _close_logs(self) -> dict[str, SlowLog]:
        by_name: dict[str, list[LogSample]] = {name: [sample] for name, sample in self._in_force.items()}
        for sample in self._samples:
            by_name.setdefault(sample.name, []).append(sample)
        self.settle_logs()
        return {name: _slow_log(samples) for name, samples in by_name.items()}


@attrs.define(eq=False)
class ChunkPacer:
    """Says when a chunk closes: after max(`update_every`, processing time of the previous chunk) seconds.

    Moments are handed in, in seconds of a monotonic clock.

    Attributes
    ----------
    update_every
        Seconds.
    """

    update_every: float
    _due: float = 0.0

    def begin(self, opened: float, previous_processing: float) -> None:
        """Begin a chunk.

        Parameters
        ----------
        opened
            When the chunk opened: the moment at which the previous one closed.
        previous_processing
            Seconds that processing the previous chunk took.
        """
        self._due = opened + max(self.update_every, previous_processing)

    def remaining(self, now: float) -> float:
        """Return the seconds until the chunk closes; 0 when it is due."""
        return max(0.0, self._due - now)


def _batch(pulses: list[Pulse]) -> EventBatch:
    if not pulses:
        return EventBatch.empty()
    counts = [len(pulse.tof) for pulse in pulses]
    pixel_id, tof = _columns(pulses)
    return EventBatch(
        pixel_id=pixel_id,
        tof=tof,
        pulse_time_ns=np.array([pulse.time_ns for pulse in pulses], np.int64),
        proton_charge_pc=np.array([pulse.proton_charge_pc for pulse in pulses], np.float64),
        event_offset=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        flags=np.array([pulse.flags for pulse in pulses], np.uint32),
    )


def _is_next_to(before: Pulse, pulse: Pulse) -> bool:
    same_block = before.block is not None and pulse.block is before.block
    return same_block and pulse.start == before.start + len(before.tof)


def _columns(pulses: list[Pulse]) -> tuple[U32, U32]:
    """Join the columns of pulses: those side by side in one block are one piece, and one piece is not copied."""
    pixel_id: list[U32] = []
    tof: list[U32] = []
    first = 0
    for i in range(1, len(pulses) + 1):
        before = pulses[i - 1]
        if i < len(pulses) and _is_next_to(before, pulses[i]):
            continue
        begin, block = pulses[first], before.block
        if block is None:
            pixel_id += [pulse.pixel_id for pulse in pulses[first:i]]
            tof += [pulse.tof for pulse in pulses[first:i]]
        else:
            end = before.start + len(before.tof)
            pixel_id.append(block.pixel_id[begin.start : end])
            tof.append(block.tof[begin.start : end])
        first = i
    if len(tof) == 1:
        return pixel_id[0], tof[0]
    return np.concatenate(pixel_id), np.concatenate(tof)


def _monitor_events(pulses: list[MonitorPulse]) -> dict[int, MonitorEvents]:
    """Sort the events of pulses by their monitor."""
    if not pulses:
        return {}
    counts = np.concatenate([np.diff(pulse.event_offset) for pulse in pulses])
    monitor = np.concatenate([pulse.monitor_id for pulse in pulses])
    time_ns = np.repeat(
        np.array([pulse.time_ns for pulse in pulses], np.int64), [len(pulse.monitor_id) for pulse in pulses]
    )
    tof = np.concatenate([pulse.tof for pulse in pulses])
    of_event = np.repeat(monitor, counts)
    events = {}
    for number in np.unique(monitor).tolist():
        mine = (monitor == number) & (counts > 0)
        if mine.any():
            offset = np.concatenate([[0], np.cumsum(counts[mine])]).astype(np.int64)
            events[number] = MonitorEvents(time_ns[mine], offset, tof[of_event == number])
    return events


def _slow_log(samples: list[LogSample]) -> SlowLog:
    ordered = sorted(samples, key=lambda sample: sample.time_ns)
    newest = ordered[-1]
    values = np.empty(len(ordered), object)
    for row, sample in enumerate(ordered):
        values[row] = sample.value
    numbers = not any(isinstance(sample.value, str | np.ndarray) for sample in ordered)
    return SlowLog(
        name=newest.name,
        device=newest.device,
        unit=newest.unit,
        time_ns=np.array([sample.time_ns for sample in ordered], np.int64),
        value=values.astype(np.float64) if numbers else values,
    )
