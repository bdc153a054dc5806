"""The book of calls of hooks: how often, how long, with what success, and which of them run."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import attrs

from livered_core.clocks import Clock
from livered_core.hooks.markers import SKIP
from livered_core.hooks.registry import LoadedPlugin
from livered_core.hooks.spec import LIFECYCLE
from livered_core.model import HookFailure

_LONGEST_ERROR: Final = 2_000
_LONGEST_TRACEBACK: Final = 50_000

Outcome = Literal["returned", "none", "skip", "raised"]
"""How a call of a hook came back."""


@attrs.frozen
class CallStatistics:
    """How often a plugin's hook was called and how long it took.

    Attributes
    ----------
    calls, failures
        Numbers of calls and of calls that failed.
    last_s, total_s, longest_s
        Seconds of the last call, of all, and of the longest; a wrapper's include what it wraps.
    last_error
        Text of the newest failure; empty without one.
    failures_in_a_row
        How many of the newest calls failed; 0 where the newest one worked.
    """

    calls: int = 0
    failures: int = 0
    last_s: float = 0.0
    total_s: float = 0.0
    last_error: str = ""
    longest_s: float = 0.0
    failures_in_a_row: int = 0


@attrs.frozen(eq=False)
class RunningCall:
    """A call of a hook that has not come back yet.

    Attributes
    ----------
    plugin, hook
        Which.
    since_s
        When it began, in the clock's monotonic seconds.
    """

    plugin: str
    hook: str
    since_s: float


@attrs.frozen
class FinishedCall:
    """A call of a hook that has come back.

    Attributes
    ----------
    plugin, hook
        Which.
    run
        Number of the run it was called for; None outside a run.
    chunk
        Number of the chunk it was called for; None for hooks that get none.
    began_s, seconds
        When it began, in the clock's monotonic seconds, and how long it took; a wrapper's include what it wraps.
    outcome
        ``"returned"`` something, or nothing where nothing is expected; ``"none"`` where an answer is (a transform left
        to the next plugin, a sink that had nothing to do); ``"skip"`` (`SKIP`); or ``"raised"``.
    error
        Type and text of what it raised; empty otherwise.
    """

    plugin: str
    hook: str
    run: int | None
    chunk: int | None
    began_s: float
    seconds: float
    outcome: Outcome
    error: str = ""


CallListener = Callable[[FinishedCall], None]
"""Is told of each call, in the order in which they come back, on the thread of the call; returns at once and raises
nothing."""


class Calls:
    """Counts and times the calls of hooks. All methods may be called from any thread.

    Parameters
    ----------
    clock
        For the times.
    listener
        Is told of each call that has come back.
    """

    def __init__(self, clock: Clock, listener: CallListener | None = None) -> None:
        self._clock = clock
        self._listener = listener
        self._lock = threading.Lock()
        self._statistics: dict[tuple[str, str], CallStatistics] = {}
        self._consecutive: dict[tuple[str, str], int] = {}
        self._running: dict[int, RunningCall] = {}

    def begin(self, plugin: LoadedPlugin, hook: str) -> RunningCall:
        """Note that a call begins."""
        call = RunningCall(plugin.name, hook, self._clock.monotonic())
        with self._lock:
            self._running[id(call)] = call
        return call

    def finish(
        self, call: RunningCall, arguments: Mapping[str, Any], answer: Any, raised: BaseException | None
    ) -> None:
        """Note that it has come back.

        Parameters
        ----------
        call
            What `begin` gave.
        arguments
            What the hook was called with, by name.
        answer, raised
            What it returned, or raised.
        """
        seconds = self._clock.monotonic() - call.since_s
        with self._lock:
            self._running.pop(id(call), None)
            self._count(call.plugin, call.hook, seconds)
        if self._listener is not None:
            self._listener(_finished(call, seconds, arguments, answer, raised))

    def note(self, finished: FinishedCall) -> None:
        """Note a call that was made, and has come back, in another process."""
        with self._lock:
            self._count(finished.plugin, finished.hook, finished.seconds)
        if self._listener is not None:
            # The clock of the other process counts from elsewhere.
            self._listener(attrs.evolve(finished, began_s=self._clock.monotonic() - finished.seconds))

    def _count(self, plugin: str, hook: str, seconds: float) -> None:
        """Count a call; for who has the lock."""
        so_far = self._statistics.get((plugin, hook), CallStatistics())
        self._statistics[plugin, hook] = attrs.evolve(
            so_far,
            calls=so_far.calls + 1,
            last_s=seconds,
            total_s=so_far.total_s + seconds,
            longest_s=max(so_far.longest_s, seconds),
        )

    def running(self) -> tuple[RunningCall, ...]:
        """Return the calls that have not come back, in the order in which they began."""
        with self._lock:
            return tuple(self._running.values())

    def succeeded(self, plugin: LoadedPlugin, hook: str) -> None:
        """End the row of failures of a hook."""
        with self._lock:
            self._consecutive.pop((plugin.name, hook), None)

    def forget_rows(self) -> None:
        """Begin all rows of failures anew."""
        with self._lock:
            self._consecutive.clear()

    def failed(
        self, plugin: LoadedPlugin, hook: str, error: BaseException, chunk_sequence: int | None
    ) -> HookFailure:
        """Count a failure and describe it."""
        return self.failed_elsewhere(
            HookFailure(
                plugin=plugin.name,
                version=plugin.version,
                hook=hook,
                error=words_of(error),
                traceback=trace_of(error),
                chunk_sequence=chunk_sequence,
                consecutive=1,
            )
        )

    def failed_elsewhere(self, failure: HookFailure) -> HookFailure:
        """Count a failure that was described already, and return it with the length of its row."""
        key = (failure.plugin, failure.hook)
        with self._lock:
            self._consecutive[key] = self._consecutive.get(key, 0) + 1
            so_far = self._statistics.get(key, CallStatistics())
            self._statistics[key] = attrs.evolve(
                so_far, failures=so_far.failures + 1, last_error=failure.error
            )
            return attrs.evolve(failure, consecutive=self._consecutive[key])

    def statistics(self) -> dict[tuple[str, str], CallStatistics]:
        """Return a snapshot: (plugin, hook) to its statistics."""
        with self._lock:
            return {
                key: attrs.evolve(found, failures_in_a_row=self._consecutive.get(key, 0))
                for key, found in self._statistics.items()
            }


def _finished(
    call: RunningCall,
    seconds: float,
    arguments: Mapping[str, Any],
    answer: Any,
    raised: BaseException | None,
) -> FinishedCall:
    run, chunk = arguments.get("run"), arguments.get("chunk")
    outcome: Outcome = "returned"
    if raised is not None:
        outcome = "raised"
    elif answer is SKIP:
        outcome = "skip"
    elif answer is None and call.hook not in LIFECYCLE:
        outcome = "none"
    return FinishedCall(
        plugin=call.plugin,
        hook=call.hook,
        run=None if run is None else run.number,
        chunk=None if chunk is None else chunk.sequence,
        began_s=call.since_s,
        seconds=seconds,
        outcome=outcome,
        error="" if raised is None else words_of(raised),
    )


def words_of(error: BaseException) -> str:
    """Type and text in one line; an exception may fail even in saying what it is."""
    try:
        return _shortened(" ".join(f"{type(error).__name__}: {error}".split()), _LONGEST_ERROR)
    except BaseException:  # noqa: BLE001  (nothing more is known of it)
        return type(error).__name__


def trace_of(error: BaseException) -> str:
    """Return the traceback of an exception, of bounded length."""
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
