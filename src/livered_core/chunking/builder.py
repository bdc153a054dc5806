"""Collecting pulses until a chunk closes, and the rule by which it closes."""

from __future__ import annotations

import attrs
import numpy as np

from livered_core.chunking.items import LogSample, Pulse
from livered_core.model import Chunk, EventBatch, InstrumentDefinition, SlowLog


class ChunkBuilder:
    """Collects the pulses and logs of one run; belongs to the reduction thread."""

    def __init__(self) -> None:
        self.definition: InstrumentDefinition | None = None
        self._pulses: list[Pulse] = []
        self._samples: list[LogSample] = []
        self._in_force: dict[str, LogSample] = {}
        self._n_events = 0
        self._sequence = 0

    @property
    def n_pulses(self) -> int:
        """Pulses collected since the last chunk."""
        return len(self._pulses)

    @property
    def n_events(self) -> int:
        """Events collected since the last chunk."""
        return self._n_events

    def begin_run(self) -> None:
        """Count chunks from 1 again; of the logs so far only the values in force are of interest to the run."""
        self._sequence = 0
        self.settle_logs()

    def settle_logs(self) -> None:
        """Keep only the values in force, so that what comes between chunks takes no memory."""
        for sample in self._samples:
            self._in_force[sample.name] = sample
        self._samples = []

    def add(self, pulse: Pulse) -> None:
        """Collect a pulse."""
        self._pulses.append(pulse)
        self._n_events += len(pulse.tof)

    def add_log(self, sample: LogSample) -> None:
        """Collect a value of a slow log."""
        self._samples.append(sample)

    def close(self) -> Chunk:
        """Make a chunk of what was collected, and begin a new one.

        Returns
        -------
        Chunk
            With columns of its own: nothing is shared with the reader's buffers.
        """
        batch = _batch(self._pulses)
        logs = self._close_logs()
        self._sequence += 1
        self._pulses = []
        self._n_events = 0
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
    return EventBatch(
        pixel_id=np.concatenate([pulse.pixel_id for pulse in pulses]),
        tof=np.concatenate([pulse.tof for pulse in pulses]),
        pulse_time_ns=np.array([pulse.time_ns for pulse in pulses], np.int64),
        proton_charge_pc=np.array([pulse.proton_charge_pc for pulse in pulses], np.float64),
        event_offset=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        flags=np.array([pulse.flags for pulse in pulses], np.uint32),
    )


def _slow_log(samples: list[LogSample]) -> SlowLog:
    ordered = sorted(samples, key=lambda sample: sample.time_ns)
    newest = ordered[-1]
    values = [sample.value for sample in ordered]
    numbers = not any(isinstance(value, str) for value in values)
    return SlowLog(
        name=newest.name,
        device=newest.device,
        unit=newest.unit,
        time_ns=np.array([sample.time_ns for sample in ordered], np.int64),
        value=np.array(values, np.float64 if numbers else object),
    )
