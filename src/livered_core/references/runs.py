"""Reading a recorded run chunk by chunk, as a live run would have come."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs

from livered_core.clocks import SystemClock
from livered_core.errors import DataModelError
from livered_core.model import Chunk, RunEndReason, RunInfo
from livered_core.recording import open_recording
from livered_core.sources.adara_file import RecordingReader
from livered_core.sources.native import NativeSettings, NativeSource

TakeChunk = Callable[[Chunk, RunInfo], None]

_MANY_EVENTS = 2_000_000
_NEVER_S = 1e9
"""Chunks of recordings close by their size alone."""


@attrs.frozen
class ReadRun:
    """What was read of a recorded run.

    Attributes
    ----------
    run
        As the recording last described it.
    n_events
        Events handed over.
    missing
        One sentence for each reason why the run is not whole.
    """

    run: RunInfo
    n_events: int
    missing: tuple[str, ...] = ()


def read_run(
    path: Path,
    take: TakeChunk,
    *,
    stop: threading.Event | None = None,
    max_chunk_events: int = _MANY_EVENTS,
) -> ReadRun:
    """Read a recording of one run and hand its chunks over, in this thread.

    Parameters
    ----------
    path
        A NeXus event file, an ``.adara`` recording, or a folder of the server's files.
    take
        Gets each chunk with its run, as `process_chunk` would; what it raises ends the reading and is passed on.
    stop
        When set, reading ends soon.
    max_chunk_events
        Events of a chunk, about: bounds the memory.

    Returns
    -------
    ReadRun
        What was read.

    Raises
    ------
    ConfigError
        When the recording cannot be opened or read.
    DataModelError
        When it holds no run, or more than one, or the reading was stopped.
    """
    recording = open_recording(path)
    # The name of the instrument matters to runs that are shown, not to these.
    settings = NativeSettings(
        instrument=path.name,
        update_every=_NEVER_S,
        max_chunk_events=max_chunk_events,
        queue_events=2 * max_chunk_events,
    )
    source = NativeSource(settings, partial(RecordingReader, recording), SystemClock())
    collector = _Collector(path, take)
    stop = threading.Event() if stop is None else stop
    source.run(collector, stop)
    if stop.is_set():
        message = f"Reading {path} was stopped before its end."
        raise DataModelError(message)
    if collector.run is None:
        message = f"{path} holds no run: give the file of a run."
        raise DataModelError(message)
    return ReadRun(collector.run, collector.n_events, tuple(collector.missing))


@attrs.define(eq=False)
class _Collector:
    """A consumer of chunks that lets one run pass."""

    path: Path
    take: TakeChunk
    run: RunInfo | None = None
    n_events: int = 0
    missing: list[str] = attrs.field(factory=list)

    def run_began(self, run: RunInfo, missing: str = "") -> None:
        if self.run is not None and self.run.number != run.number:
            message = f"{self.path} holds runs {self.run.number} and {run.number}, and maybe more: give a recording of one run."
            raise DataModelError(message)
        self.run = run
        if missing:
            self.data_missing(missing)

    def run_changed(self, run: RunInfo) -> None:
        self.run = run

    def run_restarted(self, sentence: str) -> None:
        """Go on: a recording is read once."""

    def data_missing(self, sentence: str) -> None:
        if sentence not in self.missing:
            self.missing.append(sentence)

    def take_chunk(self, chunk: Chunk) -> None:
        assert self.run is not None
        self.take(chunk, self.run)
        self.n_events += chunk.n_events

    def replay_wanted(self) -> str:
        return ""

    def update_due(self) -> None:
        """Show nothing of it."""

    def run_ended(self, reason: RunEndReason) -> None:
        """Wait for what comes: another run is noticed at its beginning."""
