"""A session without threads, streams and files: what a harness drives."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from livered_core.clocks import Clock
from livered_core.engine.setup import plugin_problems
from livered_core.errors import ConfigError, HookError
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.registry import LoadedPlugin, session_problems
from livered_core.model import DataModel, Result, RunEndReason, RunInfo, SessionInfo, Update
from livered_core.reduction.pipeline import Pipeline, PipelineSettings
from livered_core.testing.deliveries import Delivery, deliver
from livered_core.testing.nouns import make_session
from livered_core.testing.witness import Witness

_BACKENDS: Final[tuple[DataModel, ...]] = ("native", "mantid")


class HarnessSession:
    """The plugins of a session with livered's own dispatcher and pipeline, called from one thread.

    Parameters
    ----------
    plugins
        In the order of their calls.
    owners
        As ``[hooks.owner]``.
    clock
        For the times of calls and the lag of updates.
    check
        Whether problems and failures are raised.
    backend
        None for that of the first chunk.
    fields
        Of `SessionInfo`, beside those that follow from the rest.

    Attributes
    ----------
    plugins, hooks, pipeline, witness
        Its parts.
    info
        The session as plugins see it; None before it has begun.
    problems
        Why it could not begin at the beamline.
    results, updates, deliveries
        What came of it so far.
    accumulated
        Of the run that ended last.
    """

    def __init__(
        self,
        plugins: Sequence[LoadedPlugin],
        owners: Mapping[str, str],
        clock: Clock,
        *,
        check: bool,
        backend: DataModel | None,
        fields: Mapping[str, Any],
    ) -> None:
        self.plugins = plugins
        self.info: SessionInfo | None = None
        self.problems: list[str] = []
        self.results: list[Result] = []
        self.updates: list[Update] = []
        self.deliveries: list[Delivery] = []
        self.accumulated: Any = None
        self.witness = Witness(raises=check)
        self.hooks = Dispatcher(plugins, owners, clock, self.witness, self.witness.heard)
        never = PipelineSettings(max_consecutive_failures=sys.maxsize)
        self.pipeline = Pipeline(self.hooks, self._publish, lambda: None, clock, never)
        self._owners = owners
        self._clock = clock
        self._backend = backend
        self._fields = fields
        self._over = False

    def begin(self, instrument: str, model: DataModel | None = None) -> SessionInfo:
        """Begin, if it has not begun.

        Parameters
        ----------
        instrument
            Its name.
        model
            Of the first chunk; None where it is not known.

        Raises
        ------
        ConfigError, HookError
            When something is wrong, where that is to be raised.
        RuntimeError
            When it has ended.
        """
        if self._over:
            message = "This PluginHarness has ended its session: make another one."
            raise RuntimeError(message)
        if self.info is not None:
            return self.info
        backend = self._backend or model or self._first_backend()
        self.problems = session_problems(self.plugins, self._owners, backend)
        for plugin in self.plugins:
            self.problems += plugin_problems(plugin)
        if self.witness.raises and self.problems:
            raise ConfigError(self.problems)
        given = {
            "instrument": instrument,
            "backend": backend,
            "plugins": {plugin.name: plugin.version for plugin in self.plugins},
            "started_ns": self._clock.now_ns(),
        }
        session = self.info = make_session(**{**given, **self._fields})
        try:
            with self.witness.watched():
                self.hooks.session_started(session)
        except HookError:
            self.witness.raises = False
            self.end(RunEndReason.SESSION_FAILED)
            raise
        return session

    def end_run(self, reason: RunEndReason) -> None:
        """End the run in hand.

        Raises
        ------
        HookError
            When a hook failed, where that is to be raised.
        """
        state = self.pipeline.state
        self.accumulated = None if state is None else state.accumulated
        with self.witness.watched():
            self.pipeline.run_ended(reason)

    def end(self, reason: RunEndReason) -> None:
        """End the run in hand and the session, if they have begun and not ended.

        Raises
        ------
        HookError
            When a hook failed, where that is to be raised.
        """
        session = self.info
        if session is None or self._over:
            return
        self._over = True
        try:
            if self.pipeline.state is not None:
                self.end_run(reason)
        finally:
            with self.witness.watched():
                self.hooks.session_ended(session)

    def _first_backend(self) -> DataModel:
        able = [each for each in _BACKENDS if all(each in plugin.data_models for plugin in self.plugins)]
        return able[0] if able else _BACKENDS[0]

    def _publish(self, result: Result, run: RunInfo, update: Update) -> None:
        self.results.append(result)
        self.updates.append(update)
        for sink in self.hooks.sinks:
            self.deliveries.append(deliver(self.hooks, sink, result, run, update))
