"""A recording reduced as a whole: the session of a live run, of which only the last result of each run counts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from livered_core.clocks import Clock
from livered_core.config import Config
from livered_core.engine.executors import Executor
from livered_core.engine.handed_over import HandedOver
from livered_core.engine.health import Health, failure_sentence
from livered_core.engine.native import events_side_by_side, native_settings
from livered_core.engine.session import Session
from livered_core.engine.setup import LoadedConfiguration
from livered_core.errors import DataModelError
from livered_core.hooks.inspection import implemented_hooks
from livered_core.hooks.registry import BUILT_IN
from livered_core.hooks.spec import OUTWARD, TRANSFORMS
from livered_core.model import Chunk, RunEndReason, RunInfo, Update
from livered_core.publish.files_settings import FilesSettings
from livered_core.recording import Recording
from livered_core.sources.adara_file import RecordingReader
from livered_core.sources.base import ChunkConsumer, Source, SourceStatus
from livered_core.sources.native import NativeSource

_FILES: Final = "files"
_NEVER_S: Final = 1e9
"""Chunks close by their size alone."""


@attrs.frozen
class ReducedRun:
    """What came of a run.

    Attributes
    ----------
    run
        As the recording last described it.
    update
        Of its last result; None where none was made.
    n_curves
        Curves of that result.
    seconds
        From its beginning to its last result.
    """

    run: RunInfo
    update: Update | None
    n_curves: int
    seconds: float


def offline_configuration(
    loaded: LoadedConfiguration, *, publish: bool
) -> tuple[LoadedConfiguration, tuple[str, ...]]:
    """Make a configuration fit for recordings: whole runs, each by itself, and written also where their end is missing.

    Parameters
    ----------
    loaded
        A checked configuration. ``run_transition`` and ``start_time``, which are about a stream, do not count.
    publish
        Whether plugins stay that only hand results on.

    Returns
    -------
    tuple
        The configuration, and the names of the plugins that were left out.
    """
    left_out = tuple(
        entry.name
        for entry, cls in loaded.plugins
        if not publish and entry.name not in BUILT_IN and _is_sink(cls)
    )
    files = loaded.config.plugins.get(_FILES) or FilesSettings()
    config = attrs.evolve(
        loaded.config,
        run_transition="restart",
        start_time=None,
        from_start_of_run=True,
        # There is one result of each run, final only where the run's end is in the recording: whatever the
        # seconds are, the first of a run is written.
        plugins={**loaded.config.plugins, _FILES: attrs.evolve(files, every=1.0)},
    )
    plugins = tuple((entry, cls) for entry, cls in loaded.plugins if entry.name not in left_out)
    return attrs.evolve(loaded, config=config, plugins=plugins), left_out


def _is_sink(cls: type) -> bool:
    hooks = implemented_hooks(cls)
    return any(name in hooks for name in OUTWARD) and not any(name in hooks for name in TRANSFORMS)


def output_folder(config: Config) -> Path:
    """Return where the files plugin writes; with the fields that its folder may have."""
    files = config.plugins.get(_FILES) or FilesSettings()
    return files.directory or config.output_dir


def require_apart(path: Path, config: Config) -> None:
    """See that a file to be read does not have the name and place of a reduced file.

    Parameters
    ----------
    path
        The file that is read.
    config
        With which it is reduced.

    Raises
    ------
    DataModelError
        When it could be overwritten.
    """
    files = config.plugins.get(_FILES) or FilesSettings()
    if files.could_write(path, config.instrument, config.output_dir):
        message = (
            f"{path} has the name and the place of a reduced file, and could be overwritten by one: "
            "rename it, or name another folder with --output-dir."
        )
        raise DataModelError(message)


class OfflineReduction:
    """A recording, reduced once, to its end.

    Parameters
    ----------
    loaded
        From `offline_configuration`.
    recording
        What is reduced.
    clock
        The clocks.
    earlier
        Runs that were reduced to the same folder just before: number to the recording's name. They are not
        written again.
    environ
        For the place of the run directory.
    executor
        Where chunks are processed, the same for several recordings; None for the configured one.
    """

    def __init__(
        self,
        loaded: LoadedConfiguration,
        recording: Recording,
        clock: Clock,
        earlier: Mapping[int, str],
        environ: dict[str, str],
        executor: Executor | None = None,
    ) -> None:
        self._recording = recording
        self._earlier = earlier
        self._clock = clock
        self.runs: list[ReducedRun] = []
        """Runs that have ended; all of them after the session has."""
        self.last_run: Health | None = None
        """The state just before the last run ended; None where none has begun."""
        self.missing: set[str] = set()
        """Sentences on what was lost of its runs; in their updates as well."""
        self.handed = HandedOver()
        """The events of its chunks."""
        self.ended_early = False
        """After the session: whether it was asked to stop before the recording's end."""
        self.session = Session(
            loaded, clock, recording=recording, make_source=self._make_source, environ=environ
        )
        """The session, to be run."""
        if executor is not None:
            self.session.process_on(executor)

    def progress(self, health: Health) -> tuple[float, int]:
        """Return how much of the recording has been reduced, 0 to 1, and its events; safe from any thread.

        Parameters
        ----------
        health
            A snapshot of the session.
        """
        elsewhere = 0 if health.executor is None else health.executor.in_flight
        share = self.handed.share(health.source.waiting_events, elsewhere)
        return (health.source.read_fraction or 0.0) * share, self.handed.reduced(elsewhere)

    def problems(self) -> list[str]:
        """Return one sentence for each thing that went wrong; called after the session has ended."""
        session = self.session
        sentences = list(session.unsent)
        if session.failure is not None:
            sentences.insert(0, failure_sentence(session.failure))
        health = session.health()
        for sink in health.sinks if health is not None else ():
            if sink.last_error and not sink.unsent_finals:
                sentences.append(f"Sink {sink.name} did not take the last result: {sink.last_error}")
            elif sink.refused:
                sentences.append(f"Sink {sink.name} refused {sink.refused} results: the log says why.")
        return sentences

    def _make_source(self, config: Config, clock: Clock) -> Source:
        wanted, most = native_settings(config), events_side_by_side(config)
        settings = attrs.evolve(
            wanted, update_every=_NEVER_S, max_chunk_events=min(wanted.max_chunk_events, most)
        )
        reader = partial(RecordingReader, self._recording, block_events=most)
        source = NativeSource(settings, reader, clock)
        return _Offline(source, self)

    def run_began(self, run: RunInfo) -> None:
        """Refuse a run that would be written over another one.

        Raises
        ------
        DataModelError
            When it was reduced before.
        """
        if run.number in self._earlier:
            message = (
                f"Run {run.number} was reduced from {self._earlier[run.number]} just before, and its curves "
                "would be written over: reduce this file by itself, with another --output-dir."
            )
            raise DataModelError(message)

    def run_ends(self) -> None:
        """Keep how far the run in hand has come; called on the reduction thread."""
        self.last_run = self.session.health()

    def run_ended(self, run: RunInfo, seconds: float) -> None:
        """Keep what came of a run; called on the reduction thread, with its last result made."""
        health = self.session.health()
        result = None if health is None else health.result
        made = health is not None and result is not None and result.run_number == run.number
        update = health.update if health is not None and made else None
        n_curves = len(result.curves) if result is not None and made else 0
        self.runs.append(ReducedRun(run, update, n_curves, seconds))

    def now_s(self) -> float:
        """Return monotonic seconds."""
        return self._clock.monotonic()


