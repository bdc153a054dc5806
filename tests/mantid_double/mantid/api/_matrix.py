"""mantid.api.MatrixWorkspace and mantid.dataobjects.Workspace2D."""

# ruff: noqa: N803, N815  (names that are Mantid's)
from __future__ import annotations

from typing import Any

import numpy as np

from mantid.api._axes import SpectraAxis, XAxis
from mantid.api._handles import Workspace, handle, handles
from mantid.api._instrument import Instrument, SpectrumInfo
from mantid.api._run import Run


class Spectrum:
    """mantid.api.ISpectrum."""

    def __init__(self, data: Any, i: int) -> None:
        self._data, self._i = data, i

    def getSpectrumNo(self) -> int:
        return int(self._data.spectrum_numbers[self._i])

    def getDetectorIDs(self) -> list[int]:
        return [int(each) for each in self._data.detectors_of(self._i)]

    def setDetectorID(self, detID: int) -> None:
        if isinstance(self._data.detectors, np.ndarray):
            self._data.detectors = np.array(self._data.detectors)
            self._data.detectors[self._i] = detID
        else:
            self._data.detectors[self._i] = np.array([detID])

    def setSpectrumNo(self, num: int) -> None:
        self._data.spectrum_numbers = np.array(self._data.spectrum_numbers)
        self._data.spectrum_numbers[self._i] = num


