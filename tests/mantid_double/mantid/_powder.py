"""The powder algorithms that livered's reductions use: with Mantid's names, properties and arithmetic.

Formulae as in Mantid 6: Unit.cpp (dSpacing), ConvertUnits, ApplyDiffCal, DiffractionFocussing2, ExtractSpectra; and as
in Mantid 3.13 for AlignDetectors.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from mantid import _powder_making  # noqa: F401  (registers its algorithms)
from mantid._algorithms import Algorithm, inout, output, register, value, workspace
from mantid.api._data import HistogramData, TableData
from mantid.api._events import EventData, Events, joined
from mantid.api._handles import handles
from mantid.api._matrix import Workspace2D

_NAN = float("nan")


class GroupingData(HistogramData):
    """One value for each detector of an instrument: its group, 0 for none."""

    id = "GroupingWorkspace"


@handles("GroupingWorkspace")
class GroupingWorkspace(Workspace2D):
    """mantid.dataobjects.GroupingWorkspace."""


@register
class CreateGroupingWorkspace(Algorithm):
    """Make a GroupingWorkspace, of which all detectors are in no group, or in one."""

    declared = (
        workspace("InputWorkspace", optional=True),
        value("InstrumentName", ""),
        value("InstrumentFilename", ""),
        value("OldCalFilename", ""),
        value("GroupNames", ""),
        value("GroupDetectorsBy", "", allowed=("", "All", "Group", "Column", "bank")),
        output(kind="matrix"),
    )

    def exec(self) -> None:
        parent = self["InputWorkspace"]
        if parent is None:
            message = "You must specify exactly ONE way to get an instrument (workspace, instrument name, or IDF file)."
            raise ValueError(message)
        geometry = parent.instrument.geometry
        ids = np.sort(np.concatenate([geometry.monitor_id, geometry.pixel_id]))
        zeros = np.zeros((len(ids), 1))
        made = GroupingData(zeros.copy(), zeros + (self["GroupDetectorsBy"] == "All"), zeros.copy())
        made.described_as(parent)
        made.x_unit = "Empty"
        made.detectors = ids.astype(np.int64)
        self["OutputWorkspace"] = made


@register
class ApplyDiffCal(Algorithm):
    """Put DIFC, DIFA and TZERO of a table to the detectors of an instrument, in place."""

    declared = (
        inout("InstrumentWorkspace", "matrix"),
        value("CalibrationFile", ""),
        workspace("CalibrationWorkspace", "table", optional=True),
        workspace("OffsetsWorkspace", optional=True),
        value("ClearCalibration", False),
    )

    def exec(self) -> None:
        data = self["InstrumentWorkspace"]
        if self["ClearCalibration"]:
            data.parameters.pop("diffcal", None)
            return
        if self["CalibrationWorkspace"] is None:
            message = "You must specify only one of CalibrationFile, CalibrationWorkspace, OffsetsWorkspace."
            raise RuntimeError(message)
        data.parameters["diffcal"] = _rows_of(self["CalibrationWorkspace"])


def _rows_of(table: TableData) -> dict[int, tuple[float, float, float]]:
    columns = [table.column(name)[3] for name in ("detid", "difc", "difa", "tzero")]
    return {int(row[0]): (float(row[1]), float(row[2]), float(row[3])) for row in zip(*columns, strict=True)}


@register
class ConvertUnits(Algorithm):
    """Convert events from time of flight to d-spacing; where one has none, its whole spectrum is cleared."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("Target", ""),
        value("EMode", "Elastic", allowed=("Elastic", "Direct", "Indirect", "")),
        value("EFixed", 8.99e307),
        value("AlignBins", False),
        value("ConvertFromPointData", True),
    )

    def exec(self) -> None:
        data = self["InputWorkspace"]
        if (data.x_unit, self["Target"]) != ("TOF", "dSpacing") or not isinstance(data, EventData):
            message = f"the double does not convert {data.id} from {data.x_unit} to {self['Target']}"
            raise RuntimeError(message)
        constants = _constants(data, data.parameters.get("diffcal", {}))
        self["OutputWorkspace"] = _converted(data, constants, _citardauq, clears=True)


