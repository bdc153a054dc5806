"""Calling hooks: in order, contained, attributed, timed and checked.

Everything that pluggy alone does not promise is here. Nobody else calls pluggy.
"""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs
import pluggy

from livered_core.clocks import Clock
from livered_core.errors import DataModelError, HookError, SinkLater
from livered_core.hooks.defaults import DefaultTransforms
from livered_core.hooks.inspection import implemented_hooks
from livered_core.hooks.markers import PROJECT
from livered_core.hooks.registry import LoadedPlugin
from livered_core.hooks.spec import TRANSFORMS, LiveredHooks
from livered_core.model import Chunk, HookFailure, Receipt, Result, RunEndReason, RunInfo, SessionInfo, Update

_log = logging.getLogger(__name__)
_CONTAINED: Final = (Exception, SystemExit)
_LONGEST_ERROR: Final = 2_000
_LONGEST_TRACEBACK: Final = 50_000
_DEFAULTS: Final = LoadedPlugin("livered defaults", "", "livered-core", DefaultTransforms())


@attrs.frozen
class CallStatistics:
    """How often a plugin's hook was called and how long it took.

    Attributes
    ----------
    calls, failures
        Numbers of calls and of calls that failed.
    last_s, total_s
        Seconds of the last call and of all; a wrapper's include what it wraps.
    last_error
        Text of the newest failure; empty without one.
    """

    calls: int = 0
    failures: int = 0
    last_s: float = 0.0
    total_s: float = 0.0
    last_error: str = ""


@attrs.define(eq=False)
class _Trail:
    """Who answered and who raised during one call of a transform."""

    answered: LoadedPlugin | None = None
    answer: Any = None
    raised: BaseException | None = None
    culprit: LoadedPlugin | None = None

    def note_answer(self, plugin: LoadedPlugin, answer: Any) -> None:
        """Remember who gave the answer; a wrapper that hands an answer on did not give it."""
        if self.answered is None or answer is not self.answer:
            self.answered, self.answer = plugin, answer


class Witness(Protocol):
    """Is told of runs and failures, on whatever thread they happen; returns at once and raises nothing."""

    def run_started(self, run: RunInfo) -> None:
        """Take note that a run begins, or begins again."""

    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Take note that a run has ended; its plugins have been told."""

    def failed(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Take note of a failure that was contained."""


