"""A session with one plugin and livered's defaults, step by step: each hook can be called by itself."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any

from livered_core.clocks import SystemClock
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.markers import SKIP, BegunAnew
from livered_core.hooks.registry import LoadedPlugin
from livered_core.model import Chunk, HookFailure, Receipt, Result, RunEndReason, RunInfo, Update
from livered_core.reduction.run_state import RunState
from livered_core.testing.nouns import make_session


class Session:
    """The real front of the hooks, with one plugin and the defaults behind it; no thread, and nothing is published.

    A wrapper so has something to wrap. Unlike `livered_core.testing.PluginHarness` it gives each step by itself, since
    a check has to look at what is between them. Failures of transforms are raised (`HookError`); those of other hooks
    are noted in `failures`, as a session would contain them.

    Parameters
    ----------
    plugin
        The plugin.
    instrument
        What the session says.
    model
        Kind of its data.
    output_dir
        What the session names as the folder for files.
    """

    def __init__(
        self, plugin: LoadedPlugin, instrument: str, model: str = "native", output_dir: str = ""
    ) -> None:
        self.plugin = plugin
        self.failures: list[HookFailure] = []
        self.info = make_session(
            instrument=instrument,
            backend=model,
            plugins={plugin.name: plugin.version},
            output_dir=output_dir,
            live=False,
        )
        self._hooks = Dispatcher((plugin,), {}, SystemClock(), witness=self)

    def __enter__(self) -> Session:
        self._hooks.session_started(self.info)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hooks.session_ended(self.info)

    # What the dispatcher tells.

    def run_started(self, run: RunInfo) -> None:
        """Take no note."""

    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Take no note."""

    def failed(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Keep what was contained."""
        self.failures.append(failure)

    # The steps.

    def begin(self, run: RunInfo) -> RunState:
        """Begin a run."""
        self._hooks.run_started(run)
        return RunState(run)

    def process(self, chunk: Chunk, run: RunInfo) -> Any:
        """Return what is made of a chunk; may be SKIP."""
        return self._hooks.process_chunk(chunk, run)

    def add(self, accumulated: Any, processed: Any, chunk: Chunk, run: RunInfo) -> Any:
        """Return the new accumulated data."""
        return self._hooks.accumulate(accumulated, processed, chunk, run)

    def take(self, state: RunState, chunk: Chunk) -> RunState:
        """Reduce a chunk, as the pipeline does."""
        processed = self.process(chunk, state.run)
        if processed is SKIP:
            return state.with_skipped(chunk, self._hooks.answered_by)
        accumulated = self.add(state.accumulated, processed, chunk, state.run)
        if isinstance(accumulated, BegunAnew):
            return RunState(state.run).with_chunk(chunk, accumulated.data)
        return state.with_chunk(chunk, accumulated)

    def reduce(self, chunks: Iterable[Chunk], run: RunInfo) -> RunState:
        """Begin a run and reduce chunks of it."""
        state = self.begin(run)
        for chunk in chunks:
            state = self.take(state, chunk)
        return state

    def result(self, state: RunState, update: Update | None = None) -> Result | None:
        """Make the result of what is accumulated; None where there is nothing, or nobody makes one."""
        if state.accumulated is None:
            return None
        if update is None:
            update = state.update(final=False, now_ns=state.last_pulse_ns)
        return self._hooks.post_process(state.accumulated, state.run, update)

    def end(self, run: RunInfo, reason: RunEndReason = RunEndReason.ENDED) -> None:
        """End a run."""
        self._hooks.run_ended(run, reason)

    def forget(self) -> None:
        """Let the front of the hooks keep nothing of its newest call."""
        self._hooks.replace(self._hooks.plugins, {})

    def publish(self, result: Result, run: RunInfo, update: Update) -> Receipt | None:
        """Hand a result to the plugin, as its publish thread would."""
        return self._hooks.post_publish(self.plugin.name, result, run, update)