@register
class AlignDetectors(Algorithm):
    """Convert events from time of flight to d-spacing by a table; what has no d becomes NaN."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("CalibrationFile", ""),
        workspace("CalibrationWorkspace", "table", optional=True),
        workspace("OffsetsWorkspace", optional=True),
    )

    def exec(self) -> None:
        data, table = self["InputWorkspace"], self["CalibrationWorkspace"]
        if data.x_unit != "TOF" or not isinstance(data, EventData) or table is None:
            message = (
                "A workspace with units of TOF is needed, and one of CalibrationFile, CalibrationWorkspace."
            )
            raise RuntimeError(message)
        rows = _rows_of(table)
        constants = np.array([rows.get(int(data.detectors_of(i)[0]), (0.0, 0.0, 0.0)) for i in range(data.n)])
        self["OutputWorkspace"] = _converted(data, constants.reshape(-1, 3), _align, clears=False)


def _constants(data: EventData, rows: dict[int, tuple[float, float, float]]) -> np.ndarray:
    """Return DIFC, DIFA and TZERO of each spectrum, from the geometry where the table has none: float64[n, 3]."""
    from livered_core.geometry import difc

    place = data.instrument.place
    geometric = difc(data.instrument.geometry)
    constants = []
    for i in range(data.n):
        detector = int(data.detectors_of(i)[0]) if len(data.detectors_of(i)) else -1
        known = rows.get(detector)
        by_place = geometric[place[detector]] if detector in place else _NAN
        constants.append(known if known is not None else (by_place, 0.0, 0.0))
    return np.array(constants).reshape(-1, 3)


def _converted(data: EventData, constants: np.ndarray, convert: Any, *, clears: bool) -> EventData:
    events = data.events
    x = convert(events.x, *constants[events.spectrum].T)
    edges = [convert(np.array(data.x_of(i)), *constants[i]) for i in range(data.n)]
    if clears:
        bad = np.zeros(data.n, bool)
        bad[events.spectrum[np.isnan(x)]] = True
        bad |= np.array([bool(np.isnan(row).any()) for row in edges], bool)
        keep = ~bad[events.spectrum]
        x, events = x[keep], events.take(keep)
    made = EventData(data.n, attrs.evolve(events, x=x))
    made.described_as(data)
    made.same_spectra(data)
    if clears:
        made.masked |= set(np.flatnonzero(bad).tolist())
    made.edges = edges
    made.x_unit = "dSpacing"
    return made


def _citardauq(tof: np.ndarray, difc: Any, difa: Any, tzero: Any) -> np.ndarray:
    """Unit.cpp of Mantid 6: where it throws, NaN."""
    rest = tof - tzero
    with np.errstate(all="ignore"):
        root = 1 + 4 * difa * rest / (difc * difc)
        sign = np.where(rest < 0, -1.0, 1.0)
        quadratic = rest / (0.5 * difc * (1 + sign * np.sqrt(np.where(root < 0, _NAN, root))))
        quadratic = np.where((tzero > tof) & (difa > 0), _NAN, quadratic)
        quadratic = np.where(rest == 0, np.where(difa < 0, -difc / difa, 0.0), quadratic)
        return np.where(difa == 0, rest / difc, quadratic)


def _align(tof: np.ndarray, difc: Any, difa: Any, tzero: Any) -> np.ndarray:
    """AlignDetectors of Mantid 3.13."""
    with np.errstate(all="ignore"):
        linear = (1.0 / difc) * tof + np.where(tzero == 0, 0.0, -1.0 * tzero / difc)
        factor1 = -0.5 * difc / difa
        factor2 = 1.0 / difa
        second = np.sqrt(tof * factor2 + (factor1 * factor1 - tzero / difa))
        quadratic = np.where(second < factor1, factor1 - second, factor1 + second)
        return np.where(difa == 0, linear, quadratic)


@register
class DiffractionFocussing(Algorithm):
    """Bring the events of each group together; spectra are numbered by their groups."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("GroupingFileName", ""),
        workspace("GroupingWorkspace", optional=True),
        value("PreserveEvents", True),
    )

    def exec(self) -> None:
        data, grouping = self["InputWorkspace"], self["GroupingWorkspace"]
        if grouping is None or grouping.id != "GroupingWorkspace":
            message = "You must enter a GroupingFileName or a GroupingWorkspace!"
            raise ValueError(message)
        if not isinstance(data, EventData) or not self["PreserveEvents"]:
            message = "the double focusses events only"
            raise RuntimeError(message)
        group_of = {int(grouping.detectors_of(i)[0]): int(grouping.y_of(i)[0]) for i in range(grouping.n)}
        group = np.array([self._group(data, i, group_of) for i in range(data.n)], np.int64)
        groups = np.unique(group[group > 0])
        if not len(groups):
            message = "No groups were specified."
            raise RuntimeError(message)
        self["OutputWorkspace"] = self._focussed(data, group, groups)

    @staticmethod
    def _group(data: EventData, i: int, group_of: dict[int, int]) -> int:
        ids = data.detectors_of(i)
        if not len(ids) or ids[0] < 0 or i in data.masked:
            return -1
        return group_of.get(int(ids[0]), -1)

    @staticmethod
    def _focussed(data: EventData, group: np.ndarray, groups: np.ndarray) -> EventData:
        events = data.events
        of_event = group[events.spectrum]
        parts, edges = [], []
        for place, number in enumerate(groups.tolist()):
            mine: Events = events.take(of_event == number)
            parts.append(attrs.evolve(mine, spectrum=np.full(len(mine), place, np.int64)))
            members = [data.x_of(int(i)) for i in np.flatnonzero(group == number)]
            low, high = min(row[0] for row in members), max(row[-1] for row in members)
            n = len(members[0]) - 1
            low = high / n if low <= 0 else low
            low = 1.0 if low <= 0 else low
            if high < low:
                message = f"Fail to determine X boundaries for group:{number}"
                raise RuntimeError(message)
            step = (np.log(high) - np.log(low)) / n
            edges.append(low * (1.0 + step) ** np.arange(n + 1))
        made = EventData(len(groups), joined(parts))
        made.described_as(data)
        made.spectrum_numbers = groups
        made.detectors = [
            np.concatenate([data.detectors_of(int(i)) for i in np.flatnonzero(group == number)])
            for number in groups
        ]
        made.edges = edges
        return made


