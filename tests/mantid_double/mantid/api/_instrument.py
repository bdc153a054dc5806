"""Instruments and the views of them that workspaces give out."""

# ruff: noqa: N803, N815  (names that are Mantid's)
from __future__ import annotations

import functools
from typing import Any

import numpy as np


class InstrumentData:
    """The double's own: an instrument definition, read with livered when somebody asks where something is.

    Attributes
    ----------
    name, xml
        As the stream gives them; xml is empty for an instrument of a test's own making.
    logs
        Values that move components.
    """

    def __init__(self, name: str, xml: str = "", logs: dict[str, float] | None = None) -> None:
        self.name = name
        self.xml = xml
        self.logs = logs or {}

    @functools.cached_property
    def geometry(self) -> Any:
        """A `livered_core.model.Instrument`."""
        from livered_core.geometry import read_instrument
        from livered_core.model import InstrumentDefinition

        return read_instrument(InstrumentDefinition(self.name, self.xml), self.logs)

    @functools.cached_property
    def place(self) -> dict[int, int]:
        """Detector id to place in the geometry."""
        return {int(pixel): i for i, pixel in enumerate(self.geometry.pixel_id)}


class Vector(tuple):
    """mantid.kernel.V3D, as far as it goes."""

    def X(self) -> float:
        return float(self[0])

    def Y(self) -> float:
        return float(self[1])

    def Z(self) -> float:
        return float(self[2])

    def norm(self) -> float:
        return float(np.linalg.norm(self))


class Component:
    def __init__(self, name: str, position: np.ndarray) -> None:
        self._name, self._position = name, position

    def getName(self) -> str:
        return self._name

    def getPos(self) -> Vector:
        return Vector(self._position)


class Instrument:
    def __init__(self, data: InstrumentData | None) -> None:
        self._data = data

    def getName(self) -> str:
        return self._data.name if self._data is not None else ""

    getFullName = getName

    def getSource(self) -> Component | None:
        return Component("moderator", self._data.geometry.source_position) if self._has_geometry else None

    def getSample(self) -> Component | None:
        return (
            Component("sample-position", self._data.geometry.sample_position) if self._has_geometry else None
        )

    @property
    def _has_geometry(self) -> bool:
        return self._data is not None and bool(self._data.xml)

    def getNumberDetectors(self, skipMonitors: bool = False) -> int:
        if not self._has_geometry:
            return 0
        monitors = 0 if skipMonitors else len(self._data.geometry.monitor_id)
        return len(self._data.geometry.pixel_id) + monitors

    def getValidFromDate(self) -> str:
        return "1900-01-31T23:59:59"


class SpectrumInfo:
    """Where the detectors of each spectrum are: means over them."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def _of(self, i: int, values: np.ndarray) -> float:
        place = self._data.instrument.place
        return float(np.mean([values[place[int(d)]] for d in self._data.detectors_of(i)]))

    def size(self) -> int:
        return self._data.n

    __len__ = size

    def l1(self) -> float:
        return self._data.instrument.geometry.l1

    def l2(self, index: int) -> float:
        return self._of(index, _l2(self._data.instrument))

    def twoTheta(self, index: int) -> float:
        return self._of(index, _two_theta(self._data.instrument))

    def hasDetectors(self, index: int) -> bool:
        instrument = self._data.instrument
        return (
            instrument is not None
            and bool(instrument.xml)
            and any(int(d) in instrument.place for d in self._data.detectors_of(index))
        )

    def isMonitor(self, index: int) -> bool:
        instrument = self._data.instrument
        monitors = set(instrument.geometry.monitor_id.tolist()) if instrument and instrument.xml else set()
        return any(int(d) in monitors for d in self._data.detectors_of(index))

    def isMasked(self, index: int) -> bool:
        return index in self._data.masked


@functools.lru_cache(maxsize=8)
def _l2(instrument: InstrumentData) -> np.ndarray:
    return instrument.geometry.l2


@functools.lru_cache(maxsize=8)
def _two_theta(instrument: InstrumentData) -> np.ndarray:
    return instrument.geometry.two_theta
