"""The ADARA protocol, as a codec that knows no socket, thread or clock.

Bytes go into a `Framer`, which cuts them into `RawPacket`; `decode` makes packets of these, and `encode` bytes
of packets. Times are integer nanoseconds UTC since the Unix epoch, charges picocoulomb.
"""

from livered_core.adara.banked import count_events, most_events, read_pulse
from livered_core.adara.decode import decode
from livered_core.adara.devices import Device, ProcessVariable, device_descriptor_xml, read_device
from livered_core.adara.encode import encode
from livered_core.adara.epoch import EPICS_EPOCH_S, epics_time, unix_ns
from livered_core.adara.framing import BUFFER_SIZE, MAX_PAYLOAD, Framer, Skipped
from livered_core.adara.packets import (
    Annotation,
    BeamlineInfo,
    ClientHello,
    DataDone,
    DeviceDescriptor,
    Geometry,
    Heartbeat,
    Packet,
    RunInfoPacket,
    RunStatus,
    StartRequest,
    Sync,
    TransComplete,
    UnknownPacket,
    VariableDouble,
    VariableString,
    VariableU32,
)
from livered_core.adara.pulses import (
    RTDL_FRAMES,
    BankedEvents,
    BankedStateEvents,
    BeamMonitorEvents,
    PulseEvents,
    Rtdl,
    detector_events,
)
from livered_core.adara.runinfo import RunDetails, read_run_info, run_info_xml
from livered_core.adara.types import (
    CHARGE_UNIT_PC,
    ERROR_PIXELS_BANK,
    SYNC_SIGNATURE,
    UNMAPPED_BANK,
    AnnotationMarker,
    HelloFlag,
    PacketType,
    PulseFlag,
    RunStatusCode,
    VariableSeverity,
    VariableStatus,
)
from livered_core.adara.wire import RawPacket, type_name

__all__ = [
    "BUFFER_SIZE",
    "CHARGE_UNIT_PC",
    "EPICS_EPOCH_S",
    "ERROR_PIXELS_BANK",
    "MAX_PAYLOAD",
    "RTDL_FRAMES",
    "SYNC_SIGNATURE",
    "UNMAPPED_BANK",
    "Annotation",
    "AnnotationMarker",
    "BankedEvents",
    "BankedStateEvents",
    "BeamMonitorEvents",
    "BeamlineInfo",
    "ClientHello",
    "DataDone",
    "Device",
    "DeviceDescriptor",
    "Framer",
    "Geometry",
    "Heartbeat",
    "HelloFlag",
    "Packet",
    "PacketType",
    "ProcessVariable",
    "PulseEvents",
    "PulseFlag",
    "RawPacket",
    "Rtdl",
    "RunDetails",
    "RunInfoPacket",
    "RunStatus",
    "RunStatusCode",
    "Skipped",
    "StartRequest",
    "Sync",
    "TransComplete",
    "UnknownPacket",
    "VariableDouble",
    "VariableSeverity",
    "VariableStatus",
    "VariableString",
    "VariableU32",
    "count_events",
    "decode",
    "detector_events",
    "device_descriptor_xml",
    "encode",
    "epics_time",
    "most_events",
    "read_device",
    "read_pulse",
    "read_run_info",
    "run_info_xml",
    "type_name",
    "unix_ns",
]
