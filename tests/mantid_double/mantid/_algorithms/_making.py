"""Algorithms that make workspaces."""

from __future__ import annotations

import numpy as np

from mantid.api._algorithm import Algorithm
from mantid.api._data import GroupData, HistogramData, SingleData, TableData
from mantid.api._declared import output, value, workspace
from mantid.api._events import EventData, Events
from mantid.api._instrument import InstrumentData
from mantid.api._manager import register
from mantid.kernel._time import unix_ns_of


@register
class CreateWorkspace(Algorithm):
    """Make spectra of given values."""

    declared = (
        output(kind="matrix"),
        value("DataX", kind="floats"),
        value("DataY", kind="floats"),
        value("DataE", np.zeros(0), kind="floats"),
        value("NSpec", 1),
        value("UnitX", ""),
        value("VerticalAxisUnit", "SpectraNumber"),
        value("VerticalAxisValues", [], kind="strs"),
        value("Distribution", False),
        value("YUnitLabel", ""),
        value("WorkspaceTitle", ""),
        workspace("ParentWorkspace", optional=True),
    )

    def exec(self) -> None:
        n = self["NSpec"]
        y = self["DataY"].ravel()
        if len(y) % n:
            message = "Length of DataY must be divisible by NSpec"
            raise ValueError(message)
        y = y.reshape(n, -1)
        x = self["DataX"].ravel()
        m = y.shape[1]
        if len(x) in (m, m + 1) and n > 1:
            x = np.tile(x, (n, 1))
        elif len(x) in (n * m, n * (m + 1)):
            x = x.reshape(n, -1)
        else:
            message = "DataX width must be as DataY, or have one more"
            raise ValueError(message)
        e = self["DataE"].ravel()
        made = HistogramData(x.copy(), y.copy(), e.reshape(n, -1).copy() if len(e) else np.zeros_like(y))
        if self["ParentWorkspace"] is not None:
            made.described_as(self["ParentWorkspace"])
            if self["ParentWorkspace"].n == n:
                made.same_spectra(self["ParentWorkspace"])
        made.x_unit = self["UnitX"] or "Empty"
        made.distribution = self["Distribution"]
        made.y_unit = made.y_unit_label = self["YUnitLabel"]
        made.title = self["WorkspaceTitle"]
        if self["VerticalAxisUnit"] == "Text":
            made.axis_labels = list(self["VerticalAxisValues"])
        self["OutputWorkspace"] = made


@register
class CreateSingleValuedWorkspace(Algorithm):
    """Make one value with an error."""

    declared = (output(kind="matrix"), value("DataValue", kind="float"), value("ErrorValue", 0.0))

    def exec(self) -> None:
        data, error = np.array([[self["DataValue"]]]), np.array([[self["ErrorValue"]]])
        self["OutputWorkspace"] = SingleData(np.zeros((1, 1)), data, error)


@register
class CreateEmptyTableWorkspace(Algorithm):
    """Make a table without columns."""

    declared = (output(kind="table"), value("Title", ""))

    def exec(self) -> None:
        made = TableData()
        made.title = self["Title"]
        self["OutputWorkspace"] = made


@register
class CreateSampleWorkspace(Algorithm):
    """Make events or counts for tests: the same in every pixel."""

    declared = (
        output(kind="matrix"),
        value("WorkspaceType", "Histogram", allowed=("Histogram", "Event")),
        value("Function", "One Peak"),
        value("UserDefinedFunction", ""),
        value("NumBanks", 2),
        value("NumMonitors", 0),
        value("BankPixelWidth", 10),
        value("NumEvents", 1000),
        value("Random", False),
        value("XUnit", "TOF"),
        value("XMin", 0.0),
        value("XMax", 20000.0),
        value("BinWidth", 200.0),
    )

    def exec(self) -> None:
        n = self["NumBanks"] * self["BankPixelWidth"] ** 2
        edges = np.arange(self["XMin"], self["XMax"] + 0.5 * self["BinWidth"], self["BinWidth"])
        centres = 0.5 * (edges[1:] + edges[:-1])
        made: HistogramData | EventData
        if self["WorkspaceType"] == "Event":
            each = len(centres) * max(1, self["NumEvents"] // len(centres))
            x = np.tile(np.resize(centres, each), n)
            pulse = np.full(len(x), unix_ns_of("2010-01-01T00:00:00"))
            made = EventData(n, Events(np.repeat(np.arange(n), each), x, pulse))
            made.edges = edges
        else:
            y = 0.3 + 10 * np.exp(-0.5 * ((centres - centres.mean()) / (0.035 * np.ptp(edges))) ** 2)
            y = np.tile(y, (n, 1))
            made = HistogramData(np.tile(edges, (n, 1)), y, np.sqrt(y))
        made.x_unit, made.y_unit = self["XUnit"], "Counts"
        made.detectors = np.arange(100, 100 + n)
        made.instrument = InstrumentData("basic_rect")
        made.title = "Test Workspace"
        made.run.set("run_start", "2010-01-01T00:00:00")
        made.run.set("run_end", "2010-01-01T01:00:00")
        self["OutputWorkspace"] = made


@register
class CloneWorkspace(Algorithm):
    """Copy."""

    declared = (workspace("InputWorkspace", "workspace"), output())

    def exec(self) -> None:
        self["OutputWorkspace"] = self["InputWorkspace"].clone()


@register
class GroupWorkspaces(Algorithm):
    """Put workspaces of the ADS into a group."""

    declared = (
        value("InputWorkspaces", [], kind="strs"),
        output(kind="group"),
        value("GlobExpression", ""),
    )

    def exec(self) -> None:
        from mantid.api._ads import AnalysisDataService

        members = []
        for name in self["InputWorkspaces"]:
            data = AnalysisDataService._retrieve(name)
            members += data.members if isinstance(data, GroupData) else [data]
        if not members:
            message = "The input workspace list is empty"
            raise RuntimeError(message)
        self["OutputWorkspace"] = GroupData(members)
