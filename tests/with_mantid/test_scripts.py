"""Scripts that were written for StartLiveData run unchanged, with Mantid's own meaning of ``input`` and ``output``."""

from __future__ import annotations

import hashlib
import logging
import sys
import textwrap
import threading
import types

import attrs
import numpy as np
import pytest

from hooks_support import run_info
from livered_core import BegunAnew, Chunk, DataModelError
from livered_core.hooks.script_settings import ScriptsSettings
from livered_core.hooks.script_source import ScriptError
from livered_core.hooks.scripts import ScriptsPlugin
from livered_core.workspaces import kind_of, make_group, n_events_of, run_algorithm

REBIN = "0,1000,20000"
RUN = run_info(7)


def events(n=100):
    """Events of four pixels, in one bin as the chunks of StartLiveData with PreserveEvents."""
    made = run_algorithm(
        "CreateSampleWorkspace",
        WorkspaceType="Event",
        NumBanks=1,
        BankPixelWidth=2,
        NumEvents=n,
        Function="Flat background",
    )
    return run_algorithm("Rebin", InputWorkspace=made, Params="0,20000,20000")


def table(plotted):
    """A table of three rows; `plotted` marks its columns as X and Y."""
    made = run_algorithm("CreateEmptyTableWorkspace")
    made.addColumn("double", "q", 1) if plotted else made.addColumn("double", "q")
    made.addColumn("double", "s", 2) if plotted else made.addColumn("double", "s")
    for number in range(3):
        made.addRow([float(number), 2.0 * number])
    return made


def names():
    """Everything that the ADS holds, hidden names that the plugin may use included."""
    from mantid.api import AnalysisDataService

    hidden = [name for name in ("__livered_chunk_TST",) if AnalysisDataService.doesExist(name)]
    return sorted([*AnalysisDataService.getObjectNames(), *hidden])


def total(workspace):
    return float(np.sum(workspace.extractY()))


class Driver:
    """Calls the plugin as the pipeline does."""

    def __init__(self, plugin):
        self.plugin = plugin
        self.accumulated = None
        self.sequence = 0

    def process(self, data):
        self.sequence += 1
        return self.plugin.process_chunk(chunk_of(data, self.sequence), RUN)

    def take(self, *chunks):
        for data in chunks:
            processed = self.process(data)
            chunk = chunk_of(data, self.sequence)
            together = self.plugin.accumulate(self.accumulated, processed, chunk)
            self.begun_anew = together.why if isinstance(together, BegunAnew) else ""
            self.accumulated = together.data if self.begun_anew else together
        return self.accumulated

    def update(self):
        return self.plugin.post_process(self.accumulated, RUN)


def chunk_of(data, sequence=1):
    return Chunk(sequence, "mantid", data, 1, 2, 2, n_events_of(data), 20.0)


@pytest.fixture
def scripts(tmp_path):
    """Make a driver of the plugin with scripts given as text; `scripts.write` changes one."""

    def write(stage, text):
        (tmp_path / f"{stage}.py").write_text(textwrap.dedent(text))
        return tmp_path / f"{stage}.py"

    def make(process=None, post_process=None, **settings):
        texts = {"process": process, "post_process": post_process}
        paths = {stage: write(stage, text) for stage, text in texts.items() if text is not None}
        return Driver(ScriptsPlugin(settings=ScriptsSettings(**paths, **settings)))

    make.write = write
    return make


