"""The native source: the reader's items become chunks of one run each, closed by time, by size, or by the run's end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

import attrs

from livered_core.chunking.builder import ChunkBuilder, ChunkPacer
from livered_core.chunking.items import (
    DataMissing,
    DefinitionSeen,
    LogSample,
    MonitorPulse,
    PixelMapSeen,
    Pulse,
    PulseLeftOut,
    Remark,
    ReplayBegins,
    Resumed,
    RunBegan,
    RunChanged,
    RunStopped,
    StreamItem,
)
from livered_core.chunking.position import Follower, StreamPosition
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.stream_state import StreamState
from livered_core.clocks import Clock
from livered_core.model import RunEndReason, RunInfo
from livered_core.sources.base import ChunkConsumer, MakeReader, SourceStatus
from livered_core.sources.pulse_queue import PulseQueue

_log = logging.getLogger(__name__)
_POLL_S = 0.1
_JOIN_S = 0.02
_LEAST_FULL = 1 << 23
"""What a chunk holds beside events may take this much memory, events of 8 bytes, before it is closed for that."""
_COMES_AGAIN = "Its data come again from their beginning."
_LEAVE_BEHIND_S = 2.0
"""A reader that still waits for a name or an address when the session ends is not waited for."""


@attrs.frozen
class NativeSettings:
    """What the native source is told.

    Attributes
    ----------
    instrument
        Short name.
    update_every
        Seconds; see `ChunkPacer`.
    max_chunk_events
        A chunk closes when it holds so many events, so that memory stays bounded while history is replayed. It may
        close at fewer, where one with more would have to be copied together.
    queue_events
        Events that may wait between the reader and the reduction.
    selection
        Which pulses are taken.
    patience_s
        Asked to stop, a chunk that is being reduced may take so many seconds more; None for any time.
    """

    instrument: str
    update_every: float
    max_chunk_events: int
    queue_events: int
    selection: PulseSelection = attrs.field(factory=PulseSelection)
    patience_s: float | None = None


class NativeSource:
    """Chunks from an ADARA stream. `run` is for the reduction thread, `status` for any.

    Parameters
    ----------
    settings
        How.
    make_reader
        Makes what reads the stream: over TCP, or from a recording.
    clock
        For silence, back-off and the closing of chunks.
    mark
        Called on the reduction thread after each chunk that was reduced, with the place in the stream behind it.
    over
        Runs that are over, by number and start, nanoseconds UTC: what is replayed of them is left out.
    """

    def __init__(
        self,
        settings: NativeSettings,
        make_reader: MakeReader,
        clock: Clock,
        mark: Callable[[StreamPosition], None] = lambda _: None,
        over: Iterable[tuple[int, int]] = (),
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._mark = mark
        self._state = StreamState(settings.instrument, settings.selection, over)
        self._follower = Follower()
        self._run: RunInfo | None = None
        self._run_events = 0
        # Why the run in hand is to come again, until what waits in the queue has gone by; and until it has begun.
        self._replaying = ""
        self._again = ""
        self._begun_again_events = 0
        self._queue = PulseQueue(settings.queue_events)
        self._reader = make_reader(self._state, self._queue.put)
        self._builder = ChunkBuilder()
        self._pacer = ChunkPacer(settings.update_every)
        self._max_chunk_events = settings.max_chunk_events
        self._turns = 0

    def resume(self, position: StreamPosition) -> None:
        """Go on from where another process left a run, which the consumer has in hand; called before `run`.

        Parameters
        ----------
        position
            What `mark` was given after the last chunk that is in the consumer's data.
        """
        self._state.resume(position)
        self._follower.resumed(position)
        self._builder.resume(position.chunk_sequence)
        self._run = position.run

    def resize(self, max_chunk_events: int, queue_events: int) -> None:
        """Bound chunks and what waits otherwise than the settings say; safe from any thread."""
        self._max_chunk_events = max_chunk_events
        self._queue.set_max_events(queue_events)

    @property
    def can_replay(self) -> bool:
        """Whether the run in hand can come again from its start: not when its end has been read, and waits here."""
        run, read = self._run, self._state.run
        if run is None or read is None or (run.number, run.start_ns) != (read.number, read.start_ns):
            return False
        return self._reader.status.read_fraction is None

    @property
    def _in_run(self) -> bool:
        return self._run is not None

    def status(self) -> SourceStatus:
        """Return a snapshot; safe from any thread."""
        reader = self._reader.status
        return SourceStatus(
            where=self._reader.where,
            connection=reader.connection,
            problem=reader.problem,
            run=self._state.run,
            paused=self._state.paused,
            last_pulse_ns=self._state.last_pulse_ns,
            silent_s=reader.silent_s,
            waiting_events=self._queue.n_events + self._builder.n_events,
            connects=reader.connects,
            counts={**self._state.counts.by_name(), "begun_again_events": self._begun_again_events},
            beam_off_s=reader.beam_off_s,
            read_fraction=reader.read_fraction,
            turns=self._turns,
            patience_s=self._settings.patience_s,
        )

    def run(self, consumer: ChunkConsumer, stop: threading.Event) -> None:
        """Feed `consumer` until `stop` is set or the stream is over; the open chunk is reduced before this returns."""
        reading = threading.Event()
        failure: list[BaseException] = []
        thread = threading.Thread(
            target=self._read, args=(reading, failure), name="livered-reader", daemon=True
        )
        thread.start()
        try:
            self._pacer.begin(self._clock.monotonic(), 0.0)
            while not stop.is_set() and not failure and (thread.is_alive() or self._queue.n_items):
                self._step(consumer)
            if failure:
                raise failure[0]
            # What was received is reduced, also what the reader still holds.
            reading.set()
            left_behind = self._clock.monotonic() + _LEAVE_BEHIND_S
            while self._in_run and thread.is_alive() and self._clock.monotonic() < left_behind:
                self._drain(consumer)
                thread.join(_JOIN_S)
            if self._in_run:
                self._drain(consumer)
            self._stop_run(consumer, RunEndReason.SESSION_STOPPED)
        finally:
            reading.set()
            self._queue.close()
            thread.join(_LEAVE_BEHIND_S)

    def _read(self, stop: threading.Event, failure: list[BaseException]) -> None:
        try:
            self._reader.read_until(stop)
        except BaseException as error:  # noqa: BLE001  (handed to the reduction thread, which raises it)
            failure.append(error)

    def _step(self, consumer: ChunkConsumer) -> None:
        """Take one item, or see that the chunk is due."""
        self._turns += 1
        remaining = self._pacer.remaining(self._clock.monotonic())
        if remaining <= 0.0:
            self._close_chunk(consumer)
            return
        item = self._queue.get(min(remaining, _POLL_S))
        if item is not None:
            self._take(item, consumer)

    def _take(self, item: StreamItem, consumer: ChunkConsumer) -> None:
        if isinstance(item, ReplayBegins):
            self._builder.begin_run()
            self._again, self._replaying = self._replaying or _COMES_AGAIN, ""
        elif self._replaying and not isinstance(item, RunStopped):
            if isinstance(item, Pulse):
                self._begun_again_events += len(item.tof)
        elif isinstance(item, PulseLeftOut):
            self._follower.pulse(item)
        elif isinstance(item, Pulse | MonitorPulse | LogSample):
            self._collect(item, consumer)
            self._keep_bounded(consumer)
        elif isinstance(item, DefinitionSeen | PixelMapSeen | Resumed):
            self._take_note(item, consumer)
        else:
            self._pass_on(item, consumer)

    def _collect(self, item: Pulse | MonitorPulse | LogSample, consumer: ChunkConsumer) -> None:
        """Put into the chunk what it is made of."""
        if isinstance(item, Pulse):
            if self._builder.is_worth_closing_before(item):
                self._hand_over(consumer)
            self._builder.add(item)
            self._follower.pulse(item)
            self._run_events += len(item.tof)
        elif isinstance(item, MonitorPulse):
            self._builder.add_monitors(item)
            self._follower.monitor(item)
        else:
            self._builder.add_log(item)

    def _take_note(self, item: DefinitionSeen | PixelMapSeen | Resumed, consumer: ChunkConsumer) -> None:
        """Take up what counts for the pulses that follow."""
        if isinstance(item, DefinitionSeen):
            if self._builder.n_pulses:
                self._hand_over(consumer)
            self._builder.definition = item.definition
        elif isinstance(item, PixelMapSeen):
            self._builder.pixel_map = item.pixel_map
        elif not self._builder.n_pulses:
            # Of the values that were replayed those in force count.
            self._builder.settle_logs()

    def _pass_on(
        self, item: RunBegan | RunChanged | DataMissing | Remark | RunStopped, consumer: ChunkConsumer
    ) -> None:
        """Tell the consumer of runs."""
        if isinstance(item, RunBegan):
            self._begin_run(item, consumer)
        elif isinstance(item, RunChanged):
            self._run = item.run
            consumer.run_changed(item.run)
        elif isinstance(item, DataMissing):
            consumer.data_missing(item.sentence)
        elif isinstance(item, Remark):
            _log.warning("%s", item.sentence)
        else:
            self._stop_run(consumer, item.reason)

    def _begin_run(self, item: RunBegan, consumer: ChunkConsumer) -> None:
        again = self._run is not None
        if again:
            self._begun_again_events += self._run_events
        self._builder.begin_run()
        self._follower.run_began()
        self._run, self._run_events = item.run, 0
        if again:
            consumer.run_restarted(self._again or _COMES_AGAIN)
            consumer.run_changed(item.run)
            if item.missing:
                consumer.data_missing(item.missing)
        else:
            consumer.run_began(item.run, item.missing)
        self._again = ""
        self._pacer.begin(self._clock.monotonic(), 0.0)

    def _keep_bounded(self, consumer: ChunkConsumer) -> None:
        """Close a chunk that is full, of events or of anything else; without a pulse there is nothing to reduce."""
        builder, most = self._builder, self._max_chunk_events
        if builder.n_events < most and builder.weight < max(most, _LEAST_FULL):
            return
        if builder.n_pulses:
            self._hand_over(consumer)
            return
        builder.settle_logs()
        dropped = builder.drop_monitors()
        if dropped:
            consumer.data_missing(
                f"{dropped} events of beam monitors came without any pulse: they are left out."
            )

    def _hand_over(self, consumer: ChunkConsumer) -> None:
        """Close the chunk and have it reduced; what is not among its events is said once."""
        chunk = self._builder.close()
        if chunk.n_error_pixel_events or chunk.n_unmapped_events:
            _log.info(
                "Chunk %d: %d events in pixels that the detectors marked as errors and %d in pixels that are not "
                "in the pixel map are left out.",
                chunk.sequence,
                chunk.n_error_pixel_events,
                chunk.n_unmapped_events,
            )
        consumer.take_chunk(chunk)
        if self._run is not None:
            self._mark(self._follower.after(chunk, self._run))
        self._see_whether_it_comes_again(consumer)

    def _see_whether_it_comes_again(self, consumer: ChunkConsumer) -> None:
        why = consumer.replay_wanted()
        if why and self._reader.replay():
            self._replaying = why
            self._builder.begin_run()

    def _close_chunk(self, consumer: ChunkConsumer) -> None:
        # What came while the previous chunk was being reduced belongs to this one.
        self._drain(consumer)
        closed = self._clock.monotonic()
        if self._builder.n_pulses:
            self._hand_over(consumer)
        else:
            self._builder.settle_logs()
        consumer.update_due()
        self._see_whether_it_comes_again(consumer)
        self._pacer.begin(closed, self._clock.monotonic() - closed)

    def _drain(self, consumer: ChunkConsumer) -> None:
        """Take what waits in the queue now, up to the end of the run and no more than that."""
        for _ in range(self._queue.n_items):
            item = self._queue.get(0.0)
            if item is not None:
                self._take(item, consumer)
            if isinstance(item, RunStopped):
                # The session may end with the run.
                return

    def _stop_run(self, consumer: ChunkConsumer, reason: RunEndReason) -> None:
        if not self._in_run:
            return
        self._replaying = self._again = ""
        try:
            if self._builder.n_pulses:
                self._hand_over(consumer)
        finally:
            self._run = None
            consumer.run_ended(reason)
