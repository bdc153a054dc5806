"""What is known of a trial: a plugin that was run over data by the real engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from livered_core.hooks.calls import FinishedCall, RunningCall
from livered_core.testing.trial_parts import Failed, Heard, HookTimes, MemoryUsed, SinkUsed, TriedRun


@attrs.frozen(eq=False)
class Trial:
    """A plugin that was run over data.

    Attributes
    ----------
    plugin
        Its name, distribution, version and class.
    name
        Its name in the session.
    kind
        What it is for; see `livered_core.testing.named.Kind`.
    hooks
        The hooks that it implements, and whether it owns or wraps them.
    beside
        Names of the other plugins.
    instrument, source, backend
        What was reduced, and how.
    calls
        Each call of a hook, in the order of their beginnings.
    began_s
        When the trial began, in the clock of `calls`.
    runs
        What came of each run.
    counts
        What the source received and where it went.
    chunks
        Events of each chunk that was handed to the plugins, by run and number.
    busy_s
        Seconds that the reduction took for them, and for the results.
    wall_s
        Seconds of it all, the start of the simulated beamline included.
    memory
        Memory.
    sinks
        How each sink has fared.
    heard
        Warnings.
    failures
        Failures of hooks.
    ended
        What ended the session before its time; empty where nothing did.
    stopped
        Whether somebody asked it to stop.
    stuck
        Whether something hangs, so that the process must end without it.
    unfinished
        Calls of hooks that had not come back at the end.
    threads
        Names of the threads that went on after it, and that a process waits for.
    begun_again
        Whether a run came again from its start, or should have: what was reduced of it does not count.
    budget_ns
        Nanoseconds for each event that the plugin may take; None without a budget.
    files
        What was written.
    page
        The page with the curves; None where there are none.
    """

    plugin: str
    name: str
    kind: str
    hooks: Mapping[str, str]
    beside: tuple[str, ...]
    instrument: str
    source: str
    backend: str
    calls: tuple[FinishedCall, ...]
    began_s: float
    runs: tuple[TriedRun, ...]
    counts: Mapping[str, int]
    chunks: Mapping[tuple[int, int], int]
    busy_s: float
    wall_s: float
    memory: MemoryUsed
    sinks: tuple[SinkUsed, ...]
    heard: tuple[Heard, ...]
    failures: tuple[Failed, ...]
    ended: str
    stopped: bool
    stuck: bool
    unfinished: tuple[RunningCall, ...]
    threads: tuple[str, ...]
    begun_again: bool
    budget_ns: float | None
    files: tuple[Path, ...] = ()
    page: Path | None = None

    @property
    def beam_s(self) -> float:
        """Seconds of beam in which the data came."""
        return sum(run.seconds for run in self.runs)

    @property
    def n_events(self) -> int:
        """Events of all chunks that were handed to the plugins."""
        return sum(self.chunks.values())

    @property
    def ns_per_event(self) -> float | None:
        """Nanoseconds that the plugin takes for an event of a chunk, without what it wraps; None without events.

        The first chunk does not count where there are others: libraries are loaded and compiled, and files are read
        with it. Updates do not count: what they take does not grow with the events.
        """
        counted = dict(self.chunks)
        if len(counted) > 1:
            del counted[next(iter(counted))]
        n_events = sum(counted.values())
        if not n_events:
            return None
        own_s = 0.0
        for call in self.calls:
            if (call.run, call.chunk) not in counted or call.hook not in self.hooks:
                continue
            if call.plugin == self.name:
                own_s += call.seconds
            elif self.hooks[call.hook] == "wrapper":
                own_s -= call.seconds
        return max(0.0, own_s) / n_events * 1e9

    def times(self) -> list[HookTimes]:
        """Sum the calls up, the tried plugin's first, each in the order of their first calls."""
        found: dict[tuple[str, str], list[FinishedCall]] = {}
        for call in self.calls:
            found.setdefault((call.plugin, call.hook), []).append(call)
        rows = [
            HookTimes(
                plugin,
                hook,
                len(calls),
                sum(call.outcome == "raised" for call in calls),
                sum(call.seconds for call in calls),
                max(call.seconds for call in calls),
            )
            for (plugin, hook), calls in found.items()
        ]
        return sorted(rows, key=lambda row: row.plugin != self.name)
