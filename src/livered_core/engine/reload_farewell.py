"""The end of plugins that others have taken the place of: on a thread of its own, ``livered-reload-end``."""

from __future__ import annotations

import logging
import threading
from typing import Final

from livered_core.clocks import Clock
from livered_core.engine.reload_attempt import end_plugins
from livered_core.engine.reload_trial import Notes
from livered_core.hooks.boundary import Boundary
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.registry import LoadedPlugin
from livered_core.hooks.table import Table
from livered_core.model import HookFailure, RunInfo, SessionInfo

_log = logging.getLogger(__name__)
_SINKS_S: Final = 60.0


class Farewells:
    """Ends plugins while the session goes on: a sink of them may be in a call, and an end may hang.

    `say` is for the reduction thread, `join` for the main thread.

    Parameters
    ----------
    hooks
        The session's, which are told of failures.
    clock
        The clocks.
    """

    def __init__(self, hooks: Dispatcher, clock: Clock) -> None:
        self._notes = _Forwarded(hooks)
        self._clock = clock
        self._threads: list[threading.Thread] = []

    def say(self, old: tuple[LoadedPlugin, ...], table: Table, info: SessionInfo, boundary: Boundary) -> None:
        """Tell plugins that run and session are over for them; returns at once.

        Parameters
        ----------
        old
            The plugins.
        table
            The one that they were in.
        info
            The session.
        boundary
            For the run in hand.
        """
        if not old:
            return

        def end() -> None:
            if not table.wait_idle(_SINKS_S):
                _log.warning("A sink from before the reload is still in a call: it is ended all the same.")
            end_plugins(old, info, boundary, self._clock, self._notes)

        thread = threading.Thread(target=end, name="livered-reload-end", daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()]
        self._threads.append(thread)
        thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the threads, each so long at most."""
        for thread in self._threads:
            thread.join(seconds)


class _Forwarded(Notes):
    """Tells the session of failures of plugins that are on their way out."""

    def __init__(self, hooks: Dispatcher) -> None:
        super().__init__()
        self._hooks = hooks

    def failed(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Report a failure."""
        self._hooks.report(failure, run)
