"""What workspaces hold. The double's own: Python sees handles to these (see `mantid.api._handles`).

Times are nanoseconds since the Unix epoch; spectra are rows; arrays are never written to in place by algorithms.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from mantid.api._run import RunData

DEFAULT_X = np.array([0.0, 2.2250738585072014e-308])
"""Edges of an event workspace that nobody has binned."""


class WorkspaceData:
    """Base: what all workspaces have."""

    id = "Workspace"

    def __init__(self) -> None:
        self.name = ""
        self.title = ""
        self.comment = ""

    def clone(self) -> WorkspaceData:
        other = copy.copy(self)
        other.name = ""
        return other

    def memory(self) -> int:
        return 0


class MatrixData(WorkspaceData):
    """Base of what has spectra.

    Attributes
    ----------
    spectrum_numbers
        int[n].
    detectors
        int[n], one detector for each spectrum, or a list of arrays of detector ids.
    x_unit
        ``TOF``, ``dSpacing``, ``MomentumTransfer``, ...
    instrument
        A `mantid.api._instrument.InstrumentData` or None.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.spectrum_numbers = np.arange(1, n + 1)
        self.detectors: Any = np.arange(1, n + 1)
        self.x_unit = "Empty"
        self.x_label: tuple[str, str] | None = None
        self.y_unit = ""
        self.y_unit_label = ""
        self.distribution = False
        self.run = RunData()
        self.instrument: Any = None
        self.monitors: MatrixData | None = None
        self.masked: set[int] = set()
        self.parameters: dict[str, Any] = {}
        self.axis_labels: list[str] | None = None

    @property
    def n(self) -> int:
        return len(self.spectrum_numbers)

    def detectors_of(self, i: int) -> np.ndarray:
        return np.atleast_1d(np.asarray(self.detectors[i], np.int64))

    def clone(self) -> MatrixData:
        other = copy.copy(self)
        other.name = ""
        other.run = self.run.clone()
        other.masked = set(self.masked)
        other.parameters = dict(self.parameters)
        if self.monitors is not None:
            other.monitors = self.monitors.clone()
        return other

    def described_as(self, other: MatrixData) -> MatrixData:
        """Take over everything but the spectra: title, run, instrument, units."""
        self.title, self.comment = other.title, other.comment
        self.x_unit, self.x_label = other.x_unit, other.x_label
        self.y_unit, self.y_unit_label = other.y_unit, other.y_unit_label
        self.distribution, self.instrument = other.distribution, other.instrument
        self.run = other.run.clone()
        self.parameters = dict(other.parameters)
        return self

    def same_spectra(self, other: MatrixData) -> MatrixData:
        """Take over which spectra there are."""
        self.spectrum_numbers, self.detectors = other.spectrum_numbers, other.detectors
        self.masked, self.axis_labels = set(other.masked), other.axis_labels
        return self

    def x_of(self, i: int) -> np.ndarray:
        raise NotImplementedError

    def y_of(self, i: int) -> np.ndarray:
        raise NotImplementedError

    def e_of(self, i: int) -> np.ndarray:
        raise NotImplementedError

    def all_x(self) -> np.ndarray:
        return rows([self.x_of(i) for i in range(self.n)])

    def all_y(self) -> np.ndarray:
        return rows([self.y_of(i) for i in range(self.n)])

    def all_e(self) -> np.ndarray:
        return rows([self.e_of(i) for i in range(self.n)])

    def select(self, indices: Sequence[int]) -> MatrixData:
        raise NotImplementedError

    def _choose(self, other: MatrixData, indices: Sequence[int]) -> None:
        other.spectrum_numbers = self.spectrum_numbers[list(indices)]
        if isinstance(self.detectors, np.ndarray):
            other.detectors = self.detectors[list(indices)]
        else:
            other.detectors = [self.detectors[i] for i in indices]
        if self.axis_labels is not None:
            other.axis_labels = [self.axis_labels[i] for i in indices]
        other.masked = {place for place, i in enumerate(indices) if i in self.masked}


