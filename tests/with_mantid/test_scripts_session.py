"""A whole session with scripts, of an instrument that no installed plugin claims: from the socket to the result."""

from __future__ import annotations

import textwrap
from importlib.metadata import entry_points

import pytest

from live_mantid import PIXELS, PULSE, beat, end_of, now_ns, prologue, pulses, whole_run
from livered_core.adara import Heartbeat, RunStatusCode
from livered_core.clocks import SystemClock
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from sms_support import scripted_server
from waiting import until

RESULTS = """
from livered_core import hookimpl

RESULTS, FAILURES = [], []

class Plugin:
    @hookimpl
    def post_publish(self, result, run, update):
        RESULTS.append((result, update))

    @hookimpl
    def on_error(self, failure):
        FAILURES.append(failure)
"""
PROCESS = """
    # As a scientist would have it.
    Rebin(InputWorkspace=input, OutputWorkspace=output, Params="0,100,20000", PreserveEvents=False)
"""
POST_PROCESS = """
    import os
    summed = SumSpectra(InputWorkspace=input)
    output = summed
"""


@pytest.fixture
def reduce(install, tmp_path, monkeypatch):
    """Run a session of POWGEN on a stream; returns its exit code, its results and its failures."""
    install(
        "results", {"results_plugin.py": RESULTS}, {"livered.plugins": ["results = results_plugin:Plugin"]}
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir(mode=0o700)
    import results_plugin

    results_plugin.RESULTS.clear()
    results_plugin.FAILURES.clear()

    def write(stage, text):
        (tmp_path / f"{stage}.py").write_text(textwrap.dedent(text))

    def run(address, more=""):
        (tmp_path / "c.toml").write_text(
            f'address = "{address}"\nbackend = "mantid"\nupdate_every = 0.3\nrun_transition = "stop"\n'
            f'output_dir = "{tmp_path}/out"\n[plugins.results]\n'
            f'[plugins.scripts]\nprocess = "process.py"\npost_process = "post_process.py"\n{more}'
        )
        environ = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)}
        ours = list(entry_points(group="livered.plugins"))
        loaded = load_configuration("PG3", tmp_path / "c.toml", {}, environ, available=ours)
        code = Session(loaded, SystemClock(), environ=environ).run()
        return code, results_plugin.RESULTS, results_plugin.FAILURES

    run.write = write
    run.module = results_plugin
    write("process", PROCESS)
    write("post_process", POST_PROCESS)
    return run


def in_parts(go_on, n_parts=3, n_pulses=20):
    """Make a script of a server: the parts of a run, each when it is asked for."""

    def script(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns))
        for part in range(n_parts):
            client.send(*pulses(start_ns, part * n_pulses, (part + 1) * n_pulses))
            until(lambda part=part: beat_once(client) and go_on(part))
        end_ns = start_ns + n_parts * n_pulses * PULSE
        client.send(end_of(7, start_ns, end_ns), *prologue(0, end_ns, RunStatusCode.NO_RUN))
        beat(client)

    return script


def beat_once(client):
    """Mantid reads what it has only when more comes."""
    client.send(Heartbeat(time_ns=now_ns()))
    return True


def test_a_run_of_an_instrument_without_a_plugin(reduce):
    from mantid.api import AnalysisDataService

    with scripted_server(in_parts(lambda part: True)) as server:
        code, results, failures = reduce(server.address)
    assert (code, failures) == (0, [])
    result, update = results[-1]
    assert update.final
    assert update.complete, update.missing
    assert update.n_events == 60 * len(PIXELS)
    (curve,) = result.curves
    assert curve.label == "summed"
    assert curve.y.sum() == 60 * len(PIXELS)
    assert result.metadata["process script"] == "process.py"
    assert AnalysisDataService.getObjectNames() == ["summed"], "what the script itself made, and nothing else"


def test_an_error_drops_its_chunk_and_the_run_goes_on(reduce):
    """The same in Mantid ends MonitorLiveData for good."""
    reduce.write(
        "process",
        "global n\nn = globals().get('n', 0) + 1\nif n == 1: raise ValueError('once')\n"
        + textwrap.dedent(PROCESS),
    )
    with scripted_server(in_parts(lambda part: part > 0 or reduce.module.FAILURES)) as server:
        code, results, failures = reduce(server.address)
    assert code == 0
    assert [failure.hook for failure in failures] == ["process_chunk"]
    assert "process.py line 3 failed: ValueError: once." in failures[0].error
    assert 'process.py", line 3, in PyExec' in failures[0].traceback
    result, update = results[-1]
    assert update.final
    assert not update.complete
    assert update.dropped_chunks == 1
    (curve,) = result.curves
    assert curve.y.sum() == update.n_events == 60 * len(PIXELS) - update.dropped_events


def test_a_script_that_is_edited_during_the_run(reduce):
    def go_on(part):
        if part == 0 and reduce.module.RESULTS:
            reduce.write("post_process", POST_PROCESS.replace("summed", "renamed"))
            return True
        return part > 1 or (part == 1 and reduce.module.RESULTS[-1][0].curves[0].label == "renamed")

    with scripted_server(in_parts(go_on)) as server:
        code, results, failures = reduce(server.address)
    assert (code, failures) == (0, [])
    assert results[0][0].curves[0].label == "summed"
    result, update = results[-1]
    assert update.complete
    assert result.curves[0].y.sum() == 60 * len(PIXELS)
    assert result.metadata["scripts changed"] == "post_process.py"


@pytest.mark.slow
def test_a_process_script_that_is_edited_reduces_the_whole_run_anew_when_asked_to(reduce):
    """Today's daemon begins StartLiveData again, and so does livered: nothing is lost by an edit."""
    begun: list[int] = []

    def edited(client):
        begun.append(now_ns())
        client.send(*prologue(7, begun[0]), *pulses(begun[0], 0, 20))
        until(lambda: beat_once(client) and reduce.module.RESULTS)
        reduce.write("process", PROCESS.replace("0,100,20000", "0,200,20000"))
        client.send(*pulses(begun[0], 20, 40))
        beat(client)

    def again(client):
        client.send(*whole_run(7, begun[0], 60))
        beat(client)

    with scripted_server(edited, again) as server:
        code, results, failures = reduce(server.address, 'when_changed = "restart"\n')
    assert (code, failures) == (0, [])
    result, update = results[-1]
    assert server.connections == 2
    assert update.final
    assert update.complete, update.missing
    assert update.n_events == 60 * len(PIXELS)
    assert result.curves[0].y.sum() == 60 * len(PIXELS)
    assert len(result.curves[0].y) == 100, "all of it by the new script"