@register
class CropWorkspace(Algorithm):
    """Keep what lies between two values of X, both included."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("XMin", 8.99e307),
        value("XMax", 8.99e307),
        value("StartWorkspaceIndex", 0),
        value("EndWorkspaceIndex", 2147483647),
    )

    def exec(self) -> None:
        data, low, high = self["InputWorkspace"], self["XMin"], self["XMax"]
        if not isinstance(data, EventData):
            message = "the double crops events only"
            raise RuntimeError(message)
        # Mantid throws std::out_of_range, which Boost.Python makes an IndexError.
        if low > data.x_of(0)[-1]:
            message = f"XMin is greater than the largest X value ({low} > {data.x_of(0)[-1]})"
            raise IndexError(message)
        if high < data.x_of(0)[0]:
            message = f"XMax is less than the smallest X value ({high} < {data.x_of(0)[0]})"
            raise IndexError(message)
        made = data.clone()
        made.events = data.events.take((data.events.x >= low) & (data.events.x <= high))
        self["OutputWorkspace"] = made


@register
class MaskBins(Algorithm):
    """Remove the events between two values of X, both included."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("XMin", kind="float"),
        value("XMax", kind="float"),
    )

    def exec(self) -> None:
        data, low, high = self["InputWorkspace"], self["XMin"], self["XMax"]
        if not low < high:
            message = "XMax must be greater than XMin"
            raise RuntimeError(message)
        made = data.clone()
        made.events = data.events.take((data.events.x < low) | (data.events.x > high))
        self["OutputWorkspace"] = made
