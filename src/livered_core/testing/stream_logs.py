"""Slow logs as the packets that a stream management server sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from livered_core.adara import (
    Device,
    DeviceDescriptor,
    Packet,
    ProcessVariable,
    VariableDouble,
    VariableDoubleArray,
    VariableString,
    device_descriptor_xml,
)
from livered_core.model import SlowLog

_DEVICE: Final = "device"
"""Name of the device of logs that have none: the stream must say one."""


def log_packets(logs: Sequence[Mapping[str, SlowLog]], time_ns: int) -> list[Packet]:
    """Describe devices and send values.

    Parameters
    ----------
    logs
        Those of each chunk; a value that several chunks have is sent once.
    time_ns
        When devices are described, and the earliest time at which a value is sent: values that are older come
        right after the descriptions, with the time that they have. Nanoseconds UTC since the Unix epoch.

    Returns
    -------
    list of Packet
        Descriptors of devices, then values in the order of their times.
    """
    first: dict[str, SlowLog] = {}
    newest: dict[str, int] = {}
    samples: list[tuple[str, int, Any]] = []
    for each in logs:
        for name, log in each.items():
            first.setdefault(name, log)
            times = log.time_ns.tolist()
            sent = newest.get(name, min(times) - 1)
            # A chunk begins with the value in force, which the one before has as well.
            samples += [(name, at, value) for at, value in zip(times, log.value, strict=True) if at > sent]
            newest[name] = max(*times, sent)
    devices: dict[str, dict[int, ProcessVariable]] = {}
    ids: dict[str, tuple[int, int]] = {}
    for name, log in first.items():
        variables = devices.setdefault(log.device or _DEVICE, {})
        variables[len(variables) + 1] = ProcessVariable(name, _kind(log.value[-1]), log.unit)
        ids[name] = (list(devices).index(log.device or _DEVICE) + 1, len(variables))
    described: list[Packet] = [
        DeviceDescriptor(
            time_ns=time_ns, device_id=number, xml=device_descriptor_xml(Device(name, variables))
        )
        for number, (name, variables) in enumerate(devices.items(), start=1)
    ]
    values = [_value(at, *ids[name], value) for name, at, value in samples]
    return described + sorted(values, key=lambda packet: packet.time_ns)


def _kind(value: Any) -> str:
    return "string" if isinstance(value, str) else "double"


def _value(time_ns: int, device_id: int, variable_id: int, value: Any) -> Packet:
    if isinstance(value, str):
        return VariableString(time_ns=time_ns, device_id=device_id, variable_id=variable_id, value=value)
    if isinstance(value, np.ndarray):
        numbers = value.astype(np.float64)
        return VariableDoubleArray(
            time_ns=time_ns, device_id=device_id, variable_id=variable_id, value=numbers
        )
    return VariableDouble(time_ns=time_ns, device_id=device_id, variable_id=variable_id, value=float(value))
