"""What is written down of a session for other programs: its runs, its failures, its history."""

from __future__ import annotations

from livered_core.clocks import Clock
from livered_core.model import HookFailure, RunEndReason, RunInfo
from livered_core.publish.failures import Failures
from livered_core.publish.history import EVERY_S, History
from livered_core.publish.run_directory import RunDirectory
from livered_core.publish.run_list import RunList


class Books:
    """The runs, failures and history of a run directory, continued from the session before.

    `run_started`, `run_ended` and `failed` may be called from any thread and return at once; `add` and `write` belong
    to one thread.

    Parameters
    ----------
    folder
        The run directory.
    session
        `id` of the session.
    clock
        The clocks.
    """

    def __init__(self, folder: RunDirectory, session: str, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self.runs = RunList.continued(folder, session, clock)
        self.failures = Failures.continued(folder, session, clock)
        self._history = History.continued(folder)
        self._history_due = 0.0
        self._written: dict[str, int] = {}

    def run_started(self, run: RunInfo) -> None:
        """Note that a run goes on."""
        self.runs.run_started(run)

    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Note the end of a run."""
        self.runs.run_ended(run, reason)

    def failed(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Note a plugin's failure."""
        self.failures.failed(failure, run)

    def add(self, event_rate: float, lag_s: float | None, phase: str) -> None:
        """Note rate, lag and phase when it is time for it, and write the history; see `History.add`.

        Raises
        ------
        OSError
            When the folder cannot be written.
        """
        now_s = self._clock.monotonic()
        if now_s >= self._history_due:
            self._history_due = now_s + EVERY_S
            self._history.add(self._clock.now_ns(), event_rate, lag_s, phase)
            self._folder.replace("history.json", [self._history.as_json()])

    def folder_is_new(self) -> None:
        """Note that the files are gone: all are written again, and no result of a run is kept any more."""
        self._written.clear()
        self._history_due = 0.0
        self.runs.kept_are(self._folder.kept_runs())

    @property
    def versions_written(self) -> tuple[int, int]:
        """Of the runs and of the failures, what the files hold at least; 0 before they are written."""
        return self._written.get("runs.json", 0), self._written.get("failures.json", 0)

    def write(self) -> tuple[int, int]:
        """Write what has changed.

        Returns
        -------
        tuple of int
            `versions_written`.

        Raises
        ------
        OSError
            When the folder cannot be written.
        """
        for name, book in (("runs.json", self.runs), ("failures.json", self.failures)):
            # The version first: what changes meanwhile is in the file and is written once more.
            version = book.version
            if self._written.get(name) != version:
                self._folder.replace(name, book.as_json())
                self._written[name] = version
        return self.versions_written
