"""What is in a recording: packets, runs, pulses, events, charge, gaps, flags and damage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import attrs

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    PacketType,
    PulseFlag,
    RawPacket,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    Skipped,
    count_events,
    decode,
    read_pulse_head,
    read_run_info,
    type_name,
)
from livered_core.adara.wire import HEADER
from livered_core.errors import ProtocolError
from livered_core.recording.base import Recording
from livered_core.recording.cutting import ConnectionOpened, packets_of

GAP_NS: Final = 1_000_000_000
"""Time without a pulse that is called a gap: sixty pulses at 60 Hz."""
EVENT_PACKETS: Final = frozenset(
    {(PacketType.BANKED_EVENT, 0), (PacketType.BANKED_EVENT, 1), (PacketType.BANKED_EVENT_STATE, 0)}
)
"""Types and versions of packets that hold the events of a pulse."""

_KEPT_SENTENCES: Final = 20
_MOST_RUNS: Final = 10_000


@attrs.define
class RunSummary:
    """What a recording holds of a run, or (number 0) of the time between runs.

    Attributes
    ----------
    number, title
        Of the run.
    start_ns
        When the run began, nanoseconds UTC since the Unix epoch; 0 when it is not known.
    begins, ends
        Whether its begin and its end are in the recording.
    n_pauses
        How often it was paused.
    n_pulses, n_events, proton_charge_pc
        Of pulses that are here for the first time; events in error pixels and unmapped ones included.
    n_error_pixel, n_unmapped
        Events that are in no detector pixel.
    n_repeated
        Pulses that are here again, because a server sent them again to a new connection.
    n_disordered
        Pulses that come after one with a later time.
    first_pulse_ns, last_pulse_ns
        Earliest and latest pulse.
    n_gaps, longest_gap_ns
        Times of more than `GAP_NS` without a pulse.
    flags
        Pulses by the names of their flags.
    """

    number: int
    title: str = ""
    start_ns: int = 0
    begins: bool = False
    ends: bool = False
    n_pauses: int = 0
    n_pulses: int = 0
    n_events: int = 0
    proton_charge_pc: int = 0
    n_error_pixel: int = 0
    n_unmapped: int = 0
    n_repeated: int = 0
    n_disordered: int = 0
    first_pulse_ns: int = 0
    last_pulse_ns: int = 0
    n_gaps: int = 0
    longest_gap_ns: int = 0
    flags: Counter[str] = attrs.field(factory=Counter)

    def add(self, raw: RawPacket) -> None:
        """Count a pulse; ProtocolError when it is damaged, and then it is not counted."""
        events, error_pixel, unmapped = count_events(raw)
        charge, flags = read_pulse_head(raw)
        if self.last_pulse_ns:
            since = raw.time_ns - self.last_pulse_ns
            self.n_disordered += since < 0
            if since > GAP_NS:
                self.n_gaps += 1
                self.longest_gap_ns = max(self.longest_gap_ns, since)
        self.n_pulses += 1
        self.n_events += events
        self.n_error_pixel += error_pixel
        self.n_unmapped += unmapped
        self.proton_charge_pc += charge
        self.first_pulse_ns = min(self.first_pulse_ns or raw.time_ns, raw.time_ns)
        self.last_pulse_ns = max(self.last_pulse_ns, raw.time_ns)
        self.flags.update(flag.name or "" for flag in PulseFlag if flags & flag)

    @property
    def rate(self) -> float | None:
        """Events per second between the first and the last pulse; None without two pulses."""
        seconds = (self.last_pulse_ns - self.first_pulse_ns) / 1e9
        return self.n_events / seconds if seconds > 0.0 else None


@attrs.define
class Summary:
    """What a recording holds.

    Attributes
    ----------
    packets, packet_bytes
        Number of packets, and their bytes with headers, by the name of their type.
    runs
        In the order in which they come; a run that is left and taken up again is one.
    n_connections
        How often a connection was made to record it.
    n_damaged
        Packets that cannot be read.
    n_skipped_bytes
        Bytes in which there are no packets.
    damage
        The first sentences on both.
    """

    packets: Counter[str] = attrs.field(factory=Counter)
    packet_bytes: Counter[str] = attrs.field(factory=Counter)
    runs: list[RunSummary] = attrs.field(factory=list)
    n_connections: int = 0
    n_damaged: int = 0
    n_skipped_bytes: int = 0
    damage: list[str] = attrs.field(factory=list)

    @property
    def is_damaged(self) -> bool:
        """Whether there is anything that cannot be read."""
        return bool(self.n_damaged or self.n_skipped_bytes)

    def note(self, sentence: str) -> None:
        """Keep a sentence on damage, unless there are many."""
        if len(self.damage) < _KEPT_SENTENCES:
            self.damage.append(sentence)


def summarise(recording: Recording, progress: Callable[[int], None] | None = None) -> Summary:
    """Read a whole recording and count what is in it.

    Parameters
    ----------
    recording, progress
        As for `packets_of`.

    Raises
    ------
    ConfigError
        When the recording cannot be read any more.
    BackendUnavailable
        When numba is not installed.
    """
    summary = Summary()
    runs = _Runs(summary.runs)
    for each in packets_of(recording, progress):
        if isinstance(each, ConnectionOpened):
            summary.n_connections += 1
            runs.connection_opened()
            continue
        if isinstance(each, Skipped):
            summary.n_skipped_bytes += each.length
            summary.note(skipped_sentence(each))
            continue
        name = type_name(each.type)
        summary.packets[name] += 1
        summary.packet_bytes[name] += HEADER.size + len(each.payload)
        try:
            runs.feed(each)
        except ProtocolError as error:
            summary.n_damaged += 1
            summary.note(str(error))
    return summary


def skipped_sentence(skipped: Skipped) -> str:
    """Say what was left out, and where."""
    return (
        f"From byte {skipped.offset} on, {skipped.length} bytes are not packets: "
        f"where one should begin stands {skipped.what}."
    )


class _Runs:
    """Sorts packets into runs."""

    def __init__(self, runs: list[RunSummary]) -> None:
        self._runs = runs
        self._now: RunSummary | None = None
        self._taken_until_ns = 0
        self._paused = False

    def connection_opened(self) -> None:
        """Expect what has been counted to come again."""
        self._taken_until_ns = max((run.last_pulse_ns for run in self._runs), default=0)

    def feed(self, raw: RawPacket) -> None:
        if (raw.type, raw.version) in EVENT_PACKETS:
            run = self._current()
            if raw.time_ns <= self._taken_until_ns:
                run.n_repeated += 1
            else:
                run.add(raw)
            return
        # Everything is decoded, so that what cannot be read is found.
        packet = decode(raw)
        if isinstance(packet, RunStatus):
            self._status(packet)
        elif isinstance(packet, RunInfoPacket):
            details = read_run_info(packet.xml)
            self._run(details.run_number).title = details.title
        elif isinstance(packet, Annotation):
            self._annotated(packet)

    def _annotated(self, packet: Annotation) -> None:
        """Count pauses; the prologue of each file says one again."""
        if packet.marker is AnnotationMarker.PAUSE and not self._paused:
            self._paused = True
            self._current().n_pauses += packet.time_ns > self._taken_until_ns
        elif packet.marker is AnnotationMarker.RESUME:
            self._paused = False

    def _status(self, packet: RunStatus) -> None:
        run = self._run(packet.run_number)
        run.start_ns = packet.run_start_ns or run.start_ns
        run.begins |= packet.status is RunStatusCode.NEW_RUN
        if packet.status is RunStatusCode.END_RUN:
            run.ends = True
            self._paused = False
            self._now = None
        else:
            self._now = run

    def _current(self) -> RunSummary:
        if self._now is None:
            self._now = self._run(0)
        return self._now

    def _run(self, number: int) -> RunSummary:
        for run in reversed(self._runs if number else self._runs[-1:]):
            if run.number == number:
                return run
        if len(self._runs) >= _MOST_RUNS:
            # A stream that makes up run numbers must not fill the memory.
            return self._runs[-1]
        self._runs.append(RunSummary(number))
        return self._runs[-1]
