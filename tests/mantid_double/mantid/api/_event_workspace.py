"""mantid.api.IEventWorkspace and its spectra."""

# ruff: noqa: N803, N815  (names that are Mantid's)
from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from mantid.api._events import Events
from mantid.api._handles import handles
from mantid.api._matrix import MatrixWorkspace, Spectrum
from mantid.kernel._time import DateAndTime, unix_ns_of


class IEventList(Spectrum):
    """The events of one spectrum; reads are copies."""

    @property
    def _events(self) -> Events:
        return self._data.events_of(self._i)

    def getNumberEvents(self) -> int:
        begin = self._data.by_spectrum()[1]
        return int(begin[self._i + 1] - begin[self._i])

    def getTofs(self) -> np.ndarray:
        return np.array(self._events.x)

    def getWeights(self) -> np.ndarray:
        return np.array(self._events.weighted().weight)

    def getWeightErrors(self) -> np.ndarray:
        return np.sqrt(self._events.weighted().error2)

    def getPulseTimes(self) -> list[DateAndTime]:
        return [DateAndTime.of_unix_ns(int(each)) for each in self._events.pulse_ns]

    def getPulseTimesAsNumpy(self) -> np.ndarray:
        return self._events.pulse_ns.astype("datetime64[ns]")

    def getPulseTimeMin(self) -> DateAndTime:
        return DateAndTime.of_unix_ns(int(self._events.pulse_ns.min()))

    def getPulseTimeMax(self) -> DateAndTime:
        return DateAndTime.of_unix_ns(int(self._events.pulse_ns.max()))

    def getTofMin(self) -> float:
        return float(self._events.x.min(initial=np.inf))

    def getTofMax(self) -> float:
        return float(self._events.x.max(initial=-np.inf))

    def addEventQuickly(self, tof: float, pulsetime: DateAndTime) -> None:
        pulse = np.array([unix_ns_of(pulsetime)], np.int64)
        self._data.append(Events(np.array([self._i]), np.array([float(tof)]), pulse))

    def clear(self, removeDetIDs: bool = True) -> None:
        events = self._data.events
        self._data.events = events.take(events.spectrum != self._i)

    def multiply(self, value: float, error: float = 0.0) -> None:
        data = self._data
        events = data.events.weighted()
        assert events.weight is not None
        mine = events.spectrum == self._i
        factor = np.where(mine, value, 1.0)
        error2 = events.error2 * factor**2 + np.where(mine, error, 0.0) ** 2 * events.weight**2
        data.events = attrs.evolve(events, weight=events.weight * factor, error2=error2)


class IEventWorkspace(MatrixWorkspace):
    """Events."""

    def getNumberEvents(self) -> int:
        return self._data.n_events

    def getSpectrum(self, workspaceIndex: int) -> IEventList:
        return IEventList(self._data, self._checked(workspaceIndex))

    def getTofMin(self) -> float:
        return float(self._data.events.x.min(initial=np.inf))

    def getTofMax(self) -> float:
        return float(self._data.events.x.max(initial=-np.inf))

    def getPulseTimeMin(self) -> DateAndTime:
        pulses = self._data.events.pulse_ns
        return DateAndTime.of_unix_ns(int(pulses.min())) if len(pulses) else DateAndTime(2**62)

    def getPulseTimeMax(self) -> DateAndTime:
        pulses = self._data.events.pulse_ns
        return DateAndTime.of_unix_ns(int(pulses.max())) if len(pulses) else DateAndTime(0)

    def clearMRU(self) -> None:
        """Nothing is kept."""

    def setX(self, workspaceIndex: int, x: Any) -> None:
        self._checked(workspaceIndex)
        data = self._data
        edges = [data.edges] * data.n if isinstance(data.edges, np.ndarray) else list(data.edges)
        edges[workspaceIndex] = np.asarray(x, np.float64)
        data.edges = edges

    def dataY(self, workspaceIndex: int) -> np.ndarray:
        message = "EventWorkspace: non-const access to Y data is not possible for event workspaces."
        raise NotImplementedError(message)

    def dataX(self, workspaceIndex: int) -> np.ndarray:
        self.setX(workspaceIndex, np.array(self._data.x_of(self._checked(workspaceIndex))))
        return self._data.edges[workspaceIndex]

    dataE = dataY


@handles("EventWorkspace")
class EventWorkspace(IEventWorkspace):
    """Events."""
