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
MOST_CHARACTERS: Final = 16 * 1024 * 1024
"""Characters of the descriptors that are remembered, ten times what a large beamline has."""
MOST_LOGS: Final = 20_000
"""Variables whose values are taken, ten times what a large beamline has."""
MOST_HELD: Final = 64 * 1024 * 1024
"""Bytes of the newest values of all variables together."""


class SlowLogDecoder:
    """Keeps the descriptors of devices and names values by them; belongs to the reader's thread.

    A value without a descriptor is not lost: its name is made of the ids, ``device 3 variable 7``. Values are kept in
    force by whoever takes them, so that their number and size are limited here.
    """

    def __init__(self) -> None:
        self._devices: dict[int, Device] = {}
        self._characters: dict[int, int] = {}
        self._enumerations: dict[str, Mapping[int, str]] | None = {}
        self._sizes: dict[str, int] = {}
        self._held = 0

    def feed(self, packet: Packet) -> Iterator[LogSample]:
        """Take up a descriptor, or yield the samples that a value packet holds; other packets yield nothing.

        Raises
        ------
        ProtocolError
            When a descriptor cannot be read, or it or a value is one too many; the decoder is as it was before.
        """
        if isinstance(packet, DeviceDescriptor):
            self._describe(packet)
        elif isinstance(packet, Variable):
            yield from self._samples(packet)

    def _describe(self, packet: DeviceDescriptor) -> None:
        number, characters = packet.device_id, len(packet.xml)
        if not packet.xml:
            self._devices.pop(number, None)
            self._characters.pop(number, None)
            self._enumerations = None
            return
        device = read_device(packet.xml)
        if number not in self._devices and len(self._devices) >= MOST_DEVICES:
            message = (
                f"The ADARA stream describes more than {MOST_DEVICES} devices: that of {device.name[:40]!a} is one "
                "too many; a real server has some dozens."
            )
            raise ProtocolError(message)
        if sum(self._characters.values()) - self._characters.get(number, 0) + characters > MOST_CHARACTERS:
            message = (
                f"The ADARA stream describes devices with more than {MOST_CHARACTERS} characters in all: "
                f"that of {device.name[:40]!a} is one too many."
            )
            raise ProtocolError(message)
        if device.enumerations or (number in self._devices and self._devices[number].enumerations):
            self._enumerations = None
        # The newest is the last.
        self._devices.pop(number, None)
        self._devices[number], self._characters[number] = device, characters

    def _shared(self, name: str) -> Mapping[int, str]:
        """Find an enumeration of any device: servers share them."""
        if self._enumerations is None:
            self._enumerations = {}
            for device in self._devices.values():
                self._enumerations.update(device.enumerations)
        return self._enumerations.get(name) or {}

    def _samples(self, packet: Variable) -> Iterator[LogSample]:
        device = self._devices.get(packet.device_id)
        variable = device.variables.get(packet.variable_id) if device is not None else None
        names: Mapping[int, str] = {}
        if device is None or variable is None:
            name, unit = f"device {packet.device_id} variable {packet.variable_id}", ""
        else:
            name, unit = variable.name, variable.unit
            names = device.enumerations.get(variable.type) or self._shared(variable.type)
        whole = isinstance(packet, VariableU32 | MultipleVariableU32)
        for time_ns, value in _values(packet):
            named = names.get(int(cast(int, value)), str(value)) if whole and names else value
            self._hold(name, named)
            yield LogSample(name, device.name if device else "", unit, time_ns, named)

    def _hold(self, name: str, value: float | str | F64) -> None:
        """Count what the value in force of a variable takes."""
        size = value.nbytes if isinstance(value, np.ndarray) else len(value) if isinstance(value, str) else 0
        before = self._sizes.get(name)
        if before is None and len(self._sizes) >= MOST_LOGS:
            message = f"The ADARA stream has values of more than {MOST_LOGS} variables: {name[:60]!a} is one too many."
            raise ProtocolError(message)
        held = self._held - (before or 0) + size
        if held > MOST_HELD:
            message = (
                f"The ADARA stream has values that take more than {MOST_HELD} bytes in all: "
                f"one of {name[:60]!a} with {size} bytes is too much."
            )
            raise ProtocolError(message)
        self._sizes[name], self._held = size, held


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
