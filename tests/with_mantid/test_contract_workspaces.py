"""What tests rely on of Mantid's data: the ADS and its weak handles, workspaces, logs, groups, tables.

These are facts of Mantid's Python interface; section 5 and 6 of the document build on them.
"""

from __future__ import annotations

import numpy as np
import pytest


def made(name: str, y=(1.0, 2.0, 3.0)):
    from mantid.simpleapi import CreateWorkspace

    edges = np.arange(len(y) + 1.0)
    return CreateWorkspace(DataX=edges, DataY=list(y), DataE=np.sqrt(y), UnitX="TOF", OutputWorkspace=name)


def test_a_handle_out_of_the_ads_dies_with_its_workspace():
    from mantid.api import mtd
    from mantid.simpleapi import DeleteWorkspace

    made("one")
    handle = mtd["one"]
    assert handle.name() == str(handle) == "one"
    DeleteWorkspace("one")
    with pytest.raises(RuntimeError, match="Variable invalidated, data has been deleted"):
        handle.readY(0)


def test_a_handle_out_of_the_ads_dies_when_another_workspace_takes_the_name():
    from mantid.api import mtd

    made("one")
    handle = mtd["one"]
    made("one", (7.0, 8.0, 9.0))
    with pytest.raises(RuntimeError, match="Variable invalidated"):
        handle.readY(0)
    assert mtd["one"].readY(0).tolist() == [7.0, 8.0, 9.0]


def test_what_a_child_algorithm_makes_is_held_by_its_property_and_is_not_in_the_ads():
    from mantid.api import AlgorithmManager, AnalysisDataService

    algorithm = AlgorithmManager.createUnmanaged("CreateWorkspace")
    algorithm.initialize()
    algorithm.setChild(True)
    algorithm.setProperty("DataX", [0.0, 1.0])
    algorithm.setProperty("DataY", [5.0])
    algorithm.setProperty("OutputWorkspace", "unused")
    algorithm.execute()
    workspace = algorithm.getProperty("OutputWorkspace").value
    assert AnalysisDataService.getObjectNames() == []
    del algorithm
    assert workspace.readY(0).tolist() == [5.0]


def test_a_handle_stays_good_as_long_as_something_else_holds_the_workspace():
    from mantid.api import AlgorithmManager, AnalysisDataService

    algorithm = AlgorithmManager.createUnmanaged("CreateSingleValuedWorkspace")
    algorithm.initialize()
    algorithm.setChild(True)
    algorithm.setProperty("DataValue", 2.0)
    algorithm.setProperty("OutputWorkspace", "unused")
    algorithm.execute()
    strong = algorithm.getProperty("OutputWorkspace").value
    AnalysisDataService.add("named", strong)
    AnalysisDataService.remove("named")
    assert strong.readY(0).tolist() == [2.0]
    assert "named" not in AnalysisDataService


def test_the_ads_hides_names_with_two_underscores_from_its_list():
    from mantid.api import AnalysisDataService

    made("seen")
    made("__hidden")
    assert AnalysisDataService.getObjectNames() == ["seen"]
    assert AnalysisDataService.doesExist("__hidden")
    assert AnalysisDataService.unique_hidden_name().startswith("__")
    with pytest.raises(KeyError):
        AnalysisDataService["nowhere"]


def test_add_refuses_a_name_that_is_taken_and_addorreplace_does_not():
    from mantid.api import AnalysisDataService, mtd

    one, other = made("one"), made("other", (4.0, 5.0, 6.0))
    with pytest.raises(RuntimeError):
        AnalysisDataService.add("one", other)
    assert one.readY(0)[0] == 1.0
    AnalysisDataService.addOrReplace("third", other)
    assert mtd["third"].readY(0)[0] == 4.0


def test_histograms_say_what_they_hold():
    workspace = made("one")
    assert workspace.id() == "Workspace2D"
    assert workspace.getNumberHistograms() == 1
    assert workspace.blocksize() == 3
    assert workspace.isHistogramData()
    assert not workspace.isDistribution()
    assert workspace.extractX().shape == (1, 4)
    assert workspace.extractE() == pytest.approx(np.sqrt([[1.0, 2.0, 3.0]]))
    unit = workspace.getAxis(0).getUnit()
    assert unit.unitID() == "TOF"
    assert unit.caption() == "Time-of-flight"
    assert unit.symbol().ascii() == "microsecond"
    workspace.setYUnit("Counts")
    assert workspace.YUnit() == "Counts"
    assert workspace.getSpectrum(0).getSpectrumNo() == 1


