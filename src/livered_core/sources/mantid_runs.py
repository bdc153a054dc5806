"""Runs as Mantid's chunks show them: where they begin and end, and which of them are history.

A chunk of Mantid's never mixes two runs. Its run number is the only sign of a new run; ``run_end`` among its properties
says that it is the last one of its run. Between runs a chunk has no run number.

A run whose end was lost, because Mantid drops what comes while it hands over a chunk, is asked for again: the server has it.

Asked for the start of the current run, the server replays whatever it still has, older runs first, and Mantid filters
nothing. A run counts as the current one when data of it come that are newer than the request, or when nothing comes for
`_QUIET_S` although it has not ended: then the replay is over. Until then its chunks are reduced and nothing of it is
published; a run that ends before is history, and left out.
"""

from __future__ import annotations

import logging
import math
from typing import Any, Final

import attrs

from livered_core.model import Chunk, RunEndReason, RunInfo, format_utc
from livered_core.sources.base import ChunkConsumer
from livered_core.sources.mantid_chunks import Said
from livered_core.workspaces import run_of, slow_logs_of

_log = logging.getLogger(__name__)

_LATE_NS: Final = 10_000_000_000
"""Data that begin so long after the start of their run do not begin with it."""
_QUIET_S: Final = 10.0
"""A replay in which nothing has come for so long is over."""
_REPLAYS: Final = 2
"""A run whose end was lost is asked for again so often."""
_REMEMBERED_RUNS: Final = 1000


@attrs.frozen
class Begin:
    """Where the session begins.

    Attributes
    ----------
    asked_ns
        When it was asked for data, nanoseconds UTC.
    start_ns
        As `LiveRequest.start_ns`: None for the start of the current run, else from then on.
    says_ends
        Whether the listener says which chunk is the last one of a run, and the server can replay runs.
    """

    asked_ns: int
    start_ns: int | None
    says_ends: bool = True

    @property
    def wants_current_run(self) -> bool:
        """Whether runs that are over do not count."""
        return self.start_ns is None


@attrs.define(eq=False)
class Counts:
    """Where the events of all chunks went; they add up to `events`.

    Attributes
    ----------
    chunks, empty_chunks
        That Mantid gave, and those among them without an event and a new pulse.
    events
        In all of them.
    reduced_events
        Handed to the reduction.
    between_runs_events, replayed_events, early_events
        Of no run; of runs that are over; before the time asked for.
    """

    chunks: int = 0
    empty_chunks: int = 0
    events: int = 0
    reduced_events: int = 0
    between_runs_events: int = 0
    replayed_events: int = 0
    early_events: int = 0


