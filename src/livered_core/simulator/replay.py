"""A recorded stream as something to serve: eras with their prologues, times kept or moved, without copies.

What a server sent again to a connection that the recorder had lost is left out: a client of the replay gets each
pulse once, as over a connection that lasted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import count
from typing import Final

import attrs

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    Heartbeat,
    Packet,
    PacketType,
    RawPacket,
    RunStatus,
    RunStatusCode,
    Skipped,
    decode,
    encode,
    epics_time,
)
from livered_core.adara.wire import HEADER
from livered_core.errors import ConfigError, ProtocolError
from livered_core.recording import ConnectionOpened, FileRecording, Recording, packets_of
from livered_core.simulator.emission import Emission, FileRange, OpenFile, Part

_NS_PER_S: Final = 1_000_000_000
_MOST_STATE: Final = 100_000
"""Things whose state is kept for clients that join later; of more the first are."""

_PACED: Final = frozenset(
    {
        PacketType.RTDL,
        PacketType.BANKED_EVENT,
        PacketType.BANKED_EVENT_STATE,
        PacketType.BEAM_MONITOR_EVENT,
        PacketType.HEARTBEAT,
    }
)
"""Packets whose time is that of the moment at which they were sent."""
_DESCRIPTIONS: Final = frozenset(
    {
        PacketType.RUN_INFO,
        PacketType.GEOMETRY,
        PacketType.BEAMLINE_INFO,
        PacketType.PIXEL_MAPPING,
        PacketType.PIXEL_MAPPING_ALT,
        PacketType.BEAM_MONITOR_CONFIG,
        PacketType.DETECTOR_BANK_SETS,
    }
)
_GOES_ON: Final = {
    AnnotationMarker.SCAN_START: "scan",
    AnnotationMarker.SCAN_STOP: "scan",
    AnnotationMarker.PAUSE: "pause",
    AnnotationMarker.RESUME: "pause",
}
"""Name of the state that an annotation changes."""
_OF_DEVICES: Final = 0x8000
_IDS: Final = struct.Struct("<II")


def first_and_last_ns(recording: Recording) -> tuple[int, int]:
    """Find the times of the earliest and the latest pulse of a recording, reading all of it.

    Raises
    ------
    ConfigError
        When there is no pulse in it.
    """
    first_ns = last_ns = 0
    for each in packets_of(recording):
        if isinstance(each, RawPacket) and each.type in _PACED:
            first_ns = min(first_ns or each.time_ns, each.time_ns)
            last_ns = max(last_ns, each.time_ns)
    if not first_ns:
        message = f"{recording.name} holds no pulses: there is nothing to replay."
        raise ConfigError(message)
    return first_ns, last_ns


def replayed(recording: Recording, shift_ns: int = 0) -> Iterator[Emission]:
    """Generate what a server that holds a recording sends, once.

    Parameters
    ----------
    recording
        From `open_recording`. Its files must not change while anybody refers to what is generated.
    shift_ns
        Added to all times; whole seconds.

    Yields
    ------
    Emission
        One for each pulse, with what came before it. What is damaged is left out.

    Raises
    ------
    ConfigError
        When the recording cannot be read any more.
    """
    source = _Source(recording)
    replay = _Replay(shift_ns)
    for each in packets_of(recording):
        if isinstance(each, ConnectionOpened):
            replay.connection_opened()
        elif isinstance(each, Skipped):
            source.offset += each.length
        else:
            parts = source.take(each, shift_ns)
            yield from replay.feed(each, parts)
    yield from replay.finish()


def idle(after_ns: int) -> Iterator[Emission]:
    """Generate heartbeats without end, so that clients know that the server lives."""
    for second in count(1):
        time_ns = after_ns + second * _NS_PER_S
        yield Emission(time_ns, encode(Heartbeat(time_ns=time_ns)), idle=True)


class _Source:
    """Says where in its files the packets of a recording are; a recording without files is copied."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording if isinstance(recording, FileRecording) else None
        self._open: dict[int, OpenFile] = {}
        self.offset = 0

    def take(self, raw: RawPacket, shift_ns: int) -> list[Part]:
        """Return the next packet of the recording, moved in time."""
        offset, length = self.offset, len(raw.payload)
        self.offset += HEADER.size + length
        if not shift_ns:
            return self._ranges(offset, HEADER.size + length) or [_header(raw, 0) + bytes(raw.payload)]
        if raw.type == PacketType.RUN_STATUS:
            return [_moved_status(raw, shift_ns)]
        return [_header(raw, shift_ns), *(self._ranges(offset + HEADER.size, length) or [bytes(raw.payload)])]

    def _ranges(self, offset: int, length: int) -> list[Part]:
        if self._recording is None:
            return []
        ranges: list[Part] = []
        for index, begin, size in self._recording.ranges(offset, length):
            if index not in self._open:
                self._open[index] = OpenFile(self._recording.paths[index])
            ranges.append(FileRange(self._open[index], begin, size))
        return ranges


