"""A plugin, tried: run over data by the real engine, with places of its own, and all that it does seen."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.clocks import Clock, SystemClock
from livered_core.config import Config, run_directory
from livered_core.engine.health import Health, failure_sentence
from livered_core.engine.offline import output_folder, require_apart
from livered_core.engine.recorded_instrument import instrument_names
from livered_core.engine.session import Session
from livered_core.errors import ConfigError
from livered_core.hooks.registry import module_of
from livered_core.model.text import one_line
from livered_core.publish.files_settings import folder_problem
from livered_core.publish.templates import fixed_folder
from livered_core.recording import Recording
from livered_core.testing.named import NamedPlugin
from livered_core.testing.real_chunks import SIMULATE, open_source
from livered_core.testing.trial_configuration import TrialConfiguration, private_places, trial_configuration
from livered_core.testing.trial_ear import Ear
from livered_core.testing.trial_failures import read_failures
from livered_core.testing.trial_left import threads_left
from livered_core.testing.trial_memory import peak, reset_peak, resident
from livered_core.testing.trial_nouns import Trial
from livered_core.testing.trial_page import make_page
from livered_core.testing.trial_parts import MemoryUsed, SinkUsed
from livered_core.testing.trial_source import TrialSource

CHUNK_EVENTS: Final = 250_000
"""Events of a chunk, unless somebody says otherwise."""


@attrs.frozen
class TrialRequest:
    """What is to be tried, and how.

    Attributes
    ----------
    source
        ``"simulate"``, or the path of a recording: an ``.adara`` file, a folder of the server's files, or a NeXus event
        file.
    instrument
        The instrument; None for the plugin's own, that of the recording, or a small one of the test kit.
    config_file
        Settings of the plugin, and others.
    settings
        ``key=value`` each, laid over those of the file.
    output_dir
        Where files are written.
    chunk_events
        A chunk closes with the pulse that brings it to so many events.
    budget_ns
        Nanoseconds that the plugin may take for each event; None for any time.
    """

    output_dir: Path
    source: str = SIMULATE
    instrument: str | None = None
    config_file: Path | None = None
    settings: Sequence[str] = ()
    chunk_events: int = CHUNK_EVENTS
    budget_ns: float | None = None


def run_trial(
    named: NamedPlugin,
    request: TrialRequest,
    *,
    clock: Clock | None = None,
    begun: Callable[[Callable[[], None]], None] = lambda _: None,
    watch: Callable[[Health | None], None] = lambda _: None,
) -> Trial:
    """Run a plugin over data.

    Called on the main thread. While it runs, the process has run, state, cache and configuration folders of its own;
    they are removed at the end. What is written goes to the request's folder.

    Parameters
    ----------
    named
        The plugin.
    request
        Over what, and how.
    clock
        The clocks; by default the system's.
    begun
        Is given what stops it, from any thread, before it runs.
    watch
        Is given a snapshot of the session a few times a second.

    Returns
    -------
    Trial
        What was seen. Failures of the plugin are in it and not raised.

    Raises
    ------
    ConfigError
        When the configuration is wrong, or the source cannot be opened.
    LiveredError
        When the session cannot begin.
    """
    clock = clock or SystemClock()
    ear = Ear(module_of(named.entry.entry_point).partition(".")[0])
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="livered-trial-")))
        environ = stack.enter_context(private_places(place))
        stack.enter_context(ear.listening())
        recording = open_source(request.source)
        tried = _configured(named, request, recording, place)
        began_at = time.time()
        seen = _run(tried, recording, request, _Run(clock, environ, ear, begun, watch))
    config = tried.loaded.config
    trial = Trial(
        plugin=str(named),
        name=tried.name,
        kind=named.kind,
        hooks=named.hooks,
        beside=tried.beside,
        instrument=config.instrument,
        source="the simulated beamline" if recording is None else recording.name,
        calls=tuple(call for call in ear.calls() if call.plugin != tried.stand_in),
        heard=ear.heard(),
        budget_ns=request.budget_ns,
        files=_written(_output_folder(config), began_at),
        **seen,
    )
    return attrs.evolve(trial, page=make_page(trial, config))


@attrs.frozen(eq=False)
class _Run:
    """What a run of a session needs beside its configuration."""

    clock: Clock
    environ: dict[str, str]
    ear: Ear
    begun: Callable[[Callable[[], None]], None]
    watch: Callable[[Health | None], None]


def _configured(
    named: NamedPlugin, request: TrialRequest, recording: Recording | None, place: Path
) -> TrialConfiguration:
    tried = trial_configuration(
        named,
        place,
        instrument=request.instrument,
        recorded=None if recording is None else instrument_names(recording),
        config_file=request.config_file,
        settings=request.settings,
        output_dir=request.output_dir,
    )
    problem = folder_problem(_output_folder(tried.loaded.config))
    if problem is not None:
        raise ConfigError(problem)
    if recording is not None:
        require_apart(Path(request.source), tried.loaded.config)
    return tried


def _run(
    tried: TrialConfiguration, recording: Recording | None, request: TrialRequest, how: _Run
) -> dict[str, Any]:
    """Run the session, and return what was seen of it, by the names of `Trial`."""
    source = TrialSource(tried.loaded, recording, request.chunk_events)
    session = Session(
        tried.loaded,
        how.clock,
        simulate=recording is None,
        recording=recording,
        make_source=source.make,
        environ=how.environ,
    )
    source.health = session.health
    session.tell_calls(how.ear.call)
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        session.stop()

    how.begun(stop)
    reset_peak()
    threads = threading.enumerate()
    begin, began_s = resident(), how.clock.monotonic()
    session.run(lambda: how.watch(session.health()))
    health = session.health()
    name = f"{tried.loaded.config.instrument}-{'simulated' if recording is None else 'recorded'}"
    return {
        "backend": source.backend,
        "began_s": began_s,
        "wall_s": how.clock.monotonic() - began_s,
        "runs": tuple(source.runs),
        "counts": {} if health is None else health.source.counts,
        "chunks": source.sizes,
        "busy_s": source.busy_s,
        "memory": MemoryUsed(
            begin, peak(), resident(), source.first_chunk, source.last_chunk, source.accumulated
        ),
        "sinks": _sinks(health),
        "failures": read_failures(run_directory(name, how.environ) / "failures.json", how.ear.calls()),
        "ended": "" if session.failure is None else failure_sentence(session.failure),
        "stopped": stopped.is_set(),
        "stuck": session.stuck,
        "unfinished": session.running_calls(),
        "threads": threads_left(threads),
        "begun_again": source.begun_again,
    }


def _sinks(health: Health | None) -> tuple[SinkUsed, ...]:
    return tuple(
        SinkUsed(
            name=sink.name,
            delivered=sink.delivered,
            refused=sink.refused,
            where="" if sink.last_receipt is None else one_line(sink.last_receipt.where),
            error=one_line(sink.last_error),
            unsent=sink.unsent_finals,
        )
        for sink in (() if health is None else health.sinks)
    )


def _output_folder(config: Config) -> Path:
    return fixed_folder(output_folder(config))


def _written(folder: Path, since: float) -> tuple[Path, ...]:
    """Find the files that were written, in the order of their names."""
    # Times of files are coarser than the clock.
    return tuple(
        sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime > since - 1.0)
    )
