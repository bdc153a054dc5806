"""The source of a trial: the engine's own, whose chunks close by their size, so that a trial can be done again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from livered_core.clocks import Clock
from livered_core.config import Config
from livered_core.engine.backend import choose_backend, mantid_source
from livered_core.engine.health import Health
from livered_core.engine.memory_size import memory_size
from livered_core.engine.native import native_settings, native_source
from livered_core.engine.setup import LoadedConfiguration
from livered_core.model import Chunk, RunEndReason, RunInfo
from livered_core.recording import Recording
from livered_core.reduction.pipeline import Pipeline
from livered_core.reduction.run_state import RunState
from livered_core.sources.adara_file import RecordingReader
from livered_core.sources.base import ChunkConsumer, Source, SourceStatus
from livered_core.sources.native import NativeSource
from livered_core.testing.cutting import split_chunk
from livered_core.testing.real_chunks import parts_of_short_run
from livered_core.testing.trial_memory import resident
from livered_core.testing.trial_parts import TriedRun

_NEVER_S: Final = 1e9


class TrialSource:
    """Makes the source of a trial's session and keeps what is seen there.

    Written on the reduction thread, read after the session's end.

    Parameters
    ----------
    loaded
        What is run.
    recording
        What is read; None for the simulated beamline.
    chunk_events
        A chunk closes with the pulse that brings it to so many events. A recorded run that is shorter is cut into
        some, too.

    Raises
    ------
    BackendUnavailable
        When what the plugins need to read the data is not installed.
    ConfigError
        When the backend cannot read them.
    """

    def __init__(
        self,
        loaded: LoadedConfiguration,
        recording: Recording | None,
        chunk_events: int,
    ) -> None:
        self._recording = recording
        self._chunk_events = chunk_events
        self.health: Callable[[], Health | None] = lambda: None
        """Gives the session's snapshot; set before the session runs."""
        self.backend = choose_backend(
            loaded.config.backend, loaded.data_models, recorded=recording is not None
        )
        """Which reads the data."""
        self.runs: list[TriedRun] = []
        """Those that have ended."""
        self.sizes: dict[tuple[int, int], int] = {}
        """Events of each chunk that was handed to the plugins, by run and number."""
        self.busy_s = 0.0
        """Seconds in which the reduction did something for them."""
        self.begun_again = False
        """Whether a run came again from its start, or a plugin wants it to."""
        self.first_chunk = self.last_chunk = 0
        """Memory after the first chunk, and after the newest, bytes."""
        self.accumulated = 0
        """Bytes that the newest run had accumulated when it ended: an estimate."""

    def make(self, config: Config, clock: Clock) -> Source:
        """Make the source, as a session asks for it."""
        if self.backend == "mantid":
            return _Watched(mantid_source(config, clock), self, clock)
        by_size = attrs.evolve(config, update_every=_NEVER_S, max_chunk_events=self._chunk_events)
        if self._recording is None:
            return _Watched(native_source(by_size, clock), self, clock)
        reader = partial(RecordingReader, self._recording)
        return _Watched(NativeSource(native_settings(by_size), reader, clock), self, clock)

    def parts(self, chunk: Chunk) -> list[Chunk]:
        """Cut the only chunk of a recorded run into some."""
        if self._recording is None:
            return [chunk]
        pulses = parts_of_short_run(chunk, self._chunk_events)
        return split_chunk(chunk, pulses) if len(pulses) > 1 else [chunk]


@attrs.frozen(eq=False)
class _Watched:
    """A source that is watched."""

    _source: Source
    _seen: TrialSource
    _clock: Clock

    def run(self, consumer: ChunkConsumer, stop: threading.Event) -> None:
        self._source.run(_Watch(consumer, self._seen, self._clock), stop)

    def status(self) -> SourceStatus:
        return self._source.status()


@attrs.define(eq=False)
class _Watch:
    """Passes everything on, and has updates made after 1, 2, 4, 8, ... chunks of a run."""

    _consumer: ChunkConsumer
    _seen: TrialSource
    _clock: Clock
    _run: RunInfo | None = None
    _version: int = 0
    _chunks: int = 0
    _next_update: int = 1
    _first_ns: int = 0
    _last_ns: int = 0

    def run_began(self, run: RunInfo, missing: str = "") -> None:
        self._run, self._version = run, self._newest_version()
        self._chunks, self._next_update, self._first_ns, self._last_ns = 0, 1, 0, 0
        self._consumer.run_began(run, missing)

    def run_changed(self, run: RunInfo) -> None:
        self._run = run
        self._consumer.run_changed(run)

    def run_restarted(self, sentence: str) -> None:
        self._seen.begun_again = True
        self._consumer.run_restarted(sentence)

    def data_missing(self, sentence: str) -> None:
        self._consumer.data_missing(sentence)

    def take_chunk(self, chunk: Chunk) -> None:
        for part in self._seen.parts(chunk):
            self._take(part)

    def replay_wanted(self) -> str:
        why = self._consumer.replay_wanted()
        self._seen.begun_again |= bool(why)
        return why

    def update_due(self) -> None:
        self._timed(self._consumer.update_due)

    def run_ended(self, reason: RunEndReason) -> None:
        state = self._state()
        try:
            self._timed(partial(self._consumer.run_ended, reason))
        finally:
            self._note(state)

    def _take(self, chunk: Chunk) -> None:
        self._first_ns = self._first_ns or chunk.first_pulse_ns
        self._last_ns = max(self._last_ns, chunk.last_pulse_ns)
        assert self._run is not None
        self._seen.sizes[self._run.number, chunk.sequence] = chunk.n_events
        self._chunks += 1
        try:
            self._timed(partial(self._consumer.take_chunk, chunk))
            if self._seen.backend == "native" and self._chunks == self._next_update:
                self._next_update *= 2
                self._timed(self._consumer.update_due)
        except BaseException:
            # The session ends the run without asking the source.
            self._note(self._state())
            raise
        self._seen.last_chunk = resident()
        self._seen.first_chunk = self._seen.first_chunk or self._seen.last_chunk

    def _timed(self, call: Callable[[], None]) -> None:
        began_s = self._clock.monotonic()
        try:
            call()
        finally:
            self._seen.busy_s += self._clock.monotonic() - began_s

    def _state(self) -> RunState | None:
        return self._consumer.state if isinstance(self._consumer, Pipeline) else None

    def _newest_version(self) -> int:
        health = self._seen.health()
        return 0 if health is None else health.version

    def _note(self, state: RunState | None) -> None:
        """Keep what came of the run."""
        health = self._seen.health()
        if self._run is None or state is None or health is None:
            return
        self._seen.accumulated = memory_size(state.accumulated)
        made = health.version - self._version
        self._seen.runs.append(
            TriedRun(
                run=self._run,
                n_results=made,
                result=health.result if made else None,
                update=health.update if made else None,
                seconds=max(0, self._last_ns - self._first_ns) / 1e9,
                n_chunks=state.n_chunks,
                n_events=state.n_events,
                n_pulses=state.n_pulses,
                skipped_chunks=state.skipped_chunks,
                skipped_events=state.skipped_events,
                dropped_chunks=state.dropped_chunks,
                dropped_events=state.dropped_events,
                missing=state.update(final=False, now_ns=0).missing,
            )
        )
        self._run = None
