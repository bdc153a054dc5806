"""Algorithms on logs."""

from __future__ import annotations

from mantid.api._algorithm import Algorithm
from mantid.api._declared import output, value, workspace
from mantid.api._manager import register
from mantid.kernel._properties import FloatTimeSeriesProperty
from mantid.kernel._time import DateAndTime, unix_ns_of


@register
class AddSampleLog(Algorithm):
    """Put a value into the logs."""

    declared = (
        workspace("Workspace"),
        value("LogName", kind="str"),
        value("LogText", ""),
        value("LogType", "String", allowed=("String", "Number", "Number Series")),
        value("LogUnit", ""),
        value("NumberType", "AutoDetect", allowed=("AutoDetect", "Int", "Double")),
    )

    def exec(self) -> None:
        run, name, text = self["Workspace"].run, self["LogName"], self["LogText"]
        run.properties.pop(name, None)
        if self["LogType"] == "String":
            run.set(name, text, self["LogUnit"])
            return
        number = float(text)
        whole = self["NumberType"] == "Int" or (
            self["NumberType"] == "AutoDetect" and text.strip().lstrip("-").isdigit()
        )
        if self["LogType"] == "Number":
            run.set(name, int(text) if whole else number, self["LogUnit"])
            return
        series = FloatTimeSeriesProperty(name, self["LogUnit"])
        series.addValue(DateAndTime.getCurrentTime(), number)
        run.properties[name] = series


@register
class FilterByTime(Algorithm):
    """Keep the events of pulses between two times; as the newest one does, the logs stay as they are."""

    declared = (
        workspace("InputWorkspace"),
        output(),
        value("StartTime", 0.0),
        value("StopTime", 0.0),
        value("AbsoluteStartTime", ""),
        value("AbsoluteStopTime", ""),
    )

    def exec(self) -> None:
        start, stop = (unix_ns_of(self[f"Absolute{name}Time"]) for name in ("Start", "Stop"))
        if stop <= start:
            message = f"The stop time ({stop}) should be larger than the start time ({start})"
            raise ValueError(message)
        data = self["InputWorkspace"].clone()
        pulse_ns = data.events.pulse_ns
        data.events = data.events.take((pulse_ns >= start) & (pulse_ns < stop))
        self["OutputWorkspace"] = data


@register
class DeleteLog(Algorithm):
    """Take a log away."""

    declared = (workspace("Workspace"), value("Name", kind="str"))

    def exec(self) -> None:
        self["Workspace"].run.properties.pop(self["Name"], None)