class TestOutputOfProcess:
    """Section 5 of what is known of Mantid, row by row."""

    @pytest.mark.parametrize(
        "text",
        [
            "Rebin(InputWorkspace=input, OutputWorkspace=output, Params='{params}')",
            "Rebin(InputWorkspace=input, OutputWorkspace=str(input), Params='{params}')",
            "Rebin(input, '{params}', OutputWorkspace='mine')\noutput = 'mine'",
            "output = Rebin(InputWorkspace=input, Params='{params}')",
            "mine = Rebin(InputWorkspace=input, Params='{params}')\noutput = mine",
            "Rebin(input, '{params}', OutputWorkspace='mine')\noutput = mtd['mine']",
            "Rebin(input, '{params}', OutputWorkspace='mine')\nDeleteWorkspace(input)\noutput = 'mine'",
            "mine = Rebin(InputWorkspace=input, Params='{params}')\nreturn input, mine",
            "import mantid.simpleapi as m\noutput = m.Rebin(InputWorkspace=input, Params='{params}')",
            "from mantid.simpleapi import *\noutput = Rebin(InputWorkspace=input, Params='{params}')",
        ],
    )
    def test_it_is_what_the_script_made(self, scripts, text):
        driver = scripts(text.format(params=REBIN))
        data = events()
        processed = driver.process(data)
        assert kind_of(processed) == "events"
        assert processed.blocksize() == 20
        assert processed.getNumberEvents() == data.getNumberEvents()

    @pytest.mark.parametrize("text", ["pass", "output = None", "output = input", "output = str(input)"])
    def test_it_is_the_chunk_where_the_script_leaves_it(self, scripts, text):
        data = events()
        processed = scripts(text).process(data)
        assert processed.blocksize() == 1
        assert processed.getNumberEvents() == data.getNumberEvents()

    def test_input_is_the_workspace_and_output_the_name_that_mantid_gave_it(self, scripts):
        from mantid.api import AnalysisDataService

        data = events()
        name = "__anonymous_livedata_input___livered_TST"
        AnalysisDataService.addOrReplace(name, data)
        driver = scripts("""
            global seen
            seen = str(input), output, input.getNumberEvents(), mtd.doesExist(output)
            AddSampleLog(input, LogName="seen", LogText=" ".join(map(str, seen)))
        """)
        run = driver.process(data).run()
        assert run.getProperty("seen").value == f"{name} {name} {data.getNumberEvents()} True"
        assert AnalysisDataService.doesExist(name), "Mantid put it there, and takes it away"

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("output = 5", "has set output to something of type int: set it to a workspace"),
            ("output = [input]", "has set output to something of type list"),
            ("output = 'nothing'", "has made no workspace 'nothing'"),
            ("DeleteWorkspace(input)", "has made no workspace '__livered_chunk_TST'"),
            ("return", r"process\.py line 1 returns something else"),
            ("mine = CloneWorkspace(input)\nDeleteWorkspace('mine')\nRebin(Nonsense=mine)", "line 3 failed"),
        ],
    )
    def test_what_is_none_is_an_error(self, scripts, text, sentence):
        with pytest.raises(ScriptError, match=sentence):
            scripts(text).process(events())
        assert names() == []

    def test_a_handle_that_has_died_is_an_error(self, scripts):
        driver = scripts(
            "CloneWorkspace(input, OutputWorkspace='mine')\noutput = mtd['mine']\nDeleteWorkspace('mine')"
        )
        with pytest.raises(DataModelError):
            driver.process(events())


def test_functions_run_as_child_algorithms_and_their_named_results_stay(scripts):
    from mantid.api import AnalysisDataService

    driver = scripts("mine = Rebin(input, '0,1000,20000')\noutput = mine\nassert self is not None")
    driver.process(events())
    assert names() == ["mine"]
    assert AnalysisDataService.retrieve("mine").blocksize() == 20


