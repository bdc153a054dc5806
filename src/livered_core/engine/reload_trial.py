"""Trying changed plugins on the newest chunk, with instances that are thrown away afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from livered_core.clocks import Clock
from livered_core.engine.reload_carry import Carried, NotCarried
from livered_core.engine.reload_refusal import Refused
from livered_core.errors import HookError
from livered_core.hooks.boundary import Boundary
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.markers import SKIP, BegunAnew
from livered_core.hooks.plugin_state import keeps_state, restore_states
from livered_core.hooks.registry import LoadedPlugin
from livered_core.model import Chunk, HookFailure, Result, RunEndReason, RunInfo, SessionInfo, Update


@attrs.define(eq=False)
class Notes:
    """A witness that keeps the failures it is told of."""

    failures: list[HookFailure] = attrs.field(factory=list)

    def run_started(self, run: RunInfo) -> None:
        """Take no note."""

    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Take no note."""

    def failed(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Keep a failure."""
        self.failures.append(failure)

    def see_that_there_is_none(self) -> None:
        """Raise the first failure, if there is one.

        Raises
        ------
        Refused
            Made of the failure.
        """
        if self.failures:
            raise Refused.because_of(HookError(self.failures[0]))


@attrs.frozen(eq=False)
class Trial:
    """Something to try plugins on.

    Attributes
    ----------
    boundary
        Where the reduction stands.
    accumulated
        What has been accumulated.
    states
        What plugins keep of the run beside it.
    info
        The session.
    clock
        The clocks.
    go_on
        Called between two steps; raises when the time is up.
    """

    boundary: Boundary
    accumulated: Carried
    states: Carried
    info: SessionInfo
    clock: Clock
    go_on: Callable[[], None]

    def run(self, plugins: Sequence[LoadedPlugin], owners: Mapping[str, str]) -> str:
        """Try plugins; they are told of session and run, and of their ends.

        Parameters
        ----------
        plugins
            Instances that nobody needs afterwards.
        owners
            Configured owners of transforms.

        Returns
        -------
        str
            Why they cannot go on with what is accumulated; empty when they can.

        Raises
        ------
        Refused
            When a plugin failed or returned something that it may not.
        """
        notes, run = Notes(), self.boundary.run
        hooks = Dispatcher(plugins, owners, self.clock, notes)
        try:
            hooks.session_started(self.info)
            self._next(notes)
            if run is None:
                return ""
            problem = begin_run(plugins, hooks, run, self.states)
            self._next(notes)
            misfit = self._reduce(hooks, run)
            self._next(notes)
            return problem or misfit
        except HookError as error:
            raise Refused.because_of(error) from error
        finally:
            if run is not None:
                hooks.run_ended(run, RunEndReason.SESSION_STOPPED)
            hooks.session_ended(self.info)

    def _next(self, notes: Notes) -> None:
        self.go_on()
        notes.see_that_there_is_none()

    def _reduce(self, hooks: Dispatcher, run: RunInfo) -> str:
        """Reduce the chunk alone, then together with what is accumulated."""
        chunk = self.boundary.chunk
        update = self.boundary.update or _update_of(chunk)
        processed: Any = SKIP if chunk is None else hooks.process_chunk(chunk, run)
        self.go_on()
        if chunk is not None and processed is not SKIP:
            alone = _data(hooks.accumulate(None, processed, chunk, run))
            self.go_on()
            hooks.post_process(alone, run, update)
            self.go_on()
        if not self.accumulated.is_something:
            return ""
        if not self.accumulated.can_be_tried:
            # A workspace goes on as it is, and what it could be tried on would be what it is needed for.
            return self.accumulated.problem
        try:
            together = self.accumulated.for_trial()
            if chunk is not None and processed is not SKIP:
                together = _data(hooks.accumulate(together, processed, chunk, run))
            result: Result | None = hooks.post_process(together, run, update)
        except NotCarried as error:
            return str(error)
        except HookError as error:
            if chunk is None or processed is SKIP:
                raise
            return f"What is accumulated does not go together with it: {error.failure.error}"
        if result is None:
            raise Refused("no plugin makes a result of what is accumulated any more.")
        return ""


def begin_run(plugins: Sequence[LoadedPlugin], hooks: Dispatcher, run: RunInfo, states: Carried) -> str:
    """Tell new plugins of the run in hand, and give them what those before them kept of it.

    Returns
    -------
    str
        Why they could not take it; the run must begin again then. Empty when they could.
    """
    hooks.run_started(run)
    if not any(keeps_state(type(plugin.instance)) for plugin in plugins):
        return ""
    try:
        problem = restore_states(plugins, states.carried())
    except NotCarried as error:
        problem = str(error)
    if problem:
        hooks.run_started(run)
    return problem


def _data(accumulated: Any) -> Any:
    return accumulated.data if isinstance(accumulated, BegunAnew) else accumulated


def _update_of(chunk: Chunk | None) -> Update:
    """Describe an update of one chunk alone."""
    return Update(
        sequence=1,
        final=False,
        n_chunks=0 if chunk is None else 1,
        n_pulses=0 if chunk is None else chunk.n_pulses,
        n_events=0 if chunk is None else chunk.n_events,
        proton_charge_pc=0.0 if chunk is None else chunk.proton_charge_pc,
        first_pulse_ns=0 if chunk is None else chunk.first_pulse_ns,
        last_pulse_ns=0 if chunk is None else chunk.last_pulse_ns,
        skipped_chunks=0,
        skipped_events=0,
        dropped_chunks=0,
        dropped_events=0,
        complete=True,
        missing=(),
        lag_ns=0,
    )
