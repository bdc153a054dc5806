"""A session: configuration to objects, the loop, and closing in reverse."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import attrs

from livered_core.backoff import Backoff
from livered_core.clocks import Clock
from livered_core.config import Config, run_directory
from livered_core.engine.backend import choose_backend, mantid_source
from livered_core.engine.health import Health, Phase, failure_sentence, health_as_dict, phase_of
from livered_core.engine.native import native_source
from livered_core.engine.request import start_problem
from livered_core.engine.setup import LoadedConfiguration, make_plugins
from livered_core.errors import EXIT_DIED, EXIT_OK, ConfigError, SourceError
from livered_core.hooks.dispatch import Dispatcher
from livered_core.model import Result, RunEndReason, RunInfo, SessionInfo, Update
from livered_core.publish.latest import Latest
from livered_core.publish.run_directory import RunDirectory
from livered_core.publish.worker import PublishWorker
from livered_core.recording import Recording
from livered_core.reduction.pipeline import Pipeline, PipelineSettings
from livered_core.simulator.process import SimulatorProcess, StartCancelled, start_simulator
from livered_core.sources.base import Source

_log = logging.getLogger(__name__)
_STATUS_EVERY_S = 1.0
_WATCH_EVERY_S = 0.25


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
        Makes the source of chunks from the configuration; by default that of the backend chosen.
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
        self._make_source = make_source
        self._environ = dict(os.environ) if environ is None else environ
        self._stop = threading.Event()
        self._done = threading.Event()
        self._ended = False
        self._hung = False
        self._turned = (-1, 0.0)
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

    @property
    def stuck(self) -> bool:
        """After the end: whether the process must end at once, because something cannot be ended."""
        return self._hung or (self._parts is not None and self._parts.source.status().stuck)

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
                if not self._hung:
                    reduction.join()
        if self._failure is None:
            return EXIT_OK
        trace = "".join(traceback.format_exception(self._failure))
        _log.error("%s\n%s", failure_sentence(self._failure), trace)
        return EXIT_DIED

    def _open(self, stack: ExitStack) -> _Parts:
        config = self._loaded.config
        problem = start_problem(config, self._clock.now_ns())
        if problem:
            raise ConfigError(problem)
        backend = choose_backend(
            config.backend, self._loaded.data_models, recorded=self._recording is not None
        )
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
        source = self._source(config, backend)
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

    def _source(self, config: Config, backend: str) -> Source:
        if self._make_source is not None:
            return self._make_source(config, self._clock)
        if backend == "mantid":
            return mantid_source(config, self._clock)
        return native_source(config, self._clock, self._recording)

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
            if self._hangs(parts):
                break
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

    def _hangs(self, parts: _Parts) -> bool:
        """Look whether the reduction, asked to stop, does not get on any more."""
        source, now_s = parts.source.status(), self._clock.monotonic()
        if not self._stop.is_set() or source.turns != self._turned[0]:
            self._turned = (source.turns, now_s)
        waited_s = now_s - self._turned[1]
        if source.patience_s is None or waited_s <= source.patience_s:
            return False
        self._hung = True
        self._failure = self._failure or SourceError(
            f"Asked to stop, the reduction has not come back for {waited_s:.0f} s: a hook, a script or Mantid hangs. "
            "The process ends without it; what was not published is lost."
        )
        return True

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
        calibration = getattr(self._loaded.instrument_settings, "calibration", None)
        if simulate.calibration is None and isinstance(calibration, Path):
            simulate = attrs.evolve(simulate, calibration=calibration)
        return start_simulator(simulate, config.instrument, cancel=self._stop)

    def _close_worker(self, worker: PublishWorker) -> None:
        self._unsent = worker.close(self._loaded.config.publish.stop_timeout)
        for sentence in self._unsent:
            _log.error("%s", sentence)
