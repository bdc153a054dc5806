"""Calling hooks: in order, contained, attributed, timed and checked.

Everything that pluggy alone does not promise is here and in `livered_core.hooks.table`. Nobody else calls pluggy.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from livered_core.clocks import Clock
from livered_core.errors import DataModelError, HookError, SinkLater
from livered_core.hooks.calls import CallListener, Calls, CallStatistics, RunningCall
from livered_core.hooks.elsewhere import HOOK, TELL, Answer
from livered_core.hooks.registry import LoadedPlugin
from livered_core.hooks.table import CONTAINED, DEFAULTS, Table
from livered_core.model import Chunk, HookFailure, Receipt, Result, RunEndReason, RunInfo, SessionInfo, Update

_log = logging.getLogger(__name__)


class Witness(Protocol):
    """Is told of runs and failures, on whatever thread they happen; returns at once and raises nothing."""

    def run_started(self, run: RunInfo) -> None:
        """Take note that a run begins, or begins again."""

    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Take note that a run has ended; its plugins have been told."""

    def failed(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Take note of a failure that was contained."""


class Dispatcher:
    """The one front through which hooks are called; it belongs to a session.

    Transforms and lifecycle hooks are called on the reduction thread (`session_started` and `session_ended` on
    the main thread), each sink on a publish thread; `statistics` may be read from any thread.

    Parameters
    ----------
    plugins
        In the order of their calls.
    owners
        Configured owner of a transform: other plugins' implementations of it are left out, wrappers stay.
    clock
        For the times of calls.
    witness
        Is told of runs and failures.
    listener
        Is told of each call that has come back, on the thread of the call.
    """

    def __init__(
        self,
        plugins: Sequence[LoadedPlugin],
        owners: Mapping[str, str],
        clock: Clock,
        witness: Witness | None = None,
        listener: CallListener | None = None,
    ) -> None:
        self._witness = witness
        self._calls = Calls(clock, listener)
        self._told_of_default = False
        self._table = Table(plugins, owners, self._calls)

    @property
    def plugins(self) -> tuple[LoadedPlugin, ...]:
        """The plugins in the order of their calls, without the built-in defaults."""
        return self._table.plugins

    @property
    def sinks(self) -> tuple[str, ...]:
        """Names of the plugins that implement post_publish, in the order of their calls."""
        return self._table.sinks

    @property
    def answered_by(self) -> str:
        """Name of the plugin that gave the newest answer of a transform; for the reduction thread, empty without one."""
        answered = self._table.trail.answered
        return "" if answered is None else answered.name

    def statistics(self) -> dict[tuple[str, str], CallStatistics]:
        """Return a snapshot: (plugin, hook) to its statistics."""
        return self._calls.statistics()

    def running(self) -> tuple[RunningCall, ...]:
        """Return the calls that have not come back, in the order in which they began; safe from any thread."""
        return self._calls.running()

    def replace(self, plugins: Sequence[LoadedPlugin], owners: Mapping[str, str]) -> Table:
        """Put other plugins in the place of all that there are; for the reduction thread, between two calls.

        Statistics go on, rows of failures begin anew. A sink that is in a call finishes it.

        Parameters
        ----------
        plugins, owners
            As at the beginning; `sinks` must stay the same.

        Returns
        -------
        Table
            What was there before: `Table.wait_idle` says when no sink of it is in a call any more.
        """
        table = Table(plugins, owners, self._calls)
        before, self._table = self._table, table
        self._calls.forget_rows()
        return before

    # Lifecycle: every plugin; failures are contained and reported.

    def session_started(self, session: SessionInfo) -> None:
        """Call session_started of every plugin."""
        self._call_every("session_started", {"session": session}, None)

    def run_started(self, run: RunInfo) -> None:
        """Call run_started of every plugin."""
        if self._witness is not None:
            self._witness.run_started(run)
        self._call_every("run_started", {"run": run}, run)

    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Call run_ended of every plugin."""
        self._call_every("run_ended", {"run": run, "reason": reason}, run)
        if self._witness is not None:
            self._witness.run_ended(run, reason)

    def session_ended(self, session: SessionInfo) -> None:
        """Call session_ended of every plugin, in reverse order."""
        self._call_every("session_ended", {"session": session}, None, reverse=True)

    def report(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Log a failure and tell every plugin's on_error of it; nobody is told of a failure of on_error itself, which is logged."""
        self._note(failure, run)
        table = self._table
        for plugin in table.plugins:
            hook = table.hook(plugin, "on_error")
            if hook is None:
                continue
            try:
                self._timed(plugin, "on_error", hook, {"failure": failure, "run": run})
            except CONTAINED as error:
                self._note(self._calls.failed(plugin, "on_error", error, None), run)

    def _note(self, failure: HookFailure, run: RunInfo | None) -> None:
        about = {
            "plugin": failure.plugin,
            "chunk": failure.chunk_sequence,
            "run": run.number if run else None,
        }
        _log.error("%s\n%s", failure.sentence, failure.traceback, extra=about)
        if self._witness is not None:
            self._witness.failed(failure, run)

    # Transforms: one owner each; a failure is raised as a HookError for the pipeline to count.

    def process_chunk(self, chunk: Chunk, run: RunInfo) -> Any:
        """Return what the owner of process_chunk made of a chunk, or SKIP.

        Raises
        ------
        HookError
            When a plugin failed.
        """
        answer = self._transform("process_chunk", chunk.sequence, check=_is_something, chunk=chunk, run=run)
        self._notice_default(answer)
        return answer

    def processed_elsewhere(self, answer: Answer, chunk: Chunk, run: RunInfo) -> Any:
        """Take what came of process_chunk in another process, as `process_chunk` returns it.

        Parameters
        ----------
        answer
            What came back.
        chunk, run
            What it was called with.

        Raises
        ------
        HookError
            When a plugin failed, there or in being told of it here.
        """
        for said in answer.said:
            logging.getLogger(said.logger).log(said.level, "%s", said.text)
        for call in answer.calls:
            self._calls.note(call)
        for failure in answer.contained:
            self.report(self._calls.failed_elsewhere(failure), run)
        if answer.failure is not None:
            raise HookError(self._calls.failed_elsewhere(answer.failure))
        table = self._table
        for plugin in table.plugins:
            tell = getattr(plugin.instance, TELL, None)
            if tell is None:
                continue
            try:
                tell(chunk)
            except CONTAINED as error:
                raise HookError(self._calls.failed(plugin, HOOK, error, chunk.sequence)) from error
        table.answered_elsewhere(answer.answered_by, answer.processed)
        for plugin in (*table.plugins, DEFAULTS):
            self._calls.succeeded(plugin, HOOK)
        self._notice_default(answer.processed)
        return answer.processed

    def _notice_default(self, answer: Any) -> None:
        """Say once that livered reduces in the place of a plugin, which may have forgotten to return something."""
        table = self._table
        if self._told_of_default or table.trail.answered is not DEFAULTS:
            return
        self._told_of_default = True
        if table.is_owned("process_chunk"):
            owner = table.owner("process_chunk")
            _log.warning(
                "process_chunk of plugin %s returned None: livered's default took its place and made a %s. "
                "Where that is not meant, a return is missing.",
                owner.name,
                type(answer).__name__,
                extra={"plugin": owner.name},
            )

    def accumulate(self, accumulated: Any, processed: Any, chunk: Chunk, run: RunInfo) -> Any:
        """Return the new accumulated data.

        Raises
        ------
        HookError
            When a plugin failed.
        """
        return self._transform(
            "accumulate",
            chunk.sequence,
            check=_is_something,
            accumulated=accumulated,
            processed=processed,
            chunk=chunk,
            run=run,
        )

    def post_process(self, accumulated: Any, run: RunInfo, update: Update) -> Result | None:
        """Return the result of an update; None when no plugin makes one.

        Raises
        ------
        HookError
            When a plugin failed or returned something that is not a result of this run.
        """
        result: Result | None = self._transform(
            "post_process", None, check=_is_result_of(run), accumulated=accumulated, run=run, update=update
        )
        return result

    # Outward: each sink on its own publish thread.

    def post_publish(self, sink: str, result: Result, run: RunInfo, update: Update) -> Receipt | None:
        """Offer a result to one sink.

        Raises
        ------
        HookError
            When the sink failed; its cause is what the sink raised.
        SinkLater
            When the sink wants to be asked again later.
        """
        with self._held() as table:
            return self._offer(table, sink, {"result": result, "run": run, "update": update})

    @contextmanager
    def _held(self) -> Iterator[Table]:
        """Hold the table that is there, so that nobody ends its plugins meanwhile."""
        while True:
            table = self._table
            with table.in_use():
                if table is self._table:
                    yield table
                    return

    def _offer(self, table: Table, sink: str, arguments: Mapping[str, Any]) -> Receipt | None:
        plugin, hook = table.sink(sink)
        try:
            receipt = self._timed(plugin, "post_publish", hook, arguments)
            if not isinstance(receipt, (Receipt, type(None))):
                message = (
                    f"post_publish must return a Receipt or None and returned a {type(receipt).__name__}."
                )
                raise DataModelError(message)
        except SinkLater:
            raise
        except BaseException as error:  # (it is on a thread of its own: nobody else meant it to end)
            raise HookError(self._calls.failed(plugin, "post_publish", error, None)) from error
        self._calls.succeeded(plugin, "post_publish")
        return receipt

    def _call_every(
        self, hook: str, arguments: Mapping[str, Any], run: RunInfo | None, *, reverse: bool = False
    ) -> None:
        table = self._table
        for plugin in reversed(table.plugins) if reverse else table.plugins:
            function = table.hook(plugin, hook)
            if function is None:
                continue
            try:
                self._timed(plugin, hook, function, arguments)
            except CONTAINED as error:
                self.report(self._calls.failed(plugin, hook, error, None), run)
            else:
                self._calls.succeeded(plugin, hook)

    def _transform(
        self,
        hook: str,
        chunk_sequence: int | None,
        check: Callable[[Any], None] | None = None,
        **arguments: Any,
    ) -> Any:
        table = self._table
        try:
            answer = table.transform(hook, arguments)
            if check is not None:
                check(answer)
        except CONTAINED as error:
            trail = table.trail
            by_plugin = trail.culprit if error is trail.raised else trail.answered
            culprit = by_plugin or table.owner(hook)
            raise HookError(self._calls.failed(culprit, hook, error, chunk_sequence)) from error
        for plugin in (*table.plugins, DEFAULTS):
            self._calls.succeeded(plugin, hook)
        return answer

    def _timed(
        self, plugin: LoadedPlugin, hook: str, function: Callable[..., Any], arguments: Mapping[str, Any]
    ) -> Any:
        wanted = {name: arguments[name] for name in _accepted(function)}
        call = self._calls.begin(plugin, hook)
        answer, raised = None, None
        try:
            answer = function(**wanted)
        except BaseException as error:
            raised = error
            raise
        finally:
            self._calls.finish(call, arguments, answer, raised)
            raised = None  # it holds this frame, and with it the arguments
        return answer


def _is_something(answer: Any) -> None:
    if answer is None:
        message = "The answer is None: a wrapper must return what its yield gave, or something in its place."
        raise DataModelError(message)


def _accepted(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _is_result_of(run: RunInfo) -> Callable[[Any], None]:
    def check(answer: Any) -> None:
        if answer is None:
            return
        if not isinstance(answer, Result):
            message = f"post_process must return a Result or None and returned a {type(answer).__name__}."
            raise DataModelError(message)
        if answer.run_number != run.number:
            message = f"post_process returned a result of run {answer.run_number} in run {run.number}."
            raise DataModelError(message)

    return check
