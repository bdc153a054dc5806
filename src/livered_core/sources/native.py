"""The native source: the reader's items become chunks of one run each, closed by time, by size, or by the run's end."""

from __future__ import annotations

import logging
import threading

import attrs

from livered_core.chunking.builder import ChunkBuilder, ChunkPacer
from livered_core.chunking.items import (
    DataMissing,
    DefinitionSeen,
    LogSample,
    MonitorPulse,
    PixelMapSeen,
    Pulse,
    Remark,
    RunBegan,
    RunChanged,
    RunStopped,
    StreamItem,
)
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.stream_state import StreamState
from livered_core.clocks import Clock
from livered_core.model import RunEndReason
from livered_core.sources.base import ChunkConsumer, MakeReader, SourceStatus
from livered_core.sources.pulse_queue import PulseQueue

_log = logging.getLogger(__name__)
_POLL_S = 0.1
_JOIN_S = 0.02
_LEAST_FULL = 1 << 23
"""What a chunk holds beside events may take this much memory, events of 8 bytes, before it is closed for that."""
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
    """

    instrument: str
    update_every: float
    max_chunk_events: int
    queue_events: int
    selection: PulseSelection = attrs.field(factory=PulseSelection)


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
    """

    def __init__(self, settings: NativeSettings, make_reader: MakeReader, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._state = StreamState(settings.instrument, settings.selection)
        self._queue = PulseQueue(settings.queue_events)
        self._reader = make_reader(self._state, self._queue.put)
        self._builder = ChunkBuilder()
        self._pacer = ChunkPacer(settings.update_every)
        self._in_run = False
        self._turns = 0

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
            counts=self._state.counts.by_name(),
            beam_off_s=reader.beam_off_s,
            read_fraction=reader.read_fraction,
            turns=self._turns,
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
        if isinstance(item, Pulse):
            if self._builder.is_worth_closing_before(item):
                self._hand_over(consumer)
            self._builder.add(item)
            self._keep_bounded(consumer)
        elif isinstance(item, MonitorPulse):
            self._builder.add_monitors(item)
            self._keep_bounded(consumer)
        elif isinstance(item, LogSample):
            self._builder.add_log(item)
            self._keep_bounded(consumer)
        elif isinstance(item, DefinitionSeen):
            if self._builder.n_pulses:
                self._hand_over(consumer)
            self._builder.definition = item.definition
        elif isinstance(item, PixelMapSeen):
            self._builder.pixel_map = item.pixel_map
        elif isinstance(item, RunBegan):
            self._builder.begin_run()
            self._in_run = True
            consumer.run_began(item.run, item.missing)
            self._pacer.begin(self._clock.monotonic(), 0.0)
        elif isinstance(item, RunChanged):
            consumer.run_changed(item.run)
        elif isinstance(item, DataMissing):
            consumer.data_missing(item.sentence)
        elif isinstance(item, Remark):
            _log.warning("%s", item.sentence)
        elif isinstance(item, RunStopped):
            self._stop_run(consumer, item.reason)

    def _keep_bounded(self, consumer: ChunkConsumer) -> None:
        """Close a chunk that is full, of events or of anything else; without a pulse there is nothing to reduce."""
        builder, most = self._builder, self._settings.max_chunk_events
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

    def _close_chunk(self, consumer: ChunkConsumer) -> None:
        # What came while the previous chunk was being reduced belongs to this one.
        self._drain(consumer)
        closed = self._clock.monotonic()
        if self._builder.n_pulses:
            self._hand_over(consumer)
        else:
            self._builder.settle_logs()
        consumer.update_due()
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
        self._in_run = False
        try:
            if self._builder.n_pulses:
                self._hand_over(consumer)
        finally:
            consumer.run_ended(reason)
