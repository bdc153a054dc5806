"""Slow variables of the simulated beamline: devices, and the values they take.

Every value is a function of the time since the stream began, so that nothing has to be remembered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np

from livered_core.adara import (
    Device,
    DeviceDescriptor,
    ProcessVariable,
    VariableDouble,
    VariableDoubleArray,
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
_ZONES_S: Final = 60

_SAMPLE_DEVICE: Final = 1
_OPTICS_DEVICE: Final = 2
_WANTED_DEVICE: Final = 3

SCAN_STEP_K: Final = 10.0
"""By how much each scan is warmer than the one before."""

Value = VariableDouble | VariableU32 | VariableString | VariableDoubleArray


@attrs.frozen
class SampleEnvironment:
    """Two devices: the sample's surroundings, which drift, and the optics, which nobody has touched for long.

    Attributes
    ----------
    sample
        Name of the sample: the value of a text variable.
    ramp
        How the temperature drifts, kelvin per minute.
    wanted
        Names of further variables, of which the instrument definition wants a value: they stand at 0.
    """

    sample: str = ""
    ramp: float = 0.0
    wanted: tuple[str, ...] = ()

    def state(self, now_ns: int, start_ns: int, scan: int = 0) -> Mapping[str, DeviceDescriptor | Value]:
        """Return the descriptors and the newest value of each variable, by name; descriptors come first.

        Parameters
        ----------
        now_ns, start_ns
            Now, and the start of the stream, nanoseconds UTC since the Unix epoch. What was set before the
            stream began has a time before it.
        scan
            Number of the scan that goes on, which says how much warmer it is; 0 for none.
        """
        seconds = (now_ns - start_ns) // _NS_PER_S
        long_ago = start_ns - _LONG_AGO_NS
        descriptors = {
            f"device {number}": DeviceDescriptor(
                time_ns=now_ns, device_id=number, xml=device_descriptor_xml(device)
            )
            for number, device in _devices(self.wanted).items()
        }
        return {
            **descriptors,
            "temperature": self._temperature(seconds, start_ns, scan),
            "zones": _zones(seconds // _ZONES_S * _ZONES_S, start_ns),
            "heater": _heater(seconds // _HEATER_S * _HEATER_S, start_ns),
            "sample": VariableString(
                time_ns=start_ns - _NS_PER_S, device_id=_SAMPLE_DEVICE, variable_id=3, value=self.sample
            ),
            "slit": VariableDouble(time_ns=long_ago, device_id=_OPTICS_DEVICE, variable_id=1, value=10.0),
            "shutter": VariableU32(time_ns=long_ago, device_id=_OPTICS_DEVICE, variable_id=2, value=1),
            **{
                f"wanted {number}": VariableDouble(
                    time_ns=long_ago, device_id=_WANTED_DEVICE, variable_id=number, value=0.0
                )
                for number in range(1, len(self.wanted) + 1)
            },
        }

    def changes(self, now_ns: int, start_ns: int, scan: int = 0) -> Mapping[str, Value]:
        """Return the values that are new at a whole second of the stream, by the names of `state`.

        Parameters
        ----------
        now_ns, start_ns, scan
            As in `state`.
        """
        seconds = (now_ns - start_ns) // _NS_PER_S
        values: dict[str, Value] = {"temperature": self._temperature(seconds, start_ns, scan)}
        if seconds % _HEATER_S == 0:
            values["heater"] = _heater(seconds, start_ns)
        if seconds % _ZONES_S == 0:
            values["zones"] = _zones(seconds, start_ns)
        return values

    def _temperature(self, seconds: int, start_ns: int, scan: int) -> VariableDouble:
        above = self.ramp * seconds / 60.0 + SCAN_STEP_K * scan
        kelvin = _ROOM_K + above + _SWING_K * math.sin(2.0 * math.pi * seconds / _SWING_S)
        return VariableDouble(
            time_ns=start_ns + seconds * _NS_PER_S, device_id=_SAMPLE_DEVICE, variable_id=1, value=kelvin
        )


def _zones(seconds: int, start_ns: int) -> VariableDoubleArray:
    swing = [_SWING_K * math.sin(2.0 * math.pi * (seconds / _SWING_S + zone / 3.0)) for zone in range(3)]
    return VariableDoubleArray(
        time_ns=start_ns + seconds * _NS_PER_S,
        device_id=_SAMPLE_DEVICE,
        variable_id=4,
        value=_ROOM_K + np.array(swing),
    )


def _heater(seconds: int, start_ns: int) -> VariableU32:
    return VariableU32(
        time_ns=start_ns + seconds * _NS_PER_S,
        device_id=_SAMPLE_DEVICE,
        variable_id=2,
        value=seconds // _HEATER_S % 2,
    )


def _devices(wanted: Sequence[str]) -> Mapping[int, Device]:
    devices = {
        _SAMPLE_DEVICE: Device(
            "SampleEnvironment",
            {
                1: ProcessVariable("SampleTemp", "double", "K", "SIM:SE:SampleTemp"),
                2: ProcessVariable("Heater", "enum_heater", "", "SIM:SE:Heater"),
                3: ProcessVariable("SampleName", "string", "", "SIM:SE:SampleName"),
                4: ProcessVariable("ZoneTemps", "double array", "K", "SIM:SE:ZoneTemps"),
            },
            {"enum_heater": {0: "Off", 1: "On"}},
        ),
        _OPTICS_DEVICE: Device(
            "Optics",
            {
                1: ProcessVariable("SlitWidth", "double", "mm", "SIM:Mot:SlitWidth"),
                2: ProcessVariable("Shutter", "enum_shutter", "", "SIM:Shutter"),
            },
            {"enum_shutter": {0: "Closed", 1: "Open"}},
        ),
    }
    if wanted:
        variables = {number: ProcessVariable(name, "double") for number, name in enumerate(wanted, 1)}
        devices[_WANTED_DEVICE] = Device("Geometry", variables)
    return devices