class RunFollower:
    """Feeds a consumer with chunks, run by run. For one thread at a time.

    Parameters
    ----------
    begin
        Where the session begins.
    """

    def __init__(self, begin: Begin) -> None:
        self.counts = Counts()
        self._begin = begin
        self._over: dict[int, None] = {}
        self._seen_empty = 0
        self._not_before_ns = begin.start_ns or 0
        # The run in hand.
        self._run: RunInfo | None = None
        self._is_ours = False
        self._sequence = 0
        self._total_events = 0
        self._newest_ns = 0
        self._shown_ns = 0
        self._awaits_start = False
        self._replays = 0

    @property
    def run(self) -> RunInfo | None:
        """The run in hand; None between runs."""
        return self._run

    def take(
        self,
        said: Said,
        workspace: Any,
        consumer: ChunkConsumer,
        n_chunks: int = 1,
        *,
        more_waits: bool = False,
        quiet_s: float = math.inf,
    ) -> str:
        """Take a chunk.

        Parameters
        ----------
        said
            What it says of itself.
        workspace
            The chunk.
        consumer
            Gets what follows from it.
        n_chunks
            Chunks of Mantid's that are in it.
        more_waits
            Whether the next chunk is there already: then no update is made.
        quiet_s
            For how long nothing new has come, seconds.

        Returns
        -------
        str
            Why the run in hand must be asked for again, with `begin_again`; empty when it must not.
        """
        n_events = self._new_events(said)
        is_empty = n_events == 0 and said.n_pulses == 0
        is_quiet = is_empty and quiet_s >= _QUIET_S
        self.counts.chunks += n_chunks
        self.counts.events += n_events + said.n_early
        self.counts.early_events += said.n_early
        self.counts.empty_chunks += is_empty
        if self._has_lost_its_end(said):
            # The data after it come again, too.
            self.counts.replayed_events += n_events
            self._replays += 1
            return f"The end of run {self._number} was lost on the way: Mantid drops what comes while it hands over a chunk."
        if said.run is None:
            self.counts.between_runs_events += n_events
            self._no_run(said, consumer)
        elif self._is_history(said.run, said):
            self.counts.replayed_events += n_events
        elif 0 < said.last_pulse_ns < self._not_before_ns:
            self.counts.early_events += n_events
        elif is_empty and self._run is None and self._seen_empty != said.run.number:
            # It may be the first word of a run that is over: what comes next tells.
            self._seen_empty = said.run.number
        else:
            self._follow(said.run, said, consumer)
            if not is_empty:
                self._hand_over(said, n_events, workspace, consumer)
            wanted = consumer.replay_wanted()
            if wanted and self._begin.says_ends:
                return wanted
            self._go_on(said, is_quiet, more_waits, consumer)
        return ""

    def begin_again(self, sentence: str, consumer: ChunkConsumer, not_before_ns: int = 0) -> None:
        """Throw away what there is of the run in hand: its data come again from their beginning.

        Parameters
        ----------
        sentence
            Why.
        consumer
            Is told of it.
        not_before_ns
            What is earlier does not count from now on, nanoseconds UTC.
        """
        self._total_events = 0
        self._sequence = 0
        self._not_before_ns = max(self._not_before_ns, not_before_ns)
        if self._run is not None:
            self._awaits_start = True
            self._shown_ns = self._newest_ns
            consumer.run_restarted(sentence)

    def stop(self, consumer: ChunkConsumer) -> None:
        """End the run in hand because the session ends."""
        if self._run is None:
            return
        reason = RunEndReason.SESSION_STOPPED
        if not self._is_ours:
            reason = RunEndReason.OVER_BEFORE
        elif self._shown_ns:
            # What was shown before the replay is more than what there is of it.
            reason = RunEndReason.SESSION_FAILED
        self._end(reason, consumer)

    def _new_events(self, said: Said) -> int:
        """Count the events that are new: a histogram holds those of the chunks before as well."""
        if said.kind != "histogram":
            return said.n_events
        same = self._run is not None and said.run is not None and said.run.number == self._run.number
        before = self._total_events if same else 0
        self._total_events = said.n_events
        return max(0, said.n_events - before)

    @property
    def _number(self) -> int:
        """Number of the run in hand; 0 for none."""
        return 0 if self._run is None else self._run.number

    def _is_before(self, said: Said) -> bool:
        """Say whether a chunk comes before the run in hand, which is being replayed from its start."""
        return self._awaits_start and said.last_pulse_ns <= self._newest_ns

    def _has_lost_its_end(self, said: Said) -> bool:
        """Say whether the run in hand is over, its end was not seen, and it is worth asking for it again."""
        number = 0 if said.run is None else said.run.number
        is_over = self._is_ours and self._number not in (0, number) and number not in self._over
        return is_over and self._begin.says_ends and not self._is_before(said) and self._replays < _REPLAYS

    def _no_run(self, said: Said, consumer: ChunkConsumer) -> None:
        self._seen_empty = 0
        if self._run is not None and not self._is_before(said):
            consumer.data_missing(
                "The end of the run was not seen: the data only say that there is no run any more."
            )
            self._end(RunEndReason.ENDED if self._is_ours else RunEndReason.OVER_BEFORE, consumer)

    def _is_history(self, run: RunInfo, said: Said) -> bool:
        """Say whether a chunk is of a run that is over, or older than the one in hand."""
        if run.number in self._over:
            return True
        if self._run is not None:
            return run.number != self._run.number and self._is_before(said)
        if self._begin.wants_current_run and said.ended and said.last_pulse_ns < self._begin.asked_ns:
            _log.info("Run %d was over before livered began: it is left out.", run.number)
            self._remember(run.number)
            return True
        return False

    def _follow(self, run: RunInfo, said: Said, consumer: ChunkConsumer) -> None:
        """Begin the run of a chunk, if it is not in hand, or take up what became known of it."""
        if self._run is not None and run.number != self._run.number:
            if self._begin.says_ends:
                consumer.data_missing("The end of the run was not seen: another run has begun.")
            self._end(RunEndReason.REPLACED if self._is_ours else RunEndReason.OVER_BEFORE, consumer)
        if self._run is None:
            self._run = run
            self._is_ours = not self._begin.wants_current_run
            self._sequence, self._newest_ns, self._shown_ns = 0, 0, 0
            self._awaits_start, self._replays = False, 0
            consumer.run_began(run, self._missing(run, said))
            return
        if run != self._run:
            self._run = run
            consumer.run_changed(run)
        if self._awaits_start and said.n_pulses:
            self._awaits_start = False
            missing = self._missing(run, said)
            if missing:
                consumer.data_missing(missing)

    def _missing(self, run: RunInfo, said: Said) -> str:
        """Say why the data do not begin with their run; empty when they do, or when that is not known."""
        if run.start_ns and self._not_before_ns > run.start_ns:
            return f"Data before {format_utc(self._not_before_ns)} were left out, as asked."
        late_ns = said.first_pulse_ns - run.start_ns
        if run.start_ns and said.first_pulse_ns and late_ns > _LATE_NS:
            return f"The data begin {late_ns / 1e9:.0f} s after the start of the run."
        return ""

    def _hand_over(self, said: Said, n_events: int, workspace: Any, consumer: ChunkConsumer) -> None:
        self._sequence += 1
        self._newest_ns = max(self._newest_ns, said.last_pulse_ns)
        self.counts.reduced_events += n_events
        run = run_of(workspace)
        consumer.take_chunk(
            Chunk(
                sequence=self._sequence,
                model="mantid",
                data=workspace,
                first_pulse_ns=said.first_pulse_ns,
                last_pulse_ns=said.last_pulse_ns,
                n_pulses=said.n_pulses,
                n_events=n_events,
                proton_charge_pc=said.proton_charge_pc,
                logs={} if run is None else slow_logs_of(run),
                is_total=said.kind == "histogram",
            )
        )

    def _go_on(self, said: Said, is_quiet: bool, more_waits: bool, consumer: ChunkConsumer) -> None:
        """End the run, or make an update of what is no replay any more."""
        nothing_left = is_quiet and not said.ended
        if nothing_left or said.last_pulse_ns >= self._begin.asked_ns:
            self._is_ours = True
        if nothing_left or said.ended or said.last_pulse_ns >= self._shown_ns:
            self._shown_ns = 0
        if said.ended:
            self._end(RunEndReason.ENDED if self._is_ours else RunEndReason.OVER_BEFORE, consumer)
        elif self._is_ours and not self._shown_ns and not more_waits:
            consumer.update_due()

    def _end(self, reason: RunEndReason, consumer: ChunkConsumer) -> None:
        assert self._run is not None
        self._remember(self._run.number)
        self._run = None
        self._total_events = 0
        self._seen_empty = 0
        consumer.run_ended(reason)

    def _remember(self, number: int) -> None:
        self._over[number] = None
        while len(self._over) > _REMEMBERED_RUNS:
            del self._over[next(iter(self._over))]
