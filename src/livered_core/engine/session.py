"""A session: configuration to objects, the loop, and closing in reverse."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import attrs

from livered_core.adara import StartRequest
from livered_core.backoff import Backoff
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.stream_state import StreamState
from livered_core.clocks import Clock
from livered_core.config import Config, run_directory
from livered_core.engine.health import Health, Phase, failure_sentence, health_as_dict, phase_of
from livered_core.engine.setup import LoadedConfiguration, make_plugins
from livered_core.errors import EXIT_DIED, EXIT_OK, BackendUnavailable, ConfigError, SourceError
from livered_core.hooks.dispatch import Dispatcher
from livered_core.model import Result, RunEndReason, RunInfo, SessionInfo, Update
from livered_core.model.utc import parse_utc
from livered_core.publish.latest import Latest
from livered_core.publish.run_directory import RunDirectory
from livered_core.publish.worker import PublishWorker
from livered_core.recording import Recording
from livered_core.reduction.pipeline import Pipeline, PipelineSettings
from livered_core.simulator.process import SimulatorProcess, StartCancelled, start_simulator
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.adara_file import RecordingReader
from livered_core.sources.adara_tcp import AdaraReader
from livered_core.sources.base import Put, Source
from livered_core.sources.native import NativeSettings, NativeSource

_log = logging.getLogger(__name__)
_STATUS_EVERY_S = 1.0
_WATCH_EVERY_S = 0.25


def choose_backend(wanted: str) -> str:
    """Return the backend to run: ``"native"`` for ``"auto"``.

    Raises
    ------
    BackendUnavailable
        When the wanted one cannot run.
    """
    if wanted == "mantid":
        message = (
            'The mantid backend is not part of this version: set backend = "native", or leave it at "auto".'
        )
        raise BackendUnavailable(message)
    return "native"


def start_request(config: Config) -> StartRequest:
    """Return what the configuration asks the server for."""
    if config.start_time is not None:
        return StartRequest.at(parse_utc(config.start_time))
    return StartRequest.start_of_run() if config.from_start_of_run else StartRequest.now()


def native_settings(config: Config) -> NativeSettings:
    """Return what the configuration tells the native source."""
    return NativeSettings(
        instrument=config.instrument,
        update_every=config.update_every,
        max_chunk_events=config.max_chunk_events,
        queue_events=config.source.queue_events,
        selection=PulseSelection(
            not_before_ns=start_request(config).time_ns or 0,
            keep_paused=config.source.keep_paused,
            leave_out_vetoed=config.source.leave_out_vetoed,
            leave_out_partial=config.source.leave_out_partial,
            add_tof_offset=config.source.add_tof_offset,
        ),
    )


@attrs.frozen(eq=False)
class _Parts:
    hooks: Dispatcher
    worker: PublishWorker
    pipeline: Pipeline
    source: Source
    info: SessionInfo
    folder: RunDirectory
    simulator: SimulatorProcess | None


class Session:
    """One life of the engine.

    Parameters
    ----------
    loaded
        A checked configuration.
    clock
        The clocks.
    simulate
        Whether to start a simulated beamline and to take data from it.
    recording
        A recording to take data from, in place of the stream.
    make_source
        Makes the source of chunks from the configuration; by default the native one.
    environ
        For the place of the run directory.
    """

    def __init__(
        self,
        loaded: LoadedConfiguration,
        clock: Clock,
        *,
        simulate: bool = False,
        recording: Recording | None = None,
        make_source: Callable[[Config, Clock], Source] | None = None,
        environ: dict[str, str] | None = None,
    ) -> None:
        self._loaded = loaded
        self._clock = clock
        self._simulate = simulate
        self._recording = recording
        self._make_source = make_source or self._native_source
        self._environ = dict(os.environ) if environ is None else environ
        self._stop = threading.Event()
        self._done = threading.Event()
        self._ended = False
        self._latest = Latest()
        self._parts: _Parts | None = None
        self._failure: BaseException | None = None
        self._unsent: Sequence[str] = ()

    @property
    def config(self) -> Config:
        """The configuration it runs with."""
        return self._loaded.config

    @property
    def unsent(self) -> Sequence[str]:
        """After the end: one sentence for each sink that did not take a final result."""
        return self._unsent

    @property
    def failure(self) -> BaseException | None:
        """What ended the session, if it was not asked to stop."""
        return self._failure

    def stop(self) -> None:
        """Ask the session to end; returns at once. Safe from any thread, but not inside a signal handler."""
        self._stop.set()

    def health(self) -> Health | None:
        """Return a snapshot; None before the source is there. Safe from any thread."""
        parts = self._parts
        if parts is None:
            return None
        source = parts.source.status()
        state = parts.pipeline.state
        newest = self._latest.snapshot()
        now_ns = self._clock.now_ns()
        run = state.run if state is not None else source.run
        failure = "" if self._failure is None else failure_sentence(self._failure)
        phase = phase_of(source, run, now_ns)
        if self._stop.is_set():
            phase = Phase.STOPPING
        if self._ended:
            phase = Phase.FAILED if failure else Phase.STOPPED
        return Health(
            phase=phase,
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
            sinks=parts.worker.status(),
            failure=failure,
        )

    def run(self, watch: Callable[[], None] | None = None) -> int:
        """Run until asked to stop, until a run has ended (``run_transition = "stop"``), or until it cannot go on.

        Called on the main thread; the reduction has a thread of its own.

        Parameters
        ----------
        watch
            Called a few times a second, for example to draw the screen.

        Returns
        -------
        int
            Exit code: 0 asked to stop, 1 died.

        Raises
        ------
        LiveredError
            When the session cannot begin.
        """
        with ExitStack() as stack:
            try:
                parts = self._open(stack)
            except StartCancelled:
                return EXIT_OK
            self._parts = parts
            stack.callback(self._write_last_status, parts)
            parts.hooks.session_started(parts.info)
            stack.callback(parts.hooks.session_ended, parts.info)
            parts.worker.start()
            stack.callback(self._close_worker, parts.worker)
            reduction = threading.Thread(target=self._reduce, args=(parts,), name="livered-reduction")
            reduction.start()
            try:
                self._watch(parts, watch)
            finally:
                self.stop()
                reduction.join()
        if self._failure is None:
            return EXIT_OK
        trace = "".join(traceback.format_exception(self._failure))
        _log.error("%s\n%s", failure_sentence(self._failure), trace)
        return EXIT_DIED

    def _open(self, stack: ExitStack) -> _Parts:
        config = self._loaded.config
        backend = choose_backend(config.backend)
        plugins = make_plugins(self._loaded, backend)
        folder = stack.enter_context(RunDirectory(run_directory(self._name(), self._environ)))
        simulator = None
        if self._simulate:
            simulator = stack.enter_context(self._simulated_beamline(config))
            config = attrs.evolve(config, address=simulator.address)
        hooks = Dispatcher(plugins, config.hooks.owner, self._clock)
        backoff = Backoff(config.publish.retry_first, config.publish.retry_longest)
        worker = PublishWorker(hooks, folder.write_latest, self._clock, backoff)
        settings = PipelineSettings(config.run_transition, config.hooks.max_consecutive_failures)
        pipeline = Pipeline(hooks, self._publish, self.stop, self._clock, settings)
        source = self._make_source(config, self._clock)
        info = SessionInfo(
            instrument=config.instrument,
            backend=backend,
            source=source.status().where,
            output_dir=str(config.output_dir),
            started_ns=self._clock.now_ns(),
            livered_version=version("livered-core"),
            plugins={plugin.name: plugin.version for plugin in plugins},
            live=self._recording is None,
            stopping=self._stop.is_set,
        )
        return _Parts(hooks, worker, pipeline, source, info, folder, simulator)

    def _name(self) -> str:
        """Name what runs: beside the service of an instrument others may try things on recordings of it."""
        name = self.config.instrument
        if self._simulate:
            return f"{name}-simulated"
        return name if self._recording is None else f"{name}-recorded"

    def _publish(self, result: Result, run: RunInfo, update: Update) -> None:
        parts = self._parts
        if parts is not None:
            parts.worker.offer(self._latest.put(result, run, update))

    def _reduce(self, parts: _Parts) -> None:
        try:
            parts.source.run(parts.pipeline, self._stop)
        except BaseException as error:  # noqa: BLE001  (kept for the main thread, which reports it and ends)
            self._failure = error
            if parts.pipeline.state is not None:
                parts.pipeline.run_ended(RunEndReason.SESSION_FAILED)
        finally:
            self._done.set()

    def _watch(self, parts: _Parts, watch: Callable[[], None] | None) -> None:
        status_at = 0.0
        while not self._clock.wait(self._done, _WATCH_EVERY_S):
            self._look_after(parts)
            if watch is not None:
                watch()
            if self._clock.monotonic() >= status_at:
                self._write_status(parts)
                status_at = self._clock.monotonic() + _STATUS_EVERY_S
        if watch is not None:
            watch()

    def _look_after(self, parts: _Parts) -> None:
        """End the session when something without which it makes no sense has ended."""
        if self._failure is not None or self._stop.is_set():
            return
        if parts.worker.failure is not None:
            self._failure = parts.worker.failure
            self.stop()
        elif parts.simulator is not None and not parts.simulator.is_running:
            self._failure = SourceError(
                "The simulated beamline has ended by itself: the log may say why. Start again."
            )
            self.stop()

    def _write_status(self, parts: _Parts) -> None:
        health = self.health()
        if health is None:
            return
        try:
            parts.folder.write_status(health_as_dict(health))
        except OSError as error:
            _log.debug("status.json cannot be written: %s.", error)

    def _write_last_status(self, parts: _Parts) -> None:
        self._ended = True
        self._write_status(parts)

    def _simulated_beamline(self, config: Config) -> SimulatorProcess:
        """Start a beamline that waits for us, and whose truth is the calibration that the instrument's plugin uses."""
        simulate = attrs.evolve(config.simulate, hold_for_client=True)
        calibration = getattr(config.plugins.get(self._loaded.instrument.name), "calibration", None)
        if simulate.calibration is None and isinstance(calibration, Path):
            simulate = attrs.evolve(simulate, calibration=calibration)
        return start_simulator(simulate, config.instrument, cancel=self._stop)

    def _close_worker(self, worker: PublishWorker) -> None:
        self._unsent = worker.close(self._loaded.config.publish.stop_timeout)
        for sentence in self._unsent:
            _log.error("%s", sentence)

    def _native_source(self, config: Config, clock: Clock) -> Source:
        settings = native_settings(config)
        if self._recording is not None:
            return NativeSource(settings, partial(RecordingReader, self._recording), clock)
        if not config.address:
            message = "address is empty: say where the data stream is, as host:port, or use --simulate."
            raise ConfigError(message)
        start = start_request(config)
        timeouts = (config.source.connect_timeout, config.source.silence_timeout)
        address = AdaraAddress.parse(config.address, *timeouts)
        backoff = Backoff(config.source.retry_first, config.source.retry_longest)

        def live(state: StreamState, put: Put) -> AdaraReader:
            return AdaraReader(address, start, state, put, clock, backoff)

        return NativeSource(settings, live, clock)
