"""Section 5 of the document: RunPythonScript, in which all scripts of live data run."""

from __future__ import annotations

import threading

import pytest

import __main__
from contract_support import REPORT


def run(code: str, output: str = "made", workspace: str = "one"):
    """Run a script on a workspace of one value 2.0."""
    from mantid.simpleapi import CreateSingleValuedWorkspace, RunPythonScript

    CreateSingleValuedWorkspace(DataValue=2.0, OutputWorkspace=workspace)
    RunPythonScript(InputWorkspace=workspace, Code=code, OutputWorkspace=output)


def value_of(name: str) -> float:
    from mantid.api import mtd

    return float(mtd[name].readY(0)[0])


def failure_of(code: str, **more: str) -> str:
    with pytest.raises(RuntimeError) as caught:
        run(code, **more)
    return str(caught.value)


def test_input_is_a_workspace_and_output_the_name_that_is_wanted(probe):
    run(REPORT.replace("output =", "made ="), output="one")
    assert (probe.seen[0].name, probe.seen[0].output) == ("one", "one")


def test_untouched_output_takes_the_workspace_of_that_name():
    run("from mantid.simpleapi import Scale\nScale(InputWorkspace=input, OutputWorkspace='made', Factor=3.0)")
    assert value_of("made") == 6.0


def test_changes_in_place_count_where_output_is_the_input():
    run(
        "from mantid.simpleapi import Scale\nScale(InputWorkspace=input, OutputWorkspace=str(input), Factor=3.0)",
        output="one",
    )
    assert value_of("one") == 6.0


def test_output_may_be_a_workspace():
    run("output = input * 5.0")
    assert value_of("made") == 10.0


def test_output_may_be_another_name():
    run(
        "from mantid.simpleapi import CloneWorkspace\nCloneWorkspace(InputWorkspace=input, OutputWorkspace='x')\noutput = 'x'"
    )
    assert value_of("made") == 2.0


def test_output_of_another_type_is_refused():
    assert "Invalid type assigned to 'output' variable" in failure_of("output = 5")


def test_an_output_that_was_never_made_is_an_error_when_there_is_none_of_that_name():
    assert "made" in failure_of("x = 5")


def test_an_output_that_was_not_made_is_yesterdays_when_there_is_one():
    run("output = input * 5.0")
    run("x = 5")
    assert value_of("made") == 10.0


def test_output_may_be_a_table_or_a_group():
    from mantid.api import mtd

    run(
        "from mantid.api import WorkspaceFactory\noutput = WorkspaceFactory.createTable()\noutput.addColumn('double', 'x')"
    )
    assert mtd["made"].columnCount() == 1
    run(
        "from mantid.simpleapi import CloneWorkspace, GroupWorkspaces\n"
        "CloneWorkspace(InputWorkspace=input, OutputWorkspace='x')\n"
        "output = GroupWorkspaces(InputWorkspaces=['x'], OutputWorkspace='made')"
    )
    assert mtd["made"].getNumberOfEntries() == 1


def test_lines_of_messages_are_four_further_on_and_the_type_of_the_exception_is_lost():
    text = failure_of("x = 1\nraise KeyError('lost')")
    assert "lost" in text
    assert "line 6 in '<string>'" in text
    assert "at line" in text
    assert "caused by line" in text


@pytest.mark.parametrize("code", ["import sys\nsys.exit(3)", "raise KeyboardInterrupt('stop')"])
def test_exits_are_failures_like_others(code):
    assert "line" in failure_of(code)


def test_import_star_is_a_syntax_error():
    failure_of("from mantid.simpleapi import *\noutput = input")


def test_names_of_simpleapi_are_not_there_unless_they_are_imported():
    assert "Scale" in failure_of("Scale(InputWorkspace=input, OutputWorkspace='made', Factor=3.0)")


def test_globals_of_main_are_visible_and_locals_do_not_stay(monkeypatch):
    monkeypatch.setattr(__main__, "contract_factor", 7.0, raising=False)
    run("mine = 1\noutput = input * contract_factor\nassert __name__ == '__main__'")
    assert value_of("made") == 14.0
    assert "mine" in failure_of("output = mine")


def test_global_names_stay(monkeypatch):
    monkeypatch.setattr(__main__, "contract_kept", 0.0, raising=False)
    for expected in (2.0, 4.0):
        run("global contract_kept\ncontract_kept = contract_kept + 1.0\noutput = input * contract_kept")
        assert value_of("made") == expected


def test_return_with_both_works_and_bare_return_does_not():
    run("if True:\n    return input, input * 3.0")
    assert value_of("made") == 6.0
    assert "unpack" in failure_of("return")


def test_lines_may_end_in_any_way():
    run("a = 2.0\r\nb = 3.0\routput = input * a * b\n")
    assert value_of("made") == 12.0


def test_continued_strings_get_eight_spaces():
    run("text = '''a\nb'''\nassert text == 'a\\n        b', text\noutput = input * 1.0")


def test_a_byte_0x85_breaks_the_script():
    failure_of("text = '\N{LATIN CAPITAL LETTER A WITH RING ABOVE}'\noutput = input")


def test_algorithms_of_scripts_are_children_and_what_they_name_is_in_the_ads():
    from mantid.api import AnalysisDataService

    run(
        "from mantid.simpleapi import CloneWorkspace\n"
        "kept = CloneWorkspace(InputWorkspace=input)\n"
        "assert type(self).__name__ == '_DUMMY_ALG'\n"
        "output = kept * 2.0"
    )
    assert "kept" in AnalysisDataService.getObjectNames()
    assert value_of("made") == 4.0


def test_functions_that_a_script_calls_run_their_algorithms_as_children_too(probe):
    from mantid.api import AlgorithmManager

    def then(workspace, _output):
        from mantid.simpleapi import CloneWorkspace

        before = AlgorithmManager.size()
        copy = CloneWorkspace(InputWorkspace=workspace, OutputWorkspace="copy")
        assert AlgorithmManager.size() == before
        return copy

    probe.then = then
    run(REPORT)
    assert value_of("made") == 2.0


def test_scripts_run_on_the_thread_of_the_algorithm(probe):
    run(REPORT, output="one")
    assert probe.seen[0].thread_id == threading.get_ident()


def test_a_file_is_looked_for_when_it_runs(tmp_path):
    from mantid.api import AlgorithmManager

    script = tmp_path / "script.py"
    script.write_text(
        "from mantid.simpleapi import CreateSingleValuedWorkspace\noutput = CreateSingleValuedWorkspace(4.0, OutputWorkspace='x')\n"
    )
    algorithm = AlgorithmManager.createUnmanaged("RunPythonScript")
    algorithm.initialize()
    algorithm.setRethrows(True)
    algorithm.setPropertyValue("Filename", str(script))
    algorithm.setPropertyValue("OutputWorkspace", "made")
    algorithm.execute()
    assert value_of("made") == 4.0
