"""Rebin, ConvertToMatrixWorkspace, SumSpectra and others that make new bins or spectra."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from mantid.api._algorithm import Algorithm
from mantid.api._data import HistogramData, MatrixData
from mantid.api._declared import output, value, workspace
from mantid.api._events import EventData
from mantid.api._manager import register


def edges_of(params: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the bin edges that Rebin's parameters mean: ``x0, step, x1, ...``, or a step alone for all of the data."""
    if len(params) == 1:
        params = np.array([low, params[0], high])
    if len(params) % 2 == 0:
        message = "Error in parameters given: an odd number of entries is needed"
        raise RuntimeError(message)
    edges = [float(params[0])]
    for step, last in zip(params[1::2], params[2::2], strict=True):
        if step == 0 or last <= edges[-1]:
            message = "Error in binning parameters"
            raise RuntimeError(message)
        while True:
            width = step if step > 0 else edges[-1] * -step
            after = edges[-1] + width
            # A last bin that would be narrower than a quarter of the others goes into the one before it.
            if after + 0.25 * width > last:
                edges.append(float(last))
                break
            edges.append(float(after))
    return np.array(edges)


@register
class Rebin(Algorithm):
    """Give new bin edges."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("Params", kind="floats"),
        value("PreserveEvents", True),
        value("FullBinsOnly", False),
        value("IgnoreBinErrors", False),
    )

    def exec(self) -> None:
        data = self["InputWorkspace"]
        low, high = _limits(data)
        edges = edges_of(self["Params"], low, high)
        if isinstance(data, EventData):
            made = data if self.in_place(data) and self["PreserveEvents"] else data.clone()
            made.edges = edges
            self["OutputWorkspace"] = made if self["PreserveEvents"] else made.histogram()
            return
        both = [
            rebinned(data.x_of(i), data.y_of(i), data.e_of(i), edges, data.distribution)
            for i in range(data.n)
        ]
        x = np.broadcast_to(edges, (data.n, len(edges)))
        new = HistogramData(x, np.array([y for y, _ in both]), np.array([e for _, e in both]))
        new.described_as(data)
        new.same_spectra(data)
        self["OutputWorkspace"] = new


def _limits(data: MatrixData) -> tuple[float, float]:
    if isinstance(data, EventData) and data.n_events:
        x = data.events.x
        return float(x.min()), float(np.nextafter(x.max(), np.inf))
    rows = [data.x_of(i) for i in range(data.n)]
    return float(min(row[0] for row in rows)), float(max(row[-1] for row in rows))


def rebinned(
    x: np.ndarray, y: np.ndarray, e: np.ndarray, edges: np.ndarray, distribution: bool
) -> tuple[Any, Any]:
    """Share counts out among new bins by overlap."""
    if distribution:
        y, e = y * np.diff(x), e * np.diff(x)

    def shared(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.diff(np.interp(edges, x, total))

    counts, error2 = shared(y), shared(e**2)
    if distribution:
        return counts / np.diff(edges), np.sqrt(error2) / np.diff(edges)
    return counts, np.sqrt(error2)


@register
class ConvertToMatrixWorkspace(Algorithm):
    """Count events into the bins that they have."""

    declared = (workspace("InputWorkspace"), output(kind="matrix"))

    def exec(self) -> None:
        data = self["InputWorkspace"]
        made = data.histogram() if isinstance(data, EventData) else data.clone()
        self["OutputWorkspace"] = made


@register
class SumSpectra(Algorithm):
    """Add spectra into one."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("StartWorkspaceIndex", 0),
        value("EndWorkspaceIndex", -1),
        value("ListOfWorkspaceIndices", np.zeros(0, np.int64), kind="ints"),
        value("IncludeMonitors", True),
    )

    def exec(self) -> None:
        data = self["InputWorkspace"]
        indices = list(self["ListOfWorkspaceIndices"])
        if not indices:
            end = self["EndWorkspaceIndex"]
            indices = list(range(self["StartWorkspaceIndex"], (data.n if end < 0 else end + 1)))
        indices = [int(i) for i in indices if i not in data.masked]
        chosen = data.select(indices)
        made: MatrixData
        if isinstance(chosen, EventData):
            events = chosen.events
            made = EventData(1, attrs.evolve(events, spectrum=np.zeros(len(events), np.int64)))
            made.edges = chosen.x_of(0)
        else:
            y = chosen.all_y().sum(axis=0)[np.newaxis]
            e = np.sqrt((chosen.all_e() ** 2).sum(axis=0))[np.newaxis]
            made = HistogramData(np.array([chosen.x_of(0)]), y, e)
        made.described_as(data)
        made.spectrum_numbers = chosen.spectrum_numbers[:1]
        made.detectors = [np.unique(np.concatenate([chosen.detectors_of(i) for i in range(chosen.n)]))]
        self["OutputWorkspace"] = made


