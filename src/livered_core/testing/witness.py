"""What a harness hears of its session: calls and failures, with what was raised."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from livered_core.errors import HookError
from livered_core.hooks.calls import FinishedCall
from livered_core.model import HookFailure, RunEndReason, RunInfo


class Witness:
    """Takes note of calls and failures; for one thread.

    Attributes
    ----------
    calls
        All calls of hooks, in the order in which they came back.
    failures
        All failures that were contained.
    raises
        Whether `watched` raises the first failure of what happens inside.
    """

    def __init__(self, *, raises: bool) -> None:
        self.calls: list[FinishedCall] = []
        self.failures: list[HookFailure] = []
        self.raises = raises
        self._raised: dict[tuple[str, str], BaseException] = {}
        self._causes: list[BaseException | None] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise the first failure of what happens inside, when livered has dealt with it.

        Raises
        ------
        HookError
            Whose cause is what the plugin raised.
        """
        before = len(self.failures)
        try:
            yield
        finally:
            # What was raised holds the frames in which it was, and with them the data: it is not kept.
            causes, self._causes = self._causes, []
            self._raised.clear()
        if self.raises and len(self.failures) > before:
            raise HookError(self.failures[before]) from causes[0]

    def heard(self, call: FinishedCall) -> None:
        """Take note of a call that has come back; where it raised, its exception is on its way."""
        self.calls.append(call)
        raised = sys.exc_info()[1]
        if call.outcome == "raised" and raised is not None:
            self._raised[call.plugin, call.hook] = raised

    def run_started(self, run: RunInfo) -> None:
        """Nothing to note."""

    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Nothing to note."""

    def failed(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Take note of a failure."""
        self.failures.append(failure)
        self._causes.append(self._raised.pop((failure.plugin, failure.hook), None))
