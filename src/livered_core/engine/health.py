"""How the engine is doing, in one noun: for the screen, for ``status.json``, for whoever asks."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from livered_core.engine.checkpoint_writer import CheckpointStatus
from livered_core.engine.disk_watch import DiskStatus
from livered_core.engine.executors import ExecutorStatus
from livered_core.engine.memory_guard import MemoryStatus
from livered_core.engine.plugin_rows import PluginRow, rows_as_dicts
from livered_core.errors import LiveredError
from livered_core.model import Result, RunInfo, SlowLog, Update
from livered_core.model.text import one_line
from livered_core.publish.as_json import newest_values
from livered_core.publish.latest import Published
from livered_core.publish.sinks import SinkStatus
from livered_core.reduction.pipeline import Pipeline
from livered_core.sources.base import Connection, SourceStatus


class Phase(enum.Enum):
    """What is going on, in the words shown to people."""

    CONNECTING = "connecting"
    DISCONNECTED = "not connected"
    BETWEEN_RUNS = "between runs"
    CATCHING_UP = "catching up"
    LIVE = "live"
    READING = "reading a recording"
    PAUSED = "paused"
    NO_PULSES = "no pulses"
    NO_BEAM = "no beam"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


CATCHING_UP_NS = 5_000_000_000
"""Data received that are older than this are called history being caught up with."""
SILENT_S = 5.0
"""A run without a pulse for this long is not called live. Guarded by a monotonic clock, whatever times pulses have."""


@attrs.frozen(eq=False)
class Health:
    """A snapshot of the engine.

    Attributes
    ----------
    phase
        What is going on.
    source
        The source's own snapshot.
    run
        The run in hand; None between runs.
    now_ns
        When the snapshot was made, nanoseconds UTC.
    n_chunks, n_updates
        Chunks accumulated and updates made in this run.
    n_events, n_pulses, proton_charge_pc
        Accumulated in this run.
    last_pulse_ns
        Newest pulse accumulated in this run, nanoseconds UTC; 0 before the first.
    dropped_chunks, skipped_chunks
        Left out of this run: lost to a failure, and on purpose.
    missing
        Why the run is not complete; empty when it is.
    result, update
        The newest published result, which may be of the run before, and its update; None before the first.
    sinks
        How each sink is doing.
    failure
        Why the session ended, in one sentence; empty when it did not or was asked to.
    version
        Of the newest published result; 0 before the first.
    logs
        Slow logs of the newest chunk, by name.
    dropped_events, skipped_events
        In the chunks that were left out of this run.
    newest_pulse_ns
        Newest pulse of this run that was accumulated or left out on purpose, nanoseconds UTC; 0 before the first.
    skipped_by
        Plugin that left out the newest of the chunks that were left out on purpose; empty without.
    checkpoint
        How keeping the run in hand for a restart goes; None where nothing is kept.
    memory
        How much memory is used, and may be; None before that is known.
    disk
        How much room there is; None before that is known.
    reload
        What became of changes of plugins and settings, as `livered_core.engine.reload.Reloader.status` has it; None
        where nothing is taken up.
    plugins
        The plugins that run, and what their hooks have done, in the order of their calls.
    executor
        How what processes chunks elsewhere does; None where they are processed here.
    """

    phase: Phase
    source: SourceStatus
    run: RunInfo | None
    now_ns: int
    n_chunks: int
    n_updates: int
    n_events: int
    n_pulses: int
    proton_charge_pc: float
    last_pulse_ns: int
    dropped_chunks: int
    skipped_chunks: int
    missing: tuple[str, ...]
    result: Result | None
    update: Update | None
    sinks: tuple[SinkStatus, ...]
    failure: str = ""
    version: int = 0
    logs: Mapping[str, SlowLog] = attrs.field(factory=dict)
    dropped_events: int = 0
    skipped_events: int = 0
    newest_pulse_ns: int = 0
    skipped_by: str = ""
    checkpoint: CheckpointStatus | None = None
    memory: MemoryStatus | None = None
    disk: DiskStatus | None = None
    reload: Mapping[str, Any] | None = None
    plugins: tuple[PluginRow, ...] = ()
    executor: ExecutorStatus | None = None

    @property
    def lag_s(self) -> float | None:
        """Wall time minus the newest pulse accumulated or left out on purpose, seconds; None without, and for a recording."""
        if self.source.read_fraction is not None:
            return None
        newest_ns = max(self.newest_pulse_ns, self.last_pulse_ns)
        return max(0.0, (self.now_ns - newest_ns) / 1e9) if newest_ns else None


def phase_of(source: SourceStatus, run: RunInfo | None, now_ns: int) -> Phase:
    """Say what is going on.

    Parameters
    ----------
    source
        The source's snapshot.
    run
        The run in hand.
    now_ns
        Wall time, nanoseconds UTC.
    """
    if source.read_fraction is not None:
        return Phase.READING
    if source.connection is Connection.CLOSED:
        return Phase.STOPPED
    if source.connection is Connection.CONNECTING:
        return Phase.CONNECTING
    if source.connection is Connection.WAITING:
        return Phase.DISCONNECTED
    if run is None and source.run is None:
        return Phase.BETWEEN_RUNS
    if source.paused:
        return Phase.PAUSED
    if source.silent_s is not None and source.silent_s > SILENT_S:
        return Phase.NO_PULSES
    if source.beam_off_s is not None and source.beam_off_s > SILENT_S:
        return Phase.NO_BEAM
    # Data that come in chunks are as old as a chunk is long; the chunk may take its time, too.
    in_time_ns = CATCHING_UP_NS + round(2e9 * source.chunk_s)
    if source.last_pulse_ns and now_ns - source.last_pulse_ns > in_time_ns:
        return Phase.CATCHING_UP
    return Phase.LIVE


def health_of(
    source: SourceStatus,
    pipeline: Pipeline,
    newest: Published | None,
    sinks: tuple[SinkStatus, ...],
    *,
    now_ns: int,
    phase: Phase | None,
    failure: str,
) -> Health:
    """Put a snapshot together.

    Parameters
    ----------
    source
        The source's snapshot.
    pipeline
        For the run in hand.
    newest
        The newest result.
    sinks
        How each sink is doing.
    now_ns
        Wall time, nanoseconds UTC.
    phase
        What is going on; None to see it from the source, see `phase_of`.
    failure
        Why the session ended.
    """
    state = pipeline.state
    run = state.run if state is not None else source.run
    return Health(
        phase=phase or phase_of(source, run, now_ns),
        source=source,
        run=run,
        now_ns=now_ns,
        n_chunks=state.n_chunks if state else 0,
        n_updates=state.updates if state else 0,
        n_events=state.n_events if state else 0,
        n_pulses=state.n_pulses if state else 0,
        proton_charge_pc=state.proton_charge_pc if state else 0.0,
        last_pulse_ns=state.last_pulse_ns if state else 0,
        dropped_chunks=state.dropped_chunks if state else 0,
        skipped_chunks=state.skipped_chunks if state else 0,
        missing=state.update(final=False, now_ns=now_ns).missing if state else (),
        result=newest.result if newest else None,
        update=newest.update if newest else None,
        sinks=sinks,
        failure=failure,
        version=newest.version if newest else 0,
        logs=pipeline.logs,
        dropped_events=state.dropped_events if state else 0,
        skipped_events=state.skipped_events if state else 0,
        newest_pulse_ns=state.newest_pulse_ns if state else 0,
        skipped_by=state.skipped_by if state else "",
    )


def failure_sentence(failure: BaseException) -> str:
    """Say in one sentence what ended a session."""
    if isinstance(failure, LiveredError):
        return one_line(str(failure))
    return one_line(f"{type(failure).__name__}: {failure}")


def health_as_dict(health: Health) -> dict[str, Any]:
    """Return a snapshot as plain numbers and texts, as ``status.json`` has it."""
    source = attrs.asdict(health.source)
    source["connection"] = health.source.connection.value
    logs, logs_left_out = newest_values(health.logs)
    return {
        "phase": health.phase.value,
        "failure": health.failure,
        "now_ns": health.now_ns,
        "lag_s": health.lag_s,
        "run": attrs.asdict(health.run) if health.run is not None else None,
        "n_chunks": health.n_chunks,
        "n_updates": health.n_updates,
        "n_events": health.n_events,
        "n_pulses": health.n_pulses,
        "proton_charge_pc": health.proton_charge_pc,
        "last_pulse_ns": health.last_pulse_ns,
        "dropped_chunks": health.dropped_chunks,
        "skipped_chunks": health.skipped_chunks,
        "dropped_events": health.dropped_events,
        "skipped_events": health.skipped_events,
        "newest_pulse_ns": health.newest_pulse_ns,
        "skipped_by": health.skipped_by,
        "complete": not health.missing,
        "missing": list(health.missing),
        "version": health.version,
        "source": source,
        "checkpoint": None if health.checkpoint is None else attrs.asdict(health.checkpoint),
        "memory": None if health.memory is None else attrs.asdict(health.memory),
        "disk": None if health.disk is None else attrs.asdict(health.disk),
        "reload": None if health.reload is None else dict(health.reload),
        "sinks": [attrs.asdict(sink) for sink in health.sinks],
        "plugins": rows_as_dicts(health.plugins),
        "executor": None if health.executor is None else attrs.asdict(health.executor),
        "logs": logs,
        "logs_left_out": logs_left_out,
    }
