"""The in-band run state machine: what each packet means for the run in hand.

Only NEW_RUN and END_RUN are run edges, and STATE with a run number where the client attaches. RUN_EOF and
RUN_BOF are file rolls of the same run. What the server replays of older runs, or of pulses that were taken
before the connection was lost, is left out and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import attrs

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    BankedEvents,
    Geometry,
    Packet,
    PulseFlag,
    RunDetails,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    UnknownPacket,
    detector_events,
    read_run_info,
)
from livered_core.chunking.items import (
    DataMissing,
    DefinitionSeen,
    Pulse,
    Remark,
    RunBegan,
    RunChanged,
    RunStopped,
    StreamItem,
)
from livered_core.chunking.slow_logs import SlowLogDecoder
from livered_core.errors import ProtocolError
from livered_core.model import InstrumentDefinition, RunEndReason, RunInfo, format_utc

_REMEMBERED_PULSES: Final = 600
"""Pulses among which a repetition is recognised: ten seconds at 60 Hz."""


@attrs.define
class StreamCounts:
    """What came in, and where it went. Written by the reader's thread, read by any.

    ``pulses`` is the sum of the six pulse counts below it, and so for events.

    Attributes
    ----------
    packets, unknown_packets, unreadable_packets
        All packets, those of types that this client does not know, and descriptions that cannot be read.
    pulses, events
        Everything that came, events in error pixels and unmapped ones included.
    reduced_pulses, reduced_events
        Handed on to be reduced.
    between_runs_pulses, between_runs_events
        Came while no run was going on.
    paused_pulses, paused_events
        Came while the run was paused.
    replayed_pulses, replayed_events
        Had been taken before, or belong to a run that is over.
    early_pulses, early_events
        Lie before the time that was asked for.
    error_pixel_events, unmapped_events
        In pulses that were handed on, but not events of a detector pixel.
    """

    packets: int = 0
    unknown_packets: int = 0
    unreadable_packets: int = 0
    pulses: int = 0
    events: int = 0
    reduced_pulses: int = 0
    reduced_events: int = 0
    between_runs_pulses: int = 0
    between_runs_events: int = 0
    paused_pulses: int = 0
    paused_events: int = 0
    replayed_pulses: int = 0
    replayed_events: int = 0
    early_pulses: int = 0
    early_events: int = 0
    error_pixel_events: int = 0
    unmapped_events: int = 0


class StreamState:
    """Follows runs through the packets of one or more connections; belongs to the reader's thread.

    Parameters
    ----------
    instrument
        Short name for `RunInfo`.
    not_before_ns
        Pulses before this time are left out; 0 takes all.
    """

    def __init__(self, instrument: str, not_before_ns: int = 0) -> None:
        self.counts = StreamCounts()
        self._instrument = instrument
        self._not_before_ns = not_before_ns
        self._logs = SlowLogDecoder()
        self._run: RunInfo | None = None
        self._announced = False
        self._joined = ""
        self._details: dict[int, RunDetails] = {}
        self._newest_run = 0
        self._over = False
        self._history = False
        self._paused = False
        self._last_pulse_ns = 0
        self._recent: deque[int] = deque(maxlen=_REMEMBERED_PULSES)
        self._resume_after_ns = 0
        self._overlap_seen = True
        self._attaching = True
        self._definition: InstrumentDefinition | None = None

    @property
    def run(self) -> RunInfo | None:
        """The run in hand; None between runs."""
        return self._run

    @property
    def paused(self) -> bool:
        """Whether the run is paused."""
        return self._paused

    @property
    def last_pulse_ns(self) -> int:
        """Time of the newest pulse that was handed on; 0 before the first."""
        return self._last_pulse_ns

    def connection_opened(self) -> None:
        """Begin a connection: the server's prologue follows, and perhaps pulses that were taken already."""
        self._attaching = True
        self._history = False
        self._paused = False
        self._resume_after_ns = self._last_pulse_ns if self._run is not None else 0
        self._overlap_seen = not self._resume_after_ns

    def feed(self, packet: Packet) -> Iterator[StreamItem]:
        """Say what a packet means.

        Parameters
        ----------
        packet
            The next packet of the connection.

        Yields
        ------
        StreamItem
            In the order in which the reduction must see them; exhaust the iterator before the next packet.
        """
        self.counts.packets += 1
        try:
            yield from self._meaning(packet)
        except ProtocolError as error:
            # A description that cannot be read must not keep the events behind it from being reduced.
            self.counts.unreadable_packets += 1
            yield Remark(f"{error} It is left out.")

    def _meaning(self, packet: Packet) -> Iterator[StreamItem]:
        if isinstance(packet, BankedEvents):
            yield from self._pulse(packet)
        elif isinstance(packet, RunStatus):
            yield from self._run_status(packet)
        elif isinstance(packet, RunInfoPacket):
            yield from self._run_info(packet)
        elif isinstance(packet, Geometry):
            yield from self._geometry(packet)
        elif isinstance(packet, Annotation):
            self._annotation(packet)
        elif isinstance(packet, UnknownPacket):
            self.counts.unknown_packets += 1
        else:
            yield from self._logs.feed(packet)

    def _pulse(self, packet: BankedEvents) -> Iterator[StreamItem]:
        counts = self.counts
        n_events = len(packet.tof)
        counts.pulses += 1
        counts.events += n_events
        if self._history:
            counts.replayed_pulses += 1
            counts.replayed_events += n_events
            return
        if self._run is None:
            counts.between_runs_pulses += 1
            counts.between_runs_events += n_events
            return
        if packet.time_ns < self._not_before_ns:
            counts.early_pulses += 1
            counts.early_events += n_events
            return
        if self._is_repeated(packet):
            counts.replayed_pulses += 1
            counts.replayed_events += n_events
            return
        if not self._overlap_seen:
            self._overlap_seen = True
            yield DataMissing(
                "The server could not replay what it sent while the connection was lost: pulses between "
                "the last one before and the first one after are missing."
            )
        yield from self._announce()
        self._last_pulse_ns = max(self._last_pulse_ns, packet.time_ns)
        self._recent.append(packet.time_ns)
        if self._paused:
            counts.paused_pulses += 1
            counts.paused_events += n_events
            return
        counts.reduced_pulses += 1
        counts.reduced_events += n_events
        events = detector_events(packet)
        counts.error_pixel_events += events.n_error_pixel
        counts.unmapped_events += events.n_unmapped
        yield Pulse(
            packet.time_ns, float(packet.proton_charge_pc), int(packet.flags), events.pixel_id, events.tof
        )

    def _is_repeated(self, packet: BankedEvents) -> bool:
        if packet.time_ns <= self._resume_after_ns:
            self._overlap_seen = True
            return True
        # The server marks distinct pulses that share an id; only an unmarked repetition is the same pulse again.
        return packet.time_ns in self._recent and not packet.flags & PulseFlag.DUPLICATE_PULSE

    def _run_status(self, packet: RunStatus) -> Iterator[StreamItem]:
        attaching, self._attaching = self._attaching, False
        number = packet.run_number
        if packet.status is RunStatusCode.END_RUN:
            if self._run is not None and number == self._run.number:
                yield from self._end(RunEndReason.ENDED)
            self._history = False
        elif packet.status is RunStatusCode.NEW_RUN:
            yield from self._begin(packet, from_start=True)
        elif number == 0:
            self._history = False
            if self._run is not None:
                how = "came while the connection was lost" if attaching else "was not sent"
                yield from self._announce()
                yield DataMissing(f"The end of the run was not seen: it {how}.")
                yield from self._end(RunEndReason.ENDED)
        elif packet.status is not RunStatusCode.NO_RUN:
            yield from self._begin(packet, from_start=False)

    def _begin(self, packet: RunStatus, *, from_start: bool) -> Iterator[StreamItem]:
        number = packet.run_number
        if self._run is not None and number == self._run.number:
            self._history = False
            if from_start and not self._announced:
                self._joined = ""
            return
        if number < self._newest_run or (number == self._newest_run and self._over):
            self._history = True
            return
        if self._run is not None:
            yield from self._end(RunEndReason.REPLACED)
        self._history = False
        self._over = False
        self._paused = False
        self._newest_run = number
        self._resume_after_ns = 0
        self._overlap_seen = True
        self._recent.clear()
        self._announced = False
        self._joined = "" if from_start else "The run was joined after its start."
        self._run = self._described(
            RunInfo(number=number, instrument=self._instrument, start_ns=packet.run_start_ns)
        )

    def _end(self, reason: RunEndReason) -> Iterator[StreamItem]:
        yield from self._announce()
        if not self._overlap_seen:
            self._overlap_seen = True
            yield DataMissing(
                "The last pulses of the run are missing: they came while the connection was lost."
            )
        self._run = None
        self._over = True
        self._paused = False
        self._details.clear()
        yield RunStopped(reason)

    def _announce(self) -> Iterator[StreamItem]:
        """Say that the run began, as late as may be: its title often comes after its number."""
        if self._run is not None and not self._announced:
            self._announced = True
            missing = self._joined
            if self._not_before_ns > self._run.start_ns:
                missing = f"Data before {format_utc(self._not_before_ns)} were left out, as asked."
            yield RunBegan(self._run, missing)

    def _run_info(self, packet: RunInfoPacket) -> Iterator[StreamItem]:
        details = read_run_info(packet.xml)
        self._details[details.run_number] = details
        if self._run is None:
            return
        described = self._described(self._run)
        if described != self._run:
            self._run = described
            if self._announced:
                yield RunChanged(described)

    def _described(self, run: RunInfo) -> RunInfo:
        details = self._details.get(run.number)
        if details is None:
            return run
        return attrs.evolve(run, title=details.title, proposal=details.proposal_id, sample=details.sample)

    def _geometry(self, packet: Geometry) -> Iterator[StreamItem]:
        definition = InstrumentDefinition(self._instrument, packet.xml)
        if definition != self._definition:
            self._definition = definition
            yield DefinitionSeen(definition)

    def _annotation(self, packet: Annotation) -> None:
        if packet.marker is AnnotationMarker.PAUSE:
            self._paused = True
        elif packet.marker is AnnotationMarker.RESUME:
            self._paused = False
