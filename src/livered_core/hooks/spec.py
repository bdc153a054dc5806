"""The hooks: what a plugin may implement, when it is called, on which thread, and what happens when it fails.

Implement a hook as a method of the same name with the same argument names (any of them may be left out),
marked with `livered_core.hookimpl`. Arguments are frozen; data belong to the engine unless said otherwise.
"""

from __future__ import annotations

from typing import Any

from livered_core.hooks.markers import hookspec
from livered_core.model import Chunk, HookFailure, Receipt, Result, RunEndReason, RunInfo, SessionInfo, Update

TRANSFORMS = ("process_chunk", "accumulate", "post_process")
"""Hooks with one owner each: the first result that is not None counts."""
LIFECYCLE = ("session_started", "run_started", "run_ended", "session_ended", "on_error")
"""Hooks that every plugin gets."""
OUTWARD = ("post_publish",)
"""Hooks of sinks, each called on a thread of its own."""


class LiveredHooks:
    """The hook specifications."""

    @hookspec
    def session_started(self, session: SessionInfo) -> None:
        """Prepare for a session.

        When: once, after all plugins are loaded and before the source is opened.
        Thread: main; of an instance that takes the place of another while livered runs, one of its own, and the reduction waits.
        Returns: nothing.
        On failure: contained, reported to `on_error`; the session goes on.

        Examples
        --------
        >>> class Plugin:
        ...     @hookimpl
        ...     def session_started(self, session):
        ...         print(f"reducing {session.instrument} from {session.source}")
        """

    @hookspec
    def run_started(self, run: RunInfo) -> None:
        """Prepare for a run; whatever was kept of the run before must go.

        When: at the first sign of a run, before its first chunk.
        Thread: reduction.
        Returns: nothing.
        On failure: contained, reported to `on_error`; the run is reduced all the same.

        Examples
        --------
        >>> class Plugin:
        ...     @hookimpl
        ...     def run_started(self, run):
        ...         print(f"run {run.number}: {run.title}")
        """

    @hookspec
    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Put away what belonged to a run.

        When: after the run's last update has been published by the engine; `reason` says whether it was final.
        Thread: reduction.
        Returns: nothing.
        On failure: contained, reported to `on_error`.

        Examples
        --------
        >>> class Plugin:
        ...     @hookimpl
        ...     def run_ended(self, run, reason):
        ...         print(f"run {run.number} {reason.value}")
        """

    @hookspec
    def session_ended(self, session: SessionInfo) -> None:
        """Close what `session_started` opened.

        When: once, at the very end, also after an error; plugins are called in reverse order.
        Thread: one of its own; asked to stop, livered ends without a plugin that does not come back.
        Returns: nothing.
        On failure: contained, reported to `on_error`.

        Examples
        --------
        >>> class Plugin:
        ...     @hookimpl
        ...     def session_ended(self, session):
        ...         print("good night")
        """

    @hookspec
    def on_error(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Hear of a failure of any plugin.

        When: after each contained failure; `run` is None outside a run.
        Thread: the one on which the failure happened; several at the same time when several plugins fail.
        Returns: nothing.
        On failure: logged, and not reported again.

        Examples
        --------
        >>> class Plugin:
        ...     @hookimpl
        ...     def on_error(self, failure, run):
        ...         print(failure.sentence)
        """

    @hookspec(firstresult=True)
    def process_chunk(self, chunk: Chunk, run: RunInfo) -> Any:
        """Turn a chunk of events into something that can be accumulated.

        When: for each chunk of a run that holds at least one pulse.
        Thread: reduction. Never called concurrently with another transform.
        Returns: the processed data, `SKIP` to leave the chunk out, or None to leave it to the default
        (a time-of-flight spectrum of the whole detector).
        On failure: the chunk is dropped and counted, the run is marked incomplete, the next chunk goes on.

        Examples
        --------
        >>> class Plugin:
        ...     @hookimpl
        ...     def process_chunk(self, chunk):
        ...         return np.bincount(chunk.events.pixel_id, minlength=1024)
        """

    @hookspec(firstresult=True)
    def accumulate(self, accumulated: Any, processed: Any, chunk: Chunk, run: RunInfo) -> Any:
        """Add what `process_chunk` made to what there is.

        When: after each `process_chunk` that did not skip; `accumulated` is None for the first of a run.
        Thread: reduction.
        Returns: the new accumulated data, or None for the default: `processed` for the first chunk, else
        ``accumulated + processed``; `BegunAnew` to throw away what was accumulated before. Do not change `accumulated`
        in place: after a failure the old one is kept.
        On failure: the chunk is dropped and counted, the run is marked incomplete, the next chunk goes on.

        Examples
        --------
        >>> class Plugin:
        ...     @hookimpl
        ...     def accumulate(self, accumulated, processed):
        ...         return processed if accumulated is None else accumulated + processed
        """

    @hookspec(firstresult=True)
    def post_process(self, accumulated: Any, run: RunInfo, update: Update) -> Result | None:
        """Make the curves that the experiment is about.

        When: every `update_every` seconds and at the end of the run (``update.final``), if anything has been
        accumulated.
        Thread: reduction.
        Returns: a `Result`, or None for the default (see `livered_core.hooks.defaults`).
        On failure: nothing is published for this update; the last good result stays.

        Examples
        --------
        >>> class Plugin:
        ...     @hookimpl
        ...     def post_process(self, accumulated, run):
        ...         n = len(accumulated)
        ...         curve = Curve("counts", np.arange(n), accumulated, np.sqrt(accumulated), "pixel", "counts")
        ...         return Result(run.number, run.title, [curve])
        """

    @hookspec
    def post_publish(self, result: Result, run: RunInfo, update: Update) -> Receipt | None:
        """Send a result somewhere.

        When: after the engine has made the result visible. Only the newest result is offered to a sink that is
        slower than the updates; a final result (``update.final``) is never left out, and waits on disk until it is
        taken. A run whose final result was sent is not offered again when the server replays it.
        Thread: publish, one for each sink: it may block without slowing the reduction or another sink, and may be
        called while transforms are.
        Returns: a `Receipt`, or None when there was nothing to do.
        On failure: reported to `on_error` and tried again with back-off: the same result if it is final, else
        the newest. After `SinkRejected` an update is forgotten, and a final result comes again when the sink has
        taken another one, and in the next session. `SinkLater` is no failure: the newest result comes again after
        the seconds that it names.

        Examples
        --------
        >>> class Plugin:
        ...     @hookimpl
        ...     def post_publish(self, result, run, update):
        ...         print(f"run {run.number}: {update.n_events} events in {len(result.curves)} curves")
        """