class MatrixWorkspace(Workspace):
    """Spectra: x, y and e."""

    def getNumberHistograms(self) -> int:
        return self._data.n

    def blocksize(self) -> int:
        sizes = {len(self._data.x_of(i)) for i in (0, self._data.n - 1)} if self._data.n else {1}
        if len(sizes) > 1:
            message = "blocksize undefined because size of histograms is not equal"
            raise RuntimeError(message)
        return sizes.pop() - (1 if self.isHistogramData() else 0)

    def size(self) -> int:
        return sum(len(self._data.y_of(i)) for i in range(self._data.n))

    def isHistogramData(self) -> bool:
        data = self._data
        return data.id == "EventWorkspace" or (bool(data.n) and data.is_histogram())

    def isCommonBins(self) -> bool:
        data = self._data
        return all(np.array_equal(data.x_of(0), data.x_of(i)) for i in range(1, data.n))

    def isRaggedWorkspace(self) -> bool:
        return len({len(self._data.x_of(i)) for i in range(self._data.n)}) > 1

    def isDistribution(self) -> bool:
        return self._data.distribution

    def setDistribution(self, newVal: bool) -> None:
        self._data.distribution = newVal

    def readX(self, workspaceIndex: int) -> np.ndarray:
        return _read_only(self._data.x_of(self._checked(workspaceIndex)))

    def readY(self, workspaceIndex: int) -> np.ndarray:
        return _read_only(self._data.y_of(self._checked(workspaceIndex)))

    def readE(self, workspaceIndex: int) -> np.ndarray:
        return _read_only(self._data.e_of(self._checked(workspaceIndex)))

    x, y, e = readX, readY, readE

    def _checked(self, i: int) -> int:
        if not 0 <= i < self._data.n:
            message = f"workspace index {i} is out of range"
            raise IndexError(message)
        return i

    def _writable(self, name: str, i: int) -> np.ndarray:
        self._checked(i)
        rows = getattr(self._data, name)
        if isinstance(rows, np.ndarray) and not rows.flags.writeable:
            setattr(self._data, name, np.array(rows))
        return getattr(self._data, name)[i]

    def dataX(self, workspaceIndex: int) -> np.ndarray:
        return self._writable("x", workspaceIndex)

    def dataY(self, workspaceIndex: int) -> np.ndarray:
        return self._writable("y", workspaceIndex)

    def dataE(self, workspaceIndex: int) -> np.ndarray:
        return self._writable("e", workspaceIndex)

    def _set_row(self, name: str, i: int, values: Any) -> None:
        row = self._writable(name, i)
        values = np.asarray(values, np.float64)
        if values.shape != row.shape:
            message = f"Length mismatch for assignment: {values.shape} to {row.shape}"
            raise ValueError(message)
        row[:] = values

    def setX(self, workspaceIndex: int, x: Any) -> None:
        self._set_row("x", workspaceIndex, x)

    def setY(self, workspaceIndex: int, y: Any) -> None:
        self._set_row("y", workspaceIndex, y)

    def setE(self, workspaceIndex: int, e: Any) -> None:
        self._set_row("e", workspaceIndex, e)

    def extractX(self) -> np.ndarray:
        return np.array(self._data.all_x())

    def extractY(self) -> np.ndarray:
        return np.array(self._data.all_y())

    def extractE(self) -> np.ndarray:
        return np.array(self._data.all_e())

    def getSpectrum(self, workspaceIndex: int) -> Spectrum:
        return Spectrum(self._data, self._checked(workspaceIndex))

    def getSpectrumNumbers(self) -> list[int]:
        return [int(each) for each in self._data.spectrum_numbers]

    def getIndexFromSpectrumNumber(self, spectrum_no: int) -> int:
        found = np.flatnonzero(self._data.spectrum_numbers == spectrum_no)
        if not len(found):
            message = f"Could not find index for spectrum number {spectrum_no}"
            raise RuntimeError(message)
        return int(found[0])

    def getAxis(self, axis_index: int) -> Any:
        if axis_index not in (0, 1):
            message = f"Axis index {axis_index} is not valid"
            raise IndexError(message)
        return XAxis(self._data) if axis_index == 0 else SpectraAxis(self._data)

    def axes(self) -> int:
        return 2

    def YUnit(self) -> str:
        return self._data.y_unit

    def setYUnit(self, newUnit: str) -> None:
        self._data.y_unit = newUnit

    def YUnitLabel(self, *_arguments: Any) -> str:
        return self._data.y_unit_label or self._data.y_unit

    def setYUnitLabel(self, newLabel: str) -> None:
        self._data.y_unit_label = newLabel

    def run(self) -> Run:
        data = self._data
        return Run(lambda: data.run)

    getRun = mutableRun = run

    def getRunNumber(self) -> int:
        found = self._data.run.properties.get("run_number")
        return int(found.value) if found is not None else 0

    def getInstrument(self) -> Instrument:
        return Instrument(self._data.instrument)

    def spectrumInfo(self) -> SpectrumInfo:
        return SpectrumInfo(self._data)

    def getMonitorWorkspace(self) -> Workspace | None:
        monitors = self._data.monitors
        return None if monitors is None else handle(monitors)

    def setMonitorWorkspace(self, monitors: Workspace) -> None:
        self._data.monitors = monitors._data

    def clearMonitorWorkspace(self) -> None:
        self._data.monitors = None

    def isMasked(self, i: int) -> bool:
        return i in self._data.masked

    # `a + b` and the like run algorithms: see mantid.simpleapi.
    def __add__(self, other: Any) -> Any:
        return _operation("Plus", self, other)

    def __sub__(self, other: Any) -> Any:
        return _operation("Minus", self, other)

    def __mul__(self, other: Any) -> Any:
        return _operation("Multiply", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return _operation("Divide", self, other)

    def __iadd__(self, other: Any) -> Any:
        return _operation("Plus", self, other, in_place=True)

    def __isub__(self, other: Any) -> Any:
        return _operation("Minus", self, other, in_place=True)

    def __imul__(self, other: Any) -> Any:
        return _operation("Multiply", self, other, in_place=True)

    def __itruediv__(self, other: Any) -> Any:
        return _operation("Divide", self, other, in_place=True)


def _operation(name: str, left: Workspace, right: Any, *, in_place: bool = False) -> Any:
    from mantid.simpleapi import _binary_operation

    return _binary_operation(name, left, right, in_place=in_place)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


@handles("Workspace2D")
class Workspace2D(MatrixWorkspace):
    """Counts in bins."""


@handles("WorkspaceSingleValue")
class WorkspaceSingleValue(MatrixWorkspace):
    """One value."""
