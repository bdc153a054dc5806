"""The ADARA protocol, as a codec that knows no socket, thread or clock.

Bytes go into a `Framer`, which cuts them into `RawPacket`; `decode` makes packets of these, and `encode` bytes
of packets. Times are integer nanoseconds UTC since the Unix epoch, charges picocoulomb.
"""

from livered_core.adara.banked import count_events, most_events, read_pulse
from livered_core.adara.decode import decode
from livered_core.adara.detector_config import (
    BankSet,
    BeamMonitorConfig,
    DetectorBankSets,
    MonitorConfig,
    StorageFormat,
)
from livered_core.adara.detector_system import RTDL_FRAMES, MappedEvents, RawEvents, Rtdl, SourceList
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
)
from livered_core.adara.pixel_map import PixelMapping, PixelMappingAlt
from livered_core.adara.pulse_head import PULSE_HEAD_SIZE, read_pulse_head, renewed_head
from livered_core.adara.pulses import (
    BankedEvents,
    BankedStateEvents,
    BeamMonitorEvents,
    PulseEvents,
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
from livered_core.adara.variables import (
    MultipleVariableDouble,
    MultipleVariableDoubleArray,
    MultipleVariableString,
    MultipleVariableU32,
    MultipleVariableU32Array,
    Variable,
    VariableDouble,
    VariableDoubleArray,
    VariableString,
    VariableU32,
    VariableU32Array,
)
from livered_core.adara.wire import RawPacket, type_name

__all__ = [
    "BUFFER_SIZE",
    "CHARGE_UNIT_PC",
    "EPICS_EPOCH_S",
    "ERROR_PIXELS_BANK",
    "MAX_PAYLOAD",
    "PULSE_HEAD_SIZE",
    "RTDL_FRAMES",
    "SYNC_SIGNATURE",
    "UNMAPPED_BANK",
    "Annotation",
    "AnnotationMarker",
    "BankSet",
    "BankedEvents",
    "BankedStateEvents",
    "BeamMonitorConfig",
    "BeamMonitorEvents",
    "BeamlineInfo",
    "ClientHello",
    "DataDone",
    "DetectorBankSets",
    "Device",
    "DeviceDescriptor",
    "Framer",
    "Geometry",
    "Heartbeat",
    "HelloFlag",
    "MappedEvents",
    "MonitorConfig",
    "MultipleVariableDouble",
    "MultipleVariableDoubleArray",
    "MultipleVariableString",
    "MultipleVariableU32",
    "MultipleVariableU32Array",
    "Packet",
    "PacketType",
    "PixelMapping",
    "PixelMappingAlt",
    "ProcessVariable",
    "PulseEvents",
    "PulseFlag",
    "RawEvents",
    "RawPacket",
    "Rtdl",
    "RunDetails",
    "RunInfoPacket",
    "RunStatus",
    "RunStatusCode",
    "Skipped",
    "SourceList",
    "StartRequest",
    "StorageFormat",
    "Sync",
    "TransComplete",
    "UnknownPacket",
    "Variable",
    "VariableDouble",
    "VariableDoubleArray",
    "VariableSeverity",
    "VariableStatus",
    "VariableString",
    "VariableU32",
    "VariableU32Array",
    "count_events",
    "decode",
    "detector_events",
    "device_descriptor_xml",
    "encode",
    "epics_time",
    "most_events",
    "read_device",
    "read_pulse",
    "read_pulse_head",
    "read_run_info",
    "renewed_head",
    "run_info_xml",
    "type_name",
    "unix_ns",
]
