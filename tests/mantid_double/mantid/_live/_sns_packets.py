"""What the SNS listener does with each kind of packet."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    BankedEvents,
    BeamlineInfo,
    BeamMonitorEvents,
    DeviceDescriptor,
    Geometry,
    PacketType,
    RawPacket,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    VariableDouble,
    VariableString,
    VariableU32,
    decode,
    read_device,
    read_run_info,
)
from livered_core.errors import ProtocolError
from livered_core.geometry import wanted_logs
from livered_core.model import InstrumentDefinition
from mantid._live._listener import BEGIN_RUN, END_RUN, NAMES, NO_RUN, RUNNING
from mantid.kernel import (
    ConfigService,
    DateAndTime,
    FloatTimeSeriesProperty,
    Int32TimeSeriesProperty,
    Logger,
    StringTimeSeriesProperty,
)

if TYPE_CHECKING:
    from mantid._live._sns import SNSLiveEventDataListener

_log = Logger("SNSLiveEventDataListener")
_INTEGERS: Final = ("integer", "unsigned", "unsigned integer")


@functools.lru_cache(maxsize=4)
def required_logs(xml: str) -> tuple[str, ...]:
    """Return the logs that must have a value before the geometry can be used."""
    return wanted_logs(InstrumentDefinition("", xml))


class PacketHandler:
    """Changes the state of a listener, packet by packet, on the network thread."""

    def __init__(self, listener: SNSLiveEventDataListener) -> None:
        self._of = listener

    def take(self, raw: RawPacket) -> bool:
        """Take a packet; true when reading is to stop here."""
        try:
            packet = decode(raw)
        except ProtocolError as error:
            name = "RunStatus" if raw.type == PacketType.RUN_STATUS else type_text(raw)
            message = f"{name} V{raw.version} packet is incorrect length"
            raise RuntimeError(message) from error
        method = self._METHODS.get(type(packet))
        if method is None:
            return False
        with self._of.lock:
            method(self, packet)
            if not isinstance(packet, BankedEvents):
                self._of.initialize_if_possible()
        return self._of.paused_reading

    def _banked(self, packet: BankedEvents) -> None:
        self._of.initialize_if_possible()
        if not self._of.initialized:
            _log.error("Cannot process BankedEventPacket because workspace isn't initialized.")
            return
        if self._of.run_paused and ConfigService["livelistener.keeppausedevents"] in ("", "0"):
            return
        self._of.buffer.add_pulse(packet)

    def _monitors(self, packet: BeamMonitorEvents) -> None:
        if self._of.initialized:
            self._of.buffer.add_monitors(packet)

    def _geometry(self, packet: Geometry) -> None:
        if not self._of.initialized:
            self._of.instrument_xml = packet.xml

    def _beamline(self, packet: BeamlineInfo) -> None:
        if not self._of.initialized:
            self._of.instrument_name = packet.long_name

    def _run_info(self, packet: RunInfoPacket) -> None:
        details = read_run_info(packet.xml)
        run = self._of.buffer.run
        if details.title:
            run.set("run_title", details.title)
        if details.proposal_id:
            run.set("experiment_identifier", details.proposal_id)

    def _run_status(self, packet: RunStatus) -> None:
        of = self._of
        of.data_start_ns = packet.time_ns
        known = "run_number" in of.buffer.run.properties
        if packet.status == RunStatusCode.NEW_RUN:
            if of.status != NO_RUN:
                self._unexpected("start", NO_RUN)
            if not of.initialized:
                of.status = RUNNING
                self.set_run_details(packet)
                return
            of.status = BEGIN_RUN
            if known:
                _log.warning("run_number property already exists.  Current value will be ignored.")
            of.deferred = packet
            of.paused_reading = True
        elif packet.status == RunStatusCode.END_RUN:
            if of.status not in (RUNNING, BEGIN_RUN):
                self._unexpected("end", RUNNING)
            of.status = END_RUN
            of.paused_reading = True
            if not known:
                self.set_run_details(packet)
            of.buffer.run.set("run_end", DateAndTime.of_unix_ns(packet.time_ns).toISO8601String())
        elif packet.status == RunStatusCode.STATE and not known and packet.run_number:
            self.set_run_details(packet)

    def _unexpected(self, what: str, expected: int) -> None:
        _log.warning(
            f"Unexpected {what} of run.  Run status should have been {expected} ({NAMES[expected]}), "
            f"but was {self._of.status}"
        )

    def set_run_details(self, packet: RunStatus) -> None:
        run = self._of.buffer.run
        self._of.number = packet.run_number
        run.set("run_number", str(packet.run_number))
        start = DateAndTime.of_unix_ns(packet.run_start_ns).toISO8601String()
        run.set("run_start", start.partition(".")[0] + "Z")
        _log.notice(f"Run number is {packet.run_number}")

    def _device(self, packet: DeviceDescriptor) -> None:
        if not packet.xml:
            return
        run = self._of.buffer.run
        for number, variable in read_device(packet.xml).variables.items():
            key = (packet.device_id, number)
            if key in self._of.names:
                continue
            kind: type[Any]
            if variable.type == "double":
                kind = FloatTimeSeriesProperty
            elif variable.type in _INTEGERS or variable.type.startswith("enum_"):
                kind = Int32TimeSeriesProperty
            elif variable.type == "string":
                kind = StringTimeSeriesProperty
            else:
                _log.warning(
                    f"Ignoring process variable {variable.name} because it had an unrecognized type ({variable.type})."
                )
                continue
            run.properties.setdefault(variable.name, kind(variable.name, variable.unit))
            self._of.names[key] = variable.name

    def _value(self, packet: VariableU32 | VariableDouble | VariableString) -> None:
        name = self._of.names.get((packet.device_id, packet.variable_id))
        if name is None:
            _log.error(
                f"Ignoring variable value packet for device {packet.device_id}, variable {packet.variable_id} "
                "because we haven't received a device descriptor packet for it."
            )
            return
        self._of.buffer.run.series(name).add_unix(packet.time_ns, packet.value)

    def _annotation(self, packet: Annotation) -> None:
        run = self._of.buffer.run
        if packet.marker == AnnotationMarker.SCAN_START:
            run.series("scan_index").add_unix(packet.time_ns, packet.scan_index)
        elif packet.marker == AnnotationMarker.SCAN_STOP:
            run.series("scan_index").add_unix(packet.time_ns, 0)
        elif packet.marker in (AnnotationMarker.PAUSE, AnnotationMarker.RESUME):
            self._of.run_paused = packet.marker == AnnotationMarker.PAUSE
            run.series("pause").add_unix(packet.time_ns, int(self._of.run_paused))

    _METHODS: Final[dict[type, Any]] = {
        BankedEvents: _banked,
        BeamMonitorEvents: _monitors,
        Geometry: _geometry,
        BeamlineInfo: _beamline,
        RunInfoPacket: _run_info,
        RunStatus: _run_status,
        DeviceDescriptor: _device,
        VariableU32: _value,
        VariableDouble: _value,
        VariableString: _value,
        Annotation: _annotation,
    }


def type_text(raw: RawPacket) -> str:
    """Name a kind of packet as Mantid's messages do."""
    try:
        return "".join(word.capitalize() for word in PacketType(raw.type).name.split("_"))
    except ValueError:
        return f"{raw.type:#x}"
