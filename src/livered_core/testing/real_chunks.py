"""Chunks as a plugin gets them at the beamline: of a recording, of an event file, or of the simulated beamline."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from livered_core.clocks import SystemClock
from livered_core.engine.native import native_settings
from livered_core.engine.recorded_instrument import instrument_names
from livered_core.engine.setup import LoadedConfiguration
from livered_core.engine.simulated import played
from livered_core.errors import DataModelError
from livered_core.model import Chunk, RunEndReason, RunInfo
from livered_core.recording import BLOCK_SIZE, Block, Recording, open_recording
from livered_core.simulator.beamline import build_beamline
from livered_core.simulator.stream import emissions
from livered_core.sources.adara_file import RecordingReader
from livered_core.sources.native import NativeSource
from livered_core.testing.cutting import split_chunk
from livered_core.testing.named import NamedPlugin
from livered_core.testing.trial_configuration import private_places, trial_configuration

SIMULATE: Final = "simulate"
"""The source that is the simulated beamline."""

_START_NS: Final = 1_700_000_000_000_000_000
_NEVER_S: Final = 1e9
_PARTS: Final = 6
"""Chunks of a run that would be one."""


@attrs.frozen(eq=False)
class RecordedRun:
    """A run, with chunks of it.

    Attributes
    ----------
    run
        As the source last described it.
    chunks
        In their order, numbered from 1. Their arrays are copies: they may be kept, and written to.
    missing
        Why they are not all of the run; empty when they are.
    """

    run: RunInfo
    chunks: tuple[Chunk, ...]
    missing: tuple[str, ...] = ()

    @property
    def n_events(self) -> int:
        """Events of all chunks."""
        return sum(chunk.n_events for chunk in self.chunks)


def chunks_of(
    source: str | Path,
    named: NamedPlugin,
    *,
    instrument: str | None = None,
    config_file: Path | None = None,
    settings: Sequence[str] = (),
    chunk_events: int = 100_000,
    max_events: int = 1_000_000,
) -> list[RecordedRun]:
    """Read chunks as the engine would make them for a plugin.

    Nothing runs but the reading: no hook is called, and nothing is written.

    Parameters
    ----------
    source
        ``"simulate"`` for the simulated beamline of the plugin's instrument, always with the same events; or a path
        of an ``.adara`` file, a folder of the server's files, or a NeXus event file.
    named
        The plugin: its instrument, and what its configuration says of the source and of the simulation, count.
    instrument, config_file, settings
        As of `livered_core.testing.trial_configuration.trial_configuration`.
    chunk_events
        A chunk closes with the pulse that brings it to so many events. A run that is shorter is cut into some, too.
    max_events
        What comes when so many events have been read is left out, so that a file of any size may be named.

    Returns
    -------
    list of RecordedRun
        In their order; only those of which there is a chunk.

    Raises
    ------
    ConfigError
        When the source cannot be opened, or something is wrong with the configuration.
    DataModelError
        When there is no run in it.
    LiveredError
        When it cannot be simulated.
    """
    with tempfile.TemporaryDirectory(prefix="livered-chunks-") as text, private_places(Path(text)):
        recording = open_source(source)
        names = None if recording is None else instrument_names(recording)
        loaded = trial_configuration(
            named,
            Path(text),
            instrument=instrument,
            recorded=names,
            config_file=config_file,
            settings=settings,
        ).loaded
        if recording is None:
            recording = SimulatedRecording(loaded)
        runs = read_runs(recording, loaded, chunk_events=chunk_events, max_events=max_events)
    if not runs:
        message = f"There are no data of a run in {recording.name}: name a source with a run in it."
        raise DataModelError(message)
    return runs


def open_source(source: str | Path) -> Recording | None:
    """Open what somebody names as a source of data; None for the simulated beamline.

    Raises
    ------
    ConfigError
        When there is nothing that can be read.
    """
    return None if str(source) == SIMULATE else open_recording(Path(source))


def read_runs(
    recording: Recording, loaded: LoadedConfiguration, *, chunk_events: int, max_events: int
) -> list[RecordedRun]:
    """Read the chunks of a recording.

    Parameters
    ----------
    recording
        The recording.
    loaded
        Says what is left out, as ``[source]`` does.
    chunk_events, max_events
        As of `chunks_of`.

    Raises
    ------
    ConfigError
        When it cannot be read any more.
    """
    settings = attrs.evolve(
        native_settings(loaded.config),
        update_every=_NEVER_S,
        max_chunk_events=chunk_events,
        queue_events=chunk_events,
    )
    stop = threading.Event()
    collector = _Collector(chunk_events, max_events, stop)
    NativeSource(settings, partial(RecordingReader, recording), SystemClock()).run(collector, stop)
    return collector.runs


class SimulatedRecording:
    """What the simulated beamline would send, as a recording that is never written: always the same.

    Parameters
    ----------
    loaded
        Says what is played.

    Raises
    ------
    ConfigError
        When it cannot do what is configured.
    """

    def __init__(self, loaded: LoadedConfiguration) -> None:
        config = played(loaded, loaded.config)
        self._beamline = build_beamline(config, loaded.config.instrument)
        self.size = 1
        """Nobody knows before it has been played."""
        self.name = f"the simulated beamline of {loaded.config.instrument}"
        """For people."""

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[Block]:
        """Play the stream from its beginning to the end of the last run."""
        held = bytearray()
        opens = True
        for emission in emissions(self._beamline, _START_NS):
            if emission.idle:
                break
            held += emission.data
            if len(held) >= block_size:
                yield Block(bytes(held), 0, opens_connection=opens)
                held, opens = bytearray(), False
        yield Block(bytes(held), 1, opens_connection=opens)


class _Collector:
    """Keeps copies of chunks, until there are enough; called on one thread."""

    def __init__(self, chunk_events: int, max_events: int, stop: threading.Event) -> None:
        self._chunk_events = chunk_events
        self._left = max_events
        self._stop = stop
        self._run: RunInfo | None = None
        self._chunks: list[Chunk] = []
        self._missing: list[str] = []
        self.runs: list[RecordedRun] = []

    def run_began(self, run: RunInfo, missing: str = "") -> None:
        self._run, self._chunks, self._missing = run, [], [missing] if missing else []

    def run_changed(self, run: RunInfo) -> None:
        self._run = run

    def run_restarted(self, sentence: str) -> None:
        self._chunks = []

    def data_missing(self, sentence: str) -> None:
        self._missing.append(sentence)

    def take_chunk(self, chunk: Chunk) -> None:
        if self._left <= 0:
            return
        self._chunks += split_chunk(chunk, parts_of_short_run(chunk, self._chunk_events))
        self._left -= chunk.n_events
        if self._left <= 0:
            self._missing.append("It is not read to its end: there are enough events.")
            self._stop.set()

    def replay_wanted(self) -> str:
        return ""

    def update_due(self) -> None:
        """Nobody looks at it."""

    def run_ended(self, reason: RunEndReason) -> None:
        if self._run is not None and self._chunks:
            self.runs.append(RecordedRun(self._run, tuple(self._chunks), tuple(self._missing)))
        self._run, self._chunks, self._missing = None, [], []


def parts_of_short_run(chunk: Chunk, chunk_events: int) -> list[int]:
    """Say how a chunk is cut so that there are some chunks of its run, for `livered_core.testing.split_chunk`.

    Parameters
    ----------
    chunk
        Of the native model.
    chunk_events
        The events at which chunks close: the first of a run that has fewer is the only one.

    Returns
    -------
    list of int
        Pulses of each part: of some parts for the only chunk of a run, else of one.
    """
    n_parts = min(_PARTS, chunk.n_pulses) if chunk.sequence == 1 and chunk.n_events < chunk_events else 1
    each, more = divmod(chunk.n_pulses, n_parts)
    return [each + (index < more) for index in range(n_parts)]
