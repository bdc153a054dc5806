"""Packets of the stream, except those that come with every pulse (see `livered_core.adara.pulses`).

Every packet has `time_ns`, the time in its header (nanoseconds UTC since the Unix epoch), and `version`, the
layout's version on the wire. Sections named in the docstrings are those of the ADARA network protocol.

Text is UTF-8 on the wire; bytes that are not are read as Latin-1, one character a byte, so that nothing of
them is lost. All text comes from outside and is to be escaped wherever it is shown.
"""

from __future__ import annotations

import attrs

from livered_core.adara.detector_config import BeamMonitorConfig, DetectorBankSets
from livered_core.adara.detector_system import MappedEvents, RawEvents, Rtdl, SourceList
from livered_core.adara.epoch import epics_time, unix_ns
from livered_core.adara.pixel_map import PixelMapping, PixelMappingAlt
from livered_core.adara.pulses import BankedEvents, BankedStateEvents, BeamMonitorEvents
from livered_core.adara.types import (
    SYNC_SIGNATURE,
    AnnotationMarker,
    HelloFlag,
    RunStatusCode,
)
from livered_core.adara.variables import Variable


def _brief(text: str) -> str:
    return f"<{len(text)} characters>"


@attrs.frozen
class StartRequest:
    """Where a client asks the stream to begin. A suggestion: the server may begin earlier.

    Make one with `StartRequest.now`, `StartRequest.start_of_run` or `StartRequest.at`.

    Attributes
    ----------
    wire_value
        0: a snapshot of the state, then data from now on. 1: everything there is of the current run.
        Else seconds since the EPICS epoch, from which the newest data not later are sent.
    """

    wire_value: int

    @classmethod
    def now(cls) -> StartRequest:
        """Ask for data from now on."""
        return cls(0)

    @classmethod
    def start_of_run(cls) -> StartRequest:
        """Ask for everything that the server has of the current run."""
        return cls(1)

    @classmethod
    def at(cls, time_ns: int) -> StartRequest:
        """Ask for data from a time on, cut off to whole seconds.

        Parameters
        ----------
        time_ns
            Nanoseconds UTC since the Unix epoch.

        Raises
        ------
        DataModelError
            When the stream cannot say this time.
        """
        return cls(max(epics_time(time_ns)[0], 2))

    @property
    def is_now(self) -> bool:
        """True when data from now on are asked for."""
        return self.wire_value == 0

    @property
    def is_start_of_run(self) -> bool:
        """True when the whole current run is asked for."""
        return self.wire_value == 1

    @property
    def time_ns(self) -> int | None:
        """The time asked for, nanoseconds UTC since the Unix epoch; None for `now` and `start_of_run`."""
        return None if self.wire_value < 2 else unix_ns(self.wire_value)


@attrs.frozen(kw_only=True)
class ClientHello:
    """Type 0x4006, versions 0 and 1: the first and only packet that a client sends.

    Attributes
    ----------
    start
        Where to begin.
    flags
        Bits of `HelloFlag`; 0 in version 0, which has none.
    """

    time_ns: int
    start: StartRequest
    flags: int = HelloFlag.PAUSE_AGNOSTIC
    version: int = 1


@attrs.frozen(kw_only=True)
class RunStatus:
    """Type 0x4003, versions 0 and 1: whether there is a run, and which.

    Attributes
    ----------
    run_number
        0 when no run is recorded.
    run_start_ns
        Start of the run, nanoseconds UTC since the Unix epoch, in whole seconds (what is below a second is
        cut off on the wire); 0 when no run is recorded.
    status
        What happened.
    file_number
        Number of the file within the run, below 2**24; without meaning when no run is recorded.
    paused, pause_file_number, addendum, addendum_file_number
        Version 1 only: whether the run is paused, whether the file was added by hand, and the numbers of
        those files.
    """

    time_ns: int
    run_number: int
    run_start_ns: int
    status: RunStatusCode
    file_number: int = 0
    paused: bool = False
    pause_file_number: int = 0
    addendum: bool = False
    addendum_file_number: int = 0
    version: int = 1


