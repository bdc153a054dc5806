"""The in-band run state machine: what each packet means for the run in hand.

Only NEW_RUN and END_RUN are run edges, and STATE with a run number where the client attaches. RUN_EOF and
RUN_BOF are file rolls of the same run.

After a lost connection the server replays what it thinks fit: the prologue of an older file, an older run, pulses that
were taken before. When the last pulse taken comes again, the replay has come to where the stream was left. Until then,
or until the first pulse that is newer than any taken, what it says of runs is only noted; that pulse shows whether the
run in hand goes on. What is left out is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs
import numpy as np

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    BankedEvents,
    BeamMonitorEvents,
    Geometry,
    Heartbeat,
    Packet,
    PacketType,
    PixelMapping,
    PulseEvents,
    PulseFlag,
    Rtdl,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    UnknownPacket,
    detector_events,
    read_run_info,
    type_name,
)
from livered_core.chunking.counts import StreamCounts
from livered_core.chunking.event_blocks import EventBlock
from livered_core.chunking.items import (
    DataMissing,
    DefinitionSeen,
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
from livered_core.chunking.position import StreamPosition
from livered_core.chunking.repetition import Repetitions
from livered_core.chunking.run_descriptions import RunDescriptions
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.slow_logs import SlowLogDecoder
from livered_core.chunking.taken_pulses import PulseNumbers, TakenPulses
from livered_core.errors import ProtocolError
from livered_core.model import InstrumentDefinition, PixelMap, RunEndReason, RunInfo, format_utc

_ALL_PULSES: Final = PulseSelection()
_REMEMBERED_TYPES: Final = 100
"""Kinds of unknown packets that are spoken of."""
_REMEMBERED_RUNS: Final = 1000
"""Runs that are over and will not be taken again."""


class StreamState:
    """Follows runs through the packets of one or more connections; belongs to the reader's thread.

    Parameters
    ----------
    instrument
        Short name for `RunInfo`.
    selection
        Which pulses are taken.
    over
        Runs that are over, by number and start (nanoseconds UTC): what a server replays of them is left out.
    """

    def __init__(
        self,
        instrument: str,
        selection: PulseSelection = _ALL_PULSES,
        over: Iterable[tuple[int, int]] = (),
    ) -> None:
        self.counts = StreamCounts()
        self._instrument = instrument
        self.selection = selection
        self._unknown: set[tuple[int, int]] = set()
        self._logs = SlowLogDecoder()
        self._definition: InstrumentDefinition | None = None
        self._mapping: PixelMapping | None = None
        self._descriptions = RunDescriptions()
        self._remarks = Repetitions()
        self._over: dict[tuple[int, int], None] = dict.fromkeys(over)
        _forget_oldest(self._over)
        # The run in hand.
        self._losses = Repetitions()
        self._run: RunInfo | None = None
        self._announced = False
        self._joined = ""
        self._paused = False
        self._taken = TakenPulses()
        self._monitors_taken = TakenPulses()
        self._last = (0, 0)
        # A run that was begun, and is to come again.
        self._awaited: RunInfo | None = None
        # What the server is replaying.
        self._numbers = PulseNumbers()
        self._found_again = False
        self._history = False
        self._resuming = False
        self._resume_after_ns = 0
        self._monitors_after_ns = 0
        self._overlap_seen = False
        self._said: RunStatus | None = None
        self._said_from_start = False

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
        """Time of the newest pulse of a run; 0 before the first."""
        return self._taken.newest_ns

    @property
    def resumes(self) -> bool:
        """Whether a new connection should ask for what follows the last pulse."""
        return self._run is not None and self._announced

    def resume(self, position: StreamPosition) -> None:
        """Go on from where another process left a run; called before the first connection."""
        self._run, self._announced, self._joined = position.run, True, ""
        self._taken, self._monitors_taken = TakenPulses.of(position.pulses), TakenPulses.of(position.monitors)
        self._last = (position.last_ns, position.last_number)

    def begin_again(self) -> ReplayBegins:
        """Forget what came of the run in hand, of which all is to come again with the next connection."""
        if self._announced:
            self._awaited = self._run
        self._run = None
        self._announced = self._paused = False
        return ReplayBegins()

    def connection_opened(self) -> None:
        """Begin a connection: the server's prologue follows, and perhaps pulses that were taken already."""
        self._numbers = PulseNumbers()
        self._found_again = False
        self._history = False
        self._said = None
        self._said_from_start = False
        self._overlap_seen = False
        self._resuming = self.resumes
        self._resume_after_ns = self._taken.newest_ns if self._resuming else 0
        self._monitors_after_ns = self._monitors_taken.newest_ns if self._resuming else 0
        if not self._resuming:
            # Of a run without a pulse nothing is lost by taking it up anew.
            self._run = None

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
            yield from self._remark("descriptions", f"{error} It is left out.")

    def _meaning(self, packet: Packet) -> Iterator[StreamItem]:
        if isinstance(packet, BankedEvents):
            yield from self.pulse(detector_events(packet))
        elif isinstance(packet, RunStatus):
            yield from self._run_status(packet)
        elif isinstance(packet, RunInfoPacket):
            yield from self._run_info(packet)
        elif isinstance(packet, Geometry):
            yield from self._geometry(packet)
        elif isinstance(packet, PixelMapping):
            yield from self._pixel_map(packet)
        elif isinstance(packet, Annotation):
            self._annotation(packet)
        elif isinstance(packet, BeamMonitorEvents):
            yield from self._monitors(packet)
        elif isinstance(packet, Rtdl):
            yield from self.rtdl(packet.time_ns)
        elif isinstance(packet, Heartbeat):
            yield from self._time_passes(packet.time_ns)
        elif isinstance(packet, UnknownPacket):
            yield from self._not_known(packet)
        else:
            yield from self._logs.feed(packet)

    # Pulses.

    def pulse(
        self, pulse: PulseEvents, block: EventBlock | None = None, start: int = 0
    ) -> Iterator[StreamItem]:
        """Say what the events of a pulse mean; `feed` does it for packets that are decoded.

        Parameters
        ----------
        pulse
            The next pulse of the connection.
        block, start
            Where its columns are cut from.

        Yields
        ------
        StreamItem
            As from `feed`; a `Pulse`, if any, comes last.
        """
        number = self._numbers.next(pulse.time_ns)
        replayed = self._is_replayed(pulse.time_ns, pulse.flags)
        if not replayed:
            yield from self._resume()
            # The replay is over: what is older from here on comes late, or by a clock that was set back.
            self._resume_after_ns = 0
        elif self._resuming and (pulse.time_ns, number) == self._last and self._is_of_run_in_hand():
            yield from self._find_again()
        place = self._place(pulse, replayed=replayed)
        self.counts.pulse(place, pulse)
        if place in ("replayed", "between_runs", "early"):
            return
        yield from self._announce()
        self._taken.add(pulse.time_ns)
        self._last = (pulse.time_ns, number)
        if place != "reduced":
            yield PulseLeftOut(pulse.time_ns, number)
            return
        self.counts.error_pixel_events += pulse.n_error_pixel
        self.counts.unmapped_events += pulse.n_unmapped
        if pulse.n_uncorrected_sources:
            yield from self._uncorrected()
        yield Pulse(
            time_ns=pulse.time_ns,
            proton_charge_pc=float(pulse.proton_charge_pc),
            flags=int(pulse.flags),
            pixel_id=pulse.pixel_id,
            tof=pulse.tof,
            n_error_pixel=pulse.n_error_pixel,
            n_unmapped=pulse.n_unmapped,
            block=block,
            start=start,
            number=number,
        )

    def _place(self, pulse: PulseEvents, *, replayed: bool) -> str:
        """Say where a pulse goes: one of `PLACES`."""
        if replayed or self._history:
            return "replayed"
        if self._run is None:
            return "between_runs"
        if pulse.time_ns < self.selection.not_before_ns:
            return "early"
        if self._paused and not self.selection.keep_paused:
            return "paused"
        return self.selection.left_out(pulse.flags) or "reduced"

    def _uncorrected(self) -> Iterator[StreamItem]:
        first = self.counts.uncorrected_pulses == 0
        self.counts.uncorrected_pulses += 1
        if first:
            done = "is added, as asked" if self.selection.add_tof_offset else "is not added"
            yield Remark(
                "Times of flight come without the correction of frame skew, and the stream gives an offset for it: "
                f"it {done} (source.add_tof_offset)."
            )

    def _monitors(self, packet: BeamMonitorEvents) -> Iterator[StreamItem]:
        yield from self._time_passes(packet.time_ns)
        other_run = self._resuming and not self._is_of_run_in_hand()
        # The connection may have been lost between a pulse and its monitors: these have a newest time of their own.
        twin = bool(packet.flags & PulseFlag.DUPLICATE_PULSE)
        out_of_order = self._found_again and not twin
        taken = (
            (packet.time_ns > self._monitors_after_ns or out_of_order)
            and (twin or packet.time_ns not in self._monitors_taken)
            and not (self._history or other_run)
            and self._run is not None
            and packet.time_ns >= self.selection.not_before_ns
            and (self.selection.keep_paused or not self._paused)
            and not self.selection.left_out(packet.flags)
        )
        if not taken:
            self.counts.left_out_monitor_events += len(packet.tof)
            return
        yield from self._announce()
        self._monitors_taken.add(packet.time_ns)
        self.counts.monitor_events += len(packet.tof)
        if len(packet.tof):
            yield MonitorPulse(packet.time_ns, packet.monitor_id, packet.event_offset, packet.tof)

    def rtdl(self, time_ns: int) -> Iterator[StreamItem]:
        """Note that the accelerator lives; `feed` does it for packets that are decoded."""
        self.counts.rtdl_packets += 1
        yield from self._time_passes(time_ns)

    def data_lost(self, sentence: str, kind: str = "others") -> Iterator[StreamItem]:
        """Note that data of this connection cannot be read.

        Parameters
        ----------
        sentence
            What was lost, and why.
        kind
            Of the loss: what is of one kind is said each time only at first.
        """
        yield from self._remark(kind, sentence)
        if self._run is None or self._history:
            return
        if self._announced:
            worded = self._losses.worded(kind, sentence)
            if worded:
                yield DataMissing(worded)
        else:
            self._joined = sentence

    def _remark(self, kind: str, sentence: str) -> Iterator[Remark]:
        worded = self._remarks.worded(kind, sentence)
        if worded:
            yield Remark(worded)

    def _not_known(self, packet: UnknownPacket) -> Iterator[StreamItem]:
        self.counts.unknown_packets += 1
        kind = (packet.type, packet.version)
        if kind in self._unknown or len(self._unknown) >= _REMEMBERED_TYPES:
            return
        self._unknown.add(kind)
        sentence = (
            f"Packets {type_name(packet.type)} version {packet.version} are not known to this version of livered: "
            "they are counted and left out."
        )
        if packet.type in (PacketType.BANKED_EVENT, PacketType.BANKED_EVENT_STATE):
            yield from self.data_lost(sentence, "versions")
        else:
            yield Remark(sentence)

    def _is_replayed(self, time_ns: int, flags: int) -> bool:
        if self._is_old(time_ns):
            return True
        # The server marks distinct pulses that share an id; only an unmarked repetition is the same pulse again, or
        # one that comes in a replay before the last one taken.
        return time_ns in self._taken and (self._resuming or not flags & PulseFlag.DUPLICATE_PULSE)

    def _is_old(self, time_ns: int) -> bool:
        """Whether a moment lies before what was taken until the connection was lost."""
        if time_ns > self._resume_after_ns:
            return False
        if self._is_of_run_in_hand():
            self._overlap_seen = True
        return True

    def _is_of_run_in_hand(self) -> bool:
        """Whether what the server replays is of the run in hand, as far as it has said."""
        return self._said is None or self._is_in_hand(self._said)

    def _find_again(self) -> Iterator[StreamItem]:
        """Take note that the last pulse taken has come again: what follows in the stream has not been seen."""
        self._overlap_seen = self._found_again = True
        # Whatever times they have: pulses come out of order, and clocks are set back.
        self._resume_after_ns = 0
        yield from self._resume()
        yield Resumed()

    def _time_passes(self, time_ns: int) -> Iterator[StreamItem]:
        """Without beam there may be no events for long: other packets show as well that the replay is over."""
        known = time_ns in self._taken or time_ns in self._monitors_taken
        if self._resuming and not known and not self._is_old(time_ns):
            yield from self._resume()

    def _resume(self) -> Iterator[StreamItem]:
        """Take up what the server said of runs, now that something new shows that it is no replay."""
        if not self._resuming:
            return
        self._resuming = False
        said = self._said
        if said is None or self._is_in_hand(said):
            if not self._overlap_seen:
                yield DataMissing(
                    "The server could not replay what it sent while the connection was lost: pulses between "
                    "the last one before and the first one after are missing."
                )
            return
        yield DataMissing(
            f"The end of the run was not seen: it came while there was no connection, and what came after "
            f"{format_utc(self._taken.newest_ns)} is missing."
        )
        if said.run_number == 0:
            yield from self._end(RunEndReason.ENDED)
        else:
            yield from self._end(RunEndReason.REPLACED)
            yield from self._begin(said, from_start=self._said_from_start)

    # Runs.

    def _run_status(self, packet: RunStatus) -> Iterator[StreamItem]:
        code = packet.status
        if not code.is_known:
            message = (
                f"The ADARA stream has a run status {int(code)} for run {packet.run_number}, "
                "which is not known to this version of livered."
            )
            raise ProtocolError(message)
        if code is RunStatusCode.NEW_RUN and packet.run_number == 0:
            message = "The ADARA stream says that run 0 begins, and runs have numbers above 0."
            raise ProtocolError(message)
        if code is RunStatusCode.RUN_EOF:
            return
        ends = code is RunStatusCode.END_RUN
        if ends and self._is_in_hand(packet):
            if self._resuming and not self._overlap_seen:
                yield DataMissing(
                    "The last pulses of the run are missing: they came while the connection was lost."
                )
            self._resuming = False
            yield from self._end(RunEndReason.ENDED)
            return
        none = ends or packet.run_number == 0 or code is RunStatusCode.NO_RUN
        if self._resuming:
            said = attrs.evolve(packet, run_number=0) if none else packet
            same = self._said is not None and self._said.run_number == said.run_number
            self._said_from_start = code is RunStatusCode.NEW_RUN or (same and self._said_from_start)
            self._said = said
            if self._is_in_hand(said) and packet.version > 0:
                self._paused = packet.paused
        elif none:
            yield from self._no_run(quietly=ends)
        else:
            yield from self._begin(packet, from_start=code is RunStatusCode.NEW_RUN)

    def _no_run(self, *, quietly: bool) -> Iterator[StreamItem]:
        self._history = False
        yield from self._give_up_awaited(RunEndReason.ENDED)
        if quietly or self._run is None:
            return
        yield from self._announce()
        yield DataMissing(
            "The end of the run was not seen: the stream only says that there is no run any more."
        )
        yield from self._end(RunEndReason.ENDED)

    def _begin(self, packet: RunStatus, *, from_start: bool) -> Iterator[StreamItem]:
        if self._is_in_hand(packet):
            self._history = False
            if from_start and not self._announced:
                self._joined = ""
            return
        if self._run is not None:
            yield from self._end(RunEndReason.REPLACED)
        if (packet.run_number, packet.run_start_ns) in self._over:
            if not self._history:
                yield from self._remark(
                    "runs",
                    f"Run {packet.run_number} comes again, and it is over: what is replayed of it is left out.",
                )
            self._history = True
            return
        self._history = False
        if self._awaited is not None and not _are_same(self._awaited, packet):
            yield from self._give_up_awaited(RunEndReason.REPLACED)
        self._paused = packet.paused
        self._taken = TakenPulses()
        self._monitors_taken = TakenPulses()
        self._losses = Repetitions()
        self._announced = False
        self._joined = "" if from_start else "The run was joined after its start."
        run = RunInfo(number=packet.run_number, instrument=self._instrument, start_ns=packet.run_start_ns)
        self._run = self._descriptions.described(run)

    def _end(self, reason: RunEndReason) -> Iterator[StreamItem]:
        yield from self._announce()
        if self._run is not None:
            self._over[self._run.number, self._run.start_ns] = None
            _forget_oldest(self._over)
        self._run = None
        self._paused = False
        self._resume_after_ns = 0
        self._monitors_after_ns = 0
        yield RunStopped(reason)

    def _give_up_awaited(self, reason: RunEndReason) -> Iterator[StreamItem]:
        """End a run that should have come again, and does not."""
        run, self._awaited = self._awaited, None
        if run is None:
            return
        self._over[run.number, run.start_ns] = None
        _forget_oldest(self._over)
        yield DataMissing("The run was asked for again from its start, and the server has it no more.")
        yield RunStopped(reason)

    def _is_in_hand(self, packet: RunStatus) -> bool:
        return self._run is not None and _are_same(self._run, packet)

    def _announce(self) -> Iterator[StreamItem]:
        """Say that the run began, as late as may be: its title often comes after its number."""
        if self._run is not None and not self._announced:
            self._announced = True
            self._awaited = None
            missing = self._joined
            not_before_ns = self.selection.not_before_ns
            if not_before_ns > self._run.start_ns:
                missing = f"Data before {format_utc(not_before_ns)} were left out, as asked."
            yield RunBegan(self._run, missing)

    def _run_info(self, packet: RunInfoPacket) -> Iterator[StreamItem]:
        self._descriptions.add(read_run_info(packet.xml), len(packet.xml))
        if self._run is None:
            return
        described = self._descriptions.described(self._run)
        if described != self._run:
            self._run = described
            if self._announced:
                yield RunChanged(described)

    def _geometry(self, packet: Geometry) -> Iterator[StreamItem]:
        definition = InstrumentDefinition(self._instrument, packet.xml)
        if definition != self._definition:
            self._definition = definition
            yield DefinitionSeen(definition)

    def _pixel_map(self, packet: PixelMapping) -> Iterator[StreamItem]:
        # The same map comes with every file.
        if self._mapping is not None and (
            np.array_equal(packet.logical_id, self._mapping.logical_id)
            and np.array_equal(packet.bank_id, self._mapping.bank_id)
        ):
            return
        self._mapping = packet
        pixel_id, bank_id = packet.logical_id, packet.bank_id
        if not bool((pixel_id[1:] > pixel_id[:-1]).all()):
            pixel_id, first = np.unique(pixel_id, return_index=True)
            bank_id = bank_id[first]
        yield PixelMapSeen(PixelMap(pixel_id, bank_id))

    def _annotation(self, packet: Annotation) -> None:
        if self._history or packet.marker not in (AnnotationMarker.PAUSE, AnnotationMarker.RESUME):
            return
        paused = packet.marker is AnnotationMarker.PAUSE
        said = self._said
        if self._resuming and said is not None and not self._is_in_hand(said):
            # Of a run that is taken up with its first pulse.
            self._said = attrs.evolve(said, paused=paused)
        else:
            self._paused = paused


def _are_same(run: RunInfo, packet: RunStatus) -> bool:
    """Whether a packet speaks of a run: numbers come again where runs are simulated or a server was set up anew."""
    starts = (run.start_ns, packet.run_start_ns)
    return run.number == packet.run_number and (0 in starts or starts[0] == starts[1])


def _forget_oldest(kept: dict[tuple[int, int], None]) -> None:
    while len(kept) > _REMEMBERED_RUNS:
        del kept[next(iter(kept))]
