"""LoadLiveData: one chunk."""

from __future__ import annotations

import time
from typing import Any

from mantid._knobs import knobs
from mantid._live._listener import Listener, NotYet
from mantid._live._live_algorithm import LiveDataAlgorithm, copy_instrument
from mantid.api._ads import AnalysisDataService
from mantid.api._algorithm import child
from mantid.api._data import GroupData, MatrixData, WorkspaceData
from mantid.api._events import EventData
from mantid.api._manager import register
from mantid.kernel import DateAndTime


@register
class LoadLiveData(LiveDataAlgorithm):
    """Take a chunk, process it, accumulate it, and process what is accumulated."""

    def exec(self) -> None:
        output_name = self.getPropertyValue("OutputWorkspace")
        accumulation_name = (
            self.getPropertyValue("AccumulationWorkspace") if self.has_post_processing() else output_name
        )
        accumulated = AnalysisDataService._find(accumulation_name)
        listener = self.connected_listener()
        reset = listener.data_reset()
        chunk = self._extract(listener)
        self["LastTimeStamp"] = DateAndTime.getCurrentTime().toISO8601String()
        if self["PreserveEvents"]:
            _set_single_bin(chunk)
        processed = self._process("Processing", chunk)
        del chunk
        if not self["PreserveEvents"] and isinstance(processed, EventData):
            processed = _histograms(processed)
        method = "Replace" if accumulated is None or reset else self["AccumulationMethod"]
        self._say(f"Performing the {method} operation.")
        if method == "Replace":
            if accumulated is not None:
                copy_instrument(accumulated, processed)
            accumulated = processed
        elif method == "Append":
            accumulated = _appended(accumulated, processed)
        else:
            _add(accumulated, processed)
        assert accumulated is not None
        if self["PreserveEvents"]:
            _set_single_bin(accumulated)
        made: WorkspaceData = accumulated
        if self.has_post_processing():
            made = self._process("PostProcessing", accumulated)
            self._setting("AccumulationWorkspace").value = accumulated
        self._setting("OutputWorkspace").value = made
        if isinstance(made, GroupData):
            self._rename_members(made, output_name)

    def _extract(self, listener: Listener) -> Any:
        while True:
            try:
                return listener.extract_data()
            except NotYet as error:
                self.log_.warning(f"The {listener.name()} is not ready to return data: {error}")
                self.log_.warning(f"Trying again in {knobs.retry:g} seconds - cancel the algorithm to stop.")
                for _ in range(40):
                    self._cancel.wait(knobs.retry / 40)
                    self.interruption_point()

    def _process(self, stage: str, data: WorkspaceData) -> WorkspaceData:
        """Run the algorithm or script of a stage; the data go through the ADS."""
        algorithm = self.processing_algorithm(stage)
        if algorithm is None:
            return data
        output_name = self.getPropertyValue("OutputWorkspace")
        if stage == "Processing":
            input_name = made_name = f"__anonymous_livedata_input_{output_name}"
        else:
            input_name, made_name = self.getPropertyValue("AccumulationWorkspace"), output_name
        AnalysisDataService._put(input_name, data)
        algorithm.setPropertyValue("InputWorkspace", input_name)
        algorithm.setPropertyValue("OutputWorkspace", made_name)
        try:
            algorithm.execute()
            made = algorithm["OutputWorkspace"]
            if made is None:
                try:
                    made = AnalysisDataService._retrieve(made_name)
                except KeyError as error:
                    raise RuntimeError(str(error)) from None
        except Exception:
            self.log_.error("While processing chunk:" if stage == "Processing" else "While post processing:")
            raise
        if stage == "Processing":
            time.sleep(knobs.remove_delay)
            AnalysisDataService.remove(input_name)
        return made

    def _rename_members(self, group: GroupData, name: str) -> None:
        for number, member in enumerate(group.members, 1):
            wanted = f"{name}_{number}"
            if member.name != wanted:
                if AnalysisDataService.doesExist(member.name):
                    AnalysisDataService.rename(member.name, wanted)
            else:
                AnalysisDataService._put(wanted, member)


def _set_single_bin(data: WorkspaceData) -> None:
    for each in data.members if isinstance(data, GroupData) else [data]:
        if isinstance(each, EventData):
            each.set_single_bin()


def _histograms(data: EventData) -> WorkspaceData:
    made = child("ConvertToMatrixWorkspace", InputWorkspace=data)["OutputWorkspace"]
    if isinstance(data.monitors, EventData):
        made.monitors = data.monitors.histogram()
    return made


def _add(accumulated: Any, chunk: Any) -> None:
    """Add a chunk in place: groups member by member."""
    if isinstance(chunk, GroupData):
        if not isinstance(accumulated, GroupData):
            message = "Two workspace groups are expected."
            raise RuntimeError(message)
        if len(accumulated.members) != len(chunk.members):
            message = "Accumulation and chunk workspace groups are expected to have the same size."
            raise RuntimeError(message)
        for mine, theirs in zip(accumulated.members, chunk.members, strict=True):
            _add(mine, theirs)
    elif isinstance(chunk, MatrixData):
        _plus(accumulated, chunk)
        if accumulated.monitors is not None and chunk.monitors is not None:
            _plus(accumulated.monitors, chunk.monitors)
    else:
        message = "MergeMD: Can only merge MDEventWorkspaces"
        raise RuntimeError(message)


def _plus(accumulated: MatrixData, chunk: MatrixData) -> None:
    made = child("Plus", LHSWorkspace=accumulated, RHSWorkspace=chunk, OutputWorkspace=accumulated)
    if made["OutputWorkspace"] is not accumulated:
        message = "Plus did not add in place"
        raise RuntimeError(message)


def _appended(accumulated: Any, chunk: Any) -> WorkspaceData:
    if isinstance(chunk, GroupData):
        if not isinstance(accumulated, GroupData) or len(accumulated.members) != len(chunk.members):
            message = "Two workspace groups are expected."
            raise RuntimeError(message)
        pairs = zip(accumulated.members, chunk.members, strict=True)
        accumulated.members = [_appended(mine, theirs) for mine, theirs in pairs]
        return accumulated
    if not isinstance(chunk, MatrixData) or not isinstance(accumulated, MatrixData):
        message = "Error when calling AppendSpectra to append the spectra of the chunk of live data. See log."
        raise RuntimeError(message)
    return child(
        "AppendSpectra",
        InputWorkspace1=accumulated,
        InputWorkspace2=chunk,
        ValidateInputs=False,
        MergeLogs=True,
    )["OutputWorkspace"]