def test_a_function_of_an_imported_module_runs_in_the_same_way(scripts, tmp_path, monkeypatch):
    (tmp_path / "reduction_of_a_script.py").write_text(
        "from mantid.simpleapi import Rebin\n"
        "def reduce(ws, name):\n    return Rebin(InputWorkspace=ws, Params='0,1000,20000', OutputWorkspace=name)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    driver = scripts("import reduction_of_a_script as r\nr.reduce(input, output)")
    assert driver.process(events()).blocksize() == 20
    sys.modules.pop("reduction_of_a_script")


def test_globals_are_those_of_both_scripts_and_not_of_the_program(scripts):
    import __main__

    driver = scripts(
        "global n_chunks\ntry:\n    n_chunks += 1\nexcept NameError:\n    n_chunks = 1\n",
        "SumSpectra(input, OutputWorkspace=output)\nAddSampleLog(output, LogName='n', LogText=str(n_chunks))\n"
        "assert __name__ == '__main__'\nassert n_chunks == 2\n",
    )
    driver.take(events(), events())
    assert len(driver.update().curves) == 1
    assert not hasattr(__main__, "n_chunks")


def test_it_runs_within_mantid_s_own_script(scripts, monkeypatch):
    """As in a session: on a thread of its own, the scripts' PyExec is called within that of RunPythonScript."""
    from mantid.api import AnalysisDataService

    driver = scripts("Rebin(InputWorkspace=input, OutputWorkspace=output, Params='0,1000,20000')")
    door = types.ModuleType("door_of_a_test")
    door.take = driver.take
    monkeypatch.setitem(sys.modules, "door_of_a_test", door)
    code = "import door_of_a_test\ndoor_of_a_test.take(input)\noutput = input"

    def run():
        for number in range(3):
            name = f"__anonymous_livedata_input_{number}"
            AnalysisDataService.addOrReplace(name, events())
            run_algorithm("RunPythonScript", InputWorkspace=AnalysisDataService.retrieve(name), Code=code)
            AnalysisDataService.remove(name)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert driver.accumulated.blocksize() == 20
    assert driver.accumulated.getNumberEvents() == 3 * events().getNumberEvents()


class TestAccumulating:
    def test_chunks_are_added_without_touching_what_was_there(self, scripts):
        driver = scripts(f"Rebin(InputWorkspace=input, OutputWorkspace=output, Params='{REBIN}')")
        first = driver.take(events(100))
        before = total(first)
        both = driver.take(events(200))
        assert total(first) == before
        assert total(both) == pytest.approx(3 * before)
        assert names() == []

    def test_without_a_process_script_the_chunk_passes(self, scripts):
        data = events()
        assert scripts(None, "output = input").process(data) is data

    def test_replace_and_append(self, scripts):
        text = f"Rebin(InputWorkspace=input, OutputWorkspace=output, Params='{REBIN}', PreserveEvents=False)"
        driver = scripts(text, accumulate="replace")
        assert total(driver.take(events(100), events(200))) == pytest.approx(total(driver.take(events(200))))
        driver = scripts(text, accumulate="append")
        both = driver.take(events(100), events(200))
        assert both.getNumberHistograms() == 8
        assert driver.take(events(100)).getNumberHistograms() == 12

    def test_what_holds_everything_since_the_start_is_not_added_to_itself(self, scripts):
        """As the histograms of ISIS's listener do."""
        driver = scripts("output = input")
        data = run_algorithm("Rebin", InputWorkspace=events(), Params=REBIN, PreserveEvents=False)
        chunk = attrs.evolve(chunk_of(data), is_total=True)
        first = driver.plugin.accumulate(None, data, chunk)
        assert total(driver.plugin.accumulate(first, data, chunk)) == total(data)
        both = scripts("output = input", accumulate="append").plugin.accumulate(first, data, chunk)
        assert both.getNumberHistograms() == 8

    def test_groups_member_by_member(self, scripts):
        text = f"""
            Rebin(InputWorkspace=input, OutputWorkspace="a", Params="{REBIN}", PreserveEvents=False)
            Scale("a", Factor=2.0, OutputWorkspace="b")
            GroupWorkspaces(["a", "b"], OutputWorkspace="g")
            output = "g"
        """
        driver = scripts(text)
        one = driver.take(events(100))
        before = total(one.getItem(0))
        both = driver.take(events(300))
        assert [total(both.getItem(index)) for index in range(2)] == pytest.approx([4 * before, 8 * before])
        assert total(one.getItem(0)) == pytest.approx(before)
        driver = scripts(text, accumulate="append")
        assert driver.take(events(), events()).getItem(1).getNumberHistograms() == 8
        labels = [curve.label for curve in driver.update().curves]
        assert len(labels) == len(set(labels)) == 16
        assert names() == ["a", "b", "g"]

    def test_what_becomes_of_a_group_in_the_ads_does_not_touch_what_is_accumulated(self, scripts):
        """A group in the ADS loses members that are deleted there, and takes up those that replace them."""
        from mantid.api import AnalysisDataService

        one = scripts("""
            CloneWorkspace(input, OutputWorkspace="a")
            CloneWorkspace(input, OutputWorkspace="b")
            output = GroupWorkspaces(["a", "b"], OutputWorkspace="g")
        """).take(events(100))
        AnalysisDataService.remove("a")
        AnalysisDataService.addOrReplace("b", events(300))
        counts = [one.getItem(index).getNumberEvents() for index in range(one.getNumberOfEntries())]
        assert counts == [events(100).getNumberEvents()] * 2

    @pytest.mark.parametrize("method", ["add", "append"])
    def test_tables_are_refused_at_the_first_chunk_unless_they_replace(self, scripts, method):
        text = "t = CreateEmptyTableWorkspace()\noutput = t"
        with pytest.raises(DataModelError, match=f'cannot be accumulated with accumulate = "{method}"'):
            scripts(text, accumulate=method).take(events())
        assert kind_of(scripts(text, accumulate="replace").take(events(), events())) == "table"

    def test_events_become_histograms_when_they_are_not_to_be_kept(self, scripts):
        driver = scripts(
            f"Rebin(InputWorkspace=input, OutputWorkspace=output, Params='{REBIN}')", preserve_events=False
        )
        data = events()
        accumulated = driver.take(data, data)
        assert kind_of(accumulated) == "histogram"
        assert total(accumulated) == 2 * data.getNumberEvents()

    @pytest.mark.parametrize("bins", ["0,20000,20000", "30000,1000,40000"])
    def test_events_without_bins_are_refused_then(self, scripts, bins):
        """In Mantid all counts are lost there."""
        driver = scripts("output = input", preserve_events=False)
        with pytest.raises(DataModelError, match="let the process script rebin them"):
            driver.process(run_algorithm("Rebin", InputWorkspace=events(), Params=bins))
        assert (
            driver.process(run_algorithm("Rebin", InputWorkspace=events(), Params="0,5000,20000")) is not None
        )


class TestPostProcessing:
    def test_the_result_has_the_curves_of_its_output(self, scripts):
        driver = scripts(
            f"Rebin(InputWorkspace=input, OutputWorkspace=output, Params='{REBIN}')",
            "SumSpectra(InputWorkspace=input, OutputWorkspace=output)",
        )
        data = events()
        driver.take(data, data)
        result = driver.update()
        (curve,) = result.curves
        assert (result.run_number, result.title) == (7, "title 7")
        assert (curve.label, curve.x_unit, curve.y_unit, curve.x_name) == (
            "result",
            "us",
            "counts",
            "time of flight",
        )
        assert curve.y.sum() == 2 * data.getNumberEvents()
        np.testing.assert_allclose(curve.e, np.sqrt(curve.y))
        for stage, settings in (("process", driver.plugin.settings.process), ("post_process", None)):
            path = settings or driver.plugin.settings.post_process
            assert result.metadata[f"{stage} script"] == path.name
            assert result.metadata[f"{stage} sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        assert names() == []

    def test_without_a_script_what_is_accumulated_is_drawn(self, scripts):
        driver = scripts(f"Rebin(InputWorkspace=input, OutputWorkspace=output, Params='{REBIN}')")
        driver.take(events())
        assert len(driver.update().curves) == 4
        assert names() == []

    @pytest.mark.parametrize(
        "text",
        [
            "output = input",
            "output = SumSpectra(input)",
            "RenameWorkspace('accumulation', 'result')",  # the test script of livereduce
            "assert str(input) == 'accumulation' and output == 'result'\nSumSpectra('accumulation', OutputWorkspace=output)",
            "SumSpectra(input, OutputWorkspace='mine')\noutput = 'mine'",
        ],
    )
    def test_its_output_may_be(self, scripts, text):
        driver = scripts(None, text)
        driver.take(events())
        assert driver.update().curves

    @pytest.mark.parametrize(
        "text",
        ["pass", "output = None", "SumSpectra(input, OutputWorkspace=str(input))", "output = 'nothing'"],
    )
    def test_a_missing_output_is_an_error_and_not_yesterday_s_result(self, scripts, text):
        good = "SumSpectra(InputWorkspace=input, OutputWorkspace=output)"
        driver = scripts(None, good)
        driver.take(events())
        assert driver.update().curves
        scripts.write("post_process", text)
        with pytest.raises(ScriptError, match=r"post_process\.py has (made no workspace|set output to None)"):
            driver.update()
        assert names() == []
        scripts.write("post_process", good)
        assert driver.update().curves

    def test_what_is_left_under_the_name_by_others_is_no_output_either(self, scripts):
        from mantid.api import AnalysisDataService

        driver = scripts(None, "pass")
        driver.take(events())
        AnalysisDataService.addOrReplace("result", events())
        with pytest.raises(ScriptError, match="has made no workspace 'result'"):
            driver.update()

    def test_changes_of_the_input_in_place_do_not_compound(self, scripts):
        text = "Scale(input, Factor=10.0, OutputWorkspace=str(input))\noutput = str(input)"
        driver = scripts(None, text)
        driver.take(run_algorithm("Rebin", InputWorkspace=events(), Params=REBIN, PreserveEvents=False))
        once = [curve.y.sum() for curve in driver.update().curves]
        assert [curve.y.sum() for curve in driver.update().curves] == once
        assert sum(once) == pytest.approx(10 * total(driver.accumulated))

    def test_the_script_may_delete_its_input(self, scripts):
        driver = scripts(None, "SumSpectra(input, OutputWorkspace=output)\nDeleteWorkspace(input)")
        driver.take(events())
        assert driver.update().curves
        assert driver.update().curves
        assert driver.accumulated.getNumberEvents() > 0

    def test_what_the_script_has_named_keeps_its_name(self, scripts):
        from mantid.api import AnalysisDataService

        text = "output = CloneWorkspace(input, OutputWorkspace='mine')"
        driver = scripts(text, "output = input", protect_accumulation=False)
        driver.take(events())
        assert driver.update().curves
        assert AnalysisDataService.retrieve("mine").name() == "mine"

    def test_unprotected_it_is_what_is_accumulated_itself(self, scripts):
        driver = scripts(
            None,
            "Scale(input, Factor=10.0, OutputWorkspace=str(input))\noutput = str(input)",
            protect_accumulation=False,
        )
        driver.take(run_algorithm("Rebin", InputWorkspace=events(), Params=REBIN, PreserveEvents=False))
        before = total(driver.accumulated)
        driver.update()
        assert total(driver.accumulated) == pytest.approx(10 * before)
        assert names() == []

    @pytest.mark.parametrize("protect", [True, False])
    def test_the_ads_does_not_grow(self, scripts, protect):
        driver = scripts(
            f"""
                Rebin(InputWorkspace=input, OutputWorkspace="a", Params="{REBIN}")
                CloneWorkspace("a", OutputWorkspace="b")
                output = GroupWorkspaces(["a", "b"], OutputWorkspace="g")
            """,
            "assert 'accumulation' in mtd.getObjectNames()\n"
            "output = GroupWorkspaces([str(SumSpectra(w, OutputWorkspace=f'sum{i}')) for i, w in enumerate(input)], "
            "OutputWorkspace=output)",
            protect_accumulation=protect,
        )
        for _ in range(5):
            driver.take(events())
            assert [curve.label for curve in driver.update().curves] == ["sum0", "sum1"]
            assert names() == ["a", "b", "g", "sum0", "sum1"]

    def test_what_is_accumulated_must_be_a_workspace(self, scripts):
        driver = scripts(None, "output = input")
        driver.accumulated = np.zeros(3)
        with pytest.raises(DataModelError, match=r"is a ndarray and no workspace.*hooks\.owner\.accumulate"):
            driver.update()

    def test_more_spectra_than_can_be_shown_are_summed(self, scripts, caplog):
        many = run_algorithm(
            "CreateSampleWorkspace", WorkspaceType="Event", NumBanks=2, BankPixelWidth=8, NumEvents=100
        )
        driver = scripts("output = input")
        driver.take(many)
        for _ in range(2):
            result = driver.update()
        (curve,) = result.curves
        assert curve.label == "sum of 128 spectra"
        assert curve.y.sum() == many.getNumberEvents()
        assert "no more than 100 can be shown" in result.metadata["remark"]
        assert len(caplog.records) == 1
        # Unbinned, as they come.
        driver = scripts("output = input")
        driver.take(run_algorithm("Rebin", InputWorkspace=many, Params="0,20000,20000"))
        (curve,) = driver.update().curves
        assert len(curve.y) == 2000

    def test_tables_are_drawn_where_they_say_what_is_x_and_y(self, scripts, monkeypatch):
        door = types.ModuleType("table_of_a_test")
        door.table = table
        monkeypatch.setitem(sys.modules, "table_of_a_test", door)
        driver = scripts(
            None, "import table_of_a_test\nmtd.addOrReplace(output, table_of_a_test.table(True))"
        )
        driver.take(events())
        (curve,) = driver.update().curves
        assert list(curve.y) == [0.0, 2.0, 4.0]
        scripts.write("post_process", "import table_of_a_test\noutput = table_of_a_test.table(False)")
        result = driver.update()
        assert result.curves == ()
        assert result.metadata["remark"].startswith("Nothing is shown. Table")


class TestFailures:
    def test_script_file_and_line_are_named_and_mantid_s_reason(self, scripts):
        driver = scripts("x = 1\nRebin(InputWorkspace=input, OutputWorkspace=output, Params='no bins')")
        path = driver.plugin.settings.process
        with pytest.raises(ScriptError) as caught:
            driver.process(events())
        assert str(caught.value).startswith(f"{path} line 2 failed: ")
        assert caught.value.__cause__ is not None
        assert names() == []

    @pytest.mark.parametrize("text", ["import sys\nsys.exit(0)", "raise KeyboardInterrupt", "exit()"])
    def test_nothing_ends_the_session(self, scripts, text):
        with pytest.raises(ScriptError, match=r"process\.py line"):
            scripts(text).process(events())
        with pytest.raises(ScriptError, match=r"post_process\.py line"):
            driver = scripts(None, text)
            driver.take(events())
            driver.update()
        assert names() == []


class TestChange:
    """The content of a script changes while it runs."""

    GOOD = f"Rebin(InputWorkspace=input, OutputWorkspace=output, Params='{REBIN}')"
    OTHER = f"# other\n{GOOD}"

    def test_it_is_taken_up_with_the_next_chunk_and_what_is_accumulated_is_kept(self, scripts, caplog):
        caplog.set_level(logging.INFO)
        driver = scripts(self.GOOD)
        driver.take(events())
        path = scripts.write("process", self.OTHER)
        driver.take(events())
        assert driver.accumulated.getNumberEvents() == 2 * events().getNumberEvents()
        assert any("has changed and is taken up" in record.getMessage() for record in caplog.records)
        metadata = driver.update().metadata
        assert metadata["scripts changed"] == "process.py at chunk 2"
        assert metadata["process sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()[:12]

    def test_or_begins_anew(self, scripts):
        driver = scripts(self.GOOD, when_changed="restart")
        driver.take(events(), events())
        scripts.write("process", self.OTHER)
        driver.take(events())
        assert driver.accumulated.getNumberEvents() == events().getNumberEvents()
        assert driver.begun_anew == "A script has changed: process.py at chunk 3, begun anew."
        driver.take(events())
        assert not driver.begun_anew
        assert driver.accumulated.getNumberEvents() == 2 * events().getNumberEvents()
        assert driver.update().metadata["scripts changed"] == "process.py at chunk 3, begun anew"

    def test_the_beginning_waits_for_a_chunk_that_succeeds(self, scripts):
        driver = scripts(self.GOOD, when_changed="restart")
        driver.take(events(), events())
        scripts.write("process", f"{self.OTHER}\nif input.getNumberEvents() > 1000: raise ValueError")
        with pytest.raises(ScriptError):
            driver.take(events(1000))
        driver.take(events())
        assert driver.accumulated.getNumberEvents() == events().getNumberEvents()

    def test_what_does_not_compile_is_not_taken_up_and_the_result_says_so(self, scripts, caplog):
        driver = scripts(self.GOOD, when_changed="restart")
        driver.take(events())
        scripts.write("process", "output = = input")
        driver.take(events(), events())
        assert driver.accumulated.getNumberEvents() == 3 * events().getNumberEvents()
        (said,) = [record.getMessage() for record in caplog.records]
        assert "process.py line 1 is not valid Python" in said
        assert driver.update().metadata["process problem"] == said
        scripts.write("process", self.OTHER)
        driver.take(events())
        assert "process problem" not in driver.update().metadata

    def test_results_that_no_longer_fit_say_what_to_do(self, scripts):
        driver = scripts(f"{self.GOOD[:-1]}, PreserveEvents=False)")
        driver.take(events())
        scripts.write("process", "Rebin(input, '0,500,20000', OutputWorkspace=output, PreserveEvents=False)")
        with pytest.raises(
            DataModelError, match=r'changed during the run \(process\.py at chunk 2\).*"restart"'
        ):
            driver.take(events())

    def test_a_new_run_forgets_it(self, scripts):
        driver = scripts(self.GOOD, when_changed="restart")
        driver.take(events())
        scripts.write("process", self.OTHER)
        driver.process(events())
        driver.plugin.run_started()
        driver.accumulated = None
        driver.take(events(), events())
        assert driver.accumulated.getNumberEvents() == 2 * events().getNumberEvents()
        assert "scripts changed" not in driver.update().metadata

    def test_the_post_process_script_is_taken_up_with_the_next_update(self, scripts):
        driver = scripts(None, "output = input", when_changed="restart")
        driver.take(events())
        assert len(driver.update().curves) == 4
        scripts.write("post_process", "output = SumSpectra(input)")
        result = driver.update()
        assert len(result.curves) == 1
        assert result.metadata["scripts changed"] == "post_process.py"
        driver.take(events())
        assert driver.accumulated.getNumberEvents() == 2 * events().getNumberEvents()


def test_a_chunk_of_several_periods_is_a_group(scripts):
    driver = scripts("output = input", f"output = Rebin(input, '{REBIN}')")
    driver.take(make_group([events(), events()]), make_group([events(), events()]))
    assert driver.accumulated.getNumberOfEntries() == 2
    assert names() == []
