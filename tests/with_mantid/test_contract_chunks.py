"""Section 4 of the document: what a chunk goes through."""

from __future__ import annotations

import pytest

from contract_support import LIVE_FAKE, REPORT
from waiting import until

pytestmark = pytest.mark.usefixtures("test_live")
FAKE = LIVE_FAKE
WITH_LOG = {**FAKE, "AccumulationMethod": "Replace", "ProcessingScript": REPORT}
POST = {"AccumulationWorkspace": "sum", "PostProcessingScript": REPORT}


def n_events(name: str = "live") -> int:
    from mantid.api import mtd

    return mtd[name].getNumberEvents()


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
