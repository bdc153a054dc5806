"""Values of process variables, named by their device's descriptor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from livered_core.adara import (
    Device,
    DeviceDescriptor,
    Packet,
    VariableDouble,
    VariableString,
    VariableU32,
    read_device,
)
from livered_core.chunking.items import LogSample


class SlowLogDecoder:
    """Keeps the descriptors of devices and names values by them; belongs to the reader's thread.

    A value without a descriptor is not lost: its name is made of the ids, ``device 3 variable 7``.
    """

    def __init__(self) -> None:
        self._devices: dict[int, Device] = {}
        self._enumerations: dict[str, Mapping[int, str]] = {}

    def feed(self, packet: Packet) -> Iterator[LogSample]:
        """Take up a descriptor, or yield the sample that a value packet holds; other packets yield nothing.

        Raises
        ------
        ProtocolError
            When a descriptor cannot be read; the decoder is as it was before.
        """
        if isinstance(packet, DeviceDescriptor):
            self._describe(packet)
        elif isinstance(packet, (VariableU32, VariableDouble, VariableString)):
            yield self._sample(packet)

    def _describe(self, packet: DeviceDescriptor) -> None:
        if not packet.xml:
            self._devices.pop(packet.device_id, None)
            return
        device = read_device(packet.xml)
        self._devices[packet.device_id] = device
        self._enumerations.update(device.enumerations)

    def _sample(self, packet: VariableU32 | VariableDouble | VariableString) -> LogSample:
        device = self._devices.get(packet.device_id)
        variable = device.variables.get(packet.variable_id) if device is not None else None
        if device is None or variable is None:
            name = f"device {packet.device_id} variable {packet.variable_id}"
            return LogSample(name, device.name if device else "", "", packet.time_ns, packet.value)
        value: float | str = packet.value
        if isinstance(packet, VariableU32):
            # An enumeration may be another device's: servers share them.
            names = device.enumerations.get(variable.type) or self._enumerations.get(variable.type)
            if names is not None:
                value = names.get(packet.value, str(packet.value))
        return LogSample(variable.name, device.name, variable.unit, packet.time_ns, value)
