"""Numbers of the protocol with their names. Values are those of the ADARA network protocol, version 1.10."""

from __future__ import annotations

import enum
from typing import Final, TypeVar

_Code = TypeVar("_Code", bound="OpenCode")

ERROR_PIXELS_BANK: Final = 0xFFFF_FFFE
"""Bank id of events whose pixel had its error bit set by the detector."""
UNMAPPED_BANK: Final = 0xFFFF_FFFF
"""Bank id of events whose pixel is not in the pixel map."""
SYNC_SIGNATURE: Final = b"SNSADARAORNL\x00\x00\xf0\x7f"
"""The 16 bytes that mark a synchronisation packet."""
CHARGE_UNIT_PC: Final = 10
"""Picocoulomb in one unit of proton charge on the wire."""


class OpenCode(enum.IntEnum):
    """An enumeration that keeps numbers it has no name for.

    Servers newer than this code may send further codes. They stay what they are, a number that compares
    unequal to every known member, under a name such as ``UNKNOWN_7``.
    """

    @classmethod
    def _missing_(cls: type[_Code], value: object) -> _Code | None:
        if not isinstance(value, int) or value < 0:
            return None
        unknown = int.__new__(cls, value)
        unknown._name_ = f"UNKNOWN_{value}"
        unknown._value_ = value
        return unknown

    @property
    def is_known(self) -> bool:
        """True for the codes that the protocol describes."""
        return self.name in type(self).__members__


class PacketType(enum.IntEnum):
    """Base types of packets: the upper 24 bits of the header's format word."""

    RAW_EVENT = 0x0000
    RTDL = 0x0001
    SOURCE_LIST = 0x0002
    MAPPED_EVENT = 0x0003
    BANKED_EVENT = 0x4000
    BEAM_MONITOR_EVENT = 0x4001
    PIXEL_MAPPING = 0x4002
    RUN_STATUS = 0x4003
    RUN_INFO = 0x4004
    TRANS_COMPLETE = 0x4005
    CLIENT_HELLO = 0x4006
    STREAM_ANNOTATION = 0x4007
    SYNC = 0x4008
    HEARTBEAT = 0x4009
    GEOMETRY = 0x400A
    BEAMLINE_INFO = 0x400B
    DATA_DONE = 0x400C
    BEAM_MONITOR_CONFIG = 0x400D
    DETECTOR_BANK_SETS = 0x400E
    BANKED_EVENT_STATE = 0x4100
    PIXEL_MAPPING_ALT = 0x4102
    DEVICE_DESCRIPTOR = 0x8000
    VARIABLE_U32 = 0x8001
    VARIABLE_DOUBLE = 0x8002
    VARIABLE_STRING = 0x8003
    VARIABLE_U32_ARRAY = 0x8004
    VARIABLE_DOUBLE_ARRAY = 0x8005
    MULTIPLE_VARIABLE_U32 = 0x8101
    MULTIPLE_VARIABLE_DOUBLE = 0x8102
    MULTIPLE_VARIABLE_STRING = 0x8103
    MULTIPLE_VARIABLE_U32_ARRAY = 0x8104
    MULTIPLE_VARIABLE_DOUBLE_ARRAY = 0x8105


class RunStatusCode(OpenCode):
    """What a run status packet says. Only NEW_RUN and END_RUN (or STATE, at attach) are edges of a run."""

    NO_RUN = 0
    NEW_RUN = 1
    RUN_EOF = 2
    """End of a file of the same run."""
    RUN_BOF = 3
    """Beginning of the next file of the same run."""
    END_RUN = 4
    STATE = 5
    """How things stand, for a client that has just come."""
    PROLOGUE = 6


class PulseFlag(enum.IntFlag):
    """Bits of a pulse's flags."""

    ERROR_PIXELS = 0x001
    PARTIAL_DATA = 0x002
    PULSE_VETO = 0x004
    MISSING_RTDL = 0x008
    MAPPING_ERROR = 0x010
    DUPLICATE_PULSE = 0x020
    PCHARGE_UNCORRECTED = 0x040
    VETO_UNCORRECTED = 0x080
    GOT_METADATA = 0x100
    GOT_NEUTRONS = 0x200
    HAS_STATES = 0x400


class AnnotationMarker(OpenCode):
    """Kinds of stream annotations."""

    GENERIC = 0
    SCAN_START = 1
    SCAN_STOP = 2
    PAUSE = 3
    RESUME = 4
    OVERALL_RUN_COMMENT = 5
    SYSTEM = 6


class HelloFlag(enum.IntFlag):
    """What a client asks for about data taken while the run is paused."""

    PAUSE_AGNOSTIC = 0
    NO_PAUSE_DATA = 1
    SEND_PAUSE_DATA = 2


class VariableStatus(OpenCode):
    """Alarm status of a variable, after the EPICS record reference."""

    OK = 0
    READ_ERROR = 1
    WRITE_ERROR = 2
    HIHI_LIMIT = 3
    HIGH_LIMIT = 4
    LOLO_LIMIT = 5
    LOW_LIMIT = 6
    BAD_STATE = 7
    CHANGED_STATE = 8
    NO_COMMUNICATION = 9
    COMMUNICATION_TIMEOUT = 10
    HARDWARE_LIMIT = 11
    BAD_CALCULATION = 12
    INVALID_SCAN = 13
    LINK_FAILED = 14
    INVALID_STATE = 15
    BAD_SUBROUTINE = 16
    UNDEFINED_ALARM = 17
    DISABLED = 18
    SIMULATED = 19
    READ_PERMISSION = 20
    WRITE_PERMISSION = 21
    UPSTREAM_DISCONNECTED = 0xFFFE
    NOT_REPORTED = 0xFFFF


class VariableSeverity(OpenCode):
    """Alarm severity of a variable."""

    OK = 0
    MINOR_ALARM = 1
    MAJOR_ALARM = 2
    INVALID = 3
    NOT_REPORTED = 0xFFFF
