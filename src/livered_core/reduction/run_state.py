"""What is known of the run in hand: what has been accumulated of it, what was left out, and why."""

from __future__ import annotations

from typing import Any

import attrs

from livered_core.model import Chunk, RunInfo, Update


@attrs.frozen(eq=False)
class RunState:
    """The accumulated data of a run with their bookkeeping; each step makes a new one.

    Attributes
    ----------
    run
        The run.
    accumulated
        What `accumulate` returned last; None before the first chunk.
    n_chunks, n_pulses, n_events, proton_charge_pc
        Of the chunks that were accumulated.
    first_pulse_ns, last_pulse_ns
        Time of the first and the newest pulse accumulated, nanoseconds UTC; 0 without.
    skipped_chunks, skipped_events
        Left out by a plugin on purpose (SKIP).
    skipped_pulse_ns, skipped_by
        Time of the newest pulse of them, nanoseconds UTC, 0 without; the plugin that left out the newest of them.
    dropped_chunks, dropped_events
        Lost to a failure.
    missing
        One sentence for each reason why the run is not complete, without repetition.
    updates
        Number of updates so far.
    kept_runs, first_kept
        How many earlier runs' data are in it (``run_transition = "keep"``), and the number of the first of them.
    reloaded
        One sentence when its data were reduced in two ways, since code or settings of plugins changed; else empty.
    """

    run: RunInfo
    accumulated: Any = None
    n_chunks: int = 0
    n_pulses: int = 0
    n_events: int = 0
    proton_charge_pc: float = 0.0
    first_pulse_ns: int = 0
    last_pulse_ns: int = 0
    skipped_chunks: int = 0
    skipped_events: int = 0
    skipped_pulse_ns: int = 0
    skipped_by: str = ""
    dropped_chunks: int = 0
    dropped_events: int = 0
    missing: tuple[str, ...] = ()
    updates: int = 0
    kept_runs: int = 0
    first_kept: int = 0
    reloaded: str = ""

    def with_chunk(self, chunk: Chunk, accumulated: Any) -> RunState:
        """Count a chunk that has been accumulated."""
        return attrs.evolve(
            self,
            accumulated=accumulated,
            n_chunks=self.n_chunks + 1,
            n_pulses=self.n_pulses + chunk.n_pulses,
            n_events=self.n_events + chunk.n_events,
            proton_charge_pc=self.proton_charge_pc + chunk.proton_charge_pc,
            first_pulse_ns=self.first_pulse_ns or chunk.first_pulse_ns,
            last_pulse_ns=max(self.last_pulse_ns, chunk.last_pulse_ns),
        )

    @property
    def newest_pulse_ns(self) -> int:
        """Time of the newest pulse that was accumulated or left out on purpose, nanoseconds UTC; 0 without.

        One that was lost to a failure is not among them: nobody has dealt with it.
        """
        return max(self.last_pulse_ns, self.skipped_pulse_ns)

    def with_skipped(self, chunk: Chunk, plugin: str) -> RunState:
        """Count a chunk that a plugin, by its name, left out on purpose."""
        return attrs.evolve(
            self,
            skipped_chunks=self.skipped_chunks + 1,
            skipped_events=self.skipped_events + chunk.n_events,
            skipped_pulse_ns=max(self.skipped_pulse_ns, chunk.last_pulse_ns),
            skipped_by=plugin,
        )

    def with_dropped(self, chunk: Chunk) -> RunState:
        """Count a chunk that was lost to a failure."""
        return attrs.evolve(
            self, dropped_chunks=self.dropped_chunks + 1, dropped_events=self.dropped_events + chunk.n_events
        )

    def with_missing(self, sentence: str) -> RunState:
        """Note a reason why the run is not complete."""
        return self if sentence in self.missing else attrs.evolve(self, missing=(*self.missing, sentence))

    def carried_into(self, run: RunInfo) -> RunState:
        """Go on with the data of this run in the next one."""
        first = self.first_kept or self.run.number
        return attrs.evolve(
            self, run=run, updates=0, kept_runs=self.kept_runs + 1, first_kept=first, reloaded=""
        )

    def update(self, *, final: bool, now_ns: int) -> Update:
        """Describe the next update.

        Parameters
        ----------
        final
            Whether the run has ended.
        now_ns
            Wall time, nanoseconds UTC.
        """
        missing = self.missing
        if self.kept_runs:
            what = (
                f"run {self.first_kept}"
                if self.kept_runs == 1
                else f"{self.kept_runs} runs from {self.first_kept} on"
            )
            missing = (*missing, f"Data of {what} are included (run_transition = keep).")
        if self.dropped_chunks:
            one = self.dropped_chunks == 1
            missing = (
                *missing,
                f"{self.dropped_chunks} chunk{'' if one else 's'} with {self.dropped_events:,} events "
                f"{'was' if one else 'were'} lost to a plugin's failure.",
            )
        return Update(
            sequence=self.updates + 1,
            final=final,
            n_chunks=self.n_chunks,
            n_pulses=self.n_pulses,
            n_events=self.n_events,
            proton_charge_pc=self.proton_charge_pc,
            first_pulse_ns=self.first_pulse_ns,
            last_pulse_ns=self.last_pulse_ns,
            skipped_chunks=self.skipped_chunks,
            skipped_events=self.skipped_events,
            dropped_chunks=self.dropped_chunks,
            dropped_events=self.dropped_events,
            complete=not missing,
            missing=missing,
            lag_ns=max(0, now_ns - self.last_pulse_ns) if self.last_pulse_ns else 0,
        )