class _Replay:
    """Groups packets into emissions, one for each moment."""

    def __init__(self, shift_ns: int) -> None:
        self._shift_ns = shift_ns
        self._state: dict[str, bytes] = {}
        self._changed: dict[str, bytes] = {}
        self._parts: list[Part] = []
        self._now_ns = 0
        self._run = 0
        self._begins_era = True
        self._prologue = b""
        self._newest_ns = 0
        self._repeated_until_ns = 0
        self._paused = False

    def connection_opened(self) -> None:
        self._repeated_until_ns = self._newest_ns

    def feed(self, raw: RawPacket, parts: list[Part]) -> Iterator[Emission]:
        """Take a packet; emissions come when their moment is over."""
        if raw.type in _PACED:
            if raw.time_ns <= self._repeated_until_ns:
                return
            if raw.time_ns > self._newest_ns:
                if self._newest_ns:
                    yield from self._emit()
                self._newest_ns = raw.time_ns
        elif raw.type == PacketType.RUN_STATUS:
            status = _status(raw)
            if status is None or self._is_repeated(status):
                return
            yield from self._run_changes(status)
        elif raw.type == PacketType.STREAM_ANNOTATION:
            yield from self._annotated(raw, parts)
            return
        elif raw.type in _DESCRIPTIONS or raw.type >= _OF_DEVICES:
            self._describe(raw)
        self._parts += parts

    def finish(self) -> Iterator[Emission]:
        yield from self._emit()
        yield from idle(self._now_ns)

    def _emit(self) -> Iterator[Emission]:
        if not self._parts:
            return
        self._now_ns = max(self._now_ns, self._newest_ns + self._shift_ns)
        yield Emission(
            self._now_ns,
            self._parts,
            state=dict(self._state) if self._begins_era else self._changed,
            begins_era=self._begins_era,
            prologue=self._prologue,
            paused=self._paused,
        )
        self._parts, self._changed, self._begins_era, self._prologue = [], {}, False, b""

    def _is_repeated(self, status: RunStatus) -> bool:
        """Whether a run status says what is known, to a connection that begins."""
        return self._newest_ns == self._repeated_until_ns != 0 and status.run_number == self._run

    def _annotated(self, raw: RawPacket, parts: list[Part]) -> Iterator[Emission]:
        """Follow scans and pauses. That there is a pause everybody is told; its data are for those who ask."""
        packet = _decoded(raw)
        marker = packet.marker if isinstance(packet, Annotation) else None
        if marker in _GOES_ON:
            begins = marker in (AnnotationMarker.SCAN_START, AnnotationMarker.PAUSE)
            said = _header(raw, self._shift_ns) + bytes(raw.payload) if begins else b""
            self._keep(_GOES_ON[marker], said)
        if marker is AnnotationMarker.PAUSE and not self._paused:
            self._parts += parts
            yield from self._emit()
            self._paused = True
            return
        if marker is AnnotationMarker.RESUME and self._paused:
            yield from self._emit()
            self._paused = False
        self._parts += parts

    def _run_changes(self, status: RunStatus) -> Iterator[Emission]:
        ends = status.status is RunStatusCode.END_RUN
        number = 0 if ends else status.run_number
        if status.version > 0 and status.paused is not self._paused:
            yield from self._emit()
            self._paused = status.paused
        if number != self._run and not ends and self._newest_ns:
            # The status is the first packet of the era that it begins.
            yield from self._emit()
            self._begin_era()
        state = attrs.evolve(
            status,
            time_ns=status.time_ns + self._shift_ns,
            run_start_ns=status.run_start_ns + self._shift_ns if status.run_start_ns else 0,
            run_number=number,
            status=RunStatusCode.STATE if number else RunStatusCode.NO_RUN,
        )
        self._keep("run status", encode(state))
        self._run = number

    def _begin_era(self) -> None:
        for name in ("run status", "scan", "pause"):
            self._state.pop(name, None)
        self._state.pop(str(int(PacketType.RUN_INFO)), None)
        self._begins_era = True
        self._prologue = b"".join(self._state.values())

    def _describe(self, raw: RawPacket) -> None:
        key = str(raw.type)
        if raw.type >= _OF_DEVICES:
            if len(raw.payload) < _IDS.size:
                return
            device, variable = _IDS.unpack_from(raw.payload)
            key = (
                f"device {device}"
                if raw.type == PacketType.DEVICE_DESCRIPTOR
                else f"value {device} {variable}"
            )
        self._keep(key, _header(raw, self._shift_ns) + bytes(raw.payload))

    def _keep(self, key: str, packet: bytes) -> None:
        if key in self._state or len(self._state) < _MOST_STATE:
            self._state[key] = self._changed[key] = packet


def _decoded(raw: RawPacket) -> Packet | None:
    try:
        return decode(raw)
    except ProtocolError:
        # It is sent as it is: whoever reads the replay says what is wrong with it.
        return None


def _status(raw: RawPacket) -> RunStatus | None:
    packet = _decoded(raw)
    return packet if isinstance(packet, RunStatus) else None


def _header(raw: RawPacket, shift_ns: int) -> bytes:
    return HEADER.pack(len(raw.payload), raw.type << 8 | raw.version, *epics_time(raw.time_ns + shift_ns))


def _moved_status(raw: RawPacket, shift_ns: int) -> bytes:
    status = _status(raw)
    if status is None:
        return _header(raw, shift_ns) + bytes(raw.payload)
    start_ns = status.run_start_ns + shift_ns if status.run_start_ns else 0
    return encode(attrs.evolve(status, time_ns=status.time_ns + shift_ns, run_start_ns=start_ns))
