"""`livered_core.workspaces` on Mantid, or on its double."""

from __future__ import annotations

import numpy as np
import pytest

from livered_core import Chunk, DataModelError, RunInfo
from livered_core.hooks.defaults import DefaultTransforms
from livered_core.workspaces import (
    MOST_CURVES,
    add_workspaces,
    curves_of,
    held,
    kind_of,
    make_group,
    members_of,
    n_events_of,
    named,
    run_algorithm,
    run_algorithm_for,
    run_of,
    slow_logs_of,
)

RUN = RunInfo(7, "TST", title="diamond")


def histogram(y=(1.0, 4.0, 9.0), x=(0.5, 1.0, 1.5, 2.0), unit="dSpacing", n_spectra=1, **more):
    return run_algorithm(
        "CreateWorkspace",
        DataX=list(x) * n_spectra,
        DataY=list(y) * n_spectra,
        DataE=list(np.sqrt(y)) * n_spectra,
        NSpec=n_spectra,
        UnitX=unit,
        **{"YUnitLabel": "Counts", **more},
    )


def table(columns):
    from mantid.api import WorkspaceFactory

    made = WorkspaceFactory.createTable()
    for kind, name, plot_type, _ in columns:
        made.addColumn(kind, name, plot_type)
    for row in zip(*(values for *_, values in columns), strict=True):
        made.addRow(list(row))
    return made


def names():
    from mantid.api import AnalysisDataService
    from mantid.kernel import ConfigService

    ConfigService.setString("MantidOptions.InvisibleWorkspaces", "1")
    try:
        return set(AnalysisDataService.getObjectNames())
    finally:
        ConfigService.setString("MantidOptions.InvisibleWorkspaces", "0")


class TestCurves:
    def test_a_spectrum_is_a_curve_with_units_and_errors(self):
        (curve,) = curves_of(histogram(), "bank 1")

        assert curve.label == "bank 1"
        assert (curve.x_unit, curve.x_name) == ("Angstrom", "d-spacing")
        assert (curve.y_unit, curve.y_name) == ("counts", "counts")
        assert curve.is_histogram
        np.testing.assert_array_equal(curve.x, [0.5, 1.0, 1.5, 2.0])
        np.testing.assert_array_equal(curve.y, [1, 4, 9])
        np.testing.assert_array_equal(curve.e, [1, 2, 3])

    @pytest.mark.parametrize(
        ("unit", "symbol", "name"),
        [
            ("TOF", "us", "time of flight"),
            ("MomentumTransfer", "1/Angstrom", "momentum transfer"),
            ("Wavelength", "Angstrom", "wavelength"),
        ],
    )
    def test_units_are_written_as_livered_does(self, unit, symbol, name):
        (curve,) = curves_of(histogram(unit=unit))
        assert (curve.x_unit, curve.x_name) == (symbol, name)

    def test_points_stay_points(self):
        (curve,) = curves_of(histogram(x=(1.0, 2.0, 3.0)))
        assert not curve.is_histogram

    def test_x_that_falls_is_turned_round(self):
        (curve,) = curves_of(histogram(x=(2.0, 1.5, 1.0, 0.5)))
        np.testing.assert_array_equal(curve.x, [0.5, 1.0, 1.5, 2.0])
        np.testing.assert_array_equal(curve.y, [9, 4, 1])

    def test_several_spectra_have_labels_that_differ(self):
        curves = curves_of(histogram(n_spectra=3), "d")
        assert len({curve.label for curve in curves}) == 3
        assert all(curve.label.startswith("d: ") for curve in curves)

    def test_too_many_spectra_are_refused(self):
        with pytest.raises(DataModelError, match=f"{MOST_CURVES + 1} spectra"):
            curves_of(histogram(n_spectra=MOST_CURVES + 1))

    def test_the_members_of_a_group_are_curves_with_their_names(self):
        with named(histogram(), "first"), named(histogram(y=(2.0, 2.0, 2.0)), "second"):
            from mantid.api import AnalysisDataService

            group = make_group(AnalysisDataService.retrieve(name) for name in ("first", "second"))
            assert [curve.label for curve in curves_of(group)] == ["first", "second"]

    def test_a_table_with_columns_marked_is_curves(self):
        made = table(
            [
                ("double", "angle", 1, [3.0, 1.0, 2.0]),
                ("double", "height", 2, [30.0, 10.0, 20.0]),
                ("double", "error", 5, [3.0, 1.0, 2.0]),
                ("double", "width", 2, [0.3, 0.1, 0.2]),
            ]
        )
        height, width = curves_of(made, "peaks")
        assert (height.label, width.label) == ("peaks: height", "peaks: width")
        np.testing.assert_array_equal(height.x, [1, 2, 3])
        np.testing.assert_array_equal(height.y, [10, 20, 30])
        np.testing.assert_array_equal(height.e, [1, 2, 3])
        np.testing.assert_array_equal(width.y, [0.1, 0.2, 0.3])
        assert width.x_name == "angle"

    def test_a_table_without_marks_or_with_texts_is_refused(self):
        with pytest.raises(DataModelError, match="mark one of its columns as X"):
            curves_of(table([("double", "a", 0, [1.0])]))
        with pytest.raises(DataModelError, match="does not hold numbers"):
            curves_of(table([("str", "a", 1, ["x"]), ("double", "b", 2, [1.0])]))

    def test_what_is_no_workspace_is_refused(self):
        with pytest.raises(DataModelError, match="cannot be shown"):
            curves_of(3)


