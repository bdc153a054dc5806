"""A session: the loop over the objects that reduce, and closing them in reverse."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import attrs

from livered_core.chunking.position import StreamPosition
from livered_core.clocks import Clock
from livered_core.config import Config
from livered_core.engine.assembly import Links, Parts, Task, assemble
from livered_core.engine.executors import Executor
from livered_core.engine.hanging import Hanging
from livered_core.engine.health import Health, Phase, failure_sentence, health_of
from livered_core.engine.instance_lock import LostInstance
from livered_core.engine.last_calls import end_within, whose_call
from livered_core.engine.memory_guard import MemoryLimitReached
from livered_core.engine.reload_setup import LoadAgain
from livered_core.engine.setup import LoadedConfiguration
from livered_core.errors import EXIT_DIED, EXIT_OK, SourceError
from livered_core.hooks.calls import CallListener, RunningCall
from livered_core.model import Result, RunEndReason, RunInfo, Update
from livered_core.publish.latest import Latest
from livered_core.recording import Recording
from livered_core.simulator.process import StartCancelled
from livered_core.sources.base import Source, SourceStatus
from livered_core.sources.native import NativeSource

_log = logging.getLogger(__name__)
_WATCH_EVERY_S = 0.25


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
    again
        Loads the configuration as at the start, to take up what has changed; None where nothing is taken up.
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
        again: LoadAgain | None = None,
    ) -> None:
        environ = dict(os.environ) if environ is None else environ
        self._task = Task(loaded, simulate, recording, make_source, environ, again)
        self._clock = clock
        self._stop = threading.Event()
        self._done = threading.Event()
        self._ended = False
        self._hung = False
        self._hanging = Hanging()
        self._id = secrets.token_hex(8)
        self._latest = Latest(self._id, clock)
        self._parts: Parts | None = None
        self._failure: BaseException | None = None
        self._unsent: Sequence[str] = ()

    @property
    def config(self) -> Config:
        """The configuration it runs with."""
        return self._task.loaded.config

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

    def tell_calls(self, listener: CallListener) -> None:
        """Have somebody told of each call of a hook, on its thread; called before `run`."""
        self._task = attrs.evolve(self._task, listener=listener)

    def process_on(self, executor: Executor) -> None:
        """Have chunks processed by an executor that is the caller's, where the configuration wants one; before `run`."""
        self._task = attrs.evolve(self._task, executor=executor)

    def running_calls(self) -> tuple[RunningCall, ...]:
        """Return the calls of hooks that have not come back. Safe from any thread."""
        return () if self._parts is None else self._parts.hooks.running()

    def stop(self) -> None:
        """Ask the session to end; returns at once. Safe from any thread, but not inside a signal handler."""
        self._stop.set()

    def reload(self, by: str) -> None:
        """Take up what has changed of plugins and settings, at the boundary of a chunk. Safe from any thread.

        Parameters
        ----------
        by
            Who asks, for the log: the name of a signal.
        """
        parts = self._parts
        if parts is not None and parts.reloader is not None:
            parts.reloader.ask(by)

    def health(self) -> Health | None:
        """Return a snapshot; None before the source is there. Safe from any thread."""
        parts = self._parts
        if parts is None:
            return None
        executor = None if parts.executor is None else parts.executor.status()
        reduction = health_of(
            _source_status(parts),
            parts.pipeline,
            self._latest.snapshot(),
            parts.worker.status(),
            now_ns=self._clock.now_ns(),
            phase=self._own_phase(),
            failure="" if self._failure is None else failure_sentence(self._failure),
        )
        reload = None if parts.reloader is None else parts.reloader.status()
        return attrs.evolve(
            reduction,
            checkpoint=None if parts.checkpoints is None else parts.checkpoints.status(),
            memory=parts.memory.status(),
            disk=parts.disks.status(),
            reload=reload,
            plugins=parts.plugins.rows(reload),
            executor=executor,
        )

    def _own_phase(self) -> Phase | None:
        """Say what goes on when it does not depend on the stream."""
        if self._ended:
            return Phase.STOPPED if self._failure is None else Phase.FAILED
        return Phase.STOPPING if self._stop.is_set() else None

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
                parts = assemble(self._task, self._clock, self._links(), self._id, stack)
            except StartCancelled:
                return EXIT_OK
            self._parts = parts
            stack.callback(self._end, parts)
            parts.reporter.start()
            parts.hooks.session_started(parts.info)
            stack.callback(self._end_plugins, parts)
            if parts.reloader is not None:
                parts.reloader.start()
                stack.callback(parts.reloader.close)
            parts.worker.start()
            stack.callback(self._close_worker, parts)
            if parts.checkpoints is not None:
                stack.callback(parts.checkpoints.close)
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

    def _links(self) -> Links:
        return Links(
            stop=self._stop,
            end=self.stop,
            publish=self._publish,
            health=self.health,
            mark=self._mark,
            reloaded=self._reloaded,
        )

    def _mark(self, position: StreamPosition) -> None:
        parts = self._parts
        if parts is not None:
            parts.pipeline.position_reached(position)

    def _reloaded(self) -> LoadedConfiguration:
        """Return the configuration of the plugins that run."""
        parts = self._parts
        return self._task.loaded if parts is None or parts.reloader is None else parts.reloader.loaded

    def _publish(self, result: Result, run: RunInfo, update: Update) -> None:
        parts = self._parts
        if parts is not None:
            item = self._latest.put(result, run, update)
            parts.books.runs.published(item)
            parts.results.offer(item)
            parts.worker.offer(item)

    def _reduce(self, parts: Parts) -> None:
        try:
            if parts.checkpoints is not None and isinstance(parts.source, NativeSource):
                position = parts.checkpoints.resume(parts.pipeline)
                if position is not None:
                    parts.source.resume(position)
            parts.source.run(parts.pipeline, self._stop)
        except BaseException as error:  # noqa: BLE001  (kept for the main thread, which reports it and ends)
            self._failure = error
            if parts.pipeline.state is not None:
                parts.pipeline.run_ended(RunEndReason.SESSION_FAILED)
        finally:
            self._done.set()

    def _watch(self, parts: Parts, watch: Callable[[], None] | None) -> None:
        while not self._clock.wait(self._done, _WATCH_EVERY_S):
            self._look_after(parts)
            if self._hangs(parts):
                break
            if watch is not None:
                watch()
        if watch is not None:
            watch()

    def _look_after(self, parts: Parts) -> None:
        """End the session when something without which it makes no sense has ended."""
        if self._failure is not None or self._stop.is_set():
            return
        if parts.worker.failure is not None:
            self._failure = parts.worker.failure
            self.stop()
        elif parts.instance is not None and parts.instance.lost:
            # What is kept belongs to the other one.
            if parts.checkpoints is not None:
                parts.checkpoints.abandon()
            self._failure = LostInstance(parts.instance.lost)
            self.stop()
        elif why := parts.memory.look():
            self._failure = MemoryLimitReached(why)
            self.stop()
        elif parts.simulator is not None and not parts.simulator.is_running:
            self._failure = SourceError(
                "The simulated beamline has ended by itself: the log may say why. Start again."
            )
            self.stop()

    def _hangs(self, parts: Parts) -> bool:
        """Look whether the reduction, asked to stop, does not get on any more."""
        waited_s = self._hanging.waited_s(
            _source_status(parts), self._clock.monotonic(), asked_to_stop=self._stop.is_set()
        )
        if waited_s is None:
            return False
        self._hung = True
        who = whose_call(parts.hooks, self._clock.monotonic()) or "a hook, a script or Mantid hangs"
        self._failure = self._failure or SourceError(
            f"Asked to stop, the reduction has not come back for {waited_s:.0f} s: {who}. "
            "The process ends without it; what was not published is lost."
        )
        return True

    def _end_plugins(self, parts: Parts) -> None:
        info = parts.info if parts.reloader is None else parts.reloader.info
        within_s = self._task.loaded.config.hooks.stop_timeout
        if end_within(parts.hooks, info, within_s, self._clock):
            self._hung = True

    def _end(self, parts: Parts) -> None:
        self._ended = True
        failed = self._failure is not None
        parts.books.runs.session_ended(
            RunEndReason.SESSION_FAILED if failed else RunEndReason.SESSION_STOPPED
        )
        parts.memory.close()
        parts.reporter.close()

    def _close_worker(self, parts: Parts) -> None:
        self._unsent = parts.worker.close(self._task.loaded.config.publish.stop_timeout)
        parts.results.close()
        for sentence in self._unsent:
            _log.error("%s", sentence)


def _source_status(parts: Parts) -> SourceStatus:
    """Return the source's snapshot; whoever waits for workers, and looks for them, gets on."""
    status = parts.source.status()
    if parts.executor is None:
        return status
    return attrs.evolve(status, turns=status.turns + parts.executor.status().turns)
