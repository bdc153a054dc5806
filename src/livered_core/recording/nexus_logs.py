"""The logs of an SNS NeXus file (DASlogs) as variables of the stream, in the order of their times.

A log is a group with ``value`` and ``time``. What other groups there say of pulses, pauses, scans and comments is
read here as well. Source of the layout: ``stc/NxGen.h`` and ``stc/NxGen.cpp`` of the ADARA repository.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    Device,
    DeviceDescriptor,
    ProcessVariable,
    VariableDouble,
    VariableDoubleArray,
    VariableString,
    VariableU32,
    VariableU32Array,
    device_descriptor_xml,
    encode,
    unix_ns,
)
from livered_core.recording.nexus_file import MOST_VALUES, NexusFile
from livered_core.recording.nexus_times import read_times

I64 = npt.NDArray[np.int64]

_log = logging.getLogger(__name__)
_NOT_LOGS: Final = frozenset(
    {"frequency", "proton_charge", "Veto_pulse", "pulse_flags", "pause", "scan_index", "comments"}
)
_VARIABLES_OF_DEVICE: Final = 100
_FIRST_NS: Final = unix_ns(0)
_END_NS: Final = unix_ns(1 << 32)
_LONGEST_COMMENT: Final = 65_535
_LARGEST_U32: Final = 0xFFFF_FFFF


@attrs.frozen(eq=False)
class Log:
    """The values of a variable.

    Attributes
    ----------
    name, connection, unit, device
        As in the stream; texts that are not in the file are empty.
    times
        int64[n], nanoseconds UTC since the Unix epoch.
    values
        n texts, or an array of n numbers or n rows of numbers: uint32, else float64.
    names
        Of enumerated values, by number.
    """

    name: str
    connection: str
    unit: str
    device: str
    times: I64
    values: Sequence[str] | npt.NDArray[Any]
    names: Mapping[int, str]

    @property
    def type(self) -> str:
        """What a device descriptor calls values of this kind; for enumerated ones too."""
        if not isinstance(self.values, np.ndarray):
            return "string"
        is_whole, is_array = self.values.dtype == np.uint32, self.values.ndim > 1
        if is_array:
            return "integer array" if is_whole else "double array"
        return "unsigned integer" if is_whole else "double"


def read_logs(file: NexusFile, entry: Any, start_ns: int) -> list[Log]:
    """Read all logs, ordered by name. What has no value or no time is left out, and a warning says so.

    Parameters
    ----------
    file, entry
        Where.
    start_ns
        Start of the run, from which times without a beginning of their own count.

    Raises
    ------
    ConfigError
        When there are more values than fit into memory, or something is damaged.
    """
    group = file.child(entry, "DASlogs")
    if not file.is_group(group):
        return []
    places: dict[int, tuple[str, Any, list[str]]] = {}
    for name in file.names(group):
        found = None if name in _NOT_LOGS else file.child(group, name)
        if file.is_group(found) and file.child(found, "value") is not None:
            # A log may have a second name, for people, which is a link.
            places.setdefault(file.address(found), (name, found, []))[2].append(name)
    logs, n_values = [], 0
    for first, found, names in places.values():
        target = file.text(found, "target").rpartition("/")[2]
        alias = next((name for name in names if name != target), first) if target in names else first
        log = _read_log(file, found, (alias, target if target != alias else ""), start_ns)
        n_values += log.values.size if isinstance(log.values, np.ndarray) else len(log.values)
        if n_values > MOST_VALUES:
            raise file.error(f"has more than {MOST_VALUES} values in DASlogs: they do not fit into memory")
        logs.append(log)
    return logs


def _read_log(file: NexusFile, group: Any, names: tuple[str, str], start_ns: int) -> Log:
    value: Any = file.dataset(group, "value", "biufSOU")
    time = file.dataset(group, "time")
    times = np.array([start_ns]) if time is None else read_times(file, time, start_ns)
    values = _values(file, value)
    good = np.flatnonzero((times >= _FIRST_NS) & (times < _END_NS))
    good = good[good < len(values)]
    if len(good) < max(len(times), len(values)):
        _log.warning(
            "NeXus file %s: of %d values and %d times in %s, %d that belong together are taken.",
            file.path,
            len(values),
            len(times),
            group.name,
            len(good),
        )
    taken = values[good] if isinstance(values, np.ndarray) else [values[place] for place in good.tolist()]
    unit = file.attribute(value, "units")
    device = file.text(group, "device_name")
    return Log(*names, unit, device, times[good], taken, _enumeration(file, group))


def _values(file: NexusFile, dataset: Any) -> list[str] | npt.NDArray[Any]:
    if dataset.dtype.kind in "SOU":
        return file.texts(dataset)
    values = file.numbers(dataset)
    if values.ndim > 1:
        values = values.reshape(len(values), -1)
    fits = values.dtype.kind in "bu" and (not values.size or int(values.max()) <= _LARGEST_U32)
    return values.astype(np.uint32 if fits else np.float64)


def _enumeration(file: NexusFile, group: Any) -> dict[int, str]:
    numbers = file.dataset(group, "enum/values", "iu")
    names = file.dataset(group, "enum/names", "SOU")
    if numbers is None or names is None:
        return {}
    return dict(zip(file.numbers(numbers).reshape(-1).tolist(), file.texts(names), strict=False))


def read_annotations(file: NexusFile, entry: Any, start_ns: int) -> list[Annotation]:
    """Read pauses, scans and comments, ordered by time.

    A value of ``pause`` above 0 is a pause, of ``scan_index`` the step that begins; 0 ends either, and says nothing
    where nothing began.
    """
    marks: list[Annotation] = []
    scan = paused = 0
    for time_ns, value in _series(file, entry, "pause", start_ns):
        if bool(value) != bool(paused):
            marker = AnnotationMarker.PAUSE if value else AnnotationMarker.RESUME
            marks.append(Annotation(time_ns=time_ns, marker=marker))
        paused = value
    for time_ns, value in _series(file, entry, "scan_index", start_ns):
        if value:
            marks.append(Annotation(time_ns=time_ns, marker=AnnotationMarker.SCAN_START, scan_index=value))
        elif scan:
            marks.append(Annotation(time_ns=time_ns, marker=AnnotationMarker.SCAN_STOP, scan_index=scan))
        scan = value
    texts = file.dataset(entry, "DASlogs/comments/value", "SOU")
    times = file.dataset(entry, "DASlogs/comments/time")
    if texts is not None and times is not None:
        for time_ns, text in zip(read_times(file, times, start_ns).tolist(), file.texts(texts), strict=False):
            # Longer ones come from no server: there they have to fit as well.
            comment = text.encode()[:_LONGEST_COMMENT].decode(errors="ignore")
            marks.append(Annotation(time_ns=time_ns, marker=AnnotationMarker.GENERIC, comment=comment))
    return sorted(marks, key=lambda mark: mark.time_ns)


def _series(file: NexusFile, entry: Any, name: str, start_ns: int) -> list[tuple[int, int]]:
    values = file.dataset(entry, f"DASlogs/{name}/value", "iu")
    times = file.dataset(entry, f"DASlogs/{name}/time")
    if values is None or times is None:
        return []
    numbers = file.numbers(values).reshape(-1).tolist()
    return sorted(
        zip(read_times(file, times, start_ns).tolist(), numbers, strict=False), key=lambda pair: pair[0]
    )


class Timeline:
    """Writes the logs and annotations of a file, each at its time.

    Parameters
    ----------
    logs, annotations
        From `read_logs` and `read_annotations`.
    """

    def __init__(self, logs: Sequence[Log], annotations: Sequence[Annotation]) -> None:
        self._logs = logs
        self._annotations = list(annotations)
        self._ids = _ids_of(logs)
        times = np.concatenate([np.zeros(0, np.int64), *(log.times for log in logs)])
        which = np.repeat(np.arange(len(logs), dtype=np.int32), [len(log.times) for log in logs])
        place = np.concatenate(
            [np.zeros(0, np.int32), *(np.arange(len(log.times), dtype=np.int32) for log in logs)]
        )
        order = np.argsort(times, kind="stable")
        self._times, self._which, self._place = times[order], which[order], place[order]
        self._next = self._next_annotation = 0

    def descriptors(self, time_ns: int) -> Iterator[bytes]:
        """Write what the devices are; logs of one device may need several descriptors."""
        devices: dict[int, dict[int, tuple[Log, str]]] = {}
        for log, (device, variable) in zip(self._logs, self._ids, strict=True):
            kind = f"enum_{variable:02d}" if log.names and log.type == "unsigned integer" else log.type
            devices.setdefault(device, {})[variable] = (log, kind)
        for number, variables in devices.items():
            described = Device(
                name=next(iter(variables.values()))[0].device or "DASlogs",
                variables={
                    variable: ProcessVariable(log.name, kind, log.unit, log.connection)
                    for variable, (log, kind) in variables.items()
                },
                enumerations={
                    kind: log.names for log, kind in variables.values() if kind.startswith("enum_")
                },
            )
            yield encode(
                DeviceDescriptor(time_ns=time_ns, device_id=number, xml=device_descriptor_xml(described))
            )

    def until(self, time_ns: int | None) -> Iterator[bytes]:
        """Write what has come up to a time and was not written before; None: all that is left."""
        end = (
            len(self._times) if time_ns is None else int(np.searchsorted(self._times, time_ns, side="right"))
        )
        while self._next_annotation < len(self._annotations):
            mark = self._annotations[self._next_annotation]
            if time_ns is not None and mark.time_ns > time_ns:
                break
            self._next_annotation += 1
            yield encode(mark)
        for entry in range(self._next, end):
            which = int(self._which[entry])
            yield _packet(self._logs[which], int(self._place[entry]), *self._ids[which])
        self._next = max(self._next, end)


def _ids_of(logs: Sequence[Log]) -> list[tuple[int, int]]:
    """Give numbers to devices and their variables, both from 1."""
    ids, devices, n_devices = [], dict[str, tuple[int, int]](), 0
    for log in logs:
        device, variable = devices.get(log.device, (0, _VARIABLES_OF_DEVICE))
        if variable == _VARIABLES_OF_DEVICE:
            n_devices += 1
            device, variable = n_devices, 0
        devices[log.device] = device, variable + 1
        ids.append(devices[log.device])
    return ids


def _packet(log: Log, place: int, device: int, variable: int) -> bytes:
    ids: dict[str, Any] = {"time_ns": int(log.times[place]), "device_id": device, "variable_id": variable}
    value = log.values[place]
    if isinstance(value, str):
        return encode(VariableString(**ids, value=value))
    if isinstance(value, np.ndarray):
        if value.dtype == np.uint32:
            return encode(VariableU32Array(**ids, value=value))
        return encode(VariableDoubleArray(**ids, value=value))
    if isinstance(value, np.uint32):
        return encode(VariableU32(**ids, value=int(value)))
    return encode(VariableDouble(**ids, value=float(value)))