@attrs.frozen(eq=False)
class _Offline:
    """A source of whole runs."""

    _source: Source
    _reduction: OfflineReduction

    def run(self, consumer: ChunkConsumer, stop: threading.Event) -> None:
        self._source.run(_WholeRuns(consumer, stop.is_set, self._reduction), stop)
        self._reduction.ended_early = stop.is_set()

    def status(self) -> SourceStatus:
        return self._source.status()


@attrs.define(eq=False)
class _WholeRuns:
    """Hands on everything but what is there for those who watch; of a run that was stopped, no result."""

    _consumer: ChunkConsumer
    _stopped: Callable[[], bool]
    _reduction: OfflineReduction
    _run: RunInfo | None = None
    _began_s: float = 0.0

    def run_began(self, run: RunInfo, missing: str = "") -> None:
        self._reduction.run_began(run)
        self._run, self._began_s = run, self._reduction.now_s()
        self._consumer.run_began(run, missing)

    def run_changed(self, run: RunInfo) -> None:
        self._run = run
        self._consumer.run_changed(run)

    def run_restarted(self, sentence: str) -> None:
        self._consumer.run_restarted(sentence)

    def data_missing(self, sentence: str) -> None:
        self._reduction.missing.add(sentence)
        self._consumer.data_missing(sentence)

    def take_chunk(self, chunk: Chunk) -> None:
        if self._stopped():
            return
        self._reduction.handed.begin(chunk.n_events)
        self._consumer.take_chunk(chunk)
        self._reduction.handed.end()

    def replay_wanted(self) -> str:
        return self._consumer.replay_wanted()

    def update_due(self) -> None:
        """Make no update: nobody looks at it."""

    def run_ended(self, reason: RunEndReason) -> None:
        # A part of a run must not take the place of curves of the whole, made before: no result is made of it.
        stopped = self._stopped()
        self._reduction.run_ends()
        try:
            self._consumer.run_ended(RunEndReason.SESSION_FAILED if stopped else reason)
        finally:
            if self._run is not None and not stopped:
                self._reduction.run_ended(self._run, self._reduction.now_s() - self._began_s)
