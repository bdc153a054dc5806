"""Slow variables of the simulated beamline: devices, and the values they take.

Every value is a function of the time since the stream began, so that nothing has to be remembered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import attrs

from livered_core.adara import (
    Device,
    DeviceDescriptor,
    ProcessVariable,
    VariableDouble,
    VariableString,
    VariableU32,
    device_descriptor_xml,
)

_NS_PER_S: Final = 1_000_000_000
_LONG_AGO_NS: Final = 30 * 86_400 * _NS_PER_S
"""The optics were last touched that long before the stream began."""

_ROOM_K: Final = 293.15
_SWING_K: Final = 0.5
_SWING_S: Final = 600.0
_HEATER_S: Final = 300

_SAMPLE_DEVICE: Final = 1
_OPTICS_DEVICE: Final = 2

Value = VariableDouble | VariableU32 | VariableString


@attrs.frozen
class SampleEnvironment:
    """Two devices: the sample's surroundings, which drift, and the optics, which nobody has touched for long.

    Attributes
    ----------
    sample
        Name of the sample: the value of a text variable.
    """

    sample: str = ""

    def state(self, now_ns: int, start_ns: int) -> Mapping[str, DeviceDescriptor | Value]:
        """Return the descriptors and the newest value of each variable, by name; descriptors come first.

        Parameters
        ----------
        now_ns, start_ns
            Now, and the start of the stream, nanoseconds UTC since the Unix epoch. What was set before the
            stream began has a time before it.
        """
        seconds = (now_ns - start_ns) // _NS_PER_S
        long_ago = start_ns - _LONG_AGO_NS
        descriptors = {
            f"device {number}": DeviceDescriptor(
                time_ns=now_ns, device_id=number, xml=device_descriptor_xml(device)
            )
            for number, device in _devices().items()
        }
        return {
            **descriptors,
            "temperature": _temperature(seconds, start_ns),
            "heater": _heater(seconds // _HEATER_S * _HEATER_S, start_ns),
            "sample": VariableString(
                time_ns=start_ns - _NS_PER_S, device_id=_SAMPLE_DEVICE, variable_id=3, value=self.sample
            ),
            "slit": VariableDouble(time_ns=long_ago, device_id=_OPTICS_DEVICE, variable_id=1, value=10.0),
            "shutter": VariableU32(time_ns=long_ago, device_id=_OPTICS_DEVICE, variable_id=2, value=1),
        }

    def changes(self, now_ns: int, start_ns: int) -> Mapping[str, Value]:
        """Return the values that are new at a whole second of the stream, by the names of `state`.

        Parameters
        ----------
        now_ns, start_ns
            As in `state`.
        """
        seconds = (now_ns - start_ns) // _NS_PER_S
        values: dict[str, Value] = {"temperature": _temperature(seconds, start_ns)}
        if seconds % _HEATER_S == 0:
            values["heater"] = _heater(seconds, start_ns)
        return values


def _temperature(seconds: int, start_ns: int) -> VariableDouble:
    kelvin = _ROOM_K + _SWING_K * math.sin(2.0 * math.pi * seconds / _SWING_S)
    return VariableDouble(
        time_ns=start_ns + seconds * _NS_PER_S, device_id=_SAMPLE_DEVICE, variable_id=1, value=kelvin
    )


def _heater(seconds: int, start_ns: int) -> VariableU32:
    return VariableU32(
        time_ns=start_ns + seconds * _NS_PER_S,
        device_id=_SAMPLE_DEVICE,
        variable_id=2,
        value=seconds // _HEATER_S % 2,
    )


def _devices() -> Mapping[int, Device]:
    return {
        _SAMPLE_DEVICE: Device(
            "SampleEnvironment",
            {
                1: ProcessVariable("SampleTemp", "double", "K", "SIM:SE:SampleTemp"),
                2: ProcessVariable("Heater", "heater_states", "", "SIM:SE:Heater"),
                3: ProcessVariable("SampleName", "string", "", "SIM:SE:SampleName"),
            },
            {"heater_states": {0: "Off", 1: "On"}},
        ),
        _OPTICS_DEVICE: Device(
            "Optics",
            {
                1: ProcessVariable("SlitWidth", "double", "mm", "SIM:Mot:SlitWidth"),
                2: ProcessVariable("Shutter", "shutter_states", "", "SIM:Shutter"),
            },
            {"shutter_states": {0: "Closed", 1: "Open"}},
        ),
    }