class TestAdding:
    def test_a_sum_is_new_and_what_was_added_stays(self):
        first, second = histogram(), histogram(y=(1.0, 1.0, 1.0))
        total = add_workspaces(first, second)
        np.testing.assert_array_equal(total.readY(0), [2, 5, 10])
        np.testing.assert_array_equal(first.readY(0), [1, 4, 9])
        np.testing.assert_array_equal(second.readY(0), [1, 1, 1])

    def test_groups_are_added_member_by_member(self):
        group = make_group([histogram(), histogram(y=(1.0, 1.0, 1.0))])
        total = add_workspaces(group, group)
        assert [list(member.readY(0)) for member in members_of(total)] == [[2, 8, 18], [2, 2, 2]]
        assert list(members_of(group)[0].readY(0)) == [1, 4, 9]

    def test_what_cannot_be_added_is_refused_with_a_sentence(self):
        one, group = histogram(), make_group([histogram()])
        two = make_group([histogram(), histogram()])
        rows = table([("double", "a", 1, [1.0])])
        for first, second, what in (
            (one, group, "single"),
            (group, two, "of 1 and one of 2"),
            (rows, rows, "added"),
        ):
            with pytest.raises(DataModelError, match=what):
                add_workspaces(first, second)
        with pytest.raises(DataModelError, match="Plus failed"):
            add_workspaces(one, histogram(x=(1.0, 2.0, 3.0, 4.0)))

    def test_nothing_is_left_in_the_data_service(self):
        before = names()
        total = histogram()
        for _ in range(20):
            total = add_workspaces(total, histogram())
        assert names() == before
        assert total.readY(0)[0] == 21

    def test_the_default_accumulate_adds_and_takes_totals_as_they_are(self):
        defaults, first, second = DefaultTransforms(), histogram(), histogram()
        chunk = Chunk(1, "mantid", second, 1, 2, 2, 14, 10.0)
        total = Chunk(1, "mantid", second, 1, 2, 2, 14, 10.0, is_total=True)
        assert defaults.accumulate(None, first, chunk) is first
        assert defaults.accumulate(first, second, chunk).readY(0)[0] == 2
        assert defaults.accumulate(first, second, total) is second
        assert defaults.accumulate(3, 4, chunk) == 7


