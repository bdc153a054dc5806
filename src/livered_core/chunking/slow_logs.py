"""Values of process variables, named by their device's descriptor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from livered_core.adara import (
    Device,
    DeviceDescriptor,
    MultipleVariableDouble,
    MultipleVariableString,
    MultipleVariableU32,
    Packet,
    Variable,
    VariableDouble,
    VariableDoubleArray,
    VariableString,
    VariableU32,
    VariableU32Array,
    read_device,
)
from livered_core.chunking.items import LogSample
from livered_core.errors import ProtocolError

F64 = npt.NDArray[np.float64]

MOST_DEVICES: Final = 10_000
"""Devices that are remembered: a hundred times what a beamline has."""


class SlowLogDecoder:
    """Keeps the descriptors of devices and names values by them; belongs to the reader's thread.

    A value without a descriptor is not lost: its name is made of the ids, ``device 3 variable 7``.
    """

    def __init__(self) -> None:
        self._devices: dict[int, Device] = {}
        self._enumerations: dict[str, Mapping[int, str]] = {}

    def feed(self, packet: Packet) -> Iterator[LogSample]:
        """Take up a descriptor, or yield the samples that a value packet holds; other packets yield nothing.

        Raises
        ------
        ProtocolError
            When a descriptor cannot be read, or is one too many; the decoder is as it was before.
        """
        if isinstance(packet, DeviceDescriptor):
            self._describe(packet)
        elif isinstance(packet, Variable):
            yield from self._samples(packet)

    def _describe(self, packet: DeviceDescriptor) -> None:
        if not packet.xml:
            self._devices.pop(packet.device_id, None)
            return
        device = read_device(packet.xml)
        if packet.device_id not in self._devices and len(self._devices) >= MOST_DEVICES:
            message = (
                f"The ADARA stream describes more than {MOST_DEVICES} devices: that of {device.name[:40]!a} is one "
                "too many; a real server has some dozens."
            )
            raise ProtocolError(message)
        self._devices[packet.device_id] = device
        self._enumerations.update(device.enumerations)

    def _samples(self, packet: Variable) -> Iterator[LogSample]:
        device = self._devices.get(packet.device_id)
        variable = device.variables.get(packet.variable_id) if device is not None else None
        names: Mapping[int, str] = {}
        if device is None or variable is None:
            name, unit = f"device {packet.device_id} variable {packet.variable_id}", ""
        else:
            name, unit = variable.name, variable.unit
            # An enumeration may be another device's: servers share them.
            names = device.enumerations.get(variable.type) or self._enumerations.get(variable.type) or {}
        whole = isinstance(packet, VariableU32 | MultipleVariableU32)
        for time_ns, value in _values(packet):
            named = names.get(int(cast(int, value)), str(value)) if whole and names else value
            yield LogSample(name, device.name if device else "", unit, time_ns, named)


def _values(packet: Variable) -> Iterator[tuple[int, float | str | F64]]:
    """List the values of a packet with the time of each."""
    if isinstance(packet, VariableU32 | VariableDouble | VariableString):
        yield packet.time_ns, packet.value
    elif isinstance(packet, VariableU32Array | VariableDoubleArray):
        yield packet.time_ns, packet.value.astype(np.float64)
    elif isinstance(packet, MultipleVariableString):
        yield from zip(packet.value_time_ns.tolist(), packet.value, strict=True)
    elif isinstance(packet, MultipleVariableU32 | MultipleVariableDouble):
        yield from zip(packet.value_time_ns.tolist(), packet.value.tolist(), strict=True)
    else:
        parts = np.split(packet.value.astype(np.float64), packet.value_offset[1:-1])
        yield from zip(packet.value_time_ns.tolist(), parts, strict=False)