def test_single_logs_and_series_of_a_run():
    from mantid.kernel import DateAndTime, FloatTimeSeriesProperty

    run = made("one").mutableRun()
    run.addProperty("run_number", "7", True)
    run.addProperty("width", 2.5, "mm", True)
    series = FloatTimeSeriesProperty("temperature")
    series.units = "K"
    for second, value in ((2, 20.0), (1, 10.0)):
        series.addValue(DateAndTime(f"2026-01-01T00:00:0{second}"), value)
    run.addProperty("temperature", series, True)
    assert run.hasProperty("width")
    assert "temperature" in run.keys()  # noqa: SIM118  (a Run is no dict)
    assert run.getProperty("run_number").value == "7"
    assert run.getProperty("width").units == "mm"
    found = run.getProperty("temperature")
    assert found.value.tolist() == [10.0, 20.0]
    expected = np.array(["2026-01-01T00:00:01", "2026-01-01T00:00:02"], "datetime64[ns]")
    assert (found.times == expected).all()
    assert found.size() == 2
    assert found.lastValue() == 20.0
    with pytest.raises(RuntimeError):
        run.getProperty("nowhere")


def test_the_proton_charge_is_summed_once_and_then_kept():
    from mantid.kernel import DateAndTime, FloatTimeSeriesProperty

    run = made("one").mutableRun()
    series = FloatTimeSeriesProperty("proton_charge")
    series.units = "picoCoulomb"
    for second in range(3):
        series.addValue(DateAndTime(f"2026-01-01T00:00:0{second}"), 1.2e9)
    run.addProperty("proton_charge", series, True)
    assert run.getProtonCharge() == pytest.approx(3 * 1.2e9 * 1e-6 / 3600)
    assert run.getProperty("gd_prtn_chrg").value == pytest.approx(run.getProtonCharge())


def test_plus_adds_counts_errors_and_logs():
    from mantid.simpleapi import AddSampleLog, Plus

    made("one")
    made("two", (10.0, 20.0, 30.0))
    for name, number in (("one", "3"), ("two", "4")):
        AddSampleLog(name, "gd_prtn_chrg", number, "Number", NumberType="Double")
        AddSampleLog(name, "run_number", number)
    total = Plus(LHSWorkspace="one", RHSWorkspace="two", OutputWorkspace="sum")
    assert total.readY(0).tolist() == [11.0, 22.0, 33.0]
    assert total.readE(0) == pytest.approx(np.sqrt([11.0, 22.0, 33.0]))
    assert total.run().getProperty("gd_prtn_chrg").value == pytest.approx(7.0)
    assert total.run().getProperty("run_number").value == "3"


def test_plus_refuses_other_bins():
    from mantid.simpleapi import Plus

    made("one")
    made("two", (1.0, 2.0))
    with pytest.raises((ValueError, RuntimeError)):
        Plus(LHSWorkspace="one", RHSWorkspace="two", OutputWorkspace="sum")


def test_members_without_a_name_get_one_when_the_group_is_added():
    from mantid.api import AnalysisDataService, WorkspaceGroup, mtd
    from mantid.simpleapi import CreateSingleValuedWorkspace

    group = WorkspaceGroup()
    for value in (1.0, 2.0):
        group.addWorkspace(
            CreateSingleValuedWorkspace(DataValue=value, OutputWorkspace=f"m{value:g}", StoreInADS=False)
        )
    assert group.getNumberOfEntries() == 2
    AnalysisDataService.add("both", group)
    assert [mtd["both"].getItem(i).readY(0)[0] for i in range(2)] == [1.0, 2.0]
    assert len(AnalysisDataService.getObjectNames()) == 3


def test_an_algorithm_for_single_workspaces_takes_a_group_member_by_member():
    from mantid.api import mtd
    from mantid.simpleapi import GroupWorkspaces, Scale

    made("one")
    made("two", (10.0, 20.0, 30.0))
    GroupWorkspaces(InputWorkspaces=["one", "two"], OutputWorkspace="both")
    Scale(InputWorkspace="both", OutputWorkspace="scaled", Factor=2.0)
    assert [mtd["scaled"].getItem(i).readY(0)[0] for i in range(2)] == [2.0, 20.0]