class TestAlgorithms:
    def test_an_algorithm_that_fails_says_which_and_why_in_one_sentence(self):
        for name, properties in (
            ("NoSuchAlgorithm", {}),
            ("Rebin", {"InputWorkspace": histogram(), "Nonsense": 1}),
            ("Rebin", {"InputWorkspace": histogram(), "Params": "nonsense"}),
        ):
            with pytest.raises(DataModelError, match=f"Mantid's {name} failed") as caught:
                run_algorithm(name, **properties)
            assert "\n" not in str(caught.value)

    def test_several_outputs(self):
        made = run_algorithm_for(
            "CreateSingleValuedWorkspace", ("OutputWorkspace", "DataValue", "None"), DataValue=3.0
        )
        assert made["DataValue"] == 3.0
        assert made["OutputWorkspace"].readY(0)[0] == 3.0
        assert "None" not in made

    def test_a_workspace_that_is_held_outlives_its_name(self):
        from mantid.api import AnalysisDataService

        AnalysisDataService.addOrReplace("there", histogram())
        AnalysisDataService.addOrReplace("gone", histogram())
        weak, strong, by_name = (
            AnalysisDataService.retrieve("gone"),
            held(AnalysisDataService.retrieve("there")),
            held("there"),
        )
        AnalysisDataService.remove("there")
        AnalysisDataService.remove("gone")
        with pytest.raises(RuntimeError, match="Variable invalidated"):
            weak.readY(0)
        assert list(strong.readY(0)) == list(by_name.readY(0)) == [1, 4, 9]

    def test_what_is_not_there_cannot_be_held(self):
        with pytest.raises(DataModelError, match="no workspace 'nowhere'"):
            held("nowhere")

    def test_named_for_a_while(self):
        from mantid.api import AnalysisDataService

        made = histogram()
        with named(made, "__livered_for_a_while"):
            assert AnalysisDataService.doesExist("__livered_for_a_while")
        assert not AnalysisDataService.doesExist("__livered_for_a_while")
        assert list(made.readY(0)) == [1, 4, 9]
        with named(made, "__livered_for_a_while"):
            AnalysisDataService.remove("__livered_for_a_while")  # a script may do that

    def test_a_group_and_its_members_are_named_for_a_while(self):
        before, group = names(), make_group([histogram(), histogram()])
        with named(group, "__livered_group"):
            assert len(names() - before) == 3
        assert names() == before
        assert len(members_of(group)) == 2


def test_kinds():
    made = histogram()
    assert kind_of(made) == "histogram"
    assert kind_of(make_group([made])) == "group"
    assert kind_of(table([("double", "a", 1, [1.0])])) == "table"
    assert kind_of(np.zeros(3)) == kind_of(None) == "other"
    assert n_events_of(made) == 14
    assert n_events_of(make_group([made, histogram()])) == 28
    assert n_events_of(table([("double", "a", 1, [1.0])])) == 0


def test_logs_are_livereds_own():
    from mantid.kernel import FloatTimeSeriesProperty, StringTimeSeriesProperty

    made = histogram()
    run = made.mutableRun()
    temperature = FloatTimeSeriesProperty("temperature")
    temperature.units = "K"
    for second, value in enumerate((290.0, 300.0)):
        temperature.addValue(f"2026-11-25T10:00:0{second}", value)
    stage = StringTimeSeriesProperty("stage")
    stage.addValue("2026-11-25T10:00:00", "heating")
    run.addProperty("temperature", temperature, True)
    run.addProperty("stage", stage, True)
    run.addProperty("run_title", "no series", True)

    logs = slow_logs_of(run_of(make_group([made])))

    assert set(logs) == {"temperature", "stage"}
    assert (logs["temperature"].unit, logs["temperature"].last) == ("K", 300.0)
    assert logs["temperature"].time_ns[0] == 1_795_600_800_000_000_000
    assert logs["stage"].last == "heating"