@register
class ExtractSpectra(Algorithm):
    """Take some of the spectra."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("XMin", float("-inf")),
        value("XMax", float("inf")),
        value("StartWorkspaceIndex", 0),
        value("EndWorkspaceIndex", -1),
        value("WorkspaceIndexList", np.zeros(0, np.int64), kind="ints"),
    )

    def exec(self) -> None:
        data = self["InputWorkspace"]
        end = self["EndWorkspaceIndex"]
        indices = list(self["WorkspaceIndexList"]) or range(
            self["StartWorkspaceIndex"], data.n if end < 0 else end + 1
        )
        self["OutputWorkspace"] = data.select([int(i) for i in indices])


@register
class Integration(Algorithm):
    """Sum each spectrum into one bin."""

    declared = (
        workspace("InputWorkspace"),
        output(kind="matrix"),
        value("RangeLower", -1e308),
        value("RangeUpper", 1e308),
        value("StartWorkspaceIndex", 0),
        value("EndWorkspaceIndex", -1),
    )

    def exec(self) -> None:
        data = self["InputWorkspace"]
        low, high = self["RangeLower"], self["RangeUpper"]
        if isinstance(data, EventData):
            events = data.events
            events = events.take((events.x >= low) & (events.x < high)).weighted()
            y = np.bincount(events.spectrum, events.weight, data.n)
            e = np.sqrt(np.bincount(events.spectrum, events.error2, data.n))
        else:
            inside = [(data.x_of(i)[:-1] >= low) & (data.x_of(i)[1:] <= high) for i in range(data.n)]
            y = np.array([data.y_of(i)[mask].sum() for i, mask in enumerate(inside)])
            e = np.sqrt([(data.e_of(i)[mask] ** 2).sum() for i, mask in enumerate(inside)])
        x = np.array([[data.x_of(i)[0], data.x_of(i)[-1]] for i in range(data.n)])
        made = HistogramData(x, y[:, np.newaxis], e[:, np.newaxis])
        made.described_as(data)
        made.same_spectra(data)
        self["OutputWorkspace"] = made


@register
class AppendSpectra(Algorithm):
    """Put the spectra of the second below those of the first."""

    declared = (
        workspace("InputWorkspace1"),
        workspace("InputWorkspace2"),
        output(kind="matrix"),
        value("ValidateInputs", True),
        value("Number", 1),
        value("MergeLogs", False),
    )

    def exec(self) -> None:
        first, second = self["InputWorkspace1"], self["InputWorkspace2"]
        if self["ValidateInputs"] and len(first.x_of(0)) != len(second.x_of(0)):
            message = "Workspaces' number of bins does not match"
            raise RuntimeError(message)
        made: MatrixData
        if isinstance(first, EventData) and isinstance(second, EventData):
            made = EventData(first.n + second.n, first.events)
            moved = second.events
            made.append(attrs.evolve(moved, spectrum=moved.spectrum + first.n))
            made.edges = first.edges
        else:
            columns = [
                [data.x_of(i), data.y_of(i), data.e_of(i)] for data in (first, second) for i in range(data.n)
            ]
            made = HistogramData(*([row[k] for row in columns] for k in range(3)))
            made.writable()
        made.described_as(first)
        made.spectrum_numbers = np.concatenate([first.spectrum_numbers, second.spectrum_numbers])
        made.detectors = [data.detectors_of(i) for data in (first, second) for i in range(data.n)]
        if self["MergeLogs"]:
            made.run.add(second.run)
        self["OutputWorkspace"] = made


@register
class CompressEvents(Algorithm):
    """Nothing but the counts is kept as it was: here all of it is."""

    declared = (workspace("InputWorkspace", "event"), output(kind="matrix"), value("Tolerance", 1e-5))

    def exec(self) -> None:
        data = self["InputWorkspace"]
        self["OutputWorkspace"] = data if self.in_place(data) else data.clone()


@register
class SortEvents(Algorithm):
    """Sort in place."""

    declared = (
        workspace("InputWorkspace", "event"),
        value("SortBy", "X Value", allowed=("X Value", "Pulse Time", "Pulse Time + TOF")),
    )

    def exec(self) -> None:
        data = self["InputWorkspace"]
        events = data.events
        data.events = events.take(np.lexsort((events.x if self["SortBy"] == "X Value" else events.pulse_ns,)))
