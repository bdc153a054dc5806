"""StartLiveData."""

from __future__ import annotations

from mantid._live._live_algorithm import LISTENER_PROPERTIES, LiveDataAlgorithm
from mantid._live._load import LoadLiveData
from mantid._live._monitor import MonitorLiveData
from mantid.api._declared import value
from mantid.api._manager import AlgorithmManager, make, register
from mantid.kernel import DateAndTime, Direction


@register
class StartLiveData(LiveDataAlgorithm):
    """Connect, take the first chunk on the caller's thread, and leave the rest to MonitorLiveData."""

    declared = (
        value("FromNow", True),
        value("FromStartOfRun", False),
        value("FromTime", False),
        value("UpdateEvery", 60.0),
    )

    def initialize(self) -> None:
        if not self._initialized:
            super().initialize()
            self.declare(value("MonitorLiveData", None, "algorithm", direction=Direction.Output))

    def mandatoryProperties(self) -> list[str]:
        return ["Instrument", *(each for each in super().mandatoryProperties() if each != "Instrument")]

    def afterPropertySet(self, name: str) -> None:
        if name not in ("Instrument", "Listener", "Connection"):
            return
        for each in [
            s.declared.name for s in self._settings.values() if s.declared.group == LISTENER_PROPERTIES
        ]:
            self.undeclare(each)
        for declared in self.create_listener().declared:
            self.declare(declared)

    def exec(self) -> None:
        self._set_start_time()
        listener = self.connected_listener()
        try:
            if not self["FromNow"] and not listener.supports_history and listener.buffers_events:
                self.log_.error(
                    "Requested start time is in the past, but this instrument does not support historical data. "
                    "The effective start time is therefore 'now'."
                )
            load = make("LoadLiveData")
            assert isinstance(load, LoadLiveData)
            load.initialize()
            load.setChild(True)
            load.copy_values(self)
            load["AccumulationMethod"] = "Replace"
            load.listener = listener
            # So that cancelling this algorithm ends the waiting of the other.
            load._cancel = self._cancel
            load.execute()
            for name in ("OutputWorkspace", "AccumulationWorkspace"):
                self._setting(name).value = load[name]
            del load
            if self["UpdateEvery"] > 0:
                self.interruption_point()
                self["MonitorLiveData"] = self._monitor()
            else:
                listener.close()
        except BaseException:
            listener.close()
            raise
        finally:
            self.listener = None

    def _set_start_time(self) -> None:
        if sum(self[name] for name in ("FromNow", "FromStartOfRun", "FromTime")) != 1:
            message = "Please check exactly one of FromNow, FromStartOfRun, FromTime."
            raise RuntimeError(message)
        if self["FromNow"]:
            self["StartTime"] = "1990-01-01T00:00:00"
        elif self["FromStartOfRun"]:
            self["StartTime"] = "1990-01-01T00:00:01"
        elif DateAndTime(self["StartTime"]) > DateAndTime.getCurrentTime():
            self.log_.error("Requested start time in the future. Resetting to current time.")
            self["StartTime"] = "1990-01-01T00:00:00"

    def _monitor(self) -> MonitorLiveData:
        monitor = AlgorithmManager.create("MonitorLiveData")
        assert isinstance(monitor, MonitorLiveData)
        monitor.copy_values(self)
        monitor.listener = self.listener
        monitor.executeAsync()
        return monitor
