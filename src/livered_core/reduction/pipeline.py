"""How data flow: the one place in which the order of the hooks is written.

::

    a run begins       run_started
    a chunk arrives    process_chunk → accumulate
    an update is due   post_process → publish → (publish thread) post_publish
    the run ends       post_process, final → publish → (publish thread) post_publish → run_ended

A source (native or Mantid) calls the methods below, from one thread at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import attrs

from livered_core.clocks import Clock
from livered_core.errors import HookError, LiveredError
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.markers import SKIP, BegunAnew
from livered_core.model import Chunk, Result, RunEndReason, RunInfo, SlowLog, Update
from livered_core.reduction.run_state import RunState

_log = logging.getLogger(__name__)

FINAL_REASONS = (RunEndReason.ENDED, RunEndReason.REPLACED)
"""Ends of a run after which no data of it will come."""


class TooManyFailures(LiveredError):  # noqa: N818
    """The same hook failed so often in a row that going on would only hide it."""


@attrs.frozen
class PipelineSettings:
    """How the pipeline treats run edges and failures.

    Attributes
    ----------
    run_transition
        At the end of a run: ``"restart"`` with nothing accumulated, ``"stop"`` the session, or ``"keep"`` what
        is accumulated for the next run.
    max_consecutive_failures
        After so many failures of one hook in a row the session ends.
    """

    run_transition: str = "restart"
    max_consecutive_failures: int = 5


class Pipeline:
    """Takes runs and chunks from a source, reduces them through the hooks, and hands results to be published.

    Parameters
    ----------
    hooks
        The session's hooks.
    publish
        Makes a result visible and queues it for the sinks; must return at once.
    finished
        Called when `run_transition` is ``"stop"`` and a run has ended.
    clock
        For the lag of an update.
    settings
        Run edges and failures.
    """

    def __init__(
        self,
        hooks: Dispatcher,
        publish: Callable[[Result, RunInfo, Update], None],
        finished: Callable[[], None],
        clock: Clock,
        settings: PipelineSettings,
    ) -> None:
        self._hooks = hooks
        self._publish = publish
        self._finished = finished
        self._clock = clock
        self._settings = settings
        self._state: RunState | None = None
        self._begun: RunState | None = None
        self._kept: RunState | None = None
        self._shown: RunState | None = None
        self._last_result: Result | None = None
        self._replay_wanted = ""
        self._logs: Mapping[str, SlowLog] = {}

    @property
    def logs(self) -> Mapping[str, SlowLog]:
        """Slow logs of the newest chunk, whatever became of it. A snapshot: safe to read from any thread."""
        return self._logs

    @property
    def state(self) -> RunState | None:
        """The run in hand; None between runs. A snapshot: safe to read from any thread."""
        return self._state

    def run_began(self, run: RunInfo, missing: str = "") -> None:
        """Begin a run with nothing accumulated.

        Parameters
        ----------
        run
            The run.
        missing
            Why the data do not begin at the run's start; empty when they do.
        """
        state = RunState(run)
        if self._kept is not None:
            state = self._kept.carried_into(run)
        self._begun = state
        if missing:
            state = state.with_missing(missing)
        self._state = state
        self._last_result = None
        _log.info("Run %d began: %s", run.number, run.title or "no title yet")
        self._hooks.run_started(run)

    def run_changed(self, run: RunInfo) -> None:
        """Take up what became known of the run in hand, such as its title."""
        if self._state is not None:
            self._state = attrs.evolve(self._state, run=run)

    def run_restarted(self, sentence: str) -> None:
        """Begin the run in hand again, as it began: its data come again from their beginning.

        Parameters
        ----------
        sentence
            Why.
        """
        state, begun = self._running(), self._begun
        _log.warning("Run %d is begun again: %s", state.run.number, sentence)
        self._hooks.run_ended(state.run, RunEndReason.BEGUN_AGAIN)
        # Updates go on counting: what a sink gets later is newer.
        again = RunState(state.run) if begun is None else attrs.evolve(begun, run=state.run)
        self._state = self._shown = attrs.evolve(again, updates=state.updates)
        self._hooks.run_started(state.run)

    def data_missing(self, sentence: str) -> None:
        """Note that data of the run in hand were lost before they came here."""
        if self._state is not None:
            _log.warning("Run %d: %s", self._state.run.number, sentence)
            self._state = self._state.with_missing(sentence)

    def take_chunk(self, chunk: Chunk) -> None:
        """Reduce a chunk of the run in hand.

        Raises
        ------
        TooManyFailures
            When a hook has failed too often in a row.
        """
        state = self._running()
        self._logs = chunk.logs
        try:
            processed = self._hooks.process_chunk(chunk, state.run)
            if processed is SKIP:
                self._state = state.with_skipped(chunk)
            else:
                accumulated = self._hooks.accumulate(state.accumulated, processed, chunk, state.run)
                if isinstance(accumulated, BegunAnew):
                    state, accumulated = self._begun_anew(state, accumulated.why), accumulated.data
                self._state = state.with_chunk(chunk, accumulated)
        except HookError as error:
            self._state = state.with_dropped(chunk)
            self._failed(error)

    def _begun_anew(self, state: RunState, why: str) -> RunState:
        """Forget the chunks of a run that a plugin has thrown away."""
        _log.warning("Run %d: what was accumulated is thrown away: %s", state.run.number, why)
        self._replay_wanted = why
        anew = RunState(state.run, updates=state.updates)
        return anew.with_missing(f"{why} Data before that are left out.")

    def replay_wanted(self) -> str:
        """Say once why the run in hand should come again from its start; empty when it should not."""
        why, self._replay_wanted = self._replay_wanted, ""
        return why

    def update_due(self) -> None:
        """Make an update of the run in hand, if anything came since the last one.

        Raises
        ------
        TooManyFailures
            When a hook has failed too often in a row.
        """
        if self._state is not None and self._state is not self._shown:
            self._update(final=False)

    def run_ended(self, reason: RunEndReason) -> None:
        """End the run in hand: its last update, then run_ended.

        Raises
        ------
        TooManyFailures
            When a hook has failed too often in a row; the run is ended all the same.
        """
        final = reason in FINAL_REASONS
        try:
            if final:
                self._update(final=True)
            elif reason is RunEndReason.SESSION_STOPPED:
                self.update_due()
        finally:
            state = self._running()
            self._hooks.run_ended(state.run, reason)
            _log.info("Run %d: %s after %d events.", state.run.number, reason.value, state.n_events)
            self._kept = state if self._settings.run_transition == "keep" else None
            self._state = None
        if final and self._settings.run_transition == "stop":
            self._finished()

    def _update(self, *, final: bool) -> None:
        state = self._running()
        if state.accumulated is None:
            return
        update = state.update(final=final, now_ns=self._clock.now_ns())
        failure = None
        try:
            result = self._hooks.post_process(state.accumulated, state.run, update)
        except HookError as error:
            failure = error
            result = self._last_result if final else None
            sentence = "The last post_process failed: the curves are those of the update before."
            update = attrs.evolve(update, complete=False, missing=(*update.missing, sentence))
        if result is not None:
            self._last_result = result
            self._state = self._shown = attrs.evolve(state, updates=update.sequence)
            self._publish(result, state.run, update)
        elif failure is None:
            self._shown = state
            _log.warning("Run %d: no plugin makes a result of what is accumulated.", state.run.number)
        if failure is not None:
            self._failed(failure)

    def _failed(self, error: HookError) -> None:
        run = self._state.run if self._state is not None else None
        self._hooks.report(error.failure, run)
        if error.failure.consecutive >= self._settings.max_consecutive_failures:
            message = (
                f"Gave up after {error.failure.consecutive} failures in a row: {error.failure.sentence} "
                "Mend what failed; its traceback is in the log."
            )
            raise TooManyFailures(message) from error

    def _running(self) -> RunState:
        if self._state is None:
            message = "A chunk or an end came without a run: the source must call run_began first."
            raise RuntimeError(message)
        return self._state
