"""What StartLiveData, MonitorLiveData and LoadLiveData have in common."""

from __future__ import annotations

from typing import Any, Final

from mantid._live._listener import Listener, listeners
from mantid.api._algorithm import Algorithm
from mantid.api._declared import Declared, output, value
from mantid.api._manager import AlgorithmManager, make
from mantid.kernel import ConfigService, DateAndTime, Direction

LISTENER_PROPERTIES: Final = "ListenerProperties"


def _instruments() -> list[str]:
    """Names of the instruments of the default facility that have live data."""
    return [each.name() for each in ConfigService.getFacility().instruments() if each.hasLiveListenerInfo()]


def live_properties() -> tuple[Declared, ...]:
    """Declare the properties of all three."""
    stages = []
    for stage in ("Processing", "PostProcessing"):
        stages += [
            value(f"{stage}Algorithm", ""),
            value(f"{stage}Properties", ""),
            value(f"{stage}Script", ""),
            value(f"{stage}ScriptFilename", ""),
        ]
    return (
        value("Instrument", "", allowed=tuple(_instruments())),
        value("Connection", ""),
        value("Listener", "", allowed=(*listeners(), "")),
        value("Address", ""),
        value("StartTime", ""),
        *stages[:4],
        value("AccumulationMethod", "Add", allowed=("Add", "Replace", "Append")),
        value("PreserveEvents", False),
        *stages[4:],
        value("RunTransitionBehavior", "Restart", allowed=("Restart", "Stop", "Rename")),
        output("AccumulationWorkspace", optional=True),
        output(),
        value("LastTimeStamp", "", direction=Direction.Output),
    )


class LiveDataAlgorithm(Algorithm):
    """Base of the three."""

    def __init__(self) -> None:
        super().__init__()
        self.listener: Listener | None = None

    def initialize(self) -> None:
        if not self._initialized:
            super().initialize()
            for declared in live_properties():
                self.declare(declared)

    def copy_values(self, other: LiveDataAlgorithm) -> None:
        """Take over all values that this algorithm has properties for, and those of the listener."""
        for setting in other._settings.values():
            if setting.declared.group and not self.existsProperty(setting.declared.name):
                self.declare(setting.declared)
            if self.existsProperty(setting.declared.name):
                mine = self._setting(setting.declared.name)
                mine.value = None if mine.declared.is_workspace else setting.value
                mine.ws_name = setting.ws_name

    def has_post_processing(self) -> bool:
        return any(self[f"PostProcessing{each}"] for each in ("Algorithm", "Script", "ScriptFilename"))

    def create_listener(self) -> Listener:
        """Make a listener that is not connected."""
        name = self["Listener"] or ConfigService.getInstrument(self["Instrument"]).liveListener()
        return listeners()[name]()

    def connected_listener(self) -> Listener:
        """Return the listener; connect and start it when there is none."""
        if self.listener is not None:
            return self.listener
        listener = self.create_listener()
        listener.take_properties(
            {s.declared.name: s.value for s in self._settings.values() if s.declared.group}
        )
        address = self["Address"] or ConfigService.getInstrument(self["Instrument"]).liveDataAddress()
        try:
            listener.connect(address)
        except (OSError, ValueError):
            message = f"Unable to connect listener [{listener.name()}] to [{address}]: Exception"
            raise RuntimeError(message) from None
        self.listener = listener
        start = self["StartTime"]
        listener.start(DateAndTime(start).totalNanoseconds() // 1_000_000_000 if start else 0)
        return listener

    def processing_algorithm(self, stage: str) -> Algorithm | None:
        """Make the algorithm of ``Processing`` or ``PostProcessing``, or None."""
        name = self[f"{stage}Algorithm"].strip()
        script, filename = self[f"{stage}Script"].strip(), self[f"{stage}ScriptFilename"].strip()
        if not (name or script or filename):
            return None
        algorithm = make(name or "RunPythonScript")
        algorithm.initialize()
        algorithm.setChild(True)
        if name:
            for item in filter(None, self[f"{stage}Properties"].split(";")):
                key, _, text = item.partition("=")
                if key not in ("InputWorkspace", "OutputWorkspace"):
                    algorithm.setPropertyValue(key, text)
        else:
            algorithm.setLogging(False)
            algorithm.setPropertyValue("Code" if script else "Filename", script or filename)
        return algorithm

    def validateInputs(self) -> dict[str, str]:
        problems: dict[str, str] = {}
        output_name, accumulation = (
            self.getPropertyValue("OutputWorkspace"),
            self.getPropertyValue("AccumulationWorkspace"),
        )
        if (
            not (self.listener or self.create_listener()).buffers_events
            and self["AccumulationMethod"] == "Add"
        ):
            problems["AccumulationMethod"] = (
                f"The {self['Instrument']} live stream produces histograms. Add is not a sensible accumulation method."
            )
        for stage in ("Processing", "PostProcessing"):
            given = [self[f"{stage}{each}"] for each in ("Algorithm", "Script", "ScriptFilename")]
            if sum(bool(each) for each in given) > 1:
                problems[f"{stage}Algorithm"] = (
                    f"Only one of {stage}Algorithm, Script and ScriptFilename can be given"
                )
        if self.has_post_processing():
            if not accumulation:
                problems["AccumulationWorkspace"] = (
                    "Must specify the AccumulationWorkspace parameter if using PostProcessing."
                )
            elif accumulation == output_name:
                problems["AccumulationWorkspace"] = (
                    "The AccumulationWorkspace must be different than the OutputWorkspace, when using PostProcessing."
                )
        if self.name() != "LoadLiveData":
            self._check_running(output_name, accumulation, problems)
        return problems

    def _check_running(self, output_name: str, accumulation: str, problems: dict[str, str]) -> None:
        for other in AlgorithmManager.runningInstancesOf("MonitorLiveData"):
            if other is self:
                continue
            if accumulation and other.getPropertyValue("AccumulationWorkspace") == accumulation:
                problems["AccumulationWorkspace"] = (
                    "Another MonitorLiveData thread is running with the same AccumulationWorkspace."
                )
            if other.getPropertyValue("OutputWorkspace") == output_name:
                problems["OutputWorkspace"] = (
                    "Another MonitorLiveData thread is running with the same OutputWorkspace."
                )


def copy_instrument(source: Any, target: Any) -> None:
    """Put the instrument of the old workspace on the new one, as Replace does."""
    from mantid.api._data import GroupData, MatrixData

    if isinstance(source, GroupData):
        if not isinstance(target, GroupData):
            message = "std::bad_cast"
            raise RuntimeError(message)
        for mine, theirs in zip(source.members, target.members, strict=False):
            copy_instrument(mine, theirs)
    elif isinstance(source, MatrixData):
        if not isinstance(target, MatrixData):
            message = "std::bad_cast"
            raise RuntimeError(message)
        target.instrument = source.instrument