class _Transforms:
    """What pluggy gets to see of a plugin: its transforms, watched."""

    def __init__(self, hooks: Mapping[str, Callable[..., Any]]) -> None:
        self.__dict__.update(hooks)


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
    """

    def __init__(
        self,
        plugins: Sequence[LoadedPlugin],
        owners: Mapping[str, str],
        clock: Clock,
        witness: Witness | None = None,
    ) -> None:
        self._plugins = tuple(plugins)
        self._clock = clock
        self._witness = witness
        self._lock = threading.Lock()
        self._statistics: dict[tuple[str, str], CallStatistics] = {}
        self._consecutive: dict[tuple[str, str], int] = {}
        self._trail = _Trail()
        self._hooks: dict[str, dict[str, Callable[..., Any]]] = {}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(LiveredHooks)
        # pluggy calls the plugin that was registered last first.
        for plugin in (_DEFAULTS, *reversed(self._plugins)):
            roles = implemented_hooks(type(plugin.instance))
            transforms = {
                hook: self._watched(plugin, hook, role == "wrapper")
                for hook, role in roles.items()
                if hook in TRANSFORMS
                and (role == "wrapper" or owners.get(hook, plugin.name) == plugin.name or plugin is _DEFAULTS)
            }
            self._hooks[plugin.name] = {h: getattr(plugin.instance, h) for h in roles if h not in TRANSFORMS}
            self._manager.register(_Transforms(transforms), name=plugin.name)

    @property
    def plugins(self) -> tuple[LoadedPlugin, ...]:
        """The plugins in the order of their calls, without the built-in defaults."""
        return self._plugins

    @property
    def sinks(self) -> tuple[str, ...]:
        """Names of the plugins that implement post_publish, in the order of their calls."""
        return tuple(plugin.name for plugin in self._plugins if "post_publish" in self._hooks[plugin.name])

    def statistics(self) -> dict[tuple[str, str], CallStatistics]:
        """Return a snapshot: (plugin, hook) to its statistics."""
        with self._lock:
            return dict(self._statistics)

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
        for plugin in self._plugins:
            hook = self._hooks[plugin.name].get("on_error")
            if hook is None:
                continue
            try:
                self._timed(plugin, "on_error", hook, {"failure": failure, "run": run})
            except _CONTAINED as error:
                self._note(self._failure(plugin, "on_error", error, None), run)

    def _note(self, failure: HookFailure, run: RunInfo | None) -> None:
        _log.error("%s\n%s", failure.sentence, failure.traceback)
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
        return self._transform("process_chunk", chunk.sequence, check=_is_something, chunk=chunk, run=run)

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
        plugin = next(plugin for plugin in self._plugins if plugin.name == sink)
        hook = self._hooks[sink]["post_publish"]
        try:
            receipt = self._timed(
                plugin, "post_publish", hook, {"result": result, "run": run, "update": update}
            )
            if not isinstance(receipt, (Receipt, type(None))):
                message = (
                    f"post_publish must return a Receipt or None and returned a {type(receipt).__name__}."
                )
                raise DataModelError(message)
        except SinkLater:
            raise
        except BaseException as error:  # (it is on a thread of its own: nobody else meant it to end)
            raise HookError(self._failure(plugin, "post_publish", error, None)) from error
        self._succeeded(plugin, "post_publish")
        return receipt

    def _call_every(
        self, hook: str, arguments: Mapping[str, Any], run: RunInfo | None, *, reverse: bool = False
    ) -> None:
        for plugin in reversed(self._plugins) if reverse else self._plugins:
            function = self._hooks[plugin.name].get(hook)
            if function is None:
                continue
            try:
                self._timed(plugin, hook, function, arguments)
            except _CONTAINED as error:
                self.report(self._failure(plugin, hook, error, None), run)
            else:
                self._succeeded(plugin, hook)

    def _transform(
        self,
        hook: str,
        chunk_sequence: int | None,
        check: Callable[[Any], None] | None = None,
        **arguments: Any,
    ) -> Any:
        trail = self._trail = _Trail()
        try:
            answer = getattr(self._manager.hook, hook)(**arguments)
            if check is not None:
                check(answer)
        except _CONTAINED as error:
            by_plugin = trail.culprit if error is trail.raised else trail.answered
            culprit = by_plugin or self._owner(hook)
            raise HookError(self._failure(culprit, hook, error, chunk_sequence)) from error
        for plugin in (*self._plugins, _DEFAULTS):
            self._succeeded(plugin, hook)
        return answer

    def _owner(self, hook: str) -> LoadedPlugin:
        owners = [p for p in self._plugins if hook in implemented_hooks(type(p.instance))]
        return owners[0] if owners else _DEFAULTS

    def _timed(
        self, plugin: LoadedPlugin, hook: str, function: Callable[..., Any], arguments: Mapping[str, Any]
    ) -> Any:
        wanted = {name: arguments[name] for name in _accepted(function)}
        started = self._clock.monotonic()
        try:
            return function(**wanted)
        finally:
            self._count(plugin, hook, self._clock.monotonic() - started)

    def _watched(self, plugin: LoadedPlugin, hook: str, is_wrapper: bool) -> Callable[..., Any]:
        """Wrap a transform so that calls are timed and whoever raised or answered is known."""
        function = getattr(plugin.instance, hook)

        def blame(error: BaseException) -> None:
            if self._trail.raised is not error:
                self._trail.raised, self._trail.culprit = error, plugin

        @functools.wraps(function)
        def owner(*args: Any) -> Any:
            started = self._clock.monotonic()
            try:
                answer = function(*args)
            except _CONTAINED as error:
                blame(error)
                raise
            finally:
                self._count(plugin, hook, self._clock.monotonic() - started)
            if answer is not None:
                self._trail.note_answer(plugin, answer)
            return answer

        @functools.wraps(function)
        def wrapper(*args: Any) -> Generator[None, Any, Any]:
            started = self._clock.monotonic()
            try:
                generator = function(*args)
                next(generator)
                try:
                    outcome = yield
                except BaseException as error:  # noqa: BLE001  (the wrapper's to catch or to pass on)
                    answer = _finish(generator, error)
                else:
                    answer = _finish(generator, outcome)
            except _CONTAINED as error:
                blame(error)
                raise
            finally:
                self._count(plugin, hook, self._clock.monotonic() - started)
            self._trail.note_answer(plugin, answer)
            return answer

        return wrapper if is_wrapper else owner

    def _count(self, plugin: LoadedPlugin, hook: str, seconds: float) -> None:
        with self._lock:
            so_far = self._statistics.get((plugin.name, hook), CallStatistics())
            self._statistics[plugin.name, hook] = attrs.evolve(
                so_far, calls=so_far.calls + 1, last_s=seconds, total_s=so_far.total_s + seconds
            )

    def _succeeded(self, plugin: LoadedPlugin, hook: str) -> None:
        with self._lock:
            self._consecutive.pop((plugin.name, hook), None)

    def _failure(
        self, plugin: LoadedPlugin, hook: str, error: BaseException, chunk_sequence: int | None
    ) -> HookFailure:
        key = (plugin.name, hook)
        text = _words(error)
        with self._lock:
            self._consecutive[key] = self._consecutive.get(key, 0) + 1
            so_far = self._statistics.get(key, CallStatistics())
            self._statistics[key] = attrs.evolve(so_far, failures=so_far.failures + 1, last_error=text)
            consecutive = self._consecutive[key]
        return HookFailure(
            plugin=plugin.name,
            version=plugin.version,
            hook=hook,
            error=text,
            traceback=_trace(error),
            chunk_sequence=chunk_sequence,
            consecutive=consecutive,
        )


def _finish(generator: Generator[None, Any, Any], outcome: Any) -> Any:
    """Run a wrapper from its yield to its end."""
    try:
        generator.throw(outcome) if isinstance(outcome, BaseException) else generator.send(outcome)
    except StopIteration as stop:
        return stop.value
    generator.close()
    message = "A wrapper must yield once and yielded again."
    raise DataModelError(message)


def _is_something(answer: Any) -> None:
    if answer is None:
        message = "The answer is None: a wrapper must return what its yield gave, or something in its place."
        raise DataModelError(message)


def _words(error: BaseException) -> str:
    """Type and text in one line; an exception may fail even in saying what it is."""
    try:
        return _shortened(" ".join(f"{type(error).__name__}: {error}".split()), _LONGEST_ERROR)
    except BaseException:  # noqa: BLE001  (nothing more is known of it)
        return type(error).__name__


def _trace(error: BaseException) -> str:
    try:
        return _shortened("".join(traceback.format_exception(error)), _LONGEST_TRACEBACK)
    except BaseException:  # noqa: BLE001  (it is a plugin's class, and may fail in anything it is asked)
        return f"There is no traceback: the {type(error).__name__} cannot be written.\n"


def _shortened(text: str, most: int) -> str:
    """Leave out the middle of a long text: some exceptions hold the whole answer of a server."""
    left_out = len(text) - most
    if left_out <= 0:
        return text
    return f"{text[: most // 2]} ... ({left_out} characters left out) ... {text[-(most // 2) :]}"


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