def test_tables():
    from mantid.api import WorkspaceFactory

    table = WorkspaceFactory.createTable()
    assert table.addColumn("double", "x", 1)
    assert table.addColumn("double", "y", 2)
    assert table.addColumn("str", "what", 6)
    table.addRow([1.0, 2.0, "a"])
    table.addRow([3.0, 4.0, "b"])
    assert (table.rowCount(), table.columnCount()) == (2, 3)
    assert list(table.getColumnNames()) == ["x", "y", "what"]
    assert list(table.column("y")) == [2.0, 4.0]
    assert [table.getPlotType(i) for i in range(3)] == [1, 2, 6]
    assert table.cell(1, 0) == 3.0


def test_events_are_rebinned_and_counted():
    from mantid.api import IEventWorkspace
    from mantid.simpleapi import ConvertToMatrixWorkspace, CreateSampleWorkspace, Rebin, SumSpectra

    events = CreateSampleWorkspace(
        "Event", NumBanks=1, BankPixelWidth=2, NumEvents=100, OutputWorkspace="events"
    )
    assert isinstance(events, IEventWorkspace)
    n = events.getNumberEvents()
    binned = Rebin(InputWorkspace=events, Params="0,5000,20000", OutputWorkspace="binned")
    assert isinstance(binned, IEventWorkspace)
    assert binned.extractY().sum() == pytest.approx(n)
    counts = ConvertToMatrixWorkspace(InputWorkspace=binned, OutputWorkspace="counts")
    assert counts.id() == "Workspace2D"
    assert counts.extractY().sum() == pytest.approx(n)
    summed = SumSpectra(InputWorkspace=binned, OutputWorkspace="summed")
    assert summed.getNumberHistograms() == 1
    assert summed.readY(0).sum() == pytest.approx(n)
    spectrum = events.getSpectrum(0)
    assert len(spectrum.getTofs()) == spectrum.getNumberEvents()


def test_simpleapi_names_its_outputs_after_the_variable_on_the_left():
    from mantid.api import AnalysisDataService
    from mantid.simpleapi import CreateSingleValuedWorkspace

    left = CreateSingleValuedWorkspace(DataValue=3.0)
    assert left.name() == "left"
    assert AnalysisDataService.getObjectNames() == ["left"]


def test_operators_store_their_result_under_the_variable_on_the_left():
    from mantid.api import mtd

    one = made("one")
    total = one + one
    assert total.name() == "total"
    assert mtd["total"].readY(0).tolist() == [2.0, 4.0, 6.0]


def test_an_unknown_property_and_a_missing_one_are_refused():
    from mantid.simpleapi import CloneWorkspace, CreateSingleValuedWorkspace

    with pytest.raises((RuntimeError, TypeError)):
        CreateSingleValuedWorkspace(DataValue=1.0, Nonsense=2, OutputWorkspace="one")
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        CloneWorkspace(InputWorkspace="nowhere", OutputWorkspace="copy")


def test_an_algorithm_that_fails_raises_with_rethrows_and_for_simpleapi():
    from mantid.api import AlgorithmManager

    algorithm = AlgorithmManager.create("CreateWorkspace")
    algorithm.setRethrows(True)
    algorithm.setProperty("DataX", [0.0, 1.0, 2.0])
    algorithm.setProperty("DataY", [1.0, 2.0, 3.0, 4.0])
    algorithm.setProperty("OutputWorkspace", "one")
    with pytest.raises((RuntimeError, ValueError)):
        algorithm.execute()
    assert not algorithm.isExecuted()


def test_facilities_and_instruments():
    from mantid.kernel import ConfigService

    info = ConfigService.getInstrument("NOM")
    assert (info.name(), info.shortName(), info.facility().name()) == ("NOMAD", "NOM", "SNS")
    assert ConfigService.getFacility().name() == "SNS"
    ConfigService.setFacility("TEST_LIVE")
    assert "ADARA_FakeEvent" in [each.name() for each in ConfigService.getFacility().instruments()]
    with pytest.raises(RuntimeError):
        ConfigService.getInstrument("NOWHERE")
    with pytest.raises(RuntimeError):
        ConfigService.setFacility("NOWHERE")