def rows(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Stack rows of one length; refuse others as Mantid's extract methods do."""
    if len({len(array) for array in arrays}) > 1:
        message = "Ragged spectra: there are different numbers of values."
        raise RuntimeError(message)
    return np.array(arrays) if len(arrays) else np.zeros((0, 0))


class HistogramData(MatrixData):
    """Counts: x, y and e are float64[n, m] (x with one column more for edges), or lists of rows."""

    id = "Workspace2D"

    def __init__(self, x: Any, y: Any, e: Any = None) -> None:
        super().__init__(len(y))
        self.x, self.y = x, y
        if e is None:
            e = np.sqrt(np.abs(y)) if isinstance(y, np.ndarray) else [np.sqrt(np.abs(row)) for row in y]
        self.e = e

    def x_of(self, i: int) -> np.ndarray:
        return self.x[i]

    def y_of(self, i: int) -> np.ndarray:
        return self.y[i]

    def e_of(self, i: int) -> np.ndarray:
        return self.e[i]

    def all_y(self) -> np.ndarray:
        return self.y if isinstance(self.y, np.ndarray) else rows(self.y)

    def all_e(self) -> np.ndarray:
        return self.e if isinstance(self.e, np.ndarray) else rows(self.e)

    def all_x(self) -> np.ndarray:
        return self.x if isinstance(self.x, np.ndarray) else rows(self.x)

    @property
    def ragged(self) -> bool:
        return not isinstance(self.y, np.ndarray)

    def writable(self) -> None:
        """Make rows of its own, for who writes to them."""
        for name in ("x", "y", "e"):
            setattr(self, name, [np.array(row) for row in getattr(self, name)])
        if len({len(row) for row in self.x}) <= 1 and len({len(row) for row in self.y}) <= 1:
            self.x, self.y, self.e = np.array(self.x), np.array(self.y), np.array(self.e)

    def clone(self) -> HistogramData:
        other = super().clone()
        other.writable()
        return other

    def select(self, indices: Sequence[int]) -> HistogramData:
        chosen = list(indices)
        take = (lambda a: a[chosen]) if not self.ragged else (lambda a: [a[i] for i in chosen])
        x = self.x[chosen] if isinstance(self.x, np.ndarray) else [self.x[i] for i in chosen]
        other = HistogramData(x, take(self.y), take(self.e))
        other.described_as(self)
        self._choose(other, chosen)
        return other

    def memory(self) -> int:
        return 24 * sum(len(self.y_of(i)) for i in range(self.n))

    def is_histogram(self) -> bool:
        return bool(self.n) and len(self.x_of(0)) == len(self.y_of(0)) + 1


class GroupData(WorkspaceData):
    """Members, in order."""

    id = "WorkspaceGroup"

    def __init__(self, members: Sequence[WorkspaceData] = ()) -> None:
        super().__init__()
        self.members = list(members)

    def clone(self) -> GroupData:
        return GroupData([member.clone() for member in self.members])

    def memory(self) -> int:
        return sum(member.memory() for member in self.members)


class TableData(WorkspaceData):
    """Columns: name, type, plot type, values."""

    id = "TableWorkspace"

    def __init__(self) -> None:
        super().__init__()
        self.columns: list[list[Any]] = []

    def clone(self) -> TableData:
        other = TableData()
        other.title = self.title
        other.columns = [[*column[:3], list(column[3])] for column in self.columns]
        return other

    def column(self, key: int | str) -> list[Any]:
        if isinstance(key, str):
            found = next((column for column in self.columns if column[0] == key), None)
            if found is None:
                message = f"Column named {key} does not exist"
                raise ValueError(message)
            return found
        return self.columns[key]

    def rows(self) -> int:
        return len(self.columns[0][3]) if self.columns else 0


class SingleData(HistogramData):
    """One value with an error."""

    id = "WorkspaceSingleValue"
