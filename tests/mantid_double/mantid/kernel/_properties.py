"""Properties of algorithms and runs."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np

from mantid.kernel._time import DateAndTime, unix_ns_of


class DataItem:
    """What can be in the ADS."""


class Direction:
    Input = 0
    Output = 1
    InOut = 2


class Property:
    """A named value with a unit."""

    def __init__(self, name: str, value: Any = None, units: str = "") -> None:
        self._name = name
        self._value = value
        self.units = units

    @property
    def name(self) -> str:
        return self._name

    @property
    def value(self) -> Any:
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self._value = value

    @property
    def valueAsStr(self) -> str:
        return text_of(self.value)

    @property
    def type(self) -> str:
        kinds = {str: "string", bool: "boolean", int: "number", float: "number"}
        return kinds.get(type(self._value), "property")

    def size(self) -> int:
        return 1

    def clone(self) -> Property:
        return copy.copy(self)


def text_of(value: Any) -> str:
    """Write a value as Mantid does."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return format(value, ".17g") if value != int(value) or abs(value) > 1e15 else str(int(value))
    if isinstance(value, list | tuple | np.ndarray):
        return ",".join(text_of(item) for item in np.asarray(value).tolist())
    return str(value)


class _Series(Property):
    """Values with times; both may be out of order while they are added."""

    dtype: type | None = None

    def __init__(self, name: str, units: str = "") -> None:
        super().__init__(name, None, units)
        self._times: list[int] = []
        self._values: list[Any] = []

    def addValue(self, time: DateAndTime | np.datetime64 | str, value: Any) -> None:
        self.add_unix(unix_ns_of(time), value)

    def add_unix(self, unix_ns: int, value: Any) -> None:
        """The double's own: a time in nanoseconds since the Unix epoch."""
        self._times.append(int(unix_ns))
        self._values.append(value)

    def merge(self, other: _Series) -> None:
        """The double's own: append the other's values, equal times and all, as Plus does."""
        self._times += other._times
        self._values += other._values

    def clear(self) -> None:
        self._times, self._values = [], []

    def keep_last(self) -> None:
        """The double's own: forget all but the last value, as the SNS listener does after a chunk."""
        if self._times:
            last = self._order()[-1]
            self._times, self._values = [self._times[last]], [self._values[last]]

    def _order(self) -> list[int]:
        return sorted(range(len(self._times)), key=self._times.__getitem__)

    @property
    def times(self) -> np.ndarray:
        return np.sort(np.array(self._times, np.int64), kind="stable").astype("datetime64[ns]")

    @property
    def value(self) -> Any:
        values = [self._values[i] for i in self._order()]
        return values if self.dtype is None else np.array(values, self.dtype)

    @property
    def filtered_value(self) -> Any:
        return self.value

    @property
    def filtered_times(self) -> np.ndarray:
        return self.times

    @property
    def type(self) -> str:
        return "TimeValueUnit"

    def size(self) -> int:
        return len(self._times)

    def firstValue(self) -> Any:
        return self.nthValue(0)

    def lastValue(self) -> Any:
        return self.nthValue(len(self._times) - 1)

    def nthValue(self, n: int) -> Any:
        if not self._times:
            message = f"TimeSeriesProperty '{self._name}' is empty"
            raise RuntimeError(message)
        value = self._values[self._order()[min(n, len(self._times) - 1)]]
        return value if self.dtype is None else self.dtype(value)

    def firstTime(self) -> DateAndTime:
        return DateAndTime.of_unix_ns(min(self._times))

    def lastTime(self) -> DateAndTime:
        return DateAndTime.of_unix_ns(max(self._times))

    @property
    def valueAsStr(self) -> str:
        shown = zip(sorted(self._times), self.value, strict=True)
        return "".join(f"{DateAndTime.of_unix_ns(t).toISO8601String()}  {v}\n" for t, v in shown)

    def clone(self) -> _Series:
        other = copy.copy(self)
        other._times, other._values = list(self._times), list(self._values)
        return other


class FloatTimeSeriesProperty(_Series):
    dtype = float


class Int32TimeSeriesProperty(_Series):
    dtype = int


class Int64TimeSeriesProperty(_Series):
    dtype = int


class BoolTimeSeriesProperty(_Series):
    dtype = bool


class StringTimeSeriesProperty(_Series):
    dtype = None


def property_of(name: str, value: Any, units: str = "") -> Property:
    """Make the property that Mantid makes of a Python value."""
    if isinstance(value, Property):
        return value.clone()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = np.asarray(list(value))
    return Property(name, value, units)
