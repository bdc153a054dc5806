"""MonitorLiveData: the loop."""

from __future__ import annotations

import time
from typing import Final

from mantid._knobs import knobs
from mantid._live._listener import BEGIN_RUN, END_RUN, Listener
from mantid._live._live_algorithm import LiveDataAlgorithm
from mantid._live._load import LoadLiveData
from mantid.api._ads import AnalysisDataService
from mantid.api._declared import value
from mantid.api._manager import make, register

_PAUSE: Final = 0.05


@register
class MonitorLiveData(LiveDataAlgorithm):
    """Take chunks until it is cancelled, a run ends with behaviour Stop, or anything fails."""

    declared = (value("UpdateEvery", 60.0),)

    def _run_in_thread(self) -> None:
        listener = self.listener
        try:
            # Python's caller goes on before the thread has begun.
            time.sleep(knobs.start_delay)
            super()._run_in_thread()
        finally:
            # Nothing has closed it when the algorithm did not get as far as its loop.
            if listener is not None:
                listener.close()

    def exec(self) -> None:
        listener, self.listener = self.listener, None
        assert listener is not None
        try:
            self._watch(listener)
        finally:
            # Ends the listener's thread; until then this algorithm is running.
            listener.close()
        for name in ("OutputWorkspace", "AccumulationWorkspace"):
            if self.getPropertyValue(name):
                self._setting(name).value = AnalysisDataService._retrieve(self.getPropertyValue(name))

    def _watch(self, listener: Listener) -> None:
        last = time.monotonic()
        run_number = previous = 0
        method = self["AccumulationMethod"]
        while True:
            self.interruption_point()
            time.sleep(_PAUSE)
            now = time.monotonic()
            if now - last <= self["UpdateEvery"]:
                continue
            last = now
            self._load(listener, method)
            method = self["AccumulationMethod"]
            run_number = run_number or listener.run_number()
            status = listener.run_status()
            if status not in (BEGIN_RUN, END_RUN):
                continue
            if status == END_RUN:
                previous = run_number
            ended = f"Run{f' #{run_number}' if run_number else ''} ended. "
            behaviour = self["RunTransitionBehavior"]
            if behaviour == "Stop":
                self.log_.notice(ended + "Stopping live data monitoring.")
                return
            method = "Replace"
            if behaviour == "Restart":
                self.log_.notice(ended + "Clearing existing workspace.")
            else:
                self.log_.notice(ended + "Renaming existing workspace.")
                self._keep(f"_{run_number}" if status == END_RUN else f"_{previous or ''}_post")
            run_number = 0

    def _load(self, listener: Listener, method: str) -> None:
        load = make("LoadLiveData")
        assert isinstance(load, LoadLiveData)
        load.initialize()
        load.setChild(True)
        load.setAlwaysStoreInADS(True)
        load.setLogging(False)
        load.copy_values(self)
        load.listener = listener
        load["AccumulationMethod"] = method
        # So that cancelling this algorithm ends the waiting of the other.
        load._cancel = self._cancel
        load.execute()

    def _keep(self, suffix: str) -> None:
        """Clone the output workspace (and it alone) under another name."""
        name = self.getPropertyValue("OutputWorkspace")
        data = AnalysisDataService._find(name)
        if data is None:
            return
        if 3 * data.memory() >= knobs.available_memory:
            self.log_.warning(f"Not enough spare memory to clone {name}. Workspace will be reset.")
            return
        AnalysisDataService._put(name + suffix, data.clone())
