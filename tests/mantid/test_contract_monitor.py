"""Sections 3, 4, 6 and 8 of the document: MonitorLiveData, what a chunk goes through, and stopping."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from contract_support import REPORT
from waiting import until

FAKE = {
    "Instrument": "ADARA_FakeEvent",
    "OutputWorkspace": "live",
    "PreserveEvents": True,
    "UpdateEvery": 0.1,
}
WITH_LOG = {**FAKE, "AccumulationMethod": "Replace", "ProcessingScript": REPORT}
POST = {"AccumulationWorkspace": "sum", "PostProcessingScript": REPORT}


@pytest.fixture(autouse=True)
def _test_live():
    from mantid.kernel import ConfigService

    ConfigService.setFacility("TEST_LIVE")
    ConfigService.setString("fakeeventdatalistener.datarate", "2000")
    yield
    ConfigService.setString("fakeeventdatalistener.datarate", "200")
    ConfigService.setString("fakeeventdatalistener.endrunevery", "0")


def n_events(name: str = "live") -> int:
    from mantid.api import mtd

    return mtd[name].getNumberEvents()


# Section 3: the loop.


def test_chunks_come_on_one_thread_that_python_did_not_make(live_data, probe):
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    later = probe.seen[1:]
    assert len({each.thread_id for each in later}) == 1
    assert later[0].thread_id != threading.get_ident()
    assert later[0].thread.startswith("Dummy-")


def test_chunks_are_as_far_apart_as_asked_for_and_never_overlap(live_data, probe):
    live = live_data(**{**WITH_LOG, "UpdateEvery": 0.3}).start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    gaps = np.diff([each.at for each in probe.seen])
    assert (gaps > 0.29).all()


def test_a_slow_script_makes_chunks_larger_and_not_more(live_data, probe):
    def then(_workspace, output):
        threading.Event().wait(0.4)
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    gaps = np.diff([each.at for each in probe.seen])
    assert (gaps > 0.4).all()


def test_a_script_that_fails_ends_the_monitor_and_nothing_is_raised(live_data, probe):
    from mantid.api import mtd

    def then(_workspace, output):
        if len(probe.seen) == 3:
            raise ValueError("no good")
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) == 3 and not live.is_running())
    assert not live.monitor.isExecuted()
    assert "live" in mtd


@pytest.mark.parametrize("way_out", [SystemExit, KeyboardInterrupt])
def test_exits_of_a_script_end_the_monitor_and_not_the_process(live_data, probe, way_out):
    def then(_workspace, output):
        if len(probe.seen) == 2:
            raise way_out
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) == 2 and not live.is_running())


def test_empty_chunks_are_processed_too(live_data, probe):
    from mantid.kernel import ConfigService

    ConfigService.setString("fakeeventdatalistener.datarate", "1")
    live = live_data(**WITH_LOG, RunTransitionBehavior="Restart").start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    assert 0 in [each.n_events for each in probe.seen]


def test_deleting_what_is_accumulated_begins_anew(live_data, probe):
    from mantid.api import AnalysisDataService

    live = live_data(**{**FAKE, "AccumulationMethod": "Add"}).start()
    until(lambda: "live" in AnalysisDataService and n_events() > 300)
    AnalysisDataService.remove("live")
    until(lambda: "live" in AnalysisDataService)
    assert n_events() < 300 * 3
    assert live.is_running()
    live.cancel()


# Section 4: what a chunk goes through.


def test_the_chunk_is_in_the_ads_while_it_is_processed_only(live_data, probe):
    from mantid.api import AnalysisDataService

    found = []

    def then(workspace, output):
        found.append(AnalysisDataService.doesExist(str(workspace)))
        return output

    probe.then = then
    live_data(**{**WITH_LOG, "UpdateEvery": 0.0}).start()
    assert found == [True]
    assert not AnalysisDataService.doesExist("__anonymous_livedata_input_live")


def test_events_get_one_bin_around_them_when_they_are_kept(live_data, probe):
    shapes = []

    def then(workspace, output):
        if workspace.getNumberEvents() > 2:
            x = workspace.readX(0)
            shapes.append((len(x), x[0] <= workspace.getTofMin(), x[-1] >= workspace.getTofMax()))
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(shapes) >= 2)
    live.cancel()
    assert set(shapes) == {(2, True, True)}


def test_without_events_kept_and_without_bins_all_counts_are_lost(live_data, double):
    """Double only: the fake listener of the real one has bins of its own."""
    from mantid._live._scripted import events
    from mantid.api import mtd

    double.script = [events([0, 1, 2], [10.0, 20.0, 30.0], [1, 2, 3])]
    live_data(
        Instrument="ADARA_FakeEvent", Listener="ScriptedListener", OutputWorkspace="live", UpdateEvery=0.0
    ).start()
    assert mtd["live"].id() == "Workspace2D"
    assert mtd["live"].extractY().sum() == 0.0


def test_events_of_one_time_of_flight_fail(live_data, double):
    from mantid._live._scripted import events

    double.script = [events([0, 1, 2], [10.0, 10.0, 10.0], [1, 2, 3])]
    with pytest.raises(RuntimeError, match="Invalid data found during construction of HistogramX"):
        live_data(**{**FAKE, "UpdateEvery": 0.0}, Listener="ScriptedListener").start()


def test_add_sums_up_and_replace_does_not(live_data, probe):
    from mantid.api import AnalysisDataService

    for method in ("Add", "Replace"):
        probe.seen.clear()
        live = live_data(**{**WITH_LOG, "AccumulationMethod": method}).start()
        until(lambda: len(probe.seen) >= 4 and probe.n_events > 400)
        live.cancel()
        until(lambda: "live" in AnalysisDataService)
        if method == "Add":
            assert n_events() == probe.n_events
        else:
            assert n_events() == probe.seen[-1].n_events


def test_append_makes_more_spectra(live_data, probe):
    from mantid.api import mtd

    live = live_data(**{**WITH_LOG, "AccumulationMethod": "Append"}).start()
    until(lambda: len(probe.seen) >= 3)
    live.cancel()
    assert mtd["live"].getNumberHistograms() == 2 * len(probe.seen)


def test_replace_keeps_the_instrument_of_the_workspace_before(live_data, double):
    from mantid._live._scripted import events
    from mantid.api import AnalysisDataService, mtd
    from mantid.api._instrument import InstrumentData

    double.script = [
        events([0, 1, 2], [1.0, 2.0, 3.0], [1, 2, 3], instrument=InstrumentData("first")),
        events([0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0], [4, 5, 6, 7], instrument=InstrumentData("second")),
    ]
    live = live_data(**FAKE, Listener="ScriptedListener", AccumulationMethod="Replace").start()
    until(lambda: "live" in AnalysisDataService and mtd["live"].getNumberEvents() == 4)
    assert mtd["live"].getInstrument().getName() == "first"
    live.cancel()


def test_post_processing_gets_all_that_is_accumulated_with_every_chunk(live_data, probe):
    from mantid.api import AnalysisDataService, mtd

    def then(workspace, _output):
        from mantid.simpleapi import CloneWorkspace

        return CloneWorkspace(InputWorkspace=workspace, OutputWorkspace="copy")

    probe.then = then
    live = live_data(**{**FAKE, "AccumulationMethod": "Add"}, **POST).start()
    until(lambda: len(probe.seen) >= 4 and probe.seen[-1].n_events > 400)
    live.cancel()
    counts = [each.n_events for each in probe.seen]
    assert counts == sorted(counts)
    assert (probe.seen[0].name, probe.seen[0].output) == ("sum", "live")
    assert mtd["live"].getNumberEvents() == mtd["sum"].getNumberEvents() == counts[-1]
    assert "copy" in AnalysisDataService or "live" in AnalysisDataService


def test_without_post_processing_nothing_is_put_under_the_accumulations_name(live_data):
    from mantid.api import AnalysisDataService

    live_data(**{**FAKE, "UpdateEvery": 0.0}, AccumulationWorkspace="sum").start()
    assert "sum" not in AnalysisDataService


def test_tables_can_be_replaced_and_not_added(live_data, probe):
    from mantid.api import mtd

    def then(_workspace, _output):
        from mantid.api import WorkspaceFactory

        return WorkspaceFactory.createTable()

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) >= 3)
    assert live.is_running()
    live.cancel()
    assert mtd["live"].rowCount() == 0
    probe.seen.clear()
    live = live_data(**{**WITH_LOG, "AccumulationMethod": "Add", "OutputWorkspace": "other"}).start()
    until(lambda: len(probe.seen) == 2 and not live.is_running())


@pytest.mark.parametrize("method", ["Replace", "Add"])
def test_members_of_a_group_are_named_after_the_output(live_data, probe, method):
    from mantid.api import mtd

    def then(workspace, _output):
        from mantid.simpleapi import CloneWorkspace, GroupWorkspaces

        for name in ("a", "b"):
            CloneWorkspace(InputWorkspace=workspace, OutputWorkspace=name)
        return GroupWorkspaces(InputWorkspaces=["a", "b"], OutputWorkspace="both")

    probe.then = then
    live = live_data(**{**WITH_LOG, "AccumulationMethod": method}).start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    assert mtd["live"].getNumberOfEntries() == 2
    assert {"live_1", "live_2"} <= set(mtd.getObjectNames())
    if method == "Add":
        assert mtd["live_1"].getNumberEvents() == probe.n_events


def test_what_a_script_gives_back_need_not_be_the_chunk(live_data, probe):
    """So memory stays bounded: a small workspace can be handed back in its place."""
    from mantid.api import mtd

    def then(_workspace, _output):
        from mantid.simpleapi import CreateSingleValuedWorkspace

        return CreateSingleValuedWorkspace(DataValue=1.0, OutputWorkspace="__small", StoreInADS=False)

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) >= 4)
    live.cancel()
    assert mtd["live"].getNumberHistograms() == 1
    assert mtd.getObjectNames() == ["live"]


# Section 6: stopping.


def test_cancel_is_seen_at_once_when_nothing_is_done_and_the_output_stays(live_data):
    from mantid.api import mtd

    live = live_data(**{**FAKE, "UpdateEvery": 60.0}).start()
    until(live.is_running)
    began = time.monotonic()
    live.cancel()
    assert time.monotonic() - began < 5.0
    assert not live.monitor.isExecuted()
    assert "live" in mtd


def test_a_script_is_never_interrupted(live_data, probe):
    begun, go_on = threading.Event(), threading.Event()

    def then(_workspace, output):
        if len(probe.seen) == 2:
            begun.set()
            go_on.wait(30)
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    assert begun.wait(30)
    live.monitor.cancel()
    threading.Event().wait(0.3)
    assert live.is_running()
    go_on.set()
    until(lambda: not live.is_running())


def test_cancelall_from_inside_a_script(live_data, probe):
    from mantid.api import AlgorithmManager

    def then(_workspace, output):
        if len(probe.seen) == 2:
            AlgorithmManager.cancelAll()
        return output

    probe.then = then
    live = live_data(**WITH_LOG).start()
    until(lambda: len(probe.seen) == 2 and not live.is_running())


def test_starting_again_with_the_same_names(live_data, probe):
    for _ in range(2):
        live = live_data(**WITH_LOG).start()
        until(live.is_running)
        live.cancel()
    assert len(probe.seen) >= 2


def test_the_running_monitor_is_found_by_its_name(live_data):
    from mantid.api import AlgorithmManager

    live = live_data(**{**FAKE, "UpdateEvery": 60.0}).start()
    until(live.is_running)
    found = AlgorithmManager.runningInstancesOf("MonitorLiveData")
    assert [each.getPropertyValue("OutputWorkspace") for each in found] == ["live"]
    assert found[0].isRunning()
    live.cancel()
    assert not AlgorithmManager.runningInstancesOf("MonitorLiveData")


# Section 8: the fake listener.


def test_the_fake_listener_has_two_spectra_and_a_whole_run_number(live_data, probe):
    live = live_data(**WITH_LOG).start()
    until(lambda: probe.n_events > 100)
    live.cancel()
    assert isinstance(probe.seen[0].logs["run_number"], int)


def test_the_fake_listener_ends_runs(live_data, probe):
    from mantid.kernel import ConfigService

    ConfigService.setString("fakeeventdatalistener.endrunevery", "1")
    live = live_data(**{**WITH_LOG, "RunTransitionBehavior": "Stop"}).start()
    until(lambda: len(probe.seen) > 2 and not live.is_running())
    assert live.monitor.isExecuted()
