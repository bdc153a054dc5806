"""One plugin, called as at the beamline, without a thread, a stream or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import attrs

from livered_core.clocks import Clock, SystemClock
from livered_core.errors import DataModelError, PluginError
from livered_core.hooks.calls import CallStatistics, FinishedCall
from livered_core.model import (
    Chunk,
    DataModel,
    HookFailure,
    Receipt,
    Result,
    RunEndReason,
    RunInfo,
    SessionInfo,
    Update,
)
from livered_core.testing.deliveries import Delivery
from livered_core.testing.harness_session import HarnessSession
from livered_core.testing.loading import load_plugins
from livered_core.testing.nouns import make_run


class PluginHarness:
    """Runs one plugin through livered's own dispatcher and pipeline, in the thread of the test.

    As at the beamline, settings are read strictly, the plugin's ``check`` is asked before the session, hooks are called
    in their order with frozen arguments, and failures are contained and attributed. Unlike there, sinks are called at
    once and in the same thread, nothing is tried again, and the session goes on after any number of failures.

    Use it as a context manager, which begins and ends the session. Without, the session begins with the first run, and
    ends with `end_session`.

    Parameters
    ----------
    plugin
        The plugin's class, or an object of it.
    settings
        For a class: a mapping that is read as the table ``[plugins.<name>]`` would be, over the defaults that an
        instrument's plugin ships; or an object of its `settings_class`. None for the defaults.
    name
        Its name in the configuration. By default the one that an installed package declares for the class, else the
        class's name in small letters with underscores.
    beside
        Other plugins of the session, called after it in their order: classes, objects, or pairs of a class and its
        settings.
    run
        The first run, for `start_run` and `reduce` without one; its instrument is the session's.
    clock
        For the times of calls and the lag of updates; by default the machine's.
    check
        Whether what is wrong is raised: by `ConfigError` before the session what ``check`` methods and conflicts of
        plugins say, by `HookError` the first failure of a hook in each call of the harness, when livered has dealt with
        it. Otherwise look at `problems` and `failures`.
    backend
        ``"native"`` or ``"mantid"``; by default that of the first chunk, or the first that all plugins can work with.
    owners
        As ``[hooks.owner]``: name of a transform to name of the plugin that owns it.
    session
        Fields for `SessionInfo` such as ``{"output_dir": str(tmp_path)}``.

    Raises
    ------
    PluginLoadError
        When a hook is misspelt or has wrong arguments, or a constructor fails.
    ConfigError
        With every problem of the settings.

    Examples
    --------
    >>> from livered_core import hookimpl
    >>> from livered_core.testing import one_event_chunk
    >>> class Counts:
    ...     @hookimpl
    ...     def process_chunk(self, chunk):
    ...         return chunk.n_events
    >>> with PluginHarness(Counts) as harness:
    ...     harness.feed(one_event_chunk(), one_event_chunk(sequence=2))
    ...     harness.accumulated
    2
    """

    def __init__(  # noqa: PLR0913  (what a session is made of, each with a default)
        self,
        plugin: Any,
        settings: Mapping[str, Any] | Any | None = None,
        *,
        name: str = "",
        beside: Sequence[Any] = (),
        run: RunInfo | None = None,
        clock: Clock | None = None,
        check: bool = True,
        backend: DataModel | None = None,
        owners: Mapping[str, str] | None = None,
        session: Mapping[str, Any] | None = None,
    ) -> None:
        plugins, instrument = load_plugins(plugin, settings, name, beside, run)
        self._next_run = make_run(instrument=instrument) if run is None else run
        self._session = HarnessSession(
            plugins,
            owners or {},
            SystemClock() if clock is None else clock,
            check=check,
            backend=backend,
            fields=session or {},
        )
        self._pipeline = self._session.pipeline
        self._witness = self._session.witness

    # What there is to see.

    @property
    def instance(self) -> Any:
        """The plugin's object."""
        return self._session.plugins[0].instance

    @property
    def name(self) -> str:
        """The plugin's name in the configuration, as in transcripts and failures."""
        return self._session.plugins[0].name

    @property
    def session(self) -> SessionInfo | None:
        """The session; None before it has begun."""
        return self._session.info

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps the session from beginning at the beamline: a sentence each. Known when it has begun."""
        return tuple(self._session.problems)

    @property
    def results(self) -> tuple[Result, ...]:
        """All results so far, of all runs."""
        return tuple(self._session.results)

    @property
    def updates(self) -> tuple[Update, ...]:
        """What each of `results` rests on."""
        return tuple(self._session.updates)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """What came of each result at each sink."""
        return tuple(self._session.deliveries)

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The receipts of all sinks so far."""
        return tuple(
            delivery.receipt for delivery in self._session.deliveries if delivery.receipt is not None
        )

    @property
    def failures(self) -> tuple[HookFailure, ...]:
        """All failures of hooks so far."""
        return tuple(self._witness.failures)

    @property
    def accumulated(self) -> Any:
        """What has been accumulated of the run in hand, between runs of the last one; None without a chunk."""
        state = self._pipeline.state
        return self._session.accumulated if state is None else state.accumulated

    @property
    def transcript(self) -> tuple[FinishedCall, ...]:
        """All calls of hooks in the order in which they came back; a wrapper's comes after what it wraps."""
        return tuple(self._witness.calls)

    def statistics(self) -> dict[tuple[str, str], CallStatistics]:
        """Return (plugin, hook) to the statistics of its calls."""
        return self._session.hooks.statistics()

    # What there is to do.

    def __enter__(self) -> PluginHarness:
        self.start_session()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # What went wrong in the test is said, not what follows from it.
            self._witness.raises = False
        self._session.end(RunEndReason.SESSION_STOPPED if kind is None else RunEndReason.SESSION_FAILED)

    def start_session(self) -> SessionInfo:
        """Begin the session, if it has not begun.

        Returns
        -------
        SessionInfo
            The session.

        Raises
        ------
        ConfigError, HookError
            When something is wrong, unless ``check=False``.
        RuntimeError
            When it has ended.
        """
        return self._begin()

    def end_session(self) -> None:
        """End the run in hand, as a session does that is asked to stop, and the session, if they have begun.

        Raises
        ------
        HookError
            When a hook failed, unless ``check=False``.
        """
        self._session.end(RunEndReason.SESSION_STOPPED)

    def start_run(self, run: RunInfo | None = None) -> RunInfo:
        """Begin a run; one that is in hand is replaced by it, as when a server begins another without an end.

        Parameters
        ----------
        run
            The run; by default the one that the harness was made with, later ones with the next numbers.

        Returns
        -------
        RunInfo
            The run.

        Raises
        ------
        ConfigError, HookError
            When something is wrong, unless ``check=False``.
        """
        self._begin()
        if self._pipeline.state is not None:
            self.end_run(RunEndReason.REPLACED)
        run = self._next_run if run is None else run
        self._next_run = attrs.evolve(self._next_run, number=run.number + 1)
        with self._witness.watched():
            self._pipeline.run_began(run)
        return run

    def feed(self, *chunks: Chunk) -> None:
        """Reduce chunks of the run in hand; without one, of a run that begins with them.

        Parameters
        ----------
        chunks
            In their order.

        Raises
        ------
        ConfigError, HookError
            When something is wrong, unless ``check=False``.
        DataModelError
            When a chunk is of another model than the session.
        """
        session = self._begin(chunks[0].model if chunks else None)
        if self._pipeline.state is None:
            self.start_run()
        for chunk in chunks:
            if chunk.model != session.backend:
                message = (
                    f"Chunk {chunk.sequence} is of the {chunk.model} model and the backend of this session is "
                    f'{session.backend}: feed it to PluginHarness(..., backend="{chunk.model}").'
                )
                raise DataModelError(message)
            with self._witness.watched():
                self._pipeline.take_chunk(chunk)

    def update(self) -> Result | None:
        """Make an update of the run in hand and offer it to the sinks.

        Returns
        -------
        Result or None
            None where nothing has come since the last update, or no plugin made a result.

        Raises
        ------
        HookError
            When a hook failed, unless ``check=False``.
        """
        before = len(self._session.results)
        with self._witness.watched():
            self._pipeline.update_due()
        return self._session.results[-1] if len(self._session.results) > before else None

    def end_run(self, reason: RunEndReason = RunEndReason.ENDED) -> Result | None:
        """End the run in hand, with its last update.

        Parameters
        ----------
        reason
            Why; only after ``ENDED`` and ``REPLACED`` the result is final.

        Returns
        -------
        Result or None
            The last update's; None where there was none.

        Raises
        ------
        HookError
            When a hook failed, unless ``check=False``.
        RuntimeError
            Without a run.
        """
        if self._pipeline.state is None:
            message = "PluginHarness has no run to end: call start_run or feed first."
            raise RuntimeError(message)
        before = len(self._session.results)
        self._session.end_run(reason)
        return self._session.results[-1] if len(self._session.results) > before else None

    def restart_run(self, why: str = "The run comes again from its start.") -> None:
        """Begin the run in hand again, as when the server replays it: ``run_ended``, then ``run_started``.

        Parameters
        ----------
        why
            One sentence for the log.

        Raises
        ------
        HookError
            When a hook failed, unless ``check=False``.
        RuntimeError
            Without a run.
        """
        with self._witness.watched():
            self._pipeline.run_restarted(why)

    def replay_wanted(self) -> str:
        """Say once why a plugin wants the run to come again from its start (`BegunAnew`); empty where none does."""
        return self._pipeline.replay_wanted()

    def reduce(self, *chunks: Chunk, run: RunInfo | None = None) -> Result:
        """Reduce a whole run, from its beginning to its end.

        Parameters
        ----------
        chunks
            In their order.
        run
            The run; by default as in `start_run`.

        Returns
        -------
        Result
            The final one.

        Raises
        ------
        ConfigError, HookError
            When something is wrong, unless ``check=False``.
        DataModelError
            When a chunk is of another model than the session.
        PluginError
            When there is no result, whatever `check` is: where that may be, use `feed` and `end_run`.
        """
        self._begin(chunks[0].model if chunks else None)
        before = len(self._witness.failures)
        run = self.start_run(run)
        self.feed(*chunks)
        result = self.end_run()
        if result is None:
            raise PluginError(self._why_nothing(run, before))
        return result

    # How it works.

    def _begin(self, model: DataModel | None = None) -> SessionInfo:
        return self._session.begin(self._next_run.instrument, model)

    def _why_nothing(self, run: RunInfo, n_failures_before: int) -> str:
        said = [failure.sentence for failure in self._witness.failures[n_failures_before:]]
        if self._session.accumulated is None:
            said.append("no chunk was accumulated")
        said.append("no plugin made a result of what is accumulated")
        return f"Run {run.number} gave no result: {said[0].rstrip('.')}."