@attrs.frozen(kw_only=True)
class RunInfoPacket:
    """Type 0x4004: what is known of the run, as XML (see `read_run_info`)."""

    time_ns: int
    xml: str = attrs.field(repr=_brief)
    version: int = 0


@attrs.frozen(kw_only=True)
class Geometry:
    """Type 0x400A: the instrument definition, in the XML of Mantid. Its time means nothing."""

    time_ns: int
    xml: str = attrs.field(repr=_brief)
    version: int = 0


@attrs.frozen(kw_only=True)
class BeamlineInfo:
    """Type 0x400B, versions 0 and 1: which beamline this is. Its time means nothing.

    Attributes
    ----------
    beamline_id, short_name, long_name
        For example ``1B``, ``NOM``, ``NOMAD``; at most 255 bytes each.
    target_station
        1 where the stream does not say (version 0, or 0 in version 1).
    """

    time_ns: int
    beamline_id: str
    short_name: str
    long_name: str
    target_station: int = 1
    version: int = 1


@attrs.frozen(kw_only=True)
class DeviceDescriptor:
    """Type 0x8000: a device and its variables, as XML (see `read_device`).

    Attributes
    ----------
    device_id
        Number by which values refer to the device.
    xml
        The description; empty when the device is taken back.
    """

    time_ns: int
    device_id: int
    xml: str = attrs.field(repr=_brief)
    version: int = 0


@attrs.frozen(kw_only=True)
class Annotation:
    """Type 0x4007: a mark in the stream.

    Attributes
    ----------
    marker
        Kind of mark.
    reset_hint
        True when clients are asked to begin their statistics anew.
    scan_index
        Step of a scan; 0 outside scans.
    comment
        At most 65,535 bytes.
    """

    time_ns: int
    marker: AnnotationMarker
    reset_hint: bool = False
    scan_index: int = 0
    comment: str = ""
    version: int = 0


@attrs.frozen(kw_only=True)
class Sync:
    """Type 0x4008: a place to find the stream again in a damaged file; to be ignored on a connection.

    Attributes
    ----------
    file_offset
        Bytes from the beginning of the file to this packet.
    comment
        For people.
    signature
        16 bytes, `SYNC_SIGNATURE` in every packet that deserves the name. Not checked on decoding.
    """

    time_ns: int
    file_offset: int
    comment: str = ""
    signature: bytes = SYNC_SIGNATURE
    version: int = 0


@attrs.frozen(kw_only=True)
class Heartbeat:
    """Type 0x4009: the server is alive."""

    time_ns: int
    version: int = 0


@attrs.frozen(kw_only=True)
class DataDone:
    """Type 0x400C: no more data of this run will come on this connection."""

    time_ns: int
    version: int = 0


@attrs.frozen(kw_only=True)
class TransComplete:
    """Type 0x4005: the translation of a run has ended.

    Attributes
    ----------
    status
        0 success, 1 to 0x7FFF transient error, 0x8000 to 0xFFFF permanent error.
    reason
        For people; at most 65,535 bytes.
    """

    time_ns: int
    status: int
    reason: str = ""
    version: int = 0


@attrs.frozen(kw_only=True)
class UnknownPacket:
    """A type, or a version of a type, that this code does not read. Encodes to the bytes it came from.

    Attributes
    ----------
    type
        Base type, below 2**24; it may be one that `PacketType` names.
    payload
        The bytes after the header.
    """

    time_ns: int
    type: int
    version: int
    payload: bytes = attrs.field(repr=lambda payload: f"<{len(payload)} bytes>")


Packet = (
    Annotation
    | BankedEvents
    | BankedStateEvents
    | BeamMonitorConfig
    | BeamMonitorEvents
    | BeamlineInfo
    | ClientHello
    | DataDone
    | DetectorBankSets
    | DeviceDescriptor
    | Geometry
    | Heartbeat
    | MappedEvents
    | PixelMapping
    | PixelMappingAlt
    | RawEvents
    | Rtdl
    | RunInfoPacket
    | RunStatus
    | SourceList
    | Sync
    | TransComplete
    | UnknownPacket
    | Variable
)
"""Everything that `decode` may give."""
