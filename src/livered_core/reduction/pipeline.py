"""How data flow: the one place in which the order of the hooks is written.

::

    a run begins       run_started
    a chunk arrives    process_chunk → accumulate
    an update is due   post_process → publish → (publish thread) post_publish
    the run ends       post_process, final → publish → (publish thread) post_publish → run_ended

Where chunks are processed elsewhere, process_chunk is called there, and accumulate here, in the order of the chunks.
A source (native or Mantid) calls the methods below, from one thread at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from livered_core.chunking.cut import cut_chunk
from livered_core.chunking.position import StreamPosition
from livered_core.clocks import Clock
from livered_core.errors import HookError, LiveredError
from livered_core.hooks.boundary import Boundary, Reloading
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.markers import SKIP, BegunAnew
from livered_core.model import Chunk, Result, RunEndReason, RunInfo, SlowLog, Update
from livered_core.reduction.keeping import Checkpoints, NoCheckpoints
from livered_core.reduction.run_state import RunState
from livered_core.reduction.underway import Blocks, Processed, Underway

_log = logging.getLogger(__name__)

FINAL_REASONS = (RunEndReason.ENDED, RunEndReason.REPLACED)
"""Ends of a run after which no data of it will come."""

_NOT_BACK = "livered ended before all chunks had come back from its workers."


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
    can_replay
        Says whether the source can have the run in hand come again from its start, at this moment.
    first_missing
        Why the first run that begins is not complete; empty when nothing is known to be missing.
    """

    run_transition: str = "restart"
    max_consecutive_failures: int = 5
    can_replay: Callable[[], bool] = bool
    first_missing: str = ""


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
    checkpoints
        Keeps what is accumulated.
    reloading
        Takes up changed plugins between two calls of hooks; None where nothing may change.
    """

    def __init__(
        self,
        hooks: Dispatcher,
        publish: Callable[[Result, RunInfo, Update], None],
        finished: Callable[[], None],
        clock: Clock,
        settings: PipelineSettings,
        checkpoints: Checkpoints | None = None,
        reloading: Reloading | None = None,
    ) -> None:
        self._hooks = hooks
        self._publish = publish
        self._finished = finished
        self._clock = clock
        self._settings = settings
        self._checkpoints = checkpoints or NoCheckpoints()
        self._reloading = reloading
        self._underway: Underway | None = None
        self._first_missing = settings.first_missing
        self._newest: Chunk | None = None
        # The run in hand as it was between two chunks, with the place in the stream that belongs to it.
        self._resting: tuple[RunState, StreamPosition] | None = None
        self._state: RunState | None = None
        self._begun: RunState | None = None
        self._kept: RunState | None = None
        self._shown: RunState | None = None
        self._last_result: Result | None = None
        self._replay_wanted = ""
        self._comes_again = False
        self._logs: Mapping[str, SlowLog] = {}

    def process_on(self, blocks: Blocks) -> None:
        """Have chunks processed elsewhere; called before the source runs."""
        self._underway = Underway(blocks, self._merge, self._given_up)

    @property
    def logs(self) -> Mapping[str, SlowLog]:
        """Slow logs of the newest chunk, whatever became of it. A snapshot: safe to read from any thread."""
        return self._logs

    @property
    def state(self) -> RunState | None:
        """The run in hand; None between runs. A snapshot: safe to read from any thread."""
        return self._state

    def resume(
        self, state: RunState, position: StreamPosition, restore: Callable[[], str], *, ended: bool = False
    ) -> str:
        """Take a run in hand as another session left it; called before the source runs.

        Parameters
        ----------
        state
            The run.
        position
            Where in the stream it stands.
        restore
            Gives the plugins what they kept of it, after run_started; says why that cannot be, empty when it is done.
        ended
            Whether the run is over, and only its last update is to be made.

        Returns
        -------
        str
            Why it cannot be gone on with; nothing is in hand then. Empty when it is.
        """
        self._state, self._begun, self._last_result = state, None, None
        self._hooks.run_started(state.run)
        why = restore()
        if why:
            self._hooks.run_ended(state.run, RunEndReason.BEGUN_AGAIN)
            self._state = None
            return why
        self._resting = (state, position)
        self._begin_elsewhere(state.run)
        if not ended:
            # What was seen before is seen again at once.
            self.update_due()
        return ""

    def carry_on(self, state: RunState) -> None:
        """Keep the data of a run that another session has ended for the next one (``run_transition = "keep"``)."""
        if self._settings.run_transition == "keep":
            self._kept = state

    def position_reached(self, position: StreamPosition) -> None:
        """Note where in the stream the run in hand stands, with all chunks before reduced."""
        if self._underway is None or not self._underway.reached(position):
            self._rest(position)

    def _rest(self, position: StreamPosition) -> None:
        # What is reduced until the run has begun again is not gone on from: without it the run comes again as well.
        if self._state is not None and not self._comes_again:
            self._resting = (self._state, position)
            self._checkpoints.reached(*self._resting)

    def run_began(self, run: RunInfo, missing: str = "") -> None:
        """Begin a run with nothing accumulated.

        Parameters
        ----------
        run
            The run.
        missing
            Why the data do not begin at the run's start; empty when they do.
        """
        self._take_up_changes()
        self._newest, self._comes_again = None, False
        state = RunState(run)
        if self._kept is not None:
            state = self._kept.carried_into(run)
        self._begun = state
        self._resting = None
        for sentence in (missing, self._first_missing):
            state = state.with_missing(sentence) if sentence else state
        self._first_missing = ""
        self._state = state
        self._last_result = None
        _log.info("Run %d began: %s", run.number, run.title or "no title yet")
        self._hooks.run_started(run)
        self._begin_elsewhere(run)

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
        self._resting = self._newest = None
        self._comes_again = False
        self._hooks.run_started(state.run)
        self._begin_elsewhere(state.run)

    def _begin_elsewhere(self, run: RunInfo) -> None:
        if self._underway is not None:
            self._underway.begin(run)

    def data_missing(self, sentence: str) -> None:
        """Note that data of the run in hand were lost before they came here."""
        if self._state is not None:
            _log.warning("Run %d: %s", self._state.run.number, sentence)
            self._state = self._state.with_missing(sentence)

    def take_chunk(self, chunk: Chunk) -> None:
        """Reduce a chunk of the run in hand, or send it to where it is processed.

        Raises
        ------
        TooManyFailures
            When a hook has failed too often in a row.
        """
        self._take_up_changes()
        state = self._running()
        self._logs = chunk.logs
        if self._reloading is not None:
            self._newest = cut_chunk(chunk)
        if self._underway is None:
            self._reduce(chunk, state.run, partial(self._hooks.process_chunk, chunk, state.run))
        else:
            self._underway.send(chunk, state.run)

    def _merge(self, done: Processed, position: StreamPosition | None) -> None:
        """Reduce a chunk that was processed elsewhere, with those before it reduced."""
        taken = partial(self._hooks.processed_elsewhere, done.answer, done.chunk, done.run)
        self._reduce(done.chunk, done.run, taken)
        if position is not None:
            self._rest(position)

    def _given_up(self, chunks: tuple[Chunk, ...]) -> None:
        """Count chunks that did not come back in time for the end of the session."""
        state = self._running().with_missing(_NOT_BACK)
        for chunk in chunks:
            state = state.with_dropped(chunk)
        self._state = state
        numbers = ", ".join(str(chunk.sequence) for chunk in chunks)
        _log.warning("Run %d: chunks %s are not waited for: %s", state.run.number, numbers, _NOT_BACK)

    def _reduce(self, chunk: Chunk, run: RunInfo, process: Callable[[], Any]) -> None:
        state = self._running()
        try:
            processed = process()
            if processed is SKIP:
                self._state = state.with_skipped(chunk, self._hooks.answered_by)
            else:
                accumulated = self._hooks.accumulate(state.accumulated, processed, chunk, run)
                if isinstance(accumulated, BegunAnew):
                    state, accumulated = self._begun_anew(state, accumulated.why), accumulated.data
                self._state = state.with_chunk(chunk, accumulated)
        except HookError as error:
            self._state = state.with_dropped(chunk)
            self._failed(error)

    def _begun_anew(self, state: RunState, why: str) -> RunState:
        """Forget the chunks of a run that a plugin has thrown away."""
        _log.warning("Run %d: what was accumulated is thrown away: %s", state.run.number, why)
        self._replay_wanted, self._comes_again, self._resting = why, True, None
        anew = RunState(state.run, updates=state.updates)
        return anew.with_missing(f"{why} Data before that are left out.")

    def _take_up_changes(self) -> None:
        """Let changed plugins take the place of these, between two calls of hooks."""
        reloading = self._reloading
        if reloading is None or not reloading.wanted:
            return
        self._settle()
        state = self._state
        boundary = Boundary(accumulated=None if self._kept is None else self._kept.accumulated)
        if state is not None:
            boundary = Boundary(
                run=state.run,
                accumulated=state.accumulated,
                chunk=self._newest,
                update=state.update(final=False, now_ns=self._clock.now_ns()),
                can_replay=self._settings.can_replay(),
            )
        swapped = reloading.at_boundary(boundary)
        if swapped is None:
            return
        self._settings = attrs.evolve(
            self._settings, max_consecutive_failures=swapped.max_consecutive_failures
        )
        self._checkpoints.plugins_changed()
        # What the run began with was made by the plugins before.
        self._begun = None
        if state is None:
            if self._kept is not None:
                self._kept = attrs.evolve(self._kept, accumulated=swapped.accumulated)
        elif swapped.replay:
            self._state = self._begun_anew(state, swapped.replay)
        else:
            # Another object, so that the next update shows what the plugins make of it.
            self._state = attrs.evolve(
                state, accumulated=swapped.accumulated, reloaded=swapped.note or state.reloaded
            )
            if self._resting is not None:
                self._resting = (self._state, self._resting[1])
        if state is not None:
            self._begin_elsewhere(state.run)

    def _settle(self) -> None:
        """Wait for what is elsewhere, and merge it."""
        if self._underway is not None and self._state is not None:
            self._underway.settle()

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
        self._take_up_changes()
        self._settle()
        if self._state is not None and self._state is not self._shown:
            self._update(final=False)

    def run_ended(self, reason: RunEndReason) -> None:
        """End the run in hand: its last update, then run_ended.

        Raises
        ------
        TooManyFailures
            When a hook has failed too often in a row; the run is ended all the same.
        """
        try:
            if reason is not RunEndReason.SESSION_FAILED:
                self._settle()
        except BaseException:
            # What is still elsewhere belongs to the run: it is not over for the next session.
            reason = RunEndReason.SESSION_FAILED
            raise
        finally:
            if self._underway is not None:
                self._underway.give_up()
                if self._underway.is_given_up and reason in FINAL_REASONS:
                    reason = RunEndReason.SESSION_STOPPED
            self._end(reason)

    def _end(self, reason: RunEndReason) -> None:
        final = reason in FINAL_REASONS
        rested = self._rested()
        try:
            if final:
                if rested is not None:
                    # No place is needed any more: a chunk at which the session gave up is lost to the run.
                    self._checkpoints.run_ends(self._running(), rested[1], reason)
                self._update(final=True)
            elif reason is RunEndReason.SESSION_STOPPED:
                self.update_due()
        finally:
            state = self._running()
            self._hooks.run_ended(state.run, reason)
            _log.info("%s", _farewell(state, reason))
            self._kept = state if self._settings.run_transition == "keep" else None
            self._state = self._resting = None
            self._comes_again = False
            if rested is not None and not final:
                self._checkpoints.session_ends(attrs.evolve(rested[0], updates=state.updates), rested[1])
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
            if state.reloaded:
                result = attrs.evolve(result, metadata={**result.metadata, "reloaded": state.reloaded})
            self._last_result = result
            self._state = self._shown = attrs.evolve(state, updates=update.sequence)
            self._publish(result, state.run, update)
        elif failure is None:
            self._shown = state
            _log.warning(
                "Run %d: no plugin makes a result of what is accumulated (a %s): post_process is missing, or returned None.",
                state.run.number,
                type(state.accumulated).__name__,
            )
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

    def _rested(self) -> tuple[RunState, StreamPosition] | None:
        """Return the run in hand as it was between two chunks, with what has become known of it since."""
        if self._resting is None:
            return None
        state, (before, position) = self._running(), self._resting
        # Chunks that did not come back come again to whoever goes on from there.
        missing = tuple(sentence for sentence in state.missing if sentence != _NOT_BACK)
        known = attrs.evolve(before, run=state.run, missing=missing, updates=state.updates)
        return known, position

    def _running(self) -> RunState:
        if self._state is None:
            message = "A chunk or an end came without a run: the source must call run_began first."
            raise RuntimeError(message)
        return self._state


def _farewell(state: RunState, reason: RunEndReason) -> str:
    """Say how a run ended, for the log."""
    missing = state.update(final=False, now_ns=0).missing
    whole = f"INCOMPLETE: {' '.join(missing)}" if missing else "complete."
    left_out = f"{state.skipped_events} events left out on purpose, " if state.skipped_chunks else ""
    return (
        f"Run {state.run.number}: {reason.value} after {state.n_events} events in {state.n_chunks} chunks, "
        f"{state.updates} updates, {left_out}{whole}"
    )
